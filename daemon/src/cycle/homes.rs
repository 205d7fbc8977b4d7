//! Whose a home directory is by now, asked right before it is copied, moved or deleted (D6, N7).
//!
//! The plan may be half a year old. By now another account may have the same home, or the leaver's own
//! account may be open again, be called otherwise, or carry another person's number. Every directory is
//! asked; where one can't be read, nothing is done until it can.

use super::carry_out::Executor;
use super::decide::Departing;
use super::{Cycle, CycleError};
use crate::config::ConnectorSettings;
use crate::store::StoredStep;
use futures_util::future::try_join_all;
use lapsed_connectors::contract::Apply;
use lapsed_connectors::home::HomeSettings;
use lapsed_connectors::home::place::{Place, locate};
use lapsed_core::facts::{ConnectorName, Person, PersonId, UserId};
use lapsed_core::guard::Proposed;
use lapsed_core::observed::{ObservedAccount, PersonKeys, Scope};
use lapsed_core::step::{Action, Cause, Fault, Found, Outcome, Step};
use std::collections::BTreeSet;
use std::time::Duration;

/// An account with the directory that showed it.
type Shown = (ConnectorName, ObservedAccount);

impl Executor {
    /// Applies a batch without the steps whose home is not the leaver's alone, or can't be asked about.
    pub(super) async fn apply_where_homes_are_safe(
        &self,
        hand: &dyn Apply,
        batch: &[StoredStep],
        steps: &[Step],
    ) -> Result<Vec<Result<Outcome, Fault>>, CycleError> {
        let homes: Vec<&Step> = steps.iter().filter(|s| touches_home(s)).collect();
        if homes.is_empty() {
            return Ok(self.apply(hand, steps).await);
        }
        let ids: BTreeSet<PersonId> = batch.iter().map(|stored| stored.step.person).collect();
        let people = self.cycle.store.read().people(&ids.into_iter().collect::<Vec<_>>()).await?;
        let shown = self.cycle.accounts_with(&homes).await;
        let stop = |step: &Step| match &shown {
            _ if !touches_home(step) => None,
            Err(cause) => Some(Err(Fault::Retry(cause.clone()))),
            Ok(shown) => {
                let person = people.iter().find(|person| person.id == step.person);
                let found = objection(step, person, self.cycle.homes_of(step), shown);
                found.map(|description| Ok(Outcome::Drifted(Found { description })))
            }
        };
        let stops: Vec<Option<Result<Outcome, Fault>>> = steps.iter().map(stop).collect();
        let free: Vec<Step> = steps
            .iter()
            .zip(&stops)
            .filter(|(_, stop)| stop.is_none())
            .map(|(step, _)| step.clone())
            .collect();
        let mut applied = match free.is_empty() {
            true => Vec::new(),
            false => self.apply(hand, &free).await,
        }
        .into_iter();
        let lost =
            || Err(Fault::Unknown(Cause::new("the connector did not answer for every step")));
        let merged = stops.into_iter();
        Ok(merged.map(|stop| stop.or_else(|| applied.next()).unwrap_or_else(lost)).collect())
    }
}

impl Cycle {
    /// Tells people of a home that two accounts share as soon as its deletion is planned, so that it can
    /// be mended before its day. Where a directory can't be asked nothing is told: on the day it is asked
    /// again, and nothing is deleted without its answer.
    pub(super) async fn tell_shared_homes(
        &self,
        proposed: &[Proposed],
        departing: &mut [Departing],
    ) {
        let all = proposed.iter().flat_map(|changes| &changes.steps);
        let set_up = |step: &&Step| touches_home(step) && self.homes_of(step).is_some();
        let steps: Vec<&Step> = all.filter(set_up).collect();
        if steps.is_empty() {
            return;
        }
        let shown = match self.accounts_with(&steps).await {
            Ok(shown) => shown,
            Err(cause) => {
                tracing::warn!(%cause, "homes are looked at again before they are touched");
                return;
            }
        };
        for departing in departing {
            let own = steps.iter().filter(|step| step.person == departing.person.id);
            let told = own.filter_map(|step| {
                let person = Some(&departing.person);
                shown.iter().find_map(|shown| {
                    shared(step, person, self.homes_of(step), shown, Own::IsShutToo)
                })
            });
            let told: Vec<String> = told.collect();
            departing.attention.extend(told);
            departing.attention.dedup();
        }
    }

