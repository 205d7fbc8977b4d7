//! What people hold and by which form, and numbers that are given out once.

use super::error::Doing as _;
use super::tables::entitlements;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::access::entitlement::Entitlement;
use lapsed_core::facts::PersonId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Select};

impl Tx {
    /// Stores entitlements over what was there under the same ids.
    pub async fn save_entitlements(&self, all: &[Entitlement]) -> Result<(), StoreError> {
        let row = |held: &Entitlement| {
            Ok(entitlements::Model {
                id: held.id,
                person: held.person.0,
                system: held.system.to_string(),
                form: convert::signed(held.form),
                state: convert::word(held.state),
                ends_on: held.ends_on.map(|day| day.to_string()),
                body: convert::body("entitlement", held)?,
            })
        };
        sql::replace_all(&self.db(), "storing an entitlement", all, row).await?;
        let people: Vec<PersonId> = all.iter().map(|held| held.person).collect();
        self.look_at_access_of(&people).await
    }

    /// The person's number of a kind; the smallest free one of a range is given where they have none, and
    /// `None` where the range is used up. `taken` are those that targets show. One that was given is never
    /// given to another.
    pub async fn reserve_number(
        &self,
        kind: &str,
        person: PersonId,
        range: (u32, u32),
        taken: &std::collections::BTreeSet<u32>,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let doing = "reserving a number";
        let sql = "SELECT value, person FROM reserved_numbers WHERE kind = $1";
        let mut given = taken.clone();
        for row in sql::all(&self.db(), doing, sql, vec![kind.into()]).await? {
            let value: i64 = row.try_get("", "value").doing(doing)?;
            let owner: uuid::Uuid = row.try_get("", "person").doing(doing)?;
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            if owner == person.0 {
                return Ok(Some(value));
            }
            given.insert(value);
        }
        let Some(free) = (range.0..=range.1).find(|value| !given.contains(value)) else {
            return Ok(None);
        };
        let sql = "INSERT INTO reserved_numbers (kind, value, person, at) VALUES ($1, $2, $3, $4)";
        let values =
            vec![kind.into(), i64::from(free).into(), person.0.into(), convert::micros(now).into()];
        sql::run(&self.db(), doing, sql, values).await?;
        Ok(Some(free))
    }
}

impl Reader<'_> {
    /// All entitlements of some people, ended ones too.
    pub async fn entitlements_of(
        &self,
        people: &[PersonId],
    ) -> Result<Vec<Entitlement>, StoreError> {
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let theirs = entitlements::Column::Person.is_in(some.iter().map(|id| id.0));
            found.extend(self.entitlements_in(entitlements::Entity::find().filter(theirs)).await?);
        }
        Ok(found)
    }

    /// Everybody's, those that are over too.
    pub async fn all_entitlements(&self) -> Result<Vec<Entitlement>, StoreError> {
        self.entitlements_in(entitlements::Entity::find()).await
    }

    /// Everybody's that are not over.
    pub async fn standing_entitlements(&self) -> Result<Vec<Entitlement>, StoreError> {
        let stands = entitlements::Column::State.ne("ended");
        self.entitlements_in(entitlements::Entity::find().filter(stands)).await
    }

    /// Temporary ones that are not over and whose last day lies before a day.
    pub async fn entitlements_past(&self, today: Date) -> Result<Vec<Entitlement>, StoreError> {
        let query = entitlements::Entity::find()
            .filter(entitlements::Column::State.is_in(["approved", "in_place"]))
            .filter(entitlements::Column::EndsOn.lt(today.to_string()));
        self.entitlements_in(query).await
    }

    async fn entitlements_in(
        &self,
        query: Select<entitlements::Entity>,
    ) -> Result<Vec<Entitlement>, StoreError> {
        let rows = query
            .order_by_asc(entitlements::Column::Person)
            .order_by_asc(entitlements::Column::Id)
            .all(&self.db)
            .await
            .doing("reading entitlements")?;
        rows.iter().map(|row| convert::from_body("entitlement", &row.body)).collect()
    }
}
