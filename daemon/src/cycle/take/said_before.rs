//! What a feed said last, for as many people as it lists: kept as small as it can be.

/// A statement of the last drop.
#[derive(Debug)]
pub(super) struct Said {
    key: Box<str>,
    /// None where it was to be heard again, whatever it says.
    digest: Option<[u8; 16]>,
    /// This drop makes it again.
    listed: bool,
}

impl Said {
    /// Of key and digest as they are stored.
    pub(super) fn new(key: String, digest: &str) -> Self {
        Self { key: key.into_boxed_str(), digest: read(digest), listed: false }
    }
}

/// Half of a SHA-256 in hexadecimal; none for any other text.
fn read(hex: &str) -> Option<[u8; 16]> {
    (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok())?.map(u128::to_be_bytes)
}

/// The statements of the last drop, in the order of their keys.
#[derive(Debug)]
pub(super) struct SaidBefore(Vec<Said>);

impl SaidBefore {
    pub(super) fn new(mut all: Vec<Said>) -> Self {
        all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        all.dedup_by(|one, other| one.key == other.key);
        Self(all)
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.0.binary_search_by(|said| said.key.as_ref().cmp(key)).ok()
    }

    /// True where there was a statement under this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Notes that this drop lists the key; true where it says the same as before.
    pub(super) fn list(&mut self, key: &str, digest: &str) -> bool {
        let Some(said) = self.place(key).and_then(|place| self.0.get_mut(place)) else {
            return false;
        };
        said.listed = true;
        said.digest.is_some() && said.digest == read(digest)
    }

    /// The keys that this drop does not list.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|said| !said.listed).map(|said| said.key.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_found_again_and_what_is_not_listed_is_missing() {
        let digest = "000102030405060708090a0b0c0d0eff";
        let said = [("b", digest), ("c", ""), ("a", digest)];
        let said = said.map(|(key, digest)| Said::new(key.to_owned(), digest));
        let mut before = SaidBefore::new(said.into());
        assert!(before.list("b", digest));
        assert!(!before.list("c", digest), "to be heard again");
        assert!(!before.list("d", digest));
        assert!(before.has("a") && !before.has("d"));
        assert_eq!(before.missing().collect::<Vec<_>>(), ["a"]);
        assert!(!before.list("a", "000102030405060708090a0b0c0d0efe"), "it says something else");
        assert!(!before.list("c", ""), "no digest is like no digest");
    }
}
