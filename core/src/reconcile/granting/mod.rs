//! What approved forms give, and what ends: held against what the targets show (A1, A3, N7, D10, D11).
//!
//! Level-triggered: each look works out what is missing now. No account is there: it is made, shut. It is
//! there: groups, home, mailbox. All of that is there: a first password, and last of all the account is
//! opened. A crash between any two of these leaves nothing that the next look does not go on with.

mod directory;
mod ending;
mod forms;
mod groups;
mod hidden;
mod moving;
mod others;
mod ownership;
mod place;
mod shut;

pub use forms::ended_by_move;
pub(super) use groups::groups_of;
pub use groups::{KnownGroups, wanted_groups};
pub use moving::rename_request;
pub use place::{Whereabouts, whereabouts};
pub use shut::{Accounts as ShutHere, shut_here};

use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::{Asks, FiledForm, FormState};
use crate::citation::Rule;
use crate::facts::{CaseId, ConnectorName, LinkedAccount, Person, StableId, UserId};
use crate::guard::Finding;
use crate::journal::StepState;
use crate::observed::{ObservedAccount, Protection, Realm};
use crate::policy::Policy;
use crate::report::Explanation;
use crate::step::{Action, Due, Expect, Step, StepId, Target};
use jiff::civil::Date;
use ownership::Ownership;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What a target can be asked to do, as far as it matters here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// It is a directory, whose accounts are the person's.
    pub directory: bool,
    /// It makes accounts.
    pub creates: bool,
    /// It is a system that sets first passwords; a directory always does.
    pub sets_passwords: bool,
    /// It gives access to accounts, with roles.
    pub grants: bool,
    /// It renames accounts; never a mainframe.
    pub renames: bool,
    /// It makes homes.
    pub makes_homes: bool,
    /// It moves homes.
    pub moves_homes: bool,
    /// It makes mailboxes.
    pub makes_mailboxes: bool,
    /// It brings mailboxes over.
    pub moves_mailboxes: bool,
    /// It was read whole in this round.
    pub readable: bool,
}

/// Who opens a first password's envelope (A6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opener {
    /// Log-on name.
    pub user_id: UserId,
    /// Mail address, where one is known.
    pub mail: Option<String>,
}

/// What else is known of one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormFacts {
    /// The mail address that is set apart for the account.
    pub mail: Option<String>,
    /// Who opens its envelopes, or why nobody may.
    pub opener: Result<Opener, String>,
    /// The person's accounts as they were when its case began.
    pub before: Vec<(ConnectorName, ObservedAccount)>,
}

/// All that decides what is given to one person.
pub struct Granting<'a> {
    /// Who.
    pub person: &'a Person,
    /// All of the person's forms, by their numbers.
    pub forms: &'a [FiledForm],
    /// What else is known of those that are being carried out, by number.
    pub facts: &'a BTreeMap<u64, FormFacts>,
    /// All that the person holds, held or is to hold.
    pub entitlements: &'a [Entitlement],
    /// The accounts that the keys found, with the target they are in.
    pub accounts: &'a [(ConnectorName, ObservedAccount)],
    /// Those of them that are known to be somebody else's.
    pub of_others: &'a BTreeSet<(ConnectorName, StableId)>,
    /// What each target can do.
    pub targets: &'a BTreeMap<ConnectorName, Reach>,
    /// Groups that were found by name.
    pub groups: &'a KnownGroups,
    /// The number on file systems that is set apart for the person.
    pub uid_number: Option<u32>,
    /// Targets where the person's access is suspended.
    pub suspended: &'a BTreeSet<ConnectorName>,
    /// Accounts that lapsed itself shut, and nobody but it: see [`shut_here`].
    pub shut_here: &'a ShutHere,
    /// The agency's rules.
    pub policy: &'a Policy,
    /// Today in the agency's zone.
    pub today: Date,
    /// What the journal has of the cases of the person's forms.
    pub journal: &'a HashMap<StepId, (Step, StepState)>,
}

/// What is to be done, what is in place, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// Changes, each of the case of the form that asks for it.
    pub steps: Vec<Step>,
    /// What a person has to release, by case.
    pub findings: Vec<(CaseId, Finding)>,
    /// For people.
    pub explanations: Vec<Explanation>,
    /// Accounts that are now known to be the person's.
    pub links: Vec<LinkedAccount>,
    /// What somebody has to look at.
    pub doubtful: BTreeSet<String>,
    /// Entitlements that are in place now.
    pub in_place: BTreeSet<Uuid>,
    /// Entitlements of which nothing is left.
    pub ended: BTreeSet<Uuid>,
    /// Forms that are carried out whole.
    pub forms_in_place: BTreeSet<u64>,
    /// Forms that can't be carried out, and why.
    pub forms_ended: BTreeMap<u64, String>,
    /// Forms whose log-on name turned out to be taken: another one is needed (N5).
    pub burnt: BTreeSet<u64>,
    /// Something was refused, or waits for a person: looking again soon would find the same.
    pub stuck: bool,
    /// Something is done once more that ended before and did not last: looking again at once could find the
    /// same for ever.
    pub repeats: bool,
}

