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

    /// An attribute of the core, whose name needs no check.
    pub(super) fn named(name: &'static str) -> Self {
        Self { extension: None, names: vec![name.to_owned()] }
    }

    /// What is within it: `roles` becomes `roles.value`.
    pub(super) fn within(&self, name: &str) -> Self {
        let names = self.names.iter().map(String::as_str).chain([name]).map(str::to_owned);
        Self { extension: self.extension.clone(), names: names.collect() }
    }

    /// The extension that it belongs to.
    pub(super) fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }

    /// True where nothing is within it: `roles`, and not `roles.value`.
    pub(super) fn is_whole(&self) -> bool {
        self.names.len() == 1
    }

    /// Sets it in an account; null takes it out.
    pub(super) fn set(&self, account: &mut Value, value: Value) {
        let path: Vec<&str> =
            self.extension.iter().chain(&self.names).map(String::as_str).collect();
        put(account, &path, value);
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

fn put(within: &mut Value, path: &[&str], value: Value) {
    if !within.is_object() {
        *within = Value::Object(serde_json::Map::new());
    }
    let (Some(members), [name, rest @ ..]) = (within.as_object_mut(), path) else { return };
    let known = members.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
    let key = known.unwrap_or_else(|| (*name).to_owned());
    match (rest.is_empty(), value.is_null()) {
        (true, true) => drop(members.remove(&key)),
        (true, false) => drop(members.insert(key, value)),
        (false, _) => put(members.entry(key).or_insert(Value::Null), rest, value),
    }
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

    #[rstest]
    #[case("active", json!(true), json!({ "ACTIVE": true, "name": { "familyName": "Smith" } }))]
    #[case("ACTIVE", json!(null), json!({ "name": { "familyName": "Smith" } }))]
    #[case("name.givenName", json!("Joan"), json!({
        "ACTIVE": false, "name": { "familyName": "Smith", "givenName": "Joan" },
    }))]
    #[case("urn:x:User:roles", json!(["a"]), json!({
        "ACTIVE": false, "name": { "familyName": "Smith" }, "urn:x:User": { "roles": ["a"] },
    }))]
    fn a_value_is_set_where_it_stands_whatever_its_case(
        #[case] name: &str,
        #[case] value: Value,
        #[case] expected: Value,
    ) {
        let mut account = json!({ "ACTIVE": false, "name": { "familyName": "Smith" } });
        Attribute::parse(name).unwrap().set(&mut account, value);
        assert_eq!(account, expected);
    }

    #[test]
    fn no_value_can_become_syntax_of_a_filter() {
        let filter = Attribute::parse("userName").unwrap().equals("x\" or active eq \"true\\");
        assert_eq!(filter, r#"userName eq "x\" or active eq \"true\\""#);
    }
}
