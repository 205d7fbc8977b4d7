//! How directories count their changes.
//!
//! OpenLDAP writes on each entry when it changed last (`entryCSN`, draft-ietf-ldup-model). A domain controller of
//! Active Directory gives each change a number of its own (`uSNChanged`, MS-ADTS 3.1.1.1.9): another one, or
//! the same put back from a copy, counts otherwise.

use super::codes::Trouble;
use super::layout::Layout;
use super::moment;
use super::session::{Query, Session};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const CSN: &str = "entryCSN";
/// A change is numbered before it is written: one that waited for others comes to light behind them, and what
/// another copy of the directory took comes with its own moment.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// Where the newest change is looked for first: nothing but the newest is wanted, and the clock of the
/// directory may be another.
const LATELY: [SignedDuration; 3] = [
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(24 * 30),
];

/// By what a kind of directory counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// By moments on the entries (OpenLDAP).
    Moments,
    /// By numbers of the server (Active Directory).
    Numbers,
}

/// How far a copy of the directory has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    /// Which copy.
    pub(super) server: String,
    /// How far.
    pub(super) point: String,
}

impl Counting {
    /// How far the server has counted; `None` where that can't be told. `from` is a point that it has reached
    /// before.
    pub(super) async fn reached(
        self,
        session: &Session,
        layout: &Layout,
        from: Option<&str>,
    ) -> Result<Option<Counted>, Trouble> {
        match self {
            Self::Numbers => highest_number(session).await,
            Self::Moments => {
                let point = match from {
                    Some(from) => newest_since(session, layout, from).await?.or(Some(from.into())),
                    None => newest(session, layout).await?,
                };
                Ok(point.map(|point| Counted { server: session.server.clone(), point }))
            }
        }
    }

    /// A filter for what changed since a point; `None` when it is none of this kind.
    pub(super) fn since(self, point: &str) -> Option<String> {
        match self {
            Self::Numbers => {
                let next = point.parse::<u64>().ok()?.checked_add(1)?;
                Some(format!("(uSNChanged>={next})"))
            }
            Self::Moments => {
                Some(changed_at_or_after(moment::of_csn(point)?.checked_sub(LATE).ok()?))
            }
        }
    }
}

fn changed_at_or_after(moment: Timestamp) -> String {
    format!("({CSN}>={})", moment::to_csn(moment))
}

async fn newest(session: &Session, layout: &Layout) -> Result<Option<String>, Trouble> {
    let now = Timestamp::now();
    let starts = LATELY.iter().filter_map(|long| now.checked_sub(*long).ok());
    for start in starts.chain([Timestamp::UNIX_EPOCH]) {
        let found = newest_since(session, layout, &moment::to_csn(start)).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

async fn newest_since(
    session: &Session,
    layout: &Layout,
    point: &str,
) -> Result<Option<String>, Trouble> {
    let Some(start) = moment::of_csn(point) else { return Ok(None) };
    let filter = changed_at_or_after(start);
    let mut newest: Option<String> = None;
    for base in &layout.name_places {
        for entry in session.search(Query::below(&base.text, &filter, &[CSN])).await? {
            let at = entry.text(CSN).map(str::to_owned);
            newest = newest.max(at);
        }
    }
    Ok(newest)
}

/// The controller's number, and by which count it is one.
async fn highest_number(session: &Session) -> Result<Option<Counted>, Trouble> {
    let root = session.search(Query::one("", &["highestCommittedUSN", "dsServiceName"])).await?;
    let Some(root) = root.first() else { return Ok(None) };
    let (Some(point), Some(service)) =
        (root.text("highestCommittedUSN"), root.text("dsServiceName"))
    else {
        return Ok(None);
    };
    let controller = session.search(Query::one(service, &["invocationId"])).await?;
    let invocation = controller.first().and_then(|entry| {
        let bytes = entry.bytes("invocationId").next()?;
        Uuid::from_slice_le(bytes).ok()
    });
    Ok(invocation.map(|id| Counted { server: id.to_string(), point: point.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        Counting::Moments,
        "20261123093512.123456Z#000000#001#000000",
        Some("(entryCSN>=20261123093412.000000Z#000000#000#000000)")
    )]
    #[case(Counting::Moments, "41", None)]
    #[case(Counting::Numbers, "41", Some("(uSNChanged>=42)"))]
    #[case(Counting::Numbers, "18446744073709551615", None)]
    #[case(Counting::Numbers, "1)(uid=*", None)]
    fn what_changed_since_a_point_is_one_filter(
        #[case] counting: Counting,
        #[case] point: &str,
        #[case] wanted: Option<&str>,
    ) {
        assert_eq!(counting.since(point).as_deref(), wanted);
        assert!(wanted.is_none_or(|filter| ldap3::parse_filter(filter).is_ok()));
    }
}
