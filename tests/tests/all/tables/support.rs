//! What the tests of systems with tables share.

use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::sql::{self, SqlChange, SqlKind, SqlServer, SqlSettings, SqlTimeouts};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, StableId, UserId};
use lapsed_core::observed::{ObservedAccount, PersonKeys, Scope};
use lapsed_core::step::{Action, Due, Expect, Fault, Outcome, Receipt, Seen, Step, Target};
use lapsed_tests::authority::Certificate;
use lapsed_tests::mariadb::{self, MariaDb};
use lapsed_tests::postgres::{Postgres, ROLE};
use lapsed_tests::process::{find_program, plain_command, run};
use std::path::PathBuf;
use uuid::Uuid;

/// A database with accounts of ann (id 1, number 100001), bob (id 2) and carl (id 3, shut already).
pub enum Database {
    Postgres(Postgres, String),
    Maria(MariaDb),
    Sqlite(tempfile::TempDir),
}

const ROWS: &str = "INSERT INTO accounts VALUES (1, 'ann', 'A', 'Archer', '100001'), \
                    (2, 'bob', 'A', 'Baker', '100002'), (3, 'carl', 'X', 'Carver', NULL)";
const LAST: &str = "(login VARCHAR(20), status CHAR(1), surname VARCHAR(40), hr VARCHAR(10))";

impl Database {
    pub fn start(server: SqlServer) -> Self {
        match server {
            SqlServer::Postgresql => Self::postgres(None),
            SqlServer::Mariadb | SqlServer::Mysql => Self::maria(Certificate::Good),
            SqlServer::Sqlite => {
                Self::Sqlite(tempfile::tempdir().unwrap()).filled("id INTEGER PRIMARY KEY")
            }
        }
    }

    pub fn postgres(certificate: Option<Certificate>) -> Self {
        let builder = Postgres::builder();
        let builder = certificate.into_iter().fold(builder, |builder, kind| builder.tls(kind));
        let postgres = builder.start().unwrap();
        let name = postgres.create_database().unwrap();
        Self::Postgres(postgres, name).filled("id INTEGER PRIMARY KEY")
    }

    pub fn maria(certificate: Certificate) -> Self {
        Self::Maria(MariaDb::start(certificate).unwrap()).filled("id INT UNSIGNED PRIMARY KEY")
    }

    fn filled(self, id: &str) -> Self {
        let columns = LAST.replacen('(', &format!("({id}, "), 1);
        self.query(&format!("CREATE TABLE accounts {columns}"));
        self.query(ROWS);
        self
    }

    /// What the database's own client says.
    pub fn query(&self, sql: &str) -> String {
        match self {
            Self::Postgres(postgres, name) => postgres.query(name, sql).unwrap(),
            Self::Maria(maria) => maria.query(mariadb::DATABASE, sql).unwrap(),
            Self::Sqlite(folder) => {
                let mut client = plain_command(find_program("sqlite3", &[]).unwrap());
                let output = run(client.arg(folder.path().join("db")).arg(sql)).unwrap();
                String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
            }
        }
    }

    /// The letters in the column `status`, in the order of the ids.
    pub fn states(&self) -> String {
        self.query("SELECT status FROM accounts ORDER BY id").split_whitespace().collect()
    }

    pub fn settings(&self) -> SqlSettings {
        let mut settings = SqlSettings {
            kind: SqlKind::Sql,
            server: SqlServer::Sqlite,
            host: Some("127.0.0.1".into()),
            port: None,
            socket: None,
            database: None,
            file: None,
            user: None,
            password_file: None,
            password_credential: None,
            ca_file: None,
            account: "{{ user_id }}".into(),
            find: "SELECT id, login AS user_id, status = 'A' AS enabled, surname AS last_name, \
                   hr AS employee_number FROM accounts \
                   WHERE login = :account OR hr = :employee_number OR id = :id"
                .into(),
            list: Some(
                "SELECT id, login AS user_id, status = 'A' AS enabled FROM accounts ORDER BY id"
                    .into(),
            ),
            look: None,
            revoke: change("UPDATE accounts SET status = 'X' WHERE id = :id AND login = :account"),
            delete: Some(change("DELETE FROM accounts WHERE id = :id")),
            create: Vec::new(),
            grant: Vec::new(),
            rename: Vec::new(),
            last_use: None,
            timeouts: SqlTimeouts { connect_seconds: 5, statement_seconds: 20 },
        };
        match self {
            Self::Postgres(postgres, name) => {
                settings.server = SqlServer::Postgresql;
                settings.port = Some(postgres.port());
                settings.database = Some(name.clone());
                settings.user = Some(ROLE.into());
                settings.ca_file = postgres.tls().map(|tls| tls.ca.clone());
            }
            Self::Maria(maria) => {
                settings.server = SqlServer::Mariadb;
                settings.port = Some(maria.port());
                settings.database = Some(mariadb::DATABASE.into());
                settings.user = Some(mariadb::USER.into());
                settings.password_file = Some(maria.password_file());
                settings.ca_file = Some(maria.tls().ca.clone());
            }
            Self::Sqlite(folder) => {
                settings.host = None;
                settings.file = Some(folder.path().join("db"));
            }
        }
        settings
    }

