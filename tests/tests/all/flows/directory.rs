//! One directory of either kind, with the sample agency and the groups of these tests in it.

use crate::beside::{BASE, at_samba, at_slapd, openldap};
use jiff::Timestamp;
use lapsed_tests::agency::Agency;
use lapsed_tests::ldif::escape_filter;
use lapsed_tests::samba::{self, SambaAd};
use lapsed_tests::site::DirectoryAt;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Done, Entry, Failure};

/// Which kind of directory a flow runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OpenLdap,
    SambaAd,
}

impl Kind {
    /// As the configuration calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenLdap => "openldap",
            Self::SambaAd => "active_directory",
        }
    }
}

/// Groups that access forms give, and those that make a local security officer.
const GIVEN: [&str; 3] = ["Files z", "Files q", "Wards"];
const OFFICERS: [&str; 2] = ["LSO-z", "LSO-q"];
/// The officer: an account of this machine and of the directory.
pub const OFFICER: &str = "games";

/// A running server.
pub enum Directory {
    OpenLdap(Slapd),
    SambaAd(SambaAd),
}

impl Directory {
    pub fn start(kind: Kind, agency: &Agency) -> Done<Self> {
        let directory = match kind {
            Kind::OpenLdap => Self::OpenLdap(openldap(agency, Slapd::builder().last_bind())?),
            Kind::SambaAd => {
                let content = agency.to_ad_ldif(samba::BASE);
                let name = format!("agency-{}", agency.people.len());
                Self::SambaAd(SambaAd::builder().load_ldif(&content).kept_as(&name).start()?)
            }
        };
        directory.load_ldif(&directory.content())?;
        Ok(directory)
    }

    fn content(&self) -> String {
        let officer = self.dn_of(OFFICER);
        let mut text = format!("dn: {officer}\n");
        text.push_str(&match self {
            Self::OpenLdap(_) => {
                format!("objectClass: inetOrgPerson\nuid: {OFFICER}\ncn: {OFFICER}\nsn: Officer\n\n")
            }
            Self::SambaAd(_) => format!(
                "objectClass: user\nsAMAccountName: {OFFICER}\nuserAccountControl: 512\nsn: Officer\n\n"
            ),
        });
        for name in GIVEN {
            text.push_str(&self.group(name, None));
        }
        for name in OFFICERS {
            text.push_str(&self.group(name, Some(&officer)));
        }
        text
    }

    fn group(&self, name: &str, member: Option<&str>) -> String {
        match self {
            // The class needs a member: without another, the group itself.
            Self::OpenLdap(_) => {
                let dn = format!("cn={name},ou=groups,{BASE}");
                let member = member.unwrap_or(&dn);
                format!("dn: {dn}\nobjectClass: groupOfNames\ncn: {name}\nmember: {member}\n\n")
            }
            Self::SambaAd(_) => {
                let member = member.map(|dn| format!("member: {dn}\n")).unwrap_or_default();
                format!(
                    "dn: CN={name},OU=Groups,{}\nobjectClass: group\nsAMAccountName: {name}\n{member}\n",
                    samba::BASE
                )
            }
        }
    }

    fn dn_of(&self, name: &str) -> String {
        match self {
            Self::OpenLdap(_) => format!("uid={name},ou=people,{BASE}"),
            Self::SambaAd(_) => format!("CN={name},OU=People,{}", samba::BASE),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::OpenLdap(_) => Kind::OpenLdap,
            Self::SambaAd(_) => Kind::SambaAd,
        }
    }

    /// Where the daemon finds it.
    pub fn at(&self) -> DirectoryAt {
        match self {
            Self::OpenLdap(slapd) => at_slapd(slapd),
            Self::SambaAd(samba) => at_samba(samba),
        }
    }

    /// How the configuration differs from the example: how accounts are made, and where the number is.
    pub fn settings(&self) -> Vec<(String, String)> {
        let from = "    #create:\n      # Where.";
        let create = |below: &str, more: &str| {
            (
                from.to_owned(),
                format!("    create:\n      below: \"{below}\"\n{more}      # Where."),
            )
        };
        match self {
            Self::OpenLdap(_) => {
                vec![create(&format!("ou=people,{BASE}"), "      classes: [inetOrgPerson]\n")]
            }
            Self::SambaAd(_) => vec![
                create(&format!("OU=People,{}", samba::BASE), "      upn_suffix: lab.test\n"),
                ("attributes: {}".into(), "attributes: { employee_number: employeeID }".into()),
            ],
        }
    }

