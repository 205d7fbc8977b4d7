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
        let missing: Vec<&str> = NEEDED
            .into_iter()
            .filter(|needed| !commands.iter().any(|command| command == needed))
            .collect();
        let problem = (!missing.is_empty())
            .then(|| format!("{} missing; Dovecot 2.3 is needed", missing.join(", ")));
        vec![line(&reach, None), line("commands of doveadm", problem)]
    }
}
