//! Gives what differs from run to run a name of the same length: hashes, ids, paths.

use std::collections::{HashMap, HashSet};

/// The names given so far.
#[derive(Debug, Default)]
pub struct Tidy {
    names: HashMap<String, String>,
    plans: HashSet<String>,
    plans_named: usize,
    ids: usize,
    digests: usize,
}

impl Tidy {
    /// Notes a plan's hash; it gets its name where it is first seen, since plans of one round come in the
    /// order of their hashes.
    pub fn plan(&mut self, hash: &str) {
        self.plans.insert(hash.get(..12).unwrap_or(hash).to_owned());
    }

    /// The text with names for all that differs from run to run.
    pub fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut word = String::new();
        for letter in text.chars().chain(['\0']) {
            if letter.is_ascii_hexdigit() || letter == '-' {
                word.push(letter);
                continue;
            }
            out += &self.word(&word);
            word.clear();
            if letter != '\0' {
                out.push(letter);
            }
        }
        out
    }

    fn word(&mut self, word: &str) -> String {
        if let Some(name) = self.names.get(word) {
            return name.clone();
        }
        if let Some(short) = word.get(..12).filter(|short| self.plans.contains(*short)) {
            let name = match self.names.get(short) {
                Some(name) => name.trim_end_matches('.').to_owned(),
                None => {
                    self.plans_named += 1;
                    format!("plan-{}", self.plans_named)
                }
            };
            self.names.insert(short.to_owned(), padded(&name, short.len()));
            self.names.insert(word.to_owned(), padded(&name, word.len()));
            return padded(&name, word.len());
        }
        let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
        let parts: Vec<usize> = word.split('-').map(str::len).collect();
        let name = if parts == [8, 4, 4, 4, 12] {
            self.ids += 1;
            padded(&format!("id-{}", self.ids), word.len())
        } else if word.len() == 64 && hex(word) {
            self.digests += 1;
            padded(&format!("digest-{}", self.digests), word.len())
        } else {
            return word.to_owned();
        };
        self.names.insert(word.to_owned(), name.clone());
        name
    }
}

/// Of the same length, so that tables keep their columns.
fn padded(name: &str, length: usize) -> String {
    format!("{name:.<length$}")
}
