//! The socket file: its mode, what may be in its place, and how it goes away.

use crate::fake::{FakeConsole, for_machine};
use lapsed::config::Roles;
use lapsed::control::client::{Client, ClientError, Transport};
use lapsed::control::socket::{ControlSocket, SocketError};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A served socket in a folder of its own.
pub struct Served {
    pub folder: TempDir,
    pub path: PathBuf,
    pub console: Arc<FakeConsole>,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub async fn with(roles: Roles) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let console = Arc::new(FakeConsole::default());
        let socket = ControlSocket::bind(&path, None).await.unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(socket.serve(for_machine(&console, roles), stop.clone()));
        Self { folder, path, console, stop, serving }
    }

    pub fn client(&self) -> Client {
        Client::new(Transport::Socket(self.path.clone()))
    }

    pub async fn stop(self) -> (TempDir, PathBuf) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        (self.folder, self.path)
    }
}

/// Roles that make whoever runs the tests an administrator, root or not.
pub fn everything() -> Roles {
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
    let mut roles = Roles::default();
    roles.administrator.users.push(me);
    roles
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn only_owner_and_group_may_connect_and_nothing_else_is_left_in_the_folder() {
    let served = Served::with(everything()).await;
    assert_eq!(mode(&served.path), 0o660);
    assert_eq!(std::fs::read_dir(served.folder.path()).unwrap().count(), 1);
    assert_eq!(served.client().status().await.unwrap(), crate::samples::status());
    let (folder, _) = served.stop().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_one_in_use_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket file outlives its listener");
    let first = ControlSocket::bind(&path, None).await.unwrap();
    let inode = std::fs::symlink_metadata(&path).unwrap().ino();
    let second = ControlSocket::bind(&path, None).await;
    assert!(matches!(second, Err(SocketError::InUse { .. })), "{second:?}");
    assert_eq!(std::fs::symlink_metadata(&path).unwrap().ino(), inode);
    drop(first);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("precious");
    std::fs::write(&target, "precious").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    for path in [&target, &link] {
        let bound = ControlSocket::bind(path, None).await;
        assert!(matches!(bound, Err(SocketError::NoSocket { .. })), "{bound:?}");
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    let missing = ControlSocket::bind(&folder.path().join("no/such/folder.sock"), None).await;
    assert!(matches!(missing, Err(SocketError::System { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_group_that_is_not_there_is_named_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let bound = ControlSocket::bind(&path, Some("no such group")).await;
    assert!(matches!(bound, Err(SocketError::NoGroup { .. })), "{bound:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_of_a_newer_daemon_outlives_the_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let older = ControlSocket::bind(&path, None).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let newer = ControlSocket::bind(&path, None).await.unwrap();
    drop(older);
    assert!(std::fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    drop(newer);
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_keep_the_daemon_from_stopping() {
    let served = Served::with(everything()).await;
    let idle = tokio::net::UnixStream::connect(&served.path).await.unwrap();
    served.client().status().await.unwrap();
    let begun = std::time::Instant::now();
    served.stop().await;
    assert!(begun.elapsed().as_secs() < 5);
    drop(idle);
}

#[tokio::test]
async fn the_same_router_answers_within_the_process() {
    let console = Arc::new(FakeConsole::default());
    let client = Client::new(Transport::InProcess(for_machine(&console, everything())));
    assert_eq!(client.person("mzsmitj").await.unwrap(), crate::samples::person());
    assert!(matches!(client.person("x").await, Err(ClientError::Said(_))));
    assert_eq!(console.records().len(), 2);
}
