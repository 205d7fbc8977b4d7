use lapsed_tests::authority::Certificate;
use lapsed_tests::slapd::{ServiceLimits, Slapd};
use lapsed_tests::witness::Witness;

const ANN: &str = "dn: uid=ann,ou=people,dc=lab,dc=test
objectClass: inetOrgPerson
objectClass: agencyPerson
uid: ann
cn: Ann Li
sn: Li
employeeNumber: 00123
agencyLocation: q
userPassword: ann-knows

dn: cn=clerks,ou=groups,dc=lab,dc=test
objectClass: groupOfNames
cn: clerks
member: uid=ann,ou=people,dc=lab,dc=test
";

const ANN_DN: &str = "uid=ann,ou=people,dc=lab,dc=test";

fn service(slapd: &Slapd, url: String) -> Witness {
    let password_file = slapd.password_file();
    let ca = slapd.ca_path().to_owned();
    Witness { url, ca, bind_dn: slapd.bind_dn(), password_file }
}

#[test]
fn openldap_starts_answers_its_witness_and_stops() {
    let mut slapd = Slapd::builder().load_ldif(ANN).start().unwrap();
    let found = slapd.search("(employeeNumber=00123)", &["*", "memberOf"]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get("memberof"), ["cn=clerks,ou=groups,dc=lab,dc=test"]);
    slapd.stop().unwrap();
    assert!(slapd.search("(uid=ann)", &[]).is_err());
}

#[test]
fn what_was_changed_outlives_a_restart_and_the_overlays_work() {
    let mut slapd = Slapd::builder().start().unwrap();
    slapd.load_ldif(ANN).unwrap();
    let url = slapd.url_ldaps();
    slapd.restart().unwrap();
    assert_eq!(slapd.url_ldaps(), url);
    let ann = slapd.read(ANN_DN, &["memberOf"]).unwrap().unwrap();
    assert_eq!(ann.get("memberOf").len(), 1, "memberOf is kept up by the server");
}

#[test]
fn a_locked_account_cannot_log_on() {
    let slapd = Slapd::builder().load_ldif(ANN).start().unwrap();
    let service = service(&slapd, slapd.url_ldaps());
    assert_eq!(service.try_bind(ANN_DN, "ann-knows").unwrap().0, 0);
    slapd
        .load_ldif(&format!(
            "dn: {ANN_DN}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
        ))
        .unwrap();
    assert_eq!(service.try_bind(ANN_DN, "ann-knows").unwrap().0, 49);
}

#[test]
fn the_service_account_reads_all_only_with_paging() {
    let people: String = (0..620)
        .map(|n| format!("dn: uid=p{n},ou=people,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: p{n}\ncn: p\nsn: p\n\n"))
        .collect();
    let slapd = Slapd::builder().load_ldif(&people).start().unwrap();
    let paged = service(&slapd, slapd.url_ldaps());
    assert_eq!(paged.search(slapd.base(), "(uid=p*)", &["1.1"]).unwrap().len(), 620);

    let cut =
        Slapd::builder().load_ldif(&people).service_limits(ServiceLimits::Cut).start().unwrap();
    let failure =
        service(&cut, cut.url_ldaps()).search(cut.base(), "(uid=p*)", &["1.1"]).unwrap_err();
    assert!(failure.to_string().contains("Size limit exceeded (4)"), "{failure}");
}

#[test]
fn bad_certificates_are_really_bad() {
    for bad in [Certificate::Expired, Certificate::WrongHost] {
        let slapd = Slapd::builder().certificate(bad).start().unwrap();
        let failure = service(&slapd, slapd.url_ldaps()).search(slapd.base(), "(cn=*)", &[]);
        assert!(failure.unwrap_err().to_string().contains("Can't contact LDAP server"), "{bad:?}");
    }
}

#[test]
fn a_paused_server_takes_connections_and_answers_again_when_resumed() {
    let slapd = Slapd::builder().start().unwrap();
    slapd.pause().unwrap();
    let address = slapd.url_ldap().replace("ldap://", "");
    assert!(std::net::TcpStream::connect(address).is_ok());
    slapd.resume().unwrap();
    assert_eq!(slapd.search("(cn=lapsed)", &["cn"]).unwrap().len(), 1);
}

#[test]
fn faults_can_be_had_from_the_real_server() {
    let busy = "\"cn=busy\" 0x33 op=search";
    let slapd = Slapd::builder().retcode_item(busy).start().unwrap();
    let failure = slapd.read("cn=busy,ou=fail,dc=lab,dc=test", &[]).unwrap_err();
    assert!(failure.to_string().contains("Server is busy (51)"), "{failure}");
}

#[test]
fn the_socket_knows_us_as_the_service_account() {
    let slapd = Slapd::builder().start().unwrap();
    let mut whoami = std::process::Command::new("ldapwhoami");
    let output = whoami.args(["-Q", "-Y", "EXTERNAL", "-H", &slapd.url_ldapi()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), format!("dn:{}", slapd.bind_dn()), "{output:?}");
}

#[test]
fn rights_can_be_taken_from_the_service_account() {
    let slapd = Slapd::builder()
        .load_ldif(ANN)
        .service_may_only_read()
        .hidden_from_service("ou=disabled,dc=lab,dc=test")
        .start()
        .unwrap();
    let service = service(&slapd, slapd.url_ldaps());
    let scratch = tempfile::tempdir().unwrap();
    let change = scratch.path().join("change.ldif");
    std::fs::write(&change, format!("dn: {ANN_DN}\nchangetype: modify\nadd: title\ntitle: x\n"))
        .unwrap();
    let failure = service.change(&change).unwrap_err();
    assert!(failure.to_string().contains("Insufficient access (50)"), "{failure}");
    assert!(service.search(slapd.base(), "(ou=disabled)", &[]).unwrap().is_empty());
    assert_eq!(slapd.search("(ou=disabled)", &[]).unwrap().len(), 1);
}
