//! Who opens the envelope of a first password: never the one who asked for the access, nor the person (A6).

use super::{Cycle, CycleError};
use jiff::civil::Date;
use lapsed_core::access::authority::{Matter, Member, Question};
use lapsed_core::access::chain;
use lapsed_core::access::form::FiledForm;
use lapsed_core::facts::{Actor, ApproverRole, Person, UserId};
use lapsed_core::reconcile::granting::Opener;
use std::collections::{BTreeMap, BTreeSet};

impl Cycle {
    /// The one whom the configuration names; where that is the one who asked, the next in the chain of those
    /// who say yes who is another. Nobody, with the reason, where there is none.
    pub(super) async fn envelope_opener(
        &self,
        person: &Person,
        form: &FiledForm,
    ) -> Result<Result<Opener, String>, CycleError> {
        let mut matter = self.matter(&self.store.read(), &form.form, Some(person)).await?;
        matter.filed_by = Some(form.filed_by.clone());
        matter.subject.extend(form.reserved.clone());
        self.opener_for(&matter).await
    }

    /// The same for a matter that no form has asked for.
    pub(in crate::cycle::access) async fn opener_for(
        &self,
        matter: &Matter,
    ) -> Result<Result<Opener, String>, CycleError> {
        let rules = &self.config.policy.access;
        let Some(first) = &rules.accounts.handover.opener else {
            return Ok(Err("access.accounts.handover.opener names nobody".into()));
        };
        let roles = std::iter::once(first).chain(rules.chain.iter().filter(|role| *role != first));
        for role in roles {
            for user_id in self.envelope_holders_of(role, matter) {
                if may_open(&self.opener_known(&user_id).await?, matter) {
                    return Ok(Ok(Opener { user_id, mail: None }));
                }
            }
        }
        Ok(Err(format!(
            "nobody may open the envelope: {first} is not known or is the one who asked, and no other role \
             of access.chain has somebody for this location"
        )))
    }

    /// Whom HR names as supervisor goes before whom a form names: a form asserts nothing by itself.
    fn envelope_holders_of(&self, role: &ApproverRole, matter: &Matter) -> Vec<UserId> {
        let rule = self.config.policy.access.approvers.get(role);
        let is_supervisor = rule.map_or(role.as_str() == "supervisor", |rule| rule.supervisor);
        let mut all = Vec::new();
        if is_supervisor {
            all.extend(matter.supervisors.iter().cloned());
        }
        if let Some(rule) = rule {
            let here = matter.location.as_ref().and_then(|id| rule.at.get(id));
            let named = rule.users.iter().chain(here.into_iter().flatten());
            all.extend(named.filter_map(|name| UserId::new(name.clone()).ok()));
        }
        all
    }

    /// Somebody who would open an envelope, with all their names: whoever asked under another one of them
    /// is the same person.
    async fn opener_known(&self, user_id: &UserId) -> Result<Member, CycleError> {
        let theirs = self.store.read().people_by_keys(&[], std::slice::from_ref(user_id)).await?;
        Ok(Member {
            name: Actor::new(user_id.as_str()).map_err(|e| CycleError::Rule(e.to_string()))?,
            also: theirs.iter().flat_map(Person::user_ids).collect(),
            machine_groups: BTreeSet::new(),
            directory_groups: BTreeSet::new(),
            unread: Vec::new(),
            operator: false,
        })
    }
}

/// The rules of four eyes, under whatever name: where no role is asked, a form concerns only those whose own
/// it is.
fn may_open(opener: &Member, matter: &Matter) -> bool {
    let nobodys = BTreeMap::new();
    let question = Question {
        matter,
        progress: &chain::progress(Vec::new(), "", &[]),
        rules: &nobodys,
        away: &[],
        today: Date::MIN,
    };
    !question.concerns(opener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn user_id(text: &str) -> UserId {
        UserId::new(text).unwrap()
    }

    #[rstest]
    #[case::the_one_who_asked("MZJONEA", &[], false)]
    #[case::the_one_who_asked_with_a_domain("DMH\\mzjonea", &[], false)]
    #[case::the_one_who_asked_under_another_name("adm-mzjonea", &["mzjonea"], false)]
    #[case::the_one_who_filed("clerk", &[], false)]
    #[case::the_person("mzsmitj@dmh.test", &[], false)]
    #[case::a_supervisor("mzbossb", &["adm-mzbossb"], true)]
    fn an_envelope_is_opened_by_neither_the_asker_nor_the_person(
        #[case] opener: &str,
        #[case] also: &[&str],
        #[case] may: bool,
    ) {
        let matter = Matter {
            subject: vec![user_id("mzsmitj")],
            filed_by: Some(Actor::new("clerk").unwrap()),
            requested_by: Some(user_id("mzjonea")),
            ..Matter::default()
        };
        let opener = Member {
            name: Actor::new(opener).unwrap(),
            also: also.iter().map(|name| user_id(name)).collect(),
            machine_groups: BTreeSet::new(),
            directory_groups: BTreeSet::new(),
            unread: Vec::new(),
            operator: false,
        };
        assert_eq!(may_open(&opener, &matter), may);
    }
}
