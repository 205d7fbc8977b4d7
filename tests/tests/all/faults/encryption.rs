//! Nobody on the line can talk lapsed out of encryption, or into one that is none: nothing is sent then.

use super::hello::OldServer;
use crate::directory::support::{ldif, observe, of_slapd, open, people, someone};
use crate::systems::support::{apply as apply_to_system, of as of_scim, revocation};
use lapsed_connectors::directory::DirectorySettings;
use lapsed_connectors::mail::{
    Letter, MailAddress, MailFault, MailSecurity, MailSettings, Postman,
};
use lapsed_connectors::scim;
use lapsed_core::step::Fault;
use lapsed_tests::authority::Certificate;
use lapsed_tests::relay::{self, Relay, Target};
use lapsed_tests::scim::Scim;
use lapsed_tests::slapd::{SERVICE_PASSWORD, Slapd};
use lapsed_tests::smtp::{MailServer, PASSWORD};
use rstest::rstest;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;
use uuid::Uuid;

/// The request for TLS, and answers to it: yes, a refusal by its result code, and what else could be said.
const WANTED: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const YES: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";

fn holds(all: &[u8], some: &[u8]) -> bool {
    all.windows(some.len()).any(|window| window == some)
}

/// Settings for StartTLS at a port of this machine.
fn start_tls(slapd: &Slapd, port: u16) -> DirectorySettings {
    let servers = vec![format!("ldap://127.0.0.1:{port}")];
    DirectorySettings { servers, start_tls: true, ..of_slapd(slapd) }
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

#[rstest]
#[case::protocol_error(2)]
#[case::unavailable(52)]
#[case::confidentiality_required(13)]
#[tokio::test]
async fn a_directory_whose_yes_to_encryption_is_made_a_no_gets_no_password(#[case] code: u8) {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).start().unwrap();
    let relay = Relay::start(Target::Tcp(port_of(&slapd.url_ldap()))).unwrap();
    let directory = open(&start_tls(&slapd, relay.port()));
    let mut no = YES.to_vec();
    no[9] = code;
    relay.record();
    relay.set(relay::Fault::Rewrite { from: YES.to_vec(), to: no });
    let fault = observe(&directory, &["zann"]).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry(c) if c.message.contains("StartTLS")), "{fault}");
    assert_eq!(relay.recorded(), WANTED, "asked for, and not a byte more");
    assert_eq!(relay.strikes(), 1);
    relay.heal();
    assert_eq!(people(&directory, &["zann"]).await.accounts.len(), 1);
    assert!(!holds(&relay.recorded(), SERVICE_PASSWORD.as_bytes()), "nor later in the clear");
}

/// Said yes to encryption, and then goes on in the clear as if the log-on had gone well; or has said so
/// already in the same breath.
#[rstest]
#[case::goes_on_in_the_clear(b"", b"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00")]
#[case::slips_an_answer_in(b"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00", b"")]
#[tokio::test]
async fn a_server_that_only_says_that_it_encrypts_gets_no_password(
    #[case] slipped: &'static [u8],
    #[case] then: &'static [u8],
) {
    let slapd = Slapd::builder().start().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut wanted = vec![0; WANTED.len()];
        stream.read_exact(&mut wanted).unwrap();
        stream.write_all(&[YES, slipped].concat()).unwrap();
        let mut hello = vec![0; 16 * 1024];
        let read = stream.read(&mut hello).unwrap_or(0);
        let mut all = hello[..read].to_vec();
        let _ = stream.write_all(then);
        let _ = stream.read_to_end(&mut all);
        all
    });
    let fault = observe(&open(&start_tls(&slapd, port)), &["zann"]).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry(c) if c.message.contains("TLS")), "{fault}");
    let sent = server.join().unwrap();
    assert_eq!(sent[0], 22, "a handshake, no request: {sent:?}");
    assert!(!holds(&sent, SERVICE_PASSWORD.as_bytes()) && !holds(&sent, b"cn=lapsed"));
}

fn letter(postman: &Postman) -> Letter {
    let id = postman.message_id(Uuid::from_u128(9), "form");
    Letter::new(vec![MailAddress::parse("one@agency.test").unwrap()], "Revoke", "Private.", id)
}

async fn send(settings: &MailSettings) -> MailFault {
    let postman = Postman::new(settings).unwrap();
    postman.send(&letter(&postman)).await.unwrap_err()
}

