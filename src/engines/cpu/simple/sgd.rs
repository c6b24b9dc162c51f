//! The optimizer.

use super::parallel::zip;
use crate::ir::Sgd;
use rayon::prelude::*;

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `g ← g + weight_decay·w`, `v ← momentum·v + g`, `w ← w − rate·v`, or with Nesterov's
/// form `w ← w − rate·(g + momentum·v)`.
pub fn descend(sgd: &Sgd, rate: f64, w: &mut [f32], v: Option<&mut [f32]>, g: &[f32]) {
    let (rate, decay) = (rate as f32, sgd.weight_decay as f32);
    let momentum = sgd.momentum as f32;
    let Some(v) = v else {
        return zip(w, (g, g), |w, g, _| *w -= rate * (g + decay * *w));
    };
    let chunks = w.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
    chunks.zip(g.par_chunks(CHUNK)).for_each(|((w, v), g)| {
        for ((w, v), &g) in w.iter_mut().zip(v).zip(g) {
            let g = g + decay * *w;
            *v = momentum * *v + g;
            *w -= rate * if sgd.nesterov { g + momentum * *v } else { *v };
        }
    });
}
