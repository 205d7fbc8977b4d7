//! `lapsed approvals`, `lapsed approve` and `lapsed deny`: who says yes or no to an access form (A2, A3).

use super::commands::{cited, needed};
use crate::config::Role;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::cycle::access::authority::{Account, FormKnown, GroupsAsked};
use crate::service::Daemon;
use crate::store::FormFilter;
use crate::views::{ApprovalView, ApprovalsView, ApproveRequest, DecidedView, DenyRequest};
use jiff::civil::Date;
use lapsed_core::access::authority::{Member, Question, Refusal};
use lapsed_core::access::chain::{Stands, progress};
use lapsed_core::access::decision::{Absence, Decision, Said};
use lapsed_core::access::form::FormState;
use lapsed_core::citation::Rule;
use lapsed_core::facts::ApproverRole;
use lapsed_core::mask::mask;
use lapsed_core::policy::naming::find_location;
use serde_json::json;
use uuid::Uuid;

/// A shorter beginning of a hash fits too many forms to say that one was looked at.
const SHORTEST_HASH: usize = 8;

/// Whoever asks, with those in whose place they decide today.
pub(super) struct Asking {
    cycle: Cycle,
    member: Member,
    away: Vec<(Absence, Member)>,
    today: Date,
    /// Sees every form, whether it concerns them or not.
    pub(super) sees_all: bool,
}

impl Asking {
    pub(super) async fn of(daemon: &Daemon, caller: &Caller) -> Result<Self, ConsoleError> {
        let cycle = daemon.cycle();
        let today = cycle.today(daemon.now());
        let mut asked = GroupsAsked::default();
        let member = cycle.member(&Account::from(caller), &mut asked).await?;
        let away = cycle.away_for(&caller.name, today, &mut asked).await?;
        Ok(Self { cycle, member, away, today, sees_all: caller.may(Role::Viewer) })
    }

    /// Whether the form may be shown to them: who only takes part sees what concerns them.
    pub(super) fn may_see(&self, known: &FormKnown) -> bool {
        self.sees_all || self.question(known).concerns(&self.member)
    }

    fn question<'a>(&'a self, known: &'a FormKnown) -> Question<'a> {
        Question {
            matter: &known.matter,
            progress: &known.progress,
            rules: &self.cycle.config.policy.access.approvers,
            away: &self.away,
            today: self.today,
        }
    }

    fn view(&self, known: &FormKnown, roles: &[ApproverRole]) -> ApprovalView {
        let filed = &known.filed;
        let location = known.matter.location.as_ref();
        let location =
            location.and_then(|id| find_location(&self.cycle.config.policy.locations, id));
        let parts = &known.progress.parts;
        let given = known.progress.counted.iter().filter(|said| said.said == Said::Approved);
        ApprovalView {
            form: filed.number,
            hash: known.binding.clone(),
            asks: filed.form.asks.name().to_owned(),
            person: known.filed.about(known.person.as_ref()),
            location: location.map(|(_, location)| location.name.clone()),
            systems: parts.iter().map(|part| part.part.what.describe(filed.form.asks)).collect(),
            reason: filed.form.reason.clone(),
            starts_on: filed.form.starts_on.map(|day| day.to_string()),
            ends_on: filed.form.ends_on.map(|day| day.to_string()),
            filed: format!("{} by {}", self.cycle.shown_time(filed.filed_at), filed.filed_by),
            given: given.map(|said| format!("{} ({})", said.by, said.role)).collect(),
            roles: roles.iter().map(ToString::to_string).collect(),
        }
    }
}

pub(super) async fn approvals(
    daemon: &Daemon,
    caller: &Caller,
    form: Option<u64>,
) -> Result<ApprovalsView, ConsoleError> {
    let asking = Asking::of(daemon, caller).await?;
    let read = daemon.store.read();
    let mut waiting = Vec::new();
    if let Some(number) = form {
        let filed = read.access_form(number).await?.ok_or_else(|| not_there(number))?;
        let known = asking.cycle.form_known(&read, filed).await?;
        let question = asking.question(&known);
        if !asking.sees_all && !question.concerns(&asking.member) {
            return Err(not_there(number));
        }
        waiting.push(asking.view(&known, &question.roles_of(&asking.member)));
        return Ok(ApprovalsView { waiting });
    }
    let filter = FormFilter { states: vec![FormState::Waiting], ..FormFilter::default() };
    for filed in read.access_forms(&filter).await? {
        let known = asking.cycle.form_known(&read, filed).await?;
        let roles = asking.question(&known).roles_of(&asking.member);
        if !roles.is_empty() {
            waiting.push(asking.view(&known, &roles));
        }
    }
    Ok(ApprovalsView { waiting })
}

