//! Who holds what, from the roster that a supervisor gets to the group that is left (S6), and groups that
//! somebody was put into behind our back (S4), on a real directory.

use crate::departure::yesterday;
use lapsed_tests::agency::{Agency, HrOptions};
use lapsed_tests::ldif::escape_filter;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::smtp::MailServer;
use lapsed_tests::{Done, Failure};

const BASE: &str = "dc=dmh,dc=test";
const NOTICES: &str = "notices:\n  account_management: [accounts@dmh.test]\n  disk_low_mib: 0\n";

struct Stage {
    slapd: Slapd,
    server: MailServer,
    site: Site,
    /// Somebody in an ordinary group, and the supervisor whom HR names for them.
    who: String,
    boss: String,
    group: String,
}

impl Stage {
    /// An agency whose wards are a group of the directory, with all that is there taken for approved.
    fn new(also: &[(&str, &str)]) -> Done<Self> {
        let agency = Agency::new(320, 7);
        let slapd =
            Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start()?;
        let server = MailServer::start()?;
        let mut site = Site::beside(&DirectoryAt::openldap(&slapd))?;
        let found = agency.ordinary_leavers(40).into_iter().find_map(|index| {
            let person = &agency.people[index];
            let boss = agency.people[person.supervisor?].user_id()?.to_owned();
            let who = person.user_id()?.to_owned();
            let group = groups_of(&slapd, &who).ok()?.into_iter().next()?;
            Some((who, boss, group))
        });
        let (who, boss, group) =
            found.ok_or_else(|| Failure::new("nobody is in a group".to_owned()))?;
        let systems = format!(
            "\n  systems:\n    wards: {{ title: Wards, connector: directory, groups: [\"{group}\"] }}\n"
        );
        let mail = format!("{}{NOTICES}locations:\n", server.yaml());
        let mut changes = vec![("\n  systems: {}\n", systems.as_str()), ("locations:\n", &mail)];
        changes.extend(also);
        site.reconfigure(&changes)?;
        site.start()?;
        std::fs::write(
            site.path("first.csv"),
            agency.to_hr_csv(&HrOptions::full(yesterday(), 1, vec![])),
        )?;
        let feed = site.path("first.csv").display().to_string();
        site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"])?;
        site.printed(&["findings", "baseline", "--authority", "CSO", "--reason", "begin"])?;
        Ok(Self { slapd, server, site, who, boss, group })
    }

    fn is_in_group(&self) -> Done<bool> {
        Ok(groups_of(&self.slapd, &self.who)?.contains(&self.group))
    }

    fn left(&self) -> Done<()> {
        self.site.wait_for("the group is left", || Ok(!self.is_in_group()?))
    }

    fn forms(&self) -> Done<Vec<serde_json::Value>> {
        let list = self.site.json(&["form", "list"])?;
        Ok(list["forms"].as_array().cloned().unwrap_or_default())
    }
}

fn groups_of(slapd: &Slapd, user_id: &str) -> Done<Vec<String>> {
    let member = escape_filter(&Agency::openldap_dn(BASE, user_id));
    let found = slapd.search(&format!("(member={member})"), &["cn"])?;
    let mut names: Vec<String> = found.iter().filter_map(|group| group.first("cn")).collect();
    names.sort();
    Ok(names)
}

