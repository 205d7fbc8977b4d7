use super::*;
use lapsed_core::observed::PersonKeys;
use std::sync::atomic::{AtomicU64, Ordering};

/// A target that answers after so many milliseconds, of which there may be too many.
struct Slow(AtomicU64);

impl Observe for Slow {
    fn observe<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async {
            let time = Duration::from_millis(self.0.load(Ordering::Relaxed));
            tokio::time::sleep(time).await;
            Ok(Observed::default())
        })
    }

    fn read_back<'a>(&'a self, _: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async { Vec::new() })
    }

    fn remind(&self, _: StepId, _: &Receipt) {}

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

const DEAD: u64 = 3_600_000;

fn of(people: usize) -> Scope {
    Scope::People(vec![PersonKeys::default(); people])
}

fn eye(takes: u64) -> (Arc<Slow>, Patient) {
    let target = Arc::new(Slow(AtomicU64::new(takes)));
    let patient = Patient {
        inner: target.clone(),
        mood: Arc::new(Mutex::new(Mood::Quick)),
        lately: Mutex::new(None),
        answered: Arc::new(Notify::new()),
    };
    (target, patient)
}

async fn waited(eye: &Patient, scope: &Scope) -> (Duration, bool) {
    let since = Instant::now();
    let answered = eye.observe(scope).await.is_ok();
    (since.elapsed(), answered)
}

#[tokio::test]
async fn a_target_found_dead_costs_one_departure_a_moment_and_the_next_ones_nothing() {
    let (target, eye) = eye(5);
    for _ in 0..3 {
        assert!(waited(&eye, &of(1)).await.1);
    }
    target.0.store(DEAD, Ordering::Relaxed);
    let (first, answered) = waited(&eye, &of(1)).await;
    assert!(!answered);
    assert!(first >= LEAST_GRACE && first < GRACE / 2, "{first:?}");
    let (next, answered) = waited(&eye, &of(1)).await;
    assert!(!answered);
    assert!(next < LEAST_GRACE / 2, "{next:?}");
}

#[tokio::test]
async fn many_people_are_waited_for_longer_than_a_few() {
    let (target, eye) = eye(5);
    assert!(waited(&eye, &of(1)).await.1);
    let (few, many) = (eye.grace(Mood::Quick, &of(FEW)), eye.grace(Mood::Quick, &of(FEW + 1)));
    assert!(few < GRACE, "{few:?}");
    assert_eq!(many, GRACE);
    target.0.store(u64::try_from(LEAST_GRACE.as_millis()).unwrap() * 2, Ordering::Relaxed);
    assert!(waited(&eye, &of(300)).await.1);
}

#[tokio::test]
async fn one_that_answers_late_is_read_by_the_next_round() {
    let (target, eye) = eye(5);
    assert!(waited(&eye, &of(1)).await.1);
    target.0.store(700, Ordering::Relaxed);
    assert!(!waited(&eye, &of(1)).await.1);
    // The rounds are woken once it has answered.
    eye.answered.notified().await;
    assert!(matches!(eye.mood(), Mood::Slow(_)));
    assert!(waited(&eye, &of(1)).await.1);
    assert_eq!(eye.mood(), Mood::Quick);
    // From now on it gets the time that it takes.
    assert!(waited(&eye, &of(1)).await.1);
}

#[tokio::test]
async fn one_that_was_slow_and_then_dies_does_not_hold_a_round_for_ever() {
    let (_, eye) = eye(DEAD);
    assert_eq!(eye.grace(Mood::Slow(Duration::from_secs(4)), &of(1)), Duration::from_secs(11));
}
