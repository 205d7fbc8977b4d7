//! The life of a step: its states and the legal ways from one to the next, as one match.

use crate::step::{Cause, Found, Receipt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum StepState {
    /// Stored; nothing has been done. Due now or later.
    Planned,
    /// Written to stable storage before the call to the target; found after a crash, it means: look first.
    Started {
        /// When.
        at: Timestamp,
    },
    /// Not done; will be tried again.
    Waiting {
        /// Not before this moment.
        until: Timestamp,
        /// Why.
        cause: Cause,
        /// An earlier attempt had no answer, and a look did not find the whole of it done: a part may be.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        perhaps_begun: bool,
    },
    /// The reply was lost: looked at before anything else. It stays so until a look tells, since what was
    /// perhaps done can neither be called off nor made once more.
    Unknown {
        /// What was heard last.
        cause: Cause,
        /// Not looked at again before this moment, where the last look failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Somebody else was asked to do it; open until they confirm (D5, H2).
    Asked {
        /// Under which token or number, and who.
        receipt: Receipt,
        /// When.
        at: Timestamp,
    },
    /// Done, and not yet read back.
    Done {
        /// Before-image; `None` where it was so already.
        receipt: Option<Receipt>,
    },
    /// Done and read back (D13).
    Verified {
        /// Before-image; `None` where it was so already.
        receipt: Option<Receipt>,
        /// When it was read back.
        at: Timestamp,
    },
    /// Done, but the target can't show it, or shows otherwise: looked at again later (D13).
    Unverified {
        /// Before-image; `None` where it was so already.
        receipt: Option<Receipt>,
        /// What read-back said.
        cause: Cause,
    },
    /// The object is not what the plan expected; a new plan decides.
    Drifted {
        /// What is there.
        found: Found,
    },
    /// The target refused; a person has to act.
    Refused {
        /// Why.
        cause: Cause,
    },
    /// Stopped before it was done: rehire, withdrawal, a replaced plan (D10).
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// What can happen to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEvent {
    /// The call is about to be made.
    Start(Timestamp),
    /// The target changed.
    Changed(Receipt),
    /// The target was so already.
    AlreadySo,
    /// Somebody else was asked.
    Asked(Receipt, Timestamp),
    /// The target is not as expected.
    Drifted(Found),
    /// Not done, try again at the moment given.
    RetryAt(Timestamp, Cause),
    /// What was lost had never begun, try at the moment given.
    NeverBegun(Timestamp, Cause),
    /// The target refused.
    Refused(Cause),
    /// The reply was lost.
    ReplyLost(Cause),
    /// A look at what was lost told nothing; the next one at the moment given.
    StillUnknown(Timestamp, Cause),
    /// Read-back saw what was wanted.
    SeenAsWanted(Timestamp),
    /// Read-back saw something else, or nothing that tells.
    NotSeen(Cause),
    /// The wish is gone.
    Cancel(String),
    /// An operator or a new plan wants the step done after all.
    Reopen,
}

/// A transition that the journal does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a step that is {from} can't take the event {event}; the journal is kept as it was")]
pub struct IllegalTransition {
    /// The state's name.
    pub from: &'static str,
    /// The event's name.
    pub event: &'static str,
}

impl StepState {
    /// The state's name, as stored and shown.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Started { .. } => "started",
            Self::Waiting { .. } => "waiting",
            Self::Unknown { .. } => "unknown",
            Self::Asked { .. } => "asked",
            Self::Done { .. } => "done",
            Self::Verified { .. } => "verified",
            Self::Unverified { .. } => "unverified",
            Self::Drifted { .. } => "drifted",
            Self::Refused { .. } => "refused",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// True when nothing more happens to the step by itself, except another look at what was done.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Planned
            | Self::Started { .. }
            | Self::Waiting { .. }
            | Self::Unknown { .. }
            | Self::Asked { .. } => false,
            Self::Done { .. }
            | Self::Verified { .. }
            | Self::Unverified { .. }
            | Self::Drifted { .. }
            | Self::Refused { .. }
            | Self::Cancelled { .. } => true,
        }
    }

    /// What was replaced, where this attempt or an earlier one changed something.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Done { receipt }
            | Self::Verified { receipt, .. }
            | Self::Unverified { receipt, .. } => receipt.as_ref(),
            Self::Asked { receipt, .. } => Some(receipt),
            _ => None,
        }
    }

    /// True where the change may have been made, and nothing says whether: its daemon died, its reply was
    /// lost, or a look found no more than a part of it.
    #[must_use]
    pub fn is_perhaps_begun(&self) -> bool {
        matches!(
            self,
            Self::Started { .. } | Self::Unknown { .. } | Self::Waiting { perhaps_begun: true, .. }
        )
    }

    /// True when the change is known to have been made or found made.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Verified { .. } | Self::Unverified { .. })
    }
}

