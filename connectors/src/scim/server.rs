//! What is asked of a SCIM server, and what its answers mean.

use super::account::Account;
use super::attribute::{Attribute, get};
use crate::http::{Http, Kind, Method, Reply, Request, fault_of, segment};
use lapsed_core::facts::StableId;
use lapsed_core::step::{Cause, Fault};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::sync::Mutex;

const MEDIA_TYPE: &str = "application/scim+json";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What the server says that it can do (RFC 7643 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) patch: bool,
    pub(super) etag: bool,
    pub(super) filter: bool,
}

/// A server that publishes nothing is taken to do what nearly all do.
const UNSAID: Abilities = Abilities { patch: true, etag: false, filter: true };

/// One SCIM server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) http: Http,
    pub(super) page_size: u32,
    abilities: Mutex<Option<Abilities>>,
}

/// How a change of an account went.
pub(super) enum Changed {
    /// The server says that it is done.
    Done,
    /// The account is gone.
    Gone,
    /// Somebody changed it since it was looked at.
    Stale,
}

/// How making an account went.
pub(super) enum Made {
    /// It is there, as the server shows it.
    Account(Account),
    /// Its name or number is taken (RFC 7644 3.3).
    Taken,
}

/// A new value of an attribute; null takes it out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edit {
    pub(super) attribute: Attribute,
    pub(super) value: Value,
}

/// One page of a listing.
struct Page {
    total: usize,
    accounts: Vec<Account>,
}

impl Server {
    pub(super) fn new(http: Http, page_size: u32) -> Self {
        Self { http, page_size, abilities: Mutex::new(None) }
    }

    /// What the server can do, asked once it answers.
    pub(super) async fn abilities(&self) -> Result<Abilities, Fault> {
        let mut known = self.abilities.lock().await;
        if let Some(abilities) = *known {
            return Ok(abilities);
        }
        let what = "ask what the server can do";
        let reply = self.ask(Request::get("/ServiceProviderConfig"), what, Kind::Looks).await?;
        let abilities = if matches!(reply.status.as_u16(), 404 | 501) {
            UNSAID
        } else {
            if let Some(fault) = fault_of(&reply, what, Kind::Looks) {
                return Err(fault);
            }
            let said = reply.json().map_err(|error| garbage(what, &error))?;
            let can = |name: &str, unsaid: bool| {
                let flag = get(&said, name).and_then(|ability| get(ability, "supported"));
                flag.and_then(Value::as_bool).unwrap_or(unsaid)
            };
            Abilities {
                patch: can("patch", UNSAID.patch),
                etag: can("etag", UNSAID.etag),
                filter: can("filter", UNSAID.filter),
            }
        };
        *known = Some(abilities);
        Ok(abilities)
    }

    /// One account by the server's own id; none if it is gone.
    pub(super) async fn get(&self, id: &StableId) -> Result<Option<Account>, Fault> {
        let what = "look at the account";
        let reply = self.ask(Request::get(path(id)?), what, Kind::Looks).await?;
        if is_missing(&reply) {
            self.is_really_gone(&reply).await?;
            return Ok(None);
        }
        if let Some(fault) = fault_of(&reply, what, Kind::Looks) {
            return Err(fault);
        }
        let whole = reply.json().map_err(|error| garbage(what, &error))?;
        let mut account = Account::read(whole).map_err(|error| garbage(what, &error))?;
        if account.id != *id {
            return Err(Fault::Refused(Cause::new(format!(
                "{what}: the server answered with another account; look at the system by hand"
            ))));
        }
        if account.version.is_none() {
            account.version = reply.header("etag").map(str::to_owned);
        }
        Ok(Some(account))
    }

    /// A wrong address answers 404 as well: only a SCIM server's own word, or one that lists accounts at
    /// this address, says that an account is gone.
    async fn is_really_gone(&self, reply: &Reply) -> Result<(), Fault> {
        let own_word = |body: &Value| {
            let schemas = get(body, "schemas").and_then(Value::as_array);
            schemas.is_some_and(|schemas| schemas.iter().any(|schema| schema == ERROR))
        };
        if reply.json().is_ok_and(|body| own_word(&body)) {
            return Ok(());
        }
        self.page("see whether this is the address of the API", None, 1, 1).await.map(drop)
    }

    /// Every account that a filter fits: few, or the server does not filter.
    pub(super) async fn find(&self, what: &str, filter: &str) -> Result<Vec<Account>, Fault> {
        let page = self.page(what, Some(filter), 1, self.page_size).await?;
        if page.total != page.accounts.len() {
            return Err(Fault::Refused(Cause::new(format!(
                "{what}: the server found {} accounts and showed {}; see whether it filters by this attribute",
                page.total,
                page.accounts.len()
            ))));
        }
        Ok(page.accounts)
    }

    /// All accounts, whole, or a fault.
    pub(super) async fn all(&self) -> Result<Vec<Account>, Fault> {
        let what = "list all accounts";
        let cut = |why: String| Fault::Retry(Cause::new(format!("{what}: {why}")));
        let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
        let mut total = None;
        loop {
            let page = self.page(what, None, all.len() + 1, self.page_size).await?;
            if *total.get_or_insert(page.total) != page.total {
                return Err(cut("it changed while it was read; it will be read again".into()));
            }
            let came = page.accounts.len();
            for account in page.accounts {
                if !seen.insert(account.id.clone()) {
                    return Err(
                        cut("an account came twice, so that another may be missing".into()),
                    );
                }
                all.push(account);
            }
            if all.len() == page.total {
                return Ok(all);
            }
            if came == 0 || all.len() > page.total {
                let (came, total) = (all.len(), page.total);
                return Err(cut(format!("{came} accounts came where the server has {total}")));
            }
        }
    }

