//! A directory's account: made shut, filled, given a password, and opened last (A1, A8).

use super::place::whereabouts;
use super::{Progress, Work, expectation, target};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::{Asks, FiledForm};
use crate::citation::Rule;
use crate::facts::{ConnectorName, UserId};
use crate::journal::StepState;
use crate::observed::{GroupKind, ObservedAccount};
use crate::policy::access::Holder;
use crate::step::{Action, Blueprint, Envelope, Expect, HomePlace, Target};
use uuid::Uuid;

impl<'a> Work<'a> {
    pub(super) fn directory(
        &mut self,
        connector: &ConnectorName,
        held: &[&'a Entitlement],
    ) -> Result<(), String> {
        let given: Vec<&Entitlement> =
            held.iter().copied().filter(|e| self.may_be_given(e)).collect();
        let Ok(own) = self.own_in(connector) else { return Ok(()) };
        let Some(account) = own else {
            if let Some(form) = self.leading(&given) {
                self.create(form, connector)?;
            }
            self.end_without_account(held);
            return Ok(());
        };
        self.end_in_directory(connector, account, held)?;
        self.fill((connector, account), held, &given)
    }

    /// The form in whose case the account itself is made: a form `new` before any other.
    pub(super) fn leading(&self, given: &[&Entitlement]) -> Option<&'a FiledForm> {
        let mut forms: Vec<&FiledForm> =
            given.iter().filter_map(|held| self.form(held.form)).collect();
        forms.sort_by_key(|form| (form.form.asks != Asks::New, form.number));
        forms.first().copied()
    }

    /// Makes the account, shut, unless something there may be the person's.
    pub(super) fn create(
        &mut self,
        form: &'a FiledForm,
        connector: &ConnectorName,
    ) -> Result<(), String> {
        let reach = self.input.targets.get(connector).copied().unwrap_or_default();
        if self.doubted.contains(connector) {
            self.burn_if_taken(form, connector);
            self.out.stuck = true;
            return Ok(());
        }
        if !reach.creates {
            self.out.stuck = true;
            self.out.doubtful.insert(format!(
                "{connector} can't make accounts (its settings do not say how), and the person has none \
                 there: make it by hand for form {}",
                form.number
            ));
            return Ok(());
        }
        let Some(user_id) = self.user_id() else {
            self.explain(form, Rule::N5, "no user ID is reserved yet".into());
            return Ok(());
        };
        let numbered = self.input.policy.access.accounts.uid_numbers.is_some();
        if reach.directory && numbered && self.input.uid_number.is_none() {
            self.explain(form, Rule::A1, "no number for file systems is reserved yet".into());
            return Ok(());
        }
        let blueprint = self.blueprint(form, &user_id)?;
        let expect =
            Expect { user_id: user_id.clone(), employee_number: blueprint.employee_number.clone() };
        let account = Target::to_be_made(&user_id);
        let create = Action::CreateAccount { account, blueprint: Box::new(blueprint) };
        let known = self.state_of(form, connector, create.clone(), expect.clone());
        let drifted = matches!(known, Some(StepState::Drifted { .. }));
        let has_one_elsewhere = self.own_in_directories().is_some();
        if drifted && reach.directory && form.reserved.is_some() && !has_one_elsewhere {
            // Somebody was quicker by hand: the name is theirs (N5).
            self.out.burnt.insert(form.number);
            return Ok(());
        }
        self.seen_step(form, connector, (create, expect, Rule::A1));
        Ok(())
    }

    /// A name that was reserved as free and now is somebody else's account's is not used.
    fn burn_if_taken(&mut self, form: &FiledForm, connector: &ConnectorName) {
        let Some(reserved) = &form.reserved else { return };
        let directory = self.input.targets.get(connector).is_some_and(|reach| reach.directory);
        let taken = self.input.accounts.iter().any(|(name, account)| {
            let is_own = self.own.iter().any(|(_, own)| own.id == account.id);
            name == connector
                && !is_own
                && account.user_ids().any(|id| id.folded() == reserved.folded())
        });
        if directory && taken && self.own_in_directories().is_none() {
            self.out.burnt.insert(form.number);
        }
    }

