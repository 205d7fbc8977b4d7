use super::receipt::{About, Effect, of_rejected, of_repeated, of_taken};
use super::*;
use jiff::Zoned;

fn read_at() -> Zoned {
    jiff::civil::date(2026, 11, 22).at(7, 5, 0, 0).in_tz("America/Chicago").unwrap()
}

fn about<'a>(file_name: &'a str, read_at: &'a Zoned) -> About<'a> {
    About { feed: "hr", file_name, read_at, digest: "00ff" }
}

#[test]
fn the_receipt_of_a_taken_drop_has_counts_and_reasons() {
    let rows = [
        "1,\"Smith, John\",123-45-6789,Employed,,,,Atlantis",
        "2,\"Doe, Jane\",123-45-6789,Gone,,,,",
        "3,\"Li, Ann\",,Employed,,,,",
    ];
    let taken = taken(&feed(|_| ()), drop_of(&rows));
    let unmatched = SetAside {
        line: 4,
        reason: "nobody has this number".into(),
        who: Some("employee 000003".into()),
    };
    let effect = Effect { changed: 1, unchanged: 0, unmatched: 1 };
    let at = read_at();
    let text = of_taken(about("hr.csv", &at), &taken, &[unmatched], effect);
    insta::assert_snapshot!(text, @r#"
    Drop:                hr.csv
    Feed:                hr
    Read at:             2026-11-22 07:05:00 CST
    SHA-256:             00ff
    Result:              TAKEN
    Rows:                3
    Rows taken:          1
    Rows set aside:      2
    Rows repeated:       0
    People listed:       3
    Said something new:  1
    Said what was known: 0
    Matched nobody:      1

    Set aside; please correct these rows and send them again:
      line 3: employee 000002: the status "Gone" is not in the table `columns.status.values`
      line 4: employee 000003: nobody has this number

    Taken, with a remark:
      line 2: employee 000001: the worksite "Atlantis" is not in the table `columns.worksite.table`: taken as unknown
    "#);
}

#[test]
fn the_receipt_of_a_rejected_drop_has_the_reason() {
    let error = Rejection::Count { says: 412, has: 398 };
    let at = read_at();
    insta::assert_snapshot!(of_rejected(about("hr.csv", &at), &error), @r"
    Drop:                hr.csv
    Feed:                hr
    Read at:             2026-11-22 07:05:00 CST
    SHA-256:             00ff
    Result:              REJECTED WHOLE; nothing in it was taken
    Reason:              The trailer says 412 rows and the file has 398: it was cut off; ask HR to send it again
    ");
}

#[test]
fn the_receipt_of_a_drop_that_was_taken_before_says_so() {
    let at = read_at();
    insta::assert_snapshot!(of_repeated(about("hr.csv", &at)), @r"
    Drop:                hr.csv
    Feed:                hr
    Read at:             2026-11-22 07:05:00 CST
    SHA-256:             00ff
    Result:              TAKEN BEFORE; nothing changes
    Reason:              The same file, byte for byte, was taken before
    ");
}

#[test]
fn hostile_names_are_harmless_in_a_receipt() {
    let taken = taken(&feed(|_| ()), drop_of(&["=1+1,Li,,=cmd|' /C calc'!A0\u{202e},,,,"]));
    let at = read_at();
    let text = of_taken(about("=evil\u{1b}]0;x\u{7}\n.csv", &at), &taken, &[], Effect::default());
    assert!(text.lines().next().unwrap().ends_with("'=evil\\u{1b}]0;x\\u{7}\\n.csv"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    assert!(text.lines().all(|line| !line.starts_with(['=', '+', '-', '@'])));
}

#[test]
fn a_receipt_of_very_many_bad_rows_stays_readable() {
    let spec = feed(|spec| spec.contract.set_aside.percent = 100.0);
    let rows = vec!["7,Li,,Gone,,,,"; 1_500];
    let taken = taken(&spec, drop_of(&rows));
    let at = read_at();
    let text = of_taken(about("hr.csv", &at), &taken, &[], Effect::default());
    assert!(text.contains("  and 500 more\n"));
}
