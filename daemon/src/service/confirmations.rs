//! The confirmations folder: scanned forms, each filed with the case that its token names (D5, D14).
//!
//! A file counts only when it belongs to an operator or to an account that the YAML names, and only as a
//! Yes: a No has a reason, and comes by `lapsed confirm --refused`.

use super::Daemon;
use super::owner::{Counts, who_filed};
use crate::cycle::confirm::{Answered, ConfirmError, Proof, Verdict};
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::drops::{DropError, Handled, Ready};
use crate::store::{AuditEntry, StoredStep};
use jiff::Timestamp;
use lapsed_core::citation::Rule;
use lapsed_core::form_token::FormToken;
use lapsed_core::intake::digest;
use serde_json::json;

/// So much of a file is searched for a token: a reply has it in its first lines.
const SEARCHED: usize = 1024 * 1024;

/// What became of a file.
enum Taken {
    /// Filed; the text says with what.
    Filed(String),
    /// Not filed; the text says why and what to do.
    Not(String),
}

/// Why a file stays where it is, to be tried again.
#[derive(Debug, thiserror::Error)]
enum LaterError {
    #[error(transparent)]
    Drop(#[from] DropError),
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
}

impl Daemon {
    /// Files every complete document of the confirmations folder. One that can't be filed now stays where
    /// it is, and the others are still filed.
    pub async fn take_confirmations(&self) -> Result<(), CycleError> {
        let Some(folder) = &self.confirmations else { return Ok(()) };
        let listed = folder.ready(|_| false).await;
        let ready = listed.unwrap_or_else(|error| {
            warn(&error);
            Vec::new()
        });
        for drop in ready {
            match self.take_confirmation(&self.cycle(), &drop).await {
                Ok(()) => {}
                Err(LaterError::Confirm(ConfirmError::Cycle(error))) => return Err(error),
                Err(error) => warn(&error),
            }
        }
        Ok(())
    }

    async fn take_confirmation(&self, cycle: &Cycle, drop: &Ready) -> Result<(), LaterError> {
        let now = self.now();
        let name = drop.shown();
        let (how, text) = match self.file(cycle, drop, now).await? {
            Taken::Filed(text) => {
                tracing::info!(file = %name, "confirmation filed");
                self.wake();
                (Handled::Accepted, format!("FILED: {text}\n"))
            }
            Taken::Not(reason) => {
                tracing::warn!(file = %name, %reason, "confirmation rejected");
                self.record_rejection(cycle, &name, &reason, now).await?;
                (Handled::Rejected, format!("REJECTED: {reason}\n"))
            }
        };
        let stamp =
            now.to_zoned(cycle.config.time_zone.clone()).strftime("%Y%m%dT%H%M%S").to_string();
        if let Some(folder) = &self.confirmations {
            folder.finish(drop, Vec::new(), how, (&stamp, &text)).await?;
        }
        Ok(())
    }

    async fn record_rejection(
        &self,
        cycle: &Cycle,
        name: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), ConfirmError> {
        let mut tx = self.store.begin().await?;
        tx.audit(AuditEntry {
            clause: Some(cycle.config.policy.citations.cite(Rule::D5)),
            detail: json!({ "file": FormToken::hide_all(name), "reason": reason }),
            ..AuditEntry::new(now, DAEMON, "confirmation.rejected")
        });
        tx.commit().await?;
        Ok(())
    }

