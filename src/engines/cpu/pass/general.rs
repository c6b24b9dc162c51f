//! Passes of any equations, as vector programs: `y = out(activation(norm(x)), s, gates,
//! coefficients)` and its gradients.
//!
//! With n, u, h as in [`super::super::kernels::normalise`], δ = ∂C/∂y and M rows:
//!
//! ```text
//! du = δ·∂out/∂f·activation′(u)     dβ = Σ du     dγ = Σ du·n     dv = Σ δ·∂out/∂v
//! dx = γ/√(σ² + eps)·(du − dβ/M − n·dγ/M)     ds = δ·∂out/∂s     dg = δ·∂out/∂g
//! ```
//!
//! The sums come first, by one program over rows and, for coefficients that each position
//! of an image has of its own, another over images; then what every row has by itself.

use super::super::kernels::normalise::{self, Norm};
use super::super::kernels::program::{Builder, Frame, Layout, Output, Program, Value};
use super::super::kernels::{Pool, padded};
use super::coefficients::{Coefficients, Trained};
use crate::ir::Expr;
use crate::ir::expr::{Binary, Variable};

/// A pass over arrays that are called by their index.
pub struct Equations<'e> {
    /// C.
    pub channels: usize,
    /// Positions of an image.
    pub positions: usize,
    /// What comes in.
    pub x: usize,
    /// Whether it is normalised first.
    pub is_normed: bool,
    /// The activation, if any: an equation of [`Variable::Element`].
    pub activation: Option<&'e Expr>,
    /// The join, if any.
    pub join: Option<JoinArrays<'e>>,
}

/// A join and what it reads beside f.
pub struct JoinArrays<'e> {
    /// The equation.
    pub out: &'e Expr,
    /// s, where the equation uses it.
    pub shortcut: Option<usize>,
    /// The gates, before any function.
    pub gates: Vec<usize>,
    /// Elements of each trained coefficient.
    pub trained: Vec<usize>,
}

/// An array that a gradient goes to, and whether it is added.
pub type Target = Option<(usize, bool)>;

/// Arrays of a pass's gradients.
pub struct GradientArrays {
    /// ∂C/∂y.
    pub dy: usize,
    /// ∂C/∂x.
    pub dx: Target,
    /// ∂C/∂s.
    pub ds: Target,
    /// ∂C/∂g of each gate.
    pub dgates: Vec<Target>,
}

/// Tables of batch norm, which come before those of coefficients: μ, 1/√(σ² + eps), γ, β,
/// and for the gradients dβ/M and dγ/M.
const NORM_TABLES: usize = 6;
const SHIFT: usize = 4;
const ALONG: usize = 5;

/// Sums of batch norm, which come before those of coefficients: dβ and dγ.
const NORM_SUMS: usize = 2;

/// The programs of a pass, forward or of its gradients.
#[derive(Debug)]
pub struct General {
    layout: Layout,
    is_normed: bool,
    coefficients: Coefficients,
    positions: usize,
    /// Sums over all rows: those of the norm, then of coefficients not by unit.
    by_channel: Option<Program>,
    /// Sums over images: of coefficients by unit.
    by_unit: Option<Program>,
    /// What every row has by itself.
    rows: Option<Program>,
}

/// What a pass reads.
#[derive(Clone, Copy)]
pub struct Operands<'a, 't> {
    /// Starts of arrays.
    pub arrays: &'a [*mut f32],
    /// Floats of each before the first row.
    pub offset: usize,
    /// Rows.
    pub rows: usize,
    /// The batch norm, if any.
    pub norm: Option<Norm<'a>>,
    /// The trained coefficient of an index.
    pub trained: Trained<'a, 't>,
}

impl Operands<'_, '_> {
    fn frame<'f>(&'f self, tables: &'f [f32]) -> Frame<'f> {
        Frame {
            arrays: self.arrays,
            offset: self.offset,
            tables,
            rows: self.rows,
        }
    }
}

/// Where the gradients of tensors go.
pub struct TensorGradients<'t, I: Iterator<Item = &'t mut [f32]>> {
    /// Those of γ and β.
    pub norm: Option<(&'t mut [f32], &'t mut [f32])>,
    /// That of each trained coefficient.
    pub trained: I,
}

