//! What of the settings can't be: every template is tried, every expression compiled.

use super::expression;
use super::request;
use super::settings::{AccountShape, Look, Operation, RestSettings, Search, SearchBy};
use super::template::{Facts, Place, render};
use crate::http;
use crate::settings::SettingsProblem;

/// What the request of an operation may name beside the keys.
fn examples_of(key: &str) -> [Facts; 2] {
    const HOSTILE: &str = "4\"\\2<&'";
    let both = |name: &'static str, [one, other]: [Facts; 2]| {
        [one.with(name, "plain"), other.with(name, HOSTILE)]
    };
    let named = |facts: [Facts; 2]| NAMES.into_iter().fold(facts, |facts, name| both(name, facts));
    match key {
        "create" => {
            let facts = named(examples()).map(|facts| facts.without("id"));
            ["kind", "title", "supervisor", "ends_on"]
                .into_iter()
                .fold(facts, |f, name| both(name, f))
        }
        "rename" => both("old_user_id", named(examples()))
            .map(|facts| facts.with_list("aliases", &["a@dmh.test", HOSTILE])),
        "grant" => examples().map(|facts| facts.with_list("roles", &["clerk", HOSTILE])),
        "give_role" | "take_role" => both("role", examples()),
        _ => examples(),
    }
}

/// What is known of a person by name and place.
const NAMES: [&str; 7] =
    ["first", "last", "preferred", "display_name", "mail", "location", "location_name"];

/// What is known of two people who differ in everything, the second with all that could be syntax.
fn examples() -> [Facts; 2] {
    let plain = [
        ("id", "41"),
        ("user_id", "mzsmitj"),
        ("employee_number", "00123"),
        ("case", "c-41"),
        ("step", "s-41"),
    ];
    let hostile = [
        ("id", "4\"\\2"),
        ("user_id", "o'brien\"<&\\"),
        ("employee_number", "9\"9\\"),
        ("case", "c-42"),
        ("step", "s-42"),
    ];
    [Facts::of(plain), Facts::of(hostile)]
}

struct Found(Vec<SettingsProblem>);

impl RestSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Found(http::problems(&self.url, &self.login, &self.timeouts));
        if self.window == 0 {
            found.wrong("window", "is 0; write at least 1");
        }
        for (index, search) in self.find.iter().enumerate() {
            found.search(&format!("find[{index}]"), search, self.account.as_ref());
        }
        if let Some(shape) = &self.account {
            found.shape(shape);
        }
        if let Some(look) = &self.look {
            found.look(look);
        }
        for (key, operation) in self.operations() {
            found.operation(key, operation);
        }
        self.what_is_missing(&mut found);
        found.0
    }

    fn operations(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        let all = [
            ("revoke", &self.revoke),
            ("delete", &self.delete),
            ("disable_mailbox", &self.disable_mailbox),
            ("delete_mailbox", &self.delete_mailbox),
            ("create", &self.create),
            ("grant", &self.grant),
            ("give_role", &self.give_role),
            ("take_role", &self.take_role),
            ("rename", &self.rename),
        ];
        all.into_iter().filter_map(|(key, operation)| Some((key, operation.as_ref()?)))
    }

    fn what_is_missing(&self, found: &mut Found) {
        if self.operations().next().is_none() {
            found.wrong(
                "url",
                "leads to a system of which nothing is asked; write revoke, delete, disable_mailbox, delete_mailbox, create, grant or rename",
            );
        }
        let accounts =
            self.operations().any(|(key, _)| !matches!(key, "disable_mailbox" | "delete_mailbox"));
        let wanted = [
            ("find", self.find.is_empty()),
            ("account", self.account.is_none()),
            ("look", self.look.is_none()),
        ];
        for (key, missing) in wanted {
            if accounts && missing {
                found.wrong(
                    key,
                    "is missing; all that concerns accounts needs find, account and look",
                );
            }
        }
        let gives = [&self.create, &self.grant, &self.rename].into_iter().any(Option::is_some);
        let by_name = self.find.iter().any(|search| search.by == SearchBy::UserId);
        if gives && !self.find.is_empty() && !by_name {
            found.wrong(
                "find",
                "has no search by user_id; create, grant and rename look whether a name is there already",
            );
        }
        let shape = self.account.as_ref();
        let shows_roles = shape.is_some_and(|shape| shape.roles.is_some());
        for (key, one) in [("give_role", &self.give_role), ("take_role", &self.take_role)] {
            if one.is_some() && self.grant.is_none() {
                found.wrong(key, "comes before grant, which opens the account; write grant");
            }
            if one.is_some() && shape.is_some() && !shows_roles {
                found.wrong(key, "needs account.roles, so that it is known which roles are there");
            }
        }
    }
}

