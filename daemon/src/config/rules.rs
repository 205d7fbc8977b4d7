//! What must hold between settings, and what is allowed but perhaps not meant.

use super::File;
use super::problem::{Problem, nearest};
use super::shape::{join, listed};
use super::tree::{Kind, Node, Part};
use lapsed_core::guard::Limit;

/// Judges the file as a whole: what is wrong, and what deserves a warning.
pub fn judge(file: &File, tree: &Node, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let mut judge = Judge { file, tree, problems, warnings };
    judge.secrets();
    judge.roles();
    judge.folders();
    judge.feeds();
    judge.locations();
    judge.policy_faults();
    judge.departure();
    judge.templates();
    judge.guard();
    judge.citations();
    judge.variables(tree, &mut Vec::new());
}

struct Judge<'a> {
    file: &'a File,
    tree: &'a Node,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<Problem>,
}

impl Judge<'_> {
    fn at(&self, path: &str, message: impl Into<String>, advice: impl Into<String>) -> Problem {
        let place = self.tree.place_of(&Part::path(path));
        Problem::new(place, path, message).advise(advice)
    }

    fn wrong(&mut self, path: &str, message: impl Into<String>, advice: impl Into<String>) {
        let problem = self.at(path, message, advice);
        self.problems.push(problem);
    }

    fn warn(&mut self, path: &str, message: impl Into<String>, advice: impl Into<String>) {
        let problem = self.at(path, message, advice);
        self.warnings.push(problem);
    }

    /// Names written below a section, also of entries that have mistakes in them.
    fn names(&self, section: &str) -> Vec<String> {
        match self.tree.entry(section).map(|entry| &entry.value.kind) {
            Some(Kind::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn secrets(&mut self) {
        let state = &self.file.state;
        if state.password_file.is_some() && state.password_credential.is_some() {
            let advice = "keep `password_file` or `password_credential`";
            self.wrong(
                "state.password_credential",
                "the password is said to be in two places",
                advice,
            );
        }
        let audit = &self.file.audit;
        if audit.signing_key_file.is_some() && audit.signing_key_credential.is_some() {
            let advice = "keep `signing_key_file` or `signing_key_credential`";
            self.wrong(
                "audit.signing_key_credential",
                "the key is said to be in two places",
                advice,
            );
        }
        if audit.signing_key().is_none() {
            let advice = "add `signing_key_file` or `signing_key_credential`, so that a checkpoint proves who made it";
            self.warn("audit", "no key is named, so checkpoints are not signed", advice);
        }
    }

    fn roles(&mut self) {
        let roles = self.file.control.roles.clone();
        let lists = [
            ("viewer", &roles.viewer),
            ("auditor", &roles.auditor),
            ("operator", &roles.operator),
            ("administrator", &roles.administrator),
        ];
        for (role, members) in lists {
            for (kind, names) in [("users", &members.users), ("groups", &members.groups)] {
                for (index, name) in names.iter().enumerate() {
                    if name.trim().is_empty() || name.chars().any(|c| c.is_whitespace() || c == ':')
                    {
                        let path = format!("control.roles.{role}.{kind}[{index}]");
                        self.wrong(
                            &path,
                            "this is no account name of this machine",
                            "write it as in /etc/passwd or /etc/group",
                        );
                    }
                }
            }
        }
        let nobody = |m: &super::Members| m.users.is_empty() && m.groups.is_empty();
        if nobody(&roles.operator) && nobody(&roles.administrator) {
            let advice =
                "add users or groups under `operator`; until then a held plan can't be released";
            self.warn("control.roles", "nobody is an operator", advice);
        }
    }

    fn folders(&mut self) {
        let inbox = &self.file.inbox;
        let same = [
            ("inbox.accepted", inbox.accepted == inbox.folder),
            ("inbox.rejected", inbox.rejected == inbox.folder || inbox.rejected == inbox.accepted),
        ];
        for (path, same) in same {
            if same {
                let advice = "give each of `folder`, `accepted` and `rejected` its own";
                self.wrong(path, "this folder has another task already", advice);
            }
        }
    }

    fn feeds(&mut self) {
        let file = self.file;
        if file.feeds.is_empty() && self.names("feeds").is_empty() {
            self.warn(
                "feeds",
                "no feed is set up, so that only operators can tell of departures",
                "add a feed",
            );
        }
        if file.connectors.is_empty() && self.names("connectors").is_empty() {
            self.warn(
                "connectors",
                "no connector is set up, so that nothing will be changed anywhere",
                "add a directory",
            );
        }
        let feeds: Vec<_> = file.feeds.iter().collect();
        for (index, (name, feed)) in feeds.iter().enumerate() {
            for (earlier, other) in feeds.iter().take(index) {
                if feed.files.overlaps(&other.files) {
                    let message =
                        format!("a file could fit this and `{}` of feed `{earlier}`", other.files);
                    self.wrong(
                        &format!("feeds.{name}.files"),
                        message,
                        "make the patterns differ in their fixed letters",
                    );
                }
            }
        }
        for name in file.schedule.late_feed.keys() {
            self.refer(&format!("schedule.late_feed.{name}"), name.as_str(), "feeds", "feed");
        }
    }

    /// A name that must be one of those below a section.
    fn refer(&mut self, path: &str, name: &str, section: &str, what: &str) {
        let names = self.names(section);
        if names.iter().any(|known| known == name) {
            return;
        }
        let advice = match nearest(name, names.iter().map(String::as_str)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!(
                "under `{section}` there are {}",
                listed(&names.iter().map(String::as_str).collect::<Vec<_>>())
            ),
        };
        self.wrong(path, format!("there is no {what} `{name}`"), advice);
    }

    fn locations(&mut self) {
        let file = self.file;
        if file.locations.is_empty() && self.names("locations").is_empty() {
            self.wrong("locations", "no location is given", "list the places of work, such as `z: { name: Central Office, class: central_office }`");
        }
        let mut seen: Vec<(String, &str)> = Vec::new();
        for id in file.locations.keys() {
            let folded = id.folded();
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == folded) {
                let message =
                    format!("`{id}` and `{first}` are one location, since user IDs ignore case");
                self.wrong(&join("locations", id.as_str()), message, "keep one of them");
            }
            seen.push((folded, id.as_str()));
        }
    }

    /// What the policy's own rule sets find. What is wrong only with a default, since the rest of the
    /// file is another agency's, is a warning: the default may never be needed.
    fn policy_faults(&mut self) {
        for fault in self.file.naming.faults(&self.file.locations) {
            let (message, advice) = fault.problem.split_once("; ").unwrap_or((&fault.problem, ""));
            if self.tree.follow(&Part::path(&fault.key)).is_some() {
                self.wrong(&fault.key, message, advice);
            } else {
                let advice = "the setting is a default; write your own, or what it refers to";
                let problem = Problem::of_file(format!("{}: {message}", fault.key), advice);
                self.warnings.push(problem);
            }
        }
    }

    fn departure(&mut self) {
        let rules = &self.file.departure;
        let mailbox = rules.mailbox.as_ref().map(|rule| ("mailbox", rule.connector.clone()));
        let home = rules.home.as_ref().map(|rule| ("home", rule.connector.clone()));
        let connectors = self.names("connectors");
        for (kind, connector) in mailbox.into_iter().chain(home) {
            let path = format!("departure.{kind}.connector");
            if !connectors.iter().any(|name| name == connector.as_str()) {
                let message = format!(
                    "no connector `{connector}` is set up: the deletions get their dates and wait"
                );
                self.warn(
                    &path,
                    message,
                    "set it up under `connectors` before the first date comes",
                );
            }
        }
        for (index, days) in self.file.departure.recheck_days.iter().enumerate() {
            if *days == 0 {
                let path = format!("departure.recheck_days[{index}]");
                self.wrong(
                    &path,
                    "0 days after is the read-back that is made anyway",
                    "write days from 1 up",
                );
            }
        }
    }

    fn templates(&mut self) {
        let departure = self.file.departure.clone();
        self.template("departure.stamp", &departure.stamp, &["date", "case", "user_id"]);
        for (index, text) in departure.linked_accounts.iter().enumerate() {
            let path = format!("departure.linked_accounts[{index}]");
            let sound = self.template(&path, text, &["user_id"]);
            if sound && !text.contains("user_id") {
                let advice = "write it with `{{ user_id }}`, such as \"adm-{{ user_id }}\"";
                self.wrong(&path, "this is the same account for everyone who leaves", advice);
            }
        }
    }

    /// True when the template compiles and knows all its variables.
    fn template(&mut self, path: &str, text: &str, known: &[&str]) -> bool {
        let environment = minijinja::Environment::new();
        let template = match environment.template_from_str(text) {
            Ok(template) => template,
            Err(error) => {
                let why = error.detail().unwrap_or("it does not compile").to_owned();
                let advice =
                    format!("write it as \"text {{{{ {} }}}}\"", known.first().unwrap_or(&"name"));
                self.wrong(path, format!("this is no minijinja template: {why}"), advice);
                return false;
            }
        };
        let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        unknown.retain(|name| !known.contains(&name.as_str()));
        unknown.sort();
        for name in &unknown {
            let advice = format!("known here: {}", listed(known));
            self.wrong(
                path,
                format!("the template asks for `{name}`, which is not known here"),
                advice,
            );
        }
        unknown.is_empty()
    }

    fn guard(&mut self) {
        let guard = self.file.guard.clone();
        for (kind, limit) in [("departures", &guard.departures), ("deletions", &guard.deletions)] {
            self.limit(&join("guard", kind), limit);
        }
        if guard.release_expires_hours == 0 {
            self.wrong(
                "guard.release_expires_hours",
                "a release would expire at once",
                "write at least 1",
            );
        }
    }

    fn limit(&mut self, path: &str, limit: &Limit) {
        let percents =
            [("per_run_percent", limit.per_run_percent), ("window_percent", limit.window_percent)];
        for (key, percent) in percents {
            if !(0.0..=100.0).contains(&percent) {
                self.wrong(
                    &join(path, key),
                    format!("{percent} is no percentage"),
                    "write a number from 0 to 100",
                );
            }
        }
        for (key, number) in [("per_run", limit.per_run), ("window_days", limit.window_days)] {
            if number == 0 {
                self.wrong(
                    &join(path, key),
                    "with 0 every departure would be held",
                    "write at least 1",
                );
            }
        }
    }

    fn citations(&mut self) {
        for (rule, clause) in &self.file.citations.0 {
            if clause.trim().is_empty() {
                let path = join("citations", &rule.to_string());
                self.wrong(
                    &path,
                    "the clause is empty",
                    "write your own clause, or remove the line to have the built-in one",
                );
            }
        }
    }

    /// Values with `${NAME}` in them: nothing is expanded, which other programs' users may expect.
    fn variables(&mut self, node: &Node, path: &mut Vec<Part>) {
        match &node.kind {
            Kind::Scalar { text, .. } => {
                if text.contains("${") {
                    let problem = Problem::new(
                        node.place,
                        Part::dotted(path),
                        "`${…}` stays as it is: the environment is not read",
                    )
                    .advise("write the value itself; for secrets name a file or a credential");
                    self.warnings.push(problem);
                }
            }
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(Part::Index(index));
                    self.variables(item, path);
                    path.pop();
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    path.push(Part::Key(entry.key.clone()));
                    self.variables(&entry.value, path);
                    path.pop();
                }
            }
        }
    }
}
