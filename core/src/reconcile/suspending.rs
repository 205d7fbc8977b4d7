//! What a suspension stops, and what its end gives back (S1 to S3).
//!
//! Access is shut and nothing is taken apart: no group is left, no deletion is dated, so that what was
//! shut can be opened again as it was.

use super::corroboration::corroborated;
use super::{Departure, expectation, target};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::suspension::Suspension;
use crate::facts::{Case, ConnectorName, LinkedAccount, Person, StableId, SystemRole};
use crate::guard::Finding;
use crate::journal::StepState;
use crate::observed::{ObservedAccount, Protection, Realm};
use crate::policy::Policy;
use crate::policy::access::RoleRule;
use crate::policy::departure::WorksiteClass;
use crate::report::Explanation;
use crate::step::{Action, Due, EARLIER_ATTEMPT, REPLY_LOST, Step, StepId, WAS_LOCKED};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// All that decides what one suspension stops.
pub struct Stopping<'a> {
    /// The suspension.
    pub suspension: &'a Suspension,
    /// Its case.
    pub case: &'a Case,
    /// Whose access.
    pub person: &'a Person,
    /// The accounts that the keys found, with the target they are in.
    pub accounts: &'a [(ConnectorName, ObservedAccount)],
    /// Those of them that are linked to somebody else, and to whom nothing but a number of theirs leads.
    pub of_others: &'a BTreeSet<(ConnectorName, StableId)>,
    /// The agency's rules.
    pub policy: &'a Policy,
    /// Today in the agency's zone.
    pub today: Date,
    /// What the journal has of a step.
    pub journal: &'a dyn Fn(StepId) -> Option<StepState>,
}

/// What must happen, what a person must look at, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Changes that are not under way yet.
    pub steps: Vec<Step>,
    /// For the guard.
    pub findings: Vec<Finding>,
    /// For people.
    pub explanations: Vec<Explanation>,
    /// Accounts that are now known to be the person's.
    pub links: Vec<LinkedAccount>,
    /// What could not be shut by lapsed itself: somebody has to look.
    pub doubtful: Vec<String>,
}

/// Works out what a suspension shuts. The same input gives the same steps with the same ids.
#[must_use]
pub fn stop(input: &Stopping<'_>) -> Stopped {
    let departure = as_departure(input);
    let mut out = Stopped::default();
    let covered = input.accounts.iter().filter(|(name, _)| input.suspension.covers(name));
    let mut shut_one = false;
    for (connector, account) in covered {
        out.one(input, &departure, connector, account);
        shut_one |= account.realm == Realm::Directory;
    }
    if shut_one {
        out.end_sessions(input, &departure);
    }
    if !input.accounts.iter().any(|(name, _)| input.suspension.covers(name)) {
        out.doubtful.push(
            "access of this person is to stop, and no account carries their employee number or user ID: \
             look whether there is one under another key"
                .into(),
        );
    }
    out
}

/// Whether an account is the person's is asked as for a departure.
fn as_departure<'a>(input: &'a Stopping<'a>) -> Departure<'a> {
    Departure {
        case: input.case,
        person: input.person,
        accounts: input.accounts,
        of_others: input.of_others,
        directories_read: true,
        worksite_class: WorksiteClass::Unknown,
        policy: input.policy,
        today: input.today,
        journal: input.journal,
        wishes: &[],
        by_operator: !input.suspension.is_by_machine(),
    }
}

impl Stopped {
    fn one(
        &mut self,
        input: &Stopping<'_>,
        departure: &Departure<'_>,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) {
        let shown = format!("account {} in {connector}", account.user_id);
        if let Some(Protection::Never { because }) = &account.protection {
            let text =
                format!("{shown} is never touched: {because}; shut it by hand if it must be");
            self.doubtful.push(text);
            return;
        }
        let whose = corroborated(departure, account);
        if whose.is_ok() {
            self.links.push(account.link(connector));
        }
        if !account.enabled {
            let text = format!("{shown} is shut already, by other hands than this suspension's");
            self.explain(input, text);
            return;
        }
        let action = match (account.realm, &whose) {
            (Realm::Directory, _) => Action::Disable { account: target(account) },
            (Realm::System, Ok(())) => Action::RevokeAccess { account: target(account) },
            (Realm::System, Err(because)) => {
                self.doubtful.push(format!(
                    "{shown} was left alone: {because}; look whose it is, and shut it by hand if it is theirs"
                ));
                return;
            }
        };
        if !self.add(input, connector, account, action) {
            return;
        }
        if let Some(Protection::SecondOperator { because }) = &account.protection {
            self.findings.push(Finding::Protected {
                person: input.person.id,
                account: account.user_id.to_string(),
                because: because.clone(),
            });
        }
        if let Err(because) = whose {
            self.findings.push(Finding::NotCorroborated {
                person: input.person.id,
                account: account.user_id.to_string(),
                because,
            });
        }
    }

