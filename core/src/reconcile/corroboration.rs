//! Whether an account that a key found is really the person's.

use super::Departure;
use crate::absorb::fold_name;
use crate::facts::EmployeeNumber;
use crate::observed::{ObservedAccount, Realm};
use crate::policy::departure;

/// Whether a second attribute beside the key says that the account is the person's.
///
/// The key alone is not enough: numbers are mistyped and reused. The last name counts, or a user ID that
/// HR itself states; a linked account (`adm-…`) counts when its own pattern leads from an account that
/// agrees; an operator who named the account is his own second attribute.
pub(super) fn corroborated(input: &Departure<'_>, account: &ObservedAccount) -> Result<(), String> {
    if input.of_others.iter().any(|(_, id)| *id == account.id) {
        return Err("the account is known to be somebody else's".into());
    }
    if let Some(number) = &account.employee_number {
        let theirs = input.person.numbers_ever();
        if !theirs.is_empty() && !theirs.iter().any(|n| n.folded() == number.folded()) {
            return Err("the account carries another employee number".into());
        }
    }
    if account.realm == Realm::Directory && is_linked(input, account) {
        return Ok(());
    }
    if account.realm == Realm::System && account.name.last.is_empty() {
        return known_by_directory(input, account);
    }
    // An operator named an account, not whatever else a key may lead to.
    let named = input.person.accounts.iter().any(|known| known.id == account.id);
    if input.by_operator && named {
        return Ok(());
    }
    let Some(stated) = input.person.name() else {
        return Err("the notice gives no name to compare with the account's".into());
    };
    let names: Vec<String> = input
        .person
        .engagements
        .iter()
        .filter_map(|e| e.name.as_ref())
        .map(|name| fold_surname(&name.last))
        .collect();
    let on_account = fold_surname(&account.name.last);
    if on_account.is_empty() {
        return Err("the account carries no last name to compare with the notice's".into());
    }
    if names.contains(&on_account) {
        return match is_by_former_number(input, account) && !first_name_agrees(input, account) {
            true => Err(
                "only a number that the person had before leads to it, and its first name is not \
                         theirs"
                    .into(),
            ),
            false => Ok(()),
        };
    }
    let initial = stated.last.chars().next().unwrap_or('?');
    Err(format!("the account's last name is not the one in the notice ({initial}…)"))
}

/// Whether nothing but a number of before leads to the account: it may have been somebody else's all along,
/// mistyped by HR and corrected since.
fn is_by_former_number(input: &Departure<'_>, account: &ObservedAccount) -> bool {
    let person = input.person;
    account.employee_numbers().next().is_some()
        && !account.has_number_of(&person.employee_numbers())
        && !account.has_user_id_of(&person.user_ids())
        && !person.accounts.iter().any(|known| known.id == account.id)
}

fn first_name_agrees(input: &Departure<'_>, account: &ObservedAccount) -> bool {
    let names = input.person.engagements.iter().filter_map(|e| e.name.as_ref());
    let mut first = names.flat_map(|name| std::iter::once(&name.first).chain(&name.preferred));
    let on_account = fold_name(&account.name.first);
    !on_account.is_empty() && first.any(|name| fold_name(name) == on_account)
}

/// A last name without suffix and punctuation, since HR and directories spell those differently.
pub(super) fn fold_surname(last: &str) -> String {
    let words: Vec<String> = last.split_whitespace().map(fold_name).collect();
    let is_suffix = |word: &str| matches!(word, "jr" | "sr" | "ii" | "iii" | "iv");
    let keep =
        words.iter().rposition(|word| !is_suffix(word) && !word.is_empty()).map_or(0, |p| p + 1);
    words.into_iter().take(keep).collect()
}

pub(super) fn is_linked(input: &Departure<'_>, account: &ObservedAccount) -> bool {
    let templates = &input.policy.departure.linked_accounts;
    let observed = input.accounts.iter().filter(|(_, base)| base.id != account.id);
    // An account beside one that was renamed goes on bearing the name of before, which is nobody else's (N5).
    let earlier = input.person.user_ids();
    observed.map(|(_, base)| &base.user_id).chain(&earlier).any(|base| {
        departure::linked_user_ids(templates, base)
            .is_ok_and(|linked| linked.iter().any(|id| id.folded() == account.user_id.folded()))
    })
}

/// An account of a system that shows no name: HR's number on it, or the user ID of a directory account
/// that agrees in name and number, says whose it is. User IDs are never given twice (N5).
fn known_by_directory(input: &Departure<'_>, account: &ObservedAccount) -> Result<(), String> {
    let number = account.employee_number.as_ref();
    let is_among = |theirs: Vec<EmployeeNumber>| {
        number.is_some_and(|number| theirs.iter().any(|n| n.folded() == number.folded()))
    };
    let is_linked = input.person.accounts.iter().any(|known| known.id == account.id);
    if is_among(input.person.employee_numbers())
        || (is_linked && is_among(input.person.numbers_ever()))
    {
        return Ok(());
    }
    if number.is_some() && !is_among(input.person.numbers_ever()) {
        return Err("it carries a number that is not known to be the person's".into());
    }
    let same = |other: &ObservedAccount| {
        other.realm == Realm::Directory
            && other.user_id.folded() == account.user_id.folded()
            && corroborated(input, other).is_ok()
    };
    if input.accounts.iter().any(|(_, other)| same(other)) {
        return Ok(());
    }
    Err(match number {
        Some(_) => "it shows a number that the person had before and no name, and no account of a directory \
                    with its user ID agrees",
        None => "it shows neither name nor number, and no account of a directory with its user ID agrees",
    }
    .into())
}
