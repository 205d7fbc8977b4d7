//! Who may file which form: a form asserts nothing by itself, its filer does (A1, A2, D1).

use super::authority::{Account, GroupsAsked};
use super::filing::{FilingError, Submission};
use super::{Cycle, CycleError};
use crate::store::Reader;
use jiff::civil::Date;
use lapsed_core::access::authority::{Member, Question};
use lapsed_core::access::chain::Progress;
use lapsed_core::access::check::FormProblem;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Actor, ApproverRole, Notice, Person, SourceName};
use std::collections::BTreeSet;

/// Whose word a form is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filer {
    /// The account on this machine.
    pub account: Account,
    /// Their forms count where no rule names roles: a caller of the command, or an account that
    /// `inbox.forms.from` names.
    pub counts: bool,
}

impl Cycle {
    /// The filer, with their groups in the directories only where a role decides on who may file.
    pub(super) async fn filing_member(
        &self,
        given: &Submission,
        asked: &mut GroupsAsked,
    ) -> Result<Member, CycleError> {
        let (form, account) = (&given.form, &given.filer.account);
        let rule = self.config.policy.access.forms.get(&form.form);
        let by_role = rule.and_then(|rule| rule.filed_by.get(&form.asks));
        if by_role.is_some_and(|roles| !roles.is_empty()) {
            return self.member(account, asked).await;
        }
        Ok(Member {
            name: account.name.clone(),
            also: Vec::new(),
            machine_groups: account.groups.clone(),
            directory_groups: BTreeSet::new(),
            unread: Vec::new(),
            operator: account.operator,
        })
    }

    /// The role that lets the filer file a form; `None` where none was needed.
    pub(super) async fn may_file(
        &self,
        read: &Reader<'_>,
        (given, member): (&Submission, &Member),
        person: Option<&Person>,
        today: Date,
    ) -> Result<Result<Option<String>, FormProblem>, FilingError> {
        let (form, filer) = (&given.form, &given.filer);
        let name = &member.name;
        let access = &self.config.policy.access;
        let Some(rule) = access.forms.get(&form.form) else { return Ok(Ok(None)) };
        let problem = |problem: String, advice: String| FormProblem {
            field: "form".into(),
            rule: Rule::A1,
            problem,
            advice,
        };
        let roles = rule.filed_by.get(&form.asks).map(Vec::as_slice).unwrap_or_default();
        if let Some(role) = self.held_of(read, (given, member), person, roles, today).await? {
            return Ok(Ok(Some(role.to_string())));
        }
        if member.operator {
            return Ok(Ok(None));
        }
        let asks = form.asks.name();
        if !roles.is_empty() {
            let titles: Vec<String> = roles.iter().map(|role| self.title_of_role(role)).collect();
            let titles = titles.join(" or ");
            let text = format!("that asks for {asks} is not {name}'s to file for this person");
            let unread = match member.unread.first() {
                Some(why) => format!("; their groups are not all known now, since {why}"),
                None => String::new(),
            };
            let advice = format!("have it filed by: {titles}, or by an operator{unread}");
            return Ok(Err(problem(text, advice)));
        }
        // What takes effect without approvals is nobody's to file by a form that names no role.
        if !form.asks.gives() {
            let text = format!(
                "that asks for {asks} takes effect without approvals, and no rule says who may file it"
            );
            let key = format!("access.forms.{}.filed_by.{asks}", form.form);
            return Ok(Err(problem(
                text,
                format!("have an operator file it, or name roles under {key}"),
            )));
        }
        if filer.counts {
            return Ok(Ok(None));
        }
        let text = format!("was filed by {name}, whose files do not count");
        let advice = "have an operator put it there, or name the account under inbox.forms.from";
        Ok(Err(problem(text, advice.into())))
    }

    fn title_of_role(&self, role: &ApproverRole) -> String {
        let rule = self.config.policy.access.approvers.get(role);
        let title = rule.map(|rule| rule.title.clone()).filter(|title| !title.is_empty());
        title.unwrap_or_else(|| role.to_string())
    }

    /// The first of some roles that the filer has for the form's person.
    async fn held_of<'r>(
        &self,
        read: &Reader<'_>,
        (given, member): (&Submission, &Member),
        person: Option<&Person>,
        roles: &'r [ApproverRole],
        today: Date,
    ) -> Result<Option<&'r ApproverRole>, FilingError> {
        if roles.is_empty() {
            return Ok(None);
        }
        let mut matter = self.matter(read, &given.form, person).await?;
        matter.filed_by = Some(member.name.clone());
        let progress = Progress { parts: Vec::new(), counted: Vec::new() };
        let rules = &self.config.policy.access.approvers;
        let question = Question { matter: &matter, progress: &progress, rules, away: &[], today };
        Ok(roles.iter().find(|role| question.holds(member, role)))
    }
}

/// By what a notice came that a form gave.
pub(super) fn brought_by(number: u64, filer: &Actor) -> String {
    format!("form {number}, by {filer}")
}

/// Who filed the form that gave a notice; `None` where it was no form.
pub(crate) fn filer_of(notice: &Notice) -> Option<&str> {
    let is_of_form = notice.source.as_str().starts_with(SourceName::OF_FORMS);
    is_of_form.then(|| notice.brought_by.split_once(", by ").map(|(_, filer)| filer)).flatten()
}
