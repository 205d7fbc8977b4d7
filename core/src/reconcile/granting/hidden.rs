//! Somebody who comes back is in the address lists again, and takes mail as before (D7, D10).

use super::{Progress, Work, expectation, target};
use crate::access::form::FiledForm;
use crate::citation::Rule;
use crate::facts::{CaseId, ConnectorName};
use crate::journal::StepState;
use crate::observed::ObservedAccount;
use crate::step::{Action, Kept, Receipt};

impl Work<'_> {
    /// Puts back what the last departure replaced to hide the mailbox, on an account that is shut from then.
    /// True when nothing of it is left to do. What others changed meanwhile holds up nothing: it is told.
    pub(super) fn show_mailbox(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        let Some(was) = self.hidden_by_departure(connector, account) else { return true };
        if !self.was_shut(form, connector, account) {
            return true;
        }
        if was.is_perhaps() {
            self.out.doubtful.insert(format!(
                "the mailbox of {} in {connector} may still be hidden: what was there before is not on record, \
                 since the answer was lost; look who may see it and write to it",
                account.user_id
            ));
            return true;
        }
        let kept = Kept::Mailbox { was: was.before };
        let put_back = Action::PutBack { account: target(account), kept };
        let expect = expectation(account);
        let known = self.state_of(form, connector, put_back.clone(), expect.clone());
        if let Some(StepState::Drifted { .. } | StepState::Refused { .. }) = known {
            self.out.doubtful.insert(format!(
                "the mailbox of {} in {connector} may still be hidden, and was not shown again for form {}: look \
                 who may see it and write to it",
                account.user_id, form.number
            ));
            return true;
        }
        self.step(form, connector, (put_back, expect, Rule::D10)) == Progress::Done
    }

    /// What the account's attributes were before the latest departure that hid its mailbox.
    fn hidden_by_departure(
        &self,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> Option<Receipt> {
        let person = self.input.person;
        (0..=person.episode).rev().find_map(|episode| {
            let case = CaseId::departure(person.id, episode);
            let hides = |step: &crate::step::Step| {
                step.case == case
                    && &step.connector == connector
                    && matches!(&step.action, Action::DisableMailbox { account: hidden }
                        if hidden.id == account.id)
            };
            let mut all = self.input.journal.values();
            let (_, state) = all.find(|(step, _)| hides(step))?;
            state.receipt().cloned()
        })
    }

    /// Whether the account was shut when the form's case began.
    fn was_shut(
        &self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        let before = self.input.facts.get(&form.number).map(|facts| facts.before.as_slice());
        let mut before = before.unwrap_or_default().iter();
        let before = before.find(|(name, known)| name == connector && known.id == account.id);
        !before.map_or(account.enabled, |(_, known)| known.enabled)
    }
}
