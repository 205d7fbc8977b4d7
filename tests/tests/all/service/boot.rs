//! A real boot: the unit as it is, a real binary, systemd as the first process.

use super::{skip, systemd_folder};
use lapsed_tests::authority::{Certificate, TlsFiles};
use lapsed_tests::process::{Scratch, find_program, plain_command, tail};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A password that must be found in the credential and nowhere in the log.
const SECRET: &str = "canary-Yellow7";

/// How long the daemon may take to end once it is told to.
const LONGEST_STOP_MILLISECONDS: u64 = 10_000;

/// `lapsed status`: something needs a person.
const EXIT_ATTENTION: &str = "3";
/// The socket does not let the caller in, or the caller's role does not allow it.
const EXIT_REFUSED: &str = "4";

/// `boot.sh` ends with this where the machine does not allow the mounts.
const CANNOT: i32 = 77;

/// What was seen inside.
struct Facts {
    by_name: BTreeMap<String, String>,
    /// The same as it was written, with the log of the unit.
    written: String,
}

impl Facts {
    fn of(&self, name: &str) -> &str {
        let found = self.by_name.get(name).map(String::as_str);
        found.unwrap_or_else(|| panic!("no fact {name}; what was seen:\n{}", self.written))
    }

    fn expect(&self, name: &str, wanted: &str) {
        assert_eq!(self.of(name), wanted, "{name}; what was seen:\n{}", self.written);
    }
}

/// The daemon: `LAPSED_BIN`, or what was built beside this test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("LAPSED_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("lapsed");
    assert!(built.is_file(), "{} is not built; run `cargo build` first", built.display());
    built
}

/// Why this machine can't run the test, if it can't.
fn obstacle() -> Option<String> {
    if !rustix::process::getuid().is_root() {
        return Some("a boot under systemd-nspawn needs root".into());
    }
    let missing = ["systemd-nspawn", "unshare", "nsenter", "setpriv"]
        .into_iter()
        .find(|name| find_program(name, &[]).is_err())?;
    Some(format!("{missing} is not installed; `make servers` installs it"))
}

