// A pass over activations, y = join(activation(norm(x))): see `Pointwise` in src/plan.

enum { NO_ACTIVATION, RELU, ELU, LEAKY_RELU, TANH, SIGMOID };
enum { NO_JOIN, RESIDUAL, GATED, ADDITIVE, CONVEX };
enum { PER_LAYER, PER_CHANNEL, PER_UNIT };

struct PointwisePass {
    const act* x;
    const act* s;
    const act* gate;
    const float* alpha;
    // Batch norm, unless `mean` is null.
    const float* mean;
    const float* variance;
    const float* weight;
    const float* bias;
    float eps;
    // Of ELU or leaky ReLU.
    float slope;
    // Of a residual join.
    float scale;
    int activation;
    int join;
    // What one alpha covers.
    int granularity;
    int channels;
    int positions;
    // Elements of x.
    u32 count;
};

// A channel's batch norm as x ↦ n = (x − mean)·inverse, z = n·weight + bias.
struct Normal {
    float mean, inverse, weight, bias;
};

__device__ inline Normal normal_of(const PointwisePass& p, int c) {
    Normal n = {0.0f, 1.0f, 1.0f, 0.0f};
    if (p.mean) {
        n.mean = p.mean[c];
        n.inverse = rsqrtf(p.variance[c] + p.eps);
        n.weight = p.weight[c];
        n.bias = p.bias[c];
    }
    return n;
}

// Those of V channels from c on.
template <int V>
struct Normals {
    Normal of[V];
};

template <int V>
__device__ inline Normals<V> normals_of(const PointwisePass& p, int c) {
    Normals<V> n;
    for (int k = 0; k < V; k++) n.of[k] = {0.0f, 1.0f, 1.0f, 0.0f};
    if (p.mean) {
        Pack<V> mean = floats<V>(p.mean + c), variance = floats<V>(p.variance + c);
        Pack<V> weight = floats<V>(p.weight + c), bias = floats<V>(p.bias + c);
        for (int k = 0; k < V; k++) {
            n.of[k] = {mean.v[k], rsqrtf(variance.v[k] + p.eps), weight.v[k], bias.v[k]};
        }
    }
    return n;
}

__device__ inline float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

// f = activation(z). NaN stays NaN.
__device__ inline float activate(const PointwisePass& p, float z) {
    switch (p.activation) {
        case RELU: return z < 0.0f ? 0.0f : z;
        case ELU: return z > 0.0f ? z : p.slope * expm1f(z);
        case LEAKY_RELU: return z > 0.0f ? z : p.slope * z;
        case TANH: return tanhf(z);
        case SIGMOID: return sigmoid(z);
        default: return z;
    }
}

// activation′(z); at a kink that of the left.
__device__ inline float slope_at(const PointwisePass& p, float z) {
    switch (p.activation) {
        case RELU: return z > 0.0f ? 1.0f : 0.0f;
        case ELU: return z > 0.0f ? 1.0f : p.slope * expf(z);
        case LEAKY_RELU: return z > 0.0f ? 1.0f : p.slope;
        case TANH: {
            float y = tanhf(z);
            return 1.0f - y * y;
        }
        case SIGMOID: {
            float y = sigmoid(z);
            return y * (1.0f - y);
        }
        default: return 1.0f;
    }
}

// Factors of f and s in y = a·f + b·s.
struct Factors {
    float a, b;
};

// Those of channel c in row `row`; `gate` is the gate's element there.
__device__ inline Factors factors(const PointwisePass& p, int c, u32 row, float gate) {
    Factors k = {1.0f, 0.0f};
    if (p.join == RESIDUAL) {
        k.a = k.b = p.scale;
    } else if (p.join == GATED) {
        k.a = sigmoid(gate);
        k.b = 1.0f - k.a;
    } else if (p.join != NO_JOIN) {
        u32 at = 0;
        if (p.granularity == PER_CHANNEL) at = c;
        // alpha is in C, H, W order.
        if (p.granularity == PER_UNIT) at = c * p.positions + row % p.positions;
        float alpha = p.alpha[at];
        k.a = p.join == CONVEX ? alpha : 1.0f;
        k.b = 1.0f - alpha;
    }
    return k;
}
