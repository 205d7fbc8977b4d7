//! `scale`: a year of an agency with so many identities, simulated from what the other rows have measured.
//!
//! The model. HR's file comes at 07:00; one daemon reads and plans, one round after another. Departures go through
//! one directory, which writes one change after another; urgent ones come all day, wait for the round under way, and
//! go before the others, after the batch that is on its way.

use super::report::{Row, folder};
use super::timing::percentile;
use super::{Sizes, growth};
use crate::agency::random::Random;
use crate::{Done, Failure};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

/// Work days of a year.
const DAYS: u32 = 250;
/// Of a thousand identities so many leave in a year.
const LEAVE: f64 = 150.0;
/// Of a hundred departures so many are urgent: a dismissal, a phone call.
const URGENT: f64 = 2.0;
/// Seconds from HR's file to the end of the working day.
const DAY: u32 = 10 * 3600;
/// Departures that are on their way together: a batch of 500 steps, nine each.
const BATCH: f64 = 55.0;
const IDENTITIES: [f64; 4] = [1e5, 1e6, 1e7, 1e8];

/// What was measured.
#[derive(Debug, Clone)]
struct Costs {
    /// Seconds for a feed of a million people in which nothing changed, and the exponent of growth.
    feed: (f64, f64),
    /// The most memory meanwhile, in MiB, of a million people, and the exponent of growth.
    memory: (f64, f64),
    /// The state on the disk in MiB, of a million people, and the exponent of growth.
    disk: (f64, f64),
    /// Seconds of the nightly audit, by account.
    audit: f64,
    /// Seconds of a departure among many, by one daemon, two, three.
    departure: Vec<f64>,
    /// Seconds of a departure by itself.
    alone: f64,
}

/// What a year of it comes to.
#[derive(Debug, Clone, PartialEq)]
struct Year {
    /// Seconds until the leavers of HR's file are shut out, on all but one day in a hundred.
    all_shut: f64,
    /// Seconds until an urgent one is: the middle one, and all but one in a hundred.
    urgent: (f64, f64),
    /// Hours in which the directory writes, in a day.
    busy: f64,
}

/// Simulates and prints; gives no row, since nothing new is measured.
///
/// # Errors
///
/// When another row was not measured yet, or the table can't be written.
pub fn rows(_: &Sizes) -> Done<Vec<Row>> {
    let costs = Costs::measured()?;
    let mut table = String::from(
        "| identities | daemons | HR's file read | memory | state | nightly audit | all of a day shut | urgent: half | urgent: 99 % | directory writes |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for identities in IDENTITIES {
        for (others, departure) in costs.departure.iter().enumerate() {
            let year = year(&costs, identities, *departure);
            let _ = writeln!(
                table,
                "| {} | {} | {} | {:.1} GiB | {:.1} GiB | {} | {} | {} | {} | {:.1} h a day |",
                count(identities),
                others + 1,
                span(at(costs.feed, identities)),
                at(costs.memory, identities) / 1024.0,
                at(costs.disk, identities) / 1024.0,
                span(costs.audit * identities),
                span(year.all_shut),
                span(year.urgent.0),
                span(year.urgent.1),
                year.busy,
            );
        }
    }
    let file = folder()?.join("scale.md");
    fs::write(&file, &table)?;
    println!("{table}\n{}", file.display());
    Ok(Vec::new())
}

