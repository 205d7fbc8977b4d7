//! The help desk connector and the daemon's tickets on a real Request Tracker. What it can't be made to
//! do is with the connector's own tests, against a double.

mod conformance;
mod departure;
