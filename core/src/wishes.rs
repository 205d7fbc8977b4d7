//! What somebody else needs of a leaver's things: a mailbox to read, files to keep (D6, D8, D9).

use crate::citation::Rule;
use crate::facts::{Actor, PersonId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A wish about a person's things. It counts for the departure that is under way, and for the next one
/// where there is none yet: it may be uttered before the user leaves (D8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Its id: the steps that carry it out are made from it.
    pub id: Uuid,
    /// Whose things.
    pub person: PersonId,
    /// What is wished.
    pub what: Wanted,
    /// On whose word.
    pub authority: String,
    /// By whom it was entered.
    pub asked_by: Actor,
    /// When.
    pub at: Timestamp,
    /// When it ended: told so (D8), taken back, or its departure over.
    pub ended_at: Option<Timestamp>,
    /// Why it ended, for people.
    #[serde(default)]
    pub ended_because: Option<String>,
}

/// What is wished.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wish")]
pub enum Wanted {
    /// The mailbox stays, and another user reads it, until account management is told otherwise (D8).
    Delegate {
        /// Who reads it.
        to: UserId,
    },
    /// Files are copied out for good before the home directory is deleted (D6).
    Keep {
        /// Who gets them: the supervisor.
        to: UserId,
        /// Paths below the home directory; empty for all of it.
        paths: Vec<String>,
    },
    /// Content of the mailbox is asked for: it stays until the one who asked has it (D9).
    KeepMail {
        /// Who asked: the supervisor.
        to: UserId,
    },
}

impl Wanted {
    /// A word for tables and the audit.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delegate { .. } => "delegate",
            Self::Keep { .. } => "keep",
            Self::KeepMail { .. } => "keep_mail",
        }
    }

    /// Who gets it.
    #[must_use]
    pub fn to(&self) -> &UserId {
        match self {
            Self::Delegate { to } | Self::Keep { to, .. } | Self::KeepMail { to } => to,
        }
    }

    /// The paths, where there are any.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        match self {
            Self::Delegate { .. } | Self::KeepMail { .. } => &[],
            Self::Keep { paths, .. } => paths,
        }
    }

    /// The rule that asks for it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match self {
            Self::Delegate { .. } => Rule::D8,
            Self::Keep { .. } => Rule::D6,
            Self::KeepMail { .. } => Rule::D9,
        }
    }

    /// For sentences: `the mailbox stays, and mzdoej reads it`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Delegate { to } => format!("the mailbox stays, and {to} reads it"),
            Self::Keep { to, paths } if paths.is_empty() => format!("all files are kept for {to}"),
            Self::Keep { to, paths } => format!("files are kept for {to}: {}", paths.join(", ")),
            Self::KeepMail { to } => {
                format!("the mailbox stays until {to} has what is to be kept of it")
            }
        }
    }
}

impl Wish {
    /// Whether it still counts.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// Why a path can't be kept, as a sentence; `None` for one that can. It is a path below the home: nothing
/// leads out of it.
#[must_use]
pub fn path_problem(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/');
    if path.is_empty() || path.trim() != path {
        Some("is empty or begins or ends with a space; write it as below the home directory")
    } else if path.starts_with('/') {
        Some("begins with a slash; write it as below the home directory: letters/2026")
    } else if path.contains(['\\', '\0']) || path.chars().any(char::is_control) {
        Some("has a backslash or a control character in it; write it with slashes only")
    } else if parts.any(|part| matches!(part, "" | "." | "..")) {
        Some("has an empty part, `.` or `..` in it; write it straight, as below the home directory")
    } else {
        None
    }
}
