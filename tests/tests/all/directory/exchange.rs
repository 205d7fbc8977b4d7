//! Mailboxes of Exchange, disabled by the attributes of their accounts (D7). The domain controller is
//! Samba with Exchange's attributes in its schema; Exchange itself was never there.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::{
    ExchangeAttribute, ExchangeRestriction, ExchangeSettings,
};
use lapsed_connectors::directory::{Directory, DirectorySettings};
use lapsed_connectors::settings::{Ability, ConnectorKind};
use lapsed_core::observed::ObservedAccount;
use lapsed_core::step::{Action, Fault, Outcome, Seen, Step};
use lapsed_tests::Entry;
use lapsed_tests::samba::SambaAd;

const PEOPLE: &str = "OU=People,DC=lab,DC=test";
const ATTRIBUTES: [&str; 6] = [
    "msExchHideFromAddressLists",
    "msExchRequireAuthToSendTo",
    "proxyAddresses",
    "legacyExchangeDN",
    "mail",
    "userAccountControl",
];

fn mailbox_user(name: &str, id: &str) -> Entry {
    Entry::new(format!("CN={name},{PEOPLE}"))
        .with("objectClass", "user")
        .with("sAMAccountName", id)
        .with("employeeNumber", number_of(id))
        .with("userAccountControl", "66048")
        .with("mail", format!("{id}@lab.test"))
        .with("proxyAddresses", format!("SMTP:{id}@lab.test"))
        .with("proxyAddresses", format!("smtp:{id}.old@lab.test"))
        .with("legacyExchangeDN", format!("/o=Lab/cn={id}"))
}

fn disable_mailbox(account: &ObservedAccount) -> Step {
    step(account, Action::DisableMailbox { account: target(account) })
}

fn with_exchange(samba: &SambaAd) -> DirectorySettings {
    let attribute = ExchangeAttribute::RequireAuthentication;
    let also_set = vec![ExchangeRestriction { attribute, value: "TRUE".into() }];
    DirectorySettings { exchange: Some(ExchangeSettings { also_set }), ..of_samba(samba) }
}

async fn seen(directory: &Directory, step: &Step) -> Result<Seen, Fault> {
    directory.read_back(std::slice::from_ref(step)).await.remove(0)
}

#[tokio::test]
async fn a_mailbox_is_hidden_and_closed_and_keeps_every_address() {
    let entries = [mailbox_user("Ann Li", "zann"), mailbox_user("Bob Ng", "zbob")];
    let samba = SambaAd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    samba.extend_for_exchange().unwrap();
    samba
        .load_ldif(&format!(
            "dn: CN=Ann Li,{PEOPLE}\nchangetype: modify\nadd: msExchHideFromAddressLists\n\
             msExchHideFromAddressLists: FALSE\n"
        ))
        .unwrap();
    let read = |name: &str| samba.read(&format!("CN={name},{PEOPLE}"), &ATTRIBUTES).unwrap();
    let (ann_before, bob_before) = (read("Ann Li").unwrap(), read("Bob Ng").unwrap());

    // Without the section nothing of a mailbox is touched.
    let plain = open(&of_samba(&samba));
    let ann = person(&plain, "zann").await;
    let ending = apply(&plain, &[disable_mailbox(&ann)]).await;
    assert!(matches!(&ending[0], Err(Fault::Refused(_))), "{ending:?}");
    assert!(!of_samba(&samba).abilities().contains(&Ability::DisableMailbox));

    let settings = with_exchange(&samba);
    assert!(settings.abilities().contains(&Ability::DisableMailbox));
    let directory = open(&settings);
    let ann = person(&directory, "zann").await;
    let step = disable_mailbox(&ann);
    assert!(matches!(seen(&directory, &step).await, Ok(Seen::Otherwise(_))));
    // Together with the steps of D2 in one batch, as the daemon sends them.
    let endings = apply(&directory, &[disable(&ann), step.clone()]).await;
    let Ok(Outcome::Changed(receipt)) = &endings[1] else { panic!("{endings:?}") };
    assert!(matches!(&endings[0], Ok(Outcome::Changed(_))), "{endings:?}");
    let mut addresses = receipt.before["proxyAddresses"].clone();
    addresses.sort();
    assert_eq!(addresses, ["SMTP:zann@lab.test", "smtp:zann.old@lab.test"]);
    assert_eq!(receipt.before["legacyExchangeDN"], ["/o=Lab/cn=zann"]);
    assert_eq!(receipt.before["msExchHideFromAddressLists"], ["FALSE"]);
    assert_eq!(receipt.before["msExchRequireAuthToSendTo"], [""; 0]);

    let after = read("Ann Li").unwrap();
    assert_eq!(after.get("msExchHideFromAddressLists"), ["TRUE"]);
    assert_eq!(after.get("msExchRequireAuthToSendTo"), ["TRUE"]);
    for kept in ["proxyAddresses", "legacyExchangeDN", "mail"] {
        assert_eq!(after.get(kept), ann_before.get(kept), "{kept}");
    }
    assert_eq!(read("Bob Ng").unwrap(), bob_before, "nobody else's mailbox");
    all_as_wanted(&directory, std::slice::from_ref(&step)).await;
    nothing_to_change(&directory, std::slice::from_ref(&step)).await;

    // Shown again by hand: the later look says so, and the step is made again.
    samba
        .load_ldif(&format!(
            "dn: CN=Ann Li,{PEOPLE}\nchangetype: modify\nreplace: msExchHideFromAddressLists\n\
             msExchHideFromAddressLists: FALSE\n"
        ))
        .unwrap();
    assert!(matches!(seen(&directory, &step).await, Ok(Seen::Otherwise(_))));
    change(&directory, std::slice::from_ref(&step)).await;
}

#[tokio::test]
async fn another_persons_account_under_the_same_id_keeps_its_mailbox() {
    let samba =
        SambaAd::builder().load_ldif(&ldif(&[mailbox_user("Ann Li", "zann")])).start().unwrap();
    samba.extend_for_exchange().unwrap();
    let directory = open(&with_exchange(&samba));
    let mut ann = person(&directory, "zann").await;
    ann.employee_number = Some(number("E-other"));
    let endings = apply(&directory, &[disable_mailbox(&ann)]).await;
    assert!(matches!(&endings[0], Ok(Outcome::Drifted(_))), "{endings:?}");
    let witness = samba.read(&format!("CN=Ann Li,{PEOPLE}"), &ATTRIBUTES).unwrap().unwrap();
    assert!(!witness.has("msExchHideFromAddressLists"));
}

#[tokio::test]
async fn a_check_finds_a_directory_that_exchange_was_never_set_up_in() {
    let samba =
        SambaAd::builder().load_ldif(&ldif(&[mailbox_user("Ann Li", "zann")])).start().unwrap();
    let settings =
        DirectorySettings { group_bases: vec![samba.base().to_owned()], ..with_exchange(&samba) };
    let problems = || async {
        let probed = open(&settings).probe().await;
        probed.into_iter().filter_map(|p| p.problem).collect::<Vec<_>>()
    };
    let found = problems().await;
    assert!(found.iter().any(|p| p.contains("msExchHideFromAddressLists")), "{found:?}");
    samba.extend_for_exchange().unwrap();
    assert_eq!(problems().await, [] as [&str; 0]);
}
