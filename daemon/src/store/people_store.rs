//! People, and by what they are found.

use super::error::Doing as _;
use super::tables::{people, person_keys, statement_digests};
use super::{Reader, Store, StoreError, Tx, convert, sql};
use lapsed_core::facts::{
    ConnectorName, EmployeeNumber, LinkedAccount, Person, PersonId, SourceName, StableId, UserId,
};
use lapsed_core::holds::facts_of;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

const NUMBER: &str = "number";
const USER_ID: &str = "user_id";
const ACCOUNT: &str = "account";
const SUPERVISOR: &str = "supervisor";
const DIGESTS_A_PAGE: u64 = 2_000;
/// The setting that says that supervisors are among the keys of everybody.
const SUPERVISORS_KNOWN: &str = "people are found by their supervisor";

impl Tx {
    /// Stores a person over what was there, with the keys by which they are found. What was stored since
    /// the person was read is lost: read them in this same transaction, or only add to them by
    /// [`Tx::link_accounts`] and [`Tx::bump_episode`].
    pub async fn save_person(&self, person: &Person) -> Result<(), StoreError> {
        self.save_people(std::slice::from_ref(person)).await
    }

    /// Stores many people; each may come once.
    pub async fn save_people(&self, all: &[Person]) -> Result<(), StoreError> {
        let doing = "storing people";
        let mut rows = Vec::with_capacity(all.len());
        let mut keys = Vec::new();
        for person in all {
            rows.push(people::Model { id: person.id.0, body: convert::body("person", person)? });
            keys.extend(keys_of(person).into_iter().map(|(kind, value)| person_keys::Model {
                kind: kind.to_owned(),
                value,
                person: person.id.0,
            }));
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        sql::put_all(&self.db(), doing, rows, Some(sql::replace::<people::Entity>())).await?;
        for some in ids.chunks(sql::rows_at_once(1)) {
            person_keys::Entity::delete_many()
                .filter(person_keys::Column::Person.is_in(some.iter().copied()))
                .exec(&self.db())
                .await
                .doing(doing)?;
        }
        sql::put_all(&self.db(), doing, keys, None).await?;
        let facts = all.iter().map(|person| (person.id, facts_of(person)));
        self.add_facts(facts).await
    }

    /// Adds accounts to people as they are stored now: an account known by its id gets the log-on name
    /// given, all else of the person stays. Whoever looked for accounts read the people long before, and
    /// [`Tx::save_people`] would undo what was noticed of them meanwhile. Unknown people are left out.
    pub async fn link_accounts(
        &self,
        links: &[(PersonId, Vec<LinkedAccount>)],
    ) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<PersonId, Vec<&LinkedAccount>> = BTreeMap::new();
        for (person, accounts) in links {
            wanted.entry(*person).or_default().extend(accounts);
        }
        let ids: Vec<PersonId> = wanted.keys().copied().collect();
        let mut changed = Vec::new();
        for mut person in self.read().people(&ids).await? {
            let accounts = wanted.remove(&person.id).unwrap_or_default();
            if accounts.into_iter().filter(|account| link(&mut person, account)).count() > 0 {
                changed.push(person);
            }
        }
        self.save_people(&changed).await
    }

    /// Ends a person's departure numbered `from`, as they are stored now: the next one gets the next
    /// number. Gives the person as they then are, or nothing where another has ended it already.
    pub async fn bump_episode(
        &self,
        person: PersonId,
        from: u32,
    ) -> Result<Option<Person>, StoreError> {
        let Some(mut person) = self.read().person(person).await?.filter(|p| p.episode == from)
        else {
            return Ok(None);
        };
        person.episode += 1;
        self.save_person(&person).await?;
        Ok(Some(person))
    }

    /// Remembers what a source said last of each engagement (key, digest).
    pub async fn save_statement_digests(
        &self,
        source: &SourceName,
        digests: &[(String, String)],
    ) -> Result<(), StoreError> {
        // One statement can't set a row twice: of a key that comes twice the last digest counts.
        let last: HashMap<&String, &String> = digests.iter().map(|(key, d)| (key, d)).collect();
        let rows = last.into_iter().map(|(key, digest)| statement_digests::Model {
            source: source.to_string(),
            key: key.clone(),
            digest: digest.clone(),
        });
        let conflict = sql::replace::<statement_digests::Entity>();
        sql::put_all(&self.db(), "storing statements", rows.collect(), Some(conflict)).await
    }

