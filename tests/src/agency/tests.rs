use super::*;
use crate::ldif;
use jiff::civil::date;
use std::collections::HashSet;

#[test]
fn the_same_size_and_seed_give_the_same_agency() {
    let text = |seed| Agency::new(300, seed).to_openldap_ldif("dc=lab,dc=test");
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn everyone_known_to_be_difficult_is_there() {
    let agency = Agency::new(300, 1);
    assert_eq!(agency.people.len(), 300);
    let id = |first, last| agency.people[agency.by_name(first, last).unwrap()].user_id().unwrap();
    assert_eq!(id("Ann", "Li"), "mqlia");
    assert_eq!(id("María", "Núñez"), "mznunem");
    assert_eq!(id("Sean", "O'Brien"), "mbobris");
    assert_eq!(id("José", "De La Cruz"), "mqdelaj");
    assert_eq!(id("Robert", "Smith-Jones Jr").get(..3), Some("mvs"));
    assert_eq!(id("E", "O"), "mboe");
    assert_eq!(agency.namesakes().len(), 2);
    assert!(agency.people.iter().any(|person| person.account.is_none()));
    assert!(agency.people.iter().any(|p| p.account.as_ref().is_some_and(|a| a.legacy)));
    assert!(agency.people.iter().any(|p| p.account.as_ref().is_some_and(|a| !a.shows_number)));
    assert!(agency.people.iter().any(|person| person.on_leave));
    assert!(agency.people.iter().any(|person| person.second_post));
    assert!(agency.people.iter().any(|person| person.kind == Kind::ContractProvider));
    assert!(agency.sole_member().is_some());
    assert!(!agency.administrators().is_empty());
    assert_eq!(agency.ordinary_leavers(25).len(), 25);
}

#[test]
fn supervisors_come_first_and_no_id_or_number_is_given_twice() {
    let agency = Agency::new(2_000, 3);
    let (mut ids, mut numbers, mut mails) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, person) in agency.people.iter().enumerate() {
        assert!(person.supervisor.is_none_or(|supervisor| supervisor < index));
        assert!(index == 0 || person.supervisor.is_some(), "{person:?}");
        assert!(numbers.insert(&person.employee_number));
        if let Some(account) = &person.account {
            assert!(ids.insert(account.user_id.to_lowercase()), "{account:?}");
            assert!(mails.insert(&account.mail), "{account:?}");
        }
    }
    assert!(agency.others.iter().all(|other| ids.insert(other.user_id.to_lowercase())));
}

#[test]
fn the_small_agency_is_whole_too() {
    let agency = Agency::new(0, 9);
    assert_eq!(agency.people.len(), FEWEST);
    assert!(agency.sole_member().is_some());
    assert!(agency.groups.iter().all(|group| !group.members.is_empty()));
}

#[test]
fn all_ldif_can_be_read_and_names_no_one_who_is_not_there() {
    let agency = Agency::new(300, 1);
    let entries = ldif::parse(&agency.to_openldap_ldif("dc=lab,dc=test")).unwrap();
    let there: HashSet<&str> = entries.iter().map(|entry| entry.dn.as_str()).collect();
    assert_eq!(there.len(), entries.len());
    for group in &entries {
        assert!(group.get("member").iter().all(|member| there.contains(member.as_str())));
    }
    let content = agency.to_ad_ldif("DC=lab,DC=test");
    let (content, _) = content.split_once("dn: CN=Domain Admins").unwrap();
    let mut there = HashSet::new();
    for entry in ldif::parse(content).unwrap() {
        for linked in entry.get("member").iter().chain(&entry.get("manager")) {
            assert!(there.contains(linked), "{linked} comes after {}", entry.dn);
        }
        assert!(there.insert(entry.dn));
    }
}

#[test]
fn the_feed_says_how_many_rows_it_has() {
    let agency = Agency::new(300, 1);
    let leaver = agency.ordinary_leavers(1)[0];
    let departures = vec![Departure::on(leaver, date(2026, 11, 2))];
    let text = agency.to_hr_csv(&HrOptions::full(date(2026, 11, 2), 7, departures.clone()));
    let posts = agency.people.iter().filter(|person| person.second_post).count();
    assert!(text.starts_with("HDR,2026-11-02,000007\nEMPLID,EMPL_RCD,LAST_NAME,"));
    assert!(text.ends_with(&format!("\nTRL,{},000007\n", 300 + posts)));
    assert_eq!(text.matches("Former employee").count(), 1);
    assert!(text.contains("\"#Odd,+\"\"\\<>;=*()\",Ev (temp),"));

    let delta = agency.to_hr_csv(&HrOptions::delta(date(2026, 11, 2), 8, departures));
    assert_eq!(delta.lines().count(), 4);
}
