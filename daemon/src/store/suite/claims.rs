//! Claims: never twice, never too early, never past a hold.

use super::Ended;
use super::fixtures::{
    Do, NOW, TODAY, case_of, claim, claim_of, connector, later, leavers, name, now, on, open,
    person, plan_of, planned, shown,
};
use jiff::ToSpan as _;
use lapsed::store::{Claim, DatabaseSettings, Decision, Pausable, Store, StoredStep};
use lapsed_core::facts::{Actor, CaseState, ConnectorName};
use lapsed_core::holds::{Held, Hold};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::plan::PlanState;
use lapsed_core::step::{Cause, Found, Receipt, StepId};
use std::collections::HashSet;

async fn finish(
    store: &Store,
    steps: &[StoredStep],
) -> Result<Vec<StepId>, Box<dyn std::error::Error + Send + Sync>> {
    let updates = steps
        .iter()
        .map(|step| step.on(StepEvent::Changed(Receipt::default())))
        .collect::<Result<Vec<_>, _>>()?;
    let tx = store.begin().await?;
    let lost = tx.set_steps(&updates, NOW).await?;
    tx.commit().await?;
    Ok(lost)
}

pub async fn several_claimers_never_claim_a_step_twice(settings: &DatabaseSettings) -> Ended {
    const STEPS: u32 = 400;
    let (one, other) = (open(settings).await?, open(settings).await?);
    leavers(&one, STEPS).await?;
    let steps = (0..STEPS).map(|n| now(n, Do::Disable)).collect::<Result<Vec<_>, _>>()?;
    planned(&one, &steps, PlanState::Passed).await?;
    let claimers: Vec<_> = (0..8)
        .map(|number| {
            let store = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move {
                let connectors = [connector()?];
                let owner = format!("daemon {number}");
                let mut mine = Vec::new();
                // An empty claim may only mean that others had the rows in hand just then.
                for _ in 0..100 {
                    let wish = Claim { limit: 7, ..claim_of(&connectors, &owner, 0) };
                    let claimed = store.claim_due(&wish).await?;
                    assert_eq!(finish(&store, &claimed).await?, []);
                    mine.extend(claimed.into_iter().map(|step| step.step.id));
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(mine)
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await??);
    }
    let once: HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), once.len()), (STEPS as usize, STEPS as usize));
    Ok(())
}

pub async fn a_step_waits_for_lower_ranks_of_its_case_and_connector(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let mut elsewhere = now(1, Do::Leave(2))?;
    elsewhere.connector = name("library")?;
    elsewhere.id = StepId(uuid::Uuid::from_u128(77));
    let steps = [now(1, Do::Leave(1))?, now(1, Do::Disable)?, elsewhere, now(0, Do::Leave(1))?];
    planned(&store, &steps, PlanState::Passed).await?;
    let connectors = [connector()?, name("library")?];
    let first = store.claim_due(&claim_of(&connectors, "d", 0)).await?;
    assert_eq!(shown(&first), ["disable guid-1", "guid-0 leaves group-1", "guid-1 leaves group-2"]);
    assert!(claim(&store, "d", 1).await?.is_empty(), "the disabling is still under way");
    finish(&store, &first).await?;
    assert_eq!(shown(&claim(&store, "d", 2).await?), ["guid-1 leaves group-1"]);
    Ok(())
}

fn hold(number: u32) -> Result<Hold, lapsed_core::facts::Invalid> {
    Ok(Hold {
        of: Held::Person(person(number)?.id),
        authority: "counsel".into(),
        reason: "litigation".into(),
        placed_at: NOW,
        placed_by: name::<Actor>("carla")?,
        review_on: None,
        lifted_at: None,
    })
}

