//! What a mistaken departure took, put back from what was kept of it, where that is still right (D10).
//!
//! Only a departure that its own source took back, or moved to a later day, can be restored; who is hired
//! again comes back by a form. Each thing that can't be put back is said with its reason, and nothing is
//! guessed: an account, a group or a text that others have changed since stays as they left it. The same
//! input gives the same steps with the same ids, and a second look after all of them gives none.

mod accounts;
mod elsewhere;
mod held;

pub use held::{comes_back, no_longer_held};

use super::granting::{KnownGroups, Opener};
use super::{expectation, target};
use crate::citation::Rule;
use crate::facts::{
    Case, CaseId, CaseState, ConnectorName, GroupName, Person, StableId, SystemRole,
};
use crate::guard::Finding;
use crate::journal::StepState;
use crate::observed::{ObservedAccount, Protection};
use crate::standing::Standing;
use crate::step::{Action, Due, Step, StepId};
use std::collections::{BTreeMap, BTreeSet};

/// One step of the departure, with what the journal has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The step.
    pub step: Step,
    /// Where it stands.
    pub state: StepState,
    /// It was tried at least once.
    pub begun: bool,
}

/// What can be done where, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Targets that could not be read.
    pub unread: BTreeSet<ConnectorName>,
    /// Targets where the person's access is stopped by a suspension (S1, S2).
    pub suspended: BTreeSet<ConnectorName>,
    /// Systems that can be asked to give access.
    pub grants: BTreeSet<ConnectorName>,
    /// Mail servers that can be asked to end delegations.
    pub delegates: BTreeSet<ConnectorName>,
}

/// Access that ended for another reason than the departure: it does not come back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoLongerHeld {
    /// Groups by directory and folded name, with the reason.
    pub groups: BTreeMap<(ConnectorName, String), String>,
    /// Roles by system's connector, with the reason.
    pub roles: BTreeMap<(ConnectorName, SystemRole), String>,
}

/// All that decides what is put back.
pub struct Restoring<'a> {
    /// The departure.
    pub departure: &'a Case,
    /// Whose.
    pub person: &'a Person,
    /// The case of putting back.
    pub case: CaseId,
    /// What the departure did.
    pub taken: &'a [Taken],
    /// The person's accounts as they are.
    pub accounts: &'a [(ConnectorName, ObservedAccount)],
    /// The groups that were left, as far as they were found by their names ([`groups_left`]).
    pub groups: &'a KnownGroups,
    /// What can be done where.
    pub targets: &'a Targets,
    /// What ended for another reason.
    pub ended: &'a NoLongerHeld,
    /// Who opens the envelope of a new first password, or why nobody may.
    pub opener: &'a Result<Opener, String>,
    /// What the journal has of a step of this case.
    pub journal: &'a dyn Fn(StepId) -> Option<StepState>,
}

/// One thing that is not put back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotRestored {
    /// What.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// What is put back, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Changes that are not in the journal yet.
    pub steps: Vec<Step>,
    /// What can't be put back.
    pub not_restored: Vec<NotRestored>,
    /// What else the one who consents has to know.
    pub notes: Vec<String>,
    /// For whoever consents: protected accounts.
    pub findings: Vec<Finding>,
}

/// Why a departure can't be restored at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The notice stands.
    #[error(
        "the notice of this departure stands; its own source has to take it back first (D10): HR by its file, \
         an operator by `lapsed depart --withdraw`"
    )]
    NoticeStands,
    /// Hired again.
    #[error("the person was hired again: access comes back by an approved form (D10)")]
    HiredAgain,
    /// A later departure is in effect.
    #[error("the person has departed anew since; nothing is given to them")]
    DepartedAnew,
    /// Another departure came after it, and was not taken back.
    #[error(
        "a later departure of the person was not taken back: access comes back by an approved form (D10)"
    )]
    NotTheLatest,
    /// It took nothing.
    #[error("this departure took nothing: there is nothing to put back")]
    TookNothing,
}

/// Whether what a departure took may be put back at all. `later` are the states of
/// the person's later departures.
///
/// # Errors
/// The rule that forbids it.
pub fn may_restore(
    departure: &Case,
    later: &[CaseState],
    standing: &Standing,
) -> Result<(), Refusal> {
    if later.iter().any(|state| *state != CaseState::Withdrawn) {
        return Err(Refusal::NotTheLatest);
    }
    match (departure.state, standing) {
        (CaseState::Withdrawn, Standing::Left(_)) => Err(Refusal::DepartedAnew),
        (
            CaseState::Withdrawn | CaseState::Scheduled,
            Standing::Employed | Standing::Leaving(_),
        ) => Ok(()),
        (CaseState::Rehired, _) => Err(Refusal::HiredAgain),
        _ => Err(Refusal::NoticeStands),
    }
}

