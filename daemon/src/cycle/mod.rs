//! The one loop: drops become facts, facts become plans, plans pass the guard and are carried out.
//!
//! A wake-up carries no input, it only says "look again": everything that a round needs stands in the
//! store. `plan` and `simulate` run the same code on a scratch copy of the store, without hands.

pub mod access;
pub mod asked;
pub mod carry_out;
pub mod cases;
mod clocks;
pub mod confirm;
pub mod decide;
pub mod departing;
mod flood;
mod homes;
mod others;
pub mod pace;
mod receipts;
mod shut_out;
pub mod take;
mod wished;

use crate::config::Config;
use crate::store::{Store, StoreError};
use crate::targets::Eyes;
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::settings::Ability;
use lapsed_core::facts::ConnectorName;
use std::sync::Arc;

/// The actor of everything that the daemon does by itself.
pub const DAEMON: &str = "daemon";

/// What every part of a round needs: state, rules, and eyes on the targets.
#[derive(Clone)]
pub struct Cycle {
    /// The state.
    pub store: Store,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// The targets, read-only.
    pub eyes: Eyes,
}

/// Why a round could not be finished. What was committed before stays; the next round goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The state database.
    #[error("the state could not be read or written")]
    Store(#[from] StoreError),
    /// A rule of the YAML that does not work, found only when it was used.
    #[error("a rule of the configuration does not work: {0}")]
    Rule(String),
}

impl Cycle {
    /// The same, telling nobody by mail: for what is only rehearsed, and for what is long past.
    #[must_use]
    pub fn quietly(self) -> Self {
        match self.config.notices {
            None => self,
            Some(_) => {
                let mut config = Config::clone(&self.config);
                config.notices = None;
                Self { config: Arc::new(config), ..self }
            }
        }
    }

    /// Whether a target can be asked to do something.
    pub(crate) fn able(&self, name: &ConnectorName, ability: Ability) -> bool {
        let settings = self.config.connectors.get(name);
        settings.is_some_and(|settings| settings.of_kind().abilities().contains(&ability))
    }

    /// The directories, whose accounts make a person.
    pub(crate) fn directories(&self) -> impl Iterator<Item = (&ConnectorName, &Arc<dyn Observe>)> {
        self.eyes.0.iter().filter(|(name, _)| self.able(name, Ability::Accounts))
    }

    /// Targets whose names count as taken (N5): directories, and systems in which accounts are made.
    pub(crate) fn name_givers(&self) -> impl Iterator<Item = (&ConnectorName, &Arc<dyn Observe>)> {
        let settings = |name| self.config.connectors.get(name);
        let count =
            move |name| settings(name).is_some_and(|settings| settings.of_kind().names_count());
        self.eyes.0.iter().filter(move |(name, _)| count(*name))
    }

    /// The calendar date at `now` in the agency's zone.
    #[must_use]
    pub fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.config.time_zone.clone()).date()
    }

    /// A moment in the agency's zone as the documented shapes have it (RFC 3339): `2026-11-20T17:00:00-06:00`.
    #[must_use]
    pub fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.config.time_zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// A moment in the agency's zone, for people: `2026-11-20 17:00 -06:00`.
    #[must_use]
    pub fn shown_time(&self, at: Timestamp) -> String {
        at.to_zoned(self.config.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }
}

/// A date with its weekday, for people: `Fri 2026-11-20`.
#[must_use]
pub fn shown_date(date: Date) -> String {
    date.strftime("%a %Y-%m-%d").to_string()
}
