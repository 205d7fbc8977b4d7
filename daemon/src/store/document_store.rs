//! Documents by which those who were asked answered.

use super::error::Doing as _;
use super::tables::documents;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::CaseId;
use lapsed_core::step::StepId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Select};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What those who were asked said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// It is done.
    Confirmed,
    /// It is not, and will not be.
    Refused,
}

/// One answer, with the document that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledDocument {
    /// The departure.
    pub case: CaseId,
    /// The step that asked.
    pub step: StepId,
    /// SHA-256 of the file in hexadecimal, under which it lies in the documents folder; a No may come
    /// without a file.
    pub sha256: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// Its name as it came, made safe to show.
    pub file_name: String,
    /// What was answered.
    pub answer: AnswerKind,
    /// Why not, for a No; protected numbers masked.
    pub reason: Option<String>,
    /// Digest of the form's token, if it had one.
    pub token_digest: Option<String>,
    /// Who filed it.
    pub filed_by: String,
    /// When.
    pub filed_at: Timestamp,
}

impl Tx {
    /// Files an answer.
    pub async fn file_document(&self, filed: &FiledDocument) -> Result<(), StoreError> {
        let filed_at = convert::micros(filed.filed_at);
        let row = documents::Model {
            id: Uuid::new_v5(&filed.step.0, format!("document {filed_at}").as_bytes()),
            case_id: filed.case.0,
            step: filed.step.0,
            sha256: filed.sha256.clone(),
            bytes: convert::signed(filed.bytes),
            file_name: filed.file_name.clone(),
            answer: convert::word(filed.answer),
            reason: filed.reason.clone(),
            token_digest: filed.token_digest.clone(),
            filed_by: filed.filed_by.clone(),
            filed_at,
        };
        sql::put_all(&self.db(), "filing a document", vec![row], None).await
    }
}

impl Reader<'_> {
    /// Answers by these tokens, oldest first.
    pub async fn documents_by_token(
        &self,
        digests: &[String],
    ) -> Result<Vec<FiledDocument>, StoreError> {
        let mut found = Vec::new();
        for some in digests.chunks(sql::rows_at_once(1)) {
            let these = documents::Column::TokenDigest.is_in(some.iter().cloned());
            found.extend(self.documents_of(documents::Entity::find().filter(these)).await?);
        }
        Ok(found)
    }

    /// Answers to these steps, oldest first.
    pub async fn documents_of_steps(
        &self,
        steps: &[StepId],
    ) -> Result<Vec<FiledDocument>, StoreError> {
        let mut found = Vec::new();
        for some in steps.chunks(sql::rows_at_once(1)) {
            let these = documents::Column::Step.is_in(some.iter().map(|id| id.0));
            found.extend(self.documents_of(documents::Entity::find().filter(these)).await?);
        }
        Ok(found)
    }

    async fn documents_of(
        &self,
        query: Select<documents::Entity>,
    ) -> Result<Vec<FiledDocument>, StoreError> {
        let rows = query
            .order_by_asc(documents::Column::FiledAt)
            .order_by_asc(documents::Column::Id)
            .all(&self.db)
            .await
            .doing("reading documents")?;
        rows.into_iter().map(filed).collect()
    }
}

fn filed(row: documents::Model) -> Result<FiledDocument, StoreError> {
    Ok(FiledDocument {
        case: CaseId(row.case_id),
        step: StepId(row.step),
        sha256: row.sha256,
        bytes: convert::unsigned(row.bytes),
        file_name: row.file_name,
        answer: convert::from_word("answer", &row.answer)?,
        reason: row.reason,
        token_digest: row.token_digest,
        filed_by: row.filed_by,
        filed_at: convert::moment("moment", row.filed_at)?,
    })
}
