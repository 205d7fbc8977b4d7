//! Exit codes: what a script can tell apart. The man page prints this table.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well; what was asked for was done.
    Fine,
    /// It could not be done.
    Failure,
    /// `plan`: there is something to do.
    Changes,
    /// `status`, `check`, `audit verify`: a person has to look.
    Attention,
    /// The daemon says no: the role is missing, or a rule or a state forbids it.
    Refused,
    /// No answer from the daemon.
    Unreachable,
    /// No such person, plan or row.
    NotFound,
    /// The command line makes no sense.
    Usage,
}

impl Exit {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Fine,
        Self::Failure,
        Self::Changes,
        Self::Attention,
        Self::Refused,
        Self::Unreachable,
        Self::NotFound,
        Self::Usage,
    ];

    /// The number. 64 is `EX_USAGE` of sysexits.h: clap's own 2 would read as changes.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failure => 1,
            Self::Changes => 2,
            Self::Attention => 3,
            Self::Refused => 4,
            Self::Unreachable => 5,
            Self::NotFound => 6,
            Self::Usage => 64,
        }
    }

    /// What it says, for the man page.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Fine => "All is well; what was asked for was done.",
            Self::Failure => "It could not be done; standard error says why and what to do.",
            Self::Changes => "plan: there is something to do.",
            Self::Attention => {
                "status, check, audit verify: it was looked at, and something needs a person."
            }
            Self::Refused => {
                "The daemon says no: a role is missing, or a rule or a state forbids it."
            }
            Self::Unreachable => "The daemon does not run, or does not answer.",
            Self::NotFound => "There is no such person, plan or row.",
            Self::Usage => "The command line is wrong; nothing was done.",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
