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
    let written = match request.year.and_then(|year| i16::try_from(year).ok()) {
        Some(year) => cycle.write_yearly(year, who, now).await?,
        None => cycle.write_rosters(who, now).await?,
    };
    let folder = cycle.config.policy.access.reports.folder.clone().unwrap_or_default();
    Ok(DoneView {
        message: format!(
            "{} reports written to {folder}, each as .csv and .html: {}",
            written.len(),
            written.join(", ")
        ),
    })
}
