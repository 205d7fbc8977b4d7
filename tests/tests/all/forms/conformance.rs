//! What every connector has to keep, as far as a form can: there is no object to look at, so that what
//! makes it idempotent is that the same form is known for the same.

use super::support::{KEY, Stage, asked, changing, facts, of_person, one, step};
use jiff::civil::date;
use lapsed_connectors::contract::{Apply, Chase, Chased, Observe};
use lapsed_connectors::settings::{ConnectorKind, Shared};
use lapsed_core::facts::{StableId, UserId};
use lapsed_core::form_token::FormToken;
use lapsed_core::observed::{PersonKeys, Scope};
use lapsed_core::step::{Action, Fault, RequestFacts, RequestedChange, Seen, TOKEN_DIGEST, Target};
use lapsed_tests::smtp::{Manner, Received};
use rstest::rstest;

fn token(mail: &Received) -> FormToken {
    let subject = mail.subject();
    let (_, token) = subject.rsplit_once("[lapsed ").unwrap();
    FormToken::parse(token.trim_end_matches(']')).unwrap()
}

#[tokio::test]
async fn a_form_is_mailed_with_a_token_and_waits_for_its_answer() {
    let stage = Stage::new();
    let step = step(facts());
    let receipt = asked(stage.apply(&step).await.unwrap());
    assert_eq!(receipt.before["asked"], ["access@dhss.test"]);

    let [mail] = stage.server.mails().try_into().unwrap();
    assert_eq!(mail.to, ["access@dhss.test"]);
    assert!(mail.subject().starts_with("REVOKE access to CIMOR: mzdoej [lapsed "));
    let token = token(&mail);
    assert_eq!(receipt.before[TOKEN_DIGEST], [token.digest()]);
    let shown = serde_json::to_string(&receipt).unwrap();
    assert!(!shown.contains(&token.to_string()), "the state can't confirm a form: {shown}");
    let text = mail.text();
    for wanted in ["Jane Doe", "mzdoej", "Central Office", "2026-11-20", "accounts@dmh.test"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(text.contains(&format!("[lapsed {token}]")), "{text}");

    let form = stage.connect().unwrap();
    let seen = form.read_back(std::slice::from_ref(&step)).await.pop().unwrap().unwrap();
    assert!(matches!(seen, Seen::NotYet(_)), "{seen:?}");
}

#[rstest]
#[case::access(RequestedChange::Grant { form: 12 }, "GIVE CIMOR: mzdoej", "below access to", "give CIMOR")]
#[case::another_name(
    RequestedChange::Rename { form: 12, from: UserId::new("mzsmitj").unwrap() },
    "RENAME mzsmitj to mzdoej in CIMOR", "has another name", "rename CIMOR"
)]
#[tokio::test]
async fn access_and_other_names_are_asked_for_by_forms_of_their_own(
    #[case] change: RequestedChange,
    #[case] subject: &str,
    #[case] says: &str,
    #[case] reminds_of: &str,
) {
    let stage = Stage::new();
    let step = changing(change, facts());
    let receipt = asked(stage.apply(&step).await.unwrap());
    stage.apply(&step).await.unwrap();
    let form = stage.connect().unwrap();
    let seen = form.read_back(std::slice::from_ref(&step)).await.pop().unwrap().unwrap();
    assert!(matches!(seen, Seen::NotYet(_)), "{seen:?}");
    let asked_on = date(2026, 11, 23);
    let chase = Chase { step: &step, receipt: &receipt, nth: 1, asked_on };
    assert_eq!(form.chase(&chase).await.unwrap(), Chased::Reminded);
    // It is another form than the one that ends access, and than one of another change.
    stage.apply(&super::support::step(facts())).await.unwrap();
    let [first, second, reminder, end] = stage.server.mails().try_into().unwrap();
    assert!(first.subject().starts_with(subject), "{}", first.subject());
    let text = first.text();
    for wanted in [says, "Jane Doe", "mzdoej", "Central Office", "12", "accounts@dmh.test"] {
        assert!(text.to_lowercase().contains(&wanted.to_lowercase()), "{wanted}: {text}");
    }
    assert!(!text.to_lowercase().contains("revoke"), "{text}");
    assert_eq!(receipt.before[TOKEN_DIGEST], [token(&first).digest()]);
    assert_eq!((first.message_id(), token(&first)), (second.message_id(), token(&second)));
    assert!(reminder.subject().starts_with(&format!("Reminder 1: {reminds_of}")));
    assert_eq!(token(&reminder), token(&first));
    assert_ne!(token(&end), token(&first));
}

