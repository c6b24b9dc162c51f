//! Trained coefficients of a join: one, one a channel, or one an activation of an image
//! in C, H, W order.

use super::super::kernels::padded;
use super::super::kernels::program::Layout;

/// Function that gives the tensor of the coefficient with an index.
pub type Trained<'f, 't> = &'f dyn Fn(usize) -> &'t [f32];

/// Layout of the coefficients of a join over an image.
#[derive(Clone, Debug)]
pub struct Coefficients {
    channels: usize,
    positions: usize,
    /// Number of elements of each tensor.
    lens: Vec<usize>,
}

impl Coefficients {
    /// Makes the layout of coefficients of these lengths over images of channels × positions.
    pub fn new(channels: usize, positions: usize, lens: Vec<usize>) -> Coefficients {
        Coefficients {
            channels,
            positions,
            lens,
        }
    }

    /// Returns the number of channels C.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Counts the tensors.
    pub fn count(&self) -> usize {
        self.lens.len()
    }

    /// Tells whether each activation of an image has a coefficient of its own.
    pub fn is_by_unit(&self, index: usize) -> bool {
        self.lens[index] > self.channels
    }

    /// Counts the positions with coefficients of their own.
    pub fn plane(&self, index: usize) -> usize {
        match self.is_by_unit(index) {
            true => self.positions,
            false => 1,
        }
    }

    /// Finds the largest number of positions with coefficients of their own.
    pub fn largest_plane(&self) -> usize {
        (0..self.count()).map(|i| self.plane(i)).max().unwrap_or(1)
    }

    /// Fills a table with the coefficients of a tensor.
    pub fn fill(&self, layout: &Layout, table: usize, tables: &mut [f32], tensor: &[f32]) {
        layout.fill(tables, table, |position, channels| {
            self.fill_channels(tensor, position, channels);
        });
    }

    /// Writes the coefficients of a tensor for the channels of a position.
    pub fn fill_channels(&self, tensor: &[f32], position: usize, channels: &mut [f32]) {
        match tensor {
            [one] => channels.fill(*one),
            _ if tensor.len() == channels.len() => channels.copy_from_slice(tensor),
            _ => {
                let from = tensor[position..].iter().step_by(self.positions);
                channels.iter_mut().zip(from).for_each(|(to, v)| *to = *v);
            }
        }
    }

    /// Writes the gradient of a tensor from that of each channel of `plane` positions,
    /// `[plane][padded(C)]`, adding up in double precision those that share an element.
    pub fn gather(&self, gradients: &[f32], plane: usize, tensor: &mut [f32]) {
        let (channels, positions) = (self.channels, self.positions);
        let rows = || gradients.chunks_exact(padded(channels)).take(plane);
        if let [one] = tensor {
            let all = rows().flat_map(|row| &row[..channels]);
            *one = all.map(|x| f64::from(*x)).sum::<f64>() as f32;
        } else if tensor.len() == channels && plane == 1 {
            tensor.copy_from_slice(&gradients[..channels]);
        } else if tensor.len() == channels {
            for (channel, to) in tensor.iter_mut().enumerate() {
                *to = rows().map(|row| f64::from(row[channel])).sum::<f64>() as f32;
            }
        } else {
            for (position, row) in rows().enumerate() {
                let to = tensor[position..].iter_mut().step_by(positions);
                to.zip(row).for_each(|(to, x)| *to = *x);
            }
        }
    }
}
