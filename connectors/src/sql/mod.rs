//! Systems whose accounts are rows of a database: PostgreSQL, MariaDB or MySQL, SQLite (D4, A1, N7).
//!
//! The statements are the agency's own; what is looked for is bound, never written into them. Reading is
//! done in transactions that the server itself keeps from changing anything. Each change is a transaction
//! of its own: it looks, changes, counts the rows, looks again, and only then commits.

mod cells;
mod giving;
mod session;
pub mod settings;
mod statement;
mod steps;
mod trouble;

pub use settings::{
    AnyRows, RowCount, SqlChange, SqlKind, SqlServer, SqlSettings, SqlStatement, SqlTimeouts,
};

use crate::begun::Begun;
use crate::contract::{Apply, Observe, Probed};
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use crate::system_account::SystemAccount;
use futures_util::future::BoxFuture;
use lapsed_core::facts::{ConnectorName, UserId};
use lapsed_core::observed::{Observed, ObservedAccount, PersonKeys, Scope};
use lapsed_core::policy::departure::account_name;
use lapsed_core::step::{Cause, Fault, Outcome, Receipt, Seen, Step, StepId};
use session::{Access, Session, Values};
use settings::Statements;
use statement::Parameter;
use std::path::Path;
use std::sync::Arc;
use trouble::Trouble;

/// Columns that every answer has to have.
const COLUMNS: [&str; 3] = ["id", "user_id", "enabled"];

/// A system whose accounts are rows.
#[derive(Debug)]
pub struct Sql {
    settings: SqlSettings,
    statements: Statements,
    /// The address, for receipts and for people.
    address: String,
    /// Steps that gave something, or may have: here, or in a daemon that died since.
    begun: Begun,
}

impl ConnectorKind for SqlSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let files = [
            ("ca_file", &self.ca_file),
            ("password_file", &self.password_file),
            ("socket", &self.socket),
            ("file", &self.file),
        ];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        let all = [
            (true, Ability::Access),
            (self.delete.is_some(), Ability::DeleteAccount),
            (!self.create.is_empty(), Ability::CreateAccount),
            (!self.grant.is_empty(), Ability::GrantAccess),
            (!self.rename.is_empty(), Ability::RenameAccount),
            (self.last_use.is_some(), Ability::LastUse),
        ];
        all.into_iter().filter_map(|(can, ability)| can.then_some(ability)).collect()
    }

    fn noun(&self) -> &'static str {
        "system with accounts in a database"
    }

    fn never_run_live(&self) -> bool {
        self.server == SqlServer::Mysql
    }

    fn connect(&self, _: &ConnectorName, _: &Shared<'_>) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self)?))
    }
}

/// Prepares the connector; nothing is connected before the first use, and the password is read then.
///
/// # Errors
/// Every problem of the settings.
pub fn connect(settings: &SqlSettings) -> Result<Sql, SettingsError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    let statements = settings.statements().map_err(SettingsError)?;
    Ok(Sql {
        settings: settings.clone(),
        statements,
        address: settings.shown(),
        begun: Begun::default(),
    })
}

