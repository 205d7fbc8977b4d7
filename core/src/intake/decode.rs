//! Is the file text at all, in the agreed encoding, and of bearable lines?

use super::rejection::Rejection;
use super::spec::{Encoding, FeedSpec};
use std::borrow::Cow;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Codes that windows-1252 leaves empty.
const EMPTY_IN_1252: [u8; 5] = [0x81, 0x8D, 0x8F, 0x90, 0x9D];

/// The bytes without byte order mark and without the end mark of DOS, once they are known to be text in
/// the feed's encoding. Nothing is copied.
pub(super) fn checked<'b>(spec: &FeedSpec, bytes: &'b [u8]) -> Result<&'b [u8], Rejection> {
    check_kind(bytes)?;
    match spec.encoding {
        Encoding::Utf8 => check_utf8(bytes)?,
        Encoding::Windows1252 => check_windows_1252(bytes)?,
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = text.strip_suffix(b"\x1A").unwrap_or(text);
    if text.trim_ascii().is_empty() { Err(Rejection::Empty) } else { Ok(text) }
}

/// The text of bytes that were [`checked`], or of a piece of them; `None` when the piece cuts a letter.
pub(super) fn text(encoding: Encoding, piece: &[u8]) -> Option<Cow<'_, str>> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(piece).ok().map(Cow::Borrowed),
        Encoding::Windows1252 => {
            Some(encoding_rs::WINDOWS_1252.decode_without_bom_handling(piece).0)
        }
    }
}

/// The check that comes before any other looks at the bytes.
pub(super) fn check_size(spec: &FeedSpec, bytes: &[u8]) -> Result<(), Rejection> {
    let has = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let most = spec.contract.max_bytes;
    match has {
        0 => Err(Rejection::Empty),
        _ if has > most => Err(Rejection::TooLarge { has, most }),
        _ => Ok(()),
    }
}

fn check_kind(bytes: &[u8]) -> Result<(), Rejection> {
    let kinds: [(&[u8], &str, &str); 6] = [
        (b"PK\x03\x04", "a workbook or a zip archive", "CSV or plain text"),
        (b"\xD0\xCF\x11\xE0", "an old Office document", "CSV or plain text"),
        (b"%PDF", "a PDF document", "CSV or plain text"),
        (b"\x1F\x8B", "compressed", "plain text"),
        (b"\xFF\xFE", "UTF-16", "UTF-8"),
        (b"\xFE\xFF", "UTF-16", "UTF-8"),
    ];
    if let Some((_, kind, wanted)) = kinds.into_iter().find(|(start, ..)| bytes.starts_with(start))
    {
        return Err(Rejection::NotText { kind, wanted });
    }
    match bytes.iter().position(|byte| *byte == 0) {
        Some(offset) => Err(Rejection::Binary { offset, line: line_of(bytes, offset) }),
        None => Ok(()),
    }
}

/// Looks no further into a line than is allowed.
pub(super) fn check_lines(bytes: &[u8], most: usize) -> Result<(), Rejection> {
    let mut rest = bytes;
    let mut line = 1;
    while rest.len() > most {
        let reach = rest.get(..=most).unwrap_or(rest);
        let Some(end) = reach.iter().position(|byte| *byte == b'\n') else {
            return Err(Rejection::LineTooLong { line, most });
        };
        rest = rest.get(end + 1..).unwrap_or_default();
        line += 1;
    }
    Ok(())
}

fn check_utf8(bytes: &[u8]) -> Result<(), Rejection> {
    let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
    Err(wrong(bytes, Encoding::Utf8, "a byte that can't stand there", error.valid_up_to()))
}

/// Every byte has a meaning in windows-1252, so the signs of another encoding are looked for: empty
/// codes, and letters that are whole in UTF-8 everywhere.
fn check_windows_1252(bytes: &[u8]) -> Result<(), Rejection> {
    let expected = Encoding::Windows1252;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(wrong(bytes, expected, "the byte order mark of utf-8", 0));
    }
    let first_high = bytes.iter().position(|byte| !byte.is_ascii());
    if let (Some(offset), Ok(_)) = (first_high, std::str::from_utf8(bytes)) {
        return Err(wrong(bytes, expected, "a letter in utf-8, like all others,", offset));
    }
    match bytes.iter().position(|byte| EMPTY_IN_1252.contains(byte)) {
        Some(offset) => Err(wrong(bytes, expected, "a byte that has no meaning there", offset)),
        None => Ok(()),
    }
}

fn wrong(bytes: &[u8], expected: Encoding, detail: &'static str, offset: usize) -> Rejection {
    Rejection::Encoding { expected: expected.name(), detail, offset, line: line_of(bytes, offset) }
}

fn line_of(bytes: &[u8], offset: usize) -> u64 {
    let before = bytes.iter().take(offset).filter(|byte| **byte == b'\n').count();
    u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1)
}
