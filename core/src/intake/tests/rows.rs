use super::*;
use crate::facts::{EmployeeNumber, PersonName, Status};
use jiff::civil::date;
use rstest::rstest;

#[test]
fn a_good_row_says_all_that_it_has_and_nothing_unmapped() {
    let row = r#"004711,"Smith Jr, John",123-45-6789,Former employee,01/31/2001,11/20/2026,dismissal , fulton state hospital"#;
    let taken = taken(&feed(|_| ()), drop_of(&[row]));
    let statement = &taken.statements[0];
    assert_eq!(statement.line, 2);
    assert_eq!(statement.employee_number, Some(EmployeeNumber::new("004711").unwrap()));
    let name = PersonName { last: "Smith Jr".into(), first: "John".into(), preferred: None };
    assert_eq!(statement.name, Some(name));
    assert_eq!(statement.status, Status::Departed);
    assert_eq!(statement.starts_on, Some(date(2001, 1, 31)));
    assert_eq!(statement.ends_on, Some(date(2026, 11, 20)));
    assert!(statement.for_cause);
    assert_eq!(statement.worksite.as_ref().unwrap().as_str(), "b");
    assert_eq!(statement.kind.as_ref().unwrap().as_str(), "staff");
    assert_eq!((taken.rows, taken.headcount, taken.repeated), (1, 1, 0));
    assert_eq!((taken.set_aside, taken.notes), (vec![], vec![]));
    assert!(!format!("{statement:?}").contains("6789"), "the unmapped column is dropped");
}

#[rstest]
#[case::no_key(",Li,,Employed,,,,", None, "it has neither an employee number nor a user ID")]
#[case::status(
    "1,Li,,LOA-PD,,,,",
    Some("employee 000001"),
    "the status \"LOA-PD\" is not in the table `columns.status.values`"
)]
#[case::status_with_protected_number(
    "1,Li,,123-45-6789,,,,",
    Some("employee 000001"),
    "the status \"***-**-****\" is not in the table `columns.status.values`"
)]
#[case::status_with_terminal_escapes(
    "1,Li,,\u{202e}gone,,,,",
    Some("employee 000001"),
    "the status \"\\u{202e}gone\" is not in the table `columns.status.values`"
)]
#[case::impossible_date(
    "1,Li,,Employed,,02/30/2026,,",
    Some("employee 000001"),
    "the end date \"02/30/2026\" is no date in the form %m/%d/%Y or %Y-%m-%d"
)]
#[case::slipped_column(
    "1,Li,,Employed,,12 Elm Street,,",
    Some("employee 000001"),
    "the end date (not shown) is no date in the form %m/%d/%Y or %Y-%m-%d"
)]
#[case::protected_number_as_date(
    "1,Li,,Employed,,123-45-6789,,",
    Some("employee 000001"),
    "the end date \"***-**-****\" is no date in the form %m/%d/%Y or %Y-%m-%d"
)]
#[case::far_date(
    "1,Li,,Employed,01/01/0026,,,",
    Some("employee 000001"),
    "the start date 0026-01-01 is too far from our time to be meant"
)]
#[case::end_before_start(
    "1,Li,,Former employee,11/20/2026,11/19/2026,,",
    Some("employee 000001"),
    "the end date 2026-11-19 lies before the start date 2026-11-20"
)]
#[case::too_many_columns(
    "1,Li,Ann,,Employed,,,,",
    None,
    "it has 9 columns where 8 belong: a delimiter too many or too few, perhaps an unquoted comma in a name"
)]
#[case::too_few_columns(
    "1,Li,,Employed",
    None,
    "it has 4 columns where 8 belong: a delimiter too many or too few, perhaps an unquoted comma in a name"
)]
#[case::control_character(
    "1,Li\u{1b}[2J,,Employed,,,,",
    Some("employee 000001"),
    "the name has control characters in it"
)]
#[case::line_end_in_a_mapped_cell(
    "1,\"Li\nAnn\",,Employed,,,,",
    Some("employee 000001"),
    "the name has control characters in it"
)]
#[case::control_character_in_the_key(
    "1\u{7},Li,,Employed,,,,",
    None,
    "the employee number has control characters in it"
)]
#[case::long_key(
    &format!("{},Li,,Employed,,,,", "7".repeat(65)), None,
    "the employee number is too long"
)]
#[case::long_name(
    &format!("1,{},,Employed,,,,", "n".repeat(257)), Some("employee 000001"),
    "the name is longer than 256 characters"
)]
#[case::social_security_number_as_key(
    "123-45-6789,Li,,Employed,,,,",
    None,
    "the employee number has the form of a social security number, which must not be sent (P1)"
)]
#[case::spreadsheet(
    "1.23457E+11,Li,,Employed,,,,",
    None,
    "the employee number \"1.23457E+11\" was damaged by a spreadsheet; export it as text"
)]
fn a_bad_row_is_set_aside_and_the_others_go_on(
    #[case] row: &str,
    #[case] who: Option<&str>,
    #[case] reason: &str,
) {
    let good = "000009,\"Doe, Jane\",,Employed,,,,";
    let taken = taken(&feed(|_| ()), drop_of(&[row, good]));
    let aside = SetAside { line: 2, reason: reason.into(), who: who.map(str::to_owned) };
    assert_eq!(taken.set_aside, [aside]);
    assert_eq!(taken.statements.len(), 1);
    assert_eq!(taken.rows, 2);
}

