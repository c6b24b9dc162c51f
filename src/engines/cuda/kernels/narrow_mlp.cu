// The middle of a narrow MLP, forward and backward, in one launch: blocks of batch
// norm, activation, a linear layer and perhaps a skip, then the last linear layer and the
// loss. See src/engines/cuda/narrow_mlp.rs.
//
// A block of threads has ROWS rows of the batch for all the way, and keeps them in shared
// memory from layer to layer; what the backward pass needs again is written where the plan
// has it and read by the same block. Only batch norms need the other blocks: once a layer
// each way, all meet. Gradients of weights are partial sums, a row of all gradients for
// each block, which `add_rows` adds up.

#define ROWS 8
#define WIDTH 64
#define PITCH (WIDTH + 1)
// Blocks at most, and the groups of WIDTH threads that share the reading of their sums.
#define BLOCKS 32
#define GROUPS 4

// A hidden layer: next = join(linear(activation(norm(z))), z).
struct Layer {
    const float* z;
    float* next;
    // Mean and variance of z.
    float* found;
    const float* norm_weight;
    const float* norm_bias;
    const float* weight;
    // Null without a bias.
    const float* bias;
    // Null where the join has no alpha.
    const float* alpha;
    float* norm_weight_gradient;
    float* norm_bias_gradient;
    // Places in a row of gradients.
    u32 weight_at, bias_at, alpha_at;
    float eps;
    float slope;
    float scale;
    int activation;
    int join;
    int granularity;
    int padding;
};

// All of it.
struct NarrowMlp {
    const Layer* layers;
    // The last layer.
    const float* weight;
    const float* bias;
    u32 weight_at, bias_at;
    // ∂C/∂z of the first.
    float* dz;
    const u32* labels;
    double* losses;
    u32* correct;
    // One row of `stride` floats a block.
    float* gradients;
    // Two turns of one pair of WIDTH floats a block.
    float* exchange;
    u32* met;
    u64 stride;
    int depth;
    int width;
    int classes;
    int images;
    // Those of the step, of which `images` are here.
    int total;
};

struct Tiles {
    float weight[WIDTH][PITCH];
    float z[ROWS][PITCH];
    float h[ROWS][PITCH];
    // ∂C/∂next, and from it ∂C/∂z.
    float d[ROWS][PITCH];
    float df[ROWS][PITCH];
    float du[ROWS][PITCH];
    float mean[WIDTH], inverse[WIDTH];
    float first[WIDTH], second[WIDTH];
    double parts[2][GROUPS][WIDTH];
};

// All blocks wait for one another: the counter has reached the number of arrivals.
__device__ inline void meet(u32* met, u32& turns) {
    __threadfence();
    __syncthreads();
    turns += gridDim.x;
    if (threadIdx.x == 0) {
        atomicAdd(met, 1u);
        while (*(volatile u32*)met < turns) WAIT();
        __threadfence();
    }
    __syncthreads();
}

// This block's pair of sums of each channel, and those of all blocks.
__device__ inline float* pair(const NarrowMlp& net, u32 turn, u32 block) {
    return net.exchange + ((u64)(turn % 2) * gridDim.x + block) * 2 * WIDTH;
}

// Reads past this block's cache what others have written.
__device__ inline float fresh(const float* p) {
    return *(const volatile float*)p;
}

// The pairs of this thread's channel and group of blocks, all of them on their way at once.
struct Pairs {
    float first[BLOCKS / GROUPS], second[BLOCKS / GROUPS];
};

__device__ inline Pairs collect(const NarrowMlp& net, u32 turn) {
    Pairs all;
    int c = threadIdx.x % WIDTH;
#pragma unroll
    for (int k = 0; k < BLOCKS / GROUPS; k++) {
        u32 b = threadIdx.x / WIDTH + k * GROUPS;
        bool is_there = b < gridDim.x && c < net.width;
        all.first[k] = is_there ? fresh(pair(net, turn, b) + c) : 0.0f;
        all.second[k] = is_there ? fresh(pair(net, turn, b) + WIDTH + c) : 0.0f;
    }
    return all;
}

