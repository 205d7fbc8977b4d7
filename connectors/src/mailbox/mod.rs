//! Mail servers: what a leaver's mailbox holds, and its end (D7).

pub mod dovecot;
pub mod graph;
