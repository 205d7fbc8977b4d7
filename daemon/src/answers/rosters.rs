//! `lapsed report roster`: who holds what in somebody's charge, as it is now (S6). Everybody may see their
//! own; who looks at another's is an operator.

use crate::config::Role;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::cycle::access::authority::{Account, GroupsAsked};
use crate::reports::roster::Charge;
use crate::service::Daemon;
use crate::views::{RosterView, RostersView};
use lapsed_core::access::authority::{Matter, Member, Question};
use lapsed_core::access::chain::Progress;
use lapsed_core::access::form::Asks;
use lapsed_core::facts::{Actor, LocationId, PersonId, UserId};
use lapsed_core::shown::shown;
use std::collections::BTreeSet;

pub(super) async fn rosters(
    daemon: &Daemon,
    caller: &Caller,
    of: Option<&str>,
) -> Result<RostersView, ConsoleError> {
    let (cycle, now) = (daemon.cycle(), daemon.now());
    let account = account(&cycle, caller, of).await?;
    let member = cycle.member(&account, &mut GroupsAsked::default()).await?;
    let (own, locations) = (own_person(daemon, &account).await?, locations_of(&cycle, &member));
    let is_theirs = |charge: &Charge| match charge {
        Charge::Supervisor(id) => Some(*id) == own,
        Charge::Location(id) => locations.contains(id),
        Charge::Nobody => false,
    };
    let all = cycle.rosters(now).await?.into_iter().filter(|roster| is_theirs(&roster.charge));
    let answer_by = cycle
        .config
        .policy
        .access
        .forms
        .iter()
        .find(|(_, rule)| rule.asks.contains(&Asks::Recertify));
    let asks_groups = !cycle.config.policy.access.reports.location_roles.is_empty();
    Ok(RostersView {
        of: account.name.to_string(),
        answer_by: answer_by.map(|(name, _)| name.to_string()),
        unread: if asks_groups { member.unread } else { Vec::new() },
        rosters: all.map(|one| RosterView { about: one.about, lines: one.lines }).collect(),
    })
}

async fn account(
    cycle: &Cycle,
    caller: &Caller,
    of: Option<&str>,
) -> Result<Account, ConsoleError> {
    let other = of.filter(|name| *name != caller.name.as_str());
    let Some(name) = other else { return Ok(Account::from(caller)) };
    if !caller.may(Role::Operator) {
        return Err(ConsoleError::new(
            ErrorKind::Refused,
            format!("the roster of {} is not yours to see", shown(name)),
            "Leave --for away to see your own; operators see everybody's.",
        ));
    }
    let name = Actor::new(name).map_err(|problem| {
        let advice = "Name the user ID of a supervisor or a security officer.";
        ConsoleError::new(ErrorKind::Bad, problem.to_string(), advice)
    })?;
    Ok(cycle.account_of(&name).await)
}

/// The one person who logs on by the account's name; two of one name are nobody.
async fn own_person(daemon: &Daemon, account: &Account) -> Result<Option<PersonId>, ConsoleError> {
    let Ok(user_id) = UserId::new(account.name.as_str()) else { return Ok(None) };
    let people = daemon.store.read().people_by_keys(&[], &[user_id]).await?;
    Ok(match &people[..] {
        [only] => Some(only.id),
        _ => None,
    })
}

/// Locations for which they have one of the roles that may look.
fn locations_of(cycle: &Cycle, member: &Member) -> BTreeSet<LocationId> {
    let access = &cycle.config.policy.access;
    let progress = Progress { parts: Vec::new(), counted: Vec::new() };
    let has_role = |location: &&LocationId| {
        let matter = Matter { location: Some((*location).clone()), ..Matter::default() };
        let question = Question {
            matter: &matter,
            progress: &progress,
            rules: &access.approvers,
            away: &[],
            today: jiff::civil::Date::MIN,
        };
        access.reports.location_roles.iter().any(|role| question.holds(member, role))
    };
    cycle.config.policy.locations.keys().filter(has_role).cloned().collect()
}
