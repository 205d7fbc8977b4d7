//! One connection to one server, logged on: searches that are whole or fail, and changes.

use super::codes::{Answer, Trouble};
use super::dial::Line;
use super::entry::Entry;
use super::frame_guard::{Found, Pump};
use super::message::page_cookie;
use ldap3::controls::{Assertion, Control, MakeCritical, PagedResults, RawControl};
use ldap3::exop::{Exop, PasswordModify, WhoAmI, WhoAmIResp};
use ldap3::{Ldap, LdapError, Mod, ResultEntry, Scope, SearchStream};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;

const PAGED: &str = "1.2.840.113556.1.4.319";
const ASSERTION: &str = "1.3.6.1.1.12";
/// Active Directory: no pointers to other naming contexts.
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
/// Active Directory: deleted objects too.
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";

/// A search under way: the names of the attributes are owned.
type Stream<'a> = SearchStream<'a, String, Vec<String>>;

/// What the server says of itself (RFC 4512 section 5.1).
#[derive(Debug, Clone, Default)]
pub(super) struct Root {
    pub(super) controls: HashSet<String>,
    pub(super) extensions: HashSet<String>,
    pub(super) default_context: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) contexts: Vec<String>,
}

/// What to search for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'q> {
    pub(super) base: &'q str,
    pub(super) scope: Scope,
    pub(super) filter: &'q str,
    pub(super) attributes: &'q [&'q str],
    /// Deleted objects too (Active Directory).
    pub(super) deleted: bool,
}

impl<'q> Query<'q> {
    /// Everything below a base.
    pub(super) fn below(base: &'q str, filter: &'q str, attributes: &'q [&'q str]) -> Self {
        Self { base, scope: Scope::Subtree, filter, attributes, deleted: false }
    }

    /// One object.
    pub(super) fn one(base: &'q str, attributes: &'q [&'q str]) -> Self {
        Self { base, scope: Scope::Base, filter: "(objectClass=*)", attributes, deleted: false }
    }
}

/// One change of one attribute.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Change {
    Add(String, Vec<Vec<u8>>),
    Delete(String, Vec<Vec<u8>>),
    Replace(String, Vec<Vec<u8>>),
}

/// Without values: one could be a password.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, attribute, values) = match self {
            Self::Add(attribute, values) => ("Add", attribute, values),
            Self::Delete(attribute, values) => ("Delete", attribute, values),
            Self::Replace(attribute, values) => ("Replace", attribute, values),
        };
        write!(f, "{kind}({attribute}, {} values)", values.len())
    }
}

impl Change {
    pub(super) fn add(attribute: &str, value: impl Into<Vec<u8>>) -> Self {
        Self::Add(attribute.to_owned(), vec![value.into()])
    }
    #[cfg(test)]
    pub(super) fn delete(attribute: &str, value: impl Into<Vec<u8>>) -> Self {
        Self::Delete(attribute.to_owned(), vec![value.into()])
    }
}

/// What a new object is to have, by attribute.
pub(super) type Attributes = BTreeMap<String, Vec<Vec<u8>>>;

/// A connection to one server, logged on.
#[derive(Debug)]
pub(super) struct Session {
    ldap: Ldap,
    pump: Pump,
    /// The server's address, for receipts and read-back.
    pub(super) server: String,
    /// What the server says of itself.
    pub(super) root: Root,
    patience: Duration,
    page_size: i32,
    operations: AtomicU64,
    /// No reply came in time: whatever else this connection says is of no use.
    silent: AtomicBool,
    born: Instant,
    /// Held by many for a search of one page, by one for a listing of several.
    paging: RwLock<()>,
}

impl Session {
    pub(super) fn new(line: Line, server: String, patience: Duration, page_size: u32) -> Self {
        Self {
            ldap: line.ldap,
            pump: line.pump,
            server,
            root: Root::default(),
            patience,
            page_size: i32::try_from(page_size).unwrap_or(i32::MAX),
            operations: AtomicU64::new(0),
            silent: AtomicBool::new(false),
            born: Instant::now(),
            paging: RwLock::new(()),
        }
    }

