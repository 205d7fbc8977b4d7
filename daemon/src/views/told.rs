//! Who was told or asked what: notices by mail, and forms to those who end access by their own hand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed notices`: who was told what by mail, and what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticesView {
    /// Notices, newest first.
    pub notices: Vec<NoticeView>,
    /// How many wait to be sent, a digest's lines included.
    pub waiting: u64,
    /// How many of which nobody knows whether they arrived.
    pub unverified: u64,
    /// How many the mail server will not have.
    pub failed: u64,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticeView {
    /// Its id; the mail's Message-ID begins with it.
    pub id: String,
    /// `manager`, `deletion_ahead`, `security_officer`, `alarm`, …
    pub kind: String,
    /// What it is about: a user ID, a file, a kind of alarm.
    pub about: String,
    /// Mail addresses; empty until they were looked up.
    pub to: Vec<String>,
    /// `queued`, `sending`, `sent`, `unverified`, `failed` or `superseded`.
    pub state: String,
    /// Since when it is there.
    pub queued_at: String,
    /// When the mail server took it.
    pub sent_at: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Why it is not sent, or in which digest it is; empty when there is nothing to say.
    pub note: String,
}

/// `lapsed notices --preview KIND`: a notice as it would be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterView {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
}

/// `lapsed requests`: what others were asked to do, and what they answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestsView {
    /// By the day on which was asked.
    pub requests: Vec<RequestView>,
}

/// One thing that others were asked to do (D5, D14, H1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestView {
    /// Id by which it is confirmed where the token is not at hand: that of its step.
    pub id: String,
    /// User ID.
    pub person: String,
    /// What is asked for: the request's name in the YAML.
    pub request: String,
    /// The connector that asked.
    pub connector: String,
    /// `sent`, `overdue` (a person has to call them), `confirmed`, `refused`, or `called off`.
    pub state: String,
    /// Who was asked.
    pub asked: Vec<String>,
    /// When they were asked; absent where it is not known any more.
    pub asked_at: Option<String>,
    /// Reminders that went out.
    pub reminders: u64,
    /// Day of the next reminder, or on which it becomes overdue.
    pub next: Option<String>,
    /// What happened, in words.
    pub note: String,
    /// SHA-256 of the document of the latest answer.
    pub document: Option<String>,
    /// Who filed that answer, and when.
    pub filed: Option<String>,
    /// Rule and clause.
    pub clause: String,
}
