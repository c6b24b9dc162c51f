// The beginning of every file of kernels.
//
// Activations are images × positions × channels, without padding; `act` is the type that
// they are stored in: float, or with BF16 the upper half of one. All arithmetic is float.
// Everything else (tensors of the network, gradients, sums) is float throughout.
// No sum depends on the order in which blocks run, so that a step gives the same bits
// every time.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef BF16
struct act {
    unsigned short bits;
};

__device__ inline float widen(u32 bits) {
    return __uint_as_float(bits << 16);
}

// To the nearest, ties to even; NaN stays NaN.
__device__ inline u32 narrow(float x) {
    u32 bits = __float_as_uint(x);
    if (x != x) return 0x7fc0u;
    return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

__device__ inline float get(const act* p) {
    return widen(p->bits);
}

__device__ inline void put(act* p, float x) {
    p->bits = (unsigned short)narrow(x);
}
#else
typedef float act;

__device__ inline float get(const act* p) {
    return *p;
}

__device__ inline void put(act* p, float x) {
    *p = x;
}
#endif

// V neighbouring activations. V is 4 where a row of channels is a multiple of 4 long.
template <int V>
struct Pack {
    float v[V];
};

template <int V>
__device__ inline Pack<V> load(const act* p) {
    Pack<V> out;
    if (V == 4) {
#ifdef BF16
        uint2 raw = *(const uint2*)p;
        out.v[0] = widen(raw.x & 0xffffu);
        out.v[1 % V] = widen(raw.x >> 16);
        out.v[2 % V] = widen(raw.y & 0xffffu);
        out.v[3 % V] = widen(raw.y >> 16);
#else
        float4 raw = *(const float4*)p;
        out.v[0] = raw.x;
        out.v[1 % V] = raw.y;
        out.v[2 % V] = raw.z;
        out.v[3 % V] = raw.w;
#endif
    } else {
        out.v[0] = get(p);
    }
    return out;
}

template <int V>
__device__ inline void store(act* p, Pack<V> x) {
    if (V == 4) {
#ifdef BF16
        uint2 raw;
        raw.x = narrow(x.v[0]) | narrow(x.v[1 % V]) << 16;
        raw.y = narrow(x.v[2 % V]) | narrow(x.v[3 % V]) << 16;
        *(uint2*)p = raw;
#else
        *(float4*)p = make_float4(x.v[0], x.v[1 % V], x.v[2 % V], x.v[3 % V]);
#endif
    } else {
        put(p, x.v[0]);
    }
}

// V neighbouring floats, of channels for example.
template <int V>
__device__ inline Pack<V> floats(const float* p) {
    Pack<V> out;
    if (V == 4) {
        float4 raw = *(const float4*)p;
        out.v[0] = raw.x;
        out.v[1 % V] = raw.y;
        out.v[2 % V] = raw.z;
        out.v[3 % V] = raw.w;
    } else {
        out.v[0] = *p;
    }
    return out;
}

// Replaces what is there, or adds to it.
template <int V>
__device__ inline void give(act* p, Pack<V> x, int add) {
    if (add) {
        Pack<V> old = load<V>(p);
        for (int k = 0; k < V; k++) x.v[k] += old.v[k];
    }
    store<V>(p, x);
}

// Control of a step: what it is told, and what it tells; written by `begin`, read by other kernels.
struct Control {
    // Learning rate.
    double rate;
    // Seed of the run; with `step` it names the dropout masks.
    u64 seed;
    u64 step;
    // Place of this step's outcome among the outcomes.
    u32 slot;
    // Not 0 once a loss was not finite: from then on nothing is moved.
    u32 halted;
};

// Outcome of a step.
struct Outcome {
    double loss;
    u64 correct;
};

// Index of this thread among all of a one-dimensional launch.
__device__ inline u32 index() {
    return blockIdx.x * blockDim.x + threadIdx.x;
}

// Memory of one block, for a kernel whose blocks meet.
#ifndef SHARED
#define SHARED(type, name) __shared__ type name
#endif

// While a thread waits for another.
#ifndef WAIT
#define WAIT()
#endif
