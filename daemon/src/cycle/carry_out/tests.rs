//! A departure or an order that comes while access is being given finds what was given.

use super::*;
use crate::store::Store;
use crate::store::suite::fixtures::case_of;
use futures_util::future::BoxFuture;
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::{Case, CaseId, CaseKind, Person, PersonId, StableId, UserId};
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::Seen;
use lapsed_core::step::{Due, Expect, Target};
use rstest::rstest;
use std::path::Path;
use std::sync::Mutex;
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
        effective_at: now(),
        opened_at: now(),
        disabled_on: None,
        ..case_of(&person())
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

/// A target that answers and shows what a test wants it to.
#[derive(Clone)]
struct Shown {
    answer: Arc<Mutex<Result<Outcome, Fault>>>,
    seen: Arc<Mutex<Result<Seen, Fault>>>,
    /// Of which steps it was told that they were perhaps begun before.
    told: Arc<Mutex<BTreeSet<StepId>>>,
    /// The same, when it was asked to carry one out.
    told_first: Arc<Mutex<BTreeSet<StepId>>>,
}

impl Shown {
    /// It says that it has done everything.
    fn at(seen: Seen) -> Self {
        let (answer, seen) = (Ok(Outcome::Changed(Receipt::default())), Ok(seen));
        Self {
            answer: Arc::new(Mutex::new(answer)),
            seen: Arc::new(Mutex::new(seen)),
            told: Arc::default(),
            told_first: Arc::default(),
        }
    }

    /// It took the change, and neither its reply nor an answer to a look comes through.
    fn cut_off() -> Self {
        let shown = Self::at(Seen::AsWanted);
        shown.answers(Err(Fault::Unknown(Cause::new("the line broke"))));
        shown.shows(Err(Fault::Retry(Cause::new("it does not answer"))));
        shown
    }

    fn answers(&self, answer: Result<Outcome, Fault>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn shows(&self, seen: Result<Seen, Fault>) {
        *self.seen.lock().unwrap() = seen;
    }
}

impl Observe for Shown {
    fn observe<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async { Ok(Observed::default()) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        let seen = self.seen.lock().unwrap().clone();
        Box::pin(async move { steps.iter().map(|_| seen.clone()).collect() })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

impl Apply for Shown {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        self.told_first.lock().unwrap().extend(self.told.lock().unwrap().iter().copied());
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move { steps.iter().map(|_| answer.clone()).collect() })
    }

    fn perhaps_begun(&self, step: StepId) {
        self.told.lock().unwrap().insert(step);
    }
}

/// The same installation, so many seconds on.
fn after(executor: &Executor, seconds: i64) -> Executor {
    let at = now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    Executor { clock: Arc::new(move || at), ..executor.clone() }
}

/// The state of the one step.
async fn stands(executor: &Executor) -> &'static str {
    let steps = executor.cycle.store.read().steps(&StepFilter::default()).await.unwrap();
    steps[0].state.name()
}

#[rstest]
#[case::its_daemon_died(true)]
#[case::it_is_the_first_attempt(false)]
#[tokio::test]
async fn a_target_is_told_of_a_step_that_was_perhaps_begun_before(#[case] died: bool) {
    let (executor, name) = giving().await;
    let claimed = if died { executor.claim(&name, 10).await.unwrap() } else { Vec::new() };
    let executor = Executor { owner: "two".into(), ..after(&executor, 7200) };
    let shown = Shown::at(Seen::AsWanted);
    executor.drain(&name, &shown, &CancellationToken::new()).await.unwrap();
    let died_at: BTreeSet<StepId> = claimed.iter().map(|stored| stored.step.id).collect();
    assert_eq!(*shown.told_first.lock().unwrap(), died_at);
    assert_eq!(stands(&executor).await, "verified");
}

