//! A real MariaDB server.

use crate::authority::{Certificate, TlsFiles};
use crate::process::{Scratch, Server, command, find_program, free_port, plain_command, run};
use crate::{Done, cache};
use rustix::process::Signal;
use std::path::{Path, PathBuf};

/// The account that the connector logs on with.
pub const USER: &str = "lapsed";
/// Its password.
pub const PASSWORD: &str = "Teal-harbour-52";
/// The database with the accounts of a system.
pub const DATABASE: &str = "jcfs";

/// A running MariaDB server; stopped and removed when dropped.
#[derive(Debug)]
pub struct MariaDb {
    server: Option<Server>,
    scratch: Scratch,
    data: PathBuf,
    tls: TlsFiles,
    port: u16,
}

impl MariaDb {
    /// Starts the server with a certificate, an empty database and [`USER`], and waits until it answers.
    pub fn start(certificate: Certificate) -> Done<Self> {
        Self::make(certificate).map_err(|failure| failure.during("MariaDB"))
    }

    fn make(certificate: Certificate) -> Done<Self> {
        let scratch = Scratch::new("maria")?;
        let tls = TlsFiles::make(&scratch, certificate)?;
        let version = run(command(find_program("mariadbd", &[])?).arg("--version"))?.stdout;
        let version = String::from_utf8_lossy(&version);
        // "mariadbd  Ver 10.11.19-MariaDB-… for debian-linux-gnu …"
        let number = version.split_whitespace().nth(2).unwrap_or("unknown");
        let data = cache::tree(&format!("mariadb-{number}"), &scratch, "data", initialise)?;
        let mut maria = Self { server: None, scratch, data, tls, port: free_port()? };
        maria.resume()?;
        maria.query("", &format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4"))?;
        maria.query("", &format!("CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'"))?;
        maria.query(
            "",
            &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {DATABASE}.* TO {USER}"),
        )?;
        maria.scratch.write("password", format!("{PASSWORD}\n"), 0o644)?;
        maria.scratch.write("wrong-password", "not-the-password\n", 0o644)?;
        Ok(maria)
    }

    /// Starts the server again after [`Self::kill`], on the same port.
    pub fn resume(&mut self) -> Done<()> {
        let mut mariadbd = command(find_program("mariadbd", &[])?);
        mariadbd.arg("--no-defaults").arg(flag("datadir", &self.data));
        mariadbd.arg(flag("socket", &self.socket()));
        mariadbd.arg(flag("pid-file", &self.scratch.path().join("pid")));
        mariadbd.arg(flag("tmpdir", &self.scratch.folder("tmp")?));
        mariadbd.arg(flag("ssl-cert", &self.tls.certificate));
        mariadbd.arg(flag("ssl-key", &self.tls.key));
        mariadbd.arg(flag("ssl-ca", &self.tls.ca));
        mariadbd.arg(format!("--port={}", self.port)).args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=4M",
            "--performance-schema=OFF",
        ]);
        let log = self.scratch.path().join("mariadbd.log");
        let mut server = Server::start("mariadbd", &mut mariadbd, &log)?;
        server.wait_until(|| self.query("", "SELECT 1").is_ok())?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::KILL))
    }

    /// What `mariadb`, the witness, answers as the server's own administrator: a line a row, columns
    /// parted by tabs.
    pub fn query(&self, database: &str, sql: &str) -> Done<String> {
        let mut client = plain_command(find_program("mariadb", &[])?);
        client
            .arg("--no-defaults")
            .arg(flag("socket", &self.socket()))
            .args(["-uroot", "-N", "-B"]);
        let output = run(client.args(["-e", sql, database]))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("sock")
    }

    /// Certificates of the server's authority, and of one that signed nothing here.
    #[must_use]
    pub fn tls(&self) -> &TlsFiles {
        &self.tls
    }

    /// A file with the password of [`USER`].
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.scratch.path().join("password")
    }

    /// A file with another password.
    #[must_use]
    pub fn wrong_password_file(&self) -> PathBuf {
        self.scratch.path().join("wrong-password")
    }
}

fn initialise(scratch: &Scratch, tree: &Path) -> Done<()> {
    let mut install = scratch.command(find_program("mariadb-install-db", &[])?);
    install.arg("--no-defaults").arg(flag("datadir", tree)).arg(flag("tmpdir", scratch.path()));
    install.args([
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-log-file-size=4M",
    ]);
    run(&mut install).map(drop)
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
