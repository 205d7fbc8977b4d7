//! A server that looks at how a client begins to encrypt, and answers in an old version of TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// ServerHello of TLS 1.1 (RFC 4346 7.4.1.3), with TLS_RSA_WITH_AES_128_CBC_SHA.
const OLD_HELLO: [u8; 47] = {
    let mut hello = [7; 47];
    let head = [0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    let tail = [0, 0, 0x2f, 0];
    at = 0;
    while at < tail.len() {
        hello[43 + at] = tail[at];
        at += 1;
    }
    hello
};

/// What a client showed of itself.
#[derive(Debug, Default)]
pub struct Shown {
    /// The versions of TLS that it offers.
    pub versions: Vec<u16>,
    /// What it sent after it was offered TLS 1.1.
    pub after: Vec<u8>,
}

/// A running server for one connection.
pub struct OldServer {
    pub port: u16,
    thread: JoinHandle<Shown>,
}

impl OldServer {
    /// Says each of `before` when the client has said something, then looks at its ClientHello.
    pub fn start(greeting: &'static str, before: &'static [&'static [u8]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(greeting.as_bytes()).unwrap();
            for answer in before {
                let _ = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(answer).unwrap();
            }
            let versions = offered(&mut stream);
            stream.write_all(&OLD_HELLO).unwrap();
            Shown { versions, after: rest(&mut stream) }
        });
        Self { port, thread }
    }

    /// What the client showed.
    pub fn shown(self) -> Shown {
        self.thread.join().unwrap()
    }
}

impl Shown {
    /// Whether it offers nothing older than TLS 1.2, and left when it got that, with at most an alert.
    pub fn insists(&self) -> bool {
        let modern = !self.versions.is_empty() && self.versions.iter().all(|v| *v >= 0x0303);
        modern && (self.after.is_empty() || self.after[0] == 21)
    }
}

fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return all,
            Ok(count) => all.extend(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("the client neither goes on nor away: {error}"),
        }
    }
}

/// The versions in the extension `supported_versions` of a ClientHello (RFC 8446 4.2.1).
fn offered(stream: &mut TcpStream) -> Vec<u16> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 22, "a handshake, and nothing else: {head:?}");
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut hello).unwrap();
    // Past the message's head, the version and the random number.
    let mut rest = &hello[38..];
    for width in [1, 2, 1] {
        rest = part(rest, width).1;
    }
    let mut extensions = part(rest, 2).0;
    while !extensions.is_empty() {
        let kind = u16::from_be_bytes([extensions[0], extensions[1]]);
        let (content, after) = part(&extensions[2..], 2);
        if kind == 43 {
            let list = part(content, 1).0;
            return list.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        }
        extensions = after;
    }
    Vec::new()
}

/// A part with its length before it, and what comes after.
fn part(from: &[u8], width: usize) -> (&[u8], &[u8]) {
    let length = from[..width].iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
    from[width..].split_at(length)
}
