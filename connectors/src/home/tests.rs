//! Deletions on a real file system, in a folder of the test's own.

use super::folders::{Pace, count, empty, open_root};
use super::helper::{Call, Caller, Reply, Request, answer};
use super::keeper::{Keeper, Order};
use super::place::locate;
use super::settings::{HomeSettings, OwnerCheck};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::{ConnectorName, UserId};
use lapsed_core::step::{Fault, Outcome, Seen, StepId};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

mod making;

struct Homes {
    folder: TempDir,
    settings: HomeSettings,
}

fn settings(root: &Path) -> HomeSettings {
    let root = root.display();
    serde_json::from_value(json!({
        "kind": "home",
        "roots": [root.to_string()],
        "path": format!("{root}/{{{{ user_id }}}}"),
        "owner_check": "off",
        "in_process": true,
    }))
    .unwrap()
}

impl Homes {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The test's folder may itself be reached by a link.
        let root = folder.path().canonicalize().unwrap().join("home");
        let quarantine = root.join(".lapsed-quarantine");
        fs::create_dir_all(&quarantine).unwrap();
        fs::set_permissions(&quarantine, Permissions::from_mode(0o700)).unwrap();
        Self { settings: settings(&root), folder }
    }

    fn root(&self) -> PathBuf {
        self.settings.roots[0].clone()
    }

    /// A home with two files, one of them in a folder: 11 bytes.
    fn home(&self, user_id: &str) -> PathBuf {
        let home = self.root().join(user_id);
        fs::create_dir_all(home.join("letters")).unwrap();
        fs::write(home.join("plan"), "12345").unwrap();
        fs::write(home.join("letters/one"), "123456").unwrap();
        home
    }

    fn outside(&self) -> PathBuf {
        let outside = self.folder.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("precious"), "kept").unwrap();
        outside
    }

    fn keeper(&self) -> Keeper {
        assert_eq!(self.settings.problems(), []);
        Keeper::new(self.settings.clone())
    }

    fn delete(&self, user_id: &str) -> Result<Outcome, Fault> {
        self.delete_at(user_id, Timestamp::UNIX_EPOCH)
    }

    fn delete_at(&self, user_id: &str, now: Timestamp) -> Result<Outcome, Fault> {
        self.keeper().delete(&order(user_id), soon(), now)
    }

    fn quarantined(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root().join(".lapsed-quarantine")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn order(user_id: &str) -> Order {
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, user_id.as_bytes());
    Order {
        step: StepId(id),
        user_id: UserId::new(user_id).unwrap(),
        home: None,
        case: uuid::Uuid::nil(),
        uid_number: None,
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: {test} needs root");
    }
    root
}

