//! A real Samba Active Directory domain controller.
//!
//! Where it differs from Microsoft's: it does not cut long `member` lists by itself (it honours ranges
//! that are asked for), knows no limit of 1,000 entries, accepts a stale "delete 512, add 514", and
//! answers 53 to the removal of an absent member even with the permissive-modify control.

mod namespace;

pub use namespace::Namespace;

use crate::authority::{Certificate, TlsFiles};
use crate::process::{Scratch, Server, find_program, run};
use crate::relay::{Relay, Target};
use crate::witness::Witness;
use crate::{Done, Entry, Failure, cache};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Password of the domain's `Administrator`. It protects nothing but a test.
pub const ADMIN_PASSWORD: &str = "Admin-of-the-test-1";
/// Password of the service account `CN=lapsed,OU=Services`, a domain administrator.
pub const SERVICE_PASSWORD: &str = "Lapsed-of-the-test-1";
/// The domain.
pub const BASE: &str = "DC=lab,DC=test";

/// Attributes of Exchange: name, syntax, and its number in the object model.
const EXCHANGE: [(&str, &str, &str); 2] =
    [("msExchHideFromAddressLists", "2.5.5.8", "1"), ("msExchRequireAuthToSendTo", "2.5.5.8", "1")];

const PROVISION: &str = include_str!("provision.py");
const LOAD: &str = include_str!("load.py");
const RELAX: &str = include_str!("relax.py");
const INSIDE: &str = include_str!("inside.py");
/// Where Debian's python finds Samba's modules; another python on the path would not.
const PYTHON: &str = "/usr/bin/python3";

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    certificate: Certificate,
    ldif: String,
    image: Option<String>,
    fsync: bool,
}

impl Builder {
    /// The certificate that the server shows.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }
    /// Content to load before the start, beside the units `OU=People`, `OU=Groups`, `OU=Services` and
    /// `OU=Disabled`, which are always there. Passwords (`unicodePwd`) are slow: 30 users a second.
    #[must_use]
    pub fn load_ldif(mut self, text: &str) -> Self {
        self.ldif.push_str(text);
        self.ldif.push_str("\n\n");
        self
    }
    /// Keeps the loaded domain under this name for later runs: for content that takes long to load.
    /// It is made anew when the content changes.
    #[must_use]
    pub fn kept_as(mut self, name: &str) -> Self {
        self.image = Some(name.to_owned());
        self
    }
    /// Waits for the disk on every change, as in production.
    #[must_use]
    pub fn fsync(mut self) -> Self {
        self.fsync = true;
        self
    }
    /// Starts the server and waits until it answers.
    pub fn start(self) -> Done<SambaAd> {
        SambaAd::from_builder(&self).map_err(|e| e.during("Samba"))
    }
}

/// A running domain controller; stopped and removed when dropped.
#[derive(Debug)]
pub struct SambaAd {
    server: Option<Server>,
    ldaps: Relay,
    ldap: Relay,
    namespace: Namespace,
    address: Ipv4Addr,
    tree: PathBuf,
    scratch: Scratch,
    tls: TlsFiles,
    changes: AtomicU32,
}

