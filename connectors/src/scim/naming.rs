//! Between user IDs and what a system calls them: a template one way, and its reverse.

use lapsed_core::facts::UserId;
use lapsed_core::policy::departure::{TemplateError, account_name};

/// A user ID that stands in no template by itself.
const PROBE: &str = "zqxlapsedxqz";

/// What a system calls the account of a user ID.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    template: String,
    prefix: String,
    suffix: String,
}

impl Naming {
    /// Tries the template; the error completes `match.user_id_as …`.
    pub(super) fn new(template: &str) -> Result<Self, String> {
        let probe = UserId::new(PROBE).map_err(|error| error.to_string())?;
        let tried = account_name("match.user_id_as", template, &probe)
            .map_err(|error| format!("is no template that can be carried out: {}", said(&error)))?;
        match tried.split_once(PROBE) {
            Some((prefix, suffix)) if !suffix.contains(PROBE) => Ok(Self {
                template: template.to_owned(),
                prefix: prefix.to_owned(),
                suffix: suffix.to_owned(),
            }),
            _ => Err("must have the user ID in it once: \"{{ user_id }}@example.org\"".into()),
        }
    }

    /// What the system calls the account of a user ID.
    pub(super) fn there(&self, user_id: &UserId) -> Result<String, TemplateError> {
        account_name("match.user_id_as", &self.template, user_id)
    }

    /// The user ID of what the system calls an account; what does not fit the template as it stands.
    pub(super) fn here(&self, name: &str) -> Option<UserId> {
        let long = self.prefix.len() + self.suffix.len();
        let fits = name.len() > long
            && name.get(..self.prefix.len()).is_some_and(|p| p.eq_ignore_ascii_case(&self.prefix))
            && name
                .get(name.len() - self.suffix.len()..)
                .is_some_and(|s| s.eq_ignore_ascii_case(&self.suffix));
        let within = if fits {
            name.get(self.prefix.len()..name.len() - self.suffix.len()).unwrap_or(name)
        } else {
            name
        };
        UserId::new(within).ok()
    }
}

fn said(error: &TemplateError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("{{ user_id }}", "mzsmitj", "mzsmitj")]
    #[case("{{ user_id }}@dmh.test", "mzsmitj@DMH.test", "mzsmitj")]
    #[case("{{ user_id }}@dmh.test", "mzsmitj@other.test", "mzsmitj@other.test")]
    #[case("DMH\\{{ user_id }}", "dmh\\mzsmitj", "mzsmitj")]
    #[case("{{ user_id }}@dmh.test", "@dmh.test", "@dmh.test")]
    fn what_a_system_calls_an_account_leads_back_to_the_user_id(
        #[case] template: &str,
        #[case] name: &str,
        #[case] user_id: &str,
    ) {
        let naming = Naming::new(template).unwrap();
        assert_eq!(naming.here(name).unwrap().as_str(), user_id);
    }

    #[rstest]
    #[case("everybody")]
    #[case("")]
    #[case("{{ user_id")]
    #[case("{{ name }}")]
    #[case("{{ user_id }}{{ user_id }}")]
    fn a_template_without_the_user_id_is_refused(#[case] template: &str) {
        assert!(Naming::new(template).is_err());
    }
}
