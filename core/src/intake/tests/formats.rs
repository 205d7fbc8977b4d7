use super::*;
use rstest::rstest;

const KEYS: &str = "columns: {employee_number: {from: N}, status: {from: S}, name: {from: NAME}}";

fn names(spec: &FeedSpec, bytes: &[u8]) -> Vec<String> {
    let taken = taken(spec, bytes);
    assert_eq!(taken.set_aside, []);
    taken.statements.into_iter().map(|statement| statement.name.unwrap().last).collect()
}

#[rstest]
#[case::plain("", b"N,S,NAME\n1,active,N\xc3\xba\xc3\xb1ez\n")]
#[case::byte_order_mark("", b"\xef\xbb\xbfN,S,NAME\n1,active,N\xc3\xba\xc3\xb1ez\n")]
#[case::crlf("", b"N,S,NAME\r\n1,active,N\xc3\xba\xc3\xb1ez\r\n")]
#[case::end_mark_of_dos("", b"N,S,NAME\r\n1,active,N\xc3\xba\xc3\xb1ez\r\n\x1a")]
#[case::windows_1252("encoding: windows-1252", b"N,S,NAME\n1,active,N\xfa\xf1ez\n")]
#[case::shuffled_header("", b"name , OTHER,s,n\nN\xc3\xba\xc3\xb1ez,x,active,1\n")]
#[case::semicolons("delimiter: ';'", b"N;S;NAME\n1;active;N\xc3\xba\xc3\xb1ez\n")]
#[case::tabs("delimiter: \"\\t\"", b"N\tS\tNAME\n1\tactive\tN\xc3\xba\xc3\xb1ez\n")]
#[case::no_header("header: false\nnames: [N, S, NAME]", b"1,active,N\xc3\xba\xc3\xb1ez\n")]
#[case::blank_lines("", b"\nN,S,NAME\n\n\n1,active,N\xc3\xba\xc3\xb1ez\n,,\n\n")]
#[case::json_lines(
    "format: json_lines",
    b"{\"X\":[1,{}],\"N\":1,\"S\":\"active\",\"NAME\":\"N\\u00fa\xc3\xb1ez\"}\n"
)]
#[case::json_lines_in_1252(
    "format: json_lines\nencoding: windows-1252",
    b"{\"N\":\"1\",\"S\":\"active\",\"NAME\":\"N\xfa\xf1ez\"}"
)]
#[case::fixed_width(
    "format: fixed_width\ncuts: [{name: N, at: 1, width: 4}, {name: S, at: 5, width: 8}, {name: NAME, at: 13, width: 9}]",
    b"1   active  N\xc3\xba\xc3\xb1ez  rest\n"
)]
#[case::fixed_width_in_1252(
    "format: fixed_width\nencoding: windows-1252\ncuts: [{name: NAME, at: 1, width: 5}, {name: S, at: 6, width: 8}, {name: N, at: 14, width: 9}]",
    b"N\xfa\xf1ezactive  1\r\n"
)]
fn the_same_row_comes_from_every_format(#[case] settings: &str, #[case] bytes: &[u8]) {
    let spec = spec(&format!("mode: delta\n{settings}\n{KEYS}\n"));
    assert_eq!(problems(&spec), []);
    assert_eq!(names(&spec, bytes), ["Núñez"]);
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let spec = spec(&format!("mode: delta\n{KEYS}"));
    let text =
        "N,S,NAME,NOTE\r\n\r\n1,active,a,\"two\r\nlines\"\r\n\r\n\r\n2,active,b,\r\n3,gone,c,\r\n";
    let taken = taken(&spec, text);
    let lines: Vec<u64> = taken.statements.iter().map(|statement| statement.line).collect();
    assert_eq!(lines, [3, 7]);
    assert_eq!(taken.set_aside[0].line, 8);
}

