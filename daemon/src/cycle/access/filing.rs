//! Takes access forms: complete ones about exactly one person go on record with a number and wait for their
//! approvals; of any other nothing is done, and every reason is told (A1).

use super::authority::GroupsAsked;
use super::filer::Filer;
use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::documents::{DocumentError, Documents};
use crate::store::{AuditEntry, Reader, SetAside, StoreError, Tx};
use jiff::Timestamp;
use lapsed_core::absorb;
use lapsed_core::access::authority::Member;
use lapsed_core::access::check::{FormProblem, Known, check, check_texts};
use lapsed_core::access::form::{AccessForm, Asks, FiledForm, FormState};
use lapsed_core::access::gate;
use lapsed_core::access::person::{self, Whom, take_on, whom};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{About, EmployeeNumber, Person, PersonId, SourceName, UserId};
use lapsed_core::intake::digest;
use lapsed_core::mask::mask;
use lapsed_core::standing::{Standing, standing};
use serde_json::json;
use uuid::Uuid;

/// A form as it was handed in.
#[derive(Debug)]
pub struct Submission {
    /// What it says; protected numbers are masked.
    pub form: AccessForm,
    /// SHA-256 of the form's file.
    pub sha256: String,
    /// Its name, safe to show.
    pub file_name: String,
    /// Whose word it is.
    pub filer: Filer,
    /// The scans that came with it.
    pub scans: Vec<Scan>,
}

/// A scan that came with a form.
#[derive(Debug)]
pub struct Scan {
    /// Name of its file.
    pub file: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What became of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filing {
    /// Taken: its number, and what happens now.
    Taken {
        /// Its number.
        number: u64,
        /// For people.
        text: String,
    },
    /// The same form was taken before; nothing was changed.
    Known {
        /// Its number.
        number: u64,
        /// For people.
        text: String,
    },
    /// Not taken, and nothing is given: every reason.
    Refused(Vec<FormProblem>),
}

/// Why a form could not be taken just now.
#[derive(Debug, thiserror::Error)]
pub enum FilingError {
    /// The documents folder.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// The state.
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

impl From<StoreError> for FilingError {
    fn from(error: StoreError) -> Self {
        Self::Cycle(error.into())
    }
}

/// What is known when a form is judged.
struct Judged {
    person: Option<Person>,
    supervisor: Option<EmployeeNumber>,
    /// The role that let the filer file it.
    role: Option<String>,
    earlier: Option<FiledForm>,
}

/// A form that is not to be stored anew.
enum Stop {
    Known(Box<FiledForm>),
    Problems(Vec<FormProblem>),
}

fn problem(field: &str, rule: Rule, problem: String, advice: &str) -> FormProblem {
    FormProblem { field: field.into(), rule, problem, advice: advice.into() }
}

fn one(found: FormProblem) -> Stop {
    Stop::Problems(vec![found])
}

impl Cycle {
    /// Takes a form, whole or not at all; either way it goes on record. Who takes several in one go asks the
    /// directories with one memory.
    ///
    /// # Errors
    /// Documents or state can't be written now: the form is to be filed again.
    pub async fn file_form(
        &self,
        given: &Submission,
        asked: &mut GroupsAsked,
        now: Timestamp,
    ) -> Result<Filing, FilingError> {
        // Directories are asked before the transaction, which waits for nobody.
        let member = self.filing_member(given, asked).await?;
        match self.judge(&self.store.read(), (given, &member), now).await? {
            Ok(_) => {}
            Err(stop) => return self.stopped(given, stop, now).await,
        }
        // Kept before anything says so, and before the transaction: disks may be slow.
        let documents = Documents::new(self.config.state.documents());
        for scan in &given.scans {
            documents.keep(&scan.bytes)?;
        }
        let mut tx = self.store.begin().await?;
        // Once more: another may have filed it meanwhile.
        let judged = match self.judge(&tx.read(), (given, &member), now).await? {
            Ok(judged) => judged,
            Err(stop) => {
                drop(tx);
                return self.stopped(given, stop, now).await;
            }
        };
        let taken = match self.store_form(&mut tx, given, judged, now).await? {
            Ok(taken) => taken,
            Err(found) => {
                drop(tx);
                return self.stopped(given, one(found), now).await;
            }
        };
        tx.commit().await?;
        Ok(taken)
    }

