//! Distinguished names (RFC 4514): read, compared as directories compare them, and placed in the tree.

use std::fmt::Write as _;

/// A text that is not a distinguished name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name (RFC 4514)")]
pub(super) struct NotADn;

/// One attribute and value of a relative name, folded for comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Pair {
    attribute: String,
    value: Vec<u8>,
}

/// A distinguished name, folded: two that a directory holds for the same are equal.
///
/// Case is ignored and spaces are collapsed in every value; the few attributes whose values are
/// case-sensitive only make this compare too broadly, which can protect too much, never too little.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Dn {
    /// From the object up to the root.
    relative: Vec<Vec<Pair>>,
}

impl Dn {
    /// Reads a distinguished name; the empty text is the root.
    pub(super) fn parse(text: &str) -> Result<Self, NotADn> {
        let mut relative = Vec::new();
        let mut reader = Reader { rest: text.trim() };
        if reader.rest.is_empty() {
            return Ok(Self { relative });
        }
        loop {
            let mut pairs = vec![reader.pair()?];
            while reader.take('+') {
                pairs.push(reader.pair()?);
            }
            pairs.sort();
            relative.push(pairs);
            if reader.rest.is_empty() {
                return Ok(Self { relative });
            }
            if !reader.take(',') && !reader.take(';') {
                return Err(NotADn);
            }
        }
    }

    /// True for the empty name.
    pub(super) fn is_root(&self) -> bool {
        self.relative.is_empty()
    }

    /// True when the object is `base` or below it.
    pub(super) fn is_under(&self, base: &Self) -> bool {
        self.relative.ends_with(&base.relative)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest.strip_prefix(wanted);
        if let Some(after) = found {
            self.rest = after;
        }
        found.is_some()
    }

    fn pair(&mut self) -> Result<Pair, NotADn> {
        let (attribute, after) = self.rest.split_once('=').ok_or(NotADn)?;
        let attribute = attribute.trim().to_ascii_lowercase();
        let sound = !attribute.is_empty()
            && attribute.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        if !sound {
            return Err(NotADn);
        }
        self.rest = after.trim_start_matches(' ');
        let value = if self.take('#') { self.hex()? } else { fold(&self.text()?) };
        Ok(Pair { attribute, value })
    }

    fn hex(&mut self) -> Result<Vec<u8>, NotADn> {
        let end = self.rest.find(['+', ',', ';']).unwrap_or(self.rest.len());
        let (digits, after) = self.rest.split_at(end);
        self.rest = after;
        let digits = digits.trim().as_bytes();
        if digits.is_empty() || digits.len() % 2 != 0 {
            return Err(NotADn);
        }
        digits.chunks(2).map(|two| hex_byte(two).ok_or(NotADn)).collect()
    }

    /// The value's bytes with escapes undone, unescaped outer spaces cut.
    fn text(&mut self) -> Result<Vec<u8>, NotADn> {
        let bytes = self.rest.as_bytes();
        let (mut at, mut keep) = (0, 0);
        let mut value = Vec::new();
        let quoted = bytes.first() == Some(&b'"');
        if quoted {
            at = 1;
        }
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' if quoted => {
                    self.rest = self.rest[at + 1..].trim_start_matches(' ');
                    return Ok(value);
                }
                b'+' | b',' | b';' if !quoted => break,
                b'\\' => {
                    let (escaped, width) = escape(&bytes[at + 1..])?;
                    value.push(escaped);
                    at += 1 + width;
                    keep = value.len();
                }
                _ => {
                    value.push(byte);
                    at += 1;
                    if byte != b' ' {
                        keep = value.len();
                    }
                }
            }
        }
        if quoted {
            return Err(NotADn);
        }
        self.rest = &self.rest[at..];
        value.truncate(keep);
        Ok(value)
    }
}

fn escape(after: &[u8]) -> Result<(u8, usize), NotADn> {
    if let Some(byte) = after.get(..2).and_then(hex_byte) {
        return Ok((byte, 2));
    }
    match after.first() {
        Some(&byte) if b" \"#+,;<=>\\".contains(&byte) => Ok((byte, 1)),
        _ => Err(NotADn),
    }
}

