//! What stands in the YAML as a single value, as the schema wants it; and words for what is wanted.

use super::problem::Place;
use super::shape::{choose, cut, names_of};
use super::tree::{Kind, Node};
use serde_json::{Number, Value};

/// What is wrong with a value, and what to do.
pub(super) type Refusal = (String, String);

/// A scalar as the schema wants it.
pub(super) fn scalar(
    schema: &Value,
    types: &[&str],
    text: &str,
    plain: bool,
) -> Result<Value, Refusal> {
    let is_null = plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    let wants = |name: &str| types.contains(&name);
    if is_null {
        return if wants("null") {
            Ok(Value::Null)
        } else {
            Err(("no value stands here".into(), example(types).to_owned()))
        };
    }
    if plain && wants("boolean") && matches!(text, "true" | "false") {
        return Ok(Value::Bool(text == "true"));
    }
    if plain
        && wants("integer")
        && let Some(number) = integer(text)
    {
        return within(schema, number, text);
    }
    if plain
        && wants("number")
        && let Some(number) = decimal(text)
    {
        return within(schema, number, text);
    }
    if wants("string") {
        let names = names_of(schema);
        if names.is_empty() || names.contains(&text) {
            return Ok(Value::String(text.to_owned()));
        }
        let mut problems = Vec::new();
        choose(&names, text, Place { line: 1, column: 1, width: 1 }, "", &mut problems);
        let refusal = problems.pop().map(|p| (p.message, p.advice));
        return Err(refusal.unwrap_or_default());
    }
    let what = if plain { format!("`{}`", cut(text)) } else { "a text in quotes".into() };
    Err((
        format!("{} is expected here, and this is {what}", wanted(types)),
        example(types).to_owned(),
    ))
}

fn integer(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && !leading_zero).then(|| text.parse::<i64>().ok().map(Number::from)).flatten()
}

fn decimal(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse::<f64>().ok().and_then(Number::from_f64)).flatten()
}

fn within(schema: &Value, number: Number, text: &str) -> Result<Value, Refusal> {
    let value = number.as_f64().unwrap_or_default();
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if bound("minimum").is_some_and(|least| value < least)
        || bound("maximum").is_some_and(|most| value > most)
    {
        let advice = match (schema.get("minimum"), schema.get("maximum")) {
            (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
            (Some(least), None) => format!("write a number from {least} up"),
            (None, Some(most)) => format!("write a number up to {most}"),
            (None, None) => String::new(),
        };
        return Err((format!("{} is out of range", cut(text)), advice));
    }
    // `per_run: 25.0` where whole numbers are wanted never comes here: integers are read apart.
    Ok(Value::Number(number))
}

/// A value for which the schema says nothing: letters stay as they are, except for plain numbers,
/// `true`, `false` and `null`.
pub(super) fn untyped(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { text, plain: false } => Value::String(text.clone()),
        Kind::Scalar { text, plain: true } => match text.as_str() {
            "" | "~" | "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => integer(text).map_or_else(|| Value::String(text.clone()), Value::Number),
        },
        Kind::List(items) => Value::Array(items.iter().map(|item| untyped(item)).collect()),
        Kind::Map(entries) => {
            Value::Object(entries.iter().map(|e| (e.key.clone(), untyped(&e.value))).collect())
        }
    }
}

pub(super) fn wanted(types: &[&str]) -> String {
    let words: Vec<&str> = types
        .iter()
        .filter(|name| **name != "null")
        .map(|name| match *name {
            "object" => "a map",
            "array" => "a list",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "`true` or `false`",
            _ => "a text",
        })
        .collect();
    words.join(" or ")
}

pub(super) fn example(types: &[&str]) -> &'static str {
    match types.iter().find(|name| **name != "null") {
        Some(&"object") => "write `key: value` lines below it, further in",
        Some(&"array") => "write a list: `[one, two]`, or lines that begin with `- `",
        Some(&"integer") => "write digits only, without quotes",
        Some(&"number") => "write a number such as 2.5, without quotes",
        Some(&"boolean") => "write true or false, without quotes",
        _ => "write a text, in quotes if it has special characters",
    }
}

pub(super) fn found(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Scalar { text, plain: true } if text.is_empty() => "empty",
        Kind::Scalar { .. } => "a single value",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a map",
    }
}
