//! Plans what suspensions stop, and what their end gives back.

use super::{Cycle, CycleError};
use jiff::Timestamp;

impl Cycle {
    /// Plans what suspensions stop, and what their end gives back.
    pub(super) async fn suspend(&self, _now: Timestamp) -> Result<(), CycleError> {
        Ok(())
    }
}
