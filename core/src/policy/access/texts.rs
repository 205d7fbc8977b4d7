//! The texts of the access rules that are minijinja templates: names, addresses, homes, groups (A1, N7).

use super::{AccessPolicy, SystemRule, Who};
use crate::facts::{
    ConnectorName, GroupName, LocationId, PersonKind, PersonName, SystemRole, UserId,
};
use crate::policy::departure::{TemplateError, render};
use crate::policy::naming::{NamingPolicy, address_word};
use crate::policy::{Policy, RuleFault};
use crate::wildcard;
use minijinja::{Value, context};
use std::collections::BTreeSet;

/// For whom a text is made.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The name.
    pub name: &'a PersonName,
    /// The log-on name.
    pub user_id: &'a UserId,
    /// The location that employs the person.
    pub location: Option<&'a LocationId>,
    /// What kind of person.
    pub kind: Option<&'a PersonKind>,
}

/// A mail address in two parts, so that its first can be told apart by a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress {
    /// Before the `@`, in lower case.
    pub local: String,
    /// After it.
    pub domain: String,
}

impl MailAddress {
    /// The first, second, third … address to be tried; 0 is the one without a number.
    #[must_use]
    pub fn numbered(&self, count: u32) -> String {
        match count {
            0 => format!("{}@{}", self.local, self.domain),
            count => format!("{}{}@{}", self.local, count.saturating_add(1), self.domain),
        }
    }

    /// What stands before the `@` of such an address.
    #[must_use]
    pub fn numbered_local(&self, count: u32) -> String {
        match count {
            0 => self.local.clone(),
            count => format!("{}{}", self.local, count.saturating_add(1)),
        }
    }
}

impl Policy {
    /// The name of an account as others see it.
    ///
    /// # Errors
    /// When the template does not work.
    pub fn display_name(&self, holder: &Holder<'_>) -> Result<String, TemplateError> {
        let words = self.words(holder, |text| text.to_owned());
        render("access.accounts.display_name", &self.access.accounts.display_name, words)
    }

    /// The mail address that a person is to have; none where the agency gives none.
    ///
    /// # Errors
    /// When the template does not work.
    pub fn mail_address(&self, holder: &Holder<'_>) -> Result<Option<MailAddress>, TemplateError> {
        let own = &self.naming.transliterate;
        let words = self.words(holder, |text| address_word(own, text));
        let text =
            render("access.accounts.mail_address", &self.access.accounts.mail_address, words)?;
        let Some((local, domain)) = text.rsplit_once('@') else { return Ok(None) };
        // Of a name without letters a dot would be left at an end, which no address may have.
        let local = local.trim_matches('.').to_lowercase();
        let is_whole = !local.is_empty() && !domain.is_empty();
        Ok(is_whole.then(|| MailAddress { local, domain: domain.to_lowercase() }))
    }

