//! The nightly audit on a real directory: what is there against what is approved.

use crate::departure::{account, adopted, is_shut};
use lapsed_tests::agency::Agency;
use lapsed_tests::site::Site;

const SYSTEMS: (&str, &str) =
    ("\n  systems: {}\n", "\n  systems:\n    directory_account: { connector: directory }\n");

fn findings(site: &Site) -> Vec<(String, String, String)> {
    let view = site.json(&["findings"]).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let all = view["findings"].as_array().unwrap();
    all.iter().map(|f| (text(&f["kind"]), text(&f["what"]), text(&f["id"]))).collect()
}

fn of_kind(site: &Site, kind: &str) -> Vec<String> {
    findings(site).into_iter().filter(|(k, ..)| k == kind).map(|(_, what, _)| what).collect()
}

fn look(site: &Site) -> String {
    site.printed(&["findings", "--now", "--reason", "a test"]).unwrap()
}

#[test]
fn accounts_of_nobody_and_suspended_ones_that_are_open_are_found_once_and_go_by_themselves() {
    let (agency, slapd, site) = adopted(320).unwrap();
    let first = look(&site);
    let before = of_kind(&site, "account_without_person").len();
    let dn = Agency::openldap_dn(slapd.base(), "mzghost");
    slapd
        .load_ldif(&format!(
            "dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: mzghost\ncn: Ghost\nsn: Ghost\n"
        ))
        .unwrap();
    let told = look(&site);
    assert!(told.contains("1 of them new"), "{first}\n{told}");
    assert!(of_kind(&site, "account_without_person").contains(&"mzghost".to_owned()));
    assert!(look(&site).contains("0 of them new"), "told once");

    // Settled by hand, it stays so while it is there.
    let ghost = findings(&site).into_iter().find(|(_, what, _)| what == "mzghost").unwrap();
    site.printed(&["findings", "settle", &ghost.2, "--reason", "kiosk"]).unwrap();
    look(&site);
    assert_eq!(of_kind(&site, "account_without_person").len(), before);

    // An order, opened by other hands.
    let who = agency.ordinary_leavers(1)[0];
    let user_id = agency.people[who].user_id().unwrap();
    let order = ["suspend", user_id, "--authority", "Coordinator", "--reason", "Violation"];
    site.printed(&order).unwrap();
    let shut = || Ok(is_shut(&account(&slapd, user_id)?));
    site.wait_for("the account is shut", shut).unwrap();
    let idle = || Ok(site.json(&["suspensions"])?["suspensions"][0]["state"] == "stopped");
    site.wait_for("the order is carried out", idle).unwrap();
    let dn = Agency::openldap_dn(slapd.base(), user_id);
    let open = format!("dn: {dn}\nchangetype: modify\ndelete: pwdAccountLockedTime\n");
    slapd.load_ldif(&open).unwrap();
    look(&site);
    assert_eq!(of_kind(&site, "suspended_with_access"), [user_id]);
    let shut = format!(
        "dn: {dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    );
    slapd.load_ldif(&shut).unwrap();
    look(&site);
    assert_eq!(of_kind(&site, "suspended_with_access"), Vec::<String>::new());
}

#[test]
fn what_was_there_can_be_taken_for_approved_and_then_the_night_lists_nobody_for_it() {
    let (_, _slapd, site) = adopted(320).unwrap();
    let text = std::fs::read_to_string(site.config()).unwrap();
    if !text.contains("\n    directory_account") {
        site.reconfigure(&[SYSTEMS]).unwrap();
        site.printed(&["reload"]).unwrap();
    }
    look(&site);
    assert!(of_kind(&site, "access_without_form").len() > 100);
    let order = ["findings", "baseline", "--authority", "CSO", "--reason", "begin with lapsed"];
    let said = site.printed(&order).unwrap();
    assert!(said.contains("entitlements without a form"), "{said}");
    look(&site);
    assert_eq!(of_kind(&site, "access_without_form"), Vec::<String>::new());
}
