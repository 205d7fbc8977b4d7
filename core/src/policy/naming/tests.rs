//! The naming standard as tables, and what must hold for every name.

use super::*;
use crate::facts::UserId;
use crate::policy::departure::LocationClass;
use proptest::prelude::*;
use rstest::rstest;
use std::cell::Cell;
use std::collections::HashSet;

fn person(last: &str, first: &str, location: &str, kind: &str) -> NameRequest {
    NameRequest {
        name: PersonName { last: last.into(), first: first.into(), preferred: None },
        location: LocationId::new(location).ok(),
        kind: PersonKind::new(kind).ok(),
        function: None,
    }
}

fn staff(last: &str, first: &str) -> NameRequest {
    person(last, first, "z", "staff")
}

fn try_id(request: &NameRequest, taken: &[&str]) -> Result<String, NamingError> {
    let taken: TakenIds = taken.iter().collect();
    propose(&NamingPolicy::default(), &default_locations(), request, &|id| taken.contains(id))
        .map(String::from)
}

fn id(request: &NameRequest, taken: &[&str]) -> String {
    try_id(request, taken).expect("an ID")
}

#[rstest]
#[case("Smith", "John", "z", "mzsmitj")]
#[case("Li", "Ann", "q", "mqlia")]
#[case("Smith", "John", "Z", "mzsmitj")]
#[case("Núñez", "Ángel", "b", "mbnunea")]
#[case("Nu\u{301}n\u{303}ez", "A\u{301}ngel", "b", "mbnunea")]
#[case("Łukasz", "Øyvind", "z", "mzlukao")]
#[case("O'Brien", "Pat", "z", "mzobrip")]
#[case("O’Brien", "Pat", "z", "mzobrip")]
#[case("De La Cruz", "Ana", "z", "mzdelaa")]
#[case("Smith-Jones", "Ann", "z", "mzsmita")]
#[case("Li-Smith", "Ann", "z", "mzlisma")]
#[case("Weiß", "Jörg", "z", "mzweisj")]
#[case("Æ", "J", "z", "mzaej")]
#[case("Ng", "-Bo", "z", "mzngb")]
#[case("北", "京", "z", "mzbeij")]
#[case("Smith 2", "John", "z", "mzsmitj")]
#[case("Sm!\u{1b}[31mith", "=cmd()", "z", "mzsmmic")]
#[case("Smith™😀", "John", "z", "mzsmitj")]
#[case("Smith", "John", "1", "m1smitj")]
fn a_staff_id_follows_the_standard(
    #[case] last: &str,
    #[case] first: &str,
    #[case] location: &str,
    #[case] expected: &str,
) {
    assert_eq!(id(&person(last, first, location, "staff"), &[]), expected);
}

#[rstest]
#[case("Smith Jr", "mzsmitj")]
#[case("Li Jr.", "mzlij")]
#[case("Li, III", "mzlij")]
#[case("Li,Sr", "mzlij")]
#[case("Li iv", "mzlij")]
#[case("Li Jr III", "mzlij")]
#[case("Li (II)", "mzlij")]
#[case("Li\u{a0}Jr", "mzlij")]
#[case("Li Ⅲ", "mzlij")]
#[case("Li Jr -", "mzlij")]
#[case("Li Junior", "mzlijuj")]
#[case("Iv", "mzivj")]
#[case("Sri", "mzsrij")]
fn a_generational_suffix_is_no_part_of_the_name(#[case] last: &str, #[case] expected: &str) {
    assert_eq!(id(&staff(last, "John"), &[]), expected);
}

#[rstest]
#[case(Some("Bill"), "mzsmitb")]
#[case(Some("  "), "mzsmitw")]
#[case(Some("--"), "mzsmitw")]
#[case(Some("'Bo"), "mzsmitb")]
#[case(None, "mzsmitw")]
fn the_preferred_first_name_counts_where_there_is_one(
    #[case] preferred: Option<&str>,
    #[case] expected: &str,
) {
    let mut request = staff("Smith", "William");
    request.name.preferred = preferred.map(str::to_owned);
    assert_eq!(id(&request, &[]), expected);
}

