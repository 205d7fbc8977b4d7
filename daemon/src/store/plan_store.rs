//! Plans, and who decided on them.

use super::error::Doing as _;
use super::tables::plans;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{Actor, CaseId};
use lapsed_core::guard::Finding;
use lapsed_core::plan::{Plan, PlanHash, PlanKind, PlanState};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    Set,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// An operator's word on a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Until when a release is good if nothing of the plan was begun.
    pub expires_at: Option<Timestamp>,
}

/// A plan with all that was decided on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPlan {
    /// The plan itself, immutable.
    pub plan: Plan,
    /// Where it stands.
    pub state: PlanState,
    /// What the guard found.
    pub findings: Vec<Finding>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who decided last.
    pub decided_by: Option<Actor>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Until when the release is good; `None` once the first of its steps was begun.
    pub release_expires_at: Option<Timestamp>,
    /// Everybody who has spoken for it: a protected account needs two.
    pub released_by: Vec<Actor>,
    /// Why.
    pub reason: Option<String>,
}

impl Tx {
    /// Stores a plan with the guard's verdict. One that is there already stays with all that was decided
    /// on it, and its state comes back (`None`: it is new): the same wish attaches to the same plan. A
    /// replaced one that is wished for again starts anew.
    pub async fn save_plan(
        &self,
        plan: &Plan,
        state: PlanState,
        findings: &[Finding],
        created_at: Timestamp,
    ) -> Result<Option<PlanState>, StoreError> {
        if let Some(known) = self.read().plan(&plan.hash).await?
            && known.state != PlanState::Replaced
        {
            return Ok(Some(known.state));
        }
        self.save_plans(&[(plan, state, findings)], created_at).await?;
        Ok(None)
    }

    /// Stores plans that are new, or were replaced and are wished for again; any other stays as it is.
    pub async fn save_plans(
        &self,
        all: &[(&Plan, PlanState, &[Finding])],
        created_at: Timestamp,
    ) -> Result<(), StoreError> {
        let rows =
            all.iter().map(|(plan, state, findings)| row(plan, *state, findings, created_at));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        // One that counts, or was decided on, is never written over.
        let is_replaced = plans::Column::State.eq(convert::word(PlanState::Replaced));
        let conflict = sql::replace::<plans::Entity>().action_and_where(is_replaced).to_owned();
        sql::put_all(&self.db(), "storing plans", rows, Some(conflict)).await
    }

    /// Moves a plan to a state. A decision that leaves it held or releases it counts as its operator's
    /// word for it: `Held` with a decision is the first of two.
    pub async fn set_plan_state(
        &self,
        hash: &PlanHash,
        state: PlanState,
        decision: Option<&Decision>,
    ) -> Result<StoredPlan, StoreError> {
        let doing = "storing a decision on a plan";
        let none = || StoreError::NoSuchPlan { hash: hash.short().to_owned() };
        let known = self.read().plan(hash).await?.ok_or_else(none)?;
        let mut row = plans::ActiveModel { hash: Set(hash.0.clone()), ..Default::default() };
        row.state = Set(convert::word(state));
        if let Some(decision) = decision {
            let mut released_by = known.released_by;
            let speaks_for_it = matches!(state, PlanState::Held | PlanState::Released);
            if speaks_for_it && !released_by.contains(&decision.by) {
                released_by.push(decision.by.clone());
            }
            row.decided_by = Set(Some(decision.by.to_string()));
            row.decided_at = Set(Some(convert::micros(decision.at)));
            row.release_expires_at = Set(decision.expires_at.map(convert::micros));
            row.released_by = Set(convert::body("operators", &released_by)?);
            row.reason = Set(decision.reason.clone());
        }
        stored(row.update(&self.db()).await.doing(doing)?)
    }

    /// Moves every held or passed plan of a departure but one to `Replaced`, says how many. To be done
    /// before [`Tx::add_steps`], so that steps which both wish for come over to the new plan.
    pub async fn replace_plans_of(&self, case: CaseId, by: &PlanHash) -> Result<u64, StoreError> {
        let standing = [PlanState::Held, PlanState::Passed, PlanState::Released];
        let done = plans::Entity::update_many()
            .col_expr(plans::Column::State, convert::word(PlanState::Replaced).into())
            .filter(plans::Column::Kind.eq("departure"))
            .filter(plans::Column::Subject.eq(case.to_string()))
            .filter(plans::Column::Hash.ne(by.0.as_str()))
            .filter(plans::Column::State.is_in(standing.map(convert::word)))
            .exec(&self.db())
            .await
            .doing("replacing plans")?;
        Ok(done.rows_affected)
    }
}

