//! Transactions, opening and copying.

use super::Ended;
use super::fixtures::{Do, NOW, claim, leavers, now, open, person, planned, tamper};
use lapsed::store::{AuditEntry, DatabaseSettings, Store, StoreError};
use lapsed_core::plan::PlanState;

const EACH: u32 = 25;

async fn count_up(store: Store, key: &'static str) -> Ended {
    for _ in 0..EACH {
        let mut tx = store.begin().await?;
        let count = tx.read().setting::<u32>(key).await?.unwrap_or(0);
        tx.set_setting(key, &(count + 1)).await?;
        tx.audit(AuditEntry::new(NOW, "test", "counted"));
        tx.commit().await?;
    }
    Ok(())
}

pub async fn eight_writers_lose_nothing(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let writers: Vec<_> = (0..8).map(|_| tokio::spawn(count_up(store.clone(), "count"))).collect();
    for writer in writers {
        writer.await??;
    }
    assert_eq!(store.read().setting::<u32>("count").await?, Some(8 * EACH));
    assert_eq!(store.read().audit_head().await?, u64::from(8 * EACH));
    Ok(())
}

pub async fn two_daemons_lose_nothing(settings: &DatabaseSettings) -> Ended {
    let (one, other) = (open(settings).await?, open(settings).await?);
    let writers: Vec<_> = [&one, &one, &other, &other]
        .map(|store| tokio::spawn(count_up(store.clone(), "count")))
        .into_iter()
        .collect();
    for writer in writers {
        writer.await??;
    }
    assert_eq!(other.read().setting::<u32>("count").await?, Some(4 * EACH));
    assert_eq!(one.read().audit_head().await?, u64::from(4 * EACH));
    Ok(())
}

pub async fn a_transaction_that_is_dropped_leaves_nothing(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let mut tx = store.begin().await?;
    tx.save_person(&person(1)?).await?;
    tx.audit(AuditEntry::new(NOW, "test", "never_happened"));
    drop(tx);
    let mut tx = store.begin().await?;
    assert_eq!(tx.read().people_count().await?, 0);
    tx.audit(AuditEntry::new(NOW, "test", "happened"));
    assert_eq!(tx.commit().await?, 1);
    assert_eq!(store.read().audit_rows(0, 10, None).await?.len(), 1);
    Ok(())
}

pub async fn a_reopened_database_is_as_it_was(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    store.close().await?;
    let store = open(settings).await?;
    assert_eq!(store.read().people_count().await?, 3);
    assert_eq!(store.read().person(person(2)?.id).await?, Some(person(2)?));
    Ok(())
}

pub async fn a_database_of_a_later_release_is_refused(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    tamper(
        settings,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)",
    )
    .await?;
    store.close().await?;
    match open(settings).await {
        Err(StoreError::Newer { found }) => assert_eq!(found, "m29991231_000001_later"),
        other => return Err(format!("not refused: {other:?}").into()),
    }
    assert!(matches!(Store::open_to_read(settings).await, Err(StoreError::Newer { .. })));
    Ok(())
}

pub async fn a_scratch_copy_is_independent(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 5).await?;
    planned(&store, &[now(1, Do::Disable)?], PlanState::Passed).await?;
    let mut tx = store.begin().await?;
    tx.set_setting("key", &1).await?;
    tx.audit(AuditEntry::new(NOW, "test", "before"));
    tx.commit().await?;

    let scratch = store.scratch().await?;
    assert_eq!(scratch.read().people_count().await?, 5);
    assert_eq!(scratch.read().setting::<u32>("key").await?, Some(1));
    assert_eq!(scratch.read().audit_head().await?, 0);
    assert_eq!(scratch.read().find_person("z3doe").await?, [person(3)?]);
    assert_eq!(claim(&scratch, "plan", 0).await?.len(), 1);
    let mut tx = scratch.begin().await?;
    tx.set_setting("key", &2).await?;
    tx.audit(AuditEntry::new(NOW, "test", "only in the copy"));
    tx.commit().await?;

    assert_eq!(store.read().setting::<u32>("key").await?, Some(1));
    assert_eq!(store.read().audit_head().await?, 1);
    assert_eq!(claim(&store, "daemon", 0).await?.len(), 1);
    Ok(())
}

pub async fn a_reader_migrates_and_changes_nothing(settings: &DatabaseSettings) -> Ended {
    assert!(Store::open_to_read(settings).await.is_err(), "there is nothing to read yet");
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let reader = Store::open_to_read(settings).await?;
    assert_eq!(reader.read().people_count().await?, 2);
    assert_eq!(reader.scratch().await?.read().people_count().await?, 2);
    let wrote = async {
        let tx = reader.begin().await?;
        tx.set_setting("key", &1).await?;
        tx.commit().await
    };
    assert!(wrote.await.is_err(), "a reader has written");
    assert_eq!(store.read().setting::<u32>("key").await?, None);
    Ok(())
}
