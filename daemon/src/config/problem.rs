//! What is wrong with a configuration, and how it is shown: place, snippet, caret, advice.

use serde::Serialize;
use std::fmt;
use std::fmt::Write as _;

/// Lines of the file longer than this are cut around the caret.
const WIDEST_SNIPPET: usize = 110;

/// A stretch of one line: line and column count from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line, the first is 1.
    pub line: usize,
    /// Column in characters, the first is 1.
    pub column: usize,
    /// Characters from there that the caret underlines.
    #[serde(skip)]
    pub width: usize,
}

/// One thing that is wrong: one sentence and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where; `None` when it concerns the file as a whole.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Dotted path of the setting, empty when it concerns the text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What is wrong, one sentence, small first letter, no full stop.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl Problem {
    /// Place, path, message and advice in one line, for logs.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let place = self.place.map(|at| format!("{}:{}: ", at.line, at.column)).unwrap_or_default();
        let path = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        format!("{place}{path}{}; {}", self.message, self.advice)
    }

    /// A problem at a place.
    #[must_use]
    pub fn new(place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: Some(place),
            path: shown(&path.into()),
            message: shown(&message.into()),
            advice: String::new(),
        }
    }

    /// A problem with the file as a whole.
    #[must_use]
    pub fn of_file(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            place: None,
            path: String::new(),
            message: shown(&message.into()),
            advice: shown(&advice.into()),
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = shown(&advice.into());
        self
    }

    fn render(&self, label: &str, file: &str, source: &str) -> String {
        let mut out = String::new();
        let Some(place) = self.place else {
            _ = write!(out, "{}: {label}: {}", shown(file), self.message);
            if !self.advice.is_empty() {
                _ = write!(out, "\n  = {}", self.advice);
            }
            return out;
        };
        _ = write!(out, "{}:{}:{}: {label}: ", shown(file), place.line, place.column);
        if !self.path.is_empty() {
            _ = write!(out, "{}: ", self.path);
        }
        out.push_str(&self.message);
        let gutter = place.line.to_string();
        let blank = " ".repeat(gutter.len());
        if let Some((line, offset)) = snippet(source, place) {
            let caret = "^".repeat(
                place
                    .width
                    .clamp(1, WIDEST_SNIPPET)
                    .min(line.chars().count().saturating_sub(offset).max(1)),
            );
            _ = write!(
                out,
                "\n{blank} |\n{gutter} | {line}\n{blank} | {}{caret}",
                " ".repeat(offset)
            );
        }
        if !self.advice.is_empty() {
            _ = write!(out, "\n{blank} = {}", self.advice);
        }
        out
    }
}

/// Something that is allowed but perhaps not meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What and where.
    #[serde(flatten)]
    pub problem: Problem,
    #[serde(skip)]
    rendered: String,
}

impl Warning {
    pub(super) fn new(problem: Problem, file: &str, source: &str) -> Self {
        let rendered = problem.render("warning", file, source);
        Self { problem, rendered }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

/// Everything that is wrong with one configuration file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    file: String,
    problems: Vec<Problem>,
    rendered: String,
}

impl ConfigErrors {
    pub(super) fn new(file: &str, source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place);
        problems.dedup();
        let mut rendered = String::new();
        for problem in &problems {
            rendered.push_str(&problem.render("error", file, source));
            rendered.push_str("\n\n");
        }
        let count = problems.len();
        let s = if count == 1 { "" } else { "s" };
        _ = write!(rendered, "{}: {count} error{s}; this configuration is not used", shown(file));
        Self { file: file.to_owned(), problems, rendered }
    }

    /// Each problem, in the order of the file's lines.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// For `--format json`: `{"file": …, "errors": [{"line", "column", "path", "message", "advice"}]}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "file": self.file, "errors": self.problems })
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

/// The candidate most like `text`, if any is like it at all.
pub(super) fn nearest<'a>(
    text: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = text.to_lowercase();
    candidates
        .map(|candidate| {
            let folded = candidate.to_lowercase();
            let mut score = strsim::jaro_winkler(&wanted, &folded);
            // `zone` for `time_zone`, `Chicago` for `America/Chicago`.
            if wanted.len() > 3 && folded.contains(&wanted) {
                score = score.max(0.9);
            }
            (score, candidate)
        })
        .filter(|(score, _)| *score > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Text that can't drive a terminal: control characters, and those that turn the writing direction.
pub(super) fn shown(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hostile(c) { '\u{fffd}' } else { c }).collect()
}

/// The line of the place with secrets masked, and the caret's offset in it.
fn snippet(source: &str, place: Place) -> Option<(String, usize)> {
    let line = source.lines().nth(place.line.checked_sub(1)?)?;
    let line: Vec<char> = shown(&mask_secrets(&line.replace('\t', " "))).chars().collect();
    let caret = (place.column - 1).min(line.len());
    let start =
        if line.len() > WIDEST_SNIPPET { caret.saturating_sub(WIDEST_SNIPPET / 2) } else { 0 };
    let cut: String = line.iter().skip(start).take(WIDEST_SNIPPET).collect();
    Some((cut.trim_end().to_owned(), caret - start))
}

/// True for keys whose value would be a secret; `password_file` and the like only name its place.
pub(super) fn names_a_secret(key: &str) -> bool {
    const WORDS: [&str; 7] =
        ["password", "passwd", "passphrase", "secret", "token", "api_key", "private_key"];
    let key = key.to_lowercase().replace('-', "_");
    // A setting of the policy (D2), not a secret.
    key != "scramble_password"
        && WORDS.iter().any(|word| key == *word || key.ends_with(&format!("_{word}")))
}

/// True for keys that name the place of a secret, into which the secret itself gets written by mistake.
fn places_a_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    key.strip_suffix("_file")
        .or_else(|| key.strip_suffix("_credential"))
        .is_some_and(names_a_secret)
}

/// A line as it may be shown: what follows the key of a secret is masked, and so is a URL's password.
fn mask_secrets(line: &str) -> String {
    let mut masked = line.to_owned();
    for (at, _) in line.match_indices(':') {
        let (before, after) = line.split_at(at);
        let key = before.trim_end().rsplit(|c: char| c.is_whitespace() || "{,[".contains(c)).next();
        let key = key.unwrap_or_default().trim_matches(['"', '\'']);
        let value = after.trim_start_matches([':', ' ', '"', '\'']);
        if names_a_secret(key) || places_a_secret(key) && !value.starts_with('/') {
            masked = format!("{before}: ********");
            break;
        }
    }
    if let Some((head, _)) = masked.to_lowercase().split_once("password=") {
        masked = masked.chars().take(head.chars().count() + 9).chain("********".chars()).collect();
    }
    if let Some((head, rest)) = masked.split_once("://")
        && let Some((user, host)) = rest.rsplit_once('@')
        && let Some((name, _)) = user.split_once(':')
    {
        masked = format!("{head}://{name}:********@{host}");
    }
    masked
}
