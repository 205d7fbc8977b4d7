//! What the YAML says of a directory, and what of it can't be.

use super::address::ServerAddress;
use super::dn::Dn;
pub use super::exchange::{ExchangeAttribute, ExchangeRestriction, ExchangeSettings};
pub use super::making::{CreateSettings, OnEnable};
pub use crate::settings::{SettingsError, SettingsProblem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which kind of directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryKind {
    /// Microsoft Active Directory, or Samba as a domain controller.
    ActiveDirectory,
    /// OpenLDAP with its password policy overlay, and servers that behave like it.
    Openldap,
}

/// An LDAP directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorySettings {
    /// `active_directory` or `openldap`.
    pub kind: DirectoryKind,
    /// Addresses in the order in which they are tried: `ldaps://host`, `ldap://host` with
    /// `start_tls: true`, or `ldapi://%2Frun%2Fslapd%2Fldapi`.
    pub servers: Vec<String>,
    /// A PEM file with the certificates of your own authority; only these are then trusted.
    /// Without it the machine's own list is.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Encrypt `ldap://` connections by StartTLS; unencrypted ones are refused.
    #[serde(default)]
    pub start_tls: bool,
    /// As whom to log on.
    pub bind: BindSettings,
    /// Distinguished names below which the accounts are; nothing outside is touched.
    pub people_base: Vec<String>,
    /// Distinguished names below which the groups are; nothing outside is seen or touched. In Active
    /// Directory name the domain itself, so that no group is missed.
    pub group_bases: Vec<String>,
    /// Further distinguished names below which names count as taken (N5).
    #[serde(default)]
    pub name_bases: Vec<String>,
    /// Object classes that an account has; the first should be indexed. Default by kind.
    #[serde(default)]
    pub account_classes: Vec<String>,
    /// A further LDAP filter that accounts satisfy, such as `(!(employeeType=service))`.
    #[serde(default)]
    pub account_filter: Option<String>,
    /// Kinds of group and how each names its members. Default by kind.
    #[serde(default)]
    pub group_classes: Vec<GroupClass>,
    /// Attributes that carry what is needed, where they differ from the kind's own.
    #[serde(default)]
    pub attributes: AttributeNames,
    /// Entries a page; Active Directory serves 1000 at most.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 10_000))]
    pub page_size: u32,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Operations under way at the same time on one connection.
    #[serde(default = "default_window")]
    #[schemars(range(min = 1, max = 1_000))]
    pub window: u32,
    /// Members taken out of one group by one request, at most.
    #[serde(default = "default_group_chunk")]
    #[schemars(range(min = 1, max = 5_000))]
    pub members_per_request: u32,
    /// Bytes of one reply, at most; a larger one ends the connection.
    #[serde(default = "default_largest_reply")]
    #[schemars(range(min = 65_536, max = 1_073_741_824_u32))]
    pub largest_reply_bytes: u32,
    /// When a connection is replaced by a new one.
    #[serde(default)]
    pub recycle: Recycle,
    /// Who is not touched as a matter of course.
    #[serde(default)]
    pub protected: ProtectedSettings,
    /// What to do when the last member of a group leaves and the schema allows no empty group.
    #[serde(default)]
    pub empty_group: EmptyGroup,
    /// Active Directory with Exchange on your own machines: how a leaver's mailbox is disabled (D7).
    /// Without it this connector disables none.
    #[serde(default)]
    pub exchange: Option<ExchangeSettings>,
    /// How accounts are made here; without it this connector makes none.
    #[serde(default)]
    pub create: Option<CreateSettings>,
    /// How OpenLDAP accounts are shut; unused for Active Directory.
    #[serde(default)]
    pub openldap: OpenldapSettings,
}

/// As whom to log on: `dn` with a password from a file or a credential, or `external`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BindSettings {
    /// Distinguished name of the daemon's account (Active Directory: also `name@domain`).
    pub dn: Option<String>,
    /// A file with the password in its first line.
    pub password_file: Option<PathBuf>,
    /// The name of a systemd credential that holds the password.
    pub password_credential: Option<String>,
    /// Log on as this process's own user over `ldapi://` (SASL EXTERNAL).
    pub external: bool,
}

/// One kind of group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupClass {
    /// Object class: `groupOfNames`.
    pub class: String,
    /// Attribute with the members: `member`.
    pub member: String,
    /// What stands in it: `distinguished_name` or `user_id`.
    pub by: MemberBy,
}

/// How a group names its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberBy {
    /// By distinguished name.
    DistinguishedName,
    /// By log-on name (`memberUid`).
    UserId,
}

