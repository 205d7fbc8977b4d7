//! The laws of the house, most of them absences: what must not be where.
//!
//! Each test prints every place that breaks its law, as `file:line: what`, below the law's sentence.

mod code;
mod dependencies;
mod source;
mod texts;
mod threats;

use source::{Source, Token};
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Fails with the law's sentence and every place that breaks it.
#[track_caller]
fn uphold(law: &str, broken: &[String]) {
    assert!(broken.is_empty(), "\n{law}\n  {}\n", broken.join("\n  "));
}

/// The code of the product in these folders, tests left out.
fn product(folders: &[&str]) -> Vec<Source> {
    let found = source::read(&root(), folders);
    assert!(!found.is_empty(), "no source in {folders:?}: the law would hold of nothing");
    found
}

/// Every crate that is shipped.
const SHIPPED: [&str; 4] = ["core/src", "connectors/src", "daemon/src", "migrations/src"];

/// Where a run of tokens occurs, as `file:line: run`. `*` stands for any one token.
fn places(sources: &[Source], run: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for window in source.tokens.windows(run.len()) {
            if window.iter().zip(run).all(|(token, wanted)| *wanted == "*" || token.text == *wanted)
            {
                found.push(place(source, &window[0], &run.concat()));
            }
        }
    }
    found
}

/// Places of several runs, in one list.
fn places_of_any(sources: &[Source], runs: &[&[&str]]) -> Vec<String> {
    runs.iter().flat_map(|run| places(sources, run)).collect()
}

fn place(source: &Source, token: &Token, what: &str) -> String {
    format!("{}:{}: {what}", source.path, token.line)
}
