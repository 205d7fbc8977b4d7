//! `lapsed envelope`: first passwords that wait to be handed over (A6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed envelope list`: what waits for whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvelopesView {
    /// Envelopes that the caller can open.
    pub waiting: Vec<EnvelopeView>,
}

/// A sealed first password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvelopeView {
    /// Its id.
    pub id: String,
    /// Whose password is in it.
    pub user_id: String,
    /// Number of the form that asks for it.
    pub form: u64,
    /// Who may open it.
    pub opener: String,
    /// Whether a code was mailed to the opener, without which it can't be opened.
    pub needs_code: bool,
}

/// Opens an envelope, once.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenEnvelopeRequest {
    /// Its id.
    pub id: String,
    /// The code from the mail; empty where none was mailed.
    #[serde(default)]
    pub code: String,
}

/// Without the code.
impl std::fmt::Debug for OpenEnvelopeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenEnvelopeRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A first password, shown once.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordView {
    /// Whose it is.
    pub user_id: String,
    /// Number of the form that asked for it.
    pub form: u64,
    /// The password. It is nowhere else any more.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for PasswordView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordView").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}
