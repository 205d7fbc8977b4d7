//! Holds on populations and wishes: looked at in the claim itself.

use super::Ended;
use super::fixtures::{
    Do, NOW, TODAY, case_of, claim, claim_of, connector, later, leavers, name, now, on, open,
    person, planned, shown, tamper,
};
use lapsed::store::{DatabaseSettings, Store, StoredStep};
use lapsed_core::facts::{ConnectorName, GroupName, PersonId};
use lapsed_core::holds::{Held, Hold, Population};
use lapsed_core::journal::StepEvent;
use lapsed_core::observed::{GroupKind, GroupLink, ObservedAccount, Realm};
use lapsed_core::plan::PlanState;
use lapsed_core::step::{Cause, Receipt};
use lapsed_core::wishes::{Wanted, Wish};
use std::collections::BTreeSet;
use uuid::Uuid;

fn order(of: Held) -> Result<Hold, lapsed_core::facts::Invalid> {
    Ok(Hold {
        of,
        authority: "counsel".into(),
        reason: "litigation".into(),
        placed_at: NOW,
        placed_by: name("carla")?,
        review_on: None,
        lifted_at: None,
    })
}

async fn hold(store: &Store, population: Population, lifted: bool) -> Ended {
    let lifted_at = lifted.then(|| later(1));
    let hold = Hold { lifted_at, ..order(Held::Population(population))? };
    let tx = store.begin().await?;
    tx.save_hold(&hold).await?;
    tx.commit().await?;
    Ok(())
}

async fn wish(
    store: &Store,
    id: u128,
    what: Wanted,
    ended: bool,
) -> Result<Wish, Box<dyn std::error::Error + Send + Sync>> {
    let wish = Wish {
        id: Uuid::from_u128(id),
        person: person(0)?.id,
        what,
        authority: "supervisor".into(),
        asked_by: name("carla")?,
        at: NOW,
        ended_at: ended.then(|| later(1)),
        ended_because: None,
    };
    let tx = store.begin().await?;
    tx.save_wishes(std::slice::from_ref(&wish)).await?;
    tx.commit().await?;
    Ok(wish)
}

fn reader() -> Result<Wanted, lapsed_core::facts::Invalid> {
    Ok(Wanted::Delegate { to: name("reader")? })
}

/// What becomes of claimed steps; says how many another had written.
async fn told(
    store: &Store,
    steps: &[StoredStep],
    event: StepEvent,
) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let updates = steps.iter().map(|s| s.on(event.clone())).collect::<Result<Vec<_>, _>>()?;
    let tx = store.begin().await?;
    let lost = tx.set_steps(&updates, NOW).await?;
    tx.commit().await?;
    Ok(lost.len())
}

async fn done(store: &Store, steps: &[StoredStep]) -> Ended {
    assert_eq!(told(store, steps, StepEvent::Changed(Receipt::default())).await?, 0);
    Ok(())
}

/// Three leavers whose homes are due: at b, at z, and at a place that nobody knows.
async fn three_homes(store: &Store) -> Ended {
    leavers(store, 3).await?;
    let tx = store.begin().await?;
    for (number, site) in [(0, "b"), (1, "z")] {
        let mut person = person(number)?;
        person.engagements[0].worksite = Some(name(site)?);
        person.engagements[0].kind = Some(name(if number == 0 { "staff" } else { "Intern" })?);
        tx.save_person(&person).await?;
    }
    tx.commit().await?;
    let homes = (0..3).map(|n| on(n, Do::DeleteHome, TODAY)).collect::<Result<Vec<_>, _>>()?;
    planned(store, &homes, PlanState::Passed).await?;
    Ok(())
}

async fn homes_claimed(
    store: &Store,
) -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
    let claimed = claim(store, "d", 0).await?;
    let names = shown(&claimed);
    // Given back, so that the next question is asked of the same.
    let again = StepEvent::RetryAt(NOW, Cause::new("not now"));
    assert_eq!(told(store, &claimed, again).await?, 0);
    Ok(names)
}

