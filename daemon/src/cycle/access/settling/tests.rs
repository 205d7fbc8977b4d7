use super::super::tests::Eye;
use super::*;
use crate::store::Store;
use crate::targets::Eyes;
use lapsed_core::access::decision::{Decision, Said};
use lapsed_core::facts::{Actor, ApproverRole};
use lapsed_core::notice_rules::Kind;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// A Monday at noon in the agency's zone.
const NOW: &str = "2026-11-02T18:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn days_later(days: i64) -> Timestamp {
    now().checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap()
}

struct Stage {
    cycle: Cycle,
    person: Person,
    eye: Arc<Eye>,
}

impl Stage {
    async fn new() -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.example.yaml");
        let (mut config, _) = crate::config::load(&example).unwrap();
        let notices = json!({ "account_management": ["accounts@dmh.test"] });
        config.notices = Some(serde_json::from_value(notices).unwrap());
        let systems = json!({
            "portal": { "chain": ["supervisor"] },
            "cimor": { "chain": ["supervisor", "local_security_officer"], "needs": ["portal"] },
            "records": { "chain": ["supervisor"], "phi": true },
        });
        config.policy.access.systems = serde_json::from_value(systems).unwrap();
        config.policy.access.always.clear();
        let store = Store::empty_scratch().await.unwrap();
        let eye = Arc::new(Eye::default());
        let name = lapsed_core::facts::ConnectorName::new("directory").unwrap();
        let eyes = Eyes([(name, Arc::clone(&eye) as _)].into());
        let cycle = Cycle { store, config: Arc::new(config), eyes };
        let person = Person::new(PersonId(Uuid::from_u128(7)));
        let tx = cycle.store.begin().await.unwrap();
        tx.save_person(&person).await.unwrap();
        tx.commit().await.unwrap();
        Self { cycle, person, eye }
    }

    async fn file(&self, number: u64, asks: &str, systems: Value) {
        self.file_with(number, json!({ "asks": asks, "systems": systems })).await;
    }

    async fn file_with(&self, number: u64, fields: Value) {
        let mut form = json!({
            "form": "staff_access", "version": 1, "id": Uuid::from_u128(number.into()),
            "person": { "user_id": "mbnew" },
        });
        for (key, value) in fields.as_object().unwrap() {
            form[key] = value.clone();
        }
        let filed = FiledForm {
            number,
            form: serde_json::from_value(form).unwrap(),
            hash: "5f".into(),
            person: self.person.id,
            filed_by: Actor::new("clerk").unwrap(),
            filed_at: now(),
            state: FormState::Waiting,
            ended_because: None,
            reserved: None,
            reminders: 0,
            told_on: None,
        };
        let tx = self.cycle.store.begin().await.unwrap();
        tx.save_access_forms(&[(filed, Some(now()))]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn say(&self, form: u64, who: &str, role: &str, said: Said) {
        let read = self.cycle.store.read();
        let filed = read.access_form(form).await.unwrap().unwrap();
        let hash = self.cycle.form_known(&read, filed).await.unwrap().binding;
        let decision = Decision {
            id: Uuid::now_v7(),
            form,
            hash,
            role: ApproverRole::new(role).unwrap(),
            by: Actor::new(who).unwrap(),
            in_place_of: None,
            said,
            at: now(),
        };
        let tx = self.cycle.store.begin().await.unwrap();
        tx.add_decision(&decision).await.unwrap();
        tx.look_at_forms_of(&[self.person.id], now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// HR's word on where the person works and who supervises them.
    async fn hr_says(&self, worksite: &str, fields: Value) {
        let mut engagement = json!({
            "source": "hr", "record": "", "ordinal": 0, "status": "active", "user_id": "mbnew",
            "worksite": worksite,
        });
        for (key, value) in fields.as_object().unwrap() {
            engagement[key] = value.clone();
        }
        let engagements = vec![serde_json::from_value(engagement).unwrap()];
        let person = Person { engagements, ..self.person.clone() };
        let tx = self.cycle.store.begin().await.unwrap();
        tx.save_person(&person).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// These systems come by themselves wherever somebody works, from now on.
    fn include(&mut self, included: Value) {
        let mut config = (*self.cycle.config).clone();
        config.policy.access.included = serde_json::from_value(included).unwrap();
        self.cycle.config = Arc::new(config);
    }

    async fn asked(&self, form: u64) -> Vec<String> {
        let read = self.cycle.store.read();
        let filed = read.access_form(form).await.unwrap().unwrap();
        let known = self.cycle.form_known(&read, filed).await.unwrap();
        known.progress.asked().iter().map(ToString::to_string).collect()
    }

    async fn yes(&self, form: u64, who: &str, role: &str) {
        self.say(form, who, role, Said::Approved).await;
    }

    async fn settled(&self, form: u64, at: Timestamp) -> FiledForm {
        self.cycle.settle_forms(at).await.unwrap();
        // It writes while it settles: a target that is slow would hold up every other writer.
        assert!(self.eye.asked.lock().unwrap().is_empty(), "no target is asked");
        self.cycle.store.read().access_form(form).await.unwrap().unwrap()
    }

    async fn held(&self) -> Vec<(String, EntitlementState)> {
        let held = self.cycle.store.read().entitlements_of(&[self.person.id]).await.unwrap();
        let mut all: Vec<_> =
            held.into_iter().map(|one| (one.system.to_string(), one.state)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    async fn told(&self) -> Vec<Kind> {
        let filter = crate::store::NoticeFilter::default();
        let notices = self.cycle.store.read().notices(&filter).await.unwrap();
        notices.into_iter().map(|notice| notice.kind).collect()
    }
}

/// Every gate of the configuration is passed.
async fn pass(stage: &Stage) {
    let tx = stage.cycle.store.begin().await.unwrap();
    let gates = stage.cycle.config.policy.access.gates.keys();
    for gate in gates.cloned() {
        let on = stage.cycle.today(now());
        let passed = GatePassed {
            id: GatePassed::id_of(stage.person.id, &gate, on, "test"),
            person: stage.person.id,
            gate,
            on,
            source: "test".into(),
            document: None,
            at: now(),
            withdrawn_at: None,
        };
        tx.save_gates(&[passed]).await.unwrap();
    }
    tx.look_at_forms_of(&[stage.person.id], now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_system_is_given_once_everybody_in_its_own_chain_said_yes() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "cimor" }, { "system": "portal" }])).await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Waiting);
    assert!(stage.held().await.is_empty());
    stage.yes(1, "sue", "supervisor").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Waiting);
    assert_eq!(stage.held().await, [("portal".to_owned(), EntitlementState::Approved)]);
    stage.yes(1, "leo", "local_security_officer").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Approved);
    assert_eq!(stage.held().await.len(), 2);
}

