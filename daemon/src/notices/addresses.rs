//! Where a notice goes: addresses of the YAML, or the supervisor's own from the directory.

use crate::config::{ConnectorSettings, KindRule, NoticeSettings};
use crate::cycle::{Cycle, CycleError};
use lapsed_connectors::mail::MailAddress;
use lapsed_core::facts::{
    ConnectorName, EmployeeNumber, GroupName, LocationId, Person, PersonId, UserId,
};
use lapsed_core::notice_rules::{Addressee, Kind};
use lapsed_core::observed::{ObservedAccount, PersonKeys, Realm, Scope};
use lapsed_core::policy::naming::find_location;
use lapsed_core::step::Fault;
use std::collections::{BTreeSet, HashMap};

/// A mail about a form goes to so many members of a role's groups at the most.
const MOST_MEMBERS: usize = 20;

/// What directories said of who is in which groups, while some notices are sent.
#[derive(Debug, Default)]
pub(super) struct MembersAsked(HashMap<Vec<GroupName>, Found>);

/// What a search for addresses gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// These.
    To(Vec<String>),
    /// None, for that reason; account management gets the notice, and is told why.
    Nobody(String),
    /// It can't be said now.
    Later(String),
}

impl Cycle {
    /// Where a notice goes, copies included.
    pub(super) async fn addresses_of(
        &self,
        settings: &NoticeSettings,
        (kind, addressee): (Kind, &Addressee),
        leaver: Option<PersonId>,
        asked: &mut MembersAsked,
    ) -> Result<Found, CycleError> {
        let rule = settings.rule(kind);
        if !rule.to.is_empty() {
            return Ok(Found::To(with_copies(rule.to.clone(), &rule)));
        }
        let found = match addressee {
            Addressee::Supervisor { number: None } => {
                Found::Nobody("HR names no supervisor of the leaver".into())
            }
            Addressee::Supervisor { number: Some(number) } => {
                self.supervisor(number, leaver).await?
            }
            Addressee::SecurityOfficer { location } => self.officer(location.as_ref()),
            Addressee::Named { addresses, .. } if !addresses.is_empty() => {
                Found::To(addresses.clone())
            }
            Addressee::Named { what, user_ids, .. } => self.named(what, user_ids).await,
            Addressee::Members { what, user_ids, groups } => {
                self.members(what, user_ids, groups, asked).await
            }
            Addressee::AccountManagement => Found::To(settings.account_management.clone()),
            Addressee::OnCall if settings.on_call.is_empty() => {
                Found::To(settings.account_management.clone())
            }
            Addressee::OnCall => Found::To(settings.on_call.clone()),
            Addressee::Feed { feed } => match settings.receipts.get(feed) {
                Some(list) if !list.is_empty() => Found::To(list.clone()),
                _ => Found::Nobody(format!("notices.receipts names nobody for {feed}")),
            },
        };
        Ok(match found {
            Found::To(list) => Found::To(with_copies(list, &rule)),
            other => other,
        })
    }

    fn officer(&self, location: Option<&LocationId>) -> Found {
        let Some(id) = location else {
            return Found::Nobody("the leaver's worksite is not known".into());
        };
        match find_location(&self.config.policy.locations, id) {
            Some((_, location)) if !location.security_officer.is_empty() => {
                Found::To(location.security_officer.clone())
            }
            Some((_, location)) => Found::Nobody(format!(
                "no security officer is named for {} (locations.{id}.security_officer)",
                location.name
            )),
            None => Found::Nobody(format!("there is no location {id}")),
        }
    }

    async fn supervisor(
        &self,
        number: &EmployeeNumber,
        leaver: Option<PersonId>,
    ) -> Result<Found, CycleError> {
        let read = self.store.read();
        let people = read.people_by_keys(std::slice::from_ref(number), &[]).await?;
        if people.iter().any(|person| Some(person.id) == leaver) {
            return Ok(Found::Nobody("HR names the leaver as their own supervisor".into()));
        }
        if people.len() > 1 {
            return Ok(Found::Nobody("several people have the supervisor's number".into()));
        }
        let mut accounts = Vec::new();
        let mut away = None;
        for (name, eye) in self.eyes.0.iter().filter(|(name, _)| self.is_directory(name)) {
            let keys = self.supervisor_keys(number, people.first(), name);
            match eye.observe(&Scope::People(vec![keys])).await {
                Ok(observed) => accounts.extend(observed.accounts),
                Err(Fault::Retry(cause) | Fault::Unknown(cause)) => {
                    away = Some(format!("{name} can't be read: {cause}"));
                }
                Err(Fault::Refused(cause)) => {
                    tracing::warn!(connector = %name, %cause, "the supervisor can't be looked up");
                }
            }
        }
        Ok(match (address(&accounts), away) {
            (Ok(address), _) => Found::To(vec![address]),
            (Err(_), Some(why)) => Found::Later(why),
            (Err(why), None) => Found::Nobody(why),
        })
    }

