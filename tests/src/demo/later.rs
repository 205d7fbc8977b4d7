//! The days on which mailboxes and homes are deleted: the daemon's clock is run forward, nothing else is.

use super::cast::user_id;
use super::stage::Show;
use super::{BASE, Demo};
use crate::dovecot::Dovecot;
use crate::site::Site;
use crate::{Done, Failure};
use jiff::ToSpan;
use jiff::civil::Date;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Mails that each of those shown has.
const MAILS: usize = 12;

/// A mail server and a file server beside the directory.
pub(super) struct Beside {
    mail: Dovecot,
    homes: PathBuf,
}

impl Beside {
    /// Starts the mail server, makes homes, and sets both up in the configuration.
    pub(super) fn new(site: &Site, user_ids: &[String]) -> Done<Self> {
        let users: Vec<&str> = user_ids.iter().map(String::as_str).collect();
        let mail = Dovecot::start(&users)?;
        let homes = site.root().canonicalize()?.join("homes");
        let quarantine = homes.join(".lapsed-quarantine");
        fs::create_dir_all(&quarantine)?;
        fs::set_permissions(&quarantine, Permissions::from_mode(0o700))?;
        for user in &users {
            mail.deliver(user, MAILS)?;
            let letters = homes.join(user).join("letters");
            fs::create_dir_all(&letters)?;
            for number in 1..=20 {
                fs::write(letters.join(format!("letter-{number}.txt")), "Dear Sir or Madam\n")?;
            }
        }
        let (root, url, key) = (homes.display(), mail.url(), mail.key_file());
        let section = format!(
            "  mail:\n    kind: dovecot\n    url: {url}\n    api_key_file: {}\n    \
             shared_prefixes: [\"shared/\"]\n  homes:\n    kind: home\n    roots: [\"{root}\"]\n    \
             path: \"{root}/{{{{ user_id }}}}\"\n    owner_check: \"off\"\n    in_process: true\n",
            key.display()
        );
        site.reconfigure(&[
            ("\nconnectors:\n", &format!("\nconnectors:\n{section}")),
            ("disable_at_once: false", "disable_at_once: true"),
        ])?;
        Ok(Self { mail, homes })
    }

    /// The witnesses' word: mails by doveadm, files by a walk.
    fn count(&self, user_id: &str) -> Done<(usize, usize)> {
        Ok((self.mail.count(user_id)?, files(&self.homes.join(user_id))?))
    }

    pub(super) fn stop(&mut self) -> Done<()> {
        self.mail.stop()
    }
}

fn files(folder: &Path) -> Done<usize> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { files(&entry.path())? } else { 1 };
    }
    Ok(count)
}

impl Demo {
    /// What becomes of mailbox and home on their days, and what a hold stops.
    pub(super) fn later(&mut self) -> Done<()> {
        let gone = user_id(&self.agency, self.cast.facility)?;
        let held = user_id(&self.agency, self.cast.other_facility)?;
        let central = user_id(&self.agency, self.cast.central)?;
        self.stage.act("The days of the deletions");
        self.stage.say(&format!(
            "Legal counsel wants the things of {held} kept. Then the daemon's clock is run forward; mail server \
             and homes are real, and counted by doveadm and by a walk through the folders.",
        ));
        let reason = ["--authority", "General Counsel", "--reason", "Litigation 24-117"];
        self.lapsed(&[&["hold", "place", held.as_str()], &reason[..]].concat(), Show::All)?;
        self.stage.line("");
        self.counts("Today", &[&gone, &held, &central])?;

        let mailbox_day = self.day_of("delete mailbox", &gone)?;
        self.forward_to(mailbox_day)?;
        self.site.wait_for("the mailbox is deleted", || Ok(self.beside.count(&gone)?.0 == 0))?;
        self.site
            .wait_for("the other mailbox is deleted", || Ok(self.beside.count(&central)?.0 == 0))?;
        self.counts(&mailbox_day.strftime("%a %Y-%m-%d").to_string(), &[&gone, &held, &central])?;
        let (mails, homes) = (self.beside.count(&held)?.0, self.beside.count(&gone)?.1);
        self.stage
            .claim(mails == MAILS, format!("the mailbox of {held}, on hold, has all its mails"));
        self.stage
            .claim(homes == 20, format!("the home of {gone} is still there: its day has not come"));

        let home_day = self.day_of("delete home directory", &gone)?;
        self.forward_to(home_day)?;
        self.site.wait_for("the home is deleted", || Ok(self.beside.count(&gone)?.1 == 0))?;
        self.counts(&home_day.strftime("%a %Y-%m-%d").to_string(), &[&gone, &held, &central])?;
        let kept = self.beside.count(&held)?;
        self.stage.claim(kept == (MAILS, 20), format!("nothing of {held}, on hold, is gone"));
        let central_home = self.beside.count(&central)?.1;
        self.stage.claim(
            central_home == 20,
            format!("the home of {central}, of central office, is kept for 180 days"),
        );
        self.site.wait_for("the case is closed", || {
            let person = self.site.json(&["person", &gone])?;
            Ok(person["cases"][0]["state"] == "closed")
        })?;
        self.lapsed(&["person", &gone], Show::All)?;
        self.stage
            .claim(true, format!("the case of {gone} is closed: everything done and read back"));
        let filter = format!("(uid={gone})");
        let still = self.slapd.witness().printed(BASE, &filter, &["uid"])?.contains(&gone);
        self.stage.claim(still, "the account itself stays, shut: nobody else ever gets its name");
        Ok(())
    }

    fn counts(&self, when: &str, user_ids: &[&str]) -> Done<()> {
        for user_id in user_ids {
            let (mails, files) = self.beside.count(user_id)?;
            self.stage
                .line(format!("  {when:<14} {user_id:<10} {mails:>3} mails  {files:>3} files"));
        }
        self.stage.pause(900);
        Ok(())
    }

    fn day_of(&self, what: &str, user_id: &str) -> Done<Date> {
        let due = self.site.json(&["due"])?;
        let wanted = format!("{what} of {user_id}");
        let entries = due["entries"].as_array().into_iter().flatten();
        let entry = entries.into_iter().find(|entry| entry["what"] == wanted.as_str());
        let date = entry.and_then(|entry| entry["date"].as_str()?.parse().ok());
        date.ok_or_else(|| Failure::new(format!("{wanted} is not in {due}")))
    }

    /// Starts the daemon anew in the evening before, with the day to come some seconds ahead.
    fn forward_to(&mut self, day: Date) -> Done<()> {
        let eve = day.checked_sub(1.day()).map_err(|e| Failure::new(e.to_string()))?;
        self.site.stop()?;
        self.stage.line("");
        self.stage.say(&format!(
            "The clock is run forward, to the end of {}:",
            eve.strftime("%a %Y-%m-%d")
        ));
        self.site.set_clock(&format!("{eve} 23:59:58"));
        self.site.start()
    }
}
