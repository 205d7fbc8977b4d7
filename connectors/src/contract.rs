//! What every target offers: reading, and changing.

use futures_util::future::BoxFuture;
use jiff::civil::Date;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};

/// Reads only: all that `plan`, `simulate` and `check` ever hold.
pub trait Observe: Send + Sync {
    /// Everything in scope, or an error: an incomplete listing is a [`Fault`], never a shorter answer.
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>>;

    /// Looks at each step's object again, one answer a step, in order (D13): also after a lost reply.
    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>>;

    /// Reminds of a step that was done, or asked for, before it is looked at by [`Self::read_back`]: after a
    /// restart the receipt is all that is left of it (which server took it, how old a password was). It is
    /// empty where nothing was replaced.
    fn remind(&self, _step: StepId, _receipt: &Receipt) {}

    /// Tries everything that a working target needs: address, certificate, password, base, schema,
    /// rights as far as they can be read. One line a thing tried, good or bad.
    fn probe(&self) -> BoxFuture<'_, Vec<Probed>>;
}

/// Changes.
pub trait Apply: Observe {
    /// Carries out the steps, coalesced and pipelined as the target allows; one result a step, in
    /// order. Every step looks at its object first: it is idempotent, and a crash in mid-batch is
    /// mended by applying the same steps again.
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>>;

    /// Says of a step, before it is applied again, that an earlier attempt may have carried it out: the daemon
    /// died in between, or the reply was lost. What it would have made may then be its own work.
    fn perhaps_begun(&self, _step: StepId) {}

    /// What stands for a request of which nobody knows whether it reached those who were asked: its receipt,
    /// without asking once more. None where a look tells.
    fn asked_perhaps(&self, _step: &Step) -> Option<Result<Outcome, Fault>> {
        None
    }

    /// Reminds those who were asked by a step that waits for their answer (D5, D14). The same reminder
    /// may be asked for again after a crash, and must then be known for the same.
    fn chase<'a>(&'a self, _chase: &'a Chase<'a>) -> BoxFuture<'a, Result<Chased, Fault>> {
        Box::pin(async { Ok(Chased::NotHere) })
    }
}

/// A reminder to be made.
#[derive(Debug, Clone, Copy)]
pub struct Chase<'a> {
    /// The step that waits for an answer.
    pub step: &'a Step,
    /// What asking gave.
    pub receipt: &'a Receipt,
    /// Which reminder it is, from 1.
    pub nth: u32,
    /// The day on which was asked, in the agency's zone.
    pub asked_on: Date,
}

/// What became of a reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chased {
    /// Those who were asked are reminded.
    Reminded,
    /// This connector has a way of its own to follow what it asked for.
    NotHere,
}

/// One thing that `check` tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What was tried, for people: `certificate of ldaps://dc1`.
    pub what: String,
    /// What is wrong and what to do; `None` when it works.
    pub problem: Option<String>,
}
