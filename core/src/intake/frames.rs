//! Header and trailer lines: whether all of the file is there, and which one of the sequence it is.

use super::read::Fields;
use super::rejection::{Frame, Rejection};
use super::spec::{Contract, LineEnd};
use jiff::civil::Date;

/// What the frame of a drop says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Framed {
    pub(super) count: Option<u64>,
    pub(super) sequence: Option<u64>,
    pub(super) as_of: Option<Date>,
}

/// Watches over the order of lines while a drop is read.
pub(super) struct Frames<'c> {
    contract: &'c Contract,
    header_seen: bool,
    trailer_seen: bool,
    pub(super) rows: u64,
    framed: Framed,
}

impl<'c> Frames<'c> {
    pub(super) fn new(contract: &'c Contract) -> Self {
        let framed = Framed::default();
        Self { contract, header_seen: false, trailer_seen: false, rows: 0, framed }
    }

    /// A row, good or bad.
    pub(super) fn row(&mut self, line: u64) -> Result<(), Rejection> {
        if self.trailer_seen {
            return Err(Rejection::AfterTrailer { line });
        }
        self.need_header()?;
        self.rows += 1;
        let most = self.contract.max_rows;
        if self.rows > most { Err(Rejection::TooManyRows { most }) } else { Ok(()) }
    }

    /// A header or trailer line.
    pub(super) fn frame(
        &mut self,
        line: u64,
        frame: Frame,
        fields: &Fields,
    ) -> Result<(), Rejection> {
        let out_of_place = match frame {
            Frame::Header => self.header_seen || self.trailer_seen || self.rows > 0,
            Frame::Trailer => self.trailer_seen,
        };
        if out_of_place {
            return Err(Rejection::FrameOutOfPlace { frame, line });
        }
        match frame {
            Frame::Header => self.header(line, fields),
            Frame::Trailer => self.trailer(line, fields),
        }
    }

    fn header(&mut self, line: u64, fields: &Fields) -> Result<(), Rejection> {
        self.header_seen = true;
        let Some(spec) = &self.contract.header else { return Ok(()) };
        let absent = |what| Rejection::FrameField { frame: Frame::Header, what, line };
        if let Some(place) = &spec.as_of {
            let text = fields.get(place).unwrap_or_default();
            let date = spec.formats.iter().find_map(|format| Date::strptime(format, text).ok());
            self.framed.as_of = Some(date.ok_or_else(|| absent("date"))?);
        }
        if let Some(place) = &spec.sequence {
            let number = fields.get(place).and_then(|text| text.parse().ok());
            self.framed.sequence = Some(number.ok_or_else(|| absent("sequence number"))?);
        }
        Ok(())
    }

    fn trailer(&mut self, line: u64, fields: &Fields) -> Result<(), Rejection> {
        self.need_header()?;
        self.trailer_seen = true;
        let Some(spec) = &self.contract.trailer else { return Ok(()) };
        let absent = |what| Rejection::FrameField { frame: Frame::Trailer, what, line };
        let count = fields.get(&spec.count).and_then(|text| text.parse().ok());
        self.framed.count = Some(count.ok_or_else(|| absent("number of rows"))?);
        if let Some(place) = &spec.sequence {
            let number = fields.get(place).and_then(|text| text.parse().ok());
            self.framed.sequence = Some(number.ok_or_else(|| absent("sequence number"))?);
        }
        Ok(())
    }

    fn need_header(&self) -> Result<(), Rejection> {
        match &self.contract.header {
            Some(header) if !self.header_seen => {
                Err(Rejection::NoHeader { mark: header.mark.clone() })
            }
            _ => Ok(()),
        }
    }

    /// At the end of the file.
    pub(super) fn finish(self, ends_in_line_end: bool) -> Result<Framed, Rejection> {
        self.need_header()?;
        let Some(trailer) = &self.contract.trailer else { return Ok(self.framed) };
        if !self.trailer_seen {
            return Err(Rejection::NoTrailer { mark: trailer.mark.clone() });
        }
        if !ends_in_line_end && trailer.line_end == LineEnd::Required {
            return Err(Rejection::TrailerCut);
        }
        match self.framed.count {
            Some(says) if says != self.rows => Err(Rejection::Count { says, has: self.rows }),
            _ => Ok(self.framed),
        }
    }
}
