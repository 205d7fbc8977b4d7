//! `make demo`: what lapsed is for, in two minutes, on a real OpenLDAP.

use lapsed_tests::demo;
use std::process::ExitCode;

fn main() -> ExitCode {
    let asked = std::env::args().skip(1).any(|argument| argument == "--fast");
    let set = std::env::var_os("DEMO_FAST").is_some_and(|value| !value.is_empty() && value != "0");
    match demo::run(asked || set) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nThe demo failed: {failure}");
            ExitCode::FAILURE
        }
    }
}
