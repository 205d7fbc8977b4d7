//! Commands by other accounts of this machine, over the socket: those who decide on forms and those who may not.

use lapsed_tests::Done;
use lapsed_tests::process::plain_command;
use lapsed_tests::site::Site;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Only root can become somebody else: without it, the test says that it is skipped.
pub fn can_be_others() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("SKIPPED: only root can run commands as other accounts");
    }
    is_root
}

/// Puts the command where every account can run it.
pub fn with_client(site: &Site) -> Done<()> {
    fs::copy(assert_cmd::cargo::cargo_bin("lapsed"), site.path("client"))?;
    Ok(fs::set_permissions(site.path(""), Permissions::from_mode(0o755))?)
}

/// Lets every account of this machine speak to the daemon, which runs.
pub fn open_to_all(site: &Site) -> Done<()> {
    Ok(fs::set_permissions(site.path("control.sock"), Permissions::from_mode(0o666))?)
}

/// A command as another account: its exit code and all that it said.
pub fn said(site: &Site, who: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = plain_command("setpriv");
    command.args(["--reuid", who, "--regid", "nogroup", "--clear-groups"]);
    command.arg(site.path("client")).arg("--socket").arg(site.path("control.sock"));
    let output = command.args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code().unwrap(), text)
}

/// Directory accounts for accounts of this machine, and the groups that make them security officers: each with
/// the location and who is one there.
pub fn officers(base: &str, names: &[&str], locations: &[(char, &[&str])]) -> String {
    let mut text = String::new();
    for name in names {
        text += &format!(
            "dn: uid={name},ou=people,{base}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\n\
             sn: {name}\nmail: {name}@dmh.test\n\n"
        );
    }
    for (location, names) in locations {
        text += &format!(
            "dn: cn=LSO-{location},ou=groups,{base}\nobjectClass: groupOfNames\ncn: LSO-{location}\n"
        );
        for name in *names {
            text += &format!("member: uid={name},ou=people,{base}\n");
        }
        text.push('\n');
    }
    text
}
