//! Commands of doveadm and what its answers mean. Failures come as HTTP 200 with `["error", …]`, so
//! that the body alone decides; several commands in one request may be answered by broken JSON, so
//! that each goes by itself.

use crate::http::{Failed, Http, Method, Reply, Request};
use crate::secret::SecretSource;
use base64::Engine;
use lapsed_core::step::{Cause, Fault};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Where the API is below the server's address.
const PATH: &str = "/doveadm/v1";

/// Exit codes of doveadm: those of sysexits(3), two of them with a meaning of their own.
pub(super) mod exit {
    /// It can't be done to this mailbox: one that is made is there already.
    pub(in super::super) const CAN_NOT: i64 = 65;
    pub(in super::super) const NO_USER: i64 = 67;
    /// No such mailbox; for `kick`: nobody was logged on.
    pub(in super::super) const NOT_FOUND: i64 = 68;
}

/// Tells the answer to our command from anything else.
const TAG: &str = "lapsed";

/// Why a command gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent; what became of it is not known.
    Lost(String),
    /// doveadm ended with this code.
    Exit(i64),
    /// The server would not listen: the step waits until that is mended.
    NotBegun(Cause),
    /// The server refused it.
    Refused(Cause),
    /// The server has no such command.
    UnknownCommand,
}

/// Whether a command changes something, which decides what a lost reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Looks, and what may be done twice: after a lost reply it is simply done again.
    Harmless,
    /// A lost reply may hide a change.
    Changes,
}

impl Trouble {
    /// The fault for people; `what` was being done.
    pub(super) fn fault(&self, what: &str, kind: Kind) -> Fault {
        match self {
            Self::NotSent(why) => Fault::Retry(Cause::new(format!("{what}: {why}"))),
            Self::Lost(why) if kind == Kind::Harmless => {
                Fault::Retry(Cause::new(format!("{what}: {why}")))
            }
            Self::Lost(why) => Fault::Unknown(Cause::new(format!("{what}: {why}"))),
            Self::NotBegun(cause) => Fault::Retry(within(what, cause)),
            Self::Refused(cause) => Fault::Refused(within(what, cause)),
            Self::UnknownCommand => Fault::Refused(Cause::new(format!(
                "{what}: this Dovecot does not know the command; version 2.3 is needed"
            ))),
            Self::Exit(code) => {
                let (advice, passes) = exit_advice(*code);
                let cause = Cause::coded(format!("{what}: {advice}"), format!("doveadm {code}"));
                if passes { Fault::Retry(cause) } else { Fault::Refused(cause) }
            }
        }
    }
}

fn within(what: &str, cause: &Cause) -> Cause {
    Cause { message: format!("{what}: {}", cause.message), code: cause.code.clone() }
}

/// What an exit code says, and whether it passes by itself.
fn exit_advice(code: i64) -> (&'static str, bool) {
    match code {
        64 => ("Dovecot did not understand the command; is it version 2.3?", false),
        exit::CAN_NOT => ("Dovecot can't do this to the mailbox; look at its log", false),
        exit::NO_USER => ("Dovecot does not know the user; check `user` and its userdb", false),
        exit::NOT_FOUND => ("the mailbox is not there", false),
        69 | 70 | 71 | 74 => ("Dovecot failed within itself; look at its log", true),
        75 => ("Dovecot can't do it for the moment; it will be tried again", true),
        77 => ("Dovecot does not allow it; look at the ACL and at the rights on its files", false),
        78 => ("Dovecot's configuration has a mistake; look at its log", false),
        _ => ("doveadm failed; look at Dovecot's log", false),
    }
}

/// The administration API of one server.
#[derive(Debug)]
pub(super) struct Doveadm {
    pub(super) http: Http,
    pub(super) key: SecretSource,
}

impl Doveadm {
    /// Carries out one command and gives its payload. The caller says which user, always.
    pub(super) async fn run(&self, command: &str, parameters: Value) -> Result<Value, Trouble> {
        let request = Request::new(Method::POST, PATH).json(&json!([[command, parameters, TAG]]));
        payload(&self.ask(request).await?)
    }

    /// Names of all commands that the server has.
    pub(super) async fn commands(&self) -> Result<Vec<String>, Trouble> {
        let reply = self.ask(Request::get(PATH)).await?;
        let names = reply.as_array().into_iter().flatten();
        Ok(names.filter_map(|entry| Some(entry.get("command")?.as_str()?.to_owned())).collect())
    }

    async fn ask(&self, request: Request) -> Result<Value, Trouble> {
        let request = self.signed(request).map_err(Trouble::NotSent)?;
        answered(&self.http.send(request).await.map_err(failed)?)
    }

