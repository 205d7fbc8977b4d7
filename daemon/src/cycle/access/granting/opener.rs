//! Who opens the envelope of a first password: never the one who asked for the access, nor the person (A6).

use super::{Cycle, CycleError};
use lapsed_core::access::form::FiledForm;
use lapsed_core::facts::{ApproverRole, LocationId, Person, UserId};
use lapsed_core::reconcile::granting::{Opener, whereabouts};

impl Cycle {
    /// The one whom the configuration names; where that is the one who asked, the next in the chain of those
    /// who say yes who is another. Nobody, with the reason, where there is none.
    pub(super) async fn envelope_opener(
        &self,
        person: &Person,
        form: &FiledForm,
    ) -> Result<Result<Opener, String>, CycleError> {
        let rules = &self.config.policy.access;
        let Some(first) = &rules.accounts.handover.opener else {
            return Ok(Err("access.accounts.handover.opener names nobody".into()));
        };
        let place = whereabouts(person, std::slice::from_ref(form), Some(form.number)).location;
        let roles = std::iter::once(first).chain(rules.chain.iter().filter(|role| *role != first));
        for role in roles {
            for user_id in self.envelope_holders_of(role, person, form, place.as_ref()).await? {
                if may_open(&user_id, person, form) {
                    return Ok(Ok(Opener { user_id, mail: None }));
                }
            }
        }
        Ok(Err(format!(
            "nobody may open the envelope: {first} is not known or is the one who asked, and no other role \
             of access.chain has somebody for this location"
        )))
    }

    async fn envelope_holders_of(
        &self,
        role: &ApproverRole,
        person: &Person,
        form: &FiledForm,
        location: Option<&LocationId>,
    ) -> Result<Vec<UserId>, CycleError> {
        let rule = self.config.policy.access.approvers.get(role);
        let is_supervisor = rule.map_or(role.as_str() == "supervisor", |rule| rule.supervisor);
        let mut all = Vec::new();
        if is_supervisor {
            all.extend(self.envelope_supervisor_of(person, form).await?);
        }
        if let Some(rule) = rule {
            let here = location.and_then(|id| rule.at.get(id));
            let named = rule.users.iter().chain(here.into_iter().flatten());
            all.extend(named.filter_map(|name| UserId::new(name.clone()).ok()));
        }
        Ok(all)
    }

    /// The supervisor's log-on name: what the form says, or the account of the one whom HR names.
    async fn envelope_supervisor_of(
        &self,
        person: &Person,
        form: &FiledForm,
    ) -> Result<Vec<UserId>, CycleError> {
        if let Some(stated) = &form.form.person.supervisor {
            return Ok(vec![stated.clone()]);
        }
        let Some(number) = person.engagements.iter().rev().find_map(|e| e.supervisor.clone())
        else {
            return Ok(Vec::new());
        };
        let found = self.store.read().people_by_keys(&[number], &[]).await?;
        Ok(match found.as_slice() {
            [one] => one.accounts.iter().map(|account| account.user_id.clone()).collect(),
            // Of two people with one number neither is asked.
            _ => Vec::new(),
        })
    }
}

fn may_open(user_id: &UserId, person: &Person, form: &FiledForm) -> bool {
    let same = |other: &str| other.to_lowercase() == user_id.folded();
    let asked = form.form.requested_by.as_ref().is_some_and(|by| same(by.as_str()));
    let is_theirs = person.user_ids().iter().any(|own| same(own.as_str()));
    !asked && !is_theirs && !same(form.filed_by.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapsed_core::facts::{Actor, PersonId};
    use rstest::rstest;

    fn user_id(text: &str) -> UserId {
        UserId::new(text).unwrap()
    }

    fn form() -> FiledForm {
        let form = serde_json::json!({
            "form": "staff_access", "version": 1, "id": uuid::Uuid::from_u128(1), "asks": "new",
            "person": {}, "requested_by": "mzjonea",
        });
        FiledForm {
            number: 1,
            form: serde_json::from_value(form).unwrap(),
            hash: String::new(),
            person: PersonId(uuid::Uuid::from_u128(2)),
            filed_by: Actor::new("clerk").unwrap(),
            filed_at: jiff::Timestamp::UNIX_EPOCH,
            state: lapsed_core::access::form::FormState::Approved,
            ended_because: None,
            reserved: Some(user_id("mzsmitj")),
            reminders: 0,
            told_on: None,
        }
    }

    #[rstest]
    #[case::the_one_who_asked("MZJONEA", false)]
    #[case::the_one_who_filed("clerk", false)]
    #[case::the_person("mzsmitj", false)]
    #[case::a_supervisor("mzbossb", true)]
    fn an_envelope_is_opened_by_neither_the_asker_nor_the_person(
        #[case] opener: &str,
        #[case] may: bool,
    ) {
        let mut person = Person::new(PersonId(uuid::Uuid::from_u128(2)));
        person.other_user_ids.push(user_id("mzsmitj"));
        assert_eq!(may_open(&user_id(opener), &person, &form()), may);
    }
}
