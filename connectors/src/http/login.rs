//! How the daemon says who it is. Secrets are read anew for each use and are shown nowhere.

use super::client::{Failed, Http, HttpTimeouts};
use super::request::Request;
use crate::secret::SecretSource;
use crate::settings::{SettingsError, SettingsProblem};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// How the daemon says who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginBy {
    /// Not at all.
    #[default]
    None,
    /// `user` and the secret as password (RFC 7617).
    Basic,
    /// The secret as bearer token (RFC 6750).
    Bearer,
    /// The secret in the header `name`, after `prefix`.
    Header,
    /// The secret in the query parameter `name`.
    Query,
    /// A token had from `token_url` with `user` as client and the secret as its password (RFC 6749 4.4).
    ClientCredentials,
}

/// Where the client's password goes when a token is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientSecretIn {
    /// Into the `Authorization` header, which every such server understands (RFC 6749 2.3.1).
    #[default]
    Header,
    /// Into the form, for servers that want it there.
    Body,
}

/// How the daemon logs on to a server over HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoginSettings {
    /// By what: `none`, `basic`, `bearer`, `header`, `query` or `client_credentials`.
    pub by: LoginBy,
    /// The user (`basic`) or the client's id (`client_credentials`).
    pub user: Option<String>,
    /// A file with the password, token or key in its first line.
    pub secret_file: Option<PathBuf>,
    /// The name of a systemd credential that holds it.
    pub secret_credential: Option<String>,
    /// The name of the header or of the query parameter.
    pub name: Option<String>,
    /// What stands before the secret in the header, a blank included: `"token "`.
    pub prefix: String,
    /// Where tokens are given out (`client_credentials`): `https://host/path`.
    pub token_url: Option<String>,
    /// What the token is asked for (`client_credentials`).
    pub scope: Option<String>,
    /// Where the client's password goes when a token is asked for.
    pub client_secret_in: ClientSecretIn,
}

impl LoginSettings {
    fn secret(&self) -> Option<SecretSource> {
        SecretSource::of(self.secret_file.as_ref(), self.secret_credential.as_ref())
    }

    /// The file with the secret, by its key.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.secret_file.as_deref().map(|path| ("login.secret_file", path)).into_iter()
    }

    /// Everything that is wrong, each at its key below the connector's section.
    pub(super) fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, problem: &str| {
            found.push(SettingsProblem::new(key, problem));
        };
        let secrets = [self.secret_file.is_some(), self.secret_credential.is_some()];
        match (self.by, secrets) {
            (LoginBy::None, [false, false]) => {}
            (LoginBy::None, _) => wrong("login.by", "is missing, but a secret is named"),
            (_, [true, false] | [false, true]) => {}
            _ => wrong(
                "login.by",
                "has no secret to go with it, or two; give either secret_file or secret_credential",
            ),
        }
        if matches!(self.by, LoginBy::Basic | LoginBy::ClientCredentials)
            && self.user.as_deref().is_none_or(str::is_empty)
        {
            wrong("login.user", "is missing; name who logs on");
        }
        match (self.by, self.name.as_deref()) {
            (LoginBy::Header, Some(name)) if HeaderName::try_from(name).is_err() => {
                wrong("login.name", "is no name of a header");
            }
            (LoginBy::Header | LoginBy::Query, None | Some("")) => {
                wrong("login.name", "is missing; name the header or the query parameter");
            }
            _ => {}
        }
        if HeaderValue::from_str(&self.prefix).is_err() {
            wrong("login.prefix", "can't stand in a header");
        }
        if self.by == LoginBy::ClientCredentials {
            let advice = match self.token_url.as_deref() {
                None => Some("is missing; name the address where tokens are given out"),
                Some(url) => super::Base::parse(url).err(),
            };
            if let Some(advice) = advice {
                wrong("login.token_url", advice);
            }
        }
        found
    }
}

/// A way to log on, ready to be used.
#[derive(Debug)]
pub(super) enum Login {
    None,
    Basic { user: String, secret: SecretSource },
    Header { name: HeaderName, prefix: String, secret: SecretSource },
    Query { name: String, secret: SecretSource },
    Token(Box<TokenLogin>),
}

