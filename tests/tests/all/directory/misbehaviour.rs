//! Servers that misbehave, vanish or answer late: nothing is made up, nothing is lost, nothing panics.

use super::double::{Double, Mischief, On, empty_result, nested, unreadable_name};
use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::BindSettings;
use lapsed_connectors::directory::{DirectoryKind, DirectorySettings};
use lapsed_core::observed::{Protection, Scope};
use lapsed_core::step::{Fault, Outcome};

fn of_double(double: &Double) -> DirectorySettings {
    let mut settings = settings(DirectoryKind::ActiveDirectory, "DC=lab,DC=test");
    settings.servers = vec![double.url()];
    settings.bind = BindSettings { external: true, ..BindSettings::default() };
    settings.timeouts.operation_seconds = 1;
    settings
}

#[tokio::test]
async fn a_list_that_the_server_cuts_into_ranges_is_read_to_its_end() {
    let double = Double::start(3200, &[]);
    let mut settings = of_double(&double);
    settings.protected.second_operator.groups = vec![super::double::GROUP.into()];
    let seen = open(&settings).observe(&Scope::AllAccounts).await.unwrap();
    let [ann] = seen.accounts.as_slice() else { panic!("{seen:?}") };
    assert!(matches!(ann.protection, Some(Protection::SecondOperator { .. })), "the last of 3,200");
    let asked = double.state.lock().unwrap().ranges.clone();
    assert_eq!(asked, ["member;range=0-*", "member;range=1500-*", "member;range=3000-*"]);
}

#[tokio::test]
async fn a_value_that_somebody_else_changed_is_read_again_and_not_overwritten() {
    let double = Double::start(0, &[(On::Modify, Mischief::ChangeFirst(66048))]);
    let directory = open(&of_double(&double));
    let ann = person(&directory, "zann").await;
    let endings = apply(&directory, &[disable(&ann)]).await;
    let Ok(Outcome::Changed(receipt)) = &endings[0] else { panic!("{endings:?}") };
    assert_eq!(receipt.before["userAccountControl"], ["66048"]);
    assert_eq!(double.state.lock().unwrap().changes, [(512, 514, 16), (66048, 66050, 0)]);
}

#[rstest::rstest]
#[case::nested(nested(100_000))]
#[case::unreadable_name(unreadable_name())]
#[case::empty_result(empty_result())]
#[tokio::test]
async fn a_reply_that_is_no_answer_ends_the_connection_and_the_next_one_works(
    #[case] reply: Vec<u8>,
) {
    let double = Double::start(0, &[(On::AccountSearch, Mischief::Send(reply))]);
    let directory = open(&of_double(&double));
    let fault = observe(&directory, &["zann"]).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry(c) if c.message.contains("no LDAP message")), "{fault}");
    assert_eq!(people(&directory, &["zann"]).await.accounts.len(), 1);
    assert_eq!(double.state.lock().unwrap().connections, 2);
}

#[rstest::rstest]
#[case::cut(Mischief::CutReply)]
#[case::silence(Mischief::Silence)]
#[tokio::test]
async fn a_change_whose_answer_is_lost_is_unknown_and_found_made_by_the_next_look(
    #[case] mischief: Mischief,
) {
    let double = Double::start(0, &[(On::Modify, mischief)]);
    let directory = open(&of_double(&double));
    let ann = person(&directory, "zann").await;
    let steps = [disable(&ann)];
    let endings = apply(&directory, &steps).await;
    assert!(matches!(&endings[0], Err(Fault::Unknown(_))), "{endings:?}");
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;
    assert_eq!(double.state.lock().unwrap().changes, [(512, 514, 0)], "made once");
}

#[rstest::rstest]
#[case::pointer(Mischief::Pointer, "on another server")]
#[case::no_page_end(Mischief::NoPageEnd, "whole")]
#[case::referral(Mischief::Code(10), "another server")]
#[case::size_limit(Mischief::Code(4), "size limit")]
#[tokio::test]
async fn a_listing_that_is_not_whole_is_a_fault(#[case] mischief: Mischief, #[case] words: &str) {
    let double = Double::start(0, &[(On::AccountSearch, mischief)]);
    let directory = open(&of_double(&double));
    let fault = directory.observe(&Scope::AllAccounts).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused(c) if c.message.contains(words)), "{fault}");
}

#[rstest::rstest]
#[case::cut(Mischief::CutReply)]
#[case::silence(Mischief::Silence)]
#[case::busy(Mischief::Code(51))]
#[tokio::test]
async fn a_listing_that_breaks_off_is_tried_again_later(#[case] mischief: Mischief) {
    let double = Double::start(0, &[(On::AccountSearch, mischief)]);
    let directory = open(&of_double(&double));
    let fault = directory.observe(&Scope::AllAccounts).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry(_)), "{fault}");
    assert_eq!(directory.observe(&Scope::AllAccounts).await.unwrap().accounts.len(), 1);
}

#[tokio::test]
async fn what_the_directory_refuses_together_is_done_one_by_one() {
    let slapd = lapsed_tests::slapd::Slapd::builder().load_ldif(&ldif(&[someone("zann")]));
    let slapd = slapd.start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    // A description may not be empty: that step alone is refused.
    let endings = apply(&directory, &[stamp(&ann, ""), disable(&ann)]).await;
    assert!(matches!(&endings[0], Err(Fault::Refused(_))), "{endings:?}");
    assert!(matches!(&endings[1], Ok(Outcome::Changed(_))), "{endings:?}");
}

#[tokio::test]
async fn groups_of_an_account_that_is_renamed_meanwhile_are_read_again() {
    let mischief = [(On::AccountSearch, Mischief::Pass), (On::AccountSearch, Mischief::Renamed)];
    let double = Double::start(0, &mischief);
    let directory = open(&of_double(&double));
    let fault = observe(&directory, &["zann"]).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry(c) if c.message.contains("renamed")), "{fault}");
    assert_eq!(people(&directory, &["zann"]).await.accounts.len(), 1);
}

#[tokio::test]
async fn a_worn_connection_is_replaced() {
    let double = Double::start(0, &[]);
    let mut settings = of_double(&double);
    settings.recycle.operations = 3;
    let directory = open(&settings);
    for _ in 0..6 {
        people(&directory, &["zann"]).await;
    }
    assert!(double.state.lock().unwrap().connections > 2);
}
