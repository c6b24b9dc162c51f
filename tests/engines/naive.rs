//! Networks in plain loops over N, C, H, W and in PyTorch's layouts: slow, and written from
//! the definitions in `vanc::ir`, so that a mistake in an engine's layouts cannot be hidden
//! in them.

use crate::support::AT;
use std::collections::HashMap;
use vanc::engines::dropout;
use vanc::ir::expr::Variable;
use vanc::ir::{Gate, Layer, MapLayer, Model, Op, Pool, PoolKind, Shape, Shortcut, Skip};
use vanc::tensor::{Batch, Tensor};

/// A run of a model: its tensors by name, and in training the running statistics that it
/// updates.
pub struct Naive<'a> {
    tensors: HashMap<&'a str, &'a [f32]>,
    images: usize,
    training: bool,
    /// Running statistics after the step, by name.
    pub moved: HashMap<String, Vec<f64>>,
}

/// Images or vectors of one shape, one after another.
#[derive(Clone)]
struct Maps {
    shape: Shape,
    data: Vec<f64>,
}

impl Maps {
    fn extent(&self) -> (usize, usize, usize) {
        extent(self.shape)
    }

    /// Element at channel c, row y, column x of image n; 0 outside.
    fn value_at(&self, n: usize, c: usize, y: isize, x: isize) -> f64 {
        let (channels, height, width) = self.extent();
        if y < 0 || x < 0 || y >= height as isize || x >= width as isize {
            return 0.0;
        }
        self.data[((n * channels + c) * height + y as usize) * width + x as usize]
    }

    fn map(mut self, f: impl Fn(f64) -> f64) -> Maps {
        self.data.iter_mut().for_each(|x| *x = f(*x));
        self
    }
}

fn extent(shape: Shape) -> (usize, usize, usize) {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => (channels, height, width),
        Shape::Flat(features) => (features, 1, 1),
    }
}

/// A weight with what is needed to slide it over an image.
struct Filters<'a> {
    weight: &'a [f64],
    kernel: usize,
    stride: usize,
    padding: usize,
}

/// Computes the logits of `batch`, and the updated running statistics if `training`.
pub fn run<'a>(
    model: &Model,
    tensors: &'a [Tensor],
    batch: &Batch,
    training: bool,
) -> (Vec<f64>, Naive<'a>) {
    let mut naive = Naive {
        tensors: tensors
            .iter()
            .map(|t| (t.name.as_str(), t.data.as_slice()))
            .collect(),
        images: batch.len(),
        training,
        moved: HashMap::new(),
    };
    let x = Maps {
        shape: model.input,
        data: channels_first(model, batch),
    };
    let logits = naive.layers(&model.layers, x);
    (logits.data, naive)
}

/// The images of `batch`, which are channels last.
fn channels_first(model: &Model, batch: &Batch) -> Vec<f64> {
    let (channels, elements) = (model.input.channels(), model.input.elements());
    let images = batch.images.chunks(elements);
    let planes = images
        .flat_map(|image| (0..channels).flat_map(move |c| image.iter().skip(c).step_by(channels)));
    planes.map(|&x| f64::from(x)).collect()
}

/// Mean over the batch of −log softmax(logits)[label].
pub fn cross_entropy(logits: &[f64], labels: &[u32]) -> f64 {
    let classes = logits.len() / labels.len();
    let losses = logits.chunks(classes).zip(labels).map(|(row, &label)| {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        total.ln() - row[label as usize]
    });
    losses.sum::<f64>() / labels.len() as f64
}

