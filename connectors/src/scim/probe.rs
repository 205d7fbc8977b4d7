//! What `check` tries: the way to the server, the log-on, what it can do, and whether it filters.

use super::Scim;
use super::settings::Update;
use crate::contract::Probed;

/// Nobody's: only whether the server takes the filter is asked.
const NOBODY: &str = "lapsed-looks-for-nobody";

impl Scim {
    pub(super) async fn try_all(&self) -> Vec<Probed> {
        let line = |what: String, problem: Option<String>| Probed { what, problem };
        let reach = format!("SCIM server at {}", self.address());
        let abilities = match self.server.abilities().await {
            Ok(abilities) => abilities,
            Err(fault) => return vec![line(reach, Some(fault.to_string()))],
        };
        let mut tried = vec![line(reach, None)];
        let shuts = match (self.settings.update, abilities.patch) {
            (Update::Patch, false) => {
                Some("the server says that it knows no PATCH; write `update: auto`".to_owned())
            }
            _ => None,
        };
        tried.push(line("how accounts are shut".into(), shuts));
        if !abilities.filter {
            let advice =
                "the server says that it can't filter, so that no account is found by its key";
            tried.push(line("filter".into(), Some(advice.into())));
        }
        for attribute in [&self.user_id, &self.employee_number].into_iter().flatten() {
            let what = format!("log-on, and filter by {attribute}");
            let asked = self.server.find(&what, &attribute.equals(NOBODY)).await;
            let problem = match asked {
                Ok(found) if found.is_empty() => None,
                Ok(_) => {
                    Some("the server finds accounts for what nobody has; it does not filter".into())
                }
                Err(fault) => Some(fault.to_string()),
            };
            tried.push(line(what, problem));
        }
        tried
    }
}
