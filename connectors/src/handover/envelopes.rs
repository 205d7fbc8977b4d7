//! Envelopes as files, each opened once by the one it is for. The code goes to the opener by mail, so that
//! neither the file nor the mail shows the password. Where no mail is set up there is no code: then the
//! file, the key beside the folder and the daemon, which knows who calls it, have to come together.

use super::Handover;
use super::seal::{KEY, SALT, new_code, open, random, seal};
use crate::mail::{Letter, MailAddress, Postman};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Envelope};
use lapsed_core::template::strict;
use minijinja::context;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;
use zeroize::Zeroizing;

const ENDING: &str = "sealed";
/// A larger file is none of ours.
const LARGEST: u64 = 64 * 1024;
const FUEL: u64 = 20_000;

/// Where envelopes are kept, and what the mail with a code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSettings {
    /// The folder, from the root.
    pub folder: PathBuf,
    /// Days after which one that nobody opened is destroyed.
    pub expires_days: u16,
    /// The mail's subject (minijinja: `id`, `user_id`, `form`, `expires_days`).
    pub subject: String,
    /// The mail's text (the same and `code`).
    pub text: String,
}

/// Sealed envelopes in a folder.
pub struct Envelopes {
    settings: EnvelopeSettings,
    postman: Option<Postman>,
}

/// An envelope as it lies in the folder. The circumstances are bound to what is sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    about: SealedFor,
    salt: String,
    sealed: String,
}

/// What an envelope says on its outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFor {
    /// Its id.
    pub id: Uuid,
    /// The log-on name of the one who may open it.
    pub opener: UserId,
    /// Whose password is in it.
    pub user_id: UserId,
    /// Number of the form that asks for it.
    pub form: u64,
    /// Whether a code was mailed to the opener.
    pub has_code: bool,
}

/// What was in an envelope.
pub struct Opened {
    /// What it says on its outside.
    pub about: SealedFor,
    /// The password; gone from memory when dropped.
    pub password: Zeroizing<String>,
}

/// Without the password.
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("about", &self.about).finish_non_exhaustive()
    }
}

/// Why an envelope was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none, or no longer.
    #[error("there is no such envelope, or it was opened before, or its days are over")]
    Gone,
    /// The code is another, or the key beside the folder.
    #[error("the code does not fit the envelope; type the one of the newest mail about it")]
    NotTogether,
    /// The file can't be used.
    #[error("the envelope can't be read; look at the folder and its owner")]
    Unreadable(#[source] io::Error),
}

impl Envelopes {
    /// Prepares; nothing is written yet. `postman` brings codes to openers, where mail is set up.
    ///
    /// # Errors
    /// What is wrong with the texts of the mail.
    pub fn new(settings: EnvelopeSettings, postman: Option<Postman>) -> Result<Self, String> {
        let envelopes = Self { settings, postman };
        let example = UserId::new("mzsmitj").map_err(|bad| bad.to_string())?;
        let about = SealedFor {
            id: Uuid::nil(),
            opener: example.clone(),
            user_id: example,
            form: 1,
            has_code: true,
        };
        let (_, text) = envelopes.mail(&about, "ABCDE")?;
        if !text.contains("ABCDE") || !text.contains(&Uuid::nil().to_string()) {
            return Err("the mail's text must name `code` and `id`; without them nobody can open the envelope".into());
        }
        Ok(envelopes)
    }

