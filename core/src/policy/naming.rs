//! User IDs by the naming standard (N).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Naming rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NamingPolicy {}
