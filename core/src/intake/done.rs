//! The file beside a drop that says how long it is and what its digest is.

use super::rejection::Rejection;
use super::spec::Done;

/// What a `.done` file says.
#[derive(Debug, Default, PartialEq)]
struct Says {
    size: Option<u64>,
    sha256: Option<String>,
}

/// Checks the drop against the file beside it. `digest` is the drop's SHA-256 in lower-case hex.
pub(super) fn check(
    wish: Done,
    done: Option<&[u8]>,
    size: u64,
    digest: &str,
) -> Result<(), Rejection> {
    let Some(done) = done else {
        return if wish == Done::Optional { Ok(()) } else { Err(Rejection::NoDone) };
    };
    if wish != Done::Required && done.trim_ascii().is_empty() {
        return Ok(());
    }
    let says = parse(done).ok_or(Rejection::DoneUnreadable)?;
    if let Some(says) = says.size.filter(|says| *says != size) {
        return Err(Rejection::DoneSize { says, has: size });
    }
    match says.sha256 {
        Some(says) if says != digest => Err(Rejection::DoneDigest { says, has: digest.to_owned() }),
        _ => Ok(()),
    }
}

/// `None` when it says neither size nor digest, or one of them in a form that can't be read.
fn parse(done: &[u8]) -> Option<Says> {
    let text = std::str::from_utf8(done).ok()?;
    let mut says = Says::default();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        match line.split_once('=') {
            Some((key, value)) if key.trim().eq_ignore_ascii_case("size") => {
                says.size = Some(value.trim().parse().ok()?);
            }
            Some((key, value)) if key.trim().eq_ignore_ascii_case("sha256") => {
                says.sha256 = Some(hex_digest(value.trim())?);
            }
            _ => {
                let first = line.split_ascii_whitespace().next().unwrap_or_default();
                says.sha256 = says.sha256.or_else(|| hex_digest(first));
            }
        }
    }
    (says != Says::default()).then_some(says)
}

fn hex_digest(text: &str) -> Option<String> {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| text.to_ascii_lowercase())
}