    /// The addresses of people by their log-on names: each one's first that can be used.
    async fn named(&self, what: &str, user_ids: &[UserId]) -> Found {
        let nobody = format!(
            "no mail address is known of the {what} (access.approvers.{what}.mail names one for a role)"
        );
        if user_ids.is_empty() {
            return Found::Nobody(nobody);
        }
        let keys = PersonKeys { user_ids: user_ids.to_vec(), ..PersonKeys::default() };
        let (mut accounts, mut away) = (Vec::new(), None);
        for (name, eye) in self.eyes.0.iter().filter(|(name, _)| self.is_directory(name)) {
            match eye.observe(&Scope::People(vec![keys.clone()])).await {
                Ok(observed) => accounts.extend(observed.accounts),
                Err(fault) => away = Some(format!("{name} can't be read: {fault}")),
            }
        }
        let mut found = Vec::new();
        for user_id in user_ids {
            let named = |other: &UserId| other.folded() == user_id.folded();
            let own = accounts.iter().filter(|account| account.user_ids().any(named));
            let own: Vec<ObservedAccount> = own.cloned().collect();
            found.extend(address(&own));
        }
        match (found.is_empty(), away) {
            (false, _) => Found::To(found),
            (true, Some(why)) => Found::Later(why),
            (true, None) => Found::Nobody(nobody),
        }
    }

    /// The addresses of those who have a role by groups, and of those who have it by name.
    async fn members(
        &self,
        what: &str,
        user_ids: &[UserId],
        groups: &[GroupName],
        asked: &mut MembersAsked,
    ) -> Found {
        let in_groups = match asked.0.get(groups) {
            Some(known) => known.clone(),
            None => {
                let found = self.members_of(what, groups).await;
                asked.0.insert(groups.to_vec(), found.clone());
                found
            }
        };
        let by_name = match user_ids {
            [] => Found::To(Vec::new()),
            some => self.named(what, some).await,
        };
        match (in_groups, by_name) {
            (Found::To(mut all), Found::To(named)) => {
                all.extend(named);
                Found::To(all)
            }
            // Who stands in for somebody is not left out because their directory is away.
            (Found::To(_), Found::Later(why)) => Found::Later(why),
            (Found::To(all), Found::Nobody(_)) => Found::To(all),
            // Those who have it by name decide as well; a mail to a crowd would be nobody's.
            (Found::Nobody(_), Found::To(named)) if !named.is_empty() => Found::To(named),
            (other, _) => other,
        }
    }

    async fn members_of(&self, what: &str, groups: &[GroupName]) -> Found {
        let scope = Scope::Members(groups.to_vec());
        let (mut accounts, mut away) = (Vec::new(), None);
        for (name, eye) in self.eyes.0.iter().filter(|(name, _)| self.is_directory(name)) {
            match eye.observe(&scope).await {
                Ok(observed) => accounts.extend(observed.accounts),
                Err(fault) => away = Some(format!("{name} can't be read: {fault}")),
            }
        }
        let shown = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
        let mails = accounts.iter().filter_map(|one| address(std::slice::from_ref(one)).ok());
        let mails: BTreeSet<String> = mails.collect();
        match (mails.len(), away) {
            (0, Some(why)) => Found::Later(why),
            (0, None) => Found::Nobody(format!(
                "no member of {shown} has a mail address (access.approvers.{what}.mail names one for the role)"
            )),
            (many, _) if many > MOST_MEMBERS => Found::Nobody(format!(
                "{shown} has {many} members with mail, more than {MOST_MEMBERS}: name those who are to be told \
                 (access.approvers.{what}.mail)"
            )),
            (_, _) => Found::To(mails.into_iter().collect()),
        }
    }

    fn is_directory(&self, name: &ConnectorName) -> bool {
        matches!(self.config.connectors.get(name), Some(ConnectorSettings::Directory(_)))
    }

    fn supervisor_keys(
        &self,
        number: &EmployeeNumber,
        person: Option<&Person>,
        target: &ConnectorName,
    ) -> PersonKeys {
        match person {
            Some(person) => self.keys_of(person, target),
            None => PersonKeys { employee_numbers: vec![number.clone()], ..Default::default() },
        }
    }
}

/// The address of somebody with these accounts, or why there is none.
fn address(accounts: &[ObservedAccount]) -> Result<String, String> {
    let own: Vec<_> = accounts.iter().filter(|a| a.realm == Realm::Directory).collect();
    if own.is_empty() {
        return Err("no account carries the supervisor's number".into());
    }
    if own.iter().all(|account| !account.enabled) {
        return Err("the supervisor's own account is shut".into());
    }
    let open = own.iter().filter(|account| account.enabled);
    let mails = open.filter_map(|account| account.mail.as_deref());
    let mut good = mails.filter_map(|mail| MailAddress::parse(mail).ok());
    let none = || "the supervisor's account has no mail address that can be used".to_owned();
    good.next().map(|address| address.bare()).ok_or_else(none)
}

fn with_copies(mut list: Vec<String>, rule: &KindRule) -> Vec<String> {
    list.extend(rule.copy_to.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|address| seen.insert(address.to_lowercase()));
    list
}
