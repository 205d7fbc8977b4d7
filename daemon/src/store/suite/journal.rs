//! The journal: what becomes of steps that are there already, and how they are found.

use super::Ended;
use super::fixtures::{
    Do, NOW, TODAY, case_of, claim, connector, later, leavers, now, on, open, person, plan_of,
    planned, shown,
};
use jiff::ToSpan as _;
use lapsed::store::{AddedSteps, Change, DatabaseSettings, StepFilter, Store, StoreError};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::plan::{Plan, PlanState};
use lapsed_core::step::{Cause, Due, Found, Receipt, Step};

async fn added(store: &Store, plan: &Plan, state: PlanState) -> Result<AddedSteps, StoreError> {
    let tx = store.begin().await?;
    tx.save_plan(plan, state, &[], NOW).await?;
    let added = tx.add_steps(&plan.hash, &plan.steps, false, NOW).await?;
    tx.commit().await?;
    Ok(added)
}

async fn happen(store: &Store, step: &Step, event: StepEvent) -> Ended {
    let stored = store.read().step(step.id).await?.ok_or("no such step")?;
    let tx = store.begin().await?;
    assert_eq!(tx.set_steps(&[stored.on(event)?], NOW).await?, []);
    tx.commit().await?;
    Ok(())
}

pub async fn adding_steps_again_leaves_what_is_under_way(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let steps = [now(0, Do::Disable)?, now(0, Do::Leave(1))?];
    let plan = plan_of(&steps, "1");
    let first = added(&store, &plan, PlanState::Passed).await?;
    assert_eq!(first, AddedSteps { new: 2, ..AddedSteps::default() });
    let claimed = claim(&store, "d", 0).await?;
    let again = added(&store, &plan_of(&steps, "2"), PlanState::Passed).await?;
    assert_eq!(again, AddedSteps { left: 2, ..AddedSteps::default() });
    assert_eq!(store.read().step(steps[0].id).await?.as_ref(), claimed.first());
    let twice = [steps[0].clone(), steps[0].clone()];
    let again = added(&store, &plan_of(&twice, "twice"), PlanState::Passed).await?;
    assert_eq!(again, AddedSteps { left: 1, ..AddedSteps::default() });
    assert_eq!(store.read().step(steps[0].id).await?.as_ref(), claimed.first());
    happen(&store, &steps[0], StepEvent::AlreadySo).await?;
    // Done, and wished for again: other hands have put it back.
    let third = added(&store, &plan_of(&steps, "3"), PlanState::Passed).await?;
    assert_eq!(third, AddedSteps { reopened: 1, left: 1, ..AddedSteps::default() });
    assert!(store.read().step(steps[0].id).await?.is_some_and(|step| !step.state.has_ended()));
    Ok(())
}

pub async fn a_deletion_that_was_done_is_not_planned_again(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let steps = [on(0, Do::DeleteHome, TODAY)?];
    added(&store, &plan_of(&steps, "1"), PlanState::Passed).await?;
    claim(&store, "d", 0).await?;
    happen(&store, &steps[0], StepEvent::AlreadySo).await?;
    let again = added(&store, &plan_of(&steps, "2"), PlanState::Passed).await?;
    assert_eq!(again, AddedSteps { left: 1, ..AddedSteps::default() });
    Ok(())
}

pub async fn a_step_of_a_replaced_plan_comes_over_to_the_new_one(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let step = now(0, Do::Disable)?;
    let held = plan_of(std::slice::from_ref(&step), "1");
    added(&store, &held, PlanState::Held).await?;
    assert!(claim(&store, "d", 0).await?.is_empty());
    let passed = plan_of(&[step.clone(), now(0, Do::Leave(1))?], "1");
    let tx = store.begin().await?;
    tx.save_plan(&passed, PlanState::Passed, &[], later(1)).await?;
    assert_eq!(tx.replace_plans_of(step.case, &passed.hash).await?, 1);
    let taken = tx.add_steps(&passed.hash, &passed.steps, false, later(1)).await?;
    tx.commit().await?;
    assert_eq!(taken, AddedSteps { new: 1, taken_over: 1, ..AddedSteps::default() });
    assert_eq!(shown(&claim(&store, "d", 2).await?), ["disable guid-0"]);
    let states: Vec<_> =
        store.read().plans_of_case(step.case).await?.iter().map(|plan| plan.state).collect();
    assert_eq!(states, [PlanState::Replaced, PlanState::Passed]);
    Ok(())
}

pub async fn a_date_moves_later_but_never_earlier(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let date = |days: i64| TODAY.checked_add(days.days());
    for (version, (wished, stored)) in (0..).zip([(14, 14), (20, 20), (10, 20)]) {
        let step = on(0, Do::DeleteHome, date(wished)?)?;
        let plan = plan_of(std::slice::from_ref(&step), &format!("{version}"));
        added(&store, &plan, PlanState::Passed).await?;
        let found = store.read().step(step.id).await?.ok_or("gone")?;
        assert!(
            matches!(&found.step.due, Due::On { date: found, .. } if *found == date(stored)?),
            "{wished}: {found:?}"
        );
        let due = StepFilter { due_from: Some(date(stored)?), ..StepFilter::default() };
        assert_eq!(store.read().steps(&due).await?.len(), 1);
    }
    Ok(())
}

