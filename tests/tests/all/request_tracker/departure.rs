//! From HR's drop to tickets at the help desk, and from their end back to the steps, through the daemon.

use jiff::civil::{Date, date};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::request_tracker::RequestTracker;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Done, Failure, ldif};
use serde_json::Value;

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);

fn site(slapd: &Slapd, tracker: &RequestTracker) -> Done<Site> {
    let site = Site::beside(&DirectoryAt {
        kind: "openldap",
        url: slapd.url_ldaps(),
        base: BASE.into(),
        ca: slapd.ca_path().to_owned(),
        bind_dn: slapd.bind_dn(),
        password_file: slapd.password_file(),
    })?;
    let connector = format!(
        "  desk:\n    kind: help_desk\n    preset: request_tracker\n    url: {}\n    \
         login: {{ by: header, name: Authorization, prefix: \"token \", secret_file: {} }}\n    \
         group: General\n    requester: lapsed@dmh.test\n",
        tracker.url(),
        tracker.token_file().display()
    );
    let before = "  # A second directory: Active Directory.\n";
    site.reconfigure(&[
        (before, &format!("{connector}{before}")),
        ("\n#help_desk:\n", "\nhelp_desk:\n  connector: desk\n"),
        (
            "  requests: []\n",
            "  requests:\n    - { name: Mainframe, connector: desk, reason: by_hand }\n",
        ),
    ])?;
    Ok(site)
}

/// One of the leaver's groups that others are in, too.
fn a_group_of(ldif_text: &str, leaver: &str) -> String {
    let all = ldif::parse(ldif_text).unwrap();
    let theirs = all.iter().find(|entry| {
        let members = entry.get("member");
        members.len() > 1 && members.iter().any(|member| member == leaver)
    });
    theirs.unwrap().dn.clone()
}

fn steps<'v>(person: &'v Value, what: &str) -> Vec<&'v Value> {
    let cases = person["cases"].as_array().into_iter().flatten();
    let steps = cases.flat_map(|case| case["steps"].as_array().into_iter().flatten());
    steps.filter(|step| step["what"].as_str().is_some_and(|it| it.contains(what))).collect()
}

fn state_of(site: &Site, user_id: &str, what: &str) -> Done<String> {
    let person = site.json(&["person", user_id])?;
    let found = steps(&person, what);
    let [step] = found[..] else { return Err(Failure::new(format!("{what}: {person}"))) };
    Ok(step["state"].as_str().unwrap_or_default().to_owned())
}

/// What `lapsed` says while a daemon runs at this moment; the daemon is ended again.
fn asked<T>(site: &mut Site, ask: impl FnOnce(&Site) -> Done<T>) -> Done<T> {
    site.start()?;
    let answer = ask(site);
    site.stop()?;
    answer
}

