//! A relay on loopback in front of a server: reaches into its network namespace, and can be made to
//! misbehave as bad networks, and those who sit in them, do.

use crate::Done;
use crate::process::listen;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// Where the relay leads.
#[derive(Debug, Clone)]
pub enum Target {
    /// A Unix socket; one with a path can be reached from every network namespace.
    Unix(PathBuf),
    /// A port on 127.0.0.1.
    Tcp(u16),
}

impl Target {
    fn connect(&self) -> std::io::Result<TcpStream> {
        match self {
            // Reading, writing and shutting down are the same calls on every stream socket.
            Self::Unix(path) => Ok(TcpStream::from(OwnedFd::from(UnixStream::connect(path)?))),
            Self::Tcp(port) => TcpStream::connect(("127.0.0.1", *port)),
        }
    }
}

/// What the relay does to what passes. Where bytes are counted, they are counted over all connections from
/// the moment at which the fault was set, and it strikes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Holds each piece back for so long, both ways.
    Delay(Duration),
    /// Ends the connection, both ways, once so many bytes of requests have passed.
    CutRequest(usize),
    /// The same, once so many bytes of replies have.
    CutReply(usize),
    /// Takes connections and bytes and passes nothing on, either way.
    Blackhole,
    /// Once so many bytes of requests have passed, the server's side ends, and the client hears nothing of
    /// it: what it sends is taken and lost.
    HalfOpen(usize),
    /// Changes a bit of the reply's byte that comes after so many.
    CorruptReply(usize),
    /// Puts other bytes in the place of some, wherever they stand together in a reply.
    Rewrite {
        /// These.
        from: Vec<u8>,
        /// As many others.
        to: Vec<u8>,
    },
}

#[derive(Debug, Default)]
struct Flow {
    stalled: bool,
    /// How a request begins whose answer is held back.
    unanswered: Option<Vec<u8>>,
    answers_stalled: bool,
    closed: bool,
    fault: Option<Fault>,
    has_struck: bool,
    strikes: u64,
    /// What clients sent, where it is kept.
    requests: Option<Vec<u8>>,
    open: Vec<Weak<Wire>>,
}

impl Flow {
    fn strike(&mut self) {
        self.strikes += u64::from(!self.has_struck);
        self.has_struck = true;
    }
}

/// One connection through the relay.
#[derive(Debug)]
struct Wire {
    client: TcpStream,
    server: TcpStream,
    /// The client is left in the belief that somebody is there.
    half: AtomicBool,
}

impl Wire {
    fn ends(&self, way: Way) -> (&TcpStream, &TcpStream) {
        match way {
            Way::Requests => (&self.client, &self.server),
            Way::Answers => (&self.server, &self.client),
        }
    }

