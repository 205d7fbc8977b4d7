//! What the YAML says of accounts that are made or renamed here.

use super::active_directory::ActiveDirectory;
use super::dialect::Dialect as _;
use super::dn::Dn;
use super::settings::{DirectorySettings, OpenldapSettings};
use super::words::{Words, render};
use crate::settings::SettingsProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How accounts are made (A1). The texts are minijinja templates over `user_id`, `first`, `last`,
/// `preferred`, `display_name`, `mail`, `employee_number`, `location`, `location_name`, `kind`, `title`,
/// `supervisor`, `supervisor_dn`, `home`, `uid_number`, `ends_on`; `ends_on_days` is the last day in days
/// since 1970 (`shadowExpire`), `ends_on_filetime` its end as Active Directory counts (`accountExpires`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSettings {
    /// The distinguished name below which an account is made: `OU={{ location_name }},OU=People,DC=…`.
    /// Values are escaped. Where it names the location, a rename moves the account too.
    pub below: String,
    /// Object classes of the new account; default by kind.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The attribute in the account's own name: `cn` or `uid`; default by kind. A common name that is
    /// taken gets the user ID in brackets.
    #[serde(default)]
    pub named_by: Option<String>,
    /// Active Directory: what follows `@` in `userPrincipalName`; absent: the account gets none.
    #[serde(default)]
    pub upn_suffix: Option<String>,
    /// Further attributes, each with its template; one that gives nothing is left out. User ID, names,
    /// number, mail, home and `uidNumber` are written by themselves, unless they are given here.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Where the account says by which step it was made, so that one whose making got no answer is known
    /// again; `adminDescription` or `description` by kind.
    #[serde(default)]
    pub mark: Option<String>,
}

/// An attribute that gets a value when an account is opened: what shutting it replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnEnable {
    /// Name: `loginShell`.
    pub attribute: String,
    /// Its value once the account is open: `/bin/bash`; without one the attribute is removed.
    #[serde(default)]
    pub value: Option<String>,
    /// Only on accounts of this object class.
    pub if_class: String,
}

impl DirectorySettings {
    /// How accounts are shut and opened: what a new account is given as it stands (`loginShell:
    /// /bin/bash`) is what opening puts back, unless `on_enable` says otherwise.
    pub(super) fn openldap_with_templates(&self) -> OpenldapSettings {
        let mut settings = self.openldap.clone();
        let given = self.create.iter().flat_map(|create| &create.attributes);
        for (attribute, value) in given.filter(|(_, value)| !value.contains('{')) {
            let is_same = |other: &str| other.eq_ignore_ascii_case(attribute);
            let shut = settings.also_set.iter().find(|also| is_same(&also.attribute));
            let Some(if_class) = shut.map(|also| also.if_class.clone()) else { continue };
            if !settings.on_enable.iter().any(|on| is_same(&on.attribute)) {
                let (attribute, value) = (attribute.clone(), Some(value.clone()));
                settings.on_enable.push(OnEnable { attribute, value, if_class });
            }
        }
        settings
    }
}

impl CreateSettings {
    /// Every problem at once: each template is tried on an example.
    pub(super) fn problems(&self, people: &[String]) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let example = Words::example();
        match example.place(&self.below) {
            Err(why) => found.push(SettingsProblem::new("create.below", why)),
            Ok(_) if self.below.contains("{{") => {}
            Ok(place) => {
                let under =
                    |base: &String| Dn::parse(base).is_ok_and(|base| place.1.is_under(&base));
                if !people.iter().any(under) {
                    let advice = "is not below people_base, where alone accounts are seen; name a place below it";
                    found.push(SettingsProblem::new("create.below", advice));
                }
            }
        }
        for (name, template) in &self.attributes {
            let key = format!("create.attributes.{name}");
            if !is_name(name) {
                found.push(SettingsProblem::new(key, "is not an attribute's name"));
            } else if is_ours(name) {
                let advice =
                    "opens, shuts or locks the account; lapsed writes it itself: remove it";
                found.push(SettingsProblem::new(key, advice));
            } else if let Err(why) = render(template, example.plain()) {
                found.push(SettingsProblem::new(key, why));
            }
        }
        let names = self.classes.iter().map(|class| ("create.classes", class));
        let names = names.chain(self.named_by.iter().map(|name| ("create.named_by", name)));
        let names = names.chain(self.mark.iter().map(|name| ("create.mark", name)));
        let wrong = names.filter(|(_, name)| !is_name(name));
        found.extend(
            wrong.map(|(key, name)| SettingsProblem::new(key, format!("{name:?} is no name"))),
        );
        if self.upn_suffix.as_ref().is_some_and(|suffix| suffix.is_empty() || suffix.contains('@'))
        {
            found.push(SettingsProblem::new(
                "create.upn_suffix",
                "is what follows the @; leave it out",
            ));
        }
        found
    }
}

fn is_name(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// What decides whether an account is open, and passwords.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 5] =
        ["unicodepwd", "userpassword", "pwdlastset", "pwdaccountlockedtime", "pwdreset"];
    let name = name.to_ascii_lowercase();
    OURS.contains(&name.as_str()) || name == ActiveDirectory.lock_attribute().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn keys(written: Value) -> Vec<String> {
        let settings: CreateSettings = serde_json::from_value(written).unwrap();
        let people = ["ou=People,dc=agency,dc=test".to_owned()];
        settings.problems(&people).into_iter().map(|problem| problem.key.into_owned()).collect()
    }

    #[rstest]
    #[case::plain(json!({"below": "ou=People,dc=agency,dc=test"}))]
    #[case::by_location(json!({"below": "ou={{ location_name }},ou=People,dc=agency,dc=test"}))]
    #[case::attributes(json!({"below": "ou=People,dc=agency,dc=test",
        "attributes": {"title": "{{ title }}", "manager": "{{ supervisor_dn }}", "gidNumber": "5000"}}))]
    fn what_can_work_passes(#[case] written: Value) {
        assert_eq!(keys(written), [] as [&str; 0]);
    }

    #[rstest]
    #[case::elsewhere(json!({"below": "ou=Other,dc=agency,dc=test"}), "create.below")]
    #[case::no_name(json!({"below": "People"}), "create.below")]
    #[case::unknown_word(json!({"below": "ou={{ place }},dc=test"}), "create.below")]
    #[case::password(json!({"below": "ou=People,dc=agency,dc=test",
        "attributes": {"userPassword": "Welcome1"}}), "create.attributes.userPassword")]
    #[case::no_template(json!({"below": "ou=People,dc=agency,dc=test",
        "attributes": {"title": "{{ title"}}), "create.attributes.title")]
    #[case::no_attribute(json!({"below": "ou=People,dc=agency,dc=test",
        "attributes": {"a)(b": "x"}}), "create.attributes.a)(b")]
    #[case::suffix(json!({"below": "ou=People,dc=agency,dc=test", "upn_suffix": "@agency.test"}),
        "create.upn_suffix")]
    fn what_cannot_work_is_named_by_its_key(#[case] written: Value, #[case] key: &str) {
        assert_eq!(keys(written), [key]);
    }
}
