use lapsed_tests::samba::{SERVICE_PASSWORD, SambaAd};
use lapsed_tests::witness::Witness;
use std::time::Instant;

const ANN: &str = "dn: CN=Ann Li,OU=People,DC=lab,DC=test
objectClass: user
sAMAccountName: mqlia
employeeID: 00123
userAccountControl: 512

dn: CN=clerks,OU=Groups,DC=lab,DC=test
objectClass: group
sAMAccountName: clerks
groupType: -2147483646
member: CN=Ann Li,OU=People,DC=lab,DC=test
";

#[test]
fn samba_starts_answers_its_witness_and_stops() {
    let mut samba = SambaAd::builder().load_ldif(ANN).start().unwrap();
    let found = samba.search("(employeeID=00123)", &["*"]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get("primaryGroupID"), ["513"]);
    assert_eq!(found[0].get("memberOf"), ["CN=clerks,OU=Groups,DC=lab,DC=test"]);
    assert_eq!(found[0].bytes("objectGUID")[0].len(), 16);
    samba.kill().unwrap();
    assert!(samba.search("(employeeID=00123)", &["*"]).is_err());
}

#[test]
fn a_plain_bind_is_refused_and_tls_is_asked_for() {
    let samba = SambaAd::builder().start().unwrap();
    let witness = |url| Witness { url, ..samba.witness() };
    let plain = witness(samba.url_ldap()).try_bind(&samba.bind_dn(), SERVICE_PASSWORD).unwrap();
    assert_eq!(plain.0, 8, "{}", plain.1);
    let tls = witness(samba.url_ldaps()).try_bind(&samba.bind_dn(), SERVICE_PASSWORD).unwrap();
    assert_eq!(tls.0, 0, "{}", tls.1);
    let wrong = Witness { ca: samba.other_ca_path().to_owned(), ..samba.witness() };
    assert!(wrong.search(samba.base(), "(cn=lapsed)", &[]).is_err());
}

#[test]
fn what_was_changed_outlives_a_restart() {
    let mut samba = SambaAd::builder().start().unwrap();
    samba.load_ldif(ANN).unwrap();
    samba.restart().unwrap();
    assert_eq!(samba.search("(sAMAccountName=mqlia)", &["cn"]).unwrap().len(), 1);
}

#[test]
fn a_long_member_list_comes_in_the_ranges_asked_for() {
    let started = Instant::now();
    let samba = SambaAd::builder().load_ldif(&five_thousand()).kept_as("5000-members").start();
    let samba = samba.unwrap();
    println!("ready after {:.1} s", started.elapsed().as_secs_f64());
    let group = "CN=everyone,OU=Groups,DC=lab,DC=test";
    let first = samba.read(group, &["member;range=0-1499"]).unwrap().unwrap();
    assert_eq!(first.get("member;range=0-1499").len(), 1500);
    let last = samba.read(group, &["member;range=4500-*"]).unwrap().unwrap();
    assert_eq!(last.get("member;range=4500-*").len(), 500);
}

#[test]
fn a_paused_server_answers_again_when_resumed_and_connections_can_be_cut() {
    let samba = SambaAd::builder().start().unwrap();
    samba.pause();
    let address = samba.url_ldaps().replace("ldaps://", "");
    assert!(std::net::TcpStream::connect(address).is_ok());
    samba.cut_connections();
    samba.resume();
    assert_eq!(samba.search("(cn=lapsed)", &["cn"]).unwrap().len(), 1);
}

/// Five thousand people in one group.
pub fn five_thousand() -> String {
    let mut people = String::new();
    let mut group = String::from(
        "dn: CN=everyone,OU=Groups,DC=lab,DC=test\nobjectClass: group\nsAMAccountName: everyone\ngroupType: -2147483646\n",
    );
    for n in 0..5000 {
        let dn = format!("CN=p{n:04},OU=People,DC=lab,DC=test");
        people += &format!(
            "dn: {dn}\nobjectClass: user\nsAMAccountName: p{n:04}\nemployeeID: {n}\nuserAccountControl: 512\n\n"
        );
        group += &format!("member: {dn}\n");
    }
    people + &group
}