    pub(super) fn blueprint(
        &self,
        form: &FiledForm,
        user_id: &UserId,
    ) -> Result<Blueprint, String> {
        let input = self.input;
        let place = whereabouts(input.person, input.forms, input.entitlements, Some(form.number));
        let Some(name) = place.name else {
            return Err(format!("form {} gives no name for the account", form.number));
        };
        let holder = Holder {
            name: &name,
            user_id,
            location: place.location.as_ref(),
            kind: place.kind.as_ref(),
        };
        let told = |error: crate::policy::departure::TemplateError| error.to_string();
        let display_name = input.policy.display_name(&holder).map_err(told)?;
        let home = input.policy.home_of(&holder).map_err(told)?;
        let location = place.location.as_ref().and_then(|id| input.policy.locations.get(id));
        let ends = |e: &&Entitlement| e.form == form.number && e.state.counts();
        let days: Vec<_> = input.entitlements.iter().filter(ends).map(|e| e.ends_on).collect();
        Ok(Blueprint {
            user_id: user_id.clone(),
            display_name,
            mail: input.facts.get(&form.number).and_then(|facts| facts.mail.clone()),
            employee_number: input
                .person
                .engagements
                .iter()
                .rev()
                .find_map(|e| e.employee_number.clone()),
            kind: place.kind.clone(),
            location_name: location.map(|location| location.name.clone()),
            location: place.location.clone(),
            title: place.position,
            supervisor: form.form.person.supervisor.clone(),
            home,
            uid_number: input.uid_number,
            // Temporary only where all of it is.
            ends_on: if days.iter().any(Option::is_none) {
                None
            } else {
                days.into_iter().flatten().max()
            },
            name,
        })
    }

