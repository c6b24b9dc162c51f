// The middle of a narrow MLP, forward and backward, in one launch: blocks of batch
// norm, activation, a linear layer and perhaps a skip, then the last linear layer and the
// loss. See src/engines/cuda/narrow_mlp.rs.
//
// A block of threads has ROWS rows of the batch for all the way, and keeps them in shared
// memory from layer to layer; what the backward pass needs again is written where the plan
// has it and read by the same block. Only batch norms need the other blocks: once a layer
// each way, all meet. Gradients of weights are partial sums, a row of all gradients for
// each block, which `add_rows` adds up.
//
// Layers whose activation and join have the same equations are one instance of the
// functions below; `with_equations`, printed with the structures, picks it by number.

#define ROWS 8
#define WIDTH 64
#define PITCH (WIDTH + 1)
// Blocks at most, and the groups of WIDTH threads that share the reading of their sums.
#define BLOCKS 32
#define GROUPS 4
// Trained coefficients that a join may have.
#define MOST_TRAINED 4

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
    float* norm_weight_gradient;
    float* norm_bias_gradient;
    Coefficient trained[MOST_TRAINED];
    // Places in a row of gradients.
    u32 trained_at[MOST_TRAINED];
    u32 weight_at;
    u32 bias_at;
    float eps;
    // Number of its equations.
    int equations;
};

// All of it.
struct NarrowMlp {
    const Layer* layers;
    // The last layer.
    const float* weight;
    const float* bias;
    u32 weight_at;
    u32 bias_at;
    // ∂C/∂z of the first.
    float* dz;
    const u32* labels;
    double* losses;
    u32* correct;
    // Rows of `stride` floats, one a block.
    float* gradients;
    // Two turns of one pair of WIDTH floats a block.
    float* exchange;
    u32* met;
    u64 stride;
    int depth;
    int width;
    int classes;
    int images;
    // Images of the step, of which `images` are here.
    int total;
};

