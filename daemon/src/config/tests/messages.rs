//! Bad configurations and the whole message that each gets.

use super::{SMALL, refusal, with};

macro_rules! refused {
    ($($name:ident: $text:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let text: String = $text.into();
                insta::assert_snapshot!(refusal(&text));
            }
        )*
    };
}

refused! {
    a_typo_in_a_key_names_the_nearest_key: with("time_zone:", "timezone:");
    a_key_in_the_wrong_section_is_told_its_place: with("  name: Department\n", "  name: Department\n  poll_seconds: 5\n");
    a_key_like_no_other_lists_the_known_ones: with("  name: Department\n", "  name: Department\n  xyzzy: 5\n");
    a_duplicate_key_names_the_first: with("  name: Department\n", "  name: Department\n  name: Other\n");
    a_missing_section_and_a_missing_key: with("  name: Department\n", "").replace("state:\n  database: sqlite:///var/lib/lapsed/state.db\n", "");
    a_wrong_type: with("groups: [account-management]", "groups: account-management");
    a_number_in_quotes: with("  folder:", "  poll_seconds: \"5\"\n  folder:");
    a_number_out_of_range: with("  folder:", "  poll_seconds: 0\n  folder:");
    a_yes_that_is_no_boolean: format!("{SMALL}departure:\n  scramble_password: yes\n");
    two_errors_at_once: with("America/Chicago", "America/Chicgo").replace("class: central_office", "class: central_ofice");
    errors_of_every_layer_at_once: format!(
        "{}departure:\n  effective: noon\n  linked_accounts: [\"adm-{{{{ user }}}}\"]\nschedule:\n  full_reconcile: \"30 2 * *\"\n",
        with("  name: Department\n", "  name: Department\n  nam: x\n"),
    );
    a_time_zone_that_is_not_there: with("America/Chicago", "Amerika/Tschikago");
    a_fixed_offset_is_no_zone: with("America/Chicago", "UTC-6");
    a_bad_cron_pattern: format!("{SMALL}schedule:\n  full_reconcile: \"30 25 * * *\"\n");
    times_of_audit_and_rosters_that_never_come: format!("{SMALL}access:\n  audit: {{ at: nightly }}\n  reports:\n    roster_at: \"0 6 32 * *\"\n    yearly_at: \"\"\n    yearly_to: [\"cso at dmh\"]\n    location_roles: [lso]\n");
    templates_of_access_that_can_not_be_carried_out: format!("{SMALL}access:\n  accounts:\n    mail_address: \"{{{{ first \"\n    display_name: \"{{{{ surname }}}}\"\n  systems:\n    files: {{ title: Files, connector: directory, groups: [\"Files {{{{ place }}}}\"] }}\n    wards: {{ title: Wards, connector: directory, roles: {{ nurse: {{ title: Nurse, groups: [\"Ward {{{{ ward }}}}\"] }} }} }}\n");
    an_unknown_location_class: with("class: central_office", "class: Facility");
    an_unknown_role: with("operator:", "security_officer:");
    an_unknown_rule_in_citations: format!("{SMALL}citations:\n  D99: Our own clause\n");
    a_relative_path: with("/srv/inbox", "srv/inbox");
    a_path_that_climbs: with("/srv/inbox", "/srv/../etc");
    a_literal_password_is_refused_and_not_shown: with("state:\n", "state:\n  password: hunter2\n");
    a_password_in_a_url_is_refused_and_not_shown: with("sqlite:///var/lib/lapsed/state.db", "postgres://lapsed:hunter2@db.example.org/lapsed");
    two_places_for_one_secret: with("state:\n", "state:\n  password_file: /a\n  password_credential: b\n");
    inbox_folders_that_are_one: with("/srv/accepted", "/srv/inbox");
    an_alarm_for_a_feed_that_is_not_there: format!("{SMALL}schedule:\n  late_feed:\n    hrm: \"07:00\"\n");
    a_time_that_is_none: format!("{SMALL}schedule:\n  late_feed:\n    hr: 7am\n");
    a_percentage_over_a_hundred: format!("{SMALL}guard:\n  departures:\n    per_run_percent: 101\n");
    a_linked_account_that_is_the_same_for_all: format!("{SMALL}departure:\n  linked_accounts: [administrator]\n");
    a_template_that_does_not_compile: format!("{SMALL}departure:\n  stamp: \"left {{{{ date\"\n");
    a_week_without_work_days: format!("{SMALL}work_days:\n  weekend: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]\n");
    a_holiday_of_no_kind: format!("{SMALL}work_days:\n  yearly:\n    - name: A\n      falls: {{ fixd: {{ month: 1, day: 1 }} }}\n    - name: B\n      falls: {{ fixed: {{ month: 13, day: 1, observd: none }} }}\n");
    a_date_that_never_was: format!("{SMALL}work_days:\n  holidays:\n    - date: 2026-02-30\n");
    a_naming_rule_for_a_location_that_is_not_there: format!("{SMALL}naming:\n  kinds:\n    staff: {{ form: staff, location: q }}\n");
    feeds_whose_files_overlap: with("connectors:", "  pay:\n    files: \"*-delta.csv\"\n    mode: delta\n    columns: { user_id: { from: UID }, status: { from: S } }\nconnectors:");
    a_typo_deep_in_a_feed: with("status: { from: STATUS }", "status: { from: STATUS, value: { A: gone } }");
    a_wrong_value_deep_in_a_feed: with("status: { from: STATUS }", "status: { from: STATUS, values: { A: gone } }");
    a_mapping_that_is_neither_text_nor_constant: with("{ from: STATUS }", "{ from: { const: x } }");
    a_plain_ldap_address: with("ldaps://ldap.example.org", "ldap://ldap.example.org");
    an_unknown_kind_of_connector: with("kind: openldap", "kind: open_ldap");
    a_bind_without_a_password: with(", password_credential: directory", "");
    a_password_of_a_connector: with("password_credential: directory", "password: hunter2");
    a_base_that_is_no_name: with("[\"ou=people,dc=example,dc=org\"]", "[people]");
    a_connector_path_that_is_relative: with("    kind: openldap", "    ca_file: ca.pem\n    kind: openldap");
    several_mistakes_in_lists: format!("{SMALL}departure:\n  recheck_days: [0, x, 70000, 0]\n  linked_accounts: [\"{{{{ a\", [b], \"{{{{ c\"]\nwork_days:\n  holidays: [{{ date: 2026-02-30 }}, {{ date: 2026-02-31 }}]\n");
    a_worksite_and_a_kind_that_are_not_there: with("status: { from: STATUS }", "status: { from: STATUS }\n      worksite: { from: LOC, table: { Rolla: q } }\n      kind: { from: KIND, table: { S: stuff } }");
    a_feed_that_matches_by_nothing: with("employee_number: { from: EMPLID }", "last_name: { from: NAME }");
    a_directory_that_should_delete_mailboxes: format!("{SMALL}departure:\n  mailbox: {{ connector: directory, retention_days: 14 }}\n");
    a_location_with_a_mistake_is_not_missed_elsewhere: with("class: unstated", "class: unstatd");
    one_location_in_two_cases: format!("{SMALL}  Z:\n    name: Other\n    class: facility\n");
    an_empty_value_where_one_is_needed: with("name: Department", "name:");
    a_personal_device_without_its_agreement: format!("{SMALL}access:\n  systems:\n    telephone: {{ title: Mail on a telephone, connector: directory, personal_device: true }}\n");
    a_tab_as_indentation: with("  name: Department", "\tname: Department");
    an_unclosed_quote: with("name: Department", "name: \"Department");
    an_unclosed_bracket: with("[account-management]", "[account-management");
    an_empty_file: String::new();
    a_file_of_comments: "# nothing\n";
    a_list_instead_of_sections: "- a\n- b\n";
    a_second_document: format!("{SMALL}---\nagency: 1\n");
    a_tag: with("name: Department", "name: !!python/object Department");
    terminal_escapes_are_not_sent: with("  name: Department\n", "  name: Department\n  \"a\\e[31mb\": \"\u{202e}x\"\n");
}

