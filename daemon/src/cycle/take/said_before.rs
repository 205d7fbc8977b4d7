//! What a feed said last, for as many people as it lists: kept as small as it can be.

/// The digest of a statement: half of a SHA-256.
pub(super) type Digest = [u8; 16];

/// The statements of the last drop by their keys, and which of them this drop makes again.
#[derive(Debug, Default)]
pub(super) struct SaidBefore {
    /// In the order of their keys. What has no digest was to be heard again, whatever it says.
    said: Vec<(Box<str>, Option<Digest>)>,
    listed: Vec<bool>,
}

impl SaidBefore {
    pub(super) fn new(mut said: Vec<(Box<str>, Option<Digest>)>) -> Self {
        said.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        said.dedup_by(|one, other| one.0 == other.0);
        let listed = vec![false; said.len()];
        Self { said, listed }
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.said.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()
    }

    /// True where there was a statement under this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Notes that this drop lists the key; true where it says the same as before.
    pub(super) fn list(&mut self, key: &str, digest: &Digest) -> bool {
        let Some(place) = self.place(key) else { return false };
        self.listed[place] = true;
        self.said[place].1.as_ref() == Some(digest)
    }

    /// The keys that this drop does not list.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        let unlisted = self.said.iter().zip(&self.listed).filter(|(_, listed)| !**listed);
        unlisted.map(|((key, _), _)| key.as_ref())
    }
}

/// A digest as it is stored; none for any other text.
pub(super) fn read(hex: &str) -> Option<Digest> {
    (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok())?.map(u128::to_be_bytes)
}

/// The same the other way round.
pub(super) fn written(digest: &Digest) -> String {
    format!("{:032x}", u128::from_be_bytes(*digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_found_again_and_what_is_not_listed_is_missing() {
        let digest = read("000102030405060708090a0b0c0d0eff").unwrap();
        assert_eq!(written(&digest), "000102030405060708090a0b0c0d0eff");
        assert_eq!(read(""), None, "to be heard again");
        let said = [("b", Some(digest)), ("c", None), ("a", Some(digest))];
        let mut before = SaidBefore::new(said.map(|(key, said)| (key.into(), said)).into());
        assert!(before.list("b", &digest));
        assert!(!before.list("c", &digest));
        assert!(!before.list("d", &digest));
        assert!(before.has("a") && !before.has("d"));
        assert_eq!(before.missing().collect::<Vec<_>>(), ["a"]);
    }
}
