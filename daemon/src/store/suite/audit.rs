//! The audit: whole, and no way to touch it that does not show.

use super::Ended;
use super::fixtures::{NOW, later, open, person, tamper};
use lapsed::store::{
    ALARM, AuditEntry, AuditFinding, AuditReport, Checkpoints, DatabaseSettings, GENESIS, Store,
    StoreError, chain_hash, link_hash, row_digest, verify_audit,
};
use lapsed_core::facts::UserId;
use std::path::Path;

fn checkpoints(folder: &Path) -> Checkpoints {
    Checkpoints { file: folder.join("checkpoints"), key_file: folder.join("audit.key") }
}

fn entry(number: i64) -> Result<AuditEntry, lapsed_core::facts::Invalid> {
    let mut entry = AuditEntry::new(later(number), "lapsed", "step_done");
    entry.person = Some(person(0)?.id);
    entry.user_id = Some(UserId::new("ZDoe")?);
    entry.detail = serde_json::json!({ "number": number, "text": "ä,:5" });
    Ok(entry)
}

/// Writes rows `from..to`, one commit each.
async fn write(store: &Store, from: i64, to: i64) -> Ended {
    for number in from..to {
        let mut tx = store.begin().await?;
        tx.audit(entry(number)?);
        tx.commit().await?;
    }
    Ok(())
}

/// A store with checkpoints and ten rows, then closed.
async fn ten_rows(settings: &DatabaseSettings, witness: &Checkpoints) -> Ended {
    let store = Store::open(settings, Some(witness.clone())).await?;
    write(&store, 0, 10).await?;
    assert_eq!(store.audit_alarm(), None);
    store.close().await?;
    Ok(())
}

async fn report(
    settings: &DatabaseSettings,
    witness: &Checkpoints,
) -> Result<AuditReport, Box<dyn std::error::Error + Send + Sync>> {
    let store = Store::open_to_read(settings).await?;
    let report = verify_audit(&store, &witness.file, &witness.public_key_file()).await?;
    store.close().await?;
    Ok(report)
}

pub async fn the_audit_of_many_writers_is_one_chain(settings: &DatabaseSettings) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    let store = Store::open(settings, Some(witness.clone())).await?;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { write(&store, 0, 20).await })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let report = report(settings, &witness).await?;
    assert_eq!(report.findings, []);
    assert_eq!((report.rows, report.head, report.checkpoints), (80, 80, 80));
    assert_eq!(report.unwitnessed, 0);
    let of_nobody = store.read().audit_rows(0, 100, Some(person(1)?.id)).await?;
    assert!(of_nobody.is_empty());
    let theirs = store.read().audit_rows(75, 100, Some(person(0)?.id)).await?;
    assert_eq!(theirs.iter().map(|row| row.seq).collect::<Vec<_>>(), [76, 77, 78, 79, 80]);
    Ok(())
}

/// The expected hash was made by another program, from the description alone.
pub async fn a_hash_is_made_as_documented(settings: &DatabaseSettings) -> Ended {
    let hash = chain_hash([
        Some("1"),
        Some("-5"),
        Some("ä"),
        Some(""),
        None,
        None,
        None,
        None,
        None,
        None,
        Some("null"),
        Some(GENESIS),
    ]);
    assert_eq!(hash, "9a4d97581c1d3f3335f43952c220761b5e0102e3e74f45d36d7df1e437f76714");
    let none = None;
    let own = [
        Some("1"),
        Some("-5"),
        Some("ä"),
        Some(""),
        none,
        none,
        none,
        none,
        none,
        none,
        Some("null"),
    ];
    let digest = row_digest(own);
    assert_eq!(digest, "9ccd0aa29aefa23df3ba898fc7e8d9e65df9b205391321ef6d90d38344a3bd41");
    let hash = link_hash(&digest, GENESIS);
    assert_eq!(hash, "7d66f1fea34385288b0de9541b7ed21e51e0831b60efc193da174ce525da69ba");
    let store = open(settings).await?;
    write(&store, 0, 2).await?;
    let rows = store.read().audit_rows(0, 10, None).await?;
    assert_eq!((rows[0].prev.as_str(), &rows[1].prev), (GENESIS, &rows[0].hash));
    assert_eq!(rows[1].entry, entry(1)?);
    Ok(())
}

