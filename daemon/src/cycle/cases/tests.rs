//! What a departure that is called off has taken.

use super::*;
use crate::store::Store;
use crate::store::suite::fixtures::case_of;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{ConnectorName, StableId, UserId};
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::{Cause, Due, Expect, Receipt, Step, Target};
use rstest::rstest;
use std::path::Path;
use std::sync::Arc;

fn now() -> Timestamp {
    "2026-11-02T18:00:00Z".parse().unwrap()
}

/// The person has an account in a system only, so that no clock ever started.
#[rstest]
#[case::it_was_taken(&[StepEvent::Start(now()), StepEvent::Changed(Receipt::default())], true)]
#[case::it_is_being_taken(&[StepEvent::Start(now())], true)]
#[case::nobody_knows(&[StepEvent::Start(now()), StepEvent::ReplyLost(Cause::new("cut"))], true)]
#[case::others_had_taken_it(&[StepEvent::Start(now()), StepEvent::AlreadySo], false)]
#[case::nothing_was_begun(&[], false)]
#[tokio::test]
async fn a_departure_that_is_off_has_taken_what_it_took_anywhere(
    #[case] events: &[StepEvent],
    #[case] has_taken: bool,
) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.example.yaml");
    let (config, _) = crate::config::load(&example).unwrap();
    let store = Store::empty_scratch().await.unwrap();
    let person = Person::new(PersonId(Uuid::from_u128(7)));
    let case = Case { disabled_on: None, ..case_of(&person) };
    let account = Target { id: StableId::new("7").unwrap(), label: "mzsmitj".into() };
    let step = Step::new(
        case.id,
        person.id,
        ConnectorName::new("cimor").unwrap(),
        Action::RevokeAccess { account },
        Expect { user_id: UserId::new("mzsmitj").unwrap(), employee_number: None },
        Due::AtOnce,
        Rule::D2,
    );
    let kind = PlanKind::Form { case: case.id, person: person.id, number: 1 };
    let plan = Plan::new(kind, "1", vec![step.clone()], Vec::new(), Vec::new());
    let tx = store.begin().await.unwrap();
    tx.save_person(&person).await.unwrap();
    tx.save_case(&case).await.unwrap();
    tx.save_plan(&plan, PlanState::Passed, &[], now()).await.unwrap();
    tx.add_steps(&plan.hash, &plan.steps, false, now()).await.unwrap();
    tx.commit().await.unwrap();
    for event in events {
        let stored = store.read().step(step.id).await.unwrap().unwrap();
        let tx = store.begin().await.unwrap();
        tx.set_steps(&[stored.on(event.clone()).unwrap()], now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let cycle = Cycle { store, config: Arc::new(config), eyes: crate::targets::Eyes::default() };
    let tx = cycle.store.begin().await.unwrap();
    assert_eq!(cycle.has_taken(&tx, &case).await.unwrap(), has_taken);
}
