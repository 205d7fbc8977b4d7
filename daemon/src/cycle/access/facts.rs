//! What an approved form changes of what is known of its person, where no feed says it (N7, D10).

use super::{Cycle, CycleError};
use crate::cycle::decide::aside;
use crate::store::Tx;
use jiff::Timestamp;
use lapsed_core::access::form::{Asks, FiledForm};
use lapsed_core::access::person::{move_on, take_back, take_on};
use lapsed_core::facts::CaseId;

impl Cycle {
    /// Takes on who comes back by an approved form `new`, or takes over a name or location that was changed.
    /// Of people whom a feed describes nothing changes: HR's word goes before a form's. Only the notices of
    /// others, which ended what HR lists, are over once the person is taken on again (D10).
    pub(super) async fn take_facts(
        &self,
        tx: &mut Tx,
        filed: &FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let form = &filed.form;
        let Some(mut person) = tx.read().person(filed.person).await? else { return Ok(()) };
        let left = self.left(Some(&person), now).is_some();
        let changed = match form.asks {
            Asks::New if left && take_back(&mut person, filed.filed_at) => true,
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
        if changed && left {
            // In the same breath: whoever is there again must not lose as a leaver what the form gives.
            let id = CaseId::departure(person.id, person.episode);
            let known = tx.read().case(id).await?;
            self.settle_case(tx, &mut person, known, now).await?;
        }
        if form.asks == Asks::New && self.left(Some(&person), now).is_some() {
            let reason = format!(
                "form {} is approved, and a notice of the same day still ends what it takes on: have the \
                 notice taken back, or the form filed once more tomorrow",
                filed.number
            );
            tx.set_aside_once(&aside(&person, &reason, now)?).await?;
        }
        Ok(())
    }
}