/// The values that a pass is made of.
struct Values {
    /// n and u.
    normal: Value,
    element: Value,
    /// h, which is the join's f.
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
            Some(equation) => builder.equation(equation, &|_| element),
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

    /// The value of an equation of the pass.
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

/// The table of the first coefficient.
fn table_of_coefficients(is_normed: bool) -> usize {
    match is_normed {
        true => NORM_TABLES,
        false => 0,
    }
}

/// n and u of z.
fn normalised(builder: &mut Builder, z: Value) -> (Value, Value) {
    let [mean, inverse, weight, bias] = [0, 1, 2, 3].map(|table| builder.table(table));
    let apart = builder.binary(Binary::Sub, z, mean);
    let normal = builder.binary(Binary::Mul, apart, inverse);
    let scaled = builder.binary(Binary::Mul, normal, weight);
    (normal, builder.binary(Binary::Add, scaled, bias))
}

/// The gradients of a pass as values.
struct GradientValues<'v> {
    builder: &'v mut Builder,
    values: &'v Values,
    pass: &'v Equations<'v>,
    dy: Value,
}

impl GradientValues<'_> {
    /// δ times the derivative of the join.
    fn joined(&mut self, variable: Variable) -> Value {
        let Some(join) = &self.pass.join else {
            return self.dy;
        };
        let slope = join.out.derivative(variable);
        let slope = self.values.equation(self.builder, &slope);
        self.builder.binary(Binary::Mul, slope, self.dy)
    }

    /// du.
    fn element(&mut self) -> Value {
        let df = self.joined(Variable::Body);
        let Some(activation) = self.pass.activation else {
            return df;
        };
        let slope = activation.derivative(Variable::Element);
        let slope = self.values.equation(self.builder, &slope);
        self.builder.binary(Binary::Mul, slope, df)
    }

    /// dx.
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

    fn stride(&self) -> usize {
        padded(self.layout.channels)
    }

    /// Floats of the sums over rows.
    pub fn sums_len(&self) -> usize {
        let sums = self.by_channel.as_ref().map_or(0, Program::sums);
        sums * self.stride()
    }

    fn unit_sums_len(&self) -> usize {
        let sums = self.by_unit.as_ref().map_or(0, Program::sums);
        sums * self.positions * self.stride()
    }

    /// Floats of scratch for a pass over `rows` on so many threads.
    pub fn scratch(&self, rows: usize, threads: usize) -> usize {
        let programs = [&self.by_channel, &self.by_unit, &self.rows];
        let slots = programs.into_iter().flatten().map(Program::scratch).max();
        let partials = self.by_channel.as_ref().map_or(0, |p| p.partials(rows));
        let sums = self.sums_len() + self.unit_sums_len();
        self.layout.len() + sums + partials + threads * slots.unwrap_or(0)
    }

    /// Fills the tables that do not depend on sums. Gives them and the rest of the scratch.
    fn fill<'s>(
        &self,
        operands: &Operands,
        scratch: &'s mut [f32],
    ) -> (&'s mut [f32], &'s mut [f32]) {
        let (tables, rest) = scratch.split_at_mut(self.layout.len());
        if let Some(norm) = &operands.norm {
            let layout = &self.layout;
            let inverse = |c: usize| 1.0 / (norm.variance[c] + norm.eps).sqrt();
            layout.fill(tables, 0, |c, _| norm.mean[c]);
            layout.fill(tables, 1, |c, _| inverse(c));
            layout.fill(tables, 2, |c, _| norm.weight[c]);
            layout.fill(tables, 3, |c, _| norm.bias[c]);
        }
        let first = table_of_coefficients(self.is_normed);
        for index in 0..self.coefficients.count() {
            let tensor = (operands.trained)(index);
            let table = first + index;
            self.coefficients.fill(&self.layout, table, tables, tensor);
        }
        (tables, rest)
    }

    /// Fills dβ/M and dγ/M from the sums over `count` rows.
    fn fill_shares(&self, sums: &[f32], count: usize, tables: &mut [f32]) {
        if self.is_normed {
            for (table, sums) in [SHIFT, ALONG].into_iter().zip(sums.chunks(self.stride())) {
                self.layout
                    .fill(tables, table, |c, _| sums[c] / count as f32);
            }
        }
    }

    /// Writes the pass, forward. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// The frame's arrays are as [`Program::store`] asks.
    pub unsafe fn run(&self, pool: &Pool, operands: &Operands, scratch: &mut [f32]) {
        let (tables, rest) = self.fill(operands, scratch);
        if let Some(rows) = &self.rows {
            // SAFETY: passed on to the caller.
            unsafe { rows.store(pool, &operands.frame(tables), rest) };
        }
    }

    /// Writes all gradients. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// As of [`Self::run`].
    pub unsafe fn differentiate<'t>(
        &self,
        pool: &Pool,
        operands: &Operands,
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
        scratch: &mut [f32],
    ) {
        let (tables, rest) = self.fill(operands, scratch);
        let (sums, rest) = rest.split_at_mut(self.sums_len());
        let (unit_sums, rest) = rest.split_at_mut(self.unit_sums_len());
        let frame = operands.frame(tables);
        // SAFETY: passed on to the caller.
        unsafe {
            if let Some(program) = &self.by_channel {
                program.sum_by_channel(pool, &frame, sums, rest);
            }
            if let Some(program) = &self.by_unit {
                program.sum_by_unit(pool, &frame, self.positions, unit_sums, rest);
            }
        }
        self.write_tensors(sums, unit_sums, tensors);
        self.fill_shares(sums, operands.rows, tables);
        if let Some(rows) = &self.rows {
            // SAFETY: passed on to the caller.
            unsafe { rows.store(pool, &operands.frame(tables), rest) };
        }
    }

    /// The sums over the operands' rows, which may be a part of the batch, of passes
    /// without coefficients by unit. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// As of [`Self::run`].
    pub unsafe fn sum(
        &self,
        pool: &Pool,
        operands: &Operands,
        sums: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (tables, rest) = self.fill(operands, scratch);
        if let Some(program) = &self.by_channel {
            // SAFETY: passed on to the caller.
            unsafe { program.sum(pool, &operands.frame(tables), sums, rest) };
        }
    }

    /// From the sums of all parts of the batch to their totals and the gradients of tensors.
    pub fn merge<'t>(
        &self,
        partials: &[f32],
        totals: &mut [f32],
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
    ) {
        normalise::merge(partials, totals);
        self.write_tensors(totals, &[], tensors);
    }

    /// Writes the gradients of the operands' rows, which may be a part of a batch of
    /// `count` rows with these totals. Scratch is [`Self::scratch`].
    ///
    /// # Safety
    /// As of [`Self::run`].
    pub unsafe fn apply(
        &self,
        pool: &Pool,
        operands: &Operands,
        (totals, count): (&[f32], usize),
        scratch: &mut [f32],
    ) {
        let (tables, rest) = self.fill(operands, scratch);
        self.fill_shares(totals, count, tables);
        if let Some(rows) = &self.rows {
            // SAFETY: passed on to the caller.
            unsafe { rows.store(pool, &operands.frame(tables), rest) };
        }
    }

    fn write_tensors<'t>(
        &self,
        sums: &[f32],
        unit_sums: &[f32],
        tensors: TensorGradients<'t, impl Iterator<Item = &'t mut [f32]>>,
    ) {
        let mut by_channel = sums.chunks_exact(self.stride());
        if self.is_normed {
            by_channel.by_ref().take(NORM_SUMS).for_each(drop);
        }
        if let Some((weight, bias)) = tensors.norm {
            normalise::norm_gradients(sums, weight, bias);
        }
        let mut by_unit = unit_sums.chunks_exact(self.positions * self.stride());
        for (index, tensor) in tensors.trained.enumerate() {
            let plane = self.coefficients.plane(index);
            let sums = match self.coefficients.is_by_unit(index) {
                true => by_unit.next(),
                false => by_channel.next(),
            };
            if let Some(sums) = sums {
                self.coefficients.gather(sums, plane, tensor);
            }
        }
    }
}
