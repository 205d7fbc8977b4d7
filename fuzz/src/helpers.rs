//! What the privileged helpers are asked: a line of anything.

use lapsed_connectors::command::CommandSettings;
use lapsed_connectors::helper::Caller;
use lapsed_connectors::home::HomeSettings;
use lapsed_core::facts::ConnectorName;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// A root with a home in it, and beside it what nobody may reach.
struct Place {
    _folder: tempfile::TempDir,
    beside: std::path::PathBuf,
    homes: BTreeMap<ConnectorName, HomeSettings>,
}

fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("homes");
        let beside = folder.path().join("beside");
        std::fs::create_dir_all(&root).expect("a root");
        std::fs::write(&beside, "kept").expect("a file");
        let settings = serde_json::json!({
            "kind": "home", "roots": [root], "path": format!("{}/{{{{ user_id }}}}", root.display()),
        });
        let settings = serde_json::from_value(settings).expect("settings of homes");
        let name = ConnectorName::new("homes").expect("a name");
        Place { _folder: folder, beside, homes: BTreeMap::from([(name, settings)]) }
    })
}

pub fn home(data: &[u8]) {
    let place = place();
    let line = String::from_utf8_lossy(data);
    drop(lapsed_connectors::home::helper::answer(&line, &place.homes, Caller::Daemon));
    assert!(Path::new(&place.beside).exists(), "the helper reached beside its root");
}

pub fn command(data: &[u8]) {
    static COMMANDS: OnceLock<BTreeMap<ConnectorName, CommandSettings>> = OnceLock::new();
    let commands = COMMANDS.get_or_init(|| {
        let settings = serde_json::json!({
            "kind": "command", "program": "/bin/true", "operations": ["observe", "revoke", "probe"],
        });
        let settings = serde_json::from_value(settings).expect("settings of a program");
        BTreeMap::from([(ConnectorName::new("other").expect("a name"), settings)])
    });
    // The program is another connector's than any request names: what is tried is the reading alone.
    let line = String::from_utf8_lossy(data).replace("\"other\"", "\"mainframe\"");
    let answer = lapsed_connectors::command::helper::answer(&line, commands, Caller::Daemon);
    drop(crate::serving::runtime().block_on(answer));
}