#[rstest]
#[case::unknown_worksite(
    "1,Li,,Employed,,,,Atlantis",
    "the worksite \"Atlantis\" is not in the table `columns.worksite.table`: taken as unknown"
)]
#[case::departed_without_date(
    "1,Li,,Former employee,,12/31/9999,,",
    "it is departed without an end date: that means now"
)]
fn what_is_odd_but_clear_is_taken_with_a_remark(#[case] row: &str, #[case] remark: &str) {
    let taken = taken(&feed(|_| ()), drop_of(&[row]));
    let note = Note { line: 2, text: remark.into(), who: Some("employee 000001".into()) };
    assert_eq!(taken.notes, [note]);
    assert_eq!(taken.statements.len(), 1);
    assert_eq!(taken.statements[0].worksite, None);
    assert_eq!(taken.statements[0].ends_on, None);
}

#[test]
fn formulas_and_directory_syntax_in_cells_are_just_text() {
    let row = r#"=1+1,"=HYPERLINK(""http://x"",""y""), *)(uid=*",,Employed,,,,"#;
    let taken = taken(&feed(|_| ()), drop_of(&[row]));
    let statement = &taken.statements[0];
    assert_eq!(statement.employee_number.as_ref().unwrap().as_str(), "=1+1");
    assert_eq!(statement.name.as_ref().unwrap().last, "=HYPERLINK(\"http://x\"");
}

#[test]
fn rows_that_contradict_each_other_are_both_set_aside() {
    let rows =
        ["7,Li,,Employed,,,,", "8,Doe,,Employed,,,,", "0007,Li,,Former employee,,11/20/2026,,"];
    let taken = taken(&feed(|_| ()), drop_of(&rows));
    let aside = |line, other| SetAside {
        line,
        reason: format!(
            "it contradicts line {other}, which has the same key and other content (status, ends_on): neither is taken"
        ),
        who: Some("employee 000007".into()),
    };
    assert_eq!(taken.set_aside, [aside(2, 4), aside(4, 2)]);
    assert_eq!(taken.statements.len(), 1);
    assert_eq!(taken.headcount, 2);
}

#[test]
fn a_row_is_not_taken_beside_one_of_the_same_key_that_cannot_be_read() {
    let rows = ["7,Li,,Former employee,,11/20/2026,,", "8,Doe,,Employed,,,,", "7,Li,,???,,,,"];
    let taken = taken(&feed(|_| ()), drop_of(&rows));
    let reasons: Vec<(u64, &str)> =
        taken.set_aside.iter().map(|row| (row.line, row.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (2, "line 4 has the same key and can't be read, so which of them is right is unknown"),
            (4, "the status \"???\" is not in the table `columns.status.values`"),
        ]
    );
    assert_eq!(taken.statements.len(), 1);
}

