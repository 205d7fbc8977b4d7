//! `lapsed adopt`: matches an existing directory to a first full feed; reports, and writes when told.

use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::take::{Drop, Taking};
use crate::cycle::{Cycle, CycleError};
use crate::service::Daemon;
use crate::store::{AuditEntry, IdOrigin, UserIdRecord};
use crate::views::{AdoptRequest, AdoptView};
use base64::Engine as _;
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::adopt::{Adoption, Existing};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    Case, CaseId, CaseState, ConnectorName, LinkedAccount, Person, PersonId, SourceName, UserId,
};
use lapsed_core::observed::{ObservedAccount, Scope};
use lapsed_core::policy::departure::worksite_class;
use lapsed_core::standing::{Standing, standing};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many people are read and written at a time.
const PEOPLE_AT_ONCE: u64 = 1_000;

pub(super) async fn asked(
    daemon: &Daemon,
    caller: &Caller,
    request: AdoptRequest,
) -> Result<AdoptView, ConsoleError> {
    let feed = SourceName::new(request.feed.as_str()).map_err(|e| {
        ConsoleError::new(ErrorKind::Bad, e.to_string(), "name a feed of the configuration")
    })?;
    let adopting = Adopting {
        feed,
        file_name: lapsed_core::shown::shown(&request.file_name),
        bytes: decoded(&request.content)?,
        clocks_start: request.clocks_start,
        actor: caller.name.to_string(),
    };
    let now = daemon.now();
    // Who left before is no news; of each deletion their supervisor hears before it is made.
    let cycle = daemon.cycle().quietly();
    if !request.write {
        // The same code on a copy: what the report says is what writing would do.
        let scratch = Cycle { store: daemon.store.scratch().await?, ..cycle };
        return adopt(&scratch, &adopting, now).await;
    }
    let view = adopt(&cycle, &adopting, now).await?;
    daemon.wake();
    Ok(AdoptView { written: true, ..view })
}

fn decoded(content: &str) -> Result<Vec<u8>, ConsoleError> {
    base64::engine::general_purpose::STANDARD.decode(content).map_err(|error| {
        ConsoleError::new(
            ErrorKind::Bad,
            format!("the file's content is not base64: {error}"),
            "send it with lapsed adopt",
        )
    })
}

/// What is to be adopted.
#[derive(Debug, Clone)]
pub struct Adopting {
    /// The feed whose first full drop it is.
    pub feed: SourceName,
    /// The file's name, safe to show.
    pub file_name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// From which day the clocks of accounts that are shut already run; today where absent.
    pub clocks_start: Option<Date>,
    /// Who asked.
    pub actor: String,
}

/// Takes the feed in, links people to accounts, seeds the ledger of IDs, and sets the baseline.
pub async fn adopt(
    cycle: &Cycle,
    adopting: &Adopting,
    now: Timestamp,
) -> Result<AdoptView, ConsoleError> {
    // Both directories and their names are read first: with half a directory nothing is adopted.
    let accounts = all_accounts(cycle).await?;
    let names = taken_names(cycle).await?;
    let drop = Drop {
        feed: &adopting.feed,
        file_name: &adopting.file_name,
        bytes: &adopting.bytes,
        done: None,
    };
    let set_aside = match cycle.take_drop(drop, now).await? {
        Taking::Rejected(rejection) => {
            return Err(ConsoleError::new(
                ErrorKind::Bad,
                format!("the feed was rejected whole: {rejection}"),
                "mend the file or the feed's settings, then adopt again",
            ));
        }
        Taking::Repeated(_) => Vec::new(),
        Taking::Taken(summary) => summary.set_aside().cloned().collect(),
    };
    let people = everyone(cycle).await?;
    let adoption = lapsed_core::adopt::adopt(&Existing {
        people: &people,
        accounts: &accounts,
        policy: &cycle.config.policy,
        now,
        zone: &cycle.config.time_zone,
    });
    let cases = write(cycle, adopting, &people, &adoption, &names, now).await?;
    cycle.schedule_shut(cases, now).await?;
    let shown: HashMap<PersonId, String> = people.iter().map(|p| (p.id, p.shown())).collect();
    let population = cycle.population().await?.unwrap_or(0);
    Ok(view(&adoption, &shown, &set_aside, people.len(), accounts.len(), names.len(), population))
}

async fn all_accounts(
    cycle: &Cycle,
) -> Result<Vec<(ConnectorName, ObservedAccount)>, ConsoleError> {
    let mut all = Vec::new();
    for (name, eye) in cycle.directories() {
        let observed =
            eye.observe(&Scope::AllAccounts).await.map_err(|fault| unreadable(name, &fault))?;
        all.extend(observed.accounts.into_iter().map(|account| (name.clone(), account)));
    }
    Ok(all)
}

async fn taken_names(cycle: &Cycle) -> Result<BTreeSet<String>, ConsoleError> {
    let mut all = BTreeSet::new();
    for (name, eye) in cycle.name_givers() {
        let observed =
            eye.observe(&Scope::TakenNames).await.map_err(|fault| unreadable(name, &fault))?;
        all.extend(observed.taken_names);
    }
    Ok(all)
}

