//! Takes one drop into the facts: whole, or not at all, in one transaction (D1).

use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, DropRecord, DropState, SetAside as Waiting, Tx};
use jiff::Timestamp;
use lapsed_core::absorb::{Change, Context, Match, absorb, match_person};
use lapsed_core::access::gate::GatePassed;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Person, PersonId, SourceName, Statement, Status, UserId};
use lapsed_core::intake::receipt::Effect;
use lapsed_core::intake::spec::Mode;
use lapsed_core::intake::{self, PreviousDrop, Rejection, SetAside, Taken};
use said_before::{Said, SaidBefore};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

mod said_before;

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

/// What a taken drop meant, for the receipt.
#[derive(Debug)]
pub struct Summary {
    /// What the parser made of it.
    pub taken: Taken,
    /// Rows for which exactly one person could not be found, or which contradict what is known.
    pub unmatched: Vec<SetAside>,
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
    /// Keys in the last full drop and not in this one. Absence is no notice: a person looks.
    pub missing: Vec<String>,
}

impl Summary {
    fn new(taken: Taken) -> Self {
        Self {
            taken,
            unmatched: Vec::new(),
            unchanged: 0,
            new_people: 0,
            notices: 0,
            withdrawn: 0,
            rehired: 0,
            missing: Vec::new(),
        }
    }

    /// Every row that was set aside, by the parser or by the matching.
    pub fn set_aside(&self) -> impl Iterator<Item = &SetAside> {
        self.taken.set_aside.iter().chain(&self.unmatched)
    }

    /// Statements that were used.
    #[must_use]
    pub fn used(&self) -> u64 {
        (self.taken.statements.len() as u64).saturating_sub(self.unmatched.len() as u64)
    }

    /// The same for the receipt.
    #[must_use]
    pub fn effect(&self) -> Effect {
        Effect {
            changed: self.used().saturating_sub(self.unchanged),
            unchanged: self.unchanged,
            unmatched: self.unmatched.len() as u64,
        }
    }
}

