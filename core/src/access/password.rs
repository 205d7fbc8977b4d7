//! What a first password must be (A8): long, of several classes, and with nothing of its owner in it.

use crate::policy::access::PasswordRules;

/// The shortest first password, whatever the settings say (A8).
pub const SHORTEST: usize = 16;
/// A part of a name this short is chance: directories count from three characters, too.
const SHORTEST_PART: usize = 3;

/// Why a password is not good enough. None of them shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Too few characters.
    #[error("it is too short")]
    Short,
    /// Too few of the classes upper case, lower case, digits and others.
    #[error("it has too few kinds of characters")]
    FewClasses,
    /// The user ID or a part of the person's names is in it.
    #[error("a part of the owner's names is in it")]
    Name,
}

/// How many characters a first password gets.
#[must_use]
pub fn length(rules: &PasswordRules) -> usize {
    usize::from(rules.length).max(SHORTEST)
}

/// Whether a password keeps the rules; `names` are the user ID and the person's names.
///
/// # Errors
/// The first rule that it breaks.
pub fn check<'n>(
    password: &str,
    names: impl IntoIterator<Item = &'n str>,
    rules: &PasswordRules,
) -> Result<(), Weakness> {
    if password.chars().count() < length(rules) {
        return Err(Weakness::Short);
    }
    if classes(password) < usize::from(rules.classes.min(4)) {
        return Err(Weakness::FewClasses);
    }
    let lower = password.to_lowercase();
    let has = |part: &str| lower.contains(&part.to_lowercase());
    if names.into_iter().flat_map(parts).any(has) { Err(Weakness::Name) } else { Ok(()) }
}

fn classes(password: &str) -> usize {
    let any = |of: fn(char) -> bool| usize::from(password.chars().any(of));
    let other = |c: char| !c.is_uppercase() && !c.is_lowercase() && !c.is_numeric();
    any(char::is_uppercase) + any(char::is_lowercase) + any(char::is_numeric) + any(other)
}

/// The name as a whole and each word of it.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.chain([name.trim()]).filter(|part| part.chars().count() >= SHORTEST_PART)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::good("kT7vqWm4RnHx3pYd-uGe", Ok(()))]
    #[case::fifteen_characters("kT7vqWm4RnHx3pY", Err(Weakness::Short))]
    #[case::two_classes("ktvqwmrnhxpydugexxkk7", Err(Weakness::FewClasses))]
    #[case::the_user_id("kT7vq-MZSmitJ-nHx3pYd", Err(Weakness::Name))]
    #[case::the_last_name("kT7vq-smith-nHx3pYd9K", Err(Weakness::Name))]
    #[case::one_of_two_first_names("kT7vqanne-nHx3pYd9KRw", Err(Weakness::Name))]
    #[case::a_short_name_is_chance("kT7vqLiWm4RnHx3pYd-uG", Ok(()))]
    fn a_password_keeps_every_rule(#[case] password: &str, #[case] ending: Result<(), Weakness>) {
        let rules = PasswordRules { length: 16, ..PasswordRules::default() };
        assert_eq!(check(password, ["mzsmitj", "Smith", "Mary-Anne", "Li"], &rules), ending);
    }

    #[rstest]
    #[case(7, 16)]
    #[case(20, 20)]
    fn no_setting_makes_it_shorter_than_the_policy(#[case] wanted: u8, #[case] given: usize) {
        let rules = PasswordRules { length: wanted, ..PasswordRules::default() };
        assert_eq!(length(&rules), given);
    }
}
