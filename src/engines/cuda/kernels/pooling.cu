// Pooling: windows of kernel_h × kernel_w, `stride` apart, over images of in_h × in_w.

struct Windows {
    int in_h, in_w;
    int out_h, out_w;
    int kernel_h, kernel_w;
    int stride;
    int channels;
    // Elements written.
    u32 count;
};

// Image, row, column and channel of the element at `at` of an image of h × w.
struct ElementIndex {
    int n, y, x, c;
};

__device__ inline ElementIndex element_index(u32 at, int h, int w, int channels) {
    ElementIndex p;
    p.c = at % channels;
    at /= channels;
    p.x = at % w;
    at /= w;
    p.y = at % h;
    p.n = at / h;
    return p;
}

__device__ inline u32 input_at(const Windows& g, int n, int y, int x, int c) {
    return (((u32)n * g.in_h + y) * g.in_w + x) * g.channels + c;
}

__device__ inline u32 output_at(const Windows& g, int n, int y, int x, int c) {
    return (((u32)n * g.out_h + y) * g.out_w + x) * g.channels + c;
}

// Index of the largest element of the window at (oy, ox): the first of equals, or the last NaN.
__device__ inline u32 largest(const act* x, const Windows& g, int n, int oy, int ox, int c) {
    u32 best = 0;
    float value = 0.0f;
    for (int tap = 0; tap < g.kernel_h * g.kernel_w; tap++) {
        int y = oy * g.stride + tap / g.kernel_w, col = ox * g.stride + tap % g.kernel_w;
        u32 at = input_at(g, n, y, col, c);
        float here = get(x + at);
        if (tap == 0 || here > value || here != here) {
            best = at;
            value = here;
        }
    }
    return best;
}

// A thread an output.
extern "C" __global__ void max_pool(const act* x, act* y, Windows g) {
    u32 at = index();
    if (at >= g.count) return;
    ElementIndex p = element_index(at, g.out_h, g.out_w, g.channels);
    put(y + at, get(x + largest(x, g, p.n, p.y, p.x, p.c)));
}

extern "C" __global__ void avg_pool(const act* x, act* y, Windows g) {
    u32 at = index();
    if (at >= g.count) return;
    ElementIndex p = element_index(at, g.out_h, g.out_w, g.channels);
    float sum = 0.0f;
    for (int ky = 0; ky < g.kernel_h; ky++) {
        for (int kx = 0; kx < g.kernel_w; kx++) {
            sum += get(x + input_at(g, p.n, p.y * g.stride + ky, p.x * g.stride + kx, p.c));
        }
    }
    put(y + at, sum / (float)(g.kernel_h * g.kernel_w));
}

// The windows along one side that hold position `at`: from `first` to before `end`.
struct Span {
    int first, end;
};

__device__ inline Span windows_of(int at, int kernel, int stride, int outputs) {
    Span s;
    s.first = at < kernel ? 0 : (at - kernel) / stride + 1;
    s.end = at / stride + 1 < outputs ? at / stride + 1 : outputs;
    return s;
}

// A thread an input: it collects from every window that holds it.
extern "C" __global__ void max_pool_gradient(
    const act* x, const act* dy, act* dx, int add, Windows g) {
    u32 at = index();
    if (at >= g.count) return;
    ElementIndex p = element_index(at, g.in_h, g.in_w, g.channels);
    Span rows = windows_of(p.y, g.kernel_h, g.stride, g.out_h);
    Span columns = windows_of(p.x, g.kernel_w, g.stride, g.out_w);
    float sum = 0.0f;
    for (int oy = rows.first; oy < rows.end; oy++) {
        for (int ox = columns.first; ox < columns.end; ox++) {
            if (largest(x, g, p.n, oy, ox, p.c) == at) {
                sum += get(dy + output_at(g, p.n, oy, ox, p.c));
            }
        }
    }
    put(dx + at, add ? get(dx + at) + sum : sum);
}

extern "C" __global__ void avg_pool_gradient(const act* dy, act* dx, int add, Windows g) {
    u32 at = index();
    if (at >= g.count) return;
    ElementIndex p = element_index(at, g.in_h, g.in_w, g.channels);
    Span rows = windows_of(p.y, g.kernel_h, g.stride, g.out_h);
    Span columns = windows_of(p.x, g.kernel_w, g.stride, g.out_w);
    float sum = 0.0f;
    for (int oy = rows.first; oy < rows.end; oy++) {
        for (int ox = columns.first; ox < columns.end; ox++) {
            sum += get(dy + output_at(g, p.n, oy, ox, p.c));
        }
    }
    sum /= (float)(g.kernel_h * g.kernel_w);
    put(dx + at, add ? get(dx + at) + sum : sum);
}
