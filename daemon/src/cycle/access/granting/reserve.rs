//! Log-on names, mail addresses and numbers, set apart before anything is made with them (N4, N5).

use super::since_copy::{There, no_name};
use super::{Cycle, CycleError, Holder};
use crate::cycle::DAEMON;
use crate::cycle::decide::{Decided, aside};
use crate::store::{AuditEntry, Tx};
use jiff::Timestamp;
use lapsed_connectors::settings::Ability;
use lapsed_core::access::entitlement::EntitlementState;
use lapsed_core::access::form::{Asks, FiledForm, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{PersonId, UserId};
use lapsed_core::observed::Scope;
use lapsed_core::policy::access::{Holder as NameOf, MailAddress};
use lapsed_core::policy::naming::{Candidates, NameRequest, TakenIds, candidates, fits};
use lapsed_core::reconcile::granting::{Whereabouts, rename_request, whereabouts};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many addresses of one name are tried; nobody has as many namesakes.
const MOST_ADDRESSES: u32 = 10_000;

/// Which log-on name a form is to have.
pub(super) enum Wants {
    /// The one that the person has.
    Kept(UserId),
    /// The first of these that is free.
    OneOf(Candidates),
}

/// What counts as taken in every target that makes accounts, each read whole or not at all (N5), and once a
/// round: such a question lists a target.
///
/// That it is read once is safe. What this round sets apart is added to it, and what another daemon sets
/// apart meanwhile is in the ledger, whose key takes a name once. What somebody makes by hand after the look
/// would be missed by a later look as well: it is found when the account is made, and the name given up.
#[derive(Default)]
pub(super) struct Taken {
    /// Names; the inner `None` where a directory could not be read.
    names: Option<Option<TakenIds>>,
    /// Numbers on file systems.
    numbers: Option<Option<BTreeSet<u32>>>,
}

impl Cycle {
    /// Sets log-on names apart for those who need one. Whoever can't get one now is left out of this round.
    pub(super) async fn reserve(
        &self,
        mut holders: Vec<Holder>,
        (taken, decided): (&mut Taken, &mut Decided),
        now: Timestamp,
    ) -> Result<Vec<Holder>, CycleError> {
        if !holders
            .iter()
            .any(|holder| holder.forms.iter().any(|form| self.needs_a_name(holder, form)))
        {
            return Ok(holders);
        }
        if taken.names.is_none() {
            taken.names = Some(self.taken_names(decided).await?);
        }
        let Some(Some(taken)) = &mut taken.names else {
            // Half a list would give a name that is somebody's: those forms wait for the target.
            let needs =
                |holder: &Holder| holder.forms.iter().any(|form| self.needs_a_name(holder, form));
            holders.retain(|holder| !needs(holder));
            return Ok(holders);
        };
        let there = self.there_since_copy(&holders, taken).await?;
        let mut tx = self.store.begin().await?;
        for holder in &mut holders {
            for at in 0..holder.forms.len() {
                let Some(form) = holder.forms.get(at).cloned() else { continue };
                if !self.needs_a_name(holder, &form) {
                    continue;
                }
                let named = match there.get(&form.number) {
                    // Nothing is told: it is looked for again soon.
                    Some(There::Unread) => continue,
                    Some(There::Own(own)) => {
                        Ok(tx.own_user_id(own, holder.person.id, now).await?.then(|| own.clone()))
                    }
                    Some(There::Doubtful(problem)) => Err(problem.clone()),
                    None => Ok(None),
                };
                let named = match named {
                    Ok(Some(own)) => Ok(own),
                    Ok(None) => self.name_for(&mut tx, holder, &form, taken, now).await?,
                    Err(problem) => Err(problem),
                };
                match named {
                    Ok(user_id) => {
                        tx.set_reserved(form.number, Some(&user_id)).await?;
                        // With the names of before: what is named after them is found by them.
                        let mut theirs = holder.person.user_ids();
                        theirs.push(user_id.clone());
                        tx.keep_user_ids(holder.person.id, &theirs).await?;
                        tx.audit(self.reserved_entry(holder, &form, &user_id, now));
                        holder.person.other_user_ids.push(user_id.clone());
                        if let Some(form) = holder.forms.get_mut(at) {
                            form.reserved = Some(user_id);
                        }
                    }
                    Err(problem) => {
                        let reason = no_name(&form, &problem);
                        tx.set_aside_once(&aside(&holder.person, &reason, now)?).await?;
                    }
                }
            }
            self.reserve_mail(&mut tx, holder, taken, now).await?;
        }
        tx.commit().await?;
        Ok(holders)
    }

    fn reserved_entry(
        &self,
        holder: &Holder,
        form: &FiledForm,
        user_id: &UserId,
        now: Timestamp,
    ) -> AuditEntry {
        AuditEntry {
            person: Some(holder.person.id),
            case: Some(form.case()),
            user_id: Some(user_id.clone()),
            clause: Some(self.config.policy.citations.cite(Rule::N5)),
            detail: json!({ "form": form.number }),
            ..AuditEntry::new(now, DAEMON, "user_id.reserved")
        }
    }

    /// Whether a form gives a log-on name or changes it, and has none yet.
    pub(super) fn needs_a_name(&self, holder: &Holder, form: &FiledForm) -> bool {
        if form.reserved.is_some() || form.state.has_ended() {
            return false;
        }
        match form.form.asks {
            Asks::New => {
                form.state == FormState::Approved
                    || holder
                        .entitlements
                        .iter()
                        .any(|e| e.form == form.number && e.state == EntitlementState::Approved)
            }
            Asks::NameChange | Asks::LocationChange => {
                form.state == FormState::Approved && self.rename_of(holder, form).is_some()
            }
            _ => false,
        }
    }

    fn rename_of(&self, holder: &Holder, form: &FiledForm) -> Option<NameRequest> {
        let Holder { person, forms, entitlements } = holder;
        rename_request(&self.config.policy, person, forms, entitlements, form)
    }

    /// The names of every target that makes accounts and those of the ledger; nothing where one of them can't
    /// be read whole: half a list would give a namesake's account to the joiner.
    async fn taken_names(&self, decided: &mut Decided) -> Result<Option<TakenIds>, CycleError> {
        let mut names = TakenIds::default();
        names.extend(self.store.read().taken_user_ids().await?);
        let givers: Vec<_> =
            self.name_givers().map(|(name, eye)| (name.clone(), eye.clone())).collect();
        for (name, eye) in givers {
            match eye.observe(&Scope::TakenNames).await {
                Ok(observed) => names.extend(observed.taken_names),
                Err(fault) => {
                    tracing::warn!(connector = %name, %fault, "taken names can't be read; new log-on names wait");
                    decided.answered.remove(&name);
                    decided.unreadable.insert(name, fault);
                    return Ok(None);
                }
            }
        }
        Ok(Some(names))
    }

    /// The name of one form, set apart: that of the person's former account (D10), the one they have where
    /// it still fits (N7), or the first of the standard that is free.
    async fn name_for(
        &self,
        tx: &mut Tx,
        holder: &Holder,
        form: &FiledForm,
        taken: &mut TakenIds,
        now: Timestamp,
    ) -> Result<Result<UserId, String>, CycleError> {
        // A name that turned out to be somebody else's is not given once more.
        let mut present = self.present_name(holder);
        if let Some(own) = &present
            && !tx.own_user_id(own, holder.person.id, now).await?
        {
            present = None;
        }
        let mut wanted = match self.wanted_names(holder, form, present) {
            Ok(Wants::Kept(own)) => return Ok(Ok(own)),
            Ok(Wants::OneOf(wanted)) => wanted,
            Err(problem) => return Ok(Err(problem)),
        };
        let none = wanted.all_taken();
        for user_id in wanted.by_ref() {
            if taken.contains(user_id.as_str()) {
                continue;
            }
            // The database decides between two daemons.
            taken.insert(user_id.as_str());
            if tx.reserve_user_id(&user_id, holder.person.id, now).await? {
                return Ok(Ok(user_id));
            }
        }
        Ok(Err(none.to_string()))
    }

    /// The names that a form may be given, best first, beside the one that the person has.
    pub(super) fn wanted_names(
        &self,
        holder: &Holder,
        form: &FiledForm,
        present: Option<UserId>,
    ) -> Result<Wants, String> {
        let policy = &self.config.policy;
        let request = match form.form.asks {
            Asks::New => {
                // What was given to somebody once is theirs, also when they come back.
                if let Some(own) = present {
                    return Ok(Wants::Kept(own));
                }
                let place = place_of(holder, form);
                let name = place.name.ok_or("no name is known to make a user ID of")?;
                NameRequest { name, location: place.location, kind: place.kind, function: None }
            }
            _ => self.rename_of(holder, form).ok_or("the account keeps its name")?,
        };
        if let Some(own) = present
            && fits(&policy.naming, &policy.locations, &request, &own).unwrap_or(false)
        {
            return Ok(Wants::Kept(own));
        }
        let wanted = candidates(&policy.naming, &policy.locations, &request);
        wanted.map(Wants::OneOf).map_err(|error| error.to_string())
    }

    /// The log-on name that the person has, or had last, in a directory.
    pub(super) fn present_name(&self, holder: &Holder) -> Option<UserId> {
        let linked = holder.person.accounts.iter().rev();
        let mut theirs = linked.filter(|account| self.able(&account.connector, Ability::Accounts));
        let templates = &self.config.policy.departure.linked_accounts;
        let beside = |id: &UserId| {
            holder.person.accounts.iter().any(|base| {
                lapsed_core::policy::departure::linked_user_ids(templates, &base.user_id)
                    .is_ok_and(|linked| linked.iter().any(|other| other.folded() == id.folded()))
            })
        };
        theirs.find(|account| !beside(&account.user_id)).map(|account| account.user_id.clone())
    }

    /// Sets the mail addresses of a person's forms apart: what stands before the `@` is a name like others.
    async fn reserve_mail(
        &self,
        tx: &mut Tx,
        holder: &Holder,
        taken: &mut TakenIds,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        for form in holder.forms.iter().filter(|form| !form.state.has_ended()) {
            let address = match self.address_of(holder, form) {
                Ok(Some(address)) => address,
                Ok(None) => continue,
                Err(problem) => {
                    tx.set_aside_once(&aside(&holder.person, &no_address(form, &problem), now)?)
                        .await?;
                    continue;
                }
            };
            for count in 0..MOST_ADDRESSES {
                let Ok(local) = UserId::new(address.numbered_local(count)) else { break };
                let owner = tx.read().user_id(&local).await?.and_then(|record| record.person);
                if owner == Some(holder.person.id) {
                    break;
                }
                if owner.is_none() && !taken.contains(local.as_str()) {
                    taken.insert(local.as_str());
                    if tx.reserve_user_id(&local, holder.person.id, now).await? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The address without a number that a form's account is to have; none where nothing is given or renamed.
    fn address_of(&self, holder: &Holder, form: &FiledForm) -> Result<Option<MailAddress>, String> {
        let Some(user_id) = &form.reserved else { return Ok(None) };
        let place = place_of(holder, form);
        let Some(name) = place.name else { return Ok(None) };
        let of = NameOf {
            name: &name,
            user_id,
            location: place.location.as_ref(),
            kind: place.kind.as_ref(),
        };
        let address = self.config.policy.mail_address(&of);
        address.map_err(|error| error.to_string())
    }

    /// The mail address that is set apart for a form's account: the ledger says which. The inner error is
    /// that of one person, and holds up nobody else.
    pub(super) async fn mail_of(
        &self,
        holder: &Holder,
        form: &FiledForm,
    ) -> Result<Result<Option<String>, String>, CycleError> {
        let address = match self.address_of(holder, form) {
            Ok(Some(address)) => address,
            Ok(None) => return Ok(Ok(None)),
            Err(problem) => return Ok(Err(no_address(form, &problem))),
        };
        for count in 0..MOST_ADDRESSES {
            let Ok(local) = UserId::new(address.numbered_local(count)) else { break };
            let Some(record) = self.store.read().user_id(&local).await? else { break };
            if record.person == Some(holder.person.id) {
                return Ok(Ok(Some(address.numbered(count))));
            }
        }
        Ok(Ok(None))
    }

    /// Numbers for file systems of those who get an account (RFC 2307), set apart.
    pub(super) async fn numbers_of(
        &self,
        holders: &[Holder],
        (taken, decided): (&mut Taken, &mut Decided),
        now: Timestamp,
    ) -> Result<HashMap<PersonId, u32>, CycleError> {
        let Some(range) = self.config.policy.access.accounts.uid_numbers else {
            return Ok(HashMap::new());
        };
        let gets_account = |holder: &&Holder| {
            holder
                .forms
                .iter()
                .any(|f| f.form.asks == Asks::New && f.reserved.is_some() && !f.state.has_ended())
        };
        let theirs: Vec<PersonId> =
            holders.iter().filter(gets_account).map(|h| h.person.id).collect();
        if theirs.is_empty() {
            return Ok(HashMap::new());
        }
        if taken.numbers.is_none() {
            taken.numbers = Some(self.taken_numbers(decided).await);
        }
        let Some(Some(taken)) = &taken.numbers else { return Ok(HashMap::new()) };
        let mut numbers = HashMap::new();
        let tx = self.store.begin().await?;
        for person in theirs {
            match tx.reserve_number("uid_number", person, range, taken, now).await? {
                Some(number) => drop(numbers.insert(person, number)),
                None => {
                    tracing::error!("access.accounts.uid_numbers is used up; give a wider range")
                }
            }
        }
        tx.commit().await?;
        Ok(numbers)
    }

    async fn taken_numbers(&self, decided: &mut Decided) -> Option<BTreeSet<u32>> {
        let mut taken = BTreeSet::new();
        let directories: BTreeMap<_, _> =
            self.directories().map(|(name, eye)| (name.clone(), eye.clone())).collect();
        for (name, eye) in directories {
            match eye.observe(&Scope::AllAccounts).await {
                Ok(observed) => {
                    taken.extend(observed.accounts.iter().filter_map(|account| account.uid_number));
                }
                Err(fault) => {
                    decided.answered.remove(&name);
                    decided.unreadable.insert(name, fault);
                    return None;
                }
            }
        }
        Some(taken)
    }
}

fn place_of(holder: &Holder, form: &FiledForm) -> Whereabouts {
    whereabouts(&holder.person, &holder.forms, &holder.entitlements, Some(form.number))
}

fn no_address(form: &FiledForm, problem: &str) -> String {
    format!("form {}: no mail address can be made: {problem}", form.number)
}
