//! Exchange's own attributes of an account in Active Directory: the mailbox is hidden, and closed to
//! mail, without losing its addresses (D7).
//!
//! Addresses are never touched: `Disable-Mailbox` takes them away at once, and belongs to the deletion.

use super::dialect::Edit;
use super::dn::Dn;
use super::entry::Entry;
use super::settings::{DirectoryKind, SettingsProblem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hides from every address list (`HiddenFromAddressListsEnabled`).
const HIDDEN: &str = "msExchHideFromAddressLists";
const TRUE: &str = "TRUE";
/// What the later strip takes away, and what is needed to put a mailbox back on its account.
const SNAPSHOT: [&str; 2] = ["proxyAddresses", "legacyExchangeDN"];

/// How a mailbox of Exchange is disabled by attributes of its account: it is hidden from all address
/// lists. Addresses are never touched; what strips them is the deletion (`departure.mailbox.delete_by`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeSettings {
    /// Attributes to set as well, so that mail no longer comes in.
    pub also_set: Vec<ExchangeRestriction>,
}

/// An attribute that keeps mail out of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRestriction {
    /// Name.
    pub attribute: ExchangeAttribute,
    /// Its only value afterwards: `TRUE`, or a distinguished name.
    pub value: String,
}

/// What may be set without taking addresses away: restrictions of who may send to the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExchangeAttribute {
    /// Only from those who have logged on to Exchange (`RequireSenderAuthenticationEnabled`): `TRUE`.
    #[serde(rename = "msExchRequireAuthToSendTo")]
    RequireAuthentication,
    /// Only from this recipient (`AcceptMessagesOnlyFrom`): a distinguished name.
    #[serde(rename = "authOrig")]
    OnlyFrom,
    /// Only from members of this distribution group (`AcceptMessagesOnlyFromDLMembers`): a
    /// distinguished name.
    #[serde(rename = "dLMemSubmitPerms")]
    OnlyFromMembers,
}

impl ExchangeAttribute {
    /// As LDAP names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RequireAuthentication => "msExchRequireAuthToSendTo",
            Self::OnlyFrom => "authOrig",
            Self::OnlyFromMembers => "dLMemSubmitPerms",
        }
    }
}

impl ExchangeSettings {
    /// Everything that is wrong.
    pub(super) fn problems(&self, kind: DirectoryKind) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        if kind != DirectoryKind::ActiveDirectory {
            found.push(SettingsProblem::new("exchange", "is Active Directory's; remove it here"));
        }
        let mut wrong = |text: String| {
            found.push(SettingsProblem::new("exchange.also_set", text));
        };
        for (index, also) in self.also_set.iter().enumerate() {
            let name = also.attribute.name();
            if let Some(wanted) = also.advice() {
                wrong(format!("{:?} is no value of {name}; write {wanted}", also.value));
            }
            let mut earlier = self.also_set[..index].iter();
            if earlier.any(|other| other.attribute == also.attribute) {
                wrong(format!("names {name} twice; it can have one value only"));
            }
        }
        found
    }
}

impl ExchangeRestriction {
    /// What its value should be instead.
    fn advice(&self) -> Option<&'static str> {
        match self.attribute {
            ExchangeAttribute::RequireAuthentication if self.value == "TRUE" => None,
            ExchangeAttribute::RequireAuthentication => Some("TRUE"),
            _ => match Dn::parse(&self.value) {
                Ok(dn) if !dn.is_root() => None,
                _ => Some("a distinguished name such as cn=Postmaster,ou=Services,dc=dmh,dc=test"),
            },
        }
    }
}

/// What is set on an account whose mailbox is disabled.
#[derive(Debug)]
pub(super) struct Exchange {
    wanted: Vec<(&'static str, String)>,
}

impl Exchange {
    pub(super) fn new(settings: &ExchangeSettings) -> Self {
        let mut wanted = vec![(HIDDEN, TRUE.to_owned())];
        let also = settings.also_set.iter();
        wanted.extend(also.map(|also| (also.attribute.name(), also.value.clone())));
        Self { wanted }
    }

    /// Attributes that are changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = &'static str> {
        self.wanted.iter().map(|(attribute, _)| *attribute)
    }

    /// Attributes that are read.
    pub(super) fn read(&self) -> impl Iterator<Item = &'static str> {
        self.changed().chain(SNAPSHOT)
    }

    /// What disables the mailbox; `None` when it is so.
    pub(super) fn disable(&self, entry: &Entry) -> Option<Edit> {
        let mut edit = Edit::default();
        for (attribute, value) in &self.wanted {
            let is_so = matches!(entry.all(attribute).as_slice(), [own] if same(own, value));
            if !is_so {
                edit.set(entry, attribute, value);
            }
        }
        if edit.changes.is_empty() {
            return None;
        }
        for attribute in SNAPSHOT {
            edit.before.insert(attribute.to_owned(), entry.all(attribute));
        }
        Some(edit)
    }
}

/// Names and truth values are the same in any case.
fn same(own: &str, wanted: &str) -> bool {
    own.to_lowercase() == wanted.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::session::Change;
    use super::*;
    use rstest::rstest;

    fn exchange() -> Exchange {
        let attribute = ExchangeAttribute::RequireAuthentication;
        let value = TRUE.to_owned();
        Exchange::new(&ExchangeSettings {
            also_set: vec![ExchangeRestriction { attribute, value }],
        })
    }

    #[rstest]
    #[case::nothing_is_set(&[], true)]
    #[case::shown(&[(HIDDEN, "FALSE"), ("msExchRequireAuthToSendTo", "TRUE")], true)]
    #[case::open_to_all(&[(HIDDEN, "TRUE"), ("msExchRequireAuthToSendTo", "FALSE")], true)]
    #[case::all_is_so(&[(HIDDEN, "TRUE"), ("msExchRequireAuthToSendTo", "true")], false)]
    fn what_is_not_so_yet_is_set(#[case] values: &[(&str, &str)], #[case] edits: bool) {
        let edit = exchange().disable(&Entry::for_test("cn=a", values));
        assert_eq!(edit.is_some(), edits, "{edit:?}");
    }

    #[test]
    fn addresses_are_kept_and_remembered() {
        let entry = Entry::for_test(
            "cn=a",
            &[
                (HIDDEN, "FALSE"),
                ("proxyAddresses", "SMTP:a@dmh.test"),
                ("proxyAddresses", "smtp:b@dmh.test"),
                ("legacyExchangeDN", "/o=dmh/cn=a"),
            ],
        );
        let edit = exchange().disable(&entry).unwrap();
        assert_eq!(edit.before["proxyAddresses"], ["SMTP:a@dmh.test", "smtp:b@dmh.test"]);
        assert_eq!(edit.before["legacyExchangeDN"], ["/o=dmh/cn=a"]);
        assert_eq!(edit.before[HIDDEN], ["FALSE"]);
        let wanted = [
            Change::delete(HIDDEN, "FALSE"),
            Change::add(HIDDEN, TRUE),
            Change::add("msExchRequireAuthToSendTo", TRUE),
        ];
        assert_eq!(edit.changes, wanted, "and nothing else");
    }
}
