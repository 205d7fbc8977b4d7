//! What the tests of both kinds of directory share.

use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::directory::settings::{
    AttributeNames, BindSettings, OpenldapSettings, ProtectedSettings, Recycle, Timeouts,
};
use lapsed_connectors::directory::{Directory, DirectoryKind, DirectorySettings, connect};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, UserId};
use lapsed_core::observed::{Observed, ObservedAccount, PersonKeys, Scope};
use lapsed_core::step::{Action, Due, Expect, Fault, Outcome, Seen, Step, Target};
use lapsed_tests::Entry;
use lapsed_tests::samba::SambaAd;
use lapsed_tests::slapd::Slapd;
use uuid::Uuid;

pub type Ending = Result<Outcome, Fault>;

/// Settings with every default, for a server reached over LDAPS.
pub fn settings(kind: DirectoryKind, base: &str) -> DirectorySettings {
    DirectorySettings {
        kind,
        servers: Vec::new(),
        ca_file: None,
        start_tls: false,
        bind: BindSettings::default(),
        people_base: vec![format!("ou=people,{base}")],
        group_bases: vec![format!("ou=groups,{base}")],
        name_bases: Vec::new(),
        account_classes: Vec::new(),
        account_filter: None,
        group_classes: Vec::new(),
        attributes: AttributeNames::default(),
        page_size: 100,
        timeouts: Timeouts {
            connect_seconds: 5,
            operation_seconds: 20,
            refused_password_minutes: 15,
        },
        window: 32,
        members_per_request: 500,
        largest_reply_bytes: 16 * 1024 * 1024,
        recycle: Recycle::default(),
        protected: ProtectedSettings::default(),
        empty_group: Default::default(),
        create: None,
        exchange: None,
        openldap: OpenldapSettings::default(),
    }
}

pub fn of_slapd(slapd: &Slapd) -> DirectorySettings {
    DirectorySettings {
        servers: vec![slapd.url_ldaps()],
        ca_file: Some(slapd.ca_path().to_owned()),
        bind: BindSettings {
            dn: Some(slapd.bind_dn()),
            password_file: Some(slapd.password_file()),
            ..BindSettings::default()
        },
        ..settings(DirectoryKind::Openldap, slapd.base())
    }
}

pub fn of_samba(samba: &SambaAd) -> DirectorySettings {
    DirectorySettings {
        servers: vec![samba.url_ldaps()],
        ca_file: Some(samba.ca_path().to_owned()),
        bind: BindSettings {
            dn: Some(samba.bind_dn()),
            password_file: Some(samba.password_file()),
            ..BindSettings::default()
        },
        ..settings(DirectoryKind::ActiveDirectory, samba.base())
    }
}

pub fn open(settings: &DirectorySettings) -> Directory {
    connect(&name(), settings).unwrap()
}

fn name() -> ConnectorName {
    ConnectorName::new("directory").unwrap()
}

/// Someone in an OpenLDAP directory: `uid` and employee number `E-uid`.
pub fn someone(uid: &str) -> Entry {
    Entry::new(format!("uid={uid},ou=people,dc=lab,dc=test"))
        .with("objectClass", "inetOrgPerson")
        .with("uid", uid)
        .with("cn", format!("Some {uid}"))
        .with("sn", "Sn")
        .with("employeeNumber", number_of(uid))
}

/// A `groupOfNames` of these users.
pub fn group(cn: &str, uids: &[&str]) -> Entry {
    let mut entry = Entry::new(format!("cn={cn},ou=groups,dc=lab,dc=test"))
        .with("objectClass", "groupOfNames")
        .with("cn", cn);
    for uid in uids {
        entry.add("member", format!("uid={uid},ou=people,dc=lab,dc=test"));
    }
    entry
}

pub fn ldif(entries: &[Entry]) -> String {
    entries.iter().map(Entry::to_ldif).collect()
}

pub fn number_of(user_id: &str) -> String {
    format!("E-{user_id}")
}

/// The accounts of these users, found by user ID.
pub async fn people(directory: &Directory, user_ids: &[&str]) -> Observed {
    observe(directory, user_ids).await.unwrap()
}

pub async fn observe(directory: &Directory, user_ids: &[&str]) -> Result<Observed, Fault> {
    let keys = |id: &&str| PersonKeys {
        user_ids: vec![UserId::new(*id).unwrap()],
        ..PersonKeys::default()
    };
    directory.observe(&Scope::People(user_ids.iter().map(keys).collect())).await
}

/// The only account of this user.
pub async fn person(directory: &Directory, user_id: &str) -> ObservedAccount {
    let mut observed = people(directory, &[user_id]).await;
    assert_eq!(observed.accounts.len(), 1, "accounts of {user_id}");
    observed.accounts.remove(0)
}

pub fn target(account: &ObservedAccount) -> Target {
    Target { id: account.id.clone(), label: account.user_id.to_string() }
}

/// A step on the account as it was observed.
pub fn step(account: &ObservedAccount, action: Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, account.id.as_str().as_bytes()));
    let expect = Expect {
        user_id: account.user_id.clone(),
        employee_number: account.employee_number.clone(),
    };
    Step::new(CaseId::departure(person, 0), person, name(), action, expect, Due::AtOnce, Rule::D2)
}

pub fn disable(account: &ObservedAccount) -> Step {
    step(account, Action::Disable { account: target(account) })
}

pub fn stamp(account: &ObservedAccount, text: &str) -> Step {
    step(account, Action::StampDescription { account: target(account), text: text.to_owned() })
}

pub fn scramble(account: &ObservedAccount) -> Step {
    step(account, Action::ScramblePassword { account: target(account) })
}

pub fn reset_primary_group(account: &ObservedAccount) -> Step {
    step(account, Action::ResetPrimaryGroup { account: target(account) })
}

/// One step a group that the account was seen in.
pub fn leave_all(account: &ObservedAccount) -> Vec<Step> {
    let leave = |link: &lapsed_core::observed::GroupLink| {
        let group = Target { id: link.id.clone(), label: link.name.clone() };
        step(account, Action::LeaveGroup { account: target(account), group })
    };
    account.groups.iter().map(leave).collect()
}

pub async fn apply(directory: &Directory, steps: &[Step]) -> Vec<Ending> {
    let endings = directory.apply(steps).await;
    assert_eq!(endings.len(), steps.len(), "one ending a step");
    endings
}

/// Applies and wants every step to have changed something.
pub async fn change(directory: &Directory, steps: &[Step]) {
    for (step, ending) in steps.iter().zip(apply(directory, steps).await) {
        assert!(matches!(ending, Ok(Outcome::Changed(_))), "{step:?}: {ending:?}");
    }
}

/// Applies and wants every step to be so already.
pub async fn nothing_to_change(directory: &Directory, steps: &[Step]) {
    for (step, ending) in steps.iter().zip(apply(directory, steps).await) {
        assert_eq!(ending, Ok(Outcome::AlreadySo), "{step:?}");
    }
}

pub async fn all_as_wanted(directory: &Directory, steps: &[Step]) {
    for (step, seen) in steps.iter().zip(directory.read_back(steps).await) {
        assert_eq!(seen, Ok(Seen::AsWanted), "{step:?}");
    }
}

pub fn group_names(account: &ObservedAccount) -> Vec<&str> {
    let mut names: Vec<&str> = account.groups.iter().map(|link| link.name.as_str()).collect();
    names.sort_unstable();
    names
}

pub fn number(text: &str) -> EmployeeNumber {
    EmployeeNumber::new(text).unwrap()
}
