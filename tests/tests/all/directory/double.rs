//! A directory at the level of LDAP messages, for what no real server at hand does: it cuts lists into
//! ranges unasked, insists on old values, and misbehaves on demand.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub const ACCOUNT: &str = "CN=Ann Li,OU=People,DC=lab,DC=test";
pub const GROUP: &str = "CN=everyone,OU=Groups,DC=lab,DC=test";
const PAGED: &[u8] = b"1.2.840.113556.1.4.319";
/// Values that the double puts into one answer (MaxValRange).
const RANGE: usize = 1500;
/// Entries that it puts into one answer (MaxPageSize): it refuses more without paging.
pub const PAGE: usize = 1000;

/// What to do with one request instead of answering it properly.
#[derive(Debug, Clone)]
pub enum Mischief {
    /// Carry it out, then close the connection in the middle of the answer.
    CutReply,
    /// Carry it out and say nothing.
    Silence,
    /// Send this as the operation of the answer.
    Send(Vec<u8>),
    /// Answer the last page without saying that it is the last.
    NoPageEnd,
    /// Send a pointer to another server among the entries.
    Pointer,
    /// Answer with this result code.
    Code(u8),
    /// Point to this server instead of answering.
    Referral(String),
    /// Say that it is done, and do nothing.
    Lie,
    /// Carry it out, and show the account so many times as it was before: it is read from a copy that lags.
    Lag(usize),
    /// Change a bit in this byte of the answer.
    Corrupt(usize),
    /// Nothing: the request after it is meant.
    Pass,
    /// The account has another name by now.
    Renamed,
    /// Somebody else changes the account first.
    ChangeFirst(i64),
}

/// Which requests it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Bind,
    AccountSearch,
    Modify,
}

#[derive(Debug, Default)]
pub struct State {
    pub control: i64,
    pub members: usize,
    /// Accounts beside the one under test.
    pub people: usize,
    /// Listings of more than one page that were refused, since no page was asked for.
    pub unpaged: usize,
    /// Entries in each page of a listing.
    pub pages: Vec<usize>,
    /// The old value, and how often it is still shown.
    stale: Option<(i64, usize)>,
    /// Old and new values of every change that was asked for, with the answer's code.
    pub changes: Vec<(i64, i64, u8)>,
    pub connections: usize,
    pub ranges: Vec<String>,
    mischief: VecDeque<(On, Mischief)>,
}

#[derive(Debug)]
pub struct Double {
    folder: TempDir,
    pub state: Arc<Mutex<State>>,
}

impl Double {
    pub fn start(members: usize, mischief: &[(On, Mischief)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("ldapi")).unwrap();
        let state =
            State { members, mischief: mischief.iter().cloned().collect(), ..State::default() };
        Self::run(listener, folder, state)
    }

