//! From HR's drop to revoked access: a row in MariaDB and an account behind a program, through the whole
//! daemon.

use jiff::civil::{Date, date};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::authority::Certificate;
use lapsed_tests::mariadb::{self, MariaDb};
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);

fn site(slapd: &Slapd, maria: &MariaDb) -> Done<Site> {
    let mut site = Site::beside(&DirectoryAt::openldap(slapd))?;
    let program = site.path("mainframe");
    fs::write(&program, include_str!("mainframe.py"))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let columns = "id, login AS user_id, status = 'A' AS enabled, surname AS last_name";
    let connectors = format!(
        "  jcfs:\n    kind: sql\n    server: mariadb\n    host: 127.0.0.1\n    port: {}\n    \
         database: {}\n    user: {}\n    password_file: {}\n    ca_file: {}\n    \
         find: SELECT {columns} FROM accounts WHERE login = :account OR id = :id\n    \
         list: SELECT {columns} FROM accounts\n    \
         revoke: {{ statement: \"UPDATE accounts SET status = 'X' WHERE id = :id\" }}\n  \
         mainframe:\n    kind: command\n    program: {}\n    arguments: [\"{}\"]\n    \
         operations: [observe, list, revoke, look, probe]\n    mainframe: true\n    \
         in_process: true\n",
        maria.port(),
        mariadb::DATABASE,
        mariadb::USER,
        maria.password_file().display(),
        maria.tls().ca.display(),
        program.display(),
        site.path("accounts").display(),
    );
    let before = "  # A second directory: Active Directory.\n";
    site.reconfigure(&[(before, &format!("{connectors}{before}"))])?;
    site.set_clock(&format!("{DAY} 09:00:00"));
    Ok(site)
}

#[test]
fn a_leavers_row_and_mainframe_account_are_revoked_and_read_back() {
    let agency = Agency::new(320, 7);
    let leavers = agency.ordinary_leavers(2);
    let ids: Vec<&str> = leavers.iter().map(|at| agency.people[*at].user_id().unwrap()).collect();
    let [gone, stays] = ids[..] else { panic!("{ids:?}") };
    let slapd =
        Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start().unwrap();
    let maria = MariaDb::start(Certificate::Good).unwrap();
    let table = "CREATE TABLE accounts (id INT PRIMARY KEY, login VARCHAR(20), status CHAR(1), \
                 surname VARCHAR(40))";
    maria.query(mariadb::DATABASE, table).unwrap();
    let rows =
        format!("INSERT INTO accounts VALUES (7, '{gone}', 'A', NULL), (8, '{stays}', 'A', NULL)");
    maria.query(mariadb::DATABASE, &rows).unwrap();

    let mut site = site(&slapd, &maria).unwrap();
    let accounts = json!([
        {"id": "M1", "user_id": gone.to_uppercase(), "enabled": true},
        {"id": "M2", "user_id": stays.to_uppercase(), "enabled": true},
    ]);
    fs::write(site.path("accounts"), accounts.to_string()).unwrap();
    let checked = site.printed(&["check"]).unwrap();
    assert!(
        checked.contains("MariaDB jcfs") && checked.contains("the file with the accounts"),
        "{checked}"
    );

    site.start().unwrap();
    let yesterday = DAY.yesterday().unwrap();
    let first = agency.to_hr_csv(&HrOptions::full(yesterday, 1, vec![]));
    fs::write(site.path("first.csv"), first).unwrap();
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).unwrap();
    let departures = vec![Departure::on(leavers[0], yesterday)];
    site.drop_file("hr-2.csv", agency.to_hr_csv(&HrOptions::full(DAY, 2, departures))).unwrap();

    let states = "SELECT GROUP_CONCAT(status ORDER BY id) FROM accounts";
    site.wait_for("both systems have ended the leaver's access", || {
        let mainframe = fs::read_to_string(site.path("accounts"))?;
        let rows = maria.query(mariadb::DATABASE, states)?;
        Ok(rows == "X,A" && mainframe.matches("\"enabled\": false").count() == 1)
    })
    .unwrap();
    let revoked = || {
        let person = site.json(&["person", gone])?;
        let cases = person["cases"].as_array().into_iter().flatten();
        let steps = cases.flat_map(|case| case["steps"].as_array().into_iter().flatten());
        let revoked = steps.filter(|step| {
            let is = |key: &str, wanted: &str| {
                step[key].as_str().is_some_and(|text| text.contains(wanted))
            };
            is("what", "revoke access of") && is("state", "verified") && is("clause", "D4")
        });
        Ok(revoked.count() == 2)
    };
    site.wait_for("both are read back", revoked).unwrap();
    let shown = site.printed(&["person", gone]).unwrap();
    for word in ["jcfs", "mainframe", "D4"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let asked = fs::read_to_string(site.path("accounts.log")).unwrap();
    assert_eq!(asked.lines().filter(|line| *line == "revoke").count(), 1, "{asked}");
}
