//! Laws about what the texts say: comments, pages, settings.

use super::{SHIPPED, product, root, source, uphold};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Files that people read, by their endings.
const READ_BY_PEOPLE: [&str; 10] = [
    ".md",
    ".rs",
    ".toml",
    ".yaml",
    ".sh",
    ".service",
    ".sysusers",
    ".tmpfiles",
    ".py",
    "Makefile",
];

/// Every text of the repository, by path.
fn texts() -> Vec<(String, String)> {
    let paths = source::files(&root(), "").into_iter();
    paths
        .filter(|path| READ_BY_PEOPLE.iter().any(|ending| path.ends_with(ending)))
        .filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(&path)).ok()?)))
        .collect()
}

#[test]
fn nothing_names_a_package_host_or_a_path_of_one_machine() {
    // Put together here, so that this file does not break its own law.
    let banned = [
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("npmjs", ".com"),
        concat!("proxy.golang", ".org"),
        concat!("deb.debian", ".org"),
        concat!("docker", ".io"),
        concat!("/wo", "rk/"),
        concat!("../", "shared/"),
        concat!("/home/", "user"),
    ];
    let mut broken = Vec::new();
    for (path, text) in texts() {
        for (index, line) in text.lines().enumerate() {
            for word in banned.iter().filter(|word| line.contains(*word)) {
                broken.push(format!("{path}:{}: {word}", index + 1));
            }
        }
    }
    uphold("No page, comment or setting names a package host or a path of one machine.", &broken);
}

/// Rule ids that `docs/rules.md` explains.
fn known_rules() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| **"));
    let known: BTreeSet<String> =
        rows.filter_map(|row| row.split("**").next()).map(str::to_owned).collect();
    assert!(!known.is_empty(), "docs/rules.md has no rows");
    known
}

/// Words that look like a rule's id: a letter of a rule set and one or two digits.
fn rule_ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).filter(|word| {
        let digits = word.get(1..).unwrap_or("");
        word.starts_with(['N', 'A', 'D', 'S', 'H', 'P'])
            && (1..=2).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[test]
fn every_rule_that_is_cited_is_explained() {
    let known = known_rules();
    let mut broken = Vec::new();
    for source in product(&SHIPPED) {
        for (index, line) in source.text.lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            for id in rule_ids(comment).filter(|id| !known.contains(*id)) {
                broken.push(format!("{}:{}: {id}", source.path, index + 1));
            }
        }
    }
    uphold("Every rule id in a comment has its row in docs/rules.md.", &broken);
}

#[test]
fn every_rule_that_an_action_can_carry_out_is_explained() {
    let known = known_rules();
    let core = product(&["core/src"]);
    let citation = core.iter().find(|source| source.path == "core/src/citation.rs").unwrap();
    let tokens: Vec<&str> = citation.tokens.iter().map(|token| token.text.as_str()).collect();
    let start = tokens.windows(3).position(|run| run == ["enum", "Rule", "{"]).unwrap() + 3;
    let variants: Vec<&str> = tokens[start..]
        .iter()
        .take_while(|text| **text != "}")
        .filter(|text| **text != ",")
        .copied()
        .collect();
    assert!(!variants.is_empty());
    let missing: Vec<String> = variants
        .into_iter()
        .filter(|id| !known.contains(*id))
        .map(|id| format!("core/src/citation.rs:1: {id}"))
        .collect();
    uphold(
        "Every rule that a step or an audit row can cite has its row in docs/rules.md.",
        &missing,
    );
}

#[test]
fn what_the_daemon_asks_people_to_look_at_has_its_remedy_on_the_operators_page() {
    let page = fs::read_to_string(root().join("docs/operator.md")).unwrap();
    let mut broken = Vec::new();
    for (kind, place) in attention_kinds() {
        if !page.contains(&format!("`{kind}`")) {
            broken.push(format!("{place}: {kind}"));
        }
    }
    uphold("Every kind of alarm has its remedy in docs/operator.md.", &broken);
}

/// Kinds of `AttentionView` that the daemon makes: the words_with_underscores in the files that make them.
fn attention_kinds() -> BTreeMap<String, String> {
    let mut kinds = BTreeMap::new();
    for source in product(&["daemon/src/answers"]) {
        if !source.tokens.iter().any(|token| token.text == "AttentionView") {
            continue;
        }
        for token in &source.tokens {
            let word = token.text.trim_matches('"');
            let is_kind = token.text.starts_with('"')
                && word.contains('_')
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_kind {
                kinds.insert(word.to_owned(), format!("{}:{}", source.path, token.line));
            }
        }
    }
    assert!(kinds.contains_key("plan_held"), "found {kinds:?}: look where kinds are made now");
    kinds
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = target.split('#').next().unwrap_or("");
                let elsewhere =
                    file.is_empty() || file.contains("://") || file.starts_with("mailto:");
                if !elsewhere && !root().join(folder).join(file).exists() {
                    broken.push(format!("{path}:{}: {target}", index + 1));
                }
            }
        }
    }
    uphold("Every link of a page to another file leads to one.", &broken);
}
