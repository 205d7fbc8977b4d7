//! A copy of the state that may be written at will: `plan` and `simulate` run the daemon's own code on
//! it and change nothing.

use super::connect::Store;
use super::error::Doing as _;
use super::sql::{self, ModelOf};
use super::{StoreError, tables};
use futures_util::TryStreamExt as _;
use sea_orm::{
    AccessMode, DatabaseTransaction, EntityTrait, IntoActiveModel, IsolationLevel,
    TransactionOptions, TransactionTrait as _,
};

impl Store {
    /// Copies everything but the audit and the outbox into a temporary SQLite database, as of one moment.
    pub async fn scratch(&self) -> Result<Store, StoreError> {
        let copy = Store::empty_scratch().await?;
        // Reads only: on SQLite a plain transaction is a snapshot, PostgreSQL has to be asked.
        let postgres = self.backend() == sea_orm::DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: None,
        };
        let from = self.inner.db.begin_with_options(options).await.doing(COPYING)?;
        let to = copy.begin_immediate().await?;
        // Those that others refer to come first.
        copy_table::<tables::people::Model>(&from, &to).await?;
        copy_table::<tables::person_keys::Model>(&from, &to).await?;
        copy_table::<tables::statement_digests::Model>(&from, &to).await?;
        copy_table::<tables::drops::Model>(&from, &to).await?;
        copy_table::<tables::cases::Model>(&from, &to).await?;
        copy_table::<tables::plans::Model>(&from, &to).await?;
        copy_table::<tables::steps::Model>(&from, &to).await?;
        copy_table::<tables::holds::Model>(&from, &to).await?;
        copy_table::<tables::set_asides::Model>(&from, &to).await?;
        copy_table::<tables::user_ids::Model>(&from, &to).await?;
        copy_table::<tables::settings::Model>(&from, &to).await?;
        copy_table::<tables::to_decide::Model>(&from, &to).await?;
        copy_table::<tables::population_holds::Model>(&from, &to).await?;
        copy_table::<tables::person_facts::Model>(&from, &to).await?;
        copy_table::<tables::wishes::Model>(&from, &to).await?;
        copy_table::<tables::access_forms::Model>(&from, &to).await?;
        copy_table::<tables::form_decisions::Model>(&from, &to).await?;
        copy_table::<tables::absences::Model>(&from, &to).await?;
        copy_table::<tables::gates_passed::Model>(&from, &to).await?;
        copy_table::<tables::entitlements::Model>(&from, &to).await?;
        copy_table::<tables::suspensions::Model>(&from, &to).await?;
        copy_table::<tables::access_findings::Model>(&from, &to).await?;
        to.commit().await.doing(COPYING)?;
        from.rollback().await.doing(COPYING)?;
        Ok(copy)
    }
}

const COPYING: &str = "copying the state";

/// Rows in memory at once.
const AT_ONCE: usize = 2_000;

async fn copy_table<M>(
    from: &DatabaseTransaction,
    to: &DatabaseTransaction,
) -> Result<(), StoreError>
where
    M: ModelOf + IntoActiveModel<<<M as ModelOf>::Entity as EntityTrait>::ActiveModel> + Send,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    let rows = M::Entity::find().stream(from).await.doing(COPYING)?;
    let mut chunks = rows.try_chunks(AT_ONCE);
    while let Some(chunk) = chunks.try_next().await.map_err(|error| error.1).doing(COPYING)? {
        sql::put_all(&to.into(), COPYING, chunk, None).await?;
    }
    Ok(())
}