    /// Asks the server what it is.
    pub(super) async fn introduce(&mut self) -> Result<(), Trouble> {
        let wanted = [
            "supportedControl",
            "supportedExtension",
            "defaultNamingContext",
            "subschemaSubentry",
            "namingContexts",
        ];
        let entries = self.search(Query::one("", &wanted)).await?;
        let root = entries.into_iter().next().unwrap_or_default();
        self.root = Root {
            controls: root.texts("supportedControl").map(str::to_owned).collect(),
            extensions: root.texts("supportedExtension").map(str::to_owned).collect(),
            default_context: root.text("defaultNamingContext").map(str::to_owned),
            schema: root.text("subschemaSubentry").map(str::to_owned),
            contexts: root.all("namingContexts"),
        };
        Ok(())
    }

    /// Why the connection can't be used any more, if so.
    pub(super) fn ended(&self) -> Option<String> {
        if self.silent.load(Ordering::Relaxed) {
            return Some("an earlier request got no answer in time".into());
        }
        self.pump.ended().map(str::to_owned)
    }

    /// True once the connection should make way for a new one. The LDAP library never forgets the
    /// number of a finished search, so a connection may not live for ever.
    pub(super) fn is_worn(&self, operations: u64, age: Duration) -> bool {
        self.operations.load(Ordering::Relaxed) >= operations || self.born.elapsed() >= age
    }

    /// True when the server knows the assertion control (RFC 4528).
    pub(super) fn asserts(&self) -> bool {
        self.root.controls.contains(ASSERTION)
    }

    /// True when the server sets passwords by RFC 3062.
    pub(super) fn modifies_passwords(&self) -> bool {
        self.root.extensions.contains(PASSWORD_MODIFY)
    }

    fn usable(&self) -> Result<Ldap, Trouble> {
        if let Some(why) = self.ended() {
            return Err(Trouble::NotSent(why));
        }
        self.operations.fetch_add(1, Ordering::Relaxed);
        Ok(self.ldap.clone())
    }

    fn handle(&self) -> Result<Ldap, Trouble> {
        let mut ldap = self.usable()?;
        ldap.with_timeout(self.patience);
        Ok(ldap)
    }

    fn failed(&self, error: &LdapError) -> Trouble {
        match error {
            LdapError::OpSend { .. } => Trouble::NotSent(self.why(error)),
            LdapError::FilterParsing => Trouble::Answered(Answer::new(87, "filter not understood")),
            LdapError::Timeout { .. } => {
                self.silent.store(true, Ordering::Relaxed);
                Trouble::Lost(format!("no answer within {} s", self.patience.as_secs()))
            }
            _ => Trouble::Lost(self.why(error)),
        }
    }

    fn why(&self, error: &LdapError) -> String {
        self.pump.ended().map_or_else(|| format!("the connection ended: {error}"), str::to_owned)
    }

    /// Everything that matches, or an error: never a part of it.
    pub(super) async fn search(&self, query: Query<'_>) -> Result<Vec<Entry>, Trouble> {
        let mut all = Vec::new();
        self.search_by_page(query, |page| {
            all.extend(page);
            Ok(())
        })
        .await?;
        Ok(all)
    }

