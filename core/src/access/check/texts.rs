//! Texts of a form that could fool its reader, and lists longer than any form's.

use super::Checked;
use crate::access::form::FormPersonName;
use crate::citation::Rule;
use crate::mask::looks_like_ssn;
use crate::shown::shown_within;

/// Longest free text in characters.
const LONGEST_TEXT: usize = 1000;
/// Longest name of anything in characters.
const LONGEST_NAME: usize = 120;
/// Most systems on one form.
const MOST_SYSTEMS: usize = 100;
/// Most signatures, scans or exceptions on one form.
const MOST_PAPERS: usize = 20;

impl Checked<'_> {
    /// Looks at every text of the form.
    pub(super) fn texts(&mut self) {
        let form = self.form;
        for (field, text) in [
            ("position", form.position.as_deref()),
            ("reason", form.reason.as_deref()),
            ("least_phi", form.least_phi.as_deref()),
        ] {
            self.text(field, text, LONGEST_TEXT);
        }
        self.text("form", Some(form.form.as_str()), LONGEST_NAME);
        self.text("gate", form.gate.as_ref().map(crate::facts::GateName::as_str), LONGEST_NAME);
        let subject = &form.person;
        let location = |id: &Option<crate::facts::LocationId>| id.as_ref().map(ToString::to_string);
        let words = [
            ("person.user_id", subject.user_id.as_ref().map(ToString::to_string)),
            ("person.employee_number", subject.employee_number.as_ref().map(ToString::to_string)),
            ("person.kind", subject.kind.as_ref().map(ToString::to_string)),
            ("person.location", location(&subject.location)),
            ("person.supervisor", subject.supervisor.as_ref().map(ToString::to_string)),
            ("old_user_id", form.old_user_id.as_ref().map(ToString::to_string)),
            ("new_location", location(&form.new_location)),
            ("requested_by", form.requested_by.as_ref().map(ToString::to_string)),
        ];
        for (field, text) in &words {
            self.text(field, text.as_deref(), LONGEST_NAME);
            if text.as_deref().is_some_and(looks_like_ssn) {
                let advice = "give the person's key; a protected number is never stored";
                self.wrong(*field, Rule::P1, "looks like a social security number", advice);
            }
        }
        self.name("person.name", subject.name.as_ref());
        self.name("new_name", form.new_name.as_ref());
        self.lists();
    }

    fn lists(&mut self) {
        let form = self.form;
        for (place, wish) in form.systems.iter().enumerate() {
            self.text(
                &format!("systems[{place}].system"),
                Some(wish.system.as_str()),
                LONGEST_NAME,
            );
            let role = wish.role.as_ref().map(crate::facts::SystemRole::as_str);
            self.text(&format!("systems[{place}].role"), role, LONGEST_NAME);
        }
        for (place, signature) in form.signatures.iter().enumerate() {
            self.text(&format!("signatures[{place}].role"), Some(&signature.role), LONGEST_NAME);
            self.text(&format!("signatures[{place}].name"), Some(&signature.name), LONGEST_NAME);
        }
        for (place, scan) in form.attachments.iter().enumerate() {
            self.text(&format!("attachments[{place}].what"), Some(&scan.what), LONGEST_NAME);
            self.text(&format!("attachments[{place}].file"), Some(&scan.file), LONGEST_NAME);
        }
        for (place, exception) in form.exceptions.iter().enumerate() {
            self.text(&format!("exceptions[{place}]"), Some(exception), LONGEST_NAME);
        }
        let lengths = [
            ("systems", form.systems.len(), MOST_SYSTEMS),
            ("signatures", form.signatures.len(), MOST_PAPERS),
            ("attachments", form.attachments.len(), MOST_PAPERS),
            ("exceptions", form.exceptions.len(), MOST_PAPERS),
        ];
        for (field, length, most) in lengths {
            if length > most {
                let problem = format!("has {length} entries, and {most} at most are read");
                self.wrong(field, Rule::A1, problem, "file what is left on a second form");
            }
        }
    }

    fn name(&mut self, field: &str, name: Option<&FormPersonName>) {
        let Some(name) = name else { return };
        let preferred = name.preferred.as_deref();
        for (part, text) in [
            ("last", Some(name.last.as_str())),
            ("first", Some(&name.first)),
            ("preferred", preferred),
        ] {
            let field = format!("{field}.{part}");
            self.text(&field, text, LONGEST_NAME);
            if text.is_some_and(|text| text.trim().is_empty()) {
                self.wrong(field, Rule::A1, "is empty", "write the name as HR has it");
            }
        }
    }

    fn text(&mut self, field: &str, text: Option<&str>, longest: usize) {
        let Some(text) = text else { return };
        if text.chars().count() > longest {
            let problem = format!("has more than {longest} characters");
            self.wrong(field, Rule::A1, problem, "say it shorter");
        } else if shown_within(text, usize::MAX) != text {
            // What would have to be escaped to be shown.
            let problem = "has control or invisible characters or line breaks in it";
            self.wrong(field, Rule::A1, problem, "write it as one plain line");
        }
    }
}
