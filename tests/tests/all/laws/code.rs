//! Laws about what stands where in the code.

use super::{SHIPPED, Source, place, places, places_of_any, product, root, uphold};
use std::fs;

/// Lines of Rust that a file outside tests may have.
const LONGEST_FILE: usize = 600;

/// Longer files, each with the reason why it is not split.
const LONGER_FILES: [(&str, &str); 0] = [];

/// Sources outside every one of these places.
fn outside(sources: Vec<Source>, allowed: &[&str]) -> Vec<Source> {
    sources.into_iter().filter(|s| !allowed.iter().any(|place| s.path.starts_with(place))).collect()
}

#[test]
fn core_knows_no_clock_file_socket_thread_environment_or_randomness() {
    let core = product(&["core/src"]);
    let broken = places_of_any(
        &core,
        &[
            &["std", ":", ":", "net"],
            &["std", ":", ":", "fs"],
            &["std", ":", ":", "env"],
            &["std", ":", ":", "thread"],
            &["std", ":", ":", "process"],
            &["std", ":", ":", "io"],
            &["SystemTime", ":", ":", "now"],
            &["Instant", ":", ":", "now"],
            &["Timestamp", ":", ":", "now"],
            &["Zoned", ":", ":", "now"],
            &["TimeZone", ":", ":", "system"],
            &["Uuid", ":", ":", "new_v4"],
            &["Uuid", ":", ":", "now_v7"],
            &["async", "fn"],
        ],
    );
    uphold("core is pure: the moment, ids and bytes are arguments, and values go out.", &broken);
}

#[test]
fn the_database_is_spoken_to_in_the_store_alone() {
    // Databases of other systems are targets, not our state.
    let spoken = ["daemon/src/store", "migrations/src", "connectors/src/sql"];
    let rest = outside(product(&SHIPPED), &spoken);
    let mut broken =
        places_of_any(&rest, &[&["sea_orm"], &["sea_orm_migration"], &["sea_query"], &["sqlx"]]);
    for source in &rest {
        let sql = source.tokens.iter().filter(|token| is_sql(&token.text));
        broken.extend(sql.map(|token| place(source, token, &token.text)));
    }
    uphold(
        "SQL and sea-orm are in daemon/src/store, migrations and the sql connector only.",
        &broken,
    );
}

/// True for a text that begins like a statement; upper case, as SQL is written here.
fn is_sql(token: &str) -> bool {
    let Some(text) = token.strip_prefix('"').or_else(|| token.strip_prefix("r#\"")) else {
        return false;
    };
    let begins = |word: &&str| text.trim_start().starts_with(*word);
    ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "PRAGMA ", "BEGIN "]
        .iter()
        .any(begins)
}

#[test]
fn each_directory_keeps_its_own_words_to_itself() {
    let rest = outside(
        product(&SHIPPED),
        &["connectors/src/directory/active_directory", "connectors/src/directory/dialect"],
    );
    let mut broken = Vec::new();
    for source in &rest {
        let named = source.tokens.iter().filter(|token| {
            token.text.to_ascii_lowercase().contains("useraccountcontrol")
                || token.text.contains("user_account_control")
        });
        broken.extend(named.map(|token| place(source, token, &token.text)));
    }
    uphold("userAccountControl is known to Active Directory's dialect only.", &broken);
}

#[test]
fn ldap_is_spoken_by_the_directory_connector_alone() {
    let rest = outside(product(&SHIPPED), &["connectors/src/directory"]);
    let broken = places_of_any(&rest, &[&["ldap3"], &["lber"]]);
    uphold("Only connectors/src/directory uses ldap3 and lber.", &broken);
}

#[test]
fn yaml_is_read_by_the_configuration_alone() {
    let rest = outside(product(&SHIPPED), &["daemon/src/config"]);
    let broken = places_of_any(&rest, &[&["serde_yaml"], &["serde_saphyr"]]);
    uphold("Only daemon/src/config uses serde_yaml.", &broken);
}

#[test]
fn nothing_shipped_is_unsafe_or_gives_up() {
    let all = product(&SHIPPED);
    let mut broken = places_of_any(
        &all,
        &[
            &["unsafe"],
            &[".", "unwrap", "(", ")"],
            &[".", "unwrap_err", "(", ")"],
            &[".", "expect_err", "("],
            &["panic", "!"],
            &["unreachable", "!"],
            &["todo", "!"],
            &["unimplemented", "!"],
            &["process", ":", ":", "abort"],
        ],
    );
    // A parser may have an `expect` of its own, which takes no sentence.
    for source in &all {
        let runs = source.tokens.windows(4).filter(|run| {
            run[0].text == "." && run[1].text == "expect" && run[3].text.starts_with('"')
        });
        broken.extend(runs.map(|run| place(source, &run[1], "expect")));
    }
    uphold("No unsafe, unwrap, expect or panic outside tests: failures are values.", &broken);
}

