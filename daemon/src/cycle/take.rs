//! Takes one drop into the facts: whole, or not at all, in one transaction (D1).

use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, DropRecord, DropState, NewSetAside, Tx};
use jiff::Timestamp;
use lapsed_core::absorb::{Change, Context, Match, absorb, match_person};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Person, PersonId, SourceName, Statement, Status};
use lapsed_core::intake::{self, PreviousDrop, Rejection, SetAside, Taken};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// People are looked up and written so many rows at a time.
const ROWS_AT_ONCE: usize = 400;

/// A drop as it was read from the inbox.
#[derive(Debug, Clone, Copy)]
pub struct Drop<'a> {
    /// Which feed's it is.
    pub feed: &'a SourceName,
    /// Its name, safe to show.
    pub file_name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its `.done` file's.
    pub done: Option<&'a [u8]>,
}

/// What became of a drop.
#[derive(Debug)]
pub enum Taking {
    /// The very same drop was accepted before, at this moment; nothing changes.
    Repeated(Timestamp),
    /// Rejected whole.
    Rejected(Rejection),
    /// Taken.
    Taken(Summary),
}

/// Counts for the receipt.
#[derive(Debug, Default)]
pub struct Summary {
    /// Rows that said the same as before.
    pub unchanged: u64,
    /// People seen for the first time.
    pub new_people: u64,
    /// New and moved notices.
    pub notices: u64,
    /// Notices taken back.
    pub withdrawn: u64,
    /// Rehires.
    pub rehired: u64,
    /// Rows set aside, by the parser or for want of exactly one person.
    pub set_aside: Vec<SetAside>,
    /// Rows taken.
    pub taken: u64,
    /// Rows in all.
    pub rows: u64,
    /// Keys in the last full drop and not in this one. Absence is no notice: a person looks.
    pub missing: Vec<String>,
}

impl Cycle {
    /// Takes a drop. The store is changed in one transaction, or not at all.
    pub async fn take_drop(&self, drop: Drop<'_>, now: Timestamp) -> Result<Taking, CycleError> {
        let Some(feed) = self.config.feeds.get(drop.feed) else {
            return Err(CycleError::Rule(format!("no feed is called {}", drop.feed)));
        };
        let digest = intake::digest(drop.bytes);
        if let Some(earlier) = self.store.drop_by_digest(drop.feed, &digest).await?
            && earlier.state == DropState::Accepted
        {
            return Ok(Taking::Repeated(earlier.received_at));
        }
        let last = self.store.last_accepted_drop(drop.feed).await?;
        let previous = last.as_ref().map(previous);
        match intake::take(&feed.spec, drop.bytes, drop.done, drop.file_name, previous.as_ref()) {
            Err(rejection) => {
                self.reject_drop(drop, &digest, &rejection, now).await?;
                Ok(Taking::Rejected(rejection))
            }
            Ok(taken) => Ok(Taking::Taken(self.absorb_drop(drop, taken, now).await?)),
        }
    }