fn hex_byte(two: &[u8]) -> Option<u8> {
    let high = char::from(*two.first()?).to_digit(16)?;
    let low = char::from(*two.get(1)?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn fold(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Err(_) => value.to_vec(),
        Ok(text) => {
            let lower = text.to_lowercase();
            lower
                .split(' ')
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
                .into_bytes()
        }
    }
}

/// The first value of a name, for people: `Ames, Zoe` of `cn=Ames\, Zoe,ou=People`.
pub(super) fn first_value(text: &str) -> Option<String> {
    let (_, value) = text.split_once('=')?;
    let mut reader = Reader { rest: value.trim_start_matches(' ') };
    let bytes = if reader.take('#') { reader.hex().ok()? } else { reader.text().ok()? };
    String::from_utf8(bytes).ok()
}

/// The relative name and the rest of a name, as they are written: `uid=a`, `ou=People,dc=lab`.
pub(super) fn split_first(text: &str) -> Option<(&str, &str)> {
    let mut reader = Reader { rest: text.trim() };
    let whole = reader.rest;
    reader.pair().ok()?;
    while reader.take('+') {
        reader.pair().ok()?;
    }
    let relative = whole.get(..whole.len() - reader.rest.len())?;
    (reader.take(',') || reader.take(';')).then(|| (relative.trim_end(), reader.rest.trim_start()))
}

/// A value escaped for its place in a distinguished name.
#[must_use]
pub fn escape_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        let edge = (character == ' ' && (at == 0 || at == last)) || (character == '#' && at == 0);
        if character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                let _ = write!(out, "\\{byte:02x}");
            }
        } else {
            if edge || "\"+,;<=>\\".contains(character) {
                out.push('\\');
            }
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[rstest]
    #[case("CN=Ames\\, Zoe,OU=People,DC=lab", "cn=ames\\2c zoe, ou=people , dc=LAB")]
    #[case("cn=a+uid=b,dc=lab", "uid=b+cn=a,dc=lab")]
    #[case("cn=\"a,b\",dc=lab", "cn=a\\,b,dc=lab")]
    #[case("cn=two  words,dc=lab", "cn=Two Words,dc=lab")]
    #[case("cn=M\u{fc}ller,dc=lab", "CN=m\\c3\\bcller;DC=lab")]
    fn names_that_a_directory_holds_for_the_same_are_equal(#[case] one: &str, #[case] other: &str) {
        assert_eq!(dn(one), dn(other));
    }

    #[rstest]
    #[case("uid=a,ou=People,dc=lab", "ou=people,DC=lab", true)]
    #[case("ou=People,dc=lab", "ou=People,dc=lab", true)]
    #[case("uid=a,ou=Other,dc=lab", "ou=People,dc=lab", false)]
    #[case("uid=a\\,ou=People,dc=lab", "ou=People,dc=lab", false)]
    #[case("dc=lab", "ou=People,dc=lab", false)]
    fn being_below_a_base_is_decided_by_whole_names(
        #[case] object: &str,
        #[case] base: &str,
        #[case] under: bool,
    ) {
        assert_eq!(dn(object).is_under(&dn(base)), under);
    }

    #[rstest]
    #[case("uid=a,ou=People,dc=lab", Some(("uid=a", "ou=People,dc=lab")))]
    #[case("CN=Ames\\, Zoe,OU=a\\,b,DC=lab", Some(("CN=Ames\\, Zoe", "OU=a\\,b,DC=lab")))]
    #[case("cn=a+uid=b,dc=lab", Some(("cn=a+uid=b", "dc=lab")))]
    #[case("dc=lab", None)]
    fn a_name_is_split_after_its_first_part(
        #[case] name: &str,
        #[case] parts: Option<(&str, &str)>,
    ) {
        assert_eq!(split_first(name), parts);
    }

    #[rstest]
    #[case("no name")]
    #[case("=x")]
    #[case("cn=a,")]
    #[case("cn=\"a")]
    #[case("cn=a\\")]
    #[case("cn=#zz")]
    fn what_is_no_name_is_refused(#[case] text: &str) {
        assert_eq!(Dn::parse(text), Err(NotADn));
    }

    proptest! {
        #[test]
        fn an_escaped_value_is_read_back_as_it_was(value in "[ -~\\u{e0}-\\u{ff}]{1,20}") {
            let text = format!("cn={},dc=lab", escape_value(&value));
            prop_assert!(dn(&text).is_under(&dn("dc=lab")));
            prop_assert_eq!(first_value(&text), Some(value));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
            let _ = Dn::parse(&text);
            let _ = first_value(&text);
        }
    }
}
