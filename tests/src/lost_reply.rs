//! A relay in front of an LDAP server's Unix socket that loses one answer: the server has done what was
//! asked, and the connection falls shut before it can say so.

use crate::{Done, Failure};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

/// The tag of an answer to the request to add an entry (RFC 4511 4.7).
pub const ADD_RESPONSE: u8 = 0x69;

/// A running relay; its socket goes with it.
#[derive(Debug)]
pub struct LostReply {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    armed: AtomicBool,
    lost: AtomicU32,
    closed: AtomicBool,
}

impl LostReply {
    /// Listens; everything goes through until [`Self::lose_next`].
    pub fn before(server: &Path, tag: u8) -> Done<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("ldapi"))?;
        let shared = Arc::new(Shared::default());
        let (for_thread, server) = (Arc::clone(&shared), server.to_owned());
        thread::spawn(move || accept_all(&listener, &server, tag, &for_thread));
        Ok(Self { folder, shared })
    }

    /// The next answer of that kind never arrives.
    pub fn lose_next(&self) {
        self.shared.armed.store(true, Ordering::SeqCst);
    }

    /// How many were lost.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.shared.lost.load(Ordering::SeqCst)
    }

    /// `ldapi://` with the socket's path.
    #[must_use]
    pub fn url(&self) -> String {
        let path: PathBuf = self.folder.path().join("ldapi");
        format!("ldapi://{}", path.to_string_lossy().replace('%', "%25").replace('/', "%2F"))
    }
}

impl Drop for LostReply {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the listening thread, which then sees that it is over.
        let _ = UnixStream::connect(self.folder.path().join("ldapi"));
    }
}

fn accept_all(listener: &UnixListener, server: &Path, tag: u8, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.closed.load(Ordering::SeqCst) {
            return;
        }
        let (Ok(client), Ok(server)) = (client, UnixStream::connect(server)) else { continue };
        let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { continue };
        thread::spawn(move || requests(from, to));
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let _ = answers(&server, &client, tag, &shared);
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        });
    }
}

fn requests(mut from: UnixStream, mut to: UnixStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes messages on, whole, until the one that is to be lost.
fn answers(mut from: &UnixStream, mut to: &UnixStream, tag: u8, shared: &Shared) -> Done<()> {
    loop {
        let message = message(&mut from)?;
        let is_it = operation(&message) == Some(tag);
        if is_it && shared.armed.swap(false, Ordering::SeqCst) {
            shared.lost.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        to.write_all(&message)?;
    }
}

/// One LDAPMessage: a sequence with its length (X.690 8.1).
fn message(from: &mut impl Read) -> Done<Vec<u8>> {
    let mut bytes = vec![0; 2];
    from.read_exact(&mut bytes)?;
    let short = usize::from(bytes[1]);
    let length = if short < 0x80 {
        short
    } else {
        let mut more = vec![0; short & 0x7f];
        from.read_exact(&mut more)?;
        bytes.extend(&more);
        more.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte))
    };
    let start = bytes.len();
    let end = start.checked_add(length).ok_or_else(|| Failure::new("no LDAP message"))?;
    bytes.resize(end, 0);
    from.read_exact(&mut bytes[start..])?;
    Ok(bytes)
}

/// What the message is: the tag after its number.
fn operation(message: &[u8]) -> Option<u8> {
    let long = usize::from(*message.get(1)?);
    let at = if long < 0x80 { 2 } else { 2 + (long & 0x7f) };
    let number = usize::from(*message.get(at + 1)?);
    message.get(at + 2 + number).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_whole_and_known_by_their_operation() {
        let short = [0x30, 0x0c, 2, 1, 7, 0x69, 7, 10, 1, 0, 4, 0, 4, 0];
        let long = [&[0x30, 0x82, 0, 0x0c][..], &short[2..]].concat();
        for whole in [short.to_vec(), long] {
            let mut stream = [&whole[..], &[0x30]].concat();
            stream.truncate(whole.len() + 1);
            assert_eq!(message(&mut &stream[..]).unwrap(), whole);
            assert_eq!(operation(&whole), Some(ADD_RESPONSE));
        }
        assert_eq!(operation(&[0x30]), None);
    }
}