/// How far one change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The journal says that it was done.
    Done,
    /// Planned, under way, or planned now.
    Under,
    /// It was refused: a person has to act.
    Stuck,
}

/// Works out what is to be given to one person and what is to be taken. The same input gives the same
/// steps with the same ids.
///
/// # Errors
/// A template of the policy that does not work, as a sentence for people.
pub fn granting(input: &Granting<'_>) -> Result<Granted, String> {
    let mut work = Work::new(input);
    work.sort_accounts();
    work.move_names()?;
    for (connector, held) in work.by_connector() {
        match input.targets.get(&connector) {
            Some(reach) if !reach.readable => {}
            Some(reach) if reach.directory => work.directory(&connector, &held)?,
            Some(_) => work.system(&connector, &held)?,
            None => work.nobody_gives(&connector, &held),
        }
    }
    work.requests()?;
    work.reset_passwords();
    work.finish_forms();
    Ok(work.out)
}

/// One look at one person.
struct Work<'a> {
    input: &'a Granting<'a>,
    /// The person's own accounts: neither an `adm-` one beside them nor one that may be somebody else's.
    own: Vec<(&'a ConnectorName, &'a ObservedAccount)>,
    /// Accounts beside the person's own (`adm-…`).
    beside: Vec<(&'a ConnectorName, &'a ObservedAccount)>,
    /// Targets with an account that may be somebody else's: nothing is made there before a person looked.
    doubted: BTreeSet<&'a ConnectorName>,
    /// Forms after which the person is called as they say, everywhere.
    renamed: BTreeSet<u64>,
    out: Granted,
}

impl<'a> Work<'a> {
    fn new(input: &'a Granting<'a>) -> Self {
        Self {
            input,
            own: Vec::new(),
            beside: Vec::new(),
            doubted: BTreeSet::new(),
            renamed: BTreeSet::new(),
            out: Granted::default(),
        }
    }

    /// Tells the person's own accounts from those that a key found and that may be somebody else's.
    fn sort_accounts(&mut self) {
        for (connector, account) in self.input.accounts {
            match ownership::of(self.input, connector, account) {
                Ownership::Own => {
                    self.own.push((connector, account));
                    self.out.links.push(account.link(connector));
                }
                Ownership::Beside => self.beside.push((connector, account)),
                Ownership::Doubtful(because) => {
                    self.doubted.insert(connector);
                    self.out.doubtful.insert(format!(
                        "account {} in {connector} was left alone: {because}; look whose it is before \
                         anything is given there",
                        account.user_id
                    ));
                }
            }
        }
    }

