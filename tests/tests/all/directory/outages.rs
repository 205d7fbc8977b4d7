//! Servers that die, hang or come second: a second try completes what a first began.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::{Directory, DirectorySettings};
use lapsed_core::step::{Fault, Outcome, Seen, Step};
use lapsed_tests::slapd::Slapd;

const LOCK: &str = "pwdAccountLockedTime";

fn agency(people: usize, groups: usize) -> (Vec<String>, String) {
    let uids: Vec<String> = (0..people).map(|n| format!("zuser{n:04}")).collect();
    let mut entries: Vec<_> = uids.iter().map(|uid| someone(uid)).collect();
    entries.push(someone("zstays"));
    for number in 0..groups {
        let mut members: Vec<&str> = uids
            .iter()
            .enumerate()
            .filter(|(n, _)| n % groups != number)
            .map(|(_, u)| u.as_str())
            .collect();
        members.push("zstays");
        entries.push(group(&format!("group{number}"), &members));
    }
    (uids, ldif(&entries))
}

async fn all_steps(directory: &Directory, uids: &[String]) -> Vec<Step> {
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut steps = Vec::new();
    for account in people(directory, &uids).await.accounts {
        steps.extend([disable(&account), stamp(&account, "Disabled")]);
        steps.extend(leave_all(&account));
    }
    steps
}

fn all_done(slapd: &Slapd, people: usize) {
    let locked = slapd.search(&format!("({LOCK}=*)"), &["1.1"]).unwrap();
    assert_eq!(locked.len(), people);
    for group in slapd.search("(objectClass=groupOfNames)", &["member"]).unwrap() {
        assert_eq!(group.get("member"), ["uid=zstays,ou=people,dc=lab,dc=test"], "{}", group.dn);
    }
}

