//! Reaching one server: address, encryption, guard and log-on.

use super::address::ServerAddress;
use super::ber;
use super::codes::{Answer, code};
use super::frame_guard::{Pump, guard};
use super::message::extended_result;
use crate::tls;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// StartTLS request (RFC 4511 section 4.14.1), message id 1.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// A StartTLS reply is tens of bytes; more is an attack or another protocol.
const LARGEST_START_TLS_REPLY: usize = 4096;

/// Why a server could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// No address, no route, no answer.
    #[error("can't reach it ({0}); check address, firewall and whether the server runs")]
    Unreachable(io::Error),
    /// It took too long.
    #[error("no answer within {0} s; check address, firewall and whether the server runs")]
    Slow(u64),
    /// Encryption failed.
    #[error("{0}")]
    Tls(String),
    /// The server refused StartTLS.
    #[error("the server refused StartTLS; use ldaps:// or give it a certificate")]
    NoStartTls,
    /// The connection ended while logging on.
    #[error("the connection ended while logging on: {0}")]
    Ended(String),
    /// The log-on was refused.
    #[error("the log-on was refused")]
    Refused(Answer),
}

/// As whom to log on.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    /// By name and password.
    Simple { dn: String, password: SecretString },
    /// As this process's user.
    External,
}

/// An open, encrypted, guarded connection with nobody logged on.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) ldap: Ldap,
    pub(super) pump: Pump,
}

/// Opens a connection, waiting at most `patience` for all of it.
pub(super) async fn dial(
    address: &ServerAddress,
    config: &Arc<ClientConfig>,
    largest_reply: usize,
    patience: Duration,
) -> Result<Line, DialError> {
    let opened = tokio::time::timeout(patience, open(address, config, largest_reply)).await;
    opened.unwrap_or(Err(DialError::Slow(patience.as_secs())))
}

async fn open(
    address: &ServerAddress,
    config: &Arc<ClientConfig>,
    largest_reply: usize,
) -> Result<Line, DialError> {
    match address {
        ServerAddress::Tls { host, port } => {
            let tcp = reach(host, *port).await?;
            line(encrypt(config, host, tcp).await?, largest_reply).await
        }
        ServerAddress::Plain { host, port } => {
            let mut tcp = reach(host, *port).await?;
            start_tls(&mut tcp).await?;
            line(encrypt(config, host, tcp).await?, largest_reply).await
        }
        ServerAddress::Local { path } => {
            let socket = UnixStream::connect(path).await.map_err(DialError::Unreachable)?;
            line(socket, largest_reply).await
        }
    }
}

async fn reach(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let tcp = TcpStream::connect((host, port)).await.map_err(DialError::Unreachable)?;
    tcp.set_nodelay(true).map_err(DialError::Unreachable)?;
    // A firewall that forgets the connection would otherwise leave it hanging until the next use.
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    socket2::SockRef::from(&tcp).set_tcp_keepalive(&keepalive).map_err(DialError::Unreachable)?;
    Ok(tcp)
}

async fn encrypt(
    config: &Arc<ClientConfig>,
    host: &str,
    tcp: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, DialError> {
    tls::encrypt(config, host, tcp).await.map_err(|error| DialError::Tls(tls::advice(&error)))
}

/// Asks for TLS and reads the answer byte by byte: what follows it unencrypted must not be taken
/// for part of the encrypted conversation.
async fn start_tls(tcp: &mut TcpStream) -> Result<(), DialError> {
    tcp.write_all(START_TLS).await.map_err(DialError::Unreachable)?;
    let mut reply = Vec::new();
    loop {
        reply.push(tcp.read_u8().await.map_err(DialError::Unreachable)?);
        match ber::whole_length(&reply) {
            Ok(Some(length)) if length == reply.len() => break,
            Ok(_) if reply.len() < LARGEST_START_TLS_REPLY => {}
            _ => return Err(DialError::NoStartTls),
        }
    }
    if extended_result(&reply) == Some(0) { Ok(()) } else { Err(DialError::NoStartTls) }
}

async fn line<S>(stream: S, largest_reply: usize) -> Result<Line, DialError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let guarded = guard(stream, largest_reply).map_err(DialError::Unreachable)?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(guarded.local));
    let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
        .await
        .map_err(|error| DialError::Ended(error.to_string()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::debug!(%error, "directory connection ended");
        }
    });
    Ok(Line { ldap, pump: guarded.pump })
}

/// Logs on.
pub(super) async fn log_on(
    line: &mut Line,
    credentials: &Credentials,
    patience: Duration,
) -> Result<(), DialError> {
    let ldap = line.ldap.with_timeout(patience);
    let result = match credentials {
        Credentials::Simple { dn, password } => {
            ldap.simple_bind(dn, password.expose_secret()).await
        }
        Credentials::External => ldap.sasl_external_bind().await,
    };
    match result {
        Ok(result) if result.rc == 0 => Ok(()),
        Ok(result) => Err(DialError::Refused(Answer::new(result.rc, &result.text))),
        Err(LdapError::Timeout { .. }) => Err(DialError::Slow(patience.as_secs())),
        Err(error) => {
            let why = line.pump.ended().map_or_else(|| error.to_string(), str::to_owned);
            Err(DialError::Ended(why))
        }
    }
}

impl DialError {
    /// True when trying the same password again, anywhere, could lock the account.
    pub(super) fn is_wrong_password(&self) -> bool {
        matches!(self, Self::Refused(answer) if answer.code == code::INVALID_CREDENTIALS)
    }
}
