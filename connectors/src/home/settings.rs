//! What the YAML says of home directories, and what of it can't be.

use super::place::locate;
use crate::settings::SettingsProblem;
use lapsed_core::facts::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HomeKind {
    /// Home directories on mounted file systems.
    Home,
}

/// Home directories on file systems that this machine has mounted (D6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HomeSettings {
    /// `home`.
    pub kind: HomeKind,
    /// Folders below which homes are, each from `/` on and without symbolic links; nothing outside is
    /// ever touched, nor anything on another file system that is mounted below.
    pub roots: Vec<PathBuf>,
    /// Where an account's home is (minijinja: `user_id`), `/home/{{ user_id }}`. This or `from_directory`.
    #[serde(default)]
    pub path: Option<String>,
    /// Take the path from the account's `home` attribute, as it was when the plan was made. Its last
    /// folder must be the user ID: a shared folder is not somebody's home.
    #[serde(default)]
    pub from_directory: Option<FromDirectory>,
    /// A folder in each of the roots, into which a home is moved before it is deleted. Make it
    /// yourself, mode 0700, owned by the account that deletes: where it is missing nothing is deleted,
    /// since the file system is then not mounted.
    #[serde(default = "default_quarantine")]
    pub quarantine: String,
    /// Days that a home stays whole in quarantine before it is deleted there. They run from the day on
    /// which it was moved, and never begin before its due date; 0: deleted at once.
    #[serde(default)]
    #[schemars(range(max = 3_650))]
    pub grace_days: u32,
    /// Whom a home must belong to before it is touched.
    #[serde(default)]
    pub owner_check: OwnerCheck,
    /// Where copies of files go that are to be kept (D6); absent: `lapsed keep` is refused.
    #[serde(default)]
    pub archive: Option<ArchiveSettings>,
    /// How homes of new accounts are made (A1); absent: they are not.
    #[serde(default)]
    pub create: Option<CreateSettings>,
    /// Move homes to where the new name puts them when an account is renamed (N7).
    #[serde(default)]
    pub rename: bool,
    /// Files deleted a second, at most; as fast as it goes where absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub files_per_second: Option<u32>,
    /// Seconds of deleting in one go; what is then left goes on in a later round. Less than
    /// `execution.lease_seconds`.
    #[serde(default = "default_slice")]
    #[schemars(range(min = 1, max = 3_600))]
    pub slice_seconds: u32,
    /// The socket of the helper that deletes with rights that the daemon has not. This or `in_process`.
    #[serde(default)]
    pub helper: Option<PathBuf>,
    /// The daemon deletes by itself: only where its own account may write in the homes.
    #[serde(default)]
    pub in_process: bool,
}

/// How the account's `home` attribute becomes a path of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FromDirectory {
    /// Where shares are mounted here: `'\\files\home$': /srv/homes`. Case and the direction of the
    /// slashes don't count on the left.
    pub shares: BTreeMap<String, PathBuf>,
}

/// How homes of new accounts are made: mode 0700, owned by whom `owner_check` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CreateSettings {
    /// A folder whose content every new home begins with, such as `/etc/skel`: it and all that is in it must
    /// belong to root and be writable by nobody else. Without it a home begins empty.
    pub skeleton: Option<PathBuf>,
}

/// Copies of files that are to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSettings {
    /// The folder of whoever gets them (minijinja: `recipient`), `/srv/archives/{{ recipient }}`. Its last part
    /// is made, and given to them, where it is not there; what is above must be.
    pub folder: String,
    /// Sizes of all files of one copy, at most: more is refused, and nothing of it deleted.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1))]
    pub max_bytes: u64,
    /// How hard it is compressed.
    #[serde(default = "default_level")]
    #[schemars(range(min = 1, max = 19))]
    pub level: i32,
}

fn default_max_bytes() -> u64 {
    100 * 1024 * 1024 * 1024
}

fn default_level() -> i32 {
    3
}

impl ArchiveSettings {
    /// The folder of a recipient.
    ///
    /// # Errors
    /// Why there is none: one sentence with advice.
    pub fn folder_of(&self, recipient: &UserId) -> Result<PathBuf, String> {
        let id = recipient.as_str();
        if id.contains(['/', '\\', '\0']) || id == "." || id == ".." {
            return Err("the recipient's user ID can't be a folder's name; copy by hand".into());
        }
        let path = super::place::rendered(&self.folder, &[("recipient", id)]).map_err(|error| {
            format!("`archive.folder` can't be filled in: {error}; mend the template")
        })?;
        if !is_plain(&path) || path.components().count() < 3 {
            return Err("`archive.folder` leads to no folder below another; write it like `/srv/archives/{{ recipient }}`".into());
        }
        Ok(path)
    }
}