    /// What an envelope says on its outside.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub fn outside(&self, id: Uuid) -> Result<SealedFor, OpenError> {
        self.read(id).map(|stored| stored.about)
    }

    /// What is in an envelope; it is still there afterwards: see [`Self::destroy`].
    ///
    /// # Errors
    /// When there is none, or the code is another.
    pub fn open(&self, id: Uuid, code: &str) -> Result<Opened, OpenError> {
        let stored = self.read(id)?;
        let key = self.key().map_err(OpenError::Unreadable)?;
        let salt = BASE64.decode(&stored.salt).ok().and_then(|salt| salt.try_into().ok());
        let salt: [u8; SALT] = salt.ok_or(OpenError::NotTogether)?;
        let sealed = BASE64.decode(&stored.sealed).map_err(|_| OpenError::NotTogether)?;
        let code = if stored.about.has_code { code } else { "" };
        let password = open(&key, code, &salt, &outside(&stored.about), &sealed);
        let password = password.map_err(|_| OpenError::NotTogether)?;
        Ok(Opened { about: stored.about, password })
    }

    /// Destroys an envelope.
    ///
    /// # Errors
    /// When it is gone already: somebody else was faster, and nothing of it may be shown.
    pub fn destroy(&self, id: Uuid) -> Result<(), OpenError> {
        fs::remove_file(self.path(id)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Gone,
            _ => OpenError::Unreadable(error),
        })
    }

    /// Every envelope that waits to be opened.
    ///
    /// # Errors
    /// When the folder can't be listed.
    pub fn waiting(&self) -> io::Result<Vec<SealedFor>> {
        let ids = self.files()?.into_iter().map(|(id, _)| id);
        let mut all: Vec<_> = ids.filter_map(|id| self.outside(id).ok()).collect();
        all.sort_by_key(|about| about.id);
        Ok(all)
    }

    /// Destroys what nobody opened in time; gives what was destroyed.
    ///
    /// # Errors
    /// When the folder can't be listed, or a file not be removed.
    pub fn expire(&self, now: Timestamp) -> io::Result<Vec<Uuid>> {
        let age = SignedDuration::from_hours(24 * i64::from(self.settings.expires_days));
        let mut destroyed = Vec::new();
        for (id, sealed_at) in self.files()? {
            let is_old = sealed_at.checked_add(age).is_ok_and(|end| end <= now);
            if is_old {
                fs::remove_file(self.path(id))?;
                destroyed.push(id);
            }
        }
        Ok(destroyed)
    }

    fn files(&self) -> io::Result<Vec<(Uuid, Timestamp)>> {
        let folder = match fs::read_dir(&self.settings.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder?,
        };
        let mut files = Vec::new();
        for file in folder {
            let file = file?;
            let path = file.path();
            let id = path.file_stem().and_then(|stem| Uuid::parse_str(stem.to_str()?).ok());
            let is_ours = path.extension().is_some_and(|ending| ending == ENDING);
            if let Some(id) = id.filter(|_| is_ours) {
                let sealed_at = Timestamp::from_second(file.metadata()?.mtime());
                files.push((id, sealed_at.map_err(io::Error::other)?));
            }
        }
        Ok(files)
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.settings.folder.join(format!("{id}.{ENDING}"))
    }

    fn read(&self, id: Uuid) -> Result<Stored, OpenError> {
        let text = bounded(&self.path(id)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Gone,
            _ => OpenError::Unreadable(error),
        })?;
        let unreadable = |error| OpenError::Unreadable(io::Error::other(error));
        let stored: Stored = serde_json::from_slice(&text).map_err(unreadable)?;
        // A file by another's name is somebody's mischief.
        if stored.about.id == id { Ok(stored) } else { Err(OpenError::Gone) }
    }

    /// The machine's part of the keys, which lies beside the folder and never in it.
    fn key_file(&self) -> PathBuf {
        self.settings.folder.with_extension("key")
    }

    fn key(&self) -> io::Result<Zeroizing<[u8; KEY]>> {
        let bytes = Zeroizing::new(bounded(&self.key_file())?);
        let key = <[u8; KEY]>::try_from(bytes.as_slice());
        key.map(Zeroizing::new).map_err(|_| io::Error::other("the key is not of its length"))
    }

    fn key_or_new(&self) -> io::Result<Zeroizing<[u8; KEY]>> {
        match self.key() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            key => return key,
        }
        let drawn = Zeroizing::new(random::<KEY>());
        match write_new(&self.key_file(), drawn.as_slice()) {
            // Another was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.key(),
            written => written.map(|()| drawn),
        }
    }

    fn store(&self, about: SealedFor, code: &str, password: &str) -> io::Result<()> {
        own_folder(&self.settings.folder)?;
        let key = self.key_or_new()?;
        let salt = random::<SALT>();
        let sealed = seal(&key, code, &salt, &outside(&about), password);
        let sealed = BASE64.encode(sealed.map_err(io::Error::other)?);
        let path = self.path(about.id);
        let stored = Stored { about, salt: BASE64.encode(salt), sealed };
        let fresh = self.settings.folder.join(format!(".{}.new", Uuid::new_v4()));
        let written = write_new(&fresh, &serde_json::to_vec(&stored).map_err(io::Error::other)?)
            .and_then(|()| fs::rename(&fresh, &path));
        if written.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        written?;
        fs::File::open(&self.settings.folder)?.sync_all()
    }

    fn mail(&self, about: &SealedFor, code: &str) -> Result<(String, String), String> {
        let engine = strict(FUEL);
        let (id, form) = (&about.id.to_string(), about.form);
        let user_id = about.user_id.as_str();
        let expires_days = self.settings.expires_days;
        let render = |template: &str, code: Option<&str>| {
            let words = match code {
                Some(code) => context! { id, user_id, form, expires_days, code },
                None => context! { id, user_id, form, expires_days },
            };
            engine.render_str(template, words).map_err(|error| error.to_string())
        };
        // A subject is shown in lists and logs: no code there.
        Ok((render(&self.settings.subject, None)?, render(&self.settings.text, Some(code))?))
    }

    async fn send(
        &self,
        postman: &Postman,
        envelope: &Envelope,
        about: &SealedFor,
        code: &str,
    ) -> Result<(), Cause> {
        let to = envelope.mail.as_deref().ok_or_else(|| {
            Cause::new(format!(
                "no mail address of {} is known, to whom the code of the first password goes; put it on the account",
                envelope.opener
            ))
        })?;
        let to = MailAddress::parse(to).map_err(|bad| {
            Cause::new(format!("the mail address of {} can't be used: {bad}", envelope.opener))
        })?;
        let (subject, text) = self
            .mail(about, code)
            .map_err(|why| Cause::new(format!("the mail with the code can't be written: {why}")))?;
        // Sealed anew means another code: another mail, too.
        let part = format!("code-{}", Uuid::new_v4().simple());
        let id = postman.message_id(envelope.id, &part);
        let sent = postman.send(&Letter::new(vec![to], subject, text, id)).await;
        sent.map(drop).map_err(|fault| {
            Cause::new(format!("the code of the first password could not be mailed: {fault}"))
        })
    }
}

