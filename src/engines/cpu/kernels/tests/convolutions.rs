//! Tests of convolutions, by Winograd's method and by the definition.

use super::super::{ConvGeometry, Moments, Pool, conv, padded, winograd};
use super::support::*;

/// Largest error of Winograd's method, relative to the largest result.
const WINOGRAD: f64 = 1e-5;
/// Largest error of direct convolution, relative to the largest result.
const DIRECT: f64 = 2e-6;

/// Checks all three directions of a module that computes convolutions.
macro_rules! check {
    ($module:ident, $g:expr, $tolerance:expr) => {{
        let g: ConvGeometry = $g;
        let tolerance = $tolerance;
        let x = random_rows(g.batch * g.height * g.width, g.in_channels, 1);
        let w = random(g.weight_len(), 2);
        let dy = random_rows(g.output_len() / padded(g.out_channels), g.out_channels, 3);
        let want = reference(&g, &x, &w, &dy);
        let before = random_rows(x.len() / padded(g.in_channels), g.in_channels, 4);
        let results = on_all(|pool| {
            let mut y = scratch(g.output_len());
            let (mut mean, mut variance) = (scratch(g.out_channels), scratch(g.out_channels));
            let moments = Moments {
                mean: &mut mean,
                variance: &mut variance,
            };
            let mut spare = scratch($module::forward_scratch_len(&g, pool.threads()));
            $module::forward(pool, &g, &x, &w, &mut y, Some(moments), &mut spare);
            let mut dx = before.clone();
            let mut spare = scratch($module::input_gradient_scratch_len(&g, pool.threads()));
            $module::input_gradient(pool, &g, &dy, &w, &mut dx, true, &mut spare);
            let mut dw = scratch(g.weight_len());
            let mut spare = scratch($module::weight_gradient_scratch_len(&g, pool.threads()));
            $module::weight_gradient(pool, &g, &x, &dy, &mut dw, &mut spare);
            vec![y, dx, dw, mean, variance]
        });
        let dx: Vec<f64> = want
            .dx
            .iter()
            .zip(&before)
            .map(|(d, b)| d + f64::from(*b))
            .collect();
        for (isa, got) in results {
            let what = |name| format!("{name} of {} on {isa:?} for {g:?}", stringify!($module));
            assert_close(&got[0], &want.y, tolerance, &what("y"));
            assert_padding(&got[0], g.out_channels, &what("y"));
            assert_close(&got[1], &dx, tolerance, &what("dx"));
            assert_padding(&got[1], g.in_channels, &what("dx"));
            assert_close(&got[2], &want.dw, tolerance, &what("dw"));
            check_moments(&g, &want.y, &got[3], &got[4], &what("moments"));
        }
    }};
}

fn check_winograd(g: ConvGeometry) {
    check!(winograd, g, WINOGRAD);
}

fn check_direct(g: ConvGeometry) {
    check!(conv, g, DIRECT);
}

fn check_moments(g: &ConvGeometry, y: &[f64], mean: &[f32], variance: &[f32], what: &str) {
    let rows: Vec<&[f64]> = y.chunks_exact(padded(g.out_channels)).collect();
    let count = rows.len() as f64;
    let means: Vec<f64> = (0..g.out_channels)
        .map(|c| rows.iter().map(|r| r[c]).sum::<f64>() / count)
        .collect();
    let variances: Vec<f64> = (0..g.out_channels)
        .map(|c| rows.iter().map(|r| (r[c] - means[c]).powi(2)).sum::<f64>() / count)
        .collect();
    let scale = variances.iter().fold(1e-3f64, |m, v| m.max(*v));
    for c in 0..g.out_channels {
        assert!(
            (f64::from(mean[c]) - means[c]).abs() < 1e-5 * scale.sqrt(),
            "{what}: mean"
        );
        assert!(
            (f64::from(variance[c]) - variances[c]).abs() < 1e-5 * scale,
            "{what}: variance"
        );
    }
}

fn geometry(batch: usize, channels: (usize, usize), side: usize, kernel: usize) -> ConvGeometry {
    ConvGeometry {
        batch,
        in_channels: channels.0,
        out_channels: channels.1,
        height: side,
        width: side,
        kernel: (kernel, kernel),
        stride: 1,
        padding: (kernel - 1) / 2,
    }
}

#[test]
fn winograd_matches_the_definition_for_few_channels() {
    for channels in [(1, 3), (3, 16), (5, 17), (17, 1), (50, 64), (64, 50)] {
        for side in [1, 2, 4, 5, 7, 8] {
            let g = geometry(if side < 5 { 3 } else { 1 }, channels, side, 3);
            check_winograd(g);
            check_winograd(ConvGeometry { stride: 2, ..g });
        }
    }
    check_winograd(geometry(3, (16, 16), 32, 3));
    // Enough tiles for groups of them with their own sums of the weight's gradient.
    check_winograd(geometry(17, (3, 20), 32, 3));
    let g = geometry(5, (17, 5), 125, 3);
    check_winograd(ConvGeometry { stride: 2, ..g });
}

