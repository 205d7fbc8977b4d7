//! Lines and servers that fail in every way while lapsed works: it ends as if they had not.

mod everywhere;
mod lines;
