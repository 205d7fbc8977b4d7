//! What changes while directories are asked.

use super::super::flood::tests::{account, cycle, depart, leaver, now};
use super::*;
use crate::store::{StepFilter, StepUpdate, Store};
use crate::targets::Eyes;
use futures_util::future::BoxFuture;
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::facts::{Engagement, LinkedAccount, UserId};
use lapsed_core::journal::StepState;
use lapsed_core::observed::{Observed, ObservedAccount, Scope};
use lapsed_core::step::Seen;
use std::slice::from_ref;
use std::sync::Mutex;

/// A directory that is slow enough for facts to change meanwhile, once.
struct Slow {
    store: Store,
    after: Person,
}

impl Observe for Slow {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        let Scope::People(keys) = scope else { panic!("{scope:?}") };
        let numbers = keys.iter().flat_map(|keys| &keys.employee_numbers);
        let accounts = numbers.map(account).collect();
        Box::pin(async move {
            depart(&Cycle { store: self.store.clone(), ..cycle().await.0 }, from_ref(&self.after))
                .await;
            Ok(Observed { accounts, ..Observed::default() })
        })
    }

    fn read_back<'a>(&'a self, _: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        panic!("nothing was changed")
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

/// A directory that shows these accounts, whatever it is asked, and notes by which names it was.
#[derive(Default)]
struct Showing {
    accounts: Vec<ObservedAccount>,
    asked: Mutex<Vec<UserId>>,
}

