//! The daemon itself beside a directory of either kind, with those who decide on forms.

use super::directory::{Directory, Kind, OFFICER};
use super::picture::Picture;
use crate::beside::{adopt, today};
use crate::others::{can_be_others, open_to_all, said, with_client};
use jiff::Span;
use jiff::civil::Date;
use lapsed_tests::Done;
use lapsed_tests::agency::Agency;
use lapsed_tests::lost_reply::LostReply;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use serde_json::{Value, json};
use std::fs;
use uuid::Uuid;

/// The supervisor, an account of this machine.
pub const SUPERVISOR: &str = "daemon";

/// What forms give here: an account and the files of the location, which come by themselves, and the wards.
const SYSTEMS: &str = "
  systems:
    account: { connector: directory }
    files: { connector: directory, groups: [\"Files {{ location }}\"] }
    wards: { connector: directory, groups: [Wards] }
";
const INCLUDED: &str = "
  included:
    - { who: { kinds: [staff] }, systems: { account: null, files: null } }
";

pub struct Stage {
    pub directory: Directory,
    pub site: Site,
    before: Picture,
    forms: u64,
}

impl Stage {
    /// `None` where nobody else can be asked.
    pub fn new(kind: Kind) -> Option<Self> {
        Self::with(kind, &[])
    }

    /// With further changes of the configuration.
    pub fn with(kind: Kind, changes: &[(&str, &str)]) -> Option<Self> {
        can_be_others().then(|| Self::beside(kind, changes).unwrap())
    }

    /// Beside a directory whose other accounts are nobody's whom lapsed knows.
    pub fn among_strangers(kind: Kind, changes: &[(&str, &str)]) -> Option<Self> {
        can_be_others().then(|| {
            let (_, mut site, directory) = Self::prepared(kind, changes).unwrap();
            site.start().unwrap();
            Self::of(site, directory).unwrap()
        })
    }

    /// On OpenLDAP, with the daemon at another address of it: that of a relay.
    pub fn through(relay: impl FnOnce(&Slapd) -> Done<LostReply>) -> Option<(Self, LostReply)> {
        can_be_others().then(|| {
            let directory = Directory::start(Kind::OpenLdap, &Agency::new(300, 1)).unwrap();
            let Directory::OpenLdap(slapd) = &directory else {
                unreachable!("as it was asked for")
            };
            let relay = relay(slapd).unwrap();
            let at = DirectoryAt { url: relay.url(), ..directory.at() };
            let mut site = Site::beside(&at).unwrap();
            configure(&site, &directory).unwrap();
            with_client(&site).unwrap();
            site.start().unwrap();
            (Self::of(site, directory).unwrap(), relay)
        })
    }

    fn beside(kind: Kind, changes: &[(&str, &str)]) -> Done<Self> {
        let (agency, mut site, directory) = Self::prepared(kind, changes)?;
        adopt(&agency, &mut site)?;
        Self::of(site, directory)
    }

    fn prepared(kind: Kind, changes: &[(&str, &str)]) -> Done<(Agency, Site, Directory)> {
        let agency = Agency::new(300, 1);
        let directory = Directory::start(kind, &agency)?;
        let site = Site::beside(&directory.at())?;
        configure(&site, &directory)?;
        site.reconfigure(changes)?;
        with_client(&site)?;
        Ok((agency, site, directory))
    }

    fn of(site: Site, directory: Directory) -> Done<Self> {
        open_to_all(&site)?;
        let before = Picture::of(&directory)?;
        Ok(Self { directory, site, before, forms: 0 })
    }

    /// Starts the daemon again after [`Site::stop`] or [`Site::kill`].
    pub fn start(&mut self) {
        self.site.start().unwrap();
        open_to_all(&self.site).unwrap();
    }

    /// Has the daemon start again so many days from now, in the morning; gives that day.
    pub fn days_on(&mut self, days: i64) -> Date {
        let day = today().checked_add(Span::new().days(days)).unwrap();
        self.site.stop().unwrap();
        self.site.set_clock(&format!("{day} 09:00:00"));
        self.start();
        day
    }

    /// Files a form; gives its number.
    pub fn file(&mut self, form: &Value) -> u64 {
        self.forms += 1;
        let path = self.site.path("form.json");
        fs::write(&path, form.to_string()).unwrap();
        self.site.printed(&["form", "submit", &path.display().to_string()]).unwrap();
        self.forms
    }

    pub fn approve(&self, number: u64) {
        let number = number.to_string();
        for who in [SUPERVISOR, OFFICER] {
            let (code, text) = said(&self.site, who, &["approve", &number]);
            assert_eq!(code, 0, "{who} approves form {number}: {text}\n{}", self.site.log());
        }
    }

    /// Files a form, has it approved, and waits until everything is there.
    pub fn given(&mut self, form: &Value) -> u64 {
        let number = self.file(form);
        self.approve(number);
        self.in_place(number);
        number
    }

    pub fn in_place(&self, number: u64) {
        let is = || Ok(self.site.json(&["form", &number.to_string()])?["state"] == "in_place");
        let failed = |failure| {
            let aside = self.site.json(&["set-aside", "list"]).unwrap();
            let form = self.site.json(&["form", &number.to_string()]).unwrap();
            panic!("{failure}\n{aside}\n{form}")
        };
        self.site.wait_for("the form is in place", is).unwrap_or_else(failed);
    }

    pub fn waits_until(&self, user_id: &str, shut: bool) {
        let is_so = || Ok(self.directory.is_shut(user_id)? == shut);
        self.site.wait_for(&format!("{user_id} is shut: {shut}"), is_so).unwrap();
    }

    /// Waits until access is stopped for these reasons and no other.
    pub fn stopped_by(&self, wanted: &[&str]) {
        let kinds = || -> Done<Vec<String>> {
            let view = self.site.json(&["suspensions"])?;
            let all = view["suspensions"].as_array().cloned().unwrap_or_default();
            let stopped = all.iter().filter(|one| one["state"] == "stopped");
            Ok(stopped.filter_map(|one| one["kind"].as_str()).map(str::to_owned).collect())
        };
        let failed = |failure| panic!("{failure}: {:?}", kinds());
        let wait = format!("stopped by {wanted:?}");
        self.site.wait_for(&wait, || Ok(kinds()? == wanted)).unwrap_or_else(failed);
    }

    /// What of the whole directory changed since the last look.
    pub fn changed(&mut self) -> String {
        let after = Picture::of(&self.directory).unwrap();
        let text = after.since(&self.before);
        self.before = after;
        text
    }

    /// Everything of the whole directory that changed since the last look is as written down for this kind
    /// of directory.
    pub fn shows(&mut self, name: &str) {
        let text = self.changed();
        let kind = self.directory.kind().name();
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{name}.{kind}"), text);
        });
    }

    /// The same once more finds nothing to do.
    pub fn nothing_to_do(&self) {
        let again = self.site.run(&["plan", "--format", "json"]).unwrap();
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert_eq!(again.status.code(), Some(0), "{said}");
        let plan: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(plan["plans"], json!([]), "{said}");
    }

    /// The password in the envelope that waits for somebody.
    pub fn opened(&self, who: &str, user_id: &str) -> String {
        let (code, text) = said(&self.site, who, &["envelope", "list", "--format", "json"]);
        assert_eq!(code, 0, "{text}");
        let list: Value = serde_json::from_str(&text).unwrap();
        let all = list["waiting"].as_array().unwrap();
        let envelope = all.iter().find(|envelope| envelope["user_id"] == user_id);
        let id = envelope.unwrap_or_else(|| panic!("{text}"))["id"].as_str().unwrap();
        let (code, text) = said(&self.site, who, &["envelope", "open", id, "--format", "json"]);
        assert_eq!(code, 0, "{text}");
        let shown: Value = serde_json::from_str(&text).unwrap();
        shown["password"].as_str().unwrap().to_owned()
    }
}

