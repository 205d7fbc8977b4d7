//! A directory, a system and a person with forms: steps are carried out as they are planned.

use jiff::{Timestamp, civil::date};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{AccessForm, Asks, FiledForm, FormPersonName, FormState, Subject};
use lapsed_core::facts::*;
use lapsed_core::journal::StepState;
use lapsed_core::observed::{Details, GroupKind, GroupLink, ObservedAccount, Realm};
use lapsed_core::policy::Policy;
use lapsed_core::policy::access::{SystemRequest, SystemRule};
use lapsed_core::reconcile::granting::*;
use lapsed_core::step::{Action, Cause, Found, Receipt, Step, StepId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

pub fn user_id(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

pub fn connector(name: &str) -> ConnectorName {
    ConnectorName::new(name).unwrap()
}

pub fn system(name: &str) -> SystemName {
    SystemName::new(name).unwrap()
}

pub fn role(name: &str) -> SystemRole {
    SystemRole::new(name).unwrap()
}

fn location(name: &str) -> LocationId {
    LocationId::new(name).unwrap()
}

pub fn name(last: &str, first: &str) -> FormPersonName {
    FormPersonName { last: last.into(), first: first.into(), preferred: None }
}

pub struct World {
    pub person: Person,
    pub forms: Vec<FiledForm>,
    pub entitlements: Vec<Entitlement>,
    pub accounts: Vec<(ConnectorName, ObservedAccount)>,
    pub targets: BTreeMap<ConnectorName, Reach>,
    pub groups: Vec<GroupLink>,
    pub suspended: BTreeSet<ConnectorName>,
    pub of_others: BTreeSet<(ConnectorName, StableId)>,
    pub policy: Policy,
    pub journal: HashMap<StepId, (Step, StepState)>,
    pub before: BTreeMap<u64, Vec<(ConnectorName, ObservedAccount)>>,
    pub opener: Result<Opener, String>,
    /// Log-on names that somebody else took by hand.
    pub snatched: BTreeSet<String>,
    /// What was done, in its order.
    pub done: Vec<String>,
    /// The steps that were carried out, in their order.
    pub order: Vec<StepId>,
}

/// A system that gives groups of the directory.
pub fn groups_system(groups: &[&str]) -> SystemRule {
    SystemRule {
        connector: Some(connector("ad")),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        ..SystemRule::default()
    }
}

impl World {
    pub fn new() -> Self {
        let mut policy = Policy::built_in();
        let access = &mut policy.access;
        access.accounts.homes = Some(connector("homes"));
        access.accounts.mailboxes = Some(connector("mail"));
        access.accounts.home = "/home/{{ user_id }}".into();
        access.systems.insert(system("account"), groups_system(&[]));
        access.systems.insert(system("files"), groups_system(&["Files-{{ location }}"]));
        access.systems.insert(system("wards"), groups_system(&["Wards"]));
        let cimor = SystemRule {
            connector: Some(connector("cimor")),
            roles: [(role("nurse"), Default::default()), (role("clerk"), Default::default())]
                .into(),
            ..SystemRule::default()
        };
        access.systems.insert(system("cimor"), cimor);
        let request = SystemRequest {
            connector: connector("forms"),
            to: Vec::new(),
            remind_after_work_days: 5,
            reminders: 2,
        };
        let mairs = SystemRule { request: Some(request), ..SystemRule::default() };
        access.systems.insert(system("mairs"), mairs);
        let all = Reach {
            directory: true,
            creates: true,
            grants: false,
            renames: true,
            readable: true,
            ..Reach::default()
        };
        let targets = BTreeMap::from([
            (connector("ad"), all),
            (connector("cimor"), Reach { directory: false, grants: true, ..all }),
            (
                connector("homes"),
                Reach { makes_homes: true, moves_homes: true, readable: true, ..Reach::default() },
            ),
            (
                connector("mail"),
                Reach {
                    makes_mailboxes: true,
                    moves_mailboxes: true,
                    readable: true,
                    ..Reach::default()
                },
            ),
            (connector("forms"), Reach { readable: true, ..Reach::default() }),
        ]);
        let groups = ["Files-z", "Files-q", "Wards"].iter().map(|name| group(name)).collect();
        Self {
            person: Person::new(PersonId(Uuid::from_u128(7))),
            forms: Vec::new(),
            entitlements: Vec::new(),
            accounts: Vec::new(),
            targets,
            groups,
            suspended: BTreeSet::new(),
            of_others: BTreeSet::new(),
            policy,
            journal: HashMap::new(),
            before: BTreeMap::new(),
            opener: Ok(Opener { user_id: user_id("mzbossb"), mail: None }),
            snatched: BTreeSet::new(),
            done: Vec::new(),
            order: Vec::new(),
        }
    }

    /// An approved form; one that gives a name has it reserved.
    pub fn form(&mut self, asks: Asks, reserved: Option<&str>) -> &mut FiledForm {
        let number = self.forms.len() as u64 + 1;
        let text = serde_json::json!({
            "form": "staff_access", "version": 1, "id": Uuid::from_u128(u128::from(number)),
            "asks": asks, "person": {},
        });
        let mut form: AccessForm = serde_json::from_value(text).unwrap();
        form.person = Subject {
            name: Some(name("Smith", "John")),
            location: Some(location("z")),
            ..Subject::default()
        };
        self.forms.push(FiledForm {
            number,
            form,
            hash: String::new(),
            person: self.person.id,
            filed_by: Actor::new("clerk").unwrap(),
            filed_at: Timestamp::UNIX_EPOCH,
            state: FormState::Approved,
            ended_because: None,
            reserved: reserved.map(user_id),
            reminders: 0,
            told_on: None,
        });
        self.forms.last_mut().unwrap()
    }

    pub fn gives(
        &mut self,
        form: u64,
        system_name: &str,
        of_role: Option<&str>,
    ) -> &mut Entitlement {
        let (held, of_role) = (system(system_name), of_role.map(role));
        let of = self.forms.iter().find(|f| f.number == form).unwrap().form.id;
        self.entitlements.push(Entitlement {
            id: Entitlement::id_of(of, &held, of_role.as_ref()),
            person: self.person.id,
            system: held,
            role: of_role,
            form,
            state: EntitlementState::Approved,
            starts_on: None,
            ends_on: None,
            approved_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            ended_by: None,
            ended_because: None,
            recertified_on: None,
        });
        self.entitlements.last_mut().unwrap()
    }

    pub fn look(&self) -> Granted {
        self.try_look().unwrap()
    }

    pub fn try_look(&self) -> Result<Granted, String> {
        let wanted = wanted_groups(&self.policy, &self.person, &self.forms, &self.entitlements)?;
        let mut groups = KnownGroups::default();
        for (connector, names) in wanted {
            let named = |g: &&GroupLink| names.iter().any(|n| n.folded() == g.name.to_lowercase());
            groups.insert(&connector, self.groups.iter().filter(named).cloned().collect());
        }
        let facts = self.forms.iter().map(|form| {
            let facts = FormFacts {
                mail: form.reserved.as_ref().map(|id| format!("{id}@dmh.test")),
                opener: self.opener.clone(),
                before: self.before.get(&form.number).cloned().unwrap_or_default(),
            };
            (form.number, facts)
        });
        let begun = |id: &StepId| {
            let place = self.order.iter().rposition(|other| other == id)?;
            Timestamp::from_second(place as i64).ok()
        };
        let journal = self.journal.values().map(|(step, state)| (step, state, begun(&step.id)));
        granting(&Granting {
            shut_here: &shut_here(journal),
            person: &self.person,
            forms: &self.forms,
            facts: &facts.collect(),
            entitlements: &self.entitlements,
            accounts: &self.accounts,
            of_others: &self.of_others,
            targets: &self.targets,
            groups: &groups,
            uid_number: None,
            suspended: &self.suspended,
            policy: &self.policy,
            today: date(2026, 11, 23),
            journal: &self.journal,
        })
    }

    /// Looks and carries out until nothing is planned any more.
    pub fn run(&mut self) -> Granted {
        for _ in 0..20 {
            let granted = self.round();
            if granted.steps.is_empty() {
                return granted;
            }
        }
        panic!("it does not come to an end: {:?}", self.done);
    }

    /// One look; what it plans is carried out, and what is in place is written down.
    pub fn round(&mut self) -> Granted {
        let granted = self.look();
        self.keep(&granted);
        for step in &granted.steps {
            self.carry_out(step);
        }
        granted
    }

    pub fn keep(&mut self, granted: &Granted) {
        for link in &granted.links {
            if self.person.accounts.iter().all(|known| known.id != link.id) {
                self.person.accounts.push(link.clone());
            }
        }
        for held in &mut self.entitlements {
            if granted.in_place.contains(&held.id) {
                held.state = EntitlementState::InPlace;
            }
            if granted.ended.contains(&held.id) {
                held.state = EntitlementState::Ended;
            }
        }
        for form in &mut self.forms {
            if granted.forms_in_place.contains(&form.number) {
                form.state = FormState::InPlace;
            }
        }
        for step in &granted.steps {
            let form = self.forms.iter().find(|form| form.case() == step.case).unwrap().number;
            self.before.entry(form).or_insert_with(|| self.accounts.clone());
        }
    }

    pub fn carry_out(&mut self, step: &Step) {
        self.done.push(step.action.describe());
        self.order.push(step.id);
        let state = match &step.action {
            Action::CreateAccount { blueprint, .. }
                if self.snatched.contains(&blueprint.user_id.folded()) =>
            {
                StepState::Drifted { found: Found { description: "taken".into() } }
            }
            Action::CreateAccount { blueprint, .. } => {
                let at = (&step.connector, blueprint.user_id.as_str());
                let made = account(at, &blueprint.name.last, false);
                let realm =
                    if step.connector.as_str() == "ad" { Realm::Directory } else { Realm::System };
                let details = Details {
                    display_name: Some(blueprint.display_name.clone()),
                    ..Details::default()
                };
                let made = ObservedAccount {
                    realm,
                    details,
                    mail: blueprint.mail.clone(),
                    home: blueprint.home.clone(),
                    ..made
                };
                self.accounts.push((step.connector.clone(), made));
                StepState::Done { receipt: None }
            }
            Action::Rename { to, .. } if self.snatched.contains(&to.user_id.folded()) => {
                StepState::Drifted { found: Found { description: "taken".into() } }
            }
            action => {
                self.change(action);
                StepState::Done { receipt: Some(Receipt::default()) }
            }
        };
        self.journal.insert(step.id, (step.clone(), state));
    }

    fn change(&mut self, action: &Action) {
        let id = action.account().id.clone();
        let Some((_, account)) = self.accounts.iter_mut().find(|(_, a)| a.id == id) else { return };
        match action {
            Action::Enable { .. } => account.enabled = true,
            Action::Disable { .. } | Action::RevokeAccess { .. } => account.enabled = false,
            Action::JoinGroup { group, .. } => account.groups.push(self::group(&group.label)),
            Action::LeaveGroup { group, .. } => account.groups.retain(|g| g.id != group.id),
            Action::GrantAccess { roles, .. } => {
                account.enabled = true;
                account.details.roles = roles.clone();
            }
            Action::Rename { to, .. } => {
                account.user_id = to.user_id.clone();
                account.details.display_name = Some(to.display_name.clone());
                account.details.mail_aliases = to.aliases.clone();
                account.home = to.home.clone().or(account.home.take());
                account.mail = to.mail.clone();
                account.name = to.name.clone();
            }
            _ => {}
        }
    }

    /// Somebody who has an account with everything: what forms said is in place.
    pub fn settled() -> Self {
        let mut world = Self::new();
        world.form(Asks::New, Some("mzsmitj"));
        world.gives(1, "account", None);
        world.gives(1, "files", None);
        world.run();
        assert_eq!(world.forms[0].state, FormState::InPlace);
        world.done.clear();
        world
    }

    pub fn account(&self, target: &str) -> &ObservedAccount {
        &self.accounts.iter().find(|(name, _)| name.as_str() == target).unwrap().1
    }

    pub fn groups_of(&self, target: &str) -> Vec<&str> {
        self.account(target).groups.iter().map(|g| g.name.as_str()).collect()
    }

    /// Ends the steps of a kind as refused.
    pub fn refuse(&mut self, action: &str) {
        for (step, state) in self.journal.values_mut() {
            if step.action.name() == action {
                *state = StepState::Refused { cause: Cause::new("no") };
            }
        }
    }
}

pub fn group(name: &str) -> GroupLink {
    GroupLink {
        id: StableId::new(format!("group {}", name.to_lowercase())).unwrap(),
        name: name.into(),
        kind: GroupKind::Security,
    }
}

pub fn account(
    (connector, id): (&ConnectorName, &str),
    last: &str,
    enabled: bool,
) -> ObservedAccount {
    ObservedAccount {
        id: StableId::new(format!("{connector} {id}")).unwrap(),
        user_id: user_id(id),
        other_user_ids: Vec::new(),
        place: format!("uid={id}"),
        enabled,
        employee_number: None,
        other_employee_numbers: Vec::new(),
        name: PersonName { last: last.into(), first: "John".into(), preferred: None },
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: Vec::new(),
        realm: Realm::Directory,
        held_in_trust: Vec::new(),
        details: Details::default(),
    }
}