async fn save_hold(store: &Store, hold: &Hold) -> Ended {
    let tx = store.begin().await?;
    tx.save_hold(hold).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn a_hold_keeps_deletions_from_being_claimed(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let steps = [
        on(0, Do::DeleteHome, TODAY)?,
        now(0, Do::Disable)?,
        on(1, Do::DeleteHome, TODAY.yesterday()?)?,
    ];
    planned(&store, &steps, PlanState::Passed).await?;
    save_hold(&store, &hold(0)?).await?;
    let first = claim(&store, "d", 0).await?;
    assert_eq!(shown(&first), ["disable guid-0", "delete_home guid-1"]);
    finish(&store, &first).await?;
    assert!(claim(&store, "d", 1).await?.is_empty());
    save_hold(&store, &Hold { lifted_at: Some(later(5)), ..hold(0)? }).await?;
    assert_eq!(shown(&claim(&store, "d", 6).await?), ["delete_home guid-0"]);
    Ok(())
}

pub async fn mail_sessions_are_ended_only_once_the_account_is_shut(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let steps = [now(0, Do::EndMailSessions)?, now(1, Do::EndMailSessions)?];
    planned(&store, &steps, PlanState::Passed).await?;
    let mut open = case_of(&person(0)?);
    open.disabled_on = None;
    let tx = store.begin().await?;
    tx.save_cases(&[open]).await?;
    tx.commit().await?;
    assert_eq!(shown(&claim(&store, "d", 0).await?), ["disable_mailbox guid-1"]);
    Ok(())
}

pub async fn deletions_need_permission_an_open_case_and_a_disabled_account(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    let steps =
        (0..3).map(|number| on(number, Do::DeleteHome, TODAY)).collect::<Result<Vec<_>, _>>()?;
    planned(&store, &steps, PlanState::Passed).await?;
    let mut not_disabled = case_of(&person(0)?);
    not_disabled.disabled_on = None;
    let mut closed = case_of(&person(1)?);
    closed.state = CaseState::Closed;
    let tx = store.begin().await?;
    tx.save_cases(&[not_disabled, closed]).await?;
    tx.commit().await?;
    let connectors = [connector()?];
    let forbidden = Claim { deletions_allowed: false, ..claim_of(&connectors, "d", 0) };
    assert!(store.claim_due(&forbidden).await?.is_empty());
    let tx = store.begin().await?;
    tx.pause(Pausable::Deletions, "by a test").await?;
    tx.commit().await?;
    assert!(claim(&store, "d", 0).await?.is_empty(), "paused");
    let tx = store.begin().await?;
    tx.resume(Pausable::Deletions).await?;
    tx.commit().await?;
    assert_eq!(shown(&claim(&store, "d", 0).await?), ["delete_home guid-2"]);
    Ok(())
}

pub async fn a_rehired_person_is_left_alone(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    planned(&store, &[now(0, Do::Disable)?, now(1, Do::Disable)?], PlanState::Passed).await?;
    let mut rehired = case_of(&person(0)?);
    rehired.state = CaseState::Rehired;
    let tx = store.begin().await?;
    tx.save_case(&rehired).await?;
    tx.commit().await?;
    assert_eq!(shown(&claim(&store, "d", 0).await?), ["disable guid-1"]);
    Ok(())
}

/// Each state of a case, and whether anything of it may be carried out.
pub async fn only_open_departures_are_carried_out(settings: &DatabaseSettings) -> Ended {
    use CaseState::{Closed, Open, Rehired, Scheduled, Withdrawn};
    let store = open(settings).await?;
    leavers(&store, 5).await?;
    let steps = (0..5).map(|n| now(n, Do::Disable)).collect::<Result<Vec<_>, _>>()?;
    planned(&store, &steps, PlanState::Passed).await?;
    let begun = claim(&store, "dead", 0).await?;
    assert_eq!(begun.len(), 5);
    let tx = store.begin().await?;
    for (number, state) in (0..).zip([Scheduled, Open, Closed, Rehired, Withdrawn]) {
        let mut case = case_of(&person(number)?);
        case.state = state;
        tx.save_case(&case).await?;
    }
    tx.commit().await?;
    assert_eq!(shown(&claim(&store, "d", 61).await?), ["disable guid-1"]);
    let directory = ConnectorName::new("directory")?;
    let left = store.read().lost_steps(&directory, later(61), "2026-11-25".parse()?).await?;
    assert!(left.steps.iter().all(|stored| left.over.contains(&stored.step.id)));
    let mut left: Vec<_> = shown(&left.steps);
    left.sort();
    assert_eq!(left, ["disable guid-0", "disable guid-2", "disable guid-3", "disable guid-4"]);
    Ok(())
}

/// One account that could not be shut keeps what belongs to the person, wherever it is.
pub async fn a_disabling_that_failed_keeps_the_deletions_of_its_case(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 4).await?;
    let mut steps = Vec::new();
    for number in 0..4 {
        steps.push(on(number, Do::DeleteHome, TODAY)?);
        let mut elsewhere = now(number, Do::Disable)?;
        elsewhere.connector = name("library")?;
        elsewhere.id = StepId(uuid::Uuid::from_u128(u128::from(number) + 900));
        steps.push(elsewhere);
    }
    planned(&store, &steps, PlanState::Passed).await?;
    assert!(claim(&store, "d", 0).await?.is_empty(), "no account is shut yet");
    let library = [name("library")?];
    let begun = store.claim_due(&claim_of(&library, "d", 0)).await?;
    let events = [
        StepEvent::Refused(Cause::new("no rights")),
        StepEvent::Changed(Receipt::default()),
        StepEvent::Drifted(Found { description: "another account".into() }),
        StepEvent::ReplyLost(Cause::new("cut")),
    ];
    let updates = begun.iter().zip(events).map(|(s, e)| s.on(e)).collect::<Result<Vec<_>, _>>()?;
    let tx = store.begin().await?;
    assert_eq!(tx.set_steps(&updates, NOW).await?, []);
    tx.commit().await?;
    assert_eq!(shown(&claim(&store, "d", 61).await?), ["delete_home guid-1"]);
    Ok(())
}

