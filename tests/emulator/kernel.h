// CUDA C++ as far as vanc's kernels use it, for a C++ compiler on the CPU: the threads of
// a block are fibers that run in turn, blocks run one after another.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define __restrict__

struct uint2 { unsigned x, y; };
struct alignas(16) float4 { float x, y, z, w; };
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
struct Triple { unsigned x, y, z; };
static Triple threadIdx, blockIdx, blockDim, gridDim;

static inline float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
static inline unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
static inline double __dmul_rn(double a, double b) { volatile double c = a * b; return c; }
static inline double __dadd_rn(double a, double b) { volatile double c = a + b; return c; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline void __threadfence() {}
using std::isfinite;

namespace emulated {
struct Fiber { ucontext_t context; char* stack; bool done; Triple index; };
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static Fiber* running;
static const std::function<void()>* body;
static const size_t STACK = 128 * 1024;

static void enter() {
    (*body)();
    running->done = true;
    swapcontext(&running->context, &scheduler);
}

static void wait_for_all() { swapcontext(&running->context, &scheduler); }

static void run(Triple grid, Triple block, bool meets, const std::function<void()>& work) {
    gridDim = grid;
    blockDim = block;
    body = &work;
    size_t count = (size_t)block.x * block.y * block.z;
    while (meets && fibers.size() < count) {
        Fiber fiber = {};
        fiber.stack = new char[STACK];
        fibers.push_back(fiber);
    }
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
        if (!meets) {
            for (threadIdx.z = 0; threadIdx.z < block.z; threadIdx.z++)
            for (threadIdx.y = 0; threadIdx.y < block.y; threadIdx.y++)
            for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++) work();
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            Fiber& f = fibers[k];
            f.done = false;
            f.index = {(unsigned)(k % block.x), (unsigned)(k / block.x % block.y),
                       (unsigned)(k / block.x / block.y)};
            getcontext(&f.context);
            f.context.uc_stack.ss_sp = f.stack;
            f.context.uc_stack.ss_size = STACK;
            f.context.uc_link = nullptr;
            makecontext(&f.context, enter, 0);
        }
        for (size_t left = count; left > 0;) {
            for (size_t k = 0; k < count; k++) {
                if (fibers[k].done) continue;
                running = &fibers[k];
                threadIdx = running->index;
                swapcontext(&scheduler, &running->context);
                if (running->done) left--;
            }
        }
    }
}

template <class... A, size_t... I>
std::function<void()> with(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
    return [=, args = std::make_tuple(*(std::remove_reference_t<A>*)p[I]...)]() {
        kernel(std::get<I>(args)...);
    };
}

// A launch with its arguments copied, to be run now or later.
template <class... A>
std::function<void()>* bind(void (*kernel)(A...), const unsigned* d, bool meets, void** p) {
    auto work = with(kernel, p, std::index_sequence_for<A...>());
    Triple grid = {d[0], d[1], d[2]}, block = {d[3], d[4], d[5]};
    return new std::function<void()>([=]() { run(grid, block, meets, work); });
}
}  // namespace emulated

static inline void __syncthreads() { emulated::wait_for_all(); }
