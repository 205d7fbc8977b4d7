//! Whether an account that a key found is the person's: nothing is given to an account that may be
//! somebody else's.

use super::Granting;
use super::place::is_vouched_for;
use crate::access::form::Asks;
use crate::facts::{ConnectorName, UserId};
use crate::observed::{ObservedAccount, Realm};
use crate::policy::departure;
use crate::reconcile::corroboration::fold_surname;
use crate::step::Action;

/// Whose an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ownership {
    /// The person's own.
    Own,
    /// One beside it, by its name (`adm-…`): forms give nothing to it.
    Beside,
    /// A key found it, and something else contradicts.
    Doubtful(String),
}

pub(super) fn of(
    input: &Granting<'_>,
    connector: &ConnectorName,
    account: &ObservedAccount,
) -> Ownership {
    if is_beside(input, account) {
        return Ownership::Beside;
    }
    if input.of_others.contains(&(connector.clone(), account.id.clone())) {
        return Ownership::Doubtful("it is known to be somebody else's".into());
    }
    let is_known = input.person.has_account(connector, &account.id);
    match agrees(input, (connector, account), is_known) {
        Ok(()) => Ownership::Own,
        Err(because) => Ownership::Doubtful(because),
    }
}

fn agrees(
    input: &Granting<'_>,
    (connector, account): (&ConnectorName, &ObservedAccount),
    is_known: bool,
) -> Result<(), String> {
    let theirs = input.person.numbers_ever();
    let numbers: Vec<String> = account.employee_numbers().map(|n| n.folded()).collect();
    let number_agrees = theirs.iter().any(|n| numbers.contains(&n.folded()));
    // Numbers change and are mistyped, but an account with another's number is another's.
    let unknown_here = theirs.is_empty() && is_known;
    if !(numbers.is_empty() || number_agrees || unknown_here) {
        return Err("it carries an employee number that is not the person's".into());
    }
    if is_known {
        return Ok(());
    }
    let is_system = account.realm == Realm::System;
    if is_system && !number_agrees && is_new_name(input, &account.user_id) {
        return match was_made(input, connector, &account.user_id) {
            true => Ok(()),
            false => {
                Err("it was there before it was made for the person, and carries no number: a \
                          namesake's would look the same"
                    .into())
            }
        };
    }
    let on_account = fold_surname(&account.name.last);
    if is_system && on_account.is_empty() {
        return if number_agrees || is_reserved(input, &account.user_id) {
            Ok(())
        } else {
            Err("it shows neither name nor number".into())
        };
    }
    if on_account.is_empty() {
        return Err("it carries no last name to compare with the form's".into());
    }
    if last_names(input).contains(&on_account) {
        Ok(())
    } else {
        Err("its last name is not the person's".into())
    }
}

/// A name that a form set apart: it is made of the last name, so that both say the same of an account of a
/// system whose names nobody could ask for.
fn is_new_name(input: &Granting<'_>, user_id: &UserId) -> bool {
    let mut reserved = input.forms.iter().filter_map(|form| form.reserved.as_ref());
    reserved.any(|id| id.folded() == user_id.folded())
}

/// Whether a step of the person's forms made an account of this name there, or may have.
fn was_made(input: &Granting<'_>, connector: &ConnectorName, user_id: &UserId) -> bool {
    input.journal.values().any(|(step, state)| {
        let makes =
            matches!(step.action, Action::CreateAccount { .. } | Action::GrantAccess { .. });
        let may_have = state.is_done() || state.is_perhaps_begun();
        makes
            && may_have
            && step.action.account().id.is_to_be_made()
            && &step.connector == connector
            && step.expect.user_id.folded() == user_id.folded()
    })
}

/// A name that lapsed gave or is giving to this person is nobody else's (N5).
fn is_reserved(input: &Granting<'_>, user_id: &UserId) -> bool {
    let reserved = input.forms.iter().filter_map(|form| form.reserved.as_ref());
    let held = input.person.accounts.iter().map(|account| &account.user_id);
    reserved.chain(held).any(|id| id.folded() == user_id.folded())
}

fn last_names(input: &Granting<'_>) -> Vec<String> {
    let hr = input.person.engagements.iter().filter_map(|e| e.name.as_ref()).map(|n| &n.last);
    // What a form says of a name counts once somebody stands behind it. Of whom HR names nobody, the first
    // form `new` made the person.
    let hr_names = input.person.engagements.iter().any(|e| e.name.is_some());
    let first = input.forms.iter().filter(|form| form.form.asks == Asks::New);
    let maker = first.map(|form| form.number).min().filter(|_| !hr_names);
    let forms = input.forms.iter().filter(|form| form.form.asks != Asks::Agreement);
    let forms =
        forms.filter(|form| Some(form.number) == maker || is_vouched_for(form, input.entitlements));
    let forms = forms.flat_map(|form| form.form.person.name.iter().chain(&form.form.new_name));
    hr.chain(forms.map(|name| &name.last)).map(|last| fold_surname(last)).collect()
}

fn is_beside(input: &Granting<'_>, account: &ObservedAccount) -> bool {
    let templates = &input.policy.departure.linked_accounts;
    let observed = input.accounts.iter().filter(|(_, a)| a.id != account.id);
    let known = input.person.accounts.iter().filter(|a| a.id != account.id);
    // After a rename the account beside it goes on bearing the name of before.
    let earlier = input.person.user_ids();
    let renamed = input.forms.iter().filter_map(|form| form.form.old_user_id.as_ref());
    let bases = observed.map(|(_, a)| &a.user_id).chain(known.map(|a| &a.user_id));
    let bases = bases.chain(&earlier).chain(renamed);
    bases.into_iter().any(|base| {
        departure::linked_user_ids(templates, base)
            .is_ok_and(|linked| linked.iter().any(|id| id.folded() == account.user_id.folded()))
    })
}
