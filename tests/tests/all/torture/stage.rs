//! One installation in which something happens in every kind of target, and its acts.

use super::desk::Desk;
use crate::beside::{BASE, GUARD_RAISED, at_slapd, openldap};
use crate::flows::directory::OFFICER;
use crate::flows::stage::{SUPERVISOR, about, joins};
use crate::homes::home;
use crate::others::{open_to_all, said, with_client};
use jiff::civil::{Date, date};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::postgres::Postgres;
use lapsed_tests::process::{find_program, plain_command, run};
use lapsed_tests::scim::Scim;
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::smtp::MailServer;
use lapsed_tests::{Done, Entry, Failure};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A Monday.
const DAY: Date = date(2026, 11, 30);
/// Past the retention of mailboxes and homes, and past each period of the example.
const LATER: Date = date(2027, 7, 6);
const LEAVERS: usize = 2;
/// A key as `openssl rand -hex 32` makes it.
const KEY: &str = "8f14e45fceea167a5a36dedd4bea2543c9f0f895fb98ab9159f51fd0297e236d";

const SYSTEMS: &str = "
  systems:
    account: { connector: directory }
    files: { connector: directory, groups: [\"Files {{ location }}\"] }
    cimor: { connector: cimor }
    jcfs: { connector: jcfs }
";
const INCLUDED: &str = "
  included:
    - { who: { kinds: [staff] }, systems: { account: null, files: null, cimor: null, jcfs: null } }
";
const REQUESTS: &str = "  requests:
    - { name: MAIRS, connector: dhss, remind_after_work_days: 5, reminders: 1 }
    - { name: The key of the office, connector: desk, reason: by_hand }
";
const NOTICES: &str = "notices:\n  account_management: [accounts@dmh.test]\n  \
    on_call: [oncall@dmh.test]\n  receipts: { hr: [hr-data@dmh.test] }\n  disk_low_mib: 0\n";
/// Every change of a row is written down by the database itself.
const TABLES: &str = "
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, login TEXT, status TEXT, surname TEXT, hr TEXT);
    CREATE TABLE effects (what TEXT);
    CREATE TRIGGER made AFTER INSERT ON accounts BEGIN INSERT INTO effects VALUES ('make ' || new.login); END;
    CREATE TRIGGER changed AFTER UPDATE ON accounts BEGIN
        INSERT INTO effects VALUES (new.login || ' ' || old.status || ' to ' || new.status); END;";

/// Where the daemon keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Sqlite,
    /// On PostgreSQL that waits for the disk.
    Postgres,
}

/// An installation with all its servers.
pub struct Stage {
    pub agency: Agency,
    pub slapd: Slapd,
    pub dovecot: Dovecot,
    pub scim: Scim,
    pub mail: MailServer,
    pub desk: Desk,
    pub site: Site,
    pub homes: PathBuf,
    postgres: Option<(Postgres, String)>,
    /// Where the system with tables is, when it is not a file.
    pub tables: Option<(Postgres, String)>,
    /// What the directory was filled with, each by its entry and its number: that is in no log.
    never_logged: BTreeSet<(String, String)>,
    /// Changes that are not in the directory's log and should be.
    unlogged: BTreeSet<(String, String)>,
    /// The moment that the daemon's clock shows at its next start: a day, and minutes past nine.
    clock: (Date, u32),
}

