//! A departure by HR's typo, put back by the security officer's consent, through the whole daemon on real
//! directories: the directory's own words before and after are the witness.

mod active_directory;
mod by_others;
mod evidence;

use crate::beside::{adopt, at_slapd, is_shut, openldap, openldap_account, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Done, Entry, Failure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Root consents in these tests: who may is a matter of the rules, and has its own.
pub const CONSENT: (&str, &str) = (
    "      # Log-on names that have it everywhere, and those that have it for a location.\n      users: []\n",
    "      users: [root]\n",
);

/// Every entry as sorted lines, by name; attributes that a new password changes left out.
pub type Image = BTreeMap<String, BTreeSet<String>>;

pub fn image(entries: &[Entry], leave_out: &[&str]) -> Image {
    let kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        !leave_out.iter().any(|left| left.to_lowercase() == name)
    };
    let lines = |entry: &Entry| {
        // Folded lines belong to the one before.
        let text = entry.to_ldif().replace("\n ", "");
        text.lines().filter(kept).map(str::to_owned).collect::<BTreeSet<String>>()
    };
    entries.iter().map(|entry| (entry.dn.to_lowercase(), lines(entry))).collect()
}

/// What differs between two images, for people.
pub fn differences(before: &Image, after: &Image) -> Vec<String> {
    let mut all = Vec::new();
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let none = BTreeSet::new();
        let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        all.extend(old.difference(new).map(|line| format!("{name}: -{line}")));
        all.extend(new.difference(old).map(|line| format!("{name}: +{line}")));
    }
    all
}

/// Asks for the plan of putting back until it is held, and gives it.
pub fn held(site: &Site, user_id: &str) -> Done<Value> {
    let mut view = Value::Null;
    site.wait_for("the plan is held", || {
        let said = site.run(&["restore", user_id, "--format", "json"])?;
        view = serde_json::from_slice(&said.stdout).unwrap_or_default();
        let under_way = view["not_restored"].to_string().contains("under way");
        Ok(view["state"] == "held" && !under_way)
    })?;
    Ok(view)
}

pub fn consent(site: &Site, user_id: &str, view: &Value) -> Done<String> {
    let hash = view["hash"].as_str().unwrap_or_default()[..12].to_owned();
    site.printed(&["restore", user_id, "--consent", &hash, "--reason", "A typo of HR's"])
}

struct Stage {
    agency: Agency,
    slapd: Slapd,
    site: Site,
}

impl Stage {
    fn new() -> Done<Self> {
        Self::of_rules(&[CONSENT])
    }

    /// With these changes of the configuration.
    fn of_rules(changes: &[(&str, &str)]) -> Done<Self> {
        let agency = Agency::new(320, 7);
        let slapd = openldap(&agency, Slapd::builder())?;
        let mut site = Site::beside(&at_slapd(&slapd))?;
        site.reconfigure(changes)?;
        adopt(&agency, &mut site)?;
        Ok(Self { agency, slapd, site })
    }

    fn leaver(&self) -> (usize, String) {
        let who = self.agency.ordinary_leavers(1)[0];
        (who, self.agency.people[who].user_id().unwrap_or_default().to_owned())
    }

    /// The whole directory.
    fn image(&self) -> Done<Image> {
        let all = self.slapd.search("(objectClass=*)", &["*", "pwdAccountLockedTime"])?;
        Ok(image(&all, &["userPassword"]))
    }

    fn hr_says(&self, sequence: u32, departures: Vec<Departure>) -> Done<()> {
        let feed = self.agency.to_hr_csv(&HrOptions::full(today(), sequence, departures));
        self.site.drop_file(&format!("hr-{sequence}.csv"), feed)
    }

    fn case_state(&self, user_id: &str) -> Done<String> {
        let person = self.site.json(&["person", user_id])?;
        let cases = person["cases"].as_array().cloned().unwrap_or_default();
        Ok(cases
            .last()
            .and_then(|case| case["state"].as_str().map(str::to_owned))
            .unwrap_or_default())
    }

    /// Every step that is due at once has ended.
    fn all_is_read_back(&self, user_id: &str) -> Done<()> {
        self.site.wait_for("everything is read back", || {
            let person = self.site.json(&["person", user_id])?;
            let cases = person["cases"].as_array().cloned().unwrap_or_default();
            let steps = cases.last().map(|case| case["steps"].clone()).unwrap_or_default();
            let steps = steps.as_array().cloned().unwrap_or_default();
            let now = steps.iter().filter(|step| step["due"] == "at once");
            let open = now.filter(|step| step["state"] != "verified" && step["state"] != "refused");
            Ok(!steps.is_empty() && open.count() == 0)
        })
    }

    /// Shut and out of every group by HR's typo, which HR then takes back.
    fn cut_off(&self, sequence: u32) -> Done<String> {
        let (who, user_id) = self.leaver();
        // Two days ago: also shortly after midnight, that is later than the policy allows.
        let last_day = yesterday().yesterday().map_err(|e| Failure::new(e.to_string()))?;
        self.hr_says(sequence, vec![Departure::on(who, last_day)])?;
        self.all_is_read_back(&user_id)?;
        assert!(is_shut(&openldap_account(&self.slapd, &user_id)?));
        self.hr_says(sequence + 1, vec![])?;
        self.site.wait_for("the notice is taken back", || {
            Ok(self.case_state(&user_id)? == "withdrawn")
        })?;
        Ok(user_id)
    }
}

