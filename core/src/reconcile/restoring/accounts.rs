//! The account itself: opened, in its groups, with its own texts, and with a password that somebody knows.

use super::{Taken, Work, target};
use crate::citation::Rule;
use crate::facts::{ConnectorName, GroupName, StableId, SystemRole};
use crate::observed::{GroupKind, ObservedAccount, Realm};
use crate::reconcile::suspending::{ShutBy, shut_by};
use crate::step::{Action, Envelope, Kept, Target};
use std::collections::BTreeMap;
use uuid::Uuid;

impl<'a> Work<'a> {
    /// Everything that the departure did to one account.
    pub(super) fn account(&mut self, connector: &ConnectorName, id: &StableId) {
        let done = self.done_to(connector, id);
        let Some(first) = done.first() else { return };
        let label = &first.step.action.account().label;
        let shown = format!("account {label} in {connector}");
        let Some(now) = self.now(connector, id) else {
            let why = match self.input.targets.unread.contains(connector) {
                true => "it can't be read now; ask again once the target answers",
                false => {
                    "it is not there any more: deleted, or moved out of reach; a form gives a new one"
                }
            };
            return self.not(shown, why);
        };
        let before = self.before(connector, id);
        if let Some(why) = changed_hands(now, before, first) {
            return self.not(shown, why);
        }
        if self.input.targets.suspended.contains(connector) {
            let why = "a suspension stops the person's access there; lift it first (S1, S2)";
            return self.not(shown, why);
        }
        if !self.may_touch(now, &shown) {
            return;
        }
        match now.realm {
            Realm::Directory => self.in_directory(connector, now, before, &done),
            Realm::System => self.in_system(connector, now, before, &done),
        }
    }

    fn in_directory(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
        done: &[&Taken],
    ) {
        for one in done {
            match &one.step.action {
                Action::LeaveGroup { group, .. } => self.group(connector, now, before, one, group),
                Action::ResetPrimaryGroup { .. } => self.primary_group(connector, now, before),
                Action::StampDescription { text, .. } => {
                    self.description(connector, now, before, one, text);
                }
                Action::DisableMailbox { .. } => self.address_lists(connector, now, before, one),
                _ => {}
            }
        }
        self.open(connector, now, before, done);
    }

    fn open(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
        done: &[&Taken],
    ) {
        let shown = format!("account {} in {connector}", now.user_id);
        let shut = done.iter().find(|one| matches!(one.step.action, Action::Disable { .. }));
        let Some(shut) = shut else { return };
        if let Err(why) = shut_by_departure(shut, before) {
            return self.not(shown, why);
        }
        if now.enabled {
            self.out.notes.push(format!("{shown} is open already"));
        } else {
            let action = Action::Enable { account: target(now) };
            self.add(connector, now, action, Rule::D10);
            // The lock itself is one attribute; a shell or keys are further ones, which opening does not know.
            let image = before.map(|account| &account.details.replaceable.by_shutting);
            match replaced(shut, image) {
                None => self.not(format!("what else shutting replaced on {shown}"), NOT_ON_RECORD),
                Some(was) if was.len() > 1 => {
                    let action = Action::PutBack { account: target(now), kept: Kept::Shut { was } };
                    self.add(connector, now, action, Rule::D10);
                }
                Some(_) => {}
            }
        }
        if done.iter().any(|one| matches!(one.step.action, Action::ScramblePassword { .. })) {
            self.password(connector, now);
        }
    }

    /// The old password is known to nobody: a new first one goes out sealed, as for a reset (A7).
    fn password(&mut self, connector: &ConnectorName, now: &ObservedAccount) {
        let what = format!("the password of {} in {connector}", now.user_id);
        if now.enabled {
            let why = "it was replaced by one that nobody knows, and the account is open by other hands; have \
                       it reset if the person has none (A7)";
            return self.not(what, why);
        }
        match self.input.opener {
            Ok(opener) => {
                let key = format!("envelope {connector} {}", now.id);
                let envelope = Envelope {
                    id: Uuid::new_v5(&self.input.case.0, key.as_bytes()),
                    opener: opener.user_id.clone(),
                    mail: opener.mail.clone(),
                    form: 0,
                };
                self.out.notes.push(format!(
                    "{what} was replaced by one that nobody knows; a new one goes sealed to {}, who hands it over, \
                     and has to be changed at the first log-on",
                    opener.user_id
                ));
                let action = Action::SetPassword { account: target(now), envelope };
                self.add(connector, now, action, Rule::A7);
            }
            Err(because) => self.not(
                what,
                format!("it was replaced by one that nobody knows; the help desk has to reset it: {because}"),
            ),
        }
    }