    /// With so many accounts beside the one under test.
    pub fn with_people(people: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("ldapi")).unwrap();
        Self::run(listener, folder, State { people, ..State::default() })
    }

    fn run(listener: UnixListener, folder: TempDir, state: State) -> Self {
        let state = State { control: 512, ..state };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else { return };
                shared.lock().unwrap().connections += 1;
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { folder, state }
    }

    pub fn url(&self) -> String {
        let path = self.folder.path().join("ldapi");
        format!("ldapi://{}", path.to_str().unwrap().replace('/', "%2F"))
    }

    pub fn member(number: usize) -> String {
        if number == 0 { ACCOUNT.into() } else { format!("CN=M{number},OU=People,DC=lab,DC=test") }
    }
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..128 => out.push(short as u8),
        long => {
            out.push(0x84);
            out.extend((long as u32).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

fn seq(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

fn split(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 128 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn children(mut input: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let Some((tag, content, rest)) = split(input) {
        found.push((tag, content));
        input = rest;
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn message(id: &[u8], operation: Vec<u8>, controls: Option<Vec<u8>>) -> Vec<u8> {
    let mut parts = vec![tlv(2, id), operation];
    parts.extend(controls.map(|controls| seq(0xa0, &[controls])));
    seq(0x30, &parts)
}

fn result(tag: u8, code: u8) -> Vec<u8> {
    seq(tag, &[tlv(0x0a, &[code]), tlv(4, b""), tlv(4, b"")])
}

fn entry(dn: &str, attributes: &[(&str, Vec<Vec<u8>>)]) -> Vec<u8> {
    let one = |(name, values): &(&str, Vec<Vec<u8>>)| {
        let values: Vec<Vec<u8>> = values.iter().map(|value| tlv(4, value)).collect();
        seq(0x30, &[tlv(4, name.as_bytes()), seq(0x31, &values)])
    };
    let attributes: Vec<Vec<u8>> = attributes.iter().map(one).collect();
    seq(0x64, &[tlv(4, dn.as_bytes()), seq(0x30, &attributes)])
}

fn last_page() -> Vec<u8> {
    page_end(b"")
}

fn page_end(cookie: &[u8]) -> Vec<u8> {
    let value = seq(0x30, &[tlv(2, &[0]), tlv(4, cookie)]);
    seq(0x30, &[tlv(4, PAGED), tlv(4, &value)])
}

/// How many entries are asked for, and from which on: the cookie is that number in digits.
fn page(controls: &[u8]) -> Option<(usize, usize)> {
    let all = children(controls);
    let found = all.iter().map(|(_, control)| children(control)).find(|c| c[0].1 == PAGED)?;
    let value = children(children(found.last()?.1)[0].1);
    let size = value[0].1.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
    Some((size, text(value[1].1).parse().unwrap_or(0)))
}

fn referral(tag: u8, to: &str) -> Vec<u8> {
    let to = seq(0xa3, &[tlv(4, to.as_bytes())]);
    seq(tag, &[tlv(0x0a, &[10]), tlv(4, b""), tlv(4, b""), to])
}

fn serve(mut stream: UnixStream, state: &Mutex<State>) {
    let mut waiting = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => waiting.extend(&chunk[..count]),
        }
        while let Some((_, content, rest)) = split(&waiting) {
            let parts = children(content);
            let (id, (tag, operation)) = (parts[0].1, parts[1]);
            let page = parts.get(2).and_then(|(_, controls)| page(controls));
            let (reply, ends) = answer(state, id, tag, operation, page);
            let left = rest.to_vec();
            if stream.write_all(&reply).is_err() || ends {
                return;
            }
            waiting = left;
        }
    }
}

fn answer(
    state: &Mutex<State>,
    id: &[u8],
    tag: u8,
    operation: &[u8],
    page: Option<(usize, usize)>,
) -> (Vec<u8>, bool) {
    let mut state = state.lock().unwrap();
    let parts = children(operation);
    match tag {
        0x60 => {
            let trick = mischief(&mut state, On::Bind);
            let code = if let Some(Mischief::Code(code)) = trick { code } else { 0 };
            (message(id, result(0x61, code), None), false)
        }
        0x77 => {
            let who =
                [tlv(0x0a, &[0]), tlv(4, b""), tlv(4, b""), tlv(0x8b, b"dn:CN=daemon,DC=lab")];
            (message(id, seq(0x78, &who), None), false)
        }
        0x63 => search(&mut state, id, &parts, page),
        0x66 => modify(&mut state, id, &parts),
        _ => (Vec::new(), true),
    }
}

fn mischief(state: &mut State, on: On) -> Option<Mischief> {
    let (what, _) = state.mischief.front()?;
    (*what == on).then(|| state.mischief.pop_front().unwrap().1)
}

fn search(
    state: &mut State,
    id: &[u8],
    parts: &[(u8, &[u8])],
    page: Option<(usize, usize)>,
) -> (Vec<u8>, bool) {
    let paged = page.is_some();
    let base = text(parts[0].1).to_lowercase();
    let filter = text(parts[6].1);
    let wanted: Vec<String> = children(parts[7].1).iter().map(|(_, name)| text(name)).collect();
    let one = |entry| [message(id, entry, None), message(id, result(0x65, 0), None)].concat();
    if base.is_empty() {
        let controls = vec![PAGED.to_vec()];
        return (one(entry("", &[("supportedControl", controls)])), false);
    }
    if let Some(range) = wanted.iter().find(|name| name.starts_with("member;range=")) {
        state.ranges.push(range.clone());
        return (one(members(state.members, range)), false);
    }
    if base == GROUP.to_lowercase() {
        return (one(group()), false);
    }
    let on_account = base.contains("people");
    if on_account && state.people > 0 && !filter.contains("zann") && !filter.contains("group") {
        return (listing(state, id, page), false);
    }
    let entry = if on_account && !filter.contains("group") { account(state) } else { group() };
    let done = || message(id, result(0x65, 0), paged.then(last_page));
    let whole = [message(id, entry.clone(), None), done()].concat();
    if !on_account {
        return (whole, false);
    }
    match mischief(state, On::AccountSearch) {
        None
        | Some(Mischief::Pass | Mischief::ChangeFirst(_) | Mischief::Lie | Mischief::Lag(_)) => {
            (whole, false)
        }
        Some(Mischief::Referral(to)) => (message(id, referral(0x65, &to), None), false),
        Some(Mischief::Corrupt(at)) => {
            let mut whole = whole;
            let at = at % whole.len();
            whole[at] ^= 1 << (at % 8);
            (whole, false)
        }
        Some(Mischief::Renamed) => {
            let renamed = account_named(state, "CN=Ann Bo,OU=People,DC=lab,DC=test");
            ([message(id, renamed, None), done()].concat(), false)
        }
        Some(Mischief::CutReply) => (whole[..whole.len() / 2].to_vec(), true),
        Some(Mischief::Silence) => (Vec::new(), false),
        Some(Mischief::Send(bytes)) => (message(id, bytes, None), false),
        Some(Mischief::NoPageEnd) => {
            ([message(id, entry, None), message(id, result(0x65, 0), None)].concat(), false)
        }
        Some(Mischief::Pointer) => {
            let pointer = seq(0x73, &[tlv(4, b"ldap://elsewhere.lab.test/DC=sub,DC=lab")]);
            ([message(id, entry, None), message(id, pointer, None), done()].concat(), false)
        }
        Some(Mischief::Code(code)) => {
            (message(id, result(0x65, code), paged.then(last_page)), false)
        }
    }
}

/// A page of all accounts, never more than `PAGE`; without paging, what fits and a refusal.
fn listing(state: &mut State, id: &[u8], page: Option<(usize, usize)>) -> Vec<u8> {
    let all = state.people + 1;
    let (size, from) = page.unwrap_or((PAGE, 0));
    let to = (from + size.min(PAGE)).min(all);
    let mut out = Vec::new();
    for number in from..to {
        let one = if number == 0 { account(state) } else { person(number) };
        out.extend(message(id, one, None));
    }
    state.pages.push(to - from);
    let cut = page.is_none() && to < all;
    state.unpaged += usize::from(cut);
    let cookie = if to < all { to.to_string() } else { String::new() };
    let control = page.map(|_| page_end(cookie.as_bytes()));
    out.extend(message(id, result(0x65, if cut { 4 } else { 0 }), control));
    out
}

fn person(number: usize) -> Vec<u8> {
    let mut guid = vec![1; 16];
    guid[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let name = format!("p{number}");
    entry(
        &Double::member(number),
        &[
            ("objectGUID", vec![guid]),
            ("sAMAccountName", vec![name.clone().into_bytes()]),
            ("employeeNumber", vec![format!("E-{name}").into_bytes()]),
            ("userAccountControl", vec![b"512".to_vec()]),
        ],
    )
}

fn account(state: &mut State) -> Vec<u8> {
    let now = state.control;
    if let Some((old, left @ 1..)) = state.stale {
        state.stale = Some((old, left - 1));
        state.control = old;
    }
    let shown = account_named(state, ACCOUNT);
    state.control = now;
    shown
}

fn account_named(state: &State, dn: &str) -> Vec<u8> {
    entry(
        dn,
        &[
            ("objectGUID", vec![vec![7; 16]]),
            ("sAMAccountName", vec![b"zann".to_vec()]),
            ("employeeNumber", vec![b"E-zann".to_vec()]),
            ("userAccountControl", vec![state.control.to_string().into_bytes()]),
        ],
    )
}

fn group() -> Vec<u8> {
    entry(
        GROUP,
        &[
            ("objectGUID", vec![vec![9; 16]]),
            ("cn", vec![b"everyone".to_vec()]),
            ("objectClass", vec![b"group".to_vec()]),
            ("groupType", vec![b"-2147483646".to_vec()]),
        ],
    )
}

/// As Active Directory does it: never more than `MaxValRange`, whatever was asked for. The account
/// under test is the last of the members.
fn members(count: usize, range: &str) -> Vec<u8> {
    let asked = range.strip_prefix("member;range=").unwrap();
    let from: usize = asked.split('-').next().unwrap().parse().unwrap();
    let to = (from + RANGE).min(count);
    let name = if to == count {
        format!("member;range={from}-*")
    } else {
        format!("member;range={from}-{}", to - 1)
    };
    let values = (from..to).map(|n| Double::member(count - 1 - n).into_bytes()).collect();
    entry(GROUP, &[("member", Vec::new()), (&name, values)])
}

fn modify(state: &mut State, id: &[u8], parts: &[(u8, &[u8])]) -> (Vec<u8>, bool) {
    let trick = mischief(state, On::Modify);
    if let Some(Mischief::ChangeFirst(control)) = trick {
        state.control = control;
    }
    match &trick {
        Some(Mischief::Code(code)) => return (message(id, result(0x67, *code), None), false),
        Some(Mischief::Referral(to)) => return (message(id, referral(0x67, to), None), false),
        Some(Mischief::Lie) => return (message(id, result(0x67, 0), None), false),
        _ => {}
    }
    let (mut old, mut new) = (0, 0);
    for (_, change) in children(parts[1].1) {
        let change = children(change);
        let attribute = children(change[1].1);
        let value: i64 = text(children(attribute[1].1)[0].1).parse().unwrap();
        match change[0].1 {
            [1] => old = value,
            _ => new = value,
        }
    }
    let code = if old == state.control { 0 } else { 16 };
    if let (0, Some(Mischief::Lag(times))) = (code, &trick) {
        state.stale = Some((state.control, *times));
    }
    if code == 0 {
        state.control = new;
    }
    state.changes.push((old, new, code));
    let reply = message(id, result(0x67, code), None);
    match trick {
        Some(Mischief::CutReply) => (reply[..reply.len() / 2].to_vec(), true),
        Some(Mischief::Silence) => (Vec::new(), false),
        _ => (reply, false),
    }
}

/// An operation of the right kind with elements nested so deep that a recursive reader falls over.
pub fn nested(depth: usize) -> Vec<u8> {
    const HEADER: usize = 6;
    let mut inner = Vec::new();
    for left in (0..depth).rev() {
        inner.extend([0x30, 0x84]);
        inner.extend(((left * HEADER) as u32).to_be_bytes());
    }
    seq(0x64, &[tlv(4, b"CN=x"), tlv(0x30, &inner)])
}

/// An entry whose name is no text.
pub fn unreadable_name() -> Vec<u8> {
    seq(0x64, &[tlv(4, b"CN=\xff\xfe"), seq(0x30, &[])])
}

/// A search result without its parts.
pub fn empty_result() -> Vec<u8> {
    seq(0x65, &[])
}
