use super::*;
use rstest::rstest;

const ROW: &str = "1,Li,,Employed,,,,\n";

#[rstest]
#[case::empty("", "the file is empty; ask HR to send it again")]
#[case::blank(" \r\n\n", "the file is empty; ask HR to send it again")]
#[case::only_a_mark("\u{feff}", "the file is empty; ask HR to send it again")]
#[case::no_rows(
    "EMPLID,NAME,SSN,STATUS,HIRED,LEFT,REASON,SITE\nTRL,0\n",
    "the file names its columns and has no rows; ask HR whether the export ran, and to send it again"
)]
#[case::truncated(
    &format!("{HEADER}{ROW}TRL,412\n"),
    "the trailer says 412 rows and the file has 1: it was cut off; ask HR to send it again"
)]
#[case::too_many(
    &format!("{HEADER}{ROW}2,Li,,Employed,,,,\nTRL,1\n"),
    "the trailer says 1 rows and the file has 2: it has more than was announced; ask HR to send it again"
)]
#[case::no_trailer(
    &format!("{HEADER}{ROW}"),
    "the file has no trailer line (TRL): it was cut off; ask HR to send it again"
)]
#[case::trailer_cut(
    &format!("{HEADER}{ROW}TRL,1"),
    "the trailer has no line end, so its last number may have been cut off; ask HR to send it again, or set `contract.trailer.line_end: optional` if this feed never has one"
)]
#[case::trailer_without_count(
    &format!("{HEADER}{ROW}TRL\n"),
    "the trailer line (3) has no number of rows where the contract has it; ask HR whether the layout changed"
)]
#[case::joined(
    &format!("{HEADER}{ROW}TRL,1\n{ROW}TRL,1\n"),
    "line 4 stands after the trailer: two files were joined; ask HR to send it again"
)]
#[case::two_trailers(
    &format!("{HEADER}{ROW}TRL,1\nTRL,1\n"),
    "the trailer line (4) is not in its place: header first, trailer last, each once; ask HR to send the file again"
)]
#[case::cut_in_a_row(
    &format!("{HEADER}{ROW}2,Li,,Empl"),
    "the last line (3) breaks off in the middle: the file was cut off; ask HR to send it again"
)]
#[case::wrong_columns(
    "EMPL_ID,NAME,STATUS,HIRED,LEFT,REASON,LOCATION\n",
    "the file has no column \"EMPLID\" (the nearest is \"EMPL_ID\"), \"SITE\"; ask HR whether the layout changed, and correct `columns` if so"
)]
#[case::data_for_a_header(
    "1,\"Smith, John\",123-45-6789,Employed,,,,\n",
    "the file has no column \"EMPLID\", \"NAME\", \"STATUS\", \"HIRED\", \"LEFT\", \"REASON\", \"SITE\"; ask HR whether the layout changed, and correct `columns` if so"
)]
#[case::double_column(
    "EMPLID,NAME,STATUS,HIRED,LEFT,REASON,SITE,emplid\n",
    "the file has two columns called \"EMPLID\", and which one is meant can't be known; ask HR to name them apart"
)]
#[case::binary(
    &format!("{HEADER}{ROW}\0\n"),
    "the file is binary: a zero byte stands at byte 65 (line 3); ask HR to send the text file"
)]
#[case::workbook(
    "PK\u{3}\u{4}",
    "the file is a workbook or a zip archive, not text; ask HR to export it as CSV or plain text"
)]
#[case::unterminated_quote(
    &format!("{HEADER}{ROW}2,\"Li,,Employed,,,,\n{ROW}TRL,3\n"),
    "a quotation mark opened on line 3 is never closed: the file was cut off or badly written; ask HR to send it again, or set `quoting: false` if this feed never quotes"
)]
fn a_drop_that_is_not_whole_is_rejected_whole(#[case] text: &str, #[case] sentence: &str) {
    assert_eq!(rejected(&feed(|_| ()), text), sentence);
}

