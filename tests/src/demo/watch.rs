//! Looks at the directory with `ldapsearch` only: what is shut, who is in which group, and since when.

use crate::agency::Agency;
use crate::slapd::Slapd;
use crate::{Done, Entry, Failure, ldif};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What shuts an account of OpenLDAP for good (slapo-ppolicy).
const SHUT: &str = "(pwdAccountLockedTime=000001010000Z)";
/// How long a change may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the directory showed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Log-on names of accounts that are shut.
    pub shut: BTreeSet<String>,
    /// Group and member, the member by log-on name where it is an account.
    pub members: BTreeSet<(String, String)>,
}

impl Sight {
    /// In how many groups someone is.
    #[must_use]
    pub fn groups(&self, user_id: &str) -> usize {
        self.members.iter().filter(|(_, member)| member == user_id).count()
    }

    /// Memberships of all but these accounts.
    #[must_use]
    pub fn members_but(&self, user_ids: &BTreeSet<String>) -> BTreeSet<(String, String)> {
        self.members.iter().filter(|(_, member)| !user_ids.contains(member)).cloned().collect()
    }
}

/// When something was seen in the directory, counted from the drop or the call.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The account was shut.
    pub shut: Duration,
    /// The account was in no group any more.
    pub out: Duration,
}

/// Looks at all accounts and groups.
pub fn look(slapd: &Slapd) -> Done<Sight> {
    let shut = shut(slapd)?;
    let mut members = BTreeSet::new();
    let groups = "(|(objectClass=groupOfNames)(objectClass=posixGroup))";
    for group in slapd.search(groups, &["cn", "member", "memberUid"])? {
        let name = group.first("cn").unwrap_or_default();
        for member in group.get("member") {
            members.insert((name.clone(), log_on_name(&member)));
        }
        members.extend(group.get("memberUid").into_iter().map(|uid| (name.clone(), uid)));
    }
    Ok(Sight { shut, members })
}

fn shut(slapd: &Slapd) -> Done<BTreeSet<String>> {
    let found = slapd.search(SHUT, &["uid"])?;
    Ok(found.iter().filter_map(|account| account.first("uid")).collect())
}

/// `mzsmitj` of `uid=mzsmitj,ou=people,…`; other names as they are.
fn log_on_name(dn: &str) -> String {
    let first = dn.split(',').next().unwrap_or(dn);
    first.strip_prefix("uid=").unwrap_or(dn).to_owned()
}

/// Everything that the directory holds, time stamps of its entries included: a single write changes it.
pub fn everything(slapd: &Slapd) -> Done<Vec<Entry>> {
    let mut all = slapd.search("(objectClass=*)", &["*", "+"])?;
    all.sort_by(|a, b| a.dn.cmp(&b.dn));
    Ok(all)
}

/// Whether someone can log on with the password that they had.
pub fn can_log_on(slapd: &Slapd, user_id: &str) -> Done<bool> {
    let dn = Agency::openldap_dn(slapd.base(), user_id);
    let (code, _) = slapd.witness().try_bind(&dn, &Agency::password(user_id))?;
    Ok(code == 0)
}

/// Looks again and again until all these accounts are shut and out of all groups, tells of each as soon
/// as that is seen, and gives the times.
pub fn until_gone(
    slapd: &Slapd,
    since: Instant,
    user_ids: &BTreeSet<String>,
    mut tell: impl FnMut(&str, Seen),
) -> Done<BTreeMap<String, Seen>> {
    let mut shut_at: BTreeMap<String, Duration> = BTreeMap::new();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    while seen.len() < user_ids.len() {
        if since.elapsed() > PATIENCE {
            let missing: Vec<_> = user_ids.iter().filter(|id| !seen.contains_key(*id)).collect();
            return Err(Failure::new(format!("still not shut or out of all groups: {missing:?}")));
        }
        let shut = shut(slapd)?;
        let now = since.elapsed();
        for user_id in user_ids.intersection(&shut) {
            shut_at.entry(user_id.clone()).or_insert(now);
        }
        let waiting: Vec<String> =
            shut_at.keys().filter(|id| !seen.contains_key(*id)).cloned().collect();
        for user_id in waiting {
            if groups_of(slapd, &user_id)?.is_empty() {
                let times = Seen { shut: shut_at[&user_id], out: since.elapsed() };
                tell(&user_id, times);
                seen.insert(user_id, times);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(seen)
}

/// The filter for an account's groups of both kinds.
#[must_use]
pub fn groups_filter(base: &str, user_id: &str) -> String {
    let dn = ldif::escape_filter(&Agency::openldap_dn(base, user_id));
    format!("(|(member={dn})(memberUid={user_id}))")
}

fn groups_of(slapd: &Slapd, user_id: &str) -> Done<Vec<Entry>> {
    slapd.search(&groups_filter(slapd.base(), user_id), &["cn"])
}
