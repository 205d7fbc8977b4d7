//! What rounds ask of targets, and what the end of a suspension leaves shut.

use super::authority::{Account, GroupsAsked};
use crate::cycle::Cycle;
use crate::rehearse::Rehearsal;
use crate::store::suite::fixtures::case_of;
use crate::store::{StepFilter, Store};
use crate::targets::Eyes;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{FiledForm, FormState};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::citation::Rule;
use lapsed_core::facts::*;
use lapsed_core::journal::StepEvent;
use lapsed_core::observed::{
    Details, GroupKind, GroupLink, Mark, Observed, ObservedAccount, Realm, Scope, Since,
};
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::{
    Action, Cause, Due, EARLIER_ATTEMPT, Expect, Fault, REPLY_LOST, Receipt, Seen, Step, Target,
};
use rstest::rstest;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

mod changes;
mod mending;
mod rosters;

/// A Monday at noon in the agency's zone.
fn now() -> Timestamp {
    "2026-11-02T18:00:00Z".parse().unwrap()
}

/// A directory that counts what it is asked.
#[derive(Default)]
pub(super) struct Eye {
    silent: bool,
    /// What it says of changes: up to where, where it can tell, and of whom.
    changes: Mutex<(Option<Mark>, Vec<ObservedAccount>)>,
    /// Gives no answer about people.
    mute: AtomicBool,
    /// What it shows of people, where that is not everything.
    people: Mutex<Option<Vec<ObservedAccount>>>,
    accounts: Vec<ObservedAccount>,
    pub(super) asked: Mutex<Vec<&'static str>>,
}

impl Eye {
    fn changed(&self, since: &Since) -> Result<Observed, Fault> {
        self.asked.lock().unwrap().push(if since.mark.is_some() { "changed" } else { "begin" });
        let (mark, accounts) = self.changes.lock().unwrap().clone();
        let same = |known: &Mark| mark.as_ref().is_some_and(|mark| mark.server == known.server);
        match &since.mark {
            None => Ok(Observed { mark, ..Observed::default() }),
            Some(known) if same(known) => Ok(Observed { mark, accounts, ..Observed::default() }),
            Some(_) => Ok(Observed::default()),
        }
    }

    fn count(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| **asked == what).count()
    }
}

impl Observe for Eye {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async move {
            let (what, accounts) = match scope {
                Scope::AllAccounts => ("all", self.accounts.clone()),
                Scope::People(_) | Scope::AccountsOf(_) => {
                    let people = self.people.lock().unwrap().clone();
                    ("people", people.unwrap_or_else(|| self.accounts.clone()))
                }
                Scope::TakenNames => ("names", self.accounts.clone()),
                Scope::Groups(_) => ("groups", Vec::new()),
                Scope::Members(_) => ("members", Vec::new()),
                Scope::Changed(since) => return self.changed(since),
            };
            self.asked.lock().unwrap().push(what);
            if self.silent || (what == "people" && self.mute.load(Ordering::Relaxed)) {
                return Err(Fault::Retry(Cause::new("no answer")));
            }
            let wards = GroupLink {
                id: StableId::new("wards").unwrap(),
                name: "Wards".into(),
                kind: GroupKind::Security,
            };
            let groups = if what == "groups" { vec![wards] } else { Vec::new() };
            let taken_names = accounts.iter().map(|account| account.user_id.folded()).collect();
            Ok(Observed { accounts, groups, taken_names, ..Observed::default() })
        })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async { steps.iter().map(|_| Ok(Seen::AsWanted)).collect() })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

fn directory() -> ConnectorName {
    ConnectorName::new("directory").unwrap()
}

/// Rules of the example, an empty store, and one directory.
async fn stage(eye: Eye) -> (Cycle, Arc<Eye>) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.example.yaml");
    let (mut config, _) = crate::config::load(&example).unwrap();
    config.notices = None;
    config.connectors.retain(|name, _| *name == directory());
    let systems = json!({
        "account": { "connector": "directory" },
        "wards": { "connector": "directory", "groups": ["Wards"] },
    });
    config.policy.access.systems = serde_json::from_value(systems).unwrap();
    config.policy.access.always.clear();
    let eye = Arc::new(eye);
    let eyes = Eyes([(directory(), Arc::clone(&eye) as Arc<dyn Observe>)].into());
    let store = Store::empty_scratch().await.unwrap();
    (Cycle { store, config: Arc::new(config), eyes }, eye)
}

fn person(number: u128) -> Person {
    Person::new(PersonId(Uuid::from_u128(number)))
}