pub async fn a_lease_that_ran_out_is_taken_over_and_the_old_owner_is_fenced_off(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    planned(&store, &[now(0, Do::Disable)?], PlanState::Passed).await?;
    let slow = claim(&store, "slow", 0).await?;
    assert!(claim(&store, "quick", 59).await?.is_empty(), "the lease still holds");
    let quick = claim(&store, "quick", 60).await?;
    assert_eq!(quick.iter().map(|s| s.attempts).collect::<Vec<_>>(), [2]);
    assert_eq!(store.extend_leases(&slow, later(999)).await?, [slow[0].step.id]);
    assert_eq!(finish(&store, &slow).await?, [slow[0].step.id]);
    assert!(!slow[0].perhaps_begun && quick[0].perhaps_begun, "the slow one may have done it");
    let stored = StoredStep { perhaps_begun: false, ..quick[0].clone() };
    assert_eq!(store.read().step(slow[0].step.id).await?, Some(stored));
    assert_eq!(finish(&store, &quick).await?, []);
    let done = store.read().step(slow[0].step.id).await?.ok_or("gone")?;
    assert!(matches!(done.state, StepState::Done { .. }));
    assert_eq!((done.lease_owner, done.lease_until), (None, None));
    Ok(())
}

pub async fn what_waits_goes_on_when_the_clock_is_set_back(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let steps = [now(0, Do::Disable)?, now(1, Do::Disable)?];
    planned(&store, &steps, PlanState::Passed).await?;
    // Five hours ahead one step is begun by a daemon that dies, and one is put off.
    let ahead = 5 * 3_600;
    let begun = claim(&store, "dead", ahead).await?;
    let put_off = StepEvent::RetryAt(later(ahead + 900), Cause::new("busy"));
    let tx = store.begin().await?;
    tx.set_steps(&[begun[0].on(put_off)?], later(ahead)).await?;
    tx.commit().await?;
    assert!(claim(&store, "other", ahead - 200).await?.is_empty(), "set right by minutes");
    assert_eq!(claim(&store, "other", 0).await?.len(), 2);
    Ok(())
}

pub async fn a_restarted_daemon_takes_its_own_leases_back(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    planned(&store, &[now(0, Do::Disable)?, now(1, Do::Disable)?], PlanState::Passed).await?;
    let connectors = [connector()?];
    let other = store.claim_due(&Claim { limit: 1, ..claim_of(&connectors, "other", 0) }).await?;
    let before = claim(&store, "this", 0).await?;
    assert_eq!((other.len(), before.len()), (1, 1));
    assert_eq!(store.release_own_leases("this").await?, 1);
    let again = claim(&store, "this", 1).await?;
    assert_eq!(shown(&again), shown(&before));
    assert_eq!(finish(&store, &before).await?, [before[0].step.id], "of an earlier life");
    Ok(())
}