impl StepEvent {
    /// The event's name, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Changed(_) => "changed",
            Self::AlreadySo => "already_so",
            Self::Asked(..) => "asked",
            Self::Drifted(_) => "drifted",
            Self::RetryAt(..) => "retry",
            Self::NeverBegun(..) => "never_begun",
            Self::Refused(_) => "refused",
            Self::ReplyLost(_) => "reply_lost",
            Self::StillUnknown(..) => "still_unknown",
            Self::SeenAsWanted(_) => "seen_as_wanted",
            Self::NotSeen(_) => "not_seen",
            Self::Cancel(_) => "cancel",
            Self::Reopen => "reopen",
        }
    }
}

/// The one table of legal transitions; anything else is an error and changes nothing.
pub fn transition(from: &StepState, event: StepEvent) -> Result<StepState, IllegalTransition> {
    use StepEvent as E;
    use StepState as S;
    let illegal = IllegalTransition { from: from.name(), event: event.name() };
    Ok(match (from, event) {
        // Intent before effect. A crashed attempt (Started) starts again only through the connector's own
        // look at the object, which every apply begins with; a lost reply is looked at first.
        (S::Planned | S::Waiting { .. } | S::Started { .. }, E::Start(at)) => S::Started { at },
        (S::Started { .. } | S::Unknown { .. }, E::Changed(receipt)) => {
            S::Done { receipt: Some(receipt) }
        }
        (S::Started { .. } | S::Unknown { .. }, E::AlreadySo) => S::Done { receipt: None },
        // Asked once more is asked still; the first moment stays in the audit.
        (S::Started { .. } | S::Unknown { .. } | S::Asked { .. }, E::Asked(receipt, at)) => {
            S::Asked { receipt, at }
        }
        (S::Asked { receipt, .. }, E::SeenAsWanted(at)) => {
            S::Verified { receipt: Some(receipt.clone()), at }
        }
        // Somebody did it by hand after the target had refused (H2).
        (S::Refused { .. } | S::Drifted { .. }, E::SeenAsWanted(at)) => {
            S::Verified { receipt: None, at }
        }
        // The one who was asked says that it can't be done.
        (S::Asked { .. }, E::Refused(cause)) => S::Refused { cause },
        (S::Started { .. } | S::Unknown { .. }, E::Drifted(found)) => S::Drifted { found },
        (
            S::Started { .. } | S::Unknown { .. } | S::Planned | S::Waiting { .. },
            E::RetryAt(until, cause),
        ) => {
            // A call that was answered says that nothing was done; a look does not say it of what was lost.
            let perhaps_begun = !matches!(from, S::Started { .. }) && from.is_perhaps_begun();
            S::Waiting { until, cause, perhaps_begun }
        }
        (S::Unknown { .. }, E::NeverBegun(until, cause)) => {
            S::Waiting { until, cause, perhaps_begun: false }
        }
        (S::Started { .. } | S::Unknown { .. }, E::Refused(cause)) => S::Refused { cause },
        (S::Started { .. }, E::ReplyLost(cause)) => S::Unknown { cause, until: None },
        (S::Unknown { .. }, E::StillUnknown(until, cause)) => {
            S::Unknown { cause, until: Some(until) }
        }
        (
            S::Done { receipt } | S::Unverified { receipt, .. } | S::Verified { receipt, .. },
            E::SeenAsWanted(at),
        ) => S::Verified { receipt: receipt.clone(), at },
        (
            S::Done { receipt } | S::Verified { receipt, .. } | S::Unverified { receipt, .. },
            E::NotSeen(cause),
        ) => S::Unverified { receipt: receipt.clone(), cause },
        // What is under way can't be called back, nor what is unknown: a look takes it to Waiting first.
        (S::Planned | S::Waiting { .. } | S::Asked { .. }, E::Cancel(reason)) => {
            S::Cancelled { reason }
        }
        (
            S::Drifted { .. }
            | S::Refused { .. }
            | S::Cancelled { .. }
            | S::Unverified { .. }
            | S::Verified { .. },
            E::Reopen,
        ) => S::Planned,
        _ => return Err(illegal),
    })
}
