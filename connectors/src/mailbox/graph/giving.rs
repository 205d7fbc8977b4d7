//! Users that are made, opened with their groups, and renamed (A1, A3, N7).
//!
//! Graph takes a while until everybody sees what was made: a user that is not there yet is no user that is
//! gone, and what Graph says is taken is looked for again, never made twice.

use super::Graph;
use super::api::{Call, equals};
use super::settings::principal_name;
use super::steps::{drift, otherwise, refused};
use super::user::{READ, User};
use crate::http::{Kind, Method, segment};
use lapsed_core::facts::{SystemRole, UserId};
use lapsed_core::step::{Action, Blueprint, Cause, Fault, Found, NewName, Outcome, Seen, Step};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const WRITE: &str = "User.ReadWrite.All";
const ENABLE: &str = "User.EnableDisableAccount.All and User.Read.All";

fn off(key: &str) -> Fault {
    refused(format!(
        "users of this tenant are not to be; write `{key}: true` at the connector if they are"
    ))
}

impl Graph {
    /// Carries out one step that gives.
    pub(super) async fn give(&self, step: &Step) -> Result<Outcome, Fault> {
        let new_name = match &step.action {
            Action::CreateAccount { blueprint, .. } => return self.create(blueprint).await,
            Action::Rename { to, .. } => Some(&to.user_id),
            Action::GrantAccess { .. }
            | Action::SetPassword { .. }
            | Action::ExpirePassword { .. } => None,
            other => {
                return Err(refused(format!(
                    "a graph connector can't {}; name another connector for this",
                    other.name()
                )));
            }
        };
        let Some(user) = self.user_of(step).await? else { return self.not_there(step).await };
        if let Some(found) = self.drifted(step, &user, new_name)? {
            return Ok(Outcome::Drifted(found));
        }
        if let Some(because) = user.never(&self.settings.never) {
            return Err(refused(format!("the user is never touched: {because}")));
        }
        match &step.action {
            Action::GrantAccess { roles, .. } => self.grant(&user, roles).await,
            Action::SetPassword { envelope, .. } => self.set_password(step, &user, envelope).await,
            Action::ExpirePassword { changed_at, .. } => {
                self.expire_password(&user, *changed_at).await
            }
            Action::Rename { to, .. } => self.rename(&user, to).await,
            _ => Err(refused("nothing is given by this step")),
        }
    }

    /// Looks at what a step gave.
    pub(super) async fn see_given(&self, step: &Step) -> Result<Seen, Fault> {
        let user = match &step.action {
            Action::CreateAccount { blueprint, .. } => self.made(blueprint).await?,
            _ => self.user_of(step).await?,
        };
        let Some(user) = user else {
            return match self.not_there(step).await? {
                Outcome::Drifted(found) => Ok(Seen::Otherwise(found)),
                _ => otherwise("the user is not there"),
            };
        };
        match &step.action {
            Action::CreateAccount { .. } => Ok(Seen::AsWanted),
            Action::SetPassword { .. } => self.see_password(step, &user),
            Action::ExpirePassword { changed_at, .. } => {
                match self.is_settled(&user, *changed_at).await? {
                    true => Ok(Seen::AsWanted),
                    false => otherwise(format!("{} need not change the old password", user.name)),
                }
            }
            Action::Rename { to, .. } => match self.difference(&user, to)? {
                None => Ok(Seen::AsWanted),
                Some(what) => otherwise(format!("{} still has another {what}", user.name)),
            },
            Action::GrantAccess { .. } if !user.enabled => {
                otherwise(format!("{} can't log on; see what shuts it again", user.name))
            }
            Action::GrantAccess { roles, .. } => {
                match self.memberships(&user).await? == self.groups_for(roles)? {
                    true => Ok(Seen::AsWanted),
                    false => otherwise(format!("{} is in other groups than were given", user.name)),
                }
            }
            other => Err(refused(format!("a graph connector can't {}", other.name()))),
        }
    }

    /// The user of a step: by identity, or by name where there was none when the plan was made.
    async fn user_of(&self, step: &Step) -> Result<Option<User>, Fault> {
        let id = &step.action.account().id;
        match id.is_to_be_made() {
            true => self.api.user(&self.principal(&step.expect.user_id)?).await,
            false => self.api.user(id.as_str()).await,
        }
    }

