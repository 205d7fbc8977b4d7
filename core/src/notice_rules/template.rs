//! The wording of notices: minijinja templates in files, the subject in the first line.
//!
//! Values from outside are made safe before they come here ([`crate::shown`]); what a value holds is
//! never read as a template.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use serde::Serialize;

/// Instructions that one template may take: a digest of a thousand lines needs a tenth of it.
const FUEL: u64 = 500_000;
/// Longest subject in characters.
const LONGEST_SUBJECT: usize = 180;
/// Longest text in characters; mail servers take more, readers do not.
const LONGEST_BODY: usize = 200_000;

/// What the first line of a template begins with.
const SUBJECT: &str = "Subject:";

/// A subject and a text, each a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    subject: String,
    body: String,
}

/// What a template gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Plain text, lines ended by `\n`.
    pub body: String,
}

/// Why a template gives no notice.
#[derive(Debug, thiserror::Error)]
pub enum TemplateFault {
    /// The first line is not the subject.
    #[error("the template does not begin with a line `Subject: …`")]
    NoSubject,
    /// Not a template, an unknown name in it, or a loop without end.
    #[error("the template can't be carried out: {0}")]
    Render(#[from] minijinja::Error),
    /// It gives an empty subject or text.
    #[error("the template gives an empty subject or text")]
    Empty,
    /// More than anybody reads.
    #[error("the template gives more than {LONGEST_BODY} characters")]
    TooLong,
}

impl Template {
    /// Splits a template's text: the subject in the first line, the text after it.
    ///
    /// # Errors
    /// When the first line is not the subject.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let subject = first.trim_end().strip_prefix(SUBJECT).ok_or(TemplateFault::NoSubject)?;
        Ok(Self { subject: subject.trim().to_owned(), body: rest.trim_start().to_owned() })
    }

    /// Carries the template out.
    ///
    /// # Errors
    /// When it can't be carried out, or gives nothing, or too much.
    pub fn write(&self, values: &impl Serialize) -> Result<Letter, TemplateFault> {
        let mut engine = crate::template::strict(FUEL);
        engine.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        let values = Value::from(Serde(values));
        let subject = one_line(&engine.render_str(&self.subject, values.clone())?);
        let body = lines(&engine.render_str(&self.body, values)?);
        if subject.is_empty() || body.trim().is_empty() {
            return Err(TemplateFault::Empty);
        }
        if body.chars().count() > LONGEST_BODY {
            return Err(TemplateFault::TooLong);
        }
        Ok(Letter { subject, body })
    }
}

/// No value can begin a header of its own.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_SUBJECT) {
        None => line,
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default()),
    }
}

/// Line ends are the only control characters, and empty lines come one at a time.
fn lines(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let line = line.trim_end();
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            safe.push_str(line);
            safe.push('\n');
        }
    }
    format!("{}\n", safe.trim())
}
