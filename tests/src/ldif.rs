//! Reading and writing LDIF (RFC 2849), as far as the tests need it.

use crate::{Done, Failure};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::BTreeMap;

/// One entry of a directory, as a witness saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Distinguished name.
    pub dn: String,
    /// Values by attribute name in lower case, in the order in which they came.
    pub attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// An entry without attributes.
    #[must_use]
    pub fn new(dn: impl Into<String>) -> Self {
        Self { dn: dn.into(), attributes: BTreeMap::new() }
    }

    /// The same entry with one more value.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl AsRef<[u8]>) -> Self {
        self.add(attribute, value);
        self
    }

    /// Adds a value.
    pub fn add(&mut self, attribute: &str, value: impl AsRef<[u8]>) {
        let values = self.attributes.entry(attribute.to_lowercase()).or_default();
        values.push(value.as_ref().to_vec());
    }

    /// All values of an attribute as text.
    #[must_use]
    pub fn get(&self, attribute: &str) -> Vec<String> {
        self.bytes(attribute).iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect()
    }

    /// The first value of an attribute as text.
    #[must_use]
    pub fn first(&self, attribute: &str) -> Option<String> {
        self.get(attribute).into_iter().next()
    }

    /// All values of an attribute as bytes.
    #[must_use]
    pub fn bytes(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes.get(&attribute.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// True when the attribute has a value.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        !self.bytes(attribute).is_empty()
    }

    /// The entry as LDIF with an empty line after it.
    #[must_use]
    pub fn to_ldif(&self) -> String {
        let mut text = line("dn", self.dn.as_bytes());
        // Servers want to know the classes before the rest.
        let (classes, others): (Vec<_>, Vec<_>) =
            self.attributes.iter().partition(|(name, _)| *name == "objectclass");
        for (name, values) in classes.into_iter().chain(others) {
            for value in values {
                text.push_str(&line(name, value));
            }
        }
        text.push('\n');
        text
    }
}

/// One line of LDIF, in base64 where plain text would not do.
#[must_use]
pub fn line(name: &str, value: &[u8]) -> String {
    let unsafe_start = value.first().is_some_and(|b| matches!(b, b' ' | b':' | b'<'));
    let unsafe_end = value.last() == Some(&b' ');
    let plain = value.iter().all(|b| (0x20..0x7f).contains(b));
    match std::str::from_utf8(value) {
        Ok(text) if plain && !unsafe_start && !unsafe_end => format!("{name}: {text}\n"),
        _ => format!("{name}:: {}\n", STANDARD.encode(value)),
    }
}

/// Reads content LDIF (no change records).
pub fn parse(text: &str) -> Done<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open = false;
    for line in unfold(text) {
        if line.is_empty() {
            open = false;
            continue;
        }
        if line.starts_with('#') || line.starts_with("version:") {
            continue;
        }
        let (name, value) = split(&line)?;
        if open {
            if let Some(entry) = entries.last_mut() {
                entry.add(name, value);
            }
        } else if name.eq_ignore_ascii_case("dn") {
            entries.push(Entry::new(String::from_utf8_lossy(&value)));
            open = true;
        } // else: a search reference, which stands alone
    }
    Ok(entries)
}

fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn split(line: &str) -> Done<(&str, Vec<u8>)> {
    let wrong = || Failure::new(format!("not a line of LDIF: {line}"));
    let (name, rest) = line.split_once(':').ok_or_else(wrong)?;
    match rest.strip_prefix(':') {
        Some(coded) => Ok((name, STANDARD.decode(coded.trim()).map_err(|_| wrong())?)),
        None => Ok((name, rest.trim_start_matches(' ').as_bytes().to_vec())),
    }
}

/// Escapes a value for use within a distinguished name (RFC 4514).
#[must_use]
pub fn escape_rdn(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::new();
    for (at, letter) in value.chars().enumerate() {
        match letter {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => escaped.extend(['\\', letter]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            '\0' => escaped.push_str("\\00"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Escapes a value for use within a search filter (RFC 4515).
#[must_use]
pub fn escape_filter(value: &str) -> String {
    let mut escaped = String::new();
    for letter in value.chars() {
        match letter {
            '*' | '(' | ')' | '\\' | '\0' => escaped.push_str(&format!("\\{:02x}", letter as u32)),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let entry = Entry::new("cn=Núñez\\, #1,dc=lab")
            .with("objectClass", "person")
            .with("cn", " leads with a space")
            .with("sn", "ends with one ")
            .with("note", ": < odd")
            .with("raw", [0, 159, 146, 150]);
        assert_eq!(parse(&entry.to_ldif()).unwrap(), vec![entry]);
    }

    #[test]
    fn folded_lines_comments_and_references_are_understood() {
        let text =
            "version: 1\n# c\ndn: cn=a,\n dc=lab\ncn: a\n\nref: ldap://x/\n\ndn: cn=b\ncn:: w7w=\n";
        let entries = parse(text).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].dn, "cn=a,dc=lab");
        assert_eq!(entries[1].get("CN"), ["ü"]);
    }
}
