//! A departure or an order that comes while access is being given finds what was given.

use super::*;
use crate::store::Store;
use futures_util::future::BoxFuture;
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::{Case, CaseId, CaseKind, Person, PersonId, StableId, UserId};
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::{Due, Expect, Target};
use lapsed_core::step::{Receipt, Seen};
use rstest::rstest;
use std::path::Path;
use uuid::Uuid;

fn now() -> Timestamp {
    "2026-11-02T18:00:00Z".parse().unwrap()
}

fn person() -> Person {
    Person::new(PersonId(Uuid::from_u128(7)))
}

fn case(id: CaseId, kind: CaseKind) -> Case {
    Case {
        id,
        kind,
        person: person().id,
        state: CaseState::Open,
        effective_at: now(),
        for_cause: false,
        opened_at: now(),
        disabled_on: None,
        worksite_class: None,
        reason: String::new(),
        before: Vec::new(),
    }
}

fn order() -> Suspension {
    Suspension {
        id: Uuid::from_u128(77),
        person: person().id,
        kind: SuspensionKind::Order,
        connectors: Vec::new(),
        starts_on: None,
        ends_on: None,
        authority: "coordinator".into(),
        reason: "violation".into(),
        form: None,
        placed_at: now(),
        lifted_at: None,
        lifted_because: None,
        placed_by: None,
        by_feed: None,
        feed_moved_on: false,
        over_at: None,
    }
}

/// A target that is slow: what stops access comes, looks, and is stored before it answers.
struct Slow {
    store: Store,
    answer: fn() -> Result<Outcome, Fault>,
}

/// Places an order and opens a departure; both have looked at the accounts already.
async fn stop_access(store: &Store) {
    let tx = store.begin().await.unwrap();
    tx.save_suspensions(&[(order(), None)]).await.unwrap();
    tx.save_case(&case(CaseId::departure(person().id, 0), CaseKind::Departure)).await.unwrap();
    tx.commit().await.unwrap();
}

impl Observe for Slow {
    fn observe<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async { Ok(Observed::default()) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async { steps.iter().map(|_| Ok(Seen::AsWanted)).collect() })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

impl Apply for Slow {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(async {
            stop_access(&self.store).await;
            steps.iter().map(|_| (self.answer)()).collect()
        })
    }
}

/// An executor whose journal has one step that opens the person's account.
async fn giving() -> (Executor, ConnectorName) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.example.yaml");
    let (config, _) = crate::config::load(&example).unwrap();
    let store = Store::empty_scratch().await.unwrap();
    let name = ConnectorName::new("directory").unwrap();
    let form = case(CaseId(Uuid::from_u128(9)), CaseKind::Form);
    let account = Target { id: StableId::new("guid-7").unwrap(), label: "mznew".into() };
    let step = Step::new(
        form.id,
        person().id,
        name.clone(),
        Action::Enable { account },
        Expect { user_id: UserId::new("mznew").unwrap(), employee_number: None },
        Due::AtOnce,
        Rule::A1,
    );
    let kind = PlanKind::Form { case: form.id, person: person().id, number: 1 };
    let plan = Plan::new(kind, "1", vec![step], Vec::new(), Vec::new());
    let tx = store.begin().await.unwrap();
    tx.save_person(&person()).await.unwrap();
    tx.save_case(&form).await.unwrap();
    tx.save_plan(&plan, PlanState::Passed, &[], now()).await.unwrap();
    tx.add_steps(&plan.hash, &plan.steps, false, now()).await.unwrap();
    tx.commit().await.unwrap();
    let cycle = Cycle { store, config: Arc::new(config), eyes: crate::targets::Eyes::default() };
    let executor = Executor {
        cycle,
        hands: Hands::default(),
        owner: "one".into(),
        clock: Arc::new(now),
        pace: Pace::default(),
        orders_seen: Arc::new(std::sync::atomic::AtomicBool::new(true)),
        fence: Arc::new(crate::service::Fence::open()),
    };
    (executor, name)
}

