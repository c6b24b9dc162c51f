//! Times the CPU kernels on the shapes of the CIFAR networks and of the narrow MLP: `cargo
//! bench --bench kernels [-- THREADS [NAME]]` runs the kernels whose names contain NAME.
//!
//! Times are the minimum of many runs, since others may use the machine. GFLOP/s count the
//! multiplications of the definition, so Winograd may pass 100 % of the peak, which is
//! measured too.

use std::hint::black_box;
use std::time::Instant;
use vanc::engines::cpu::kernels::dense::{self, DenseGeometry};
use vanc::engines::cpu::kernels::normalise::{
    self, Blend, Fused, GradientSlice, Gradients, Norm, Weights,
};
use vanc::engines::cpu::kernels::{
    Activation, ConvGeometry, Moments, Pool, conv, padded, peak_gflops, winograd,
};

fn main() {
    // `cargo test --all-targets` runs this too, without the argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let threads = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let pool = Pool::new(threads).expect("threads start");
    let peak = peak_gflops(&pool);
    println!(
        "{threads} threads, {:?}, peak {peak:.0} GFLOP/s",
        pool.isa()
    );
    println!(
        "{:<40} {:>9} {:>9} {:>7}",
        "kernel", "ms", "GFLOP/s", "peak"
    );
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--") && argument.parse::<usize>().is_err());
    let bench = Bench { pool, peak, wanted };
    for (channels, side) in [(64, 32), (128, 16), (256, 8), (512, 4), (16, 32)] {
        let g = geometry((channels, channels), side, 3, 1);
        bench.winograd(&g);
    }
    for (channels, side) in [
        ((64, 128), 32),
        ((128, 256), 16),
        ((256, 512), 8),
        ((16, 32), 32),
    ] {
        bench.winograd(&geometry(channels, side, 3, 2));
    }
    bench.winograd(&geometry((3, 64), 32, 3, 1));
    for (channels, side, kernel, stride) in [
        ((3, 64), 32, 3, 1),
        ((16, 32), 32, 3, 2),
        ((64, 128), 32, 3, 2),
        ((128, 256), 16, 3, 2),
        ((256, 512), 8, 3, 2),
        ((64, 128), 32, 1, 2),
        ((256, 512), 8, 1, 2),
        ((64, 64), 32, 3, 1),
    ] {
        bench.direct(&geometry(channels, side, kernel, stride));
    }
    for (batch, inputs, outputs) in [(128, 50, 50), (128, 784, 50), (128, 1024, 1024)] {
        bench.dense(&DenseGeometry {
            batch,
            inputs,
            outputs,
        });
    }
    for (channels, side) in [(64, 32), (512, 4)] {
        bench.fused(32 * side * side, channels);
    }
    let start = Instant::now();
    for _ in 0..10_000 {
        bench.pool.run(&|_| {});
    }
    println!(
        "fork and join: {:.2} µs",
        start.elapsed().as_secs_f64() / 1e4 * 1e6
    );
}

/// Sizes of a `same` convolution of a batch of 32.
fn geometry(channels: (usize, usize), side: usize, kernel: usize, stride: usize) -> ConvGeometry {
    ConvGeometry {
        batch: 32,
        in_channels: channels.0,
        out_channels: channels.1,
        height: side,
        width: side,
        kernel: (kernel, kernel),
        stride,
        padding: (kernel - 1) / 2,
    }
}

/// Name of a convolution: `3x3/2 64>128@32`.
fn name(g: &ConvGeometry) -> String {
    let (ins, outs) = (g.in_channels, g.out_channels);
    format!(
        "{}x{}/{} {ins}>{outs}@{}",
        g.kernel.0, g.kernel.1, g.stride, g.height
    )
}

/// Makes small repeatable numbers around 0.
fn data(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5)
        .collect()
}

/// Measures the shortest of runs that take some time together, in seconds.
fn shortest(mut run: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    let start = Instant::now();
    let mut runs = 0;
    while runs < 5 || start.elapsed().as_secs_f64() < 0.7 {
        let begin = Instant::now();
        run();
        least = least.min(begin.elapsed().as_secs_f64());
        runs += 1;
    }
    least
}

struct Bench {
    pool: Pool,
    peak: f64,
    /// Part of the names of the kernels to run.
    wanted: Option<String>,
}

/// Times the three directions of a module that computes convolutions.
macro_rules! directions {
    ($bench:ident, $g:ident, $module:ident, $name:expr) => {{
        let pool = &$bench.pool;
        let (x, w, dy) = (
            data($g.input_len()),
            data($g.weight_len()),
            data($g.output_len()),
        );
        let (mut y, mut dx) = (vec![0.0; $g.output_len()], vec![0.0; $g.input_len()]);
        let mut dw = vec![0.0; $g.weight_len()];
        let (mut mean, mut variance) = (vec![0.0; $g.out_channels], vec![0.0; $g.out_channels]);
        let len = $module::forward_scratch_len($g, pool.threads())
            .max($module::input_gradient_scratch_len($g, pool.threads()))
            .max($module::weight_gradient_scratch_len($g, pool.threads()));
        let mut scratch = vec![0.0; len];
        let forward = shortest(|| {
            let moments = Moments {
                mean: &mut mean,
                variance: &mut variance,
            };
            $module::forward(pool, $g, &x, &w, &mut y, Some(moments), &mut scratch);
        });
        $bench.report(&format!("{} forward", $name), $g.flops(), forward);
        let backward = shortest(|| {
            $module::input_gradient(pool, $g, &dy, &w, &mut dx, false, &mut scratch);
        });
        $bench.report(&format!("{} input gradient", $name), $g.flops(), backward);
        let weight = shortest(|| {
            $module::weight_gradient(pool, $g, &x, &dy, &mut dw, &mut scratch);
        });
        $bench.report(&format!("{} weight gradient", $name), $g.flops(), weight);
        black_box((&y, &dx, &dw));
    }};
}

