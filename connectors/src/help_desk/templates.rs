//! Templates put in, expressions taken out. Whatever is put in is escaped for where it goes, so that no
//! value becomes a path, a parameter or a piece of JSON.

use crate::http::segment;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};
use serde::Serialize;

/// Instructions that one template may take: thousands of times what a ticket needs.
const FUEL: u64 = 50_000;

/// Where the text of a template goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// A path, or the address of a page: values are percent-encoded.
    Path,
    /// JSON: values are written as JSON, quotes included.
    Json,
    /// Text as it is.
    Text,
}

fn engine(into: Into) -> Environment<'static> {
    let mut engine = lapsed_core::template::strict(FUEL);
    engine.set_auto_escape_callback(move |_| match into {
        Into::Json => AutoEscape::Json,
        Into::Path | Into::Text => AutoEscape::None,
    });
    if into == Into::Path {
        engine.set_formatter(|out, _, value| {
            out.write_str(&segment(&value.to_string())).map_err(Error::from)
        });
    }
    engine
}

/// Carries a template out.
///
/// # Errors
/// When it is no template, names what is not there, or never ends.
pub(crate) fn render(into: Into, template: &str, values: &impl Serialize) -> Result<String, Error> {
    engine(into).render_str(template, Value::from(Serde(values)))
}

/// Works an expression out; nothing where what it names is not there.
pub(crate) fn evaluate(
    expression: &str,
    values: &impl Serialize,
) -> Result<Option<serde_json::Value>, Error> {
    let mut engine = engine(Into::Text);
    // A reply may lack anything.
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    let value: Value = engine.compile_expression(expression)?.eval(Value::from(Serde(values)))?;
    if value.is_undefined() || value.is_none() {
        return Ok(None);
    }
    let json = serde_json::to_value(&value);
    Ok(json.ok())
}

/// A text or a number, as text; anything else is none.
pub(crate) fn as_text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(Into::Path, "/ticket/{{ v }}", "../1?x=1&y#z", "/ticket/..%2F1%3Fx%3D1%26y%23z")]
    #[case(Into::Json, r#"{"a": {{ v }}}"#, "\"}, {\"b\": \"", r#"{"a": "\"}, {\"b\": \""}"#)]
    #[case(Into::Text, "say {{ v }}", "{{ 7 * 6 }}", "say {{ 7 * 6 }}")]
    fn no_value_becomes_syntax(
        #[case] into: Into,
        #[case] template: &str,
        #[case] value: &str,
        #[case] text: &str,
    ) {
        assert_eq!(render(into, template, &json!({ "v": value })).unwrap(), text);
    }

    #[rstest]
    #[case("reply.items", json!({"reply": {"items": [1]}}), Some(json!([1])))]
    #[case("reply.items", json!({"reply": {}}), None)]
    #[case("reply.a.b.c", json!({"reply": "text"}), None)]
    #[case("reply[0].id", json!({"reply": [{"id": 7}]}), Some(json!(7)))]
    fn what_a_reply_lacks_is_nothing(
        #[case] expression: &str,
        #[case] values: serde_json::Value,
        #[case] found: Option<serde_json::Value>,
    ) {
        assert_eq!(evaluate(expression, &values).unwrap(), found);
    }

    #[test]
    fn a_name_that_is_not_there_is_no_empty_text() {
        assert!(render(Into::Text, "{{ nobody }}", &json!({})).is_err());
        assert!(
            render(Into::Text, "{% for a in range(100000000) %}x{% endfor %}", &json!({})).is_err()
        );
    }
}
