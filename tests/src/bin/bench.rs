//! `make bench`: measures lapsed beside what an administrator would use instead.

use lapsed_tests::bench::{Sizes, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let short = std::env::var("LAPSED_BENCH").is_ok_and(|value| value == "short");
    let sizes = if short { Sizes::short() } else { Sizes::whole() };
    let names: Vec<String> = std::env::args().skip(1).collect();
    match run(&names, &sizes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