    async fn file(&self, cycle: &Cycle, drop: &Ready, now: Timestamp) -> Result<Taken, LaterError> {
        let Some(folder) = &self.confirmations else { return Ok(Taken::Not(String::new())) };
        let limit = cycle.config.inbox.confirmations.as_ref().map_or(0, |of| of.max_bytes);
        let read = folder.read(drop, move |inbox, drop| inbox.read_owned(drop, limit)).await;
        let (bytes, owner) = match read {
            Ok(read) => read,
            Err(DropError::TooLarge { size, limit, .. }) => {
                return Ok(Taken::Not(format!(
                    "the file has {size} bytes; a document may have {limit} (inbox.confirmations.max_bytes)"
                )));
            }
            Err(error @ DropError::NotPlain { .. }) => return Ok(Taken::Not(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let from = cycle.config.inbox.confirmations.as_ref().map(|of| &of.from);
        let counts = Counts { from, key: "inbox.confirmations.from" };
        let by = match who_filed(&cycle.config, counts, owner).await {
            Ok(by) => by,
            Err(reason) => return Ok(Taken::Not(reason)),
        };
        if bytes.is_empty() {
            return Ok(Taken::Not(
                "the file is empty; put the scanned form or the answer there".into(),
            ));
        }
        let name = drop.name.to_string_lossy();
        let text = as_text(&bytes);
        if let Some(text) = &text
            && is_automatic(text)
        {
            return Ok(Taken::Not(
                "this mail was written by a machine (a bounce, an automatic answer, or the form itself), and \
                 confirms nothing; wait for an answer of a person, or call them".into(),
            ));
        }
        let form = match self.form_of(cycle, &name, text.as_deref()).await {
            Ok(form) => form,
            Err(ConfirmError::Used { sha256, .. })
                if sha256.as_deref() == Some(&digest(&bytes)) =>
            {
                return Ok(Taken::Filed("this document is on file already".into()));
            }
            Err(error) => return told(error),
        };
        let proof = Some(Proof { name: &drop.shown(), bytes: &bytes });
        let answered = Answered { verdict: Verdict::Done, proof, by: &by, via: "folder" };
        match cycle.file_answer(&form, &answered, now).await {
            Ok(filed) => Ok(Taken::Filed(format!(
                "{}; document {}, filed for {by}",
                filed.what,
                filed.sha256.unwrap_or_default()
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// The form whose token stands in the file's name, else the one whose token stands in its text.
    async fn form_of(
        &self,
        cycle: &Cycle,
        name: &str,
        text: Option<&str>,
    ) -> Result<StoredStep, ConfirmError> {
        let in_name = FormToken::all_in(name);
        match cycle.form_by_token(&in_name).await {
            Err(ConfirmError::Unknown) => {}
            found => return found,
        }
        let in_text = FormToken::all_in(text.unwrap_or_default());
        cycle.form_by_token(&in_text).await
    }
}

fn told(error: ConfirmError) -> Result<Taken, LaterError> {
    let advice = match &error {
        ConfirmError::Unknown => {
            "put the form's token into the file's name, K7Q2-M4XZ-9TDF.pdf say; lapsed requests shows what is open"
        }
        ConfirmError::Used { .. } => "lapsed requests --all shows what was filed",
        ConfirmError::Several => "put one token into the file's name",
        ConfirmError::Changed | ConfirmError::Documents(_) | ConfirmError::Cycle(_) => {
            return Err(error.into());
        }
    };
    Ok(Taken::Not(format!("{error}; {advice}")))
}

/// The beginning of a file that is text; a scan is none.
fn as_text(bytes: &[u8]) -> Option<String> {
    let start = bytes.get(..SEARCHED).unwrap_or(bytes);
    (!start.contains(&0)).then(|| String::from_utf8_lossy(start).into_owned())
}

/// True for a mail that no person wrote (RFC 3464, RFC 3834).
fn is_automatic(text: &str) -> bool {
    let head = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n"));
    let Some((head, _)) = head else { return false };
    let unfolded = head.replace("\r\n", "\n").replace("\n\t", " ").replace("\n ", " ");
    unfolded.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        let value = value.trim().to_ascii_lowercase();
        match name.trim().to_ascii_lowercase().as_str() {
            "auto-submitted" => value != "no",
            "content-type" => value.starts_with("multipart/report"),
            "return-path" => value == "<>",
            "x-failed-recipients" | "x-autoreply" | "x-autorespond" => true,
            "from" => value.contains("mailer-daemon@") || value.contains("postmaster@"),
            _ => false,
        }
    })
}

fn warn(error: &dyn std::error::Error) {
    let why = error.source().map(ToString::to_string);
    tracing::warn!(%error, why, "a confirmation is left where it is");
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::bounce("Return-Path: <>\nFrom: x@y.test\n\n[lapsed K7Q2-M4XZ-9TDF]")]
    #[case::report("Content-Type: multipart/report;\r\n report-type=delivery-status\r\n\r\nx")]
    #[case::absence("From: a@b.test\nAuto-Submitted: auto-replied\n\nI am away")]
    #[case::own_form("Subject: REVOKE\nAuto-Submitted: auto-generated\n\nx")]
    #[case::daemon("From: Mail <MAILER-DAEMON@b.test>\n\nx")]
    fn a_mail_that_a_machine_wrote_confirms_nothing(#[case] text: &str) {
        assert!(is_automatic(text));
    }

    #[rstest]
    #[case::answer("From: a@b.test\nAuto-Submitted: no\n\nDone. > Auto-Submitted: auto-generated")]
    #[case::note("We have revoked it. K7Q2-M4XZ-9TDF")]
    fn what_a_person_wrote_may_confirm(#[case] text: &str) {
        assert!(!is_automatic(text));
    }
}
