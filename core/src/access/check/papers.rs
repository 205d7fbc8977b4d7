//! Signatures and scans: those that the form's rule wants, and how they must be made (A5, A6).

use super::{Checked, quoted};
use crate::access::form::SignedBy;
use crate::citation::Rule;
use crate::policy::access::FormRule;
use std::collections::BTreeSet;

impl Checked<'_> {
    pub(super) fn papers(&mut self, rule: &FormRule) {
        self.signatures(rule);
        self.files();
        self.scans(rule);
    }

    fn signatures(&mut self, rule: &FormRule) {
        let (form, today) = (self.form, self.known.today);
        for wanted in &rule.signatures {
            let same = |role: &str| role.eq_ignore_ascii_case(&wanted.role);
            let theirs: Vec<_> =
                form.signatures.iter().filter(|signature| same(&signature.role)).collect();
            if theirs.is_empty() {
                let problem = format!("has none of {}", wanted.role);
                self.wrong("signatures", Rule::A6, problem, "have it signed");
            } else if wanted.by == Some(SignedBy::Hand)
                && theirs.iter().all(|signature| signature.by != SignedBy::Hand)
            {
                let problem =
                    format!("has an electronic one of {}, and it is refused", wanted.role);
                self.wrong("signatures", Rule::A6, problem, "have it signed by hand and scanned");
            }
        }
        for (place, signature) in form.signatures.iter().enumerate() {
            if signature.on > today {
                let problem = format!("is {}, and today is {today}", signature.on);
                let advice = "look on the paper when it was signed";
                self.wrong(format!("signatures[{place}].on"), Rule::A6, problem, advice);
            }
        }
    }

    /// Names of files that lead nowhere else, digests that are digests, and no scan twice.
    fn files(&mut self) {
        let mut seen = BTreeSet::new();
        for (place, scan) in self.form.attachments.iter().enumerate() {
            if !is_plain_name(&scan.file) {
                let problem = format!("{} is no plain name of a file", quoted(&scan.file));
                let advice = "name a file in the same folder, without a path";
                self.wrong(format!("attachments[{place}].file"), Rule::A1, problem, advice);
            }
            if !is_digest(&scan.sha256) {
                let advice = "give the 64 hexadecimal digits that sha256sum prints";
                let field = format!("attachments[{place}].sha256");
                self.wrong(field, Rule::A1, "is no SHA-256 digest", advice);
            }
            if !seen.insert(&scan.file) {
                let problem = format!("{} is there twice", quoted(&scan.file));
                let field = format!("attachments[{place}].file");
                self.wrong(field, Rule::A1, problem, "name each scan once");
            }
        }
    }

    fn scans(&mut self, rule: &FormRule) {
        let form = self.form;
        let claimed = form.exceptions.iter().filter_map(|name| rule.exceptions.get(name));
        let of_exceptions = claimed.flat_map(|exception| &exception.attachments);
        let wanted: BTreeSet<&String> = rule.attachments.iter().chain(of_exceptions).collect();
        for what in wanted {
            if !form.attachments.iter().any(|scan| scan.what.eq_ignore_ascii_case(what)) {
                let problem = format!("has no scan that is {what}");
                let advice = "scan it, and name it with its file and digest";
                self.wrong("attachments", Rule::A6, problem, advice);
            }
        }
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
