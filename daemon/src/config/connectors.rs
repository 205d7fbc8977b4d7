//! Connectors as the YAML writes them: one line a kind.

use lapsed_connectors::agency_form::AgencyFormSettings;
use lapsed_connectors::command::CommandSettings;
use lapsed_connectors::directory::settings::DirectorySettings;
use lapsed_connectors::help_desk::HelpDeskSettings;
use lapsed_connectors::home::HomeSettings;
use lapsed_connectors::mailbox::dovecot::DovecotSettings;
use lapsed_connectors::mailbox::graph::GraphSettings;
use lapsed_connectors::rest::RestSettings;
use lapsed_connectors::scim::ScimSettings;
use lapsed_connectors::settings::ConnectorKind;
use lapsed_connectors::sql::SqlSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident($settings:ty) = $name:literal for $kinds:pat,)*) => {
        /// A target, told apart by `kind`.
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(untagged)]
        #[non_exhaustive]
        pub enum ConnectorSettings {
            $($(#[$doc])* $variant(Box<$settings>),)*
        }

        impl ConnectorSettings {
            /// What every kind of connector has to say.
            #[must_use]
            pub fn of_kind(&self) -> &dyn ConnectorKind {
                match self {
                    $(Self::$variant(settings) => settings.as_ref(),)*
                }
            }
        }

        impl Serialize for ConnectorSettings {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(settings) => settings.serialize(serializer),)*
                }
            }
        }

        /// The variant that a word under `kind` means.
        fn variant_of(kind: &str) -> Option<&'static str> {
            match kind {
                $($kinds => Some($name),)*
                _ => None,
            }
        }
    };
}

kinds! {
    /// `active_directory` or `openldap`.
    Directory(DirectorySettings) = "directory" for "active_directory" | "openldap",
    /// `home`.
    Home(HomeSettings) = "home" for "home",
    /// `dovecot`.
    Dovecot(DovecotSettings) = "dovecot" for "dovecot",
    /// `graph`.
    Graph(GraphSettings) = "graph" for "graph",
    /// `sql`.
    Sql(SqlSettings) = "sql" for "sql",
    /// `command`.
    Command(CommandSettings) = "command" for "command",
    /// `scim`.
    Scim(ScimSettings) = "scim" for "scim",
    /// `rest`.
    Rest(RestSettings) = "rest" for "rest",
    /// `help_desk`.
    HelpDesk(HelpDeskSettings) = "help_desk" for "help_desk",
    /// `agency_form`.
    AgencyForm(AgencyFormSettings) = "agency_form" for "agency_form",
}

/// Puts every connector below the name of its variant, chosen by `kind`: serde's own ways to choose by
/// a key within no longer say at which key an error is.
pub(super) fn by_kind(json: &mut Value) {
    let connectors = json.get_mut("connectors").and_then(Value::as_object_mut);
    for connector in connectors.into_iter().flat_map(Map::values_mut) {
        let kind = connector.get("kind").and_then(Value::as_str);
        let variant = kind.and_then(variant_of).unwrap_or("directory");
        let settings = connector.take();
        *connector = Value::Object(Map::from_iter([(variant.to_owned(), settings)]));
    }
}
