//! Which fields a form needs for what it asks, and which say nothing there.

use super::Checked;
use crate::access::form::{AccessForm, Asks};
use crate::citation::Rule;
use crate::policy::access::FormRule;

/// A field whose meaning depends on what is asked for.
struct Field {
    name: &'static str,
    there: fn(&AccessForm) -> bool,
    needed: &'static [Asks],
    allowed: &'static [Asks],
}

use Asks::{Agreement, Change, Leave, LocationChange, NameChange, New, Recertify, Revoke, Suspend};

const FIELDS: [Field; 11] = [
    Field {
        name: "systems",
        there: |form| !form.systems.is_empty(),
        needed: &[Change, Recertify],
        allowed: &[New, Leave, Suspend, LocationChange],
    },
    Field {
        name: "starts_on",
        there: |form| form.starts_on.is_some(),
        needed: &[],
        allowed: &[New, Change, Leave, LocationChange],
    },
    Field {
        name: "ends_on",
        there: |form| form.ends_on.is_some(),
        needed: &[],
        allowed: &[New, Change, Revoke, Leave],
    },
    Field { name: "for_cause", there: |form| form.for_cause, needed: &[], allowed: &[Revoke] },
    Field {
        name: "new_name",
        there: |form| form.new_name.is_some(),
        needed: &[NameChange],
        allowed: &[],
    },
    Field {
        name: "old_user_id",
        there: |form| form.old_user_id.is_some(),
        needed: &[NameChange],
        allowed: &[],
    },
    Field {
        name: "new_location",
        there: |form| form.new_location.is_some(),
        needed: &[LocationChange],
        allowed: &[],
    },
    Field {
        name: "keeps_duties",
        there: |form| form.keeps_duties,
        needed: &[],
        allowed: &[LocationChange],
    },
    Field {
        name: "signed_on",
        there: |form| form.signed_on.is_some(),
        needed: &[Agreement],
        allowed: &[],
    },
    Field { name: "gate", there: |form| form.gate.is_some(), needed: &[], allowed: &[Agreement] },
    Field {
        name: "exceptions",
        there: |form| !form.exceptions.is_empty(),
        needed: &[],
        allowed: &[New, Change, LocationChange],
    },
];

fn empty(text: Option<&String>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

/// Whether a field that the YAML may require is filled; `None` for a word that is no such field.
#[must_use]
pub fn is_filled(form: &AccessForm, field: &str) -> Option<bool> {
    Some(match field {
        "position" => !empty(form.position.as_ref()),
        "reason" => !empty(form.reason.as_ref()),
        "least_phi" => !empty(form.least_phi.as_ref()),
        "requested_by" => form.requested_by.is_some(),
        "starts_on" => form.starts_on.is_some(),
        "ends_on" => form.ends_on.is_some(),
        "supervisor" => form.person.supervisor.is_some(),
        "location" => form.person.location.is_some(),
        "employee_number" => form.person.employee_number.is_some(),
        _ => return None,
    })
}

/// The fields that the YAML may require.
pub const REQUIRABLE: [&str; 9] = [
    "position",
    "reason",
    "least_phi",
    "requested_by",
    "starts_on",
    "ends_on",
    "supervisor",
    "location",
    "employee_number",
];

impl Checked<'_> {
    pub(super) fn fields(&mut self, rule: &FormRule) {
        let form = self.form;
        let asks = form.asks;
        for field in &FIELDS {
            let there = (field.there)(form);
            let needed = field.needed.contains(&asks);
            if needed && !there {
                let problem =
                    format!("is missing or empty; a form that asks for {} needs it", asks.name());
                self.wrong(field.name, Rule::A1, problem, "fill it in");
            } else if there && !needed && !field.allowed.contains(&asks) {
                let problem = format!("says nothing in a form that asks for {}", asks.name());
                let advice = "leave it out, or look whether another form was meant";
                self.wrong(field.name, Rule::A1, problem, advice);
            }
        }
        // Nobody's access stops by order without a word on why.
        let orders = matches!(asks, Asks::Suspend | Asks::Lift);
        if orders && empty(form.reason.as_ref()) {
            let problem =
                format!("is missing or empty; a form that asks for {} needs it", asks.name());
            self.wrong("reason", Rule::S2, problem, "say why");
        }
        for field in rule.required.iter().filter(|field| is_filled(form, field) == Some(false)) {
            if orders && field == "reason" {
                continue;
            }
            let problem = format!("is missing or empty; the form {} needs it", form.form);
            self.wrong(field.as_str(), Rule::A1, problem, "fill it in");
        }
        if asks == Asks::Agreement && form.gate.is_none() && rule.opens.is_none() {
            let advice = "name what was signed or done, as it is called under access.gates";
            self.wrong("gate", Rule::A4, "is missing, and the form itself stands for none", advice);
        }
        if let Some(gate) = &form.gate
            && !self.policy.access.gates.contains_key(gate)
        {
            let problem = format!("{} is not known here", super::quoted(gate.as_str()));
            let names: Vec<&str> =
                self.policy.access.gates.keys().map(crate::facts::GateName::as_str).collect();
            self.wrong(
                "gate",
                Rule::A4,
                problem,
                format!("one of these is meant: {}", names.join(", ")),
            );
        }
    }

    /// Days that contradict each other, or the calendar.
    pub(super) fn days(&mut self) {
        let (form, today) = (self.form, self.known.today);
        if let (Some(starts), Some(ends)) = (form.starts_on, form.ends_on)
            && ends < starts
        {
            let problem = format!("is {ends}, before the first day, {starts}");
            self.wrong("ends_on", Rule::A1, problem, "look which of them is right");
        }
        // The last day of a departure may be past: then access ends now (D2).
        let ends = form.ends_on.filter(|_| form.asks != Asks::Revoke);
        if let Some(ends) = ends.filter(|ends| *ends < today) {
            let problem = format!("is {ends}, and today is {today}");
            self.wrong("ends_on", Rule::A1, problem, "what is over is not asked for any more");
        }
        for (place, wish) in form.systems.iter().enumerate() {
            if let Some(ends) = wish.ends_on.filter(|ends| *ends < today) {
                let problem = format!("is {ends}, and today is {today}");
                let field = format!("systems[{place}].ends_on");
                self.wrong(field, Rule::A1, problem, "what is over is not asked for any more");
            }
        }
        if let Some(until) = form.valid_until.filter(|until| *until < today) {
            let problem = format!("is {until}, and today is {today}");
            self.wrong("valid_until", Rule::A1, problem, "have it signed again");
        }
        if let Some(signed) = form.signed_on.filter(|signed| *signed > today) {
            let problem = format!("is {signed}, and today is {today}");
            self.wrong("signed_on", Rule::A4, problem, "file it on that day");
        }
    }
}
