//! The state: people, drops, departures, plans, the journal of steps, and the audit.
//!
//! The only code that speaks SQL. SQLite by default, PostgreSQL by URL; both run the same tests.
//!
//! - [`Store::begin`] starts a [`Tx`]: everything that belongs together is written in one, with its
//!   audit entries; dropping it leaves nothing behind. Write transactions stand in line: SQLite has one
//!   writer anyway, and on PostgreSQL an advisory lock makes the same order, so that read-modify-write
//!   loses nothing and the audit is one chain.
//! - [`Store::read`] and [`Tx::read`] give a [`Reader`] with every query.
//! - [`Store::claim_due`] is how steps come to be carried out: it writes the intent durably (state
//!   `started`, a lease) before it returns them. Every row of the journal carries a fencing counter that
//!   each write raises; a write with an old counter changes nothing and is told so.
//!
//! A body is the JSON of a type of `lapsed_core`; what is asked for stands in typed columns beside it.

mod access_form_store;
mod access_tables;
pub mod audit;
mod backup;
mod case_store;
mod claim;
mod connect;
mod convert;
mod crash_points;
mod daemon_store;
mod decide_store;
mod document_store;
mod drop_store;
mod entitlement_store;
mod error;
mod granting_store;
mod hold_store;
mod journal_store;
mod ledger;
mod notice_store;
mod notice_write;
mod order_form_store;
mod orders_seen;
mod pauses;
mod people_store;
mod plan_store;
mod postgres_tls;
mod scratch;
mod settings;
mod sql;
mod standing_store;
mod status;
mod step_write;
#[cfg(test)]
pub(crate) mod suite;
mod tables;
#[cfg(test)]
mod tests;
mod ticket_store;
mod tx;
mod wish_store;

pub use access_form_store::FormFilter;
pub use audit::checkpoint::{Checkpoints, Witness};
pub use audit::proof::{Link, Proof, RowsAbout, Segment};
pub use audit::verify::{AuditFinding, AuditReport, verify_audit};
pub use audit::{ALARM, AuditEntry, AuditRow, GENESIS, chain_hash, link_hash, row_digest};
pub use backup::Behind;
pub use case_store::CaseFilter;
pub use claim::Claim;
pub use connect::{DatabaseSettings, Store};
pub use daemon_store::{Beat, DaemonRecord, Joining, Newcomer};
pub use decide_store::Marks;
pub use document_store::{AnswerKind, FiledDocument};
pub use drop_store::{DropRecord, DropState};
pub use error::StoreError;
pub use hold_store::SetAside;
pub use journal_store::{StepFilter, StoredStep};
pub use ledger::{IdOrigin, UserIdRecord};
pub use notice_store::{NoticeFilter, NoticeState, StoredNotice};
pub use notice_write::{NewNotice, NoticeClaim, NoticeEnd};
pub use order_form_store::TakenForm;
pub use pauses::{Pausable, Pauses};
pub use plan_store::{Decision, StoredPlan};
pub use standing_store::LostSteps;
pub use status::{Change, StepCount};
pub use step_write::{AddedSteps, StepUpdate, ToAdd};
pub use ticket_store::{About, Ticket, TicketState};
pub use tx::{Reader, Tx};
