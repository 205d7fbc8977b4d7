//! What systemd's own tools say of the unit, the accounts and the folders.

use super::{skip, systemd_folder, tool};
use lapsed_tests::process::{plain_command, run};
use rstest::rstest;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Exposure that the unit may have at most, in tenths: systemd-analyze counts from 0 to 100.
const EXPOSURE_TENTHS: u32 = 20;

/// Exposure of the command helper, in tenths: it has to let programs make code at run time.
const COMMAND_EXPOSURE_TENTHS: u32 = 25;

/// A unit with programs that are there on every machine, since systemd looks for them.
fn unit_with_stubs(folder: &Path, name: &str) -> PathBuf {
    let unit = fs::read_to_string(systemd_folder().join(name)).unwrap();
    let stubbed: Vec<String> = unit
        .lines()
        .map(|line| match line.split_once('=') {
            Some((key, _)) if key.starts_with("Exec") => format!("{key}=/bin/sh -c true"),
            _ => line.to_owned(),
        })
        .collect();
    let path = folder.join(name);
    fs::write(&path, stubbed.join("\n")).unwrap();
    path
}

fn verify(analyze: &Path, unit: &Path) -> std::process::Output {
    plain_command(analyze)
        .args(["verify", "--recursive-errors=no", "--man=no"])
        .arg(unit)
        .output()
        .unwrap()
}

#[rstest]
fn a_unit_has_no_key_that_systemd_does_not_know(
    #[values("lapsed.service", "lapsed-command@.service")] name: &str,
) {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_with_stubs(folder.path(), name);
    let output = verify(&analyze, &unit);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    // The witness itself: one wrong key, and it must say so.
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text.replace("ProtectHome=", "ProtectHouse=")).unwrap();
    let said = verify(&analyze, &unit);
    assert!(String::from_utf8_lossy(&said.stderr).contains("ProtectHouse"), "{said:?}");
}

