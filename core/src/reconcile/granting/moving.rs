//! Another name, or another location: the directory first, what hangs on its names after it (N7, A11).

use super::place::{Whereabouts, whereabouts};
use super::{Granting, Progress, Work, expectation, target};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::{Asks, FiledForm, FormState};
use crate::citation::Rule;
use crate::facts::{ConnectorName, Person, UserId};
use crate::journal::StepState;
use crate::observed::{ObservedAccount, Realm};
use crate::policy::Policy;
use crate::policy::access::Holder;
use crate::policy::naming::{Change, NameRequest, RenameDecision, must_rename};
use crate::step::{Action, HomePlace, NewName, RequestedChange};

/// What the log-on name after a change of name or location is made of; none where the account keeps its
/// name (N7).
#[must_use]
pub fn rename_request(
    policy: &Policy,
    person: &Person,
    forms: &[FiledForm],
    entitlements: &[Entitlement],
    form: &FiledForm,
) -> Option<NameRequest> {
    let change = match form.form.asks {
        Asks::NameChange => Change::Name,
        Asks::LocationChange => Change::Location,
        _ => return None,
    };
    let (before, after) = around(person, forms, entitlements, form);
    let keeps = form.form.keeps_duties;
    match must_rename(&policy.naming, after.kind.as_ref(), change, keeps, false) {
        RenameDecision::Keep(_) => None,
        RenameDecision::Rename { name, location } => Some(NameRequest {
            name: if name { after.name } else { before.name }.unwrap_or_default(),
            location: if location { after.location } else { before.location },
            kind: after.kind,
            function: None,
        }),
    }
}

/// How it was before a form, and with it.
pub(super) fn around(
    person: &Person,
    forms: &[FiledForm],
    entitlements: &[Entitlement],
    form: &FiledForm,
) -> (Whereabouts, Whereabouts) {
    let earlier: Vec<FiledForm> =
        forms.iter().filter(|other| other.number < form.number).cloned().collect();
    (
        whereabouts(person, &earlier, entitlements, None),
        whereabouts(person, forms, entitlements, Some(form.number)),
    )
}

impl<'a> Work<'a> {
    pub(super) fn move_names(&mut self) -> Result<(), String> {
        let forms = self.input.forms;
        let moves = forms.iter().filter(|form| {
            form.state == FormState::Approved
                && matches!(form.form.asks, Asks::NameChange | Asks::LocationChange)
        });
        for form in moves {
            if self.move_name(form)? {
                self.renamed.insert(form.number);
            }
        }
        Ok(())
    }

    /// One form; true when the person is called as it says, everywhere.
    fn move_name(&mut self, form: &'a FiledForm) -> Result<bool, String> {
        let Granting { policy, person, forms, entitlements, .. } = self.input;
        if rename_request(policy, person, forms, entitlements, form).is_none() {
            let why = "the account keeps its name: the naming rules ask for no rename";
            self.explain(form, Rule::N7, why.into());
            return Ok(true);
        }
        let Some(new) = form.reserved.clone() else {
            self.explain(form, Rule::N5, "no user ID is reserved yet".into());
            return Ok(false);
        };
        if !self.every_directory_is_readable() {
            return Ok(false);
        }
        let directories: Vec<_> =
            self.own.iter().copied().filter(|(_, a)| a.realm == Realm::Directory).collect();
        if directories.is_empty() {
            self.out.stuck = true;
            self.out.doubtful.insert(format!(
                "form {} asks for another name, and the person has no account in a directory",
                form.number
            ));
            return Ok(false);
        }
        let mut whole = true;
        for (connector, account) in &directories {
            whole &= self.rename(form, connector, account, &new)?;
        }
        if !whole {
            return Ok(false);
        }
        self.after_the_directory(form, &directories, &new)
    }

    fn every_directory_is_readable(&self) -> bool {
        self.input.targets.values().all(|reach| !reach.directory || reach.readable)
    }

    /// One account; true when the target shows the new name.
    fn rename(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
        new: &UserId,
    ) -> Result<bool, String> {
        let to = self.new_name(form, connector, account, new)?;
        let has_id = account.user_id.folded() == new.folded();
        let shown = account.details.display_name.as_ref();
        if has_id && shown.is_none_or(|name| *name == to.display_name) {
            return Ok(true);
        }
        let reach = self.reach(connector);
        if !reach.renames {
            self.out.stuck = true;
            self.out.doubtful.insert(format!(
                "{connector} can't rename accounts (its settings do not say how): rename {} by hand for \
                 form {}",
                account.user_id, form.number
            ));
            return Ok(false);
        }
        if !self.may_touch(form, account) {
            return Ok(false);
        }
        let rename = Action::Rename { account: target(account), to: Box::new(to) };
        let known = self.state_of(form, connector, rename.clone(), expectation(account));
        if matches!(known, Some(StepState::Drifted { .. })) && reach.directory && !has_id {
            let shows = |(_, own): &&(&ConnectorName, &ObservedAccount)| {
                own.user_id.folded() == new.folded()
            };
            if !self.own.iter().any(|own| shows(&own)) {
                // Somebody was quicker by hand: the name is theirs (N5).
                self.out.burnt.insert(form.number);
                return Ok(false);
            }
        }
        // Where a target changed the name and spells what others see in its own way, that was done.
        if has_id && known.is_some_and(StepState::is_done) {
            return Ok(true);
        }
        self.seen_step(form, connector, (rename, expectation(account), Rule::N7));
        Ok(false)
    }

