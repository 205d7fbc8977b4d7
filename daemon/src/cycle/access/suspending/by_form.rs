//! What an approved form stops or lets go on: leave and return, an order and its end (S1, S2).

use crate::cycle::{Cycle, CycleError};
use crate::store::Tx;
use jiff::Timestamp;
use lapsed_core::access::form::{Asks, FiledForm, FormState};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::ConnectorName;
use lapsed_core::mask::mask;

impl Cycle {
    /// Does what an approved form that stops access, or lets it go on, asks for, and gives the form as it
    /// then stands: stored with all that follows from it. The rounds shut and open accounts.
    ///
    /// Only an order lifts an order: a return lifts leaves, and a form that lifts, orders (S2).
    pub async fn stopped_by_form(
        &self,
        tx: &mut Tx,
        filed: &FiledForm,
        now: Timestamp,
    ) -> Result<FiledForm, CycleError> {
        let filed = match filed.form.asks {
            Asks::Leave => self.stop_by_form(tx, filed, SuspensionKind::Leave, now).await?,
            Asks::Suspend => self.stop_by_form(tx, filed, SuspensionKind::Order, now).await?,
            Asks::Return => self.lift_by_form(tx, filed, &[SuspensionKind::Leave], now).await?,
            Asks::Lift => {
                let kinds =
                    [SuspensionKind::Order, SuspensionKind::Inactivity, SuspensionKind::Expired];
                self.lift_by_form(tx, filed, &kinds, now).await?
            }
            _ => filed.clone(),
        };
        tx.save_access_forms(&[(filed.clone(), None)]).await?;
        Ok(filed)
    }

    async fn stop_by_form(
        &self,
        tx: &mut Tx,
        filed: &FiledForm,
        kind: SuspensionKind,
        now: Timestamp,
    ) -> Result<FiledForm, CycleError> {
        let id = Suspension::id_of_form(filed.form.id);
        let Some(person) = tx.read().people(&[filed.person]).await?.pop() else {
            return Ok(ended(filed, "nobody known is meant by it"));
        };
        let known = tx.read().suspensions_of(&[person.id]).await?;
        if known.iter().any(|suspension| suspension.id == id) {
            return Ok(FiledForm { state: FormState::InPlace, ..filed.clone() });
        }
        let suspension = Suspension {
            id,
            person: person.id,
            kind,
            connectors: self.stopped_connectors(filed, kind),
            starts_on: filed.form.starts_on,
            ends_on: filed.form.ends_on.filter(|_| kind == SuspensionKind::Leave),
            authority: format!("form {}, filed by {}", filed.number, filed.filed_by),
            reason: mask(filed.form.reason.as_deref().unwrap_or(kind.noun())),
            form: Some(filed.number),
            placed_at: now,
            lifted_at: None,
            lifted_because: None,
            placed_by: Some(filed.filed_by.clone()),
            by_feed: None,
            feed_moved_on: false,
            over_at: None,
        };
        self.note_suspension(tx, &person, &suspension, filed.filed_by.as_str(), now);
        tx.save_suspensions(&[(suspension, Some(now))]).await?;
        Ok(FiledForm { state: FormState::InPlace, ..filed.clone() })
    }

    /// Where the form stops access. What is stopped is an account: a system that is groups of a directory
    /// stops with the directory's account.
    fn stopped_connectors(&self, filed: &FiledForm, kind: SuspensionKind) -> Vec<ConnectorName> {
        let rules = &self.config.policy.access;
        let named: Vec<ConnectorName> = filed
            .form
            .systems
            .iter()
            .filter_map(|wish| rules.systems.get(&wish.system)?.connector.clone())
            .collect();
        self.stopped_by_default(named, kind)
    }

    /// The targets named, or those that the configuration lists for this kind; empty for all.
    pub(crate) fn stopped_by_default(
        &self,
        mut named: Vec<ConnectorName>,
        kind: SuspensionKind,
    ) -> Vec<ConnectorName> {
        let rules = &self.config.policy.access.suspensions;
        if named.is_empty() {
            named = match kind {
                SuspensionKind::Leave => rules.leave.clone(),
                _ => rules.order.clone(),
            };
        }
        named.sort();
        named.dedup();
        named
    }

    async fn lift_by_form(
        &self,
        tx: &mut Tx,
        filed: &FiledForm,
        kinds: &[SuspensionKind],
        now: Timestamp,
    ) -> Result<FiledForm, CycleError> {
        let mut standing = tx.read().suspensions_of(&[filed.person]).await?;
        standing.retain(|suspension| {
            suspension.lifted_at.is_none() && kinds.contains(&suspension.kind)
        });
        if standing.is_empty() {
            return Ok(ended(filed, "nothing that it could lift stands: lapsed suspensions"));
        }
        let why = format!("form {}, filed by {}", filed.number, filed.filed_by);
        for suspension in standing {
            self.lift(tx, suspension, filed.filed_by.as_str(), &why, now).await?;
        }
        Ok(FiledForm { state: FormState::InPlace, ..filed.clone() })
    }
}

fn ended(filed: &FiledForm, why: &str) -> FiledForm {
    FiledForm { state: FormState::Ended, ended_because: Some(why.to_owned()), ..filed.clone() }
}