/// Whom a home must belong to before it is touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerCheck {
    /// The account of this machine (also by `sssd` or `winbind`) that is named like the user ID.
    #[default]
    Name,
    /// The number that the directory has for the account (RFC 2307 `uidNumber`), as it was when the plan
    /// was made: where this machine does not know the accounts by name.
    Uid,
    /// Anyone: for mounts that show all files as one owner's.
    Off,
}

fn default_quarantine() -> String {
    ".lapsed-quarantine".into()
}

fn default_slice() -> u32 {
    60
}

impl HomeSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        if self.roots.is_empty() {
            found.push(problem("roots", "is empty; name the folders below which homes are"));
        }
        for root in &self.roots {
            if !is_plain(root) {
                let text = format!(
                    "{root:?} can't be one; write a folder from the root on, without `..`, and not `/` itself"
                );
                found.push(problem("roots", &text));
            }
        }
        let name = Path::new(&self.quarantine);
        if !matches!(name.components().collect::<Vec<_>>().as_slice(), [Component::Normal(_)]) {
            found
                .push(problem("quarantine", "is not the name of one folder; write it without `/`"));
        }
        self.way_problems(&mut found);
        self.archive_problems(&mut found);
        let skeleton = self.create.as_ref().and_then(|create| create.skeleton.as_deref());
        if skeleton.is_some_and(|path| !is_plain(path)) {
            found.push(problem(
                "create.skeleton",
                "is no folder from the root on; write it like `/etc/skel`",
            ));
        }
        match (&self.helper, self.in_process) {
            (Some(_), true) | (None, false) => found.push(problem(
                "helper",
                "says where deleting is done; give the helper's socket, or `in_process: true`, and only one of them",
            )),
            (Some(path), false) if !path.is_absolute() => {
                found.push(problem("helper", "is no path from the root; begin it with `/`"));
            }
            _ => {}
        }
        found
    }

    fn archive_problems(&self, found: &mut Vec<SettingsProblem>) {
        let Some(archive) = &self.archive else { return };
        let of = |id: &str| archive.folder_of(&UserId::new(id).map_err(|e| e.to_string())?);
        match (of("mzsmitj"), of("mbdoej")) {
            (Ok(one), Ok(other)) if one == other => found.push(problem(
                "archive.folder",
                "is the same for everyone; write it with `{{ recipient }}`",
            )),
            (Ok(one), Ok(_)) if self.roots.iter().any(|root| one.parent() == Some(root)) => {
                found.push(problem(
                    "archive.folder",
                    "is a home's own place; name a folder beside or within it, since homes are deleted",
                ));
            }
            (Ok(_), Ok(_)) => {}
            _ => found.push(problem(
                "archive.folder",
                "does not lead to a folder from the root on; write it like `/srv/archives/{{ recipient }}`",
            )),
        }
    }

    fn way_problems(&self, found: &mut Vec<SettingsProblem>) {
        match (&self.path, &self.from_directory) {
            (Some(_), Some(_)) | (None, None) => found.push(problem(
                "path",
                "says where homes are; give `path` or `from_directory`, and only one of them",
            )),
            (Some(_), None) if found.is_empty() => {
                let places = ["mzsmitj", "mbdoej"]
                    .map(|user_id| locate(self, &UserId::new(user_id).ok()?, None).ok());
                match places {
                    [Some(one), Some(other)] if one == other => found.push(problem(
                        "path",
                        "is the same for everyone; write it with `{{ user_id }}`",
                    )),
                    [Some(_), Some(_)] => {}
                    _ => found.push(problem(
                        "path",
                        "does not lead to a folder below one of `roots`; write it like `/home/{{ user_id }}`",
                    )),
                }
            }
            (None, Some(from)) => {
                if from.shares.values().any(|mount| !mount.is_absolute()) {
                    found.push(problem(
                        "from_directory.shares",
                        "has a mount that is no path from the root; begin it with `/`",
                    ));
                }
            }
            (Some(_), None) => {}
        }
    }
}

/// True for `/a/b`: from the root on, not the root itself, nothing to be resolved in it.
pub(super) fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && path.components().count() > 1
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && !path.as_os_str().as_encoded_bytes().contains(&0)
}

fn problem(key: &'static str, text: &str) -> SettingsProblem {
    SettingsProblem::new(key, text)
}