#[rstest]
#[case::the_offer_is_taken_out(b"STARTTLS", b"XXXXXXXX")]
#[case::the_yes_is_made_a_no(b"220 2.0.0 Go on", b"454 4.7.0 Not on")]
#[tokio::test]
async fn a_mail_server_whose_encryption_is_talked_away_gets_neither_password_nor_mail(
    #[case] from: &[u8],
    #[case] to: &[u8],
) {
    let server = MailServer::start().unwrap();
    let relay = Relay::start(Target::Tcp(server.port())).unwrap();
    let settings = MailSettings { port: Some(relay.port()), ..server.settings() };
    relay.record();
    relay.set(relay::Fault::Rewrite { from: from.to_vec(), to: to[..from.len()].to_vec() });
    let fault = send(&settings).await;
    assert!(matches!(&fault, MailFault::NotSent(_)), "{fault}");
    let sent = relay.recorded();
    for never in [&b"AUTH"[..], b"MAIL FROM", b"one@agency.test", PASSWORD.as_bytes(), b"Private"] {
        assert!(!holds(&sent, never), "{}", String::from_utf8_lossy(&sent));
    }
    assert_eq!((relay.strikes(), server.mails().len()), (1, 0));
    relay.heal();
    let postman = Postman::new(&settings).unwrap();
    postman.send(&letter(&postman)).await.unwrap();
    assert_eq!(server.mails().len(), 1);
}

const BAD: [(Certificate, &str); 3] = [
    (Certificate::Expired, "expired"),
    (Certificate::WrongHost, "another host"),
    (Certificate::SelfSigned, "unknown authority"),
];

#[tokio::test]
async fn a_directory_with_a_certificate_that_is_none_gets_no_password() {
    for (certificate, words) in BAD {
        let slapd = Slapd::builder().certificate(certificate).start().unwrap();
        for settings in [of_slapd(&slapd), start_tls(&slapd, port_of(&slapd.url_ldap()))] {
            let fault = observe(&open(&settings), &["zann"]).await.unwrap_err();
            assert!(matches!(&fault, Fault::Retry(c) if c.message.contains(words)), "{fault}");
        }
        assert!(!slapd.log().contains(&format!("BIND dn=\"{}\"", slapd.bind_dn())));
    }
}

#[tokio::test]
async fn mail_and_web_servers_with_a_certificate_that_is_none_get_nothing() {
    let scim = Scim::start().unwrap();
    for (certificate, words) in BAD {
        for security in [MailSecurity::Tls, MailSecurity::StartTls] {
            let server = MailServer::with(security, certificate).unwrap();
            let fault = send(&server.settings()).await;
            assert!(
                matches!(&fault, MailFault::NotSent(why) if why.contains(words)),
                "{security:?} {fault}"
            );
            assert!(server.mails().is_empty());
        }
        // Whatever speaks TLS will do: the conversation ends before anything is said in it.
        let server = MailServer::with(MailSecurity::Tls, certificate).unwrap();
        let mut settings = of_scim(&scim);
        settings.url = format!("https://127.0.0.1:{}", server.port());
        settings.ca_file = server.settings().ca_file;
        let system = scim::connect(&settings).unwrap();
        let ending = apply_to_system(&system, revocation("7", "ann")).await;
        assert!(matches!(&ending, Err(Fault::Retry(c)) if c.message.contains(words)), "{ending:?}");
    }
}

/// Offers only TLS 1.2 and later, and leaves when the server would have an older one.
#[tokio::test]
async fn no_version_of_tls_before_1_2_is_spoken_with_anybody() {
    let slapd = Slapd::builder().start().unwrap();
    for (scheme, before) in [("ldaps", &[][..]), ("ldap", &[YES][..])] {
        let old = OldServer::start("", before);
        let mut settings = start_tls(&slapd, old.port);
        settings.servers = vec![format!("{scheme}://127.0.0.1:{}", old.port)];
        settings.start_tls = scheme == "ldap";
        let fault = observe(&open(&settings), &["zann"]).await.unwrap_err();
        assert!(matches!(&fault, Fault::Retry(c) if c.message.contains("TLS")), "{fault}");
        let shown = old.shown();
        assert!(shown.insists(), "{scheme}: {shown:?}");
    }

    let server = MailServer::start().unwrap();
    let offers: &[&[u8]] = &[b"250-old.test\r\n250 STARTTLS\r\n", b"220 Go on\r\n"];
    for (security, greeting, before) in
        [(MailSecurity::Tls, "", &[][..]), (MailSecurity::StartTls, "220 old.test\r\n", offers)]
    {
        let old = OldServer::start(greeting, before);
        let settings = MailSettings { port: Some(old.port), security, ..server.settings() };
        let fault = send(&settings).await;
        assert!(matches!(fault, MailFault::NotSent(_)), "{fault}");
        let shown = old.shown();
        assert!(shown.insists(), "{security:?}: {shown:?}");
    }

    let scim = Scim::start().unwrap();
    let old = OldServer::start("", &[]);
    let mut settings = of_scim(&scim);
    settings.url = format!("https://127.0.0.1:{}", old.port);
    settings.ca_file = server.settings().ca_file;
    let ending = apply_to_system(&scim::connect(&settings).unwrap(), revocation("7", "ann")).await;
    assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    let shown = old.shown();
    assert!(shown.insists(), "{shown:?}");
}
