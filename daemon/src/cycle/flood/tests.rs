//! Everyone departs at once, in a directory of 10,000 groups with a hundred of them each: nothing is planned,
//! and the one real leaver goes through all the same. `LAPSED_TORTURE=long` has 49,000 leavers of 50,000 people.

use super::*;
use crate::store::Store;
use crate::targets::Eyes;
use futures_util::future::BoxFuture;
use jiff::civil::date;
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::facts::*;
use lapsed_core::observed::*;
use lapsed_core::plan::PlanState;
use lapsed_core::step::{Fault, Seen, Step};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const GROUPS: u32 = 10_000;
const GROUPS_EACH: u32 = 100;

pub(in crate::cycle) fn now() -> Timestamp {
    "2026-11-02T18:00:00Z".parse().unwrap()
}

/// A directory in which every number has an account, made when it is asked for.
#[derive(Default)]
pub(in crate::cycle) struct Large {
    people_shown: AtomicUsize,
}

pub(in crate::cycle) fn account(number: &EmployeeNumber) -> ObservedAccount {
    let nth: u32 = number.as_str().parse().unwrap();
    let group = |each: u32| {
        let group = (nth * 7 + each * 101) % GROUPS;
        GroupLink {
            id: StableId::new(format!("group-{group}")).unwrap(),
            name: format!("Group {group}"),
            kind: GroupKind::Security,
        }
    };
    ObservedAccount {
        realm: Realm::Directory,
        held_in_trust: Vec::new(),
        details: Details::default(),
        id: StableId::new(format!("guid-{nth}")).unwrap(),
        user_id: user_id(nth),
        other_user_ids: Vec::new(),
        place: format!("uid={nth},ou=people"),
        enabled: true,
        employee_number: Some(number.clone()),
        other_employee_numbers: Vec::new(),
        name: name(),
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: (0..GROUPS_EACH).map(group).collect(),
    }
}

impl Observe for Large {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        let Scope::People(keys) = scope else { panic!("{scope:?}") };
        let numbers = keys.iter().flat_map(|keys| &keys.employee_numbers);
        let accounts: Vec<ObservedAccount> = numbers.map(account).collect();
        self.people_shown.fetch_add(accounts.len(), Ordering::Relaxed);
        Box::pin(async move { Ok(Observed { accounts, ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, _: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        panic!("nothing was changed")
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

fn name() -> PersonName {
    PersonName { last: "Smith".into(), first: "John".into(), preferred: None }
}

fn user_id(nth: u32) -> UserId {
    UserId::new(format!("mz{nth}")).unwrap()
}

/// Who left yesterday, by the word of `source`.
pub(in crate::cycle) fn leaver(nth: u32, source: &str) -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(u128::from(nth) + 1)));
    let number = EmployeeNumber::new(format!("{nth:05}")).unwrap();
    let last_day = Some(date(2026, 11, 1));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: Some(number.clone()),
        former_numbers: Vec::new(),
        user_id: Some(user_id(nth)),
        record: String::new(),
        ordinal: 0,
        name: Some(name()),
        status: Status::Departed,
        starts_on: None,
        ends_on: last_day,
        worksite: LocationId::new("z").ok(),
        kind: None,
        supervisor: None,
    });
    person.notices.push(Notice {
        source: SourceName::new(source).unwrap(),
        about: About::Person,
        last_day,
        effective_at: "2026-11-02T06:00:00Z".parse().unwrap(),
        for_cause: false,
        received_at: now(),
        brought_by: "hr-49000.csv".into(),
        state: NoticeState::Standing,
    });
    person
}

fn leavers() -> u32 {
    let long = std::env::var("LAPSED_TORTURE").is_ok_and(|form| form == "long");
    if long { 49_000 } else { 3_000 }
}

pub(in crate::cycle) async fn cycle() -> (Cycle, Arc<Large>) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.example.yaml");
    let (mut config, _) = crate::config::load(&example).unwrap();
    config.notices = None;
    let store = Store::empty_scratch().await.unwrap();
    let tx = store.begin().await.unwrap();
    tx.set_setting("population.hr", &50_000_u32).await.unwrap();
    tx.commit().await.unwrap();
    let large = Arc::new(Large::default());
    let name = ConnectorName::new("directory").unwrap();
    let eyes: BTreeMap<ConnectorName, Arc<dyn Observe>> =
        BTreeMap::from([(name, Arc::clone(&large) as Arc<dyn Observe>)]);
    (Cycle { store, config: Arc::new(config), eyes: Eyes(eyes) }, large)
}