pub async fn an_extended_lease_is_not_taken_over(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    planned(&store, &[now(0, Do::Disable)?], PlanState::Passed).await?;
    let mine = claim(&store, "mine", 0).await?;
    assert_eq!(store.extend_leases(&mine, later(600)).await?, []);
    assert!(claim(&store, "other", 599).await?.is_empty());
    assert_eq!(finish(&store, &mine).await?, [], "extending keeps the counter");
    Ok(())
}

pub async fn only_passed_and_released_plans_are_carried_out(settings: &DatabaseSettings) -> Ended {
    use PlanState::{Held, Passed, Rejected, Released, Replaced};
    let store = open(settings).await?;
    leavers(&store, 5).await?;
    for (number, state) in (0..).zip([Held, Passed, Rejected, Released, Replaced]) {
        planned(&store, &[now(number, Do::Disable)?], state).await?;
    }
    assert_eq!(shown(&claim(&store, "d", 0).await?), ["disable guid-1", "disable guid-3"]);
    Ok(())
}

pub async fn a_release_expires_unless_it_was_used(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let tomorrow = TODAY.tomorrow()?;
    let used =
        planned(&store, &[now(0, Do::Disable)?, on(0, Do::DeleteHome, tomorrow)?], PlanState::Held)
            .await?;
    let unused = planned(&store, &[now(1, Do::Disable)?], PlanState::Held).await?;
    let decision = |seconds| Decision {
        by: Actor::new("olga").unwrap_or_else(|error| unreachable!("{error}")),
        at: NOW,
        reason: None,
        expires_at: Some(later(seconds)),
    };
    let tx = store.begin().await?;
    tx.set_plan_state(&used.hash, PlanState::Released, Some(&decision(100))).await?;
    tx.set_plan_state(&unused.hash, PlanState::Released, Some(&decision(-1))).await?;
    tx.commit().await?;
    let first = claim(&store, "d", 0).await?;
    assert_eq!(shown(&first), ["disable guid-0"], "the other release has expired");
    finish(&store, &first).await?;
    let connectors = [connector()?];
    let next_day = Claim { today: tomorrow, ..claim_of(&connectors, "d", 86_400) };
    assert_eq!(shown(&store.claim_due(&next_day).await?), ["delete_home guid-0"]);
    Ok(())
}

/// Who was asked, or may have been, is not asked anew because the release ran out meanwhile; a target that
/// could not be reached leaves the release unused.
pub async fn a_release_by_which_somebody_was_asked_is_used(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    let mut hashes = Vec::new();
    for number in 0..3 {
        let plan = planned(&store, &[now(number, Do::Disable)?], PlanState::Held).await?;
        let decision = Decision {
            by: Actor::new("olga").unwrap_or_else(|error| unreachable!("{error}")),
            at: NOW,
            reason: None,
            expires_at: Some(later(100)),
        };
        let tx = store.begin().await?;
        tx.set_plan_state(&plan.hash, PlanState::Released, Some(&decision)).await?;
        tx.commit().await?;
        hashes.push(plan.hash);
    }
    let mut steps = claim(&store, "d", 0).await?;
    steps.sort_by_key(|stored| hashes.iter().position(|hash| *hash == stored.plan));
    let events = [
        StepEvent::Asked(Receipt::default(), NOW),
        StepEvent::ReplyLost(Cause::new("cut")),
        StepEvent::RetryAt(later(30), Cause::new("away")),
    ];
    let updates = steps
        .iter()
        .zip(events)
        .map(|(step, event)| step.on(event))
        .collect::<Result<Vec<_>, _>>()?;
    let tx = store.begin().await?;
    assert_eq!(tx.set_steps(&updates, NOW).await?, []);
    tx.commit().await?;
    let released = store.read().plans(&[PlanState::Released]).await?;
    let expires =
        |hash| released.iter().find(|p| p.plan.hash == hash).map(|p| p.release_expires_at);
    let found: Vec<_> = hashes.into_iter().map(expires).collect();
    assert_eq!(found, [Some(None), Some(None), Some(Some(later(100)))]);
    Ok(())
}