#[test]
fn duplicates_replace_the_end_of_the_last_name_by_the_smallest_free_number() {
    let (policy, locations) = (NamingPolicy::default(), default_locations());
    let mut namer = Namer::new(&policy, &locations);
    let mut next = || namer.propose(&staff("Smith", "John"), &|_| false).map(String::from);
    let ids: Vec<String> = std::iter::from_fn(|| next().ok()).collect();
    let at = |k: usize| ids.get(k).map(String::as_str);
    let expected = [
        (0, "mzsmitj"),
        (1, "mzsmi1j"),
        (9, "mzsmi9j"),
        (10, "mzsm10j"),
        (99, "mzsm99j"),
        (100, "mzs100j"),
        (999, "mzs999j"),
        (1000, "mz1000j"),
        (9999, "mz9999j"),
    ];
    for (k, id) in expected {
        assert_eq!(at(k), Some(id), "duplicate {k}");
    }
    assert_eq!(ids.len(), 10_000);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 10_000);
    let all_taken = NamingError::AllTaken { plain: "mzsmitj".into() };
    assert_eq!(next(), Err(all_taken));
}

#[test]
fn a_short_last_name_has_room_for_fewer_duplicates() {
    let (policy, locations) = (NamingPolicy::default(), default_locations());
    let mut namer = Namer::new(&policy, &locations);
    let ann = person("Li", "Ann", "q", "staff");
    let ids: Vec<String> =
        std::iter::from_fn(|| namer.propose(&ann, &|_| false).ok().map(String::from)).collect();
    assert_eq!(ids.len(), 100);
    assert_eq!(ids[..3], ["mqlia", "mql1a", "mql2a"]);
    assert_eq!(ids[9..12], ["mql9a", "mq10a", "mq11a"]);
    assert_eq!(ids[99], "mq99a");
}

#[test]
fn a_gap_in_the_numbers_is_filled_first() {
    let taken = ["mzsmitj", "mzsmi1j", "mzsmi3j", "mzsm10j"];
    assert_eq!(id(&staff("Smith", "John"), &taken), "mzsmi2j");
}

#[test]
fn taken_ignores_case_and_diacritics() {
    assert_eq!(id(&staff("Smith", "John"), &["MZSMITJ", " mzsmí1J "]), "mzsmi2j");
    let taken: TakenIds = ["mqconSmithJ"].iter().collect();
    assert!(taken.contains("MQCONSMITHJ") && !taken.contains("mqconsmith"));
    assert_eq!(id(&person("Smith", "John", "q", "con"), &["mqconsmithj"]), "mqconSmithJ1");
}

#[test]
fn a_reserved_id_is_never_given() {
    let policy = NamingPolicy { reserved: vec!["MZsmitJ".into()], ..NamingPolicy::default() };
    let locations = default_locations();
    let john = staff("Smith", "John");
    let given = propose(&policy, &locations, &john, &|_| false).map(String::from);
    assert_eq!(given.as_deref(), Ok("mzsmi1j"));
    let first = candidates(&policy, &locations, &john).expect("candidates").next();
    assert_eq!(first.map(String::from).as_deref(), Some("mzsmi1j"));
}

#[rstest]
#[case(person("Smith", "John", "q", "consultant"), &[], "mqconSmithJ")]
#[case(person("Smith", "John", "q", "con"), &[], "mqconSmithJ")]
#[case(person("O'Brien", "Élise", "b", "intern"), &[], "mbintOBrienE")]
#[case(person("Smith", "John", "q", "con"), &["mqconSmithJ", "mqconsmithj1"], "mqconSmithJ2")]
#[case(person("Wolfeschlegelsteinhausen", "Jo", "q", "con"), &[], "mqconWolfeschlegelsJ")]
#[case(
    person("Wolfeschlegelsteinhausen", "Jo", "q", "con"),
    &["mqconWolfeschlegelsJ"],
    "mqconWolfeschlegelJ1"
)]
#[case(person("Smith", "John", "z", "contract_provider"), &[], "mysmitj")]
#[case(person("quadramed", "", "z", "resource"), &[], "mzquadramed")]
#[case(person("Training 1", "", "b", "resource"), &[], "mbtraining1")]
#[case(person("training1", "", "b", "resource"), &["mbtraining1"], "mbtraining11")]
fn each_kind_has_its_form(
    #[case] request: NameRequest,
    #[case] taken: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(id(&request, taken), expected);
}

