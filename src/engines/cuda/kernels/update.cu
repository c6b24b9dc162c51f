// Updates of tensors once all gradients are known. Nothing moves once a run has halted.

// SGD. With g' = g + decay·w: v ← momentum·v + g', w ← w − rate·v, or with Nesterov
// w ← w − rate·(g' + momentum·v); without a velocity w ← w − rate·g'. A thread a weight;
// all weights lie in one row, their gradients and velocities in others. With `ranges`, of the
// least and the greatest w, it is clipped afterwards.
extern "C" __global__ void sgd(
    const Control* control, float* w, const float* g, float* v, float momentum, int nesterov,
    float decay, const float* ranges, u32 count) {
    u32 at = index();
    if (at >= count || control->halted) return;
    float rate = (float)control->rate;
    float slope = g[at] + decay * w[at];
    if (v) {
        float moved = momentum * v[at] + slope;
        v[at] = moved;
        slope = nesterov ? slope + momentum * moved : moved;
    }
    float moved = w[at] - rate * slope;
    if (ranges) {
        float least = ranges[2 * at], greatest = ranges[2 * at + 1];
        moved = moved < least ? least : moved > greatest ? greatest : moved;
    }
    w[at] = moved;
}

// A batch norm whose running statistics move.
struct Running {
    // Mean and biased variance of the batch.
    const float* found;
    float* mean;
    float* variance;
    // Share of what was found.
    double share;
    // Factor that makes the variance unbiased.
    double unbiased;
    u64 channels;
};

// running ← (1 − share)·running + share·found. A block row a batch norm.
extern "C" __global__ void move_statistics(const Control* control, const Running* all) {
    Running r = all[blockIdx.y];
    u32 c = index();
    if (c >= r.channels || control->halted) return;
    r.mean[c] = (float)((1.0 - r.share) * r.mean[c] + r.share * r.found[c]);
    double variance = r.unbiased * r.found[r.channels + c];
    r.variance[c] = (float)((1.0 - r.share) * r.variance[c] + r.share * variance);
}

// Where a coefficient stays and goes.
struct Held {
    double least;
    double greatest;
    double target;
    // 1 where lambda moves too, 2 where both are frozen.
    u64 moves;
};

// alpha ← clip(alpha − alpha_rate·(∂C/∂alpha + lambda), least, greatest), then where it is
// enforced lambda ← lambda + lambda_rate·(alpha − target). No fused multiply-adds: as on the host.
__device__ inline void constrain(
    float* alpha, float* lambda, double gradient, double alpha_rate, double lambda_rate,
    const Held& held) {
    if (held.moves == 2) return;
    double slope = __dadd_rn(gradient, (double)*lambda);
    double moved = __dadd_rn((double)*alpha, -__dmul_rn(alpha_rate, slope));
    moved = moved < held.least ? held.least : moved > held.greatest ? held.greatest : moved;
    *alpha = (float)moved;
    if (held.moves == 1) {
        double apart = __dadd_rn((double)*alpha, -held.target);
        *lambda = (float)__dadd_rn((double)*lambda, __dmul_rn(lambda_rate, apart));
    }
}

// After a step: the rule with its gradient, or (`wait`) the gradient kept for the end of
// the epoch. The rates are multiples of the learning rate. A thread an alpha.
extern "C" __global__ void constrain_step(
    const Control* control, float* alpha, float* lambda, const float* gradient, float* sum,
    const Held* held, double alpha_rate, double lambda_rate, int wait, u32 count) {
    u32 at = index();
    if (at >= count || control->halted) return;
    if (wait) {
        sum[at] += gradient[at];
        return;
    }
    constrain(
        alpha + at, lambda + at, (double)gradient[at], __dmul_rn(alpha_rate, control->rate),
        __dmul_rn(lambda_rate, control->rate), held[at]);
}

// After an epoch: the rule with the mean of the gradients since the last.
extern "C" __global__ void constrain_epoch(
    float* alpha, float* lambda, float* sum, const Held* held, double alpha_rate,
    double lambda_rate, double scale, u32 count) {
    u32 at = index();
    if (at >= count) return;
    double mean = __dmul_rn((double)sum[at], scale);
    constrain(alpha + at, lambda + at, mean, alpha_rate, lambda_rate, held[at]);
    sum[at] = 0.0f;
}
