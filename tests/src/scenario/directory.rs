//! The directory of a scenario: a table made into entries, and entries told in one line each.

use crate::ldif::{escape_filter, escape_rdn};
use crate::slapd::Slapd;
use crate::{Done, Entry, Failure};
use std::collections::BTreeMap;

/// The suffix.
pub const BASE: &str = "dc=dmh,dc=test";

/// Entries of a table with the columns user_id, number, last, first, groups, state. Groups stand with spaces
/// between, those with `u:` before the name list user IDs (`memberUid`); state is empty or `shut`.
pub fn entries(table: &str) -> Done<String> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let mut entries = Vec::new();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, row) in reader.records().enumerate() {
        let row = row.map_err(|e| Failure::new(e.to_string()))?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let user_id = cell(0);
        for group in cell(4).split_whitespace() {
            groups.entry(group.to_owned()).or_default().push(user_id.to_owned());
        }
        entries.push(account(&row, 20_000 + place));
    }
    let groups = groups.iter().enumerate().map(|(place, (name, ids))| group(place, name, ids));
    Ok(entries.into_iter().chain(groups).map(|entry| entry.to_ldif()).collect())
}

fn account(row: &csv::StringRecord, number: usize) -> Entry {
    let cell = |at: usize| row.get(at).unwrap_or_default();
    let (user_id, last, first) = (cell(0), cell(2), cell(3));
    let mut entry = Entry::new(dn(user_id))
        .with("objectClass", "inetOrgPerson")
        .with("objectClass", "posixAccount")
        .with("uid", user_id)
        .with("cn", format!("{first} {last}").trim())
        .with("sn", last)
        .with("userPassword", password(user_id))
        .with("uidNumber", number.to_string())
        .with("gidNumber", "2000")
        .with("homeDirectory", format!("/home/{user_id}"))
        .with("loginShell", "/bin/bash");
    if !first.is_empty() {
        entry.add("givenName", first);
    }
    if !cell(1).is_empty() {
        entry.add("employeeNumber", cell(1));
    }
    if cell(5) == "shut" {
        entry.add("pwdAccountLockedTime", "000001010000Z");
    }
    entry
}

fn group(place: usize, name: &str, user_ids: &[String]) -> Entry {
    let plain = name.strip_prefix("u:");
    let name_of_it = format!("cn={},ou=groups,{BASE}", escape_rdn(plain.unwrap_or(name)));
    let entry = Entry::new(name_of_it).with("cn", plain.unwrap_or(name));
    if plain.is_some() {
        let entry =
            entry.with("objectClass", "posixGroup").with("gidNumber", (3000 + place).to_string());
        return user_ids.iter().fold(entry, |entry, id| entry.with("memberUid", id));
    }
    let entry = entry.with("objectClass", "groupOfNames");
    user_ids.iter().fold(entry, |entry, id| entry.with("member", dn(id)))
}

fn dn(user_id: &str) -> String {
    format!("uid={},ou=people,{BASE}", escape_rdn(user_id))
}

fn password(user_id: &str) -> String {
    format!("Only-{user_id}-knows")
}

/// One account in one line: whether it is open, its groups, and what else a departure changes.
pub fn told(slapd: &Slapd, user_id: &str) -> Done<String> {
    let filter = format!("(uid={})", escape_filter(user_id));
    let found = slapd.search(&filter, &["*", "pwdAccountLockedTime"])?;
    let Some(entry) = found.first() else { return Ok(format!("{user_id}: no such account\n")) };
    let shut = match entry.first("pwdAccountLockedTime").as_deref() {
        Some("000001010000Z") => "shut",
        Some(_) => "locked for a time",
        None => "OPEN",
    };
    let filter =
        format!("(|(member={})(memberUid={}))", escape_filter(&entry.dn), escape_filter(user_id));
    let mut groups: Vec<String> =
        slapd.search(&filter, &["cn"])?.iter().filter_map(|g| g.first("cn")).collect();
    groups.sort();
    let mut line = format!("{user_id}: {shut}");
    line += &match groups.as_slice() {
        [] => ", in no group".to_owned(),
        some => format!(", in {}", some.join(" ")),
    };
    if let Some(shell) = entry.first("loginShell").filter(|shell| shell != "/bin/bash") {
        line += &format!(", shell {shell}");
    }
    if entry.first("userPassword").is_some_and(|now| now != password(user_id)) {
        line += ", password replaced";
    }
    if let Some(text) = entry.first("description") {
        line += &format!(", \"{text}\"");
    }
    Ok(line + "\n")
}

/// How many accounts are open, and how many shut.
pub fn counted(slapd: &Slapd) -> Done<String> {
    let found = slapd.search("(objectClass=posixAccount)", &["pwdAccountLockedTime"])?;
    let shut = found.iter().filter(|entry| entry.has("pwdAccountLockedTime")).count();
    Ok(format!("{} accounts open, {shut} shut\n", found.len() - shut))
}

/// All groups with their members, a line each.
pub fn groups_told(slapd: &Slapd) -> Done<String> {
    let mut found = slapd.search(
        "(|(objectClass=groupOfNames)(objectClass=posixGroup))",
        &["cn", "member", "memberUid"],
    )?;
    found.sort_by_key(|entry| entry.first("cn"));
    let mut text = String::new();
    for entry in found {
        let rdn = |dn: String| dn.split(",ou=").next().unwrap_or_default().to_owned();
        let mut members: Vec<String> = entry.get("member").into_iter().map(rdn).collect();
        members.extend(entry.get("memberUid"));
        members.sort();
        text += &format!("{}: {}\n", entry.first("cn").unwrap_or_default(), members.join(" "));
    }
    Ok(text)
}