impl Handover for Envelopes {
    fn seal<'a>(
        &'a self,
        envelope: &'a Envelope,
        user_id: &'a UserId,
        password: &'a str,
    ) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move {
            let code = match &self.postman {
                Some(_) => new_code(),
                None => Zeroizing::new(String::new()),
            };
            let about = SealedFor {
                id: envelope.id,
                opener: envelope.opener.clone(),
                user_id: user_id.clone(),
                form: envelope.form,
                has_code: self.postman.is_some(),
            };
            self.store(about.clone(), &code, password).map_err(|error| {
                let folder = self.settings.folder.display();
                Cause::new(format!(
                    "the first password can't be sealed in {folder}: {error}; make it a folder of the daemon's own (mode 0700)"
                ))
            })?;
            let Some(postman) = &self.postman else { return Ok(()) };
            let sent = self.send(postman, envelope, &about, &code).await;
            if sent.is_err() {
                // Nobody could open it, and its password is not set.
                let _ = fs::remove_file(self.path(envelope.id));
            }
            sent
        })
    }
}

/// What is bound to the sealed text.
fn outside(about: &SealedFor) -> Vec<u8> {
    let SealedFor { id, opener, user_id, form, has_code } = about;
    format!("{id}\n{}\n{user_id}\n{form}\n{has_code}", opener.folded()).into_bytes()
}