impl Login {
    pub(super) fn new(
        settings: &LoginSettings,
        ca_file: Option<&Path>,
        timeouts: &HttpTimeouts,
    ) -> Result<Self, SettingsError> {
        let missing = |key: &'static str| SettingsError::one(key, "is missing");
        let secret = || settings.secret().ok_or_else(|| missing("login.secret_file"));
        let user = || settings.user.clone().ok_or_else(|| missing("login.user"));
        let name = || settings.name.clone().ok_or_else(|| missing("login.name"));
        Ok(match settings.by {
            LoginBy::None => Self::None,
            LoginBy::Basic => Self::Basic { user: user()?, secret: secret()? },
            LoginBy::Bearer => {
                Self::Header { name: AUTHORIZATION, prefix: "Bearer ".into(), secret: secret()? }
            }
            LoginBy::Header => Self::Header {
                name: HeaderName::try_from(name()?).map_err(|_| missing("login.name"))?,
                prefix: settings.prefix.clone(),
                secret: secret()?,
            },
            LoginBy::Query => Self::Query { name: name()?, secret: secret()? },
            LoginBy::ClientCredentials => {
                let url = settings.token_url.as_deref();
                let url = url.ok_or_else(|| missing("login.token_url"))?;
                let at = match settings.client_secret_in {
                    ClientSecretIn::Header => LoginSettings {
                        by: LoginBy::Basic,
                        user: settings.user.clone(),
                        secret_file: settings.secret_file.clone(),
                        secret_credential: settings.secret_credential.clone(),
                        ..LoginSettings::default()
                    },
                    ClientSecretIn::Body => LoginSettings::default(),
                };
                Self::Token(Box::new(TokenLogin {
                    http: Http::new(url, ca_file, &at, timeouts)?,
                    client: user()?,
                    secret: secret()?,
                    secret_in: settings.client_secret_in,
                    scope: settings.scope.clone(),
                    token: Mutex::new(None),
                }))
            }
        })
    }

    /// The request with what says who we are.
    pub(super) async fn sign(&self, request: RequestBuilder) -> Result<RequestBuilder, Failed> {
        Ok(match self {
            Self::None => request,
            Self::Basic { user, secret } => {
                request.basic_auth(user, Some(read(secret)?.expose_secret()))
            }
            Self::Header { name, prefix, secret } => {
                request.header(name.clone(), sensitive(prefix, &read(secret)?)?)
            }
            Self::Query { name, secret } => {
                request.query(&[(name.as_str(), read(secret)?.expose_secret())])
            }
            Self::Token(login) => {
                // Boxed: a token is asked for by the same client that is waiting for it here.
                let token = Box::pin(login.token()).await?;
                request.header(AUTHORIZATION, sensitive("Bearer ", &token)?)
            }
        })
    }

    /// The server did not take it: a token that is remembered is dropped.
    pub(super) async fn forget(&self) {
        if let Self::Token(login) = self {
            *login.token.lock().await = None;
        }
    }
}

fn read(secret: &SecretSource) -> Result<SecretString, Failed> {
    secret.read().map_err(|error| Failed::NotSent(error.to_string()))
}

fn sensitive(prefix: &str, secret: &SecretString) -> Result<HeaderValue, Failed> {
    let text = Zeroizing::new(format!("{prefix}{}", secret.expose_secret()));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Failed::NotSent("the secret has characters that can't be sent".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Client credentials (RFC 6749 4.4), with the token remembered for as long as it holds.
#[derive(Debug)]
pub(super) struct TokenLogin {
    http: Http,
    client: String,
    secret: SecretSource,
    secret_in: ClientSecretIn,
    scope: Option<String>,
    token: Mutex<Option<(SecretString, Instant)>>,
}

/// A token is not used in its last half minute, lest it ends on the way.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a token is kept whose server does not say how long it holds.
const UNSAID: u64 = 300;

impl TokenLogin {
    /// A token that holds. Whoever else needs one meanwhile waits for this one.
    async fn token(&self) -> Result<SecretString, Failed> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = kept.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let (token, holds) = self.ask().await?;
        let until = Instant::now() + holds.saturating_sub(MARGIN);
        *kept = Some((token.clone(), until));
        Ok(token)
    }

    /// Whatever goes wrong here, the request that needs the token was not sent.
    async fn ask(&self) -> Result<(SecretString, Duration), Failed> {
        let not_sent = |why: String| Failed::NotSent(format!("no token to log on with: {why}"));
        let secret = match self.secret_in {
            ClientSecretIn::Header => None,
            ClientSecretIn::Body => Some(read(&self.secret)?),
        };
        let mut form = vec![("grant_type", "client_credentials")];
        if let Some(secret) = &secret {
            form.extend([
                ("client_id", self.client.as_str()),
                ("client_secret", secret.expose_secret()),
            ]);
        }
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let request = Request::new(reqwest::Method::POST, "").form(&form);
        let reply = self.http.send(request).await.map_err(|failed| not_sent(failed.to_string()))?;
        if !reply.status.is_success() {
            return Err(not_sent(format!(
                "the server that gives them out refused (HTTP {}); check the client, its secret and the scope",
                reply.status.as_u16()
            )));
        }
        let unusable = || not_sent("the server that gives them out answered without one".into());
        let json = reply.json().map_err(|_| unusable())?;
        let token = json.get("access_token").and_then(|token| token.as_str());
        let token = token.filter(|token| !token.is_empty()).ok_or_else(unusable)?;
        let holds = json.get("expires_in").and_then(serde_json::Value::as_u64).unwrap_or(UNSAID);
        Ok((SecretString::from(token.to_owned()), Duration::from_secs(holds.min(86_400))))
    }
}
