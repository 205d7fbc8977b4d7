//! A real Request Tracker 5 with its REST 2 interface, on SQLite, as one ordinary user.

use crate::cache;
use crate::process::{Scratch, Server, find_program, free_port, run, tail};
use crate::{Done, Failure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where Debian puts what belongs to Request Tracker.
const LIBRARY: &str = "/usr/share/request-tracker5";

/// Makes a token for the first user and prints it.
const TOKEN: &str = "BEGIN { unshift @INC, '/usr/share/request-tracker5/lib'; }\n\
    use RT; RT::LoadConfig(); RT::Init();\n\
    my $root = RT::User->new(RT->SystemUser); $root->Load('root');\n\
    my $token = RT::AuthToken->new(RT->SystemUser);\n\
    my ($ok, $said, $text) = $token->Create(Owner => $root->id, Description => 'test');\n\
    die $said unless $ok; print $text;\n";

/// A running Request Tracker; stopped and removed when dropped.
#[derive(Debug)]
pub struct RequestTracker {
    server: Option<Server>,
    scratch: Scratch,
    folder: PathBuf,
    port: u16,
    token: String,
}

impl RequestTracker {
    /// Starts the server with its queue `General` and no ticket.
    pub fn start() -> Done<Self> {
        Self::fresh().map_err(|failure| failure.during("Request Tracker"))
    }

    fn fresh() -> Done<Self> {
        let scratch = Scratch::new("rt")?;
        // Making the database takes seconds: once for all tests.
        let folder = cache::tree("request-tracker-5-1", &scratch, "rt", |scratch, folder| {
            configure(scratch, folder, 80)?;
            let setup = find_program("rt-setup-database-5", &[])?;
            run(environment(&mut scratch.command(setup), folder).args([
                "--action",
                "init",
                "--skip-create",
                "--dba-password",
                "",
            ]))?;
            let perl = find_program("perl", &[])?;
            let mut token = scratch.command(perl);
            let made = run(environment(&mut token, folder).args(["-e", TOKEN]))?;
            // The server's user writes it: the folder is theirs.
            let copy = scratch.write("token", made.stdout, 0o600)?;
            run(scratch.command(find_program("cp", &[])?).arg(copy).arg(folder.join("token")))?;
            Ok(())
        })?;
        let port = free_port()?;
        configure(&scratch, &folder, port)?;
        let token = fs::read_to_string(folder.join("token"))?.trim().to_owned();
        scratch.write("token", &token, 0o600)?;
        scratch.write("wrong-token", "1-14-00000000000000000000000000000000", 0o600)?;
        let mut tracker = Self { server: None, scratch, folder, port, token };
        tracker.launch()?;
        Ok(tracker)
    }

    /// Starts it again after [`Self::stop`], on the same port.
    pub fn launch(&mut self) -> Done<()> {
        let program = Path::new(LIBRARY).join("libexec/rt-server");
        let mut command = self.scratch.command(program);
        environment(&mut command, &self.folder)
            .args(["--server", "Starlet", "--host", "127.0.0.1", "--max-workers", "2"])
            .args(["--port", &self.port.to_string()])
            // Its workers go with it when the whole group is told to end.
            .process_group(0);
        let log = self.scratch.path().join("out.log");
        let mut server = Server::start("rt-server", &mut command, &log)?;
        server.wait_until(|| self.get("/REST/2.0/rt").is_ok())?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends the server with all its workers. SIGTERM would take seconds.
    pub fn stop(&mut self) -> Done<()> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let group = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
        let group = group.ok_or_else(|| Failure::new("the process id is out of range"))?;
        kill_process_group(group, Signal::KILL).map_err(std::io::Error::from)?;
        drop(server);
        Ok(())
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file with a token that the server takes.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.scratch.path().join("token")
    }

    /// A file with a token that it does not take.
    #[must_use]
    pub fn wrong_token_file(&self) -> PathBuf {
        self.scratch.path().join("wrong-token")
    }

    /// The witness: every ticket with this text in its subject, as the server shows it, oldest first.
    pub fn tickets(&self, text: &str) -> Done<Vec<Value>> {
        let path = format!(
            "/REST/2.0/tickets?query=Subject%20LIKE%20%27{text}%27&fields=Subject,Status,Queue,Priority,Requestor&orderby=id&per_page=100"
        );
        let found = self.get(&path)?;
        Ok(found["items"].as_array().cloned().unwrap_or_default())
    }

    /// The witness: all that was written into a ticket, its comments included.
    pub fn history(&self, number: &str) -> Done<String> {
        let path = format!(
            "/REST/2.0/ticket/{number}/history?fields=Type,Field,NewValue,Content&per_page=100"
        );
        let found = self.get(&path)?;
        let mut all = found.to_string();
        for item in found["items"].as_array().into_iter().flatten() {
            let transaction = item["id"].as_str().unwrap_or_default();
            let shown = self
                .get(&format!("/REST/2.0/transaction/{transaction}/attachments?fields=Content"))?;
            for part in shown["items"].as_array().into_iter().flatten() {
                let id = part["id"].as_str().unwrap_or_default();
                let attachment = self.get(&format!("/REST/2.0/attachment/{id}"))?;
                let content = attachment["Content"].as_str().unwrap_or_default();
                all.push('\n');
                all.push_str(&decoded(content));
            }
        }
        Ok(all)
    }

    /// What a technician does: gives a ticket another status.
    pub fn set_status(&self, number: &str, status: &str) -> Done<()> {
        let body = serde_json::json!({ "Status": status }).to_string();
        self.call("PUT", &format!("/REST/2.0/ticket/{number}"), &body).map(drop)
    }

    /// What somebody at the phone does: opens a ticket with this subject.
    pub fn open(&self, subject: &str) -> Done<String> {
        let body = serde_json::json!({ "Queue": "General", "Subject": subject }).to_string();
        let made = self.call("POST", "/REST/2.0/ticket", &body)?;
        made["id"].as_str().map(str::to_owned).ok_or_else(|| Failure::new(made.to_string()))
    }

    /// Makes a queue.
    pub fn add_queue(&self, name: &str) -> Done<()> {
        let body = serde_json::json!({ "Name": name }).to_string();
        self.call("POST", "/REST/2.0/queue", &body).map(drop)
    }

    fn get(&self, path: &str) -> Done<Value> {
        self.call("GET", path, "")
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Done<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: token {}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply.as_str(), ""));
        if !head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
            return Err(Failure::new(format!("{method} {path}: {}", tail(&reply))));
        }
        serde_json::from_str(body).map_err(|error| Failure::new(format!("{path}: {error}")))
    }
}