    /// Has a source's next statement under these keys count as another one, though it says the same: it is on
    /// record still that the source had made it before.
    pub async fn hear_again(&self, source: &SourceName, keys: &[String]) -> Result<(), StoreError> {
        let known = self.read().statement_digests_of(source, keys).await?;
        let unheard: Vec<(String, String)> =
            known.into_keys().map(|key| (key, String::new())).collect();
        self.save_statement_digests(source, &unheard).await
    }

    /// Forgets statements that a source no longer makes, by their keys.
    pub async fn forget_statements(
        &self,
        source: &SourceName,
        keys: &[String],
    ) -> Result<(), StoreError> {
        for some in keys.chunks(sql::rows_at_once(2)) {
            statement_digests::Entity::delete_many()
                .filter(statement_digests::Column::Source.eq(source.as_str()))
                .filter(statement_digests::Column::Key.is_in(some.iter().cloned()))
                .exec(&self.db())
                .await
                .doing("forgetting statements")?;
        }
        Ok(())
    }
}

fn keys_of(person: &Person) -> BTreeSet<(&'static str, String)> {
    let numbers = person.employee_numbers().into_iter().map(|number| (NUMBER, number.folded()));
    // Those too that only an engagement states: a source without numbers finds its people by them.
    let user_ids = person.user_ids().into_iter().map(|user_id| (USER_ID, user_id.folded()));
    let accounts = person
        .accounts
        .iter()
        .map(|account| (ACCOUNT, account_key(&account.connector, &account.id)));
    let supervisors = person.engagements.iter().filter_map(|e| e.supervisor.as_ref());
    let supervisors = supervisors.map(|number| (SUPERVISOR, number.folded()));
    numbers.chain(user_ids).chain(accounts).chain(supervisors).collect()
}

/// True if it changed anything.
fn link(person: &mut Person, account: &LinkedAccount) -> bool {
    let known = |a: &&mut LinkedAccount| a.connector == account.connector && a.id == account.id;
    match person.accounts.iter_mut().find(known) {
        Some(same) if same == account => false,
        Some(other) => {
            *other = account.clone();
            true
        }
        None => {
            person.accounts.push(account.clone());
            true
        }
    }
}

fn account_key(connector: &ConnectorName, id: &StableId) -> String {
    format!("{connector}\u{1f}{}", id.folded())
}

impl Store {
    /// Makes people who were stored by an earlier release findable by their supervisor; once.
    pub async fn index_supervisors(&self) -> Result<(), StoreError> {
        if self.read().setting::<bool>(SUPERVISORS_KNOWN).await?.is_some() {
            return Ok(());
        }
        let mut after = None;
        loop {
            let tx = self.begin().await?;
            let page = tx.read().people_page(after, 1_000).await?;
            let Some(last) = page.last() else {
                tx.set_setting(SUPERVISORS_KNOWN, &true).await?;
                tx.commit().await?;
                return Ok(());
            };
            after = Some(last.id);
            tx.save_people(&page).await?;
            tx.commit().await?;
        }
    }
}

