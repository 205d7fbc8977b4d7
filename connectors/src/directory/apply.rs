//! Carrying out a batch: accounts first, then groups, each object looked at before it is changed.

use super::Shared;
use super::account_steps;
use super::create;
use super::entry::Entry;
use super::group_steps;
use super::joining;
use super::layout::Layout;
use super::read::{accounts_by_id, side_by_side};
use super::supervisor::Connected;
use futures_util::future::FutureExt;
use lapsed_core::facts::{EmployeeNumber, StableId};
use lapsed_core::step::{Action, Cause, Expect, Fault, Found, Outcome, Step};
use std::collections::HashMap;

/// How one step ended.
pub(super) type Ending = Result<Outcome, Fault>;

/// A batch under way on one server.
pub(super) struct Batch<'a> {
    pub(super) shared: &'a Shared,
    pub(super) connected: &'a Connected,
    pub(super) steps: &'a [Step],
}

/// Carries out the steps; one ending a step, in order.
pub(super) async fn apply(shared: &Shared, connected: &Connected, steps: &[Step]) -> Vec<Ending> {
    let batch = Batch { shared, connected, steps };
    let mut endings: Vec<Option<Ending>> = vec![None; steps.len()];
    if let Err(fault) = batch.run(&mut endings).await {
        return endings
            .into_iter()
            .map(|ending| ending.unwrap_or_else(|| Err(fault.clone())))
            .collect();
    }
    let missed = || Err(Fault::Retry(Cause::new("the step was not reached")));
    endings.into_iter().map(|ending| ending.unwrap_or_else(missed)).collect()
}

