//! Expressions over a reply (minijinja): whether it says yes, and what it says of accounts.

use crate::http::Reply;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use std::collections::BTreeMap;

/// Instructions that one expression may take.
const FUEL: u64 = 200_000;

/// What expressions may name: `status`, `body` where it is JSON, `text` where it is not, `headers` by
/// their names in lower case, and `account` where one is at hand.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    names: BTreeMap<&'static str, Value>,
}

impl Answer {
    pub(super) fn of(reply: &Reply) -> Self {
        let headers: BTreeMap<String, String> = reply
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut names = BTreeMap::from([
            ("status", Value::from(reply.status.as_u16())),
            ("headers", Value::from(Serde(&headers))),
        ]);
        match reply.json() {
            Ok(body) => names.insert("body", Value::from(Serde(&body))),
            Err(_) => {
                names.insert("text", Value::from(String::from_utf8_lossy(&reply.body).into_owned()))
            }
        };
        Self { names }
    }

    /// The same with one account of the reply at hand.
    pub(super) fn with_account(&self, account: Value) -> Self {
        let mut names = self.names.clone();
        names.insert("account", account);
        Self { names }
    }

    fn value(&self, expression: &str) -> Result<Value, Error> {
        let engine = engine();
        engine.compile_expression(expression)?.eval(&self.names)
    }

    /// Yes or no: nothing else counts as either.
    pub(super) fn truth(&self, expression: &str) -> Result<bool, Error> {
        let value = self.value(expression)?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            _ => Err(Error::new(ErrorKind::InvalidOperation, "gives neither true nor false")),
        }
    }

    /// A text or a number as text; none where nothing is said.
    pub(super) fn text(&self, expression: &str) -> Result<Option<String>, Error> {
        let value = self.value(expression)?;
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(None),
            ValueKind::String | ValueKind::Number => Ok(Some(value.to_string())),
            _ => Err(Error::new(ErrorKind::InvalidOperation, "gives neither text nor number")),
        }
    }

    /// A list of texts or numbers, as texts; empty where nothing is said.
    pub(super) fn texts(&self, expression: &str) -> Result<Vec<String>, Error> {
        let wrong = || Error::new(ErrorKind::InvalidOperation, "gives no list of texts");
        let value = self.value(expression)?;
        if matches!(value.kind(), ValueKind::Undefined | ValueKind::None) {
            return Ok(Vec::new());
        }
        if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            return Err(wrong());
        }
        let text = |one: Value| match one.kind() {
            ValueKind::String | ValueKind::Number => Ok(one.to_string()),
            _ => Err(wrong()),
        };
        value.try_iter()?.map(text).collect()
    }

    /// Every account of a list, or one account as a list of one.
    pub(super) fn accounts(&self, expression: &str) -> Result<Vec<Value>, Error> {
        let value = self.value(expression)?;
        match value.kind() {
            ValueKind::Seq => value.try_iter().map(Iterator::collect),
            ValueKind::Map => Ok(vec![value]),
            _ => Err(Error::new(ErrorKind::InvalidOperation, "gives no list of accounts")),
        }
    }
}

fn engine() -> Environment<'static> {
    lapsed_core::template::strict(FUEL)
}

/// What is wrong with an expression, and names in it that no reply has.
pub(super) fn problem(expression: &str, account: bool) -> Option<String> {
    let engine = engine();
    let compiled = match engine.compile_expression(expression) {
        Ok(compiled) => compiled,
        Err(error) => return Some(format!("is no expression: {error}")),
    };
    let known = |name: &String| {
        matches!(name.as_str(), "status" | "body" | "text" | "headers")
            || (account && name == "account")
            || engine.globals().any(|(global, _)| global == name)
    };
    let unknown = compiled.undeclared_variables(false).into_iter().find(|name| !known(name))?;
    let account = if account { ", account" } else { "" };
    Some(format!("names {unknown}; there are status, body, text, headers{account}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn reply(body: &str) -> Answer {
        Answer::of(&Reply {
            status: reqwest::StatusCode::OK,
            headers: [(reqwest::header::ETAG, "x1".parse().unwrap())].into_iter().collect(),
            body: body.as_bytes().to_vec(),
        })
    }

    #[rstest]
    #[case(r#"{"ok":true}"#, "body.ok", Some(true))]
    #[case(r#"{"ok":true}"#, "status == 200 and body.ok", Some(true))]
    #[case(r#"{"state":"locked"}"#, "body.state == 'active'", Some(false))]
    #[case(r#"{"ok":1}"#, "body.ok", None)]
    #[case(r#"{"ok":"true"}"#, "body.ok", None)]
    #[case("{}", "body.ok", None)]
    #[case("{}", "body.user.ok", None)]
    #[case("<html>", "body.ok", None)]
    #[case("done\n", "'done' in text", Some(true))]
    #[case("{}", "headers.etag == 'x1'", Some(true))]
    #[case("{}", "range(100000) | list | length == range(10000000) | list | length", None)]
    fn a_reply_says_yes_no_or_nothing(
        #[case] body: &str,
        #[case] expression: &str,
        #[case] expected: Option<bool>,
    ) {
        assert_eq!(reply(body).truth(expression).ok(), expected);
    }

    #[rstest]
    #[case(r#"{"items":[{"id":1},{"id":2}]}"#, "body['items']", Some(2))]
    #[case(r#"{"items":[]}"#, "body['items']", Some(0))]
    #[case(r#"{"id":1}"#, "body", Some(1))]
    #[case("[]", "body", Some(0))]
    #[case("{}", "body.users", None)]
    #[case(r#""text""#, "body", None)]
    fn a_list_of_accounts_is_one_or_an_error(
        #[case] body: &str,
        #[case] expression: &str,
        #[case] expected: Option<usize>,
    ) {
        assert_eq!(reply(body).accounts(expression).ok().map(|list| list.len()), expected);
    }

    #[rstest]
    #[case("status == 200", None)]
    #[case("account.id", None)]
    #[case("satus == 200", Some("satus"))]
    #[case("status ==", Some("no expression"))]
    fn a_mistake_is_found_before_it_matters(
        #[case] expression: &str,
        #[case] expected: Option<&str>,
    ) {
        let found = problem(expression, true);
        assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
}
