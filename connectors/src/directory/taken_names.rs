//! Every name that counts as taken (N5): nobody is to inherit another's mail or rights by a name.

use super::Shared;
use super::codes::{Trouble, code};
use super::entry::Entry;
use super::filter;
use super::session::{Query, Session};
use lapsed_core::observed::Observed;
use lapsed_core::step::Fault;
use std::collections::BTreeSet;

/// Names of all objects below all bases: accounts, groups, contacts, and deleted ones that can be seen.
pub(super) async fn taken_names(shared: &Shared, session: &Session) -> Result<Observed, Fault> {
    let attributes = attributes(shared);
    let wanted: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let any: Vec<String> = wanted.iter().map(|name| filter::present(name)).collect();
    let filter = filter::any(&any);
    let mut names = BTreeSet::new();
    for base in &shared.layout.name_places {
        let entries = session
            .search(Query::below(&base.text, &filter, &wanted))
            .await
            .map_err(|trouble| trouble.of_read("reading names"))?;
        for entry in &entries {
            take(&mut names, entry, &wanted);
        }
    }
    for entry in deleted(session, &filter, &wanted).await? {
        take(&mut names, &entry, &wanted);
    }
    let server = session.server.clone();
    Ok(Observed { taken_names: names.into_iter().collect(), server, ..Observed::default() })
}

fn attributes(shared: &Shared) -> Vec<String> {
    let mut names: Vec<String> =
        shared.dialect.name_attributes().iter().map(|&name| name.to_owned()).collect();
    let own = &shared.layout.names;
    for own in [&own.user_id, &own.mail, &own.mail_alias] {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(own)) {
            names.push(own.clone());
        }
    }
    names
}

fn take(names: &mut BTreeSet<String>, entry: &Entry, attributes: &[&str]) {
    for attribute in attributes {
        names.extend(entry.texts(attribute).filter_map(local_part));
    }
}

/// `smtp:Jane.Doe@agency.test` → `jane.doe`.
fn local_part(value: &str) -> Option<String> {
    let address = match value.split_once(':') {
        Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => address,
        _ => value,
    };
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local).trim();
    (!local.is_empty()).then(|| local.to_lowercase())
}

/// Deleted objects keep their log-on name; whether they are shown is a matter of rights.
async fn deleted(
    session: &Session,
    filter: &str,
    attributes: &[&str],
) -> Result<Vec<Entry>, Fault> {
    let Some(context) = &session.root.default_context else {
        return Ok(Vec::new());
    };
    let base = format!("CN=Deleted Objects,{context}");
    let query = Query { deleted: true, ..Query::below(&base, filter, attributes) };
    match session.search(query).await {
        Ok(entries) => Ok(entries),
        Err(Trouble::Answered(answer)) if matches!(answer.code, code::NO_SUCH_OBJECT | 12 | 50) => {
            tracing::debug!(code = answer.code, "deleted objects are not shown to lapsed");
            Ok(Vec::new())
        }
        Err(trouble) => Err(trouble.of_read("reading names of deleted objects")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ZJDoe", Some("zjdoe"))]
    #[case("SMTP:Jane.Doe@agency.test", Some("jane.doe"))]
    #[case("jdoe@agency.test", Some("jdoe"))]
    #[case("x500:/o=agency/cn=jdoe", Some("x500:/o=agency/cn=jdoe"))]
    #[case("@agency.test", None)]
    fn of_an_address_the_local_part_is_taken(#[case] value: &str, #[case] name: Option<&str>) {
        assert_eq!(local_part(value).as_deref(), name);
    }
}
