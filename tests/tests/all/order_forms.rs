//! Holds and wishes by form: files that count by whose they are, through the whole daemon.

use super::beside::{is_shut, openldap_account};
use super::departure::{adopted, today, yesterday};
use super::homes::{home, homes_in};
use lapsed_tests::Done;
use lapsed_tests::agency::{Departure, HrOptions};
use lapsed_tests::site::Site;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FIRST: &str = "0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d";
const SECOND: &str = "0191d5a0-8a20-7d11-8f00-0c2b7d9e4a11";
const THIRD: &str = "0191d5a0-9b30-7e22-9a00-1d3c8eaf5b22";

fn hold(id: &str, person: &str) -> Value {
    json!({
        "form": "hold", "version": 1, "id": id, "person": person,
        "authority": "General Counsel", "reason": "Case 24-117",
    })
}

fn with_forms(site: &Site) -> Done<()> {
    fs::create_dir(site.path("forms"))?;
    let section = format!("  forms:\n    folder: {}\n", site.path("forms").display());
    let poll = "  poll_seconds: 10\n";
    site.reconfigure(&[(poll, &format!("{section}  poll_seconds: 1\n"))])
}

/// Puts a form there as a careful sender does, as another account's where one is named.
fn put(site: &Site, name: &str, form: &Value, owner: Option<u32>) -> Done<()> {
    let beside = site.path("forms").join(format!(".{name}"));
    fs::write(&beside, serde_json::to_vec(form).unwrap())?;
    fs::set_permissions(&beside, Permissions::from_mode(0o640))?;
    if let Some(owner) = owner {
        std::os::unix::fs::chown(&beside, Some(owner), None)?;
    }
    Ok(fs::rename(beside, site.path("forms").join(name))?)
}

/// The receipt of a form, once it is there.
fn receipt(site: &Site, folder: &str, name: &str) -> String {
    let ending = format!("-{name}.receipt.txt");
    site.wait_for(name, || Ok(site.names(folder)?.iter().any(|found| found.ends_with(&ending))))
        .unwrap();
    site.receipt(folder, name).unwrap()
}

fn holds(site: &Site) -> usize {
    site.json(&["hold", "list"]).unwrap()["holds"].as_array().unwrap().len()
}

fn leave(site: &Site, agency: &lapsed_tests::agency::Agency, leavers: &[usize]) {
    let departures = leavers.iter().map(|leaver| Departure::on(*leaver, yesterday())).collect();
    let options = HrOptions::full(today(), 2, departures);
    site.drop_file("hr-2.csv", agency.to_hr_csv(&options)).unwrap();
}

fn is_dated(site: &Site, user_id: &str) -> Done<bool> {
    let due = site.json(&["due"])?.to_string();
    Ok(due.contains(&format!("delete home directory of {user_id}")))
}

#[test]
fn a_hold_by_form_stops_a_deletion_that_was_due_while_the_daemon_was_down() {
    let (agency, _slapd, mut site) = adopted(320).unwrap();
    site.stop().unwrap();
    let root = homes_in(&site, "in_process: true").unwrap();
    with_forms(&site).unwrap();
    let leavers = agency.ordinary_leavers(2);
    let user_id = |index: usize| agency.people[leavers[index]].user_id().unwrap().to_owned();
    let (gone, held) = (user_id(0), user_id(1));
    let (gone_home, held_home) = (home(&root, &gone).unwrap(), home(&root, &held).unwrap());
    site.start().unwrap();
    leave(&site, &agency, &leavers);
    for leaver in [&gone, &held] {
        site.wait_for("dated", || is_dated(&site, leaver)).unwrap();
    }
    assert!(site.stop().unwrap());

    let form = hold(FIRST, &held);
    put(&site, "held.json", &form, None).unwrap();
    let file = fs::read(site.path("forms").join("held.json")).unwrap();
    let then = today().checked_add(jiff::Span::new().days(200)).unwrap();
    site.set_clock(&format!("{then} 12:00:00"));
    site.start().unwrap();
    site.wait_for("the other home is gone", || Ok(!gone_home.exists())).unwrap();
    let told = receipt(&site, "accepted", "held.json");
    assert!(told.starts_with("DONE: hold placed") && told.contains(FIRST), "{told}");
    assert!(held_home.join("letters/one").exists(), "the hold stops it");

    let audit = site.printed(&["audit", "export"]).unwrap();
    let placed: Vec<&str> = audit.lines().filter(|row| row.contains("hold.placed")).collect();
    let [placed] = placed[..] else { panic!("{audit}") };
    let digest = lapsed_core::intake::digest(&file);
    assert!(placed.contains(&digest) && placed.contains("form:"), "{placed}");

    let lift = json!({
        "form": "lift", "version": 1, "id": SECOND, "person": held,
        "authority": "General Counsel", "reason": "Settled",
    });
    put(&site, "lift.json", &lift, None).unwrap();
    assert!(receipt(&site, "accepted", "lift.json").contains("1 hold(s)"));
    site.wait_for("the home is gone", || Ok(!held_home.exists())).unwrap();
    assert!(site.printed(&["audit", "verify"]).unwrap().to_lowercase().contains("sound"));
}

