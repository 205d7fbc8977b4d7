//! Systems with accounts of their own, and access that somebody else gives (A3, A11, H1).

use super::{Progress, Work, expectation, target};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::{Asks, FiledForm, FormState};
use crate::citation::Rule;
use crate::facts::{ConnectorName, SystemRole};
use crate::observed::ObservedAccount;
use crate::policy::access::SystemRequest;
use crate::step::{Action, Expect, RequestFacts, RequestedChange, Target};

impl<'a> Work<'a> {
    /// A system's account has the roles of all that counts there, and is revoked when nothing does.
    pub(super) fn system(
        &mut self,
        connector: &ConnectorName,
        held: &[&'a Entitlement],
    ) -> Result<(), String> {
        let given: Vec<&Entitlement> =
            held.iter().copied().filter(|e| self.may_be_given(e)).collect();
        let ending: Vec<&Entitlement> =
            held.iter().copied().filter(|e| e.state == EntitlementState::Ending).collect();
        let stays = |e: &&&Entitlement| {
            e.state == EntitlementState::InPlace || given.iter().any(|other| other.id == e.id)
        };
        let mut roles: Vec<SystemRole> =
            held.iter().filter(stays).filter_map(|e| e.role.clone()).collect();
        roles.sort();
        roles.dedup();
        let nothing_counts = !held.iter().any(|e| stays(&e));
        let Ok(own) = self.own_in(connector) else { return Ok(()) };
        let Some(account) = own else {
            self.out.ended.extend(ending.iter().map(|e| e.id));
            if let Some(form) = self.leading(&given) {
                self.open_in_system(form, connector, &given, roles)?;
            }
            return Ok(());
        };
        if nothing_counts {
            self.revoke_in_system(connector, account, &ending);
            return Ok(());
        }
        let has_all = roles.iter().all(|role| account.details.roles.contains(role));
        let has_more = account.details.roles.iter().any(|role| {
            !roles.contains(role) && ending.iter().any(|e| e.role.as_ref() == Some(role))
        });
        let form =
            self.leading(&given).or_else(|| ending.first().and_then(|e| self.ending_form(e)));
        let Some(form) = form else { return Ok(()) };
        if account.enabled && has_all && !has_more {
            self.out.in_place.extend(given.iter().map(|e| e.id));
            self.out.ended.extend(ending.iter().map(|e| e.id));
            return Ok(());
        }
        if !account.enabled && !self.opens(form, (connector, account), held, &given) {
            self.note_shut(form, connector, account);
            return Ok(());
        }
        if self.may_touch(form, account) && self.has_password(form, connector, account) {
            self.grant(
                form,
                connector,
                (target(account), expectation(account)),
                roles,
                &given,
                &ending,
            );
        }
        Ok(())
    }

    /// Before an account is opened that logs on by a password of its own, there is a new one (A6).
    fn has_password(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        account.enabled
            || !self.reach(connector).sets_passwords
            || self.password(form, connector, account) == Progress::Done
    }

    /// Nobody has an account there yet: it is made, or made by being given access, as the system does it.
    fn open_in_system(
        &mut self,
        form: &'a FiledForm,
        connector: &ConnectorName,
        given: &[&Entitlement],
        roles: Vec<SystemRole>,
    ) -> Result<(), String> {
        let reach = self.reach(connector);
        // The account of a system bears the log-on name of the directory's, which comes first.
        if self.own_in_directories().is_none() && self.user_id_is_to_come() {
            return Ok(());
        }
        if reach.creates {
            return self.create(form, connector);
        }
        if self.doubted.contains(connector) || !reach.grants {
            self.out.stuck = true;
            if !reach.grants {
                self.cant_give(connector, form);
            }
            return Ok(());
        }
        let Some(user_id) = self.user_id() else { return Ok(()) };
        let number = self.input.person.employee_numbers().into_iter().next_back();
        let expect = Expect { user_id: user_id.clone(), employee_number: number };
        self.grant(form, connector, (Target::to_be_made(&user_id), expect), roles, given, &[]);
        Ok(())
    }

    /// True while a directory is to give the person an account and has not yet.
    fn user_id_is_to_come(&self) -> bool {
        self.input.entitlements.iter().any(|held| {
            let rule = self.input.policy.access.systems.get(&held.system);
            let connector = rule.and_then(|rule| rule.connector.as_ref());
            held.state.counts() && connector.is_some_and(|name| self.reach(name).directory)
        })
    }

    fn grant(
        &mut self,
        form: &FiledForm,
        connector: &ConnectorName,
        (account, expect): (Target, Expect),
        roles: Vec<SystemRole>,
        given: &[&Entitlement],
        ending: &[&Entitlement],
    ) {
        if !self.reach(connector).grants {
            self.out.stuck = true;
            self.cant_give(connector, form);
            return;
        }
        let grant = Action::GrantAccess { account, roles };
        let rule = if form.form.asks.gives() { Rule::A3 } else { Rule::A1 };
        // Not every system shows what it gave: what was done counts.
        if self.step(form, connector, (grant, expect, rule)) == Progress::Done {
            self.out.in_place.extend(given.iter().map(|e| e.id));
            self.out.ended.extend(ending.iter().map(|e| e.id));
        }
    }

    fn cant_give(&mut self, connector: &ConnectorName, form: &FiledForm) {
        self.out.doubtful.insert(format!(
            "{connector} can't give access (its settings do not say how): give by hand what form {} asks for",
            form.number
        ));
    }

    fn revoke_in_system(
        &mut self,
        connector: &ConnectorName,
        account: &ObservedAccount,
        ending: &[&Entitlement],
    ) {
        for held in ending {
            if !account.enabled {
                self.out.ended.insert(held.id);
                continue;
            }
            let Some(form) = self.case_or_doubt(held) else { continue };
            if self.may_touch(form, account) {
                let revoke = Action::RevokeAccess { account: target(account) };
                self.seen_step(form, connector, (revoke, expectation(account), Rule::A1));
                return;
            }
        }
    }

    /// A target that the configuration no longer has: what it would give can't be given.
    pub(super) fn nobody_gives(&mut self, connector: &ConnectorName, held: &[&Entitlement]) {
        self.out.stuck = true;
        for entitlement in held {
            self.out.doubtful.insert(format!(
                "{} is given by {connector}, which is not configured",
                entitlement.system
            ));
        }
    }

    /// What somebody else gives or takes: asked once, in place when they say so (A11).
    pub(super) fn requests(&mut self) -> Result<(), String> {
        for held in self.input.entitlements {
            let rule = self.input.policy.access.systems.get(&held.system);
            let Some(request) = rule.and_then(|rule| rule.request.clone()) else { continue };
            let Some((_, account)) = self.own_in_directories() else { continue };
            if self.may_be_given(held) {
                let Some(form) = self.form(held.form) else { continue };
                let change = RequestedChange::Grant { form: form.number };
                if self.ask(form, &request, held, account, change) == Progress::Done {
                    self.out.in_place.insert(held.id);
                }
            } else if held.state == EntitlementState::Ending {
                self.ask_to_end(held, &request, account);
            }
        }
        Ok(())
    }

    pub(super) fn ask(
        &mut self,
        form: &FiledForm,
        request: &SystemRequest,
        held: &Entitlement,
        account: &ObservedAccount,
        change: RequestedChange,
    ) -> Progress {
        let facts = self.request_facts(request, account);
        let action = Action::RequestChange {
            account: target(account),
            request: held.system.to_string(),
            change,
            facts,
        };
        self.step(form, &request.connector, (action, expectation(account), Rule::A11))
    }

    fn ask_to_end(
        &mut self,
        held: &Entitlement,
        request: &SystemRequest,
        account: &ObservedAccount,
    ) {
        let Some(form) = self.case_or_doubt(held) else { return };
        let action = Action::RequestRevocation {
            account: target(account),
            request: held.system.to_string(),
            facts: self.request_facts(request, account),
        };
        let what = (action, expectation(account), Rule::A11);
        if self.step(form, &request.connector, what) == Progress::Done {
            self.out.ended.insert(held.id);
        }
    }

    fn request_facts(&self, request: &SystemRequest, account: &ObservedAccount) -> RequestFacts {
        let place =
            super::whereabouts(self.input.person, self.input.forms, self.input.entitlements, None);
        let location = place.location.as_ref().and_then(|id| self.input.policy.locations.get(id));
        RequestFacts {
            name: place.name.map(|name| name.display()).unwrap_or_default(),
            user_id: account.user_id.to_string(),
            last_day: None,
            location: location.map(|location| location.name.clone()),
            to: request.to.clone(),
        }
    }

    /// A first password on request (A7): only for an account that is open, and never past a suspension.
    pub(super) fn reset_passwords(&mut self) {
        let forms = self.input.forms;
        let resets = forms.iter().filter(|form| {
            form.form.asks == Asks::ResetPassword && form.state == FormState::Approved
        });
        for form in resets {
            let own: Vec<_> = self
                .own
                .iter()
                .copied()
                .filter(|(name, _)| self.reach(name).directory && self.is_named(form, name))
                .collect();
            let unread =
                self.input.targets.values().any(|reach| reach.directory && !reach.readable);
            let open = |(name, account): &&(&ConnectorName, &ObservedAccount)| {
                account.enabled && !self.input.suspended.contains(*name)
            };
            let open: Vec<_> = own.iter().filter(open).copied().collect();
            if open.is_empty() {
                if !unread {
                    let why = "the person has no account that is open: a password is set anew only for one \
                               that is, and never during a suspension";
                    self.out.forms_ended.insert(form.number, why.into());
                }
                continue;
            }
            let mut whole = !unread;
            for (connector, account) in open {
                whole &= self.may_touch(form, account)
                    && self.password(form, connector, account) == Progress::Done;
            }
            if whole {
                self.out.forms_in_place.insert(form.number);
            }
        }
    }

    /// Where the form names systems, only their directories; else all.
    fn is_named(&self, form: &FiledForm, connector: &ConnectorName) -> bool {
        let named = form.form.systems.iter();
        form.form.systems.is_empty()
            || named
                .filter_map(|wish| self.input.policy.access.systems.get(&wish.system))
                .any(|rule| rule.connector.as_ref() == Some(connector))
    }
}
