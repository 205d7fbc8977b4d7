//! Queues what is to be told of a departure.

use super::facts::{CaseFacts, DeletionFacts, Facts, TrustFacts};
use crate::config::NoticeSettings;
use crate::cycle::{Cycle, CycleError, shown_date};
use crate::store::{
    CaseFilter, NewNotice, NoticeEnd, NoticeFilter, NoticeState, StepFilter, StoredNotice, Tx,
};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::{Case, CaseId, CaseState, Person};
use lapsed_core::notice_rules::{About, Deletion, Kind, Thing, Told, Wanted, deletions};
use lapsed_core::observed::{Realm, Trust};
use lapsed_core::policy::naming::find_location;
use lapsed_core::shown::shown;
use lapsed_core::standing::{End, Standing, standing};
use lapsed_core::wishes::{self, Wish};

/// Cases looked at in one transaction.
const AT_ONCE: usize = 100;

/// What a supervisor is told of a hold: that there is one, not whose, or why (P2).
const HELD: &str = "an order to keep everything stands";

/// A departure with all that its notices need.
struct Known {
    case: Case,
    person: Person,
    deletions: Vec<Deletion>,
    notices: Vec<StoredNotice>,
    trust: Vec<Trust>,
    end: Option<End>,
}

/// Why a notice is not sent after an older copy of the state was put back.
pub(super) const OLDER_COPY: &str = "the state is an older copy: they may have been told before";

/// HR's files since the copy are dropped again within so long.
pub(super) const CATCHING_UP: SignedDuration = SignedDuration::from_hours(14 * 24);

/// True where an older copy of the state was put back lately, and the accounts of a departure that was opened
/// since were found shut already: this was done before, and told. Its moment says nothing: a departure that is
/// back-dated counts from when it is heard of.
async fn may_have_been_told(tx: &Tx, case: &Case) -> Result<bool, CycleError> {
    let Some(behind) = tx.read().behind().await? else { return Ok(false) };
    let mut accounts =
        case.before.iter().filter(|(_, account)| account.realm == Realm::Directory).peekable();
    let since = case.opened_at.duration_since(behind.noticed_at);
    Ok((SignedDuration::ZERO..=CATCHING_UP).contains(&since)
        && accounts.peek().is_some()
        && accounts.all(|(_, account)| !account.enabled))
}

impl Cycle {
    /// Queues what goes out once all accounts of a departure are shut (D9, A10, S7).
    /// In a transaction of its own: nothing that goes wrong here may hold up what ends access. What was
    /// not queued now is queued by the next look around.
    pub(crate) async fn tell_shut(&self, cases: &[CaseId], now: Timestamp) {
        if self.config.notices.is_none() || cases.is_empty() {
            return;
        }
        let queued = async {
            let tx = self.store.begin().await?;
            for case in cases {
                self.tell(&tx, *case, now, |about| about.at_disabling()).await?;
            }
            Ok::<_, CycleError>(tx.commit().await?)
        };
        if let Err(error) = queued.await {
            tracing::error!(%error, "notices of departures were not queued; they are tried again");
        }
    }

    /// Queues what those have to hear whom a departure's changed dates concern.
    pub(crate) async fn tell_changes(
        &self,
        tx: &Tx,
        case: CaseId,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        self.tell(tx, case, now, |about| about.corrected().into_iter().collect()).await
    }

