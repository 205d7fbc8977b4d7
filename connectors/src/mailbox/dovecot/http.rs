//! One request over one connection of its own: what was sent is known, and so is what was not.

use super::settings::Address;
use crate::secret::SecretSource;
use crate::tls;
use base64::Engine;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// Where the API is below the server's address.
const PATH: &str = "/doveadm/v1";
/// A listing of one user's mailboxes is far smaller, whatever it holds.
const LARGEST_REPLY: usize = 4 * 1024 * 1024;
/// The server is left alone no longer, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent; what became of it is not known.
    Lost(String),
}

/// A reply that came whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// For how long the server wants to be left alone (RFC 9110 10.2.3), where it says so in seconds.
    pub(super) retry_after: Option<Duration>,
}

/// Sends requests to one server.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) address: Address,
    pub(super) trust: Option<Arc<ClientConfig>>,
    pub(super) key: SecretSource,
    pub(super) connect: Duration,
    pub(super) command: Duration,
    /// Before this moment a busy server wants to hear nothing.
    pub(super) not_before: Mutex<Option<Instant>>,
}

impl Http {
    /// Sends one command, or asks for the list of commands when there is no body.
    pub(super) async fn send(&self, body: Option<Vec<u8>>) -> Result<Reply, Failed> {
        self.wait_is_over()?;
        let reply = self.send_now(body).await?;
        if matches!(reply.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            && let Some(wait) = reply.retry_after
        {
            let moment = Instant::now().checked_add(wait.min(LONGEST_WAIT));
            *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = moment;
        }
        Ok(reply)
    }

    fn wait_is_over(&self) -> Result<(), Failed> {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let left = not_before.map(|moment| moment.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if !left.is_zero() => Err(Failed::NotSent(format!(
                "asked to be left alone for another {} s",
                left.as_secs() + 1
            ))),
            _ => Ok(()),
        }
    }

    async fn send_now(&self, body: Option<Vec<u8>>) -> Result<Reply, Failed> {
        let request = self.request(body)?;
        let tcp = TcpStream::connect((self.address.host.as_str(), self.address.port));
        let tcp = self.in_time(async { tcp.await.map_err(|e| unreachable_because(&e)) }).await?;
        match &self.trust {
            None => self.exchange(tcp, request).await,
            Some(config) => {
                let encrypting = tls::encrypt(config, &self.address.host, tcp);
                let encrypted = self.in_time(async {
                    encrypting.await.map_err(|error| Failed::NotSent(tls::advice(&error)))
                });
                self.exchange(encrypted.await?, request).await
            }
        }
    }

    /// Waits for a part of the way to the server; nothing was sent when it takes too long.
    async fn in_time<T>(&self, part: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        let slow = || {
            let seconds = self.connect.as_secs();
            Err(Failed::NotSent(format!(
                "can't be reached within {seconds} s; check address, firewall and whether it runs"
            )))
        };
        tokio::time::timeout(self.connect, part).await.unwrap_or_else(|_| slow())
    }

    fn request(&self, body: Option<Vec<u8>>) -> Result<Request<Full<Bytes>>, Failed> {
        let not_sent = |why: String| Failed::NotSent(why);
        let method = if body.is_some() { Method::POST } else { Method::GET };
        Request::builder()
            .method(method)
            .uri(PATH)
            .header(HOST, self.address.authority())
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.authorization()?)
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| not_sent(format!("the request can't be made: {error}")))
    }

    /// The key is read anew for every request: a changed one counts at once.
    fn authorization(&self) -> Result<HeaderValue, Failed> {
        let key = self.key.read().map_err(|error| Failed::NotSent(error.to_string()))?;
        let encoded = Zeroizing::new(
            base64::engine::general_purpose::STANDARD.encode(key.expose_secret().as_bytes()),
        );
        let text = Zeroizing::new(format!("X-Dovecot-API {}", encoded.as_str()));
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Failed::NotSent("the API key can't be sent".into()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn exchange<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Reply, Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let talk = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Failed::NotSent(format!("no HTTP connection: {error}")))?;
            let sending = async {
                let reply = sender.send_request(request).await.map_err(|e| lost(&e))?;
                let status = reply.status();
                let retry_after = seconds_to_wait(reply.headers().get(RETRY_AFTER));
                let body = Limited::new(reply.into_body(), LARGEST_REPLY).collect().await;
                let body =
                    body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                        Some(_) => Failed::Lost("the reply is too long to be one".into()),
                        None => Failed::Lost(format!("the reply was cut off: {error}")),
                    })?;
                Ok(Reply { status, body: body.to_bytes(), retry_after })
            };
            // The connection does its part only while it is polled, and ends with this request.
            tokio::pin!(sending);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                reply = &mut sending => reply,
                ended = &mut connection => {
                    let reply = sending.await;
                    match (reply, ended) {
                        (Ok(reply), _) => Ok(reply),
                        (Err(_), Err(error)) => Err(lost(&error)),
                        (Err(failed), Ok(())) => Err(failed),
                    }
                }
            }
        };
        let seconds = self.command.as_secs();
        let slow = || Err(Failed::Lost(format!("no reply within {seconds} s")));
        tokio::time::timeout(self.command, talk).await.unwrap_or_else(|_| slow())
    }
}

fn seconds_to_wait(header: Option<&HeaderValue>) -> Option<Duration> {
    header?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn unreachable_because(error: &std::io::Error) -> Failed {
    Failed::NotSent(format!(
        "can't be reached ({error}); check address, firewall and whether it runs"
    ))
}

fn lost(error: &hyper::Error) -> Failed {
    Failed::Lost(format!("the connection ended before the whole reply came ({error})"))
}
