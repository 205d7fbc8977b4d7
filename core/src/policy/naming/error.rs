//! Why no user ID can be given.

use crate::facts::Invalid;
use std::fmt;

/// A part of a request that letters are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePart {
    /// The last name.
    LastName,
    /// The preferred first name, or the legal one.
    FirstName,
    /// A resource account's function.
    Function,
}

impl fmt::Display for NamePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastName => "last name",
            Self::FirstName => "first name",
            Self::Function => "function",
        })
    }
}

/// Why no user ID can be given. Names are not shown: they come from outside and may be hostile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamingError {
    /// Nothing of a part is left once all but letters is dropped (N3).
    #[error("the {0} has no letter in it; correct it at its source, or choose a user ID by hand")]
    NoLetter(NamePart),
    /// The name was damaged on its way here (U+FFFD stands in it).
    #[error(
        "the {0} has characters that were lost in a conversion; check the encoding of its source"
    )]
    Damaged(NamePart),
    /// A letter that has no ASCII counterpart.
    #[error(
        "the {part} has the letter U+{letter:04X}, for which no ASCII letters are known; \
         add it under naming.transliterate, or choose a user ID by hand"
    )]
    NoAscii {
        /// Where the letter stands.
        part: NamePart,
        /// Its code point.
        letter: u32,
    },
    /// No location, and the kind has none of its own.
    #[error("no location is given; give that of the location that employs the person")]
    NoLocation,
    /// The location is not in the YAML.
    #[error("the location {0:?} is not known; add it under locations, or correct the request")]
    UnknownLocation(String),
    /// The location's identifier can't be part of a user ID.
    #[error("the location {0:?} is not of ASCII letters and digits; correct it under locations")]
    UnusableLocation(String),
    /// No kind, and the policy has no default.
    #[error("no kind of person is given, and naming.default_kind is not set")]
    NoKind,
    /// The kind is not in the YAML.
    #[error("the kind of person {kind:?} is not known; known are {known}")]
    UnknownKind {
        /// What was given.
        kind: String,
        /// What could have been.
        known: String,
    },
    /// A non-staff or resource account without a function.
    #[error("no function is given, which the user ID of this kind needs; add it")]
    NoFunction,
    /// A non-staff account with a function code that is not in the YAML.
    #[error("the function code {code:?} is not known; known are {known}")]
    UnknownFunction {
        /// What was given.
        code: String,
        /// What could have been.
        known: String,
    },
    /// The parts that can't be cut are longer than the limit.
    #[error("the user ID would be longer than {0} characters; choose one by hand")]
    TooLong(usize),
    /// Every ID that the standard allows for the name is taken (N4).
    #[error(
        "all user IDs that the standard allows for {plain:?} are taken; choose one by hand, \
         nothing was created"
    )]
    AllTaken {
        /// The ID without a number.
        plain: String,
    },
    /// The parts make no valid log-on name.
    #[error("the naming rules make no valid user ID")]
    Invalid(#[from] Invalid),
}
