//! Starts the program for one request: no shell, no environment but what is named, its own process
//! group, limits of time and output.

use super::exchange::Request;
use super::settings::{CommandSettings, ExitMeaning};
use crate::helper::is_trusted;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown_within;
use lapsed_core::step::{Cause, Fault};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// So much of what the program says on standard error is kept, in bytes.
const KEPT_ERROR: u64 = 65_536;
/// So much of it stands in a message, in characters.
const SHOWN_ERROR: usize = 300;

/// What a program left behind.
struct Ended {
    status: ExitStatus,
    output: Vec<u8>,
    said: String,
}

/// Asks the program and reads its answer.
///
/// # Errors
/// Retry where it was not started or said so; refused where it said so; and after a change that began,
/// unknown for everything else.
pub(super) async fn ask<A: DeserializeOwned>(
    settings: &CommandSettings,
    request: &Request,
) -> Result<A, Fault> {
    let program = settings.program.display();
    let lost = |why: String| {
        let cause = Cause::new(format!("{program}, asked to {}: {why}", request.operation.name()));
        if request.operation.changes() { Fault::Unknown(cause) } else { Fault::Retry(cause) }
    };
    let ended = run(settings, request, &lost).await?;
    let code = ended.status.code();
    let cause = |what: &str| {
        let text =
            format!("{program}, asked to {}, {what}{}", request.operation.name(), ended.said);
        Cause { message: text, code: code.map(|code| format!("exit {code}")) }
    };
    match code.and_then(|code| settings.meaning(code)) {
        Some(ExitMeaning::Answer) => serde_json::from_slice(&ended.output).map_err(|error| {
            // The error's own words may have parts of the answer in them.
            let at = format!("line {}, column {}", error.line(), error.column());
            lost(format!(
                "its answer is not of the published shape, from {at} on; see docs/command.md"
            ))
        }),
        Some(ExitMeaning::Retry) => Err(Fault::Retry(cause("can't do it now"))),
        Some(ExitMeaning::Refused) => Err(Fault::Refused(cause("refuses"))),
        None => {
            let cause = cause("ended in a way that exit_codes does not name");
            Err(if request.operation.changes() {
                Fault::Unknown(cause)
            } else {
                Fault::Retry(cause)
            })
        }
    }
}

async fn run(
    settings: &CommandSettings,
    request: &Request,
    lost: &impl Fn(String) -> Fault,
) -> Result<Ended, Fault> {
    let mut line = serde_json::to_vec(request).map_err(|error| lost(error.to_string()))?;
    line.push(b'\n');
    let mut child = start(settings)?;
    let limit = settings.time_limit();
    let ended =
        tokio::time::timeout(limit, converse(&mut child, &line, settings.output_bytes)).await;
    match ended {
        Ok(Ok(Some(ended))) => Ok(ended),
        Ok(Ok(None)) => {
            end(&mut child).await;
            Err(lost(format!(
                "it answered more than {} bytes (output_bytes)",
                settings.output_bytes
            )))
        }
        Ok(Err(error)) => {
            end(&mut child).await;
            Err(lost(error.to_string()))
        }
        Err(_) => {
            end(&mut child).await;
            Err(lost(format!("it did not end within {} s (time_limit_seconds)", limit.as_secs())))
        }
    }
}

fn start(settings: &CommandSettings) -> Result<Child, Fault> {
    let program = settings.program.display();
    let not_started =
        |why: String| Fault::Retry(Cause::new(format!("{program} was not started: {why}")));
    if !is_trusted(&settings.program) {
        return Err(not_started(
            "it must be there, belong to root, and be writable by nobody else".into(),
        ));
    }
    let mut command = Command::new(&settings.program);
    command.args(&settings.arguments).env_clear().current_dir("/").process_group(0);
    let named =
        settings.environment.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.envs(named).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
        .spawn()
        .map_err(|error| not_started(format!("{error}; see its rights and its first line")))
}

/// Says the request, and reads both outputs to their ends; `None` where an answer is too long.
async fn converse(child: &mut Child, line: &[u8], most: u32) -> std::io::Result<Option<Ended>> {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let say = async {
        if let Some(mut input) = input {
            // A program that does not read its input has its answer all the same.
            let _ = input.write_all(line).await;
            let _ = input.shutdown().await;
        }
        Ok(())
    };
    let most = u64::from(most);
    let read = async {
        let mut kept = Vec::new();
        if let Some(output) = output {
            output.take(most + 1).read_to_end(&mut kept).await?;
        }
        // Where it is too long, nobody reads on, and waiting for its end would be for nothing.
        if kept.len() as u64 > most { Err(TooLong.into()) } else { Ok(kept) }
    };
    let both = tokio::try_join!(say, read, last_words(errors));
    let ((), output, said) = match both {
        Ok(all) => all,
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<TooLong>()) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let status = child.wait().await?;
    Ok(Some(Ended { status, output, said }))
}

/// More output than is allowed.
#[derive(Debug, thiserror::Error)]
#[error("too much output")]
struct TooLong;

impl From<TooLong> for std::io::Error {
    fn from(error: TooLong) -> Self {
        Self::other(error)
    }
}

/// What it said on standard error, safe to show; all of it is read, so that nothing blocks.
async fn last_words(errors: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut errors) = errors else { return Ok(String::new()) };
    let mut kept = Vec::new();
    (&mut errors).take(KEPT_ERROR).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut errors, &mut tokio::io::sink()).await?;
    let text = String::from_utf8_lossy(&kept);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("; it said: {}", mask(&shown_within(&line, SHOWN_ERROR))))
}

/// Kills it with all that it started. Its number is still its own: nobody has waited for it yet.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}