impl Naive<'_> {
    fn tensor(&self, layer: &Layer, name: &str) -> Vec<f64> {
        let values = self.tensors[format!("{}.{name}", layer.path).as_str()];
        values.iter().map(|&x| f64::from(x)).collect()
    }

    fn layers(&mut self, layers: &[Layer], x: Maps) -> Maps {
        layers.iter().fold(x, |x, layer| {
            let y = self.layer(layer, x);
            assert_eq!(y.shape, layer.output, "{}", layer.path);
            y
        })
    }

    fn layer(&mut self, layer: &Layer, x: Maps) -> Maps {
        match &layer.op {
            Op::Conv(conv) => {
                let filters = Filters {
                    weight: &self.weight(layer, conv.dirac, conv.kernel),
                    kernel: conv.kernel,
                    stride: conv.stride,
                    padding: conv.padding,
                };
                let y = self.conv(&x, layer.output, &filters);
                self.bias(layer, "bias", y, conv.bias)
            }
            Op::Linear(linear) => {
                let weight = self.weight(layer, linear.dirac, 1);
                let y = self.linear(&x, layer.output, &weight);
                self.bias(layer, "bias", y, linear.bias)
            }
            Op::BatchNorm(norm) => self.batch_norm(layer, x, norm.momentum, norm.eps),
            Op::Activation(activation) => x.map(|x| activation.equation.value(&|_| x)),
            Op::Map(MapLayer::Crelu) => {
                let negated = x.clone().map(|x| (-x).max(0.0));
                self.concat(&x.map(|x| x.max(0.0)), &negated)
            }
            Op::Map(MapLayer::Pool(pool)) => {
                self.pool(&x, layer.output, pool, |window| match pool.kind {
                    PoolKind::Max => window.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    PoolKind::Mean => mean(window),
                })
            }
            Op::Map(MapLayer::GlobalAvgPool) => Maps {
                shape: layer.output,
                data: x.data.chunks(x.shape.positions()).map(mean).collect(),
            },
            Op::Flatten => Maps {
                shape: layer.output,
                ..x
            },
            Op::Dropout(dropout) => self.dropout(layer, x, dropout.p),
            Op::Concat(concat) => {
                let y = self.layers(&concat.body, x.clone());
                self.concat(&x, &y)
            }
            Op::Skip(skip) => self.skip(layer, skip, x),
        }
    }

    /// Weight of a layer; that of a Dirac layer is computed.
    fn weight(&self, layer: &Layer, dirac: bool, kernel: usize) -> Vec<f64> {
        let mut weight = self.tensor(layer, "weight");
        if !dirac {
            return weight;
        }
        let (a, b) = (self.tensor(layer, "dirac_a"), self.tensor(layer, "dirac_b"));
        let length = weight.len() / a.len();
        let area = kernel * kernel;
        for (o, filter) in weight.chunks_mut(length).enumerate() {
            let norm = filter.iter().map(|w| w * w).sum::<f64>().sqrt();
            filter.iter_mut().for_each(|w| *w *= b[o] / norm);
            if o < length / area {
                filter[o * area + area / 2] += a[o];
            }
        }
        weight
    }

    fn conv(&self, x: &Maps, output: Shape, filters: &Filters) -> Maps {
        let (inputs, ..) = x.extent();
        let (outputs, height, width) = extent(output);
        let k = filters.kernel;
        let mut data = Vec::new();
        let place = |window: usize, offset: usize| {
            (window * filters.stride + offset) as isize - filters.padding as isize
        };
        for n in 0..self.images {
            for (o, y, x_) in cells(outputs, height, width) {
                let terms = cells(inputs, k, k).map(|(c, dy, dx)| {
                    let w = filters.weight[((o * inputs + c) * k + dy) * k + dx];
                    w * x.value_at(n, c, place(y, dy), place(x_, dx))
                });
                data.push(terms.sum());
            }
        }
        Maps {
            shape: output,
            data,
        }
    }

    fn linear(&self, x: &Maps, output: Shape, weight: &[f64]) -> Maps {
        let inputs = x.shape.elements();
        let product = |row: &[f64], w: &[f64]| row.iter().zip(w).map(|(x, w)| x * w).sum();
        let rows = x.data.chunks(inputs);
        Maps {
            shape: output,
            data: rows
                .flat_map(|row| weight.chunks(inputs).map(move |w| product(row, w)))
                .collect(),
        }
    }

    fn bias(&self, layer: &Layer, name: &str, y: Maps, has_bias: bool) -> Maps {
        if !has_bias {
            return y;
        }
        let bias = self.tensor(layer, name);
        let channel = channel_of(y.shape);
        let data = y.data.iter().enumerate();
        Maps {
            shape: y.shape,
            data: data.map(|(i, y)| y + bias[channel(i)]).collect(),
        }
    }

    fn pool(&self, x: &Maps, output: Shape, pool: &Pool, f: impl Fn(&[f64]) -> f64) -> Maps {
        let (channels, height, width) = extent(output);
        let mut data = Vec::new();
        for n in 0..self.images {
            for (c, y, x_) in cells(channels, height, width) {
                let window: Vec<f64> = cells(1, pool.kernel, pool.kernel)
                    .map(|(_, dy, dx)| {
                        let (y, x_) = (y * pool.stride + dy, x_ * pool.stride + dx);
                        x.value_at(n, c, y as isize, x_ as isize)
                    })
                    .collect();
                data.push(f(&window));
            }
        }
        Maps {
            shape: output,
            data,
        }
    }

    fn batch_norm(&mut self, layer: &Layer, x: Maps, momentum: f64, eps: f64) -> Maps {
        let mut means = self.tensor(layer, "running_mean");
        let mut variances = self.tensor(layer, "running_var");
        let channel = channel_of(x.shape);
        if self.training {
            let (mut new_means, mut new_variances) = (means.clone(), variances.clone());
            for c in 0..x.shape.channels() {
                let own = x.data.iter().enumerate().filter(|&(i, _)| channel(i) == c);
                let own: Vec<f64> = own.map(|(_, &x)| x).collect();
                let count = own.len() as f64;
                let squares = own.iter().map(|x| (x - mean(&own)).powi(2)).sum::<f64>();
                (means[c], variances[c]) = (mean(&own), squares / count);
                let unbiased = squares / (count - 1.0).max(1.0);
                new_means[c] += momentum * (means[c] - new_means[c]);
                new_variances[c] += momentum * (unbiased - new_variances[c]);
            }
            let name = |of| format!("{}.{of}", layer.path);
            self.moved.insert(name("running_mean"), new_means);
            self.moved.insert(name("running_var"), new_variances);
        }
        let (weight, bias) = (self.tensor(layer, "weight"), self.tensor(layer, "bias"));
        let normal = |(i, x): (usize, &f64)| {
            let c = channel(i);
            (x - means[c]) / (variances[c] + eps).sqrt() * weight[c] + bias[c]
        };
        Maps {
            shape: x.shape,
            data: x.data.iter().enumerate().map(normal).collect(),
        }
    }

    fn dropout(&self, layer: &Layer, mut x: Maps, p: f64) -> Maps {
        if self.training {
            let mask = dropout::mask(p, AT.seed, AT.step, &layer.path, x.data.len());
            for (x, mask) in x.data.iter_mut().zip(mask) {
                *x *= f64::from(mask);
            }
        }
        x
    }

    fn concat(&self, a: &Maps, b: &Maps) -> Maps {
        let (ours, theirs) = (a.shape.elements(), b.shape.elements());
        let images = a.data.chunks(ours).zip(b.data.chunks(theirs));
        Maps {
            shape: a
                .shape
                .with_channels(a.shape.channels() + b.shape.channels()),
            data: images.flat_map(|(a, b)| [a, b].concat()).collect(),
        }
    }

    fn skip(&mut self, layer: &Layer, skip: &Skip, x: Maps) -> Maps {
        let f = self.layers(&skip.body, x.clone());
        let policy = &skip.policy;
        let gates = policy.gates.iter().zip(&skip.gates);
        let gates: Vec<Vec<f64>> = gates
            .map(|(spec, gate)| self.gate(layer, (&spec.name, gate), &x).data)
            .collect();
        let s = match policy.has_shortcut() {
            true => self.shortcut(layer, skip, &x),
            false => f.clone(),
        };
        let trained: Vec<Vec<f64>> = policy
            .trained
            .iter()
            .map(|coefficient| self.tensor(layer, &coefficient.name))
            .collect();
        let (channel, elements) = (channel_of(f.shape), f.shape.elements());
        let coefficient = |index: usize, i: usize| match &trained[index][..] {
            [one] => *one,
            values if skip.coefficients[index].len() == 3 => values[i % elements],
            values => values[channel(i)],
        };
        self.join(&f, &s, |i, f, s| {
            policy.out.value(&|variable| match variable {
                Variable::Element => panic!("a policy has no element"),
                Variable::Body => f,
                Variable::Shortcut => s,
                Variable::Gate(index) => gates[index][i],
                Variable::Trained(index) => coefficient(index, i),
            })
        })
    }

    fn join(&self, f: &Maps, s: &Maps, by: impl Fn(usize, f64, f64) -> f64) -> Maps {
        assert_eq!(f.shape, s.shape);
        let pairs = f.data.iter().zip(&s.data).enumerate();
        Maps {
            shape: f.shape,
            data: pairs.map(|(i, (&f, &s))| by(i, f, s)).collect(),
        }
    }

    fn shortcut(&self, layer: &Layer, skip: &Skip, x: &Maps) -> Maps {
        let taken = |stride, weight: &[f64]| {
            let filters = Filters {
                weight,
                kernel: 1,
                stride,
                padding: 0,
            };
            self.conv(x, layer.output, &filters)
        };
        match skip.shortcut {
            Shortcut::Identity => x.clone(),
            Shortcut::Conv1x1 { stride } => taken(stride, &self.tensor(layer, "project.weight")),
            // A convolution with the identity, and nothing for the channels after it.
            Shortcut::Pad { stride } => {
                let (inputs, outputs) = (x.shape.channels(), layer.output.channels());
                let pairs = (0..outputs).flat_map(|o| (0..inputs).map(move |c| (o, c)));
                let identity: Vec<f64> = pairs.map(|(o, c)| f64::from(o == c)).collect();
                taken(stride, &identity)
            }
        }
    }

    fn gate(&self, layer: &Layer, (name, gate): (&str, &Gate), x: &Maps) -> Maps {
        let weight = self.tensor(layer, &format!("{name}.weight"));
        let y = match gate {
            Gate::Conv(conv) => {
                let filters = Filters {
                    weight: &weight,
                    kernel: conv.kernel,
                    stride: conv.stride,
                    padding: conv.padding,
                };
                self.conv(x, layer.output, &filters)
            }
            Gate::Linear => self.linear(x, layer.output, &weight),
        };
        self.bias(layer, &format!("{name}.bias"), y, true)
    }
}

/// Function that gives the channel of the i-th element.
fn channel_of(shape: Shape) -> impl Fn(usize) -> usize {
    move |i| i / shape.positions() % shape.channels()
}

fn cells(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}
