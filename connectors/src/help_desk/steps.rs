//! Requests to end, give or rename access, as tickets.

use super::templates::{Into, render};
use super::{HelpDesk, HelpDeskSettings};
use crate::tickets::{CorrelationKey, NewTicket, Opened, ProblemType, TicketStatus};
use lapsed_core::step::{
    ANSWERED_NO, Action, Cause, Fault, Found, Outcome, Receipt, RequestedChange, Seen, Step,
};
use serde_json::json;
use std::collections::BTreeMap;

impl HelpDesk {
    /// Opens the ticket of a step, or finds it.
    pub(super) async fn ask(&self, step: &Step) -> Result<Outcome, Fault> {
        let refused = |why: String| Fault::Refused(Cause::new(why));
        let ticket = self.settings.ticket_of(step).map_err(refused)?;
        let (opened, _) = self.open_ticket(&ticket).await?;
        Ok(Outcome::Asked(self.receipt(&opened)))
    }

    /// Where the ticket of a step stands.
    pub(super) async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        let refused = |why: String| Fault::Refused(Cause::new(why));
        self.settings.ticket_of(step).map_err(refused)?;
        let key = CorrelationKey::of(step.id.0);
        let known = self.numbers().get(&step.id).cloned();
        let number = match known {
            Some(number) => number,
            None => match self.find_ticket(&key).await? {
                Some(there) => there.number,
                None => {
                    let description = format!("no ticket {key} is at the help desk");
                    return Ok(Seen::Otherwise(Found { description }));
                }
            },
        };
        match self.ticket_status(&number).await? {
            TicketStatus::Resolved => Ok(Seen::AsWanted),
            TicketStatus::Open => {
                let description = format!("ticket {number} is open");
                Ok(Seen::NotYet(Found { description }))
            }
            // Heard and answered: asking once more would find the same ticket.
            TicketStatus::Rejected => Err(Fault::Refused(Cause::coded(
                format!(
                    "ticket {number} was rejected; read why, see to it in another way, and set \
                     the ticket to resolved"
                ),
                ANSWERED_NO,
            ))),
        }
    }

    fn receipt(&self, opened: &Opened) -> Receipt {
        let mut asked = format!("help desk, ticket {}", opened.number);
        if !opened.others.is_empty() {
            let others = opened.others.join(", ");
            asked.push_str(&format!(" (the oldest; {others} have the same key)"));
        }
        let mut before = BTreeMap::from([
            ("asked".to_owned(), vec![asked]),
            ("ticket".to_owned(), vec![opened.number.clone()]),
        ]);
        if let Some(page) = &opened.page {
            before.insert("page".to_owned(), vec![page.clone()]);
        }
        Receipt { before, server: Some(self.http.address().to_owned()) }
    }
}

impl HelpDeskSettings {
    /// The ticket that a step asks for. A name is not in it (P2).
    ///
    /// # Errors
    /// Why a step is none that a help desk is asked for.
    pub fn ticket_of(&self, step: &Step) -> Result<NewTicket, String> {
        let (request, facts, change) = match &step.action {
            Action::RequestRevocation { request, facts, .. } => (request, facts, None),
            Action::RequestChange { request, facts, change, .. } => (request, facts, Some(change)),
            _ => {
                return Err("a help desk can only be asked; name another connector for this".into());
            }
        };
        let problem = if change.is_some() { ProblemType::Change } else { ProblemType::Revocation };
        let (subject, text) = match change {
            None => (&self.request.subject, &self.request.text),
            Some(RequestedChange::Grant { .. }) => {
                (&self.grant_request.subject, &self.grant_request.text)
            }
            Some(RequestedChange::Rename { .. }) => {
                (&self.rename_request.subject, &self.rename_request.text)
            }
        };
        let from = match change {
            Some(RequestedChange::Rename { from, .. }) => Some(from.to_string()),
            _ => None,
        };
        let values = json!({
            "form": change.map(RequestedChange::form),
            "from": from,
            "request": request,
            "user_id": facts.user_id,
            "last_day": facts.last_day.map(|day| day.to_string()),
            "location": facts.location,
            "case": step.case.to_string(),
        });
        let words = |template: &str| {
            render(Into::Text, template, &values)
                .map_err(|error| format!("the words of the request can't be carried out: {error}"))
        };
        Ok(NewTicket {
            key: CorrelationKey::of(step.id.0),
            problem,
            subject: words(subject)?,
            text: words(text)?,
        })
    }
}