impl Stage {
    /// Everything is set up and taken over; the forms are approved, and nothing else is begun.
    pub fn new(kept: Kept) -> Done<Self> {
        let agency = Agency::new(60, 5);
        // Its own care for references comes a moment after a rename and is in no log: who is first, it or lapsed,
        // differs from run to run.
        let slapd = openldap(&agency, Slapd::builder().access_log().without_refint())?;
        slapd.load_ldif(&groups())?;
        let leavers = leavers_of(&agency);
        let dovecot = Dovecot::start_encrypted(&leavers)?;
        for user in &leavers {
            dovecot.deliver(user, 3)?;
        }
        let site = Site::beside(&at_slapd(&slapd))?;
        let homes = site.root().canonicalize()?.join("homes");
        let postgres = match kept {
            Kept::Sqlite => None,
            Kept::Postgres => {
                let server = Postgres::builder().fsync().start()?;
                let name = server.create_database()?;
                Some((server, name))
            }
        };
        let (scim, mail, desk) = (Scim::start()?, MailServer::start()?, Desk::start()?);
        let (clock, tables, unlogged) = ((DAY, 0), None, BTreeSet::new());
        let never_logged = BTreeSet::new();
        let mut stage = Self {
            agency,
            slapd,
            dovecot,
            scim,
            mail,
            desk,
            site,
            homes,
            postgres,
            tables,
            never_logged,
            unlogged,
            clock,
        };
        stage.never_logged = stage.changes_unlogged()?;
        stage.fill()?;
        stage.configure()?;
        stage.begin()?;
        Ok(stage)
    }

    /// Those who leave, by user ID.
    pub fn leavers(&self) -> Vec<&str> {
        leavers_of(&self.agency)
    }

    fn renamed(&self) -> &str {
        let who = self.agency.ordinary_leavers(LEAVERS + 1)[LEAVERS];
        self.agency.people[who].user_id().unwrap_or_default()
    }

    fn fill(&self) -> Done<()> {
        fs::create_dir_all(self.homes.join(".lapsed-quarantine"))?;
        fs::set_permissions(self.homes.join(".lapsed-quarantine"), Permissions::from_mode(0o700))?;
        self.rows(TABLES)?;
        let mut accounts = Vec::new();
        for (nth, user) in self.leavers().into_iter().enumerate() {
            home(&self.homes, user)?;
            let person = self.agency.by_user_id(user).ok_or_else(|| Failure::new("nobody"))?;
            self.scim.add(user, &person.employee_number, &person.last)?;
            self.rows(&format!("INSERT INTO accounts VALUES ({nth}, '{user}', 'A', NULL, NULL)"))?;
            accounts.push(
                json!({ "id": format!("M{nth}"), "user_id": user.to_uppercase(), "enabled": true }),
            );
        }
        home(&self.homes, self.renamed())?;
        fs::write(self.site.path("accounts"), Value::from(accounts).to_string())?;
        let program = self.site.path("mainframe");
        fs::write(&program, include_str!("../tables/mainframe.py"))?;
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        Ok(fs::write(self.site.path("form-key"), KEY)?)
    }

    fn configure(&self) -> Done<()> {
        if let Some((server, name)) = &self.postgres {
            let sqlite = format!("database: sqlite://{}/state.db", self.site.root().display());
            let documents = self.site.path("documents").display().to_string();
            let state = format!("database: {}\n  documents: {documents}", server.url(name));
            self.site.reconfigure(&[(&sqlite, &state)])?;
        }
        let folder = format!("      folder: {}\n", self.site.path("envelopes").display());
        let commented = folder.replace("      folder", "      #folder");
        let before = "  # A second directory: Active Directory.\n";
        let create = format!(
            "    create:\n      below: \"ou=people,{BASE}\"\n      classes: [inetOrgPerson]\n      # Where."
        );
        let connectors = self.connectors();
        self.site.reconfigure(&GUARD_RAISED)?;
        self.site.reconfigure(&[
            ("    #create:\n      # Where.", &create),
            (before, &format!("{connectors}{before}")),
            ("\nlocations:\n", &format!("\n{}{NOTICES}\nlocations:\n", self.mail.yaml())),
            ("\n#help_desk:\n", "\nhelp_desk:\n  connector: desk\n\n#help_desk:\n"),
            ("  requests: []\n", REQUESTS),
            ("disable_at_once: false", "disable_at_once: true"),
            ("\n    #homes: homes\n", "\n    homes: homes\n"),
            ("\n  systems: {}\n", SYSTEMS),
            ("\n  included: []\n", INCLUDED),
            (
                "    participant:\n      users: []\n",
                "    participant:\n      users: [daemon, games]\n",
            ),
            ("      supervisor: true\n", "      supervisor: true\n      users: [daemon]\n"),
            ("  always: [electronic_resources_agreement, security_clearance]", "  always: []"),
            ("  with_phi: [hipaa_training, confidentiality_statement]", "  with_phi: []"),
            (&commented, &folder),
        ])
    }

