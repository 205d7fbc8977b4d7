//! The store's suite on PostgreSQL; on SQLite it runs with the daemon's unit tests.

mod membership;

use lapsed::store::DatabaseSettings;
use lapsed_tests::postgres::Postgres;

// One suite for both: a copy would drift, and a library of it would have to ship with the daemon.
#[path = "../../../daemon/src/store/suite/mod.rs"]
mod suite;

struct Place {
    _server: Postgres,
    settings: DatabaseSettings,
}

impl Place {
    fn settings(&self) -> &DatabaseSettings {
        &self.settings
    }
}

async fn place() -> Result<Place, lapsed_tests::Failure> {
    let server = Postgres::builder().start()?;
    let url = server.url(&server.create_database()?);
    let settings = DatabaseSettings { url, password_file: None, max_connections: 8 };
    Ok(Place { _server: server, settings })
}

crate::store_suite!(crate::store::suite, crate::store::place);