pub async fn a_hold_on_a_population_keeps_everyone_whom_it_describes(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    three_homes(&store).await?;
    assert_eq!(homes_claimed(&store).await?.len(), 3);
    let cases = [
        (Population::Everyone, vec![]),
        (Population::Location(name("B")?), vec!["delete_home guid-1"]),
        (Population::Kind(name("intern")?), vec!["delete_home guid-0"]),
        (
            Population::Group(name("Nurses")?),
            vec!["delete_home guid-0", "delete_home guid-1", "delete_home guid-2"],
        ),
    ];
    for (population, left) in cases {
        let shown = population.describe();
        hold(&store, population.clone(), false).await?;
        assert_eq!(homes_claimed(&store).await?, left, "{shown}");
        let held: BTreeSet<PersonId> = store.read().people_held().await?;
        assert_eq!(held.len(), 3 - left.len(), "{shown}");
        hold(&store, population, true).await?;
        assert_eq!(homes_claimed(&store).await?.len(), 3, "{shown} lifted");
    }
    Ok(())
}

pub async fn a_hold_on_a_population_keeps_whom_nothing_is_known_of(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    three_homes(&store).await?;
    hold(&store, Population::Location(name("4")?), false).await?;
    // Person 2 may have worked there: nobody knows.
    assert_eq!(homes_claimed(&store).await?, ["delete_home guid-0", "delete_home guid-1"]);
    assert_eq!(store.read().people_in(&Population::Location(name("4")?)).await?, 1);
    assert_eq!(store.read().people_in(&Population::Location(name("b")?)).await?, 2);
    assert_eq!(store.read().people_in(&Population::Everyone).await?, 3);
    assert_eq!(store.read().holds_over(person(2)?.id).await?.len(), 1);
    assert!(store.read().holds_over(person(0)?.id).await?.is_empty());
    Ok(())
}

pub async fn who_moved_elsewhere_stays_under_the_hold(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    three_homes(&store).await?;
    hold(&store, Population::Location(name("b")?), false).await?;
    let tx = store.begin().await?;
    let mut moved = person(0)?;
    moved.engagements[0].worksite = Some(name("z")?);
    tx.save_person(&moved).await?;
    // The groups of before the departure, which the account has left by now.
    let nurses = GroupLink { id: name("g")?, name: "Nurses".into(), kind: GroupKind::Plain };
    let mut case = case_of(&person(1)?);
    let connector: ConnectorName = connector()?;
    case.before.push((connector, account(1, vec![nurses])?));
    tx.save_case(&case).await?;
    case.before.clear();
    tx.save_case(&case).await?;
    tx.commit().await?;
    assert_eq!(homes_claimed(&store).await?, ["delete_home guid-1"]);
    hold(&store, Population::Group(GroupName::new("nurses")?), false).await?;
    assert_eq!(homes_claimed(&store).await?, [] as [&str; 0]);
    Ok(())
}

fn account(
    number: u32,
    groups: Vec<GroupLink>,
) -> Result<ObservedAccount, lapsed_core::facts::Invalid> {
    Ok(ObservedAccount {
        id: name(format!("guid-{number}"))?,
        user_id: name(format!("Z{number}Doe"))?,
        other_user_ids: Vec::new(),
        place: String::new(),
        enabled: false,
        employee_number: None,
        other_employee_numbers: Vec::new(),
        name: Default::default(),
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups,
        realm: Realm::Directory,
        held_in_trust: Vec::new(),
        details: lapsed_core::observed::Details::default(),
    })
}

pub async fn a_hold_that_this_release_does_not_know_keeps_everyone(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    three_homes(&store).await?;
    hold(&store, Population::Location(name("b")?), false).await?;
    tamper(settings, "UPDATE population_holds SET fact = 'agency', value = 'x'").await?;
    assert_eq!(homes_claimed(&store).await?, [] as [&str; 0]);
    Ok(())
}

