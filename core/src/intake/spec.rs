//! How a feed is written in the YAML: its format, which column means what, and what a whole drop is.
//!
//! ```yaml
//! format: csv
//! mode: full
//! columns:
//!   employee_number: { from: EMPLID, pad_to: 6 }
//!   user_id: { from: "{{ EMAIL | split('@') | first }}" }
//!   name: { from: NAME }                       # Smith Jr, John
//!   status: { from: STATUS, values: { Employed: active, Former employee: departed } }
//!   ends_on: { from: LAST_DAY, formats: ["%m/%d/%Y"] }
//!   worksite: { from: SITE, table: { Central Office: z } }
//!   kind: { from: { constant: staff } }
//! contract:
//!   trailer: { mark: TRL, count: 2 }
//!   least_headcount: 250
//! ```

use super::source::Source;
use crate::facts::{GateName, LocationId, PersonKind, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One feed: files of one source in one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedSpec {
    /// How the file is written.
    #[serde(default)]
    pub format: Format,
    /// CSV: what stands between two columns; one ASCII character, such as `,` `;` `|` or a tab.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// CSV: whether `"` at the start of a cell quotes it. Turn off for feeds that never quote.
    #[serde(default = "yes")]
    pub quoting: bool,
    /// CSV: whether the first line names the columns; if not, give `names`.
    #[serde(default = "yes")]
    pub header: bool,
    /// CSV without a header line: the names of all columns, in order.
    #[serde(default)]
    pub names: Vec<String>,
    /// Fixed width: the columns by their place in the line, counted in bytes.
    #[serde(default)]
    pub cuts: Vec<Cut>,
    /// Fixed width: the exact length of a line in bytes, where every line has the same.
    #[serde(default)]
    pub record_bytes: Option<usize>,
    /// JSON Lines: what an object without a mapped field means.
    #[serde(default)]
    pub absent_fields: AbsentFields,
    /// How letters are encoded. A byte order mark is accepted with `utf-8`.
    #[serde(default)]
    pub encoding: Encoding,
    /// Whether a drop lists everyone or only what changed.
    pub mode: Mode,
    /// Which column of the file gives what. Columns that are not named here are dropped while parsing.
    pub columns: Columns,
    /// What a whole drop is; a drop that breaks it is rejected whole.
    #[serde(default)]
    pub contract: Contract,
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

/// How a file is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Columns between delimiters, quoted as in RFC 4180.
    #[default]
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Columns at fixed places of the line, in bytes.
    FixedWidth,
}

/// What an object of a JSON Lines feed without a mapped field means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbsentFields {
    /// The row is set aside: `null` must be written out.
    #[default]
    Refused,
    /// The same as `null`.
    Empty,
}

/// How letters are encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// The Western European code page of Windows.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl Encoding {
    /// The name as the YAML writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }
}

/// Whether a drop lists everyone or only what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everyone.
    Full,
    /// What changed since the last drop.
    Delta,
    /// Only notices of departures, about people whom another feed lists.
    Notices,
}

/// A column of a fixed-width line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// What the column is called under `columns`.
    pub name: String,
    /// Its first byte; 1 is the first of the line.
    pub at: usize,
    /// How many bytes it has.
    pub width: usize,
}

/// Which column of the file gives what. Wherever a source is asked for: a column name (`EMPLID`), a
/// minijinja expression over columns (`"{{ MAIL | lower }}"`), or a constant (`{constant: staff}`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// HR's number of the person. This or `user_id` is needed.
    pub employee_number: Option<NumberColumn>,
    /// The number the person had before, when HR changed it.
    pub former_employee_number: Option<NumberColumn>,
    /// The log-on name. This or `employee_number` is needed.
    pub user_id: Option<TextColumn>,
    /// Tells several engagements of one person apart.
    pub record: Option<TextColumn>,
    /// Last and first name in one column; or else give `last_name` and `first_name`.
    pub name: Option<NameColumn>,
    /// Family name.
    pub last_name: Option<TextColumn>,
    /// Legal first name.
    pub first_name: Option<TextColumn>,
    /// The first name the person goes by.
    pub preferred_name: Option<TextColumn>,
    /// What is said of the engagement. Needed.
    pub status: Option<StatusColumn>,
    /// First day of the engagement.
    pub starts_on: Option<DateColumn>,
    /// Last day worked.
    pub ends_on: Option<DateColumn>,
    /// Whether the person is dismissed for cause.
    pub for_cause: Option<FlagColumn>,
    /// Where the person works.
    pub worksite: Option<WorksiteColumn>,
    /// What kind of person it is.
    pub kind: Option<KindColumn>,
    /// Supervisor's employee number.
    pub supervisor: Option<NumberColumn>,
    /// When the person signed or did what access waits for (A4), by the gate's name under `access.gates`; each from
    /// a column by its name. A date that can't be read leaves the gate as it is and the row in use.
    pub gates: BTreeMap<GateName, DateColumn>,
}

/// A column that is taken as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextColumn {
    /// Where it comes from.
    pub from: Source,
}

/// A column of employee numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberColumn {
    /// Where it comes from.
    pub from: Source,
    /// Fills up numbers that lost their leading zeros in a spreadsheet to this many digits.
    #[serde(default)]
    pub pad_to: Option<usize>,
}

/// A column with last and first name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameColumn {
    /// Where it comes from.
    pub from: Source,
    /// Which comes first.
    #[serde(default)]
    pub order: NameOrder,
}

/// How a combined name is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameOrder {
    /// `Smith Jr, John`: cut at the first comma, suffixes kept.
    #[default]
    LastFirst,
    /// `John Smith`: cut at the last space.
    FirstLast,
}

