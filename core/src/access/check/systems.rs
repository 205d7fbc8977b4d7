//! The systems of a form: known, in a role that they have, and not denied to the person's kind (A5, A12).

use super::{Checked, quoted};
use crate::access::form::{AccessForm, Asks, SystemWish};
use crate::access::gate::same_kind;
use crate::citation::Rule;
use crate::facts::{PersonKind, SystemName, SystemRole};
use crate::policy::access::{AccessPolicy, FormRule, SystemRule};
use std::collections::BTreeSet;

/// Why a form gives somebody no system of this name, whoever approves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred<'a> {
    /// The kind never gets it (A12).
    Never(&'a PersonKind),
    /// The kind gets it only by an exception, and the form names none (A5).
    WithoutException(&'a PersonKind),
}

/// Whether one of these kinds of person is kept from a system: for forms as they come in, and again before
/// something is given, since rules and people change meanwhile.
#[must_use]
pub fn barred<'a>(
    form: &AccessForm,
    system: &SystemName,
    kinds: &[PersonKind],
    policy: &'a AccessPolicy,
) -> Option<Barred<'a>> {
    let system = policy.systems.get(system)?;
    if let Some(kind) = system.never.iter().find(|kind| same_kind(kinds, kind)) {
        return Some(Barred::Never(kind));
    }
    let kind = system.only_by_exception.iter().find(|kind| same_kind(kinds, kind))?;
    let rule = policy.forms.get(&form.form);
    let excepted =
        |rule: &FormRule| form.exceptions.iter().any(|name| rule.exceptions.contains_key(name));
    (!rule.is_some_and(excepted)).then_some(Barred::WithoutException(kind))
}

impl Checked<'_> {
    pub(super) fn systems(&mut self, rule: &FormRule) {
        for name in self.form.exceptions.iter().filter(|name| !rule.exceptions.contains_key(*name))
        {
            let names: Vec<&str> = rule.exceptions.keys().map(String::as_str).collect();
            let problem = format!("names {}, which is not known here", quoted(name));
            let advice = match names.as_slice() {
                [] => "this form knows none".to_owned(),
                names => format!("one of these is meant: {}", names.join(", ")),
            };
            self.wrong("exceptions", Rule::A5, problem, advice);
        }
        let mut seen = BTreeSet::new();
        for (place, wish) in self.form.systems.iter().enumerate() {
            let field = format!("systems[{place}]");
            let key = (wish.system.folded(), wish.role.as_ref().map(SystemRole::folded));
            if !seen.insert(key) {
                let problem = format!("names {} a second time", quoted(wish.system.as_str()));
                self.wrong(&field, Rule::A1, problem, "name each system once in each role");
            }
            match self.policy.access.systems.get(&wish.system) {
                Some(system) => self.system(&field, wish, system, rule),
                None => self.unknown(&field, wish),
            }
        }
    }

    fn unknown(&mut self, field: &str, wish: &SystemWish) {
        let names: Vec<&str> =
            self.policy.access.systems.keys().map(SystemName::as_str).take(40).collect();
        let problem = format!("names {}, which is not known here", quoted(wish.system.as_str()));
        self.wrong(
            field,
            Rule::A1,
            problem,
            format!("one of these is meant: {}", names.join(", ")),
        );
    }

    fn system(&mut self, field: &str, wish: &SystemWish, system: &SystemRule, rule: &FormRule) {
        let name = quoted(wish.system.as_str());
        if !rule.systems.is_empty() && !rule.systems.contains(&wish.system) {
            let names: Vec<&str> = rule.systems.iter().map(SystemName::as_str).collect();
            let problem = format!("names {name}, which is not asked for by this form");
            let advice = format!("this one is for: {}", names.join(", "));
            self.wrong(field, Rule::A1, problem, advice);
        }
        self.role(field, wish, system);
        let takes_away = matches!(self.form.asks, Asks::Change | Asks::Recertify);
        if wish.remove && !takes_away {
            let problem = format!(
                "has `remove`, which says nothing where {} is asked",
                self.form.asks.name()
            );
            self.wrong(field, Rule::A1, problem, "file a form that asks for change");
        }
        let gives = matches!(self.form.asks, Asks::New | Asks::Change | Asks::LocationChange);
        if gives && !wish.remove {
            self.denials(field, &wish.system, rule);
        }
    }

    fn role(&mut self, field: &str, wish: &SystemWish, system: &SystemRule) {
        let names: Vec<&str> = system.roles.keys().map(SystemRole::as_str).collect();
        let name = quoted(wish.system.as_str());
        match &wish.role {
            Some(role) if !system.roles.contains_key(role) => {
                let problem =
                    format!("has the role {}, which {name} does not have", quoted(role.as_str()));
                let advice = match names.as_slice() {
                    [] => "it has no roles: leave it out".to_owned(),
                    names => format!("one of these is meant: {}", names.join(", ")),
                };
                self.wrong(field, Rule::A1, problem, advice);
            }
            None if !names.is_empty() && !wish.remove && self.form.asks.gives() => {
                let problem = format!("names {name} without a role");
                self.wrong(field, Rule::A1, problem, format!("name one of: {}", names.join(", ")));
            }
            _ => {}
        }
    }

    fn denials(&mut self, field: &str, system: &SystemName, rule: &FormRule) {
        let name = quoted(system.as_str());
        match barred(self.form, system, &self.kinds, &self.policy.access) {
            None => {}
            Some(Barred::Never(kind)) => {
                let problem =
                    format!("asks for {name}, which a {kind} never gets, whoever approves");
                self.wrong(field, Rule::A12, problem, "strike it from the form");
            }
            Some(Barred::WithoutException(kind)) => {
                let names: Vec<&str> = rule.exceptions.keys().map(String::as_str).collect();
                let problem = format!("asks for {name}, which a {kind} gets only by an exception");
                let advice = match names.as_slice() {
                    [] => "strike it, or use the form that has the exceptions".to_owned(),
                    names => format!(
                        "strike it, or name what entitles them under exceptions: {}",
                        names.join(", ")
                    ),
                };
                self.wrong(field, Rule::A5, problem, advice);
            }
        }
    }
}