#[test]
fn a_request_brings_its_function_where_the_kind_has_none() {
    let vendor = |function: &str| NameRequest {
        function: Some(function.into()),
        ..person("Smith", "John", "q", "vendor")
    };
    assert_eq!(id(&vendor("CON"), &[]), "mqconSmithJ");
    let unknown = NamingError::UnknownFunction { code: "ven".into(), known: "con, int".into() };
    assert_eq!(try_id(&vendor("ven"), &[]), Err(unknown));
    assert_eq!(try_id(&vendor(" "), &[]), Err(NamingError::NoFunction));
    let kiosk = NameRequest { function: Some("kiosk".into()), ..person("", "", "z", "resource") };
    assert_eq!(id(&kiosk, &[]), "mzkiosk");
}

#[rstest]
#[case(staff("---", "John"), NamingError::NoLetter(NamePart::LastName))]
#[case(staff("", "John"), NamingError::NoLetter(NamePart::LastName))]
#[case(staff("Smith", ""), NamingError::NoLetter(NamePart::FirstName))]
#[case(staff("Mu\u{fffd}oz", "Ana"), NamingError::Damaged(NamePart::LastName))]
#[case(staff("Munoz", "\u{fffd}na"), NamingError::Damaged(NamePart::FirstName))]
#[case(person("Li", "Ann", "j", "staff"), NamingError::UnknownLocation("j".into()))]
#[case(person("Li", "Ann", "", "staff"), NamingError::NoLocation)]
#[case(person("!", "", "z", "resource"), NamingError::NoLetter(NamePart::Function))]
#[case(person("", "", "z", "resource"), NamingError::NoFunction)]
fn what_can_not_be_read_is_an_error_and_no_guess(
    #[case] request: NameRequest,
    #[case] expected: NamingError,
) {
    assert_eq!(try_id(&request, &[]), Err(expected));
}

#[test]
fn an_unknown_kind_is_told_the_known_ones() {
    let error = try_id(&person("Li", "Ann", "z", "robot"), &[]).expect_err("no such kind");
    let text = error.to_string();
    assert!(text.contains("\"robot\"") && text.contains("contract_provider"), "{text}");
}

#[test]
fn a_letter_without_counterpart_asks_for_an_entry_or_a_hand_made_id() {
    let error = try_id(&staff("\u{14400}", "Ann"), &[])
        .expect_err("Anatolian hieroglyphs are not in the table");
    let text = error.to_string();
    assert!(text.contains("U+14400") && text.contains("naming.transliterate"), "{text}");
}

#[test]
fn an_agency_may_spell_letters_its_own_way() {
    let own = [('ü', "ue".to_owned()), ('ß', "z".to_owned())];
    let policy = NamingPolicy { transliterate: own.into(), ..NamingPolicy::default() };
    let spelt = |request: &NameRequest| {
        propose(&policy, &default_locations(), request, &|_| false).map(String::from)
    };
    assert_eq!(spelt(&staff("Müß", "Ida")).as_deref(), Ok("mzmuezi"));
    assert_eq!(spelt(&staff("Mu\u{308}ller", "Ida")).as_deref(), Ok("mzmueli"));
    let consultant = person("Über", "Ida", "q", "con");
    assert_eq!(spelt(&consultant).as_deref(), Ok("mqconUeberI"));
}

#[test]
fn letters_and_prefix_come_from_the_policy() {
    let policy = NamingPolicy {
        prefix: "KS".into(),
        last_name_letters: 6,
        first_name_letters: 2,
        ..NamingPolicy::default()
    };
    let given = propose(&policy, &default_locations(), &staff("Jefferson", "Thomas"), &|_| false);
    assert_eq!(given.map(String::from).as_deref(), Ok("kszjefferth"));
}

