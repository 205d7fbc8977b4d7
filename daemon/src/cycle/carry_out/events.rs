//! What an answer of a target means for a step in the journal.

use crate::store::{StepUpdate, StoredStep};
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::contract::Apply;
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::step::{
    Action, Cause, EARLIER_ATTEMPT, Fault, Outcome, REPLY_LOST, Receipt, Seen, Step, next_attempt,
};

/// True of a step that gives access when its call has ended, well or not, or nobody knows.
pub(super) fn may_have_given(stored: &StoredStep) -> bool {
    stored.step.action.gives()
        && (stored.state.has_ended() || matches!(stored.state, StepState::Unknown { .. }))
}

/// What nobody takes up any more, and of which nobody knows whether it was done, is looked at so often.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// So many attempts to ask somebody may end without anybody knowing whether they were asked; then they are
/// not asked once more: the reminder does that.
const MOST_UNSURE: u32 = 2;

/// What stands for a request that was perhaps made often enough; nothing for everything else.
pub(super) fn asked_perhaps(
    hand: &dyn Apply,
    batch: &[StoredStep],
) -> Option<Result<Outcome, Fault>> {
    let [only] = batch else { return None };
    let enough = only.step.action.asks() && only.recheck_index >= MOST_UNSURE;
    enough.then(|| hand.asked_perhaps(&only.step)).flatten()
}

/// True where an attempt to ask somebody ended without an answer, and is to be made again.
pub(super) fn is_unsure(update: &StepUpdate, stored: &StoredStep) -> bool {
    stored.step.action.asks()
        && matches!(stored.state, StepState::Unknown { .. })
        && matches!(update.state, StepState::Waiting { .. })
}

pub(super) fn lost(steps: &[Step], why: &str) -> Vec<Result<Outcome, Fault>> {
    steps.iter().map(|_| Err(Fault::Unknown(Cause::new(why)))).collect()
}

pub(super) fn event_of(
    stored: &StoredStep,
    result: Result<Outcome, Fault>,
    now: Timestamp,
) -> StepEvent {
    let attempts = stored.attempts;
    match result {
        Ok(Outcome::Changed(receipt)) => StepEvent::Changed(receipt),
        Ok(Outcome::AlreadySo) if attempts > 1 && shuts(&stored.step) => {
            StepEvent::Changed(Receipt::perhaps(EARLIER_ATTEMPT))
        }
        Ok(Outcome::AlreadySo) if stored.perhaps_begun && leaves_no_trace(&stored.step) => {
            StepEvent::Changed(Receipt::perhaps(EARLIER_ATTEMPT))
        }
        Ok(Outcome::AlreadySo) => StepEvent::AlreadySo,
        Ok(Outcome::Asked(receipt)) => StepEvent::Asked(counted(receipt, attempts), now),
        Ok(Outcome::Partly { found, again_at }) => {
            let soon = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
            let at = again_at.map_or(soon, |at| at.max(soon));
            StepEvent::RetryAt(at, Cause::new(found.description))
        }
        Ok(Outcome::Drifted(found)) => StepEvent::Drifted(found),
        // An earlier attempt may have done it, and this one can't tell: only a look can.
        Err(Fault::Retry(cause)) if is_doubtful(stored) => StepEvent::ReplyLost(cause),
        Err(Fault::Retry(cause)) => StepEvent::RetryAt(next_attempt(now, attempts), cause),
        Err(Fault::Refused(cause)) => StepEvent::Refused(cause),
        Err(Fault::Unknown(cause)) => StepEvent::ReplyLost(cause),
    }
}

/// True where an earlier attempt may have taken effect. Of what somebody else is asked for, the count of
/// attempts keeps that.
fn is_doubtful(stored: &StoredStep) -> bool {
    stored.perhaps_begun && !stored.step.action.asks()
}

/// True of what the end of a suspension opens again: who shut it has to be known then.
fn shuts(step: &Step) -> bool {
    matches!(step.action, Action::Disable { .. } | Action::RevokeAccess { .. })
}

