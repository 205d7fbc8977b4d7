//! `growth`, `rss_100k` and `rss_1m`: the same agency ten and a hundred times as large, taken from one feed
//! into the state, and then once more with nothing changed.

use super::land::peak_of;
use super::report::{Goal, Row, folder};
use super::timing::median;
use super::{Sizes, curve};
use crate::agency::{Agency, HrOptions, today, yesterday};
use crate::site::{DirectoryAt, Site};
use crate::slapd::Slapd;
use crate::{Done, Failure};

/// Measures the rows.
///
/// # Errors
///
/// When a run fails.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let (mut times, mut peaks, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    for people in sizes.growth {
        let (took, peak, state) = reconcile(people, sizes.rounds)?;
        println!("    {people} people: {took:.2} s, {peak:.0} MiB, {state:.0} MiB on the disk");
        #[allow(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
        let size = people as f64;
        times.push((size, took));
        peaks.push((size, peak));
        disk.push((size, state));
    }
    curve::write(
        &folder()?.join("growth-time.svg"),
        "Reconcile, nothing changed: seconds",
        &times,
    )?;
    curve::write(&folder()?.join("growth-memory.svg"), "Reconcile, nothing changed: MiB", &peaks)?;
    let setting = format!(
        "a full feed of {} people with nothing changed, by `run --once`; SQLite, synchronous=FULL",
        sizes.growth.map(|n| n.to_string()).join(", ")
    );
    let row = |name: &str, ours: f64, unit, goal, points: &[(f64, f64)]| Row {
        name: name.into(),
        ours,
        theirs: None,
        unit,
        rounds: sizes.rounds,
        setting: setting.clone(),
        goal,
        points: points.to_vec(),
    };
    Ok(vec![
        row("growth", exponent(&times), "exponent", Goal::OursAtMost(1.05), &times),
        row("growth_memory", exponent(&peaks), "exponent", Goal::OursAtMost(1.05), &peaks),
        row("growth_disk", exponent(&disk), "exponent", Goal::OursAtMost(1.05), &disk),
        row("rss_100k", peaks[1].1, "MiB", Goal::OursAtMost(128.0), &[]),
        row("rss_1m", peaks[2].1, "MiB", Goal::OursAtMost(768.0), &[]),
    ])
}

/// Seconds and peak memory (MiB) of one run with nothing to do over an agency of this size, and MiB of its state.
fn reconcile(people: usize, rounds: usize) -> Done<(f64, f64, f64)> {
    let agency = Agency::new(people, 33);
    // The feed is what grows: the directory has nobody of it.
    let slapd = Slapd::builder().base(super::land::BASE).start()?;
    let site = Site::beside(&DirectoryAt::openldap(&slapd))?;
    // Some have two posts, and a row for each.
    site.reconfigure(&[("max_rows: 1000000", "max_rows: 2000000")])?;
    site.drop_file("hr-1.csv", agency.to_hr_csv(&HrOptions::full(yesterday(), 1, vec![])))?;
    site.once()?;
    was_taken(&site, "hr-1.csv")?;
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let sequence = u32::try_from(round + 2).unwrap_or(u32::MAX);
        let feed = agency.to_hr_csv(&HrOptions::full(today(), sequence, vec![]));
        site.drop_file(&format!("hr-{sequence}.csv"), feed)?;
        let mut once = site.command(&["run", "--once"]);
        let (peak, took) = peak_of(once.stderr(std::process::Stdio::null()))?;
        was_taken(&site, &format!("hr-{sequence}.csv"))?;
        times.push(took);
        peaks.push(peak);
    }
    #[allow(clippy::cast_precision_loss, reason = "no state is as large as 2^52 bytes")]
    let state = ["state.db", "state.db-wal"]
        .map(|file| std::fs::metadata(site.path(file)).map_or(0, |file| file.len()))
        .iter()
        .sum::<u64>() as f64
        / 1_048_576.0;
    Ok((median(&times), median(&peaks), state))
}

/// A drop that is rejected is quickly done.
fn was_taken(site: &Site, drop: &str) -> Done<()> {
    if site.names("accepted")?.iter().any(|name| name.ends_with(drop)) {
        return Ok(());
    }
    let why = site.receipt("rejected", drop).unwrap_or_else(|_| site.log());
    Err(Failure::new(format!("{drop} was not taken: {why}")))
}

/// A curve beyond what was measured: its value at a million, and the exponent of its last part, in which what an
/// empty state costs no longer counts. Nothing is taken to grow slower than in step.
pub fn by_the_million(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let [.., _, (size, value)] = points else { return None };
    let exponent = exponent(&points[points.len() - 2..]).max(1.0);
    Some((value * (1e6 / size).powf(exponent), exponent))
}

/// The exponent of growth: the slope of the line through the points on logarithmic scales.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    #[allow(clippy::cast_precision_loss, reason = "there are two or three points")]
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let across: f64 = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    across / logs.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::{by_the_million, exponent};

    #[test]
    fn beyond_what_was_measured_nothing_grows_slower_than_in_step() {
        let memory = [(1e4, 45.0), (1e5, 116.0), (1e6, 764.0)];
        assert_eq!(by_the_million(&memory), Some((764.0, 1.0)));
        let (at_a_million, exponent) = by_the_million(&[(1e4, 1.0), (1e5, 20.0)]).unwrap();
        assert!((at_a_million - 400.0).abs() < 1e-6 && exponent > 1.3);
    }

    #[test]
    fn what_grows_in_step_has_the_exponent_one_and_its_square_two() {
        let points = |power: i32| [1.0_f64, 10.0, 100.0].map(|x| (x, 3.0 * x.powi(power)));
        assert!((exponent(&points(1)) - 1.0).abs() < 1e-9);
        assert!((exponent(&points(2)) - 2.0).abs() < 1e-9);
    }
}
