//! What wishes ask of a departure: a mailbox for somebody else, files for the supervisor (D6, D8).

use super::{Departure, Reconciled, target};
use crate::citation::Rule;
use crate::facts::{ConnectorName, UserId};
use crate::journal::StepState;
use crate::observed::ObservedAccount;
use crate::step::{Action, Due, Step};
use crate::wishes::{Wanted, Wish};

impl Reconciled {
    /// Plans what the wishes ask for, and takes back what ended ones gave.
    pub(super) fn wished(&mut self, input: &Departure<'_>, account: &ObservedAccount) {
        for wish in input.wishes {
            match &wish.what {
                Wanted::Delegate { to } => self.delegate(input, account, wish, to),
                Wanted::Keep { to, paths } if wish.stands() => {
                    self.keep(input, account, wish, (to, paths));
                }
                // The mailbox only has to stay: nothing is done to it.
                Wanted::Keep { .. } | Wanted::KeepMail { .. } => {}
            }
        }
    }

    fn delegate(
        &mut self,
        input: &Departure<'_>,
        account: &ObservedAccount,
        wish: &Wish,
        to: &UserId,
    ) {
        let Some(rule) = &input.policy.departure.mailbox else {
            let text = format!("{to} can't be given the mailbox: departure.mailbox is not set");
            return self.explain(input, Rule::D8, text);
        };
        let give =
            Action::DelegateMailbox { account: target(account), to: to.clone(), wish: wish.id };
        if wish.stands() {
            return self.add(input, &rule.connector, account, (give, Due::AtOnce, Rule::D8));
        }
        if given(input, &rule.connector, account, give) {
            let end =
                Action::EndDelegation { account: target(account), to: to.clone(), wish: wish.id };
            self.add(input, &rule.connector, account, (end, Due::AtOnce, Rule::D8));
        }
    }

    fn keep(
        &mut self,
        input: &Departure<'_>,
        account: &ObservedAccount,
        wish: &Wish,
        (to, paths): (&UserId, &[String]),
    ) {
        let Some(rule) = &input.policy.departure.home else {
            let text = format!("no files can be kept for {to}: departure.home is not set");
            return self.explain(input, Rule::D6, text);
        };
        let archive = Action::ArchiveHome {
            account: target(account),
            home: account.home.clone(),
            uid_number: account.uid_number,
            wish: wish.id,
            paths: paths.to_vec(),
            recipient: to.clone(),
        };
        self.add(input, &rule.connector, account, (archive, Due::AtOnce, Rule::D6));
    }
}

/// Whether a wish that has ended has, or may have, been carried out in this departure.
fn given(
    input: &Departure<'_>,
    connector: &ConnectorName,
    account: &ObservedAccount,
    give: Action,
) -> bool {
    let step = Step::new(
        input.case.id,
        input.person.id,
        connector.clone(),
        give,
        super::expectation(account),
        Due::AtOnce,
        Rule::D8,
    );
    (input.journal)(step.id).is_some_and(|state| {
        state.is_done() || matches!(state, StepState::Started { .. } | StepState::Unknown { .. })
    })
}
