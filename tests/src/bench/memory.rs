//! `rss_idle` and `startup`: what a daemon holds that has nothing to do, and how soon it answers.

use super::Sizes;
use super::land::{Land, memory_in};
use super::report::{Goal, Row};
use super::timing::{median, seconds};
use crate::{Done, Failure};
use std::path::Path;
use std::time::Duration;

/// Measures the rows.
///
/// # Errors
///
/// When the daemon does not start.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let mut land = Land::new(&Sizes { people: 1_000, groups: 120, ..sizes.clone() })?;
    let (mut idle, mut started) = (Vec::new(), Vec::new());
    for _ in 0..sizes.rounds {
        let (took, ()) = seconds(|| {
            land.site.launch()?;
            answers(&land)
        })?;
        started.push(took * 1000.0);
        // Its first round is over once the memory no longer grows.
        std::thread::sleep(Duration::from_secs(3));
        let pid = land.site.pid().ok_or_else(|| Failure::new("no daemon"))?;
        let status = Path::new("/proc").join(pid.to_string()).join("status");
        idle.push(memory_in(&status, "VmRSS:").ok_or_else(|| Failure::new("no figure of memory"))?);
        land.site.stop()?;
    }
    let row = |name: &str, values: &[f64], unit, most: f64, setting: &str| Row {
        name: name.into(),
        ours: median(values),
        theirs: None,
        unit,
        rounds: sizes.rounds,
        setting: setting.into(),
        goal: Goal::OursAtMost(most),
        points: Vec::new(),
    };
    Ok(vec![
        row(
            "rss_idle",
            &idle,
            "MiB",
            40.0,
            "a daemon with 1,000 people, three seconds after its start",
        ),
        row(
            "startup",
            &started,
            "ms",
            100.0,
            "from the call to the first connection taken on its socket",
        ),
    ])
}

fn answers(land: &Land) -> Done<()> {
    let socket = land.site.path("control.sock");
    crate::process::wait_until(Duration::from_secs(20), || {
        Ok(std::os::unix::net::UnixStream::connect(&socket).is_ok())
    })
}
