//! Plans what approved forms give, and what ends.

use super::{Cycle, CycleError};
use jiff::Timestamp;

impl Cycle {
    /// Plans what approved forms give, and what ends.
    pub(super) async fn grant(&self, _now: Timestamp) -> Result<(), CycleError> {
        Ok(())
    }
}
