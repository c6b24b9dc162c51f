"""Images and starting weights from a formula, which `tests/torch.rs` has too, so that no
binary file has to be kept; and the files that vanc reads them from."""

import json
import math
import struct

import torch

# Chosen among the first sixty so that in no case a value comes closer than 1e-5 to where
# the gradient jumps (a ReLU at 0, two largest in a pooling window): there, rounding alone
# could send two right programs different ways.
SEED = 28
TRAIN, TEST = 20, 12


def stream(name):
    """Endless 64-bit numbers: SplitMix64 from the FNV-1a hash of seed and name."""
    mask = (1 << 64) - 1
    state = 0xCBF29CE484222325
    for byte in f"{SEED} {name}".encode():
        state = (state ^ byte) * 0x100000001B3 & mask
    while True:
        state = state + 0x9E3779B97F4A7C15 & mask
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        yield z ^ z >> 31


def images(name, count, channels, side):
    """Labels, and noise that is brighter for higher labels and channels, as bytes."""
    numbers = stream(name)
    labels, pixels = bytearray(), bytearray()
    for _ in range(count):
        label = next(numbers) % 10
        labels.append(label)
        for channel in range(channels):
            for _ in range(side * side):
                noise = next(numbers) >> 56
                pixels.append((noise * (96 + 32 * channel) >> 8) + 8 * label)
    return bytes(labels), bytes(pixels)


def write_cifar10(folder):
    for name, count in (("data_batch_1.bin", TRAIN), ("test_batch.bin", TEST)):
        labels, pixels = images(name, count, 3, 32)
        records = (labels[i : i + 1] + pixels[3072 * i : 3072 * (i + 1)] for i in range(count))
        (folder / name).write_bytes(b"".join(records))


def write_mnist(folder):
    for name, count in (("train", TRAIN), ("t10k", TEST)):
        labels, pixels = images(name, count, 1, 28)
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + pixels)
        header = struct.pack(">II", 0x801, count)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + labels)


def split(net, part, dtype):
    """Images in [0, 1] and labels of one split."""
    names = {"cnn": ("data_batch_1.bin", "test_batch.bin"), "mlp": ("train", "t10k")}
    count = (TRAIN, TEST)[part]
    channels, side = (3, 32) if net == "cnn" else (1, 28)
    labels, pixels = images(names[net][part], count, channels, side)
    x = torch.tensor(list(pixels), dtype=dtype).view(count, channels, side, side) / 255
    return x, torch.tensor(list(labels))


def starting_range(name, shape):
    """The middle and the half-width of the uniform distribution a tensor starts from."""
    if name.endswith(".alpha"):
        return 0.4, 0.4
    if name.endswith(".dirac_a"):
        return 1.0, 0.2
    if name.endswith(".dirac_b"):
        return 0.5, 0.2
    if len(shape) > 1:
        return 0.0, math.sqrt(6.0 / (math.prod(shape) / shape[0]))
    if name.endswith(".weight"):
        return 1.0, 0.3
    return (-2.0, 0.5) if name.endswith("gate.bias") else (0.0, 0.2)


def starting_weights(model):
    """Every tensor that starts from the formula; λ and running statistics do not."""
    weights = {}
    for name, tensor in model.state_dict().items():
        if name.endswith((".lambda", ".running_mean", ".running_var", ".num_batches_tracked")):
            continue
        middle, width = starting_range(name, tensor.shape)
        numbers = stream(name)
        shares = ((next(numbers) >> 40) / 2**24 for _ in range(tensor.numel()))
        values = [middle + width * (2.0 * share - 1.0) for share in shares]
        weights[name] = torch.tensor(values, dtype=torch.float32).view(tensor.shape)
    return weights


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = struct.pack(f"<{tensor.numel()}f", *tensor.flatten().tolist())
        span = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": span}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    tensors = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            count = math.prod(entry["shape"])
            values = struct.unpack_from(f"<{count}f", raw, 8 + length + entry["data_offsets"][0])
            tensors[name] = torch.tensor(values, dtype=torch.float64).view(entry["shape"])
    return tensors