impl Costs {
    /// Of the last report.
    fn measured() -> Done<Self> {
        let unreadable = |error: serde_json::Error| Failure::new(format!("report.json: {error}"));
        let report = fs::read(folder()?.join("report.json"))?;
        let report: Value = serde_json::from_slice(&report).map_err(unreadable)?;
        let row = |name: &str| {
            let mut rows = report["rows"].as_array().into_iter().flatten();
            rows.find(|row| row["name"] == name).ok_or_else(|| {
                Failure::new(format!(
                    "{name} is not in the report; measure all the other parts first"
                ))
            })
        };
        let ours = |name: &str| -> Done<f64> {
            row(name)?["ours"].as_f64().ok_or_else(|| Failure::new(format!("{name} has no figure")))
        };
        let grown = |name: &str| -> Done<(f64, f64)> {
            let points = row(name)?["points"].clone();
            let points: Vec<(f64, f64)> = serde_json::from_value(points).map_err(unreadable)?;
            growth::by_the_million(&points)
                .ok_or_else(|| Failure::new(format!("{name} has no curve")))
        };
        let daemons = |number: usize| -> Done<f64> {
            let name = format!("daemons_{number}");
            let departures = row(&name)?["setting"]
                .as_str()
                .and_then(|text| text.split(' ').next()?.parse().ok());
            let departures: f64 =
                departures.ok_or_else(|| Failure::new(format!("{name} has no count")))?;
            Ok(ours(&name)? / departures)
        };
        // "slapd, 100000 people, …"
        let setting = row("noop_vs_script")?["setting"].as_str().unwrap_or_default();
        let people = setting.split_whitespace().nth(1).and_then(|word| word.parse::<f64>().ok());
        let people =
            people.ok_or_else(|| Failure::new("noop_vs_script does not say of how many people"))?;
        Ok(Self {
            feed: grown("growth")?,
            memory: grown("growth_memory")?,
            disk: grown("growth_disk")?,
            audit: ours("noop_vs_script")? / people,
            departure: (1..=3).map(daemons).collect::<Done<_>>()?,
            alone: ours("urgent_vs_ldapmodify")? / 1000.0,
        })
    }
}

/// A curve that is given by its value at a million and its exponent.
fn at((million, exponent): (f64, f64), identities: f64) -> f64 {
    million * (identities / 1e6).powf(exponent)
}

/// A year, day by day: every draw from the same numbers, so that the same costs give the same table.
fn year(costs: &Costs, identities: f64, departure: f64) -> Year {
    // Days are the same whatever the size: what is drawn for calls is drawn elsewhere.
    let (mut days, mut random) = (Random::new(7), Random::new(8));
    let mean = identities * LEAVE / 1000.0 / f64::from(DAYS);
    let read = at(costs.feed, identities);
    let (mut all_shut, mut urgent, mut busy) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..DAYS {
        // Most leave at the end of a week or a month: from half to double the mean.
        let leavers = mean * (0.5 + 1.5 * share(&mut days));
        let end = read + leavers * departure;
        all_shut.push(end);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 10,000")]
        let calls = (leavers * URGENT / 100.0).ceil().clamp(1.0, 10_000.0) as usize;
        let mut times: Vec<f64> = (0..calls).map(|_| share(&mut random) * f64::from(DAY)).collect();
        times.sort_by(f64::total_cmp);
        let mut free = 0.0_f64;
        for at in times {
            let batch = if at < end { BATCH * departure * share(&mut random) } else { 0.0 };
            // Whoever calls while the file is read waits for its end.
            let begun = at.max(read).max(free);
            free = begun + departure;
            urgent.push(begun + batch + costs.alone - at);
        }
        busy += leavers * departure / 3600.0;
    }
    Year {
        all_shut: percentile(&all_shut, 99),
        urgent: (percentile(&urgent, 50), percentile(&urgent, 99)),
        busy: busy / f64::from(DAYS),
    }
}

/// From 0 to 1.
fn share(random: &mut Random) -> f64 {
    f64::from(random.below(1_000_000)) / 1e6
}

fn count(identities: f64) -> String {
    if identities >= 1e6 {
        format!("{} M", identities / 1e6)
    } else {
        format!("{},000", identities / 1e3)
    }
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{Costs, year};

    fn costs() -> Costs {
        Costs {
            feed: (10.0, 1.0),
            memory: (500.0, 1.0),
            disk: (900.0, 1.0),
            audit: 1e-4,
            departure: vec![0.01],
            alone: 0.2,
        }
    }

    #[test]
    fn whoever_calls_while_hr_s_file_is_read_waits_for_its_end() {
        let small = year(&costs(), 1e5, 0.01);
        let large = year(&costs(), 1e8, 0.01);
        assert!(small.urgent.1 < 2.0, "{small:?}");
        assert!(
            large.urgent.1 > 500.0,
            "three in a hundred call within the thousand seconds: {large:?}"
        );
    }

    #[test]
    fn ten_times_as_many_keep_the_directory_busy_ten_times_as_long() {
        let (one, ten) = (year(&costs(), 1e6, 0.01), year(&costs(), 1e7, 0.01));
        assert!((ten.busy / one.busy - 10.0).abs() < 0.01, "{one:?} {ten:?}");
    }
}