fn not_there(number: u64) -> ConsoleError {
    ConsoleError::new(
        ErrorKind::NotFound,
        format!("there is no form {number}, or it does not concern you"),
        "`lapsed approvals` shows what waits for you",
    )
}

pub(super) async fn approve(
    daemon: &Daemon,
    caller: &Caller,
    request: ApproveRequest,
) -> Result<DecidedView, ConsoleError> {
    let ApproveRequest { form, role, hash } = request;
    decide(daemon, caller, Deciding { form, role, hash, said: Said::Approved }).await
}

pub(super) async fn deny(
    daemon: &Daemon,
    caller: &Caller,
    request: DenyRequest,
) -> Result<DecidedView, ConsoleError> {
    let DenyRequest { form, role, hash, reason } = request;
    needed(&reason, "a reason", "--reason")?;
    let said = Said::Denied { reason: mask(&reason) };
    decide(daemon, caller, Deciding { form, role, hash, said }).await
}

/// What somebody wants to say.
struct Deciding {
    form: u64,
    role: Option<String>,
    hash: String,
    said: Said,
}

async fn decide(
    daemon: &Daemon,
    caller: &Caller,
    wish: Deciding,
) -> Result<DecidedView, ConsoleError> {
    // Directories are asked before the store's one writer is waited for.
    let asking = Asking::of(daemon, caller).await?;
    let now = daemon.now();
    let mut tx = daemon.store.begin().await?;
    let filed = tx.read().access_form(wish.form).await?.ok_or_else(|| not_there(wish.form))?;
    let known = asking.cycle.form_known(&tx.read(), filed).await?;
    let question = asking.question(&known);
    if !asking.sees_all && !question.concerns(&asking.member) {
        return Err(not_there(wish.form));
    }
    still_asked(&asking.cycle, &known, now)?;
    same_form(&known, &wish.hash)?;
    let role = as_what(&question, &asking.member, wish.role.as_deref())?;
    let allowed = question.may_decide(&asking.member, &role).map_err(refused)?;
    let decision = Decision {
        id: Uuid::now_v7(),
        form: known.filed.number,
        hash: known.binding.clone(),
        role: role.clone(),
        by: caller.name.clone(),
        in_place_of: allowed.in_place_of,
        said: wish.said,
        at: now,
    };
    tx.add_decision(&decision).await?;
    tx.save_access_forms(&[(known.filed.clone(), Some(now))]).await?;
    tx.audit(on_record(daemon, caller, &known, &decision));
    tx.commit().await?;
    daemon.wake();
    Ok(decided(&asking, known, decision))
}

/// Who is away, or gone, has nothing more decided about them.
fn still_asked(cycle: &Cycle, known: &FormKnown, now: jiff::Timestamp) -> Result<(), ConsoleError> {
    let filed = &known.filed;
    let over = |how: String| {
        Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("form {} {how}, so nothing more is decided on it", filed.number),
            "where the access is still needed, a new form asks for it",
        ))
    };
    let because = filed.ended_because.as_deref().unwrap_or("no reason is known");
    match filed.state {
        FormState::Waiting => {}
        FormState::Denied => return over(format!("is denied ({because})")),
        FormState::Ended => return over(format!("ended ({because})")),
        FormState::Approved | FormState::InPlace => return over("is approved already".into()),
    }
    match cycle.departed(known, now) {
        Some(_) => over("is about somebody who departed".into()),
        None => Ok(()),
    }
}

/// A decision is bound to what was looked at (A2).
fn same_form(known: &FormKnown, hash: &str) -> Result<(), ConsoleError> {
    let (hash, now) = (hash.trim(), &known.binding);
    if hash.len() < SHORTEST_HASH {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            format!("{SHORTEST_HASH} characters of the hash are needed at least"),
            "`lapsed approvals` shows it",
        ));
    }
    if now.starts_with(&hash.to_lowercase()) {
        return Ok(());
    }
    Err(ConsoleError::new(
        ErrorKind::Conflict,
        format!(
            "form {} is not the one that you looked at: it was written anew, it asks for something else by changed \
             rules, or the hash is another form's",
            known.filed.number
        ),
        format!("look at it again with `lapsed approvals --form {}`", known.filed.number),
    ))
}

