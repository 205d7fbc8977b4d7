//! The help desk's task: tickets are brought there and followed (H1, H2).

use super::Daemon;
use super::run::{AFTER_FAILURE, log_failure};
use crate::tickets::Clerk;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

impl Daemon {
    /// Between two looks at what the help desk was asked for.
    fn poll_of_tickets(&self) -> Duration {
        /// Without a section `help_desk`, requests may go to one nevertheless.
        const TEN_MINUTES: Duration = Duration::from_secs(600);
        self.cycle().config.help_desk.as_ref().map_or(TEN_MINUTES, crate::config::HelpDesk::poll)
    }

    /// Until the next ticket is to be worked on, half a minute at most: what needs a ticket is looked
    /// for anew.
    async fn pause_until_next_ticket(&self, clerk: &Clerk, requests_at: Timestamp) -> Duration {
        const LONGEST: Duration = Duration::from_secs(30);
        let next = clerk.next_at().await.ok().flatten();
        let at = next.map_or(requests_at, |at| at.min(requests_at));
        Duration::try_from(at.duration_since(self.now()))
            .unwrap_or_default()
            .clamp(Duration::from_secs(1), LONGEST)
    }
}

/// Brings tickets to the help desk and follows them. What was begun is recorded before it stops.
pub(super) async fn keeping_tickets(daemon: Arc<Daemon>, stop: CancellationToken) {
    let mut rounds = daemon.execute.subscribe();
    let mut requests_at = daemon.now();
    let mut failed = false;
    while !stop.is_cancelled() {
        rounds.mark_unchanged();
        let clerk = daemon.clerk();
        let now = daemon.now();
        let poll = SignedDuration::try_from(daemon.poll_of_tickets()).unwrap_or_default();
        // Further off than a poll: the clock was set back.
        if requests_at <= now || requests_at.duration_since(now) > poll {
            if let Err(error) = daemon.fenced(clerk.look_at_requests()).await {
                log_failure("looking at requests", &error);
            }
            requests_at = now.checked_add(poll).unwrap_or(now);
            daemon.wake();
            rounds.mark_unchanged();
        }
        let round = async {
            if failed {
                daemon.store.release_lost_tickets(daemon.owner()).await?;
            }
            clerk.round().await
        };
        let round = daemon.fenced(round).await;
        failed = round.is_err();
        let pause = match round {
            Ok(moved) => {
                if moved {
                    daemon.wake();
                    rounds.mark_unchanged();
                }
                daemon.pause_until_next_ticket(&clerk, requests_at).await
            }
            Err(error) => {
                log_failure("keeping tickets", &error);
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            changed = rounds.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}
