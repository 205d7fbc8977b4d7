//! `make bench`: measures lapsed beside what an administrator would use instead.

use lapsed_tests::bench::{Sizes, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let short = std::env::var("LAPSED_BENCH").is_ok_and(|value| value == "short");
    let mut sizes = if short { Sizes::short() } else { Sizes::whole() };
    // Rows name their sizes: these are for a machine with less time.
    let wanted = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    sizes.rounds = wanted("LAPSED_BENCH_ROUNDS").unwrap_or(sizes.rounds);
    sizes.people = wanted("LAPSED_BENCH_PEOPLE").unwrap_or(sizes.people);
    sizes.urgent = wanted("LAPSED_BENCH_URGENT").unwrap_or(sizes.urgent);
    let names: Vec<String> = std::env::args().skip(1).collect();
    match run(&names, &sizes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
