//! Attributes of an account by their names (RFC 7644 3.10), and filters over them.

use serde_json::Value;

/// What is wrong with an attribute's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no attribute; write it as userName, emails.value or urn:…:User:employeeNumber")]
pub(super) struct NoAttribute(String);

/// An attribute, perhaps of an extension, perhaps within another: `emails.value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    extension: Option<String>,
    names: Vec<String>,
}

impl Attribute {
    pub(super) fn parse(text: &str) -> Result<Self, NoAttribute> {
        let bad = || NoAttribute(text.to_owned());
        let (extension, path) = match text.rsplit_once(':') {
            Some((urn, path)) if is_urn(urn) => (Some(urn.to_owned()), path),
            Some(_) => return Err(bad()),
            None => (None, text),
        };
        let names: Vec<String> = path.split('.').map(str::to_owned).collect();
        let is_name = |name: &String| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "$-_".contains(c))
        };
        if names.len() > 2 || !names.iter().all(is_name) {
            return Err(bad());
        }
        Ok(Self { extension, names })
    }

    /// All its values in an account, as text. Names are compared without case (RFC 7643 2.1).
    pub(super) fn values(&self, account: &Value) -> Vec<String> {
        let within = match &self.extension {
            Some(urn) => get(account, urn),
            None => Some(account),
        };
        let mut found: Vec<&Value> = within.into_iter().collect();
        for name in &self.names {
            found = found.into_iter().flat_map(|value| members(get(value, name))).collect();
        }
        found.into_iter().filter_map(text).collect()
    }

    /// A filter for exactly one value: a JSON string, in which nothing can end it early.
    pub(super) fn equals(&self, value: &str) -> String {
        format!("{self} eq {}", Value::String(value.to_owned()))
    }
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.names.join(".");
        match &self.extension {
            Some(urn) => write!(f, "{urn}:{names}"),
            None => f.write_str(&names),
        }
    }
}

fn is_urn(text: &str) -> bool {
    text.starts_with("urn:")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ":.-_".contains(c))
}

/// A member of an object by its name without case.
pub(super) fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    let mut fits = members.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    fits.next().map(|(_, value)| value)
}

fn members(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one],
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[rstest]
    #[case("userName", &["mzsmitj"])]
    #[case("USERNAME", &["mzsmitj"])]
    #[case("emails.value", &["a@dmh.test", "b@dmh.test"])]
    #[case("name.familyName", &["Smith"])]
    #[case("number", &["123"])]
    #[case("missing", &[])]
    #[case("userName.value", &[])]
    #[case("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", &["00123"])]
    fn values_are_found_by_name(#[case] name: &str, #[case] expected: &[&str]) {
        let account = json!({
            "userName": "mzsmitj",
            "number": 123,
            "name": { "familyName": "Smith" },
            "emails": [{ "value": "a@dmh.test" }, { "value": "b@dmh.test" }],
            ENTERPRISE: { "employeeNumber": "00123" },
        });
        assert_eq!(Attribute::parse(name).unwrap().values(&account), expected);
    }

    #[rstest]
    #[case("")]
    #[case("user name")]
    #[case("userName eq \"x\" or userName")]
    #[case("a.b.c")]
    #[case("http://x:userName")]
    fn what_is_no_attribute_is_refused(#[case] name: &str) {
        assert!(Attribute::parse(name).is_err());
    }

    #[test]
    fn no_value_can_become_syntax_of_a_filter() {
        let filter = Attribute::parse("userName").unwrap().equals("x\" or active eq \"true\\");
        assert_eq!(filter, r#"userName eq "x\" or active eq \"true\\""#);
    }
}