    pub fn load_ldif(&self, text: &str) -> Done<()> {
        match self {
            Self::OpenLdap(slapd) => slapd.load_ldif(text),
            Self::SambaAd(samba) => samba.load_ldif(text),
        }
    }

    pub fn search(&self, filter: &str, attributes: &[&str]) -> Done<Vec<Entry>> {
        match self {
            Self::OpenLdap(slapd) => slapd.search(filter, attributes),
            Self::SambaAd(samba) => samba.search(filter, attributes),
        }
    }

    /// Every entry with all that it shows.
    pub fn everything(&self) -> Done<Vec<Entry>> {
        let attributes: &[&str] = match self {
            Self::OpenLdap(_) => &["*", "+"],
            Self::SambaAd(_) => &["*"],
        };
        self.search("(objectClass=*)", attributes)
    }

    /// The one account of a user ID.
    pub fn account(&self, user_id: &str) -> Done<Entry> {
        let (attribute, shown): (_, &[&str]) = match self {
            Self::OpenLdap(_) => ("uid", &["*", "+"]),
            Self::SambaAd(_) => ("sAMAccountName", &["*"]),
        };
        let filter = format!("({attribute}={})", escape_filter(user_id));
        let mut found = self.search(&filter, shown)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            count => Err(Failure::new(format!("{count} accounts are called {user_id}"))),
        }
    }

    pub fn is_shut(&self, user_id: &str) -> Done<bool> {
        let account = self.account(user_id)?;
        Ok(match self {
            Self::OpenLdap(_) => crate::beside::is_shut(&account),
            Self::SambaAd(_) => flags(&account) & DISABLED != 0,
        })
    }

    /// Has the server know that somebody last logged on, with this password, at this moment.
    pub fn last_used(&mut self, user_id: &str, password: &str, at: Timestamp) -> Done<()> {
        let account = self.account(user_id)?;
        match self {
            // Nothing but a log-on writes it: the server's clock is set back for one.
            Self::OpenLdap(slapd) => {
                let on_clock = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
                slapd.set_clock(&on_clock(at))?;
                let (code, said) = slapd.witness().try_bind(&account.dn, password)?;
                slapd.set_clock(&on_clock(Timestamp::now()))?;
                if code == 0 { Ok(()) } else { Err(Failure::new(said)) }
            }
            Self::SambaAd(samba) => {
                let value = (at.as_second() + FROM_1601_TO_1970) * TICKS_A_SECOND;
                samba.change_as_server(&format!(
                    "dn: {}\nchangetype: modify\nreplace: lastLogonTimestamp\nlastLogonTimestamp: {value}\n",
                    account.dn
                ))
            }
        }
    }

    /// Whether the server shows a last log-on.
    pub fn shows_use(&self, user_id: &str) -> Done<bool> {
        let account = self.account(user_id)?;
        Ok(match self {
            Self::OpenLdap(_) => account.has("pwdLastSuccess"),
            Self::SambaAd(_) => account.first("lastLogonTimestamp").is_some_and(|at| at != "0"),
        })
    }

    /// The password need not be changed at the next log-on any more.
    pub fn password_is_kept(&self, user_id: &str) -> Done<()> {
        let change = match self {
            Self::OpenLdap(_) => "delete: pwdReset\n",
            Self::SambaAd(_) => "replace: pwdLastSet\npwdLastSet: -1\n",
        };
        let dn = self.account(user_id)?.dn;
        self.load_ldif(&format!("dn: {dn}\nchangetype: modify\n{change}"))
    }

    /// What the server says to a log-on with this password: right, wrong, or shut.
    pub fn log_on(&self, user_id: &str, password: &str) -> Done<LogOn> {
        let dn = self.account(user_id)?.dn;
        let witness = match self {
            Self::OpenLdap(slapd) => slapd.witness(),
            Self::SambaAd(samba) => samba.witness(),
        };
        let (code, said) = witness.try_bind(&dn, password)?;
        Ok(match code {
            0 => LogOn::Fine,
            // Active Directory tells whether the password was right (MS-ERREF): it must be changed first.
            49 if said.contains("data 773") => LogOn::MustChange,
            49 => LogOn::Refused,
            _ => return Err(Failure::new(format!("{code}: {said}"))),
        })
    }
}

/// What came of a log-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOn {
    Fine,
    MustChange,
    Refused,
}

const DISABLED: u32 = 0x2;
/// How Active Directory counts moments (MS-DTYP 2.3.3).
const FROM_1601_TO_1970: i64 = 11_644_473_600;
const TICKS_A_SECOND: i64 = 10_000_000;

fn flags(account: &Entry) -> u32 {
    account.first("userAccountControl").and_then(|text| text.parse().ok()).unwrap()
}
