//! Factors of f and s that need no program: a constant, a coefficient, or 1 minus one.

use super::super::kernels::padded;
use super::coefficients::{Coefficients, Trained};
use crate::ir::Expr;
use crate::ir::expr::{Binary, Variable};

/// Factor of a join as simple as those of most policies. A pass fills its factors in every
/// part of a batch, where the start of a program would cost more than the factors.
#[derive(Clone, Copy, Debug)]
pub enum Factor {
    /// This number.
    Constant(f32),
    /// The trained coefficient of this index.
    Coefficient(usize),
    /// 1 minus the trained coefficient of this index.
    Complement(usize),
}

impl Factor {
    /// Recognises the equation of a factor.
    pub fn recognise(equation: &Expr) -> Option<Factor> {
        match equation {
            Expr::Number(value) => Some(Factor::Constant(*value as f32)),
            Expr::Variable(Variable::Trained(index)) => Some(Factor::Coefficient(*index)),
            Expr::Binary(Binary::Sub, one, of)
                if one.number() == Some(1.0)
                    && let Expr::Variable(Variable::Trained(index)) = **of =>
            {
                Some(Factor::Complement(index))
            }
            Expr::Variable(_) | Expr::Unary(..) | Expr::Binary(..) | Expr::Select(_) => None,
        }
    }

    /// Fills a table of the factor, `[plane][padded(C)]`.
    pub fn fill(
        self,
        coefficients: &Coefficients,
        plane: usize,
        trained: Trained,
        table: &mut [f32],
    ) {
        let channels = coefficients.channels();
        let rows = table.chunks_exact_mut(padded(channels)).take(plane);
        for (position, row) in rows.enumerate() {
            let (row, padding) = row.split_at_mut(channels);
            padding.fill(0.0);
            match self {
                Factor::Constant(value) => row.fill(value),
                Factor::Coefficient(index) => {
                    coefficients.fill_channels(trained(index), position, row);
                }
                Factor::Complement(index) => {
                    coefficients.fill_channels(trained(index), position, row);
                    row.iter_mut().for_each(|value| *value = 1.0 - *value);
                }
            }
        }
    }
}
