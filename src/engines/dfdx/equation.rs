//! Equations on dfdx's tape: an operation for each of the equation's, differentiated by
//! its own rule, so that this engine checks the derivatives that others take by symbols.

use super::backend::{Backend, Matrix, number};
use super::ops::{Tried, apart, repeated};
use crate::ir::Expr;
use crate::ir::expr::{Binary, Compare, Select, Unary, Variable};
use dfdx::dtypes::Dtype;
use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, SplitTape, Tape, Tensor};
use dfdx::tensor_ops::{
    ChooseFrom, ReshapeTo, TryAdd, TryDiv, TryEq, TryGe, TryGt, TryLe, TryLt, TryMul, TryNe, TrySub,
};
use std::marker::PhantomData;

/// Truth of a comparison, element by element.
type Mask<D> = Tensor<(usize, usize), bool, D>;

/// Values of two equations in one shape.
type Pair<E, D> = (Matrix<E, D>, Matrix<E, D>);

/// Operands without their tapes.
type Operands<E, D> = [(Variable, Matrix<E, D>)];

/// Computes the value of `equation` in the shape of `first`, the operand that it must
/// have. An operand of one row applies to every row of it, as in [`super::ops::mul_row`].
/// No two operands are one tensor.
pub(super) fn evaluate<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    equation: &Expr,
    first: (Variable, Matrix<E, D, T>),
    others: Vec<(Variable, Matrix<E, D, T>)>,
) -> Tried<Matrix<E, D, T>, D> {
    let shape = *first.1.shape();
    let device = first.1.device().clone();
    let mut tape = T::default();
    let mut operands = Vec::with_capacity(1 + others.len());
    for (variable, operand) in std::iter::once(first).chain(others) {
        let (value, own) = operand.split_tape();
        tape = tape.merge(own);
        operands.push((variable, value));
    }
    let mut evaluation = Evaluation::<E, D, T> {
        shape,
        device,
        tape,
        number: PhantomData,
    };
    let value = evaluation.value(equation, &operands)?;
    let value = evaluation.whole(value)?;
    Ok(value.put_tape(evaluation.tape))
}

struct Evaluation<E: Dtype, D: Backend<E>, T: Tape<E, D>> {
    shape: (usize, usize),
    device: D,
    /// Tape of everything computed so far.
    tape: T,
    number: PhantomData<E>,
}

impl<E: Dtype, D: Backend<E>, T: Tape<E, D>> Evaluation<E, D, T> {
    /// Moves what an operation made to the common tape.
    fn keep(&mut self, made: Matrix<E, D, T>) -> Matrix<E, D> {
        let (value, tape) = made.split_tape();
        self.tape = std::mem::take(&mut self.tape).merge(tape);
        value
    }

    fn value(&mut self, expr: &Expr, operands: &Operands<E, D>) -> Tried<Matrix<E, D>, D> {
        match expr {
            Expr::Number(x) => self.constant(*x),
            Expr::Variable(variable) => {
                let found = operands.iter().find(|(own, _)| own == variable);
                match found {
                    Some((_, value)) => Ok(value.clone()),
                    // A network that was checked has every operand of its equations.
                    None => self.constant(f64::NAN),
                }
            }
            Expr::Unary(function, x) => self.unary(*function, x, operands),
            Expr::Binary(operation, a, b) => self.binary(*operation, a, b, operands),
            Expr::Select(select) => self.select(select, operands),
        }
    }

    fn constant(&self, x: f64) -> Tried<Matrix<E, D>, D> {
        self.device
            .try_ones_like(&self.shape)?
            .try_mul(number::<E>(x))
    }

    /// Repeats the value to the whole shape, if it is a row.
    fn whole(&mut self, value: Matrix<E, D>) -> Tried<Matrix<E, D>, D> {
        if *value.shape() == self.shape {
            return Ok(value);
        }
        let rows = self.shape.0 * self.shape.1 / value.shape().1.max(1);
        let made = repeated(value.retaped::<T>(), rows)?.try_reshape_like(&self.shape)?;
        Ok(self.keep(made))
    }

