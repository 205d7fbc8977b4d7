//! Signed checkpoints: how far the audit reached, kept where the database's owner can't unmake it.
//!
//! A chain alone can't show that its end was cut off, nor who wrote it: whoever has the database can chain
//! rows on. So after every commit that wrote audit rows, one line goes into a file, by `O_APPEND` and
//! `fdatasync`, which should lie on another disk or machine; and the same line goes to the log (target
//! `lapsed::audit::checkpoint`), so that syslog or journald carries it away.
//!
//! # What is compared
//!
//! The line is signed before the commit and stored in it (setting `audit: sealed by KEY`), and put into
//! the file after it. So at a start the daemon knows what a crash between the two left: the rows up to
//! the stored line, and exactly that line missing from the file, which it then appends. All else raises
//! an alarm: rows that no signed line covers, a file that is gone or lacks more than that one line, rows
//! that are not as the last line has seen them. Before each commit the audit's end is compared with what
//! this process left there. An alarm stops nothing, and the next commit puts it on record
//! ([`ALARM`](super::ALARM)), which [`verify_audit`](super::verify::verify_audit) reports ever after.
//!
//! # What is not seen
//!
//! - On PostgreSQL several daemons write one audit, each with a file and a key of its own, and none knows
//!   the others' keys. Rows behind one's own last line may be another daemon's or may have been put in:
//!   that is not told apart, and only a row of one's own that is gone or exchanged is an alarm. For the
//!   same reason a daemon that finds neither a file nor a stored line of its own key begins anew.
//! - Whoever has the signing key, or controls the daemon while it writes, can have anything signed.
//! - Whoever puts back the database *and* the file as they were at one earlier moment: only the copies of
//!   the lines elsewhere show that.
//!
//! A line is seven words with one space between, and a line feed:
//!
//! ```text
//! lapsed-checkpoint 1 LINE SEQ HASH TIME SIGNATURE
//! ```
//!
//! `LINE` counts the file's lines from 1, so that a line taken out of the middle shows. `SEQ` and `HASH`
//! are those of the last audit row of the commit. `TIME` is UTC as of RFC 3339. `SIGNATURE` is Ed25519
//! (RFC 8032), in hexadecimal, over the first six words with their spaces, without the one behind `TIME`.

use super::{Head, head};
use crate::store::error::Doing as _;
use crate::store::tables::audit;
use crate::store::{Behind, Reader, StoreError, convert};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;
use lapsed_core::plan::hex;
use sea_orm::EntityTrait as _;
use secrecy::zeroize::Zeroizing;
use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex as PlainMutex;
use tokio::sync::{Mutex, MutexGuard};

/// Where checkpoints go and what signs them.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The file of checkpoints; better not on the disk of the database.
    pub file: PathBuf,
    /// The signing key, PKCS#8 in PEM; made on first use, readable for its owner only, with its public
    /// key beside it (`.pub`). Keep a copy of the public key elsewhere: the verifier needs it.
    pub key_file: PathBuf,
}

impl Checkpoints {
    /// Where the public key is.
    #[must_use]
    pub fn public_key_file(&self) -> PathBuf {
        let mut name = self.key_file.clone().into_os_string();
        name.push(".pub");
        PathBuf::from(name)
    }
}

/// The open checkpoint file with its key.
pub struct Witness {
    key: SigningKey,
    path: PathBuf,
    state: Mutex<State>,
    alarms: PlainMutex<Alarms>,
}

struct State {
    file: std::fs::File,
    /// The last line of the file.
    last: Option<Checkpoint>,
    /// The audit's end as this process found it at the start and left it since.
    left: Head,
    /// An alarm that the next commit has to put on record.
    to_record: Option<String>,
}

#[derive(Default)]
struct Alarms {
    /// Until the daemon ends; the first one is the one to look at.
    tampered: Option<String>,
    /// Until a line can be written again.
    unwritten: Option<String>,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Checkpoint {
    pub(super) line: u64,
    pub(super) seq: u64,
    pub(super) hash: String,
    time: String,
    signature: String,
}

impl Checkpoint {
    /// Reads a line's words; says nothing of its signature.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let known = words.next() == Some("lapsed-checkpoint") && words.next() == Some("1");
        let checkpoint = Self {
            line: words.next()?.parse().ok()?,
            seq: words.next()?.parse().ok()?,
            hash: words.next()?.to_owned(),
            time: words.next()?.to_owned(),
            signature: words.next()?.to_owned(),
        };
        (known && words.next().is_none()).then_some(checkpoint)
    }

