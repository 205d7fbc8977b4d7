//! Rust files as tokens with their lines: comments are gone, and so is what only tests see.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::fs;
use std::path::Path;

/// One token.
pub struct Token {
    /// Line, from 1.
    pub line: usize,
    /// As it is written; texts with their quotes.
    pub text: String,
}

/// One file.
pub struct Source {
    /// From the root of the repository.
    pub path: String,
    /// What is written in it.
    pub text: String,
    /// Its tokens, without doc comments and `#[cfg(test)]` items.
    pub tokens: Vec<Token>,
}

/// All Rust files in folders, but for those that only tests see.
pub fn read(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut only_tests = Vec::new();
    for path in folders.iter().flat_map(|folder| files(root, folder)) {
        if !path.ends_with(".rs") || is_test(&path) {
            continue;
        }
        let text = fs::read_to_string(root.join(&path)).unwrap();
        let stream: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{path} is no Rust: {error}"));
        let mut tokens = Vec::new();
        let skipped = flatten(stream, &mut tokens);
        only_tests
            .extend(skipped.iter().map(|name| format!("{}/{name}", folder_of_modules(&path))));
        found.push(Source { path, text, tokens });
    }
    found.retain(|source| !only_tests.iter().any(|module| is_of(&source.path, module)));
    found
}

/// Where the files of a file's `mod name;` are.
fn folder_of_modules(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let is_root = matches!(file, "mod.rs" | "lib.rs" | "main.rs");
    if is_root { folder } else { path.trim_end_matches(".rs") }
}

/// True for `module.rs` and everything in `module/`.
fn is_of(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// All files in a folder, by their paths from the root; build output and hidden folders left out.
pub fn files(root: &Path, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries.map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name == "target" || name.starts_with('.') {
                continue;
            }
            if root.join(&path).is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// True for modules that are tests by their name.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
        || path.ends_with("_tests.rs")
}

/// Writes the tokens down; returns the names of modules in files of their own that only tests see.
fn flatten(stream: TokenStream, out: &mut Vec<Token>) -> Vec<String> {
    let mut only_tests = Vec::new();
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if let TokenTree::Punct(punct) = &tree
            && punct.as_char() == '#'
        {
            let inner =
                trees.next_if(|next| matches!(next, TokenTree::Punct(p) if p.as_char() == '!'));
            let attribute = trees.next_if(|next| {
                matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
            });
            if let Some(TokenTree::Group(group)) = attribute {
                if inner.is_none() && is_for_tests(&group) {
                    only_tests.extend(skip_item(&mut trees));
                } else if !is_doc(&group) {
                    flatten(group.stream(), out);
                }
                continue;
            }
        }
        push(tree, out);
    }
    only_tests
}

fn push(tree: TokenTree, out: &mut Vec<Token>) {
    let line = tree.span().start().line;
    let TokenTree::Group(group) = tree else {
        return out.push(Token { line, text: tree.to_string() });
    };
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    out.push(Token { line, text: open.to_owned() });
    flatten(group.stream(), out);
    out.push(Token { line: group.span_close().start().line, text: close.to_owned() });
}

fn is_doc(attribute: &Group) -> bool {
    let first = attribute.stream().into_iter().next();
    matches!(first, Some(TokenTree::Ident(name)) if name == "doc")
}

/// `#[cfg(test)]` and `#[test]`.
fn is_for_tests(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text == "test"
}

/// Leaves out an item: up to its body's end or its semicolon. Returns its name if it is `mod name;`.
fn skip_item(trees: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) -> Option<String> {
    let mut words = Vec::new();
    for tree in trees.by_ref() {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return None,
            TokenTree::Ident(word) => words.push(word.to_string()),
            _ => {}
        }
    }
    let name = words.pop();
    words.ends_with(&["mod".to_owned()]).then_some(name).flatten()
}

#[test]
fn comments_texts_and_tests_are_told_from_code() {
    let text = "/// unsafe
fn a() { b(\"unsafe\") } // unsafe
#[cfg(test)]
pub mod t;
#[cfg(test)]
mod u { unsafe {} }
c::d;";
    let mut tokens = Vec::new();
    let modules = flatten(text.parse().unwrap(), &mut tokens);
    assert_eq!(modules, ["t"]);
    assert!(is_of("a/t.rs", "a/t") && is_of("a/t/b.rs", "a/t") && !is_of("a/tb.rs", "a/t"));
    assert!(tokens.iter().all(|token| token.text != "unsafe"));
    let last: Vec<_> = tokens.iter().filter(|t| t.line == 7).map(|t| t.text.as_str()).collect();
    assert_eq!(last, ["c", ":", ":", "d", ";"]);
}
