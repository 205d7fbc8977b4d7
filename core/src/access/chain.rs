//! How far the approvals of a form have come: its chains, in order, and what was said (A2, A3).
//!
//! A yes counts for every part of the form whose chain has the role next: nobody decides on parts (A3). A
//! no ends every part whose chain has the role in it and that is not complete. Only what was said to what
//! the form says, and to what it asks for by the rules, as both are now, counts ([`binding`]).

use super::decision::{Decision, Said};
use super::form::{AccessForm, Asks};
use crate::facts::{Actor, ApproverRole, LocationId, SystemName, SystemRole};
use crate::intake::digest;
use crate::policy::access::{AccessPolicy, FormRule};
use jiff::civil::Date;

/// A part of a form that stands or falls by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it asks for.
    pub what: Wish,
    /// Who says yes, in order.
    pub chain: Vec<ApproverRole>,
}

/// What a part asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// What the form asks for as a whole: another name, a leave.
    Whole,
    /// A system, in a role where it has roles.
    System {
        /// Which.
        system: SystemName,
        /// In which role.
        role: Option<SystemRole>,
        /// Taken away instead of given.
        remove: bool,
        /// Its last day, where it has one.
        ends_on: Option<Date>,
    },
}

impl Wish {
    /// For people: `cimor as nurse`.
    #[must_use]
    pub fn describe(&self, asks: Asks) -> String {
        match self {
            Self::Whole => asks.name().replace('_', " "),
            Self::System { system, role, remove, .. } => {
                let role = role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
                let end = if *remove { " (taken away)" } else { "" };
                format!("{system}{role}{end}")
            }
        }
    }
}

/// Where a part stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// This role decides next.
    Waiting(ApproverRole),
    /// Everybody said yes.
    Complete,
    /// Somebody said no.
    Denied(Denial),
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Who said it.
    pub by: Actor,
    /// As what.
    pub role: ApproverRole,
    /// Why.
    pub reason: String,
}

/// A part and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartStands {
    /// The part.
    pub part: Part,
    /// Roles of its chain that said yes, with who it was.
    pub given: Vec<(ApproverRole, Actor)>,
    /// Where it stands.
    pub stands: Stands,
}

/// A form's parts and where each stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// In the form's order.
    pub parts: Vec<PartStands>,
    /// Decisions that counted, oldest first.
    pub counted: Vec<Decision>,
}

/// Everything that a form asks for, each with its chain. `included` are the systems that come with it.
#[must_use]
pub fn parts(
    form: &AccessForm,
    included: &[(SystemName, Option<SystemRole>)],
    policy: &AccessPolicy,
) -> Vec<Part> {
    let rule = policy.forms.get(&form.form);
    let comes = |(system, role): &(SystemName, Option<SystemRole>)| Wish::System {
        system: system.clone(),
        role: role.clone(),
        remove: false,
        ends_on: form.ends_on,
    };
    let part = |what| Part { chain: chain_of(&what, rule, policy), what };
    if !matches!(form.asks, Asks::New | Asks::Change) {
        let whole = Part { what: Wish::Whole, chain: whole_chain(form.asks, rule, policy) };
        // Systems of another location come by their own chains, too (A3).
        let moves = form.asks == Asks::LocationChange;
        let besides = included.iter().filter(|_| moves).map(comes).map(part);
        return std::iter::once(whole).chain(besides).collect();
    }
    let wished = form.systems.iter().map(|wish| Wish::System {
        system: wish.system.clone(),
        role: wish.role.clone(),
        remove: wish.remove,
        ends_on: wish.ends_on.or(form.ends_on),
    });
    let named = |system: &SystemName| form.systems.iter().any(|wish| wish.system == *system);
    let besides = included.iter().filter(|(system, _)| !named(system));
    let mut parts: Vec<Part> = besides.map(comes).chain(wished).map(part).collect();
    // A form `new` without a system still asks for the account itself.
    if parts.is_empty() {
        parts.push(Part { what: Wish::Whole, chain: own_or_agency(rule, policy) });
    }
    parts
}

fn own_or_agency(rule: Option<&FormRule>, policy: &AccessPolicy) -> Vec<ApproverRole> {
    let own = rule.map(|rule| rule.chain.clone()).unwrap_or_default();
    once(if own.is_empty() { policy.chain.clone() } else { own })
}

