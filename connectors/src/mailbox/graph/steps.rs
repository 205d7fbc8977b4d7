//! The steps of a user: what is done, and what is seen of it afterwards.

use super::api::Call;
use super::settings::{SyncedAccounts, principal_name};
use super::user::{License, User};
use super::{Graph, SESSIONS_FROM};
use crate::http::{Kind, Method, segment};
use lapsed_core::step::{Action, Cause, Fault, Found, Outcome, Receipt, Seen, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Permissions by what they are for.
const DISABLE: &str = "User.EnableDisableAccount.All and User.Read.All";
const SESSIONS: &str = "User.RevokeSessions.All";
const LICENSES: &str = "LicenseAssignment.ReadWrite.All";
const DELETE: &str = "User.DeleteRestore.All";
pub(super) const DEVICES_READ: &str = "DeviceManagementManagedDevices.Read.All";
const DEVICES: &str = "DeviceManagementManagedDevices.PrivilegedOperations.All";

/// What a step asks of this connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Shut,
    DeleteMailbox,
    DeleteUser,
}

pub(super) fn refused(text: impl Into<String>) -> Fault {
    Fault::Refused(Cause::new(text))
}

pub(super) fn otherwise(description: impl Into<String>) -> Result<Seen, Fault> {
    Ok(Seen::Otherwise(Found { description: description.into() }))
}

impl Graph {
    fn wish(&self, action: &Action) -> Result<Wish, Fault> {
        match action {
            Action::RevokeAccess { .. } | Action::DisableMailbox { .. } => Ok(Wish::Shut),
            Action::DeleteMailbox { .. } | Action::DeleteAccount { .. }
                if self.settings.delete_user =>
            {
                Ok(Wish::DeleteUser)
            }
            Action::DeleteMailbox { .. } if !self.settings.mailbox_licenses.is_empty() => {
                Ok(Wish::DeleteMailbox)
            }
            Action::DeleteMailbox { .. } => Err(refused(
                "Graph can't delete a mailbox; name its licences in mailbox_licenses, or write delete_user: true",
            )),
            Action::DeleteAccount { .. } => Err(refused(
                "users are not deleted here; write delete_user: true if they are to be",
            )),
            _ => Err(refused(
                "a graph connector makes, opens, renames, shuts and deletes users only; name another connector for this",
            )),
        }
    }

    /// An account that Graph itself showed is known by its identity; a mailbox is planned for an account
    /// of a directory, and is found by that one's log-on name.
    fn key(&self, step: &Step) -> Result<String, Fault> {
        match &step.action {
            Action::RevokeAccess { account } | Action::DeleteAccount { account } => {
                Ok(account.id.as_str().to_owned())
            }
            _ => principal_name(&self.settings.user, &step.expect.user_id)
                .map_err(|error| refused(error.to_string())),
        }
    }

    /// Carries out one step.
    pub(super) async fn carry_out(&self, step: &Step) -> Result<Outcome, Fault> {
        if step.action.gives() {
            return self.give(step).await;
        }
        let wish = self.wish(&step.action)?;
        let Some(user) = self.api.user(&self.key(step)?).await? else {
            return Ok(Outcome::AlreadySo);
        };
        if let Some(found) = drift(step, &user) {
            return Ok(Outcome::Drifted(found));
        }
        if let Some(because) = user.never(&self.settings.never) {
            return Err(refused(format!("the user is never touched: {because}")));
        }
        match wish {
            Wish::Shut => self.shut(step, &user).await,
            Wish::DeleteMailbox => self.release_mailbox(&user).await,
            Wish::DeleteUser => self.delete(&user).await,
        }
    }

    /// The account first, so that no new session begins; then what is open. Sessions are ended also where
    /// the account was shut before: others may have shut it, and a crash may have come in between.
    async fn shut(&self, step: &Step, user: &User) -> Result<Outcome, Fault> {
        // Ahead of the shutting: where its reply is lost, the look tells that sessions were not ended.
        if let Some(before) = &user.sessions_from {
            self.note_before(step.id, before.clone());
        }
        let mut before = BTreeMap::new();
        if user.enabled {
            self.disable(user).await?;
            before.insert("accountEnabled".to_owned(), vec!["true".to_owned()]);
        }
        self.end_sessions(user).await?;
        let devices = self.retire_devices(user).await?;
        if !devices.is_empty() {
            before.insert("retired_devices".to_owned(), devices);
        }
        let taken = self.take_licenses(user, &self.settings.remove_licenses, true).await?;
        if !taken.is_empty() {
            before.insert("licenses".to_owned(), taken);
        }
        if before.is_empty() {
            return Ok(Outcome::AlreadySo);
        }
        let from = user.sessions_from.clone().into_iter().collect();
        before.insert(SESSIONS_FROM.to_owned(), from);
        Ok(self.changed(user, before))
    }

