//! What `check` tries: every server, and everything that a working directory needs.

use super::Directory;
use super::codes::Trouble;
use super::dial::{Credentials, DialError};
use super::entry::Entry;
use super::exchange::Exchange;
use super::layout::Base;
use super::protect::try_group;
use super::session::{Query, Session};
use super::supervisor::{Connected, OpenError};
use crate::contract::Probed;
use lapsed_core::step::{Cause, Fault};
use std::collections::HashSet;

/// Tries everything, going on after a failure as far as that makes sense.
pub(super) async fn probe(directory: &Directory) -> Vec<Probed> {
    let mut found = Vec::new();
    let credentials = match directory.supervisor.credentials() {
        Ok(credentials) => credentials,
        Err(error) => {
            let problem = Some(OpenError::from(error).sentence());
            return vec![Probed { what: "password of the daemon's account".into(), problem }];
        }
    };
    if let Some(connected) = servers(directory, &credentials, &mut found).await {
        content(directory, &connected, &mut found).await;
    }
    found
}

/// Every server; the first that works is used for the rest.
async fn servers(
    directory: &Directory,
    credentials: &Credentials,
    found: &mut Vec<Probed>,
) -> Option<Connected> {
    let mut first = None;
    for address in &directory.supervisor.servers {
        let what = format!("connection and log-on to {address}");
        match directory.supervisor.open(address, credentials).await {
            Ok(connected) => {
                found.push(Probed { what, problem: None });
                first = first.or(Some(connected));
            }
            Err(error) => {
                let what = subject(&error, &address.to_string());
                found.push(Probed { what, problem: Some(error.sentence()) });
                // The other servers would count the same wrong password: that locks the account.
                if matches!(&error, OpenError::Dial(dial) if dial.is_wrong_password()) {
                    break;
                }
            }
        }
    }
    first
}

fn subject(error: &OpenError, address: &str) -> String {
    match error {
        OpenError::Dial(DialError::Tls(_) | DialError::NoStartTls) => {
            format!("certificate of {address}")
        }
        OpenError::Dial(DialError::Refused(_)) => format!("log-on to {address}"),
        _ => format!("connection to {address}"),
    }
}

async fn content(directory: &Directory, connected: &Connected, found: &mut Vec<Probed>) {
    let session = &connected.session;
    let layout = &directory.shared.layout;
    for base in &layout.name_places {
        found.push(base_exists(session, base).await);
    }
    for base in &layout.protected_groups {
        let result = try_group(&directory.shared, session, &base.text).await;
        let what = format!("protected group {}", base.text);
        found.push(probed(what, result.map_err(|trouble| said(&trouble))));
    }
    found.push(schema(directory, session).await);
    let (listing, sample) = whole_listing(directory, session).await;
    found.push(listing);
    if let Some(sample) = sample {
        found.push(sample_account(directory, &sample));
        found.push(account_rights(directory, session, &sample).await);
    }
    found.extend(group_rights(directory, session).await);
    found.extend(directory.shared.dialect.check(session, layout).await);
}

fn probed(what: impl Into<String>, result: Result<(), String>) -> Probed {
    Probed { what: what.into(), problem: result.err() }
}

fn said(trouble: &Trouble) -> String {
    match trouble.of_read("reading") {
        Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause) => shown(&cause),
    }
}

fn shown(cause: &Cause) -> String {
    cause.to_string()
}

async fn base_exists(session: &Session, base: &Base) -> Probed {
    let result = match session.search(Query::one(&base.text, &["1.1"])).await {
        Ok(entries) if entries.is_empty() => {
            Err("it can't be seen; grant the daemon's account read access".into())
        }
        Ok(_) => Ok(()),
        Err(trouble) => Err(said(&trouble)),
    };
    probed(format!("base {}", base.text), result)
}

/// The attributes without which nothing works are in the schema.
async fn schema(directory: &Directory, session: &Session) -> Probed {
    let what = "attributes in the schema";
    let Some(place) = &session.root.schema else {
        return probed(what, Err("the server does not say where its schema is".into()));
    };
    let query =
        Query { filter: "(objectClass=subschema)", ..Query::one(place, &["attributeTypes"]) };
    let known: HashSet<String> = match session.search(query).await {
        Ok(entries) => entries.iter().flat_map(names_in_schema).collect(),
        Err(trouble) => return probed(what, Err(said(&trouble))),
    };
    if known.is_empty() {
        return probed(what, Err("the schema can't be read; grant read access to it".into()));
    }
    let names = &directory.shared.layout.names;
    let lock = directory.shared.dialect.lock_attribute();
    let needed = [&names.employee_number, &names.user_id, &names.description, &lock];
    let exchange = directory.shared.exchange.iter().flat_map(Exchange::changed);
    let exchange: Vec<&str> = exchange.collect();
    let missing: Vec<&str> = needed
        .into_iter()
        .map(String::as_str)
        .chain(exchange)
        .filter(|name| !known.contains(&name.to_ascii_lowercase()))
        .collect();
    let result = if missing.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the schema has no {}; name another attribute under `attributes`, or extend the schema",
            missing.join(", ")
        ))
    };
    probed(what, result)
}

