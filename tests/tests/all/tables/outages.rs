//! Servers that are away, slow, locked or not who they say they are.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::sql::SqlServer::{self, Mariadb, Postgresql};
use lapsed_connectors::sql::SqlSettings;
use lapsed_core::step::{Fault, Seen};
use lapsed_tests::authority::Certificate;
use lapsed_tests::mariadb::PASSWORD;
use lapsed_tests::relay::{Relay, Target};
use rstest::rstest;
use std::time::{Duration, Instant};

#[tokio::test]
async fn with_a_wrong_password_the_step_waits_and_no_word_of_it_is_told() {
    let database = Database::start(Mariadb);
    let mut settings = database.settings();
    let Database::Maria(maria) = &database else { panic!("another server") };
    settings.password_file = Some(maria.wrong_password_file());
    let system = open(&settings);
    let ending = apply(&system, revocation("1", "ann")).await;
    let shown = format!("{ending:?}{system:?}");
    assert!(passing(ending).contains("MariaDB 1045"), "{shown}");
    assert!(!shown.contains("not-the-password") && !shown.contains(PASSWORD), "{shown}");
    assert!(system.probe().await[0].problem.as_ref().unwrap().contains("user, password"));
}

#[tokio::test]
async fn a_role_that_the_server_does_not_know_waits() {
    let database = Database::start(Postgresql);
    let mut settings = database.settings();
    settings.user = Some("stranger".into());
    let said = passing(apply(&open(&settings), revocation("1", "ann")).await);
    assert!(said.contains("does not let us in"), "{said}");
}

#[rstest]
#[case::unknown_authority(Certificate::Good, "unknown authority")]
#[case::another_host(Certificate::WrongHost, "for another host")]
#[case::expired(Certificate::Expired, "expired")]
#[tokio::test]
async fn a_server_with_a_wrong_certificate_gets_no_password(
    #[values(Postgresql, Mariadb)] server: SqlServer,
    #[case] certificate: Certificate,
    #[case] says: &str,
) {
    let database = match server {
        Postgresql => Database::postgres(Some(certificate)),
        _ => Database::maria(certificate),
    };
    let mut settings = database.settings();
    if certificate == Certificate::Good {
        changed(&open(&settings), revocation("2", "bob")).await;
        settings.ca_file = Some(database.other_ca());
    }
    let said = passing(apply(&open(&settings), revocation("1", "ann")).await);
    assert!(said.contains(says), "{said}");
    assert!(database.states().starts_with('A'));
}

#[rstest]
#[tokio::test]
async fn a_server_that_is_down_or_silent_is_waited_for(
    #[values(Postgresql, Mariadb)] server: SqlServer,
) {
    let mut database = Database::start(server);
    let relay = Relay::start(Target::Tcp(database.port())).unwrap();
    let mut settings = database.settings();
    settings.port = Some(relay.port());
    settings.timeouts.connect_seconds = 1;
    relay.stall();
    let started = Instant::now();
    let said = passing(apply(&open(&settings), revocation("1", "ann")).await);
    assert!(said.contains("within 1 s"), "{said}");
    assert!(started.elapsed() < Duration::from_secs(10));
    database.kill();
    let direct = SqlSettings { port: Some(database.port()), ..settings };
    let said = passing(apply(&open(&direct), revocation("1", "ann")).await);
    assert!(said.contains("can't be reached"), "{said}");
}

/// A session of somebody else that holds a lock on ann's row as long as it is open.
fn locked(database: &Database) -> std::process::Child {
    use lapsed_tests::process::{find_program, plain_command};
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let mut client = match database {
        Database::Postgres(postgres, name) => {
            let mut psql = plain_command(find_program("psql", &[]).unwrap());
            psql.args(["-X", "-A", "-t", "-q"]).arg(postgres.url(name));
            psql
        }
        Database::Maria(maria) => {
            let mut client = plain_command(find_program("mariadb", &[]).unwrap());
            let socket = format!("--socket={}", maria.socket().display());
            client.args(["--no-defaults", &socket, "-uroot", "-N", "-B", "--unbuffered", "jcfs"]);
            client
        }
        Database::Sqlite(_) => panic!("not for a file"),
    };
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let words = "BEGIN;\nSELECT surname FROM accounts WHERE id = 1 FOR UPDATE;\n";
    client.stdin.as_mut().unwrap().write_all(words.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "Archer", "the lock is held");
    client
}

