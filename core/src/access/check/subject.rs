//! Whether the form agrees with what is known of its person, and whether they are still there (N7, D10).

use super::{Checked, quoted};
use crate::absorb::agrees;
use crate::access::form::{Asks, FormPersonName};
use crate::citation::Rule;
use crate::facts::PersonName;
use crate::policy::naming::find_location;
use crate::standing::Standing;

impl Checked<'_> {
    pub(super) fn subject(&mut self) {
        self.place();
        match self.known.person {
            None => self.newcomer(),
            Some(_) => {
                self.names();
                self.old_user_id();
                self.standing();
            }
        }
    }

    fn place(&mut self) {
        let form = self.form;
        let places =
            [("person.location", &form.person.location), ("new_location", &form.new_location)];
        for (field, location) in places {
            if let Some(id) = location
                && find_location(&self.policy.locations, id).is_none()
            {
                let problem = format!("{} is no location that is known here", quoted(id.as_str()));
                self.wrong(field, Rule::N5, problem, "give its identifier, as under `locations`");
            }
        }
        if let Some(kind) = &form.person.kind {
            let naming = &self.policy.naming;
            let known = naming.kinds.keys().any(|name| name.folded() == kind.folded())
                || naming.functions.keys().any(|code| code.to_lowercase() == kind.folded());
            if !known {
                let names: Vec<&str> =
                    naming.kinds.keys().map(crate::facts::PersonKind::as_str).collect();
                let problem = format!("{} is no kind that is known here", quoted(kind.as_str()));
                let advice = format!("one of these is meant: {}", names.join(", "));
                self.wrong("person.kind", Rule::A1, problem, advice);
            }
        }
    }

    /// Somebody of whom nothing is known: the form has to say it all.
    fn newcomer(&mut self) {
        let subject = &self.form.person;
        if self.form.asks != Asks::New {
            return;
        }
        let advice = "nothing is known of the person but what this form says";
        if subject.name.is_none() {
            self.wrong("person.name", Rule::A1, "is missing", advice);
        }
        if self.kinds.is_empty() {
            self.wrong("person.kind", Rule::A1, "is missing", advice);
        }
        let naming = &self.policy.naming;
        let has_place = |kind: &crate::facts::PersonKind| {
            naming.kinds.get(kind).is_some_and(|rule| rule.location.is_some())
        };
        if subject.location.is_none() && !self.kinds.iter().any(has_place) {
            self.wrong("person.location", Rule::A1, "is missing", advice);
        }
    }

    fn names(&mut self) {
        let known: Vec<&PersonName> = self
            .known
            .person
            .into_iter()
            .flat_map(|person| &person.engagements)
            .filter_map(|engagement| engagement.name.as_ref())
            .collect();
        let fits = |name: &FormPersonName| {
            let name = PersonName::from(name.clone());
            known.is_empty() || known.iter().any(|known| agrees(&name, known))
        };
        let Some(name) = self.form.person.name.as_ref().filter(|name| !fits(name)) else { return };
        // HR may have been quicker with the new name.
        if self.form.new_name.as_ref().is_some_and(fits) && !name.last.is_empty() {
            return;
        }
        let problem = "is not that of the person who has the user ID or number";
        let advice = "ask whose form it is; a name change is asked for as name_change";
        self.wrong("person.name", Rule::N7, problem, advice);
    }

    /// The second key of a rename (N7).
    fn old_user_id(&mut self) {
        let (Some(old), Some(person)) = (&self.form.old_user_id, self.known.person) else { return };
        let theirs = person.user_ids();
        if !theirs.is_empty() && !theirs.iter().any(|id| id.folded() == old.folded()) {
            let problem = format!("{} is not a user ID of this person", quoted(old.as_str()));
            self.wrong("old_user_id", Rule::N7, problem, "ask whose form it is");
        }
    }

    /// After a departure nothing is given but by a new form that names who comes back (D10).
    fn standing(&mut self) {
        let Standing::Left(end) = self.known.standing else { return };
        let asks = self.form.asks;
        if matches!(asks, Asks::Revoke | Asks::Agreement) {
            return;
        }
        if asks != Asks::New {
            let problem = format!("is {}, and the person has left ({})", asks.name(), end.reason);
            let advice = "who comes back is taken on by a form that asks for new";
            self.wrong("asks", Rule::D10, problem, advice);
            return;
        }
        if self.form.person.user_id.is_none() {
            let problem =
                "is missing, and the person has left: who comes back gets the same user ID";
            self.wrong("person.user_id", Rule::D10, problem, "give the user ID that they had");
        }
        if self.form.starts_on.is_none() {
            let problem = "is missing, and the person has left";
            self.wrong("starts_on", Rule::D10, problem, "give the first day of the new engagement");
        }
    }
}
