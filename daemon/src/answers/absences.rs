//! `lapsed away`: who decides in whose place for a while (A2).

use super::commands::cited;
use crate::config::Role;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::service::Daemon;
use crate::views::{AbsenceView, AbsencesView, AwayRequest, DoneView, EndAwayRequest};
use jiff::civil::Date;
use lapsed_core::access::decision::Absence;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Actor, ApproverRole};
use serde_json::json;
use uuid::Uuid;

fn bad(error: impl Into<String>, advice: &str) -> ConsoleError {
    ConsoleError::new(ErrorKind::Bad, error, advice)
}

/// Whether an absence is the caller's business.
fn concerns(absence: &Absence, caller: &Caller) -> bool {
    let own = caller.name.folded();
    caller.may(Role::Operator) || absence.away.folded() == own || absence.deputy.folded() == own
}

pub(super) async fn absences(
    daemon: &Daemon,
    caller: &Caller,
) -> Result<AbsencesView, ConsoleError> {
    let today = daemon.cycle().today(daemon.now());
    let mut all = daemon.store.read().absences(today).await?;
    all.retain(|absence| concerns(absence, caller));
    all.sort_by_key(|absence| (absence.from, absence.at));
    let view = |absence: Absence| AbsenceView {
        id: absence.id.to_string(),
        away: absence.away.to_string(),
        deputy: absence.deputy.to_string(),
        role: absence.role.map(|role| role.to_string()),
        from: absence.from.to_string(),
        until: absence.until.to_string(),
        entered_by: absence.entered_by.to_string(),
    };
    Ok(AbsencesView { absences: all.into_iter().map(view).collect() })
}

pub(super) async fn away(
    daemon: &Daemon,
    caller: &Caller,
    request: AwayRequest,
) -> Result<DoneView, ConsoleError> {
    let today = daemon.cycle().today(daemon.now());
    let absence = checked(daemon, caller, request, today)?;
    let mut tx = daemon.store.begin().await?;
    tx.save_absence(&absence).await?;
    tx.audit(row(daemon, caller, &absence, "absence.entered"));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "from {} until {} {} decides in the place of {}",
            absence.from, absence.until, absence.deputy, absence.away
        ),
    })
}

fn checked(
    daemon: &Daemon,
    caller: &Caller,
    request: AwayRequest,
    today: Date,
) -> Result<Absence, ConsoleError> {
    let name = |text: String, flag: &str| {
        Actor::new(text).map_err(|error| bad(error.to_string(), &format!("give {flag} USER")))
    };
    let away = match request.who {
        Some(who) => name(who, "--for")?,
        None => caller.name.clone(),
    };
    let deputy = name(request.deputy, "--deputy")?;
    if away.folded() != caller.name.folded() {
        of_another(caller, (&away, &deputy), request.role.as_deref())?;
    }
    if deputy.folded() == away.folded() {
        return Err(bad("nobody is their own deputy", "name somebody else with --deputy"));
    }
    if request.until < request.from || request.until < today {
        return Err(bad(
            format!("{} to {} is no time that lies ahead", request.from, request.until),
            "give the first day with --from and the last with --until",
        ));
    }
    let role = request.role.map(|role| known_role(daemon, &role)).transpose()?;
    Ok(Absence {
        id: Uuid::now_v7(),
        away,
        deputy,
        role,
        from: request.from,
        until: request.until,
        entered_by: caller.name.clone(),
        at: daemon.now(),
    })
}

/// Somebody else's absence is entered by an operator, in one role, and for a third to decide: nobody makes
/// themselves deputy of anybody (four eyes, A2).
fn of_another(
    caller: &Caller,
    (away, deputy): (&Actor, &Actor),
    role: Option<&str>,
) -> Result<(), ConsoleError> {
    let refused = |why: String, advice| Err(ConsoleError::new(ErrorKind::Refused, why, advice));
    if !caller.may(Role::Operator) {
        let why = format!("only an operator enters an absence of somebody else, such as {away}");
        return refused(why, "leave --for out to enter your own");
    }
    if deputy.folded() == caller.name.folded() {
        let why = format!("{deputy} can't make themselves deputy of {away} (four eyes, A2)");
        return refused(why, "have another operator enter it, or name somebody else with --deputy");
    }
    if role.is_none_or(|role| role.trim().is_empty()) {
        return Err(bad(
            format!("for {away} a deputy is entered in one role only"),
            "name it with --role; whoever is away enters one for all roles themselves",
        ));
    }
    Ok(())
}

fn known_role(daemon: &Daemon, text: &str) -> Result<ApproverRole, ConsoleError> {
    let config = daemon.cycle().config;
    let wanted = text.trim().to_lowercase();
    let mut known = config.policy.access.approvers.keys();
    known.find(|role| role.folded() == wanted).cloned().ok_or_else(|| {
        bad(
            format!("{text:?} is no role that decides on forms"),
            "give one of those under `access.approvers`, or leave --role out for all",
        )
    })
}

pub(super) async fn end(
    daemon: &Daemon,
    caller: &Caller,
    request: EndAwayRequest,
) -> Result<DoneView, ConsoleError> {
    let today = daemon.cycle().today(daemon.now());
    let mut tx = daemon.store.begin().await?;
    let mut all = tx.read().absences(today).await?;
    let beginning = request.id.trim().to_lowercase();
    all.retain(|absence| {
        concerns(absence, caller) && absence.id.to_string().starts_with(&beginning)
    });
    let (Some(mut absence), true) = (all.pop(), all.is_empty() && !beginning.is_empty()) else {
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("not exactly one absence has the id {:?}", request.id),
            "`lapsed away list` shows them",
        ));
    };
    // Its days are over: yesterday was the last.
    absence.until = today.yesterday().unwrap_or(Date::MIN);
    absence.from = absence.from.min(absence.until);
    tx.save_absence(&absence).await?;
    tx.audit(row(daemon, caller, &absence, "absence.ended"));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!("{} decides in the place of {} no longer", absence.deputy, absence.away),
    })
}

fn row(
    daemon: &Daemon,
    caller: &Caller,
    absence: &Absence,
    event: &str,
) -> crate::store::AuditEntry {
    let detail = json!({
        "absence": absence.id, "away": absence.away, "deputy": absence.deputy,
        "role": absence.role, "from": absence.from, "until": absence.until,
    });
    cited(daemon, &caller.name, Rule::A2, None, (event, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::for_a_third(Some(Role::Operator), "dan", Some("supervisor"), "")]
    #[case::themselves(Some(Role::Administrator), "Opal", Some("supervisor"), "four eyes")]
    #[case::in_all_roles(Some(Role::Operator), "dan", None, "one role only")]
    #[case::not_an_operator(Some(Role::Viewer), "dan", Some("supervisor"), "only an operator")]
    fn nobody_makes_themselves_deputy_of_another(
        #[case] own: Option<Role>,
        #[case] deputy: &str,
        #[case] role: Option<&str>,
        #[case] says: &str,
    ) {
        let name = |text: &str| Actor::new(text).unwrap();
        let caller = Caller {
            name: name("opal"),
            uid: 7,
            role: own,
            groups: std::collections::BTreeSet::new(),
        };
        match of_another(&caller, (&name("sue"), &name(deputy)), role) {
            Ok(()) => assert!(says.is_empty()),
            Err(error) => {
                let told = format!("{error:?}");
                assert!(!says.is_empty() && told.contains(says), "{told}");
            }
        }
    }
}
