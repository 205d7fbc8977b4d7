//! Mail addresses, checked once.

use lapsed_core::shown::shown;
use lettre::message::Mailbox;
use std::fmt;

/// A mail address that can be sent to: `accounts@example.org` or `Accounts <accounts@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress(Mailbox);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not of the form of one.
    #[error("{0:?} is no mail address; write `name@example.org` or `Name <name@example.org>`")]
    Form(String),
    /// Letters that not every server takes.
    #[error(
        "{0:?} has letters in its address that not every mail server takes; write a domain in its ASCII form (xn--…)"
    )]
    NotAscii(String),
    /// Line ends and their kin, by which a header could be added.
    #[error("{0:?} has a control character in it; write the address on one line")]
    Control(String),
}

impl MailAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// When it is none, or one that could not be sent to everywhere.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if text.chars().any(char::is_control) {
            return Err(BadAddress::Control(shown(text)));
        }
        let mailbox: Mailbox = text.trim().parse().map_err(|_| BadAddress::Form(shown(text)))?;
        if !mailbox.email.to_string().is_ascii() {
            return Err(BadAddress::NotAscii(shown(text)));
        }
        Ok(Self(mailbox))
    }

    /// The address alone: `accounts@example.org`.
    #[must_use]
    pub fn bare(&self) -> String {
        self.0.email.to_string()
    }

    pub(super) fn domain(&self) -> &str {
        self.0.email.domain()
    }

    pub(super) fn mailbox(&self) -> Mailbox {
        self.0.clone()
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("accounts@dmh.test", "accounts@dmh.test")]
    #[case(" Accounts <accounts@dmh.test> ", "accounts@dmh.test")]
    #[case("\"Doe, Jane\" <jane.doe@dmh.test>", "jane.doe@dmh.test")]
    #[case("Zoë <zoe@dmh.test>", "zoe@dmh.test")]
    fn an_address_is_read_with_or_without_a_name(#[case] text: &str, #[case] bare: &str) {
        assert_eq!(MailAddress::parse(text).unwrap().bare(), bare);
    }

    #[rstest]
    #[case("")]
    #[case("accounts")]
    #[case("accounts@")]
    #[case("a@dmh.test, b@dmh.test")]
    #[case("a b@dmh.test")]
    #[case("zoë@dmh.test")]
    #[case("a@dmh.test\r\nBcc: everyone@dmh.test")]
    #[case("A\nBcc: everyone@dmh.test <a@dmh.test>")]
    #[case("<a@dmh.test> SIZE=1")]
    fn what_is_no_address_is_refused(#[case] text: &str) {
        assert!(MailAddress::parse(text).is_err());
    }
}
