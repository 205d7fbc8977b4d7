//! An account as a SCIM server shows it (RFC 7643 4.1).

use super::attribute::get;
use super::server::Edit;
use lapsed_core::facts::{PersonName, StableId};
use serde_json::Value;

/// An account, with everything that the server says of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Account {
    /// The server's own id, which survives renames.
    pub(super) id: StableId,
    /// `userName`, as it stands there.
    pub(super) user_name: String,
    /// Whether it may be used, where the server says so.
    pub(super) active: Option<bool>,
    /// For `If-Match`.
    pub(super) version: Option<String>,
    /// All of it.
    pub(super) whole: Value,
}

/// Why what a server sent is no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAccount {
    /// No usable id.
    #[error("an account in the reply has no id, or none that can be kept")]
    Id,
    /// No name.
    #[error("an account in the reply has no userName; it must have one (RFC 7643 4.1.1)")]
    UserName,
}

impl Account {
    pub(super) fn read(whole: Value) -> Result<Self, NoAccount> {
        let text = |name| get(&whole, name).and_then(Value::as_str);
        let id =
            text("id").and_then(|id| StableId::new(id).ok().filter(|kept| kept.as_str() == id));
        let user_name = text("userName").filter(|name| !name.trim().is_empty());
        let active = get(&whole, "active").and_then(truth);
        let version = get(&whole, "meta").and_then(|meta| get(meta, "version"));
        Ok(Self {
            id: id.ok_or(NoAccount::Id)?,
            user_name: user_name.ok_or(NoAccount::UserName)?.to_owned(),
            active,
            version: version.and_then(Value::as_str).map(str::to_owned),
            whole,
        })
    }

    /// The name on the account, as far as it has one.
    pub(super) fn name(&self) -> PersonName {
        let name = get(&self.whole, "name");
        let part = |key| {
            let text = name.and_then(|name| get(name, key)).and_then(Value::as_str);
            text.unwrap_or_default().trim().to_owned()
        };
        PersonName { last: part("familyName"), first: part("givenName"), preferred: None }
    }

    /// The first mail address.
    pub(super) fn mail(&self) -> Option<String> {
        let first = get(&self.whole, "emails")?.as_array()?.first()?;
        get(first, "value")?.as_str().map(str::to_owned)
    }

    /// The name as others see it.
    pub(super) fn display_name(&self) -> Option<String> {
        let name = get(&self.whole, "displayName")?.as_str()?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// The whole account to be put back with edits, without what only the server writes.
    pub(super) fn with(&self, edits: &[Edit]) -> Value {
        let mut whole = self.whole.clone();
        if let Some(members) = whole.as_object_mut() {
            let read_only = ["meta", "groups", "password"];
            members.retain(|key, _| !read_only.iter().any(|name| key.eq_ignore_ascii_case(name)));
        }
        for edit in edits {
            edit.attribute.set(&mut whole, edit.value.clone());
        }
        whole
    }
}

/// Some servers keep truth values as text.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
