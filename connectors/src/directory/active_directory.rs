//! Active Directory (and Samba as a domain controller).

use super::codes::{Answer, Trouble, code};
use super::counting::Counting;
use super::dialect::{Dialect, Edit, Lag, PrimaryGroup, Renaming, Scramble, Unreadable};
use super::entry::Entry;
use super::filter::equals_bytes;
use super::layout::Layout;
use super::moment;
use super::session::{Attributes, Change, Query, Session};
use super::settings::{GroupClass, MemberBy, SecondOperator};
use super::trust::named;
use crate::contract::Probed;
use crate::password;
use futures_util::future::BoxFuture;
use lapsed_core::facts::StableId;
use lapsed_core::observed::{
    Details, GroupKind, GroupLink, LastUse, PasswordAge, Trust, TrustKind,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// MS-SAMR 2.2.1.13 and win32 `userAccountControl`.
const CONTROL: &str = "userAccountControl";
const ACCOUNT_DISABLE: i64 = 0x2;
const NORMAL_ACCOUNT: i64 = 0x200;
const DONT_EXPIRE_PASSWORD: i64 = 0x1_0000;
/// Replicated, but written anew only when it is older than the domain's interval (MS-ADA1 2.351).
const LAST_LOGON: &str = "lastLogonTimestamp";
const LOGON_INTERVAL: &str = "msDS-LogonTimeSyncInterval";
/// Days of that interval where the domain does not say.
const USUAL_INTERVAL: u16 = 14;
/// Well-known relative ids (MS-DTYP 2.4.2.4).
const DOMAIN_USERS: u32 = 513;
const KRBTGT: u32 = 502;
const SECURITY_GROUP: i64 = 0x8000_0000;
const GROUP_ATTRIBUTES: &[&str] = &["objectGUID", "objectSid", "cn", "groupType", "objectClass"];

/// Who has the account as `manager`, and what has it as `managedBy`.
const REPORTS: &str = "directReports";
const MANAGED: &str = "managedObjects";

/// Groups are named by `CN`; organizational units, which are managed as well, by `OU`.
fn is_common_name(dn: &str) -> bool {
    dn.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("cn="))
}

/// The dialect of Active Directory.
#[derive(Debug)]
pub(super) struct ActiveDirectory;

impl Dialect for ActiveDirectory {
    fn account_attributes(&self) -> Vec<String> {
        let names = [
            "objectGUID",
            "objectSid",
            "sAMAccountName",
            "userPrincipalName",
            "displayName",
            "cn",
            CONTROL,
            "primaryGroupID",
            "adminCount",
            "pwdLastSet",
            "proxyAddresses",
            "whenCreated",
            LAST_LOGON,
            REPORTS,
            MANAGED,
        ];
        names.map(str::to_owned).to_vec()
    }

