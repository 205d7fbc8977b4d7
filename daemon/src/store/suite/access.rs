//! Access forms: names that are set apart, and whose access is looked at.

use super::Ended;
use super::fixtures::{Do, NOW, case_of, claim, later, leavers, name, now, open, person, planned};
use lapsed::store::{DatabaseSettings, Store};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{AccessForm, FiledForm, FormState};
use lapsed_core::access::gate::GatePassed;
use lapsed_core::facts::{Actor, CaseState, Person, PersonId, UserId};
use lapsed_core::journal::StepEvent;
use lapsed_core::plan::PlanState;
use std::collections::BTreeSet;
use uuid::Uuid;

const NAMES: u32 = 200;

/// Each name is tried by both daemons for people of their own; gives the names that this one got.
async fn grab(
    store: Store,
    first: u32,
) -> Result<Vec<UserId>, Box<dyn std::error::Error + Send + Sync>> {
    let mut got = Vec::new();
    for number in 0..NAMES {
        let wanted: UserId = name(format!("mz{number}"))?;
        let tx = store.begin().await?;
        let person = PersonId(Uuid::from_u128(u128::from(first + number)));
        if tx.reserve_user_id(&wanted, person, NOW).await? {
            got.push(wanted);
        }
        tx.commit().await?;
    }
    Ok(got)
}

pub async fn two_daemons_never_set_the_same_user_id_apart(settings: &DatabaseSettings) -> Ended {
    let (one, other) = (open(settings).await?, open(settings).await?);
    let race = (tokio::spawn(grab(one.clone(), 1_000)), tokio::spawn(grab(other, 2_000)));
    let (one_got, other_got) = (race.0.await??, race.1.await??);
    let all: BTreeSet<&UserId> = one_got.iter().chain(&other_got).collect();
    assert_eq!(one_got.len() + other_got.len(), NAMES as usize, "each name once");
    assert_eq!(all.len(), NAMES as usize);
    for user_id in one_got {
        let owner = one.read().user_id(&user_id).await?.and_then(|record| record.person);
        assert!(owner.is_some_and(|person| person.0.as_u128() < 2_000), "{owner:?}");
    }
    Ok(())
}

pub async fn a_user_id_that_was_set_apart_is_not_given_again_whatever_its_case(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    let someone = person(1)?;
    let (lower, upper): (UserId, UserId) = (name("mzsmitj")?, name("MZSmitJ")?);
    let tx = store.begin().await?;
    tx.save_person(&someone).await?;
    assert!(tx.reserve_user_id(&lower, someone.id, NOW).await?);
    assert!(tx.own_user_id(&upper, someone.id, NOW).await?, "whose it is");
    assert!(!tx.own_user_id(&upper, person(2)?.id, NOW).await?, "another's");
    assert!(!tx.reserve_user_id(&upper, someone.id, NOW).await?);
    tx.keep_user_ids(someone.id, std::slice::from_ref(&lower)).await?;
    tx.commit().await?;
    let found = store.read().people_by_keys(&[], std::slice::from_ref(&upper)).await?;
    assert_eq!(found.len(), 1, "who leaves is found by a name that was only set apart");
    let tx = store.begin().await?;
    tx.burn_user_id(&lower, someone.id).await?;
    assert!(!tx.reserve_user_id(&lower, someone.id, NOW).await?, "a burnt name is not given again");
    assert!(!tx.own_user_id(&lower, someone.id, NOW).await?, "nor to whom it was given up for");
    tx.commit().await?;
    assert!(store.read().people_by_keys(&[], &[upper]).await?.is_empty());
    Ok(())
}

fn held(
    person: &Person,
    state: EntitlementState,
) -> Result<Entitlement, lapsed_core::facts::Invalid> {
    Ok(Entitlement {
        id: Uuid::new_v5(&person.id.0, b"wards"),
        person: person.id,
        system: name("wards")?,
        role: None,
        form: 1,
        state,
        starts_on: None,
        ends_on: None,
        approved_at: NOW,
        ended_at: None,
        ended_by: None,
        ended_because: None,
        recertified_on: None,
    })
}

pub async fn who_rests_is_looked_at_again_once_something_moves(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    let (one, other) = (person(1)?, person(2)?);
    let tx = store.begin().await?;
    tx.save_people(&[one.clone(), other.clone()]).await?;
    tx.save_entitlements(&[
        held(&one, EntitlementState::Approved)?,
        held(&other, EntitlementState::InPlace)?,
    ])
    .await?;
    tx.commit().await?;
    assert_eq!(store.read().people_to_grant(NOW).await?, [one.id]);
    let tx = store.begin().await?;
    tx.rest_access_of(&[(one.id, later(60), false), (other.id, later(60), true)]).await?;
    tx.rest_access_of(&[(one.id, later(30), false)]).await?;
    tx.commit().await?;
    assert!(store.read().people_to_grant(later(29)).await?.is_empty());
    assert_eq!(store.read().people_to_grant(later(30)).await?, [one.id]);
    let tx = store.begin().await?;
    tx.save_entitlements(&[held(&other, EntitlementState::Ending)?]).await?;
    tx.commit().await?;
    assert_eq!(store.read().people_to_grant(later(1)).await?, [other.id]);
    Ok(())
}

