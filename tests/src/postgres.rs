//! A real PostgreSQL server.

use crate::authority::{Certificate, TlsFiles};
use crate::process::{Scratch, Server, command, find_program, free_port, plain_command, run};
use crate::{Done, Failure, cache};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The role that owns everything; it needs no password on loopback.
pub const ROLE: &str = "lapsed";

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    fsync: bool,
    certificate: Option<Certificate>,
}

impl Builder {
    /// Waits for the disk on every commit, as in production.
    #[must_use]
    pub fn fsync(mut self) -> Self {
        self.fsync = true;
        self
    }
    /// Offers TLS with this certificate.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }
    /// Starts the server and waits until it answers.
    pub fn start(self) -> Done<Postgres> {
        Postgres::from_builder(&self).map_err(|e| e.during("PostgreSQL"))
    }
}

/// A running PostgreSQL server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Option<Server>,
    scratch: Scratch,
    programs: PathBuf,
    data: PathBuf,
    fsync: bool,
    tls: Option<TlsFiles>,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// What may be set.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn from_builder(builder: &Builder) -> Done<Self> {
        let programs = programs()?;
        let scratch = Scratch::new("pg")?;
        scratch.folder("run")?;
        let version = run(command(programs.join("postgres")).arg("--version"))?.stdout;
        let version = String::from_utf8_lossy(&version);
        // "postgres (PostgreSQL) 15.18 (Debian …)"
        let number = version.split_whitespace().nth(2).unwrap_or("unknown");
        let data = cache::tree(&format!("postgres-{number}"), &scratch, "data", |_, tree| {
            let mut initdb = command(programs.join("initdb"));
            initdb.args(["-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]);
            initdb.args(["--wal-segsize=1", "-U", ROLE, "-D"]).arg(tree);
            run(&mut initdb).map(drop)
        })?;
        let (fsync, port, databases) = (builder.fsync, free_port()?, AtomicU32::new(0));
        let tls = builder.certificate.map(|kind| TlsFiles::make(&scratch, kind)).transpose()?;
        let mut postgres =
            Self { server: None, scratch, programs, data, fsync, tls, port, databases };
        for _ in 0..3 {
            match postgres.start() {
                Err(e) if e.to_string().contains("Address already in use") => {
                    postgres.port = free_port()?;
                }
                other => return other.map(|()| postgres),
            }
        }
        postgres.start().map(|()| postgres)
    }

    /// Starts the server again after [`Self::stop`] or [`Self::kill`], on the same port.
    pub fn start(&mut self) -> Done<()> {
        let mut postgres = command(self.programs.join("postgres"));
        postgres.arg("-D").arg(&self.data).arg("-k").arg(self.socket_folder());
        for setting in ["listen_addresses=127.0.0.1", "max_connections=60", "shared_buffers=16MB"] {
            postgres.args(["-c", setting]);
        }
        postgres.arg("-c").arg(format!("port={}", self.port));
        if !self.fsync {
            postgres.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        }
        if let Some(tls) = &self.tls {
            postgres.args(["-c", "ssl=on"]);
            postgres.arg("-c").arg(format!("ssl_cert_file={}", tls.certificate.display()));
            postgres.arg("-c").arg(format!("ssl_key_file={}", tls.key.display()));
        }
        let log = self.scratch.path().join("postgres.log");
        let mut server = Server::start("postgres", &mut postgres, &log)?;
        server.wait_until(|| self.query("postgres", "SELECT 1").is_ok())?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends sessions and stops in order.
    pub fn stop(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::INT))
    }

    /// Ends at once without a checkpoint: the next start recovers, as after a power cut.
    pub fn kill(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::QUIT))
    }

    /// Stops and starts.
    pub fn restart(&mut self) -> Done<()> {
        self.stop()?;
        self.start()
    }

    /// Makes a new empty database and gives its name.
    pub fn create_database(&self) -> Done<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.query("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// The URL of a database, over TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Certificates of the server's authority, and of one that signed nothing here; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFiles> {
        self.tls.as_ref()
    }

    /// The folder of the Unix socket.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        self.scratch.path().join("run")
    }

    /// What `psql`, the witness, answers: a line a row, columns parted by `|`.
    pub fn query(&self, database: &str, sql: &str) -> Done<String> {
        let mut psql = plain_command(find_program("psql", &[&self.programs.to_string_lossy()])?);
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let output = run(psql.arg(self.url(database)))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Not by SIGKILL: the server's own children would outlive it for a moment.
        let _ = self.kill();
    }
}

/// The folder of the newest installed server's programs: Debian keeps them off the path.
fn programs() -> Done<PathBuf> {
    let missing = || Failure::new("postgres is not installed; `make servers` installs it");
    let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| missing())?;
    let number = |path: &Path| path.file_name()?.to_string_lossy().parse::<u32>().ok();
    versions
        .filter_map(|version| Some(version.ok()?.path()))
        .filter(|path| path.join("bin/postgres").is_file())
        .max_by_key(|path| number(path))
        .map(|path| path.join("bin"))
        .ok_or_else(missing)
}
