//! A daemon that reaches its directory and not its database: it lives in a network namespace of its own,
//! whose network is taken down. Where the machine allows none, a relay that passes nothing on stands for it.

use lapsed_tests::postgres::Postgres;
use lapsed_tests::process::{find_program, free_port, plain_command, run, wait_until};
use lapsed_tests::relay::{Relay, Target};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Done, Failure};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

/// How the way to the database can be cut.
pub(super) enum Partition {
    /// The process that keeps the namespace, and passes on what comes to a port in it.
    Namespace { keeper: Child, nsenter: PathBuf, ip: PathBuf, port: u16 },
    /// Outside.
    Relay(Relay),
}

impl Partition {
    /// A way to the server that can be cut.
    pub(super) fn before(postgres: &Postgres) -> Done<Self> {
        match Self::namespace(postgres) {
            Ok(namespace) => Ok(namespace),
            Err(reason) => {
                eprintln!("SKIPPED: a network namespace for one daemon: {reason}");
                Relay::start(Target::Tcp(postgres.port())).map(Self::Relay)
            }
        }
    }

    fn namespace(postgres: &Postgres) -> Done<Self> {
        if !rustix::process::getuid().is_root() {
            return Err(Failure::new("it needs root"));
        }
        let [unshare, nsenter] = ["unshare", "nsenter"].map(|name| find_program(name, &[]));
        let [ip, socat] = ["ip", "socat"].map(|name| find_program(name, &[]));
        let (nsenter, ip, socat) = (nsenter?, ip?, socat?);
        let port = free_port()?;
        let socket = postgres.socket_folder().join(format!(".s.PGSQL.{}", postgres.port()));
        let script = r#""$1" link set lo up && exec "$2" "$3" "$4""#;
        let mut keeper = plain_command(unshare?);
        keeper.args(["--net", "sh", "-c", script, "sh"]).arg(&ip).arg(socat);
        keeper.arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"));
        keeper.arg(format!("UNIX-CONNECT:{}", socket.display()));
        let keeper = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut namespace = Self::Namespace { keeper, nsenter, ip, port };
        // Tried before any daemon depends on it.
        wait_until(Duration::from_secs(10), || {
            if let Self::Namespace { keeper, .. } = &mut namespace
                && let Some(status) = keeper.try_wait()?
            {
                return Err(Failure::new(format!("unshare ended with {status}")));
            }
            Ok(namespace.link("up").is_ok())
        })?;
        Ok(namespace)
    }

    /// The port on 127.0.0.1, in the namespace if there is one.
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Namespace { port, .. } => *port,
            Self::Relay(relay) => relay.port(),
        }
    }

    /// Puts a site's daemon there. Its directory is reached by the Unix socket, which no network parts.
    pub(super) fn enter(&self, site: &mut Site, slapd: &Slapd) -> Done<()> {
        let Self::Namespace { keeper, nsenter, .. } = self else { return Ok(()) };
        let target = keeper.id().to_string();
        let words = [&nsenter.display().to_string(), "--target", &target, "--net"];
        site.run_within(&words.map(str::to_owned));
        site.reconfigure(&[
            (&slapd.url_ldaps(), &slapd.url_ldapi()),
            (&format!("dn: \"{}\"", slapd.bind_dn()), "external: true #"),
            (&format!("password_file: {}", slapd.password_file().display()), "#"),
            ("external: false", "#"),
        ])
    }

    /// Cuts the way: nothing arrives, and nobody is told.
    pub(super) fn part(&self) -> Done<()> {
        match self {
            Self::Namespace { .. } => self.link("down"),
            Self::Relay(relay) => {
                relay.stall();
                Ok(())
            }
        }
    }

    /// Mends it; what was under way goes on.
    pub(super) fn heal(&self) -> Done<()> {
        match self {
            Self::Namespace { .. } => self.link("up"),
            Self::Relay(relay) => {
                relay.flow();
                Ok(())
            }
        }
    }

    fn link(&self, state: &str) -> Done<()> {
        let Self::Namespace { keeper, nsenter, ip, .. } = self else { return Ok(()) };
        let mut command = plain_command(nsenter);
        command.args(["--target", &keeper.id().to_string(), "--net"]).arg(ip);
        run(command.args(["link", "set", "lo", state])).map(drop)
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        if let Self::Namespace { keeper, .. } = self {
            // Those that it forked end with the connections that they serve.
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}
