//! `journal_vs_raw`: steps a second through the journal (intent, outcome, read-back, audit) against raw inserts
//! of the same bytes in the same transactions.

use super::Sizes;
use super::report::{Goal, Row};
use super::timing::{in_turns, seconds};
use crate::postgres::Postgres;
use crate::{Done, Failure};
use jiff::{SignedDuration, Timestamp};
use lapsed::store::{AuditEntry, Claim, DatabaseSettings, Store, StoreError, StoredStep};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    Case, CaseId, CaseKind, CaseState, ConnectorName, Invalid, Person, PersonId, UserId,
};
use lapsed_core::journal::StepEvent;
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::{Action, Due, Expect, Receipt, Step, Target};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::path::Path;
use std::process::Command;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Steps of one leaver: the account, and its groups.
const OF_ONE: usize = 9;
/// Steps of one batch, as the configuration's example has it.
const BATCH: usize = 500;

/// What the raw side writes: the rows as the journal's own tables held them in the end.
struct Bytes {
    steps: Vec<String>,
    audit: Vec<String>,
}

/// Measures the rows.
///
/// # Errors
///
/// When a database fails.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let steps = planned_steps(sizes.steps)?;
    let bytes = {
        let file = folder.path().join("first.db");
        through_journal(&runtime, &format!("sqlite://{}", file.display()), &steps)?;
        Bytes { steps: lines(&file, "steps")?, audit: lines(&file, "audit")? }
    };
    let on_sqlite = in_turns(
        sizes.rounds,
        |round| {
            let file = folder.path().join(format!("ours-{round}.db"));
            through_journal(&runtime, &format!("sqlite://{}", file.display()), &steps)
        },
        |round| {
            let file = folder.path().join(format!("raw-{round}.db"));
            seconds(|| runtime.block_on(raw_sqlite(&file, &bytes))).map(|(took, ())| took)
        },
    )?;
    let server = Postgres::builder().fsync().start()?;
    let on_postgres = in_turns(
        sizes.rounds,
        |_| through_journal(&runtime, &server.url(&server.create_database()?), &steps),
        |_| {
            let url = server.url(&server.create_database()?);
            seconds(|| runtime.block_on(raw_postgres(&url, &bytes))).map(|(took, ())| took)
        },
    )?;
    #[allow(clippy::cast_precision_loss, reason = "counts of steps are far below 2^52")]
    let count = sizes.steps as f64;
    let row = |name: &str, (ours, theirs): (f64, f64), setting: &str| Row {
        name: name.into(),
        ours: count / ours,
        theirs: Some(count / theirs),
        unit: "steps/s",
        rounds: sizes.rounds,
        setting: format!(
            "{setting}; {} steps in batches of {BATCH}: planned, started, done, verified; raw: the same rows \
             at the same moments, one prepared insert a row",
            sizes.steps
        ),
        goal: Goal::RatioAtLeast(0.5),
        points: Vec::new(),
    };
    Ok(vec![
        row("journal_vs_raw", on_sqlite, "SQLite, synchronous=FULL"),
        row("journal_vs_raw_postgres", on_postgres, "PostgreSQL, fsync on"),
    ])
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

fn planned_steps(count: usize) -> Done<Vec<Step>> {
    (0..count).map(|number| step(number / OF_ONE, number % OF_ONE).map_err(failed)).collect()
}

fn person(number: usize) -> PersonId {
    PersonId(Uuid::from_u128(number as u128 + 1))
}

fn step(who: usize, which: usize) -> Result<Step, Invalid> {
    let target = |id: String, label: &str| {
        Ok::<_, Invalid>(Target { id: id.try_into()?, label: label.to_owned() })
    };
    let account = target(Uuid::from_u128(who as u128).to_string(), &format!("uid=mzname{who}"))?;
    let action = if which == 0 {
        Action::Disable { account }
    } else {
        let number = (who * 31 + which * 977) % 2_000;
        let name = format!("cn=group-{number:04},ou=groups,dc=dmh,dc=test");
        Action::LeaveGroup {
            account,
            group: target(Uuid::from_u128(number as u128).to_string(), &name)?,
        }
    };
    let expect = Expect { user_id: UserId::new(format!("mzname{who}"))?, employee_number: None };
    let case = CaseId::departure(person(who), Person::new(person(who)).episode);
    let connector = ConnectorName::try_from("directory".to_owned())?;
    Ok(Step::new(case, person(who), connector, action, expect, Due::AtOnce, Rule::D2))
}

/// Seconds for all steps through the journal of a new database; making it is not timed.
fn through_journal(runtime: &Runtime, url: &str, steps: &[Step]) -> Done<f64> {
    let settings =
        DatabaseSettings { url: url.to_owned(), password_file: None, max_connections: 4 };
    runtime.block_on(async {
        let store = Store::open(&settings, None).await.map_err(failed)?;
        people(&store, steps.len().div_ceil(OF_ONE)).await.map_err(failed)?;
        let begun = std::time::Instant::now();
        journal(&store, steps).await.map_err(failed)?;
        let took = begun.elapsed().as_secs_f64();
        store.close().await.map_err(failed)?;
        Ok(took)
    })
}

async fn people(store: &Store, count: usize) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let people: Vec<Person> = (0..count).map(|number| Person::new(person(number))).collect();
    let cases: Vec<Case> = people
        .iter()
        .map(|person| Case {
            id: CaseId::departure(person.id, person.episode),
            kind: CaseKind::Departure,
            person: person.id,
            state: CaseState::Open,
            effective_at: now,
            for_cause: false,
            opened_at: now,
            disabled_on: None,
            worksite_class: None,
            reason: "left".into(),
            before: Vec::new(),
        })
        .collect();
    let tx = store.begin().await?;
    tx.save_people(&people).await?;
    tx.save_cases(&cases).await?;
    tx.commit().await.map(drop)
}

