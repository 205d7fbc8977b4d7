//! Holds the tree against the JSON Schema: finds every structural problem, not only the first, and
//! gives the values their types by what the schema wants rather than by how they look.

use super::problem::{Place, Problem, names_a_secret, nearest};
use super::scalar::{example, found, scalar, untyped, wanted};
use super::tree::{Kind, Node};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The schema with its definitions, ready to be followed.
pub struct Shape<'s> {
    root: &'s Value,
}

/// What a map may hold.
#[derive(Default)]
struct Fields<'s> {
    known: BTreeMap<&'s str, &'s Value>,
    required: Vec<&'s str>,
    /// Schema of keys that are not among the known ones; `None` when there may be none.
    others: Option<&'s Value>,
    /// All keys that there may be, where they are a closed list without schemas of their own.
    names: Vec<&'s str>,
    closed: bool,
}

impl<'s> Shape<'s> {
    pub fn new(root: &'s Value) -> Self {
        Self { root }
    }

    /// The tree as JSON of the right types, less what is wrong; problems are added.
    pub fn check(&self, tree: &Node, problems: &mut Vec<Problem>) -> Option<Value> {
        self.value(self.root, tree, "", tree.place, problems)
    }

    /// A schema's alternatives, references followed; itself where it has none.
    #[cfg(test)]
    pub fn options(&self, schema: &'s Value) -> Vec<&'s Value> {
        let schema = self.resolve(schema);
        match alternatives(schema) {
            Some(options) => options.iter().flat_map(|option| self.options(option)).collect(),
            None => vec![schema],
        }
    }

    /// Schemas of a map's known keys, and of all others.
    #[cfg(test)]
    pub fn children(&self, schema: &'s Value) -> (BTreeMap<&'s str, &'s Value>, Option<&'s Value>) {
        let fields = self.fields(schema);
        (fields.known, fields.others)
    }

    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        // A chain of references longer than this would be a circle.
        for _ in 0..16 {
            let Some(target) = schema.get("$ref").and_then(Value::as_str) else { break };
            let Some(found) =
                target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))
            else {
                break;
            };
            // A reference with siblings (a tagged variant) is merged in `fields`, not here.
            if schema.get("properties").is_some() {
                break;
            }
            schema = found;
        }
        schema
    }

    fn value(
        &self,
        schema: &'s Value,
        node: &Node,
        path: &str,
        place: Place,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        let schema = self.resolve(schema);
        if let Some(options) = alternatives(schema) {
            return self.one_of(options, node, path, place, problems);
        }
        let types = types_of(schema);
        if types.is_empty() && schema.get("enum").is_none() && schema.get("const").is_none() {
            return Some(untyped(node));
        }
        match &node.kind {
            Kind::Map(_) if types.contains(&"object") => {
                self.map(schema, node, path, place, problems)
            }
            Kind::List(items) if types.contains(&"array") => {
                let item = schema.get("items").unwrap_or(ANY);
                let mut values = Vec::new();
                for (index, child) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    values.extend(self.value(item, child, &path, child.place, problems));
                }
                Some(Value::Array(values))
            }
            Kind::Scalar { text, plain } => match scalar(schema, &types, text, *plain) {
                Ok(value) => Some(value),
                Err((message, advice)) => {
                    problems.push(Problem::new(node.place, path, message).advise(advice));
                    None
                }
            },
            _ => {
                let message =
                    format!("{} is expected here, and this is {}", wanted(&types), found(node));
                problems.push(Problem::new(place, path, message).advise(example(&types)));
                None
            }
        }
    }

    fn map(
        &self,
        schema: &'s Value,
        node: &Node,
        path: &str,
        place: Place,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        let Kind::Map(entries) = &node.kind else { return None };
        let fields = self.fields(schema);
        let mut values = Map::new();
        for entry in entries {
            let below = join(path, &entry.key);
            if !fields.names.is_empty() {
                let known =
                    choose(&fields.names, &entry.key, entry.key_place, path, problems).is_some();
                if !known {
                    continue;
                }
            }
            let child = fields.known.get(entry.key.as_str()).copied().or(fields.others);
            if let Some(child) = child {
                let value = self.value(child, &entry.value, &below, entry.value.place, problems);
                values.extend(value.map(|value| (entry.key.clone(), value)));
            } else if fields.closed {
                problems.push(unknown_key(&entry.key, entry.key_place, path, &fields, self));
            }
        }
        let known: Vec<&str> = fields.known.keys().copied().collect();
        for key in &fields.required {
            // A misspelt key was told above, with this one as advice.
            let misspelt = |e: &super::tree::Entry| {
                !known.contains(&e.key.as_str())
                    && nearest(&e.key, known.iter().copied()) == Some(*key)
            };
            if entries.iter().any(|entry| entry.key == *key || misspelt(entry)) {
                continue;
            }
            let what = fields.known.get(key).and_then(|schema| description(schema));
            let advice = match what {
                Some(what) => format!("add `{key}: …` ({what})"),
                None => format!("add `{key}: …`"),
            };
            let top = Place { line: 1, column: 1, width: 1 };
            let place = if path.is_empty() { top } else { place };
            problems.push(
                Problem::new(place, path, format!("the key `{key}` is missing")).advise(advice),
            );
        }
        Some(Value::Object(values))
    }

    /// What a map may hold, references and combinations folded into one list.
    fn fields(&self, schema: &'s Value) -> Fields<'s> {
        let mut fields = Fields::default();
        self.gather(schema, &mut fields, 0);
        fields
    }

    fn gather(&self, schema: &'s Value, fields: &mut Fields<'s>, depth: u8) {
        if depth > 8 {
            return;
        }
        if let Some(known) = schema.get("properties").and_then(Value::as_object) {
            fields.known.extend(known.iter().map(|(key, value)| (key.as_str(), value)));
        }
        if let Some(required) = schema.get("required").and_then(Value::as_array) {
            fields.required.extend(required.iter().filter_map(Value::as_str));
        }
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            match schema.get(keyword) {
                Some(Value::Bool(false)) => fields.closed = true,
                Some(other @ Value::Object(_)) => fields.others = Some(other),
                _ => {}
            }
        }
        if let Some(names) = schema.get("propertyNames") {
            let names = self.resolve(names);
            fields.names = match alternatives(names) {
                Some(options) => options.iter().flat_map(names_of).collect(),
                None => names_of(names),
            };
        }
        if let Some(patterns) = schema.get("patternProperties").and_then(Value::as_object) {
            fields.others = fields.others.or(patterns.values().next());
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str)
            && let Some(found) = target.strip_prefix('#').and_then(|p| self.root.pointer(p))
        {
            self.gather(found, fields, depth + 1);
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.gather(part, fields, depth + 1);
        }
    }

    fn one_of(
        &self,
        options: &'s [Value],
        node: &Node,
        path: &str,
        place: Place,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        let names: Vec<&str> = options.iter().flat_map(names_of).collect();
        if let Kind::Scalar { text, .. } = &node.kind
            && !names.is_empty()
            && !options.iter().any(|option| self.takes_other_scalars(option))
        {
            return choose(&names, text, node.place, path, problems);
        }
        if let Some(value) = self.by_key(options, node, path, place, problems) {
            return value;
        }
        if let Some(tag) = self.tag_of(options) {
            return self.tagged(tag, options, node, path, place, problems);
        }
        let mut best: Option<Vec<Problem>> = None;
        for option in options {
            let mut own = Vec::new();
            let value = self.value(option, node, path, place, &mut own);
            if own.is_empty() {
                return value;
            }
            let is_null = types_of(self.resolve(option)) == ["null"];
            let fits = self.could_be(option, node);
            if !is_null && (best.is_none() || fits) {
                best = Some(own);
            }
        }
        problems.extend(best.unwrap_or_default());
        None
    }

    /// For alternatives that are told apart by the one key that each of them has: `None` when these are
    /// not such, `Some(None)` when the value fits none of them.
    fn by_key(
        &self,
        options: &'s [Value],
        node: &Node,
        path: &str,
        place: Place,
        problems: &mut Vec<Problem>,
    ) -> Option<Option<Value>> {
        let Kind::Map(entries) = &node.kind else { return None };
        let maps: Vec<&Value> = options
            .iter()
            .map(|option| self.resolve(option))
            .filter(|option| types_of(option).contains(&"object"))
            .collect();
        let mut keyed = Vec::new();
        for option in &maps {
            let fields = self.fields(option);
            match fields.required.as_slice() {
                [key] if fields.known.len() == 1 && fields.closed => keyed.push((*key, *option)),
                _ => return None,
            }
        }
        if keyed.is_empty() {
            return None;
        }
        if let Some((_, option)) = keyed.iter().find(|(key, _)| node.entry(key).is_some()) {
            return Some(self.map(option, node, path, place, problems));
        }
        let names: Vec<&str> = keyed.iter().map(|(key, _)| *key).collect();
        match entries.first() {
            Some(entry) => _ = choose(&names, &entry.key, entry.key_place, path, problems),
            None => problems.push(
                Problem::new(place, path, "an empty map says nothing here")
                    .advise(format!("write one of {}", listed(&names))),
            ),
        }
        Some(None)
    }

    /// True when the option takes scalars that are not on a list of names.
    fn takes_other_scalars(&self, option: &'s Value) -> bool {
        let option = self.resolve(option);
        let collection = ["object", "array"];
        names_of(option).is_empty()
            && types_of(option).iter().any(|name| !collection.contains(name))
    }

    /// True when the option and the value are of the same make: both maps, both lists, both scalars.
    fn could_be(&self, option: &'s Value, node: &Node) -> bool {
        let types = types_of(self.resolve(option));
        match node.kind {
            Kind::Map(_) => types.contains(&"object"),
            Kind::List(_) => types.contains(&"array"),
            Kind::Scalar { .. } => !types.contains(&"object") && !types.contains(&"array"),
        }
    }

    /// The key that tells the options apart, if every one has a key with values of its own.
    fn tag_of(&self, options: &'s [Value]) -> Option<&'s str> {
        let first = self.fields(self.resolve(options.first()?));
        first.known.keys().copied().find(|key| {
            let names: Vec<_> = options.iter().map(|option| self.tags(option, key)).collect();
            let all = names.concat();
            let twice = all.iter().enumerate().any(|(at, name)| all[..at].contains(name));
            names.iter().all(|names| !names.is_empty()) && !twice
        })
    }

    /// The values of the key `tag` that mean this option.
    fn tags(&self, option: &'s Value, tag: &str) -> Vec<&'s str> {
        let fields = self.fields(self.resolve(option));
        let Some(schema) = fields.known.get(tag).map(|schema| self.resolve(schema)) else {
            return Vec::new();
        };
        match alternatives(schema) {
            Some(options) => options.iter().flat_map(names_of).collect(),
            None => names_of(schema),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the walk's own state, handed on")]
    fn tagged(
        &self,
        tag: &'s str,
        options: &'s [Value],
        node: &Node,
        path: &str,
        place: Place,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        let Kind::Map(_) = node.kind else {
            let message = format!("a map is expected here, and this is {}", found(node));
            problems.push(
                Problem::new(place, path, message).advise(format!("write `{tag}: …` below it")),
            );
            return None;
        };
        let all =
            || -> Vec<&str> { options.iter().flat_map(|option| self.tags(option, tag)).collect() };
        let Some(Kind::Scalar { text, .. }) = node.entry(tag).map(|entry| &entry.value.kind) else {
            problems.push(
                Problem::new(place, path, format!("the key `{tag}` is missing"))
                    .advise(format!("add `{tag}:` with one of {}", listed(&all()))),
            );
            return None;
        };
        if let Some(option) =
            options.iter().find(|option| self.tags(option, tag).contains(&text.as_str()))
        {
            return self.map(self.resolve(option), node, path, place, problems);
        }
        let at = node.entry(tag).map_or(place, |entry| entry.value.place);
        choose(&all(), text, at, &join(path, tag), problems);
        None
    }
}

static ANY: &Value = &Value::Bool(true);

fn alternatives(schema: &Value) -> Option<&[Value]> {
    let options = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    Some(options)
}

pub(super) fn names_of(schema: &Value) -> Vec<&str> {
    let constant = schema.get("const").and_then(Value::as_str).into_iter();
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    constant.chain(listed.filter_map(Value::as_str)).collect()
}

fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ if !names_of(schema).is_empty() => vec!["string"],
        _ => Vec::new(),
    }
}

/// The first sentence of a schema's description, as part of another.
fn description(schema: &Value) -> Option<String> {
    let text = schema.get("description").and_then(Value::as_str)?.replace('\n', " ");
    let line = text.split(". ").next()?;
    let mut letters = line.trim_end_matches('.').chars();
    let first = letters.next()?;
    let rest = letters.as_str();
    let acronym = rest.starts_with(|c: char| !c.is_lowercase() && c != ' ');
    let first = if acronym { first.to_string() } else { first.to_lowercase().to_string() };
    Some(format!("{first}{rest}"))
}

pub(super) fn choose(
    names: &[&str],
    text: &str,
    place: Place,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Value> {
    if names.contains(&text) {
        return Some(Value::String(text.to_owned()));
    }
    let advice = match nearest(text, names.iter().copied()) {
        Some(name) if names.len() == 1 => format!("did you mean `{name}`?"),
        Some(name) => format!("did you mean `{name}`? It is one of {}", listed(names)),
        None => format!("write one of {}", listed(names)),
    };
    problems.push(
        Problem::new(place, path, format!("`{}` is not known here", cut(text))).advise(advice),
    );
    None
}

fn unknown_key(
    key: &str,
    place: Place,
    path: &str,
    fields: &Fields<'_>,
    shape: &Shape<'_>,
) -> Problem {
    let known: Vec<&str> = fields.known.keys().copied().collect();
    if names_a_secret(key) {
        let file = format!("{key}_file");
        let (file, credential) = if known.contains(&file.as_str()) {
            (file, format!("{key}_credential"))
        } else {
            let of = |end: &str| known.iter().find(|k| k.ends_with(end)).map(|k| (*k).to_owned());
            (
                of("password_file").unwrap_or_else(|| "password_file".into()),
                of("password_credential").unwrap_or_else(|| "password_credential".into()),
            )
        };
        return Problem::new(place, path, format!("`{key}` would put a secret into this file, which is refused"))
            .advise(format!("name a file in `{file}` or a systemd credential in `{credential}`, and change that secret, since it was written down"));
    }
    let problem = Problem::new(place, path, format!("the key `{}` is not known here", cut(key)));
    if let Some(name) = nearest(key, known.iter().copied()) {
        return problem.advise(format!("did you mean `{name}`?"));
    }
    let elsewhere = places_of(shape.root, key);
    if !elsewhere.is_empty() {
        return problem.advise(format!("`{key}` may stand under {}", listed(&elsewhere)));
    }
    problem.advise(format!("known here: {}", listed(&known)))
}

/// Sections of the file that know the key.
fn places_of<'s>(root: &'s Value, key: &str) -> Vec<&'s str> {
    let shape = Shape::new(root);
    let top = shape.fields(root);
    let mut places = Vec::new();
    for (name, schema) in &top.known {
        if shape.fields(shape.resolve(schema)).known.contains_key(key) {
            places.push(*name);
        }
    }
    places
}

/// Names for a sentence: `a`, `b`, `c`; the first dozen of them.
pub fn listed(names: &[&str]) -> String {
    let mut text = names.iter().take(24).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 24 {
        text.push_str(" …");
    }
    text
}

pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(60).chain(['…']).collect()
}
