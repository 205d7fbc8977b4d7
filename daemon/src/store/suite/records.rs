//! People, drops, departures, plans, holds, names.

use super::Ended;
use super::fixtures::{
    Do, NOW, TODAY, case_of, connector, later, leavers, name, now, open, person, plan_of, source,
    tamper,
};
use lapsed::store::{
    CaseFilter, DatabaseSettings, Decision, DropRecord, DropState, IdOrigin, SetAside, StoreError,
    UserIdRecord,
};
use lapsed_core::facts::{
    Actor, CaseState, EmployeeNumber, LinkedAccount, PersonId, StableId, UserId,
};
use lapsed_core::guard::Finding;
use lapsed_core::holds::{Held, Hold};
use lapsed_core::plan::{PlanHash, PlanState};
use std::collections::HashMap;
use uuid::Uuid;

pub async fn people_are_found_by_every_key(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 5).await?;
    let read = store.read();
    let (two, three) = (person(2)?, person(3)?);
    assert_eq!(read.person(two.id).await?.as_ref(), Some(&two));
    let numbers = [name::<EmployeeNumber>("e2")?];
    let user_ids = [name::<UserId>("Z3DOE")?, name::<UserId>("z2doe")?];
    assert_eq!(read.people_by_keys(&numbers, &user_ids).await?, [two.clone(), three.clone()]);
    let guid = [name::<StableId>("guid-3")?, name::<StableId>("guid-99")?];
    assert_eq!(read.people_by_account(&connector()?, &guid).await?, [three]);
    assert!(read.people_by_account(&name("library")?, &guid).await?.is_empty());
    for text in ["z2DOE", " E2 ", &two.id.to_string()] {
        assert_eq!(read.find_person(text).await?.as_slice(), std::slice::from_ref(&two), "{text}");
    }
    assert!(read.find_person("nobody%").await?.is_empty());
    let page = read.people_page(Some(two.id), 2).await?;
    assert_eq!(page, [person(3)?, person(4)?]);
    assert_eq!(read.people_page(None, 100).await?.len(), 5);
    Ok(())
}

pub async fn a_changed_key_finds_a_person_no_longer(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let mut changed = person(0)?;
    changed.accounts[0].user_id = name("ZNewDoe")?;
    // Two people with one number: it was given anew after years.
    let mut second = person(1)?;
    second.engagements[0].employee_number = Some(name("E0")?);
    let tx = store.begin().await?;
    tx.save_people(&[changed.clone(), second.clone()]).await?;
    tx.commit().await?;
    assert!(store.read().find_person("z0doe").await?.is_empty());
    assert_eq!(store.read().find_person("znewdoe").await?, [changed.clone()]);
    assert_eq!(store.read().find_person("E0").await?, [changed, second]);
    Ok(())
}

pub async fn a_person_known_by_a_stated_user_id_only_is_found(
    settings: &DatabaseSettings,
) -> Ended {
    let store = open(settings).await?;
    let mut stated = person(0)?;
    stated.accounts.clear();
    stated.engagements[0].employee_number = None;
    stated.engagements[0].user_id = Some(name("MZSmitJ")?);
    let tx = store.begin().await?;
    tx.save_person(&stated).await?;
    tx.commit().await?;
    let by_key = store.read().people_by_keys(&[], &[name::<UserId>("mzsmitj")?]).await?;
    assert_eq!(by_key.as_slice(), std::slice::from_ref(&stated));
    assert_eq!(store.read().find_person("MZSMITJ").await?, [stated]);
    Ok(())
}

pub async fn a_link_loses_nothing_that_was_noticed_meanwhile(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let read_before = person(0)?;
    // While the directory is asked, a drop states another engagement.
    let mut meanwhile = read_before.clone();
    let mut second = meanwhile.engagements[0].clone();
    second.employee_number = Some(name("E77")?);
    meanwhile.engagements.push(second);
    let tx = store.begin().await?;
    tx.save_person(&meanwhile).await?;
    tx.commit().await?;
    let renamed = LinkedAccount { user_id: name("ZNewDoe")?, ..read_before.accounts[0].clone() };
    let added = LinkedAccount { id: name("guid-900")?, ..renamed.clone() };
    let unknown = PersonId(Uuid::from_u128(4_711));
    let links = [
        (read_before.id, vec![renamed.clone()]),
        (read_before.id, vec![added.clone(), added.clone()]),
        (unknown, vec![added.clone()]),
    ];
    for _ in 0..2 {
        let tx = store.begin().await?;
        tx.link_accounts(&links).await?;
        tx.commit().await?;
    }
    meanwhile.accounts = vec![renamed, added.clone()];
    let stored = store.read().people(&[read_before.id, unknown]).await?;
    assert_eq!(stored.as_slice(), std::slice::from_ref(&meanwhile));
    assert!(store.read().find_person("z0doe").await?.is_empty());
    assert_eq!(
        store.read().people_by_account(&connector()?, &[added.id]).await?.as_slice(),
        std::slice::from_ref(&meanwhile)
    );
    meanwhile.episode = 1;
    let tx = store.begin().await?;
    assert_eq!(tx.bump_episode(read_before.id, 0).await?.as_ref(), Some(&meanwhile));
    assert_eq!(tx.bump_episode(read_before.id, 0).await?, None, "ended once");
    tx.commit().await?;
    assert_eq!(store.read().person(read_before.id).await?, Some(meanwhile));
    Ok(())
}

