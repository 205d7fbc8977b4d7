//! The stage: a directory, an installation, a daemon whose clock the script sets, and operators.

use super::directory::{BASE, counted, entries, groups_told, told};
use super::people::{self, People, sequence_of};
use super::script::Line;
use super::tidy::Tidy;
use crate::site::{DirectoryAt, Site};
use crate::slapd::Slapd;
use crate::{Done, Failure};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lapsed::answers::Desk;
use lapsed::config::load;
use lapsed::control::peer::Accounts;
use lapsed::control::roles::Identity;
use lapsed::control::server::{Control, router};
use lapsed::control::socket::ControlSocket;
use lapsed::rehearse::database;
use lapsed::service::{Daemon, checkpoints_of};
use lapsed::store::Store;
use lapsed_core::facts::{Actor, Invalid};
use lapsed_core::plan::PlanState;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a scenario's configuration has otherwise than the example: the populations are small.
const SMALL: [(&str, &str); 2] = [
    ("least_headcount: 200", "least_headcount: 1"),
    ("largest_drop_percent: 10", "largest_drop_percent: 40"),
];

/// A value that the script sets and the daemon reads.
#[derive(Debug, Clone)]
struct Shared<T>(Arc<Mutex<T>>);

impl<T: Clone> Shared<T> {
    fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }
    fn get(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// Everyone on the stage is whom the script names; `root` is root, all others are operators.
struct Cast(Shared<String>);

impl Accounts for Cast {
    fn identity(&self, _: u32, _: u32) -> Result<Identity, Invalid> {
        let name = self.0.get();
        let (uid, group) = match name.as_str() {
            "root" => (0, "root"),
            "victor" => (1001, "adm"),
            _ => (1000, "lapsed-operators"),
        };
        Ok(Identity { uid, name: Actor::new(name)?, groups: BTreeSet::from([group.to_owned()]) })
    }
}

/// A daemon that answers on the control socket and works only when told.
struct Acting {
    daemon: Arc<Daemon>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// The stage of one scenario.
pub struct Stage {
    folder: PathBuf,
    slapd: Slapd,
    site: Site,
    runtime: Runtime,
    acting: Option<Acting>,
    clock: Shared<Timestamp>,
    caller: Shared<String>,
    zone: TimeZone,
    people: People,
    tidy: Tidy,
    receipts: BTreeSet<String>,
}

fn wrong(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
}

impl Stage {
    /// Starts the directory and the daemon of a scenario.
    pub fn set(folder: &Path) -> Done<Self> {
        // Without files of its own, a scenario is about the agency that all share.
        let text = |name: &str| {
            fs::read_to_string(folder.join(name))
                .or_else(|_| fs::read_to_string(folder.with_file_name(name)))
                .unwrap_or_default()
        };
        let crowd = fs::read_to_string(folder.join("crowd")).unwrap_or_default();
        let crowd: u32 = crowd.trim().parse().unwrap_or(0);
        let table = text("directory.csv") + &people::crowd_accounts(crowd);
        let content = entries(&table)? + &text("directory.ldif");
        let slapd = Slapd::builder().base(BASE).load_ldif(&content).start()?;
        let site = Site::beside(&DirectoryAt::openldap(&slapd))?;
        site.reconfigure(&SMALL)?;
        let zone = TimeZone::get("America/Chicago").map_err(wrong)?;
        let mut stage = Self {
            folder: folder.to_owned(),
            slapd,
            site,
            runtime: Runtime::new()?,
            acting: None,
            clock: Shared::new(Timestamp::UNIX_EPOCH),
            caller: Shared::new("root".to_owned()),
            zone,
            people: People::read(&(text("people.csv") + &people::crowd_rows(crowd)))?,
            tidy: Tidy::default(),
            receipts: BTreeSet::new(),
        };
        stage.enter()?;
        Ok(stage)
    }

    fn enter(&mut self) -> Done<()> {
        let config = load(&self.site.config()).map_err(wrong)?.0;
        let clock = self.clock.clone();
        let caller = self.caller.clone();
        let path = self.site.config();
        let acting = self.runtime.block_on(async move {
            let store = Store::open(&database(&config), checkpoints_of(&config)).await;
            let store = store.map_err(wrong)?;
            let socket = config.control.socket.as_path().to_owned();
            let shown = path.display().to_string();
            let at_start = clock.get();
            let clock = Arc::new(move || clock.get());
            let daemon = Daemon::new(store, config, path, clock, Some(at_start)).map_err(wrong)?;
            let daemon = Arc::new(daemon);
            let socket = ControlSocket::bind(&socket, None).await.map_err(wrong)?;
            let stop = CancellationToken::new();
            let serving = socket.serve(
                router(Control {
                    console: Arc::new(Desk(daemon.clone())),
                    roles: daemon.roles(),
                    accounts: Arc::new(Cast(caller)),
                    config_path: shown.into(),
                }),
                stop.clone(),
            );
            let serving = tokio::spawn(async move {
                // A socket that broke shows at once: the next command does not reach it.
                let _ = serving.await;
            });
            Done::Ok(Acting { daemon, stop, serving })
        })?;
        self.acting = Some(acting);
        Ok(())
    }

    fn leave(&mut self) -> Done<()> {
        let Some(acting) = self.acting.take() else { return Ok(()) };
        acting.stop.cancel();
        self.runtime.block_on(async move {
            acting.serving.await.map_err(wrong)?;
            acting.daemon.store.close().await.map_err(wrong)
        })
    }

    fn daemon(&self) -> Done<Arc<Daemon>> {
        let acting = self.acting.as_ref().ok_or_else(|| Failure::new("no daemon runs"))?;
        Ok(acting.daemon.clone())
    }

    /// Plays one line and gives what there is to see.
    pub fn play(&mut self, line: &Line) -> Done<String> {
        let tick = self.clock.get().checked_add(SignedDuration::from_secs(1)).map_err(wrong)?;
        self.clock.set(tick);
        match line {
            Line::Clock(moment) => self.set_clock(*moment)?,
            Line::Hr(whom, changes) => self.people.change(whom, changes)?,
            Line::HrAdd(row) => self.people.add(row)?,
            Line::HrRemove(whom) => self.people.remove(whom)?,
            Line::Send(name) => {
                let file = self.people.file(self.local().date(), sequence_of(name)?)?;
                self.site.drop_file(name, file)?;
            }
            Line::Drop(file, name) => {
                let bytes = fs::read(self.folder.join(file))
                    .map_err(|e| Failure::new(format!("{file}: {e}")))?;
                self.site.drop_file(name, bytes)?;
            }
            Line::Adopt => return self.adopt(),
            Line::Run => return self.run(),
            Line::Calendar => return self.calendar(),
            Line::Aside => return self.aside(),
            Line::Show(accounts) => {
                return accounts.iter().map(|user_id| told(&self.slapd, user_id)).collect();
            }
            Line::ShowCount => return counted(&self.slapd),
            Line::ShowReceipt(name) => return self.receipt(name),
            Line::ShowGroups => return groups_told(&self.slapd),
            Line::ShowInbox => return Ok(self.site.names("inbox")?.join("\n")),
            Line::Directory(file) => {
                self.slapd.load_ldif(&fs::read_to_string(self.folder.join(file))?)?
            }
            Line::DirectoryDown(true) => self.slapd.stop()?,
            Line::DirectoryDown(false) => self.slapd.start()?,
            Line::Config(from, to) => self.site.reconfigure(&[(from, to)])?,
            Line::Restart => {
                self.leave()?;
                self.enter()?;
            }
            Line::Forget => self.forget()?,
            Line::Command(who, words) => return self.command(who, words),
        }
        Ok(String::new())
    }

    fn local(&self) -> DateTime {
        self.clock.get().to_zoned(self.zone.clone()).datetime()
    }

    fn set_clock(&mut self, moment: DateTime) -> Done<()> {
        let at = moment.to_zoned(self.zone.clone()).map_err(wrong)?.timestamp();
        if at < self.clock.get() {
            return Err(Failure::new("the clock does not go back"));
        }
        let first = self.clock.get() < Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        self.clock.set(at);
        // The directory keeps the same time: it notes when passwords were changed.
        self.slapd.set_clock(&at.strftime("%Y-%m-%d %H:%M:%S").to_string())?;
        if first {
            self.leave()?;
            self.enter()?;
        }
        Ok(())
    }

    fn run(&mut self) -> Done<String> {
        let daemon = self.daemon()?;
        let round = self.runtime.block_on(daemon.once()).map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            Failure::new(format!("{error}: {}", why.unwrap_or_default()))
        })?;
        let mut text = self.new_receipts()?;
        text += &format!(
            "steps done {}, stuck {}, waiting {}\n",
            round.done, round.stuck, round.waiting
        );
        Ok(text)
    }

    /// What receipts say that lie beside drops since the last look: the result, and what HR must look at.
    fn new_receipts(&mut self) -> Done<String> {
        let mut text = String::new();
        for folder in ["accepted", "rejected"] {
            for name in self.site.names(folder)? {
                if name.ends_with(".receipt.txt")
                    && self.receipts.insert(format!("{folder}/{name}"))
                {
                    let receipt = fs::read_to_string(self.site.path(folder).join(&name))?;
                    text += &format!("{folder}/{name}\n{}", in_short(&receipt));
                }
            }
        }
        Ok(text)
    }

    fn receipt(&self, drop: &str) -> Done<String> {
        let accepted = self.site.receipt("accepted", drop);
        accepted.or_else(|_| self.site.receipt("rejected", drop))
    }

    fn adopt(&mut self) -> Done<String> {
        let words = ["adopt", "--feed", "{hr 1}", "--as", "hr", "--write"].map(str::to_owned);
        let report = self.command("root", &words)?;
        Ok(report.split("\n\n").next().unwrap_or_default().to_owned())
    }

    /// Who and what is set aside, a line each.
    fn aside(&mut self) -> Done<String> {
        let words = ["set-aside", "list", "--format", "json"].map(str::to_owned);
        let answer = self.command("amina", &words)?;
        let answer: serde_json::Value = serde_json::from_str(&answer).map_err(wrong)?;
        let mut text = String::new();
        for row in answer["rows"].as_array().into_iter().flatten() {
            let cell = |name: &str| row[name].as_str().unwrap_or_default();
            text += &format!("{} | {} | {}\n", cell("from"), cell("who"), cell("reason"));
        }
        Ok(if text.is_empty() { "nothing is set aside".into() } else { text })
    }

    /// The calendar, a line an entry.
    fn calendar(&mut self) -> Done<String> {
        let answer = self.command("amina", &["due", "--format", "json"].map(str::to_owned))?;
        let answer: serde_json::Value = serde_json::from_str(&answer).map_err(wrong)?;
        let mut text = String::new();
        for entry in answer["entries"].as_array().into_iter().flatten() {
            let cell = |name: &str| entry[name].as_str().unwrap_or_default();
            text +=
                &format!("{} {}: {} ({})", cell("date"), cell("person"), cell("what"), cell("why"));
            // Deletions wait for connectors that no scenario has.
            let waits = cell("waits_for").split("; ").filter(|w| !w.ends_with("is not configured"));
            text.extend(waits.filter(|w| !w.is_empty()).map(|why| format!(" WAITS: {why}")));
            text += if entry["overdue"] == true { " DUE\n" } else { "\n" };
        }
        Ok(if text.is_empty() { "nothing is due".into() } else { text })
    }

    fn forget(&mut self) -> Done<()> {
        self.leave()?;
        for entry in fs::read_dir(self.site.root())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if ["state.db", "checkpoints", "audit-key"].iter().any(|known| name.starts_with(known))
            {
                fs::remove_file(entry.path())?;
            }
        }
        self.enter()
    }

    fn command(&mut self, who: &str, words: &[String]) -> Done<String> {
        self.caller.set(who.to_owned());
        let mut arguments = Vec::new();
        for word in words {
            arguments.push(self.meant(word)?);
        }
        self.site.freeze_clock(&self.local().strftime("%Y-%m-%d %H:%M:%S").to_string());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = self.site.command(&arguments).current_dir(&self.folder).output()?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text += &String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            text += &format!("[{}]\n", output.status);
        }
        Ok(text)
    }

    /// `{held}` and `{plan}` stand for the hash of the newest such plan, `{hr 2}` for a file of what HR
    /// knows now with that number.
    fn meant(&self, word: &str) -> Done<String> {
        if let Some(number) = word.strip_prefix("{hr").and_then(|rest| rest.strip_suffix('}')) {
            let name = format!("hr-{}.csv", number.trim());
            let file = self.people.file(self.local().date(), sequence_of(&name)?)?;
            fs::write(self.site.path(&name), file)?;
            return Ok(self.site.path(&name).display().to_string());
        }
        let states: &[PlanState] = match word {
            "{held}" => &[PlanState::Held],
            "{plan}" => &[],
            other => return Ok(other.replace("{site}", &self.site.root().display().to_string())),
        };
        let plans = self.plans(states)?;
        plans.into_iter().next_back().ok_or_else(|| Failure::new(format!("no plan is {word}")))
    }

    fn plans(&self, states: &[PlanState]) -> Done<Vec<String>> {
        let daemon = self.daemon()?;
        let plans = self.runtime.block_on(daemon.store.read().plans(states)).map_err(wrong)?;
        Ok(plans.into_iter().map(|stored| stored.plan.hash.0).collect())
    }

    /// The text with names for what differs from run to run.
    pub fn tidy(&mut self, text: &str) -> Done<String> {
        for hash in self.plans(&[])? {
            self.tidy.plan(&hash);
        }
        let root = self.site.root().display().to_string();
        let url = self.slapd.url_ldaps();
        Ok(self.tidy.text(&text.replace(&root, "SITE").replace(&url, "ldaps://directory")))
    }
}

/// A receipt without its heading, counts and empty lists.
fn in_short(receipt: &str) -> String {
    let mut text = String::new();
    for block in receipt.split("\n\n") {
        let result = block.lines().find_map(|line| line.strip_prefix("Result:"));
        match result {
            Some(result) => {
                let told = |line: &&str| {
                    line.starts_with("Rejected because") || line.starts_with("Reason")
                };
                text += &format!("| {}\n", result.trim());
                text.extend(block.lines().filter(told).map(|line| format!("| {line}\n")));
            }
            None if block.trim_end().ends_with("\n  none") => {}
            None => text.extend(block.lines().map(|line| format!("| {line}\n"))),
        }
    }
    text
}
