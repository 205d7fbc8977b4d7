//! `adopt`.

use super::{Page, Text, counted};
use crate::views::AdoptView;

impl Text for AdoptView {
    fn write(&self, page: &mut Page) {
        page.line(if self.written {
            "Adopted: this is written."
        } else {
            "A report: nothing was written. Adopt with --write once the lists below are settled."
        });
        page.gap();
        page.field("people in feed", &self.people.to_string());
        page.field("accounts", &self.accounts.to_string());
        page.field("matched", &self.matched.to_string());
        page.field(
            "population",
            &format!("{} people, by which the guard measures", self.population),
        );
        page.field("names taken", &counted(self.names_taken, "user ID", "user IDs"));
        page.list("To settle by a person", &self.to_settle);
        page.list(
            "Have left, and still have access: the first plan shuts them",
            &self.leavers_with_access,
        );
        page.list("Shut already: their clocks start on the date given", &self.already_shut);
        page.list("Accounts with nobody in the feed: left alone", &self.without_person);
        page.list("People without an account", &self.without_account);
        page.list("User IDs off the standard: kept as they are", &self.off_standard);
        page.list("Rows set aside", &self.set_aside);
    }
}
