//! How accounts are made, first passwords handed over, and moves carried out (A6 to A8, N7, D11).

use crate::facts::{ApproverRole, ConnectorName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How accounts are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountRules {
    /// The name as others see it (minijinja: `first`, `last`, `preferred`, `user_id`, `location_name`).
    pub display_name: String,
    /// The mail address (the same words, in lower case ASCII letters and digits); empty: none.
    pub mail_address: String,
    /// Home directory as the directory is to name it (minijinja: `user_id`, `location`); empty: none.
    pub home: String,
    /// The connector that makes home directories, and moves them on a rename; absent: nobody does.
    pub homes: Option<ConnectorName>,
    /// The connector that makes mailboxes, and brings them over on a rename; absent: nobody does.
    pub mailboxes: Option<ConnectorName>,
    /// First and last number for file systems (RFC 2307 `uidNumber`) that accounts are given; absent: none.
    pub uid_numbers: Option<(u32, u32)>,
    /// Passwords.
    pub password: PasswordRules,
    /// How first passwords are handed over.
    pub handover: HandoverRules,
}

impl Default for AccountRules {
    fn default() -> Self {
        Self {
            display_name: "{{ preferred or first }} {{ last }}".into(),
            mail_address: String::new(),
            home: String::new(),
            homes: None,
            mailboxes: None,
            uid_numbers: None,
            password: PasswordRules::default(),
            handover: HandoverRules::default(),
        }
    }
}

/// What passwords are made of (A8), and how old they may get (A9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordRules {
    /// Characters of a first password; 16 at least.
    pub length: u8,
    /// Of the classes upper case, lower case, digits and others, so many at least.
    pub classes: u8,
    /// Days after which a password expires (A9).
    pub expires_days: u16,
    /// Have a password that the nightly audit finds older changed at the next log-on, where the target can
    /// (Active Directory, OpenLDAP with its password policy, Microsoft 365): of the own accounts of those who
    /// work here and may log on.
    pub force_change: bool,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { length: 20, classes: 3, expires_days: 60, force_change: false }
    }
}

/// How a first password reaches the one who hands it to the staff member (A6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HandoverRules {
    /// Where sealed envelopes are kept until they are opened, once; absent: the folder `envelopes` beside
    /// the state. Without it no first password is set.
    pub folder: Option<String>,
    /// Who opens them: `supervisor`, or another role that decides on forms. Never the one who asked.
    pub opener: Option<ApproverRole>,
    /// Envelopes that nobody opened are destroyed after so many days; the password is then set anew on
    /// request (A7).
    pub expires_days: u16,
    /// Subject of the mail with the one-time code (minijinja: `id`, `user_id`, `form`, `expires_days`).
    pub subject: String,
    /// Its text (the same words, and `code`).
    pub text: String,
}

/// What the one who hands a password over is told.
const MAIL: &str = "A first password for {{ user_id }} (form {{ form }}) waits for you, to be handed to the \
staff member in person.\n\nOn the machine of lapsed, run\n\n    lapsed envelope open {{ id }}\n\nand type \
this code when you are asked for it:\n\n    {{ code }}\n\nOnly you can open it, once, within \
{{ expires_days }} days. The password has to be changed at the first log-on.\n";

impl Default for HandoverRules {
    fn default() -> Self {
        Self {
            folder: None,
            opener: ApproverRole::new("supervisor").ok(),
            expires_days: 14,
            subject: "A first password waits for you (form {{ form }})".into(),
            text: MAIL.into(),
        }
    }
}

/// What happens to the old access on a move to another location (D11).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MoveRules {
    /// Days for which the old location's access stays after the move.
    pub grace_days: u16,
}
