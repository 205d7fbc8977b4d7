//! Requests to Graph and what its answers mean.

use crate::http::{Http, Kind, Method, Reply, Request, fault_of, segment};
use lapsed_core::step::{Cause, Fault};
use serde_json::Value;

/// Every path below the host: the version whose shapes do not change.
const VERSION: &str = "/v1.0";
/// A listing that has more pages than this has no end.
const MOST_PAGES: usize = 10_000;

/// Graph of one tenant.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) http: Http,
}

/// A request and what stands around it in messages.
pub(super) struct Call<'a> {
    /// What is being done: `end sessions of mzsmitj@dmh.test`.
    pub(super) what: &'a str,
    /// The permission that the application needs for it.
    pub(super) right: &'static str,
}

impl Api {
    /// One object; `None` when there is none.
    pub(super) async fn get(&self, path: &str, call: &Call<'_>) -> Result<Option<Value>, Fault> {
        let request = Request::get(format!("{VERSION}{path}"));
        match self.send(request, Kind::Looks, call).await? {
            None => Ok(None),
            Some(reply) => reply
                .json()
                .map(Some)
                .map_err(|problem| Fault::Retry(Cause::new(format!("{}: {problem}", call.what)))),
        }
    }

    /// Every entry of a listing, whole: each page is asked for, and one that is missing is a fault.
    pub(super) async fn list(&self, path: &str, call: &Call<'_>) -> Result<Vec<Value>, Fault> {
        let broken = |why: &str| Fault::Retry(Cause::new(format!("{}: {why}", call.what)));
        let mut entries = Vec::new();
        let mut next = path.to_owned();
        for _ in 0..MOST_PAGES {
            let Some(page) = self.get(&next, call).await? else {
                return Err(broken("Graph knows no such listing"));
            };
            let part = page.get("value").and_then(Value::as_array);
            let part = part.ok_or_else(|| broken("Graph's answer is no listing"))?;
            entries.extend(part.iter().cloned());
            let Some(link) = page.get("@odata.nextLink") else { return Ok(entries) };
            let link = link.as_str().unwrap_or_default();
            next = link
                .strip_prefix(self.http.address())
                .and_then(|path| path.strip_prefix(VERSION))
                .ok_or_else(|| broken("the listing goes on at an address that is not Graph's"))?
                .to_owned();
        }
        Err(broken("the listing does not end"))
    }

    /// A change; false when the object is not there.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        kind: Kind,
        call: &Call<'_>,
    ) -> Result<bool, Fault> {
        let request = Request::new(method, format!("{VERSION}{path}"));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        Ok(self.send(request, kind, call).await?.is_some())
    }

    /// `None` when Graph itself says that the object is not there: another 404 is a wrong address.
    async fn send(
        &self,
        request: Request,
        kind: Kind,
        call: &Call<'_>,
    ) -> Result<Option<Reply>, Fault> {
        let reply = self.http.send(request).await;
        let reply = reply.map_err(|failed| failed.fault(call.what, kind))?;
        let said = error_code(&reply);
        let status = reply.status.as_u16();
        let what = call.what;
        let coded = |advice: String| {
            let code = said.as_deref().map(|said| format!(" {said}")).unwrap_or_default();
            Cause::coded(format!("{what}: {advice}"), format!("HTTP {status}{code}"))
        };
        match (status, said.as_deref()) {
            (404, Some("Request_ResourceNotFound" | "ResourceNotFound")) => Ok(None),
            (401, _) => Err(Fault::Retry(coded(
                "Graph did not take the token; check tenant, client_id and url".into(),
            ))),
            (403, _) => Err(Fault::Retry(coded(format!(
                "Graph does not allow it; grant the application {} (application permission, with the administrator's consent)",
                call.right
            )))),
            _ => match fault_of(&reply, what, kind) {
                None => Ok(Some(reply)),
                Some(fault) => Err(named(fault, said)),
            },
        }
    }
}

/// The fault with Graph's own word for it.
fn named(fault: Fault, said: Option<String>) -> Fault {
    let Some(said) = said else { return fault };
    let with = |cause: Cause| Cause {
        code: Some(cause.code.map_or_else(|| said.clone(), |code| format!("{code} {said}"))),
        ..cause
    };
    match fault {
        Fault::Retry(cause) => Fault::Retry(with(cause)),
        Fault::Refused(cause) => Fault::Refused(with(cause)),
        Fault::Unknown(cause) => Fault::Unknown(with(cause)),
    }
}

/// Graph's word for what went wrong. Its sentence is not taken: it may hold names and addresses.
fn error_code(reply: &Reply) -> Option<String> {
    if reply.status.is_success() {
        return None;
    }
    let json = reply.json().ok()?;
    let code = json.get("error")?.get("code")?.as_str()?;
    let is_word = code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_word && (1..=60).contains(&code.len())).then(|| code.to_owned())
}

/// A comparison of a filter, ready for a query: `employeeId eq 'x'`.
pub(super) fn equals(field: &str, value: &str) -> String {
    format!("{field} eq '{}'", value.replace('\'', "''"))
}

/// A filter as a query's value.
pub(super) fn query(filter: &str) -> String {
    segment(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_not_break_out_of_its_filter() {
        let filter = equals("employeeId", "1' or accountEnabled eq true or ''='");
        assert_eq!(filter, "employeeId eq '1'' or accountEnabled eq true or ''''='''");
        assert!(!query(&filter).contains(['\'', ' ', '&', '#']));
    }
}
