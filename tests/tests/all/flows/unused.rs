//! Accounts that nobody used for long: shut by night, the lag of the directory's own record counted (S3).

use super::directory::{Kind, LogOn};
use super::stage::{SUPERVISOR, Stage, joins};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use rstest::rstest;

const SETTINGS: [(&str, &str); 2] = [
    (
        "    account: { connector: directory }",
        "    account: { connector: directory, lock_after_days: 60 }",
    ),
    ("keeps_last_use: false", "keeps_last_use: true"),
];
const DAYS: i64 = 60;

/// Days for which Active Directory does not write a later log-on down (MS-ADA1 2.351); OpenLDAP has none.
fn lag(kind: Kind) -> i64 {
    match kind {
        Kind::OpenLdap => 0,
        Kind::SambaAd => 14,
    }
}

fn now() -> Zoned {
    Zoned::now().with_time_zone(TimeZone::get("America/Chicago").unwrap())
}

fn look(stage: &Stage) {
    stage.site.printed(&["findings", "--now", "--reason", "a test"]).unwrap();
}

fn set_day(stage: &mut Stage, day: Date) {
    stage.site.stop().unwrap();
    stage.site.set_clock(&format!("{day} 09:00:00"));
    stage.start();
}

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn an_account_is_shut_the_day_after_its_sixty_days_and_the_lag_and_a_log_on_begins_them_anew(
    #[case] kind: Kind,
) {
    let Some(mut stage) = Stage::among_strangers(kind, &SETTINGS) else { return };
    let people =
        [("Quillfeather", "mzquilj"), ("Oakenshield", "mzoakej"), ("Tumbleweed", "mztumbj")];
    for (last, _) in people {
        stage.given(&joins(last, "John"));
    }
    let [used, unused, logs_on] = people.map(|(_, user_id)| user_id);
    // Tomorrow, and not near its midnight: how long this takes makes no difference to what is counted.
    let (today, allowed) = (now(), DAYS + lag(kind));
    let tomorrow = today.checked_add(Span::new().days(1)).unwrap();
    let noon = tomorrow.with().hour(12).build().unwrap();
    let ago = |days: i64| noon.checked_sub(Span::new().days(days)).unwrap().timestamp();
    for (user_id, days) in [(used, allowed), (unused, allowed + 1)] {
        let password = stage.opened(SUPERVISOR, user_id);
        stage.directory.last_used(user_id, &password, ago(days)).unwrap();
    }
    stage.directory.password_is_kept(logs_on).unwrap();
    let password = stage.opened(SUPERVISOR, logs_on);
    assert!(!stage.directory.shows_use(logs_on).unwrap());
    assert_eq!(stage.directory.log_on(logs_on, &password).unwrap(), LogOn::Fine);
    assert!(stage.directory.shows_use(logs_on).unwrap());
    stage.changed();

    set_day(&mut stage, noon.date());
    look(&stage);
    stage.waits_until(unused, true);
    stage.stopped_by(&["inactivity"]);
    stage.shows("unused");
    stage.nothing_to_do();

    // A review lets it go on; from then on its days count anew.
    let review = ["unsuspend", unused, "--kind", "inactivity", "--authority", "A. Li"];
    stage.site.printed(&[&review[..], &["--reason", "Needed in winter"]].concat()).unwrap();
    stage.waits_until(unused, false);
    stage.stopped_by(&[]);
    look(&stage);
    stage.stopped_by(&[]);

    set_day(&mut stage, today.date().checked_add(Span::new().days(allowed)).unwrap());
    look(&stage);
    stage.waits_until(used, true);
    stage.stopped_by(&["inactivity"]);
    assert!(!stage.directory.is_shut(logs_on).unwrap(), "its last day");
    set_day(&mut stage, today.date().checked_add(Span::new().days(allowed + 2)).unwrap());
    look(&stage);
    stage.waits_until(logs_on, true);
    stage.waits_until(unused, true);
}
