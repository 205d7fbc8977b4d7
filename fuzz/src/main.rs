//! One program tries every reader of what others wrote; `LAPSED_FUZZ` names the reader. One program, since
//! each links the whole daemon. `make fuzz` runs them all, `fuzz/run` one.
//!
//! No input may make a reader panic, run for seconds, or take the machine's memory.

#![no_main]

mod control;
mod directory;
#[path = "../../daemon/tests/console/fake.rs"]
#[allow(clippy::unwrap_used, dead_code, reason = "the console of the daemon's own tests")]
mod fake;
mod helpers;
mod replies;
#[path = "../../daemon/tests/console/samples/mod.rs"]
#[allow(clippy::unwrap_used, dead_code, reason = "the console of the daemon's own tests")]
mod samples;
mod serving;
mod texts;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// Every reader by its name, which is that of its folder in `seeds/` too.
const READERS: [(&str, fn(&[u8])); 12] = [
    ("feeds", texts::feed),
    ("access_forms", texts::access_form),
    ("order_forms", texts::order_form),
    ("form_tokens", texts::form_token),
    ("yaml", texts::yaml),
    ("ldap", directory::reply),
    ("doveadm", replies::doveadm),
    ("scim", replies::scim),
    ("request_tracker", replies::request_tracker),
    ("control", control::call),
    ("home_helper", helpers::home),
    ("command_helper", helpers::command),
];

fn chosen() -> fn(&[u8]) {
    static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let name = std::env::var("LAPSED_FUZZ").unwrap_or_default();
        let found = READERS.iter().find(|(known, _)| *known == name);
        let all = READERS.map(|(known, _)| known).join(" ");
        found.unwrap_or_else(|| panic!("LAPSED_FUZZ={name:?} is none of: {all}")).1
    })
}

fuzz_target!(|data: &[u8]| chosen()(data));