impl Reader<'_> {
    /// One person.
    pub async fn person(&self, id: PersonId) -> Result<Option<Person>, StoreError> {
        Ok(self.people(&[id]).await?.pop())
    }

    /// Those of the people given that are known, in the order of their ids.
    pub async fn people(&self, ids: &[PersonId]) -> Result<Vec<Person>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(sql::rows_at_once(1)) {
            let rows = people::Entity::find()
                .filter(people::Column::Id.is_in(some.iter().map(|id| id.0)))
                .all(&self.db)
                .await
                .doing("reading people")?;
            for row in rows {
                found.push(convert::from_body::<Person>("person", &row.body)?);
            }
        }
        found.sort_by_key(|person| person.id);
        Ok(found)
    }

    /// Everybody who carries one of the employee numbers or user IDs, each once.
    pub async fn people_by_keys(
        &self,
        numbers: &[EmployeeNumber],
        user_ids: &[UserId],
    ) -> Result<Vec<Person>, StoreError> {
        let ids = self.ids_by_keys(numbers, user_ids).await?;
        self.people(&ids.into_iter().collect::<Vec<_>>()).await
    }

    /// Who has one of these numbers or names, without reading them.
    pub async fn ids_by_keys(
        &self,
        numbers: &[EmployeeNumber],
        user_ids: &[UserId],
    ) -> Result<BTreeSet<PersonId>, StoreError> {
        let numbers: Vec<String> = numbers.iter().map(EmployeeNumber::folded).collect();
        let user_ids: Vec<String> = user_ids.iter().map(UserId::folded).collect();
        let mut ids = self.ids_by_key(NUMBER, &numbers).await?;
        ids.extend(self.ids_by_key(USER_ID, &user_ids).await?);
        Ok(ids)
    }

    /// Everybody whose supervisor has one of these numbers, each once (S7).
    pub async fn people_supervised_by(
        &self,
        numbers: &[EmployeeNumber],
    ) -> Result<Vec<Person>, StoreError> {
        let numbers: Vec<String> = numbers.iter().map(EmployeeNumber::folded).collect();
        let ids: Vec<_> = self.ids_by_key(SUPERVISOR, &numbers).await?.into_iter().collect();
        self.people(&ids).await
    }

    /// Everybody to whom one of the accounts belongs, each once.
    pub async fn people_by_account(
        &self,
        connector: &ConnectorName,
        accounts: &[StableId],
    ) -> Result<Vec<Person>, StoreError> {
        let ids = self.ids_by_account(connector, accounts).await?;
        self.people(&ids.into_iter().collect::<Vec<_>>()).await
    }

    /// To whom one of the accounts belongs, without reading them.
    pub async fn ids_by_account(
        &self,
        connector: &ConnectorName,
        accounts: &[StableId],
    ) -> Result<BTreeSet<PersonId>, StoreError> {
        let keys: Vec<String> = accounts.iter().map(|id| account_key(connector, id)).collect();
        self.ids_by_key(ACCOUNT, &keys).await
    }

    async fn ids_by_key(
        &self,
        kind: &str,
        values: &[String],
    ) -> Result<BTreeSet<PersonId>, StoreError> {
        let mut ids = BTreeSet::new();
        for some in values.chunks(sql::rows_at_once(1)) {
            let rows = person_keys::Entity::find()
                .filter(person_keys::Column::Kind.eq(kind))
                .filter(person_keys::Column::Value.is_in(some.iter().cloned()))
                .all(&self.db)
                .await
                .doing("looking people up")?;
            ids.extend(rows.into_iter().map(|row| PersonId(row.person)));
        }
        Ok(ids)
    }

    /// People in the order of their ids, after the one given: for walks over everybody.
    pub async fn people_page(
        &self,
        after: Option<PersonId>,
        limit: u64,
    ) -> Result<Vec<Person>, StoreError> {
        let mut query = people::Entity::find().order_by_asc(people::Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(people::Column::Id.gt(after.0));
        }
        let rows = query.all(&self.db).await.doing("reading people")?;
        rows.iter().map(|row| convert::from_body("person", &row.body)).collect()
    }

    /// Whom someone at a keyboard means: a user ID, an employee number or the product's own id.
    pub async fn find_person(&self, text: &str) -> Result<Vec<Person>, StoreError> {
        let folded = text.trim().to_lowercase();
        let mut ids = BTreeSet::new();
        if let Ok(id) = folded.parse::<Uuid>() {
            ids.insert(PersonId(id));
        }
        for kind in [USER_ID, NUMBER] {
            ids.extend(self.ids_by_key(kind, std::slice::from_ref(&folded)).await?);
        }
        self.people(&ids.into_iter().collect::<Vec<_>>()).await
    }

    /// What a source said last of each engagement: key and digest.
    pub async fn each_statement_digest(
        &self,
        source: &SourceName,
        mut each: impl FnMut(String, String),
    ) -> Result<(), StoreError> {
        // Page by page: rows as the driver holds them take several times as much memory as what is in them.
        let mut after: Option<String> = None;
        loop {
            let mut page = statement_digests::Entity::find()
                .filter(statement_digests::Column::Source.eq(source.as_str()))
                .order_by_asc(statement_digests::Column::Key)
                .limit(DIGESTS_A_PAGE);
            if let Some(after) = &after {
                page = page.filter(statement_digests::Column::Key.gt(after.as_str()));
            }
            let rows = page.all(&self.db).await.doing("reading statements")?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.key.clone());
            rows.into_iter().for_each(|row| each(row.key, row.digest));
        }
    }

    /// The same of these engagements only, by key: a few rows of a feed must not cost as much as all of it.
    pub async fn statement_digests_of(
        &self,
        source: &SourceName,
        keys: &[String],
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut found = HashMap::new();
        for some in keys.chunks(sql::rows_at_once(2)) {
            let theirs = statement_digests::Entity::find()
                .filter(statement_digests::Column::Source.eq(source.as_str()))
                .filter(statement_digests::Column::Key.is_in(some.iter().cloned()));
            let rows = theirs.all(&self.db).await.doing("reading statements")?;
            found.extend(rows.into_iter().map(|row| (row.key, row.digest)));
        }
        Ok(found)
    }
}
