//! A relay on loopback in front of a server: reaches into its network namespace, and can be made to
//! stall or to cut connections as bad networks do.

use crate::process::free_port;
use crate::{Done, Failure};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

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

#[derive(Debug, Default)]
struct Flow {
    stalled: bool,
    /// How a request begins whose answer is held back.
    unanswered: Option<Vec<u8>>,
    answers_stalled: bool,
    closed: bool,
    open: Vec<TcpStream>,
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
    }
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

    /// Cuts every open connection; new ones work.
    pub fn cut(&self) {
        for stream in self.shared.flow().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
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

fn listen() -> Done<TcpListener> {
    for _ in 0..20 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", free_port()?)) {
            return Ok(listener);
        }
    }
    Err(Failure::new("no port could be had for the relay"))
}

fn accept_all(listener: &TcpListener, target: &Target, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.flow().closed {
            return;
        }
        let Ok(client) = client else { continue };
        if let Ok(server) = target.connect() {
            // When it fails, there are no more file handles, and the connection falls shut.
            let _ = join(&client, &server, shared);
        }
    }
}

fn join(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    let kept = [client.try_clone()?, server.try_clone()?];
    shared.flow().open.extend(kept);
    for (from, to, way) in [(client, server, Way::Requests), (server, client, Way::Answers)] {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let shared = Arc::clone(shared);
        thread::spawn(move || pump(from, to, way, &shared));
    }
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream, way: Way, shared: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        if way == Way::Requests {
            shared.note(&buffer[..read]);
        }
        shared.wait_while_stalled(way);
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
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
}
