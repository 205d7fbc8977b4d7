//! What a power cut and a full disk do to the state, in the midst of everything.

use super::picture::Picture;
use super::points::{Ordeal, judged};
use super::stage::{Kept, Stage};
use lapsed_tests::Done;
use lapsed_tests::agency::random::Random;
use lapsed_tests::process::{find_program, plain_command};
use lapsed_tests::torture_report::{Figures, is_long};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Writes after which the disk is full; each round gets a little further than the one before.
const FULL_AFTER: [u32; 11] = [1, 2, 3, 7, 12, 20, 33, 54, 88, 142, 230];

/// What keeps anything from being carried out.
const LEFT_OPEN: &str = "SELECT 'aside: ' || reason FROM set_asides WHERE settled_at IS NULL \
    UNION ALL SELECT key || ': ' || value FROM settings WHERE key IN ('pause.giving', 'state is an older copy') \
    UNION ALL SELECT 'form ' || number || ' ' || state FROM access_forms \
    UNION ALL SELECT action || ' ' || state || ' ' || state_body FROM steps WHERE state <> 'verified'";

/// A round of the daemon's, with every write to the state failing from the one given on, as on a disk that has
/// no room left: by the kernel's own answer to the call.
fn full_after(stage: &mut Stage, writes: u32) -> Done<Output> {
    stage.tick();
    let daemon = stage.site.command(&["run", "--once"]);
    let mut strace = full_disk(stage, &daemon, &format!("{}+", writes + 1))?;
    Ok(strace.output()?)
}

/// The tracer that answers `ENOSPC` to these writes of a command, and nothing else.
fn full_disk(stage: &Stage, daemon: &Command, when: &str) -> Done<Command> {
    let mut strace = plain_command(find_program("strace", &[])?);
    strace.args(["-f", "-D", "-qq", "--seccomp-bpf", "-o", "/dev/null"]);
    strace.args(["-e", "trace=pwrite64,write", "-e"]);
    strace.arg(format!("inject=pwrite64,write:error=ENOSPC:when={when}"));
    for name in ["state.db", "state.db-wal", "state.db-journal", "checkpoints"] {
        strace.arg("-P").arg(stage.site.path(name));
    }
    for (name, value) in daemon.get_envs() {
        let value = value.unwrap_or_default().to_string_lossy();
        strace.arg("-E").arg(format!("{}={value}", name.to_string_lossy()));
    }
    strace.arg(daemon.get_program()).args(daemon.get_args());
    Ok(strace)
}

/// Where the last transaction in a write-ahead log ends, and its pages by number: the format is SQLite's own
/// (fileformat2, "The Write-Ahead Log").
fn committed(log: &[u8]) -> (usize, Vec<u32>) {
    let word = |at: usize| log.get(at..at + 4).map(|b| u32::from_be_bytes(b.try_into().unwrap()));
    let Some(page) = word(8).and_then(|size| usize::try_from(size).ok()) else {
        return (log.len(), Vec::new());
    };
    let salts = log.get(16..24);
    let (mut at, mut end) = (32, 32);
    let (mut pages, mut kept) = (Vec::new(), Vec::new());
    while at + 24 + page <= log.len() && log.get(at + 8..at + 16) == salts {
        pages.extend(word(at));
        at += 24 + page;
        // A frame that ends a transaction says how large the database is after it.
        if word(at - 20 - page).is_some_and(|size| size > 0) {
            end = at;
            kept.clone_from(&pages);
        }
    }
    (end, kept)
}

/// What was not forced to the disk yet is gone, or half there: the tail of the log that no transaction ended,
/// pages of the database that were being written from the log, and the index in shared memory.
fn power_cut(root: &Path, random: &mut Random) -> Done<()> {
    let log_path = root.join("state.db-wal");
    let Ok(mut log) = fs::read(&log_path) else { return Ok(()) };
    if log.len() < 32 {
        return Ok(());
    }
    let (end, pages) = committed(&log);
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    let below = |random: &mut Random, limit: usize| random.below(limit as u32) as usize;
    match random.below(3) {
        0 => log.truncate(end + below(random, log.len() - end + 1)),
        1 => {
            log.truncate(end);
            log.extend((0..below(random, 3 * page)).map(|_| random.below(256) as u8));
        }
        // A whole frame with the right salts that says it ends a transaction, and whose text is not whole.
        _ => {
            log.truncate(end);
            let salts = log[16..24].to_vec();
            log.extend([1_u32.to_be_bytes(), 9_u32.to_be_bytes()].concat());
            log.extend(salts);
            log.extend((0..8 + page).map(|_| random.below(256) as u8));
        }
    }
    fs::write(&log_path, &log)?;
    if let Some(torn) = pages.get(below(random, pages.len().max(1))) {
        let mut state = fs::File::options().write(true).open(root.join("state.db"))?;
        let half = u64::from(torn - 1) * page as u64;
        if half + page as u64 <= state.metadata()?.len() {
            state.seek(SeekFrom::Start(half))?;
            state.write_all(&vec![0xA5; page / 2])?;
        }
    }
    if random.below(2) == 0 {
        let _ = fs::remove_file(root.join("state.db-shm"));
    }
    Ok(())
}

