//! A round of telling: what is ahead, alarms, the digest, then the sender.

use super::facts::{AlarmFacts, Facts};
use super::{Post, written};
use crate::answers;
use crate::config::NoticeSettings;
use crate::cycle::CycleError;
use crate::service::Daemon;
use jiff::Timestamp;
use lapsed_connectors::mail::{Letter, MailAddress, Postman};
use lapsed_core::notice_rules::{Addressee, Kind, notice_id};
use lapsed_core::shown::shown;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The alarm that can't stand in the status.
const DATABASE_DOWN: &str = "database_down";

/// The addresses of alarms, without a look at the state.
fn direct(settings: &NoticeSettings) -> Vec<String> {
    let rule = settings.rule(Kind::Alarm);
    let lists = [rule.to, settings.on_call.clone(), settings.account_management.clone()];
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

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
        self.post_of(self.owner().to_owned(), stop)
    }

    /// The sender with another daemon's name, whose notices are looked at.
    pub(crate) fn post_of(&self, owner: String, stop: CancellationToken) -> Post {
        Post { cycle: self.cycle(), owner, clock: self.clock(), stop }
    }

    /// Tells the on-call that the state can't be reached, by the mail server alone: without the state
    /// there is no outbox. The same trouble has the same Message-ID, whoever tells it again.
    pub(crate) async fn tell_that_the_state_is_away(&self, since: Timestamp, why: &str) {
        let cycle = self.cycle();
        let (Some(settings), Some(mail)) = (&cycle.config.notices, &cycle.config.mail) else {
            return;
        };
        let facts = Facts::Alarm(AlarmFacts {
            agency: cycle.config.agency.name.clone(),
            kind: DATABASE_DOWN.into(),
            what: format!("the state can't be reached: {}", shown(why)),
            remedy: "look at the database server, or at the disk; the daemon goes on by itself"
                .into(),
            since: cycle.shown_time(since),
        });
        let written = written(&settings.wording, Kind::Alarm, &facts, DATABASE_DOWN);
        let to = direct(settings);
        let to: Vec<_> = to.iter().filter_map(|a| MailAddress::parse(a).ok()).collect();
        let Ok(postman) = Postman::new(mail) else { return };
        let id = notice_id(Uuid::nil(), Kind::Alarm, &Addressee::OnCall, &since.to_string());
        let id = postman.message_id(id, "notice");
        let sent = postman.send(&Letter::new(to, written.subject, written.body, id)).await;
        if let Err(error) = sent {
            tracing::error!(%error, "the on-call can't be told that the state is away");
        }
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
        match answers::attention_now(self).await {
            Ok(attention) => cycle.raise_alarms(&attention, now).await?,
            Err(error) => tracing::warn!(%error, "alarms can't be looked for"),
        }
        if look == Look::Around
            && let Err(error) = cycle.tell_what_is_ahead(now).await
        {
            tracing::error!(%error, "what is ahead can't be told; it is tried again");
        }
        cycle.write_digests(now).await?;
        self.post(stop.clone()).round().await
    }
}
