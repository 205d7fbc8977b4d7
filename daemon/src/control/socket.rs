//! The socket file, and serving the router on it.

use crate::control::peer::Peer;
use axum::Router;
use nix::unistd::Group;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Owner and group may connect; whether they may do anything is for the roles to say.
const SOCKET_MODE: u32 = 0o660;

/// How long calls under way may take to end once the daemon stops.
const GRACE: Duration = Duration::from_secs(2);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon listens.
    #[error("another lapsed listens on {path}; stop it first (`systemctl stop lapsed`)")]
    InUse {
        /// The socket.
        path: String,
    },
    /// Something else is in the way.
    #[error(
        "{path} is there and is no socket; move it away or set `control.socket` to another path"
    )]
    NoSocket {
        /// What is in the way.
        path: String,
    },
    /// The group is not known.
    #[error("this machine has no group {group:?}; create it or set `control.group` to another")]
    NoGroup {
        /// The group's name.
        group: String,
    },
    /// The system said no.
    #[error(
        "the socket {path} can't be set up; its folder must exist and belong to the daemon's account"
    )]
    System {
        /// The socket.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A bound socket; its file goes away with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket, removed on drop if it is still the same one.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // Nothing depends on it: a socket that nobody listens on is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl ControlSocket {
    /// Binds the socket, with mode 0660 and the group given (the daemon's own where absent). A socket
    /// that nobody listens on is replaced; anything else at that path is left alone.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub async fn bind(path: &Path, group: Option<&str>) -> Result<Self, SocketError> {
        let shown = path.display().to_string();
        make_way(path).await?;
        let system = |source| SocketError::System { path: shown.clone(), source };
        // Bound beside its place, given its mode and group, and only then moved there: nobody finds
        // it half set up, and a stale socket is replaced in one move.
        let beside = path.with_extension(format!("new-{}", std::process::id()));
        let listener = UnixListener::bind(&beside).map_err(system)?;
        let settled = settle(&beside, path, group);
        if settled.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        let inode = settled?;
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), inode } })
    }

    /// Serves until `stop`, then lets calls under way end within two seconds.
    ///
    /// # Errors
    /// Only when accepting connections fails for good.
    pub async fn serve(self, router: Router, stop: CancellationToken) -> io::Result<()> {
        let Self { listener, file } = self;
        let service = router.into_make_service_with_connect_info::<Peer>();
        let stopping = stop.clone();
        let serving = axum::serve(listener, service)
            .with_graceful_shutdown(async move { stopping.cancelled().await });
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let ended = tokio::select! {
            ended = serving => ended,
            () = grace => Ok(()),
        };
        drop(file);
        ended
    }
}

async fn make_way(path: &Path) -> Result<(), SocketError> {
    let shown = path.display().to_string();
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(SocketError::System { path: shown, source }),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: shown });
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::InUse { path: shown }),
        Err(problem) if problem.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SocketError::System { path: shown, source }),
    }
}

fn settle(beside: &Path, path: &Path, group: Option<&str>) -> Result<u64, SocketError> {
    let system =
        |source: io::Error| SocketError::System { path: path.display().to_string(), source };
    std::fs::set_permissions(beside, std::fs::Permissions::from_mode(SOCKET_MODE))
        .map_err(system)?;
    if let Some(name) = group {
        let number = Group::from_name(name)
            .map_err(|errno| system(errno.into()))?
            .ok_or_else(|| SocketError::NoGroup { group: name.to_owned() })?
            .gid;
        std::os::unix::fs::chown(beside, None, Some(number.as_raw())).map_err(system)?;
    }
    let inode = std::fs::symlink_metadata(beside).map_err(system)?.ino();
    std::fs::rename(beside, path).map_err(system)?;
    Ok(inode)
}