    fn connectors(&self) -> String {
        let (homes, root) = (self.homes.display(), self.site.root().display());
        let columns = "id, login AS user_id, status = 'A' AS enabled, surname AS last_name, hr AS employee_number";
        format!(
            "  homes:\n    kind: home\n    roots: [\"{homes}\"]\n    path: \"{homes}/{{{{ user_id }}}}\"\n    \
             owner_check: \"off\"\n    rename: true\n    in_process: true\n  \
             mail:\n    kind: dovecot\n    url: {}\n    ca_file: {}\n    api_key_file: {}\n    \
             shared_prefixes: [\"shared/\"]\n  \
             cimor:\n    kind: scim\n    url: {}\n    login: {{ by: bearer, secret_file: {} }}\n    \
             match: {{ employee_number: externalId }}\n    create: true\n    grant: true\n    rename: true\n  \
             jcfs:\n    kind: sql\n    server: sqlite\n    file: {root}/tables.db\n    \
             find: SELECT {columns} FROM accounts WHERE login = :account OR id = :id OR hr = :employee_number\n    \
             list: SELECT {columns} FROM accounts\n    \
             revoke: {{ statement: \"UPDATE accounts SET status = 'X' WHERE id = :id\" }}\n    \
             create: [{{ statement: \"INSERT INTO accounts (login, surname, hr, status) VALUES (:account, :last, :employee_number, 'X')\" }}]\n    \
             grant: [{{ statement: \"UPDATE accounts SET status = 'A' WHERE id = :id\" }}]\n    \
             rename: [{{ statement: \"UPDATE accounts SET login = :account WHERE id = :id AND login = :old_account\" }}]\n  \
             mainframe:\n    kind: command\n    program: {root}/mainframe\n    arguments: [\"{root}/accounts\"]\n    \
             operations: [observe, list, revoke, look, probe]\n    in_process: true\n    mainframe: true\n  \
             dhss:\n    kind: agency_form\n    to: [access@dhss.test]\n    token_key_file: {root}/form-key\n{}",
            self.dovecot.url(),
            self.dovecot.ca_path().display(),
            self.dovecot.key_file().display(),
            self.scim.url(),
            self.scim.token_file().display(),
            self.desk.yaml(&self.site.root().join("form-key")),
        )
    }

    /// The agency is adopted, forms are filed and approved, and HR's drop with the leavers lies there. The
    /// daemon is ended at the first step that it plans: what follows is for the rounds.
    fn begin(&mut self) -> Done<()> {
        with_client(&self.site)?;
        self.tick();
        self.site.start()?;
        let yesterday = DAY.yesterday().map_err(|e| Failure::new(e.to_string()))?;
        let first = self.agency.to_hr_csv(&HrOptions::full(yesterday, 1, vec![]));
        fs::write(self.site.path("first.csv"), first)?;
        let feed = self.site.path("first.csv").display().to_string();
        self.site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"])?;
        self.site.stop()?;
        let at = "create_account/planned/before,rename/planned/before".to_owned();
        self.site.set_environment(&[("LAPSED_CRASH_AT", at)]);
        self.site.start()?;
        open_to_all(&self.site)?;
        let renamed = self.renamed().to_owned();
        let new_name = json!({ "last": "Oakenshield", "first": "Thora" });
        let more = json!({ "new_name": new_name, "old_user_id": renamed });
        let forms = [about(&renamed, "name_change", more), joins("Quillfeather", "John")];
        for form in &forms {
            fs::write(self.site.path("form.json"), form.to_string())?;
            let path = self.site.path("form.json").display().to_string();
            self.site.printed(&["form", "submit", &path])?;
        }
        for (form, who) in [("1", SUPERVISOR), ("2", SUPERVISOR), ("1", OFFICER), ("2", OFFICER)] {
            self.mails_are_away()?;
            let (code, text) = said(&self.site, who, &["approve", form]);
            // The last word is followed by the daemon's end, and its answer may be cut off.
            if code != 0 && who == SUPERVISOR {
                return Err(Failure::new(format!("{text}\n{}", self.site.log())));
            }
            if code != 0 {
                self.site.wait_for_end()?;
                self.site.start()?;
                open_to_all(&self.site)?;
            }
        }
        self.site.wait_for_end()?;
        self.site.set_environment(&[]);
        let leavers = self.agency.ordinary_leavers(LEAVERS);
        let departures = leavers.into_iter().map(|who| Departure::on(who, yesterday)).collect();
        self.site.drop_file("hr-2.csv", self.agency.to_hr_csv(&HrOptions::full(DAY, 2, departures)))
    }

