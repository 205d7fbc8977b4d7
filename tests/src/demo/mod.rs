//! The demo: a sample agency on a real OpenLDAP, and what lapsed does with HR's files. Whatever it says
//! about the directory was read from there by `ldapsearch`; a claim that does not hold makes it fail.

mod cast;
mod decisions;
mod departures;
mod feed;
mod joiner;
mod later;
mod outlook;
mod refusals;
mod stage;
mod watch;

use crate::agency::{Agency, HrOptions};
use crate::process::run as run_program;
use crate::site::{DirectoryAt, Site};
use crate::slapd::Slapd;
use crate::{Done, Failure};
use cast::Cast;
use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use later::Beside;
use rustix::process::getuid;
use stage::{Show, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use std::sync::atomic::Ordering;
use watch::Seen;

const BASE: &str = "dc=dmh,dc=test";
const PEOPLE: usize = 340;
const SEED: u64 = 7;

/// Everything on the stage.
struct Demo {
    stage: Stage,
    agency: Agency,
    cast: Cast,
    slapd: Slapd,
    beside: Beside,
    site: Site,
    today: Date,
    /// Accounts that were disabled before anything began.
    shut_before: BTreeSet<String>,
    /// Drop, release or call to what was seen in the directory, by account.
    seen: BTreeMap<String, Seen>,
}

/// Has the demo end at its next command: on Ctrl-C, so that it cleans up.
pub fn interrupt() {
    stage::INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Plays the demo. Without pauses when in a hurry.
///
/// # Errors
/// When something could not be done, or when a claim does not hold.
pub fn run(fast: bool) -> Done<()> {
    play(fast).map_err(|failure| match stage::INTERRUPTED.load(Ordering::Relaxed) {
        true => Failure::new("interrupted; all that was started is ended, its folders are removed"),
        false => failure,
    })
}

fn play(fast: bool) -> Done<()> {
    let mut demo = Demo::open(Stage::new(fast))?;
    demo.adopt()?;
    demo.departures()?;
    demo.truncated()?;
    demo.hostile()?;
    demo.decide()?;
    demo.phone()?;
    demo.joiner()?;
    demo.prove()?;
    demo.look_ahead()?;
    demo.later()?;
    demo.close()
}

impl Demo {
    fn open(mut stage: Stage) -> Done<Self> {
        stage.line("lapsed: when someone leaves, their access lapses.");
        stage.line("");
        stage.say(
            "An agency's HR drops a file. Everyone in it who has left must be disabled within seconds, be out \
             of every group, and have the deletion of mailbox and home on the calendar. Nobody else may be \
             touched, whatever the file says. Watch.",
        );
        stage.act("An agency");
        let agency = Agency::new(PEOPLE, SEED);
        let cast = Cast::of(&agency)?;
        let slapd =
            Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start()?;
        let mut site = Site::beside(&DirectoryAt::openldap(&slapd))?;
        if !getuid().is_root() {
            site.reconfigure(&[("users: [root]", &format!("users: [\"{}\"]", own_name()?))])?;
        }
        let groups =
            slapd.search("(|(objectClass=groupOfNames)(objectClass=posixGroup))", &["1.1"])?;
        stage.say(&format!(
            "A real OpenLDAP on loopback ({}) holds a sample agency: {} people at several locations, {} groups, \
             {} more accounts (administrators, services, a break-glass account). lapsed runs beside it with \
             config.example.yaml; only addresses and paths are replaced.",
            slapd.url_ldaps(),
            agency.people.len(),
            groups.len(),
            agency.others.len(),
        ));
        let mut with_mail = Vec::new();
        for (person, _) in cast.leaving() {
            with_mail.push(cast::user_id(&agency, person)?);
        }
        let beside = Beside::new(&site, &with_mail)?;
        joiner::prepare(&site, &slapd)?;
        site.start()?;
        joiner::open_the_door(&site)?;
        let zone = TimeZone::get("America/Chicago").map_err(|e| Failure::new(e.to_string()))?;
        let today = Zoned::now().with_time_zone(zone).date();
        let shut_before = watch::look(&slapd)?.shut;
        let seen = BTreeMap::new();
        Ok(Self { stage, agency, cast, slapd, beside, site, today, shut_before, seen })
    }

    /// Runs `lapsed` and shows it as one types it; only `--config` is left out.
    fn lapsed(&self, arguments: &[&str], show: Show) -> Done<Output> {
        self.stage.run(&typed(arguments), &mut self.site.command(arguments), show)
    }

    /// Shows what the directory's own tool prints, only its log-on options left out, and gives it.
    fn ldapsearch(&self, filter: &str, attributes: &[&str]) -> Done<String> {
        self.stage.prompt(&format!("ldapsearch -LLL '{filter}' {}", attributes.join(" ")));
        let printed = self.slapd.witness().printed(BASE, filter, attributes)?;
        let nothing = printed.trim().is_empty();
        self.stage.output(if nothing { "(no entry)" } else { &printed }, Show::All);
        self.stage.pause(1200);
        Ok(printed)
    }

    fn yesterday(&self) -> Done<Date> {
        self.today.yesterday().map_err(|e| Failure::new(e.to_string()))
    }

    /// Lapsed is put beside a directory that has been there for years.
    fn adopt(&mut self) -> Done<()> {
        let before = watch::everything(&self.slapd)?;
        self.lapsed(&["check"], Show::All)?;
        self.stage.line("");
        self.stage.say(
            "No agency starts empty. A first full file from HR is matched to the directory: a report first, \
             and nothing is disabled because a file does not list it.",
        );
        let feed = self.agency.to_hr_csv(&HrOptions::full(self.yesterday()?, 1, vec![]));
        let path = self.site.path("hr-first.csv");
        std::fs::write(&path, feed)?;
        let path = path.display().to_string();
        let shown = "hr-first.csv";
        let arguments = |path, rest: &[&'static str]| {
            let mut all = vec!["adopt", "--feed", path, "--as", "hr"];
            all.extend(rest.iter().copied());
            all.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        for rest in [&[][..], &["--write"][..]] {
            let typed = format!("lapsed {}", arguments(shown, rest).join(" "));
            let words = arguments(&path, rest);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let most = if rest.is_empty() { 15 } else { 1 };
            self.stage.run(&typed, &mut self.site.command(&words), Show::Head(most))?;
        }
        let same = before == watch::everything(&self.slapd)?;
        self.stage.claim(same, "adopting changed nothing in the directory, not one time stamp");
        Ok(())
    }
}

/// A command line as one types it.
fn typed(arguments: &[&str]) -> String {
    let quoted = |word: &&str| {
        let plain = !word.is_empty() && !word.contains([' ', '*', '(', '"', '$']);
        if plain { (*word).to_owned() } else { format!("\"{word}\"") }
    };
    let words: Vec<String> = arguments.iter().map(quoted).collect();
    format!("lapsed {}", words.join(" "))
}

/// The name of the account under which the demo runs.
fn own_name() -> Done<String> {
    let output = run_program(Command::new("id").arg("-un"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
