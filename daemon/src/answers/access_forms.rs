//! `lapsed form submit`, `lapsed form list` and `lapsed gate`.

use super::access_form::All;
use super::approvals::Asking;
use super::people::word;
use super::the_person;
use crate::config::read_access_form;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::access::Filer;
use crate::cycle::access::authority::Account;
use crate::cycle::access::authority::GroupsAsked;
use crate::cycle::access::filing::{Filing, FilingError, Scan, Submission};
use crate::documents::Documents;
use crate::service::{Daemon, form_problems};
use crate::store::FormFilter;
use crate::views::{
    AccessFormLine, AccessFormsView, DoneView, FiledView, GateRequest, SentFile, SubmitFormRequest,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapsed_core::access::form::FormState;
use lapsed_core::access::gate::{GatePassed, title_of};
use lapsed_core::facts::{GateName, Person, PersonId};
use lapsed_core::intake::digest;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use std::collections::HashMap;

const MEND: &str =
    "nothing was changed; mend it and file it again, under the same id if it is the same form";

fn bad(error: impl Into<String>, advice: impl Into<String>) -> ConsoleError {
    ConsoleError::new(ErrorKind::Bad, error, advice)
}

pub(super) async fn submit(
    daemon: &Daemon,
    caller: &Caller,
    request: SubmitFormRequest,
) -> Result<FiledView, ConsoleError> {
    let cycle = daemon.cycle();
    let now = daemon.now();
    let (file_name, bytes) = (shown(&request.file_name), request.text.as_bytes());
    let sha256 = digest(bytes);
    let form = match read_access_form(bytes) {
        Ok(form) => form.masked(),
        Err(error) => {
            let whose = (file_name.as_str(), Some(sha256.as_str()), Some(caller.name.as_str()));
            cycle.record_no_form(whose, &error.to_string(), now).await?;
            return Err(bad(error.to_string(), MEND));
        }
    };
    let mut scans = Vec::new();
    for scan in request.scans {
        scans.push(Scan { bytes: decoded(&scan)?, file: scan.file });
    }
    let filer = Filer { account: Account::from(caller), counts: true };
    let given = Submission { form, sha256, file_name, filer, scans };
    match cycle.file_form(&given, &mut GroupsAsked::default(), now).await.map_err(not_now)? {
        Filing::Taken { number, text } => {
            daemon.wake();
            Ok(FiledView { number, known: false, message: text })
        }
        Filing::Known { number, text } => Ok(FiledView { number, known: true, message: text }),
        Filing::Refused(problems) => Err(bad(form_problems(&problems), MEND)),
    }
}

fn decoded(sent: &SentFile) -> Result<Vec<u8>, ConsoleError> {
    let bytes = STANDARD.decode(&sent.content);
    bytes.map_err(|_| bad("a file is not in base64", "use lapsed, which sends it so"))
}

fn not_now(error: FilingError) -> ConsoleError {
    match error {
        FilingError::Cycle(error) => error.into(),
        FilingError::Documents(error) => ConsoleError::new(
            ErrorKind::Unavailable,
            error.to_string(),
            "nothing was filed; try again then",
        ),
    }
}

pub(super) async fn list(
    daemon: &Daemon,
    caller: &Caller,
    open: bool,
) -> Result<AccessFormsView, ConsoleError> {
    let cycle = daemon.cycle();
    let states = if open { vec![FormState::Waiting, FormState::Approved] } else { Vec::new() };
    let filter = FormFilter { states, ..FormFilter::default() };
    let read = daemon.store.read();
    let mut forms = read.access_forms(&filter).await?;
    forms.reverse();
    let mut ids: Vec<PersonId> = forms.iter().map(|filed| filed.person).collect();
    ids.sort();
    ids.dedup();
    let people: HashMap<PersonId, Person> =
        read.people(&ids).await?.into_iter().map(|person| (person.id, person)).collect();
    let mut lines = Vec::with_capacity(forms.len());
    let asking = Asking::of(daemon, caller).await?;
    let today = cycle.today(daemon.now());
    for filed in &forms {
        let waits = filed.state == FormState::Waiting;
        let mut missing = Vec::new();
        // Whoever only takes part sees what concerns them.
        if waits || !asking.sees_all {
            let all = All::of(&cycle, &read, filed.clone(), today).await?;
            if !asking.may_see(&all.known) {
                continue;
            }
            missing = all.missing(&cycle);
        }
        lines.push(AccessFormLine {
            number: filed.number,
            form: filed.form.form.to_string(),
            asks: filed.form.asks.name().to_owned(),
            person: filed.about(people.get(&filed.person)),
            state: word(&filed.state),
            filed_by: filed.filed_by.to_string(),
            filed_at: cycle.stamp(filed.filed_at),
            missing,
        });
    }
    Ok(AccessFormsView { forms: lines })
}

pub(super) async fn gate(
    daemon: &Daemon,
    caller: &Caller,
    request: GateRequest,
) -> Result<DoneView, ConsoleError> {
    let cycle = daemon.cycle();
    let policy = &cycle.config.policy.access;
    let named = policy.gates.keys().find(|gate| gate.folded() == request.gate.to_lowercase());
    let Some(gate) = named.cloned() else {
        let names: Vec<&str> = policy.gates.keys().map(GateName::as_str).collect();
        let advice = format!("one of these is meant: {}", names.join(", "));
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("no gate is called {:?}", request.gate),
            advice,
        ));
    };
    let title = title_of(&gate, policy.gates.get(&gate));
    let person = the_person(daemon, &request.person).await?;
    let shown = match request.person.strip_prefix("form:") {
        Some(number) => format!("whom form {number} is about"),
        None => person.shown(),
    };
    if let Some(reason) = &request.withdraw {
        return withdraw(daemon, caller, (person.id, &gate), reason, (&title, &shown)).await;
    }
    let now = daemon.now();
    let Some(on) = request.on else { return Err(bad("a day is needed", "add --on DATE")) };
    if on > cycle.today(now) {
        return Err(bad(format!("{on} is a day to come"), "record it when it is done"));
    }
    let document = match &request.document {
        Some(sent) => {
            let bytes = decoded(sent)?;
            let kept = Documents::new(cycle.config.state.documents()).keep(&bytes);
            Some(kept.map_err(|error| not_now(error.into()))?)
        }
        None => None,
    };
    let source = format!("operator {}", caller.name);
    let passed = GatePassed {
        id: GatePassed::id_of(person.id, &gate, on, &source),
        person: person.id,
        gate,
        on,
        source,
        document,
        at: now,
        withdrawn_at: None,
    };
    let mut tx = daemon.store.begin().await?;
    cycle.save_gate(&mut tx, &passed, &caller.name, now).await?;
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView { message: format!("{title} of {shown} is on record, of {on}") })
}

async fn withdraw(
    daemon: &Daemon,
    caller: &Caller,
    (person, gate): (PersonId, &GateName),
    reason: &str,
    (title, shown): (&str, &str),
) -> Result<DoneView, ConsoleError> {
    super::commands::needed(reason, "a reason", "--reason")?;
    let (cycle, now) = (daemon.cycle(), daemon.now());
    let mut tx = daemon.store.begin().await?;
    let mut passed = tx.read().gates_of(&[person]).await?;
    passed.retain(|pass| pass.gate.folded() == gate.folded());
    if passed.is_empty() {
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("{title} of {shown} is not on record"),
            "lapsed form list --open shows what waits for it",
        ));
    }
    for pass in &mut passed {
        pass.withdrawn_at = Some(now);
        pass.source = format!("{}; taken back: {}", pass.source, mask(reason));
        cycle.save_gate(&mut tx, pass, &caller.name, now).await?;
    }
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "{title} of {shown} is taken back; access that was given already stays until it is ended by a form"
        ),
    })
}
