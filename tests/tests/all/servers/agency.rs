use lapsed_tests::agency::Agency;
use lapsed_tests::samba::SambaAd;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::witness::Witness;

#[test]
fn openldap_takes_the_whole_agency() {
    let agency = Agency::new(300, 1);
    let base = "dc=lab,dc=test";
    let slapd = Slapd::builder().load_ldif(&agency.to_openldap_ldif(base)).start().unwrap();
    let accounts = agency.people.iter().filter(|person| person.account.is_some()).count();
    let found = slapd.search("(objectClass=posixAccount)", &["1.1"]).unwrap();
    assert_eq!(found.len(), accounts + agency.others.len());
    assert_eq!(slapd.search("(objectClass=posixGroup)", &["1.1"]).unwrap().len(), 35);

    let odd = slapd.search("(sn=#odd,+\"\\5c<>;=\\2a\\28\\29)", &["*", "memberOf"]).unwrap();
    assert_eq!(odd.len(), 1);
    let id = odd[0].first("uid").unwrap();
    assert!(odd[0].get("memberOf").contains(&format!("cn=dl-everyone,ou=groups,{base}")));
    let witness = Witness { url: slapd.url_ldaps(), ..slapd.witness() };
    let bound = witness.try_bind(&odd[0].dn, &Agency::password(&id)).unwrap();
    assert_eq!(bound.0, 0, "{}", bound.1);
    let former = Agency::openldap_dn(base, "mzdunnp");
    assert_eq!(witness.try_bind(&former, &Agency::password("mzdunnp")).unwrap().0, 49);
}

#[test]
fn samba_takes_the_whole_agency() {
    let agency = Agency::new(300, 1);
    let content = agency.to_ad_ldif("DC=lab,DC=test");
    let samba = SambaAd::builder().load_ldif(&content).kept_as("agency-300").start().unwrap();
    let people = samba.search("(&(objectClass=user)(homeDrive=*))", &["cn"]).unwrap();
    let accounts = agency.people.iter().filter(|person| person.account.is_some()).count();
    assert_eq!(people.len(), accounts);
    let smiths =
        samba.search("(displayName=Smith, John)", &["sAMAccountName", "memberOf"]).unwrap();
    assert_eq!(smiths.len(), 2);
    assert!(smiths.iter().all(|smith| smith.get("memberOf").len() > 2));
    let admins = samba.search("(&(objectClass=user)(adminCount=1)(sAMAccountName=adm-*))", &[]);
    assert_eq!(admins.unwrap().len(), agency.administrators().len());
    let distribution = samba.search("(&(objectClass=group)(groupType=2))", &["cn"]).unwrap();
    assert!(distribution.len() >= 6);
}
