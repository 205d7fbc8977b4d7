//! `ldapsearch`, `ldapadd` and `ldapmodify`: witnesses that share no code with what they watch.

use crate::process::{find_program, plain_command, run};
use crate::{Done, Entry, Failure, ldif};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long a witness waits for its whole answer.
const SECONDS: u32 = 120;

/// How a witness reaches a directory.
#[derive(Debug, Clone)]
pub struct Witness {
    /// `ldap://`, `ldaps://` or `ldapi://`.
    pub url: String,
    /// Authority for the server's certificate.
    pub ca: PathBuf,
    /// As whom it binds.
    pub bind_dn: String,
    /// File with the password and nothing else.
    pub password_file: PathBuf,
}

impl Witness {
    fn program(&self, program: &str, seconds: u32) -> Done<Command> {
        // The tools themselves would wait for ever for a server that takes connections but is dead.
        let mut command = plain_command(find_program("timeout", &[])?);
        command.arg(seconds.to_string()).arg(find_program(program, &[])?);
        command.env("LDAPTLS_CACERT", &self.ca).env("LDAPTLS_REQCERT", "demand");
        Ok(command)
    }

    fn command(&self, program: &str, seconds: u32) -> Done<Command> {
        let mut command = self.program(program, seconds)?;
        command.args(["-x", "-H", &self.url, "-D", &self.bind_dn, "-y"]).arg(&self.password_file);
        Ok(command)
    }

    /// Searches below `base` with paged results, so that no server's limit cuts the answer.
    pub fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Done<Vec<Entry>> {
        let mut command = self.command("ldapsearch", SECONDS)?;
        command.args(["-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt"]);
        command.args(["-b", base, "-s", "sub", filter]).args(attributes);
        let output = run(&mut command)?;
        ldif::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// What `ldapsearch` prints, for people: attributes of the entries that a filter finds.
    pub fn printed(&self, base: &str, filter: &str, attributes: &[&str]) -> Done<String> {
        let mut command = self.command("ldapsearch", SECONDS)?;
        command.args(["-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", "sub", filter]);
        let output = run(command.args(attributes))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Reads one entry; `None` when it is not there.
    pub fn read(&self, dn: &str, attributes: &[&str]) -> Done<Option<Entry>> {
        const NO_SUCH_OBJECT: i32 = 32;
        let mut command = self.command("ldapsearch", SECONDS)?;
        command.args(["-LLL", "-o", "ldif-wrap=no", "-b", dn, "-s", "base", "(objectClass=*)"]);
        let output = command.args(attributes).output()?;
        match output.status.code() {
            Some(0) => {
                Ok(ldif::parse(&String::from_utf8_lossy(&output.stdout))?.into_iter().next())
            }
            Some(NO_SUCH_OBJECT) => Ok(None),
            _ => Err(Failure::new(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }

    /// Whether the server binds us and shows this entry, within seconds.
    #[must_use]
    pub fn is_answered(&self, dn: &str) -> bool {
        let asked = self.command("ldapsearch", 5).and_then(|mut command| {
            run(command.args(["-LLL", "-b", dn, "-s", "base", "(objectClass=*)", "1.1"]))
        });
        asked.is_ok()
    }

    /// Carries out LDIF: content records are added, change records are applied.
    pub fn change(&self, file: &Path) -> Done<()> {
        run(self.command("ldapmodify", SECONDS)?.arg("-a").arg("-f").arg(file))?;
        Ok(())
    }

    /// Carries out change records as a manager of the entries themselves, whatever they stand for.
    pub fn manage(&self, file: &Path) -> Done<()> {
        run(self.command("ldapmodify", SECONDS)?.arg("-MM").arg("-f").arg(file))?;
        Ok(())
    }

    /// Whether an entry has an attribute, read in the same way.
    pub fn managed(&self, dn: &str, attribute: &str) -> Done<bool> {
        let mut command = self.command("ldapsearch", SECONDS)?;
        command.args(["-MM", "-LLL", "-b", dn, "-s", "base", "(objectClass=*)", attribute]);
        let entries = ldif::parse(&String::from_utf8_lossy(&run(&mut command)?.stdout))?;
        Ok(entries.iter().any(|entry| entry.first(attribute).is_some()))
    }

    /// What `ldapsearch` says when it binds as somebody else: its exit code (the LDAP result code)
    /// and its words.
    pub fn try_bind(&self, bind_dn: &str, password: &str) -> Done<(i32, String)> {
        let mut command = self.program("ldapsearch", SECONDS)?;
        command.args(["-x", "-LLL", "-H", &self.url, "-D", bind_dn, "-w", password]);
        let output = command.args(["-b", "", "-s", "base", "1.1"]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code().unwrap_or(-1), said))
    }
}
