// y = join(activation(norm(x))).
template <int V>
__device__ void pointwise(const PointwisePass& p, act* y) {
    u32 at = index() * V;
    if (at >= p.count) return;
    u32 row = at / p.channels;
    int first = at - row * p.channels;
    Pack<V> x = load<V>(p.x + at), s = {}, gate = {}, out;
    if (p.join != NO_JOIN) s = load<V>(p.s + at);
    if (p.join == GATED) gate = load<V>(p.gate + at);
    Normals<V> norms = normals_of<V>(p, first);
    for (int k = 0; k < V; k++) {
        int c = first + k;
        Normal n = norms.of[k];
        float f = activate(p, (x.v[k] - n.mean) * n.inverse * n.weight + n.bias);
        Factors by = factors(p, c, row, gate.v[k]);
        out.v[k] = p.join == NO_JOIN ? f : by.a * f + by.b * s.v[k];
    }
    store<V>(y + at, out);
}

extern "C" __global__ void pointwise_1(PointwisePass p, act* y) {
    pointwise<1>(p, y);
}

extern "C" __global__ void pointwise_4(PointwisePass p, act* y) {
    pointwise<4>(p, y);
}

// The sums over rows of du, du·n, dy·f and dy·s, with du = a·dy·activation′(z): a block
// takes 32 channels and the rows of one chunk. `partials` is chunks × 4 × channels.
// Blocks of 32 × 8 threads.
extern "C" __global__ void pointwise_sums(PointwisePass p, const act* dy, float* partials, u32 chunk) {
    __shared__ float all[4][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    u32 rows = p.count / p.channels;
    u32 first = blockIdx.y * chunk;
    u32 end = first + chunk < rows ? first + chunk : rows;
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (c < p.channels) {
        Normal norm = normal_of(p, c);
#pragma unroll 4
        for (u32 row = first + threadIdx.y; row < end; row += 8) {
            u32 at = row * p.channels + c;
            float x = get(p.x + at), d = get(dy + at);
            float s = p.join == NO_JOIN ? 0.0f : get(p.s + at);
            float gate = p.join == GATED ? get(p.gate + at) : 0.0f;
            float n = (x - norm.mean) * norm.inverse;
            float z = n * norm.weight + norm.bias;
            float du = factors(p, c, row, gate).a * d * slope_at(p, z);
            sums[0] += du;
            sums[1] += du * n;
            sums[2] += d * activate(p, z);
            sums[3] += d * s;
        }
    }
    for (int k = 0; k < 4; k++) all[k][threadIdx.y][threadIdx.x] = sums[k];
    __syncthreads();
    int k = threadIdx.y;
    if (k < 4 && c < p.channels) {
        float sum = 0.0f;
        for (int y = 0; y < 8; y++) sum += all[k][y][threadIdx.x];
        partials[(blockIdx.y * 4 + k) * p.channels + c] = sum;
    }
}

// Adds the partials up, in double precision and in order. The totals are 4 × channels;
// from them come the gradients of the norm and of an alpha a channel. Blocks of 32 × 8.
extern "C" __global__ void pointwise_totals(
    const float* partials, int chunks, int channels, float* totals, float* dweight, float* dbias,
    float* dalpha, int convex) {
    __shared__ double all[4][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    if (c < channels) {
        for (int chunk = threadIdx.y; chunk < chunks; chunk += 8) {
            for (int k = 0; k < 4; k++) sums[k] += partials[(chunk * 4 + k) * channels + c];
        }
    }
    for (int k = 0; k < 4; k++) all[k][threadIdx.y][threadIdx.x] = sums[k];
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels) return;
    for (int k = 0; k < 4; k++) {
        double sum = 0.0;
        for (int y = 0; y < 8; y++) sum += all[k][y][threadIdx.x];
        sums[k] = sum;
        totals[k * channels + c] = (float)sum;
    }
    if (dbias) dbias[c] = (float)sums[0];
    if (dweight) dweight[c] = (float)sums[1];
    if (dalpha) dalpha[c] = (convex ? (float)sums[2] : 0.0f) - (float)sums[3];
}

// ∂C/∂alpha of a whole layer: the sum over channels. One block of 256.
extern "C" __global__ void alpha_of_layer(
    const float* totals, int channels, float* dalpha, int convex) {
    __shared__ double all[256];
    double sum = 0.0;
    for (int c = threadIdx.x; c < channels; c += 256) {
        float da = convex ? totals[2 * channels + c] : 0.0f;
        sum += (double)(da - totals[3 * channels + c]);
    }
    all[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        sum = 0.0;
        for (int k = 0; k < 256; k++) sum += all[k];
        dalpha[0] = (float)sum;
    }
}

// ∂C/∂alpha where each activation has its own: sums over images, a thread an alpha.
extern "C" __global__ void alpha_of_units(PointwisePass p, const act* dy, float* dalpha) {
    u32 unit = index();
    if (unit >= (u32)(p.channels * p.positions)) return;
    int c = unit % p.channels, position = unit / p.channels;
    Normal norm = normal_of(p, c);
    float da = 0.0f, db = 0.0f;
    for (u32 at = unit; at < p.count; at += p.channels * p.positions) {
        float z = (get(p.x + at) - norm.mean) * norm.inverse * norm.weight + norm.bias;
        float d = get(dy + at);
        da += d * activate(p, z);
        db += d * get(p.s + at);
    }
    dalpha[c * p.positions + position] = (p.join == CONVEX ? da : 0.0f) - db;
}

// Where the gradients of a pass go; null where nobody asks.
struct GradientTargets {
    const act* dy;
    act* dx;
    act* ds;
    act* dgate;
    // As `pointwise_totals` left them, where there is a norm.
    const float* totals;
    int add_dx;
    int add_ds;
    int add_dgate;
};

// dx, ds and dgate: the formulas of `PointwiseGradients` in src/plan.
template <int V>
__device__ void gradient(const PointwisePass& p, const GradientTargets& to) {
    u32 at = index() * V;
    if (at >= p.count) return;
    u32 row = at / p.channels;
    int first = at - row * p.channels;
    float share = 1.0f / (float)(p.count / p.channels);
    Pack<V> x = load<V>(p.x + at), d = load<V>(to.dy + at), s = {}, gate = {}, dx, ds, dgate;
    if (p.join == GATED) {
        s = load<V>(p.s + at);
        gate = load<V>(p.gate + at);
    }
    Normals<V> norms = normals_of<V>(p, first);
    Pack<V> sums = {}, turned = {};
    if (p.mean) {
        sums = floats<V>(to.totals + first);
        turned = floats<V>(to.totals + p.channels + first);
    }
    for (int k = 0; k < V; k++) {
        int c = first + k;
        Normal norm = norms.of[k];
        Factors by = factors(p, c, row, gate.v[k]);
        float n = (x.v[k] - norm.mean) * norm.inverse;
        float z = n * norm.weight + norm.bias;
        float du = by.a * d.v[k] * slope_at(p, z);
        if (p.mean) {
            float along = n * turned.v[k] * share;
            du = norm.inverse * norm.weight * (du - sums.v[k] * share - along);
        }
        dx.v[k] = du;
        ds.v[k] = by.b * d.v[k];
        if (to.dgate) dgate.v[k] = d.v[k] * (activate(p, z) - s.v[k]) * by.a * by.b;
    }
    if (to.dx) give<V>(to.dx + at, dx, to.add_dx);
    if (to.ds) give<V>(to.ds + at, ds, to.add_ds);
    if (to.dgate) give<V>(to.dgate + at, dgate, to.add_dgate);
}

extern "C" __global__ void gradient_1(PointwisePass p, GradientTargets to) {
    gradient<1>(p, to);
}

extern "C" __global__ void gradient_4(PointwisePass p, GradientTargets to) {
    gradient<4>(p, to);
}
