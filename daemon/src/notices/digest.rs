//! The daily digest: what does not go out by itself, in one mail an address. An empty one is not sent.

use super::addresses::{Found, MembersAsked};
use super::facts::{DigestFacts, DigestGroup, DigestLine, Facts};
use crate::config::NoticeSettings;
use crate::cycle::{Cycle, CycleError, shown_date};
use crate::store::{NewNotice, NoticeFilter, NoticeState, StoredNotice};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::notice_rules::{Addressee, Kind, notice_id};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The setting with the day of the last digest.
const LAST: &str = "notices: day of the last digest";
/// The root of the ids of digests.
const DIGESTS: Uuid = Uuid::from_u128(0x6c61_7073_6564_0000_6469_6765_7374_0001);
/// What one digest tells one by one; nobody reads more.
const MOST_LINES: usize = 2_000;

impl Cycle {
    /// Writes today's digests, once the time for them has come.
    pub(crate) async fn write_digests(&self, now: Timestamp) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let local = now.to_zoned(self.config.time_zone.clone());
        let today = local.date();
        let is_early = local.time() < settings.digest_at.time();
        if is_early || self.store.read().setting::<Date>(LAST).await? == Some(today) {
            return Ok(());
        }
        // Looked up before the transaction: nothing waits for a directory in one.
        let everyone = Addressee::AccountManagement;
        let to = match self
            .addresses_of(settings, (Kind::Digest, &everyone), None, &mut MembersAsked::default())
            .await?
        {
            Found::To(list) => list,
            Found::Nobody(_) | Found::Later(_) => settings.account_management.clone(),
        };
        let tx = self.store.begin().await?;
        if tx.read().setting::<Date>(LAST).await? == Some(today) {
            return Ok(());
        }
        let filter = NoticeFilter {
            states: vec![NoticeState::Queued],
            by_digest: true,
            ..NoticeFilter::default()
        };
        let mut by_address: BTreeMap<Vec<String>, Vec<StoredNotice>> = BTreeMap::new();
        for notice in tx.read().notices(&filter).await? {
            let addresses =
                if notice.addresses.is_empty() { to.clone() } else { notice.addresses.clone() };
            by_address.entry(addresses).or_default().push(notice);
        }
        if settings.rule(Kind::Digest).send {
            for (addresses, mut notices) in by_address {
                // The rest waits for tomorrow's: only what is told is carried.
                notices.truncate(MOST_LINES);
                let digest = self.digest(settings, today, addresses, &notices);
                let lines: Vec<Uuid> = notices.iter().map(|notice| notice.id).collect();
                tx.carry_in_digest(digest.id, &lines).await?;
                tx.queue_notices(&[digest], now).await?;
            }
        }
        tx.set_setting(LAST, &today).await?;
        tx.commit().await?;
        Ok(())
    }

    fn digest(
        &self,
        settings: &NoticeSettings,
        today: Date,
        addresses: Vec<String>,
        notices: &[StoredNotice],
    ) -> NewNotice {
        let facts = Facts::Digest(DigestFacts {
            agency: self.config.agency.name.clone(),
            day: shown_date(today),
            count: notices.len(),
            groups: groups(notices),
        });
        let about = shown_date(today);
        let letter = super::wording::written(&settings.wording, Kind::Digest, &facts, &about);
        let stage = format!("{today} {}", addresses.join(" "));
        NewNotice {
            id: notice_id(DIGESTS, Kind::Digest, &Addressee::AccountManagement, &stage),
            kind: Kind::Digest,
            case: None,
            person: None,
            about,
            addressee: Addressee::AccountManagement,
            addresses,
            subject: letter.subject,
            body: letter.body,
            told: Vec::new(),
            by_digest: false,
        }
    }
}

fn groups(notices: &[StoredNotice]) -> Vec<DigestGroup> {
    let mut groups: BTreeMap<Kind, Vec<DigestLine>> = BTreeMap::new();
    for notice in notices {
        let says_all = notice.kind.is_for_digest_only() || notice.kind.is_list();
        let body = (!says_all).then(|| set_in(&notice.body));
        let line = DigestLine { subject: notice.subject.clone(), body };
        groups.entry(notice.kind).or_default().push(line);
    }
    let titled = |(kind, lines)| DigestGroup { title: title(kind).to_owned(), lines };
    groups.into_iter().map(titled).collect()
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::AccountManagement => "Accounts that were shut",
        Kind::Manager => "People who left",
        Kind::DeletionAhead => "Deletions ahead",
        Kind::DatesChanged => "Dates that changed",
        Kind::HeldInTrust => "To be taken over",
        Kind::SecurityOfficer => "Accounts that were shut, for the security officer",
        Kind::Receipt => "Receipts",
        Kind::Alarm => "Alarms",
        Kind::Digest => "Digests",
        Kind::ApprovalWanted => "Access forms to decide on",
        Kind::ApprovalReminder => "Access forms that wait to be decided on",
        Kind::FormDenied => "Access forms that were denied",
        Kind::AccessInPlace => "Access that is in place",
        Kind::FormEnded => "Access forms that ended",
        Kind::Roster => "Rosters, to be read with lapsed report roster",
        Kind::YearlyReport => "Yearly reports",
    }
}

fn set_in(body: &str) -> String {
    let lines = body.trim_end().lines();
    lines
        .map(|line| if line.is_empty() { String::new() } else { format!("      {line}") })
        .collect::<Vec<_>>()
        .join("\n")
}
