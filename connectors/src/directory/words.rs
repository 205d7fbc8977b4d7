//! The facts of a person as the templates of new and renamed accounts see them.

use super::dn::{Dn, escape_value};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lapsed_core::step::{Blueprint, NewName};
use lapsed_core::template::strict;
use minijinja::Value;
use std::collections::BTreeMap;

/// Instructions that one template may take.
const FUEL: u64 = 20_000;
/// Longest value in characters; directories' own limits are lower.
const LONGEST: usize = 1_024;
/// Seconds from 1601 to 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600;

/// Facts by name; those that are unknown are absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(BTreeMap<&'static str, String>);

/// Every name that a template may use.
const NAMES: [&str; 18] = [
    "user_id",
    "first",
    "last",
    "preferred",
    "display_name",
    "mail",
    "employee_number",
    "location",
    "location_name",
    "kind",
    "title",
    "supervisor",
    "supervisor_dn",
    "home",
    "uid_number",
    "ends_on",
    "ends_on_days",
    "ends_on_filetime",
];

impl Words {
    /// The facts of a new account.
    pub(super) fn of(blueprint: &Blueprint, supervisor_dn: Option<&str>) -> Self {
        let text = |value: &Option<String>| value.clone();
        let day = blueprint.ends_on;
        Self::known([
            ("user_id", Some(blueprint.user_id.to_string())),
            ("first", Some(blueprint.name.first.clone())),
            ("last", Some(blueprint.name.last.clone())),
            ("preferred", text(&blueprint.name.preferred)),
            ("display_name", Some(blueprint.display_name.clone())),
            ("mail", text(&blueprint.mail)),
            ("employee_number", blueprint.employee_number.as_ref().map(ToString::to_string)),
            ("location", blueprint.location.as_ref().map(ToString::to_string)),
            ("location_name", text(&blueprint.location_name)),
            ("kind", blueprint.kind.as_ref().map(ToString::to_string)),
            ("title", text(&blueprint.title)),
            ("supervisor", blueprint.supervisor.as_ref().map(ToString::to_string)),
            ("supervisor_dn", supervisor_dn.map(str::to_owned)),
            ("home", text(&blueprint.home)),
            ("uid_number", blueprint.uid_number.map(|number| number.to_string())),
            ("ends_on", day.map(|day| day.to_string())),
            ("ends_on_days", day.and_then(days).map(|days| days.to_string())),
            ("ends_on_filetime", day.and_then(filetime_after).map(|time| time.to_string())),
        ])
    }

    /// The facts that a rename carries.
    pub(super) fn of_rename(to: &NewName) -> Self {
        Self::known([
            ("user_id", Some(to.user_id.to_string())),
            ("first", Some(to.name.first.clone())),
            ("last", Some(to.name.last.clone())),
            ("preferred", to.name.preferred.clone()),
            ("display_name", Some(to.display_name.clone())),
            ("mail", to.mail.clone()),
            ("location", to.location.as_ref().map(ToString::to_string)),
            ("location_name", to.location_name.clone()),
            ("home", to.home.clone()),
        ])
    }

    /// An example on which templates are tried.
    pub(super) fn example() -> Self {
        Self(NAMES.map(|name| (name, "1".to_owned())).into_iter().collect())
    }

    fn known<const N: usize>(facts: [(&'static str, Option<String>); N]) -> Self {
        let given = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Self(given.filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// For attributes: what is unknown gives nothing.
    pub(super) fn plain(&self) -> Value {
        let of = |name: &'static str| (name, self.0.get(name).cloned().unwrap_or_default());
        Value::from_pairs(NAMES.map(of))
    }

    /// Only what is known.
    pub(super) fn known_only(&self) -> Value {
        Value::from_pairs(self.0.iter().map(|(name, value)| (*name, value.clone())))
    }

    /// The distinguished name that a template for places gives: every value escaped, every word known.
    pub(super) fn place(&self, template: &str) -> Result<(String, Dn), String> {
        let escaped = self.0.iter().map(|(name, value)| (*name, escape_value(value)));
        let escaped = Value::from_pairs(escaped);
        let text = render(template, escaped)?;
        match Dn::parse(&text) {
            Ok(dn) if !dn.is_root() => Ok((text, dn)),
            _ => Err("gives no distinguished name such as ou=People,dc=example,dc=org".into()),
        }
    }
}

/// One line; a word that is unknown is an error.
pub(super) fn render(template: &str, words: Value) -> Result<String, String> {
    let engine = strict(FUEL);
    let text = engine
        .render_str(template, words)
        .map_err(|error| format!("is no template that can be carried out: {error}"))?;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() > LONGEST {
        return Err(format!("gives more than {LONGEST} characters"));
    }
    Ok(line.trim().to_owned())
}

fn days(day: Date) -> Option<i64> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second() / 86_400)
}

/// When the day is over wherever on earth the agency is: noon of the day after, in UTC.
fn filetime_after(day: Date) -> Option<i64> {
    let seconds = (days(day)? + 1) * 86_400 + 43_200;
    seconds.checked_add(FILETIME_EPOCH)?.checked_mul(10_000_000)
}

/// A text by which a stamp (D2) is known again, whatever the day and the case: what varies is `*`. Nothing
/// where too little of it stays the same.
pub(super) fn stamp_pattern(template: &str) -> Option<String> {
    let any = ["date", "case", "user_id"].map(|name| (name, "*"));
    let pattern = render(template, Value::from_pairs(any)).ok()?;
    let fixed = pattern.chars().filter(|c| c.is_alphanumeric()).count();
    (fixed >= 4).then_some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapsed_core::wildcard::fits;

    fn words(location: &str) -> Words {
        Words::known([("location_name", Some(location.to_owned())), ("location", Some("z".into()))])
    }

    #[test]
    fn a_value_in_a_place_stays_one_name() {
        let template = "OU={{ location_name }},OU=People,DC=lab";
        let (text, dn) = words("Rolla, OU=Admins").place(template).unwrap();
        assert_eq!(text, "OU=Rolla\\, OU\\=Admins,OU=People,DC=lab");
        assert!(dn.is_under(&Dn::parse("OU=People,DC=lab").unwrap()));
    }

    #[test]
    fn a_place_that_needs_an_unknown_word_is_an_error() {
        assert!(words("").place("OU={{ location_name }},DC=lab").is_err());
        assert!(words("").place("OU={{ kind }},DC=lab").is_err());
    }

    #[test]
    fn a_value_is_text_and_no_template() {
        let words = Words::known([("title", Some("{{ 7 * 7 }}\n".to_owned()))]);
        assert_eq!(render("{{ title }}", words.plain()).unwrap(), "{{ 7 * 7 }}");
        assert_eq!(render("{{ supervisor }}", words.plain()).unwrap(), "");
    }

    #[test]
    fn a_stamp_is_known_again_and_nothing_else_is() {
        let pattern = stamp_pattern("Disabled {{ date }} by lapsed, case {{ case }}").unwrap();
        assert!(fits(&pattern, "Disabled 2026-11-22 by lapsed, case 7c0e"));
        assert!(!fits(&pattern, "Disabled veteran, ward 3"));
        assert_eq!(stamp_pattern("{{ date }} {{ case }}"), None);
    }

    #[test]
    fn the_last_day_is_counted_to_its_end_wherever_the_agency_is() {
        let day = Date::constant(2026, 11, 22);
        assert_eq!(days(day), Some(20_779));
        // 2026-11-23T12:00:00Z.
        assert_eq!(filetime_after(day), Some((1_795_435_200 + FILETIME_EPOCH) * 10_000_000));
    }
}