#[test]
fn a_nurse_cut_off_by_a_typo_is_back_as_before_within_a_minute_of_the_consent() {
    let stage = Stage::new().unwrap();
    let before = stage.image().unwrap();
    let user_id = stage.cut_off(2).unwrap();
    let between = differences(&before, &stage.image().unwrap());
    assert!(between.len() > 3, "the departure took something: {between:?}");

    let view = held(&stage.site, &user_id).unwrap();
    println!("{}", stage.site.printed(&["restore", &user_id]).unwrap());
    assert_eq!(stage.image().map(|now| differences(&before, &now)).unwrap(), between, "asks first");
    let begun = Instant::now();
    consent(&stage.site, &user_id, &view).unwrap();
    let mut left = Vec::new();
    stage
        .site
        .wait_for("the directory is as before", || {
            left = differences(&before, &stage.image()?);
            Ok(left.iter().all(|line| line.contains("pwdReset")))
        })
        .unwrap_or_else(|error| {
            panic!("{error}: {left:#?}\n{}", stage.site.json(&["restore", &user_id]).unwrap())
        });
    let took = begun.elapsed();
    println!("consent to back as before: {took:.2?}; what differs: {left:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    stage
        .site
        .wait_for("it is over", || Ok(stage.site.json(&["restore", &user_id])?["state"] == "done"))
        .unwrap();
    // Once done, it is done: nothing is left to consent to.
    let again = stage.site.json(&["restore", &user_id]).unwrap();
    assert_eq!(again["hash"], "", "{again}");
    // The round that closes it comes a moment after its last step.
    let asides = || Ok(stage.site.json(&["set-aside", "list"])?.to_string());
    let settled = || asides().map(|asides| !asides.contains("was shut"));
    stage.site.wait_for("nobody has to look any more", settled).unwrap();
    let audit = stage.site.printed(&["audit", "export"]).unwrap();
    for event in ["restore.asked", "restore.consented", "restore.over"] {
        assert!(audit.contains(event), "{event}");
    }
    assert!(audit.contains("D10"));
    stage.site.printed(&["audit", "verify"]).unwrap();
}

#[test]
fn a_standing_notice_a_group_that_is_gone_and_another_consent_are_said_plainly() {
    let stage = Stage::new().unwrap();
    let (who, user_id) = stage.leaver();
    stage.hr_says(2, vec![Departure::on(who, yesterday())]).unwrap();
    let shut = || Done::Ok(is_shut(&openldap_account(&stage.slapd, &user_id)?));
    stage.all_is_read_back(&user_id).unwrap();
    assert!(shut().unwrap());
    let refused = stage.site.run(&["restore", &user_id]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("the notice of this departure stands"),
        "{said}"
    );

    stage.hr_says(3, vec![]).unwrap();
    stage.site.wait_for("it is off", || Ok(stage.case_state(&user_id)? == "withdrawn")).unwrap();
    let first = held(&stage.site, &user_id).unwrap();
    let joins = |view: &Value| {
        let steps = view["steps"].as_array().cloned().unwrap_or_default();
        let what = steps.iter().filter_map(|step| step["what"].as_str().map(str::to_owned));
        what.filter(|what| what.contains("into group")).collect::<Vec<_>>()
    };
    let group = joins(&first)[0].rsplit("into group ").next().unwrap().to_owned();
    let found = stage.slapd.search(&format!("(cn={group})"), &["1.1"]).unwrap();
    let dn = &found[0].dn;
    stage.slapd.load_ldif(&format!("dn: {dn}\nchangetype: delete\n")).unwrap();

    // What was shown is no longer what would be done: this consent is for nothing.
    let stale = consent(&stage.site, &user_id, &first).unwrap_err().to_string();
    assert!(stale.contains("no longer what was shown"), "{stale}");
    let second = held(&stage.site, &user_id).unwrap();
    assert_ne!(first["hash"], second["hash"]);
    assert!(second["not_restored"].to_string().contains(&group), "{second}");
    assert_eq!(joins(&second).len() + 1, joins(&first).len());
    consent(&stage.site, &user_id, &second).unwrap();
    stage.site.wait_for("open again", || Ok(!shut()?)).unwrap();
}

#[test]
fn a_new_departure_ends_what_is_being_put_back_and_it_stays_shut() {
    let stage = Stage::new().unwrap();
    let user_id = stage.cut_off(2).unwrap();
    let view = held(&stage.site, &user_id).unwrap();
    stage.slapd.pause().unwrap();
    // The consent needs the directory; what it sets going does not get to run before HR's next word.
    stage.slapd.resume().unwrap();
    consent(&stage.site, &user_id, &view).unwrap();
    let (who, _) = stage.leaver();
    stage.hr_says(4, vec![Departure::on(who, yesterday())]).unwrap();
    stage
        .site
        .wait_for("it is shut by the new departure, and stays so", || {
            let person = stage.site.json(&["person", &user_id])?;
            let cases = person["cases"].as_array().map(Vec::len).unwrap_or_default();
            Ok(cases == 2 && is_shut(&openldap_account(&stage.slapd, &user_id)?))
        })
        .unwrap();
    let refused = stage.site.run(&["restore", &user_id]).unwrap();
    assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
    let plans = stage.site.json(&["plans"]).unwrap();
    assert!(!plans.to_string().contains(view["hash"].as_str().unwrap()), "{plans}");
}
