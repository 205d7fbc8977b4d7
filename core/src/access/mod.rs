//! Access forms and what follows from them: who asked for what, who said yes, what is missing, what a
//! person holds by which form, and what stops it for a while (A, N7, S).

pub mod authority;
pub mod chain;
pub mod check;
mod content;
pub mod decision;
pub mod entitlement;
pub mod finding;
pub mod form;
pub mod gate;
pub mod password;
pub mod person;
pub mod suspension;
