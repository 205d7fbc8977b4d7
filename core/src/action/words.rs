//! What is said of an action, and what follows from its kind alone.

use super::{Action, Kept, Target};
use crate::facts::SystemRole;

impl Action {
    /// The account that the action is about.
    #[must_use]
    pub fn account(&self) -> &Target {
        match self {
            Self::Disable { account }
            | Self::StampDescription { account, .. }
            | Self::ScramblePassword { account }
            | Self::ResetPrimaryGroup { account }
            | Self::LeaveGroup { account, .. }
            | Self::RevokeAccess { account }
            | Self::DeleteAccount { account }
            | Self::RequestRevocation { account, .. }
            | Self::DisableMailbox { account }
            | Self::DelegateMailbox { account, .. }
            | Self::EndDelegation { account, .. }
            | Self::ArchiveHome { account, .. }
            | Self::DeleteMailbox { account }
            | Self::DeleteHome { account, .. }
            | Self::CreateAccount { account, .. }
            | Self::Enable { account }
            | Self::GrantAccess { account, .. }
            | Self::JoinGroup { account, .. }
            | Self::SetPassword { account, .. }
            | Self::ExpirePassword { account, .. }
            | Self::Rename { account, .. }
            | Self::CreateHome { account, .. }
            | Self::RenameHome { account, .. }
            | Self::CreateMailbox { account }
            | Self::RenameMailbox { account, .. }
            | Self::PutBack { account, .. }
            | Self::RequestChange { account, .. } => account,
        }
    }