    fn new_name(
        &self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
        new: &UserId,
    ) -> Result<NewName, String> {
        let policy = self.input.policy;
        let (_, after) = around(self.input.person, self.input.forms, self.input.entitlements, form);
        let name = after.name.clone().unwrap_or_else(|| account.name.clone());
        let holder = Holder {
            name: &name,
            user_id: new,
            location: after.location.as_ref(),
            kind: after.kind.as_ref(),
        };
        let told = |error: crate::policy::departure::TemplateError| error.to_string();
        let before = self.before(form, connector, account);
        let mail = self.input.facts.get(&form.number).and_then(|facts| facts.mail.clone());
        let mut aliases = before.details.mail_aliases.clone();
        if policy.naming.rename.keep_old_address {
            aliases.extend(before.mail.clone());
        }
        aliases.retain(|alias| mail.as_ref().is_none_or(|mail| !mail.eq_ignore_ascii_case(alias)));
        aliases.sort();
        aliases.dedup();
        let home = before.home.as_ref().map(|_| policy.home_of(&holder)).transpose();
        let location = after.location.as_ref().and_then(|id| policy.locations.get(id));
        Ok(NewName {
            user_id: new.clone(),
            display_name: policy.display_name(&holder).map_err(told)?,
            mail: mail.or_else(|| before.mail.clone()),
            aliases,
            home: home.map_err(told)?.flatten(),
            location_name: location.map(|location| location.name.clone()),
            location: after.location.clone(),
            name,
        })
    }

    /// The account as it was when the form's case began; as it is, where that is not known.
    fn before(
        &self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> ObservedAccount {
        let facts = self.input.facts.get(&form.number);
        let mut before = facts.into_iter().flat_map(|facts| &facts.before);
        let same = before.find(|(name, a)| name == connector && a.id == account.id);
        same.map_or_else(|| account.clone(), |(_, before)| before.clone())
    }

    /// Home, mailbox, systems and those who have to be asked: once every directory shows the new name.
    fn after_the_directory(
        &mut self,
        form: &'a FiledForm,
        directories: &[(&'a ConnectorName, &'a ObservedAccount)],
        new: &UserId,
    ) -> Result<bool, String> {
        let Some((connector, account)) = directories.first().copied() else { return Ok(true) };
        let before = self.before(form, connector, account);
        let from = before.user_id.clone();
        self.tell_accounts_beside(form, &from, new);
        let mut whole = true;
        if from.folded() != new.folded() {
            whole &= self.move_home_and_mailbox(form, account, &before);
        }
        let systems: Vec<_> =
            self.own.iter().copied().filter(|(_, a)| a.realm == Realm::System).collect();
        for (name, account) in systems {
            let reach = self.reach(name);
            if account.user_id.folded() != new.folded() && reach.renames {
                whole &= self.rename(form, name, account, new)?;
            }
        }
        Ok(whole & self.ask_to_rename(form, account, &from))
    }

    /// An account beside the person's own keeps its name: the naming standard (N7) renames the user's account,
    /// and what a privileged one is called is its security officer's to say. At a departure it is found by
    /// the name of before as well.
    fn tell_accounts_beside(&mut self, form: &FiledForm, from: &UserId, new: &UserId) {
        if from.folded() == new.folded() {
            return;
        }
        for (connector, account) in &self.beside {
            self.out.doubtful.insert(format!(
                "account {} in {connector} keeps its name, though its owner is called {new} and no longer \
                 {from} (form {}): privileged accounts are not renamed by themselves; have the security \
                 officer decide, and rename it by hand if it is to follow",
                account.user_id, form.number
            ));
        }
    }

    fn move_home_and_mailbox(
        &mut self,
        form: &FiledForm,
        account: &ObservedAccount,
        before: &ObservedAccount,
    ) -> bool {
        let rules = &self.input.policy.access.accounts;
        let mut whole = true;
        if let Some(homes) = rules.homes.clone()
            && self.reach(&homes).moves_homes
        {
            let place =
                |a: &ObservedAccount| HomePlace { home: a.home.clone(), uid_number: a.uid_number };
            let (old, new) = (place(before), place(account));
            let moving = Action::RenameHome {
                account: target(account),
                from: before.user_id.clone(),
                old,
                new,
            };
            let what = (moving, expectation(account), Rule::N7);
            whole &= self.step(form, &homes, what) == Progress::Done;
        }
        if let Some(mailboxes) = rules.mailboxes.clone()
            && self.reach(&mailboxes).moves_mailboxes
        {
            let moving =
                Action::RenameMailbox { account: target(account), from: before.user_id.clone() };
            let what = (moving, expectation(account), Rule::N7);
            whole &= self.step(form, &mailboxes, what) == Progress::Done;
        }
        whole
    }

    /// Others rename what the person has with them (A11).
    fn ask_to_rename(
        &mut self,
        form: &FiledForm,
        account: &ObservedAccount,
        from: &UserId,
    ) -> bool {
        let mut whole = true;
        let held = self.input.entitlements.iter().filter(|e| e.state == EntitlementState::InPlace);
        let mut asked: Vec<_> = Vec::new();
        for held in held {
            let rule = self.input.policy.access.systems.get(&held.system);
            let Some(request) = rule.and_then(|rule| rule.request.clone()) else { continue };
            if asked.contains(&&held.system) {
                continue;
            }
            asked.push(&held.system);
            let change = RequestedChange::Rename { form: form.number, from: from.clone() };
            whole &= self.ask(form, &request, held, account, change) == Progress::Done;
        }
        whole
    }
}
