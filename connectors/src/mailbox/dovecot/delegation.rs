//! A mailbox that somebody else needs: they get rights on each of the user's own mailboxes, and lose
//! them again when account management says so (D8).

use super::Dovecot;
use super::doveadm::{Kind, Trouble, exit};
use super::mailboxes::{Mailbox, look};
use lapsed_core::step::{Cause, Fault, Found, Outcome, Seen};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Names of rights, as Dovecot writes them.
type Rights = BTreeSet<String>;

/// What is to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delegation {
    /// The delegate has the rights of the settings, no fewer and no more.
    Given,
    /// The delegate has none.
    Ended,
}

/// One mailbox and what the delegate may do in it.
struct Shared {
    mailbox: Mailbox,
    rights: Rights,
}

impl Dovecot {
    /// Gives or takes the delegate's rights on every mailbox on which they are others than wanted.
    pub(super) async fn delegate(
        &self,
        user: &str,
        to: &str,
        wish: Delegation,
    ) -> Result<Outcome, Fault> {
        let to = self.delegate_name(user, to, wish).await?;
        let Some(now) = self.rights_on_all(user, &to).await? else {
            return match wish {
                Delegation::Given => Err(Fault::Refused(no_mailbox(user))),
                Delegation::Ended => Ok(Outcome::AlreadySo),
            };
        };
        let wanted = self.wanted(wish);
        let open = now.iter().filter(|shared| shared.rights != wanted).collect::<Vec<_>>();
        if open.is_empty() {
            return Ok(Outcome::AlreadySo);
        }
        for shared in open {
            self.set(user, &to, &shared.mailbox.name, wish).await?;
        }
        Ok(self.receipt(user, &to, &now))
    }

    /// Looks whether the delegate has what the step wants.
    pub(super) async fn see_delegation(
        &self,
        user: &str,
        to: &str,
        wish: Delegation,
    ) -> Result<Seen, Fault> {
        let to = self.delegate_name(user, to, wish).await?;
        let Some(now) = self.rights_on_all(user, &to).await? else {
            return Ok(match wish {
                Delegation::Given => Seen::CannotTell(no_mailbox(user)),
                Delegation::Ended => Seen::AsWanted,
            });
        };
        let wanted = self.wanted(wish);
        match now.iter().filter(|shared| shared.rights != wanted).count() {
            0 => Ok(Seen::AsWanted),
            others => Ok(Seen::Otherwise(Found {
                description: format!(
                    "on {others} of {} mailboxes of {user}, {to} has other rights than wanted; look at their ACL",
                    now.len()
                ),
            })),
        }
    }

    fn wanted(&self, wish: Delegation) -> Rights {
        match wish {
            Delegation::Given => {
                let rights = self.settings.delegate_rights.iter();
                rights.map(|right| right.name().to_owned()).collect()
            }
            Delegation::Ended => Rights::new(),
        }
    }

    /// The delegate as Dovecot itself writes the name: rights given to another spelling are nobody's,
    /// and Dovecot gives rights to people who do not exist.
    async fn delegate_name(&self, user: &str, to: &str, wish: Delegation) -> Result<String, Fault> {
        let what = format!("look up {to}");
        let known = match self.doveadm.run("user", json!({ "userMask": [to] })).await {
            // Their entry would still be there: it is taken away under the name that was given.
            Err(Trouble::Exit(exit::NO_USER)) if wish == Delegation::Ended => {
                return Ok(to.to_owned());
            }
            other => other.map_err(|trouble| trouble.fault(&what, Kind::Harmless))?,
        };
        let found = known.get(to).ok_or_else(|| {
            Fault::Retry(Cause::new(format!("{what}: Dovecot's answer does not say it")))
        })?;
        let name = found.get("user").and_then(Value::as_str).unwrap_or(to);
        if name.eq_ignore_ascii_case(user) {
            return Err(Fault::Refused(Cause::new(format!(
                "{user} can't be the one who gets their own mailbox; name somebody else"
            ))));
        }
        Ok(name.to_owned())
    }

    /// What the delegate may do in each of the user's own mailboxes; `None` when Dovecot doesn't know
    /// the user. A mere level above others holds no messages and has no rights.
    async fn rights_on_all(&self, user: &str, to: &str) -> Result<Option<Vec<Shared>>, Fault> {
        let Some(own) = look(&self.doveadm, &self.own, user).await? else { return Ok(None) };
        let mut all = Vec::new();
        for mailbox in own.into_iter().filter(|mailbox| mailbox.guid.is_some()) {
            let rights = self.rights(user, to, &mailbox.name).await?;
            all.push(Shared { mailbox, rights });
        }
        Ok(Some(all))
    }

