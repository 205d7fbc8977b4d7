//! Tickets of the daemon's own: queued, opened at the help desk, followed to their end.

use super::connect::Store;
use super::daemon_store::in_no_others_hands;
use super::error::Doing as _;
use super::journal_store::stored;
use super::tables::{set_asides, steps, tickets};
use super::{Reader, SetAside, StoreError, StoredStep, Tx, convert, sql};
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::tickets::{CorrelationKey, ProblemType};
use lapsed_core::facts::{CaseId, ConnectorName, PersonId};
use lapsed_core::step::StepId;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement, Value,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// From which the ids of tickets are derived.
const TICKETS: Uuid = Uuid::from_u128(0x6c61_7073_6564_4000_8000_7469_636b_6574);

/// What a ticket is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A step that was refused or has drifted.
    Step(StepId),
    /// A step that others were asked for and did not confirm.
    Overdue(StepId),
    /// Something that was set aside.
    SetAside(Uuid),
    /// A target that can't be reached.
    System(ConnectorName),
}

impl About {
    fn kind(&self) -> &'static str {
        match self {
            Self::Step(_) => "step",
            Self::Overdue(_) => "overdue",
            Self::SetAside(_) => "set_aside",
            Self::System(_) => "system",
        }
    }

    fn id(&self) -> Uuid {
        match self {
            Self::Step(step) | Self::Overdue(step) => step.0,
            Self::SetAside(id) => *id,
            Self::System(name) => Uuid::new_v5(&TICKETS, name.as_str().as_bytes()),
        }
    }

    /// The id of the ticket about it: the same matter has one ticket a round.
    #[must_use]
    pub fn ticket(&self, round: u32) -> Uuid {
        let name = format!("{}\u{1f}{}\u{1f}{round}", self.kind(), self.id());
        Uuid::new_v5(&TICKETS, name.as_bytes())
    }
}

/// Where a ticket stands with the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Not opened yet.
    Queued,
    /// Somebody at the help desk has to act.
    Open,
    /// Whoever acted gave the final word (H2).
    Resolved,
    /// It will not be done: a person has to decide.
    Rejected,
    /// What it was about went away before it was opened.
    Withdrawn,
}

impl TicketState {
    /// The state's name, as stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A ticket of the daemon's own. Nothing in its words is personal or secret (P1, P2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Derived from what it is about.
    pub id: Uuid,
    /// What kind of problem it is.
    pub problem: ProblemType,
    /// What it is about.
    pub about: About,
    /// How many tickets about the same came before it.
    pub round: u32,
    /// The departure that it belongs to.
    pub case: Option<CaseId>,
    /// Whose.
    pub person: Option<PersonId>,
    /// The target that the trouble is with.
    pub connector: Option<ConnectorName>,
    /// One line.
    pub subject: String,
    /// What is to be done.
    pub text: String,
    /// Where it stands.
    pub state: TicketState,
    /// The help desk's number, once it is known.
    pub number: Option<String>,
    /// Its page, for people.
    pub page: Option<String>,
    /// How often it was taken in hand to be opened.
    pub attempts: u32,
    /// What went wrong last.
    pub trouble: Option<String>,
    /// A comment that is still to be put on it.
    pub comment: Option<String>,
    /// When what it is about went away by itself.
    pub gone_at: Option<Timestamp>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it is worked on next.
    pub next_at: Timestamp,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// When what follows from its end was done.
    pub acted_at: Option<Timestamp>,
    /// Until when a daemon has it in hand.
    pub leased_until: Option<Timestamp>,
    /// Fencing counter: a write that knows an older one changes nothing.
    pub token: i64,
}

impl Ticket {
    /// By what it is found at the help desk.
    #[must_use]
    pub fn key(&self) -> CorrelationKey {
        CorrelationKey::of(self.id)
    }
}

