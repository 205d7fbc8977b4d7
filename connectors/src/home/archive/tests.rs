//! Copies on real file systems, in folders of the tests' own.

use super::kept::Notes;
use super::{ArchiveOrder, archive, read_back};
use crate::home::folders::open_root;
use crate::home::keeper::{Keeper, Order};
use crate::home::settings::HomeSettings;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, StepId};
use rstest::rstest;
use serde_json::json;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

struct Place {
    folder: TempDir,
    keeper: Keeper,
}

impl Place {
    fn new() -> Self {
        Self::with(u64::MAX)
    }

    fn with(max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let quarantine = base.join("home/.lapsed-quarantine");
        fs::create_dir_all(&quarantine).unwrap();
        fs::create_dir_all(base.join("archives")).unwrap();
        fs::set_permissions(&quarantine, Permissions::from_mode(0o700)).unwrap();
        let shown = base.display();
        let settings: HomeSettings = serde_json::from_value(json!({
            "kind": "home", "roots": [format!("{shown}/home")],
            "path": format!("{shown}/home/{{{{ user_id }}}}"), "owner_check": "off", "in_process": true,
            "archive": {"folder": format!("{shown}/archives/{{{{ recipient }}}}"), "max_bytes": max_bytes},
        }))
        .unwrap();
        assert_eq!(settings.problems(), []);
        Self { folder, keeper: Keeper::new(settings) }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(below)
    }

    /// A home with two files, one of them in a folder: 11 bytes.
    fn home(&self) -> PathBuf {
        let home = self.path("home/mzsmitj");
        fs::create_dir_all(home.join("letters")).unwrap();
        fs::write(home.join("plan"), "12345").unwrap();
        fs::write(home.join("letters/one"), "123456").unwrap();
        home
    }

    fn keep(&self, wish: u128, paths: &[&str]) -> Result<Outcome, Fault> {
        archive(&self.keeper, &order(wish, paths), soon())
    }

    fn delete(&self) -> Result<Outcome, Fault> {
        self.keeper.delete(&home(), soon(), jiff::Timestamp::UNIX_EPOCH)
    }

    fn archive(&self, wish: u128) -> PathBuf {
        self.path(&format!("archives/mzroej/mzsmitj-{}.tar.zst", Uuid::from_u128(wish)))
    }

    fn listed(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(below)).unwrap();
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// What an independent program unpacks and checks.
    fn unpacked(&self, wish: u128) -> PathBuf {
        let to = self.path(&format!("unpacked-{wish}"));
        fs::create_dir(&to).unwrap();
        let decoded = Command::new("zstd").arg("-dc").arg(self.archive(wish)).output().unwrap();
        assert!(decoded.status.success(), "{decoded:?}");
        fs::write(to.join("all.tar"), decoded.stdout).unwrap();
        let unpacking =
            Command::new("tar").arg("-C").arg(&to).arg("-xf").arg(to.join("all.tar")).output();
        let unpacking = unpacking.unwrap();
        assert!(unpacking.status.success(), "{unpacking:?}");
        let checked = Command::new("sha256sum")
            .args(["--check", "--strict", "MANIFEST.sha256"])
            .current_dir(&to)
            .output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{checked:?}");
        to.join("mzsmitj")
    }
}

fn home() -> Order {
    Order {
        step: StepId(Uuid::from_u128(1)),
        user_id: UserId::new("mzsmitj").unwrap(),
        home: None,
        case: Uuid::from_u128(99),
        uid_number: None,
    }
}

