//! What is asked of a help desk, as templates: the presets are written in it, and so is `custom` in the
//! YAML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Makes something.
    Post,
    /// Changes something.
    Put,
    /// Changes a part of something.
    Patch,
}

/// One request, as minijinja templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestTemplate {
    /// `GET`, `POST`, `PUT` or `PATCH`.
    pub method: Method,
    /// Path below `url`; what is put in is escaped.
    pub path: String,
    /// Parameters behind the path; what is put in is escaped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// The body, as JSON: what is put in is written as JSON, quotes included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Looks for tickets with a key (`key`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchTemplate {
    /// What is sent.
    pub request: RequestTemplate,
    /// Expression over `reply`: the list of tickets found.
    pub tickets: String,
    /// Expression over `ticket`, one of that list: its number.
    pub number: String,
    /// Expression over `ticket`: its subject. Tickets without the key in it are not ours.
    pub subject: String,
}

/// Opens a ticket: over `key`, `subject`, `text`, `group`, `priority`, `requester` and `fields`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTemplate {
    /// What is sent.
    pub request: RequestTemplate,
    /// Expression over `reply`: the new ticket's number.
    pub number: String,
}

/// Looks at a ticket (`number`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusTemplate {
    /// What is sent.
    pub request: RequestTemplate,
    /// Expression over `reply`: the help desk's own word for where the ticket stands.
    pub status: String,
}

/// Puts a comment (`text`) on a ticket (`number`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentTemplate {
    /// What is sent.
    pub request: RequestTemplate,
}

/// Everything that is ever asked of a help desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// Looks for tickets with a key.
    pub search: SearchTemplate,
    /// Opens one.
    pub create: CreateTemplate,
    /// Looks at one.
    pub status: StatusTemplate,
    /// Puts a comment on one.
    pub comment: CommentTemplate,
    /// The address of a ticket's page, for people, over `url` and `number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// What the help desk's own words mean; every other word means that the ticket is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statuses {
    /// Whoever acted gave the final word.
    pub resolved: Vec<String>,
    /// It will not be done.
    pub rejected: Vec<String>,
}
