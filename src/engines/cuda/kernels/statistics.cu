// Sums over the rows of activations, a channel each. All in two launches: a block takes
// 32 channels and the rows of one chunk, then the chunks are added in order and in double
// precision. Blocks of 32 × 8 threads.

// Partials of Σ(x − pivot) and Σ(x − pivot)², pivot the channel's first value: squares of
// the values themselves would drown a small variance about a large mean.
extern "C" __global__ void moments(
    const act* x, float* partials, u32 rows, int channels, u32 chunk) {
    __shared__ float all[2][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    u32 first = blockIdx.y * chunk;
    u32 end = first + chunk < rows ? first + chunk : rows;
    float sum = 0.0f, squares = 0.0f;
    if (c < channels) {
        float pivot = get(x + c);
#pragma unroll 8
        for (u32 row = first + threadIdx.y; row < end; row += 8) {
            float apart = get(x + row * channels + c) - pivot;
            sum += apart;
            squares += apart * apart;
        }
    }
    all[0][threadIdx.y][threadIdx.x] = sum;
    all[1][threadIdx.y][threadIdx.x] = squares;
    __syncthreads();
    int k = threadIdx.y;
    if (k < 2 && c < channels) {
        float total = 0.0f;
        for (int y = 0; y < 8; y++) total += all[k][y][threadIdx.x];
        partials[(blockIdx.y * 2 + k) * channels + c] = total;
    }
}

// Mean and biased variance from those partials, one row each.
extern "C" __global__ void moments_merge(
    const act* x, const float* partials, int chunks, u32 rows, int channels, float* found) {
    __shared__ double all[2][8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    double sum = 0.0, squares = 0.0;
    if (c < channels) {
        for (int chunk = threadIdx.y; chunk < chunks; chunk += 8) {
            sum += partials[(chunk * 2) * channels + c];
            squares += partials[(chunk * 2 + 1) * channels + c];
        }
    }
    all[0][threadIdx.y][threadIdx.x] = sum;
    all[1][threadIdx.y][threadIdx.x] = squares;
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels) return;
    sum = squares = 0.0;
    for (int y = 0; y < 8; y++) {
        sum += all[0][y][threadIdx.x];
        squares += all[1][y][threadIdx.x];
    }
    double offset = sum / rows, variance = squares / rows - offset * offset;
    found[c] = (float)((double)get(x + c) + offset);
    // NaN stays NaN.
    found[channels + c] = variance < 0.0 ? 0.0f : (float)variance;
}

// Partials of Σx.
extern "C" __global__ void sums(
    const act* x, float* partials, u32 rows, int channels, u32 chunk) {
    __shared__ float all[8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    u32 first = blockIdx.y * chunk;
    u32 end = first + chunk < rows ? first + chunk : rows;
    float sum = 0.0f;
    if (c < channels) {
#pragma unroll 8
        for (u32 row = first + threadIdx.y; row < end; row += 8) sum += get(x + row * channels + c);
    }
    all[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && c < channels) {
        float total = 0.0f;
        for (int y = 0; y < 8; y++) total += all[y][threadIdx.x];
        partials[blockIdx.y * channels + c] = total;
    }
}

// `to` = the sum of `parts` rows of `count` floats. A thread a float.
extern "C" __global__ void add_parts(const float* partials, int parts, u32 count, float* to) {
    u32 at = index();
    if (at >= count) return;
    double sum = 0.0;
    for (int part = 0; part < parts; part++) sum += partials[(u64)part * count + at];
    to[at] = (float)sum;
}

// Adds a bias to every row.
extern "C" __global__ void add_bias(act* y, const float* bias, u32 count, int channels) {
    u32 at = index();
    if (at < count) put(y + at, get(y + at) + bias[at % channels]);
}
