//! Both sides in turns, and the middle of what came out: this machine is noisy, their ratio is less so.

use crate::Done;
use std::process::Command;
use std::time::Instant;

/// The middle value; 0 for none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The value below which so many percent of all lie (nearest rank); 0 for none.
#[must_use]
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Seconds that something took.
///
/// # Errors
///
/// What it failed with.
pub fn seconds<T>(what: impl FnOnce() -> Done<T>) -> Done<(f64, T)> {
    let begun = Instant::now();
    let result = what()?;
    Ok((begun.elapsed().as_secs_f64(), result))
}

/// Runs a command to its successful end, its output thrown away, and gives the seconds.
///
/// # Errors
///
/// When it can't be run or fails.
pub fn command_seconds(command: &mut Command) -> Done<f64> {
    seconds(|| crate::process::run(command)).map(|(took, _)| took)
}

/// Both sides in turns, so many rounds; each is given the round's number, from 0. The one that begins
/// changes, so that neither always finds what the other left in the caches.
///
/// # Errors
///
/// What either failed with.
pub fn in_turns(
    rounds: usize,
    mut ours: impl FnMut(usize) -> Done<f64>,
    mut theirs: impl FnMut(usize) -> Done<f64>,
) -> Done<(f64, f64)> {
    let (mut our, mut their) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            our.push(ours(round)?);
            their.push(theirs(round)?);
        } else {
            their.push(theirs(round)?);
            our.push(ours(round)?);
        }
        println!("    round {}: ours {:.3}, theirs {:.3}", round + 1, our[round], their[round]);
    }
    Ok((median(&our), median(&their)))
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn the_middle_of_an_even_count_lies_between_two() {
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn ninety_nine_of_a_hundred_lie_below_the_percentile() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert!((percentile(&values, 99) - 198.0).abs() < f64::EPSILON);
    }
}
