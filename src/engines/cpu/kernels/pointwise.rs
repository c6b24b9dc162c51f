//! Passes over plain arrays: sums, and the optimizer's update.

use super::pool::Pool;
use super::shared::Shared;
use super::simd::{Simd, simd};
use super::{LANES, padded};

/// Floats of a part, 64 kB.
const PART: usize = 16 * 1024;

/// Runs `job` on adjacent pieces of `to` and of the equally long `from`.
fn pieces(
    pool: &Pool,
    to: &mut [f32],
    from: &[f32],
    job: impl Fn(usize, &mut [f32], &[f32]) + Sync,
) {
    assert_eq!(to.len(), from.len(), "operands differ in length");
    let len = to.len();
    let to = Shared::new(to);
    pool.parts(len.div_ceil(PART), |_, part| {
        let first = part * PART;
        let count = PART.min(len - first);
        // SAFETY: every part writes its own piece.
        let to = unsafe { to.range(first, count) };
        job(first, to, &from[first..first + count]);
    });
}

/// Computes `y += x`.
pub fn add(pool: &Pool, x: &[f32], y: &mut [f32]) {
    pieces(pool, y, x, |_, y, x| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += x)
    });
}

/// Computes `y = x∘m`, or `y += x∘m` if `accumulate` is set.
pub fn multiply(pool: &Pool, x: &[f32], m: &[f32], y: &mut [f32], accumulate: bool) {
    assert_eq!(m.len(), x.len(), "operands differ in length");
    pieces(pool, y, x, |first, y, x| {
        let all = y.iter_mut().zip(x).zip(&m[first..]);
        if accumulate {
            all.for_each(|((y, x), m)| *y += x * m);
        } else {
            all.for_each(|((y, x), m)| *y = x * m);
        }
    });
}

/// Adds `bias` `[C]` to the rows of `y` `[rows][padded(C)]`.
pub fn add_bias(pool: &Pool, bias: &[f32], y: &mut [f32]) {
    let stride = padded(bias.len());
    let rows = y.len() / stride.max(1);
    let per = (PART / stride.max(1)).max(1);
    let y = Shared::new(y);
    pool.parts(rows.div_ceil(per), |_, part| {
        let first = part * per;
        // SAFETY: every part writes its own rows.
        let y = unsafe { y.range(first * stride, per.min(rows - first) * stride) };
        for row in y.chunks_exact_mut(stride) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    });
}

/// Computes `db = ∂C/∂b`, `[C]`, the sum of the rows of `dy` `[rows][padded(C)]`.
pub fn bias_gradient(pool: &Pool, dy: &[f32], db: &mut [f32]) {
    let channels = db.len();
    let stride = padded(channels);
    let db = Shared::new(db);
    pool.parts(stride / LANES, |_, line| {
        let from = line * LANES;
        let count = LANES.min(channels - from);
        let mut sums = [0.0f64; LANES];
        for row in dy.chunks_exact(stride) {
            let values = &row[from..from + LANES];
            sums.iter_mut()
                .zip(values)
                .for_each(|(s, v)| *s += f64::from(*v));
        }
        // SAFETY: every part writes its own channels.
        let to = unsafe { db.range(from, count) };
        to.iter_mut().zip(sums).for_each(|(to, s)| *to = s as f32);
    });
}

/// Settings of [`sgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate η.
    pub rate: f32,
    /// Factor that the velocity keeps.
    pub momentum: f32,
    /// Whether to look ahead along the velocity (Nesterov).
    pub nesterov: bool,
    /// Factor of w in the gradient.
    pub weight_decay: f32,
}

/// Updates weights by SGD. With `g' = g + weight_decay·w`: `v ← momentum·v + g'`, then `w ← w
/// − rate·v`, or with Nesterov `w ← w − rate·(g' + momentum·v)`. Without a velocity, `w ← w −
/// rate·g'`.
pub fn sgd(pool: &Pool, settings: Sgd, w: &mut [f32], g: &[f32], velocity: Option<&mut [f32]>) {
    if let Some(velocity) = &velocity {
        assert_eq!(velocity.len(), w.len(), "operands differ in length");
    }
    let isa = pool.isa();
    let velocity = velocity.map(Shared::new);
    pieces(pool, w, g, |first, w, g| {
        // SAFETY: every part writes its own piece.
        unsafe {
            let v = velocity.map(|v| v.start().add(first));
            update(isa, settings, w.as_mut_ptr(), g.as_ptr(), v, w.len());
        }
    });
}

simd! {
    /// Updates `len` weights; see [`sgd`].
    ///
    /// # Safety
    /// The operands hold `len` floats, and those that are written overlap no other.
    fn update(settings: Sgd, w: *mut f32, g: *const f32, v: Option<*mut f32>, len: usize)
        = update_generic
}

