//! What a leaver answered for, and who takes it over (S7): told by mail, and shown with the departure.

use crate::cycle::{Cycle, CycleError};
use crate::store::Reader;
use jiff::Timestamp;
use lapsed_core::facts::{Case, Person};
use lapsed_core::observed::{Trust, TrustKind};
use lapsed_core::standing::{Standing, standing};

impl Cycle {
    /// What the leaver held in trust: as the directories showed it before the departure, and as HR says.
    pub(crate) async fn held_in_trust(
        &self,
        read: &Reader<'_>,
        case: &Case,
        person: &Person,
        now: Timestamp,
    ) -> Result<Vec<Trust>, CycleError> {
        let mut trust: Vec<Trust> =
            case.before.iter().flat_map(|(_, account)| account.held_in_trust.clone()).collect();
        for report in read.people_supervised_by(&person.employee_numbers()).await? {
            let works = matches!(
                standing(&report, now, &self.config.time_zone),
                Standing::Employed | Standing::Leaving(_)
            );
            // Never by a number of HR's (P2).
            let name = report.name().map(|name| name.display());
            let name = name.or_else(|| report.user_ids().first().map(ToString::to_string));
            if let (true, Some(name)) = (works, name) {
                trust.push(Trust { kind: TrustKind::DirectReport, name });
            }
        }
        trust.sort();
        trust.dedup();
        Ok(trust)
    }

    /// Who takes it over: the supervisor whom HR names for the engagement that ended last; `None` where HR
    /// names none, or one who is not known here or not one person.
    pub(crate) async fn takes_over(
        &self,
        read: &Reader<'_>,
        person: &Person,
        now: Timestamp,
    ) -> Result<Option<Person>, CycleError> {
        let end = match standing(person, now, &self.config.time_zone) {
            Standing::Left(end) | Standing::Leaving(end) => end,
            Standing::Employed | Standing::Unknown => return Ok(None),
        };
        let Some(number) = end.supervisor else { return Ok(None) };
        let mut people = read.people_by_keys(&[number], &[]).await?;
        let boss = if people.len() == 1 { people.pop() } else { None };
        Ok(boss.filter(|boss| boss.id != person.id))
    }
}
