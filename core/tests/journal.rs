//! The journal's transitions as one table: what may follow what, and that nothing else may.

use jiff::Timestamp;
use lapsed_core::journal::{StepEvent, StepState, transition};
use lapsed_core::step::{Cause, Found, Receipt};
use proptest::prelude::*;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn cause() -> Cause {
    Cause::new("a cause")
}

fn found() -> Found {
    Found { description: "something else".into() }
}

fn states() -> Vec<StepState> {
    vec![
        StepState::Planned,
        StepState::Started { at: AT },
        StepState::Waiting { until: AT, cause: cause(), perhaps_begun: false },
        StepState::Unknown { cause: cause(), until: None },
        StepState::Asked { receipt: Receipt::default(), at: AT },
        StepState::Done { receipt: None },
        StepState::Verified { receipt: None, at: AT },
        StepState::Unverified { receipt: None, cause: cause() },
        StepState::Drifted { found: found() },
        StepState::Refused { cause: cause() },
        StepState::Cancelled { reason: "off".into() },
    ]
}

fn events() -> Vec<StepEvent> {
    vec![
        StepEvent::Start(AT),
        StepEvent::Changed(Receipt::default()),
        StepEvent::AlreadySo,
        StepEvent::Asked(Receipt::default(), AT),
        StepEvent::Drifted(found()),
        StepEvent::RetryAt(AT, cause()),
        StepEvent::Refused(cause()),
        StepEvent::ReplyLost(cause()),
        StepEvent::SeenAsWanted(AT),
        StepEvent::NotSeen(cause()),
        StepEvent::Cancel("off".into()),
        StepEvent::Reopen,
        StepEvent::NeverBegun(AT, cause()),
        StepEvent::StillUnknown(AT, cause()),
    ]
}

/// Rows are states, columns events; `-` is refused.
const TABLE: &str = "
planned    started -    -    -     -       waiting -       -       -        -          cancelled -       -       -
started    started done done asked drifted waiting refused unknown -        -          -         -       -       -
waiting    started -    -    -     -       waiting -       -       -        -          cancelled -       -       -
unknown    -       done done asked drifted waiting refused -       -        -          -         -       waiting unknown
asked      -       -    -    asked -       -       refused -       verified -          cancelled -       -       -
done       -       -    -    -     -       -       -       -       verified unverified -         -       -       -
verified   -       -    -    -     -       -       -       -       verified unverified -         planned -       -
unverified -       -    -    -     -       -       -       -       verified unverified -         planned -       -
drifted    -       -    -    -     -       -       -       -       verified -          -         planned -       -
refused    -       -    -    -     -       -       -       -       verified -          -         planned -       -
cancelled  -       -    -    -     -       -       -       -       -        -          -         planned -       -
";

#[test]
fn every_state_and_event_go_as_the_table_says() {
    let mut rows = String::from("\n");
    for state in states() {
        let cells: Vec<&str> = events()
            .into_iter()
            .map(|event| transition(&state, event).map_or("-", |next| next.name()))
            .collect();
        rows += &format!("{} {}\n", state.name(), cells.join(" "));
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&rows), words(TABLE));
}

#[test]
fn what_had_no_answer_is_marked_until_it_is_known_that_it_never_began() {
    let unknown = StepState::Unknown { cause: cause(), until: None };
    let waiting = transition(&unknown, StepEvent::RetryAt(AT, cause())).unwrap();
    assert!(waiting.is_perhaps_begun());
    assert!(transition(&waiting, StepEvent::RetryAt(AT, cause())).unwrap().is_perhaps_begun());
    let never = transition(&unknown, StepEvent::NeverBegun(AT, cause())).unwrap();
    assert!(!never.is_perhaps_begun());
}

#[test]
fn nothing_is_done_that_was_not_started() {
    for state in states() {
        for event in [StepEvent::Changed(Receipt::default()), StepEvent::AlreadySo] {
            if transition(&state, event).is_ok() {
                assert!(matches!(state, StepState::Started { .. } | StepState::Unknown { .. }));
            }
        }
    }
}

proptest! {
    /// Whatever comes in whatever order: a target is never touched unstarted, and a step that somebody
    /// cancelled goes on only when it is opened anew.
    #[test]
    fn no_history_skips_the_start_or_revives_what_was_cancelled(
        history in proptest::collection::vec(proptest::sample::select(events()), 0..40),
    ) {
        let mut state = StepState::Planned;
        let mut started = false;
        for event in history {
            let Ok(next) = transition(&state, event.clone()) else { continue };
            match event {
                StepEvent::Start(_) => started = true,
                StepEvent::Reopen => started = false,
                _ => {}
            }
            let touched = matches!(
                next,
                StepState::Done { .. } | StepState::Asked { .. } | StepState::Unverified { .. }
            );
            prop_assert!(started || !touched, "{} without a start", next.name());
            if matches!(state, StepState::Cancelled { .. }) {
                prop_assert!(matches!(next, StepState::Planned), "cancelled became {}", next.name());
            }
            state = next;
        }
    }
}
