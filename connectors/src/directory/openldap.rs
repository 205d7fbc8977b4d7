//! OpenLDAP with its password policy overlay (slapo-ppolicy).

use super::codes::{Answer, Trouble, code};
use super::counting::Counting;
use super::dialect::{Dialect, Edit, Lag, PrimaryGroup, Renaming, Scramble, Unreadable};
use super::entry::Entry;
use super::filter::equals;
use super::layout::Layout;
use super::moment;
use super::session::{Attributes, Change, Query, Session};
use super::settings::{GroupClass, MemberBy, OpenldapSettings, SecondOperator};
use crate::contract::Probed;
use crate::password;
use futures_util::future::BoxFuture;
use lapsed_core::facts::StableId;
use lapsed_core::observed::{Details, GroupKind, GroupLink, LastUse, PasswordAge};
use lapsed_core::step::WAS_LOCKED;
use std::collections::BTreeMap;
use uuid::Uuid;

const POLICY_LOCK: &str = "pwdAccountLockedTime";
const MUST_CHANGE: &str = "pwdReset";
const CHANGED: &str = "pwdChangedTime";
/// When the account last logged on: by slapo-lastbind, and by OpenLDAP itself since 2.5 (`olcLastBind`).
const LAST_USE: [&str; 2] = ["pwdLastSuccess", "authTimestamp"];
const MADE: &str = "createTimestamp";
const GROUP_ATTRIBUTES: &[&str] = &["entryUUID", "cn", "objectClass"];

/// The dialect of OpenLDAP.
#[derive(Debug)]
pub(super) struct Openldap {
    settings: OpenldapSettings,
}

impl Openldap {
    pub(super) fn new(settings: OpenldapSettings) -> Self {
        Self { settings }
    }
}

impl Openldap {
    /// The values that shutting, or opening after it, leaves in an attribute beside the lock; none where it is
    /// not an attribute that shutting changes.
    fn left_by_shutting(&self, entry: &Entry, attribute: &str) -> Vec<Vec<String>> {
        let same = |name: &str| name.eq_ignore_ascii_case(attribute);
        let mut left = Vec::new();
        let also = self.settings.also_set.iter();
        for also in also.filter(|also| same(&also.attribute) && entry.is_a(&also.if_class)) {
            left.push(vec![also.value.clone()]);
            let on = self.settings.on_enable.iter();
            let on = on.filter(|on| same(&on.attribute) && entry.is_a(&on.if_class));
            left.extend(on.map(|on| on.value.iter().cloned().collect()));
        }
        if self.settings.also_remove.iter().any(|name| same(name)) {
            left.push(Vec::new());
        }
        left
    }
}

impl Dialect for Openldap {
    fn account_attributes(&self) -> Vec<String> {
        let mut names: Vec<String> =
            ["entryUUID", "objectClass", "uid", "cn", "displayName", CHANGED, MUST_CHANGE, MADE]
                .map(str::to_owned)
                .to_vec();
        names.extend(LAST_USE.map(str::to_owned));
        names.extend(self.settings.on_enable.iter().map(|on| on.attribute.clone()));
        names.push(self.settings.lock.attribute.clone());
        names.extend(self.settings.also_set.iter().map(|also| also.attribute.clone()));
        names.extend(self.settings.also_remove.iter().cloned());
        names
    }