#[tokio::test]
async fn two_hundred_leavers_are_out_of_all_groups_in_one_batch() {
    let (uids, text) = agency(200, 10);
    let slapd = Slapd::builder().load_ldif(&text).access_log().start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let started = std::time::Instant::now();
    let steps = all_steps(&directory, &uids).await;
    assert_eq!(steps.len(), 200 * 11);
    let seen = started.elapsed();
    change(&directory, &steps).await;
    println!("200 leavers: seen in {seen:?}, all done in {:?}", started.elapsed());
    all_done(&slapd, 200);
    let log = slapd.witness().search("cn=accesslog", "(objectClass=auditModify)", &["reqDN"]);
    let requests: Vec<String> = log.unwrap().iter().flat_map(|entry| entry.get("reqDN")).collect();
    assert_eq!(requests.iter().filter(|dn| dn.starts_with("cn=group")).count(), 10);
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_leaves_nothing_half_told_and_a_second_try_completes() {
    let (uids, text) = agency(400, 10);
    let mut slapd = Slapd::builder().load_ldif(&text).start().unwrap();
    let directory = std::sync::Arc::new(open(&DirectorySettings {
        // Slow on purpose: the server is to be killed long before the end.
        window: 1,
        members_per_request: 5,
        ..of_slapd(&slapd)
    }));
    let steps = all_steps(&directory, &uids).await;
    let (worker, all) = (std::sync::Arc::clone(&directory), steps.clone());
    let running = tokio::spawn(async move { apply(&worker, &all).await });
    // Until some, and surely not all, is done.
    loop {
        let locked = slapd.search(&format!("({LOCK}=*)"), &["1.1"]).unwrap().len();
        if locked > 0 {
            break;
        }
    }
    slapd.kill().unwrap();
    let endings = running.await.unwrap();
    let mut lost = 0;
    for (step, ending) in steps.iter().zip(&endings) {
        match ending {
            Ok(Outcome::Changed(_)) => {}
            Err(Fault::Retry(_) | Fault::Unknown(_)) => lost += 1,
            other => panic!("{step:?}: {other:?}"),
        }
    }
    assert!(lost > 0, "the server was killed too late to matter");
    let down = apply(&directory, &steps[..1]).await;
    assert!(matches!(&down[0], Err(Fault::Retry(_))), "{down:?}");

    slapd.start().unwrap();
    for (step, ending) in steps.iter().zip(apply(&directory, &steps).await) {
        assert!(
            matches!(ending, Ok(Outcome::Changed(_) | Outcome::AlreadySo)),
            "{step:?}: {ending:?}"
        );
    }
    all_done(&slapd, 400);
    nothing_to_change(&directory, &steps).await;
}

/// Two servers that know the same person by different ids, and settings for both.
struct Two {
    first: Slapd,
    second: Slapd,
    settings: DirectorySettings,
    _folder: tempfile::TempDir,
}

fn two() -> Two {
    let text = ldif(&[someone("zann")]);
    let first = Slapd::builder().load_ldif(&text).start().unwrap();
    let second = Slapd::builder().load_ldif(&text).start().unwrap();
    let authorities = [first.ca_path(), second.ca_path()];
    let both = authorities.map(|path| std::fs::read_to_string(path).unwrap()).concat();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("both.pem");
    std::fs::write(&ca, both).unwrap();
    let settings = DirectorySettings {
        servers: vec![first.url_ldaps(), second.url_ldaps()],
        ca_file: Some(ca),
        ..of_slapd(&first)
    };
    Two { first, second, settings, _folder: folder }
}

async fn until_answered_by(directory: &Directory, server: &str) {
    for _ in 0..3 {
        if observe(directory, &["zann"]).await.is_ok_and(|seen| seen.server == server) {
            return;
        }
    }
    panic!("{server} is not used");
}

#[tokio::test]
async fn the_next_server_is_used_and_named_when_the_first_is_gone() {
    let mut two = two();
    let directory = open(&two.settings);
    assert_eq!(people(&directory, &["zann"]).await.server, two.first.url_ldaps());
    let gone = two.first.url_ldaps();
    two.first.kill().unwrap();
    until_answered_by(&directory, &two.second.url_ldaps()).await;
    let probed = directory.probe().await;
    let problems: Vec<_> = probed.into_iter().filter(|p| p.problem.is_some()).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains(&gone), "{problems:?}");
}

#[tokio::test]
async fn what_one_server_took_is_read_back_from_that_server() {
    let mut two = two();
    let directory = open(&two.settings);
    let ann = person(&directory, "zann").await;
    let steps = [disable(&ann)];
    change(&directory, &steps).await;
    two.first.kill().unwrap();
    until_answered_by(&directory, &two.second.url_ldaps()).await;
    let other = directory.read_back(&steps).await;
    assert!(matches!(&other[0], Ok(Seen::CannotTell(_))), "the second knows no such id: {other:?}");
    two.first.start().unwrap();
    all_as_wanted(&directory, &steps).await;
    assert_eq!(people(&directory, &["zann"]).await.server, two.second.url_ldaps());
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_after_the_set_time() {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).start().unwrap();
    let mut settings = of_slapd(&slapd);
    settings.timeouts.operation_seconds = 1;
    settings.timeouts.connect_seconds = 1;
    let directory = open(&settings);
    let ann = person(&directory, "zann").await;
    slapd.pause().unwrap();
    // The signal takes a moment to arrive.
    let fault = loop {
        if let Err(fault) = observe(&directory, &["zann"]).await {
            break fault;
        }
    };
    assert!(matches!(&fault, Fault::Retry(_)), "{fault}");
    let again = apply(&directory, &[disable(&ann)]).await;
    assert!(
        matches!(&again[0], Err(Fault::Retry(c)) if c.message.contains("within 1 s")),
        "{again:?}"
    );
    slapd.resume().unwrap();
    let last = apply(&directory, &[disable(&ann)]).await;
    assert!(matches!(&last[0], Ok(Outcome::Changed(_))), "{last:?}");
}
