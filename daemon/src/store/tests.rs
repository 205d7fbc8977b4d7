//! The suite on SQLite, and what only a file can show.

use super::{Checkpoints, DatabaseSettings, Store, StoreError};
use crate::store::suite::Ended;
use sea_orm::ConnectionTrait as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

struct Place {
    _folder: tempfile::TempDir,
    settings: DatabaseSettings,
}

impl Place {
    fn settings(&self) -> &DatabaseSettings {
        &self.settings
    }
}

async fn place() -> Result<Place, std::io::Error> {
    let folder = tempfile::tempdir()?;
    let settings = DatabaseSettings::sqlite(&folder.path().join("state.db"));
    Ok(Place { _folder: folder, settings })
}

crate::store_suite!(crate::store::suite, crate::store::tests::place);

fn mode(path: &Path) -> Result<u32, std::io::Error> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

#[tokio::test]
async fn only_the_owner_can_read_what_is_made() -> Ended {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state.db");
    let witness =
        Checkpoints { file: folder.path().join("log"), key_file: folder.path().join("key") };
    let store = Store::open(&DatabaseSettings::sqlite(&path), Some(witness.clone())).await?;
    let tx = store.begin().await?;
    tx.set_setting("key", &1).await?;
    tx.commit().await?;
    for file in ["state.db", "state.db-wal", "state.db-shm", "key"] {
        assert_eq!(mode(&folder.path().join(file))?, 0o600, "{file}");
    }
    assert_eq!(mode(&witness.public_key_file())?, 0o644);
    Ok(())
}

#[tokio::test]
async fn every_connection_is_durable_and_checked() -> Ended {
    use sea_orm::ConnectionTrait as _;
    let place = place().await?;
    let store = Store::open(&place.settings, None).await?;
    for (pragma, expected) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")]
    {
        let sql = format!("SELECT CAST({pragma} AS TEXT) AS value FROM pragma_{pragma}");
        let statement = sea_orm::Statement::from_string(store.backend(), sql);
        let row = store.inner.db.query_one_raw(statement).await?.ok_or("no such pragma")?;
        assert_eq!(row.try_get::<String>("", "value")?, expected, "{pragma}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_url_is_refused_with_advice() -> Ended {
    let folder = tempfile::tempdir()?;
    let nowhere = format!("sqlite://{}/none/state.db", folder.path().display());
    for (url, advice) in [
        ("mysql://host/name", "postgres://"),
        ("sqlite://", "sqlite:///path"),
        ("sqlite:///state.db?mode=memory", "sqlite:///path"),
        ("postgres://user:secret@host/name", "password_file"),
        ("postgres://host/name?password=secret", "password_file"),
        (nowhere.as_str(), "create it"),
    ] {
        let settings =
            DatabaseSettings { url: url.to_owned(), password_file: None, max_connections: 2 };
        let error = match Store::open(&settings, None).await {
            Ok(_) => return Err(format!("{url} was opened").into()),
            Err(error) => error,
        };
        let text = error.to_string();
        assert!(text.contains(advice), "{url}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_file_without_a_key_is_refused_and_kept() -> Ended {
    let place = place().await?;
    let folder = tempfile::tempdir()?;
    let witness =
        Checkpoints { file: folder.path().join("log"), key_file: folder.path().join("key") };
    std::fs::write(&witness.key_file, "no key")?;
    let opened = Store::open(&place.settings, Some(witness.clone())).await;
    assert!(matches!(opened, Err(StoreError::Key { .. })));
    assert_eq!(std::fs::read_to_string(&witness.key_file)?, "no key");
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_is_an_alarm_and_stops_nothing() -> Ended {
    let place = place().await?;
    let folder = tempfile::tempdir()?;
    // A device that is always full.
    let witness = Checkpoints { file: "/dev/full".into(), key_file: folder.path().join("key") };
    let store = Store::open(&place.settings, Some(witness)).await?;
    let mut tx = store.begin().await?;
    tx.audit(super::AuditEntry::new(jiff::Timestamp::UNIX_EPOCH, "lapsed", "started"));
    assert_eq!(tx.commit().await?, 1);
    assert!(store.audit_alarm().is_some_and(|alarm| alarm.contains("/dev/full")));
    Ok(())
}

/// What a full disk does to a commit: SQLite has rolled back by itself, and the driver does not know.
#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_spoils_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DatabaseSettings::sqlite(&folder.path().join("state.db"));
    let store = Store::open(&settings, None).await.unwrap();
    for _ in 0..20 {
        let tx = store.begin().await.unwrap();
        tx.set_setting("lost", &1).await.unwrap();
        tx.inner.execute_unprepared("ROLLBACK").await.unwrap();
        assert!(tx.commit().await.is_err());
    }
    let tx = store.begin().await.unwrap();
    tx.set_setting("kept", &2).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.read().setting::<u8>("lost").await.unwrap(), None);
    assert_eq!(store.read().setting::<u8>("kept").await.unwrap(), Some(2));
}
