//! An installation of lapsed in a folder of its own, beside a directory of the tests.

use crate::process::{FAKETIME, PATIENCE, plain_command, tail, wait_until};
use crate::slapd::Slapd;
use crate::{Done, Failure};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// No round of a test's takes longer, however busy the machine: it hangs.
const LONGEST_ROUND: Duration = Duration::from_secs(120);

/// How many files this process has dropped.
static DROPPED: AtomicU32 = AtomicU32::new(0);

/// The example that the product ships: tests and demo run on it, with only addresses and paths replaced.
const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// Removes what faketime keeps of processes that were killed, the daemon's own children among them: whoever
/// gets such a number next would trip over it.
fn forget_clocks() {
    let kept = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    for file in kept {
        let name = file.file_name();
        let name = name.to_string_lossy();
        let number = name
            .strip_prefix("faketime_shm_")
            .or_else(|| name.strip_prefix("sem.faketime_sem_"))
            .and_then(|number| number.parse::<u32>().ok());
        if number.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// What each thread of a process does in the kernel: its name, and the call that it waits in.
fn what_threads_wait_for(pid: u32) -> String {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |thread: &Path, what: &str| {
        fs::read_to_string(thread.join(what)).unwrap_or_default().trim().to_owned()
    };
    let line = |thread: &Path| {
        format!("{} {} {}", of(thread, "comm"), of(thread, "wchan"), of(thread, "syscall"))
    };
    threads.map(|thread| line(&thread.path())).collect::<Vec<_>>().join("\n")
}

/// Where a directory is and how the daemon logs on to it.
#[derive(Debug, Clone)]
pub struct DirectoryAt {
    /// `openldap` or `active_directory`.
    pub kind: &'static str,
    /// Address.
    pub url: String,
    /// Base name.
    pub base: String,
    /// Certificates.
    pub ca: PathBuf,
    /// As whom.
    pub bind_dn: String,
    /// With which password.
    pub password_file: PathBuf,
}

impl DirectoryAt {
    /// OpenLDAP, over TLS.
    #[must_use]
    pub fn openldap(slapd: &Slapd) -> Self {
        Self {
            kind: "openldap",
            url: slapd.url_ldaps(),
            base: slapd.base().into(),
            ca: slapd.ca_path().to_owned(),
            bind_dn: slapd.bind_dn(),
            password_file: slapd.password_file(),
        }
    }
}

/// The guard's limits of the example, and how to raise them where everybody leaves.
pub const GUARD_RAISED: [(&str, &str); 3] = [
    ("per_run: 25", "per_run: 100000"),
    ("percent_from: 10", "percent_from: 100000"),
    (
        "least_headcount: 200\n      largest_drop_percent: 10",
        "least_headcount: 1\n      largest_drop_percent: 100",
    ),
];

/// The installation. Dropping it kills its daemon, if one runs, and removes the folder.
pub struct Site {
    folder: TempDir,
    daemon: Option<Child>,
    binary: PathBuf,
    faketime: Option<String>,
    steps_clock: bool,
    environment: Vec<(&'static str, String)>,
    /// A program with its arguments that runs the daemon: it must become it.
    within: Vec<String>,
}

impl Site {
    /// Writes the configuration; nothing is started.
    pub fn beside(directory: &DirectoryAt) -> Done<Self> {
        let folder = tempfile::Builder::new().prefix("lapsed-site-").tempdir()?;
        let site = Self {
            folder,
            daemon: None,
            binary: assert_cmd::cargo::cargo_bin("lapsed"),
            faketime: None,
            steps_clock: false,
            environment: Vec::new(),
            within: Vec::new(),
        };
        for name in ["inbox", "accepted", "rejected"] {
            fs::create_dir(site.path(name))?;
        }
        site.configure(&site.example(directory)?)?;
        Ok(site)
    }

    /// The example with this site's addresses and paths.
    fn example(&self, directory: &DirectoryAt) -> Done<String> {
        let root = self.folder.path().display().to_string();
        let mut text = EXAMPLE.to_owned();
        let mut replace = |from: &str, to: &str| {
            let found = text.contains(from);
            text = text.replace(from, to);
            if found { Ok(()) } else { Err(Failure::new(format!("the example has no {from}"))) }
        };
        replace(
            "servers: [\"ldaps://ldap1.dmh.test\", \"ldaps://ldap2.dmh.test\"]",
            &format!("servers: [\"{}\"]", directory.url),
        )?;
        replace("    kind: openldap", &format!("    kind: {}", directory.kind))?;
        replace("/etc/lapsed/ca.pem", &directory.ca.display().to_string())?;
        replace("\"cn=lapsed,ou=services,dc=dmh,dc=test\"", &format!("\"{}\"", directory.bind_dn))?;
        let password = format!("password_file: {}", directory.password_file.display());
        replace("password_credential: directory-password", &password)?;
        replace("dc=dmh,dc=test", &directory.base)?;
        for folder in ["/var/lib/lapsed", "/var/log/lapsed", "/var/spool/lapsed"] {
            replace(folder, &root)?;
        }
        // Files of the tests are renamed into place: there is nothing to wait for.
        replace("settle_seconds: 2", "settle_seconds: 0")?;
        replace("/run/lapsed/control.sock", &format!("{root}/control.sock"))?;
        Ok(text)
    }

    /// A path within the site.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path("config.yaml")
    }

    /// Writes another configuration.
    pub fn configure(&self, text: &str) -> Done<()> {
        Ok(fs::write(self.config(), text)?)
    }

    /// Changes the configuration's text; a text that is not there is a failure of the test.
    pub fn reconfigure(&self, changes: &[(&str, &str)]) -> Done<()> {
        let mut text = fs::read_to_string(self.config())?;
        for (from, to) in changes {
            if !text.contains(from) {
                return Err(Failure::new(format!("the configuration has no {from:?}")));
            }
            text = text.replace(from, to);
        }
        self.configure(&text)
    }

    /// From now on, commands and the daemon see a clock that starts at this local time of the agency's
    /// (`2026-11-20 09:00:00`) and runs on.
    pub fn set_clock(&mut self, local: &str) {
        self.faketime = Some(format!("@{local}"));
    }

    /// From now on, they see a clock that stands still at this local time of the agency's.
    pub fn freeze_clock(&mut self, local: &str) {
        self.faketime = Some(local.to_owned());
    }

    /// Steps the clock to a moment, from which it runs on: for a daemon that runs, too, if this was called
    /// before its start.
    pub fn step_clock(&mut self, to: Timestamp) -> Done<()> {
        let ahead = to.duration_since(Timestamp::now()).as_secs();
        let beside = self.path("clock.new");
        fs::write(&beside, format!("{ahead:+}\n"))?;
        fs::rename(beside, self.path("clock"))?;
        self.steps_clock = true;
        Ok(())
    }

    /// Variables of the environment that the daemon gets from its next start on; no command gets them.
    pub fn set_environment(&mut self, variables: &[(&'static str, String)]) {
        self.environment = variables.to_vec();
    }

    /// The daemon runs by this program from its next start on, such as `nsenter` with its arguments; no
    /// command does.
    pub fn run_within(&mut self, program: &[String]) {
        self.within = program.to_vec();
    }

    /// The daemon's own command.
    fn daemon_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        if let Some((program, before)) = self.within.split_first() {
            let inner = command;
            command = plain_command(program);
            command.args(before).arg(inner.get_program()).args(inner.get_args());
            for (name, value) in inner.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A `lapsed` command of this site, not run yet.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = plain_command(&self.binary);
        if self.faketime.is_some() || self.steps_clock {
            // Loaded without `faketime` in between, which would get the signals that are meant for lapsed.
            command.env("LD_PRELOAD", FAKETIME).env("TZ", "America/Chicago");
            // Timers run on the real clock, so that waiting takes as long as it says.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        }
        if let Some(at) = &self.faketime {
            command.env("FAKETIME", at);
        }
        if self.steps_clock {
            command.env("FAKETIME_TIMESTAMP_FILE", self.path("clock"));
            command.env("FAKETIME_NO_CACHE", "1");
        }
        command.arg("--config").arg(self.config()).args(arguments);
        command
    }

    /// Runs a command and gives its output.
    pub fn run(&self, arguments: &[&str]) -> Done<Output> {
        Ok(self.command(arguments).output()?)
    }

    /// Runs a command that must end well, and gives what it printed.
    pub fn printed(&self, arguments: &[&str]) -> Done<String> {
        let output = self.run(arguments)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!(
            "lapsed {arguments:?} ended with {}: {text}{said}\n{}",
            output.status,
            self.log()
        )))
    }

    /// Starts the daemon and does not wait for it.
    pub fn launch(&mut self) -> Done<()> {
        let log = File::options().append(true).create(true).open(self.path("log"))?;
        let child = self.daemon_command(&["run"]).stderr(log).spawn()?;
        self.daemon = Some(child);
        Ok(())
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self) -> Done<()> {
        self.launch()?;
        wait_until(PATIENCE, || {
            if let Some(status) = self.daemon.as_mut().and_then(|d| d.try_wait().ok().flatten()) {
                return Err(Failure::new(format!(
                    "the daemon ended with {status}: {}",
                    self.log()
                )));
            }
            let answer = self.run(&["status", "--format", "json"])?;
            Ok(matches!(answer.status.code(), Some(0 | 3)))
        })
        .map_err(|failure| failure.during(self.log()))
    }

    /// One round: what is there and due, then the end.
    pub fn once(&self) -> Done<()> {
        let output = self.run(&["run", "--once"])?;
        let said = String::from_utf8_lossy(&output.stderr);
        fs::write(self.path("log"), said.as_bytes())?;
        if output.status.success() { Ok(()) } else { Err(Failure::new(said.into_owned())) }
    }

    /// One round, which may be killed in the middle: whether it came to its end.
    pub fn once_unless_killed(&self) -> Done<bool> {
        let log = File::create(self.path("log"))?;
        let mut once = self.daemon_command(&["run", "--once"]);
        let mut child = once.stdout(Stdio::null()).stderr(log).spawn()?;
        let ended = wait_until(LONGEST_ROUND, || Ok(child.try_wait()?.is_some()));
        if let Err(failure) = ended {
            let threads = what_threads_wait_for(child.id());
            child.kill()?;
            child.wait()?;
            return Err(failure.during(format!("a round hangs:\n{threads}\n{}", self.log())));
        }
        let status = child.wait()?;
        if status.signal() == Some(Signal::KILL.as_raw()) {
            forget_clocks();
            return Ok(false);
        }
        if status.success() { Ok(true) } else { Err(Failure::new(self.log())) }
    }

    /// Waits until the daemon that was launched ends by itself: killed at a moment that it was told.
    pub fn wait_for_end(&mut self) -> Done<()> {
        let Some(daemon) = self.daemon.as_mut() else { return Ok(()) };
        wait_until(PATIENCE, || Ok(daemon.try_wait()?.is_some()))?;
        self.daemon = None;
        Ok(())
    }

    /// Waits until the daemon has ended, and says how.
    pub fn ended(&mut self) -> Done<std::process::ExitStatus> {
        let daemon = self.daemon.take();
        Ok(daemon.ok_or_else(|| Failure::new("no daemon runs"))?.wait()?)
    }

    /// The daemon's process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Child::id)
    }

    /// Asks the daemon to end, and says whether it ended well.
    pub fn stop(&mut self) -> Done<bool> {
        self.signal(Signal::TERM)?;
        let Some(mut daemon) = self.daemon.take() else { return Ok(true) };
        Ok(daemon.wait()?.success())
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) -> Done<()> {
        if let Some(daemon) = &self.daemon
            && let Some(pid) = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw)
        {
            kill_process(pid, signal).map_err(|e| Failure::new(e.to_string()))?;
        }
        Ok(())
    }

    /// Kills the daemon as a power cut would.
    pub fn kill(&mut self) -> Done<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill()?;
            daemon.wait()?;
            forget_clocks();
        }
        Ok(())
    }

    /// Puts a file into the inbox as a careful sender does: under another name first, then renamed.
    pub fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) -> Done<()> {
        let beside = self.path("inbox").join(format!(".{name}.tmp"));
        fs::write(&beside, content)?;
        // Drops are taken by their times, which some file systems keep in steps of milliseconds.
        let nth = DROPPED.fetch_add(1, Ordering::Relaxed);
        let at = SystemTime::now() + Duration::from_millis(20) * nth;
        File::options().write(true).open(&beside)?.set_modified(at)?;
        Ok(fs::rename(beside, self.path("inbox").join(name))?)
    }

    /// Names in a folder of the site, sorted.
    pub fn names(&self, folder: &str) -> Done<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(folder))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The one receipt in a folder that is about a drop of this name.
    pub fn receipt(&self, folder: &str, drop: &str) -> Done<String> {
        let names = self.names(folder)?;
        let wanted = format!("-{drop}.receipt.txt");
        let name = names.iter().rev().find(|name| name.ends_with(&wanted));
        let name = name.ok_or_else(|| {
            Failure::new(format!("no receipt of {drop} in {folder}: {names:?}\n{}", self.log()))
        })?;
        Ok(fs::read_to_string(self.path(folder).join(name))?)
    }

    /// An answer in JSON.
    pub fn json(&self, arguments: &[&str]) -> Done<serde_json::Value> {
        let output = self.run(&[arguments, &["--format", "json"]].concat())?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Failure::new(format!(
                "lapsed {arguments:?} printed no JSON ({error}): {said}\n{}",
                self.log()
            ))
        })
    }

    /// The last lines of the daemon's log.
    #[must_use]
    pub fn log(&self) -> String {
        tail(&fs::read_to_string(self.path("log")).unwrap_or_default())
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a condition for an hour: for measurements, not for tests.
    pub fn wait_long(&self, what: &str, condition: impl FnMut() -> Done<bool>) -> Done<()> {
        wait_until(std::time::Duration::from_secs(3_600), condition)
            .map_err(|failure| failure.during(format!("{what}\n{}", self.log())))
    }

    /// Waits for a condition.
    pub fn wait_for(&self, what: &str, mut condition: impl FnMut() -> Done<bool>) -> Done<()> {
        wait_until(PATIENCE, &mut condition)
            .map_err(|failure| failure.during(format!("{what}\n{}", self.log())))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A test that failed has more to say than that its daemon could not be ended.
        let _ = self.kill();
    }
}
