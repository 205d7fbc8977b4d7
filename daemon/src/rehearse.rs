//! `plan` and `simulate`: the daemon's own rounds on a copy of its state, with eyes and without hands.

use crate::answers::{Waits, entries, in_words, plan_view};
use crate::config::{Config, DatabaseUrl};
use crate::cycle::take::{Drop, Taking};
use crate::cycle::{Cycle, CycleError};
use crate::drops::{DropError, Inbox};
use crate::service::feed_of;
use crate::store::{CaseFilter, DatabaseSettings, StepFilter, Store, StoreError};
use crate::targets::{Hands, SetUpError};
use crate::views::{DueEntry, PlanView, PlansView, SimulateView};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::access::entitlement::Entitlement;
use lapsed_core::facts::{CaseKind, CaseState, ConnectorName, SourceName};
use lapsed_core::intake::Rejection;
use lapsed_core::journal::StepEvent;
use lapsed_core::plan::{Plan, PlanHash, PlanKind, PlanState};
use lapsed_core::step::{Action, Due, Fault};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Why there is no rehearsal. Nothing was written anywhere.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    /// The state.
    #[error("the state can't be read")]
    Store(#[from] StoreError),
    /// A round.
    #[error("the round failed")]
    Cycle(#[from] CycleError),
    /// A connector's settings.
    #[error("the configuration can't be used")]
    SetUp(#[from] SetUpError),
    /// A target.
    #[error("{connector} can't be read, so nothing can be said: {fault}")]
    Unreadable {
        /// Which.
        connector: ConnectorName,
        /// Why.
        fault: Fault,
    },
    /// The feed file.
    #[error("the drop would be rejected whole: {0}")]
    Rejected(Rejection),
    /// The feed file can't be read.
    #[error("the drop can't be read")]
    Drop(#[from] DropError),
    /// The feed file can't be read.
    #[error("cannot read {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Where the configuration says that the state is.
#[must_use]
pub fn database(config: &Config) -> DatabaseSettings {
    let url = match &config.state.database {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.as_path().display()),
        DatabaseUrl::Postgres(url) => url.clone(),
    };
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
    let password_file = config.state.password().and_then(|source| source.path(folder.as_deref()));
    DatabaseSettings { url, password_file, max_connections: config.state.max_connections }
}

/// A copy of the state as it is now; an empty one where there is none yet.
async fn copy_of_state(config: &Config) -> Result<Store, StoreError> {
    match Store::open_to_read(&database(config)).await {
        Ok(store) => store.scratch().await,
        Err(StoreError::Absent { .. }) => Store::empty_scratch().await,
        Err(error) => Err(error),
    }
}

/// A rehearsal: a cycle over a copy.
pub struct Rehearsal {
    cycle: Cycle,
    configured: Vec<ConnectorName>,
}

impl Rehearsal {
    /// Copies the state and opens eyes on the targets.
    pub async fn new(config: Config) -> Result<Self, RehearseError> {
        let hands = Hands::new(&config)?;
        let store = copy_of_state(&config).await?;
        let configured = hands.names();
        Ok(Self {
            // What is only rehearsed is told to nobody.
            cycle: Cycle { store, config: Arc::new(config), eyes: hands.eyes() }.quietly(),
            configured,
        })
    }

    #[cfg(test)]
    pub(crate) async fn of(cycle: &Cycle) -> Self {
        let cycle = Cycle { store: cycle.store.scratch().await.unwrap(), ..cycle.clone() };
        let configured = cycle.eyes.0.keys().cloned().collect();
        Self { cycle, configured }
    }

    /// As if a file had been dropped.
    pub async fn drop_file(
        &self,
        feed: &SourceName,
        path: &Path,
        now: Timestamp,
    ) -> Result<(), RehearseError> {
        let shown = lapsed_core::shown::shown(&path.display().to_string());
        let bytes =
            std::fs::read(path).map_err(|source| RehearseError::File { path: shown, source })?;
        let mut done = path.as_os_str().to_owned();
        done.push(".done");
        let done = std::fs::read(&done).ok();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let file_name = lapsed_core::shown::shown(&name);
        let drop = Drop { feed, file_name: &file_name, bytes: &bytes, done: done.as_deref() };
        match self.cycle.take_drop(drop, now).await? {
            Taking::Rejected(rejection) => Err(RehearseError::Rejected(rejection)),
            Taking::Repeated(_) | Taking::Taken(_) => Ok(()),
        }
    }

    /// What lies in the inbox, read and left there; a drop that would be rejected changes nothing.
    pub async fn drop_inbox(&self, now: Timestamp) -> Result<(), RehearseError> {
        let settings = &self.cycle.config.inbox;
        let mut inbox = Inbox::new(
            settings.folder.as_path().to_owned(),
            settings.accepted.as_path().to_owned(),
            settings.rejected.as_path().to_owned(),
            settings.settle(),
        );
        for ready in inbox.ready(Instant::now(), true, |_| false)? {
            let Some(feed) = feed_of(&self.cycle, &ready.name.to_string_lossy()).cloned() else {
                continue;
            };
            let limit = self.cycle.config.feeds.get(&feed).map_or(0, |f| f.spec.contract.max_bytes);
            let Ok((bytes, done)) = inbox.read(&ready, limit) else { continue };
            let shown = ready.shown();
            let drop =
                Drop { feed: &feed, file_name: &shown, bytes: &bytes, done: done.as_deref() };
            self.cycle.take_drop(drop, now).await?;
        }
        Ok(())
    }

    /// One round of deciding over everyone who has left, and over access forms: the plans that it makes.
    async fn decide(&self, now: Timestamp) -> Result<Vec<(Plan, PlanState)>, RehearseError> {
        let decided = self.cycle.decide(now).await?;
        if let Some((connector, fault)) = decided.unreadable.into_iter().next() {
            return Err(RehearseError::Unreadable { connector, fault });
        }
        let mut plans = decided.plans;
        plans.extend(self.cycle.access_round(now).await?);
        Ok(plans)
    }

    /// `lapsed plan`.
    pub async fn plan(&self, now: Timestamp) -> Result<PlansView, RehearseError> {
        self.cycle.store.mark_departed_to_decide(now).await?;
        let plans = self.decide(now).await?;
        let view =
            |(plan, state): &(Plan, PlanState)| plan_view(&self.cycle, plan, would_be(*state));
        Ok(PlansView { plans: plans.iter().map(view).collect() })
    }

    /// `lapsed simulate`: every day on which something happens, up to and with `until`.
    pub async fn simulate(
        &self,
        now: Timestamp,
        until: Date,
    ) -> Result<SimulateView, RehearseError> {
        let from = self.cycle.today(now);
        self.cycle.store.mark_departed_to_decide(now).await?;
        let mut happened: Vec<DueEntry> = Vec::new();
        let mut held: Vec<PlanView> = Vec::new();
        let mut moment = now;
        // The targets show nothing of what is only pretended, so that a form's plan comes again and again.
        let mut told: HashSet<PlanHash> = HashSet::new();
        loop {
            for (plan, state) in self.decide(moment).await? {
                if matches!(plan.kind, PlanKind::Form { .. }) && !told.insert(plan.hash.clone()) {
                    continue;
                }
                match state {
                    PlanState::Passed | PlanState::Released => {
                        happened.extend(self.pretend(&plan, moment).await?);
                    }
                    PlanState::Held => held.push(plan_view(&self.cycle, &plan, "would be held")),
                    PlanState::Rejected | PlanState::Replaced => {}
                }
            }
            match self.next_moment(moment).await? {
                Some(next) if self.cycle.today(next) <= until => moment = next,
                _ => break,
            }
        }
        let configured = self.configured.clone();
        let waits = Waits { configured, paused: false, giving_paused: false };
        let ahead = entries(&self.cycle, Some(until), from, &waits).await?;
        happened.extend(ahead.into_iter().filter(|entry| !entry.what.starts_with("departure")));
        happened.sort_by(|a, b| (&a.date, &a.person, &a.what).cmp(&(&b.date, &b.person, &b.what)));
        Ok(SimulateView {
            from: from.to_string(),
            until: until.to_string(),
            entries: happened,
            held,
        })
    }

    /// When something begins or ends by itself: a departure, or access on its first day or after its last.
    async fn next_moment(&self, after: Timestamp) -> Result<Option<Timestamp>, RehearseError> {
        let read = self.cycle.store.read();
        let filter = CaseFilter { states: vec![CaseState::Scheduled], ..CaseFilter::default() };
        let cases = read.cases(&filter).await?;
        let mut moments: Vec<Timestamp> = cases.iter().map(|case| case.effective_at).collect();
        let held = read.standing_entitlements().await?;
        let last = |held: &Entitlement| held.ends_on.and_then(|day| day.tomorrow().ok());
        let mut days: Vec<Date> = held.iter().filter_map(|held| held.starts_on).collect();
        days.extend(held.iter().filter_map(last));
        let zone = &self.cycle.config.time_zone;
        let midnights = days.into_iter().filter_map(|day| day.to_zoned(zone.clone()).ok());
        moments.extend(midnights.map(|midnight| midnight.timestamp()));
        Ok(moments.into_iter().filter(|at| *at > after).min())
    }

    /// Takes a plan's immediate steps as done on the copy, and tells them as one line a person.
    async fn pretend(&self, plan: &Plan, now: Timestamp) -> Result<Vec<DueEntry>, RehearseError> {
        let today = self.cycle.today(now);
        let filter = StepFilter {
            plan: Some(plan.hash.clone()),
            ended: Some(false),
            ..StepFilter::default()
        };
        let steps = self.cycle.store.read().steps(&filter).await?;
        let tx = self.cycle.store.begin().await?;
        let mut told: Vec<DueEntry> = Vec::new();
        for case in cases_of(plan) {
            let Some(mut known) = tx.read().case(case).await? else { continue };
            let theirs: Vec<_> =
                steps.iter().filter(|s| s.step.case == case && s.step.due == Due::AtOnce).collect();
            for stored in &theirs {
                let Ok(started) = stored.on(StepEvent::Start(now)) else { continue };
                let started_step = (*stored).clone().after(started.clone());
                tx.set_steps(&[started], now).await?;
                if let Ok(done) = started_step.on(StepEvent::AlreadySo) {
                    tx.set_steps(&[done], now).await?;
                }
            }
            if known.kind == CaseKind::Departure {
                known.disabled_on.get_or_insert(today);
            }
            tx.save_case(&known).await?;
            let actions: Vec<&Action> = theirs.iter().map(|s| &s.step.action).collect();
            if let Some(first) = theirs.first() {
                told.push(DueEntry {
                    date: today.to_string(),
                    overdue: false,
                    person: first.step.action.account().label.clone(),
                    what: in_words(&actions),
                    why: known.reason.clone(),
                    clause: self.cycle.config.policy.citations.cite(first.step.rule),
                    waits_for: None,
                });
            }
        }
        tx.commit().await?;
        Ok(told)
    }
}

fn would_be(state: PlanState) -> &'static str {
    match state {
        PlanState::Passed => "would pass",
        PlanState::Held => "would be held",
        PlanState::Released => "released",
        PlanState::Rejected => "rejected",
        PlanState::Replaced => "replaced",
    }
}

fn cases_of(plan: &Plan) -> Vec<lapsed_core::facts::CaseId> {
    let mut cases: Vec<_> = plan.steps.iter().map(|s| s.case).collect();
    cases.sort();
    cases.dedup();
    cases
}