    fn group_attributes(&self) -> &'static [&'static str] {
        GROUP_ATTRIBUTES
    }

    fn user_id_attribute(&self) -> &'static str {
        "sAMAccountName"
    }

    fn account_filters(&self) -> &'static [&'static str] {
        // objectClass=user alone matches computers too.
        &["(objectCategory=person)", "(objectClass=user)"]
    }

    fn group_classes(&self) -> Vec<GroupClass> {
        vec![GroupClass {
            class: "group".into(),
            member: "member".into(),
            by: MemberBy::DistinguishedName,
        }]
    }

    fn name_attributes(&self) -> &'static [&'static str] {
        &["sAMAccountName", "userPrincipalName", "mail", "proxyAddresses"]
    }

    fn id_of(&self, entry: &Entry) -> Option<StableId> {
        let bytes = entry.bytes("objectGUID").next()?;
        let guid = Uuid::from_bytes_le(bytes.try_into().ok()?);
        StableId::new(guid.to_string()).ok()
    }

    fn id_filter(&self, id: &StableId) -> Option<String> {
        let guid = Uuid::parse_str(id.as_str()).ok()?;
        Some(equals_bytes("objectGUID", &guid.to_bytes_le()))
    }

    fn address(&self, entry: &Entry) -> String {
        self.id_of(entry).map_or_else(|| entry.dn.clone(), |id| format!("<GUID={id}>"))
    }

    fn only_if(&self, _: &Entry) -> Option<String> {
        None
    }

    fn is_locked(&self, entry: &Entry) -> bool {
        entry.number(CONTROL).is_some_and(|control| control & ACCOUNT_DISABLE != 0)
    }

    fn lock_attribute(&self) -> String {
        CONTROL.into()
    }

    fn check<'a>(&'a self, session: &'a Session, layout: &'a Layout) -> BoxFuture<'a, Vec<Probed>> {
        let problem = uncovered(session.root.default_context.as_deref(), layout);
        Box::pin(async { vec![Probed { what: "group_bases cover the domain".into(), problem }] })
    }

    /// Sets one bit and keeps the others; naming the old value makes a change in between fail.
    fn disable(&self, entry: &Entry) -> Result<Option<Edit>, Unreadable> {
        let old = entry.number(CONTROL).ok_or(Unreadable(CONTROL))?;
        if old & ACCOUNT_DISABLE != 0 {
            return Ok(None);
        }
        let mut edit = Edit::default();
        edit.set(entry, CONTROL, &(old | ACCOUNT_DISABLE).to_string());
        Ok(Some(edit))
    }

    /// Clears one bit and keeps the others.
    fn enable(&self, entry: &Entry) -> Result<Option<Edit>, Unreadable> {
        let old = entry.number(CONTROL).ok_or(Unreadable(CONTROL))?;
        if old & ACCOUNT_DISABLE == 0 {
            return Ok(None);
        }
        let mut edit = Edit::default();
        edit.set(entry, CONTROL, &(old & !ACCOUNT_DISABLE).to_string());
        Ok(Some(edit))
    }

    fn new_classes(&self) -> &'static [&'static str] {
        &["top", "person", "organizationalPerson", "user"]
    }

    fn named_by(&self) -> &'static str {
        "cn"
    }

    fn mark_attribute(&self) -> &'static str {
        "adminDescription"
    }

    /// Without a password, which is therefore to be changed (`pwdLastSet` 0) once there is one.
    fn new_account(&self, _: &[String], user_id: &str, upn: Option<&str>) -> Attributes {
        let control = (NORMAL_ACCOUNT | ACCOUNT_DISABLE).to_string();
        let mut attributes = Attributes::from([(CONTROL.into(), vec![control.into_bytes()])]);
        if let Some(suffix) = upn {
            let name = format!("{user_id}@{suffix}");
            attributes.insert("userPrincipalName".into(), vec![name.into_bytes()]);
        }
        attributes
    }

    fn first_password(&self, password: &str) -> Option<Vec<Change>> {
        Some(vec![
            Change::Replace("unicodePwd".into(), vec![quoted_utf16(password)]),
            Change::Replace("pwdLastSet".into(), vec![b"0".to_vec()]),
        ])
    }

    fn after_password(&self, _: &Entry) -> Edit {
        Edit::default()
    }

    fn must_change(&self, entry: &Entry) -> Option<bool> {
        entry.number("pwdLastSet").map(|set| set == 0)
    }

    fn expire_password(&self, entry: &Entry) -> Edit {
        // Written by the directory alone but for 0 and -1: its old value can't be named (MS-SAMR 3.1.1.8.10).
        Edit {
            changes: vec![Change::Replace("pwdLastSet".into(), vec![b"0".to_vec()])],
            before: [("pwdLastSet".to_owned(), entry.all("pwdLastSet"))].into(),
        }
    }

    /// Goes up with every password (MS-ADTS 3.1.1.4.5.16).
    fn password_version_attribute(&self) -> &'static str {
        "msDS-KeyVersionNumber"
    }

    fn alias_attribute(&self) -> &'static str {
        "proxyAddresses"
    }

    fn main_address(&self, mail: &str) -> Option<String> {
        Some(format!("SMTP:{mail}"))
    }

    /// `smtp:` is an alias, `SMTP:` the main address.
    fn aliases(&self, entry: &Entry, mail: &str, aliases: &str) -> Vec<String> {
        let main = entry.text(mail).unwrap_or_default().to_lowercase();
        let all = entry.texts(aliases).filter_map(|value| match value.split_once(':') {
            Some((kind, address)) => kind.eq_ignore_ascii_case("smtp").then_some(address),
            None => Some(value),
        });
        all.filter(|address| address.to_lowercase() != main).map(str::to_owned).collect()
    }

    fn rename(&self, entry: &Entry, renaming: Renaming<'_>, edit: &mut Edit) {
        let to = renaming.to;
        let user_id = to.user_id.as_str();
        if entry.all("sAMAccountName") != [user_id] {
            edit.set(entry, "sAMAccountName", user_id);
        }
        let old = entry.text("userPrincipalName");
        let suffix = old.and_then(|upn| upn.split_once('@')).map(|(_, suffix)| suffix);
        if let Some(suffix) = suffix.or(renaming.upn_suffix) {
            let upn = format!("{user_id}@{suffix}");
            if old != Some(upn.as_str()) {
                edit.set(entry, "userPrincipalName", &upn);
            }
        }
        let Some(mail) = &to.mail else { return };
        if entry.all(renaming.mail) != [mail.as_str()] {
            edit.set(entry, renaming.mail, mail);
        }
        let addresses = proxy_addresses(&entry.all(renaming.aliases), mail, &to.aliases);
        let has = entry.all(renaming.aliases);
        if !same(&has, &addresses) && (!has.is_empty() || addresses.len() > 1) {
            edit.set_all(entry, renaming.aliases, &addresses);
        }
    }

    /// The directory keeps the links itself (linked attributes).
    fn members_stay_behind(&self) -> bool {
        false
    }

    fn last_use_lag<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Lag> {
        Box::pin(async move {
            let Some(domain) = session.root.default_context.as_deref() else {
                return Lag::Days(USUAL_INTERVAL);
            };
            let found = session.search(Query::one(domain, &[LOGON_INTERVAL])).await;
            let entries = found.unwrap_or_default();
            match entries.first().and_then(|domain| domain.number(LOGON_INTERVAL)) {
                Some(0) => Lag::NotKept,
                days => Lag::Days(
                    days.and_then(|days| u16::try_from(days).ok()).unwrap_or(USUAL_INTERVAL),
                ),
            }
        })
    }

    fn details(&self, entry: &Entry, lag: Lag) -> Details {
        let last_use = match lag {
            Lag::NotKept => None,
            Lag::Days(lag_days) => Some(LastUse {
                at: entry.number(LAST_LOGON).and_then(moment::of_filetime),
                made_at: entry.text("whenCreated").and_then(moment::of_generalized),
                lag_days,
            }),
        };
        let control = entry.number(CONTROL).unwrap_or_default();
        let password = entry.number("pwdLastSet").map(|set| PasswordAge {
            changed_at: moment::of_filetime(set),
            never_expires: control & DONT_EXPIRE_PASSWORD != 0,
        });
        let display_name = entry.text("displayName").map(str::to_owned);
        Details { display_name, last_use, password, ..Details::default() }
    }

    /// Twice: domain controllers accept the password before the last one for a while (NTLM), and
    /// services keep the last one.
    fn scramble(&self, entry: &Entry, _: &Session) -> Scramble {
        let names = ["sAMAccountName", "displayName", "cn"];
        let one = || {
            let password = password::unknown(names.iter().flat_map(|name| entry.texts(name)));
            Change::Replace("unicodePwd".into(), vec![quoted_utf16(&password)])
        };
        Scramble { requests: vec![vec![one()], vec![one()]], operation: None }
    }

    fn password_changed(&self, entry: &Entry) -> Option<String> {
        entry.text("pwdLastSet").map(str::to_owned)
    }

    fn password_changed_attribute(&self) -> &'static str {
        "pwdLastSet"
    }

    /// Both are back links, which the directory keeps on the account.
    fn trust_on(&self, account: &Entry) -> Option<Vec<Trust>> {
        let (reports, managed) = (account.all(REPORTS), account.all(MANAGED));
        let groups: Vec<String> = managed.into_iter().filter(|dn| is_common_name(dn)).collect();
        let reports = named(TrustKind::DirectReport, &reports);
        Some(reports.chain(named(TrustKind::Group, &groups)).collect())
    }

    fn group_kind(&self, entry: &Entry) -> GroupKind {
        match entry.number("groupType") {
            None => GroupKind::Plain,
            // It arrives as a signed 32-bit number.
            Some(kind) if kind & SECURITY_GROUP != 0 => GroupKind::Security,
            Some(_) => GroupKind::Distribution,
        }
    }

    fn primary_group(&self, entry: &Entry) -> Option<PrimaryGroup> {
        let rid = u32::try_from(entry.number("primaryGroupID")?).ok()?;
        Some(PrimaryGroup { rid, is_default: rid == DOMAIN_USERS })
    }

    fn is_primary(&self, account: &Entry, group: &Entry) -> bool {
        let primary = self.primary_group(account).map(|primary| primary.rid);
        primary.is_some() && primary == Sid::of(group).and_then(|sid| sid.relative())
    }

    fn primary_link<'a>(
        &'a self,
        session: &'a Session,
        account: &'a Entry,
    ) -> BoxFuture<'a, Result<Option<GroupLink>, Trouble>> {
        Box::pin(async move {
            let Some(primary) = self.primary_group(account) else {
                return Ok(None);
            };
            let group = group_by_rid(session, account, primary.rid).await?;
            let Some(id) = self.id_of(&group) else {
                return Err(Trouble::Incomplete("the primary group can't be read".into()));
            };
            let kind = if primary.is_default {
                GroupKind::DefaultPrimary
            } else {
                GroupKind::OtherPrimary
            };
            let name = group.text("cn").unwrap_or(&group.dn).to_owned();
            Ok(Some(GroupLink { id, name, kind }))
        })
    }

    /// A group can be the primary one only of its members; the former one then is an ordinary one.
    fn reset_primary_group<'a>(
        &'a self,
        session: &'a Session,
        account: &'a Entry,
    ) -> BoxFuture<'a, Result<Edit, Trouble>> {
        Box::pin(async move {
            let users = group_by_rid(session, account, DOMAIN_USERS).await?;
            let join = [Change::add("member", account.dn.as_str())];
            match session.modify(&self.address(&users), &join, None).await {
                Ok(()) => {}
                Err(trouble)
                    if trouble.is(code::ENTRY_EXISTS)
                        || trouble.is(code::ATTRIBUTE_OR_VALUE_EXISTS) => {}
                Err(trouble) => return Err(trouble),
            }
            let mut edit = Edit::default();
            edit.set(account, "primaryGroupID", &DOMAIN_USERS.to_string());
            session.modify(&self.address(account), &edit.changes, None).await?;
            Ok(edit)
        })
    }

    /// The directory keeps both lists of members right by itself.
    fn set_primary_group<'a>(
        &'a self,
        session: &'a Session,
        account: &'a Entry,
        group: &'a Entry,
    ) -> BoxFuture<'a, Result<Edit, Trouble>> {
        Box::pin(async move {
            let missing = || Trouble::Incomplete("the group's objectSid can't be read".into());
            let rid = Sid::of(group).and_then(|sid| sid.relative()).ok_or_else(missing)?;
            let mut edit = Edit::default();
            edit.set(account, "primaryGroupID", &rid.to_string());
            session.modify(&self.address(account), &edit.changes, None).await?;
            Ok(edit)
        })
    }

    fn counting(&self) -> Counting {
        Counting::Numbers
    }

    fn serves_ranges(&self) -> bool {
        true
    }

    /// What it does with a filter on an attribute that may not be read is not documented.
    fn shows_absence(&self) -> bool {
        false
    }

    fn never(&self, entry: &Entry) -> Option<String> {
        let rid = Sid::of(entry).and_then(|sid| sid.relative());
        (rid == Some(KRBTGT)).then(|| "it is the key of the whole domain (krbtgt)".to_owned())
    }

    fn second_operator(&self, entry: &Entry, rules: &SecondOperator) -> Option<String> {
        if rules.admin_count && entry.number("adminCount") == Some(1) {
            return Some("adminCount is 1".into());
        }
        let Some(rid) = Sid::of(entry).and_then(|sid| sid.relative()) else {
            return Some("its objectSid can't be read".into());
        };
        (rid < rules.rid_below)
            .then(|| format!("its relative id {rid} is below {}", rules.rid_below))
    }

    fn answers_to(&self, entry: &Entry, name: &str) -> bool {
        let is = |attribute: &str, name: &str| {
            entry.texts(attribute).any(|own| own.to_lowercase() == name)
        };
        let local = name.split_once('@').map_or(name, |(local, _)| local);
        is("userPrincipalName", name) || is("sAMAccountName", local)
    }
}

