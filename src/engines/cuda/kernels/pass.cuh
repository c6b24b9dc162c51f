// A pass over activations, y = join(activation(norm(x))): see `Pointwise` in src/plan.
//
// Activation and join are members of a structure that src/engines/cuda/equations.rs prints,
// `E` here. With f = activation(z), s = s(x), the gates' outputs g, the trained coefficients
// v, d = ∂C/∂y:
//
//     SHORTCUT           1 where y depends on s
//     BODY               1 where a gradient besides those of gates depends on f
//     GATES, TRAINED     how many gates and coefficients there are
//     SUMS               how many sums over rows the coefficients' gradients take
//     activation(z)      f
//     slope(z)           activation′(z); at a kink that of the left
//     join(f, s, g, v)   y
//     body_gradient(d, f, s, g, v)        ∂C/∂f
//     shortcut_gradient(d, f, s, g, v)    ∂C/∂s
//     gate_gradients(d, f, s, g, v, to)   ∂C/∂g of each gate
//     summands(f, s, g, v, to)            of each sum what is added up, times d
//     trained_gradients(sums, v, to)      ∂C/∂v of each coefficient

struct PointwisePass {
    const act* x;
    // s(x), where y depends on it.
    const act* s;
    // Batch norm, unless `mean` is null.
    const float* mean;
    const float* variance;
    const float* weight;
    const float* bias;
    float eps;
    int channels;
    int positions;
    // Elements of x.
    u32 count;
};

// N values; one that nobody reads where N is 0.
template <class T, int N>
struct Array {
    T at[N ? N : 1];
};

// The values of a trained coefficient: one, one a channel, or one an activation of a sample
// in C, H, W order.
struct Coefficient {
    const float* values;
    // Distance from a channel's value to the next channel's, 0 where all have one; likewise of
    // positions.
    int channel_step;
    int position_step;
};

// The value for channel c at `position`.
__device__ inline float value_of(const Coefficient& k, int c, int position) {
    return k.values[c * k.channel_step + position * k.position_step];
}

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

// Normals of V channels from c on.
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

// ln(1 + eˣ). NaN stays NaN.
__device__ inline float softplus(float x) {
    return (x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x)));
}

// a·f + b·s, rounded the same whether or not the compiler knows a factor.
__device__ inline float weigh(float a, float f, float b, float s) {
    return __fmaf_rn(a, f, __fmul_rn(b, s));
}