    fn group(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
        one: &Taken,
        group: &Target,
    ) {
        let was_in = one.state.receipt().is_some()
            || before.is_some_and(|account| account.groups.iter().any(|link| link.id == group.id));
        let is_in = now.groups.iter().any(|link| link.id == group.id);
        if !was_in || is_in {
            return;
        }
        let what = format!("group {} in {connector}, of {}", group.label, now.user_id);
        let key = (connector.clone(), group.label.to_lowercase());
        if let Some(because) = self.input.ended.groups.get(&key) {
            return self.not(what, because.clone());
        }
        let found = GroupName::new(group.label.clone())
            .map_err(|problem| problem.to_string())
            .and_then(|name| self.input.groups.one(connector, &name).cloned());
        match found {
            Ok(link) if link.id == group.id => {
                let action = Action::JoinGroup { account: target(now), group: group.clone() };
                self.add(connector, now, action, Rule::D10);
            }
            Ok(_) => self.not(
                what,
                "the group was deleted, and another one has its name now; a form gives that one",
            ),
            Err(_) if self.input.targets.unread.contains(connector) => {
                self.not(what, "groups can't be read now; ask again once the target answers");
            }
            Err(_) => self.not(
                what,
                "there is no single group of that name any more: deleted or renamed since; a form gives what \
                 took its place",
            ),
        }
    }

    fn primary_group(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
    ) {
        let was = before.and_then(|account| {
            account.groups.iter().find(|link| link.kind == GroupKind::OtherPrimary)
        });
        let Some(was) = was else { return };
        let current = now
            .groups
            .iter()
            .find(|link| matches!(link.kind, GroupKind::OtherPrimary | GroupKind::DefaultPrimary));
        if current.is_some_and(|link| link.id == was.id) {
            return;
        }
        let what = format!("primary group {} of {} in {connector}", was.name, now.user_id);
        if current.is_some_and(|link| link.kind == GroupKind::OtherPrimary) {
            return self.not(what, "somebody set another primary group since");
        }
        let group = Target { id: was.id.clone(), label: was.name.clone() };
        let joins = self.out.steps.iter().any(|step| {
            &step.connector == connector
                && matches!(&step.action, Action::JoinGroup { account, group: joined }
                    if account.id == now.id && joined.id == group.id)
        });
        let is_in = now.groups.iter().any(|link| link.id == was.id);
        let action = Action::PutBack {
            account: target(now),
            kept: Kept::PrimaryGroup { group: group.clone() },
        };
        match joins || is_in || self.will_join(connector, now, &group) {
            true => self.add(connector, now, action, Rule::D10),
            false => self.not(what, "the account does not come back into that group"),
        }
    }

    /// Whether the group is one of those that are put back: the order of the departure's steps is no matter.
    fn will_join(&self, connector: &ConnectorName, now: &ObservedAccount, group: &Target) -> bool {
        let left = self.done_to(connector, &now.id).into_iter().any(|one| {
            matches!(&one.step.action, Action::LeaveGroup { group: left, .. } if left.id == group.id)
        });
        let key = (connector.clone(), group.label.to_lowercase());
        let name = GroupName::new(group.label.clone()).ok();
        let is_there = name
            .and_then(|name| self.input.groups.one(connector, &name).ok())
            .is_some_and(|link| link.id == group.id);
        left && is_there && !self.input.ended.groups.contains_key(&key)
    }

    fn description(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
        one: &Taken,
        stamp: &str,
    ) {
        let of_receipt = one.state.receipt().and_then(|r| r.before.values().next().cloned());
        let of_image = || before.map(|account| account.description.iter().cloned().collect());
        let Some(was) = of_receipt.or_else(of_image) else { return };
        if now.description.as_deref() == Some(stamp) {
            let kept = Kept::Description { stamp: stamp.to_owned(), was };
            let action = Action::PutBack { account: target(now), kept };
            self.add(connector, now, action, Rule::D10);
        } else if now.description.as_ref() != was.first() {
            self.not(
                format!("description of {} in {connector}", now.user_id),
                "somebody wrote another one since",
            );
        }
    }