fn put(root: &Path, path: &str, text: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything that an installation puts into its places.
fn lay_out(folder: &Path) {
    let files = folder.join("files");
    let read = |name: &str| fs::read_to_string(systemd_folder().join(name)).unwrap();
    put(&files, "usr/lib/systemd/system/lapsed.service", &read("lapsed.service"), 0o644);
    put(&files, "usr/lib/sysusers.d/lapsed.conf", &read("lapsed.sysusers"), 0o644);
    put(&files, "usr/lib/tmpfiles.d/lapsed.conf", &read("lapsed.tmpfiles"), 0o644);
    for unit in [
        "lapsed-helper.socket",
        "lapsed-helper@.service",
        "lapsed-command.socket",
        "lapsed-command@.service",
    ] {
        put(&files, &format!("usr/lib/systemd/system/{unit}"), &read(unit), 0o644);
    }
    // As the operator's page tells.
    let open = "[Service]\nReadWritePaths=/srv/homes\n";
    put(&files, "etc/systemd/system/lapsed-helper@.service.d/homes.conf", open, 0o644);
    // Only the times differ from what is installed: nobody wants to wait for half a minute here.
    let hasty = "[Service]\nWatchdogSec=3\nRestartSec=100ms\n";
    put(&files, "etc/systemd/system/lapsed.service.d/hasty.conf", hasty, 0o644);
    // The example, with the one setting in use that the operator's page asks for: it has to fit the
    // unit. Its directory is out of reach, which is no reason not to start.
    let example = fs::read_to_string(systemd_folder().join("../config.example.yaml")).unwrap();
    let with_group = example.replace("\n  #group: lapsed-operators", "\n  group: lapsed-operators");
    assert_ne!(with_group, example, "the example offers the group of the operators");
    let homes = "\nconnectors:\n  homes:\n    kind: home\n    roots: [/srv/homes]\n    \
                 path: \"/srv/homes/{{ user_id }}\"\n    helper: /run/lapsed-helper.sock\n  \
                 mainframe:\n    kind: command\n    program: /usr/libexec/lapsed-mainframe\n    \
                 operations: [observe, revoke, probe]\n    helper: /run/lapsed-command.sock\n";
    // Tells who it is and what it sees, in the words of the published shape.
    let program = "#!/bin/sh\nread -r request\ncase $request in\n*probe*) \
                   printf '{\"checks\":[{\"what\":\"as %s, %s variables, secrets %s\"}]}' \
                   \"$(id -un)\" \"$(env | grep -cv '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=')\" \
                   \"$(ls /etc/lapsed/secrets /var/lib/lapsed 2>/dev/null | wc -l)\" ;;\n\
                   *revoke*) printf '{\"outcome\":\"changed\"}' ;;\nesac\n";
    put(&files, "usr/libexec/lapsed-mainframe", program, 0o755);
    let with_homes = with_group.replace("\nconnectors:\n", homes);
    put(&files, "etc/lapsed/config.yaml", &with_homes, 0o644);
    let scratch = Scratch::new("boot").unwrap();
    let tls = TlsFiles::make(&scratch, Certificate::Good).unwrap();
    put(&files, "etc/lapsed/ca.pem", &fs::read_to_string(&tls.ca).unwrap(), 0o644);
    put(&files, "etc/lapsed/secrets/directory-password", &format!("{SECRET}\n"), 0o600);
    fs::copy(binary(), {
        fs::create_dir_all(files.join("usr/bin")).unwrap();
        files.join("usr/bin/lapsed")
    })
    .unwrap();
    fs::write(folder.join("inside.sh"), include_str!("inside.sh")).unwrap();
}

/// Boots, or says why this machine does not allow it.
fn boot(folder: &Path) -> Result<Facts, String> {
    lay_out(folder);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/service/boot.sh");
    let output = plain_command(find_program("unshare", &[]).unwrap())
        .args(["--mount", "--propagation", "private", "sh"])
        .arg(script)
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(CANNOT) {
        return Err(said);
    }
    let log = fs::read_to_string(folder.join("boot.log")).unwrap_or_default();
    let result = fs::read_to_string(folder.join("result")).unwrap_or_default();
    assert!(result.contains("end reached"), "{said}\n{}\n{result}", tail(&log));
    let facts = result.lines().filter_map(|line| line.split_once(' '));
    let by_name = facts.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    Ok(Facts { by_name, written: result })
}

#[test]
fn the_service_boots_shut_in_reloads_survives_a_hang_and_stops() {
    if let Some(reason) = obstacle() {
        return skip(&reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let facts = match boot(folder.path()) {
        Ok(facts) => facts,
        Err(reason) => return skip(&reason),
    };

    facts.expect("start", "0");
    facts.expect("state", "active/running");

    facts.expect("process.user", "lapsed");
    for set in ["process.CapEff:", "process.CapBnd:", "process.CapAmb:"] {
        facts.expect(set, "0000000000000000");
    }
    facts.expect("process.NoNewPrivs:", "1");
    facts.expect("process.Seccomp:", "2");
    facts.expect("process.core", "0/0");
    facts.expect("process.dumpable_by", "root");

    facts.expect("secret.copy", SECRET);
    facts.expect("secret.source_readable", "no");
    let log = facts.written.lines().filter(|line| line.starts_with("log "));
    assert!(log.clone().count() > 0 && log.clone().all(|line| !line.contains(SECRET)));

    facts.expect("state.folder", "lapsed:lapsed:700");
    assert!(facts.of("state.files").contains("state.db"), "{}", facts.written);
    facts.expect("logs.folder", "lapsed:lapsed:750");
    facts.expect("socket", "socket:lapsed:lapsed-operators:660");
    // The daemon answers, and has something to say: nothing has been adopted yet.
    facts.expect("status.root", EXIT_ATTENTION);
    facts.expect("status.operator", EXIT_ATTENTION);
    // Nobody else is let in, and an operator may do what operators may, and no more.
    facts.expect("status.stranger", EXIT_REFUSED);
    facts.expect("adopt.operator", EXIT_REFUSED);
    facts.expect("status.hr", EXIT_REFUSED);
    facts.expect("status.command", EXIT_REFUSED);
    facts.expect("state.hr", "no");

    facts.expect("writes.etc", "no");
    facts.expect("writes.usr", "no");
    facts.expect("writes.inbox", "yes");
    facts.expect("moves.by_rename", "yes");

    facts.expect("helper.stranger", "shut out");
    for (fact, wanted) in [
        ("helper.root", "daemon's account only"),
        ("helper.probe", r#"[["homes in /srv/homes and their quarantine",null]]"#),
        ("helper.outside", "can't be a folder's name"),
        ("helper.other", "belongs to another account"),
        ("helper.before", "ann bob"),
        ("helper.deleted", r#"{"deleted":{"changed":"#),
    ] {
        assert!(facts.of(fact).contains(wanted), "{fact}; what was seen:\n{}", facts.written);
    }
    let left = "/srv/homes: .lapsed-quarantine bob  /srv/homes/.lapsed-quarantine:";
    facts.expect("helper.after", left);

    facts.expect("command.stranger", "shut out");
    for (fact, wanted) in [
        ("command.root", "daemon's account only"),
        ("command.probe", "as lapsed-command, 0 variables, secrets 0"),
        ("command.changed", r#"{"done":{"changed":"#),
        ("command.not_offered", "not among the `operations`"),
        ("command.other", "no `command` connector homes"),
    ] {
        assert!(facts.of(fact).contains(wanted), "{fact}; what was seen:\n{}", facts.written);
    }

    facts.expect("reload", "0");
    facts.expect("reload.bad_is_told", "yes");
    facts.expect("reload.same_process", "yes");
    facts.expect("reload.state", "active");

    facts.expect("watchdog.restarted", "yes");
    facts.expect("watchdog.new_process", "yes");
    facts.expect("watchdog.named", "yes");

    let took: u64 = facts.of("stop.milliseconds").parse().unwrap();
    assert!(took < LONGEST_STOP_MILLISECONDS, "stopping took {took} ms");
    facts.expect("stop.result", "success/0");
    facts.expect("stop.socket_left", "no");
}
