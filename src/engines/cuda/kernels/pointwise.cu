// Passes over activations with the equations `Equations0`, and their gradients.

typedef Equations0 E;
typedef Array<const act*, E::GATES> Gates;
typedef Array<Coefficient, E::TRAINED> Trained;
// The gates' elements and the coefficients' values of one place.
typedef Array<float, E::GATES> GateValues;
typedef Array<float, E::TRAINED> TrainedValues;

__device__ inline TrainedValues values_of(
    const PointwisePass& p, const Trained& trained, int c, u32 row) {
    TrainedValues v;
    for (int k = 0; k < E::TRAINED; k++) {
        int position = trained.at[k].position_step ? row % p.positions : 0;
        v.at[k] = value_of(trained.at[k], c, position);
    }
    return v;
}

// Element `at` of each gate.
__device__ inline GateValues gates_of(const Gates& gates, u32 at) {
    GateValues g;
    for (int k = 0; k < E::GATES; k++) g.at[k] = get(gates.at[k] + at);
    return g;
}

// V neighbouring elements of the operands.
template <int V>
struct Operands {
    Pack<V> x, s;
    Array<Pack<V>, E::GATES> gates;
};

template <int V>
__device__ inline Operands<V> operands_of(const PointwisePass& p, const Gates& gates, u32 at) {
    Operands<V> all;
    all.x = load<V>(p.x + at);
    if (E::SHORTCUT) {
        all.s = load<V>(p.s + at);
    } else {
        all.s = {};
    }
    for (int k = 0; k < E::GATES; k++) all.gates.at[k] = load<V>(gates.at[k] + at);
    return all;
}

template <int V>
__device__ inline GateValues lane(const Operands<V>& all, int k) {
    GateValues g;
    for (int gate = 0; gate < E::GATES; gate++) g.at[gate] = all.gates.at[gate].v[k];
    return g;
}

// y = join(activation(norm(x))).
template <int V>
__device__ void pointwise(const PointwisePass& p, const Gates& gates, const Trained& trained, act* y) {
    u32 at = index() * V;
    if (at >= p.count) return;
    u32 row = at / p.channels;
    int first = at - row * p.channels;
    Operands<V> all = operands_of<V>(p, gates, at);
    Normals<V> norms = normals_of<V>(p, first);
    Pack<V> out;
    for (int k = 0; k < V; k++) {
        Normal n = norms.of[k];
        float f = E::activation((all.x.v[k] - n.mean) * n.inverse * n.weight + n.bias);
        GateValues g = lane<V>(all, k);
        TrainedValues v = values_of(p, trained, first + k, row);
        out.v[k] = E::join(f, all.s.v[k], g.at, v.at);
    }
    store<V>(y + at, out);
}

extern "C" __global__ void pointwise_1(PointwisePass p, Gates gates, Trained trained, act* y) {
    pointwise<1>(p, gates, trained, y);
}

extern "C" __global__ void pointwise_4(PointwisePass p, Gates gates, Trained trained, act* y) {
    pointwise<4>(p, gates, trained, y);
}

// Sums over rows: of du and du·n, with du = ∂C/∂f·activation′(z), and those that the
// coefficients' gradients take.
enum { ALL_SUMS = 2 + E::SUMS };