#[tokio::test]
async fn what_needs_another_system_waits_for_it() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "cimor" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    stage.yes(1, "leo", "local_security_officer").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Waiting);
    assert!(stage.held().await.is_empty());
    stage.file(2, "change", json!([{ "system": "portal" }])).await;
    stage.yes(2, "sue", "supervisor").await;
    assert_eq!(stage.settled(2, now()).await.state, FormState::Approved);
    assert_eq!(stage.settled(1, days_later(1)).await.state, FormState::Approved);
}

#[tokio::test]
async fn a_shut_gate_stops_what_everybody_said_yes_to_until_it_is_open() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "records" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Waiting);
    pass(&stage).await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Approved);
}

#[tokio::test]
async fn a_denial_ends_the_form_once_nothing_of_it_can_be_given_and_says_why() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "portal" }])).await;
    let no = Said::Denied { reason: "no need".into() };
    stage.say(1, "sue", "supervisor", no).await;
    stage.yes(1, "sam", "supervisor").await;
    let denied = stage.settled(1, now()).await;
    assert_eq!(denied.state, FormState::Denied);
    assert!(denied.ended_because.unwrap().contains("no need"));
    assert!(stage.told().await.contains(&Kind::FormDenied));
    assert!(stage.held().await.is_empty());
}

#[tokio::test]
async fn what_a_form_takes_away_ends_by_it_after_the_same_yes() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "portal" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    stage.settled(1, now()).await;
    stage.file(2, "change", json!([{ "system": "portal", "remove": true }])).await;
    stage.settled(2, now()).await;
    assert_eq!(stage.held().await, [("portal".to_owned(), EntitlementState::Approved)]);
    stage.yes(2, "sue", "supervisor").await;
    assert_eq!(stage.settled(2, now()).await.state, FormState::Approved);
    assert_eq!(stage.held().await, [("portal".to_owned(), EntitlementState::Ending)]);
}

