//! What the tests of the mail connector share.

use super::responder::Responder;
use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::mailbox::dovecot::{
    self, DelegateRight, DovecotKind, DovecotSettings, DovecotTimeouts, UnknownUser,
};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId, StableId, UserId};
use lapsed_core::step::{Action, Due, Expect, Fault, Outcome, Receipt, Seen, Step, Target};
use lapsed_tests::dovecot::Dovecot;
use std::path::PathBuf;
use uuid::Uuid;

pub type Ending = Result<Outcome, Fault>;

pub fn settings(url: String, key_file: PathBuf) -> DovecotSettings {
    DovecotSettings {
        kind: DovecotKind::Dovecot,
        url,
        ca_file: None,
        api_key_file: Some(key_file),
        api_key_credential: None,
        user: "{{ user_id }}".into(),
        shared_prefixes: vec!["shared/".into()],
        automatic_mailboxes: Vec::new(),
        unknown_user: UnknownUser::NoMailbox,
        delegate_rights: vec![DelegateRight::Lookup, DelegateRight::Read],
        rename: None,
        window: 4,
        timeouts: DovecotTimeouts { connect_seconds: 5, command_seconds: 20 },
    }
}

pub fn of(server: &Dovecot) -> DovecotSettings {
    settings(server.url(), server.key_file())
}

/// Settings for a server without a key of its own.
pub fn of_responder(responder: &Responder) -> (tempfile::TempDir, DovecotSettings) {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "some-key").unwrap();
    let mut settings = settings(responder.url(), key);
    settings.timeouts.command_seconds = 2;
    (folder, settings)
}

pub fn open(settings: &DovecotSettings) -> dovecot::Dovecot {
    dovecot::connect(settings).unwrap()
}

fn step(user: &str, action: impl FnOnce(Target) -> Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, user.as_bytes()));
    let account = Target { id: StableId::new(format!("id-{user}")).unwrap(), label: user.into() };
    let expect = Expect { user_id: UserId::new(user).unwrap(), employee_number: None };
    let (case, mail) = (CaseId::departure(person, 0), ConnectorName::new("mail").unwrap());
    Step::new(case, person, mail, action(account), expect, Due::AtOnce, Rule::D7)
}

pub fn deletion(user: &str) -> Step {
    step(user, |account| Action::DeleteMailbox { account })
}

pub fn end_of_sessions(user: &str) -> Step {
    step(user, |account| Action::DisableMailbox { account })
}

pub fn delegation(user: &str, to: &str) -> Step {
    let to = UserId::new(to).unwrap();
    step(user, |account| Action::DelegateMailbox { account, to, wish: uuid::Uuid::nil() })
}

pub fn end_of_delegation(user: &str, to: &str) -> Step {
    let to = UserId::new(to).unwrap();
    step(user, |account| Action::EndDelegation { account, to, wish: uuid::Uuid::nil() })
}

pub fn disabling(user: &str) -> Step {
    step(user, |account| Action::Disable { account })
}

pub fn making(user: &str) -> Step {
    step(user, |account| Action::CreateMailbox { account })
}

pub fn bringing_over(from: &str, to: &str) -> Step {
    let from = UserId::new(from).unwrap();
    step(to, |account| Action::RenameMailbox { account, from })
}

pub async fn apply(mail: &dovecot::Dovecot, step: Step) -> Ending {
    let mut endings = mail.apply(&[step]).await;
    assert_eq!(endings.len(), 1, "one ending a step");
    endings.remove(0)
}

pub async fn changed(mail: &dovecot::Dovecot, step: Step) -> Receipt {
    match apply(mail, step).await {
        Ok(Outcome::Changed(receipt)) => receipt,
        other => panic!("{other:?}"),
    }
}

pub async fn seen(mail: &dovecot::Dovecot, step: Step) -> Result<Seen, Fault> {
    mail.read_back(&[step]).await.remove(0)
}