    fn cut(&self) {
        for stream in [&self.client, &self.server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// What becomes of a piece that was read.
enum Then {
    Pass,
    PassAfter(Duration),
    Swallow,
    /// So much of it passes, then both sides end.
    Cut(usize),
    /// So much of it passes, then the server's side ends.
    Half(usize),
}

#[derive(Debug, Default)]
struct Shared {
    flow: Mutex<Flow>,
    changed: Condvar,
}

impl Shared {
    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while_stalled(&self, way: Way) {
        let held = |flow: &mut Flow| flow.stalled || (way == Way::Answers && flow.answers_stalled);
        let waited = self.changed.wait_while(self.flow(), |flow| held(flow) && !flow.closed);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn note(&self, request: &[u8]) {
        let mut flow = self.flow();
        if flow.unanswered.as_ref().is_some_and(|begins| request.starts_with(begins)) {
            flow.answers_stalled = true;
        }
        if let Some(kept) = flow.requests.as_mut() {
            kept.extend(request);
        }
    }

    fn then(&self, way: Way, piece: &mut [u8]) -> Then {
        let mut flow = self.flow();
        let counted = match (&mut flow.fault, way) {
            (None, _) => return Then::Pass,
            (Some(Fault::Delay(by)), _) => {
                let by = *by;
                flow.strike();
                return Then::PassAfter(by);
            }
            (Some(Fault::Blackhole), _) => {
                flow.strike();
                return Then::Swallow;
            }
            (Some(Fault::Rewrite { from, to }), Way::Answers) => {
                let places = positions(piece, from);
                for at in &places {
                    piece[*at..*at + to.len()].copy_from_slice(to);
                }
                if !places.is_empty() {
                    flow.strike();
                }
                return Then::Pass;
            }
            (Some(Fault::CutRequest(left) | Fault::HalfOpen(left)), Way::Requests)
            | (Some(Fault::CutReply(left) | Fault::CorruptReply(left)), Way::Answers) => left,
            _ => return Then::Pass,
        };
        if *counted >= piece.len() {
            *counted -= piece.len();
            return Then::Pass;
        }
        let at = *counted;
        flow.strike();
        match flow.fault.take() {
            Some(Fault::HalfOpen(_)) => Then::Half(at),
            Some(Fault::CorruptReply(_)) => {
                piece[at] ^= 0x10;
                Then::Pass
            }
            _ => Then::Cut(at),
        }
    }
}

fn positions(piece: &[u8], wanted: &[u8]) -> Vec<usize> {
    let windows = piece.windows(wanted.len().max(1)).enumerate();
    windows.filter(|(_, some)| *some == wanted).map(|(at, _)| at).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Requests,
    Answers,
}

/// A running relay; closed when dropped.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

impl Relay {
    /// Listens on a free port of 127.0.0.1.
    pub fn start(target: Target) -> Done<Self> {
        let listener = listen()?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept_all(&listener, &target, &for_thread));
        Ok(Self { port, shared })
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes connections and bytes, but passes nothing on until [`Self::flow`].
    pub fn stall(&self) {
        self.shared.flow().stalled = true;
    }

    /// Passes requests on, but nothing back from the first one on that begins with a text.
    pub fn swallow_answers_after(&self, begins: &str) {
        self.shared.flow().unanswered = Some(begins.as_bytes().to_vec());
    }

    /// Passes on what was held back.
    pub fn flow(&self) {
        let mut flow = self.shared.flow();
        (flow.stalled, flow.answers_stalled, flow.unanswered) = (false, false, None);
        drop(flow);
        self.shared.changed.notify_all();
    }

    /// Does this from now on, in place of what was set before.
    pub fn set(&self, fault: Fault) {
        let mut flow = self.shared.flow();
        (flow.fault, flow.has_struck) = (Some(fault), false);
    }

    /// Behaves again. Connections from which something was taken end: they are of no use any more.
    pub fn heal(&self) {
        self.shared.flow().fault = None;
        if self.shared.flow().has_struck {
            self.cut();
        }
    }

    /// How many of the faults that were set have struck.
    #[must_use]
    pub fn strikes(&self) -> u64 {
        self.shared.flow().strikes
    }

    /// Keeps what clients send from now on.
    pub fn record(&self) {
        self.shared.flow().requests = Some(Vec::new());
    }

    /// What clients have sent since [`Self::record`], one after the other.
    #[must_use]
    pub fn recorded(&self) -> Vec<u8> {
        self.shared.flow().requests.clone().unwrap_or_default()
    }

    /// Cuts every open connection; new ones work.
    pub fn cut(&self) {
        let open = std::mem::take(&mut self.shared.flow().open);
        for wire in open.iter().filter_map(Weak::upgrade) {
            wire.cut();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.flow().closed = true;
        self.shared.changed.notify_all();
        self.cut();
        // Wakes the listening thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept_all(listener: &TcpListener, target: &Target, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.flow().closed {
            return;
        }
        let Ok(client) = client else { continue };
        if let Ok(server) = target.connect() {
            join(Wire { client, server, half: AtomicBool::new(false) }, shared);
        }
    }
}

fn join(wire: Wire, shared: &Arc<Shared>) {
    let wire = Arc::new(wire);
    let mut flow = shared.flow();
    flow.open.retain(|open| open.strong_count() > 0);
    flow.open.push(Arc::downgrade(&wire));
    drop(flow);
    for way in [Way::Requests, Way::Answers] {
        let (wire, shared) = (Arc::clone(&wire), Arc::clone(shared));
        thread::spawn(move || pump(&wire, way, &shared));
    }
}

fn pump(wire: &Wire, way: Way, shared: &Shared) {
    let (mut from, mut to) = wire.ends(way);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let piece = &mut buffer[..read];
        if way == Way::Requests {
            shared.note(piece);
        }
        shared.wait_while_stalled(way);
        let is_half = wire.half.load(Ordering::SeqCst);
        if read == 0 {
            if is_half && way == Way::Answers {
                return;
            }
            break;
        }
        let done = match shared.then(way, piece) {
            _ if is_half => Ok(()),
            Then::Pass => to.write_all(piece),
            Then::PassAfter(time) => {
                thread::sleep(time);
                to.write_all(piece)
            }
            Then::Swallow => {
                wire.half.store(true, Ordering::SeqCst);
                Ok(())
            }
            Then::Cut(at) => {
                let _ = to.write_all(&piece[..at]);
                return wire.cut();
            }
            Then::Half(at) => {
                let _ = to.write_all(&piece[..at]);
                wire.half.store(true, Ordering::SeqCst);
                let _ = wire.server.shutdown(Shutdown::Both);
                Ok(())
            }
        };
        if done.is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A server that sends back what it gets.
    fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut from, _) = listener.accept().unwrap();
            let mut to = from.try_clone().unwrap();
            let _ = std::io::copy(&mut from, &mut to);
        });
        port
    }

