//! Home directories deleted on their day, through the whole daemon, and by the helper.

use super::departure::{account, adopted, is_shut, yesterday};
use lapsed_tests::Done;
use lapsed_tests::agency::{Departure, HrOptions};
use lapsed_tests::site::Site;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Homes in the site's folder, and a quarantine as the operator's page tells to make it.
pub fn homes_in(site: &Site, way: &str) -> Done<PathBuf> {
    let root = site.root().canonicalize()?.join("homes");
    fs::create_dir_all(root.join(".lapsed-quarantine"))?;
    fs::set_permissions(root.join(".lapsed-quarantine"), Permissions::from_mode(0o700))?;
    let shown = root.display();
    let section = format!(
        "connectors:\n  homes:\n    kind: home\n    roots: [\"{shown}\"]\n    \
         path: \"{shown}/{{{{ user_id }}}}\"\n    owner_check: \"off\"\n    {way}\n"
    );
    site.reconfigure(&[("\nconnectors:\n", &format!("\n{section}"))])?;
    Ok(root)
}

pub fn home(root: &Path, user_id: &str) -> Done<PathBuf> {
    let home = root.join(user_id);
    fs::create_dir_all(home.join("letters"))?;
    fs::write(home.join("letters/one"), "Dear Sir")?;
    Ok(home)
}

/// What systemd does for the helper: one process a connection, with it as standard input.
pub struct Door {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    pub fn open(site: &Site, account: &str) -> Done<Self> {
        let path = site.path("helper.sock");
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, program) = (stop.clone(), site.command(&["helper", "--for", account]));
        let program_name = program.get_program().to_owned();
        let arguments: Vec<_> = program.get_args().map(ToOwned::to_owned).collect();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let mut helper = std::process::Command::new(&program_name);
                helper.args(&arguments).stdin(Stdio::from(OwnedFd::from(stream)));
                helper.stdout(Stdio::null()).stderr(Stdio::null());
                if let Ok(mut child) = helper.spawn() {
                    let _ = child.wait();
                }
            }
        });
        Ok(Self { path, stop, thread: Some(thread) })
    }

    fn ask(&self, line: &str) -> Done<String> {
        let mut stream = UnixStream::connect(&self.path)?;
        stream.write_all(line.as_bytes())?;
        stream.write_all(b"\n")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The connection that wakes it up to see that it should end.
        drop(UnixStream::connect(&self.path));
        self.thread.take().map(JoinHandle::join);
    }
}

pub fn own_account() -> String {
    nix_name().unwrap_or_else(|| "root".into())
}

/// The name of the account that the tests run under.
fn nix_name() -> Option<String> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let known = fs::read_to_string("/etc/passwd").ok()?;
    let line = known.lines().find(|line| line.split(':').nth(2) == Some(uid.as_str()))?.to_owned();
    line.split(':').next().map(str::to_owned)
}