pub async fn a_mark_set_again_since_it_was_read_stays(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 4).await?;
    let ids = (0..4)
        .map(|n| Ok(person(n)?.id))
        .collect::<Result<Vec<_>, lapsed_core::facts::Invalid>>()?;
    let mark = async |who: &[PersonId], seconds| -> Ended {
        let tx = store.begin().await?;
        tx.mark_to_decide(who, later(seconds)).await?;
        tx.commit().await?;
        Ok(())
    };
    mark(&[ids[0], ids[1], ids[2], ids[0]], 10).await?;
    let read = store.read().people_to_decide().await?;
    assert_eq!(read.keys().copied().collect::<Vec<_>>(), ids[..3]);
    // Later, at the same moment, by a clock behind; and one who was not marked.
    mark(&ids[1..2], 20).await?;
    mark(&ids[2..], 5).await?;
    let tx = store.begin().await?;
    tx.clear_to_decide(&ids, &read).await?;
    tx.commit().await?;
    let left = store.read().people_to_decide().await?;
    assert_eq!(left.keys().copied().collect::<Vec<_>>(), ids[1..]);
    assert_eq!(left[&ids[1]], later(20));
    let tx = store.begin().await?;
    tx.clear_to_decide(&ids, &left).await?;
    tx.commit().await?;
    assert!(store.read().people_to_decide().await?.is_empty());
    Ok(())
}

fn a_drop(number: u128, state: DropState) -> Result<DropRecord, lapsed_core::facts::Invalid> {
    Ok(DropRecord {
        id: Uuid::from_u128(number),
        sha256: format!("digest-{number}"),
        source: source()?,
        file_name: format!("drop-{number}.csv"),
        received_at: later(i64::try_from(number).unwrap_or(0)),
        state,
        sequence: Some(7),
        headcount: Some(u64::MAX >> 1),
        as_of: Some(TODAY),
        counts: serde_json::json!({"taken": 3}),
        rejection: None,
    })
}

pub async fn drops_are_known_by_their_digest(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let taken = a_drop(1, DropState::Accepted)?;
    let mut rejected = a_drop(2, DropState::Rejected)?;
    rejected.rejection = Some("the trailer says 5 rows, there are 4".into());
    let tx = store.begin().await?;
    tx.record_drop(&taken).await?;
    tx.record_drop(&rejected).await?;
    tx.commit().await?;
    let read = store.read();
    assert_eq!(read.drop_by_digest("digest-2").await?.as_ref(), Some(&rejected));
    assert_eq!(read.drop_by_digest("digest-3").await?, None);
    assert_eq!(read.last_accepted_drop(&source()?).await?.as_ref(), Some(&taken));
    assert_eq!(read.last_accepted_drop(&name("badges")?).await?, None);
    assert_eq!(read.recent_drops(10).await?, [rejected, taken]);
    Ok(())
}

pub async fn statements_are_remembered_by_source(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let pair = |key: &str, digest: &str| (key.to_owned(), digest.to_owned());
    let tx = store.begin().await?;
    tx.save_statement_digests(&source()?, &[pair("a", "1"), pair("b", "1"), pair("b", "2")])
        .await?;
    tx.save_statement_digests(&name("badges")?, &[pair("a", "9")]).await?;
    tx.save_statement_digests(&source()?, &[pair("a", "3")]).await?;
    tx.commit().await?;
    let asked = ["b".to_owned(), "unknown".to_owned()];
    let some = store.read().statement_digests_of(&source()?, &asked).await?;
    assert_eq!(some, HashMap::from([("b".to_owned(), "2".to_owned())]));
    let mut found = Vec::new();
    store.read().each_statement_digest(&source()?, |key, said| found.push((key, said))).await?;
    assert_eq!(found, [pair("a", "3"), pair("b", "2")]);
    Ok(())
}

