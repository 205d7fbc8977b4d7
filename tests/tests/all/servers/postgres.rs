use lapsed_tests::postgres::Postgres;

#[test]
fn postgresql_starts_answers_its_witness_and_stops() {
    let mut postgres = Postgres::builder().start().unwrap();
    let (one, two) = (postgres.create_database().unwrap(), postgres.create_database().unwrap());
    assert_ne!(one, two);
    postgres.query(&one, "CREATE TABLE t (n int); INSERT INTO t VALUES (7), (8)").unwrap();
    assert_eq!(postgres.query(&one, "SELECT n, n * 2 FROM t ORDER BY n").unwrap(), "7|14\n8|16");
    postgres.stop().unwrap();
    assert!(postgres.query(&one, "SELECT 1").is_err());
}

#[test]
fn what_was_committed_outlives_a_crash() {
    let mut postgres = Postgres::builder().fsync().start().unwrap();
    let database = postgres.create_database().unwrap();
    postgres.query(&database, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    postgres.kill().unwrap();
    postgres.start().unwrap();
    assert_eq!(postgres.query(&database, "SELECT n FROM t").unwrap(), "7");
    assert_eq!(postgres.query(&database, "SHOW fsync").unwrap(), "on");
}
