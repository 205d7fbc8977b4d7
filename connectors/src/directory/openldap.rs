//! OpenLDAP with its password policy overlay (slapo-ppolicy).

use super::codes::{Answer, Trouble, code};
use super::dialect::{Dialect, Edit, PrimaryGroup, Scramble, Unreadable};
use super::entry::Entry;
use super::filter::equals;
use super::password;
use super::session::{Change, Query, Session};
use super::settings::{GroupClass, MemberBy, OpenldapSettings, SecondOperator};
use crate::contract::Probed;
use futures_util::future::BoxFuture;
use lapsed_core::facts::StableId;
use lapsed_core::observed::{GroupKind, GroupLink};
use uuid::Uuid;

const POLICY_LOCK: &str = "pwdAccountLockedTime";
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

impl Dialect for Openldap {
    fn account_attributes(&self) -> Vec<String> {
        let mut names: Vec<String> =
            ["entryUUID", "objectClass", "uid", "cn", "pwdChangedTime"].map(str::to_owned).to_vec();
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

    fn is_enabled(&self, entry: &Entry) -> bool {
        let lock = &self.settings.lock;
        !entry.texts(&lock.attribute).any(|value| value.eq_ignore_ascii_case(&lock.value))
    }

    fn lock_attribute(&self) -> String {
        self.settings.lock.attribute.clone()
    }

    fn check<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Vec<Probed>> {
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
        if self.is_enabled(entry) {
            edit.set(entry, &lock.attribute, &lock.value);
        }
        for also in &self.settings.also_set {
            let is_so = entry.all(&also.attribute) == [also.value.as_str()];
            if entry.is_a(&also.if_class) && !is_so {
                edit.set(entry, &also.attribute, &also.value);
            }
        }
        for attribute in &self.settings.also_remove {
            if !entry.bytes(attribute).is_empty() {
                edit.remove(entry, attribute);
            }
        }
        Ok((!edit.changes.is_empty()).then_some(edit))
    }

    /// Where the account is open the server makes the hash. Where it is locked the lock is named in the
    /// same request: the password policy lifts the lock of an account whose password is set otherwise,
    /// and a crash between the two would leave it open.
    fn scramble(&self, entry: &Entry, session: &Session) -> Scramble {
        let operation = session
            .modifies_passwords()
            .then(|| password::unknown(entry.texts("uid").chain(entry.texts("cn"))));
        if self.is_enabled(entry) && operation.is_some() {
            return Scramble { requests: Vec::new(), operation };
        }
        let mut edit = Edit::default();
        let lock = &self.settings.lock;
        if !self.is_enabled(entry) {
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

    fn serves_ranges(&self) -> bool {
        false
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
    use super::*;

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
