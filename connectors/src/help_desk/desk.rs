//! The four things that are asked of a help desk, and what its answers mean.

use super::HelpDesk;
use super::shape::{Method, RequestTemplate};
use super::templates::{Into, as_text, evaluate, render};
use crate::http::{Kind, Reply, Request, fault_of};
use crate::tickets::{CorrelationKey, NewTicket, Opened, TicketStatus};
use lapsed_core::shown::shown_within;
use lapsed_core::step::{Cause, Fault};
use serde_json::{Value, json};

/// Subjects have their limits: Request Tracker's is 200 characters.
const LONGEST_SUBJECT: usize = 160;

impl HelpDesk {
    /// Tickets with this key, the oldest first.
    async fn with_key(&self, key: &CorrelationKey) -> Result<Vec<String>, Fault> {
        let what = self.doing(&format!("look for the ticket {key}"));
        let search = &self.operations.search;
        let values = json!({ "key": key.as_str() });
        let reply = self.exchange(&what, &search.request, &values, Kind::Looks).await?;
        let tickets = expect(&what, &search.tickets, &json!({ "reply": reply }))?;
        let Value::Array(tickets) = tickets else {
            return Err(Fault::Retry(unusable(&what, "no list of tickets")));
        };
        let mut numbers = Vec::new();
        for ticket in tickets {
            let values = json!({ "ticket": ticket });
            let subject = text_of(&what, &search.subject, &values)?;
            // A search may find more than was asked for: only what carries the key is the same matter.
            if subject.to_lowercase().contains(key.as_str()) {
                numbers.push(text_of(&what, &search.number, &values)?);
            }
        }
        numbers.sort_by_key(|number| (number.parse().unwrap_or(u64::MAX), number.clone()));
        numbers.dedup();
        Ok(numbers)
    }

    /// The oldest ticket with this key, if there is one.
    pub(super) async fn find_ticket(&self, key: &CorrelationKey) -> Result<Option<Opened>, Fault> {
        let mut numbers = self.with_key(key).await?.into_iter();
        Ok(numbers.next().map(|number| self.opened(number, numbers.collect())))
    }

    /// Opens a ticket, unless one with its key is there.
    pub(super) async fn open_ticket(&self, ticket: &NewTicket) -> Result<(Opened, bool), Fault> {
        if let Some(there) = self.find_ticket(&ticket.key).await? {
            return Ok((there, false));
        }
        let what = self.doing(&format!("open the ticket {}", ticket.key));
        let create = &self.operations.create;
        let subject = shown_within(&ticket.subject, LONGEST_SUBJECT);
        let values = json!({
            "key": ticket.key.as_str(),
            "subject": format!("[{}] {subject}", ticket.key),
            "text": format!("{}\n\n{}", ticket.text.trim_end(), ticket.key),
            "group": self.settings.group_of(ticket.problem),
            "priority": self.settings.priority_of(ticket.problem),
            "requester": self.settings.requester,
            "fields": self.settings.fields,
        });
        let reply = self.exchange(&what, &create.request, &values, Kind::Changes).await?;
        // It was taken; which number it has may be had by its key, if not from this reply.
        let number = evaluate(&create.number, &json!({ "reply": reply })).ok().flatten();
        let number = number.as_ref().and_then(as_text).ok_or_else(|| {
            Fault::Unknown(unusable(&what, "no number, and may have opened the ticket"))
        })?;
        match self.word_of(&number).await {
            Ok(Some(_)) => Ok((self.opened(number, Vec::new()), true)),
            Ok(None) => {
                Err(Fault::Unknown(unusable(&what, "a number under which there is no ticket")))
            }
            // It said that it opened it, and could not be asked again just now.
            Err(_) => Ok((self.opened(number, Vec::new()), true)),
        }
    }

