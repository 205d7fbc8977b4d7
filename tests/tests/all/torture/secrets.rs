//! No secret and no social security number leaves the place where it belongs: all that lapsed writes is searched
//! after a run that touched every kind of target.

use super::points::Ordeal;
use super::stage::{Kept, Stage};
use crate::flows::stage::SUPERVISOR;
use crate::others::{can_be_others, open_to_all, said};
use lapsed_tests::process::{find_program, plain_command};
use lapsed_tests::smtp;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

/// What HR's file says of each person in columns that nobody asked for, and in one that somebody did.
const PLANTED: [&str; 3] = ["219-09-9999", "219099998", "457 55 5462"];
/// More rounds than it takes.
const MOST_ROUNDS: usize = 200;

/// All that was written, by what it is.
#[derive(Default)]
struct Written(BTreeMap<String, Vec<u8>>);

impl Written {
    fn add(&mut self, what: impl Into<String>, text: impl AsRef<[u8]>) {
        self.0.entry(what.into()).or_default().extend(text.as_ref());
    }

    /// Every file below a folder, but those which others put there for lapsed to read.
    fn add_folder(&mut self, folder: &Path, given: &[&str]) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            if given.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                self.add_folder(&path, given);
            } else if kind.is_file() {
                self.add(name, fs::read(&path).unwrap());
            }
        }
    }

    /// Where a text is found, as it is or in base64.
    fn with(&self, text: &str) -> Vec<&str> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        self.0.iter().filter(|(_, bytes)| has(bytes)).map(|(what, _)| what.as_str()).collect()
    }
}

/// HR's file with a social security number in every row: in the column of national ids, behind a job title,
/// and for the last of all as the employee number.
fn planted(feed: &str) -> String {
    let mut lines: Vec<Vec<String>> =
        feed.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let header = lines.iter().position(|line| line[0] == "EMPLID").unwrap();
    let column = |name: &str| lines[header].iter().position(|own| own == name).unwrap();
    let (national, title, number) = (column("NATIONAL_ID"), column("JOBTITLE"), column("EMPLID"));
    let mut last = header;
    for at in header + 1..lines.len() {
        if lines[at].len() == lines[header].len() {
            lines[at][national] = PLANTED[0].to_owned();
            lines[at][title] = format!("Clerk {}", PLANTED[1]);
            last = at;
        }
    }
    lines[last][number] = PLANTED[2].to_owned();
    lines.iter().map(|line| line.join(",") + "\n").collect()
}

/// The secrets that lapsed reads, by where they belong.
fn secrets(stage: &Stage) -> BTreeMap<String, String> {
    let files = [
        stage.slapd.password_file(),
        stage.dovecot.key_file(),
        stage.scim.token_file(),
        stage.site.path("form-key"),
    ];
    let read = |path: &Path| fs::read_to_string(path).unwrap().trim().to_owned();
    let mut all: BTreeMap<String, String> =
        files.iter().map(|path| (path.display().to_string(), read(path))).collect();
    all.insert("of the mail server".into(), smtp::PASSWORD.into());
    assert!(all.values().all(|secret| secret.len() >= 8), "{all:?}");
    all
}

/// Everything that a command prints, whatever it is asked.
fn shown(stage: &Stage, written: &mut Written) {
    let user = stage.leavers()[0].to_owned();
    let evidence = stage.site.path("evidence");
    fs::create_dir(&evidence).unwrap();
    let evidence = evidence.display().to_string();
    let commands: [&[&str]; 12] = [
        &["status"],
        &["person", &user],
        &["plans", "--all"],
        &["due"],
        &["notices"],
        &["tickets"],
        &["requests"],
        &["set-aside", "list"],
        &["findings"],
        &["audit", "list"],
        &["audit", "export"],
        &["evidence", &user, "--out", &evidence],
    ];
    for command in commands {
        let output = stage.site.run(command).unwrap();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{command:?}: {output:?}");
        written.add(format!("{command:?}"), [output.stdout, output.stderr].concat());
    }
}

