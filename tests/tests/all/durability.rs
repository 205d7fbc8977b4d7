//! The intent is on stable storage before a target hears of it: seen from outside, by the kernel's calls.

use crate::beside::{adopt, at_slapd, openldap, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::process::{find_program, plain_command};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;

/// A call of the daemon's that matters here, in the order in which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Rows with the state `started` were handed to the write-ahead log of the state database.
    Intent,
    /// The state database was forced to the disk, and the kernel said that it is there.
    Synced,
    /// A Modify request went to the directory.
    Modify,
}

#[test]
fn the_intent_is_forced_to_the_disk_before_the_directory_is_told_to_change_anything() {
    let agency = Agency::new(320, 7);
    let slapd = openldap(&agency, Slapd::builder()).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
    adopt(&agency, &mut site).unwrap();
    site.stop().unwrap();
    // Without TLS the requests can be read: by the Unix socket, as this process's own account.
    site.reconfigure(&[
        (&slapd.url_ldaps(), &slapd.url_ldapi()),
        (&format!("dn: \"{}\"", slapd.bind_dn()), "external: true #"),
        (&format!("password_file: {}", slapd.password_file().display()), "#"),
        ("external: false", "#"),
    ])
    .unwrap();
    let leaver = agency.ordinary_leavers(1)[0];
    let departures = vec![Departure::on(leaver, yesterday())];
    let feed = agency.to_hr_csv(&HrOptions::full(today(), 2, departures));
    site.drop_file("hr-2.csv", feed).unwrap();

    let trace = site.path("trace");
    let mut strace = plain_command(find_program("strace", &[]).unwrap());
    strace.args(["-f", "-y", "-xx", "-s", "65536", "-o"]).arg(&trace);
    strace.args(["-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64,pwritev"]);
    let lapsed = site.command(&["run", "--once"]);
    strace.arg(lapsed.get_program()).args(lapsed.get_args());
    let output = strace.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dn = Agency::openldap_dn(slapd.base(), agency.people[leaver].user_id().unwrap());
    let account = slapd.read(&dn, &["pwdAccountLockedTime"]).unwrap().unwrap();
    assert!(crate::beside::is_shut(&account), "{account:?}");

    let calls = calls_of(&String::from_utf8_lossy(&std::fs::read(trace).unwrap()));
    let modifies = calls.iter().filter(|call| **call == Call::Modify).count();
    assert!(modifies >= 3, "at least the account, its lock again, and a group: {calls:?}");
    // Behind the latest intent before each change stands a finished sync, and nothing is written of it
    // afterwards.
    let mut intents = 0;
    for (place, call) in calls.iter().enumerate() {
        if *call != Call::Modify {
            continue;
        }
        let before = &calls[..place];
        let intent = before.iter().rposition(|call| *call == Call::Intent);
        let intent = intent.unwrap_or_else(|| panic!("a change without an intent: {calls:?}"));
        assert!(before[intent..].contains(&Call::Synced), "not synced before: {calls:?}");
        intents += 1;
    }
    assert_eq!(intents, modifies);
}

/// Reads the trace; a call counts when it has returned.
fn calls_of(trace: &str) -> Vec<Call> {
    let mut pending: std::collections::HashMap<&str, String> = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        // A sync that another thread's call interrupts in the trace ends at its "resumed" line; a
        // request is under way from where it begins.
        let is_sync = |text: &str| text.starts_with("fdatasync(") || text.starts_with("fsync(");
        if rest.ends_with("<unfinished ...>") && is_sync(rest) {
            pending.insert(thread, rest.to_owned());
            continue;
        }
        let whole = match rest.starts_with("<... ") {
            true => match pending.remove(thread) {
                Some(begun) => format!("{begun} {rest}"),
                None => continue,
            },
            false => rest.to_owned(),
        };
        calls.extend(call_of(&whole));
    }
    calls
}

fn call_of(line: &str) -> Option<Call> {
    let call = line.split('(').next()?;
    // `-y` writes the file or socket behind the number: `write(9</var/lib/lapsed/state.db-wal>, ...`.
    let file = line.split_once('<')?.1.split('>').next()?;
    let of_state = unescaped(file);
    let of_state = of_state.ends_with("state.db-wal") || of_state.ends_with("state.db");
    match call {
        "fsync" | "fdatasync" => (of_state && line.ends_with("= 0")).then_some(Call::Synced),
        "pwrite64" | "pwritev" | "write" if of_state => {
            let started = hexadecimal("{\"state\":\"started\"");
            line.contains(&started).then_some(Call::Intent)
        }
        "write" | "writev" | "sendto" | "sendmsg" => is_modify(line).then_some(Call::Modify),
        _ => None,
    }
}

/// Whether the bytes are an LDAP message (RFC 4511: SEQUENCE, message id) with a ModifyRequest, tag 0x66.
fn is_modify(line: &str) -> bool {
    let Some(text) = line.split('"').nth(1) else { return false };
    let bytes: Vec<u8> =
        text.split("\\x").filter_map(|pair| u8::from_str_radix(pair.get(..2)?, 16).ok()).collect();
    let mut rest = bytes.as_slice();
    let Some(body) = element(&mut rest, 0x30) else { return false };
    let mut body = body;
    element(&mut body, 0x02).is_some() && body.first() == Some(&0x66)
}

/// Takes one element off: its content, if it has the tag. Content that the trace cut off is taken as it is.
fn element<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let more = usize::from(first & 0x7f);
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        _ => {
            let length =
                rest.get(..more)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest.get(more..)?)
        }
    };
    let length = length.min(rest.len());
    let (content, rest) = rest.split_at(length);
    *bytes = rest;
    Some(content)
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// File names are written in hexadecimal too.
fn unescaped(text: &str) -> String {
    if !text.contains("\\x") {
        return text.to_owned();
    }
    let bytes = text.split("\\x").filter_map(|pair| u8::from_str_radix(pair.get(..2)?, 16).ok());
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}
