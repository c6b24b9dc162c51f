//! Finding a GPU that can be used.

use super::libraries::Library;
use crate::error::{Error, Result};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;

/// CUDA version that the driver must support: that of the libraries.
const DRIVER: i32 = 13_000;
/// Compute capability that CUDA 13 begins with.
const OLDEST: (i32, i32) = (7, 5);

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its number among those that the driver shows.
    pub ordinal: usize,
    /// What its maker calls it.
    pub name: String,
    /// Compute capability: (9, 0) of an H100.
    pub capability: (i32, i32),
    /// Bytes of its memory.
    pub memory: usize,
}

/// Why there is no card to run on.
#[derive(Debug)]
pub enum Missing {
    /// There is no driver or no GPU.
    Hardware(Error),
    /// There is one, but it cannot be used.
    Unusable(Error),
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Error {
        match missing {
            Missing::Hardware(error) | Missing::Unusable(error) => error,
        }
    }
}

/// How many GPUs the driver shows.
pub fn count() -> Result<usize, Missing> {
    Library::Driver.load().map_err(Missing::Hardware)?;
    check_version()?;
    result::init().map_err(|e| no_start(&e))?;
    let count = result::device::get_count().map_err(|e| no_start(&e))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The GPU number `ordinal`, or the first.
pub fn find(ordinal: Option<usize>) -> Result<Card, Missing> {
    let count = count()?;
    let ordinal = ordinal.unwrap_or(0);
    if count == 0 {
        return Err(no_card());
    }
    if ordinal >= count {
        return Err(Missing::Hardware(
            Error::new(format!(
                "there is no GPU number {ordinal}: the driver shows {count}, counted from 0"
            ))
            .help("give a smaller number; CUDA_VISIBLE_DEVICES may hide some"),
        ));
    }
    let card = describe(ordinal)
        .map_err(|e| Missing::Unusable(failed("the GPU cannot be asked what it is", &e)))?;
    if card.capability < OLDEST {
        let (major, minor) = card.capability;
        return Err(Missing::Unusable(
            Error::new(format!(
                "the GPU {} has compute capability {major}.{minor}; CUDA 13 needs {}.{}",
                card.name, OLDEST.0, OLDEST.1
            ))
            .help("use a newer GPU, or --device cpu"),
        ));
    }
    Ok(card)
}

fn describe(ordinal: usize) -> Result<Card, DriverError> {
    let device = result::device::get(ordinal as i32)?;
    use sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    // SAFETY: a device that the driver gave.
    let (capability, memory) = unsafe {
        let major = result::device::get_attribute(device, MAJOR)?;
        let minor = result::device::get_attribute(device, MINOR)?;
        ((major, minor), result::device::total_mem(device)?)
    };
    Ok(Card {
        ordinal,
        name: result::device::get_name(device)?,
        capability,
        memory,
    })
}

/// Newer functions of the driver are not to be called where an older one lacks them.
fn check_version() -> Result<(), Missing> {
    let mut version = 0;
    // SAFETY: writes one int; the call needs no initialised driver.
    unsafe { sys::cuDriverGetVersion(&mut version).result() }.map_err(|e| no_start(&e))?;
    if version >= DRIVER {
        return Ok(());
    }
    let shown = |version: i32| format!("{}.{}", version / 1000, version % 1000 / 10);
    Err(Missing::Unusable(
        Error::new(format!(
            "NVIDIA's driver here supports CUDA {}, and {} is needed",
            shown(version),
            shown(DRIVER)
        ))
        .help("install driver version 580 or newer, or give --device cpu"),
    ))
}

fn no_card() -> Missing {
    Missing::Hardware(
        Error::new("NVIDIA's driver is here, but it finds no GPU").help(
            "see what `nvidia-smi` says, and whether CUDA_VISIBLE_DEVICES hides it; \
             or give --device cpu",
        ),
    )
}

fn no_start(error: &DriverError) -> Missing {
    match error.0 {
        sys::CUresult::CUDA_ERROR_NO_DEVICE => no_card(),
        _ => Missing::Unusable(failed("NVIDIA's driver does not start", error)),
    }
}

/// The error for a call of the driver that failed, in the driver's own words.
pub fn failed(what: &str, error: &DriverError) -> Error {
    let words = |text: Result<&std::ffi::CStr, DriverError>| {
        text.map_or_else(
            |_| String::new(),
            |text| text.to_string_lossy().into_owned(),
        )
    };
    let (name, text) = (words(error.error_name()), words(error.error_string()));
    let said = Error::new(format!("{what}: {text} ({name})"));
    match error.0 {
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            said.help("choose a smaller --batch, or end what else uses the GPU")
        }
        _ => said.help("see what `nvidia-smi` says; --device cpu runs without a GPU"),
    }
}
