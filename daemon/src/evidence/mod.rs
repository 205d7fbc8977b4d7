//! One person's evidence as files: a canonical JSON text, and a page to print.

mod page;

pub use page::page;

use serde_json::Value;
use std::fmt::Write as _;

/// The format's name and version.
pub const FORMAT: &str = "lapsed evidence 1";

/// The event of the audit row that binds a record: its digest is in it.
pub const MADE: &str = "evidence.made";

/// JSON in one form only: keys sorted by their code points, no space, strings escaped no more than they must
/// be. The same content is the same bytes, so that its digest says something.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            text.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(key, text);
                text.push(':');
                if let Some(value) = map.get(key) {
                    write_value(value, text);
                }
            }
            text.push('}');
        }
        Value::Array(all) => {
            text.push('[');
            for (index, value) in all.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(value, text);
            }
            text.push(']');
        }
        Value::String(string) => write_string(string, text),
        other => {
            // Writing to a String can't fail.
            let _ = write!(text, "{other}");
        }
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_content_is_the_same_bytes() {
        let value = json!({ "b": [1, null, true], "a": "ä\"\\\n\u{1}\u{7f}", "B": {} });
        let wanted = "{\"B\":{},\"a\":\"ä\\\"\\\\\\n\\u0001\u{7f}\",\"b\":[1,null,true]}";
        assert_eq!(canonical(&value), wanted);
        let again: Value = serde_json::from_str(wanted).unwrap();
        assert_eq!(canonical(&again), wanted);
    }
}
