//! Arithmetic of the layers in dfdx's operations, on whatever tape.
//!
//! Activations are matrices with one row a position of an image (images one after
//! another, each row-major) and one column a channel; of a vector, one row a sample.
//! A *row* is a 1 × K matrix that applies to every row of another.
//!
//! Two habits of dfdx shape what is written here. Its views (`reshape`, `broadcast`)
//! keep the identity of their tensor, and an operation on two tensors of one identity
//! panics, so those that may meet themselves go through [`apart`]. And on the CPU its
//! sums down columns stride through memory, so they are products with a row of ones.

use super::backend::{Backend, Matrix, number};
use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes3, Axis, HasShape};
use dfdx::tensor::{HasErr, Tape, WithEmptyTape};
use dfdx::tensor_ops::{
    BroadcastTo, MeanTo, PermuteTo, ReshapeTo, SumTo, TryAdd, TryConcatAlong, TryMatMul, TryMul,
    TrySub,
};

/// Result of an operation on the device.
pub(super) type Tried<X, D> = std::result::Result<X, <D as HasErr>::Err>;

/// Summand of a Dirac weight's sum of squares, whose root divides the filter, so that a
/// filter of zeros divides by 10⁻¹², not by 0.
const DIRAC_EPSILON: f64 = 1e-24;

/// Repeats `row` as a matrix of `rows` equal rows.
pub(super) fn repeated<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    row: Matrix<E, D, T>,
    rows: usize,
) -> Tried<Matrix<E, D, T>, D> {
    let columns = row.shape().1;
    row.try_reshape_like(&(columns,))?
        .try_broadcast_like::<_, Axis<0>>(&(rows, columns))
}

/// Computes `x + row`.
pub(super) fn add_row<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    row: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    let rows = x.shape().0;
    x.try_add(repeated(row, rows)?)
}

/// Computes `x ∘ row`, where the row may also span several rows of x, or one element of
/// it: its length divides x's number of elements.
pub(super) fn mul_row<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    row: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    let (rows, columns) = *x.shape();
    let length = row.shape().1;
    let wide = (rows * columns / length.max(1), length);
    x.try_reshape_like(&wide)?
        .try_mul(repeated(row, wide.0)?)?
        .try_reshape_like(&(rows, columns))
}

/// Computes the mean of each column, as a row.
fn mean_row<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    let rows = x.shape().0;
    let share = number::<E>(1.0 / rows as f64);
    let shares: Matrix<E, D> = x.device().try_ones_like(&(1, rows))?.try_mul(share)?;
    shares.retaped::<T>().try_matmul(x)
}

/// Makes a tensor equal to `x` that dfdx takes for another one.
pub(super) fn apart<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    x.try_mul(E::ONE)
}

/// Computes `min(x, 0)`, with the derivative 1 at 0.
fn negative_part<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: &Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    x.with_empty_tape().try_clamp(f64::NEG_INFINITY, 0.0)
}

/// Computes `max(x, 0)`, with the derivative 0 at 0, as `x − min(x, 0)`: dfdx's own
/// `relu` makes 0 of NaN, which would hide a diverged network.
pub(super) fn relu<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    leaky_relu(x, 0.0)
}

/// Computes the leaky ReLU: `x` where positive, else `slope·x`.
pub(super) fn leaky_relu<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    slope: f64,
) -> Tried<Matrix<E, D, T>, D> {
    let mut removed = negative_part(&x)?;
    if slope != 0.0 {
        removed = removed.try_mul(number::<E>(1.0 - slope))?;
    }
    x.try_sub(removed)
}

/// Computes the ELU: `x` where positive, else `alpha·(eˣ − 1)`.
pub(super) fn elu<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    alpha: f64,
) -> Tried<Matrix<E, D, T>, D> {
    let negative = negative_part(&x)?;
    let curve = negative.with_empty_tape().try_exp()?.try_sub(E::ONE)?;
    let curve = curve.try_mul(number::<E>(alpha))?;
    x.try_sub(negative)?.try_add(curve)
}

/// Computes `[max(x, 0), max(−x, 0)]` along channels.
pub(super) fn crelu<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    let negated = x.with_empty_tape().try_negate()?;
    (relu(x)?, relu(negated)?).try_concat_along(Axis::<1>)
}

/// Joins `a` and `b` along channels.
pub(super) fn concat<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    a: Matrix<E, D, T>,
    b: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    (a, apart(b)?).try_concat_along(Axis::<1>)
}

