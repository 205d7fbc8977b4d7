//! Access forms, what was decided on them, who is away, and what was signed before.

use super::error::Doing as _;
use super::tables::{absences, access_forms, form_decisions, gates_passed};
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::access::decision::{Absence, Decision};
use lapsed_core::access::form::{FiledForm, FormState};
use lapsed_core::access::gate::GatePassed;
use lapsed_core::facts::PersonId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use uuid::Uuid;

/// Which access forms; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormFilter {
    /// About these people, unless empty.
    pub people: Vec<PersonId>,
    /// In these states, unless empty.
    pub states: Vec<FormState>,
    /// Only those that are to be looked at by this moment.
    pub look_by: Option<Timestamp>,
}

impl Tx {
    /// The number that the next form gets: transactions stand in line, so no other has it.
    pub async fn next_form_number(&self) -> Result<u64, StoreError> {
        let doing = "numbering a form";
        let sql = "SELECT COALESCE(MAX(number), 0) + 1 AS number FROM access_forms";
        let rows = sql::all(&self.db(), doing, sql, Vec::new()).await?;
        let number: i64 = match rows.first() {
            Some(row) => row.try_get("", "number").doing(doing)?,
            None => 1,
        };
        Ok(convert::unsigned(number))
    }

    /// Stores forms over what was there; `look_at` is when each is to be looked at next, if at all.
    pub async fn save_access_forms(
        &self,
        all: &[(FiledForm, Option<Timestamp>)],
    ) -> Result<(), StoreError> {
        let row = |(filed, look_at): &(FiledForm, Option<Timestamp>)| {
            Ok(access_forms::Model {
                number: convert::signed(filed.number),
                id: filed.form.id,
                person: filed.person.0,
                form: filed.form.form.to_string(),
                asks: filed.form.asks.name().to_owned(),
                state: convert::word(filed.state),
                ended: filed.state.has_ended(),
                filed_at: convert::micros(filed.filed_at),
                look_at: look_at.map(convert::micros),
                body: convert::body("access form", filed)?,
            })
        };
        sql::replace_all(&self.db(), "storing an access form", all, row).await?;
        let people: Vec<PersonId> = all.iter().map(|(filed, _)| filed.person).collect();
        self.look_at_access_of(&people).await
    }

    /// Has the forms of some people that have not ended looked at by a moment.
    pub async fn look_at_forms_of(
        &self,
        people: &[PersonId],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE access_forms SET look_at = $1 WHERE NOT ended AND person";
        sql::mark_people(&self.db(), "marking access forms", sql, at, people).await?;
        self.look_at_access_of(people).await
    }

    /// Adds a decision; it is never changed.
    pub async fn add_decision(&self, decision: &Decision) -> Result<(), StoreError> {
        let row = form_decisions::Model {
            id: decision.id,
            form: convert::signed(decision.form),
            hash: decision.hash.clone(),
            role: decision.role.to_string(),
            decided_by: decision.by.to_string(),
            at: convert::micros(decision.at),
            body: convert::body("decision", decision)?,
        };
        sql::put_all(&self.db(), "storing a decision", vec![row], None).await
    }

    /// Stores an absence over what was there under the same id.
    pub async fn save_absence(&self, absence: &Absence) -> Result<(), StoreError> {
        let row = absences::Model {
            id: absence.id,
            away: absence.away.folded(),
            ends_on: absence.until.to_string(),
            body: convert::body("absence", absence)?,
        };
        let conflict = sql::replace::<absences::Entity>();
        sql::put_all(&self.db(), "storing an absence", vec![row], Some(conflict)).await
    }

    /// Stores passed gates over what was there under the same ids.
    pub async fn save_gates(&self, all: &[GatePassed]) -> Result<(), StoreError> {
        self.put_gates(all, sql::replace::<gates_passed::Entity>()).await
    }

    /// Stores what a source says was signed or done, where it is not known yet: what was taken back since
    /// stays taken back, however often the source repeats its old word.
    pub async fn add_gates(&self, all: &[GatePassed]) -> Result<(), StoreError> {
        let mut conflict = sql::keep::<gates_passed::Entity>();
        conflict.do_nothing();
        self.put_gates(all, conflict).await
    }

    async fn put_gates(&self, all: &[GatePassed], conflict: OnConflict) -> Result<(), StoreError> {
        let row = |gate: &GatePassed| {
            Ok(gates_passed::Model {
                id: gate.id,
                person: gate.person.0,
                gate: gate.gate.to_string(),
                passed_on: gate.on.to_string(),
                withdrawn: gate.withdrawn_at.is_some(),
                body: convert::body("gate", gate)?,
            })
        };
        let rows = all.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        sql::put_all(&self.db(), "storing what was signed", rows, Some(conflict)).await
    }
}

