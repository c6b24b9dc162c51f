// Dropout masks: the same bits as src/engines/dropout.rs draws on the host.

__device__ inline u32 turn(u32 x, int by) {
    return x << by | x >> (32 - by);
}

__device__ inline void quarter(u32* s, int a, int b, int c, int d) {
    s[a] += s[b];
    s[d] = turn(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = turn(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = turn(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = turn(s[b] ^ s[c], 7);
}

// A block of ChaCha with 8 rounds, a key of four words and a counter of 64 bits.
__device__ inline void chacha8(const u64* key, u64 counter, u32* out) {
    u32 start[16] = {0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u};
    for (int k = 0; k < 4; k++) {
        start[4 + 2 * k] = (u32)key[k];
        start[5 + 2 * k] = (u32)(key[k] >> 32);
    }
    start[12] = (u32)counter;
    start[13] = (u32)(counter >> 32);
    start[14] = start[15] = 0;
    for (int k = 0; k < 16; k++) out[k] = start[k];
    for (int round = 0; round < 4; round++) {
        quarter(out, 0, 4, 8, 12);
        quarter(out, 1, 5, 9, 13);
        quarter(out, 2, 6, 10, 14);
        quarter(out, 3, 7, 11, 15);
        quarter(out, 0, 5, 10, 15);
        quarter(out, 1, 6, 11, 12);
        quarter(out, 2, 7, 8, 13);
        quarter(out, 3, 4, 9, 14);
    }
    for (int k = 0; k < 16; k++) out[k] += start[k];
}

// The factors of a layer, drawn in N, C, H, W order: 0 with probability p, else `kept`.
// `purpose` and `name` are the first and third word of the stream's key; `first` numbers are
// those of images that other processes have. A thread takes the eight numbers of one block
// of ChaCha.
extern "C" __global__ void mask(
    const Control* control, act* y, u64 purpose, u64 name, double p, float kept, int channels,
    int positions, u64 first, u32 count) {
    u64 block = first / 8 + index();
    if (block * 8 >= first + count) return;
    u64 key[4] = {purpose, control->seed, name, control->step};
    u32 words[16];
    chacha8(key, block, words);
    for (int k = 0; k < 8; k++) {
        u64 number = block * 8 + k;
        if (number < first) continue;
        if (number >= first + count) return;
        u32 at = (u32)(number - first);
        u64 word = (u64)words[2 * k + 1] << 32 | words[2 * k];
        double unit = (double)(word >> 11) * (1.0 / 9007199254740992.0);
        u32 n = at / (channels * positions);
        int c = at / positions % channels, position = at % positions;
        put(y + (n * positions + position) * channels + c, unit < p ? 0.0f : kept);
    }
}
