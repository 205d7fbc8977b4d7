//! A real Dovecot server: IMAP, LMTP and the administration API over HTTP or HTTPS, as one
//! ordinary user.

use crate::authority::{Certificate, TlsFiles};
use crate::process::{
    PATIENCE, Scratch, Server, accepts, find_program, free_port, run, wait_until,
};
use crate::{Done, Failure};
use rustix::process::Signal;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

/// The key of the administration API. It protects nothing but a test.
pub const API_KEY: &str = "key-of-the-test";

/// A running Dovecot server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Dovecot {
    server: Option<Server>,
    scratch: Scratch,
    tls: TlsFiles,
    ports: Ports,
    encrypted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    imap: u16,
    lmtp: u16,
    http: u16,
}

/// A session that somebody holds open.
#[derive(Debug)]
pub struct ImapSession(BufReader<TcpStream>);

impl Dovecot {
    /// Starts the server with these mail users, each with the password `pw-USER`.
    pub fn start(users: &[&str]) -> Done<Self> {
        Self::with(users, false).map_err(|e| e.during("Dovecot"))
    }

    /// The same with the administration API encrypted: Dovecot knows one HTTP listener only.
    pub fn start_encrypted(users: &[&str]) -> Done<Self> {
        Self::with(users, true).map_err(|e| e.during("Dovecot"))
    }

    fn with(users: &[&str], encrypted: bool) -> Done<Self> {
        let scratch = Scratch::new("dovecot")?;
        let tls = TlsFiles::make(&scratch, Certificate::Good)?;
        for folder in ["run", "state", "mail"] {
            scratch.folder(folder)?;
        }
        let lines: String =
            users.iter().map(|user| format!("{user}:{{PLAIN}}pw-{user}::::::\n")).collect();
        scratch.write("users", lines, 0o600)?;
        scratch.write("api.key", API_KEY, 0o600)?;
        scratch.write("wrong.key", "another", 0o600)?;
        let ports = Ports { imap: free_port()?, lmtp: free_port()?, http: free_port()? };
        scratch.write("dovecot.conf", config(&scratch, &tls, ports, encrypted)?, 0o600)?;
        let mut dovecot = Self { server: None, scratch, tls, ports, encrypted };
        dovecot.launch()?;
        Ok(dovecot)
    }

    fn launch(&mut self) -> Done<()> {
        let folder = self.scratch.path();
        let mut command = self.scratch.command(find_program("dovecot", &[])?);
        command.arg("-F").arg("-c").arg(folder.join("dovecot.conf"));
        let mut server = Server::start("dovecot", &mut command, &folder.join("out.log"))?;
        let Ports { imap, lmtp, http } = self.ports;
        server.wait_until(|| [imap, lmtp, http].into_iter().all(accepts))?;
        self.server = Some(server);
        Ok(())
    }

    /// Delivers so many mails by LMTP, as a mail server does.
    pub fn deliver(&self, user: &str, count: usize) -> Done<()> {
        let stream = TcpStream::connect(("127.0.0.1", self.ports.lmtp))?;
        let mut reader = BufReader::new(stream);
        expect(&mut reader, "220")?;
        say(&mut reader, "LHLO test", "250")?;
        for number in 1..=count {
            say(&mut reader, "MAIL FROM:<sender@dmh.test>", "250")?;
            say(&mut reader, &format!("RCPT TO:<{user}>"), "250")?;
            say(&mut reader, "DATA", "354")?;
            let mail = format!("Subject: private {number}\r\n\r\nBody {number}.\r\n.");
            say(&mut reader, &mail, "250")?;
        }
        Ok(())
    }

    /// Makes a mailbox and puts so many mails into it.
    pub fn file(&self, user: &str, mailbox: &str, count: usize) -> Done<()> {
        self.doveadm(&["mailbox", "create", "-u", user, mailbox])?;
        for number in 1..=count {
            let mail =
                self.scratch.write("one.eml", format!("Subject: {number}\n\nBody.\n"), 0o600)?;
            let path = mail.display().to_string();
            self.doveadm(&["save", "-u", user, "-m", mailbox, &path])?;
        }
        Ok(())
    }

