//! Groups of a user: those that the settings name, by object id. No other is looked at.

use super::Graph;
use super::api::Call;
use super::steps::refused;
use super::user::User;
use crate::http::{Kind, Method, segment};
use lapsed_core::facts::SystemRole;
use lapsed_core::step::{Cause, Fault};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

const GROUPS: &str = "GroupMember.ReadWrite.All";

impl Graph {
    /// The groups of everybody who is given access, and those of these roles.
    pub(super) fn groups_for(&self, roles: &[SystemRole]) -> Result<BTreeSet<Uuid>, Fault> {
        let mut all: BTreeSet<Uuid> = self.settings.groups.iter().copied().collect();
        for role in roles {
            let groups = self.settings.roles.get(role).ok_or_else(|| {
                refused(format!("nothing says which groups {role} is; write it under roles"))
            })?;
            all.extend(groups);
        }
        Ok(all)
    }

    /// Every group that the settings name.
    fn named(&self) -> BTreeSet<Uuid> {
        self.settings.groups.iter().chain(self.settings.roles.values().flatten()).copied().collect()
    }

    /// Those of the named groups that the user is in.
    pub(super) async fn memberships(&self, user: &User) -> Result<BTreeSet<Uuid>, Fault> {
        let named = self.named();
        if named.is_empty() {
            return Ok(named);
        }
        let what = format!("list groups of {}", user.name);
        let call = Call { what: &what, right: GROUPS };
        let path = format!("/users/{}/memberOf?$select=id&$top=500", segment(&user.id));
        let listed = self.api.list(&path, &call).await?;
        let id = |entry: &Value| entry.get("id")?.as_str()?.parse().ok();
        Ok(listed.iter().filter_map(id).filter(|id| named.contains(id)).collect())
    }

    /// The roles all of whose groups the user is in.
    pub(super) async fn roles_of(&self, user: &User) -> Result<Vec<SystemRole>, Fault> {
        if self.settings.roles.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.memberships(user).await?;
        Ok(self.roles_by(|group| own.contains(&group)))
    }

    /// The roles all of whose groups somebody is in.
    pub(super) fn roles_by(&self, is_in: impl Fn(Uuid) -> bool) -> Vec<SystemRole> {
        let has = |groups: &Vec<Uuid>| groups.iter().all(|group| is_in(*group));
        let held = self.settings.roles.iter().filter(|(_, groups)| has(groups));
        held.map(|(role, _)| role.clone()).collect()
    }

    /// Who is in the groups of roles, by identity: asked by group, not by user, where everybody is looked at.
    pub(super) async fn members(&self) -> Result<HashMap<Uuid, HashSet<String>>, Fault> {
        let mut all = HashMap::new();
        let groups: BTreeSet<Uuid> = self.settings.roles.values().flatten().copied().collect();
        for group in groups {
            let what = format!("list members of group {group}");
            let call = Call { what: &what, right: GROUPS };
            let path = format!("/groups/{group}/members?$select=id&$top=500");
            let listed = self.api.list(&path, &call).await?;
            let id = |entry: &Value| Some(entry.get("id")?.as_str()?.to_owned());
            all.insert(group, listed.iter().filter_map(id).collect());
        }
        Ok(all)
    }

    /// Puts the user into a group. Graph answers 400 where the user is in it already.
    pub(super) async fn join(&self, user: &User, group: Uuid) -> Result<(), Fault> {
        let what = format!("put {} into group {group}", user.name);
        let call = Call { what: &what, right: GROUPS };
        let path = format!("/groups/{group}/members/$ref");
        let address = self.api.http.address().trim_end_matches('/');
        let member = format!("{address}/v1.0/directoryObjects/{}", user.id);
        let body = json!({ "@odata.id": member });
        let put = self.api.change(Method::POST, &path, Some(&body), Kind::Changes, &call).await;
        match put {
            Ok(true) => Ok(()),
            Ok(false) | Err(Fault::Refused(_)) => {
                if self.memberships(user).await?.contains(&group) {
                    return Ok(());
                }
                Err(self.why_not(&what, group).await?)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Why a group takes nobody.
    async fn why_not(&self, what: &str, group: Uuid) -> Result<Fault, Fault> {
        let call = Call { what, right: GROUPS };
        let path = format!("/groups/{group}?$select=id,groupTypes,onPremisesSyncEnabled");
        let Some(found) = self.api.get(&path, &call).await? else {
            return Ok(refused(format!("{what}: there is no such group; correct its id")));
        };
        let kinds = found.get("groupTypes").and_then(Value::as_array);
        let dynamic = kinds.into_iter().flatten().any(|kind| kind == "DynamicMembership");
        let synced = found.get("onPremisesSyncEnabled").and_then(Value::as_bool) == Some(true);
        Ok(match (dynamic, synced) {
            (true, _) => refused(format!(
                "{what}: Entra ID fills this group by a rule of its own; name another group"
            )),
            (_, true) => refused(format!(
                "{what}: the group is copied from a directory of your own; give it there"
            )),
            // What was made a moment ago is not known everywhere yet.
            _ => Fault::Retry(Cause::new(format!("{what}: Graph does not take it yet"))),
        })
    }

    /// Takes the user out of a group; who is not in it, or a group that is gone, needs nothing.
    pub(super) async fn leave(&self, user: &User, group: Uuid) -> Result<(), Fault> {
        let what = format!("take {} out of group {group}", user.name);
        let call = Call { what: &what, right: GROUPS };
        let path = format!("/groups/{group}/members/{}/$ref", segment(&user.id));
        self.api.change(Method::DELETE, &path, None, Kind::Changes, &call).await.map(drop)
    }
}
