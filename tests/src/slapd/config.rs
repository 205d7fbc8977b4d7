//! The text of `slapd.conf` and of the entries that every directory starts with.

use super::{Builder, ServiceLimits};
use crate::authority::TlsFiles;
use crate::ldif::{Entry, parse};
use crate::{Done, Failure};
use std::collections::BTreeMap;
use std::path::Path;

/// Password of the administrator and of the service account. They protect nothing but a test.
pub const ADMIN_PASSWORD: &str = "admin-of-the-test";
/// Password of the service account `cn=lapsed,ou=services`.
pub const SERVICE_PASSWORD: &str = "lapsed-of-the-test";

/// `slapd.conf` for the folder.
pub fn text(builder: &Builder, folder: &Path, tls: &TlsFiles) -> String {
    let base = &builder.base;
    let at = folder.display();
    let sync = if builder.fsync { "" } else { "dbnosync\n" };
    let mut conf = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        conf += &format!("include /etc/ldap/schema/{schema}.schema\n");
    }
    conf +=
        &format!("include {at}/agency.schema\npidfile {at}/slapd.pid\nargsfile {at}/slapd.args\n");
    conf += "modulepath /usr/lib/ldap\nmoduleload back_mdb\n";
    for module in ["memberof", "refint", "ppolicy", "accesslog", "retcode", "sssvlv"] {
        conf += &format!("moduleload {module}\n");
    }
    conf += &format!(
        "TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n",
        tls.ca.display(),
        tls.certificate.display(),
        tls.key.display()
    );
    conf += "sizelimit 500\nloglevel stats\nthreads 4\ntool-threads 2\n";
    if builder.sorted_members {
        conf += "sortvals member\n";
    }
    if let Some(seconds) = builder.idle_timeout {
        conf += &format!("idletimeout {seconds}\n");
    }
    // Whoever runs the tests and the daemon comes in by the socket without a password.
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    conf += &format!(
        "authz-regexp gidNumber={group}[+]uidNumber={user},cn=peercred,cn=external,cn=auth cn=lapsed,ou=services,{base}\n\n"
    );
    if builder.access_log {
        conf += &format!(
            "database mdb\nsuffix cn=accesslog\nrootdn cn=admin,{base}\nmaxsize 1073741824\ndirectory {at}/accesslog\nindex reqStart,reqResult eq\nindex objectClass,entryCSN,entryUUID eq\n{sync}\n"
        );
    }
    conf += &main_database(builder, &at.to_string(), sync);
    conf
}

fn main_database(builder: &Builder, at: &str, sync: &str) -> String {
    let base = &builder.base;
    let service = format!("cn=lapsed,ou=services,{base}");
    let mut conf = format!(
        "database mdb\nsuffix {base}\nrootdn cn=admin,{base}\nrootpw {ADMIN_PASSWORD}\nmaxsize 4294967296\ndirectory {at}/db\n{sync}"
    );
    if builder.last_bind {
        conf += "lastbind on\n";
    }
    conf += "index objectClass,entryCSN,entryUUID eq\nindex uid,employeeNumber,mail,agencyMailAlias,memberUid eq\nindex cn eq,sub\nindex member,manager,owner eq\n";
    conf += &match builder.service_limits {
        ServiceLimits::PagedOnly => {
            format!(
                "limits dn.exact=\"{service}\" size.soft=500 size.hard=500 size.prtotal=unlimited\n"
            )
        }
        ServiceLimits::Unlimited => format!("limits dn.exact=\"{service}\" size=unlimited\n"),
        ServiceLimits::Cut => String::new(),
    };
    let right = if builder.service_may_write { "write" } else { "read" };
    conf += &format!(
        "access to attrs=userPassword by dn.exact=\"{service}\" {right} by self write by anonymous auth by * none\n"
    );
    if builder.members_hidden {
        conf += &format!(
            "access to attrs=member,memberUid by dn.exact=\"{service}\" =w by users read by * none\n"
        );
    }
    if let Some(hidden) = &builder.hidden_from_service {
        conf += &format!(
            "access to dn.subtree=\"{hidden}\" by dn.exact=\"{service}\" none by users read by * none\n"
        );
    }
    if let Some(kept) = &builder.unchangeable_for_service {
        conf += &format!("access to dn.base=\"{kept}\" by users read by * none\n");
    }
    conf += &format!("access to * by dn.exact=\"{service}\" {right} by users read by * none\n");
    if builder.member_of {
        conf += "overlay memberof\nmemberof-group-oc groupOfNames\nmemberof-member-ad member\nmemberof-memberof-ad memberOf\nmemberof-dangling ignore\nmemberof-refint FALSE\n";
    }
    if builder.refint {
        conf += &format!(
            "overlay refint\nrefint_attributes member manager\nrefint_nothing {service}\n"
        );
    }
    conf += &format!(
        "overlay ppolicy\nppolicy_default cn=default,ou=policies,{base}\nppolicy_use_lockout\n"
    );
    if !builder.retcode_items.is_empty() {
        conf += &format!("overlay retcode\nretcode-parent \"ou=fail,{base}\"\n");
        for item in &builder.retcode_items {
            conf += &format!("retcode-item {item}\n");
        }
    }
    if builder.retcode_in_entries {
        conf += &format!("overlay retcode\nretcode-parent \"ou=fail,{base}\"\nretcode-indir\n");
    }
    if builder.access_log {
        conf += "overlay accesslog\nlogdb cn=accesslog\nlogops writes\nlogsuccess TRUE\n";
    }
    conf
}

/// The entries that every directory starts with: base, units, password policy, service account.
pub fn skeleton(base: &str, pwd_lockout: bool) -> Done<String> {
    let first = base.split(',').next().and_then(|rdn| rdn.strip_prefix("dc="));
    let domain = first.ok_or_else(|| Failure::new("the base must start with dc="))?;
    let mut entries = vec![
        Entry::new(base)
            .with("objectClass", "dcObject")
            .with("objectClass", "organization")
            .with("o", "Department of Mental Health")
            .with("dc", domain),
    ];
    for unit in ["people", "groups", "services", "policies", "disabled"] {
        entries.push(
            Entry::new(format!("ou={unit},{base}"))
                .with("objectClass", "organizationalUnit")
                .with("ou", unit),
        );
    }
    entries.push(
        Entry::new(format!("cn=default,ou=policies,{base}"))
            .with("objectClass", "device")
            .with("objectClass", "pwdPolicy")
            .with("cn", "default")
            .with("pwdAttribute", "userPassword")
            .with("pwdLockout", if pwd_lockout { "TRUE" } else { "FALSE" })
            .with("pwdMaxFailure", "5"),
    );
    entries.push(
        Entry::new(format!("cn=lapsed,ou=services,{base}"))
            .with("objectClass", "organizationalRole")
            .with("objectClass", "simpleSecurityObject")
            .with("cn", "lapsed")
            .with("userPassword", SERVICE_PASSWORD),
    );
    Ok(entries.iter().map(Entry::to_ldif).collect())
}

/// Adds `memberOf` to the members of groups: the overlay does not run while `slapadd` loads.
pub fn with_member_of(text: &str) -> Done<String> {
    let mut entries = parse(text)?;
    let mut groups_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in &entries {
        for member in group.get("member") {
            groups_of.entry(member.to_lowercase()).or_default().push(group.dn.clone());
        }
    }
    for entry in &mut entries {
        for group in groups_of.get(&entry.dn.to_lowercase()).into_iter().flatten() {
            entry.add("memberOf", group);
        }
    }
    Ok(entries.iter().map(Entry::to_ldif).collect())
}