impl Store {
    /// Claims tickets to work on: queued ones whose time has come, open ones to be looked at. The lease
    /// is on stable storage when this returns, and so is one attempt more of the queued ones. Queued ones come first, the oldest of them first, and at
    /// most `may_open` of them. One that would have to wait, or be in hand, for more than `longest_wait` was
    /// written before the clock was set back, and does not wait.
    pub async fn claim_tickets(
        &self,
        (owner, now): (&str, Timestamp),
        lease_for: SignedDuration,
        longest_wait: SignedDuration,
        limit: u64,
        may_open: u64,
    ) -> Result<Vec<Ticket>, StoreError> {
        let far = now.checked_add(longest_wait.max(lease_for)).unwrap_or(Timestamp::MAX);
        // Write transactions stand in line on both databases: no two claims see the same rows.
        let tx = self.begin().await?;
        let mut claimed = Vec::new();
        for (state, may) in [("queued", may_open), ("open", limit)] {
            let most = may.min(limit.saturating_sub(claimed.len() as u64));
            let sql = format!(
                "SELECT * FROM tickets WHERE state = $1 AND (next_at <= $2 OR next_at > $4) \
                 AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $4) AND {} \
                 ORDER BY next_at, created_at, id LIMIT {most}",
                in_no_others_hands("tickets", "$3"),
            );
            let (now, far) = (convert::micros(now), convert::micros(far));
            let values = [Value::from(state), now.into(), owner.into(), far.into()];
            let db = tx.db();
            let ready = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            let rows = tickets::Entity::find().from_raw_sql(ready).all(&db).await;
            claimed.extend(rows.doing("looking for tickets to work on")?);
        }
        let until = now.checked_add(lease_for).unwrap_or(Timestamp::MAX);
        let mut all = Vec::with_capacity(claimed.len());
        for row in claimed {
            let sql = "UPDATE tickets SET lease_owner = $1, lease_until = $2, \
                       lease_token = lease_token + 1, \
                       attempts = attempts + CASE WHEN state = 'queued' THEN 1 ELSE 0 END \
                       WHERE id = $3";
            let values = vec![owner.into(), convert::micros(until).into(), row.id.into()];
            sql::run(&tx.db(), "claiming tickets", sql, values).await?;
            let mut ticket = ticket_of(row)?;
            ticket.token += 1;
            ticket.leased_until = Some(until);
            if ticket.state == TicketState::Queued {
                ticket.attempts = ticket.attempts.saturating_add(1);
            }
            all.push(ticket);
        }
        tx.commit().await?;
        Ok(all)
    }
}

impl Store {
    /// Gives back the tickets that a daemon has in hand: after a round that failed, it does not know which.
    pub async fn release_lost_tickets(&self, owner: &str) -> Result<(), StoreError> {
        let sql = "UPDATE tickets SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE lease_owner = $1";
        let tx = self.begin().await?;
        sql::run(&tx.db(), "giving lost tickets back", sql, vec![owner.into()]).await?;
        tx.commit().await.map(drop)
    }
}

impl Tx {
    /// Queues a ticket, unless one about the same is queued or open, or was rejected: then a person
    /// decided. True when it was queued.
    pub async fn queue_ticket(&self, ticket: &Ticket) -> Result<bool, StoreError> {
        let earlier = self.read().tickets_about(&ticket.about).await?;
        let stands = |ticket: &Ticket| {
            matches!(ticket.state, TicketState::Queued | TicketState::Open | TicketState::Rejected)
        };
        if earlier.iter().any(stands) {
            return Ok(false);
        }
        let round = u32::try_from(earlier.len()).unwrap_or(u32::MAX);
        let new = Ticket { id: ticket.about.ticket(round), round, ..ticket.clone() };
        let conflict = sql::replace::<tickets::Entity>();
        sql::put_all(&self.db(), "queueing a ticket", vec![row_of(&new)], Some(conflict)).await?;
        Ok(true)
    }

    /// Writes a ticket as it has become and gives its lease back. False when another daemon has taken it
    /// over since it was read: then nothing is written.
    pub async fn set_ticket(&self, ticket: &Ticket) -> Result<bool, StoreError> {
        let sql = "UPDATE tickets SET state = $3, number = $4, page = $5, attempts = $6, \
                   trouble = $7, comment = $8, gone_at = $9, next_at = $10, opened_at = $11, \
                   closed_at = $12, acted_at = $13, lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE id = $1 AND lease_token = $2";
        self.crash_points.note("ticket", ticket.state.name());
        let row = row_of(ticket);
        let values = vec![
            row.id.into(),
            ticket.token.into(),
            row.state.into(),
            row.number.into(),
            row.page.into(),
            row.attempts.into(),
            row.trouble.into(),
            row.comment.into(),
            row.gone_at.into(),
            row.next_at.into(),
            row.opened_at.into(),
            row.closed_at.into(),
            row.acted_at.into(),
        ];
        Ok(sql::run(&self.db(), "writing a ticket", sql, values).await? > 0)
    }
}

