// Dirac weights: diag(a)·δ + diag(b)·W/‖W‖, a block of 128 threads a filter. Filters are
// rows × columns × inputs; `center` is the first element of their middle position.

// Added to ‖W‖², so that a filter of zeros divides by 10⁻¹², not by 0.
#define TINY 1e-24

// The sum of every thread's x, in order.
__device__ inline double total(double x) {
    __shared__ double all[128];
    __syncthreads();
    all[threadIdx.x] = x;
    __syncthreads();
    double sum = 0.0;
    for (int k = 0; k < 128; k++) sum += all[k];
    return sum;
}

extern "C" __global__ void dirac(
    const float* weight, const float* a, const float* b, float* y, int inputs, int length,
    int center) {
    int o = blockIdx.x;
    const float* filter = weight + (u64)o * length;
    double squares = 0.0;
    for (int k = threadIdx.x; k < length; k += 128) squares += (double)filter[k] * filter[k];
    double factor = b[o] / sqrt(total(squares) + TINY);
    for (int k = threadIdx.x; k < length; k += 128) {
        float value = (float)(factor * filter[k]);
        if (o < inputs && k == center + o) value += a[o];
        y[(u64)o * length + k] = value;
    }
}

// Gradients of W, a and b. With r = 1/‖W‖:
// da = dy[δ], db = r·⟨dy, W⟩, dW = b·r·(dy − W·r²·⟨dy, W⟩).
extern "C" __global__ void dirac_gradient(
    const float* weight, const float* b, const float* dy, float* dweight, float* da, float* db,
    int inputs, int length, int center) {
    int o = blockIdx.x;
    const float* filter = weight + (u64)o * length;
    const float* d = dy + (u64)o * length;
    double squares = 0.0, dot = 0.0;
    for (int k = threadIdx.x; k < length; k += 128) {
        squares += (double)filter[k] * filter[k];
        dot += (double)filter[k] * d[k];
    }
    double r = 1.0 / sqrt(total(squares) + TINY);
    dot = total(dot);
    for (int k = threadIdx.x; k < length; k += 128) {
        double straight = d[k] - filter[k] * r * r * dot;
        dweight[(u64)o * length + k] = (float)(b[o] * r * straight);
    }
    if (threadIdx.x == 0) {
        da[o] = o < inputs ? d[center + o] : 0.0f;
        db[o] = (float)(r * dot);
    }
}