    /// The home directory as the directory is to name it; none where the agency names none.
    ///
    /// # Errors
    /// When the template does not work.
    pub fn home_of(&self, holder: &Holder<'_>) -> Result<Option<String>, TemplateError> {
        let words = self.words(holder, |text| text.to_owned());
        let text = render("access.accounts.home", &self.access.accounts.home, words)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The groups that a system gives in a role at a location.
    ///
    /// # Errors
    /// When a template does not work, or gives what is no group's name, as a sentence for people.
    pub fn groups_given(
        &self,
        (name, rule): (&str, &SystemRule),
        role: Option<&SystemRole>,
        location: Option<&LocationId>,
        kind: Option<&PersonKind>,
    ) -> Result<Vec<GroupName>, String> {
        let of_role = role.and_then(|role| rule.roles.get(role)).map(|role| &role.groups);
        let mut groups: Vec<GroupName> = Vec::new();
        for template in rule.groups.iter().chain(of_role.into_iter().flatten()) {
            let words = context! {
                location => location.map(LocationId::as_str).unwrap_or_default(),
                location_name => self.location_name(location),
                kind => kind.map(PersonKind::as_str).unwrap_or_default(),
            };
            let key = format!("access.systems.{name}.groups");
            let text = render(&key, template, words).map_err(|e| told(&e))?;
            // A template may give nothing for some people: `{% if kind == "staff" %}…`.
            if text.is_empty() {
                continue;
            }
            let group = GroupName::new(text).map_err(|e| format!("{key}: {e}"))?;
            if groups.iter().all(|known| known.folded() != group.folded()) {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    /// Every group that any system behind a connector gives anywhere to anybody. What a template can't say is told
    /// where somebody is to be given it.
    #[must_use]
    pub fn groups_of_systems(&self, connector: &ConnectorName) -> BTreeSet<GroupName> {
        let locations: Vec<Option<&LocationId>> =
            self.locations.keys().map(Some).chain([None]).collect();
        let kinds: Vec<Option<&PersonKind>> =
            self.naming.kinds.keys().map(Some).chain([None]).collect();
        let mut all = BTreeSet::new();
        let behind = |rule: &&SystemRule| rule.connector.as_ref() == Some(connector);
        for (name, rule) in self.access.systems.iter().filter(|(_, rule)| behind(rule)) {
            let roles: Vec<Option<&SystemRole>> =
                rule.roles.keys().map(Some).chain([None]).collect();
            for location in &locations {
                for (kind, role) in kinds.iter().flat_map(|k| roles.iter().map(move |r| (k, r))) {
                    let given = self.groups_given((name.as_str(), rule), *role, *location, *kind);
                    all.extend(given.unwrap_or_default());
                }
            }
        }
        all
    }

    fn words(&self, holder: &Holder<'_>, spell: impl Fn(&str) -> String) -> Value {
        let preferred = holder.name.preferred.as_deref().unwrap_or_default();
        context! {
            first => spell(&holder.name.first),
            last => spell(&without_suffix(&self.naming, &holder.name.last)),
            preferred => spell(preferred),
            user_id => holder.user_id.as_str(),
            location => holder.location.map(LocationId::as_str).unwrap_or_default(),
            location_name => self.location_name(holder.location),
            kind => holder.kind.map(PersonKind::as_str).unwrap_or_default(),
        }
    }

    fn location_name(&self, location: Option<&LocationId>) -> String {
        let location = location.and_then(|id| self.locations.get(id));
        location.map(|location| location.name.clone()).unwrap_or_default()
    }
}

/// A last name as people are called: `Jr` and the like are no part of an address or of a name on a list.
fn without_suffix(naming: &NamingPolicy, last: &str) -> String {
    let words: Vec<&str> = last.split_whitespace().collect();
    let is_suffix = |word: &&str| {
        let word = word.trim_matches(['.', ',']);
        naming.drop_suffixes.iter().any(|suffix| suffix.eq_ignore_ascii_case(word))
    };
    let kept = words.iter().rposition(|word| !is_suffix(word)).map_or(words.len(), |at| at + 1);
    words.get(..kept).unwrap_or(&words).join(" ").trim_end_matches(',').to_owned()
}

impl Who {
    /// True where a person is among them.
    #[must_use]
    pub fn includes(
        &self,
        kind: Option<&PersonKind>,
        location: Option<&LocationId>,
        position: Option<&str>,
    ) -> bool {
        let kinds = self.kinds.is_empty() || kind.is_some_and(|kind| self.kinds.contains(kind));
        let locations =
            self.locations.is_empty() || location.is_some_and(|id| self.locations.contains(id));
        let named = |text: &str| self.positions.iter().any(|name| wildcard::fits(name, text));
        let positions = self.positions.is_empty() || position.is_some_and(named);
        kinds && locations && positions
    }
}

fn told(error: &TemplateError) -> String {
    match error {
        TemplateError::Render { key, source } => format!("{key}: {source}"),
        other => other.to_string(),
    }
}

impl AccessPolicy {
    /// What is wrong with the templates, all of it: each is tried on an example.
    #[must_use]
    pub fn faults(&self, policy: &Policy) -> Vec<RuleFault> {
        let Ok(user_id) = UserId::new("mzsmitj") else { return Vec::new() };
        let name = PersonName { last: "Smith".into(), first: "John".into(), preferred: None };
        let location = policy.locations.keys().next();
        let kind = policy.naming.kinds.keys().next();
        let holder = Holder { name: &name, user_id: &user_id, location, kind };
        let fault = |key: &str, problem: String| RuleFault {
            key: key.to_owned(),
            // Where the fault is told, its key stands before it already.
            problem: match problem.split_once(": ") {
                Some((before, rest)) if before.starts_with("access.") => rest.to_owned(),
                _ => problem,
            },
        };
        let mut faults = Vec::new();
        if let Err(error) = policy.display_name(&holder) {
            faults.push(fault("access.accounts.display_name", told(&error)));
        }
        // A template may give some kinds of person none; one that gives nobody any is a mistake.
        let kinds = policy.naming.kinds.keys().map(Some).chain([None]);
        let tried = kinds.map(|kind| policy.mail_address(&Holder { kind, ..holder }));
        match tried.collect::<Result<Vec<_>, _>>() {
            Err(error) => faults.push(fault("access.accounts.mail_address", told(&error))),
            Ok(given)
                if !self.accounts.mail_address.is_empty() && given.iter().all(Option::is_none) =>
            {
                let problem = "gives nobody a mail address; write it as \"{{ first }}.{{ last }}@dmh.test\", or \"\" for none";
                faults.push(fault("access.accounts.mail_address", problem.into()));
            }
            Ok(_) => {}
        }
        if let Err(error) = policy.home_of(&holder) {
            faults.push(fault("access.accounts.home", told(&error)));
        }
        for (name, rule) in &self.systems {
            let tried = |role| policy.groups_given((name.as_str(), rule), role, location, kind);
            if let Err(problem) = tried(None) {
                faults.push(fault(&format!("access.systems.{name}.groups"), problem));
                continue;
            }
            for role in rule.roles.keys() {
                if let Err(problem) = tried(Some(role)) {
                    faults.push(fault(
                        &format!("access.systems.{name}.roles.{role}.groups"),
                        problem,
                    ));
                }
            }
        }
        faults
    }
}
