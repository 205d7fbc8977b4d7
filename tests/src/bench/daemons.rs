//! `daemons_1`, `daemons_2`, `daemons_3`: departures at once by so many daemons on one PostgreSQL and one directory.

use super::land::{BASE, agency};
use super::report::{Goal, Row};
use super::timing::{median, seconds};
use super::{Sizes, curve, report};
use crate::agency::{Agency, Departure, HrOptions, today, yesterday};
use crate::postgres::Postgres;
use crate::process::wait_until;
use crate::site::{DirectoryAt, GUARD_RAISED, Site};
use crate::slapd::{ServiceLimits, Slapd};
use crate::{Done, Failure};
use std::time::Duration;

const NAMES: [&str; 3] = ["one", "two", "three"];
/// Steps claimed in one go: small enough that several have something to claim.
const BATCH: usize = 50;

struct Farm {
    agency: Agency,
    sites: Vec<Site>,
    postgres: Postgres,
    database: String,
    gone: Vec<Departure>,
    feeds: u32,
    // Dropped last: the daemons are beside it.
    _slapd: Slapd,
}

/// Measures the rows.
///
/// # Errors
///
/// When a daemon or a server fails.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let people = (sizes.people / 10).max(1_000);
    let at_once = people / 20;
    let mut farm = Farm::new(people, (sizes.groups / 10).max(120))?;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); NAMES.len()];
    for round in 0..sizes.rounds {
        for (others, times) in times.iter_mut().enumerate() {
            let took = farm.shut_out(at_once, others + 1)?;
            println!("    round {}, daemons {}: {took:.2} s", round + 1, others + 1);
            times.push(took);
        }
    }
    let medians: Vec<f64> = times.iter().map(|times| median(times)).collect();
    let points: Vec<(f64, f64)> = [1.0, 2.0, 3.0].into_iter().zip(medians.clone()).collect();
    curve::write(
        &report::folder()?.join("daemons.svg"),
        &format!("{at_once} departures by so many daemons: seconds"),
        &points,
    )?;
    let alone = medians.first().copied().unwrap_or_default();
    let row = |(others, ours): (usize, &f64)| Row {
        name: format!("daemons_{}", others + 1),
        ours: *ours,
        theirs: Some(alone),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!(
            "{at_once} departures, from drop to all read back, by {} daemons on one PostgreSQL (fsync on) and one \
             slapd with {people} people; against one daemon on the same",
            others + 1
        ),
        // One server does all the writing: others take over, they don't make it faster.
        goal: Goal::RatioAtMost(1.25),
        points: Vec::new(),
    };
    Ok(medians.iter().enumerate().map(row).collect())
}

impl Farm {
    fn new(people: usize, groups: usize) -> Done<Self> {
        let agency = agency(people, groups);
        let slapd = Slapd::builder()
            .base(BASE)
            .service_limits(ServiceLimits::PagedOnly)
            .sorted_members()
            .load_ldif(&agency.to_openldap_ldif(BASE))
            .start()?;
        let postgres = Postgres::builder().fsync().start()?;
        let database = postgres.create_database()?;
        let mut sites = Vec::new();
        for name in NAMES {
            let site = Site::beside(&DirectoryAt::openldap(&slapd))?;
            let sqlite = format!("database: sqlite://{}/state.db", site.root().display());
            site.reconfigure(&[
                (&sqlite, &format!("database: {}", postgres.url(&database))),
                ("#instance: lapsed-a", &format!("instance: {name}")),
                ("  batch: 500", &format!("  batch: {BATCH}")),
            ])?;
            site.reconfigure(&GUARD_RAISED)?;
            sites.push(site);
        }
        let first = sites.first_mut().ok_or_else(|| Failure::new("no daemon"))?;
        first.start()?;
        let feed = first.path("first.csv");
        std::fs::write(&feed, agency.to_hr_csv(&HrOptions::full(yesterday(), 1, vec![])))?;
        first.printed(&[
            "adopt",
            "--feed",
            &feed.display().to_string(),
            "--as",
            "hr",
            "--write",
        ])?;
        first.stop()?;
        Ok(Self { agency, sites, postgres, database, gone: Vec::new(), feeds: 1, _slapd: slapd })
    }

    /// Seconds from the drop until so many daemons have shut the next ones out, and have read it back.
    fn shut_out(&mut self, count: usize, daemons: usize) -> Done<f64> {
        let leavers = self.agency.ordinary_leavers(self.agency.people.len() / 2);
        let next = leavers.iter().skip(self.gone.len()).take(count);
        let next: Vec<Departure> = next.map(|&who| Departure::on(who, yesterday())).collect();
        if next.len() < count {
            return Err(Failure::new("too few people"));
        }
        self.gone.extend(next);
        self.feeds += 1;
        let options = HrOptions::full(today(), self.feeds, self.gone.clone());
        let feed = self.agency.to_hr_csv(&options);
        for site in &mut self.sites[..daemons] {
            site.start()?;
        }
        let (took, ()) = seconds(|| {
            self.sites[0].drop_file(&format!("hr-{:04}.csv", self.feeds), feed)?;
            self.until_done()
        })?;
        for site in &mut self.sites[..daemons] {
            site.stop()?;
        }
        Ok(took)
    }

    fn until_done(&self) -> Done<()> {
        let count = |what: &str| -> Done<usize> {
            let sql =
                format!("SELECT count(*) FROM steps WHERE connector = 'directory' AND {what}");
            let text = self.postgres.query(&self.database, &sql)?;
            text.trim().parse().map_err(|_| Failure::new(format!("{sql}: {text}")))
        };
        let all = self.gone.len();
        wait_until(Duration::from_secs(600), || {
            let shut = count("action = 'disable' AND state = 'verified'")?;
            Ok(shut == all && count("NOT destroys AND state <> 'verified'")? == 0)
        })
        .map_err(|failure| {
            let logs: Vec<String> = self.sites.iter().map(Site::log).collect();
            failure.during(logs.join("\n----\n"))
        })
    }
}