#[test]
fn parts_that_can_not_be_cut_may_be_too_long() {
    let policy = NamingPolicy { max_length: 5, ..NamingPolicy::default() };
    let locations = default_locations();
    let given = propose(&policy, &locations, &person("Smith", "J", "q", "con"), &|_| false);
    assert_eq!(given, Err(NamingError::TooLong(5)));
    assert!(policy.faults(&locations).iter().any(|fault| fault.key == "naming.max_length"));
}

#[rstest]
#[case("mzsmitj", true)]
#[case("MZSMITJ", true)]
#[case("mzsmi7j", true)]
#[case("mz1234j", true)]
#[case("mzsm07j", false)]
#[case("mzsmi0j", false)]
#[case("mzjonej", false)]
#[case("mqsmitj", false)]
#[case("john.smith", false)]
fn an_id_is_told_to_follow_the_standard_or_not(#[case] given: &str, #[case] expected: bool) {
    let (policy, locations) = (NamingPolicy::default(), default_locations());
    let given = UserId::new(given).expect("a user ID");
    let fits = fits(&policy, &locations, &staff("Smithson", "Jane"), &given);
    assert_eq!(fits, Ok(expected));
}

#[rstest]
#[case(Some("staff"), Change::Name, false, false, RenameDecision::Rename { name: true, location: false })]
#[case(None, Change::Name, true, false, RenameDecision::Rename { name: true, location: false })]
#[case(Some("staff"), Change::Location, false, false, RenameDecision::Rename { name: false, location: true })]
#[case(
    Some("staff"),
    Change::Location,
    true,
    false,
    RenameDecision::Keep(KeepReason::PreviousDuties)
)]
#[case(Some("staff"), Change::NameAndLocation, true, false, RenameDecision::Rename { name: true, location: false })]
#[case(Some("staff"), Change::NameAndLocation, false, false, RenameDecision::Rename { name: true, location: true })]
#[case(Some("staff"), Change::Name, false, true, RenameDecision::Keep(KeepReason::Mainframe))]
#[case(Some("consultant"), Change::Name, false, false, RenameDecision::Keep(KeepReason::Kind))]
fn renames_follow_the_rules(
    #[case] kind: Option<&str>,
    #[case] change: Change,
    #[case] keeps_duties: bool,
    #[case] mainframe: bool,
    #[case] expected: RenameDecision,
) {
    let kind = kind.and_then(|kind| PersonKind::new(kind).ok());
    let policy = NamingPolicy::default();
    let decided = must_rename(&policy, kind.as_ref(), change, keeps_duties, mainframe);
    assert_eq!(decided, expected);
}

#[test]
fn the_location_table_is_whole() {
    let locations = default_locations();
    let ids: String = locations.keys().map(LocationId::as_str).collect();
    assert_eq!(ids, "134679bcdefghiklmnpqrstuvwxyz");
    let class = |id: &str| find_location(&locations, &LocationId::new(id).ok()?).map(|l| l.1.class);
    assert_eq!(class("Z"), Some(LocationClass::CentralOffice));
    assert_eq!(class("y"), Some(LocationClass::Unstated));
    assert_eq!(class("q"), Some(LocationClass::Facility));
}

#[test]
fn the_default_policy_has_no_fault_and_survives_its_own_json() {
    let policy = NamingPolicy::default();
    assert_eq!(policy.faults(&default_locations()), []);
    let text = serde_json::to_string(&policy).expect("JSON");
    assert_eq!(serde_json::from_str::<NamingPolicy>(&text).expect("the policy"), policy);
}

