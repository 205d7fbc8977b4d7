//! The last step of `make torture` and `make test`: adds up what the tests counted, and fails when something was
//! lost, doubled or wrong, or when fewer daemons were killed than its argument says.

use std::process::ExitCode;

fn main() -> ExitCode {
    match lapsed_tests::torture_report::merge() {
        Ok(sum) => {
            println!("{sum:#?}\nin target/torture/report.json, with each part's own");
            let least = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
            if sum.kills < least {
                eprintln!(
                    "torture-report: {} kills, and at least {least} were to be made",
                    sum.kills
                );
            }
            if sum.is_whole() && sum.kills >= least { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("torture-report: {failure}");
            ExitCode::FAILURE
        }
    }
}
