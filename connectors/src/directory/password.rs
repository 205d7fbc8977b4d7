//! Passwords that nobody knows: made, sent, forgotten.

use rand::seq::{IndexedRandom, SliceRandom};
use zeroize::Zeroizing;

const LENGTH: usize = 48;
const CLASSES: [&[u8]; 4] =
    [b"abcdefghijkmnopqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"!%*+-./:=?@_~"];
/// Active Directory refuses passwords with a part of the name of three or more characters in them.
const SHORTEST_PART: usize = 3;
const TRIES: usize = 1000;

/// A random password of 48 characters of all four classes, with no part of the given names in it.
pub(super) fn unknown<'a>(names: impl IntoIterator<Item = &'a str>) -> Zeroizing<String> {
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

/// A stored password (RFC 2307 `{SSHA}`: digest and salt) that no password fits: its digest was drawn,
/// not computed.
pub(super) fn hash_of_nothing() -> String {
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
    let mut random = rand::rng();
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
    for place in 0..LENGTH {
        let class = CLASSES[place % CLASSES.len()];
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
    fn two_passwords_differ() {
        assert_ne!(*unknown([]), *unknown([]));
    }
}
