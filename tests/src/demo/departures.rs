//! The day's file: leavers of all kinds.

use super::cast::{second_account, user_id};
use super::feed::Feed;
use super::stage::Show;
use super::{BASE, Demo, watch};
use crate::agency::{Departure, HrOptions};
use crate::{Done, Failure};
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// What an administrator looks at to see whether an account is shut.
const ACCOUNT: [&str; 5] =
    ["cn", "pwdAccountLockedTime", "description", "loginShell", "employeeNumber"];

impl Demo {
    /// The departures of the day's file, those of the future and the mismatch included.
    pub(super) fn notices(&self) -> Done<Vec<Departure>> {
        let yesterday = self.yesterday()?;
        let mut all: Vec<Departure> = self
            .cast
            .leaving()
            .iter()
            .map(|(person, _)| match *person == self.cast.dismissed {
                true => Departure { person: *person, last_day: self.today, for_cause: true },
                false => Departure::on(*person, yesterday),
            })
            .collect();
        all.push(Departure::on(self.cast.future, self.future_day()?));
        all.push(Departure::on(self.cast.mismatch, yesterday));
        Ok(all)
    }

    fn future_day(&self) -> Done<Date> {
        self.today.checked_add(9.days()).map_err(|e| Failure::new(e.to_string()))
    }

    /// A full feed with the day's departures, and with the row that does not agree with its account.
    pub(super) fn feed(&self, sequence: u32) -> Done<Feed> {
        let mut feed =
            Feed::of(&self.agency, HrOptions::full(self.today, sequence, self.notices()?))?;
        let number = &self.agency.people[self.cast.mismatch].employee_number;
        feed.change(number, &[("LAST_NAME", "Featherstone")])?;
        Ok(feed)
    }

    /// Who must be gone after the first file, with what is special about each.
    fn expected(&self) -> Done<BTreeMap<String, String>> {
        let mut expected = BTreeMap::new();
        for (person, special) in self.cast.leaving() {
            expected.insert(user_id(&self.agency, person)?, special.to_owned());
        }
        if let Some(second) = second_account(&self.agency, self.cast.administrator) {
            expected.insert(second, "that administrator's account".to_owned());
        }
        Ok(expected)
    }

    pub(super) fn departures(&mut self) -> Done<()> {
        self.stage.act("HR drops the day's file");
        let who = user_id(&self.agency, self.cast.facility)?;
        self.stage
            .say(&format!("One of the leavers is {who}. First, the directory's own word on it:"));
        let filter = format!("(uid={who})");
        let groups = watch::groups_filter(BASE, &who);
        self.ldapsearch(&filter, &ACCOUNT)?;
        self.ldapsearch(&groups, &["cn"])?;
        let before = watch::look(&self.slapd)?;
        let logged_on = watch::can_log_on(&self.slapd, &who)?;
        self.stage.claim(
            logged_on,
            format!("{who} can log on, and is in {} groups", before.groups(&who)),
        );

        let expected = self.expected()?;
        let ids: BTreeSet<String> = expected.keys().cloned().collect();
        let feed = self.feed(2)?;
        self.stage.line("");
        self.stage.say(&format!(
            "HR drops hr-2.csv: {} rows. {} accounts must be shut now; one departure lies ahead; one row has \
             another name than the account. Seconds since the drop, as ldapsearch sees it:",
            feed.count(),
            ids.len(),
        ));
        let text = feed.text()?;
        self.stage.prompt("mv hr-2.csv inbox/");
        let since = Instant::now();
        self.site.drop_file("hr-2.csv", text)?;
        let stage = &self.stage;
        let seen = watch::until_gone(&self.slapd, since, &ids, |user_id, seen| {
            let special = expected.get(user_id).map_or("", String::as_str);
            stage.line(format!(
                "  {user_id:<12} disabled {:>5.2} s, out of {:>2} groups {:>5.2} s   {special}",
                seen.shut.as_secs_f64(),
                before.groups(user_id),
                seen.out.as_secs_f64(),
            ));
        })
        .map_err(|e| e.during(self.site.log()))?;
        self.seen.extend(seen);
        self.stage.pause(1500);

        self.stage.line("");
        self.stage.say(&format!("And {who} afterwards:"));
        self.ldapsearch(&filter, &ACCOUNT)?;
        self.ldapsearch(&groups, &["cn"])?;
        self.check_departures(&ids, &before, &who)?;
        self.site
            .wait_for("the receipt", || Ok(self.site.receipt("accepted", "hr-2.csv").is_ok()))?;
        self.stage.line("");
        self.stage.say("HR finds a receipt beside the moved file:");
        self.stage.prompt("cat accepted/*hr-2.csv.receipt.txt");
        let receipt = self.site.receipt("accepted", "hr-2.csv")?;
        self.stage.output(&receipt, Show::All);
        self.stage.claim(receipt.contains("TAKEN"), "the receipt says that the file was taken");
        self.calendar()
    }