    async fn stopped(
        &self,
        given: &Submission,
        stop: Stop,
        now: Timestamp,
    ) -> Result<Filing, FilingError> {
        match stop {
            Stop::Known(filed) => Ok(Filing::Known {
                number: filed.number,
                text: format!(
                    "form {} was taken {} (by {}); nothing was changed now",
                    filed.number,
                    self.shown_time(filed.filed_at),
                    filed.filed_by
                ),
            }),
            Stop::Problems(problems) => {
                self.refuse(given, &problems, now).await?;
                Ok(Filing::Refused(problems))
            }
        }
    }

    /// Puts a refused form on record (A1), and sets a notice of a departure that fits nobody aside (D1).
    async fn refuse(
        &self,
        given: &Submission,
        problems: &[FormProblem],
        now: Timestamp,
    ) -> Result<(), FilingError> {
        let form = &given.form;
        let reasons: Vec<String> = problems.iter().map(|found| mask(&found.to_string())).collect();
        let mut tx = self.store.begin().await?;
        if form.asks == Asks::Revoke && problems.iter().any(|found| found.rule == Rule::D1) {
            let who = form.person.user_id.as_ref().map(ToString::to_string);
            let number = form.person.employee_number.as_ref().map(ToString::to_string);
            if let Some(source) = person::source() {
                tx.set_aside_once(&SetAside {
                    id: Uuid::new_v5(&form.id, given.sha256.as_bytes()),
                    drop: None,
                    source,
                    file_name: given.file_name.clone(),
                    line: None,
                    reason: reasons.join(" "),
                    who: who.or(number),
                    at: now,
                    settled_at: None,
                })
                .await?;
            }
        }
        let rule = problems.first().map_or(Rule::A1, |found| found.rule);
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(rule)),
            detail: json!({
                "file": mask(&given.file_name), "sha256": given.sha256, "form": form.form, "id": form.id,
                "revision": form.revision, "asks": form.asks, "reasons": reasons,
            }),
            ..AuditEntry::new(now, given.filer.account.name.as_str(), "form.refused")
        });
        tx.commit().await?;
        Ok(())
    }

    /// Everything that can be said against a form, or what is known of its person.
    async fn judge(
        &self,
        read: &Reader<'_>,
        (given, member): (&Submission, &Member),
        now: Timestamp,
    ) -> Result<Result<Judged, Stop>, FilingError> {
        let (form, policy, today) = (&given.form, &self.config.policy, self.today(now));
        if let Err(problems) = check_texts(form, policy, today) {
            return Ok(Err(Stop::Problems(problems)));
        }
        let earlier = read.access_form_of_id(form.id).await?;
        if let Some(earlier) = &earlier
            && let Some(stop) = self.earlier(read, form, earlier).await?
        {
            return Ok(Err(stop));
        }
        let found = self.person_of(read, form, earlier.as_ref()).await?;
        let mut problems = Vec::new();
        let person = match found {
            Ok(person) => person,
            Err(found) => {
                problems.push(found);
                None
            }
        };
        let unclear = !problems.is_empty();
        let stands = person
            .as_ref()
            .map_or(Standing::Unknown, |person| standing(person, now, &self.config.time_zone));
        let known = Known { person: person.as_ref(), standing: &stands, today };
        if let Err(found) = check(form, policy, known) {
            // Of somebody who was not found, what is missing on a newcomer means nothing.
            problems
                .extend(found.into_iter().filter(|p| !unclear || !p.field.starts_with("person.")));
        }
        problems.extend(scans_agree(given));
        problems.extend(self.gives_nothing(form, person.as_ref()).filter(|_| !unclear));
        let supervisor = self.supervisor_of(read, form).await?;
        let role = match self.may_file(read, (given, member), person.as_ref(), today).await? {
            Ok(role) => role,
            Err(found) => {
                problems.push(found);
                None
            }
        };
        if problems.is_empty() {
            Ok(Ok(Judged { person, supervisor, role, earlier }))
        } else {
            Ok(Err(Stop::Problems(problems)))
        }
    }

    /// A form `new` that gives no system: nothing would ever be made of it.
    fn gives_nothing(&self, form: &AccessForm, person: Option<&Person>) -> Option<FormProblem> {
        let named = form.asks != Asks::New || !form.systems.is_empty();
        if named || !self.included(form, person, form.position.as_deref()).is_empty() {
            return None;
        }
        let text =
            "is missing, and no system comes by itself with this kind, location and position";
        let advice =
            "name the systems; an administrator sets those that always come under access.included";
        Some(problem("systems", Rule::A1, text.into(), advice))
    }

    /// The same form again is known; another one under its id must be newer, and nothing of the earlier one
    /// may be given yet.
    async fn earlier(
        &self,
        read: &Reader<'_>,
        form: &AccessForm,
        earlier: &FiledForm,
    ) -> Result<Option<Stop>, FilingError> {
        if form.hash().is_ok_and(|hash| hash == earlier.hash) {
            return Ok(Some(Stop::Known(Box::new(earlier.clone()))));
        }
        let number = earlier.number;
        if form.revision <= earlier.form.revision {
            let text = format!(
                "is {}, and form {number} has revision {} under this id already",
                form.revision, earlier.form.revision
            );
            let advice = "count the revision up where it was written anew; give another form an id of its own";
            return Ok(Some(one(problem("revision", Rule::A1, text, advice))));
        }
        let held = read.entitlements_of(&[earlier.person]).await?;
        let given = held.iter().any(|held| held.form == number);
        let over =
            matches!(earlier.state, FormState::Approved | FormState::InPlace | FormState::Ended);
        if given || over {
            let text =
                format!("is newer, and form {number} under this id was carried out or has ended");
            let advice = "ask for what is to change by a form of its own";
            return Ok(Some(one(problem("revision", Rule::A1, text, advice))));
        }
        Ok(None)
    }

    async fn person_of(
        &self,
        read: &Reader<'_>,
        form: &AccessForm,
        earlier: Option<&FiledForm>,
    ) -> Result<Result<Option<Person>, FormProblem>, FilingError> {
        let numbers: Vec<_> = form.person.employee_number.clone().into_iter().collect();
        let user_ids: Vec<_> = form.person.user_id.clone().into_iter().collect();
        let mut candidates = read.people_by_keys(&numbers, &user_ids).await?;
        // Found by an old number or name only: not theirs any more.
        candidates.sort_by_key(|person| person.id);
        Ok(match whom(form, &candidates) {
            Ok(Whom::Known(place)) => Ok(Some(candidates.swap_remove(place))),
            // A newer revision is about the same person.
            Ok(Whom::New) => match earlier {
                Some(earlier) => Ok(read.person(earlier.person).await?),
                None => Ok(None),
            },
            Err(found) => Err(found),
        })
    }

    /// The employee number of the supervisor whom the form names, where they have one.
    pub(super) async fn supervisor_of(
        &self,
        read: &Reader<'_>,
        form: &AccessForm,
    ) -> Result<Option<EmployeeNumber>, CycleError> {
        let Some(user_id) = form.person.supervisor.clone() else { return Ok(None) };
        let found = read.people_by_keys(&[], &[user_id]).await?;
        let [supervisor] = found.as_slice() else { return Ok(None) };
        Ok(supervisor.employee_numbers().into_iter().next())
    }

    async fn store_form(
        &self,
        tx: &mut Tx,
        given: &Submission,
        judged: Judged,
        now: Timestamp,
    ) -> Result<Result<Filing, FormProblem>, FilingError> {
        let Judged { person, supervisor, role, earlier } = judged;
        let form = &given.form;
        let today = self.today(now);
        let mut person = person.unwrap_or_else(|| Person::new(PersonId(Uuid::now_v7())));
        // A form that nobody has approved changes nothing of a departure: who has left, or leaves, is taken
        // on when it is.
        let unknown = person.engagements.is_empty() && person.notices.is_empty();
        if unknown && form.asks == Asks::New {
            take_on(&mut person, form, supervisor, today);
            tx.save_person(&person).await?;
        }
        let number = match &earlier {
            Some(earlier) => earlier.number,
            None => tx.next_form_number().await?,
        };
        let hash = form.hash().map_err(|error| CycleError::Rule(error.to_string()))?;
        let mut filed = FiledForm {
            number,
            hash,
            form: form.clone(),
            person: person.id,
            filed_by: given.filer.account.name.clone(),
            filed_at: now,
            state: FormState::Waiting,
            ended_because: None,
            reserved: None,
            reminders: 0,
            told_on: None,
        };
        let said = match form.asks {
            Asks::Revoke => {
                match self.notice_of(tx, &mut person, &filed, role.as_deref(), now).await? {
                    Ok(said) => Some(said),
                    Err(found) => return Ok(Err(found)),
                }
            }
            Asks::Agreement => self.open_gate(tx, &filed, now).await?,
            _ => None,
        };
        if said.is_some() {
            filed.state = FormState::InPlace;
            filed.ended_because.clone_from(&said);
        }
        let look_at = said.is_none().then_some(now);
        tx.save_access_forms(&[(filed.clone(), look_at)]).await?;
        self.record_taken(tx, given, &filed, &person, role.as_deref(), now);
        let text = said.unwrap_or_else(|| {
            "it waits for its approvals and for what has to be signed or done first".into()
        });
        let replaced = earlier
            .map(|earlier| format!(", in place of revision {}", earlier.form.revision))
            .unwrap_or_default();
        let shown = filed.about(Some(&person));
        let text = format!(
            "form {number} ({}) about {shown} is taken{replaced}: {text}. See lapsed form {number}",
            form.asks.name()
        );
        Ok(Ok(Filing::Taken { number, text }))
    }

    fn record_taken(
        &self,
        tx: &mut Tx,
        given: &Submission,
        filed: &FiledForm,
        person: &Person,
        role: Option<&str>,
        now: Timestamp,
    ) {
        let form = &filed.form;
        let systems: Vec<String> =
            form.systems.iter().map(|wish| wish.system.to_string()).collect();
        let scans: Vec<&str> = form.attachments.iter().map(|scan| scan.sha256.as_str()).collect();
        tx.audit(AuditEntry {
            person: Some(person.id),
            case: Some(filed.case()),
            user_id: UserId::new(person.shown()).ok(),
            clause: Some(self.config.policy.citations.cite(Rule::A1)),
            detail: json!({
                "number": filed.number, "form": form.form, "id": form.id, "revision": form.revision,
                "asks": form.asks, "hash": filed.hash, "sha256": given.sha256, "systems": systems,
                "scans": scans, "role": role, "reason": form.reason.as_deref().map(mask),
                "file": mask(&given.file_name),
            }),
            ..AuditEntry::new(now, filed.filed_by.as_str(), "form.taken")
        });
    }

    /// A form marked revoke is a notice of its own source, and waits for nobody (A2, D1).
    async fn notice_of(
        &self,
        tx: &mut Tx,
        person: &mut Person,
        filed: &FiledForm,
        role: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<String, FormProblem>, FilingError> {
        let form = &filed.form;
        let name = format!("{}{}", SourceName::OF_FORMS, role.unwrap_or(form.form.as_str()));
        let source = SourceName::new(name).map_err(|error| CycleError::Rule(error.to_string()))?;
        let brought_by = super::filer::brought_by(filed.number, &filed.filed_by);
        let context = absorb::Context {
            source: &source,
            brought_by: &brought_by,
            received_at: now,
            policy: &self.config.policy.departure,
            zone: &self.config.time_zone,
            notices_only: true,
            listed_before: false,
        };
        let mut changes = Vec::new();
        let about = About::Person;
        let noticed =
            absorb::notice(person, about, form.ends_on, form.for_cause, context, &mut changes);
        if let Err(why) = noticed {
            return Ok(Err(problem("ends_on", Rule::D1, why, "give a day that a calendar has")));
        }
        tx.save_person(person).await?;
        tx.mark_to_decide(&[person.id], now).await?;
        tx.audit(AuditEntry {
            person: Some(person.id),
            user_id: UserId::new(person.shown()).ok(),
            clause: Some(self.config.policy.citations.cite(Rule::D1)),
            detail: json!({ "form": filed.number, "source": source, "last_day": form.ends_on }),
            ..AuditEntry::new(now, filed.filed_by.as_str(), "notice.by_form")
        });
        let when = match form.ends_on {
            Some(day) if !form.for_cause => format!("at the end of their last day, {day}"),
            _ => "now".to_owned(),
        };
        Ok(Ok(format!("taken as the notice of a departure {when}")))
    }

    /// What was signed or done opens its gate at once, unless somebody has to say yes to it first.
    async fn open_gate(
        &self,
        tx: &mut Tx,
        filed: &FiledForm,
        now: Timestamp,
    ) -> Result<Option<String>, FilingError> {
        let policy = &self.config.policy.access;
        let waits = policy.forms.get(&filed.form.form).is_some_and(|rule| !rule.chain.is_empty());
        let Some(passed) = gate::opened_by(filed, policy, now).filter(|_| !waits) else {
            return Ok(None);
        };
        self.save_gate(tx, &passed, &filed.filed_by, now).await?;
        let title = gate::title_of(&passed.gate, policy.gates.get(&passed.gate));
        Ok(Some(format!("{title} is on record, of {}", passed.on)))
    }

    /// Enters a passed gate, with its audit row, and has the person's forms looked at.
    pub async fn save_gate(
        &self,
        tx: &mut Tx,
        passed: &gate::GatePassed,
        by: &lapsed_core::facts::Actor,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        tx.save_gates(std::slice::from_ref(passed)).await?;
        tx.look_at_forms_of(&[passed.person], now).await?;
        let event = if passed.withdrawn_at.is_some() { "gate.withdrawn" } else { "gate.passed" };
        tx.audit(AuditEntry {
            person: Some(passed.person),
            clause: Some(self.config.policy.citations.cite(Rule::A4)),
            detail: json!({
                "gate": passed.gate, "on": passed.on, "source": mask(&passed.source),
                "document": passed.document,
            }),
            ..AuditEntry::new(now, by.as_str(), event)
        });
        Ok(())
    }

    /// Records a file that is no form at all.
    pub async fn record_no_form(
        &self,
        (file_name, sha256, owner): (&str, Option<&str>, Option<&str>),
        reason: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let mut tx = self.store.begin().await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::A1)),
            detail: json!({
                "file": mask(file_name), "reasons": [mask(reason)], "sha256": sha256, "owner": owner,
            }),
            ..AuditEntry::new(now, DAEMON, "form.refused")
        });
        tx.commit().await?;
        Ok(())
    }
}

