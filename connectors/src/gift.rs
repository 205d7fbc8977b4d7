//! What a step gives in a system with accounts of its own: an account, access with roles, another name.

use lapsed_core::facts::SystemRole;
use lapsed_core::step::{Action, Blueprint, NewName};

/// What a step gives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gift<'a> {
    /// An account, shut.
    Account(&'a Blueprint),
    /// Access with exactly these roles.
    Access(&'a [SystemRole]),
    /// Another name.
    Name(&'a NewName),
}

impl<'a> Gift<'a> {
    /// What an action gives, if it is one of these.
    pub(crate) fn of(action: &'a Action) -> Option<Self> {
        match action {
            Action::CreateAccount { blueprint, .. } => Some(Self::Account(blueprint)),
            Action::GrantAccess { roles, .. } => Some(Self::Access(roles)),
            Action::Rename { to, .. } => Some(Self::Name(to)),
            _ => None,
        }
    }

    /// The key of the settings that say how.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Account(_) => "create",
            Self::Access(_) => "grant",
            Self::Name(_) => "rename",
        }
    }
}
