//! What `lapsed status` wants looked at at once becomes a notice for the on-call, once for as long as it
//! lasts. The status is the single source: its words, its remedies.

use super::facts::{AlarmFacts, Facts};
use crate::config::NoticeSettings;
use crate::cycle::{Cycle, CycleError};
use crate::store::NewNotice;
use crate::views::AttentionView;
use jiff::{SignedDuration, Timestamp};
use lapsed_core::notice_rules::{Addressee, Kind, notice_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The setting with the alarms that stand.
const STANDING: &str = "notices: alarms that stand";
/// The root of the ids of alarms.
const ALARMS: Uuid = Uuid::from_u128(0x6c61_7073_6564_0000_616c_6172_6d73_0001);

/// Kinds of attention that the on-call hears of; the others wait for somebody to look.
#[must_use]
pub fn alarm_kinds() -> &'static [&'static str] {
    &[
        "late_feed",
        "folder_unreadable",
        "plan_held",
        "protected_departure",
        "not_shut",
        "connector_down",
        "disk_low",
        "audit_checkpoint",
    ]
}

/// An alarm that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Since when.
    pub since: Timestamp,
    /// Whether the on-call was told.
    pub told: bool,
}

type Alarms = BTreeMap<String, Alarm>;

impl Cycle {
    /// Queues alarms for what stands now and has stood long enough, and forgets those that are over: what
    /// comes back is a new alarm.
    pub(crate) async fn raise_alarms(
        &self,
        attention: &[AttentionView],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        if !settings.rule(Kind::Alarm).send {
            return Ok(());
        }
        let now_standing: Vec<(String, &AttentionView)> = attention
            .iter()
            .filter(|one| alarm_kinds().contains(&one.kind.as_str()))
            .map(|one| (key(one), one))
            .collect();
        let known: Alarms = self.store.read().setting(STANDING).await?.unwrap_or_default();
        if next(settings, known.clone(), &now_standing, now).0 == known {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        let known: Alarms = tx.read().setting(STANDING).await?.unwrap_or_default();
        let (standing, due) = next(settings, known, &now_standing, now);
        let new: Vec<NewNotice> =
            due.iter().map(|(key, since, one)| self.alarm(settings, key, *since, one)).collect();
        tx.queue_notices(&new, now).await?;
        tx.set_setting(STANDING, &standing).await?;
        tx.commit().await?;
        Ok(())
    }

    fn alarm(
        &self,
        settings: &NoticeSettings,
        key: &str,
        since: Timestamp,
        attention: &AttentionView,
    ) -> NewNotice {
        let facts = Facts::Alarm(AlarmFacts {
            agency: self.config.agency.name.clone(),
            kind: attention.kind.clone(),
            what: attention.what.clone(),
            remedy: attention.remedy.clone(),
            since: self.shown_time(since),
        });
        let letter =
            super::wording::written(&settings.wording, Kind::Alarm, &facts, &attention.kind);
        let stage = format!("{key} {since}");
        NewNotice {
            id: notice_id(ALARMS, Kind::Alarm, &Addressee::OnCall, &stage),
            kind: Kind::Alarm,
            case: None,
            person: None,
            about: attention.kind.clone(),
            addressee: Addressee::OnCall,
            addresses: Vec::new(),
            subject: letter.subject,
            body: letter.body,
            told: Vec::new(),
            by_digest: false,
        }
    }
}

type Due<'a> = (String, Timestamp, &'a AttentionView);

/// The alarms that stand now, and those among them that the on-call is to hear of now.
fn next<'a>(
    settings: &NoticeSettings,
    mut known: Alarms,
    now_standing: &[(String, &'a AttentionView)],
    now: Timestamp,
) -> (Alarms, Vec<Due<'a>>) {
    known.retain(|key, _| now_standing.iter().any(|(other, _)| other == key));
    let mut due = Vec::new();
    for (key, attention) in now_standing {
        let alarm = known.entry(key.clone()).or_insert(Alarm { since: now, told: false });
        if !alarm.told && now >= alarm.since + patience(settings, &attention.kind) {
            alarm.told = true;
            due.push((key.clone(), alarm.since, *attention));
        }
    }
    (known, due)
}

/// How long a thing may stand before it is an alarm: targets restart.
fn patience(settings: &NoticeSettings, kind: &str) -> SignedDuration {
    match kind {
        "connector_down" | "folder_unreadable" => {
            SignedDuration::from_mins(settings.connector_down_minutes.into())
        }
        _ => SignedDuration::ZERO,
    }
}

/// What an alarm is about, without counts that change while it stands: `connector_down: connector mail does
/// not answer`.
fn key(attention: &AttentionView) -> String {
    let head = attention.what.split(": ").next().unwrap_or_default();
    let counts = |word: &&str| {
        let digits = word.trim_matches(|c: char| !c.is_alphanumeric());
        digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_digit())
    };
    let words: Vec<&str> = head.split_whitespace().filter(counts).collect();
    format!("{}: {}", attention.kind, words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use rstest::rstest;

    fn settings() -> NoticeSettings {
        let small = include_str!("../config/tests/small.yaml");
        let text = format!(
            "{small}mail: {{ server: mail.dmh.test, from: lapsed@dmh.test }}\n\
             notices: {{ account_management: [accounts@dmh.test], connector_down_minutes: 30 }}\n"
        );
        parse(&text, "lapsed.yaml").unwrap().0.notices.unwrap()
    }

    fn attention(kind: &str, what: &str) -> AttentionView {
        AttentionView { kind: kind.into(), what: what.into(), remedy: "lapsed check".into() }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn told(known: Alarms, standing: &[AttentionView], minutes: i64) -> (Alarms, usize) {
        let standing: Vec<_> = standing.iter().map(|one| (key(one), one)).collect();
        let (known, due) = next(&settings(), known, &standing, at(minutes));
        (known, due.len())
    }

    #[rstest]
    #[case("connector mail does not answer (5 steps wait): timed out")]
    #[case("connector mail does not answer (12 steps wait): refused")]
    fn an_alarm_is_the_same_whatever_is_counted(#[case] what: &str) {
        let same = "connector_down: connector mail does not answer steps wait):";
        assert_eq!(key(&attention("connector_down", what)), same.trim_end_matches(':'));
    }

    #[test]
    fn a_target_is_an_alarm_once_it_was_silent_long_enough_and_once_only() {
        let down =
            [attention("connector_down", "connector mail does not answer (1 steps wait): x")];
        let (known, first) = told(Alarms::new(), &down, 0);
        let (known, soon) = told(known, &down, 29);
        let (known, then) = told(known, &down, 30);
        let (known, after) = told(known, &down, 300);
        assert_eq!((first, soon, then, after), (0, 0, 1, 0));
        let (known, over) = told(known, &[], 301);
        assert_eq!((known.len(), over), (0, 0));
    }

    #[test]
    fn what_is_over_and_comes_back_is_told_again() {
        let late = [attention("late_feed", "feed hr: no file by 07:00")];
        let (known, first) = told(Alarms::new(), &late, 0);
        let (known, _) = told(known, &[], 1);
        let (_, again) = told(known, &late, 2);
        assert_eq!((first, again), (1, 1));
    }
}