#[rstest]
#[case::not_json("{\"N\":1,", "it is not a JSON object")]
#[case::a_list("[1]", "it is not a JSON object")]
#[case::two_in_a_line("{\"N\":2,\"S\":\"active\",\"NAME\":\"x\"} {}", "it is not a JSON object")]
#[case::absent(
    "{\"N\":2,\"NAME\":\"x\"}",
    "it has no field \"S\" (null says that there is nothing)"
)]
#[case::nested(
    "{\"N\":2,\"S\":{\"a\":[]},\"NAME\":\"x\"}",
    "the field \"S\" is a list or an object; a text, number or null belongs there"
)]
#[case::twice(
    "{\"N\":2,\"S\":\"active\",\"NAME\":\"x\",\"s\":\"departed\"}",
    "the field \"S\" stands in it twice"
)]
fn a_bad_json_row_is_set_aside(#[case] row: &str, #[case] reason: &str) {
    let spec = spec(&format!("mode: delta\nformat: json_lines\n{KEYS}"));
    let text = format!("{{\"N\":1,\"S\":\"active\",\"NAME\":null}}\n{row}\n");
    let taken = taken(&spec, text);
    assert_eq!(taken.set_aside, [SetAside { line: 2, reason: reason.into(), who: None }]);
    assert_eq!(taken.statements[0].name, None);
}

#[test]
fn absent_fields_may_be_agreed_to_be_empty() {
    let spec = spec(&format!("mode: delta\nformat: json_lines\nabsent_fields: empty\n{KEYS}"));
    let text = "{\"N\":1,\"S\":\"active\"}\n{\"N\":2,\"S\":\"active\",\"NAME\":\"x\"}\n";
    assert_eq!(taken(&spec, text).statements.len(), 2);
}

#[rstest]
#[case::split_letter(
    "1   active  abcd\u{e9}\n",
    "the column \"NAME\" cuts a letter in two: the places in `cuts` count bytes, and letters with accents have several in utf-8"
)]
#[case::length("1   active  abcdefg\n", "the line has 19 bytes where 18 belong")]
fn a_bad_fixed_width_row_is_set_aside(#[case] row: &str, #[case] reason: &str) {
    let spec = spec(&format!(
        "mode: delta\nformat: fixed_width\nrecord_bytes: 18\ncuts: [{{name: N, at: 1, width: 4}}, {{name: S, at: 5, width: 8}}, {{name: NAME, at: 13, width: 5}}]\n{KEYS}"
    ));
    let taken = taken(&spec, row);
    assert_eq!(taken.set_aside[0].reason, reason);
}

#[rstest]
#[case::csv(
    "contract: {header: {as_of: 2, formats: ['%Y%m%d'], sequence: 3}, trailer: {count: 2}}",
    "HDR,20261122,17\nN,S,NAME\n1,active,x\nTRL,0001\n"
)]
#[case::json_lines(
    "format: json_lines\ncontract: {header: {as_of: day, sequence: run}, trailer: {count: rows}}",
    "{\"HDR\":true,\"day\":\"2026-11-22\",\"run\":17}\n{\"N\":1,\"S\":\"active\",\"NAME\":\"x\"}\n{\"TRL\":true,\"rows\":1}\n"
)]
#[case::fixed_width(
    "format: fixed_width\ncuts: [{name: N, at: 1, width: 4}, {name: S, at: 5, width: 8}, {name: NAME, at: 13, width: 5}]\ncontract: {header: {as_of: {at: 4, width: 8}, formats: ['%Y%m%d'], sequence: {at: 12, width: 6}}, trailer: {count: {at: 4, width: 6}}}",
    "HDR20261122000017\n1   active  x\nTRL000001\n"
)]
fn header_and_trailer_frame_every_format(#[case] settings: &str, #[case] text: &str) {
    let spec = spec(&format!("mode: delta\n{settings}\n{KEYS}"));
    let taken = taken(&spec, text);
    assert_eq!((taken.rows, taken.sequence), (1, Some(17)));
    assert_eq!(taken.as_of, Some(jiff::civil::date(2026, 11, 22)));
}

#[test]
fn an_empty_delta_with_a_trailer_is_taken() {
    let spec = feed(|spec| spec.mode = spec::Mode::Delta);
    assert_eq!(taken(&spec, format!("{HEADER}TRL,0\n")).rows, 0);
}
