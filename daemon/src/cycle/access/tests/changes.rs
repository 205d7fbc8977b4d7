//! Looks between two nights: at those about whom something changed, and at everything where nobody can tell.

use super::mending::{night, watched};
use super::*;
use crate::cycle::access::changes::Marks;
use crate::store::FormFilter;
use lapsed_core::access::finding::FindingKind;

fn mark(server: &str) -> Option<Mark> {
    Some(Mark { server: server.into(), point: "1".into(), members: [].into() })
}

async fn open_findings(cycle: &Cycle) -> usize {
    cycle.store.read().open_access_findings().await.unwrap().len()
}

/// Three people in a group that no form gave; nothing is mended.
async fn three() -> (Cycle, Arc<Eye>) {
    let (mut cycle, eye) = watched(3).await;
    let mut config = (*cycle.config).clone();
    config.policy.access.audit.mend.clear();
    cycle.config = Arc::new(config);
    (cycle, eye)
}

#[tokio::test]
async fn everything_is_looked_at_once_and_then_those_who_changed_are() {
    let (cycle, eye) = three().await;
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    let mut marks = Marks::default();
    let first = cycle.audit_changes(&mut marks, night(1)).await.unwrap();
    assert_eq!((first.new, eye.count("begin"), eye.count("all")), (3, 1, 1));

    let quiet = cycle.audit_changes(&mut marks, night(2)).await.unwrap();
    assert_eq!((quiet.new, quiet.gone, eye.count("changed"), eye.count("all")), (0, 0, 1, 1));

    // One of the three is shut by others: what was found of them is gone, and of nobody else.
    let mut shut = eye.accounts[0].clone();
    shut.enabled = false;
    *eye.changes.lock().unwrap() = (mark("one"), vec![shut.clone()]);
    *eye.people.lock().unwrap() = Some(vec![shut]);
    let looked = cycle.audit_changes(&mut marks, night(3)).await.unwrap();
    assert_eq!((looked.new, looked.gone, eye.count("all")), (0, 1, 1));
    assert_eq!(open_findings(&cycle).await, 2);
    // The same told again changes nothing.
    let again = cycle.audit_changes(&mut marks, night(4)).await.unwrap();
    assert_eq!((again.new, again.gone), (0, 0));
}

#[tokio::test]
async fn where_another_copy_answers_everything_is_looked_at_again() {
    let (cycle, eye) = three().await;
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    let mut marks = Marks::default();
    cycle.audit_changes(&mut marks, night(1)).await.unwrap();
    *eye.changes.lock().unwrap() = (mark("other"), Vec::new());
    for _ in 0..2 {
        cycle.audit_changes(&mut marks, night(2)).await.unwrap();
    }
    assert_eq!((eye.count("begin"), eye.count("all")), (2, 2), "once for each copy");
}

#[tokio::test]
async fn where_thousands_changed_at_once_everything_is_looked_at_instead_of_each_of_them() {
    let (cycle, eye) = three().await;
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    let mut marks = Marks::default();
    cycle.audit_changes(&mut marks, night(1)).await.unwrap();
    *eye.changes.lock().unwrap() = (mark("one"), vec![eye.accounts[0].clone(); 2_001]);
    cycle.audit_changes(&mut marks, night(2)).await.unwrap();
    assert_eq!(eye.count("all"), 2, "one listing");
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    cycle.audit_changes(&mut marks, night(3)).await.unwrap();
    assert_eq!(eye.count("all"), 2, "once");
}

#[tokio::test]
async fn a_directory_that_cannot_tell_is_asked_once_and_left_to_the_night() {
    let (cycle, eye) = three().await;
    let mut marks = Marks::default();
    for _ in 0..3 {
        let looked = cycle.audit_changes(&mut marks, night(1)).await.unwrap();
        assert_eq!(looked.new, 0);
    }
    assert_eq!((eye.count("begin"), eye.count("changed"), eye.count("all")), (1, 0, 0));
}

#[tokio::test]
async fn accounts_of_nobody_are_left_to_the_night() {
    let (cycle, eye) = three().await;
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    let mut marks = Marks::default();
    cycle.audit_changes(&mut marks, night(1)).await.unwrap();
    let stranger = ObservedAccount {
        id: StableId::new("guid-stranger").unwrap(),
        user_id: UserId::new("stranger").unwrap(),
        ..eye.accounts[0].clone()
    };
    *eye.changes.lock().unwrap() = (mark("one"), vec![stranger]);
    let looked = cycle.audit_changes(&mut marks, night(2)).await.unwrap();
    assert_eq!((looked.new, looked.gone, open_findings(&cycle).await), (0, 0, 3));
}

#[tokio::test]
async fn what_could_not_be_read_after_all_is_looked_at_the_next_time() {
    let (cycle, eye) = three().await;
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    let mut marks = Marks::default();
    cycle.audit_changes(&mut marks, night(1)).await.unwrap();
    let mut shut = eye.accounts[0].clone();
    shut.enabled = false;
    let next = mark("one").map(|mark| Mark { point: "2".into(), ..mark });
    *eye.changes.lock().unwrap() = (next, vec![shut.clone()]);
    *eye.people.lock().unwrap() = Some(vec![shut]);
    eye.mute.store(true, Ordering::Relaxed);
    let before = format!("{marks:?}");
    let looked = cycle.audit_changes(&mut marks, night(2)).await.unwrap();
    assert_eq!((looked.gone, looked.unread.len()), (0, 1));
    assert_eq!(format!("{marks:?}"), before, "the mark stays");
    eye.mute.store(false, Ordering::Relaxed);
    assert_eq!(cycle.audit_changes(&mut marks, night(2)).await.unwrap().gone, 1);
    assert_ne!(format!("{marks:?}"), before);
}

#[tokio::test]
async fn what_is_judged_by_how_many_there_are_is_left_to_the_night() {
    let (mut cycle, eye) = three().await;
    *eye.changes.lock().unwrap() = (mark("one"), Vec::new());
    let mut marks = Marks::default();
    cycle.audit_changes(&mut marks, night(1)).await.unwrap();
    let mut config = (*cycle.config).clone();
    config.policy.access.audit.mend = [FindingKind::GroupAddedElsewhere].into();
    cycle.config = Arc::new(config);
    *eye.changes.lock().unwrap() = (mark("one"), eye.accounts.clone());
    let forms = async || {
        let filter = FormFilter::default();
        cycle.store.read().access_forms(&filter).await.unwrap().len()
    };
    cycle.audit_changes(&mut marks, night(2)).await.unwrap();
    assert_eq!(forms().await, 0, "nobody is taken out");
    cycle.audit_access(night(3)).await.unwrap();
    assert_eq!(forms().await, 3);
}
