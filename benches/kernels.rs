//! Times the CPU kernels on the shapes of the CIFAR networks: `cargo bench --bench
//! kernels [-- THREADS]`.
//!
//! The minimum of many runs, since others may use the machine. GFLOP/s count the
//! multiplications of the definition, so Winograd may pass 100 % of the peak, which is
//! measured too.

use std::hint::black_box;
use std::time::Instant;
use vanc::engines::cpu::kernels::{ConvGeometry, Moments, Pool, padded, winograd};

fn main() {
    let threads = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let pool = Pool::new(threads).expect("threads start");
    let peak = peak(&pool);
    println!("{threads} threads, {:?}, peak {peak:.0} GFLOP/s", pool.isa());
    println!("{:<34} {:>9} {:>9} {:>7}", "kernel", "ms", "GFLOP/s", "peak");
    let report = |name: &str, flops: f64, seconds: f64| {
        let rate = flops / seconds / 1e9;
        let share = 100.0 * rate / peak;
        println!("{name:<34} {:>9.3} {rate:>9.1} {share:>6.0}%", seconds * 1e3);
    };
    for (channels, side) in [(64, 32), (128, 16), (256, 8), (512, 4), (16, 32)] {
        let g = ConvGeometry {
            batch: 32,
            in_channels: channels,
            out_channels: channels,
            height: side,
            width: side,
            kernel: 3,
            stride: 1,
            padding: 1,
        };
        time_winograd(&pool, &g, &report);
    }
}

/// Small repeatable numbers around 0.
fn data(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5).collect()
}

/// The shortest of runs that take a second together.
fn shortest(mut run: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    let start = Instant::now();
    let mut runs = 0;
    while runs < 5 || start.elapsed().as_secs_f64() < 1.0 {
        let begin = Instant::now();
        run();
        least = least.min(begin.elapsed().as_secs_f64());
        runs += 1;
    }
    least
}

/// GFLOP/s of a product that stays in the first-level cache, on all threads at once.
fn peak(pool: &Pool) -> f64 {
    vanc::engines::cpu::kernels::peak_gflops(pool)
}

fn time_winograd(pool: &Pool, g: &ConvGeometry, report: &impl Fn(&str, f64, f64)) {
    let (x, w, dy) = (data(g.input_len()), data(g.weight_len()), data(g.output_len()));
    let (mut y, mut dx) = (vec![0.0; g.output_len()], vec![0.0; g.input_len()]);
    let mut dw = vec![0.0; g.weight_len()];
    let (mut mean, mut variance) = (vec![0.0; g.out_channels], vec![0.0; g.out_channels]);
    let threads = pool.threads();
    let len = winograd::forward_scratch_len(g, threads)
        .max(winograd::input_gradient_scratch_len(g, threads))
        .max(winograd::weight_gradient_scratch_len(g, threads));
    let mut scratch = vec![0.0; len];
    let name = format!("winograd {}@{}", padded(g.out_channels), g.height);
    let forward = shortest(|| {
        let moments = Moments { mean: &mut mean, variance: &mut variance };
        winograd::forward(pool, g, &x, &w, &mut y, Some(moments), &mut scratch);
    });
    report(&format!("{name} forward + moments"), g.flops(), forward);
    let backward = shortest(|| {
        winograd::input_gradient(pool, g, &dy, &w, &mut dx, false, &mut scratch);
    });
    report(&format!("{name} input gradient"), g.flops(), backward);
    let weight = shortest(|| {
        winograd::weight_gradient(pool, g, &x, &dy, &mut dw, &mut scratch);
    });
    report(&format!("{name} weight gradient"), g.flops(), weight);
    black_box((&y, &dx, &dw));
}
