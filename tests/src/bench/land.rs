//! The directory that the rows are measured on: people by the agency's own rules, each in eight groups (one of
//! four that are huge, two of 96 that are large, five of the rest), on a real OpenLDAP with lapsed beside it.

use super::Sizes;
use crate::agency::random::Random;
use crate::agency::{Agency, Group, GroupKind, HrOptions, Member, today, yesterday};
use crate::process::{find_program, plain_command};
use crate::site::{DirectoryAt, GUARD_RAISED, Site};
use crate::slapd::{ServiceLimits, Slapd};
use crate::{Done, Failure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Base of the directory.
pub const BASE: &str = "dc=dmh,dc=test";

/// A directory with lapsed beside it.
pub struct Land {
    /// Who is in it.
    pub agency: Agency,
    /// OpenLDAP, memberOf overlay on, not waiting for the disk.
    pub slapd: Slapd,
    /// lapsed, its journal waiting for the disk.
    pub site: Site,
}

/// An agency whose groups are of the shape above.
pub fn agency(people: usize, groups: usize) -> Agency {
    let mut agency = Agency::new(people, 21);
    agency.groups = memberships(&agency, groups);
    agency
}

fn memberships(agency: &Agency, count: usize) -> Vec<Group> {
    let (huge, large) = (4, 96);
    let mut random = Random::new(42);
    let mut members: Vec<Vec<Member>> = vec![Vec::new(); count.max(huge + large + 5)];
    let rest = u32::try_from(members.len() - huge - large).unwrap_or(1);
    for (index, _) in agency.people.iter().enumerate().filter(|(_, p)| p.account.is_some()) {
        let mut mine = vec![index % huge];
        while mine.len() < 3 {
            let group = huge + random.below(96) as usize;
            if !mine.contains(&group) {
                mine.push(group);
            }
        }
        while mine.len() < 8 {
            let group = huge + large + random.below(rest) as usize;
            if !mine.contains(&group) {
                mine.push(group);
            }
        }
        for group in mine {
            members[group].push(Member::Person(index));
        }
    }
    let named = members.into_iter().enumerate();
    // Nobody is ever the last member: the schema would not let a group go empty.
    named
        .map(|(number, mut members)| {
            members.extend((0..agency.others.len().min(1)).map(Member::Other));
            Group { name: format!("group-{number:04}"), kind: GroupKind::Security, members }
        })
        .collect()
}

impl Land {
    /// Loads the directory and has lapsed adopt it; its daemon is stopped again.
    pub fn new(sizes: &Sizes) -> Done<Self> {
        let agency = agency(sizes.people, sizes.groups);
        let slapd = Slapd::builder()
            .base(BASE)
            .service_limits(ServiceLimits::PagedOnly)
            .sorted_members()
            .load_ldif(&agency.to_openldap_ldif(BASE))
            .start()?;
        let mut site = Site::beside(&DirectoryAt::openldap(&slapd))?;
        // What the guard would hold is not what is measured.
        site.reconfigure(&GUARD_RAISED)?;
        site.reconfigure(&[("most_steps: 100000", "most_steps: 1000000")])?;
        site.start()?;
        let feed = site.path("first.csv");
        std::fs::write(&feed, agency.to_hr_csv(&HrOptions::full(yesterday(), 1, vec![])))?;
        site.printed(&["adopt", "--feed", &feed.display().to_string(), "--as", "hr", "--write"])?;
        site.stop()?;
        Ok(Self { agency, slapd, site })
    }

    /// What the rows say of it.
    pub fn setting(&self) -> String {
        format!(
            "slapd, {} people, {} groups, {} memberships; memberOf overlay, sortvals member, dbnosync; state SQLite synchronous=FULL",
            self.agency.people.len(),
            self.agency.groups.len(),
            self.agency.groups.iter().map(|group| group.members.len()).sum::<usize>(),
        )
    }

    /// A command of OpenLDAP's tools as the service account, over the same TLS as ours.
    pub fn tool(&self, name: &str) -> Done<Command> {
        let mut command = plain_command(find_program(name, &[])?);
        command.args(["-x", "-H", &self.slapd.url_ldaps(), "-D", &self.slapd.bind_dn()]);
        command
            .arg("-y")
            .arg(self.slapd.password_file())
            .env("LDAPTLS_CACERT", self.slapd.ca_path());
        Ok(command)
    }

    /// The changes that shut these people out, one modification an entry and a membership.
    pub fn single_changes(&self, leavers: &[usize]) -> Done<PathBuf> {
        let groups = self.groups_of(leavers);
        let mut text = String::new();
        for (who, groups) in leavers.iter().zip(groups) {
            self.shut(&mut text, *who);
            for group in groups {
                self.removal(&mut text, group, &[*who]);
            }
        }
        self.written("single.ldif", &text)
    }

    /// The same changes, those to one group in one modification.
    pub fn grouped_changes(&self, leavers: &[usize]) -> Done<PathBuf> {
        let mut text = String::new();
        let mut by_group: Vec<Vec<usize>> = vec![Vec::new(); self.agency.groups.len()];
        for (who, groups) in leavers.iter().zip(self.groups_of(leavers)) {
            self.shut(&mut text, *who);
            for group in groups {
                by_group[group].push(*who);
            }
        }
        for (group, members) in by_group.iter().enumerate().filter(|(_, m)| !m.is_empty()) {
            self.removal(&mut text, group, members);
        }
        self.written("grouped.ldif", &text)
    }

    fn written(&self, name: &str, text: &str) -> Done<PathBuf> {
        let file = self.site.path(name);
        std::fs::write(&file, text)?;
        Ok(file)
    }

    fn groups_of(&self, leavers: &[usize]) -> Vec<Vec<usize>> {
        let mut at = vec![usize::MAX; self.agency.people.len()];
        for (position, who) in leavers.iter().enumerate() {
            at[*who] = position;
        }
        let mut groups = vec![Vec::new(); leavers.len()];
        for (number, group) in self.agency.groups.iter().enumerate() {
            for member in &group.members {
                if let Member::Person(who) = member
                    && let Some(of) = groups.get_mut(at[*who])
                {
                    of.push(number);
                }
            }
        }
        groups
    }

    fn dn(&self, who: usize) -> String {
        Agency::openldap_dn(BASE, self.agency.people[who].user_id().unwrap_or_default())
    }

    fn shut(&self, text: &mut String, who: usize) {
        let _ = writeln!(
            text,
            "dn: {}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n-\n\
             replace: description\ndescription: Disabled {} by a script, case 00000000-0000-0000-0000-000000000000\n",
            self.dn(who),
            today()
        );
    }

    fn removal(&self, text: &mut String, group: usize, members: &[usize]) {
        let name = &self.agency.groups[group].name;
        let _ =
            writeln!(text, "dn: cn={name},ou=groups,{BASE}\nchangetype: modify\ndelete: member");
        for who in members {
            let _ = writeln!(text, "member: {}", self.dn(*who));
        }
        text.push('\n');
    }

    /// Others give so many people another title, as a personnel system does all day.
    pub fn change_titles(&self, round: usize, count: usize) -> Done<()> {
        let mut text = String::new();
        for who in self.agency.ordinary_leavers(count) {
            let _ = writeln!(
                text,
                "dn: {}\nchangetype: modify\nreplace: title\ntitle: Title {round}\n",
                self.dn(who)
            );
        }
        let file = self.written("titles.ldif", &text)?;
        crate::process::run(self.tool("ldapmodify")?.arg("-f").arg(file)).map(drop)
    }

    /// How many accounts are shut.
    pub fn shut_count(&self) -> Done<usize> {
        Ok(self.slapd.search("(pwdAccountLockedTime=000001010000Z)", &["1.1"])?.len())
    }
}

/// The most memory that a command's process held, in MiB, and the seconds it took.
pub fn peak_of(command: &mut Command) -> Done<(f64, f64)> {
    let shown = format!("{command:?}");
    let mut child = command.stdout(std::process::Stdio::null()).spawn()?;
    let begun = std::time::Instant::now();
    let status = Path::new("/proc").join(child.id().to_string()).join("status");
    let mut peak = 0.0_f64;
    loop {
        peak = peak.max(memory_in(&status, "VmHWM:").unwrap_or(0.0));
        if let Some(ended) = child.try_wait()? {
            if !ended.success() {
                return Err(Failure::new(format!("{shown} ended with {ended}")));
            }
            return Ok((peak, begun.elapsed().as_secs_f64()));
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A figure of /proc/PID/status in MiB.
pub fn memory_in(status: &Path, key: &str) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
