//! Encryption of one envelope: a key that is used once, made of what lies on this machine and of the code
//! that the opener was sent. Neither alone opens it.

use rand::seq::IndexedRandom;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// Bytes of the machine's own part of the key.
pub(super) const KEY: usize = 32;
/// Bytes of a salt: a new one makes a new key.
pub(super) const SALT: usize = 32;
/// Characters of a code: 100 bits.
const CODE: usize = 20;
/// Without those that are taken for one another.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// It could not be sealed, or is not what was sealed, or the code is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the envelope and the code do not go together")]
pub(super) struct NotTogether;

/// A one-time code, in groups to be typed: `ABCDE-FGHJK-LMNPQ-RSTUV`.
pub(super) fn new_code() -> Zeroizing<String> {
    let mut random = rand::rng();
    let mut code = Zeroizing::new(String::with_capacity(CODE + 3));
    for place in 0..CODE {
        if place > 0 && place % 5 == 0 {
            code.push('-');
        }
        code.push(LETTERS.choose(&mut random).map_or('A', |&letter| char::from(letter)));
    }
    code
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> [u8; N] {
    rand::random()
}

/// The sealed text; `about` is bound to it, so that nothing of it can be exchanged.
pub(super) fn seal(
    key: &[u8; KEY],
    code: &str,
    salt: &[u8; SALT],
    about: &[u8],
    text: &str,
) -> Result<Vec<u8>, NotTogether> {
    let mut bytes = text.as_bytes().to_vec();
    once(key, code, salt)?
        .seal_in_place_append_tag(nonce(), Aad::from(about), &mut bytes)
        .map_err(|_| NotTogether)?;
    Ok(bytes)
}

/// The text again.
pub(super) fn open(
    key: &[u8; KEY],
    code: &str,
    salt: &[u8; SALT],
    about: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<String>, NotTogether> {
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let key = once(key, code, salt)?;
    let text = key.open_in_place(nonce(), Aad::from(about), &mut bytes).map_err(|_| NotTogether)?;
    let text = std::str::from_utf8(text).map_err(|_| NotTogether)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The key of one envelope (HKDF, RFC 5869).
fn once(key: &[u8; KEY], code: &str, salt: &[u8; SALT]) -> Result<LessSafeKey, NotTogether> {
    let mut material = Zeroizing::new(key.to_vec());
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    material.extend(letters.map(|letter| letter.to_ascii_uppercase() as u8));
    let drawn = Salt::new(HKDF_SHA256, salt).extract(&material);
    let expanded = drawn.expand(&[b"lapsed envelope 1"], &AES_256_GCM).map_err(|_| NotTogether)?;
    Ok(LessSafeKey::new(UnboundKey::from(expanded)))
}

/// Every key is used for one text only, so that one number does for all of them.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MINE: [u8; KEY] = [7; KEY];

    #[test]
    fn what_was_sealed_is_opened_with_key_code_and_circumstances() {
        let (salt, code) = (random(), new_code());
        let sealed = seal(&MINE, &code, &salt, b"for mqboss", "kT7v-qWm4").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("kT7v"));
        let typed = code.to_lowercase().replace('-', " ");
        assert_eq!(*open(&MINE, &typed, &salt, b"for mqboss", &sealed).unwrap(), "kT7v-qWm4");
    }

    #[rstest]
    #[case::without_the_code(MINE, "", b"for mqboss")]
    #[case::another_code(MINE, "ABCDE-FGHJK-LMNPQ-RSTUV", b"for mqboss")]
    #[case::another_machine([8; KEY], "CODE", b"for mqboss")]
    #[case::for_another(MINE, "CODE", b"for mzevil")]
    fn anything_else_opens_nothing(
        #[case] key: [u8; KEY],
        #[case] code: &str,
        #[case] about: &[u8],
    ) {
        let salt = random();
        let sealed = seal(&MINE, "CODE", &salt, b"for mqboss", "kT7v-qWm4").unwrap();
        assert_eq!(open(&key, code, &salt, about, &sealed), Err(NotTogether));
        let mut changed = sealed.clone();
        changed[0] ^= 1;
        assert_eq!(open(&MINE, "CODE", &salt, b"for mqboss", &changed), Err(NotTogether));
    }

    #[test]
    fn a_code_can_be_read_out() {
        let code = new_code();
        assert_eq!((code.len(), code.matches('-').count()), (23, 3));
        assert!(!code.contains(['0', 'O', '1', 'I']));
        assert_ne!(*code, *new_code());
    }
}
