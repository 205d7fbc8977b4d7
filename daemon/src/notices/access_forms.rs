//! Queues what is to be told of access forms: to those whose turn it is, and of what became of them (A6,
//! A10). Never a password, and of the person the least that the reader needs (P2).

use super::facts::{Facts, FormFacts};
use super::queue::{CATCHING_UP, OLDER_COPY};
use crate::config::NoticeSettings;
use crate::cycle::access::authority::FormKnown;
use crate::cycle::{Cycle, CycleError};
use crate::store::{NewNotice, NoticeFilter, StepFilter, StoredNotice, Tx};
use jiff::Timestamp;
use lapsed_core::access::chain::{Denial, Wish};
use lapsed_core::access::form::{Asks, FiledForm};
use lapsed_core::facts::{ApproverRole, GroupName, PersonName, UserId};
use lapsed_core::notice_rules::{Addressee, Kind, notice_id};
use lapsed_core::policy::naming::find_location;
use lapsed_core::shown::shown;
use uuid::Uuid;

/// So much of a hash stands in a mail: enough to bind a decision to what was mailed.
const HASH_SHOWN: usize = 12;

/// One notice before it is written.
struct Wanted<'a> {
    kind: Kind,
    to: Addressee,
    stage: String,
    role: Option<&'a ApproverRole>,
    because: Option<&'a str>,
    nth: u16,
}

impl<'a> Wanted<'a> {
    fn new(kind: Kind, to: Addressee, stage: impl Into<String>) -> Self {
        Self { kind, to, stage: stage.into(), role: None, because: None, nth: 0 }
    }

    fn with_role(self, role: &'a ApproverRole) -> Self {
        Self { role: Some(role), ..self }
    }
}

impl Cycle {
    /// Tells those whose turn it is, once, and reminds them after some work days (A2).
    pub(crate) async fn tell_wanted(
        &self,
        tx: &mut Tx,
        known: &mut FormKnown,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let today = self.today(now);
        let there = told_of(tx, known).await?;
        // Where what it asks for has become another, the same ones are asked again.
        let hash = known.binding.clone();
        let asked = known.progress.asked();
        let mut first = Vec::new();
        for role in &asked {
            let to = self.deciding(tx, known, role, today).await?;
            let wanted = Wanted::new(Kind::ApprovalWanted, to, hash.clone()).with_role(role);
            if is_new(&there, known, &wanted) {
                first.push(wanted);
            }
        }
        if !first.is_empty() {
            self.queue_all(tx, settings, known, first, now).await?;
            known.filed.told_on = Some(today);
            known.filed.reminders = 0;
            return Ok(());
        }
        let deadlines = &self.config.policy.access.deadlines;
        let told_on = known.filed.told_on.unwrap_or(today);
        let due = self.work_days_between(told_on, today) >= deadlines.remind_after_work_days;
        if asked.is_empty() || !due || known.filed.reminders >= deadlines.reminders {
            return Ok(());
        }
        let nth = known.filed.reminders.saturating_add(1);
        let mut reminders = Vec::new();
        for role in &asked {
            let to = self.deciding(tx, known, role, today).await?;
            let stage = format!("{hash} {nth}");
            let wanted = Wanted::new(Kind::ApprovalReminder, to, stage).with_role(role);
            reminders.push(Wanted { nth, ..wanted });
        }
        if let Some(role) = asked.first().filter(|_| nth == deadlines.reminders) {
            let stage = format!("{hash} {nth} last");
            let to = Addressee::AccountManagement;
            let wanted = Wanted::new(Kind::ApprovalReminder, to, stage).with_role(role);
            reminders.push(Wanted { nth, ..wanted });
        }
        self.queue_all(tx, settings, known, reminders, now).await?;
        known.filed.told_on = Some(today);
        known.filed.reminders = nth;
        Ok(())
    }

    /// Tells the one who asked of every no, with its reason (A3).
    pub(crate) async fn tell_denials(
        &self,
        tx: &Tx,
        known: &FormKnown,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let denials: Vec<Denial> = known.progress.denials().into_iter().cloned().collect();
        let to = asker(&known.filed);
        let wanted = denials.iter().map(|denial| {
            let stage = format!("{} {}", known.filed.hash, denial.role);
            let wanted = Wanted::new(Kind::FormDenied, to.clone(), stage).with_role(&denial.role);
            Wanted { because: Some(&denial.reason), ..wanted }
        });
        self.queue_all(tx, settings, known, wanted.collect(), now).await.map(drop)
    }

    /// Tells the one who asked that nothing more comes of a form.
    pub(crate) async fn tell_form_ended(
        &self,
        tx: &Tx,
        known: &FormKnown,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let wanted = Wanted::new(Kind::FormEnded, asker(&known.filed), known.filed.hash.clone());
        let wanted = Wanted { because: Some(why), ..wanted };
        self.queue_all(tx, settings, known, vec![wanted], now).await.map(drop)
    }

