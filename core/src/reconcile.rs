//! Facts, policy and today give what must be; that and what is observed give the changes.