#[test]
fn a_row_that_is_repeated_is_taken_once() {
    let row = "7,Li,,Employed,,,,";
    let taken = taken(&feed(|_| ()), drop_of(&[row, row, row]));
    assert_eq!((taken.statements.len(), taken.repeated, taken.rows), (1, 2, 3));
    assert_eq!(taken.notes[0].text, "it is the same as line 2: taken once");
    assert_eq!(taken.notes[0].line, 3);
}

#[test]
fn two_records_of_one_person_are_two_engagements() {
    let yaml = "{mode: delta, columns: {employee_number: {from: N}, record: {from: R}, status: {from: S}}}";
    let taken = taken(&spec(yaml), "N,R,S\n7,0,active\n7,1,departed\n");
    assert_eq!((taken.statements.len(), taken.headcount), (2, 1));
}

#[rstest]
#[case("Smith, John", "last_first", "Smith", "John")]
#[case("De La Cruz III , Ana María", "last_first", "De La Cruz III", "Ana María")]
#[case("Smith, John, Jr", "last_first", "Smith", "John, Jr")]
#[case("Madonna", "last_first", "Madonna", "")]
#[case("John Q Smith", "first_last", "Smith", "John Q")]
fn a_combined_name_is_parted(
    #[case] name: &str,
    #[case] order: &str,
    #[case] last: &str,
    #[case] first: &str,
) {
    let yaml = format!(
        "{{mode: delta, delimiter: '|', columns: {{employee_number: {{from: N}}, status: {{from: S}}, name: {{from: NAME, order: {order}}}}}}}"
    );
    let taken = taken(&spec(&yaml), format!("N|S|NAME\n7|active|{name}\n"));
    let name = taken.statements[0].name.clone().unwrap();
    assert_eq!((name.last.as_str(), name.first.as_str()), (last, first));
}

#[test]
fn an_expression_makes_a_value_from_columns() {
    let yaml = r#"
mode: delta
columns:
  user_id: { from: "{{ E_Mail | split('@') | first | lower }}" }
  status: { from: "{% if Last_Day %}departed{% else %}active{% endif %}" }
  ends_on: { from: Last Day }
"#;
    let taken = taken(&spec(yaml), "E-Mail,Last Day\nMZSmitJ@dmh.example,2026-11-20\nmzdoej@x,\n");
    let ids: Vec<_> =
        taken.statements.iter().map(|s| s.user_id.as_ref().unwrap().as_str()).collect();
    assert_eq!(ids, ["mzsmitj", "mzdoej"]);
    assert_eq!(taken.statements[0].status, Status::Departed);
    assert_eq!(taken.statements[1].status, Status::Active);
}

#[test]
fn an_expression_that_fails_sets_its_row_aside_without_quoting_it() {
    let yaml = r#"{mode: delta, columns: {user_id: {from: U}, status: {from: "{{ 'active' if (N | int) > 0 else 'departed' }}"}}}"#;
    let taken = taken(&spec(yaml), "U,N\na,1\nb,secret\n");
    assert_eq!(
        taken.set_aside[0].reason,
        "the expression for the status fails on this row: invalid operation"
    );
}

#[test]
fn an_expression_that_never_ends_is_stopped() {
    let yaml = r#"{mode: delta, columns: {user_id: {from: U}, status: {from: "{% for a in range(9999) %}{% for b in range(9999) %}{{ U }}{% endfor %}{% endfor %}"}}}"#;
    let taken = taken(&spec(yaml), "U\na\n");
    assert_eq!(
        taken.set_aside[0].reason,
        "the expression for the status fails on this row: engine ran out of fuel"
    );
}

#[test]
fn protected_numbers_in_mapped_text_are_not_kept() {
    let yaml = "{mode: delta, columns: {user_id: {from: U}, status: {from: S}, last_name: {from: L}, first_name: {from: F}, worksite: {from: W}, kind: {from: K}}}";
    let taken = taken(
        &spec(yaml),
        "U,S,L,F,W,K\na,active,Li 123-45-6789,123456789,123-45-6789,123-45-6789\n",
    );
    let statement = &taken.statements[0];
    let name = statement.name.clone().unwrap();
    assert_eq!((name.last.as_str(), name.first.as_str()), ("Li ***-**-****", "*********"));
    assert_eq!((&statement.worksite, &statement.kind), (&None, &None));
    assert!(!format!("{taken:?}").contains("6789"));
}
