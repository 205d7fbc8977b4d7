//! One server, one request at a time each on a connection of its own.

use super::address::Base;
use super::login::{Login, LoginSettings};
use super::reply::Reply;
use super::request::Request;
use crate::settings::{SettingsError, SettingsProblem};
use crate::tls;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Replies are no longer, where a connector sets no bound of its own.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;
/// No server is left alone for longer than this, whatever its Retry-After says: a slip there must not
/// keep access open for days.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Why there is no reply. The texts go on after what was being done, and name no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// It was sent; what became of it is not known.
    #[error("{0}")]
    Lost(String),
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpTimeouts {
    /// Seconds for reaching the server, encryption included.
    #[schemars(range(min = 1, max = 300))]
    pub connect_seconds: u32,
    /// Seconds for one request with its whole reply, reaching the server included.
    #[schemars(range(min = 1, max = 3_600))]
    pub request_seconds: u32,
}

impl Default for HttpTimeouts {
    fn default() -> Self {
        Self { connect_seconds: 10, request_seconds: 30 }
    }
}

/// Everything that is wrong with what leads to a server, by the keys that each HTTP connector has:
/// `url`, `login`, `timeouts`.
#[must_use]
pub fn problems(url: &str, login: &LoginSettings, timeouts: &HttpTimeouts) -> Vec<SettingsProblem> {
    let mut found = Vec::new();
    if let Err(advice) = Base::parse(url) {
        found.push(SettingsProblem::new("url", format!("{url:?} {advice}")));
    }
    found.extend(login.problems());
    for (key, zero) in [
        ("timeouts.connect_seconds", timeouts.connect_seconds == 0),
        ("timeouts.request_seconds", timeouts.request_seconds == 0),
    ] {
        if zero {
            found.push(SettingsProblem::new(key, "is 0; write at least 1"));
        }
    }
    found
}

/// Sends requests to one server.
#[derive(Debug)]
pub struct Http {
    base: Base,
    client: reqwest::Client,
    login: Login,
    timeouts: HttpTimeouts,
    /// A longer reply, in bytes, is no answer to what is asked here.
    largest_reply: usize,
    /// Before this moment the server wants to hear nothing.
    not_before: Mutex<Option<Instant>>,
}

impl Http {
    /// Prepares the way to a server; nothing is contacted yet, and secrets are read at each request.
    ///
    /// # Errors
    /// What of the settings is wrong, and what of the file with the certificates.
    pub fn new(
        url: &str,
        ca_file: Option<&Path>,
        login: &LoginSettings,
        timeouts: &HttpTimeouts,
    ) -> Result<Self, SettingsError> {
        let found = problems(url, login, timeouts);
        if !found.is_empty() {
            return Err(SettingsError(found));
        }
        let base = Base::parse(url).map_err(|advice| SettingsError::one("url", advice))?;
        let client = client(&base, ca_file, timeouts)?;
        let login = Login::new(login, ca_file, timeouts)?;
        let timeouts = timeouts.clone();
        let not_before = Mutex::new(None);
        Ok(Self { base, client, login, timeouts, largest_reply: LARGEST_REPLY, not_before })
    }

    /// The same with another bound on replies, in bytes.
    #[must_use]
    pub fn replies_up_to(self, largest_reply: usize) -> Self {
        Self { largest_reply, ..self }
    }

    /// The server's address, for people and receipts.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base.shown()
    }

    /// Sends one request and waits for the whole reply. Whatever status comes is a reply.
    ///
    /// # Errors
    /// When nothing was sent, or no whole reply came.
    pub async fn send(&self, request: Request) -> Result<Reply, Failed> {
        self.wait_is_over()?;
        let url = self
            .base
            .join(&request.path)
            .map_err(|why| Failed::NotSent(format!("the request can't be made: {why}")))?;
        let mut sending = self.client.request(request.method, url).headers(request.headers);
        if let Some(body) = request.body {
            sending = sending.body(body);
        }
        let sending = self.login.sign(sending).await?;
        let reply = self.exchange(sending).await?;
        if reply.status.as_u16() == 401 {
            self.login.forget().await;
        }
        self.heed(&reply);
        Ok(reply)
    }

    fn wait_is_over(&self) -> Result<(), Failed> {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let left = not_before.map(|moment| moment.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if !left.is_zero() => Err(Failed::NotSent(format!(
                "the server asked to be left alone for another {} s",
                left.as_secs() + 1
            ))),
            _ => Ok(()),
        }
    }

    /// Remembers for how long a busy server wants to be left alone.
    fn heed(&self, reply: &Reply) {
        if !matches!(reply.status.as_u16(), 429 | 503) {
            return;
        }
        let Some(wait) = reply.retry_after(Timestamp::now()) else { return };
        let moment = Instant::now().checked_add(wait.min(LONGEST_WAIT));
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    async fn exchange(&self, sending: reqwest::RequestBuilder) -> Result<Reply, Failed> {
        let failed = |error: reqwest::Error| failed(&error, &self.timeouts);
        let mut response = sending.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.largest_reply {
                return Err(Failed::Lost("the reply is too long to be one".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body })
    }
}

fn client(
    base: &Base,
    ca_file: Option<&Path>,
    timeouts: &HttpTimeouts,
) -> Result<reqwest::Client, SettingsError> {
    let trust = if base.is_encrypted() { tls::trust(ca_file) } else { tls::trust_nobody() };
    let trust = trust.map_err(|error| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        SettingsError::one("ca_file", format!("{error}{source}"))
    })?;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    reqwest::Client::builder()
        .tls_backend_preconfigured(trust.as_ref().clone())
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(0)
        .http1_only()
        .connect_timeout(seconds(timeouts.connect_seconds))
        .timeout(seconds(timeouts.request_seconds))
        .user_agent(concat!("lapsed/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| SettingsError::one("url", "no HTTP client can be set up on this machine"))
}

/// What went wrong, without the address: its query may hold a key.
fn failed(error: &reqwest::Error, timeouts: &HttpTimeouts) -> Failed {
    if error.is_builder() || error.is_request() && is_certain_not_sent(error) {
        return Failed::NotSent("the request can't be made".into());
    }
    if error.is_connect() {
        return Failed::NotSent(unreachable_because(error, timeouts));
    }
    if error.is_timeout() {
        return Failed::Lost(format!("no whole reply within {} s", timeouts.request_seconds));
    }
    Failed::Lost("the connection ended before the whole reply came".into())
}

/// The library refused the request itself.
fn is_certain_not_sent(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| cause.is::<reqwest::header::InvalidHeaderValue>())
}

fn unreachable_because(error: &reqwest::Error, timeouts: &HttpTimeouts) -> String {
    if let Some(tls) = chain(error).find_map(tls_error) {
        return tls::advice(&std::io::Error::other(tls));
    }
    if error.is_timeout() {
        let seconds = timeouts.connect_seconds;
        return format!(
            "the server can't be reached within {seconds} s; check address, firewall and whether it runs"
        );
    }
    let io = chain(error).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let said = io.map(|io| format!(" ({io})")).unwrap_or_default();
    format!("the server can't be reached{said}; check address, firewall and whether it runs")
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What the TLS library says, from within whatever wraps it: an `io::Error` does not name what it
/// holds as its source.
fn tls_error(cause: &(dyn Error + 'static)) -> Option<rustls::Error> {
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls.clone());
    }
    let within = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
    tls_error(within)
}
