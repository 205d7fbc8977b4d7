//! What somebody has stopped for the time being.

use super::error::Doing as _;
use super::tables::settings;
use super::{Reader, StoreError, Tx, convert};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

/// What can be paused. On a state that is an older copy lapsed pauses both itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pausable {
    /// Whatever destroys.
    Deletions,
    /// Whatever gives access.
    Giving,
}

impl Pausable {
    /// Its name in settings and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deletions => "deletions",
            Self::Giving => "giving",
        }
    }

    fn key(self) -> String {
        format!("pause.{}", self.name())
    }
}

/// By whom, since when and why something is paused, for people; `None`: it goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    /// Whatever destroys.
    pub deletions: Option<String>,
    /// Whatever gives access.
    pub giving: Option<String>,
}

/// SQL that is true while something is paused; what can't be understood is a pause.
pub(super) fn paused(what: Pausable) -> String {
    format!("EXISTS (SELECT 1 FROM settings WHERE key = '{}' AND value <> 'null')", what.key())
}

impl Tx {
    /// Pauses something; the text says by whom, since when and why. A claim that has looked before is waited
    /// for: once this is on record, nothing of the kind is begun.
    pub async fn pause(&self, what: Pausable, text: &str) -> Result<(), StoreError> {
        self.wait_for_claims().await?;
        self.set_setting(&what.key(), &Some(text)).await
    }

    /// Lets it go on.
    pub async fn resume(&self, what: Pausable) -> Result<(), StoreError> {
        self.set_setting(&what.key(), &None::<String>).await
    }
}

impl Reader<'_> {
    /// What is paused.
    pub async fn pauses(&self) -> Result<Pauses, StoreError> {
        let (deletions, giving) = (Pausable::Deletions.key(), Pausable::Giving.key());
        let rows = settings::Entity::find()
            .filter(settings::Column::Key.is_in([&deletions, &giving]))
            .all(&self.db)
            .await
            .doing("reading what is paused")?;
        let mut pauses = Pauses::default();
        for row in rows {
            let text = convert::from_body("setting", &row.value)?;
            if row.key == deletions {
                pauses.deletions = text;
            } else {
                pauses.giving = text;
            }
        }
        Ok(pauses)
    }
}
