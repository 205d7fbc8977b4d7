//! A system with an API that keeps what it is told, takes only what its API has, and can lose a reply.

use crate::http::double::{Asked, Double, Play};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// One account of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: usize,
    pub(super) login: String,
    pub(super) open: bool,
    pub(super) badge: String,
    pub(super) last: String,
    pub(super) roles: Vec<String>,
    /// Said in place of what the system says of it otherwise.
    pub(super) odd: Vec<(&'static str, Value)>,
}

/// What the system does with the next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Honest,
    /// Does it, and ends the connection without a word.
    LosesReply,
    /// Says that it was done.
    Lies,
    /// Makes accounts open.
    OpensWhatItMakes,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) users: Vec<User>,
    pub(super) mood: Mood,
    /// What is answered to the next requests to shut an account, in place of doing it.
    pub(super) unshut: Vec<Play>,
}

/// The system, for as long as its test runs.
pub(super) struct System {
    pub(super) double: Double,
    pub(super) state: Arc<Mutex<State>>,
}

impl System {
    pub(super) async fn start() -> Self {
        let state = State { users: Vec::new(), mood: Mood::Honest, unshut: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let inner = Arc::clone(&state);
        let double = Double::start(move |asked| inner.lock().unwrap().answer(asked)).await;
        Self { double, state }
    }

    pub(super) fn set(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub(super) fn users(&self) -> Vec<User> {
        self.state.lock().unwrap().users.clone()
    }

    pub(super) fn add(&self, login: &str, badge: &str, last: &str) {
        let mut state = self.state.lock().unwrap();
        let id = state.users.len() + 7;
        let (login, badge, last) = (login.to_owned(), badge.to_owned(), last.to_owned());
        state.users.push(User {
            id,
            login,
            open: false,
            badge,
            last,
            roles: Vec::new(),
            odd: Vec::new(),
        });
    }

    /// Has the system say something odd of the account that was added last.
    pub(super) fn odd(&self, key: &'static str, value: Value) {
        self.state.lock().unwrap().users.last_mut().unwrap().odd.push((key, value));
    }

    /// Has the next requests to shut an account answered so.
    pub(super) fn leaves_open(&self, answers: Vec<Play>) {
        let mut state = self.state.lock().unwrap();
        (state.mood, state.unshut) = (Mood::OpensWhatItMakes, answers);
    }

    pub(super) fn open_it(&self) {
        self.state.lock().unwrap().users[0].open = true;
    }

    /// Requests that change something, as `METHOD path`.
    pub(super) fn changes(&self) -> Vec<String> {
        self.double.lines().into_iter().filter(|line| !line.starts_with("GET")).collect()
    }
}

fn none() -> Play {
    Play::answer(404, json!({ "code": "none" }))
}

impl User {
    fn json(&self) -> Value {
        let mut json = json!({
            "id": self.id,
            "login": self.login,
            "state": if self.open { "active" } else { "locked" },
            "badge": self.badge,
            "name": { "last": self.last },
            "roles": self.roles,
        });
        for (key, value) in &self.odd {
            json[*key] = value.clone();
        }
        json
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Play {
        if asked.method == "GET" {
            return self.look(asked);
        }
        let (before, mood) = (self.users.clone(), self.mood);
        let play = self.change(asked);
        match mood {
            Mood::Honest | Mood::OpensWhatItMakes => play,
            Mood::LosesReply => {
                self.mood = Mood::Honest;
                Play::HangUp
            }
            Mood::Lies => {
                self.users = before;
                play
            }
        }
    }

    fn look(&self, asked: &Asked) -> Play {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        if path == "/users" {
            let login = query.strip_prefix("login=").unwrap().to_lowercase();
            let found = self.users.iter().filter(|user| user.login.to_lowercase() == login);
            let found: Vec<Value> = found.map(User::json).collect();
            return Play::answer(200, json!({ "users": found }));
        }
        let found = self.users.iter().find(|user| {
            path == format!("/users/{}", user.id) || path == format!("/badges/{}", user.badge)
        });
        found.map_or_else(none, |user| Play::answer(200, user.json()))
    }

    fn change(&mut self, asked: &Asked) -> Play {
        let done = || Play::answer(200, json!({ "ok": true }));
        let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
        if (asked.method.as_str(), parts.as_slice()) == ("POST", &["users"]) {
            return self.make(&asked.json());
        }
        let ["users", id, rest @ ..] = parts.as_slice() else { return none() };
        if *rest == ["lock"]
            && let Some(play) = self.unshut.pop()
        {
            return play;
        }
        let id = id.parse().unwrap_or(0);
        let Some(user) = self.users.iter_mut().find(|user| user.id == id) else { return none() };
        match (asked.method.as_str(), rest) {
            ("POST", ["lock"]) => user.open = false,
            ("POST", ["access"]) => {
                user.open = true;
                if let Some(roles) = asked.json()["roles"].as_array() {
                    let text = |role: &Value| role.as_str().unwrap().to_owned();
                    user.roles = roles.iter().map(text).collect();
                }
            }
            ("PUT", ["roles", role]) => user.roles.push((*role).to_owned()),
            ("DELETE", ["roles", role]) => user.roles.retain(|own| own != role),
            ("PATCH", []) => {
                let body = asked.json();
                user.login = body["login"].as_str().unwrap().to_owned();
                user.last = body["last"].as_str().unwrap().to_owned();
            }
            _ => return none(),
        }
        done()
    }

    fn make(&mut self, body: &Value) -> Play {
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        let login = text("login");
        if self.users.iter().any(|user| user.login == login) {
            return Play::answer(409, json!({ "code": "taken" }));
        }
        let (id, open) = (self.users.len() + 7, self.mood == Mood::OpensWhatItMakes);
        let (badge, last) = (text("badge"), text("last"));
        self.users.push(User { id, login, open, badge, last, roles: Vec::new(), odd: Vec::new() });
        Play::answer(201, json!({ "ok": true }))
    }
}
