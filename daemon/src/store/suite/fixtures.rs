//! People who leave, as small as they can be.

use super::Ended;
use jiff::{SignedDuration, Timestamp, civil::Date};
use lapsed::store::{Claim, DatabaseSettings, Store, StoreError, StoredStep};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    Case, CaseId, CaseState, ConnectorName, EmployeeNumber, Engagement, LinkedAccount, Person,
    PersonId, SourceName, StableId, Status, UserId,
};
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::{Action, Due, Expect, Step, Target};
use uuid::Uuid;

/// Noon of a working day.
pub const NOW: Timestamp = Timestamp::constant(1_795_608_000, 0);
/// The day of [`NOW`].
pub const TODAY: Date = jiff::civil::date(2026, 11, 25);

pub fn later(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

pub async fn open(settings: &DatabaseSettings) -> Result<Store, StoreError> {
    Store::open(settings, None).await
}

pub fn name<T: TryFrom<String>>(text: impl Into<String>) -> Result<T, T::Error> {
    T::try_from(text.into())
}

pub fn connector() -> Result<ConnectorName, lapsed_core::facts::Invalid> {
    name("directory")
}

pub fn person(number: u32) -> Result<Person, lapsed_core::facts::Invalid> {
    let mut person = Person::new(PersonId(Uuid::from_u128(u128::from(number) + 1)));
    person.engagements.push(Engagement {
        source: name("hr")?,
        employee_number: Some(name::<EmployeeNumber>(format!("E{number}"))?),
        record: String::new(),
        former_numbers: Vec::new(),
        user_id: None,
        ordinal: 0,
        name: None,
        status: Status::Departed,
        starts_on: None,
        ends_on: Some(TODAY),
        worksite: None,
        kind: None,
        supervisor: None,
    });
    person.accounts.push(LinkedAccount {
        connector: connector()?,
        id: name::<StableId>(format!("guid-{number}"))?,
        user_id: name::<UserId>(format!("Z{number}Doe"))?,
    });
    Ok(person)
}

pub fn case_of(person: &Person) -> Case {
    Case {
        id: CaseId::departure(person.id, person.episode),
        kind: lapsed_core::facts::CaseKind::Departure,
        person: person.id,
        state: CaseState::Open,
        effective_at: NOW,
        for_cause: false,
        opened_at: NOW,
        disabled_on: Some(TODAY),
        worksite_class: None,
        reason: "left".into(),
        before: Vec::new(),
    }
}

fn target(id: impl Into<String>) -> Result<Target, lapsed_core::facts::Invalid> {
    let label: String = id.into();
    Ok(Target { id: name(label.clone())?, label })
}

/// What to do with a person's account.
#[derive(Clone, Copy)]
pub enum Do {
    Disable,
    Revoke,
    EndMailSessions,
    Leave(u32),
    DeleteHome,
    DeleteMailbox,
    DeleteAccount,
    Give(Uuid),
    TakeBack(Uuid),
    Archive(Uuid),
}

pub fn step(number: u32, what: Do, due: Due) -> Result<Step, lapsed_core::facts::Invalid> {
    let person = person(number)?;
    let account = target(format!("guid-{number}"))?;
    let action = match what {
        Do::Disable => Action::Disable { account },
        Do::Revoke => Action::RevokeAccess { account },
        Do::EndMailSessions => Action::DisableMailbox { account },
        Do::Leave(group) => {
            Action::LeaveGroup { account, group: target(format!("group-{group}"))? }
        }
        Do::DeleteHome => Action::DeleteHome { account, home: None, uid_number: None },
        Do::DeleteMailbox => Action::DeleteMailbox { account },
        Do::DeleteAccount => Action::DeleteAccount { account },
        Do::Give(wish) => Action::DelegateMailbox { account, to: name("reader")?, wish },
        Do::TakeBack(wish) => Action::EndDelegation { account, to: name("reader")?, wish },
        Do::Archive(wish) => Action::ArchiveHome {
            account,
            home: None,
            uid_number: None,
            wish,
            paths: Vec::new(),
            recipient: name("reader")?,
        },
    };
    let expect = Expect { user_id: name(format!("Z{number}Doe"))?, employee_number: None };
    let case = case_of(&person).id;
    Ok(Step::new(case, person.id, connector()?, action, expect, due, Rule::D2))
}

pub fn now(number: u32, what: Do) -> Result<Step, lapsed_core::facts::Invalid> {
    step(number, what, Due::AtOnce)
}

pub fn on(number: u32, what: Do, date: Date) -> Result<Step, lapsed_core::facts::Invalid> {
    step(number, what, Due::On { date, reason: "a test".into() })
}

/// A plan of these steps; `version` makes plans of the same steps differ.
pub fn plan_of(steps: &[Step], version: &str) -> Plan {
    let kind = match steps.first() {
        Some(step) => PlanKind::Departure { case: step.case, person: step.person, noticed_at: NOW },
        None => PlanKind::MassDeparture { people: 0, noticed_at: NOW },
    };
    Plan::new(kind, version, steps.to_vec(), Vec::new(), Vec::new())
}

/// Stores the people from 0 up to `count`, each with an open departure.
pub async fn leavers(store: &Store, count: u32) -> Ended {
    let people = (0..count).map(person).collect::<Result<Vec<_>, _>>()?;
    let cases: Vec<_> = people.iter().map(case_of).collect();
    let tx = store.begin().await?;
    tx.save_people(&people).await?;
    tx.save_cases(&cases).await?;
    tx.commit().await?;
    Ok(())
}

/// Stores a plan of these steps, and the steps.
pub async fn planned(store: &Store, steps: &[Step], state: PlanState) -> Result<Plan, StoreError> {
    let plan = plan_of(steps, "1");
    let tx = store.begin().await?;
    tx.save_plan(&plan, state, &[], NOW).await?;
    tx.add_steps(&plan.hash, steps, false, NOW).await?;
    tx.commit().await?;
    Ok(plan)
}

/// Claims everything, as `owner`, at a moment so many seconds after noon.
pub async fn claim(
    store: &Store,
    owner: &str,
    seconds: i64,
) -> Result<Vec<StoredStep>, Box<dyn std::error::Error + Send + Sync>> {
    let connectors = [connector()?];
    Ok(store.claim_due(&claim_of(&connectors, owner, seconds)).await?)
}

pub fn claim_of<'a>(connectors: &'a [ConnectorName], owner: &'a str, seconds: i64) -> Claim<'a> {
    Claim {
        connectors,
        now: later(seconds),
        today: TODAY,
        owner,
        lease_for: SignedDuration::from_secs(60),
        limit: 1_000_000,
        deletions_allowed: true,
    }
}

pub fn source() -> Result<SourceName, lapsed_core::facts::Invalid> {
    name("hr")
}

/// The names of what was claimed, in order: `disable guid-3`.
pub fn shown(steps: &[StoredStep]) -> Vec<String> {
    steps
        .iter()
        .map(|s| match &s.step.action {
            Action::LeaveGroup { account, group } => format!("{} leaves {}", account.id, group.id),
            other => format!("{} {}", other.name(), other.account().id),
        })
        .collect()
}

/// What someone does who has the database in hand and not the daemon.
pub async fn tamper(settings: &DatabaseSettings, sql: &'static str) -> Ended {
    use sqlx::{Connection as _, Executor as _};
    if settings.url.starts_with("sqlite:") {
        let mut connection = sqlx::SqliteConnection::connect(&settings.url).await?;
        connection.execute(sql).await?;
        connection.close().await?;
    } else {
        let mut connection = sqlx::PgConnection::connect(&settings.url).await?;
        connection.execute(sql).await?;
        connection.close().await?;
    }
    Ok(())
}