#[rstest]
#[case::it_answers(false, 2)]
#[case::it_is_silent(true, 1)]
#[tokio::test]
async fn who_files_forms_is_asked_for_once_a_round_and_a_silent_directory_once_for_all(
    #[case] silent: bool,
    #[case] questions: usize,
) {
    let (mut cycle, eye) = stage(Eye { silent, ..Eye::default() }).await;
    let mut config = (*cycle.config).clone();
    let rule = config.policy.access.approvers.values_mut().next().unwrap();
    rule.groups = vec!["G-Filers".into()];
    cycle.config = Arc::new(config);
    let mut asked = GroupsAsked::default();
    for name in ["clerk", "CLERK", "clara", "clerk"] {
        let account =
            Account { name: Actor::new(name).unwrap(), groups: [].into(), operator: false };
        let member = cycle.member(&account, &mut asked).await.unwrap();
        assert_eq!(member.unread.is_empty(), !silent, "{name}: {:?}", member.unread);
    }
    assert_eq!(eye.count("people"), questions);
}

fn filed(number: u64, person: PersonId, fields: serde_json::Value) -> FiledForm {
    let mut form = json!({
        "form": "staff_access", "version": 1, "id": Uuid::from_u128(number.into()), "asks": "new",
        "person": { "name": { "last": "Smith", "first": "John" }, "location": "z" },
    });
    for (key, value) in fields.as_object().unwrap() {
        form[key] = value.clone();
    }
    FiledForm {
        number,
        form: serde_json::from_value(form).unwrap(),
        hash: "5f".into(),
        person,
        filed_by: Actor::new("clerk").unwrap(),
        filed_at: now(),
        state: FormState::Approved,
        ended_because: None,
        reserved: None,
        reminders: 0,
        told_on: None,
    }
}

#[tokio::test]
async fn the_names_of_a_directory_are_read_once_a_round_and_namesakes_still_get_names_of_their_own()
{
    const PEOPLE: u64 = 205;
    let (cycle, eye) = stage(Eye::default()).await;
    let tx = cycle.store.begin().await.unwrap();
    for number in 1..=PEOPLE {
        tx.save_person(&person(number.into())).await.unwrap();
        let form = filed(number, person(number.into()).id, json!({}));
        tx.save_access_forms(&[(form, None)]).await.unwrap();
    }
    tx.commit().await.unwrap();
    cycle.grant(now()).await.unwrap();
    assert_eq!(eye.count("names"), 1, "205 people are two blocks");
    let read = cycle.store.read();
    let forms = read.access_forms(&crate::store::FormFilter::default()).await.unwrap();
    let mut names: Vec<String> =
        forms.iter().filter_map(|form| Some(form.reserved.as_ref()?.folded())).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len() as u64, PEOPLE);
}

/// A name that only the tenant has is somebody's; while it can't be read, the form waits.
#[rstest]
#[case::the_tenant_has_a_namesake(false)]
#[case::the_tenant_is_silent(true)]
#[tokio::test]
async fn names_of_every_target_that_makes_accounts_are_taken(#[case] silent: bool) {
    let free = |taken: Option<UserId>| async move {
        let (mut cycle, _) = stage(Eye::default()).await;
        let mut config = (*cycle.config).clone();
        let tenant = ConnectorName::new("m365").unwrap();
        let settings = json!({ "graph": {
            "kind": "graph", "tenant": "dmh.test", "client_id": Uuid::nil(), "secret_file": "/secret",
            "user": "{{ user_id }}@dmh.test", "create": true,
        }});
        config.connectors.insert(tenant.clone(), serde_json::from_value(settings).unwrap());
        cycle.config = Arc::new(config);
        let accounts = taken.map(|user_id| ObservedAccount { user_id, ..account(true) });
        let accounts = accounts.into_iter().collect();
        let eye = Eye { accounts, silent, ..Eye::default() };
        cycle.eyes.0.insert(tenant, Arc::new(eye) as Arc<dyn Observe>);
        let tx = cycle.store.begin().await.unwrap();
        tx.save_person(&person(1)).await.unwrap();
        tx.save_access_forms(&[(filed(1, person(1).id, json!({})), None)]).await.unwrap();
        tx.commit().await.unwrap();
        cycle.grant(now()).await.unwrap();
        let read = cycle.store.read();
        let forms = read.access_forms(&crate::store::FormFilter::default()).await.unwrap();
        forms.into_iter().next().unwrap().reserved
    };
    let first = free(None).await;
    assert_eq!(first.is_none(), silent);
    if let Some(first) = first {
        let second = free(Some(first.clone())).await.unwrap();
        assert_ne!(second.folded(), first.folded());
    }
}

/// An approved part of form 1.
fn given(form: &FiledForm, system: &str) -> Entitlement {
    let system = SystemName::new(system).unwrap();
    Entitlement {
        id: Entitlement::id_of(form.form.id, &system, None),
        person: form.person,
        system,
        role: None,
        form: form.number,
        state: EntitlementState::Approved,
        starts_on: form.form.starts_on,
        ends_on: None,
        approved_at: now(),
        ended_at: None,
        ended_by: None,
        ended_because: None,
        recertified_on: None,
    }
}

