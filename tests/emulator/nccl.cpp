// A stand-in for NCCL that really sums over processes of one machine, through a file that
// all of them map: enough to run vanc's data-parallel training where there is no GPU. It
// shows whether what is summed is right, the same in all processes, and waited for; nothing
// of speed, of NCCL's threads, or of what it wants of captures on real cards.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <functional>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define API extern "C" __attribute__((visibility("default")))
typedef int R;
typedef std::function<void()> Work;

static void submit(void* stream, Work work) {
    static auto to = (void (*)(void*, Work*))dlsym(dlopen("libcuda.so.1", RTLD_NOW), "emulator_submit");
    to(stream, &work);
}

enum { OK = 0, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5 };
static const size_t SLOT = 1 << 16;

// At the beginning of the file; the slots of the ranks follow.
struct Shared {
    std::atomic<uint32_t> arrived, turn, joined;
};

struct Comm {
    Shared* shared;
    char* slots;
    int size, rank;
};

struct UniqueId { char path[128]; };

static size_t bytes(int size) { return 4096 + (size_t)size * SLOT; }

// All processes come here, or the one that waits gives up: a peer has ended.
static void meet(Comm* c) {
    uint32_t turn = c->shared->turn;
    if (++c->shared->arrived == (uint32_t)c->size) {
        c->shared->arrived = 0;
        c->shared->turn++;
        return;
    }
    timespec nap = {0, 20000};
    for (long tries = 0; c->shared->turn == turn; tries++) {
        if (tries > 3000000) {
            fprintf(stderr, "emulated NCCL: the others do not come\n");
            abort();
        }
        nanosleep(&nap, nullptr);
    }
}

template <class T> static void sum(Comm* c, T* data, size_t count) {
    const size_t most = SLOT / sizeof(T);
    for (size_t first = 0; first < count; first += most) {
        size_t n = count - first < most ? count - first : most;
        memcpy(c->slots + c->rank * SLOT, data + first, n * sizeof(T));
        meet(c);
        for (size_t k = 0; k < n; k++) {
            // In the order of the ranks, so that all have the same bits.
            T total = 0;
            for (int rank = 0; rank < c->size; rank++) total += ((T*)(c->slots + rank * SLOT))[k];
            data[first + k] = total;
        }
        meet(c);
    }
}

API const char* ncclGetErrorString(R) { return "an emulated error"; }
API const char* ncclGetLastError(Comm*) { return "an emulated reason"; }
API R ncclGroupStart() { return OK; }
API R ncclGroupEnd() { return OK; }
API R ncclGetUniqueId(UniqueId* id) {
    const char* folder = getenv("TMPDIR");
    snprintf(id->path, sizeof id->path, "%s/vanc-nccl-XXXXXX", folder ? folder : "/tmp");
    int file = mkstemp(id->path);
    if (file < 0) return SYSTEM_ERROR;
    close(file);
    return OK;
}
API R ncclCommInitRank(Comm** out, int size, UniqueId id, int rank) {
    if (getenv("VANC_EMULATOR_NCCL_FAILS")) return INVALID_USAGE;
    int file = open(id.path, O_RDWR);
    if (file < 0 || ftruncate(file, bytes(size))) return SYSTEM_ERROR;
    char* at = (char*)mmap(nullptr, bytes(size), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at == MAP_FAILED) return SYSTEM_ERROR;
    *out = new Comm{(Shared*)at, at + 4096, size, rank};
    if (++(*out)->shared->joined == (uint32_t)size) unlink(id.path);
    meet(*out);
    return OK;
}
API R ncclAllReduce(const void* from, void* to, size_t count, int type, int op, Comm* c, void* stream) {
    if (from != to || op != 0 || (type != 7 && type != 8)) return INVALID_ARGUMENT;
    submit(stream, [=]() {
        if (type == 7) sum(c, (float*)to, count);
        else sum(c, (double*)to, count);
    });
    return OK;
}
API R ncclCommAbort(Comm* c) {
    munmap(c->shared, bytes(c->size));
    delete c;
    return OK;
}
