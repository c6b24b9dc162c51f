//! Bodies under a skip policy, and the shortcut that fits them.

use super::activations::operations;
use super::conv::{patches, stride_words};
use super::layer::{ConvGate, Gate, Layer, Op, Shortcut, Skip};
use super::operation::{Operation, ShapeError};
use super::policies::{GateSpec, Mover, Policy};
use super::pools::{windowed, windows};
use crate::ir::call::words;
use crate::ir::role::{OwnTensor, Role, Start};
use crate::ir::shape::Shape;
use crate::ir::train::Granularity;

/// Projection that `project:` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// A 1×1 convolution, or a linear layer.
    Conv1x1,
    /// Positions left out, and zero channels.
    Pad,
    /// No change of shape.
    Forbidden,
}

impl Project {
    /// The words after `project:`, with what each asks for.
    const WORDS: [(&'static str, Project); 3] = [
        ("conv1x1", Project::Conv1x1),
        ("pad", Project::Pad),
        ("none", Project::Forbidden),
    ];
    /// The words alone.
    pub const NAMES: [&'static str; 3] = words(&Self::WORDS);
    /// Projection where nothing is asked for.
    pub const DEFAULT: Project = Project::Conv1x1;

    /// Finds the projection that the word `name` asks for.
    pub fn named(name: &str) -> Option<Project> {
        let found = Self::WORDS.iter().find(|(word, _)| *word == name);
        found.map(|(_, project)| *project)
    }
}

impl Skip {
    /// Makes the skip over `body`, which makes `output` of `input`.
    ///
    /// # Errors
    /// The reason where no shortcut, or no gate, makes `output` of `input`.
    pub fn new(
        policy: Policy,
        project: Project,
        granularity: Granularity,
        (input, output): (Shape, Shape),
        body: Vec<Layer>,
    ) -> Result<Skip, ShapeError> {
        let shortcut = match policy.has_shortcut() {
            true => Shortcut::new(input, output, &body, project)?,
            false => Shortcut::Identity,
        };
        let mut gates = Vec::new();
        for _ in &policy.gates {
            gates.push(match input {
                Shape::Image { .. } => {
                    Gate::Conv(ConvGate::new(&policy.name, (input, output), &body)?)
                }
                Shape::Flat(_) => Gate::Linear,
            });
        }
        let coefficients = policy.trained.iter().map(|coefficient| {
            let own = coefficient.granularity.unwrap_or(granularity);
            own.extents(output)
        });
        Ok(Skip {
            coefficients: coefficients.collect(),
            policy,
            shortcut,
            gates,
            body,
        })
    }
}

impl Shortcut {
    /// Makes s(x) for a body that makes `output` of `input`.
    fn new(
        input: Shape,
        output: Shape,
        body: &[Layer],
        project: Project,
    ) -> Result<Shortcut, ShapeError> {
        if input == output {
            return Ok(Shortcut::Identity);
        }
        let takes = format!("takes {}", input.described());
        if project == Project::Forbidden {
            return Err(ShapeError::new(
                format!("the body changes {input} to {output}, which `project: none` forbids"),
                takes,
                "write `project: conv1x1` or `project: pad`, or keep the shape in the body",
            ));
        }
        if input.is_image() != output.is_image() {
            return Err(ShapeError::new(
                "the body of a `skip` changes an image to a vector, so x cannot be added",
                takes,
                "move the layer that makes a vector out of the `skip`, after it",
            ));
        }
        let Some(stride) = shortcut_stride(input, output, body) else {
            return Err(ShapeError::new(
                format!("the body changes {input} to {output}, and no stride takes x to that size"),
                takes,
                "use `padding: same` in the body, so that only strides change the size",
            ));
        };
        match project {
            Project::Pad if output.channels() < input.channels() => Err(ShapeError::new(
                format!(
                    "`project: pad` only adds channels, but the body changes {input} to {output}"
                ),
                takes,
                "write `project: conv1x1`",
            )),
            Project::Pad => Ok(Shortcut::Pad { stride }),
            Project::Conv1x1 | Project::Forbidden => Ok(Shortcut::Conv1x1 { stride }),
        }
    }
}

/// Computes the product of all strides on the way through a body.
fn total_stride(body: &[Layer]) -> usize {
    let strides = body.iter().map(|layer| layer.op.operation().stride());
    strides.fold(1, |product, stride| product.saturating_mul(stride))
}

/// Computes the step between positions that takes `input` to the positions of `output`: the
/// body's own strides where they do, else the smallest that does.
fn shortcut_stride(input: Shape, output: Shape, body: &[Layer]) -> Option<usize> {
    let (
        Shape::Image { height, width, .. },
        Shape::Image {
            height: h,
            width: w,
            ..
        },
    ) = (input, output)
    else {
        return (input.positions() == 1 && output.positions() == 1).then_some(1);
    };
    let fits = |s: usize| windows(height, 1, s, 0) == Some(h) && windows(width, 1, s, 0) == Some(w);
    let own = total_stride(body);
    if fits(own) {
        return Some(own);
    }
    (1..=height.max(width)).find(|&s| fits(s))
}

/// Finds the first convolution or linear layer of a body, in the order in which it runs.
fn first_weighted(body: &[Layer]) -> Option<&Op> {
    body.iter()
        .find_map(|layer| match layer.op.operation().is_weighted() {
            true => Some(&layer.op),
            false => first_weighted(layer.op.body()),
        })
}

impl ConvGate {
    /// Makes the geometry of a gate of `policy`, which must make the positions of `output`.
    fn new(
        policy: &str,
        (input, output): (Shape, Shape),
        body: &[Layer],
    ) -> Result<ConvGate, ShapeError> {
        let gate = match first_weighted(body) {
            Some(Op::Conv(conv)) => ConvGate {
                kernel: conv.kernel,
                stride: conv.stride,
                padding: conv.padding,
            },
            _ => ConvGate {
                kernel: 1,
                stride: shortcut_stride(input, output, body).unwrap_or(1),
                padding: 0,
            },
        };
        let window = (gate.kernel, gate.stride, gate.padding);
        let made = windowed("gate", input, window, output.channels());
        if made == Ok(output) {
            return Ok(gate);
        }
        let made = match made {
            Ok(made) => {
                format!("the gate of a `{policy}` gives {made}, but its body gives {output}")
            }
            Err(_) => format!("the gate of a `{policy}` does not fit on {input}"),
        };
        Err(ShapeError::new(
            made,
            format!(
                "its gate is one conv like its body's first: kernel {}, stride {}",
                gate.kernel, gate.stride
            ),
            "put the whole stride into the body's first `conv`, and use `padding: same`",
        ))
    }
}

impl Operation for Skip {
    fn name(&self) -> &str {
        "skip"
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(self.body.last().map_or(input, |layer| layer.output))
    }

    fn tensors(&self, input: Shape, output: Shape) -> Vec<OwnTensor> {
        let (cin, cout) = (input.channels(), output.channels());
        let kernel_shape = |kernel: usize| match input {
            Shape::Image { .. } => vec![cout, cin, kernel, kernel],
            Shape::Flat(_) => vec![cout, cin],
        };
        // No rectifier follows a projection or a gate.
        let linear = |name: String, kernel| {
            OwnTensor::new(name, kernel_shape(kernel), Role::Weight)
                .starting(Start::Drawn { rectified: false })
        };
        let mut own = Vec::new();
        if let Shortcut::Conv1x1 { .. } = self.shortcut {
            own.push(linear("project.weight".to_string(), 1));
        }
        for (GateSpec { name, bias }, gate) in self.policy.gates.iter().zip(&self.gates) {
            own.push(linear(format!("{name}.weight"), gate.kernel()));
            let start = Start::Number(*bias);
            let bias = OwnTensor::new(format!("{name}.bias"), vec![cout], Role::Bias);
            own.push(bias.starting(start));
        }
        for (coefficient, shape) in self.policy.trained.iter().zip(&self.coefficients) {
            let tensor =
                |name: &str, role, start| OwnTensor::new(name, shape.clone(), role).starting(start);
            let name = &*coefficient.name;
            match &coefficient.mover {
                Mover::Constraint { multiplier, held } => {
                    own.push(tensor(name, Role::Alpha, Start::Coefficient(*held)));
                    let start = Start::Multiplier(*held);
                    own.push(tensor(multiplier, Role::Multiplier, start));
                }
                Mover::Optimizer { start, range } => {
                    let (at, range) = (*start, *range);
                    own.push(tensor(
                        name,
                        Role::Coefficient,
                        Start::Bounded { at, range },
                    ));
                }
            }
        }
        own
    }

    fn multiply_adds(&self, input: Shape, output: Shape) -> u128 {
        let pairs = output.elements() as u128 * input.channels() as u128;
        let project = match self.shortcut {
            Shortcut::Conv1x1 { .. } => pairs,
            Shortcut::Identity | Shortcut::Pad { .. } => 0,
        };
        let gates = self.gates.iter();
        let gates = gates.map(|gate| pairs * (gate.kernel() as u128).pow(2));
        project + gates.sum::<u128>()
    }

    fn kept(&self, input: Shape, output: Shape) -> f64 {
        let out = output.elements() as f64;
        let gates = self.gates.iter();
        let gates = gates.map(|gate| out + patches(gate.kernel(), input, output));
        let shortcut = if self.policy.has_shortcut() { out } else { 0.0 };
        gates.sum::<f64>() + shortcut + out * operations(&self.policy.out)
    }

    fn words(&self, input: Shape, _output: Shape) -> Vec<String> {
        let mut words = vec![format!("skip {}", self.policy.name)];
        words.extend(self.policy.words.iter().cloned());
        words.extend(self.gates.iter().map(|gate| match gate {
            Gate::Conv(gate) => format!("gate {0}×{0}", gate.kernel),
            Gate::Linear => "gate linear".to_string(),
        }));
        let (kind, step) = match (&self.shortcut, input) {
            (Shortcut::Identity, _) => return words,
            (Shortcut::Conv1x1 { stride }, Shape::Image { .. }) => ("project 1×1", *stride),
            (Shortcut::Conv1x1 { stride }, Shape::Flat(_)) => ("project linear", *stride),
            (Shortcut::Pad { stride }, _) => ("pad", *stride),
        };
        words.push(kind.to_string());
        words.extend(stride_words(step));
        words
    }

    fn stride(&self) -> usize {
        total_stride(&self.body)
    }

    fn by_pass(&self) -> Option<String> {
        self.policy.by_pass()
    }
}

impl Gate {
    /// Returns the side of its kernel; 1 for a linear layer.
    fn kernel(&self) -> usize {
        match self {
            Gate::Conv(conv) => conv.kernel,
            Gate::Linear => 1,
        }
    }
}
