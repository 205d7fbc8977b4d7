//! Is this reply an LDAP message (RFC 4511) that answers something we asked?
//!
//! The LDAP library takes a reply's shape on trust: it recurses as deep as the bytes say and panics
//! where a part is missing. So each reply is checked first, without recursion: every constructed
//! element has its fixed place here, and nothing else passes, which also bounds the nesting. Entries, of
//! which there may be hundreds of thousands, are read at the same time and never reach the library.

use super::ber::{Elements, small_number};
use super::entry::Entry;
use std::collections::HashMap;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const CONTROLS: u8 = 0xa0;
const REFERRALS: u8 = 0xa3;
const SASL_REPLY: u8 = 0x87;
const RESPONSE_NAME: u8 = 0x8a;
const RESPONSE_VALUE: u8 = 0x8b;

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const MODIFY: u8 = 0x66;
const ADD: u8 = 0x68;
const RENAME: u8 = 0x6c;
const EXTENDED: u8 = 0x77;
const BIND_REPLY: u8 = 0x61;
const ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const REFERENCE: u8 = 0x73;
const MODIFY_REPLY: u8 = 0x67;
const ADD_REPLY: u8 = 0x69;
const RENAME_REPLY: u8 = 0x6d;
const EXTENDED_REPLY: u8 = 0x78;

/// Why a reply is not passed on; the connection ends with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadReply {
    /// Not the shape of an LDAP message.
    #[error("the server sent a reply that is no LDAP message")]
    Shape,
    /// An answer to something that was not asked, or of another kind.
    #[error("the server answered something that was not asked")]
    Unasked,
    /// An unsolicited notice of disconnection.
    #[error("the server said that it ends the connection")]
    Farewell,
}

/// The requests under way, by message id, with the tag of each, and what searches have found.
#[derive(Debug, Default)]
pub(super) struct Pending {
    asked: HashMap<i32, u8>,
    /// The entries of each search that somebody waits for.
    found: HashMap<i32, Vec<Entry>>,
}

/// Where a sound reply belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// With what its search has found; the library need not see it.
    Kept,
    /// With the library.
    Library,
}

impl Pending {
    /// Notes a request that is about to be sent.
    pub(super) fn asked(&mut self, request: &[u8]) {
        let mut message = Elements::of(request);
        let mut parts = Elements::of(message.expect(SEQUENCE).unwrap_or_default());
        let id = parts.expect(INTEGER).and_then(small_number);
        if let (Some(id), Some(operation)) = (id, parts.next())
            && matches!(operation.tag, BIND | SEARCH | MODIFY | ADD | RENAME | EXTENDED)
        {
            self.asked.insert(id, operation.tag);
            if operation.tag == SEARCH {
                self.found.insert(id, Vec::new());
            }
        }
    }

    /// How many entries a search has found so far.
    pub(super) fn count(&self, search: i32) -> usize {
        self.found.get(&search).map_or(0, Vec::len)
    }

    /// What a search has found, if such a search was asked; whatever else it finds is dropped.
    pub(super) fn take(&mut self, search: i32) -> Option<Vec<Entry>> {
        self.found.remove(&search)
    }

    /// Checks a whole reply, and keeps it if it is an entry.
    pub(super) fn check(&mut self, reply: &[u8]) -> Result<Belongs, BadReply> {
        let mut message = Elements::of(reply);
        let mut parts = Elements::of(message.expect(SEQUENCE).ok_or(BadReply::Shape)?);
        let id = parts.expect(INTEGER).and_then(small_number).ok_or(BadReply::Shape)?;
        let operation = parts.next().ok_or(BadReply::Shape)?;
        if id == 0 {
            return Err(BadReply::Farewell);
        }
        if !parts.ended() {
            controls(parts.expect(CONTROLS), &parts).ok_or(BadReply::Shape)?;
        }
        self.matches(id, operation.tag)?;
        let sound = match operation.tag {
            ENTRY => {
                let entry = Entry::read(operation.content).ok_or(BadReply::Shape)?;
                if let Some(found) = self.found.get_mut(&id) {
                    found.push(entry);
                }
                return Ok(Belongs::Kept);
            }
            REFERENCE => uris(operation.content),
            _ => result(operation.content),
        };
        sound.map(|()| Belongs::Library).ok_or(BadReply::Shape)
    }

    fn matches(&mut self, id: i32, reply: u8) -> Result<(), BadReply> {
        let asked = self.asked.get(&id).copied();
        let last = match (asked, reply) {
            (Some(SEARCH), ENTRY | REFERENCE) => false,
            (Some(SEARCH), SEARCH_DONE)
            | (Some(BIND), BIND_REPLY)
            | (Some(MODIFY), MODIFY_REPLY)
            | (Some(ADD), ADD_REPLY)
            | (Some(RENAME), RENAME_REPLY)
            | (Some(EXTENDED), EXTENDED_REPLY) => true,
            _ => return Err(BadReply::Unasked),
        };
        if last {
            self.asked.remove(&id);
        }
        Ok(())
    }
}

