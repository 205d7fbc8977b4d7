//! A first password (A6 to A8): made here, sealed before it is set, and to be changed at the first log-on.

use super::api::Call;
use super::settings::principal_name;
use super::steps::{otherwise, refused};
use super::user::User;
use super::{Graph, PASSWORD_CHANGED};
use crate::http::{Kind, Method, segment};
use crate::password;
use jiff::Timestamp;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Envelope, Fault, Outcome, Seen, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PASSWORDS: &str = "User-PasswordProfile.ReadWrite.All";

/// As Graph takes a password that its owner has to change.
pub(super) fn profile(password: &str) -> Value {
    json!({ "password": password, "forceChangePasswordNextSignIn": true })
}

impl Graph {
    pub(super) async fn set_password(
        &self,
        step: &Step,
        user: &User,
        envelope: &Envelope,
    ) -> Result<Outcome, Fault> {
        // Its owner logs on by that directory, which has a first password of its own.
        if user.synced {
            return match user.enabled {
                true => Ok(Outcome::AlreadySo),
                false => Err(self.only_there(user, "opened")),
            };
        }
        let Some(handover) = &self.handover.0 else {
            return Err(refused(
                "first passwords can't be handed over; set up access.accounts.handover",
            ));
        };
        let names = [
            Some(step.expect.user_id.as_str()),
            Some(user.person.last.as_str()),
            Some(user.person.first.as_str()),
            user.display_name.as_deref(),
            user.nickname.as_deref(),
        ];
        let Some(password) = password::first(&self.passwords, names.into_iter().flatten()) else {
            return Err(refused("no password keeps the rules; look at access.accounts.password"));
        };
        let envelope = self.addressed(envelope).await?;
        // Nothing was changed: what keeps it from being sealed may pass.
        handover.seal(&envelope, &step.expect.user_id, &password).await.map_err(Fault::Retry)?;
        if let Some(before) = &user.password_changed {
            self.note_before(step.id, before.clone());
        }
        let what = format!("set a first password for {}", user.name);
        let call = Call { what: &what, right: PASSWORDS };
        let body = json!({ "passwordProfile": profile(&password) });
        self.on_user(Method::PATCH, user, "", Some(&body), Kind::Changes, &call).await?;
        let before = user.password_changed.clone().into_iter().collect();
        Ok(self.changed(user, BTreeMap::from([(PASSWORD_CHANGED.to_owned(), before)])))
    }

    /// Has the owner change a password that is too old (A9), unless they were quicker.
    pub(super) async fn expire_password(
        &self,
        user: &User,
        changed_at: Timestamp,
    ) -> Result<Outcome, Fault> {
        if user.synced {
            return Err(self.only_there(user, "told to change the password"));
        }
        if self.is_settled(user, changed_at).await? {
            return Ok(Outcome::AlreadySo);
        }
        let what = format!("have the password of {} changed", user.name);
        let call = Call { what: &what, right: PASSWORDS };
        let body = json!({ "passwordProfile": { "forceChangePasswordNextSignIn": true } });
        self.on_user(Method::PATCH, user, "", Some(&body), Kind::Changes, &call).await?;
        let before = user.password_changed.clone().into_iter().collect();
        Ok(self.changed(user, BTreeMap::from([(PASSWORD_CHANGED.to_owned(), before)])))
    }

    /// Whether a password was changed since, or is to be.
    pub(super) async fn is_settled(
        &self,
        user: &User,
        changed_at: Timestamp,
    ) -> Result<bool, Fault> {
        let now = user.password_changed.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        if now.is_some_and(|now| now != changed_at) {
            return Ok(true);
        }
        let what = format!("look at the password settings of {}", user.name);
        let call = Call { what: &what, right: PASSWORDS };
        let path = format!("/users/{}?$select=passwordProfile", segment(&user.id));
        let shown = self.api.get(&path, &call).await?;
        let told = shown.as_ref().and_then(|user| user.get("passwordProfile"));
        let told = told.and_then(|profile| profile.get("forceChangePasswordNextSignIn"));
        Ok(told.and_then(Value::as_bool) == Some(true))
    }

    /// The envelope with the opener's mail address: where the plan knows none, the one of their user.
    async fn addressed(&self, envelope: &Envelope) -> Result<Envelope, Fault> {
        let mut addressed = envelope.clone();
        if addressed.mail.is_none()
            && let Ok(name) = principal_name(&self.settings.user, &envelope.opener)
        {
            addressed.mail = self.api.user(&name).await?.and_then(|opener| opener.mail);
        }
        Ok(addressed)
    }

    /// Whether the password was set: it can't be read, the moment of its change can.
    pub(super) fn see_password(&self, step: &Step, user: &User) -> Result<Seen, Fault> {
        if user.synced {
            return Ok(Seen::AsWanted);
        }
        let because = |why: &str| Ok(Seen::CannotTell(Cause::new(why)));
        match (self.noted_before(step.id), &user.password_changed) {
            (Some(before), Some(now)) if before == *now => {
                self.note_before(step.id, before);
                otherwise(format!("the password of {} was not set", user.name))
            }
            (Some(_), Some(_)) => Ok(Seen::AsWanted),
            (None, _) => because("it is not known which password was there before"),
            (_, None) => because("Graph does not show when the password was changed"),
        }
    }

    /// A password for a user that is just made, which nobody knows.
    pub(super) fn unknown_password(user_id: &UserId) -> Value {
        profile(&password::unknown([user_id.as_str()]))
    }
}
