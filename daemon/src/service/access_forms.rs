//! Access forms of the forms folder, with the scans that lie beside them (A1, A6).

use super::Daemon;
use super::order_forms::{LaterError, Rejected, Taken};
use super::owner::filer;
use crate::config::{MOST_FORM_BYTES, form_named_in, read_access_form};
use crate::cycle::Cycle;
use crate::cycle::access::authority::GroupsAsked;
use crate::cycle::access::filing::{Filing, Scan, Submission};
use crate::drops::{DropError, Inbox, Owner, Ready};
use crate::order_form::Kind;
use jiff::Timestamp;
use lapsed_core::access::check::FormProblem;
use lapsed_core::access::form::AccessForm;
use std::time::Duration;

/// Endings of forms; other files are scans, unless they say that they are forms.
const FORMS: [&str; 3] = [".json", ".yaml", ".yml"];

/// A form's file as it was read.
pub(super) struct FormFile<'a> {
    pub(super) drop: &'a Ready,
    /// All complete files of the folder.
    pub(super) ready: &'a [Ready],
    pub(super) bytes: &'a [u8],
    pub(super) owner: Owner,
    pub(super) sha256: String,
}

/// True for what is not one of the orders, where access forms are set up.
pub(super) fn is_access_form(cycle: &Cycle, bytes: &[u8]) -> bool {
    if cycle.config.policy.access.forms.is_empty() {
        return false;
    }
    let named = form_named_in(bytes);
    named.is_none_or(|name| serde_json::from_value::<Kind>(name.into()).is_err())
}

/// Every problem in one text, numbered where there are several.
pub(crate) fn in_words(problems: &[FormProblem]) -> String {
    match problems {
        [one] => one.to_string(),
        several => {
            let numbered = (1..).zip(several).map(|(at, found)| format!("({at}) {found}"));
            numbered.collect::<Vec<_>>().join(" ")
        }
    }
}

impl Daemon {
    /// True for a file that is a form by its name, or says that it is one.
    pub(super) async fn is_form(&self, drop: &Ready) -> Result<bool, DropError> {
        let name = drop.name.to_string_lossy().to_lowercase();
        if FORMS.iter().any(|ending| name.ends_with(ending)) {
            return Ok(true);
        }
        let Some(folder) = &self.order_forms else { return Ok(true) };
        let read = |inbox: &Inbox, drop: &Ready| inbox.read_beside(drop, MOST_FORM_BYTES);
        match folder.read(drop, read).await {
            Ok(bytes) => Ok(form_named_in(&bytes).is_some()),
            Err(DropError::TooLarge { .. } | DropError::Io { .. } | DropError::Changed { .. }) => {
                Ok(false)
            }
            // A link or a pipe is told and moved away as ever.
            Err(DropError::NotPlain { .. }) => Ok(true),
            Err(error @ DropError::Silent { .. }) => Err(error),
        }
    }

    /// A scan waits for the form that names it; one that nobody names goes away in the end.
    pub(super) async fn left_over(&self, cycle: &Cycle, drop: &Ready) -> Result<Taken, LaterError> {
        let (Some(folder), Some(rules)) = (&self.order_forms, &cycle.config.inbox.forms) else {
            return Ok(Taken::Waits);
        };
        let most = Duration::from_secs(u64::from(rules.scan_hours) * 3600);
        let age = folder.read(drop, |inbox, drop| Ok(inbox.age(drop))).await?;
        if age.is_none_or(|(age, _)| age < most) {
            return Ok(Taken::Waits);
        }
        let reason = format!(
            "no form named this file for {} hours; file it again with its form, the form last",
            rules.scan_hours
        );
        Ok(Taken::Not(Rejected { reason, sha256: None, owner: None, recorded: false }))
    }

    pub(super) async fn take_access_form(
        &self,
        cycle: &Cycle,
        file: FormFile<'_>,
        along: &mut Vec<Ready>,
        asked: &mut GroupsAsked,
        now: Timestamp,
    ) -> Result<Taken, LaterError> {
        let name = file.drop.shown();
        let from = cycle.config.inbox.forms.as_ref().map(|of| &of.from);
        let filer = match filer(&cycle.config, from, file.owner).await {
            Ok(filer) => filer,
            Err(reason) => {
                return self.no_form(cycle, (&name, &file.sha256, None), reason, now).await;
            }
        };
        let owner = filer.account.name.to_string();
        let form = match read_access_form(file.bytes) {
            Ok(form) => form.masked(),
            Err(error) => {
                let whose = (name.as_str(), file.sha256.as_str(), Some(owner.as_str()));
                return self.no_form(cycle, whose, error.to_string(), now).await;
            }
        };
        let Some(found) = self.scans_of(cycle, &form, file.ready).await? else {
            return Ok(Taken::Waits);
        };
        let (scans, names) = found;
        *along = names;
        let given = Submission { form, sha256: file.sha256, file_name: name, filer, scans };
        Ok(match cycle.file_form(&given, asked, now).await? {
            Filing::Taken { text, .. } => Taken::Done(format!("{text}; filed by {owner}")),
            Filing::Known { text, .. } => Taken::Known(text),
            Filing::Refused(problems) => Taken::Not(Rejected {
                reason: in_words(&problems),
                sha256: Some(given.sha256),
                owner: Some(owner),
                recorded: true,
            }),
        })
    }

    async fn no_form(
        &self,
        cycle: &Cycle,
        (name, sha256, owner): (&str, &str, Option<&str>),
        reason: String,
        now: Timestamp,
    ) -> Result<Taken, LaterError> {
        let recorded = cycle.record_no_form((name, Some(sha256), owner), &reason, now).await;
        recorded.map_err(crate::cycle::access::filing::FilingError::from)?;
        Ok(Taken::Not(Rejected {
            reason,
            sha256: Some(sha256.to_owned()),
            owner: owner.map(str::to_owned),
            recorded: true,
        }))
    }

    /// The scans that a form names, as far as they are there; nothing while one may still be being written.
    async fn scans_of(
        &self,
        cycle: &Cycle,
        form: &AccessForm,
        ready: &[Ready],
    ) -> Result<Option<(Vec<Scan>, Vec<Ready>)>, LaterError> {
        let (Some(folder), Some(rules)) = (&self.order_forms, &cycle.config.inbox.forms) else {
            return Ok(Some((Vec::new(), Vec::new())));
        };
        let (mut scans, mut names) = (Vec::new(), Vec::new());
        for named in &form.attachments {
            // A name with a path in it is refused later; it leads nowhere here.
            if named.file.contains('/') {
                continue;
            }
            let Some(drop) = ready.iter().find(|drop| drop.name == *named.file) else {
                let file = named.file.clone();
                if folder.with(0, move |inbox| Ok(inbox.may_grow(&file))).await? {
                    return Ok(None);
                }
                continue;
            };
            let most = rules.max_scan_bytes;
            let read = move |inbox: &Inbox, drop: &Ready| inbox.read_beside(drop, most);
            match folder.read(drop, read).await {
                Ok(bytes) => scans.push(Scan { file: named.file.clone(), bytes }),
                // Not there, as far as the form goes: a link, or larger than a scan may be.
                Err(DropError::NotPlain { .. } | DropError::TooLarge { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            names.push(drop.clone());
        }
        Ok(Some((scans, names)))
    }
}