pub async fn what_leavers_hold_is_known(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let (leaver, stays) = (person(1)?, person(2)?);
    let tx = store.begin().await?;
    tx.save_people(&[leaver.clone(), stays.clone()]).await?;
    for someone in [&leaver, &stays] {
        tx.save_entitlements(&[held(someone, EntitlementState::InPlace)?]).await?;
    }
    let mut case = case_of(&leaver);
    tx.save_case(&case).await?;
    tx.commit().await?;
    let theirs = store.read().entitlements_of_leavers().await?;
    assert_eq!(theirs.iter().map(|e| e.person).collect::<Vec<_>>(), [leaver.id]);
    case.state = CaseState::Rehired;
    let tx = store.begin().await?;
    tx.save_case(&case).await?;
    tx.commit().await?;
    assert!(store.read().entitlements_of_leavers().await?.is_empty());
    Ok(())
}

pub async fn the_end_of_a_step_ends_a_rest_that_is_not_firm(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let who = person(0)?;
    // Of one rank: the claim begins both.
    let steps = [now(0, Do::Leave(1))?, now(0, Do::Leave(2))?];
    planned(&store, &steps, PlanState::Passed).await?;
    claim(&store, "d", 0).await?;
    let tx = store.begin().await?;
    tx.save_entitlements(&[held(&who, EntitlementState::Approved)?]).await?;
    tx.commit().await?;
    for (step, firm) in [(&steps[0], true), (&steps[1], false)] {
        let stored = store.read().step(step.id).await?.ok_or("no such step")?;
        let tx = store.begin().await?;
        tx.rest_access_of(&[(who.id, later(900), firm)]).await?;
        tx.set_steps(&[stored.on(StepEvent::AlreadySo)?], NOW).await?;
        tx.commit().await?;
        assert_eq!(store.read().people_to_grant(NOW).await?.is_empty(), firm);
    }
    assert_eq!(store.read().people_to_grant(later(900)).await?, [who.id]);
    Ok(())
}

pub async fn what_a_form_gave_that_ended_before_it_was_made_is_known(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    let who = person(1)?;
    let form: AccessForm = serde_json::from_value(serde_json::json!({
        "form": "staff_access", "version": 1, "id": Uuid::from_u128(1), "asks": "change",
        "person": {},
    }))?;
    let mut filed = FiledForm {
        number: 1,
        form,
        hash: String::new(),
        person: who.id,
        filed_by: Actor::new("clerk")?,
        filed_at: NOW,
        state: FormState::Waiting,
        ended_because: None,
        reserved: None,
        reminders: 0,
        told_on: None,
    };
    for (state, ended) in [(FormState::Waiting, 0), (FormState::Approved, 0), (FormState::Ended, 1)]
    {
        filed.state = state;
        let tx = store.begin().await?;
        tx.save_people(std::slice::from_ref(&who)).await?;
        tx.save_access_forms(&[(filed.clone(), None)]).await?;
        tx.save_entitlements(&[held(&who, EntitlementState::Approved)?]).await?;
        tx.commit().await?;
        assert_eq!(store.read().entitlements_of_ended_forms().await?.len(), ended, "{state:?}");
    }
    Ok(())
}

pub async fn a_gate_taken_back_stays_so_when_its_feed_repeats_it(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    let someone = person(1)?;
    let (gate, on) = (name("hipaa_training")?, jiff::civil::date(2026, 1, 15));
    let said = GatePassed {
        id: GatePassed::id_of(someone.id, &gate, on, "feed training"),
        person: someone.id,
        gate,
        on,
        source: "feed training".into(),
        document: None,
        at: NOW,
        withdrawn_at: None,
    };
    let tx = store.begin().await?;
    tx.save_person(&someone).await?;
    tx.add_gates(std::slice::from_ref(&said)).await?;
    tx.save_gates(&[GatePassed { withdrawn_at: Some(later(1)), ..said.clone() }]).await?;
    tx.add_gates(std::slice::from_ref(&said)).await?;
    tx.commit().await?;
    assert_eq!(store.read().gates_of(&[someone.id]).await?, []);
    Ok(())
}