/// Scans that are not there, are not what the form says, or belong to no line of it.
fn scans_agree(given: &Submission) -> Vec<FormProblem> {
    let mut found = Vec::new();
    for (place, named) in given.form.attachments.iter().enumerate() {
        let field = format!("attachments[{place}]");
        match given.scans.iter().find(|scan| scan.file == named.file) {
            None => {
                let text = format!("names {}, which did not come with the form", named.file);
                let advice =
                    "put the scans into the folder before the form, or hand them over by --attach";
                found.push(problem(&field, Rule::A1, text, advice));
            }
            Some(scan) if !digest(&scan.bytes).eq_ignore_ascii_case(&named.sha256) => {
                let text = format!("has another digest than {}", named.file);
                let advice = "look whether it is the right scan, and write its digest anew";
                found.push(problem(&field, Rule::A1, text, advice));
            }
            Some(_) => {}
        }
    }
    for scan in &given.scans {
        if !given.form.attachments.iter().any(|named| named.file == scan.file) {
            let text = format!(
                "do not name {}, which came with the form",
                lapsed_core::shown::shown_within(&scan.file, 60)
            );
            found.push(problem(
                "attachments",
                Rule::A1,
                text,
                "name it with its digest, or leave it out",
            ));
        }
    }
    found
}