    /// Everything that matches, page by page as it comes. After an error, what was given before counts
    /// for nothing.
    ///
    /// OpenLDAP remembers one listing a connection, and forgets it at the first page of another. So
    /// searches of one page go beside each other; one that turns out to have more is begun anew, alone.
    pub(super) async fn search_by_page(
        &self,
        query: Query<'_>,
        mut each: impl FnMut(Vec<Entry>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut entries = Vec::new();
        if query.scope == Scope::Base {
            self.page(query, None, &mut entries).await?;
            return each(entries);
        }
        {
            let _beside_others = self.paging.read().await;
            let ended = self.page(query, Some(&Vec::new()), &mut entries).await?;
            if next_page(&ended)?.is_empty() {
                return each(entries);
            }
        }
        let _alone = self.paging.write().await;
        self.all_pages(query, each).await
    }

    async fn all_pages(
        &self,
        query: Query<'_>,
        mut each: impl FnMut(Vec<Entry>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut waiting = Vec::new();
        let mut cookie = Vec::new();
        loop {
            let mut entries = Vec::new();
            // The next page is asked for before the one that came is looked at: neither side waits.
            let (ended, taken) =
                tokio::join!(self.page(query, Some(&cookie), &mut entries), async {
                    each(std::mem::take(&mut waiting))
                });
            taken?;
            let next = next_page(&ended?)?;
            if next.is_empty() {
                return each(entries);
            }
            if next == cookie && entries.is_empty() {
                return Err(Trouble::Incomplete("the listing does not end".into()));
            }
            (waiting, cookie) = (entries, next);
        }
    }

    async fn page(
        &self,
        query: Query<'_>,
        cookie: Option<&Vec<u8>>,
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<Control>, Trouble> {
        let mut ldap = self.usable()?;
        ldap.with_controls(self.search_controls(query, cookie));
        let wanted: Vec<String> = query.attributes.iter().map(|name| (*name).to_owned()).collect();
        let asked = ldap.streaming_search(query.base, query.scope, query.filter, wanted);
        // A server that takes nothing any more would let this wait for ever.
        let asked = tokio::time::timeout(self.patience, asked).await;
        let mut stream = asked
            .unwrap_or_else(|elapsed| Err(LdapError::Timeout { elapsed }))
            .map_err(|error| self.failed(&error))?;
        let found = self.pump.found_by(stream.ldap_handle().last_id());
        let next = self.next_but_entries(&mut stream, &found).await;
        if next.map_err(|error| self.failed(&error))?.is_some() {
            return Err(Trouble::Incomplete(format!(
                "part of what is below {:?} is on another server; narrow the base",
                query.base
            )));
        }
        let result = stream.finish().await;
        if result.rc != 0 {
            return Err(Trouble::Answered(Answer::new(result.rc, &result.text)));
        }
        let found = found.take();
        entries.extend(found.ok_or_else(|| {
            Trouble::Incomplete(format!("what was found below {:?} was not kept", query.base))
        })?);
        Ok(result.ctrls)
    }

    /// The end of a search, or a reference: entries don't come this way. It may take as long as entries
    /// go on coming.
    async fn next_but_entries(
        &self,
        stream: &mut Stream<'_>,
        found: &Found<'_>,
    ) -> Result<Option<ResultEntry>, LdapError> {
        let mut next = std::pin::pin!(stream.next());
        let mut came = 0;
        loop {
            match tokio::time::timeout(self.patience, &mut next).await {
                Ok(next) => return next,
                Err(_) if found.count() > came => came = found.count(),
                Err(elapsed) => return Err(LdapError::Timeout { elapsed }),
            }
        }
    }

    fn search_controls(&self, query: Query<'_>, cookie: Option<&Vec<u8>>) -> Vec<RawControl> {
        let mut controls = Vec::new();
        if let Some(cookie) = cookie {
            let paging = PagedResults { size: self.page_size, cookie: cookie.clone() };
            // Critical: a server that can't page must say so, not send a first page only.
            controls.push(paging.critical().into());
        }
        if query.scope == Scope::Subtree && self.root.controls.contains(DOMAIN_SCOPE) {
            controls.push(RawControl { ctype: DOMAIN_SCOPE.into(), crit: false, val: None });
        }
        if query.deleted {
            controls.push(RawControl { ctype: SHOW_DELETED.into(), crit: true, val: None });
        }
        controls
    }

    /// Changes one object; with `only_if`, only if it matches that filter at that moment.
    pub(super) async fn modify(
        &self,
        dn: &str,
        changes: &[Change],
        only_if: Option<&str>,
    ) -> Result<(), Trouble> {
        let mut ldap = self.handle()?;
        if let Some(filter) = only_if {
            ldap.with_controls(vec![assertion(filter)?]);
        }
        let changes = changes.iter().map(library_form).collect();
        let result = ldap.modify(dn, changes).await.map_err(|error| self.failed(&error))?;
        answered(result.rc, &result.text)
    }

    /// Makes one object.
    pub(super) async fn add(&self, dn: &str, attributes: &Attributes) -> Result<(), Trouble> {
        let mut ldap = self.handle()?;
        let attributes = attributes.iter().map(|(name, values)| {
            (name.clone().into_bytes(), values.iter().cloned().collect::<HashSet<_>>())
        });
        let result =
            ldap.add(dn, attributes.collect()).await.map_err(|error| self.failed(&error))?;
        answered(result.rc, &result.text)
    }

    /// Gives one object another relative name, which replaces the old one, and another place if one is
    /// given; with `only_if`, only if it matches that filter at that moment.
    pub(super) async fn rename(
        &self,
        dn: &str,
        relative: &str,
        place: Option<&str>,
        only_if: Option<&str>,
    ) -> Result<(), Trouble> {
        let mut ldap = self.handle()?;
        if let Some(filter) = only_if {
            ldap.with_controls(vec![assertion(filter)?]);
        }
        let result = ldap.modifydn(dn, relative, true, place).await;
        let result = result.map_err(|error| self.failed(&error))?;
        answered(result.rc, &result.text)
    }

    /// Sets a password so that the server hashes it (RFC 3062).
    pub(super) async fn set_password(&self, dn: &str, password: &str) -> Result<(), Trouble> {
        let mut ldap = self.handle()?;
        let request: Exop =
            PasswordModify { user_id: Some(dn), old_pass: None, new_pass: Some(password) }.into();
        let reply = ldap.extended(request).await.map_err(|error| self.failed(&error))?;
        answered(reply.1.rc, &reply.1.text)
    }

    /// As whom we are logged on (RFC 4532): `dn:cn=lapsed,…`.
    pub(super) async fn who_am_i(&self) -> Result<String, Trouble> {
        let mut ldap = self.handle()?;
        let reply = ldap.extended(WhoAmI).await.map_err(|error| self.failed(&error))?;
        answered(reply.1.rc, &reply.1.text)?;
        let readable =
            reply.0.val.as_deref().is_some_and(|value| std::str::from_utf8(value).is_ok());
        if !readable {
            return Err(Trouble::Incomplete("the server does not say who we are".into()));
        }
        Ok(reply.0.parse::<WhoAmIResp>().authzid)
    }
}

fn answered(code: u32, text: &str) -> Result<(), Trouble> {
    if code == 0 { Ok(()) } else { Err(Trouble::Answered(Answer::new(code, text))) }
}

fn assertion(filter: &str) -> Result<RawControl, Trouble> {
    // The library panics on a filter that it can't read.
    if ldap3::parse_filter(filter).is_err() {
        return Err(Trouble::Answered(Answer::new(87, "filter not understood")));
    }
    Ok(Assertion { filter }.critical().into())
}

fn library_form(change: &Change) -> Mod<Vec<u8>> {
    let name = |attribute: &String| attribute.clone().into_bytes();
    let set = |values: &[Vec<u8>]| values.iter().cloned().collect::<HashSet<_>>();
    match change {
        Change::Add(attribute, values) => Mod::Add(name(attribute), set(values)),
        Change::Delete(attribute, values) => Mod::Delete(name(attribute), set(values)),
        Change::Replace(attribute, values) => Mod::Replace(name(attribute), set(values)),
    }
}

/// Where the next page begins; empty after the last.
fn next_page(controls: &[Control]) -> Result<Vec<u8>, Trouble> {
    let paging = controls.iter().find(|control| control.1.ctype == PAGED);
    let cookie = paging.and_then(|control| page_cookie(control.1.val.as_deref()?));
    cookie.ok_or_else(|| Trouble::Incomplete("the listing did not say whether it is whole".into()))
}
