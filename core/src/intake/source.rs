//! Where a value of a row comes from: a column, an expression over columns, or a constant.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{EnumAccess, Error, Unexpected, VariantAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Where a value comes from. The YAML has a text for the first two, told apart by `{{` or `{%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The column of this name.
    Column(String),
    /// A minijinja template over the row's columns, each under its name with `_` for what is not a
    /// letter or a digit.
    Expression(String),
    /// The same for every row.
    Constant(String),
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        if text.contains("{{") || text.contains("{%") {
            Self::Expression(text.to_owned())
        } else {
            Self::Column(text.trim().to_owned())
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Column(text) | Self::Expression(text) => serializer.serialize_str(text),
            Self::Constant(text) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("constant", text)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for as an enum, since YAML takes plain N, Y and NO for booleans where any value may stand,
        // and columns are called so.
        deserializer.deserialize_enum("Source", &["constant"], SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = Source;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column name, an expression in {{ }}, or `constant: TEXT`")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Source, A::Error> {
        let (text, rest): (String, _) = access.variant()?;
        if text == "constant" {
            return rest.newtype_variant().map(Source::Constant);
        }
        if text.trim().is_empty() {
            return Err(A::Error::invalid_value(Unexpected::Str(&text), &self));
        }
        rest.unit_variant().map(|()| Source::from(text.as_str()))
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A column name, a minijinja expression over columns in {{ }}, or a constant.",
            "anyOf": [
                { "type": "string", "minLength": 1 },
                {
                    "type": "object",
                    "properties": { "constant": {
                        "type": "string", "description": "The same for every row.",
                    } },
                    "required": ["constant"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