    async fn page(
        &self,
        what: &str,
        filter: Option<&str>,
        start: usize,
        count: u32,
    ) -> Result<Page, Fault> {
        let filter = filter.map(|filter| format!("filter={}&", segment(filter)));
        let filter = filter.unwrap_or_default();
        let path = format!("/Users?{filter}startIndex={start}&count={count}");
        let reply = self.ask(Request::get(path), what, Kind::Looks).await?;
        if let Some(fault) = fault_of(&reply, what, Kind::Looks) {
            return Err(fault);
        }
        let body = reply.json().map_err(|error| garbage(what, &error))?;
        let total = get(&body, "totalResults").and_then(Value::as_u64);
        let total = total.and_then(|total| usize::try_from(total).ok());
        let accounts = match (get(&body, "Resources"), total) {
            (Some(Value::Array(accounts)), Some(_)) => accounts.clone(),
            (None | Some(Value::Null), Some(_)) => Vec::new(),
            _ => {
                return Err(Fault::Retry(Cause::new(format!(
                    "{what}: the reply is no SCIM listing; is this the address of the API?"
                ))));
            }
        };
        let accounts: Result<_, _> = accounts.into_iter().map(Account::read).collect();
        let accounts = accounts.map_err(|error| garbage(what, &error))?;
        Ok(Page { total: total.unwrap_or_default(), accounts })
    }

    /// Makes an account (RFC 7644 3.3).
    pub(super) async fn post(&self, account: Value) -> Result<Made, Fault> {
        let what = "make the account";
        let request = Request::new(Method::POST, "/Users".to_owned())
            .body(MEDIA_TYPE, account.to_string().into_bytes());
        let reply = self.ask(request, what, Kind::Changes).await?;
        if reply.status.as_u16() == 409 {
            return Ok(Made::Taken);
        }
        if let Some(fault) = fault_of(&reply, what, Kind::Changes) {
            return Err(fault);
        }
        // It was made; a reply that does not show it leads to another look.
        let unclear =
            |error: &dyn std::error::Error| Fault::Unknown(Cause::new(format!("{what}: {error}")));
        let whole = reply.json().map_err(|error| unclear(&error))?;
        Account::read(whole).map(Made::Account).map_err(|error| unclear(&error))
    }

    /// Changes attributes by PATCH (RFC 7644 3.5.2).
    pub(super) async fn patch(
        &self,
        what: &str,
        account: &Account,
        edits: &[Edit],
    ) -> Result<Changed, Fault> {
        let operation = |Edit { attribute, value }: &Edit| {
            let path = attribute.to_string();
            match value {
                Value::Null => json!({ "op": "remove", "path": path }),
                value => json!({ "op": "replace", "path": path, "value": value }),
            }
        };
        let operations: Vec<Value> = edits.iter().map(operation).collect();
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.change(what, Method::PATCH, account, Some(body)).await
    }

    /// Writes the whole account back with changes (RFC 7644 3.5.1).
    pub(super) async fn put(
        &self,
        what: &str,
        account: &Account,
        edits: &[Edit],
    ) -> Result<Changed, Fault> {
        self.change(what, Method::PUT, account, Some(account.with(edits))).await
    }

    /// Deletes the account (RFC 7644 3.6).
    pub(super) async fn delete(&self, account: &Account) -> Result<Changed, Fault> {
        self.change("delete the account", Method::DELETE, account, None).await
    }

    async fn change(
        &self,
        what: &str,
        method: Method,
        account: &Account,
        body: Option<Value>,
    ) -> Result<Changed, Fault> {
        let mut request = Request::new(method.clone(), path(&account.id)?);
        if let Some(body) = body {
            request = request.body(MEDIA_TYPE, body.to_string().into_bytes());
        }
        if let Some(version) = account.version.as_ref().filter(|version| !version.is_empty())
            && self.abilities().await?.etag
        {
            request = request.header("If-Match", version).map_err(|error| garbage(what, &error))?;
        }
        let reply = self.ask(request, what, Kind::Changes).await?;
        match reply.status.as_u16() {
            404 | 410 => self.is_really_gone(&reply).await.map(|()| Changed::Gone),
            412 => Ok(Changed::Stale),
            409 => Err(Fault::Refused(Cause::coded(
                format!(
                    "{what}: the server says that another account has it already; look whose it is"
                ),
                "HTTP 409",
            ))),
            405 | 501 => Err(Fault::Refused(Cause::coded(
                format!(
                    "{what}: the server knows no {method}; write `update: put` or `update: patch`, or end it by hand"
                ),
                format!("HTTP {}", reply.status.as_u16()),
            ))),
            _ => fault_of(&reply, what, Kind::Changes).map_or(Ok(Changed::Done), Err),
        }
    }

    async fn ask(&self, request: Request, what: &str, kind: Kind) -> Result<Reply, Fault> {
        let request = request
            .header("Accept", "application/scim+json, application/json")
            .map_err(|error| garbage(what, &error))?;
        self.http.send(request).await.map_err(|failed| failed.fault(what, kind))
    }
}

fn path(id: &StableId) -> Result<String, Fault> {
    if matches!(id.as_str(), "." | "..") {
        let why = "the account's id could lead elsewhere; look at the system by hand";
        return Err(Fault::Refused(Cause::new(why)));
    }
    Ok(format!("/Users/{}", segment(id.as_str())))
}

fn is_missing(reply: &Reply) -> bool {
    matches!(reply.status.as_u16(), 404 | 410)
}

/// What is read again does no harm: garbage is asked for once more.
fn garbage(what: &str, error: &dyn std::error::Error) -> Fault {
    Fault::Retry(Cause::new(format!("{what}: {error}")))
}
