//! What somebody else needs of a leaver's things, and what that keeps from being done.

use super::error::Doing as _;
use super::tables::wishes;
use super::{Reader, StoreError, StoredStep, Tx, convert, sql};
use lapsed_core::facts::PersonId;
use lapsed_core::step::StepId;
use lapsed_core::wishes::Wish;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

impl Tx {
    /// Stores wishes over what was there under the same ids: one with `ended_at` ends. What a wish keeps
    /// is not claimed for deletion once this has committed.
    pub async fn save_wishes(&self, all: &[Wish]) -> Result<(), StoreError> {
        self.wait_for_claims().await?;
        let row = |wish: &Wish| {
            Ok(wishes::Model {
                id: wish.id,
                person: wish.person.0,
                kind: wish.what.name().to_owned(),
                recipient: wish.what.to().folded(),
                at: convert::micros(wish.at),
                ended_at: wish.ended_at.map(convert::micros),
                body: convert::body("wish", wish)?,
            })
        };
        sql::replace_all(&self.db(), "storing a wish", all, row).await
    }
}

impl Reader<'_> {
    /// All wishes about people, ended ones too, oldest first.
    pub async fn wishes_of(&self, people: &[PersonId]) -> Result<Vec<Wish>, StoreError> {
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let rows = wishes::Entity::find()
                .filter(wishes::Column::Person.is_in(some.iter().map(|id| id.0)))
                .order_by_asc(wishes::Column::At)
                .order_by_asc(wishes::Column::Id)
                .all(&self.db)
                .await
                .doing("reading wishes")?;
            for row in rows {
                found.push(convert::from_body("wish", &row.body)?);
            }
        }
        Ok(found)
    }

    /// Wishes that stand, oldest first.
    pub async fn standing_wishes(&self) -> Result<Vec<Wish>, StoreError> {
        let rows = wishes::Entity::find()
            .filter(wishes::Column::EndedAt.is_null())
            .order_by_asc(wishes::Column::At)
            .order_by_asc(wishes::Column::Id)
            .all(&self.db)
            .await
            .doing("reading wishes")?;
        rows.iter().map(|row| convert::from_body("wish", &row.body)).collect()
    }

    /// Steps that have not begun and whose wish has ended: there is nothing left to do for them.
    pub async fn steps_no_longer_wished(&self) -> Result<Vec<StoredStep>, StoreError> {
        let sql = "SELECT s.id FROM steps s JOIN wishes w ON w.id = s.wish \
                   WHERE s.state IN ('planned', 'waiting') AND s.action <> 'end_delegation' \
                   AND w.ended_at IS NOT NULL";
        let doing = "looking for what is no longer wished";
        let mut ids = Vec::new();
        for row in sql::all(&self.db, doing, sql, Vec::new()).await? {
            ids.push(StepId(row.try_get("", "id").doing(doing)?));
        }
        self.steps_by_id(&ids).await
    }
}

/// That a wish keeps step `s` from being carried out, as SQL.
///
/// A mailbox is not deleted while somebody is to read it, or may still read it although the wish has
/// ended, or while content of it is asked for; a home not while files of it are still to be copied. What
/// carries a wish out is not begun once the wish has ended, and nothing is taken back while it may be
/// being given.
pub(super) const KEPT: &str = "(s.action = 'delete_mailbox' AND EXISTS (SELECT 1 FROM wishes w \
        WHERE w.person = s.person AND ((w.ended_at IS NULL AND w.kind <> 'keep') \
            OR (w.kind = 'delegate' AND EXISTS (SELECT 1 FROM steps g WHERE g.wish = w.id \
                    AND g.case_id = s.case_id AND g.action = 'delegate_mailbox' \
                    AND g.state IN ('planned', 'waiting', 'started', 'unknown', 'done', 'verified', 'unverified')) \
                AND NOT EXISTS (SELECT 1 FROM steps e WHERE e.wish = w.id \
                    AND e.case_id = s.case_id AND e.action = 'end_delegation' \
                    AND e.state IN ('done', 'verified', 'unverified')))))) \
    OR (s.action = 'delete_home' AND EXISTS (SELECT 1 FROM wishes w \
        WHERE w.person = s.person AND w.ended_at IS NULL AND w.kind NOT IN ('delegate', 'keep_mail') \
            AND NOT EXISTS (SELECT 1 FROM steps a WHERE a.wish = w.id AND a.case_id = s.case_id \
                AND a.action = 'archive_home' AND a.state = 'verified'))) \
    OR (s.wish IS NOT NULL AND s.action <> 'end_delegation' \
        AND s.state NOT IN ('started', 'unknown') \
        AND NOT EXISTS (SELECT 1 FROM wishes w WHERE w.id = s.wish AND w.ended_at IS NULL)) \
    OR (s.action = 'end_delegation' AND EXISTS (SELECT 1 FROM steps g WHERE g.wish = s.wish \
        AND g.action = 'delegate_mailbox' AND NOT g.ended))";
