//! Access that stops for a while by form: a leave until the return, an order until an order lifts it.

use super::directory::Kind;
use super::stage::{Stage, at_once, joins};
use rstest::rstest;

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn a_leave_ends_with_the_return_an_order_by_an_order_alone_and_all_is_as_before(
    #[case] kind: Kind,
) {
    let Some(mut stage) = Stage::new(kind) else { return };
    stage.given(&joins("Quillfeather", "John"));
    stage.changed();

    stage.file(&at_once("leave", "mzquilj", "leave"));
    stage.waits_until("mzquilj", true);
    stage.stopped_by(&["leave"]);
    stage.shows("on_leave");
    stage.nothing_to_do();
    stage.file(&at_once("leave", "mzquilj", "return"));
    stage.waits_until("mzquilj", false);
    stage.stopped_by(&[]);
    stage.shows("returned");

    stage.file(&at_once("suspension", "mzquilj", "suspend"));
    stage.waits_until("mzquilj", true);
    stage.file(&at_once("leave", "mzquilj", "leave"));
    stage.stopped_by(&["order", "leave"]);
    // A leave that ends opens nothing that an order stops.
    stage.file(&at_once("leave", "mzquilj", "return"));
    stage.stopped_by(&["order"]);
    stage.nothing_to_do();
    stage.shows("ordered");
    stage.file(&at_once("suspension", "mzquilj", "lift"));
    stage.waits_until("mzquilj", false);
    stage.stopped_by(&[]);
    stage.shows("lifted");
    stage.nothing_to_do();
}
