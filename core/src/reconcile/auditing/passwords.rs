//! How old passwords are, and whose owners may be told by the directory to change them (A9).

use super::Work;
use crate::access::finding::FindingKind;
use crate::action::{Action, Target};
use crate::citation::Rule;
use crate::facts::{CaseId, ConnectorName, Person};
use crate::observed::ObservedAccount;
use crate::standing::{Standing, standing};
use crate::step::{Due, Expect, Step};
use crate::wildcard;
use jiff::{Span, Timestamp};

/// A password that is too old, and what has it changed at the next log-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldPassword {
    /// The account as it was seen.
    pub account: ObservedAccount,
    /// The step, in a case of its own.
    pub step: Step,
}

impl Work<'_> {
    pub(super) fn password(
        &mut self,
        person: &Person,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) {
        let Some(password) = account.details.password else { return };
        let days = self.input.policy.access.accounts.password.expires_days;
        let first = self.today.checked_sub(Span::new().days(i64::from(days)));
        let changed = password.changed_at.map(|at| at.to_zoned(self.input.zone.clone()).date());
        let old = days > 0 && changed.is_some_and(|on| first.is_ok_and(|first| on < first));
        let text = match (password.never_expires, old, changed) {
            (true, ..) => format!(
                "the password of {} in {connector} never expires: take that setting off the account",
                account.user_id
            ),
            (false, true, Some(on)) => format!(
                "the password of {} in {connector} is of {on}, more than {days} days old: have it changed",
                account.user_id
            ),
            _ => return,
        };
        self.find(FindingKind::PasswordTooOld, Some(person), (connector, account), "", text);
        if let (true, false, Some(changed_at)) = (old, password.never_expires, password.changed_at)
            && self.may_be_expired(person, account)
        {
            let step = expire(person, connector, account, changed_at);
            self.out.old_passwords.push(OldPassword { account: account.clone(), step });
        }
    }

    /// Only the own account of somebody who works here and may log on: not one beside it, of a service or
    /// an administrator, nor anything of somebody who is suspended or leaves.
    fn may_be_expired(&self, person: &Person, account: &ObservedAccount) -> bool {
        let rules = &self.input.policy.access;
        let own = account.has_user_id_of(&person.user_ids());
        let mut nobodys = rules.audit.without_person.iter();
        let suspended = self.input.suspensions.iter();
        let mut suspended = suspended.filter(|s| s.person == person.id && s.stands(self.today));
        rules.accounts.password.force_change
            && own
            && account.protection.is_none()
            && !nobodys.any(|pattern| wildcard::fits(pattern, account.user_id.as_str()))
            && suspended.next().is_none()
            && standing(person, self.input.now, self.input.zone) == Standing::Employed
    }
}

fn expire(
    person: &Person,
    connector: &ConnectorName,
    account: &ObservedAccount,
    changed_at: Timestamp,
) -> Step {
    let case = CaseId::of_password(person.id, (connector, &account.id), changed_at);
    let target = Target { id: account.id.clone(), label: account.user_id.to_string() };
    let expect = Expect {
        user_id: account.user_id.clone(),
        employee_number: account.employee_number.clone(),
    };
    let action = Action::ExpirePassword { account: target, changed_at };
    Step::new(case, person.id, connector.clone(), action, expect, Due::AtOnce, Rule::A9)
}
