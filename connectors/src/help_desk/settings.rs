//! What the YAML says of a help desk, and what of it can't be.

use super::presets::{self, Known};
use super::shape::{Operations, RequestTemplate, Statuses};
use super::templates::{self, Into, render};
use crate::http::{self, HttpTimeouts, LoginSettings};
use crate::settings::{SettingsError, SettingsProblem};
use crate::tickets::ProblemType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// That it is a help desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HelpDeskKind {
    /// A help desk that is reached over HTTP.
    HelpDesk,
}

/// Which product it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Request Tracker 5 (REST 2).
    RequestTracker,
    /// SolarWinds Web Help Desk. Never run live.
    WebHelpDesk,
    /// Any other, by `operations` and `statuses`.
    Custom,
}

/// A help desk: requests to end access by hand become tickets (H1), and the daemon's own tickets go
/// there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelpDeskSettings {
    /// `help_desk`.
    pub kind: HelpDeskKind,
    /// `request_tracker`, `web_help_desk` or `custom`.
    pub preset: Preset,
    /// Address: `https://host[:port][/path]`; `http://` on this machine's loopback only.
    pub url: String,
    /// A PEM file with the certificates of your own authority; only these are then trusted.
    /// Without it the machine's own list is.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How the daemon logs on.
    #[serde(default)]
    pub login: LoginSettings,
    /// Who gets tickets of which no other group is named: the queue (Request Tracker), the number of
    /// the request type (Web Help Desk).
    pub group: String,
    /// Who gets tickets of a problem type, where it is not `group` (H1).
    #[serde(default)]
    #[schemars(schema_with = "groups_schema")]
    pub groups: BTreeMap<ProblemType, String>,
    /// The priority of tickets of which no other is named; the help desk's own default where absent.
    #[serde(default)]
    pub priority: Option<i64>,
    /// The priority by problem type.
    #[serde(default)]
    #[schemars(schema_with = "priorities_schema")]
    pub priorities: BTreeMap<ProblemType, i64>,
    /// The mail address in whose name tickets are opened.
    pub requester: String,
    /// Custom fields that the help desk wants filled (H1), by name (Request Tracker) or number (Web
    /// Help Desk).
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// What the help desk's own words mean; the preset's where absent.
    #[serde(default)]
    pub statuses: Option<Statuses>,
    /// What is asked of the help desk; for `custom` only.
    #[serde(default)]
    pub operations: Option<Operations>,
    /// The words of a request to end access.
    #[serde(default)]
    pub request: RequestWords,
    /// The words of a request to give access (A11).
    #[serde(default = "ChangeWords::grant")]
    pub grant_request: ChangeWords,
    /// The words of a request to rename access (A11).
    #[serde(default = "ChangeWords::rename")]
    pub rename_request: ChangeWords,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: HttpTimeouts,
}

/// A map by problem type: the derived schema says nothing of keys.
fn by_problem(generator: &mut schemars::SchemaGenerator, values: Value) -> schemars::Schema {
    let names = generator.subschema_for::<ProblemType>();
    schemars::json_schema!({
        "type": "object",
        "propertyNames": names,
        "additionalProperties": values,
    })
}

fn groups_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    by_problem(generator, json!({ "type": "string" }))
}

fn priorities_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    by_problem(generator, json!({ "type": "integer", "format": "int64" }))
}

/// The words of a request to end access, as minijinja templates over `request`, `user_id`, `last_day`,
/// `location` and `case`. A person's name is not among them: who may know it finds it by the user ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestWords {
    /// One line; the key is put before it.
    pub subject: String,
    /// What is to be done.
    pub text: String,
}

impl Default for RequestWords {
    fn default() -> Self {
        Self {
            subject: "End access to {{ request }} of {{ user_id }}".into(),
            text: "The person with the user ID {{ user_id }} has left{% if location %} ({{ location }}){% endif %}.\n\
                   Please end all their access to {{ request }}, and resolve this ticket when it is ended.\n\
                   {% if last_day %}Last day of access: {{ last_day }}.\n{% endif %}\
                   If it can't be ended, or they never had any, say so and reject or resolve it accordingly.\n\n\
                   Case {{ case }}. The name and the record of the case: lapsed person {{ user_id }}\n"
                .into(),
        }
    }
}