#[test]
fn faults_of_a_policy_are_all_named() {
    let mut policy = NamingPolicy {
        prefix: "m-".into(),
        last_name_letters: 0,
        transliterate: [('ü', "ü".to_owned())].into(),
        default_kind: PersonKind::new("robot").ok(),
        ..NamingPolicy::default()
    };
    policy.functions.clear();
    let faults = policy.faults(&BTreeMap::new());
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let expected = [
        "naming.last_name_letters",
        "naming.prefix",
        "naming.transliterate.ü",
        "naming.kinds.consultant.function",
        "naming.kinds.contract_provider.location",
        "naming.kinds.intern.function",
        "naming.default_kind",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn names_that_share_a_count_look_at_each_number_once() {
    let (policy, locations) = (NamingPolicy::default(), default_locations());
    let mut namer = Namer::new(&policy, &locations);
    let asked = Cell::new(0_u32);
    let names = ["Smith", "Smithers", "Smitt", "Smiley", "Smoot", "Snow", "Sanchez"];
    let mut given = 0;
    for name in names.iter().cycle().take(10_000) {
        let free = namer.propose(&staff(name, "John"), &|_| {
            asked.set(asked.get() + 1);
            false
        });
        given += u32::from(free.is_ok());
    }
    // Each ID of the shared counts is looked at once, whichever name brought it up.
    assert_eq!(given, 10_000);
    assert!(asked.get() <= 10_000 + 5, "{} look-ups", asked.get());
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[A-Za-z' -]{1,10}",
        "[A-Za-zÀ-ɏ]{1,8}",
        Just("Smith".to_owned()),
        Just("Li Jr".to_owned()),
    ]
}

fn any_request() -> impl Strategy<Value = NameRequest> {
    let kinds = ["staff", "contract_provider", "consultant", "intern", "resource"];
    let location =
        prop::sample::select("134679bcdefghiklmnpqrstuvwxyz".chars().collect::<Vec<_>>());
    (any_name(), any_name(), location, prop::sample::select(kinds.to_vec())).prop_map(
        |(last, first, location, kind)| person(&last, &first, &location.to_string(), kind),
    )
}

proptest! {
    #[test]
    fn an_id_is_safe_everywhere_and_never_a_taken_one(
        requests in prop::collection::vec(any_request(), 1..40),
        seed in prop::collection::vec("m[qz](smi|li|con)?[a-z0-9]{0,3}j", 0..30),
    ) {
        let (policy, locations) = (NamingPolicy::default(), default_locations());
        let mut taken: TakenIds = seed.iter().collect();
        let mut namer = Namer::new(&policy, &locations);
        for request in &requests {
            let alone = propose(&policy, &locations, request, &|id| taken.contains(id));
            let in_order = namer.propose(request, &|id| taken.contains(id));
            prop_assert_eq!(&alone, &in_order);
            let Ok(id) = in_order else { continue };
            let by_hand = candidates(&policy, &locations, request).expect("readable")
                .find(|id| !taken.contains(id.as_str()));
            prop_assert_eq!(by_hand.as_ref(), Some(&id));
            prop_assert!(fits(&policy, &locations, request, &id).expect("readable"));
            prop_assert!(id.as_str().len() <= 20);
            prop_assert!(id.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
            let capitals = id.as_str().chars().any(|c| c.is_ascii_uppercase());
            let coded = matches!(request.kind.as_ref().map(PersonKind::as_str), Some("consultant" | "intern"));
            prop_assert!(coded || !capitals);
            prop_assert!(taken.insert(id.as_str()), "{} was taken", id);
        }
    }

    #[test]
    fn equal_names_get_distinct_ids(last in "[A-Za-z]{1,6}", count in 1_usize..300) {
        let (policy, locations) = (NamingPolicy::default(), default_locations());
        let mut namer = Namer::new(&policy, &locations);
        let ids: Vec<_> = (0..count)
            .map_while(|_| namer.propose(&staff(&last, "Jo"), &|_| false).ok())
            .collect();
        let room = 10_usize.pow(u32::try_from(last.len().min(4)).expect("small"));
        prop_assert_eq!(ids.len(), count.min(room));
        prop_assert_eq!(ids.iter().map(|id| id.folded()).collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn when_all_is_taken_the_answer_is_an_error(request in any_request()) {
        let (policy, locations) = (NamingPolicy::default(), default_locations());
        prop_assert!(propose(&policy, &locations, &request, &|_| true).is_err());
    }
}
