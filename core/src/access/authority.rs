//! Whether somebody may decide on a form, and as what (A2, A3): who has which role for whom, four eyes,
//! turns, and who decides in whose place. Every no is one sentence that names the rule.

use super::chain::{Progress, bare};
use super::decision::Absence;
use crate::facts::{Actor, ApproverRole, LocationId, UserId};
use crate::policy::access::{ApproverRule, Per};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who would decide, with all that is known of their account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Log-on name on this machine.
    pub name: Actor,
    /// Further log-on names of the same person, as far as HR's facts link them.
    pub also: Vec<UserId>,
    /// Groups of this machine.
    pub machine_groups: BTreeSet<String>,
    /// Groups of the directories, by name; letters' case does not count there.
    pub directory_groups: BTreeSet<String>,
    /// Directories that could not be asked, with the reason: what they would say is no yes.
    pub unread: Vec<String>,
    /// An operator of lapsed.
    pub operator: bool,
}

/// A form, as far as it matters for who decides on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matter {
    /// Where the person works; the new location where the form asks for a move.
    pub location: Option<LocationId>,
    /// Log-on names of the person's supervisor.
    pub supervisors: Vec<UserId>,
    /// Why it can't be said who the supervisor is, where somebody is named and not known here.
    pub supervisor_unclear: Option<String>,
    /// Log-on names of the person.
    pub subject: Vec<UserId>,
    /// Whose word the form is.
    pub filed_by: Option<Actor>,
    /// Who asks, where the form says so.
    pub requested_by: Option<UserId>,
}

/// All that decides on who may decide.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The form.
    pub matter: &'a Matter,
    /// How far it has come.
    pub progress: &'a Progress,
    /// Who has which role.
    pub rules: &'a BTreeMap<ApproverRole, ApproverRule>,
    /// Everybody who is away today and has named a deputy, with what is known of them.
    pub away: &'a [(Absence, Member)],
    /// Today in the agency's zone.
    pub today: Date,
}

/// A yes: this one may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// In whose place, where the role is not their own.
    pub in_place_of: Option<Actor>,
}

/// Why somebody may not decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The YAML does not know the role.
    #[error("{0} is no role under access.approvers")]
    NoSuchRole(ApproverRole),
    /// The form does not need it.
    #[error("no chain of this form has the role {0} in it (A2, A3)")]
    NotInChain(ApproverRole),
    /// It is all said.
    #[error("the form is denied already, and a denial ends it (A3)")]
    Denied,
    /// The role has said yes, or its parts have ended.
    #[error("{0} has nothing more to decide on this form")]
    AlreadyDecided(ApproverRole),
    /// Another role comes first.
    #[error("it is not the turn of {role}: {first} decides first (A3)")]
    NotYourTurn {
        /// Whose turn it is not.
        role: ApproverRole,
        /// Whose it is.
        first: ApproverRole,
    },
    /// The role is somebody else's.
    #[error("{name} is not {title} for this person (A2)")]
    NotTheirs {
        /// The caller.
        name: Actor,
        /// The role, for people.
        title: String,
    },
    /// The role counts per location, and the location is not known.
    #[error("{title} counts for a location, and where this person works is not known (A2)")]
    NoLocation {
        /// The role, for people.
        title: String,
    },
    /// Whether they have it can't be said.
    #[error("not now: whether {name} is {title} can't be said, since {why}")]
    NotNow {
        /// The caller.
        name: Actor,
        /// The role, for people.
        title: String,
        /// What can't be asked.
        why: String,
    },
    /// Their own form.
    #[error("{name} {how}, and nobody decides on their own form (four eyes, A2)")]
    OwnForm {
        /// The caller, or the one in whose place they would decide.
        name: Actor,
        /// In which way it is theirs.
        how: &'static str,
    },
    /// A second step.
    #[error(
        "{name} decided on this form as {role} already, and nobody decides two steps (four eyes, A2)"
    )]
    TwoSteps {
        /// Who.
        name: Actor,
        /// As what.
        role: ApproverRole,
    },
}

