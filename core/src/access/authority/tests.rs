use super::super::chain::{Part, Wish, progress};
use super::super::decision::{Decision, Said};
use super::*;
use rstest::rstest;
use uuid::Uuid;

const CHAIN: [&str; 3] = ["supervisor", "local_security_officer", "account_management"];

fn role(name: &str) -> ApproverRole {
    ApproverRole::new(name).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn member(name: &str) -> Member {
    Member {
        name: Actor::new(name).unwrap(),
        also: Vec::new(),
        machine_groups: BTreeSet::new(),
        directory_groups: BTreeSet::new(),
        unread: Vec::new(),
        operator: false,
    }
}

fn in_group(name: &str, group: &str) -> Member {
    Member { directory_groups: [group.to_owned()].into(), ..member(name) }
}

fn rules() -> BTreeMap<ApproverRole, ApproverRule> {
    let rule = |text: &str| serde_json::from_str::<ApproverRule>(text).unwrap();
    [
        (role("supervisor"), rule(r#"{ "title": "Supervisor", "supervisor": true }"#)),
        (
            role("local_security_officer"),
            rule(
                r#"{ "title": "Local Security Officer", "per": "location", "users": ["chief"],
                     "at": { "b": ["leo"] }, "groups": ["LSO-{{ location }}"] }"#,
            ),
        ),
        (role("account_management"), rule(r#"{ "operators": true, "enters_forms": true }"#)),
    ]
    .into()
}

fn matter() -> Matter {
    Matter {
        location: LocationId::new("b").ok(),
        supervisors: vec![user("sue")],
        supervisor_unclear: None,
        subject: vec![user("mbnew"), user("adm-mbnew")],
        filed_by: Actor::new("clerk").ok(),
        requested_by: Some(user("req")),
    }
}

fn yes(who: &str, as_role: &str) -> Decision {
    Decision {
        id: Uuid::nil(),
        form: 1,
        hash: "h".into(),
        role: role(as_role),
        by: Actor::new(who).unwrap(),
        in_place_of: None,
        said: Said::Approved,
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
    }
}

fn absence(away: &str, deputy: &str, only: Option<&str>) -> Absence {
    Absence {
        id: Uuid::nil(),
        away: Actor::new(away).unwrap(),
        deputy: Actor::new(deputy).unwrap(),
        role: only.map(role),
        from: "2026-11-20".parse().unwrap(),
        until: "2026-11-27".parse().unwrap(),
        entered_by: Actor::new(away).unwrap(),
        at: "2026-11-19T12:00:00Z".parse().unwrap(),
    }
}

/// What the caller is told after these decisions.
fn told(
    matter: &Matter,
    decisions: &[Decision],
    away: &[(Absence, Member)],
    caller: &Member,
    as_role: &str,
) -> Result<Allowed, String> {
    let chain = CHAIN.map(role).to_vec();
    let progress = progress(vec![Part { what: Wish::Whole, chain }], "h", decisions);
    let rules = rules();
    let today = "2026-11-22".parse().unwrap();
    let question = Question { matter, progress: &progress, rules: &rules, away, today };
    question.may_decide(caller, &role(as_role)).map_err(|refusal| refusal.to_string())
}

fn first(caller: &Member, as_role: &str) -> Result<Allowed, String> {
    told(&matter(), &[], &[], caller, as_role)
}

#[rstest]
#[case::hr_names_her(member("sue"), "supervisor", "")]
#[case::case_does_not_count(member("Sue"), "supervisor", "")]
#[case::not_the_supervisor(member("eve"), "supervisor", "eve is not Supervisor")]
#[case::not_an_operator(member("eve"), "account_management", "eve is not account_management")]
#[case::of_no_chain(member("sue"), "director", "no role under access.approvers")]
#[case::another_locations_officer(in_group("lea", "LSO-c"), CHAIN[1], "not Local Security Officer")]
#[case::in_turn_only(in_group("lea", "lso-b"), CHAIN[1], "supervisor decides first (A3)")]
fn who_decides_first(#[case] caller: Member, #[case] as_role: &str, #[case] says: &str) {
    match first(&caller, as_role) {
        Ok(allowed) => assert!(says.is_empty() && allowed.in_place_of.is_none(), "{allowed:?}"),
        Err(told) => assert!(!says.is_empty() && told.contains(says), "{told}"),
    }
}

#[rstest]
#[case::by_location(member("leo"), true)]
#[case::everywhere(member("chief"), true)]
#[case::by_group(in_group("lea", "LSO-B"), true)]
#[case::elsewhere(in_group("lea", "LSO-c"), false)]
#[case::template_as_a_name(in_group("eve", "LSO-{{ location }}"), false)]
fn an_officer_is_one_for_the_location_only(#[case] caller: Member, #[case] may: bool) {
    let said = [yes("sue", "supervisor")];
    let told = told(&matter(), &said, &[], &caller, CHAIN[1]);
    assert_eq!(told.is_ok(), may, "{told:?}");
}

#[test]
fn a_supervisor_whom_hr_names_and_nobody_knows_is_nobody_for_now() {
    let why = Some("HR names one who is not known here".to_owned());
    let unclear = Matter { supervisors: Vec::new(), supervisor_unclear: why, ..matter() };
    let told = told(&unclear, &[], &[], &member("sue"), "supervisor").unwrap_err();
    assert!(told.starts_with("not now") && told.contains("not known here"), "{told}");
}

#[test]
fn groups_of_this_machine_are_exact() {
    let said = [yes("sue", "supervisor")];
    for (group, may) in [("LSO-b", true), ("lso-b", false)] {
        let caller = Member { machine_groups: [group.to_owned()].into(), ..member("lea") };
        assert_eq!(told(&matter(), &said, &[], &caller, CHAIN[1]).is_ok(), may, "{group}");
    }
}

#[test]
fn an_unknown_location_has_no_officer_but_those_of_everywhere() {
    let nowhere = Matter { location: None, ..matter() };
    let said = [yes("sue", "supervisor")];
    let officer = told(&nowhere, &said, &[], &in_group("lea", "LSO-b"), CHAIN[1]);
    assert!(officer.unwrap_err().contains("where this person works is not known"));
    assert!(told(&nowhere, &said, &[], &member("chief"), CHAIN[1]).is_ok());
}

#[test]
fn a_directory_that_cannot_be_read_is_no_yes() {
    let said = [yes("sue", "supervisor")];
    let unread = Member { unread: vec!["ad does not answer".into()], ..member("lea") };
    let told = told(&matter(), &said, &[], &unread, CHAIN[1]).unwrap_err();
    assert!(told.starts_with("not now:") && told.contains("ad does not answer"), "{told}");
    assert!(first(&Member { name: Actor::new("sue").unwrap(), ..unread }, "supervisor").is_ok());
}

#[rstest]
#[case::subject("mbnew", "is the one whom the form is about")]
#[case::subjects_other_account("ADM-mbnew", "is the one whom the form is about")]
#[case::subject_with_a_domain("DMH\\mbnew", "is the one whom the form is about")]
#[case::requester("req", "asked for it")]
#[case::filer("clerk", "filed it")]
fn nobody_decides_on_their_own_form(#[case] name: &str, #[case] says: &str) {
    let mut own = matter();
    own.supervisors.push(user(name));
    let told = told(&own, &[], &[], &member(name), "supervisor").unwrap_err();
    assert!(told.contains(says) && told.contains("four eyes"), "{told}");
}

#[test]
fn another_account_of_the_same_person_is_the_same_person() {
    let caller = Member { also: vec![user("mbnew")], operator: true, ..member("other") };
    let said = [yes("sue", "supervisor"), yes("leo", CHAIN[1])];
    let refused = told(&matter(), &said, &[], &caller, CHAIN[2]).unwrap_err();
    assert!(refused.contains("own form"), "{refused}");
    let sue = Member { also: vec![user("sue")], ..in_group("adm-sue", "LSO-b") };
    let refused = told(&matter(), &said[..1], &[], &sue, CHAIN[1]).unwrap_err();
    assert!(refused.contains("as supervisor already"), "{refused}");
}

#[test]
fn nobody_decides_two_steps() {
    let said = [yes("sue", "supervisor")];
    let told = told(&matter(), &said, &[], &in_group("sue", "LSO-b"), CHAIN[1]).unwrap_err();
    assert!(told.contains("sue decided on this form as supervisor already"), "{told}");
}

#[rstest]
#[case::for_another(Some("req"), true)]
#[case::for_itself(Some("clerk"), false)]
#[case::for_nobody(None, false)]
fn account_management_decides_on_what_it_typed_in_for_another(
    #[case] requested_by: Option<&str>,
    #[case] may: bool,
) {
    let typed = Matter { requested_by: requested_by.map(user), ..matter() };
    let said = [yes("sue", "supervisor"), yes("leo", CHAIN[1])];
    let clerk = Member { operator: true, ..member("clerk") };
    assert_eq!(told(&typed, &said, &[], &clerk, CHAIN[2]).is_ok(), may);
    let officer = in_group("clerk", "LSO-b");
    assert!(told(&typed, &said[..1], &[], &officer, CHAIN[1]).is_err(), "only in that role");
}

#[rstest]
#[case::for_all(None, "dan", true)]
#[case::for_this_role(Some("supervisor"), "dan", true)]
#[case::for_another_role(Some("local_security_officer"), "dan", false)]
#[case::not_the_deputy(None, "eve", false)]
fn a_deputy_decides_in_the_place_of_one_who_is_away(
    #[case] only: Option<&str>,
    #[case] caller: &str,
    #[case] may: bool,
) {
    let away = [(absence("sue", "dan", only), member("sue"))];
    let told = told(&matter(), &[], &away, &member(caller), "supervisor");
    assert_eq!(told.as_ref().is_ok(), may, "{told:?}");
    if let Ok(allowed) = told {
        assert_eq!(allowed.in_place_of.map(|actor| actor.to_string()).as_deref(), Some("sue"));
    }
}

#[test]
fn an_absence_counts_on_its_days_only() {
    let mut over = absence("sue", "dan", None);
    over.until = "2026-11-21".parse().unwrap();
    let mut ahead = absence("sue", "dan", None);
    ahead.from = "2026-11-23".parse().unwrap();
    for absence in [over, ahead] {
        let away = [(absence, member("sue"))];
        assert!(told(&matter(), &[], &away, &member("dan"), "supervisor").is_err());
    }
}

#[test]
fn there_is_no_deputy_of_a_deputy_nor_for_oneself_nor_for_two_steps() {
    let chained = [
        (absence("sue", "dan", None), member("sue")),
        (absence("dan", "eve", None), member("dan")),
    ];
    assert!(told(&matter(), &[], &chained, &member("eve"), "supervisor").is_err());

    let own = [(absence("sue", "mbnew", None), member("sue"))];
    let refused = told(&matter(), &[], &own, &member("mbnew"), "supervisor").unwrap_err();
    assert!(refused.contains("own form"), "{refused}");

    let said = [yes("dan", "supervisor")];
    let away = [(absence("leo", "dan", None), member("leo"))];
    let refused = told(&matter(), &said, &away, &member("dan"), CHAIN[1]).unwrap_err();
    assert!(refused.contains("dan decided on this form as supervisor"), "{refused}");
}

#[test]
fn a_deputy_may_no_more_than_the_one_who_is_away() {
    let mut own = matter();
    own.requested_by = Some(user("sue"));
    let away = [(absence("sue", "dan", None), member("sue"))];
    let refused = told(&own, &[], &away, &member("dan"), "supervisor").unwrap_err();
    assert!(refused.contains("sue asked for it"), "{refused}");
}

#[test]
fn a_form_concerns_those_of_its_chain_and_those_whose_it_is() {
    let matter = matter();
    let chain = CHAIN.map(role).to_vec();
    let progress = progress(vec![Part { what: Wish::Whole, chain }], "h", &[]);
    let rules = rules();
    let today = "2026-11-22".parse().unwrap();
    let question =
        Question { matter: &matter, progress: &progress, rules: &rules, away: &[], today };
    for (caller, concerned) in [
        (in_group("lea", "LSO-b"), true),
        (in_group("lea", "LSO-c"), false),
        (member("mbnew"), true),
        (member("req"), true),
        (member("eve"), false),
    ] {
        assert_eq!(question.concerns(&caller), concerned, "{}", caller.name);
    }
    assert_eq!(question.roles_of(&member("sue")), [role("supervisor")]);
    assert!(question.roles_of(&member("leo")).is_empty(), "not yet");
    assert!(question.holds(&member("leo"), &role(CHAIN[1])));
}
