//! Gives what differs from run to run a name of the same length: hashes, ids, paths.

use std::collections::HashMap;

/// The names given so far.
#[derive(Debug, Default)]
pub struct Tidy {
    names: HashMap<String, String>,
    ids: usize,
    digests: usize,
}

impl Tidy {
    /// Names a plan by its hash.
    pub fn plan(&mut self, hash: &str, number: usize) {
        self.names.insert(hash.to_owned(), padded(&format!("plan-{number}"), hash.len()));
        let short = hash.get(..12).unwrap_or(hash);
        self.names.insert(short.to_owned(), padded(&format!("plan-{number}"), short.len()));
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
