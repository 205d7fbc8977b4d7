//! `observe_vs_ldapsearch`: everything read into memory, ready to be compared, against `ldapsearch` of the same
//! attributes. `noop_vs_script`: a night with nothing to do, against a script that compares the same fields.

use super::land::Land;
use super::report::{Goal, Row};
use super::timing::{command_seconds, in_turns, seconds};
use super::{Sizes, python};
use crate::agency::{HrOptions, today};
use crate::{Done, Failure};
use lapsed::cycle::Cycle;
use lapsed::cycle::access::changes::Marks;
use lapsed::store::Store;
use lapsed::targets::Hands;
use lapsed_core::observed::Scope;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Reads the directory page by page and HR's file, and compares name, number, mail and whether the account
/// is shut, as a careful administrator's script does.
const SCRIPT: &str = r#"
import csv, ldap, sys, time
from ldap.controls import SimplePagedResultsControl
url, base, dn, password, ca, feed = sys.argv[1:]
begun = time.perf_counter()
ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, ca)
directory = ldap.initialize(url)
directory.simple_bind_s(dn, open(password).read())
page = SimplePagedResultsControl(True, size=1000, cookie="")
wanted = ["uid", "employeeNumber", "givenName", "sn", "mail", "pwdAccountLockedTime", "description",
          "agencyAccountKind", "entryUUID", "displayName", "homeDirectory", "uidNumber", "manager"]
accounts = {}
while True:
    sent = directory.search_ext("ou=people," + base, ldap.SCOPE_SUBTREE, "(uid=*)", wanted, serverctrls=[page])
    _, entries, _, controls = directory.result3(sent)
    for _, entry in entries:
        number = entry.get("employeeNumber", [b""])[0].decode()
        if number:
            accounts.setdefault(number, []).append(entry)
    cookie = [c.cookie for c in controls if c.controlType == SimplePagedResultsControl.controlType][0]
    if not cookie:
        break
    page.cookie = cookie
differ = 0
with open(feed, newline="") as file:
    next(file)
    for row in csv.DictReader(line for line in file if not line.startswith("TRL")):
        for entry in accounts.get(row["EMPLID"], []):
            gone = row["EMPL_STATUS"] == "Former employee"
            shut = "pwdAccountLockedTime" in entry
            name = row["PREF_FIRST_NAME"] or row["FIRST_NAME"]
            same = entry["sn"][0].decode() == row["LAST_NAME"] and entry["givenName"][0].decode() == name
            if gone != shut or not same:
                differ += 1
print(time.perf_counter() - begun, differ)
"#;

/// Measures the rows, on one server.
///
/// # Errors
///
/// When a side fails.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let land = Land::new(sizes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cycle = cycle(&land, &runtime)?;
    Ok(vec![
        observe(&land, &cycle, &runtime, sizes)?,
        nothing_to_do(&land, &cycle, &runtime, sizes)?,
        incremental(&land, &cycle, &runtime, sizes)?,
    ])
}

/// lapsed in this process, on the site's own state.
fn cycle(land: &Land, runtime: &Runtime) -> Done<Cycle> {
    let (config, _) =
        lapsed::config::load(&land.site.config()).map_err(|e| Failure::new(e.to_string()))?;
    let hands = Hands::new(&config).map_err(|e| Failure::new(e.to_string()))?;
    let store = runtime
        .block_on(Store::open(&lapsed::rehearse::database(&config), None))
        .map_err(|e| Failure::new(e.to_string()))?;
    Ok(Cycle { store, config: Arc::new(config), eyes: hands.eyes() })
}

fn observe(land: &Land, cycle: &Cycle, runtime: &Runtime, sizes: &Sizes) -> Done<Row> {
    let eye = cycle.eyes.0.values().next().cloned().ok_or_else(|| Failure::new("no directory"))?;
    let least = land.agency.people.iter().filter(|person| person.account.is_some()).count();
    let ours = |_| {
        let (took, seen) = seconds(|| {
            let seen = runtime.block_on(eye.observe(&Scope::AllAccounts));
            seen.map_err(|fault| Failure::new(fault.to_string()))
        })?;
        if seen.accounts.len() < least {
            return Err(Failure::new(format!("{} accounts of {least}", seen.accounts.len())));
        }
        Ok(took)
    };
    let attributes = [
        "uid",
        "employeeNumber",
        "givenName",
        "sn",
        "cn",
        "mail",
        "agencyMailAlias",
        "displayName",
        "pwdAccountLockedTime",
        "description",
        "agencyAccountKind",
        "entryUUID",
        "homeDirectory",
        "uidNumber",
        "pwdChangedTime",
        "objectClass",
    ];
    let theirs = |_| {
        let mut search = land.tool("ldapsearch")?;
        search.args(["-LLL", "-o", "ldif-wrap=no", "-E", "pr=1000/noprompt"]);
        search.args([
            "-b",
            &format!("ou=people,{}", super::land::BASE),
            "(objectClass=inetOrgPerson)",
        ]);
        command_seconds(search.args(attributes))
    };
    let (ours, theirs) = in_turns(sizes.rounds, ours, theirs)?;
    Ok(Row {
        name: "observe_vs_ldapsearch".into(),
        ours,
        theirs: Some(theirs),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!("{}; every account, paged by 1,000, over TLS", land.setting()),
        goal: Goal::RatioAtMost(1.0),
        points: Vec::new(),
    })
}

