//! From HR's drop to an empty mailbox on its date, through the whole daemon.
