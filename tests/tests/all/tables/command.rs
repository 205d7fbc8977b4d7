//! The `command` connector with real programs: a small mainframe in Python, and shell scripts that
//! misbehave.

use super::support::*;
use crate::steps::{granting, making, renaming, to_be_made};
use lapsed_connectors::command::{
    self, CommandKind, CommandSettings, ExitMeaning, Operation, Program,
};
use lapsed_connectors::contract::Observe;
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Realm, Scope};
use lapsed_core::step::{Fault, Outcome, Seen, Step};
use rstest::rstest;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Everything that a program can do.
const ALL: [Operation; 8] = [
    Operation::Observe,
    Operation::List,
    Operation::Revoke,
    Operation::Delete,
    Operation::DisableMailbox,
    Operation::DeleteMailbox,
    Operation::Look,
    Operation::Probe,
];

fn settings(program: PathBuf, arguments: Vec<String>) -> CommandSettings {
    let codes =
        [("0", ExitMeaning::Answer), ("75", ExitMeaning::Retry), ("77", ExitMeaning::Refused)];
    CommandSettings {
        kind: CommandKind::Command,
        program,
        arguments,
        environment: Vec::new(),
        operations: ALL.to_vec(),
        exit_codes: codes.into_iter().map(|(code, meaning)| (code.to_owned(), meaning)).collect(),
        time_limit_seconds: 30,
        output_bytes: 65_536,
        mainframe: true,
        last_use: None,
        helper: None,
        in_process: true,
    }
}

pub fn program(settings: &CommandSettings) -> Program {
    let name = ConnectorName::new("mainframe").unwrap();
    command::connect(&name, settings).unwrap_or_else(|error| panic!("{error}"))
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A mainframe with ann (open), bob (open) and carl (shut).
pub struct Mainframe {
    folder: tempfile::TempDir,
}

impl Mainframe {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join("program"), include_str!("mainframe.py"));
        let accounts = json!([
            {"id": "1", "user_id": "ANN", "enabled": true, "last_name": "Archer", "employee_number": "100001"},
            {"id": "2", "user_id": "BOB", "enabled": true},
            {"id": "3", "user_id": "CARL", "enabled": false},
        ]);
        fs::write(folder.path().join("accounts"), accounts.to_string()).unwrap();
        Self { folder }
    }

    pub fn settings(&self) -> CommandSettings {
        let accounts = self.folder.path().join("accounts").display().to_string();
        settings(self.folder.path().join("program"), vec![accounts])
    }

    /// Its accounts, as they are kept.
    pub fn accounts(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("accounts")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string()
    }

    /// Opens the first account by other hands.
    pub fn open_ann(&self) {
        let mut accounts: serde_json::Value = serde_json::from_str(&self.accounts()).unwrap();
        accounts[0]["enabled"] = json!(true);
        fs::write(self.folder.path().join("accounts"), accounts.to_string()).unwrap();
    }

    /// What it was asked.
    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("accounts.log")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_mainframes_account_is_found_revoked_once_and_read_back() {
    let mainframe = Mainframe::new();
    let system = program(&mainframe.settings());
    let probed = system.probe().await;
    assert!(probed.len() == 2 && probed.iter().all(|line| line.problem.is_none()), "{probed:?}");

    let found = found(&system, Some("ann"), Some("100001")).await.unwrap();
    let [account] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((account.id.as_str(), account.name.last.as_str()), ("1", "Archer"));
    assert_eq!((account.realm, account.enabled), (Realm::System, true));
    let all = system.observe(&Scope::AllAccounts).await.unwrap().accounts;
    assert_eq!(all.len(), 3);
    let taken = system.observe(&Scope::TakenNames).await.unwrap().taken_names;
    assert_eq!(taken, ["ann", "bob", "carl"]);

    let receipt = changed(&system, revocation("1", "ann")).await;
    assert_eq!(receipt.before["enabled"], ["True"]);
    assert_eq!(apply(&system, revocation("1", "ann")).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&system, revocation("1", "ann")).await, Ok(Seen::AsWanted));
    assert!(matches!(seen(&system, revocation("2", "bob")).await, Ok(Seen::Otherwise(_))));
    let log = mainframe.log();
    assert_eq!(log[log.len() - 5..], ["look", "revoke", "look", "look", "look"]);

    changed(&system, deletion("3", "carl")).await;
    assert_eq!(apply(&system, deletion("3", "carl")).await, Ok(Outcome::AlreadySo));
    let ending = apply(&system, revocation("2", "zoe")).await;
    assert!(matches!(ending, Ok(Outcome::Drifted(_))), "{ending:?}");
}

