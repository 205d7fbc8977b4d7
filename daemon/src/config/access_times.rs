//! When something about access recurs: its cron patterns must be some, or it would silently never come.

use super::File;
use super::rules::Judge;
use super::values::CronPattern;
use lapsed_connectors::mail::MailAddress;
use lapsed_core::policy::Policy;

impl File {
    /// The agency's rules.
    pub(super) fn policy(&self) -> Policy {
        Policy {
            time_zone: self.agency.time_zone.as_str().to_owned(),
            locations: self.locations.clone(),
            naming: self.naming.clone(),
            departure: self.departure.clone(),
            access: self.access.clone(),
            work_days: self.work_days.clone(),
            guard: self.guard.clone(),
            citations: self.citations.clone(),
        }
    }
}

impl Judge<'_> {
    /// Who gets reports.
    pub(super) fn access_reports(&mut self) {
        let reports = &self.file.access.reports;
        self.known_roles("access.reports.location_roles", &reports.location_roles);
        for (index, address) in reports.yearly_to.iter().enumerate() {
            if let Err(bad) = MailAddress::parse(address) {
                self.wrong(&format!("access.reports.yearly_to[{index}]"), bad.to_string(), "");
            }
        }
        if self.file.notices.is_none() && !reports.yearly_to.is_empty() {
            let message = "the report is mailed to nobody while there is no `notices` section";
            self.warn("access.reports.yearly_to", message, "add `mail` and `notices`");
        }
    }

    /// The patterns by which access is audited and reported on; an empty one means never.
    pub(super) fn access_times(&mut self) {
        let access = &self.file.access;
        let patterns = [
            ("access.audit.at", &access.audit.at),
            ("access.reports.roster_at", &access.reports.roster_at),
            ("access.reports.yearly_at", &access.reports.yearly_at),
        ];
        for (key, pattern) in patterns {
            if pattern.is_empty() {
                continue;
            }
            if let Err(bad) = CronPattern::new(pattern) {
                let bad = bad.to_string();
                let (message, advice) = bad.split_once("; ").unwrap_or((&bad, ""));
                self.wrong(key, message, format!("{advice}; or \"\" for never"));
            }
        }
    }
}
