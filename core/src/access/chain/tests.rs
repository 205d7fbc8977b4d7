use super::*;
use crate::facts::FormName;
use crate::policy::access::SystemRule;
use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

const HASH: &str = "5f";
const CIMOR: [&str; 4] =
    ["supervisor", "local_security_officer", "business_owner", "account_management"];

fn role(name: &str) -> ApproverRole {
    ApproverRole::new(name).unwrap()
}

fn roles(names: &[&str]) -> Vec<ApproverRole> {
    names.iter().map(|name| role(name)).collect()
}

fn part(system: &str, chain: &[&str]) -> Part {
    let system = SystemName::new(system).unwrap();
    let what = Wish::System { system, role: None, remove: false, ends_on: None };
    Part { what, chain: roles(chain) }
}

fn said(who: &str, as_role: &str, said: Said) -> Decision {
    Decision {
        id: Uuid::nil(),
        form: 1,
        hash: HASH.into(),
        role: role(as_role),
        by: Actor::new(who).unwrap(),
        in_place_of: None,
        said,
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
    }
}

fn yes(who: &str, as_role: &str) -> Decision {
    said(who, as_role, Said::Approved)
}

fn no(who: &str, as_role: &str) -> Decision {
    said(who, as_role, Said::Denied { reason: "no need".into() })
}

fn after(parts: &[Part], decisions: &[Decision]) -> Progress {
    progress(parts.to_vec(), HASH, decisions)
}

#[test]
fn cimors_four_steps_come_one_after_the_other() {
    let parts = [part("cimor", &CIMOR)];
    let mut said = Vec::new();
    for (who, as_role) in ["sue", "leo", "bo", "ann"].into_iter().zip(CIMOR) {
        let before = after(&parts, &said);
        assert_eq!(before.asked(), roles(&[as_role]));
        assert!(!before.is_decided());
        said.push(yes(who, as_role));
    }
    let done = after(&parts, &said);
    assert_eq!(done.complete().count(), 1);
    assert!(done.is_decided() && done.denied().is_none());
}

#[test]
fn one_yes_counts_for_every_system_whose_turn_it_is() {
    let parts =
        [part("mail", &["supervisor", "lso"]), part("cimor", &["supervisor", "lso", "owner"])];
    let both = after(&parts, &[yes("sue", "supervisor")]);
    assert_eq!(both.asked(), roles(&["lso"]));
    let one = after(&parts, &[yes("sue", "supervisor"), yes("leo", "lso")]);
    assert_eq!(one.asked(), roles(&["owner"]));
    let complete: Vec<_> = one.complete().collect();
    assert_eq!(complete, [&parts[0]]);
}

#[test]
fn a_denial_ends_what_has_the_role_and_leaves_what_is_complete_or_others() {
    let parts = [
        part("mail", &["supervisor"]),
        part("cimor", &["supervisor", "owner"]),
        part("files", &["supervisor", "lso"]),
    ];
    let denied = after(&parts, &[yes("sue", "supervisor"), no("bo", "owner"), yes("al", "owner")]);
    assert_eq!(denied.parts[0].stands, Stands::Complete);
    assert!(
        matches!(&denied.parts[1].stands, Stands::Denied(denial) if denial.reason == "no need")
    );
    assert_eq!(denied.parts[2].stands, Stands::Waiting(role("lso")));
    assert!(denied.denied().is_none(), "mail was given");
    let all = after(&parts, &[no("sue", "supervisor")]);
    assert_eq!(all.denied().map(|denial| denial.by.as_str()), Some("sue"));
}

#[test]
fn whose_turn_it_is_and_is_not_is_told() {
    let parts = [part("cimor", &CIMOR)];
    let fresh = after(&parts, &[]);
    assert_eq!(fresh.before(&role("business_owner")), Some(&role("supervisor")));
    assert_eq!(fresh.before(&role("supervisor")), None);
    assert!(!fresh.has(&role("director")));
    let later = after(&parts, &[yes("sue", "supervisor")]);
    assert_eq!(later.before(&role("supervisor")), None, "it is over, not to come");
}

#[test]
fn the_same_hands_count_for_one_step_also_through_a_deputy() {
    let parts = [part("cimor", &CIMOR)];
    let twice = after(&parts, &[yes("sue", "supervisor"), yes("SUE", "local_security_officer")]);
    assert_eq!(twice.asked(), roles(&["local_security_officer"]));
    let deputy = Decision { in_place_of: Actor::new("sue").ok(), ..yes("dan", CIMOR[1]) };
    let through = after(&parts, &[yes("sue", "supervisor"), deputy]);
    assert_eq!(through.asked(), roles(&["local_security_officer"]));
}

