//! Passwords that nobody knows: made, sent, forgotten.

use lapsed_core::access::password::{check, length};
use lapsed_core::policy::access::PasswordRules;
use rand::seq::{IndexedRandom, SliceRandom};
use zeroize::Zeroizing;

const LENGTH: usize = 48;
const CLASSES: [&[u8]; 4] =
    [b"abcdefghijkmnopqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"!%*+-./:=?@_~"];
/// Active Directory refuses passwords with a part of the name of three or more characters in them.
const SHORTEST_PART: usize = 3;
const TRIES: usize = 1000;

/// A random password of 48 characters of all four classes, with no part of the given names in it.
pub(crate) fn unknown<'a>(names: impl IntoIterator<Item = &'a str>) -> Zeroizing<String> {
    let parts: Vec<String> = names.into_iter().flat_map(parts_of).collect();
    let mut password = make();
    for _ in 0..TRIES {
        let lower = Zeroizing::new(password.to_lowercase());
        if !parts.iter().any(|part| lower.contains(part.as_str())) {
            break;
        }
        password = make();
    }
    password
}

/// A first password that keeps the rules (A8): of letters and digits that can't be taken for one another,
/// so that it can be read out. `names` are those of its owner. `None` where no draw kept the rules.
pub(crate) fn first<'a>(
    rules: &PasswordRules,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<Zeroizing<String>> {
    const READABLE: [&[u8]; 4] =
        [b"abcdefghjkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-+=?"];
    let names: Vec<&str> = names.into_iter().collect();
    let draws = (0..TRIES).map(|_| draw(&READABLE, length(rules)));
    let mut good = draws.filter(|password| check(password, names.iter().copied(), rules).is_ok());
    good.next()
}

/// A stored password (RFC 2307 `{SSHA}`: digest and salt) that no password fits: its digest was drawn,
/// not computed.
pub(crate) fn hash_of_nothing() -> String {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = rand::rng();
    let drawn = (0..LENGTH).map(|_| BASE64.choose(&mut random).copied().unwrap_or(b'A'));
    format!("{{SSHA}}{}", drawn.map(char::from).collect::<String>())
}

fn parts_of(name: &str) -> Vec<String> {
    let pieces = name.split([' ', ',', '.', '-', '_', '#', '\t']);
    pieces
        .chain([name])
        .filter(|piece| piece.chars().count() >= SHORTEST_PART)
        .map(str::to_lowercase)
        .collect()
}

fn make() -> Zeroizing<String> {
    draw(&CLASSES, LENGTH)
}

fn draw(classes: &[&[u8]; 4], length: usize) -> Zeroizing<String> {
    let mut random = rand::rng();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for place in 0..length {
        let class = classes[place % classes.len()];
        bytes.push(class.choose(&mut random).copied().unwrap_or(b'~'));
    }
    bytes.shuffle(&mut random);
    Zeroizing::new(bytes.iter().map(|&byte| char::from(byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_has_all_classes() {
        let password = unknown(["jdoe"]);
        assert!(password.len() >= 40);
        for class in CLASSES {
            assert!(password.bytes().any(|byte| class.contains(&byte)));
        }
    }

    #[test]
    fn a_password_has_no_part_of_the_names_in_it() {
        let names = ["a2b", "Ann-Bo Lee"];
        for _ in 0..2000 {
            let password = unknown(names).to_lowercase();
            assert!(!["a2b", "ann", "lee"].iter().any(|part| password.contains(part)));
        }
    }

    #[test]
    fn a_first_password_keeps_the_rules_and_can_be_read_out() {
        let rules = PasswordRules { length: 4, classes: 4, ..PasswordRules::default() };
        for _ in 0..500 {
            let password = first(&rules, ["mzsmitj", "Smith", "abc"]).unwrap();
            assert_eq!(check(&password, ["mzsmitj", "Smith", "abc"], &rules), Ok(()));
            assert!(!password.contains(['0', 'O', 'o', '1', 'l', 'I', 'i']), "look-alikes");
            assert_ne!(*password, *first(&rules, []).unwrap());
        }
    }

    #[test]
    fn two_passwords_differ() {
        assert_ne!(*unknown([]), *unknown([]));
    }
}