async fn is_looked_at_again(executor: &Executor) {
    let read = executor.cycle.store.read();
    let marked = read.people_to_decide().await.unwrap();
    assert!(marked.contains_key(&person().id), "the departure is planned for anew");
    let looks = read.suspensions_to_look_at(now(), executor.cycle.today(now())).await.unwrap();
    assert_eq!(looks.len(), 1, "the order is held against the account again");
}

#[rstest]
#[case::done(|| Ok(Outcome::Changed(Receipt::default())))]
#[case::nobody_knows(|| Err(Fault::Unknown(Cause::new("the line broke"))))]
#[case::refused(|| Err(Fault::Refused(Cause::new("no"))))]
#[tokio::test]
async fn what_was_given_after_the_look_is_found(#[case] answer: fn() -> Result<Outcome, Fault>) {
    let (executor, name) = giving().await;
    let slow = Slow { store: executor.cycle.store.clone(), answer };
    let round = executor.drain(&name, &slow, &CancellationToken::new()).await.unwrap();
    is_looked_at_again(&executor).await;
    assert_eq!(round.given, 1, "so that the deciding is woken");
    // And woken once: without a step there is nothing to look at.
    let round = executor.drain(&name, &slow, &CancellationToken::new()).await.unwrap();
    assert_eq!(round.given, 0);
}

#[tokio::test]
async fn what_a_dead_daemon_was_giving_is_found() {
    let (executor, name) = giving().await;
    let claimed = executor.claim(&name, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    stop_access(&executor.cycle.store).await;
    // Its lease runs out, and no claim takes the step up: it is stopped.
    let after = now().checked_add(SignedDuration::from_hours(2)).unwrap();
    let executor = Executor { clock: Arc::new(move || after), owner: "two".into(), ..executor };
    let answer = || Err(Fault::Refused(Cause::new("never called")));
    let slow = Slow { store: executor.cycle.store.clone(), answer };
    executor.drain(&name, &slow, &CancellationToken::new()).await.unwrap();
    let steps = executor.cycle.store.read().steps(&StepFilter::default()).await.unwrap();
    assert!(steps[0].state.is_done(), "{:?}", steps[0].state);
    let read = executor.cycle.store.read();
    assert!(read.people_to_decide().await.unwrap().contains_key(&person().id));
}

/// A target that says that it has done everything, and shows what a test wants it to.
struct Shown(Arc<std::sync::Mutex<Seen>>);

impl Observe for Shown {
    fn observe<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async { Ok(Observed::default()) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        let seen = self.0.lock().unwrap().clone();
        Box::pin(async move { steps.iter().map(|_| Ok(seen.clone())).collect() })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

impl Apply for Shown {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        let done = || Ok(Outcome::Changed(Receipt::default()));
        Box::pin(async move { steps.iter().map(|_| done()).collect() })
    }
}

/// A copy that lags is looked at again before what was done counts as not done; a lie is found out.
#[rstest]
#[case::a_copy_that_comes_up(true, "verified")]
#[case::a_lie(false, "unverified")]
#[tokio::test]
async fn what_cannot_be_seen_at_once_is_looked_at_again(
    #[case] comes_up: bool,
    #[case] state: &str,
) {
    let (executor, name) = giving().await;
    let otherwise = Seen::Otherwise(lapsed_core::step::Found { description: "shut".into() });
    let seen = Arc::new(std::sync::Mutex::new(otherwise));
    let never = CancellationToken::new();
    let after = |seconds| {
        let at = now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
        Executor { clock: Arc::new(move || at), ..executor.clone() }
    };
    let stands = async || {
        let steps = executor.cycle.store.read().steps(&StepFilter::default()).await.unwrap();
        steps[0].state.name()
    };
    for seconds in [0, 9] {
        after(seconds).drain(&name, &Shown(seen.clone()), &never).await.unwrap();
        assert_eq!(stands().await, "done", "after {seconds} s it may be on its way");
    }
    if comes_up {
        *seen.lock().unwrap() = Seen::AsWanted;
    }
    after(10).drain(&name, &Shown(seen.clone()), &never).await.unwrap();
    assert_eq!(stands().await, state);
}
