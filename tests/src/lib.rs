//! Real servers and a sample agency for lapsed's tests and its demo.
//!
//! Every server here is the real program, started on loopback in a folder of its own by whoever runs
//! the tests, and stopped when its handle is dropped. Nothing outside that folder is touched, and only
//! processes that the handle itself started are ever signalled.

pub mod agency;
pub mod authority;
pub mod bench;
pub mod cache;
pub mod demo;
pub mod dovecot;
pub mod failure;
pub mod ldif;
pub mod lost_reply;
pub mod mariadb;
pub mod postgres;
pub mod process;
pub mod relay;
pub mod request_tracker;
pub mod samba;
pub mod scenario;
pub mod scim;
pub mod site;
pub mod slapd;
pub mod smtp;
pub mod torture_report;
pub mod witness;

pub use failure::{Done, Failure};
pub use ldif::Entry;