    pub fn other_ca(&self) -> PathBuf {
        match self {
            Self::Postgres(postgres, _) => postgres.tls().unwrap().other_ca.clone(),
            Self::Maria(maria) => maria.tls().other_ca.clone(),
            Self::Sqlite(_) => panic!("a file has no authority"),
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Postgres(postgres, _) => postgres.port(),
            Self::Maria(maria) => maria.port(),
            Self::Sqlite(_) => panic!("a file has no port"),
        }
    }

    pub fn kill(&mut self) {
        match self {
            Self::Postgres(postgres, _) => postgres.kill().unwrap(),
            Self::Maria(maria) => maria.kill().unwrap(),
            Self::Sqlite(folder) => std::fs::remove_file(folder.path().join("db")).unwrap(),
        }
    }
}

pub fn change(statement: &str) -> SqlChange {
    SqlChange { statement: statement.into(), rows: 1 }
}

pub fn open(settings: &SqlSettings) -> sql::Sql {
    sql::connect(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn step(id: &str, user_id: &str, action: fn(Target) -> Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, user_id.as_bytes()));
    let account = Target { id: StableId::new(id).unwrap(), label: user_id.into() };
    let expect = Expect { user_id: UserId::new(user_id).unwrap(), employee_number: None };
    let (case, name) = (CaseId::departure(person, 0), ConnectorName::new("jcfs").unwrap());
    Step::new(case, person, name, action(account), expect, Due::AtOnce, Rule::D4)
}

pub fn revocation(id: &str, user_id: &str) -> Step {
    step(id, user_id, |account| Action::RevokeAccess { account })
}

pub fn deletion(id: &str, user_id: &str) -> Step {
    step(id, user_id, |account| Action::DeleteAccount { account })
}

pub async fn apply(system: &dyn Apply, step: Step) -> Result<Outcome, Fault> {
    let mut endings = system.apply(&[step]).await;
    assert_eq!(endings.len(), 1, "one ending a step");
    endings.remove(0)
}

pub async fn changed(system: &dyn Apply, step: Step) -> Receipt {
    match apply(system, step).await {
        Ok(Outcome::Changed(receipt)) => receipt,
        other => panic!("{other:?}"),
    }
}

pub async fn seen(system: &dyn Apply, step: Step) -> Result<Seen, Fault> {
    system.read_back(&[step]).await.remove(0)
}

/// Accounts found for one person by a user ID and a number.
pub async fn found(
    system: &dyn Observe,
    user_id: Option<&str>,
    number: Option<&str>,
) -> Result<Vec<ObservedAccount>, Fault> {
    let keys = PersonKeys {
        employee_numbers: number.map(|n| EmployeeNumber::new(n).unwrap()).into_iter().collect(),
        user_ids: user_id.map(|id| UserId::new(id).unwrap()).into_iter().collect(),
        ids: Vec::new(),
        homes: Vec::new(),
    };
    Ok(system.observe(&Scope::People(vec![keys])).await?.accounts)
}

/// The sentence of a refusal.
pub fn refusal<T: std::fmt::Debug>(ending: Result<T, Fault>) -> String {
    match ending {
        Err(Fault::Refused(cause)) => cause.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The sentence of what will be tried again.
pub fn passing<T: std::fmt::Debug>(ending: Result<T, Fault>) -> String {
    match ending {
        Err(Fault::Retry(cause)) => cause.to_string(),
        other => panic!("{other:?}"),
    }
}