#[tokio::test]
async fn what_was_perhaps_done_is_unknown_until_a_look_tells() {
    let (executor, name) = giving().await;
    let (never, cut_off) = (CancellationToken::new(), Shown::cut_off());
    executor.drain(&name, &cut_off, &never).await.unwrap();
    assert_eq!(stands(&executor).await, "unknown");
    assert!(executor.claim(&name, 10).await.unwrap().is_empty(), "not again at once");
    // Another daemon takes it up, and cannot reach the target either: nothing is known still.
    let other = Executor { owner: "two".into(), ..after(&executor, 600) };
    cut_off.answers(Err(Fault::Retry(Cause::new("it does not answer"))));
    other.drain(&name, &cut_off, &never).await.unwrap();
    assert_eq!(stands(&executor).await, "unknown");
    // A third is told all the same that it may have been begun.
    let third = Executor { owner: "three".into(), ..after(&executor, 7200) };
    let (up, step) = (Shown::at(Seen::AsWanted), executor.cycle.store.read());
    third.drain(&name, &up, &never).await.unwrap();
    assert_eq!(stands(&executor).await, "verified", "a look, and nothing was carried out again");
    let id = step.steps(&StepFilter::default()).await.unwrap()[0].step.id;
    assert_eq!(*up.told.lock().unwrap(), BTreeSet::from([id]));
    assert_eq!(up.told_first.lock().unwrap().len(), 0);
}

/// An auditor must not read that others deleted what lapsed itself may have deleted before its death.
#[rstest]
#[case::an_earlier_attempt_may_have_done_it(true, "perhaps by an earlier attempt")]
#[case::others_did_it(false, "it was so already")]
#[tokio::test]
async fn what_is_gone_is_said_to_have_been_so_only_where_no_attempt_was_made(
    #[case] perhaps_begun: bool,
    #[case] said: &str,
) {
    let (executor, name) = giving().await;
    let mut claimed = executor.claim(&name, 10).await.unwrap();
    let account = Target { id: StableId::new("guid-7").unwrap(), label: "mznew".into() };
    claimed[0].step.action = Action::DeleteMailbox { account };
    claimed[0].perhaps_begun = perhaps_begun;
    let event = event_of(&claimed[0], Ok(Outcome::AlreadySo), now());
    let note = note(&claimed[0].on(event).unwrap().state);
    assert!(note.contains(said), "{note}");
    assert_eq!(note.contains("earlier attempt"), perhaps_begun);
}

/// What was called off while its reply was lost is done, or not, or not known yet.
#[rstest]
#[case::nobody_can_tell(Err(Fault::Retry(Cause::new("it does not answer"))), "unknown")]
#[case::it_was_done(Ok(Seen::AsWanted), "verified")]
#[case::it_was_not(Ok(Seen::Otherwise(lapsed_core::step::Found { description: "open".into() })), "cancelled")]
#[tokio::test]
async fn of_a_case_that_was_called_off_only_what_was_seen_undone_is_cancelled(
    #[case] seen: Result<Seen, Fault>,
    #[case] state: &str,
) {
    let (executor, name) = giving().await;
    let shown = Shown::cut_off();
    executor.drain(&name, &shown, &CancellationToken::new()).await.unwrap();
    let mut form = case(CaseId(Uuid::from_u128(9)), CaseKind::Form);
    form.state = CaseState::Withdrawn;
    let tx = executor.cycle.store.begin().await.unwrap();
    tx.save_case(&form).await.unwrap();
    tx.commit().await.unwrap();
    shown.shows(seen);
    after(&executor, 600).drain(&name, &shown, &CancellationToken::new()).await.unwrap();
    assert_eq!(stands(&executor).await, state);
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
    let shown = Shown::at(Seen::Otherwise(lapsed_core::step::Found { description: "shut".into() }));
    let never = CancellationToken::new();
    for seconds in [0, 9] {
        after(&executor, seconds).drain(&name, &shown, &never).await.unwrap();
        assert_eq!(stands(&executor).await, "done", "after {seconds} s it may be on its way");
    }
    if comes_up {
        shown.shows(Ok(Seen::AsWanted));
    }
    after(&executor, 10).drain(&name, &shown, &never).await.unwrap();
    assert_eq!(stands(&executor).await, state);
}
