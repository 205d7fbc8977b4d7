//! One entry of a search, read without trusting its shape.

use lber::structure::{PL, StructureTag};
use std::collections::BTreeMap;

/// An entry that is not of the shape of RFC 4511.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent an entry that can't be read")]
pub(super) struct BadEntry;

/// One entry: its name and the values that the server chose to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Distinguished name as the server writes it.
    pub(super) dn: String,
    /// Values by attribute, options included, in lower case.
    values: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// Reads the library's parsed element.
    pub(super) fn read(tag: StructureTag) -> Result<Self, BadEntry> {
        let mut parts = constructed(tag)?.into_iter();
        let dn = text(parts.next())?;
        let mut values: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for attribute in constructed(parts.next().ok_or(BadEntry)?)? {
            let mut parts = constructed(attribute)?.into_iter();
            let name = text(parts.next())?.to_ascii_lowercase();
            let set = constructed(parts.next().ok_or(BadEntry)?)?;
            let list: Result<Vec<_>, _> = set.into_iter().map(primitive).collect();
            values.entry(name).or_default().extend(list?);
        }
        Ok(Self { dn, values })
    }

    /// The values of an attribute as bytes.
    pub(super) fn bytes(&self, attribute: &str) -> &[Vec<u8>] {
        self.values.get(&attribute.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The values of an attribute that are text.
    pub(super) fn texts<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a str> {
        self.bytes(attribute).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of an attribute that is text.
    pub(super) fn text(&self, attribute: &str) -> Option<&str> {
        self.texts(attribute).next()
    }

    /// All values as owned text, in the server's order.
    pub(super) fn all(&self, attribute: &str) -> Vec<String> {
        self.texts(attribute).map(str::to_owned).collect()
    }

    /// True when the entry has this object class.
    pub(super) fn is_a(&self, class: &str) -> bool {
        self.texts("objectClass").any(|own| own.eq_ignore_ascii_case(class))
    }

    /// The first value of an attribute as a number.
    pub(super) fn number(&self, attribute: &str) -> Option<i64> {
        self.text(attribute)?.parse().ok()
    }

    /// The values of an attribute that came in a range (`member;range=0-1499`), with the last place
    /// served; `None` for the place when the range reaches the end.
    pub(super) fn range(&self, attribute: &str) -> Option<(Option<u64>, &[Vec<u8>])> {
        let prefix = format!("{};range=", attribute.to_ascii_lowercase());
        let from = self.values.range(prefix.clone()..);
        let (name, values) = from.take_while(|(name, _)| name.starts_with(&prefix)).next()?;
        let (_, last) = name.rsplit_once('-')?;
        let last = if last == "*" { None } else { Some(last.parse().ok()?) };
        Some((last, values))
    }

    #[cfg(test)]
    pub(super) fn for_test(dn: &str, values: &[(&str, &str)]) -> Self {
        let mut entry = Self { dn: dn.to_owned(), ..Self::default() };
        for (name, value) in values {
            let list = entry.values.entry(name.to_ascii_lowercase()).or_default();
            list.push(value.as_bytes().to_vec());
        }
        entry
    }
}

fn constructed(tag: StructureTag) -> Result<Vec<StructureTag>, BadEntry> {
    match tag.payload {
        PL::C(parts) => Ok(parts),
        PL::P(_) => Err(BadEntry),
    }
}

fn primitive(tag: StructureTag) -> Result<Vec<u8>, BadEntry> {
    match tag.payload {
        PL::P(bytes) => Ok(bytes),
        PL::C(_) => Err(BadEntry),
    }
}

fn text(tag: Option<StructureTag>) -> Result<String, BadEntry> {
    String::from_utf8(primitive(tag.ok_or(BadEntry)?)?).map_err(|_| BadEntry)
}
