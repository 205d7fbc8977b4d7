//! Who shut an account: what somebody shut by hand is opened by no form that asks for something else.

use super::Work;
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::{Asks, FiledForm};
use crate::facts::{ConnectorName, StableId};
use crate::journal::StepState;
use crate::observed::ObservedAccount;
use crate::reconcile::suspending::{ShutBy, shut_by};
use crate::step::{Action, Step};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// Accounts, each with the target it is in.
pub type Accounts = BTreeSet<(ConnectorName, StableId)>;

/// The accounts that lapsed itself shut and has not opened since, as far as a journal says: each step with
/// its state and the moment it was begun first.
pub fn shut_here<'a>(
    journal: impl IntoIterator<Item = (&'a Step, &'a StepState, Option<Timestamp>)>,
) -> Accounts {
    let mut last: HashMap<(&ConnectorName, &StableId), (Option<Timestamp>, bool)> = HashMap::new();
    for (step, state, begun) in journal {
        let opens = opens_account(&step.action);
        let shuts = matches!(shut_by(step, state), ShutBy::Step | ShutBy::LostReply);
        if !(shuts || (opens && state.is_done())) {
            continue;
        }
        let change = last.entry((&step.connector, &step.action.account().id));
        let change = change.or_insert((begun, shuts));
        if begun >= change.0 {
            *change = (begun, shuts);
        }
    }
    let shut = last.into_iter().filter(|(_, (_, shuts))| *shuts);
    shut.map(|((connector, account), _)| (connector.clone(), account.clone())).collect()
}

impl Work<'_> {
    /// Whether a form may open an account that is shut: one that asks for the account (a form `new`, or the
    /// one that made it) and has not found it open before, or one that gives anew what lapsed itself took.
    /// What only takes away opens nothing at all, and neither does what comes to an account of which
    /// something is in place: that one was shut by somebody's word.
    pub(super) fn opens(
        &self,
        form: &FiledForm,
        (connector, account): (&ConnectorName, &ObservedAccount),
        held: &[&Entitlement],
        given: &[&Entitlement],
    ) -> bool {
        if given.is_empty() {
            return false;
        }
        let in_place = |e: &&&Entitlement| e.state == EntitlementState::InPlace;
        if form.form.asks == Asks::New || self.was_made(form, connector) {
            return !held.iter().filter(in_place).any(|e| e.form == form.number);
        }
        let ours = self.input.shut_here.contains(&(connector.clone(), account.id.clone()));
        ours && !held.iter().any(|e| in_place(&e))
    }

    /// Says that an account stays shut, and what would open it.
    pub(super) fn note_shut(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) {
        self.out.stuck = true;
        // The suspension says so itself, and its end opens the account.
        if self.input.suspended.contains(connector) || self.is_being_opened(connector, account) {
            return;
        }
        let ours = self.input.shut_here.contains(&(connector.clone(), account.id.clone()));
        let who = if ours { "lapsed" } else { "somebody else" };
        self.out.doubtful.insert(format!(
            "account {} in {connector} was shut by {who}, and form {} does not ask for an account: it stays \
             shut; whoever shut it may open it, or have a form `new` filed if the person is to have it again",
            account.user_id, form.number
        ));
    }

    fn is_being_opened(&self, connector: &ConnectorName, account: &ObservedAccount) -> bool {
        self.input.journal.values().any(|(step, state)| {
            opens_account(&step.action)
                && !state.has_ended()
                && &step.connector == connector
                && step.action.account().id == account.id
        })
    }
}

fn opens_account(action: &Action) -> bool {
    matches!(action, Action::Enable { .. } | Action::GrantAccess { .. })
}
