//! Mailboxes that are made (A1), and content that is brought over to a user's new name (N7).
//!
//! **Order.** Dovecot copies by dsync, one way and by the identity of each message, so that a second run
//! after a lost reply doubles nothing. Then every message of the old mailbox is looked for in the new one;
//! only what was found there is taken out of the old one.

use super::Dovecot;
use super::doveadm::{Kind, Trouble, exit};
use super::mailboxes::{Mailbox, look, messages};
use super::settings::mail_user;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Fault, Found, Outcome, Seen};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Messages of one look, so that an answer stays far below the largest that is read.
const MESSAGES_A_LOOK: u64 = 20_000;

/// An empty mailbox that is there for a moment.
const MARK: &str = "lapsed-looks-here";

/// What is said when old mail can't be reached by the old name any more.
const LEFT: &str = "Dovecot does not know the old user any more, so that the old mail was copied and is still \
                    where it was; take it away by hand once nobody needs it";

impl Dovecot {
    /// Makes the mailbox where the server does not by itself.
    pub(super) async fn create(&self, user: &str) -> Result<Outcome, Fault> {
        if self.has_inbox(user).await? {
            return Ok(Outcome::AlreadySo);
        }
        let wanted = json!({ "user": user, "mailbox": ["INBOX"] });
        match self.doveadm.run("mailboxCreate", wanted).await {
            Ok(_) => {}
            // It is there by now, as the look below has to say.
            Err(Trouble::Exit(exit::CAN_NOT)) => {}
            Err(trouble) => {
                return Err(trouble.fault(&format!("make the mailbox of {user}"), Kind::Harmless));
            }
        }
        if !self.has_inbox(user).await? {
            let why = "Dovecot says that the INBOX is made, and does not show it; look at its log";
            return Err(Fault::Refused(Cause::new(why)));
        }
        Ok(Outcome::Changed(self.receipt_of([("mail_user", user.to_owned())])))
    }

    pub(super) async fn see_created(&self, user: &str) -> Result<Seen, Fault> {
        if self.has_inbox(user).await? {
            return Ok(Seen::AsWanted);
        }
        let description = format!("{user} has no INBOX");
        Ok(Seen::Otherwise(Found { description }))
    }

    async fn has_inbox(&self, user: &str) -> Result<bool, Fault> {
        let mailboxes = self.known(user).await?;
        Ok(mailboxes.iter().any(|mailbox| mailbox.is_inbox() && mailbox.guid.is_some()))
    }

    /// The mailboxes of a user who was made or renamed just now: soon the server knows them.
    async fn known(&self, user: &str) -> Result<Vec<Mailbox>, Fault> {
        look(&self.doveadm, &self.own, user).await?.ok_or_else(|| {
            Fault::Retry(Cause::coded(
                format!("the mail server does not know the user {user} yet; see its userdb"),
                format!("doveadm {}", exit::NO_USER),
            ))
        })
    }

    /// Brings everything of an old user over to the new one.
    pub(super) async fn bring_over(&self, from: &UserId, user: &str) -> Result<Outcome, Fault> {
        let old = self.mail_user(from)?;
        let location = self.old_location(from)?;
        let before = self.known(user).await?;
        let there = look(&self.doveadm, &self.own, &old).await?;
        if there.as_ref().is_some_and(|there| self.own.is_empty(there)) {
            return Ok(Outcome::AlreadySo);
        }
        if there.is_some() {
            if self.is_one_store(&old, user).await? {
                return Err(Fault::Refused(Cause::new(format!(
                    "{old} and {user} have the same mail, so that there is nothing to bring over; leave `rename` out"
                ))));
            }
            // An open session would go on putting mail where nobody looks any more.
            self.end_sessions(&old).await?;
        }
        self.copy(user, &location).await?;
        let after = self.known(user).await?;
        let count = messages(&after).saturating_sub(messages(&before));
        let Some(there) = there else {
            return Ok(match count {
                0 => Outcome::AlreadySo,
                _ => Outcome::Changed(self.receipt_of([
                    ("mail_user", user.to_owned()),
                    ("messages", count.to_string()),
                    ("left", LEFT.to_owned()),
                ])),
            });
        };
        for mailbox in &there {
            self.hand_over(&old, user, mailbox, &after).await?;
        }
        let left = look(&self.doveadm, &self.own, &old).await?.unwrap_or_default();
        if messages(&left) > 0 {
            let why =
                format!("mail came in for {old} meanwhile; it is brought over at the next try");
            return Err(Fault::Retry(Cause::new(why)));
        }
        for mailbox in left.iter().filter(|mailbox| !mailbox.is_inbox()) {
            self.remove(&old, &mailbox.name).await?;
        }
        Ok(Outcome::Changed(self.receipt_of([
            ("mail_user", user.to_owned()),
            ("from", old),
            ("mailboxes", there.len().to_string()),
            ("messages", messages(&there).to_string()),
        ])))
    }