async fn journal(store: &Store, steps: &[Step]) -> Done<()> {
    let now = Timestamp::now();
    let people = u32::try_from(steps.len().div_ceil(OF_ONE)).map_err(failed)?;
    let kind = PlanKind::MassDeparture { people, noticed_at: now };
    let plan = Plan::new(kind, "1", steps.to_vec(), Vec::new(), Vec::new());
    let tx = store.begin().await.map_err(failed)?;
    tx.save_plan(&plan, PlanState::Passed, &[], now).await.map_err(failed)?;
    tx.add_steps(&plan.hash, &plan.steps, false, now).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    let connectors = [ConnectorName::try_from("directory".to_owned()).map_err(failed)?];
    loop {
        let now = Timestamp::now();
        let claim = Claim {
            connectors: &connectors,
            now,
            today: now.to_zoned(jiff::tz::TimeZone::UTC).date(),
            owner: "bench",
            lease_for: SignedDuration::from_secs(300),
            limit: BATCH,
            deletions_allowed: true,
        };
        let batch = store.claim_due(&claim).await.map_err(failed)?;
        if batch.is_empty() {
            return Ok(());
        }
        let receipt = || Receipt {
            before: [("member".to_owned(), vec!["uid=mzname,ou=people,dc=dmh,dc=test".to_owned()])]
                .into(),
            server: Some("ldaps://127.0.0.1:636".into()),
        };
        let batch = record(store, batch, now, || StepEvent::Changed(receipt())).await?;
        record(store, batch, now, || StepEvent::SeenAsWanted(now)).await?;
    }
}

/// One transaction: what happened to these steps, and its audit rows.
async fn record(
    store: &Store,
    batch: Vec<StoredStep>,
    now: Timestamp,
    event: impl Fn() -> StepEvent,
) -> Done<Vec<StoredStep>> {
    let mut tx = store.begin().await.map_err(failed)?;
    let updates = batch
        .iter()
        .map(|stored| stored.on(event()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    tx.set_steps(&updates, now).await.map_err(failed)?;
    let mut after = Vec::with_capacity(batch.len());
    for (stored, update) in batch.into_iter().zip(updates) {
        let moved = stored.after(update);
        let detail = json!({
            "do": moved.step.action.describe(), "connector": moved.step.connector,
            "attempts": moved.attempts, "note": "",
        });
        tx.audit(AuditEntry {
            plan: Some(moved.plan.clone()),
            detail,
            ..AuditEntry::new(now, "lapsed", format!("step.{}", moved.state.name()))
                .of_step(&moved.step, "D2".into())
        });
        after.push(moved);
    }
    tx.commit().await.map_err(failed)?;
    Ok(after)
}

/// The rows of a table as text.
fn lines(file: &Path, table: &str) -> Done<Vec<String>> {
    let mut dump = Command::new("sqlite3");
    dump.arg(file).arg(".mode quote").arg(format!("SELECT * FROM {table}"));
    let said = crate::process::run(&mut dump)?;
    Ok(String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect())
}

const TABLES: [&str; 2] = [
    "CREATE TABLE raw_steps (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE raw_audit (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
];

/// The moments of the journal: everything planned at once; then batch by batch started, done with its audit
/// rows, verified with its audit rows.
macro_rules! raw {
    ($connection:expr, $bytes:expr) => {{
        let mut number = 0_i32;
        let mut transaction = $connection.begin().await.map_err(failed)?;
        for body in &$bytes.steps {
            number += 1;
            let insert = sqlx::query("INSERT INTO raw_steps (id, body) VALUES ($1, $2)");
            insert.bind(number).bind(body).execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        let audit: Vec<&[String]> = $bytes.audit.chunks(BATCH).collect();
        for (batch, steps) in $bytes.steps.chunks(BATCH).enumerate() {
            for moment in 0..3 {
                let mut transaction = $connection.begin().await.map_err(failed)?;
                for body in steps {
                    number += 1;
                    let insert = sqlx::query("INSERT INTO raw_steps (id, body) VALUES ($1, $2)");
                    insert
                        .bind(number)
                        .bind(body)
                        .execute(&mut *transaction)
                        .await
                        .map_err(failed)?;
                }
                let at = (batch * 2 + moment).saturating_sub(1);
                for body in audit.get(at).copied().unwrap_or_default().iter().filter(|_| moment > 0)
                {
                    number += 1;
                    let insert = sqlx::query("INSERT INTO raw_audit (id, body) VALUES ($1, $2)");
                    insert
                        .bind(number)
                        .bind(body)
                        .execute(&mut *transaction)
                        .await
                        .map_err(failed)?;
                }
                transaction.commit().await.map_err(failed)?;
            }
        }
    }};
}

async fn raw_sqlite(file: &Path, bytes: &Bytes) -> Done<()> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    for table in TABLES {
        sqlx::query(table).execute(&mut connection).await.map_err(failed)?;
    }
    raw!(connection, bytes);
    connection.close().await.map_err(failed)
}

async fn raw_postgres(url: &str, bytes: &Bytes) -> Done<()> {
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    for table in TABLES {
        sqlx::query(table).execute(&mut connection).await.map_err(failed)?;
    }
    raw!(connection, bytes);
    connection.close().await.map_err(failed)
}
