//! A round of telling: what is ahead, alarms, the digest, then the sender.

use super::Post;
use crate::answers;
use crate::cycle::CycleError;
use crate::service::Daemon;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// What a round looks at beside what waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Everything: departures with deletions ahead, too.
    Around,
    /// What waits, and what stands wrong now.
    AtTheQueue,
}

impl Daemon {
    /// The sender of this daemon.
    pub(crate) fn post(&self, stop: CancellationToken) -> Post {
        Post { cycle: self.cycle(), owner: self.owner().to_owned(), clock: self.clock(), stop }
    }

    /// One round of telling; says how many notices the mail server took.
    pub(crate) async fn tell_round(
        &self,
        look: Look,
        stop: &CancellationToken,
    ) -> Result<u64, CycleError> {
        let cycle = self.cycle();
        if cycle.config.notices.is_none() {
            return Ok(0);
        }
        let now: Timestamp = self.now();
        if look == Look::Around {
            cycle.tell_what_is_ahead(now).await?;
        }
        match answers::attention_now(self).await {
            Ok(attention) => cycle.raise_alarms(&attention, now).await?,
            Err(error) => tracing::warn!(%error, "alarms can't be looked for"),
        }
        cycle.write_digests(now).await?;
        self.post(stop.clone()).round().await
    }
}
