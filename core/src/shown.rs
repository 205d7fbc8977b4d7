//! Makes text from outside safe to show: HR data, directory values and file names are hostile.

/// Longest text that [`shown`] lets through, in characters.
pub const LONGEST_SHOWN: usize = 200;

/// The text with everything escaped that a terminal, a log or a reader's eye could be fooled by:
/// control characters, bidirectional overrides, invisible characters and line separators; cut to
/// [`LONGEST_SHOWN`] characters.
#[must_use]
pub fn shown(text: &str) -> String {
    shown_within(text, LONGEST_SHOWN)
}

/// As [`shown`], cut to `most` characters; a cut text ends in `…`.
#[must_use]
pub fn shown_within(text: &str, most: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(most));
    let mut room = most;
    for character in text.chars() {
        let written = if is_unsafe(character) { escaped(character) } else { character.into() };
        let width = written.chars().count();
        if width > room {
            return cut(&safe, most);
        }
        room -= width;
        safe.push_str(&written);
    }
    safe
}

/// As [`shown`], and harmless when a spreadsheet opens it: a leading `=`, `+`, `-` or `@` would
/// start a formula, so an apostrophe goes before it.
#[must_use]
pub fn shown_in_a_cell(text: &str) -> String {
    let safe = shown(text);
    if safe.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        return format!("'{safe}");
    }
    safe
}

fn cut(safe: &str, most: usize) -> String {
    safe.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn escaped(character: char) -> String {
    match character {
        '\n' | '\r' | '\t' => character.escape_default().collect(),
        _ => character.escape_unicode().collect(),
    }
}

/// True for what changes how the text around it is shown, or can't be seen at all.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{00AD}' // soft hyphen
            | '\u{034F}' // combining grapheme joiner
            | '\u{061C}' // Arabic letter mark
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}' // zero width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202E}' // separators, bidirectional embeddings and overrides
            | '\u{2060}'..='\u{206F}' // word joiner, isolates
            | '\u{FE00}'..='\u{FE0F}' // variation selectors
            | '\u{FEFF}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}' // tags
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("Núñez, Zoë", "Núñez, Zoë")]
    #[case::colour("\u{1b}[31mred", "\\u{1b}[31mred")]
    #[case::title("\u{1b}]0;pwned\u{7}", "\\u{1b}]0;pwned\\u{7}")]
    #[case::csi_of_eight_bits("\u{9b}2J", "\\u{9b}2J")]
    #[case::log_forgery("x\r\nSep 1 sshd: accepted", "x\\r\\nSep 1 sshd: accepted")]
    #[case::override_of_direction("gpj.\u{202e}exe", "gpj.\\u{202e}exe")]
    #[case::isolate("a\u{2066}b", "a\\u{2066}b")]
    #[case::line_separator("a\u{2028}b", "a\\u{2028}b")]
    #[case::zero_width("ad\u{200b}min", "ad\\u{200b}min")]
    #[case::nul("a\0b", "a\\u{0}b")]
    fn what_fools_a_terminal_is_escaped(#[case] text: &str, #[case] safe: &str) {
        assert_eq!(shown(text), safe);
    }

    #[rstest]
    #[case("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0")]
    #[case("+1+1", "'+1+1")]
    #[case("-2+3", "'-2+3")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case("  =1", "'  =1")]
    #[case("\t=1", "\\t=1")]
    #[case("Smith", "Smith")]
    fn no_cell_starts_a_formula(#[case] text: &str, #[case] safe: &str) {
        assert_eq!(shown_in_a_cell(text), safe);
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(shown_within("abcdefgh", 5), "abcd…");
        assert_eq!(shown_within("abcde", 5), "abcde");
        assert_eq!(shown(&"x".repeat(1_000_000)).chars().count(), LONGEST_SHOWN);
    }

    proptest! {
        #[test]
        fn nothing_unsafe_comes_through_and_showing_twice_is_showing_once(text in any::<String>()) {
            let once = shown(&text);
            prop_assert!(!once.chars().any(is_unsafe));
            prop_assert!(once.chars().count() <= LONGEST_SHOWN);
            prop_assert_eq!(shown(&once), once);
        }
    }
}