#[rstest]
#[case::with_a_domain_before("DMH\\Sue")]
#[case::with_a_domain_behind("sue@dmh.test")]
fn a_domain_makes_nobody_another(#[case] other: &str) {
    let parts = [part("cimor", &CIMOR)];
    let twice = after(&parts, &[yes("sue", "supervisor"), yes(other, CIMOR[1])]);
    assert_eq!(twice.asked(), roles(&[CIMOR[1]]));
}

fn form(asks: Asks, systems: &[(&str, bool)]) -> AccessForm {
    let systems = systems
        .iter()
        .map(|(system, remove)| serde_json::json!({ "system": system, "remove": remove }));
    serde_json::from_value(serde_json::json!({
        "form": "staff_access", "version": 1, "id": Uuid::nil(), "asks": asks, "person": {},
        "systems": systems.collect::<Vec<_>>(),
    }))
    .unwrap()
}

fn policy(own: &[&str]) -> AccessPolicy {
    let cimor = SystemRule { chain: roles(&CIMOR), ..SystemRule::default() };
    let rule = FormRule { chain: roles(own), ..FormRule::default() };
    let (chain, personal_device) = (roles(&["owner"]), true);
    let device = SystemRule { chain, personal_device, ..SystemRule::default() };
    AccessPolicy {
        chain: roles(&["supervisor", "local_security_officer", "supervisor"]),
        systems: [("cimor", cimor), ("telephone", device)]
            .map(|(name, rule)| (SystemName::new(name).unwrap(), rule))
            .into(),
        forms: [(FormName::new("staff_access").unwrap(), rule)].into(),
        ..AccessPolicy::default()
    }
}

#[rstest]
#[case::agencys(&[], "mail", &["supervisor", "local_security_officer"])]
#[case::systems(&[], "cimor", &CIMOR)]
#[case::forms_own(&["facility_director"], "cimor", &["facility_director"])]
#[case::on_a_personal_device(&[], "telephone", &["supervisor", "owner"])]
#[case::on_one_by_a_form_of_its_own(
    &["facility_director"], "telephone", &["supervisor", "facility_director"]
)]
#[case::whoever_is_asked_already(&["facility_director", "supervisor"], "telephone",
    &["facility_director", "supervisor"])]
fn the_chain_is_the_forms_own_else_the_systems_else_the_agencys(
    #[case] own: &[&str],
    #[case] system: &str,
    #[case] chain: &[&str],
) {
    for remove in [false, true] {
        let parts = parts(&form(Asks::Change, &[(system, remove)]), &[], &policy(own));
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].chain, roles(chain));
    }
}

#[rstest]
#[case::revoke(Asks::Revoke, &[])]
#[case::leave(Asks::Leave, &[])]
#[case::suspend(Asks::Suspend, &[])]
#[case::back(Asks::Return, &["facility_director"])]
#[case::lift(Asks::Lift, &["facility_director"])]
#[case::rename(Asks::NameChange, &["facility_director"])]
fn what_ends_access_waits_for_nobody(#[case] asks: Asks, #[case] chain: &[&str]) {
    let parts = parts(&form(asks, &[("cimor", false)]), &[], &policy(&["facility_director"]));
    assert_eq!(parts, [Part { what: Wish::Whole, chain: roles(chain) }]);
}

#[test]
fn what_comes_with_a_form_is_asked_first_and_once() {
    let included = ["mail", "cimor"].map(|name| (SystemName::new(name).unwrap(), None));
    let parts = parts(&form(Asks::New, &[("cimor", false)]), &included, &policy(&[]));
    let named: Vec<String> = parts.iter().map(|part| part.what.describe(Asks::New)).collect();
    assert_eq!(named, ["mail", "cimor"]);
}

#[test]
fn a_form_without_systems_is_decided_as_a_whole() {
    let parts = parts(&form(Asks::New, &[]), &[], &policy(&[]));
    assert_eq!(parts.len(), 1);
    assert!(!parts[0].chain.is_empty(), "it is never given without a yes");
}

prop_compose! {
    fn any_decision()(
        who in 0..6_usize,
        as_role in 0..4_usize,
        denies in proptest::bool::weighted(0.15),
        stale in proptest::bool::weighted(0.2),
    ) -> Decision {
        let names = ["sue", "leo", "bo", "ann", "eve", "dan"];
        let mut decision =
            if denies { no(names[who], CIMOR[as_role]) } else { yes(names[who], CIMOR[as_role]) };
        if stale {
            decision.hash = "older".into();
        }
        decision
    }
}