fn refusal(result: Result<Outcome, Fault>) -> String {
    match result {
        Err(Fault::Refused(cause)) => cause.to_string(),
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn a_home_is_deleted_with_its_files_and_bytes_on_the_receipt_and_seen_gone() {
    let homes = Homes::new();
    let (home, other) = (homes.home("mzsmitj"), homes.home("mbdoej"));
    assert!(matches!(homes.keeper().read_back(&order("mzsmitj")), Ok(Seen::Otherwise(_))));
    let Ok(Outcome::Changed(receipt)) = homes.delete("mzsmitj") else { panic!("not deleted") };
    assert_eq!(receipt.before["files"], ["2"]);
    assert_eq!(receipt.before["bytes"], ["11"]);
    assert_eq!(receipt.before["deleted"], [home.display().to_string()]);
    assert!(!home.exists() && other.join("plan").exists());
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
    assert_eq!(homes.keeper().read_back(&order("mzsmitj")), Ok(Seen::AsWanted));
    assert_eq!(homes.delete("mzsmitj"), Ok(Outcome::AlreadySo));
}

#[test]
fn links_within_a_home_are_deleted_and_not_followed() {
    let homes = Homes::new();
    let (home, outside) = (homes.home("mzsmitj"), homes.outside());
    symlink(&outside, home.join("letters/way-out")).unwrap();
    symlink(outside.join("precious"), home.join("file")).unwrap();
    fs::hard_link(outside.join("precious"), home.join("hard")).unwrap();
    assert!(matches!(homes.delete("mzsmitj"), Ok(Outcome::Changed(_))));
    assert!(!home.exists());
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "kept");
}

#[test]
fn a_home_that_is_a_link_is_refused_and_what_it_leads_to_stays() {
    let homes = Homes::new();
    let outside = homes.outside();
    symlink(&outside, homes.root().join("mzsmitj")).unwrap();
    let why = refusal(homes.delete("mzsmitj"));
    assert!(why.contains("symbolic link"), "{why}");
    assert!(outside.join("precious").exists());
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
}

#[test]
fn a_folder_above_the_home_that_is_a_link_is_refused() {
    let mut homes = Homes::new();
    homes.settings.path = Some(format!("{}/z/{{{{ user_id }}}}", homes.root().display()));
    let outside = homes.outside();
    fs::create_dir(outside.join("mzsmitj")).unwrap();
    symlink(&outside, homes.root().join("z")).unwrap();
    let why = refusal(homes.delete("mzsmitj"));
    assert!(why.contains("symbolic link"), "{why}");
    assert!(outside.join("mzsmitj").exists());
}

#[test]
fn a_folder_exchanged_for_a_link_at_any_moment_never_leads_outside() {
    let homes = Homes::new();
    let outside = homes.outside();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (root, outside, stop) = (homes.root(), &outside, &stop);
        scope.spawn(move || {
            let (home, aside) = (root.join("mzsmitj"), root.join("aside"));
            let fresh = root.join("fresh");
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Home and its inner folder in turn are a folder and a link to the outside. The inner one
                // is named by its open folder: a link that was put back must not lead this thread out.
                let _ = fs::create_dir_all(fresh.join("inner"));
                let folder = open_root(&fresh).unwrap();
                let _ = fs::rename(&fresh, &home);
                let _ = rustix::fs::renameat(&folder, "inner", &folder, "was");
                let _ = rustix::fs::symlinkat(outside, &folder, "inner");
                let _ = fs::rename(&home, &aside);
                let _ = symlink(outside, &home);
                let _ = fs::remove_file(&home);
                let _ = fs::remove_dir_all(&aside);
                let _ = fs::remove_dir_all(&fresh);
            }
        });
        for _ in 0..300 {
            let _ = homes.delete("mzsmitj");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "kept");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_mount_in_a_home_is_refused_before_anything_is_moved() {
    if !is_root("a mount in a home") {
        return;
    }
    let homes = Homes::new();
    let (home, outside) = (homes.home("mzsmitj"), homes.outside());
    let at = home.join("letters/mounted");
    fs::create_dir(&at).unwrap();
    let mounted = Command::new("mount").arg("--bind").arg(&outside).arg(&at).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return eprintln!("SKIPPED: this machine allows no bind mount");
    }
    let result = homes.delete("mzsmitj");
    let unmounted = Command::new("umount").arg(&at).status().unwrap();
    assert!(unmounted.success());
    let why = refusal(result);
    assert!(why.contains("mount point"), "{why}");
    assert!(outside.join("precious").exists() && home.join("plan").exists());
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
    assert!(matches!(homes.delete("mzsmitj"), Ok(Outcome::Changed(_))));
}

#[test]
fn a_home_of_another_owner_is_refused() {
    if !is_root("giving a home to another owner") {
        return;
    }
    let mut homes = Homes::new();
    homes.settings.owner_check = OwnerCheck::Name;
    let home = homes.home("daemon");
    let why = refusal(homes.delete("daemon"));
    assert!(why.contains("another account"), "{why}");
    assert!(home.join("plan").exists());
    let known = nix::unistd::User::from_name("daemon").unwrap().unwrap();
    chown(&home, Some(known.uid.as_raw()), None).unwrap();
    assert!(matches!(homes.delete("daemon"), Ok(Outcome::Changed(_))));
    homes.home("mzsmitj");
    let why = refusal(homes.delete("mzsmitj"));
    assert!(why.contains("knows no account"), "{why}");
}

#[test]
fn an_unreadable_folder_is_deleted_by_who_may_and_refused_to_who_may_not() {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    fs::set_permissions(home.join("letters"), Permissions::from_mode(0o000)).unwrap();
    let result = homes.delete("mzsmitj");
    if rustix::process::geteuid().is_root() {
        assert!(matches!(result, Ok(Outcome::Changed(_))), "{result:?}");
        assert!(!home.exists());
    } else {
        let why = refusal(result);
        assert!(why.contains("rights"), "{why}");
        assert!(home.exists());
    }
}

#[test]
fn names_that_are_no_text_are_deleted() {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    let name = OsStr::from_bytes(b"caf\xe9\xff");
    fs::create_dir(home.join(name)).unwrap();
    fs::write(home.join(name).join(OsStr::from_bytes(b"\x80\n")), "x").unwrap();
    assert!(matches!(homes.delete("mzsmitj"), Ok(Outcome::Changed(_))));
    assert!(!home.exists());
}

