//! Who may do what on the control socket.

use crate::config::{Role, Roles};
use lapsed_core::facts::Actor;
use std::collections::BTreeSet;

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
    /// The caller's highest role by the YAML; none of them, no answer.
    pub role: Option<Role>,
    /// Groups of this machine: what decides on access forms may be asked by them.
    pub groups: BTreeSet<String>,
}

impl Caller {
    /// The caller with the role that the YAML gives. Root is administrator whatever it says: root can
    /// change the file, the socket and the database anyway, and a typo must lock nobody out.
    #[must_use]
    pub fn new(identity: Identity, roles: &Roles) -> Self {
        let Identity { uid, name, groups } = identity;
        let names: Vec<String> = groups.iter().cloned().collect();
        let role = match uid {
            0 => Some(Role::Administrator),
            _ => roles.of(name.as_str(), &names),
        };
        Self { name, uid, role, groups }
    }

    /// True when the caller's role is `needed` or more.
    #[must_use]
    pub fn may(&self, needed: Role) -> bool {
        self.role.is_some_and(|role| role >= needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Members;
    use rstest::rstest;

    fn roles() -> Roles {
        let members = |users: &[&str], groups: &[&str]| Members {
            users: users.iter().map(ToString::to_string).collect(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        Roles {
            participant: members(&[], &["staff"]),
            viewer: members(&[], &["helpdesk"]),
            auditor: members(&["oig"], &[]),
            operator: members(&["ann"], &["accounts"]),
            administrator: Members::default(),
        }
    }

    #[rstest]
    #[case::by_name(1000, "ann", &[], Some(Role::Operator))]
    #[case::staff(1008, "joe", &["staff"], Some(Role::Participant))]
    #[case::by_group(1001, "bob", &["users", "helpdesk"], Some(Role::Viewer))]
    #[case::auditor(1007, "oig", &["helpdesk"], Some(Role::Auditor))]
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
        #[case] role: Option<Role>,
    ) {
        let identity = Identity {
            uid,
            name: Actor::new(name).unwrap(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        let caller = Caller::new(identity, &roles());
        assert_eq!(caller.role, role);
        for needed in Role::ALL {
            assert_eq!(caller.may(needed), role >= Some(needed));
        }
    }
}