#[test]
fn a_supervisor_is_mailed_a_roster_and_the_answer_takes_away_what_goes() {
    let stage = Stage::new(&[]).unwrap();
    let (site, who, boss) = (&stage.site, &stage.who, &stage.boss);
    assert!(stage.is_in_group().unwrap());

    // Mailed once, however often it is made.
    let said = site.printed(&["report", "roster", "--all"]).unwrap();
    assert!(said.contains("wait to be mailed"), "{said}");
    let about = format!("people in the charge of {boss}");
    let mine = || {
        let mails = stage.server.mails();
        mails.into_iter().filter(|mail| mail.text().contains(&about)).collect::<Vec<_>>()
    };
    site.wait_for("the roster is mailed", || Ok(!mine().is_empty())).unwrap();
    let text = mine()[0].text();
    assert!(text.contains(who.as_str()) && text.contains("wards, since"), "{text}");
    let again = site.printed(&["report", "roster", "--all"]).unwrap();
    // Lines are folded for people.
    let again = again.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(again.contains("none is mailed that was not before"), "{again}");

    // Shown on any day; the answer is a form that comes back.
    let shown = site.printed(&["report", "roster", "--for", boss]).unwrap();
    assert!(shown.contains(&about) && shown.contains(who.as_str()), "{shown}");
    let answer = site.printed(&["report", "roster", "--for", boss, "--answer", who]).unwrap();
    std::fs::write(site.path("stays.yaml"), &answer).unwrap();
    let stays = site.path("stays.yaml").display().to_string();
    site.printed(&["form", "submit", &stays]).unwrap();
    let looked_at = || {
        let shown = site.json(&["report", "roster", "--for", boss])?;
        let lines = shown["rosters"][0]["lines"].as_array().cloned().unwrap_or_default();
        let theirs = lines.iter().find(|line| line["who"] == who.as_str());
        Ok(theirs.is_some_and(|line| !line["recertified"].is_null()))
    };
    site.wait_for("it bears the day", looked_at).unwrap();
    assert!(stage.is_in_group().unwrap(), "what stays, stays");

    let answer = site.printed(&["report", "roster", "--for", boss, "--answer", who]).unwrap();
    assert!(answer.contains("remove: false"), "{answer}");
    std::fs::write(site.path("goes.yaml"), answer.replace("remove: false", "remove: true"))
        .unwrap();
    let goes = site.path("goes.yaml").display().to_string();
    site.printed(&["form", "submit", &goes]).unwrap();
    stage.left().unwrap();
    let gone = || Ok(!site.printed(&["report", "roster", "--for", boss])?.contains(who.as_str()));
    site.wait_for("they are off the roster", gone).unwrap();
}

#[test]
fn who_was_put_into_a_group_behind_our_back_is_taken_out_again_where_that_is_wanted() {
    let mend = ("    mend: []\n", "    mend: [group_added_elsewhere]\n");
    let stage = Stage::new(&[mend]).unwrap();
    let site = &stage.site;
    // Somebody else, who is not in the group.
    let dn = Agency::openldap_dn(BASE, &stage.boss);
    let group = format!("cn={},ou=groups,{BASE}", stage.group);
    let in_group = || groups_of(&stage.slapd, &stage.boss).map(|all| all.contains(&stage.group));
    assert!(!in_group().unwrap());
    let add = format!("dn: {group}\nchangetype: modify\nadd: member\nmember: {dn}\n");
    stage.slapd.load_ldif(&add).unwrap();
    let look = || site.printed(&["findings", "--now", "--reason", "a test"]).unwrap();
    look();
    let out = || Ok(!in_group()?);
    site.wait_for("they are out of the group", out).unwrap();
    let done = |count: usize| {
        site.wait_for("the form is carried out", || {
            let forms = stage.forms()?;
            Ok(forms.len() == count && forms.iter().all(|form| form["state"] == "in_place"))
        })
    };
    done(1).unwrap();
    let form = &stage.forms().unwrap()[0];
    assert_eq!((&form["form"], &form["filed_by"]), (&"nightly_audit".into(), &"daemon".into()));
    // The same hands put them back before anything saw them gone: out again.
    stage.slapd.load_ldif(&add).unwrap();
    look();
    site.wait_for("they are out of the group again", out).unwrap();
    done(2).unwrap();
    // The others keep theirs, the finding is gone, and nothing is filed twice.
    assert!(stage.is_in_group().unwrap());
    look();
    assert_eq!(stage.forms().unwrap().len(), 2);
    let open = site.json(&["findings"]).unwrap();
    let open = open["findings"].as_array().unwrap();
    assert!(open.iter().all(|finding| finding["kind"] != "group_added_elsewhere"), "{open:?}");
}