#[test]
fn a_tree_deeper_than_paths_can_say_is_deleted_with_few_open_files() {
    let homes = Homes::new();
    let mut at = open_root(&{
        let home = homes.home("mzsmitj");
        fs::write(home.join("lapsed-1-0"), "a name like those that are made here").unwrap();
        home
    })
    .unwrap();
    for _ in 0..3_000 {
        rustix::fs::mkdirat(&at, "deep", rustix::fs::Mode::from(0o700)).unwrap();
        at = super::folders::open_below(&at, "deep").unwrap();
    }
    drop(at);
    let Ok(Outcome::Changed(receipt)) = homes.delete("mzsmitj") else { panic!("not deleted") };
    assert_eq!(receipt.before["files"], ["at least 3"]);
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
}

#[test]
fn twenty_thousand_files_are_deleted_in_slices_and_counted_once() {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    for folder in 0..20 {
        let folder = home.join(format!("f{folder}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..1_000 {
            fs::write(folder.join(file.to_string()), "").unwrap();
        }
    }
    let mut slices = 0;
    let receipt = loop {
        slices += 1;
        let until = Instant::now() + Duration::from_millis(100);
        match homes.keeper().delete(&order("mzsmitj"), until, Timestamp::UNIX_EPOCH) {
            Ok(Outcome::Changed(receipt)) => break receipt,
            Ok(Outcome::Partly { again_at: None, .. }) => {
                assert!(!home.exists(), "nothing can be half there");
                let seen = homes.keeper().read_back(&order("mzsmitj"));
                assert!(matches!(seen, Ok(Seen::Otherwise(_))), "{seen:?}");
            }
            other => panic!("{other:?}"),
        }
        assert!(slices < 1_000);
    };
    assert!(slices > 1, "one slice was enough: make the test larger");
    assert!(
        receipt.before["files"][0].contains("20002")
            || receipt.before["files"][0].starts_with("at least")
    );
}

/// What a crash leaves: after the note, after the move, in the middle, and before the note went.
#[rstest]
#[case::before_the_move("note home")]
#[case::after_the_move("note moved")]
#[case::in_the_middle("note half")]
#[case::before_the_note_went("note")]
fn a_crash_at_any_point_is_taken_up_again(#[case] left: &str) {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    let entry = order("mzsmitj").step.to_string();
    let quarantine = homes.root().join(".lapsed-quarantine");
    let note = json!({
        "from": home, "user_id": "mzsmitj", "counted": {"files": 2, "bytes": 11, "whole": true},
    });
    fs::write(quarantine.join(format!("{entry}.json")), note.to_string()).unwrap();
    if left != "note home" {
        fs::rename(&home, quarantine.join(&entry)).unwrap();
    }
    if left == "note half" {
        fs::remove_file(quarantine.join(&entry).join("plan")).unwrap();
    }
    if left == "note" {
        fs::remove_dir_all(quarantine.join(&entry)).unwrap();
    }
    let Ok(Outcome::Changed(receipt)) = homes.delete("mzsmitj") else { panic!("{left}") };
    assert_eq!(receipt.before["files"], ["2"], "{left}");
    assert!(!home.exists());
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
    assert_eq!(homes.delete("mzsmitj"), Ok(Outcome::AlreadySo));
}

fn at(hours: i64) -> Timestamp {
    let due: Timestamp = "2026-05-31T05:00:00Z".parse().unwrap();
    due.checked_add(SignedDuration::from_hours(hours)).unwrap()
}

#[test]
fn a_home_stays_whole_in_quarantine_until_its_days_are_over() {
    let mut homes = Homes::new();
    homes.settings.grace_days = 7;
    let home = homes.home("mzsmitj");
    let inside = homes.root().join(".lapsed-quarantine").join(order("mzsmitj").step.to_string());
    // The later calls are those after a crash or a restart: each is a new keeper.
    for hours in [0, 1, 7 * 24 - 1] {
        let Ok(Outcome::Partly { found, again_at }) = homes.delete_at("mzsmitj", at(hours)) else {
            panic!("not in quarantine")
        };
        assert_eq!(
            found.description,
            "in quarantine since 2026-05-31 05:00 UTC, deleted on 2026-06-07 05:00 UTC"
        );
        assert_eq!(again_at, Some(at(7 * 24)));
        assert!(!home.exists() && inside.join("letters/one").exists());
        let seen = homes.keeper().read_back(&order("mzsmitj"));
        assert!(matches!(seen, Ok(Seen::Otherwise(_))), "{seen:?}");
    }
    let Ok(Outcome::Changed(receipt)) = homes.delete_at("mzsmitj", at(7 * 24)) else {
        panic!("not deleted")
    };
    assert_eq!(receipt.before["files"], ["2"]);
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
}

#[test]
fn a_note_that_is_lost_never_shortens_the_days_in_quarantine() {
    let mut homes = Homes::new();
    homes.settings.grace_days = 1;
    homes.home("mzsmitj");
    let before = Timestamp::now();
    assert!(matches!(homes.delete_at("mzsmitj", before), Ok(Outcome::Partly { .. })));
    let quarantine = homes.root().join(".lapsed-quarantine");
    fs::remove_file(quarantine.join(format!("{}.json", order("mzsmitj").step))).unwrap();
    let after = |hours| before.checked_add(SignedDuration::from_hours(hours)).unwrap();
    assert!(matches!(homes.delete_at("mzsmitj", after(23)), Ok(Outcome::Partly { .. })));
    assert!(matches!(homes.delete_at("mzsmitj", after(25)), Ok(Outcome::Changed(_))));
}

#[rstest]
#[case::the_owners(|own| Some(own), None)]
#[case::anothers(|own| Some(own + 1), Some("another account"))]
#[case::roots(|_| Some(0), Some("root's"))]
#[case::none(|_| None, Some("named no `uidNumber`"))]
fn a_home_belongs_to_the_number_that_the_directory_named(
    #[case] number: fn(u32) -> Option<u32>,
    #[case] refused: Option<&str>,
) {
    if !is_root("giving a home to another owner") {
        return;
    }
    let mut homes = Homes::new();
    homes.settings.owner_check = OwnerCheck::Uid;
    let home = homes.home("mzsmitj");
    chown(&home, Some(4_711), None).unwrap();
    let order = Order { uid_number: number(4_711), ..order("mzsmitj") };
    let result = homes.keeper().delete(&order, soon(), at(0));
    match refused {
        None => assert!(matches!(result, Ok(Outcome::Changed(_))), "{result:?}"),
        Some(why) => {
            let said = refusal(result);
            assert!(said.contains(why), "{said}");
            assert!(home.join("plan").exists());
        }
    }
}

#[test]
fn an_empty_mount_point_never_reads_as_homes_that_are_gone() {
    let homes = Homes::new();
    fs::remove_dir(homes.root().join(".lapsed-quarantine")).unwrap();
    let deleted = homes.delete("mzsmitj");
    assert!(
        matches!(&deleted, Err(Fault::Retry(cause)) if cause.message.contains("mounted")),
        "{deleted:?}"
    );
    assert!(homes.keeper().read_back(&order("mzsmitj")).is_err());
    assert!(homes.keeper().probe().iter().all(|line| line.problem.is_some()));
}

#[test]
fn a_quarantine_that_others_can_open_is_not_used() {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    let quarantine = homes.root().join(".lapsed-quarantine");
    fs::set_permissions(quarantine, Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(homes.delete("mzsmitj"), Err(Fault::Retry(_))));
    assert!(home.exists());
}

#[test]
fn files_are_deleted_no_faster_than_the_rate() {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    for file in 0..60 {
        fs::write(home.join(file.to_string()), "").unwrap();
    }
    let top = open_root(&home).unwrap();
    let began = Instant::now();
    empty(&top, &mut Pace::new(soon(), Some(200))).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!(count(&top, soon()).unwrap().files, 0);
}

#[rstest]
#[case::up("mzsmitj", "{root}/../{{ user_id }}")]
#[case::another_root("mzsmitj", "/etc/{{ user_id }}")]
#[case::the_root_itself("home", "{up}/{{ user_id }}")]
#[case::the_quarantine(".lapsed-quarantine", "{root}/{{ user_id }}")]
#[case::dots("..", "{root}/{{ user_id }}")]
#[case::a_slash("../../etc", "{root}/{{ user_id }}")]
#[case::unknown_variable("mzsmitj", "{root}/{{ name }}")]
fn a_place_outside_is_no_place(#[case] user_id: &str, #[case] path: &str) {
    let mut homes = Homes::new();
    let up = homes.root().parent().unwrap().display().to_string();
    let root = homes.root().display().to_string();
    homes.settings.path = Some(path.replace("{root}", &root).replace("{up}", &up));
    let place = locate(&homes.settings, &UserId::new(user_id).unwrap(), None);
    assert!(place.is_err(), "{place:?}");
    // Whoever skips the check of the settings is stopped here all the same.
    let result =
        Keeper::new(homes.settings.clone()).delete(&order(user_id), soon(), Timestamp::UNIX_EPOCH);
    assert!(matches!(result, Err(Fault::Refused(_))), "{result:?}");
    assert!(homes.root().join(".lapsed-quarantine").exists());
}

#[rstest]
#[case::share(Some(r"\\FILES\Home$\mzsmitj"), Some("/srv/homes/mzsmitj"))]
#[case::slashes(Some("//files/home$/mzsmitj"), Some("/srv/homes/mzsmitj"))]
#[case::folder_between(Some(r"\\files\home$\z\MZSmitJ"), Some("/srv/homes/z/MZSmitJ"))]
#[case::a_path(Some("/srv/homes/mzsmitj"), Some("/srv/homes/mzsmitj"))]
#[case::shared(Some(r"\\files\home$\nurses"), None)]
#[case::another_share(Some(r"\\files\home\mzsmitj"), None)]
#[case::the_share_itself(Some(r"\\files\home$"), None)]
#[case::up(Some(r"\\files\home$\..\mzsmitj"), None)]
#[case::another_folder(Some("/home/mzsmitj"), None)]
#[case::empty(Some(" "), None)]
#[case::none(None, None)]
fn the_directorys_word_becomes_a_place(#[case] home: Option<&str>, #[case] wanted: Option<&str>) {
    let mut settings = settings(Path::new("/srv/homes"));
    settings.path = None;
    let from = json!({"shares": {r"\\files\home$": "/srv/homes"}});
    settings.from_directory = Some(serde_json::from_value(from).unwrap());
    assert_eq!(settings.problems(), []);
    let place = locate(&settings, &UserId::new("mzsmitj").unwrap(), home);
    assert_eq!(place.ok().map(|place| place.shown()).as_deref(), wanted);
}

#[rstest]
#[case::no_root("roots", json!([]), "roots")]
#[case::everything("roots", json!(["/"]), "roots")]
#[case::relative("roots", json!(["home"]), "roots")]
#[case::up("roots", json!(["/home/.."]), "roots")]
#[case::the_same_for_everyone("path", json!("/home/all"), "path")]
#[case::outside("path", json!("/etc/{{ user_id }}"), "path")]
#[case::nothing("path", json!(null), "path")]
#[case::two_ways("from_directory", json!({}), "path")]
#[case::quarantine("quarantine", json!("a/b"), "quarantine")]
#[case::quarantine_up("quarantine", json!(".."), "quarantine")]
#[case::nowhere("in_process", json!(false), "helper")]
#[case::twice("helper", json!("/run/helper.sock"), "helper")]
fn what_cannot_work_is_named_by_its_key(
    #[case] key: &str,
    #[case] value: Value,
    #[case] named: &str,
) {
    let mut written = serde_json::to_value(settings(Path::new("/home"))).unwrap();
    written[key] = value;
    let settings: HomeSettings = serde_json::from_value(written).unwrap();
    let keys: Vec<_> = settings.problems().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, [named]);
}

