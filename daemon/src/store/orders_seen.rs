//! Which daemons can't look through the orders that are put into their folders: a hold may lie there, and none of
//! them deletes meanwhile.

use super::{Store, StoreError};
use std::collections::BTreeSet;

/// The setting with the names of those daemons.
const UNSEEN: &str = "daemons that can't look through their orders";

impl Store {
    /// Whether every daemon that works on this state has looked through what lies in its folder.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn orders_seen_by_all(&self) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let read = self.read();
        let unseen: BTreeSet<String> = read.setting(UNSEEN).await?.unwrap_or_default();
        if unseen.is_empty() {
            return Ok(true);
        }
        // What lies with a daemon that is gone is told as its silence is.
        let daemons = read.daemons().await?;
        Ok(!daemons.iter().any(|daemon| daemon.runs() && unseen.contains(&daemon.name)))
    }

    /// Puts on record whether a daemon has looked through its orders.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn note_orders_seen(&self, daemon: &str, seen: bool) -> Result<(), StoreError> {
        let unseen: BTreeSet<String> = self.read().setting(UNSEEN).await?.unwrap_or_default();
        if unseen.contains(daemon) != seen {
            return Ok(());
        }
        let tx = self.begin().await?;
        let mut unseen: BTreeSet<String> = tx.read().setting(UNSEEN).await?.unwrap_or_default();
        if seen {
            unseen.remove(daemon);
        } else {
            unseen.insert(daemon.to_owned());
        }
        tx.set_setting(UNSEEN, &unseen).await?;
        tx.commit().await.map(drop)
    }
}
