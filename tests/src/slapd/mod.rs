//! A real OpenLDAP server.

mod config;

pub use config::{ADMIN_PASSWORD, SERVICE_PASSWORD};

use crate::authority::{Certificate, TlsFiles};
use crate::process::{FAKETIME, Scratch, Server, accepts, command, find_program, free_port, run};
use crate::witness::Witness;
use crate::{Done, Entry, Failure};
use rustix::process::Signal;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many entries the service account may read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceLimits {
    /// Plain searches are cut at 500; with paging all can be read. So a client that forgets to page
    /// is found out.
    #[default]
    PagedOnly,
    /// No limit.
    Unlimited,
    /// Cut at 500 even with paging: a listing can't be complete.
    Cut,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Builder {
    base: String,
    certificate: Certificate,
    ldif: String,
    service_limits: ServiceLimits,
    service_may_write: bool,
    hidden_from_service: Option<String>,
    unchangeable_for_service: Option<String>,
    member_of: bool,
    refint: bool,
    sorted_members: bool,
    members_hidden: bool,
    access_log: bool,
    pwd_lockout: bool,
    retcode_items: Vec<String>,
    retcode_in_entries: bool,
    idle_timeout: Option<u32>,
    last_bind: bool,
    fsync: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            base: "dc=lab,dc=test".to_owned(),
            certificate: Certificate::Good,
            ldif: String::new(),
            service_limits: ServiceLimits::PagedOnly,
            service_may_write: true,
            hidden_from_service: None,
            unchangeable_for_service: None,
            member_of: true,
            refint: true,
            sorted_members: false,
            members_hidden: false,
            access_log: false,
            pwd_lockout: true,
            retcode_items: Vec::new(),
            retcode_in_entries: false,
            idle_timeout: None,
            last_bind: false,
            fsync: false,
        }
    }
}

impl Builder {
    /// The suffix, which starts with `dc=`; `dc=lab,dc=test` if not set.
    #[must_use]
    pub fn base(mut self, base: &str) -> Self {
        base.clone_into(&mut self.base);
        self
    }
    /// The certificate that the server shows.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }
    /// Content to load before the start, beside the base, `ou=people`, `ou=groups`, `ou=services`,
    /// `ou=policies` and `ou=disabled`, which are always there. `memberOf` is worked out.
    #[must_use]
    pub fn load_ldif(mut self, text: &str) -> Self {
        self.ldif.push_str(text);
        self.ldif.push_str("\n\n");
        self
    }
    /// How many entries the service account may read.
    #[must_use]
    pub fn service_limits(mut self, limits: ServiceLimits) -> Self {
        self.service_limits = limits;
        self
    }
    /// Takes the right to write from the service account.
    #[must_use]
    pub fn service_may_only_read(mut self) -> Self {
        self.service_may_write = false;
        self
    }
    /// Hides a part of the tree from the service account.
    #[must_use]
    pub fn hidden_from_service(mut self, dn: &str) -> Self {
        self.hidden_from_service = Some(dn.to_owned());
        self
    }
    /// Lets the service account change the lists of groups, and neither read nor search them.
    #[must_use]
    pub fn members_hidden_from_service(mut self) -> Self {
        self.members_hidden = true;
        self
    }
    /// Takes the right to write one entry from the service account.
    #[must_use]
    pub fn service_may_not_change(mut self, dn: &str) -> Self {
        self.unchangeable_for_service = Some(dn.to_owned());
        self
    }
    /// Leaves the memberOf overlay out.
    #[must_use]
    pub fn without_member_of(mut self) -> Self {
        self.member_of = false;
        self
    }
    /// Leaves the referential integrity overlay out: groups keep names that are no longer there.
    #[must_use]
    pub fn without_refint(mut self) -> Self {
        self.refint = false;
        self
    }
    /// Keeps the members of groups in order, so that one of thousands is found without looking at each.
    #[must_use]
    pub fn sorted_members(mut self) -> Self {
        self.sorted_members = true;
        self
    }
    /// Keeps a log of changes in `cn=accesslog`.
    #[must_use]
    pub fn access_log(mut self) -> Self {
        self.access_log = true;
        self
    }
    /// A password policy with `pwdLockout FALSE`, in which a locked account can still log on.
    #[must_use]
    pub fn without_lockout(mut self) -> Self {
        self.pwd_lockout = false;
        self
    }
    /// Adds a fault below `ou=fail,BASE`, as slapo-retcode(5) writes it:
    /// `"cn=busy" 0x33 op=modify,search`.
    #[must_use]
    pub fn retcode_item(mut self, item: &str) -> Self {
        self.retcode_items.push(item.to_owned());
        self
    }
    /// Entries can carry faults of their own: see [`Slapd::trouble`].
    #[must_use]
    pub fn retcode_in_entries(mut self) -> Self {
        self.retcode_in_entries = true;
        self
    }
    /// Closes connections that were idle for so many seconds.
    #[must_use]
    pub fn idle_timeout(mut self, seconds: u32) -> Self {
        self.idle_timeout = Some(seconds);
        self
    }
    /// Notes on each account when it last logged on (`lastbind`, slapd.conf(5)).
    #[must_use]
    pub fn last_bind(mut self) -> Self {
        self.last_bind = true;
        self
    }
    /// Waits for the disk on every change, as in production.
    #[must_use]
    pub fn fsync(mut self) -> Self {
        self.fsync = true;
        self
    }
    /// Starts the server and waits until it answers.
    pub fn start(self) -> Done<Slapd> {
        Slapd::from_builder(&self).map_err(|e| e.during("OpenLDAP"))
    }
}