    pub(super) async fn see_brought_over(&self, from: &UserId, user: &str) -> Result<Seen, Fault> {
        let old = self.mail_user(from)?;
        self.known(user).await?;
        Ok(match look(&self.doveadm, &self.own, &old).await? {
            None => Seen::CannotTell(Cause::new(LEFT)),
            Some(left) if self.own.is_empty(&left) => Seen::AsWanted,
            Some(left) => Seen::Otherwise(Found {
                description: format!(
                    "{} messages are still in the mailbox of {old}; see what delivers to it",
                    messages(&left)
                ),
            }),
        })
    }

    /// Whether both names lead to the same mail: then taking it away from one would take it from both. What
    /// is made for the new name must not show under the old one.
    async fn is_one_store(&self, old: &str, user: &str) -> Result<bool, Fault> {
        let what = format!("see whether {old} and {user} have the same mail");
        let wanted = json!({ "user": user, "mailbox": [MARK] });
        match self.doveadm.run("mailboxCreate", wanted).await {
            // Left by an earlier try.
            Ok(_) | Err(Trouble::Exit(exit::CAN_NOT)) => {}
            Err(trouble) => return Err(trouble.fault(&what, Kind::Harmless)),
        }
        let seen = look(&self.doveadm, &self.own, old).await;
        self.remove(user, MARK).await?;
        Ok(seen?.is_some_and(|there| there.iter().any(|mailbox| mailbox.name == MARK)))
    }

    fn old_location(&self, from: &UserId) -> Result<String, Fault> {
        let refused = |why: String| Fault::Refused(Cause::new(why));
        let Some(rename) = &self.settings.rename else {
            return Err(refused(
                "mailboxes are not brought over here; write `rename` at the connector".into(),
            ));
        };
        mail_user(&self.settings.user, from).map_err(|error| refused(error.to_string()))?;
        rename.location_of(from).map_err(refused)
    }

    /// One way, into the new user's mailboxes: what is there stays, and what is there already is not
    /// copied again.
    async fn copy(&self, user: &str, location: &str) -> Result<(), Fault> {
        let wanted = json!({
            "user": user, "onewaySync": true, "reverseSync": true, "destination": [location],
        });
        let copied = self.doveadm.run("sync", wanted).await;
        copied
            .map(drop)
            .map_err(|trouble| trouble.fault(&format!("bring mail over to {user}"), Kind::Harmless))
    }

    /// Takes out of an old mailbox what the new one has, after all of it was seen there.
    async fn hand_over(
        &self,
        old: &str,
        user: &str,
        mailbox: &Mailbox,
        now: &[Mailbox],
    ) -> Result<(), Fault> {
        let Some(guid) = mailbox.guid.as_ref().filter(|_| mailbox.messages > 0) else {
            return Ok(());
        };
        let twin = now.iter().find(|new| new.name == mailbox.name);
        let there = match twin {
            Some(twin) => self.messages_in(user, twin).await?,
            None => Vec::new(),
        };
        let there: HashSet<String> = there.into_iter().map(|(_, message)| message).collect();
        let mut last = 0;
        for (uid, message) in self.messages_in(old, mailbox).await? {
            if !there.contains(&message) {
                return Err(Fault::Retry(Cause::new(format!(
                    "not every message of {old} is with {user} yet, so that nothing was taken away; it is tried again"
                ))));
            }
            last = last.max(uid);
        }
        if last == 0 {
            return Ok(());
        }
        // What came in since has a higher number.
        let query = json!({
            "user": old, "query": ["mailbox-guid", guid, "uid", format!("1:{last}")],
        });
        let done = self.doveadm.run("expunge", query).await;
        done.map(drop).map_err(|trouble| {
            trouble.fault(&format!("take mail of {old} away that was brought over"), Kind::Changes)
        })
    }

    /// Numbers and identities of the messages of one mailbox.
    async fn messages_in(
        &self,
        user: &str,
        mailbox: &Mailbox,
    ) -> Result<Vec<(u64, String)>, Fault> {
        let what = format!("look at the messages of {user}");
        let unreadable =
            || Fault::Retry(Cause::new(format!("{what}: Dovecot's answer does not say it")));
        let Some(guid) = &mailbox.guid else { return Ok(Vec::new()) };
        let next = mailbox.next_uid.ok_or_else(unreadable)?;
        let mut all = Vec::new();
        let mut first = 1;
        while first < next {
            let rows = self.rows(user, guid, first, &what).await?;
            let rows = rows.as_array().ok_or_else(unreadable)?;
            for row in rows {
                let text = |key: &str| row.get(key).and_then(Value::as_str);
                let uid = text("uid").and_then(|uid| uid.parse().ok());
                let message = text("guid").filter(|guid| !guid.is_empty());
                let (Some(uid), Some(message)) = (uid, message) else { return Err(unreadable()) };
                all.push((uid, message.to_owned()));
            }
            first += MESSAGES_A_LOOK;
        }
        Ok(all)
    }

    async fn rows(&self, user: &str, guid: &str, first: u64, what: &str) -> Result<Value, Fault> {
        let range = format!("{first}:{}", first + MESSAGES_A_LOOK - 1);
        let query = ["mailbox-guid", guid, "uid", &range];
        let wanted = json!({ "user": user, "field": ["uid", "guid"], "query": query });
        let rows = self.doveadm.run("fetch", wanted).await;
        rows.map_err(|trouble| trouble.fault(what, Kind::Harmless))
    }
}