/// Attributes that carry what is needed; those not given are the kind's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AttributeNames {
    /// HR's number; `employeeNumber`.
    pub employee_number: Option<String>,
    /// Log-on name; `sAMAccountName` or `uid`.
    pub user_id: Option<String>,
    /// Family name; `sn`.
    pub last_name: Option<String>,
    /// First name; `givenName`.
    pub first_name: Option<String>,
    /// Where the stamp goes; `description`.
    pub description: Option<String>,
    /// Home directory; `homeDirectory`.
    pub home: Option<String>,
    /// Number on file systems, for `owner_check: uid` of a `home` connector; `uidNumber`.
    pub uid_number: Option<String>,
    /// Mail address; `mail`.
    pub mail: Option<String>,
    /// Further mail addresses; `proxyAddresses`, or further values of `mail`.
    pub mail_alias: Option<String>,
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Seconds for reaching one server, encryption and log-on included.
    #[schemars(range(min = 1, max = 300))]
    pub connect_seconds: u32,
    /// Seconds for one operation, and between two entries of a listing.
    #[schemars(range(min = 1, max = 3_600))]
    pub operation_seconds: u32,
    /// Minutes for which a refused password isn't tried again: guessing locks the daemon's account.
    #[schemars(range(min = 1, max = 1_440))]
    pub refused_password_minutes: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_seconds: 10, operation_seconds: 30, refused_password_minutes: 15 }
    }
}

/// When a connection is replaced: long-lived ones go stale, and stay on the second server for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recycle {
    /// After so many operations.
    #[schemars(range(min = 1))]
    pub operations: u64,
    /// After so many minutes.
    #[schemars(range(min = 1))]
    pub minutes: u32,
}

impl Default for Recycle {
    fn default() -> Self {
        Self { operations: 100_000, minutes: 60 }
    }
}

/// Who is not touched as a matter of course. The daemon's own account never is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedSettings {
    /// Break-glass accounts: never touched, by nobody's release.
    pub never: NeverTouched,
    /// Administrators: a second operator has to agree.
    pub second_operator: SecondOperator,
}

/// Accounts that are never touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NeverTouched {
    /// Log-on names; `*` stands for any characters.
    pub user_ids: Vec<String>,
    /// Distinguished names, each with all that is below it.
    pub dns: Vec<String>,
}

/// Accounts for which a second operator has to agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecondOperator {
    /// Log-on names; `*` stands for any characters.
    pub user_ids: Vec<String>,
    /// Distinguished names of groups whose members, also through other groups, are protected. Each
    /// must be readable with its members: otherwise nobody's accounts are read.
    pub groups: Vec<String>,
    /// Active Directory: accounts with `adminCount` 1. Accounts without it do not have the attribute,
    /// so a hidden one can't be told from none: let the daemon's account read it.
    pub admin_count: bool,
    /// Active Directory: accounts whose relative id is lower than this; 0 for none.
    pub rid_below: u32,
}

impl Default for SecondOperator {
    fn default() -> Self {
        Self { user_ids: Vec::new(), groups: Vec::new(), admin_count: true, rid_below: 1000 }
    }
}

/// What to do when the last member leaves a group that must have one (`groupOfNames`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyGroup {
    /// The group becomes its own only member: that gives rights to nobody.
    #[default]
    Itself,
    /// This distinguished name becomes the only member; choose one that is nobody's account.
    Placeholder(String),
    /// The member stays and a person has to act.
    Refuse,
}

/// How OpenLDAP accounts are shut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenldapSettings {
    /// The attribute whose value shuts an account.
    pub lock: LockAttribute,
    /// Further attributes to set: a lock stops password log-ons only, not SSH keys.
    pub also_set: Vec<AlsoSet>,
    /// Attributes to remove, where they are.
    pub also_remove: Vec<String>,
    /// What takes the place of `also_set` when an account is opened again; what is not named here stays
    /// as it is, and what `also_remove` took does not come back.
    pub on_enable: Vec<OnEnable>,
    /// The server notes every log-on (`olcLastBind`, slapo-lastbind): an account without a time was never
    /// used (S3).
    pub keeps_last_use: bool,
}

impl Default for OpenldapSettings {
    fn default() -> Self {
        let also = |attribute: &str, value: &str, class: &str| AlsoSet {
            attribute: attribute.into(),
            value: value.into(),
            if_class: class.into(),
        };
        Self {
            lock: LockAttribute::default(),
            also_set: vec![
                also("loginShell", "/usr/sbin/nologin", "posixAccount"),
                also("shadowExpire", "1", "shadowAccount"),
            ],
            also_remove: vec!["sshPublicKey".into()],
            on_enable: vec![OnEnable {
                attribute: "shadowExpire".into(),
                value: None,
                if_class: "shadowAccount".into(),
            }],
            keeps_last_use: false,
        }
    }
}

/// The attribute whose value shuts an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LockAttribute {
    /// Name; `pwdAccountLockedTime`.
    pub attribute: String,
    /// Value; `000001010000Z` is for ever.
    pub value: String,
}