    pub(super) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let signature = bytes_of(&self.signature).and_then(|b| Signature::from_slice(&b).ok());
        signature.is_some_and(|s| key.verify_strict(self.signed_text().as_bytes(), &s).is_ok())
    }

    /// What the file has seen beyond the audit's end: the state is an older copy.
    fn ahead_of(&self, end: &Head) -> Option<Behind> {
        let until = self.time.parse().ok().filter(|_| self.seq > end.seq)?;
        let noticed_at = Timestamp::now();
        Some(Behind { ends_at: end.seq, seen: self.seq, until, noticed_at })
    }

    fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.clone() }
    }

    /// The whole line, without its line feed.
    pub(in crate::store) fn text(&self) -> String {
        format!("{} {}", self.signed_text(), self.signature)
    }

    fn signed_text(&self) -> String {
        let Self { line, seq, hash, time, .. } = self;
        format!("lapsed-checkpoint 1 {line} {seq} {hash} {time}")
    }
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits = hexadecimal.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(byte).collect() } else { None }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("file", &self.path).finish_non_exhaustive()
    }
}

/// The right to write the next line; others wait for it.
pub(in crate::store) struct Line<'a> {
    witness: &'a Witness,
    state: MutexGuard<'a, State>,
}

impl Witness {
    /// Opens or makes the file and the key.
    pub(in crate::store) fn open(settings: Checkpoints) -> Result<Self, StoreError> {
        let key = key(&settings)?;
        let failed = |source| StoreError::Witness { path: settings.file.clone(), source };
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o640)
            .open(&settings.file)
            .map_err(failed)?;
        // Two writers would number their lines alike.
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::WitnessTaken { path: settings.file.clone() },
            TryLockError::Error(source) => failed(source),
        })?;
        let last = last_line(&mut file).map_err(failed)?;
        let state = Mutex::new(State { file, last, left: Head::none(), to_record: None });
        Ok(Self { key, path: settings.file, state, alarms: PlainMutex::default() })
    }

    pub(in crate::store) fn alarm(&self) -> Option<String> {
        let alarms = self.alarms();
        alarms.tampered.clone().or_else(|| alarms.unwritten.clone())
    }

    fn alarms(&self) -> std::sync::MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn unwritten(&self, error: &std::io::Error) {
        let path = self.path.display();
        let alarm = format!(
            "an audit checkpoint could not be written in {path} ({error}); make room or repair the folder, the next checkpoint covers this one"
        );
        tracing::error!(target: "lapsed::audit", alarm, "the audit needs a look");
        self.alarms().unwritten = Some(alarm);
    }

    /// The name under which the last signed line is stored, in the commit that it is about.
    pub(in crate::store) fn setting(&self) -> String {
        format!("audit: sealed by {}", hex(self.key.verifying_key().as_bytes()))
    }

    pub(in crate::store) async fn line(&self) -> Line<'_> {
        Line { witness: self, state: self.state.lock().await }
    }

    /// Compares the audit with the last line of the file and the last one stored, at the start.
    ///
    /// The one line that a crash between commit and file left out is appended. Whatever else does not
    /// agree is an alarm, and the daemon goes on: leavers can't wait for the investigation. Gives what an
    /// older copy of the state does not know.
    pub(in crate::store) async fn mend(
        &self,
        reader: &Reader<'_>,
        shared: bool,
    ) -> Result<Option<Behind>, StoreError> {
        let end = head(&reader.db).await?;
        let stored: Option<String> = reader.setting(&self.setting()).await?;
        let stored = stored
            .and_then(|text| Checkpoint::parse(&text))
            .filter(|stored| stored.is_signed_by(&self.key.verifying_key()));
        let mut line = self.line().await;
        line.state.left = end.clone();
        let path = self.path.display();
        let last = line.state.last.as_ref();
        let (number, seen) = last.map_or((0, Head::none()), |last| (last.line, last.head()));
        if !holds(reader, &seen).await? {
            let behind = last.and_then(|last| last.ahead_of(&end));
            line.raise(gone(&seen, &format!("checkpoint {number} of {path}")));
            return Ok(behind);
        }
        let mut covered = seen;
        if let Some(stored) = stored.filter(|stored| stored.line > number) {
            if !holds(reader, &stored.head()).await? {
                line.raise(gone(&stored.head(), "the last signed line in the database"));
                return Ok(None);
            }
            covered = stored.head();
            if stored.line == number + 1 {
                line.write(stored);
            } else {
                line.raise(format!(
                    "{path} ends at checkpoint {number}, but {} were written: the file was cut off, emptied or exchanged; put the right one back or keep this one, and compare with the copies elsewhere",
                    stored.line
                ));
            }
        }
        if covered != end && !shared {
            line.raise(not_ours(&covered, &end));
        }
        Ok(None)
    }
}

