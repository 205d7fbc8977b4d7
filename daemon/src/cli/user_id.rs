//! `lapsed user-id`: parse, call, print. The rules are in `core`, the table in [`table`].

mod table;

use super::exit::Exit;
use super::output::{Failure, Format, Output};
use super::plan::sound_config;
use super::{Globals, Outcome, waited};
use crate::config::Config;
use crate::rehearse::database;
use crate::store::{Store, StoreError};
use crate::targets::Hands;
use crate::views::{UserIdView, UserIdsView};
use lapsed_core::facts::{ConnectorName, LocationId, PersonKind, PersonName};
use lapsed_core::observed::Scope;
use lapsed_core::policy::Policy;
use lapsed_core::policy::naming::{NameRequest, Namer, TakenIds};
use std::io;
use std::path::{Path, PathBuf};

/// Who needs a user ID.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --last, a table is read from standard input. It has the columns last, first, preferred, location and kind; what comes out is the \
                  same with user_id and error after them. Rows are served in order: an ID that is given counts \
                  as taken for the rows after it. Ends with 3 when a row got none.\n\nExamples:\n  \
                  lapsed user-id --last Smith --first John --location z\n  \
                  lapsed user-id --taken ids.txt < new.csv"
)]
pub struct UserIdArgs {
    /// Last name
    #[arg(long, requires = "first")]
    pub last: Option<String>,
    /// Legal first name
    #[arg(long, requires = "last")]
    pub first: Option<String>,
    /// First name the person goes by, if another
    #[arg(long, requires = "last")]
    pub preferred: Option<String>,
    /// Identifier of the location that employs the person
    #[arg(long, requires = "last")]
    pub location: Option<String>,
    /// Kind of person [default: `naming.default_kind` of the configuration]
    #[arg(long, requires = "last")]
    pub kind: Option<String>,
    /// IDs that are taken, one a line, instead of asking the directory
    #[arg(long, value_name = "FILE")]
    pub taken: Option<PathBuf>,
}

pub(super) fn user_id(globals: &Globals, args: &UserIdArgs) -> Outcome {
    let Some(file) = &args.taken else {
        let config = sound_config(globals.config_path())?;
        return answer(&config.policy, &in_directory(&config)?, args, globals.output());
    };
    let policy = rules(globals)?;
    answer(&policy, &listed(file)?, args, globals.output())
}

/// The agency's rules; where no configuration was named and none is installed, those that are built in.
fn rules(globals: &Globals) -> Result<Policy, Failure> {
    if globals.config.is_some() || globals.config_path().exists() {
        return sound_config(globals.config_path()).map(|config| config.policy);
    }
    eprintln!("There is no {}: the built-in rules are used.", globals.config_path().display());
    Ok(Policy::built_in())
}

/// IDs of a file, one a line.
fn listed(file: &Path) -> Result<TakenIds, Failure> {
    let text = std::fs::read(file).map_err(|problem| {
        Failure::new(
            Exit::Failure,
            format!("{} can't be read: {problem}", file.display()),
            "Name a file of IDs, one a line.",
        )
    })?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty()).collect())
}

/// Other targets have accounts under IDs that a directory gave.
fn names_count(config: &Config, name: &ConnectorName) -> bool {
    let settings = config.connectors.get(name);
    settings.is_some_and(|settings| settings.of_kind().names_count())
}

/// IDs of the connected directories.
fn in_directory(config: &Config) -> Result<TakenIds, Failure> {
    let hands = Hands::new(config).map_err(|error| {
        Failure::caused(&error, "See each mistake with its remedy: lapsed check")
    })?;
    waited(async {
        let mut taken = TakenIds::default();
        let eyes = hands.eyes();
        for (name, eye) in eyes.0.iter().filter(|(name, _)| names_count(config, name)) {
            let observed = eye.observe(&Scope::TakenNames).await.map_err(|fault| {
                Failure::new(
                    Exit::Failure,
                    format!("{name} can't be read, so nobody can say which IDs are free: {fault}"),
                    "See what is wrong: lapsed check. Or name the IDs that are taken by --taken.",
                )
            })?;
            for name in &observed.taken_names {
                taken.insert(name);
            }
        }
        // What was ever given stays taken, also when its account is long gone (N5).
        match Store::open_to_read(&database(config)).await {
            Ok(store) => {
                let known = store.read().taken_user_ids().await;
                let known =
                    known.map_err(|e| Failure::caused(&e, "Run it as the daemon's account."))?;
                for name in &known {
                    taken.insert(name);
                }
            }
            Err(StoreError::Absent { .. }) => {}
            Err(error) => return Err(Failure::caused(&error, "Run it as the daemon's account.")),
        }
        Ok(taken)
    })?
}

/// Answers for one name or a table.
fn answer(policy: &Policy, taken: &TakenIds, args: &UserIdArgs, output: Output) -> Outcome {
    let mut giver = Giver { namer: Namer::new(&policy.naming, &policy.locations), taken };
    if args.last.is_some() {
        let only = giver.give(asked(args));
        return one(only, output);
    }
    let input = io::stdin().lock();
    match output.format {
        Format::Text => table::answer(input, &mut giver, |line| output.raw(line)),
        Format::Json => {
            let rows = table::views(input, &mut giver)?;
            let exit = if rows.iter().any(|row| row.error.is_some()) {
                Exit::Attention
            } else {
                Exit::Fine
            };
            output.print(&UserIdsView { rows })?;
            Ok(exit)
        }
    }
}

fn asked(args: &UserIdArgs) -> Asked {
    Asked {
        last: args.last.clone().unwrap_or_default(),
        first: args.first.clone().unwrap_or_default(),
        preferred: args.preferred.clone(),
        location: args.location.clone(),
        kind: args.kind.clone(),
    }
}

fn one(only: UserIdView, output: Output) -> Outcome {
    if output.format == Format::Text
        && let Some(error) = only.error
    {
        return Err(Failure::new(Exit::Attention, error, ""));
    }
    let exit = if only.error.is_some() { Exit::Attention } else { Exit::Fine };
    output.print(&UserIdsView { rows: vec![only] })?;
    Ok(exit)
}

/// One request as it was typed.
#[derive(Debug, Clone, Default)]
struct Asked {
    last: String,
    first: String,
    preferred: Option<String>,
    location: Option<String>,
    kind: Option<String>,
}

impl Asked {
    fn request(&self) -> Result<NameRequest, String> {
        let given = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
        };
        Ok(NameRequest {
            name: PersonName {
                last: self.last.clone(),
                first: self.first.clone(),
                preferred: given(&self.preferred),
            },
            location: given(&self.location).map(LocationId::new).transpose().map_err(said)?,
            kind: given(&self.kind).map(PersonKind::new).transpose().map_err(said)?,
            function: None,
        })
    }
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

/// Gives IDs one after another.
struct Giver<'p> {
    namer: Namer<'p>,
    taken: &'p TakenIds,
}

impl Giver<'_> {
    fn give(&mut self, asked: Asked) -> UserIdView {
        let given = asked.request().and_then(|request| {
            self.namer.propose(&request, &|id| self.taken.contains(id)).map_err(said)
        });
        let (user_id, error) = match given {
            Ok(id) => (Some(id.to_string()), None),
            Err(error) => (None, Some(error)),
        };
        let Asked { last, first, preferred, location, kind } = asked;
        UserIdView { last, first, preferred, location, kind, user_id, error }
    }
}