    fn principal(&self, user_id: &UserId) -> Result<String, Fault> {
        principal_name(&self.settings.user, user_id).map_err(|error| refused(error.to_string()))
    }

    /// A user that is not shown: deleted, or too new.
    async fn not_there(&self, step: &Step) -> Result<Outcome, Fault> {
        let id = &step.action.account().id;
        if !id.is_to_be_made() {
            let call = Call { what: "look among deleted users", right: READ };
            let path = format!("/directory/deletedItems/{}?$select=id", segment(id.as_str()));
            if self.api.get(&path, &call).await?.is_some() {
                let description = "the user was deleted; plan the access anew".into();
                return Ok(Outcome::Drifted(Found { description }));
            }
        }
        Err(Fault::Retry(Cause::new(
            "Graph does not show the user; a new one can take minutes: if it stays so, see whether it was deleted",
        )))
    }

    fn drifted(
        &self,
        step: &Step,
        user: &User,
        new_name: Option<&UserId>,
    ) -> Result<Option<Found>, Fault> {
        let mut names = vec![self.principal(&step.expect.user_id)?];
        if let Some(name) = new_name {
            names.push(self.principal(name)?);
        }
        if names.iter().any(|name| name.eq_ignore_ascii_case(&user.name)) {
            return Ok(drift(step, user));
        }
        let description =
            format!("the user is called {} now; look whose it is before it is touched", user.name);
        Ok(Some(Found { description }))
    }

