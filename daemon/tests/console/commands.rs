//! The binary itself: what it prints, and how it ends.

use crate::samples;
use crate::socket::{Served, everything};
use lapsed::config::Roles;
use rstest::rstest;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_lapsed");

async fn lapsed(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().await.unwrap()
}

async fn asked(served: &Served, arguments: &[&str]) -> (i32, String, String) {
    let socket = served.path.to_str().unwrap();
    told(lapsed(&[&["--socket", socket], arguments].concat()).await)
}

fn told(output: Output) -> (i32, String, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[rstest]
#[case::attention(&["status"], 3, "2 things to look at.")]
#[case::fine(&["due"], 0, "Tue 2026-11-24 due")]
#[case::notices(&["notices"], 0, "boss@dmh.test")]
#[case::preview(&["notices", "--preview", "manager"], 0, "Subject: Left")]
#[case::person(&["person", "mzsmitj"], 0, "Departure")]
#[case::nobody(&["person", "nobody"], 6, "")]
#[case::plans(&["plans"], 0, "3f9c01ab77de")]
#[case::plan(&["plans", "show", "3f9c01ab77de"], 0, "lapsed release 3f9c01ab77de")]
#[case::release(&["release", "3f9c01ab77de", "--reason", "ok"], 0, "release 3f9c01ab77de for ok by ")]
#[case::decided(&["release", "decided", "--reason", "ok"], 4, "")]
#[case::reject(&["reject", "3f9c01ab77de", "--reason", "no"], 0, "reject 3f9c01ab77de by ")]
#[case::now(&["depart", "mzsmitj", "--now", "--reason", "r"], 0, "depart mzsmitj None by ")]
#[case::later(&["depart", "mzsmitj", "--last-day", "2026-12-31", "--reason", "r"], 0, "Some(2026-12-31)")]
#[case::hold(&["hold", "place", "mzsmitj", "--authority", "a", "--reason", "r"], 0, "hold mzsmitj until None")]
#[case::lift(&["hold", "lift", "mzsmitj", "--authority", "a", "--reason", "r"], 0, "lift mzsmitj")]
#[case::population(&["hold", "place", "--location", "b", "--authority", "a", "--reason", "r"], 0, "hold b until None")]
#[case::delegate(&["delegate", "mzsmitj", "--to", "mzdoej", "--until", "told", "--authority", "a"], 0, "to: Some(\"mzdoej\")")]
#[case::delegate_end(&["delegate", "mzsmitj", "--end", "--authority", "a"], 0, "end: true")]
#[case::keep(&["keep", "mzsmitj", "--to", "mzroej", "--authority", "a", "letters", "plan"], 0, "paths: [\"letters\", \"plan\"]")]
#[case::keep_end(&["keep", "mzsmitj", "--end", "--mail", "--authority", "a"], 0, "mail: true")]
#[case::suspensions(&["suspensions"], 0, "Violation 24-31")]
#[case::suspend(&["suspend", "mzsmitj", "--authority", "a", "--reason", "r"], 0, "leave: false")]
#[case::unsuspend(&["unsuspend", "mzsmitj", "--authority", "a", "--reason", "r"], 0, "unsuspend")]
#[case::restore(&["restore", "mzsmitj"], 0, "--consent 3f9c01ab77de")]
#[case::consent(&["restore", "mzsmitj", "--consent", "3f9c01ab77de", "--reason", "typo"], 0, "consent 3f9c01ab77de for typo by ")]
#[case::late(&["late"], 0, "15 h 45 min")]
#[case::findings(&["findings"], 0, "access_without_form")]
#[case::mend_findings(&["findings", "mend", "3f9c01ab77de", "--reason", "r"], 0, "mend_findings")]
#[case::settle_finding(&["findings", "settle", "0191f2b4", "--reason", "r"], 0, "settle_finding")]
#[case::roster(&["report", "roster"], 0, "people in the charge of mbdoej")]
#[case::answer(&["report", "roster", "--for", "mbdoej", "--answer", "mzsmitj"], 0, "asks: recertify")]
#[case::no_answer(&["report", "roster", "--answer", "mzroej"], 6, "")]
#[case::rosters(&["report", "roster", "--all"], 0, "year: None")]
#[case::holds(&["hold", "list"], 0, "General Counsel")]
#[case::pause(&["pause", "deletions", "--reason", "r"], 0, "pause by ")]
#[case::resume(&["resume", "deletions", "--reason", "r"], 0, "resume by ")]
#[case::pause_giving(&["pause", "giving", "--reason", "r"], 0, "pause giving by ")]
#[case::resume_giving(&["resume", "giving", "--reason", "r"], 0, "resume giving by ")]
#[case::requests(&["requests"], 0, "overdue since 2026-11-24")]
#[case::form(&["form", "17"], 0, "Local Security Officer")]
#[case::no_form(&["form", "18"], 6, "")]
#[case::forms(&["form", "list", "--open"], 0, "missing: HIPAA training")]
#[case::gate(&["gate", "record", "mzsmitj", "hipaa_training", "--on", "2026-11-20"], 0, "gate hipaa_training of mzsmitj on Some(2026-11-20)")]
#[case::gate_back(&["gate", "withdraw", "mzsmitj", "hipaa_training", "--reason", "r"], 0, "back Some(\"r\")")]
#[case::confirm_no(&["confirm", "K7Q2-M4XZ-9TDF", "--refused", "no such user"], 0, "Some(\"no such user\") 0 bytes by ")]
#[case::approvals(&["approvals"], 0, "you decide as local_security_officer")]
#[case::approve(&["approve", "12"], 0, "next: business_owner")]
#[case::deny(&["deny", "12", "--reason", "r", "--hash", "3f9c01ab"], 0, "Decided as")]
#[case::away(&["away", "--from", "2026-12-21", "--until", "2027-01-02", "--deputy", "mzdoej"], 0, "deputy: \"mzdoej\"")]
#[case::absences(&["away", "list"], 0, "mbboss")]
#[case::envelopes(&["envelope", "list"], 0, "mqlia")]
#[case::envelope(&["envelope", "open", "0191d5a0"], 0, "kT7vqWm4RnHx3pYd-uGe")]
#[case::back(&["away", "end", "0191d5a0"], 0, "end away 0191d5a0 by ")]
#[case::set_asides(&["set-aside", "list"], 0, "set-aside settle")]
#[case::settle(&["set-aside", "settle", "0191f2b4c0de", "--reason", "r"], 0, "settle 0191f2b4c0de by ")]
#[case::audit(&["audit", "list"], 0, "step.changed")]
#[case::unsound(&["audit", "verify"], 3, "NOT SOUND")]
#[case::reload(&["reload"], 0, "Mon 2026-11-30")]
#[tokio::test]
async fn each_command_says_what_it_is_for_and_ends_as_documented(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] says: &str,
) {
    let served = Served::with(everything()).await;
    let (ended, out, err) = asked(&served, arguments).await;
    assert_eq!(ended, code, "{out}{err}");
    let unfolded = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unfolded.contains(says), "{out}");
    assert_eq!(err.is_empty(), !out.is_empty(), "one of the two speaks: {out}{err}");
}

