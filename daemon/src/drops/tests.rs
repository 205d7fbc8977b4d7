//! What the inbox takes and what it leaves alone.

use super::*;
use rstest::rstest;
use std::time::SystemTime;

struct Place {
    root: tempfile::TempDir,
    inbox: Inbox,
}

fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("inbox");
    fs::create_dir(&folder).unwrap();
    let inbox = Inbox::new(
        folder,
        root.path().join("accepted"),
        root.path().join("rejected"),
        Duration::from_secs(5),
    );
    Place { root, inbox }
}

fn names(ready: Vec<Ready>) -> Vec<String> {
    ready.into_iter().map(|r| r.shown()).collect()
}

#[test]
fn a_file_is_ready_once_it_has_not_changed_for_the_settling_time() {
    let mut p = place();
    let file = p.inbox.folder().join("hr.csv");
    fs::write(&file, "a").unwrap();
    let start = Instant::now();
    let later = |s| start + Duration::from_secs(s);
    assert!(p.inbox.ready(later(0), false, |_| false).unwrap().is_empty());
    fs::write(&file, "ab").unwrap();
    assert!(p.inbox.ready(later(6), false, |_| false).unwrap().is_empty());
    assert!(p.inbox.ready(later(8), false, |_| false).unwrap().is_empty());
    assert_eq!(names(p.inbox.ready(later(12), false, |_| false).unwrap()), ["hr.csv"]);
}

#[test]
fn a_closed_file_is_ready_at_once_but_not_without_the_done_file_that_its_feed_wants() {
    let mut p = place();
    fs::write(p.inbox.folder().join("hr.csv"), "a").unwrap();
    p.inbox.finished(OsStr::new("hr.csv"));
    let now = Instant::now();
    assert!(p.inbox.ready(now, false, |_| true).unwrap().is_empty());
    assert_eq!(names(p.inbox.ready(now, false, |_| false).unwrap()), ["hr.csv"]);
    fs::write(p.inbox.folder().join("hr.csv.done"), "size=1").unwrap();
    assert_eq!(names(p.inbox.ready(now, false, |_| true).unwrap()), ["hr.csv"]);
}

#[rstest]
#[case::its_feed_wants_one(true)]
#[case::its_feed_knows_one(false)]
fn a_done_file_that_another_drop_left_behind_completes_nothing(#[case] wants_done: bool) {
    let mut p = place();
    let (file, done) = (p.inbox.folder().join("hr.csv"), p.inbox.folder().join("hr.csv.done"));
    fs::write(&done, "size=1").unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    File::options().write(true).open(&done).unwrap().set_modified(yesterday).unwrap();
    fs::write(&file, "half").unwrap();
    let now = Instant::now();
    assert!(p.inbox.ready(now, false, |_| wants_done).unwrap().is_empty());
    fs::write(&done, "size=4").unwrap();
    let ready = p.inbox.ready(now, false, |_| wants_done).unwrap();
    let (bytes, read) = p.inbox.read(&ready[0], 100).unwrap();
    assert_eq!((bytes.as_slice(), read.as_deref()), (&b"half"[..], Some(&b"size=4"[..])));
}

#[test]
fn what_is_written_over_after_it_was_listed_is_not_read() {
    let mut p = place();
    let file = p.inbox.folder().join("hr.csv");
    fs::write(&file, "the whole").unwrap();
    let ready = p.inbox.ready(Instant::now(), true, |_| false).unwrap();
    fs::write(&file, "the").unwrap();
    let read = p.inbox.read(&ready[0], 100);
    assert!(matches!(read, Err(DropError::Changed { .. })), "{read:?}");
    let owned = p.inbox.read_owned(&ready[0], 100);
    assert!(matches!(owned, Err(DropError::Changed { .. })), "{owned:?}");
}

#[test]
fn unfinished_and_hidden_names_are_left_alone() {
    let mut p = place();
    for name in [".hr.csv", "hr.csv.tmp", "hr.csv.part", "x.done"] {
        fs::write(p.inbox.folder().join(name), "a").unwrap();
    }
    assert!(p.inbox.ready(Instant::now(), true, |_| false).unwrap().is_empty());
}