/// Body of [`update`].
///
/// # Safety
/// As for [`update`], and S is present.
#[inline(always)]
unsafe fn update_generic<S: Simd>(
    settings: Sgd,
    w: *mut f32,
    g: *const f32,
    v: Option<*mut f32>,
    len: usize,
) {
    let whole = len - len % LANES;
    // SAFETY: within the operands, or sixteen floats here.
    unsafe {
        for i in (0..whole).step_by(LANES) {
            update_lanes::<S>(settings, w.add(i), g.add(i), v.map(|v| v.add(i)));
        }
        let (past, mut lanes) = (len - whole, [[0.0f32; LANES]; 3]);
        let [w_lanes, g_lanes, v_lanes] = lanes.each_mut().map(|lanes| lanes.as_mut_ptr());
        let rest = [(w.cast_const(), w_lanes), (g, g_lanes)];
        let velocity = v.map(|v| (v.cast_const(), v_lanes));
        for (from, to) in rest.into_iter().chain(velocity) {
            from.add(whole).copy_to_nonoverlapping(to, past);
        }
        update_lanes::<S>(settings, w_lanes, g_lanes, v.map(|_| v_lanes));
        w_lanes.copy_to_nonoverlapping(w.add(whole), past);
        if let Some(v) = v {
            v_lanes.copy_to_nonoverlapping(v.add(whole), past);
        }
    }
}

/// Updates sixteen weights.
///
/// # Safety
/// As for [`update_generic`], with sixteen floats each.
#[inline(always)]
unsafe fn update_lanes<S: Simd>(settings: Sgd, to: *mut f32, g: *const f32, v: Option<*mut f32>) {
    // SAFETY: sixteen floats each.
    unsafe {
        let rate = S::splat(settings.rate);
        let momentum = S::splat(settings.momentum);
        let decay = S::splat(settings.weight_decay);
        let w = S::load(to);
        let mut along = S::add(S::load(g), S::mul(decay, w));
        if let Some(place) = v {
            let v = S::add(S::mul(momentum, S::load(place)), along);
            S::store(place, v);
            along = match settings.nesterov {
                true => S::add(along, S::mul(momentum, v)),
                false => v,
            };
        }
        S::store(to, S::sub(w, S::mul(rate, along)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::support::{assert_close, random, random_rows};
    use super::*;

    #[test]
    fn sgd_follows_its_equations() {
        let pool = Pool::new(2).unwrap();
        let len = 3 * PART + 5;
        let [w, g, v] = [1, 2, 3].map(|seed| random(len, seed));
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let settings = Sgd {
                rate: 0.1,
                momentum,
                nesterov,
                weight_decay: 0.01,
            };
            let (mut got_w, mut got_v) = (w.clone(), v.clone());
            let velocity = (momentum > 0.0).then_some(&mut got_v[..]);
            sgd(&pool, settings, &mut got_w, &g, velocity);
            let m = f64::from(momentum);
            let (mut want_w, mut want_v) = (vec![], vec![]);
            for i in 0..len {
                let g = f64::from(g[i]) + f64::from(0.01f32) * f64::from(w[i]);
                let moved = if momentum > 0.0 {
                    m * f64::from(v[i]) + g
                } else {
                    g
                };
                let along = if nesterov { g + m * moved } else { moved };
                want_w.push(f64::from(w[i]) - f64::from(0.1f32) * along);
                want_v.push(if momentum > 0.0 {
                    moved
                } else {
                    f64::from(v[i])
                });
            }
            assert_close(&got_w, &want_w, 1e-6, "w");
            assert_close(&got_v, &want_v, 1e-6, "v");
        }
    }

    #[test]
    fn sums_and_products_match() {
        let pool = Pool::new(2).unwrap();
        let dy = random_rows(777, 17, 1);
        let mut db = vec![0.0; 17];
        bias_gradient(&pool, &dy, &mut db);
        let want: Vec<f64> = (0..17)
            .map(|c| dy.chunks(32).map(|row| f64::from(row[c])).sum())
            .collect();
        assert_close(&db, &want, 1e-6, "db");

        let bias = random(17, 2);
        let (mut y, mut product) = (dy.clone(), dy.clone());
        add_bias(&pool, &bias, &mut y);
        for (i, (got, before)) in y.iter().zip(&dy).enumerate() {
            assert_eq!(*got, before + bias.get(i % 32).unwrap_or(&0.0));
        }
        multiply(&pool, &y, &dy, &mut product, true);
        add(&pool, &y, &mut product);
        for i in 0..y.len() {
            assert_eq!(product[i], dy[i] + y[i] * dy[i] + y[i]);
        }
    }
}