pub async fn a_hold_placed_just_before_the_act_stops_it(settings: &DatabaseSettings) -> Ended {
    let (one, other) = (open(settings).await?, open(settings).await?);
    leavers(&one, 1).await?;
    let account = [on(0, Do::DeleteAccount, TODAY)?];
    planned(&one, &account, PlanState::Passed).await?;
    // The claim that comes while a hold is being written waits for it, and sees it.
    let tx = one.begin().await?;
    tx.save_hold(&order(Held::Person(person(0)?.id))?).await?;
    let claiming = tokio::spawn(async move {
        let connectors = [connector()?];
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            other.claim_due(&claim_of(&connectors, "other", 0)).await?,
        )
    });
    tokio::task::yield_now().await;
    tx.commit().await?;
    assert_eq!(shown(&claiming.await??), [] as [&str; 0]);
    Ok(())
}

pub async fn orders_that_cant_be_read_stop_deletions_and_nothing_else(
    settings: &DatabaseSettings,
) -> Ended {
    for table in [
        "ALTER TABLE holds RENAME TO gone",
        "ALTER TABLE gone RENAME TO holds; ALTER TABLE population_holds RENAME TO gone",
        "ALTER TABLE gone RENAME TO population_holds; ALTER TABLE person_facts RENAME TO gone",
        "ALTER TABLE gone RENAME TO person_facts; ALTER TABLE wishes RENAME TO gone",
    ] {
        let store = open(settings).await?;
        if !store.read().people_page(None, 1).await?.is_empty() {
            tamper(settings, table).await?;
        } else {
            leavers(&store, 2).await?;
            let steps = [
                on(0, Do::DeleteHome, TODAY)?,
                on(0, Do::DeleteMailbox, TODAY)?,
                now(1, Do::Disable)?,
            ];
            planned(&store, &steps, PlanState::Passed).await?;
            tamper(settings, table).await?;
        }
        assert_eq!(homes_claimed(&store).await?, ["disable guid-1"], "{table}");
    }
    tamper(settings, "ALTER TABLE gone RENAME TO wishes").await?;
    let store = open(settings).await?;
    assert_eq!(homes_claimed(&store).await?.len(), 3);
    Ok(())
}

pub async fn a_mailbox_that_somebody_reads_is_not_deleted(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let wished = wish(&store, 7, reader()?, false).await?;
    let mut steps = vec![
        now(0, Do::Give(wished.id))?,
        on(0, Do::DeleteMailbox, TODAY)?,
        on(0, Do::DeleteHome, TODAY)?,
    ];
    planned(&store, &steps, PlanState::Passed).await?;
    let given = claim(&store, "d", 0).await?;
    assert_eq!(shown(&given), ["delegate_mailbox guid-0"]);
    done(&store, &given).await?;
    let home = claim(&store, "d", 1).await?;
    assert_eq!(shown(&home), ["delete_home guid-0"], "only the mailbox stays");
    done(&store, &home).await?;
    assert!(claim(&store, "d", 2).await?.is_empty());
    // Told so: the deletion waits until the right was taken back, planned or not.
    wish(&store, 7, reader()?, true).await?;
    assert!(claim(&store, "d", 3).await?.is_empty());
    steps.push(now(0, Do::TakeBack(wished.id))?);
    planned(&store, &steps[3..], PlanState::Passed).await?;
    let back = claim(&store, "d", 4).await?;
    assert_eq!(shown(&back), ["end_delegation guid-0"]);
    assert!(claim(&store, "d", 5).await?.is_empty(), "it is under way");
    done(&store, &back).await?;
    assert_eq!(shown(&claim(&store, "d", 6).await?), ["delete_mailbox guid-0"]);
    Ok(())
}