pub async fn a_step_that_drifted_is_planned_again(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let step = now(0, Do::Disable)?;
    planned(&store, std::slice::from_ref(&step), PlanState::Passed).await?;
    let old = claim(&store, "d", 0).await?;
    happen(&store, &step, StepEvent::Drifted(Found { description: "renamed".into() })).await?;
    let plan = plan_of(std::slice::from_ref(&step), "2");
    let again = added(&store, &plan, PlanState::Passed).await?;
    assert_eq!(again, AddedSteps { reopened: 1, ..AddedSteps::default() });
    let late = old[0].on(StepEvent::AlreadySo)?;
    let tx = store.begin().await?;
    assert_eq!(tx.set_steps(&[late], NOW).await?, [step.id], "of an earlier life");
    tx.commit().await?;
    let claimed = claim(&store, "d", 1).await?;
    assert_eq!((claimed.len(), &claimed[0].plan, claimed[0].attempts), (1, &plan.hash, 1));
    Ok(())
}

pub async fn steps_are_found_by_every_filter(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    let steps = [now(0, Do::Disable)?, on(0, Do::DeleteHome, TODAY)?, now(1, Do::Disable)?];
    let plan = planned(&store, &steps, PlanState::Passed).await?;
    claim(&store, "d", 0).await?;
    happen(&store, &steps[2], StepEvent::AlreadySo).await?;
    let any = StepFilter::default;
    let case = case_of(&person(0)?).id;
    for (filter, expected) in [
        (any(), vec!["disable guid-0", "disable guid-1", "delete_home guid-0"]),
        (StepFilter { cases: vec![case], ..any() }, vec!["disable guid-0", "delete_home guid-0"]),
        (StepFilter { people: Some(vec![person(1)?.id]), ..any() }, vec!["disable guid-1"]),
        (StepFilter { states: vec!["planned"], ..any() }, vec!["delete_home guid-0"]),
        (StepFilter { due_to: Some(TODAY), ..any() }, vec!["delete_home guid-0"]),
        (StepFilter { due_from: Some(TODAY.tomorrow()?), ..any() }, vec![]),
        (StepFilter { ended: Some(true), ..any() }, vec!["disable guid-1"]),
        (StepFilter { limit: Some(1), ..any() }, vec!["disable guid-0"]),
        (
            StepFilter { connector: Some(connector()?), plan: Some(plan.hash), ..any() },
            vec!["disable guid-0", "disable guid-1", "delete_home guid-0"],
        ),
    ] {
        let mut found = shown(&store.read().steps(&filter).await?);
        let mut expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
        if filter.limit.is_some() {
            assert_eq!(found.len(), 1);
            continue;
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{filter:?}");
    }
    Ok(())
}

pub async fn read_back_is_due_at_once_and_on_its_days(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let step = now(0, Do::Disable)?;
    planned(&store, std::slice::from_ref(&step), PlanState::Passed).await?;
    let started = claim(&store, "d", 0).await?.remove(0);
    assert!(store.read().steps_to_read_back(TODAY, 10).await?.is_empty());
    let update = started.on(StepEvent::Changed(Receipt::default()))?;
    let done = started.after(update.clone());
    let tx = store.begin().await?;
    tx.set_steps(&[update], NOW).await?;
    tx.commit().await?;
    let due = store.read().steps_to_read_back(TODAY, 10).await?;
    assert_eq!(due.as_slice(), std::slice::from_ref(&done));
    let tomorrow = TODAY.tomorrow()?;
    let seen = done.on(StepEvent::SeenAsWanted(NOW))?.recheck(Some(tomorrow), 1);
    let tx = store.begin().await?;
    assert_eq!(tx.set_steps(&[seen], NOW).await?, [], "the next update follows by itself");
    tx.commit().await?;
    assert!(store.read().steps_to_read_back(TODAY, 10).await?.is_empty());
    let again = store.read().steps_to_read_back(tomorrow, 10).await?;
    assert!(matches!(&again[0].state, StepState::Verified { .. }));
    assert_eq!(again[0].recheck_index, 1);
    Ok(())
}

/// A drip of people who have no account but in systems must not pass the guard unseen.
pub async fn whoever_loses_access_anywhere_counts_as_departing(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    let steps = [now(0, Do::Disable)?, now(1, Do::Revoke)?, now(2, Do::Leave(1))?];
    planned(&store, &steps, PlanState::Passed).await?;
    let departing = store.read().people_departing_since(NOW).await?;
    assert_eq!(departing, [steps[0].person, steps[1].person].into());
    assert!(store.read().people_departing_since(later(1)).await?.is_empty());
    Ok(())
}

pub async fn counts_and_windows_fit_the_journal(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    let steps = [
        now(0, Do::Disable)?,
        now(1, Do::Disable)?,
        now(1, Do::Leave(1))?,
        on(2, Do::DeleteHome, TODAY)?,
    ];
    planned(&store, &steps, PlanState::Passed).await?;
    assert_eq!(store.read().people_changed_since(Change::Departures, NOW).await?, 0);
    claim(&store, "d", 5).await?;
    for (change, since, people) in [
        (Change::Departures, NOW, 2),
        (Change::Departures, later(5), 2),
        (Change::Departures, later(6), 0),
        (Change::Deletions, NOW, 1),
    ] {
        assert_eq!(store.read().people_changed_since(change, since).await?, people);
    }
    happen(&store, &steps[0], StepEvent::Refused(Cause::new("no right"))).await?;
    let counts: Vec<_> = store
        .read()
        .step_counts(TODAY)
        .await?
        .into_iter()
        .map(|count| (count.state, count.steps, count.oldest, count.first_due))
        .collect();
    assert_eq!(
        counts,
        [
            ("planned".to_owned(), 1, NOW, None),
            ("refused".to_owned(), 1, NOW, None),
            ("started".to_owned(), 2, later(5), Some(TODAY)),
        ]
    );
    Ok(())
}