impl Batch<'_> {
    async fn run(&self, endings: &mut [Option<Ending>]) -> Result<(), Fault> {
        self.create(endings).await;
        let accounts = self.accounts(0..self.steps.len()).await?;
        let (mut of_account, mut of_group) = (Grouped::default(), Grouped::default());
        let mut to_join = Grouped::default();
        for (index, step) in self.steps.iter().enumerate() {
            match &step.action {
                Action::Disable { account }
                | Action::StampDescription { account, .. }
                | Action::ScramblePassword { account }
                | Action::ResetPrimaryGroup { account }
                | Action::Enable { account }
                | Action::SetPassword { account, .. }
                | Action::ExpirePassword { account, .. }
                | Action::PutBack { account, .. }
                | Action::Rename { account, .. } => of_account.put(&account.id, index),
                Action::CreateAccount { .. } => {}
                Action::JoinGroup { group, .. } => to_join.put(&group.id, index),
                Action::DisableMailbox { account } if self.shared.exchange.is_some() => {
                    of_account.put(&account.id, index);
                }
                Action::LeaveGroup { group, .. } => of_group.put(&group.id, index),
                _ => {
                    let advice = "a directory connector changes no mailboxes and homes; name another connector";
                    endings[index] = Some(Err(Fault::Refused(Cause::new(advice))));
                }
            }
        }
        self.run_accounts(&accounts, of_account, endings).await;
        self.run_groups(accounts, of_group, to_join, endings).await
    }

    /// One after the other: two of a kind could be given one name.
    async fn create(&self, endings: &mut [Option<Ending>]) {
        for (step, ending) in self.steps.iter().zip(endings) {
            if let Action::CreateAccount { blueprint, .. } = &step.action {
                *ending = Some(create::create(self, step, blueprint).await);
            }
        }
    }

    async fn run_accounts(
        &self,
        accounts: &HashMap<StableId, Entry>,
        work: Grouped,
        endings: &mut [Option<Ending>],
    ) {
        let calls = work.0.iter();
        let calls = calls
            .map(|(id, indexes)| self.run_account(accounts.get(id), indexes).boxed())
            .collect();
        let done = side_by_side(self.shared.window, calls).await;
        for (index, ending) in done.into_iter().flatten() {
            endings[index] = Some(ending);
        }
    }

    async fn run_account(&self, entry: Option<&Entry>, indexes: &[usize]) -> Vec<(usize, Ending)> {
        match self.fit(entry, indexes) {
            Err(endings) => endings,
            Ok((entry, fit, mut unfit)) => {
                unfit.extend(account_steps::run(self, entry, &fit).await);
                unfit
            }
        }
    }

    async fn run_groups(
        &self,
        mut accounts: HashMap<StableId, Entry>,
        work: Grouped,
        to_join: Grouped,
        endings: &mut [Option<Ending>],
    ) -> Result<(), Fault> {
        let indexes: Vec<usize> =
            work.0.iter().chain(&to_join.0).flat_map(|(_, some)| some.iter().copied()).collect();
        let resets = |step: &Step| {
            matches!(
                step.action,
                Action::ResetPrimaryGroup { .. } | Action::Rename { .. } | Action::PutBack { .. }
            )
        };
        if !indexes.is_empty() && self.steps.iter().any(resets) {
            accounts = self.accounts(indexes.iter().copied()).await?;
        }
        for (index, ending) in group_steps::run(self, &accounts, &work.0).await? {
            endings[index] = Some(ending);
        }
        for (index, ending) in joining::run(self, &accounts, &to_join.0).await? {
            endings[index] = Some(ending);
        }
        Ok(())
    }

    async fn accounts(
        &self,
        indexes: impl IntoIterator<Item = usize>,
    ) -> Result<HashMap<StableId, Entry>, Fault> {
        let mut ids: Vec<StableId> = indexes
            .into_iter()
            .map(|index| self.steps[index].action.account().id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        let (to_be_made, ids) = ids.into_iter().partition::<Vec<_>, _>(StableId::is_to_be_made);
        let mut found = accounts_by_id(self.shared, &self.connected.session, &ids).await?;
        found.extend(create::to_be_made(self, &to_be_made).await?);
        Ok(found)
    }

    /// Of several steps on one account, those that may go on, and how the others ended.
    #[allow(clippy::type_complexity, reason = "a named type for one caller would say less")]
    fn fit<'e>(
        &self,
        entry: Option<&'e Entry>,
        indexes: &[usize],
    ) -> Result<(&'e Entry, Vec<usize>, Vec<(usize, Ending)>), Vec<(usize, Ending)>> {
        let (mut fit, mut unfit) = (Vec::new(), Vec::new());
        for &index in indexes {
            match self.judge(entry, &self.steps[index].expect) {
                Ok(_) => fit.push(index),
                Err(ending) => unfit.push((index, ending)),
            }
        }
        match entry {
            Some(entry) if !fit.is_empty() => Ok((entry, fit, unfit)),
            _ => Err(unfit),
        }
    }

    /// Whether the account is still what the plan was made for, and may be touched at all.
    pub(super) fn judge<'e>(
        &self,
        entry: Option<&'e Entry>,
        expect: &Expect,
    ) -> Result<&'e Entry, Ending> {
        let layout = &self.shared.layout;
        let Some(entry) = entry.filter(|entry| Layout::is_below(&layout.people, &entry.dn)) else {
            return Err(drifted(
                "the account is gone, or no longer below people_base; look where it went",
            ));
        };
        let attribute = &layout.names.employee_number;
        let mut numbers = entry.texts(attribute).filter_map(|text| EmployeeNumber::new(text).ok());
        let is_as_planned = match &expect.employee_number {
            None => numbers.next().is_none(),
            Some(number) => numbers.any(|own| own.folded() == number.folded()),
        };
        if !is_as_planned {
            return Err(drifted(
                "the account carries another employee number than when the plan was made; look whose it is now",
            ));
        }
        match self.shared.rules.never(self.shared, entry, &self.connected.identity) {
            None => Ok(entry),
            Some(because) => Err(Err(Fault::Refused(Cause::new(format!(
                "the account is never touched: {because}"
            ))))),
        }
    }

    /// Reads one account again and judges it again.
    pub(super) async fn again(&self, index: usize) -> Result<Entry, Ending> {
        let accounts = self.accounts([index]).await.map_err(Err)?;
        let step = &self.steps[index];
        self.judge(accounts.get(&step.action.account().id), &step.expect).cloned()
    }
}

pub(super) fn drifted(description: &str) -> Ending {
    Ok(Outcome::Drifted(Found { description: description.into() }))
}

/// Steps by the object that they change, in the order in which the objects first came.
#[derive(Default)]
struct Grouped(Vec<(StableId, Vec<usize>)>, HashMap<StableId, usize>);

impl Grouped {
    fn put(&mut self, id: &StableId, index: usize) {
        let place = *self.1.entry(id.clone()).or_insert_with(|| {
            self.0.push((id.clone(), Vec::new()));
            self.0.len() - 1
        });
        self.0[place].1.push(index);
    }
}
