//! A form goes out, and so does a reminder.

use super::texts::{Which, Words};
use super::{AgencyForm, not_a_form};
use crate::contract::Chase;
use crate::mail::{Letter, MailAddress, MailFault};
use crate::settings::SettingsProblem;
use hmac::{Hmac, KeyInit, Mac};
use lapsed_core::form_token::FormToken;
use lapsed_core::step::{
    ASKED, Action, Cause, Fault, NOBODY_KNOWS, Outcome, Receipt, RequestFacts, RequestedChange,
    Step, StepId, TOKEN_DIGEST,
};
use secrecy::ExposeSecret;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

/// Shortest key that is one.
const SHORTEST_KEY: usize = 32;
/// The part of a Message-ID that tells the form from its reminders.
const FORM: &str = "form";

impl AgencyForm {
    /// Mails the form. There is no object to look at first: sent once more, it has the same Message-ID
    /// and the same token, and says nothing new.
    pub(super) async fn ask(&self, step: &Step) -> Result<Outcome, Fault> {
        let form = self.form(step)?;
        let token = self.token(step.id)?;
        let written = self.settings.write(Which::asking(form.change), &self.words(&form, &token));
        let written = written.map_err(|problem| unwritten(&problem))?;
        let id = self.postman.message_id(step.id.0, FORM);
        let letter = Letter::new(form.to.clone(), written.subject, written.text, id);
        match self.postman.send(&letter).await {
            Ok(taken) => {
                let again = self.lost().remove(&step.id);
                let mut before = vec![
                    (ASKED, form.to.iter().map(MailAddress::bare).collect()),
                    (TOKEN_DIGEST, vec![token.digest()]),
                    ("message_id", vec![taken.message_id.to_string()]),
                    ("reply", vec![taken.reply]),
                ];
                if again {
                    let note = "perhaps, under the same Message-ID: its answer was lost";
                    before.push(("sent_before", vec![note.into()]));
                }
                let before = before.into_iter().map(|(key, value)| (key.to_owned(), value));
                let receipt = Receipt { before: before.collect(), server: Some(taken.server) };
                Ok(Outcome::Asked(receipt))
            }
            Err(fault) => {
                if matches!(fault, MailFault::Lost(_)) {
                    self.lost().insert(step.id);
                }
                Err(fault.into())
            }
        }
    }

    /// The receipt of a form of which nobody knows whether it arrived, so that their answer is known and
    /// reminders go out.
    pub(super) fn perhaps(&self, step: &Step) -> Result<Outcome, Fault> {
        let form = self.form(step)?;
        let token = self.token(step.id)?;
        let id = self.postman.message_id(step.id.0, FORM);
        let note = "perhaps: each attempt ended before the mail server's answer was on record";
        let before = [
            (ASKED, form.to.iter().map(MailAddress::bare).collect()),
            (TOKEN_DIGEST, vec![token.digest()]),
            ("message_id", vec![id.to_string()]),
            (NOBODY_KNOWS, vec![note.to_owned()]),
        ];
        let before = before.into_iter().map(|(key, value)| (key.to_owned(), value));
        Ok(Outcome::Asked(Receipt { before: before.collect(), server: None }))
    }

    /// Mails a reminder that belongs to the form.
    pub(super) async fn remind_of(&self, chase: &Chase<'_>) -> Result<(), Fault> {
        let form = self.form(chase.step)?;
        let token = self.token(chase.step.id)?;
        let asked = chase.receipt.before.get(TOKEN_DIGEST).and_then(|kept| kept.first());
        if asked.is_some_and(|digest| *digest != token.digest()) {
            return Err(Fault::Retry(Cause::new(
                "the key of the tokens is another one than when the form was sent; put the former key back",
            )));
        }
        let words = self.words(&form, &token).again(chase.nth, chase.asked_on.to_string());
        let written = self.settings.write(Which::reminding(form.change), &words);
        let written = written.map_err(|problem| unwritten(&problem))?;
        let part = format!("reminder-{}", chase.nth);
        let id = self.postman.message_id(chase.step.id.0, &part);
        let mut letter = Letter::new(form.to.clone(), written.subject, written.text, id);
        letter.references.push(self.postman.message_id(chase.step.id.0, FORM));
        self.postman.send(&letter).await.map(drop).map_err(Fault::from)
    }

    fn form<'a>(&self, step: &'a Step) -> Result<Form<'a>, Fault> {
        let (request, facts, change) = match &step.action {
            Action::RequestRevocation { request, facts, .. } => (request, facts, None),
            Action::RequestChange { request, facts, change, .. } => (request, facts, Some(change)),
            other => return Err(not_a_form(other)),
        };
        let named = if facts.to.is_empty() { &self.settings.to } else { &facts.to };
        if named.is_empty() {
            return Err(Fault::Retry(Cause::new(
                "nobody is named who gets the form; give the connector's `to`",
            )));
        }
        let to: Result<Vec<_>, _> = named.iter().map(|text| MailAddress::parse(text)).collect();
        let to = to.map_err(|bad| {
            Fault::Refused(Cause::new(format!("{bad}; mend it where the request is set up")))
        })?;
        Ok(Form { request, facts, change, to })
    }

    fn words(&self, form: &Form<'_>, token: &FormToken) -> Words {
        let reply_to = self.postman.answers_to();
        Words::of(form.request, form.facts, &self.settings.agency, token, reply_to)
            .about(form.change)
    }

    /// The token of a step: the same one always, as long as the key stays.
    fn token(&self, step: StepId) -> Result<FormToken, Fault> {
        let mut hmac = self.hmac()?;
        hmac.update(b"lapsed form token\0");
        hmac.update(step.0.as_bytes());
        let made = hmac.finalize().into_bytes();
        let mut bits = [0; 8];
        bits.copy_from_slice(&made[..8]);
        Ok(FormToken::of_bits(u64::from_be_bytes(bits)))
    }

    /// The key, read anew; a missing or short one is mended and the step tried again.
    pub(super) fn hmac(&self) -> Result<Hmac<Sha256>, Fault> {
        let retry = |why: String| Fault::Retry(Cause::new(why));
        let key = self.key.read().map_err(|error| retry(error.to_string()))?;
        let key = key.expose_secret();
        if key.len() < SHORTEST_KEY {
            return Err(retry(format!(
                "the key of the tokens has fewer than {SHORTEST_KEY} characters; make one with `openssl rand -hex 32`"
            )));
        }
        Hmac::new_from_slice(key.as_bytes()).map_err(|error| retry(error.to_string()))
    }

    fn lost(&self) -> MutexGuard<'_, BTreeSet<StepId>> {
        // What a panicking thread left is still a set of ids.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A form as the plan wants it.
struct Form<'a> {
    request: &'a str,
    facts: &'a RequestFacts,
    /// None: access is to end.
    change: Option<&'a RequestedChange>,
    to: Vec<MailAddress>,
}

/// A template that fails is mended in the settings; the step waits for that.
fn unwritten(problem: &SettingsProblem) -> Fault {
    Fault::Retry(Cause::new(format!("the form can't be written: {problem}")))
}