#[rstest]
#[case::nothing(&[])]
#[case::unknown(&["disable", "everyone"])]
#[case::no_reason(&["release", "3f9c01ab77de"])]
#[case::no_time(&["depart", "mzsmitj", "--reason", "r"])]
#[case::two_times(&["depart", "mzsmitj", "--now", "--last-day", "2026-12-31", "--reason", "r"])]
#[case::no_date(&["due", "--until", "2026-02-30"])]
#[case::pause_what(&["pause", "--reason", "r"])]
#[case::feed_without_name(&["plan", "--feed", "x.csv"])]
#[case::hold_of_whom(&["hold", "place", "--authority", "a", "--reason", "r"])]
#[case::hold_of_two(&["hold", "place", "mzsmitj", "--everyone", "--authority", "a", "--reason", "r"])]
#[case::delegate_to_whom(&["delegate", "mzsmitj", "--authority", "a"])]
#[case::keep_on_whose_word(&["keep", "mzsmitj", "--to", "mzroej"])]
#[case::deny_why(&["deny", "12"])]
#[case::away_until_when(&["away", "--from", "2026-12-21", "--deputy", "mzdoej"])]
#[case::no_such_flag(&["user-id", "--csv"])]
#[case::no_document(&["confirm", "K7Q2-M4XZ-9TDF"])]
#[case::half_a_name(&["user-id", "--last", "Smith"])]
#[tokio::test]
async fn a_wrong_command_line_ends_with_64_and_not_with_the_2_of_changes(
    #[case] arguments: &[&str],
) {
    let (code, out, err) = told(lapsed(arguments).await);
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(err.contains("--help"), "{err}");
}

#[tokio::test]
async fn a_daemon_that_does_not_run_is_said_to_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let socket = socket.to_str().unwrap();
    let (code, _, err) = told(lapsed(&["--socket", socket, "status"]).await);
    assert_eq!(code, 5);
    assert!(err.contains("the daemon does not run") && err.contains("systemctl start"), "{err}");
    let (code, out, err) = told(lapsed(&["--socket", socket, "--format", "json", "status"]).await);
    assert_eq!((code, out.as_str()), (5, ""));
    let view: lapsed::views::ErrorView = serde_json::from_str(&err).unwrap();
    assert!(view.advice.contains("systemctl start"));
}