#[test]
fn the_helper_works_out_every_place_by_itself() {
    let homes = Homes::new();
    let home = homes.home("mzsmitj");
    let name = ConnectorName::new("homes").unwrap();
    let known = BTreeMap::from([(name.clone(), homes.settings.clone())]);
    let line = |connector: &str, order: Order| {
        let call = Call::Delete { order, seconds: 60 };
        let connector = ConnectorName::new(connector).unwrap();
        serde_json::to_string(&Request { connector, call }).unwrap()
    };
    let strange = [
        "".to_owned(),
        "{}".to_owned(),
        line("others", order("mzsmitj")),
        line("homes", order("../outside")),
        line("homes", order("mzsmitj")).replace("\"home\"", "\"path\":\"/etc\",\"home\""),
    ];
    for strange in strange {
        let reply = answer(&strange, &known, Caller::Daemon);
        assert!(matches!(reply, Reply::Failed(Fault::Refused(_))), "{strange}: {reply:?}");
    }
    assert!(home.exists());
    let checking = answer(&line("homes", order("mzsmitj")), &known, Caller::Checker);
    assert!(matches!(checking, Reply::Failed(Fault::Refused(_))), "{checking:?}");
    assert!(home.exists());
    // The directory's word counts only where the helper's own settings say so.
    let lured = Order { home: Some("/etc".into()), ..order("mzsmitj") };
    let reply = answer(&line("homes", lured), &known, Caller::Daemon);
    assert!(matches!(reply, Reply::Deleted(Outcome::Changed(_))), "{reply:?}");
    assert!(!home.exists());
}
