//! What sea-orm lacks for us: many rows in one statement, within the limits of both databases.

use super::error::Doing as _;
use super::{StoreError, convert};
use jiff::Timestamp;
use lapsed_core::facts::PersonId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseExecutor, EntityTrait, IdenStatic, IntoActiveModel,
    Iterable as _, PrimaryKeyToColumn, QueryResult, Statement, Value,
};

/// Values bound in one statement. SQLite would take 32,766, but looks for the name of each among all of them:
/// that is quadratic.
const MOST_BOUND: usize = 600;

/// How many rows of so many columns go into one statement.
pub(super) fn rows_at_once(columns: usize) -> usize {
    (MOST_BOUND / columns.max(1)).max(1)
}

/// Inserts all rows; `conflict` says what becomes of those that are there already.
pub(super) async fn put_all<M>(
    db: &DatabaseExecutor<'_>,
    doing: &'static str,
    rows: Vec<M>,
    conflict: Option<OnConflict>,
) -> Result<(), StoreError>
where
    M: IntoActiveModel<<<M as ModelOf>::Entity as EntityTrait>::ActiveModel> + ModelOf,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    let most = rows_at_once(<M::Entity as EntityTrait>::Column::iter().count());
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<_> =
            rows.by_ref().take(most).map(|row| row.into_active_model().reset_all()).collect();
        let mut insert = M::Entity::insert_many(chunk);
        if let Some(conflict) = &conflict {
            insert = insert.on_conflict(conflict.clone());
        }
        insert.exec_without_returning(db).await.doing(doing)?;
    }
    Ok(())
}

/// Stores all of what is given as rows, each over the one with the same primary key.
pub(super) async fn replace_all<T, M>(
    db: &DatabaseExecutor<'_>,
    doing: &'static str,
    all: &[T],
    row: impl Fn(&T) -> Result<M, StoreError>,
) -> Result<(), StoreError>
where
    M: IntoActiveModel<<<M as ModelOf>::Entity as EntityTrait>::ActiveModel> + ModelOf,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    let rows = all.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    put_all(db, doing, rows, Some(replace::<M::Entity>())).await
}

/// The entity of a row type.
pub(super) trait ModelOf {
    type Entity: EntityTrait<Model = Self>;
}

macro_rules! model_of {
    ($($table:ident),+ $(,)?) => {
        $(impl ModelOf for super::tables::$table::Model {
            type Entity = super::tables::$table::Entity;
        })+
    };
}
model_of!(
    people,
    person_keys,
    statement_digests,
    drops,
    cases,
    plans,
    steps,
    holds,
    set_asides,
    tickets,
    user_ids,
    settings,
    to_decide,
    notices,
    person_facts,
    population_holds,
    wishes,
    order_forms,
    audit,
    documents,
    access_forms,
    form_decisions,
    absences,
    gates_passed,
    entitlements,
    suspensions,
    access_findings,
);

/// A row with the same primary key takes the new values.
pub(super) fn replace<E: EntityTrait>() -> OnConflict {
    let keys = key_columns::<E>();
    let names: Vec<&str> = keys.iter().map(IdenStatic::as_str).collect();
    let others: Vec<_> = E::Column::iter().filter(|c| !names.contains(&c.as_str())).collect();
    OnConflict::columns(keys).update_columns(others).to_owned()
}

/// A row with the same primary key stays, but for what the caller adds.
pub(super) fn keep<E: EntityTrait>() -> OnConflict {
    OnConflict::columns(key_columns::<E>())
}

fn key_columns<E: EntityTrait>() -> Vec<E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect()
}

/// `$3, $4, $5`: both databases read numbered placeholders.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// `($1, $2), ($3, $4)`.
pub(super) fn value_rows(first: usize, columns: usize, rows: usize) -> String {
    (0..rows)
        .map(|row| format!("({})", placeholders(first + row * columns, columns)))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) async fn all(
    db: &DatabaseExecutor<'_>,
    doing: &'static str,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await.doing(doing)
}

/// Runs a statement that marks rows of some people with a moment: its first value is the moment, and it
/// ends with the column that the people are looked for in.
pub(super) async fn mark_people(
    db: &DatabaseExecutor<'_>,
    doing: &'static str,
    sql: &str,
    at: Timestamp,
    people: &[PersonId],
) -> Result<(), StoreError> {
    for some in people.chunks(rows_at_once(1)) {
        let sql = format!("{sql} IN ({})", placeholders(2, some.len()));
        let values = std::iter::once(convert::micros(at).into());
        let values = values.chain(some.iter().map(|id| id.0.into())).collect();
        run(db, doing, &sql, values).await?;
    }
    Ok(())
}

/// Runs a statement; gives the number of rows that it changed.
pub(super) async fn run(
    db: &DatabaseExecutor<'_>,
    doing: &'static str,
    sql: &str,
    values: Vec<Value>,
) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await.doing(doing)?.rows_affected())
}
