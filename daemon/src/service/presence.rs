//! Several daemons on one state: each says every few moments that it is there, and works only while it
//! can be sure that the others have heard it.
//!
//! **Flow.** A beat writes the database's own moment into this daemon's row. It counts from before it was
//! sent, and for less time than the others wait until they take over; so this daemon's work has ended
//! before another begins it, whatever the machines' clocks say.
//!
//! **Guarantees.** [`Fence::while_held`] looks at the fence before each poll of the work: a process that was
//! frozen, and wakes late, stops before its next request. What it had handed to the system's network
//! buffers before is caught by the look that every `apply` begins with. What it would write into the state
//! is refused by the database ([`crate::store::StoreError::FencedOff`]).

use super::Daemon;
use super::run::log_failure;
use crate::cycle::CycleError;
use crate::store::{Newcomer, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Beats in the time after which the others take over.
const BEATS: u32 = 5;

/// Where this daemon stands among the others.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// Raised whenever it joins: what was begun before is not gone on with.
    life: u64,
    /// It may work until then; for ever where the state is its own.
    until: Option<Instant>,
    members: usize,
    /// The database's clock less this machine's.
    ahead: SignedDuration,
}

/// Whether this daemon may work.
#[derive(Debug)]
pub struct Fence {
    standing: watch::Sender<Standing>,
}

/// The work was given up: the others may not have heard of this daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp;