#[test]
fn winograd_matches_the_definition_for_many_channels() {
    for stride in [1, 2] {
        let check = |g| check_winograd(ConvGeometry { stride, ..g });
        check(geometry(3, (130, 144), 5, 3));
        check(geometry(1, (256, 80), 4, 3));
        check(geometry(2, (17, 1030), 2, 3));
        // More than one chunk of tiles, of both directions and of the weight's gradient.
        check(geometry(3, (16, 1040), 56 * stride, 3));
    }
}

#[test]
fn winograd_takes_oblong_images_and_any_padding() {
    for padding in [0, 1, 2] {
        let g = ConvGeometry {
            height: 9,
            width: 3,
            padding,
            ..geometry(2, (17, 33), 0, 3)
        };
        check_winograd(g);
    }
    for (height, width) in [(9, 3), (2, 17), (18, 19)] {
        check_winograd(ConvGeometry {
            height,
            width,
            stride: 2,
            ..geometry(2, (17, 33), 0, 3)
        });
    }
}

#[test]
fn direct_matches_the_definition_for_3x3() {
    for channels in [(1, 3), (3, 16), (5, 17), (17, 1), (50, 64), (64, 50)] {
        for side in [1, 2, 4, 5, 7, 8] {
            check_direct(geometry(if side < 5 { 3 } else { 1 }, channels, side, 3));
            let g = geometry(if side < 5 { 3 } else { 1 }, channels, side, 3);
            check_direct(ConvGeometry { stride: 2, ..g });
        }
    }
    check_direct(geometry(3, (3, 17), 32, 3));
    check_direct(ConvGeometry {
        stride: 2,
        ..geometry(3, (17, 33), 32, 3)
    });
}

#[test]
fn direct_matches_the_definition_for_other_kernels() {
    for channels in [(3, 5), (16, 17), (50, 64)] {
        for (kernel, stride) in [(1, 1), (1, 2), (2, 2), (2, 3), (5, 1), (5, 3), (7, 2)] {
            for side in [4, 5, 8] {
                let padding = kernel / 2;
                let g = geometry(2, channels, side, kernel);
                check_direct(ConvGeometry {
                    stride,
                    padding,
                    ..g
                });
            }
        }
    }
    // A linear layer on an image, and other kernels that are not square.
    for kernel in [(4, 4), (1, 3), (3, 2)] {
        check_direct(ConvGeometry {
            kernel,
            padding: 0,
            ..geometry(3, (17, 10), 4, 1)
        });
    }
    // A stride past the image, and far more padding than kernel.
    check_direct(ConvGeometry {
        stride: 9,
        ..geometry(2, (17, 5), 4, 1)
    });
    check_direct(ConvGeometry {
        padding: 6,
        ..geometry(2, (17, 5), 3, 3)
    });
    check_direct(ConvGeometry {
        height: 9,
        width: 2,
        stride: 2,
        ..geometry(2, (5, 5), 0, 3)
    });
}

/// Root mean square of the error, relative to that of the reference.
fn rms_error(got: &[f32], want: &[f64]) -> f64 {
    let apart: f64 = got
        .iter()
        .zip(want)
        .map(|(g, w)| (f64::from(*g) - w).powi(2))
        .sum();
    (apart / want.iter().map(|w| w * w).sum::<f64>()).sqrt()
}

#[test]
fn rms_errors_are_those_that_the_modules_state() {
    let pool = Pool::new(2).unwrap();
    for (channels, side, stride) in [(64, 16, 1), (256, 8, 1), (64, 32, 2), (256, 16, 2)] {
        let g = ConvGeometry {
            stride,
            ..geometry(1, (channels, channels), side, 3)
        };
        let x = random(g.input_len(), 1);
        let w = random(g.weight_len(), 2);
        let dy = random(g.output_len(), 3);
        let want = reference(&g, &x, &w, &dy);
        macro_rules! errors {
            ($module:ident) => {{
                let (mut y, mut dx) = (vec![0.0; g.output_len()], vec![0.0; g.input_len()]);
                let mut dw = vec![0.0; g.weight_len()];
                let mut spare = scratch(
                    $module::forward_scratch_len(&g, 2)
                        .max($module::input_gradient_scratch_len(&g, 2))
                        .max($module::weight_gradient_scratch_len(&g, 2)),
                );
                $module::forward(&pool, &g, &x, &w, &mut y, None, &mut spare);
                $module::input_gradient(&pool, &g, &dy, &w, &mut dx, false, &mut spare);
                $module::weight_gradient(&pool, &g, &x, &dy, &mut dw, &mut spare);
                [
                    rms_error(&y, &want.y),
                    rms_error(&dx, &want.dx),
                    rms_error(&dw, &want.dw),
                ]
            }};
        }
        let (fast, direct) = (errors!(winograd), errors!(conv));
        println!("{channels} channels, stride {stride}: Winograd {fast:?}, direct {direct:?}");
        assert!(
            fast.iter().all(|e| *e < 1.2e-6),
            "Winograd at {channels}: {fast:?}"
        );
        assert!(
            direct.iter().all(|e| *e < 4e-7),
            "direct at {channels}: {direct:?}"
        );
    }
}
