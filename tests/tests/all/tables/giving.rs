//! Accounts that are made, opened with roles and renamed in each of the three databases.

use super::support::*;
use crate::steps::{granting, making, renaming, to_be_made};
use lapsed_connectors::contract::Apply as _;
use lapsed_connectors::settings::{Ability, ConnectorKind};
use lapsed_connectors::sql::SqlServer::{self, Mariadb, Postgresql, Sqlite};
use lapsed_connectors::sql::{AnyRows, RowCount, SqlSettings, SqlStatement};
use lapsed_core::facts::{StableId, SystemRole};
use lapsed_core::step::{Fault, Outcome, Seen};
use rstest::rstest;

fn one(statement: &str) -> SqlStatement {
    SqlStatement { statement: statement.into(), rows: RowCount::Exactly(1) }
}

fn any(statement: &str) -> SqlStatement {
    SqlStatement { statement: statement.into(), rows: RowCount::Any(AnyRows::Any) }
}

/// A database whose accounts have roles in a table of their own, and a time of last use.
fn giving(server: SqlServer) -> (Database, SqlSettings) {
    let database = Database::start(server);
    database.query("CREATE TABLE roles (account INTEGER, role VARCHAR(20))");
    database.query("ALTER TABLE accounts ADD COLUMN used VARCHAR(30)");
    database.query("UPDATE accounts SET used = '2026-11-20 10:00:00' WHERE id = 2");
    let mut settings = database.settings();
    let joined = if server == Postgresql { "string_agg(role, ',')" } else { "group_concat(role)" };
    settings.find = format!(
        "SELECT id, login AS user_id, status = 'A' AS enabled, surname AS last_name, hr AS employee_number, \
         (SELECT {joined} FROM roles WHERE account = accounts.id) AS roles, used AS last_used FROM accounts \
         WHERE login = :account OR hr = :employee_number OR id = :id"
    );
    settings.create = vec![one("INSERT INTO accounts (id, login, status, surname, hr) \
         SELECT MAX(id) + 1, :account, 'X', :last, :employee_number FROM accounts")];
    settings.grant = vec![
        any("UPDATE accounts SET status = 'A' WHERE id = :id"),
        any("DELETE FROM roles WHERE account = :id"),
        one("INSERT INTO roles (account, role) VALUES (:id, :role)"),
    ];
    settings.rename = vec![one(
        "UPDATE accounts SET login = :account, surname = :last WHERE id = :id AND login = :old_account",
    )];
    settings.last_use = Some(Default::default());
    (database, settings)
}

#[rstest]
#[tokio::test]
async fn an_account_is_made_shut_opened_with_its_roles_and_renamed_each_once(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let (database, settings) = giving(server);
    let system = open(&settings);
    let probed = lapsed_connectors::contract::Observe::probe(&system).await;
    assert!(probed.len() == 10 && probed.iter().all(|line| line.problem.is_none()), "{probed:?}");
    let make = making("mzobrij", Some("00123"));
    assert!(matches!(seen(&system, make.clone()).await, Ok(Seen::Otherwise(_))));
    assert_eq!(changed(&system, make.clone()).await.before["id"], ["4"]);
    assert_eq!(database.states(), "AAXX", "made, and shut");
    assert_eq!(database.query("SELECT surname FROM accounts WHERE id = 4"), "O'Brien \"x\"");
    assert_eq!(apply(&system, make.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&system, make).await, Ok(Seen::AsWanted));
    assert_eq!(database.query("SELECT COUNT(*) FROM accounts"), "4");

    let own = StableId::new("4").unwrap();
    for (id, roles) in [
        (to_be_made("mzobrij"), &["clerk", "nurse"][..]),
        (own.clone(), &["nurse"]),
        (own.clone(), &[]),
    ] {
        let grant = granting(id, "mzobrij", roles);
        assert!(matches!(seen(&system, grant.clone()).await, Ok(Seen::Otherwise(_))));
        changed(&system, grant.clone()).await;
        assert_eq!(database.states(), "AAXA");
        assert_eq!(apply(&system, grant.clone()).await, Ok(Outcome::AlreadySo));
        assert_eq!(seen(&system, grant).await, Ok(Seen::AsWanted));
        let account = found(&system, Some("mzobrij"), None).await.unwrap().remove(0);
        let shown: Vec<&str> = account.details.roles.iter().map(SystemRole::as_str).collect();
        assert_eq!(shown, roles);
        assert_eq!(account.details.last_use.unwrap().at, None, "never used");
    }

    let rename = renaming("4", "mzobrij", "mzjonej");
    assert!(matches!(seen(&system, rename.clone()).await, Ok(Seen::Otherwise(_))));
    changed(&system, rename.clone()).await;
    assert_eq!(apply(&system, rename.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&system, rename).await, Ok(Seen::AsWanted));
    assert_eq!(database.query("SELECT login FROM accounts WHERE id = 4"), "mzjonej");
    assert_eq!(database.states(), "AAXA");
    let bob = found(&system, Some("bob"), None).await.unwrap().remove(0);
    let used = bob.details.last_use.unwrap().at.unwrap();
    assert_eq!(used.to_string(), "2026-11-20T10:00:00Z");
}

