//! Keeps one good connection: which server, when to give it up, and when not to try again.

use super::address::ServerAddress;
use super::codes::{Answer, Trouble};
use super::dial::{Credentials, DialError, dial, log_on};
use super::dn::Dn;
use super::session::Session;
use super::settings::DirectorySettings;
use crate::secret::{SecretError, SecretSource};
use lapsed_core::step::{Cause, Fault};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A server that failed goes to the end of the list for this long.
const SHUNNED: Duration = Duration::from_secs(60);

/// Who the daemon is in the directory: its account is never touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Its distinguished name, where known.
    pub(super) dn: Option<Dn>,
    /// Its log-on name or principal name, folded, where that is how it logs on.
    pub(super) name: Option<String>,
}

/// A session together with who we are in it.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) session: Session,
    pub(super) identity: Identity,
}

/// Why no session could be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the server does not say what it is")]
    Introduction(Trouble),
}

impl OpenError {
    /// The whole story in one line, for people.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Dial(DialError::Refused(answer)) => match answer.fault("log-on") {
                Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause) => {
                    cause.to_string()
                }
            },
            Self::Introduction(trouble) => {
                format!("{self}: {}", trouble.of_read("reading the root"))
            }
            Self::Secret(SecretError::Unreadable { source, .. }) => format!("{self}: {source}"),
            other => other.to_string(),
        }
    }

    /// True when the other servers can't do better: there is no password to try there, or it is
    /// wrong, and trying it at each of them would lock the daemon's account.
    fn is_everywhere(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Dial(error) => error.is_wrong_password(),
            Self::Introduction(_) => false,
        }
    }
}

/// A password that was refused: not tried again for a while, at any server.
#[derive(Debug)]
struct Refusal {
    digest: [u8; 32],
    at: Instant,
    answer: Answer,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Connected>>,
    refusal: Option<Refusal>,
    failed: Vec<Option<Instant>>,
}

/// Opens, keeps and replaces the connection to a directory.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) servers: Vec<ServerAddress>,
    config: Arc<ClientConfig>,
    secret: Option<SecretSource>,
    bind_dn: String,
    largest_reply: usize,
    page_size: u32,
    pub(super) connect_patience: Duration,
    patience: Duration,
    shunned_password: Duration,
    worn_operations: u64,
    worn_age: Duration,
    state: Mutex<State>,
}

impl Supervisor {
    pub(super) fn new(
        settings: &DirectorySettings,
        servers: Vec<ServerAddress>,
        config: Arc<ClientConfig>,
    ) -> Self {
        let seconds = |value: u32| Duration::from_secs(value.into());
        let minutes = |value: u32| Duration::from_secs(u64::from(value) * 60);
        Self {
            state: Mutex::new(State { failed: vec![None; servers.len()], ..State::default() }),
            servers,
            config,
            secret: SecretSource::of(
                settings.bind.password_file.as_ref(),
                settings.bind.password_credential.as_ref(),
            ),
            bind_dn: settings.bind.dn.clone().unwrap_or_default(),
            largest_reply: usize::try_from(settings.largest_reply_bytes).unwrap_or(usize::MAX),
            page_size: settings.page_size,
            connect_patience: seconds(settings.timeouts.connect_seconds),
            patience: seconds(settings.timeouts.operation_seconds),
            shunned_password: minutes(settings.timeouts.refused_password_minutes),
            worn_operations: settings.recycle.operations,
            worn_age: minutes(settings.recycle.minutes),
        }
    }

    /// The connection to use: the caller keeps it for a whole batch, so that one server sees all of it.
    ///
    /// Where none can be had the fault is to try again, whatever the reason: nothing is wrong with the
    /// steps, and they must not end because of a password that expired.
    pub(super) async fn connected(&self) -> Result<Arc<Connected>, Fault> {
        let mut state = self.state.lock().await;
        if let Some(current) = &state.current
            && current.session.ended().is_none()
            && !current.session.is_worn(self.worn_operations, self.worn_age)
        {
            return Ok(Arc::clone(current));
        }
        state.current = None;
        let mut troubles = Vec::new();
        for index in self.order(&state.failed) {
            match self.try_server(index, &mut state).await {
                Ok(connected) => {
                    let connected = Arc::new(connected);
                    state.current = Some(Arc::clone(&connected));
                    return Ok(connected);
                }
                Err(error) => {
                    troubles.push(self.said(index, &error));
                    if error.is_everywhere() {
                        break;
                    }
                    state.failed[index] = Some(Instant::now());
                }
            }
        }
        Err(Fault::Retry(Cause::new(troubles.join("; "))))
    }

