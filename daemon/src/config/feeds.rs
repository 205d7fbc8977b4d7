//! Feeds as the YAML writes them.

use super::FilePattern;
use lapsed_core::intake::FeedSpec;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What a source sends: which files of the inbox are its own, and how they are read. In the YAML both
/// stand side by side under the feed's name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Which files of the inbox are its own.
    pub files: FilePattern,
    /// How they are read, and what a whole drop is.
    pub spec: FeedSpec,
}

/// The key under which [`Feed::spec`] stands in the JSON that [`apart`] makes.
pub(super) const SPEC: &str = "spec";

/// The shape of a feed in the YAML, for the schema and for writing it out again.
#[derive(Serialize, JsonSchema)]
struct OnPaper<'a> {
    /// Which files of the inbox are its own: `*` stands for any letters, `?` for one; case counts.
    files: Cow<'a, FilePattern>,
    #[serde(flatten)]
    spec: Cow<'a, FeedSpec>,
}

impl Serialize for Feed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OnPaper { files: Cow::Borrowed(&self.files), spec: Cow::Borrowed(&self.spec) }
            .serialize(serializer)
    }
}

impl JsonSchema for Feed {
    fn schema_name() -> Cow<'static, str> {
        "Feed".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = OnPaper::json_schema(generator);
        // A flattened part leaves the whole open to any key.
        schema.insert("additionalProperties".into(), Value::Bool(false));
        schema.insert("description".into(), "What a source sends.".into());
        schema
    }
}

/// Puts what the YAML writes side by side into the two parts of every [`Feed`]. A flattened field would
/// do the same in serde, but its errors no longer say at which key they are.
pub(super) fn apart(json: &mut Value) {
    let feeds = json.get_mut("feeds").and_then(Value::as_object_mut);
    for feed in feeds.into_iter().flat_map(Map::values_mut) {
        let Value::Object(map) = feed else { continue };
        let files = map.remove("files");
        let mut parts = Map::new();
        parts.extend(files.map(|files| ("files".to_owned(), files)));
        parts.insert(SPEC.to_owned(), Value::Object(std::mem::take(map)));
        *map = parts;
    }
}