impl Cycle {
    /// Takes a drop. The store is changed in one transaction, or not at all.
    pub async fn take_drop(&self, drop: Drop<'_>, now: Timestamp) -> Result<Taking, CycleError> {
        let Some(feed) = self.config.feeds.get(drop.feed) else {
            return Err(CycleError::Rule(format!("no feed is called {}", drop.feed)));
        };
        let digest = intake::digest(drop.bytes);
        let last = self.store.read().last_accepted_drop(drop.feed).await?;
        // Only the latest: an older one may come again word for word and mean something by now.
        if let Some(last) = last.as_ref().filter(|last| last.sha256 == digest) {
            return Ok(Taking::Repeated(last.received_at));
        }
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
            detail: json!({
                "feed": drop.feed, "file": drop.file_name, "sha256": digest, "reason": rejection.to_string(),
            }),
            ..AuditEntry::new(now, DAEMON, "drop.rejected")
        });
        self.tell_rejected(&tx, drop, rejection, now).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn absorb_drop(
        &self,
        drop: Drop<'_>,
        taken: Taken,
        now: Timestamp,
    ) -> Result<Summary, CycleError> {
        let mode = self.config.feeds.get(drop.feed).map(|f| f.spec.mode);
        let population = population(&taken.statements);
        let known = self.said_before(drop.feed, mode, &taken.statements).await?;
        let mut tx = self.store.begin().await?;
        let id = Uuid::now_v7();
        let notices_only = mode == Some(Mode::Notices);
        let is_full = mode == Some(Mode::Full);
        let mut work = Work {
            cycle: self,
            drop,
            now,
            known,
            notices_only,
            people: HashMap::new(),
            by_key: HashMap::new(),
            dirty: HashSet::new(),
            digests: Vec::new(),
            gates: Vec::new(),
            summary: Summary::new(taken),
        };
        // Taken out while it is walked, since the rows' outcome goes into the same summary.
        let mut statements = std::mem::take(&mut work.summary.taken.statements);
        for rows in statements.chunks_mut(ROWS_AT_ONCE) {
            work.take_rows(&tx, rows).await?;
            work.save(&mut tx).await?;
        }
        work.summary.taken.statements = statements;
        let (summary, gone) = work.finish(mode);
        tx.record_drop(&self.record_of(id, drop, &summary, is_full, now)).await?;
        tx.set_aside(&waiting(id, drop, summary.set_aside(), now)).await?;
        if is_full {
            // A drop is judged by the population of the one before, never by its own.
            let listed = format!("listed.{}", drop.feed);
            let before = self.store.read().setting::<u32>(&listed).await?;
            let measure = before.unwrap_or(population);
            tx.set_setting(&format!("population.{}", drop.feed), &measure).await?;
            tx.set_setting(&listed, &population).await?;
        }
        tx.forget_statements(drop.feed, &gone).await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::D1)),
            detail: json!({
                "feed": drop.feed, "file": drop.file_name, "sha256": summary.taken.digest,
                "rows": summary.taken.rows, "set_aside": summary.set_aside().count(),
                "notices": summary.notices, "withdrawn": summary.withdrawn,
                "missing": summary.missing.len(),
            }),
            ..AuditEntry::new(now, DAEMON, "drop.accepted")
        });
        self.tell_taken(&tx, drop, &summary, now).await?;
        tx.commit().await?;
        Ok(summary)
    }

    /// What the feed said last: of everybody where it matters who is missing, else of those in the drop.
    async fn said_before(
        &self,
        feed: &SourceName,
        mode: Option<Mode>,
        statements: &[Statement],
    ) -> Result<SaidBefore, CycleError> {
        let read = self.store.read();
        let mut said = Vec::new();
        let mut note = |key: String, digest: String| said.push(Said::new(key, &digest));
        if mode == Some(Mode::Delta) {
            let keys: Vec<String> = statements.iter().map(statement_key).collect();
            let theirs = read.statement_digests_of(feed, &keys).await?;
            theirs.into_iter().for_each(|(key, digest)| note(key, digest));
        } else {
            read.each_statement_digest(feed, note).await?;
        }
        Ok(SaidBefore::new(said))
    }

    fn record_of(
        &self,
        id: Uuid,
        drop: Drop<'_>,
        summary: &Summary,
        is_full: bool,
        now: Timestamp,
    ) -> DropRecord {
        DropRecord {
            id,
            sha256: summary.taken.digest.clone(),
            source: drop.feed.clone(),
            file_name: drop.file_name.to_owned(),
            received_at: now,
            state: DropState::Accepted,
            sequence: summary.taken.sequence,
            headcount: is_full.then_some(summary.taken.headcount),
            as_of: summary.taken.as_of,
            counts: json!({
                "rows": summary.taken.rows, "taken": summary.used(),
                "set_aside": summary.set_aside().count(), "unchanged": summary.unchanged,
                "new_people": summary.new_people, "notices": summary.notices,
                "withdrawn": summary.withdrawn, "rehired": summary.rehired,
                "missing": summary.missing.len(),
            }),
            rejection: None,
        }
    }
}

/// People of a drop who have not left, each counted once whatever posts they have.
fn population(statements: &[Statement]) -> u32 {
    let people: HashSet<String> = statements
        .iter()
        .filter(|s| s.status != Status::Departed)
        .filter_map(|s| {
            let number = s.employee_number.as_ref().map(|n| n.folded());
            number.or_else(|| s.user_id.as_ref().map(|u| u.folded()))
        })
        .collect();
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}

fn previous(drop: &DropRecord) -> PreviousDrop {
    PreviousDrop {
        sequence: drop.sequence,
        headcount: drop.headcount.unwrap_or(0),
        digest: drop.sha256.clone(),
        as_of: drop.as_of,
    }
}

fn waiting<'a>(
    id: Uuid,
    drop: Drop<'_>,
    rows: impl Iterator<Item = &'a SetAside>,
    now: Timestamp,
) -> Vec<Waiting> {
    rows.map(|row| Waiting {
        // The same row of the same drop is the same entry.
        id: Uuid::new_v5(&id, row.line.to_string().as_bytes()),
        drop: Some(id),
        source: drop.feed.clone(),
        file_name: drop.file_name.to_owned(),
        line: Some(row.line),
        reason: row.reason.clone(),
        who: row.who.clone(),
        at: now,
        settled_at: None,
    })
    .collect()
}

