//! What people decide: a held plan is released or rejected by its hash, and a phone call.

use super::cast::{MASS, user_id};
use super::stage::Show;
use super::{Demo, watch};
use crate::{Done, Failure};
use std::collections::BTreeSet;
use std::time::Instant;

impl Demo {
    pub(super) fn decide(&mut self) -> Done<()> {
        self.stage.act("People decide what the guard holds");
        let none = || Failure::new("a plan that should be held is not");
        let mass = self.held_plan(&format!("{MASS} people"))?.ok_or_else(none)?;
        let mass = mass[..12].to_owned();
        self.stage.say("A held plan stays whole until somebody decides on it, by its hash. The wrong mapping first:");
        self.lapsed(&["plans", "show", &mass], Show::Head(16))?;
        self.lapsed(
            &["reject", &mass, "--reason", "Wrong code in HR's export; HR sends it again"],
            Show::All,
        )?;

        let one = self.mismatch_plan()?.ok_or_else(none)?;
        let one = one[..12].to_owned();
        let id = user_id(&self.agency, self.cast.mismatch)?;
        self.stage.line("");
        self.stage.say(&format!(
            "Then {id}: HR's row says another name than the account, so it was held. A call to HR: the name \
             changed by marriage, and the departure is real. The operator releases that plan, and no other."
        ));
        self.lapsed(&["plans", "show", &one], Show::Head(14))?;
        let before = watch::look(&self.slapd)?;
        let arguments =
            ["release", one.as_str(), "--reason", "Changed name; confirmed with HR by phone"];
        self.stage.prompt(&super::typed(&arguments));
        let since = Instant::now();
        let output = self.site.run(&arguments)?;
        let ids = BTreeSet::from([id.clone()]);
        let seen = watch::until_gone(&self.slapd, since, &ids, |_, _| ())
            .map_err(|e| e.during(self.site.log()))?;
        self.stage.output(&String::from_utf8_lossy(&output.stdout), Show::All);
        let after = watch::look(&self.slapd)?;
        let newly: BTreeSet<String> = after.shut.difference(&before.shut).cloned().collect();
        self.stage.claim(newly == ids, format!("{id}, and nobody else, was shut by the release"));
        let out = after.groups(&id) == 0;
        self.stage.claim(out, format!("{id} is out of all {} groups", before.groups(&id)));
        self.seen.extend(seen);

        self.stage.line("");
        self.stage.say("HR sends the file again, with the right code.");
        let feed = self.feed(4)?;
        self.site.drop_file("hr-5.csv", feed.text()?)?;
        self.stage.prompt("mv hr-5.csv inbox/");
        self.site.wait_for("the corrected file is taken", || {
            Ok(self.site.receipt("accepted", "hr-5.csv").is_ok())
        })?;
        let formula = user_id(&self.agency, self.cast.formula)?;
        self.site.wait_for("the held plan of the poisoned row is replaced", || {
            Ok(self.held_plan(&formula)?.is_none())
        })?;
        self.lapsed(&["plans"], Show::All)?;
        self.lapsed(&["status"], Show::Head(9))?;
        let after = watch::look(&self.slapd)?;
        let mut safe = true;
        for person in &self.cast.mass {
            safe &= !after.shut.contains(&user_id(&self.agency, *person)?);
        }
        self.stage.claim(safe, format!("the {MASS} still have their access"));
        let one = user_id(&self.agency, self.cast.mass[0])?;
        let person = self.site.json(&["person", &one])?;
        let employed = person["standing"].as_str() == Some("employed");
        self.stage.claim(employed, format!("{one}, one of them, counts as employed again"));
        Ok(())
    }

    pub(super) fn phone(&mut self) -> Done<()> {
        self.stage.act("The phone rings");
        let id = user_id(&self.agency, self.cast.phone)?;
        self.stage.say(&format!(
            "The HR director is on the phone: {id} was dismissed a minute ago and is on the way back to the desk."
        ));
        let before = watch::look(&self.slapd)?;
        let reason = "Dismissed; call by the HR director";
        let arguments = ["depart", id.as_str(), "--now", "--reason", reason];
        self.stage.prompt(&super::typed(&arguments));
        let since = Instant::now();
        let output = self.site.run(&arguments)?;
        let ids = BTreeSet::from([id.clone()]);
        let seen = watch::until_gone(&self.slapd, since, &ids, |_, _| ())
            .map_err(|e| e.during(self.site.log()))?;
        self.stage.output(&String::from_utf8_lossy(&output.stdout), Show::All);
        let Some(times) = seen.get(&id).copied() else { return Ok(()) };
        self.seen.extend(seen);
        self.stage.claim(
            !watch::can_log_on(&self.slapd, &id)?,
            format!(
                "disabled {:.2} s after Enter was pressed, out of all {} groups after {:.2} s",
                times.shut.as_secs_f64(),
                before.groups(&id),
                times.out.as_secs_f64()
            ),
        );
        self.site.wait_for("the steps are read back", || {
            let person = self.site.json(&["person", &id])?;
            let steps = person["cases"][0]["steps"].as_array().cloned().unwrap_or_default();
            let mut at_once = steps.iter().filter(|step| step["due"] == "at once");
            Ok(!steps.is_empty() && at_once.all(|step| step["state"] == "verified"))
        })?;
        self.lapsed(&["person", &id], Show::All)?;
        Ok(())
    }
}