pub(in crate::cycle) async fn depart(cycle: &Cycle, people: &[Person]) {
    let tx = cycle.store.begin().await.unwrap();
    tx.save_people(people).await.unwrap();
    let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    tx.mark_to_decide(&ids, now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn passed(cycle: &Cycle) -> usize {
    cycle.store.read().plans(&[PlanState::Passed]).await.unwrap().len()
}

#[tokio::test]
async fn of_thousands_of_leavers_at_once_nothing_is_planned_and_a_real_one_still_goes_through() {
    let (cycle, large) = cycle().await;
    let mut all: Vec<Person> = (0..leavers()).map(|nth| leaver(nth, "hr")).collect();
    all.push(leaver(49_998, "operator"));
    depart(&cycle, &all).await;
    let begun = Instant::now();
    cycle.decide(now()).await.unwrap();
    println!("{} leavers were put before a person in {:?}", leavers(), begun.elapsed());

    assert_eq!(passed(&cycle).await, 1, "the one whom an operator named");
    assert!(cycle.store.read().plans(&[PlanState::Held]).await.unwrap().is_empty());
    assert!(large.people_shown.load(Ordering::Relaxed) < 2_500, "not everyone was read");
    let asides = cycle.store.read().open_set_asides().await.unwrap();
    let flood: Vec<_> = asides.iter().filter(|aside| aside.reason.contains("most_steps")).collect();
    assert_eq!(flood.len(), 1, "{asides:?}");
    let says = format!("{} people would depart at once", leavers());
    assert!(flood[0].reason.starts_with(&says), "{flood:?}");
    assert_eq!(flood[0].file_name, "hr-49000.csv");
    assert!(
        cycle.store.read().people_to_decide().await.unwrap().is_empty(),
        "nobody is looked at again"
    );

    // The real leaver of the next drop.
    depart(&cycle, &[leaver(49_999, "hr")]).await;
    let begun = Instant::now();
    cycle.decide(now()).await.unwrap();
    println!("the single departure after it took {:?}", begun.elapsed());
    assert_eq!(passed(&cycle).await, 2);

    // The nightly round looks at all of them again, and says it once.
    cycle.store.mark_departed_to_decide(now()).await.unwrap();
    cycle.decide(now()).await.unwrap();
    assert_eq!(passed(&cycle).await, 2);
    let asides = cycle.store.read().open_set_asides().await.unwrap();
    assert_eq!(asides.iter().filter(|aside| aside.reason.contains("most_steps")).count(), 1);
}

#[tokio::test]
async fn as_many_as_a_person_can_read_are_one_plan_that_is_held() {
    let (cycle, _) = cycle().await;
    let all: Vec<Person> = (0..60).map(|nth| leaver(nth, "hr")).collect();
    depart(&cycle, &all).await;
    cycle.decide(now()).await.unwrap();
    let held = cycle.store.read().plans(&[PlanState::Held]).await.unwrap();
    assert_eq!(held.len(), 1);
    assert!(held[0].plan.steps.len() > 60 * 100, "{} steps", held[0].plan.steps.len());
    assert_eq!(passed(&cycle).await, 0);
}

#[tokio::test]
async fn a_second_flood_by_a_file_of_the_same_name_is_told_of_too() {
    let (cycle, _) = cycle().await;
    let mut all: Vec<Person> = (0..leavers()).map(|nth| leaver(nth, "hr")).collect();
    for day in 0..2 {
        for person in &mut all {
            person.notices[0].received_at = now() + jiff::SignedDuration::from_hours(24 * day);
        }
        depart(&cycle, &all).await;
        cycle.decide(now()).await.unwrap();
    }
    let asides = cycle.store.read().open_set_asides().await.unwrap();
    assert_eq!(asides.iter().filter(|aside| aside.reason.contains("most_steps")).count(), 2);
}
