//! The answer of those who were asked: filed with its document, and only then is the step done (D5, D14).

use super::{Cycle, CycleError};
use crate::documents::{DocumentError, Documents};
use crate::store::{
    AnswerKind, AuditEntry, FiledDocument, Reader, StepFilter, StoreError, StoredStep,
};
use jiff::Timestamp;
use lapsed_core::form_token::FormToken;
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use lapsed_core::step::{ANSWERED_NO, Cause, TOKEN_DIGEST};
use serde_json::json;

/// Fewest characters of a form's id that name it.
const SHORTEST_ID: usize = 8;

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is done.
    Done,
    /// It can't be done, and why.
    No(&'a str),
}

/// The file that proves an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// An answer to be filed.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// What was answered.
    pub verdict: Verdict<'a>,
    /// The file; a No may come without.
    pub proof: Option<Proof<'a>>,
    /// Who files it; goes on record.
    pub by: &'a str,
    /// How it came in, for the record: `console`, `folder`.
    pub via: &'static str,
}

/// An answer that was filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// What had been asked for, for people.
    pub what: String,
    /// Under which digest the document lies, if one came.
    pub sha256: Option<String>,
}

/// Why an answer can't be filed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// No form has that token or id.
    #[error("no open form has this token or id")]
    Unknown,
    /// It was answered before.
    #[error("this form was answered already: {what}, filed by {by} on {on}")]
    Used {
        /// What had been asked for.
        what: String,
        /// Who filed the answer.
        by: String,
        /// When, for people.
        on: String,
        /// Digest of the document that was filed then.
        sha256: Option<String>,
    },
    /// More than one form.
    #[error("this fits more than one open form")]
    Several,
    /// A daemon or person was quicker.
    #[error("the form was changed in this moment")]
    Changed,
    /// The documents folder.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// The state.
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

impl From<StoreError> for ConfirmError {
    fn from(error: StoreError) -> Self {
        Self::Cycle(error.into())
    }
}

/// True for a step that those who were asked answered with No: they may still change their mind.
#[must_use]
pub fn answered_no(state: &StepState) -> bool {
    matches!(state, StepState::Refused { cause } if cause.code.as_deref() == Some(ANSWERED_NO))
}

fn token_digest(stored: &StoredStep) -> Option<&String> {
    stored.state.receipt()?.before.get(TOKEN_DIGEST)?.first()
}