    async fn disable(&self, user: &User) -> Result<(), Fault> {
        let name = &user.name;
        if user.synced {
            return Err(self.only_there(user, "shut"));
        }
        let what = format!("shut {name}");
        let call = Call { what: &what, right: DISABLE };
        let body = json!({ "accountEnabled": false });
        self.on_user(Method::PATCH, user, "", Some(&body), Kind::Changes, &call).await
    }

    /// What an account that is copied from a directory of the agency's own can't be here.
    pub(super) fn only_there(&self, user: &User, done: &str) -> Fault {
        let text = format!(
            "{} is copied from a directory of your own by Entra Connect, and can be {done} there only",
            user.name
        );
        match self.settings.synced_accounts {
            SyncedAccounts::Refuse => refused(format!("{text}; have the account {done} there")),
            SyncedAccounts::Wait => Fault::Retry(Cause::new(format!(
                "{text}; this goes on when that has come through: if it does not, look at the synchronisation"
            ))),
        }
    }

    async fn end_sessions(&self, user: &User) -> Result<(), Fault> {
        let what = format!("end sessions of {}", user.name);
        let call = Call { what: &what, right: SESSIONS };
        let path = "/revokeSignInSessions";
        self.on_user(Method::POST, user, path, None, Kind::Looks, &call).await
    }

    /// Takes the agency's data off the devices; gives the devices by identity.
    async fn retire_devices(&self, user: &User) -> Result<Vec<String>, Fault> {
        let mut retired = Vec::new();
        for device in self.managed_devices(user).await? {
            let what = format!("retire a device of {}", user.name);
            let call = Call { what: &what, right: DEVICES };
            let path = format!("/deviceManagement/managedDevices/{}/retire", segment(&device));
            if self.api.change(Method::POST, &path, None, Kind::Changes, &call).await? {
                retired.push(device);
            }
        }
        Ok(retired)
    }

    /// Devices that are still managed, and not told yet to give the agency's data up.
    async fn managed_devices(&self, user: &User) -> Result<Vec<String>, Fault> {
        if !self.settings.retire_devices {
            return Ok(Vec::new());
        }
        let what = format!("list devices of {}", user.name);
        let call = Call { what: &what, right: DEVICES_READ };
        let path =
            format!("/users/{}/managedDevices?$select=id,managementState", segment(&user.id));
        let mut open = Vec::new();
        for device in self.api.list(&path, &call).await? {
            let text = |key: &str| device.get(key).and_then(Value::as_str);
            let (Some(id), Some(state)) = (text("id"), text("managementState")) else {
                return Err(Fault::Retry(Cause::new(format!(
                    "{what}: Graph's answer does not say it"
                ))));
            };
            // Each of these is on its way out already, also one that somebody told to wipe itself.
            let leaving = matches!(
                state,
                "retirePending" | "retireIssued" | "wipePending" | "wipeIssued" | "deletePending"
            );
            if !leaving {
                open.push(id.to_owned());
            }
        }
        Ok(open)
    }

    /// Takes licences away; gives those that were there. `keeps_mail`: none of them may carry a mailbox.
    async fn take_licenses(
        &self,
        user: &User,
        wanted: &[Uuid],
        keeps_mail: bool,
    ) -> Result<Vec<String>, Fault> {
        let held: Vec<&License> =
            user.licenses.iter().filter(|license| wanted.contains(&license.sku)).collect();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(license) = held.iter().find(|license| license.by_group) {
            return Err(refused(format!(
                "licence {} of {} comes with a group; take the user out of that group in Entra ID",
                license.sku, user.name
            )));
        }
        let skus: Vec<String> = held.iter().map(|license| license.sku.to_string()).collect();
        if keeps_mail {
            self.no_mailbox_in(user, &skus).await?;
        }
        let what = format!("take licences from {}", user.name);
        let call = Call { what: &what, right: LICENSES };
        let body = json!({ "addLicenses": [], "removeLicenses": skus });
        self.on_user(Method::POST, user, "/assignLicense", Some(&body), Kind::Changes, &call)
            .await?;
        Ok(skus)
    }

    /// Without its licence Exchange Online deletes a mailbox, whatever is on hold here: a licence with a
    /// plan of Exchange is not for the day on which access ends.
    async fn no_mailbox_in(&self, user: &User, skus: &[String]) -> Result<(), Fault> {
        let what = format!("look at licences of {}", user.name);
        let call = Call { what: &what, right: LICENSES };
        let path = format!("/users/{}/licenseDetails", segment(&user.id));
        let details = self.api.list(&path, &call).await?;
        for sku in skus {
            let of_sku = |detail: &&Value| {
                detail
                    .get("skuId")
                    .and_then(Value::as_str)
                    .is_some_and(|id| id.eq_ignore_ascii_case(sku))
            };
            let plans = details.iter().find(of_sku).and_then(|detail| detail.get("servicePlans"));
            let Some(plans) = plans.and_then(Value::as_array) else {
                return Err(Fault::Retry(Cause::new(format!(
                    "{what}: Graph does not say what is in licence {sku}"
                ))));
            };
            let carries_mail = plans.iter().any(|plan| {
                let name =
                    plan.get("servicePlanName").and_then(Value::as_str).unwrap_or("EXCHANGE");
                name.starts_with("EXCHANGE") && name != "EXCHANGE_S_FOUNDATION"
            });
            if carries_mail {
                return Err(refused(format!(
                    "licence {sku} carries the mailbox, which Exchange Online would delete before its date; name it in mailbox_licenses, not in remove_licenses"
                )));
            }
        }
        Ok(())
    }

