//! What becomes of a mail, and how each failure is told.

use lapsed_connectors::mail::{
    Attachment, Letter, MailAddress, MailFault, MailSecurity, MailSettings, Postman,
};
use lapsed_tests::authority::Certificate;
use lapsed_tests::smtp::{MailServer, Manner};
use rstest::rstest;
use uuid::Uuid;

fn letter(postman: &Postman, to: &[&str]) -> Letter {
    let to = to.iter().map(|to| MailAddress::parse(to).unwrap()).collect();
    let id = postman.message_id(Uuid::from_u128(7), "form");
    Letter::new(to, "Revoke: Zoë Müller [lapsed K7Q2]", "Please revoke.\n.\nRésumé: end.\n", id)
}

async fn send(settings: &MailSettings) -> Result<lapsed_connectors::mail::Receipt, MailFault> {
    let postman = Postman::new(settings).unwrap();
    postman.send(&letter(&postman, &["One <one@agency.test>", "two@agency.test"])).await
}

#[rstest]
#[case::switched_on(MailSecurity::StartTls)]
#[case::from_the_start(MailSecurity::Tls)]
#[tokio::test]
async fn a_mail_arrives_encrypted_as_it_was_written(#[case] security: MailSecurity) {
    let server = MailServer::with(security, Certificate::Good).unwrap();
    let receipt = send(&server.settings()).await.unwrap();
    assert!(receipt.reply.contains("queued as 4711"), "{receipt:?}");

    let [mail] = server.mails().try_into().unwrap();
    assert!(mail.encrypted);
    assert_eq!(mail.user.as_deref(), Some("lapsed"));
    assert_eq!(mail.from, "lapsed@dmh.test");
    assert_eq!(mail.to, ["one@agency.test", "two@agency.test"]);
    assert_eq!(mail.subject(), "Revoke: Zoë Müller [lapsed K7Q2]");
    assert_eq!(mail.text().trim_end(), "Please revoke.\n.\nRésumé: end.");
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(mail.header("Reply-To").as_deref(), Some("accounts@dmh.test"));
    assert_eq!(format!("<{}>", mail.message_id()), receipt.message_id.to_string());
    assert!(mail.message_id().ends_with("@dmh.test"));
}

#[tokio::test]
async fn files_arrive_byte_for_byte() {
    let server = MailServer::start().unwrap();
    let postman = Postman::new(&server.settings()).unwrap();
    let mut letter = letter(&postman, &["one@agency.test"]);
    let content: Vec<u8> = (0..=255).cycle().take(3_000).collect();
    letter.attachments.push(Attachment {
        name: "list.bin".into(),
        media_type: "application/octet-stream".into(),
        content: content.clone(),
    });
    postman.send(&letter).await.unwrap();
    let [mail] = server.mails().try_into().unwrap();
    assert_eq!(mail.text().lines().next(), Some("Please revoke."));
    assert_eq!(mail.attachments(), [("list.bin".to_owned(), content)]);
}

/// What each failure of the server means for the one who sent: only what may have been taken is lost.
#[rstest]
#[case::busy(Manner::Later, "not sent", "451")]
#[case::nobody_there(Manner::Refusing, "refused", "***-**-****")]
#[case::text_refused(Manner::RefusingText, "refused", "554")]
#[case::taken_and_cut(Manner::CutWhenTaken, "lost", "")]
#[case::cut_in_the_text(Manner::CutInText, "lost", "")]
#[case::no_mail_server(Manner::Garbage, "not sent", "not that of a mail server")]
#[case::no_encryption(Manner::NoStartTls, "not sent", "STARTTLS")]
#[case::mute(Manner::Mute, "not sent", "within 1 s")]
#[case::mute_when_taken(Manner::MuteWhenTaken, "lost", "within 1 s")]
#[tokio::test]
async fn what_became_of_a_mail_is_told(
    #[case] manner: Manner,
    #[case] kind: &str,
    #[case] words: &str,
) {
    let server = MailServer::start().unwrap();
    server.behave(manner);
    let slow = matches!(manner, Manner::Mute | Manner::MuteWhenTaken);
    let settings = MailSettings { timeout_seconds: if slow { 1 } else { 10 }, ..server.settings() };
    let fault = send(&settings).await.unwrap_err();
    let told = match &fault {
        MailFault::NotSent(_) => "not sent",
        MailFault::Lost(_) => "lost",
        MailFault::Refused(_) => "refused",
    };
    assert_eq!(told, kind, "{fault}");
    assert!(fault.to_string().contains(words), "{fault}");
}

