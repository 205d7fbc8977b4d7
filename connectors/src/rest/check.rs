//! What of the settings can't be: every template is tried, every expression compiled.

use super::expression;
use super::request;
use super::settings::{AccountShape, Look, Operation, RestSettings, Search, SearchBy};
use super::template::{Facts, Place, render};
use crate::http;
use crate::settings::SettingsProblem;

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
        ];
        all.into_iter().filter_map(|(key, operation)| Some((key, operation.as_ref()?)))
    }

    fn what_is_missing(&self, found: &mut Found) {
        if self.operations().next().is_none() {
            found.wrong(
                "url",
                "leads to a system of which nothing is asked; write revoke, delete, disable_mailbox or delete_mailbox",
            );
        }
        let accounts = self.revoke.is_some() || self.delete.is_some();
        let wanted = [
            ("find", self.find.is_empty()),
            ("account", self.account.is_none()),
            ("look", self.look.is_none()),
        ];
        for (key, missing) in wanted {
            if accounts && missing {
                found.wrong(key, "is missing; revoke and delete need find, account and look");
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
            self.path(&format!("{key}.read_back.path"), &read_back.path, &examples());
            self.expression(&format!("{key}.read_back.done"), &read_back.done, false);
        }
        let tried = examples().map(|facts| request::of_operation(operation, &facts));
        match tried {
            [Err(error), _] | [_, Err(error)] => {
                self.wrong(format!("{key}.{}", error.key), error.problem);
            }
            // The step's and the case's ids alone name nobody whom the system knows.
            [Ok(one), Ok(other)] if one.means == other.means => self.wrong(
                format!("{key}.path"),
                "is the same request for everyone who leaves; name {{ id }} or {{ user_id }} in path or body",
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
