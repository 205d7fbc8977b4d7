//! `make demo`: what lapsed is for, in two minutes, on a real OpenLDAP.

use lapsed_tests::demo;
use std::process::ExitCode;

fn main() -> ExitCode {
    let asked = std::env::args().skip(1).any(|argument| argument == "--fast");
    let set = std::env::var_os("DEMO_FAST").is_some_and(|value| !value.is_empty() && value != "0");
    std::thread::spawn(watch_for_interrupt);
    match demo::run(asked || set) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nThe demo failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The servers and commands that the demo has started get the same Ctrl-C from the terminal and end.
fn watch_for_interrupt() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Ok(runtime) = runtime
        && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
    {
        demo::interrupt();
    }
}
