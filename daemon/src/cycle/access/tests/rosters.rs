//! Who sees whose access, and what is asked and read for it.

use super::*;
use crate::config::CronPattern;
use crate::reports::due::Recurring;
use crate::reports::roster::Charge;
use lapsed_core::access::decision::Absence;
use lapsed_core::facts::ApproverRole;

fn works(number: u128, own: &str, supervisor: Option<&str>, has_left: bool) -> Person {
    let engagement: Engagement = serde_json::from_value(json!({
        "source": "hr", "employee_number": own, "user_id": format!("user{number}"),
        "supervisor": supervisor, "worksite": "z", "status": "active", "record": own, "ordinal": 0,
    }))
    .unwrap();
    let notice = Notice {
        source: SourceName::new("hr").unwrap(),
        about: About::Person,
        last_day: None,
        effective_at: now(),
        for_cause: false,
        received_at: now(),
        brought_by: "hr.csv".into(),
        state: NoticeState::Standing,
    };
    let notices = has_left.then_some(notice).into_iter().collect();
    Person { engagements: vec![engagement], notices, ..person(number) }
}

/// Somebody whose supervisor has the number 77, in an agency of these people; what they hold is in place.
async fn agency(people: &[Person]) -> (Cycle, Arc<Eye>) {
    let (cycle, eye) = stage(Eye::default()).await;
    let who = works(1, "1", Some("77"), false);
    let form = FiledForm { state: FormState::InPlace, ..filed(1, who.id, json!({})) };
    let tx = cycle.store.begin().await.unwrap();
    for person in people.iter().chain([&who]) {
        tx.save_person(person).await.unwrap();
    }
    let held = Entitlement { state: EntitlementState::InPlace, ..given(&form, "wards") };
    tx.save_access_forms(&[(form, None)]).await.unwrap();
    tx.save_entitlements(&[held]).await.unwrap();
    tx.commit().await.unwrap();
    (cycle, eye)
}

fn account_of(name: &str) -> Account {
    Account { name: Actor::new(name).unwrap(), groups: [].into(), operator: false }
}

#[rstest]
#[case::one_has_the_number(&[works(7, "77", None, false)], Charge::Supervisor(person(7).id))]
#[case::it_was_passed_on(
    &[works(7, "77", None, false), works(8, "77", None, false)],
    Charge::Nobody
)]
#[case::whose_it_was_has_left(&[works(7, "77", None, true)], Charge::Nobody)]
#[case::nobody_has_it(&[works(7, "78", None, false)], Charge::Nobody)]
#[tokio::test]
async fn a_roster_is_its_one_supervisors_who_alone_sees_it(
    #[case] bosses: &[Person],
    #[case] charge: Charge,
) {
    let (cycle, _) = agency(bosses).await;
    let rosters = cycle.rosters(now()).await.unwrap();
    let theirs: Vec<&Charge> = rosters
        .iter()
        .map(|roster| &roster.charge)
        .filter(|charge| !matches!(charge, Charge::Location(_)))
        .collect();
    assert_eq!(theirs, [&charge]);
    for boss in bosses {
        let name = boss.user_ids().remove(0);
        let own = cycle.rosters_for(&account_of(name.as_str()), now()).await.unwrap().rosters;
        let sees = charge == Charge::Supervisor(boss.id);
        assert_eq!(own.iter().map(|roster| roster.lines.len()).sum::<usize>(), usize::from(sees));
    }
}