#[tokio::test]
async fn without_a_look_the_program_sees_to_it_itself_and_nothing_can_be_read_back() {
    let mainframe = Mainframe::new();
    let mut settings = mainframe.settings();
    settings.operations.retain(|operation| *operation != Operation::Look);
    let system = program(&settings);
    changed(&system, revocation("1", "ann")).await;
    assert_eq!(apply(&system, revocation("1", "ann")).await, Ok(Outcome::AlreadySo));
    assert!(matches!(seen(&system, revocation("1", "ann")).await, Ok(Seen::CannotTell(_))));
}

/// A program of one shell script, which gets the request as `$request`.
fn script(text: &str) -> (tempfile::TempDir, CommandSettings) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    put(&path, &format!("#!/bin/sh\nread -r request\n{text}\n"));
    let mut settings = settings(path, vec![folder.path().display().to_string()]);
    settings.operations.retain(|operation| *operation != Operation::Look);
    (folder, settings)
}

async fn ending(text: &str, step: Step) -> Result<Outcome, Fault> {
    let (_folder, settings) = script(text);
    apply(&program(&settings), step).await
}

#[rstest]
#[case::garbage("echo '<html>'", "unknown")]
#[case::nothing("true", "unknown")]
#[case::another_shape("echo '{\"outcome\":\"changed\",\"more\":1}'", "unknown")]
#[case::crash("kill -SEGV $$", "unknown")]
#[case::odd_exit("exit 3", "unknown")]
#[case::busy("exit 75", "retry")]
#[case::no("exit 77", "refused")]
#[case::told_no("echo '{\"outcome\":\"refused\",\"message\":\"locked by audit\"}'", "refused")]
#[case::too_much("yes | head -c 200000", "unknown")]
#[tokio::test]
async fn what_a_program_does_decides_how_a_change_ends(#[case] text: &str, #[case] wanted: &str) {
    let ending = ending(text, revocation("1", "ann")).await;
    let kind = match &ending {
        Err(Fault::Unknown(_)) => "unknown",
        Err(Fault::Retry(_)) => "retry",
        Err(Fault::Refused(_)) => "refused",
        Ok(_) => "fine",
    };
    assert_eq!(kind, wanted, "{ending:?}");
}

#[rstest]
#[case::garbage("echo '<html>'")]
#[case::crash("kill -SEGV $$")]
#[case::odd_exit("exit 3")]
#[case::too_much("yes | head -c 200000")]
#[tokio::test]
async fn a_question_without_an_answer_is_asked_again(#[case] text: &str) {
    let (_folder, settings) = script(text);
    passing(found(&program(&settings), Some("ann"), None).await);
}

#[rstest]
#[case::stranger(r#"[{"id":"9","user_id":"zoe","enabled":true}]"#, "no key that was asked for")]
#[case::same_id(
    r#"[{"id":"1","user_id":"ann","enabled":true},{"id":"1","user_id":"ann","enabled":true}]"#,
    "twice"
)]
#[case::same_name(
    r#"[{"id":"1","user_id":"ann","enabled":true},{"id":"2","user_id":"ANN","enabled":true}]"#,
    "twice"
)]
#[tokio::test]
async fn accounts_that_can_not_be_right_are_refused(#[case] accounts: &str, #[case] says: &str) {
    let (_folder, settings) = script(&format!("echo '{{\"accounts\":{accounts}}}'"));
    let said = refusal(found(&program(&settings), Some("ann"), None).await);
    assert!(said.contains(says), "{said}");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let (folder, mut settings) = script("sleep 300 & echo $! > $1/child; wait");
    settings.time_limit_seconds = 1;
    let started = Instant::now();
    let ending = apply(&program(&settings), revocation("1", "ann")).await;
    assert!(
        matches!(&ending, Err(Fault::Unknown(c)) if c.message.contains("within 1 s")),
        "{ending:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    let gone = || {
        // What is dead stays in the table until its new parent has looked.
        let state = fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        Ok(state.is_ok_and(|state| !state.contains(") Z ")).eq(&false))
    };
    lapsed_tests::process::wait_until(Duration::from_secs(10), gone).unwrap();
}

#[tokio::test]
async fn it_gets_no_environment_but_what_is_named() {
    let text = "env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' | cut -d= -f1 > $1/seen; exit 77";
    let (folder, mut settings) = script(text);
    settings.environment = vec!["PATH".into(), "NO_SUCH_VARIABLE".into()];
    refusal(apply(&program(&settings), revocation("1", "ann")).await);
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    assert_eq!(seen.trim(), "PATH");
}