/// The key under which a statement's digest is kept.
fn statement_key(statement: &Statement) -> String {
    let number = statement.employee_number.as_ref().map(|n| n.folded()).unwrap_or_default();
    let user_id = statement.user_id.as_ref().map(|u| u.folded()).unwrap_or_default();
    key(&number, &statement.record, &user_id)
}

fn key(number: &str, record: &str, user_id: &str) -> String {
    format!("{number}\u{1f}{record}\u{1f}{user_id}")
}

/// Every key under which the latest statement of a feed about one of the person's engagements may be kept: a
/// feed need not give number, record and user ID.
pub fn statement_keys(person: &Person) -> Vec<String> {
    let mut keys = BTreeSet::new();
    let user_ids: Vec<String> =
        person.user_ids().iter().map(UserId::folded).chain([String::new()]).collect();
    for engagement in &person.engagements {
        let number = engagement.employee_number.as_ref().map(|n| n.folded()).unwrap_or_default();
        for user_id in &user_ids {
            for record in [engagement.record.as_str(), ""] {
                keys.extend([key(&number, record, user_id), key("", record, user_id)]);
            }
        }
    }
    keys.into_iter().collect()
}

fn statement_digest(statement: &mut Statement) -> String {
    // The line is where it stood, not what it said. It is left out without a copy: a feed has a million of them.
    let line = std::mem::take(&mut statement.line);
    let mut digest = intake::digest(&serde_json::to_vec(statement).unwrap_or_default());
    statement.line = line;
    digest.truncate(32);
    digest
}

struct Work<'a> {
    cycle: &'a Cycle,
    drop: Drop<'a>,
    now: Timestamp,
    known: SaidBefore,
    notices_only: bool,
    people: HashMap<PersonId, Person>,
    by_key: HashMap<String, Vec<PersonId>>,
    dirty: HashSet<PersonId>,
    digests: Vec<(String, String)>,
    gates: Vec<GatePassed>,
    summary: Summary,
}