#[rstest]
#[case::it_waits_for_a_yes(false, None, &[])]
#[case::it_is_approved(true, None, &["2026-11-02"])]
#[case::it_begins_later(true, Some("2026-11-16"), &["2026-11-16"])]
#[case::it_begins_after_the_days_asked_for(true, Some("2026-12-16"), &[])]
#[tokio::test]
async fn a_rehearsal_says_what_a_form_gives_and_when_and_changes_nothing(
    #[case] approved: bool,
    #[case] starts_on: Option<&str>,
    #[case] days: &[&str],
) {
    let (cycle, _) = stage(Eye { accounts: vec![account(true)], ..Eye::default() }).await;
    let state = if approved { FormState::Approved } else { FormState::Waiting };
    let asks = json!({ "asks": "change", "starts_on": starts_on });
    let form = FiledForm { state, ..filed(1, person(7).id, asks) };
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&holder()).await.unwrap();
    tx.save_access_forms(&[(form.clone(), Some(now()))]).await.unwrap();
    if approved {
        tx.save_entitlements(&[given(&form, "wards")]).await.unwrap();
    }
    tx.commit().await.unwrap();

    let planned = Rehearsal::of(&cycle).await.plan(now()).await.unwrap();
    assert_eq!(planned.plans.len(), usize::from(days == ["2026-11-02"]));
    let until = "2026-11-30".parse().unwrap();
    let simulated = Rehearsal::of(&cycle).await.simulate(now(), until).await.unwrap();
    let told: Vec<&str> = simulated.entries.iter().map(|entry| entry.date.as_str()).collect();
    assert_eq!(told, days, "{:?}", simulated.entries);
    assert!(simulated.held.is_empty());

    let read = cycle.store.read();
    assert_eq!(read.access_form(1).await.unwrap(), Some(form));
    assert!(read.steps(&StepFilter::default()).await.unwrap().is_empty());
    assert_eq!(read.audit_head().await.unwrap(), 0);
}

fn account(enabled: bool) -> ObservedAccount {
    ObservedAccount {
        id: StableId::new("guid-7").unwrap(),
        user_id: UserId::new("mzsmitj").unwrap(),
        other_user_ids: Vec::new(),
        place: "uid=mzsmitj".into(),
        enabled,
        employee_number: None,
        other_employee_numbers: Vec::new(),
        name: PersonName { last: "Smith".into(), first: "John".into(), preferred: None },
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: Vec::new(),
        realm: Realm::Directory,
        held_in_trust: Vec::new(),
        details: Details::default(),
    }
}

/// Whose account it is.
fn holder() -> Person {
    let (id, user_id) = (account(true).id, account(true).user_id);
    let accounts = vec![LinkedAccount { connector: directory(), id, user_id }];
    Person { accounts, ..person(7) }
}

/// A leave that shut the account and is lifted; the step's receipt says only this.
async fn lifted(says: Option<&str>, ends: bool) -> Cycle {
    let (cycle, _) = stage(Eye { accounts: vec![account(false)], ..Eye::default() }).await;
    lift(&cycle, 77, says, ends).await;
    cycle
}

