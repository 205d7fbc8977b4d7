//! The daemon and its directory killed, frozen and started again at any moment: nothing is lost, and
//! nothing that took effect is done a second time.

use crate::beside::{BASE, GUARD_RAISED, adopt, at_slapd, openldap, today, yesterday};
use crate::journal::Journal;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::{Builder, Slapd};
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
        let deadline = Instant::now() + PATIENCE;
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
    let left: Vec<&str> =
        scene.leavers.iter().filter_map(|&who| scene.agency.people[who].user_id()).collect();
    let shut = "(&(pwdAccountLockedTime=000001010000Z)(!(memberOf=*)))";
    let shut = scene.slapd.search(shut, &["uid"]).unwrap();
    let shut: HashSet<String> = shut.iter().filter_map(|entry| entry.first("uid")).collect();
    let open: Vec<_> = left.iter().filter(|id| !shut.contains(**id)).collect();
    assert!(open.is_empty(), "{open:?}");
    if !scene.slapd.has_access_log() {
        return;
    }
    let changes = scene.changes().unwrap();
    // Every removal and every stamp once. A lock again only where a new password lifted it.
    let doubled: Vec<_> = changes
        .iter()
        .filter(|((_, change), times)| **times > 1 && !change.starts_with("pwdAccountLockedTime"))
        .collect();
    assert!(doubled.is_empty(), "{doubled:?}");
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
    torture(&mut scene, &moments(leavers as u64, 8, 0x5eed)).unwrap();
    println!("with kills: {:.1?}", since.elapsed());
    assert_whole(&scene);
    let (directory, changes) = undisturbed.join().unwrap();
    let ours = scene.directory().unwrap();
    for (dn, entry) in &directory {
        assert_eq!(ours.get(dn), Some(entry), "{dn}");
    }
    assert_eq!(ours.len(), directory.len());
    let is_lock = |change: &&(String, String)| change.1.starts_with("pwdAccountLockedTime");
    let removals: Vec<_> = changes.keys().filter(|c| !is_lock(c)).collect();
    let now = scene.changes().unwrap();
    assert_eq!(now.keys().filter(|c| !is_lock(c)).collect::<Vec<_>>(), removals);
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
    scene.finish().unwrap();
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