    fn group_attributes(&self) -> &'static [&'static str] {
        GROUP_ATTRIBUTES
    }

    fn user_id_attribute(&self) -> &'static str {
        "uid"
    }

    fn account_filters(&self) -> &'static [&'static str] {
        &["(objectClass=inetOrgPerson)"]
    }

    fn group_classes(&self) -> Vec<GroupClass> {
        let kind = |class: &str, member: &str, by| GroupClass {
            class: class.into(),
            member: member.into(),
            by,
        };
        vec![
            kind("groupOfNames", "member", MemberBy::DistinguishedName),
            kind("groupOfUniqueNames", "uniqueMember", MemberBy::DistinguishedName),
            kind("posixGroup", "memberUid", MemberBy::UserId),
        ]
    }

    fn name_attributes(&self) -> &'static [&'static str] {
        &["uid", "mail", "memberUid"]
    }

    fn id_of(&self, entry: &Entry) -> Option<StableId> {
        let id = Uuid::parse_str(entry.text("entryUUID")?).ok()?;
        StableId::new(id.to_string()).ok()
    }

    fn id_filter(&self, id: &StableId) -> Option<String> {
        let id = Uuid::parse_str(id.as_str()).ok()?;
        Some(equals("entryUUID", &id.to_string()))
    }

    fn address(&self, entry: &Entry) -> String {
        entry.dn.clone()
    }

    /// The name could have passed to another object since it was read.
    fn only_if(&self, entry: &Entry) -> Option<String> {
        self.id_of(entry).and_then(|id| self.id_filter(&id))
    }

    fn is_locked(&self, entry: &Entry) -> bool {
        let lock = &self.settings.lock;
        entry.texts(&lock.attribute).any(|value| value.eq_ignore_ascii_case(&lock.value))
    }

    fn lock_attribute(&self) -> String {
        self.settings.lock.attribute.clone()
    }

    fn check<'a>(&'a self, session: &'a Session, _: &'a Layout) -> BoxFuture<'a, Vec<Probed>> {
        Box::pin(async move {
            if !self.settings.lock.attribute.eq_ignore_ascii_case(POLICY_LOCK) {
                return Vec::new();
            }
            let problem = lock_works(session).await.err();
            vec![Probed { what: "password policy that heeds the lock".into(), problem }]
        })
    }

    fn disable(&self, entry: &Entry) -> Result<Option<Edit>, Unreadable> {
        let mut edit = Edit::default();
        let lock = &self.settings.lock;
        if !self.is_locked(entry) {
            edit.set(entry, &lock.attribute, &lock.value);
        }
        for also in &self.settings.also_set {
            let is_so = entry.all(&also.attribute) == [also.value.as_str()];
            if entry.is_a(&also.if_class) && !is_so {
                edit.set(entry, &also.attribute, &also.value);
            }
        }
        for attribute in &self.settings.also_remove {
            if entry.has(attribute) {
                edit.remove(entry, attribute);
            }
        }
        if self.is_locked(entry) {
            edit.before.insert(WAS_LOCKED.to_owned(), vec!["true".to_owned()]);
        }
        Ok((!edit.changes.is_empty()).then_some(edit))
    }

    /// The lock goes, and what shutting set is put back as far as the settings say to what.
    fn enable(&self, entry: &Entry) -> Result<Option<Edit>, Unreadable> {
        let mut edit = Edit::default();
        if self.is_locked(entry) {
            edit.remove(entry, &self.settings.lock.attribute);
        }
        for also in self.settings.also_set.iter().filter(|also| entry.is_a(&also.if_class)) {
            let is_shut = entry.all(&also.attribute) == [also.value.as_str()];
            let on = self.settings.on_enable.iter().find(|on| {
                on.attribute.eq_ignore_ascii_case(&also.attribute) && entry.is_a(&on.if_class)
            });
            match on.filter(|_| is_shut).map(|on| on.value.as_deref()) {
                Some(Some(value)) if value != also.value => {
                    edit.set(entry, &also.attribute, value);
                }
                Some(None) => edit.remove(entry, &also.attribute),
                _ => {}
            }
        }
        Ok((!edit.changes.is_empty()).then_some(edit))
    }

    fn new_classes(&self) -> &'static [&'static str] {
        &["inetOrgPerson"]
    }

    fn named_by(&self) -> &'static str {
        "uid"
    }

    fn mark_attribute(&self) -> &'static str {
        "description"
    }

    fn new_account(&self, classes: &[String], _: &str, _: Option<&str>) -> Attributes {
        let lock = &self.settings.lock;
        let is = |class: &str| classes.iter().any(|own| own.eq_ignore_ascii_case(class));
        let also = self.settings.also_set.iter().filter(|also| is(&also.if_class));
        let shut = also.map(|also| (also.attribute.clone(), also.value.clone()));
        let shut = shut.chain([(lock.attribute.clone(), lock.value.clone())]);
        shut.map(|(attribute, value)| (attribute, vec![value.into_bytes()])).collect()
    }

    /// The server makes the hash, and its policy judges the password.
    fn first_password(&self, _: &str) -> Option<Vec<Change>> {
        None
    }

    fn after_password(&self, entry: &Entry) -> Edit {
        let mut edit = Edit::default();
        let has_policy = self.settings.lock.attribute.eq_ignore_ascii_case(POLICY_LOCK);
        if has_policy && self.must_change(entry) != Some(true) {
            edit.set(entry, MUST_CHANGE, "TRUE");
        }
        edit
    }

    fn must_change(&self, entry: &Entry) -> Option<bool> {
        let has_policy = self.settings.lock.attribute.eq_ignore_ascii_case(POLICY_LOCK);
        has_policy.then(|| entry.text(MUST_CHANGE) == Some("TRUE"))
    }

    fn expire_password(&self, entry: &Entry) -> Edit {
        let mut edit = Edit::default();
        edit.set(entry, MUST_CHANGE, "TRUE");
        edit
    }

    fn password_version_attribute(&self) -> &'static str {
        CHANGED
    }

    fn alias_attribute(&self) -> &'static str {
        "mail"
    }

    /// Of several values of `mail`, the first is the main address.
    fn aliases(&self, entry: &Entry, mail: &str, aliases: &str) -> Vec<String> {
        let main = entry.text(mail).unwrap_or_default().to_lowercase();
        let all = entry.texts(aliases).filter(|address| address.to_lowercase() != main);
        all.map(str::to_owned).collect()
    }

    fn rename(&self, entry: &Entry, renaming: Renaming<'_>, edit: &mut Edit) {
        let Some(mail) = &renaming.to.mail else { return };
        let lower = |address: &String| address.to_lowercase();
        let in_mail = renaming.aliases.eq_ignore_ascii_case(renaming.mail);
        let mut others = entry.all(renaming.aliases);
        others.extend(renaming.to.aliases.iter().cloned());
        let mut known = vec![mail.to_lowercase()];
        others.retain(|address| {
            let is_new = !known.contains(&lower(address));
            known.push(lower(address));
            is_new
        });
        let main = std::iter::once(mail.clone());
        let wanted: Vec<String> =
            if in_mail { main.chain(others.iter().cloned()).collect() } else { main.collect() };
        if entry.all(renaming.mail) != wanted {
            edit.set_all(entry, renaming.mail, &wanted);
        }
        if !in_mail && entry.all(renaming.aliases) != others {
            edit.set_all(entry, renaming.aliases, &others);
        }
    }

    fn members_stay_behind(&self) -> bool {
        true
    }

    fn last_use_lag<'a>(&'a self, _: &'a Session) -> BoxFuture<'a, Lag> {
        Box::pin(async { Lag::Days(0) })
    }

    fn details(&self, entry: &Entry, _: Lag) -> Details {
        let moments = LAST_USE.iter().filter_map(|name| moment::of_generalized(entry.text(name)?));
        let at = moments.max();
        // Without a time it can't be told whether nobody logged on or the server does not keep it.
        let last_use = (at.is_some() || self.settings.keeps_last_use).then(|| LastUse {
            at,
            made_at: entry.text(MADE).and_then(moment::of_generalized),
            lag_days: 0,
        });
        let password = entry.text(CHANGED).map(|changed| PasswordAge {
            changed_at: moment::of_generalized(changed)
                .filter(|_| self.must_change(entry) != Some(true)),
            never_expires: false,
        });
        let display_name = entry.text("displayName").map(str::to_owned);
        Details { display_name, last_use, password, ..Details::default() }
    }

    /// Where the account is open the server makes the hash. Where it is locked the lock is named in the
    /// same request: the password policy lifts the lock of an account whose password is set otherwise,
    /// and a crash between the two would leave it open.
    fn scramble(&self, entry: &Entry, session: &Session) -> Scramble {
        let operation = session
            .modifies_passwords()
            .then(|| password::unknown(entry.texts("uid").chain(entry.texts("cn"))));
        if !self.is_locked(entry) && operation.is_some() {
            return Scramble { requests: Vec::new(), operation };
        }
        let mut edit = Edit::default();
        let lock = &self.settings.lock;
        if self.is_locked(entry) {
            edit.set(entry, &lock.attribute, &lock.value);
        }
        let hash = password::hash_of_nothing();
        edit.changes.push(Change::Replace("userPassword".into(), vec![hash.into_bytes()]));
        Scramble { requests: vec![edit.changes], operation }
    }

    fn password_changed(&self, entry: &Entry) -> Option<String> {
        entry.text("pwdChangedTime").map(str::to_owned)
    }

    fn password_changed_attribute(&self) -> &'static str {
        "pwdChangedTime"
    }

    fn group_kind(&self, _: &Entry) -> GroupKind {
        GroupKind::Plain
    }

    fn primary_group(&self, _: &Entry) -> Option<PrimaryGroup> {
        None
    }

    fn is_primary(&self, _: &Entry, _: &Entry) -> bool {
        false
    }

    fn primary_link<'a>(
        &'a self,
        _: &'a Session,
        _: &'a Entry,
    ) -> BoxFuture<'a, Result<Option<GroupLink>, Trouble>> {
        Box::pin(async { Ok(None) })
    }

    fn reset_primary_group<'a>(
        &'a self,
        _: &'a Session,
        _: &'a Entry,
    ) -> BoxFuture<'a, Result<Edit, Trouble>> {
        Box::pin(async {
            let answer = Answer::new(code::UNWILLING, "OpenLDAP has no primary groups to reset");
            Err(Trouble::Answered(answer))
        })
    }

    fn set_primary_group<'a>(
        &'a self,
        _: &'a Session,
        _: &'a Entry,
        _: &'a Entry,
    ) -> BoxFuture<'a, Result<Edit, Trouble>> {
        Box::pin(async {
            let answer = Answer::new(code::UNWILLING, "OpenLDAP has no primary groups");
            Err(Trouble::Answered(answer))
        })
    }

    /// What is still as shutting left it, or as opening put it meanwhile, becomes what it was.
    fn unshut(
        &self,
        entry: &Entry,
        was: &BTreeMap<String, Vec<String>>,
    ) -> Result<Option<Edit>, Vec<String>> {
        let mut edit = Edit::default();
        let mut changed: Vec<String> = Vec::new();
        for (attribute, was) in was {
            let left = self.left_by_shutting(entry, attribute);
            let now = entry.all(attribute);
            if left.is_empty() || &now == was {
                continue;
            }
            match left.contains(&now) {
                true if was.is_empty() => edit.remove(entry, attribute),
                true => edit.set_all(entry, attribute, was),
                false => changed.push(attribute.clone()),
            }
        }
        match changed.is_empty() {
            true => Ok((!edit.changes.is_empty()).then_some(edit)),
            false => Err(changed),
        }
    }

    fn counting(&self) -> Counting {
        Counting::Moments
    }

    fn serves_ranges(&self) -> bool {
        false
    }

    /// An attribute that may not be read makes the filter undefined (slapd.access(5)).
    fn shows_absence(&self) -> bool {
        true
    }

    fn never(&self, _: &Entry) -> Option<String> {
        None
    }

    fn second_operator(&self, _: &Entry, _: &SecondOperator) -> Option<String> {
        None
    }

    fn answers_to(&self, entry: &Entry, name: &str) -> bool {
        entry.texts("uid").any(|own| own.to_lowercase() == name)
    }
}

