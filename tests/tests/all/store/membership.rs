//! Who may write, and who has what in hand, where several daemons share one PostgreSQL.

use super::place;
use super::suite::Ended;
use super::suite::fixtures::{Do, NOW, claim, later, leavers, open, planned, step};
use jiff::SignedDuration;
use lapsed::store::{DatabaseSettings, Joining, Newcomer, Store, StoreError};
use lapsed_core::plan::PlanState;
use lapsed_core::step::Due;
use lapsed_tests::process::wait_until;
use std::time::Duration;
use uuid::Uuid;

const LONG: SignedDuration = SignedDuration::from_hours(1);
/// So short that whoever has beaten is silent at once.
const NONE: SignedDuration = SignedDuration::ZERO;

async fn join(store: &Store, name: &str) -> Result<Joining, StoreError> {
    let session = Uuid::now_v7();
    let new = Newcomer { name, session, version: "1", started_at: NOW, takeover: LONG };
    store.join(&new).await
}

async fn joined(settings: &DatabaseSettings, name: &str) -> Result<Store, StoreError> {
    let store = open(settings).await?;
    assert_eq!(join(&store, name).await?, Joining::Joined);
    Ok(store)
}

async fn due(store: &Store, people: u32) -> Ended {
    leavers(store, people).await?;
    let steps: Vec<_> = (0..people)
        .map(|number| step(number, Do::Disable, Due::AtOnce))
        .collect::<Result<_, _>>()?;
    planned(store, &steps, PlanState::Passed).await?;
    Ok(())
}