    /// Makes a user, shut, with a password that nobody knows.
    async fn create(&self, new: &Blueprint) -> Result<Outcome, Fault> {
        if !self.settings.create {
            return Err(off("create"));
        }
        if self.made(new).await?.is_some() {
            return Ok(Outcome::AlreadySo);
        }
        let name = self.principal(&new.user_id)?;
        let what = format!("make {name}");
        let call = Call { what: &what, right: WRITE };
        let body = self.new_user(new, &name);
        match self.api.change(Method::POST, "/users", Some(&body), Kind::Changes, &call).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(Fault::Retry(Cause::new(format!("{what}: Graph takes no users here"))));
            }
            // Graph answers 400 to a name that is taken: by this very user, made at an earlier try, or not.
            Err(Fault::Refused(why)) => {
                return match self.made(new).await? {
                    Some(_) => Ok(Outcome::AlreadySo),
                    None => Err(Fault::Refused(why)),
                };
            }
            Err(fault) => return Err(fault),
        }
        let server = Some(self.api.http.address().to_owned());
        let before = BTreeMap::from([("userPrincipalName".to_owned(), vec![name])]);
        Ok(Outcome::Changed(lapsed_core::step::Receipt { before, server }))
    }

    fn new_user(&self, new: &Blueprint, name: &str) -> Value {
        let mut user = Map::new();
        user.insert("accountEnabled".into(), false.into());
        user.insert("passwordProfile".into(), Self::unknown_password(&new.user_id));
        let texts = [
            ("userPrincipalName", Some(name)),
            ("mailNickname", Some(new.user_id.as_str())),
            ("displayName", Some(new.display_name.as_str())),
            ("givenName", Some(new.name.first.as_str())),
            ("surname", Some(new.name.last.as_str())),
            ("jobTitle", new.title.as_deref()),
            ("officeLocation", new.location_name.as_deref()),
            ("employeeId", new.employee_number.as_ref().map(|number| number.as_str())),
            ("usageLocation", self.settings.usage_location.as_deref()),
        ];
        // Graph refuses an empty text.
        for (key, text) in texts {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                user.insert(key.into(), text.into());
            }
        }
        Value::Object(user)
    }

    /// The user that a blueprint stands for, if it is there and nobody else's.
    async fn made(&self, new: &Blueprint) -> Result<Option<User>, Fault> {
        let name = self.principal(&new.user_id)?;
        if let Some(number) = &new.employee_number {
            for other in self.found(&equals("employeeId", number.as_str())).await? {
                if !other.name.eq_ignore_ascii_case(&name) {
                    return Err(refused(format!(
                        "the person has a user in the tenant already, which is called {}; look which is to be used",
                        other.name
                    )));
                }
            }
        }
        // By its name, not by a filter: a listing shows a new user later.
        let Some(user) = self.api.user(&name).await? else { return Ok(None) };
        let theirs = match (&user.employee_number, &new.employee_number) {
            (Some(own), Some(number)) => own.folded() == number.folded(),
            // A number of somebody's, and whoever is made has none: a namesake's.
            (None, Some(_)) | (Some(_), None) => false,
            (None, None) => {
                let (own, last) = (user.person.last.trim(), new.name.last.trim());
                !own.is_empty() && own.to_lowercase() == last.to_lowercase()
            }
        };
        if theirs {
            return Ok(Some(user));
        }
        Err(refused(format!(
            "the tenant has a user {name} that is not known to be theirs; look whose it is"
        )))
    }

    /// Groups first; the log-on last.
    async fn grant(&self, user: &User, roles: &[SystemRole]) -> Result<Outcome, Fault> {
        if !self.settings.grant {
            return Err(off("grant"));
        }
        if user.synced && !user.enabled {
            return Err(self.only_there(user, "opened"));
        }
        let (wanted, own) = (self.groups_for(roles)?, self.memberships(user).await?);
        if user.enabled && wanted == own {
            return Ok(Outcome::AlreadySo);
        }
        for group in own.difference(&wanted) {
            self.leave(user, *group).await?;
        }
        for group in wanted.difference(&own) {
            self.join(user, *group).await?;
        }
        if !user.enabled {
            let what = format!("let {} log on", user.name);
            let call = Call { what: &what, right: ENABLE };
            let body = json!({ "accountEnabled": true });
            self.on_user(Method::PATCH, user, "", Some(&body), Kind::Changes, &call).await?;
        }
        let before = [
            ("accountEnabled", vec![user.enabled.to_string()]),
            ("groups", own.iter().map(ToString::to_string).collect()),
        ];
        Ok(self.changed(user, before.map(|(key, value)| (key.to_owned(), value)).into()))
    }

    async fn rename(&self, user: &User, to: &NewName) -> Result<Outcome, Fault> {
        if !self.settings.rename {
            return Err(off("rename"));
        }
        if self.difference(user, to)?.is_none() {
            return Ok(Outcome::AlreadySo);
        }
        if user.synced {
            return Err(self.only_there(user, "renamed"));
        }
        let name = self.principal(&to.user_id)?;
        if self.api.user(&name).await?.is_some_and(|other| other.id != user.id) {
            return Err(refused(format!(
                "another user is called {name} already; look whose it is"
            )));
        }
        let what = format!("rename {}", user.name);
        let call = Call { what: &what, right: WRITE };
        let mut body = Map::from_iter([
            ("userPrincipalName".to_owned(), name.into()),
            ("mailNickname".to_owned(), to.user_id.as_str().into()),
            ("displayName".to_owned(), to.display_name.as_str().into()),
        ]);
        for (key, text) in [("surname", &to.name.last), ("givenName", &to.name.first)] {
            let value = if text.is_empty() { Value::Null } else { text.as_str().into() };
            body.insert(key.to_owned(), value);
        }
        let body = Value::Object(body);
        self.on_user(Method::PATCH, user, "", Some(&body), Kind::Changes, &call).await?;
        let shown = user.display_name.clone().into_iter().collect();
        let nickname = user.nickname.clone().into_iter().collect();
        let before = [("displayName", shown), ("mailNickname", nickname)];
        Ok(self.changed(user, before.map(|(key, value)| (key.to_owned(), value)).into()))
    }

    /// What of a name is not as it is to be.
    fn difference(&self, user: &User, to: &NewName) -> Result<Option<&'static str>, Fault> {
        let name = self.principal(&to.user_id)?;
        let own = &user.person;
        let parts = [
            (name.eq_ignore_ascii_case(&user.name), "user principal name"),
            (own.last == to.name.last && own.first == to.name.first, "name"),
            (user.display_name.as_ref() == Some(&to.display_name), "display name"),
            (
                user.nickname
                    .as_ref()
                    .is_some_and(|own| own.eq_ignore_ascii_case(to.user_id.as_str())),
                "mail nickname",
            ),
        ];
        Ok(parts.into_iter().find(|(same, _)| !same).map(|(_, what)| what))
    }
}