/// By what an account is asked for.
enum Key<'k> {
    UserId(&'k UserId),
    EmployeeNumber(&'k str),
    Id(&'k str),
}

impl Sql {
    async fn begin(&self, access: Access) -> Result<Session, Trouble> {
        Session::begin(&self.settings, access).await
    }

    fn values(&self, key: &Key<'_>) -> Result<Values, Trouble> {
        Ok(match key {
            Key::UserId(user_id) => Values::default()
                .with(Parameter::UserId, user_id)
                .with(Parameter::Account, self.account(user_id)?),
            Key::EmployeeNumber(number) => {
                Values::default().with(Parameter::EmployeeNumber, number)
            }
            Key::Id(id) => Values::default().with(Parameter::Id, id),
        })
    }

    fn account(&self, user_id: &UserId) -> Result<String, Trouble> {
        account_name("account", &self.settings.account, user_id)
            .map_err(|error| Trouble::refused(error.to_string()))
    }

    async fn people(&self, wanted: &[PersonKeys]) -> Result<Vec<ObservedAccount>, Trouble> {
        let mut session = self.begin(Access::Reads).await?;
        let mut all: Vec<ObservedAccount> = Vec::new();
        for keys in wanted {
            for key in self.askable(keys) {
                let found = self.find(&mut session, &key).await?;
                if let Some(found) = found
                    && !all.iter().any(|known| known.id == found.id)
                {
                    all.push(found.observed(&self.address, self.settings.last_use));
                }
            }
        }
        session.roll_back().await;
        Ok(all)
    }

    /// The keys of a person that `find` asks for.
    fn askable<'k>(&self, keys: &'k PersonKeys) -> Vec<Key<'k>> {
        let find = &self.statements.find;
        let mut askable = Vec::new();
        if find.binds(Parameter::EmployeeNumber) {
            askable.extend(keys.employee_numbers.iter().map(|n| Key::EmployeeNumber(n.as_str())));
        }
        if find.binds(Parameter::UserId) || find.binds(Parameter::Account) {
            askable.extend(keys.user_ids.iter().map(Key::UserId));
        }
        askable.extend(keys.ids.iter().map(|id| Key::Id(id.as_str())));
        askable
    }

    /// The one account of a key, if there is one, and if it really carries the key.
    async fn find(
        &self,
        session: &mut Session,
        key: &Key<'_>,
    ) -> Result<Option<SystemAccount>, Trouble> {
        let statement = match (key, &self.statements.look) {
            (Key::Id(_), Some(look)) => look,
            _ => &self.statements.find,
        };
        let values = self.values(key)?;
        let mut found = session.accounts(statement, &values, 2).await?;
        if found.len() > 1 {
            return Err(Trouble::refused(format!(
                "two rows answer to {}; see which of them is the account",
                key.shown()
            )));
        }
        let Some(account) = found.pop() else { return Ok(None) };
        if !self.fits(key, &account)? {
            return Err(Trouble::refused(format!(
                "the row {} was given for {}, and does not carry it; see the statement",
                account.id,
                key.shown()
            )));
        }
        Ok(Some(account))
    }

    /// A statement that finds somebody else would have somebody else revoked.
    fn fits(&self, key: &Key<'_>, account: &SystemAccount) -> Result<bool, Trouble> {
        Ok(match key {
            Key::UserId(user_id) => {
                let folded = account.user_id.folded();
                folded == user_id.folded() || folded == self.account(user_id)?.to_lowercase()
            }
            Key::EmployeeNumber(wanted) => {
                let number = account.employee_number.as_ref();
                number.is_none_or(|number| number.folded() == wanted.to_lowercase())
            }
            Key::Id(id) => account.id.as_str() == *id,
        })
    }

    async fn everyone(&self) -> Result<Vec<SystemAccount>, Trouble> {
        let Some(list) = &self.statements.list else {
            return Err(Trouble::refused(
                "accounts can't be listed; give a statement under `list`",
            ));
        };
        let mut session = self.begin(Access::Reads).await?;
        let all = session.accounts(list, &Values::default(), usize::MAX).await?;
        session.roll_back().await;
        Ok(all)
    }

    async fn observed(&self, scope: &Scope) -> Result<Observed, Trouble> {
        let mut observed = Observed { server: self.address.clone(), ..Observed::default() };
        match scope {
            Scope::People(wanted) | Scope::AccountsOf(wanted) => {
                observed.accounts = self.people(wanted).await?
            }
            Scope::AllAccounts => {
                let all = self.everyone().await?.into_iter();
                observed.accounts = all.map(|account| self.shown(account)).collect();
            }
            Scope::TakenNames => {
                let all = self.everyone().await?.into_iter();
                observed.taken_names = all.map(|account| account.user_id.folded()).collect();
            }
            // A system's groups are its own; only a directory's are joined by name.
            Scope::Groups(_) | Scope::Members(_) | Scope::Changed(_) => {}
        }
        Ok(observed)
    }

    fn shown(&self, account: SystemAccount) -> ObservedAccount {
        account.observed(&self.address, self.settings.last_use)
    }

    /// Connects, and has the server read each statement; nothing is carried out.
    async fn try_all(&self) -> Vec<Probed> {
        let line = |what: String, problem| Probed { what, problem };
        let mut session = match self.begin(Access::Reads).await {
            Ok(session) => session,
            Err(trouble) => {
                return vec![line(self.address.clone(), Some(trouble.fault("log-on").to_string()))];
            }
        };
        // In a transaction that only reads, MariaDB would not even read what changes.
        session.roll_back().await;
        let mut lines = vec![line(self.address.clone(), None)];
        for (key, statement) in self.statements.all() {
            let reads = matches!(key, "find" | "list" | "look");
            let problem = match session.columns(statement).await {
                Err(trouble) => Some(trouble.fault("statement").to_string()),
                Ok(columns) if reads => {
                    let lacks =
                        |name: &&&str| !columns.iter().any(|c| c.eq_ignore_ascii_case(name));
                    COLUMNS.iter().find(lacks).map(|name| {
                        format!("its answer has no column {name}; give it a column of that name")
                    })
                }
                Ok(_) => None,
            };
            lines.push(line(format!("statement `{key}`"), problem));
        }
        lines
    }
}

impl Key<'_> {
    /// For people: which key, never whose number.
    fn shown(&self) -> String {
        match self {
            Self::UserId(user_id) => format!("the user ID {user_id}"),
            Self::EmployeeNumber(_) => "one employee number".into(),
            Self::Id(id) => format!("the id {id}"),
        }
    }
}

impl Observe for Sql {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async move {
            self.observed(scope).await.map_err(|trouble| trouble.fault(&self.address))
        })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async move {
            let mut seen = Vec::with_capacity(steps.len());
            for step in steps {
                seen.push(self.see(step).await);
            }
            seen
        })
    }

    fn remind(&self, step: StepId, _: &Receipt) {
        self.begun.note(step);
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(self.try_all())
    }
}

impl Apply for Sql {
    /// One after the other, each in a transaction of its own.
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                outcomes.push(self.carry_out(step).await);
            }
            outcomes
        })
    }

    fn perhaps_begun(&self, step: StepId) {
        self.begun.note(step);
    }
}

/// A step that is another connector's.
fn not_ours(step: &Step) -> Fault {
    Fault::Refused(Cause::new(format!(
        "this connector knows accounts of a system only, and can't {}; name another one in the YAML",
        step.action.name()
    )))
}
