//! What must hold between the settings of who decides on access forms.

use super::rules::Judge;
use super::shape::listed;
use lapsed_core::facts::ApproverRole;
use lapsed_core::policy::access::Per;

impl Judge<'_> {
    /// Approvers, and the chains that name them.
    pub(super) fn approvers(&mut self) {
        let file = self.file;
        for (name, rule) in &file.access.approvers {
            let key = format!("access.approvers.{name}");
            for fault in rule.faults(&key) {
                self.wrong(
                    &fault.key,
                    fault.problem,
                    "name a group, with {{ location }} or without",
                );
            }
            if rule.per == Per::Agency && rule.names_locations() {
                let message = "the role is given for locations, and counts for everyone";
                self.wrong(&key, message, "set `per: location`, or name no location");
            }
            if !rule.is_given() {
                let message = "nobody has this role: what waits for it waits for ever";
                self.warn(&key, message, "add users, at, groups, supervisor or operators");
            }
        }
        self.known_roles("access.chain", &file.access.chain);
        for (name, system) in &file.access.systems {
            self.known_roles(&format!("access.systems.{name}.chain"), &system.chain);
        }
        for (name, form) in &file.access.forms {
            self.known_roles(&format!("access.forms.{name}.chain"), &form.chain);
            self.known_roles(&format!("access.forms.{name}.tell"), &form.tell);
        }
    }

    pub(super) fn known_roles(&mut self, key: &str, roles: &[ApproverRole]) {
        let known = &self.file.access.approvers;
        let names: Vec<&str> = known.keys().map(ApproverRole::as_str).collect();
        for (index, role) in roles.iter().enumerate() {
            let path = format!("{key}[{index}]");
            if !known.contains_key(role) {
                let advice = format!(
                    "name one under access.approvers ({}), or add it there",
                    listed(&names)
                );
                self.wrong(&path, format!("there is no role {role}"), advice);
            } else if roles[..index].contains(role) {
                self.warn(&path, "the role stands here before and decides once", "take it away");
            }
        }
    }
}
