//! Named tensors and batches in host memory.

/// A tensor under the name it has in checkpoints, in PyTorch's layout
/// (convolution weights OIHW, linear weights out × in), row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Path of the tensor in the network: `stage2.0.skip0.conv0.weight`.
    pub name: String,
    /// Extent of each dimension.
    pub shape: Vec<usize>,
    /// The elements, the last dimension contiguous; `shape`'s product of them.
    pub data: Vec<f32>,
}

impl Tensor {
    /// Makes a tensor of `shape` with every element equal to `value`.
    pub fn full(name: impl Into<String>, shape: &[usize], value: f32) -> Self {
        Tensor {
            name: name.into(),
            shape: shape.to_vec(),
            data: vec![value; shape.iter().product()],
        }
    }
}

/// Images and labels of one step, standardised and augmented.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `labels.len()` images, each height × width × channels, row-major: channels last, as
    /// engines have activations.
    pub images: Vec<f32>,
    /// Class index of each image.
    pub labels: Vec<u32>,
}

impl Batch {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