#[tokio::test]
async fn the_same_form_twice_has_the_same_token_and_message_id_and_another_has_others() {
    let stage = Stage::new();
    let step = step(facts());
    stage.apply(&step).await.unwrap();
    stage.apply(&step).await.unwrap();
    stage.apply(&of_person(2, facts())).await.unwrap();
    let [first, second, other] = stage.server.mails().try_into().unwrap();
    assert_eq!(first.message_id(), second.message_id());
    assert_eq!(token(&first), token(&second));
    assert_ne!(first.message_id(), other.message_id());
    assert_ne!(token(&first), token(&other));
}

#[tokio::test]
async fn who_knows_the_step_and_not_the_key_does_not_know_the_token() {
    let mut stage = Stage::new();
    let step = step(facts());
    stage.apply(&step).await.unwrap();
    let other = stage.file("other-key", &KEY.replace('8', "9"));
    stage.settings.token_key_file = Some(other);
    stage.apply(&step).await.unwrap();
    let [first, second] = stage.server.mails().try_into().unwrap();
    assert_ne!(token(&first), token(&second));
}

#[tokio::test]
async fn a_form_whose_answer_was_lost_is_sent_again_and_the_receipt_says_so() {
    let stage = Stage::new();
    let (form, step) = (stage.connect().unwrap(), step(facts()));
    stage.server.behave(Manner::CutWhenTaken);
    let fault = one(&form, &step).await.unwrap_err();
    assert!(matches!(fault, Fault::Unknown(_)), "{fault}");
    stage.server.behave(Manner::Taking);
    let receipt = asked(one(&form, &step).await.unwrap());
    assert!(receipt.before["sent_before"][0].contains("same Message-ID"), "{receipt:?}");
    let [first, second] = stage.server.mails().try_into().unwrap();
    assert_eq!((first.message_id(), token(&first)), (second.message_id(), token(&second)));
}

#[rstest]
#[case::busy(Manner::Later, "retry")]
#[case::nobody_there(Manner::Refusing, "refused")]
#[case::text_refused(Manner::RefusingText, "refused")]
#[case::cut_in_the_text(Manner::CutInText, "unknown")]
#[case::garbage(Manner::Garbage, "retry")]
#[case::no_encryption(Manner::NoStartTls, "retry")]
#[case::mute(Manner::Mute, "retry")]
#[case::mute_when_taken(Manner::MuteWhenTaken, "unknown")]
#[tokio::test]
async fn a_failure_of_the_mail_server_is_told_for_what_it_is(
    #[case] manner: Manner,
    #[case] kind: &str,
) {
    let mut stage = Stage::new();
    stage.mail.timeout_seconds = 1;
    stage.server.behave(manner);
    let fault = stage.apply(&step(facts())).await.unwrap_err();
    let told = match &fault {
        Fault::Retry(_) => "retry",
        Fault::Refused(_) => "refused",
        Fault::Unknown(_) => "unknown",
    };
    assert_eq!(told, kind, "{fault}");
}

