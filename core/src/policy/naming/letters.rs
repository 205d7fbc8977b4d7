//! From a name as HR gives it to the letters that an ID is made of (N3).

use super::error::{NamePart, NamingError};
use compact_str::CompactString;
use deunicode::deunicode_char;
use std::borrow::Cow;
use std::collections::BTreeMap;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What stands where a conversion could not read the text.
const LOST: char = '\u{FFFD}';

/// How a part becomes ASCII.
pub(super) struct Spelling<'p> {
    /// ASCII letters for a lower-case letter, before the usual table.
    pub own: &'p BTreeMap<char, String>,
    /// The part at hand, for errors.
    pub part: NamePart,
    /// Whether ASCII digits stay.
    pub digits: bool,
}

impl Spelling<'_> {
    /// The ASCII letters of the text, capitals kept; an error when none is left.
    pub fn letters(&self, text: &str) -> Result<CompactString, NamingError> {
        let mut letters = CompactString::default();
        if text.is_ascii() && self.own.is_empty() {
            // Most names by far, and nothing to compose or look up.
            let stays = |c: char| c.is_ascii_alphabetic() || (self.digits && c.is_ascii_digit());
            letters.extend(text.split(|c: char| !stays(c)));
            return if letters.is_empty() {
                Err(NamingError::NoLetter(self.part))
            } else {
                Ok(letters)
            };
        }
        // Composed first, so that the agency's own table sees `ü` as one letter.
        for letter in text.nfc() {
            self.push(letter, &mut letters)?;
        }
        if letters.is_empty() { Err(NamingError::NoLetter(self.part)) } else { Ok(letters) }
    }

    fn push(&self, letter: char, letters: &mut CompactString) -> Result<(), NamingError> {
        if letter == LOST {
            return Err(NamingError::Damaged(self.part));
        }
        if let Some(own) = self.own_letters(letter) {
            letters.extend(own.chars().filter(char::is_ascii_alphabetic));
        } else if letter.is_ascii_alphabetic() || (self.digits && letter.is_ascii_digit()) {
            letters.push(letter);
        } else if letter.is_alphabetic() && !letter.is_ascii() {
            // The table also spells out signs and emoji: only letters may reach it. What it gives
            // may have spaces and apostrophes in it, and may be nothing.
            let part = self.part;
            let ascii = deunicode_char(letter)
                .ok_or(NamingError::NoAscii { part, letter: u32::from(letter) })?;
            letters.extend(ascii.chars().filter(char::is_ascii_alphabetic));
        }
        Ok(())
    }

    fn own_letters(&self, letter: char) -> Option<String> {
        if let Some(own) = self.own.get(&letter) {
            return Some(own.clone());
        }
        let mut lower = letter.to_lowercase();
        let small = lower.next().filter(|&small| small != letter && lower.next().is_none())?;
        let mut own = self.own.get(&small)?.chars();
        let first = own.next()?.to_ascii_uppercase();
        Some(std::iter::once(first).chain(own).collect())
    }
}

/// The last name without the generational suffixes that HR put behind it; never nothing at all, since
/// a suffix that stands alone is somebody's name.
pub(super) fn without_suffixes<'l>(last: &'l str, suffixes: &[String]) -> Cow<'l, str> {
    if last.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Cow::Borrowed(last);
    }
    let mut words: Vec<&str> = last
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .collect();
    let is_suffix = |word: &str| {
        let word = plain_word(word);
        suffixes.iter().any(|suffix| plain_word(suffix) == word)
    };
    while words.len() > 1 && words.last().is_some_and(|word| is_suffix(word)) {
        words.pop();
    }
    // A damaged character outside the words must still be seen.
    if last.contains(LOST) { Cow::Borrowed(last) } else { Cow::Owned(words.join(" ")) }
}

fn plain_word(word: &str) -> String {
    word.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// True where the text has a letter of any script.
pub(super) fn has_letter(text: &str) -> bool {
    text.chars().any(|c| c.is_alphabetic() || c == LOST)
}

/// A log-on name folded as directories compare it: without case, without diacritics.
pub(super) fn fold(id: &str) -> String {
    if id.is_ascii() {
        return id.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(id.len());
    for letter in id.nfd().filter(|&c| !is_combining_mark(c)) {
        folded.push_str(deunicode_char(letter).unwrap_or_default());
    }
    folded.make_ascii_lowercase();
    folded
}

/// The ASCII letters and digits of a text, in lower case: a word of a mail address. Empty where none is left.
pub(crate) fn address_word(own: &BTreeMap<char, String>, text: &str) -> String {
    let spelling = Spelling { own, part: NamePart::LastName, digits: true };
    spelling.letters(text).unwrap_or_default().to_ascii_lowercase().into()
}
