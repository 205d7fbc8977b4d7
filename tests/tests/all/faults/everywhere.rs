//! Everything that can go wrong between lapsed and its servers, and with them, at changing moments.

use super::lines::Lines;
use crate::torture::picture::Picture;
use crate::torture::points::{Ordeal, judged};
use crate::torture::stage::{Kept, Stage};
use lapsed_tests::Done;
use lapsed_tests::agency::random::Random;
use lapsed_tests::torture_report::{Figures, is_long};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What happens to servers: frozen and let go, or killed and started again.
const TROUBLES: u32 = 6;

struct Trial {
    stage: Stage,
    lines: Lines,
    random: Random,
    kills: u64,
}

impl Trial {
    fn new(seed: u64) -> Done<Self> {
        let mut stage = Stage::new(Kept::Sqlite)?;
        let lines = Lines::lay(&mut stage, 2)?;
        Ok(Self { stage, lines, random: Random::new(seed), kills: 0 })
    }

    fn moment(&mut self, most: u32) {
        sleep(Duration::from_millis(u64::from(self.random.below(most))));
    }

    /// A busy machine is slow to begin; and now and then there is nothing left that could be struck.
    fn until_struck(&self) {
        let (before, most) = (self.lines.strikes(), Instant::now() + Duration::from_millis(2_500));
        while self.lines.strikes() == before && Instant::now() < most {
            sleep(Duration::from_millis(20));
        }
    }

    /// The daemon runs for a while, and something is wrong with every line.
    fn spoiled(&mut self) -> Done<()> {
        self.stage.wait();
        self.lines.spoil(&mut self.random);
        self.stage.launch()?;
        for _ in 0..2 {
            self.until_struck();
            self.moment(500);
            self.lines.spoil(&mut self.random);
        }
        self.lines.heal();
        self.moment(500);
        // Told to end before it has begun, it says so by its exit code; nothing hangs on that.
        self.stage.site.stop().map(drop)
    }

    /// The daemon runs for a while, and one server after the other is frozen, or killed.
    fn stricken(&mut self) -> Done<()> {
        self.stage.wait();
        self.stage.launch()?;
        for _ in 0..2 {
            self.moment(600);
            self.trouble()?;
        }
        self.stage.site.stop().map(drop)
    }

    fn trouble(&mut self) -> Done<()> {
        self.kills += 1;
        let which = self.random.below(TROUBLES);
        let while_it_lasts = Duration::from_millis(u64::from(100 + self.random.below(700)));
        let stage = &mut self.stage;
        if which == 1 {
            return stage.kill_directory(while_it_lasts);
        }
        match which {
            0 => stage.slapd.pause()?,
            2 => stage.scim.pause()?,
            3 => stage.dovecot.pause()?,
            4 => stage.mail.kill(),
            _ => stage.tables.as_mut().map_or(Ok(()), |(server, _)| server.kill())?,
        }
        sleep(while_it_lasts);
        match which {
            0 => stage.slapd.resume(),
            2 => stage.scim.resume(),
            3 => stage.dovecot.resume(),
            4 => stage.mail.revive(),
            _ => stage.tables.as_mut().map_or(Ok(()), |(server, _)| server.start()),
        }
    }

    /// Both acts, each with so many bad spells first; then everything works.
    fn through(&mut self, spells: usize) -> Done<()> {
        for act in 0..2 {
            if act == 1 {
                self.stage.later();
            }
            for spell in 0..spells {
                if spell % 2 == 0 { self.spoiled()? } else { self.stricken()? }
            }
            Ordeal::undisturbed().act(&mut self.stage)?;
        }
        Ok(())
    }
}

fn undisturbed() -> Picture {
    let mut stage = Stage::new(Kept::Sqlite).unwrap();
    let lines = Lines::lay(&mut stage, 30).unwrap();
    Ordeal::undisturbed().through(&mut stage).unwrap();
    let picture = Picture::of(&stage).unwrap();
    let in_doubt = stage.what_is_in_doubt().unwrap();
    assert_eq!((picture.unverified, lines.strikes()), (0, 0), "{in_doubt}");
    picture
}

/// Rosters come by the daemon's own clock, which no round of `run --once` has: here they may be there, each
/// of them once. Gives how many came again.
fn without_rosters(picture: &mut Picture) -> u64 {
    let is_roster = |what: &String| what.contains("Who holds what");
    let rosters = picture.mails.iter().filter(|(what, _)| is_roster(what));
    let again = rosters.map(|(_, times)| times - 1).sum();
    picture.mails.retain(|what, _| !is_roster(what));
    again
}

#[test]
fn whatever_lines_and_servers_do_it_ends_as_if_they_had_behaved() {
    let undisturbed = undisturbed();
    let (seeds, spells) = if is_long() { (5, 16) } else { (1, 6) };
    let (mut sum, mut told) = (Figures::default(), Vec::new());
    for seed in 0..seeds {
        let mut trial = Trial::new(seed).unwrap();
        trial.through(spells).unwrap();
        let mut ours = Picture::of(&trial.stage).unwrap();
        let again = without_rosters(&mut ours);
        let (mut figures, more) = judged(&ours, &undisturbed, trial.kills);
        figures.faults = trial.lines.strikes();
        figures.doubled += again;
        println!("seed {seed}: {figures:?}\n{}", more.join("\n"));
        if !figures.is_whole() {
            let asides = "SELECT source, who, reason FROM set_asides";
            println!("{}", trial.stage.state(asides).unwrap());
        }
        sum += figures;
        sum.write("faults").unwrap();
        told.extend(more.into_iter().map(|line| format!("seed {seed}: {line}")));
        trial.stage.site.start().unwrap();
        trial.stage.site.printed(&["audit", "verify"]).unwrap();
    }
    assert!(sum.is_whole(), "{sum:?}\n{}", told.join("\n"));
    assert!(sum.faults >= 8 * seeds && sum.kills >= 8 * seeds, "{sum:?}");
}
