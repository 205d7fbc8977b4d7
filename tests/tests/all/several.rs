//! Three daemons on one PostgreSQL and one directory: they share the work, and none that is killed, frozen
//! or cut off from the database is missed.

use crate::beside::{GUARD_RAISED, adopt, at_slapd, openldap, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::postgres::Postgres;
use lapsed_tests::process::wait_until;
use lapsed_tests::relay::{Relay, Target};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::torture_report::{Figures, is_long};
use lapsed_tests::{Done, Failure};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Seconds of silence after which the others take over, in these tests.
const TAKEOVER: u64 = 3;
const NAMES: [&str; 3] = ["one", "two", "three"];

struct Scene {
    agency: Agency,
    slapd: Slapd,
    postgres: Postgres,
    database: String,
    /// The third daemon's way to PostgreSQL.
    relay: Relay,
    sites: Vec<Site>,
    left: Vec<Departure>,
    /// Accounts that were shut before anybody left.
    shut_before: Vec<String>,
    feeds: u32,
}

impl Scene {
    fn new(people: usize) -> Done<Self> {
        let postgres = Postgres::builder().start()?;
        let database = postgres.create_database()?;
        let agency = Agency::new(people, 13);
        let slapd = openldap(&agency, Slapd::builder().access_log())?;
        let shut_before = shut(&slapd)?;
        let relay = Relay::start(Target::Tcp(postgres.port()))?;
        let mut sites = Vec::new();
        for (number, name) in NAMES.iter().enumerate() {
            let site = Site::beside(&at_slapd(&slapd))?;
            let direct = postgres.url(&database);
            let url = if number == 2 {
                let port = |port: u16| format!(":{port}/");
                direct.replace(&port(postgres.port()), &port(relay.port()))
            } else {
                direct
            };
            let sqlite = format!("database: sqlite://{}/state.db", site.root().display());
            site.reconfigure(&[
                (&sqlite, &format!("database: {url}")),
                ("#instance: lapsed-a", &format!("instance: {name}")),
                ("takeover_seconds: 10", &format!("takeover_seconds: {TAKEOVER}")),
                ("  batch: 500", "  batch: 10"),
            ])?;
            site.reconfigure(&GUARD_RAISED)?;
            sites.push(site);
        }
        adopt(&agency, &mut sites[0])?;
        for site in &mut sites[1..] {
            site.start()?;
        }
        let (left, feeds) = (Vec::new(), 1);
        Ok(Self { agency, slapd, postgres, database, relay, sites, left, shut_before, feeds })
    }

    fn query(&self, sql: &str) -> Done<String> {
        self.postgres.query(&self.database, sql)
    }

    fn count(&self, sql: &str) -> Done<u64> {
        let text = self.query(sql)?;
        text.trim().parse().map_err(|_| Failure::new(format!("{sql}: {text}")))
    }

    /// The next of those who may leave do, by a file in the inbox of one of the machines.
    fn leave(&mut self, count: usize, machine: usize) -> Done<()> {
        let gone = self.left.len();
        // All that may leave, chosen at once: fewer would be others.
        let leavers = self.agency.ordinary_leavers(self.agency.people.len() / 2);
        self.left
            .extend(leavers[gone..gone + count].iter().map(|&who| Departure::on(who, yesterday())));
        self.feeds += 1;
        let options = HrOptions::full(today(), self.feeds, self.left.clone());
        let name = format!("hr-{}.csv", self.feeds);
        self.sites[machine].drop_file(&name, self.agency.to_hr_csv(&options))
    }

    fn wait(&self, what: &str, condition: impl FnMut() -> Done<bool>) -> Done<()> {
        let states = "SELECT action, state, lease_owner, count(*), min(state_body) FROM steps \
                      WHERE NOT destroys AND state <> 'verified' GROUP BY 1, 2, 3";
        let logs = || self.sites.iter().map(Site::log).collect::<Vec<_>>().join("\n----\n");
        wait_until(Duration::from_secs(60), condition).map_err(|failure| {
            failure.during(format!("{what}\n{:?}\n{}", self.query(states), logs()))
        })
    }

    /// Until all who have left are planned for, and each step on the directory is read back.
    fn finish(&self) -> Done<()> {
        let sql =
            "SELECT count(*) FROM steps WHERE connector = 'directory' AND state <> 'verified'";
        self.wait("all is read back", || {
            let disabled = self.count("SELECT count(*) FROM steps WHERE action = 'disable'")?;
            Ok(disabled == self.left.len() as u64 && self.count(sql)? == 0)
        })
    }

    /// How many steps each daemon did, by the audit.
    fn done_by(&self) -> Done<BTreeMap<String, u64>> {
        let rows = self.query(
            "SELECT detail::jsonb ->> 'daemon', count(DISTINCT step) FROM audit \
             WHERE event = 'step.done' GROUP BY 1",
        )?;
        let parsed = rows.lines().filter_map(|row| {
            let (name, count) = row.split_once('|')?;
            Some((name.to_owned(), count.parse().ok()?))
        });
        Ok(parsed.collect())
    }

    fn state_of(&self, name: &str) -> Done<String> {
        self.query(&format!("SELECT state FROM daemons WHERE name = '{name}'"))
    }

    fn in_hand(&self, name: &str) -> Done<u64> {
        self.count(&format!(
            "SELECT count(*) FROM steps WHERE NOT ended AND state = 'started' AND lease_owner = '{name}'"
        ))
    }

    /// Stops a daemon's process while it has steps in hand.
    fn freeze_at_work(&self, machine: usize) -> Done<()> {
        let site = &self.sites[machine];
        self.wait("a daemon is frozen with steps in hand", || {
            site.signal(Signal::STOP)?;
            if self.in_hand(NAMES[machine])? > 0 {
                return Ok(true);
            }
            site.signal(Signal::CONT)?;
            Ok(false)
        })
    }

    /// How long it takes until another has taken over.
    fn taken_over(&self, machine: usize) -> Done<Duration> {
        let since = Instant::now();
        let name = NAMES[machine];
        self.wait(&format!("{name} is taken over"), || Ok(self.state_of(name)? == "taken over"))?;
        Ok(since.elapsed())
    }

    fn joined_anew(&self, machine: usize) -> Done<()> {
        let name = NAMES[machine];
        self.wait(&format!("{name} is there again"), || Ok(self.state_of(name)? == "runs"))
    }

    /// What should have come and did not, and what came more than once.
    fn count_up(&self, figures: &mut Figures) -> Done<()> {
        let ids = shut(&self.slapd)?;
        let wanted = self
            .left
            .iter()
            .filter_map(|gone| self.agency.people[gone.person].user_id())
            .collect::<Vec<_>>();
        figures.lost +=
            wanted.iter().filter(|id| !ids.iter().any(|shut| shut == *id)).count() as u64;
        let others: Vec<_> = ids
            .iter()
            .filter(|id| !wanted.contains(&id.as_str()) && !self.shut_before.contains(id))
            .collect();
        if !others.is_empty() {
            println!("shut and not gone: {others:?}");
        }
        figures.wrong += others.len() as u64;
        let found = self.slapd.witness().search(
            "cn=accesslog",
            "(&(reqType=modify)(reqResult=0))",
            &["reqDN", "reqMod"],
        )?;
        let mut changes: BTreeMap<(String, String), u64> = BTreeMap::new();
        for entry in found {
            let dn = entry.first("reqDN").unwrap_or_default().to_lowercase();
            for change in entry.get("reqMod") {
                // A lock again comes with a new password, which lifts it.
                if ["member:", "memberUid:", "description:"].iter().any(|a| change.starts_with(a)) {
                    *changes.entry((dn.clone(), change)).or_default() += 1;
                }
            }
        }
        let doubled: Vec<_> = changes.iter().filter(|(_, times)| **times > 1).collect();
        if !doubled.is_empty() {
            println!("doubled: {doubled:?}");
        }
        figures.doubled += doubled.len() as u64;
        let sql = "SELECT count(*) FROM steps WHERE state = 'unverified'";
        figures.unverified += self.count(sql)?;
        let sql = "SELECT count(*) FROM steps WHERE state IN ('refused', 'drifted')";
        let stuck = self.count(sql)?;
        if stuck > 0 {
            println!("stuck steps: {stuck}");
        }
        figures.wrong += stuck;
        for site in &self.sites {
            site.printed(&["audit", "verify"])?;
        }
        Ok(())
    }
}

/// Accounts that are shut and in no group.
fn shut(slapd: &Slapd) -> Done<Vec<String>> {
    let filter = "(&(pwdAccountLockedTime=000001010000Z)(!(memberOf=*)))";
    let found = slapd.search(filter, &["uid"])?;
    Ok(found.iter().filter_map(|entry| entry.first("uid")).collect())
}

#[test]
fn three_daemons_share_the_work_and_none_killed_frozen_or_cut_off_is_missed() {
    let wave = if is_long() { 150 } else { 40 };
    let mut scene = Scene::new(wave * 8).unwrap();
    scene
        .wait("three are there", || {
            scene.count("SELECT count(*) FROM daemons WHERE state = 'runs'").map(|n| n == 3)
        })
        .unwrap();
    let mut figures = Figures::default();

    // Undisturbed, from the inbox of a machine that does not plan.
    scene.leave(wave, 1).unwrap();
    scene.finish().unwrap();
    let done = scene.done_by().unwrap();
    let all: u64 = done.values().sum();
    println!("steps by daemon: {done:?}");

    // Killed with steps in hand.
    scene.leave(wave, 0).unwrap();
    scene.freeze_at_work(0).unwrap();
    scene.sites[0].kill().unwrap();
    let killed = scene.taken_over(0).unwrap();
    scene.finish().unwrap();
    scene.sites[0].start().unwrap();
    figures.kills += 1;

    // Frozen past its time: it finds itself fenced off.
    scene.leave(wave, 2).unwrap();
    scene.freeze_at_work(1).unwrap();
    let frozen = scene.taken_over(1).unwrap();
    scene.finish().unwrap();
    let before =
        scene.slapd.witness().search("cn=accesslog", "(reqType=modify)", &["1.1"]).unwrap().len();
    scene.sites[1].signal(Signal::CONT).unwrap();
    scene.joined_anew(1).unwrap();
    let after =
        scene.slapd.witness().search("cn=accesslog", "(reqType=modify)", &["1.1"]).unwrap().len();
    println!("requests of the one that woke late: {}", after - before);
    figures.kills += 1;

    // Cut off from the database.
    scene.leave(wave, 0).unwrap();
    scene
        .wait("the third has steps in hand when it is cut off", || {
            scene.relay.stall();
            if scene.in_hand("three")? > 0 {
                return Ok(true);
            }
            scene.relay.flow();
            Ok(false)
        })
        .unwrap();
    let cut_off = scene.taken_over(2).unwrap();
    scene.finish().unwrap();
    scene.relay.cut();
    scene.relay.flow();
    scene.joined_anew(2).unwrap();
    figures.faults += 1;

    println!("taken over after: killed {killed:.1?}, frozen {frozen:.1?}, cut off {cut_off:.1?}");
    scene.count_up(&mut figures).unwrap();
    figures.write("several").unwrap();
    assert!(figures.is_whole(), "{figures:?}");
    assert_eq!(figures.unverified, 0);
    for name in NAMES {
        assert!(done.get(name).is_some_and(|theirs| theirs * 4 >= all), "{name}: {done:?}");
    }
    let longest = killed.max(frozen).max(cut_off);
    assert!(longest < Duration::from_secs(TAKEOVER * 4), "{longest:?}");
    let woke = std::fs::read_to_string(scene.sites[1].path("log")).unwrap();
    assert!(woke.contains("joining anew"), "{woke}");
    let shown = scene.sites[2].json(&["status"]).unwrap();
    assert_eq!(shown["daemons"].as_array().map(Vec::len), Some(3), "{shown}");
}

#[test]
fn a_daemon_whose_name_another_takes_ends_and_says_what_to_set() {
    let mut scene = Scene::new(60).unwrap();
    let second = scene.sites[1].root().join("config.yaml");
    let text = std::fs::read_to_string(&second).unwrap();
    scene.sites[1].kill().unwrap();
    std::fs::write(&second, text.replace("instance: two", "instance: one")).unwrap();
    scene.sites[1].start().unwrap();
    scene
        .wait("the first says why it ends", || {
            let log = std::fs::read_to_string(scene.sites[0].path("log"))?;
            Ok(log.contains("execution.instance"))
        })
        .unwrap();
}