impl Reader<'_> {
    /// Access forms by their numbers.
    pub async fn access_forms(&self, filter: &FormFilter) -> Result<Vec<FiledForm>, StoreError> {
        let mut query = access_forms::Entity::find();
        if !filter.states.is_empty() {
            let states = filter.states.iter().map(convert::word);
            query = query.filter(access_forms::Column::State.is_in(states));
        }
        if let Some(by) = filter.look_by {
            query = query.filter(access_forms::Column::LookAt.lte(convert::micros(by)));
        }
        let mut queries = Vec::new();
        for some in filter.people.chunks(sql::rows_at_once(1)) {
            let theirs = access_forms::Column::Person.is_in(some.iter().map(|id| id.0));
            queries.push(query.clone().filter(theirs));
        }
        if filter.people.is_empty() {
            queries.push(query);
        }
        let mut found: Vec<FiledForm> = Vec::new();
        for query in queries {
            let rows = query.all(&self.db).await.doing("reading access forms")?;
            for row in rows {
                found.push(convert::from_body("access form", &row.body)?);
            }
        }
        found.sort_by_key(|filed| filed.number);
        Ok(found)
    }

    /// One form by its number.
    pub async fn access_form(&self, number: u64) -> Result<Option<FiledForm>, StoreError> {
        let row = access_forms::Entity::find_by_id(convert::signed(number)).one(&self.db).await;
        let row = row.doing("reading an access form")?;
        row.map(|row| convert::from_body("access form", &row.body)).transpose()
    }

    /// One form by its own id.
    pub async fn access_form_of_id(&self, id: Uuid) -> Result<Option<FiledForm>, StoreError> {
        let query = access_forms::Entity::find().filter(access_forms::Column::Id.eq(id));
        let row = query.one(&self.db).await.doing("reading an access form")?;
        row.map(|row| convert::from_body("access form", &row.body)).transpose()
    }

    /// Whom forms of one name were about, and when each was filed, since a moment.
    pub async fn forms_named_since(
        &self,
        name: &str,
        since: Timestamp,
    ) -> Result<Vec<(PersonId, Timestamp)>, StoreError> {
        let doing = "counting forms of one name";
        let sql = "SELECT person, filed_at FROM access_forms WHERE form = $1 AND filed_at >= $2";
        let values = vec![name.into(), convert::micros(since).into()];
        let mut found = Vec::new();
        for row in sql::all(&self.db, doing, sql, values).await? {
            let person = PersonId(row.try_get("", "person").doing(doing)?);
            let at: i64 = row.try_get("", "filed_at").doing(doing)?;
            found.push((person, convert::moment("form", at)?));
        }
        Ok(found)
    }

    /// Decisions on some forms, oldest first.
    pub async fn decisions_on(&self, forms: &[u64]) -> Result<Vec<Decision>, StoreError> {
        let mut found = Vec::new();
        for some in forms.chunks(sql::rows_at_once(1)) {
            let rows = form_decisions::Entity::find()
                .filter(
                    form_decisions::Column::Form.is_in(some.iter().map(|n| convert::signed(*n))),
                )
                .order_by_asc(form_decisions::Column::At)
                .order_by_asc(form_decisions::Column::Id)
                .all(&self.db)
                .await
                .doing("reading decisions")?;
            for row in rows {
                found.push(convert::from_body("decision", &row.body)?);
            }
        }
        Ok(found)
    }

    /// Absences that have not ended before a day.
    pub async fn absences(&self, today: Date) -> Result<Vec<Absence>, StoreError> {
        let rows = absences::Entity::find()
            .filter(absences::Column::EndsOn.gte(today.to_string()))
            .order_by_asc(absences::Column::Id)
            .all(&self.db)
            .await
            .doing("reading absences")?;
        rows.iter().map(|row| convert::from_body("absence", &row.body)).collect()
    }

    /// What some people signed or did and was not taken back, oldest first.
    pub async fn gates_of(&self, people: &[PersonId]) -> Result<Vec<GatePassed>, StoreError> {
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let rows = gates_passed::Entity::find()
                .filter(gates_passed::Column::Person.is_in(some.iter().map(|id| id.0)))
                .filter(gates_passed::Column::Withdrawn.eq(false))
                .order_by_asc(gates_passed::Column::PassedOn)
                .order_by_asc(gates_passed::Column::Id)
                .all(&self.db)
                .await
                .doing("reading what was signed")?;
            for row in rows {
                found.push(convert::from_body("gate", &row.body)?);
            }
        }
        Ok(found)
    }
}