impl Cycle {
    /// The form with one of these tokens.
    pub async fn form_by_token<'t>(
        &self,
        tokens: impl IntoIterator<Item = &'t FormToken>,
    ) -> Result<StoredStep, ConfirmError> {
        let digests: Vec<String> = tokens.into_iter().map(FormToken::digest).collect();
        let read = self.store.read();
        let filter = StepFilter { states: vec!["asked"], ..StepFilter::default() };
        let mut open = read.steps(&filter).await?;
        open.retain(|stored| token_digest(stored).is_some_and(|digest| digests.contains(digest)));
        match (open.pop(), open.pop()) {
            (Some(form), None) => Ok(form),
            (Some(_), Some(_)) => Err(ConfirmError::Several),
            (None, _) => self.form_answered(&read, &digests).await,
        }
    }

    /// The form whose answer is on file already: one that was a No may be answered once more.
    async fn form_answered(
        &self,
        read: &Reader<'_>,
        digests: &[String],
    ) -> Result<StoredStep, ConfirmError> {
        let Some(filed) = read.documents_by_token(digests).await?.pop() else {
            return Err(ConfirmError::Unknown);
        };
        let step = read.step(filed.step).await?.ok_or(ConfirmError::Unknown)?;
        if answered_no(&step.state) { Ok(step) } else { Err(self.used(&step, filed)) }
    }

    fn used(&self, step: &StoredStep, filed: FiledDocument) -> ConfirmError {
        ConfirmError::Used {
            what: step.step.action.describe(),
            by: filed.filed_by,
            on: self.shown_time(filed.filed_at),
            sha256: filed.sha256,
        }
    }

    /// The form of this token, or of the id that `lapsed requests` shows: for operators, who are known.
    pub async fn form_named(&self, text: &str) -> Result<StoredStep, ConfirmError> {
        if let Some(token) = FormToken::parse(text) {
            match self.form_by_token([&token]).await {
                Err(ConfirmError::Unknown) => {}
                found => return found,
            }
        }
        let wanted = text.trim().to_ascii_lowercase();
        if wanted.len() < SHORTEST_ID {
            return Err(ConfirmError::Unknown);
        }
        let filter = StepFilter { states: vec!["asked", "refused"], ..StepFilter::default() };
        let mut open = self.store.read().steps(&filter).await?;
        open.retain(|stored| {
            let is_open = matches!(stored.state, StepState::Asked { .. });
            (is_open || answered_no(&stored.state))
                && stored.step.id.to_string().starts_with(&wanted)
        });
        match (open.pop(), open.pop()) {
            (Some(form), None) => Ok(form),
            (Some(_), Some(_)) => Err(ConfirmError::Several),
            (None, _) => Err(ConfirmError::Unknown),
        }
    }

    /// Files an answer: the document first, on stable storage, then the step with its record.
    pub async fn file_answer(
        &self,
        form: &StoredStep,
        answered: &Answered<'_>,
        now: Timestamp,
    ) -> Result<Filed, ConfirmError> {
        let sha256 = match answered.proof {
            Some(proof) => Some(self.keep(proof.bytes).await?),
            None => None,
        };
        let reason = match answered.verdict {
            Verdict::Done => None,
            Verdict::No(why) => Some(mask(&shown(why))),
        };
        let event = match &reason {
            None => StepEvent::SeenAsWanted(now),
            Some(why) => StepEvent::Refused(Cause::coded(
                format!("those who were asked say no: {why}"),
                ANSWERED_NO,
            )),
        };
        let kind = if reason.is_some() { AnswerKind::Refused } else { AnswerKind::Confirmed };
        let update = form.on(event).map_err(|_| ConfirmError::Changed)?.recheck(None, 0);
        let filed = FiledDocument {
            case: form.step.case,
            step: form.step.id,
            bytes: answered.proof.map_or(0, |proof| proof.bytes.len() as u64),
            file_name: answered.proof.map(|proof| mask(&shown(proof.name))).unwrap_or_default(),
            sha256,
            answer: kind,
            reason,
            token_digest: self.digest_of(form).await?,
            filed_by: answered.by.to_owned(),
            filed_at: now,
        };
        let mut tx = self.store.begin().await?;
        if !tx.set_steps(&[update], now).await?.is_empty() {
            return Err(ConfirmError::Changed);
        }
        tx.file_document(&filed).await?;
        tx.audit(self.answer_entry(form, &filed, answered.via));
        tx.commit().await?;
        Ok(Filed { what: form.step.action.describe(), sha256: filed.sha256 })
    }

    /// The digest of the form's token: of one that was answered with No it is on file only.
    async fn digest_of(&self, form: &StoredStep) -> Result<Option<String>, ConfirmError> {
        if let Some(digest) = token_digest(form) {
            return Ok(Some(digest.clone()));
        }
        let earlier = self.store.read().documents_of_steps(&[form.step.id]).await?;
        Ok(earlier.into_iter().rev().find_map(|filed| filed.token_digest))
    }

    async fn keep(&self, bytes: &[u8]) -> Result<String, ConfirmError> {
        let documents = Documents::new(self.config.state.documents());
        let bytes = bytes.to_vec();
        let kept = tokio::task::spawn_blocking(move || documents.keep(&bytes)).await;
        let ended = |_| CycleError::Rule("the document could not be kept".into());
        Ok(kept.map_err(ended)??)
    }

    fn answer_entry(
        &self,
        form: &StoredStep,
        filed: &FiledDocument,
        via: &'static str,
    ) -> AuditEntry {
        let event = match filed.answer {
            AnswerKind::Confirmed => "form.confirmed",
            AnswerKind::Refused => "form.refused",
        };
        AuditEntry {
            plan: Some(form.plan.clone()),
            detail: json!({
                "do": form.step.action.describe(),
                "connector": form.step.connector,
                "document": filed.sha256,
                "bytes": filed.bytes,
                "file": filed.file_name,
                "reason": filed.reason,
                "via": via,
            }),
            ..AuditEntry::new(filed.filed_at, filed.filed_by.as_str(), event)
                .of_step(&form.step, self.config.policy.citations.cite(form.step.rule))
        }
    }
}