impl Reader<'_> {
    /// Tickets in these states, the oldest first; all without any.
    pub async fn tickets(&self, states: &[TicketState]) -> Result<Vec<Ticket>, StoreError> {
        let mut query = tickets::Entity::find();
        if !states.is_empty() {
            let names = states.iter().map(|state| state.name());
            query = query.filter(tickets::Column::State.is_in(names));
        }
        self.tickets_of(query).await
    }

    /// Every ticket about the same, the oldest first.
    pub async fn tickets_about(&self, about: &About) -> Result<Vec<Ticket>, StoreError> {
        let query = tickets::Entity::find()
            .filter(tickets::Column::AboutKind.eq(about.kind()))
            .filter(tickets::Column::About.eq(about.id()));
        self.tickets_of(query).await
    }

    /// Tickets that have ended and of whose end nothing has come yet.
    pub async fn tickets_to_act_on(&self) -> Result<Vec<Ticket>, StoreError> {
        let query = tickets::Entity::find()
            .filter(tickets::Column::State.is_in(["resolved", "rejected"]))
            .filter(tickets::Column::ActedAt.is_null());
        self.tickets_of(query).await
    }

    /// How many tickets were opened since a moment.
    pub async fn tickets_opened_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let doing = "counting tickets";
        let sql = "SELECT COUNT(*) AS tickets FROM tickets WHERE opened_at >= $1";
        let rows = sql::all(&self.db, doing, sql, vec![convert::micros(since).into()]).await?;
        let count = rows.first().map(|row| row.try_get("", "tickets")).transpose().doing(doing)?;
        Ok(convert::unsigned(count.unwrap_or(0)))
    }

    /// When the next ticket is to be worked on: one in a daemon's hands not before its lease ends, and
    /// queued ones only where some may be opened.
    pub async fn next_ticket_at(&self, may_open: bool) -> Result<Option<Timestamp>, StoreError> {
        let doing = "reading tickets";
        let states = if may_open { "'queued', 'open'" } else { "'open'" };
        let sql = format!(
            "SELECT MIN(CASE WHEN lease_until > next_at THEN lease_until ELSE next_at END) AS next \
             FROM tickets WHERE state IN ({states})"
        );
        let rows = sql::all(&self.db, doing, &sql, Vec::new()).await?;
        let next = rows.first().map(|row| row.try_get("", "next")).transpose().doing(doing)?;
        convert::moment_if("moment", next.flatten())
    }

    /// Steps of open departures that were refused or have drifted and have no ticket for it yet. A
    /// ticket that was resolved before the step came to that is of an earlier time.
    pub async fn steps_without_ticket(&self, limit: u64) -> Result<Vec<StoredStep>, StoreError> {
        let sql = format!(
            "SELECT s.* FROM steps s JOIN cases c ON c.id = s.case_id \
             WHERE s.state IN ('refused', 'drifted') AND c.state = 'open' \
             AND NOT EXISTS (SELECT 1 FROM tickets t \
                             WHERE t.about_kind = 'step' AND t.about = s.id \
                             AND (t.state IN ('queued', 'open', 'rejected') \
                                  OR t.acted_at IS NULL OR t.acted_at >= s.changed_at)) \
             ORDER BY s.changed_at, s.id LIMIT {limit}"
        );
        let statement =
            Statement::from_sql_and_values(self.db.get_database_backend(), sql, Vec::new());
        let rows = steps::Entity::find().from_raw_sql(statement).all(&self.db).await;
        rows.doing("looking for steps without a ticket")?.into_iter().map(stored).collect()
    }

    /// What was set aside, still waits, and never had a ticket.
    pub async fn set_asides_without_ticket(&self, limit: u64) -> Result<Vec<SetAside>, StoreError> {
        let sql = format!(
            "SELECT a.* FROM set_asides a WHERE a.settled_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM tickets t \
                             WHERE t.about_kind = 'set_aside' AND t.about = a.id) \
             ORDER BY a.at, a.id LIMIT {limit}"
        );
        let statement =
            Statement::from_sql_and_values(self.db.get_database_backend(), sql, Vec::new());
        let rows = set_asides::Entity::find().from_raw_sql(statement).all(&self.db).await;
        let rows = rows.doing("looking for what was set aside without a ticket")?;
        rows.into_iter().map(super::hold_store::aside_of).collect()
    }

    /// Those of the entries given that were set aside, settled or not.
    pub async fn set_asides_by_id(&self, ids: &[Uuid]) -> Result<Vec<SetAside>, StoreError> {
        let mut found = Vec::new();
        for some in ids.chunks(sql::rows_at_once(1)) {
            let these = set_asides::Column::Id.is_in(some.iter().copied());
            let rows = set_asides::Entity::find().filter(these).all(&self.db).await;
            for row in rows.doing("reading what was set aside")? {
                found.push(super::hold_store::aside_of(row)?);
            }
        }
        Ok(found)
    }

    async fn tickets_of(
        &self,
        query: sea_orm::Select<tickets::Entity>,
    ) -> Result<Vec<Ticket>, StoreError> {
        let rows = query
            .order_by_asc(tickets::Column::CreatedAt)
            .order_by_asc(tickets::Column::Round)
            .order_by_asc(tickets::Column::Id)
            .limit(10_000)
            .all(&self.db)
            .await
            .doing("reading tickets")?;
        rows.into_iter().map(ticket_of).collect()
    }
}