#[rstest]
#[case::in_everything(None, -1, 1)]
#[case::as_supervisor(Some("supervisor"), -1, 1)]
#[case::as_something_else(Some("security_officer"), -1, 0)]
#[case::from_tomorrow(None, 1, 0)]
#[tokio::test]
async fn a_deputy_sees_the_rosters_of_who_is_away_as_long_as_they_are(
    #[case] role: Option<&str>,
    #[case] from: i64,
    #[case] sees: usize,
) {
    let (cycle, _) = agency(&[works(7, "77", None, false), works(8, "78", None, false)]).await;
    let today = cycle.today(now());
    let absence = Absence {
        id: Uuid::from_u128(4),
        away: Actor::new("user7").unwrap(),
        deputy: Actor::new("user8").unwrap(),
        role: role.map(|role| ApproverRole::new(role).unwrap()),
        from: today.checked_add(jiff::Span::new().days(from)).unwrap(),
        until: today.checked_add(jiff::Span::new().days(9)).unwrap(),
        entered_by: Actor::new("clerk").unwrap(),
        at: now(),
    };
    let tx = cycle.store.begin().await.unwrap();
    tx.save_absence(&absence).await.unwrap();
    tx.commit().await.unwrap();
    let rosters = cycle.rosters_for(&account_of("user8"), now()).await.unwrap().rosters;
    assert_eq!(rosters.len(), sees, "{rosters:?}");
    assert_eq!(cycle.rosters_for(&account_of("user9"), now()).await.unwrap().rosters.len(), 0);
}

#[tokio::test]
async fn whoever_may_see_no_location_makes_no_directory_answer() {
    let (mut cycle, eye) = agency(&[works(7, "77", None, false)]).await;
    let mut config = (*cycle.config).clone();
    let rule = config.policy.access.approvers.values_mut().next().unwrap();
    rule.groups = vec!["G-Officers".into()];
    config.policy.access.reports.location_roles.clear();
    cycle.config = Arc::new(config);
    let own = cycle.rosters_for(&account_of("user7"), now()).await.unwrap();
    assert_eq!((own.rosters.len(), own.unread.len()), (1, 0));
    assert!(eye.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn whoever_moved_by_form_is_on_the_roster_of_where_access_is_given_now() {
    let (cycle, _) = agency(&[]).await;
    let asks = json!({ "asks": "location_change", "new_location": "q", "person": {} });
    let moved = FiledForm { state: FormState::InPlace, ..filed(2, person(1).id, asks) };
    let tx = cycle.store.begin().await.unwrap();
    tx.save_access_forms(&[(moved, None)]).await.unwrap();
    tx.commit().await.unwrap();
    let rosters = cycle.rosters(now()).await.unwrap();
    let at = |id: &str| {
        let charge = Charge::Location(LocationId::new(id).unwrap());
        rosters.iter().any(|roster| roster.charge == charge)
    };
    assert!(at("q") && !at("z"), "{rosters:?}");
}

#[tokio::test]
async fn rosters_are_mailed_though_the_folder_cant_be_written_to_and_that_is_told() {
    let (mut cycle, _) = agency(&[works(7, "77", None, false)]).await;
    let mut config = (*cycle.config).clone();
    let notices = json!({ "account_management": ["accounts@dmh.test"] });
    config.notices = Some(serde_json::from_value(notices).unwrap());
    let folder = tempfile::NamedTempFile::new().unwrap();
    config.policy.access.reports.folder = Some(folder.path().display().to_string());
    cycle.config = Arc::new(config.clone());
    cycle.write_rosters("daemon", now()).await.unwrap_err();
    let told = cycle.store.read().open_set_asides().await.unwrap();
    assert_eq!(told.len(), 1);
    config.policy.access.reports.folder = None;
    cycle.config = Arc::new(config);
    let again = cycle.write_rosters("daemon", now()).await.unwrap();
    assert_eq!(again.mailed, 0, "they wait to go out already");
    assert!(!cycle.store.read().notice_counts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_month_that_came_while_the_daemon_was_down_is_made_up_for_once() {
    let (cycle, _) = stage(Eye::default()).await;
    let pattern = CronPattern::new("0 6 1 * *").unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let due =
        async |moment: &str| cycle.is_due(Recurring::Rosters, &pattern, at(moment)).await.unwrap();
    assert!(!due("2026-11-15T18:00:00Z").await, "lapsed was set up in the middle of the month");
    assert!(!due("2026-12-01T11:00:00Z").await, "five in the morning");
    assert!(due("2026-12-02T18:00:00Z").await, "nobody was there on the first");
    cycle.was_made(Recurring::Rosters, &pattern, at("2026-12-02T18:00:00Z")).await.unwrap();
    assert!(!due("2026-12-03T18:00:00Z").await);
    assert!(due("2027-01-01T12:00:00Z").await);
}
