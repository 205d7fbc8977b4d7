//! What every target offers: reading, and changing.

use futures_util::future::BoxFuture;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};

/// Reads only: all that `plan`, `simulate` and `check` ever hold.
pub trait Observe: Send + Sync {
    /// Everything in scope, or an error: an incomplete listing is a [`Fault`], never a shorter answer.
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>>;

    /// Whether all accounts and names can be listed. A target that can only be asked for certain people
    /// is not asked for them; asked nevertheless, it says so by a [`Fault`].
    fn can_list(&self) -> bool {
        true
    }

    /// Looks at each step's object again, one answer a step, in order (D13): also after a lost reply.
    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>>;

    /// Reminds of what changed a step's object, before it is looked at by [`Self::read_back`]: after a
    /// restart the receipt is all that is left of it (which server took it, how old a password was).
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
}

/// One thing that `check` tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What was tried, for people: `certificate of ldaps://dc1`.
    pub what: String,
    /// What is wrong and what to do; `None` when it works.
    pub problem: Option<String>,
}