#[tokio::test]
async fn what_it_says_on_standard_error_is_cut_masked_and_made_safe() {
    let text = "printf 'ssn 123-45-6789 \\033[31mred ' >&2; yes word | head -c 100000 >&2; exit 77";
    let said = refusal(ending(text, revocation("1", "ann")).await);
    assert!(said.contains("it said: ssn ***-**-****"), "{said}");
    assert!(!said.contains('\u{1b}') && said.len() < 1_000, "{said}");
}

#[rstest]
#[case::missing(None)]
#[case::no_program(Some(0o644))]
#[case::writable_by_others(Some(0o777))]
#[tokio::test]
async fn a_program_that_is_not_there_or_that_others_can_change_is_not_started(
    #[case] mode: Option<u32>,
) {
    let (folder, settings) = script("touch $1/ran");
    match mode {
        Some(mode) => {
            fs::set_permissions(&settings.program, fs::Permissions::from_mode(mode)).unwrap();
        }
        None => fs::remove_file(&settings.program).unwrap(),
    }
    let said = passing(apply(&program(&settings), revocation("1", "ann")).await);
    assert!(said.contains("was not started"), "{said}");
    assert!(!folder.path().join("ran").exists());
}

#[tokio::test]
async fn a_helper_that_is_away_is_waited_for() {
    let (folder, mut settings) = script("exit 77");
    settings.in_process = false;
    settings.helper = Some(folder.path().join("no.sock"));
    let said = passing(apply(&program(&settings), revocation("1", "ann")).await);
    assert!(said.contains("lapsed-command.socket"), "{said}");
}

#[test]
fn settings_that_can_not_be_are_told_at_once() {
    let mut settings = settings("/".into(), Vec::new());
    settings.operations = vec![Operation::Revoke];
    settings.environment = vec!["PATH=/bin".into()];
    settings.exit_codes = BTreeMap::from([("many".to_owned(), ExitMeaning::Retry)]);
    settings.helper = Some("/run/lapsed-command.sock".into());
    let problems = settings.problems();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_ref()).collect();
    let wanted = ["program", "environment", "operations", "exit_codes", "exit_codes", "helper"];
    assert_eq!(keys, wanted);
}

fn giving(mainframe: &Mainframe) -> CommandSettings {
    let mut settings = mainframe.settings();
    settings.mainframe = false;
    settings.operations.extend([Operation::Create, Operation::Grant, Operation::Rename]);
    settings
}

#[tokio::test]
async fn a_program_makes_opens_and_renames_each_once() {
    let mainframe = Mainframe::new();
    let system = program(&giving(&mainframe));
    let make = making("mzobrij", Some("00123"));
    assert!(matches!(seen(&system, make.clone()).await, Ok(Seen::Otherwise(_))));
    changed(&system, make.clone()).await;
    assert_eq!(apply(&system, make.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&system, make).await, Ok(Seen::AsWanted));
    let account = found(&system, Some("mzobrij"), None).await.unwrap().remove(0);
    assert!(!account.enabled && account.name.last.starts_with("O'Brien"));

    let grant = granting(to_be_made("mzobrij"), "mzobrij", &["nurse"]);
    changed(&system, grant.clone()).await;
    assert_eq!(apply(&system, grant.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&system, grant).await, Ok(Seen::AsWanted));
    let account = found(&system, Some("mzobrij"), None).await.unwrap().remove(0);
    assert!(account.enabled && account.details.roles.len() == 1);

    let rename = renaming(account.id.as_str(), "mzobrij", "mzjonej");
    changed(&system, rename.clone()).await;
    assert_eq!(apply(&system, rename).await, Ok(Outcome::AlreadySo));
    assert_eq!(found(&system, Some("mzjonej"), None).await.unwrap()[0].id, account.id);
}

#[tokio::test]
async fn a_mainframes_account_is_never_renamed() {
    let mainframe = Mainframe::new();
    let system = program(&mainframe.settings());
    let said = refusal(apply(&system, renaming("1", "ann", "mzjonej")).await);
    assert!(said.contains("never renamed"), "{said}");
    assert!(seen(&system, renaming("1", "ann", "mzjonej")).await.is_err());
    let mut settings = giving(&mainframe);
    settings.mainframe = true;
    let problems = settings.problems();
    assert!(
        problems.iter().any(|problem| problem.problem.contains("never renamed")),
        "{problems:?}"
    );
}