fn fenced<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::FencedOff))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_its_daemons_as_long_as_that_one_is_there() -> Ended {
    let place = place().await?;
    let elder = joined(place.settings(), "one").await?;
    let newcomer = open(place.settings()).await?;
    let first = join(&newcomer, "one").await?;
    assert!(matches!(first, Joining::InUse { .. }), "{first:?}");
    assert!(fenced(&newcomer.begin().await), "it has not joined");
    assert!(elder.beat(LONG).await?.stands);
    // It was heard of meanwhile: it is alive.
    let second = join(&newcomer, "one").await?;
    assert!(matches!(second, Joining::InUse { .. }) && second != first, "{second:?}");
    // Silent for as long as it gave.
    elder.beat(NONE).await?;
    assert_eq!(join(&newcomer, "one").await?, Joining::Joined);
    let beat = elder.beat(LONG).await?;
    assert!(!beat.stands && beat.replaced, "{beat:?}");
    assert!(fenced(&elder.begin().await));
    newcomer.begin().await?.commit().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_gone_leaves_its_name_at_once() -> Ended {
    let place = place().await?;
    let elder = joined(place.settings(), "one").await?;
    elder.close().await?;
    let newcomer = open(place.settings()).await?;
    // The server notices a closed connection a moment later.
    for _ in 0..100 {
        if join(&newcomer, "one").await? == Joining::Joined {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the name is still in use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_taken_over_from_writes_and_claims_nothing_until_it_joins_anew() -> Ended {
    let place = place().await?;
    let silent = joined(place.settings(), "silent").await?;
    let other = joined(place.settings(), "other").await?;
    due(&other, 2).await?;
    let held = claim(&silent, "silent", 0).await?;
    assert_eq!(held.len(), 2);
    assert!(!other.take_over("silent", NOW).await?, "it gave an hour");
    silent.beat(NONE).await?;
    assert_eq!(other.beat(LONG).await?.silent, ["silent"]);
    // Begun before, and not committed yet: whoever takes over waits for it.
    let last = silent.begin().await?;
    last.set_setting("last", &1).await?;
    let waiting = {
        let other = other.clone();
        tokio::spawn(async move { other.take_over("silent", NOW).await })
    };
    last.commit().await?;
    assert!(waiting.await??);
    assert!(!other.take_over("silent", NOW).await?, "once");
    assert!(fenced(&silent.begin().await));
    assert!(fenced(&silent.extend_leases(&held, later(60)).await));
    let refused = claim(&silent, "silent", 1).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("joins again")));
    let beat = silent.beat(LONG).await?;
    assert!(!beat.stands && !beat.replaced, "{beat:?}");
    assert_eq!(claim(&other, "other", 1).await?.len(), 2, "its steps are free");
    assert_eq!(join(&silent, "silent").await?, Joining::Joined);
    silent.begin().await?.commit().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_ahead_takes_nothing_from_a_daemon_that_is_heard_of() -> Ended {
    let place = place().await?;
    let one = joined(place.settings(), "one").await?;
    let ahead = joined(place.settings(), "ahead").await?;
    due(&one, 3).await?;
    assert_eq!(claim(&one, "one", 0).await?.len(), 3);
    assert!(claim(&ahead, "ahead", 36_000).await?.is_empty(), "its lease is over by hours there");
    // What it lost track of itself it takes up at once.
    let connector = lapsed_core::facts::ConnectorName::try_from("directory".to_owned())?;
    assert_eq!(one.release_lost_leases("one", &connector).await?, 3);
    assert_eq!(claim(&one, "one", 1).await?.len(), 3);
    one.part().await?;
    assert_eq!(claim(&ahead, "ahead", 2).await?.len(), 3, "left in order: free at once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_plans_as_long_as_it_is_there_and_gives_the_turn_only_between_two_rounds() -> Ended {
    let place = place().await?;
    let one = joined(place.settings(), "one").await?;
    let two = joined(place.settings(), "two").await?;
    assert!(one.take_planning("one", NOW, false).await?);
    assert!(!two.take_planning("two", later(1_000_000), false).await?, "no time ends it");
    two.ask_for_turn("plan", "two").await?;
    assert!(one.take_planning("one", NOW, true).await?, "in the middle of a round");
    assert!(!two.take_planning("two", NOW, false).await?);
    assert!(!one.take_planning("one", NOW, false).await?, "asked for");
    assert!(two.take_planning("two", NOW, false).await?);
    // Who has asked and is gone gets nothing.
    one.ask_for_turn("plan", "one").await?;
    one.part().await?;
    assert!(two.take_planning("two", NOW, false).await?);
    two.part().await?;
    let three = joined(place.settings(), "three").await?;
    assert!(three.take_planning("three", NOW, false).await?);
    Ok(())
}

#[test]
fn a_transaction_of_a_frozen_process_does_not_keep_its_locks() -> Ended {
    let runtime = tokio::runtime::Runtime::new()?;
    let place = runtime.block_on(place())?;
    let silent = runtime.block_on(joined(place.settings(), "silent"))?;
    let other = runtime.block_on(joined(place.settings(), "other"))?;
    runtime.block_on(silent.beat(NONE))?;
    // Nothing more comes from it: as if it were stopped in the middle.
    let stuck = runtime.block_on(silent.begin())?;
    let mut taken = false;
    wait_until(Duration::from_secs(30), || {
        taken = taken || runtime.block_on(other.take_over("silent", NOW)).unwrap_or(false);
        Ok(taken)
    })?;
    assert!(runtime.block_on(stuck.commit()).is_err(), "nothing of it is stored");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_look_through_its_orders_keeps_all_from_deleting_as_long_as_it_runs()
-> Ended {
    let place = place().await?;
    let one = joined(place.settings(), "one").await?;
    let other = joined(place.settings(), "other").await?;
    for (seen, all) in [(true, true), (false, false), (true, true), (false, false)] {
        one.note_orders_seen("one", seen).await?;
        assert_eq!(other.orders_seen_by_all().await?, all);
        assert_eq!(one.orders_seen_by_all().await?, all);
    }
    one.part().await?;
    assert!(other.orders_seen_by_all().await?, "what lies with it is nobody's");
    Ok(())
}
