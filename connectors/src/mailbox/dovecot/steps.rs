//! The steps of a mailbox: what is done, and what is seen of it afterwards.

use super::Dovecot;
use super::delegation::Delegation;
use super::doveadm::{Kind, Trouble, exit};
use super::mailboxes::{self, Mailbox, look};
use super::settings::{UnknownUser, mail_user};
use lapsed_core::facts::UserId;
use lapsed_core::step::{Action, Cause, Fault, Found, Outcome, Receipt, Seen, Step};
use serde_json::{Value, json};
use std::time::Duration;

/// So often, and so long after each other, the sessions are looked at after a kick.
const LOOKS_AFTER_A_KICK: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What a step asks of this connector.
enum Wish<'a> {
    EndSessions,
    Delegate(&'a UserId, Delegation),
    Delete,
    Create,
    BringOver(&'a UserId),
}

fn wish(action: &Action) -> Result<Wish<'_>, Fault> {
    match action {
        Action::DelegateMailbox { to, .. } => Ok(Wish::Delegate(to, Delegation::Given)),
        Action::EndDelegation { to, .. } => Ok(Wish::Delegate(to, Delegation::Ended)),
        Action::DisableMailbox { .. } => Ok(Wish::EndSessions),
        Action::DeleteMailbox { .. } => Ok(Wish::Delete),
        Action::CreateMailbox { .. } => Ok(Wish::Create),
        Action::RenameMailbox { from, .. } => Ok(Wish::BringOver(from)),
        _ => Err(Fault::Refused(Cause::new(
            "a dovecot connector knows mailboxes only; name another connector for this",
        ))),
    }
}

impl Dovecot {
    pub(super) fn mail_user(&self, user_id: &UserId) -> Result<String, Fault> {
        mail_user(&self.settings.user, user_id)
            .map_err(|error| Fault::Refused(Cause::new(error.to_string())))
    }

    /// Carries out one step.
    pub(super) async fn carry_out(&self, step: &Step) -> Result<Outcome, Fault> {
        let (wish, user) = (wish(&step.action)?, self.mail_user(&step.expect.user_id)?);
        match wish {
            Wish::EndSessions => self.end_sessions(&user).await,
            Wish::Delegate(to, wish) => self.delegate(&user, &self.mail_user(to)?, wish).await,
            Wish::Delete => self.delete(&user).await,
            Wish::Create => self.create(&user).await,
            Wish::BringOver(from) => self.bring_over(from, &user).await,
        }
    }

