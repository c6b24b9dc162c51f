//! The value of an equation at numbers.

use super::{Binary, Compare, Expr, Unary, Variable};

/// A floating-point type that equations can be evaluated in.
pub trait Real: Copy + PartialOrd {
    /// Returns the nearest number to `x`.
    fn from_f64(x: f64) -> Self;

    /// Computes `function` of `x`.
    fn unary(function: Unary, x: Self) -> Self;

    /// Computes `operation` on `a` and `b`.
    fn binary(operation: Binary, a: Self, b: Self) -> Self;
}

macro_rules! real {
    ($float:ident, $erf:path) => {
        impl Real for $float {
            fn from_f64(x: f64) -> Self {
                x as $float
            }

            fn unary(function: Unary, x: Self) -> Self {
                match function {
                    Unary::Neg => -x,
                    Unary::Abs => x.abs(),
                    Unary::Exp => x.exp(),
                    Unary::ExpM1 => x.exp_m1(),
                    Unary::Ln => x.ln(),
                    Unary::Sqrt => x.sqrt(),
                    Unary::Tanh => x.tanh(),
                    Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                    // NaN stays NaN.
                    Unary::Softplus => (if x < 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p(),
                    Unary::Erf => $erf(x),
                    Unary::Sin => x.sin(),
                    Unary::Cos => x.cos(),
                }
            }

            fn binary(operation: Binary, a: Self, b: Self) -> Self {
                match operation {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Min => {
                        if a > b {
                            b
                        } else {
                            a
                        }
                    }
                    Binary::Max => {
                        if a < b {
                            b
                        } else {
                            a
                        }
                    }
                    Binary::Pow => match products(f64::from(b)) {
                        Some(factors) => (1..factors).fold(a, |power, _| power * a),
                        None if b == 0.5 => a.sqrt(),
                        None => a.powf(b),
                    },
                }
            }
        }
    };
}

real!(f32, libm::erff);
real!(f64, libm::erf);

/// Counts the factors where a power is computed as a product: exact for negative bases, and
/// faster than a logarithm and an exponential.
pub(super) fn products(exponent: f64) -> Option<usize> {
    [2.0, 3.0, 4.0]
        .contains(&exponent)
        .then_some(exponent as usize)
}

impl Unary {
    /// Computes the value at `x`.
    pub fn value<T: Real>(self, x: T) -> T {
        T::unary(self, x)
    }
}

impl Binary {
    /// Computes the value at `a` and `b`.
    pub fn value<T: Real>(self, a: T, b: T) -> T {
        T::binary(self, a, b)
    }
}

impl Compare {
    /// Whether it holds for `a` and `b`.
    pub fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Compare::Less => a < b,
            Compare::LessEqual => a <= b,
            Compare::Greater => a > b,
            Compare::GreaterEqual => a >= b,
            Compare::Equal => a == b,
            Compare::NotEqual => a != b,
        }
    }
}

impl Expr {
    /// Computes the value where each variable has the value that `variable` gives for it.
    pub fn value<T: Real>(&self, variable: &dyn Fn(Variable) -> T) -> T {
        match self {
            Expr::Number(number) => T::from_f64(*number),
            Expr::Variable(name) => variable(*name),
            Expr::Unary(function, x) => function.value(x.value(variable)),
            Expr::Binary(operation, a, b) => operation.value(a.value(variable), b.value(variable)),
            Expr::Select(select) => {
                let left: T = select.left.value(variable);
                match select.compare.holds(left, select.right.value(variable)) {
                    true => select.then.value(variable),
                    false => select.otherwise.value(variable),
                }
            }
        }
    }
}