impl Reader<'_> {
    /// Plans in the states given (all, if none is given), oldest first.
    pub async fn plans(&self, states: &[PlanState]) -> Result<Vec<StoredPlan>, StoreError> {
        let mut query = plans::Entity::find();
        if !states.is_empty() {
            query = query.filter(plans::Column::State.is_in(states.iter().map(convert::word)));
        }
        self.plans_by(query).await
    }

    /// One plan.
    pub async fn plan(&self, hash: &PlanHash) -> Result<Option<StoredPlan>, StoreError> {
        let query = plans::Entity::find().filter(plans::Column::Hash.eq(hash.0.as_str()));
        Ok(self.plans_by(query).await?.pop())
    }

    /// What became of the plans that are known among these.
    pub async fn plan_states(
        &self,
        hashes: &[PlanHash],
    ) -> Result<HashMap<PlanHash, PlanState>, StoreError> {
        let doing = "reading plans";
        let mut states = HashMap::new();
        for some in hashes.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "SELECT hash, state FROM plans WHERE hash IN ({})",
                sql::placeholders(1, some.len())
            );
            let values = some.iter().map(|hash| hash.0.as_str().into()).collect();
            for row in sql::all(&self.db, doing, &sql, values).await? {
                let state: String = row.try_get("", "state").doing(doing)?;
                let hash = PlanHash(row.try_get("", "hash").doing(doing)?);
                states.insert(hash, convert::from_word("plan state", &state)?);
            }
        }
        Ok(states)
    }

    /// Plans whose hash starts with what someone typed, in hexadecimal; none for anything else.
    pub async fn plans_by_prefix(&self, prefix: &str) -> Result<Vec<StoredPlan>, StoreError> {
        let prefix = prefix.trim().to_ascii_lowercase();
        // Also keeps out the wildcards of LIKE.
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        self.plans_by(plans::Entity::find().filter(plans::Column::Hash.starts_with(prefix))).await
    }

    /// Plans of one departure, oldest first.
    pub async fn plans_of_case(&self, case: CaseId) -> Result<Vec<StoredPlan>, StoreError> {
        let query = plans::Entity::find()
            .filter(plans::Column::Kind.eq("departure"))
            .filter(plans::Column::Subject.eq(case.to_string()));
        self.plans_by(query).await
    }

    async fn plans_by(
        &self,
        query: sea_orm::Select<plans::Entity>,
    ) -> Result<Vec<StoredPlan>, StoreError> {
        let query = query.order_by_asc(plans::Column::CreatedAt).order_by_asc(plans::Column::Hash);
        let rows = query.all(&self.db).await.doing("reading plans")?;
        rows.into_iter().map(stored).collect()
    }
}

fn row(
    plan: &Plan,
    state: PlanState,
    findings: &[Finding],
    created_at: Timestamp,
) -> Result<plans::Model, StoreError> {
    let (kind, subject) = match &plan.kind {
        PlanKind::Departure { case, .. } => ("departure", case.to_string()),
        PlanKind::MassDeparture { people, .. } => ("mass_departure", format!("{people} people")),
        PlanKind::Form { case, .. } => ("form", case.to_string()),
        PlanKind::Suspension { case, .. } => ("suspension", case.to_string()),
        PlanKind::Restoration { case, .. } => ("restoration", case.to_string()),
        PlanKind::MassSuspension { people } => ("mass_suspension", format!("{people} people")),
        PlanKind::Passwords { people } => ("passwords", format!("{people} people")),
    };
    Ok(plans::Model {
        hash: plan.hash.0.clone(),
        kind: kind.to_owned(),
        state: convert::word(state),
        subject,
        created_at: convert::micros(created_at),
        body: convert::body("plan", plan)?,
        findings: convert::body("findings", &findings)?,
        decided_by: None,
        decided_at: None,
        release_expires_at: None,
        released_by: "[]".to_owned(),
        reason: None,
    })
}

fn stored(row: plans::Model) -> Result<StoredPlan, StoreError> {
    let decided_by = row.decided_by.map(|text| convert::checked("operator", text)).transpose()?;
    Ok(StoredPlan {
        plan: convert::from_body("plan", &row.body)?,
        state: convert::from_word("plan state", &row.state)?,
        findings: convert::from_body("findings", &row.findings)?,
        created_at: convert::moment("moment", row.created_at)?,
        decided_by,
        decided_at: convert::moment_if("moment", row.decided_at)?,
        release_expires_at: convert::moment_if("moment", row.release_expires_at)?,
        released_by: convert::from_body("operators", &row.released_by)?,
        reason: row.reason,
    })
}
