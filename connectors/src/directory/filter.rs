//! Search filters (RFC 4515), built so that no value can become syntax.

use std::fmt::Write as _;

/// `(attribute=value)` with every byte of the value escaped that is not plain.
pub(super) fn equals(attribute: &str, value: &str) -> String {
    equals_bytes(attribute, value.as_bytes())
}

/// The same for a binary value.
pub(super) fn equals_bytes(attribute: &str, value: &[u8]) -> String {
    let mut filter = format!("({attribute}=");
    for &byte in value {
        if byte.is_ascii_alphanumeric() || b" -_.,:@/+=".contains(&byte) {
            filter.push(char::from(byte));
        } else {
            let _ = write!(filter, "\\{byte:02x}");
        }
    }
    filter.push(')');
    filter
}

/// `(attribute=*)`.
pub(super) fn present(attribute: &str) -> String {
    format!("({attribute}=*)")
}

/// All of the filters.
pub(super) fn all(filters: &[String]) -> String {
    joined('&', filters)
}

/// Any of the filters.
pub(super) fn any(filters: &[String]) -> String {
    joined('|', filters)
}

/// None of the filters.
pub(super) fn none(filters: &[String]) -> String {
    format!("(!{})", any(filters))
}

fn joined(operator: char, filters: &[String]) -> String {
    match filters {
        [one] => one.clone(),
        many => format!("({operator}{})", many.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn filter_syntax_in_a_value_stays_a_value() {
        assert_eq!(equals("uid", "*)(uid=*"), r"(uid=\2a\29\28uid=\2a)");
        assert_eq!(equals("cn", "a\\\0"), r"(cn=a\5c\00)");
    }

    proptest! {
        #[test]
        fn any_value_makes_one_simple_filter(value in "\\PC{0,40}") {
            let filter = equals("uid", &value);
            prop_assert!(ldap3::parse_filter(&filter).is_ok());
            prop_assert_eq!(filter.matches('(').count(), 1);
            prop_assert!(!filter.contains('*'));
        }
    }
}