    fn form(&self, number: u64) -> Option<&'a FiledForm> {
        self.input.forms.iter().find(|form| form.number == number)
    }

    /// The entitlements that ask for something, by the target that gives them; with them those that stand
    /// there already.
    fn by_connector(&self) -> BTreeMap<ConnectorName, Vec<&'a Entitlement>> {
        let mut all: BTreeMap<ConnectorName, Vec<&'a Entitlement>> = BTreeMap::new();
        for held in self.input.entitlements {
            let rule = self.input.policy.access.systems.get(&held.system);
            if let Some(connector) = rule.and_then(|rule| rule.connector.as_ref())
                && held.state != EntitlementState::Ended
            {
                all.entry(connector.clone()).or_default().push(held);
            }
        }
        all.retain(|_, held| held.iter().any(|e| asks_for_something(e)));
        all
    }

    /// Whether it may be given now: its day has come, its form goes on, and what it needs is there.
    fn may_be_given(&self, held: &Entitlement) -> bool {
        let starts = self.form_start(held).is_none_or(|day| day <= self.input.today);
        let form_goes_on = self
            .form(held.form)
            .is_none_or(|form| !matches!(form.state, FormState::Denied | FormState::Ended));
        held.state == EntitlementState::Approved
            && starts
            && form_goes_on
            && self.needs_are_met(held)
    }

    fn form_start(&self, held: &Entitlement) -> Option<Date> {
        held.starts_on.or_else(|| self.form(held.form).and_then(|form| form.form.starts_on))
    }

    fn needs_are_met(&self, held: &Entitlement) -> bool {
        let rule = self.input.policy.access.systems.get(&held.system);
        let needs = rule.map(|rule| rule.needs.as_slice()).unwrap_or_default();
        needs.iter().all(|needed| {
            self.input.entitlements.iter().any(|other| {
                &other.system == needed
                    && (other.state == EntitlementState::InPlace
                        || self.out.in_place.contains(&other.id))
            })
        })
    }

    /// The case in which what ends is taken away: of the form that ended it, or of the one that gave it.
    fn ending_form(&self, held: &Entitlement) -> Option<&'a FiledForm> {
        held.ended_by.and_then(|number| self.form(number)).or_else(|| self.form(held.form))
    }

    /// Says how far a change is, and plans it where it is not under way.
    fn step(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        (action, expect, rule): (Action, Expect, Rule),
    ) -> Progress {
        let once = action.is_once();
        let (case, person) = (form.case(), self.input.person.id);
        let step = Step::new(case, person, connector.clone(), action, expect, Due::AtOnce, rule);
        let known = self.input.journal.get(&step.id).map(|(_, state)| state);
        match known {
            Some(state) if !state.has_ended() => return Progress::Under,
            Some(StepState::Refused { .. }) => {
                self.out.stuck = true;
                return Progress::Stuck;
            }
            Some(StepState::Unverified { .. }) if !once => self.out.repeats = true,
            Some(state) if state.is_done() => return Progress::Done,
            Some(StepState::Drifted { .. }) => self.out.repeats = true,
            Some(_) | None => {}
        }
        self.plan(step);
        Progress::Under
    }

    /// The same for what the target shows by itself: that it was done once does not matter where it is seen
    /// not to be so.
    fn seen_step(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        (action, expect, rule): (Action, Expect, Rule),
    ) -> Progress {
        let (case, person) = (form.case(), self.input.person.id);
        let step = Step::new(case, person, connector.clone(), action, expect, Due::AtOnce, rule);
        match self.input.journal.get(&step.id).map(|(_, state)| state) {
            Some(state) if !state.has_ended() => Progress::Under,
            Some(StepState::Refused { .. }) => {
                self.out.stuck = true;
                Progress::Stuck
            }
            known => {
                let did_not_last = |state: &StepState| {
                    state.is_done() || matches!(state, StepState::Drifted { .. })
                };
                self.out.repeats |= known.is_some_and(did_not_last);
                self.plan(step);
                Progress::Under
            }
        }
    }

    /// Two forms may ask for the same at once: it is done once, and seen by both.
    fn plan(&mut self, step: Step) {
        let same = |other: &Step| other.connector == step.connector && other.action == step.action;
        if !self.out.steps.iter().any(same) {
            self.out.steps.push(step);
        }
    }

    fn state_of(
        &self,
        form: &FiledForm,
        connector: &ConnectorName,
        action: Action,
        expect: Expect,
    ) -> Option<&StepState> {
        let (case, person) = (form.case(), self.input.person.id);
        let step =
            Step::new(case, person, connector.clone(), action, expect, Due::AtOnce, Rule::A1);
        self.input.journal.get(&step.id).map(|(_, state)| state)
    }

    fn explain(&mut self, form: &FiledForm, rule: Rule, text: String) {
        self.out.explanations.push(Explanation {
            person: self.input.person.id,
            case: Some(form.case()),
            rule,
            text,
        });
    }

    /// Whether the account may be touched; what needs a second operator is noted with the form.
    fn may_touch(&mut self, form: &FiledForm, account: &ObservedAccount) -> bool {
        match &account.protection {
            Some(Protection::Never { because }) => {
                self.out.stuck = true;
                self.out.doubtful.insert(format!(
                    "account {} is never touched: {because}; give by hand what form {} asks for",
                    account.user_id, form.number
                ));
                false
            }
            Some(Protection::SecondOperator { because }) => {
                let finding = Finding::Protected {
                    person: self.input.person.id,
                    account: account.user_id.to_string(),
                    because: because.clone(),
                };
                if !self.out.findings.iter().any(|(case, f)| *case == form.case() && *f == finding)
                {
                    self.out.findings.push((form.case(), finding));
                }
                true
            }
            None => true,
        }
    }

    /// The person's own account in a target. Two of them are for a person to look at.
    fn own_in(&mut self, connector: &ConnectorName) -> Result<Option<&'a ObservedAccount>, ()> {
        let theirs: Vec<&ObservedAccount> =
            self.own.iter().filter(|(name, _)| *name == connector).map(|(_, a)| *a).collect();
        match theirs.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => {
                self.out.stuck = true;
                self.out.doubtful.insert(format!(
                    "the person has several accounts in {connector}: nothing is given there until it is \
                     clear which of them counts"
                ));
                Err(())
            }
        }
    }

    /// The person's own account in a directory: the one with the log-on name that counts, where there are
    /// several directories.
    fn own_in_directories(&self) -> Option<(&'a ConnectorName, &'a ObservedAccount)> {
        self.own.iter().copied().find(|(_, account)| account.realm == Realm::Directory)
    }

    /// The person's log-on name: that of their account, or the one that is reserved.
    fn user_id(&self) -> Option<UserId> {
        if let Some((_, account)) = self.own_in_directories() {
            return Some(account.user_id.clone());
        }
        let reserved = self
            .input
            .forms
            .iter()
            .rev()
            .filter(|form| !matches!(form.state, FormState::Denied | FormState::Ended));
        reserved.filter(|form| form.form.asks == Asks::New).find_map(|form| form.reserved.clone())
    }
}

fn asks_for_something(held: &Entitlement) -> bool {
    matches!(held.state, EntitlementState::Approved | EntitlementState::Ending)
}

fn target(account: &ObservedAccount) -> Target {
    Target { id: account.id.clone(), label: account.user_id.to_string() }
}

fn expectation(account: &ObservedAccount) -> Expect {
    Expect { user_id: account.user_id.clone(), employee_number: account.employee_number.clone() }
}