/// The addresses after a rename: the new one is the main one (`SMTP:`), every other an alias, and
/// addresses of other kinds (X.400, X.500) are as they were.
fn proxy_addresses(has: &[String], mail: &str, aliases: &[String]) -> Vec<String> {
    let mut kept = vec![format!("SMTP:{mail}")];
    let mut known = vec![mail.to_lowercase()];
    let own = has.iter().map(|value| match value.split_once(':') {
        Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => Ok(address),
        Some(_) => Err(value),
        None => Ok(value.as_str()),
    });
    for address in own.chain(aliases.iter().map(|alias| Ok(alias.as_str()))) {
        match address {
            Err(other) => kept.push(other.clone()),
            Ok(address) if known.contains(&address.to_lowercase()) => {}
            Ok(address) => {
                known.push(address.to_lowercase());
                kept.push(format!("smtp:{address}"));
            }
        }
    }
    kept
}

/// The same values in any order.
fn same(one: &[String], other: &[String]) -> bool {
    let sorted = |values: &[String]| {
        let mut values = values.to_vec();
        values.sort();
        values
    };
    sorted(one) == sorted(other)
}

/// What to do when groups of the domain are outside the bases.
fn uncovered(domain: Option<&str>, layout: &Layout) -> Option<String> {
    let Some(domain) = domain else {
        return Some("the server does not say what its domain is".into());
    };
    (!Layout::is_below(&layout.groups, domain)).then(|| {
        format!(
            "memberships of groups elsewhere in {domain}, such as Domain Admins and the built-in ones, are neither seen nor ended; name {domain} itself"
        )
    })
}

