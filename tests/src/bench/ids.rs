//! `user_ids`: log-on names for a million people beside ten million that are taken, against the shortest
//! honest Python.

use super::report::{Goal, Row};
use super::timing::in_turns;
use super::{Sizes, python};
use crate::agency::random::Random;
use crate::{Done, Failure};
use lapsed_core::facts::PersonName;
use lapsed_core::policy::Policy;
use lapsed_core::policy::naming::{NameRequest, Namer, TakenIds};
use std::fmt::Write as _;
use std::time::Instant;

/// The same standard in Python: the plain ID, or the smallest number that is free, the last letters making
/// room for it. Loading both lists is not timed. It remembers how far each count has come, as ours does.
const SCRIPT: &str = r#"
import sys, time
taken = set(open(sys.argv[1]).read().split())
people = [line.split() for line in open(sys.argv[2])]
begun = time.perf_counter()
reached = {}
given = []
for first, last in people:
    stem, initial = last[:4].lower(), first[:1].lower()
    uid = "mb" + stem + initial
    if uid in taken:
        digits = 1
        while True:
            head = "mb" + stem[:4 - digits]
            key = (head, initial, digits)
            k = reached.get(key, 10 ** (digits - 1))
            while k < 10 ** digits and f"{head}{k}{initial}" in taken:
                k += 1
            reached[key] = k + 1
            if k < 10 ** digits:
                uid = f"{head}{k}{initial}"
                break
            digits += 1
            if digits > 4:
                uid = None
                break
    if uid:
        taken.add(uid)
        given.append(uid)
print(time.perf_counter() - begun, len(given))
"#;

/// Letters of the made-up names: few enough that one name in eight is taken already.
const LETTERS: &[u8] = b"abcdefghijklmnoprstu";

fn word(random: &mut Random, letters: usize) -> String {
    let count = u32::try_from(LETTERS.len()).unwrap_or(1);
    (0..letters).map(|_| char::from(LETTERS[random.below(count) as usize])).collect()
}

/// Measures the row.
///
/// # Errors
///
/// When Python is missing or the two sides give different names.
pub fn row(sizes: &Sizes) -> Done<Row> {
    let policy = Policy::built_in();
    let mut random = Random::new(5);
    let mut taken = TakenIds::default();
    let mut taken_text = String::new();
    while taken.len() < sizes.taken_ids {
        // Of the standard's own shape as many as come to be; the others are longer, so that there are enough.
        let letters = if random.percent(25) { 5 } else { 7 };
        let id = format!("mb{}", word(&mut random, letters));
        if taken.insert(&id) {
            let _ = writeln!(taken_text, "{id}");
        }
        if taken.len() % 13 == 0 {
            // The standard's own numbers are among them.
            let numbered =
                format!("mb{}{}{}", word(&mut random, 3), random.below(10), word(&mut random, 1));
            if taken.insert(&numbered) {
                let _ = writeln!(taken_text, "{numbered}");
            }
        }
    }
    let names: Vec<(String, String)> =
        (0..sizes.new_ids).map(|_| (word(&mut random, 6), word(&mut random, 6))).collect();
    let folder = tempfile::tempdir()?;
    let (taken_file, people_file) = (folder.path().join("taken"), folder.path().join("people"));
    std::fs::write(&taken_file, taken_text)?;
    let people: String = names.iter().map(|(first, last)| format!("{first} {last}\n")).collect();
    std::fs::write(&people_file, people)?;

    let (mut our_count, mut their_count) = (0, 0);
    let ours = |_| {
        let requests: Vec<NameRequest> =
            names.iter().map(|(first, last)| request(first, last)).collect();
        let begun = Instant::now();
        let mut namer = Namer::new(&policy.naming, &policy.locations);
        let is_taken = |id: &str| taken.contains(id);
        our_count = requests.iter().filter(|r| namer.propose(r, &is_taken).is_ok()).count();
        Ok(begun.elapsed().as_secs_f64())
    };
    let theirs = |_| {
        let (took, count) = python(SCRIPT, &[&taken_file, &people_file])?;
        their_count = count;
        Ok(took)
    };
    let (ours, theirs) = in_turns(sizes.rounds, ours, theirs)?;
    if our_count != their_count {
        return Err(Failure::new(format!("{our_count} names against {their_count} of the script")));
    }
    Ok(Row {
        name: "user_ids".into(),
        ours,
        theirs: Some(theirs),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!(
            "{} names for new people beside {} taken; loading not timed; {our_count} given by both",
            sizes.new_ids, sizes.taken_ids
        ),
        goal: Goal::RatioAtMost(0.1),
        points: Vec::new(),
    })
}

fn request(first: &str, last: &str) -> NameRequest {
    NameRequest {
        name: PersonName { last: last.to_owned(), first: first.to_owned(), preferred: None },
        location: lapsed_core::facts::LocationId::new("b").ok(),
        kind: None,
        function: None,
    }
}
