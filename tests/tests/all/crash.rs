//! The daemon and its directory killed, frozen and started again at any moment: nothing is lost, and
//! nothing that took effect is done a second time.

use crate::beside::{BASE, GUARD_RAISED, adopt, at_slapd, openldap, percentile, today, yesterday};
use crate::journal::Journal;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::{Builder, Slapd};
use lapsed_tests::torture_report::Figures;
use lapsed_tests::{Done, Failure};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

/// Longer than any run takes here, with all kills.
const PATIENCE: Duration = Duration::from_secs(240);

/// An agency beside which lapsed stands, and those of it who leave.
struct Scene {
    agency: Agency,
    slapd: Slapd,
    site: Site,
    journal: Journal,
    leavers: Vec<usize>,
}

impl Scene {
    fn new(people: usize, leavers: usize) -> Done<Self> {
        Self::with(people, leavers, Slapd::builder().access_log())
    }

    fn with(people: usize, leavers: usize, builder: Builder) -> Done<Self> {
        let agency = Agency::new(people, 11);
        let slapd = openldap(&agency, builder)?;
        let mut site = Site::beside(&at_slapd(&slapd))?;
        site.reconfigure(&GUARD_RAISED)?;
        adopt(&agency, &mut site)?;
        let leavers = agency.ordinary_leavers(leavers);
        let journal = Journal::of(&site)?;
        Ok(Self { agency, slapd, site, journal, leavers })
    }

    fn drop_leavers(&self) -> Done<()> {
        let departures = self.leavers.iter().map(|&who| Departure::on(who, yesterday())).collect();
        let options = HrOptions::full(today(), 2, departures);
        self.site.drop_file("hr-2.csv", self.agency.to_hr_csv(&options))
    }

    /// Waits until every leaver is planned for and every step on the directory has been read back.
    fn finish(&self) -> Done<()> {
        self.finish_within(PATIENCE)
    }

