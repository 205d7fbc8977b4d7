//! Stands between the server and the LDAP library: only whole, sound replies of bounded size pass.
//!
//! The library gets one end of a socket pair. Everything that the server sends is cut into messages
//! and checked (`message.rs`) before it goes on; the first that is not sound ends the connection,
//! and says why. The entries of a search are kept here for whoever searches.

use super::ber::whole_length;
use super::entry::Entry;
use super::message::{Belongs, Pending};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

const CHUNK: usize = 64 * 1024;

/// A guarded connection.
#[derive(Debug)]
pub(super) struct Guarded {
    /// The end for the LDAP library.
    pub(super) local: std::os::unix::net::UnixStream,
    /// Keeps the bytes moving; says why it stopped.
    pub(super) pump: Pump,
}

/// The task that moves the bytes; dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Pump {
    task: JoinHandle<()>,
    ended: Arc<OnceLock<String>>,
    pending: Arc<Mutex<Pending>>,
}

impl Pump {
    /// Why the connection ended, once it has.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// What a search finds, by the number of its message.
    pub(super) fn found_by(&self, search: i32) -> Found<'_> {
        Found { pending: &self.pending, search }
    }
}

/// What one search has found so far; given up, nothing of it stays.
#[derive(Debug)]
pub(super) struct Found<'p> {
    pending: &'p Mutex<Pending>,
    search: i32,
}

impl Found<'_> {
    /// How many entries have come.
    pub(super) fn count(&self) -> usize {
        locked(self.pending).count(self.search)
    }

    /// The entries that have come, once the search has ended.
    pub(super) fn take(self) -> Option<Vec<Entry>> {
        locked(self.pending).take(self.search)
    }
}

impl Drop for Found<'_> {
    fn drop(&mut self) {
        locked(self.pending).take(self.search);
    }
}

fn locked(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Puts the guard before an open connection.
pub(super) fn guard<S>(server: S, largest_reply: usize) -> io::Result<Guarded>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (local, ours) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    let ended = Arc::new(OnceLock::new());
    let says = Arc::clone(&ended);
    let pending = Arc::new(Mutex::new(Pending::default()));
    let seen = Arc::clone(&pending);
    let task = tokio::spawn(async move {
        let why = run(server, ours, &seen, largest_reply).await;
        tracing::debug!(reason = %why, "directory connection ended");
        let _ = says.set(why);
    });
    Ok(Guarded { local, pump: Pump { task, ended, pending } })
}

async fn run<S>(
    server: S,
    ours: UnixStream,
    pending: &Mutex<Pending>,
    largest_reply: usize,
) -> String
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (from_server, to_server) = tokio::io::split(server);
    let (from_us, to_us) = ours.into_split();
    tokio::select! {
        why = requests(from_us, to_server, pending) => why,
        why = replies(from_server, to_us, pending, largest_reply) => why,
    }
}

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pending: &Mutex<Pending>,
) -> String {
    let mut waiting = Vec::with_capacity(CHUNK);
    loop {
        match from.read_buf(&mut waiting).await {
            Ok(0) => return "we closed the connection".into(),
            Err(error) => return format!("the connection failed within this process: {error}"),
            Ok(_) => {}
        }
        let mut done = 0;
        while let Ok(Some(length)) = whole_length(&waiting[done..]) {
            let Some(message) = waiting.get(done..done + length) else { break };
            locked(pending).asked(message);
            done += length;
        }
        if let Err(error) = to.write_all(&waiting[..done]).await {
            return format!("the connection to the server failed: {error}");
        }
        if let Err(error) = to.flush().await {
            return format!("the connection to the server failed: {error}");
        }
        waiting.drain(..done);
    }
}

async fn replies(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pending: &Mutex<Pending>,
    largest: usize,
) -> String {
    let (mut waiting, mut passed) = (Vec::with_capacity(CHUNK), Vec::new());
    loop {
        match from.read_buf(&mut waiting).await {
            Ok(0) => return "the server closed the connection".into(),
            Err(error) => return format!("the connection to the server failed: {error}"),
            Ok(_) => {}
        }
        match sound_part(&waiting, pending, largest, &mut passed) {
            Err(why) => return why,
            Ok(done) => drop(waiting.drain(..done)),
        }
        if !passed.is_empty() {
            if to.write_all(&passed).await.is_err() {
                return "we closed the connection".into();
            }
            passed.clear();
        }
    }
}

/// How many of the bytes are whole, sound replies; those for the library are added to `passed`.
fn sound_part(
    waiting: &[u8],
    pending: &Mutex<Pending>,
    largest: usize,
    passed: &mut Vec<u8>,
) -> Result<usize, String> {
    let mut done = 0;
    while let Some(length) = whole_length(&waiting[done..])
        .map_err(|problem| format!("the server sent bytes that are no LDAP message: {problem}"))?
    {
        if length > largest {
            return Err(format!(
                "the server sent a reply of {length} bytes; raise largest_reply_bytes above {largest} if that is right"
            ));
        }
        let Some(reply) = waiting.get(done..done + length) else { break };
        if locked(pending).check(reply).map_err(|bad| bad.to_string())? == Belongs::Library {
            passed.extend_from_slice(reply);
        }
        done += length;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    async fn ended_by(reply: &[u8]) -> String {
        let (client, mut server) = tokio::io::duplex(1 << 16);
        let guarded = guard(client, 1024).unwrap();
        server.write_all(reply).await.unwrap();
        loop {
            if let Some(why) = guarded.pump.ended() {
                return why.to_owned();
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_deeply_nested_reply_ends_the_connection_and_nothing_else() {
        let mut nested = vec![0x30, 0x80 | 3, 0x00, 0x03, 0xe8];
        nested.extend([0x30, 0x82, 0x03, 0x00].repeat(250));
        assert!(ended_by(&nested).await.contains("no LDAP message"));
    }

    #[tokio::test]
    async fn a_reply_larger_than_allowed_is_refused_by_its_header() {
        assert!(
            ended_by(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]).await.contains("largest_reply_bytes")
        );
    }

    #[tokio::test]
    async fn bytes_that_are_no_ber_end_the_connection() {
        assert!(ended_by(b"\x1fHTTP/1.1 400 Bad Request").await.contains("no LDAP message"));
    }

    #[tokio::test]
    async fn replies_that_come_byte_by_byte_and_two_at_once_are_passed_on_whole() {
        const SEARCHES: &[u8] = &[0x30, 5, 2, 1, 1, 0x63, 0, 0x30, 5, 2, 1, 2, 0x63, 0];
        const ONE: &[u8] = &[0x30, 0x0c, 2, 1, 1, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0];
        const TWO: &[u8] = &[0x30, 0x0c, 2, 1, 2, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0];
        let (client, mut server) = tokio::io::duplex(1 << 16);
        let guarded = guard(client, 1024).unwrap();
        guarded.local.set_nonblocking(true).unwrap();
        let mut ours = UnixStream::from_std(guarded.local).unwrap();
        ours.write_all(SEARCHES).await.unwrap();
        let mut asked = [0; SEARCHES.len()];
        server.read_exact(&mut asked).await.unwrap();
        let (first, rest) = ONE.split_at(9);
        for byte in first {
            server.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        server.write_all(&[rest, TWO].concat()).await.unwrap();
        let mut passed = [0; ONE.len() + TWO.len()];
        ours.read_exact(&mut passed).await.unwrap();
        assert_eq!(passed.as_slice(), [ONE, TWO].concat());
    }
}
