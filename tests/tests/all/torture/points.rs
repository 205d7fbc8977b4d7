//! Killed at every named moment.

use super::picture::{Picture, surplus};
use super::stage::{Kept, Stage};
use lapsed_tests::agency::random::Random;
use lapsed_tests::torture_report::{Figures, is_long};
use lapsed_tests::{Done, Failure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

/// More rounds than any act takes, those left out that are killed.
const MOST_ROUNDS: usize = 200;

/// What was passed, by name and how often.
type Passed = BTreeMap<String, u64>;

/// What is done to an installation while it runs.
pub struct Ordeal {
    /// At which moments it is to be killed, and how often yet; `None` kills it nowhere.
    left: Option<Passed>,
    passed: Passed,
    kills: u64,
    /// Whether the last round came to its end.
    ended: bool,
}

impl Ordeal {
    pub fn undisturbed() -> Self {
        Self { left: None, passed: Passed::new(), kills: 0, ended: false }
    }

    /// At each of these moments so many times.
    fn at(moments: &BTreeSet<String>, times: u64) -> Self {
        let left = moments.iter().map(|moment| (moment.clone(), times)).collect();
        Self { left: Some(left), passed: Passed::new(), kills: 0, ended: false }
    }

    /// One round; whether it came to its end and passed nothing.
    pub fn round(&mut self, stage: &mut Stage) -> Done<bool> {
        let log = stage.site.path("moments");
        let _ = fs::remove_file(&log);
        let mut variables = vec![("LAPSED_CRASH_LOG", log.display().to_string())];
        if let Some(left) = &self.left {
            let at: Vec<&str> = left.keys().map(String::as_str).collect();
            variables.push(("LAPSED_CRASH_AT", at.join(",")));
        }
        let ended = stage.round(&variables)?;
        let text = fs::read_to_string(&log).unwrap_or_default();
        for moment in text.lines() {
            *self.passed.entry(moment.to_owned()).or_default() += 1;
        }
        if !ended {
            self.kills += 1;
            let last = text.lines().last().unwrap_or_default().to_owned();
            println!("killed at {last}");
            self.was_hit(&last)?;
        }
        self.ended = ended;
        Ok(ended && text.is_empty())
    }

    fn was_hit(&mut self, moment: &str) -> Done<()> {
        let left = self.left.as_mut().and_then(|left| left.get_mut(moment));
        let times = left.ok_or_else(|| Failure::new(format!("killed at {moment:?}")))?;
        *times -= 1;
        if *times == 0 {
            self.left.as_mut().map(|left| left.remove(moment));
        }
        Ok(())
    }

    /// Both acts, each until two rounds have found nothing to do.
    pub fn through(&mut self, stage: &mut Stage) -> Done<()> {
        self.act(stage)?;
        stage.later();
        self.act(stage)
    }

    /// Rounds until two have found nothing to do.
    pub fn act(&mut self, stage: &mut Stage) -> Done<()> {
        let (mut quiet, mut ended) = (0, 0);
        while ended < MOST_ROUNDS {
            let nothing_passed = self.round(stage)?;
            let under_way = stage.under_way()? > 0;
            quiet = if nothing_passed && !under_way { quiet + 1 } else { 0 };
            if quiet == 2 {
                return Ok(());
            }
            ended += usize::from(self.ended);
            if self.ended && under_way {
                stage.wait();
            }
        }
        let under_way = stage.what_is_under_way()?;
        Err(Failure::new(format!("it has no end: {under_way}\n{}", stage.site.log())))
    }

    /// Killed so often at no moment in particular.
    fn at_random(&mut self, stage: &mut Stage, kills: u64, random: &mut Random) -> Done<()> {
        for _ in 0..kills {
            stage.launch()?;
            std::thread::sleep(Duration::from_millis(100 + u64::from(random.below(900))));
            stage.site.kill()?;
            self.kills += 1;
        }
        Ok(())
    }
}

/// The figures of one run, held against an undisturbed one; and what is wrong, in words.
pub fn judged(ours: &Picture, undisturbed: &Picture, kills: u64) -> (Figures, Vec<String>) {
    let mut told = ours.differs_from(undisturbed);
    let wrong = told.len() as u64;
    let mut sum = |what: &str, rows: Vec<(String, u64)>| -> u64 {
        told.extend(rows.iter().map(|(row, times)| format!("{what} {times}: {row}")));
        rows.iter().map(|(_, times)| times).sum()
    };
    let doubled = sum("done more often by", surplus(&ours.effects, &undisturbed.effects))
        + sum("mailed more often by", surplus(&ours.mails, &undisturbed.mails))
        + ours.same_mail;
    let not_mailed = surplus(&undisturbed.mails, &ours.mails);
    let missing: u64 = not_mailed.iter().map(|(_, times)| times).sum();
    // A mail that did not come is not lost when lapsed says itself that it does not know.
    let unverified = ours.unverified;
    let silent = missing.saturating_sub(unverified);
    if silent > 0 {
        sum("not mailed, and not told", not_mailed);
    }
    let lost = sum("done less often by", ours.less_than(undisturbed)) + silent;
    (Figures { kills, lost, doubled, wrong, unverified, ..Figures::default() }, told)
}

/// The moments at which most can go wrong: an effect is there that is not on record, or the other way
/// round. `make torture` takes all.
fn telling(moment: &str) -> bool {
    let ends = ["started/after", "done/before", "asked/before", "planned/before"];
    moment.starts_with("notice/") || ends.iter().any(|end| moment.ends_with(end))
}

fn tortured(kept: Kept, part: &str, least_kills: u64) {
    let mut stage = Stage::new(kept).unwrap();
    let mut quiet = Ordeal::undisturbed();
    quiet.through(&mut stage).unwrap();
    let undisturbed = Picture::of(&stage).unwrap();
    let in_doubt = stage.what_is_in_doubt().unwrap();
    drop(stage);
    assert_eq!(undisturbed.unverified, 0, "{in_doubt}");
    let mut moments: BTreeSet<String> = quiet.passed.keys().cloned().collect();
    let times = if is_long() { 3 } else { 1 };
    if !is_long() {
        moments.retain(|moment| telling(moment));
    }
    if !is_long() && kept == Kept::Postgres {
        moments.retain(|moment| !moment.contains("planned"));
    }
    println!("{} moments: {moments:?}", moments.len());

    let mut stage = Stage::new(kept).unwrap();
    let mut ordeal = Ordeal::at(&moments, times);
    ordeal.through(&mut stage).unwrap();
    let ours = Picture::of(&stage).unwrap();
    let (figures, told) = judged(&ours, &undisturbed, ordeal.kills);
    figures.write(part).unwrap();
    println!("{figures:?}, never came: {:?}", ordeal.left);
    assert!(figures.is_whole(), "{figures:?}\n{}", told.join("\n"));
    assert!(figures.kills >= least_kills, "{figures:?}");
    stage.site.start().unwrap();
    stage.site.printed(&["audit", "verify"]).unwrap();
}

/// `make torture` only: each of these kills takes half a second.
fn killed_at_random(kept: Kept, seeds: std::ops::Range<u32>, part: &str) {
    if !is_long() {
        println!("SKIPPED: LAPSED_TORTURE=long kills at random moments");
        return;
    }
    let mut stage = Stage::new(kept).unwrap();
    Ordeal::undisturbed().through(&mut stage).unwrap();
    let undisturbed = Picture::of(&stage).unwrap();
    drop(stage);
    let mut sum = Figures::default();
    let mut told = Vec::new();
    for seed in seeds {
        let mut stage = Stage::new(kept).unwrap();
        let mut random = Random::new(seed.into());
        let mut ordeal = Ordeal::undisturbed();
        for _ in 0..2 {
            ordeal.at_random(&mut stage, 100, &mut random).unwrap();
            ordeal.act(&mut stage).unwrap();
            stage.later();
        }
        let (figures, more) = judged(&Picture::of(&stage).unwrap(), &undisturbed, ordeal.kills);
        sum += figures;
        sum.write(part).unwrap();
        told.extend(more.into_iter().map(|line| format!("seed {seed}: {line}")));
    }
    assert!(sum.is_whole(), "{sum:?}\n{}", told.join("\n"));
}

#[test]
fn killed_at_random_moments_it_ends_as_if_it_had_not_been() {
    killed_at_random(Kept::Sqlite, 0..4, "random-sqlite");
}

#[test]
fn killed_at_random_moments_with_the_state_on_postgresql_it_ends_as_if_it_had_not_been() {
    killed_at_random(Kept::Postgres, 4..7, "random-postgresql");
}

#[test]
fn killed_at_every_moment_of_the_journal_it_ends_as_if_it_had_not_been() {
    tortured(Kept::Sqlite, "crashes-sqlite", 50);
}

#[test]
fn killed_at_every_moment_with_the_state_on_postgresql_it_ends_as_if_it_had_not_been() {
    tortured(Kept::Postgres, "crashes-postgresql", 20);
}
