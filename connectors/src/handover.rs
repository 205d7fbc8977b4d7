//! First passwords, sealed for the one who hands them to the staff member (A6): never logged, never stored
//! in the open, opened once.

mod envelopes;
mod seal;

pub use envelopes::{EnvelopeSettings, Envelopes, OpenError, Opened, SealedFor};

use futures_util::future::BoxFuture;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Envelope};

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
