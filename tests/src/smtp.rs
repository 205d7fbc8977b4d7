//! A mail server for tests: speaks SMTP with TLS and log-on, keeps what it takes, and misbehaves on demand.

use crate::authority::{Certificate, TlsFiles};
use crate::process::{PATIENCE, Scratch, listen, wait_until};
use crate::{Done, Failure};
use base64::Engine;
use lapsed_connectors::mail::{MailSecurity, MailSettings};
use mail_parser::{Message, MessageParser, MimeHeaders};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The one user who may log on.
pub const USER: &str = "lapsed";
/// Their password. It protects nothing but a test.
pub const PASSWORD: &str = "pw-of-the-test";

/// How the server behaves from the next connection on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// Takes every mail.
    #[default]
    Taking,
    /// Asks to come back later (451) when it hears who gets the mail.
    Later,
    /// Knows nobody (550).
    Refusing,
    /// Refuses the text once it has it (554).
    RefusingText,
    /// Takes the mail, and cuts the connection instead of saying so.
    CutWhenTaken,
    /// Cuts the connection in the middle of the text.
    CutInText,
    /// Takes connections and never says a word.
    Mute,
    /// Takes the text and never answers.
    MuteWhenTaken,
    /// Is no mail server at all.
    Garbage,
    /// Offers no encryption.
    NoStartTls,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender of the envelope.
    pub from: String,
    /// Those of the envelope who get it.
    pub to: Vec<String>,
    /// Who was logged on.
    pub user: Option<String>,
    /// Whether it came encrypted.
    pub encrypted: bool,
    /// The mail as it came.
    pub raw: String,
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    security: MailSecurity,
    scratch: Scratch,
    tls: TlsFiles,
    state: Arc<State>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Kept {
    manner: Manner,
    mails: Vec<Received>,
}

#[derive(Debug, Default)]
struct State {
    kept: Mutex<Kept>,
    changed: Condvar,
    folder: PathBuf,
}

impl State {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, mail: Received) {
        let mut kept = self.kept();
        let name = format!("{:04}.eml", kept.mails.len() + 1);
        // The file is for whoever looks at a test that failed; the test itself asks the memory.
        let _ = std::fs::write(self.folder.join(name), &mail.raw);
        kept.mails.push(mail);
        drop(kept);
        self.changed.notify_all();
    }
}

impl MailServer {
    /// Starts a server that switches to TLS by STARTTLS.
    pub fn start() -> Done<Self> {
        Self::with(MailSecurity::StartTls, Certificate::Good)
    }

    /// Starts a server of this kind that shows this certificate.
    pub fn with(security: MailSecurity, certificate: Certificate) -> Done<Self> {
        let scratch = Scratch::new("smtp")?;
        let tls = TlsFiles::make(&scratch, certificate)?;
        scratch.write("password", PASSWORD, 0o600)?;
        scratch.write("wrong-password", "another", 0o600)?;
        let state = Arc::new(State { folder: scratch.folder("mails")?, ..State::default() });
        let listener = listen()?;
        let port = listener.local_addr()?.port();
        let stop = CancellationToken::new();
        let mut server = Self { port, security, scratch, tls, state, stop, thread: None };
        server.run(listener)?;
        Ok(server)
    }

    fn run(&mut self, listener: std::net::TcpListener) -> Done<()> {
        let acceptor = acceptor(&self.tls)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        self.stop = CancellationToken::new();
        let (ended, shared, security) = (self.stop.clone(), Arc::clone(&self.state), self.security);
        self.thread = Some(std::thread::spawn(move || {
            runtime
                .block_on(ended.run_until_cancelled(serve(listener, security, acceptor, shared)));
        }));
        Ok(())
    }

    /// Ends in the middle of whatever it does, as a server that is killed; the mails that it took stay.
    pub fn kill(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Runs again after [`Self::kill`], on the same port.
    pub fn revive(&mut self) -> Done<()> {
        let mut bound = None;
        wait_until(PATIENCE, || {
            bound = std::net::TcpListener::bind(("127.0.0.1", self.port)).ok();
            Ok(bound.is_some())
        })?;
        self.run(bound.ok_or_else(|| Failure::new("the port is taken"))?)
    }

    /// Behaves like this from the next connection on.
    pub fn behave(&self, manner: Manner) {
        self.state.kept().manner = manner;
    }

    /// The mails that were taken, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Received> {
        self.state.kept().mails.clone()
    }

