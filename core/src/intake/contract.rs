//! Whether a drop that was read to its end keeps the feed's contract.

use super::file_name::Pattern;
use super::rejection::Rejection;
use super::spec::{Contract, Mode};
use super::{PreviousDrop, Taken};

/// The sequence number in the file's name, where the contract has it there.
pub(super) fn sequence_of_name(contract: &Contract, name: &str) -> Result<Option<u64>, Rejection> {
    let Some(pattern) = &contract.file_name else { return Ok(None) };
    let number = Pattern::new(pattern).and_then(|pattern| pattern.sequence(name));
    number.map(Some).ok_or_else(|| Rejection::NoSequence { pattern: pattern.clone() })
}

/// Order, replay and size against the last accepted drop; and how much of this one is bad.
pub(super) fn check(
    contract: &Contract,
    mode: Mode,
    taken: &Taken,
    previous: Option<&PreviousDrop>,
) -> Result<(), Rejection> {
    order(contract, taken, previous)?;
    set_aside(contract, taken)?;
    if mode == Mode::Full { headcount(contract, taken, previous) } else { Ok(()) }
}

fn order(
    contract: &Contract,
    taken: &Taken,
    previous: Option<&PreviousDrop>,
) -> Result<(), Rejection> {
    let Some(previous) = previous else { return Ok(()) };
    if let (Some(says), Some(last)) = (taken.sequence, previous.sequence) {
        if says <= last {
            return Err(Rejection::Sequence { says, last });
        }
        if !contract.gaps && says - last > 1 {
            return Err(Rejection::Gap { says, last });
        }
    }
    match (taken.as_of, previous.as_of) {
        (Some(says), Some(last)) if says < last => Err(Rejection::Older { says, last }),
        _ => Ok(()),
    }
}

fn set_aside(contract: &Contract, taken: &Taken) -> Result<(), Rejection> {
    let count = u64::try_from(taken.set_aside.len()).unwrap_or(u64::MAX);
    let limit = &contract.set_aside;
    let Some(first) = taken.set_aside.first() else { return Ok(()) };
    if count < limit.from_rows || percent(count, taken.rows) <= limit.percent {
        return Ok(());
    }
    Err(Rejection::TooManySetAside {
        set_aside: count,
        rows: taken.rows,
        most: limit.percent,
        line: first.line,
        reason: first.reason.clone(),
    })
}

fn headcount(
    contract: &Contract,
    taken: &Taken,
    previous: Option<&PreviousDrop>,
) -> Result<(), Rejection> {
    let (has, least) = (taken.headcount, contract.least_headcount);
    if has < least {
        return Err(Rejection::Headcount { has, least });
    }
    let before = previous.map_or(0, |previous| previous.headcount);
    let (fewer, most) = (before.saturating_sub(has), contract.largest_drop_percent);
    let percent = percent(fewer, before);
    if percent > most {
        return Err(Rejection::Shrunk { has, before, percent, most });
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no drop has 2^53 rows")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
