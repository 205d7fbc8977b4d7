//! Whose access is to be looked at, and log-on names that are set apart.

use super::error::Doing as _;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::access::entitlement::Entitlement;
use lapsed_core::access::form::FiledForm;
use lapsed_core::facts::{PersonId, UserId};

/// Forms that ask for something to be given or renamed.
const GIVING: &str = "'new', 'change', 'name_change', 'location_change', 'reset_password'";

impl Tx {
    /// Sets a log-on name apart for a person; false where it is in the ledger already, whoever has it. The
    /// database decides by its key, so that of two daemons one gets it (N5).
    pub async fn reserve_user_id(
        &self,
        user_id: &UserId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO user_ids (folded, shown, person, origin, at) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (folded) DO NOTHING";
        let values = vec![
            user_id.folded().into(),
            user_id.as_str().into(),
            person.0.into(),
            convert::word(super::IdOrigin::Reserved).into(),
            convert::micros(now).into(),
        ];
        Ok(sql::run(&self.db(), "reserving a user ID", sql, values).await? == 1)
    }

    /// The same for a name that the person bears or bore: it is theirs unless it is another's by now, or was
    /// given up. One that was only seen becomes theirs.
    pub async fn own_user_id(
        &self,
        user_id: &UserId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.reserve_user_id(user_id, person, now).await?;
        let sql = "UPDATE user_ids SET person = $1 \
                   WHERE folded = $2 AND person IS NULL AND origin = $3";
        let seen = convert::word(super::IdOrigin::Seen);
        let values = vec![person.0.into(), user_id.folded().into(), seen.into()];
        sql::run(&self.db(), "keeping a user ID", sql, values).await?;
        let record = self.read().user_id(user_id).await?;
        Ok(record.is_some_and(|record| record.person == Some(person)))
    }

    /// Keeps log-on names with a person as they are stored now, so that whoever bears one of them is found
    /// when the person leaves.
    pub async fn keep_user_ids(
        &self,
        person: PersonId,
        user_ids: &[UserId],
    ) -> Result<(), StoreError> {
        let Some(mut known) = self.read().person(person).await? else { return Ok(()) };
        let before = known.other_user_ids.len();
        for user_id in user_ids {
            if known.other_user_ids.iter().all(|id| id.folded() != user_id.folded()) {
                known.other_user_ids.push(user_id.clone());
            }
        }
        if known.other_user_ids.len() > before {
            self.save_person(&known).await?;
        }
        Ok(())
    }

    /// A name that was set apart and turned out to be somebody else's: it stays in the ledger, of nobody, and
    /// the person is no longer looked for by it.
    pub async fn burn_user_id(&self, user_id: &UserId, person: PersonId) -> Result<(), StoreError> {
        let sql =
            "UPDATE user_ids SET person = NULL, origin = $3 WHERE folded = $1 AND person = $2";
        let given_up = convert::word(super::IdOrigin::Reserved);
        let values = vec![user_id.folded().into(), person.0.into(), given_up.into()];
        sql::run(&self.db(), "giving a user ID up", sql, values).await?;
        let Some(mut known) = self.read().person(person).await? else { return Ok(()) };
        known.other_user_ids.retain(|id| id.folded() != user_id.folded());
        self.save_person(&known).await
    }

    /// Stores the log-on name that is set apart by a form; everything else of it stays as it is by now.
    pub async fn set_reserved(
        &self,
        number: u64,
        reserved: Option<&UserId>,
    ) -> Result<(), StoreError> {
        let Some(form) = self.read().access_form(number).await? else { return Ok(()) };
        let form = FiledForm { reserved: reserved.cloned(), ..form };
        let sql = "UPDATE access_forms SET body = $1 WHERE number = $2";
        let values =
            vec![convert::body("access form", &form)?.into(), convert::signed(number).into()];
        sql::run(&self.db(), "storing an access form", sql, values).await?;
        self.look_at_access_of(&[form.person]).await
    }

