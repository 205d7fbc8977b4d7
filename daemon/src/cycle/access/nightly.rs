//! The nightly audit: everything that is there, against everything that is approved (S3, S4, A9).
//!
//! **Guarantees.** A target that could not be listed whole settles no finding and locks nobody. The same
//! finding is told once. Nothing is mended but what `access.audit.mend` names.

use super::super::departing::Accounts;
use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::store::{AuditEntry, FormFilter, SetAside, StepFilter, StoredStep, Tx};
use jiff::Timestamp;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::settings::Ability;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::finding::{AccessFinding, FindingKind};
use lapsed_core::access::form::FiledForm;
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{ConnectorName, Person, PersonId, SourceName, StableId};
use lapsed_core::observed::{GroupLink, Observed, PersonKeys, Scope};
use lapsed_core::reconcile::auditing::{Audited, Auditing, audit, compared};
use lapsed_core::step::{Action, Fault};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// People are read, and directories asked for memberships, so many at a time.
pub(super) const AT_ONCE: usize = 200;
/// The setting that says that what was there was taken for approved, by whom and when.
pub const BASELINE: &str = "access.baseline";
/// The setting that says when the audit ran last and what could not be read.
pub const LAST_AUDIT: &str = "access.audit";

/// How an audit went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nightly {
    /// What was found, and what follows from it.
    pub audited: Audited,
    /// Targets that could not be listed whole, with why.
    pub unread: BTreeMap<ConnectorName, String>,
    /// Findings that are new.
    pub new: usize,
    /// Findings that are gone.
    pub gone: usize,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything.
    Everything,
    /// Those about whom something changed.
    Changes,
}

struct Seen {
    accounts: Accounts,
    whole: BTreeSet<ConnectorName>,
    with_groups: BTreeSet<ConnectorName>,
    unread: BTreeMap<ConnectorName, String>,
}

impl Cycle {
    /// Looks at everything, stores what was found, and does what follows from it.
    pub async fn audit_access(&self, now: Timestamp) -> Result<Nightly, CycleError> {
        let nightly = self.look_at_everything(now).await?;
        let known = self.store.read().all_access_findings().await?;
        let seen: BTreeSet<ConnectorName> = self
            .eyes
            .0
            .keys()
            .filter(|name| !nightly.unread.contains_key(*name))
            .cloned()
            .collect();
        self.put_on_record(nightly, known, &seen, Extent::Everything, now).await
    }

    /// Holds what was found against what is known of those who were looked at, and does what follows from it.
    /// `seen` are the targets that were read whole.
    pub(super) async fn put_on_record(
        &self,
        mut nightly: Nightly,
        known: Vec<AccessFinding>,
        seen: &BTreeSet<ConnectorName>,
        extent: Extent,
        now: Timestamp,
    ) -> Result<Nightly, CycleError> {
        let was: BTreeMap<_, _> = known.iter().map(|f| (f.id, f.settled_at)).collect();
        let changed = compared(known, nightly.audited.findings.clone(), seen, now);
        let fresh: Vec<&AccessFinding> = changed
            .iter()
            .filter(|f| f.settled_at.is_none() && was.get(&f.id).is_none_or(Option::is_some))
            .collect();
        let gone: Vec<&AccessFinding> =
            changed.iter().filter(|f| f.settled_at == Some(now)).collect();
        (nightly.new, nightly.gone) = (fresh.len(), gone.len());
        if extent == Extent::Changes && changed.is_empty() {
            return Ok(nightly);
        }
        // What is judged by how many there are, and what is a matter of days, is for a look at everybody.
        let counts = match extent {
            Extent::Everything => Some((self.population().await?, self.mended_lately(now).await?)),
            Extent::Changes => None,
        };
        let mut tx = self.store.begin().await?;
        tx.save_access_findings(&changed).await?;
        self.ticket_findings(&tx, &fresh, &gone, now).await?;
        self.mend(&mut tx, &fresh, &nightly.audited, now).await?;
        let Some((population, lately)) = counts else {
            if nightly.new + nightly.gone > 0 {
                self.note_audit(&mut tx, &nightly, "access.changes_audited", now);
            }
            tx.commit().await?;
            return Ok(nightly);
        };
        self.take_out_of_groups(&mut tx, &changed, &nightly.audited, &lately, now).await?;
        self.expire_passwords(&mut tx, &nightly.audited, (seen, population), now).await?;
        self.lock_unused(&mut tx, &nightly.audited, now).await?;
        self.stop_expired(&mut tx, now).await?;
        let said = format!(
            "{}: {} new, {} gone, {} targets not read",
            self.stamp(now),
            nightly.new,
            nightly.gone,
            nightly.unread.len()
        );
        tx.set_setting(LAST_AUDIT, &said).await?;
        self.note_audit(&mut tx, &nightly, "access.audited", now);
        tx.commit().await?;
        Ok(nightly)
    }