    /// Where a ticket stands; one that is gone was rejected.
    pub(super) async fn ticket_status(&self, number: &str) -> Result<TicketStatus, Fault> {
        let Some(word) = self.word_of(number).await? else { return Ok(TicketStatus::Rejected) };
        let is = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(&word));
        Ok(if is(&self.statuses.resolved) {
            TicketStatus::Resolved
        } else if is(&self.statuses.rejected) {
            TicketStatus::Rejected
        } else {
            TicketStatus::Open
        })
    }

    /// The help desk's own word for where a ticket stands; none where there is no such ticket.
    async fn word_of(&self, number: &str) -> Result<Option<String>, Fault> {
        let what = self.doing(&format!("look at ticket {}", shown_within(number, 40)));
        let status = &self.operations.status;
        let request = self.request(&what, &status.request, &json!({ "number": number }))?;
        let sent = self.http.send(request).await;
        let reply = sent.map_err(|failed| failed.fault(&what, Kind::Looks))?;
        if matches!(reply.status.as_u16(), 404 | 410) {
            return Ok(None);
        }
        let reply = usable(&what, &reply, Kind::Looks)?;
        text_of(&what, &status.status, &json!({ "reply": reply })).map(Some)
    }

    /// Puts a comment on a ticket.
    pub(super) async fn comment_on(&self, number: &str, text: &str) -> Result<(), Fault> {
        let what = self.doing(&format!("comment on ticket {}", shown_within(number, 40)));
        let values = json!({ "number": number, "text": text });
        let request = self.request(&what, &self.operations.comment.request, &values)?;
        // One comment too many does no harm, one too few may.
        let sent = self.http.send(request).await;
        let reply = sent.map_err(|failed| failed.fault(&what, Kind::Looks))?;
        match reply.status.as_u16() {
            // Nobody is left to be told.
            404 | 410 => Ok(()),
            _ => fault_of(&reply, &what, Kind::Looks).map_or(Ok(()), Err),
        }
    }

    fn opened(&self, number: String, others: Vec<String>) -> Opened {
        let page = self.operations.page.as_ref().and_then(|page| {
            let url = self.http.address();
            render(Into::Text, page, &json!({ "url": url, "number": number })).ok()
        });
        Opened { number, page, others }
    }

    pub(super) fn doing(&self, what: &str) -> String {
        format!("{}: {what}", self.name)
    }

    async fn exchange(
        &self,
        what: &str,
        template: &RequestTemplate,
        values: &Value,
        kind: Kind,
    ) -> Result<Value, Fault> {
        let request = self.request(what, template, values)?;
        let sent = self.http.send(request).await;
        let reply = sent.map_err(|failed| failed.fault(what, kind))?;
        usable(what, &reply, kind)
    }

    fn request(
        &self,
        what: &str,
        template: &RequestTemplate,
        values: &Value,
    ) -> Result<Request, Fault> {
        written(template, values)
            .map_err(|why| Fault::Refused(Cause::new(format!("{what}: {why}"))))
    }
}

/// A request with its values put in.
fn written(template: &RequestTemplate, values: &Value) -> Result<Request, String> {
    let failed = |error: minijinja::Error| format!("the template can't be carried out: {error}");
    let mut path = render(Into::Path, &template.path, values).map_err(failed)?;
    for (name, value) in &template.query {
        let value = render(Into::Text, value, values).map_err(failed)?;
        let mark = if path.contains('?') { '&' } else { '?' };
        path.push(mark);
        path.push_str(&crate::http::segment(name));
        path.push('=');
        path.push_str(&crate::http::segment(&value));
    }
    let method = match template.method {
        Method::Get => crate::http::Method::GET,
        Method::Post => crate::http::Method::POST,
        Method::Put => crate::http::Method::PUT,
        Method::Patch => crate::http::Method::PATCH,
    };
    let request = Request::new(method, path)
        .header("accept", "application/json")
        .map_err(|error| error.to_string())?;
    let Some(body) = &template.body else { return Ok(request) };
    let text = render(Into::Json, body, values).map_err(failed)?;
    let body = serde_json::from_str(&text)
        .map_err(|error| format!("the body's template gives no JSON: {error}"))?;
    Ok(request.json(&body))
}

/// The JSON of a good reply.
fn usable(what: &str, reply: &Reply, kind: Kind) -> Result<Value, Fault> {
    if let Some(fault) = fault_of(reply, what, kind) {
        return Err(fault);
    }
    reply.json().map_err(|error| {
        let cause = Cause::new(format!("{what}: {error}"));
        match kind {
            Kind::Looks => Fault::Retry(cause),
            Kind::Changes => Fault::Unknown(cause),
        }
    })
}

fn expect(what: &str, expression: &str, values: &Value) -> Result<Value, Fault> {
    let found = evaluate(expression, values).map_err(|error| {
        Fault::Refused(Cause::new(format!("{what}: `{expression}` can't be worked out: {error}")))
    })?;
    found.ok_or_else(|| Fault::Retry(unusable(what, &format!("nothing at `{expression}`"))))
}

fn text_of(what: &str, expression: &str, values: &Value) -> Result<String, Fault> {
    let value = expect(what, expression, values)?;
    as_text(&value)
        .ok_or_else(|| Fault::Retry(unusable(what, &format!("no text at `{expression}`"))))
}

fn unusable(what: &str, lack: &str) -> Cause {
    Cause::new(format!(
        "{what}: the reply has {lack}; check the address, and `operations` if they are your own"
    ))
}
