//! The agency as entries of OpenLDAP.

use super::people::{Account, Location, Other, OtherKind, Person};
use super::{Agency, Group, GroupKind, MAIL_DOMAIN, Member};
use crate::ldif::{Entry, escape_rdn};

const PEOPLE_GROUP: u32 = 2000;

impl Agency {
    /// Content for [`crate::slapd::Builder::load_ldif`]: everyone flat below `ou=people`, groups below
    /// `ou=groups`. Each account's password is [`Self::password`].
    #[must_use]
    pub fn to_openldap_ldif(&self, base: &str) -> String {
        let people = self.people.iter().filter_map(|person| {
            person.account.as_ref().map(|account| self.person_entry(base, person, account))
        });
        let others = self.others.iter().map(|other| other_entry(base, other));
        let groups = self
            .groups
            .iter()
            .enumerate()
            .map(|(number, group)| self.group_entry(base, number, group));
        people.chain(others).chain(groups).map(|entry| entry.to_ldif()).collect()
    }

    /// The password that an account has in the sample.
    #[must_use]
    pub fn password(user_id: &str) -> String {
        format!("Only-{user_id}-knows")
    }

    /// The distinguished name of an account in OpenLDAP.
    #[must_use]
    pub fn openldap_dn(base: &str, user_id: &str) -> String {
        format!("uid={},ou=people,{base}", escape_rdn(user_id))
    }

    fn person_entry(&self, base: &str, person: &Person, account: &Account) -> Entry {
        let mut entry = account_entry(base, &account.user_id, account.uid_number, &person.worksite)
            .with("cn", format!("{} {}", person.called(), person.last))
            .with("sn", &person.last)
            .with("givenName", person.called())
            .with("displayName", person.listed())
            .with("mail", &account.mail)
            .with("title", &person.title)
            .with("departmentNumber", person.department)
            .with("agencyLocation", person.location.id.to_string());
        if account.shows_number {
            entry.add("employeeNumber", &person.employee_number);
        }
        let supervisor = person.supervisor.and_then(|index| self.people[index].user_id());
        if let Some(supervisor) = supervisor {
            entry.add("manager", Self::openldap_dn(base, supervisor));
        }
        entry
    }

    fn group_entry(&self, base: &str, number: usize, group: &Group) -> Entry {
        let entry = Entry::new(openldap_group_dn(base, group)).with("cn", &group.name);
        let user_ids = group.members.iter().filter_map(|member| match member {
            Member::Person(index) => self.people[*index].user_id(),
            Member::Other(index) => Some(self.others[*index].user_id.as_str()),
            Member::Group(_) => None,
        });
        if group.kind == GroupKind::Posix {
            let entry = entry
                .with("objectClass", "posixGroup")
                .with("gidNumber", (3000 + number).to_string());
            return user_ids.fold(entry, |entry, user_id| entry.with("memberUid", user_id));
        }
        let nested = group.members.iter().filter_map(|member| match member {
            Member::Group(index) => Some(openldap_group_dn(base, &self.groups[*index])),
            _ => None,
        });
        let members = user_ids.map(|user_id| Self::openldap_dn(base, user_id)).chain(nested);
        let entry = entry.with("objectClass", "groupOfNames");
        members.fold(entry, |entry, member| entry.with("member", member))
    }
}

fn openldap_group_dn(base: &str, group: &Group) -> String {
    format!("cn={},ou=groups,{base}", escape_rdn(&group.name))
}

fn account_entry(base: &str, user_id: &str, number: u32, worksite: &Location) -> Entry {
    Entry::new(Agency::openldap_dn(base, user_id))
        .with("objectClass", "inetOrgPerson")
        .with("objectClass", "posixAccount")
        .with("objectClass", "agencyPerson")
        .with("uid", user_id)
        .with("userPassword", Agency::password(user_id))
        .with("uidNumber", number.to_string())
        .with("gidNumber", PEOPLE_GROUP.to_string())
        .with("homeDirectory", format!("/home/{}/{user_id}", worksite.id))
        .with("loginShell", "/bin/bash")
        .with("l", worksite.city)
}

fn other_entry(base: &str, other: &Other) -> Entry {
    let kind = match other.kind {
        OtherKind::Administrator { .. } => "administrator",
        OtherKind::BreakGlass => "break_glass",
        OtherKind::Resource => "resource",
        OtherKind::Stray | OtherKind::Former => "staff",
    };
    let entry = account_entry(base, &other.user_id, other.uid_number, &super::people::LOCATIONS[0])
        .with("cn", &other.name)
        .with("sn", &other.name)
        .with("mail", format!("{}@{MAIL_DOMAIN}", other.user_id))
        .with("agencyAccountKind", kind);
    if other.kind == OtherKind::Former {
        // The value that locks for good (slapo-ppolicy).
        return entry.with("pwdAccountLockedTime", "000001010000Z");
    }
    entry
}