    fn homes_of(&self, step: &Step) -> Option<&HomeSettings> {
        match self.config.connectors.get(&step.connector) {
            Some(ConnectorSettings::Home(settings)) => Some(settings),
            _ => None,
        }
    }

    /// What every directory shows of the accounts of these steps and of all that have the same homes.
    async fn accounts_with(&self, steps: &[&Step]) -> Result<Vec<Shown>, Cause> {
        let keys = steps.iter().map(|step| keys_of(step, self.homes_of(step))).collect();
        let scope = Scope::People(keys);
        // Part of the lease only: the deletion has to fit in as well.
        let seconds = self.config.execution.lease_seconds.div_ceil(4);
        let patience = Duration::from_secs(seconds.into());
        let asked = self.directories().map(async |(name, eye)| {
            match tokio::time::timeout(patience, eye.observe(&scope)).await {
                Ok(Ok(seen)) => {
                    Ok(seen.accounts.into_iter().map(|account| (name.clone(), account)).collect())
                }
                Ok(Err(Fault::Retry(why) | Fault::Refused(why) | Fault::Unknown(why))) => {
                    Err(unasked(name, &why.to_string()))
                }
                Err(_) => Err(unasked(name, "it does not answer in time")),
            }
        });
        let answers: Vec<Vec<Shown>> = try_join_all(asked).await?;
        if answers.is_empty() {
            return Err(Cause::new(
                "no directory is configured that could say whose home it is; nothing is deleted",
            ));
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

fn unasked(name: &ConnectorName, why: &str) -> Cause {
    Cause::new(format!(
        "the directory {name} can't be asked who else has this home, so nothing is done to it: {why}"
    ))
}

fn touches_home(step: &Step) -> bool {
    !homes_in(step).is_empty()
}

/// The homes that a step reads, moves or deletes: by which log-on name, and as the directory named them
/// when the plan was made. A home that is moved must be nobody else's where it was nor where it goes.
fn homes_in(step: &Step) -> Vec<(&UserId, Option<&str>)> {
    match &step.action {
        Action::ArchiveHome { home, .. } | Action::DeleteHome { home, .. } => {
            vec![(&step.expect.user_id, home.as_deref())]
        }
        Action::RenameHome { from, old, new, .. } => {
            vec![(from, old.home.as_deref()), (&step.expect.user_id, new.home.as_deref())]
        }
        _ => Vec::new(),
    }
}

fn is_moved(step: &Step) -> bool {
    matches!(step.action, Action::RenameHome { .. })
}

/// By what the account itself, and every account with the same home, is found.
fn keys_of(step: &Step, settings: Option<&HomeSettings>) -> PersonKeys {
    let mut homes = BTreeSet::new();
    let touched = homes_in(step);
    for (user_id, stated) in &touched {
        let place = settings.and_then(|settings| locate(settings, user_id, *stated).ok());
        for home in stated.map(str::to_owned).into_iter().chain(place.map(|place| place.shown())) {
            homes.extend(spellings(&home));
        }
    }
    PersonKeys {
        ids: vec![step.action.account().id.clone()],
        user_ids: touched.into_iter().map(|(user_id, _)| user_id.clone()).collect(),
        homes: homes.into_iter().collect(),
        ..PersonKeys::default()
    }
}

/// A directory compares whole values: a slash at the end would be another home.
fn spellings(home: &str) -> Vec<String> {
    let bare = bare(home);
    if bare.is_empty() {
        return Vec::new();
    }
    let slash = if bare.contains('\\') { '\\' } else { '/' };
    vec![bare.to_owned(), format!("{bare}{slash}")]
}

fn bare(home: &str) -> &str {
    home.trim().trim_end_matches(['/', '\\'])
}

fn same_text(one: &str, other: &str) -> bool {
    let plain = |home: &str| bare(home).replace('\\', "/").to_lowercase();
    !bare(one).is_empty() && plain(one) == plain(other)
}

/// Why the home must be left alone, as a sentence for people; `None` where it is the leaver's alone.
fn objection(
    step: &Step,
    person: Option<&Person>,
    settings: Option<&HomeSettings>,
    shown: &[Shown],
) -> Option<String> {
    shown.iter().find_map(|shown| match shown {
        (_, account) if account.id == step.action.account().id => changed(step, account),
        _ => shared(step, person, settings, shown, Own::MustBeShut),
    })
}

/// What of the leaver's own further accounts: shut by then, or shut in the same departure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    MustBeShut,
    IsShutToo,
}

/// With whom the home is shared, as a sentence for people.
fn shared(
    step: &Step,
    person: Option<&Person>,
    settings: Option<&HomeSettings>,
    (name, account): &Shown,
    own: Own,
) -> Option<String> {
    // What is moved is still there for the person's own further accounts.
    let may_be_open = own == Own::IsShutToo || is_moved(step);
    let harmless = owns(person, name, account) && (may_be_open || !account.enabled);
    let is_it = account.id == step.action.account().id;
    if is_it || harmless || !shares(step, settings, account) {
        return None;
    }
    Some(format!(
        "the home of {} is also that of {} in {name}, and is left alone: give that account another home, or \
         shut it if it is the same person's",
        step.expect.user_id, account.user_id
    ))
}

/// What of the leaver's own account is no longer as the plan has it.
fn changed(step: &Step, account: &ObservedAccount) -> Option<String> {
    let planned = &step.expect.user_id;
    if step.action.destroys() && account.enabled {
        return Some(format!(
            "the account {planned} is open again, so that its home may be in use; shut it, or take the \
             departure back"
        ));
    }
    if !account.user_ids().any(|id| id.folded() == planned.folded()) {
        return Some(format!(
            "the account {planned} is called {} by now; see which home is whose, and see to it by hand",
            account.user_id
        ));
    }
    let wanted = step.expect.employee_number.as_ref()?;
    let mut numbers = account.employee_numbers().peekable();
    let another = numbers.peek().is_some() && !numbers.any(|n| n.folded() == wanted.folded());
    another.then(|| {
        format!("the account {planned} carries another person's number by now; find out whose home it is")
    })
}

/// Whether the account's home is the one of the step, by the directory's word or by the place it leads to.
fn shares(step: &Step, settings: Option<&HomeSettings>, account: &ObservedAccount) -> bool {
    homes_in(step).into_iter().any(|(user_id, stated)| {
        let place = settings.and_then(|settings| locate(settings, user_id, stated).ok());
        shares_one(settings, account, stated, place.as_ref())
    })
}

fn shares_one(
    settings: Option<&HomeSettings>,
    account: &ObservedAccount,
    stated: Option<&str>,
    place: Option<&Place>,
) -> bool {
    let said = account.home.as_deref();
    if let (Some(one), Some(other)) = (stated, said)
        && same_text(one, other)
    {
        return true;
    }
    let Some(place) = place else { return false };
    let same_place = |home: &str| same_text(&place.shown(), home);
    said.is_some_and(same_place)
        || account.user_ids().any(|id| {
            let other = settings.and_then(|settings| locate(settings, id, said).ok());
            other.is_some_and(|other| same_place(&other.shown()))
        })
}

/// Whether the account is the leaver's too: linked to them, or with the number on it that they have now.
fn owns(person: Option<&Person>, name: &ConnectorName, account: &ObservedAccount) -> bool {
    person.is_some_and(|person| {
        person.has_account(name, &account.id) || account.has_number_of(&person.employee_numbers())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapsed_core::citation::Rule;
    use lapsed_core::facts::{CaseId, EmployeeNumber, PersonName, StableId};
    use lapsed_core::observed::Realm;
    use lapsed_core::step::{Due, Expect, HomePlace, Target};
    use rstest::rstest;
    use uuid::Uuid;

    fn account(id: &str, user_id: &str, home: Option<&str>) -> ObservedAccount {
        ObservedAccount {
            id: StableId::new(id).unwrap(),
            user_id: UserId::new(user_id).unwrap(),
            other_user_ids: Vec::new(),
            place: String::new(),
            enabled: false,
            employee_number: None,
            other_employee_numbers: Vec::new(),
            name: PersonName { last: String::new(), first: String::new(), preferred: None },
            description: None,
            home: home.map(str::to_owned),
            uid_number: None,
            mail: None,
            protection: None,
            groups: Vec::new(),
            realm: Realm::Directory,
            held_in_trust: Vec::new(),
            details: lapsed_core::observed::Details::default(),
        }
    }

    fn own() -> ObservedAccount {
        let employee_number = EmployeeNumber::new("7").ok();
        ObservedAccount { employee_number, ..account("own", "mzsmitj", Some("/home/mzsmitj")) }
    }

    fn step(home: Option<&str>) -> Step {
        let account = Target { id: own().id, label: "mzsmitj".into() };
        Step::new(
            CaseId(Uuid::nil()),
            PersonId(Uuid::nil()),
            ConnectorName::new("homes").unwrap(),
            Action::DeleteHome { account, home: home.map(str::to_owned), uid_number: None },
            Expect { user_id: own().user_id, employee_number: own().employee_number },
            Due::AtOnce,
            Rule::D6,
        )
    }

    fn settings(way: &str) -> HomeSettings {
        let text = format!(
            r#"{{"kind": "home", "roots": ["/home", "/srv/homes"], "in_process": true, {way}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn said(step: &Step, settings: &HomeSettings, accounts: &[ObservedAccount]) -> Option<String> {
        let name = ConnectorName::new("directory").unwrap();
        let shown: Vec<Shown> = accounts.iter().map(|a| (name.clone(), a.clone())).collect();
        objection(step, None, Some(settings), &shown)
    }

    const TEMPLATE: &str = r#""path": "/home/{{ user_id }}""#;
    const STATED: &str = r#""from_directory": {"shares": {"\\\\files\\home$": "/srv/homes"}}"#;

    #[rstest]
    #[case::the_same_word(TEMPLATE, account("x", "mzroej", Some("/home/mzsmitj")), true)]
    #[case::a_slash_more(TEMPLATE, account("x", "mzroej", Some("/home/mzsmitj/")), true)]
    #[case::its_own(TEMPLATE, account("x", "mzroej", Some("/home/mzroej")), false)]
    #[case::none(TEMPLATE, account("x", "mzroej", None), false)]
    #[case::the_same_name_elsewhere(TEMPLATE, account("x", "MZSmitJ", None), true)]
    #[case::the_same_name_with_its_own(
        STATED,
        account("x", "mzsmitj", Some("/home/z/mzsmitj")),
        false
    )]
    #[case::mounted_there(STATED, account("x", "mzroej", Some("/srv/homes/mzsmitj")), true)]
    #[case::other_slashes(STATED, account("x", "mzroej", Some("//FILES/home$/mzsmitj")), true)]
    fn a_home_of_two_accounts_is_nobodys_to_delete(
        #[case] way: &str,
        #[case] other: ObservedAccount,
        #[case] stops: bool,
    ) {
        let home = if way == STATED { r"\\files\home$\mzsmitj" } else { "/home/mzsmitj" };
        let other_id = other.user_id.to_string();
        let why = said(&step(Some(home)), &settings(way), &[own(), other]);
        assert_eq!(why.is_some(), stops, "{why:?}");
        if let Some(why) = why {
            assert!(why.contains("mzsmitj") && why.contains(&other_id), "{why}");
        }
    }

    #[rstest]
    #[case::as_planned(own(), None)]
    #[case::open_again(ObservedAccount { enabled: true, ..own() }, Some("open again"))]
    #[case::renamed(ObservedAccount { user_id: UserId::new("mzdoej").unwrap(), ..own() }, Some("mzdoej"))]
    #[case::another_number(
        ObservedAccount { employee_number: EmployeeNumber::new("8").ok(), ..own() },
        Some("another person's number")
    )]
    #[case::no_number(ObservedAccount { employee_number: None, ..own() }, None)]
    fn the_leavers_account_is_as_the_plan_has_it(
        #[case] now: ObservedAccount,
        #[case] stops: Option<&str>,
    ) {
        let why = said(&step(Some("/home/mzsmitj")), &settings(TEMPLATE), &[now]);
        assert_eq!(why.is_some(), stops.is_some(), "{why:?}");
        assert!(why.unwrap_or_default().contains(stops.unwrap_or_default()));
    }

    fn renaming() -> Step {
        let place = |home: &str| HomePlace { home: Some(home.into()), uid_number: None };
        let action = Action::RenameHome {
            account: Target { id: own().id, label: "mzsmitj".into() },
            from: UserId::new("mzjonej").unwrap(),
            old: place("/home/mzjonej"),
            new: place("/home/mzsmitj"),
        };
        Step { action, ..step(None) }
    }

    #[rstest]
    #[case::where_it_was(account("x", "mzroej", Some("/home/mzjonej")), true)]
    #[case::where_it_goes(account("x", "mzroej", Some("/home/mzsmitj")), true)]
    #[case::anothers_name_is_the_old_one(account("x", "MZJonej", None), true)]
    #[case::its_own(account("x", "mzroej", Some("/home/mzroej")), false)]
    #[case::not_renamed_yet(ObservedAccount { user_id: UserId::new("mzjonej").unwrap(), ..own() }, true)]
    #[case::renamed_and_open(ObservedAccount { enabled: true, ..own() }, false)]
    #[case::their_own_elsewhere(
        ObservedAccount {
            employee_number: EmployeeNumber::new("7").ok(),
            enabled: true,
            ..account("x", "mzjonej", Some("/home/mzjonej"))
        },
        false
    )]
    fn a_home_is_moved_only_where_both_its_places_are_the_persons_alone(
        #[case] other: ObservedAccount,
        #[case] stops: bool,
    ) {
        let name = ConnectorName::new("directory").unwrap();
        let person = Person {
            accounts: vec![lapsed_core::facts::LinkedAccount {
                connector: name.clone(),
                id: StableId::new("x").unwrap(),
                user_id: UserId::new("mzjonej").unwrap(),
            }],
            ..Person::new(PersonId(Uuid::nil()))
        };
        let linked = other.employee_number.is_some().then_some(&person);
        let settings = settings(TEMPLATE);
        let why = objection(&renaming(), linked, Some(&settings), &[(name, other)]);
        assert_eq!(why.is_some(), stops, "{why:?}");
        let keys = keys_of(&renaming(), Some(&settings));
        let homes = ["/home/mzjonej", "/home/mzjonej/", "/home/mzsmitj", "/home/mzsmitj/"];
        assert_eq!(keys.homes, homes);
    }

    #[test]
    fn an_account_that_is_gone_stops_nothing() {
        assert_eq!(said(&step(None), &settings(TEMPLATE), &[]), None);
    }

    #[rstest]
    #[case::shut(false, false)]
    #[case::open(true, true)]
    fn the_leavers_other_account_stops_it_while_it_is_open(
        #[case] enabled: bool,
        #[case] stops: bool,
    ) {
        let other = ObservedAccount { enabled, ..account("x", "mzsmitj", Some("/home/mzsmitj")) };
        let name = ConnectorName::new("directory").unwrap();
        let person = Person {
            accounts: vec![lapsed_core::facts::LinkedAccount {
                connector: name.clone(),
                id: other.id.clone(),
                user_id: other.user_id.clone(),
            }],
            ..Person::new(PersonId(Uuid::nil()))
        };
        let shown = [(name.clone(), own()), (name, other)];
        let settings = settings(TEMPLATE);
        let why = objection(&step(None), Some(&person), Some(&settings), &shown);
        assert_eq!(why.is_some(), stops, "{why:?}");
    }

    #[test]
    fn directories_are_asked_for_the_place_and_for_the_word_with_and_without_a_slash() {
        let keys = keys_of(&step(Some(r"\\files\home$\mzsmitj")), Some(&settings(STATED)));
        let wanted = [
            "/srv/homes/mzsmitj",
            "/srv/homes/mzsmitj/",
            r"\\files\home$\mzsmitj",
            r"\\files\home$\mzsmitj\",
        ];
        assert_eq!(keys.homes, wanted);
        assert_eq!(keys.ids, [own().id]);
    }
}