fn unreadable(name: &ConnectorName, fault: &lapsed_core::step::Fault) -> ConsoleError {
    ConsoleError::new(
        ErrorKind::Unavailable,
        format!("{name} could not be read whole: {fault}"),
        "lapsed check names what is wrong; nothing was adopted",
    )
}

async fn everyone(cycle: &Cycle) -> Result<Vec<Person>, CycleError> {
    let mut all: Vec<Person> = Vec::new();
    loop {
        let after = all.last().map(|p| p.id);
        let page = cycle.store.read().people_page(after, PEOPLE_AT_ONCE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn write(
    cycle: &Cycle,
    adopting: &Adopting,
    people: &[Person],
    adoption: &Adoption,
    names: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Vec<Case>, CycleError> {
    let mut links: BTreeMap<PersonId, Vec<LinkedAccount>> = BTreeMap::new();
    for (person, link) in &adoption.links {
        links.entry(*person).or_default().push(link.clone());
    }
    let mut tx = cycle.store.begin().await?;
    tx.link_accounts(&links.into_iter().collect::<Vec<_>>()).await?;
    let clocks =
        clocks(cycle, people, adoption, adopting.clocks_start.unwrap_or(cycle.today(now)), now);
    tx.save_cases(&clocks).await?;
    tx.save_user_ids(&ledger(adoption, names, now)).await?;
    tx.audit(AuditEntry {
        clause: Some(cycle.config.policy.citations.cite(Rule::N5)),
        detail: json!({
            "feed": adopting.feed, "file": adopting.file_name, "linked": adoption.links.len(),
            "to_settle": adoption.to_settle.len(), "already_shut": adoption.already_shut.len(),
            "clocks_start": adopting.clocks_start, "names": names.len(),
        }),
        ..AuditEntry::new(now, adopting.actor.as_str(), "directory.adopted")
    });
    tx.commit().await?;
    Ok(clocks)
}

/// Cases of leavers whose every account is shut: their clocks run from the stated day.
fn clocks(
    cycle: &Cycle,
    people: &[Person],
    adoption: &Adoption,
    from: Date,
    now: Timestamp,
) -> Vec<Case> {
    let live: BTreeSet<PersonId> = adoption.leavers_with_access.iter().map(|(p, _)| *p).collect();
    let shut: BTreeSet<PersonId> = adoption.already_shut.iter().map(|(p, _)| *p).collect();
    let mut cases = Vec::new();
    for person in people.iter().filter(|p| shut.contains(&p.id) && !live.contains(&p.id)) {
        let Standing::Left(end) = standing(person, now, &cycle.config.time_zone) else { continue };
        // No clock runs while somebody still works, whatever day was stated for all.
        let last_day = person.engagements.iter().filter_map(|e| e.ends_on).max();
        let from = last_day.map_or(from, |day| from.max(day));
        cases.push(Case {
            id: CaseId::departure(person.id, person.episode),
            kind: lapsed_core::facts::CaseKind::Departure,
            person: person.id,
            state: CaseState::Open,
            effective_at: end.at,
            for_cause: end.for_cause,
            opened_at: now,
            disabled_on: Some(from),
            worksite_class: Some(worksite_class(
                end.worksite.as_ref(),
                &cycle.config.policy.locations,
            )),
            reason: format!("{}; shut before adoption, clocks run from {from}", end.reason),
            before: Vec::new(),
        });
    }
    cases
}

fn ledger(adoption: &Adoption, names: &BTreeSet<String>, now: Timestamp) -> Vec<UserIdRecord> {
    let mut owner: HashMap<String, PersonId> = HashMap::new();
    for (person, link) in &adoption.links {
        owner.insert(link.user_id.folded(), *person);
    }
    names
        .iter()
        .filter_map(|name| {
            let user_id = UserId::new(name.as_str()).ok()?;
            let person = owner.get(&user_id.folded()).copied();
            Some(UserIdRecord { user_id, person, origin: IdOrigin::Seen, at: now })
        })
        .collect()
}

fn view(
    adoption: &Adoption,
    shown: &HashMap<PersonId, String>,
    set_aside: &[lapsed_core::intake::SetAside],
    people: usize,
    accounts: usize,
    names: usize,
    population: u32,
) -> AdoptView {
    let account = |link: &LinkedAccount| format!("{}: {}", link.connector, link.user_id);
    AdoptView {
        written: false,
        people: people as u64,
        accounts: accounts as u64,
        matched: adoption.links.len() as u64,
        to_settle: adoption.to_settle.clone(),
        off_standard: adoption.off_standard.iter().map(ToString::to_string).collect(),
        already_shut: adoption.already_shut.iter().map(|(_, link)| account(link)).collect(),
        without_person: adoption.without_person.iter().map(account).collect(),
        without_account: adoption
            .without_account
            .iter()
            .filter_map(|id| shown.get(id).cloned())
            .collect(),
        leavers_with_access: adoption
            .leavers_with_access
            .iter()
            .map(|(_, link)| account(link))
            .collect(),
        set_aside: set_aside
            .iter()
            .map(|row| format!("line {}: {}", row.line, row.reason))
            .collect(),
        population,
        names_taken: names as u64,
    }
}
