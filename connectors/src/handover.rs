//! First passwords, sealed for the one who hands them to the staff member (A6): never logged, never stored
//! in the open, opened once.

mod envelopes;
mod seal;

pub use envelopes::{EnvelopeSettings, Envelopes, OpenError, Opened, SealedFor};

use futures_util::future::BoxFuture;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Envelope};
use std::sync::Arc;

/// Who seals first passwords, if anybody does.
pub(crate) struct Sealer(pub(crate) Option<Arc<dyn Handover>>);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sealer").field(&self.0.is_some()).finish()
    }
}

/// Seals first passwords.
pub trait Handover: Send + Sync {
    /// Seals a password before it is set, so that a password that was set can always be handed over. The
    /// same envelope again replaces what was in it.
    ///
    /// # Errors
    /// Why it could not be sealed, with advice: then the password must not be set.
    fn seal<'a>(
        &'a self,
        envelope: &'a Envelope,
        user_id: &'a UserId,
        password: &'a str,
    ) -> BoxFuture<'a, Result<(), Cause>>;
}
