//! The IDs that the standard allows for one request, in the order in which they are tried (N4, N8).

use super::error::{NamePart, NamingError};
use super::letters::{Spelling, has_letter, without_suffixes};
use super::{Form, KindRule, NameRequest, NamingPolicy, ascii_alphanumeric, find_location};
use crate::facts::LocationId;
use crate::policy::Location;
use compact_str::{CompactString, format_compact};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where the number of a duplicate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    /// In place of the last characters of the name (N4).
    InsideName,
    /// Behind everything, the name cut to make room (N8).
    Behind,
}

/// All that the IDs of one request have in common. Everything in it is ASCII, and short: none of it takes
/// memory of its own, which is most of the work where a million people get a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stem {
    /// Prefix, location and function code: never cut.
    head: CompactString,
    /// The last name's part, or a resource's function: gives way to numbers and to the limit.
    name: CompactString,
    /// The first name's part: never cut.
    tail: CompactString,
    numbering: Numbering,
    max_length: usize,
    max_duplicates: u32,
}

impl Stem {
    /// Reads the request by the rules.
    pub fn new(
        policy: &NamingPolicy,
        locations: &BTreeMap<LocationId, Location>,
        request: &NameRequest,
    ) -> Result<Self, NamingError> {
        let rule = kind_rule(policy, request)?;
        let location = location_of(&rule, request, locations)?;
        let mut start = CompactString::new(&policy.prefix);
        start.push_str(location);
        start.make_ascii_lowercase();
        let (head, name, tail) = match rule.form {
            Form::Staff => staff_parts(policy, request, start)?,
            Form::NonStaff => non_staff_parts(policy, &rule, request, start)?,
            Form::Resource => resource_parts(policy, &rule, request, start)?,
        };
        let numbering =
            if rule.form == Form::Staff { Numbering::InsideName } else { Numbering::Behind };
        let max_length = usize::from(policy.max_length);
        let stem =
            Self { head, name, tail, numbering, max_length, max_duplicates: policy.max_duplicates };
        if stem.kept(0).is_some() { Ok(stem) } else { Err(NamingError::TooLong(max_length)) }
    }

    /// The ID without a number.
    pub fn plain(&self) -> CompactString {
        let name = self.name.get(..self.kept(0).unwrap_or_default()).unwrap_or_default();
        joined([&self.head, name, &self.tail])
    }

    /// The ID of the `k`-th duplicate; `None` when there is no such.
    pub fn numbered(&self, k: u32) -> Option<CompactString> {
        if k == 0 || k > self.max_duplicates {
            return None;
        }
        let number = format_compact!("{k}");
        let (before, after) = self.around(number.len())?;
        Some(joined([&before, &number, after]))
    }

    /// What stands before and after a number of so many digits: the same for many stems, and the
    /// reason why they share one count.
    pub fn around(&self, digits: usize) -> Option<(CompactString, &str)> {
        let name = self.name.get(..self.kept(digits)?)?;
        Some(match self.numbering {
            Numbering::InsideName => (joined([&self.head, name]), self.tail.as_str()),
            Numbering::Behind => (joined([&self.head, name, &self.tail]), ""),
        })
    }

    /// The numbers of so many digits that the rules allow.
    pub fn numbers(&self, digits: usize) -> Option<std::ops::RangeInclusive<u32>> {
        let exponent = u32::try_from(digits).ok()?;
        let first = 10_u32.checked_pow(exponent.checked_sub(1)?)?;
        let last = 10_u32.checked_pow(exponent).map_or(u32::MAX, |next| next - 1);
        (first <= self.max_duplicates).then(|| first..=last.min(self.max_duplicates))
    }

    /// True where the folded ID is one of this stem's.
    pub fn allows(&self, folded: &str) -> bool {
        let same_but_number = |digits: usize| {
            let (before, after) = self.around(digits)?;
            let rest = folded.strip_prefix(before.to_ascii_lowercase().as_str())?;
            let number = rest.strip_suffix(after.to_ascii_lowercase().as_str())?;
            let all_digits = number.len() == digits && number.chars().all(|c| c.is_ascii_digit());
            let k = number.parse().ok().filter(|_| all_digits)?;
            self.numbers(digits).filter(|numbers| numbers.contains(&k))
        };
        self.plain().eq_ignore_ascii_case(folded)
            || (1..=10).any(|digits| same_but_number(digits).is_some())
    }

    /// How many characters of the name stay beside a number of so many digits; `None`: no room.
    fn kept(&self, digits: usize) -> Option<usize> {
        let fixed = self.head.len() + self.tail.len() + digits;
        let room = self.max_length.checked_sub(fixed)?;
        match self.numbering {
            // The number replaces what it pushes out: the length never changes.
            Numbering::InsideName => {
                self.name.len().checked_sub(digits).filter(|&kept| kept <= room)
            }
            Numbering::Behind => Some(self.name.len().min(room)).filter(|&kept| kept > 0),
        }
    }
}