    fn check_departures(
        &mut self,
        ids: &BTreeSet<String>,
        before: &watch::Sight,
        who: &str,
    ) -> Done<()> {
        let after = watch::look(&self.slapd)?;
        let newly: BTreeSet<String> = after.shut.difference(&before.shut).cloned().collect();
        self.stage.claim(&newly == ids, format!("exactly these {} accounts were shut", ids.len()));
        let others = after.members_but(ids);
        // The emptied group becomes its own member.
        let sole = |(group, _): &(String, String)| group != "records-custodian";
        let same = others.iter().filter(|m| sole(m)).eq(before.members_but(ids).iter());
        self.stage.claim(same, "everybody else is in the same groups as before");
        self.stage.claim(
            !watch::can_log_on(&self.slapd, who)?,
            format!("{who} can no longer log on with the old password"),
        );
        let left: Vec<_> =
            after.members.iter().filter(|(group, _)| group == "records-custodian").collect();
        self.stage.claim(
            matches!(left.as_slice(), [(_, own)] if own.starts_with("cn=records-custodian,")),
            "records-custodian, which lost its only member, is still there, with nobody in it",
        );
        for (person, what) in [
            (self.cast.mismatch, "whose row has another name, is held and not touched"),
            (self.cast.future, "who leaves in nine days, is not touched before the time"),
        ] {
            let id = user_id(&self.agency, person)?;
            let untouched = !after.shut.contains(&id) && after.groups(&id) == before.groups(&id);
            self.stage.claim(untouched, format!("{id}, {what}"));
        }
        Ok(())
    }

    fn calendar(&mut self) -> Done<()> {
        self.stage.line("");
        self.stage.say(
            "The deletions of the leavers are on the calendar, each with the reason for its date and the \
             policy clause:",
        );
        self.lapsed(&["due"], Show::All)?;
        let due = self.site.json(&["due"])?;
        let entries = due["entries"].as_array().cloned().unwrap_or_default();
        let mut complete = true;
        for (person, _) in self.cast.leaving() {
            let id = user_id(&self.agency, person)?;
            let on = |what: &str| {
                let wanted = format!("{what} of {id}");
                let entry = entries.iter().find(|entry| entry["what"] == wanted.as_str())?;
                entry["date"].as_str()?.parse::<Date>().ok()
            };
            let days = if self.agency.people[person].worksite.id == 'z' { 180 } else { 30 };
            let home = self.today.checked_add(days.days()).ok();
            let mailbox = on("delete mailbox");
            let earliest = self.today.checked_add(15.days()).ok();
            complete &= on("delete home directory") == home
                && mailbox >= earliest
                && mailbox.is_some_and(|date| date.weekday().to_monday_one_offset() < 6);
        }
        self.stage.claim(
            complete,
            "each leaver's mailbox has a work day after 14 days, and each home 30 or 180 days by worksite",
        );
        let future = user_id(&self.agency, self.cast.future)?;
        let scheduled = entries.iter().any(|entry| {
            entry["person"] == future.as_str()
                && entry["what"].as_str().is_some_and(|what| what.starts_with("departure"))
        });
        self.stage.claim(scheduled, format!("the departure of {future} is scheduled"));
        Ok(())
    }
}