pub async fn each_tampering_is_found(settings: &DatabaseSettings) -> Ended {
    use AuditFinding::{Changed, CutOff, Missing, Unchained};
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    ten_rows(settings, &witness).await?;
    tamper(settings, "CREATE TABLE kept AS SELECT * FROM audit").await?;
    let insert = "INSERT INTO audit SELECT 11, at_us, actor, event, person, case_id, step, plan, \
                  user_id, clause, detail, hash, hash FROM kept WHERE seq = 10";
    for (what, sql, expected) in [
        (
            "a changed actor",
            "UPDATE audit SET actor = 'nobody' WHERE seq = 4",
            vec![Changed { seq: 4 }],
        ),
        (
            "a changed moment",
            "UPDATE audit SET at_us = at_us + 1 WHERE seq = 4",
            vec![Changed { seq: 4 }],
        ),
        (
            "a person taken out",
            "UPDATE audit SET person = NULL WHERE seq = 10",
            vec![Changed { seq: 10 }],
        ),
        (
            "a hash to fit, or not",
            "UPDATE audit SET hash = 'feed' WHERE seq = 4",
            vec![
                Changed { seq: 4 },
                AuditFinding::Exchanged { seq: 4, line: 4 },
                Unchained { seq: 5 },
            ],
        ),
        ("a row taken out", "DELETE FROM audit WHERE seq = 4", vec![Missing { from: 4, to: 4 }]),
        (
            "the first rows taken out",
            "DELETE FROM audit WHERE seq < 3",
            vec![Missing { from: 1, to: 2 }],
        ),
        (
            "a row taken out and the gap closed",
            "DELETE FROM audit WHERE seq = 4; \
             UPDATE audit SET seq = -seq WHERE seq > 4; UPDATE audit SET seq = -seq - 1 WHERE seq < 0",
            vec![Changed { seq: 4 }, Unchained { seq: 4 }],
        ),
        (
            "two rows in another order",
            "UPDATE audit SET seq = -4 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; \
             UPDATE audit SET seq = 5 WHERE seq = -4",
            vec![Changed { seq: 4 }, Unchained { seq: 4 }],
        ),
        ("a row put in behind", insert, vec![Changed { seq: 11 }]),
        (
            "the end cut off",
            "DELETE FROM audit WHERE seq > 7",
            vec![CutOff { head: 7, seq: 10, line: 10 }],
        ),
        ("everything cut off", "DELETE FROM audit", vec![CutOff { head: 0, seq: 10, line: 10 }]),
    ] {
        tamper(settings, sql).await?;
        let report = report(settings, &witness).await?;
        assert!(!report.is_sound(), "{what} is not found");
        for finding in expected {
            assert!(report.findings.contains(&finding), "{what}: {:?}", report.findings);
        }
        tamper(settings, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await?;
    }
    assert_eq!(report(settings, &witness).await?.findings, []);
    Ok(())
}

pub async fn a_cut_or_forged_checkpoint_file_is_found(settings: &DatabaseSettings) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    ten_rows(settings, &witness).await?;
    let whole = std::fs::read_to_string(&witness.file)?;
    let lines: Vec<&str> = whole.lines().collect();
    let without = |gone: usize| {
        let kept = lines.iter().enumerate().filter(|(index, _)| *index != gone);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    let forged = whole.replacen(" 5 5 ", " 5 6 ", 1);
    for (what, text, unwitnessed, expected) in [
        (
            "a line taken out",
            without(4),
            0,
            Some(AuditFinding::CheckpointMissing { expected: 5, found: 6 }),
        ),
        (
            "the first line taken out",
            without(0),
            0,
            Some(AuditFinding::CheckpointMissing { expected: 1, found: 2 }),
        ),
        ("another row number", forged, 0, Some(AuditFinding::Forged { line: 5 })),
        ("rubbish", format!("{whole}rubbish\n"), 0, Some(AuditFinding::Forged { line: 11 })),
        ("an end cut off", without(9), 1, None),
        ("all of it cut off", String::new(), 10, None),
    ] {
        std::fs::write(&witness.file, text)?;
        let report = report(settings, &witness).await?;
        assert_eq!(report.unwitnessed, unwitnessed, "{what}");
        let found = expected.is_none_or(|finding| report.findings.contains(&finding));
        assert!(found, "{what}: {:?}", report.findings);
    }
    std::fs::write(&witness.file, &whole)?;
    let other = checkpoints(folder.path().join("other").as_path());
    std::fs::create_dir(folder.path().join("other"))?;
    let store = Store::open(settings, Some(other.clone())).await?;
    let report = verify_audit(&store, &witness.file, &other.public_key_file()).await?;
    assert!(report.findings.contains(&AuditFinding::Forged { line: 1 }), "signed by another key");
    Ok(())
}

pub async fn a_missing_last_checkpoint_is_mended_and_no_alarm(
    settings: &DatabaseSettings,
) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    ten_rows(settings, &witness).await?;
    // As after a power cut between commit and checkpoint, in the middle of the line.
    let whole = std::fs::read_to_string(&witness.file)?;
    let last = whole.trim_end().rfind('\n').ok_or("one line only")?;
    std::fs::write(&witness.file, &whole[..last + 40])?;
    let store = Store::open(settings, Some(witness.clone())).await?;
    assert_eq!(store.audit_alarm(), None);
    write(&store, 10, 11).await?;
    store.close().await?;
    drop(store);
    let report = report(settings, &witness).await?;
    assert_eq!((report.findings.as_slice(), report.unwitnessed), (&[][..], 0));
    assert_eq!((report.rows, report.checkpoints), (11, 11));
    Ok(())
}

