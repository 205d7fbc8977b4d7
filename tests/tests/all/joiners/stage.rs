//! The daemon's own rounds on a real directory, with approved forms written into its state.

use crate::beside::{BASE, at_slapd, openldap};
use jiff::Timestamp;
use lapsed::config::Config;
use lapsed::cycle::Cycle;
use lapsed::cycle::carry_out::Executor;
use lapsed::cycle::pace::Pace;
use lapsed::store::{DatabaseSettings, FormFilter, Store};
use lapsed::targets::Hands;
use lapsed_connectors::handover::Handover;
use lapsed_connectors::settings::Shared;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{AccessForm, Asks, FiledForm, FormPersonName, FormState};
use lapsed_core::facts::{Actor, LocationId, Person, PersonId, SystemName, UserId};
use lapsed_core::policy::access::{AccessPolicy, SystemRule};
use lapsed_core::step::{Cause, Envelope};
use lapsed_tests::agency::Agency;
use lapsed_tests::ldif::escape_filter;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Entry, Failure};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

pub type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;
pub type Got<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Keeps for whom what was sealed.
#[derive(Default)]
pub struct Drawer(pub Mutex<Vec<(UserId, UserId)>>);

impl Handover for Drawer {
    fn seal<'a>(
        &'a self,
        envelope: &'a Envelope,
        user_id: &'a UserId,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), Cause>> + Send + 'a>> {
        self.0.lock().unwrap().push((envelope.opener.clone(), user_id.clone()));
        Box::pin(async { Ok(()) })
    }
}

pub struct Stage {
    pub slapd: Slapd,
    pub drawer: Arc<Drawer>,
    pub executor: Executor,
    _site: Site,
}

pub fn user_id(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

pub fn system(name: &str) -> SystemName {
    SystemName::new(name).unwrap()
}

pub fn name(last: &str, first: &str) -> FormPersonName {
    FormPersonName { last: last.into(), first: first.into(), preferred: None }
}

/// What the agency of these tests gives: an account, groups by location, and one for everyone.
pub fn access(policy: &mut AccessPolicy) {
    let given = |groups: &[&str]| SystemRule {
        connector: lapsed_core::facts::ConnectorName::new("directory").ok(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..SystemRule::default()
    };
    policy.systems.insert(system("account"), given(&[]));
    policy.systems.insert(system("files"), given(&["Files {{ location }}"]));
    policy.systems.insert(system("wards"), given(&["Wards"]));
    policy.included = Vec::new();
    policy.accounts.mail_address = "{{ first }}.{{ last }}@dmh.test".into();
    policy.accounts.homes = None;
    policy.accounts.mailboxes = None;
}

const GROUPS: [&str; 3] = ["Files z", "Files q", "Wards"];

/// How the example says nothing yet, and how accounts are made here.
const CREATE: (&str, &str) = (
    "    #create:\n      # Where.",
    "    create:\n      below: \"ou=people,dc=dmh,dc=test\"\n      classes: [inetOrgPerson]\n      # Where.",
);

impl Stage {
    pub async fn new() -> Got<Self> {
        let slapd = openldap(&Agency::new(60, 7), Slapd::builder())?;
        for group in GROUPS {
            let member = format!("cn={group},ou=groups,{BASE}");
            slapd.load_ldif(&format!(
                "dn: {member}\nobjectClass: groupOfNames\ncn: {group}\nmember: {member}\n"
            ))?;
        }
        Self::beside(slapd, |at| at).await
    }

    /// With the daemon at another address of the same directory: that of a relay.
    pub async fn beside(slapd: Slapd, at: impl FnOnce(DirectoryAt) -> DirectoryAt) -> Got<Self> {
        let site = Site::beside(&at(at_slapd(&slapd)))?;
        site.reconfigure(&[CREATE])?;
        let (mut config, _) = lapsed::config::load(&site.config())
            .map_err(|errors| Failure::new(errors.to_string()))?;
        access(&mut config.policy.access);
        let url = format!("sqlite://{}", site.path("test.db").display());
        let settings = DatabaseSettings { url, password_file: None, max_connections: 4 };
        let store = Store::open(&settings, None).await?;
        let drawer = Arc::new(Drawer::default());
        let executor = executor(config, store, &drawer)?;
        Ok(Self { slapd, drawer, executor, _site: site })
    }

    pub fn store(&self) -> &Store {
        &self.executor.cycle.store
    }

    pub fn cycle(&self) -> &Cycle {
        &self.executor.cycle
    }

    /// Rounds as the daemon makes them, until the form is in place.
    pub async fn until_in_place(&self, number: u64) -> Ended {
        for _ in 0..20 {
            self.round().await?;
            let form = self.form(number).await?;
            if form.state == FormState::InPlace {
                return Ok(());
            }
        }
        let aside = self.store().read().open_set_asides().await?;
        Err(format!("form {number} is not in place: {aside:?}").into())
    }

    pub async fn round(&self) -> Ended {
        self.cycle().access_round(Timestamp::now()).await?;
        self.executor.carry_out().await?;
        Ok(())
    }

    pub async fn form(&self, number: u64) -> Got<FiledForm> {
        self.store().read().access_form(number).await?.ok_or_else(|| "no such form".into())
    }

    /// The account as the directory shows it.
    pub fn account(&self, user_id: &str) -> Got<Entry> {
        let filter = format!("(uid={})", escape_filter(user_id));
        let mut found = self.slapd.search(&filter, &["*", "+"])?;
        match found.len() {
            1 => Ok(found.remove(0)),
            count => Err(format!("{count} accounts of the name {user_id}").into()),
        }
    }

    pub fn groups_of(&self, account: &Entry) -> Got<Vec<String>> {
        let filter = format!("(member={})", escape_filter(&account.dn));
        let mut groups: Vec<String> = self
            .slapd
            .search(&filter, &["cn"])?
            .iter()
            .filter_map(|group| group.first("cn"))
            .collect();
        groups.sort();
        Ok(groups)
    }
}

pub fn executor(config: Config, store: Store, drawer: &Arc<Drawer>) -> Got<Executor> {
    let handover: Arc<dyn Handover> = drawer.clone();
    let mut hands = Hands::default();
    for (name, settings) in &config.connectors {
        if name.as_str() == "directory" {
            let shared = Shared { handover: Some(&handover), ..Shared::default() };
            hands.0.insert(name.clone(), settings.of_kind().connect(name, &shared)?);
        }
    }
    let cycle = Cycle { store, config: Arc::new(config), eyes: hands.eyes() };
    Ok(Executor {
        orders_seen: std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true)),
        fence: std::sync::Arc::new(lapsed::service::Fence::open()),
        cycle,
        hands,
        owner: "test".into(),
        clock: Arc::new(Timestamp::now),
        pace: Pace::default(),
    })
}