impl Standing {
    fn holds(self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Fence {
    /// One that holds for ever, until [`Self::renew`] gives it an end.
    #[must_use]
    pub fn open() -> Self {
        let standing = Standing { life: 0, until: None, members: 1, ahead: SignedDuration::ZERO };
        Self { standing: watch::Sender::new(standing) }
    }

    fn renew(&self, until: Instant, members: usize, ahead: SignedDuration) {
        self.standing.send_modify(|standing| {
            *standing = Standing { until: Some(until), members, ahead, ..*standing };
        });
    }

    /// Nothing that was begun is gone on with.
    fn close(&self) {
        self.standing.send_modify(|standing| {
            standing.life += 1;
            standing.until = Some(Instant::now());
        });
    }

    /// How many daemons share the work.
    pub(crate) fn members(&self) -> usize {
        self.standing.borrow().members.max(1)
    }

    /// The database's clock less this machine's.
    pub(crate) fn ahead(&self) -> SignedDuration {
        self.standing.borrow().ahead
    }

    /// Waits until this daemon may work.
    async fn held(&self) {
        let mut changes = self.standing.subscribe();
        // The sender lives as long as this borrow of it.
        let _ = changes.wait_for(|standing| standing.holds()).await;
    }

    /// Ends when this life of the daemon may no longer work.
    async fn lapsed(&self, life: u64) {
        let mut changes = self.standing.subscribe();
        loop {
            let standing = *changes.borrow_and_update();
            if standing.life != life || !standing.holds() {
                return;
            }
            let end = async {
                match standing.until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Works while this daemon may, and looks before each poll whether it still may. Work that is given up
    /// stands as it would after a kill: what was begun is on record, and is looked at first.
    pub(crate) async fn while_held<F: Future>(&self, work: F) -> Result<F::Output, GivenUp> {
        let life = self.standing.borrow().life;
        let mut lapsed = pin!(self.lapsed(life));
        let mut work = pin!(work);
        poll_fn(|context| {
            let standing = *self.standing.borrow();
            if standing.life != life || !standing.holds() {
                return Poll::Ready(Err(GivenUp));
            }
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            lapsed.as_mut().poll(context).map(|()| Err(GivenUp))
        })
        .await
    }
}

impl Daemon {
    /// Works while this daemon may, after waiting until it may.
    pub(super) async fn fenced<T>(
        &self,
        work: impl Future<Output = Result<T, CycleError>>,
    ) -> Result<T, CycleError> {
        self.fence.held().await;
        match self.fence.while_held(work).await {
            Ok(done) => done,
            Err(GivenUp) => Err(StoreError::FencedOff.into()),
        }
    }

    fn takeover(&self) -> Duration {
        Duration::from_secs(self.cycle().config.execution.takeover_seconds.into())
    }

    /// Joins the other daemons on a shared state, under a new session.
    pub(super) async fn join(&self) -> Result<(), CycleError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let sent = Instant::now();
        let new = Newcomer {
            name: &self.owner,
            session: Uuid::now_v7(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at.unwrap_or_else(|| self.now()),
        };
        self.store.join(&new).await?;
        self.beat_of(sent).await.map(drop)
    }

    /// Says once that this daemon is there. True while its session stands.
    async fn beat_of(&self, sent: Instant) -> Result<crate::store::Beat, CycleError> {
        let takeover = self.takeover();
        let silent_for = SignedDuration::try_from(takeover).unwrap_or(SignedDuration::MAX);
        let beat = self.store.beat(silent_for).await?;
        if beat.stands {
            let ahead = beat.at.duration_since(self.now());
            // One beat less than the others wait.
            self.fence.renew(sent + takeover * (BEATS - 1) / BEATS, beat.members, ahead);
        }
        Ok(beat)
    }

    /// The moment by the clock that all daemons on the state share.
    pub(super) fn shared_now(&self) -> Timestamp {
        let now = self.now();
        now.checked_add(self.fence.ahead()).unwrap_or(now)
    }

    async fn take_over_from(&self, silent: &[String]) -> Result<(), CycleError> {
        let takeover = self.takeover();
        let silent_for = SignedDuration::try_from(takeover).unwrap_or(SignedDuration::MAX);
        for name in silent {
            if !self.store.take_over(name, silent_for, self.now()).await? {
                continue;
            }
            tracing::warn!(daemon = %name, "not heard of; its work is taken over");
            self.post_of(name.clone(), CancellationToken::new()).begin().await?;
            self.wake();
        }
        Ok(())
    }
}

/// Why a daemon has to end: another process uses its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replaced;

/// What a beat told.
enum Told {
    Stands(Vec<String>),
    FencedOff,
    Replaced,
    Nothing,
}

impl Daemon {
    async fn beat(&self) -> Told {
        let beat = tokio::time::timeout(self.takeover() / 2, self.beat_of(Instant::now())).await;
        match beat {
            Ok(Ok(beat)) if beat.stands => Told::Stands(beat.silent),
            Ok(Ok(beat)) if beat.replaced => Told::Replaced,
            Ok(Ok(_) | Err(CycleError::Store(StoreError::FencedOff))) => Told::FencedOff,
            Ok(Err(error)) => {
                log_failure("saying that this daemon is there", &error);
                Told::Nothing
            }
            Err(_) => {
                tracing::warn!("the state does not answer; work stops until it does");
                Told::Nothing
            }
        }
    }

    async fn join_anew(&self) {
        self.fence.close();
        tracing::warn!("not heard of for too long: other daemons have the work; joining anew");
        match tokio::time::timeout(self.takeover(), self.join()).await {
            Ok(Ok(())) => self.wake_here(),
            Ok(Err(error)) => log_failure("joining the other daemons", &error),
            Err(_) => tracing::warn!("the state does not answer; joining is tried again"),
        }
    }
}

/// Says again and again that this daemon is there, takes over from those that are silent, and joins anew
/// when it was taken over from. Ends only when another process joins under the same name.
pub(super) async fn being_there(daemon: Arc<Daemon>) -> Replaced {
    if !daemon.store.is_shared() {
        return std::future::pending().await;
    }
    // After the database was away, all are silent: nobody is taken over before they could be heard again.
    let mut steady_since = Instant::now();
    // Beside the beats: it may wait for a lock that the silent one holds.
    let mut taking_over: Option<tokio::task::JoinHandle<()>> = None;
    loop {
        let begun = Instant::now();
        match daemon.beat().await {
            Told::Stands(silent) => {
                let busy = taking_over.as_ref().is_some_and(|task| !task.is_finished());
                if !silent.is_empty() && !busy && steady_since.elapsed() >= daemon.takeover() {
                    let daemon = daemon.clone();
                    taking_over = Some(tokio::spawn(async move {
                        if let Err(error) = daemon.take_over_from(&silent).await {
                            log_failure("taking over", &error);
                        }
                    }));
                }
            }
            Told::Replaced => {
                daemon.fence.close();
                return Replaced;
            }
            Told::FencedOff => {
                daemon.join_anew().await;
                steady_since = Instant::now();
            }
            Told::Nothing => steady_since = Instant::now(),
        }
        tokio::time::sleep_until(begun + daemon.takeover() / BEATS).await;
    }
}

/// Heeds what the other daemons say. Without it, they are heard at the next poll.
pub(super) async fn heeding(daemon: Arc<Daemon>) {
    if !daemon.store.is_shared() {
        return std::future::pending().await;
    }
    loop {
        if let Err(error) = daemon.store.heed_others(|| daemon.wake_here()).await {
            log_failure("listening to the other daemons", &error.into());
        }
        tokio::time::sleep(super::run::AFTER_FAILURE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence_for(time: Duration) -> Fence {
        let fence = Fence::open();
        fence.renew(Instant::now() + time, 3, SignedDuration::ZERO);
        fence
    }

    #[tokio::test]
    async fn work_is_given_up_when_the_fence_lapses_though_it_waits_for_nothing_else() {
        let fence = fence_for(Duration::from_millis(20));
        let given_up = fence.while_held(std::future::pending::<()>()).await;
        assert_eq!(given_up, Err(GivenUp));
    }

    #[tokio::test]
    async fn work_that_wakes_after_the_fence_lapsed_is_not_polled_again() {
        let fence = fence_for(Duration::from_secs(3_600));
        let (answer, answered) = tokio::sync::oneshot::channel::<()>();
        let went_on = std::cell::Cell::new(false);
        let work = async {
            let _ = answered.await;
            went_on.set(true);
        };
        let mut work = pin!(fence.while_held(work));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(work.as_mut().poll(&mut context).is_pending());
        // The process was frozen: the answer came, and the others have taken over.
        answer.send(()).unwrap();
        fence.renew(Instant::now(), 3, SignedDuration::ZERO);
        assert_eq!(work.await, Err(GivenUp));
        assert!(!went_on.get());
    }

    #[tokio::test]
    async fn work_of_an_earlier_life_is_given_up_though_the_fence_holds_again() {
        let fence = fence_for(Duration::from_secs(3_600));
        let mut work = pin!(fence.while_held(std::future::pending::<()>()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(work.as_mut().poll(&mut context).is_pending());
        fence.close();
        fence.renew(Instant::now() + Duration::from_secs(3_600), 3, SignedDuration::ZERO);
        assert_eq!(work.await, Err(GivenUp));
        assert_eq!(fence.while_held(async { 7 }).await, Ok(7));
    }
}
