//! Forms that order something of a leaver's things: a hold, a mailbox for somebody else, files to be kept.
//!
//! This is their shape and what it may say, without a look at anybody. That a file has this shape gives it
//! no authority: its owner does, and that is looked at where the folder is read.

use crate::views::{DelegateRequest, HoldRequest, KeepRequest, LiftRequest};
use jiff::civil::Date;
use lapsed_core::intake::digest;
use lapsed_core::shown::{shown, shown_within};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of the shape that is read.
pub const VERSION: u32 = 1;

/// Largest form in bytes.
pub const MOST_BYTES: u64 = 256 * 1024;

/// Longest text of a field in characters.
const LONGEST_TEXT: usize = 1000;

/// What a form orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing of theirs is deleted while it stands, as `lapsed hold place`.
    Hold,
    /// What the same authority ordered is lifted, as `lapsed hold lift`.
    Lift,
    /// Their mailbox is left to somebody who needs it, as `lapsed delegate`.
    Delegate,
    /// ... and is needed no longer, as `lapsed delegate --end`.
    EndDelegation,
    /// Files or mail are kept for somebody, as `lapsed keep`.
    Keep,
    /// ... and are needed no longer, as `lapsed keep --end`.
    EndKeep,
}

impl Kind {
    /// As the form writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Lift => "lift",
            Self::Delegate => "delegate",
            Self::EndDelegation => "end_delegation",
            Self::Keep => "keep",
            Self::EndKeep => "end_keep",
        }
    }
}

/// A form in the folder `inbox.forms`: one JSON object in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderForm {
    /// What is ordered.
    pub form: Kind,
    /// The version of this shape: 1.
    pub version: u32,
    /// A UUID of this order's own. The same form twice is one order.
    pub id: Uuid,
    /// Whom it is about: user ID or employee number.
    pub person: String,
    /// Who ordered it.
    pub authority: String,
    /// Why; `hold` and `lift` need it. It goes on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `hold`: when to look at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_on: Option<Date>,
    /// `delegate`, `keep`: user ID of the one who gets it. `end_delegation`, `end_keep`: only theirs ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `keep`: paths below the home directory; absent for all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// `keep`, `end_keep`: it is about the mail, not about files.
    #[serde(default)]
    pub mail: bool,
    /// The last day on which this form may be taken, in the agency's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Date>,
}

/// A form as the command that does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// `lapsed hold place`.
    Hold(HoldRequest),
    /// `lapsed hold lift`.
    Lift(LiftRequest),
    /// `lapsed delegate`.
    Delegate(DelegateRequest),
    /// `lapsed keep`.
    Keep(KeepRequest),
}

/// Why a form is rejected whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Not JSON of this shape.
    #[error("this is no form: {0}; docs/forms.md has the shape and an example of each")]
    Shape(String),
    /// Another version.
    #[error(
        "the form has version {found}, and version {VERSION} is read here; write it anew as docs/forms.md says"
    )]
    Version {
        /// What it says.
        found: String,
    },
    /// A text that could fool its reader, or is too long.
    #[error("`{field}` {problem}")]
    Text {
        /// Which.
        field: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// Needed and not there.
    #[error("`{field}` is missing or empty; a form `{form}` needs it")]
    Missing {
        /// Which.
        field: &'static str,
        /// In which kind of form.
        form: &'static str,
    },
    /// There and without a meaning.
    #[error(
        "`{field}` says nothing in a form `{form}`; leave it out, or look whether another form was meant"
    )]
    Unused {
        /// Which.
        field: &'static str,
        /// In which kind of form.
        form: &'static str,
    },
    /// Too old.
    #[error("the form was valid until {until}, and today is {today}; have it ordered again")]
    Expired {
        /// Its last day.
        until: Date,
        /// The day.
        today: Date,
    },
}

