//! First passwords, sealed for the one who hands them to the staff member (A6): never logged, never stored
//! in the open, opened once.

use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Envelope};

/// Seals first passwords.
pub trait Handover: Send + Sync {
    /// Seals a password before it is set, so that a password that was set can always be handed over. The
    /// same envelope again replaces what was in it.
    ///
    /// # Errors
    /// Why it could not be sealed, with advice: then the password must not be set.
    fn seal(&self, envelope: &Envelope, user_id: &UserId, password: &str) -> Result<(), Cause>;
}
