//! Joins `body·f + skip·s` whose factors are equations of trained coefficients.

use super::super::kernels::program::{Builder, Frame, Layout, Output, Program, Value};
use super::super::kernels::{Pool, padded};
use super::coefficients::{Coefficients, Trained};
use super::factor::Factor;
use crate::ir::Expr;
use crate::ir::expr::{Binary, Variable};

/// Factors of f and s as tables, and the way back from their gradients.
#[derive(Debug)]
pub struct Affine {
    coefficients: Coefficients,
    layout: Layout,
    /// Program from the coefficients to both factors.
    factors: Program,
    /// Both factors, where each needs no program.
    simple: Option<[Factor; 2]>,
    /// Programs from the gradients of both factors to that of each coefficient:
    /// `∂C/∂v = da·∂body/∂v + db·∂skip/∂v`.
    gradients: Vec<Program>,
}

/// Arrays of the programs.
const BODY: usize = 0;
const SKIP: usize = 1;
const GRADIENT: usize = 2;

impl Affine {
    /// Compiles the factors and their derivatives.
    pub fn new(coefficients: Coefficients, body: &Expr, skip: &Expr) -> Affine {
        let count = coefficients.count();
        let layout = Layout {
            channels: coefficients.channels(),
            planes: (0..count).map(|index| coefficients.plane(index)).collect(),
            rows: coefficients.largest_plane(),
        };
        let mut builder = Builder::default();
        let tables: Vec<Value> = (0..count).map(|index| builder.table(index)).collect();
        let value = |builder: &mut Builder, equation: &Expr| {
            builder.equation(equation, &|variable| match variable {
                Variable::Trained(index) => tables[index],
                Variable::Element | Variable::Body | Variable::Shortcut | Variable::Gate(_) => {
                    unreachable!("a factor is made of trained coefficients")
                }
            })
        };
        let store = |value, array| Output::Store {
            value,
            array,
            add: false,
        };
        let [a, b] = [body, skip].map(|equation| value(&mut builder, equation));
        let factors = builder.finish(&[store(a, BODY), store(b, SKIP)], &layout);
        let gradient = |index: usize| {
            let terms = [(body, BODY), (skip, SKIP)].map(|(equation, array)| {
                let slope = equation.derivative(Variable::Trained(index));
                let slope = value(&mut builder, &slope);
                let gradient = builder.array(array);
                builder.binary(Binary::Mul, slope, gradient)
            });
            let sum = builder.binary(Binary::Add, terms[0], terms[1]);
            builder.finish(&[store(sum, GRADIENT)], &layout)
        };
        let simple = Factor::recognise(body).zip(Factor::recognise(skip));
        Affine {
            simple: simple.map(|(body, skip)| [body, skip]),
            gradients: (0..count).map(gradient).collect(),
            coefficients,
            layout,
            factors,
        }
    }

    /// Tells whether there are coefficients.
    pub fn is_trained(&self) -> bool {
        self.coefficients.count() > 0
    }

    /// Counts the positions with factors of their own.
    pub fn plane(&self) -> usize {
        self.coefficients.largest_plane()
    }

    /// Counts the floats of a factor, and of its gradient.
    pub fn table(&self) -> usize {
        self.plane() * padded(self.layout.channels)
    }

    /// Counts the floats of scratch on so many threads.
    pub fn scratch(&self, threads: usize) -> usize {
        let programs = self.gradients.iter().chain([&self.factors]);
        let slots = programs.map(Program::scratch).max().unwrap_or(0);
        self.table() + self.layout.floats() + threads * slots
    }

    /// Fills the factors, `[plane][padded(C)]` each. Scratch is [`Self::scratch`].
    pub fn fill(
        &self,
        pool: &Pool,
        trained: Trained,
        [body, skip]: [&mut [f32]; 2],
        scratch: &mut [f32],
    ) {
        assert!(body.len() >= self.table() && skip.len() >= self.table());
        if let Some(factors) = &self.simple {
            let tables = factors.iter().zip([body, skip]);
            tables.for_each(|(factor, table)| {
                factor.fill(&self.coefficients, self.plane(), trained, table);
            });
            return;
        }
        let (tables, rest) = self.tabulate(trained, scratch);
        let arrays = [body.as_mut_ptr(), skip.as_mut_ptr()];
        // SAFETY: both have the rows, and are borrowed for this alone.
        unsafe { self.factors.store(pool, &self.frame(&arrays, tables), rest) };
    }

    /// Writes the gradients of the coefficients from those of the factors. Scratch is
    /// [`Self::scratch`].
    pub fn differentiate<'t>(
        &self,
        pool: &Pool,
        trained: Trained,
        [da, db]: [&mut [f32]; 2],
        to: impl Iterator<Item = &'t mut [f32]>,
        scratch: &mut [f32],
    ) {
        assert!(da.len() >= self.table() && db.len() >= self.table());
        let (gradient, scratch) = scratch.split_at_mut(self.table());
        let (tables, rest) = self.tabulate(trained, scratch);
        for (program, to) in self.gradients.iter().zip(to) {
            let arrays = [da.as_mut_ptr(), db.as_mut_ptr(), gradient.as_mut_ptr()];
            // SAFETY: all have the rows, and are borrowed for this alone.
            unsafe { program.store(pool, &self.frame(&arrays, tables), rest) };
            self.coefficients.gather(gradient, self.plane(), to);
        }
    }

    fn tabulate<'s>(
        &self,
        trained: Trained,
        scratch: &'s mut [f32],
    ) -> (&'s mut [f32], &'s mut [f32]) {
        let (tables, rest) = scratch.split_at_mut(self.layout.floats());
        for index in 0..self.coefficients.count() {
            self.coefficients
                .fill(&self.layout, index, tables, trained(index));
        }
        (tables, rest)
    }

    fn frame<'f>(&self, arrays: &'f [*mut f32], tables: &'f [f32]) -> Frame<'f> {
        Frame {
            arrays,
            offset: 0,
            tables,
            rows: self.plane(),
        }
    }
}