    fn note_audit(&self, tx: &mut Tx, nightly: &Nightly, event: &str, now: Timestamp) {
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::S4)),
            detail: json!({
                "findings": nightly.audited.findings.len(), "new": nightly.new, "gone": nightly.gone,
                "unread": nightly.unread.keys().collect::<Vec<_>>(),
                "troubles": nightly.audited.troubles,
            }),
            ..AuditEntry::new(now, DAEMON, event)
        });
    }

    /// Reads every target and holds it against what is approved; writes nothing.
    async fn look_at_everything(&self, now: Timestamp) -> Result<Nightly, CycleError> {
        // The directory is read while the state is.
        let (people, listed) = tokio::join!(self.everybody(), self.list_all());
        let people = people?;
        let seen = self.see_all(listed, &people).await;
        let read = self.store.read();
        let entitlements = read.all_entitlements().await?;
        let suspensions = read.all_suspensions().await?;
        let mut forms: HashMap<PersonId, Vec<FiledForm>> = HashMap::new();
        for filed in read.access_forms(&FormFilter::default()).await? {
            forms.entry(filed.person).or_default().push(filed);
        }
        let filter = StepFilter { ended: Some(false), ..StepFilter::default() };
        let under_way = under_way(&read.steps(&filter).await?);
        let baseline: Option<String> = read.setting(BASELINE).await?;
        let audited = audit(&Auditing {
            people: &people,
            accounts: &seen.accounts,
            whole: &seen.whole,
            with_groups: &seen.with_groups,
            entitlements: &entitlements,
            forms: &forms,
            suspensions: &suspensions,
            under_way: &under_way,
            has_baseline: baseline.is_some(),
            policy: &self.config.policy,
            now,
            zone: &self.config.time_zone,
        });
        Ok(Nightly { audited, unread: seen.unread, new: 0, gone: 0 })
    }

    async fn everybody(&self) -> Result<Vec<Person>, CycleError> {
        let mut people: Vec<Person> = Vec::new();
        loop {
            let after = people.last().map(|person| person.id);
            let page = self.store.read().people_page(after, 1_000).await?;
            if page.is_empty() {
                return Ok(people);
            }
            people.extend(page);
        }
    }

    /// The accounts of every target that shows accounts, or why they can't be read.
    async fn list_all(&self) -> Vec<(&ConnectorName, &dyn Observe, Result<Observed, Fault>)> {
        let shows =
            |name: &_| self.able(name, Ability::Accounts) || self.able(name, Ability::Access);
        let mut listed = Vec::new();
        for (name, eye) in self.eyes.0.iter().filter(|(name, _)| shows(name)) {
            listed.push((name, eye.as_ref(), eye.observe(&Scope::AllAccounts).await));
        }
        listed
    }

    async fn see_all(
        &self,
        listed: Vec<(&ConnectorName, &dyn Observe, Result<Observed, Fault>)>,
        people: &[Person],
    ) -> Seen {
        let mut seen = Seen {
            accounts: Vec::new(),
            whole: BTreeSet::new(),
            with_groups: BTreeSet::new(),
            unread: BTreeMap::new(),
        };
        for (name, eye, observed) in listed {
            let is_directory = self.able(name, Ability::Accounts);
            let mut accounts = match observed {
                Ok(observed) => observed.accounts,
                Err(fault) => {
                    seen.unread.insert(name.clone(), fault.to_string());
                    continue;
                }
            };
            if is_directory {
                match self.with_groups(name, eye, people).await {
                    Ok(known) => {
                        for account in &mut accounts {
                            if let Some(groups) = known.get(&account.id) {
                                account.groups.clone_from(groups);
                            }
                        }
                        seen.with_groups.insert(name.clone());
                    }
                    Err(fault) => {
                        seen.unread.insert(name.clone(), fault.to_string());
                    }
                }
            }
            seen.whole.insert(name.clone());
            seen.accounts.extend(accounts.into_iter().map(|account| (name.clone(), account)));
        }
        seen
    }

    /// Whether it matters to the audit who is in which group of a directory: groups there give systems.
    pub(super) fn judges_groups_of(&self, name: &ConnectorName) -> bool {
        let systems = &self.config.policy.access.systems;
        systems.values().any(|rule| rule.connector.as_ref() == Some(name))
    }

    /// The groups of everybody's accounts in a directory.
    async fn with_groups(
        &self,
        name: &ConnectorName,
        eye: &dyn Observe,
        people: &[Person],
    ) -> Result<BTreeMap<StableId, Vec<GroupLink>>, Fault> {
        let mut known = BTreeMap::new();
        if !self.judges_groups_of(name) {
            return Ok(known);
        }
        for block in people.chunks(AT_ONCE) {
            let keys: Vec<PersonKeys> =
                block.iter().map(|person| self.keys_of(person, name)).collect();
            let observed = eye.observe(&Scope::People(keys)).await?;
            known.extend(observed.accounts.into_iter().map(|account| (account.id, account.groups)));
        }
        Ok(known)
    }

    /// Findings of the kinds that the configuration names are set aside, and become tickets from there.
    async fn ticket_findings(
        &self,
        tx: &Tx,
        fresh: &[&AccessFinding],
        gone: &[&AccessFinding],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let wanted = &self.config.policy.access.audit.tickets;
        let source =
            SourceName::new(DAEMON).map_err(|error| CycleError::Rule(error.to_string()))?;
        let aside = |finding: &&&AccessFinding| SetAside {
            id: finding.id,
            drop: None,
            source: source.clone(),
            file_name: "nightly audit".into(),
            line: None,
            reason: finding.text.clone(),
            who: None,
            at: finding.found_at,
            settled_at: finding.settled_at,
        };
        let both = fresh.iter().chain(gone);
        let all: Vec<SetAside> =
            both.filter(|f| wanted.contains(&f.kind)).map(|f| aside(&f)).collect();
        if !all.is_empty() {
            tx.set_aside(&all).await?;
        }
        tracing::info!(new = fresh.len(), gone = gone.len(), at = %self.stamp(now), "access audited");
        Ok(())
    }

    /// Mends what the configuration wants mended: a leaver is planned for anew, a suspension shuts again,
    /// what is missing is given again.
    async fn mend(
        &self,
        tx: &mut Tx,
        fresh: &[&AccessFinding],
        audited: &Audited,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let wanted = &self.config.policy.access.audit.mend;
        let of = |kind: FindingKind| -> Vec<PersonId> {
            let them = fresh.iter().filter(|f| f.kind == kind && wanted.contains(&kind));
            them.filter_map(|finding| finding.person).collect()
        };
        tx.mark_to_decide(&of(FindingKind::LeaverWithAccess), now).await?;
        tx.look_at_suspensions_of(&of(FindingKind::SuspendedWithAccess), now).await?;
        let people = of(FindingKind::ApprovedAccessMissing);
        if people.is_empty() {
            return Ok(());
        }
        let mut held = tx.read().entitlements_of(&people).await?;
        held.retain(|one| {
            one.state == EntitlementState::InPlace && audited.missing.contains(&one.id)
        });
        for one in &mut held {
            one.state = EntitlementState::Approved;
        }
        tx.save_entitlements(&held).await?;
        Ok(tx.look_at_forms_of(&people, now).await?)
    }

    /// Locks what was not used for long; the guard holds it where it is too many at once.
    async fn lock_unused(
        &self,
        tx: &mut Tx,
        audited: &Audited,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        for (person, connector, since) in &audited.unused {
            let which = format!("{connector} {since}");
            let id = Suspension::id_of(*person, SuspensionKind::Inactivity, &which);
            let known = tx.read().suspensions_of(&[*person]).await?;
            let Some(person) = tx.read().people(&[*person]).await?.pop() else { continue };
            if known.iter().any(|suspension| suspension.id == id) {
                continue;
            }
            let reason = format!("not used since {since}");
            let lock = self.by_machine(&person, SuspensionKind::Inactivity, id, reason, now);
            let lock = Suspension { connectors: vec![connector.clone()], ..lock };
            self.note_suspension(tx, &person, &lock, DAEMON, now);
            tx.save_suspensions(&[(lock, Some(now))]).await?;
        }
        Ok(())
    }

    /// Whose every access was temporary and is over keeps no open account.
    async fn stop_expired(&self, tx: &mut Tx, now: Timestamp) -> Result<(), CycleError> {
        let today = self.today(now);
        let standing = tx.read().standing_entitlements().await?;
        let mut by_person: BTreeMap<PersonId, Vec<&Entitlement>> = BTreeMap::new();
        for held in &standing {
            by_person.entry(held.person).or_default().push(held);
        }
        for (person, held) in by_person {
            let is_past = |one: &&Entitlement| one.ends_on.is_some_and(|last| last < today);
            let last = held.iter().filter_map(|one| one.ends_on).max();
            let (true, Some(last)) = (held.iter().all(is_past), last) else { continue };
            let id = Suspension::id_of(person, SuspensionKind::Expired, &last.to_string());
            let known = tx.read().suspensions_of(&[person]).await?;
            let Some(person) = tx.read().people(&[person]).await?.pop() else { continue };
            if known.iter().any(|suspension| suspension.id == id) {
                continue;
            }
            let reason = format!("the last day of temporary access was {last}");
            let stop = self.by_machine(&person, SuspensionKind::Expired, id, reason, now);
            self.note_suspension(tx, &person, &stop, DAEMON, now);
            tx.save_suspensions(&[(stop, Some(now))]).await?;
        }
        Ok(())
    }

    fn by_machine(
        &self,
        person: &Person,
        kind: SuspensionKind,
        id: uuid::Uuid,
        reason: String,
        now: Timestamp,
    ) -> Suspension {
        Suspension {
            id,
            person: person.id,
            kind,
            connectors: Vec::new(),
            starts_on: None,
            ends_on: None,
            authority: self.config.policy.citations.cite(kind.rule()),
            reason,
            form: None,
            placed_at: now,
            lifted_at: None,
            lifted_because: None,
            placed_by: None,
            by_feed: None,
            feed_moved_on: false,
            over_at: None,
        }
    }

    /// Takes what is there for approved, as an agency that begins with lapsed has no forms: each becomes an
    /// entitlement of form 0. Gives how many.
    pub async fn accept_baseline(
        &self,
        authority: &str,
        reason: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<usize, CycleError> {
        let nightly = self.look_at_everything(now).await?;
        let mut all = Vec::new();
        for (person, system, role) in nightly.audited.unapproved {
            all.push(Entitlement {
                id: Entitlement::id_of(person.0, &system, role.as_ref()),
                person,
                system,
                role,
                form: 0,
                state: EntitlementState::InPlace,
                starts_on: None,
                ends_on: None,
                approved_at: now,
                ended_at: None,
                ended_by: None,
                ended_because: None,
                recertified_on: None,
            });
        }
        let mut tx = self.store.begin().await?;
        tx.save_entitlements(&all).await?;
        tx.set_setting(BASELINE, &format!("by {who} {}", self.stamp(now))).await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::S4)),
            detail: json!({ "entitlements": all.len(), "authority": authority, "reason": reason }),
            ..AuditEntry::new(now, who, "access.baseline_accepted")
        });
        tx.commit().await?;
        Ok(all.len())
    }
}

/// Accounts about which a step is under way.
pub(super) fn under_way(steps: &[StoredStep]) -> HashSet<(ConnectorName, StableId)> {
    let now = steps.iter().filter(|stored| !waits(&stored.step.action));
    now.map(|stored| (stored.step.connector.clone(), stored.step.action.account().id.clone()))
        .collect()
}

/// What waits for its day, or for somebody's log-on, says nothing of how an account is now.
fn waits(action: &Action) -> bool {
    action.destroys() || matches!(action, Action::ExpirePassword { .. })
}