/// The groups that were left, by directory: what has to be looked up by name before [`restore`].
#[must_use]
pub fn groups_left(taken: &[Taken]) -> BTreeMap<ConnectorName, BTreeSet<GroupName>> {
    let mut all: BTreeMap<ConnectorName, BTreeSet<GroupName>> = BTreeMap::new();
    for one in taken {
        if let Action::LeaveGroup { group, .. } = &one.step.action
            && let Ok(name) = GroupName::new(group.label.clone())
        {
            all.entry(one.step.connector.clone()).or_default().insert(name);
        }
    }
    all
}

/// Works out what is put back.
#[must_use]
pub fn restore(input: &Restoring<'_>) -> Restored {
    let mut work = Work { input, out: Restored::default() };
    work.under_way();
    let mut seen: BTreeSet<(&ConnectorName, &StableId)> = BTreeSet::new();
    for one in input.taken.iter().filter(|one| one.state.is_done()) {
        let account = &one.step.action.account().id;
        if is_on_account(&one.step.action) && seen.insert((&one.step.connector, account)) {
            work.account(&one.step.connector, account);
        }
    }
    work.elsewhere();
    work.out.not_restored.sort();
    work.out.not_restored.dedup();
    work.out
}

/// What is undone on the very account that a directory or system shows.
fn is_on_account(action: &Action) -> bool {
    matches!(
        action,
        Action::Disable { .. }
            | Action::StampDescription { .. }
            | Action::ScramblePassword { .. }
            | Action::ResetPrimaryGroup { .. }
            | Action::LeaveGroup { .. }
            | Action::RevokeAccess { .. }
    )
}

struct Work<'a> {
    input: &'a Restoring<'a>,
    out: Restored,
}

impl<'a> Work<'a> {
    fn not(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.out.not_restored.push(NotRestored { what: what.into(), why: why.into() });
    }

    /// The account as the departure found it.
    fn before(&self, connector: &ConnectorName, account: &StableId) -> Option<&'a ObservedAccount> {
        let all = self.input.departure.before.iter();
        all.filter(|(name, _)| name == connector).map(|(_, a)| a).find(|a| &a.id == account)
    }

    /// The account as it is.
    fn now(&self, connector: &ConnectorName, account: &StableId) -> Option<&'a ObservedAccount> {
        let all = self.input.accounts.iter();
        all.filter(|(name, _)| name == connector).map(|(_, a)| a).find(|a| &a.id == account)
    }

    /// The departure's own steps on one account that are done, in the order of their ranks.
    fn done_to(&self, connector: &ConnectorName, account: &StableId) -> Vec<&'a Taken> {
        let theirs = |one: &&Taken| {
            &one.step.connector == connector
                && &one.step.action.account().id == account
                && one.state.is_done()
        };
        self.input.taken.iter().filter(theirs).collect()
    }

    /// What nobody knows yet can't be put back.
    fn under_way(&mut self) {
        for one in self.input.taken {
            if matches!(one.state, StepState::Started { .. } | StepState::Unknown { .. }) {
                self.not(
                    format!("what \"{}\" changed", one.step.action.describe()),
                    "the departure's step is still under way; ask again in a minute",
                );
            }
        }
    }

    /// Adds a step unless it is under way, or done once and for all.
    fn add(
        &mut self,
        connector: &ConnectorName,
        account: &ObservedAccount,
        action: Action,
        rule: Rule,
    ) {
        let once = action.is_once();
        let step = Step::new(
            self.input.case,
            self.input.person.id,
            connector.clone(),
            action,
            expectation(account),
            Due::AtOnce,
            rule,
        );
        let known = (self.input.journal)(step.id);
        let settled = known.is_some_and(|state| !state.has_ended() || (once && state.is_done()));
        if !settled {
            self.out.steps.push(step);
        }
    }

    /// Whether the account may be touched; a protected one needs a second pair of eyes.
    fn may_touch(&mut self, account: &ObservedAccount, shown: &str) -> bool {
        match &account.protection {
            Some(Protection::Never { because }) => {
                self.not(shown, format!("it is never touched: {because}; mend it by hand"));
                false
            }
            Some(Protection::SecondOperator { because }) => {
                self.out.findings.push(Finding::Protected {
                    person: self.input.person.id,
                    account: account.user_id.to_string(),
                    because: because.clone(),
                });
                true
            }
            None => true,
        }
    }
}
