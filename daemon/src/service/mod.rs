//! The running daemon: its state, its rounds, and what wakes them.

mod access_forms;
mod confirmations;
mod folder;
mod giving;
mod inbox;
mod keeping_tickets;
mod keeping_time;
mod late;
mod order_forms;
mod owner;
mod patience;
mod presence;
mod run;
mod turns;
mod wake;

pub(crate) use access_forms::in_words as form_problems;
pub(crate) use inbox::feed_of;
pub(crate) use late::waiting_too_long;
pub use presence::Fence;
pub use run::{RunError, run};

use crate::config::{AbsolutePath, Config, ConfigErrors};
use crate::cycle::Cycle;
use crate::cycle::carry_out::{Clock, Executor};
use crate::cycle::pace::Pace;
use crate::drops::Inbox;
use crate::store::{Checkpoints, Store};
use crate::targets::{Eyes, Hands, SetUpError, desk_of};
use crate::tickets::Clerk;
use folder::Folder;
use jiff::Timestamp;
use lapsed_connectors::tickets::TicketDesk;
use lapsed_core::facts::ConnectorName;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use tokio::sync::{Mutex, Notify, watch};

/// What is in force: a configuration with the targets that it names.
#[derive(Clone)]
struct InForce {
    config: Arc<Config>,
    hands: Hands,
    /// The help desk that takes the daemon's own tickets.
    desk: Option<Arc<dyn TicketDesk>>,
    /// The eyes of the urgent path.
    patient: Eyes,
}

/// The daemon, shared by its rounds and its control socket.
pub struct Daemon {
    /// The state.
    pub store: Store,
    in_force: RwLock<InForce>,
    config_path: PathBuf,
    checkpoints: Option<Checkpoints>,
    clock: Clock,
    started_at: Option<Timestamp>,
    owner: String,
    /// Whether it may work, where others share the state.
    pub(crate) fence: Arc<presence::Fence>,
    /// How fast each target is worked on, and which is left alone.
    pub pace: Pace,
    decide: Arc<Notify>,
    execute: watch::Sender<u64>,
    tell: Arc<Notify>,
    look_around: AtomicBool,
    /// Rounds in a row in which files lay in the folders and another daemon had the turn.
    without_turn: AtomicU64,
    inbox: Arc<Folder>,
    /// Drops that were handled and could not be moved.
    unmoved: std::sync::Mutex<Vec<inbox::Unmoved>>,
    confirmations: Option<Arc<Folder>>,
    order_forms: Option<Arc<Folder>>,
    /// Whether the last look at the forms folder was whole: a hold that nobody has seen may lie there.
    orders_seen: Arc<AtomicBool>,
    /// Held while orders are taken from the forms folder: a round and the start take it side by side.
    taking_forms: Mutex<()>,
    /// Held while access is audited: a listing must not settle what a later look has found.
    pub(crate) auditing: Mutex<()>,
    /// Held while access is given and its forms are taken: two rounds of it never run side by side.
    giving: Mutex<()>,
    /// Says "look again" to what gives access.
    give: Notify,
    /// Whether this daemon is planning just now.
    planning: turns::Planning,
    roles: watch::Sender<Arc<crate::config::Roles>>,
}

