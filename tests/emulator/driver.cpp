// A stand-in for NVIDIA's driver and for NVRTC that runs kernels on the CPU, one after
// another: enough of both to run vanc's engine where there is no GPU. Kernels are compiled
// by g++ (kernel.h), device memory is host memory, a graph is the list of what was
// captured. It shows whether the engine computes what it should; nothing of speed, memory
// or races on a real card.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

typedef int R;
typedef std::function<void()> Work;
static std::recursive_mutex lock;
#define LOCK std::lock_guard<std::recursive_mutex> held(lock)
#define API extern "C" __attribute__((visibility("default")))

enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NOT_FOUND = 500 };

// What is captured, by the stream that captures.
static std::map<void*, std::vector<Work>*> captures;
static size_t used = 0;
static std::map<void*, size_t> sizes;
static const size_t TOTAL = 4ull << 30;
static thread_local void* current = nullptr;

static R submit(void* stream, Work work) {
    auto at = captures.find(stream);
    if (at != captures.end()) at->second->push_back(work);
    else work();
    return OK;
}

API R cuInit(unsigned) { return OK; }
API R cuDriverGetVersion(int* v) { *v = 13000; return OK; }
API R cuDeviceGetCount(int* n) { *n = 1; return OK; }
API R cuDeviceGet(int* d, int n) { *d = n; return n == 0 ? OK : 101; }
API R cuDeviceGetName(char* name, int n, int) { snprintf(name, n, "emulated"); return OK; }
API R cuDeviceGetAttribute(int* v, int what, int) {
    *v = what == 75 ? 9 : what == 16 ? 132 : what == 97 ? 232448 : 0;
    return OK;
}
API R cuDeviceTotalMem_v2(size_t* n, int) { *n = TOTAL; return OK; }
API R cuDevicePrimaryCtxRetain(void** c, int) { *c = (void*)8; return OK; }
API R cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API R cuCtxGetCurrent(void** c) { *c = current; return OK; }
API R cuCtxSetCurrent(void* c) { current = c; return OK; }
API R cuCtxSynchronize() { return OK; }
API R cuStreamCreate(void** s, unsigned) { *s = new char; return OK; }
API R cuStreamCreateWithPriority(void** s, unsigned, int) { *s = new char; return OK; }
API R cuStreamDestroy_v2(void* s) { delete (char*)s; return OK; }
API R cuStreamSynchronize(void*) { return OK; }
API R cuGetErrorName(int e, const char** s) { *s = e == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR"; return OK; }
API R cuGetErrorString(int e, const char** s) { *s = e == 2 ? "out of memory" : "an emulated error"; return OK; }
API R cuMemGetInfo_v2(size_t* f, size_t* t) { *f = TOTAL - used; *t = TOTAL; return OK; }
API R cuMemAlloc_v2(void** p, size_t n) {
    LOCK;
    if (n > TOTAL - used) return NO_MEMORY;
    // Filled with what stands out: NaN as floats.
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    if (!*p) return NO_MEMORY;
    memset(*p, 0xff, n);
    used += n;
    sizes[*p] = n;
    return OK;
}
API R cuMemFree_v2(void* p) { LOCK; used -= sizes[p]; sizes.erase(p); free(p); return OK; }
API R cuMemcpyHtoD_v2(void* to, const void* from, size_t n) { memcpy(to, from, n); return OK; }
API R cuMemcpyDtoH_v2(void* to, const void* from, size_t n) { memcpy(to, from, n); return OK; }
API R cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n, void*) { memcpy(to, from, n); return OK; }
API R cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t n, void*) { memcpy(to, from, n); return OK; }
API R cuMemsetD8_v2(void* p, unsigned char v, size_t n) { memset(p, v, n); return OK; }
API R cuMemsetD8Async(void* p, unsigned char v, size_t n, void* s) {
    LOCK;
    return submit(s, [=]() { memset(p, v, n); });
}

API R cuModuleLoadData(void** m, const void* image) {
    *m = dlopen((const char*)image, RTLD_NOW | RTLD_LOCAL);
    if (!*m) fprintf(stderr, "emulator: %s\n", dlerror());
    return *m ? OK : INVALID;
}
API R cuModuleUnload(void*) { return OK; }
API R cuModuleGetFunction(void** f, void* m, const char* name) {
    *f = dlsym(m, (std::string(name) + "__bind").c_str());
    return *f ? OK : NOT_FOUND;
}
API R cuFuncSetAttribute(void*, int, int) { return OK; }
API R cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                     unsigned bz, unsigned, void* stream, void** params, void**) {
    LOCK;
    if (!gx || !gy || !gz || bx * by * bz > 1024 || gy > 65535 || gz > 65535) return INVALID;
    unsigned d[6] = {gx, gy, gz, bx, by, bz};
    Work* work = ((Work * (*)(const unsigned*, void**)) f)(d, params);
    R r = submit(stream, *work);
    delete work;
    return r;
}
API R cuLaunchCooperativeKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                                unsigned by, unsigned bz, unsigned n, void* s, void** p) {
    return cuLaunchKernel(f, gx, gy, gz, bx, by, bz, n, s, p, nullptr);
}

