//! `lapsed run`: rounds until told to stop, or one round with `--once`.

use super::folder::Folder;
use super::giving::giving;
use super::keeping_tickets::keeping_tickets;
use super::keeping_time::keeping_time;
use super::{Daemon, presence, wake};
use crate::answers::Desk;
use crate::control::peer::MachineAccounts;
use crate::control::server::{Control, router};
use crate::control::socket::{ControlSocket, SocketError};
use crate::cycle::carry_out::CarriedOut;
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::notices::Look;
use crate::store::{AuditEntry, StepFilter, StoreError};
use crate::targets::SetUpError;
use jiff::SignedDuration;
use lapsed_core::facts::ConnectorName;
use lapsed_core::pacing::Leave;
use lapsed_core::plan::PlanState;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the daemon could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state.
    #[error("the daemon can't work with its state")]
    Cycle(#[from] CycleError),
    /// The control socket.
    #[error("the control socket can't be opened")]
    Socket(#[from] SocketError),
    /// A connector.
    #[error("the configuration can't be used")]
    SetUp(#[from] SetUpError),
    /// Two daemons with one name.
    #[error(
        "another daemon on the same database has taken this one's name {name:?}; give each its own (execution.instance)"
    )]
    Replaced {
        /// The name in leases.
        name: String,
    },
    /// Signals.
    #[error("the system refused a signal handler")]
    Signals(#[source] std::io::Error),
}

/// After a failed round: state trouble is waited for, not answered by ending.
pub(super) const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl Daemon {
    /// One round of deciding: the inbox, then everyone whose facts have changed. The cycle's eyes say how
    /// long a target that is slow is waited for.
    async fn decide_round(&self, cycle: &Cycle) -> Result<(), CycleError> {
        let Some(_turn) = self.turn_to_plan().await? else {
            let asked = self.ask_for_the_turn_if_needed().await;
            self.look_at_orders().await;
            self.note_folders().await;
            return asked;
        };
        self.without_turn.store(0, Ordering::Relaxed);
        if let Err(error) = self.take_inbox().await {
            // A drop that can't be stored now stays in the inbox, and holds up nobody's departure.
            log_failure("taking the inbox", &error);
        }
        if let Err(error) = self.take_confirmations().await {
            log_failure("filing confirmations", &error);
        }
        if let Err(error) = self.take_order_forms().await {
            log_failure("taking forms", &error);
        }
        self.note_folders().await;
        let decided = cycle.decide(self.now()).await?;
        for (connector, fault) in &decided.unreadable {
            tracing::warn!(%connector, %fault, "directory can't be read; those people stay marked");
            self.note_trouble(connector, fault).await?;
        }
        for (plan, state) in &decided.plans {
            let (hash, steps) = (plan.hash.short(), plan.steps.len());
            match state {
                PlanState::Held => {
                    let findings: Vec<_> = plan.findings.iter().map(|f| f.describe()).collect();
                    tracing::warn!(plan = hash, steps, ?findings, "plan held");
                }
                _ => tracing::info!(plan = hash, steps, "plan passed"),
            }
        }
        self.execute.send_modify(|round| *round = round.wrapping_add(1));
        if !decided.plans.is_empty() {
            self.wake_others();
        }
        // Departures are on their way: what gives access, or is only written down, comes after them.
        for connector in &decided.answered {
            self.note_answer(connector).await?;
        }
        self.give.notify_one();
        crate::answers::expire(self).await;
        Ok(())
    }

    /// A target that answers is no longer down, unless its steps fail.
    async fn note_answer(&self, connector: &ConnectorName) -> Result<(), CycleError> {
        use lapsed_core::pacing::Breaker;
        let key = crate::cycle::carry_out::health_key(connector);
        let known = self.store.read().setting::<Option<lapsed_core::step::Cause>>(&key).await?;
        let tried = self.pace.breaker(connector) == Breaker::Closed { failures: 0 };
        if tried && known.flatten().is_some() {
            let tx = self.store.begin().await?;
            tx.set_setting(&key, &None::<lapsed_core::step::Cause>).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn note_trouble(
        &self,
        connector: &ConnectorName,
        fault: &lapsed_core::step::Fault,
    ) -> Result<(), CycleError> {
        use lapsed_core::step::Fault;
        let (Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause)) = fault;
        let tx = self.store.begin().await?;
        tx.set_setting(&crate::cycle::carry_out::health_key(connector), &Some(cause)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// `run --once`: what is there and due, then the end.
    pub async fn once(self: &Arc<Self>) -> Result<CarriedOut, CycleError> {
        self.join().await?;
        let done = tokio::select! {
            done = self.fenced(self.once_through()) => done?,
            presence::Replaced = presence::being_there(self.clone()) => {
                return Err(StoreError::FencedOff.into());
            }
        };
        self.store.part().await?;
        Ok(done)
    }

    async fn once_through(&self) -> Result<CarriedOut, CycleError> {
        let mut all = CarriedOut::default();
        self.store.release_own_leases(&self.owner).await?;
        self.store.index_supervisors().await?;
        self.post(CancellationToken::new()).begin().await?;
        let turn = self.turn_before_the_end().await?;
        // Nobody comes back for what is still being written: one look, one pause, and a second look.
        if turn.is_some() {
            self.take_inbox().await?;
            self.take_confirmations().await?;
            self.take_order_forms().await?;
            self.take_access_forms().await?;
        }
        tokio::time::sleep(self.cycle().config.inbox.settle()).await;
        let mut waited = false;
        loop {
            // First the looks at what was done: what other hands undid is planned in this round.
            let executor = self.executor();
            executor.recheck().await?;
            // Nobody comes back for those of a target that is slow, either: it may take its time.
            self.decide_round(&self.cycle()).await?;
            self.give_round(&self.cycle()).await;
            let round = executor.carry_out().await?;
            let clerk = self.clerk();
            clerk.look_at_requests().await?;
            let moved = clerk.round().await?;
            executor.close_cases().await?;
            all += round.clone();
            if round.done == 0 && !moved {
                if !std::mem::replace(&mut waited, true) && self.wait_for_copies().await? {
                    continue;
                }
                self.tell_round(Look::Around, &CancellationToken::new()).await?;
                if !self.orders_seen.load(Ordering::Relaxed) {
                    return Err(CycleError::Rule(
                        "the forms folder could not be looked into, where a hold may lie: nothing was \
                         deleted in this round"
                            .into(),
                    ));
                }
                return Ok(all);
            }
        }
    }

    /// Waits until what was done and is not seen yet has had the time to reach every copy of its target:
    /// nobody comes back to look at it. False where there is nothing of the kind.
    async fn wait_for_copies(&self) -> Result<bool, CycleError> {
        let lag = self.cycle().config.execution.replication_seconds;
        let filter = StepFilter { states: vec!["done"], limit: Some(1), ..StepFilter::default() };
        let unseen = !self.store.read().steps(&filter).await?.is_empty();
        if unseen {
            tokio::time::sleep(Duration::from_secs(lag.into())).await;
        }
        Ok(unseen)
    }

    async fn started(&self) -> Result<(), CycleError> {
        self.join().await?;
        self.store.release_own_leases(&self.owner).await?;
        self.store.index_supervisors().await?;
        self.post(CancellationToken::new()).begin().await?;
        let mut tx = self.store.begin().await?;
        tx.audit(AuditEntry {
            detail: serde_json::json!({
                "version": env!("CARGO_PKG_VERSION"), "policy": self.cycle().config.policy.version(),
            }),
            ..AuditEntry::new(self.now(), DAEMON, "daemon.started")
        });
        tx.commit().await?;
        Ok(())
    }
}

/// Runs until SIGTERM or SIGINT; steps under way are finished or left under their lease.
pub async fn run(daemon: Arc<Daemon>) -> Result<(), RunError> {
    let config = daemon.cycle().config;
    let socket =
        ControlSocket::bind(config.control.socket.as_path(), config.control.group.as_deref())
            .await?;
    daemon.started().await?;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let control = Control {
        console: Arc::new(Desk(daemon.clone())),
        roles: daemon.roles(),
        accounts: Arc::new(MachineAccounts),
        config_path: daemon.config_path().display().to_string().into(),
    };
    let serving = socket.serve(router(control), stop.clone());
    tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "control socket ended");
        }
    });
    tasks.spawn(until(stop.clone(), deciding(daemon.clone())));
    tasks.spawn(until(stop.clone(), giving(daemon.clone())));
    tasks.spawn(until(stop.clone(), executing(daemon.clone(), tasks.clone(), stop.clone())));
    for folder in daemon.folders() {
        tasks.spawn(until(stop.clone(), watching(daemon.clone(), Arc::clone(folder))));
    }
    tasks.spawn(until(stop.clone(), keeping_time(daemon.clone())));
    tasks.spawn(until(stop.clone(), reporting(daemon.clone())));
    tasks.spawn(until(stop.clone(), presence::heeding(daemon.clone())));
    tasks.spawn(keeping_tickets(daemon.clone(), stop.clone()));
    tasks.spawn(telling(daemon.clone(), stop.clone()));
    notify_manager(&[sd_notify::NotifyState::Ready]);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "lapsed runs");

    let mut being_there = std::pin::pin!(presence::being_there(daemon.clone()));
    let ended = tokio::select! {
        ended = signals(&daemon) => ended,
        presence::Replaced = &mut being_there => {
            Err(RunError::Replaced { name: daemon.owner().to_owned() })
        }
    };

    notify_manager(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("lapsed stops");
    stop.cancel();
    tasks.close();
    let patience = Duration::from_secs(u64::from(config.execution.stop_seconds));
    let waiting = tokio::time::timeout(patience, tasks.wait());
    // Still heard of, or what is being finished would be another's.
    let finished = if ended.is_ok() {
        tokio::select! {
            finished = waiting => finished.is_ok(),
            presence::Replaced = being_there => false,
        }
    } else {
        waiting.await.is_ok()
    };
    if !finished {
        tracing::warn!("steps under way did not end in time; the next start looks at them first");
    } else if ended.is_ok()
        && let Err(error) = daemon.store.part().await
    {
        log_failure("leaving the other daemons", &error.into());
    }
    ended
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

fn notify_manager(states: &[sd_notify::NotifyState<'_>]) {
    // Not under systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}

async fn signals(daemon: &Arc<Daemon>) -> Result<(), RunError> {
    let listen = |kind| signal(kind).map_err(RunError::Signals);
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = listen(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => reload(daemon).await,
        }
    }
}

async fn reload(daemon: &Arc<Daemon>) {
    if let Ok(state) = sd_notify::NotifyState::monotonic_usec_now() {
        notify_manager(&[sd_notify::NotifyState::Reloading, state]);
    }
    match crate::answers::reload_as(daemon, DAEMON).await {
        Ok(view) if view.loaded => {
            tracing::info!(moved_dates = view.moved_dates.len(), "configuration reloaded");
            for moved in &view.moved_dates {
                tracing::warn!(what = %moved.what, stored = %moved.stored, computed = %moved.computed, "stored date stays");
            }
        }
        Ok(view) => {
            for problem in &view.problems {
                tracing::error!(%problem, "configuration not reloaded");
            }
        }
        Err(error) => tracing::error!(%error, "configuration not reloaded"),
    }
    notify_manager(&[sd_notify::NotifyState::Ready]);
}

/// The inbox and everyone marked, whenever something says "look again", and at every poll.
async fn deciding(daemon: Arc<Daemon>) {
    loop {
        let pause = match daemon.fenced(daemon.decide_round(&daemon.urgent_cycle())).await {
            Ok(()) => daemon.cycle().config.inbox.poll(),
            Err(error) => {
                log_failure("deciding", &error);
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = daemon.decide.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One task a connector: a slow or dead target holds up no other.
async fn executing(daemon: Arc<Daemon>, tasks: TaskTracker, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => return,
        first = daemon.order_forms_first() => if let Err(error) = first {
            log_failure("taking forms", &error);
        },
    }
    let mut known: Vec<ConnectorName> = Vec::new();
    let mut rounds = daemon.execute.subscribe();
    loop {
        for name in daemon.connector_names() {
            if !known.contains(&name) {
                known.push(name.clone());
                tasks.spawn(draining(daemon.clone(), name, stop.clone()));
            }
        }
        if rounds.changed().await.is_err() {
            return;
        }
    }
}

/// Drains one connector's due steps. A batch that was begun is finished and recorded before it stops.
async fn draining(daemon: Arc<Daemon>, name: ConnectorName, stop: CancellationToken) {
    let mut rounds = daemon.execute.subscribe();
    let mut failed = false;
    while !stop.is_cancelled() {
        rounds.mark_unchanged();
        let executor = daemon.executor();
        let Some(hand) = executor.hands.0.get(&name).cloned() else {
            // Taken out of the configuration; it may come back.
            tokio::select! {
                () = stop.cancelled() => return,
                changed = rounds.changed() => if changed.is_err() { return } else { continue },
            }
        };
        let round = async {
            if failed {
                // What was claimed when the state went away is nobody's until its lease ends.
                daemon.store.release_lost_leases(daemon.owner(), &name).await?;
            }
            executor.drain(&name, hand.as_ref(), &stop).await
        };
        let round = daemon.fenced(round).await;
        failed = round.is_err();
        let pause = match round {
            Ok(round) => {
                if round.done > 0 {
                    // Another connector's steps may have waited for these: mail sessions end once the
                    // account is shut.
                    daemon.execute.send_modify(|round| *round = round.wrapping_add(1));
                    daemon.tell.notify_one();
                    daemon.go_on_with_access().await;
                }
                daemon.decide_again_after(&round);
                daemon.pause_until_next_step(&name).await
            }
            Err(error) => {
                log_failure("carrying out", &error);
                AFTER_FAILURE
            }
        };
        if let Err(error) = daemon.fenced(executor.close_cases()).await {
            log_failure("closing cases", &error);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = rounds.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Daemon {
    /// How long nothing comes due: until the next retry, half a minute at most.
    async fn pause_until_next_step(&self, name: &ConnectorName) -> Duration {
        const LONGEST: Duration = Duration::from_secs(30);
        let now = self.now();
        let at = self.store.read().next_step_at(now).await.ok().flatten();
        let leave = self.pace.leave(name, &self.cycle().config.execution, now);
        let may = if let Leave::Not(until) = leave { Some(until) } else { None };
        match [at, may].into_iter().flatten().min() {
            Some(at) => Duration::try_from(at.duration_since(now))
                .unwrap_or_default()
                .clamp(Duration::from_millis(100), LONGEST),
            _ => LONGEST,
        }
    }
}

/// Every folder is looked into at each poll; the kernel's word makes it sooner.
async fn watching(daemon: Arc<Daemon>, folder: Arc<Folder>) {
    let Some((_watcher, mut names)) = wake::watch(folder.path().to_owned()).await else {
        return std::future::pending().await;
    };
    while let Some(name) = names.recv().await {
        folder.finished(&name).await;
        daemon.decide.notify_one();
    }
}

/// Since when the state can't be reached, and whether the on-call knows.
#[derive(Debug, Default)]
struct Away {
    since: Option<jiff::Timestamp>,
    told: bool,
}

impl Away {
    /// Once it has lasted as long as a target may be silent, the on-call is told; once.
    async fn tell(&mut self, daemon: &Daemon, error: &CycleError) {
        let now = daemon.now();
        let since = *self.since.get_or_insert(now);
        let Some(minutes) =
            daemon.cycle().config.notices.as_ref().map(|n| n.connector_down_minutes)
        else {
            return;
        };
        if !self.told && now.duration_since(since) >= SignedDuration::from_mins(minutes.into()) {
            self.told = true;
            daemon.tell_that_the_state_is_away(since, &error.to_string()).await;
        }
    }
}

/// Tells people what they have to know. Nothing waits for it, and it waits for its mail server alone. A
/// notice that is being handed over is finished before it stops.
async fn telling(daemon: Arc<Daemon>, stop: CancellationToken) {
    const PAUSE: Duration = Duration::from_secs(20);
    /// Departures ahead are looked through so often even when nothing says so.
    const AROUND: SignedDuration = SignedDuration::from_mins(15);
    let mut looked: Option<jiff::Timestamp> = None;
    let mut away = Away::default();
    while !stop.is_cancelled() {
        let now = daemon.now();
        let stale = looked.is_none_or(|at| now.duration_since(at) >= AROUND);
        let asked = daemon.look_around.swap(false, Ordering::Relaxed);
        let look = if stale || asked { Look::Around } else { Look::AtTheQueue };
        let pause = match daemon.fenced(daemon.tell_round(look, &stop)).await {
            Ok(_) => {
                away = Away::default();
                looked = if look == Look::Around { Some(now) } else { looked };
                PAUSE
            }
            Err(error) => {
                log_failure("telling", &error);
                away.tell(&daemon, &error).await;
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = daemon.tell.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Tells systemd that the daemon lives. A database that is away is waited for, and a restart would not
/// bring it back: only a daemon that can't even ask is dead.
async fn reporting(daemon: Arc<Daemon>) {
    let Some(watchdog) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        let asked = tokio::time::timeout(watchdog / 6, daemon.store.read().audit_head()).await;
        if !matches!(asked, Ok(Ok(_))) {
            tracing::warn!("the state does not answer; it is waited for");
        }
        notify_manager(&[sd_notify::NotifyState::Watchdog]);
        tokio::time::sleep(watchdog / 3).await;
    }
}

pub(super) fn log_failure(doing: &str, error: &CycleError) {
    let why = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(doing, %error, why, "round failed; it is tried again");
}
