//! What the departure did beside the accounts: mailboxes, homes, delegations, and what others were asked.

use super::{Taken, Work};
use crate::citation::Rule;
use crate::facts::{ConnectorName, StableId};
use crate::observed::Realm;
use crate::step::{ASKED, Action};
use uuid::Uuid;

impl Work<'_> {
    pub(super) fn elsewhere(&mut self) {
        for one in self.input.taken {
            let (label, connector) = (&one.step.action.account().label, &one.step.connector);
            match &one.step.action {
                Action::DisableMailbox { .. } => self.mailbox(connector, one),
                Action::DelegateMailbox { wish, .. } if one.state.is_done() => {
                    self.end_delegation(connector, one, *wish);
                }
                Action::RequestRevocation { request, .. } => self.asked(one, request),
                Action::DeleteAccount { .. } if one.state.is_done() => self.not(
                    format!("account {label} in {connector}"),
                    "it was deleted for good; a form gives a new one",
                ),
                Action::DeleteMailbox { .. } if one.begun => self.not(
                    format!("mailbox of {label} in {connector}"),
                    gone(one, "its content was deleted; ask for the backup"),
                ),
                Action::DeleteHome { .. } if one.begun => self.not(
                    format!("home directory of {label} in {connector}"),
                    gone(one, "it was deleted; ask for the backup"),
                ),
                Action::ArchiveHome { recipient, .. } if one.state.is_done() => {
                    self.out.notes.push(format!(
                        "{recipient} keeps the copy of files of {label} that was made for them"
                    ));
                }
                _ => {}
            }
        }
    }

    /// A mailbox that another connector shut than the directory that shows the account.
    fn mailbox(&mut self, connector: &ConnectorName, one: &Taken) {
        if !one.state.is_done() {
            return;
        }
        let id = &one.step.action.account().id;
        if self.has_directory_account(connector, id) {
            let on_account = self
                .done_to(connector, id)
                .iter()
                .any(|other| super::is_on_account(&other.step.action));
            // Put back with the account where that was changed too.
            let now = self.now(connector, id).filter(|_| !on_account);
            let stopped = self.input.targets.suspended.contains(connector);
            if let Some(now) = now.filter(|_| !stopped) {
                self.address_lists(connector, now, self.before(connector, id), one);
            }
            return;
        }
        let label = &one.step.action.account().label;
        // Sessions that were ended leave nothing behind; what was changed does.
        match one.state.receipt().is_some_and(|receipt| !receipt.before.is_empty()) {
            true => self.not(
                format!("mailbox of {label} in {connector}"),
                "what shut it there can't be undone by this connector; have it opened by hand",
            ),
            false => self.out.notes.push(format!(
                "mail of {label} in {connector}: sessions were ended, nothing was taken"
            )),
        }
    }

    fn has_directory_account(&self, connector: &ConnectorName, id: &StableId) -> bool {
        self.now(connector, id).is_some_and(|account| account.realm == Realm::Directory)
    }

    /// Nobody reads the mailbox of somebody who works here (D8).
    fn end_delegation(&mut self, connector: &ConnectorName, one: &Taken, wish: Uuid) {
        let Action::DelegateMailbox { account, to, .. } = &one.step.action else { return };
        let taken_back = self.input.taken.iter().any(|other| {
            other.state.is_done()
                && matches!(&other.step.action, Action::EndDelegation { wish: of, .. } if *of == wish)
        });
        if taken_back {
            return;
        }
        let what = format!("mailbox of {}, which {to} may read", account.label);
        if !self.input.targets.delegates.contains(connector) {
            let why = "this connector can't take that back; have it taken back by hand (D8)";
            return self.not(what, why);
        }
        let action = Action::EndDelegation { account: account.clone(), to: to.clone(), wish };
        let owner = self.input.accounts.iter().find(|(_, a)| a.id == account.id);
        match owner {
            Some((_, owner)) => self.add(connector, owner, action, Rule::D8),
            None => self.not(what, "the account is not there any more; look who reads it (D8)"),
        }
    }

    /// Who was asked acts on their own: nothing here undoes it.
    fn asked(&mut self, one: &Taken, request: &str) {
        let receipt = one.state.receipt();
        if receipt.is_none() && !one.state.is_done() && !one.begun {
            return;
        }
        let whom = receipt.and_then(|receipt| receipt.before.get(ASKED));
        let whom = whom.map(|whom| whom.join(", ")).filter(|whom| !whom.is_empty());
        let whom = whom.unwrap_or_else(|| one.step.connector.to_string());
        let label = &one.step.action.account().label;
        let why = match one.state.is_done() {
            true => format!("{whom} answered that it was ended; ask them to give it back"),
            false => format!("{whom} was asked to end it; tell them that it is off"),
        };
        self.not(format!("{request} of {label}"), why);
    }
}

fn gone(one: &Taken, done: &str) -> String {
    match one.state.is_done() {
        true => done.to_owned(),
        false => "its deletion was begun before it was stopped: it may lie in quarantine, or be gone in part; \
                  look, and have it moved back by hand"
            .to_owned(),
    }
}
