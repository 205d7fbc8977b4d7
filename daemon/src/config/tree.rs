//! YAML text to a tree that remembers where every key and value stands.
//!
//! Nothing is interpreted here: scalars stay text, so that `00123`, `1`, `y` and `no` keep their
//! letters until the schema says what they are meant to be. Size and depth are bounded.

use super::problem::{Place, Problem};
use serde_yaml::granit_parser::{self as granit, Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::rc::Rc;

/// No configuration nests deeper; beyond, the text is refused.
const MOST_LEVELS: usize = 64;
/// No configuration has more values, aliases written out; beyond, the text is refused.
const MOST_NODES: usize = 100_000;
/// No map has more keys; beyond, the text is refused.
const MOST_KEYS: usize = 5_000;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub kind: Kind,
    /// Values in it, itself included, with aliases written out.
    weight: usize,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A text; `plain` when it was written without quotes, so that it may be a number, say.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub value: Rc<Node>,
}

/// One step of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Key(String),
    Index(usize),
}

impl Part {
    /// Reads `departure.recheck_days[2]`.
    pub fn path(dotted: &str) -> Vec<Self> {
        let mut parts = Vec::new();
        for piece in dotted.split('.') {
            let mut pieces = piece.split('[');
            parts.extend(pieces.next().map(|key| Self::Key(key.to_owned())));
            let indices = pieces.filter_map(|index| index.trim_end_matches(']').parse().ok());
            parts.extend(indices.map(Self::Index));
        }
        parts
    }

    /// Writes `departure.recheck_days[2]`.
    pub fn dotted(path: &[Self]) -> String {
        path.iter().fold(String::new(), |text, part| match part {
            Self::Key(key) => super::shape::join(&text, key),
            Self::Index(index) => format!("{text}[{index}]"),
        })
    }
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// What the path leads to.
    pub fn follow(&self, path: &[Part]) -> Option<&Self> {
        path.iter().try_fold(self, |node, part| match (part, &node.kind) {
            (Part::Index(index), Kind::List(items)) => items.get(*index).map(|item| &**item),
            (Part::Key(key), _) => node.entry(key).map(|entry| &*entry.value),
            _ => None,
        })
    }

    /// Where the path leads to, or as far along it as there is something.
    pub fn place_of(&self, path: &[Part]) -> Place {
        let mut node = self;
        let mut place = self.place;
        for part in path {
            let next = match (part, &node.kind) {
                (Part::Index(index), Kind::List(items)) => {
                    items.get(*index).map(|item| (item.place, item))
                }
                (Part::Key(key), _) => node.entry(key).map(|entry| {
                    let scalar = matches!(entry.value.kind, Kind::Scalar { .. });
                    (if scalar { entry.value.place } else { entry.key_place }, &entry.value)
                }),
                _ => None,
            };
            let Some((found, child)) = next else { break };
            place = found;
            node = child;
        }
        place
    }
}

/// Reads one document; problems that leave a usable tree (duplicate keys) are added to `problems`.
pub fn read(text: &str, problems: &mut Vec<Problem>) -> Result<Rc<Node>, Problem> {
    let mut options = granit::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MOST_LEVELS;
    options.block_nesting_limit = MOST_LEVELS;
    let mut builder = Builder::new(problems);
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.take(event, &span)?,
            Err(error) => return Err(syntax_problem(text, &error)),
        }
    }
    builder.root.ok_or_else(|| {
        Problem::of_file(
            "the file is empty",
            "start from config.example.yaml and change what differs",
        )
    })
}

fn syntax_problem(text: &str, error: &granit::ScanError) -> Problem {
    let mark = error.marker();
    let place = Place { line: mark.line(), column: mark.col() + 1, width: 1 };
    if let Some(tab) = tab_indentation(text, place.line) {
        return Problem::new(tab, "", "a tab indents this line, and YAML allows only spaces there")
            .advise("replace the tab by spaces");
    }
    match error.kind() {
        granit::ErrorKind::RecursionLimitExceeded => {
            Problem::new(place, "", format!("this is nested more than {MOST_LEVELS} levels deep"))
                .advise("no setting needs that; look for brackets that are not closed")
        }
        _ => Problem::new(place, "", format!("this is not YAML: {}", error.info()))
            .advise("look at quotes, colons and indentation here and in the line above"),
    }
}

/// The first tab in the indentation of a line not after `last` and not far before it.
fn tab_indentation(text: &str, last: usize) -> Option<Place> {
    text.lines().enumerate().take(last).skip(last.saturating_sub(3)).find_map(|(index, line)| {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let column = line.get(..indent)?.find('\t')?;
        (indent < line.len()).then_some(Place { line: index + 1, column: column + 1, width: 1 })
    })
}

/// A collection that is being read.
struct Open {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map { entries: Vec<Entry>, key: Option<(String, Place)> },
}