/// A running OpenLDAP server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Slapd {
    server: Option<Server>,
    scratch: Scratch,
    tls: TlsFiles,
    base: String,
    port: u16,
    port_tls: u16,
    changes: AtomicU32,
    access_log: bool,
    clock: Option<String>,
}

impl Slapd {
    /// What may be set.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn from_builder(builder: &Builder) -> Done<Self> {
        let scratch = Scratch::new("slapd")?;
        let tls = TlsFiles::make(&scratch, builder.certificate)?;
        for folder in ["db", "accesslog", "run"] {
            scratch.folder(folder)?;
        }
        scratch.write("agency.schema", include_str!("agency.schema"), 0o644)?;
        scratch.write("slapd.conf", config::text(builder, scratch.path(), &tls), 0o600)?;
        scratch.write("admin.password", ADMIN_PASSWORD, 0o600)?;
        scratch.write("service.password", SERVICE_PASSWORD, 0o600)?;
        let mut content = config::skeleton(&builder.base, builder.pwd_lockout)?;
        content.push_str(&builder.ldif);
        if builder.member_of {
            content = config::with_member_of(&content)?;
        }
        let file = scratch.write("start.ldif", content, 0o600)?;
        let mut load = command(find_program("slapadd", &[])?);
        load.arg("-q").arg("-f").arg(scratch.path().join("slapd.conf"));
        run(load.arg("-b").arg(&builder.base).arg("-l").arg(file))?;
        let (port, port_tls) = (free_port()?, free_port()?);
        let base = builder.base.clone();
        let changes = AtomicU32::new(0);
        let (access_log, clock) = (builder.access_log, None);
        let mut slapd =
            Self { server: None, scratch, tls, base, port, port_tls, changes, access_log, clock };
        slapd.start_on_free_ports()?;
        Ok(slapd)
    }

    fn start_on_free_ports(&mut self) -> Done<()> {
        // Another process may take a port between our look and the server's: try with others.
        for _ in 0..3 {
            match self.start() {
                Err(e) if e.to_string().contains("bind(") => {
                    (self.port, self.port_tls) = (free_port()?, free_port()?);
                }
                other => return other,
            }
        }
        self.start()
    }

    /// Starts the server again after [`Self::stop`] or [`Self::kill`], on the same ports.
    pub fn start(&mut self) -> Done<()> {
        let folder = self.scratch.path();
        let mut slapd = command(find_program("slapd", &[])?);
        slapd.args(["-d", "none", "-f"]).arg(folder.join("slapd.conf"));
        slapd.arg("-h").arg(format!(
            "{} {} {}",
            self.url_ldap(),
            self.url_ldaps(),
            self.url_ldapi()
        ));
        if let Some(at) = &self.clock {
            slapd.env("LD_PRELOAD", FAKETIME).env("FAKETIME", format!("@{at}"));
            slapd.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut server = Server::start("slapd", &mut slapd, &folder.join("slapd.log"))?;
        server.wait_until(|| accepts(self.port) && accepts(self.port_tls) && self.answers())?;
        self.server = Some(server);
        Ok(())
    }

    fn answers(&self) -> bool {
        self.witness().is_answered(&self.base)
    }

    /// From now on the server's clock starts at this moment in UTC (`2026-11-20 09:00:00`) and runs on; a
    /// running server is started anew.
    pub fn set_clock(&mut self, utc: &str) -> Done<()> {
        self.clock = Some(utc.to_owned());
        if self.server.is_some() { self.restart() } else { Ok(()) }
    }

    /// Asks the server to end and waits for it.
    pub fn stop(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::TERM))
    }

    /// Kills the server, as a power cut would.
    pub fn kill(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::KILL))
    }

    /// Stops and starts.
    pub fn restart(&mut self) -> Done<()> {
        self.stop()?;
        self.start()
    }

    /// Freezes the server: it takes connections but answers nothing (SIGSTOP).
    pub fn pause(&self) -> Done<()> {
        self.running()?.signal(Signal::STOP)
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn resume(&self) -> Done<()> {
        self.running()?.signal(Signal::CONT)
    }

    fn running(&self) -> Done<&Server> {
        self.server.as_ref().ok_or_else(|| Failure::new("the server is not running"))
    }

    /// Adds entries or carries out change records while the server runs, as its administrator.
    pub fn load_ldif(&self, text: &str) -> Done<()> {
        let turn = self.changes.fetch_add(1, Ordering::Relaxed);
        let file = self.scratch.write(format!("change-{turn}.ldif"), text, 0o600)?;
        self.witness().change(&file)
    }

    /// From now on an entry answers these operations (`search`, `modify`) with this result code, after so
    /// many seconds; for [`Builder::retcode_in_entries`].
    pub fn trouble(&self, dn: &str, code: u32, operations: &[&str], seconds: u32) -> Done<()> {
        let mut change = format!(
            "dn: {dn}\nchangetype: modify\nadd: objectClass\nobjectClass: errAuxObject\n-\n\
             add: errCode\nerrCode: {code}\n-\nadd: errOp\n"
        );
        for operation in operations {
            change.push_str(&format!("errOp: {operation}\n"));
        }
        if seconds > 0 {
            change.push_str(&format!("-\nadd: errSleepTime\nerrSleepTime: {seconds}\n"));
        }
        self.manage(&change)
    }

    /// An entry behaves again.
    pub fn no_trouble(&self, dn: &str) -> Done<()> {
        let slow = self.witness().managed(dn, "errSleepTime")?;
        let sleep = if slow { "-\ndelete: errSleepTime\n" } else { "" };
        self.manage(&format!(
            "dn: {dn}\nchangetype: modify\ndelete: objectClass\nobjectClass: errAuxObject\n-\n\
             delete: errCode\n-\ndelete: errOp\n{sleep}"
        ))
    }

    fn manage(&self, change: &str) -> Done<()> {
        let turn = self.changes.fetch_add(1, Ordering::Relaxed);
        let file = self.scratch.write(format!("change-{turn}.ldif"), change, 0o600)?;
        self.witness().manage(&file)
    }

    /// Searches the whole tree by `ldapsearch`, as the administrator, whom no limit cuts.
    pub fn search(&self, filter: &str, attributes: &[&str]) -> Done<Vec<Entry>> {
        self.witness().search(&self.base, filter, attributes)
    }

    /// Reads one entry by `ldapsearch`; `None` when it is not there.
    pub fn read(&self, dn: &str, attributes: &[&str]) -> Done<Option<Entry>> {
        self.witness().read(dn, attributes)
    }

    /// The witness: the administrator on the Unix socket.
    #[must_use]
    pub fn witness(&self) -> Witness {
        Witness {
            url: self.url_ldapi(),
            ca: self.tls.ca.clone(),
            bind_dn: self.admin_dn(),
            password_file: self.scratch.path().join("admin.password"),
        }
    }

    /// Plain, or by StartTLS.
    #[must_use]
    pub fn url_ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }
    /// TLS from the start.
    #[must_use]
    pub fn url_ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.port_tls)
    }
    /// The Unix socket, with its path percent-encoded. SASL EXTERNAL gives the service account.
    #[must_use]
    pub fn url_ldapi(&self) -> String {
        let path = self.socket();
        format!("ldapi://{}", path.to_string_lossy().replace('%', "%25").replace('/', "%2F"))
    }
    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> std::path::PathBuf {
        self.scratch.path().join("run/ldapi")
    }
    /// Authority that signed the server's certificate.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.tls.ca
    }
    /// An authority that did not sign it.
    #[must_use]
    pub fn other_ca_path(&self) -> &Path {
        &self.tls.other_ca
    }
    /// Whether changes are logged in `cn=accesslog`.
    #[must_use]
    pub fn has_access_log(&self) -> bool {
        self.access_log
    }
    /// The suffix.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }
    /// The service account that the daemon uses.
    #[must_use]
    pub fn bind_dn(&self) -> String {
        format!("cn=lapsed,ou=services,{}", self.base)
    }
    /// File with the service account's password, without a line end.
    #[must_use]
    pub fn password_file(&self) -> std::path::PathBuf {
        self.scratch.path().join("service.password")
    }
    /// The administrator (`rootdn`).
    #[must_use]
    pub fn admin_dn(&self) -> String {
        format!("cn=admin,{}", self.base)
    }
    /// What the server wrote since its start, when it runs.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.as_ref().map(Server::log).unwrap_or_default()
    }
}