#[rstest]
#[tokio::test]
async fn a_row_that_somebody_else_has_locked_is_tried_again(
    #[values(Postgresql, Mariadb)] server: SqlServer,
) {
    let database = Database::start(server);
    let mut holder = locked(&database);
    let mut settings = database.settings();
    settings.timeouts.statement_seconds = 1;
    let said = passing(apply(&open(&settings), revocation("1", "ann")).await);
    let codes = ["PostgreSQL 55P03", "PostgreSQL 57014", "MariaDB 1205", "MariaDB 1969"];
    assert!(codes.iter().any(|code| said.contains(code)), "{said}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    changed(&open(&settings), revocation("1", "ann")).await;
    assert_eq!(database.states(), "XAX");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_mid_statement_has_done_nothing(
    #[values(Postgresql, Mariadb)] server: SqlServer,
) {
    let mut database = Database::start(server);
    let mut holder = locked(&database);
    let settings = database.settings();
    let under_way =
        tokio::spawn(async move { apply(&open(&settings), revocation("1", "ann")).await });
    let waits = match server {
        Postgresql => "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        _ => "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    };
    lapsed_tests::process::wait_until(Duration::from_secs(20), || {
        let seen = database.query(waits) != "0";
        // InnoDB reads this view anew only when nobody has asked for a tenth of a second.
        std::thread::sleep(Duration::from_millis(150));
        Ok(seen)
    })
    .unwrap();
    database.kill();
    let ending = under_way.await.unwrap();
    assert!(matches!(ending, Err(Fault::Retry(_))), "{ending:?}");
    let _ = holder.kill();
    let _ = holder.wait();
    match &mut database {
        Database::Postgres(postgres, _) => postgres.start().unwrap(),
        Database::Maria(maria) => maria.resume().unwrap(),
        Database::Sqlite(_) => {}
    }
    assert_eq!(database.states(), "AAX");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_commit_nobody_knows_and_the_next_look_tells() {
    let mut database = Database::start(Postgresql);
    // The commit itself hangs: a deferred trigger runs in it.
    database.query(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON accounts \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()",
    );
    let settings = database.settings();
    let direct = settings.clone();
    let under_way =
        tokio::spawn(async move { apply(&open(&direct), revocation("1", "ann")).await });
    let commits =
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'";
    lapsed_tests::process::wait_until(Duration::from_secs(20), || {
        Ok(database.query(commits) == "1")
    })
    .unwrap();
    database.kill();
    let ending = under_way.await.unwrap();
    assert!(matches!(ending, Err(Fault::Unknown(_))), "{ending:?}");
    let Database::Postgres(postgres, _) = &mut database else { panic!("another server") };
    postgres.start().unwrap();
    database.query("DROP TRIGGER linger ON accounts");
    let system = open(&settings);
    assert!(matches!(seen(&system, revocation("1", "ann")).await, Ok(Seen::Otherwise(_))));
    changed(&system, revocation("1", "ann")).await;
    assert_eq!(database.states(), "XAX");
}

#[tokio::test]
async fn a_rule_of_the_database_that_forbids_the_change_is_a_refusal() {
    for server in [Postgresql, Mariadb, SqlServer::Sqlite] {
        let database = Database::start(server);
        database.query("CREATE TABLE badges (owner INTEGER UNIQUE, account INTEGER)");
        database.query("INSERT INTO badges VALUES (1, 1)");
        let mut settings = database.settings();
        settings.revoke = change("INSERT INTO badges SELECT 1, id FROM accounts WHERE id = :id");
        let said = refusal(apply(&open(&settings), revocation("1", "ann")).await);
        assert!(said.contains("the server refused"), "{said}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_or_is_no_database_changes_nothing() {
    let mut database = Database::start(SqlServer::Sqlite);
    let settings = database.settings();
    database.kill();
    passing(apply(&open(&settings), revocation("1", "ann")).await);
    let file = settings.file.as_ref().unwrap();
    assert!(!file.exists(), "none was made");
    std::fs::write(
        file,
        "this is no database, but a text of more than one hundred bytes ".repeat(9),
    )
    .unwrap();
    let ending = apply(&open(&settings), revocation("1", "ann")).await;
    assert!(matches!(ending, Err(Fault::Refused(_) | Fault::Retry(_))), "{ending:?}");
}