    /// What hid the mailbox in a directory's own attributes.
    pub(super) fn address_lists(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
        one: &Taken,
    ) {
        let image = before.map(|account| &account.details.replaceable.by_hiding);
        let Some(was) = replaced(one, image) else {
            let what = format!("who sees the mailbox of {} in {connector}", now.user_id);
            return self.not(what, NOT_ON_RECORD);
        };
        if was.is_empty() {
            return;
        }
        let action = Action::PutBack { account: target(now), kept: Kept::Mailbox { was } };
        self.add(connector, now, action, Rule::D10);
    }

    fn in_system(
        &mut self,
        connector: &ConnectorName,
        now: &ObservedAccount,
        before: Option<&ObservedAccount>,
        done: &[&Taken],
    ) {
        let shown = format!("access of {} in {connector}", now.user_id);
        let revoked =
            done.iter().find(|one| matches!(one.step.action, Action::RevokeAccess { .. }));
        let Some(revoked) = revoked else { return };
        if let Err(why) = shut_by_departure(revoked, before) {
            return self.not(shown, why);
        }
        if now.enabled {
            self.out.notes.push(format!("{shown} is open already"));
            return;
        }
        if !self.input.targets.grants.contains(connector) {
            let why = "this connector can't give access; have it given by hand there";
            return self.not(shown, why);
        }
        let had = before.map(|account| account.details.roles.clone()).unwrap_or_default();
        let (ended, roles): (Vec<SystemRole>, Vec<SystemRole>) =
            had.into_iter().partition(|role| {
                self.input.ended.roles.contains_key(&(connector.clone(), role.clone()))
            });
        for role in &ended {
            let because = self.input.ended.roles.get(&(connector.clone(), role.clone()));
            let because = because.cloned().unwrap_or_default();
            self.not(format!("role {role} of {} in {connector}", now.user_id), because);
        }
        if !ended.is_empty() && roles.is_empty() {
            return;
        }
        let action = Action::GrantAccess { account: target(now), roles };
        self.add(connector, now, action, Rule::D10);
    }
}

/// Whether the departure shut an account, or why that is not certain: what others shut, for security perhaps,
/// is theirs to open.
fn shut_by_departure(shut: &Taken, before: Option<&ObservedAccount>) -> Result<(), &'static str> {
    let seen_shut = before.is_some_and(|account| !account.enabled);
    match shut_by(&shut.step, &shut.state) {
        ShutBy::Others => Err(SHUT_BY_OTHERS),
        ShutBy::Step | ShutBy::LostReply if seen_shut => Err(SHUT_BY_OTHERS),
        ShutBy::Step => Ok(()),
        // It was seen open, it was to be shut, and it was shut a moment later.
        ShutBy::LostReply if before.is_some() => Ok(()),
        ShutBy::LostReply | ShutBy::Nobody => Err(
            "it was found shut after an attempt to shut it that was not answered, so that somebody else may \
             have shut it; look, and open it by hand if nobody has",
        ),
    }
}

/// What a step replaced, by its receipt; where its reply was lost, by the image that was kept before anything
/// was taken. `None`: it is on no record.
fn replaced(one: &Taken, image: Option<&Replaced>) -> Option<Replaced> {
    let receipt = one.state.receipt().cloned().unwrap_or_default();
    match receipt.is_perhaps() {
        false => Some(receipt.before),
        true => image.filter(|image| !image.is_empty()).cloned(),
    }
}

/// Attributes by name.
type Replaced = BTreeMap<String, Vec<String>>;

/// Of a change whose reply was lost, or whose daemon died before it could write down what it had replaced.
const NOT_ON_RECORD: &str = "the answer that told what was there before was lost; look at it (log-on shell, keys, \
                             address lists: whatever the connector replaces), and mend it by hand";

const SHUT_BY_OTHERS: &str =
    "others had shut it before the departure did; it stays as they left it";

/// Why an account is no longer what the departure shut.
fn changed_hands(
    now: &ObservedAccount,
    before: Option<&ObservedAccount>,
    first: &Taken,
) -> Option<String> {
    let expected = before.map_or(&first.step.expect.employee_number, |b| &b.employee_number);
    if expected.as_ref().map(|n| n.folded()) != now.employee_number.as_ref().map(|n| n.folded()) {
        return Some("it carries another employee number now; look whose it is".into());
    }
    let name = before.map_or(&first.step.expect.user_id, |b| &b.user_id);
    (name.folded() != now.user_id.folded())
        .then(|| format!("somebody renamed it since: it was {name}; mend it by hand"))
}
