//! Access forms through the whole daemon: by folder and by command, each mistake answered and on record, and
//! nothing given by filing one.

use super::departure::{adopted, today};
use lapsed_tests::Done;
use lapsed_tests::agency::Agency;
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const FIRST: &str = "0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d";
const SECOND: &str = "0191d5a0-8a20-7d11-8f00-0c2b7d9e4a11";
const THIRD: &str = "0191d5a0-9b30-7e22-9a00-1d3c8eaf5b22";

struct Stage {
    agency: Agency,
    _slapd: Slapd,
    site: Site,
}

impl Stage {
    fn new() -> Self {
        let (agency, slapd, mut site) = adopted(320).unwrap();
        site.stop().unwrap();
        fs::create_dir(site.path("forms")).unwrap();
        let section = format!("  forms:\n    folder: {}\n", site.path("forms").display());
        site.reconfigure(&[
            ("  poll_seconds: 10\n", &format!("{section}  poll_seconds: 1\n")),
            ("\n  systems: {}\n", "\n  systems:\n    account: { connector: directory }\n"),
        ])
        .unwrap();
        site.start().unwrap();
        Self { agency, _slapd: slapd, site }
    }

    fn someone(&self, nth: usize) -> String {
        let index = self.agency.ordinary_leavers(nth + 1)[nth];
        self.agency.people[index].user_id().unwrap().to_owned()
    }

    fn put(&self, name: &str, text: &str) {
        let beside = self.site.path("forms").join(format!(".{name}.tmp"));
        fs::write(&beside, text).unwrap();
        fs::set_permissions(&beside, Permissions::from_mode(0o640)).unwrap();
        fs::rename(beside, self.site.path("forms").join(name)).unwrap();
    }

    fn put_form(&self, name: &str, form: &Value) {
        self.put(name, &form.to_string());
    }

    fn receipt(&self, folder: &str, name: &str) -> String {
        let ending = format!("-{name}.receipt.txt");
        let there = || Ok(self.site.names(folder)?.iter().any(|found| found.ends_with(&ending)));
        self.site.wait_for(name, there).unwrap();
        self.site.receipt(folder, name).unwrap()
    }

    fn forms(&self) -> Vec<Value> {
        let list = self.site.json(&["form", "list"]).unwrap();
        list["forms"].as_array().unwrap().clone()
    }

