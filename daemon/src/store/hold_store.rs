//! Holds, and what was set aside for a person to look at.

use super::error::Doing as _;
use super::tables::{holds, person_facts, population_holds, set_asides};
use super::tx::{advisory, lock};
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{PersonId, SourceName};
use lapsed_core::holds::{Held, Hold, Population};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A row or a person that could not be used, until someone settles it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Its id.
    pub id: Uuid,
    /// The drop that it came with.
    pub drop: Option<Uuid>,
    /// The feed.
    pub source: SourceName,
    /// The drop's file.
    pub file_name: String,
    /// Line in it, from 1.
    pub line: Option<u64>,
    /// Why, and what to do.
    pub reason: String,
    /// Whom it is about, no more than needed: a user ID or an employee number (P2).
    pub who: Option<String>,
    /// When it was set aside.
    pub at: Timestamp,
    /// When it was settled, if it was.
    pub settled_at: Option<Timestamp>,
}

impl Tx {
    /// Stores a hold; the same people, moment and authority is the same hold, so that one with
    /// `lifted_at` lifts it. No deletion of theirs is claimed once this has committed.
    pub async fn save_hold(&self, hold: &Hold) -> Result<(), StoreError> {
        self.wait_for_claims().await?;
        let placed_at = convert::micros(hold.placed_at);
        let lifted_at = hold.lifted_at.map(convert::micros);
        let review_on = hold.review_on.map(|date| date.to_string());
        let body = convert::body("hold", hold)?;
        let name = format!("hold {placed_at} {}", hold.authority);
        let (db, doing) = (self.db(), "storing a hold");
        match &hold.of {
            Held::Person(person) => {
                let id = Uuid::new_v5(&person.0, name.as_bytes());
                let person = person.0;
                let row = holds::Model { id, person, placed_at, lifted_at, review_on, body };
                sql::put_all(&db, doing, vec![row], Some(sql::replace::<holds::Entity>())).await
            }
            Held::Population(population) => {
                let (fact, value) = (population.fact().to_owned(), population.value());
                let name = format!("{name}\u{1f}{fact}\u{1f}{value}");
                let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
                let row = population_holds::Model {
                    id,
                    fact,
                    value,
                    placed_at,
                    lifted_at,
                    review_on,
                    body,
                };
                let conflict = sql::replace::<population_holds::Entity>();
                sql::put_all(&db, doing, vec![row], Some(conflict)).await
            }
        }
    }

    /// On PostgreSQL, claims that look at holds, wishes, suspensions and departures just now end first, and the next ones see what
    /// this transaction writes. SQLite has one writer anyway.
    pub(crate) async fn wait_for_claims(&self) -> Result<(), StoreError> {
        if self.db().get_database_backend() == DbBackend::Postgres {
            advisory(&self.db(), "pg_advisory_xact_lock", lock::HOLDS).await?;
        }
        Ok(())
    }

    /// Adds what holds on populations ask of people; nothing is ever taken away, so that who moved stays
    /// under the order for where they were.
    pub(super) async fn add_facts(
        &self,
        facts: impl Iterator<Item = (PersonId, BTreeSet<Population>)>,
    ) -> Result<(), StoreError> {
        let rows: BTreeSet<(PersonId, Population)> =
            facts.flat_map(|(id, facts)| facts.into_iter().map(move |fact| (id, fact))).collect();
        let rows = rows.into_iter().map(|(person, fact)| person_facts::Model {
            person: person.0,
            fact: fact.fact().to_owned(),
            value: fact.value(),
        });
        let mut conflict = sql::keep::<person_facts::Entity>();
        conflict.do_nothing();
        sql::put_all(&self.db(), "storing facts of people", rows.collect(), Some(conflict)).await
    }

    /// Stores what was set aside, over what was there under the same ids.
    pub async fn set_aside(&self, all: &[SetAside]) -> Result<(), StoreError> {
        let rows = all.iter().map(|aside| set_asides::Model {
            id: aside.id,
            drop_id: aside.drop,
            source: aside.source.to_string(),
            file_name: aside.file_name.clone(),
            line: aside.line.map(convert::signed),
            reason: aside.reason.clone(),
            who: aside.who.clone(),
            at: convert::micros(aside.at),
            settled_at: aside.settled_at.map(convert::micros),
        });
        let conflict = sql::replace::<set_asides::Entity>();
        sql::put_all(&self.db(), "setting rows aside", rows.collect(), Some(conflict)).await
    }
}

