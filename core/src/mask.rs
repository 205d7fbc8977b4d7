//! Masks protected personal information in free text (P1).
