//! Hands notices to the mail server, one at a time.
//!
//! A notice is claimed under a lease while its address is looked up; only then it is marked as being
//! handed over, on stable storage. A daemon that dies in between leaves it unverified: nobody knows
//! whether the server took it. A lost reply is the same.

use super::addresses::{Found, MembersAsked};
use crate::config::NoticeSettings;
use crate::cycle::carry_out::Clock;
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, NoticeClaim, NoticeEnd, StoredNotice};
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::mail::{Letter, MailAddress, MailFault, Postman};
use lapsed_core::citation::Rule;
use lapsed_core::notice_rules::{self, Kind};
use lapsed_core::step::next_attempt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Longer than a mail server and a directory can take together.
const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// A directory that can't be read is asked again for an address after so long.
const DIRECTORY_AWAY: SignedDuration = SignedDuration::from_mins(1);
/// More attempts at a notice that was handed over without an answer would be a nuisance.
const MOST_DOUBTFUL_ATTEMPTS: u32 = 3;
/// The setting under which the mail server's last trouble is kept; null when it took a mail.
pub(crate) const MAIL_HEALTH: &str = "health of the mail server";

/// The sender.
pub struct Post {
    /// State, rules, and eyes on the directories.
    pub cycle: Cycle,
    /// This daemon's name in leases.
    pub owner: String,
    /// The moment.
    pub clock: Clock,
    /// When this is cancelled, the notice under way is still finished, and no other begun.
    pub stop: CancellationToken,
}

/// How one notice went.
enum Gone {
    /// It was dealt with.
    On,
    /// The mail server is away: the others wait as well.
    ServerAway,
}

impl Post {
    /// Sends what waits and may go out now; says how many the mail server took.
    pub async fn round(&self) -> Result<u64, CycleError> {
        let config = self.cycle.config.clone();
        let (Some(settings), Some(mail)) = (&config.notices, &config.mail) else { return Ok(0) };
        let postman = match Postman::new(mail) {
            Ok(postman) => postman,
            Err(error) => {
                tracing::error!(%error, "notices wait: the mail server's settings can't be used");
                return Ok(0);
            }
        };
        self.doubt(settings, false).await?;
        let (mut sent, mut asked) = (0, MembersAsked::default());
        while !self.stop.is_cancelled() {
            let claim =
                NoticeClaim { now: (self.clock)(), owner: &self.owner, lease_for: LEASE, limit: 1 };
            let Some(notice) = self.cycle.store.claim_notices(&claim).await?.pop() else {
                return Ok(sent);
            };
            match self.send(settings, &postman, notice, (&mut sent, &mut asked)).await? {
                Gone::On => {}
                Gone::ServerAway => return Ok(sent),
            }
        }
        Ok(sent)
    }

    /// At the start: what this daemon was handing over when it died is in doubt at once.
    pub async fn begin(&self) -> Result<(), CycleError> {
        match &self.cycle.config.notices {
            Some(settings) => self.doubt(settings, true).await,
            None => Ok(()),
        }
    }

