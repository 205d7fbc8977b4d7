//! `make demo`, without its pauses: it ends by itself and checks what it says.

use std::process::Command;

#[test]
fn the_demo_ends_well_and_every_claim_of_it_was_checked() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).env("DEMO_FAST", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{said}");
    assert_eq!(said, "");
    for line in [
        "exactly these 8 accounts were shut",
        "the truncated file was rejected whole",
        "not one of the 60 was touched",
        "the audit is sound",
        "there is nothing left to do",
        "200 days ahead",
        "on hold, has all its mails",
        "is closed: everything done and read back",
        "claims were checked and hold.",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    // Only root can call as other accounts of this machine.
    if rustix::process::geteuid().is_root() {
        for line in
            ["the agreement is not signed, and nothing was given", "mbquilj can log on with it"]
        {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }
    assert!(!text.contains("NOT SO"), "{text}");
    assert!(!text.contains('\u{1b}'), "colours or escapes where nobody watches:\n{text}");
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "wider than 100 columns: {wide:#?}");
}