pub async fn departures_come_due(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 3).await?;
    let mut soon = case_of(&person(0)?);
    soon.state = CaseState::Scheduled;
    soon.effective_at = later(10);
    let mut later_on = case_of(&person(1)?);
    later_on.state = CaseState::Scheduled;
    later_on.effective_at = later(20);
    let tx = store.begin().await?;
    tx.save_cases(&[later_on.clone(), soon.clone()]).await?;
    tx.commit().await?;
    let read = store.read();
    assert_eq!(read.case(soon.id).await?.as_ref(), Some(&soon));
    assert_eq!(read.next_case_at().await?, Some(later(10)));
    assert!(read.cases_due(later(9)).await?.is_empty());
    assert_eq!(read.cases_due(later(10)).await?, [soon.clone()]);
    assert_eq!(read.cases_due(later(20)).await?, [soon.clone(), later_on]);
    let theirs = CaseFilter {
        people: Some(vec![soon.person]),
        states: vec![CaseState::Scheduled],
        ..CaseFilter::default()
    };
    assert_eq!(read.cases(&theirs).await?, [soon.clone()]);
    let none = CaseFilter {
        people: Some(vec![soon.person]),
        states: vec![CaseState::Open],
        ..CaseFilter::default()
    };
    assert!(read.cases(&none).await?.is_empty());
    let nobody = CaseFilter { people: Some(Vec::new()), ..CaseFilter::default() };
    assert!(read.cases(&nobody).await?.is_empty());
    assert_eq!(read.cases(&CaseFilter::default()).await?.len(), 3);
    Ok(())
}

pub async fn plans_keep_their_decisions(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 1).await?;
    let plan = plan_of(&[now(0, Do::Disable)?], "1");
    let findings = [Finding::NoBaseline];
    let decision = |who: &str, seconds| {
        Ok::<_, lapsed_core::facts::Invalid>(Decision {
            by: name::<Actor>(who)?,
            at: later(seconds),
            reason: Some("by phone".into()),
            expires_at: Some(later(seconds + 100)),
        })
    };
    let tx = store.begin().await?;
    assert_eq!(tx.save_plan(&plan, PlanState::Held, &findings, NOW).await?, None);
    tx.set_plan_state(&plan.hash, PlanState::Held, Some(&decision("olga", 1)?)).await?;
    let again = tx.save_plan(&plan, PlanState::Passed, &[], later(2)).await?;
    assert_eq!(again, Some(PlanState::Held), "the same wish attaches to the same plan");
    tx.set_plan_state(&plan.hash, PlanState::Released, Some(&decision("olga", 3)?)).await?;
    tx.set_plan_state(&plan.hash, PlanState::Released, Some(&decision("piet", 4)?)).await?;
    tx.save_plans(&[(&plan, PlanState::Passed, &[])], later(5)).await?;
    let missing = PlanHash("feed".into());
    let refused = tx.set_plan_state(&missing, PlanState::Rejected, None).await;
    assert!(matches!(refused, Err(StoreError::NoSuchPlan { .. })));
    tx.commit().await?;
    let read = store.read();
    let stored = read.plan(&plan.hash).await?.ok_or("gone")?;
    assert_eq!(stored.plan, plan);
    assert_eq!((stored.state, stored.created_at), (PlanState::Released, NOW));
    assert_eq!(stored.findings, findings);
    let operators: Vec<_> = stored.released_by.iter().map(Actor::as_str).collect();
    assert_eq!(operators, ["olga", "piet"]);
    assert_eq!(stored.decided_at, Some(later(4)));
    assert_eq!(stored.release_expires_at, Some(later(104)));
    assert_eq!(read.plans_by_prefix(plan.hash.short()).await?.as_slice(), [stored]);
    for prefix in ["", "%", "_", "xyz"] {
        assert!(read.plans_by_prefix(prefix).await?.is_empty(), "{prefix}");
    }
    assert!(read.plans(&[PlanState::Held]).await?.is_empty());
    assert_eq!(read.plans(&[PlanState::Held, PlanState::Released]).await?.len(), 1);
    Ok(())
}

