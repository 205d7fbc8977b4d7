//! A first password from an approved form to the one who hands it over, by the daemon's own parts on a real
//! directory: it is shown once, and is nowhere else.

use crate::beside::{BASE, at_slapd, openldap};
use crate::joiners::stage::{Ended, approved, name, person};
use jiff::Timestamp;
use lapsed::answers::Desk;
use lapsed::control::console::{Console as _, ErrorKind};
use lapsed::control::roles::{Caller, Identity};
use lapsed::cycle::Cycle;
use lapsed::cycle::carry_out::Executor;
use lapsed::cycle::pace::Pace;
use lapsed::service::Daemon;
use lapsed::store::{DatabaseSettings, Store};
use lapsed::targets::Hands;
use lapsed::views::OpenEnvelopeRequest;
use lapsed_connectors::handover::{EnvelopeSettings, Envelopes, Handover as _, OpenError};
use lapsed_connectors::mail::Postman;
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::facts::{Actor, ConnectorName, SystemName, UserId};
use lapsed_core::policy::access::SystemRule;
use lapsed_core::step::Envelope;
use lapsed_tests::agency::Agency;
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::smtp::MailServer;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// How the example says nothing yet, and how accounts are made here.
const CREATE: (&str, &str) = (
    "    empty_group: itself\n",
    "    empty_group: itself\n    create:\n      below: \"ou=people,dc=dmh,dc=test\"\n      classes: [inetOrgPerson]\n",
);

fn caller(name: &str, daemon: &Daemon) -> Caller {
    let identity = Identity { uid: 4711, name: Actor::new(name).unwrap(), groups: BTreeSet::new() };
    let roles = daemon.roles();
    let roles = roles.borrow().clone();
    Caller::new(identity, &roles)
}

/// Files below a folder that have the text in them.
pub fn with_text(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let path = file.path();
        if path.is_dir() {
            found.extend(with_text(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(text.len()).any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn a_first_password_is_shown_once_to_the_supervisor_and_is_nowhere_else() -> Ended {
    let slapd = openldap(&Agency::new(20, 7), Slapd::builder())?;
    let site = Site::beside(&at_slapd(&slapd))?;
    site.reconfigure(&[CREATE])?;
    let (mut config, _) =
        lapsed::config::load(&site.config()).map_err(|errors| errors.to_string())?;
    let access = &mut config.policy.access;
    let connector = ConnectorName::new("directory").ok();
    access
        .systems
        .insert(SystemName::new("account")?, SystemRule { connector, ..SystemRule::default() });
    access.included = Vec::new();
    access.accounts.homes = None;
    access.accounts.mailboxes = None;
    access.accounts.handover.folder = Some(site.path("envelopes").display().to_string());
    config.mail = None;
    config.connectors.retain(|name, _| name.as_str() == "directory");
    let url = format!("sqlite://{}", site.path("test.db").display());
    let settings = DatabaseSettings { url, password_file: None, max_connections: 4 };
    let store = Store::open(&settings, None).await?;
    let clock: lapsed::cycle::carry_out::Clock = Arc::new(Timestamp::now);
    let hands = Hands::new(&config)?;
    let daemon =
        Arc::new(Daemon::new(store.clone(), config.clone(), site.config(), clock.clone(), None)?);
    let cycle = Cycle { store: store.clone(), config: Arc::new(config), eyes: hands.eyes() };
    let executor = Executor {
        cycle,
        hands,
        owner: "test".into(),
        clock,
        pace: Pace::default(),
        orders_seen: std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true)),
        fence: std::sync::Arc::new(lapsed::service::Fence::open()),
    };
    let number = approved(&store, person(1), Asks::New, &["account"], |form| {
        form.person.name = Some(name("Quillfeather", "John"));
    })
    .await?;
    for _ in 0..20 {
        executor.cycle.access_round(Timestamp::now()).await?;
        executor.carry_out().await?;
        let form = store.read().access_form(number).await?.ok_or("no form")?;
        if form.state == FormState::InPlace {
            break;
        }
    }
    let desk = Desk(daemon.clone());
    let (boss, clerk) = (caller("MZBossB", &daemon), caller("clerk", &daemon));
    assert!(desk.envelopes(&clerk).await?.waiting.is_empty());
    let waiting = desk.envelopes(&boss).await?.waiting;
    let [envelope] = waiting.as_slice() else { panic!("{waiting:?}") };
    assert_eq!((envelope.user_id.as_str(), envelope.needs_code), ("mzquilj", false));
    let request = OpenEnvelopeRequest { id: envelope.id.clone(), code: String::new() };
    let refused = desk.open_envelope(&clerk, request.clone()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Refused);
    let shown = desk.open_envelope(&boss, request.clone()).await?;
    let again = desk.open_envelope(&boss, request).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::NotFound);

    let dn = format!("uid=mzquilj,ou=people,{BASE}");
    assert_eq!(slapd.witness().try_bind(&dn, &shown.password)?.0, 0, "it is the account's");
    assert_eq!(with_text(site.root(), &shown.password), [] as [&str; 0]);
    assert!(!with_text(site.root(), "envelope.opened").is_empty(), "the audit has the opening");
    Ok(())
}

#[tokio::test]
async fn the_code_goes_by_mail_and_neither_the_file_nor_the_mail_shows_the_password() -> Ended {
    let server = MailServer::start()?;
    let folder = tempfile::tempdir()?;
    let rules = lapsed_core::policy::access::HandoverRules::default();
    let settings = EnvelopeSettings {
        folder: folder.path().join("envelopes"),
        expires_days: rules.expires_days,
        subject: rules.subject,
        text: rules.text,
    };
    let postman = Postman::new(&server.settings())?;
    let envelopes = Envelopes::new(settings, Some(postman)).map_err(|why| why.to_string())?;
    let id = Uuid::from_u128(5);
    let (opener, user_id) = (UserId::new("mzbossb")?, UserId::new("mzquilj")?);
    let unknown = Envelope { id, opener, mail: None, form: 12 };
    let cause = envelopes.seal(&unknown, &user_id, "kT7vqWm4RnHx3pYd-uGe").await.unwrap_err();
    assert!(cause.message.contains("mail address"), "{cause}");
    assert!(envelopes.waiting()?.is_empty(), "what nobody can open is not kept");

    let known = Envelope { mail: Some("boss@dmh.test".into()), ..unknown };
    for password in ["first-kT7vqWm4RnHx3p", "kT7vqWm4RnHx3pYd-uGe"] {
        envelopes.seal(&known, &user_id, password).await.map_err(|cause| cause.to_string())?;
    }
    let mails = server.wait_for(2)?;
    let code = |at: usize| {
        let text = mails[at].text();
        let line = text.lines().map(str::trim).find(|line| line.len() == 23 && line.contains('-'));
        line.unwrap_or_default().to_owned()
    };
    assert!(mails[1].text().contains(&format!("lapsed envelope open {id}")));
    assert!(!mails[1].subject().contains(&code(1)));
    assert!(mails.iter().all(|mail| !mail.text().contains("kT7vqWm4RnHx3p")));
    assert_eq!(with_text(folder.path(), "kT7vqWm4RnHx3p"), [] as [&str; 0]);
    assert_eq!(with_text(folder.path(), &code(1)), [] as [&str; 0]);
    for wrong in ["", code(0).as_str()] {
        assert!(matches!(envelopes.open(id, wrong), Err(OpenError::NotTogether)), "{wrong}");
    }
    assert_eq!(*envelopes.open(id, &code(1))?.password, "kT7vqWm4RnHx3pYd-uGe");
    Ok(())
}