#[rstest]
#[case::utf16(b"\xff\xfeE\0M\0", "", "the file is UTF-16, not text; ask HR to export it as UTF-8")]
#[case::not_utf8(
    b"EMPLID\n1,N\xfa\xf1ez\n",
    "utf-8",
    "the file is not utf-8: a byte that can't stand there at byte 10 (line 2); ask HR how it was saved, or set `encoding`"
)]
#[case::cut_letter(
    b"EMPLID\n1,N\xc3",
    "utf-8",
    "the file is not utf-8: a byte that can't stand there at byte 10 (line 2); ask HR how it was saved, or set `encoding`"
)]
#[case::utf8_for_1252(
    "EMPLID\n1,Núñez\n".as_bytes(), "windows-1252",
    "the file is not windows-1252: a letter in utf-8, like all others, at byte 10 (line 2); ask HR how it was saved, or set `encoding`"
)]
#[case::mark_in_1252(
    "\u{feff}EMPLID\n".as_bytes(), "windows-1252",
    "the file is not windows-1252: the byte order mark of utf-8 at byte 0 (line 1); ask HR how it was saved, or set `encoding`"
)]
#[case::empty_code_in_1252(
    b"EMPLID\n1,\x81\n",
    "windows-1252",
    "the file is not windows-1252: a byte that has no meaning there at byte 9 (line 2); ask HR how it was saved, or set `encoding`"
)]
fn a_drop_in_another_encoding_is_rejected(
    #[case] bytes: &[u8],
    #[case] encoding: &str,
    #[case] sentence: &str,
) {
    let spec = feed(|spec| {
        if encoding == "windows-1252" {
            spec.encoding = spec::Encoding::Windows1252;
        }
    });
    assert_eq!(rejected(&spec, bytes), sentence);
}

#[test]
fn an_endless_line_is_refused_after_its_first_mebibyte() {
    let mut text = format!("{HEADER}{ROW}").into_bytes();
    text.resize(8 << 20, b'x');
    assert_eq!(
        rejected(&feed(|_| ()), &text),
        "line 3 has more than 1048576 bytes; this is not the agreed file, or `contract.max_line_bytes` is too low"
    );
}

#[test]
fn a_record_of_many_short_lines_is_as_long_as_all_of_them() {
    let lines = "x\n".repeat(600_000);
    let sentence = rejected(&feed(|_| ()), format!("{HEADER}1,\"{lines}\",,Employed,,,,\nTRL,1\n"));
    assert!(sentence.starts_with("a quotation mark opened on line 2"), "{sentence}");
}

#[test]
fn a_file_that_is_too_long_is_refused_by_its_length_alone() {
    let spec = feed(|spec| spec.contract.max_bytes = 10);
    assert_eq!(
        rejected(&spec, "12345678901"),
        "the file has 11 bytes and the most is 10; if that is right, raise `contract.max_bytes`"
    );
}

#[test]
fn a_file_with_too_many_rows_is_refused() {
    let spec = feed(|spec| spec.contract.max_rows = 1);
    assert_eq!(
        rejected(&spec, format!("{HEADER}{ROW}{ROW}TRL,2\n")),
        "the file has more than 1 rows; if that is right, raise `contract.max_rows`"
    );
}

#[test]
fn json_without_a_mapped_field_anywhere_is_a_changed_layout() {
    let spec = spec(
        "{mode: delta, format: json_lines, columns: {employee_number: {from: emplid}, status: {from: status}, ends_on: {from: term_date}}}",
    );
    let row = "{\"emplid\":1,\"status\":\"departed\",\"term_dt\":\"2026-12-31\",\"ssn\":\"123-45-6789\"}\n";
    assert_eq!(
        rejected(&spec, row),
        "the file has no column \"term_date\" (the nearest is \"term_dt\"); ask HR whether the layout changed, and correct `columns` if so"
    );
    assert_eq!(
        rejected(&spec, format!("{row}{{\"emplid\":")),
        "the last line (2) breaks off in the middle: the file was cut off; ask HR to send it again"
    );
}

