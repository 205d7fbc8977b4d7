//! The targets that lapsed reads and changes: one folder a kind, each behind [`contract`].
//!
//! A connector depends on no other connector, and never decides: it carries out steps.

pub mod agency_form;
mod begun;
pub mod command;
pub mod contract;
pub mod directory;
mod gift;
pub mod handover;
pub mod help_desk;
pub mod helper;
pub mod home;
pub mod http;
pub mod mail;
pub mod mailbox;
mod password;
pub mod rest;
pub mod scim;
mod secret;
pub mod settings;
pub mod sql;
pub mod system_account;
pub mod tickets;
mod tls;
