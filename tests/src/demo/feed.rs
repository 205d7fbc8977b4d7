//! HR's files of the demo: the agency's own feed, with single cells changed.

use crate::agency::{Agency, HrOptions};
use crate::{Done, Failure};
use jiff::civil::Date;

/// A full feed whose cells can be changed.
#[derive(Debug, Clone)]
pub struct Feed {
    as_of: Date,
    sequence: u32,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Feed {
    /// A full feed as HR would send it.
    pub fn of(agency: &Agency, options: HrOptions) -> Done<Self> {
        let (as_of, sequence) = (options.as_of, options.sequence);
        let text = agency.to_hr_csv(&HrOptions { framed: false, ..options });
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header = cells(reader.headers().map_err(unreadable)?);
        let mut rows = Vec::new();
        for record in reader.records() {
            rows.push(cells(&record.map_err(unreadable)?));
        }
        Ok(Self { as_of, sequence, header, rows })
    }

    fn column(&self, name: &str) -> Done<usize> {
        let found = self.header.iter().position(|column| column == name);
        found.ok_or_else(|| Failure::new(format!("the feed has no column {name}")))
    }

    /// Changes cells of one person's first row.
    pub fn change(&mut self, employee_number: &str, cells: &[(&str, &str)]) -> Done<()> {
        let key = self.column("EMPLID")?;
        let row = self.rows.iter().position(|row| row[key] == employee_number);
        let row = row.ok_or_else(|| Failure::new(format!("no row for {employee_number}")))?;
        for (name, text) in cells {
            let column = self.column(name)?;
            self.rows[row][column] = (*text).to_owned();
        }
        Ok(())
    }

    /// Adds a row; cells that are not named are empty.
    pub fn add(&mut self, cells: &[(&str, &str)]) -> Done<()> {
        let mut row = vec![String::new(); self.header.len()];
        for (name, text) in cells {
            row[self.column(name)?] = (*text).to_owned();
        }
        self.rows.push(row);
        Ok(())
    }

    /// How many rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The file with header line and trailer line.
    pub fn text(&self) -> Done<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.header).chain(&self.rows) {
            writer.write_record(row).map_err(unreadable)?;
        }
        let body = writer.into_inner().map_err(|e| Failure::new(e.to_string()))?;
        Ok(format!(
            "HDR,{},{:06}\n{}TRL,{},{:06}\n",
            self.as_of,
            self.sequence,
            String::from_utf8_lossy(&body),
            self.rows.len(),
            self.sequence
        ))
    }
}

fn unreadable(error: csv::Error) -> Failure {
    Failure::new(error.to_string())
}
