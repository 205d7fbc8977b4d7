//! `user_ids`: log-on names for a million people beside ten million that are taken, against the shortest
//! honest Python, and against one that is cleverer.

use super::report::{Goal, Row};
use super::timing::in_turns;
use super::{Sizes, python};
use crate::agency::names;
use crate::agency::random::Random;
use crate::{Done, Failure};
use lapsed_core::facts::{LocationId, PersonName};
use lapsed_core::policy::Policy;
use lapsed_core::policy::naming::{NameRequest, Namer, TakenIds};
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Instant;

/// The standard in Python, as short as it can be said: the plain ID, or the smallest number that is free, the last
/// letters making room for it. Loading both lists is not timed.
const SHORTEST: &str = r#"
import sys, time
taken = set(open(sys.argv[1]).read().split())
people = [line.split() for line in open(sys.argv[2])]
begun = time.perf_counter()
given = 0
for location, first, last in people:
    stem = last[:4].lower()
    for k in range(10 ** len(stem)):
        n = str(k) if k else ""
        uid = f"m{location}{stem[:len(stem) - len(n)]}{n}{first[0].lower()}"
        if uid not in taken:
            taken.add(uid)
            given += 1
            break
print(time.perf_counter() - begun, given)
"#;

/// The same by somebody who has thought of the thousandth Smith: it remembers how far each count has come, as
/// ours does.
const COUNTING: &str = r#"
import sys, time
taken = set(open(sys.argv[1]).read().split())
people = [line.split() for line in open(sys.argv[2])]
begun = time.perf_counter()
reached = {}
given = 0
for location, first, last in people:
    stem, initial = last[:4].lower(), first[0].lower()
    uid = f"m{location}{stem}{initial}"
    digits = 1
    while uid in taken and digits <= len(stem):
        head = f"m{location}{stem[:len(stem) - digits]}"
        key = (head, initial, digits)
        k = reached.get(key, 10 ** (digits - 1))
        while k < 10 ** digits and f"{head}{k}{initial}" in taken:
            k += 1
        reached[key] = k + 1
        if k < 10 ** digits:
            uid = f"{head}{k}{initial}"
        digits += 1
    if uid not in taken:
        taken.add(uid)
        given += 1
print(time.perf_counter() - begun, given)
"#;

/// Of a hundred people so many bear one of the common family names, which is their share in the United States.
const COMMON: u32 = 17;
/// Letters of the other family names.
const LETTERS: &[u8] = b"abcdefghijklmnoprstu";

struct Newcomer {
    location: LocationId,
    first: &'static str,
    last: String,
}

/// Somebody with a name as names are, at one of the locations.
fn newcomer(random: &mut Random, locations: &[LocationId]) -> Option<Newcomer> {
    let last = match random.percent(COMMON) {
        true => random.weighted(names::LAST)?.to_owned(),
        false => word(random, 6),
    };
    let count = u32::try_from(locations.len()).ok()?;
    let location = locations.get(random.below(count) as usize)?.clone();
    Some(Newcomer { location, first: random.weighted(names::FIRST)?, last })
}

fn word(random: &mut Random, letters: usize) -> String {
    let count = u32::try_from(LETTERS.len()).unwrap_or(1);
    (0..letters).map(|_| char::from(LETTERS[random.below(count) as usize])).collect()
}

impl Newcomer {
    fn request(&self) -> NameRequest {
        NameRequest {
            name: PersonName {
                last: self.last.clone(),
                first: self.first.to_owned(),
                preferred: None,
            },
            location: Some(self.location.clone()),
            kind: None,
            function: None,
        }
    }
}

/// Everybody who has a name already, as text for the script.
fn those_before(
    sizes: &Sizes,
    policy: &Policy,
    draw: &mut impl FnMut() -> Done<Newcomer>,
) -> Done<(TakenIds, String)> {
    let (mut taken, mut text) = (TakenIds::default(), String::new());
    let mut namer = Namer::new(&policy.naming, &policy.locations);
    while taken.len() < sizes.taken_ids {
        // Where the numbers of a name are used up, somebody chooses by hand.
        let Ok(id) = namer.propose(&draw()?.request(), &|_| false) else { continue };
        taken.insert(id.as_str());
        let _ = writeln!(text, "{id}");
    }
    Ok((taken, text))
}

/// Measures both rows: against the shortest Python, and against one that counts as ours does.
///
/// # Errors
///
/// When Python is missing or the sides give different numbers of names.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let policy = Policy::built_in();
    let mut random = Random::new(5);
    let locations: Vec<LocationId> = policy.locations.keys().cloned().collect();
    let mut draw = || newcomer(&mut random, &locations).ok_or_else(|| Failure::new("no names"));
    let (taken, taken_text) = those_before(sizes, &policy, &mut draw)?;
    let people: Vec<Newcomer> = (0..sizes.new_ids).map(|_| draw()).collect::<Done<_>>()?;
    let folder = tempfile::tempdir()?;
    let (taken_file, people_file) = (folder.path().join("taken"), folder.path().join("people"));
    std::fs::write(&taken_file, taken_text)?;
    let lines = people.iter().map(|who| format!("{} {} {}\n", who.location, who.first, who.last));
    std::fs::write(&people_file, lines.collect::<String>())?;

    let our_count = Cell::new(0);
    let mut ours = |_| {
        let requests: Vec<NameRequest> = people.iter().map(Newcomer::request).collect();
        let begun = Instant::now();
        let mut namer = Namer::new(&policy.naming, &policy.locations);
        let is_taken = |id: &str| taken.contains(id);
        our_count.set(requests.iter().filter(|r| namer.propose(r, &is_taken).is_ok()).count());
        Ok(begun.elapsed().as_secs_f64())
    };
    let mut rows = Vec::new();
    let scripts = [("user_ids", SHORTEST, 0.1), ("user_ids_counting", COUNTING, 1.0)];
    for (name, script, goal) in scripts {
        let mut their_count = 0;
        let theirs = |_| {
            let (took, count) = python(script, &[&taken_file, &people_file])?;
            their_count = count;
            Ok(took)
        };
        let (ours, theirs) = in_turns(sizes.rounds, &mut ours, theirs)?;
        if our_count.get() != their_count {
            let ours = our_count.get();
            return Err(Failure::new(format!("{ours} names against {their_count} of {name}")));
        }
        rows.push(Row {
            name: name.into(),
            ours,
            theirs: Some(theirs),
            unit: "s",
            rounds: sizes.rounds,
            setting: format!(
                "{} names for new people at {} locations beside {} taken; {COMMON} % bear one of {} common \
                 family names; loading not timed",
                sizes.new_ids,
                locations.len(),
                sizes.taken_ids,
                names::LAST.len()
            ),
            goal: Goal::RatioAtMost(goal),
            points: Vec::new(),
        });
    }
    Ok(rows)
}
