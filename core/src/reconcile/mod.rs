//! Facts, policy and what is observed give the changes that a departure asks for (D2, D3, D6, D7).

pub mod auditing;
mod corroboration;
mod elsewhere;
pub mod granting;
pub mod restoring;
pub mod suspending;
mod wished;

use crate::citation::Rule;
use crate::facts::{Case, ConnectorName, LinkedAccount, Person, StableId};
use crate::guard::Finding;
use crate::journal::StepState;
use crate::observed::{GroupKind, ObservedAccount, Protection, Realm};
use crate::policy::Policy;
use crate::policy::departure::{self, Dated, WorksiteClass};
use crate::report::Explanation;
use crate::step::{ANSWERED_NO, Action, Due, Expect, Step, StepId, Target};
use crate::wishes::Wish;
use corroboration::{corroborated, is_linked};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// All that decides one departure.
pub struct Departure<'a> {
    /// The case.
    pub case: &'a Case,
    /// Whose.
    pub person: &'a Person,
    /// The accounts that the keys found, with the target they are in.
    pub accounts: &'a [(ConnectorName, ObservedAccount)],
    /// Those of them that are linked to somebody else, and to whom nothing but a number of theirs leads.
    pub of_others: &'a BTreeSet<(ConnectorName, StableId)>,
    /// Whether every directory answered. What only the lack of an account in them tells is not told else.
    pub directories_read: bool,
    /// Central office, facility or unknown; the frozen one where the case has it.
    pub worksite_class: WorksiteClass,
    /// The agency's rules.
    pub policy: &'a Policy,
    /// Today in the agency's zone.
    pub today: Date,
    /// What the journal has of a step.
    pub journal: &'a dyn Fn(StepId) -> Option<StepState>,
    /// What is wished of the person's things, ended wishes too: what was given has to be taken back.
    pub wishes: &'a [Wish],
    /// Whether the notice was given with an operator's authority, who named the person himself.
    pub by_operator: bool,
}

/// What must happen, what a person must look at, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Changes that are not in the journal yet.
    pub steps: Vec<Step>,
    /// For the guard.
    pub findings: Vec<Finding>,
    /// For people.
    pub explanations: Vec<Explanation>,
    /// Accounts that are now known to be the person's.
    pub links: Vec<LinkedAccount>,
    /// Accounts of systems that only the key says are the person's: somebody has to look (D1, D4).
    pub doubtful: Vec<String>,
    /// True when every account of a directory is shut already: the clocks start today.
    pub all_shut: bool,
}

/// Works out the changes of one departure. The same input gives the same steps with the same ids.
///
/// An error is a template or calendar of the policy that does not work, as a sentence for people.
pub fn departure(input: &Departure<'_>) -> Result<Reconciled, String> {
    let mut out = Reconciled { all_shut: true, ..Reconciled::default() };
    if input.accounts.is_empty() {
        out.all_shut = false;
        out.explain(
            input,
            Rule::D1,
            "no account carries the person's employee number or user ID".into(),
        );
        return Ok(out);
    }
    for (connector, account) in input.accounts {
        if account.realm == Realm::System {
            out.revoke(input, connector, account);
            continue;
        }
        if let Some(Protection::Never { because }) = &account.protection {
            out.explain(
                input,
                Rule::D2,
                format!(
                    "account {} is never touched: {because}; shut it by hand if it must be",
                    account.user_id
                ),
            );
            continue;
        }
        let before = out.steps.len();
        out.shut(input, connector, account)?;
        out.leave_groups(input, connector, account);
        // Of an account that nothing is done to, there is nothing to decide.
        if out.steps.len() > before {
            out.judge(input, account);
        }
        // What only the key says is not written down as the person's: the key may be mistyped.
        if corroborated(input, account).is_ok() {
            out.links.push(account.link(connector));
        }
    }
    let directories = || input.accounts.iter().filter(|(_, a)| a.realm == Realm::Directory);
    if !directories().any(|(_, account)| touchable(account)) {
        out.all_shut = false;
        if directories().next().is_none() && input.directories_read {
            out.only_systems(input);
        }
        return Ok(out);
    }
    if let Some(account) = own_account(input, &out.findings) {
        out.disable_mailbox(input, account);
        out.wished(input, account);
        out.schedule_deletions(input, account)?;
        out.request(input, account);
    } else if out.all_shut && !is_planned_by_release(input)? {
        out.doubtful.push(
            "every account is shut, and none agrees with the notice in name and number: mailbox, home directory \
             and requests to others were not planned; look whose the account is"
                .into(),
        );
    }
    out.delete_accounts(input)?;
    Ok(out)
}