    async fn reject_drop(
        &self,
        drop: Drop<'_>,
        digest: &str,
        rejection: &Rejection,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let mut tx = self.store.begin().await?;
        tx.record_drop(&DropRecord {
            id: Uuid::now_v7(),
            sha256: digest.to_owned(),
            source: drop.feed.clone(),
            file_name: drop.file_name.to_owned(),
            received_at: now,
            state: DropState::Rejected,
            sequence: None,
            headcount: None,
            as_of: None,
            counts: json!({}),
            rejection: Some(rejection.to_string()),
        })
        .await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::D1)),
            ..AuditEntry::new(now, DAEMON, "drop.rejected", json!({
                "feed": drop.feed, "file": drop.file_name, "sha256": digest, "reason": rejection.to_string(),
            }))
        });
        tx.commit().await?;
        Ok(())
    }

    async fn absorb_drop(
        &self,
        drop: Drop<'_>,
        taken: Taken,
        now: Timestamp,
    ) -> Result<Summary, CycleError> {
        let known = self.store.statement_digests(drop.feed).await?;
        let mut tx = self.store.begin().await?;
        let id = Uuid::now_v7();
        let is_full = taken.is_full;
        let headcount = taken.headcount;
        let population =
            taken.statements.iter().filter(|s| s.status != Status::Departed).count();
        let mut work = Work {
            cycle: self,
            drop,
            now,
            known: &known,
            people: HashMap::new(),
            by_key: HashMap::new(),
            dirty: HashSet::new(),
            digests: Vec::new(),
            seen: HashSet::new(),
            summary: Summary {
                rows: taken.rows,
                set_aside: taken.set_aside,
                ..Summary::default()
            },
        };
        for rows in taken.statements.chunks(ROWS_AT_ONCE) {
            work.take_rows(rows).await?;
            work.save(&mut tx).await?;
        }
        let mut summary = work.finish(is_full);
        summary.taken = summary.rows.saturating_sub(summary.set_aside.len() as u64);
        tx.record_drop(&DropRecord {
            id,
            sha256: taken.digest.clone(),
            source: drop.feed.clone(),
            file_name: drop.file_name.to_owned(),
            received_at: now,
            state: DropState::Accepted,
            sequence: taken.sequence,
            headcount: is_full.then_some(headcount),
            as_of: taken.as_of,
            counts: json!({
                "rows": summary.rows, "taken": summary.taken, "set_aside": summary.set_aside.len(),
                "unchanged": summary.unchanged, "new_people": summary.new_people,
                "notices": summary.notices, "withdrawn": summary.withdrawn,
                "rehired": summary.rehired, "missing": summary.missing.len(),
            }),
            rejection: None,
        })
        .await?;
        tx.set_aside(&set_asides(id, drop, &summary.set_aside, now)).await?;
        if is_full {
            tx.set_setting(&format!("population.{}", drop.feed), &population).await?;
        }
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::D1)),
            ..AuditEntry::new(now, DAEMON, "drop.accepted", json!({
                "feed": drop.feed, "file": drop.file_name, "sha256": taken.digest, "rows": summary.rows,
                "set_aside": summary.set_aside.len(), "notices": summary.notices,
                "withdrawn": summary.withdrawn, "missing": summary.missing.len(),
            }))
        });
        tx.commit().await?;
        Ok(summary)
    }
}

fn previous(drop: &DropRecord) -> PreviousDrop {
    PreviousDrop {
        sequence: drop.sequence,
        headcount: drop.headcount,
        digest: drop.sha256.clone(),
        as_of: drop.as_of,
    }
}

fn set_asides(id: Uuid, drop: Drop<'_>, rows: &[SetAside], now: Timestamp) -> Vec<NewSetAside> {
    rows.iter()
        .map(|row| NewSetAside {
            drop: Some(id),
            source: drop.feed.clone(),
            file_name: drop.file_name.to_owned(),
            line: Some(row.line),
            reason: row.reason.clone(),
            who: row.who.clone(),
            at: now,
        })
        .collect()
}

/// The key under which a statement's digest is kept.
fn statement_key(statement: &Statement) -> String {
    let number = statement.employee_number.as_ref().map(|n| n.folded()).unwrap_or_default();
    let user_id = statement.user_id.as_ref().map(|u| u.folded()).unwrap_or_default();
    format!("{number}\u{1f}{}\u{1f}{user_id}", statement.record)
}

fn statement_digest(statement: &Statement) -> String {
    // The line is where it stood, not what it said.
    let said = Statement { line: 0, ..statement.clone() };
    intake::digest(&serde_json::to_vec(&said).unwrap_or_default()).chars().take(32).collect()
}

struct Work<'a> {
    cycle: &'a Cycle,
    drop: Drop<'a>,
    now: Timestamp,
    known: &'a HashMap<String, String>,
    people: HashMap<PersonId, Person>,
    by_key: HashMap<String, Vec<PersonId>>,
    dirty: HashSet<PersonId>,
    digests: Vec<(String, String)>,
    seen: HashSet<String>,
    summary: Summary,
}

