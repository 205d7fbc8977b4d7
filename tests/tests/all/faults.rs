//! Lines and servers that fail in every way while lapsed works: it ends as if they had not.

mod clock;
mod encryption;
mod everywhere;
mod hello;
mod lines;
mod retcode;
