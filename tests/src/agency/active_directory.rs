//! The agency as entries of Active Directory.

use super::people::{Account, LOCATIONS, Location, Other, OtherKind, Person};
use super::{Agency, Group, GroupKind, Member};
use crate::ldif::{Entry, escape_rdn, line};
use std::collections::HashMap;

/// Ordinary account (MS-ADTS 2.2.16).
const NORMAL: u32 = 0x200;
/// Ordinary account whose password does not expire.
const NEVER_EXPIRES: u32 = 0x1_0200;
/// Ordinary account, disabled.
const DISABLED: u32 = 0x202;
const GLOBAL_SECURITY: i32 = -2_147_483_646;
const GLOBAL_DISTRIBUTION: i32 = 2;

impl Agency {
    /// Content for [`crate::samba::Builder::load_ldif`]: people in units by worksite below
    /// `OU=People`, groups below `OU=Groups`. Nobody has a password, since setting one is slow.
    #[must_use]
    pub fn to_ad_ldif(&self, base: &str) -> String {
        let places = Places::new(self, base);
        let units = LOCATIONS.iter().map(|location| {
            Entry::new(unit(base, location))
                .with("objectClass", "organizationalUnit")
                .with("ou", location.name)
        });
        let mut text: String = units.map(|entry| entry.to_ldif()).collect();
        for (index, person) in self.people.iter().enumerate() {
            if let Some(account) = &person.account {
                text += &places.person(index, person, account).to_ldif();
            }
        }
        for (index, other) in self.others.iter().enumerate() {
            text += &places.other(index, other).to_ldif();
        }
        for group in &self.groups {
            text += &places.group(group).to_ldif();
        }
        text + &places.domain_admins()
    }

    /// The distinguished name of a person's account in Active Directory.
    #[must_use]
    pub fn ad_dn(&self, base: &str, person: usize) -> Option<String> {
        Places::new(self, base).people.get(&person).cloned()
    }
}

fn unit(base: &str, location: &Location) -> String {
    format!("OU={},OU=People,{base}", escape_rdn(location.name))
}

/// Where everything is. Two of one name at one place get their user ID behind it.
struct Places<'a> {
    agency: &'a Agency,
    base: &'a str,
    domain: String,
    people: HashMap<usize, String>,
    others: Vec<String>,
}

impl<'a> Places<'a> {
    fn new(agency: &'a Agency, base: &'a str) -> Self {
        let mut seen = HashMap::<String, usize>::new();
        let mut people = HashMap::new();
        for (index, person) in agency.people.iter().enumerate() {
            let Some(user_id) = person.user_id() else { continue };
            let unit = unit(base, &person.worksite);
            let times =
                seen.entry(format!("{},{unit}", person.listed()).to_lowercase()).or_default();
            *times += 1;
            let name = match times {
                1 => person.listed(),
                _ => format!("{} ({user_id})", person.listed()),
            };
            people.insert(index, format!("CN={},{unit}", escape_rdn(&name)));
        }
        let others = agency.others.iter().map(|other| {
            let unit = match other.kind {
                OtherKind::Resource | OtherKind::BreakGlass => format!("OU=Services,{base}"),
                OtherKind::Former => format!("OU=Disabled,{base}"),
                _ => unit(base, &LOCATIONS[0]),
            };
            format!("CN={},{unit}", escape_rdn(&other.name))
        });
        let others = others.collect();
        let labels = base.split(',').filter_map(|rdn| rdn.split_once('=')).map(|(_, label)| label);
        let domain = labels.collect::<Vec<_>>().join(".");
        Self { agency, base, domain, people, others }
    }

    fn user(&self, dn: &str, user_id: &str, control: u32) -> Entry {
        Entry::new(dn)
            .with("objectClass", "user")
            .with("sAMAccountName", user_id)
            .with("userPrincipalName", format!("{user_id}@{}", self.domain))
            .with("userAccountControl", control.to_string())
    }

    fn person(&self, index: usize, person: &Person, account: &Account) -> Entry {
        let dn = self.people.get(&index).map_or("", String::as_str);
        let control = if index % 23 == 7 { NEVER_EXPIRES } else { NORMAL };
        let id = &account.user_id;
        let mut entry = self
            .user(dn, id, control)
            .with("sn", &person.last)
            .with("givenName", person.called())
            .with("displayName", person.listed())
            .with("mail", &account.mail)
            .with("proxyAddresses", format!("SMTP:{}", account.mail))
            .with("title", &person.title)
            .with("department", person.department)
            .with("l", person.worksite.city)
            .with("physicalDeliveryOfficeName", person.location.name)
            .with("homeDirectory", format!("\\\\files-{}\\home$\\{id}", person.worksite.id))
            .with("homeDrive", "H:");
        if account.shows_number {
            entry.add("employeeID", &person.employee_number);
        }
        if let Some(supervisor) = person.supervisor.and_then(|index| self.people.get(&index)) {
            entry.add("manager", supervisor);
        }
        entry
    }

    fn other(&self, index: usize, other: &Other) -> Entry {
        let control = match other.kind {
            OtherKind::Former => DISABLED,
            OtherKind::Resource | OtherKind::BreakGlass => NEVER_EXPIRES,
            _ => NORMAL,
        };
        let entry = self.user(&self.others[index], &other.user_id, control);
        let entry = entry.with("displayName", &other.name);
        if matches!(other.kind, OtherKind::Administrator { .. } | OtherKind::BreakGlass) {
            return entry.with("adminCount", "1");
        }
        entry
    }

    fn group_dn(&self, group: &Group) -> String {
        format!("CN={},OU=Groups,{}", escape_rdn(&group.name), self.base)
    }

    fn group(&self, group: &Group) -> Entry {
        let kind = match group.kind {
            GroupKind::Distribution => GLOBAL_DISTRIBUTION,
            GroupKind::Security | GroupKind::Posix | GroupKind::Administrators => GLOBAL_SECURITY,
        };
        let mut entry = Entry::new(self.group_dn(group))
            .with("objectClass", "group")
            .with("sAMAccountName", &group.name)
            .with("groupType", kind.to_string());
        for member in &group.members {
            match member {
                Member::Person(index) => {
                    if let Some(dn) = self.people.get(index) {
                        entry.add("member", dn);
                    }
                }
                Member::Other(index) => entry.add("member", &self.others[*index]),
                Member::Group(index) => {
                    entry.add("member", self.group_dn(&self.agency.groups[*index]));
                }
            }
        }
        entry
    }

    /// A change record: the break-glass account and the administrators are the domain's, too.
    fn domain_admins(&self) -> String {
        let dn = format!("CN=Domain Admins,CN=Users,{}", self.base);
        let mut text = line("dn", dn.as_bytes()) + "changetype: modify\nadd: member\n";
        for (index, other) in self.agency.others.iter().enumerate() {
            if matches!(other.kind, OtherKind::Administrator { .. } | OtherKind::BreakGlass) {
                text += &line("member", self.others[index].as_bytes());
            }
        }
        text + "-\n\n"
    }
}