impl Reader<'_> {
    /// Every hold that stands, oldest first.
    pub async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let query = holds::Entity::find().filter(holds::Column::LiftedAt.is_null());
        let mut all = self.holds_by(query).await?;
        let rows = population_holds::Entity::find()
            .filter(population_holds::Column::LiftedAt.is_null())
            .all(&self.db)
            .await
            .doing("reading holds")?;
        for row in rows {
            all.push(convert::from_body::<Hold>("hold", &row.body)?);
        }
        all.sort_by(|a, b| (a.placed_at, &a.of).cmp(&(b.placed_at, &b.of)));
        Ok(all)
    }

    /// Every hold of a person by name, lifted ones too, oldest first.
    pub async fn holds_of(&self, person: PersonId) -> Result<Vec<Hold>, StoreError> {
        self.holds_by(holds::Entity::find().filter(holds::Column::Person.eq(person.0))).await
    }

    /// Standing holds that cover a person, by name or by a fact: by the very words of a claim.
    pub async fn holds_over(&self, person: PersonId) -> Result<Vec<Hold>, StoreError> {
        let mut all = self.holds_of(person).await?;
        all.retain(|hold| hold.lifted_at.is_none());
        let sql = format!("SELECT h.body FROM population_holds h WHERE {}", covers("$1"));
        let doing = "reading holds";
        for row in sql::all(&self.db, doing, &sql, vec![person.0.into()]).await? {
            let body: String = row.try_get("", "body").doing(doing)?;
            all.push(convert::from_body("hold", &body)?);
        }
        Ok(all)
    }

    /// Who of the people with a deletion to come is under a standing hold.
    pub async fn people_held(&self) -> Result<BTreeSet<PersonId>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT s.person AS person FROM steps s \
             WHERE s.destroys AND NOT s.ended AND ({})",
            held("s.person")
        );
        let doing = "looking who is under a hold";
        let rows = sql::all(&self.db, doing, &sql, Vec::new()).await?;
        rows.iter().map(|row| Ok(PersonId(row.try_get("", "person").doing(doing)?))).collect()
    }

    /// How many of the people who are known, or who have a deletion to come, a population has in it.
    pub async fn people_in(&self, population: &Population) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS count FROM people p WHERE $1 = 'everyone' \
                   OR ($1 <> 'group' AND NOT EXISTS (SELECT 1 FROM person_facts f \
                       WHERE f.person = p.id AND f.fact = $1)) \
                   OR EXISTS (SELECT 1 FROM person_facts f \
                       WHERE f.person = p.id AND f.fact = $1 AND f.value = $2)";
        let doing = "counting a population";
        let values = vec![population.fact().into(), population.value().into()];
        let rows = sql::all(&self.db, doing, sql, values).await?;
        let count: i64 = match rows.first() {
            Some(row) => row.try_get("", "count").doing(doing)?,
            None => 0,
        };
        Ok(convert::unsigned(count))
    }

    async fn holds_by(
        &self,
        query: sea_orm::Select<holds::Entity>,
    ) -> Result<Vec<Hold>, StoreError> {
        let query = query.order_by_asc(holds::Column::PlacedAt).order_by_asc(holds::Column::Id);
        let rows = query.all(&self.db).await.doing("reading holds")?;
        rows.iter().map(|row| convert::from_body("hold", &row.body)).collect()
    }

    /// True if an entry of this id was ever set aside.
    pub async fn has_set_aside(&self, id: Uuid) -> Result<bool, StoreError> {
        let found = set_asides::Entity::find_by_id(id).one(&self.db).await;
        Ok(found.doing("reading what was set aside")?.is_some())
    }

    /// Whether something was set aside under this id and settled by somebody.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn is_settled(&self, id: Uuid) -> Result<bool, StoreError> {
        let found = set_asides::Entity::find_by_id(id).one(&self.db).await;
        let found = found.doing("reading what was set aside")?;
        Ok(found.is_some_and(|row| row.settled_at.is_some()))
    }

    /// What still waits for a person, oldest first.
    pub async fn open_set_asides(&self) -> Result<Vec<SetAside>, StoreError> {
        let rows = set_asides::Entity::find()
            .filter(set_asides::Column::SettledAt.is_null())
            .order_by_asc(set_asides::Column::At)
            .order_by_asc(set_asides::Column::Line)
            .order_by_asc(set_asides::Column::Who)
            .order_by_asc(set_asides::Column::Reason)
            .order_by_asc(set_asides::Column::Id)
            .all(&self.db)
            .await
            .doing("reading what was set aside")?;
        rows.into_iter().map(aside_of).collect()
    }
}

/// That a standing hold is over a person, as SQL. Whose place of work or kind is not known is under every
/// order that asks for one; a fact that this release does not know covers everybody.
pub(super) fn held(person: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM holds h WHERE h.person = {person} AND h.lifted_at IS NULL) \
         OR EXISTS (SELECT 1 FROM population_holds h WHERE {})",
        covers(person)
    )
}

/// That the population hold `h` stands and is over a person.
fn covers(person: &str) -> String {
    format!(
        "h.lifted_at IS NULL AND (h.fact NOT IN ('location', 'kind', 'group') \
         OR (h.fact <> 'group' AND NOT EXISTS (SELECT 1 FROM person_facts f \
             WHERE f.person = {person} AND f.fact = h.fact)) \
         OR EXISTS (SELECT 1 FROM person_facts f \
             WHERE f.person = {person} AND f.fact = h.fact AND f.value = h.value))"
    )
}

pub(super) fn aside_of(row: set_asides::Model) -> Result<SetAside, StoreError> {
    Ok(SetAside {
        id: row.id,
        drop: row.drop_id,
        source: convert::checked("source", row.source)?,
        file_name: row.file_name,
        line: row.line.map(convert::unsigned),
        reason: row.reason,
        who: row.who,
        at: convert::moment("moment", row.at)?,
        settled_at: convert::moment_if("moment", row.settled_at)?,
    })
}