    async fn doubt(&self, settings: &NoticeSettings, just_begun: bool) -> Result<(), CycleError> {
        let now = (self.clock)();
        let lost = self.cycle.store.doubt_lost_notices(&self.owner, just_begun, now).await?;
        if !lost.is_empty() {
            tracing::warn!(notices = lost.len(), "it is not known whether they were sent");
        }
        for id in lost {
            if let Some(notice) = self.cycle.store.read().notice(id).await? {
                self.maybe_again(settings, &notice, now).await?;
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        settings: &NoticeSettings,
        postman: &Postman,
        mut notice: StoredNotice,
        (sent, asked): (&mut u64, &mut MembersAsked),
    ) -> Result<Gone, CycleError> {
        let now = (self.clock)();
        if notice.addresses.is_empty() {
            let (to, leaver) = (notice.addressee.clone(), notice.person);
            match self.cycle.addresses_of(settings, (notice.kind, &to), leaver, asked).await? {
                Found::To(addresses) => notice.addresses = addresses,
                Found::Nobody(why) => to_somebody_else(settings, &mut notice, &why),
                Found::Later(why) => {
                    let at = now.checked_add(DIRECTORY_AWAY).unwrap_or(now);
                    self.end(&notice, notice.token, NoticeEnd::Again(at, why)).await?;
                    return Ok(Gone::On);
                }
            }
        }
        if self.is_flood(settings, &notice, now).await? {
            let end = NoticeEnd::ToDigest(notice.addresses.clone());
            self.end(&notice, notice.token, end).await?;
            return Ok(Gone::On);
        }
        let letter = match letter(postman, &notice) {
            Ok(letter) => letter,
            Err(why) => {
                self.end(&notice, notice.token, NoticeEnd::Failed(why)).await?;
                return Ok(Gone::On);
            }
        };
        let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
        let tx = self.cycle.store.begin().await?;
        let ours = tx.begin_sending(&notice, until, now).await?;
        tx.commit().await?;
        if !ours {
            return Ok(Gone::On);
        }
        self.hand_over(settings, postman, &notice, &letter, sent).await
    }

    async fn hand_over(
        &self,
        settings: &NoticeSettings,
        postman: &Postman,
        notice: &StoredNotice,
        letter: &Letter,
        sent: &mut u64,
    ) -> Result<Gone, CycleError> {
        let result = postman.send(letter).await;
        let now = (self.clock)();
        let token = notice.token + 1;
        let away = match &result {
            Err(fault @ MailFault::NotSent(_)) => Some(fault.to_string()),
            _ => None,
        };
        let tx = self.cycle.store.begin().await?;
        tx.set_setting(MAIL_HEALTH, &away).await?;
        tx.commit().await?;
        match result {
            Ok(_) => {
                *sent += 1;
                self.end(notice, token, NoticeEnd::Sent).await?;
            }
            Err(MailFault::NotSent(why)) => {
                let again = NoticeEnd::Again(later(now, notice.attempts), why);
                self.end(notice, token, again).await?;
                return Ok(Gone::ServerAway);
            }
            Err(fault @ MailFault::Lost(_)) => {
                self.end(notice, token, NoticeEnd::Unverified(fault.to_string())).await?;
                if let Some(notice) = self.cycle.store.read().notice(notice.id).await? {
                    self.maybe_again(settings, &notice, now).await?;
                }
            }
            Err(fault @ MailFault::Refused(_)) => {
                self.end(notice, token, NoticeEnd::Failed(fault.to_string())).await?;
            }
        }
        Ok(Gone::On)
    }

    async fn maybe_again(
        &self,
        settings: &NoticeSettings,
        notice: &StoredNotice,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        if settings.send_unverified_again && notice.attempts < MOST_DOUBTFUL_ATTEMPTS {
            let tx = self.cycle.store.begin().await?;
            tx.send_again(&[notice.id], later(now, notice.attempts)).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// More of a kind to one address within an hour than anybody reads one by one.
    async fn is_flood(
        &self,
        settings: &NoticeSettings,
        notice: &StoredNotice,
        now: Timestamp,
    ) -> Result<bool, CycleError> {
        if notice.kind == Kind::Digest {
            return Ok(false);
        }
        let since = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let read = self.cycle.store.read();
        let lately = read.notices_lately(notice.kind, &notice.addresses, since).await?;
        Ok(lately >= u64::from(settings.flood))
    }

    async fn end(
        &self,
        notice: &StoredNotice,
        token: i64,
        end: NoticeEnd,
    ) -> Result<(), CycleError> {
        let now = (self.clock)();
        let mut tx = self.cycle.store.begin().await?;
        let written = tx.end_notice(notice.id, token, &end, now).await?;
        let (event, why) = match &end {
            NoticeEnd::Sent => ("notice.sent", None),
            NoticeEnd::Unverified(why) => ("notice.unverified", Some(why)),
            NoticeEnd::Failed(why) => ("notice.failed", Some(why)),
            NoticeEnd::Again(_, why) => {
                tracing::warn!(notice = %notice.id, kind = %notice.kind, %why, "a notice waits");
                ("", None)
            }
            NoticeEnd::ToDigest(_) | NoticeEnd::Superseded(_) => ("", None),
        };
        if written && !event.is_empty() {
            tx.audit(AuditEntry {
                person: notice.person,
                case: notice.case,
                clause: rule(notice.kind).map(|rule| self.cycle.config.policy.citations.cite(rule)),
                detail: json!({
                    "notice": notice.id, "kind": notice.kind, "about": notice.about,
                    "to": notice.addresses, "why": why,
                }),
                ..AuditEntry::new(now, DAEMON, event)
            });
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The rule that asks for a kind of notice.
fn rule(kind: Kind) -> Option<Rule> {
    match kind {
        Kind::Manager | Kind::DeletionAhead | Kind::DatesChanged => Some(Rule::D9),
        Kind::HeldInTrust => Some(Rule::S7),
        Kind::SecurityOfficer => Some(Rule::D14),
        Kind::ApprovalWanted | Kind::ApprovalReminder => Some(Rule::A2),
        Kind::FormDenied | Kind::FormEnded => Some(Rule::A3),
        Kind::AccessInPlace => Some(Rule::A6),
        Kind::Receipt => Some(Rule::D1),
        Kind::Roster => Some(Rule::S6),
        Kind::YearlyReport => Some(Rule::S5),
        Kind::AccountManagement | Kind::Alarm | Kind::Digest => None,
    }
}

fn later(now: Timestamp, attempts: u32) -> Timestamp {
    next_attempt(now, attempts)
}

/// Account management gets what finds nobody, with the reason said.
fn to_somebody_else(settings: &NoticeSettings, notice: &mut StoredNotice, why: &str) {
    notice.addresses = settings.account_management.clone();
    let letter =
        notice_rules::Letter { subject: notice.subject.clone(), body: notice.body.clone() };
    let around = settings.wording.to_somebody_else(&letter, why);
    let around = around.or_else(|_| super::Wording::default().to_somebody_else(&letter, why));
    if let Ok(around) = around {
        notice.subject = around.subject;
        notice.body = around.body;
    }
}

fn letter(postman: &Postman, notice: &StoredNotice) -> Result<Letter, String> {
    let to = notice.addresses.iter().map(|address| MailAddress::parse(address));
    let to = to.collect::<Result<Vec<_>, _>>().map_err(|bad| bad.to_string())?;
    let id = postman.message_id(notice.id, "notice");
    Ok(Letter::new(to, notice.subject.clone(), notice.body.clone(), id))
}
