//! `vanc data`: datasets fetched from the network, and what there is of them.

mod fetch;
mod folder;
mod list;

use super::command::{Command, Run};

pub(super) const COMMAND: Command = Command {
    name: "data",
    about: "Fetch datasets, and show which are there",
    flags: &[],
    run: Run::Group(&[fetch::COMMAND, list::COMMAND]),
};