    fn form(&self, number: u64) -> Value {
        self.site.json(&["form", &number.to_string()]).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.site.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn submit(&self, name: &str, form: &Value, scans: &[&str]) -> Done<(bool, String)> {
        let file = self.file(name, &form.to_string());
        let scans: Vec<String> =
            scans.iter().map(|scan| self.site.path(scan).display().to_string()).collect();
        let file = file.display().to_string();
        let mut arguments = vec!["form", "submit", &file];
        for scan in &scans {
            arguments.extend(["--attach", scan]);
        }
        let output = self.site.run(&arguments)?;
        let said = [output.stdout, output.stderr].concat();
        // Lines are folded for people.
        let said = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((output.status.success(), said))
    }

    fn audit(&self) -> String {
        self.site.printed(&["audit", "export"]).unwrap()
    }
}

fn change(id: &str, person: &str) -> Value {
    json!({
        "form": "staff_access", "version": 1, "id": id, "asks": "location_change",
        "person": { "user_id": person }, "new_location": "b", "reason": "Moves to Fulton",
        "least_phi": "none", "signatures": [signature("staff_member", "electronic")],
    })
}

fn signature(role: &str, by: &str) -> Value {
    json!({ "role": role, "name": "A. Li", "on": "2026-01-05", "by": by })
}

fn consent(id: &str, scan: &str) -> Value {
    json!({
        "form": "contractor_consent", "version": 1, "id": id, "asks": "new",
        "person": {
            "name": { "last": "Li", "first": "Ann" }, "kind": "contract_provider", "location": "y",
        },
        "position": "Counsellor", "reason": "Works with clients", "requested_by": "mzroej",
        "signatures": [signature("staff_member", "hand"), signature("supervisor", "hand")],
        "attachments": [{
            "what": "consent", "file": "consent.pdf",
            "sha256": lapsed_core::intake::digest(scan.as_bytes()),
        }],
    })
}

#[test]
fn a_form_waits_for_its_scan_and_then_somebody_whom_no_feed_lists_is_known_and_nothing_is_given() {
    let stage = Stage::new();
    let people = stage.site.json(&["status"]).unwrap()["people"].as_u64().unwrap();
    // The scan is still being written when its form is there.
    stage.put("consent.pdf.part", "half a scan");
    let yaml = format!(
        "form: contractor_consent\nversion: 1\nid: {FIRST}\nasks: new\nperson:\n  name: {{ last: Li, first: Ann }}\n  \
         kind: contract_provider\n  location: y\nsystems: [{{ system: account }}]\nposition: Counsellor\nreason: Works with clients\nrequested_by: mzroej\n\
         signatures:\n  - {{ role: staff_member, name: Ann Li, on: 2026-01-05, by: hand }}\n  \
         - {{ role: supervisor, name: J. Roe, on: 2026-01-05, by: hand }}\nattachments:\n  - what: consent\n    \
         file: consent.pdf\n    sha256: {}\n",
        lapsed_core::intake::digest(b"a scan")
    );
    stage.put("consent.yaml", &yaml);
    // One that comes later is taken first: nothing holds the folder up.
    stage.put_form("other.json", &change(SECOND, &stage.someone(0)));
    assert!(stage.receipt("accepted", "other.json").starts_with("DONE: form 1 "));
    assert!(stage.site.path("forms/consent.yaml").exists());

    let unfinished = stage.site.path("forms/consent.pdf.part");
    fs::write(&unfinished, "a scan").unwrap();
    fs::rename(unfinished, stage.site.path("forms/consent.pdf")).unwrap();
    let told = stage.receipt("accepted", "consent.yaml");
    assert!(
        told.starts_with("DONE: form 2 (new)") && told.contains("waits for its approvals"),
        "{told}"
    );
    let goes = || Ok(!stage.site.path("forms/consent.pdf").exists());
    stage.site.wait_for("the scan goes with its form", goes).unwrap();

    let form = stage.form(2);
    assert_eq!(form["state"], "waiting");
    let digest = form["scans"][0]["sha256"].as_str().unwrap();
    let kept = stage.site.path("documents").join(&digest[..2]).join(&digest[2..]);
    assert_eq!(fs::read_to_string(kept).unwrap(), "a scan");
    let status = stage.site.json(&["status"]).unwrap();
    assert_eq!(status["people"].as_u64().unwrap(), people + 1);
    assert!(stage.audit().contains("form.taken"));

    // Form 2 by command as well: the same form is known, whatever it looks like.
    stage.file("consent.pdf", "a scan");
    let same = json!({
        "version": 1, "form": "contractor_consent", "id": FIRST, "revision": 0, "asks": "new",
        "person": { "kind": "contract_provider", "location": "y", "name": { "first": "Ann", "last": "Li" } },
        "reason": "Works with clients", "position": "Counsellor", "requested_by": "mzroej",
        "systems": [{ "system": "account" }],
        "signatures": [
            { "role": "staff_member", "name": "Ann Li", "on": "2026-01-05", "by": "hand" },
            { "role": "supervisor", "name": "J. Roe", "on": "2026-01-05", "by": "hand" },
        ],
        "attachments": [{ "what": "consent", "file": "consent.pdf", "sha256": digest }],
    });
    let (fine, said) = stage.submit("same.json", &same, &["consent.pdf"]).unwrap();
    assert!(fine && said.contains("form 2 was taken"), "{said}");
    assert_eq!(stage.forms().len(), 2);
}

#[test]
fn each_bad_form_gets_a_clear_answer_goes_on_record_and_gives_nothing() {
    let stage = Stage::new();
    let (someone, other) = (stage.someone(0), stage.someone(1));
    let number_of = |user_id: &str| {
        let person = stage.site.json(&["person", user_id]).unwrap();
        person["employee_numbers"][0].as_str().unwrap().to_owned()
    };
    let with = |field: &str, value: Value| {
        let mut form = change(FIRST, &someone);
        form[field] = value;
        form
    };
    let two = json!({ "user_id": someone, "employee_number": number_of(&other) });
    let nobody = json!({ "user_id": "nobodyatall" });
    let named = json!({ "user_id": someone, "name": { "last": "Zyx", "first": "Wvu" } });
    let mut electronic = consent(FIRST, "a scan");
    electronic["signatures"][0] = signature("staff_member", "electronic");
    let mut unknown = with("systems", json!([{ "system": "epic" }]));
    unknown["asks"] = "change".into();
    unknown.as_object_mut().unwrap().remove("new_location");
    let wrong = [
        ("nobody.json", with("person", nobody), "nobody's that is known"),
        ("two.json", with("person", two), "two different people"),
        ("named.json", with("person", named), "not that of the person"),
        ("version.json", with("version", 0.into()), "version 0"),
        ("field.json", with("salary", 1.into()), "salary"),
        ("system.json", unknown, "\"epic\", which is not known"),
        ("escape.json", with("reason", "\u{1b}[31m".into()), "control"),
        ("scan.json", consent(FIRST, "a scan"), "did not come with the form"),
        ("ink.json", electronic, "electronic one of staff_member"),
        ("form.json", with("form", "holiday".into()), "\"holiday\" is not known here"),
        ("past.json", with("valid_until", "2026-01-01".into()), "have it signed again"),
    ];
    for (name, form, says) in wrong {
        stage.put_form(name, &form);
        let told = stage.receipt("rejected", name);
        assert!(told.contains(says) && told.contains("nothing was changed"), "{name}: {told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
    stage.file("consent.pdf", "another scan");
    let (fine, said) =
        stage.submit("digest.json", &consent(FIRST, "a scan"), &["consent.pdf"]).unwrap();
    assert!(!fine && said.contains("another digest"), "{said}");
    assert!(stage.forms().is_empty());
    assert!(stage.audit().matches("form.refused").count() >= 12);
    // What was mended counts under the id that was refused.
    stage.put_form("mended.json", &change(FIRST, &someone));
    assert!(stage.receipt("accepted", "mended.json").starts_with("DONE: form 1"));
}

#[test]
fn a_newer_revision_takes_the_place_of_the_earlier_one_and_an_older_one_is_refused() {
    let stage = Stage::new();
    let someone = stage.someone(0);
    let (fine, said) = stage.submit("one.json", &change(FIRST, &someone), &[]).unwrap();
    assert!(fine && said.contains("form 1"), "{said}");
    let before = stage.form(1)["hash"].clone();
    let mut newer = change(FIRST, &someone);
    newer["new_location"] = "z".into();
    let (fine, said) = stage.submit("stale.json", &newer, &[]).unwrap();
    assert!(!fine && said.contains("count the revision up"), "{said}");
    newer["revision"] = 1.into();
    let (fine, said) = stage.submit("newer.json", &newer, &[]).unwrap();
    assert!(fine && said.contains("in place of revision 0"), "{said}");
    let form = stage.form(1);
    assert_eq!(form["revision"], 1);
    assert_ne!(form["hash"], before, "approvals of before no longer count");
    assert_eq!(stage.forms().len(), 1);
}

#[test]
fn whoever_files_the_form_that_ends_a_protected_accounts_access_does_not_release_it() {
    let mut stage = Stage::new();
    let administrator = stage.someone(0);
    stage.site.stop().unwrap();
    let nobody = "second_operator:\n        user_ids: []";
    stage
        .site
        .reconfigure(&[(nobody, &nobody.replace("[]", &format!("[{administrator}]")))])
        .unwrap();
    stage.site.start().unwrap();
    stage.submit("leaves.json", &leaves(FIRST, &administrator), &[]).unwrap();
    let plan = || -> Done<Option<String>> {
        let plans = stage.site.json(&["plans"])?;
        Ok(plans["plans"][0]["hash"].as_str().map(str::to_owned))
    };
    stage.site.wait_for("held", || Ok(plan()?.is_some())).unwrap();
    let hash = plan().unwrap().unwrap();
    let released = stage.site.run(&["release", &hash, "--reason", "It was me"]).unwrap();
    let said = String::from_utf8_lossy(&released.stderr).into_owned();
    assert!(!released.status.success() && said.contains("you gave the notice yourself"), "{said}");
}

fn leaves(id: &str, person: &str) -> Value {
    json!({
        "form": "departing_employee", "version": 1, "id": id, "asks": "revoke",
        "person": { "user_id": person }, "reason": "Contract ended", "for_cause": true,
    })
}

#[test]
fn a_form_marked_revoke_is_a_departure_at_once_and_one_for_nobody_is_set_aside() {
    let stage = Stage::new();
    let someone = stage.someone(0);
    stage.put_form("leaves.json", &leaves(FIRST, &someone));
    let told = stage.receipt("accepted", "leaves.json");
    assert!(told.contains("notice of a departure now"), "{told}");
    let is_shut =
        || Ok(stage.site.json(&["person", &someone])?.to_string().contains("disable account"));
    stage.site.wait_for("shut", is_shut).unwrap();
    let person = stage.site.json(&["person", &someone]).unwrap().to_string();
    assert!(person.contains("form:departing_employee"), "{person}");

    // After it, nothing is asked for but by a form that takes them on anew.
    stage.put_form("change.json", &change(SECOND, &someone));
    assert!(stage.receipt("rejected", "change.json").contains("has left"));

    stage.put_form("nobody.json", &leaves(THIRD, "nobodyatall"));
    assert!(stage.receipt("rejected", "nobody.json").contains("nobody's that is known"));
    let aside = stage.site.json(&["set-aside", "list"]).unwrap().to_string();
    assert!(aside.contains("nobodyatall"), "{aside}");
}

#[test]
fn gates_are_passed_by_form_and_by_command_and_taken_back() {
    let stage = Stage::new();
    let someone = stage.someone(0);
    stage.submit("one.json", &change(FIRST, &someone), &[]).unwrap();
    let missing = || stage.form(1)["missing"].to_string();
    assert!(
        missing().contains("Use of Electronic Resources Agreement (human resources)"),
        "{}",
        missing()
    );

    stage.file("signed.pdf", "signed");
    let agreement = json!({
        "form": "agreement", "version": 1, "id": SECOND, "asks": "agreement",
        "person": { "user_id": someone }, "gate": "electronic_resources_agreement",
        "signed_on": "2026-01-05",
        "attachments": [{
            "what": "signed", "file": "signed.pdf", "sha256": lapsed_core::intake::digest(b"signed"),
        }],
    });
    let (fine, said) = stage.submit("agreement.json", &agreement, &["signed.pdf"]).unwrap();
    assert!(fine && said.contains("is on record, of 2026-01-05"), "{said}");
    assert!(!missing().contains("Electronic Resources"), "{}", missing());

    let gate = "electronic_resources_agreement";
    let back = stage.site.printed(&["gate", "withdraw", &someone, gate, "--reason", "Wrong scan"]);
    assert!(
        back.unwrap().split_whitespace().collect::<Vec<_>>().join(" ").contains("is taken back")
    );
    assert!(missing().contains("Electronic Resources"));
    let day = today().to_string();
    stage.site.printed(&["gate", "record", &someone, gate, "--on", &day]).unwrap();
    assert!(!missing().contains("Electronic Resources"));
    let audit = stage.audit();
    assert!(audit.contains("gate.passed") && audit.contains("gate.withdrawn"));
}