#[tokio::test]
async fn a_mail_sent_again_after_a_lost_answer_is_recognised() {
    let server = MailServer::start().unwrap();
    server.behave(Manner::CutWhenTaken);
    assert!(matches!(send(&server.settings()).await, Err(MailFault::Lost(_))));
    server.behave(Manner::Taking);
    send(&server.settings()).await.unwrap();
    let [first, second] = server.mails().try_into().unwrap();
    assert_eq!(first.message_id(), second.message_id());
}

/// A mistake in the settings must never end a step: once it is mended the mail goes.
#[rstest]
#[case::wrong_password("user and password", |server: &MailServer, settings: &mut MailSettings| {
    settings.password_file = Some(server.wrong_password_file());
})]
#[case::no_log_on("wants a log-on", |_: &MailServer, settings: &mut MailSettings| {
    settings.user = None;
    settings.password_file = None;
})]
#[case::no_password_file("can't read the secret", |_: &MailServer, settings: &mut MailSettings| {
    settings.password_file = Some("/nonexistent/password".into());
})]
#[case::unknown_authority("unknown authority", |server: &MailServer, settings: &mut MailSettings| {
    settings.ca_file = Some(server.other_ca_path().to_owned());
})]
#[case::wrong_port("check address", |_: &MailServer, settings: &mut MailSettings| {
    settings.port = Some(lapsed_tests::process::free_port().unwrap());
})]
#[case::tls_where_none_is("TLS", |_: &MailServer, settings: &mut MailSettings| {
    settings.security = MailSecurity::Tls;
})]
#[tokio::test]
async fn a_mistake_in_the_settings_is_told_and_nothing_is_sent(
    #[case] words: &str,
    #[case] spoil: fn(&MailServer, &mut MailSettings),
) {
    let server = MailServer::start().unwrap();
    let mut settings = server.settings();
    spoil(&server, &mut settings);
    let fault = send(&settings).await.unwrap_err();
    assert!(matches!(fault, MailFault::NotSent(_)), "{fault}");
    assert!(fault.to_string().contains(words), "{fault}");
    assert!(server.mails().is_empty());

    let probed = Postman::new(&settings).unwrap().probe().await;
    let problem = probed.problem.unwrap();
    assert!(problem.contains(words), "{problem}");
}

#[rstest]
#[case::expired(Certificate::Expired, "expired")]
#[case::of_another_host(Certificate::WrongHost, "another host")]
#[tokio::test]
async fn a_bad_certificate_is_not_trusted(#[case] certificate: Certificate, #[case] words: &str) {
    let server = MailServer::with(MailSecurity::StartTls, certificate).unwrap();
    let fault = send(&server.settings()).await.unwrap_err();
    assert!(matches!(&fault, MailFault::NotSent(why) if why.contains(words)), "{fault}");
}

#[tokio::test]
async fn check_tries_the_server_without_sending() {
    let server = MailServer::start().unwrap();
    let probed = Postman::new(&server.settings()).unwrap().probe().await;
    assert_eq!(probed.problem, None);
    assert!(probed.what.contains("with log-on"), "{}", probed.what);
    assert!(server.mails().is_empty());
}

#[test]
fn a_file_without_certificates_is_no_trust() {
    let server = MailServer::start().unwrap();
    let settings =
        MailSettings { ca_file: Some(server.wrong_password_file()), ..server.settings() };
    let error = Postman::new(&settings).unwrap_err();
    assert!(error.to_string().contains("ca_file"), "{error}");
}