/// The account on which mailbox and home hang: the person's own, not an `adm-` one beside it. One that
/// only the key points to counts where there is no other and the plan waits for a person's look anyway. Of
/// several it is always the same one, in whatever order a directory answers: another one in the next round
/// would have another mailbox and home deleted.
fn own_account<'a>(input: &Departure<'a>, findings: &[Finding]) -> Option<&'a ObservedAccount> {
    let agrees = |account: &ObservedAccount| corroborated(input, account).is_ok();
    first_own(input, agrees).or_else(|| first_own(input, |_| !findings.is_empty()))
}

fn first_own<'a>(
    input: &Departure<'a>,
    counts: impl Fn(&ObservedAccount) -> bool,
) -> Option<&'a ObservedAccount> {
    let own = input.accounts.iter().filter(|(_, account)| {
        account.realm == Realm::Directory && touchable(account) && !is_linked(input, account)
    });
    let order = |(connector, account): &&(ConnectorName, ObservedAccount)| {
        (connector.clone(), account.user_id.folded(), account.id.clone())
    };
    own.filter(|(_, account)| counts(account)).min_by_key(order).map(|(_, account)| account)
}

/// Whether a person has released what follows for an account that only the key points to.
fn is_planned_by_release(input: &Departure<'_>) -> Result<bool, String> {
    let Some(account) = first_own(input, |_| true) else { return Ok(false) };
    let mut would_be = Reconciled::default();
    would_be.schedule_deletions(&Departure { journal: &|_| None, ..*input }, account)?;
    Ok(would_be.steps.iter().any(|step| (input.journal)(step.id).is_some()))
}

/// The person's own account in the directory whose attributes disable the mailbox (Exchange): another
/// directory's account means nothing there.
fn own_account_in<'a>(
    input: &Departure<'a>,
    connector: &ConnectorName,
) -> Option<&'a ObservedAccount> {
    let there = input.accounts.iter().filter(|(name, _)| name == connector);
    let own = there.map(|(_, account)| account).filter(|account| {
        account.realm == Realm::Directory
            && touchable(account)
            && !is_linked(input, account)
            && corroborated(input, account).is_ok()
    });
    own.min_by_key(|account| (account.user_id.folded(), account.id.clone()))
}

fn touchable(account: &ObservedAccount) -> bool {
    !matches!(account.protection, Some(Protection::Never { .. }))
}

fn target(account: &ObservedAccount) -> Target {
    Target { id: account.id.clone(), label: account.user_id.to_string() }
}

fn expectation(account: &ObservedAccount) -> Expect {
    Expect { user_id: account.user_id.clone(), employee_number: account.employee_number.clone() }
}

impl Reconciled {
    fn explain(&mut self, input: &Departure<'_>, rule: Rule, text: String) {
        self.explanations.push(Explanation {
            person: input.person.id,
            case: Some(input.case.id),
            rule,
            text,
        });
    }

    fn judge(&mut self, input: &Departure<'_>, account: &ObservedAccount) {
        if let Some(Protection::SecondOperator { because }) = &account.protection {
            self.findings.push(Finding::Protected {
                person: input.person.id,
                account: account.user_id.to_string(),
                because: because.clone(),
            });
        }
        if let Err(because) = corroborated(input, account) {
            self.findings.push(Finding::NotCorroborated {
                person: input.person.id,
                account: account.user_id.to_string(),
                because,
            });
        }
    }

    /// Adds a step unless the journal has it under way, or has made a deletion that can't be made twice.
    fn add(
        &mut self,
        input: &Departure<'_>,
        connector: &ConnectorName,
        account: &ObservedAccount,
        (action, due, rule): (Action, Due, Rule),
    ) {
        let expect = expectation(account);
        let once = action.is_once();
        let step =
            Step::new(input.case.id, input.person.id, connector.clone(), action, expect, due, rule);
        let known = (input.journal)(step.id);
        let settled =
            known.as_ref().is_some_and(|state| !state.has_ended() || (once && is_settled(state)));
        if !settled {
            self.steps.push(step);
        }
    }

