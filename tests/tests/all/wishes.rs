//! A mailbox that a colleague needs and files that a supervisor keeps, through the whole daemon (D6, D8).

use jiff::civil::{Date, date};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);
const WORD: [&str; 2] = ["--authority", "J. Roe, supervisor"];

struct Place {
    site: Site,
    mail: Dovecot,
    homes: PathBuf,
    archives: PathBuf,
    _slapd: Slapd,
}

fn place(agency: &Agency, users: &[&str]) -> Done<Place> {
    let slapd = Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start()?;
    let mail = Dovecot::start_encrypted(users)?;
    let mut site = Site::beside(&DirectoryAt {
        kind: "openldap",
        url: slapd.url_ldaps(),
        base: BASE.into(),
        ca: slapd.ca_path().to_owned(),
        bind_dn: slapd.bind_dn(),
        password_file: slapd.password_file(),
    })?;
    let root = site.root().canonicalize()?;
    let (homes, archives) = (root.join("homes"), root.join("archives"));
    for folder in [&homes.join(".lapsed-quarantine"), &archives] {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    for user in users {
        mail.deliver(user, 2)?;
        fs::create_dir_all(homes.join(user).join("letters"))?;
        fs::write(homes.join(user).join("letters/one"), "Dear Sir")?;
        fs::write(homes.join(user).join("private"), "not asked for")?;
        fs::create_dir_all(archives.join(user))?;
    }
    let sections = format!(
        "  mail:\n    kind: dovecot\n    url: {}\n    ca_file: {}\n    api_key_file: {}\n    \
         shared_prefixes: [\"shared/\"]\n  homes:\n    kind: home\n    roots: [\"{homes}\"]\n    \
         path: \"{homes}/{{{{ user_id }}}}\"\n    owner_check: \"off\"\n    in_process: true\n    \
         archive: {{ folder: \"{archives}/{{{{ recipient }}}}\" }}\n",
        mail.url(),
        mail.ca_path().display(),
        mail.key_file().display(),
        homes = homes.display(),
        archives = archives.display(),
    );
    let before = "  # A second directory: Active Directory.\n";
    site.reconfigure(&[(before, &format!("{sections}{before}"))])?;
    site.set_clock(&format!("{DAY} 09:00:00"));
    Ok(Place { site, mail, homes, archives, _slapd: slapd })
}

fn archive_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(".tar.zst"))
}

fn day_of(site: &Site, what: &str) -> Date {
    let due = site.json(&["due"]).unwrap();
    let mut entries = due["entries"].as_array().into_iter().flatten();
    let entry = entries.find(|entry| entry["what"] == what);
    let day = entry.and_then(|entry| entry["date"].as_str()?.parse().ok());
    day.unwrap_or_else(|| panic!("{what} is not in {due}"))
}

#[test]
fn a_delegated_mailbox_stays_until_it_is_told_and_kept_files_are_copied_before_the_home_goes() {
    let agency = Agency::new(320, 7);
    let three = agency.ordinary_leavers(3);
    let ids: Vec<&str> = three.iter().map(|at| agency.people[*at].user_id().unwrap()).collect();
    let [leaver, other, colleague] = ids[..] else { panic!("{ids:?}") };
    let Place { mut site, mail, homes, archives, _slapd } = place(&agency, &ids).unwrap();
    site.start().unwrap();
    let yesterday = DAY.yesterday().unwrap();
    let first = agency.to_hr_csv(&HrOptions::full(yesterday, 1, vec![]));
    fs::write(site.path("first.csv"), first).unwrap();
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).unwrap();

    // Said before the user leaves (D8).
    site.printed(&[&["delegate", leaver, "--to", colleague], &WORD[..]].concat()).unwrap();
    let leavers = three[..2].iter().map(|at| Departure::on(*at, yesterday)).collect();
    site.drop_file("hr-2.csv", agency.to_hr_csv(&HrOptions::full(DAY, 2, leavers))).unwrap();
    let rights = |user: &str| {
        let listed = mail.doveadm(&["acl", "get", "-u", user, "INBOX"])?;
        Done::Ok(listed.lines().any(|line| line.contains(&format!("user={colleague}"))))
    };
    site.wait_for("the colleague may read it", || rights(leaver)).unwrap();
    assert!(!rights(other).unwrap());
    site.printed(&[&["keep", leaver, "--to", colleague, "letters"], &WORD[..]].concat()).unwrap();
    site.wait_for("the files are copied", || Ok(archive_in(&archives.join(colleague)).is_some()))
        .unwrap();
    let archive = archive_in(&archives.join(colleague)).unwrap();
    let listed = Command::new("tar").arg("--zstd").arg("-tf").arg(&archive).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("letters/one") && !listed.contains("private"), "{listed}");
    let mailbox_day = day_of(&site, &format!("delete mailbox of {leaver}"));
    let home_day = day_of(&site, &format!("delete home directory of {leaver}"));
    assert!(site.stop().unwrap());

    site.set_clock(&format!("{mailbox_day} 09:00:00"));
    site.once().unwrap();
    assert_eq!(mail.count(other).unwrap(), 0, "nobody needs that one: {}", site.log());
    assert_eq!(mail.count(leaver).unwrap(), 2, "it stays until somebody is told");
    site.set_clock(&format!("{home_day} 09:00:00"));
    site.once().unwrap();
    assert!(!homes.join(leaver).exists(), "{}", site.log());
    assert!(archive.exists() && mail.count(leaver).unwrap() == 2);

    site.start().unwrap();
    site.printed(&[&["delegate", leaver, "--end"], &WORD[..]].concat()).unwrap();
    site.wait_for("it is deleted once it was told", || Ok(mail.count(leaver)? == 0)).unwrap();
    assert!(!rights(leaver).unwrap());
    let shown = site.printed(&["person", leaver]).unwrap();
    for clause in ["D6", "D7", "D8"] {
        assert!(shown.contains(clause), "{shown}");
    }
}
