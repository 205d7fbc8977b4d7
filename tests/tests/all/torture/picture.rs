//! What is to be seen from outside of lapsed: how each target looks, and how often it was changed.

use super::stage::Stage;
use lapsed_tests::{Done, Entry};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What two runs of the same facts must have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    /// Each target as it is, a line a thing.
    pub targets: Vec<String>,
    /// How often each thing was done that can be told from outside.
    pub effects: BTreeMap<String, u64>,
    /// How often each mail arrived: to whom, and its subject.
    pub mails: BTreeMap<String, u64>,
    /// How often a mail came again under its own Message-ID, and is not shown as sent more than once.
    pub same_mail: u64,
    /// How many changes of each entry the directory has made and not written down, as it was killed.
    pub unlogged: BTreeMap<String, u64>,
    /// Steps and notices of which nobody knows whether they took effect, as lapsed says of itself.
    pub unverified: u64,
}

impl Picture {
    pub fn of(stage: &Stage) -> Done<Self> {
        let count = |sql: &str| -> Done<u64> { Ok(stage.state(sql)?.parse().unwrap_or(0)) };
        let steps = count("SELECT COUNT(*) FROM steps WHERE state = 'unverified'")?;
        let notices = count("SELECT COUNT(*) FROM notices WHERE state = 'unverified'")?;
        let again = |action: &str, connector: &str| {
            count(&format!(
                "SELECT COUNT(*) FROM steps WHERE attempts > 1 AND action = '{action}' AND connector = '{connector}'"
            ))
        };
        let mut asked_again = again("request_revocation", "dhss")?;
        let password_again = again("set_password", "directory")? > 0;
        // A reminder over which the daemon died is made on the next reminder's day, and `lapsed due` says so; of
        // one whose reply was lost, the form says that it is not known.
        let reminders = count(
            "SELECT COUNT(*) FROM steps WHERE state = 'asked' AND connector = 'dhss' \
             AND (state_body LIKE '%: not known: %' \
                  OR (recheck_index = 0 AND recheck_on > '2027-07-06'))",
        )?;
        let mut unverified = steps + notices + asked_again + reminders;
        let mut mails = BTreeMap::new();
        let mut ids = BTreeMap::<String, (String, u64)>::new();
        let mut rosters = BTreeSet::new();
        for mail in stage.mail.mails() {
            let what = format!("{:?} {}", mail.to, masked(&mail.subject()));
            // Alarms and digests tell of how long it took, which is another matter.
            if what.contains("lapsed needs you") || what.contains(" lapsed: ") {
                continue;
            }
            let times = &mut ids.entry(mail.message_id()).or_insert((what.clone(), 0)).1;
            *times += 1;
            if *times > 1 {
                continue;
            }
            // Rosters come with the calendar, where the daemon runs long enough: once.
            if what.contains("Who holds what") && rosters.insert(what.clone()) {
                continue;
            }
            let known: &mut u64 = mails.entry(what.clone()).or_default();
            // Whether a password was set can't be seen: another one is, and its code has to be told.
            if *known > 0 && password_again && what.contains("A first password waits") {
                unverified += 1;
            } else {
                *known += 1;
            }
        }
        let mut same_mail = 0;
        for (what, times) in ids.into_values().filter(|(_, times)| *times > 1) {
            if what.contains("REVOKE") && asked_again > 0 {
                asked_again -= 1;
            } else {
                same_mail += times - 1;
            }
        }
        Ok(Self {
            targets: targets(stage)?,
            effects: effects(stage)?,
            mails,
            same_mail,
            unlogged: stage.unlogged(),
            unverified,
        })
    }

    /// What is in the other and not here, and the other way round.
    pub fn differs_from(&self, other: &Self) -> Vec<String> {
        let missing = other.targets.iter().filter(|line| !self.targets.contains(line));
        let more = self.targets.iter().filter(|line| !other.targets.contains(line));
        missing
            .map(|line| format!("- {line}"))
            .chain(more.map(|line| format!("+ {line}")))
            .collect()
    }
}

impl Picture {
    /// What was done less often than in the other: not what the directory itself did not write down.
    pub fn less_than(&self, other: &Self) -> Vec<(String, u64)> {
        let mut less = surplus(&other.effects, &self.effects);
        // One change may be several lines of the log; a rename is logged under the name of before.
        let all: u64 = self.unlogged.values().sum();
        less.retain(|(what, times)| {
            let mut of_entry = self.unlogged.iter().filter(|(dn, _)| what.contains(dn.as_str()));
            let renamed = what.starts_with("modrdn ") && *times <= all;
            !renamed && !of_entry.any(|(_, unlogged)| times <= unlogged)
        });
        less
    }
}

