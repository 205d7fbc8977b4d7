//! One entry of a search, read without trusting its shape.

use super::ber::Elements;
use super::message::{OCTETS, SEQUENCE, SET};
use std::ops::Range;

/// One entry: its name and the values that the server chose to show.
///
/// The values stay in the server's bytes: of a directory that is read whole every night, most is only compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Distinguished name as the server writes it.
    pub(super) dn: String,
    /// The attributes as they came (`PartialAttributeList`, RFC 4511 section 4.1.7).
    list: Box<[u8]>,
    attributes: Vec<Attribute>,
}

/// Where in the list an attribute's name, options included, and its values stand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    name: Range<usize>,
    values: Range<usize>,
}

impl Entry {
    /// Reads the content of a search result entry; `None` where it is not of the shape of RFC 4511.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let mut parts = Elements::of(content);
        let dn = parts.expect_text(OCTETS)?.to_owned();
        let list = parts.expect(SEQUENCE)?;
        parts.ended().then_some(())?;
        Some(Self { dn, list: list.into(), attributes: attributes_of(list)? })
    }

    /// The values of an attribute as bytes, in the server's order.
    pub(super) fn bytes<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self
            .attributes
            .iter()
            .filter(move |own| self.part(&own.name).eq_ignore_ascii_case(attribute.as_bytes()));
        named.flat_map(|own| self.values(own))
    }

    /// The values of an attribute, to be kept.
    pub(super) fn owned(&self, attribute: &str) -> Vec<Vec<u8>> {
        self.bytes(attribute).map(<[u8]>::to_vec).collect()
    }

    /// True when the server shows a value of this attribute.
    pub(super) fn has(&self, attribute: &str) -> bool {
        self.bytes(attribute).next().is_some()
    }

    /// The values of an attribute that are text.
    pub(super) fn texts<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a str> {
        self.bytes(attribute).filter_map(|value| std::str::from_utf8(value).ok())
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
    /// served; `None` for the place when the range reaches the end, and a place beyond all where it can't be read.
    pub(super) fn range(&self, attribute: &str) -> Option<(Option<u64>, Vec<Vec<u8>>)> {
        let prefix = format!("{};range=", attribute.to_ascii_lowercase());
        let named = self
            .attributes
            .iter()
            .map(|own| (String::from_utf8_lossy(self.part(&own.name)).to_ascii_lowercase(), own));
        let (name, own) = named.into_iter().find(|(name, _)| name.starts_with(&prefix))?;
        let last = match name.rsplit_once('-') {
            Some((_, "*")) => None,
            Some((_, last)) => Some(last.parse().unwrap_or(u64::MAX)),
            None => Some(u64::MAX),
        };
        Some((last, self.values(own).map(<[u8]>::to_vec).collect()))
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.list.get(place.clone()).unwrap_or_default()
    }

    fn values(&self, own: &Attribute) -> impl Iterator<Item = &[u8]> {
        let mut set = Elements::of(self.part(&own.values));
        std::iter::from_fn(move || set.expect(OCTETS))
    }

    #[cfg(test)]
    pub(super) fn for_test(dn: &str, values: &[(&str, &str)]) -> Self {
        let mut list = Vec::new();
        for (name, value) in values {
            let set = tests::element(SET, &tests::element(OCTETS, value.as_bytes()));
            let named = [tests::element(OCTETS, name.as_bytes()), set].concat();
            list.extend(tests::element(SEQUENCE, &named));
        }
        let content =
            [tests::element(OCTETS, dn.as_bytes()), tests::element(SEQUENCE, &list)].concat();
        Self::read(&content).unwrap()
    }
}

fn attributes_of(list: &[u8]) -> Option<Vec<Attribute>> {
    let mut attributes = Vec::new();
    let mut rest = Elements::of(list);
    while !rest.ended() {
        let mut attribute = Elements::of(rest.expect(SEQUENCE)?);
        let end = list.len() - rest.left();
        let name = attribute.expect_text(OCTETS)?.len();
        let name_end = end - attribute.left();
        let values = attribute.expect(SET)?;
        attribute.ended().then_some(())?;
        let mut set = Elements::of(values);
        while !set.ended() {
            set.expect(OCTETS)?;
        }
        attributes
            .push(Attribute { name: name_end - name..name_end, values: end - values.len()..end });
    }
    Some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], length.as_slice(), content].concat()
    }

    #[test]
    fn values_of_one_attribute_come_in_the_order_of_the_server_whatever_the_letters_of_its_name() {
        let entry = Entry::for_test("uid=a", &[("Mail", "b"), ("sn", "Rössler"), ("mail", "a")]);
        assert_eq!(entry.all("MAIL"), ["b", "a"]);
        assert_eq!(entry.text("sn"), Some("Rössler"));
        assert!(!entry.has("s"));
        assert_eq!(entry.dn, "uid=a");
    }

    #[test]
    fn bytes_that_are_no_text_are_bytes_all_the_same() {
        let set = element(SET, &element(OCTETS, &[0xff, 0]));
        let list = element(SEQUENCE, &[element(OCTETS, b"objectGUID"), set].concat());
        let content = [element(OCTETS, b""), element(SEQUENCE, &list)].concat();
        let entry = Entry::read(&content).unwrap();
        assert_eq!(entry.owned("objectguid"), [vec![0xff, 0]]);
        assert_eq!(entry.text("objectguid"), None);
    }

    #[rstest]
    #[case::to_a_place("member;range=0-1499", Some(Some(1499)))]
    #[case::to_the_end("Member;Range=1500-*", Some(None))]
    #[case::of_another_attribute("membership;range=0-*", None)]
    #[case::without_an_end("member;range=0", Some(Some(u64::MAX)))]
    #[case::with_an_empty_end("member;range=0-", Some(Some(u64::MAX)))]
    fn a_range_says_where_it_ends(#[case] name: &str, #[case] last: Option<Option<u64>>) {
        let entry = Entry::for_test("cn=g", &[("cn", "g"), (name, "cn=a")]);
        assert_eq!(entry.range("member"), last.map(|last| (last, vec![b"cn=a".to_vec()])));
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(
            values in proptest::collection::vec(("[a-z]{1,9}", ".{0,300}"), 0..9)
        ) {
            let named: Vec<(&str, &str)> =
                values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let entry = Entry::for_test("cn=a", &named);
            for (name, _) in &named {
                let wanted: Vec<_> =
                    named.iter().filter(|(n, _)| n == name).map(|(_, value)| *value).collect();
                prop_assert_eq!(entry.texts(name).collect::<Vec<_>>(), wanted);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(entry) = Entry::read(&bytes) {
                let _ = (entry.all("a"), entry.range("a"));
            }
        }
    }
}
