//! Access that stops for a while, through the whole daemon, on a real directory: by order and for a leave,
//! and what opens it again.

use crate::departure::{account, adopted, is_shut, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use std::time::{Duration, Instant};

struct Stage {
    agency: Agency,
    slapd: Slapd,
    site: Site,
}

impl Stage {
    fn new() -> Self {
        let (agency, slapd, site) = adopted(320).unwrap();
        Self { agency, slapd, site }
    }

    /// The user IDs of some who hold nothing out of the ordinary.
    fn people(&self, count: usize) -> Vec<(usize, String)> {
        let ordinary = self.agency.ordinary_leavers(count);
        let id = |&who: &usize| (who, self.agency.people[who].user_id().unwrap().to_owned());
        ordinary.iter().map(id).collect()
    }

    fn order(&self, user_id: &str) {
        let authority = ["--authority", "Security Coordinator", "--reason", "Violation 24-31"];
        self.site.printed(&[&["suspend", user_id], &authority[..]].concat()).unwrap();
    }

    fn leave(&self, user_id: &str) {
        let authority = ["--leave", "--authority", "HR", "--reason", "Leave of absence"];
        self.site.printed(&[&["suspend", user_id], &authority[..]].concat()).unwrap();
    }

    fn lift(&self, user_id: &str, kind: &str) {
        let authority = ["--kind", kind, "--authority", "Coordinator", "--reason", "Settled"];
        self.site.printed(&[&["unsuspend", user_id], &authority[..]].concat()).unwrap();
    }

    fn shut(&self, user_id: &str) -> bool {
        is_shut(&account(&self.slapd, user_id).unwrap())
    }

    fn wait(&self, what: &str, user_id: &str, shut: bool) {
        self.site.wait_for(what, || Ok(self.shut(user_id) == shut)).unwrap();
    }

    fn states(&self) -> Vec<String> {
        let view = self.site.json(&["suspensions"]).unwrap();
        let all = view["suspensions"].as_array().unwrap();
        all.iter().map(|one| format!("{} {}", one["kind"], one["state"]).replace('"', "")).collect()
    }

    fn wait_for_states(&self, wanted: &[&str]) {
        let wait = format!("suspensions are {wanted:?}");
        self.site.wait_for(&wait, || Ok(self.states() == wanted)).unwrap();
    }

    fn hr_says(&self, sequence: u32, departures: Vec<Departure>) {
        let feed = self.agency.to_hr_csv(&HrOptions::full(today(), sequence, departures));
        let name = format!("hr-{sequence}.csv");
        self.site.drop_file(&name, feed).unwrap();
        self.site
            .wait_for("the drop is taken", || Ok(self.site.receipt("accepted", &name).is_ok()))
            .unwrap();
    }
}

#[test]
fn an_order_shuts_within_seconds_and_neither_hrs_file_nor_time_opens_it_again() {
    let stage = Stage::new();
    let people = stage.people(10);
    let mut took = Vec::new();
    for (_, user_id) in &people {
        let begun = Instant::now();
        stage.order(user_id);
        stage.wait("the account is shut", user_id, true);
        took.push(begun.elapsed());
    }
    took.sort();
    println!(
        "order to disabled, {} orders: median {:.2?}, max {:.2?}",
        took.len(),
        took[5],
        took[9]
    );
    assert!(took[9] < Duration::from_secs(5), "{took:?}");

    // HR's rows say that all of them are active, and go on saying so.
    stage.hr_says(2, vec![]);
    stage.hr_says(3, vec![]);
    for (_, user_id) in &people {
        assert!(stage.shut(user_id), "{user_id} is open again");
    }
    assert_eq!(stage.states(), vec!["order stopped"; 10]);
    // No deletion is dated, and no group was left.
    let due = stage.site.json(&["due"]).unwrap();
    assert_eq!(due["entries"].as_array().unwrap().len(), 0, "{due}");
    let person = stage.site.json(&["person", &people[0].1]).unwrap();
    assert!(person["suspensions"].to_string().contains("Violation 24-31"), "{person}");
    let status = stage.site.json(&["status"]).unwrap();
    assert_eq!(status["suspended"], 10);
}

#[test]
fn what_other_hands_open_is_found_and_shut_again() {
    let mut stage = Stage::new();
    let (_, user_id) = stage.people(1).remove(0);
    stage.order(&user_id);
    stage.wait_for_states(&["order stopped"]);
    let dn = Agency::openldap_dn(stage.slapd.base(), &user_id);
    let open = format!("dn: {dn}\nchangetype: modify\ndelete: pwdAccountLockedTime\n");
    stage.slapd.load_ldif(&open).unwrap();
    assert!(!stage.shut(&user_id));
    stage.site.stop().unwrap();
    let tomorrow = today().tomorrow().unwrap();
    stage.site.set_clock(&format!("{tomorrow} 09:00:00"));
    stage.site.once().unwrap();
    assert!(stage.shut(&user_id), "shut again");
}

#[test]
fn a_leave_ends_with_the_return_and_opens_what_it_shut_and_nothing_else() {
    let stage = Stage::new();
    let people = stage.people(2);
    let (on_leave, shut_before) = (&people[0].1, &people[1].1);
    let dn = Agency::openldap_dn(stage.slapd.base(), shut_before);
    let lock = format!(
        "dn: {dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    );
    stage.slapd.load_ldif(&lock).unwrap();
    stage.leave(on_leave);
    stage.leave(shut_before);
    stage.wait_for_states(&["leave stopped", "leave stopped"]);
    assert!(stage.shut(on_leave) && stage.shut(shut_before));

    stage.lift(on_leave, "leave");
    stage.lift(shut_before, "leave");
    stage.wait("the account is open again", on_leave, false);
    stage.wait_for_states(&[]);
    assert!(stage.shut(shut_before), "who was shut by others stays so");
    let status = stage.site.json(&["status"]).unwrap();
    assert_eq!(status["connectors"][0]["stuck"], 0, "{status}");
}

#[test]
fn the_end_of_a_leave_opens_nothing_that_an_order_stops_and_the_orders_end_does() {
    let stage = Stage::new();
    let (_, user_id) = stage.people(1).remove(0);
    stage.leave(&user_id);
    stage.wait_for_states(&["leave stopped"]);
    stage.order(&user_id);
    stage.wait_for_states(&["leave stopped", "order stopped"]);
    stage.lift(&user_id, "leave");
    stage.wait_for_states(&["leave lifted", "order stopped"]);
    assert!(stage.shut(&user_id), "the order stands");
    stage.lift(&user_id, "order");
    stage.wait("the account is open again", &user_id, false);
    stage.wait_for_states(&[]);
}

#[test]
fn a_departure_during_a_leave_counts_from_its_own_day_and_the_return_opens_nothing() {
    let stage = Stage::new();
    let (who, user_id) = stage.people(1).remove(0);
    stage.leave(&user_id);
    stage.wait_for_states(&["leave stopped"]);
    stage.hr_says(2, vec![Departure::on(who, yesterday())]);
    stage.wait_for_states(&[]);
    let wait =
        || Ok(stage.site.json(&["due"])?["entries"].as_array().is_some_and(|all| all.len() > 1));
    stage.site.wait_for("deletions are on the calendar", wait).unwrap();
    assert!(stage.shut(&user_id));
    let person = stage.site.json(&["person", &user_id]).unwrap();
    let day = today().to_string();
    assert_eq!(person["cases"][0]["disabled_on"], day.as_str(), "{person}");
    assert!(person["suspensions"].to_string().contains("the person departed"), "{person}");
}
