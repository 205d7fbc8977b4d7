//! Forms of the forms folder that were taken: the same one twice is one order.

use super::error::Doing as _;
use super::tables::order_forms;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use sea_orm::EntityTrait as _;
use uuid::Uuid;

/// A form that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenForm {
    /// Its own id.
    pub id: Uuid,
    /// SHA-256 of what it says, in hexadecimal.
    pub content: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Whose file it was: an account of this machine.
    pub filed_by: String,
    /// When it was taken.
    pub taken_at: Timestamp,
}

impl Tx {
    /// Notes that a form was taken. An error when it is known: another daemon took it meanwhile.
    pub async fn note_form(&self, form: &TakenForm) -> Result<(), StoreError> {
        let row = order_forms::Model {
            id: form.id,
            content: form.content.clone(),
            sha256: form.sha256.clone(),
            filed_by: form.filed_by.clone(),
            taken_at: convert::micros(form.taken_at),
        };
        sql::put_all(&self.db(), "noting a form", vec![row], None).await
    }
}

impl Reader<'_> {
    /// The form of this id, if one was taken.
    pub async fn taken_form(&self, id: Uuid) -> Result<Option<TakenForm>, StoreError> {
        let row = order_forms::Entity::find_by_id(id).one(&self.db).await;
        let row = row.doing("looking for a form")?;
        row.map(|row| {
            Ok(TakenForm {
                id: row.id,
                content: row.content,
                sha256: row.sha256,
                filed_by: row.filed_by,
                taken_at: convert::moment("moment", row.taken_at)?,
            })
        })
        .transpose()
    }
}