impl OrderForm {
    /// Reads a form: a whole and sensible one, or why not.
    pub fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let shape = |error: &dyn std::fmt::Display| FormError::Shape(shown(&error.to_string()));
        let text = std::str::from_utf8(bytes).map_err(|error| shape(&error))?;
        // Another version has another shape: said first, or its new fields would be called wrong.
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| shape(&error))?;
        if let Some(version) = value.get("version")
            && version.as_u64() != Some(VERSION.into())
        {
            return Err(FormError::Version { found: shown_within(&version.to_string(), 20) });
        }
        // From the text, not from the value: a field that is there twice is an error.
        let form: Self = serde_json::from_str(text).map_err(|error| shape(&error))?;
        form.is_sound()?;
        Ok(form)
    }

    /// SHA-256 of what it says, whatever the spaces and the order of fields.
    pub fn content(&self) -> Result<String, serde_json::Error> {
        Ok(digest(&serde_json::to_vec(self)?))
    }

    /// An error when its last day is past.
    pub fn in_time(&self, today: Date) -> Result<(), FormError> {
        match self.valid_until {
            Some(until) if until < today => Err(FormError::Expired { until, today }),
            _ => Ok(()),
        }
    }

    /// The command that does the same.
    #[must_use]
    pub fn order(self) -> Order {
        let Self { form, person, authority, reason, review_on, to, paths, mail, .. } = self;
        let reason = reason.unwrap_or_default();
        let (everyone, location, kind, group) = (false, None, None, None);
        match form {
            Kind::Hold => Order::Hold(HoldRequest {
                person,
                everyone,
                location,
                kind,
                group,
                authority,
                reason,
                review_on,
            }),
            Kind::Lift => Order::Lift(LiftRequest {
                person,
                everyone,
                location,
                kind,
                group,
                authority,
                reason,
            }),
            Kind::Delegate | Kind::EndDelegation => {
                let end = form == Kind::EndDelegation;
                Order::Delegate(DelegateRequest { person, to, authority, end })
            }
            Kind::Keep | Kind::EndKeep => {
                let end = form == Kind::EndKeep;
                Order::Keep(KeepRequest { person, to, paths, mail, authority, end })
            }
        }
    }

    fn is_sound(&self) -> Result<(), FormError> {
        if self.id.is_nil() {
            return Err(FormError::Missing { field: "id", form: self.form.name() });
        }
        let texts = [
            ("person", Some(&self.person)),
            ("authority", Some(&self.authority)),
            ("reason", self.reason.as_ref()),
            ("to", self.to.as_ref()),
        ];
        let paths = self.paths.iter().map(|path| ("paths", Some(path)));
        for (field, text) in texts.into_iter().chain(paths) {
            if let Some(problem) = text.and_then(|text| text_problem(text)) {
                return Err(FormError::Text { field, problem });
            }
        }
        self.has_what_it_needs()?;
        self.has_no_more()
    }

    fn has_what_it_needs(&self) -> Result<(), FormError> {
        let empty = |text: Option<&String>| text.is_none_or(|text| text.trim().is_empty());
        let orders = matches!(self.form, Kind::Hold | Kind::Lift);
        let gives = matches!(self.form, Kind::Delegate | Kind::Keep);
        let needed = [
            ("person", empty(Some(&self.person))),
            ("authority", empty(Some(&self.authority))),
            ("reason", orders && empty(self.reason.as_ref())),
            // An empty `to` that ends something would end everybody's.
            ("to", (gives || self.to.is_some()) && empty(self.to.as_ref())),
        ];
        match needed.into_iter().find(|(_, missing)| *missing) {
            Some((field, _)) => Err(FormError::Missing { field, form: self.form.name() }),
            None => Ok(()),
        }
    }

    /// A field without a meaning was meant for something: nothing is guessed.
    fn has_no_more(&self) -> Result<(), FormError> {
        let of_files = self.form == Kind::Keep && !self.mail;
        let unused = [
            ("review_on", self.review_on.is_some() && self.form != Kind::Hold),
            ("to", self.to.is_some() && matches!(self.form, Kind::Hold | Kind::Lift)),
            ("paths", !self.paths.is_empty() && !of_files),
            ("mail", self.mail && !matches!(self.form, Kind::Keep | Kind::EndKeep)),
        ];
        match unused.into_iter().find(|(_, there)| *there) {
            Some((field, _)) => Err(FormError::Unused { field, form: self.form.name() }),
            None => Ok(()),
        }
    }
}

fn text_problem(text: &str) -> Option<&'static str> {
    if text.chars().count() > LONGEST_TEXT {
        return Some("has more than 1000 characters; say it shorter");
    }
    // What would have to be escaped to be shown.
    let safe = shown_within(text, usize::MAX) == text;
    (!safe).then_some(
        "has control or invisible characters or line breaks in it; write it as one plain line",
    )
}

#[cfg(test)]
mod tests;