/// The words of a request to give or to rename access: as those to end it, with `form` (our form's number)
/// and `from` (the user ID before a rename).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWords {
    /// One line; the key is put before it.
    pub subject: String,
    /// What is to be done.
    pub text: String,
}

impl ChangeWords {
    /// Built-in words that ask to give access.
    #[must_use]
    pub fn grant() -> Self {
        Self {
            subject: "Give access to {{ request }} to {{ user_id }}".into(),
            text: "Please give the person with the user ID {{ user_id }} access to {{ request }}\
                   {% if location %} ({{ location }}){% endif %}, as form {{ form }} says, and resolve this ticket \
                   when it is given.\n\
                   Everyone who has to approve it has done so. If it can't be given, say why and reject this \
                   ticket.\n\n\
                   The form, with the name: lapsed form {{ form }}\n"
                .into(),
        }
    }

    /// Built-in words that ask to rename access.
    #[must_use]
    pub fn rename() -> Self {
        Self {
            subject: "Rename {{ from }} to {{ user_id }} in {{ request }}".into(),
            text: "The person with the user ID {{ from }} has the user ID {{ user_id }} by now.\n\
                   Please change user ID, name and mail address of their account in {{ request }}, as form \
                   {{ form }} says, leave their access as it is, and resolve this ticket when it is done.\n\
                   If they have no account there, resolve it; if it can't be done, say why and reject it.\n\n\
                   The form, with the new name: lapsed form {{ form }}\n"
                .into(),
        }
    }
}

impl HelpDeskSettings {
    pub(super) fn known(&self) -> Option<Known> {
        match self.preset {
            Preset::RequestTracker => Some(presets::request_tracker()),
            Preset::WebHelpDesk => Some(presets::web_help_desk()),
            Preset::Custom => None,
        }
    }

    /// What is asked, and what the answers' words mean.
    pub(super) fn shape(&self) -> Result<(Operations, Statuses), SettingsProblem> {
        let missing = |key: &'static str| {
            let advice = "is missing; the preset `custom` needs it";
            SettingsProblem::new(key, advice)
        };
        let known = self.known();
        let (operations, statuses) = match known {
            Some(known) => (Some(known.operations), Some(known.statuses)),
            None => (self.operations.clone(), None),
        };
        let operations = operations.ok_or_else(|| missing("operations"))?;
        let statuses = self.statuses.clone().or(statuses).ok_or_else(|| missing("statuses"))?;
        Ok((operations, statuses))
    }

    /// Who gets tickets of this kind.
    #[must_use]
    pub fn group_of(&self, problem: ProblemType) -> &str {
        self.groups.get(&problem).unwrap_or(&self.group)
    }

    /// With which priority.
    #[must_use]
    pub fn priority_of(&self, problem: ProblemType) -> Option<i64> {
        self.priorities.get(&problem).copied().or(self.priority)
    }

    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn all_problems(&self) -> Vec<SettingsProblem> {
        let mut found = http::problems(&self.url, &self.login, &self.timeouts);
        let mut wrong = |key: &'static str, problem: String| {
            found.push(SettingsProblem::new(key, problem));
        };
        if self.group.trim().is_empty() {
            wrong("group", "is empty; name the queue or group that gets the tickets".into());
        }
        if self.requester.trim().is_empty() {
            wrong("requester", "is empty; write a mail address".into());
        }
        if self.preset != Preset::Custom && self.operations.is_some() {
            let advice = "is for the preset `custom`; leave it out, or write `preset: custom`";
            wrong("operations", advice.into());
        }
        if self.preset == Preset::WebHelpDesk {
            let groups = std::iter::once(&self.group).chain(self.groups.values());
            if let Some(group) = groups.into_iter().find(|group| group.parse::<u32>().is_err()) {
                let advice = "Web Help Desk takes the number of a request type";
                wrong("group", format!("{group:?} is no number; {advice}"));
            }
        }
        for (key, template) in [
            ("request.subject", &self.request.subject),
            ("request.text", &self.request.text),
            ("grant_request.subject", &self.grant_request.subject),
            ("grant_request.text", &self.grant_request.text),
            ("rename_request.subject", &self.rename_request.subject),
            ("rename_request.text", &self.rename_request.text),
        ] {
            if let Err(error) = render(Into::Text, template, &request_example()) {
                wrong(key, format!("is no template that can be carried out: {error}"));
            }
        }
        match self.shape() {
            Err(problem) => found.push(problem),
            Ok((operations, statuses)) => {
                found.extend(operation_problems(&operations));
                if statuses.resolved.is_empty() {
                    let advice =
                        "is empty, so that no ticket would ever be resolved; list the words";
                    found.push(SettingsProblem::new("statuses.resolved", advice));
                }
            }
        }
        found
    }

    pub(super) fn checked(&self) -> Result<(Operations, Statuses), SettingsError> {
        let problems = self.all_problems();
        if !problems.is_empty() {
            return Err(SettingsError(problems));
        }
        self.shape().map_err(|problem| SettingsError(vec![problem]))
    }
}

