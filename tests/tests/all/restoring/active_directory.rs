//! The same on a real Samba domain controller.

use super::{CONSENT, consent, differences, held, image};
use crate::beside::{adopt, at_samba, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::ldif::escape_filter;
use lapsed_tests::samba::{BASE, SambaAd};
use lapsed_tests::site::Site;
use std::time::{Duration, Instant};

/// What the domain controller counts by itself, and what a new password changes.
const NAMED: [&str; 8] = [
    "whenChanged",
    "uSNChanged",
    "pwdLastSet",
    "badPwdCount",
    "badPasswordTime",
    "lastLogonTimestamp",
    "logonCount",
    "msDS-SupportedEncryptionTypes",
];

mod samba {
    use super::*;

    #[test]
    fn account_primary_group_and_every_group_are_as_before_within_a_minute_of_the_consent() {
        let agency = Agency::new(300, 1);
        let samba = SambaAd::builder()
            .load_ldif(&agency.to_ad_ldif(BASE))
            .kept_as("agency-300")
            .start()
            .unwrap();
        let mut site = Site::beside(&at_samba(&samba)).unwrap();
        site.reconfigure(&[
            CONSENT,
            ("attributes: {}", "attributes: { employee_number: employeeID }"),
            ("least_headcount: 200", "least_headcount: 1"),
            (
                &format!("group_bases: [\"ou=groups,{BASE}\"]"),
                &format!("group_bases: [\"ou=groups,{BASE}\", \"cn=users,{BASE}\"]"),
            ),
        ])
        .unwrap();
        let leaver = agency.ordinary_leavers(1)[0];
        let id = agency.people[leaver].user_id().unwrap().to_owned();
        let find = || {
            let filter = format!("(sAMAccountName={})", escape_filter(&id));
            samba.search(&filter, &["*"]).map(|mut found| found.remove(0))
        };
        // Another primary group than the default, and a description of the account's own.
        let dn = find().unwrap().dn;
        let filter =
            format!("(&(objectClass=group)(groupType=-2147483646)(member={}))", escape_filter(&dn));
        let primary = samba.search(&filter, &["primaryGroupToken"]).unwrap();
        let token = primary[0].first("primaryGroupToken").unwrap();
        samba
            .load_ldif(&format!(
                "dn: {dn}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: {token}\n-\n\
                 replace: description\ndescription: clerk\n\n"
            ))
            .unwrap();
        let all = || {
            let mut entries = samba.search("(objectClass=group)", &["member", "cn"]).unwrap();
            entries.push(find().unwrap());
            image(&entries, &NAMED)
        };
        let before = all();
        adopt(&agency, &mut site).unwrap();
        let says = |sequence: u32, departures: Vec<Departure>| {
            let feed = agency.to_hr_csv(&HrOptions::full(today(), sequence, departures));
            site.drop_file(&format!("hr-{sequence}.csv"), feed).unwrap();
        };
        says(2, vec![Departure::on(leaver, yesterday())]);
        site.wait_for("every step is read back", || {
            let person = site.json(&["person", &id])?;
            let steps = person["cases"][0]["steps"].as_array().cloned().unwrap_or_default();
            let now = steps.iter().filter(|step| step["due"] == "at once");
            let mut now = now.map(|step| step["state"].as_str().unwrap_or_default().to_owned());
            Ok(!steps.is_empty() && now.all(|state| ["verified", "refused"].contains(&&*state)))
        })
        .unwrap();
        println!("the departure took: {:#?}", differences(&before, &all()));
        says(3, vec![]);
        let off = || Ok(site.json(&["person", &id])?["cases"][0]["state"] == "withdrawn");
        site.wait_for("the notice is taken back", off).unwrap();
        let view = held(&site, &id).unwrap();
        println!("{}", site.printed(&["restore", &id]).unwrap());
        let begun = Instant::now();
        consent(&site, &id, &view).unwrap();
        let mut left = Vec::new();
        site.wait_for("the directory is as before", || {
            left = differences(&before, &all());
            Ok(left.is_empty())
        })
        .unwrap_or_else(|error| {
            panic!("{error}: {left:#?}\n{}", site.printed(&["restore", &id]).unwrap())
        });
        let took = begun.elapsed();
        println!("consent to back as before: {took:.2?}");
        assert!(took < Duration::from_secs(60), "{took:?}");
    }
}
