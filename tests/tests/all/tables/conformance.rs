//! What every system with tables has to do, on each of the three databases.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::sql::SqlServer::{self, Mariadb, Postgresql, Sqlite};
use lapsed_core::observed::{Realm, Scope};
use lapsed_core::step::{Outcome, Seen};
use rstest::rstest;

#[rstest]
#[tokio::test]
async fn an_account_is_found_by_each_key_and_revoked_once(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let database = Database::start(server);
    let system = open(&database.settings());
    let probed = system.probe().await;
    assert!(probed.len() == 5 && probed.iter().all(|line| line.problem.is_none()), "{probed:?}");

    for (user_id, number) in
        [(Some("ann"), None), (None, Some("100001")), (Some("ann"), Some("100001"))]
    {
        let accounts = found(&system, user_id, number).await.unwrap();
        let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
        assert_eq!((account.id.as_str(), account.user_id.as_str()), ("1", "ann"));
        assert_eq!((account.realm, account.enabled), (Realm::System, true));
        assert_eq!(account.name.last, "Archer");
        assert_eq!(account.employee_number.as_ref().unwrap().as_str(), "100001");
    }
    assert_eq!(found(&system, Some("nobody"), Some("999999")).await.unwrap(), []);
    assert!(!found(&system, Some("carl"), None).await.unwrap()[0].enabled);

    assert!(matches!(seen(&system, revocation("1", "ann")).await, Ok(Seen::Otherwise(_))));
    let receipt = changed(&system, revocation("1", "ann")).await;
    assert_eq!(receipt.before["enabled"], ["true"]);
    assert_eq!(database.states(), "XAX", "one row, and no other");
    assert_eq!(apply(&system, revocation("1", "ann")).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&system, revocation("1", "ann")).await, Ok(Seen::AsWanted));
}

#[rstest]
#[tokio::test]
async fn an_account_is_deleted_and_one_that_is_gone_is_done(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let database = Database::start(server);
    let system = open(&database.settings());
    changed(&system, deletion("3", "carl")).await;
    assert_eq!(database.states(), "AA");
    for step in [deletion("3", "carl"), revocation("3", "carl"), revocation("77", "zoe")] {
        assert_eq!(seen(&system, step.clone()).await, Ok(Seen::AsWanted));
        assert_eq!(apply(&system, step).await, Ok(Outcome::AlreadySo));
    }
}

#[rstest]
#[case::none(
    "UPDATE accounts SET status = 'X' WHERE id = :id AND login = 'nobody'",
    "changed 0 rows"
)]
#[case::all("UPDATE accounts SET status = 'X' WHERE id = :id OR 1 = 1", "changed 3 rows")]
#[case::a_lie("UPDATE accounts SET surname = 'X' WHERE id = :id", "as it was")]
#[tokio::test]
async fn a_statement_that_does_not_do_its_work_changes_nothing(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
    #[case] statement: &str,
    #[case] says: &str,
) {
    let database = Database::start(server);
    let mut settings = database.settings();
    settings.revoke = change(statement);
    let said = refusal(apply(&open(&settings), revocation("1", "ann")).await);
    assert!(said.contains(says), "{said}");
    assert_eq!(database.query("SELECT surname FROM accounts WHERE id = 1"), "Archer");
    assert_eq!(database.states(), "AAX");
}

#[rstest]
#[tokio::test]
async fn a_row_that_is_another_persons_by_now_is_left_alone(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let database = Database::start(server);
    let system = open(&database.settings());
    let ending = apply(&system, revocation("1", "zoe")).await;
    assert!(matches!(ending, Ok(Outcome::Drifted(_))), "{ending:?}");
    assert_eq!(database.states(), "AAX");
}

#[rstest]
#[tokio::test]
async fn two_rows_for_one_key_are_for_a_person_to_see(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let database = Database::start(server);
    database.query("INSERT INTO accounts VALUES (4, 'ann', 'A', 'Archer', '100001')");
    let system = open(&database.settings());
    for (user_id, number) in [(Some("ann"), None), (None, Some("100001"))] {
        let said = refusal(found(&system, user_id, number).await);
        assert!(said.contains("two rows"), "{said}");
        assert!(!said.contains("100001"), "no number in messages: {said}");
    }
}

#[rstest]
#[case::everyone(
    "SELECT id, login AS user_id, 1 AS enabled FROM accounts WHERE :id IS NULL OR 1 = 1 OR login = :user_id",
    "two rows"
)]
#[case::another(
    "SELECT id, login AS user_id, 1 AS enabled FROM accounts WHERE id = 2 AND (login <> :user_id OR :id = '2')",
    "does not carry it"
)]
#[case::no_column("SELECT id, login FROM accounts WHERE login = :user_id OR id = :id", "no column")]
#[case::odd_truth(
    "SELECT id, login AS user_id, status AS enabled FROM accounts WHERE login = :user_id OR id = :id",
    "yes or no"
)]
#[case::writes(
    "SELECT id, login AS user_id, 1 AS enabled FROM elsewhere WHERE login = :user_id OR id = :id",
    "refused"
)]
#[tokio::test]
async fn an_answer_that_can_not_be_right_is_refused(#[case] find: &str, #[case] says: &str) {
    let database = Database::start(Sqlite);
    let mut settings = database.settings();
    settings.find = find.into();
    let said = refusal(found(&open(&settings), Some("ann"), None).await);
    assert!(said.contains(says), "{said}");
}

#[rstest]
#[tokio::test]
async fn everyone_is_listed_where_there_is_a_statement_for_it(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let database = Database::start(server);
    let mut settings = database.settings();
    let system = open(&settings);
    let all = system.observe(&Scope::AllAccounts).await.unwrap().accounts;
    let all: Vec<&str> = all.iter().map(|account| account.user_id.as_str()).collect();
    assert_eq!(all, ["ann", "bob", "carl"]);
    let taken = system.observe(&Scope::TakenNames).await.unwrap().taken_names;
    assert_eq!(taken, ["ann", "bob", "carl"]);
    settings.list = None;
    let said = refusal(open(&settings).observe(&Scope::AllAccounts).await);
    assert!(said.contains("`list`"), "{said}");
}

#[tokio::test]
async fn hostile_names_are_bound_and_never_part_of_the_statement() {
    for server in [Postgresql, Mariadb, Sqlite] {
        let database = Database::start(server);
        let system = open(&database.settings());
        for name in ["x' OR '1'='1", "ann'; DELETE FROM accounts; --", "ann\\", ":id", "$1"] {
            assert_eq!(found(&system, Some(name), Some(name)).await.unwrap(), [], "{name}");
        }
        assert_eq!(database.states(), "AAX");
    }
}

#[rstest]
#[case::two_keys("revoke", "UPDATE a SET b = 1; DELETE FROM a WHERE id = :id")]
#[case::all_rows("revoke", "UPDATE accounts SET status = 'X'")]
#[case::unknown_parameter("find", "SELECT 1 WHERE a = :name OR id = :id")]
#[case::nobody("find", "SELECT 1 WHERE id = :id")]
#[case::no_look("find", "SELECT 1 WHERE login = :user_id")]
fn statements_that_could_touch_others_are_mistakes_of_the_settings(
    #[case] key: &str,
    #[case] statement: &str,
) {
    let database = Database::start(Sqlite);
    let mut settings = database.settings();
    match key {
        "find" => settings.find = statement.into(),
        _ => settings.revoke = change(statement),
    }
    let problems = settings.problems();
    assert!(problems.iter().any(|problem| problem.key == key), "{problems:?}");
}