    #[test]
    fn a_stalled_relay_holds_back_and_a_cut_one_ends() {
        let relay = Relay::start(Target::Tcp(echo())).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        let mut answer = [0; 4];
        client.write_all(b"ping").unwrap();
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");

        relay.stall();
        client.write_all(b"more").unwrap();
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(client.read(&mut answer).is_err(), "nothing comes through");
        relay.flow();
        client.set_read_timeout(None).unwrap();
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"more");

        relay.cut();
        assert!(matches!(client.read(&mut answer), Ok(0) | Err(_)));
    }

    /// Says `hello`, and gives what comes back within a moment, and whether the line ended.
    fn said(relay: &Relay) -> (Vec<u8>, bool) {
        let mut client = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        client.write_all(b"hello").unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 16]);
        loop {
            match client.read(&mut piece) {
                Ok(0) => return (answer, true),
                Ok(count) => answer.extend(&piece[..count]),
                Err(error) => return (answer, error.kind() == std::io::ErrorKind::ConnectionReset),
            }
        }
    }

    #[test]
    fn each_fault_does_what_it_says_and_strikes_once() {
        let cases: [(Fault, &[u8], bool); 7] = [
            (Fault::CutRequest(2), b"he", true),
            (Fault::CutReply(3), b"hel", true),
            (Fault::Blackhole, b"", false),
            (Fault::HalfOpen(0), b"", false),
            (Fault::CorruptReply(1), b"hullo", false),
            (Fault::Rewrite { from: b"ll".to_vec(), to: b"LL".to_vec() }, b"heLLo", false),
            (Fault::Delay(Duration::from_millis(20)), b"hello", false),
        ];
        for (fault, answer, ended) in cases {
            let relay = Relay::start(Target::Tcp(echo())).unwrap();
            relay.set(fault.clone());
            let (came, over) = said(&relay);
            // What was cut in mid-request may have been echoed or not.
            let is_as_said = came == answer || fault == Fault::CutRequest(2);
            assert!(is_as_said && over == ended, "{fault:?}: {came:?} {over}");
            assert_eq!(relay.strikes(), 1, "{fault:?}");
        }
    }
}
