//! What good configurations mean.

use super::super::{DatabaseUrl, Role, Schedule, SecretSource, policy_changes, schema};
use super::{SMALL, parse, with};

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    warnings.iter().map(ToString::to_string).collect()
}

fn config(text: &str) -> super::Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}")).0
}

#[test]
fn the_small_configuration_is_good_and_has_the_defaults() {
    let config = config(SMALL);
    assert_eq!(warnings(SMALL), Vec::<String>::new());
    assert_eq!(config.time_zone.iana_name(), Some("America/Chicago"));
    assert_eq!(config.policy.time_zone, "America/Chicago");
    assert_eq!(config.schedule, Schedule::default());
    assert_eq!(config.inbox.poll().as_secs(), 10);
    assert!(matches!(config.state.database, DatabaseUrl::Sqlite(_)));
}

#[test]
fn every_default_pattern_has_a_next_time() {
    let now = "2026-11-22T12:00[America/Chicago]".parse().unwrap();
    let schedule = Schedule::default();
    for pattern in [&schedule.full_reconcile, &schedule.recheck] {
        assert!(pattern.next_after(&now).is_some_and(|next| next > now), "{pattern}");
    }
}

#[test]
fn the_nightly_run_stays_at_its_hour_over_a_change_of_clocks() {
    let before: jiff::Zoned = "2026-10-31T12:00[America/Chicago]".parse().unwrap();
    let pattern = Schedule::default().full_reconcile;
    let first = pattern.next_after(&before).unwrap();
    let second = pattern.next_after(&first).unwrap();
    assert_eq!(first.to_string(), "2026-11-01T02:30:00-06:00[America/Chicago]");
    assert_eq!(second.to_string(), "2026-11-02T02:30:00-06:00[America/Chicago]");
}

#[test]
fn keys_that_look_like_other_types_stay_texts() {
    let more = "  1: { name: Hawthorn, class: facility }\n  no: { name: 007, class: facility }\n  n: { name: yes, class: facility }\n  03: { name: 1.50, class: facility }\n";
    let config = config(&format!("{SMALL}{more}"));
    let ids: Vec<&str> = config.policy.locations.keys().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["03", "1", "n", "no", "y", "z"]);
    let names: Vec<&str> = config.policy.locations.values().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["1.50", "Hawthorn", "yes", "007", "Contract providers", "Central Office"]);
}

#[test]
fn anchors_and_merge_keys_are_written_out() {
    let text = with(
        "  z:\n    name: Central Office\n    class: central_office\n  y:\n",
        "  b: &facility { name: Fulton, class: facility }\n  c: { <<: *facility, name: Northwest }\n  d: *facility\n  y:\n",
    );
    let config = config(&text);
    let names: Vec<&str> = config.policy.locations.values().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["Fulton", "Northwest", "Fulton", "Contract providers"]);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    config(&format!("\u{feff}{}", SMALL.replace('\n', "\r\n")));
}

#[test]
fn secrets_are_only_ever_places() {
    let text = with(
        "  database: sqlite:///var/lib/lapsed/state.db",
        "  database: postgres://lapsed@db.example.org/lapsed\n  password_credential: db-password",
    );
    let config = config(&text);
    let Some(SecretSource::Credential(name)) = config.state.password() else {
        panic!("no credential")
    };
    assert_eq!(name.as_str(), "db-password");
    let source = SecretSource::Credential(name);
    assert_eq!(source.path(None), None);
    assert_eq!(source.path(Some("/run/c".as_ref())), Some("/run/c/db-password".into()));
}

#[test]
fn a_caller_has_the_highest_role_that_names_them() {
    let text = with(
        "operator:\n      groups: [account-management]",
        "viewer: { users: [ann, bob] }\n    operator: { users: [bob], groups: [am] }\n    administrator: { groups: [root] }",
    );
    let roles = config(&text).control.roles;
    let groups = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(roles.of("ann", &[]), Some(Role::Viewer));
    assert_eq!(roles.of("bob", &[]), Some(Role::Operator));
    assert_eq!(roles.of("ann", &groups(&["am"])), Some(Role::Operator));
    assert_eq!(roles.of("eve", &groups(&["root"])), Some(Role::Administrator));
    assert_eq!(roles.of("eve", &groups(&["users"])), None);
}

#[test]
fn deletions_whose_connector_is_not_set_up_are_a_warning() {
    let text = format!("{SMALL}departure:\n  mailbox: {{ connector: mail, retention_days: 14 }}\n");
    insta::assert_snapshot!(warnings(&text).join("\n\n"));
}

#[test]
fn nobody_who_may_release_is_a_warning_and_so_is_a_shell_variable() {
    let text = with(
        "    operator:\n      groups: [account-management]\n",
        "    viewer: { users: [\"${USER}\"] }\n",
    );
    insta::assert_snapshot!(warnings(&text).join("\n\n"));
}

#[test]
fn a_reload_tells_what_changed_by_path() {
    let old = config(SMALL);
    let new = config(&format!(
        "{}departure:\n  recheck_days: [1]\n  mailbox: {{ connector: mail, retention_days: 10 }}\n",
        with("name: Central Office", "name: Head Office"),
    ));
    insta::assert_snapshot!(policy_changes(&old, &new).join("\n"));
    assert_eq!(policy_changes(&old, &old), Vec::<String>::new());
}

#[test]
fn holidays_come_out_of_the_calendar_file_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lapsed.yaml");
    std::fs::write(&path, format!("{SMALL}work_days:\n  calendar_file: holidays.ics\n")).unwrap();
    let event = "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Founders' Day\r\nDTSTART;VALUE=DATE:20261117\r\nEND:VEVENT";
    let calendar =
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}\r\nEND:VCALENDAR\r\n");
    std::fs::write(folder.path().join("holidays.ics"), calendar).unwrap();
    let (config, _) = super::super::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!config.policy.work_days.is_work_day(jiff::civil::date(2026, 11, 17)));
    assert!(config.policy.work_days.is_work_day(jiff::civil::date(2026, 11, 18)));
    std::fs::write(folder.path().join("holidays.ics"), "nonsense").unwrap();
    let message = super::super::load(&path).unwrap_err().to_string();
    assert!(
        message.contains("work_days.calendar_file: the text is not one whole iCalendar"),
        "{message}"
    );
}

#[test]
fn the_schema_names_its_draft_and_closes_every_section() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
}