fn row_of(ticket: &Ticket) -> tickets::Model {
    tickets::Model {
        id: ticket.id,
        problem: ticket.problem.name().to_owned(),
        about_kind: ticket.about.kind().to_owned(),
        about: ticket.about.id(),
        round: ticket.round.into(),
        case_id: ticket.case.map(|case| case.0),
        person: ticket.person.map(|person| person.0),
        connector: ticket.connector.as_ref().map(ToString::to_string),
        subject: ticket.subject.clone(),
        body: ticket.text.clone(),
        state: ticket.state.name().to_owned(),
        number: ticket.number.clone(),
        page: ticket.page.clone(),
        attempts: ticket.attempts.into(),
        trouble: ticket.trouble.clone(),
        comment: ticket.comment.clone(),
        gone_at: ticket.gone_at.map(convert::micros),
        created_at: convert::micros(ticket.created_at),
        next_at: convert::micros(ticket.next_at),
        opened_at: ticket.opened_at.map(convert::micros),
        closed_at: ticket.closed_at.map(convert::micros),
        acted_at: ticket.acted_at.map(convert::micros),
        lease_owner: None,
        lease_until: None,
        lease_token: ticket.token,
    }
}

fn ticket_of(row: tickets::Model) -> Result<Ticket, StoreError> {
    let connector: Option<ConnectorName> =
        row.connector.map(|name| convert::checked("connector", name)).transpose()?;
    let about = match (row.about_kind.as_str(), &connector) {
        ("step", _) => About::Step(StepId(row.about)),
        ("overdue", _) => About::Overdue(StepId(row.about)),
        ("set_aside", _) => About::SetAside(row.about),
        ("system", Some(name)) => About::System(name.clone()),
        (other, _) => return Err(convert::unreadable("matter of a ticket", other)),
    };
    Ok(Ticket {
        id: row.id,
        problem: convert::from_word("problem", &row.problem)?,
        about,
        round: u32::try_from(row.round).unwrap_or(u32::MAX),
        case: row.case_id.map(CaseId),
        person: row.person.map(PersonId),
        connector,
        subject: row.subject,
        text: row.body,
        state: convert::from_word("ticket's state", &row.state)?,
        number: row.number,
        page: row.page,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        trouble: row.trouble,
        comment: row.comment,
        gone_at: convert::moment_if("moment", row.gone_at)?,
        created_at: convert::moment("moment", row.created_at)?,
        next_at: convert::moment("moment", row.next_at)?,
        opened_at: convert::moment_if("moment", row.opened_at)?,
        closed_at: convert::moment_if("moment", row.closed_at)?,
        acted_at: convert::moment_if("moment", row.acted_at)?,
        leased_until: convert::moment_if("lease", row.lease_until)?,
        token: row.lease_token,
    })
}
