//! Shapes of access forms: what is handed in, and what is shown.

use super::StepView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `form submit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitFormRequest {
    /// Name of the form's file.
    pub file_name: String,
    /// The form, JSON or YAML.
    pub text: String,
    /// The scans that it names.
    #[serde(default)]
    pub scans: Vec<SentFile>,
}

/// A file that comes with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentFile {
    /// Its name, without a path.
    pub file: String,
    /// Its bytes, base64.
    pub content: String,
}

/// `lapsed form submit`: what became of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FiledView {
    /// The form's number.
    pub number: u64,
    /// The same form was taken before: nothing was changed.
    pub known: bool,
    /// What happens now.
    pub message: String,
}

/// Body of `gate record` and `gate withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRequest {
    /// User ID, employee number or person id.
    pub person: String,
    /// The gate, by its name in the YAML.
    pub gate: String,
    /// When it was signed or done; absent where it is taken back.
    pub on: Option<jiff::civil::Date>,
    /// The scan that shows it.
    #[serde(default)]
    pub document: Option<SentFile>,
    /// It is taken back, and why.
    #[serde(default)]
    pub withdraw: Option<String>,
}

/// `lapsed form list`: access forms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessFormsView {
    /// By number, the newest first.
    pub forms: Vec<AccessFormLine>,
}

/// One access form in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessFormLine {
    /// Its number.
    pub number: u64,
    /// Which form, by its name in the YAML.
    pub form: String,
    /// What it asks for: `new`, `change`, …
    pub asks: String,
    /// Whom it is about: user ID or employee number, or else the person's id.
    pub person: String,
    /// `waiting`, `approved`, `in_place`, `denied` or `ended`.
    pub state: String,
    /// Who filed it.
    pub filed_by: String,
    /// When.
    pub filed_at: String,
    /// What is missing and who has to act, in words; empty when nothing is.
    pub missing: Vec<String>,
}

/// `lapsed form N`: everything about one access form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessFormView {
    /// Its number.
    pub number: u64,
    /// Which form, by its name in the YAML.
    pub form: String,
    /// The form's title.
    pub title: String,
    /// Its own id.
    pub id: String,
    /// Counts up whenever it is written anew.
    pub revision: u32,
    /// SHA-256 of what it says and of all that decides who approves it: approvals are bound to it.
    pub hash: String,
    /// What it asks for: `new`, `change`, …
    pub asks: String,
    /// Whom it is about: user ID or employee number, or else the person's id.
    pub person: String,
    /// `waiting`, `approved`, `in_place`, `denied` or `ended`.
    pub state: String,
    /// Why it ended, if it did.
    pub ended_because: Option<String>,
    /// Who filed it.
    pub filed_by: String,
    /// When.
    pub filed_at: String,
    /// What it says beside its systems, field by field.
    pub says: Vec<FieldView>,
    /// What the form says of its own signatures: a claim, and no approval.
    pub signatures: Vec<String>,
    /// The scans that are kept with it.
    pub scans: Vec<ScanView>,
    /// What it asks for, each part with its own chain.
    pub parts: Vec<PartView>,
    /// What was said to it, in order; also what was said to an earlier revision and counts no more.
    pub decisions: Vec<String>,
    /// What is missing and who has to act; empty when nothing is.
    pub missing: Vec<String>,
    /// What is done because of it, with where that stands.
    pub steps: Vec<StepView>,
    /// Groups that the person had before they left: offered, not given by themselves (D10).
    pub old_groups: Vec<String>,
}

/// A field of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldView {
    /// Its name, as the form writes it.
    pub field: String,
    /// What it says.
    pub value: String,
}

/// A scan that is kept with a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanView {
    /// What it is.
    pub what: String,
    /// Name of its file.
    pub file: String,
    /// SHA-256, under which it lies in the documents folder.
    pub sha256: String,
}

/// A part of a form: a system, or the form as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartView {
    /// What it asks for: `cimor as nurse`.
    pub what: String,
    /// `waits for approval`, `approved` or `denied`.
    pub state: String,
    /// The roles that decide on it, in order.
    pub chain: Vec<ChainStepView>,
    /// Gates that its person has not passed yet, with who sees to each.
    pub missing: Vec<String>,
}

/// One role of a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainStepView {
    /// The role, by its name in the YAML.
    pub role: String,
    /// Its title, for people.
    pub title: String,
    /// `approved`, `next`, `later`, `denied` or `not asked`.
    pub state: String,
    /// Who said so, when and why, where it was said.
    pub said: String,
}