#[tokio::test]
async fn those_who_decide_are_told_once_reminded_by_work_days_and_then_the_form_ends() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "portal" }])).await;
    stage.settled(1, now()).await;
    stage.settled(1, days_later(1)).await;
    assert_eq!(stage.told().await, [Kind::ApprovalWanted]);
    // Monday and three work days are Thursday; the second reminder comes three further on, and to account
    // management, too.
    assert_eq!(stage.settled(1, days_later(3)).await.reminders, 1);
    assert_eq!(stage.settled(1, days_later(5)).await.reminders, 1, "a Saturday is no work day");
    assert_eq!(stage.settled(1, days_later(8)).await.reminders, 2);
    let told = stage.told().await;
    assert_eq!(told.iter().filter(|kind| **kind == Kind::ApprovalReminder).count(), 3);
    assert_eq!(stage.settled(1, days_later(20)).await.reminders, 2, "no more of them");
    let ended = stage.settled(1, days_later(100)).await;
    assert_eq!(ended.state, FormState::Ended);
    assert!(ended.ended_because.unwrap().contains("within 60 work days"));
    assert!(stage.told().await.contains(&Kind::FormEnded));
}

#[tokio::test]
async fn a_departure_ends_what_is_under_way_in_the_same_transaction() {
    let stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "cimor" }])).await;
    let mut tx = stage.cycle.store.begin().await.unwrap();
    let on = stage.cycle.today(now());
    stage.cycle.end_forms_of_leaver(&mut tx, stage.person.id, on, now()).await.unwrap();
    tx.commit().await.unwrap();
    stage.yes(1, "sue", "supervisor").await;
    let ended = stage.settled(1, now()).await;
    assert_eq!(ended.state, FormState::Ended);
    assert_eq!(ended.ended_because.as_deref(), Some("departed on 2026-11-02"));
}

#[tokio::test]
async fn what_comes_with_another_location_waits_for_its_own_chain_and_comes_with_the_move() {
    let mut stage = Stage::new().await;
    stage.hr_says("b", json!({})).await;
    stage.include(json!([{ "who": {}, "systems": { "portal": null, "cimor": null } }]));
    let systems = json!({
        "portal": { "chain": ["supervisor"] },
        "cimor": { "chain": ["supervisor", "business_owner"] },
    });
    let mut config = (*stage.cycle.config).clone();
    config.policy.access.systems = serde_json::from_value(systems).unwrap();
    config.policy.access.chain = vec![ApproverRole::new("supervisor").unwrap()];
    stage.cycle.config = Arc::new(config);
    stage.file_with(1, json!({ "asks": "location_change", "new_location": "z" })).await;
    stage.yes(1, "sue", "supervisor").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Waiting);
    assert!(stage.held().await.is_empty(), "nothing of another location before the move");
    assert_eq!(stage.asked(1).await, ["business_owner"]);
    stage.yes(1, "bo", "business_owner").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Approved);
    assert_eq!(stage.held().await.len(), 2);
}

