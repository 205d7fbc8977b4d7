//! Plans what suspensions stop, and what their end gives back.

use super::{Cycle, CycleError};
use crate::store::Tx;
use jiff::Timestamp;
use lapsed_core::access::form::FiledForm;

impl Cycle {
    /// Plans what suspensions stop, and what their end gives back.
    pub(super) async fn suspend(&self, _now: Timestamp) -> Result<(), CycleError> {
        Ok(())
    }

    /// Does what an approved form that stops access, or lets it go on, asks for.
    pub async fn stopped_by_form(
        &self,
        tx: &mut Tx,
        filed: &FiledForm,
        _now: Timestamp,
    ) -> Result<FiledForm, CycleError> {
        tx.save_access_forms(&[(filed.clone(), None)]).await?;
        Ok(filed.clone())
    }
}
