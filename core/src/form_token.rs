//! The token that tells one form from another: it goes out with the form and comes back with the answer.

use crate::intake::digest;
use std::collections::BTreeSet;
use std::fmt;

/// Letters of a token (Crockford's base 32): none is taken for another by people or scanners.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a token, written in groups of four.
const LENGTH: usize = 12;
const GROUP: usize = 4;
/// Most tokens that one text is searched for; a scan that was read by a machine is full of letters.
const MOST: usize = 10_000;

/// A form's token, `K7Q2-M4XZ-9TDF`: 60 bits that nobody can guess.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormToken(String);

impl FormToken {
    /// The token of these bits; the upper four are left out.
    #[must_use]
    pub fn of_bits(bits: u64) -> Self {
        let letter = |at: usize| char::from(LETTERS[(bits >> (5 * at) & 31) as usize]);
        Self((0..LENGTH).rev().map(letter).collect())
    }

    /// Reads a token as people write it: with or without dashes, in small letters, O for 0, I or L for 1.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let written = text.trim().chars().filter(|c| !is_between(*c));
        let letters: Option<String> = written.map(canonical).collect();
        letters.filter(|letters| letters.len() == LENGTH).map(Self)
    }

    /// Every token that could stand in a text: groups of four with one character between, or all in one.
    #[must_use]
    pub fn all_in(text: &str) -> BTreeSet<Self> {
        let mut found = BTreeSet::new();
        let mut groups: Vec<(usize, &str)> = Vec::new();
        for word in words(text) {
            groups.push(word);
            let (_, last) = word;
            if last.len() == LENGTH {
                found.extend(Self::parse(last));
            }
            if let [.., first, second, third] = groups[..]
                && is_token([first, second, third])
            {
                found.extend(Self::parse(&format!("{}{}{}", first.1, second.1, third.1)));
            }
            if found.len() >= MOST {
                break;
            }
        }
        found
    }

    /// The text with every token in it made unreadable, so that it can go on record.
    #[must_use]
    pub fn hide_all(text: &str) -> String {
        if Self::all_in(text).is_empty() {
            return text.to_owned();
        }
        text.chars().map(|c| if c.is_ascii_alphanumeric() { '*' } else { c }).collect()
    }

    /// What is kept of it: enough to know it again, and nothing to confirm a form with.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(format!("lapsed form token {}", self.0).as_bytes())
    }
}

/// Runs of letters and digits, each with its place in bytes.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Three groups of four, each one character after the one before.
fn is_token(groups: [(usize, &str); LENGTH / GROUP]) -> bool {
    let lengths = groups.iter().all(|(_, group)| group.len() == GROUP);
    lengths && groups.windows(2).all(|pair| pair[1].0 == pair[0].0 + GROUP + 1)
}

fn is_between(character: char) -> bool {
    matches!(character, '-' | '_' | ' ' | '.')
}

fn canonical(character: char) -> Option<char> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let known = u8::try_from(upper).is_ok_and(|byte| LETTERS.contains(&byte));
    known.then_some(upper)
}

impl fmt::Display for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, rest) = self.0.split_at(GROUP);
        let (second, third) = rest.split_at(GROUP);
        write!(f, "{first}-{second}-{third}")
    }
}

/// Whoever knows a token can confirm with it: it stands in no log.
impl fmt::Debug for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const SHOWN: &str = "K7Q2-M4XZ-9TDF";

    #[rstest]
    #[case("K7Q2-M4XZ-9TDF")]
    #[case(" k7q2 m4xz 9tdf ")]
    #[case("K7Q2M4XZ9TDF")]
    #[case("k7q2_m4xz_9tdf")]
    fn a_token_is_read_as_people_write_it(#[case] text: &str) {
        assert_eq!(FormToken::parse(text).unwrap().to_string(), SHOWN);
    }

    #[test]
    fn letters_that_look_like_digits_are_taken_for_them() {
        assert_eq!(FormToken::parse("O1IL-OOOO-1111"), FormToken::parse("0111-0000-1111"));
    }

    #[rstest]
    #[case("")]
    #[case("K7Q2-M4XZ")]
    #[case("K7Q2-M4XZ-9TDF-0000")]
    #[case("K7Q2-M4XZ-9TDU")]
    #[case("K7Q2/M4XZ/9TDF")]
    fn what_is_no_token_is_none(#[case] text: &str) {
        assert_eq!(FormToken::parse(text), None);
    }

    #[rstest]
    #[case::file("scan_K7Q2-M4XZ-9TDF.pdf")]
    #[case::subject("Re: REVOKE CIMOR: mzsmitj [lapsed K7Q2-M4XZ-9TDF]")]
    #[case::after_other_words("with date 2026 k7q2 m4xz 9tdf, thank you")]
    #[case::in_one("K7Q2M4XZ9TDF.tif")]
    fn a_token_is_found_in_a_text(#[case] text: &str) {
        assert!(FormToken::all_in(text).contains(&FormToken::parse(SHOWN).unwrap()), "{text}");
    }

    #[rstest]
    #[case("K7Q2--M4XZ-9TDF")]
    #[case("xK7Q2-M4XZ-9TDF")]
    #[case("K7Q2-M4XZ")]
    fn parts_of_a_token_are_none(#[case] text: &str) {
        assert!(FormToken::all_in(text).is_empty(), "{text}");
    }

    #[test]
    fn a_token_stands_in_no_log() {
        let token = FormToken::parse(SHOWN).unwrap();
        assert!(!format!("{token:?}").contains("K7Q2"));
        assert!(!token.digest().contains("K7Q2"));
    }

    proptest! {
        #[test]
        fn every_token_is_read_back_as_it_was_written(bits in any::<u64>(), before in "[ -~]{0,9}") {
            let token = FormToken::of_bits(bits);
            prop_assert_eq!(FormToken::parse(&token.to_string()), Some(token.clone()));
            let text = format!("{} [lapsed {token}] rest", before);
            prop_assert!(FormToken::all_in(&text).contains(&token));
        }

        #[test]
        fn no_text_makes_the_search_fail(text in any::<String>()) {
            let _ = FormToken::all_in(&text);
        }
    }
}