impl Drop for RequestTracker {
    fn drop(&mut self) {
        // A test that failed has more to say than that its server could not be ended.
        let _ = self.stop();
    }
}

/// Contents come in base64.
fn decoded(content: &str) -> String {
    use base64::Engine as _;
    let joined: String = content.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(joined);
    bytes.map_or_else(|_| content.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn environment<'c>(command: &'c mut Command, folder: &Path) -> &'c mut Command {
    command
        .env("RT_SITE_CONFIG", folder.join("RT_SiteConfig.pm"))
        .env("RT_SITE_CONFIG_DIR", folder.join("conf.d"))
}

/// `RT_SiteConfig.pm`: loopback, SQLite, no mail, nothing outside the folder.
fn configure(scratch: &Scratch, folder: &Path, port: u16) -> Done<()> {
    let at = folder.display();
    let text = format!(
        "Set($rtname, 'lapsed-tests'); Set($Organization, 'dmh.test');\n\
         Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{at}/rt.sqlite');\n\
         Set($WebDomain, '127.0.0.1'); Set($WebPort, {port}); Set($WebPath, '');\n\
         Set($RestrictReferrer, 0); Set($MailCommand, 'testfile');\n\
         Set($LogToFile, undef); Set($LogToSTDERR, 'warning'); Set($LogToSyslog, undef);\n\
         Set($MasonDataDir, '{at}/mason'); Set($MasonSessionDir, '{at}/mason');\n\
         Set($WebSessionClass, 'Apache::Session::File');\n\
         Set(%GnuPG, Enable => 0); Set(%SMIME, Enable => 0);\n1;\n"
    );
    let made = scratch.write("RT_SiteConfig.pm", text, 0o600)?;
    run(scratch
        .command(find_program("mkdir", &[])?)
        .arg("-p")
        .arg(folder.join("conf.d"))
        .arg(folder.join("mason")))?;
    run(scratch.command(find_program("cp", &[])?).arg(made).arg(folder.join("RT_SiteConfig.pm")))?;
    Ok(())
}
