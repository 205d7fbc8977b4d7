use super::*;
use proptest::prelude::*;

fn formats() -> Vec<FeedSpec> {
    let keys = "columns: {employee_number: {from: N}, status: {from: S}, ends_on: {from: E}}";
    let cuts = "cuts: [{name: N, at: 1, width: 3}, {name: S, at: 3, width: 8}, {name: E, at: 9, width: 4}]";
    [
        "format: csv",
        "format: json_lines",
        "encoding: windows-1252",
        &format!("format: fixed_width\n{cuts}"),
    ]
    .into_iter()
    .map(|settings| spec(&format!("mode: delta\n{settings}\n{keys}")))
    .collect()
}

/// Pieces of which files are made, so that chance goes deep.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "N,S,E\n", "1,active,\n", "2,departed,2026-11-20\n", "\"", ",", "\n", "\r\n", "TRL,2\n", "HDR",
            "{\"N\":1,\"S\":\"active\",\"E\":null}\n", "{", "\u{feff}", "é", "3  active  ", "\u{1b}", "1E+5",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Rows of which some are bad, some repeated and some contradict each other.
fn rows() -> impl Strategy<Value = Vec<String>> {
    let row = (0..12_u8, prop::sample::select(vec!["Employed", "Former employee", "?"]), 0..3_u8)
        .prop_map(|(number, status, day)| match number {
            0 => format!(",Li,,{status},,,,"),
            _ => format!("{number},\"Li, A\",,{status},,2026-11-0{day},,"),
        });
    prop::collection::vec(row, 1..9)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_rows_always_add_up(
        bytes in file(), done in prop::option::of(file()), name in any::<String>(),
    ) {
        for spec in formats() {
            if let Ok(taken) = take(&spec, &bytes, done.as_deref(), &name, None) {
                let parts = taken.statements.len() + taken.set_aside.len();
                prop_assert_eq!(taken.rows, parts as u64 + taken.repeated);
            }
        }
    }

    #[test]
    fn the_order_of_rows_means_nothing(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let said = |rows: &[String]| {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let taken = taken(&feed(|spec| spec.contract.least_headcount = 0), drop_of(&rows));
            let mut said: Vec<String> = taken.statements.into_iter().map(|mut statement| {
                statement.line = 0;
                format!("{statement:?}")
            }).collect();
            said.sort();
            (said, taken.set_aside.len(), taken.repeated, taken.headcount)
        };
        prop_assert_eq!(said(&rows), said(&shuffled));
    }

    #[test]
    fn a_message_never_has_more_of_a_person_than_the_key(
        last in "Qz[a-z]{6}", number in "[1-9][0-9]{2}-[0-9]{2}-[0-9]{4}", place in 0..8_usize,
    ) {
        let mut cells = ["7", &last, &number, "Employed", "", "", "", ""];
        cells.swap(place, 1);
        cells.swap((place + 3) % 8, 2);
        let text = drop_of(&[&cells.join(","), "8,Li,,Employed,,,,"]);
        let taken = taken(&feed(|_| ()), text);
        let said = format!("{:?} {:?}", taken.set_aside, taken.notes);
        prop_assert!(!said.contains(&number), "{}", said);
    }
}

proptest! {
    // Each case tries every place of the file.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_drop_that_is_cut_anywhere_is_never_taken(rows in rows()) {
        let spec = feed(|spec| spec.contract.least_headcount = 0);
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let whole = drop_of(&rows).replace('\n', "\r\n");
        prop_assert!(take(&spec, whole.as_bytes(), None, "", None).is_ok());
        for end in 0..whole.len() {
            prop_assert!(take(&spec, &whole.as_bytes()[..end], None, "", None).is_err(), "cut at {}", end);
        }
    }
}
