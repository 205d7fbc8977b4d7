//! Another name and another location.

use super::directory::Kind;
use super::stage::{Stage, about, joins};
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn a_name_that_is_taken_is_passed_over_and_a_move_changes_groups_unless_duties_are_kept(
    #[case] kind: Kind,
) {
    let Some(mut stage) = Stage::new(kind) else { return };
    stage.given(&joins("Oakenshield", "Jill"));
    stage.given(&joins("Quillfeather", "John"));
    stage.changed();
    let new_name = json!({ "last": "Oakenshield", "first": "John" });
    let more = json!({ "new_name": new_name, "old_user_id": "mzquilj" });
    stage.given(&about("mzquilj", "name_change", more));
    // mzoakej is Jill's.
    stage.shows("renamed");
    stage.nothing_to_do();

    stage.given(&about("mzoak1j", "location_change", json!({ "new_location": "q" })));
    stage.shows("moved");
    let more = json!({ "new_location": "q", "keeps_duties": true });
    stage.given(&about("mzoakej", "location_change", more));
    stage.shows("moved_with_duties");
    stage.nothing_to_do();
}
