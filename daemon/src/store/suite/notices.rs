//! The outbox.

use super::Ended;
use super::fixtures::{NOW, case_of, later, leavers, open, person};
use jiff::SignedDuration;
use lapsed::store::{
    DatabaseSettings, NewNotice, NoticeClaim, NoticeEnd, NoticeFilter, NoticeState, Store,
    StoreError, StoredNotice,
};
use lapsed_core::notice_rules::{Addressee, Kind};
use uuid::Uuid;

fn notice(number: u128) -> NewNotice {
    NewNotice {
        id: Uuid::from_u128(number),
        kind: Kind::Manager,
        case: None,
        person: None,
        about: "mzsmitj".into(),
        addressee: Addressee::AccountManagement,
        addresses: Vec::new(),
        subject: format!("Subject {number}"),
        body: "Text.\n".into(),
        told: Vec::new(),
        by_digest: false,
    }
}

async fn queued(store: &Store, all: &[NewNotice]) -> Result<Vec<Uuid>, StoreError> {
    let tx = store.begin().await?;
    let new = tx.queue_notices(all, NOW).await?;
    tx.commit().await?;
    Ok(new)
}

async fn claimed(
    store: &Store,
    owner: &str,
    seconds: i64,
) -> Result<Vec<StoredNotice>, StoreError> {
    let lease_for = SignedDuration::from_secs(60);
    store.claim_notices(&NoticeClaim { now: later(seconds), owner, lease_for, limit: 100 }).await
}

async fn sending(store: &Store, notice: &StoredNotice, seconds: i64) -> Result<bool, StoreError> {
    let tx = store.begin().await?;
    let addressed = StoredNotice { addresses: vec!["a@dmh.test".into()], ..notice.clone() };
    let ours = tx.begin_sending(&addressed, later(seconds + 60), later(seconds)).await?;
    tx.commit().await?;
    Ok(ours)
}

async fn ended(store: &Store, id: Uuid, token: i64, end: &NoticeEnd) -> Result<bool, StoreError> {
    let tx = store.begin().await?;
    let written = tx.end_notice(id, token, end, NOW).await?;
    tx.commit().await?;
    Ok(written)
}

async fn states(store: &Store) -> Result<Vec<NoticeState>, StoreError> {
    let all = store.read().notices(&NoticeFilter::default()).await?;
    Ok(all.into_iter().map(|notice| notice.state).collect())
}

pub async fn the_same_notice_is_queued_once(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let leaver = person(0)?;
    let about = NewNotice {
        case: Some(case_of(&leaver).id),
        person: Some(leaver.id),
        addresses: vec!["a@dmh.test".into()],
        ..notice(1)
    };
    assert_eq!(queued(&store, &[about.clone(), notice(2)]).await?.len(), 2);
    let other = NewNotice { subject: "Other words".into(), ..about.clone() };
    assert!(queued(&store, &[other]).await?.is_empty());
    let filter = NoticeFilter { person: Some(leaver.id), ..NoticeFilter::default() };
    let found = store.read().notices(&filter).await?;
    let [one] = &found[..] else { return Err(format!("{found:?}").into()) };
    assert_eq!((one.subject.as_str(), &one.addresses), (about.subject.as_str(), &about.addresses));
    assert_eq!((one.case, one.state, one.queued_at), (about.case, NoticeState::Queued, NOW));
    Ok(())
}

pub async fn a_notice_of_a_dropped_decision_is_not_there(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let tx = store.begin().await?;
    tx.queue_notices(&[notice(1)], NOW).await?;
    drop(tx);
    assert!(states(&store).await?.is_empty());
    Ok(())
}