    /// Groups, home and mailbox; then the password; then, last, the account is opened.
    fn fill(
        &mut self,
        (connector, account): (&ConnectorName, &'a ObservedAccount),
        held: &[&'a Entitlement],
        given: &[&'a Entitlement],
    ) -> Result<(), String> {
        let Some(form) = self.leading(given) else { return Ok(()) };
        if !self.may_touch(form, account) {
            return Ok(());
        }
        let mut whole = true;
        let mut complete = Vec::new();
        for held in given {
            if self.join(connector, account, held)? {
                complete.push(held.id);
            } else {
                whole = false;
            }
        }
        let made = self.was_made(form, connector);
        let gives_account = form.form.asks == Asks::New || made;
        if gives_account {
            whole &= self.home_and_mailbox(form, connector, account);
            whole &= self.show_mailbox(form, connector, account);
        }
        if account.enabled && self.password_is_under_way(form, connector, account) {
            return Ok(());
        }
        if account.enabled {
            // Of a form `new` nothing is in place before home and mailbox are.
            if whole || !gives_account {
                self.out.in_place.extend(complete);
            }
            return Ok(());
        }
        // A directory's account is opened by what asks for an account, and never by what comes to it.
        if !gives_account || !self.opens(form, (connector, account), held, given) {
            self.note_shut(form, connector, account);
            return Ok(());
        }
        if self.shut_again(form, connector, account) {
            return Ok(());
        }
        whole &= self.leave_what_no_form_gives(form, connector, account, made)?;
        if whole && self.password(form, connector, account) == Progress::Done {
            let enable = Action::Enable { account: target(account) };
            self.seen_step(form, connector, (enable, expectation(account), Rule::A1));
        }
        Ok(())
    }

    /// Some directories lift the lock with each new password, so that the account is open for a moment and shut
    /// again: nothing is in place before that has ended.
    fn password_is_under_way(
        &self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        self.input.journal.values().any(|(step, state)| {
            step.case == form.case()
                && &step.connector == connector
                && matches!(&step.action, Action::SetPassword { account: of, .. } if of.id == account.id)
                && !state.has_ended()
        })
    }

    /// What was opened by this form and is shut again was shut by somebody else's word: a form of the past
    /// never opens it once more.
    fn shut_again(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        let enable = Action::Enable { account: target(account) };
        let known = self.state_of(form, connector, enable, expectation(account));
        let opened = known.is_some_and(StepState::is_done);
        if opened {
            self.out.stuck = true;
            self.out.doubtful.insert(format!(
                "account {} was opened by form {} and is shut again: it stays shut",
                account.user_id, form.number
            ));
        }
        opened
    }

    /// Puts the account into the groups of one entitlement; true when it is in all of them.
    fn join(
        &mut self,
        connector: &ConnectorName,
        account: &ObservedAccount,
        held: &Entitlement,
    ) -> Result<bool, String> {
        let Some(form) = self.form(held.form) else { return Ok(false) };
        let mut whole = true;
        for name in self.groups_of(held)? {
            let group = match self.input.groups.one(connector, &name) {
                Ok(group) => group,
                Err(problem) => {
                    self.out.stuck = true;
                    self.out.doubtful.insert(format!("{} can't be given: {problem}", held.system));
                    whole = false;
                    continue;
                }
            };
            if account.groups.iter().any(|link| link.id == group.id) {
                continue;
            }
            whole = false;
            let group = Target { id: group.id.clone(), label: group.name.clone() };
            let join = Action::JoinGroup { account: target(account), group };
            self.seen_step(form, connector, (join, expectation(account), Rule::A1));
        }
        Ok(whole)
    }

    /// True when this form's own step made the account.
    pub(super) fn was_made(&self, form: &FiledForm, connector: &ConnectorName) -> bool {
        self.input.journal.values().any(|(step, state)| {
            step.case == form.case()
                && &step.connector == connector
                && matches!(step.action, Action::CreateAccount { .. })
                && state.is_done()
        })
    }

    /// Somebody who comes back gets what was approved, not what was left on the account (D10).
    fn leave_what_no_form_gives(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
        made: bool,
    ) -> Result<bool, String> {
        if made {
            return Ok(true);
        }
        let counting: Vec<_> =
            self.input.entitlements.iter().filter(|e| e.state.counts()).collect();
        let mut keep = Vec::new();
        for held in counting {
            keep.extend(self.groups_of(held)?.into_iter().map(|name| name.folded()));
        }
        let mut whole = true;
        for link in &account.groups {
            if link.kind == GroupKind::DefaultPrimary || keep.contains(&link.name.to_lowercase()) {
                continue;
            }
            whole = false;
            self.leave(form, connector, account, link, Rule::D10);
        }
        Ok(whole)
    }

    /// Home and mailbox belong to one account of the person: that of the first directory.
    fn home_and_mailbox(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        let is_first = self.own_in_directories().is_some_and(|(name, _)| name == connector);
        if !is_first {
            return true;
        }
        let rules = &self.input.policy.access.accounts;
        let mut whole = true;
        if let Some(homes) = rules.homes.clone()
            && self.reach(&homes).makes_homes
        {
            let place = HomePlace { home: account.home.clone(), uid_number: account.uid_number };
            let make = Action::CreateHome { account: target(account), place };
            whole &=
                self.step(form, &homes, (make, expectation(account), Rule::A1)) == Progress::Done;
        }
        if let Some(mailboxes) = rules.mailboxes.clone()
            && self.reach(&mailboxes).makes_mailboxes
        {
            let make = Action::CreateMailbox { account: target(account) };
            whole &= self.step(form, &mailboxes, (make, expectation(account), Rule::A1))
                == Progress::Done;
        }
        whole
    }

    pub(super) fn reach(&self, connector: &ConnectorName) -> super::Reach {
        self.input.targets.get(connector).copied().unwrap_or_default()
    }

    /// A first password, sealed for the one who hands it over; never for the one who asked (A6).
    pub(super) fn password(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> Progress {
        let opener = match self.input.facts.get(&form.number).map(|facts| facts.opener.clone()) {
            Some(Ok(opener)) => opener,
            Some(Err(because)) => {
                self.out.stuck = true;
                self.out
                    .doubtful
                    .insert(format!("form {}: no password is set: {because}", form.number));
                return Progress::Stuck;
            }
            None => return Progress::Under,
        };
        let envelope = Envelope {
            id: Uuid::new_v5(&form.form.id, format!("envelope {connector}").as_bytes()),
            opener: opener.user_id,
            mail: opener.mail,
            form: form.number,
        };
        let set = Action::SetPassword { account: target(account), envelope };
        let rule = if form.form.asks == Asks::ResetPassword { Rule::A7 } else { Rule::A6 };
        self.step(form, connector, (set, expectation(account), rule))
    }

    /// Approved and not begun, because nobody has an account there: nothing is left to take.
    fn end_without_account(&mut self, held: &[&Entitlement]) {
        let ending = held.iter().filter(|e| e.state == EntitlementState::Ending);
        self.out.ended.extend(ending.map(|e| e.id));
    }
}
