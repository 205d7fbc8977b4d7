//! What follows where people are found in groups that were added elsewhere, and that is to be mended.

use super::*;
use crate::cycle::access::mending::held::Released;
use crate::cycle::access::nightly::BASELINE;
use crate::store::{FormFilter, Pausable, SetAside};
use lapsed_core::access::finding::FindingKind;

fn wards() -> GroupLink {
    GroupLink {
        id: StableId::new("wards").unwrap(),
        name: "Wards".into(),
        kind: GroupKind::Security,
    }
}

/// So many people in a group that no form gave, after the baseline, in a configuration that takes them out.
async fn intruders(count: u64) -> Cycle {
    watched(count).await.0
}

/// The same, with what the directory was asked.
pub(super) async fn watched(count: u64) -> (Cycle, Arc<Eye>) {
    let name = |number: u64| UserId::new(format!("mzsmit{number}")).unwrap();
    let id = |number: u64| StableId::new(format!("guid-{number}")).unwrap();
    let accounts = (1..=count).map(|number| ObservedAccount {
        id: id(number),
        user_id: name(number),
        groups: vec![wards()],
        ..account(true)
    });
    let (mut cycle, eye) = stage(Eye { accounts: accounts.collect(), ..Eye::default() }).await;
    let mut config = (*cycle.config).clone();
    let systems = json!({ "wards": { "connector": "directory", "groups": ["Wards"] } });
    config.policy.access.systems = serde_json::from_value(systems).unwrap();
    config.policy.access.audit.mend = [FindingKind::GroupAddedElsewhere].into();
    config.policy.access.audit.tickets.clear();
    config.policy.guard.suspensions.per_run = 3;
    cycle.config = Arc::new(config);
    let tx = cycle.store.begin().await.unwrap();
    for number in 1..=count {
        let accounts =
            vec![LinkedAccount { connector: directory(), id: id(number), user_id: name(number) }];
        tx.save_person(&Person { accounts, ..person(number.into()) }).await.unwrap();
    }
    tx.set_setting(BASELINE, &"by a test".to_owned()).await.unwrap();
    tx.set_setting("population.hr", &5_000u32).await.unwrap();
    tx.commit().await.unwrap();
    (cycle, eye)
}

/// The moment of a nightly audit.
pub(super) fn night(number: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_hours(24 * number)).unwrap()
}

async fn forms(cycle: &Cycle) -> Vec<FiledForm> {
    cycle.store.read().access_forms(&FormFilter::default()).await.unwrap()
}

async fn told(cycle: &Cycle) -> Vec<SetAside> {
    cycle.store.read().open_set_asides().await.unwrap()
}

#[tokio::test]
async fn whoever_is_put_back_into_a_group_is_taken_out_again_until_it_is_told_that_they_come_back()
{
    let cycle = intruders(1).await;
    for times in 1..=3 {
        cycle.audit_access(night(times)).await.unwrap();
        let filed = forms(&cycle).await;
        assert_eq!(filed.len() as i64, times);
        assert!(told(&cycle).await.is_empty());
        // Carried out; by the next look somebody has put them back.
        let done = FiledForm { state: FormState::InPlace, ..filed.last().unwrap().clone() };
        let mut held = cycle.store.read().entitlements_of(&[done.person]).await.unwrap();
        for one in &mut held {
            one.state = EntitlementState::Ended;
        }
        let tx = cycle.store.begin().await.unwrap();
        tx.save_access_forms(&[(done, None)]).await.unwrap();
        tx.save_entitlements(&held).await.unwrap();
        tx.commit().await.unwrap();
    }
    for times in 4..=5 {
        cycle.audit_access(night(times)).await.unwrap();
        assert_eq!(forms(&cycle).await.len(), 3);
        let told = told(&cycle).await;
        assert_eq!(told.len(), 1);
        assert!(told[0].reason.contains("it comes back"), "{}", told[0].reason);
    }
}

#[tokio::test]
async fn more_people_than_the_guard_lets_through_are_told_until_an_operator_has_them_taken_out() {
    let few = intruders(3).await;
    few.audit_access(night(1)).await.unwrap();
    assert_eq!((forms(&few).await.len(), told(&few).await.len()), (3, 0), "the guard's limit");

    let cycle = intruders(4).await;
    // Told once while it waits for somebody, and anew on the next day where it was settled and all stay.
    for (hours, settles) in [(0, false), (24, true), (25, false), (48, false)] {
        cycle.audit_access(night(1) + SignedDuration::from_hours(hours)).await.unwrap();
        assert!(forms(&cycle).await.is_empty(), "nobody is taken out");
        let mut told = told(&cycle).await;
        assert_eq!(told.len(), usize::from(hours != 25), "after {hours} hours");
        if settles {
            told[0].settled_at = Some(night(1));
            let tx = cycle.store.begin().await.unwrap();
            tx.set_aside(&told).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    let reason = told(&cycle).await.remove(0).reason;
    let (_, hash) = reason.split_once("findings mend ").unwrap();
    let hash = &hash[..12];

    // Whose access was found to be right stays out of it.
    let mut finding = cycle.store.read().open_access_findings().await.unwrap().remove(0);
    finding.settled_at = Some(night(3));
    let tx = cycle.store.begin().await.unwrap();
    tx.save_access_findings(&[finding]).await.unwrap();
    tx.commit().await.unwrap();
    let who = Actor::new("olga").unwrap();
    let by = Released { who: &who, reason: "a script" };
    for wrong in ["", &hash[..11], "000000000000"] {
        assert_eq!(cycle.release_mends(wrong, by, night(3)).await.unwrap(), None, "{wrong}");
    }
    assert_eq!(cycle.release_mends(hash, by, night(3)).await.unwrap(), Some(3));
    assert_eq!(cycle.release_mends(hash, by, night(3)).await.unwrap(), None, "once");
    assert!(told(&cycle).await.is_empty());
    let filed = forms(&cycle).await;
    assert_eq!(filed.len(), 3);
    assert!(filed.iter().all(|form| form.state == FormState::Approved));
    let audit = cycle.store.read().audit_rows(0, 100, None).await.unwrap();
    let of = |event: &str| audit.iter().filter(|row| row.entry.event == event).count();
    assert_eq!((of("access.mend_held"), of("access.mend_released")), (2, 1));
}

#[tokio::test]
async fn what_ends_is_planned_while_giving_is_paused() {
    let cycle = intruders(1).await;
    cycle.audit_access(night(1)).await.unwrap();
    let tx = cycle.store.begin().await.unwrap();
    tx.pause(Pausable::Giving, "by a test").await.unwrap();
    tx.commit().await.unwrap();
    let plans = cycle.access_round(night(1)).await.unwrap();
    let steps: Vec<_> =
        plans.iter().flat_map(|(plan, _)| &plan.steps).map(|step| step.action.name()).collect();
    assert_eq!(steps, ["leave_group"]);
}
