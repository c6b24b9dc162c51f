//! Trained coefficients of a join: one, one a channel, or one an activation of an image
//! in C, H, W order.

use super::super::kernels::padded;
use super::super::kernels::program::Layout;

/// Gives the tensor of the coefficient with an index.
pub type Trained<'f, 't> = &'f dyn Fn(usize) -> &'t [f32];

/// How the coefficients of a join lie over an image.
#[derive(Clone, Debug)]
pub struct Coefficients {
    channels: usize,
    positions: usize,
    /// Elements of each tensor.
    lens: Vec<usize>,
}

impl Coefficients {
    /// Coefficients of these lengths over images of channels × positions.
    pub fn new(channels: usize, positions: usize, lens: Vec<usize>) -> Coefficients {
        Coefficients {
            channels,
            positions,
            lens,
        }
    }

    /// C.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many tensors there are.
    pub fn count(&self) -> usize {
        self.lens.len()
    }

    /// Whether each activation of an image has a coefficient of its own.
    pub fn is_by_unit(&self, index: usize) -> bool {
        self.lens[index] > self.channels
    }

    /// Positions with coefficients of their own.
    pub fn plane(&self, index: usize) -> usize {
        match self.is_by_unit(index) {
            true => self.positions,
            false => 1,
        }
    }

    /// The largest number of positions with coefficients of their own.
    pub fn largest_plane(&self) -> usize {
        (0..self.count()).map(|i| self.plane(i)).max().unwrap_or(1)
    }

    /// The element for a channel and position among the `len` of a tensor.
    fn place(&self, len: usize, channel: usize, position: usize) -> usize {
        if len == 1 {
            0
        } else if len == self.channels {
            channel
        } else {
            channel * self.positions + position
        }
    }

    /// Fills a table with the coefficients of a tensor.
    pub fn fill(&self, layout: &Layout, table: usize, tables: &mut [f32], tensor: &[f32]) {
        layout.fill(tables, table, |channel, position| {
            tensor[self.place(tensor.len(), channel, position)]
        });
    }

    /// Writes the gradient of a tensor from that of each channel of `plane` positions,
    /// `[plane][padded(C)]`, adding up in double precision those that share an element.
    pub fn gather(&self, gradients: &[f32], plane: usize, tensor: &mut [f32]) {
        let stride = padded(self.channels);
        let at =
            |channel: usize, position: usize| f64::from(gradients[position * stride + channel]);
        if let [one] = tensor {
            let sum: f64 = (0..plane)
                .flat_map(|position| (0..self.channels).map(move |channel| (channel, position)))
                .map(|(channel, position)| at(channel, position))
                .sum();
            *one = sum as f32;
        } else if tensor.len() == self.channels {
            for (channel, to) in tensor.iter_mut().enumerate() {
                let sum: f64 = (0..plane).map(|position| at(channel, position)).sum();
                *to = sum as f32;
            }
        } else {
            for position in 0..plane {
                for channel in 0..self.channels {
                    tensor[channel * self.positions + position] =
                        gradients[position * stride + channel];
                }
            }
        }
    }
}
