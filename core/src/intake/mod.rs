//! Bytes of a drop become statements and set-aside rows, or the drop is rejected whole.
