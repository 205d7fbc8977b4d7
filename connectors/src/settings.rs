//! What every kind of connector says of its settings: what it can do, and what is wrong with them.

use crate::contract::Apply;
use crate::handover::Handover;
use crate::tickets::TicketDesk;
use lapsed_core::facts::ConnectorName;
use lapsed_core::policy::access::PasswordRules;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// What is wrong with the settings, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingsProblem {
    /// The key within the connector's section: `servers`.
    pub key: Cow<'static, str>,
    /// One sentence with advice.
    pub problem: String,
}

impl SettingsProblem {
    /// A problem under a key, with advice.
    pub fn new(key: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

/// Everything that is wrong with a connector's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SettingsError(pub Vec<SettingsProblem>);

impl SettingsError {
    /// One problem under a key, with advice.
    pub fn one(key: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self(vec![SettingsProblem::new(key, problem)])
    }
}

/// What a connector can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// Shut accounts and take them out of groups (D2, D3).
    Accounts,
    /// Look up and revoke a system's access (D4).
    Access,
    /// Delete a system's accounts for good (D4).
    DeleteAccount,
    /// End mail sessions and hide mailboxes (D7).
    DisableMailbox,
    /// Delete mailbox content (D7).
    DeleteMailbox,
    /// Give another user a mailbox to read, and take it away again (D8).
    DelegateMailbox,
    /// Delete home directories (D6).
    DeleteHome,
    /// Copy files out of home directories, to be kept (D6).
    ArchiveHome,
    /// Ask somebody else to end, give or rename access, and follow what became of it (D5, D14, A11, H1).
    Request,
    /// Make accounts (A1).
    CreateAccount,
    /// Set a first password for a system's account, and hand it over sealed (A6): a directory always does.
    SetPassword,
    /// Have the owner of an account change its password at the next log-on (A9).
    ExpirePassword,
    /// Give a system's account access, with roles where it has them (A1, A3).
    GrantAccess,
    /// Rename accounts (N7): never a mainframe's.
    RenameAccount,
    /// Make home directories (A1).
    CreateHome,
    /// Move home directories on a rename (N7).
    RenameHome,
    /// Make mailboxes (A1).
    CreateMailbox,
    /// Bring mailboxes over on a rename (N7).
    RenameMailbox,
    /// Show when accounts were last used (S3).
    LastUse,
}

impl Ability {
    /// What it does, after `can't`.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Accounts => "shut accounts",
            Self::Access => "revoke access",
            Self::DeleteAccount => "delete accounts",
            Self::DisableMailbox => "disable mailboxes",
            Self::DeleteMailbox => "delete mailboxes",
            Self::DelegateMailbox => "delegate mailboxes",
            Self::DeleteHome => "delete home directories",
            Self::ArchiveHome => "archive home directories",
            Self::Request => "ask others",
            Self::CreateAccount => "make accounts",
            Self::SetPassword => "set first passwords",
            Self::ExpirePassword => "have passwords changed",
            Self::GrantAccess => "give access",
            Self::RenameAccount => "rename accounts",
            Self::CreateHome => "make home directories",
            Self::RenameHome => "move home directories",
            Self::CreateMailbox => "make mailboxes",
            Self::RenameMailbox => "bring mailboxes over",
            Self::LastUse => "show when accounts were last used",
        }
    }
}

/// One kind of connector as the YAML sets it up: all that the daemon knows of it.
pub trait ConnectorKind {
    /// Every problem at once; empty when the settings can be used.
    fn problems(&self) -> Vec<SettingsProblem>;

    /// Files that the settings name, by their keys: each must be a path from the root.
    fn files(&self) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }

    /// What it can be asked to do.
    fn abilities(&self) -> Vec<Ability>;

    /// Whether it can say which accounts there are, beside those that it is asked for.
    fn lists_accounts(&self) -> bool {
        true
    }

    /// Whether its names count as taken (N5): a directory's, and those of a system in which accounts are made.
    fn names_count(&self) -> bool {
        let all = self.abilities();
        let makes = all.contains(&Ability::Accounts) || all.contains(&Ability::CreateAccount);
        makes && self.lists_accounts()
    }

    /// What it is, for sentences: `mail server`.
    fn noun(&self) -> &'static str;

    /// Whether this kind has only been run against doubles: said by `lapsed check` (never run live).
    fn never_run_live(&self) -> bool {
        false
    }

    /// Prepares the connector; nothing is contacted yet.
    ///
    /// # Errors
    /// Every problem of the settings.
    fn connect(
        &self,
        name: &ConnectorName,
        shared: &Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError>;

    /// The connector as a help desk, where it is one: for the daemon's own tickets (H1).
    fn desk(&self, _: &ConnectorName) -> Option<Result<Arc<dyn TicketDesk>, SettingsError>> {
        None
    }
}

/// What connectors have in common, from the rest of the configuration.
#[derive(Clone, Copy, Default)]
pub struct Shared<'a> {
    /// How mail is sent, if it is.
    pub mail: Option<&'a crate::mail::MailSettings>,
    /// Who seals first passwords, if anybody does (A6).
    pub handover: Option<&'a Arc<dyn Handover>>,
    /// What first passwords are made of (A8); the default where absent.
    pub passwords: Option<&'a PasswordRules>,
    /// The template of the stamp on a leaver's account (D2): by it the stamp is known again.
    pub stamp: Option<&'a str>,
}
