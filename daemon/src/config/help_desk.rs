//! The daemon's own tickets: what becomes one, and its words (H1 to H3).

use lapsed_connectors::tickets::{ProblemType, words};
use lapsed_core::facts::ConnectorName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the daemon can't do by itself becomes a ticket (H1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelpDesk {
    /// The connector that opens the tickets: one of kind `help_desk`.
    pub connector: ConnectorName,
    /// What becomes a ticket: `refused`, `drift`, `deletion_refused`, `set_aside`, `agency_overdue` and
    /// `system_gone`. Requests of `departure.requests` are tickets by their own connector.
    #[serde(default = "all_types")]
    pub types: Vec<ProblemType>,
    /// Minutes between two looks at an open ticket (H2).
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1_440))]
    pub poll_minutes: u32,
    /// So many tickets are opened within 24 hours; what is beyond waits and is listed by `lapsed status`.
    /// A fault that hits everyone must not bury the help desk.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 10_000))]
    pub most_a_day: u32,
    /// Words of your own, by problem type.
    #[serde(default)]
    #[schemars(schema_with = "wording_schema")]
    pub wording: BTreeMap<ProblemType, TicketWords>,
}

/// The words of a ticket, as minijinja templates over `user_id`, `case`, `system`, `what` (the change),
/// `code` (the target's own code), `entry` and `feed` (what was set aside), and `request`; what does not
/// fit the problem is empty. Nothing else about a person is to be had, and nothing of what a target said (P1, P2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketWords {
    /// One line; the key is put before it.
    pub subject: String,
    /// What is to be done.
    pub text: String,
}

fn wording_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names = generator.subschema_for::<ProblemType>();
    let values = generator.subschema_for::<TicketWords>();
    schemars::json_schema!({
        "type": "object",
        "propertyNames": names,
        "additionalProperties": values,
    })
}

fn all_types() -> Vec<ProblemType> {
    // These two are asked by steps of their own.
    let by_step =
        |problem: &ProblemType| matches!(problem, ProblemType::Revocation | ProblemType::Change);
    ProblemType::ALL.into_iter().filter(|problem| !by_step(problem)).collect()
}
fn ten() -> u32 {
    10
}
fn fifty() -> u32 {
    50
}

impl TicketWords {
    /// The words for a problem of which the YAML has none.
    #[must_use]
    pub fn built_in(problem: ProblemType) -> Self {
        let (subject, text) = match problem {
            ProblemType::Refused | ProblemType::Revocation | ProblemType::Change => (
                "{{ system }} refused: {{ what }}",
                "{{ system }} refused to {{ what }}{% if code %} ({{ code }}){% endif %}.\n\
                 Please do it by hand, or mend what stands in the way, and resolve this ticket; it is then \
                 looked at again, and tried again if it is not done.",
            ),
            ProblemType::Drift => (
                "{{ system }}: {{ user_id }} is not as it was",
                "An account in {{ system }} was to be changed ({{ what }}), but is no longer what it was when \
                 that was planned: nothing was changed.\n\
                 Please see whose account it is now, set it right, and resolve this ticket; it is then \
                 planned anew.",
            ),
            ProblemType::DeletionRefused => (
                "{{ system }} refused: {{ what }}",
                "{{ system }} refused to {{ what }}{% if code %} ({{ code }}){% endif %}. The day for it has come.\n\
                 Please see what stands in the way, or delete it by hand, and resolve this ticket; it is then \
                 looked at again. Do not delete anything of a person under a legal hold: lapsed hold list",
            ),
            ProblemType::SetAside => (
                "Feed {{ feed }}: an entry could not be used",
                "An entry of the feed {{ feed }} could not be used and was set aside.\n\
                 Please see what it is (lapsed set-aside list, entry {{ entry }}), have HR correct it, and \
                 resolve this ticket; the entry then counts as settled.",
            ),
            ProblemType::AgencyOverdue => (
                "{{ request }} of {{ user_id }}: not confirmed",
                "{{ system }} was asked to {{ what }} and reminded, and has not confirmed it.\n\
                 Please reach them by phone, and record their confirmation with lapsed; then resolve this \
                 ticket.",
            ),
            ProblemType::SystemGone => (
                "{{ system }} can't be reached",
                "{{ system }} has not answered for days, and changes there wait.\n\
                 Please see whether it is still there and how its accounts can be ended meanwhile. What \
                 waits: lapsed status; whether it answers: lapsed check",
            ),
        };
        let text = format!(
            "{text}\n\n{{% if user_id %}}User ID: {{{{ user_id }}}}\n{{% endif %}}\
             {{% if case %}}Case: {{{{ case }}}}\nThe whole record: lapsed person {{{{ user_id }}}}\n{{% endif %}}"
        );
        Self { subject: subject.to_owned(), text }
    }
}

impl HelpDesk {
    /// Between two looks at an open ticket.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_secs(u64::from(self.poll_minutes) * 60)
    }

    /// The words for a problem.
    #[must_use]
    pub fn words_for(&self, problem: ProblemType) -> TicketWords {
        self.wording.get(&problem).cloned().unwrap_or_else(|| TicketWords::built_in(problem))
    }

    /// What is wrong with the words, by their keys below `help_desk`: each is tried on an example.
    #[must_use]
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let example = example();
        let mut found = Vec::new();
        for (problem, own) in &self.wording {
            for (key, template) in [("subject", &own.subject), ("text", &own.text)] {
                if let Err(error) = words(template, &example) {
                    found.push((format!("wording.{problem}.{key}"), error));
                }
            }
        }
        found
    }
}

fn example() -> Value {
    json!({
        "user_id": "mzsmitj", "case": "00000000-0000-0000-0000-000000000000", "system": "directory",
        "what": "disable account mzsmitj", "code": "LDAP 50", "entry": "0123", "feed": "hr",
        "request": "CIMOR",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_words_can_all_be_carried_out() {
        for problem in ProblemType::ALL {
            let own = TicketWords::built_in(problem);
            for template in [&own.subject, &own.text] {
                let text = words(template, &example()).unwrap();
                assert!(!text.contains("{{") && !text.is_empty(), "{text}");
            }
        }
    }
}
