//! `lapsed check`.

use super::exit::Exit;
use super::output::{Failure, Format, Output};
use super::{Globals, Outcome, waited};
use crate::config::{self, Config, ConfigErrors, Problem, Warning};
use crate::rehearse::database;
use crate::store::{Store, StoreError};
use crate::targets::Hands;
use crate::views::{CheckView, ProbeView, ProblemView};
use lapsed_connectors::contract::Probed;
use lapsed_connectors::mail::Postman;

/// What to check.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 3 when anything is wrong.\n\nExamples:\n  lapsed check --config new.yaml\n  \
                  lapsed check --schema > lapsed.schema.json"
)]
pub struct CheckArgs {
    /// Print the JSON Schema of the configuration instead: editors complete and check by it
    #[arg(long)]
    pub schema: bool,
}

pub(super) fn check(globals: &Globals, args: &CheckArgs) -> Outcome {
    let output = globals.output();
    if args.schema {
        return schema(output);
    }
    let path = globals.config_path();
    let file = path.display().to_string();
    match config::load(path) {
        Err(errors) => mistakes(output, file, &errors),
        Ok((config, warnings)) => sound(output, file, &config, &warnings),
    }
}

fn schema(output: Output) -> Outcome {
    output.raw(format!("{:#}\n", config::schema()).as_bytes())?;
    Ok(Exit::Fine)
}

fn mistakes(output: Output, config: String, errors: &ConfigErrors) -> Outcome {
    match output.format {
        // With the lines of the file and what they are about underlined.
        Format::Text => output.raw(format!("{errors}\n").as_bytes())?,
        Format::Json => {
            let problems = errors.problems().iter().map(problem).collect();
            output.print(&CheckView { config, problems, ..CheckView::default() })?;
        }
    }
    Ok(Exit::Attention)
}

fn sound(output: Output, file: String, config: &Config, warnings: &[Warning]) -> Outcome {
    let connectors = probes(config)?;
    let sound = connectors.iter().all(|probe| probe.sound);
    let warnings = warnings.iter().map(|warning| problem(&warning.problem)).collect();
    output.print(&CheckView { sound, config: file, problems: Vec::new(), warnings, connectors })?;
    Ok(if sound { Exit::Fine } else { Exit::Attention })
}

/// Asks every connector whether it can be reached and has what is needed.
fn probes(config: &Config) -> Result<Vec<ProbeView>, Failure> {
    let (hands, faults) = Hands::as_far_as_possible(config)
        .map_err(|error| Failure::caused(&error, "Mend what is named in the configuration."))?;
    waited(async {
        let mut all = folders(config);
        all.push(state(config).await);
        all.extend(mail(config).await);
        all.extend(faults.into_iter().map(|fault| ProbeView {
            name: fault.name,
            sound: false,
            finding: fault.problem,
        }));
        for (name, eye) in &hands.eyes().0 {
            for probed in eye.probe().await {
                all.push(probe(name.to_string(), probed));
            }
        }
        all
    })
}

fn probe(name: String, probed: Probed) -> ProbeView {
    let sound = probed.problem.is_none();
    let finding = probed.problem.unwrap_or_else(|| "well".into());
    ProbeView { name, sound, finding: format!("{}: {finding}", probed.what) }
}

/// The mail server, where one is set up.
async fn mail(config: &Config) -> Option<ProbeView> {
    let probed = match Postman::new(config.mail.as_ref()?) {
        Ok(postman) => postman.probe().await,
        Err(error) => Probed { what: "settings".into(), problem: Some(error.to_string()) },
    };
    Some(probe("mail".into(), probed))
}

/// The inbox and where its drops go.
fn folders(config: &Config) -> Vec<ProbeView> {
    let inbox = &config.inbox;
    [
        ("inbox.folder", &inbox.folder),
        ("inbox.accepted", &inbox.accepted),
        ("inbox.rejected", &inbox.rejected),
    ]
    .into_iter()
    .chain(inbox.confirmations.as_ref().map(|of| ("inbox.confirmations.folder", &of.folder)))
    .chain(inbox.forms.as_ref().map(|of| ("inbox.forms.folder", &of.folder)))
    .map(|(name, path)| {
        let path = path.as_path();
        let problem = match std::fs::read_dir(path) {
            Ok(_) => None,
            Err(error) => Some(format!("{error}; create it and give it to the daemon's account")),
        };
        ProbeView {
            name: name.to_owned(),
            sound: problem.is_none(),
            finding: format!("{}: {}", path.display(), problem.unwrap_or_else(|| "well".into())),
        }
    })
    .collect()
}

async fn state(config: &Config) -> ProbeView {
    let (sound, finding) = match Store::open_to_read(&database(config)).await {
        Ok(_) => (true, "database: well".to_owned()),
        Err(StoreError::Absent { .. }) => {
            (true, "database: none yet; the first run makes it".to_owned())
        }
        Err(StoreError::Older) => {
            (true, "database: of an older release; the next run brings it up".to_owned())
        }
        Err(error) => (false, format!("database: {error}")),
    };
    ProbeView { name: "state".into(), sound, finding }
}

fn problem(problem: &Problem) -> ProblemView {
    ProblemView {
        line: problem.place.map(|place| place.line as u64),
        column: problem.place.map(|place| place.column as u64),
        path: problem.path.clone(),
        problem: problem.message.clone(),
        advice: problem.advice.clone(),
    }
}