fn joined<const PARTS: usize>(parts: [&str; PARTS]) -> CompactString {
    let mut all = CompactString::default();
    for part in parts {
        all.push_str(part);
    }
    all
}

fn kind_rule<'p>(
    policy: &'p NamingPolicy,
    request: &NameRequest,
) -> Result<Cow<'p, KindRule>, NamingError> {
    let kind = request.kind.as_ref().or(policy.default_kind.as_ref()).ok_or(NamingError::NoKind)?;
    if let Some(rule) = policy.kinds.get(kind) {
        return Ok(Cow::Borrowed(rule));
    }
    let folded = kind.folded();
    if let Some((_, rule)) = policy.kinds.iter().find(|(known, _)| known.folded() == folded) {
        return Ok(Cow::Borrowed(rule));
    }
    if let Some(code) = policy.functions.keys().find(|code| code.to_lowercase() == folded) {
        let function = Some(code.clone());
        let form = Form::NonStaff;
        return Ok(Cow::Owned(KindRule { form, location: None, function, renamed: false }));
    }
    let known = listed(policy.kinds.keys().map(crate::facts::PersonKind::as_str));
    Err(NamingError::UnknownKind { kind: kind.to_string(), known })
}

fn location_of<'l>(
    rule: &KindRule,
    request: &NameRequest,
    locations: &'l BTreeMap<LocationId, Location>,
) -> Result<&'l str, NamingError> {
    let asked = rule.location.as_ref().or(request.location.as_ref());
    let asked = asked.ok_or(NamingError::NoLocation)?;
    let (id, _) = find_location(locations, asked)
        .ok_or_else(|| NamingError::UnknownLocation(asked.to_string()))?;
    if !ascii_alphanumeric(id.as_str()) {
        return Err(NamingError::UnusableLocation(id.to_string()));
    }
    Ok(id.as_str())
}

type Parts = (CompactString, CompactString, CompactString);

fn staff_parts(
    policy: &NamingPolicy,
    request: &NameRequest,
    head: CompactString,
) -> Result<Parts, NamingError> {
    let mut last = cut(last_letters(policy, request)?, usize::from(policy.last_name_letters));
    last.make_ascii_lowercase();
    let mut first = first_letters(policy, request)?;
    first.make_ascii_lowercase();
    Ok((head, last, first))
}

fn non_staff_parts(
    policy: &NamingPolicy,
    rule: &KindRule,
    request: &NameRequest,
    start: CompactString,
) -> Result<Parts, NamingError> {
    let asked = function_of(rule, request).ok_or(NamingError::NoFunction)?;
    let code = policy.functions.keys().find(|code| code.eq_ignore_ascii_case(asked));
    let code = code.ok_or_else(|| NamingError::UnknownFunction {
        code: asked.chars().take(20).collect(),
        known: listed(policy.functions.keys().map(String::as_str)),
    })?;
    let (last, first) = (last_letters(policy, request)?, first_letters(policy, request)?);
    Ok((joined([&start, code]), last, first))
}

fn resource_parts(
    policy: &NamingPolicy,
    rule: &KindRule,
    request: &NameRequest,
    head: CompactString,
) -> Result<Parts, NamingError> {
    let name = Some(request.name.last.trim()).filter(|name| !name.is_empty());
    let function = function_of(rule, request).or(name).ok_or(NamingError::NoFunction)?;
    let spelling = Spelling { own: &policy.transliterate, part: NamePart::Function, digits: true };
    let mut name = spelling.letters(function)?;
    name.make_ascii_lowercase();
    Ok((head, name, CompactString::default()))
}

fn function_of<'a>(rule: &'a KindRule, request: &'a NameRequest) -> Option<&'a str> {
    let function = rule.function.as_deref().or(request.function.as_deref());
    function.map(str::trim).filter(|function| !function.is_empty())
}

fn last_letters(
    policy: &NamingPolicy,
    request: &NameRequest,
) -> Result<CompactString, NamingError> {
    let own = &policy.transliterate;
    let last = without_suffixes(&request.name.last, &policy.drop_suffixes);
    Spelling { own, part: NamePart::LastName, digits: false }.letters(&last)
}

fn first_letters(
    policy: &NamingPolicy,
    request: &NameRequest,
) -> Result<CompactString, NamingError> {
    let own = &policy.transliterate;
    let count = usize::from(policy.first_name_letters);
    if count == 0 {
        return Ok(CompactString::default());
    }
    // Feeds fill an empty preferred name with blanks or a dash.
    let preferred = request.name.preferred.as_deref().filter(|name| has_letter(name));
    let name = preferred.unwrap_or(&request.name.first);
    let letters = Spelling { own, part: NamePart::FirstName, digits: false }.letters(name)?;
    Ok(cut(letters, count))
}

/// The first characters of an ASCII text.
fn cut(mut text: CompactString, length: usize) -> CompactString {
    text.truncate(length);
    text
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