impl Bench {
    fn report(&self, name: &str, flops: f64, seconds: f64) {
        let rate = flops / seconds / 1e9;
        let share = 100.0 * rate / self.peak;
        println!(
            "{name:<40} {:>9.4} {rate:>9.1} {share:>6.0}%",
            seconds * 1e3
        );
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|part| name.contains(part))
    }

    fn winograd(&self, g: &ConvGeometry) {
        let name = format!("winograd {}", name(g));
        if self.is_wanted(&name) {
            directions!(self, g, winograd, name);
        }
    }

    fn direct(&self, g: &ConvGeometry) {
        let name = name(g);
        if self.is_wanted(&name) {
            directions!(self, g, conv, name);
        }
    }

    fn dense(&self, g: &DenseGeometry) {
        let pool = &self.pool;
        let name = format!("dense {}>{} batch {}", g.inputs, g.outputs, g.batch);
        if !self.is_wanted(&name) {
            return;
        }
        let (ins, outs) = (padded(g.inputs), padded(g.outputs));
        let (x, w, dy) = (
            data(g.batch * ins),
            data(g.inputs * g.outputs),
            data(g.batch * outs),
        );
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        let len = dense::forward_scratch_len(g)
            .max(dense::input_gradient_scratch_len(g))
            .max(dense::weight_gradient_scratch_len(pool.threads()));
        let mut scratch = vec![0.0; len];
        let time = shortest(|| {
            dense::forward(pool, g, &x, &w, None, &mut y, None, &mut scratch);
        });
        self.report(&format!("{name} forward"), g.flops(), time);
        let time = shortest(|| {
            dense::input_gradient(pool, g, &dy, &w, &mut dx, false, &mut scratch);
        });
        self.report(&format!("{name} dx"), g.flops(), time);
        let time = shortest(|| {
            dense::weight_gradient(pool, g, &x, &dy, 0, &mut dw, None, &mut scratch);
        });
        self.report(&format!("{name} dw"), g.flops(), time);
        black_box((&y, &dx, &dw));
    }

    /// Times batch norm, ReLU and a weighted skip, fused; arithmetic is not what takes the
    /// time.
    fn fused(&self, rows: usize, channels: usize) {
        let name = format!("norm + relu + skip {channels}x{rows}");
        if !self.is_wanted(&name) {
            return;
        }
        let pool = &self.pool;
        let (z, skip, d) = (
            data(rows * channels),
            data(rows * channels),
            data(rows * channels),
        );
        let (mut out, mut dz, mut ds) = (z.clone(), z.clone(), z.clone());
        let (one, half) = (vec![1.0; channels], vec![0.5; channels]);
        let norm = Norm {
            mean: &half,
            variance: &one,
            eps: 1e-5,
            weight: &one,
            bias: &half,
        };
        let weights = Weights::Fixed {
            body: &one,
            skip: &half,
            plane: 1,
        };
        let fused = Fused {
            rows,
            channels,
            norm: Some(norm),
            activation: Activation::Relu,
            blend: Some(Blend {
                skip: &skip,
                weights,
            }),
        };
        let mut scratch = vec![0.0; normalise::backward_scratch_len(rows, channels)];
        let time = shortest(|| normalise::forward(pool, &fused, &z, &mut out, &mut scratch));
        let bytes = 4.0 * (rows * channels) as f64;
        println!(
            "{name:<40} {:>9.4} {:>6.1} GB/s",
            time * 1e3,
            3.0 * bytes / time / 1e9
        );
        let [mut dweight, mut dbias, mut da, mut db] = [(); 4].map(|()| vec![0.0; channels]);
        let time = shortest(|| {
            let gradients = Gradients {
                input: Some(GradientSlice {
                    to: &mut dz,
                    add: false,
                }),
                norm: Some((&mut dweight, &mut dbias)),
                skip: Some(GradientSlice {
                    to: &mut ds,
                    add: false,
                }),
                weights: Some((&mut da, &mut db)),
                gate: None,
            };
            normalise::backward(pool, &fused, &z, &d, gradients, &mut scratch);
        });
        let name = format!("its gradient {channels}x{rows}");
        println!(
            "{name:<40} {:>9.4} {:>6.1} GB/s",
            time * 1e3,
            7.0 * bytes / time / 1e9
        );
        black_box((&out, &dz, &ds));
    }
}