// The sums of what the groups have for channel c.
__device__ inline double joined(const Tiles& t, int which, int c) {
    double sum = 0.0;
    for (int group = 0; group < GROUPS; group++) sum += t.parts[which][group][c];
    return sum;
}

// Copies a weight of rows × columns to shared memory.
__device__ inline void fetch(Tiles& t, const float* weight, int rows, int columns) {
#pragma unroll 8
    for (int k = threadIdx.x; k < rows * columns; k += blockDim.x) {
        t.weight[k / columns][k % columns] = weight[k];
    }
}

__device__ inline PointwisePass pass_of(const Layer& layer) {
    PointwisePass p = {};
    p.alpha = layer.alpha;
    p.slope = layer.slope;
    p.scale = layer.scale;
    p.activation = layer.activation;
    p.join = layer.join;
    p.granularity = layer.granularity == PER_LAYER ? PER_LAYER : PER_CHANNEL;
    p.positions = 1;
    return p;
}

// h = activation(norm(z)), with the statistics in the tiles.
__device__ inline float normal(const Tiles& t, int r, int c) {
    return (t.z[r][c] - t.mean[c]) * t.inverse[c];
}

// Row r of h times row o of the weight.
__device__ inline float along(const Tiles& t, const float* row, int o, int terms) {
    float sum = 0.0f;
    for (int k = 0; k < terms; k++) sum += row[k] * t.weight[o][k];
    return sum;
}

__device__ void forward_layer(const NarrowMlp& net, const Layer& layer, Tiles& t, int rows, u32& turns) {
    int width = net.width, c = threadIdx.x;
    u32 turn = turns / gridDim.x;
    fetch(t, layer.weight, width, width);
    // Sum of this block's rows, and of the squares about their own mean.
    if (c < width) {
        float sum = 0.0f, squares = 0.0f;
        for (int r = 0; r < rows; r++) sum += t.z[r][c];
        float mean = sum / rows;
        for (int r = 0; r < rows; r++) squares += (t.z[r][c] - mean) * (t.z[r][c] - mean);
        float* to = pair(net, turn, blockIdx.x);
        to[c] = sum;
        to[WIDTH + c] = squares;
    }
    meet(net.met, turns);
    // The mean of all, then the squares about it.
    Pairs pairs = collect(net, turn);
    int channel = threadIdx.x % WIDTH, group = threadIdx.x / WIDTH;
    double part = 0.0;
    for (int k = 0; k < BLOCKS / GROUPS; k++) part += pairs.first[k];
    t.parts[0][group][channel] = part;
    __syncthreads();
    double mean = joined(t, 0, channel) / net.images;
    part = 0.0;
    for (int k = 0; k < BLOCKS / GROUPS; k++) {
        int first = (group + k * GROUPS) * ROWS;
        if (first >= net.images) continue;
        int count = net.images - first < ROWS ? net.images - first : ROWS;
        double apart = (double)pairs.first[k] / count - mean;
        part += (double)pairs.second[k] + count * apart * apart;
    }
    t.parts[1][group][channel] = part;
    __syncthreads();
    if (c < width) {
        float variance = (float)(joined(t, 1, c) / net.images);
        t.mean[c] = (float)mean;
        t.inverse[c] = rsqrtf(variance + layer.eps);
        // All blocks write the same, and each reads again what it wrote itself.
        layer.found[c] = (float)mean;
        layer.found[width + c] = variance;
    }
    __syncthreads();
    PointwisePass p = pass_of(layer);
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float u = normal(t, r, c) * layer.norm_weight[c] + layer.norm_bias[c];
        t.h[r][c] = activate(p, u);
    }
    __syncthreads();
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, o = k % width;
        float f = along(t, t.h[r], o, width) + (layer.bias ? layer.bias[o] : 0.0f);
        Factors by = factors(p, o, 0, 0.0f);
        float y = p.join == NO_JOIN ? f : by.a * f + by.b * t.z[r][o];
        t.d[r][o] = y;
        layer.next[(u64)blockIdx.x * ROWS * width + k] = y;
    }
    __syncthreads();
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) t.z[k / width][k % width] = t.d[k / width][k % width];
    __syncthreads();
}