impl Observe for Showing {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        if let Scope::People(keys) = scope {
            self.asked.lock().unwrap().extend(keys.iter().flat_map(|k| k.user_ids.clone()));
        }
        let accounts = self.accounts.clone();
        Box::pin(async move { Ok(Observed { accounts, ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, _: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        panic!("nothing was changed")
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

fn asked(cycle: Cycle, after: Person) -> Cycle {
    let slow = Slow { store: cycle.store.clone(), after };
    let name = ConnectorName::new("directory").unwrap();
    Cycle { eyes: Eyes([(name, Arc::new(slow) as Arc<dyn Observe>)].into()), ..cycle }
}

#[tokio::test]
async fn a_notice_that_is_withdrawn_while_directories_are_asked_ends_nothing() {
    let (cycle, _) = cycle().await;
    let person = leaver(7, "hr");
    depart(&cycle, from_ref(&person)).await;
    let mut kept = person.clone();
    kept.notices[0].state = NoticeState::Withdrawn;
    kept.engagements[0].status = lapsed_core::facts::Status::Active;
    kept.engagements[0].ends_on = None;
    let cycle = asked(cycle, kept);

    cycle.decide(now()).await.unwrap();
    assert!(cycle.store.read().plans(&[]).await.unwrap().is_empty(), "decided on what was");
    let marked = cycle.store.read().people_to_decide().await.unwrap();
    assert!(marked.contains_key(&person.id), "decided on anew");

    cycle.decide(now()).await.unwrap();
    assert!(cycle.store.read().plans(&[]).await.unwrap().is_empty());
    let filter = CaseFilter { people: Some(vec![person.id]), ..CaseFilter::default() };
    let cases = cycle.store.read().cases(&filter).await.unwrap();
    assert_eq!(cases.iter().map(|case| case.state).collect::<Vec<_>>(), [CaseState::Withdrawn]);
}

#[tokio::test]
async fn a_round_with_nothing_to_decide_waits_for_nobody_who_writes() {
    let (cycle, _) = cycle().await;
    depart(&cycle, &[leaver(7, "hr")]).await;
    cycle.decide(now()).await.unwrap();
    let marks = cycle.store.read().people_to_decide().await.unwrap();
    let tx = cycle.store.begin().await.unwrap();
    tx.clear_to_decide(&marks.keys().copied().collect::<Vec<_>>(), &marks).await.unwrap();
    tx.commit().await.unwrap();

    let _writing = cycle.store.begin().await.unwrap();
    let idle = tokio::time::timeout(std::time::Duration::from_secs(5), cycle.decide(now())).await;
    assert!(idle.expect("it wrote something").unwrap().plans.is_empty());
}

#[derive(Clone, Copy, PartialEq)]
enum Hers {
    Link,
    Number,
    LinkAndStaleNumber,
}

/// The account that carries 00008 is Ann Smith's, and what the leaver's keys lead to as well.
#[rstest::rstest]
#[case::it_is_linked_to_her(Hers::Link)]
#[case::hr_has_given_her_the_number(Hers::Number)]
#[case::it_still_carries_a_number_that_is_the_leavers_by_now(Hers::LinkAndStaleNumber)]
#[tokio::test]
async fn a_number_that_was_passed_on_leads_to_nobody_elses_account(#[case] hers: Hers) {
    let (cycle, _) = cycle().await;
    let number = lapsed_core::facts::EmployeeNumber::new("00008").unwrap();
    let mut leaver_now = leaver(7, "hr");
    if hers == Hers::LinkAndStaleNumber {
        let another = Engagement {
            employee_number: Some(number.clone()),
            ordinal: 1,
            ..leaver_now.engagements[0].clone()
        };
        leaver_now.engagements.push(another);
    } else {
        leaver_now.engagements[0].former_numbers.push(number.clone());
    }
    let mut owner = leaver(8, "hr");
    owner.notices.clear();
    owner.engagements[0].status = lapsed_core::facts::Status::Active;
    owner.engagements[0].ends_on = None;
    if hers != Hers::Number {
        owner.engagements[0].employee_number = None;
        owner.accounts.push(LinkedAccount {
            connector: ConnectorName::new("directory").unwrap(),
            id: account(&number).id,
            user_id: account(&number).user_id,
        });
    }
    depart(&cycle, &[leaver_now, owner]).await;
    cycle.decide(now()).await.unwrap();
    let plans = cycle.store.read().plans(&[]).await.unwrap();
    let steps: Vec<_> = plans.iter().flat_map(|plan| &plan.plan.steps).collect();
    assert!(!steps.is_empty(), "the leaver's own account is shut");
    let id = account(&number).id;
    assert!(steps.iter().all(|step| step.action.account().id != id), "{steps:?}");
    let told = cycle.store.read().open_set_asides().await.unwrap();
    assert!(told.iter().any(|aside| aside.reason.contains("known to be somebody else's")));
}

/// A form made the account before HR listed whom it is for, under another record; or the number is used again.
#[tokio::test]
async fn the_only_account_with_the_leavers_number_is_put_before_a_person_if_it_is_anothers() {
    let (cycle, _) = cycle().await;
    let number = lapsed_core::facts::EmployeeNumber::new("00007").unwrap();
    let mut before = leaver(8, "hr");
    before.accounts.push(LinkedAccount {
        connector: ConnectorName::new("directory").unwrap(),
        id: account(&number).id,
        user_id: account(&number).user_id,
    });
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&before).await.unwrap();
    tx.commit().await.unwrap();
    depart(&cycle, &[leaver(7, "hr")]).await;
    cycle.decide(now()).await.unwrap();
    let held = cycle.store.read().plans(&[PlanState::Held]).await.unwrap();
    let findings: Vec<String> =
        held.iter().flat_map(|plan| &plan.plan.findings).map(|f| f.describe()).collect();
    assert!(findings.iter().any(|f| f.contains("known to be somebody else's")), "{findings:?}");
}

/// The leaver's own account bears no number: their user ID and last name lead to it.
#[tokio::test]
async fn a_leavers_own_account_is_shut_beside_anothers_that_bears_their_number() {
    let (cycle, _) = cycle().await;
    let number = lapsed_core::facts::EmployeeNumber::new("00007").unwrap();
    let mut owner = leaver(8, "hr");
    owner.notices.clear();
    owner.engagements[0].status = lapsed_core::facts::Status::Active;
    owner.engagements[0].ends_on = None;
    let hers = account(&number);
    owner.accounts.push(LinkedAccount {
        connector: ConnectorName::new("directory").unwrap(),
        id: hers.id.clone(),
        user_id: hers.user_id.clone(),
    });
    let mut leaver_now = leaver(7, "hr");
    leaver_now.engagements[0].user_id = Some(UserId::new("mz900").unwrap());
    let own = ObservedAccount {
        id: lapsed_core::facts::StableId::new("guid-own").unwrap(),
        user_id: UserId::new("mz900").unwrap(),
        employee_number: None,
        ..account(&number)
    };
    let showing = Showing { accounts: vec![hers.clone(), own.clone()], ..Showing::default() };
    let name = ConnectorName::new("directory").unwrap();
    let eyes = Eyes([(name, Arc::new(showing) as Arc<dyn Observe>)].into());
    let cycle = Cycle { eyes, ..cycle };
    depart(&cycle, &[leaver_now, owner]).await;
    cycle.decide(now()).await.unwrap();
    let plans = cycle.store.read().plans(&[PlanState::Passed]).await.unwrap();
    let steps: Vec<_> = plans.iter().flat_map(|plan| &plan.plan.steps).collect();
    assert!(steps.iter().any(|step| step.action.account().id == own.id), "{steps:?}");
    assert!(steps.iter().all(|step| step.action.account().id != hers.id), "{steps:?}");
}

/// Somebody has released that an account be shut which bears the leaver's number and is linked to another
/// record: a system may know it by its name alone.
#[tokio::test]
async fn what_bears_the_name_of_an_account_that_a_release_has_shut_is_looked_for() {
    let (cycle, _) = cycle().await;
    let number = lapsed_core::facts::EmployeeNumber::new("00007").unwrap();
    let name = UserId::new("mz900").unwrap();
    let doubted = ObservedAccount { user_id: name.clone(), ..account(&number) };
    let connector = ConnectorName::new("directory").unwrap();
    let mut before = leaver(8, "hr");
    before.accounts.push(LinkedAccount {
        connector: connector.clone(),
        id: doubted.id.clone(),
        user_id: name.clone(),
    });
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&before).await.unwrap();
    tx.commit().await.unwrap();
    let showing = Arc::new(Showing { accounts: vec![doubted], ..Showing::default() });
    let eyes = Eyes([(connector, Arc::clone(&showing) as Arc<dyn Observe>)].into());
    let cycle = Cycle { eyes, ..cycle };
    let person = leaver(7, "hr");
    depart(&cycle, from_ref(&person)).await;
    cycle.decide(now()).await.unwrap();
    assert!(!showing.asked.lock().unwrap().contains(&name), "it may be somebody else's");

    let held = cycle.store.read().plans(&[PlanState::Held]).await.unwrap().remove(0).plan;
    let tx = cycle.store.begin().await.unwrap();
    tx.set_plan_state(&held.hash, PlanState::Released, None).await.unwrap();
    add_steps(&tx, &[&held], now()).await.unwrap();
    tx.commit().await.unwrap();
    let filter = StepFilter { action: Some("disable"), ..StepFilter::default() };
    let step = cycle.store.read().steps(&filter).await.unwrap().remove(0);
    let tx = cycle.store.begin().await.unwrap();
    let done = StepState::Verified { receipt: None, at: now() };
    let lost = tx.set_steps(&[StepUpdate::new(&step, done)], now()).await.unwrap();
    assert_eq!(lost, []);
    tx.mark_to_decide(&[person.id], now()).await.unwrap();
    tx.commit().await.unwrap();
    cycle.decide(now()).await.unwrap();
    assert!(showing.asked.lock().unwrap().contains(&name));
}

#[test]
fn what_is_said_of_one_departure_is_said_again_of_the_next() {
    let first = leaver(7, "hr");
    let next = Person { episode: 1, ..first.clone() };
    let id = |person: &Person| aside(person, "no account", now()).unwrap().id;
    assert_eq!(id(&first), id(&first.clone()));
    assert_ne!(id(&first), id(&next));
}
