//! What the one who watches sees: headings, sentences, commands with their output, and checked claims.

use crate::{Done, Failure};
use std::fmt::Display;
use std::io::{IsTerminal, Write, stdout};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Set when somebody has pressed Ctrl-C: the demo ends at its next command, and cleans up.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The widest line.
const WIDTH: usize = 100;

/// The stage. Claims that fail are kept, so that the end can say so.
#[derive(Debug)]
pub struct Stage {
    colour: bool,
    pauses: bool,
    acts: u32,
    claims: u32,
    failed: Vec<String>,
}

/// How much of an output is shown.
#[derive(Debug, Clone, Copy)]
pub enum Show {
    /// All.
    All,
    /// The first lines; how many more there are is said.
    Head(usize),
}

impl Stage {
    /// A stage on standard output. Without pauses for tests.
    #[must_use]
    pub fn new(fast: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = stdout().is_terminal() && !plain;
        Self { colour, pauses: !fast, acts: 0, claims: 0, failed: Vec::new() }
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Prints a line as it is. A reader that has gone is no reason to stop checking.
    pub fn line(&self, text: impl Display) {
        let mut out = stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// A new part.
    pub fn act(&mut self, title: &str) {
        self.acts += 1;
        let title = format!("{}. {title}", self.acts);
        self.line("");
        self.line(self.painted("1;36", &title));
        self.line(self.painted("36", &"─".repeat(title.chars().count())));
        self.pause(600);
    }

    /// Sentences, wrapped.
    pub fn say(&self, text: &str) {
        self.folded(text.split_whitespace(), "");
        self.pause(900);
    }

    /// Words in lines of at most the width; all lines but the first begin with `indent`.
    fn folded<'a>(&self, words: impl Iterator<Item = &'a str>, indent: &str) {
        let mut line = String::new();
        for word in words {
            let empty = line.trim().is_empty();
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                indent.clone_into(&mut line);
                line.push_str(word);
                continue;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }

    /// Time to read, unless in a hurry.
    pub fn pause(&self, milliseconds: u64) {
        if self.pauses {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
    }

    /// Something that is said to hold and was looked at: prints it with its outcome.
    pub fn claim(&mut self, holds: bool, what: impl Display) {
        self.claims += 1;
        if holds {
            self.line(format!("  {} {what}", self.painted("32", "✓")));
        } else {
            self.line(format!("  {} NOT SO: {what}", self.painted("1;31", "✗")));
            self.failed.push(what.to_string());
        }
    }

    /// Shows what was typed.
    pub fn prompt(&self, typed: &str) {
        self.line("");
        if typed.chars().count() + 2 > WIDTH {
            self.folded(format!("$ {typed}").split(' '), "      ");
        } else {
            self.line(self.painted("1", &format!("$ {typed}")));
        }
        self.pause(300);
    }

    /// Shows a command as typed, runs it, and shows what it printed.
    pub fn run(&self, typed: &str, command: &mut Command, show: Show) -> Done<Output> {
        self.prompt(typed);
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted"));
        }
        let output = command.output().map_err(|e| Failure::from(e).during(typed))?;
        self.output(&String::from_utf8_lossy(&output.stdout), show);
        self.output(&String::from_utf8_lossy(&output.stderr), Show::All);
        self.pause(1200);
        Ok(output)
    }

    /// Shows a text, shortened as told.
    pub fn output(&self, text: &str, show: Show) {
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let wanted = |(index, _): &(usize, &&str)| match show {
            Show::All => true,
            Show::Head(most) => *index < most,
        };
        let shown: Vec<&&str> = lines.iter().enumerate().filter(wanted).map(|(_, l)| l).collect();
        for line in &shown {
            match line.chars().count() > WIDTH {
                true => self.folded(line.split(' '), "    "),
                false => self.line(line),
            }
        }
        let left = lines.len() - shown.len();
        if left > 0 {
            let s = if left == 1 { "" } else { "s" };
            self.line(self.painted("2", &format!("… {left} more line{s}")));
        }
    }

    /// Says whether every claim held.
    pub fn finish(self) -> Done<()> {
        self.line("");
        if self.failed.is_empty() {
            let text = format!("All {} claims were checked and hold.", self.claims);
            self.line(self.painted("1;32", &text));
            return Ok(());
        }
        let text = format!("{} of {} claims do NOT hold:", self.failed.len(), self.claims);
        self.line(self.painted("1;31", &text));
        for what in &self.failed {
            self.line(format!("  ✗ {what}"));
        }
        Err(Failure::new("a claim of the demo does not hold"))
    }
}

#[cfg(test)]
mod tests {
    use super::Stage;

    #[test]
    fn a_claim_that_does_not_hold_fails_the_demo_at_its_end() {
        let mut stage = Stage::new(true);
        stage.claim(true, "this holds");
        stage.claim(false, "this does not");
        stage.claim(true, "this holds, too");
        assert!(stage.finish().is_err());
    }
}