#[test]
fn while_the_forms_folder_cannot_be_looked_into_nothing_is_deleted_and_departures_go_on() {
    let (agency, slapd, mut site) = adopted(320).unwrap();
    site.stop().unwrap();
    let root = homes_in(&site, "in_process: true").unwrap();
    with_forms(&site).unwrap();
    let leavers = agency.ordinary_leavers(3);
    let user_id = |index: usize| agency.people[leavers[index]].user_id().unwrap().to_owned();
    let (gone, held, later) = (user_id(0), user_id(1), user_id(2));
    let (gone_home, held_home) = (home(&root, &gone).unwrap(), home(&root, &held).unwrap());
    site.start().unwrap();
    leave(&site, &agency, &leavers[..2]);
    for leaver in [&gone, &held] {
        site.wait_for("dated", || is_dated(&site, leaver)).unwrap();
    }
    assert!(site.stop().unwrap());
    put(&site, "held.json", &hold(FIRST, &held), None).unwrap();
    let then = today().checked_add(jiff::Span::new().days(200)).unwrap();

    // As when a share is not mounted.
    fs::rename(site.path("forms"), site.path("forms.away")).unwrap();
    site.set_clock(&format!("{then} 12:00:00"));
    let once = site.run(&["run", "--once"]).unwrap();
    let said = String::from_utf8_lossy(&once.stderr).into_owned();
    assert!(!once.status.success() && said.contains("nothing was deleted"), "{said}");
    site.start().unwrap();
    let departures = leavers.iter().map(|who| Departure::on(*who, yesterday())).collect();
    let feed = agency.to_hr_csv(&HrOptions::full(then, 3, departures));
    site.drop_file("hr-3.csv", feed).unwrap();
    site.wait_for("who leaves now is shut", || Ok(is_shut(&openldap_account(&slapd, &later)?)))
        .unwrap();
    let attention = || Ok(site.json(&["status"])?.to_string().contains("folder_unreadable"));
    site.wait_for("it is told", attention).unwrap();
    assert!(gone_home.exists() && held_home.exists(), "what is due waits");

    fs::rename(site.path("forms.away"), site.path("forms")).unwrap();
    site.wait_for("the other home is gone", || Ok(!gone_home.exists())).unwrap();
    assert!(held_home.join("letters/one").exists(), "the hold came first");
    assert_eq!(holds(&site), 1);
    site.wait_for("it is over", || attention().map(|told| !told)).unwrap();
}

#[test]
fn a_form_counts_once_by_its_owner_and_whole() {
    let (agency, _slapd, mut site) = adopted(320).unwrap();
    site.stop().unwrap();
    with_forms(&site).unwrap();
    site.start().unwrap();
    let someone = agency.people[agency.ordinary_leavers(1)[0]].user_id().unwrap().to_owned();

    put(&site, "one.json", &hold(FIRST, &someone), None).unwrap();
    assert!(receipt(&site, "accepted", "one.json").starts_with("DONE"));
    put(&site, "two.json", &hold(FIRST, &someone), None).unwrap();
    assert!(receipt(&site, "accepted", "two.json").starts_with("KNOWN"));
    assert_eq!(holds(&site), 1, "the same form twice is one");

    let mut other = hold(FIRST, &someone);
    other["reason"] = "Case 25-001".into();
    put(&site, "other.json", &other, None).unwrap();
    assert!(receipt(&site, "rejected", "other.json").contains("another form with the id"));

    let mut expired = hold(SECOND, &someone);
    expired["valid_until"] = yesterday().to_string().into();
    let mut stale = hold(SECOND, &someone);
    stale["version"] = 0.into();
    let delegate = json!({
        "form": "delegate", "version": 1, "id": SECOND, "person": someone, "to": "nobodyatall",
        "authority": "Director",
    });
    let wrong = [
        ("expired.json", expired, "have it ordered again"),
        ("stale.json", stale, "version 0"),
        ("unknown.json", hold(SECOND, "nobodyatall"), "nobody known"),
        ("escape.json", hold(SECOND, "\u{1b}[31m"), "control"),
        ("delegate.json", delegate, "REJECTED"),
    ];
    for (name, form, says) in wrong {
        put(&site, name, &form, None).unwrap();
        let told = receipt(&site, "rejected", name);
        assert!(told.contains(says) && told.contains("nothing was changed"), "{name}: {told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
    assert_eq!(holds(&site), 1);

    // What was mended counts under the id that was rejected.
    put(&site, "mended.json", &hold(SECOND, &someone), None).unwrap();
    assert!(receipt(&site, "accepted", "mended.json").starts_with("DONE"));
    assert_eq!(holds(&site), 2);
    let audit = site.printed(&["audit", "export"]).unwrap();
    assert!(audit.contains("order_form.rejected"), "{audit}");
}

#[test]
fn a_form_of_an_account_that_is_not_named_is_rejected() {
    if !rustix::process::geteuid().is_root() || !Path::new("/etc/passwd").exists() {
        eprintln!("skipped: only root can give a file to another account");
        return;
    }
    let (agency, _slapd, mut site) = adopted(320).unwrap();
    site.stop().unwrap();
    with_forms(&site).unwrap();
    site.start().unwrap();
    let someone = agency.people[agency.ordinary_leavers(1)[0]].user_id().unwrap().to_owned();
    // `daemon`, an account of every machine that has no role here.
    put(&site, "theirs.json", &hold(THIRD, &someone), Some(1)).unwrap();
    let told = receipt(&site, "rejected", "theirs.json");
    assert!(told.contains("files of daemon do not count"), "{told}");
    assert!(told.contains("inbox.forms.from"), "{told}");
    assert_eq!(holds(&site), 0);
    assert!(site.stop().unwrap());

    site.reconfigure(&[(
        "  poll_seconds: 1\n",
        "    from: { users: [daemon] }\n  poll_seconds: 1\n",
    )])
    .unwrap();
    site.start().unwrap();
    put(&site, "named.json", &hold(THIRD, &someone), Some(1)).unwrap();
    assert!(receipt(&site, "accepted", "named.json").contains("by form:daemon"));
    assert_eq!(holds(&site), 1);
}
