//! HTTP to other systems: one connection a request, so that what was sent is known, and what was not.
//!
//! Nothing is sent again by itself, no redirect is followed, no proxy of the environment is used, and
//! every reply is bounded in size and time. Addresses and secrets never get into an error.

mod address;
mod client;
#[cfg(test)]
pub(crate) mod double;
mod fault;
mod login;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use address::Base;
pub use client::{Failed, Http, HttpTimeouts, problems};
pub use fault::{Kind, fault_of};
pub use login::{ClientSecretIn, LoginBy, LoginSettings};
pub use reply::{NotJson, Reply};
pub use request::{BadRequest, Request, segment};
pub use reqwest::Method;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