#[tokio::test]
async fn the_socket_is_taken_from_the_configuration() {
    let served = Served::with(everything()).await;
    let config = served.folder.path().join("config.yaml");
    std::fs::write(&config, format!("control:\n  socket: {}\n", served.path.display())).unwrap();
    let (code, out, _) = told(lapsed(&["--config", config.to_str().unwrap(), "holds"]).await);
    assert_eq!((code, out.as_str()), (64, ""));
    let (code, out, err) =
        told(lapsed(&["hold", "list", "--config", config.to_str().unwrap()]).await);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Litigation"), "{out}");
}

#[tokio::test]
async fn adopt_carries_the_file_and_the_export_all_pages() {
    let served = Served::with(everything()).await;
    let feed = served.folder.path().join("full.csv");
    std::fs::write(&feed, [0xff; 30_000]).unwrap();
    let (code, out, err) =
        asked(&served, &["adopt", "--feed", feed.to_str().unwrap(), "--as", "hr"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("nothing was written"), "{out}");
    let call = served.console.calls().pop().unwrap();
    assert!(call.starts_with("adopt hr full.csv 40000 bytes by "), "{call}");

    let (code, out, _) = asked(&served, &["audit", "export"]).await;
    assert_eq!(code, 0);
    let rows: Vec<lapsed::views::AuditRowView> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, crate::samples::audit().rows);
}

#[tokio::test]
async fn a_decision_is_bound_to_the_form_that_was_shown_or_to_the_hash_that_was_given() {
    let served = Served::with(everything()).await;
    for (arguments, hash) in [
        (&["approve", "12", "--as", "supervisor"][..], samples::approval().hash),
        (&["approve", "12", "--hash", "aabbccdd"][..], "aabbccdd".to_owned()),
    ] {
        let (code, _, err) = asked(&served, arguments).await;
        assert_eq!(code, 0, "{err}");
        let call = served.console.calls().pop().unwrap();
        assert!(call.contains(&format!("hash: \"{hash}\"")), "{call}");
    }
}

#[tokio::test]
async fn an_unprivileged_account_is_kept_out_by_mode_then_by_role_and_let_in_by_name() {
    if !nix::unistd::Uid::effective().is_root() {
        return; // Only root can become somebody else.
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let mut roles = Roles::default();
    roles.viewer.users.push("nobody".into());
    for (roles, open, arguments, code, says) in [
        (roles.clone(), false, &["status"][..], 4, "may not connect"),
        (Roles::default(), true, &["status"][..], 4, "`control.roles.viewer.users`"),
        (roles.clone(), true, &["pause", "deletions", "--reason", "r"][..], 4, "role operator"),
        (roles, true, &["status"][..], 3, ""),
    ] {
        let served = Served::with(roles).await;
        let binary = served.folder.path().join("lapsed");
        std::fs::copy(BINARY, &binary).unwrap();
        let reachable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(served.folder.path(), reachable).unwrap();
        if open {
            std::os::unix::fs::chown(&served.path, None, Some(nobody.gid.as_raw())).unwrap();
        }
        let output = as_user(&binary, nobody.uid.as_raw(), nobody.gid.as_raw())
            .arg("--socket")
            .arg(&served.path)
            .args(arguments)
            .output()
            .await
            .unwrap();
        let (ended, out, err) = told(output);
        assert_eq!(ended, code, "{out}{err}");
        let unfolded = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unfolded.contains(says), "{err}");
        let callers: Vec<_> = served
            .console
            .records()
            .into_iter()
            .map(|record| record.caller.unwrap().name.to_string())
            .collect();
        assert_eq!(callers, if open { vec!["nobody"] } else { vec![] });
    }
}

fn as_user(binary: &Path, uid: u32, gid: u32) -> Command {
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()]);
    command.arg(binary);
    command
}

#[tokio::test]
async fn completions_and_man_pages_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = told(lapsed(&["completions", shell]).await);
        assert_eq!(code, 0);
        assert!(script.contains("set-aside") && script.contains("user-id"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = told(lapsed(&["man", "--folder", folder.path().to_str().unwrap()]).await);
    assert_eq!(code, 0, "{err}");
    for page in ["lapsed.1", "lapsed-status.1", "lapsed-hold-place.1", "lapsed-audit-verify.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.starts_with(".ie \\n(.g") || text.contains(".TH"), "{page}: {text}");
    }
    let main = std::fs::read_to_string(folder.path().join("lapsed.1")).unwrap();
    for exit in lapsed::cli::exit::Exit::ALL {
        assert!(main.contains(&format!("\\fB{}\\fR\n{}", exit.code(), exit.meaning())));
    }
}

#[tokio::test]
async fn a_reader_that_goes_early_is_no_failure() {
    let served = Served::with(everything()).await;
    let command = format!("{BINARY} --socket {} audit export | head -1", served.path.display());
    let output =
        Command::new("bash").args(["-o", "pipefail", "-c", &command]).output().await.unwrap();
    let (code, out, err) = told(output);
    assert_eq!((code, err.as_str(), out.lines().count()), (0, "", 1));
}
