//! The help desk is asked to give and to rename access (A11): one ticket a request, with its own words.

use super::*;
use lapsed_core::step::RequestedChange;

fn change(change: RequestedChange) -> Step {
    let Step { action, case, person, connector, expect, due, .. } = step();
    let Action::RequestRevocation { account, request, facts } = action else {
        panic!("another step")
    };
    let action = Action::RequestChange { account, request, change, facts };
    Step::new(case, person, connector, action, expect, due, Rule::A11)
}

fn to_give() -> Step {
    change(RequestedChange::Grant { form: 41 })
}

fn to_rename() -> Step {
    change(RequestedChange::Rename { form: 42, from: UserId::new("mzdoej").unwrap() })
}

#[rstest]
#[case::giving(to_give(), "Give access to CIMOR to mzsmitj", &["lapsed form 41", "Central Office"])]
#[case::renaming(to_rename(), "Rename mzdoej to mzsmitj in CIMOR", &["lapsed form 42", "mzdoej"])]
#[tokio::test]
async fn a_change_is_one_ticket_with_its_own_words_and_no_name(
    #[case] step: Step,
    #[case] subject: &str,
    #[case] says: &[&str],
) {
    let (tracker, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    let steps = [step];
    for _ in 0..2 {
        let Ok(Outcome::Asked(receipt)) = desk.apply(&steps).await.remove(0) else {
            panic!("not asked")
        };
        assert_eq!(receipt.before["ticket"], ["1"]);
    }
    assert_eq!(tracker.count(), 1);
    let made = double.asked().into_iter().find(|asked| asked.method == "POST").unwrap().json();
    assert!(made["Subject"].as_str().unwrap().ends_with(subject), "{made}");
    let text = made["Content"].as_str().unwrap();
    for wanted in says.iter().chain(&["CIMOR", "mzsmitj"]) {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!made.to_string().contains("Smithcanary"), "{made}");

    assert!(matches!(desk.read_back(&steps).await.remove(0), Ok(Seen::NotYet(_))));
    tracker.set("rejected");
    let no = desk.read_back(&steps).await.remove(0);
    assert!(matches!(&no, Err(Fault::Refused(why)) if why.code.as_deref() == Some(ANSWERED_NO)));
    tracker.set("resolved");
    assert_eq!(desk.read_back(&steps).await.remove(0), Ok(Seen::AsWanted));
}

#[tokio::test]
async fn to_give_to_rename_and_to_end_are_three_tickets() {
    let (tracker, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    for result in desk.apply(&[to_give(), to_rename(), step()]).await {
        assert!(matches!(result, Ok(Outcome::Asked(_))), "{result:?}");
    }
    assert_eq!(tracker.count(), 3);
}

#[tokio::test]
async fn the_words_of_the_agency_are_used_and_what_is_in_them_becomes_no_syntax() {
    let (_, double) = tracker().await;
    let place = Place::new();
    let mut settings = place.settings(Preset::RequestTracker, &double.url);
    settings.rename_request = ChangeWords {
        subject: "{{ from }} -> {{ user_id }}".into(),
        text: "Form {{ form }}: {{ request }}".into(),
    };
    let desk = connect(&name(), &settings).unwrap();
    let mut step = to_rename();
    if let Action::RequestChange { request, .. } = &mut step.action {
        *request = "{{ 7 * 6 }}\", \"Queue\": \"Other".into();
    }
    desk.apply(&[step]).await.remove(0).unwrap();
    let made = double.asked().into_iter().find(|asked| asked.method == "POST").unwrap().json();
    assert!(made["Subject"].as_str().unwrap().ends_with("mzdoej -> mzsmitj"), "{made}");
    let text = made["Content"].as_str().unwrap();
    assert!(text.starts_with("Form 42: {{ 7 * 6 }}\", \"Queue\": \"Other"), "{text}");
    assert_eq!(made["Queue"], "General");
}
