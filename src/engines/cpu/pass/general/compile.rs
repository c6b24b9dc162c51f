//! Compilation of a pass's equations to its programs.

use super::super::super::kernels::program::{Builder, Layout, Output, Program, Value};
use super::super::coefficients::Coefficients;
use super::{ALONG, General, SHIFT, table_of_coefficients};
use crate::ir::Expr;
use crate::ir::expr::{Binary, Variable};
use crate::plan::Activation;

/// Pass over arrays that are called by their index.
pub struct Equations<'e> {
    /// Number of channels C.
    pub channels: usize,
    /// Number of positions in an image.
    pub positions: usize,
    /// Array that comes in.
    pub x: usize,
    /// Whether x is normalised first.
    pub is_normed: bool,
    /// Activation, if any.
    pub activation: Option<&'e Activation>,
    /// Join, if any.
    pub join: Option<JoinArrays<'e>>,
}

/// Join and what it reads beside f.
pub struct JoinArrays<'e> {
    /// Equation of the join.
    pub out: &'e Expr,
    /// Array of s, where the equation uses it.
    pub shortcut: Option<usize>,
    /// Arrays of the gates, before any function.
    pub gates: Vec<usize>,
    /// Number of elements of each trained coefficient.
    pub trained: Vec<usize>,
}

/// Array that a gradient goes to, and whether it is added.
pub type Target = Option<(usize, bool)>;

/// Arrays of a pass's gradients.
pub struct GradientArrays {
    /// Gradient ∂C/∂y.
    pub dy: usize,
    /// Gradient ∂C/∂x.
    pub dx: Target,
    /// Gradient ∂C/∂s.
    pub ds: Target,
    /// Gradient ∂C/∂g of each gate.
    pub dgates: Vec<Target>,
}

/// Values that a pass is made of.
struct Values {
    /// Values n and u.
    normal: Value,
    element: Value,
    /// Value h, which is the join's f.
    body: Value,
    shortcut: Option<Value>,
    gates: Vec<Value>,
    trained: Vec<Value>,
}

impl Values {
    fn new(pass: &Equations, builder: &mut Builder) -> Values {
        let x = builder.array(pass.x);
        let (normal, element) = match pass.is_normed {
            true => normalised(builder, x),
            false => (x, x),
        };
        let body = match pass.activation {
            Some(activation) => builder.equation(&activation.equation, &|_| element),
            None => element,
        };
        let join = pass.join.as_ref();
        let shortcut = join.and_then(|join| join.shortcut);
        let first = table_of_coefficients(pass.is_normed);
        let trained = join.map_or(0, |join| join.trained.len());
        Values {
            normal,
            element,
            body,
            shortcut: shortcut.map(|s| builder.array(s)),
            gates: join.map_or(Vec::new(), |join| {
                join.gates.iter().map(|gate| builder.array(*gate)).collect()
            }),
            trained: (first..first + trained).map(|v| builder.table(v)).collect(),
        }
    }

    /// Builds the value of an equation of the pass.
    fn equation(&self, builder: &mut Builder, equation: &Expr) -> Value {
        builder.equation(equation, &|variable| match variable {
            Variable::Element => self.element,
            Variable::Body => self.body,
            // An equation without a shortcut does not name it.
            Variable::Shortcut => self.shortcut.unwrap_or(self.body),
            Variable::Gate(index) => self.gates[index],
            Variable::Trained(index) => self.trained[index],
        })
    }
}

/// Builds n and u of z.
fn normalised(builder: &mut Builder, z: Value) -> (Value, Value) {
    let [mean, inverse, weight, bias] = [0, 1, 2, 3].map(|table| builder.table(table));
    let apart = builder.binary(Binary::Sub, z, mean);
    let normal = builder.binary(Binary::Mul, apart, inverse);
    let scaled = builder.binary(Binary::Mul, normal, weight);
    (normal, builder.binary(Binary::Add, scaled, bias))
}

/// Gradients of a pass as values.
struct GradientValues<'v> {
    builder: &'v mut Builder,
    values: &'v Values,
    pass: &'v Equations<'v>,
    dy: Value,
}