#[test]
fn a_refused_step_waits_for_its_ticket_and_moves_when_that_is_resolved() {
    let agency = Agency::new(320, 7);
    let leaver = agency.ordinary_leavers(1)[0];
    let person = &agency.people[leaver];
    let user_id = person.user_id().unwrap().to_owned();
    let text = agency.to_openldap_ldif(BASE);
    let leaver_dn = Agency::openldap_dn(BASE, &user_id);
    let group = a_group_of(&text, &leaver_dn);
    let slapd = Slapd::builder()
        .base(BASE)
        .service_may_not_change(&group)
        .load_ldif(&text)
        .start()
        .unwrap();
    let mut tracker = RequestTracker::start().unwrap();
    let mut site = site(&slapd, &tracker).unwrap();
    site.set_clock(&format!("{DAY} 09:00:00"));
    site.start().unwrap();
    let checked = site.printed(&["check"]).unwrap();
    assert!(checked.contains("search for tickets"), "{checked}");
    let yesterday = DAY.yesterday().unwrap();
    std::fs::write(
        site.path("first.csv"),
        agency.to_hr_csv(&HrOptions::full(yesterday, 1, vec![])),
    )
    .unwrap();
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).unwrap();
    assert!(site.stop().unwrap());

    // The help desk is away: what it would be told is to be phoned in.
    tracker.stop().unwrap();
    let departure = vec![Departure::on(leaver, yesterday)];
    site.drop_file("hr-2.csv", agency.to_hr_csv(&HrOptions::full(DAY, 2, departure))).unwrap();
    site.once().unwrap();
    let (status, shown) =
        asked(&mut site, |site| Ok((site.json(&["status"])?, site.run(&["status"])?))).unwrap();
    let waiting = status["phone_in"].as_array().unwrap();
    assert_eq!(waiting.len(), 2, "{status}");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("To phone in: 2 tickets"), "{shown}");
    assert!(shown.contains(&user_id) && shown.contains("lapsed-"), "{shown}");
    assert!(status["attention"].to_string().contains("tickets_wait"), "{status}");

    // It is back: each is opened once, whatever happens to the daemon.
    tracker.launch().unwrap();
    site.set_clock(&format!("{DAY} 10:00:00"));
    site.once().unwrap();
    site.set_clock(&format!("{DAY} 11:00:00"));
    site.start().unwrap();
    site.kill().unwrap();
    site.once().unwrap();
    let there = tracker.tickets("lapsed-").unwrap();
    assert_eq!(there.len(), 2, "{there:?}");
    let status = asked(&mut site, |site| site.json(&["status"])).unwrap();
    assert_eq!(status["phone_in"].as_array().map(Vec::len), Some(0), "{status}");

    // Nobody outside learns more than they need (P1, P2).
    let account = person.account.as_ref().unwrap();
    let canaries =
        [&person.last, &person.first, &person.employee_number, &account.mail].map(String::as_str);
    let mut by_subject = std::collections::BTreeMap::new();
    for ticket in &there {
        let number = ticket["id"].as_str().unwrap().to_owned();
        let written = tracker.history(&number).unwrap() + ticket["Subject"].as_str().unwrap();
        assert!(written.contains(&user_id), "{written}");
        for canary in canaries {
            // A family name may be a word of everyday speech: as a word of its own it is theirs.
            let found = written.split(|c: char| !c.is_alphanumeric() && c != '@' && c != '.');
            assert!(!found.into_iter().any(|word| word == canary), "{canary}: {written}");
        }
        let mainframe = ticket["Subject"].as_str().unwrap().contains("Mainframe");
        by_subject.insert(mainframe, number);
    }
    let (refused, request) = (&by_subject[&false], &by_subject[&true]);

    // A ticket that is resolved although nothing was done: tried once more, and refused once more.
    tracker.set_status(refused, "resolved").unwrap();
    site.set_clock(&format!("{DAY} 12:00:00"));
    site.once().unwrap();
    site.set_clock(&format!("{DAY} 12:30:00"));
    site.once().unwrap();
    let there = tracker.tickets("lapsed-").unwrap();
    assert_eq!(there.len(), 3, "the second refusal has a ticket of its own: {there:?}");
    let second = there[2]["id"].as_str().unwrap().to_owned();

    // The help desk rejects what it was asked for: a person reads of it, and it is not asked again.
    tracker.set_status(request, "rejected").unwrap();
    site.set_clock(&format!("{DAY} 12:45:00"));
    site.once().unwrap();
    let (asked_for, status) = asked(&mut site, |site| {
        Ok((state_of(site, &user_id, "ask to revoke Mainframe")?, site.json(&["status"])?))
    })
    .unwrap();
    assert_eq!(asked_for, "refused");
    assert!(status["attention"].to_string().contains("ticket_rejected"), "{status}");

    // Now it is really done by hand, and both tickets end.
    let mend = format!("dn: {group}\nchangetype: modify\ndelete: member\nmember: {leaver_dn}\n");
    slapd.load_ldif(&mend).unwrap();
    tracker.set_status(&second, "resolved").unwrap();
    tracker.set_status(request, "resolved").unwrap();
    site.set_clock(&format!("{DAY} 13:00:00"));
    site.once().unwrap();
    let name = group.split([',', '=']).nth(1).unwrap();
    let (left, asked_for, audit) = asked(&mut site, |site| {
        Ok((
            state_of(site, &user_id, &format!("out of group {name}"))?,
            state_of(site, &user_id, "ask to revoke Mainframe")?,
            site.json(&["audit", "list", "--person", &user_id])?.to_string(),
        ))
    })
    .unwrap();
    assert_eq!((left.as_str(), asked_for.as_str()), ("verified", "verified"));
    assert!(audit.contains(&format!("resolved by ticket {second}")), "{audit}");
    let listed = asked(&mut site, |site| site.json(&["tickets"])).unwrap();
    let states: Vec<&Value> =
        listed["tickets"].as_array().unwrap().iter().map(|ticket| &ticket["state"]).collect();
    assert_eq!(states, ["resolved"; 3], "{listed}");
}
