//! Masks protected personal information in free text (P1).
//!
//! What is hidden: social security numbers with and without separators, taxpayer numbers, payment card
//! numbers that pass their check digit, IBANs that pass theirs, and any number that follows a word such
//! as "account", "routing" or "licence". Digits become `*`, so that the reader sees that something was
//! there. Keys (employee number, user ID) are not free text; see [`looks_like_ssn`] for them.

use std::ops::Range;

/// Words after which a number is protected, lower case.
const WORDS_BEFORE_A_NUMBER: [&str; 17] = [
    "account",
    "acct",
    "iban",
    "routing",
    "aba",
    "ssn",
    "social security",
    "tax id",
    "tin",
    "ein",
    "itin",
    "licence",
    "license",
    "dln",
    "passport",
    "state id",
    "tribal id",
];

/// How far after such a word the number may start, in characters ("account no. is: ").
const REACH: usize = 16;

/// The text with protected numbers hidden. What is left of longer runs of digits is looked at again, so that a
/// text that was masked stays as it is.
#[must_use]
pub fn mask(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    while hide(&mut characters) {}
    characters.into_iter().collect()
}

/// Hides what is seen at one look; true if that was anything.
fn hide(characters: &mut [char]) -> bool {
    let groups = digit_groups(characters);
    let mut hidden = Vec::new();
    for chain in chains(characters, &groups) {
        hidden.extend(social_security(characters, chain));
        hidden.extend(cards(characters, chain));
    }
    hidden.extend(ibans(characters));
    hidden.extend(after_words(characters));
    let mut any = false;
    for range in hidden {
        for character in characters[range].iter_mut().filter(|c| digit(**c).is_some()) {
            *character = '*';
            any = true;
        }
    }
    any
}

/// True for a text that is a social security number written with separators (`123-45-6789`): never
/// acceptable as a key, while nine digits in a row may well be an employee number.
#[must_use]
pub fn looks_like_ssn(text: &str) -> bool {
    let characters: Vec<char> = text.trim().chars().collect();
    let groups = digit_groups(&characters);
    let lengths: Vec<usize> = groups.iter().map(ExactSizeIterator::len).collect();
    lengths == [3, 2, 4] && chains(&characters, &groups).len() == 1
}

/// A decimal digit, full-width ones included.
fn digit(character: char) -> Option<u32> {
    match character {
        '０'..='９' => Some(u32::from(character) - u32::from('０')),
        _ => character.to_digit(10),
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '-' | '.' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Maximal runs of digits.
fn digit_groups(characters: &[char]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, character) in characters.iter().enumerate() {
        if digit(*character).is_none() {
            continue;
        }
        match groups.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

/// Runs of groups with exactly one separator between neighbours.
fn chains<'a>(characters: &[char], groups: &'a [Range<usize>]) -> Vec<&'a [Range<usize>]> {
    groups
        .chunk_by(|left, right| right.start == left.end + 1 && is_separator(characters[left.end]))
        .collect()
}

fn whole(groups: &[Range<usize>]) -> Range<usize> {
    let start = groups.first().map_or(0, |first| first.start);
    start..groups.last().map_or(start, |last| last.end)
}

/// 3-2-4, nine in a row, or a taxpayer number as 2-7 with a dash.
fn social_security(characters: &[char], chain: &[Range<usize>]) -> Vec<Range<usize>> {
    let of_lengths = |lengths: &'static [usize]| {
        chain
            .windows(lengths.len())
            .filter(move |groups| {
                groups.iter().map(ExactSizeIterator::len).eq(lengths.iter().copied())
            })
            .map(whole)
    };
    let dashed = |range: &Range<usize>| characters[range.start + 2] == '-';
    of_lengths(&[3, 2, 4])
        .chain(of_lengths(&[9]))
        .chain(of_lengths(&[2, 7]).filter(dashed))
        .collect()
}

