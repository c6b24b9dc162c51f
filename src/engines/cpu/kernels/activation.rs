//! Activations and their derivatives.

use super::functions::{bounded_exp, sigmoid, tanh};
use super::simd::Simd;

/// Function that is applied to every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0).
    Relu,
    /// x where positive, else slope·x.
    LeakyRelu {
        /// Slope of the negative half.
        slope: f32,
    },
    /// x where positive, else alpha·(eˣ − 1).
    Elu {
        /// The limit for x → −∞, negated.
        alpha: f32,
    },
    /// Hyperbolic tangent.
    Tanh,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
}

/// Computes the activation of sixteen floats.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn value<S: Simd>(activation: Activation, x: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        match activation {
            Activation::Identity => x,
            // Not a maximum, which would lose NaN.
            Activation::Relu => S::if_positive(S::sub(S::splat(0.0), x), S::splat(0.0), x),
            Activation::LeakyRelu { slope } => S::if_positive(x, x, S::mul(S::splat(slope), x)),
            Activation::Elu { alpha } => {
                let below = S::sub(bounded_exp::<S>(x), S::splat(1.0));
                S::if_positive(x, x, S::mul(S::splat(alpha), below))
            }
            Activation::Tanh => tanh::<S>(x),
            Activation::Sigmoid => sigmoid::<S>(x),
        }
    }
}

/// Computes the derivative at sixteen floats, times `d`. At a kink it is that of the left.
///
/// # Safety
/// S is present.
#[inline(always)]
pub unsafe fn derivative<S: Simd>(activation: Activation, x: S::V, d: S::V) -> S::V {
    // SAFETY: S is present.
    unsafe {
        let one = S::splat(1.0);
        match activation {
            Activation::Identity => d,
            Activation::Relu => S::if_positive(x, d, S::splat(0.0)),
            Activation::LeakyRelu { slope } => S::if_positive(x, d, S::mul(S::splat(slope), d)),
            Activation::Elu { alpha } => {
                let slope = S::mul(S::splat(alpha), bounded_exp::<S>(x));
                S::if_positive(x, d, S::mul(slope, d))
            }
            Activation::Tanh => {
                let y = tanh::<S>(x);
                S::mul(S::sub(one, S::mul(y, y)), d)
            }
            Activation::Sigmoid => {
                let y = sigmoid::<S>(x);
                S::mul(S::mul(y, S::sub(one, y)), d)
            }
        }
    }
}
