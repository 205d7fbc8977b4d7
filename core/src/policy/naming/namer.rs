//! The smallest free ID, for one request or for millions (N4, N5).

use super::error::NamingError;
use super::letters::fold;
use super::stem::Stem;
use super::{NameRequest, NamingPolicy};
use crate::facts::{LocationId, UserId};
use crate::policy::Location;
use compact_str::CompactString;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

/// A log-on name as directories compare it: without case and without diacritics.
#[must_use]
pub fn fold_id(id: &str) -> String {
    fold(id)
}

fn is_folded(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// IDs that are taken, whatever their case and diacritics (N5).
#[derive(Debug, Clone, Default)]
pub struct TakenIds(HashSet<CompactString, foldhash::fast::RandomState>);

impl TakenIds {
    /// Takes the ID; false if it was taken already.
    pub fn insert(&mut self, id: &str) -> bool {
        let id = id.trim();
        self.0.insert(if is_folded(id) { id.into() } else { fold(id).into() })
    }
    /// True if the ID is taken.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        let id = id.trim();
        // Asked for a million times by whoever names a million people, nearly always folded already.
        if is_folded(id) { self.0.contains(id) } else { self.0.contains(fold(id).as_str()) }
    }
    /// How many are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// True if none is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: AsRef<str>> Extend<S> for TakenIds {
    fn extend<I: IntoIterator<Item = S>>(&mut self, ids: I) {
        for id in ids {
            self.insert(id.as_ref());
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for TakenIds {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        let mut taken = Self::default();
        taken.extend(ids);
        taken
    }
}

/// The first ID of the standard that is free; nothing is remembered.
///
/// `taken` is asked with IDs folded by [`fold_id`], and must know all that N5 names but the reserved
/// list, which the policy brings.
///
/// # Errors
/// When the request can't be read, or when no ID is left: then one must be chosen by hand.
pub fn propose(
    policy: &NamingPolicy,
    locations: &BTreeMap<LocationId, Location>,
    request: &NameRequest,
    taken: &dyn Fn(&str) -> bool,
) -> Result<UserId, NamingError> {
    Namer::new(policy, locations).propose(request, taken)
}

/// The IDs that the standard allows for a request, in the order in which they are to be tried, the
/// reserved ones left out.
///
/// # Errors
/// When the request can't be read.
pub fn candidates(
    policy: &NamingPolicy,
    locations: &BTreeMap<LocationId, Location>,
    request: &NameRequest,
) -> Result<Candidates, NamingError> {
    let stem = Stem::new(policy, locations, request)?;
    Ok(Candidates { stem, reserved: policy.reserved.iter().collect(), next: Some(0) })
}

/// True where the ID is one that the standard allows for the request, whatever its number: such an ID
/// is kept when a change of name changes none of its letters (N7), and follows the standard.
///
/// # Errors
/// When the request can't be read.
pub fn fits(
    policy: &NamingPolicy,
    locations: &BTreeMap<LocationId, Location>,
    request: &NameRequest,
    id: &UserId,
) -> Result<bool, NamingError> {
    Ok(Stem::new(policy, locations, request)?.allows(&fold(id.as_str())))
}

/// Iterator of [`candidates`].
#[derive(Debug, Clone)]
pub struct Candidates {
    stem: Stem,
    reserved: TakenIds,
    next: Option<u32>,
}

impl Candidates {
    /// The error for a caller that found all of them taken.
    #[must_use]
    pub fn all_taken(&self) -> NamingError {
        NamingError::AllTaken { plain: self.stem.plain().into() }
    }
}

impl Iterator for Candidates {
    type Item = UserId;

    fn next(&mut self) -> Option<UserId> {
        loop {
            let k = self.next?;
            let id = if k == 0 { Some(self.stem.plain()) } else { self.stem.numbered(k) };
            self.next = id.as_ref().and_then(|_| k.checked_add(1));
            let id = id?;
            if !self.reserved.contains(&id) {
                return UserId::new(id.as_str()).ok();
            }
        }
    }
}

/// Gives IDs to many requests one after another; one given counts as taken from then on.
///
/// Remembers how far each count has come, on the ground that an ID once taken is never free again
/// (N5): the number given is always the smallest free one, and none is looked at twice.
#[derive(Debug)]
pub struct Namer<'p> {
    policy: &'p NamingPolicy,
    locations: &'p BTreeMap<LocationId, Location>,
    reserved: TakenIds,
    given: TakenIds,
    /// The next number to look at, by what stands before and after it and its count of digits.
    counts: HashMap<(CompactString, CompactString, usize), u32, foldhash::fast::RandomState>,
}

impl<'p> Namer<'p> {
    /// A namer that has given nothing yet.
    #[must_use]
    pub fn new(policy: &'p NamingPolicy, locations: &'p BTreeMap<LocationId, Location>) -> Self {
        let reserved = policy.reserved.iter().collect();
        let (given, counts) = (TakenIds::default(), HashMap::default());
        Self { policy, locations, reserved, given, counts }
    }

    /// The first ID of the standard that is free, which is then taken. `taken` as in [`propose`];
    /// what it once called taken it must never call free again.
    ///
    /// # Errors
    /// When the request can't be read, or when no ID is left: then one must be chosen by hand.
    pub fn propose(
        &mut self,
        request: &NameRequest,
        taken: &dyn Fn(&str) -> bool,
    ) -> Result<UserId, NamingError> {
        let stem = Stem::new(self.policy, self.locations, request)?;
        let plain = stem.plain();
        let free = if self.is_free(&plain, taken) { Some(plain) } else { None };
        let id = free.or_else(|| self.smallest_duplicate(&stem, taken));
        let id = id.ok_or_else(|| NamingError::AllTaken { plain: stem.plain().into() })?;
        self.given.insert(&id);
        Ok(UserId::new(id.as_str())?)
    }

    fn is_free(&self, id: &str, taken: &dyn Fn(&str) -> bool) -> bool {
        let folded;
        let id = if is_folded(id) {
            id
        } else {
            folded = fold(id);
            &folded
        };
        !self.reserved.contains(id) && !self.given.contains(id) && !taken(id)
    }

    fn smallest_duplicate(
        &mut self,
        stem: &Stem,
        taken: &dyn Fn(&str) -> bool,
    ) -> Option<CompactString> {
        // Fewer digits first: together with the count within them, that is the order of the numbers.
        let mut digits = 1;
        while let (Some(numbers), Some((before, after))) =
            (stem.numbers(digits), stem.around(digits))
        {
            let key = (
                before.to_ascii_lowercase(),
                CompactString::from(after).to_ascii_lowercase(),
                digits,
            );
            let start = self.counts.get(&key).copied().unwrap_or(*numbers.start());
            let mut id = before.clone();
            let found = (start..=*numbers.end()).find(|k| {
                id.truncate(before.len());
                let _ = write!(id, "{k}");
                id.push_str(after);
                self.is_free(&id, taken)
            });
            let next = found.unwrap_or(*numbers.end()).saturating_add(1);
            self.counts.insert(key, next);
            if found.is_some() {
                return Some(id);
            }
            digits += 1;
        }
        None
    }
}