#[test]
fn power_cuts_and_full_disks_in_the_midst_of_everything_lose_and_double_nothing() {
    let mut stage = Stage::new(Kept::Sqlite).unwrap();
    Ordeal::undisturbed().through(&mut stage).unwrap();
    let undisturbed = Picture::of(&stage).unwrap();
    drop(stage);

    let mut stage = Stage::new(Kept::Sqlite).unwrap();
    let mut random = Random::new(77);
    let mut ordeal = Ordeal::undisturbed();
    let (mut faults, mut kills) = (0, 0);
    let rounds = if is_long() { 10 } else { 1 };
    for _ in 0..2 {
        for full_at in FULL_AFTER.into_iter().cycle().take(FULL_AFTER.len() * rounds) {
            let output = full_after(&mut stage, full_at).unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            if !output.status.success() {
                faults += 1;
                assert!(said.to_lowercase().contains("full"), "after {full_at} writes: {said}");
            }
            stage.launch().unwrap();
            std::thread::sleep(Duration::from_millis(50 + u64::from(random.below(300))));
            stage.site.kill().unwrap();
            power_cut(stage.site.root(), &mut random).unwrap();
            kills += 1;
        }
        ordeal.act(&mut stage).unwrap();
        println!("after the act: {}", stage.state(LEFT_OPEN).unwrap());
        stage.later();
    }
    let (figures, told) = judged(&Picture::of(&stage).unwrap(), &undisturbed, kills);
    let figures = Figures { faults, ..figures };
    figures.write("power-and-disk").unwrap();
    println!("{figures:?}");
    assert!(faults >= 5, "{figures:?}");
    assert!(figures.is_whole(), "{figures:?}\n{}", told.join("\n"));
    stage.site.start().unwrap();
    stage.site.printed(&["audit", "verify"]).unwrap();
}

#[test]
fn when_there_is_room_again_the_running_daemon_goes_on_by_itself() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can come between a running daemon and its disk");
        return;
    }
    let mut stage = Stage::new(Kept::Sqlite).unwrap();
    let inbox = stage.site.path("inbox/hr-2.csv");
    let drop = fs::read(&inbox).unwrap();
    fs::remove_file(&inbox).unwrap();
    stage.launch().unwrap();
    let pid = stage.site.pid().unwrap().to_string();
    let site = &stage.site;
    site.wait_for("it answers", || Ok(site.json(&["status"]).is_ok())).unwrap();
    let mut strace = plain_command(find_program("strace", &[]).unwrap());
    strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &pid]);
    strace.args(["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"]);
    for name in ["state.db", "state.db-wal"] {
        strace.arg("-P").arg(site.path(name));
    }
    let mut strace = strace.spawn().unwrap();
    let traced = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(!status.contains("TracerPid:\t0\n"))
    };
    site.wait_for("the disk is full", traced).unwrap();
    site.drop_file("hr-2.csv", drop).unwrap();
    let log = site.path("log");
    let says = || Ok(fs::read_to_string(&log)?.contains("the disk of the state is full"));
    site.wait_for("it says so", says).unwrap();
    let tracer = i32::try_from(strace.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(tracer, Signal::INT).unwrap();
    strace.wait().unwrap();
    let shut = || {
        let found = stage.slapd.search("(pwdAccountLockedTime=*)", &["uid"])?;
        let found: Vec<String> = found.iter().filter_map(|entry| entry.first("uid")).collect();
        Ok(stage.leavers().iter().all(|user| found.iter().any(|shut| shut == user)))
    };
    site.wait_long("the leavers are shut all the same", shut).unwrap();
    site.printed(&["audit", "verify"]).unwrap();
}
