//! Eyes of the urgent path: a target that does not answer soon holds up no other.
//!
//! **Flow.** A question that is not answered within the grace fails for this round, so that the people
//! stay marked, and the target counts as silent: further rounds do not wait for it. The question itself
//! goes on in the background, and again, until it is answered; then the next round is woken, and gives
//! this target the time that it needed, so that one that is merely slow is read, too.
//!
//! **Grace.** For a few people it is short: several times what the target took lately, so that the first
//! departure after a target died is hardly later than others. What a target answers too late for its round is
//! planned in the next one. Many people are waited for longer: their departures are judged together.

use crate::targets::Eyes;
use futures_util::future::BoxFuture;
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Cause, Fault, Receipt, Seen, Step, StepId};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// So long a round waits for a target that may hold up others.
const GRACE: Duration = Duration::from_secs(3);
/// So long it waits at the least for a few people.
const LEAST_GRACE: Duration = Duration::from_millis(300);
/// So many times what a target took lately is still no sign that it is dead.
const TIMES_LATELY: u32 = 8;
/// So many people are a few.
const FEW: usize = 5;
/// Between two questions to a target that is silent.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Answers soon.
    Quick,
    /// Answered in the end, after so long: the next question may take as long again.
    Slow(Duration),
    /// Is being asked in the background.
    Silent,
}

type Question = JoinHandle<Result<Observed, Fault>>;

/// An eye that does not wait for ever.
struct Patient {
    inner: Arc<dyn Observe>,
    mood: Arc<Mutex<Mood>>,
    /// How long it took to answer for a few people, lately at the longest.
    lately: Mutex<Option<Duration>>,
    answered: Arc<Notify>,
}

/// The same eyes; where there are several, none waits long. `answered` is told when a silent one speaks.
pub(super) fn patient(eyes: &Eyes, answered: &Arc<Notify>) -> Eyes {
    if eyes.0.len() < 2 {
        return eyes.clone();
    }
    let wrap = |inner: &Arc<dyn Observe>| -> Arc<dyn Observe> {
        Arc::new(Patient {
            inner: Arc::clone(inner),
            mood: Arc::new(Mutex::new(Mood::Quick)),
            lately: Mutex::new(None),
            answered: Arc::clone(answered),
        })
    };
    Eyes(eyes.0.iter().map(|(name, eye)| (name.clone(), wrap(eye))).collect())
}

impl Patient {
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this question is waited for.
    fn grace(&self, mood: Mood, scope: &Scope) -> Duration {
        if let Mood::Slow(took) = mood {
            return took.saturating_mul(2).saturating_add(GRACE);
        }
        let lately = *self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        match lately {
            Some(lately) if is_few(scope) => {
                lately.saturating_mul(TIMES_LATELY).clamp(LEAST_GRACE, GRACE)
            }
            _ => GRACE,
        }
    }

    /// Remembers the longest, and forgets it by and by.
    fn note(&self, took: Duration) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lately.map_or(Duration::ZERO, |before| before * 3 / 4);
        *lately = Some(took.min(GRACE).max(before));
    }

    fn ask(inner: &Arc<dyn Observe>, scope: &Scope) -> Question {
        let (inner, scope) = (Arc::clone(inner), scope.clone());
        tokio::spawn(async move { inner.observe(&scope).await })
    }

    /// Asks on until there is an answer, good or bad.
    fn ask_on(&self, mut question: Question, scope: &Scope) {
        set(&self.mood, Mood::Silent);
        let mut since = Instant::now();
        let (inner, mood) = (Arc::clone(&self.inner), Arc::clone(&self.mood));
        let (answered, scope) = (Arc::clone(&self.answered), scope.clone());
        tokio::spawn(async move {
            while let Ok(Err(Fault::Retry(_) | Fault::Unknown(_))) | Err(_) = question.await {
                tokio::time::sleep(PAUSE).await;
                // After a reload nobody waits for this answer any more.
                if Arc::strong_count(&mood) == 1 {
                    return;
                }
                since = Instant::now();
                question = Self::ask(&inner, &scope);
            }
            set(&mood, Mood::Slow(since.elapsed()));
            answered.notify_one();
        });
    }
}

fn set(mood: &Mutex<Mood>, to: Mood) {
    *mood.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

fn is_few(scope: &Scope) -> bool {
    matches!(scope, Scope::People(people) | Scope::AccountsOf(people) if people.len() <= FEW)
}

fn silent() -> Fault {
    Fault::Retry(Cause::new("no answer in time; it is asked again until it answers"))
}

impl Observe for Patient {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async move {
            let mood = self.mood();
            if mood == Mood::Silent {
                return Err(silent());
            }
            let since = Instant::now();
            let mut question = Self::ask(&self.inner, scope);
            let grace = self.grace(mood, scope);
            let Ok(answer) = tokio::time::timeout(grace, &mut question).await else {
                self.ask_on(question, scope);
                return Err(silent());
            };
            let answer = answer.unwrap_or_else(|_| Err(silent()));
            let took = since.elapsed();
            if answer.is_ok() && is_few(scope) {
                self.note(took);
            }
            if took < GRACE || answer.is_err() {
                set(&self.mood, Mood::Quick);
            }
            answer
        })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        self.inner.read_back(steps)
    }

    fn remind(&self, step: StepId, receipt: &Receipt) {
        self.inner.remind(step, receipt);
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        self.inner.probe()
    }
}

#[cfg(test)]
mod tests;