    /// Looks at one step's mailbox again.
    pub(super) async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        let (wish, user) = (wish(&step.action)?, self.mail_user(&step.expect.user_id)?);
        match wish {
            Wish::EndSessions => self.see_sessions(&user).await,
            Wish::Delegate(to, wish) => {
                self.see_delegation(&user, &self.mail_user(to)?, wish).await
            }
            Wish::Delete => self.see_mailboxes(step, &user).await,
            Wish::Create => self.see_created(&user).await,
            Wish::BringOver(from) => self.see_brought_over(from, &user).await,
        }
    }

    /// A remembered log-on would let a shut account in again, so it is forgotten before the kick.
    pub(super) async fn end_sessions(&self, user: &str) -> Result<Outcome, Fault> {
        let what = format!("forget log-ons of {user}");
        let flushed = self.doveadm.run("authCacheFlush", json!({ "user": [user] })).await;
        let flushed = flushed.map_err(|trouble| trouble.fault(&what, Kind::Harmless))?;
        let entries = first(&flushed, "entries").unwrap_or("0").to_owned();
        let what = format!("end sessions of {user}");
        let kicked = match self.doveadm.run("kick", json!({ "mask": [user] })).await {
            Ok(_) => true,
            Err(Trouble::Exit(exit::NOT_FOUND)) => false,
            Err(trouble) => return Err(trouble.fault(&what, Kind::Harmless)),
        };
        if !kicked && entries == "0" {
            return Ok(Outcome::AlreadySo);
        }
        if kicked {
            self.wait_for_the_end(user).await;
        }
        let sessions = if kicked { "open" } else { "none" };
        Ok(self.changed([
            ("mail_user", user.to_owned()),
            ("sessions", sessions.to_owned()),
            ("remembered_log_ons", entries),
        ]))
    }

    /// Dovecot answers a kick before the session is over; the look afterwards would still find it.
    async fn wait_for_the_end(&self, user: &str) {
        for _ in 0..LOOKS_AFTER_A_KICK {
            if matches!(self.see_sessions(user).await, Ok(Seen::AsWanted)) {
                return;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    async fn see_sessions(&self, user: &str) -> Result<Seen, Fault> {
        let what = format!("look at sessions of {user}");
        let looked = self.doveadm.run("who", json!({ "mask": [user] })).await;
        let rows = looked.map_err(|trouble| trouble.fault(&what, Kind::Harmless))?;
        let theirs = |row: &&Value| {
            let name = row.get("username").and_then(Value::as_str);
            name.is_some_and(|name| name.to_lowercase() == user.to_lowercase())
        };
        match rows.as_array().into_iter().flatten().filter(theirs).count() {
            0 => Ok(Seen::AsWanted),
            _ => otherwise(format!(
                "{user} is logged on to the mail server; see whether Dovecot's passdb still lets the account in"
            )),
        }
    }

    async fn delete(&self, user: &str) -> Result<Outcome, Fault> {
        let Some(before) = look(&self.doveadm, &self.own, user).await? else {
            return match self.settings.unknown_user {
                UnknownUser::NoMailbox => Ok(Outcome::AlreadySo),
                UnknownUser::Refuse => Err(Fault::Refused(unknown(user))),
            };
        };
        if self.own.is_empty(&before) {
            // Whoever emptied it may have died before this, and no look shows what is on the disk.
            self.purge(user).await?;
            return Ok(Outcome::AlreadySo);
        }
        for mailbox in &before {
            self.empty(user, mailbox).await?;
        }
        for mailbox in before.iter().filter(|mailbox| !mailbox.is_inbox()) {
            self.remove(user, &mailbox.name).await?;
        }
        self.purge(user).await?;
        let after = look(&self.doveadm, &self.own, user).await?.unwrap_or_default();
        if !self.own.is_empty(&after) {
            return Err(self.leftovers(user, &after));
        }
        Ok(self.changed([
            ("mail_user", user.to_owned()),
            ("mailboxes", before.len().to_string()),
            ("messages", mailboxes::messages(&before).to_string()),
        ]))
    }

    /// Formats that pack many messages into one file free them only now.
    async fn purge(&self, user: &str) -> Result<(), Fault> {
        let what = format!("purge mail of {user}");
        self.change(&what, "purge", json!({ "user": user })).await.map(drop)
    }

    /// Messages are named by the identity of their mailbox: its name could stand for others, and what
    /// others share with the user must not be hit.
    async fn empty(&self, user: &str, mailbox: &Mailbox) -> Result<(), Fault> {
        let Some(guid) = mailbox.guid.as_ref().filter(|_| mailbox.messages > 0) else {
            return Ok(());
        };
        let query = json!({ "user": user, "query": ["mailbox-guid", guid, "all"] });
        self.change(&format!("expunge mail of {user}"), "expunge", query).await.map(drop)
    }

    pub(super) async fn remove(&self, user: &str, name: &str) -> Result<(), Fault> {
        let wanted = json!({ "user": user, "subscriptions": true, "mailbox": [name] });
        match self.doveadm.run("mailboxDelete", wanted).await {
            Ok(_) | Err(Trouble::Exit(exit::NOT_FOUND)) => Ok(()),
            Err(trouble) => {
                Err(trouble.fault(&format!("delete a mailbox of {user}"), Kind::Changes))
            }
        }
    }

    fn leftovers(&self, user: &str, after: &[Mailbox]) -> Fault {
        let cause = Cause::new(self.what_is_left(user, after));
        // Mail that came in meanwhile goes at the next try; a mailbox that comes back never does.
        if mailboxes::messages(after) > 0 { Fault::Retry(cause) } else { Fault::Refused(cause) }
    }

    fn what_is_left(&self, user: &str, after: &[Mailbox]) -> String {
        let messages = mailboxes::messages(after);
        if messages > 0 {
            return format!(
                "{messages} messages are in the mailbox of {user}; see whether mail is still delivered to it"
            );
        }
        let left = self.own.left(after).count();
        format!(
            "{left} empty mailboxes of {user} are still there; if the server makes them for everyone, name them in automatic_mailboxes"
        )
    }

    async fn see_mailboxes(&self, step: &Step, user: &str) -> Result<Seen, Fault> {
        match (look(&self.doveadm, &self.own, user).await?, self.settings.unknown_user) {
            (None, UnknownUser::NoMailbox) => Ok(Seen::AsWanted),
            (None, UnknownUser::Refuse) => Ok(Seen::CannotTell(unknown(user))),
            (Some(now), _) if self.own.is_empty(&now) => match self.begun.contains(step.id) {
                true => Ok(Seen::CannotTell(Cause::new(format!(
                    "the mailbox of {user} is empty, and it is not known whether its mail was purged"
                )))),
                false => Ok(Seen::AsWanted),
            },
            (Some(now), _) => otherwise(self.what_is_left(user, &now)),
        }
    }

    async fn change(&self, what: &str, command: &str, wanted: Value) -> Result<Value, Fault> {
        let done = self.doveadm.run(command, wanted).await;
        done.map_err(|trouble| trouble.fault(what, Kind::Changes))
    }

    fn changed<const N: usize>(&self, before: [(&str, String); N]) -> Outcome {
        Outcome::Changed(self.receipt_of(before))
    }

    pub(super) fn receipt_of<const N: usize>(&self, before: [(&str, String); N]) -> Receipt {
        let before = before.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect();
        Receipt { before, server: Some(self.address.clone()) }
    }
}

/// A text in the first row of an answer.
fn first<'v>(rows: &'v Value, key: &str) -> Option<&'v str> {
    rows.as_array()?.first()?.get(key)?.as_str()
}

fn otherwise(description: String) -> Result<Seen, Fault> {
    Ok(Seen::Otherwise(Found { description }))
}

fn unknown(user: &str) -> Cause {
    Cause::coded(
        format!(
            "Dovecot does not know {user}; see whether its userdb hides accounts that are shut, and whether mail of theirs is left"
        ),
        format!("doveadm {}", exit::NO_USER),
    )
}
