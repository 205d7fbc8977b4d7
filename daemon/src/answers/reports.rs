//! `lapsed report`: rosters and the yearly report, written now (S5, S6).

use crate::control::console::ConsoleError;
use crate::control::roles::Caller;
use crate::service::Daemon;
use crate::views::{DoneView, ReportRequest};

pub(super) async fn report(
    daemon: &Daemon,
    caller: &Caller,
    request: ReportRequest,
) -> Result<DoneView, ConsoleError> {
    let (cycle, now, who) = (daemon.cycle(), daemon.now(), caller.name.as_str());
    let made = match request.year.and_then(|year| i16::try_from(year).ok()) {
        Some(year) => cycle.write_yearly(year, who, now).await?,
        None => cycle.write_rosters(who, now).await?,
    };
    daemon.wake();
    let folder = cycle.config.policy.access.reports.folder.as_deref();
    let written = match folder {
        Some(folder) => format!(
            "{} reports written to {folder}, each as .csv and .html: {}",
            made.written.len(),
            made.written.join(", ")
        ),
        None => "no report is written, since access.reports.folder names no folder".to_owned(),
    };
    let mailed = match made.mailed {
        0 => "none is mailed that was not before".to_owned(),
        count => format!("{count} wait to be mailed: lapsed notices"),
    };
    Ok(DoneView { message: format!("{written}; {mailed}") })
}
