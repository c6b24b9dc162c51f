//! Tests of batch norm, activation and weighted skip, forward and backward.

use super::super::normalise::{self, Blend, Fused, GradientSlice, Gradients, Norm, Weights};
use super::super::{Activation, Moments, moments, padded};
use super::support::*;

/// Computes an activation and its derivative in double precision.
fn exact(activation: Activation, x: f64) -> (f64, f64) {
    match activation {
        Activation::Identity => (x, 1.0),
        Activation::Relu => (x.max(0.0), f64::from(x > 0.0)),
        Activation::LeakyRelu { slope } => {
            let slope = if x > 0.0 { 1.0 } else { f64::from(slope) };
            (slope * x, slope)
        }
        Activation::Elu { alpha } if x <= 0.0 => {
            (f64::from(alpha) * x.exp_m1(), f64::from(alpha) * x.exp())
        }
        Activation::Elu { .. } => (x, 1.0),
        Activation::Tanh => (x.tanh(), 1.0 - x.tanh().powi(2)),
        Activation::Sigmoid => {
            let y = 1.0 / (1.0 + (-x).exp());
            (y, y * (1.0 - y))
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    images: usize,
    /// Number of positions in an image.
    positions: usize,
    channels: usize,
    normed: bool,
    activation: Activation,
    /// Number of positions with weights of their own, if there is a blend; 0 for a gate.
    plane: Option<usize>,
}

fn check(case: Case) {
    let rows = case.images * case.positions;
    let (channels, stride) = (case.channels, padded(case.channels));
    let z: Vec<f32> = random_rows(rows, channels, 1)
        .iter()
        .map(|x| 3.0 * x)
        .collect();
    let [skip, d, before] = [2, 3, 4].map(|seed| random_rows(rows, channels, seed));
    let [weight, bias] = [5, 6].map(|seed| random(channels, seed));
    let gated = case.plane == Some(0);
    let plane = case.plane.unwrap_or(1).max(1);
    let gate = random_rows(rows, channels, 9);
    let [a, b] = [7, 8].map(|seed| random_rows(plane, channels, seed));
    let eps = 1e-5f32;

    // By definition.
    let len = rows * stride;
    let index = |row: usize, c: usize| row * stride + c;
    let [mut out, mut dz, mut ds, mut dg] = [(); 4].map(|()| vec![0.0f64; len]);
    let [mut da, mut db] = [(); 2].map(|()| vec![0.0f64; plane * stride]);
    let [mut dweight, mut dbias, mut mean, mut variance] = [(); 4].map(|()| vec![0.0f64; channels]);
    for c in 0..channels {
        let column: Vec<f64> = (0..rows).map(|row| f64::from(z[index(row, c)])).collect();
        let m = rows as f64;
        mean[c] = column.iter().sum::<f64>() / m;
        variance[c] = column.iter().map(|x| (x - mean[c]).powi(2)).sum::<f64>() / m;
        let inverse = 1.0 / (variance[c] + f64::from(eps)).sqrt();
        let mut du = vec![0.0; rows];
        let mut normal = vec![0.0; rows];
        for row in 0..rows {
            normal[row] = (column[row] - mean[c]) * inverse;
            let u = if case.normed {
                normal[row] * f64::from(weight[c]) + f64::from(bias[c])
            } else {
                column[row]
            };
            let (h, slope) = exact(case.activation, u);
            let d = f64::from(d[index(row, c)]);
            let (mut ha, mut s, mut sb) = (1.0, 0.0, 0.0);
            if case.plane.is_some() {
                let w = index(row % plane, c);
                (ha, s, sb) = (
                    f64::from(a[w]),
                    f64::from(skip[index(row, c)]),
                    f64::from(b[w]),
                );
                if gated {
                    ha = exact(Activation::Sigmoid, f64::from(gate[index(row, c)])).0;
                    sb = 1.0 - ha;
                    dg[index(row, c)] = d * (h - s) * ha * sb;
                } else {
                    da[w] += d * h;
                    db[w] += d * s;
                }
            }
            out[index(row, c)] = ha * h + sb * s;
            du[row] = ha * d * slope;
            ds[index(row, c)] = sb * d + f64::from(before[index(row, c)]);
            dbias[c] += du[row];
            dweight[c] += du[row] * normal[row];
        }
        for row in 0..rows {
            dz[index(row, c)] = if case.normed {
                let rest = du[row] - dbias[c] / m - normal[row] * dweight[c] / m;
                f64::from(weight[c]) * inverse * rest
            } else {
                du[row]
            };
        }
    }

    let results = on_all(|pool| {
        let [mut mean, mut variance] = [(); 2].map(|()| scratch(channels));
        let mut spare = scratch(moments::scratch_len(rows, channels));
        let to = Moments {
            mean: &mut mean,
            variance: &mut variance,
        };
        moments::moments(pool, &z, rows, to, &mut spare);
        let norm = Norm {
            mean: &mean,
            variance: &variance,
            eps,
            weight: &weight,
            bias: &bias,
        };
        let weights = if gated {
            Weights::Gate(&gate)
        } else {
            Weights::Fixed {
                body: &a,
                skip: &b,
                plane,
            }
        };
        let blend = Blend {
            skip: &skip,
            weights,
        };
        let fused = Fused {
            rows,
            channels,
            norm: case.normed.then_some(norm),
            activation: case.activation,
            blend: case.plane.map(|_| blend),
        };
        let [mut out, mut dz] = [(); 2].map(|()| scratch(len));
        let mut spare = scratch(normalise::forward_scratch_len(channels));
        normalise::forward(pool, &fused, &z, &mut out, &mut spare);
        let mut ds = before.clone();
        let mut dg = vec![0.0; len];
        let [mut dweight, mut dbias] = [(); 2].map(|()| vec![0.0; channels]);
        let [mut da, mut db] = [(); 2].map(|()| vec![0.0; plane * stride]);
        let gradients = Gradients {
            input: Some(GradientSlice {
                to: &mut dz,
                add: false,
            }),
            norm: case.normed.then_some((&mut dweight[..], &mut dbias[..])),
            skip: case.plane.map(|_| GradientSlice {
                to: &mut ds,
                add: true,
            }),
            weights: case
                .plane
                .filter(|_| !gated)
                .map(|_| (&mut da[..], &mut db[..])),
            gate: gated.then_some(GradientSlice {
                to: &mut dg,
                add: false,
            }),
        };
        let mut spare = scratch(normalise::backward_scratch_len(rows, channels));
        normalise::backward(pool, &fused, &z, &d, gradients, &mut spare);
        vec![out, dz, ds, dweight, dbias, da, db, mean, variance, dg]
    });
    if !case.normed {
        (dweight, dbias) = (vec![0.0; channels], vec![0.0; channels]);
    }
    if case.plane.is_none() {
        ds = before.iter().map(|x| f64::from(*x)).collect();
    }
    // The normal of a single row is 0/√eps: nothing to compare but noise.
    let tolerance = if rows < 4 { 1e-3 } else { 2e-5 };
    for (isa, got) in results {
        let wants = [
            &out, &dz, &ds, &dweight, &dbias, &da, &db, &mean, &variance, &dg,
        ];
        for (index, want) in wants.into_iter().enumerate() {
            let what = format!("result {index} on {isa:?} of {case:?}");
            let scale = if (3..7).contains(&index) { 1.0 } else { 1e-3 };
            assert_close_for(&got[index], want, tolerance, scale, &what);
            if index < 3 || [5, 6, 9].contains(&index) {
                assert_padding(&got[index], channels, &what);
            }
        }
    }
}

#[test]
fn fused_passes_match_the_definition() {
    let activations = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Elu { alpha: 0.7 },
        Activation::Tanh,
        Activation::Sigmoid,
    ];
    for activation in activations {
        for channels in [1, 3, 16, 17, 50, 64, 100] {
            for (images, positions) in [(3, 1), (1, 49), (5, 64)] {
                for (normed, plane) in [
                    (true, None),
                    (false, None),
                    (true, Some(1)),
                    (false, Some(1)),
                    (true, Some(positions)),
                    (true, Some(0)),
                ] {
                    check(Case {
                        images,
                        positions,
                        channels,
                        normed,
                        activation,
                        plane,
                    });
                }
            }
        }
    }
    let relu = Activation::Relu;
    check(Case {
        images: 3,
        positions: 1024,
        channels: 17,
        normed: true,
        activation: relu,
        plane: Some(1),
    });
}

#[test]
fn moments_of_a_small_spread_about_a_large_mean_are_right() {
    let pool = super::super::Pool::new(1).unwrap();
    let x: Vec<f32> = (0..1000 * 16)
        .map(|i| 1000.0 + (i / 16 % 2) as f32 * 0.125)
        .collect();
    let (mut mean, mut variance) = (vec![0.0; 16], vec![0.0; 16]);
    let mut spare = scratch(moments::scratch_len(1000, 16));
    let to = Moments {
        mean: &mut mean,
        variance: &mut variance,
    };
    moments::moments(&pool, &x, 1000, to, &mut spare);
    assert_eq!(mean[3], 1000.0625);
    assert!((variance[3] - 0.00390625).abs() < 1e-8);
}