fn configure(site: &Site, directory: &Directory) -> Done<()> {
    for (from, to) in directory.settings() {
        site.reconfigure(&[(&from, &to)])?;
    }
    let folder = format!("      folder: {}\n", site.path("envelopes").display());
    let commented = folder.replace("      folder", "      #folder");
    site.reconfigure(&[
        ("\n  systems: {}\n", SYSTEMS),
        ("\n  included: []\n", INCLUDED),
        ("    participant:\n      users: []\n", "    participant:\n      users: [daemon, games]\n"),
        ("      supervisor: true\n", "      supervisor: true\n      users: [daemon]\n"),
        ("  always: [electronic_resources_agreement, security_clearance]", "  always: []"),
        ("  with_phi: [hipaa_training, confidentiality_statement]", "  with_phi: []"),
        ("least_headcount: 200", "least_headcount: 1"),
        (&commented, &folder),
    ])
}

fn form(asks: &str, person: Value, more: Value) -> Value {
    let mut form = json!({
        "form": "staff_access", "version": 1, "id": Uuid::now_v7(), "asks": asks, "person": person,
        "reason": "Works with clients", "least_phi": "none",
        "signatures": [
            { "role": "staff_member", "name": "A. Li", "on": "2026-01-05", "by": "electronic" },
        ],
    });
    for (key, value) in more.as_object().unwrap() {
        form[key] = value.clone();
    }
    form
}

/// A form `new` for somebody at the central office.
pub fn joins(last: &str, first: &str) -> Value {
    let person = json!({
        "name": { "last": last, "first": first }, "kind": "staff", "location": "z",
        "supervisor": SUPERVISOR,
    });
    form("new", person, json!({}))
}

/// A form of another name about somebody with an account, which needs no approvals.
pub fn at_once(name: &str, user_id: &str, asks: &str) -> Value {
    form(asks, json!({ "user_id": user_id }), json!({ "form": name }))
}

/// A form about somebody with an account.
pub fn about(user_id: &str, asks: &str, more: Value) -> Value {
    form(asks, json!({ "user_id": user_id }), more)
}
