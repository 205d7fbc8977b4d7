//! Servers that cut, lie, lag, point elsewhere and corrupt: nothing is left out, believed or followed.

use super::double::{Double, Mischief, On, PAGE};
use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::BindSettings;
use lapsed_connectors::directory::{DirectoryKind, DirectorySettings};
use lapsed_core::observed::Scope;
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::torture_report::{Figures, is_long};
use rstest::rstest;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

fn of_double(double: &Double) -> DirectorySettings {
    let mut settings = settings(DirectoryKind::ActiveDirectory, "DC=lab,DC=test");
    settings.servers = vec![double.url()];
    settings.bind = BindSettings { external: true, ..BindSettings::default() };
    settings.timeouts.operation_seconds = 1;
    settings
}

#[rstest]
#[case::small_pages(400, &[400, 400, 400, 400, 400, 400, 101])]
#[case::as_large_as_allowed(1_000, &[1_000, 1_000, 501])]
// The server gives fewer than were asked for, and says that there are more.
#[case::larger_than_allowed(5_000, &[1_000, 1_000, 501])]
#[tokio::test]
async fn a_server_that_gives_a_thousand_entries_at_most_is_read_to_its_end(
    #[case] page_size: u32,
    #[case] pages: &[usize],
) {
    let double = Double::with_people(2_500);
    let mut settings = of_double(&double);
    settings.page_size = page_size;
    settings.timeouts.operation_seconds = 20;
    let seen = open(&settings).observe(&Scope::AllAccounts).await.unwrap();
    assert_eq!(seen.accounts.len(), 2_501);
    let state = double.state.lock().unwrap();
    assert!(state.pages.ends_with(pages) && pages.iter().all(|page| *page <= PAGE));
    assert_eq!(state.unpaged, 0, "never asked without pages");
}

/// Another server, which notes who comes.
fn elsewhere() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("ldap://{}/DC=lab,DC=test", listener.local_addr().unwrap());
    (listener, url)
}

#[rstest]
#[case::of_a_search(On::AccountSearch)]
#[case::of_a_change(On::Modify)]
#[tokio::test]
async fn a_pointer_to_another_server_is_told_and_not_followed(#[case] on: On) {
    let (listener, url) = elsewhere();
    let ann = person(&open(&of_double(&Double::start(0, &[]))), "zann").await;
    // A change that is refused is tried once more, on its own.
    let pointer = (on, Mischief::Referral(url));
    let double = Double::start(0, &[pointer.clone(), pointer]);
    let directory = open(&of_double(&double));
    let fault = match on {
        On::Modify => apply(&directory, &[disable(&ann)]).await.remove(0).unwrap_err(),
        _ => directory.observe(&Scope::AllAccounts).await.unwrap_err(),
    };
    assert!(
        matches!(&fault, Fault::Refused(c) if c.message.contains("name that server")),
        "{fault}"
    );
    assert!(listener.accept().is_err(), "nobody came, and no password with them");
    assert_eq!(double.state.lock().unwrap().changes, []);
}

#[tokio::test]
async fn a_server_that_says_yes_and_does_nothing_is_found_out_and_asked_again() {
    let double = Double::start(0, &[(On::Modify, Mischief::Lie)]);
    let directory = open(&of_double(&double));
    let steps = [disable(&person(&directory, "zann").await)];
    change(&directory, &steps).await;
    let seen = directory.read_back(&steps).await;
    assert!(matches!(&seen[0], Ok(Seen::Otherwise(_))), "{seen:?}");
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    assert_eq!(double.state.lock().unwrap().changes, [(512, 514, 0)]);
}

#[tokio::test]
async fn behind_a_copy_that_lags_nothing_is_done_twice() {
    let double = Double::start(0, &[(On::Modify, Mischief::Lag(6))]);
    let directory = open(&of_double(&double));
    let steps = [disable(&person(&directory, "zann").await)];
    change(&directory, &steps).await;
    let seen = directory.read_back(&steps).await;
    assert!(matches!(&seen[0], Ok(Seen::Otherwise(_))), "it lags: {seen:?}");
    // Tried again on the strength of what the copy shows: the server holds the old value against it.
    let again = apply(&directory, &steps).await;
    assert!(matches!(&again[0], Err(Fault::Retry(_)) | Ok(Outcome::AlreadySo)), "{again:?}");
    let until = Instant::now() + Duration::from_secs(20);
    while !matches!(directory.read_back(&steps).await[0], Ok(Seen::AsWanted)) {
        assert!(Instant::now() < until, "the copy came up long ago");
    }
    nothing_to_change(&directory, &steps).await;
    let state = double.state.lock().unwrap();
    let made = state.changes.iter().filter(|(_, _, code)| *code == 0).count();
    assert_eq!(made, 1, "{:?}", state.changes);
}

/// Without TLS nobody can tell a changed value; but nothing falls over or hangs, and the next look is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_bit_in_an_unencrypted_answer_harms_one_answer_at_most() {
    let step = if is_long() { 1 } else { 9 };
    let right = people(&open(&of_double(&Double::start(0, &[]))), &["zann"]).await.accounts;
    let places: Vec<usize> = (0..300).step_by(step).collect();
    let at_a_time = Arc::new(Semaphore::new(16));
    let mut looks = JoinSet::new();
    for at in places.clone() {
        let (right, at_a_time) = (right.clone(), Arc::clone(&at_a_time));
        looks.spawn(async move {
            // All at once they would keep each other from an answer within their second.
            let _turn = at_a_time.acquire_owned().await.unwrap();
            let double = Double::start(0, &[(On::AccountSearch, Mischief::Corrupt(at))]);
            let directory = open(&of_double(&double));
            let looked =
                tokio::time::timeout(Duration::from_secs(20), observe(&directory, &["zann"]));
            assert!(looked.await.is_ok(), "an answer in time, whatever it is: {at}");
            let mut next = observe(&directory, &["zann"]).await;
            // A changed length leaves something behind that is no message, and ends the connection.
            if matches!(next, Err(Fault::Retry(_))) {
                next = observe(&directory, &["zann"]).await;
            }
            let is_wrong = next.as_ref().map_or(true, |seen| seen.accounts != right);
            if is_wrong {
                println!("after bit {at}: {next:?}");
            }
            u64::from(is_wrong)
        });
    }
    let wrong = looks.join_all().await.into_iter().sum();
    let figures = Figures { faults: places.len() as u64, wrong, ..Figures::default() };
    figures.write("faults-corrupted").unwrap();
    assert!(figures.is_whole(), "{figures:?}");
}