impl Daemon {
    /// A daemon over an open store. `started_at` is `None` where none runs and a command answers itself.
    pub fn new(
        store: Store,
        config: Config,
        config_path: PathBuf,
        clock: Clock,
        started_at: Option<Timestamp>,
    ) -> Result<Self, SetUpError> {
        let hands = Hands::new(&config)?;
        let desk = desk_of(&config)?;
        let inbox = folder(&config, &config.inbox.folder);
        let confirmations = config.inbox.confirmations.as_ref();
        let confirmations = confirmations.map(|of| folder(&config, &of.folder));
        let order_forms = config.inbox.forms.as_ref().map(|of| folder(&config, &of.folder));
        let decide = Arc::new(Notify::new());
        let patient = patience::patient(&hands.eyes(), &decide);
        let owner = owner_name(&config);
        let roles = watch::Sender::new(Arc::new(config.control.roles.clone()));
        let checkpoints = checkpoints_of(&config);
        Ok(Self {
            store,
            in_force: RwLock::new(InForce { config: Arc::new(config), hands, desk, patient }),
            config_path,
            checkpoints,
            clock,
            started_at,
            owner,
            fence: Arc::new(presence::Fence::open()),
            pace: Pace::default(),
            decide,
            execute: watch::Sender::new(0),
            tell: Arc::new(Notify::new()),
            look_around: AtomicBool::new(true),
            without_turn: AtomicU64::new(0),
            inbox,
            unmoved: std::sync::Mutex::default(),
            confirmations,
            orders_seen: Arc::new(AtomicBool::new(order_forms.is_none())),
            order_forms,
            taking_forms: Mutex::new(()),
            auditing: Mutex::new(()),
            giving: Mutex::new(()),
            give: Notify::new(),
            planning: turns::Planning::default(),
            roles,
        })
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Where the moment comes from.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// This daemon's name in leases.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// Since when the daemon runs.
    #[must_use]
    pub fn running_since(&self) -> Option<Timestamp> {
        self.started_at
    }

    fn in_force(&self) -> InForce {
        // A poisoned lock means that a reader panicked: what is in force is still whole.
        self.in_force.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// State, rules in force and eyes on the targets.
    #[must_use]
    pub fn cycle(&self) -> Cycle {
        let InForce { config, hands, .. } = self.in_force();
        Cycle { store: self.store.clone(), config, eyes: hands.eyes() }
    }

    /// The same, with eyes that do not wait for a target that is silent.
    fn urgent_cycle(&self) -> Cycle {
        let InForce { config, patient, .. } = self.in_force();
        Cycle { store: self.store.clone(), config, eyes: patient }
    }

    /// The same, with hands.
    #[must_use]
    pub fn executor(&self) -> Executor {
        let InForce { config, hands, .. } = self.in_force();
        let cycle = Cycle { store: self.store.clone(), config, eyes: hands.eyes() };
        Executor {
            cycle,
            hands,
            owner: self.owner.clone(),
            clock: self.clock.clone(),
            pace: self.pace.clone(),
            fence: self.fence.clone(),
            orders_seen: self.orders_seen.clone(),
        }
    }

    /// Who has the daemon's tickets in hand.
    #[must_use]
    pub fn clerk(&self) -> Clerk {
        let desk = self.in_force().desk;
        Clerk::new(self.executor(), desk)
    }

    fn folders(&self) -> impl Iterator<Item = &Arc<Folder>> {
        let beside = [&self.confirmations, &self.order_forms].into_iter().flatten();
        std::iter::once(&self.inbox).chain(beside)
    }

    /// Names of the configured targets.
    #[must_use]
    pub fn connector_names(&self) -> Vec<ConnectorName> {
        self.in_force().hands.names()
    }

    /// Where checkpoints of the audit go.
    #[must_use]
    pub fn checkpoints(&self) -> Option<&Checkpoints> {
        self.checkpoints.as_ref()
    }

    /// Says "look again" to everything that works by itself, here and on other machines.
    pub fn wake(&self) {
        self.wake_here();
        self.wake_others();
    }

    /// Says so to the other daemons on the state.
    pub(crate) fn wake_others(&self) {
        if self.store.is_shared() && tokio::runtime::Handle::try_current().is_ok() {
            let store = self.store.clone();
            tokio::spawn(async move {
                if let Err(error) = store.tell_others().await {
                    tracing::debug!(%error, "the other daemons look at their next poll");
                }
            });
        }
    }

    /// Says so to what works in this process.
    fn wake_here(&self) {
        self.decide.notify_one();
        self.look_around.store(true, Ordering::Relaxed);
        self.tell.notify_one();
        self.execute.send_modify(|round| *round = round.wrapping_add(1));
    }

    /// Reads the configuration file again; every problem as a line for people.
    pub fn load_again(&self) -> Result<Config, Vec<String>> {
        let lines = |errors: ConfigErrors| -> Vec<String> {
            errors.problems().iter().map(|problem| problem.in_a_line()).collect()
        };
        let (config, warnings) = crate::config::load(&self.config_path).map_err(lines)?;
        for warning in &warnings {
            tracing::warn!(%warning, "configuration");
        }
        Hands::new(&config).map_err(|error| vec![error.to_string()])?;
        desk_of(&config).map_err(|error| vec![error.to_string()])?;
        Ok(config)
    }

    /// Puts a configuration in force. Folder, socket and database stay those of the start.
    pub fn use_config(&self, config: Config) {
        let (Ok(hands), Ok(desk)) = (Hands::new(&config), desk_of(&config)) else { return };
        self.roles.send_replace(Arc::new(config.control.roles.clone()));
        let mut in_force = self.in_force.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let patient = patience::patient(&hands.eyes(), &self.decide);
        *in_force = InForce { config: Arc::new(config), hands, desk, patient };
    }

    /// Who may do what, for the control socket; changes with the configuration.
    #[must_use]
    pub fn roles(&self) -> watch::Receiver<Arc<crate::config::Roles>> {
        self.roles.subscribe()
    }

    /// The configuration file's path, for advice.
    #[must_use]
    pub fn config_path(&self) -> &std::path::Path {
        &self.config_path
    }
}

/// Checkpoints and their key as the YAML names them; without a key, one is kept beside the state.
#[must_use]
pub fn checkpoints_of(config: &Config) -> Option<Checkpoints> {
    let file = config.audit.checkpoint_file.as_path().to_owned();
    let key_file = match config.audit.signing_key() {
        Some(source) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            source.path(folder.as_deref())?
        }
        None => file.with_extension("key"),
    };
    Some(Checkpoints { file, key_file })
}

/// A folder in which others put files; they all go where those of the inbox go.
fn folder(config: &Config, folder: &AbsolutePath) -> Arc<Folder> {
    Arc::new(Folder::new(Inbox::new(
        folder.as_path().to_owned(),
        config.inbox.accepted.as_path().to_owned(),
        config.inbox.rejected.as_path().to_owned(),
        config.inbox.settle(),
    )))
}

/// The name in leases: the same after a restart, so that it takes its own steps up at once, and another
/// one for another daemon on the same machine, which has a socket of its own.
fn owner_name(config: &Config) -> String {
    if let Some(name) = &config.execution.instance {
        return name.clone();
    }
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let socket = config.control.socket.as_path().display();
    format!("{}:{socket}", host.unwrap_or_else(|| "lapsed".into()))
}