/// An approved form, as it lies in the state once everybody said yes.
pub async fn approved(
    store: &Store,
    person: PersonId,
    asks: Asks,
    systems: &[&str],
    edit: impl FnOnce(&mut AccessForm),
) -> Got<u64> {
    let tx = store.begin().await?;
    if tx.read().person(person).await?.is_none() {
        tx.save_person(&Person::new(person)).await?;
    }
    let number = tx.next_form_number().await?;
    let text = serde_json::json!({
        "form": "staff_access", "version": 1, "id": Uuid::new_v5(&person.0, &number.to_be_bytes()),
        "asks": asks,
        "person": { "location": "z", "kind": "staff", "supervisor": "mzbossb" },
    });
    let mut form: AccessForm = serde_json::from_value(text)?;
    edit(&mut form);
    let held = systems.iter().map(|name| {
        let system = system(name);
        Entitlement {
            id: Entitlement::id_of(form.id, &system, None),
            person,
            system,
            role: None,
            form: number,
            state: EntitlementState::Approved,
            starts_on: None,
            ends_on: None,
            approved_at: Timestamp::now(),
            ended_at: None,
            ended_by: None,
            ended_because: None,
            recertified_on: None,
        }
    });
    let held: Vec<Entitlement> = held.collect();
    let filed = FiledForm {
        number,
        form,
        hash: number.to_string(),
        person,
        filed_by: Actor::new("clerk")?,
        filed_at: Timestamp::now(),
        state: FormState::Approved,
        ended_because: None,
        reserved: None,
        reminders: 0,
        told_on: None,
    };
    tx.save_access_forms(&[(filed, None)]).await?;
    tx.save_entitlements(&held).await?;
    tx.commit().await?;
    Ok(number)
}

/// A form `new` for somebody.
pub async fn joins(store: &Store, person: PersonId, called: FormPersonName) -> Got<u64> {
    approved(store, person, Asks::New, &["account", "files"], |form| {
        form.person.name = Some(called);
    })
    .await
}

pub async fn reserved(store: &Store) -> Got<Vec<String>> {
    let forms = store.read().access_forms(&FormFilter::default()).await?;
    Ok(forms.iter().filter_map(|form| Some(form.reserved.as_ref()?.folded())).collect())
}

pub fn person(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(number + 1))
}

pub fn location(id: &str) -> Option<LocationId> {
    LocationId::new(id).ok()
}
