// The beginning of a step: what it is told, and its images.

// Tells the card of a step. One thread.
extern "C" __global__ void begin(
    Control* control, double rate, u64 seed, u64 step, u32 slot, int restart) {
    control->rate = rate;
    control->seed = seed;
    control->step = step;
    control->slot = slot;
    if (restart) control->halted = 0;
}

// Images in N, H, W, C order as they are, or to vectors in C, H, W order (`is_vector`). A
// thread an element.
extern "C" __global__ void place_images(
    const float* images, act* x, int channels, int positions, int is_vector, u32 count) {
    u32 at = index();
    if (at >= count) return;
    u32 from = at;
    if (is_vector) {
        u32 n = at / (channels * positions);
        int c = at / positions % channels, position = at % positions;
        from = (n * positions + position) * channels + c;
    }
    put(x + at, images[from]);
}

// Kinds of changes of an image: moved down and right by so much, or mirrored.
enum { MOVE, MIRROR };

struct Change {
    int down, right;
};

// A batch from the bytes of all images: image order[first + n] for n, each after its
// `changes` in turn, standardised by channel; and its labels. A thread an element.
extern "C" __global__ void gather_images(
    const u8* pixels, const u32* labels, const u32* order, const Change* changes, const u8* kinds,
    int change_count, const float* mean, const float* deviation, act* x, u32* batch_labels,
    u32 first, int channels, int height, int width, int is_vector, u32 count) {
    u32 at = index();
    if (at >= count) return;
    int positions = height * width;
    u32 n = at / (channels * positions);
    int c, position;
    if (is_vector) {
        c = at / positions % channels;
        position = at % positions;
    } else {
        c = at % channels;
        position = at / channels % positions;
    }
    u32 image = order[first + n];
    if (c == 0 && position == 0) batch_labels[n] = labels[image];
    // Back from the pixel of the batch to that of the image, the last change first.
    int y = position / width, column = position % width, inside = 1;
    for (int k = change_count - 1; k >= 0 && inside; k--) {
        Change change = changes[(u64)image * change_count + k];
        if (kinds[k] == MIRROR) {
            if (change.right) column = width - 1 - column;
        } else {
            y += change.down;
            column += change.right;
            inside = y >= 0 && y < height && column >= 0 && column < width;
        }
    }
    u64 from = ((u64)image * channels + c) * positions + y * width + column;
    float pixel = inside ? (float)pixels[from] : 0.0f;
    put(x + at, (pixel / 255.0f - mean[c]) / deviation[c]);
}