struct Builder<'p> {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Builder<'p> {
    fn new(problems: &'p mut Vec<Problem>) -> Self {
        Self { open: Vec::new(), anchors: HashMap::new(), root: None, documents: 0, problems }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Problem> {
        let place = place_of(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Problem::new(place, "", "a second YAML document begins here")
                        .advise(
                            "one file holds one configuration; remove the `---` and what follows",
                        ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let forced = self.forced_text(place, tag.as_deref());
                let plain = style == ScalarStyle::Plain && !forced;
                let kind = Kind::Scalar { text: text.into_owned(), plain };
                self.finish(Node { place, kind, weight: 1 }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.forced_text(place, tag.as_deref());
                self.begin(place, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.forced_text(place, tag.as_deref());
                self.begin(place, anchor, Content::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, place),
            _ => Ok(()),
        }
    }

    /// True for `!!str`; other tags have no meaning here and are refused.
    fn forced_text(&mut self, place: Place, tag: Option<&granit::Tag>) -> bool {
        let Some(tag) = tag else { return false };
        if tag.suffix() != "str" {
            self.problems.push(
                Problem::new(place, "", "a YAML tag stands here, and tags are not read")
                    .advise("remove the word that begins with `!`, or put the value in quotes"),
            );
        }
        tag.suffix() == "str"
    }

    fn begin(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), Problem> {
        if self.open.len() >= MOST_LEVELS {
            return Err(Problem::new(
                place,
                "",
                format!("this is nested more than {MOST_LEVELS} levels deep"),
            )
            .advise("no setting needs that; look for brackets that are not closed"));
        }
        self.open.push(Open { place, anchor, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(Open { place, anchor, content }) = self.open.pop() else { return Ok(()) };
        let node = match content {
            Content::List(items) => {
                let weight =
                    items.iter().fold(1_usize, |sum, item| sum.saturating_add(item.weight));
                Node { place, kind: Kind::List(items), weight }
            }
            Content::Map { entries, .. } => {
                let entries = merged(entries);
                let weight = entries
                    .iter()
                    .fold(1_usize, |sum, entry| sum.saturating_add(entry.value.weight));
                Node { place, kind: Kind::Map(entries), weight }
            }
        };
        self.finish(node, anchor)
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(), Problem> {
        match self.anchors.get(&id).cloned() {
            Some(node) => self.put(node, place),
            None => Err(Problem::new(place, "", "this alias stands inside of what it refers to")
                .advise("write the values out")),
        }
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        let place = node.place;
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node, place)
    }

    fn put(&mut self, node: Rc<Node>, place: Place) -> Result<(), Problem> {
        if node.weight > MOST_NODES {
            return Err(Problem::new(
                place,
                "",
                format!("written out, this is more than {MOST_NODES} values"),
            )
            .advise("an alias (`*name`) that repeats other aliases grows without end; write the values out"));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                None => *key = Some(key_of(&node, place)?),
                Some((_, key_place)) if entries.len() >= MOST_KEYS => {
                    return Err(Problem::new(
                        key_place,
                        "",
                        format!("this map has more than {MOST_KEYS} keys"),
                    )
                    .advise("check that this file is the configuration"));
                }
                Some((key, key_place)) => {
                    if let Some(first) = entries.iter().find(|e| e.key == key && key != "<<") {
                        self.problems.push(
                            Problem::new(
                                key_place,
                                "",
                                format!("the key `{key}` stands here a second time"),
                            )
                            .advise(format!(
                                "the first is in line {}; keep one of them",
                                first.key_place.line
                            )),
                        );
                    } else {
                        entries.push(Entry { key, key_place, value: node });
                    }
                }
            },
        }
        Ok(())
    }
}

fn key_of(node: &Node, place: Place) -> Result<(String, Place), Problem> {
    match &node.kind {
        Kind::Scalar { text, .. } => Ok((text.clone(), place)),
        _ => Err(Problem::new(place, "", "a list or a map can't be a key")
            .advise("write a name before the colon")),
    }
}

/// Merge keys (`<<: *defaults`): what the map says itself counts before what is merged in.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|e| e.key == "<<");
    for merge in &merges {
        let sources = match &merge.value.kind {
            Kind::List(items) => items.clone(),
            _ => vec![Rc::clone(&merge.value)],
        };
        for source in sources {
            let Kind::Map(more) = &source.kind else {
                own.push(merge.clone());
                continue;
            };
            for entry in more {
                if !own.iter().any(|present| present.key == entry.key) {
                    own.push(entry.clone());
                }
            }
        }
    }
    own
}

fn place_of(span: &Span) -> Place {
    let width = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col()).max(1)
    } else {
        1
    };
    Place { line: span.start.line().max(1), column: span.start.col() + 1, width }
}