    fn finish_within(&self, patience: Duration) -> Done<()> {
        let deadline = Instant::now() + patience;
        loop {
            let planned = self.journal.count("action = 'disable'")?;
            let open = self.journal.count("connector = 'directory' AND state <> 'verified'")?;
            if planned >= self.leavers.len() as u64 && open == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                let states = self.journal.actions()?;
                return Err(Failure::new(format!(
                    "{planned} planned, {states:?}\n{}",
                    self.site.log()
                )));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every entry without what may differ between two runs: passwords, and the case's id in the stamp.
    fn directory(&self) -> Done<BTreeMap<String, BTreeMap<String, Vec<String>>>> {
        let entries =
            self.slapd.search("(objectClass=*)", &["*", "pwdAccountLockedTime", "memberOf"])?;
        let mut all = BTreeMap::new();
        for entry in entries {
            let mut attributes = BTreeMap::new();
            for name in entry.attributes.keys().filter(|name| *name != "userpassword") {
                let mut values = entry.get(name);
                if name == "description" {
                    values.iter_mut().for_each(|text| *text = without_case(text));
                }
                values.sort();
                attributes.insert(name.clone(), values);
            }
            all.insert(entry.dn.to_lowercase(), attributes);
        }
        Ok(all)
    }

    /// Successful changes in the access log: how often each value of each entry was added or deleted.
    fn changes(&self) -> Done<BTreeMap<(String, String), u64>> {
        let found = self.slapd.witness().search(
            "cn=accesslog",
            "(&(reqType=modify)(reqResult=0))",
            &["reqDN", "reqMod"],
        )?;
        let mut changes = BTreeMap::new();
        for entry in found {
            let dn = entry.first("reqDN").unwrap_or_default().to_lowercase();
            for change in entry.get("reqMod") {
                let about = ["member:", "memberUid:", "pwdAccountLockedTime:", "description:"];
                if about.iter().any(|name| change.starts_with(name)) {
                    *changes.entry((dn.clone(), without_case(&change))).or_default() += 1;
                }
            }
        }
        Ok(changes)
    }

    fn modifies(&self) -> Done<u64> {
        let filter = "(&(reqType=modify)(reqResult=0))";
        Ok(self.slapd.witness().search("cn=accesslog", filter, &["1.1"])?.len() as u64)
    }
}

/// A text with every UUID in it masked.
fn without_case(text: &str) -> String {
    let is_uuid = |word: &str| uuid::Uuid::try_parse(word).is_ok();
    text.split(' ')
        .map(|word| if is_uuid(word) { "CASE" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// As soon as the journal has so many rows.
    Rows(u64),
    /// As soon as so many rows were begun.
    Begun(u64),
    /// As soon as so many rows have ended.
    Ended(u64),
    /// As soon as the directory has logged so many changes.
    Changes(u64),
}

impl Moment {
    fn has_come(self, scene: &Scene, since: Instant) -> Done<bool> {
        Ok(match self {
            Self::After(time) => since.elapsed() >= time,
            Self::Rows(n) => scene.journal.count("true")? >= n,
            Self::Begun(n) => scene.journal.count("first_started_at IS NOT NULL")? >= n,
            Self::Ended(n) => scene.journal.count("ended")? >= n,
            Self::Changes(n) => scene.modifies()? >= n,
        })
    }
}

/// Pseudo-random numbers (xorshift), so that a failure comes again with its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Kills and starts the daemon at each of the moments, then lets it finish.
fn torture(scene: &mut Scene, moments: &[Moment]) -> Done<()> {
    for moment in moments {
        let since = Instant::now();
        while !moment.has_come(scene, since)? {
            if since.elapsed() > Duration::from_secs(120) {
                return Err(Failure::new(format!("{moment:?} never came: {}", scene.site.log())));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        println!("killed {moment:?}: {:?}", scene.journal.states()?);
        scene.site.kill()?;
        scene.site.launch()?;
    }
    scene.finish()
}

fn moments(leavers: u64, random_kills: usize, seed: u64) -> Vec<Moment> {
    let mut random = Random(seed);
    let mut moments = vec![
        Moment::Rows(1),
        Moment::Begun(1),
        Moment::Changes(1),
        Moment::Ended(leavers / 2),
        Moment::Changes(leavers + leavers / 3),
        Moment::Begun(leavers * 3),
    ];
    let anywhen = |_| Moment::After(Duration::from_millis(60 + random.below(1_500)));
    moments.extend((0..random_kills).map(anywhen));
    moments
}

/// What came of a run: leavers who are still open are lost.
fn figures(scene: &Scene, kills: u64) -> Figures {
    let (lost, doubled) = (still_open(scene).len() as u64, doubled(scene).len() as u64);
    Figures { kills, lost, doubled, ..Figures::default() }
}

/// Leavers whose account is open or in a group.
fn still_open(scene: &Scene) -> Vec<&str> {
    let left = scene.leavers.iter().filter_map(|&who| scene.agency.people[who].user_id());
    let shut = "(&(pwdAccountLockedTime=000001010000Z)(!(memberOf=*)))";
    let shut = scene.slapd.search(shut, &["uid"]).unwrap();
    let shut: HashSet<String> = shut.iter().filter_map(|entry| entry.first("uid")).collect();
    left.filter(|id| !shut.contains(*id)).collect()
}

/// Every removal and every stamp once. A lock again only where a new password lifted it.
fn doubled(scene: &Scene) -> Vec<(String, String)> {
    if !scene.slapd.has_access_log() {
        return Vec::new();
    }
    let changes = scene.changes().unwrap().into_iter();
    let again = changes
        .filter(|((_, change), times)| *times > 1 && !change.starts_with("pwdAccountLockedTime"));
    again.map(|(change, _)| change).collect()
}

/// What must be true at the end, however often the daemon was killed.
fn assert_whole(scene: &Scene) {
    let states = scene.journal.states().unwrap();
    assert!(
        states.iter().all(|(state, _)| state == "planned" || state == "verified"),
        "{states:?}"
    );
    assert_eq!(scene.journal.count("state = 'planned' AND NOT destroys").unwrap(), 0);
    assert_eq!(scene.journal.count("action = 'disable'").unwrap(), scene.leavers.len() as u64);
    scene.site.printed(&["audit", "verify"]).unwrap();
    assert_eq!(still_open(scene), [] as [&str; 0]);
    assert_eq!(doubled(scene), []);
}

#[test]
fn two_thousand_leavers_end_as_without_a_single_kill() {
    let (people, leavers) = (2_700, 2_000);
    let undisturbed = std::thread::spawn(move || {
        let scene = Scene::new(people, leavers).unwrap();
        let since = Instant::now();
        scene.drop_leavers().unwrap();
        scene.finish().unwrap();
        println!("undisturbed: {:.1?}", since.elapsed());
        (scene.directory().unwrap(), scene.changes().unwrap())
    });
    let mut scene = Scene::new(people, leavers).unwrap();
    assert_eq!(scene.leavers.len(), leavers);
    let since = Instant::now();
    scene.drop_leavers().unwrap();
    let moments = moments(leavers as u64, 8, 0x5eed);
    torture(&mut scene, &moments).unwrap();
    println!("with kills: {:.1?}", since.elapsed());
    let (directory, changes) = undisturbed.join().unwrap();
    let ours = scene.directory().unwrap();
    let wrong = directory.iter().filter(|(dn, entry)| ours.get(*dn) != Some(entry)).count() as u64;
    let figures = Figures { wrong, ..figures(&scene, moments.len() as u64) };
    figures.write("crashes-departures").unwrap();
    assert_whole(&scene);
    for (dn, entry) in &directory {
        assert_eq!(ours.get(dn), Some(entry), "{dn}");
    }
    assert_eq!(ours.len(), directory.len());
    let is_lock = |change: &&(String, String)| change.1.starts_with("pwdAccountLockedTime");
    let removals: Vec<_> = changes.keys().filter(|c| !is_lock(c)).collect();
    let now = scene.changes().unwrap();
    assert_eq!(now.keys().filter(|c| !is_lock(c)).collect::<Vec<_>>(), removals);
}

/// Leavers whose drop was taken and lies in the inbox still: the folder can't be written to, the facts are
/// committed, and the file stays.
fn taken_and_not_moved() -> Scene {
    let scene = Scene::new(320, 3).unwrap();
    let accepted = scene.site.path("accepted");
    std::fs::remove_dir(&accepted).unwrap();
    std::fs::write(&accepted, "in the way").unwrap();
    scene.drop_leavers().unwrap();
    scene.finish().unwrap();
    scene
}

/// The daemon starts again, and the folder can be written to.
fn mend_and_start(scene: &mut Scene) {
    let accepted = scene.site.path("accepted");
    std::fs::remove_file(&accepted).unwrap();
    std::fs::create_dir(&accepted).unwrap();
    scene.site.start().unwrap();
}

#[test]
fn a_drop_that_was_taken_but_not_moved_before_the_kill_is_recognised_and_only_moved() {
    let mut scene = taken_and_not_moved();
    assert_eq!(scene.site.names("inbox").unwrap(), ["hr-2.csv"]);
    scene.site.kill().unwrap();
    let steps = scene.journal.count("true").unwrap();
    let changes = scene.modifies().unwrap();

    mend_and_start(&mut scene);
    let site = &scene.site;
    site.wait_for("the drop is moved", || Ok(site.names("inbox")?.is_empty())).unwrap();
    let receipt = site.receipt("accepted", "hr-2.csv").unwrap();
    assert!(receipt.contains("before"), "{receipt}");
    assert_eq!(scene.journal.count("true").unwrap(), steps);
    assert_eq!(scene.modifies().unwrap(), changes);
    assert_whole(&scene);
}

#[test]
fn a_newer_drop_waits_for_one_that_was_taken_and_could_not_be_moved() {
    let mut scene = taken_and_not_moved();
    // They stay after all, by a drop whose name comes before the other's.
    let nobody_leaves = HrOptions::full(today(), 3, vec![]);
    scene.site.drop_file("hr-1.csv", scene.agency.to_hr_csv(&nobody_leaves)).unwrap();
    let site = &scene.site;
    let names_it = |text: &str| text.contains("hr-2.csv can't be read or moved");
    let told = || Ok(names_it(&String::from_utf8_lossy(&site.run(&["status"])?.stdout)));
    site.wait_for("status names the file that is in the way", told).unwrap();
    assert_eq!(site.names("inbox").unwrap(), ["hr-1.csv", "hr-2.csv"]);
    scene.site.kill().unwrap();

    mend_and_start(&mut scene);
    let site = &scene.site;
    site.wait_for("both are moved", || Ok(site.names("inbox")?.is_empty())).unwrap();
    assert!(site.receipt("accepted", "hr-2.csv").unwrap().contains("before"));
    assert!(site.receipt("accepted", "hr-1.csv").unwrap().contains("TAKEN"));
    assert_eq!(site.names("rejected").unwrap(), [] as [&str; 0]);
    let off = || Ok(scene.journal.count("state = 'cancelled'")? > 0);
    site.wait_for("the departures are off", off).unwrap();
}

#[test]
fn a_directory_killed_in_mid_run_is_taken_up_where_it_was() {
    let mut scene = Scene::new(420, 200).unwrap();
    scene.drop_leavers().unwrap();
    let since = Instant::now();
    while !Moment::Changes(250).has_come(&scene, since).unwrap() {
        assert!(since.elapsed() < PATIENCE, "{}", scene.site.log());
    }
    scene.slapd.kill().unwrap();
    let waits = || scene.journal.count("state IN ('waiting', 'unknown')");
    scene.site.wait_for("steps wait", || Ok(waits()? > 0)).unwrap();
    assert_eq!(scene.journal.count("state IN ('refused', 'drifted')").unwrap(), 0);
    scene.slapd.start().unwrap();
    scene.finish().unwrap();
    figures(&scene, 1).write("directory-killed").unwrap();
    assert_whole(&scene);
}

#[test]
fn a_frozen_directory_does_not_hold_up_urgent_work_on_another() {
    let agency = Agency::new(320, 7);
    let frozen = openldap(&agency, Slapd::builder()).unwrap();
    let other = openldap(&agency, Slapd::builder()).unwrap();
    let mut site = Site::beside(&at_slapd(&frozen)).unwrap();
    // When the frozen one thaws, all come at once.
    site.reconfigure(&GUARD_RAISED).unwrap();
    add_directory(&site, &frozen, &other).unwrap();
    adopt(&agency, &mut site).unwrap();
    frozen.pause().unwrap();

    let leavers = agency.ordinary_leavers(20);
    let is_shut = |slapd: &Slapd, leaver: usize| {
        let dn = Agency::openldap_dn(BASE, agency.people[leaver].user_id().unwrap());
        Ok(slapd.read(&dn, &["pwdAccountLockedTime"])?.is_some_and(|e| crate::beside::is_shut(&e)))
    };
    let mut took = Vec::new();
    let mut departures = Vec::new();
    for (sequence, &leaver) in (2..).zip(&leavers) {
        departures.push(Departure::on(leaver, yesterday()));
        let feed = agency.to_hr_csv(&HrOptions::full(today(), sequence, departures.clone()));
        let dropped = Instant::now();
        site.drop_file(&format!("hr-{sequence:04}.csv"), feed).unwrap();
        site.wait_for("shut in the other directory", || is_shut(&other, leaver)).unwrap();
        took.push(dropped.elapsed());
    }
    took.sort();
    let (p50, p99) = (percentile(&took, 50), percentile(&took, 99));
    println!("one directory frozen, drop to disabled in the other: p50 {p50:.2?}, p99 {p99:.2?}");
    assert!(p99 < Duration::from_secs(8), "{took:?}");
    frozen.resume().unwrap();
    for &leaver in &leavers {
        site.wait_for("shut in the thawed directory", || is_shut(&frozen, leaver)).unwrap();
    }
}

/// A second connector with the same settings on another server.
fn add_directory(site: &Site, first: &Slapd, second: &Slapd) -> Done<()> {
    let text = std::fs::read_to_string(site.config())?;
    let from = text.find("  directory:\n").ok_or_else(|| Failure::new("no connector"))?;
    let to = text.find("  # A second directory").ok_or_else(|| Failure::new("no end of it"))?;
    let copy = text[from..to]
        .replace("  directory:", "  second:")
        .replace(&first.url_ldaps(), &second.url_ldaps())
        .replace(&first.ca_path().display().to_string(), &second.ca_path().display().to_string())
        .replace(
            &first.password_file().display().to_string(),
            &second.password_file().display().to_string(),
        );
    site.configure(&format!("{}{copy}{}", &text[..to], &text[to..]))
}

#[test]
fn a_wrong_password_loses_nothing_and_a_reload_after_its_mending_goes_on_at_once() {
    let agency = Agency::new(320, 7);
    let slapd = openldap(&agency, Slapd::builder()).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
    let password = site.path("password");
    let good = std::fs::read(slapd.password_file()).unwrap();
    std::fs::write(&password, &good).unwrap();
    let (from, to) = (slapd.password_file().display().to_string(), password.display().to_string());
    site.reconfigure(&[(&from, &to)]).unwrap();
    adopt(&agency, &mut site).unwrap();
    site.stop().unwrap();

    std::fs::write(&password, "another").unwrap();
    site.start().unwrap();
    let leaver = agency.ordinary_leavers(1)[0];
    let departures = vec![Departure::on(leaver, yesterday())];
    let feed = agency.to_hr_csv(&HrOptions::full(today(), 2, departures));
    site.drop_file("hr-2.csv", feed).unwrap();
    site.wait_for("status says so", || {
        Ok(site.json(&["status"])?.to_string().contains("password"))
    })
    .unwrap();
    let dn = Agency::openldap_dn(BASE, agency.people[leaver].user_id().unwrap());
    let shut = || {
        let entry = slapd.read(&dn, &["pwdAccountLockedTime"])?;
        Ok(entry.is_some_and(|entry| crate::beside::is_shut(&entry)))
    };
    assert!(!shut().unwrap());
    std::fs::write(&password, &good).unwrap();
    site.printed(&["reload"]).unwrap();
    site.wait_for("the leaver is shut", shut).unwrap();
}

/// `LAPSED_LONG=1` runs it: ten thousand leavers, beside `ldapmodify` with the same changes grouped by
/// group on the same settings. `LAPSED_LEAVERS` sets another number; `LAPSED_FSYNC=1` has OpenLDAP wait
/// for the disk on every change. The state is always on SQLite with synchronous=FULL.
#[test]
fn ten_thousand_leavers_beside_ldapmodify_with_the_same_changes() {
    if std::env::var_os("LAPSED_LONG").is_none() {
        println!("LAPSED_LONG is not set: nothing was measured");
        return;
    }
    let leavers: usize =
        std::env::var("LAPSED_LEAVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let fsync = std::env::var_os("LAPSED_FSYNC").is_some();
    let builder = move || if fsync { Slapd::builder().fsync() } else { Slapd::builder() };
    let people = leavers + leavers / 3 + 40;

    let mut scene = Scene::with(people, leavers, builder()).unwrap();
    assert_eq!(scene.leavers.len(), leavers);
    let since = Instant::now();
    scene.drop_leavers().unwrap();
    scene.site.wait_long("planned", || Ok(scene.journal.count("action = 'disable'")? > 0)).unwrap();
    println!("{leavers} leavers, OpenLDAP waits for the disk: {fsync}");
    println!("  drop to plan in the journal      {:.1?}", since.elapsed());
    let all = leavers as u64;
    let shut = || Ok(scene.journal.count("action = 'disable' AND ended")? >= all);
    scene.site.wait_long("all shut", shut).unwrap();
    println!("  drop to all accounts shut        {:.1?}", since.elapsed());
    scene.finish_within(Duration::from_secs(3_600)).unwrap();
    println!("  drop to every step read back     {:.1?}", since.elapsed());
    assert_whole(&scene);
    let steps = scene.journal.count("connector = 'directory'").unwrap();
    println!("  steps on the directory           {steps}");
    scene.site.stop().unwrap();

    let other = openldap(&scene.agency, builder()).unwrap();
    let changes = same_changes(&scene);
    let since = Instant::now();
    other.load_ldif(&changes).unwrap();
    println!("  ldapmodify with the same changes {:.1?}", since.elapsed());
    let shut = crate::beside::shut_count(&other).unwrap();
    assert_eq!(shut, crate::beside::shut_count(&scene.slapd).unwrap());
}

/// The changes of all departures as change records: one a person, then those of each group together.
fn same_changes(scene: &Scene) -> String {
    let mut text = String::new();
    for &leaver in &scene.leavers {
        let id = scene.agency.people[leaver].user_id().unwrap();
        let dn = Agency::openldap_dn(BASE, id);
        text += &format!(
            "dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: nobody-knows-{id}\n-\n\n\
             dn: {dn}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n-\n\
             replace: loginShell\nloginShell: /usr/sbin/nologin\n-\n\
             replace: description\ndescription: Disabled by hand\n-\n\n"
        );
    }
    let gone: HashSet<String> = scene
        .leavers
        .iter()
        .filter_map(|&who| scene.agency.people[who].user_id())
        .flat_map(|id| [id.to_owned(), Agency::openldap_dn(BASE, id)])
        .collect();
    for group in lapsed_tests::ldif::parse(&scene.agency.to_openldap_ldif(BASE)).unwrap() {
        for attribute in ["member", "memberUid"] {
            let leaving: Vec<String> =
                group.get(attribute).into_iter().filter(|value| gone.contains(value)).collect();
            for some in leaving.chunks(500) {
                text += &format!("dn: {}\nchangetype: modify\ndelete: {attribute}\n", group.dn);
                for value in some {
                    text += &lapsed_tests::ldif::line(attribute, value.as_bytes());
                }
                text += "-\n\n";
            }
        }
    }
    text
}
