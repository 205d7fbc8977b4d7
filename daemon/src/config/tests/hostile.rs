//! Texts made to harm: they are refused in bounded time and memory, and nothing secret is shown.

use super::{SMALL, parse, refusal, with};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Far more than any of these takes, far less than an attack would.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_hundred_thousand_brackets_are_refused_at_once() {
    let started = Instant::now();
    let message = refusal(&format!("agency: {}", "[".repeat(100_000)));
    assert!(message.contains("nested more than 64 levels deep"), "{message}");
    assert!(message.len() < 2_000, "the snippet is cut: {}", message.len());
    assert!(started.elapsed() < SOON);
}

#[test]
fn deep_indentation_is_refused_at_once() {
    let text: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let message = refusal(&text);
    assert!(message.contains("nested more than 64 levels deep"), "{message}");
}

#[test]
fn billion_laughs_are_refused_at_once() {
    let mut text = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for level in 1..12 {
        let before = level - 1;
        let items = vec![format!("*a{before}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let started = Instant::now();
    let message = refusal(&text);
    assert!(message.contains("more than 100000 values"), "{message}");
    assert!(started.elapsed() < SOON);
}

#[test]
fn a_map_of_too_many_keys_is_refused_at_once() {
    let text: String = (0..500_000).map(|key| format!("{key}: 1\n")).collect();
    let started = Instant::now();
    let message = refusal(&text);
    assert!(message.contains("more than 5000 keys"), "{message}");
    assert!(started.elapsed() < SOON);
}

#[test]
fn an_alias_of_itself_is_refused() {
    let message = refusal("a: &a\n  b: *a\n");
    assert!(message.contains("stands inside of what it refers to"), "{message}");
}

#[test]
fn no_message_shows_a_password() {
    let places = [
        with("state:\n", "state:\n  password: hunter2\n"),
        with("state:\n", "state:\n  \"bind_password\": 'hunter2'\n"),
        with("state:\n", "state: { token: hunter2, }\nx:\n"),
        with("state:\n", "state:\n  Password : hunter2\n"),
        with("sqlite:///var/lib/lapsed/state.db", "postgres://lapsed:hunter2@db/x"),
        with("sqlite:///var/lib/lapsed/state.db", "postgres://db/x?password=hunter2"),
        with("state:\n", "state:\n  password: \"hunter2\n"),
        with("state:\n", "state:\n  password: [hunter2\n"),
        with("state:\n", "state:\n  password_file: hunter2\n"),
        with("state:\n", "state:\n  password_credential: \"hunter2!\"\n"),
        with("sqlite:///var/lib/lapsed/state.db", "postgres://lapsed:p@hunter2@db/x"),
    ];
    for text in places {
        let message = refusal(&text);
        assert!(!message.contains("hunter2"), "{message}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,400}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_cut_or_splice_of_a_good_file_makes_the_reader_panic(
        cut in 0..SMALL.len(), length in 0..40_usize, splice in "[-\\[\\]{}:,&*!|>'\"%@` \t\na0~<\u{e9}\u{202e}]{0,8}",
    ) {
        let end = (cut + length).min(SMALL.len());
        let text = format!("{}{splice}{}", &SMALL[..cut], &SMALL[end..]);
        if let Err(errors) = parse(&text) {
            let message = errors.to_string();
            prop_assert!(!message.is_empty());
            prop_assert!(!message.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