impl Refusal {
    /// True where asking again later may help.
    #[must_use]
    pub fn is_for_now(&self) -> bool {
        matches!(self, Self::NotNow { .. })
    }
}

/// Whether somebody has a role for a form's person.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Has {
    Yes,
    No,
    Unread(String),
}

impl Question<'_> {
    /// Whether the caller may decide in a role now.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn may_decide(&self, caller: &Member, role: &ApproverRole) -> Result<Allowed, Refusal> {
        let rule = self.rules.get(role).ok_or_else(|| Refusal::NoSuchRole(role.clone()))?;
        let allowed = self.by_right(caller, role, rule)?;
        self.in_turn(role)?;
        self.four_eyes(caller, role, rule)?;
        Ok(allowed)
    }

    /// Roles in which the caller may decide now.
    #[must_use]
    pub fn roles_of(&self, caller: &Member) -> Vec<ApproverRole> {
        let mut asked = self.progress.asked();
        asked.retain(|role| self.may_decide(caller, role).is_ok());
        asked
    }

    /// Whether the caller has one of the roles of the form's chains for its person, whoever's turn it is.
    #[must_use]
    pub fn concerns(&self, caller: &Member) -> bool {
        let in_chain = self.rules.iter().filter(|(role, _)| self.progress.has(role));
        let mut theirs = in_chain.filter(|(role, rule)| self.by_right(caller, role, rule).is_ok());
        theirs.next().is_some() || self.own(caller).is_some()
    }

    /// Whether the caller has a role for the form's person, whatever the form's chains say: for who may
    /// file a form, and who may open an envelope.
    #[must_use]
    pub fn holds(&self, caller: &Member, role: &ApproverRole) -> bool {
        self.rules.get(role).is_some_and(|rule| self.has(caller, rule) == Has::Yes)
    }

    fn in_turn(&self, role: &ApproverRole) -> Result<(), Refusal> {
        if self.progress.is_asked(role) {
            return Ok(());
        }
        if !self.progress.has(role) {
            return Err(Refusal::NotInChain(role.clone()));
        }
        if self.progress.denied().is_some() {
            return Err(Refusal::Denied);
        }
        match self.progress.before(role) {
            Some(first) => Err(Refusal::NotYourTurn { role: role.clone(), first: first.clone() }),
            None => Err(Refusal::AlreadyDecided(role.clone())),
        }
    }

    /// By a role of their own, or in the place of one who is away.
    fn by_right(
        &self,
        caller: &Member,
        role: &ApproverRole,
        rule: &ApproverRule,
    ) -> Result<Allowed, Refusal> {
        let own = self.has(caller, rule);
        if own == Has::Yes {
            return Ok(Allowed { in_place_of: None });
        }
        let mut refusal = self.not_theirs(caller, role, rule, own);
        for (absence, away) in
            self.away.iter().filter(|(absence, _)| is_in_place(absence, caller, role, self.today))
        {
            // A role that the absent one has as a deputy only is not theirs to hand on.
            match self.has(away, rule) {
                Has::Yes => match self.four_eyes(away, role, rule) {
                    Ok(()) => return Ok(Allowed { in_place_of: Some(absence.away.clone()) }),
                    Err(why) => refusal = why,
                },
                Has::Unread(why) => {
                    refusal = Refusal::NotNow {
                        name: absence.away.clone(),
                        title: title(role, rule),
                        why,
                    };
                }
                Has::No => {}
            }
        }
        Err(refusal)
    }

    fn not_theirs(
        &self,
        caller: &Member,
        role: &ApproverRole,
        rule: &ApproverRule,
        own: Has,
    ) -> Refusal {
        let title = title(role, rule);
        match own {
            Has::Unread(why) => Refusal::NotNow { name: caller.name.clone(), title, why },
            Has::Yes | Has::No if rule.per == Per::Location && self.matter.location.is_none() => {
                Refusal::NoLocation { title }
            }
            Has::Yes | Has::No => Refusal::NotTheirs { name: caller.name.clone(), title },
        }
    }

    /// Whether somebody has a role for the form's person by themselves.
    fn has(&self, who: &Member, rule: &ApproverRule) -> Has {
        let location = self.matter.location.as_ref();
        let named = |names: &[String]| names.iter().any(|name| name == who.name.as_str());
        let here = |at: &LocationId| location.is_some_and(|loc| loc.folded() == at.folded());
        if named(&rule.users)
            || rule.at.iter().any(|(at, users)| here(at) && named(users))
            || (rule.operators && who.operator)
            || (rule.supervisor && self.matter.supervisors.iter().any(|id| who.calls_as(id)))
        {
            return Has::Yes;
        }
        let groups = rule.groups_at(location);
        if groups.iter().any(|group| who.is_in(group)) {
            return Has::Yes;
        }
        let unread = who.unread.first().filter(|_| !groups.is_empty());
        let unclear = self.matter.supervisor_unclear.as_ref().filter(|_| rule.supervisor);
        unread.or(unclear).map_or(Has::No, |why| Has::Unread(why.clone()))
    }

    /// Nobody decides on their own form, and nobody decides two steps of one form.
    fn four_eyes(
        &self,
        who: &Member,
        role: &ApproverRole,
        rule: &ApproverRule,
    ) -> Result<(), Refusal> {
        if let Some(how) = self.own(who).filter(|how| *how != FILED || !self.may_file(who, rule)) {
            return Err(Refusal::OwnForm { name: who.name.clone(), how });
        }
        for name in who.names() {
            if let Ok(actor) = Actor::new(name)
                && let Some(before) = self.progress.decided_as(&actor, role)
            {
                let name = who.name.clone();
                return Err(Refusal::TwoSteps { name, role: before.clone() });
            }
        }
        Ok(())
    }

    /// In which way a form is somebody's own.
    fn own(&self, who: &Member) -> Option<&'static str> {
        let matter = self.matter;
        if matter.subject.iter().any(|id| who.is(id.as_str())) {
            return Some("is the one whom the form is about");
        }
        if matter.requested_by.iter().any(|id| who.is(id.as_str())) {
            return Some("asked for it");
        }
        matter.filed_by.iter().any(|actor| who.is(actor.as_str())).then_some(FILED)
    }

    /// Whether they only typed in what another asks for, in a role that does so.
    fn may_file(&self, who: &Member, rule: &ApproverRule) -> bool {
        let for_another = self.matter.requested_by.as_ref();
        rule.enters_forms && for_another.is_some_and(|id| !who.is(id.as_str()))
    }
}

