//! A look into the state database while the daemon uses it, or after it was killed.

use lapsed_tests::site::Site;
use lapsed_tests::{Done, Failure};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Reads the journal of a site; changes nothing.
pub struct Journal {
    runtime: Runtime,
    pool: SqlitePool,
}

impl Journal {
    pub fn of(site: &Site) -> Done<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let options = SqliteConnectOptions::new()
            .filename(site.path("state.db"))
            .pragma("query_only", "ON")
            .busy_timeout(Duration::from_secs(20));
        let pool = runtime
            .block_on(SqlitePoolOptions::new().max_connections(1).connect_with(options))
            .map_err(failed)?;
        Ok(Self { runtime, pool })
    }

    /// How many steps satisfy a condition in SQL.
    pub fn count(&self, condition: &'static str) -> Done<u64> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM steps WHERE {condition}"));
        let count: i64 =
            self.runtime.block_on(sqlx::query_scalar(sql).fetch_one(&self.pool)).map_err(failed)?;
        Ok(count.unsigned_abs())
    }

    /// How many steps are in each state.
    pub fn states(&self) -> Done<Vec<(String, i64)>> {
        let sql = "SELECT state, COUNT(*) FROM steps GROUP BY state ORDER BY state";
        self.runtime.block_on(sqlx::query_as(sql).fetch_all(&self.pool)).map_err(failed)
    }

    /// States of the steps by action, for messages.
    pub fn actions(&self) -> Done<Vec<(String, String, i64)>> {
        let sql = "SELECT action, state, COUNT(*) FROM steps GROUP BY action, state ORDER BY 1, 2";
        self.runtime.block_on(sqlx::query_as(sql).fetch_all(&self.pool)).map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> Failure {
    Failure::new(format!("the state database: {error}"))
}
