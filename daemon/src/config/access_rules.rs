//! What must hold between the settings of access forms.

use super::rules::Judge;
use super::shape::listed;
use crate::order_form::Kind;
use lapsed_core::access::check::REQUIRABLE;
use lapsed_core::access::form::Asks;
use lapsed_core::access::person;
use lapsed_core::facts::{GateName, PersonKind, SourceName, SystemName};
use lapsed_core::policy::access::{FormRule, SystemRule};

impl Judge<'_> {
    /// Forms, gates and what they name.
    pub(super) fn access_forms(&mut self) {
        let file = self.file;
        for (name, rule) in &file.access.forms {
            let key = format!("access.forms.{name}");
            if serde_json::from_value::<Kind>(name.as_str().into()).is_ok() {
                let message = "this is the name of an order about a leaver's things";
                self.wrong(&key, message, "give the form another name");
            }
            self.form_rule(&key, rule);
        }
        for (list, gates) in [("always", &file.access.always), ("with_phi", &file.access.with_phi)]
        {
            self.known_gates(&format!("access.{list}"), gates);
        }
        for (name, system) in &file.access.systems {
            self.known_gates(&format!("access.systems.{name}.gates"), &system.gates);
            self.can_be_audited(name, system);
        }
        self.personal_devices();
        for (name, gate) in &file.access.gates {
            self.known_kinds(&format!("access.gates.{name}.kinds"), &gate.kinds);
        }
        for (name, feed) in &file.feeds {
            for gate in feed.spec.columns.gates.keys() {
                self.known_gate(&format!("feeds.{name}.columns.gates.{gate}"), gate);
            }
            if name.as_str() == person::SOURCE || name.as_str().starts_with(SourceName::OF_FORMS) {
                let message = "this name stands for what access forms say";
                self.wrong(&format!("feeds.{name}"), message, "give the feed another name");
            }
        }
    }

    /// What is not used is found in a list of all accounts (S3).
    fn can_be_audited(&mut self, name: &SystemName, system: &SystemRule) {
        let Some(connector) =
            system.connector.as_ref().filter(|_| system.lock_after_days.is_some())
        else {
            return;
        };
        let Some(settings) = self.file.connectors.get(connector) else { return };
        let kind = settings.of_kind();
        if !kind.lists_accounts() {
            let message = format!(
                "`{connector}` is a {} that can't list its accounts: nothing there would ever be locked",
                kind.noun()
            );
            let advice = "take this away, and lock there by a rule of the system's own";
            self.wrong(&format!("access.systems.{name}.lock_after_days"), message, advice);
        }
    }

    /// A personal device needs its agreement, and somebody who answers for it (A4).
    fn personal_devices(&mut self) {
        let access = &self.file.access;
        let rule = &access.personal_device;
        if let Some(gate) = &rule.gate {
            self.known_gate("access.personal_device.gate", gate);
        }
        let on_a_device = access.systems.iter().find(|(_, system)| system.personal_device);
        let Some((name, _)) = on_a_device else { return };
        if rule.gate.is_none() {
            self.wrong(
                &format!("access.systems.{name}.personal_device"),
                "no agreement comes before a system on a personal device",
                "name it under access.personal_device.gate",
            );
        }
        if let Some(role) =
            rule.approver.as_ref().filter(|role| !access.approvers.contains_key(*role))
        {
            let advice = "name one of the roles under access.approvers, or add it there";
            self.wrong(
                "access.personal_device.approver",
                format!("nobody has the role {role}"),
                advice,
            );
        }
    }

    fn form_rule(&mut self, key: &str, rule: &FormRule) {
        if rule.asks.is_empty() {
            self.wrong(
                &format!("{key}.asks"),
                "the form may ask for nothing",
                "name what it may ask for: new, say",
            );
        }
        for (index, field) in rule.required.iter().enumerate() {
            if !REQUIRABLE.contains(&field.as_str()) {
                let advice = format!("one of {} is meant", listed(&REQUIRABLE));
                self.wrong(
                    &format!("{key}.required[{index}]"),
                    "a form has no such field to be required",
                    advice,
                );
            }
        }
        for asks in rule.filed_by.keys().filter(|asks| !rule.asks.contains(asks)) {
            let message = format!("the form does not ask for {}", asks.name());
            self.wrong(
                &format!("{key}.filed_by.{}", asks.name()),
                message,
                "add it under `asks`, or take this away",
            );
        }
        self.known_kinds(&format!("{key}.kinds"), &rule.kinds);
        self.known_systems(&format!("{key}.systems"), &rule.systems);
        self.known_gates(&format!("{key}.gates"), &rule.gates);
        if let Some(gate) = &rule.opens {
            self.known_gate(&format!("{key}.opens"), gate);
            if !rule.asks.contains(&Asks::Agreement) {
                let advice = "add agreement under `asks`, or take this away";
                self.wrong(&format!("{key}.opens"), "only an agreement opens a gate", advice);
            }
        }
        for (name, exception) in &rule.exceptions {
            self.known_gates(&format!("{key}.exceptions.{name}.gates"), &exception.gates);
        }
        self.filers(key, rule);
    }

    fn filers(&mut self, key: &str, rule: &FormRule) {
        let known = &self.file.access.approvers;
        if known.is_empty() {
            return;
        }
        let unknown: Vec<(String, String)> = rule
            .filed_by
            .iter()
            .flat_map(|(asks, roles)| roles.iter().enumerate().map(move |role| (asks, role)))
            .filter(|(_, (_, role))| !known.contains_key(*role))
            .map(|(asks, (index, role))| {
                (format!("{key}.filed_by.{}[{index}]", asks.name()), role.to_string())
            })
            .collect();
        for (path, role) in unknown {
            let advice = "name one of the roles under access.approvers, or add it there";
            self.wrong(&path, format!("nobody has the role {role}"), advice);
        }
    }

    fn known_gates(&mut self, key: &str, gates: &[GateName]) {
        for (index, gate) in gates.iter().enumerate() {
            self.known_gate(&format!("{key}[{index}]"), gate);
        }
    }

    fn known_gate(&mut self, path: &str, gate: &GateName) {
        if !self.file.access.gates.contains_key(gate) {
            let names: Vec<&str> = self.file.access.gates.keys().map(GateName::as_str).collect();
            let advice =
                format!("name one under access.gates ({}), or add it there", listed(&names));
            self.wrong(path, "there is no such gate", advice);
        }
    }

    fn known_systems(&mut self, key: &str, systems: &[SystemName]) {
        for (index, system) in systems.iter().enumerate() {
            if !self.file.access.systems.contains_key(system) {
                let advice = "name one of those under access.systems, or add it there";
                self.wrong(&format!("{key}[{index}]"), "there is no such system", advice);
            }
        }
    }

    fn known_kinds(&mut self, key: &str, kinds: &[PersonKind]) {
        let naming = &self.file.naming;
        let known = |kind: &PersonKind| {
            naming.kinds.keys().any(|name| name.folded() == kind.folded())
                || naming.functions.keys().any(|code| code.to_lowercase() == kind.folded())
        };
        let unknown: Vec<usize> = (0..kinds.len()).filter(|&index| !known(&kinds[index])).collect();
        for index in unknown {
            let advice = "name one of those under naming.kinds, or add it there";
            self.wrong(&format!("{key}[{index}]"), "there is no such kind of person", advice);
        }
    }
}