#[test]
fn what_was_written_first_comes_first_whatever_its_name() {
    let mut p = place();
    for (nth, name) in ["hr-9.csv", "hr-10.csv"].into_iter().enumerate() {
        let file = File::create(p.inbox.folder().join(name)).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + nth as u64);
        file.set_modified(at).unwrap();
    }
    let ready = p.inbox.ready(Instant::now(), true, |_| false).unwrap();
    assert_eq!(names(ready), ["hr-9.csv", "hr-10.csv"]);
}

#[test]
fn a_drop_waits_for_an_older_one_that_may_be_complete_in_a_moment() {
    let mut p = place();
    let old = SystemTime::now() - Duration::from_secs(60);
    fs::write(p.inbox.folder().join("hr-9.csv"), "a").unwrap();
    let file = File::options().write(true).open(p.inbox.folder().join("hr-9.csv")).unwrap();
    file.set_modified(old).unwrap();
    fs::write(p.inbox.folder().join("hr-10.csv"), "a").unwrap();
    p.inbox.finished(OsStr::new("hr-10.csv"));
    let start = Instant::now();
    assert!(p.inbox.ready(start, false, |_| false).unwrap().is_empty());
    let later = start + Duration::from_secs(6);
    assert_eq!(names(p.inbox.ready(later, false, |_| false).unwrap()), ["hr-9.csv", "hr-10.csv"]);
}

#[test]
fn a_drop_that_can_not_be_moved_leaves_no_receipt_behind_in_each_round() {
    let mut p = place();
    let drop = Ready { name: "gone.csv".into(), look: None };
    assert!(p.inbox.finish(&drop, Handled::Accepted, "20261122T090000", "taken").is_err());
    assert!(fs::read_dir(p.root.path().join("accepted")).unwrap().next().is_none());
}

#[test]
fn links_and_pipes_are_refused() {
    let p = place();
    let secret = p.root.path().join("secret");
    fs::write(&secret, "s").unwrap();
    std::os::unix::fs::symlink(&secret, p.inbox.folder().join("link.csv")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        p.inbox.folder().join("pipe.csv"),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    for name in ["link.csv", "pipe.csv"] {
        let error = p.inbox.read(&Ready { name: name.into(), look: None }, 100).unwrap_err();
        assert!(matches!(error, DropError::NotPlain { .. }), "{error}");
    }
}

#[test]
fn whatever_is_planted_beside_a_drop_is_neither_read_nor_waited_for() {
    let mut p = place();
    let secret = p.root.path().join("secret");
    fs::write(&secret, "s").unwrap();
    let at = |name: &str| p.inbox.folder().join(name);
    let node = |name: &str, kind| {
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at(name), kind, mode, rustix::fs::makedev(1, 5))
    };
    fs::create_dir_all(at("folder.csv").join("deep/".repeat(200))).unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(at("socket.csv")).unwrap();
    std::os::unix::fs::symlink("loop.csv", at("loop.csv")).unwrap();
    let mut planted = vec!["socket.csv", "loop.csv"];
    // /dev/zero has no end; only root can plant it.
    if node("zero.csv", FileType::CharacterDevice).is_ok() {
        planted.push("zero.csv");
    }
    for (drop, done) in [("a.csv", FileType::Fifo), ("b.csv", FileType::Symlink)] {
        fs::write(at(drop), "N\n1\n").unwrap();
        let done_file = format!("{drop}.done");
        match done {
            FileType::Fifo => node(&done_file, done).unwrap(),
            _ => std::os::unix::fs::symlink(&secret, at(&done_file)).unwrap(),
        }
        planted.push(drop);
    }
    fs::write(at("plain.csv"), "N\n1\n").unwrap();
    let odd = OsStr::from_bytes(b"\xff\n\x1b[2J.csv");
    fs::write(p.inbox.folder().join(odd), "N\n1\n").unwrap();
    let ready = p.inbox.ready(Instant::now(), true, |_| false).unwrap();
    assert_eq!(ready.len(), planted.len() + 2, "a folder is no drop: {ready:?}");
    for drop in &ready {
        let shown = drop.shown();
        assert!(!shown.contains(['\n', '\u{1b}']), "{shown:?}");
        let read = p.inbox.read(drop, 100);
        assert_eq!(read.is_err(), planted.contains(&shown.as_str()), "{shown}: {read:?}");
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "s");
}

