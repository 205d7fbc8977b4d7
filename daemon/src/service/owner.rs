//! Whose files count: a folder gives a file no authority, its owner does.

use crate::config::{Config, Members, Role};
use crate::control::peer::{Accounts as _, MachineAccounts};
use crate::control::roles::{Caller, Identity};
use crate::cycle::access::Filer;
use crate::cycle::access::authority::Account;
use crate::drops::Owner;

/// Whose files count in a folder, beside those of operators.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts<'a> {
    /// The accounts that the YAML names.
    pub(super) from: Option<&'a Members>,
    /// Under which key.
    pub(super) key: &'static str,
}

/// The account that filed, by the kernel's word; an error where anybody could have written the file.
pub(super) async fn account_of(owner: Owner) -> Result<Identity, String> {
    if owner.anyone_writes || owner.names > 1 {
        return Err(
            "anybody could have written this file (its mode, or a second name of it); copy it into the folder \
             with a mode such as 0640".into(),
        );
    }
    // Names may come over the network: not on the runtime's own threads.
    let asked = tokio::task::spawn_blocking(move || MachineAccounts.identity(owner.uid, owner.gid));
    let unknown = || format!("this machine does not know whose file this is (user {})", owner.uid);
    asked.await.ok().and_then(Result::ok).ok_or_else(unknown)
}

/// The name of the account that filed, if its files count.
pub(super) async fn who_filed(
    config: &Config,
    counts: Counts<'_>,
    owner: Owner,
) -> Result<String, String> {
    let identity = account_of(owner).await?;
    let named = counts.from.is_some_and(|members| is_member(members, &identity));
    let caller = Caller::new(identity, &config.control.roles);
    if named || caller.may(Role::Operator) {
        return Ok(caller.name.to_string());
    }
    Err(format!(
        "files of {} do not count; have an operator put it there, or name the account under \
         {}",
        caller.name, counts.key
    ))
}

/// The account that filed an access form: its rule says who may, beside those whose files count anyway.
pub(super) async fn filer(
    config: &Config,
    from: Option<&Members>,
    owner: Owner,
) -> Result<Filer, String> {
    let identity = account_of(owner).await?;
    let counts = from.is_some_and(|members| is_member(members, &identity));
    let caller = Caller::new(identity, &config.control.roles);
    Ok(Filer { account: Account::from(&caller), counts })
}

fn is_member(members: &Members, identity: &Identity) -> bool {
    members.users.iter().any(|user| user == identity.name.as_str())
        || members.groups.iter().any(|group| identity.groups.contains(group))
}