pub async fn a_checkpoint_file_has_one_writer(settings: &DatabaseSettings) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    let store = Store::open(settings, Some(witness.clone())).await?;
    let second = Store::open(settings, Some(witness.clone())).await;
    assert!(matches!(second, Err(StoreError::WitnessTaken { .. })), "{second:?}");
    drop((store, second));
    Store::open(settings, Some(witness)).await?;
    Ok(())
}

pub async fn a_cut_audit_is_an_alarm_at_the_next_start(settings: &DatabaseSettings) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    ten_rows(settings, &witness).await?;
    tamper(settings, "DELETE FROM audit WHERE seq > 7").await?;
    let store = Store::open(settings, Some(witness.clone())).await?;
    let alarm = store.audit_alarm().ok_or("no alarm")?;
    assert!(alarm.contains("row 10"), "{alarm}");
    // The daemon goes on, and it never looks right again.
    let mut tx = store.begin().await?;
    for number in 0..5 {
        tx.audit(AuditEntry::new(NOW, "lapsed", format!("event {number}")));
    }
    assert_eq!(tx.commit().await?, 13, "one row is the alarm");
    assert!(store.audit_alarm().is_some());
    write(&store, 20, 21).await?;
    store.close().await?;
    drop(store);
    let report = report(settings, &witness).await?;
    let mut expected = [8, 9, 10].map(|seq| AuditFinding::Exchanged { seq, line: seq }).to_vec();
    expected.insert(0, AuditFinding::Alarm { seq: 8 });
    assert_eq!(report.findings, expected);
    Ok(())
}

/// A row that fits the chain, as anybody can make one who can write the database.
const PUT_IN: &str = "INSERT INTO audit SELECT 11, at_us, actor, event, person, case_id, step, plan, \
                      user_id, clause, detail, hash, 'feed' FROM audit WHERE seq = 10";

/// On a database of several daemons the row may be another's: there it is not told apart.
pub async fn a_row_put_in_behind_is_an_alarm_before_it_is_signed(
    settings: &DatabaseSettings,
) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    let store = Store::open(settings, Some(witness.clone())).await?;
    write(&store, 0, 10).await?;
    tamper(settings, PUT_IN).await?;
    write(&store, 10, 12).await?;
    let alarm = store.audit_alarm();
    assert_eq!(alarm.is_some(), !store.is_shared(), "{alarm:?}");
    if let Some(alarm) = alarm {
        assert!(alarm.contains("rows 11 to 11"), "{alarm}");
        let report = verify_audit(&store, &witness.file, &witness.public_key_file()).await?;
        assert!(report.findings.contains(&AuditFinding::Alarm { seq: 12 }), "{report:?}");
        let alarms = store.read().audit_rows(0, 100, None).await?;
        assert_eq!(alarms.iter().filter(|row| row.entry.event == ALARM).count(), 1, "told once");
    }
    Ok(())
}

