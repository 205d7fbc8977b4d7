//! `lapsed report roster`: who holds what in somebody's charge, as it is now (S6). Everybody may see their
//! own; who looks at another's is an operator.

use crate::config::Role;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::cycle::access::authority::Account;
use crate::reports::roster::Roster;
use crate::service::Daemon;
use crate::views::{RosterView, RostersView};
use lapsed_core::access::form::Asks;
use lapsed_core::facts::Actor;
use lapsed_core::shown::shown;

pub(super) async fn rosters(
    daemon: &Daemon,
    caller: &Caller,
    of: Option<&str>,
) -> Result<RostersView, ConsoleError> {
    let cycle = daemon.cycle();
    let account = account(&cycle, caller, of).await?;
    let own = cycle.rosters_for(&account, daemon.now()).await?;
    let answer_by = cycle
        .config
        .policy
        .access
        .forms
        .iter()
        .find(|(_, rule)| rule.asks.contains(&Asks::Recertify));
    Ok(RostersView {
        of: account.name.to_string(),
        answer_by: answer_by.map(|(name, _)| name.to_string()),
        unread: own.unread,
        rosters: own.rosters.into_iter().map(view).collect(),
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

fn view(roster: Roster) -> RosterView {
    RosterView { about: roster.about, lines: roster.lines }
}
