//! The lines between lapsed and its servers, each through a relay of its own, and what goes wrong there.

use crate::torture::stage::Stage;
use lapsed_tests::agency::random::Random;
use lapsed_tests::authority::Certificate;
use lapsed_tests::postgres::{Postgres, ROLE};
use lapsed_tests::relay::{Fault, Relay, Target};
use lapsed_tests::{Done, Failure};
use std::time::Duration;

/// The table of the system with tables; `NOTED` has each change of a row written down.
const TABLES: &str = "
    CREATE SEQUENCE ids START 100;
    CREATE TABLE accounts (id INTEGER PRIMARY KEY DEFAULT nextval('ids'), login TEXT, status TEXT,
                           surname TEXT, hr TEXT);
    CREATE TABLE effects (what TEXT);
    CREATE FUNCTION noted() RETURNS trigger AS $$ BEGIN
        IF TG_OP = 'INSERT' THEN INSERT INTO effects VALUES ('make ' || new.login);
        ELSE INSERT INTO effects VALUES (new.login || ' ' || old.status || ' to ' || new.status);
        END IF; RETURN new; END $$ LANGUAGE plpgsql;";
const NOTED: &str = "
    CREATE TRIGGER noted AFTER INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION noted()";
const ROWS: &str =
    "SELECT '(' || id || ',''' || login || ''',''' || status || ''',NULL,NULL)' FROM accounts";

/// Between lapsed and its servers.
pub struct Lines(Vec<Relay>);

impl Lines {
    /// Puts a relay in front of each server of a stage, whose system with tables moves to PostgreSQL;
    /// lapsed waits for each of them for so many seconds.
    pub fn lay(stage: &mut Stage, patience: u32) -> Done<Self> {
        move_tables(stage)?;
        let Some((tables, name)) = &stage.tables else { return Err(Failure::new("no tables")) };
        let ca = tables.tls().ok_or_else(|| Failure::new("no TLS"))?.ca.display().to_string();
        let directory = stage.slapd.url_ldaps();
        let port = directory.rsplit(':').next().and_then(|port| port.parse().ok());
        let (scim, mail) = (stage.scim.port(), stage.mail.port());
        let ports =
            [port.unwrap_or_default(), stage.dovecot.http_port(), scim, mail, tables.port()];
        let relays = ports.into_iter().map(|port| Relay::start(Target::Tcp(port)));
        let relays = relays.collect::<Done<Vec<_>>>()?;
        let at = |index: usize| relays[index].port();
        let waits = |of: &str| {
            format!("    timeouts: {{ connect_seconds: {patience}, {of}_seconds: {patience} }}\n")
        };
        let of_directory = |one: u32, other: u32| {
            format!("      connect_seconds: {one}\n      operation_seconds: {other}\n")
        };
        let of_mail = |port: u16| format!("  server: 127.0.0.1\n  port: {port}\n");
        let file = format!("    file: {}/tables.db\n", stage.site.root().display());
        let changes = [
            (directory, format!("ldaps://127.0.0.1:{}", at(0))),
            (of_directory(10, 30), of_directory(patience, patience)),
            (
                format!("    url: {}\n", stage.dovecot.url()),
                format!("    url: https://127.0.0.1:{}\n{}", at(1), waits("command")),
            ),
            (
                format!("    url: {}\n", stage.scim.url()),
                format!("    url: http://127.0.0.1:{}/v2\n{}", at(2), waits("request")),
            ),
            (of_mail(mail), of_mail(at(3))),
            ("  timeout_seconds: 10\n".into(), format!("  timeout_seconds: {patience}\n")),
            (
                format!("    server: sqlite\n{file}"),
                format!(
                    "    server: postgresql\n    host: 127.0.0.1\n    port: {}\n    database: {name}\n    \
                     user: {ROLE}\n    ca_file: {ca}\n{}",
                    at(4),
                    waits("statement")
                ),
            ),
            ("  stop_seconds: 5\n".into(), "  stop_seconds: 1\n".into()),
        ];
        let changes: Vec<_> =
            changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        stage.site.reconfigure(&changes)?;
        Ok(Self(relays))
    }

    /// Something else goes wrong on each line.
    pub fn spoil(&self, random: &mut Random) {
        for (index, relay) in self.0.iter().enumerate() {
            // SCIM goes over this machine unencrypted, and nobody would find a changed bit there.
            relay.set(some(random, index != 2));
        }
    }

    /// All lines are as they should be.
    pub fn heal(&self) {
        self.0.iter().for_each(Relay::heal);
    }

    /// How many faults have struck.
    pub fn strikes(&self) -> u64 {
        self.0.iter().map(Relay::strikes).sum()
    }
}

fn some(random: &mut Random, encrypted: bool) -> Fault {
    // Early, in the middle and late: most conversations are short.
    let most = [200, 1_500, 4_000, 12_000][random.below(4) as usize];
    let bytes = random.below(most) as usize;
    match random.below(if encrypted { 6 } else { 5 }) {
        0 => Fault::Delay(Duration::from_millis(u64::from(5 + random.below(100)))),
        1 => Fault::CutRequest(bytes),
        2 => Fault::CutReply(bytes),
        3 => Fault::Blackhole,
        4 => Fault::HalfOpen(bytes),
        _ => Fault::CorruptReply(bytes),
    }
}

fn move_tables(stage: &mut Stage) -> Done<()> {
    let rows = stage.rows(ROWS)?;
    let server = Postgres::builder().tls(Certificate::Good).start()?;
    let name = server.create_database()?;
    server.query(&name, TABLES)?;
    for row in rows.lines() {
        server.query(&name, &format!("INSERT INTO accounts VALUES {row}"))?;
    }
    server.query(&name, NOTED)?;
    stage.tables = Some((server, name));
    Ok(())
}