    /// Kills the directory for a while. What it had changed in that moment it may not have written into its log
    /// any more (seen in 11 of 60 kills in the middle of writing): that is noted, while the daemon stands still.
    pub fn kill_directory(&mut self, for_so_long: Duration) -> Done<()> {
        self.slapd.kill()?;
        self.site.signal(Signal::STOP)?;
        let unlogged = self.slapd.start().and_then(|()| self.changes_unlogged());
        let killed = self.slapd.kill();
        self.site.signal(Signal::CONT)?;
        killed?;
        self.unlogged.extend(unlogged?.difference(&self.never_logged).cloned());
        std::thread::sleep(for_so_long);
        self.slapd.start()
    }

    /// How many changes of each entry are not in the directory's log.
    pub fn unlogged(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (dn, _) in &self.unlogged {
            *all.entry(dn.clone()).or_default() += 1;
        }
        all
    }

    fn changes_unlogged(&self) -> Done<BTreeSet<(String, String)>> {
        let number = |entry: &Entry| entry.first("entryCSN").unwrap_or_default();
        let all = self.slapd.search("(objectClass=*)", &["entryCSN"])?;
        let log = self.slapd.witness().search("cn=accesslog", "(entryCSN=*)", &["entryCSN"])?;
        let logged: BTreeSet<String> = log.iter().map(number).collect();
        let changes = all.iter().map(|entry| (entry.dn.to_lowercase(), number(entry)));
        Ok(changes.filter(|(_, number)| !logged.contains(number)).collect())
    }

    /// The next round's clock: a minute on.
    pub fn tick(&mut self) {
        let (day, minutes) = self.clock;
        self.clock.1 += 1;
        let moment =
            day.at(9, 0, 0, 0).saturating_add(jiff::Span::new().minutes(i64::from(minutes)));
        self.site.set_clock(&moment.strftime("%Y-%m-%d %H:%M:%S").to_string());
    }

    /// Time passes, so that what waits for another attempt gets it.
    pub fn wait(&mut self) {
        self.clock.1 += 15;
    }

    /// What is begun and not ended, in words.
    pub fn what_is_under_way(&self) -> Done<String> {
        let steps = "SELECT id, action, connector, state_body, not_before, lease_until, attempts FROM steps \
                     WHERE state IN ('started', 'waiting', 'unknown')";
        let notices = "SELECT kind, subject, cause FROM notices WHERE state = 'sending'";
        let forms = "SELECT number, state, look_at FROM access_forms WHERE state = 'approved'";
        let aside = "SELECT source, who, reason FROM set_asides";
        let all = [steps, notices, forms, aside].map(|sql| self.state(sql));
        Ok(all.into_iter().collect::<Done<Vec<_>>>()?.join("\n"))
    }