    /// The key is read anew for every request: a changed one counts at once.
    fn signed(&self, request: Request) -> Result<Request, String> {
        let key = self.key.read().map_err(|error| error.to_string())?;
        let encoded = Zeroizing::new(
            base64::engine::general_purpose::STANDARD.encode(key.expose_secret().as_bytes()),
        );
        let text = Zeroizing::new(format!("X-Dovecot-API {}", encoded.as_str()));
        let signed = request.header("authorization", &text);
        signed.map_err(|_| "the API key can't be sent".into())
    }
}

fn failed(failed: Failed) -> Trouble {
    match failed {
        Failed::NotSent(why) => Trouble::NotSent(why),
        Failed::Lost(why) => Trouble::Lost(why),
    }
}

/// The body of a reply that may have one.
fn answered(reply: &Reply) -> Result<Value, Trouble> {
    let status = reply.status.as_u16();
    let code = || format!("HTTP {status}");
    let shut = |advice: &str| Err(Trouble::NotBegun(Cause::coded(advice, code())));
    match status {
        200 => reply.json().map_err(|_| not_doveadm()),
        401 | 403 => shut("Dovecot refused the API key; it must be the one in doveadm_api_key"),
        404 | 405 => shut(
            "nothing at this address knows doveadm; name the port of Dovecot's `service doveadm { inet_listener http }`",
        ),
        400 => {
            Err(Trouble::Refused(Cause::coded("Dovecot did not understand the request", code())))
        }
        429 | 503 => Err(Trouble::NotBegun(Cause::coded(
            "the server is busy; it will be tried again",
            code(),
        ))),
        _ => Err(Trouble::Lost(format!("the server failed within itself (HTTP {})", reply.status))),
    }
}

fn not_doveadm() -> Trouble {
    Trouble::Lost("the reply is not doveadm's; is this the port of its HTTP API?".into())
}

/// The payload of `[[kind, payload, tag]]`.
fn payload(reply: &Value) -> Result<Value, Trouble> {
    let parts = match reply.as_array().map(Vec::as_slice) {
        Some([one]) => one.as_array().map(Vec::as_slice),
        _ => None,
    };
    let Some([kind, payload, tag]) = parts else { return Err(not_doveadm()) };
    if tag.as_str() != Some(TAG) {
        return Err(not_doveadm());
    }
    match kind.as_str() {
        Some("doveadmResponse") => Ok(payload.clone()),
        Some("error") => Err(error(payload)),
        _ => Err(not_doveadm()),
    }
}

fn error(payload: &Value) -> Trouble {
    match (payload.get("type").and_then(Value::as_str), payload.get("exitCode")) {
        (Some("exitCode"), Some(code)) => code.as_i64().map_or_else(not_doveadm, Trouble::Exit),
        (Some("unknownMethod"), _) => Trouble::UnknownCommand,
        _ => not_doveadm(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;
    use rstest::rstest;

    fn read(body: &str) -> Result<Value, Trouble> {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        payload(&answered(&Reply { status, headers, body: body.as_bytes().to_vec() })?)
    }

    #[rstest]
    #[case(r#"[["error",{"type":"exitCode", "exitCode":67},"lapsed"]]"#, 67)]
    #[case(r#"[["error",{"type":"exitCode","exitCode":75},"lapsed"]]"#, 75)]
    fn an_error_under_http_200_is_one(#[case] body: &str, #[case] code: i64) {
        assert_eq!(read(body), Err(Trouble::Exit(code)));
    }

    #[rstest]
    #[case("")]
    #[case("<html>ok</html>")]
    #[case("[]")]
    #[case(r#"[["doveadmResponse",[],"another"]]"#)]
    #[case(r#"[["doveadmResponse",[],"lapsed"],["doveadmResponse",[],"lapsed"]]"#)]
    #[case(r#"[["error",{"type":"exitCode","exitCode":"67"},"lapsed"]]"#)]
    #[case(r#"[["done",[],"lapsed"]]"#)]
    fn what_is_not_our_answer_leaves_the_outcome_unknown(#[case] body: &str) {
        let trouble = read(body).unwrap_err();
        assert!(matches!(trouble.fault("x", Kind::Changes), Fault::Unknown(_)), "{trouble:?}");
        assert!(matches!(trouble.fault("x", Kind::Harmless), Fault::Retry(_)), "{trouble:?}");
    }

    #[rstest]
    #[case(75, true)]
    #[case(77, false)]
    #[case(65, false)]
    #[case(1, false)]
    fn an_exit_code_is_tried_again_or_told(#[case] code: i64, #[case] again: bool) {
        let fault = Trouble::Exit(code).fault("expunge", Kind::Changes);
        assert_eq!(matches!(fault, Fault::Retry(_)), again, "{fault:?}");
        assert!(fault.to_string().contains(&format!("doveadm {code}")), "{fault}");
    }
}
