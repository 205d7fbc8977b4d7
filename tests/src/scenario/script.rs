//! The lines of a script.

use crate::{Done, Failure};
use jiff::civil::DateTime;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `clock 2026-11-20 09:00`: the agency's local time from here on; each line after takes a second.
    Clock(DateTime),
    /// `hr 104001 EMPL_STATUS=Former employee; LAST_DATE_WORKED=2026-11-20`: HR changes a person. `*` is everyone, `200001..200026` are many;
    /// `104001/1` is their second record.
    Hr(String, Vec<(String, String)>),
    /// `hr add 104009,0,Smith,John,...`: HR takes a person on, as a line of `people.csv`.
    HrAdd(String),
    /// `hr remove 104001`: HR no longer lists a person.
    HrRemove(String),
    /// `send hr-2.csv`: HR drops everyone, as the feed's contract wants it; the number in the name counts.
    Send(String),
    /// `drop broken.csv as hr-3.csv`: a file of the scenario's folder is dropped as it is.
    Drop(String, String),
    /// `adopt`: HR's first file (number 1) and the directory are matched, and it is written.
    Adopt,
    /// `run`: one round of the daemon.
    Run,
    /// `aside`: what `lapsed set-aside list` says, a line an entry.
    Aside,
    /// `calendar`: what `lapsed due` says, a line an entry.
    Calendar,
    /// `show mzsmitj adm-mzsmitj`: accounts as `ldapsearch` sees them.
    Show(Vec<String>),
    /// `show groups`: groups as `ldapsearch` sees them.
    ShowGroups,
    /// `show count`: how many accounts are open and shut.
    ShowCount,
    /// `show receipt hr-2.csv`: all that the receipt of a drop says.
    ShowReceipt(String),
    /// `show inbox`: what still lies in the inbox.
    ShowInbox,
    /// `directory change.ldif`: somebody else changes the directory.
    Directory(String),
    /// `directory down` and `directory up`: it can't be reached.
    DirectoryDown(bool),
    /// `config per_run: 25 => per_run: 2`: changes the configuration's text; `\\n` is a line end.
    Config(String, String),
    /// `restart`: the daemon ends and starts with the configuration as it is now.
    Restart,
    /// `forget`: the state database is deleted, and the daemon starts.
    Forget,
    /// `amina: release {held} --reason "…"`: an operator gives a command. `{held}` is the newest held plan, `{plan}` the newest.
    Command(String, Vec<String>),
}

impl Line {
    /// Reads a line.
    pub fn parse(text: &str) -> Done<Self> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        let needed = |what: &str| match rest {
            "" => Err(Failure::new(format!("{verb} needs {what}"))),
            text => Ok(text.to_owned()),
        };
        if let Some(who) = verb.strip_suffix(':') {
            return Ok(Self::Command(who.to_owned(), words(rest)?));
        }
        Ok(match verb {
            "clock" => {
                let moment = needed("a local time")?;
                let moment = moment.replace(' ', "T");
                let parsed = moment.parse().map_err(|e| Failure::new(format!("{moment}: {e}")))?;
                Self::Clock(parsed)
            }
            "hr" => hr(&needed("whom")?)?,
            "send" => Self::Send(needed("a file name")?),
            "drop" => {
                let (file, name) = rest.split_once(" as ").unwrap_or((rest, rest));
                Self::Drop(file.to_owned(), name.to_owned())
            }
            "adopt" => Self::Adopt,
            "run" => Self::Run,
            "calendar" => Self::Calendar,
            "aside" => Self::Aside,
            "show" if rest == "groups" => Self::ShowGroups,
            "show" if rest == "count" => Self::ShowCount,
            "show" if rest.starts_with("receipt ") => {
                Self::ShowReceipt(rest.replacen("receipt ", "", 1))
            }
            "show" if rest == "inbox" => Self::ShowInbox,
            "show" => Self::Show(needed("accounts")?.split(' ').map(str::to_owned).collect()),
            "directory" if rest == "down" => Self::DirectoryDown(true),
            "directory" if rest == "up" => Self::DirectoryDown(false),
            "directory" => Self::Directory(needed("a file")?),
            "config" => {
                let (from, to) = rest.split_once(" => ").ok_or_else(|| Failure::new("no =>"))?;
                Self::Config(from.replace("\\n", "\n"), to.replace("\\n", "\n"))
            }
            "restart" => Self::Restart,
            "forget" => Self::Forget,
            _ => return Err(Failure::new(format!("no line starts with {verb:?}"))),
        })
    }
}

fn hr(rest: &str) -> Done<Line> {
    if let Some(row) = rest.strip_prefix("add ") {
        return Ok(Line::HrAdd(row.to_owned()));
    }
    if let Some(whom) = rest.strip_prefix("remove ") {
        return Ok(Line::HrRemove(whom.to_owned()));
    }
    let (whom, changes) = rest.split_once(' ').ok_or_else(|| Failure::new("no changes"))?;
    let change = |text: &str| match text.split_once('=') {
        Some((column, value)) => Ok((column.trim().to_owned(), value.trim().to_owned())),
        None => Err(Failure::new(format!("{text:?} has no ="))),
    };
    let changes = changes.split(';').map(change).collect::<Done<_>>()?;
    Ok(Line::Hr(whom.to_owned(), changes))
}

/// Splits a command line at spaces that are not between double quotes.
fn words(text: &str) -> Done<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut braced = false;
    for letter in text.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted && !braced => words.extend(word.take()),
            other => {
                braced = other == '{' || (braced && other != '}');
                word.get_or_insert_default().push(other);
            }
        }
    }
    words.extend(word);
    if quoted { Err(Failure::new("a quote is not closed")) } else { Ok(words) }
}