// The logits of each row, its loss, and the gradients of the last layer; leaves ∂C/∂z in d.
__device__ void last_layer(const NarrowMlp& net, Tiles& t, int rows) {
    int width = net.width, classes = net.classes;
    fetch(t, net.weight, classes, width);
    __syncthreads();
    for (int k = threadIdx.x; k < rows * classes; k += blockDim.x) {
        int r = k / classes, o = k % classes;
        t.h[r][o] = along(t, t.z[r], o, width) + (net.bias ? net.bias[o] : 0.0f);
    }
    __syncthreads();
    if (threadIdx.x < rows) {
        int r = threadIdx.x, image = blockIdx.x * ROWS + r, label = net.labels[image], place = 0;
        for (int o = 1; o < classes; o++) {
            if (t.h[r][o] > t.h[r][place]) place = o;
        }
        double best = t.h[r][place], sum = 0.0;
        for (int o = 0; o < classes; o++) sum += exp((double)t.h[r][o] - best);
        for (int o = 0; o < classes; o++) {
            double share = exp((double)t.h[r][o] - best) / sum;
            t.df[r][o] = (float)((share - (o == label)) / net.total);
        }
        net.losses[image] = log(sum) - ((double)t.h[r][label] - best);
        net.correct[image] = place == label;
    }
    __syncthreads();
    float* to = net.gradients + blockIdx.x * net.stride;
    for (int k = threadIdx.x; k < classes * width; k += blockDim.x) {
        float sum = 0.0f;
        for (int r = 0; r < rows; r++) sum += t.df[r][k / width] * t.z[r][k % width];
        to[net.weight_at + k] = sum;
    }
    if (net.bias && threadIdx.x < classes) {
        float sum = 0.0f;
        for (int r = 0; r < rows; r++) sum += t.df[r][threadIdx.x];
        to[net.bias_at + threadIdx.x] = sum;
    }
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float sum = 0.0f;
        for (int o = 0; o < classes; o++) sum += t.df[r][o] * t.weight[o][c];
        t.d[r][c] = sum;
    }
    __syncthreads();
}

