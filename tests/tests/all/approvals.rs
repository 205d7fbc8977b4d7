//! Approvals by other accounts over the socket, from a filed form to what it gives, on a real directory.

use super::departure::{adopted, today, yesterday};
use super::others::{can_be_others, officers, open_to_all, said, with_client};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use serde_json::{Value, json};
use std::fs;

const BASE: &str = "dc=dmh,dc=test";
const FIRST: &str = "0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d";
const SECOND: &str = "0191d5a0-8a20-7d11-8f00-0c2b7d9e4a11";
const THIRD: &str = "0191d5a0-9b30-7e22-9a00-1d3c8eaf5b22";
const CIMOR: &str = "    cimor_four: { title: CIMOR, connector: directory, chain: [supervisor, \
                     local_security_officer, business_owner, account_management] }\n";

/// Accounts that every Debian has, as people: supervisor, security officer here, business owner, security
/// officer elsewhere, requester.
const PEOPLE: [&str; 5] = ["daemon", "games", "bin", "lp", "man"];

struct Stage {
    agency: Agency,
    _slapd: Slapd,
    site: Site,
    person: usize,
}

impl Stage {
    fn new() -> Option<Self> {
        if !can_be_others() {
            return None;
        }
        let (agency, slapd, mut site) = adopted(320).unwrap();
        site.stop().unwrap();
        let person = agency.ordinary_leavers(2)[0];
        let here = agency.people[person].worksite.id;
        let there = if here == 'b' { 'z' } else { 'b' };
        let locations: [(char, &[&str]); 2] = [(here, &["games", "man"]), (there, &["lp"])];
        slapd.load_ldif(&officers(BASE, &["games", "lp", "man"], &locations)).unwrap();
        configure(&site).unwrap();
        with_client(&site).unwrap();
        let mut stage = Self { agency, _slapd: slapd, site, person };
        stage.start();
        Some(stage)
    }

    fn start(&mut self) {
        self.site.start().unwrap();
        open_to_all(&self.site).unwrap();
    }

    fn user_id(&self) -> &str {
        self.agency.people[self.person].user_id().unwrap()
    }

    /// A command as another account: its exit code and all that it said.
    fn said(&self, who: &str, arguments: &[&str]) -> (i32, String) {
        said(&self.site, who, arguments)
    }

    fn refused(&self, who: &str, arguments: &[&str], says: &str) {
        let (code, text) = self.said(who, arguments);
        assert!(code != 0 && text.contains(says), "{who} {arguments:?} ended with {code}: {text}");
    }

    fn fine(&self, who: &str, arguments: &[&str], says: &str) {
        let (code, text) = self.said(who, arguments);
        assert!(code == 0 && text.contains(says), "{who} {arguments:?} ended with {code}: {text}");
    }

    fn submit(&self, form: &Value) {
        let path = self.site.path("form.json");
        fs::write(&path, form.to_string()).unwrap();
        self.site.printed(&["form", "submit", &path.display().to_string()]).unwrap();
    }

    fn form(&self, number: u64) -> Value {
        self.site.json(&["form", &number.to_string()]).unwrap()
    }

    fn change(&self, id: &str) -> Value {
        json!({
            "form": "staff_access", "version": 1, "id": id, "asks": "change",
            "person": { "user_id": self.user_id() }, "systems": [{ "system": "cimor_four" }],
            "reason": "Enters assessments", "least_phi": "her own clients", "requested_by": "man",
            "signatures": [
                { "role": "staff_member", "name": "A. Li", "on": "2026-01-05", "by": "hand" },
            ],
        })
    }

    fn becomes(&self, number: u64, states: &[&str]) -> Value {
        let is = || {
            let state = self.form(number)["state"].as_str().unwrap_or_default().to_owned();
            Ok(states.contains(&state.as_str()))
        };
        self.site.wait_for(&format!("form {number} is {states:?}"), is).unwrap();
        self.form(number)
    }
}

fn configure(site: &Site) -> Done<()> {
    let (from, to) = ("\n  systems: {}\n", format!("\n  systems:\n{CIMOR}"));
    let participants = format!("    participant:\n      users: [{}]\n", PEOPLE.join(", "));
    site.reconfigure(&[
        (from, &to),
        ("    participant:\n      users: []\n", &participants),
        ("      supervisor: true\n", "      supervisor: true\n      users: [daemon]\n"),
        ("groups: [CIMOR-Business-Owners]", "users: [bin]"),
    ])
}