/// `( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )` → `cn`, `commonname`.
fn names_in_schema(entry: &Entry) -> Vec<String> {
    let mut names = Vec::new();
    for definition in entry.texts("attributeTypes") {
        let Some((_, after)) = definition.split_once("NAME") else { continue };
        let after = after.trim_start();
        let list = match after.strip_prefix('(') {
            Some(several) => several.split(')').next().unwrap_or_default(),
            None => after.split(' ').next().unwrap_or_default(),
        };
        names.extend(
            list.split('\'').map(str::trim).filter(|n| !n.is_empty()).map(str::to_lowercase),
        );
    }
    names
}

/// All accounts, as the nightly comparison reads them: shows limits that would cut it.
async fn whole_listing(directory: &Directory, session: &Session) -> (Probed, Option<Entry>) {
    let layout = &directory.shared.layout;
    let filter = layout.accounts(None);
    let attributes = layout.account_attributes();
    let mut sample = None;
    let mut count = 0;
    for base in &layout.people {
        match session.search(Query::below(&base.text, &filter, &["1.1"])).await {
            Ok(entries) => {
                count += entries.len();
                if let Some(first) = entries.first().filter(|_| sample.is_none()) {
                    let read = session.search(Query::one(&first.dn, &attributes)).await;
                    sample = read.ok().and_then(|entries| entries.into_iter().next());
                }
            }
            Err(trouble) => {
                return (probed("listing of all accounts", Err(said(&trouble))), sample);
            }
        }
    }
    let result = if count == 0 {
        Err("there are none below people_base; check the base, the classes and read access".into())
    } else {
        Ok(())
    };
    (probed(format!("listing of all accounts ({count})"), result), sample)
}

fn sample_account(directory: &Directory, sample: &Entry) -> Probed {
    let names = &directory.shared.layout.names;
    let result = if directory.shared.dialect.id_of(sample).is_none() {
        Err("its stable id can't be read; grant read access".to_owned())
    } else if sample.text(&names.user_id).is_none() {
        Err(format!("it has no readable {}; is that the log-on name's attribute?", names.user_id))
    } else {
        match directory.shared.dialect.disable(sample) {
            Ok(_) => Ok(()),
            Err(unreadable) => Err(unreadable.to_string()),
        }
    };
    probed("reading of an account", result)
}

/// Active Directory says which attributes of an object the asker may change.
const MAY_CHANGE: &str = "allowedAttributesEffective";

async fn account_rights(directory: &Directory, session: &Session, sample: &Entry) -> Probed {
    let lock = directory.shared.dialect.lock_attribute();
    let mut needed = vec![lock, directory.shared.layout.names.description.clone()];
    let exchange = directory.shared.exchange.iter().flat_map(Exchange::changed);
    needed.extend(exchange.map(str::to_owned));
    rights(session, "right to change accounts", sample, &needed).await
}

async fn group_rights(directory: &Directory, session: &Session) -> Option<Probed> {
    let layout = &directory.shared.layout;
    let filter = layout.groups_filter(None);
    let base = layout.groups.first()?;
    let query = Query::below(&base.text, &filter, directory.shared.dialect.group_attributes());
    let groups = match session.search(query).await {
        Ok(groups) => groups,
        Err(trouble) => return Some(probed("listing of groups", Err(said(&trouble)))),
    };
    let sample = groups.first()?;
    let needed: Vec<String> = layout.classes_of(sample).map(|class| class.member.clone()).collect();
    Some(rights(session, "right to change groups", sample, &needed).await)
}

/// As far as the server shows rights; one that does not is taken at its word.
async fn rights(session: &Session, what: &str, sample: &Entry, needed: &[String]) -> Probed {
    let shown = match session.search(Query::one(&sample.dn, &[MAY_CHANGE])).await {
        Ok(entries) => entries.into_iter().next().unwrap_or_default(),
        Err(trouble) => return probed(what, Err(said(&trouble))),
    };
    let allowed: HashSet<String> = shown.texts(MAY_CHANGE).map(str::to_lowercase).collect();
    if allowed.is_empty() {
        return probed(format!("{what} (the server does not show it)"), Ok(()));
    }
    let missing: Vec<&str> = needed
        .iter()
        .filter(|name| !allowed.contains(&name.to_lowercase()))
        .map(String::as_str)
        .collect();
    let result = if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("may not change {} of {}; grant it", missing.join(", "), sample.dn))
    };
    probed(what, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_of_an_attribute_are_read_from_the_schema() {
        let one = "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519' SUP name )";
        let two = "( 0.9.2342.19200300.100.1.3 NAME 'mail' EQUALITY caseIgnoreIA5Match )";
        let entry = Entry::for_test("", &[("attributeTypes", one), ("attributeTypes", two)]);
        assert_eq!(names_in_schema(&entry), ["cn", "commonname", "mail"]);
    }
}
