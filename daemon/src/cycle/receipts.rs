//! The receipt of a drop: it lies beside the file, and HR may get it by mail.

use super::take::{Drop, Summary, Taking};
use super::{Cycle, CycleError};
use crate::notices::{Facts, ReceiptFacts, written};
use crate::store::{NewNotice, Tx};
use jiff::{Timestamp, Zoned};
use lapsed_core::intake::{Rejection, digest, receipt};
use lapsed_core::notice_rules::{Addressee, Kind, notice_id};
use lapsed_core::shown::{shown_in_a_cell, shown_within};
use uuid::Uuid;

/// A mail carries so many lines of a receipt; the whole of it lies beside the file.
const LINES_IN_A_MAIL: usize = 500;

impl Cycle {
    /// The receipt of a drop that was handled.
    pub(crate) fn receipt(&self, drop: Drop<'_>, taking: &Taking, now: Timestamp) -> String {
        match taking {
            Taking::Rejected(rejection) => self.of_rejected(drop, rejection, now),
            Taking::Repeated(_) => self.about(drop, now, receipt::of_repeated),
            Taking::Taken(summary) => self.of_taken(drop, summary, now),
        }
    }

    fn of_rejected(&self, drop: Drop<'_>, rejection: &Rejection, now: Timestamp) -> String {
        self.about(drop, now, |about| receipt::of_rejected(about, rejection))
    }

    fn of_taken(&self, drop: Drop<'_>, summary: &Summary, now: Timestamp) -> String {
        let text = self.about(drop, now, |about| {
            receipt::of_taken(about, &summary.taken, &summary.unmatched, summary.effect())
        });
        text + &missing(summary)
    }

    fn about(
        &self,
        drop: Drop<'_>,
        now: Timestamp,
        write: impl FnOnce(receipt::About<'_>) -> String,
    ) -> String {
        let read_at: Zoned = now.to_zoned(self.config.time_zone.clone());
        write(receipt::About {
            feed: drop.feed.as_str(),
            file_name: drop.file_name,
            read_at: &read_at,
            digest: &digest(drop.bytes),
        })
    }

    /// Queues the receipt of a rejected drop for those who send the feed.
    pub(super) async fn tell_rejected(
        &self,
        tx: &Tx,
        drop: Drop<'_>,
        rejection: &Rejection,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        self.tell_receipt(tx, drop, ("rejected", &self.of_rejected(drop, rejection, now)), now)
            .await
    }

    /// Queues the receipt of a taken drop for those who send the feed.
    pub(super) async fn tell_taken(
        &self,
        tx: &Tx,
        drop: Drop<'_>,
        summary: &Summary,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        self.tell_receipt(tx, drop, ("taken", &self.of_taken(drop, summary, now)), now).await
    }

    async fn tell_receipt(
        &self,
        tx: &Tx,
        drop: Drop<'_>,
        (verdict, text): (&str, &str),
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let is_wanted = settings.receipts.get(drop.feed).is_some_and(|list| !list.is_empty());
        if !is_wanted || !settings.rule(Kind::Receipt).send {
            return Ok(());
        }
        let facts = Facts::Receipt(ReceiptFacts {
            feed: drop.feed.to_string(),
            file: shown_within(drop.file_name, 120),
            verdict: verdict.to_owned(),
            receipt: cut(text),
        });
        let letter = written(&settings.wording, Kind::Receipt, &facts, drop.file_name);
        let to = Addressee::Feed { feed: drop.feed.clone() };
        // The same file at another time is another receipt.
        let stage = format!("{} {now}", digest(drop.bytes));
        let notice = NewNotice {
            id: notice_id(
                Uuid::new_v5(&Uuid::NAMESPACE_OID, drop.feed.as_str().as_bytes()),
                Kind::Receipt,
                &to,
                &stage,
            ),
            kind: Kind::Receipt,
            case: None,
            person: None,
            about: shown_within(drop.file_name, 120),
            addressee: to,
            addresses: Vec::new(),
            subject: letter.subject,
            body: letter.body,
            told: Vec::new(),
            by_digest: false,
        };
        tx.queue_notices(&[notice], now).await?;
        Ok(())
    }
}

fn cut(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().take(LINES_IN_A_MAIL + 1).collect();
    if lines.len() > LINES_IN_A_MAIL {
        lines.truncate(LINES_IN_A_MAIL);
        lines.push("… the whole receipt lies beside the file");
    }
    lines.join("\n")
}

fn missing(summary: &Summary) -> String {
    if summary.missing.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\nIn the last full drop and not in this one: {}. Absence is no notice; nothing was changed for\n\
         them. If they have left, send them with their last day:\n",
        summary.missing.len()
    );
    for key in summary.missing.iter().take(1_000) {
        text += &format!("  {}\n", shown_in_a_cell(key));
    }
    text
}
