//! Hands mails to the server, one connection each.

use super::address::MailAddress;
use super::letter::{Letter, MessageId};
use super::settings::{MailSecurity, MailSettings};
use super::trouble::{MailFault, Stage, words};
use crate::contract::Probed;
use crate::secret::SecretSource;
use crate::settings::{SettingsError, SettingsProblem};
use crate::tls;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Ways to log on, best first. Each sends the password as it is, so that it goes over TLS only.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// That a server took a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The server, `mail.example.org:587`.
    pub server: String,
    /// What it said to it, with its own number for the mail if it gave one; made safe to be kept.
    pub reply: String,
    /// The mail.
    pub message_id: MessageId,
}

/// Sends mails by one server.
pub struct Postman {
    settings: MailSettings,
    from: MailAddress,
    reply_to: Option<MailAddress>,
    password: Option<SecretSource>,
    tls: Option<TlsParameters>,
}

impl fmt::Debug for Postman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postman").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Postman {
    /// Prepares for a server; nothing is contacted yet, and the password is read when it is needed.
    ///
    /// # Errors
    /// Every problem of the settings, and of the file with the certificates.
    pub fn new(settings: &MailSettings) -> Result<Self, SettingsError> {
        let problems = settings.problems();
        if !problems.is_empty() {
            return Err(SettingsError(problems));
        }
        let address = |key: &'static str, text: &str| {
            MailAddress::parse(text).map_err(|bad| SettingsError::one(key, bad.to_string()))
        };
        let from = address("from", &settings.from)?;
        let reply_to = settings.reply_to.as_deref().map(|text| address("reply_to", text));
        let (file, credential) =
            (settings.password_file.as_ref(), settings.password_credential.as_ref());
        Ok(Self {
            from,
            reply_to: reply_to.transpose()?,
            password: settings.user.as_ref().and_then(|_| SecretSource::of(file, credential)),
            tls: encryption(settings)?,
            settings: settings.clone(),
        })
    }

    /// The identity of a mail about a step or notice; `part` tells several about the same one apart:
    /// `form`, `reminder-1`.
    #[must_use]
    pub fn message_id(&self, about: Uuid, part: &str) -> MessageId {
        MessageId::derived(about, part, self.from.domain())
    }

    /// The address that answers go to.
    #[must_use]
    pub fn answers_to(&self) -> String {
        self.reply_to.as_ref().unwrap_or(&self.from).bare()
    }

    /// The server, for people: `mail.example.org:587`.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.settings.server, self.settings.port())
    }

    /// Hands a mail over. It goes to everyone it names, or to nobody.
    ///
    /// # Errors
    /// [`MailFault`] says what became of it.
    pub async fn send(&self, letter: &Letter) -> Result<Receipt, MailFault> {
        if letter.to.is_empty() {
            return Err(MailFault::Refused("nobody is named who gets it; name an address".into()));
        }
        let message = letter
            .message(&self.from, self.reply_to.as_ref())
            .map_err(|error| MailFault::Refused(format!("it can't be written: {error}")))?;
        let mut line = self.open().await?;
        let sender = Mail::new(message.envelope().from().cloned(), Vec::new());
        self.wait(Stage::Sender, line.command(sender)).await?;
        for to in message.envelope().to() {
            let stage = Stage::Recipient(to.to_string());
            self.wait(stage, line.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        }
        self.wait(Stage::Data, line.command(Data)).await?;
        let taken = self.wait(Stage::Text, line.message(&message.formatted())).await?;
        self.part(line).await;
        Ok(Receipt {
            server: self.server(),
            reply: words(&taken.message().collect::<Vec<_>>().join(" ")),
            message_id: letter.message_id.clone(),
        })
    }

    /// Tries the server without sending anything: reach it, encrypt, log on, name the sender, and take
    /// that back.
    pub async fn probe(&self) -> Probed {
        let log_on = self.settings.user.as_ref().map_or("without log-on", |_| "with log-on");
        let tried = async {
            let mut line = self.open().await?;
            let sender = Mail::new(Some(self.from.mailbox().email), Vec::new());
            self.wait(Stage::Sender, line.command(sender)).await?;
            self.wait(Stage::Sender, line.command(Rset)).await?;
            self.part(line).await;
            Ok(())
        };
        let problem = tried.await.err().map(|fault: MailFault| fault.to_string());
        Probed { what: format!("mail server {} {log_on}", self.server()), problem }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, MailFault> {
        let hello = ClientId::default();
        let address = (self.settings.server.as_str(), self.settings.port());
        let at_once = match self.settings.security {
            MailSecurity::Tls => self.tls.clone(),
            MailSecurity::StartTls | MailSecurity::None => None,
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(address, None, &hello, at_once, None);
        let mut line = self.wait(Stage::Connect, connecting).await?;
        if let (MailSecurity::StartTls, Some(tls)) = (self.settings.security, &self.tls) {
            if !line.can_starttls() {
                return Err(MailFault::NotSent(
                    "the mail server offers no STARTTLS; use `security: tls` with its port for that"
                        .into(),
                ));
            }
            self.wait(Stage::Connect, line.starttls(tls.clone(), &hello)).await?;
        }
        self.log_on(&mut line).await?;
        Ok(line)
    }

    async fn log_on(&self, line: &mut AsyncSmtpConnection) -> Result<(), MailFault> {
        let (Some(user), Some(source)) = (&self.settings.user, &self.password) else {
            return Ok(());
        };
        let password = source.read().map_err(|error| MailFault::NotSent(error.to_string()))?;
        if line.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            return Err(MailFault::NotSent(
                "the mail server takes no log-on by PLAIN or LOGIN; leave `user` out if it wants none"
                    .into(),
            ));
        }
        let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
        self.wait(Stage::LogOn, line.auth(&MECHANISMS, &credentials)).await.map(drop)
    }

    /// Waits for one answer of the server, not for ever.
    async fn wait<T>(
        &self,
        stage: Stage,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, MailFault> {
        let seconds = self.settings.timeout_seconds;
        match tokio::time::timeout(Duration::from_secs(seconds.into()), answer).await {
            Ok(answer) => answer.map_err(|error| stage.fault(&error)),
            Err(_) => Err(stage.slow(seconds)),
        }
    }

    /// Ends the talk as is polite; what was to be done is done, so that nothing hangs on the answer.
    async fn part(&self, mut line: AsyncSmtpConnection) {
        let bye = async { line.quit().await.map(|_: Response| ()) };
        let _ = tokio::time::timeout(Duration::from_secs(2), bye).await;
    }
}

/// How the connection is encrypted; trust only in what the settings name, or in what the machine trusts.
fn encryption(settings: &MailSettings) -> Result<Option<TlsParameters>, SettingsError> {
    if settings.security == MailSecurity::None {
        return Ok(None);
    }
    let wrong = |problem: String| SettingsError(vec![SettingsProblem::new("ca_file", problem)]);
    // The library would take a file without certificates, or with others among them, without a word.
    tls::trust(settings.ca_file.as_deref()).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        wrong(format!("{error}{}", source.unwrap_or_default()))
    })?;
    let mut builder = TlsParameters::builder(settings.server.clone());
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(|error| wrong(format!("can't be read: {error}")))?;
        let own = Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(own);
    }
    builder.build().map(Some).map_err(|error| wrong(error.to_string()))
}
