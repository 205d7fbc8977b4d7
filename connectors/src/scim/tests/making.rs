//! Accounts that a server opens when it makes them.

use super::*;
use lapsed_core::facts::PersonName;
use lapsed_core::step::Blueprint;
use std::collections::VecDeque;

/// A server with at most one account, which it opens when it makes it.
#[derive(Default)]
struct State {
    /// Whether the account is there, and open.
    open: Option<bool>,
    /// What is answered to the next changes of the account in place of doing them.
    answers: VecDeque<Play>,
    /// What is answered to the making in place of doing it.
    refuses: Option<Play>,
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Play {
        let shown = |open: bool| user("7", "mzsmitj", json!(open));
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/ServiceProviderConfig") => config(true, false),
            ("GET", "/Users/7") => {
                self.open.map_or_else(gone, |open| Play::answer(200, shown(open)))
            }
            ("GET", _) => {
                let all: Vec<Value> = self.open.map(shown).into_iter().collect();
                listing(&all, all.len())
            }
            ("POST", _) => self.refuses.take().unwrap_or_else(|| {
                self.open = Some(true);
                Play::answer(201, shown(true))
            }),
            _ => self.answers.pop_front().unwrap_or_else(|| {
                self.open = Some(false);
                Play::answer(200, shown(false))
            }),
        }
    }
}

struct System {
    double: Double,
    state: Arc<Mutex<State>>,
}

impl System {
    async fn start(open: Option<bool>, answers: Vec<Play>) -> Self {
        let state = State { open, answers: answers.into(), refuses: None };
        let state = Arc::new(Mutex::new(state));
        let inner = Arc::clone(&state);
        let double = Double::start(move |asked| inner.lock().unwrap().answer(asked)).await;
        Self { double, state }
    }

    fn connect(&self) -> Scim {
        let mut settings = settings(&self.double.url);
        settings.create = true;
        connect(&settings).unwrap()
    }

    fn open(&self) -> Option<bool> {
        self.state.lock().unwrap().open
    }

    fn changes(&self) -> usize {
        self.double.asked().iter().filter(|asked| asked.method != "GET").count()
    }
}

fn create() -> Step {
    let user_id = UserId::new("mzsmitj").unwrap();
    let blueprint = Box::new(Blueprint {
        user_id: user_id.clone(),
        name: PersonName { last: "Smith".into(), first: "Joan".into(), preferred: None },
        display_name: "Joan Smith".into(),
        mail: None,
        employee_number: Some(EmployeeNumber::new("00123").unwrap()),
        kind: None,
        location: None,
        location_name: None,
        title: None,
        supervisor: None,
        home: None,
        uid_number: None,
        ends_on: None,
    });
    let mut step = revoke();
    let account = Target::to_be_made(&user_id);
    step.action = Action::CreateAccount { account, blueprint };
    step
}

#[rstest]
#[case::busy(Play::answer(503, ""), "unknown")]
#[case::not_allowed(Play::answer(403, ""), "unknown")]
#[case::no_such_thing(Play::answer(501, ""), "refused")]
#[case::failed_within(Play::answer(500, ""), "unknown")]
#[case::lost(Play::HangUp, "unknown")]
#[case::gone_for_the_moment(gone(), "changed")]
#[case::changed_meanwhile(Play::answer(412, ""), "changed")]
#[case::a_lie(Play::answer(200, "{}"), "changed")]
#[tokio::test]
async fn a_new_account_that_was_not_shut_at_first_is_shut_and_not_called_made_before(
    #[case] first: Play,
    #[case] expected: &str,
) {
    let system = System::start(None, vec![first]).await;
    let scim = system.connect();
    let result = apply(&scim, &create()).await;
    assert_eq!(word(&result), expected, "{result:?}");
    if expected != "changed" {
        assert_eq!(system.open(), Some(true));
        assert!(matches!(see(&scim, &create()).await, Ok(Seen::Otherwise(_))));
        let again = apply(&scim, &create()).await;
        assert_eq!(word(&again), "changed", "{again:?}");
    }
    assert_eq!(system.open(), Some(false));
    assert_eq!(see(&scim, &create()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&scim, &create()).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn a_server_that_never_shuts_what_it_made_is_found_out() {
    let lies = vec![Play::answer(200, "{}"); 20];
    let system = System::start(None, lies).await;
    let scim = system.connect();
    for _ in 0..2 {
        let result = apply(&scim, &create()).await;
        assert_eq!(word(&result), "unknown", "{result:?}");
        assert!(matches!(see(&scim, &create()).await, Ok(Seen::Otherwise(_))));
    }
}

#[tokio::test]
async fn a_daemon_shuts_what_one_before_it_made_and_could_not_shut_any_more() {
    let system = System::start(Some(true), Vec::new()).await;
    let scim = system.connect();
    scim.perhaps_begun(create().id);
    assert!(matches!(see(&scim, &create()).await, Ok(Seen::Otherwise(_))));
    let result = apply(&scim, &create()).await;
    assert_eq!(word(&result), "changed", "{result:?}");
    assert_eq!(system.open(), Some(false));
}

#[tokio::test]
async fn an_open_account_of_theirs_that_was_there_before_stays_open() {
    let system = System::start(Some(true), Vec::new()).await;
    let scim = system.connect();
    assert_eq!(apply(&scim, &create()).await, Ok(Outcome::AlreadySo));
    assert_eq!(see(&scim, &create()).await, Ok(Seen::AsWanted));
    assert_eq!(system.changes(), 0);
}

#[rstest]
#[case::busy(Play::answer(503, ""), "retry")]
#[case::taken(Play::answer(409, ""), "refused")]
#[tokio::test]
async fn an_account_that_others_made_and_opened_after_a_refused_making_stays_open(
    #[case] refusal: Play,
    #[case] expected: &str,
) {
    let system = System::start(None, Vec::new()).await;
    system.state.lock().unwrap().refuses = Some(refusal);
    let scim = system.connect();
    let result = apply(&scim, &create()).await;
    assert_eq!(word(&result), expected, "{result:?}");
    system.state.lock().unwrap().open = Some(true);
    assert_eq!(apply(&scim, &create()).await, Ok(Outcome::AlreadySo));
    assert_eq!(system.open(), Some(true));
}

#[rstest]
#[case::by_this_daemon(false)]
#[case::by_another(true)]
#[tokio::test]
async fn a_late_look_at_an_account_that_was_opened_since_finds_it_made(#[case] another: bool) {
    let failing = if another { vec![Play::answer(500, "")] } else { Vec::new() };
    let system = System::start(None, failing).await;
    let scim = system.connect();
    let mut result = apply(&scim, &create()).await;
    if another {
        assert_eq!(word(&result), "unknown", "{result:?}");
        let other = system.connect();
        other.perhaps_begun(create().id);
        result = apply(&other, &create()).await;
    }
    let Ok(Outcome::Changed(receipt)) = result else { panic!("{result:?}") };
    system.state.lock().unwrap().open = Some(true); // access was given
    scim.remind(create().id, &receipt);
    assert_eq!(see(&scim, &create()).await, Ok(Seen::AsWanted));
}