    /// Tells requester, staff member, security officer and the roles of the form's rule that all that a
    /// form asks for is in place (A5, A6, A10): with the user ID, never with a password.
    pub(crate) async fn tell_in_place(
        &self,
        tx: &Tx,
        filed: &FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(()) };
        let known = self.form_known(&tx.read(), filed.clone()).await?;
        let stage = known.filed.hash.clone();
        let mut to = vec![asker(&known.filed)];
        let mut own = known.matter.subject.clone();
        own.sort_by_key(UserId::folded);
        own.dedup_by_key(|id| id.folded());
        to.push(Addressee::Named {
            what: "staff_member".into(),
            addresses: Vec::new(),
            user_ids: own,
        });
        to.push(Addressee::SecurityOfficer { location: known.matter.location.clone() });
        let rule = self.config.policy.access.forms.get(&filed.form.form);
        for role in rule.map(|rule| rule.tell.clone()).unwrap_or_default() {
            to.push(self.deciding(tx, &known, &role, self.today(now)).await?);
        }
        let wanted = to.into_iter().map(|to| Wanted::new(Kind::AccessInPlace, to, stage.clone()));
        let queued = self.queue_all(tx, settings, &known, wanted.collect(), now).await?;
        if !queued.is_empty() && was_carried_out_before(tx, filed, now).await? {
            tx.doubt_queued(&queued, OLDER_COPY, now).await?;
        }
        Ok(())
    }

    /// Those who have a role for the form's person: the addresses of the YAML, else themselves and who
    /// decides in their place.
    async fn deciding(
        &self,
        tx: &Tx,
        known: &FormKnown,
        role: &ApproverRole,
        today: jiff::civil::Date,
    ) -> Result<Addressee, CycleError> {
        let what = role.to_string();
        let rule = self.config.policy.access.approvers.get(role).cloned().unwrap_or_default();
        if !rule.mail.is_empty() {
            return Ok(Addressee::Named { what, addresses: rule.mail, user_ids: Vec::new() });
        }
        let location = known.matter.location.as_ref();
        let here =
            rule.at.iter().filter(|(at, _)| location.is_some_and(|l| l.folded() == at.folded()));
        let names = rule.users.iter().chain(here.flat_map(|(_, users)| users));
        let mut user_ids: Vec<UserId> = names.filter_map(|name| UserId::new(name).ok()).collect();
        if rule.supervisor {
            user_ids.extend(known.matter.supervisors.clone());
        }
        for absence in tx.read().absences(today).await? {
            let away = user_ids.iter().any(|id| id.folded() == absence.away.folded());
            let here =
                absence.from <= today && absence.role.as_ref().is_none_or(|only| only == role);
            if away && here {
                user_ids.extend(UserId::new(absence.deputy.as_str()));
            }
        }
        let groups = rule.groups_at(location).into_iter().filter_map(|g| GroupName::new(g).ok());
        let groups: Vec<GroupName> = groups.collect();
        if !groups.is_empty() {
            return Ok(Addressee::Members { what, user_ids, groups });
        }
        if !user_ids.is_empty() {
            return Ok(Addressee::Named { what, addresses: Vec::new(), user_ids });
        }
        Ok(match rule.operators {
            true => Addressee::AccountManagement,
            false => Addressee::Named { what, addresses: Vec::new(), user_ids },
        })
    }

    async fn queue_all(
        &self,
        tx: &Tx,
        settings: &NoticeSettings,
        known: &FormKnown,
        wanted: Vec<Wanted<'_>>,
        now: Timestamp,
    ) -> Result<Vec<Uuid>, CycleError> {
        let there = told_of(tx, known).await?;
        let kinds = settings.rules().kinds;
        let new: Vec<NewNotice> = wanted
            .iter()
            .filter(|wanted| kinds.contains(&wanted.kind) && is_new(&there, known, wanted))
            .map(|wanted| self.form_notice(settings, known, wanted))
            .collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        Ok(tx.queue_notices(&new, now).await?)
    }

    fn form_notice(
        &self,
        settings: &NoticeSettings,
        known: &FormKnown,
        wanted: &Wanted<'_>,
    ) -> NewNotice {
        let facts = self.form_facts(settings, known, wanted);
        let about = facts.user_id.clone().unwrap_or_else(|| format!("form {}", facts.number));
        let facts = Facts::Form(Box::new(facts));
        let letter = super::wording::written(&settings.wording, wanted.kind, &facts, &about);
        NewNotice {
            id: notice_id(known.filed.form.id, wanted.kind, &wanted.to, &wanted.stage),
            kind: wanted.kind,
            case: Some(known.filed.case()),
            person: Some(known.filed.person),
            about,
            addressee: wanted.to.clone(),
            addresses: Vec::new(),
            subject: letter.subject,
            body: letter.body,
            told: Vec::new(),
            by_digest: false,
        }
    }

    fn form_facts(
        &self,
        settings: &NoticeSettings,
        known: &FormKnown,
        wanted: &Wanted<'_>,
    ) -> FormFacts {
        let (filed, config) = (&known.filed, &self.config);
        let user_id = user_id(known).map(|id| shown(id.as_str()));
        let own = filed.form.person.name.clone().map(|name| PersonName::from(name).display());
        let known_as =
            known.person.as_ref().and_then(|person| person.name()).map(PersonName::display);
        let name = own.or(known_as).map(|name| shown(&name));
        let person = match (name, &user_id) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (Some(one), None) => one,
            (None, Some(one)) => one.clone(),
            (None, None) => format!("form {}", filed.number),
        };
        let parts = known.progress.parts.iter().map(|part| &part.part.what);
        let systems = parts.filter(|what| !matches!(what, Wish::Whole));
        let location = known.matter.location.as_ref();
        let location = location.and_then(|id| find_location(&config.policy.locations, id));
        let title = |role: &ApproverRole| {
            let rule = config.policy.access.approvers.get(role);
            let title = rule.map(|rule| rule.title.clone()).filter(|title| !title.is_empty());
            title.unwrap_or_else(|| role.to_string())
        };
        FormFacts {
            agency: config.agency.name.clone(),
            number: filed.number,
            asks: wording_of(filed.form.asks).to_owned(),
            person,
            user_id,
            systems: systems.map(|what| shown(&what.describe(filed.form.asks))).collect(),
            location: location.map(|(_, location)| location.name.clone()),
            role: wanted.role.map(title).unwrap_or_default(),
            hash: filed.hash.chars().take(HASH_SHOWN).collect(),
            because: wanted.because.map(shown),
            filed_on: crate::cycle::shown_date(self.today(filed.filed_at)),
            nth: wanted.nth,
            contact: settings.account_management.join(", "),
        }
    }
}