#[test]
fn who_decides_has_no_hands() {
    let deciding = ["take", "decide", "departing", "cases"];
    let files: Vec<String> =
        deciding.iter().map(|name| format!("daemon/src/cycle/{name}.rs")).collect();
    let cycle = product(&["daemon/src/cycle"]);
    let sources: Vec<Source> =
        cycle.into_iter().filter(|source| files.contains(&source.path)).collect();
    assert_eq!(sources.len(), files.len(), "one of {files:?} is gone: say here where it went");
    let broken = places_of_any(&sources, &[&["Hands"], &["Apply"], &["Executor"]]);
    uphold(
        "What takes drops, decides and plans can't change a target: it never names Hands.",
        &broken,
    );
}

#[test]
fn the_daemon_listens_on_no_network() {
    let all = product(&SHIPPED);
    let broken = places_of_any(&all, &[&["TcpListener"], &["UdpSocket"], &["bind_tcp"]]);
    uphold("The only way in is the Unix socket: nothing listens on a network.", &broken);
}

#[test]
fn certificates_are_always_checked() {
    let all = product(&SHIPPED);
    let broken = places_of_any(
        &all,
        &[&["set_no_tls_verify"], &["danger_accept_invalid_certs"], &["ServerCertVerifier"]],
    );
    uphold("No code can leave a server's certificate unchecked.", &broken);
}

#[test]
fn deciding_never_waits_by_the_clock() {
    let deciding = product(&["core/src", "daemon/src/cycle"]);
    let broken = places(&deciding, &["sleep"]);
    uphold(
        "Nothing in core or in a round sleeps: what is to happen later is a date in the store.",
        &broken,
    );
}

#[test]
fn files_are_short_enough_to_be_read_whole() {
    let mut broken = Vec::new();
    for source in product(&SHIPPED) {
        // Tests at the end of a file don't count: they are read by themselves.
        let lines = source.text.split("#[cfg(test)]\nmod ").next().unwrap_or("").lines().count();
        let listed = LONGER_FILES.iter().find(|(path, _)| *path == source.path);
        match listed {
            None if lines > LONGEST_FILE => {
                broken.push(format!("{}:{lines}: {lines} lines; split it by subject", source.path));
            }
            Some((path, reason)) if lines <= LONGEST_FILE => {
                broken.push(format!("{path}:1: is short again; strike its reason: {reason}"));
            }
            _ => {}
        }
    }
    uphold(
        "No file outside tests has more than 600 lines, unless it is listed with a reason.",
        &broken,
    );
}

#[test]
fn every_crate_is_under_the_lints_of_the_workspace() {
    let mut broken = Vec::new();
    for name in ["core", "connectors", "daemon", "migrations", "tests"] {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            broken.push(format!("{name}/Cargo.toml:1: has no `[lints] workspace = true`"));
        }
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for lint in ["unsafe_code = \"forbid\"", "unwrap_used = \"deny\"", "expect_used = \"deny\""] {
        if !workspace.contains(lint) {
            broken.push(format!("Cargo.toml:1: has no {lint}"));
        }
    }
    uphold("The compiler itself refuses unsafe code and unwrap in every crate.", &broken);
}

#[test]
fn no_lint_is_silenced_without_a_reason() {
    let mut broken = Vec::new();
    for source in product(&SHIPPED) {
        for (index, token) in source.tokens.iter().enumerate() {
            let opens = source.tokens.get(index + 1).is_some_and(|next| next.text == "(");
            if !(matches!(token.text.as_str(), "allow" | "expect") && opens) || index == 0 {
                continue;
            }
            let rest = &source.tokens[index..];
            let inside = rest.iter().take_while(|token| token.text != ")");
            let inside: Vec<_> = inside.map(|token| token.text.as_str()).collect();
            let names_lint = inside.contains(&"clippy")
                || inside
                    .iter()
                    .any(|text| matches!(*text, "dead_code" | "unused" | "missing_docs"));
            if names_lint && !inside.contains(&"reason") {
                broken.push(place(&source, token, &inside.concat()));
            }
        }
    }
    uphold("Every silenced lint says why.", &broken);
}