/// How often more than in the other each thing is in this one.
pub fn surplus(of: &BTreeMap<String, u64>, over: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let more = of.iter().filter_map(|(what, times)| {
        let rest = times.saturating_sub(over.get(what).copied().unwrap_or(0));
        (rest > 0).then(|| (what.clone(), rest))
    });
    more.collect()
}

fn targets(stage: &Stage) -> Done<Vec<String>> {
    let mut all = Vec::new();
    for entry in
        stage.slapd.search("(objectClass=*)", &["*", "pwdAccountLockedTime", "memberOf"])?
    {
        all.extend(shown(&entry));
    }
    for user in stage.leavers() {
        let (count, mailboxes) = (stage.dovecot.count(user)?, stage.dovecot.mailboxes(user)?);
        all.push(format!("mail of {user}: {count} in {mailboxes:?}"));
    }
    for user in stage.leavers().into_iter().chain(["mzquilj", "mzoaket"]) {
        for id in stage.scim.called(user)? {
            let account = stage.scim.shown(&id)?;
            let (active, number) = (&account["active"], &account["externalId"]);
            all.push(format!("SCIM {user}: {active} {number} {}", account["name"]));
        }
    }
    let rows = stage.rows("SELECT login, status, surname, hr FROM accounts ORDER BY login")?;
    all.extend(rows.lines().map(|row| format!("row {row}")));
    all.push(format!("mainframe {}", fs::read_to_string(stage.site.path("accounts"))?));
    tree(&stage.homes, "home ", &mut all)?;
    all.sort();
    Ok(all)
}

/// An entry, a line a value, without what differs between two runs: passwords, and ids.
fn shown(entry: &Entry) -> Vec<String> {
    let mut all = Vec::new();
    for name in entry.attributes.keys().filter(|name| *name != "userpassword") {
        for value in entry.get(name) {
            all.push(format!("{} {name}: {}", entry.dn.to_lowercase(), masked(&value)));
        }
    }
    all
}

fn tree(folder: &Path, before: &str, all: &mut Vec<String>) -> Done<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let shown = format!("{before}/{}", masked(&entry.file_name().to_string_lossy()));
        if entry.file_type()?.is_dir() {
            tree(&entry.path(), &shown, all)?;
        }
        all.push(shown);
    }
    Ok(())
}

/// What the targets themselves wrote down.
fn effects(stage: &Stage) -> Done<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    let mut add = |what: String| *all.entry(what).or_default() += 1;
    let filter = "(&(|(reqType=modify)(reqType=add)(reqType=delete)(reqType=modrdn))(reqResult=0))";
    let wanted = ["reqDN", "reqType", "reqMod", "reqNewRDN"];
    for entry in stage.slapd.witness().search("cn=accesslog", filter, &wanted)? {
        let dn = entry.first("reqDN").unwrap_or_default().to_lowercase();
        let kind = entry.first("reqType").unwrap_or_default();
        if kind != "modify" {
            add(format!("{kind} {dn}"));
            continue;
        }
        for change in entry.get("reqMod").iter().filter(|change| tells(change)) {
            add(format!("{dn} {}", masked(change)));
        }
    }
    for row in stage.rows("SELECT what FROM effects")?.lines() {
        add(format!("row {row}"));
    }
    for subject in stage.desk.opened() {
        add(format!("ticket {}", masked(&subject)));
    }
    for (number, text) in stage.desk.comments() {
        add(format!("comment on {number}: {}", masked(&text)));
    }
    Ok(all)
}

/// A lock is set again where a new password lifted it, and a password is set again where it is not known
/// whether it was: both may come more than once, and the account is shut between them.
fn tells(change: &str) -> bool {
    let about = ["member:", "memberUid:", "description:", "uid:", "mail:", "sn:"];
    // Stands while a password is set: it comes and goes with each attempt at it.
    about.iter().any(|name| change.starts_with(name)) && !change.contains("lapsed:stays-shut")
}

/// A text in which ids, tokens and keys are masked: they are other ones in each installation.
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let bare = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let long = bare.len() >= 12 && bare.bytes().any(|b| b.is_ascii_digit());
        let is_capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        let is_token = bare.len() == 14 && bare.bytes().all(is_capital);
        let is_key = is_token || (bare.starts_with("lapsed-") && bare.len() > 12);
        let shown = if long || is_key { "ID" } else { bare };
        let _ = write!(out, "{shown}{}", &word[bare.len()..]);
    }
    out
}