struct Tiles {
    float weight[WIDTH][PITCH];
    float z[ROWS][PITCH];
    float h[ROWS][PITCH];
    // ∂C/∂next, and from it ∂C/∂z.
    float d[ROWS][PITCH];
    float df[ROWS][PITCH];
    // The linear layer's output, where gradients depend on it.
    float f[ROWS][PITCH];
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

// The values of the layer's coefficients for channel c.
template <class E>
__device__ inline Array<float, E::TRAINED> values_of(const Layer& layer, int c) {
    Array<float, E::TRAINED> v;
    for (int k = 0; k < E::TRAINED; k++) v.at[k] = value_of(layer.trained[k], c, 0);
    return v;
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

// Output o of the layer's linear part in row r.
__device__ inline float linear(const Layer& layer, const Tiles& t, int r, int o, int width) {
    return along(t, t.h[r], o, width) + (layer.bias ? layer.bias[o] : 0.0f);
}

template <class E>
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
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float u = normal(t, r, c) * layer.norm_weight[c] + layer.norm_bias[c];
        t.h[r][c] = E::activation(u);
    }
    __syncthreads();
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, o = k % width;
        float y = E::join(linear(layer, t, r, o, width), t.z[r][o], nullptr, values_of<E>(layer, o).at);
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

// The gradients of the join's coefficients, to this block's row of gradients.
template <class E>
__device__ void trained_gradients(const Layer& layer, Tiles& t, int rows, int width, float* to) {
    int c = threadIdx.x;
    Array<float, E::TRAINED> sums = {};
    if (E::TRAINED && c < width) {
        Array<float, E::TRAINED> v = values_of<E>(layer, c), gradients;
        for (int r = 0; r < rows; r++) {
            Array<float, E::SUMS> summands;
            E::summands(E::BODY ? t.f[r][c] : 0.0f, t.z[r][c], nullptr, v.at, summands.at);
            E::trained_gradients(summands.at, v.at, gradients.at);
            for (int k = 0; k < E::TRAINED; k++) sums.at[k] += t.d[r][c] * gradients.at[k];
        }
    }
    for (int k = 0; k < E::TRAINED; k++) {
        bool is_of_layer = layer.trained[k].channel_step == 0;
        if (c < width && !is_of_layer) to[layer.trained_at[k] + c] = sums.at[k];
        if (c < width) t.first[c] = sums.at[k];
        __syncthreads();
        if (is_of_layer && threadIdx.x == 0) {
            float sum = 0.0f;
            for (int channel = 0; channel < width; channel++) sum += t.first[channel];
            to[layer.trained_at[k]] = sum;
        }
        __syncthreads();
    }
}

template <class E>
__device__ void backward_layer(const NarrowMlp& net, const Layer& layer, Tiles& t, int rows, u32& turns) {
    int width = net.width, c = threadIdx.x;
    u32 turn = turns / gridDim.x;
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
        t.h[r][c] = E::activation(u);
        t.du[r][c] = E::slope(u);
    }
    if (E::BODY) {
        __syncthreads();
        for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
            t.f[k / width][k % width] = linear(layer, t, k / width, k % width, width);
        }
    }
    // Each thread reads again what it wrote itself.
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) {
        int r = k / width, c = k % width;
        float f = E::BODY ? t.f[r][c] : 0.0f;
        t.df[r][c] = E::body_gradient(t.d[r][c], f, t.z[r][c], nullptr, values_of<E>(layer, c).at);
    }
    __syncthreads();
    // Gradients of the weight, the bias and the coefficients.
    for (int k = threadIdx.x; k < width * width; k += blockDim.x) {
        float sum = 0.0f;
        for (int r = 0; r < rows; r++) sum += t.df[r][k / width] * t.h[r][k % width];
        to[layer.weight_at + k] = sum;
    }
    if (layer.bias && c < width) {
        float sum = 0.0f;
        for (int r = 0; r < rows; r++) sum += t.df[r][c];
        to[layer.bias_at + c] = sum;
    }
    trained_gradients<E>(layer, t, rows, width, to);
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
        if (E::SHORTCUT) {
            float f = E::BODY ? t.f[r][c] : 0.0f;
            dz += E::shortcut_gradient(t.d[r][c], f, t.z[r][c], nullptr, values_of<E>(layer, c).at);
        }
        t.d[r][c] = dz;
    }
    __syncthreads();
}

// A layer's passes, for `with_equations`.
struct Forward {
    const NarrowMlp& net;
    const Layer& layer;
    Tiles& t;
    int rows;
    u32& turns;

    template <class E>
    __device__ void operator()(E) const {
        forward_layer<E>(net, layer, t, rows, turns);
    }
};

struct Backward {
    const NarrowMlp& net;
    const Layer& layer;
    Tiles& t;
    int rows;
    u32& turns;

    template <class E>
    __device__ void operator()(E) const {
        backward_layer<E>(net, layer, t, rows, turns);
    }
};

extern "C" __global__ void narrow_mlp(NarrowMlp net) {
    SHARED(Tiles, t);
    int rows = net.images - blockIdx.x * ROWS < ROWS ? net.images - blockIdx.x * ROWS : ROWS;
    u32 turns = 0;
    for (int k = threadIdx.x; k < rows * net.width; k += blockDim.x) {
        t.z[k / net.width][k % net.width] = net.layers[0].z[(u64)blockIdx.x * ROWS * net.width + k];
    }
    __syncthreads();
    for (int k = 0; k < net.depth; k++) {
        with_equations(net.layers[k].equations, Forward{net, net.layers[k], t, rows, turns});
    }
    last_layer(net, t, rows);
    for (int k = net.depth - 1; k >= 0; k--) {
        with_equations(net.layers[k].equations, Backward{net, net.layers[k], t, rows, turns});
    }
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