pub async fn several_senders_never_hand_the_same_notice_over(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let all: Vec<NewNotice> = (1..=40).map(notice).collect();
    queued(&store, &all).await?;
    let mut senders = Vec::new();
    for owner in ["one", "two", "three", "four"] {
        let store = store.clone();
        senders.push(tokio::spawn(async move { claimed(&store, owner, 0).await }));
    }
    let mut ids = Vec::new();
    for sender in senders {
        ids.extend(sender.await??.into_iter().map(|notice| notice.id));
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!((count, ids.len()), (40, 40));
    Ok(())
}

pub async fn a_notice_goes_on_when_the_clock_is_set_back(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    queued(&store, &[notice(1), notice(2)]).await?;
    // Five hours ahead one is put off, and one is in the hands of a daemon that dies.
    let ahead = 5 * 3_600;
    let both = claimed(&store, "dead", ahead).await?;
    let again = NoticeEnd::Again(later(ahead + 900), "busy".into());
    assert!(ended(&store, both[0].id, both[0].token, &again).await?);
    assert!(claimed(&store, "other", ahead - 600).await?.is_empty(), "set right by minutes");
    assert_eq!(claimed(&store, "other", 0).await?.len(), 2);
    Ok(())
}

pub async fn a_sender_that_lost_its_lease_hands_nothing_over(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    queued(&store, &[notice(1)]).await?;
    let slow = claimed(&store, "slow", 0).await?.remove(0);
    assert!(claimed(&store, "quick", 59).await?.is_empty(), "the lease stands");
    let quick = claimed(&store, "quick", 61).await?.remove(0);
    assert!(!sending(&store, &slow, 62).await?);
    assert!(sending(&store, &quick, 62).await?);
    assert!(!ended(&store, slow.id, slow.token, &NoticeEnd::Failed("slow".into())).await?);
    assert!(ended(&store, quick.id, quick.token + 1, &NoticeEnd::Sent).await?);
    assert_eq!(states(&store).await?, [NoticeState::Sent]);
    assert!(claimed(&store, "quick", 10_000).await?.is_empty());
    Ok(())
}

pub async fn what_was_being_handed_over_when_its_daemon_died_is_in_doubt(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    queued(&store, &[notice(1), notice(2)]).await?;
    let both = claimed(&store, "dead", 0).await?;
    assert!(sending(&store, &both[0], 1).await?);
    assert!(
        store.doubt_lost_notices("another", false, later(30)).await?.is_empty(),
        "it may be alive"
    );
    assert_eq!(store.doubt_lost_notices("another", false, later(62)).await?, [both[0].id]);
    assert_eq!(states(&store).await?, [NoticeState::Unverified, NoticeState::Queued]);
    let again = claimed(&store, "other", 100).await?;
    assert_eq!(again.iter().map(|n| n.id).collect::<Vec<_>>(), [both[1].id], "never the first");
    let first = [both[0].id];
    let tx = store.begin().await?;
    tx.send_again(&first, later(200)).await?;
    tx.commit().await?;
    assert!(claimed(&store, "other", 199).await?.iter().all(|n| n.id != first[0]));
    assert!(claimed(&store, "other", 200).await?.iter().any(|n| n.id == first[0]));
    Ok(())
}

pub async fn a_restarted_sender_doubts_its_own_at_once(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    queued(&store, &[notice(1), notice(2)]).await?;
    let both = claimed(&store, "me", 0).await?;
    assert!(sending(&store, &both[0], 0).await?);
    assert_eq!(store.doubt_lost_notices("me", true, later(1)).await?, [both[0].id]);
    let mine = claimed(&store, "me", 1).await?;
    assert_eq!(mine.iter().map(|n| n.id).collect::<Vec<_>>(), [both[1].id]);
    Ok(())
}

pub async fn a_digest_carries_what_waits_for_it(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let line = NewNotice { by_digest: true, ..notice(1) };
    queued(&store, &[line, notice(2)]).await?;
    let direct = claimed(&store, "me", 0).await?;
    assert_eq!(direct.iter().map(|n| n.id).collect::<Vec<_>>(), [Uuid::from_u128(2)]);
    let flood = NoticeEnd::ToDigest(vec!["a@dmh.test".into()]);
    assert!(ended(&store, direct[0].id, direct[0].token, &flood).await?);
    assert!(claimed(&store, "me", 1).await?.is_empty());
    let filter = NoticeFilter {
        by_digest: true,
        states: vec![NoticeState::Queued],
        ..NoticeFilter::default()
    };
    let waiting = store.read().notices(&filter).await?;
    assert_eq!(waiting.len(), 2);
    let ids: Vec<Uuid> = waiting.iter().map(|n| n.id).collect();
    let digest = Uuid::from_u128(9);
    let tx = store.begin().await?;
    tx.carry_in_digest(digest, &ids).await?;
    tx.commit().await?;
    assert!(store.read().notices(&filter).await?.is_empty());
    let carried = store.read().notice(ids[0]).await?.ok_or("it is gone")?;
    assert_eq!((carried.state, carried.digest), (NoticeState::Superseded, Some(digest)));
    Ok(())
}

pub async fn the_lines_of_a_digest_that_failed_wait_for_the_next(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    let lines = [1, 2].map(|number| NewNotice { by_digest: true, ..notice(number) });
    queued(&store, &lines).await?;
    let digest = NewNotice { kind: Kind::Digest, ..notice(9) };
    let tx = store.begin().await?;
    tx.carry_in_digest(digest.id, &[lines[0].id]).await?;
    tx.carry_in_digest(Uuid::from_u128(8), &[lines[1].id]).await?;
    tx.commit().await?;
    queued(&store, &[digest]).await?;
    let mine = claimed(&store, "me", 0).await?.remove(0);
    assert!(sending(&store, &mine, 0).await?);
    let refused = NoticeEnd::Failed("550".into());
    assert!(!ended(&store, mine.id, mine.token, &refused).await?, "another has it");
    let of =
        async |id| store.read().notice(id).await.map(|found| found.map(|n| (n.state, n.digest)));
    let carried = Some((NoticeState::Superseded, Some(mine.id)));
    assert_eq!(of(lines[0].id).await?, carried);
    assert!(ended(&store, mine.id, mine.token + 1, &refused).await?);
    assert_eq!(of(lines[0].id).await?, Some((NoticeState::Queued, None)));
    let other = Some((NoticeState::Superseded, Some(Uuid::from_u128(8))));
    assert_eq!(of(lines[1].id).await?, other, "of another digest");
    Ok(())
}

pub async fn a_flood_is_counted_by_kind_and_address(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    queued(&store, &[notice(1), notice(2)]).await?;
    for notice in claimed(&store, "me", 0).await? {
        assert!(sending(&store, &notice, 0).await?);
        let end = if notice.id.as_u128() == 1 {
            NoticeEnd::Sent
        } else {
            NoticeEnd::Again(later(60), "away".into())
        };
        assert!(ended(&store, notice.id, notice.token + 1, &end).await?);
    }
    let read = store.read();
    let to = |address: &str| vec![address.to_owned()];
    let count =
        async |kind, list: Vec<String>, since| read.notices_lately(kind, &list, since).await;
    assert_eq!(count(Kind::Manager, to("a@dmh.test"), later(-1)).await?, 1, "one was not sent");
    assert_eq!(count(Kind::Manager, to("b@dmh.test"), later(-1)).await?, 0);
    assert_eq!(count(Kind::Alarm, to("a@dmh.test"), later(-1)).await?, 0);
    assert_eq!(count(Kind::Manager, to("a@dmh.test"), later(1)).await?, 0);
    Ok(())
}

pub async fn people_are_found_by_their_supervisor(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let mut report = person(1)?;
    let boss = person(2)?;
    let number = boss.employee_numbers().remove(0);
    report.engagements[0].supervisor = Some(number.clone());
    let tx = store.begin().await?;
    tx.save_people(&[report.clone(), boss.clone()]).await?;
    tx.commit().await?;
    let found = store.read().people_supervised_by(std::slice::from_ref(&number)).await?;
    assert_eq!(found, [report.clone()]);
    let own = store.read().people_by_keys(std::slice::from_ref(&number), &[]).await?;
    assert_eq!(own, [boss], "a supervisor's number is nobody else's");
    // As an earlier release left it.
    super::fixtures::tamper(settings, "DELETE FROM person_keys WHERE kind = 'supervisor'").await?;
    assert!(store.read().people_supervised_by(std::slice::from_ref(&number)).await?.is_empty());
    store.index_supervisors().await?;
    assert_eq!(store.read().people_supervised_by(&[number]).await?, [report]);
    Ok(())
}
