// CUDA C++ as far as vanc's kernels use it, for a C++ compiler on the CPU: the threads of
// a block are fibers that run in turn, blocks run one after another.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <csetjmp>
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
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline void __trap() { abort(); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline void __threadfence() {}
using std::isfinite;
static inline unsigned atomicAdd(unsigned* p, unsigned x) { unsigned old = *p; *p += x; return old; }
#define SHARED(type, name) type& name = *(type*)emulated::running->block->memory
#define WAIT() emulated::pause()

namespace emulated {
// Threads that exist, those at the barrier, and how often it has opened.
struct Block { Triple index; size_t threads, arrived, turn; char* memory; };
struct Fiber { ucontext_t context; char* stack; bool begun, done; Triple index; Block* block; jmp_buf at; };
static std::vector<Fiber*> fibers;
static jmp_buf scheduler;
static Fiber* running;
static const std::function<void()>* body;
static const size_t STACK = 128 * 1024, MEMORY = 64 * 1024;
// How the blocks of a launch run: without barriers, one after another, or at once.
enum { FREE, ALONE, TOGETHER };

// A context begins a fiber; from then on jumps, which make no system call, go to and fro.
static void pause() {
    if (!_setjmp(running->at)) _longjmp(scheduler, 1);
}

static void open(Block* b) {
    if (b->arrived < b->threads) return;
    b->arrived = 0;
    b->turn++;
}

static void wait_for_all() {
    Block* b = running->block;
    size_t turn = b->turn;
    b->arrived++;
    open(b);
    while (b->turn == turn) pause();
}

static void enter() {
    (*body)();
    running->done = true;
    running->block->threads--;
    if (running->block->arrived) open(running->block);
    pause();
}

// Runs the threads of `blocks` in turns until all are done.
static void race(std::vector<Block>& blocks, Triple block) {
    size_t each = (size_t)block.x * block.y * block.z, count = each * blocks.size();
    while (fibers.size() < count) fibers.push_back(new Fiber{{}, new char[STACK]});
    for (size_t k = 0; k < count; k++) {
        Fiber& f = *fibers[k];
        size_t t = k % each;
        f.begun = f.done = false;
        f.block = &blocks[k / each];
        f.index = {(unsigned)(t % block.x), (unsigned)(t / block.x % block.y),
                   (unsigned)(t / block.x / block.y)};
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack;
        f.context.uc_stack.ss_size = STACK;
        f.context.uc_link = nullptr;
        makecontext(&f.context, enter, 0);
    }
    // Volatile, because jumps come back to them.
    volatile size_t left = count;
    while (left > 0) {
        for (volatile size_t k = 0; k < count; k = k + 1) {
            if (fibers[k]->done) continue;
            running = fibers[k];
            threadIdx = running->index;
            blockIdx = running->block->index;
            if (!_setjmp(scheduler)) {
                if (running->begun) _longjmp(running->at, 1);
                running->begun = true;
                setcontext(&running->context);
            }
            if (running->done) left = left - 1;
        }
    }
}

static void run(Triple grid, Triple block, int how, const std::function<void()>& work) {
    gridDim = grid;
    blockDim = block;
    body = &work;
    size_t threads = (size_t)block.x * block.y * block.z;
    std::vector<Block> blocks;
    Triple at;
    for (at.z = 0; at.z < grid.z; at.z++)
    for (at.y = 0; at.y < grid.y; at.y++)
    for (at.x = 0; at.x < grid.x; at.x++) {
        if (how == FREE) {
            blockIdx = at;
            for (threadIdx.z = 0; threadIdx.z < block.z; threadIdx.z++)
            for (threadIdx.y = 0; threadIdx.y < block.y; threadIdx.y++)
            for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++) work();
            continue;
        }
        if (how == ALONE) blocks.clear();
        blocks.push_back({at, threads, 0, 0, how == TOGETHER ? new char[MEMORY] : nullptr});
        if (how == ALONE) race(blocks, block);
    }
    if (how == TOGETHER) race(blocks, block);
    if (how == TOGETHER) for (auto& b : blocks) delete[] b.memory;
}

template <class... A, size_t... I>
std::function<void()> with(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
    return [=, args = std::make_tuple(*(std::remove_reference_t<A>*)p[I]...)]() {
        kernel(std::get<I>(args)...);
    };
}

// A launch with its arguments copied, to be run now or later.
template <class... A>
std::function<void()>* bind(void (*kernel)(A...), const unsigned* d, int how, void** p) {
    auto work = with(kernel, p, std::index_sequence_for<A...>());
    Triple grid = {d[0], d[1], d[2]}, block = {d[3], d[4], d[5]};
    return new std::function<void()>([=]() { run(grid, block, how, work); });
}
}  // namespace emulated

static inline void __syncthreads() { emulated::wait_for_all(); }