/// The lock has no effect unless the policy says `pwdLockout: TRUE` (slapo-ppolicy(5)).
async fn lock_works(session: &Session) -> Result<(), String> {
    let advice = "a locked account could still log on: set pwdLockout: TRUE in the password policy";
    let mut seen = 0;
    for context in &session.root.contexts {
        let query = Query::below(context, "(objectClass=pwdPolicy)", &["pwdLockout"]);
        // What can't be listed here is listed by the other checks, which name the trouble.
        for policy in session.search(query).await.unwrap_or_default() {
            seen += 1;
            if policy.text("pwdLockout") != Some("TRUE") {
                return Err(format!("{advice} {}", policy.dn));
            }
        }
    }
    if seen == 0 {
        return Err(format!("no password policy can be seen; {advice}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::making::OnEnable;
    use super::*;
    use lapsed_core::step::NewName;

    const LOCK: &str = "pwdAccountLockedTime";
    const FOR_EVER: &str = "000001010000Z";

    fn disable(values: &[(&str, &str)]) -> Option<Edit> {
        let dialect = Openldap::new(OpenldapSettings::default());
        dialect.disable(&Entry::for_test("uid=a", values)).unwrap()
    }

    #[test]
    fn an_open_account_gets_the_lock_that_lasts_for_ever() {
        let edit = disable(&[("objectClass", "inetOrgPerson")]).unwrap();
        assert_eq!(edit.changes, [Change::add(LOCK, FOR_EVER)]);
        assert_eq!(edit.before[LOCK], [] as [&str; 0]);
    }

    #[test]
    fn a_lock_that_would_end_by_itself_is_replaced() {
        let edit = disable(&[(LOCK, "20260101000000Z")]).unwrap();
        let wanted = [Change::delete(LOCK, "20260101000000Z"), Change::add(LOCK, FOR_EVER)];
        assert_eq!(edit.changes, wanted);
    }

    #[test]
    fn a_locked_account_whose_keys_still_work_is_not_shut() {
        let edit = disable(&[(LOCK, FOR_EVER), ("sshPublicKey", "ssh-ed25519 AAAA")]).unwrap();
        assert_eq!(edit.changes, [Change::delete("sshPublicKey", "ssh-ed25519 AAAA")]);
        assert_eq!(disable(&[(LOCK, FOR_EVER)]), None);
    }

    #[test]
    fn opening_takes_the_lock_off_and_puts_back_what_the_settings_say() {
        let on = |attribute: &str, value: Option<&str>, class: &str| OnEnable {
            attribute: attribute.into(),
            value: value.map(Into::into),
            if_class: class.into(),
        };
        let mut settings = OpenldapSettings::default();
        settings.on_enable.push(on("loginShell", Some("/bin/bash"), "posixAccount"));
        let shut = [
            (LOCK, FOR_EVER),
            ("objectClass", "posixAccount"),
            ("objectClass", "shadowAccount"),
            ("loginShell", "/usr/sbin/nologin"),
            ("shadowExpire", "1"),
        ];
        let dialect = Openldap::new(settings);
        let edit = dialect.enable(&Entry::for_test("uid=a", &shut)).unwrap().unwrap();
        let wanted = [
            Change::delete(LOCK, FOR_EVER),
            Change::delete("loginShell", "/usr/sbin/nologin"),
            Change::add("loginShell", "/bin/bash"),
            Change::delete("shadowExpire", "1"),
        ];
        assert_eq!(edit.changes, wanted);
        let own = [("objectClass", "posixAccount"), ("loginShell", "/bin/zsh")];
        assert_eq!(dialect.enable(&Entry::for_test("uid=a", &own)), Ok(None));
    }

    #[test]
    fn an_old_address_stays_after_the_new_one() {
        let dialect = Openldap::new(OpenldapSettings::default());
        let name = lapsed_core::facts::PersonName::default();
        let to = NewName {
            user_id: lapsed_core::facts::UserId::new("new").unwrap(),
            name,
            display_name: "New".into(),
            mail: Some("new@a.test".into()),
            aliases: vec!["old@a.test".into()],
            home: None,
            location: None,
            location_name: None,
        };
        let rename = |mail: &[&str], aliases: &str| {
            let values: Vec<_> = mail.iter().map(|&address| ("mail", address)).collect();
            let mut edit = Edit::default();
            let renaming = Renaming { to: &to, upn_suffix: None, mail: "mail", aliases };
            dialect.rename(&Entry::for_test("uid=a", &values), renaming, &mut edit);
            edit.changes
        };
        let in_order = [
            Change::delete("mail", "old@a.test"),
            Change::add("mail", "new@a.test"),
            Change::add("mail", "old@a.test"),
        ];
        assert_eq!(rename(&["old@a.test"], "mail"), in_order);
        assert_eq!(rename(&["new@a.test", "old@a.test"], "mail"), []);
        let apart = [
            Change::delete("mail", "old@a.test"),
            Change::add("mail", "new@a.test"),
            Change::add("other", "old@a.test"),
        ];
        assert_eq!(rename(&["old@a.test"], "other"), apart);
    }

    #[test]
    fn a_shell_is_taken_away_only_where_the_class_has_one() {
        let edit = disable(&[
            (LOCK, FOR_EVER),
            ("objectClass", "posixAccount"),
            ("loginShell", "/bin/bash"),
        ]);
        assert_eq!(edit.unwrap().before["loginShell"], ["/bin/bash"]);
        assert_eq!(disable(&[(LOCK, FOR_EVER), ("loginShell", "/bin/bash")]), None);
    }
}