    /// Computes the values of two equations, of one shape and as two tensors.
    fn pair(&mut self, (a, b): (&Expr, &Expr), operands: &Operands<E, D>) -> Tried<Pair<E, D>, D> {
        let is_same = a == b;
        let (a, b) = (self.value(a, operands)?, self.value(b, operands)?);
        let (a, b) = match a.shape() == b.shape() {
            true => (a, b),
            false => (self.whole(a)?, self.whole(b)?),
        };
        let b = match is_same {
            true => self.keep(apart(b.retaped::<T>())?),
            false => b,
        };
        Ok((a, b))
    }

    fn unary(
        &mut self,
        function: Unary,
        x: &Expr,
        operands: &Operands<E, D>,
    ) -> Tried<Matrix<E, D>, D> {
        if function == Unary::Softplus {
            return self.value(&softplus(x), operands);
        }
        let value = self.value(x, operands)?;
        let x = value.retaped::<T>();
        let made = match function {
            Unary::Neg => x.try_negate()?,
            Unary::Abs => x.try_abs()?,
            Unary::Exp => x.try_exp()?,
            Unary::ExpM1 => x.try_exp()?.try_sub(E::ONE)?,
            Unary::Ln => x.try_ln()?,
            Unary::Sqrt => x.try_sqrt()?,
            Unary::Tanh => x.try_tanh()?,
            Unary::Sigmoid => x.try_sigmoid()?,
            Unary::Sin => x.try_sin()?,
            Unary::Cos => x.try_cos()?,
            Unary::Erf | Unary::Softplus => self.erf(x)?,
        };
        Ok(self.keep(made))
    }

    /// Computes the error function, which dfdx has not, as its value and slope here times
    /// what x is beside this point: 0.
    fn erf(&self, x: Matrix<E, D, T>) -> Tried<Matrix<E, D, T>, D> {
        let shape = *x.shape();
        let here: Vec<f64> = x.as_vec().iter().map(to_f64).collect();
        let tensor = |function: &dyn Fn(f64) -> f64| {
            let elements = here.iter().map(|&x| number::<E>(function(x))).collect();
            self.device.try_tensor_from_vec(elements, shape)
        };
        let value = tensor(&|x| Unary::Erf.value(x))?;
        let slope = tensor(&|x| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp())?;
        x.try_sub(tensor(&|x| x)?)?.try_mul(slope)?.try_add(value)
    }

    fn binary(
        &mut self,
        operation: Binary,
        a: &Expr,
        b: &Expr,
        operands: &Operands<E, D>,
    ) -> Tried<Matrix<E, D>, D> {
        let (left, right) = (a.number(), b.number());
        let made = match (operation, left, right) {
            (Binary::Add, _, Some(b)) => self.tape_of(a, operands)?.try_add(number::<E>(b))?,
            (Binary::Add, Some(a), _) => self.tape_of(b, operands)?.try_add(number::<E>(a))?,
            (Binary::Sub, _, Some(b)) => self.tape_of(a, operands)?.try_sub(number::<E>(b))?,
            (Binary::Sub, Some(a), _) => {
                let negated = self.tape_of(b, operands)?.try_negate()?;
                negated.try_add(number::<E>(a))?
            }
            (Binary::Mul, _, Some(b)) => self.tape_of(a, operands)?.try_mul(number::<E>(b))?,
            (Binary::Mul, Some(a), _) => self.tape_of(b, operands)?.try_mul(number::<E>(a))?,
            (Binary::Div, _, Some(b)) => self.tape_of(a, operands)?.try_div(number::<E>(b))?,
            (Binary::Pow, _, Some(b)) if b.fract() == 0.0 && b.abs() <= f64::from(i16::MAX) => {
                self.tape_of(a, operands)?.try_powi(b as i32)?
            }
            (Binary::Pow, _, Some(b)) => self.tape_of(a, operands)?.try_powf(b)?,
            (Binary::Pow, ..) => {
                let exponent = b.clone() * a.clone().apply(Unary::Ln);
                return self.value(&exponent.apply(Unary::Exp), operands);
            }
            (Binary::Add | Binary::Sub | Binary::Mul | Binary::Div, ..)
            | (Binary::Min | Binary::Max, ..) => {
                let (a, b) = self.pair((a, b), operands)?;
                let (x, y) = (a.retaped::<T>(), b.retaped::<T>());
                match operation {
                    Binary::Add => x.try_add(y)?,
                    Binary::Sub => x.try_sub(y)?,
                    Binary::Mul => x.try_mul(y)?,
                    Binary::Div => x.try_div(y)?,
                    // The second at a tie, and NaN where the first is.
                    Binary::Min => a.try_ge(&b)?.try_choose(y, x)?,
                    Binary::Max | Binary::Pow => a.try_le(&b)?.try_choose(y, x)?,
                }
            }
        };
        Ok(self.keep(made))
    }