#[test]
fn what_is_not_utf8_is_named_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lapsed.yaml");
    std::fs::write(&path, b"agency:\n  name: Universit\xe9\n").unwrap();
    let message = super::super::load(&path).unwrap_err().to_string();
    insta::assert_snapshot!(message.replace(&*folder.path().to_string_lossy(), "."));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let message = super::super::load("/nonexistent/lapsed.yaml".as_ref()).unwrap_err().to_string();
    insta::assert_snapshot!(message);
}

#[test]
fn machines_get_the_same_as_json() {
    let errors = super::parse(&with("time_zone:", "timezone:")).unwrap_err();
    insta::assert_json_snapshot!(errors.to_json());
}

#[test]
fn days_without_use_are_refused_where_nobody_can_list_accounts() {
    const OMIS: &str = r#"connectors:
  omis:
    kind: rest
    url: https://omis.example.org
    find: [{ by: user_id, path: "/users?login={{ user_id }}" }]
    account: { id: account.id, user_id: account.login, enabled: account.open }
    look: { path: "/users/{{ id }}", gone: "body.code == 'none'" }
    revoke: { path: "/users/{{ id }}/lock" }
"#;
    let system = |days: &str| {
        let rule = format!("title: OMIS, connector: omis{days}");
        format!("{}access:\n  systems:\n    omis: {{ {rule} }}\n", with("connectors:\n", OMIS))
    };
    let told = refusal(&system(", lock_after_days: 60"));
    assert!(told.contains("access.systems.omis.lock_after_days"), "{told}");
    assert!(told.contains("can't list its accounts"), "{told}");
    assert!(told.contains("1 error"), "{told}");
}
