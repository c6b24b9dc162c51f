//! Finding a GPU that can be used.

use super::libraries::Library;
use crate::error::{Error, Result};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;

/// CUDA version that the driver must support: that of the libraries.
const DRIVER: i32 = 13_000;
/// Compute capability that CUDA 13 begins with.
const OLDEST: (i32, i32) = (7, 5);

/// GPU that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Number of the card among those that the driver shows.
    pub ordinal: usize,
    /// Name that the maker gives it.
    pub name: String,
    /// Compute capability: (9, 0) of an H100.
    pub capability: (i32, i32),
    /// Bytes of the card's memory.
    pub memory: usize,
}

/// Reason why there is no card to run on.
#[derive(Debug)]
pub enum Missing {
    /// Missing hardware: there is no driver or no GPU.
    Hardware(Error),
    /// Card that is there and cannot be used.
    Unusable(Error),
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Error {
        match missing {
            Missing::Hardware(error) | Missing::Unusable(error) => error,
        }
    }
}

/// Counts the GPUs that the driver shows.
///
/// # Errors
/// If the driver is missing, too old or does not start.
pub fn count() -> Result<usize, Missing> {
    Library::Driver.load().map_err(Missing::Hardware)?;
    check_version()?;
    result::init().map_err(|e| no_start(&e))?;
    let count = result::device::get_count().map_err(|e| no_start(&e))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Finds the GPU number `ordinal`, or the first.
///
/// # Errors
/// If there is no such GPU, or it is too old or cannot be asked.
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

/// Checks the driver's version: newer functions are not to be called where an older one
/// lacks them.
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
    if error.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE {
        no_card()
    } else {
        Missing::Unusable(failed("NVIDIA's driver does not start", error))
    }
}

/// Makes the error for a call of the driver that failed, in the driver's own words.
pub fn failed(what: &str, error: &DriverError) -> Error {
    let words = |text: Result<&std::ffi::CStr, DriverError>| {
        text.map_or_else(
            |_| String::new(),
            |text| text.to_string_lossy().into_owned(),
        )
    };
    let (name, text) = (words(error.error_name()), words(error.error_string()));
    let said = Error::new(format!("{what}: {text} ({name})"));
    said.help(if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
        "choose a smaller --batch, or end what else uses the GPU"
    } else {
        "see what `nvidia-smi` says; --device cpu runs without a GPU"
    })
}