/// 13 to 19 digits, in groups or not, with a right check digit.
fn cards(characters: &[char], chain: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for first in 0..chain.len() {
        let mut digits = Vec::new();
        for (last, group) in chain.iter().enumerate().skip(first) {
            digits.extend(characters[group.clone()].iter().copied().filter_map(digit));
            if digits.len() > 19 {
                break;
            }
            if digits.len() >= 13 && luhn(&digits) {
                found.push(whole(&chain[first..=last]));
            }
        }
    }
    found
}

/// The check of payment card numbers (ISO/IEC 7812-1).
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Two letters, two digits, up to 30 more letters and digits in blocks, with a right check (ISO 13616).
fn ibans(characters: &[char]) -> Vec<Range<usize>> {
    let starts = (0..characters.len().saturating_sub(14)).filter(|at| {
        let before = at.checked_sub(1).and_then(|before| characters.get(before));
        !before.is_some_and(|c| c.is_alphanumeric())
            && characters[*at..at + 2].iter().all(char::is_ascii_alphabetic)
            && characters[at + 2..at + 4].iter().all(char::is_ascii_digit)
    });
    starts.filter_map(|start| iban_at(characters, start)).collect()
}

fn iban_at(characters: &[char], start: usize) -> Option<Range<usize>> {
    let mut symbols = Vec::new();
    let mut end = None;
    for (at, character) in characters.iter().enumerate().skip(start) {
        match character {
            ' ' if !symbols.is_empty() => continue,
            c if c.is_ascii_alphanumeric() => symbols.push(*c),
            _ => break,
        }
        if symbols.len() > 34 {
            break;
        }
        if symbols.len() >= 15 && iban_check(&symbols) {
            end = Some(at + 1);
        }
    }
    end.map(|end| start..end)
}

fn iban_check(symbols: &[char]) -> bool {
    let (head, tail) = symbols.split_at(4);
    let remainder = tail.iter().chain(head).filter_map(|c| c.to_digit(36)).fold(0, |sum, value| {
        if value < 10 { (sum * 10 + value) % 97 } else { (sum * 100 + value) % 97 }
    });
    remainder == 1
}

/// Numbers of four digits and more that follow a word such as "account".
fn after_words(characters: &[char]) -> Vec<Range<usize>> {
    let lower: Vec<char> = characters.iter().map(char::to_ascii_lowercase).collect();
    let mut found = Vec::new();
    for word in WORDS_BEFORE_A_NUMBER {
        let word: Vec<char> = word.chars().collect();
        for start in 0..lower.len().saturating_sub(word.len()) {
            let end = start + word.len();
            let starts_here = start == 0 || !lower[start - 1].is_alphanumeric();
            if starts_here && lower[start..end] == word[..] {
                found.extend(number_after(&lower, end));
            }
        }
    }
    found
}

/// The first token that starts within reach of `from` and holds at least four digits.
fn number_after(characters: &[char], from: usize) -> Option<Range<usize>> {
    let in_token = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '*');
    let mut at = from;
    while at < characters.len() && at <= from + REACH {
        let end = characters[at..].iter().position(|c| !in_token(c));
        let end = end.map_or(characters.len(), |length| at + length);
        // Hidden digits count, so that masking twice doesn't reach for the next number.
        let is_digit = |c: &&char| digit(**c).is_some() || **c == '*';
        let digits = characters[at..end].iter().filter(is_digit).count();
        if digits >= 4 {
            return Some(at..joined_end(characters, end));
        }
        at = end.max(at) + 1;
    }
    None
}