fn uris(content: &[u8]) -> Option<()> {
    let mut parts = Elements::of(content);
    while !parts.ended() {
        parts.expect_text(OCTETS)?;
    }
    Some(())
}

fn result(content: &[u8]) -> Option<()> {
    let mut parts = Elements::of(content);
    parts.expect(ENUMERATED).and_then(small_number)?;
    parts.expect_text(OCTETS)?;
    parts.expect_text(OCTETS)?;
    while !parts.ended() {
        let part = parts.next()?;
        match part.tag {
            REFERRALS => uris(part.content)?,
            RESPONSE_NAME => {
                std::str::from_utf8(part.content).ok()?;
            }
            SASL_REPLY | RESPONSE_VALUE => {}
            _ => return None,
        }
    }
    Some(())
}

fn controls(content: Option<&[u8]>, after: &Elements<'_>) -> Option<()> {
    after.ended().then_some(())?;
    let mut controls = Elements::of(content?);
    while !controls.ended() {
        let mut control = Elements::of(controls.expect(SEQUENCE)?);
        control.expect_text(OCTETS)?;
        let mut part = control.next();
        if let Some(critical) = part.filter(|part| part.tag == BOOLEAN) {
            (critical.content.len() == 1).then_some(())?;
            part = control.next();
        }
        part.is_none_or(|part| part.tag == OCTETS).then_some(())?;
        control.ended().then_some(())?;
    }
    Some(())
}

/// The cookie in the value of a paged-results control (RFC 2696).
pub(super) fn page_cookie(value: &[u8]) -> Option<Vec<u8>> {
    let mut outer = Elements::of(value);
    let mut parts = Elements::of(outer.expect(SEQUENCE)?);
    parts.expect(INTEGER)?;
    parts.expect(OCTETS).map(<[u8]>::to_vec)
}

/// The result code of an extended operation's whole reply.
pub(super) fn extended_result(reply: &[u8]) -> Option<i32> {
    let mut message = Elements::of(reply);
    let mut parts = Elements::of(message.expect(SEQUENCE)?);
    parts.expect(INTEGER)?;
    Elements::of(parts.expect(EXTENDED_REPLY)?).expect(ENUMERATED).and_then(small_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const DONE: &[u8] = &[0x30, 0x0c, 2, 1, 1, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0];

    fn asked(tag: u8) -> Pending {
        let mut pending = Pending::default();
        pending.asked(&[0x30, 5, 2, 1, 1, tag, 0]);
        pending
    }

    #[test]
    fn an_answer_passes_once() {
        let mut pending = asked(SEARCH);
        assert_eq!(pending.check(DONE), Ok(Belongs::Library));
        assert_eq!(pending.check(DONE), Err(BadReply::Unasked));
    }

    #[test]
    fn an_answer_of_another_kind_than_asked_is_refused() {
        assert_eq!(asked(MODIFY).check(DONE), Err(BadReply::Unasked));
    }

    #[rstest]
    #[case::entry_without_attributes(&[0x30, 7, 2, 1, 1, 0x64, 2, 4, 0])]
    #[case::name_that_is_no_text(&[0x30, 0x0a, 2, 1, 1, 0x64, 5, 4, 1, 0xff, 0x30, 0])]
    #[case::constructed_where_plain_belongs(&[0x30, 0x0c, 2, 1, 1, 0x65, 7, 0x0a, 1, 0, 0x24, 0, 4, 0])]
    #[case::control_without_a_name(&[0x30, 0x10, 2, 1, 1, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0, 0xa0, 2, 0x30, 0])]
    #[case::nothing(&[0x30, 0])]
    fn a_reply_of_another_shape_is_refused(#[case] reply: &[u8]) {
        assert_eq!(asked(SEARCH).check(reply), Err(BadReply::Shape));
    }

    #[test]
    fn a_notice_of_disconnection_ends_the_connection() {
        let notice = [0x30, 0x0c, 2, 1, 0, 0x78, 7, 0x0a, 1, 52, 4, 0, 4, 0];
        assert_eq!(Pending::default().check(&notice), Err(BadReply::Farewell));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_check_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = asked(SEARCH).check(&bytes);
            let _ = page_cookie(&bytes);
            let _ = extended_result(&bytes);
        }

        #[test]
        fn one_changed_byte_of_a_good_reply_never_panics_the_library(
            at in 0..DONE.len(), byte in any::<u8>()
        ) {
            let mut reply = DONE.to_vec();
            reply[at] = byte;
            if asked(SEARCH).check(&reply).is_ok() {
                prop_assert!(lber::parse::parse_tag(&reply).is_ok());
            }
        }
    }
}
