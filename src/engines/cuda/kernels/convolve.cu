// Convolutions as products of matrices that are never written out (implicit GEMM), in
// float: what runs where cuDNN is not there. Weights are outputs × rows × columns × inputs.
//
// Each product C = A·B is cut into tiles of 64 × 64, a block of 256 threads each; 16 terms
// at a time of A and B go through shared memory, and a thread sums 4 × 4 of C.

struct Conv {
    int images;
    int in_h, in_w, in_c;
    int out_h, out_w, out_c;
    int kernel_h, kernel_w;
    int stride, padding;
};

#define TILE 64
#define TERMS 16

// `a(row, term)` and `b(term, column)` give elements inside the product; terms go from
// `first` to before `end`.
template <class A, class B, class Store>
__device__ inline void product(u32 rows, u32 columns, u32 first, u32 end, A a, B b, Store store) {
    __shared__ float left[TERMS][TILE + 1];
    __shared__ float right[TERMS][TILE + 1];
    int t = threadIdx.x, x = t % 16 * 4, y = t / 16 * 4;
    u32 row = blockIdx.x * TILE, column = blockIdx.y * TILE;
    float sums[4][4] = {};
    for (u32 term = first; term < end; term += TERMS) {
        // Neighbouring threads read neighbouring terms of A and columns of B.
        for (int k = t; k < TILE * TERMS; k += 256) {
            u32 r = row + k / TERMS, s = term + k % TERMS;
            left[k % TERMS][k / TERMS] = r < rows && s < end ? a(r, s) : 0.0f;
            u32 c = column + k % TILE, q = term + k / TILE;
            right[k / TILE][k % TILE] = c < columns && q < end ? b(q, c) : 0.0f;
        }
        __syncthreads();
        for (int k = 0; k < TERMS; k++) {
            for (int i = 0; i < 4; i++) {
                for (int j = 0; j < 4; j++) sums[i][j] += left[k][y + i] * right[k][x + j];
            }
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            if (row + y + i < rows && column + x + j < columns) {
                store(row + y + i, column + x + j, sums[i][j]);
            }
        }
    }
}

// The pixel that term (ky, kx, c) of a window sees; 0 outside the image.
__device__ inline float patch(const act* x, const Conv& g, u32 window, u32 term) {
    int c = term % g.in_c, tap = term / g.in_c;
    int ox = window % g.out_w, oy = window / g.out_w % g.out_h, n = window / g.out_w / g.out_h;
    int iy = oy * g.stride - g.padding + tap / g.kernel_w;
    int ix = ox * g.stride - g.padding + tap % g.kernel_w;
    if (iy < 0 || ix < 0 || iy >= g.in_h || ix >= g.in_w) return 0.0f;
    return get(x + (((u32)n * g.in_h + iy) * g.in_w + ix) * g.in_c + c);
}

// y[window][o] = Σ patch[window][k]·w[o][k].
extern "C" __global__ void convolve(const act* x, const float* w, act* y, Conv g) {
    u32 terms = g.kernel_h * g.kernel_w * g.in_c;
    product(
        (u32)g.images * g.out_h * g.out_w, g.out_c, 0, terms,
        [&](u32 window, u32 term) { return patch(x, g, window, term); },
        [&](u32 term, u32 o) { return w[o * terms + term]; },
        [&](u32 window, u32 o, float sum) { put(y + window * g.out_c + o, sum); });
}

// dx[pixel][c] = Σ dy[window][o]·w[o][ky][kx][c] over the windows that see the pixel.
extern "C" __global__ void convolve_input(
    const act* dy, const float* w, act* dx, int add, Conv g) {
    product(
        (u32)g.images * g.in_h * g.in_w, g.in_c, 0, g.kernel_h * g.kernel_w * g.out_c,
        [&](u32 pixel, u32 term) {
            int o = term % g.out_c, tap = term / g.out_c;
            int ix = pixel % g.in_w, iy = pixel / g.in_w % g.in_h;
            u32 n = pixel / g.in_w / g.in_h;
            int oy = iy + g.padding - tap / g.kernel_w, ox = ix + g.padding - tap % g.kernel_w;
            if (oy < 0 || ox < 0 || oy % g.stride || ox % g.stride) return 0.0f;
            oy /= g.stride;
            ox /= g.stride;
            if (oy >= g.out_h || ox >= g.out_w) return 0.0f;
            return get(dy + ((n * g.out_h + oy) * g.out_w + ox) * g.out_c + o);
        },
        [&](u32 term, u32 c) {
            int o = term % g.out_c, tap = term / g.out_c;
            return w[(o * g.kernel_h * g.kernel_w + tap) * g.in_c + c];
        },
        [&](u32 pixel, u32 c, float sum) {
            act* to = dx + pixel * g.in_c + c;
            put(to, add ? get(to) + sum : sum);
        });
}

// Partials of dw[o][k] = Σ dy[window][o]·patch[window][k]; a layer of blocks takes `chunk`
// windows, and `add_parts` adds the layers up.
extern "C" __global__ void convolve_weight(
    const act* x, const act* dy, float* partials, u32 chunk, Conv g) {
    u32 terms = g.kernel_h * g.kernel_w * g.in_c, windows = (u32)g.images * g.out_h * g.out_w;
    u32 first = blockIdx.z * chunk, end = first + chunk < windows ? first + chunk : windows;
    float* to = partials + (u64)blockIdx.z * g.out_c * terms;
    product(
        g.out_c, terms, first, end,
        [&](u32 o, u32 window) { return get(dy + window * g.out_c + o); },
        [&](u32 window, u32 term) { return patch(x, g, window, term); },
        [&](u32 o, u32 term, float sum) { to[o * terms + term] = sum; });
}