pub async fn holds_are_placed_and_lifted(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    leavers(&store, 2).await?;
    let hold = Hold {
        of: Held::Person(person(0)?.id),
        authority: "counsel".into(),
        reason: "litigation".into(),
        placed_at: NOW,
        placed_by: name("carla")?,
        review_on: Some(TODAY),
        lifted_at: None,
    };
    let second = Hold { authority: "records".into(), ..hold.clone() };
    let tx = store.begin().await?;
    tx.save_hold(&hold).await?;
    tx.save_hold(&second).await?;
    tx.commit().await?;
    assert_eq!(store.read().holds().await?.len(), 2);
    let lifted = Hold { lifted_at: Some(later(9)), ..hold };
    let tx = store.begin().await?;
    tx.save_hold(&lifted).await?;
    tx.commit().await?;
    assert_eq!(store.read().holds().await?, [second]);
    assert_eq!(store.read().holds_of(person(0)?.id).await?.len(), 2);
    assert!(store.read().holds_of(person(1)?.id).await?.is_empty());
    Ok(())
}

pub async fn rows_set_aside_stay_until_settled(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let came_with = a_drop(1, DropState::Accepted)?;
    let mut aside = SetAside {
        id: Uuid::from_u128(5),
        drop: Some(came_with.id),
        source: source()?,
        file_name: "drop.csv".into(),
        line: Some(3),
        reason: "the date 2026-02-30 does not exist".into(),
        who: Some("E5".into()),
        at: NOW,
        settled_at: None,
    };
    let tx = store.begin().await?;
    tx.record_drop(&came_with).await?;
    tx.set_aside(std::slice::from_ref(&aside)).await?;
    tx.commit().await?;
    assert_eq!(store.read().open_set_asides().await?.as_slice(), std::slice::from_ref(&aside));
    aside.settled_at = Some(later(1));
    let tx = store.begin().await?;
    tx.set_aside(&[aside]).await?;
    tx.commit().await?;
    assert!(store.read().open_set_asides().await?.is_empty());
    Ok(())
}

pub async fn a_user_id_once_taken_stays_taken(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let record = |text: &str, person: Option<PersonId>| {
        let user_id = name::<UserId>(text)?;
        Ok::<_, lapsed_core::facts::Invalid>(UserIdRecord {
            user_id,
            person,
            origin: IdOrigin::Seen,
            at: NOW,
        })
    };
    let owner = person(1)?.id;
    let tx = store.begin().await?;
    tx.save_user_ids(&[record("ZDoe", None)?, record("zdoe", None)?]).await?;
    tx.save_user_ids(&[record("ZDOE", Some(owner))?]).await?;
    tx.save_user_ids(&[record("ZDOE", Some(person(2)?.id))?]).await?;
    tx.commit().await?;
    let found = store.read().user_id(&name("zDoE")?).await?;
    assert_eq!(found, Some(record("ZDoe", Some(owner))?), "first seen, first owner");
    assert!(!store.read().user_id_taken(&name("zother")?).await?);
    assert_eq!(store.read().taken_user_ids().await?, ["zdoe".to_owned()].into());
    Ok(())
}

pub async fn settings_take_any_value(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let tx = store.begin().await?;
    tx.set_setting("paused", &true).await?;
    tx.set_setting("hostile", &"\u{0}\u{1b}[31m'; DROP TABLE people; --").await?;
    tx.commit().await?;
    assert_eq!(store.read().setting("paused").await?, Some(true));
    let hostile: Option<String> = store.read().setting("hostile").await?;
    assert_eq!(hostile.as_deref(), Some("\u{0}\u{1b}[31m'; DROP TABLE people; --"));
    assert_eq!(store.read().setting::<bool>("nothing").await?, None);
    tamper(settings, "UPDATE settings SET value = 'true or so' WHERE key = 'paused'").await?;
    let wrong = match store.read().setting::<u32>("hostile").await {
        Ok(_) => return Err("a text was read as a number".into()),
        Err(error) => format!("{error:?}"),
    };
    assert!(!wrong.contains("DROP"), "an error quotes what is stored: {wrong}");
    let damaged = store.read().setting::<bool>("paused").await;
    assert!(matches!(damaged, Err(StoreError::Body { .. })));
    Ok(())
}

pub async fn one_daemon_at_a_time_has_the_turn(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    for (owner, at, until, expected) in [
        ("one", 0, 60, true),
        ("two", 59, 119, false),
        ("one", 59, 90, true),
        ("two", 89, 150, false),
        ("two", 90, 150, true),
        ("one", 91, 150, false),
        // The clock was set back by an hour: the turn of before counts no more.
        ("one", 91 - 3_600, 150 - 3_600, true),
    ] {
        let got = store.take_turn("plan", owner, later(at), later(until)).await?;
        assert_eq!(got, expected, "{owner} at {at}");
    }
    assert!(store.take_turn("something else", "one", NOW, later(1)).await?);
    Ok(())
}
