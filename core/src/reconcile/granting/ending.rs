//! What ends is taken away, and no more than what nothing else gives (A1, D11).

use super::{Work, expectation, target};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::FiledForm;
use crate::citation::Rule;
use crate::facts::ConnectorName;
use crate::observed::{GroupKind, GroupLink, ObservedAccount};
use crate::step::{Action, Target};

impl<'a> Work<'a> {
    pub(super) fn end_in_directory(
        &mut self,
        connector: &ConnectorName,
        account: &'a ObservedAccount,
        held: &[&'a Entitlement],
    ) -> Result<(), String> {
        let mut kept = Vec::new();
        for other in held.iter().filter(|e| e.state.counts()) {
            kept.extend(self.groups_of(other)?.into_iter().map(|name| name.folded()));
        }
        let nothing_counts = held.iter().all(|e| !e.state.counts());
        for ending in held.iter().filter(|e| e.state == EntitlementState::Ending) {
            let groups = self.groups_of(ending)?;
            let is_account = groups.is_empty();
            let leaving: Vec<&GroupLink> = account
                .groups
                .iter()
                .filter(|link| {
                    let name = link.name.to_lowercase();
                    groups.iter().any(|group| group.folded() == name) && !kept.contains(&name)
                })
                .filter(|link| link.kind != GroupKind::DefaultPrimary)
                .collect();
            let to_shut = is_account && nothing_counts && account.enabled;
            if leaving.is_empty() && !to_shut {
                self.out.ended.insert(ending.id);
                continue;
            }
            let Some(form) = self.case_or_doubt(ending) else { continue };
            if !self.may_touch(form, account) {
                continue;
            }
            for link in leaving {
                self.leave(form, connector, account, link, Rule::A1);
            }
            if to_shut {
                let shut = Action::Disable { account: target(account) };
                self.seen_step(form, connector, (shut, expectation(account), Rule::A1));
            }
        }
        Ok(())
    }

    /// What nobody's form ended, of what nobody's form gave, has no case: a person has to see to it.
    pub(super) fn case_or_doubt(&mut self, ending: &Entitlement) -> Option<&'a FiledForm> {
        let form = self.ending_form(ending);
        if form.is_none() {
            self.out.stuck = true;
            self.out.doubtful.insert(format!(
                "{} is to end, and no form says so: have a form `change` filed that takes it away",
                ending.system
            ));
        }
        form
    }

    pub(super) fn leave(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
        link: &GroupLink,
        rule: Rule,
    ) {
        if link.kind == GroupKind::OtherPrimary {
            let reset = Action::ResetPrimaryGroup { account: target(account) };
            self.seen_step(form, connector, (reset, expectation(account), rule));
        }
        let group = Target { id: link.id.clone(), label: link.name.clone() };
        let leave = Action::LeaveGroup { account: target(account), group };
        self.seen_step(form, connector, (leave, expectation(account), rule));
    }
}
