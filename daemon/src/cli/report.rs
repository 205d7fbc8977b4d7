//! `lapsed report`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::{Client, Outcome};
use crate::views::{ReportRequest, RosterLine, RostersView};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which report.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lapsed report roster\n  lapsed report roster --answer mzdoej > answer.yaml\n  \
                  lapsed report roster --all\n  lapsed report yearly --year 2026"
)]
pub struct ReportArgs {
    #[command(subcommand)]
    what: ReportCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReportCommand {
    /// Show who holds what in your charge: your people, and those of locations that you answer for
    Roster {
        /// Another's, by the user ID under which they log on; for operators
        #[arg(long = "for", value_name = "USER", conflicts_with = "all")]
        of: Option<String>,
        /// Print the form by which the roster of one person is answered, to be filled in and filed with
        /// `lapsed form submit`
        #[arg(long, value_name = "USER", conflicts_with = "all")]
        answer: Option<String>,
        /// Make everybody's now: written to access.reports.folder, and mailed where that was not done this
        /// month; for operators
        #[arg(long)]
        all: bool,
    },
    /// Write the report of a year for the Chief Security Officer; for operators
    Yearly {
        /// The calendar year
        #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(2000..=9999))]
        year: u16,
    },
}

pub(super) async fn report(client: &Client, output: Output, args: ReportArgs) -> Outcome {
    match args.what {
        ReportCommand::Yearly { year } => {
            output.print(&client.report(&ReportRequest { year: Some(year) }).await?)?;
        }
        ReportCommand::Roster { all: true, .. } => {
            output.print(&client.report(&ReportRequest { year: None }).await?)?;
        }
        ReportCommand::Roster { of, answer, .. } => {
            let rosters = client.rosters(of.as_deref()).await?;
            match answer {
                Some(who) => output.raw(form(&rosters, &who)?.as_bytes())?,
                None => output.print(&rosters)?,
            }
        }
    }
    Ok(Exit::Fine)
}

/// The form about one person of the rosters, with all that they hold.
fn form(view: &RostersView, who: &str) -> Result<String, Failure> {
    let name = view.answer_by.as_ref().ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "no form of this agency asks recertify".to_owned(),
            "Add one under access.forms.",
        )
    })?;
    let lines = view.rosters.iter().flat_map(|roster| &roster.lines);
    let theirs: BTreeSet<&RosterLine> =
        lines.filter(|line| line.who.eq_ignore_ascii_case(who)).collect();
    let Some(first) = theirs.first() else {
        return Err(Failure::new(
            Exit::NotFound,
            format!("{} is on no roster of {}", super::render::safe(who), view.of),
            "See who is: lapsed report roster.",
        ));
    };
    // JSON's way to write a text is YAML's, too, whatever is in it.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let person = match first.who.strip_prefix("employee ") {
        Some(number) => format!("employee_number: {}", quoted(number)),
        None => format!("user_id: {}", quoted(&first.who)),
    };
    let mut text = format!(
        "# What stays and what goes. Write `remove: true` where it goes, then: lapsed form submit FILE\n\
         form: {}\nversion: 1\nid: {}\nasks: recertify\nperson: {{ {person} }}\nsystems:\n",
        quoted(name),
        Uuid::new_v4()
    );
    let mut seen = BTreeSet::new();
    for line in theirs {
        if !seen.insert((&line.system, &line.role)) {
            continue;
        }
        let role = line.role.as_ref().map(|role| format!(", role: {}", quoted(role)));
        let role = role.unwrap_or_default();
        text.push_str(&format!(
            "  - {{ system: {}{role}, remove: false }} # since {}\n",
            quoted(&line.system),
            line.since
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_access_form;
    use crate::views::{RosterState, RosterView};

    fn line(who: &str, system: &str, role: Option<&str>, form: u64) -> RosterLine {
        RosterLine {
            who: who.into(),
            system: system.into(),
            role: role.map(str::to_owned),
            since: "2026-01-05".into(),
            form: Some(form),
            last_day: None,
            state: RosterState::InPlace,
            recertified: None,
        }
    }

    fn view(lines: Vec<RosterLine>) -> RostersView {
        let about = "people in the charge of mbdoej".to_owned();
        RostersView {
            of: "mbdoej".into(),
            answer_by: Some("recertification".into()),
            unread: Vec::new(),
            rosters: vec![RosterView { about, lines }],
        }
    }

    #[test]
    fn the_answer_is_a_form_with_each_thing_held_once() {
        let mut lines = vec![
            line("mzdoej", "cimor", Some("nurse"), 3),
            line("mzdoej", "cimor", Some("nurse"), 9),
            line("mzroej", "files", None, 4),
        ];
        let twice = view(lines.clone());
        lines.push(line("mzdoej", "account", None, 3));
        let form = read_access_form(form(&view(lines), "MZDOEJ").unwrap().as_bytes()).unwrap();
        let systems: Vec<_> = form.systems.iter().map(|wish| wish.system.as_str()).collect();
        assert_eq!(systems, ["account", "cimor"]);
        assert_eq!(form.person.user_id.unwrap().as_str(), "mzdoej");
        assert!(form.systems.iter().all(|wish| !wish.remove));
        assert!(super::form(&twice, "mzli").is_err());
    }
}
