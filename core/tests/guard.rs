//! The guard as a table: how many departures, against which population, and what becomes of them.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId, StableId, UserId};
use lapsed_core::guard::{Baseline, Finding, Limits, Proposed, Verdict, judge};
use lapsed_core::plan::PlanKind;
use lapsed_core::step::{Action, Due, Expect, Step, Target};
use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

fn departure(number: u128) -> Proposed {
    let person = PersonId(Uuid::from_u128(number + 1));
    let case = CaseId::departure(person, 0);
    let user_id = UserId::new(format!("mz{number}")).unwrap();
    let account =
        Target { id: StableId::new(format!("guid-{number}")).unwrap(), label: user_id.to_string() };
    let step = Step::new(
        case,
        person,
        ConnectorName::new("directory").unwrap(),
        Action::Disable { account },
        Expect { user_id, employee_number: None },
        Due::AtOnce,
        Rule::D2,
    );
    Proposed {
        case,
        person,
        noticed_at: jiff::Timestamp::UNIX_EPOCH,
        by_operator: false,
        steps: vec![step],
        findings: vec![],
        explanations: vec![],
    }
}

fn protected(number: u128) -> Proposed {
    let sound = departure(number);
    let finding = Finding::Protected {
        person: sound.person,
        account: format!("mz{number}"),
        because: "adminCount".into(),
    };
    Proposed { findings: vec![finding], ..sound }
}

fn baseline(population: Option<u32>, departed_in_window: u32) -> Baseline {
    Baseline { population, departed_in_window, departed_in_hour: 0 }
}

/// `passed`, `held` and `held as one` for so many departures.
fn verdict(people: u128, population: Option<u32>, in_window: u32) -> &'static str {
    let judged = judge(
        (0..people).map(departure).collect(),
        baseline(population, in_window),
        &Limits::default(),
        "rules",
    );
    match judged.as_slice() {
        [] => "nothing",
        [(plan, Verdict::Hold)] if matches!(plan.kind, PlanKind::MassDeparture { .. }) => {
            "held as one"
        }
        all if all.iter().all(|(_, v)| *v == Verdict::Pass) => "passed",
        _ => "held",
    }
}

#[rstest]
#[case::nobody(0, Some(1_000), 0, "nothing")]
#[case::one(1, Some(1_000), 0, "passed")]
#[case::few_of_a_small_agency(10, Some(300), 0, "passed")]
#[case::one_percent_of_a_small_agency_is_nobody(11, Some(300), 0, "held as one")]
#[case::up_to_the_count(25, Some(100_000), 0, "passed")]
#[case::past_the_count(26, Some(100_000), 0, "held as one")]
#[case::a_third_of_the_agency(100, Some(300), 0, "held as one")]
#[case::slow_drip_past_the_window(10, Some(1_000), 29, "held as one")]
#[case::within_the_window(10, Some(1_000), 20, "passed")]
#[case::few_real_leavers_although_the_window_is_used_up(3, Some(1_000), 30, "passed")]
#[case::four_are_no_longer_few(4, Some(1_000), 30, "held as one")]
#[case::a_drip_of_three_at_a_time_is_a_drip(3, Some(1_000), 33, "held as one")]
#[case::no_baseline_and_a_drip(1, None, 3, "held as one")]
#[case::no_baseline_and_few(3, None, 0, "passed")]
#[case::no_baseline_and_many(4, None, 0, "held as one")]
fn limits_trip_as_the_table_says(
    #[case] people: u128,
    #[case] population: Option<u32>,
    #[case] in_window: u32,
    #[case] expected: &str,
) {
    assert_eq!(verdict(people, population, in_window), expected);
}

#[test]
fn a_protected_account_is_held_by_itself_and_the_others_go_on() {
    let proposed = vec![departure(1), protected(2), departure(3)];
    let judged = judge(proposed, baseline(Some(1_000), 0), &Limits::default(), "rules");
    let held: Vec<_> = judged.iter().filter(|(_, v)| *v == Verdict::Hold).collect();
    assert_eq!((judged.len(), held.len()), (3, 1));
    assert!(matches!(held[0].0.findings[0], Finding::Protected { .. }));
}

#[test]
fn several_drops_within_an_hour_are_one_run() {
    let hour = Baseline { population: Some(100_000), departed_in_window: 20, departed_in_hour: 20 };
    let proposed = (0..6).map(departure).collect();
    let judged = judge(proposed, hour, &Limits::default(), "rules");
    assert!(matches!(judged.as_slice(), [(_, Verdict::Hold)]));
}

#[test]
fn what_an_operator_said_of_one_person_is_never_swept_into_a_mass_plan() {
    let by_operator = Proposed { by_operator: true, ..departure(99) };
    let proposed = (0..60).map(departure).chain([by_operator]).collect();
    let judged = judge(proposed, baseline(Some(300), 0), &Limits::default(), "rules");
    let passed: Vec<_> = judged.iter().filter(|(_, v)| *v == Verdict::Pass).collect();
    assert_eq!((judged.len(), passed.len()), (2, 1));
    assert_eq!(passed[0].0.steps[0].action.account().label, "mz99");
}

#[test]
fn the_hash_covers_steps_and_rules_and_not_the_order_in_which_they_were_found() {
    let hash = |proposed, rules| {
        judge(proposed, baseline(Some(10), 0), &Limits::default(), rules)[0].0.hash.clone()
    };
    let all = |order: &[u128]| order.iter().map(|n| departure(*n)).collect::<Vec<_>>();
    let many: Vec<u128> = (0..30).collect();
    let backwards: Vec<u128> = (0..30).rev().collect();
    assert_eq!(hash(all(&many), "rules"), hash(all(&backwards), "rules"));
    assert_ne!(hash(all(&many), "rules"), hash(all(&many), "other rules"));
    assert_ne!(hash(all(&many), "rules"), hash(all(&many[1..]), "rules"));
}

proptest! {
    /// The guard judges and never edits: every step that was proposed is in exactly one plan.
    #[test]
    fn no_step_is_trimmed_or_doubled(
        sound in 0_u128..60,
        suspect in 0_u128..5,
        population in proptest::option::of(1_u32..100_000),
        in_window in 0_u32..500,
    ) {
        let proposed: Vec<Proposed> =
            (0..sound).map(departure).chain((100..100 + suspect).map(protected)).collect();
        let mut wanted: Vec<_> = proposed.iter().flat_map(|p| p.steps.iter().map(|s| s.id)).collect();
        let judged = judge(proposed, baseline(population, in_window), &Limits::default(), "rules");
        let mut planned: Vec<_> =
            judged.iter().flat_map(|(plan, _)| plan.steps.iter().map(|s| s.id)).collect();
        wanted.sort();
        planned.sort();
        prop_assert_eq!(wanted, planned);
    }

    /// A plan that passed carries no finding.
    #[test]
    fn nothing_with_a_finding_passes(sound in 0_u128..60, suspect in 0_u128..5, in_window in 0_u32..500) {
        let proposed = (0..sound).map(departure).chain((100..100 + suspect).map(protected)).collect();
        for (plan, verdict) in judge(proposed, baseline(Some(500), in_window), &Limits::default(), "rules") {
            prop_assert_eq!(verdict == Verdict::Hold, !plan.findings.is_empty());
        }
    }
}