const FILED: &str = "filed it";

fn title(role: &ApproverRole, rule: &ApproverRule) -> String {
    if rule.title.is_empty() { role.to_string() } else { rule.title.clone() }
}

/// Whether an absence lets the caller decide in a role on a day.
fn is_in_place(absence: &Absence, caller: &Member, role: &ApproverRole, today: Date) -> bool {
    absence.deputy.folded() == caller.name.folded()
        && absence.away.folded() != caller.name.folded()
        && absence.from <= today
        && today <= absence.until
        && absence.role.as_ref().is_none_or(|only| only == role)
}

impl Member {
    /// Whether a log-on name is this very account's.
    fn calls_as(&self, user_id: &UserId) -> bool {
        let names = std::iter::once(self.name.folded()).chain(self.also.iter().map(UserId::folded));
        names.into_iter().any(|name| name == user_id.folded())
    }

    /// Whether a name is one of this person's, also where one of the two has a domain to it: rather one no
    /// too many.
    fn is(&self, name: &str) -> bool {
        let name = bare(name);
        self.names().any(|own| own == name)
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let also = self.also.iter().map(|id| bare(id.as_str()));
        std::iter::once(bare(self.name.as_str())).chain(also)
    }

    fn is_in(&self, group: &str) -> bool {
        let folded = group.to_lowercase();
        self.machine_groups.contains(group)
            || self.directory_groups.iter().any(|name| name.to_lowercase() == folded)
    }
}

#[cfg(test)]
mod tests;
