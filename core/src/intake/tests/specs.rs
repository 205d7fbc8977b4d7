use super::*;
use rstest::rstest;

#[test]
fn a_right_spec_has_no_problems_and_survives_a_round_trip() {
    let spec = spec(FEED);
    assert_eq!(problems(&spec), []);
    let text = serde_yaml::to_string(&spec).unwrap();
    assert_eq!(serde_yaml::from_str::<FeedSpec>(&text).unwrap(), spec);
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<FeedSpec>(&json).unwrap(), spec);
}

#[test]
fn columns_called_like_yaml_booleans_and_numbers_are_columns() {
    let spec = spec(
        "{mode: delta, columns: {employee_number: {from: NO}, user_id: {from: 3}, status: {from: Y}}}",
    );
    let from = |column: &Option<spec::TextColumn>| column.as_ref().unwrap().from.clone();
    assert_eq!(from(&spec.columns.user_id), Source::Column("3".into()));
    assert_eq!(spec.columns.status.unwrap().from, Source::Column("Y".into()));
}

#[test]
fn the_editor_gets_help_for_every_key() {
    let schema = serde_json::to_value(schemars::schema_for!(FeedSpec)).unwrap();
    let described = |of: &serde_json::Value| {
        of["properties"].as_object().unwrap().values().all(|key| key.get("description").is_some())
    };
    assert!(described(&schema));
    assert!(described(&schema["$defs"]["Columns"]) && described(&schema["$defs"]["Contract"]));
}

#[rstest]
#[case::key("{mode: full, colums: {}}")]
#[case::source("{mode: full, columns: {user_id: {from: {fixed: x}}, status: {from: S}}}")]
#[case::status(
    "{mode: full, columns: {user_id: {from: U}, status: {from: S, values: {gone: away}}}}"
)]
#[case::empty_source("{mode: full, columns: {user_id: {from: ''}, status: {from: S}}}")]
fn a_misspelt_spec_is_refused(#[case] yaml: &str) {
    assert!(serde_yaml::from_str::<FeedSpec>(yaml).is_err());
}

#[rstest]
#[case::no_key(
    "columns: {status: {from: S}}",
    "`columns` must map `employee_number` or `user_id`: people are never matched by name alone (D1)"
)]
#[case::no_status("columns: {user_id: {from: U}}", "`columns` must map `status`")]
#[case::constant_key(
    "columns: {user_id: {from: {constant: x}}, status: {from: S}}",
    "`columns.user_id.from` can't be a constant: it tells people apart"
)]
#[case::two_names(
    "columns: {user_id: {from: U}, status: {from: S}, name: {from: N}, last_name: {from: L}}",
    "`columns.name` is the whole name; leave out `last_name` and `first_name`, or it"
)]
#[case::half_a_date(
    "columns: {user_id: {from: U}, status: {from: S}, ends_on: {from: E, formats: ['%m/%d']}}",
    "`columns.ends_on.formats` has \"%m/%d\", which is no pattern for a whole date; write it like \"%m/%d/%Y\""
)]
#[case::two_meanings(
    "columns: {user_id: {from: U}, status: {from: S, values: {Gone: departed, ' gone': active}}}",
    "`columns.status.values` gives two meanings to \"Gone\" (case doesn't count)"
)]
#[case::expression(
    "columns: {user_id: {from: '{{ U | }}'}, status: {from: S}}",
    "`columns` has an expression for the user ID that is wrong: syntax error: unexpected end of variable block, expected identifier"
)]
#[case::names(
    "header: false\ncolumns: {user_id: {from: U}, status: {from: S}}",
    "`names` must name all columns, since `header` is false"
)]
#[case::unknown_column(
    "header: false\nnames: [USR, STATUS]\ncolumns: {user_id: {from: USER}, status: {from: STATUS}}",
    "`columns` ask for \"USER\", which is not in `names` (the nearest is \"USR\")"
)]
#[case::cuts(
    "format: fixed_width\ncuts: [{name: U, at: 0, width: 3}, {name: S, at: 4, width: 1}]\ncolumns: {user_id: {from: U}, status: {from: S}}",
    "`cuts` count bytes from 1 and have at least one byte"
)]
#[case::delimiter(
    "delimiter: é\ncolumns: {user_id: {from: U}, status: {from: S}}",
    "`delimiter` must be one ASCII character, no quote or line end"
)]
#[case::place(
    "format: json_lines\ncolumns: {user_id: {from: U}, status: {from: S}}\ncontract: {trailer: {}}",
    "`contract.trailer.count` must be a column's number from 2 (csv), a field's name (json_lines) or `at` and `width` (fixed_width)"
)]
#[case::two_sequences(
    "columns: {user_id: {from: U}, status: {from: S}}\ncontract: {file_name: 'a{sequence}', trailer: {sequence: 3}}",
    "`contract` has several places for the sequence number; keep one of `file_name`, `header.sequence` and `trailer.sequence`"
)]
#[case::gaps(
    "columns: {user_id: {from: U}, status: {from: S}}\ncontract: {gaps: false}",
    "`contract.gaps` can't be seen without a sequence number"
)]
#[case::percent(
    "columns: {user_id: {from: U}, status: {from: S}}\ncontract: {largest_drop_percent: 120}",
    "`contract.largest_drop_percent` must be from 0 to 100"
)]
fn a_spec_that_makes_no_sense_is_named(#[case] yaml: &str, #[case] problem: &str) {
    let spec = spec(&format!("mode: full\n{yaml}\n"));
    let found: Vec<String> = problems(&spec).iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|found| found == problem), "{found:#?}");
    assert!(matches!(
        take(&spec, b"x", None, "", None),
        Err(Rejection::Misconfigured(problems)) if problems.len() == found.len()
    ));
}
