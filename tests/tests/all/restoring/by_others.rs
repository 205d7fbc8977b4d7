//! Who may put a mistaken departure back: the security officer of the person's location, under an account of
//! their own, and nobody else (D10).

use super::{Stage, held};
use crate::beside::is_shut;
use crate::beside::openldap_account;
use crate::others::{can_be_others, officers, open_to_all, said, with_client};

/// Accounts that every Debian has: the officer of the person's location, the one of another, one who may speak
/// to the daemon and has no role, and one who may not even do that.
const HERE: &str = "games";
const THERE: &str = "lp";
const STAFF: &str = "man";
const NOBODY: &str = "nobody";

/// The locations with their officers, for the person who leaves.
fn locations(stage: &Stage, user_id: &str) -> [(char, &'static [&'static str]); 2] {
    let who = stage.agency.people.iter().find(|person| person.user_id() == Some(user_id));
    let here = who.map_or('b', |person| person.worksite.id);
    [(here, &[HERE]), (if here == 'b' { 'z' } else { 'b' }, &[THERE])]
}

#[test]
fn only_the_security_officer_of_the_location_puts_somebody_back_and_by_the_hash_that_was_shown() {
    if !can_be_others() {
        return;
    }
    let mut stage = Stage::of_rules(&[(
        "    participant:\n      users: []\n",
        &format!("    participant:\n      users: [{HERE}, {THERE}, {STAFF}]\n"),
    )])
    .unwrap();
    let (_, leaver) = stage.leaver();
    let all = officers(stage.slapd.base(), &[HERE, THERE, STAFF], &locations(&stage, &leaver));
    stage.slapd.load_ldif(&all).unwrap();
    with_client(&stage.site).unwrap();
    stage.site.stop().unwrap();
    stage.site.start().unwrap();
    open_to_all(&stage.site).unwrap();
    let user_id = stage.cut_off(2).unwrap();
    assert_eq!(user_id, leaver);

    // Root is an operator here: it may ask, and not consent.
    let view = held(&stage.site, &user_id).unwrap();
    let hash = view["hash"].as_str().unwrap()[..12].to_owned();
    let consents = |hash: &str| {
        ["restore", &user_id, "--consent", hash, "--reason", "A typo of HR's"].map(str::to_owned)
    };
    let by = |who: &str, arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        said(&stage.site, who, &arguments)
    };
    let refused = |who: &str, arguments: &[String], says: &str| {
        let (code, text) = by(who, arguments);
        assert!(code != 0 && text.contains(says), "{who} {arguments:?} ended with {code}: {text}");
    };
    let root = consents(&hash);
    let root: Vec<&str> = root.iter().map(String::as_str).collect();
    assert!(!stage.site.run(&root).unwrap().status.success(), "root has not the role");
    refused(THERE, &consents(&hash), "is not Local Security Officer for this person");
    refused(STAFF, &consents(&hash), "is not Local Security Officer");
    refused(NOBODY, &consents(&hash), "control.roles.participant");
    refused(
        THERE,
        &["restore".to_owned(), user_id.clone()],
        "is not Local Security Officer for this person",
    );
    refused(HERE, &consents("000000000000"), "no plan");
    assert!(is_shut(&openldap_account(&stage.slapd, &user_id).unwrap()), "nothing came back yet");

    let (code, text) = by(HERE, &consents(&hash));
    assert_eq!(code, 0, "{text}");
    stage
        .site
        .wait_for("it is over", || Ok(stage.site.json(&["restore", &user_id])?["state"] == "done"))
        .unwrap();
    assert!(!is_shut(&openldap_account(&stage.slapd, &user_id).unwrap()));
    let audit = stage.site.printed(&["audit", "export"]).unwrap();
    let consented = audit.lines().find(|row| row.contains("\"restore.consented\"")).unwrap();
    assert!(consented.contains(&format!("\"{HERE}\"")), "{consented}");
}