fn request_example() -> Value {
    json!({
        "request": "CIMOR", "user_id": "mzsmitj", "last_day": "2026-11-20",
        "location": "Central Office", "case": "00000000-0000-0000-0000-000000000000",
        "form": 7, "from": "mzroej",
    })
}

/// Each template tried on an example.
fn operation_problems(operations: &Operations) -> Vec<SettingsProblem> {
    let ticket = json!({
        "url": "https://desk.example.org", "key": "lapsed-0123456789ab", "number": "1",
        "subject": "subject", "text": "text", "group": "1", "priority": 1,
        "requester": "lapsed@example.org", "fields": { "1": "value" },
    });
    let mut found = Vec::new();
    let requests = [
        ("search", &operations.search.request),
        ("create", &operations.create.request),
        ("status", &operations.status.request),
        ("comment", &operations.comment.request),
    ];
    for (name, request) in requests {
        if let Err(problem) = try_request(request, &ticket) {
            found.push(SettingsProblem::new(format!("operations.{name}.request"), problem));
        }
    }
    if !uses(&operations.search.request, &ticket, "key") {
        let advice = "gives the same whatever `key` is, so that every ticket would be taken for any other; put `{{ key }}` in";
        found.push(SettingsProblem::new("operations.search.request", advice));
    }
    let expressions = [
        ("search.tickets", &operations.search.tickets),
        ("search.number", &operations.search.number),
        ("search.subject", &operations.search.subject),
        ("create.number", &operations.create.number),
        ("status.status", &operations.status.status),
    ];
    let nothing = json!({ "reply": {}, "ticket": {} });
    for (name, expression) in expressions {
        if let Err(error) = templates::evaluate(expression, &nothing) {
            let problem = format!("is no expression that can be worked out: {error}");
            found.push(SettingsProblem::new(format!("operations.{name}"), problem));
        }
    }
    if let Some(page) = &operations.page
        && let Err(error) = render(Into::Text, page, &ticket)
    {
        let problem = format!("is no template that can be carried out: {error}");
        found.push(SettingsProblem::new("operations.page", problem));
    }
    found
}

fn try_request(request: &RequestTemplate, values: &Value) -> Result<(), String> {
    let failed = |error: minijinja::Error| format!("can't be carried out: {error}");
    let path = render(Into::Path, &request.path, values).map_err(failed)?;
    if !path.starts_with('/') {
        return Err("has a path that does not begin with /; write it as it follows `url`".into());
    }
    for template in request.query.values() {
        render(Into::Text, template, values).map_err(failed)?;
    }
    if let Some(body) = &request.body {
        let text = render(Into::Json, body, values).map_err(failed)?;
        serde_json::from_str::<Value>(&text)
            .map_err(|error| format!("has a body that gives no JSON: {error}"))?;
    }
    Ok(())
}

/// Whether what is sent depends on a value.
fn uses(request: &RequestTemplate, values: &Value, name: &str) -> bool {
    let sent = |values: &Value| {
        let texts = std::iter::once((Into::Path, &request.path))
            .chain(request.query.values().map(|template| (Into::Text, template)))
            .chain(request.body.iter().map(|template| (Into::Json, template)));
        texts.map(|(into, template)| render(into, template, values).ok()).collect::<Vec<_>>()
    };
    let mut other = values.clone();
    if let Some(value) = other.get_mut(name) {
        *value = json!("another");
    }
    sent(values) != sent(&other)
}
