//! What must hold between settings, and what is allowed but perhaps not meant.

use super::problem::{Problem, nearest};
use super::shape::{join, listed};
use super::tree::{Kind, Node, Part};
use super::{ConnectorSettings, File};
use lapsed_connectors::command::CommandSettings;
use lapsed_connectors::home::HomeSettings;
use lapsed_connectors::mail::MailAddress;
use lapsed_connectors::settings::Ability;
use lapsed_core::facts::{ConnectorName, PersonKind, UserId};
use lapsed_core::guard::Limit;
use lapsed_core::intake::{self, FeedSpec};
use lapsed_core::policy::departure::linked_user_ids;

/// Judges the file as a whole: what is wrong, and what deserves a warning.
pub fn judge(file: &File, tree: &Node, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let told = problems.iter().map(|problem| problem.path.clone()).collect();
    let mut judge = Judge { file, tree, told, problems, warnings };
    judge.secrets();
    judge.roles();
    judge.folders();
    judge.feeds();
    judge.locations();
    judge.policy_faults();
    judge.mail();
    judge.connectors();
    judge.help_desk();
    judge.departure();
    judge.linked_accounts();
    judge.access_forms();
    judge.approvers();
    judge.access_times();
    judge.access_reports();
    judge.guard();
    judge.citations();
    judge.notices();
    judge.variables(tree, &mut Vec::new());
}

pub(super) struct Judge<'a> {
    pub(super) file: &'a File,
    tree: &'a Node,
    /// Paths of what is wrong already: what was taken away there must not look wrong a second time.
    told: Vec<String>,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<Problem>,
}

