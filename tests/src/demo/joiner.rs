//! Someone new: an access form, four who must say yes, and the account that comes of it. Each of the four
//! calls under another account of this machine, so that the daemon sees who it is.

use super::stage::Show;
use super::{BASE, Demo, watch};
use crate::agency::Agency;
use crate::process::plain_command;
use crate::site::Site;
use crate::slapd::Slapd;
use crate::{Done, Failure};
use rustix::process::getuid;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::Instant;

/// Accounts that every Debian has, and the parts that they play.
const SUPERVISOR: &str = "daemon";
const OFFICER: &str = "games";
const OFFICER_ELSEWHERE: &str = "lp";
const OWNER: &str = "bin";

/// What the agency gives: an account, the files of the location, and CIMOR by its four steps (A3).
const SYSTEMS: &str = "\n  systems:
    account: { title: Account, connector: directory }
    files: { title: Files of the location, connector: directory, groups: [\"Files {{ location_name }}\"], needs: [account] }
    cimor:
      title: CIMOR
      connector: directory
      groups: [CIMOR Users]
      needs: [account]
      chain: [supervisor, local_security_officer, business_owner, account_management]
";

const CREATE: &str = "    create:\n      below: \"ou=people,dc=dmh,dc=test\"\n      classes: [inetOrgPerson]\n      # Where.";

const FORM: &str = "form: staff_access
version: 1
id: 0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d
asks: new
person:
  name: { last: Quillfeather, first: Josephine }
  kind: staff
  location: b
  supervisor: daemon
systems:
  - { system: account }
  - { system: files }
  - { system: cimor }
position: Psychiatric nurse
reason: Enters assessments on ward 4
least_phi: her own clients
requested_by: man
signatures:
  - { role: staff_member, name: Josephine Quillfeather, on: 2026-01-05, by: hand }
";

/// Log-on name by the agency's rule: m, the location, four letters of the last name, one of the first (N2).
const USER_ID: &str = "mbquilj";

/// Sets up who decides, what they can give, and the groups behind it.
pub(super) fn prepare(site: &Site, slapd: &Slapd) -> Done<()> {
    for group in ["Files Fulton State Hospital", "CIMOR Users"] {
        let dn = format!("cn={group},ou=groups,{BASE}");
        slapd.load_ldif(&format!(
            "dn: {dn}\nobjectClass: groupOfNames\ncn: {group}\nmember: {dn}\n"
        ))?;
    }
    let people = [SUPERVISOR, OFFICER, OFFICER_ELSEWHERE, OWNER].join(", ");
    site.reconfigure(&[
        ("\n  systems: {}\n", SYSTEMS),
        ("    #create:\n      # Where.", CREATE),
        ("      #folder:", "      folder:"),
        (
            "    participant:\n      users: []\n",
            &format!("    participant:\n      users: [{people}]\n"),
        ),
        (
            "      #at: { b: [mbdoej], z: [mzroej] }",
            &format!("      at: {{ b: [{OFFICER}], z: [{OFFICER_ELSEWHERE}] }}"),
        ),
        ("groups: [\"LSO-{{ location }}\"]", "groups: []"),
        ("groups: [CIMOR-Business-Owners]", &format!("users: [{OWNER}]")),
    ])
}

/// Lets other accounts of this machine reach the daemon, and gives them a client to do it with.
pub(super) fn open_the_door(site: &Site) -> Done<()> {
    if getuid().is_root() {
        fs::copy(assert_cmd::cargo::cargo_bin("lapsed"), site.path("client"))?;
        fs::set_permissions(site.path(""), Permissions::from_mode(0o711))?;
        fs::set_permissions(site.path("control.sock"), Permissions::from_mode(0o666))?;
    }
    Ok(())
}

impl Demo {
    pub(super) fn joiner(&mut self) -> Done<()> {
        self.stage.act("Someone new, by a signed form");
        if !getuid().is_root() {
            self.stage.say(
                "Four people have to say yes to a form, each under their own account. Only root can show that on \
                 one machine: run the demo as root to see it.",
            );
            return Ok(());
        }
        self.stage.say(&format!(
            "The other half of the intake: nobody gets what no form gave, and no form gives anything before \
             everyone who must say yes has. Accounts of this machine play the parts: {SUPERVISOR} is the \
             supervisor, {OFFICER} the hospital's security officer, {OFFICER_ELSEWHERE} another location's, \
             {OWNER} CIMOR's business owner.",
        ));
        let path = self.site.path("form.yaml");
        fs::write(&path, FORM)?;
        self.stage.prompt("cat form.yaml");
        self.stage.output(FORM, Show::All);
        let path = path.display().to_string();
        let submit = ["form", "submit", path.as_str()];
        self.stage.run(
            "lapsed form submit form.yaml",
            &mut self.site.command(&submit),
            Show::All,
        )?;
        self.lapsed(&["form", "1"], Show::All)?;
        self.say_yes()?;
        self.in_place()?;
        self.first_password()
    }

    fn say_yes(&mut self) -> Done<()> {
        self.stage.line("");
        self.stage.say("Nobody gets through out of turn, or from elsewhere:");
        for who in [OFFICER, OFFICER_ELSEWHERE] {
            let refused = !self.lapsed_as(who, &["approve", "1"])?.status.success();
            self.stage.claim(refused, format!("{who}'s yes was refused"));
        }
        for who in [SUPERVISOR, OFFICER, OWNER] {
            self.lapsed_as(who, &["approve", "1"])?;
        }
        let gate = "electronic_resources_agreement";
        let today = self.today.to_string();
        self.lapsed(&["approve", "1", "--as", "account_management"], Show::All)?;
        self.lapsed(&["form", "1"], Show::All)?;
        let nothing = self.slapd.search(&format!("(uid={USER_ID})"), &["1.1"])?.is_empty();
        self.stage.claim(
            nothing,
            "everybody has said yes, the agreement is not signed, and nothing was given",
        );
        self.lapsed(&["gate", "record", "form:1", gate, "--on", &today], Show::All)?;
        Ok(())
    }

    fn in_place(&mut self) -> Done<()> {
        let since = Instant::now();
        self.site.wait_for("all that the form gives is in place", || {
            Ok(self.site.json(&["form", "1"])?["state"] == "in_place")
        })?;
        let took = since.elapsed().as_secs_f64();
        let account =
            self.ldapsearch(&format!("(uid={USER_ID})"), &["cn", "sn", "mail", "description"])?;
        self.ldapsearch(&watch::groups_filter(BASE, USER_ID), &["cn"])?;
        let groups = watch::look(&self.slapd)?.groups(USER_ID);
        self.stage.claim(
            account.contains("Quillfeather") && groups == 2,
            format!("{USER_ID} was made, is in the {groups} groups of the form, {took:.1} s after the signature"),
        );
        Ok(())
    }

    fn first_password(&mut self) -> Done<()> {
        self.stage.line("");
        self.stage.say(
            "The first password was sealed before it was set. It is in no log, database or audit; the supervisor \
             opens the envelope, once.",
        );
        let list = self.json_as(SUPERVISOR, &["envelope", "list", "--format", "json"])?;
        let id = list["waiting"][0]["id"].as_str().unwrap_or_default().to_owned();
        let open = ["envelope", "open", id.as_str(), "--format", "json"];
        let opened = self.json_as(SUPERVISOR, &open)?;
        self.stage.prompt(&format!("sudo -u {SUPERVISOR} lapsed envelope open {id}"));
        self.stage.output("(its one reader sees the password here)", Show::All);
        let password = opened["password"].as_str().unwrap_or_default();
        let dn = Agency::openldap_dn(BASE, USER_ID);
        let (code, _) = self.slapd.witness().try_bind(&dn, password)?;
        self.stage
            .claim(code == 0 && !password.is_empty(), format!("{USER_ID} can log on with it"));
        let again = self.lapsed_as(SUPERVISOR, &open[..3])?;
        self.stage.claim(!again.status.success(), "a second opening shows nothing");
        Ok(())
    }

    /// A command under another account of this machine, shown as that one types it.
    fn lapsed_as(&self, who: &str, arguments: &[&str]) -> Done<Output> {
        let typed = format!("sudo -u {who} {}", super::typed(arguments));
        self.stage.run(&typed, &mut self.client(who, arguments), Show::All)
    }

    fn json_as(&self, who: &str, arguments: &[&str]) -> Done<Value> {
        let output = self.client(who, arguments).output()?;
        serde_json::from_slice(&output.stdout)
            .map_err(|e| Failure::new(format!("{e}: {}", String::from_utf8_lossy(&output.stderr))))
    }

    fn client(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = plain_command("setpriv");
        command.args(["--reuid", who, "--regid", "nogroup", "--clear-groups"]);
        command.arg(self.site.path("client")).arg("--socket").arg(self.site.path("control.sock"));
        command.args(arguments);
        command
    }
}