/// The role that was named, or the only one in which the caller can decide.
fn as_what(
    question: &Question<'_>,
    member: &Member,
    named: Option<&str>,
) -> Result<ApproverRole, ConsoleError> {
    if let Some(name) = named {
        let wanted = name.trim().to_lowercase();
        let known = question.rules.keys().find(|role| role.folded() == wanted);
        return known.cloned().ok_or_else(|| {
            let all: Vec<_> = question.rules.keys().map(ApproverRole::as_str).collect();
            ConsoleError::new(
                ErrorKind::Bad,
                format!("{name:?} is no role that decides on forms"),
                format!("roles are {}", all.join(", ")),
            )
        });
    }
    let mut can = question.roles_of(member);
    match (can.pop(), can.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            can.push(last);
            let names: Vec<_> = can.iter().map(ApproverRole::as_str).collect();
            Err(ConsoleError::new(
                ErrorKind::Bad,
                "you could decide on this form as more than one",
                format!("name one with --as: {}", names.join(", ")),
            ))
        }
        (None, _) => Err(refused(why_not(question, member))),
    }
}

/// The most telling reason why somebody can't decide as anything.
fn why_not(question: &Question<'_>, member: &Member) -> Refusal {
    let roles = question.rules.keys().filter(|role| question.progress.has(role));
    let refusals = roles.filter_map(|role| question.may_decide(member, role).err());
    let weight = |refusal: &Refusal| match refusal {
        Refusal::TwoSteps { .. } => 0,
        Refusal::OwnForm { .. } => 1,
        Refusal::Denied | Refusal::AlreadyDecided(_) => 2,
        Refusal::NotYourTurn { .. } => 3,
        Refusal::NotNow { .. } => 4,
        Refusal::NoLocation { .. } => 5,
        Refusal::NotTheirs { .. } | Refusal::NotInChain(_) | Refusal::NoSuchRole(_) => 6,
    };
    refusals.min_by_key(weight).unwrap_or(Refusal::Denied)
}

fn refused(refusal: Refusal) -> ConsoleError {
    let (kind, advice) = match &refusal {
        Refusal::NotNow { .. } => (ErrorKind::Unavailable, "try again later; nothing was decided"),
        Refusal::NotYourTurn { .. } => {
            (ErrorKind::Conflict, "you are told when it is your turn; nothing was decided")
        }
        Refusal::Denied | Refusal::AlreadyDecided(_) => (
            ErrorKind::Conflict,
            "nothing more is to be decided by you; `lapsed approvals` shows what is",
        ),
        Refusal::NoSuchRole(_) | Refusal::NotInChain(_) => {
            (ErrorKind::Bad, "leave --as out to decide as what you are")
        }
        Refusal::NotTheirs { .. } | Refusal::NoLocation { .. } => (
            ErrorKind::Refused,
            "who has which role is under `access.approvers` in the configuration; nothing was decided",
        ),
        Refusal::OwnForm { .. } | Refusal::TwoSteps { .. } => {
            (ErrorKind::Refused, "have somebody else decide who has the role; nothing was decided")
        }
    };
    ConsoleError::new(kind, refusal.to_string(), advice)
}

fn on_record(
    daemon: &Daemon,
    caller: &Caller,
    known: &FormKnown,
    decision: &Decision,
) -> crate::store::AuditEntry {
    let (event, rule, reason) = match &decision.said {
        Said::Approved => ("form.approved", Rule::A2, None),
        Said::Denied { reason } => ("form.denied", Rule::A3, Some(reason)),
    };
    let detail = json!({
        "form": decision.form, "hash": decision.hash, "role": decision.role,
        "in_place_of": decision.in_place_of, "reason": reason,
    });
    let mut entry = cited(daemon, &caller.name, rule, known.person.as_ref(), (event, detail));
    entry.case = Some(known.filed.case());
    entry
}

fn decided(asking: &Asking, known: FormKnown, decision: Decision) -> DecidedView {
    let parts = known.progress.parts.iter().map(|part| part.part.clone()).collect();
    let mut said = known.progress.counted.clone();
    said.push(decision.clone());
    let after = progress(parts, &known.binding, &said);
    let form = asking.view(&FormKnown { progress: after.clone(), ..known }, &[]);
    let next: Vec<String> = after.asked().iter().map(ToString::to_string).collect();
    let denied = after.parts.iter().filter(|part| matches!(part.stands, Stands::Denied(_))).count();
    let (what, whom) = (&form.asks, &form.person);
    let message = match &decision.said {
        Said::Approved if next.is_empty() => {
            format!("form {} ({what} for {whom}) is approved by everyone", form.form)
        }
        Said::Approved => {
            format!("form {} ({what} for {whom}): approved; next: {}", form.form, next.join(", "))
        }
        Said::Denied { .. } => format!(
            "form {} ({what} for {whom}): denied, which ends {denied} of {} part(s)",
            form.form,
            after.parts.len()
        ),
    };
    DecidedView { message, form, role: decision.role.to_string(), next }
}