impl Judge<'_> {
    fn at(&self, path: &str, message: impl Into<String>, advice: impl Into<String>) -> Problem {
        let place = self.tree.place_of(&Part::path(path));
        Problem::new(place, path, message).advise(advice)
    }

    pub(super) fn wrong(
        &mut self,
        path: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        if self.was_told(path) {
            return;
        }
        let problem = self.at(path, message, advice);
        self.problems.push(problem);
    }

    /// True where something is wrong at the path already, or in the same list, whose items have then
    /// lost their numbers.
    fn was_told(&self, path: &str) -> bool {
        let list = path.split_once('[').map(|(list, _)| format!("{list}["));
        self.told.iter().any(|told| {
            told == path || list.as_ref().is_some_and(|list| told.starts_with(list.as_str()))
        })
    }

    /// True where something is wrong already in one of the sections.
    fn told_below(&self, sections: &[&str]) -> bool {
        let section = |told: &String| told.split('.').next().unwrap_or_default().to_owned();
        self.told.iter().map(section).any(|told| sections.contains(&told.as_str()))
    }

    pub(super) fn warn(
        &mut self,
        path: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
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
        let confirmations = inbox.confirmations.as_ref().map(|section| &section.folder);
        let forms = inbox.forms.as_ref().map(|section| &section.folder);
        let taken = [&inbox.folder, &inbox.accepted, &inbox.rejected];
        let of_confirmations = confirmations.is_some_and(|folder| taken.contains(&folder));
        let of_forms =
            forms.is_some_and(|folder| taken.contains(&folder) || confirmations == Some(folder));
        let more =
            [("inbox.confirmations.folder", of_confirmations), ("inbox.forms.folder", of_forms)];
        let same = same.into_iter().chain(more);
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
        for (name, feed) in &file.feeds {
            self.feed(name.as_str(), &feed.spec);
        }
        for name in file.schedule.late_feed.keys() {
            self.refer(&format!("schedule.late_feed.{name}"), name.as_str(), "feeds", "feed");
        }
    }

    fn feed(&mut self, name: &str, spec: &FeedSpec) {
        // Notices of these sources have an operator's or the daemon's own authority.
        if matches!(name, "operator" | "daemon") {
            self.wrong(&join("feeds", name), "this name is the product's own", "choose another");
        }
        for found in intake::problems(spec) {
            let (message, advice) = found.problem.split_once("; ").unwrap_or((&found.problem, ""));
            self.wrong(&format!("feeds.{name}.{}", found.at), message, advice);
        }
        let worksites = spec.columns.worksite.iter().flat_map(|column| &column.table);
        for (word, location) in worksites {
            let path = format!("feeds.{name}.columns.worksite.table.{word}");
            self.refer(&path, location.as_str(), "locations", "location");
        }
        let naming = &self.file.naming;
        let kinds: Vec<&str> = naming
            .kinds
            .keys()
            .map(PersonKind::as_str)
            .chain(naming.functions.keys().map(String::as_str))
            .collect();
        for (word, kind) in spec.columns.kind.iter().flat_map(|column| &column.table) {
            if !kinds.contains(&kind.as_str()) && !self.told_below(&["naming"]) {
                let path = format!("feeds.{name}.columns.kind.table.{word}");
                let advice =
                    format!("under `naming.kinds` and `functions` there are {}", listed(&kinds));
                self.wrong(&path, format!("there is no kind of person `{kind}`"), advice);
            }
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
        let file = self.file;
        let faults = [
            file.naming.faults(&file.locations),
            file.work_days.faults(),
            file.departure.faults(),
            file.access.faults(&file.policy()),
        ];
        for fault in faults.into_iter().flatten() {
            // What has a mistake in it was left out, and would be missed here.
            if fault.problem.contains("is not under") && self.told_below(&["locations", "naming"]) {
                continue;
            }
            let (message, advice) = fault.problem.split_once("; ").unwrap_or((&fault.problem, ""));
            if self.tree.follow(&Part::path(&fault.key)).is_some() {
                let advice = if advice.is_empty() { variables_of(&fault.key) } else { advice };
                self.wrong(&fault.key, message, advice);
            } else {
                let advice = "the setting is a default; write your own, or what it refers to";
                let problem = Problem::of_file(format!("{}: {message}", fault.key), advice);
                self.warnings.push(problem);
            }
        }
    }

    fn mail(&mut self) {
        let Some(settings) = &self.file.mail else { return };
        for found in settings.problems() {
            let (message, advice) = found.problem.split_once("; ").unwrap_or((&found.problem, ""));
            self.wrong(&format!("mail.{}", found.key), message, advice);
        }
        for (key, path) in settings.files() {
            if !path.is_absolute() {
                let path = format!("mail.{key}");
                self.wrong(&path, "a path from the root is needed", "begin it with `/`");
            }
        }
    }

    fn connectors(&mut self) {
        for (name, settings) in &self.file.connectors {
            for found in settings.of_kind().problems() {
                let (message, advice) =
                    found.problem.split_once("; ").unwrap_or((&found.problem, ""));
                self.wrong(&format!("connectors.{name}.{}", found.key), message, advice);
            }
            for (key, path) in settings.of_kind().files() {
                if !path.is_absolute() {
                    let path = format!("connectors.{name}.{key}");
                    self.wrong(&path, "a path from the root is needed", "begin it with `/`");
                }
            }
            if settings.of_kind().never_run_live() {
                let message = "this kind has been tried against a double only: never run live";
                let advice =
                    "try it on a test system of yours first, and watch the first departures";
                self.warn(&format!("connectors.{name}.kind"), message, advice);
            }
            match settings {
                ConnectorSettings::Home(settings) => self.home(name.as_str(), settings),
                ConnectorSettings::Command(settings) => self.command(name.as_str(), settings),
                _ => {}
            }
        }
    }

    /// A look and a change may each take their time, and another step just before them.
    fn command(&mut self, name: &str, settings: &CommandSettings) {
        if settings.time_limit_seconds.saturating_mul(4) > self.file.execution.lease_seconds {
            let advice = "write a quarter of `execution.lease_seconds` at most";
            let path = format!("connectors.{name}.time_limit_seconds");
            self.wrong(&path, "the lease could be over before the program ends", advice);
        }
    }

    fn help_desk(&mut self) {
        let Some(desk) = &self.file.help_desk else { return };
        let name = desk.connector.as_str();
        self.refer("help_desk.connector", name, "connectors", "connector");
        if let Some(settings) = self.file.connectors.get(&desk.connector)
            && !matches!(settings, ConnectorSettings::HelpDesk(_))
        {
            let noun = settings.of_kind().noun();
            let message = format!("`{name}` is a {noun}, which takes no tickets");
            self.wrong("help_desk.connector", message, "name a connector of kind `help_desk`");
        }
        for (key, problem) in desk.faults() {
            let advice = "the names that may stand in it are listed in config.example.yaml";
            self.wrong(&join("help_desk", &key), problem, advice);
        }
    }

    fn home(&mut self, name: &str, settings: &HomeSettings) {
        if settings.slice_seconds >= self.file.execution.lease_seconds {
            let advice = "write less than `execution.lease_seconds`";
            let path = format!("connectors.{name}.slice_seconds");
            self.wrong(&path, "the lease would be over before the slice", advice);
        }
    }

    fn departure(&mut self) {
        let rules = &self.file.departure;
        let mut wanted = Vec::new();
        if let Some(rule) = &rules.mailbox {
            let key = if rule.delete_by.is_some() { "delete_by" } else { "connector" };
            wanted.push((format!("mailbox.{key}"), rule.deleter(), Ability::DeleteMailbox));
            if rule.disable_at_once {
                wanted.push(("mailbox.connector".into(), &rule.connector, Ability::DisableMailbox));
            }
        }
        if let Some(rule) = &rules.home {
            wanted.push(("home.connector".into(), &rule.connector, Ability::DeleteHome));
        }
        for (index, rule) in rules.requests.iter().enumerate() {
            let key = format!("requests[{index}].connector");
            wanted.push((key, &rule.connector, Ability::Request));
        }
        for connector in rules.delete_accounts.keys() {
            wanted.push((
                format!("delete_accounts.{connector}"),
                connector,
                Ability::DeleteAccount,
            ));
        }
        let wanted: Vec<_> = wanted.into_iter().map(|(k, c, a)| (k, c.clone(), a)).collect();
        for (key, connector, ability) in wanted {
            self.able(&format!("departure.{key}"), &connector, ability);
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

    /// A rule that names a connector: it waits for one that is not set up, and can't do with one of
    /// another kind.
    fn able(&mut self, path: &str, connector: &ConnectorName, ability: Ability) {
        if !self.names("connectors").iter().any(|name| name == connector.as_str()) {
            let message = format!(
                "no connector `{connector}` is set up: what it has to do is dated and waits"
            );
            let advice = "set it up under `connectors` before the first date comes";
            self.warn(path, message, advice);
            return;
        }
        let Some(settings) = self.file.connectors.get(connector) else { return };
        let kind = settings.of_kind();
        if !kind.abilities().contains(&ability) {
            let (noun, what) = (kind.noun(), ability.verb());
            let message = format!("`{connector}` is a {noun}, which can't {what}");
            self.wrong(path, message, "name the connector that can; it may be set up later");
        }
    }

    /// A further account that does not depend on the person would be disabled with the first leaver.
    fn linked_accounts(&mut self) {
        for (index, template) in self.file.departure.linked_accounts.iter().enumerate() {
            let names = ["mzsmitj", "mbdoej"].map(|user_id| {
                let user_id = UserId::new(user_id).ok()?;
                linked_user_ids(std::slice::from_ref(template), &user_id).ok()?.pop()
            });
            if let [Some(one), Some(other)] = names
                && one == other
            {
                let path = format!("departure.linked_accounts[{index}]");
                let advice = "write it with `{{ user_id }}`, such as \"adm-{{ user_id }}\"";
                self.wrong(&path, "this is the same account for everyone who leaves", advice);
            }
        }
    }

    fn guard(&mut self) {
        let guard = self.file.guard.clone();
        self.limit("guard.departures", &guard.departures);
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

    fn notices(&mut self) {
        let Some(notices) = &self.file.notices else { return };
        if self.file.mail.is_none() && !self.told_below(&["mail"]) {
            let advice = "add a `mail` section with the server that takes them";
            self.wrong("notices", "there is no mail server to send notices by", advice);
        }
        if notices.account_management.is_empty() {
            let advice = "name an address: it gets the digest, and what finds nobody else";
            self.wrong("notices.account_management", "the list is empty", advice);
        }
        for (path, address) in notices.addresses() {
            if let Err(bad) = MailAddress::parse(address) {
                self.wrong(&path, bad.to_string(), "");
            }
        }
        for feed in notices.receipts.keys().filter(|feed| !self.file.feeds.contains_key(*feed)) {
            let message = format!("there is no feed {feed}");
            self.wrong(&join("notices.receipts", feed.as_str()), message, "use a name of `feeds`");
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

/// What may stand in a template, for advice.
fn variables_of(key: &str) -> &'static str {
    if key == "departure.stamp" {
        "write it as \"Disabled {{ date }}, case {{ case }}\"; `user_id` is known in it too"
    } else if key.starts_with("departure.linked_accounts") {
        "write it as \"adm-{{ user_id }}\"; nothing else is known in it"
    } else if key.starts_with("access.systems") {
        "write it as \"Files {{ location_name }}\"; known in it: location, location_name, kind"
    } else if key.starts_with("access.accounts") {
        "known in it: first, last, preferred, user_id, location, location_name, kind"
    } else {
        ""
    }
}
