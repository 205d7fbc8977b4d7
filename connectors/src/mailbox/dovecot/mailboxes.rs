//! What a mail user has: names and counts, never content.

use super::doveadm::{Doveadm, Kind, Trouble, exit};
use lapsed_core::step::{Cause, Fault};
use serde_json::{Value, json};

/// One mailbox (IMAP's word for a folder).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) name: String,
    pub(super) messages: u64,
    /// Identity; `None` for a mere level above others, which holds no messages.
    pub(super) guid: Option<String>,
    /// Every message has a lower number than this (RFC 3501 2.3.1.1), where the server says it.
    pub(super) next_uid: Option<u64>,
}

impl Mailbox {
    /// Every user has one; it can be emptied, not deleted.
    pub(super) fn is_inbox(&self) -> bool {
        self.name.eq_ignore_ascii_case("INBOX")
    }
}

/// What is a user's own, and what may be left of it.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) shared_prefixes: Vec<String>,
    pub(super) automatic: Vec<String>,
}

impl Own {
    /// True for what is other people's, the level above it included: `shared/` covers `shared`, too.
    fn is_shared(&self, name: &str) -> bool {
        let below = |prefix: &String| {
            let level = prefix.trim_end_matches(|c: char| !c.is_alphanumeric());
            name.starts_with(prefix.as_str()) || (!level.is_empty() && name == level)
        };
        !name.eq_ignore_ascii_case("INBOX") && self.shared_prefixes.iter().any(below)
    }

    /// True when nothing is left that can be deleted.
    pub(super) fn is_empty(&self, mailboxes: &[Mailbox]) -> bool {
        self.left(mailboxes).next().is_none()
    }

    /// What is left that has to go.
    pub(super) fn left<'a>(
        &'a self,
        mailboxes: &'a [Mailbox],
    ) -> impl Iterator<Item = &'a Mailbox> {
        mailboxes.iter().filter(|mailbox| {
            let stays = mailbox.is_inbox() || self.automatic.contains(&mailbox.name);
            mailbox.messages > 0 || !stays
        })
    }
}

/// Messages in all of them.
pub(super) fn messages(mailboxes: &[Mailbox]) -> u64 {
    mailboxes.iter().map(|mailbox| mailbox.messages).sum()
}

/// The user's own mailboxes; `None` when Dovecot doesn't know the user.
///
/// They are listed first and counted one by one: asked for all counts at once, Dovecot answers with an
/// error alone as soon as one name is a mere level above others.
pub(super) async fn look(
    doveadm: &Doveadm,
    own: &Own,
    user: &str,
) -> Result<Option<Vec<Mailbox>>, Fault> {
    let what = format!("list mailboxes of {user}");
    let listed = match doveadm.run("mailboxList", json!({ "user": user })).await {
        Err(Trouble::Exit(exit::NO_USER)) => return Ok(None),
        other => other.map_err(|trouble| trouble.fault(&what, Kind::Harmless))?,
    };
    let rows = listed.as_array().ok_or_else(|| unreadable(&what))?;
    let mut mailboxes = Vec::new();
    for row in rows {
        let name = row.get("mailbox").and_then(Value::as_str).ok_or_else(|| unreadable(&what))?;
        if !own.is_shared(name) {
            mailboxes.push(count(doveadm, user, name).await?);
        }
    }
    // Children before the levels above them, so that no mere level stays behind.
    mailboxes.sort_by_key(|mailbox| std::cmp::Reverse(mailbox.name.len()));
    Ok(Some(mailboxes))
}

async fn count(doveadm: &Doveadm, user: &str, name: &str) -> Result<Mailbox, Fault> {
    let what = format!("count messages of {user}");
    let wanted =
        json!({ "user": user, "mailboxMask": [name], "field": ["messages", "guid", "uidnext"] });
    let level = || Mailbox { name: name.to_owned(), messages: 0, guid: None, next_uid: None };
    let rows = match doveadm.run("mailboxStatus", wanted).await {
        // A name with `*` stands for others, too, of which one may be such a level.
        Err(Trouble::Exit(exit::NOT_FOUND)) if !name.contains(['*', '%']) => return Ok(level()),
        other => other.map_err(|trouble| trouble.fault(&what, Kind::Harmless))?,
    };
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    let row = rows
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| text(row, "mailbox").is_some_and(|found| found == name));
    let counted =
        row.and_then(|row| Some((text(row, "messages")?.parse().ok()?, text(row, "guid")?)));
    let (messages, guid) = counted.ok_or_else(|| unreadable(&what))?;
    let next_uid = row.and_then(|row| text(row, "uidnext")?.parse().ok());
    Ok(Mailbox { name: name.to_owned(), messages, guid: Some(guid), next_uid })
}

fn unreadable(what: &str) -> Fault {
    Fault::Retry(Cause::new(format!("{what}: Dovecot's answer does not say it")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn own() -> Own {
        Own { shared_prefixes: vec!["shared/".into()], automatic: vec!["Sent".into()] }
    }

    #[rstest]
    #[case("shared/alice", true)]
    #[case("shared", true)]
    #[case("sharedwork", false)]
    #[case("INBOX", false)]
    #[case("Archive/shared/x", false)]
    fn what_is_shared_is_told_by_its_prefix(#[case] name: &str, #[case] shared: bool) {
        assert_eq!(own().is_shared(name), shared);
    }

    #[rstest]
    #[case("INBOX", 0, true)]
    #[case("INBOX", 1, false)]
    #[case("Sent", 0, true)]
    #[case("Sent", 1, false)]
    #[case("Divorce", 0, false)]
    fn only_empty_mailboxes_that_the_server_keeps_may_be_left(
        #[case] name: &str,
        #[case] messages: u64,
        #[case] empty: bool,
    ) {
        let mailbox =
            Mailbox { name: name.into(), messages, guid: Some("1".into()), next_uid: None };
        assert_eq!(own().is_empty(&[mailbox]), empty);
    }
}
