//! `leavers_vs_script` and `leavers_vs_grouped`: a tenth of the directory leaves at once. `urgent_vs_ldapmodify`:
//! one after the other, each by its own drop.

use super::Sizes;
use super::land::Land;
use super::report::{Goal, Row};
use super::timing::{command_seconds, median, percentile, seconds};
use crate::agency::{Agency, Departure, HrOptions, today, yesterday};
use crate::{Done, Failure};
use std::time::Instant;

/// Measures the rows, on one server.
///
/// # Errors
///
/// When a side fails, or shuts other accounts than it should.
pub fn rows(sizes: &Sizes) -> Done<Vec<Row>> {
    let (took, mut land) = seconds(|| Land::new(sizes))?;
    println!("    {} people loaded and adopted in {took:.0} s", land.agency.people.len());
    let setting = land.setting();
    let mut sequence = 2;
    let urgent = urgent(&mut land, sizes, &mut sequence, &setting)?;
    let mut rows = at_once(&mut land, sizes, &mut sequence, &setting)?;
    rows.push(urgent);
    Ok(rows)
}

fn at_once(land: &mut Land, sizes: &Sizes, sequence: &mut u32, setting: &str) -> Done<Vec<Row>> {
    let count = sizes.people / 10;
    // Those of the row before are left out; each side of each round has people of its own.
    let skipped = sizes.urgent * 2;
    let all = land.agency.ordinary_leavers(sizes.people);
    let mut sets =
        all[skipped.min(all.len())..].chunks(count.min((all.len() - skipped) / (3 * sizes.rounds)));
    let mut next =
        || sets.next().map(<[usize]>::to_vec).ok_or_else(|| Failure::new("too few people"));
    let (mut ours, mut single, mut grouped) = (Vec::new(), Vec::new(), Vec::new());
    let mut gone: Vec<usize> = all[..skipped / 2].to_vec();
    for round in 0..sizes.rounds {
        let leavers = next()?;
        let shut = land.shut_count()?;
        gone.extend(&leavers);
        let departures = gone.iter().map(|&who| Departure::on(who, yesterday())).collect();
        let feed = land.agency.to_hr_csv(&HrOptions::full(today(), *sequence, departures));
        land.site.drop_file(&format!("hr-{sequence:04}.csv"), feed)?;
        *sequence += 1;
        let (took, ()) = seconds(|| land.site.once())?;
        expect(land, shut + leavers.len())?;
        ours.push(took);
        for (file, into) in [
            (land.single_changes(&next()?)?, &mut single),
            (land.grouped_changes(&next()?)?, &mut grouped),
        ] {
            into.push(command_seconds(land.tool("ldapmodify")?.arg("-f").arg(file))?);
        }
        println!(
            "    round {}: {} leavers: ours {:.1} s, one by one {:.1} s, grouped {:.1} s",
            round + 1,
            leavers.len(),
            ours[round],
            single[round],
            grouped[round]
        );
    }
    let row = |name: &str, theirs: &[f64], goal: f64| Row {
        name: name.into(),
        ours: median(&ours),
        theirs: Some(median(theirs)),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!(
            "{setting}; {count} leavers a round, from drop to the end of `run --once`"
        ),
        goal: Goal::RatioAtMost(goal),
        points: Vec::new(),
    };
    Ok(vec![row("leavers_vs_script", &single, 0.25), row("leavers_vs_grouped", &grouped, 1.0)])
}

fn expect(land: &Land, wanted: usize) -> Done<()> {
    let found = land.shut_count()?;
    if found == wanted {
        return Ok(());
    }
    Err(Failure::new(format!("{found} accounts are shut, not {wanted}\n{}", land.site.log())))
}

/// One departure from drop to read-back, by delta feeds, against one `ldapmodify` with the same changes.
fn urgent(land: &mut Land, sizes: &Sizes, sequence: &mut u32, setting: &str) -> Done<Row> {
    let all = land.agency.ordinary_leavers(sizes.people);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    land.site.start()?;
    for number in 0..sizes.urgent {
        let (mine, script) = (all[number], all[sizes.urgent + number]);
        let feed = land.agency.to_hr_csv(&HrOptions::delta(
            today(),
            *sequence,
            vec![Departure::on(mine, yesterday())],
        ));
        let user_id = land.agency.people[mine].user_id().unwrap_or_default().to_owned();
        let dropped = Instant::now();
        land.site.drop_file(&format!("hr-{sequence:04}.csv"), feed)?;
        *sequence += 1;
        wait_until_shut(land, &user_id)?;
        ours.push(dropped.elapsed().as_secs_f64() * 1000.0);
        let file = land.grouped_changes(&[script])?;
        theirs.push(command_seconds(land.tool("ldapmodify")?.arg("-f").arg(file))? * 1000.0);
    }
    land.site.stop()?;
    println!(
        "    {} single departures: ours p50 {:.0}, p90 {:.0}, p99 {:.0} ms, theirs p50 {:.0}, p90 {:.0}, p99 {:.0} ms",
        sizes.urgent,
        median(&ours),
        percentile(&ours, 90),
        percentile(&ours, 99),
        median(&theirs),
        percentile(&theirs, 90),
        percentile(&theirs, 99)
    );
    Ok(Row {
        name: "urgent_vs_ldapmodify".into(),
        ours: percentile(&ours, 99),
        theirs: Some(percentile(&theirs, 99)),
        unit: "ms",
        rounds: sizes.urgent,
        setting: format!(
            "{setting}; p99; ours from the drop until the account is shut and out of its groups"
        ),
        goal: Goal::RatioAtMost(3.0),
        points: Vec::new(),
    })
}

/// Seen on the server itself: shut, and in no group any more.
fn wait_until_shut(land: &Land, user_id: &str) -> Done<()> {
    let dn = Agency::openldap_dn(land.slapd.base(), user_id);
    let deadline = Instant::now() + std::time::Duration::from_secs(60);
    while Instant::now() < deadline {
        let entry = land.slapd.read(&dn, &["pwdAccountLockedTime", "memberOf"])?;
        if entry.is_some_and(|e| {
            e.first("pwdaccountlockedtime").is_some() && e.get("memberof").is_empty()
        }) {
            return Ok(());
        }
    }
    Err(Failure::new(format!("{user_id} is not shut after a minute\n{}", land.site.log())))
}
