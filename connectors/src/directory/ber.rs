//! Just enough of BER to look at LDAP messages without building anything from them.
//!
//! RFC 4511 section 5.1 allows definite lengths only, and LDAP uses no tag number above 30.

/// Why bytes are no BER that LDAP may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BerProblem {
    /// A tag number above 30.
    #[error("a tag that LDAP does not have")]
    Tag,
    /// An indefinite length, or one of more than four bytes.
    #[error("a length that LDAP does not allow")]
    Length,
}

/// The length of the element that begins at `input`, header included; `None` while too few bytes
/// are there to tell.
pub(super) fn whole_length(input: &[u8]) -> Result<Option<usize>, BerProblem> {
    Ok(header(input)?.map(|(header, content)| header + content))
}

fn header(input: &[u8]) -> Result<Option<(usize, usize)>, BerProblem> {
    let [tag, length, rest @ ..] = input else {
        return Ok(None);
    };
    if tag & 0x1f == 0x1f {
        return Err(BerProblem::Tag);
    }
    if *length < 0x80 {
        return Ok(Some((2, usize::from(*length))));
    }
    let width = usize::from(length & 0x7f);
    if width == 0 || width > 4 {
        return Err(BerProblem::Length);
    }
    let Some(bytes) = rest.get(..width) else {
        return Ok(None);
    };
    let content = bytes.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    Ok(Some((2 + width, content)))
}

/// One element: its first byte and what it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

/// Walks over the elements that stand one after another in some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// True when no byte is left.
    pub(super) fn ended(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next element, `None` at the end and where the bytes are no element.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (header, content) = header(self.rest).ok()??;
        let end = header.checked_add(content)?;
        let element = Element { tag: *self.rest.first()?, content: self.rest.get(header..end)? };
        self.rest = self.rest.get(end..)?;
        Some(element)
    }

    /// The content of the next element if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.content)
    }

    /// The content of the next element if it has this tag and is UTF-8.
    pub(super) fn expect_text(&mut self, tag: u8) -> Option<&'a str> {
        self.expect(tag).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

/// A non-negative integer of at most four bytes.
pub(super) fn small_number(content: &[u8]) -> Option<i32> {
    let content = match content {
        [0, rest @ ..] if !rest.is_empty() => rest,
        other => other,
    };
    if content.is_empty() || content.len() > 4 {
        return None;
    }
    let value = content.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    i32::try_from(value).ok()
}
