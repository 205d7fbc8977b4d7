//! Which files of the inbox belong to a feed: `*` stands for any letters, `?` for one.

use super::values::BadValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A pattern of file names, such as `hr-*.csv`; case counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct FilePattern(String);

impl FilePattern {
    /// Refuses what no file name could match, and hidden files.
    ///
    /// # Errors
    /// A sentence that says which of these was found.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        if text.is_empty() || text.contains('/') || text.chars().any(char::is_control) {
            return Err(BadValue::new(
                "a pattern of file names is needed, without folders; write it as \"hr-*.csv\"",
            ));
        }
        if text.starts_with('.') {
            return Err(BadValue::new(
                "hidden files are never read; write a pattern that does not begin with a dot",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// True when the file name fits; hidden files fit no pattern.
    #[must_use]
    pub fn matches(&self, file_name: &str) -> bool {
        let name: Vec<Letter> = file_name.chars().map(Letter::One).collect();
        !file_name.starts_with('.') && meet(&self.letters(), &name)
    }

    /// True when some file name would fit both patterns, so that it would belong to two feeds.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        meet(&self.letters(), &other.letters())
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn letters(&self) -> Vec<Letter> {
        let letter = |c| match c {
            '*' => Letter::Many,
            '?' => Letter::Any,
            other => Letter::One(other),
        };
        self.0.chars().map(letter).collect()
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FilePattern {
    type Error = BadValue;
    fn try_from(text: String) -> Result<Self, BadValue> {
        Self::new(&text)
    }
}

impl From<FilePattern> for String {
    fn from(value: FilePattern) -> String {
        value.0
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Letter {
    One(char),
    Any,
    Many,
}

/// True when a text exists that both sides match. `reached[j]` says whether the left side's first `i`
/// letters and the right side's first `j` have a text in common.
fn meet(left: &[Letter], right: &[Letter]) -> bool {
    let many_until = |j: usize| right.iter().take(j).all(|letter| *letter == Letter::Many);
    let mut reached: Vec<bool> = (0..=right.len()).map(many_until).collect();
    for &a in left {
        let mut next = vec![a == Letter::Many && reached.first() == Some(&true)];
        for (j, &b) in right.iter().enumerate() {
            let [diagonal, above] = [j, j + 1].map(|at| reached.get(at) == Some(&true));
            let before = next.last() == Some(&true);
            next.push(match (a, b) {
                (Letter::Many, _) | (_, Letter::Many) => above || before,
                (Letter::One(x), Letter::One(y)) => diagonal && x == y,
                _ => diagonal,
            });
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::FilePattern;

    fn pattern(text: &str) -> FilePattern {
        FilePattern::new(text).unwrap()
    }

    #[test]
    fn a_pattern_takes_its_own_files_only() {
        let hr = pattern("hr-*.csv");
        for good in ["hr-2026-11-22.csv", "hr-.csv"] {
            assert!(hr.matches(good), "{good}");
        }
        for bad in ["HR-1.csv", "hr-1.csv.done", "xhr-1.csv", "hr-1.tsv", ".hr-1.csv", ""] {
            assert!(!hr.matches(bad), "{bad}");
        }
        assert!(pattern("a?c*").matches("abcd"));
        assert!(!pattern("a?c").matches("ac"));
        assert!(!pattern("*").matches(".hidden"));
    }

    #[test]
    fn patterns_that_share_a_name_overlap() {
        let shared = [
            ("hr-*.csv", "*-full.csv"),
            ("*", "x"),
            ("a?", "?b"),
            ("a*b*c", "a?c*"),
            ("a**", "*a"),
        ];
        for (left, right) in shared {
            assert!(pattern(left).overlaps(&pattern(right)), "{left} {right}");
            assert!(pattern(right).overlaps(&pattern(left)), "{right} {left}");
        }
        let apart = [("hr-*.csv", "pay-*.csv"), ("hr-*.csv", "hr-*.txt"), ("a?", "a"), ("?", "??")];
        for (left, right) in apart {
            assert!(!pattern(left).overlaps(&pattern(right)), "{left} {right}");
        }
    }
}
