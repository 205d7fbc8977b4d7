//! Work days: the agency's weekdays less its holidays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Work day rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkDays {}