impl Work<'_> {
    async fn take_rows(&mut self, rows: &[Statement]) -> Result<(), CycleError> {
        let mut fresh = Vec::new();
        for statement in rows {
            let key = statement_key(statement);
            let digest = statement_digest(statement);
            let unchanged = self.known.get(&key).is_some_and(|known| *known == digest);
            self.seen.insert(key.clone());
            if unchanged {
                self.summary.unchanged += 1;
            } else {
                fresh.push((statement, key, digest));
            }
        }
        self.load(fresh.iter().map(|(statement, ..)| *statement)).await?;
        for (statement, key, digest) in fresh {
            match self.take_row(statement) {
                Ok(()) => self.digests.push((key, digest)),
                Err(reason) => {
                    let who = statement
                        .employee_number
                        .as_ref()
                        .map(ToString::to_string)
                        .or_else(|| statement.user_id.as_ref().map(ToString::to_string));
                    self.summary.set_aside.push(SetAside { line: statement.line, reason, who });
                }
            }
        }
        Ok(())
    }

    async fn load(&mut self, rows: impl Iterator<Item = &Statement>) -> Result<(), CycleError> {
        let mut numbers = Vec::new();
        let mut user_ids = Vec::new();
        for statement in rows {
            numbers.extend(statement.employee_number.clone());
            numbers.extend(statement.former_employee_number.clone());
            user_ids.extend(statement.user_id.clone());
        }
        for person in self.cycle.store.people_by_keys(&numbers, &user_ids).await? {
            if !self.people.contains_key(&person.id) {
                self.index(&person);
                self.people.insert(person.id, person);
            }
        }
        Ok(())
    }

    fn index(&mut self, person: &Person) {
        let numbers = person.employee_numbers().into_iter().map(|n| format!("n{}", n.folded()));
        let user_ids = person.user_ids().into_iter().map(|u| format!("u{}", u.folded()));
        for key in numbers.chain(user_ids) {
            let ids = self.by_key.entry(key).or_default();
            if !ids.contains(&person.id) {
                ids.push(person.id);
            }
        }
    }

    fn candidates(&self, statement: &Statement) -> Vec<Person> {
        let numbers = [&statement.employee_number, &statement.former_employee_number];
        let numbers = numbers.into_iter().flatten().map(|n| format!("n{}", n.folded()));
        let user_id = statement.user_id.iter().map(|u| format!("u{}", u.folded()));
        let mut ids: Vec<PersonId> =
            numbers.chain(user_id).filter_map(|key| self.by_key.get(&key)).flatten().copied().collect();
        ids.sort();
        ids.dedup();
        ids.iter().filter_map(|id| self.people.get(id)).cloned().collect()
    }

    fn take_row(&mut self, statement: &Statement) -> Result<(), String> {
        let candidates = self.candidates(statement);
        let source = self.cycle.config.source_of(self.drop.feed);
        let mut person = match match_person(statement, source, &candidates) {
            Match::Known(place) => candidates[place].clone(),
            Match::New => Person::new(PersonId(Uuid::now_v7())),
            Match::Unclear(reason) => return Err(reason),
        };
        let is_new = person.engagements.is_empty();
        let context = Context {
            source,
            brought_by: self.drop.file_name,
            received_at: self.now,
            policy: &self.cycle.config.policy.departure,
            zone: &self.cycle.config.time_zone,
        };
        let changes = absorb(&mut person, statement, context)?;
        self.summary.new_people += u64::from(is_new);
        for change in &changes {
            match change {
                Change::Noticed => self.summary.notices += 1,
                Change::NoticeWithdrawn => self.summary.withdrawn += 1,
                Change::Rehired => self.summary.rehired += 1,
                Change::Joined | Change::Updated => {}
            }
        }
        self.index(&person);
        if !changes.is_empty() {
            self.dirty.insert(person.id);
        }
        self.people.insert(person.id, person);
        Ok(())
    }

    /// Writes what the rows so far have changed; people stay at hand for later rows of the same drop.
    async fn save(&mut self, tx: &mut Tx) -> Result<(), CycleError> {
        let mut dirty: Vec<PersonId> = self.dirty.drain().collect();
        dirty.sort();
        let people: Vec<&Person> = dirty.iter().filter_map(|id| self.people.get(id)).collect();
        tx.save_people(&people).await?;
        tx.mark_to_decide(&dirty, self.now).await?;
        tx.save_statement_digests(self.drop.feed, &std::mem::take(&mut self.digests)).await?;
        Ok(())
    }

    fn finish(self, is_full: bool) -> Summary {
        let mut summary = self.summary;
        if is_full {
            let mut missing: BTreeMap<&str, ()> = BTreeMap::new();
            for key in self.known.keys().filter(|key| !self.seen.contains(*key)) {
                missing.insert(key.split('\u{1f}').next().unwrap_or(key), ());
            }
            summary.missing = missing.into_keys().map(str::to_owned).collect();
        }
        summary
    }
}