#[rstest]
#[case::another_number(
    "INSERT INTO accounts (id, login, status, surname, hr) VALUES (9, 'mzobrij', 'A', 'x', '00999')",
    "not known to be theirs"
)]
#[case::a_namesake_without_a_number(
    "INSERT INTO accounts (id, login, status, surname) VALUES (9, 'mzobrij', 'A', 'O''Brien \"x\"')",
    "not known to be theirs"
)]
#[case::another_name(
    "INSERT INTO accounts (id, login, status, surname, hr) VALUES (9, 'mzother', 'A', 'x', '00123')",
    "called mzother"
)]
#[tokio::test]
async fn an_account_that_may_be_anothers_is_left_for_a_person(
    #[values(Postgresql, Sqlite)] server: SqlServer,
    #[case] there: &str,
    #[case] says: &str,
) {
    let (database, settings) = giving(server);
    database.query(there);
    let said = refusal(apply(&open(&settings), making("mzobrij", Some("00123"))).await);
    assert!(said.contains(says) && !said.contains("00123"), "{said}");
    assert_eq!(database.query("SELECT COUNT(*) FROM accounts"), "4");
}

#[rstest]
#[case::open_at_once(
    "INSERT INTO accounts (id, login, status, surname, hr) SELECT MAX(id) + 1, :account, 'A', :last, :employee_number FROM accounts",
    "would be open"
)]
#[case::nobody(
    "INSERT INTO accounts (id, login, status, surname) SELECT MAX(id) + 1, 'other', 'X', :user_id FROM accounts",
    "no such account"
)]
#[case::too_many(
    "INSERT INTO accounts (id, login, status, surname) SELECT id + 10, :account, 'X', :last FROM accounts",
    "changed 3 rows"
)]
#[tokio::test]
async fn a_statement_that_does_not_make_what_it_should_makes_nothing(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
    #[case] statement: &str,
    #[case] says: &str,
) {
    let (database, mut settings) = giving(server);
    settings.create = vec![one(statement)];
    let said = refusal(apply(&open(&settings), making("mzobrij", Some("00123"))).await);
    assert!(said.contains(says), "{said}");
    assert_eq!(database.query("SELECT COUNT(*) FROM accounts"), "3");
}

#[rstest]
#[tokio::test]
async fn roles_that_are_only_half_given_are_not_given_at_all(
    #[values(Postgresql, Mariadb, Sqlite)] server: SqlServer,
) {
    let (database, mut settings) = giving(server);
    database.query("INSERT INTO roles VALUES (3, 'clerk')");
    // The second role fails: too long where the server counts, or cut so that the look finds another.
    settings
        .grant
        .push(any("UPDATE roles SET role = 'other' WHERE account = :id AND role = 'nurse'"));
    let grant = granting(StableId::new("3").unwrap(), "carl", &["clerk2", "nurse"]);
    let said = refusal(apply(&open(&settings), without_number(grant)).await);
    assert!(said.contains("not as it is to be"), "{said}");
    assert_eq!(database.query("SELECT role FROM roles"), "clerk");
    assert_eq!(database.states(), "AAX");
}

#[tokio::test]
async fn a_name_that_another_has_by_now_is_not_taken() {
    let (database, settings) = giving(Sqlite);
    let system = open(&settings);
    let taken = apply(&system, without_number(renaming("2", "bob", "ann"))).await;
    assert!(refusal(taken).contains("called ann already"));
    let another = apply(&system, without_number(renaming("2", "zoe", "mznew"))).await;
    assert!(matches!(another, Ok(Outcome::Drifted(_))), "{another:?}");
    assert_eq!(database.query("SELECT login FROM accounts WHERE id = 2"), "bob");
    let early = apply(&system, granting(to_be_made("mznew"), "mznew", &[])).await;
    assert!(matches!(early, Err(Fault::Retry(_))), "{early:?}");
}

#[tokio::test]
async fn two_at_once_make_one_account() {
    let (database, settings) = giving(Postgresql);
    database.query("CREATE UNIQUE INDEX one_login ON accounts (login)");
    let (one, other) = (open(&settings), open(&settings));
    let make = making("mzobrij", Some("00123"));
    let (first, second) = tokio::join!(apply(&one, make.clone()), apply(&other, make.clone()));
    let both = [&first, &second];
    assert!(both.iter().any(|ending| matches!(ending, Ok(Outcome::Changed(_)))), "{both:?}");
    for ending in both {
        let fine =
            matches!(ending, Ok(Outcome::Changed(_) | Outcome::AlreadySo) | Err(Fault::Retry(_)));
        assert!(fine, "{both:?}");
    }
    assert_eq!(apply(&other, make).await, Ok(Outcome::AlreadySo));
    assert_eq!(database.query("SELECT COUNT(*) FROM accounts WHERE login = 'mzobrij'"), "1");
}

#[tokio::test]
async fn an_account_without_a_number_is_known_again_by_whose_step_made_it_alone() {
    let (_database, settings) = giving(Sqlite);
    let (system, make) = (open(&settings), without_number(making("mzobrij", None)));
    changed(&system, make.clone()).await;
    assert_eq!(apply(&system, make.clone()).await, Ok(Outcome::AlreadySo));
    // Whoever comes later can't tell it from a namesake's, neither for the making nor for a look at it.
    let later = open(&settings);
    assert!(refusal(apply(&later, make.clone()).await).contains("look whose it is"));
    let looked = seen(&later, make.clone()).await;
    assert!(matches!(looked, Err(Fault::Refused(_))), "{looked:?}");
    // Unless the journal has it that it was begun before: its maker died before it could say what it did.
    let after_its_death = open(&settings);
    after_its_death.perhaps_begun(make.id);
    assert_eq!(apply(&after_its_death, make.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&after_its_death, make).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn without_statements_nothing_is_offered_or_done() {
    let database = Database::start(Sqlite);
    let settings = database.settings();
    assert_eq!(settings.abilities(), [Ability::Access, Ability::DeleteAccount]);
    let refused = apply(&open(&settings), making("mzobrij", None)).await;
    assert!(refusal(refused).contains("`create`"));
}

fn without_number(mut step: lapsed_core::step::Step) -> lapsed_core::step::Step {
    step.expect.employee_number = None;
    step
}