impl Work<'_> {
    async fn take_rows(&mut self, tx: &Tx, rows: &mut [Statement]) -> Result<(), CycleError> {
        let mut fresh = Vec::new();
        for statement in rows {
            let key = statement_key(statement);
            let digest = statement_digest(statement);
            let statement = &*statement;
            let unchanged = self.known.list(&key, &digest);
            // Whose number was changed is not missing under the old one.
            if let Some(former) = &statement.former_employee_number {
                let before =
                    Statement { employee_number: Some(former.clone()), ..(*statement).clone() };
                self.known.list(&statement_key(&before), &digest);
            }
            if unchanged {
                self.summary.unchanged += 1;
            } else {
                fresh.push((statement, key, digest));
            }
        }
        self.load(tx, fresh.iter().map(|(statement, ..)| *statement)).await?;
        for (statement, key, digest) in fresh {
            match self.take_row(statement) {
                Ok(()) => self.digests.push((key, digest)),
                Err(reason) => {
                    let who = statement
                        .employee_number
                        .as_ref()
                        .map(ToString::to_string)
                        .or_else(|| statement.user_id.as_ref().map(ToString::to_string));
                    self.summary.unmatched.push(SetAside { line: statement.line, reason, who });
                }
            }
        }
        Ok(())
    }

    async fn load<'s>(
        &mut self,
        tx: &Tx,
        rows: impl Iterator<Item = &'s Statement>,
    ) -> Result<(), CycleError> {
        let mut numbers = Vec::new();
        let mut user_ids = Vec::new();
        for statement in rows {
            numbers.extend(statement.employee_number.clone());
            numbers.extend(statement.former_employee_number.clone());
            user_ids.extend(statement.user_id.clone());
        }
        for person in tx.read().people_by_keys(&numbers, &user_ids).await? {
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
        let mut ids: Vec<PersonId> = numbers
            .chain(user_id)
            .filter_map(|key| self.by_key.get(&key))
            .flatten()
            .copied()
            .collect();
        ids.sort();
        ids.dedup();
        ids.iter().filter_map(|id| self.people.get(id)).cloned().collect()
    }

    fn take_row(&mut self, statement: &Statement) -> Result<(), String> {
        let candidates = self.candidates(statement);
        let source = self.drop.feed;
        let mut person = match match_person(statement, source, &candidates) {
            Match::Known(place) => candidates[place].clone(),
            Match::New => Person::new(PersonId(Uuid::now_v7())),
            Match::Unclear(reason) => return Err(reason),
        };
        let is_new = candidates.is_empty();
        if is_new && self.notices_only {
            return Err("nobody known has this number or user ID; ask HR whose it is".into());
        }
        let context = Context {
            source,
            brought_by: self.drop.file_name,
            received_at: self.now,
            policy: &self.cycle.config.policy.departure,
            zone: &self.cycle.config.time_zone,
            notices_only: self.notices_only,
            listed_before: self.known.has(&statement_key(statement)),
        };
        let changes = absorb(&mut person, statement, context)?;
        self.summary.new_people += u64::from(is_new);
        for change in &changes {
            match change {
                Change::Noticed => self.summary.notices += 1,
                Change::NoticeWithdrawn => self.summary.withdrawn += 1,
                Change::Rehired => self.summary.rehired += 1,
                Change::Joined | Change::Updated | Change::Repeated => {}
            }
        }
        self.pass_gates(person.id, statement);
        self.index(&person);
        // A person whose gates are stored is stored.
        if !changes.is_empty() || !statement.gates.is_empty() {
            self.dirty.insert(person.id);
        }
        self.people.insert(person.id, person);
        Ok(())
    }

    /// What the row says was signed or done (A4).
    fn pass_gates(&mut self, person: PersonId, statement: &Statement) {
        let source = format!("feed {}", self.drop.feed);
        let passed = statement.gates.iter().map(|(gate, on)| GatePassed {
            id: GatePassed::id_of(person, gate, *on, &source),
            person,
            gate: gate.clone(),
            on: *on,
            source: source.clone(),
            document: None,
            at: self.now,
            withdrawn_at: None,
        });
        self.gates.extend(passed);
    }

    /// Writes what the rows so far have changed; people stay at hand for later rows of the same drop.
    async fn save(&mut self, tx: &mut Tx) -> Result<(), CycleError> {
        let mut dirty: Vec<PersonId> = self.dirty.drain().collect();
        dirty.sort();
        let people: Vec<Person> =
            dirty.iter().filter_map(|id| self.people.get(id)).cloned().collect();
        tx.save_people(&people).await?;
        tx.mark_to_decide(&dirty, self.now).await?;
        let mut gates = std::mem::take(&mut self.gates);
        // One statement can't set a row twice.
        gates.sort_by_key(|passed| passed.id);
        gates.dedup_by_key(|passed| passed.id);
        tx.add_gates(&gates).await?;
        tx.look_at_forms_of(&dirty, self.now).await?;
        tx.save_statement_digests(self.drop.feed, &std::mem::take(&mut self.digests)).await?;
        Ok(())
    }

    /// The summary, and the keys of statements that the last drop had and this one has not: what a full feed
    /// misses, and what a feed of notices says anew where it comes again.
    fn finish(self, mode: Option<Mode>) -> (Summary, Vec<String>) {
        let mut summary = self.summary;
        let mut gone = Vec::new();
        if matches!(mode, Some(Mode::Full | Mode::Notices)) {
            let mut missing: BTreeMap<&str, ()> = BTreeMap::new();
            // Who is listed in a row that was set aside is not missing.
            let aside = summary.set_aside().filter_map(|row| row.who.as_deref());
            let aside: HashSet<String> =
                aside.filter_map(|who| who.split(' ').next_back().map(str::to_lowercase)).collect();
            for key in self.known.missing() {
                let mut parts = key.split('\u{1f}').filter(|part| !part.is_empty());
                if parts.any(|part| aside.contains(part)) {
                    continue;
                }
                missing.insert(key.split('\u{1f}').next().unwrap_or(key), ());
                gone.push(key.to_owned());
            }
            if mode == Some(Mode::Full) {
                summary.missing = missing.into_keys().map(str::to_owned).collect();
            }
        }
        (summary, gone)
    }
}

#[cfg(test)]
mod tests;