async fn told_of(tx: &Tx, known: &FormKnown) -> Result<Vec<StoredNotice>, CycleError> {
    let filter = NoticeFilter { cases: vec![known.filed.case()], ..NoticeFilter::default() };
    Ok(tx.read().notices(&filter).await?)
}

/// True where an older copy of the state was put back lately, and nothing of the form had still to be done:
/// it was carried out, and told, after the copy.
async fn was_carried_out_before(
    tx: &Tx,
    filed: &FiledForm,
    now: Timestamp,
) -> Result<bool, CycleError> {
    let Some(behind) = tx.read().behind().await? else { return Ok(false) };
    if now.duration_since(behind.noticed_at) > CATCHING_UP {
        return Ok(false);
    }
    let filter = StepFilter { cases: vec![filed.case()], ..StepFilter::default() };
    let steps = tx.read().steps(&filter).await?;
    Ok(!steps.iter().any(|stored| stored.state.receipt().is_some()))
}

fn is_new(there: &[StoredNotice], known: &FormKnown, wanted: &Wanted<'_>) -> bool {
    let id = notice_id(known.filed.form.id, wanted.kind, &wanted.to, &wanted.stage);
    there.iter().all(|notice| notice.id != id)
}

/// Whoever asked: the one whom the form names, else the one who filed it (A6).
fn asker(filed: &FiledForm) -> Addressee {
    let named = filed.form.requested_by.clone();
    let user_id = named.or_else(|| UserId::new(filed.filed_by.as_str()).ok());
    Addressee::Named {
        what: "requester".into(),
        addresses: Vec::new(),
        user_ids: user_id.into_iter().collect(),
    }
}

/// The user ID that the form gives, or the person's own.
fn user_id(known: &FormKnown) -> Option<UserId> {
    let own = known.person.as_ref().and_then(|person| person.user_ids().into_iter().next());
    known.filed.reserved.clone().or(own).or_else(|| known.filed.form.person.user_id.clone())
}

fn wording_of(asks: Asks) -> &'static str {
    match asks {
        Asks::New => "new access",
        Asks::Change => "a change of access",
        Asks::NameChange => "a change of name",
        Asks::LocationChange => "a move to another location",
        Asks::Revoke => "the end of all access",
        Asks::Leave => "a leave of absence",
        Asks::Return => "the return from a leave",
        Asks::Suspend => "a stop of access",
        Asks::Lift => "the end of a stop",
        Asks::ResetPassword => "a new first password",
        Asks::Agreement => "an agreement to be filed",
        Asks::Recertify => "access that was looked at",
    }
}