impl GradientValues<'_> {
    /// Builds δ times the derivative of the join.
    fn joined(&mut self, variable: Variable) -> Value {
        let Some(join) = &self.pass.join else {
            return self.dy;
        };
        let slope = join.out.derivative(variable);
        let slope = self.values.equation(self.builder, &slope);
        self.builder.binary(Binary::Mul, slope, self.dy)
    }

    /// Builds du.
    fn element(&mut self) -> Value {
        let df = self.joined(Variable::Body);
        let Some(activation) = self.pass.activation else {
            return df;
        };
        let slope = self.values.equation(self.builder, &activation.slope);
        self.builder.binary(Binary::Mul, slope, df)
    }

    /// Builds dx.
    fn input(&mut self) -> Value {
        let du = self.element();
        if !self.pass.is_normed {
            return du;
        }
        let builder = &mut *self.builder;
        let [inverse, weight, shift, along] =
            [1, 2, SHIFT, ALONG].map(|table| builder.table(table));
        let scale = builder.binary(Binary::Mul, inverse, weight);
        let along = builder.binary(Binary::Mul, self.values.normal, along);
        let rest = builder.binary(Binary::Sub, du, shift);
        let rest = builder.binary(Binary::Sub, rest, along);
        builder.binary(Binary::Mul, scale, rest)
    }
}

impl General {
    fn new(pass: &Equations) -> General {
        let trained = pass.join.as_ref().map(|join| join.trained.clone());
        let trained = trained.unwrap_or_default();
        let coefficients = Coefficients::new(pass.channels, pass.positions, trained);
        let mut planes = vec![1; table_of_coefficients(pass.is_normed)];
        planes.extend((0..coefficients.count()).map(|index| coefficients.plane(index)));
        General {
            layout: Layout {
                channels: pass.channels,
                planes,
                rows: usize::MAX,
            },
            is_normed: pass.is_normed,
            coefficients,
            positions: pass.positions,
            by_channel: None,
            by_unit: None,
            rows: None,
        }
    }

    fn program(&self, builder: &Builder, outputs: &[Output]) -> Option<Program> {
        (!outputs.is_empty()).then(|| builder.finish(outputs, &self.layout))
    }

    /// Compiles a pass whose result goes to the array `y`.
    pub fn forward(pass: &Equations, y: usize) -> General {
        let mut general = General::new(pass);
        let mut builder = Builder::default();
        let values = Values::new(pass, &mut builder);
        let value = match &pass.join {
            Some(join) => values.equation(&mut builder, join.out),
            None => values.body,
        };
        let store = Output::Store {
            value,
            array: y,
            add: false,
        };
        general.rows = general.program(&builder, &[store]);
        general
    }

    /// Compiles the gradients of a pass.
    pub fn backward(pass: &Equations, to: &GradientArrays) -> General {
        let mut general = General::new(pass);
        let mut builder = Builder::default();
        let values = Values::new(pass, &mut builder);
        let dy = builder.array(to.dy);
        let mut gradients = GradientValues {
            builder: &mut builder,
            values: &values,
            pass,
            dy,
        };
        let (mut by_channel, mut by_unit, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        if pass.is_normed {
            let du = gradients.element();
            let along = gradients.builder.binary(Binary::Mul, du, values.normal);
            by_channel.extend([Output::Sum(du), Output::Sum(along)]);
        }
        for index in 0..general.coefficients.count() {
            let sum = Output::Sum(gradients.joined(Variable::Trained(index)));
            match general.coefficients.is_by_unit(index) {
                true => by_unit.push(sum),
                false => by_channel.push(sum),
            }
        }
        let mut store = |target: Target, value: &mut dyn FnMut() -> Value| {
            rows.extend(target.map(|(array, add)| Output::Store {
                value: value(),
                array,
                add,
            }));
        };
        store(to.dx, &mut || gradients.input());
        store(to.ds, &mut || gradients.joined(Variable::Shortcut));
        for (index, target) in to.dgates.iter().enumerate() {
            store(*target, &mut || gradients.joined(Variable::Gate(index)));
        }
        general.by_channel = general.program(&builder, &by_channel);
        general.by_unit = general.program(&builder, &by_unit);
        general.rows = general.program(&builder, &rows);
        general
    }
}
