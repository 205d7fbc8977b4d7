//! What `check` tries: the way to the server, the key, and the commands that are needed.

use super::Dovecot;
use super::doveadm::Kind;
use crate::contract::Probed;

/// Commands of doveadm that the steps use.
const NEEDED: [&str; 8] = [
    "authCacheFlush",
    "expunge",
    "kick",
    "mailboxDelete",
    "mailboxList",
    "mailboxStatus",
    "purge",
    "who",
];

/// Commands of the acl plugin.
const NEEDED_TO_DELEGATE: [&str; 4] = ["aclDelete", "aclGet", "aclSet", "user"];

impl Dovecot {
    pub(super) async fn try_all(&self) -> Vec<Probed> {
        let reach = format!("doveadm at {} with the API key", self.address);
        let line = |what: &str, problem: Option<String>| Probed { what: what.to_owned(), problem };
        let commands = match self.doveadm.commands().await {
            Ok(commands) => commands,
            Err(trouble) => {
                let fault = trouble.fault("list commands", Kind::Harmless);
                return vec![line(&reach, Some(fault.to_string()))];
            }
        };
        let mut found = vec![line(&reach, None)];
        let problem = missing(&NEEDED, &commands)
            .map(|names| format!("{names} missing; Dovecot 2.3 is needed"));
        found.push(line("commands of doveadm", problem));
        if self.settings.delegates() {
            let problem = missing(&NEEDED_TO_DELEGATE, &commands).map(|names| {
                format!(
                    "{names} missing; load Dovecot's acl plugin (mail_plugins = acl, for protocol doveadm too), or write delegate_rights: [] where nobody gets a leaver's mailbox"
                )
            });
            found.push(line("commands that give mailboxes to delegates", problem));
        }
        found
    }
}

fn missing(needed: &[&str], commands: &[String]) -> Option<String> {
    let there = |name: &&&str| commands.iter().any(|command| command == **name);
    let missing: Vec<&str> = needed.iter().filter(|name| !there(name)).copied().collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}