/// True of what can't be told afterwards from what others did: the record must not say that it was so already.
fn leaves_no_trace(step: &Step) -> bool {
    step.action.destroys() || matches!(step.action, Action::DisableMailbox { .. })
}

fn makes_an_account(step: &Step) -> bool {
    matches!(step.action, Action::CreateAccount { .. })
}

/// After an earlier attempt those who were asked may have been asked before; the record says so.
fn counted(mut receipt: Receipt, attempts: u32) -> Receipt {
    if attempts > 1 {
        receipt.before.insert("attempts".into(), vec![attempts.to_string()]);
    }
    receipt
}

/// Whether a change was made so shortly ago that a copy may not have it yet.
fn is_fresh(stored: &StoredStep, now: Timestamp, replication: SignedDuration) -> bool {
    let age = now.duration_since(stored.changed_at);
    matches!(stored.state, StepState::Done { .. }) && !age.is_negative() && age < replication
}

/// What a look at a step makes of it; nothing where the server could not be asked, or may not show yet
/// what was done no longer than `replication` ago.
pub(super) fn seen_events(
    stored: &StoredStep,
    seen: Result<Seen, Fault>,
    now: Timestamp,
    replication: SignedDuration,
) -> Vec<StepEvent> {
    let lost = matches!(stored.state, StepState::Unknown { .. });
    let again = match &stored.state {
        // No attempt comes between its looks, so that their count says nothing of how long it has been so.
        StepState::Unknown { until: Some(_), .. } => now.checked_add(LOOK_AGAIN).unwrap_or(now),
        _ => next_attempt(now, stored.attempts),
    };
    let retry = |cause| vec![StepEvent::RetryAt(again, cause)];
    let still_unknown = |cause| match stored.step.action.asks() {
        true => vec![StepEvent::RetryAt(again, cause)],
        false => vec![StepEvent::StillUnknown(again, cause)],
    };
    match seen {
        Ok(Seen::AsWanted) if lost && (shuts(&stored.step) || leaves_no_trace(&stored.step)) => {
            vec![StepEvent::Changed(Receipt::perhaps(REPLY_LOST)), StepEvent::SeenAsWanted(now)]
        }
        // The reply was lost, but the change is there; its before-image is in the case.
        Ok(Seen::AsWanted) if lost => vec![StepEvent::AlreadySo, StepEvent::SeenAsWanted(now)],
        Ok(Seen::AsWanted) => vec![StepEvent::SeenAsWanted(now)],
        Ok(Seen::Otherwise(found)) if lost => retry(Cause::new(found.description)),
        Ok(Seen::CannotTell(cause)) if lost => retry(cause),
        Ok(Seen::NotYet(found)) if lost => retry(Cause::new(found.description)),
        // Whoever was asked has not answered: nothing moves.
        Ok(Seen::NotYet(_)) => Vec::new(),
        // An account of that name is there, and is not theirs: nothing was made.
        Err(Fault::Refused(cause)) if lost && makes_an_account(&stored.step) => {
            vec![StepEvent::NeverBegun(again, cause)]
        }
        Err(Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause)) if lost => {
            still_unknown(cause)
        }
        // Whoever was asked says that it will not be done.
        Err(Fault::Refused(cause)) if matches!(stored.state, StepState::Asked { .. }) => {
            vec![StepEvent::Refused(cause)]
        }
        // On its way, perhaps, to the copy that was asked: the next round looks again.
        Ok(Seen::Otherwise(_)) if is_fresh(stored, now, replication) => Vec::new(),
        Ok(Seen::Otherwise(found)) => vec![StepEvent::NotSeen(Cause::new(found.description))],
        Ok(Seen::CannotTell(cause)) => vec![StepEvent::NotSeen(cause)],
        // The server went away after the change: the next recheck looks again.
        Err(Fault::Retry(_) | Fault::Unknown(_)) => Vec::new(),
        Err(Fault::Refused(cause)) => vec![StepEvent::NotSeen(cause)],
    }
}