/// True if the audit has this row.
async fn holds(reader: &Reader<'_>, row: &Head) -> Result<bool, StoreError> {
    if *row == Head::none() {
        return Ok(true);
    }
    let found = audit::Entity::find_by_id(convert::signed(row.seq))
        .one(&reader.db)
        .await
        .doing("comparing the audit with its last checkpoint")?;
    Ok(found.is_some_and(|found| found.hash == row.hash))
}

fn gone(row: &Head, by: &str) -> String {
    format!(
        "the audit does not hold row {} as {by} has it: rows were cut off or exchanged, or the database is an older copy; keep both files and run `lapsed audit verify`",
        row.seq
    )
}

fn not_ours(from: &Head, to: &Head) -> String {
    format!(
        "audit rows {} to {} have no signed checkpoint and were not written by this daemon: they were put in by someone with access to the database, or the checkpoint file is gone or another one; look at them by `lapsed audit list --after {}`",
        from.seq + 1,
        to.seq,
        from.seq
    )
}

impl Line<'_> {
    fn raise(&mut self, alarm: String) {
        tracing::error!(target: "lapsed::audit", alarm, "the audit needs a look");
        self.witness.alarms().tampered.get_or_insert_with(|| alarm.clone());
        self.state.to_record = Some(alarm);
    }

    /// Compares the audit's end with what this process left there, before it adds to it. Gives an alarm,
    /// of now or of the start, that has to go on record.
    pub(in crate::store) async fn compare(
        &mut self,
        reader: &Reader<'_>,
        shared: bool,
    ) -> Result<Option<String>, StoreError> {
        let end = head(&reader.db).await?;
        let left = self.state.left.clone();
        if end != left {
            if !holds(reader, &left).await? {
                self.raise(gone(&left, "this daemon"));
            } else if !shared {
                self.raise(not_ours(&left, &end));
            }
        }
        Ok(self.state.to_record.clone())
    }

    /// The next line, signed, for rows that are about to be committed.
    pub(in crate::store) fn next(&self, head: &Head) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            line: self.state.last.as_ref().map_or(1, |last| last.line + 1),
            seq: head.seq,
            hash: head.hash.clone(),
            time: Timestamp::now().to_string(),
            signature: String::new(),
        };
        let signature = self.witness.key.sign(checkpoint.signed_text().as_bytes());
        checkpoint.signature = hex(&signature.to_bytes());
        checkpoint
    }

    /// Notes that the rows are committed.
    pub(in crate::store) fn committed(&mut self, head: Head) {
        self.state.left = head;
        self.state.to_record = None;
    }

    /// Appends the line and forces it to the disk. It can't fail: the commit is made already, so a
    /// failure raises the alarm, and the next line covers these rows too.
    pub(in crate::store) fn write(&mut self, checkpoint: Checkpoint) {
        let line = checkpoint.text();
        tracing::info!(target: "lapsed::audit::checkpoint", seq = checkpoint.seq, line, "checkpoint");
        let file = &mut self.state.file;
        let length = file.metadata().map(|data| data.len());
        match file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()) {
            Ok(()) => {
                self.state.last = Some(checkpoint);
                self.witness.alarms().unwritten = None;
            }
            Err(error) => {
                // Half a line would spoil the next one.
                let _ = length.and_then(|length| file.set_len(length));
                self.witness.unwritten(&error);
            }
        }
    }
}

/// Far more bytes than one line has: a file of years is not read whole.
const TAIL: u64 = 4096;

/// The last whole line. A torn line behind it, of a crash in mid-write, is taken off: it was never a
/// checkpoint.
fn last_line(file: &mut std::fs::File) -> std::io::Result<Option<Checkpoint>> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL);
    file.seek(std::io::SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length - start).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        file.set_len(start + whole as u64)?;
        bytes.truncate(whole);
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().rev().find_map(Checkpoint::parse))
}

fn key(settings: &Checkpoints) -> Result<SigningKey, StoreError> {
    let path = &settings.key_file;
    let failed = |source| StoreError::Witness { path: path.clone(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            SigningKey::from_pkcs8_pem(&text).map_err(|_| StoreError::Key { path: path.clone() })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed = Zeroizing::new(rand::random::<[u8; 32]>());
            let key = SigningKey::from_bytes(&seed);
            let no_key = |_| StoreError::Key { path: path.clone() };
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(no_key)?;
            create(path, 0o600, &pem).map_err(failed)?;
            let public = key
                .verifying_key()
                .to_public_key_pem(LineEnding::LF)
                .map_err(|_| StoreError::Key { path: path.clone() })?;
            let beside = settings.public_key_file();
            create(&beside, 0o644, &public)
                .map_err(|source| StoreError::Witness { path: beside, source })?;
            Ok(key)
        }
        Err(source) => Err(failed(source)),
    }
}

fn create(path: &Path, mode: u32, text: &str) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