impl Found {
    fn wrong(&mut self, key: impl Into<String>, problem: impl Into<String>) {
        self.0.push(SettingsProblem::new(key.into(), problem));
    }

    fn search(&mut self, key: &str, search: &Search, shape: Option<&AccountShape>) {
        let (name, values) = match search.by {
            SearchBy::UserId => ("user_id", ["mzsmitj", "o'brien\"<&\\"]),
            SearchBy::EmployeeNumber => ("employee_number", ["00123", "9\"9\\"]),
        };
        let facts = values.map(|value| Facts::of([(name, value)]));
        self.path(&format!("{key}.path"), &search.path, &facts);
        self.expression(&format!("{key}.accounts"), &search.accounts, false);
        if let Some(none) = &search.none {
            self.expression(&format!("{key}.none"), none, false);
        }
        let number = shape.is_some_and(|shape| shape.employee_number.is_some());
        if search.by == SearchBy::EmployeeNumber && !number {
            self.wrong(
                format!("{key}.by"),
                "can't be trusted without account.employee_number; say where the number is in an account",
            );
        }
    }

    fn shape(&mut self, shape: &AccountShape) {
        let always = [("id", &shape.id), ("user_id", &shape.user_id), ("enabled", &shape.enabled)];
        let perhaps = [
            ("last_name", &shape.last_name),
            ("first_name", &shape.first_name),
            ("employee_number", &shape.employee_number),
            ("display_name", &shape.display_name),
            ("mail", &shape.mail),
            ("roles", &shape.roles),
            ("last_used", &shape.last_used),
        ];
        let perhaps = perhaps.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?)));
        for (key, text) in always.into_iter().chain(perhaps) {
            self.expression(&format!("account.{key}"), text, true);
        }
    }

    fn look(&mut self, look: &Look) {
        let facts = ["41", "4\"\\2"].map(|id| Facts::of([("id", id)]));
        self.path("look.path", &look.path, &facts);
        self.expression("look.account", &look.account, false);
        self.expression("look.gone", &look.gone, false);
        if look.gone.replace(' ', "") == "status==404" {
            self.wrong(
                "look.gone",
                "would take a wrong address for accounts that are gone; add what the body says then",
            );
        }
    }

    fn operation(&mut self, key: &str, operation: &Operation) {
        self.expression(&format!("{key}.success"), &operation.success, false);
        if let Some(already) = &operation.already {
            self.expression(&format!("{key}.already"), already, false);
        }
        if let Some(read_back) = &operation.read_back {
            let facts = examples_of(key);
            self.path(&format!("{key}.read_back.path"), &read_back.path, &facts);
            self.expression(&format!("{key}.read_back.done"), &read_back.done, false);
        }
        let tried = examples_of(key).map(|facts| request::of_operation(operation, &facts));
        match tried {
            [Err(error), _] | [_, Err(error)] => {
                self.wrong(format!("{key}.{}", error.key), error.problem);
            }
            // The step's and the case's ids alone name nobody whom the system knows.
            [Ok(one), Ok(other)] if one.means == other.means => self.wrong(
                format!("{key}.path"),
                "is the same request for everyone; name {{ id }} or {{ user_id }} in path or body",
            ),
            _ => {}
        }
    }

    fn path(&mut self, key: &str, path: &str, facts: &[Facts; 2]) {
        if !path.starts_with('/') {
            return self.wrong(key, "must begin with /");
        }
        match [render(Place::Path, path, &facts[0]), render(Place::Path, path, &facts[1])] {
            [Err(error), _] | [_, Err(error)] => {
                self.wrong(key, format!("is no template that can be carried out: {error}"));
            }
            [Ok(one), Ok(other)] if one == other => {
                self.wrong(
                    key,
                    "is the same for everyone; name the key in it: {{ id }}, {{ user_id }}",
                );
            }
            _ => {}
        }
    }

    fn expression(&mut self, key: &str, text: &str, account: bool) {
        if let Some(problem) = expression::problem(text, account) {
            self.wrong(key, problem);
        }
    }
}