proptest! {
    #[test]
    fn nothing_is_complete_without_every_role_in_order_by_different_people_to_this_hash(
        chains in proptest::collection::vec(proptest::collection::vec(0..4_usize, 1..5), 1..4),
        decisions in proptest::collection::vec(any_decision(), 0..25),
    ) {
        let parts: Vec<Part> = chains.iter().enumerate().map(|(index, chain)| {
            let names: Vec<&str> = chain.iter().map(|at| CIMOR[*at]).collect();
            Part { chain: once(roles(&names)), ..part(&format!("s{index}"), &[]) }
        }).collect();
        let done = after(&parts, &decisions);
        for part in done.parts.iter().filter(|part| part.stands == Stands::Complete) {
            let given: Vec<_> = part.given.iter().map(|(role, _)| role.clone()).collect();
            prop_assert_eq!(&given, &part.part.chain);
            let mut hands: Vec<_> = part.given.iter().map(|(_, by)| by.folded()).collect();
            hands.sort();
            hands.dedup();
            prop_assert_eq!(hands.len(), part.given.len(), "each step by other hands");
            let mut at = 0;
            for (role, by) in &part.given {
                let found = decisions[at..].iter().position(|said| {
                    said.hash == HASH && said.role == *role && said.by == *by
                        && said.said == Said::Approved
                });
                prop_assert!(found.is_some(), "{role} by {by} was said in its turn");
                at += found.unwrap_or_default() + 1;
            }
        }
    }

    #[test]
    fn a_changed_form_has_no_approval(decisions in proptest::collection::vec(any_decision(), 0..25)) {
        let changed = progress(vec![part("cimor", &CIMOR)], "changed", &decisions);
        prop_assert_eq!(changed, progress(vec![part("cimor", &CIMOR)], "changed", &[]));
    }

    #[test]
    fn after_a_denial_nothing_more_counts(
        decisions in proptest::collection::vec(any_decision(), 0..25),
        more in proptest::collection::vec(any_decision(), 0..25),
    ) {
        let parts = [part("cimor", &CIMOR)];
        let before = after(&parts, &decisions);
        prop_assume!(before.denied().is_some());
        let all: Vec<Decision> = decisions.into_iter().chain(more).collect();
        prop_assert_eq!(after(&parts, &all), before);
    }
}

#[test]
fn what_comes_with_a_move_has_its_own_chain_and_does_not_come_without_it() {
    let included = ["mail", "cimor"].map(|name| (SystemName::new(name).unwrap(), None));
    let parts = parts(&form(Asks::LocationChange, &[]), &included, &policy(&[]));
    let chains: Vec<_> = parts.iter().map(|part| part.chain.clone()).collect();
    let agencys = roles(&["supervisor", "local_security_officer"]);
    assert_eq!(chains, [agencys.clone(), agencys, roles(&CIMOR)]);
    let some = [yes("sue", "supervisor"), yes("leo", CIMOR[1]), no("bo", CIMOR[2])];
    let without = after(&parts, &some);
    assert_eq!(without.complete().count(), 2, "the move and mail stand without cimor");
    let move_only =
        [Part { chain: roles(&CIMOR[..2]), ..parts[0].clone() }, part("mail", &CIMOR[..1])];
    let denied = after(&move_only, &[yes("sue", "supervisor"), no("leo", CIMOR[1])]);
    assert!(denied.denied().is_some() && denied.complete().count() == 0);
}

#[test]
fn a_decision_is_bound_to_everything_that_is_asked_for_and_where() {
    let location = |id: &str| LocationId::new(id).ok();
    let bound = |hash: &str, parts: &[Part], at: &str| binding(hash, parts, location(at).as_ref());
    let cimor = part("cimor", &CIMOR);
    let with = |what| [Part { what, ..cimor.clone() }];
    let system = SystemName::new("cimor").unwrap();
    let wish = |role: Option<&str>, remove, ends_on| Wish::System {
        system: system.clone(),
        role: role.map(|role| SystemRole::new(role).unwrap()),
        remove,
        ends_on,
    };
    let all = [
        bound(HASH, std::slice::from_ref(&cimor), "b"),
        bound("other", std::slice::from_ref(&cimor), "b"),
        bound(HASH, std::slice::from_ref(&cimor), "z"),
        bound(HASH, &[cimor.clone(), part("mail", &CIMOR)], "b"),
        bound(HASH, &[part("cimor", &CIMOR[1..])], "b"),
        bound(HASH, &[part("mail", &CIMOR)], "b"),
        bound(HASH, &with(wish(Some("nurse"), false, None)), "b"),
        bound(HASH, &with(wish(None, true, None)), "b"),
        bound(HASH, &with(wish(None, false, Some("2026-12-01".parse().unwrap()))), "b"),
        bound(HASH, &with(Wish::Whole), "b"),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(all[0], bound(HASH, &[cimor], "B"), "letters' case makes no other place");
}
