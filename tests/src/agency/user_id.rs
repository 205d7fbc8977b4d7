//! User IDs for the sample: N1 to N4 of the naming standard, written down a second time on purpose, so
//! that the product's own rules meet IDs which they did not make.

use deunicode::deunicode;
use std::collections::{HashMap, HashSet};

const SUFFIXES: &[&str] = &["jr", "sr", "ii", "iii", "iv"];
const LAST_NAME_LETTERS: usize = 4;

/// IDs that are given, in lower case.
#[derive(Debug, Default)]
pub struct Taken {
    ids: HashSet<String>,
    /// By location, stem and initial, the first number that may be free: none becomes free again.
    next: HashMap<String, usize>,
}

impl Taken {
    /// Gives an ID by the standard.
    pub fn give(&mut self, location: char, last: &str, first: &str) -> String {
        let stem: String = letters(&without_suffix(last)).chars().take(LAST_NAME_LETTERS).collect();
        let initial: String = letters(first).chars().take(1).collect();
        let with_number = |number: usize| match number {
            0 => format!("m{location}{stem}{initial}"),
            _ => {
                let digits = number.to_string();
                let kept = stem.len().saturating_sub(digits.len());
                format!("m{location}{}{digits}{initial}", &stem[..kept])
            }
        };
        let next = self.next.entry(format!("{location} {stem} {initial}")).or_default();
        while self.ids.contains(&with_number(*next)) {
            *next += 1;
        }
        let id = with_number(*next);
        self.ids.insert(id.clone());
        id
    }

    /// Takes an ID that follows no standard.
    pub fn take(&mut self, id: &str) -> String {
        self.ids.insert(id.to_lowercase());
        id.to_owned()
    }
}

/// The ASCII letters of a name in lower case.
pub fn letters(name: &str) -> String {
    deunicode(name)
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn without_suffix(last: &str) -> String {
    let is_suffix = |word: &&str| SUFFIXES.contains(&letters(word).as_str());
    let words: Vec<&str> = last.split_whitespace().filter(|word| !is_suffix(word)).collect();
    words.join(" ")
}