/// The column with the status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusColumn {
    /// Where it comes from.
    pub from: Source,
    /// What HR's words mean, such as `Former employee: departed`; case and outer spaces don't count,
    /// and `""` is the empty cell. The words `active`, `on_leave`, `departed` and `withdrawn` mean
    /// themselves. A row with any other word is set aside.
    #[serde(default)]
    pub values: BTreeMap<String, Status>,
}

/// A column of dates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DateColumn {
    /// Where it comes from.
    pub from: Source,
    /// How dates are written, as strptime patterns, tried in order.
    #[serde(default = "iso_dates")]
    pub formats: Vec<String>,
    /// Texts that mean no date, such as `00000000` or `9999-12-31`; the empty cell always does.
    #[serde(default)]
    pub none: Vec<String>,
}

fn iso_dates() -> Vec<String> {
    vec!["%Y-%m-%d".to_owned()]
}

/// A column that says yes or no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagColumn {
    /// Where it comes from.
    pub from: Source,
    /// The texts that mean yes, such as `Dismissal`; case and outer spaces don't count.
    pub values: Vec<String>,
}

/// The column with the worksite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorksiteColumn {
    /// Where it comes from.
    pub from: Source,
    /// HR's words for the locations; without a table the column holds location identifiers. A row with
    /// another word is taken with its worksite unknown, and the report says so.
    #[serde(default)]
    pub table: BTreeMap<String, LocationId>,
}

/// The column with the kind of person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindColumn {
    /// Where it comes from.
    pub from: Source,
    /// HR's words for the kinds; without a table the column holds kinds. A row with another word is
    /// taken with its kind unknown, and the report says so.
    #[serde(default)]
    pub table: BTreeMap<String, PersonKind>,
}

/// What a whole drop is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Contract {
    /// A line before all others with the date and the sequence number of the drop.
    pub header: Option<HeaderLine>,
    /// A line after all others with the number of rows. The surest sign that nothing was cut off.
    pub trailer: Option<TrailerLine>,
    /// The file beside the drop, named like it with `.done` appended, with `size=` and `sha256=` lines
    /// or a line of sha256sum.
    pub done: Done,
    /// The drop's file name with its sequence number, such as `hr_*_{sequence}.csv`; `*` is any text.
    pub file_name: Option<String>,
    /// Whether the sequence may skip numbers. `false` for deltas of which none may be missed.
    pub gaps: bool,
    /// Fewest people that a full drop lists.
    pub least_headcount: u64,
    /// Most percent of people by which a full drop may fall short of the last accepted one.
    pub largest_drop_percent: f64,
    /// Longest file, in bytes.
    pub max_bytes: u64,
    /// Longest line, in bytes.
    pub max_line_bytes: usize,
    /// Most rows.
    pub max_rows: u64,
    /// How many bad rows make the whole drop suspect.
    pub set_aside: SetAsideLimit,
}

impl Default for Contract {
    fn default() -> Self {
        Self {
            header: None,
            trailer: None,
            done: Done::default(),
            file_name: None,
            gaps: true,
            least_headcount: 1,
            largest_drop_percent: 10.0,
            max_bytes: 256 << 20,
            max_line_bytes: 1 << 20,
            max_rows: 1_000_000,
            set_aside: SetAsideLimit::default(),
        }
    }
}

/// The line before all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderLine {
    /// How it is known: the first column (CSV), the start of the line (fixed width) or the name of one
    /// of its fields (JSON Lines).
    #[serde(default = "header_mark")]
    pub mark: String,
    /// Where the day stands for which the drop speaks.
    #[serde(default)]
    pub as_of: Option<Place>,
    /// How that day is written, as strptime patterns, tried in order.
    #[serde(default = "iso_dates")]
    pub formats: Vec<String>,
    /// Where the sequence number stands.
    #[serde(default)]
    pub sequence: Option<Place>,
}

fn header_mark() -> String {
    "HDR".to_owned()
}

/// The line after all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailerLine {
    /// How it is known: the first column (CSV), the start of the line (fixed width) or the name of one
    /// of its fields (JSON Lines).
    #[serde(default = "trailer_mark")]
    pub mark: String,
    /// Where the number of rows stands; header lines and the trailer are not counted.
    #[serde(default = "second")]
    pub count: Place,
    /// Where the sequence number stands.
    #[serde(default)]
    pub sequence: Option<Place>,
    /// Whether the trailer must end in a line end; without it, its last number may have been cut.
    #[serde(default)]
    pub line_end: LineEnd,
}

fn trailer_mark() -> String {
    "TRL".to_owned()
}

fn second() -> Place {
    Place::Column(2)
}

/// Whether the last line must end in a line end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// Yes.
    #[default]
    Required,
    /// No.
    Optional,
}

/// Where a value stands in a header or trailer line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Place {
    /// CSV: the column's number; the mark is 1.
    Column(usize),
    /// JSON Lines: the field's name.
    Field(String),
    /// Fixed width: bytes of the line.
    Bytes {
        /// The first byte; 1 is the first of the line.
        at: usize,
        /// How many bytes.
        width: usize,
    },
}

/// What is asked of the file beside the drop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Not waited for; when there is one, it must agree.
    #[default]
    Optional,
    /// Must be there and carry size or digest.
    Required,
    /// Must be there; may be empty.
    Flag,
}

/// How many bad rows make the whole drop suspect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SetAsideLimit {
    /// Most percent of rows that may be set aside before the drop is rejected whole.
    pub percent: f64,
    /// Fewer set-aside rows than this never reject a drop.
    pub from_rows: u64,
}

impl Default for SetAsideLimit {
    fn default() -> Self {
        Self { percent: 10.0, from_rows: 10 }
    }
}
