//! The proof that all was done, and the look ahead.

use super::stage::Show;
use super::{Demo, watch};
use crate::Done;
use crate::Failure;
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// How far ahead the demo looks.
const DAYS: i32 = 200;

impl Demo {
    pub(super) fn prove(&mut self) -> Done<()> {
        self.stage.act("Proof");
        self.stage.say(
            "Every notice, decision and change is a row in a chain of hashes: what is changed, removed or cut \
             off later shows. And a second plan, made from the directory as it is now, must be empty.",
        );
        let output = self.lapsed(&["audit", "verify"], Show::All)?;
        self.stage.claim(output.status.success(), "the audit is sound");
        let before = watch::everything(&self.slapd)?;
        let output = self.lapsed(&["plan"], Show::All)?;
        self.stage.claim(output.status.success(), "there is nothing left to do");
        self.stage.claim(before == watch::everything(&self.slapd)?, "planning wrote nothing");
        let shut = watch::look(&self.slapd)?.shut;
        let newly: BTreeSet<String> = shut.difference(&self.shut_before).cloned().collect();
        let told: BTreeSet<String> = self.seen.keys().cloned().collect();
        self.stage.claim(
            newly == told,
            format!("of all accounts, just the {} that you saw are newly disabled", told.len()),
        );
        Ok(())
    }

    pub(super) fn look_ahead(&mut self) -> Done<()> {
        let until = self.today.checked_add(DAYS.days()).map_err(|e| Failure::new(e.to_string()))?;
        self.stage.act("200 days ahead");
        self.stage.say("The same code, looking ahead instead of acting. The calendar of what is still to come:");
        let before = watch::everything(&self.slapd)?;
        let text = until.to_string();
        let arguments = ["simulate", "--until", text.as_str()];
        self.lapsed(&arguments, Show::Head(60))?;
        let view = self.site.json(&arguments)?;
        let entries = view["entries"].as_array().cloned().unwrap_or_default();
        let dates: Vec<Date> =
            entries.iter().filter_map(|e| e["date"].as_str()?.parse().ok()).collect();
        let within = dates.iter().all(|date| *date >= self.today && *date <= until);
        self.stage.claim(
            within && dates.is_sorted() && dates.len() == entries.len() && !dates.is_empty(),
            format!("{} entries, all of them between today and {until}", dates.len()),
        );
        self.stage.claim(before == watch::everything(&self.slapd)?, "looking ahead wrote nothing");
        Ok(())
    }

    pub(super) fn close(mut self) -> Done<()> {
        self.stage.act("What was measured");
        let mut times: Vec<f64> = self.seen.values().map(|seen| seen.shut.as_secs_f64()).collect();
        let mut out: Vec<f64> = self.seen.values().map(|seen| seen.out.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        out.sort_by(f64::total_cmp);
        let p50 = |sorted: &[f64]| sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let max = |sorted: &[f64]| sorted.last().copied().unwrap_or_default();
        self.stage.line(format!(
            "{} accounts, from drop, release or call to what ldapsearch saw:",
            times.len()
        ));
        self.stage.line(format!(
            "  disabled           p50 {:>5.2} s   max {:>5.2} s",
            p50(&times),
            max(&times)
        ));
        self.stage.line(format!(
            "  out of all groups  p50 {:>5.2} s   max {:>5.2} s",
            p50(&out),
            max(&out)
        ));
        self.stage.claim(max(&times) < 10.0, "everyone was disabled within seconds");
        let ended = self.site.stop()?;
        self.stage.claim(ended, "the daemon ended by itself when told to");
        self.beside.stop()?;
        self.slapd.stop()?;
        self.stage.finish()
    }
}