async fn group_by_rid(session: &Session, account: &Entry, rid: u32) -> Result<Entry, Trouble> {
    let missing = || Trouble::Answered(Answer::new(code::NO_SUCH_OBJECT, "primary group"));
    let sid = Sid::of(account).ok_or_else(missing)?.with_relative(rid).ok_or_else(missing)?;
    let base = format!("<SID={}>", sid.text().ok_or_else(missing)?);
    let found = session.search(Query::one(&base, GROUP_ATTRIBUTES)).await?;
    found.into_iter().next().ok_or_else(missing)
}

/// `"password"` in UTF-16, as `unicodePwd` wants it.
fn quoted_utf16(password: &str) -> Vec<u8> {
    let quoted = Zeroizing::new(format!("\"{password}\""));
    quoted.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A security identifier in its binary form (MS-DTYP 2.4.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sid(Vec<u8>);

impl Sid {
    fn of(entry: &Entry) -> Option<Self> {
        let bytes = entry.bytes("objectSid").next()?;
        let parts = usize::from(*bytes.get(1)?);
        (bytes.len() == 8 + 4 * parts && parts > 0).then(|| Self(bytes.to_vec()))
    }

    fn parts(&self) -> impl Iterator<Item = u32> {
        self.0[8..].chunks_exact(4).filter_map(|four| four.try_into().ok().map(u32::from_le_bytes))
    }

    fn relative(&self) -> Option<u32> {
        self.parts().last()
    }

    fn with_relative(&self, rid: u32) -> Option<Self> {
        let keep = self.0.len().checked_sub(4)?;
        let mut bytes = self.0[..keep].to_vec();
        bytes.extend(rid.to_le_bytes());
        Some(Self(bytes))
    }

    fn text(&self) -> Option<String> {
        let authority =
            self.0.get(2..8)?.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let parts: String = self.parts().map(|part| format!("-{part}")).collect();
        Some(format!("S-{}-{authority}{parts}", self.0.first()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::ordinary("512", "514")]
    #[case::never_expires("66048", "66050")]
    #[case::smart_card("262656", "262658")]
    #[case::not_delegated_and_locked("1049104", "1049106")]
    fn shutting_sets_one_bit_and_keeps_the_others(#[case] old: &str, #[case] new: &str) {
        let entry = Entry::for_test("cn=a", &[(CONTROL, old)]);
        let edit = ActiveDirectory.disable(&entry).unwrap().unwrap();
        assert_eq!(edit.changes, [Change::delete(CONTROL, old), Change::add(CONTROL, new)]);
        assert_eq!(edit.before[CONTROL], [old]);
        let after = Entry::for_test("cn=a", &[(CONTROL, new)]);
        assert_eq!(ActiveDirectory.disable(&after), Ok(None));
        assert!(ActiveDirectory.disable(&Entry::for_test("cn=a", &[])).is_err());
    }

    #[rstest]
    #[case::ordinary("514", "512")]
    #[case::never_expires("66050", "66048")]
    #[case::smart_card("262658", "262656")]
    fn opening_clears_one_bit_and_keeps_the_others(#[case] old: &str, #[case] new: &str) {
        let entry = Entry::for_test("cn=a", &[(CONTROL, old)]);
        let edit = ActiveDirectory.enable(&entry).unwrap().unwrap();
        assert_eq!(edit.changes, [Change::delete(CONTROL, old), Change::add(CONTROL, new)]);
        let after = Entry::for_test("cn=a", &[(CONTROL, new)]);
        assert_eq!(ActiveDirectory.enable(&after), Ok(None));
        assert!(ActiveDirectory.enable(&Entry::for_test("cn=a", &[])).is_err());
    }

    #[rstest]
    #[case::first_rename(&["SMTP:old@a.test"], &["SMTP:new@a.test", "smtp:old@a.test"])]
    #[case::second_rename(
        &["SMTP:old@a.test", "smtp:first@a.test", "X500:/o=a"],
        &["SMTP:new@a.test", "smtp:old@a.test", "smtp:first@a.test", "X500:/o=a"]
    )]
    #[case::back_to_an_alias(
        &["SMTP:old@a.test", "smtp:NEW@a.test"], &["SMTP:new@a.test", "smtp:old@a.test"]
    )]
    #[case::without_any(&[], &["SMTP:new@a.test", "smtp:old@a.test"])]
    fn old_addresses_stay_as_aliases(#[case] has: &[&str], #[case] wanted: &[&str]) {
        let has: Vec<String> = has.iter().map(|&value| value.to_owned()).collect();
        let after = proxy_addresses(&has, "new@a.test", &["old@a.test".to_owned()]);
        assert_eq!(after, wanted);
        assert!(same(&proxy_addresses(&after, "new@a.test", &["old@a.test".to_owned()]), &after));
    }

    #[rstest]
    #[case("-2147483646", GroupKind::Security)]
    #[case("2", GroupKind::Distribution)]
    fn the_sign_of_the_group_type_tells_security_from_distribution(
        #[case] kind: &str,
        #[case] wanted: GroupKind,
    ) {
        let entry = Entry::for_test("cn=g", &[("groupType", kind)]);
        assert_eq!(ActiveDirectory.group_kind(&entry), wanted);
    }

    #[test]
    fn a_security_identifier_is_read_and_its_domain_kept() {
        let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21_u32, 1, 2, 3, 1104] {
            bytes.extend(part.to_le_bytes());
        }
        let sid = Sid(bytes);
        assert_eq!(sid.relative(), Some(1104));
        let users = sid.with_relative(DOMAIN_USERS).and_then(|sid| sid.text());
        assert_eq!(users.as_deref(), Some("S-1-5-21-1-2-3-513"));
    }
}
