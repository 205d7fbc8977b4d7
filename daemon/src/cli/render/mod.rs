//! Answers as text for people: sentences and tables of at most the page's width.
//!
//! Everything that is printed goes through [`safe`]: names, file names and reasons come from outside,
//! and no terminal escape of theirs survives.

mod access_forms;
mod adopt;
mod approvals;
mod audit;
mod calendar;
mod changes;
mod check;
mod envelopes;
mod holds;
mod late;
mod notices;
mod person;
mod plans;
mod requests;
mod restore;
mod rosters;
mod standing;
mod status;
mod tickets;
mod user_ids;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use lapsed_core::shown::shown_within;

/// An answer that people can read.
pub trait Text {
    /// Writes it onto the page.
    fn write(&self, page: &mut Page);
}

/// Text that grows line by line.
#[derive(Debug)]
pub struct Page {
    text: String,
    width: u16,
    colour: bool,
}

/// What a word means, for those who see colours; the word itself always says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// A person has to look.
    Bad,
    /// Waits, or only to know.
    Plain,
}

/// Texts that would repeat in every row of a table: the row has a short mark, the text stands below once.
#[derive(Debug, Default)]
pub(super) struct Footnotes(Vec<String>);

impl Footnotes {
    /// `(1)` for the first text, `(2)` for the next other one; nothing for nothing.
    fn mark(&mut self, text: Option<&str>) -> String {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return String::new() };
        let known = self.0.iter().position(|note| note == text);
        let place = known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        format!("({})", place + 1)
    }

    /// The texts with their marks.
    fn marked(&self) -> Vec<String> {
        self.0.iter().enumerate().map(|(place, text)| format!("({}) {text}", place + 1)).collect()
    }

    /// `D7` of `D7: DMH DOR 8.300, …`, whose whole text stands below; any other text as it is.
    fn rule(&mut self, clause: &str) -> String {
        match clause.split_once(": ") {
            Some((rule, _)) if rule.len() <= 4 => {
                self.mark(Some(clause));
                rule.to_owned()
            }
            _ => clause.to_owned(),
        }
    }

    /// The clauses, sorted by rule.
    fn clauses(mut self) -> Vec<String> {
        self.0.sort();
        self.0
    }
}

/// A table's cell: text from anywhere, and its tone.
#[derive(Debug, Clone)]
pub struct Piece(String, Tone);

