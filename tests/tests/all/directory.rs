//! The directory connector against real servers, with `ldapsearch` as witness, and against a double for
//! what no real server at hand does.

mod active_directory;
mod double;
mod misbehaviour;
mod openldap;
mod support;
