//! Folders, ports, child processes and waiting: what all servers share.

use crate::{Done, Failure};
use rustix::process::{Pid, Signal, getuid, kill_process};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to come up or to go down. Generous: machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Debian's faketime, the one for programs with several threads: by the other they trip over each other where the
/// setting is read anew, and end. The loader puts the machine's own name for `$LIB` in.
pub const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// The user `nobody`, as whom servers run when the tests run as root.
const NOBODY: u32 = 65_534;

/// The user and group for servers: `None` when we are an ordinary user, who needs no other.
#[must_use]
pub fn server_user() -> Option<(u32, u32)> {
    getuid().is_root().then_some((NOBODY, NOBODY))
}

/// A command that runs as the servers' user, in `/`, with a plain locale and no input.
#[must_use]
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = plain_command(program);
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command
}

/// A command that runs as whoever we are, in `/`, with a plain locale and no input.
#[must_use]
pub fn plain_command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir("/").env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("HOME", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

/// Finds a program in the given folders, then in those where Debian puts servers.
pub fn find_program(name: &str, folders: &[&str]) -> Done<PathBuf> {
    let usual = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"];
    folders
        .iter()
        .chain(&usual)
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| Failure::new(format!("{name} is not installed; `make servers` installs it")))
}

/// Runs a command to its end and gives its output, or tells what it said when it failed.
pub fn run(command: &mut Command) -> Done<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| Failure::from(e).during(&name))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let more = String::from_utf8_lossy(&output.stdout);
    Err(Failure::new(format!(
        "{name} ended with {}: {} {}",
        output.status,
        tail(&said),
        tail(&more)
    )))
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// A temporary folder that belongs to the servers' user; gone when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    owner: Option<(u32, u32)>,
}

impl Scratch {
    /// Makes the folder. Its path is short, since paths of Unix sockets may have 107 bytes only.
    pub fn new(prefix: &str) -> Done<Self> {
        Self::owned_by(prefix, server_user())
    }

    /// Makes the folder for another user than us, or for us.
    pub fn owned_by(prefix: &str, owner: Option<(u32, u32)>) -> Done<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("lapsed-{prefix}-")).tempdir()?;
        let scratch = Self { folder, owner };
        scratch.give_away(scratch.path())?;
        Ok(scratch)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A sub-folder that only the servers' user may enter; made if needed.
    pub fn folder(&self, name: &str) -> Done<PathBuf> {
        let path = self.path().join(name);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        self.give_away(&path)?;
        Ok(path)
    }

    /// Writes a file that belongs to the servers' user.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        text: impl AsRef<[u8]>,
        mode: u32,
    ) -> Done<PathBuf> {
        let path = self.path().join(path);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        self.give_away(&path)?;
        Ok(path)
    }

    /// Another folder of the same owner.
    pub fn sibling(&self, prefix: &str) -> Done<Self> {
        Self::owned_by(prefix, self.owner)
    }

    /// A command that runs as the folder's owner.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = plain_command(program);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    fn give_away(&self, path: &Path) -> Done<()> {
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

/// A free port on 127.0.0.1, from below the range that the kernel hands out by itself: so a server
/// can be stopped and started again without finding its port taken by somebody's outgoing connection.
pub fn free_port() -> Done<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(131);
    for _ in 0..2_000 {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = start.wrapping_add(turn.wrapping_mul(7)) % 20_000;
        let Ok(port) = u16::try_from(11_000 + offset) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new("no free port was found between 11000 and 31000"))
}

/// Listens on a port of [`free_port`].
pub fn listen() -> Done<TcpListener> {
    for _ in 0..20 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", free_port()?)) {
            return Ok(listener);
        }
    }
    Err(Failure::new("no port could be had"))
}

/// A server process that we started; killed when dropped.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts the command with its output in the file `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Done<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().map_err(|e| Failure::from(e).during(name))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the server wrote.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until `ready` says so; fails at once when the server has ended.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Done<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = tail(&self.log());
                return Err(Failure::new(format!("{} ended with {status}: {log}", self.name)));
            }
            if ready() {
                return Ok(());
            }
            if Instant::now() > end {
                let log = tail(&self.log());
                return Err(Failure::new(format!("{} was not ready in time: {log}", self.name)));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal to this process and to no other.
    pub fn signal(&self, signal: Signal) -> Done<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new("the process id is out of range"))?;
        kill_process(pid, signal).map_err(|e| Failure::from(std::io::Error::from(e)))
    }

    /// Asks the server to end by `signal` and waits for it; kills it when it does not.
    pub fn stop(mut self, signal: Signal) -> Done<()> {
        self.signal(signal)?;
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                return Err(Failure::new(format!("{} did not stop in time", self.name)));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// True when something accepts connections on 127.0.0.1 at `port`.
#[must_use]
pub fn accepts(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
}

/// Looks again and again until the condition holds, fails, or `patience` is used up.
pub fn wait_until(patience: Duration, mut condition: impl FnMut() -> Done<bool>) -> Done<()> {
    let end = Instant::now() + patience;
    while !condition()? {
        if Instant::now() > end {
            return Err(Failure::new("it did not come about in time"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
