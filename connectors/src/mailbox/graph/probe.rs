//! What `check` tries: the log-on, and what the application may read.

use super::Graph;
use super::api::Call;
use super::steps::DEVICES_READ;
use super::user::READ;
use crate::contract::Probed;
use lapsed_core::step::{Cause, Fault};
use serde_json::Value;

impl Graph {
    pub(super) async fn try_all(&self) -> Vec<Probed> {
        let address = self.api.http.address();
        let mut found = vec![self.readable(&format!("users at {address}"), "/users", READ).await];
        let reached = found.iter().all(|probed| probed.problem.is_none());
        if reached && self.settings.retire_devices {
            let path = "/deviceManagement/managedDevices";
            found.push(self.readable("managed devices", path, DEVICES_READ).await);
        }
        found
    }

    async fn readable(&self, what: &str, path: &str, right: &'static str) -> Probed {
        let call = Call { what: "read one of them", right };
        let page = self.api.get(&format!("{path}?$top=1&$select=id"), &call).await;
        let problem = match page {
            Ok(Some(page)) if page.get("value").is_some_and(Value::is_array) => None,
            Ok(_) => Some("Graph's answer is no listing; is this the address of Graph?".into()),
            Err(Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause)) => {
                Some(sentence(&cause))
            }
        };
        Probed { what: what.to_owned(), problem }
    }
}

fn sentence(cause: &Cause) -> String {
    cause.to_string()
}
