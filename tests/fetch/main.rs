//! Tests of fetching from servers on loopback that do what servers do: cut, stall, lie,
//! redirect.

mod archives;
mod downloads;
mod program;
mod server;