#[test]
fn a_large_drop_is_copied_without_being_held_in_memory() {
    let p = place();
    let from = p.inbox.folder().join("big.csv");
    fs::write(&from, vec![b'x'; 3_000_000]).unwrap();
    let to = p.root.path().join("copy");
    copy_plain(&from, &to).unwrap();
    assert_eq!(fs::metadata(&to).unwrap().len(), 3_000_000);
    let link = p.root.path().join("link");
    std::os::unix::fs::symlink(&from, &link).unwrap();
    assert!(copy_plain(&link, &to).is_err());
}

#[test]
fn a_file_past_the_limit_is_refused_unread() {
    let p = place();
    File::create(p.inbox.folder().join("big.csv")).unwrap().set_len(1 << 40).unwrap();
    let error = p.inbox.read(&Ready { name: "big.csv".into(), look: None }, 1000).unwrap_err();
    assert!(matches!(error, DropError::TooLarge { .. }), "{error}");
}

#[test]
fn a_newer_file_of_the_same_name_is_not_taken_for_the_one_that_was_read() {
    let mut p = place();
    let file = p.inbox.folder().join("hr.csv");
    fs::write(&file, "old").unwrap();
    let drop = p.inbox.ready(Instant::now(), true, |_| false).unwrap().remove(0);
    fs::write(p.root.path().join("new"), "new").unwrap();
    fs::rename(p.root.path().join("new"), &file).unwrap();
    p.inbox.finish(&drop, Handled::Accepted, "20261122T090000", "taken").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
}

#[test]
fn a_file_that_was_written_over_in_place_is_not_taken_for_the_one_that_was_read() {
    let mut p = place();
    let file = p.inbox.folder().join("hr.csv");
    fs::write(&file, "old").unwrap();
    let drop = p.inbox.ready(Instant::now(), true, |_| false).unwrap().remove(0);
    fs::write(&file, "newer").unwrap();
    p.inbox.finish(&drop, Handled::Accepted, "20261122T090000", "taken").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "newer");
}

#[test]
fn a_drop_goes_to_a_folder_on_another_file_system_once() {
    // A file system of its own on every Linux.
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        println!("SKIPPED: /dev/shm can't be written");
        return;
    };
    let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let folder = root.path().join("inbox");
    fs::create_dir(&folder).unwrap();
    let accepted = elsewhere.path().join("accepted");
    let mut inbox =
        Inbox::new(folder.clone(), accepted.clone(), accepted.clone(), Duration::from_secs(5));
    fs::write(folder.join("hr.csv"), "N").unwrap();
    let drop = inbox.ready(Instant::now(), true, |_| false).unwrap().remove(0);
    let to = inbox.finish(&drop, Handled::Accepted, "20261122T090000", "taken").unwrap();
    assert_eq!(fs::read_to_string(to).unwrap(), "N");
    assert!(fs::read_dir(&folder).unwrap().next().is_none(), "nothing came back");
    assert_eq!(fs::read_dir(&accepted).unwrap().count(), 2, "the drop and its receipt");
}

#[test]
fn a_file_that_changes_after_it_was_closed_is_not_ready() {
    let mut p = place();
    let file = p.inbox.folder().join("hr.csv");
    fs::write(&file, "a").unwrap();
    p.inbox.finished(OsStr::new("hr.csv"));
    fs::write(&file, "ab").unwrap();
    assert!(p.inbox.ready(Instant::now(), false, |_| false).unwrap().is_empty());
}

#[test]
fn a_handled_drop_moves_with_its_done_file_and_a_receipt_and_never_over_another() {
    let mut p = place();
    for round in 0..2 {
        fs::write(p.inbox.folder().join("h r\n.csv"), format!("{round}")).unwrap();
        fs::write(p.inbox.folder().join("h r\n.csv.done"), "d").unwrap();
        let drop = Ready { name: "h r\n.csv".into(), look: None };
        p.inbox.finish(&drop, Handled::Accepted, "20261122T090000", "taken").unwrap();
    }
    let mut left: Vec<_> = fs::read_dir(p.root.path().join("accepted"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let base = "20261122T090000-h_r_.csv";
    let expected: Vec<String> = ["", ".2", ".2.done", ".2.receipt.txt", ".done", ".receipt.txt"]
        .iter()
        .map(|end| format!("{base}{end}"))
        .collect();
    assert_eq!(left, expected);
    assert!(fs::read_dir(p.inbox.folder()).unwrap().next().is_none());
}