    /// A connection to this very server, for reading back what was written there.
    pub(super) async fn connected_to(&self, server: &str) -> Result<Arc<Connected>, Fault> {
        let current = self.connected().await?;
        if current.session.server == server {
            return Ok(current);
        }
        let mut state = self.state.lock().await;
        let named = self.servers.iter().position(|address| address.to_string() == server);
        match named {
            None => Ok(current),
            // The server that took the change may be gone for good: then any other must do.
            Some(index) => Ok(self.try_server(index, &mut state).await.map_or(current, Arc::new)),
        }
    }

    fn said(&self, index: usize, error: &OpenError) -> String {
        format!("{}: {}", self.servers[index], error.sentence())
    }

    /// In the order of the settings, those that failed a moment ago last.
    fn order(&self, failed: &[Option<Instant>]) -> Vec<usize> {
        let shunned = |index: &usize| {
            failed.get(*index).copied().flatten().is_some_and(|at| at.elapsed() < SHUNNED)
        };
        let (bad, good): (Vec<usize>, Vec<usize>) = (0..self.servers.len()).partition(shunned);
        good.into_iter().chain(bad).collect()
    }

    async fn try_server(&self, index: usize, state: &mut State) -> Result<Connected, OpenError> {
        let credentials = self.credentials()?;
        if let Some(answer) = self.refused(&credentials, state) {
            return Err(DialError::Refused(answer).into());
        }
        let opened = self.open(&self.servers[index], &credentials).await;
        if let Err(OpenError::Dial(error)) = &opened
            && error.is_wrong_password()
            && let DialError::Refused(answer) = error
        {
            let answer = answer.clone();
            state.refusal =
                Some(Refusal { digest: digest(&credentials), at: Instant::now(), answer });
        }
        opened
    }

    fn refused(&self, credentials: &Credentials, state: &State) -> Option<Answer> {
        let refusal = state.refusal.as_ref()?;
        let same = refusal.digest == digest(credentials);
        (same && refusal.at.elapsed() < self.shunned_password).then(|| refusal.answer.clone())
    }

    /// As whom to log on, the password read anew.
    pub(super) fn credentials(&self) -> Result<Credentials, SecretError> {
        Ok(match &self.secret {
            None => Credentials::External,
            Some(secret) => {
                Credentials::Simple { dn: self.bind_dn.clone(), password: secret.read()? }
            }
        })
    }

    /// Opens a session at one server, with no memory of earlier failures.
    pub(super) async fn open(
        &self,
        address: &ServerAddress,
        credentials: &Credentials,
    ) -> Result<Connected, OpenError> {
        let mut line =
            dial(address, &self.config, self.largest_reply, self.connect_patience).await?;
        log_on(&mut line, credentials, self.connect_patience).await?;
        let mut session = Session::new(line, address.to_string(), self.patience, self.page_size);
        session.introduce().await.map_err(OpenError::Introduction)?;
        let identity = match credentials {
            Credentials::Simple { dn, .. } => Identity::of_bind(dn),
            Credentials::External => {
                let authorized = session.who_am_i().await.map_err(OpenError::Introduction)?;
                Identity::of_authorization(&authorized)
            }
        };
        tracing::info!(server = %session.server, "connected to the directory");
        Ok(Connected { session, identity })
    }
}

impl Identity {
    fn of_bind(name: &str) -> Self {
        match Dn::parse(name) {
            Ok(dn) => Self { dn: Some(dn), name: None },
            Err(_) => {
                let own = name.rsplit_once('\\').map_or(name, |(_, own)| own);
                Self { dn: None, name: Some(own.to_lowercase()) }
            }
        }
    }

    fn of_authorization(id: &str) -> Self {
        let name = id.strip_prefix("dn:").or_else(|| id.strip_prefix("u:")).unwrap_or(id);
        Self::of_bind(name)
    }
}

fn digest(credentials: &Credentials) -> [u8; 32] {
    let mut hash = Sha256::new();
    if let Credentials::Simple { dn, password } = credentials {
        hash.update(dn.as_bytes());
        hash.update([0]);
        hash.update(password.expose_secret().as_bytes());
    }
    hash.finalize().into()
}