#[tokio::test]
async fn a_system_that_rules_add_later_was_approved_by_nobody() {
    let mut stage = Stage::new().await;
    stage.file(1, "new", json!([{ "system": "portal" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    stage.include(json!([{ "who": {}, "systems": { "records": null } }]));
    assert_eq!(stage.settled(1, now()).await.state, FormState::Waiting);
    assert!(stage.held().await.is_empty());
    assert_eq!(stage.asked(1).await, ["supervisor"]);
}

#[tokio::test]
async fn a_form_for_another_location_than_hr_has_by_now_ends() {
    let stage = Stage::new().await;
    let subject = json!({ "user_id": "mbnew", "location": "z" });
    stage
        .file_with(
            1,
            json!({ "asks": "new", "person": subject, "systems": [{ "system": "portal" }] }),
        )
        .await;
    stage.yes(1, "sue", "supervisor").await;
    stage.hr_says("b", json!({})).await;
    let ended = stage.settled(1, now()).await;
    assert_eq!(ended.state, FormState::Ended);
    assert!(ended.ended_because.unwrap().contains("works at b"));
    assert!(stage.held().await.is_empty());
}

#[tokio::test]
async fn what_a_kind_never_gets_is_not_given_where_the_rule_came_after_the_form() {
    let mut stage = Stage::new().await;
    stage.file(1, "change", json!([{ "system": "portal" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    let mut config = (*stage.cycle.config).clone();
    let kind = config.policy.naming.default_kind.clone().unwrap();
    let portal = SystemName::new("portal").unwrap();
    config.policy.access.systems.get_mut(&portal).unwrap().never = vec![kind];
    stage.cycle.config = Arc::new(config);
    let ended = stage.settled(1, now()).await;
    assert_eq!(ended.state, FormState::Ended);
    assert!(ended.ended_because.unwrap().contains("never gets portal"));
}

#[tokio::test]
async fn who_left_is_taken_on_again_by_a_form_new_that_was_filed_since_and_by_no_other() {
    let stage = Stage::new().await;
    stage.hr_says("b", json!({ "status": "departed", "ends_on": "2026-10-01" })).await;
    let systems = json!([{ "system": "portal" }]);
    let back = json!({ "asks": "new", "starts_on": "2026-11-02", "systems": systems });
    stage.file_with(1, back).await;
    stage.file(2, "change", systems).await;
    stage.yes(1, "sue", "supervisor").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Approved);
    let read = stage.cycle.store.read();
    let person = read.person(stage.person.id).await.unwrap().unwrap();
    assert!(person.engagements.iter().any(|e| e.source.as_str() == "form" && e.goes_on()));
}

#[rstest::rstest]
#[case::hr_ended_it(json!({ "status": "departed", "ends_on": "2026-10-01" }), "hr", 2)]
#[case::hr_lists_them_and_another_ended_it(json!({}), "lso", 1)]
#[tokio::test]
async fn whoever_comes_back_by_a_form_is_no_leaver_any_more_and_keeps_what_it_gives(
    #[case] hr: Value,
    #[case] notice_of: &str,
    #[case] engagements: usize,
) {
    use lapsed_core::facts::{About, Case, CaseId, CaseKind, CaseState, Notice, NoticeState};
    let stage = Stage::new().await;
    stage.hr_says("b", hr).await;
    let left_at: Timestamp = "2026-10-01T22:00:00Z".parse().unwrap();
    let tx = stage.cycle.store.begin().await.unwrap();
    let mut person = tx.read().person(stage.person.id).await.unwrap().unwrap();
    person.notices.push(Notice {
        source: lapsed_core::facts::SourceName::new(notice_of).unwrap(),
        about: About::Person,
        last_day: Some(left_at.to_zoned(jiff::tz::TimeZone::UTC).date()),
        effective_at: left_at,
        for_cause: false,
        received_at: left_at,
        brought_by: "notice".into(),
        state: NoticeState::Standing,
    });
    tx.save_person(&person).await.unwrap();
    let case = Case {
        id: CaseId::departure(person.id, 0),
        kind: CaseKind::Departure,
        person: person.id,
        state: CaseState::Open,
        effective_at: left_at,
        for_cause: false,
        opened_at: left_at,
        disabled_on: Some(stage.cycle.today(left_at)),
        worksite_class: None,
        reason: String::new(),
        before: Vec::new(),
    };
    tx.save_case(&case).await.unwrap();
    tx.commit().await.unwrap();
    stage.file(1, "new", json!([{ "system": "portal" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Approved);
    let read = stage.cycle.store.read();
    let person = read.person(person.id).await.unwrap().unwrap();
    assert_eq!(person.engagements.len(), engagements);
    let zone = &stage.cycle.config.time_zone;
    assert_eq!(standing(&person, now(), zone), Standing::Employed);
    let case = read.case(case.id).await.unwrap().unwrap();
    assert_eq!(case.state, CaseState::Rehired, "deletions stop at once");
    // The round of giving that follows ends what leavers hold.
    stage.cycle.grant(now()).await.unwrap();
    assert_eq!(stage.held().await, [("portal".to_owned(), EntitlementState::Approved)]);
    let asides = read.set_asides_without_ticket(10).await.unwrap();
    let asked = asides.iter().any(|aside| aside.reason.contains("give access back"));
    assert!(!asked, "the form is there: {asides:?}");
}

#[rstest::rstest]
#[case::dismissed("operator", days_later(1), None, days_later(1), FormState::Ended)]
#[case::revoked_anew("operator", gone(), None, days_later(1), FormState::Ended)]
#[case::a_feed_lists_it_again("lso", gone(), None, days_later(1), FormState::Approved)]
#[case::leaves_again_later("lso", days_later(60), None, days_later(1), FormState::Approved)]
#[case::hr_says_it_late("hr", days_later(1), Some(0), days_later(1), FormState::Ended)]
#[tokio::test]
async fn a_notice_that_came_after_the_form_was_filed_is_not_answered_by_it(
    #[case] source: &str,
    #[case] effective_at: Timestamp,
    #[case] engagement: Option<u32>,
    #[case] received_at: Timestamp,
    #[case] state: FormState,
    #[values(json!({}), json!({ "source": "form" }))] listed: Value,
) {
    use lapsed_core::facts::{About, Notice, NoticeState};
    let stage = Stage::new().await;
    stage.hr_says("b", listed).await;
    let notice = |source: &str, about, effective_at, received_at| Notice {
        source: lapsed_core::facts::SourceName::new(source).unwrap(),
        about,
        last_day: None,
        effective_at,
        for_cause: false,
        received_at,
        brought_by: "notice".into(),
        state: NoticeState::Standing,
    };
    let about = engagement.map_or(About::Person, |ordinal| About::Engagement { ordinal });
    let notices = vec![
        notice("form:security", About::Person, gone(), gone()),
        notice(source, about, effective_at.max(gone()), received_at),
    ];
    let tx = stage.cycle.store.begin().await.unwrap();
    let known = tx.read().person(stage.person.id).await.unwrap().unwrap();
    tx.save_person(&Person { notices, ..known }).await.unwrap();
    tx.commit().await.unwrap();
    stage.file(1, "new", json!([{ "system": "portal" }])).await;
    stage.yes(1, "sue", "supervisor").await;
    let later = days_later(2);
    assert_eq!(stage.settled(1, later).await.state, state);
    let read = stage.cycle.store.read();
    let person = read.person(stage.person.id).await.unwrap().unwrap();
    let has_left =
        matches!(standing(&person, later, &stage.cycle.config.time_zone), Standing::Left(_));
    assert_eq!(has_left, state == FormState::Ended, "{person:?}");
    assert_eq!(stage.held().await.is_empty(), has_left);
}

/// A month before the form.
fn gone() -> Timestamp {
    "2026-10-01T22:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_move_is_taken_over_for_whom_only_forms_describe() {
    let stage = Stage::new().await;
    stage.hr_says("b", json!({ "source": "form" })).await;
    stage.file_with(1, json!({ "asks": "location_change", "new_location": "z" })).await;
    while let Some(role) = stage.asked(1).await.first() {
        stage.yes(1, &format!("as-{role}"), role).await;
    }
    pass(&stage).await;
    assert_eq!(stage.settled(1, now()).await.state, FormState::Approved);
    let read = stage.cycle.store.read();
    let person = read.person(stage.person.id).await.unwrap().unwrap();
    assert_eq!(person.engagements[0].worksite.as_ref().map(|at| at.as_str()), Some("z"));
}

#[tokio::test]
async fn a_supervisor_is_whom_hr_names_and_never_whom_a_form_names_instead() {
    let stage = Stage::new().await;
    let named = json!({ "user_id": "mbnew", "supervisor": "eve" });
    stage.file_with(1, json!({ "asks": "change", "person": named })).await;
    let matter = async || {
        let read = stage.cycle.store.read();
        let filed = read.access_form(1).await.unwrap().unwrap();
        stage.cycle.form_known(&read, filed).await.unwrap().matter
    };
    let by_form: Vec<String> = matter().await.supervisors.iter().map(ToString::to_string).collect();
    assert_eq!(by_form, ["eve"], "nobody else says one");
    stage.hr_says("b", json!({ "supervisor": "4711" })).await;
    let by_hr = matter().await;
    assert!(by_hr.supervisors.is_empty() && by_hr.supervisor_unclear.is_some(), "{by_hr:?}");
    // What a form said that nobody approved is not HR's word.
    stage.hr_says("b", json!({ "supervisor": "4711", "source": "form" })).await;
    assert!(matter().await.supervisor_unclear.is_none());
}
