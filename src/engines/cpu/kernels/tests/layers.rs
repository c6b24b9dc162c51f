//! Tests of dense layers.

use super::super::dense::{self, DenseGeometry};
use super::super::{Moments, padded};
use super::support::*;

fn check_dense(g: DenseGeometry) {
    let (ins, outs) = (padded(g.inputs), padded(g.outputs));
    let x = random_rows(g.batch, g.inputs, 1);
    let w = random(g.inputs * g.outputs, 2);
    let bias = random(g.outputs, 3);
    let dy = random_rows(g.batch, g.outputs, 4);
    let mut y = vec![0.0f64; g.batch * outs];
    let mut dx = vec![0.0f64; g.batch * ins];
    let mut dw = vec![0.0f64; w.len()];
    let mut db = vec![0.0f64; g.outputs];
    let (mut mean, mut square) = (vec![0.0f64; g.outputs], vec![0.0f64; g.outputs]);
    for n in 0..g.batch {
        for o in 0..g.outputs {
            let d = f64::from(dy[n * outs + o]);
            let mut sum = f64::from(bias[o]);
            for i in 0..g.inputs {
                sum += f64::from(x[n * ins + i]) * f64::from(w[o * g.inputs + i]);
                dx[n * ins + i] += d * f64::from(w[o * g.inputs + i]);
                dw[o * g.inputs + i] += d * f64::from(x[n * ins + i]);
            }
            db[o] += d;
            y[n * outs + o] = sum;
            mean[o] += sum / g.batch as f64;
            square[o] += sum * sum / g.batch as f64;
        }
    }
    let variance: Vec<f64> = square.iter().zip(&mean).map(|(s, m)| s - m * m).collect();
    let largest = y.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let results = on_all(|pool| {
        let mut got: Vec<Vec<f32>> = [y.len(), dx.len(), dw.len(), g.outputs, g.outputs, g.outputs]
            .map(scratch)
            .to_vec();
        let [gy, gdx, gdw, gdb, mean, variance] = &mut got[..] else {
            unreachable!()
        };
        let moments = Some(Moments { mean, variance });
        let mut spare = scratch(dense::forward_scratch_len(&g));
        dense::forward(pool, &g, &x, &w, Some(&bias), gy, moments, &mut spare);
        let mut spare = scratch(dense::input_gradient_scratch_len(&g));
        dense::input_gradient(pool, &g, &dy, &w, gdx, false, &mut spare);
        let mut spare = scratch(dense::weight_gradient_scratch_len(pool.threads()));
        dense::weight_gradient(pool, &g, &x, &dy, 0, gdw, Some(gdb), &mut spare);
        got
    });
    for (isa, got) in results {
        for (index, want) in [&y, &dx, &dw, &db, &mean].into_iter().enumerate() {
            // A mean of values that cancel is only as good as they are.
            let scale = if index == 4 { largest } else { 1e-3 };
            assert_close_for(
                &got[index],
                want,
                3e-6,
                scale,
                &format!("result {index} on {isa:?} of {g:?}"),
            );
        }
        assert_close(
            &got[5],
            &variance,
            1e-5,
            &format!("variance on {isa:?} of {g:?}"),
        );
    }
}

#[test]
fn dense_matches_the_definition() {
    for inputs in [1, 3, 5, 16, 17, 50, 64, 784] {
        for outputs in [1, 10, 16, 17, 50] {
            for batch in [1, 3, 33, 128] {
                check_dense(DenseGeometry {
                    batch,
                    inputs,
                    outputs,
                });
            }
        }
    }
    check_dense(DenseGeometry {
        batch: 35,
        inputs: 300,
        outputs: 530,
    });
}