API R cuStreamBeginCapture_v2(void* s, int) { LOCK; captures[s] = new std::vector<Work>; return OK; }
API R cuStreamEndCapture(void* s, void** g) { LOCK; *g = captures[s]; captures.erase(s); return OK; }
API R cuStreamIsCapturing(void* s, int* status) { LOCK; *status = captures.count(s); return OK; }
API R cuGraphInstantiateWithFlags(void** e, void* g, unsigned long long) { *e = g; return OK; }
API R cuGraphInstantiate_v2(void** e, void* g, void*, char*, size_t) { *e = g; return OK; }
API R cuGraphLaunch(void* e, void*) { LOCK; for (auto& work : *(std::vector<Work>*)e) work(); return OK; }
API R cuGraphUpload(void*, void*) { return OK; }
API R cuGraphDestroy(void* g) { LOCK; delete (std::vector<Work>*)g; return OK; }
API R cuGraphExecDestroy(void*) { return OK; }

// For the stand-ins of other libraries.
API void emulator_submit(void* stream, Work* work) { LOCK; submit(stream, *work); }

// NVRTC: the "machine code" is the path of a shared object.
struct Program { std::string text, name, code, log; };

API R nvrtcVersion(int* major, int* minor) { *major = 0; *minor = (int)(getpid() & 0xffff); return OK; }
API R nvrtcCreateProgram(Program** p, const char* text, const char* name, int, void*, void*) {
    *p = new Program{text, name ? name : "kernel.cu"};
    return OK;
}
API R nvrtcDestroyProgram(Program** p) { delete *p; *p = nullptr; return OK; }

API R nvrtcCompileProgram(Program* p, int count, const char* const* options) {
    const char* include = getenv("VANC_EMULATOR");
    const char* folder = getenv("TMPDIR");
    std::string flags;
    for (int k = 0; k < count; k++) {
        std::string option = options[k], define = "--define-macro=";
        if (option.rfind(define, 0) == 0) flags += " -D" + option.substr(define.size());
    }
    std::ostringstream out;
    out << "#include \"" << (include ? include : ".") << "/kernel.h\"\n" << p->text << "\n";
    std::string mark = "extern \"C\" __global__ void ";
    for (size_t at = p->text.find(mark); at != std::string::npos;) {
        size_t start = at + mark.size(), end = p->text.find('(', start);
        size_t next = p->text.find(mark, end);
        std::string name = p->text.substr(start, end - start);
        std::string body = p->text.substr(end, next == std::string::npos ? next : next - end);
        auto has = [&](const char* word) { return body.find(word) != std::string::npos; };
        int how = has("SHARED(") ? 2 : has("__syncthreads") || has("total(") || has("product(") ? 1 : 0;
        out << "extern \"C\" std::function<void()>* " << name
            << "__bind(const unsigned* d, void** p) { return emulated::bind(" << name << ", d, "
            << how << ", p); }\n";
        at = next;
    }
    // The same text was perhaps compiled before, or is by another thread or process.
    std::ifstream header(std::string(include ? include : ".") + "/kernel.h");
    std::string all = out.str() + flags + std::string(std::istreambuf_iterator<char>(header), {});
    std::string name = std::string(folder ? folder : "/tmp") + "/vanc-emulator-" + std::to_string(std::hash<std::string>()(all));
    p->code = name + ".so";
    if (!access(p->code.c_str(), R_OK)) return OK;
    static std::atomic<int> compiled;
    std::string base = name + "-" + std::to_string(getpid()) + "-" + std::to_string(compiled++);
    std::ofstream(base + ".cpp") << out.str();
    std::string command = "g++ -std=c++20 -O1 -shared -fPIC -w -o " + base + ".so " + base + ".cpp" + flags + " 2> " + base + ".log";
    int status = system(command.c_str());
    std::stringstream log;
    log << std::ifstream(base + ".log").rdbuf();
    p->log = log.str();
    unlink((base + ".log").c_str());
    if (status) return 6;
    unlink((base + ".cpp").c_str());
    return rename((base + ".so").c_str(), p->code.c_str()) ? 6 : OK;
}
API R nvrtcGetProgramLogSize(Program* p, size_t* n) { *n = p->log.size() + 1; return OK; }
API R nvrtcGetProgramLog(Program* p, char* s) { memcpy(s, p->log.c_str(), p->log.size() + 1); return OK; }
API R nvrtcGetCUBINSize(Program* p, size_t* n) { *n = p->code.size() + 1; return OK; }
API R nvrtcGetCUBIN(Program* p, char* s) { memcpy(s, p->code.c_str(), p->code.size() + 1); return OK; }
API R nvrtcGetPTXSize(Program* p, size_t* n) { return nvrtcGetCUBINSize(p, n); }
API R nvrtcGetPTX(Program* p, char* s) { return nvrtcGetCUBIN(p, s); }
