//! Every folder of `scenarios/` is one test.

use lapsed_tests::scenario::play;
use rstest::rstest;
use std::path::PathBuf;

#[rstest]
fn what_happens_is_what_the_transcript_says(#[files("scenarios/*/script.txt")] script: PathBuf) {
    play(script.parent().unwrap()).unwrap();
}
