//! Who may do what on the control socket.

use lapsed_core::facts::Actor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a caller may do. Each role may also do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look: status, due dates, people, plans, holds.
    Viewer,
    /// Read and verify the audit, too.
    Auditor,
    /// Act on cases: release, reject, hold, depart, pause, resume, settle.
    Operator,
    /// Change what the daemon starts from: adopt, reload.
    Administrator,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Auditor, Self::Operator, Self::Administrator];

    /// The role's name in the YAML.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Accounts and groups of this machine that have one role, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Account names.
    pub users: BTreeSet<String>,
    /// Group names.
    pub groups: BTreeSet<String>,
}

/// Roles and who has them, as in the YAML under `control.roles`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleRules(pub BTreeMap<Role, Members>);

/// An account of this machine with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User number.
    pub uid: u32,
    /// Account name.
    pub name: Actor,
    /// Names of all its groups.
    pub groups: BTreeSet<String>,
}

/// Whoever speaks to the daemon, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account name; goes on record.
    pub name: Actor,
    /// User number by the kernel's word.
    pub uid: u32,
    /// Roles by the YAML.
    pub roles: BTreeSet<Role>,
}

impl Caller {
    /// True when one of the caller's roles is `needed` or more.
    #[must_use]
    pub fn may(&self, needed: Role) -> bool {
        self.roles.iter().any(|role| *role >= needed)
    }
}

impl RoleRules {
    /// The caller with the roles that the rules give. Root is administrator whatever the rules say:
    /// root can change the rules, the socket and the database anyway, and a typo must lock nobody out.
    #[must_use]
    pub fn caller(&self, identity: Identity) -> Caller {
        let Identity { uid, name, groups } = identity;
        let mut roles: BTreeSet<Role> = self
            .0
            .iter()
            .filter(|(_, members)| {
                members.users.contains(name.as_str()) || !members.groups.is_disjoint(&groups)
            })
            .map(|(role, _)| *role)
            .collect();
        if uid == 0 {
            roles.insert(Role::Administrator);
        }
        Caller { name, uid, roles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn rules() -> RoleRules {
        let members = |users: &[&str], groups: &[&str]| Members {
            users: users.iter().map(ToString::to_string).collect(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        RoleRules(BTreeMap::from([
            (Role::Viewer, members(&[], &["helpdesk"])),
            (Role::Operator, members(&["ann"], &["accounts"])),
        ]))
    }

    #[rstest]
    #[case::by_name(1000, "ann", &[], Some(Role::Operator))]
    #[case::by_group(1001, "bob", &["users", "helpdesk"], Some(Role::Viewer))]
    #[case::more_by_another_group(1002, "cy", &["helpdesk", "accounts"], Some(Role::Operator))]
    #[case::a_group_named_as_a_user(1003, "dee", &["ann"], None)]
    #[case::names_are_exact(1004, "Ann", &["Helpdesk"], None)]
    #[case::stranger(1005, "eve", &["users"], None)]
    #[case::root(0, "root", &[], Some(Role::Administrator))]
    #[case::only_the_number_makes_root(1006, "root", &[], None)]
    fn roles_come_from_the_names_in_the_yaml(
        #[case] uid: u32,
        #[case] name: &str,
        #[case] groups: &[&str],
        #[case] highest: Option<Role>,
    ) {
        let identity = Identity {
            uid,
            name: Actor::new(name).unwrap(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        let caller = rules().caller(identity);
        assert_eq!(caller.roles.last().copied(), highest);
        assert_eq!(caller.may(Role::Viewer), highest.is_some());
    }
}