    /// The location of a user's mail, as Dovecot writes it; `{{ user_id }}` stands for everyone's.
    #[must_use]
    pub fn location(&self, user: &str) -> String {
        format!("maildir:{}/mail/{user}/Maildir", self.scratch.path().display())
    }

    /// Has the server know exactly these users from now on; the mail of others stays where it is.
    pub fn know(&self, users: &[&str]) -> Done<()> {
        let lines: String =
            users.iter().map(|user| format!("{user}:{{PLAIN}}pw-{user}::::::\n")).collect();
        let before = std::fs::read_to_string(self.scratch.path().join("users"))?;
        self.scratch.write("users", lines, 0o600)?;
        // Dovecot reads the file anew when its time of change, in seconds, is another.
        wait_until(PATIENCE, || {
            self.doveadm(&["auth", "cache", "flush"])?;
            let known = |user: &str| self.doveadm(&["user", user]).is_ok();
            let left = before.lines().filter_map(|line| line.split(':').next());
            let mut gone = left.filter(|user| !users.contains(user));
            Ok(users.iter().all(|user| known(user)) && !gone.any(known))
        })
    }

    /// The witness: each message of a user with its mailbox, subject and flags, sorted.
    pub fn messages(&self, user: &str) -> Done<Vec<String>> {
        let found = self.doveadm(&[
            "-f",
            "tab",
            "fetch",
            "-u",
            user,
            "mailbox hdr.subject flags",
            "mailbox",
            "*",
            "all",
        ])?;
        let bare = |line: &str| {
            let words = line.split_whitespace().filter(|word| *word != "\\Recent");
            words.collect::<Vec<_>>().join(" ")
        };
        let mut lines: Vec<String> = found.lines().skip(1).map(bare).collect();
        lines.sort();
        Ok(lines)
    }

    /// The witness: how many mails `doveadm` counts in all of a user's mailboxes.
    pub fn count(&self, user: &str) -> Done<usize> {
        let found = self.doveadm(&["search", "-u", user, "mailbox", "*", "all"])?;
        Ok(found.lines().count())
    }

    /// The witness: names of a user's mailboxes, sorted.
    pub fn mailboxes(&self, user: &str) -> Done<Vec<String>> {
        let listed = self.doveadm(&["mailbox", "list", "-u", user])?;
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// The witness: how many sessions the user has open.
    pub fn sessions(&self, user: &str) -> Done<usize> {
        let listed = self.doveadm(&["-f", "flow", "who", "-1"])?;
        Ok(listed.lines().filter(|line| line.contains(&format!("username={user} "))).count())
    }

    /// Runs `doveadm` beside the server.
    pub fn doveadm(&self, arguments: &[&str]) -> Done<String> {
        let mut command = self.scratch.command(find_program("doveadm", &[])?);
        command.arg("-c").arg(self.scratch.path().join("dovecot.conf")).args(arguments);
        Ok(String::from_utf8_lossy(&run(&mut command)?.stdout).into_owned())
    }

    /// Logs on by IMAP and stays.
    pub fn log_on(&self, user: &str) -> Done<ImapSession> {
        let mut reader = BufReader::new(TcpStream::connect(("127.0.0.1", self.ports.imap))?);
        expect(&mut reader, "* OK")?;
        say(&mut reader, &format!("a login {user} pw-{user}"), "a OK")?;
        Ok(ImapSession(reader))
    }

    /// Freezes what answers (SIGSTOP of the server's master): connections are taken, nothing is said.
    pub fn pause(&self) -> Done<()> {
        self.running()?.signal(Signal::STOP)
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn resume(&self) -> Done<()> {
        self.running()?.signal(Signal::CONT)
    }

    /// Asks the server to end and waits for it.
    pub fn stop(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::TERM))
    }

    fn running(&self) -> Done<&Server> {
        self.server.as_ref().ok_or_else(|| Failure::new("the server is not running"))
    }

    /// The administration API.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.ports.http)
    }
    /// Port of the administration API, for a relay.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }
    /// File with the API's key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.scratch.path().join("api.key")
    }
    /// File with a key that the server refuses.
    #[must_use]
    pub fn wrong_key_file(&self) -> PathBuf {
        self.scratch.path().join("wrong.key")
    }
    /// Authority that signed the server's certificate.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.tls.ca
    }
    /// An authority that did not sign it.
    #[must_use]
    pub fn other_ca_path(&self) -> &Path {
        &self.tls.other_ca
    }
    /// What the server wrote.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("dovecot.log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // The master ends its workers on SIGTERM; killed, it would leave them behind.
        let _ = self.resume();
        let _ = self.stop();
    }
}