    /// What lapsed itself is in doubt about, or has tried more than once, in words.
    pub fn what_is_in_doubt(&self) -> Done<String> {
        let steps = "SELECT action, connector, state, attempts, recheck_index, recheck_on, state_body FROM steps \
                     WHERE state = 'unverified' OR attempts > 1 OR state_body LIKE '%: not known: %' \
                        OR (state = 'asked' AND recheck_index = 0 AND recheck_on > '2027-07-06')";
        let notices = "SELECT kind, subject, cause FROM notices WHERE state = 'unverified'";
        let all = [steps, notices].map(|sql| self.state(sql));
        Ok(all.into_iter().collect::<Done<Vec<_>>>()?.join("\n"))
    }

    /// A mail in the sender's hands when the daemon ends stays in doubt, so that all have to be away before.
    fn mails_are_away(&self) -> Done<()> {
        let here = "SELECT COUNT(*) FROM notices WHERE state = 'sending' OR (state = 'queued' AND NOT by_digest)";
        self.site.wait_for("the mails to be away", || Ok(self.state(here)? == "0"))
    }

    /// How much is begun and not ended.
    pub fn under_way(&self) -> Done<u64> {
        let steps = "SELECT COUNT(*) FROM steps WHERE state IN ('started', 'waiting', 'unknown')";
        let notices = "SELECT COUNT(*) FROM notices WHERE state = 'sending'";
        let count = |sql: &str| -> Done<u64> { Ok(self.state(sql)?.parse().unwrap_or(0)) };
        let forms = "SELECT COUNT(*) FROM access_forms WHERE state = 'approved'";
        Ok(count(steps)? + count(notices)? + count(forms)?)
    }

    /// The second act: the day on which everything is due.
    pub fn later(&mut self) {
        self.clock = (LATER, 0);
    }

    /// A round with these variables set; whether it came to its end.
    pub fn round(&mut self, variables: &[(&'static str, String)]) -> Done<bool> {
        self.tick();
        self.site.set_environment(variables);
        self.site.once_unless_killed()
    }

    /// Starts the daemon itself, a minute on.
    pub fn launch(&mut self) -> Done<()> {
        self.tick();
        self.site.set_environment(&[]);
        self.site.launch()
    }

    /// What a query of the state says, in lines.
    pub fn state(&self, sql: &str) -> Done<String> {
        match &self.postgres {
            Some((server, name)) => server.query(name, sql),
            None => sqlite(&self.site.path("state.db"), sql),
        }
    }

    /// What a statement on the system with tables says.
    pub fn rows(&self, sql: &str) -> Done<String> {
        match &self.tables {
            Some((server, name)) => server.query(name, sql),
            None => sqlite(&self.site.path("tables.db"), sql),
        }
    }
}

fn sqlite(file: &Path, sql: &str) -> Done<String> {
    let mut client = plain_command(find_program("sqlite3", &[])?);
    let output = run(client.arg(file).arg(sql))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn leavers_of(agency: &Agency) -> Vec<&str> {
    let leavers = agency.ordinary_leavers(LEAVERS);
    leavers.into_iter().filter_map(|who| agency.people[who].user_id()).collect()
}

/// The officer, who says yes, and the groups that the forms give.
fn groups() -> String {
    let officer = format!("uid={OFFICER},ou=people,{BASE}");
    let mut text = format!(
        "dn: {officer}\nobjectClass: inetOrgPerson\nuid: {OFFICER}\ncn: {OFFICER}\nsn: Officer\n\n\
         dn: uid={SUPERVISOR},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {SUPERVISOR}\ncn: {SUPERVISOR}\n\
         sn: Supervisor\nmail: {SUPERVISOR}@dmh.test\n\n"
    );
    for location in "bcdefghiklmnpqrstuvwxyz134679".chars() {
        for (name, member) in
            [(format!("Files {location}"), None), (format!("LSO-{location}"), Some(&officer))]
        {
            let dn = format!("cn={name},ou=groups,{BASE}");
            let member = member.unwrap_or(&dn);
            text.push_str(&format!(
                "dn: {dn}\nobjectClass: groupOfNames\ncn: {name}\nmember: {member}\n\n"
            ));
        }
    }
    text
}
