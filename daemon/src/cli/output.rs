//! What a command prints: tables for people or JSON, and what went wrong with what to do.

use crate::causes::with_causes;
use crate::cli::exit::Exit;
use crate::cli::render::{Page, Text, safe};
use crate::control::client::ClientError;
use crate::control::console::ErrorKind;
use crate::views::ErrorView;
use serde::Serialize;
use std::error::Error;
use std::io::{self, IsTerminal, Write};

/// How answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables and sentences for people.
    #[default]
    Text,
    /// JSON of the stable shapes that docs/json.md describes, for programs.
    Json,
}

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Tables or JSON.
    pub format: Format,
    /// Colours: only on a terminal, and not where `NO_COLOR` asks for none.
    pub colour: bool,
    /// Widest line, in columns.
    pub width: u16,
}

/// The widest that tables get, so that they can be pasted into a ticket.
pub const WIDEST: u16 = 100;

impl Output {
    /// For standard output as it is now.
    #[must_use]
    pub fn standard(format: Format) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { format, colour: io::stdout().is_terminal() && !plain, width: WIDEST }
    }

    /// Prints an answer.
    ///
    /// # Errors
    /// When standard output can't be written to.
    pub fn print<T: Serialize + Text>(&self, view: &T) -> Result<(), Failure> {
        let mut text = self.text(view)?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// An answer as it would be printed.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn text<T: Serialize + Text>(&self, view: &T) -> Result<String, Failure> {
        match self.format {
            Format::Json => serde_json::to_string_pretty(view).map_err(|problem| {
                Failure::new(
                    Exit::Failure,
                    problem.to_string(),
                    "Report this as a mistake in lapsed.",
                )
            }),
            Format::Text => {
                let mut page = Page::new(self.width, self.colour);
                view.write(&mut page);
                Ok(page.finish())
            }
        }
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When standard output can't be written to; a reader that has gone (`| head`) is no error.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => Err(Failure::gone()),
            Err(problem) => Err(Failure::new(
                Exit::Failure,
                format!("standard output can't be written to: {problem}"),
                "Check the file system or the program that reads it.",
            )),
            Ok(()) => Ok(()),
        }
    }
}

/// Why a command ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What is wrong, each layer one sentence.
    pub error: String,
    /// What to do.
    pub advice: String,
}

impl Failure {
    /// A failure with advice.
    #[must_use]
    pub fn new(exit: Exit, error: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { exit, error: error.into(), advice: advice.into() }
    }

    /// A failure by an error and all that caused it.
    #[must_use]
    pub fn caused(error: &dyn Error, advice: impl Into<String>) -> Self {
        Self::new(Exit::Failure, with_causes(error), advice)
    }

    /// Nobody reads the output any more: nothing to say, and all is well.
    fn gone() -> Self {
        Self::new(Exit::Fine, "", "")
    }

    /// Says on standard error what is wrong.
    pub fn print(&self, format: Format) {
        if self.error.is_empty() {
            return;
        }
        let text = match format {
            Format::Json => serde_json::to_string(&self.view()).unwrap_or_default(),
            Format::Text => self.text(),
        };
        // Where standard error can't be written to, the exit code is all that is left.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// The sentences for people; text from elsewhere is made safe.
    #[must_use]
    pub fn text(&self) -> String {
        let error = format!("lapsed: {}", safe(&self.error));
        match self.advice.as_str() {
            "" => error,
            advice => format!("{error}\n  {}", safe(advice)),
        }
    }

    fn view(&self) -> ErrorView {
        ErrorView { error: self.error.clone(), advice: self.advice.clone() }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NotAllowed { .. } => Exit::Refused,
            ClientError::NotRunning { .. }
            | ClientError::Unreachable { .. }
            | ClientError::BrokenOff { .. }
            | ClientError::TooLong { .. } => Exit::Unreachable,
            ClientError::Strange { .. } => Exit::Failure,
            ClientError::Said(answer) => match answer.kind {
                ErrorKind::NotFound => Exit::NotFound,
                ErrorKind::Refused | ErrorKind::Conflict => Exit::Refused,
                ErrorKind::Unavailable | ErrorKind::Bad => Exit::Failure,
            },
        };
        let advice = error.advice();
        Self::new(exit, with_causes(&error), advice)
    }
}