impl SambaAd {
    /// What may be set.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn from_builder(builder: &Builder) -> Done<Self> {
        let namespace = Namespace::find()?;
        let address = namespace.address();
        let scratch = Scratch::owned_by("samba", namespace.user())?;
        let tls = TlsFiles::make(&scratch, builder.certificate)?;
        let tree = domain(builder, namespace, &scratch)?;
        scratch.write("admin.password", ADMIN_PASSWORD, 0o600)?;
        scratch.write("service.password", SERVICE_PASSWORD, 0o600)?;
        scratch.write(
            tree.join("smb.conf"),
            smb_conf(&tree, address, Some(&tls), builder.fsync),
            0o644,
        )?;
        scratch.write("inside.py", INSIDE, 0o644)?;
        let ldaps = Relay::start(Target::Unix(tree.join("636.socket")))?;
        let ldap = Relay::start(Target::Unix(tree.join("389.socket")))?;
        let changes = AtomicU32::new(0);
        let mut samba =
            Self { server: None, ldaps, ldap, namespace, address, tree, scratch, tls, changes };
        samba.start()?;
        Ok(samba)
    }

    /// Starts the server again after [`Self::kill`], on the same ports.
    pub fn start(&mut self) -> Done<()> {
        let mut command = self.namespace.enter(Path::new(PYTHON))?;
        command.arg(self.scratch.path().join("inside.py")).arg(&self.tree);
        command.arg(find_program("samba", &[])?).arg(self.address.to_string());
        command.args(["636", "389"]);
        let log = self.scratch.path().join("samba.log");
        let mut server = Server::start("samba", &mut command, &log)?;
        server.wait_until(|| self.witness().is_answered(BASE))?;
        self.server = Some(server);
        Ok(())
    }

    /// Kills the server with all its processes. What it had answered is kept.
    pub fn kill(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(self.namespace.end()))
    }

    /// Kills and starts.
    pub fn restart(&mut self) -> Done<()> {
        self.kill()?;
        self.start()
    }

    /// Freezes the way to the server: connections are taken, but nothing is answered.
    pub fn pause(&self) {
        self.ldaps.stall();
        self.ldap.stall();
    }

    /// Undoes [`Self::pause`].
    pub fn resume(&self) {
        self.ldaps.flow();
        self.ldap.flow();
    }

    /// Cuts all connections that are open.
    pub fn cut_connections(&self) {
        self.ldaps.cut();
        self.ldap.cut();
    }

    /// Adds entries or carries out change records while the server runs, as its administrator.
    pub fn load_ldif(&self, text: &str) -> Done<()> {
        let turn = self.changes.fetch_add(1, Ordering::Relaxed);
        let file = self.scratch.write(format!("change-{turn}.ldif"), text, 0o600)?;
        self.witness().change(&file)
    }

    /// Carries out a change record that only the server itself may write, such as of `lastLogonTimestamp`.
    pub fn change_as_server(&self, text: &str) -> Done<()> {
        let script = self.scratch.write("relax.py", RELAX, 0o644)?;
        let file = self.scratch.write("relax.ldif", text, 0o600)?;
        let mut command = self.namespace.enter(Path::new(PYTHON))?;
        run(command.arg(script).arg(self.tree.join("smb.conf")).arg(file)).map(drop)
    }

    /// Gives users the attributes of Exchange that the connector knows, as its setup would: their names
    /// and syntaxes are Microsoft's, the class that they hang on is simplified.
    pub fn extend_for_exchange(&self) -> Done<()> {
        const UPDATE: &str = "dn:\nchangetype: modify\nadd: schemaUpdateNow\nschemaUpdateNow: 1\n";
        let schema = format!("CN=Schema,CN=Configuration,{BASE}");
        let mut names = String::new();
        for (number, (name, syntax, om)) in EXCHANGE.iter().enumerate() {
            self.load_ldif(&format!(
                "dn: CN={name},{schema}\nobjectClass: attributeSchema\ncn: {name}\n\
                 lDAPDisplayName: {name}\nattributeID: 1.2.840.113556.1.4.7000.102.{}\n\
                 attributeSyntax: {syntax}\noMSyntax: {om}\nisSingleValued: {}\n",
                number + 73,
                if *om == "1" { "TRUE" } else { "FALSE" },
            ))?;
            names.push_str(&format!("mayContain: {name}\n"));
        }
        self.load_ldif(UPDATE)?;
        self.load_ldif(&format!(
            "dn: CN=User,{schema}\nchangetype: modify\nadd: mayContain\n{names}"
        ))?;
        self.load_ldif(UPDATE)
    }

    /// Searches the whole domain by `ldapsearch`, as its administrator.
    pub fn search(&self, filter: &str, attributes: &[&str]) -> Done<Vec<Entry>> {
        self.witness().search(BASE, filter, attributes)
    }

    /// Reads one entry by `ldapsearch`; `None` when it is not there.
    pub fn read(&self, dn: &str, attributes: &[&str]) -> Done<Option<Entry>> {
        self.witness().read(dn, attributes)
    }

    /// The witness: the administrator over LDAPS.
    #[must_use]
    pub fn witness(&self) -> Witness {
        Witness {
            url: self.url_ldaps(),
            ca: self.tls.ca.clone(),
            bind_dn: self.admin_dn(),
            password_file: self.scratch.path().join("admin.password"),
        }
    }

    /// TLS from the start.
    #[must_use]
    pub fn url_ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.ldaps.port())
    }
    /// By StartTLS; a plain bind is refused.
    #[must_use]
    pub fn url_ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.ldap.port())
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
    /// The domain.
    #[must_use]
    pub fn base(&self) -> &'static str {
        BASE
    }
    /// The service account that the daemon uses: a domain administrator.
    #[must_use]
    pub fn bind_dn(&self) -> String {
        format!("CN=lapsed,OU=Services,{BASE}")
    }
    /// File with the service account's password, without a line end.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.scratch.path().join("service.password")
    }
    /// The domain's built-in administrator (RID 500).
    #[must_use]
    pub fn admin_dn(&self) -> String {
        format!("CN=Administrator,CN=Users,{BASE}")
    }
    /// What the server wrote since its start, when it runs.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.as_ref().map(Server::log).unwrap_or_default()
    }
}