impl ImapSession {
    /// True while the server answers in this session.
    pub fn is_open(&mut self) -> bool {
        say(&mut self.0, "b noop", "b OK").is_ok()
    }
}

fn say(reader: &mut BufReader<TcpStream>, line: &str, wanted: &str) -> Done<()> {
    reader.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
    expect(reader, wanted)
}

/// Reads lines until the one that ends the answer: `250 …` after `250-…`, `a …` after `* …`.
fn expect(reader: &mut BufReader<TcpStream>, wanted: &str) -> Done<()> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(Failure::new(format!("the connection ended before {wanted:?}")));
        }
        let goes_on = line.get(3..4) == Some("-") || (line.starts_with('*') && wanted != "* OK");
        if line.starts_with("* BYE") {
            return Err(Failure::new(line));
        }
        if !goes_on {
            let ends = line.starts_with(wanted);
            return if ends { Ok(()) } else { Err(Failure::new(format!("{wanted:?}: {line}"))) };
        }
    }
}

/// `dovecot.conf`: every process as the owner of the folder, nothing outside of it, loopback only.
fn config(scratch: &Scratch, tls: &TlsFiles, ports: Ports, encrypted: bool) -> Done<String> {
    let at = scratch.path().display();
    let name = |flag: &str| -> Done<String> {
        let output = run(scratch.command(find_program("id", &[])?).arg(flag))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (user, group) = (name("-un")?, name("-gn")?);
    let Ports { imap, lmtp, http } = ports;
    let ssl = if encrypted { "yes" } else { "no" };
    let mut conf = format!(
        "protocols = imap lmtp\nlisten = 127.0.0.1\nbase_dir = {at}/run\nstate_dir = {at}/state\n\
         instance_name = lapsed-tests\nlog_path = {at}/dovecot.log\n\
         default_internal_user = {user}\ndefault_internal_group = {group}\n\
         default_login_user = {user}\nfirst_valid_uid = 1\nmail_uid = {user}\nmail_gid = {group}\n\
         mail_home = {at}/mail/%u\nmail_location = maildir:~/Maildir\n\
         ssl = yes\nssl_cert = <{}\nssl_key = <{}\ndisable_plaintext_auth = no\n\
         auth_mechanisms = plain\nauth_cache_size = 1M\ndoveadm_api_key = {API_KEY}\n\
         mail_plugins = acl\nmail_fsync = never\n",
        tls.certificate.display(),
        tls.key.display(),
    );
    for service in ["anvil", "stats"] {
        // A change of root is the superuser's.
        let _ = write!(conf, "service {service} {{\n  chroot =\n}}\n");
    }
    let _ = write!(
        conf,
        "service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {imap}\n  }}\n  \
         inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service lmtp {{\n  inet_listener lmtp {{\n    address = 127.0.0.1\n    port = {lmtp}\n  }}\n}}\n\
         service doveadm {{\n  inet_listener http {{\n    address = 127.0.0.1\n    port = {http}\n    ssl = {ssl}\n  }}\n}}\n"
    );
    let _ = write!(
        conf,
        "passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {at}/users\n}}\n\
         userdb {{\n  driver = passwd-file\n  args = {at}/users\n  \
         default_fields = uid={user} gid={group} home={at}/mail/%u\n}}\n\
         namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n\
         namespace {{\n  type = shared\n  separator = /\n  prefix = shared/%%u/\n  \
         location = maildir:%%h/Maildir:INDEXPVT=~/shared/%%u\n  subscriptions = no\n  list = children\n}}\n\
         plugin {{\n  acl = vfile\n  acl_shared_dict = file:{at}/shared-mailboxes.db\n}}\n\
         protocol imap {{\n  mail_plugins = acl imap_acl\n}}\n\
         protocol doveadm {{\n  mail_plugins = acl\n}}\n"
    );
    Ok(conf)
}
