//! Commands that a build may lack: each says so, and how to build it.

#[cfg(not(feature = "fetch"))]
pub(super) mod fetch {
    use crate::error::{Error, Result};
    use clap::ArgMatches;

    pub fn run(_: &ArgMatches) -> Result<()> {
        Err(Error::unbuilt("vanc data fetch", "fetch"))
    }
}

#[cfg(not(feature = "report"))]
pub(super) mod report {
    use crate::cli::Failure;
    use crate::error::Error;
    use clap::ArgMatches;

    pub fn run(_: &ArgMatches) -> Result<(), Failure> {
        Err(Error::unbuilt("vanc report", "report").into())
    }
}

#[cfg(not(feature = "watch"))]
pub(super) mod watch {
    use crate::cli::Failure;
    use crate::error::Error;
    use clap::ArgMatches;

    pub fn run(_: &ArgMatches) -> Result<(), Failure> {
        Err(Error::unbuilt("vanc watch", "watch").into())
    }
}