impl Piece {
    /// A cell whose tone tells good from bad.
    #[must_use]
    pub fn toned(text: &str, tone: Tone) -> Self {
        Self(safe(text), tone)
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self(safe(text), Tone::Plain)
    }
}
impl From<&String> for Piece {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}
impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}
impl From<u64> for Piece {
    fn from(number: u64) -> Self {
        Self(number.to_string(), Tone::Plain)
    }
}
impl From<&Option<String>> for Piece {
    fn from(text: &Option<String>) -> Self {
        Self::from(text.as_deref().unwrap_or_default())
    }
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(width: u16, colour: bool) -> Self {
        Self { text: String::new(), width, colour }
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    /// A sentence, wrapped.
    pub fn line(&mut self, text: &str) {
        self.indented(0, text);
    }

    /// A heading with an empty line before it.
    pub fn heading(&mut self, text: &str) {
        self.gap();
        self.line(text);
    }

    /// An empty line, unless the page begins here.
    pub fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// A sentence, wrapped and moved to the right by so many columns.
    pub fn indented(&mut self, columns: usize, text: &str) {
        let safe = safe(text);
        let room = usize::from(self.width).saturating_sub(columns).max(20);
        for line in wrapped(&safe, room) {
            self.text.push_str(&" ".repeat(columns));
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    /// `name: value`, with the values under one another; nothing where the value is empty.
    pub fn field(&mut self, name: &str, value: &str) {
        const COLUMN: usize = 18;
        if value.is_empty() {
            return;
        }
        let safe = safe(value);
        let mut label = format!("{name}:");
        for line in wrapped(&safe, usize::from(self.width) - COLUMN) {
            self.text.push_str(format!("{label:<COLUMN$}{line}").trim_end());
            self.text.push('\n');
            label.clear();
        }
    }

    /// A heading and its lines; nothing where there are none.
    pub fn list(&mut self, heading: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.heading(heading);
        for item in items {
            self.indented(2, item);
        }
    }

    /// A table; columns that are narrow anyway are not broken.
    pub fn table<const N: usize>(
        &mut self,
        header: [&str; N],
        rows: impl IntoIterator<Item = [Piece; N]>,
    ) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(self.width);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(header.map(|name| Cell::new(name.to_uppercase())));
        for row in rows {
            table.add_row(row.map(|Piece(text, tone)| toned(Cell::new(text), tone)));
        }
        keep_narrow_columns_whole(&mut table, self.width);
        for line in table.lines() {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

/// Hashes, dates and user IDs are to be read and copied whole: the narrow columns are not broken, as
/// long as the wide ones keep room for words.
fn keep_narrow_columns_whole(table: &mut Table, width: u16) {
    const ROOM_FOR_WORDS: u16 = 17;
    let widths = table.column_max_content_widths();
    let mut by_width: Vec<(usize, u16)> =
        widths.into_iter().map(|content| content.saturating_add(2)).enumerate().collect();
    by_width.sort_by_key(|(_, wide)| *wide);
    let mut wider = u16::try_from(by_width.len()).unwrap_or(u16::MAX);
    let mut used: u16 = 0;
    for (index, wide) in by_width {
        wider = wider.saturating_sub(1);
        used = used.saturating_add(wide);
        if used.saturating_add(wider.saturating_mul(ROOM_FOR_WORDS)) > width {
            return;
        }
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(wide)));
        }
    }
}

fn toned(cell: Cell, tone: Tone) -> Cell {
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Plain => cell,
    }
}

/// Lines of at most `room` columns, broken at spaces where possible.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.force_no_tty().set_width(u16::try_from(room).unwrap_or(u16::MAX));
    table.add_row([text]);
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The longest text that one sentence or cell takes, in characters: findings may name many people.
const LONGEST: usize = 4000;

/// The text without anything that a terminal or a reader's eye could be fooled by.
#[must_use]
pub fn safe(text: &str) -> String {
    shown_within(text, LONGEST)
}

/// A date with its weekday, `Fri 2026-11-27`; a moment with weekday and offset,
/// `Fri 2026-11-27 17:00 -06:00`; any other text as it is.
#[must_use]
pub fn when(text: &str) -> String {
    moment(text).unwrap_or_else(|| text.to_owned())
}

fn moment(text: &str) -> Option<String> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
    {
        return Some(date.strftime("%a %Y-%m-%d").to_string());
    }
    let pieces = Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset()?;
    let at = pieces.date().to_datetime(pieces.time()?);
    let zone = offset.seconds();
    let sign = if zone < 0 { '-' } else { '+' };
    let (hours, minutes) = (zone.abs() / 3600, zone.abs() / 60 % 60);
    Some(format!("{} {sign}{hours:02}:{minutes:02}", at.strftime("%a %Y-%m-%d %H:%M")))
}

/// A moment as tables show it, `2026-11-27 17:00` by the agency's clock; any other text as [`when`] has it.
#[must_use]
pub fn at(text: &str) -> String {
    let pieces = Pieces::parse(text).ok().filter(|p| p.to_numeric_offset().is_some());
    match pieces.and_then(|p| Some(p.date().to_datetime(p.time()?))) {
        Some(moment) => moment.strftime("%Y-%m-%d %H:%M").to_string(),
        None => when(text),
    }
}

/// As [`when`], nothing for nothing.
#[must_use]
pub fn when_given(text: &Option<String>) -> String {
    text.as_deref().map(when).unwrap_or_default()
}

/// `1 person`, `3 people`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
