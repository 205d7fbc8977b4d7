//! The last step of `make torture`: adds up what its tests counted, and fails when something was lost,
//! doubled or wrong.

use std::process::ExitCode;

fn main() -> ExitCode {
    match lapsed_tests::torture_report::merge() {
        Ok(sum) => {
            println!("{sum:#?}\nin target/torture/report.json, with each part's own");
            if sum.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("torture-report: {failure}");
            ExitCode::FAILURE
        }
    }
}