#[rstest]
#[case::right("size=65\nsha256=DIGEST\n", None)]
#[case::of_sha256sum("DIGEST *hr.csv\n", None)]
#[case::size_only("size = 65", None)]
#[case::size(
    "size=66\n",
    Some(
        "the .done file says 66 bytes and the file has 65: it was cut off; ask HR to send it again"
    )
)]
#[case::digest(
    "sha256=0000000000000000000000000000000000000000000000000000000000000000\n",
    Some(
        "the file's SHA-256 digest is DIGEST and the .done file says 0000000000000000000000000000000000000000000000000000000000000000: the file was damaged or exchanged; ask HR to send both again"
    )
)]
#[case::empty(
    "",
    Some(
        "the .done file beside it has neither a `size=` or `sha256=` line nor a line of sha256sum; ask HR to write it as agreed"
    )
)]
#[case::nonsense(
    "size=many",
    Some(
        "the .done file beside it has neither a `size=` or `sha256=` line nor a line of sha256sum; ask HR to write it as agreed"
    )
)]
fn the_file_beside_the_drop_must_agree(#[case] done: &str, #[case] sentence: Option<&str>) {
    let spec = feed(|spec| {
        spec.contract.done = spec::Done::Required;
        spec.contract.trailer = None;
    });
    let text = format!("{HEADER}{ROW}").into_bytes();
    assert_eq!(text.len(), 65);
    let digest = digest(&text);
    let done = done.replace("DIGEST", &digest);
    let error = take(&spec, &text, Some(done.as_bytes()), "hr.csv", None).err();
    let sentence = sentence.map(|sentence| sentence.replace("DIGEST", &digest));
    assert_eq!(error.map(|error| error.to_string()), sentence);
}

#[test]
fn a_drop_waits_for_the_file_beside_it() {
    let spec = feed(|spec| spec.contract.done = spec::Done::Flag);
    let text = drop_of(&["1,Li,,Employed,,,,"]);
    let error = take(&spec, text.as_bytes(), None, "hr.csv", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the .done file beside it is missing; it is accepted once HR's transfer has put it there"
    );
    assert!(error.may_pass());
    assert!(take(&spec, text.as_bytes(), Some(b""), "hr.csv", None).is_ok());
}

/// A frame with a day and a sequence number.
fn numbered(gaps: bool) -> FeedSpec {
    spec(&format!(
        "{{mode: delta, columns: {{employee_number: {{from: N}}, status: {{from: S}}}}, contract: {{gaps: {gaps}, header: {{as_of: 2, sequence: 3}}, trailer: {{}}}}}}"
    ))
}

#[rstest]
#[case::next("2026-11-22", 18, false, None)]
#[case::later("2026-11-23", 20, true, None)]
#[case::replay(
    "2026-11-22",
    17,
    true,
    Some(
        "the sequence number is 17 and 17 was taken before: the file was sent twice; nothing needs to be done, or ask HR for the newest"
    )
)]
#[case::reorder(
    "2026-11-22",
    16,
    true,
    Some(
        "the sequence number is 16 and 17 was taken before: an old file was sent again; ask HR for the newest"
    )
)]
#[case::gap(
    "2026-11-22",
    19,
    false,
    Some(
        "the sequence number is 19 and the last one taken is 17: a file is missing between them; ask HR for it and put both into the inbox in order"
    )
)]
#[case::older(
    "2026-11-20",
    18,
    true,
    Some(
        "the file speaks for 2026-11-20 and one for 2026-11-21 was taken before: an old file was sent again; ask HR for the newest"
    )
)]
fn drops_are_taken_in_order(
    #[case] as_of: &str,
    #[case] sequence: u64,
    #[case] gaps: bool,
    #[case] sentence: Option<&str>,
) {
    let text = format!("HDR,{as_of},{sequence}\nN,S\n1,active\nTRL,1\n");
    let previous = PreviousDrop {
        sequence: Some(17),
        headcount: 1,
        digest: String::new(),
        as_of: Some(jiff::civil::date(2026, 11, 21)),
    };
    let result = take(&numbered(gaps), text.as_bytes(), None, "hr.csv", Some(&previous));
    assert_eq!(result.err().map(|error| error.to_string()).as_deref(), sentence);
}