#[test]
fn cimors_four_steps_lead_from_a_form_to_access_in_their_order_and_by_nobody_else() {
    let Some(stage) = Stage::new() else { return };
    stage.submit(&stage.change(FIRST));
    stage.refused("nobody", &["approvals"], "control.roles.participant.users");
    stage.refused("daemon", &["status"], "role viewer");
    stage.refused("games", &["approve", "1"], "supervisor decides first (A3)");
    stage.refused("lp", &["approve", "1"], "does not concern you");
    stage.refused("lp", &["approvals", "--form", "1"], "does not concern you");
    stage.refused("daemon", &["approve", "1", "--as", "business_owner"], "daemon is not");
    stage.fine("games", &["approvals"], "Nothing waits for you");

    stage.fine("daemon", &["approvals"], "you decide as supervisor");
    stage.fine("daemon", &["approve", "1"], "next: local_security_officer");
    stage.refused("daemon", &["approve", "1"], "nothing more to decide");
    stage.refused("man", &["approve", "1"], "asked for it");
    stage.fine("games", &["approve", "1"], "next: business_owner");
    stage.refused("bin", &["approve", "1", "--hash", "00000000"], "not the one that you looked at");
    stage.fine("bin", &["approve", "1"], "next: account_management");
    assert!(!stage.site.printed(&["audit", "export"]).unwrap().contains("access.approved"));
    // Root typed it in, for another: in this role, that is no reason against it.
    let told = stage.site.printed(&["approve", "1", "--as", "account_management"]).unwrap();
    assert!(
        told.split_whitespace().collect::<Vec<_>>().join(" ").contains("by everyone"),
        "{told}"
    );

    // Everybody said yes, and a gate is still shut.
    let missing = stage.form(1)["missing"].to_string();
    assert!(missing.contains("Electronic Resources"), "{missing}");
    assert_eq!(stage.form(1)["state"], "waiting");
    let (day, user_id) = (today().to_string(), stage.user_id());
    let gate = "electronic_resources_agreement";
    stage.site.printed(&["gate", "record", user_id, gate, "--on", &day]).unwrap();
    stage.becomes(1, &["approved", "in_place"]);
    let audit = stage.site.printed(&["audit", "export"]).unwrap();
    let by = |actor: &str| {
        audit.lines().any(|row| row.contains("\"form.approved\"") && row.contains(actor))
    };
    for actor in ["daemon", "games", "bin", "root"] {
        assert!(by(&format!("\"{actor}\"")), "{actor}: {audit}");
    }
    assert!(audit.contains("access.approved"), "{audit}");
    assert!(stage.site.printed(&["audit", "verify"]).unwrap().to_lowercase().contains("sound"));
}

#[test]
fn what_takes_effect_at_once_is_filed_by_the_roles_that_may_and_by_nobody_else() {
    let Some(stage) = Stage::new() else { return };
    let path = stage.site.path("form.json");
    let file = path.display().to_string();
    let user_id = stage.user_id().to_owned();
    let asks = [
        ("staff_access", "revoke", "filed by: Local Security Officer"),
        ("suspension", "suspend", "filed by: Security coordinator"),
        ("suspension", "lift", "filed by: Security coordinator"),
        ("leave", "leave", "filed by: Human resources"),
        ("leave", "return", "filed by: Human resources"),
        ("password_reset", "reset_password", "Service desk"),
        ("recertification", "recertify", "Supervisor or Local Security Officer"),
        ("agreement", "agreement", "filed by: Human resources"),
    ];
    for (name, asks, role) in asks {
        let form = json!({
            "form": name, "version": 1, "id": FIRST, "asks": asks, "person": { "user_id": user_id },
            "reason": "Because", "least_phi": "none", "requested_by": "lp",
            "signatures": [
                { "role": "staff_member", "name": "A. Li", "on": "2026-01-05", "by": "hand" },
            ],
        });
        fs::write(&path, form.to_string()).unwrap();
        stage.refused("lp", &["form", "submit", &file], role);
    }
    let forms = stage.site.json(&["form", "list"]).unwrap();
    assert_eq!(forms["forms"], json!([]));
    assert_eq!(stage.site.json(&["suspensions"]).unwrap()["suspensions"], json!([]));
}

#[test]
fn a_changed_form_needs_new_approvals_a_denial_ends_it_and_so_does_a_departure() {
    let Some(mut stage) = Stage::new() else { return };
    stage.submit(&stage.change(FIRST));
    stage.fine("daemon", &["approve", "1"], "next: local_security_officer");
    let hash = stage.form(1)["hash"].as_str().unwrap().to_owned();
    let mut newer = stage.change(FIRST);
    newer["revision"] = 1.into();
    newer["reason"] = "Another reason".into();
    stage.submit(&newer);
    stage.refused("games", &["approve", "1"], "supervisor decides first");
    stage.refused("daemon", &["approve", "1", "--hash", &hash], "not the one that you looked at");

    stage.fine("daemon", &["approve", "1"], "next: local_security_officer");
    stage.fine("games", &["deny", "1", "--reason", "Needs no PHI"], "denied");
    let denied = stage.becomes(1, &["denied"]);
    assert!(denied["ended_because"].as_str().unwrap().contains("Needs no PHI"), "{denied}");
    stage.refused("bin", &["approve", "1"], "is denied");

    // While somebody is away, another decides for them, and for nobody else.
    let (from, until) = (today().to_string(), today().tomorrow().unwrap().to_string());
    let away = ["away", "--from", &from, "--until", &until, "--deputy", "lp"];
    stage.submit(&stage.change(SECOND));
    stage.refused("lp", &["approve", "2"], "does not concern you");
    stage.fine("daemon", &away, "lp decides in the place of daemon");
    stage.fine("lp", &["away", "list"], "daemon");
    stage.fine("lp", &["approve", "2"], "next: local_security_officer");
    stage.refused("daemon", &["approve", "2"], "nothing more to decide");

    stage.submit(&stage.change(THIRD));
    let options = HrOptions::full(today(), 2, vec![Departure::on(stage.person, yesterday())]);
    stage.site.drop_file("hr-2.csv", stage.agency.to_hr_csv(&options)).unwrap();
    for number in [2, 3] {
        let ended = stage.becomes(number, &["ended"]);
        assert!(ended["ended_because"].as_str().unwrap().contains("departed"), "{ended}");
        stage.refused("games", &["approve", &number.to_string()], "ended (departed");
    }
    assert!(!stage.site.printed(&["audit", "export"]).unwrap().contains("access.approved"));
    stage.site.stop().unwrap();
}