    async fn rights(&self, user: &str, to: &str, mailbox: &str) -> Result<Rights, Fault> {
        let what = format!("read the ACL of a mailbox of {user}");
        let asked = json!({ "user": user, "mailbox": mailbox });
        let rows = self.doveadm.run("aclGet", asked).await;
        let rows = rows.map_err(|trouble| acl_fault(&trouble, &what, Kind::Harmless))?;
        read_rights(&rows, to).map_err(|problem| match problem {
            Unfit::Unreadable => {
                Fault::Retry(Cause::new(format!("{what}: Dovecot's answer does not say it")))
            }
            Unfit::ShutOut => Fault::Refused(Cause::new(format!(
                "the ACL of a mailbox of {user} shuts {to} out (-user={to}); take that entry away by hand"
            ))),
        })
    }

    async fn set(
        &self,
        user: &str,
        to: &str,
        mailbox: &str,
        wish: Delegation,
    ) -> Result<(), Fault> {
        let id = format!("user={to}");
        let (command, asked) = match wish {
            Delegation::Given => {
                let rights: Vec<String> = self.wanted(wish).into_iter().collect();
                let asked = json!({ "user": user, "mailbox": mailbox, "id": id, "right": rights });
                ("aclSet", asked)
            }
            Delegation::Ended => {
                ("aclDelete", json!({ "user": user, "mailbox": mailbox, "id": id }))
            }
        };
        let what = format!("change the ACL of a mailbox of {user}");
        // Both may be done twice: after a lost reply they simply are.
        let done = self.doveadm.run(command, asked).await;
        done.map(drop).map_err(|trouble| acl_fault(&trouble, &what, Kind::Harmless))
    }

    /// Mailboxes by identity, not by name: how somebody names theirs is their own affair.
    fn receipt(&self, user: &str, to: &str, before: &[Shared]) -> Outcome {
        let earlier: Vec<String> = before
            .iter()
            .filter(|shared| !shared.rights.is_empty())
            .map(|shared| {
                let rights: Vec<&str> = shared.rights.iter().map(String::as_str).collect();
                format!("{}: {}", shared.mailbox.guid.as_deref().unwrap_or("?"), rights.join(" "))
            })
            .collect();
        let mut receipt = self.receipt_of([
            ("mail_user", user.to_owned()),
            ("delegate", to.to_owned()),
            ("mailboxes", before.len().to_string()),
        ]);
        receipt.before.insert("earlier_rights".into(), earlier);
        Outcome::Changed(receipt)
    }
}

/// Why an ACL does not say what the delegate may do.
#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    Unreadable,
    /// A negative entry takes away whatever is given.
    ShutOut,
}

/// The delegate's own entry. Rights by a group or by everybody's entry are not the delegation's, and
/// those of the server's global file can't be changed here.
fn read_rights(rows: &Value, to: &str) -> Result<Rights, Unfit> {
    let mut rights = Rights::new();
    for row in rows.as_array().ok_or(Unfit::Unreadable)? {
        let text = |key: &str| row.get(key).and_then(Value::as_str).ok_or(Unfit::Unreadable);
        let (id, listed) = (text("id")?, text("rights")?);
        let is_global = row.get("global").and_then(Value::as_str).is_some_and(|g| !g.is_empty());
        if id.strip_prefix("-user=") == Some(to) {
            return Err(Unfit::ShutOut);
        }
        if id.strip_prefix("user=") == Some(to) && !is_global {
            rights.extend(listed.split_whitespace().map(str::to_owned));
        }
    }
    Ok(rights)
}

fn acl_fault(trouble: &Trouble, what: &str, kind: Kind) -> Fault {
    match trouble {
        Trouble::UnknownCommand => Fault::Refused(Cause::new(format!(
            "{what}: this Dovecot knows no ACLs; load its acl plugin (mail_plugins = acl, for protocol doveadm too)"
        ))),
        other => other.fault(what, kind),
    }
}

fn no_mailbox(user: &str) -> Cause {
    Cause::coded(
        format!(
            "Dovecot does not know {user}, so that nobody can be given the mailbox; see whether its userdb hides accounts that are shut"
        ),
        format!("doveadm {}", exit::NO_USER),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nobody(json!([]), &[])]
    #[case::another(json!([{"id": "user=bobby", "global": "", "rights": "read"}]), &[])]
    #[case::theirs(json!([{"id": "user=bob", "global": "", "rights": "lookup read"}]), &["lookup", "read"])]
    #[case::of_all_mailboxes(json!([{"id": "user=bob", "global": "1", "rights": "read"}]), &[])]
    #[case::of_a_group(json!([{"id": "group=bob", "global": "", "rights": "read"}]), &[])]
    fn only_the_delegates_own_entry_counts(#[case] rows: Value, #[case] wanted: &[&str]) {
        let rights = read_rights(&rows, "bob").unwrap();
        assert_eq!(rights.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    }

    #[rstest]
    #[case(json!([{"id": "-user=bob", "global": "", "rights": "read"}]), Unfit::ShutOut)]
    #[case(json!([{"id": "user=bob"}]), Unfit::Unreadable)]
    #[case(json!({"id": "user=bob"}), Unfit::Unreadable)]
    fn an_entry_that_shuts_out_or_can_not_be_read_is_no_right(
        #[case] rows: Value,
        #[case] wanted: Unfit,
    ) {
        assert_eq!(read_rights(&rows, "bob"), Err(wanted));
    }
}
