//! The whole directory before and after: what differs, and by that, that nothing else does.

use super::directory::Directory;
use lapsed_tests::{Done, Entry};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What servers keep for themselves, and what differs from run to run without meaning anything here.
const OF_THE_SERVER: &[&str] = &[
    // OpenLDAP
    "createtimestamp",
    "creatorsname",
    "entrycsn",
    "entrydn",
    "entryuuid",
    "hassubordinates",
    "modifiersname",
    "modifytimestamp",
    "pwdlastsuccess",
    "structuralobjectclass",
    "subschemasubentry",
    // Active Directory
    "accountexpires",
    "badpasswordtime",
    "badpwdcount",
    "codepage",
    "countrycode",
    "distinguishedname",
    "dscorepropagationdata",
    "instancetype",
    "lastlogoff",
    "lastlogon",
    "lastlogontimestamp",
    "logoncount",
    "name",
    "objectcategory",
    "objectguid",
    "objectsid",
    "primarygroupid",
    "ridnextrid",
    "samaccounttype",
    "usnchanged",
    "usncreated",
    "whenchanged",
    "whencreated",
];

/// A directory as it was at one moment, by what never changes of an object.
pub struct Picture(BTreeMap<Vec<u8>, Seen>);

#[derive(PartialEq, Eq)]
struct Seen {
    dn: String,
    values: BTreeSet<(String, String)>,
}

impl Picture {
    pub fn of(directory: &Directory) -> Done<Self> {
        let identity = |entry: &Entry| {
            let id = ["entryUUID", "objectGUID"].into_iter().find_map(|n| entry.bytes(n).first());
            id.cloned().unwrap_or_else(|| entry.dn.clone().into_bytes())
        };
        let all = directory.everything()?;
        Ok(Self(all.iter().map(|entry| (identity(entry), seen(entry))).collect()))
    }

    /// What differs from an earlier moment, as text: objects by their name, `-` before, `+` after.
    pub fn since(&self, before: &Self) -> String {
        let ids: BTreeSet<&Vec<u8>> = self.0.keys().chain(before.0.keys()).collect();
        let mut blocks: Vec<String> =
            ids.into_iter().filter_map(|id| block(before.0.get(id), self.0.get(id))).collect();
        blocks.sort();
        blocks.join("\n")
    }
}

fn block(before: Option<&Seen>, after: Option<&Seen>) -> Option<String> {
    if before == after {
        return None;
    }
    let nothing = BTreeSet::new();
    let values = |seen: Option<&'_ Seen>| seen.map_or(nothing.clone(), |seen| seen.values.clone());
    let (old, new) = (values(before), values(after));
    let mut text = match (before, after) {
        (Some(before), Some(after)) if before.dn == after.dn => format!("  dn: {}\n", before.dn),
        (before, after) => {
            let line = |sign: char, seen: &Seen| format!("{sign} dn: {}\n", seen.dn);
            let gone = before.map(|seen| line('-', seen)).unwrap_or_default();
            gone + &after.map(|seen| line('+', seen)).unwrap_or_default()
        }
    };
    let mut lines: Vec<(&String, char, &String)> = Vec::new();
    lines.extend(old.difference(&new).map(|(name, value)| (name, '-', value)));
    lines.extend(new.difference(&old).map(|(name, value)| (name, '+', value)));
    // By attribute, what went before what came.
    lines.sort_by_key(|(name, sign, value)| (*name, *sign == '+', *value));
    for (name, sign, value) in lines {
        text.push_str(&format!("{sign} {name}: {value}\n"));
    }
    Some(text)
}

fn seen(entry: &Entry) -> Seen {
    let mut values = BTreeSet::new();
    for name in entry.attributes.keys().filter(|name| !OF_THE_SERVER.contains(&name.as_str())) {
        values.extend(entry.get(name).iter().map(|value| (name.clone(), masked(name, value))));
    }
    Seen { dn: entry.dn.clone(), values }
}

/// Values that differ from run to run, as what they mean.
fn masked(name: &str, value: &str) -> String {
    match name {
        "userpassword" => "(a hash)".into(),
        "pwdchangedtime" => "(a moment)".into(),
        "pwdlastset" if value != "0" => "(a moment)".into(),
        _ => without_ids(value),
    }
}

fn without_ids(value: &str) -> String {
    let part = |text: &str| match Uuid::try_parse(text) {
        Ok(_) => "(an id)".to_owned(),
        Err(_) => text.to_owned(),
    };
    let word = |text: &str| text.split(':').map(part).collect::<Vec<_>>().join(":");
    value.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
