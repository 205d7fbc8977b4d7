use super::*;
use crate::config::Feed;
use crate::store::Store;
use crate::targets::Eyes;
use lapsed_core::access::person::take_back;
use lapsed_core::standing::{Standing, standing};
use std::path::Path;
use std::sync::Arc;

/// A daemon whose only feed gives undated notices, about somebody whom HR lists.
async fn noticing() -> (Cycle, PersonId) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.example.yaml");
    let (mut config, _) = crate::config::load(&example).unwrap();
    let spec = json!({
        "format": "json_lines", "mode": "notices",
        "columns": { "user_id": { "from": "who" }, "status": { "from": { "constant": "departed" } } },
    });
    let spec = serde_json::from_value(spec).unwrap();
    let files = serde_json::from_value(json!("gone*.jsonl")).unwrap();
    config.feeds.insert(feed(), Feed { files, spec });
    let store = Store::empty_scratch().await.unwrap();
    let cycle = Cycle { store, config: Arc::new(config), eyes: Eyes([].into()) };
    let engagement = json!({
        "source": "hr", "record": "", "ordinal": 0, "status": "active", "user_id": "mzdoej",
    });
    let mut person = Person::new(PersonId(Uuid::from_u128(7)));
    person.engagements = vec![serde_json::from_value(engagement).unwrap()];
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&person).await.unwrap();
    tx.commit().await.unwrap();
    (cycle, person.id)
}

fn feed() -> SourceName {
    SourceName::new("managers").unwrap()
}

/// Takes a file of these rows on a day of November, and says whether the person has left.
async fn left(cycle: &Cycle, person: PersonId, day: u8, rows: &[&str]) -> bool {
    let now: Timestamp = format!("2026-11-{day:02}T12:00:00Z").parse().unwrap();
    let bytes: String = rows.iter().map(|who| format!("{{\"who\":\"{who}\"}}\n")).collect();
    let feed = feed();
    let drop = Drop { feed: &feed, file_name: "gone.jsonl", bytes: bytes.as_bytes(), done: None };
    let taking = cycle.take_drop(drop, now).await.unwrap();
    assert!(matches!(taking, Taking::Taken(_)), "{taking:?}");
    let person = cycle.store.read().person(person).await.unwrap().unwrap();
    matches!(standing(&person, now, &cycle.config.time_zone), Standing::Left(_))
}

#[tokio::test]
async fn a_row_of_notices_is_news_again_once_a_file_has_left_it_out() {
    let (cycle, id) = noticing().await;
    assert!(left(&cycle, id, 2, &["mzdoej"]).await);
    let mut person = cycle.store.read().person(id).await.unwrap().unwrap();
    assert!(take_back(&mut person, "2026-11-03T12:00:00Z".parse().unwrap()));
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&person).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!left(&cycle, id, 4, &["mzdoej", "other"]).await, "the row of before");
    assert!(!left(&cycle, id, 5, &["other"]).await);
    assert!(left(&cycle, id, 6, &["mzdoej"]).await, "a departure of its own");
}

/// A plan that was rejected comes back by the same row (`ask_again`).
#[tokio::test]
async fn what_a_feed_without_numbers_said_of_somebody_is_among_their_keys() {
    let (cycle, id) = noticing().await;
    let mut person = cycle.store.read().person(id).await.unwrap().unwrap();
    person.engagements[0].employee_number = lapsed_core::facts::EmployeeNumber::new("00123").ok();
    person.engagements[0].record = "0".into();
    let tx = cycle.store.begin().await.unwrap();
    tx.save_person(&person).await.unwrap();
    tx.commit().await.unwrap();
    assert!(left(&cycle, id, 2, &["mzdoej"]).await);
    let said = async || {
        let mut said = Vec::new();
        let read = cycle.store.read();
        read.each_statement_digest(&feed(), |_, digest| said.push(digest)).await.unwrap();
        said
    };
    assert!(said().await.iter().all(|digest| !digest.is_empty()));
    let tx = cycle.store.begin().await.unwrap();
    tx.hear_again(&feed(), &statement_keys(&person)).await.unwrap();
    tx.commit().await.unwrap();
    // It is news, and the feed is known to have said it before.
    assert_eq!(said().await, [""]);
}