/// Adds `channels` channels of zeros after those of `x`.
pub(super) fn pad_channels<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    channels: usize,
) -> Tried<Matrix<E, D, T>, D> {
    let zeros: Matrix<E, D> = x.device().try_zeros_like(&(x.shape().0, channels))?;
    (x, zeros).try_concat_along(Axis::<1>)
}

/// Adds a row of zeros after those of `x`, which windows find in the padding.
pub(super) fn pad_rows<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Tried<Matrix<E, D, T>, D> {
    let zeros: Matrix<E, D> = x.device().try_zeros_like(&(1, x.shape().1))?;
    (x, zeros).try_concat_along(Axis::<0>)
}

/// Computes the mean of every `group` rows: N·P × C → N × C.
pub(super) fn mean_groups<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    group: usize,
) -> Tried<Matrix<E, D, T>, D> {
    let (rows, channels) = *x.shape();
    x.try_reshape_like(&(rows / group.max(1), group, channels))?
        .try_mean::<_, Axis<1>>()
}

/// Flattens N·P × C to N × C·P, channel by channel.
pub(super) fn flatten<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    positions: usize,
) -> Tried<Matrix<E, D, T>, D> {
    let (rows, channels) = *x.shape();
    let images = rows / positions.max(1);
    x.try_reshape_like(&(images, positions, channels))?
        .try_permute::<(usize, usize, usize), Axes3<0, 2, 1>>()?
        .try_reshape_like(&(images, channels * positions))
}

/// Normalises with the statistics of the batch itself; see [`crate::ir::Op::BatchNorm`].
/// Also gives the mean and the biased variance of each channel.
#[allow(clippy::type_complexity)]
pub(super) fn batch_norm<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: Matrix<E, D, T>,
    bias: Matrix<E, D, T>,
    eps: f64,
) -> Tried<(Matrix<E, D, T>, Matrix<E, D>, Matrix<E, D>), D> {
    let mean = mean_row(x.with_empty_tape())?;
    let batch_mean = mean.retaped();
    let centred = add_row(x, mean.try_negate()?)?;
    let variance = mean_row(centred.with_empty_tape().try_square()?)?;
    let batch_variance = variance.retaped();
    let deviation = variance.try_add(number::<E>(eps))?.try_sqrt()?;
    let scale = deviation.try_recip()?.try_mul(weight)?;
    let y = add_row(mul_row(centred, scale)?, bias)?;
    Ok((y, batch_mean, batch_variance))
}

/// Normalises with given statistics.
pub(super) fn batch_norm_by<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    (mean, variance): (Matrix<E, D, T>, Matrix<E, D, T>),
    weight: Matrix<E, D, T>,
    bias: Matrix<E, D, T>,
    eps: f64,
) -> Tried<Matrix<E, D, T>, D> {
    let deviation = variance.try_add(number::<E>(eps))?.try_sqrt()?;
    let scale = deviation.try_recip()?.try_mul(weight)?;
    let centred = add_row(x, mean.try_negate()?)?;
    add_row(mul_row(centred, scale)?, bias)
}

/// Computes `(1 − share)·old + share·new`.
pub(super) fn blend<E: Dtype, D: Backend<E>>(
    old: Matrix<E, D>,
    new: Matrix<E, D>,
    share: f64,
) -> Tried<Matrix<E, D>, D> {
    let kept = old.try_mul(number::<E>(1.0 - share))?;
    kept.try_add(new.try_mul(number::<E>(share))?)
}

/// Computes `diag(a)·δ + diag(b)·W/‖W‖` with one filter of W a column; see
/// [`crate::ir::Conv::dirac`].
pub(super) fn dirac<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    weight: Matrix<E, D, T>,
    a: Matrix<E, D, T>,
    b: Matrix<E, D, T>,
    delta: Matrix<E, D>,
) -> Tried<Matrix<E, D, T>, D> {
    let filters = weight.shape().1;
    let squares = weight.with_empty_tape().try_square()?;
    let squares = squares.try_sum::<(usize,), Axis<0>>()?;
    let norm = squares.try_add(number::<E>(DIRAC_EPSILON))?.try_sqrt()?;
    let scale = norm.try_recip()?.try_reshape_like(&(1, filters))?;
    let scaled = mul_row(weight, b.try_mul(scale)?)?;
    scaled.try_add(mul_row(delta.retaped::<T>(), a)?)
}