pub async fn a_row_put_in_while_the_daemon_was_down_is_an_alarm(
    settings: &DatabaseSettings,
) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    ten_rows(settings, &witness).await?;
    tamper(settings, PUT_IN).await?;
    let store = Store::open(settings, Some(witness)).await?;
    assert_eq!(store.audit_alarm().is_some(), !store.is_shared());
    Ok(())
}

pub async fn a_row_taken_out_under_the_daemon_is_an_alarm(settings: &DatabaseSettings) -> Ended {
    let folder = tempfile::tempdir()?;
    let store = Store::open(settings, Some(checkpoints(folder.path()))).await?;
    write(&store, 0, 10).await?;
    tamper(settings, "DELETE FROM audit WHERE seq > 8").await?;
    write(&store, 10, 11).await?;
    assert!(store.audit_alarm().is_some_and(|alarm| alarm.contains("row 10")));
    Ok(())
}

pub async fn a_checkpoint_file_that_is_gone_or_short_is_an_alarm(
    settings: &DatabaseSettings,
) -> Ended {
    let folder = tempfile::tempdir()?;
    let witness = checkpoints(folder.path());
    ten_rows(settings, &witness).await?;
    let whole = std::fs::read_to_string(&witness.file)?;
    let lines = |count| whole.split_inclusive('\n').take(count).collect::<String>();
    for (left, expected) in [(10, false), (9, false), (8, true), (0, true)] {
        std::fs::write(&witness.file, lines(left))?;
        let store = Store::open(settings, Some(witness.clone())).await?;
        assert_eq!(
            store.audit_alarm().is_some(),
            expected,
            "{left} lines: {:?}",
            store.audit_alarm()
        );
        assert_eq!(std::fs::read_to_string(&witness.file)? == whole, !expected, "{left} lines");
        store.close().await?;
    }
    std::fs::remove_file(&witness.file)?;
    let store = Store::open(settings, Some(witness.clone())).await?;
    let alarm = store.audit_alarm().ok_or("no alarm")?;
    assert!(alarm.contains("ends at checkpoint 0"), "{alarm}");
    write(&store, 10, 11).await?;
    store.close().await?;
    drop(store);
    let store = Store::open(settings, Some(witness.clone())).await?;
    assert_eq!(store.audit_alarm(), None, "it is on record now");
    drop(store);
    let report = report(settings, &witness).await?;
    assert_eq!(report.findings, [AuditFinding::Alarm { seq: 11 }]);
    Ok(())
}

pub async fn a_commit_whose_caller_is_given_up_raises_no_alarm(
    settings: &DatabaseSettings,
) -> Ended {
    let folder = tempfile::tempdir()?;
    let store = Store::open(settings, Some(checkpoints(folder.path()))).await?;
    for number in 0..100 {
        let mut tx = store.begin().await?;
        tx.audit(entry(number)?);
        let patience = std::time::Duration::from_micros(number.unsigned_abs() * 30);
        let _ = tokio::time::timeout(patience, tx.commit()).await;
        write(&store, 1_000 + number, 1_001 + number).await?;
        assert_eq!(store.audit_alarm(), None, "given up after {patience:?}");
    }
    store.close().await?;
    Ok(())
}

pub async fn two_daemons_with_files_of_their_own_raise_no_alarm(
    settings: &DatabaseSettings,
) -> Ended {
    let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let one = Store::open(settings, Some(checkpoints(folder.path()))).await?;
    if !one.is_shared() {
        return Ok(());
    }
    write(&one, 0, 3).await?;
    let two = Store::open(settings, Some(checkpoints(other.path()))).await?;
    write(&two, 3, 6).await?;
    write(&one, 6, 9).await?;
    assert_eq!((one.audit_alarm(), two.audit_alarm()), (None, None));
    two.close().await?;
    drop(two);
    let two = Store::open(settings, Some(checkpoints(other.path()))).await?;
    assert_eq!(two.audit_alarm(), None);
    Ok(())
}
