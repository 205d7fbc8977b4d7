//! What `check` tries: each search, for somebody whom no system knows.

use super::Rest;
use crate::contract::Probed;
use crate::http::{Kind, Request, fault_of};
use lapsed_core::facts::{EmployeeNumber, UserId};
use lapsed_core::observed::PersonKeys;

/// Nobody's user ID and number.
const NOBODY: &str = "lapsed-looks-for-nobody";

impl Rest {
    pub(super) async fn try_all(&self) -> Vec<Probed> {
        let address = self.http.address();
        if self.settings.find.is_empty() {
            // Of a system that only takes orders, a look at its address is all that changes nothing.
            let what = format!("the way to {address}");
            let reply = self.http.send(Request::get("")).await;
            let problem = match reply {
                Err(failed) => Some(failed.fault("reach it", Kind::Looks).to_string()),
                Ok(reply) if matches!(reply.status.as_u16(), 401 | 403) => {
                    fault_of(&reply, "log on", Kind::Looks).map(|fault| fault.to_string())
                }
                Ok(_) => None,
            };
            return vec![Probed { what, problem }];
        }
        let nobody = PersonKeys {
            user_ids: UserId::new(NOBODY).into_iter().collect(),
            employee_numbers: EmployeeNumber::new(NOBODY).into_iter().collect(),
            ids: Vec::new(),
            homes: Vec::new(),
        };
        let problem = match self.accounts_of(&[nobody]).await {
            Ok(found) if found.is_empty() => None,
            Ok(_) => Some("finds accounts for what nobody has; correct `find`".to_owned()),
            Err(fault) => Some(fault.to_string()),
        };
        vec![Probed {
            what: format!("searches for accounts at {address} with its log-on"),
            problem,
        }]
    }
}