/// The chain of a system: the form's own, else the system's, else the agency's (A3); before all of them who
/// answers for a personal device, where it is used on one (A4). Taking a system away has the same: nobody
/// takes another's access by a form of their own.
fn chain_of(what: &Wish, rule: Option<&FormRule>, policy: &AccessPolicy) -> Vec<ApproverRole> {
    let own = rule.is_some_and(|rule| !rule.chain.is_empty());
    let system = match what {
        Wish::System { system, .. } => policy.systems.get(system),
        Wish::Whole => None,
    };
    let chain = match system {
        Some(system) if !own && !system.chain.is_empty() => once(system.chain.clone()),
        _ => own_or_agency(rule, policy),
    };
    let on_a_device = system.is_some_and(|system| system.personal_device);
    match policy.personal_device.approver.as_ref().filter(|_| on_a_device) {
        Some(first) if !chain.contains(first) => {
            std::iter::once(first.clone()).chain(chain).collect()
        }
        _ => chain,
    }
}

/// What ends or stops access waits for nobody (A2, S2); what gives it back, or opens a gate, only where the
/// form has a chain of its own: its rule says who may file it.
fn whole_chain(asks: Asks, rule: Option<&FormRule>, policy: &AccessPolicy) -> Vec<ApproverRole> {
    match asks {
        Asks::New | Asks::Change | Asks::NameChange | Asks::LocationChange => {
            own_or_agency(rule, policy)
        }
        Asks::Revoke | Asks::Leave | Asks::Suspend => Vec::new(),
        Asks::Return | Asks::Lift | Asks::ResetPassword | Asks::Agreement | Asks::Recertify => {
            once(rule.map(|rule| rule.chain.clone()).unwrap_or_default())
        }
    }
}

/// A role that stands twice in a chain decides once.
fn once(chain: Vec<ApproverRole>) -> Vec<ApproverRole> {
    let mut kept: Vec<ApproverRole> = Vec::with_capacity(chain.len());
    for role in chain {
        if !kept.contains(&role) {
            kept.push(role);
        }
    }
    kept
}

/// SHA-256 of what decisions are bound to, in hexadecimal: what the form says, and what it asks for by the
/// rules as they are now, where, and of whom. Where a rule or the person changes, nothing that was said to
/// the form before counts for what it has become.
#[must_use]
pub fn binding(hash: &str, parts: &[Part], location: Option<&LocationId>) -> String {
    let mut text = String::from(hash);
    let mut add = |between: char, piece: &str| {
        text.push(between);
        text.push_str(piece);
    };
    add('\u{1e}', location.map(LocationId::folded).as_deref().unwrap_or_default());
    for Part { what, chain } in parts {
        match what {
            Wish::Whole => add('\u{1e}', "whole"),
            Wish::System { system, role, remove, ends_on } => {
                add('\u{1e}', "system");
                add('\u{1f}', system.as_str());
                add('\u{1f}', role.as_ref().map(SystemRole::as_str).unwrap_or_default());
                add('\u{1f}', if *remove { "remove" } else { "" });
                add('\u{1f}', &ends_on.map(|day| day.to_string()).unwrap_or_default());
            }
        }
        for role in chain {
            add('\u{1d}', role.as_str());
        }
    }
    digest(text.as_bytes())
}

/// Where each part stands after what was said to this [`binding`], oldest first.
#[must_use]
pub fn progress(parts: Vec<Part>, hash: &str, decisions: &[Decision]) -> Progress {
    let parts = parts.into_iter().map(|part| PartStands {
        stands: part.chain.first().cloned().map_or(Stands::Complete, Stands::Waiting),
        given: Vec::new(),
        part,
    });
    let mut progress = Progress { parts: parts.collect(), counted: Vec::new() };
    for decision in decisions.iter().filter(|decision| decision.hash == hash) {
        progress.count(decision);
    }
    progress
}

impl Progress {
    /// Counts one decision; one that is not this role's turn, or a second step by the same hands, does not.
    fn count(&mut self, decision: &Decision) {
        if !self.is_asked(&decision.role) || self.other_step(decision).is_some() {
            return;
        }
        match &decision.said {
            Said::Approved => {
                for part in &mut self.parts {
                    part.approve(&decision.role, &decision.by);
                }
            }
            Said::Denied { reason } => {
                let denial = Denial {
                    by: decision.by.clone(),
                    role: decision.role.clone(),
                    reason: reason.clone(),
                };
                for part in &mut self.parts {
                    part.deny(&denial);
                }
                // What comes with a move does not come without it.
                let whole = self.parts.iter().find(|part| part.part.what == Wish::Whole);
                if whole.is_some_and(|whole| matches!(whole.stands, Stands::Denied(_))) {
                    for part in &mut self.parts {
                        part.stands = Stands::Denied(denial.clone());
                    }
                }
            }
        }
        self.counted.push(decision.clone());
    }