    /// A short name for tables, logs and the audit.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disable { .. } => "disable",
            Self::StampDescription { .. } => "stamp_description",
            Self::ScramblePassword { .. } => "scramble_password",
            Self::ResetPrimaryGroup { .. } => "reset_primary_group",
            Self::LeaveGroup { .. } => "leave_group",
            Self::RevokeAccess { .. } => "revoke_access",
            Self::DeleteAccount { .. } => "delete_account",
            Self::RequestRevocation { .. } => "request_revocation",
            Self::DisableMailbox { .. } => "disable_mailbox",
            Self::DelegateMailbox { .. } => "delegate_mailbox",
            Self::EndDelegation { .. } => "end_delegation",
            Self::ArchiveHome { .. } => "archive_home",
            Self::DeleteMailbox { .. } => "delete_mailbox",
            Self::DeleteHome { .. } => "delete_home",
            Self::CreateAccount { .. } => "create_account",
            Self::Enable { .. } => "enable",
            Self::GrantAccess { .. } => "grant_access",
            Self::JoinGroup { .. } => "join_group",
            Self::SetPassword { .. } => "set_password",
            Self::ExpirePassword { .. } => "expire_password",
            Self::Rename { .. } => "rename",
            Self::CreateHome { .. } => "create_home",
            Self::RenameHome { .. } => "rename_home",
            Self::CreateMailbox { .. } => "create_mailbox",
            Self::RenameMailbox { .. } => "rename_mailbox",
            Self::PutBack { .. } => "put_back",
            Self::RequestChange { .. } => "request_change",
        }
    }

    /// A sentence fragment for people: `leave group Nurses`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Disable { account } => format!("disable account {}", account.label),
            Self::StampDescription { account, .. } => {
                format!("stamp description of {}", account.label)
            }
            Self::ScramblePassword { account } => format!("scramble password of {}", account.label),
            Self::ResetPrimaryGroup { account } => {
                format!("reset primary group of {}", account.label)
            }
            Self::LeaveGroup { account, group } => {
                format!("take {} out of group {}", account.label, group.label)
            }
            Self::RevokeAccess { account } => format!("revoke access of {}", account.label),
            Self::DeleteAccount { account } => format!("delete account {}", account.label),
            Self::RequestRevocation { account, request, .. } => {
                format!("ask to revoke {request} of {}", account.label)
            }
            Self::DisableMailbox { account } => format!("disable mailbox of {}", account.label),
            Self::DelegateMailbox { account, to, .. } => {
                format!("let {to} read the mailbox of {}", account.label)
            }
            Self::EndDelegation { account, to, .. } => {
                format!("let {to} no longer read the mailbox of {}", account.label)
            }
            Self::ArchiveHome { account, recipient, .. } => {
                format!("copy files of {} for {recipient}", account.label)
            }
            Self::DeleteMailbox { account } => format!("delete mailbox of {}", account.label),
            Self::DeleteHome { account, .. } => {
                format!("delete home directory of {}", account.label)
            }
            Self::CreateAccount { account, .. } => format!("make account {}", account.label),
            Self::Enable { account } => format!("enable account {}", account.label),
            Self::GrantAccess { account, roles } if roles.is_empty() => {
                format!("give {} access", account.label)
            }
            Self::GrantAccess { account, roles } => {
                format!("give {} access as {}", account.label, listed(roles))
            }
            Self::JoinGroup { account, group } => {
                format!("put {} into group {}", account.label, group.label)
            }
            Self::SetPassword { account, envelope } => {
                format!("set a first password of {}, sealed for {}", account.label, envelope.opener)
            }
            Self::ExpirePassword { account, .. } => {
                format!("have the password of {} changed at the next log-on", account.label)
            }
            Self::Rename { account, to } => format!("rename {} to {}", account.label, to.user_id),
            Self::CreateHome { account, .. } => format!("make home directory of {}", account.label),
            Self::RenameHome { account, from, .. } => {
                format!("move home directory of {from} to {}", account.label)
            }
            Self::CreateMailbox { account } => format!("make mailbox of {}", account.label),
            Self::RenameMailbox { account, from } => {
                format!("bring mailbox of {from} over to {}", account.label)
            }
            Self::PutBack { account, kept } => {
                format!("put back the {} of {}", kept.noun(), account.label)
            }
            Self::RequestChange { account, request, change, .. } => {
                format!("ask to {} {request} for {}", change.verb(), account.label)
            }
        }
    }

    /// True where somebody else is asked: what was asked can't be looked up.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::RequestRevocation { .. } | Self::RequestChange { .. })
    }

    /// What else the action is about beside the account: the same action on the same account with
    /// another group, request, reader or wish is another step.
    #[must_use]
    pub fn other(&self) -> String {
        match self {
            Self::LeaveGroup { group, .. } | Self::JoinGroup { group, .. } => group.id.to_string(),
            Self::GrantAccess { roles, .. } => listed(roles),
            Self::Rename { to, .. } => to.user_id.folded(),
            Self::RenameHome { from, .. } | Self::RenameMailbox { from, .. } => from.folded(),
            Self::SetPassword { envelope, .. } => envelope.id.to_string(),
            Self::ExpirePassword { changed_at, .. } => changed_at.to_string(),
            Self::PutBack { kept, .. } => kept.noun().to_owned(),
            Self::RequestChange { request, change, .. } => format!("{} {request}", change.verb()),
            Self::RequestRevocation { request, .. } => request.clone(),
            Self::DelegateMailbox { to, wish, .. } | Self::EndDelegation { to, wish, .. } => {
                format!("{wish} {}", to.folded())
            }
            Self::ArchiveHome { wish, .. } => wish.to_string(),
            Self::Disable { .. }
            | Self::StampDescription { .. }
            | Self::ScramblePassword { .. }
            | Self::ResetPrimaryGroup { .. }
            | Self::RevokeAccess { .. }
            | Self::DeleteAccount { .. }
            | Self::DisableMailbox { .. }
            | Self::DeleteMailbox { .. }
            | Self::DeleteHome { .. }
            | Self::CreateAccount { .. }
            | Self::Enable { .. }
            | Self::CreateHome { .. }
            | Self::CreateMailbox { .. } => String::new(),
        }
    }

    /// The wish that the action carries out or ends (D6, D8).
    #[must_use]
    pub fn wish(&self) -> Option<uuid::Uuid> {
        match self {
            Self::DelegateMailbox { wish, .. }
            | Self::EndDelegation { wish, .. }
            | Self::ArchiveHome { wish, .. } => Some(*wish),
            _ => None,
        }
    }

    /// What can't be put back: such a step never runs past a hold (D6).
    #[must_use]
    pub fn destroys(&self) -> bool {
        matches!(
            self,
            Self::DeleteMailbox { .. } | Self::DeleteHome { .. } | Self::DeleteAccount { .. }
        )
    }

    /// What gives somebody access, goes towards it, or is asked of somebody who has it: such a step never runs past a departure or a
    /// suspension of its person (D2, S1, S2).
    #[must_use]
    pub fn gives(&self) -> bool {
        match self {
            Self::CreateAccount { .. }
            | Self::Enable { .. }
            | Self::GrantAccess { .. }
            | Self::JoinGroup { .. }
            | Self::SetPassword { .. }
            | Self::ExpirePassword { .. }
            | Self::Rename { .. }
            | Self::CreateHome { .. }
            | Self::RenameHome { .. }
            | Self::CreateMailbox { .. }
            | Self::RenameMailbox { .. }
            | Self::PutBack { .. }
            | Self::RequestChange { .. } => true,
            Self::Disable { .. }
            | Self::StampDescription { .. }
            | Self::ScramblePassword { .. }
            | Self::ResetPrimaryGroup { .. }
            | Self::LeaveGroup { .. }
            | Self::RevokeAccess { .. }
            | Self::DeleteAccount { .. }
            | Self::RequestRevocation { .. }
            | Self::DisableMailbox { .. }
            | Self::DelegateMailbox { .. }
            | Self::EndDelegation { .. }
            | Self::ArchiveHome { .. }
            | Self::DeleteMailbox { .. }
            | Self::DeleteHome { .. } => false,
        }
    }

    /// What is made once in a case, whatever is observed afterwards: it can't be made twice, or asking
    /// twice would only puzzle the one who is asked.
    #[must_use]
    pub fn is_once(&self) -> bool {
        self.destroys()
            || matches!(
                self,
                Self::RequestRevocation { .. }
                    | Self::RequestChange { .. }
                    | Self::SetPassword { .. }
                    | Self::ExpirePassword { .. }
                    | Self::RenameHome { .. }
                    | Self::RenameMailbox { .. }
                    | Self::DelegateMailbox { .. }
                    | Self::EndDelegation { .. }
                    | Self::ArchiveHome { .. }
            )
    }

    /// Place in a person's order: a step starts when every step of the case with a lower rank has ended.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Disable { .. } | Self::RevokeAccess { .. } => 0,
            Self::CreateAccount { .. } => 0,
            Self::StampDescription { .. } | Self::ScramblePassword { .. } | Self::Rename { .. } => {
                1
            }
            Self::ResetPrimaryGroup { .. }
            | Self::CreateHome { .. }
            | Self::RenameHome { .. }
            | Self::CreateMailbox { .. }
            | Self::RenameMailbox { .. } => 2,
            Self::LeaveGroup { .. } | Self::JoinGroup { .. } | Self::DisableMailbox { .. } => 3,
            // A new password shuts OpenLDAP's accounts once more: what opens a way in comes after it.
            Self::PutBack { kept: Kept::Shut { .. }, .. } => 7,
            // A primary group is one that the account is in by then.
            Self::DelegateMailbox { .. } | Self::EndDelegation { .. } | Self::PutBack { .. } => 4,
            Self::RequestRevocation { .. } | Self::RequestChange { .. } => 5,
            // The password is there before the account is opened, and everything else before both.
            Self::SetPassword { .. } | Self::ExpirePassword { .. } => 6,
            Self::Enable { .. } | Self::GrantAccess { .. } => 7,
            Self::ArchiveHome { .. } => 8,
            Self::DeleteMailbox { .. } | Self::DeleteHome { .. } | Self::DeleteAccount { .. } => 9,
        }
    }
}

fn listed(roles: &[SystemRole]) -> String {
    roles.iter().map(SystemRole::as_str).collect::<Vec<_>>().join(", ")
}