/// None of these may end the step: once it is mended, the form goes out.
#[rstest]
#[case::wrong_password(|stage: &mut Stage| {
    stage.mail.password_file = Some(stage.server.wrong_password_file());
})]
#[case::wrong_certificate(|stage: &mut Stage| {
    stage.mail.ca_file = Some(stage.server.other_ca_path().to_owned());
})]
#[case::no_key(|stage: &mut Stage| {
    stage.settings.token_key_file = Some("/nonexistent/key".into());
})]
#[case::short_key(|stage: &mut Stage| {
    stage.settings.token_key_file = Some(stage.file("short", "password"));
})]
#[case::nobody_to_ask(|stage: &mut Stage| stage.settings.to.clear())]
#[tokio::test]
async fn a_mistake_in_the_settings_waits_to_be_mended(#[case] spoil: fn(&mut Stage)) {
    let mut stage = Stage::new();
    spoil(&mut stage);
    let fault = stage.apply(&step(facts())).await.unwrap_err();
    assert!(matches!(fault, Fault::Retry(_)), "{fault}");
    assert!(stage.server.mails().is_empty());
}

#[tokio::test]
async fn those_whom_the_request_names_get_it_instead_of_the_connectors_own() {
    let stage = Stage::new();
    let to = vec!["lso@fulton.test".to_owned(), "lso2@fulton.test".to_owned()];
    stage.apply(&step(RequestFacts { to: to.clone(), ..facts() })).await.unwrap();
    assert_eq!(stage.server.mails()[0].to, to);
}

#[tokio::test]
async fn an_address_that_adds_a_header_is_refused() {
    let stage = Stage::new();
    let to = vec!["lso@fulton.test\r\nBcc: everyone@dmh.test".to_owned()];
    let fault = stage.apply(&step(RequestFacts { to, ..facts() })).await.unwrap_err();
    assert!(matches!(fault, Fault::Refused(_)), "{fault}");
}

#[tokio::test]
async fn a_hostile_name_is_shown_and_neither_obeyed_nor_a_line_of_its_own() {
    let stage = Stage::new();
    let name = "Jane {{ token }}\r\nBcc: everyone@dmh.test\n\nAccess may stay \u{202e}123-45-6789";
    stage.apply(&step(RequestFacts { name: name.into(), ..facts() })).await.unwrap();
    let [mail] = stage.server.mails().try_into().unwrap();
    let text = mail.text();
    assert!(text.contains("Jane {{ token }}\\r\\nBcc"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("Access may stay")), "{text}");
    assert!(!text.contains('\u{202e}') && text.contains("***-**-****"), "{text}");
}

#[tokio::test]
async fn a_reminder_belongs_to_its_form_and_has_its_token() {
    let stage = Stage::new();
    let step = step(facts());
    let receipt = asked(stage.apply(&step).await.unwrap());
    let chase = Chase { step: &step, receipt: &receipt, nth: 2, asked_on: date(2026, 11, 23) };
    let form = stage.connect().unwrap();
    assert_eq!(form.chase(&chase).await.unwrap(), Chased::Reminded);
    assert_eq!(form.chase(&chase).await.unwrap(), Chased::Reminded);
    let [first, reminder, again] = stage.server.mails().try_into().unwrap();
    assert_eq!(reminder.header("References").unwrap(), format!("<{}>", first.message_id()));
    assert_ne!(reminder.message_id(), first.message_id());
    assert_eq!(reminder.message_id(), again.message_id());
    assert_eq!(token(&reminder), token(&first));
    let text = reminder.text();
    assert!(text.contains("REMINDER 2") && text.contains("On 2026-11-23"), "{text}");
}

#[tokio::test]
async fn a_reminder_with_another_key_is_not_sent_since_its_token_would_be_unknown() {
    let mut stage = Stage::new();
    let step = step(facts());
    let receipt = asked(stage.apply(&step).await.unwrap());
    stage.settings.token_key_file = Some(stage.file("other-key", &KEY.replace('8', "9")));
    let chase = Chase { step: &step, receipt: &receipt, nth: 1, asked_on: date(2026, 11, 23) };
    let fault = stage.connect().unwrap().chase(&chase).await.unwrap_err();
    assert!(fault.to_string().contains("former key"), "{fault}");
    assert_eq!(stage.server.mails().len(), 1);
}