    /// Ends sessions that are open by now, where a connector does that and nothing more: once a suspension.
    fn end_sessions(&mut self, input: &Stopping<'_>, departure: &Departure<'_>) {
        let own = input.accounts.iter().map(|(_, account)| account).find(|account| {
            account.realm == Realm::Directory && corroborated(departure, account).is_ok()
        });
        let Some(account) = own else { return };
        for connector in &input.policy.access.suspensions.end_sessions {
            if !input.suspension.covers(connector) {
                continue;
            }
            let action = Action::DisableMailbox { account: target(account) };
            let step = step(input, connector, account, action);
            if (input.journal)(step.id).is_none() {
                self.steps.push(step);
            }
        }
    }

    /// Adds a step unless it is under way.
    fn add(
        &mut self,
        input: &Stopping<'_>,
        connector: &ConnectorName,
        account: &ObservedAccount,
        action: Action,
    ) -> bool {
        let step = step(input, connector, account, action);
        let under_way = (input.journal)(step.id).is_some_and(|state| !state.has_ended());
        if !under_way {
            self.steps.push(step);
        }
        !under_way
    }

    fn explain(&mut self, input: &Stopping<'_>, text: String) {
        self.explanations.push(Explanation {
            person: input.person.id,
            case: Some(input.case.id),
            rule: input.suspension.kind.rule(),
            text,
        });
    }
}

fn step(
    input: &Stopping<'_>,
    connector: &ConnectorName,
    account: &ObservedAccount,
    action: Action,
) -> Step {
    Step::new(
        input.case.id,
        input.person.id,
        connector.clone(),
        action,
        expectation(account),
        Due::AtOnce,
        input.suspension.kind.rule(),
    )
}

/// An account that a suspension shut, and that is to be opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// Where.
    pub connector: ConnectorName,
    /// Which.
    pub account: StableId,
    /// The account's log-on name, for people.
    pub label: String,
    /// Roles that it had in a system.
    pub roles: Vec<SystemRole>,
    /// Whether it is known who shut it. Where nobody knows what an attempt to shut it did, it may have been
    /// somebody else: a person decides.
    pub is_certain: bool,
}

/// What a suspension shut and has not given back: the accounts that its own steps changed, as their
/// receipts say. What was shut already was shut by others, and stays so.
#[must_use]
pub fn debts(case: &Case, journal: &[(Step, StepState)]) -> Vec<Debt> {
    let given_back = |connector: &ConnectorName, account: &StableId| {
        journal.iter().any(|(step, state)| {
            step.action.gives()
                && state.is_done()
                && &step.connector == connector
                && &step.action.account().id == account
        })
    };
    let mut all = Vec::new();
    for (step, state) in journal {
        let evidence = shut_by(step, state);
        let account = step.action.account();
        if evidence == ShutBy::Others || given_back(&step.connector, &account.id) {
            continue;
        }
        let before =
            case.before.iter().find(|(name, a)| name == &step.connector && a.id == account.id);
        let was_open = before.is_some_and(|(_, account)| account.enabled);
        all.push(Debt {
            connector: step.connector.clone(),
            account: account.id.clone(),
            label: account.label.clone(),
            roles: before.map(|(_, a)| a.details.roles.clone()).unwrap_or_default(),
            is_certain: match evidence {
                ShutBy::Step => true,
                // It was seen open, it was to be shut, and it was shut a moment later.
                ShutBy::LostReply => was_open,
                ShutBy::Nobody | ShutBy::Others => false,
            },
        });
    }
    all
}

/// Who shut an account, as far as the journal says of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShutBy {
    /// The step.
    Step,
    /// The step, whose reply was lost.
    LostReply,
    /// Nobody knows: it was shut after an attempt that may have done it.
    Nobody,
    /// Others, or nobody at all.
    Others,
}