__device__ void backward_layer(const NarrowMlp& net, const Layer& layer, Tiles& t, int rows, u32& turns) {
    int width = net.width, c = threadIdx.x;
    u32 turn = turns / gridDim.x;
    PointwisePass p = pass_of(layer);
    float* to = net.gradients + blockIdx.x * net.stride;
    fetch(t, layer.weight, width, width);
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        t.z[k / width][k % width] = layer.z[(u64)blockIdx.x * ROWS * width + k];
    }
    if (c < width) {
        t.mean[c] = layer.found[c];
        t.inverse[c] = rsqrtf(layer.found[width + c] + layer.eps);
    }
    __syncthreads();
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float u = normal(t, r, c) * layer.norm_weight[c] + layer.norm_bias[c];
        t.h[r][c] = activate(p, u);
        t.du[r][c] = slope_at(p, u);
        t.df[r][c] = factors(p, c, 0, 0.0f).a * t.d[r][c];
    }
    __syncthreads();
    // Of the weight, the bias and alpha.
    for (int k = threadIdx.x; k < width * width; k += blockDim.x) {
        float sum = 0.0f;
        for (int r = 0; r < rows; r++) sum += t.df[r][k / width] * t.h[r][k % width];
        to[layer.weight_at + k] = sum;
    }
    if (c < width) {
        float of_bias = 0.0f, of_alpha = 0.0f;
        for (int r = 0; r < rows; r++) {
            of_bias += t.df[r][c];
            float f = 0.0f;
            if (p.join == CONVEX) f = along(t, t.h[r], c, width) + (layer.bias ? layer.bias[c] : 0.0f);
            of_alpha += (f - t.z[r][c]) * t.d[r][c];
        }
        if (layer.bias) to[layer.bias_at + c] = of_bias;
        if (layer.alpha && p.granularity == PER_CHANNEL) to[layer.alpha_at + c] = of_alpha;
        t.first[c] = of_alpha;
    }
    __syncthreads();
    if (layer.alpha && p.granularity == PER_LAYER && threadIdx.x == 0) {
        float sum = 0.0f;
        for (int k = 0; k < width; k++) sum += t.first[k];
        to[layer.alpha_at] = sum;
    }
    // ∂C/∂u = (df·W)·activation′(u).
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float sum = 0.0f;
        for (int o = 0; o < width; o++) sum += t.df[r][o] * t.weight[o][c];
        t.du[r][c] *= sum;
    }
    __syncthreads();
    if (c < width) {
        float sum = 0.0f, turned = 0.0f;
        for (int r = 0; r < rows; r++) {
            sum += t.du[r][c];
            turned += t.du[r][c] * normal(t, r, c);
        }
        float* own = pair(net, turn, blockIdx.x);
        own[c] = sum;
        own[WIDTH + c] = turned;
    }
    meet(net.met, turns);
    Pairs pairs = collect(net, turn);
    int channel = threadIdx.x % WIDTH, group = threadIdx.x / WIDTH;
    double parts[2] = {0.0, 0.0};
    for (int k = 0; k < BLOCKS / GROUPS; k++) {
        parts[0] += pairs.first[k];
        parts[1] += pairs.second[k];
    }
    for (int which = 0; which < 2; which++) t.parts[which][group][channel] = parts[which];
    __syncthreads();
    if (c < width) {
        double sum = joined(t, 0, c), turned = joined(t, 1, c);
        t.first[c] = (float)sum;
        t.second[c] = (float)turned;
        if (blockIdx.x == 0) {
            layer.norm_bias_gradient[c] = (float)sum;
            layer.norm_weight_gradient[c] = (float)turned;
        }
    }
    __syncthreads();
    float share = 1.0f / net.images;
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float turned = normal(t, r, c) * t.second[c] * share;
        float dz = t.inverse[c] * layer.norm_weight[c] * (t.du[r][c] - t.first[c] * share - turned);
        t.d[r][c] = dz + factors(p, c, 0, 0.0f).b * t.d[r][c];
    }
    __syncthreads();
}

extern "C" __global__ void narrow_mlp(NarrowMlp net) {
    SHARED(Tiles, t);
    int rows = net.images - blockIdx.x * ROWS < ROWS ? net.images - blockIdx.x * ROWS : ROWS;
    u32 turns = 0;
    for (int k = threadIdx.x; k < rows * net.width; k += blockDim.x) {
        t.z[k / net.width][k % net.width] = net.layers[0].z[(u64)blockIdx.x * ROWS * net.width + k];
    }
    __syncthreads();
    for (int k = 0; k < net.depth; k++) forward_layer(net, net.layers[k], t, rows, turns);
    last_layer(net, t, rows);
    for (int k = net.depth - 1; k >= 0; k--) backward_layer(net, net.layers[k], t, rows, turns);
    for (int k = threadIdx.x; k < rows * net.width; k += blockDim.x) {
        net.dz[(u64)blockIdx.x * ROWS * net.width + k] = t.d[k / net.width][k % net.width];
    }
}

// A piece of a row of gradients.
struct Piece {
    u32 first, count;
};

// gradients = the sum of the rows, in each of the pieces: a row of blocks a piece.
extern "C" __global__ void add_rows(
    const float* rows, int count, u64 stride, const Piece* pieces, float* gradients) {
    Piece piece = pieces[blockIdx.y];
    u32 at = index();
    if (at >= piece.count) return;
    at += piece.first;
    float sum = 0.0f;
    for (int row = 0; row < count; row++) sum += rows[row * stride + at];
    gradients[at] = sum;
}