    async fn release_mailbox(&self, user: &User) -> Result<Outcome, Fault> {
        let taken = self.take_licenses(user, &self.settings.mailbox_licenses, false).await?;
        if taken.is_empty() {
            return Ok(Outcome::AlreadySo);
        }
        Ok(self.changed(user, BTreeMap::from([("licenses".to_owned(), taken)])))
    }

    async fn delete(&self, user: &User) -> Result<Outcome, Fault> {
        if user.synced {
            return Err(refused(format!(
                "{} is copied from a directory of your own by Entra Connect; delete the account there",
                user.name
            )));
        }
        let what = format!("delete {}", user.name);
        let call = Call { what: &what, right: DELETE };
        let path = format!("/users/{}", segment(&user.id));
        let deleted = self.api.change(Method::DELETE, &path, None, Kind::Changes, &call).await?;
        if !deleted {
            return Ok(Outcome::AlreadySo);
        }
        let skus = user.licenses.iter().map(|license| license.sku.to_string()).collect();
        Ok(self.changed(user, BTreeMap::from([("licenses".to_owned(), skus)])))
    }

    /// A change of the user; one who is gone meanwhile is for the next look to find.
    pub(super) async fn on_user(
        &self,
        method: Method,
        user: &User,
        path: &str,
        body: Option<&Value>,
        kind: Kind,
        call: &Call<'_>,
    ) -> Result<(), Fault> {
        let path = format!("/users/{}{path}", segment(&user.id));
        match self.api.change(method, &path, body, kind, call).await? {
            true => Ok(()),
            false => Err(Fault::Retry(Cause::new(format!("{}: the user is gone", call.what)))),
        }
    }

    pub(super) fn changed(
        &self,
        user: &User,
        mut before: BTreeMap<String, Vec<String>>,
    ) -> Outcome {
        before.insert("userPrincipalName".to_owned(), vec![user.name.clone()]);
        Outcome::Changed(Receipt { before, server: Some(self.api.http.address().to_owned()) })
    }

    /// Looks at one step's user again.
    pub(super) async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        if step.action.gives() {
            return self.see_given(step).await;
        }
        let wish = self.wish(&step.action)?;
        let Some(user) = self.api.user(&self.key(step)?).await? else {
            return Ok(Seen::AsWanted);
        };
        let name = &user.name;
        let left = |wanted: &[Uuid]| {
            user.licenses.iter().filter(|license| wanted.contains(&license.sku)).count()
        };
        match wish {
            Wish::DeleteUser => otherwise(format!("{name} is still there")),
            Wish::DeleteMailbox => match left(&self.settings.mailbox_licenses) {
                0 => Ok(Seen::AsWanted),
                _ => otherwise(format!("{name} still has a licence that carries the mailbox")),
            },
            Wish::Shut if user.enabled => otherwise(format!("{name} can still log on")),
            Wish::Shut if left(&self.settings.remove_licenses) > 0 => {
                otherwise(format!("{name} still has licences that were to be taken away"))
            }
            Wish::Shut if !self.managed_devices(&user).await?.is_empty() => otherwise(format!(
                "{name} still has devices that were not told to give the agency's data up"
            )),
            Wish::Shut => self.see_sessions(step, &user),
        }
    }

    fn see_sessions(&self, step: &Step, user: &User) -> Result<Seen, Fault> {
        match (self.noted_before(step.id), &user.sessions_from) {
            (Some(before), Some(now)) if before == *now => {
                self.note_before(step.id, before);
                otherwise(format!("sessions of {} were not ended", user.name))
            }
            (None, _) if self.begun.contains(step.id) => Ok(Seen::CannotTell(Cause::new(format!(
                "it is not known whether sessions of {} were ended",
                user.name
            )))),
            _ => Ok(Seen::AsWanted),
        }
    }
}

/// Whether the user carries another number than the account for which the step was planned. A mailbox
/// is planned for an account of a directory: there the user may show none.
pub(super) fn drift(step: &Step, user: &User) -> Option<Found> {
    let own = user.employee_number.as_ref().map(lapsed_core::facts::EmployeeNumber::folded);
    let wanted =
        step.expect.employee_number.as_ref().map(lapsed_core::facts::EmployeeNumber::folded);
    let by_name =
        matches!(step.action, Action::DisableMailbox { .. } | Action::DeleteMailbox { .. });
    let agrees = own == wanted || (by_name && (own.is_none() || wanted.is_none()));
    (!agrees).then(|| Found {
        description: format!(
            "{} carries another employee number than when the plan was made; look whose it is now",
            user.name
        ),
    })
}