/// Two leavers: on the day due one's home goes, and the other's is on hold.
fn plays(by_helper: bool) {
    let (agency, slapd, mut site) = adopted(320).unwrap();
    site.stop().unwrap();
    let way = match by_helper {
        true => format!("helper: {}", site.path("helper.sock").display()),
        false => "in_process: true".into(),
    };
    let root = homes_in(&site, &way).unwrap();
    let _door = by_helper.then(|| Door::open(&site, &own_account()).unwrap());
    let leavers = agency.ordinary_leavers(2);
    let user_id = |index: usize| agency.people[leavers[index]].user_id().unwrap().to_owned();
    let (gone, held) = (user_id(0), user_id(1));
    let (gone_home, held_home) = (home(&root, &gone).unwrap(), home(&root, &held).unwrap());
    let outside = site.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "kept").unwrap();
    symlink(&outside, gone_home.join("way-out")).unwrap();

    site.start().unwrap();
    let departures = leavers.iter().map(|leaver| Departure::on(*leaver, yesterday())).collect();
    let options = HrOptions::full(super::departure::today(), 2, departures);
    site.drop_file("hr-2.csv", agency.to_hr_csv(&options)).unwrap();
    for leaver in [&gone, &held] {
        site.wait_for("shut", || Ok(is_shut(&account(&slapd, leaver)?))).unwrap();
        site.wait_for("dated", || {
            let due = site.json(&["due"])?.to_string();
            Ok(due.contains(&format!("delete home directory of {leaver}")))
        })
        .unwrap();
    }
    let hold = ["hold", "place", &held, "--authority", "General Counsel", "--reason", "Case 1"];
    site.printed(&[&hold[..], &["--review-on", "2099-01-01"]].concat()).unwrap();
    assert!(site.stop().unwrap());
    assert!(gone_home.join("letters/one").exists(), "not before its day");

    // 200 days on, past every period of the example.
    let then = super::departure::today().checked_add(jiff::Span::new().days(200)).unwrap();
    site.set_clock(&format!("{then} 12:00:00"));
    site.start().unwrap();
    site.wait_for("the home is gone", || Ok(!gone_home.exists())).unwrap();
    let audit = || site.json(&["audit", "list", "--person", &gone]);
    let deletion = format!("delete home directory of {gone}");
    // What the row of an event of the deletion says.
    let told = |audit: &Value, event: &str| {
        let rows = audit["rows"].as_array().cloned().unwrap_or_default();
        let of_event = rows.iter().filter(|row| row["event"] == event);
        let details = of_event.filter_map(|row| row["detail"].as_str());
        let mut details = details.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        details.find(|detail| detail["do"].as_str() == Some(deletion.as_str()))
    };
    site.wait_for("read back", || Ok(told(&audit()?, "step.verified").is_some())).unwrap();
    let record = told(&audit().unwrap(), "step.done").unwrap();
    // A letter, and the link, which is a file without bytes.
    assert_eq!(record["gone"]["files"], serde_json::json!(["2"]), "{record}");
    assert_eq!(record["gone"]["bytes"], serde_json::json!(["8"]), "{record}");
    assert_eq!(record["gone"]["deleted"], serde_json::json!([gone_home.display().to_string()]));
    assert!(held_home.join("letters/one").exists(), "a hold was passed over");
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "kept");
    let left: Vec<_> = fs::read_dir(root.join(".lapsed-quarantine")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_home_is_gone_on_its_day_and_one_on_hold_stays() {
    plays(false);
}

#[test]
fn the_helper_deletes_a_home_that_the_daemon_asks_for() {
    plays(true);
}

/// What the audit says of the deletion of somebody's home: the detail of every row of one event.
fn deletion_rows(site: &Site, user_id: &str, event: &str) -> Done<String> {
    let audit = site.json(&["audit", "list", "--person", user_id])?;
    let rows = audit["rows"].as_array().cloned().unwrap_or_default();
    let of_event = rows.iter().filter(|row| row["event"] == event);
    let details = of_event.filter_map(|row| row["detail"].as_str());
    let about = format!("delete home directory of {user_id}");
    Ok(details.filter(|detail| detail.contains(&about)).collect())
}

#[test]
fn a_home_that_another_account_has_stays_and_none_is_touched_while_nobody_can_be_asked() {
    let (agency, mut slapd, mut site) = adopted(320).unwrap();
    site.stop().unwrap();
    let root = homes_in(&site, "in_process: true").unwrap();
    let leavers = agency.ordinary_leavers(3);
    let user_id = |index: usize| agency.people[leavers[index]].user_id().unwrap().to_owned();
    let (gone, shared, sharer) = (user_id(0), user_id(1), user_id(2));
    let (gone_home, shared_home) = (home(&root, &gone).unwrap(), home(&root, &shared).unwrap());
    let sharer_dn = lapsed_tests::agency::Agency::openldap_dn(slapd.base(), &sharer);
    let change = format!(
        "dn: {sharer_dn}\nchangetype: modify\nreplace: homeDirectory\nhomeDirectory: {}/\n",
        shared_home.display()
    );
    slapd.load_ldif(&change).unwrap();
    site.start().unwrap();
    let departures = leavers[..2].iter().map(|leaver| Departure::on(*leaver, yesterday()));
    let options = HrOptions::full(super::departure::today(), 2, departures.collect());
    site.drop_file("hr-2.csv", agency.to_hr_csv(&options)).unwrap();
    for leaver in [&gone, &shared] {
        site.wait_for("dated", || {
            let due = site.json(&["due"])?.to_string();
            Ok(is_shut(&account(&slapd, leaver)?)
                && due.contains(&format!("delete home directory of {leaver}")))
        })
        .unwrap();
    }
    let list = site.json(&["set-aside", "list"]).unwrap().to_string();
    assert!(list.contains(&format!("the home of {shared} is also that of {sharer}")), "{list}");
    assert!(site.stop().unwrap());

    slapd.stop().unwrap();
    let then = super::departure::today().checked_add(jiff::Span::new().days(200)).unwrap();
    site.set_clock(&format!("{then} 12:00:00"));
    site.start().unwrap();
    site.wait_for("waiting for the directory", || {
        Ok(deletion_rows(&site, &gone, "step.waiting")?.contains("can't be asked"))
    })
    .unwrap();
    assert!(gone_home.exists() && shared_home.exists());

    slapd.start().unwrap();
    site.wait_for("the home is gone", || Ok(!gone_home.exists())).unwrap();
    site.wait_for("drifted", || {
        let said = deletion_rows(&site, &shared, "step.drifted")?;
        Ok(said.contains(&format!("the home of {shared} is also that of {sharer}")))
    })
    .unwrap();
    assert!(shared_home.join("letters/one").exists());
}

fn request(user_id: &str, directory: &str) -> String {
    format!(
        r#"{{"connector":"homes","call":{{"delete":{{"order":{{"step":"{}","user_id":"{user_id}","home":{directory}}},"seconds":30}}}}}}"#,
        uuid::Uuid::nil()
    )
}

/// A site without a directory: the helper reads the configuration and nothing else.
fn alone() -> Site {
    let nowhere = lapsed_tests::site::DirectoryAt {
        kind: "openldap",
        url: "ldaps://localhost:1".into(),
        base: "dc=dmh,dc=test".into(),
        ca: "/nowhere/ca.pem".into(),
        bind_dn: "cn=lapsed".into(),
        password_file: "/nowhere/password".into(),
    };
    Site::beside(&nowhere).unwrap()
}

#[test]
fn the_helper_answers_the_daemons_account_only_and_nothing_outside_its_roots() {
    let site = alone();
    let helper = format!("helper: {}", site.path("helper.sock").display());
    let root = homes_in(&site, &helper).unwrap();
    let home = home(&root, "mzsmitj").unwrap();
    let outside = site.path("outside");
    fs::create_dir(&outside).unwrap();

    let foreign = Door::open(&site, "nobody").unwrap();
    let reply = foreign.ask(&request("mzsmitj", "null")).unwrap();
    assert!(reply.contains("daemon's account only"), "{reply}");
    assert!(home.exists());
    drop(foreign);

    let door = Door::open(&site, &own_account()).unwrap();
    for (user_id, directory) in
        [("../outside", "null"), ("..", "null"), (".lapsed-quarantine", "null")]
    {
        let reply = door.ask(&request(user_id, directory)).unwrap();
        assert!(reply.contains("refused"), "{reply}");
    }
    let reply = door.ask("{\"path\": \"/etc\"}").unwrap();
    assert!(reply.contains("does not understand"), "{reply}");
    assert!(home.exists() && outside.exists());

    // A configuration that others may write is not root's word.
    fs::set_permissions(site.config(), Permissions::from_mode(0o666)).unwrap();
    let reply = door.ask(&request("mzsmitj", "null")).unwrap();
    assert!(reply.contains("must belong to root"), "{reply}");
    fs::set_permissions(site.config(), Permissions::from_mode(0o644)).unwrap();
    let reply = door.ask(&request("mzsmitj", "null")).unwrap();
    assert!(reply.contains("changed"), "{reply}");
    assert!(!home.exists());
}

/// Names in a folder and everything below it.
fn entries(folder: &Path) -> usize {
    let Ok(found) = fs::read_dir(folder) else { return 0 };
    found.flatten().map(|entry| 1 + entries(&entry.path())).sum()
}

#[test]
fn a_helper_killed_in_the_middle_leaves_nothing_half_there_and_the_next_goes_on() {
    const FILES: usize = 20_000;
    let site = alone();
    let root = homes_in(&site, "in_process: true\n    files_per_second: 5000").unwrap();
    let home = home(&root, "mzsmitj").unwrap();
    for number in 0..FILES {
        fs::write(home.join("letters").join(number.to_string()), "").unwrap();
    }
    let start = || {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(request("mzsmitj", "null").as_bytes()).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut helper = site.command(&["helper", "--for", &own_account()]);
        helper.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        (ours, helper.spawn().unwrap())
    };
    let waiting = root.join(".lapsed-quarantine").join(uuid::Uuid::nil().to_string());
    let (_reply, mut helper) = start();
    site.wait_for("some are deleted", || {
        let left = entries(&waiting);
        Ok(left > 0 && left < FILES)
    })
    .unwrap();
    helper.kill().unwrap();
    helper.wait().unwrap();
    assert!(!home.exists() && entries(&waiting) > 0);

    let (mut reply, mut helper) = start();
    let mut said = String::new();
    reply.read_to_string(&mut said).unwrap();
    helper.wait().unwrap();
    // The number is that of the first look, before the crash.
    assert!(said.contains("changed") && said.contains(&(FILES + 1).to_string()), "{said}");
    assert_eq!(entries(&root.join(".lapsed-quarantine")), 0);
}