#[rstest]
#[case::no_header(
    "N,S\n1,active\nTRL,1\n",
    "the file does not begin with the agreed header line (HDR): it is another file, or its start is missing; ask HR to send it again"
)]
#[case::late_header(
    "N,S\nHDR,2026-11-22,1\n1,active\nHDR,2026-11-22,1\nTRL,1\n",
    "the header line (4) is not in its place: header first, trailer last, each once; ask HR to send the file again"
)]
#[case::no_date(
    "HDR,22.11.2026,1\n",
    "the header line (1) has no date where the contract has it; ask HR whether the layout changed"
)]
#[case::no_number(
    "HDR,2026-11-22,x\n",
    "the header line (1) has no sequence number where the contract has it; ask HR whether the layout changed"
)]
fn a_header_stands_first_and_is_whole(#[case] text: &str, #[case] sentence: &str) {
    assert_eq!(rejected(&numbered(true), text), sentence);
}

#[test]
fn the_sequence_number_may_stand_in_the_name() {
    let spec = feed(|spec| spec.contract.file_name = Some("hr_*_{sequence}.csv".into()));
    let text = drop_of(&["1,Li,,Employed,,,,"]);
    let taken = take(&spec, text.as_bytes(), None, "hr_prod_41.csv", None).unwrap();
    assert_eq!(taken.sequence, Some(41));
    assert_eq!(
        rejected(&spec, &text),
        "the file's name has no sequence number in the form hr_*_{sequence}.csv; ask HR to keep to the agreed names"
    );
}

fn people(count: u32) -> String {
    let rows: Vec<String> = (1..=count).map(|n| format!("{n},Li,,Employed,,,,")).collect();
    drop_of(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

#[rstest]
#[case::as_many(100, None)]
#[case::just_enough(95, None)]
#[case::shrunk(
    94,
    Some(
        "the file lists 94 people and the last one taken listed 100: that is 6.0 % fewer, and at most 5 % are accepted; ask HR whether it is complete, and raise `contract.largest_drop_percent` if it is"
    )
)]
#[case::too_few(
    89,
    Some(
        "the file lists 89 people and must list at least 90: it is not complete; ask HR to send all of it"
    )
)]
fn a_full_drop_must_list_about_as_many_as_the_last(
    #[case] count: u32,
    #[case] sentence: Option<&str>,
) {
    let mut spec = feed(|spec| {
        spec.contract.least_headcount = 90;
        spec.contract.largest_drop_percent = 5.0;
    });
    let previous =
        PreviousDrop { sequence: None, headcount: 100, digest: String::new(), as_of: None };
    let bytes = people(count);
    let result = take(&spec, bytes.as_bytes(), None, "hr.csv", Some(&previous));
    assert_eq!(result.err().map(|error| error.to_string()).as_deref(), sentence);

    spec.mode = spec::Mode::Delta;
    assert!(take(&spec, bytes.as_bytes(), None, "hr.csv", Some(&previous)).is_ok());
}

#[rstest]
#[case::few_of_many(9, 91, true)]
#[case::at_the_limit(10, 90, true)]
#[case::over_it(11, 89, false)]
#[case::a_small_drop(9, 1, true)]
fn many_bad_rows_reject_the_drop(#[case] bad: u32, #[case] good: u32, #[case] ok: bool) {
    let bad = (0..bad).map(|n| format!("{n},Li,,Gone fishing,,,,"));
    let good = (0..good).map(|n| format!("{},Li,,Employed,,,,", n + 1_000));
    let rows: Vec<String> = bad.chain(good).collect();
    let text = drop_of(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let result = take(&feed(|_| ()), text.as_bytes(), None, "hr.csv", None);
    assert_eq!(result.is_ok(), ok);
    if let Err(error) = result {
        assert_eq!(
            error.to_string(),
            "11 of 100 rows can't be taken, more than 10 %; the first is line 2: the status \"Gone fishing\" is not in the table `columns.status.values`"
        );
    }
}
