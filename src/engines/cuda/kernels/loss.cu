// Cross-entropy.

// −log softmax(logits)[label] of a row and its part of the gradient,
// (softmax(logits) − onehot(label))/N, with N the `total` images of the step, of which this
// process may have a part. A block of 128 threads an image.
extern "C" __global__ void cross_entropy(
    const act* logits, const u32* labels, act* gradient, double* losses, u32* correct,
    int classes, int total) {
    __shared__ float values[128];
    __shared__ int places[128];
    __shared__ double sums[128];
    int row = blockIdx.x, t = threadIdx.x;
    const act* x = logits + (u64)row * classes;
    int label = labels[row];
    // The largest, the first of equals.
    float best = 0.0f;
    int place = -1;
    for (int c = t; c < classes; c += 128) {
        float value = get(x + c);
        if (place < 0 || value > best) {
            best = value;
            place = c;
        }
    }
    values[t] = best;
    places[t] = place;
    __syncthreads();
    best = values[0];
    place = places[0];
    for (int k = 1; k < 128; k++) {
        if (places[k] < 0) continue;
        if (values[k] > best || (values[k] == best && places[k] < place)) {
            best = values[k];
            place = places[k];
        }
    }
    // Less the largest, so that nothing overflows. NaN stays NaN in the sum.
    double sum = 0.0;
    for (int c = t; c < classes; c += 128) sum += exp((double)get(x + c) - (double)best);
    sums[t] = sum;
    __syncthreads();
    sum = 0.0;
    for (int k = 0; k < 128; k++) sum += sums[k];
    for (int c = t; c < classes; c += 128) {
        double share = exp((double)get(x + c) - (double)best) / sum;
        put(gradient + (u64)row * classes + c, (float)((share - (c == label)) / total));
    }
    if (t == 0) {
        losses[row] = log(sum) - ((double)get(x + label) - (double)best);
        correct[row] = place == label;
    }
}

// The sum of the losses over the `total` images of the step and the number of correct ones,
// to the step's outcome; a loss that is not finite halts the run. One block of 256.
extern "C" __global__ void outcome(
    const double* losses, const u32* correct, int images, int total, Control* control,
    Outcome* outcomes) {
    __shared__ double sums[256];
    __shared__ u64 counts[256];
    int t = threadIdx.x;
    double sum = 0.0;
    u64 count = 0;
    for (int row = t; row < images; row += 256) {
        sum += losses[row];
        count += correct[row];
    }
    sums[t] = sum;
    counts[t] = count;
    __syncthreads();
    if (t != 0) return;
    sum = 0.0;
    count = 0;
    for (int k = 0; k < 256; k++) {
        sum += sums[k];
        count += counts[k];
    }
    double loss = sum / total;
    outcomes[control->slot].loss = loss;
    outcomes[control->slot].correct = count;
    if (!isfinite(loss)) control->halted = 1;
}

// Tells what this process found, to be summed over all, where several have a part of a step
// each. One thread.
extern "C" __global__ void tell(const Control* control, const Outcome* outcomes, double* tally) {
    tally[0] = outcomes[control->slot].loss;
    tally[1] = (double)outcomes[control->slot].correct;
}

// Takes the sum as the outcome of the step: all of them halt, or none. One thread.
extern "C" __global__ void settle(Control* control, Outcome* outcomes, const double* tally) {
    outcomes[control->slot].loss = tally[0];
    outcomes[control->slot].correct = (u64)tally[1];
    if (!isfinite(tally[0])) control->halted = 1;
}