    /// Computes the value of `expr` with an empty tape of its own.
    fn tape_of(&mut self, expr: &Expr, operands: &Operands<E, D>) -> Tried<Matrix<E, D, T>, D> {
        Ok(self.value(expr, operands)?.retaped::<T>())
    }

    /// Selects between two branches. Each is computed of operands that have, where the
    /// other one is taken, a value that this one is taken at: its slope there is times 0,
    /// and must be finite.
    fn select(&mut self, select: &Select, operands: &Operands<E, D>) -> Tried<Matrix<E, D>, D> {
        let before = std::mem::take(&mut self.tape);
        let both = (
            self.value(&select.left, operands)?,
            self.value(&select.right, operands)?,
        );
        let (left, right) = (self.whole(both.0)?, self.whole(both.1)?);
        // The condition has no derivative.
        self.tape = before;
        let mask = compare::<E, D>(select.compare, &left, &right)?;
        let taken = mask.as_vec();
        let then = self.branch(&select.then, (&mask, &taken), true, operands)?;
        let otherwise = self.branch(&select.otherwise, (&mask, &taken), false, operands)?;
        let made = mask.try_choose(then.retaped::<T>(), otherwise.retaped::<T>())?;
        Ok(self.keep(made))
    }

    fn branch(
        &mut self,
        expr: &Expr,
        (mask, taken): (&Mask<D>, &[bool]),
        side: bool,
        operands: &Operands<E, D>,
    ) -> Tried<Matrix<E, D>, D> {
        let Some(example) = taken.iter().position(|&taken| taken == side) else {
            return self.constant(0.0);
        };
        let mut masked = Vec::new();
        for (variable, operand) in operands {
            if !expr.uses(*variable) {
                continue;
            }
            let operand = self.whole(operand.clone())?;
            let example = to_f64(&operand.as_vec()[example]);
            let example = self.constant(example)?.retaped::<T>();
            let operand = operand.retaped::<T>();
            let made = match side {
                true => mask.clone().try_choose(operand, example)?,
                false => mask.clone().try_choose(example, operand)?,
            };
            masked.push((*variable, self.keep(made)));
        }
        let value = self.value(expr, &masked)?;
        self.whole(value)
    }
}

/// Writes `ln(1 + eˣ)` by logarithms of what is at least ½.
fn softplus(x: &Expr) -> Expr {
    let log = |x: Expr| x.apply(Unary::Sigmoid).apply(Unary::Ln);
    let above = x.clone() - log(x.clone());
    Expr::select(
        Compare::Greater,
        x.clone(),
        Expr::Number(0.0),
        above,
        -log(-x.clone()),
    )
}

fn compare<E: Dtype, D: Backend<E>>(
    compare: Compare,
    left: &Matrix<E, D>,
    right: &Matrix<E, D>,
) -> Tried<Mask<D>, D> {
    match compare {
        Compare::Less => left.try_lt(right),
        Compare::LessEqual => left.try_le(right),
        Compare::Greater => left.try_gt(right),
        Compare::GreaterEqual => left.try_ge(right),
        Compare::Equal => left.try_eq(right),
        Compare::NotEqual => left.try_ne(right),
    }
}

fn to_f64<E: Dtype>(x: &E) -> f64 {
    x.to_f64().unwrap_or(f64::NAN)
}
