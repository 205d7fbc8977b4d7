//! What a directory's result codes mean for us: wait, ask a person, or look again.

use lapsed_core::step::{Cause, Fault};

/// A result code other than success, with the server's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// RFC 4511 result code.
    pub(super) code: u32,
    /// The server's diagnostic text, made safe to show.
    pub(super) text: String,
}

/// RFC 4511 appendix A and RFC 4528.
pub(super) mod code {
    pub(in super::super) const NO_SUCH_ATTRIBUTE: u32 = 16;
    pub(in super::super) const ATTRIBUTE_OR_VALUE_EXISTS: u32 = 20;
    pub(in super::super) const NO_SUCH_OBJECT: u32 = 32;
    pub(in super::super) const INVALID_CREDENTIALS: u32 = 49;
    pub(in super::super) const UNWILLING: u32 = 53;
    pub(in super::super) const OBJECT_CLASS_VIOLATION: u32 = 65;
    pub(in super::super) const ENTRY_EXISTS: u32 = 68;
    pub(in super::super) const ASSERTION_FAILED: u32 = 122;
}

impl Answer {
    pub(super) fn new(code: u32, text: &str) -> Self {
        let safe = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self { code, text: safe.take(200).collect::<String>().trim().to_owned() }
    }

    /// The Windows error number with which Active Directory begins its texts: `0000052D: …`.
    fn windows_error(&self) -> Option<u32> {
        let (digits, _) = self.text.split_once(':')?;
        (digits.len() == 8).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    /// The reason that Active Directory gives for a refused log-on: `…, data 52e, …`.
    fn logon_error(&self) -> Option<u32> {
        let (_, after) = self.text.split_once(", data ")?;
        u32::from_str_radix(after.split(',').next()?.trim(), 16).ok()
    }

    /// The value, entry or assertion is not as we thought: look again.
    pub(super) fn is_about_state(&self) -> bool {
        matches!(
            self.code,
            code::NO_SUCH_ATTRIBUTE
                | code::ATTRIBUTE_OR_VALUE_EXISTS
                | code::NO_SUCH_OBJECT
                | code::ENTRY_EXISTS
                | code::ASSERTION_FAILED
        )
    }

    /// A member to be removed may not be there: Active Directory and Samba also say 53 for it.
    pub(super) fn may_mean_absent(&self) -> bool {
        self.is_about_state() || (self.code == code::UNWILLING && !self.passes_by_itself())
    }

    fn passes_by_itself(&self) -> bool {
        match self.code {
            // ERROR_DS_BUSY and ERROR_DS_UNAVAILABLE hide behind 53.
            code::UNWILLING => matches!(self.windows_error(), Some(0x200e | 0x200f)),
            // Time limit, administrative limit, busy, unavailable.
            3 | 11 | 51 | 52 => true,
            _ => self.is_about_state(),
        }
    }

    /// The fault for a call that ended with this answer; the server changed nothing.
    pub(super) fn fault(&self, what: &str) -> Fault {
        let cause = Cause::coded(format!("{what}: {}", self.sentence()), self.shown_code());
        if self.passes_by_itself() { Fault::Retry(cause) } else { Fault::Refused(cause) }
    }

    fn shown_code(&self) -> String {
        match self.windows_error() {
            Some(number) => format!("LDAP {}, Windows {number}", self.code),
            None => format!("LDAP {}", self.code),
        }
    }

    fn sentence(&self) -> String {
        let advice = self.advice();
        if self.text.is_empty() { advice.to_owned() } else { format!("{advice} [{}]", self.text) }
    }

    fn advice(&self) -> &'static str {
        match self.code {
            1 => "the directory could not make sense of the request; is the log-on complete?",
            3 => "the directory ran out of the time it allows; it will be tried again",
            4 => {
                "the directory cut the listing short; raise its size limit for the daemon's account"
            }
            7 => "the directory does not allow this way of logging on",
            8 => "the directory wants an encrypted connection; use ldaps:// or start_tls",
            10 => "the directory pointed to another server; name that server or narrow the bases",
            11 => "the directory's administrative limit was hit; raise it for the daemon's account",
            12 => "the directory lacks a control that is needed",
            13 => "the directory wants an encrypted connection for this",
            16 => "the value that was to be replaced is no longer there",
            17 => "the schema has no such attribute",
            18 => "the attribute can't be searched for in this way",
            19 => self.constraint_advice(),
            20 => "the value is there already",
            21 => "a value is not of the attribute's kind",
            32 => {
                "there is no such object; if it is one of the bases, somebody renamed or moved it"
            }
            34 => "a distinguished name is not valid",
            49 => self.logon_advice(),
            50 => {
                "the daemon's account may not do this; grant it, and look whether the object is a protected administrator's"
            }
            51 => "the directory is busy; it will be tried again",
            52 => "the directory is not available; it will be tried again",
            53 => self.unwilling_advice(),
            65 => "the schema does not allow the object to be so",
            68 => "it is there already",
            71 => "the objects are on several servers",
            80 => "the directory failed within itself; look at its log",
            122 => "the object changed in the meantime",
            _ => "the directory refused",
        }
    }

