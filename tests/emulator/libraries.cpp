// Stand-ins for the parts of cuBLAS and cuDNN that vanc uses, in plain loops on the CPU:
// they show whether matrices and convolutions are described to the libraries as they lie.
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <functional>

#define API extern "C" __attribute__((visibility("default")))
typedef int R;
typedef std::function<void()> Work;

static void submit(void* stream, Work work) {
    static auto to = (void (*)(void*, Work*))dlsym(dlopen("libcuda.so.1", RTLD_NOW), "emulator_submit");
    to(stream, &work);
}

enum { FLOAT, BF16 };

static float get(const void* p, size_t at, int type) {
    if (type == FLOAT) return ((const float*)p)[at];
    uint32_t bits = (uint32_t)((const uint16_t*)p)[at] << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static void put(void* p, size_t at, int type, float x) {
    if (type == FLOAT) {
        ((float*)p)[at] = x;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits += 0x7fff + (bits >> 16 & 1);
    ((uint16_t*)p)[at] = (uint16_t)(bits >> 16);
}

struct Handle { void* stream; };

API R cublasCreate_v2(Handle** h) { *h = new Handle{}; return 0; }
API R cublasDestroy_v2(Handle* h) { delete h; return 0; }
API R cublasSetStream_v2(Handle* h, void* s) { h->stream = s; return 0; }
API R cublasSetWorkspace_v2(Handle*, void*, size_t) { return 0; }
API const char* cublasGetStatusString(int) { return "an emulated error"; }
API R cublasGemmEx(Handle* h, int ta, int tb, int m, int n, int k, const float* alpha, const void* a,
                   int at, int lda, const void* b, int bt, int ldb, const float* beta, void* c,
                   int ct, int ldc, int, int) {
    if (lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return 7;
    auto type = [](int t) { return t == 0 ? FLOAT : BF16; };
    float x = *alpha, y = *beta;
    submit(h->stream, [=]() {
        for (int j = 0; j < n; j++) {
            for (int i = 0; i < m; i++) {
                double sum = 0;
                for (int l = 0; l < k; l++) {
                    sum += (double)get(a, ta ? (size_t)i * lda + l : (size_t)l * lda + i, type(at)) *
                           get(b, tb ? (size_t)l * ldb + j : (size_t)j * ldb + l, type(bt));
                }
                size_t to = (size_t)j * ldc + i;
                float old = y == 0 ? 0 : y * get(c, to, type(ct));
                put(c, to, type(ct), (float)(x * sum + old));
            }
        }
    });
    return 0;
}

struct Tensor { int format, type, n, c, h, w; };
struct Filter { int format, type, k, c, h, w; };
struct Windows { int ph, pw, sh, sw; };
struct Perf { int algo, status; float time; size_t memory; int determinism, math, reserved[3]; };

API R cudnnCreate(Handle** h) { *h = new Handle{}; return 0; }
API R cudnnDestroy(Handle* h) { delete h; return 0; }
API R cudnnSetStream(Handle* h, void* s) { h->stream = s; return 0; }
API size_t cudnnGetVersion() { return 90000; }
API const char* cudnnGetErrorString(int) { return "an emulated error"; }
API R cudnnCreateTensorDescriptor(Tensor** t) { *t = new Tensor{}; return 0; }
API R cudnnDestroyTensorDescriptor(Tensor* t) { delete t; return 0; }
API R cudnnSetTensor4dDescriptor(Tensor* t, int format, int type, int n, int c, int h, int w) {
    *t = {format, type == 0 ? FLOAT : BF16, n, c, h, w};
    return format == 1 ? 0 : 3;
}
API R cudnnCreateFilterDescriptor(Filter** f) { *f = new Filter{}; return 0; }
API R cudnnDestroyFilterDescriptor(Filter* f) { delete f; return 0; }
API R cudnnSetFilter4dDescriptor(Filter* f, int type, int format, int k, int c, int h, int w) {
    *f = {format, type == 0 ? FLOAT : BF16, k, c, h, w};
    return format == 1 ? 0 : 3;
}
API R cudnnCreateConvolutionDescriptor(Windows** w) { *w = new Windows{}; return 0; }
API R cudnnDestroyConvolutionDescriptor(Windows* w) { delete w; return 0; }
API R cudnnSetConvolution2dDescriptor(Windows* w, int ph, int pw, int sh, int sw, int dh, int dw,
                                      int mode, int type) {
    *w = {ph, pw, sh, sw};
    return dh == 1 && dw == 1 && mode == 1 && type == 0 ? 0 : 3;
}
API R cudnnSetConvolutionMathType(Windows*, int) { return 0; }

// Whether the shapes go together: what the real library refuses too.
static R fit(const Tensor* x, const Filter* f, const Windows* w, const Tensor* y) {
    int h = (x->h + 2 * w->ph - f->h) / w->sh + 1, v = (x->w + 2 * w->pw - f->w) / w->sw + 1;
    bool good = x->n == y->n && x->c == f->c && y->c == f->k && y->h == h && y->w == v;
    return good ? 0 : 3;
}

// Two results, so that the second has to be taken: the first is not deterministic.
static R answer(int wanted, int* count, Perf* found) {
    *count = wanted < 2 ? wanted : 2;
    for (int k = 0; k < *count; k++) found[k] = {k, 0, 1.0f, 64, k, 0, {}};
    return 0;
}
API R cudnnGetConvolutionForwardAlgorithm_v7(Handle*, Tensor* x, Filter* f, Windows* w, Tensor* y, int n, int* count, Perf* found) {
    return fit(x, f, w, y) ? 3 : answer(n, count, found);
}
API R cudnnGetConvolutionBackwardDataAlgorithm_v7(Handle*, Filter* f, Tensor* y, Windows* w, Tensor* x, int n, int* count, Perf* found) {
    return fit(x, f, w, y) ? 3 : answer(n, count, found);
}
API R cudnnGetConvolutionBackwardFilterAlgorithm_v7(Handle*, Tensor* x, Tensor* y, Windows* w, Filter* f, int n, int* count, Perf* found) {
    return fit(x, f, w, y) ? 3 : answer(n, count, found);
}
API R cudnnGetConvolutionForwardWorkspaceSize(Handle*, void*, void*, void*, void*, int, size_t* n) { *n = 64; return 0; }
API R cudnnGetConvolutionBackwardDataWorkspaceSize(Handle*, void*, void*, void*, void*, int, size_t* n) { *n = 64; return 0; }
API R cudnnGetConvolutionBackwardFilterWorkspaceSize(Handle*, void*, void*, void*, void*, int, size_t* n) { *n = 64; return 0; }

// Calls visit(index in x, in w, in y) for every product of a convolution.
template <class V>
static void products(const Tensor& x, const Filter& f, const Windows& w, const Tensor& y, V visit) {
    for (int n = 0; n < y.n; n++) for (int oy = 0; oy < y.h; oy++) for (int ox = 0; ox < y.w; ox++)
    for (int ky = 0; ky < f.h; ky++) for (int kx = 0; kx < f.w; kx++) {
        int iy = oy * w.sh - w.ph + ky, ix = ox * w.sw - w.pw + kx;
        if (iy < 0 || ix < 0 || iy >= x.h || ix >= x.w) continue;
        for (int o = 0; o < f.k; o++) for (int c = 0; c < f.c; c++) {
            visit((((size_t)n * x.h + iy) * x.w + ix) * x.c + c,
                  (((size_t)o * f.h + ky) * f.w + kx) * f.c + c,
                  (((size_t)n * y.h + oy) * y.w + ox) * y.c + o);
        }
    }
}

// `sum` with what visit(add) adds to it, then written to `to`.
template <class V>
static void collect(void* to, size_t count, int type, float beta, V visit) {
    double* sums = new double[count]();
    visit(sums);
    for (size_t k = 0; k < count; k++) {
        put(to, k, type, (float)(sums[k] + (beta == 0 ? 0 : beta * get(to, k, type))));
    }
    delete[] sums;
}
API R cudnnConvolutionForward(Handle* h, const float*, Tensor* xd, const void* x, Filter* fd, const void* f, Windows* wd, int, void* s, size_t, const float* beta, Tensor* yd, void* y) {
    if (!s) return 3;
    Tensor xt = *xd, yt = *yd; Filter ft = *fd; Windows wt = *wd; float b = *beta;
    submit(h->stream, [=]() {
        collect(y, (size_t)yt.n * yt.h * yt.w * yt.c, yt.type, b, [&](double* sums) {
            products(xt, ft, wt, yt, [&](size_t i, size_t j, size_t k) { sums[k] += (double)get(x, i, xt.type) * get(f, j, ft.type); });
        });
    });
    return 0;
}
API R cudnnConvolutionBackwardData(Handle* h, const float*, Filter* fd, const void* f, Tensor* yd, const void* y, Windows* wd, int, void* s, size_t, const float* beta, Tensor* xd, void* x) {
    if (!s) return 3;
    Tensor xt = *xd, yt = *yd; Filter ft = *fd; Windows wt = *wd; float b = *beta;
    submit(h->stream, [=]() {
        collect(x, (size_t)xt.n * xt.h * xt.w * xt.c, xt.type, b, [&](double* sums) {
            products(xt, ft, wt, yt, [&](size_t i, size_t j, size_t k) { sums[i] += (double)get(f, j, ft.type) * get(y, k, yt.type); });
        });
    });
    return 0;
}
API R cudnnConvolutionBackwardFilter(Handle* h, const float*, Tensor* xd, const void* x, Tensor* yd, const void* y, Windows* wd, int, void* s, size_t, const float* beta, Filter* fd, void* f) {
    if (!s) return 3;
    Tensor xt = *xd, yt = *yd; Filter ft = *fd; Windows wt = *wd; float b = *beta;
    submit(h->stream, [=]() {
        collect(f, (size_t)ft.k * ft.h * ft.w * ft.c, ft.type, b, [&](double* sums) {
            products(xt, ft, wt, yt, [&](size_t i, size_t j, size_t k) { sums[j] += (double)get(x, i, xt.type) * get(y, k, yt.type); });
        });
    });
    return 0;
}