    /// The role under which the same hands decided on this form before.
    fn other_step(&self, decision: &Decision) -> Option<&ApproverRole> {
        hands(decision).find_map(|actor| self.decided_as(actor, &decision.role))
    }

    /// The other role under which somebody decided on this form, themselves or through a deputy.
    #[must_use]
    pub fn decided_as(&self, actor: &Actor, other_than: &ApproverRole) -> Option<&ApproverRole> {
        let theirs =
            |said: &&Decision| hands(said).any(|hand| bare(hand.as_str()) == bare(actor.as_str()));
        let mut before = self.counted.iter().filter(theirs).map(|said| &said.role);
        before.find(|role| *role != other_than)
    }

    /// Roles that decide now, each once, in the order of the parts.
    #[must_use]
    pub fn asked(&self) -> Vec<ApproverRole> {
        let mut roles: Vec<ApproverRole> = Vec::new();
        for part in &self.parts {
            if let Stands::Waiting(role) = &part.stands
                && !roles.contains(role)
            {
                roles.push(role.clone());
            }
        }
        roles
    }

    /// Whether it is this role's turn in some part.
    #[must_use]
    pub fn is_asked(&self, role: &ApproverRole) -> bool {
        self.parts.iter().any(|part| matches!(&part.stands, Stands::Waiting(next) if next == role))
    }

    /// The role that has to decide before this one does, where this one's turn is still to come.
    #[must_use]
    pub fn before(&self, role: &ApproverRole) -> Option<&ApproverRole> {
        self.parts.iter().find_map(|part| match &part.stands {
            Stands::Waiting(next) if next != role && part.comes(role) => Some(next),
            _ => None,
        })
    }

    /// Whether any chain of the form has this role.
    #[must_use]
    pub fn has(&self, role: &ApproverRole) -> bool {
        self.parts.iter().any(|part| part.part.chain.contains(role))
    }

    /// Whether nobody is asked any more.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.parts.iter().all(|part| !matches!(part.stands, Stands::Waiting(_)))
    }

    /// The first no, where the whole form is denied: no part of it can still be given.
    #[must_use]
    pub fn denied(&self) -> Option<&Denial> {
        let mut denials = self.parts.iter().map(|part| match &part.stands {
            Stands::Denied(denial) => Some(denial),
            Stands::Waiting(_) | Stands::Complete => None,
        });
        let first = denials.next()??;
        denials.all(|denial| denial.is_some()).then_some(first)
    }

    /// Every no, each once.
    #[must_use]
    pub fn denials(&self) -> Vec<&Denial> {
        let mut found: Vec<&Denial> = Vec::new();
        for part in &self.parts {
            if let Stands::Denied(denial) = &part.stands
                && !found.contains(&denial)
            {
                found.push(denial);
            }
        }
        found
    }

    /// Parts to which everybody said yes.
    pub fn complete(&self) -> impl Iterator<Item = &Part> {
        let complete = self.parts.iter().filter(|part| part.stands == Stands::Complete);
        complete.map(|part| &part.part)
    }
}

/// A log-on name without its domain, in lower case: `DMH\mzsmitj` and `mzsmitj@dmh` are `mzsmitj`.
pub(super) fn bare(name: &str) -> String {
    let name = name.rsplit('\\').next().unwrap_or(name);
    name.split('@').next().unwrap_or(name).to_lowercase()
}

/// Who had a hand in a decision: the one who said it, and the one in whose place.
fn hands(decision: &Decision) -> impl Iterator<Item = &Actor> {
    std::iter::once(&decision.by).chain(&decision.in_place_of)
}

impl PartStands {
    fn approve(&mut self, role: &ApproverRole, by: &Actor) {
        if !matches!(&self.stands, Stands::Waiting(next) if next == role) {
            return;
        }
        self.given.push((role.clone(), by.clone()));
        let next = self.part.chain.get(self.given.len()).cloned();
        self.stands = next.map_or(Stands::Complete, Stands::Waiting);
    }

    fn deny(&mut self, denial: &Denial) {
        if matches!(self.stands, Stands::Waiting(_)) && self.part.chain.contains(&denial.role) {
            self.stands = Stands::Denied(denial.clone());
        }
    }

    /// Whether the role's turn in this part is still to come.
    fn comes(&self, role: &ApproverRole) -> bool {
        self.part.chain.iter().skip(self.given.len()).any(|later| later == role)
    }
}

#[cfg(test)]
mod tests;
