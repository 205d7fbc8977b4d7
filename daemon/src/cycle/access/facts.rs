//! What an approved form changes of what is known of its person, where no feed says it (N7, D10).

use super::{Cycle, CycleError};
use crate::store::Tx;
use jiff::Timestamp;
use lapsed_core::access::form::{Asks, FiledForm};
use lapsed_core::access::person::{move_on, take_on};

impl Cycle {
    /// Takes on who comes back by an approved form `new`, or takes over a name or location that was changed.
    /// Of people whom a feed describes nothing changes: HR's word goes before a form's.
    pub(super) async fn take_facts(
        &self,
        tx: &Tx,
        filed: &FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let form = &filed.form;
        let Some(mut person) = tx.read().person(filed.person).await? else { return Ok(()) };
        let changed = match form.asks {
            Asks::New => {
                let supervisor = self.supervisor_of(&tx.read(), form).await?;
                take_on(&mut person, form, supervisor, self.today(now))
            }
            Asks::NameChange | Asks::LocationChange => move_on(&mut person, form),
            _ => false,
        };
        if changed {
            tx.save_person(&person).await?;
            tx.mark_to_decide(&[person.id], now).await?;
        }
        Ok(())
    }
}