pub(super) fn shut_by(step: &Step, state: &StepState) -> ShutBy {
    let shuts = matches!(step.action, Action::Disable { .. } | Action::RevokeAccess { .. });
    let Some(receipt) = state.receipt().filter(|_| shuts && state.is_done()) else {
        return ShutBy::Others;
    };
    let says = |what: &str| receipt.before.contains_key(what);
    if says(WAS_LOCKED) {
        ShutBy::Others
    } else if says(REPLY_LOST) {
        ShutBy::LostReply
    } else if says(EARLIER_ATTEMPT) {
        ShutBy::Nobody
    } else {
        ShutBy::Step
    }
}

/// What is left of a debt now that the stop is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// What is still to be given back.
    pub debt: Option<Debt>,
    /// What is not given back any more and why, for people.
    pub dropped: Option<String>,
}

/// What is still owed of a debt, now that the stop is over: a form or a last day may have ended meanwhile
/// what the account was for. An account that was held for nothing else stays shut, and roles that ended are
/// not given back. What no entitlement speaks of comes back as it was.
#[must_use]
pub fn still_owed(
    mut debt: Debt,
    suspension: &Suspension,
    held: &[Entitlement],
    policy: &Policy,
) -> Owed {
    let systems = &policy.access.systems;
    let there = |one: &&Entitlement| {
        let rule = systems.get(&one.system);
        one.person == suspension.person
            && rule.is_some_and(|rule| rule.connector.as_ref() == Some(&debt.connector))
    };
    let (counting, over): (Vec<&Entitlement>, Vec<&Entitlement>) =
        held.iter().filter(there).partition(|one| one.state.counts());
    let meanwhile = |one: &&Entitlement| {
        one.state == EntitlementState::Ending
            || one.ended_at.is_some_and(|at| at >= suspension.placed_at)
    };
    let ended: Vec<&Entitlement> = over.into_iter().filter(meanwhile).collect();
    // In a directory, a system with groups is its groups, and the account is another.
    let was_the_account = |one: &&&Entitlement| {
        systems.get(&one.system).is_some_and(|rule| rule.groups.is_empty())
            && role_of(policy, one).is_none_or(|role| role.groups.is_empty())
    };
    let of_account: Vec<&Entitlement> = ended.iter().filter(was_the_account).copied().collect();
    if counting.is_empty() && !of_account.is_empty() {
        let why = why_ended(&of_account);
        let text = format!("account {} in {} stays shut: {why}", debt.label, debt.connector);
        return Owed { debt: None, dropped: Some(text) };
    }
    let names = |one: &Entitlement, role: &SystemRole| one.role.as_ref() == Some(role);
    let has_ended = |role: &SystemRole| {
        !counting.iter().any(|one| names(one, role)) && ended.iter().any(|one| names(one, role))
    };
    let (lost, kept): (Vec<SystemRole>, Vec<SystemRole>) =
        std::mem::take(&mut debt.roles).into_iter().partition(has_ended);
    let dropped = (!lost.is_empty()).then(|| {
        let of_roles: Vec<&Entitlement> =
            ended.iter().filter(|one| lost.iter().any(|role| names(one, role))).copied().collect();
        let lost: Vec<&str> = lost.iter().map(SystemRole::as_str).collect();
        let (what, why) = (lost.join(", "), why_ended(&of_roles));
        format!("account {} in {} comes back without {what}: {why}", debt.label, debt.connector)
    });
    debt.roles = kept;
    Owed { debt: Some(debt), dropped }
}

fn why_ended(ended: &[&Entitlement]) -> String {
    let one = |held: &&Entitlement| {
        let why = held.ended_because.as_deref().unwrap_or("it ended");
        format!("{} ended meanwhile ({why})", held.system)
    };
    let mut all: Vec<String> = ended.iter().map(one).collect();
    all.sort();
    all.dedup();
    all.join(", ")
}

fn role_of<'a>(policy: &'a Policy, held: &Entitlement) -> Option<&'a RoleRule> {
    policy.access.systems.get(&held.system)?.roles.get(held.role.as_ref()?)
}

/// The step that opens one account again; `None` where it is open already.
#[must_use]
pub fn give_back(suspension: &Suspension, debt: &Debt, account: &ObservedAccount) -> Option<Step> {
    if account.enabled {
        return None;
    }
    let action = match account.realm {
        Realm::Directory => Action::Enable { account: target(account) },
        Realm::System => {
            Action::GrantAccess { account: target(account), roles: debt.roles.clone() }
        }
    };
    Some(Step::new(
        suspension.case(),
        suspension.person,
        debt.connector.clone(),
        action,
        expectation(account),
        Due::AtOnce,
        suspension.kind.rule(),
    ))
}