    /// Looks through all departures with deletions to come: second notices whose day has come, and
    /// changes that nobody has told yet (a hold, say).
    pub(crate) async fn tell_what_is_ahead(&self, now: Timestamp) -> Result<(), CycleError> {
        if self.config.notices.is_none() {
            return Ok(());
        }
        let mut cases = self.store.read().cases(&CaseFilter::default()).await?;
        cases.retain(|case| case.disabled_on.is_some() && case.state != CaseState::Closed);
        let lately = self
            .today(now)
            .checked_sub(jiff::Span::new().days(2))
            .unwrap_or(jiff::civil::Date::MIN);
        let shut = cases.iter().filter(|case| case.disabled_on.is_some_and(|day| day >= lately));
        self.tell_shut(&shut.map(|case| case.id).collect::<Vec<_>>(), now).await;
        for some in cases.chunks(AT_ONCE) {
            let tx = self.store.begin().await?;
            for case in some {
                self.tell(&tx, case.id, now, |about| {
                    let corrected = about.corrected();
                    about.ahead().into_iter().chain(corrected).collect()
                })
                .await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        tx: &Tx,
        case: CaseId,
        now: Timestamp,
        question: impl Fn(&About<'_>) -> Vec<Wanted>,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let Some(known) = self.known(tx, case, now).await? else { return Ok(()) };
        let wanted = self.wanted(settings, &known, now, question);
        let new: Vec<NewNotice> = wanted
            .iter()
            .filter(|wanted| known.notices.iter().all(|there| there.id != wanted.id))
            .map(|wanted| self.written(settings, &known, wanted))
            .collect();
        if new.iter().any(|notice| notice.kind == Kind::DatesChanged) {
            supersede(tx, &known.notices, now).await?;
        }
        let queued = tx.queue_notices(&new, now).await?;
        if !queued.is_empty() && may_have_been_told(tx, &known.case).await? {
            tx.doubt_queued(&queued, OLDER_COPY, now).await?;
        }
        Ok(())
    }

    fn wanted(
        &self,
        settings: &NoticeSettings,
        known: &Known,
        now: Timestamp,
        question: impl Fn(&About<'_>) -> Vec<Wanted>,
    ) -> Vec<Wanted> {
        let told: Vec<Told> = known.notices.iter().map(told).collect();
        let end = known.end.as_ref();
        question(&About {
            case: &known.case,
            person: &known.person,
            deletions: &known.deletions,
            supervisor: end.and_then(|end| end.supervisor.as_ref()),
            worksite: end.and_then(|end| end.worksite.as_ref()),
            held_in_trust: !known.trust.is_empty(),
            told: &told,
            rules: &settings.rules(),
            work_days: &self.config.policy.work_days,
            today: self.today(now),
        })
    }

    /// What a notice about the latest departure of a person would be told; nothing where there is none.
    pub(super) async fn facts_of(
        &self,
        person: &Person,
        now: Timestamp,
    ) -> Result<Option<CaseFacts>, CycleError> {
        let filter = CaseFilter { people: Some(vec![person.id]), ..CaseFilter::default() };
        let Some(case) = self.store.read().cases(&filter).await?.pop() else { return Ok(None) };
        // It writes nothing, and is dropped as it is.
        let tx = self.store.begin().await?;
        let Some(known) = self.known(&tx, case.id, now).await? else { return Ok(None) };
        let Some(settings) = &self.config.notices else { return Ok(None) };
        let dates = known.deletions.clone();
        let wanted = Wanted {
            id: Default::default(),
            kind: Kind::Manager,
            to: lapsed_core::notice_rules::Addressee::AccountManagement,
            dates,
            before: Vec::new(),
        };
        Ok(Some(self.facts(settings, &known, &wanted)))
    }

    async fn known(
        &self,
        tx: &Tx,
        case: CaseId,
        now: Timestamp,
    ) -> Result<Option<Known>, CycleError> {
        let read = tx.read();
        let Some(case) = read.case(case).await? else { return Ok(None) };
        let Some(person) = read.person(case.person).await? else { return Ok(None) };
        let filter = StepFilter { cases: vec![case.id], ..StepFilter::default() };
        let steps = read.steps(&filter).await?;
        let held = (!read.holds_over(person.id).await?.is_empty()).then_some(HELD);
        let wishes = read.wishes_of(&[person.id]).await?;
        let filter = NoticeFilter { cases: vec![case.id], ..NoticeFilter::default() };
        let notices = read.notices(&filter).await?;
        let end = match standing(&person, now, &self.config.time_zone) {
            Standing::Left(end) | Standing::Leaving(end) => Some(end),
            Standing::Employed | Standing::Unknown => None,
        };
        let mut deletions = deletions(&case, steps.iter().map(|s| (&s.step, &s.state)), held);
        keep(&mut deletions, &wishes);
        let trust = self.held_in_trust(&read, &case, &person, now).await?;
        Ok(Some(Known { case, person, deletions, notices, trust, end }))
    }

    fn written(&self, settings: &NoticeSettings, known: &Known, wanted: &Wanted) -> NewNotice {
        let facts = Facts::Case(Box::new(self.facts(settings, known, wanted)));
        let user_id = user_id(known);
        let letter = super::wording::written(&settings.wording, wanted.kind, &facts, &user_id);
        NewNotice {
            id: wanted.id,
            kind: wanted.kind,
            case: Some(known.case.id),
            person: Some(known.person.id),
            about: user_id,
            addressee: wanted.to.clone(),
            addresses: Vec::new(),
            subject: letter.subject,
            body: letter.body,
            told: wanted.dates.clone(),
            by_digest: wanted.kind.is_for_digest_only(),
        }
    }

    fn facts(&self, settings: &NoticeSettings, known: &Known, wanted: &Wanted) -> CaseFacts {
        let user_id = user_id(known);
        let own = known.person.name().map(|name| name.display());
        let of_account = known.case.before.iter().map(|(_, account)| account.name.display());
        let name = own.into_iter().chain(of_account).find(|name| !name.trim().is_empty());
        let name = name.map(|name| shown(&name));
        let worksite = known.end.as_ref().and_then(|end| end.worksite.as_ref());
        let location = worksite.and_then(|id| find_location(&self.config.policy.locations, id));
        CaseFacts {
            agency: self.config.agency.name.clone(),
            person: match &name {
                Some(name) => format!("{name} ({user_id})"),
                None => user_id.clone(),
            },
            name: name.unwrap_or_else(|| user_id.clone()),
            user_id,
            location: location.map(|(_, location)| location.name.clone()),
            shut_on: known.case.disabled_on.map(shown_date).unwrap_or_default(),
            contact: settings.account_management.join(", "),
            deletions: wanted.dates.iter().map(DeletionFacts::from).collect(),
            before: wanted.before.iter().map(DeletionFacts::from).collect(),
            held_in_trust: known.trust.iter().map(TrustFacts::from).collect(),
        }
    }
}

/// The user ID that stands in notices: that of the directory account; a person's own id where there is
/// none, never a number of HR's (P2).
fn user_id(known: &Known) -> String {
    let directory = |realm| realm == Realm::Directory;
    let mut accounts = known.case.before.iter().map(|(_, account)| account);
    let found = accounts.find(|a| directory(a.realm)).map(|a| a.user_id.to_string());
    let found = found.or_else(|| known.person.user_ids().first().map(ToString::to_string));
    shown(&found.unwrap_or_else(|| format!("person {}", known.person.id)))
}

/// A mailbox that somebody needs, or that is to be kept, stays while that is so (D8, D9).
fn keep(deletions: &mut [Deletion], wishes: &[Wish]) {
    let stays = |wish: &Wish| {
        wish.stands()
            && matches!(
                wish.what,
                wishes::Wanted::Delegate { .. } | wishes::Wanted::KeepMail { .. }
            )
    };
    if !wishes.iter().any(stays) {
        return;
    }
    for deletion in deletions.iter_mut().filter(|d| d.thing == Thing::Mailbox) {
        deletion.on = None;
        deletion.reason = "somebody needs it".into();
    }
}

fn told(notice: &StoredNotice) -> Told {
    Told { kind: notice.kind, to: notice.addressee.clone(), dates: notice.told.clone() }
}

/// What still waits with older dates is not sent any more: the correction says it all. The first notice
/// stays, since it says what is theirs to do.
async fn supersede(tx: &Tx, notices: &[StoredNotice], now: Timestamp) -> Result<(), CycleError> {
    let stale = |notice: &&StoredNotice| {
        matches!(notice.kind, Kind::DatesChanged | Kind::DeletionAhead)
            && notice.state == NoticeState::Queued
    };
    let end = NoticeEnd::Superseded("the dates changed again before it was sent".into());
    for notice in notices.iter().filter(stale) {
        tx.end_notice(notice.id, notice.token, &end, now).await?;
    }
    Ok(())
}