    fn shut(
        &mut self,
        input: &Departure<'_>,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> Result<(), String> {
        if !account.enabled {
            self.explain(input, Rule::D2, format!("account {} is shut already", account.user_id));
            return Ok(());
        }
        self.all_shut = false;
        let rules = &input.policy.departure;
        let at = target(account);
        let disable = Action::Disable { account: at.clone() };
        self.add(input, connector, account, (disable, Due::AtOnce, Rule::D2));
        if !rules.stamp.is_empty() {
            let text =
                departure::stamp_text(&rules.stamp, input.today, input.case.id, &account.user_id)
                    .map_err(|e| e.to_string())?;
            let stamp = Action::StampDescription { account: at.clone(), text };
            self.add(input, connector, account, (stamp, Due::AtOnce, Rule::D2));
        }
        if rules.scramble_password {
            let scramble = Action::ScramblePassword { account: at };
            self.add(input, connector, account, (scramble, Due::AtOnce, Rule::D2));
        }
        Ok(())
    }

    fn leave_groups(
        &mut self,
        input: &Departure<'_>,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) {
        for group in &account.groups {
            let at = target(account);
            match group.kind {
                GroupKind::DefaultPrimary => continue,
                GroupKind::OtherPrimary => {
                    let reset = Action::ResetPrimaryGroup { account: at.clone() };
                    self.add(input, connector, account, (reset, Due::AtOnce, Rule::D3));
                }
                GroupKind::Security | GroupKind::Distribution | GroupKind::Plain => {}
            }
            let leave = Action::LeaveGroup {
                account: at,
                group: Target { id: group.id.clone(), label: group.name.clone() },
            };
            self.add(input, connector, account, (leave, Due::AtOnce, Rule::D3));
        }
    }

    /// Ends mail sessions once in a case, and again whenever the account has to be shut again: nothing
    /// that is observed says whether it was done.
    fn disable_mailbox(&mut self, input: &Departure<'_>, account: &ObservedAccount) {
        let Some(rule) = &input.policy.departure.mailbox else { return };
        if !rule.disable_at_once {
            return;
        }
        let account = own_account_in(input, &rule.connector).unwrap_or(account);
        let before = self.steps.len();
        let action = Action::DisableMailbox { account: target(account) };
        self.add(input, &rule.connector, account, (action, Due::AtOnce, Rule::D7));
        if !account.enabled {
            let known = |step: &Step| (input.journal)(step.id).is_some();
            let added = self.steps.split_off(before);
            self.steps.extend(added.into_iter().filter(|step| !known(step)));
        }
    }

    /// The clocks run from the day of disabling.
    fn schedule_deletions(
        &mut self,
        input: &Departure<'_>,
        account: &ObservedAccount,
    ) -> Result<(), String> {
        let from = input.case.disabled_on.unwrap_or(input.today);
        for (connector, action, rule, dated) in
            deletions(input.policy, from, input.worksite_class, &target(account))?
        {
            let due = Due::On { date: dated.date, reason: dated.reason };
            let action = match action {
                Action::DeleteHome { account: at, .. } => Action::DeleteHome {
                    account: at,
                    home: account.home.clone(),
                    uid_number: account.uid_number,
                },
                other => other,
            };
            self.add(input, &connector, account, (action, due, rule));
        }
        Ok(())
    }
}

/// A deletion: its connector, what it does, the rule, and its date with the reason.
pub type Deletion = (ConnectorName, Action, Rule, Dated);

/// The deletions that follow an account shut on `from`, each with its date and the reason (D6, D7).
pub fn deletions(
    policy: &Policy,
    from: Date,
    class: WorksiteClass,
    account: &Target,
) -> Result<Vec<Deletion>, String> {
    let mut all = Vec::new();
    if let Some(rule) = &policy.departure.mailbox {
        let due = departure::mailbox_deletion(from, rule, &policy.work_days)
            .map_err(|e| e.to_string())?;
        let action = Action::DeleteMailbox { account: account.clone() };
        all.push((rule.deleter().clone(), action, Rule::D7, due));
    }
    if let Some(rule) = &policy.departure.home {
        let due = departure::home_deletion(from, class, rule).map_err(|e| e.to_string())?;
        let action = Action::DeleteHome { account: account.clone(), home: None, uid_number: None };
        all.push((rule.connector.clone(), action, Rule::D6, due));
    }
    Ok(all)
}

/// Made, or answered with No by those who were asked: neither is begun once more by itself.
fn is_settled(state: &StepState) -> bool {
    state.is_done()
        || matches!(state, StepState::Refused { cause } if cause.code.as_deref() == Some(ANSWERED_NO))
}
