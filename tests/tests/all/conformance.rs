//! What every connector has to keep, whatever it speaks: the same rows over every kind that has a real server
//! here, on the fixtures that the tests of its own use.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod subjects;

use lapsed_connectors::contract::Apply;
use lapsed_core::step::{Fault, Outcome, Seen, Step};
use rstest::rstest;
use std::any::Any;
use std::sync::Arc;

/// A connector with one change that can be made, undone by other hands, and made again.
pub struct Subject {
    system: Arc<dyn Apply>,
    /// What is to be changed.
    step: Step,
    /// The same of an object that is not there.
    gone: Step,
    /// The same by names that would be syntax, were they not values.
    hostile: Vec<Step>,
    /// Has it as it was before, by other hands.
    undo: Box<dyn Fn()>,
    /// What is there, by the server's own words.
    witness: Box<dyn Fn() -> String>,
    /// The same with credentials that the server does not take, where there are any.
    wrong: Option<Arc<dyn Apply>>,
    /// The same through something that loses the answer to a change, and what begins and ends that.
    lossy: Option<Lossy>,
    /// Servers and folders, which go with it.
    _kept: Box<dyn Any>,
}

/// A way on which answers get lost.
pub struct Lossy {
    system: Arc<dyn Apply>,
    lose: Box<dyn Fn()>,
    flow: Box<dyn Fn()>,
}

/// Names that filters, paths, statements, shells and templates could take for syntax.
pub const HOSTILE: [&str; 6] =
    ["*)(uid=*", "ann' OR '1'='1", "../ann", "ann\"; DROP x; --", "{{ user_id }}", "$(id)"];

async fn apply(system: &dyn Apply, step: &Step) -> Result<Outcome, Fault> {
    let mut endings = system.apply(std::slice::from_ref(step)).await;
    assert_eq!(endings.len(), 1, "one ending a step");
    endings.remove(0)
}

async fn seen(system: &dyn Apply, step: &Step) -> Result<Seen, Fault> {
    system.read_back(std::slice::from_ref(step)).await.remove(0)
}

/// Prints a row of the table, and wants it to be right.
fn row<T: std::fmt::Debug>(kind: &str, what: &str, gave: &T, right: bool) {
    let shown: String = format!("{gave:?}").chars().take(90).collect();
    println!("{kind:18} {what:26} {shown}");
    assert!(right, "{kind}, {what}: {gave:?}");
}

async fn keeps_the_rules(kind: &str, subject: Subject) {
    let (system, step) = (subject.system.as_ref(), &subject.step);
    let before = (subject.witness)();
    let is_changed = |gave: &Result<Outcome, Fault>| matches!(gave, Ok(Outcome::Changed(_)));
    let gave = seen(system, step).await;
    row(kind, "not done yet", &gave, matches!(gave, Ok(Seen::Otherwise(_))));
    if let Some(wrong) = &subject.wrong {
        let gave = apply(wrong.as_ref(), step).await;
        let advises = |cause: &lapsed_core::step::Cause| !cause.message.is_empty();
        let right = matches!(&gave, Err(Fault::Retry(cause)) if advises(cause));
        row(kind, "wrong credentials", &gave, right);
    }
    for hostile in &subject.hostile {
        let gave = apply(system, hostile).await;
        let what = format!("name {}", hostile.expect.user_id.as_str());
        row(kind, &what, &gave, !is_changed(&gave));
    }
    let gave = apply(system, &subject.gone).await;
    let right = matches!(gave, Ok(Outcome::AlreadySo | Outcome::Drifted(_)));
    row(kind, "not there", &gave, right);
    assert_eq!((subject.witness)(), before, "{kind}: nothing was touched so far");

    let gave = apply(system, step).await;
    row(kind, "changed", &gave, is_changed(&gave));
    let after = (subject.witness)();
    assert_ne!(after, before, "{kind}: the server says so, too");
    let gave = seen(system, step).await;
    row(kind, "read back", &gave, gave == Ok(Seen::AsWanted));
    let gave = apply(system, step).await;
    row(kind, "once more", &gave, gave == Ok(Outcome::AlreadySo));
    assert_eq!((subject.witness)(), after, "{kind}: nothing more was changed");

    (subject.undo)();
    let gave = seen(system, step).await;
    row(kind, "a lie is seen", &gave, matches!(gave, Ok(Seen::Otherwise(_))));
    if let Some(lossy) = &subject.lossy {
        // The way is open before: only the answer to the change is lost.
        let _ = seen(lossy.system.as_ref(), step).await;
        (lossy.lose)();
        let gave = apply(lossy.system.as_ref(), step).await;
        row(kind, "the reply is lost", &gave, matches!(gave, Err(Fault::Unknown(_))));
        (lossy.flow)();
        let gave = seen(lossy.system.as_ref(), step).await;
        row(kind, "looked at afterwards", &gave, gave == Ok(Seen::AsWanted));
        let gave = apply(lossy.system.as_ref(), step).await;
        row(kind, "tried again", &gave, gave == Ok(Outcome::AlreadySo));
    } else {
        let gave = apply(system, step).await;
        row(kind, "changed anew", &gave, is_changed(&gave));
    }
    assert_eq!((subject.witness)(), after, "{kind}: as after the first time");
}

#[tokio::test]
async fn openldap_keeps_the_rules_of_every_connector() {
    keeps_the_rules("openldap", subjects::openldap().await).await;
}

#[tokio::test]
async fn active_directory_keeps_the_rules_of_every_connector() {
    keeps_the_rules("active_directory", subjects::active_directory().await).await;
}

#[rstest]
#[case::scim("scim", subjects::scim_server)]
#[case::rest("rest", subjects::rest_api)]
#[case::sql_on_postgresql("sql (PostgreSQL)", subjects::postgresql)]
#[case::sql_on_mariadb("sql (MariaDB)", subjects::mariadb)]
#[case::sql_on_sqlite("sql (SQLite)", subjects::sqlite)]
#[case::command("command", subjects::mainframe)]
#[case::home("home", subjects::home)]
#[tokio::test]
async fn a_system_keeps_the_rules_of_every_connector(
    #[case] kind: &str,
    #[case] subject: fn() -> Subject,
) {
    keeps_the_rules(kind, subject()).await;
}