impl Default for LockAttribute {
    fn default() -> Self {
        Self { attribute: "pwdAccountLockedTime".into(), value: "000001010000Z".into() }
    }
}

/// An attribute to set when an account is shut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlsoSet {
    /// Name.
    pub attribute: String,
    /// Its only value afterwards.
    pub value: String,
    /// Only on accounts of this object class.
    pub if_class: String,
}

fn default_page_size() -> u32 {
    500
}
fn default_window() -> u32 {
    32
}
fn default_group_chunk() -> u32 {
    500
}
fn default_largest_reply() -> u32 {
    16 * 1024 * 1024
}

impl DirectorySettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        self.server_problems(&mut found);
        self.bind_problems(&mut found);
        self.name_problems(&mut found);
        self.filter_problems(&mut found);
        self.number_problems(&mut found);
        if let Some(exchange) = &self.exchange {
            found.extend(exchange.problems(self.kind));
        }
        if let Some(create) = &self.create {
            found.extend(create.problems(&self.people_base));
        }
        found
    }

    fn server_problems(&self, found: &mut Vec<SettingsProblem>) {
        if self.servers.is_empty() {
            found.push(problem("servers", "is empty; give at least one address"));
        }
        for text in &self.servers {
            match ServerAddress::parse(text) {
                Err(advice) => found.push(problem("servers", &format!("{text:?} {advice}"))),
                Ok(ServerAddress::Plain { .. }) if !self.start_tls => found.push(problem(
                    "servers",
                    &format!(
                        "{text:?} would send the password unencrypted; write ldaps:// or set start_tls: true"
                    ),
                )),
                Ok(ServerAddress::Tls { .. }) if self.bind.external => found.push(problem(
                    "bind.external",
                    &format!("works over ldapi:// only, and {text:?} is not such an address"),
                )),
                Ok(_) => {}
            }
        }
    }

    fn bind_problems(&self, found: &mut Vec<SettingsProblem>) {
        let bind = &self.bind;
        let passwords = usize::from(bind.password_file.is_some())
            + usize::from(bind.password_credential.is_some());
        if bind.external {
            if bind.dn.is_some() || passwords > 0 {
                found.push(problem("bind", "external needs no dn and no password; remove them"));
            }
            return;
        }
        if bind.dn.as_deref().unwrap_or_default().trim().is_empty() {
            found.push(problem("bind.dn", "is missing; name the daemon's own account"));
        }
        if passwords != 1 {
            found.push(problem(
                "bind",
                "give either password_file or password_credential, and only one of them",
            ));
        }
    }

    fn name_problems(&self, found: &mut Vec<SettingsProblem>) {
        let placeholder = match &self.empty_group {
            EmptyGroup::Placeholder(dn) => std::slice::from_ref(dn),
            EmptyGroup::Itself | EmptyGroup::Refuse => &[],
        };
        let lists: [(&'static str, &[String], bool); 6] = [
            ("people_base", &self.people_base, true),
            ("group_bases", &self.group_bases, false),
            ("name_bases", &self.name_bases, false),
            ("protected.never.dns", &self.protected.never.dns, false),
            ("protected.second_operator.groups", &self.protected.second_operator.groups, false),
            ("empty_group.placeholder", placeholder, false),
        ];
        for (key, names, needed) in lists {
            if needed && names.is_empty() {
                found.push(problem(key, "is empty; say below which names the accounts are"));
            }
            for name in names {
                match Dn::parse(name) {
                    Ok(dn) if !dn.is_root() => {}
                    _ => found.push(problem(
                        key,
                        &format!("{name:?} is not a distinguished name such as ou=People,dc=example,dc=org"),
                    )),
                }
            }
        }
    }

    fn filter_problems(&self, found: &mut Vec<SettingsProblem>) {
        if let Some(filter) = &self.account_filter
            && (!filter.starts_with('(') || ldap3::parse_filter(filter).is_err())
        {
            found.push(problem(
                "account_filter",
                &format!("{filter:?} is not an LDAP filter such as (!(employeeType=service))"),
            ));
        }
        for name in self.attribute_texts() {
            let sound = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.;".contains(c));
            if !sound {
                found.push(problem("attributes", &format!("{name:?} is not an attribute's name")));
            }
        }
    }

    fn attribute_texts(&self) -> Vec<&str> {
        let own = &self.attributes;
        let mut names: Vec<&str> = [
            &own.employee_number,
            &own.user_id,
            &own.last_name,
            &own.first_name,
            &own.description,
            &own.home,
            &own.mail,
            &own.mail_alias,
        ]
        .into_iter()
        .filter_map(|name| name.as_deref())
        .collect();
        names.extend(self.account_classes.iter().map(String::as_str));
        for group in &self.group_classes {
            names.extend([group.class.as_str(), group.member.as_str()]);
        }
        names.push(&self.openldap.lock.attribute);
        names.extend(self.openldap.also_remove.iter().map(String::as_str));
        names.extend(self.openldap.also_set.iter().map(|also| also.attribute.as_str()));
        names.extend(self.openldap.on_enable.iter().map(|on| on.attribute.as_str()));
        names
    }

    fn number_problems(&self, found: &mut Vec<SettingsProblem>) {
        let zeros = [
            ("page_size", self.page_size),
            ("window", self.window),
            ("members_per_request", self.members_per_request),
            ("timeouts.connect_seconds", self.timeouts.connect_seconds),
            ("timeouts.operation_seconds", self.timeouts.operation_seconds),
            ("largest_reply_bytes", self.largest_reply_bytes),
        ];
        for (key, value) in zeros {
            if value == 0 {
                found.push(problem(key, "is 0; give at least 1"));
            }
        }
        if self.page_size > 10_000 {
            found.push(problem("page_size", "is more than 10000; no server answers that"));
        }
    }
}

