// Steps that move elements. A thread an element of what is written; gradients replace
// what is there, or are added to it.

__device__ inline void give1(act* p, float x, int add) {
    put(p, add ? get(p) + x : x);
}

// [max(x, 0), max(−x, 0)] along channels; NaN stays NaN. `count` is of y.
extern "C" __global__ void crelu(const act* x, act* y, int channels, u32 count) {
    u32 at = index();
    if (at >= count) return;
    u32 row = at / (2 * channels);
    int c = at % (2 * channels);
    float value = c < channels ? get(x + row * channels + c) : -get(x + row * channels + c - channels);
    put(y + at, value < 0.0f ? 0.0f : value);
}

// dx = dy₁ where x > 0, −dy₂ where x < 0.
extern "C" __global__ void crelu_gradient(
    const act* x, const act* dy, act* dx, int add, int channels, u32 count) {
    u32 at = index();
    if (at >= count) return;
    u32 row = at / channels;
    int c = at % channels;
    float value = get(x + at), d = 0.0f;
    if (value > 0.0f) d = get(dy + row * 2 * channels + c);
    if (value < 0.0f) d = -get(dy + row * 2 * channels + channels + c);
    give1(dx + at, d, add);
}

// a and b joined along channels. `count` is of y.
extern "C" __global__ void concat(
    const act* a, const act* b, act* y, int first, int second, u32 count) {
    u32 at = index();
    if (at >= count) return;
    u32 row = at / (first + second);
    int c = at % (first + second);
    put(y + at, c < first ? get(a + row * first + c) : get(b + row * second + c - first));
}

// The channels of dy from `from` on. `count` is of dx.
extern "C" __global__ void concat_gradient(
    const act* dy, act* dx, int add, int from, int channels, int whole, u32 count) {
    u32 at = index();
    if (at >= count) return;
    give1(dx + at, get(dy + at / channels * whole + from + at % channels), add);
}

// Every `stride`-th position of images of in_h × in_w, zeros in the channels that x has not.
extern "C" __global__ void subsample(
    const act* x, act* y, int in_h, int in_w, int in_c, int out_h, int out_w, int out_c,
    int stride, u32 count) {
    u32 at = index();
    if (at >= count) return;
    int c = at % out_c;
    u32 position = at / out_c;
    int column = position % out_w, row = position / out_w % out_h;
    u32 n = position / out_w / out_h;
    float value = 0.0f;
    if (c < in_c) {
        value = get(x + ((n * in_h + row * stride) * in_w + column * stride) * in_c + c);
    }
    put(y + at, value);
}

// dy to the positions taken; 0 to the others. `count` is of dx.
extern "C" __global__ void subsample_gradient(
    const act* dy, act* dx, int add, int in_h, int in_w, int in_c, int out_h, int out_w,
    int out_c, int stride, u32 count) {
    u32 at = index();
    if (at >= count) return;
    int c = at % in_c;
    u32 position = at / in_c;
    int column = position % in_w, row = position / in_w % in_h;
    u32 n = position / in_w / in_h;
    float d = 0.0f;
    if (row % stride == 0 && column % stride == 0 && row / stride < out_h &&
        column / stride < out_w && c < out_c) {
        d = get(dy + ((n * out_h + row / stride) * out_w + column / stride) * out_c + c);
    }
    give1(dx + at, d, add);
}

// Positions × channels to a vector in C, H, W order.
extern "C" __global__ void flatten(const act* x, act* y, int channels, int positions, u32 count) {
    u32 at = index();
    if (at >= count) return;
    u32 n = at / (channels * positions);
    int c = at / positions % channels, position = at % positions;
    put(y + at, get(x + (n * positions + position) * channels + c));
}

// Vectors in C, H, W order to positions × channels, the transpose of `flatten`.
extern "C" __global__ void flatten_gradient(
    const act* dy, act* dx, int add, int channels, int positions, u32 count) {
    u32 at = index();
    if (at >= count) return;
    u32 n = at / (channels * positions);
    int c = at % channels, position = at / channels % positions;
    give1(dx + at, get(dy + (n * channels + c) * positions + position), add);
}

// y = x∘m.
extern "C" __global__ void multiply(const act* x, const act* m, act* y, int add, u32 count) {
    u32 at = index();
    if (at < count) give1(y + at, get(x + at) * get(m + at), add);
}

// y += x.
extern "C" __global__ void add(const act* x, act* y, u32 count) {
    u32 at = index();
    if (at < count) put(y + at, get(y + at) + get(x + at));
}

// Floats to the type of activations, and back.
extern "C" __global__ void to_act(const float* x, act* y, u32 count) {
    u32 at = index();
    if (at < count) put(y + at, x[at]);
}

extern "C" __global__ void from_act(const act* x, float* y, u32 count) {
    u32 at = index();
    if (at < count) y[at] = get(x + at);
}
