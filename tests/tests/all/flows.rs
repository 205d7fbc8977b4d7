//! Whole flows of access forms, on OpenLDAP and on Active Directory alike: a form is filed and approved by
//! other accounts, the daemon works on a real server, and the whole directory is held against how it was.

mod coming_back;
pub mod directory;
mod interrupted;
mod joining;
mod moving;
mod old_passwords;
mod picture;
pub mod stage;
mod stopping;
mod unused;