pub async fn a_mailbox_of_which_content_is_asked_for_is_not_deleted(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let asked = Wanted::KeepMail { to: name("reader")? };
    wish(&store, 7, asked.clone(), false).await?;
    planned(&store, &[on(0, Do::DeleteMailbox, TODAY)?], PlanState::Passed).await?;
    assert!(claim(&store, "d", 0).await?.is_empty());
    wish(&store, 7, asked, true).await?;
    assert_eq!(shown(&claim(&store, "d", 1).await?), ["delete_mailbox guid-0"]);
    Ok(())
}

pub async fn a_home_waits_until_its_copy_was_read_back(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let what = Wanted::Keep { to: name("reader")?, paths: Vec::new() };
    let wished = wish(&store, 7, what.clone(), false).await?;
    let steps = [on(0, Do::DeleteHome, TODAY)?, now(0, Do::Archive(wished.id))?];
    planned(&store, &steps[..1], PlanState::Passed).await?;
    assert!(claim(&store, "d", 0).await?.is_empty(), "wished for, and not even planned");
    planned(&store, &steps[1..], PlanState::Passed).await?;
    let copying = claim(&store, "d", 1).await?;
    assert_eq!(shown(&copying), ["archive_home guid-0"]);
    done(&store, &copying).await?;
    assert!(claim(&store, "d", 2).await?.is_empty(), "not read back yet");
    let copied = store.read().steps_by_id(&[steps[1].id]).await?;
    told(&store, &copied, StepEvent::NotSeen(Cause::new("it is gone"))).await?;
    assert!(claim(&store, "d", 3).await?.is_empty(), "not there any more");
    let copied = store.read().steps_by_id(&[steps[1].id]).await?;
    told(&store, &copied, StepEvent::SeenAsWanted(NOW)).await?;
    let gone = claim(&store, "d", 4).await?;
    assert_eq!(shown(&gone), ["delete_home guid-0"]);
    // Another wish that comes now is for another copy.
    told(&store, &gone, StepEvent::RetryAt(NOW, Cause::new("later"))).await?;
    wish(&store, 8, what.clone(), false).await?;
    assert!(claim(&store, "d", 5).await?.is_empty());
    wish(&store, 8, what, true).await?;
    assert_eq!(shown(&claim(&store, "d", 6).await?), ["delete_home guid-0"]);
    Ok(())
}

pub async fn what_is_no_longer_wished_is_not_begun(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let wished = wish(&store, 7, reader()?, true).await?;
    planned(&store, &[now(0, Do::Give(wished.id))?], PlanState::Passed).await?;
    assert!(claim(&store, "d", 0).await?.is_empty());
    let off = store.read().steps_no_longer_wished().await?;
    assert_eq!(shown(&off), ["delegate_mailbox guid-0"]);
    told(&store, &off, StepEvent::Cancel("ended".into())).await?;
    assert!(store.read().steps_no_longer_wished().await?.is_empty());
    Ok(())
}

pub async fn facts_of_before_the_upgrade_are_known(settings: &DatabaseSettings) -> Ended {
    {
        let store = open(settings).await?;
        three_homes(&store).await?;
        let tx = store.begin().await?;
        let nurses = GroupLink { id: name("g")?, name: "Nurses".into(), kind: GroupKind::Plain };
        let mut case = case_of(&person(1)?);
        case.before.push((connector()?, account(1, vec![nurses])?));
        tx.save_case(&case).await?;
        tx.commit().await?;
    }
    for back in [
        "DROP TABLE wishes",
        "DROP TABLE population_holds",
        "DROP TABLE person_facts",
        "DROP INDEX steps_wish",
        "ALTER TABLE steps DROP COLUMN wish",
        "DELETE FROM seaql_migrations WHERE version = 'm20261122_000004_wishes'",
    ] {
        tamper(settings, back).await?;
    }
    let store = open(settings).await?;
    assert_eq!(store.read().people_in(&Population::Location(name("b")?)).await?, 2);
    assert_eq!(store.read().people_in(&Population::Kind(name("intern")?)).await?, 2);
    assert_eq!(store.read().people_in(&Population::Group(name("NURSES")?)).await?, 1);
    Ok(())
}