// The sums of the rows of one chunk for 32 channels. `partials` is chunks × ALL_SUMS ×
// channels. Blocks of 32 × 8 threads.
extern "C" __global__ void pointwise_sums(
    PointwisePass p, Gates gates, Trained trained, const act* dy, float* partials, u32 chunk) {
    __shared__ float all[ALL_SUMS][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    u32 rows = p.count / p.channels;
    u32 first = blockIdx.y * chunk;
    u32 end = first + chunk < rows ? first + chunk : rows;
    float sums[ALL_SUMS] = {};
    if (c < p.channels) {
        Normal norm = normal_of(p, c);
#pragma unroll 4
        for (u32 row = first + threadIdx.y; row < end; row += 8) {
            u32 at = row * p.channels + c;
            float x = get(p.x + at), d = get(dy + at);
            float s = E::SHORTCUT ? get(p.s + at) : 0.0f;
            GateValues g = gates_of(gates, at);
            TrainedValues v = values_of(p, trained, c, row);
            float n = (x - norm.mean) * norm.inverse;
            float z = n * norm.weight + norm.bias;
            float f = E::activation(z);
            float du = E::body_gradient(d, f, s, g.at, v.at) * E::slope(z);
            Array<float, E::SUMS> summands;
            E::summands(f, s, g.at, v.at, summands.at);
            sums[0] += du;
            sums[1] += du * n;
            for (int k = 0; k < E::SUMS; k++) sums[2 + k] += d * summands.at[k];
        }
    }
    for (int k = 0; k < ALL_SUMS; k++) all[k][threadIdx.y][threadIdx.x] = sums[k];
    __syncthreads();
    if (c >= p.channels) return;
    for (int k = threadIdx.y; k < ALL_SUMS; k += 8) {
        float sum = 0.0f;
        for (int y = 0; y < 8; y++) sum += all[k][y][threadIdx.x];
        partials[(blockIdx.y * ALL_SUMS + k) * p.channels + c] = sum;
    }
}

// Adds the partials up, in double precision and in order. `totals` gets those of du and
// du·n, 2 × channels; from all come the gradients of the norm and, for each coefficient
// that has a `to`, its gradient in each channel. Blocks of 32 × 8.
extern "C" __global__ void pointwise_totals(
    const float* partials, int chunks, int channels, float* totals, float* dweight, float* dbias,
    Trained trained, Array<float*, E::TRAINED> to) {
    __shared__ double all[ALL_SUMS][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    double sums[ALL_SUMS] = {};
    if (c < channels) {
        for (int chunk = threadIdx.y; chunk < chunks; chunk += 8) {
            for (int k = 0; k < ALL_SUMS; k++) {
                sums[k] += partials[(chunk * ALL_SUMS + k) * channels + c];
            }
        }
    }
    for (int k = 0; k < ALL_SUMS; k++) all[k][threadIdx.y][threadIdx.x] = sums[k];
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels) return;
    float total[ALL_SUMS];
    for (int k = 0; k < ALL_SUMS; k++) {
        double sum = 0.0;
        for (int y = 0; y < 8; y++) sum += all[k][y][threadIdx.x];
        total[k] = (float)sum;
    }
    totals[c] = total[0];
    totals[channels + c] = total[1];
    if (dbias) dbias[c] = total[0];
    if (dweight) dweight[c] = total[1];
    // Coefficients whose gradients are taken from these sums have one value a channel; the
    // others' gradients, which are not used, are those at the first position.
    TrainedValues v, gradients;
    for (int k = 0; k < E::TRAINED; k++) v.at[k] = value_of(trained.at[k], c, 0);
    E::trained_gradients(total + 2, v.at, gradients.at);
    for (int k = 0; k < E::TRAINED; k++) {
        if (to.at[k]) to.at[k][c] = gradients.at[k];
    }
}

// The sum over channels, of a coefficient that a layer has one of. One block of 256.
extern "C" __global__ void add_channels(const float* gradients, int channels, float* to) {
    __shared__ double all[256];
    double sum = 0.0;
    for (int c = threadIdx.x; c < channels; c += 256) sum += (double)gradients[c];
    all[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        sum = 0.0;
        for (int k = 0; k < 256; k++) sum += all[k];
        to[0] = (float)sum;
    }
}

// The gradients of the coefficients that have a `to`, each activation of a sample one: sums
// over images, a thread an activation.
extern "C" __global__ void trained_units(
    PointwisePass p, Gates gates, Trained trained, const act* dy, Array<float*, E::TRAINED> to) {
    u32 unit = index();
    if (unit >= (u32)(p.channels * p.positions)) return;
    int c = unit % p.channels, position = unit / p.channels;
    Normal norm = normal_of(p, c);
    TrainedValues v = values_of(p, trained, c, position), gradients;
    Array<float, E::SUMS> sums = {}, summands;
    for (u32 at = unit; at < p.count; at += p.channels * p.positions) {
        float f = E::activation((get(p.x + at) - norm.mean) * norm.inverse * norm.weight + norm.bias);
        float s = E::SHORTCUT ? get(p.s + at) : 0.0f, d = get(dy + at);
        GateValues g = gates_of(gates, at);
        E::summands(f, s, g.at, v.at, summands.at);
        for (int k = 0; k < E::SUMS; k++) sums.at[k] += d * summands.at[k];
    }
    E::trained_gradients(sums.at, v.at, gradients.at);
    for (int k = 0; k < E::TRAINED; k++) {
        if (to.at[k]) to.at[k][c * p.positions + position] = gradients.at[k];
    }
}

// An array's gradient: null where nobody asks.
struct Target {
    act* to;
    // Not 0 to add to what is there.
    int add;
    int padding;
};

// Destinations of the gradients of a pass.
struct GradientTargets {
    const act* dy;
    // Totals as `pointwise_totals` left them, where there is a norm.
    const float* totals;
    Target dx;
    Target ds;
};

// dx, ds and those of gates: the formulas of `PointwiseGradients` in src/plan.
template <int V>
__device__ void gradient(
    const PointwisePass& p, const Gates& gates, const Trained& trained, const GradientTargets& targets,
    const Array<Target, E::GATES>& dgates) {
    u32 at = index() * V;
    if (at >= p.count) return;
    u32 row = at / p.channels;
    int first = at - row * p.channels;
    float share = 1.0f / (float)(p.count / p.channels);
    Operands<V> all = operands_of<V>(p, gates, at);
    Pack<V> d = load<V>(targets.dy + at), dx, ds, sums = {}, turned = {};
    Array<Pack<V>, E::GATES> of_gates;
    Normals<V> norms = normals_of<V>(p, first);
    if (p.mean) {
        sums = floats<V>(targets.totals + first);
        turned = floats<V>(targets.totals + p.channels + first);
    }
    for (int k = 0; k < V; k++) {
        Normal norm = norms.of[k];
        float n = (all.x.v[k] - norm.mean) * norm.inverse;
        float z = n * norm.weight + norm.bias;
        float f = E::activation(z), s = all.s.v[k];
        GateValues g = lane<V>(all, k), dg;
        TrainedValues v = values_of(p, trained, first + k, row);
        float du = E::body_gradient(d.v[k], f, s, g.at, v.at) * E::slope(z);
        if (p.mean) {
            float along = n * turned.v[k] * share;
            du = norm.inverse * norm.weight * (du - sums.v[k] * share - along);
        }
        dx.v[k] = du;
        ds.v[k] = E::shortcut_gradient(d.v[k], f, s, g.at, v.at);
        E::gate_gradients(d.v[k], f, s, g.at, v.at, dg.at);
        for (int gate = 0; gate < E::GATES; gate++) of_gates.at[gate].v[k] = dg.at[gate];
    }
    if (targets.dx.to) give<V>(targets.dx.to + at, dx, targets.dx.add);
    if (targets.ds.to) give<V>(targets.ds.to + at, ds, targets.ds.add);
    for (int k = 0; k < E::GATES; k++) {
        Target gate = dgates.at[k];
        if (gate.to) give<V>(gate.to + at, of_gates.at[k], gate.add);
    }
}

extern "C" __global__ void gradient_1(
    PointwisePass p, Gates gates, Trained trained, GradientTargets targets,
    Array<Target, E::GATES> dgates) {
    gradient<1>(p, gates, trained, targets, dgates);
}

extern "C" __global__ void gradient_4(
    PointwisePass p, Gates gates, Trained trained, GradientTargets targets,
    Array<Target, E::GATES> dgates) {
    gradient<4>(p, gates, trained, targets, dgates);
}