/// Takes in the further blocks of a number that is written in blocks.
fn joined_end(characters: &[char], mut end: usize) -> usize {
    while characters.get(end) == Some(&' ') {
        let more = characters[end + 1..].iter().take_while(|c| digit(**c).is_some()).count();
        if more < 2 {
            break;
        }
        end += 1 + more;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::dashed("SSN 123-45-6789 on file", "SSN ***-**-**** on file")]
    #[case::spaced("is 123 45 6789.", "is *** ** ****.")]
    #[case::typeset("123\u{2013}45\u{2013}6789", "***\u{2013}**\u{2013}****")]
    #[case::plain("his number is 123456789", "his number is *********")]
    #[case::full_width("１２３-４５-６７８９", "***-**-****")]
    #[case::taxpayer("EIN 12-3456789", "EIN **-*******")]
    #[case::card("paid by 4111 1111 1111 1111", "paid by **** **** **** ****")]
    #[case::card_in_a_row("4111111111111111", "****************")]
    #[case::card_with_code("5500-0000-0000-0004 cvv", "****-****-****-**** cvv")]
    #[case::american_express("378282246310005", "***************")]
    #[case::account("direct deposit account no. 000123456", "direct deposit account no. *********")]
    #[case::short_account("acct#: 12345", "acct#: *****")]
    #[case::account_in_blocks("Account 1234 5678 90", "Account **** **** **")]
    #[case::routing("routing 021000021", "routing *********")]
    #[case::iban("DE89 3704 0044 0532 0130 00", "DE** **** **** **** **** **")]
    #[case::licence("driver's license S530-1234", "driver's license S***-****")]
    fn protected_numbers_are_hidden(#[case] text: &str, #[case] masked: &str) {
        assert_eq!(mask(text), masked);
    }

    #[rstest]
    #[case::between_two_that_are_found(
        "RR22222222222222222222222222222A222222222222222222222222222222"
    )]
    #[case::iban_and_number("DE89370400440532013000123456789")]
    fn what_was_masked_stays_as_it_is(#[case] text: &str) {
        let masked = mask(text);
        assert_eq!(mask(&masked), masked);
    }

    proptest! {
        #[test]
        fn masked_is_masked(text in "[A-Z0-9 -]{0,80}") {
            let masked = mask(&text);
            prop_assert_eq!(mask(&masked), masked);
        }
    }

    #[rstest]
    #[case::date("2026-11-22")]
    #[case::american_date("11/22/2026")]
    #[case::moment("2026-11-22 13:05:09")]
    #[case::phone("573-555-0134")]
    #[case::employee_number("employee 00012345678")]
    #[case::not_a_card("4111 1111 1111 1112")]
    #[case::ticket("ticket INC0012345 of line 398")]
    #[case::account_without_number("the account mzsmitj is disabled")]
    #[case::file("hr_20261122.csv")]
    fn what_is_not_protected_stays(#[case] text: &str) {
        assert_eq!(mask(text), text);
    }

    #[rstest]
    #[case("123-45-6789", true)]
    #[case(" 123 45 6789 ", true)]
    #[case("123456789", false)]
    #[case("123-45-67890", false)]
    #[case("mzsmitj", false)]
    fn a_key_in_the_form_of_a_social_security_number_is_known(
        #[case] text: &str,
        #[case] is: bool,
    ) {
        assert_eq!(looks_like_ssn(text), is);
    }

    proptest! {
        #[test]
        fn masking_twice_is_masking_once(text in any::<String>()) {
            let once = mask(&text);
            prop_assert_eq!(mask(&once), once);
        }

        #[test]
        fn a_social_security_number_never_survives(
            before in "[a-z ]{0,9}", number in "[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}", after in "[a-z ,]{0,9}",
        ) {
            let text = format!("{before}{number}{after}");
            prop_assert!(!mask(&text).contains(&number));
        }

        #[test]
        fn only_digits_are_replaced(text in "[ -~]{0,60}") {
            let masked = mask(&text);
            prop_assert_eq!(masked.chars().count(), text.chars().count());
            for (was, is) in text.chars().zip(masked.chars()) {
                prop_assert!(was == is || (was.is_ascii_digit() && is == '*'));
            }
        }
    }
}
