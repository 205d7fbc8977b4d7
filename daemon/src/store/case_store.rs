//! Cases: departures, forms that are carried out, suspensions.

use super::error::Doing as _;
use super::tables::cases;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{Case, CaseId, CaseKind, CaseState, PersonId};
use lapsed_core::holds::facts_of_case;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Select};

/// Which cases; an empty filter means all departures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFilter {
    /// About what: departures by default.
    pub kind: CaseKind,
    /// Of these people only, if given: of none, where it is empty.
    pub people: Option<Vec<PersonId>>,
    /// In these states, unless empty.
    pub states: Vec<CaseState>,
}

impl Tx {
    /// Stores a departure over what was there. Its person must be stored.
    pub async fn save_case(&self, case: &Case) -> Result<(), StoreError> {
        self.save_cases(std::slice::from_ref(case)).await
    }

    /// Stores many departures; each may come once.
    pub async fn save_cases(&self, all: &[Case]) -> Result<(), StoreError> {
        let row = |case: &Case| {
            Ok(cases::Model {
                id: case.id.0,
                person: case.person.0,
                state: convert::word(case.state),
                effective_at: convert::micros(case.effective_at),
                for_cause: case.for_cause,
                disabled_on: case.disabled_on.map(|date| date.to_string()),
                body: convert::body("case", case)?,
                kind: convert::word(case.kind),
            })
        };
        sql::replace_all(&self.db(), "storing a departure", all, row).await?;
        self.add_facts(all.iter().map(|case| (case.person, facts_of_case(case)))).await
    }
}

impl Reader<'_> {
    /// One departure.
    pub async fn case(&self, id: CaseId) -> Result<Option<Case>, StoreError> {
        let query = cases::Entity::find().filter(cases::Column::Id.eq(id.0));
        Ok(self.cases_of(query).await?.pop())
    }

    /// Departures by their effective time.
    pub async fn cases(&self, filter: &CaseFilter) -> Result<Vec<Case>, StoreError> {
        let mut query =
            cases::Entity::find().filter(cases::Column::Kind.eq(convert::word(filter.kind)));
        if !filter.states.is_empty() {
            query =
                query.filter(cases::Column::State.is_in(filter.states.iter().map(convert::word)));
        }
        let Some(people) = &filter.people else { return self.cases_of(query).await };
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let theirs = cases::Column::Person.is_in(some.iter().map(|id| id.0));
            found.extend(self.cases_of(query.clone().filter(theirs)).await?);
        }
        Ok(found)
    }

    /// Scheduled departures whose time has come.
    pub async fn cases_due(&self, now: Timestamp) -> Result<Vec<Case>, StoreError> {
        let query = cases::Entity::find()
            .filter(cases::Column::Kind.eq(convert::word(CaseKind::Departure)))
            .filter(cases::Column::State.eq(convert::word(CaseState::Scheduled)))
            .filter(cases::Column::EffectiveAt.lte(convert::micros(now)));
        self.cases_of(query).await
    }

    /// When the next scheduled departure takes effect.
    pub async fn next_case_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = cases::Entity::find()
            .filter(cases::Column::Kind.eq(convert::word(CaseKind::Departure)))
            .filter(cases::Column::State.eq(convert::word(CaseState::Scheduled)))
            .order_by_asc(cases::Column::EffectiveAt)
            .one(&self.db)
            .await
            .doing("reading departures")?;
        convert::moment_if("effective time", row.map(|row| row.effective_at))
    }

    /// Sorted here: to have them in order, SQLite would read every case of a state for one person's.
    async fn cases_of(&self, query: Select<cases::Entity>) -> Result<Vec<Case>, StoreError> {
        let rows = query.all(&self.db).await.doing("reading departures")?;
        let read = rows.iter().map(|row| convert::from_body("case", &row.body));
        let mut found: Vec<Case> = read.collect::<Result<_, _>>()?;
        found.sort_by_key(|case| (case.effective_at, case.id));
        Ok(found)
    }
}