#[tokio::test]
async fn the_agencys_own_form_is_read_from_its_file_anew() {
    let mut stage = Stage::new();
    let file = stage.file("form.txt", "Form 7: {{ name }} {{ token }}");
    stage.settings.form_file = Some(file);
    let form = stage.connect().unwrap();
    one(&form, &step(facts())).await.unwrap();
    stage.file("form.txt", "Form 8: {{ name }} {{ token }}");
    one(&form, &step(facts())).await.unwrap();
    stage.file("form.txt", "Form 9: {{ nothing }} {{ token }}");
    let fault = one(&form, &step(facts())).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Retry(cause) if cause.message.contains("form_file")),
        "{fault}"
    );
    let [first, second] = stage.server.mails().try_into().unwrap();
    assert!(first.text().starts_with("Form 7: Jane Doe") && second.text().starts_with("Form 8"));
}

#[rstest]
#[case::no_token("form", |stage: &mut Stage| stage.settings.form = Some("{{ name }}".into()))]
#[case::unknown_name("reminder", |stage: &mut Stage| {
    stage.settings.reminder = Some("{{ salary }} {{ token }}".into());
})]
#[case::no_end("form", |stage: &mut Stage| {
    stage.settings.form = Some("{% for i in range(9000) %}{% for j in range(9000) %}x{% endfor %}{% endfor %}".into());
})]
#[case::subject("subject", |stage: &mut Stage| stage.settings.subject = "{{ nth }}".into())]
#[case::file("form_file", |stage: &mut Stage| {
    stage.settings.form_file = Some("/nonexistent/form.txt".into());
})]
#[case::both("form", |stage: &mut Stage| {
    stage.settings.form = Some("{{ token }}".into());
    stage.settings.form_file = Some(stage.file("form.txt", "{{ token }}"));
})]
#[case::address("to", |stage: &mut Stage| stage.settings.to.push("nobody".into()))]
#[case::key("kind", |stage: &mut Stage| stage.settings.token_key_file = None)]
#[case::mail("mail.from", |stage: &mut Stage| stage.mail.from = "nobody".into())]
fn what_can_not_work_is_named_by_its_key(#[case] key: &str, #[case] spoil: fn(&mut Stage)) {
    let mut stage = Stage::new();
    spoil(&mut stage);
    let error = stage.connect().unwrap_err();
    let keys: Vec<_> = error.0.iter().map(|problem| problem.key.as_ref()).collect();
    assert_eq!(keys, [key], "{error}");
}

#[test]
fn without_a_mail_server_there_are_no_forms() {
    let stage = Stage::new();
    let name = lapsed_core::facts::ConnectorName::new("dhss").unwrap();
    let error = stage.settings.connect(&name, &Shared::default()).err().unwrap();
    assert!(error.to_string().contains("mail"), "{error}");
}

#[tokio::test]
async fn check_tries_the_key_and_the_mail_server() {
    let mut stage = Stage::new();
    let probed = stage.connect().unwrap().probe().await;
    assert!(probed.iter().all(|probed| probed.problem.is_none()), "{probed:?}");
    stage.settings.token_key_file = Some(stage.file("short", "password"));
    let probed = stage.connect().unwrap().probe().await;
    assert!(probed[0].problem.as_ref().unwrap().contains("openssl rand"), "{probed:?}");
}

#[tokio::test]
async fn nobody_is_found_by_a_form_and_nothing_else_is_done_by_one() {
    let stage = Stage::new();
    let form = stage.connect().unwrap();
    let keys =
        PersonKeys { user_ids: vec![UserId::new("mzdoej").unwrap()], ..PersonKeys::default() };
    let scope = Scope::People(vec![keys]);
    assert!(form.observe(&scope).await.unwrap().accounts.is_empty());
    let account = Target { id: StableId::new("uuid-1").unwrap(), label: "mzdoej".into() };
    let mut other = step(facts());
    other.action = Action::Disable { account };
    assert!(matches!(one(&form, &other).await, Err(Fault::Refused(_))));
    assert!(stage.server.mails().is_empty());
}
