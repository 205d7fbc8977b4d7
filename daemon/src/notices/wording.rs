//! The wording: built-in files of the repository, each replaceable by the agency's own.

use super::facts::Facts;
use lapsed_core::notice_rules::{Kind, Letter, Template, TemplateFault};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// The template that goes around a notice whose addressee was not found.
const NOBODY: &str = "nobody";
/// A larger template is refused unread.
const LARGEST: u64 = 64 * 1024;

/// Why there is no letter.
#[derive(Debug, thiserror::Error)]
#[error("the wording {file} gives no notice: {fault}")]
pub struct WordingError {
    /// The template's file.
    pub file: String,
    /// What is wrong.
    pub fault: TemplateFault,
}

/// The texts of all templates, by the name of their file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wording {
    own: BTreeMap<&'static str, String>,
}

fn built_in(name: &str) -> &'static str {
    match name {
        "manager" => include_str!("../../templates/notices/manager.txt"),
        "deletion_ahead" => include_str!("../../templates/notices/deletion_ahead.txt"),
        "dates_changed" => include_str!("../../templates/notices/dates_changed.txt"),
        "held_in_trust" => include_str!("../../templates/notices/held_in_trust.txt"),
        "security_officer" => include_str!("../../templates/notices/security_officer.txt"),
        "account_management" => include_str!("../../templates/notices/account_management.txt"),
        "receipt" => include_str!("../../templates/notices/receipt.txt"),
        "alarm" => include_str!("../../templates/notices/alarm.txt"),
        "approval_wanted" => include_str!("../../templates/notices/approval_wanted.txt"),
        "approval_reminder" => include_str!("../../templates/notices/approval_reminder.txt"),
        "form_denied" => include_str!("../../templates/notices/form_denied.txt"),
        "access_in_place" => include_str!("../../templates/notices/access_in_place.txt"),
        "form_ended" => include_str!("../../templates/notices/form_ended.txt"),
        "roster" => include_str!("../../templates/notices/roster.txt"),
        "yearly_report" => include_str!("../../templates/notices/yearly_report.txt"),
        "digest" => include_str!("../../templates/notices/digest.txt"),
        _ => include_str!("../../templates/notices/nobody.txt"),
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    Kind::ALL.into_iter().map(Kind::name).chain([NOBODY])
}

impl Wording {
    /// The wording of a folder: a file `KIND.txt` for each kind that the agency words itself. Each is
    /// tried on an example.
    ///
    /// # Errors
    /// Everything that is wrong with the folder, as sentences.
    pub fn of_folder(folder: &Path) -> Result<Self, Vec<String>> {
        let mut own = BTreeMap::new();
        let mut faults = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return Err(vec![format!("the folder can't be read: {error}")]),
        };
        for entry in entries.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let Some(stem) = file.strip_suffix(".txt") else { continue };
            match names().find(|name| *name == stem) {
                None => faults.push(format!("{file}: there is no kind of notice of that name")),
                Some(name) => match read(&entry.path()) {
                    Ok(text) => drop(own.insert(name, text)),
                    Err(why) => faults.push(format!("{file}: {why}")),
                },
            }
        }
        let wording = Self { own };
        faults.extend(wording.faults());
        faults.sort();
        if faults.is_empty() { Ok(wording) } else { Err(faults) }
    }

    /// What is wrong with the agency's own files.
    fn faults(&self) -> Vec<String> {
        let tried = self.own.keys().filter_map(|name| {
            let facts = Facts::example(Kind::ALL.into_iter().find(|kind| kind.name() == *name));
            self.by_name(name, &facts).err().map(|error| format!("{}: {}", error.file, error.fault))
        });
        tried.collect()
    }

    /// Writes a notice.
    ///
    /// # Errors
    /// When the agency's own template does not work with these facts.
    pub fn write(&self, kind: Kind, facts: &Facts) -> Result<Letter, WordingError> {
        self.by_name(kind.name(), facts)
    }

    /// Writes a notice around another one, whose addressee was not found.
    ///
    /// # Errors
    /// When the agency's own template does not work.
    pub fn to_somebody_else(&self, letter: &Letter, reason: &str) -> Result<Letter, WordingError> {
        let facts = Facts::Nobody {
            subject: letter.subject.clone(),
            body: letter.body.clone(),
            reason: reason.to_owned(),
        };
        self.by_name(NOBODY, &facts)
    }

    fn by_name(&self, name: &'static str, facts: &Facts) -> Result<Letter, WordingError> {
        let text = self.own.get(name).map_or_else(|| built_in(name), String::as_str);
        let written = Template::parse(text).and_then(|template| template.write(facts));
        written.map_err(|fault| WordingError { file: format!("{name}.txt"), fault })
    }
}

/// Writes a notice, by the built-in wording where the agency's own does not work with these facts: nothing
/// goes untold for it. `about` is the subject should even that fail.
pub(crate) fn written(wording: &Wording, kind: Kind, facts: &Facts, about: &str) -> Letter {
    let own = wording.write(kind, facts);
    let written = own.or_else(|error| {
        tracing::error!(%error, "own wording of a notice does not work; the built-in one is used");
        Wording::default().write(kind, facts)
    });
    written.unwrap_or_else(|error| {
        tracing::error!(%error, "a notice has no wording");
        let subject = format!("lapsed: {kind}, {about}");
        Letter { body: format!("{subject}\n\nSee: lapsed person {about}\n"), subject }
    })
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("can't be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err("is larger than 64 KiB; this can't be the right one".into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn every_built_in_template_works_on_its_example() {
        for kind in Kind::ALL {
            let letter = Wording::default().write(kind, &Facts::example(Some(kind))).unwrap();
            assert!(!letter.body.contains("{{") && !letter.body.contains("\n\n\n"), "{letter:?}");
        }
    }

    #[test]
    fn a_notice_for_nobody_says_why_and_keeps_what_it_said() {
        let kind = Kind::Manager;
        let letter = Wording::default().write(kind, &Facts::example(Some(kind))).unwrap();
        let other = Wording::default().to_somebody_else(&letter, "HR names no supervisor").unwrap();
        assert_eq!(other.subject, letter.subject);
        assert!(other.body.contains("HR names no supervisor"), "{other:?}");
        assert!(other.body.contains(letter.body.trim()), "{other:?}");
    }

    #[rstest]
    #[case::an_unknown_name("manager.txt", "Subject: x\n\n{{ ssn }}", "manager.txt")]
    #[case::an_unknown_kind("manger.txt", "Subject: x\n\ny", "no kind of notice")]
    #[case::no_subject("alarm.txt", "Dear all", "Subject")]
    fn own_wording_that_does_not_work_is_told(
        #[case] file: &str,
        #[case] text: &str,
        #[case] because: &str,
    ) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
        let faults = Wording::of_folder(folder.path()).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(because)), "{faults:?}");
    }

    #[test]
    fn own_wording_takes_the_place_of_the_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manager.txt"), "Subject: Adieu {{ name }}\n\nBye.\n")
            .unwrap();
        let wording = Wording::of_folder(folder.path()).unwrap();
        let letter = wording.write(Kind::Manager, &Facts::example(Some(Kind::Manager))).unwrap();
        assert_eq!(letter.subject, "Adieu Maria Núñez");
    }
}