impl Drop for SambaAd {
    fn drop(&mut self) {
        // Before the folder goes: the server would write into it.
        let _ = self.kill();
    }
}

/// The domain's files: an empty domain, or one with content.
fn domain(builder: &Builder, namespace: Namespace, scratch: &Scratch) -> Done<PathBuf> {
    let key = format!("samba-{}", version()?);
    let bare = format!("{key}-domain-{}", digest(&[PROVISION, ADMIN_PASSWORD, SERVICE_PASSWORD]));
    let provision = |image: &Scratch, tree: &Path| provision(namespace, image, tree);
    if builder.ldif.is_empty() {
        return cache::tree(&bare, scratch, "dc", provision);
    }
    match &builder.image {
        None => {
            let tree = cache::tree(&bare, scratch, "dc", provision)?;
            load(namespace, scratch, &tree, &builder.ldif)?;
            Ok(tree)
        }
        Some(name) => {
            let full = format!("{key}-{name}-{}", digest(&[&bare, LOAD, &builder.ldif]));
            cache::tree(&full, scratch, "dc", |image, tree| {
                let made = cache::tree(&bare, image, "bare", provision)?;
                load(namespace, image, &made, &builder.ldif)?;
                fs::remove_dir(tree)?;
                fs::rename(made, tree)?;
                Ok(())
            })
        }
    }
}

fn provision(namespace: Namespace, scratch: &Scratch, tree: &Path) -> Done<()> {
    let script = scratch.write("provision.py", PROVISION, 0o644)?;
    let mut command = namespace.enter(Path::new(PYTHON))?;
    command.env("ADMIN_PASSWORD", ADMIN_PASSWORD).env("SERVICE_PASSWORD", SERVICE_PASSWORD);
    run(command.arg(script).arg(tree)).map(drop)
}

fn load(namespace: Namespace, scratch: &Scratch, tree: &Path, ldif: &str) -> Done<()> {
    let script = scratch.write("load.py", LOAD, 0o644)?;
    let file = scratch.write("load.ldif", ldif, 0o600)?;
    let conf =
        scratch.write("load.conf", smb_conf(tree, Ipv4Addr::LOCALHOST, None, false), 0o644)?;
    let mut command = namespace.enter(Path::new(PYTHON))?;
    run(command.arg(script).arg(conf).arg(file)).map(drop)
}

fn version() -> Done<String> {
    let output = run(crate::process::plain_command(find_program("samba", &[])?).arg("--version"))?;
    // "Version 4.17.12-Debian"
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .nth(1)
        .map(ToOwned::to_owned)
        .ok_or_else(|| Failure::new(format!("samba's version is not understood: {text}")))
}

fn digest(texts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn smb_conf(tree: &Path, address: Ipv4Addr, tls: Option<&TlsFiles>, fsync: bool) -> String {
    let at = tree.display();
    let mut conf = String::from(
        "[global]\nnetbios name = DC1\nrealm = LAB.TEST\nworkgroup = LAB\n\
         server role = active directory domain controller\nserver services = ldap, cldap, kdc\n\
         bind interfaces only = yes\ndisable netbios = yes\n\
         ldap server require strong auth = yes\ndsdb:schema update allowed = yes\nlogging = file\nmax log size = 0\n",
    );
    conf += &format!("interfaces = {address}/8\n");
    for (key, folder) in [
        ("private dir", "private"),
        ("lock directory", ""),
        ("state directory", "state"),
        ("cache directory", "cache"),
        ("pid directory", "run"),
        ("ncalrpc dir", "ncalrpc"),
        ("winbindd socket directory", "wbsock"),
        ("ntp signd socket directory", "ntp"),
        ("binddns dir", "bind-dns"),
        ("log file", "log.samba"),
        ("posix:eadb", "private/eadb.tdb"),
    ] {
        conf += &format!("{key} = {at}/{folder}\n");
    }
    if !fsync {
        conf += "ldb:nosync = yes\n";
    }
    if let Some(tls) = tls {
        let [ca, certificate, key] = [&tls.ca, &tls.certificate, &tls.key].map(|p| p.display());
        conf += &format!("tls enabled = yes\ntls cafile = {ca}\n");
        conf += &format!("tls certfile = {certificate}\ntls keyfile = {key}\n");
    }
    conf
}