/// The same of one of several leaves of that day.
async fn lift(cycle: &Cycle, id: u128, says: Option<&str>, ends: bool) {
    let who = holder();
    let leave: Suspension = Suspension {
        id: Uuid::from_u128(id),
        person: who.id,
        kind: SuspensionKind::Leave,
        connectors: Vec::new(),
        starts_on: None,
        ends_on: None,
        authority: "HR".into(),
        reason: "leave".into(),
        form: None,
        placed_at: now(),
        lifted_at: Some(now()),
        lifted_because: Some("return".into()),
        placed_by: None,
        by_feed: None,
        feed_moved_on: false,
        over_at: None,
    };
    let case = Case {
        id: leave.case(),
        kind: CaseKind::Suspension,
        effective_at: now(),
        opened_at: now(),
        disabled_on: None,
        before: vec![(directory(), account(true))],
        ..case_of(&who)
    };
    let target = Target { id: account(true).id, label: "mzsmitj".into() };
    let step = Step::new(
        case.id,
        who.id,
        directory(),
        Action::Disable { account: target },
        Expect { user_id: account(true).user_id, employee_number: None },
        Due::AtOnce,
        Rule::S1,
    );
    let kind = PlanKind::Suspension { case: case.id, person: who.id };
    let plan = Plan::new(kind, "1", vec![step], Vec::new(), Vec::new());
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&who).await.unwrap();
    tx.save_case(&case).await.unwrap();
    tx.save_suspensions(&[(leave, Some(now()))]).await.unwrap();
    tx.save_plan(&plan, PlanState::Passed, &[], now()).await.unwrap();
    tx.add_steps(&plan.hash, &plan.steps, true, now()).await.unwrap();
    let of_case = StepFilter { cases: vec![case.id], ..StepFilter::default() };
    let mut stored = tx.read().steps(&of_case).await.unwrap().remove(0);
    let before = says.map(|key| (key.to_owned(), Vec::new())).into_iter().collect();
    let receipt = Receipt { before, server: None };
    for event in
        [StepEvent::Start(now()), StepEvent::Changed(receipt), StepEvent::SeenAsWanted(now())]
    {
        let update = stored.on(event).unwrap();
        tx.set_steps(std::slice::from_ref(&update), now()).await.unwrap();
        stored = stored.after(update);
    }
    if ends {
        let form = FiledForm { state: FormState::InPlace, ..filed(1, who.id, json!({})) };
        let held = Entitlement {
            state: EntitlementState::Ended,
            ended_at: Some(now()),
            ended_because: Some("its last day was 2026-11-01".into()),
            ..given(&form, "account")
        };
        tx.save_access_forms(&[(form, None)]).await.unwrap();
        tx.save_entitlements(&[held]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn each_of_two_leaves_of_one_day_is_told_when_its_lift_leaves_the_account_shut() {
    let cycle = lifted(Some(EARLIER_ATTEMPT), false).await;
    cycle.suspend(now()).await.unwrap();
    lift(&cycle, 78, Some(EARLIER_ATTEMPT), false).await;
    cycle.suspend(now()).await.unwrap();
    cycle.suspend(now()).await.unwrap();
    let read = cycle.store.read();
    let asides = read.set_asides_without_ticket(10).await.unwrap();
    assert_eq!(asides.len(), 2, "{asides:?}");
    let audit = read.audit_rows(0, 100, None).await.unwrap();
    let said = audit.iter().filter(|row| row.entry.event == "suspension.not_given_back").count();
    assert_eq!(said, 2);
}

#[rstest]
#[case::it_was_shut_by_the_leave(None, false, true, None)]
#[case::its_reply_was_lost(Some(REPLY_LOST), false, true, None)]
#[case::nobody_knows(Some(EARLIER_ATTEMPT), false, false, Some("somebody else may have shut it"))]
#[case::what_it_was_for_ended(None, true, false, Some("account ended meanwhile (its last day was"))]
#[tokio::test]
async fn what_a_lift_opens_is_what_the_stop_shut_and_the_rest_is_told_and_on_record_once(
    #[case] says: Option<&str>,
    #[case] ends: bool,
    #[case] opens: bool,
    #[case] told: Option<&str>,
) {
    let cycle = lifted(says, ends).await;
    cycle.suspend(now()).await.unwrap();
    cycle.suspend(now().checked_add(SignedDuration::from_mins(1)).unwrap()).await.unwrap();
    let read = cycle.store.read();
    let steps = read.steps(&StepFilter::default()).await.unwrap();
    let enable = |s: &&crate::store::StoredStep| matches!(s.step.action, Action::Enable { .. });
    assert_eq!(steps.iter().filter(enable).count(), usize::from(opens));
    let asides = read.set_asides_without_ticket(10).await.unwrap();
    let reasons: Vec<&str> = asides.iter().map(|aside| aside.reason.as_str()).collect();
    assert_eq!(reasons.len(), usize::from(told.is_some()), "{reasons:?}");
    assert!(told.is_none_or(|told| reasons[0].contains(told)), "{reasons:?}");
    let audit = read.audit_rows(0, 100, None).await.unwrap();
    let said = audit.iter().filter(|row| row.entry.event == "suspension.not_given_back").count();
    assert_eq!(said, usize::from(told.is_some()));
}

#[tokio::test]
async fn an_order_by_form_stops_in_the_round_that_settles_it() {
    let (cycle, _) = stage(Eye { accounts: vec![account(true)], ..Eye::default() }).await;
    let asks = json!({
        "form": "suspension", "asks": "suspend", "person": { "user_id": "mzsmitj" }, "reason": "an order",
    });
    let order = FiledForm { state: FormState::Waiting, ..filed(1, holder().id, asks) };
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&holder()).await.unwrap();
    tx.save_access_forms(&[(order, Some(now()))]).await.unwrap();
    tx.commit().await.unwrap();
    cycle.access_round(now()).await.unwrap();
    let steps = cycle.store.read().steps(&StepFilter::default()).await.unwrap();
    assert!(matches!(steps[..], [ref only] if matches!(only.step.action, Action::Disable { .. })));
}