#[rstest]
#[case::daemon("lapsed.service", EXPOSURE_TENTHS)]
#[case::command_helper("lapsed-command@.service", COMMAND_EXPOSURE_TENTHS)]
fn a_unit_is_hardly_exposed(#[case] name: &str, #[case] tenths: u32) {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_with_stubs(folder.path(), name);
    let output = plain_command(analyze)
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={tenths}"))
        .arg(&unit)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[rstest]
fn every_directive_of_a_unit_says_why_it_is_there(
    #[values("lapsed.service", "lapsed-command@.service")] name: &str,
) {
    let unit = fs::read_to_string(systemd_folder().join(name)).unwrap();
    let mut explained = false;
    for (number, line) in unit.lines().enumerate() {
        let line = line.trim();
        match line {
            "" => explained = false,
            _ if line.starts_with('#') => explained = true,
            _ if line.starts_with('[') => explained = false,
            // These explain themselves.
            _ if ["Description=", "Documentation=", "ExecStart=", "WantedBy="]
                .iter()
                .any(|key| line.starts_with(key)) => {}
            // A block of directives under one comment shares it.
            _ => {
                assert!(explained, "{name}:{}: {line} has no comment above it", number + 1)
            }
        }
    }
}

/// A folder in which the accounts of the service have been made.
fn root_with_accounts() -> Option<TempDir> {
    let sysusers = tool("systemd-sysusers")?;
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let to = root.path().join("usr/lib/sysusers.d");
    fs::create_dir_all(&to).unwrap();
    fs::copy(systemd_folder().join("lapsed.sysusers"), to.join("lapsed.conf")).unwrap();
    let mut command = plain_command(sysusers);
    run(command.arg(format!("--root={}", root.path().display())).arg("lapsed.conf")).unwrap();
    Some(root)
}

/// Lines of an account file as their fields.
fn entries(root: &Path, file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root.join("etc").join(file)).unwrap();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

#[test]
fn the_accounts_have_no_shell_and_the_daemons_is_in_the_groups_that_it_needs() {
    let Some(root) = root_with_accounts() else { return };
    let users = entries(root.path(), "passwd");
    let names: Vec<&str> = users.iter().map(|user| user[0].as_str()).collect();
    assert!(names.len() == 2 && ["lapsed", "lapsed-command"].iter().all(|n| names.contains(n)));
    assert!(users.iter().all(|user| user[6] == "/usr/sbin/nologin"), "{users:?}");
    let groups = entries(root.path(), "group");
    for group in ["lapsed-operators", "hr-drop"] {
        let entry = groups.iter().find(|entry| entry[0] == group).unwrap();
        assert_eq!(entry[3], "lapsed", "members of {group}");
    }
}

#[test]
fn hr_writes_into_the_inbox_only_and_nobody_else_reads_a_drop() {
    let Some(root) = root_with_accounts() else { return };
    let Some(tmpfiles) = tool("systemd-tmpfiles") else { return };
    if !rustix::process::getuid().is_root() {
        return skip("folders are given to other accounts, which needs root");
    }
    let mut command = Command::new(tmpfiles);
    command.arg("--create").arg(format!("--root={}", root.path().display()));
    run(command.arg(systemd_folder().join("lapsed.tmpfiles"))).unwrap();
    let number = |file: &str, name: &str| -> u32 {
        let entry = entries(root.path(), file).into_iter().find(|entry| entry[0] == name).unwrap();
        entry[2].parse().unwrap()
    };
    let (daemon, hr) = (number("passwd", "lapsed"), number("group", "hr-drop"));
    let looks: [(&str, u32, u32, u32); 5] = [
        ("var/spool/lapsed/inbox", 0o3770, daemon, hr),
        ("var/spool/lapsed/accepted", 0o2750, daemon, hr),
        ("var/spool/lapsed/rejected", 0o2750, daemon, hr),
        ("etc/lapsed", 0o755, 0, 0),
        ("etc/lapsed/secrets", 0o700, 0, 0),
    ];
    for (path, mode, user, group) in looks {
        let found = fs::metadata(root.path().join(path)).unwrap();
        let seen = (found.permissions().mode() & 0o7777, found.uid(), found.gid());
        assert_eq!(seen, (mode, user, group), "{path}: mode {:o}", seen.0);
    }
}

/// The value of a directive that the unit has once.
fn directive(key: &str) -> String {
    let unit = fs::read_to_string(systemd_folder().join("lapsed.service")).unwrap();
    let found = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    found.unwrap_or_else(|| panic!("the unit has no {key}=")).to_owned()
}

#[test]
fn the_example_writes_only_where_the_unit_lets_it() {
    let example = systemd_folder().join("../config.example.yaml");
    let (config, _) = lapsed::config::load(&example).unwrap_or_else(|errors| panic!("{errors}"));
    let writable = [
        format!("/var/lib/{}", directive("StateDirectory")),
        format!("/var/log/{}", directive("LogsDirectory")),
        format!("/run/{}", directive("RuntimeDirectory")),
        directive("ReadWritePaths"),
    ];
    let database = String::from(config.state.database.clone());
    let written = [
        Path::new(database.trim_start_matches("sqlite://")),
        config.audit.checkpoint_file.as_path(),
        config.control.socket.as_path(),
        config.inbox.folder.as_path(),
        config.inbox.accepted.as_path(),
        config.inbox.rejected.as_path(),
    ];
    for path in written {
        assert!(
            writable.iter().any(|open| path.starts_with(open)),
            "{path:?} is not in {writable:?}"
        );
    }
    // Each path that is opened by itself is a mount of its own, across which nothing can be renamed.
    let spool = PathBuf::from(directive("ReadWritePaths"));
    assert!(written[3..].iter().all(|folder| folder.starts_with(&spool)), "{written:?}");
}

#[test]
fn the_example_names_the_secret_and_the_group_that_the_service_has() {
    let example = fs::read_to_string(systemd_folder().join("../config.example.yaml")).unwrap();
    let credential = directive("LoadCredential");
    let name = credential.split(':').next().unwrap();
    assert!(example.contains(&format!("\n      password_credential: {name}\n")), "{name}");
    let sysusers = fs::read_to_string(systemd_folder().join("lapsed.sysusers")).unwrap();
    let group = example.lines().find_map(|line| line.strip_prefix("  #group: ")).unwrap();
    assert!(sysusers.contains(&format!("\nm lapsed {group}\n")), "{group}");
}