    /// Lets people rest until a moment, unless what they hold or are to hold changes before. A firm rest
    /// goes on when one of their steps ends.
    pub async fn rest_access_of(
        &self,
        people: &[(PersonId, Timestamp, bool)],
    ) -> Result<(), StoreError> {
        for some in people.chunks(sql::rows_at_once(3)) {
            let sql = format!(
                "INSERT INTO access_waits (person, until, firm) VALUES {} \
                 ON CONFLICT (person) DO UPDATE SET until = excluded.until, firm = excluded.firm",
                sql::value_rows(1, 3, some.len())
            );
            let values = some.iter().flat_map(|(id, at, firm)| {
                [id.0.into(), convert::micros(*at).into(), (*firm).into()]
            });
            sql::run(&self.db(), "letting people rest", &sql, values.collect()).await?;
        }
        Ok(())
    }

    /// Has the access of some people looked at in the next round.
    pub async fn look_at_access_of(&self, people: &[PersonId]) -> Result<(), StoreError> {
        for some in people.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "DELETE FROM access_waits WHERE person IN ({})",
                sql::placeholders(1, some.len())
            );
            let values = some.iter().map(|id| id.0.into()).collect();
            sql::run(&self.db(), "marking people", &sql, values).await?;
        }
        Ok(())
    }

    /// The same for the people of some steps, but for those who rest firmly.
    pub(super) async fn look_at_access_of_steps(
        &self,
        steps: impl Iterator<Item = uuid::Uuid>,
    ) -> Result<(), StoreError> {
        let all: Vec<_> = steps.collect();
        for some in all.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "DELETE FROM access_waits WHERE NOT firm AND person IN \
                 (SELECT s.person FROM steps s WHERE s.id IN ({}))",
                sql::placeholders(1, some.len())
            );
            let values = some.iter().map(|id| (*id).into()).collect();
            sql::run(&self.db(), "marking people", &sql, values).await?;
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Everybody for whom something is approved that is not in place, or ends and is not gone, and who do
    /// not rest.
    pub async fn people_to_grant(&self, now: Timestamp) -> Result<Vec<PersonId>, StoreError> {
        let doing = "looking for approved access";
        let sql = format!(
            "SELECT DISTINCT w.person AS person FROM ( \
             SELECT e.person FROM entitlements e WHERE e.state IN ('approved', 'ending') \
             UNION SELECT f.person FROM access_forms f \
             WHERE f.state = 'approved' AND f.asks IN ({GIVING})) w \
             WHERE w.person NOT IN (SELECT r.person FROM access_waits r WHERE r.until > $1)"
        );
        let rows = sql::all(&self.db, doing, &sql, vec![convert::micros(now).into()]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.push(PersonId(row.try_get("", "person").doing(doing)?));
        }
        found.sort();
        Ok(found)
    }

    /// What was approved of forms that ended before it was made.
    pub async fn entitlements_of_ended_forms(&self) -> Result<Vec<Entitlement>, StoreError> {
        let sql = "SELECT e.body AS body FROM entitlements e \
                   JOIN access_forms f ON f.number = e.form \
                   WHERE e.state = 'approved' AND f.state IN ('denied', 'ended')";
        self.entitlements_by("looking for what ended forms gave", sql).await
    }

    /// What people hold whose departure is in effect, or over: nothing of it counts any more.
    pub async fn entitlements_of_leavers(&self) -> Result<Vec<Entitlement>, StoreError> {
        let sql = "SELECT e.body AS body FROM entitlements e WHERE e.state <> 'ended' \
                   AND EXISTS (SELECT 1 FROM cases d WHERE d.person = e.person \
                   AND d.kind = 'departure' AND d.state IN ('open', 'closed'))";
        self.entitlements_by("looking for what leavers hold", sql).await
    }

    async fn entitlements_by(
        &self,
        doing: &'static str,
        sql: &str,
    ) -> Result<Vec<Entitlement>, StoreError> {
        let mut found = Vec::new();
        for row in sql::all(&self.db, doing, sql, Vec::new()).await? {
            let body: String = row.try_get("", "body").doing(doing)?;
            found.push(convert::from_body("entitlement", &body)?);
        }
        Ok(found)
    }
}