fn order(wish: u128, paths: &[&str]) -> ArchiveOrder {
    ArchiveOrder {
        home: Order { step: StepId(Uuid::from_u128(wish)), ..home() },
        wish: Uuid::from_u128(wish),
        paths: paths.iter().map(ToString::to_string).collect(),
        recipient: UserId::new("mzroej").unwrap(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

fn has_zstd(test: &str) -> bool {
    let has = Command::new("zstd").arg("--version").output().is_ok();
    if !has {
        eprintln!("SKIPPED: {test} needs the program zstd");
    }
    has
}

fn changed(result: Result<Outcome, Fault>) -> Receipt {
    match result {
        Ok(Outcome::Changed(receipt)) => receipt,
        other => panic!("{other:?} is no change"),
    }
}

fn refusal(result: Result<Outcome, Fault>) -> String {
    match result {
        Err(Fault::Refused(cause)) => cause.to_string(),
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn a_copy_has_every_file_and_is_checked_by_others() {
    if !has_zstd("the witness of archives") {
        return;
    }
    let place = Place::new();
    let home = place.home();
    let odd = OsStr::from_bytes(b"caf\xe9 \\ \n name");
    fs::write(home.join(odd), "not text").unwrap();
    fs::write(home.join("letters").join("n".repeat(250)), "long").unwrap();
    symlink("/etc/passwd", home.join("way-out")).unwrap();
    let receipt = changed(place.keep(7, &[]));
    assert_eq!(receipt.before["files"], ["5"]);
    assert_eq!(receipt.before["bytes"], ["23"]);
    assert_eq!(receipt.before["archived"], [place.archive(7).display().to_string()]);
    assert_eq!(receipt.before["manifest_sha256"][0].len(), 64);
    let unpacked = place.unpacked(7);
    assert_eq!(fs::read_to_string(unpacked.join("letters/one")).unwrap(), "123456");
    assert_eq!(fs::read_to_string(unpacked.join(odd)).unwrap(), "not text");
    assert_eq!(fs::read_link(unpacked.join("way-out")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(read_back(&place.keeper, &order(7, &[])), Ok(Seen::AsWanted));
    assert_eq!(fs::metadata(place.archive(7)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn only_listed_paths_are_copied_and_twice_is_once() {
    let place = Place::new();
    place.home();
    let first = changed(place.keep(7, &["letters", "letters/one"]));
    assert_eq!(first.before["files"], ["1"], "a path below another is in it once");
    let made = fs::metadata(place.archive(7)).unwrap().modified().unwrap();
    assert_eq!(changed(place.keep(7, &["letters", "letters/one"])), first);
    assert_eq!(fs::metadata(place.archive(7)).unwrap().modified().unwrap(), made);
    assert_eq!(place.listed("archives/mzroej").len(), 1, "no part is left");
}

#[test]
fn a_home_goes_after_its_copy_and_the_notes_with_it() {
    let place = Place::new();
    let home = place.home();
    changed(place.keep(7, &[]));
    // The copy was handed over: the recipient may have moved it meanwhile.
    fs::remove_file(place.archive(7)).unwrap();
    changed(place.delete());
    assert!(!home.exists());
    assert_eq!(place.listed("home/.lapsed-quarantine"), [] as [&str; 0]);
}

#[rstest]
#[case::new("letters/two", "came later")]
#[case::changed("letters/one", "another text")]
fn what_came_or_changed_after_its_copy_keeps_the_home(#[case] path: &str, #[case] text: &str) {
    let place = Place::new();
    let home = place.home();
    changed(place.keep(7, &["letters"]));
    fs::write(home.join(path), text).unwrap();
    let why = refusal(place.delete());
    assert!(why.starts_with("1 files that are to be kept"), "{why}");
    assert!(home.join("letters/one").exists() && home.join("plan").exists());
    // Wished for again, the copies together have all of it.
    changed(place.keep(8, &["letters"]));
    changed(place.delete());
    assert!(!home.exists());
}

#[test]
fn what_nobody_listed_may_change() {
    let place = Place::new();
    let home = place.home();
    changed(place.keep(7, &["letters"]));
    fs::write(home.join("plan"), "another").unwrap();
    changed(place.delete());
    assert!(!home.exists());
}

#[rstest]
#[case::no_such_path(&["letters", "gone/away"], "1 of the listed paths")]
#[case::up(&["../mbdoej"], "no path below a home")]
fn what_is_not_there_is_said_and_nothing_is_left_half_made(
    #[case] paths: &[&str],
    #[case] says: &str,
) {
    let place = Place::new();
    place.home();
    let why = refusal(place.keep(7, paths));
    assert!(why.contains(says), "{why}");
    assert!(!place.path("archives/mzroej").exists() || place.listed("archives/mzroej").is_empty());
    let seen = read_back(&place.keeper, &order(7, paths));
    assert!(matches!(seen, Ok(Seen::Otherwise(_))), "{seen:?}");
}

#[test]
fn a_home_that_is_gone_or_too_large_is_refused() {
    let place = Place::with(10);
    let why = refusal(place.keep(7, &[]));
    assert!(why.contains("there is no home"), "{why}");
    place.home();
    let why = refusal(place.keep(7, &[]));
    assert!(why.contains("more than 10 bytes"), "{why}");
    assert_eq!(place.listed("archives/mzroej"), [] as [&str; 0]);
    changed(place.keep(8, &["plan"]));
}

#[test]
fn nothing_is_copied_through_a_link() {
    let place = Place::new();
    let home = place.home();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, home.join("shared")).unwrap();
    let receipt = changed(place.keep(7, &["shared"]));
    assert_eq!(
        (receipt.before["files"][0].as_str(), receipt.before["bytes"][0].as_str()),
        ("1", "0")
    );
    let why = refusal(place.keep(8, &["shared/secret"]));
    assert!(why.contains("symbolic link"), "{why}");
}

#[test]
fn an_archive_folder_that_is_a_link_is_not_used() {
    let place = Place::new();
    place.home();
    let elsewhere = place.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, place.path("archives/mzroej")).unwrap();
    assert!(place.keep(7, &[]).is_err());
    assert_eq!(place.listed("elsewhere"), [] as [&str; 0]);
}

#[test]
fn what_a_crash_left_is_begun_anew() {
    let place = Place::new();
    place.home();
    fs::create_dir(place.path("archives/mzroej")).unwrap();
    let part = format!("archives/mzroej/.mzsmitj-{}.tar.zst.part", Uuid::from_u128(7));
    fs::write(place.path(&part), "half an archive, much longer than the whole").unwrap();
    // Renamed, but not noted any more: nobody has said that it is there.
    fs::write(place.archive(7), "of before").unwrap();
    changed(place.keep(7, &[]));
    assert!(fs::metadata(place.archive(7)).unwrap().len() > 20);
    assert!(!place.path(&part).exists());
}

#[test]
fn a_copy_that_takes_longer_goes_on_and_is_made_once() {
    let place = Place::new();
    let home = place.home();
    for number in 0..3_000 {
        fs::write(home.join(number.to_string()), [b'x'; 2_000]).unwrap();
    }
    let mut later = 0;
    let receipt = loop {
        match archive(&place.keeper, &order(7, &[]), Instant::now()) {
            Ok(Outcome::Changed(receipt)) => break receipt,
            Ok(Outcome::Partly { .. }) => later += 1,
            other => panic!("{other:?}"),
        }
        assert!(later < 10_000);
    };
    assert!(later > 0, "it was made within one request: make the test larger");
    assert_eq!(receipt.before["files"], ["3002"]);
    super::wait_for_copies();
}

#[test]
fn asked_from_several_sides_at_once_a_copy_is_made_once_and_stays_whole() {
    for wish in 0..30 {
        let place = Place::new();
        place.home();
        let ask = || loop {
            match archive(&place.keeper, &order(wish, &[]), Instant::now()) {
                Ok(Outcome::Changed(receipt)) => break receipt,
                Ok(Outcome::Partly { .. }) => std::thread::yield_now(),
                other => panic!("{other:?}"),
            }
        };
        let receipts: Vec<Receipt> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(receipts, vec![receipts[0].clone(); 4]);
        assert_eq!(read_back(&place.keeper, &order(wish, &[])), Ok(Seen::AsWanted));
        assert_eq!(place.listed("archives/mzroej").len(), 1);
    }
}

#[test]
fn while_another_makes_the_copy_it_is_waited_for() {
    let place = Place::new();
    place.home();
    let quarantine = open_root(&place.path("home/.lapsed-quarantine")).unwrap();
    let turn = Notes::new(&quarantine, home().case).turn(Uuid::from_u128(7)).unwrap();
    let meanwhile = place.keep(7, &[]);
    assert!(matches!(&meanwhile, Ok(Outcome::Partly { .. })), "{meanwhile:?}");
    drop(turn);
    changed(place.keep(7, &[]));
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_deleted() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIPPED: a full disk needs root, to mount a small one");
    }
    let place = Place::new();
    let home = place.home();
    let mut noise = vec![0; 3_000_000];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut noise).unwrap();
    fs::write(home.join("large"), noise).unwrap();
    let small = place.path("archives");
    let mount = |arguments: &[&str]| {
        let done = Command::new("mount").args(arguments).arg(&small).status();
        done.is_ok_and(|status| status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=256k", "tmpfs"]) {
        return eprintln!("SKIPPED: this machine lets no tmpfs be mounted");
    }
    let full = place.keep(7, &[]);
    let left = place.listed("archives/mzroej");
    let larger = mount(&["-o", "remount,size=64m"]);
    let after = place.keep(7, &[]);
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert!(
        matches!(&full, Err(Fault::Retry(cause)) if cause.message.contains("full")),
        "{full:?}"
    );
    assert_eq!(left, [] as [&str; 0], "the part is taken away");
    assert!(larger);
    changed(after);
    assert!(home.join("large").exists());
}
