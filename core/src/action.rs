//! What can be changed in a target: one person, one object, one change.

mod change;
mod words;

pub use change::{
    Blueprint, Envelope, HomePlace, Kept, NewName, RequestFacts, RequestedChange, Target,
};

use crate::facts::{SystemRole, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The smallest thing an auditor would ask about: one person, one object, one change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Action {
    /// Shut the account (D2).
    Disable {
        /// The account.
        account: Target,
    },
    /// Write into the account's description when, why and by which case it was shut (D2).
    StampDescription {
        /// The account.
        account: Target,
        /// The text to put there; the old text is kept in the receipt.
        text: String,
    },
    /// Replace the password by one that nobody knows (D2).
    ScramblePassword {
        /// The account.
        account: Target,
    },
    /// Make the directory's default group the primary one, so that the present one can be left (D3).
    ResetPrimaryGroup {
        /// The account.
        account: Target,
    },
    /// Take the account out of one group (D3).
    LeaveGroup {
        /// The account.
        account: Target,
        /// The group.
        group: Target,
    },
    /// End what a person can do in a system, by the system's own account or role (D4).
    RevokeAccess {
        /// The account in that system.
        account: Target,
    },
    /// Delete the account of a system for good, where the policy says so (D4).
    DeleteAccount {
        /// The account in that system.
        account: Target,
    },
    /// Ask somebody else to end access that is out of reach: another agency, the security officer, the
    /// help desk (D5, D14, H1). It stays open until they confirm.
    RequestRevocation {
        /// The account that the request is about.
        account: Target,
        /// The request, by its name in the policy.
        request: String,
        /// What the one who is asked needs to know, and no more (P2).
        facts: RequestFacts,
    },
    /// End mail sessions and hide the mailbox (D7).
    DisableMailbox {
        /// The account whose mailbox it is.
        account: Target,
    },
    /// Let another user read the mailbox (D8).
    DelegateMailbox {
        /// The account whose mailbox it is.
        account: Target,
        /// Who may read it from now on.
        to: UserId,
        /// The wish that asks for it: one that is uttered again is another step.
        #[serde(default)]
        wish: uuid::Uuid,
    },
    /// Take that right away again (D8).
    EndDelegation {
        /// The account whose mailbox it is.
        account: Target,
        /// Who may no longer read it.
        to: UserId,
        /// The wish that ends.
        #[serde(default)]
        wish: uuid::Uuid,
    },
    /// Copy files that are to be kept for good out of the home directory, for the supervisor (D6).
    ArchiveHome {
        /// The account whose home directory it is.
        account: Target,
        /// Where the directory said it is when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
        /// The account's number on file systems (RFC 2307 `uidNumber`) when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid_number: Option<u32>,
        /// The wish that asks for it.
        wish: uuid::Uuid,
        /// What to keep, as paths below the home directory; empty for all of it.
        paths: Vec<String>,
        /// For whom: the user ID of the one who gets the archive.
        recipient: UserId,
    },
    /// Delete all mailbox content (D7).
    DeleteMailbox {
        /// The account whose mailbox it is.
        account: Target,
    },
    /// Delete the home directory (D6).
    DeleteHome {
        /// The account whose home directory it is.
        account: Target,
        /// Where the directory said it is when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
        /// The account's number on file systems (RFC 2307 `uidNumber`) when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid_number: Option<u32>,
    },
    /// Make the account, shut, as the blueprint says (A1). The target's id is [`Target::to_be_made`].
    CreateAccount {
        /// The account, by the log-on name that is reserved for it.
        account: Target,
        /// What it is to be.
        blueprint: Box<Blueprint>,
    },
    /// Open a directory's account that is shut (A1, S1, D10).
    Enable {
        /// The account.
        account: Target,
    },
    /// Give a system's account access with exactly these roles (A1, A3); without roles where the system
    /// knows none.
    GrantAccess {
        /// The account in that system.
        account: Target,
        /// The roles that it has from then on, sorted.
        roles: Vec<SystemRole>,
    },
    /// Put the account into a group (A1).
    JoinGroup {
        /// The account.
        account: Target,
        /// The group.
        group: Target,
    },
    /// Set a first password that must be changed at the next log-on, and hand it over sealed (A6 to A8).
    /// It is made while the step is carried out and never stored.
    SetPassword {
        /// The account.
        account: Target,
        /// For whom it is sealed.
        envelope: Envelope,
    },
    /// Have the owner change a password that is too old at the next log-on (A9).
    ExpirePassword {
        /// The account.
        account: Target,
        /// When the password was last changed: another one since is as good.
        changed_at: Timestamp,
    },
    /// Give the account another log-on name, display name and mail address (N7).
    Rename {
        /// The account, by its old name.
        account: Target,
        /// What it is called from then on.
        to: Box<NewName>,
    },
    /// Make the home directory (A1).
    CreateHome {
        /// The account whose home directory it is.
        account: Target,
        /// Where.
        place: HomePlace,
    },
    /// Move the home directory to where the account's new name puts it (N7).
    RenameHome {
        /// The account whose home directory it is.
        account: Target,
        /// The log-on name before.
        from: UserId,
        /// Where it was.
        old: HomePlace,
        /// Where it is to be.
        new: HomePlace,
    },
    /// Make the mailbox, where the mail server does not by itself (A1).
    CreateMailbox {
        /// The account whose mailbox it is.
        account: Target,
    },
    /// Bring the mailbox's content over to the account's new name (N7).
    RenameMailbox {
        /// The account whose mailbox it is, by its new name.
        account: Target,
        /// The log-on name before.
        from: UserId,
    },
    /// Put back what a departure replaced on the account, where it still is as the departure left it (D10).
    PutBack {
        /// The account.
        account: Target,
        /// What, as it was.
        kept: Kept,
    },
    /// Ask somebody else to give or to rename access that is out of reach (A11, H1). It stays open until
    /// they confirm.
    RequestChange {
        /// The account that the request is about.
        account: Target,
        /// The request, by its name in the policy.
        request: String,
        /// What is asked for.
        change: RequestedChange,
        /// What the one who is asked needs to know, and no more (P2).
        facts: RequestFacts,
    },
}
