//! Named moments at which a test has this process die, as a power cut would have it: just before and
//! just after each commit that takes a step, a notice or a ticket to another state.
//!
//! A moment is called `WHAT/STATE/before` or `/after`, `notice/sent/after` for example; that of a step has its
//! connector before it, `directory.disable/started/after`. `LAPSED_CRASH_AT` names those at which to die, with
//! commas between: the first that comes counts. One without a connector is every connector's.
//! `LAPSED_CRASH_LOG` names a file that gets the name of each moment that is passed, a line each. A release
//! build has none of this.

use lapsed_core::facts::ConnectorName;
use std::sync::{Mutex, PoisonError};

/// What a transaction took to another state, so far.
#[derive(Debug, Default)]
pub(super) struct CrashPoints(Mutex<Vec<String>>);

/// Which side of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

impl CrashPoints {
    /// Something goes to another state with this transaction.
    pub(super) fn note(&self, what: &str, state: &str) {
        if cfg!(debug_assertions) {
            let name = format!("{what}/{state}");
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }

    /// A step goes to another state with this transaction.
    pub(super) fn note_step(&self, connector: &ConnectorName, action: &str, state: &str) {
        if cfg!(debug_assertions) {
            self.note(&format!("{connector}.{action}"), state);
        }
    }

    /// Its commit is reached, or was made.
    pub(super) fn pass(&self, side: Side) {
        #[cfg(debug_assertions)]
        for name in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            asked::pass(name, side);
        }
        #[cfg(not(debug_assertions))]
        let _ = side;
    }
}

#[cfg(debug_assertions)]
mod asked {
    use super::Side;
    use rustix::process::{Signal, getpid, kill_process};
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{Mutex, OnceLock, PoisonError};

    struct Asked {
        at: Vec<String>,
        log: Option<String>,
    }

    fn asked() -> &'static Asked {
        static ASKED: OnceLock<Asked> = OnceLock::new();
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let names = |text: String| text.split(',').map(str::to_owned).collect();
        let at = || of("LAPSED_CRASH_AT").map(names).unwrap_or_default();
        ASKED.get_or_init(|| Asked { at: at(), log: of("LAPSED_CRASH_LOG") })
    }

    pub(super) fn pass(name: &str, side: Side) {
        let asked = asked();
        if asked.at.is_empty() && asked.log.is_none() {
            return;
        }
        // Who dies keeps it: the log's last line is the moment of the death.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let side = if side == Side::Before { "before" } else { "after" };
        let moment = format!("{name}/{side}");
        if let Some(log) = &asked.log
            && let Ok(mut file) = File::options().create(true).append(true).open(log)
        {
            let _ = writeln!(file, "{moment}");
        }
        let at_any = moment.split_once('.').map_or("", |(_, rest)| rest);
        if asked.at.iter().any(|at| *at == moment || *at == at_any) {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CrashPoints;
    use lapsed_core::facts::ConnectorName;

    #[test]
    fn a_step_is_noted_with_its_connector() {
        let points = CrashPoints::default();
        points.note_step(&ConnectorName::new("jcfs").unwrap(), "create_account", "done");
        assert_eq!(*points.0.lock().unwrap(), ["jcfs.create_account/done"]);
    }

    #[test]
    fn a_state_is_noted_once_a_transaction_however_many_steps_take_it() {
        let points = CrashPoints::default();
        for (what, state) in [("disable", "done"), ("disable", "done"), ("disable", "started")] {
            points.note(what, state);
        }
        assert_eq!(*points.0.lock().unwrap(), ["disable/done", "disable/started"]);
    }
}