fn nothing_to_do(land: &Land, cycle: &Cycle, runtime: &Runtime, sizes: &Sizes) -> Done<Row> {
    let feed = |sequence: usize| {
        let number = u32::try_from(sequence).unwrap_or(u32::MAX);
        land.agency.to_hr_csv(&HrOptions::full(today(), number, vec![]))
    };
    let ours = |round: usize| {
        land.site.drop_file(&format!("hr-{round}.csv"), feed(round + 2))?;
        let (took, ()) = seconds(|| {
            land.site.once()?;
            let now = jiff::Timestamp::now();
            let night = runtime.block_on(cycle.audit_access(now));
            night.map(drop).map_err(|e| Failure::new(e.to_string()))
        })?;
        Ok(took)
    };
    let file = land.site.path("script.csv");
    std::fs::write(&file, feed(1))?;
    let (url, dn) = (land.slapd.url_ldaps(), land.slapd.bind_dn());
    let theirs = |_| {
        let arguments = [
            Path::new(&url),
            Path::new(super::land::BASE),
            Path::new(&dn),
            &land.slapd.password_file(),
            land.slapd.ca_path(),
            &file,
        ];
        Ok(python(SCRIPT, &arguments)?.0)
    };
    let (ours, theirs) = in_turns(sizes.rounds, ours, theirs)?;
    Ok(Row {
        name: "noop_vs_script".into(),
        ours,
        theirs: Some(theirs),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!(
            "{}; the same feed once more by `run --once`, then the nightly audit of every account",
            land.setting()
        ),
        goal: Goal::RatioAtMost(0.4),
        points: Vec::new(),
    })
}

/// People whose accounts others change between two looks.
const CHANGES: usize = 100;

/// A change may come to light a minute late; a look goes back by so much, and a little more passes here.
const ONCE_MORE: std::time::Duration = std::time::Duration::from_secs(62);

/// What changed since the last look, against a look at everything.
fn incremental(land: &Land, cycle: &Cycle, runtime: &Runtime, sizes: &Sizes) -> Done<Row> {
    let mut marks = Marks::default();
    let failed = |error: lapsed::cycle::CycleError| Failure::new(error.to_string());
    let begun = runtime.block_on(cycle.audit_changes(&mut marks, jiff::Timestamp::now()));
    begun.map_err(failed)?;
    // The load itself is still within that minute of the first look.
    std::thread::sleep(ONCE_MORE);
    // A mark moves by what is written: without it, the first round would look at the whole load once more.
    land.change_titles(sizes.rounds + 1, CHANGES)?;
    let settled = runtime.block_on(cycle.audit_changes(&mut marks, jiff::Timestamp::now()));
    settled.map_err(failed)?;
    let ours = |round: usize| {
        // What was changed within the minute before the last look is looked at once more: steady is what comes after.
        std::thread::sleep(ONCE_MORE);
        land.change_titles(round, CHANGES)?;
        let (took, looked) = seconds(|| {
            let looked = runtime.block_on(cycle.audit_changes(&mut marks, jiff::Timestamp::now()));
            looked.map_err(failed)
        })?;
        if looked.unread.is_empty() { Ok(took) } else { Err(Failure::new(format!("{looked:?}"))) }
    };
    let theirs = |_| {
        let (took, _) = seconds(|| {
            runtime.block_on(cycle.audit_access(jiff::Timestamp::now())).map_err(failed)
        })?;
        Ok(took)
    };
    let (ours, theirs) = in_turns(sizes.rounds, ours, theirs)?;
    Ok(Row {
        name: "incremental".into(),
        ours,
        theirs: Some(theirs),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!(
            "{}; those whose {CHANGES} accounts changed since the last look, by entryCSN; against the nightly audit",
            land.setting()
        ),
        goal: Goal::RatioAtMost(0.02),
        points: Vec::new(),
    })
}