pub async fn dates_and_retries_are_waited_for(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let far = TODAY.checked_add(1.day())?;
    planned(&store, &[on(0, Do::Disable, far)?, now(1, Do::Disable)?], PlanState::Passed).await?;
    let first = claim(&store, "d", 0).await?;
    assert_eq!(shown(&first), ["disable guid-1"], "tomorrow's step waits");
    let retry = first[0].on(StepEvent::RetryAt(later(30), Cause::new("busy")))?;
    let tx = store.begin().await?;
    assert_eq!(tx.set_steps(&[retry], NOW).await?, []);
    tx.commit().await?;
    assert_eq!(store.read().next_step_at(NOW).await?, Some(later(30)));
    assert!(claim(&store, "d", 29).await?.is_empty());
    let second = claim(&store, "d", 30).await?;
    assert_eq!(shown(&second), ["disable guid-1"]);
    let unknown = second[0].on(StepEvent::ReplyLost(Cause::new("cut")))?.not_before(later(90));
    let tx = store.begin().await?;
    tx.set_steps(&[unknown], NOW).await?;
    tx.commit().await?;
    // What is unknown is looked at, and not carried out before that.
    let directory = ConnectorName::new("directory")?;
    let lost = async |at| store.read().lost_steps(&directory, later(at), TODAY).await;
    assert_eq!((lost(89).await?.steps.len(), lost(90).await?.steps.len()), (0, 1));
    assert!(claim(&store, "d", 90).await?.is_empty());
    Ok(())
}

pub async fn dismissals_come_first_and_groups_together(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 4).await?;
    let steps = [
        now(0, Do::Leave(1))?,
        now(0, Do::Leave(2))?,
        now(1, Do::Leave(2))?,
        now(1, Do::Leave(1))?,
        now(2, Do::Disable)?,
    ];
    planned(&store, &steps, PlanState::Passed).await?;
    let dismissal = [now(3, Do::Leave(9))?];
    let plan = plan_of(&dismissal, "1");
    let tx = store.begin().await?;
    tx.save_plan(&plan, PlanState::Passed, &[], NOW).await?;
    tx.add_steps(&plan.hash, &dismissal, true, NOW).await?;
    tx.commit().await?;
    let claimed = shown(&claim(&store, "d", 0).await?);
    assert_eq!(claimed[..2], ["guid-3 leaves group-9", "disable guid-2"]);
    let groups: Vec<_> =
        claimed[2..].iter().map(|text| text.rsplit(' ').next().unwrap_or("")).collect();
    assert_eq!(groups, ["group-1", "group-1", "group-2", "group-2"]);
    Ok(())
}

pub async fn ten_thousand_steps_take_seconds(settings: &DatabaseSettings) -> Ended {
    const PEOPLE: u32 = 2_000;
    let store = open(settings).await?;
    leavers(&store, PEOPLE).await?;
    let mut steps = Vec::new();
    for number in 0..PEOPLE {
        steps.push(now(number, Do::Disable)?);
        for group in 0..4 {
            steps.push(now(number, Do::Leave(group))?);
        }
    }
    let started = std::time::Instant::now();
    planned(&store, &steps, PlanState::Passed).await?;
    let added = started.elapsed();
    let connectors = [connector()?];
    let started = std::time::Instant::now();
    let mut done = 0;
    loop {
        let wish = Claim { limit: 500, ..claim_of(&connectors, "d", 0) };
        let claimed = store.claim_due(&wish).await?;
        if claimed.is_empty() {
            break;
        }
        done += claimed.len();
        let updates = claimed
            .iter()
            .map(|step| step.on(StepEvent::Changed(Receipt::default())))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tx = store.begin().await?;
        assert_eq!(tx.set_steps(&updates, NOW).await?, []);
        for step in &claimed {
            let entry = lapsed::store::AuditEntry::new(NOW, "lapsed", "step_done");
            tx.audit(entry.of_step(&step.step, "D2".into()));
        }
        tx.commit().await?;
    }
    let carried_out = started.elapsed();
    println!("10,000 steps: added in {added:?}, claimed and written with audit in {carried_out:?}");
    assert_eq!(done, steps.len());
    // Far above what it takes even on a busy machine, and far below row by row.
    assert!(carried_out.as_secs() < 30, "took {carried_out:?}");
    Ok(())
}