fn problem(key: &'static str, text: &str) -> SettingsProblem {
    SettingsProblem::new(key, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn keys(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut written = json!({
            "kind": "openldap",
            "servers": ["ldaps://directory.agency.test"],
            "bind": {"dn": "cn=lapsed,dc=agency,dc=test", "password_credential": "directory"},
            "people_base": ["ou=People,dc=agency,dc=test"],
            "group_bases": ["ou=Groups,dc=agency,dc=test"],
        });
        change(&mut written);
        let settings: DirectorySettings = serde_json::from_value(written).unwrap();
        settings.problems().into_iter().map(|problem| problem.key.into_owned()).collect()
    }

    #[test]
    fn the_least_that_can_be_written_is_enough() {
        assert_eq!(keys(|_| ()), [] as [&str; 0]);
    }

    #[rstest]
    #[case::no_server("servers", json!([]), "servers")]
    #[case::no_address("servers", json!(["directory"]), "servers")]
    #[case::unencrypted("servers", json!(["ldap://directory"]), "servers")]
    #[case::no_password("bind", json!({"dn": "cn=a"}), "bind")]
    #[case::two_passwords(
        "bind",
        json!({"dn": "cn=a", "password_file": "/a", "password_credential": "b"}),
        "bind"
    )]
    #[case::nobody("bind", json!({"password_file": "/a"}), "bind.dn")]
    #[case::external_over_tls("bind", json!({"external": true}), "bind.external")]
    #[case::no_base("people_base", json!([]), "people_base")]
    #[case::the_whole_world("people_base", json!([""]), "people_base")]
    #[case::no_name("group_bases", json!(["Groups"]), "group_bases")]
    #[case::no_filter("account_filter", json!("employeeType=service"), "account_filter")]
    #[case::filter_in_a_name("attributes", json!({"user_id": "uid)(cn"}), "attributes")]
    #[case::placeholder("empty_group", json!({"placeholder": "nobody"}), "empty_group.placeholder")]
    #[case::exchange_elsewhere("exchange", json!({}), "exchange")]
    #[case::no_page("page_size", json!(0), "page_size")]
    fn what_cannot_work_is_named_by_its_key(
        #[case] key: &str,
        #[case] value: Value,
        #[case] named: &str,
    ) {
        assert_eq!(keys(|written| written[key] = value), [named]);
    }

    #[rstest]
    #[case(json!([{"attribute": "msExchRequireAuthToSendTo", "value": "TRUE"}]), true)]
    #[case(json!([{"attribute": "authOrig", "value": "cn=post,dc=dmh,dc=test"}]), true)]
    #[case(json!([{"attribute": "authOrig", "value": "post"}]), false)]
    #[case(json!([{"attribute": "msExchRequireAuthToSendTo", "value": "yes"}]), false)]
    fn a_restriction_of_mail_has_a_value_that_exchange_knows(
        #[case] also_set: Value,
        #[case] good: bool,
    ) {
        let found = keys(|written| {
            written["kind"] = json!("active_directory");
            written["exchange"] = json!({ "also_set": also_set });
        });
        assert_eq!(found.is_empty(), good, "{found:?}");
    }

    #[rstest]
    #[case("proxyAddresses")]
    #[case("legacyExchangeDN")]
    #[case("mail")]
    fn no_attribute_that_carries_an_address_can_be_named(#[case] attribute: &str) {
        let written = json!({ "also_set": [{ "attribute": attribute, "value": "TRUE" }] });
        assert!(serde_json::from_value::<ExchangeSettings>(written).is_err());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let written = json!({"kind": "openldap", "server": "ldaps://directory"});
        assert!(serde_json::from_value::<DirectorySettings>(written).is_err());
    }
}
