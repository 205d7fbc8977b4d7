//! Somebody new, from an approved form to an account that is open, on a real directory.

pub mod stage;

use jiff::Timestamp;
use lapsed::cycle::Cycle;
use lapsed::store::{CaseFilter, DatabaseSettings, StepFilter, Store};
use lapsed::targets::Eyes;
use lapsed_connectors::contract::{Observe, Probed};
use lapsed_core::access::entitlement::EntitlementState;
use lapsed_core::access::form::Asks;
use lapsed_core::facts::{Case, CaseId, CaseKind, CaseState, ConnectorName};
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Seen, Step};
use lapsed_tests::agency::{names, random};
use lapsed_tests::postgres::Postgres;
use stage::*;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[tokio::test]
async fn two_joiners_of_one_name_get_accounts_of_their_own_open_in_their_groups() -> Ended {
    let stage = Stage::new().await?;
    let first = joins(stage.store(), person(1), name("Quillfeather", "John")).await?;
    let second = joins(stage.store(), person(2), name("Quillfeather", "Jane")).await?;
    stage.round().await?;
    let made = stage.account("mzquilj")?;
    assert_eq!(made.first("pwdaccountlockedtime").as_deref(), Some("000001010000Z"), "made shut");
    stage.until_in_place(first).await?;
    stage.until_in_place(second).await?;
    for (user_id, mail) in
        [("mzquilj", "john.quillfeather@dmh.test"), ("mzqui1j", "jane.quillfeather@dmh.test")]
    {
        let account = stage.account(user_id)?;
        assert_eq!(account.first("pwdaccountlockedtime"), None, "{account:?}");
        assert_eq!(account.first("mail").as_deref(), Some(mail));
        assert_eq!(stage.groups_of(&account)?, ["Files z"]);
    }
    let sealed = stage.drawer.0.lock().unwrap().clone();
    assert_eq!(sealed.len(), 2);
    assert!(sealed.iter().all(|(opener, _)| *opener == user_id("mzbossb")), "{sealed:?}");
    let held = stage.store().read().entitlements_of(&[person(1), person(2)]).await?;
    assert!(held.iter().all(|e| e.state == EntitlementState::InPlace));
    // The same once more finds nothing to do.
    assert!(stage.cycle().access_round(Timestamp::now()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_departure_ends_a_request_in_flight_and_shuts_what_was_made_a_moment_ago() -> Ended {
    let stage = Stage::new().await?;
    let store = stage.store();
    let form = joins(store, person(1), name("Quillfeather", "John")).await?;
    // The account is made and joins its groups; the person leaves before it is opened.
    stage.round().await?;
    stage.cycle().access_round(Timestamp::now()).await?;
    let who = store.read().person(person(1)).await?.unwrap();
    let now = Timestamp::now();
    let tx = store.begin().await?;
    tx.save_case(&Case {
        id: CaseId::departure(who.id, 0),
        kind: CaseKind::Departure,
        person: who.id,
        state: CaseState::Open,
        effective_at: now,
        for_cause: false,
        opened_at: now,
        disabled_on: None,
        worksite_class: None,
        reason: "left".into(),
        before: Vec::new(),
    })
    .await?;
    tx.commit().await?;
    stage.executor.carry_out().await?;
    for _ in 0..3 {
        stage.round().await?;
    }
    let account = stage.account("mzquilj")?;
    assert_eq!(account.first("pwdaccountlockedtime").as_deref(), Some("000001010000Z"));
    assert_eq!(stage.groups_of(&account)?, Vec::<String>::new());
    assert!(stage.drawer.0.lock().unwrap().is_empty(), "no password was set");
    let case = stage.form(form).await?.case();
    let filter = StepFilter { cases: vec![case], ended: Some(false), ..StepFilter::default() };
    assert_eq!(store.read().steps(&filter).await?, [], "nothing of the form is left to do");
    let held = store.read().entitlements_of(&[who.id]).await?;
    assert!(held.iter().all(|e| e.state == EntitlementState::Ended), "{held:?}");
    assert_eq!(who.user_ids(), [user_id("mzquilj")], "found by the name that was set apart");
    let forms = CaseFilter { kind: CaseKind::Form, ..CaseFilter::default() };
    assert!(store.read().cases(&forms).await?.iter().all(|c| c.state == CaseState::Closed));
    Ok(())
}

#[tokio::test]
async fn a_password_is_set_anew_for_who_has_an_open_account() -> Ended {
    let stage = Stage::new().await?;
    let form = joins(stage.store(), person(1), name("Quillfeather", "John")).await?;
    stage.until_in_place(form).await?;
    let reset = approved(stage.store(), person(1), Asks::ResetPassword, &[], |form| {
        form.requested_by = Some(user_id("mzdeskd"));
    })
    .await?;
    stage.until_in_place(reset).await?;
    assert_eq!(stage.drawer.0.lock().unwrap().len(), 2);
    Ok(())
}

/// A directory that shows taken names and no account.
struct Names(Vec<String>);

impl Observe for Names {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        let taken = if *scope == Scope::TakenNames { self.0.clone() } else { Vec::new() };
        Box::pin(async { Ok(Observed { taken_names: taken, ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async { steps.iter().map(|_| Ok(Seen::AsWanted)).collect() })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async { Vec::new() })
    }
}

const JOINERS: u32 = 1_000;

async fn names_only(settings: &DatabaseSettings) -> Got<Cycle> {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../config.example.yaml");
    let (mut config, _) = lapsed::config::load(std::path::Path::new(example))
        .map_err(|errors| lapsed_tests::Failure::new(errors.to_string()))?;
    access(&mut config.policy.access);
    let taken = Names(vec!["mzsmitj".into(), "mqjohnm".into(), "james.smith".into()]);
    let name = ConnectorName::new("directory")?;
    let eyes = Eyes(BTreeMap::from([(name, Arc::new(taken) as Arc<dyn Observe>)]));
    let store = Store::open(settings, None).await?;
    Ok(Cycle { store, config: Arc::new(config), eyes })
}

/// Joiners whose names are as common as in the country, at three locations.
async fn thousand(store: &Store) -> Ended {
    let mut random = random::Random::new(11);
    for number in 0..JOINERS {
        let last = random.weighted(names::LAST).unwrap_or("Smith");
        let first = random.weighted(names::FIRST).unwrap_or("John");
        let at = ["z", "q", "b"][random.below(3) as usize];
        approved(store, person(u128::from(number)), Asks::New, &["account"], |form| {
            form.person.name = Some(name(last, first));
            form.person.location = location(at);
        })
        .await?;
    }
    Ok(())
}

async fn no_name_twice(store: &Store) -> Ended {
    let given = reserved(store).await?;
    let once: BTreeSet<&String> = given.iter().collect();
    assert_eq!((given.len(), once.len()), (JOINERS as usize, JOINERS as usize));
    assert!(!once.contains(&"mzsmitj".to_owned()), "a directory's account has it");
    Ok(())
}

#[tokio::test]
async fn a_thousand_joiners_get_a_thousand_user_ids() -> Ended {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("state.db").display());
    let cycle =
        names_only(&DatabaseSettings { url, password_file: None, max_connections: 4 }).await?;
    thousand(&cycle.store).await?;
    cycle.access_round(Timestamp::now()).await?;
    no_name_twice(&cycle.store).await?;
    let before = reserved(&cycle.store).await?;
    cycle.access_round(Timestamp::now()).await?;
    assert_eq!(reserved(&cycle.store).await?, before, "a name once given stays");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_daemons_that_race_give_no_user_id_twice() -> Ended {
    let server = Postgres::builder().start()?;
    let url = server.url(&server.create_database()?);
    let settings = DatabaseSettings { url, password_file: None, max_connections: 4 };
    let (one, other) = (names_only(&settings).await?, names_only(&settings).await?);
    thousand(&one.store).await?;
    let race =
        |cycle: Cycle| tokio::spawn(async move { cycle.access_round(Timestamp::now()).await });
    let (first, second) = (race(one.clone()), race(other));
    first.await??;
    second.await??;
    one.access_round(Timestamp::now()).await?;
    no_name_twice(&one.store).await?;
    Ok(())
}