/// What other accounts of the machine see of the process, and what it leaves when it is ended badly.
fn process(stage: &mut Stage, written: &mut Written) {
    let pid = stage.site.pid().unwrap().to_string();
    for name in ["cmdline", "environ", "maps", "mem"] {
        let mut other = plain_command(find_program("setpriv", &[]).unwrap());
        other.args(["--reuid", "games", "--regid", "nogroup", "--clear-groups", "cat"]);
        let output = other.arg(format!("/proc/{pid}/{name}")).output().unwrap();
        assert!(name == "cmdline" || !output.status.success(), "{name} can be read by others");
        written.add(format!("/proc/{name}"), output.stdout);
    }
    let mut limit = plain_command(find_program("prlimit", &[]).unwrap());
    let unlimited = limit.args(["--core=unlimited", "--pid", &pid]).status().unwrap();
    assert!(unlimited.success());
    stage.site.signal(Signal::ABORT).unwrap();
    let ended = stage.site.ended().unwrap();
    assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!ended.core_dumped(), "its memory is not left on the disk");
}

#[test]
fn after_a_whole_run_no_secret_and_no_social_security_number_is_found_anywhere() {
    if !can_be_others() {
        return;
    }
    let mut stage = Stage::new(Kept::Sqlite).unwrap();
    stage.site.reconfigure(&[("\n  level: info\n", "\n  level: trace\n")]).unwrap();
    let drop = stage.site.path("inbox/hr-2.csv");
    fs::write(&drop, planted(&fs::read_to_string(&drop).unwrap())).unwrap();
    let mut written = Written::default();
    let mut ordeal = Ordeal::undisturbed();
    for _ in 0..2 {
        let mut quiet = 0;
        for _ in 0..MOST_ROUNDS {
            let nothing = ordeal.round(&mut stage).unwrap();
            written.add("log", fs::read(stage.site.path("log")).unwrap());
            quiet = if nothing && stage.under_way().unwrap() == 0 { quiet + 1 } else { 0 };
            if quiet == 2 {
                break;
            }
        }
        stage.later();
    }
    // One who hands a password over, on the way that it goes.
    stage.site.start().unwrap();
    open_to_all(&stage.site).unwrap();
    let reason = format!("resigned, ssn {}", PLANTED[0]);
    let leaver = stage.agency.ordinary_leavers(4)[3];
    let user_id = stage.agency.people[leaver].user_id().unwrap().to_owned();
    stage.site.printed(&["depart", &user_id, "--now", "--reason", &reason]).unwrap();
    let (code, list) = said(&stage.site, SUPERVISOR, &["envelope", "list", "--format", "json"]);
    let mut searched = secrets(&stage);
    if code == 0 {
        let list: Value = serde_json::from_str(&list).unwrap();
        for envelope in list["waiting"].as_array().unwrap() {
            let id = envelope["id"].as_str().unwrap();
            let open = ["envelope", "open", id, "--format", "json"];
            let (code, text) = said(&stage.site, SUPERVISOR, &open);
            assert_eq!(code, 0, "{text}");
            let shown: Value = serde_json::from_str(&text).unwrap();
            searched
                .insert(format!("envelope {id}"), shown["password"].as_str().unwrap().to_owned());
        }
    }
    shown(&stage, &mut written);
    process(&mut stage, &mut written);
    written.add("the last log", fs::read(stage.site.path("log")).unwrap());
    let given = [".csv", "/client", "/form-key", "/form.json", "/mainframe"];
    written.add_folder(stage.site.root(), &given);
    for mail in stage.mail.mails() {
        written.add("mails", mail.raw);
        written.add("mails", "\n");
    }
    for (number, text) in stage.desk.comments() {
        written.add("tickets", format!("{number} {text}\n"));
    }
    written.add("tickets", stage.desk.opened().join("\n"));

    // The search finds what is there.
    assert!(!written.with("form planned").is_empty() || !written.with("started").is_empty());
    assert!(!written.with(stage.leavers()[0]).is_empty());
    assert!(written.0.keys().any(|name| name.ends_with("state.db")), "the state");
    for number in PLANTED {
        assert_eq!(written.with(number), [] as [&str; 0], "{number}");
    }
    for (place, secret) in searched {
        assert_eq!(written.with(&secret), [] as [&str; 0], "the secret {place}");
    }
}