    /// Waits until so many mails were taken.
    pub fn wait_for(&self, count: usize) -> Done<Vec<Received>> {
        let kept = self.state.kept();
        let waiting = |kept: &mut Kept| kept.mails.len() < count;
        let (kept, _) = self
            .state
            .changed
            .wait_timeout_while(kept, PATIENCE, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if kept.mails.len() < count {
            return Err(Failure::new(format!("{} of {count} mails came", kept.mails.len())));
        }
        Ok(kept.mails.clone())
    }

    /// Settings that reach this server, log-on and trust included.
    #[must_use]
    pub fn settings(&self) -> MailSettings {
        let encrypted = self.security != MailSecurity::None;
        MailSettings {
            server: "127.0.0.1".into(),
            port: Some(self.port),
            security: self.security,
            ca_file: encrypted.then(|| self.tls.ca.clone()),
            from: "Account Management <lapsed@dmh.test>".into(),
            reply_to: Some("accounts@dmh.test".into()),
            user: Some(USER.into()),
            password_file: Some(self.scratch.path().join("password")),
            password_credential: None,
            timeout_seconds: 10,
        }
    }

    /// The same as the `mail:` section of a configuration file.
    #[must_use]
    pub fn yaml(&self) -> String {
        let (path, tls) = (self.scratch.path().display(), self.tls.ca.display());
        let security = match self.security {
            MailSecurity::Tls => format!("tls\n  ca_file: {tls}"),
            MailSecurity::StartTls => format!("start_tls\n  ca_file: {tls}"),
            MailSecurity::None => "none".into(),
        };
        format!(
            "mail:\n  server: 127.0.0.1\n  port: {}\n  security: {security}\n  \
             from: \"Account Management <lapsed@dmh.test>\"\n  reply_to: accounts@dmh.test\n  \
             user: {USER}\n  password_file: {path}/password\n  timeout_seconds: 10\n",
            self.port
        )
    }

    /// File with a password that the server refuses.
    #[must_use]
    pub fn wrong_password_file(&self) -> PathBuf {
        self.scratch.path().join("wrong-password")
    }

    /// An authority that did not sign the server's certificate.
    #[must_use]
    pub fn other_ca_path(&self) -> &Path {
        &self.tls.other_ca
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Received {
    fn parsed(&self) -> Option<Message<'_>> {
        MessageParser::default().parse(self.raw.as_bytes())
    }

    /// The subject, decoded.
    #[must_use]
    pub fn subject(&self) -> String {
        self.parsed().and_then(|mail| mail.subject().map(str::to_owned)).unwrap_or_default()
    }

    /// The text, decoded.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.parsed().and_then(|mail| mail.body_text(0).map(|text| text.into_owned()));
        text.unwrap_or_default().replace("\r\n", "\n")
    }

    /// The mail's identity, without its brackets.
    #[must_use]
    pub fn message_id(&self) -> String {
        self.parsed().and_then(|mail| mail.message_id().map(str::to_owned)).unwrap_or_default()
    }

    /// A header as it came, folded lines joined; the first of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mail = self.parsed()?;
        let value = mail.header_raw(name)?;
        Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Names and contents of the files that came with it.
    #[must_use]
    pub fn attachments(&self) -> Vec<(String, Vec<u8>)> {
        let Some(mail) = self.parsed() else { return Vec::new() };
        mail.attachments()
            .map(|part| {
                let name = part.attachment_name().unwrap_or_default().to_owned();
                (name, part.contents().to_vec())
            })
            .collect()
    }
}

fn acceptor(files: &TlsFiles) -> Done<TlsAcceptor> {
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(&files.certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    listener: std::net::TcpListener,
    security: MailSecurity,
    acceptor: TlsAcceptor,
    state: Arc<State>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            // A client that goes away is no failure of the server.
            let _ = talk(stream, security, &acceptor, &state).await;
        });
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

struct Talk<'a> {
    line: BufReader<Box<dyn Stream>>,
    acceptor: &'a TlsAcceptor,
    manner: Manner,
    offers_tls: bool,
    encrypted: bool,
    user: Option<String>,
    from: String,
    to: Vec<String>,
}

/// Whether the connection goes on.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

