//! Texts of the YAML that are more than text: each checked once, when it is read.

use croner::Cron;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A text that can't stand where it stands: one sentence with the advice in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(String);

impl BadValue {
    pub(super) fn new(sentence: &str) -> Self {
        Self(sentence.to_owned())
    }
}

macro_rules! read_from_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = BadValue;
            fn try_from(text: String) -> Result<Self, BadValue> {
                Self::new(&text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

/// A path from the root of the file system, so that the daemon's working directory decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct AbsolutePath(PathBuf);

impl AbsolutePath {
    /// Refuses relative paths, `..` and NUL.
    ///
    /// # Errors
    /// A sentence that says which of these was found.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err(BadValue("a path from the root is needed; begin it with `/`".into()));
        }
        if text.contains('\0') {
            return Err(BadValue("a path can't have a NUL character in it".into()));
        }
        if path.components().any(|part| part == std::path::Component::ParentDir) {
            return Err(BadValue("a path with `..` in it is refused; write where it leads".into()));
        }
        Ok(Self(path.to_owned()))
    }

    /// The path itself.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for AbsolutePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

read_from_text!(AbsolutePath);

/// A time zone of the IANA database, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName {
    #[serde(skip)]
    zone: TimeZone,
    name: String,
}

impl ZoneName {
    /// Looks the name up in the database that is built into the program.
    ///
    /// # Errors
    /// A sentence with the nearest names when there is no such zone.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        let database = jiff::tz::db();
        // `local` and `UTC+6` are not agencies' zones: only names that the database lists count.
        let known = database.available().find(|name| name.as_str().eq_ignore_ascii_case(text));
        if let Some(name) = known
            && let Ok(zone) = database.get(name.as_str())
        {
            return Ok(Self { zone, name: name.as_str().to_owned() });
        }
        let names: Vec<String> =
            database.available().map(|name| name.as_str().to_owned()).collect();
        let hint = super::problem::nearest(text, names.iter().map(String::as_str)).map_or_else(
            || "write it as `America/Chicago`".into(),
            |n| format!("did you mean `{n}`?"),
        );
        Err(BadValue(format!("there is no time zone of this name in the IANA database; {hint}")))
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Its name, as the database spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

read_from_text!(ZoneName);

/// When something recurs: five cron fields (minute, hour, day of month, month, day of week).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct CronPattern(Cow<'static, str>);

impl CronPattern {
    /// Reads a pattern of five fields.
    ///
    /// # Errors
    /// A sentence with what the parser objects to.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        let advice = "write five fields: minute hour day month weekday, such as \"30 2 * * *\"";
        if text.split_whitespace().count() != 5 {
            return Err(BadValue(format!("this is no cron pattern of five fields; {advice}")));
        }
        if let Err(error) = Cron::from_str(text) {
            let why = lower_first(&error.to_string());
            return Err(BadValue(format!("this is no cron pattern ({why}); {advice}")));
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// A default of the product; a test reads every one of them.
    pub(super) const fn built_in(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first moment after `after`, in the zone of `after`; `None` when there is none.
    #[must_use]
    pub fn next_after(&self, after: &jiff::Zoned) -> Option<jiff::Zoned> {
        Cron::from_str(&self.0).ok()?.find_next_occurrence(after, false).ok()
    }
}

impl fmt::Display for CronPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

read_from_text!(CronPattern);

/// A time of the day in the agency's zone, `HH:MM`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(Time);

impl TimeOfDay {
    /// Reads `HH:MM`.
    ///
    /// # Errors
    /// A sentence when it is no time of that form.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        Time::strptime("%H:%M", text)
            .map(Self)
            .map_err(|_| BadValue("this is no time of day; write it as \"07:00\"".into()))
    }

    pub(super) const fn built_in(hour: i8, minute: i8) -> Self {
        Self(Time::constant(hour, minute, 0, 0))
    }

    /// The time.
    #[must_use]
    pub fn time(self) -> Time {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%H:%M"))
    }
}

read_from_text!(TimeOfDay);

/// Where the state is kept: a SQLite file of this machine, or a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum DatabaseUrl {
    /// A file; created when it is not there.
    Sqlite(AbsolutePath),
    /// A server's URL, with no password in it.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite:///path` or `postgres://user@host/database`.
    ///
    /// # Errors
    /// A sentence when it is neither, or has a password in it.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return AbsolutePath::new(path).map(Self::Sqlite).map_err(|_| {
                BadValue("the path of the database must be absolute; write `sqlite:///var/lib/lapsed/state.db`".into())
            });
        }
        let Some(rest) =
            text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
        else {
            return Err(BadValue(
                "this is no database URL; write `sqlite:///path/state.db` or `postgres://user@host/database`".into(),
            ));
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || rest.to_lowercase().contains("password=") {
            return Err(BadValue(
                "a password in the URL is refused; name a file in `password_file` or a systemd credential in `password_credential`".into(),
            ));
        }
        if user.is_empty() || rest.split_once('/').is_none_or(|(_, name)| name.is_empty()) {
            return Err(BadValue(
                "user or database is missing; write `postgres://user@host/database`".into(),
            ));
        }
        Ok(Self::Postgres(text.to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{path}"),
            Self::Postgres(url) => f.write_str(url),
        }
    }
}

read_from_text!(DatabaseUrl);

/// The name of a credential that systemd hands over (`LoadCredential=`), a file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialName(String);

impl CredentialName {
    /// Refuses what is no plain file name.
    ///
    /// # Errors
    /// A sentence with the letters that may stand in it.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.starts_with('.') || !text.chars().all(plain) {
            return Err(BadValue(
                "a credential's name has only letters, digits, `.`, `_` and `-`, as in the unit's LoadCredential=".into(),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

read_from_text!(CredentialName);

fn lower_first(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
