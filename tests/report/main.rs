//! Tests of `vanc report` and `vanc watch`: pages and curves of real runs.

mod page;
mod support;
mod watch;
