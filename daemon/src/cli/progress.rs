//! A sign of life while something takes long: on standard error, and only on a terminal.

use indicatif::ProgressBar;
use std::time::Duration;

/// Shows that work is under way until it ends.
pub(super) struct Working(ProgressBar);

impl Working {
    /// Shows `what` with a moving sign. Nothing is shown where standard error is no terminal.
    pub(super) fn on(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Takes the sign away.
    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}
