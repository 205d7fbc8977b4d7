//! Templates of requests (minijinja). A value is escaped by where it stands, so that none can become
//! another path, another member of a JSON object, another field of a form or another header.

use crate::http::segment;
use lapsed_core::step::Step;
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, Output};
use std::collections::BTreeMap;

/// Instructions that one template may take.
const FUEL: u64 = 50_000;
/// Longest text that a template may give, in bytes.
const LONGEST: usize = 256 * 1024;

/// Where a template's text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A path with its query: values are percent-encoded, and none may be empty or dots.
    Path,
    /// A header: values stand as they are; line breaks are refused when it is sent.
    Header,
    /// JSON: values stand between quotes that the template writes.
    Json,
    /// A form: values are percent-encoded.
    Form,
    /// XML: values stand in elements or in quoted attributes.
    Xml,
}

/// What templates may name. What is not known is not there, so that naming it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts(BTreeMap<&'static str, Value>);

impl Facts {
    pub(super) fn of<const N: usize>(facts: [(&'static str, &str); N]) -> Self {
        Self(facts.into_iter().map(|(name, value)| (name, Value::from(value))).collect())
    }

    /// The same with one more.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.insert(name, Value::from(value));
        self
    }

    /// The same with one more, or the same empty where it is not known.
    pub(super) fn with_perhaps<T: ToString>(self, name: &'static str, value: Option<T>) -> Self {
        self.with(name, &value.map(|value| value.to_string()).unwrap_or_default())
    }

    /// The same with a list, for `{% for %}` and `join`.
    pub(super) fn with_list<T: ToString>(mut self, name: &'static str, list: &[T]) -> Self {
        self.0.insert(name, list.iter().map(ToString::to_string).collect());
        self
    }

    /// The same without one: naming it is then an error.
    pub(super) fn without(mut self, name: &'static str) -> Self {
        self.0.remove(name);
        self
    }

    /// Everything that is known of a step's account.
    pub(super) fn of_step(step: &Step) -> Self {
        let mut facts = Self::of([
            ("id", step.action.account().id.as_str()),
            ("user_id", step.expect.user_id.as_str()),
            ("case", &step.case.to_string()),
            ("step", &step.id.to_string()),
        ]);
        if let Some(number) = &step.expect.employee_number {
            facts = facts.with("employee_number", number.as_str());
        }
        facts
    }

    /// The same account in a step of nobody's: what does not change with it is said of the account.
    pub(super) fn of_nobody(&self) -> Self {
        let mut facts = self.clone();
        for name in ["case", "step"] {
            facts = facts.with(name, "0");
        }
        facts
    }
}

/// Carries out a template.
pub(super) fn render(place: Place, template: &str, facts: &Facts) -> Result<String, Error> {
    let mut engine = lapsed_core::template::strict(FUEL);
    engine.set_formatter(move |out, _, value| format(place, out, value));
    let text = engine.render_str(template, &facts.0)?;
    if text.len() > LONGEST {
        return Err(bad("gives too much text"));
    }
    Ok(text)
}

/// No value is taken for safe, whatever a filter says of it.
fn format(place: Place, out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Err(Error::new(ErrorKind::UndefinedError, "a value is not known here"));
    }
    if !matches!(value.kind(), ValueKind::String | ValueKind::Number | ValueKind::Bool) {
        return Err(bad("a value is neither text nor number"));
    }
    let text = value.to_string();
    let escaped = match place {
        Place::Path => in_path(&text)?,
        Place::Header => text,
        Place::Json => in_json(&text),
        Place::Form => segment(&text),
        Place::Xml => in_xml(&text)?,
    };
    out.write_str(&escaped).map_err(|_| bad("the text can't be written"))
}

fn bad(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// `/users/` for nobody would be everybody, and `..` would be something else altogether.
fn in_path(text: &str) -> Result<String, Error> {
    if text.is_empty() || text.chars().all(|c| c == '.') {
        return Err(bad("a value in the path is empty or only dots"));
    }
    Ok(segment(text))
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::String(text.to_owned()).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

fn in_xml(text: &str) -> Result<String, Error> {
    if text.chars().any(char::is_control) {
        return Err(bad("a value has control characters"));
    }
    Ok(text.chars().fold(String::new(), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            other => safe.push(other),
        }
        safe
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn with(user_id: &str) -> Facts {
        Facts::of([("user_id", user_id)])
    }

    #[rstest]
    #[case(
        Place::Path,
        "/users/{{ user_id }}?x={{ user_id }}",
        "a/../b?c&d",
        "/users/a%2F..%2Fb%3Fc%26d?x=a%2F..%2Fb%3Fc%26d"
    )]
    #[case(Place::Path, "/{{ user_id | safe }}", "a/b", "/a%2Fb")]
    #[case(Place::Path, "{{ '/users/' ~ user_id }}", "ann", "%2Fusers%2Fann")]
    #[case(
        Place::Json,
        r#"{"u":"{{ user_id }}"}"#,
        "a\",\"admin\":\"x\\\n",
        r#"{"u":"a\",\"admin\":\"x\\\n"}"#
    )]
    #[case(Place::Form, "u={{ user_id }}&do=shut", "a&do=open", "u=a%26do%3Dopen&do=shut")]
    #[case(
        Place::Xml,
        "<u n=\"{{ user_id }}\"/>",
        "a\"/><x>&'",
        "<u n=\"a&quot;/&gt;&lt;x&gt;&amp;&apos;\"/>"
    )]
    #[case(Place::Header, "{{ user_id | upper }}", "ann", "ANN")]
    fn no_value_leaves_its_place(
        #[case] place: Place,
        #[case] template: &str,
        #[case] user_id: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(render(place, template, &with(user_id)).unwrap(), expected);
    }

    #[rstest]
    #[case(Place::Path, "/users/{{ user_id }}", "..")]
    #[case(Place::Path, "/users/{{ user_id }}", "")]
    #[case(Place::Path, "/users/{{ name }}", "ann")]
    #[case(Place::Path, "/users/{{ user_id }", "ann")]
    #[case(
        Place::Path,
        "/{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
        "ann"
    )]
    #[case(Place::Json, "{{ [user_id] }}", "ann")]
    #[case(Place::Json, "{% include 'other' %}", "ann")]
    #[case(Place::Xml, "{{ user_id }}", "a\u{7}")]
    fn what_can_not_be_written_is_an_error(
        #[case] place: Place,
        #[case] template: &str,
        #[case] user_id: &str,
    ) {
        assert!(render(place, template, &with(user_id)).is_err());
    }
}
