//! A safetensors file with a JSON text and a check sum in its metadata.

use crate::error::{Error, Result};
use crate::foreign;
use crate::tensor::Tensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;

const META: &str = "vanc";
const CHECK_SUM: &str = "crc32";
const STATE: &str = "state";

/// End of the names of PyTorch's counts of batches, whole numbers that no engine has.
pub const COUNT: &str = ".num_batches_tracked";

/// Contents of a file.
#[derive(Debug)]
pub struct Contents {
    /// JSON text.
    pub meta: String,
    /// Check sum of the file that goes with it, where there is one.
    pub state: Option<String>,
    /// Tensors in the order of their names.
    pub tensors: Vec<Tensor>,
    /// Check sum of all that.
    pub sum: String,
}

/// Writes the bytes of a file with these tensors and counts of batches; gives its check sum.
///
/// # Errors
/// Where the tensors cannot be put into a file.
pub fn encode(
    meta: String,
    state: Option<String>,
    tensors: &[&Tensor],
    counts: &[(String, u64)],
) -> Result<(Vec<u8>, String)> {
    let failed =
        |e: safetensors::SafeTensorError| Error::new(format!("cannot make the checkpoint: {e}"));
    let data: Vec<Vec<u8>> = tensors.iter().map(|tensor| bytes(tensor)).collect();
    let numbers: Vec<[u8; 8]> = counts.iter().map(|(_, n)| n.to_le_bytes()).collect();
    let floats = tensors.iter().zip(&data).map(|(tensor, data)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), data)?;
        Ok((tensor.name.as_str(), view))
    });
    let numbers = counts.iter().zip(&numbers).map(|((name, _), data)| {
        let view = TensorView::new(Dtype::I64, Vec::new(), data)?;
        Ok((name.as_str(), view))
    });
    let mut views = floats
        .chain(numbers)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(failed)?;
    views.sort_by_key(|(name, _)| *name);
    let sum = check_sum(&meta, state.as_deref(), &views);
    let mut info = HashMap::from([
        (META.to_string(), meta),
        (CHECK_SUM.to_string(), sum.clone()),
    ]);
    info.extend(state.map(|state| (STATE.to_string(), state)));
    let file = safetensors::serialize(views, Some(info)).map_err(failed)?;
    Ok((file, sum))
}

/// Reads the JSON text of a file alone, where it has one.
pub fn meta(file: &[u8]) -> Option<String> {
    let (_, header) = SafeTensors::read_metadata(file).ok()?;
    header.metadata().as_ref()?.get(META).cloned()
}

/// Reads the bytes of a file.
///
/// # Errors
/// Where the file is damaged, or none of ours.
pub fn decode(file: &[u8]) -> Result<Contents> {
    let (_, header) =
        SafeTensors::read_metadata(file).map_err(|e| match foreign::recognize(file) {
            Some(foreign) => foreign.error("a checkpoint of vanc"),
            None => damaged(&e),
        })?;
    let info = header.metadata().as_ref();
    let text = |key: &str| info.and_then(|info| info.get(key));
    let (Some(meta), Some(sum)) = (text(META), text(CHECK_SUM)) else {
        return Err(
            Error::new("it holds weights, but it is no checkpoint of vanc")
                .help("start from its weights with `vanc train FILE.van --weights` and its name"),
        );
    };
    let state = text(STATE);
    let views = SafeTensors::deserialize(file).map_err(|e| damaged(&e))?;
    let mut views: Vec<(&str, TensorView)> = views.iter().collect();
    views.sort_by_key(|(name, _)| *name);
    if *sum != check_sum(meta, state.map(String::as_str), &views) {
        return Err(damaged(&"its check sum does not agree"));
    }
    let is_count =
        |name: &str, view: &TensorView| view.dtype() == Dtype::I64 && name.ends_with(COUNT);
    let floats = views.iter().filter(|(name, view)| !is_count(name, view));
    let tensors = floats.map(|(name, view)| {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(&format!("{name} is {}, not F32", view.dtype())));
        }
        Ok(Tensor {
            name: name.to_string(),
            shape: view.shape().to_vec(),
            data: decode_floats(view.data()),
        })
    });
    Ok(Contents {
        meta: meta.clone(),
        state: state.cloned(),
        tensors: tensors.collect::<Result<_>>()?,
        sum: sum.clone(),
    })
}

/// Makes the error of a damaged file.
pub fn damaged(what: &dyn std::fmt::Display) -> Error {
    Error::new(format!("the file is cut short or damaged ({what})"))
}

/// Writes a tensor as little-endian bytes.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Decodes little-endian `f32`s.
fn decode_floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// Computes the CRC-32 over the metadata, the check sum of the state, and, in the order of the
/// names, each tensor's name, shape and bytes. `views` is in that order.
fn check_sum(meta: &str, state: Option<&str>, views: &[(&str, TensorView)]) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(meta.as_bytes());
    crc.update(state.unwrap_or_default().as_bytes());
    for (name, view) in views {
        crc.update(name.as_bytes());
        for extent in view.shape() {
            crc.update(&(*extent as u64).to_le_bytes());
        }
        crc.update(view.data());
    }
    format!("{:08x}", crc.sum())
}
