//! What a leaver holds outside the directories: access to systems, and what others have to end (D4, D5,
//! D14, H1).

use super::corroboration::corroborated;
use super::{Departure, Reconciled, target, touchable};
use crate::citation::Rule;
use crate::facts::ConnectorName;
use crate::observed::{ObservedAccount, Protection, Realm};
use crate::policy::departure::{RequestReason, RequestRule, RequestScope};
use crate::step::{Action, Due, RequestFacts};
use crate::wildcard;
use jiff::Span;

impl Reconciled {
    /// A system's access is looked up and, if there is any, revoked (D4). One that may be somebody else's
    /// is left for a person, and holds up nothing else.
    pub(super) fn revoke(
        &mut self,
        input: &Departure<'_>,
        connector: &ConnectorName,
        account: &ObservedAccount,
    ) {
        if let Some(Protection::Never { because }) = &account.protection {
            self.doubtful.push(format!(
                "account {} in {connector} is never touched: {because}; revoke it by hand if it must be",
                account.user_id
            ));
            return;
        }
        if let Err(because) = corroborated(input, account) {
            // An account in a directory that does not answer may show that it is theirs.
            if !input.directories_read {
                return;
            }
            self.doubtful.push(format!(
                "account {} in {connector} was left alone: {because}; look whose it is, and revoke it by hand if it is theirs",
                account.user_id
            ));
            return;
        }
        self.links.push(account.link(connector));
        if account.enabled {
            let revoke = Action::RevokeAccess { account: target(account) };
            self.add(input, connector, account, (revoke, Due::AtOnce, Rule::D4));
        } else {
            let text = format!("access of {} in {connector} is revoked already", account.user_id);
            self.explain(input, Rule::D4, text);
        }
    }

    /// Somebody with accounts in systems and none in a directory: others are asked all the same, and what
    /// hangs on an account of a directory is for a person to see to.
    pub(super) fn only_systems(&mut self, input: &Departure<'_>) {
        let theirs = input.accounts.iter().map(|(_, account)| account);
        let theirs = theirs.filter(|account| corroborated(input, account).is_ok());
        if let Some(account) = theirs.clone().next() {
            self.request(input, account);
        }
        self.doubtful.push(
            "there is no account in a directory, only in systems: look whether there is one under another \
             key, and see to deletions by hand"
                .into(),
        );
    }

    /// Accounts of systems that the policy wants deleted, some days after the departure was shut (D4).
    pub(super) fn delete_accounts(&mut self, input: &Departure<'_>) -> Result<(), String> {
        let from = input.case.disabled_on.unwrap_or(input.today);
        for (connector, days) in &input.policy.departure.delete_accounts {
            let date = from
                .checked_add(Span::new().days(i64::from(*days)))
                .map_err(|_| format!("{days} days after {from} is beyond the calendar"))?;
            let due = Due::On {
                date,
                reason: format!("{days} days, from {} on", from.strftime("%a %Y-%m-%d")),
            };
            let theirs = input.accounts.iter().filter(|(name, account)| {
                name == connector
                    && account.realm == Realm::System
                    && touchable(account)
                    && corroborated(input, account).is_ok()
            });
            for (_, account) in theirs {
                let delete = Action::DeleteAccount { account: target(account) };
                self.add(input, connector, account, (delete, due.clone(), Rule::D4));
            }
        }
        Ok(())
    }

    /// Requests to those who have to end access by their own hand (D5, D14, H1).
    pub(super) fn request(&mut self, input: &Departure<'_>, account: &ObservedAccount) {
        for rule in &input.policy.departure.requests {
            if !concerns(&rule.who, input, account) {
                continue;
            }
            let to = asked(rule, input);
            if rule.reason == RequestReason::SecurityOfficer && to.is_empty() {
                self.doubtful.push(format!(
                    "{} can't be asked for: no security officer is known for the person's worksite; give \
                     locations.*.security_officer, and ask by hand meanwhile",
                    rule.name
                ));
                continue;
            }
            let request = Action::RequestRevocation {
                account: target(account),
                request: rule.name.clone(),
                facts: facts(input, account, to),
            };
            let what = (request, Due::AtOnce, rule.reason.rule());
            self.add(input, &rule.connector, account, what);
        }
    }
}

fn facts(input: &Departure<'_>, account: &ObservedAccount, to: Vec<String>) -> RequestFacts {
    let name = input.person.name().map(|name| {
        let first = name.preferred.as_ref().unwrap_or(&name.first);
        format!("{first} {}", name.last)
    });
    let location = worksite(input).and_then(|id| input.policy.locations.get(id));
    RequestFacts {
        name: name.unwrap_or_default(),
        user_id: account.user_id.to_string(),
        last_day: input.person.engagements.iter().filter_map(|e| e.ends_on).max(),
        location: location.map(|location| location.name.clone()),
        to,
    }
}

fn asked(rule: &RequestRule, input: &Departure<'_>) -> Vec<String> {
    if !rule.to.is_empty() || rule.reason != RequestReason::SecurityOfficer {
        return rule.to.clone();
    }
    let location = worksite(input).and_then(|id| input.policy.locations.get(id));
    location.map(|location| location.security_officer.clone()).unwrap_or_default()
}

fn worksite<'a>(input: &Departure<'a>) -> Option<&'a crate::facts::LocationId> {
    input.person.engagements.iter().rev().find_map(|engagement| engagement.worksite.as_ref())
}

/// Whether a request goes out with this departure. Groups count as they were before it began.
fn concerns(who: &RequestScope, input: &Departure<'_>, account: &ObservedAccount) -> bool {
    let before = input.case.before.iter().map(|(_, account)| account);
    let mut groups = before.chain(std::iter::once(account)).flat_map(|account| &account.groups);
    let kinds = || input.person.engagements.iter().filter_map(|e| e.kind.as_ref());
    let of_group = who.groups.is_empty()
        || groups.any(|group| who.groups.iter().any(|name| wildcard::fits(name, &group.name)));
    let of_kind = who.kinds.is_empty()
        || kinds().any(|kind| who.kinds.iter().any(|name| name == kind.as_str()));
    let of_location =
        who.locations.is_empty() || worksite(input).is_some_and(|id| who.locations.contains(id));
    of_group && of_kind && of_location
}
