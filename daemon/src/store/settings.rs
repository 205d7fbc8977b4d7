//! Single values by name: the baseline population, whether deletions are paused, and the like.

use super::error::Doing as _;
use super::tables::settings;
use super::{Reader, Store, StoreError, Tx, convert, sql};
use jiff::{SignedDuration, Timestamp};
use sea_orm::EntityTrait as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

impl Tx {
    /// Stores a value under a name, over what was there.
    pub async fn set_setting<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let value = convert::body("setting", value)?;
        let row = settings::Model { key: key.to_owned(), value };
        let conflict = sql::replace::<settings::Entity>();
        sql::put_all(&self.db(), "storing a setting", vec![row], Some(conflict)).await
    }
}

impl Reader<'_> {
    /// The value under a name, if there is one.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let row = settings::Entity::find_by_id(key.to_owned())
            .one(&self.db)
            .await
            .doing("reading a setting")?;
        row.map(|row| convert::from_body("setting", &row.value)).transpose()
    }
}

/// The turn that one of several daemons has as long as it is there.
pub(super) const PLANNING: &str = "plan";

/// Who may do what only one daemon does at a time.
#[derive(Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) owner: String,
    pub(super) until: Timestamp,
    /// Who has work for it, and can't do it without the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wanted_by: Option<String>,
}

impl Turn {
    pub(super) fn key(what: &str) -> String {
        format!("turn: {what}")
    }
}

impl Store {
    /// Takes, or keeps, the turn at something that only one daemon on a database does at a time, such as
    /// planning. False while another has it; it ends by itself at `until`. Who has it gives it up where
    /// another has asked for it.
    pub async fn take_turn(
        &self,
        what: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = Turn::key(what);
        let tx = self.begin().await?;
        let turn: Option<Turn> = tx.read().setting(&key).await?;
        // One that lasts much longer than ours would was taken before the clock was set back.
        let lasts = until.checked_add(SignedDuration::from_mins(5)).unwrap_or(until);
        let holds = |turn: &Turn| turn.owner != owner && turn.until > now && turn.until <= lasts;
        let (next, mine) = match turn {
            Some(turn) if holds(&turn) => return Ok(false),
            Some(Turn { owner: has, wanted_by: Some(other), .. })
                if has == owner && other != owner =>
            {
                (other, false)
            }
            _ => (owner.to_owned(), true),
        };
        tx.set_setting(&key, &Turn { owner: next, until, wanted_by: None }).await?;
        tx.commit().await?;
        Ok(mine)
    }

    /// Takes, or keeps, the turn at planning on a shared state: no time ends it, only its owner, who gives it
    /// to one that has asked for it when it is not just planning (`busy`), or those who take over from it.
    pub async fn take_planning(
        &self,
        owner: &str,
        now: Timestamp,
        busy: bool,
    ) -> Result<bool, StoreError> {
        let key = Turn::key(PLANNING);
        let tx = self.begin().await?;
        let turn: Option<Turn> = tx.read().setting(&key).await?;
        let (next, mine) = match turn.filter(|turn| turn.until > now) {
            Some(turn) if turn.owner != owner => {
                if tx.is_there(&turn.owner).await? {
                    return Ok(false);
                }
                (owner.to_owned(), true)
            }
            Some(Turn { wanted_by: Some(other), .. }) if !busy && other != owner => {
                if tx.is_there(&other).await? { (other, false) } else { (owner.to_owned(), true) }
            }
            Some(_) => return Ok(true),
            None => (owner.to_owned(), true),
        };
        tx.set_setting(&key, &Turn { owner: next, until: Timestamp::MAX, wanted_by: None }).await?;
        tx.commit().await?;
        Ok(mine)
    }

    /// Asks whoever has the turn to give it up: there is work that only the one who asks can see. Whether
    /// nobody had asked before: then it has to be told.
    pub async fn ask_for_turn(&self, what: &str, owner: &str) -> Result<bool, StoreError> {
        let key = Turn::key(what);
        let tx = self.begin().await?;
        let turn: Option<Turn> = tx.read().setting(&key).await?;
        if let Some(turn) = turn.filter(|turn| turn.owner != owner && turn.wanted_by.is_none()) {
            tx.set_setting(&key, &Turn { wanted_by: Some(owner.to_owned()), ..turn }).await?;
            tx.commit().await?;
            return Ok(true);
        }
        Ok(false)
    }
}
