//! Signed checkpoints: how far the audit reached, kept where the database's owner can't unmake it.
//!
//! A chain alone can't show that its end was cut off. So after every commit that wrote audit rows, one
//! line goes into a file, by `O_APPEND` and `fdatasync`, which should lie on another disk or machine;
//! and the same line goes to the log (target `lapsed::audit::checkpoint`), so that syslog or journald
//! carries it away.
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
use crate::store::{Reader, StoreError, convert};
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
    alarm: PlainMutex<Option<String>>,
}

struct State {
    file: std::fs::File,
    last: Option<Checkpoint>,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkpoint {
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
        let state = Mutex::new(State { file, last });
        Ok(Self { key, path: settings.file, state, alarm: PlainMutex::new(None) })
    }

    pub(in crate::store) fn alarm(&self) -> Option<String> {
        self.alarm.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn raise(&self, alarm: Option<String>) {
        if let Some(text) = &alarm {
            tracing::error!(target: "lapsed::audit", alarm = text, "the audit needs a look");
        }
        *self.alarm.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = alarm;
    }

    pub(in crate::store) async fn line(&self) -> Line<'_> {
        Line { witness: self, state: self.state.lock().await }
    }

    /// Compares the audit's head with the last checkpoint. A head that is ahead means a crash between
    /// commit and checkpoint: the missing line is written. A head that is behind, or another hash at the
    /// checkpoint's row, is an alarm, and the daemon goes on: leavers can't wait for the investigation.
    pub(in crate::store) async fn mend(&self, reader: &Reader<'_>) -> Result<(), StoreError> {
        let head = head(&reader.db).await?;
        let mut line = self.line().await;
        let Some(last) = line.state.last.clone() else {
            if head.seq > 0 {
                line.write(&head);
            }
            return Ok(());
        };
        let row = audit::Entity::find_by_id(convert::signed(last.seq))
            .one(&reader.db)
            .await
            .doing("comparing the audit with its last checkpoint")?;
        if row.is_none_or(|row| row.hash != last.hash) {
            let path = self.path.display();
            self.raise(Some(format!(
                "the audit does not hold row {} as checkpoint {} of {path} has it: rows were cut off or exchanged, or the database is an older copy; keep both files and run `lapsed audit verify`",
                last.seq, last.line
            )));
        } else if head.seq > last.seq {
            line.write(&head);
        }
        Ok(())
    }
}

impl Line<'_> {
    /// Appends the line and forces it to the disk. It can't fail: the commit is made already, so a
    /// failure raises the alarm, and the next line covers these rows too.
    pub(in crate::store) fn write(&mut self, head: &Head) {
        let mut checkpoint = Checkpoint {
            line: self.state.last.as_ref().map_or(1, |last| last.line + 1),
            seq: head.seq,
            hash: head.hash.clone(),
            time: Timestamp::now().to_string(),
            signature: String::new(),
        };
        let text = checkpoint.signed_text();
        checkpoint.signature = hex(&self.witness.key.sign(text.as_bytes()).to_bytes());
        let line = format!("{text} {}", checkpoint.signature);
        tracing::info!(target: "lapsed::audit::checkpoint", seq = head.seq, line, "checkpoint");
        let file = &mut self.state.file;
        let length = file.metadata().map(|data| data.len());
        match file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()) {
            Ok(()) => {
                self.state.last = Some(checkpoint);
                if self.witness.alarm().is_some_and(|alarm| alarm.starts_with(UNWRITTEN)) {
                    self.witness.raise(None);
                }
            }
            Err(error) => {
                // Half a line would spoil the next one.
                let _ = length.and_then(|length| file.set_len(length));
                let path = self.witness.path.display();
                self.witness.raise(Some(format!(
                    "{UNWRITTEN} in {path} ({error}); make room or repair the folder, the next checkpoint covers this one"
                )));
            }
        }
    }
}

const UNWRITTEN: &str = "an audit checkpoint could not be written";

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
