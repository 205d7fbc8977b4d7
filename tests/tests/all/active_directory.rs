//! Whole departures on a real Samba domain controller, the directory's own words as witness.

use crate::beside::{adopt, at_samba, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::ldif::escape_filter;
use lapsed_tests::samba::{BASE, SambaAd};
use lapsed_tests::site::Site;
use lapsed_tests::{Done, Entry, Failure};

mod samba {
    use super::*;

    /// Ordinary account whose password does not expire (MS-ADTS 2.2.16).
    const NEVER_EXPIRES: u32 = 0x1_0200;
    const DISABLED: u32 = 0x2;

    struct Domain {
        agency: Agency,
        samba: SambaAd,
        site: Site,
    }

    impl Domain {
        /// The agency of the harness's own image, with lapsed beside it, not started yet.
        fn new() -> Done<Self> {
            let agency = Agency::new(300, 1);
            let content = agency.to_ad_ldif(BASE);
            let samba = SambaAd::builder().load_ldif(&content).kept_as("agency-300").start()?;
            let site = beside(&samba)?;
            Ok(Self { agency, samba, site })
        }

        fn user_id(&self, who: usize) -> &str {
            self.agency.people[who].user_id().unwrap()
        }

        fn account(&self, user_id: &str) -> Done<Entry> {
            let filter = format!("(sAMAccountName={})", escape_filter(user_id));
            let found = self.samba.search(&filter, &["*"])?;
            found.into_iter().next().ok_or_else(|| Failure::new(format!("no account {user_id}")))
        }

        fn leave(&self, sequence: u32, leavers: &[usize]) -> Done<()> {
            let departures = leavers.iter().map(|&who| Departure::on(who, yesterday())).collect();
            let feed = self.agency.to_hr_csv(&HrOptions::full(today(), sequence, departures));
            self.site.drop_file(&format!("hr-{sequence}.csv"), feed)
        }

        fn modify(&self, dn: &str, change: &str) -> Done<()> {
            self.samba.load_ldif(&format!("dn: {dn}\nchangetype: modify\n{change}\n"))
        }

        fn groups_of(&self, account: &Entry) -> Done<Vec<String>> {
            let filter = format!("(member={})", escape_filter(&account.dn));
            let found = self.samba.search(&filter, &["cn"])?;
            Ok(found.iter().filter_map(|group| group.first("cn")).collect())
        }

        fn nothing_to_do(&self) {
            let again = self.site.run(&["plan", "--format", "json"]).unwrap();
            let said = String::from_utf8_lossy(&again.stdout).into_owned();
            assert_eq!(again.status.code(), Some(0), "{said}");
            let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert!(plan["plans"].as_array().unwrap().is_empty(), "{said}");
        }
    }

    fn beside(samba: &SambaAd) -> Done<Site> {
        let site = Site::beside(&at_samba(samba))?;
        // The sample agency keeps HR's number where Active Directory's own tools show it.
        site.reconfigure(&[
            ("attributes: {}", "attributes: { employee_number: employeeID }"),
            ("least_headcount: 200", "least_headcount: 1"),
        ])?;
        Ok(site)
    }

    fn flags(account: &Entry) -> u32 {
        account.first("userAccountControl").and_then(|text| text.parse().ok()).unwrap()
    }

    fn is_disabled(account: &Entry) -> bool {
        flags(account) & DISABLED != 0
    }

    #[test]
    fn a_leaver_is_disabled_stamped_and_out_of_every_group_with_the_adm_account_and_nothing_is_left()
     {
        let mut domain = Domain::new().unwrap();
        let leaver = domain.agency.ordinary_leavers(1)[0];
        let id = domain.user_id(leaver).to_owned();
        let before = domain.account(&id).unwrap();
        let groups = domain.groups_of(&before).unwrap();
        // A security group as the primary one, an account whose password never expires, a second account.
        let filter = format!(
            "(&(objectClass=group)(groupType=-2147483646)(member={}))",
            escape_filter(&before.dn)
        );
        let primary = domain.samba.search(&filter, &["primaryGroupToken", "cn"]).unwrap();
        let token = primary[0].first("primaryGroupToken").unwrap();
        domain
            .modify(
                &before.dn,
                &format!(
                    "replace: primaryGroupID\nprimaryGroupID: {token}\n-\nreplace: userAccountControl\n\
                     userAccountControl: {NEVER_EXPIRES}\n-\nreplace: description\ndescription: clerk\n"
                ),
            )
            .unwrap();
        let vpn = format!("CN=vpn-users,OU=Groups,{BASE}");
        domain
            .samba
            .load_ldif(&format!(
                "dn: CN=adm-{id},OU=People,{BASE}\nobjectClass: user\nsAMAccountName: adm-{id}\n\
                 userAccountControl: 512\n\ndn: {vpn}\nchangetype: modify\nadd: member\n\
                 member: CN=adm-{id},OU=People,{BASE}\n"
            ))
            .unwrap();
        let before = domain.account(&id).unwrap();
        println!("before: {}", before.to_ldif());
        assert_eq!(flags(&before), NEVER_EXPIRES);
        let kind = |name: &str| {
            let found = domain.samba.search(&format!("(cn={name})"), &["groupType"]).unwrap();
            found[0].first("groupType").unwrap()
        };
        let kinds: std::collections::HashSet<String> = groups.iter().map(|g| kind(g)).collect();
        assert_eq!(kinds.len(), 2, "in security and distribution groups: {groups:?}");

        adopt(&domain.agency, &mut domain.site).unwrap();
        domain.leave(2, &[leaver]).unwrap();
        let site = &domain.site;
        site.wait_for("every step is read back", || {
            let person = site.json(&["person", &id])?.to_string();
            Ok(person.contains("verified")
                && !person.contains("\"started\"")
                && domain.groups_of(&domain.account(&id)?)?.iter().all(|g| g == "Domain Users")
                && !domain.account(&id)?.has("memberOf"))
        })
        .unwrap();

        let after = domain.account(&id).unwrap();
        println!("after: {}", after.to_ldif());
        assert_eq!(flags(&after), NEVER_EXPIRES | DISABLED, "the other flags are kept");
        assert!(after.first("description").unwrap().starts_with("Disabled "), "{after:?}");
        assert_eq!(after.first("primaryGroupID").as_deref(), Some("513"));
        assert_ne!(after.get("pwdLastSet"), before.get("pwdLastSet"));
        assert_eq!(after.bytes("objectGUID"), before.bytes("objectGUID"));
        let admin = domain.account(&format!("adm-{id}")).unwrap();
        assert_eq!(flags(&admin), 512 | DISABLED);
        assert!(!admin.has("memberOf"), "{admin:?}");
        domain.nothing_to_do();
        let due = site.json(&["due"]).unwrap().to_string();
        assert!(due.contains(&format!("delete mailbox of {id}")), "{due}");
        site.printed(&["audit", "verify"]).unwrap();
    }

    #[test]
    fn an_administrator_waits_for_an_operator_and_is_then_found_by_identity_under_another_name() {
        let mut domain = Domain::new().unwrap();
        let leaver = domain.agency.administrators()[0];
        let id = domain.user_id(leaver).to_owned();
        let before = domain.account(&id).unwrap();
        adopt(&domain.agency, &mut domain.site).unwrap();
        domain.leave(2, &[leaver]).unwrap();
        let site = &domain.site;
        let held = || -> Done<Option<String>> {
            let plans = site.json(&["plans"])?;
            Ok(plans["plans"][0]["hash"].as_str().map(str::to_owned))
        };
        site.wait_for("the plan is held", || Ok(held()?.is_some())).unwrap();
        let plan = site.printed(&["plans", "show", &held().unwrap().unwrap()[..12]]).unwrap();
        assert!(plan.contains("adminCount"), "{plan}");
        assert!(!is_disabled(&domain.account(&id).unwrap()), "held whole");
        assert!(!is_disabled(&domain.account(&format!("adm-{id}")).unwrap()), "held whole");

        // Meanwhile the account moves, and another takes its place and name.
        let unit = before.dn.split_once(',').unwrap().1;
        domain
            .samba
            .load_ldif(&format!(
                "dn: {}\nchangetype: modrdn\nnewrdn: CN=Somebody Else\ndeleteoldrdn: 1\n\
                 newsuperior: OU=People,{BASE}\n\ndn: {}\nchangetype: add\nobjectClass: user\n\
                 sAMAccountName: zimpostor\nuserAccountControl: 512\n",
                before.dn, before.dn
            ))
            .unwrap();
        assert!(before.dn.ends_with(unit));
        let hash = held().unwrap().unwrap();
        site.printed(&["release", &hash[..12], "--reason", "Confirmed by HR"]).unwrap();
        site.wait_for("both are disabled and in no group", || {
            let accounts = [domain.account(&id)?, domain.account(&format!("adm-{id}"))?];
            Ok(accounts.iter().all(|account| is_disabled(account) && !account.has("memberOf")))
        })
        .unwrap();
        let after = domain.account(&id).unwrap();
        assert_eq!(after.bytes("objectGUID"), before.bytes("objectGUID"));
        assert_eq!(after.dn, format!("CN=Somebody Else,OU=People,{BASE}"));
        assert!(!is_disabled(&domain.account("zimpostor").unwrap()));
        domain.nothing_to_do();
    }

    #[test]
    fn a_leaver_comes_out_of_a_group_of_five_thousand_and_all_others_stay() {
        let samba = SambaAd::builder()
            .load_ldif(&crate::servers::samba::five_thousand())
            .kept_as("5000-members")
            .start()
            .unwrap();
        let agency = Agency::new(40, 3);
        samba.load_ldif(&agency.to_ad_ldif(BASE)).unwrap();
        let leaver = agency.ordinary_leavers(1)[0];
        let everyone = format!("CN=everyone,OU=Groups,{BASE}");
        let dn = agency.ad_dn(BASE, leaver).unwrap();
        let line = lapsed_tests::ldif::line("member", dn.as_bytes());
        let add = format!("dn: {everyone}\nchangetype: modify\nadd: member\n{line}\n");
        samba.load_ldif(&add).unwrap();
        let site = beside(&samba).unwrap();
        let mut domain = Domain { agency, samba, site };
        let members = || -> Done<Vec<String>> {
            let found = domain.samba.read(&everyone, &["member"])?;
            let mut members = found.map(|group| group.get("member")).unwrap_or_default();
            members.sort();
            Ok(members)
        };
        let before = members().unwrap();
        assert_eq!(before.len(), 5_001);
        let mut site = std::mem::replace(&mut domain.site, beside(&domain.samba).unwrap());
        adopt(&domain.agency, &mut site).unwrap();
        domain.site = site;
        domain.leave(2, &[leaver]).unwrap();
        let members = || -> Done<Vec<String>> {
            let found = domain.samba.read(&everyone, &["member"])?;
            let mut members = found.map(|group| group.get("member")).unwrap_or_default();
            members.sort();
            Ok(members)
        };
        domain.site.wait_for("out of the group", || Ok(members()?.len() < 5_001)).unwrap();
        let mut expected = before;
        expected.retain(|member| !member.eq_ignore_ascii_case(&dn));
        assert_eq!(members().unwrap(), expected);
    }
}