async fn talk(
    stream: TcpStream,
    security: MailSecurity,
    acceptor: &TlsAcceptor,
    state: &State,
) -> std::io::Result<()> {
    let manner = state.kept().manner;
    let encrypted = security == MailSecurity::Tls;
    let stream: Box<dyn Stream> =
        if encrypted { Box::new(acceptor.accept(stream).await?) } else { Box::new(stream) };
    let mut talk = Talk {
        line: BufReader::new(stream),
        acceptor,
        manner,
        offers_tls: security == MailSecurity::StartTls && manner != Manner::NoStartTls,
        encrypted,
        user: None,
        from: String::new(),
        to: Vec::new(),
    };
    match manner {
        Manner::Mute => return std::future::pending().await,
        Manner::Garbage => return talk.say("HTTP/1.1 400 Bad Request\r\n").await,
        _ => talk.say("220 sink.dmh.test ESMTP").await?,
    }
    loop {
        let mut line = String::new();
        if talk.line.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if talk.answer(line.trim_end(), state).await? == Then::End {
            return Ok(());
        }
    }
}

impl Talk<'_> {
    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.line.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        self.line.get_mut().flush().await
    }

    async fn answer(&mut self, line: &str, state: &State) -> std::io::Result<Then> {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => self.capabilities().await?,
            "STARTTLS" if self.offers_tls => self.encrypt().await?,
            "AUTH" => self.log_on(line).await?,
            "MAIL" if self.user.is_none() => self.say("530 5.7.0 Authentication required").await?,
            "MAIL" => {
                self.from = bracketed(line);
                self.to.clear();
                self.say("250 2.1.0 Ok").await?;
            }
            "RCPT" => self.recipient(line).await?,
            "DATA" if self.to.is_empty() => self.say("503 5.5.1 Nobody gets it").await?,
            "DATA" => return self.data(state).await,
            "RSET" | "NOOP" => self.say("250 2.0.0 Ok").await?,
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(Then::End);
            }
            _ => self.say("502 5.5.2 Not known here").await?,
        }
        Ok(Then::GoOn)
    }

    async fn capabilities(&mut self) -> std::io::Result<()> {
        if self.offers_tls && !self.encrypted {
            self.say("250-sink.dmh.test\r\n250 STARTTLS").await
        } else {
            self.say("250-sink.dmh.test\r\n250-8BITMIME\r\n250 AUTH PLAIN").await
        }
    }

    async fn encrypt(&mut self) -> std::io::Result<()> {
        self.say("220 2.0.0 Go on").await?;
        let (end, _) = tokio::io::duplex(1);
        let plain = std::mem::replace(&mut self.line, BufReader::new(Box::new(end)));
        let encrypted = self.acceptor.accept(plain.into_inner()).await?;
        self.line = BufReader::new(Box::new(encrypted));
        self.encrypted = true;
        Ok(())
    }

    async fn log_on(&mut self, line: &str) -> std::io::Result<()> {
        let wanted = format!("\0{USER}\0{PASSWORD}");
        let given = line.split(' ').nth(2).unwrap_or_default();
        let given = base64::engine::general_purpose::STANDARD.decode(given).unwrap_or_default();
        if given != wanted.as_bytes() {
            return self.say("535 5.7.8 Authentication credentials invalid").await;
        }
        self.user = Some(USER.to_owned());
        self.say("235 2.7.0 Ok").await
    }

    async fn recipient(&mut self, line: &str) -> std::io::Result<()> {
        match self.manner {
            Manner::Later => self.say("451 4.3.0 Mailbox busy, come back later").await,
            Manner::Refusing => self.say("550 5.1.1 No such user; SSN 123-45-6789").await,
            _ => {
                self.to.push(bracketed(line));
                self.say("250 2.1.5 Ok").await
            }
        }
    }

    async fn data(&mut self, state: &State) -> std::io::Result<Then> {
        self.say("354 Go on, end with a dot").await?;
        let mut raw = String::new();
        loop {
            let mut line = String::new();
            if self.line.read_line(&mut line).await? == 0 || self.manner == Manner::CutInText {
                return Ok(Then::End);
            }
            if line == ".\r\n" {
                break;
            }
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        if self.manner == Manner::RefusingText {
            self.say("554 5.6.0 Not such a text").await?;
            return Ok(Then::GoOn);
        }
        state.keep(Received {
            from: std::mem::take(&mut self.from),
            to: std::mem::take(&mut self.to),
            user: self.user.clone(),
            encrypted: self.encrypted,
            raw,
        });
        match self.manner {
            Manner::CutWhenTaken => return Ok(Then::End),
            Manner::MuteWhenTaken => return std::future::pending().await,
            _ => self.say("250 2.0.0 Ok: queued as 4711").await?,
        }
        Ok(Then::GoOn)
    }
}

fn bracketed(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