/// The folder, made if it is not there; one that others may look into is not used.
fn own_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may look into it"));
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn envelopes(folder: &Path) -> Envelopes {
        let settings = EnvelopeSettings {
            folder: folder.join("envelopes"),
            expires_days: 14,
            subject: "Form {{ form }}".into(),
            text: "{{ id }} {{ code }}".into(),
        };
        Envelopes::new(settings, None).unwrap()
    }

    fn envelope() -> (Envelope, UserId) {
        let opener = UserId::new("mqboss").unwrap();
        let envelope = Envelope { id: Uuid::from_u128(9), opener, mail: None, form: 12 };
        (envelope, UserId::new("mqlia").unwrap())
    }

    async fn sealed(envelopes: &Envelopes, password: &str) -> Uuid {
        let (envelope, user_id) = envelope();
        envelopes.seal(&envelope, &user_id, password).await.unwrap();
        envelope.id
    }

    #[tokio::test]
    async fn an_envelope_is_opened_and_destroyed_once_and_shows_nothing_before() {
        let folder = tempfile::tempdir().unwrap();
        let envelopes = envelopes(folder.path());
        let id = sealed(&envelopes, "kT7v-qWm4RnHx3pYd").await;
        let path = envelopes.path(id);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&envelopes.settings.folder).unwrap().mode() & 0o777, 0o700);
        assert!(!fs::read_to_string(&path).unwrap().contains("kT7v"));
        assert_eq!(envelopes.waiting().unwrap()[0].user_id.as_str(), "mqlia");
        let opened = envelopes.open(id, "").unwrap();
        assert_eq!(*opened.password, "kT7v-qWm4RnHx3pYd");
        assert!(!format!("{opened:?}").contains("kT7v"));
        envelopes.destroy(id).unwrap();
        assert!(matches!(envelopes.destroy(id), Err(OpenError::Gone)));
        assert!(matches!(envelopes.open(id, ""), Err(OpenError::Gone)));
    }

    #[tokio::test]
    async fn the_same_envelope_again_holds_the_new_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let envelopes = envelopes(folder.path());
        sealed(&envelopes, "first").await;
        let id = sealed(&envelopes, "second").await;
        assert_eq!(envelopes.waiting().unwrap().len(), 1);
        assert_eq!(*envelopes.open(id, "").unwrap().password, "second");
    }

    #[tokio::test]
    async fn a_file_without_the_key_beside_the_folder_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let envelopes = envelopes(folder.path());
        let id = sealed(&envelopes, "first").await;
        fs::write(envelopes.key_file(), [0; KEY]).unwrap();
        assert!(matches!(envelopes.open(id, ""), Err(OpenError::NotTogether)));
    }

    #[tokio::test]
    async fn an_envelope_given_to_another_opener_is_no_longer_whole() {
        let folder = tempfile::tempdir().unwrap();
        let envelopes = envelopes(folder.path());
        let id = sealed(&envelopes, "first").await;
        let text = fs::read_to_string(envelopes.path(id)).unwrap().replace("mqboss", "mzevil");
        fs::write(envelopes.path(id), text).unwrap();
        assert!(matches!(envelopes.open(id, ""), Err(OpenError::NotTogether)));
    }

    #[tokio::test]
    async fn what_nobody_opened_in_time_is_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let envelopes = envelopes(folder.path());
        let id = sealed(&envelopes, "first").await;
        let sealed_at = fs::metadata(envelopes.path(id)).unwrap().mtime();
        let after = |days: i64| Timestamp::from_second(sealed_at + days * 86_400).unwrap();
        assert!(envelopes.expire(after(13)).unwrap().is_empty());
        assert_eq!(envelopes.expire(after(14)).unwrap(), [id]);
        assert!(matches!(envelopes.outside(id), Err(OpenError::Gone)));
    }

    #[tokio::test]
    async fn a_folder_that_others_look_into_takes_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let envelopes = envelopes(folder.path());
        fs::create_dir(&envelopes.settings.folder).unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&envelopes.settings.folder, open).unwrap();
        let (envelope, user_id) = envelope();
        let cause = envelopes.seal(&envelope, &user_id, "first").await.unwrap_err();
        assert!(cause.message.contains("0700"), "{cause}");
        assert!(!cause.message.contains("first password: first"), "{cause}");
    }

    #[test]
    fn a_mail_without_the_code_is_refused_before_anything_is_sealed() {
        let settings = EnvelopeSettings {
            folder: "/nowhere".into(),
            expires_days: 14,
            subject: String::new(),
            text: "ask the help desk about {{ id }}".into(),
        };
        assert!(Envelopes::new(settings, None).is_err());
    }
}