    fn constraint_advice(&self) -> &'static str {
        match self.windows_error() {
            Some(0x52d) => "the password policy refused the password",
            _ => "a rule of the directory forbids the value",
        }
    }

    fn unwilling_advice(&self) -> &'static str {
        match self.windows_error() {
            Some(0x52d) => "the password policy refused the password",
            Some(0x55e) => "it is the account's primary group; another must become that first",
            Some(0x561) => "the account is not a member of the group",
            Some(0x200e) => "the directory is busy; it will be tried again",
            Some(0x200f) => "the directory is not available; it will be tried again",
            _ => "the directory is not willing to do this",
        }
    }

    fn logon_advice(&self) -> &'static str {
        match self.logon_error() {
            Some(0x525) => "the daemon's account does not exist; check bind.dn",
            Some(0x530 | 0x531) => "the daemon's account may not log on now or from here",
            Some(0x532 | 0x773) => {
                "the password of the daemon's account has expired; set a new one"
            }
            Some(0x533) => "the daemon's account is disabled",
            Some(0x701) => "the daemon's account has expired",
            Some(0x775) => "the daemon's account is locked out",
            _ => {
                "name or password of the daemon's account is wrong; correct bind.dn or the password file"
            }
        }
    }
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server answered with a result code.
    Answered(Answer),
    /// The connection was gone before the request was sent.
    NotSent(String),
    /// The request went out and no reply came.
    Lost(String),
    /// The reply is no complete, readable answer.
    Incomplete(String),
}

impl Trouble {
    /// The fault for a read: reading again harms nobody.
    pub(super) fn of_read(&self, what: &str) -> Fault {
        match self {
            Self::Answered(answer) => answer.fault(what),
            Self::NotSent(why) | Self::Lost(why) => {
                Fault::Retry(Cause::new(format!("{what}: {why}")))
            }
            Self::Incomplete(why) => Fault::Refused(Cause::new(format!("{what}: {why}"))),
        }
    }

    /// The fault for a change: after a lost reply nobody knows whether it was made.
    pub(super) fn of_write(&self, what: &str) -> Fault {
        match self {
            Self::Answered(answer) => answer.fault(what),
            Self::NotSent(why) => Fault::Retry(Cause::new(format!("{what}: {why}"))),
            Self::Lost(why) | Self::Incomplete(why) => {
                Fault::Unknown(Cause::new(format!("{what}: {why}")))
            }
        }
    }

    /// The result code, if the server gave one.
    pub(super) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    /// True when the server gave this result code.
    pub(super) fn is(&self, code: u32) -> bool {
        self.answer().is_some_and(|answer| answer.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::busy(51, "", true)]
    #[case::unavailable(52, "", true)]
    #[case::time_limit(3, "", true)]
    #[case::stale_value(16, "", true)]
    #[case::assertion_failed(122, "", true)]
    #[case::busy_behind_unwilling(53, "0000200E: SvcErr: DSID-0315, problem 5001", true)]
    #[case::unavailable_behind_unwilling(53, "0000200F: SvcErr", true)]
    #[case::password_policy(53, "0000052D: SvcErr: DSID-031A", false)]
    #[case::primary_group(53, "0000055E: SvcErr", false)]
    #[case::size_limit(4, "", false)]
    #[case::wrong_password(49, "80090308: LdapErr: DSID-0C09, comment: x, data 52e, v1db1", false)]
    #[case::rights(50, "00002098: SecErr: DSID-0315, problem 4003 (INSUFF_ACCESS_RIGHTS)", false)]
    #[case::schema(65, "", false)]
    #[case::referral(10, "", false)]
    fn a_code_is_tried_again_only_where_waiting_helps(
        #[case] code: u32,
        #[case] text: &str,
        #[case] again: bool,
    ) {
        let fault = Answer::new(code, text).fault("x");
        assert_eq!(matches!(fault, Fault::Retry(_)), again, "{fault}");
    }

    #[rstest]
    #[case("533", "disabled")]
    #[case("775", "locked out")]
    #[case("52e", "password")]
    fn a_refused_logon_says_why(#[case] data: &str, #[case] word: &str) {
        let text = format!(
            "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data {data}, v1"
        );
        assert!(Answer::new(49, &text).fault("log-on").to_string().contains(word));
    }

    #[test]
    fn control_characters_of_a_hostile_server_are_not_shown() {
        let answer = Answer::new(80, "\u{1b}[2Jcleared\nline");
        assert!(!answer.fault("x").to_string().contains(char::is_control));
    }

    #[test]
    fn a_lost_reply_is_unknown_for_a_change_and_tried_again_for_a_read() {
        let lost = Trouble::Lost("gone".into());
        assert!(matches!(lost.of_write("x"), Fault::Unknown(_)));
        assert!(matches!(lost.of_read("x"), Fault::Retry(_)));
        assert!(matches!(Trouble::NotSent("gone".into()).of_write("x"), Fault::Retry(_)));
    }
}
