#!/usr/bin/env python3
"""The networks of `cnn.van` and `mlp.van` in PyTorch: what vanc's losses are held against.

    python3 tests/torch/reference.py                  check that losses.json still holds
    python3 tests/torch/reference.py --write          write losses.json anew
    python3 tests/torch/reference.py --check VANC     run that binary on every case, too

Each case trains five steps in the order of the files, then evaluates the test split.
Images and starting weights follow from a formula (`stream`), which `tests/torch.rs`
has too, so that no binary file has to be kept. Nothing here reads vanc's code or takes
numbers from it: layers, gradients, momentum and decay are PyTorch's, and the modules
are named so that `state_dict` has the names that vanc's files have.

Figures are those of 64-bit floats, in which rounding does not depend on the machine;
`rounding` is how far the same program in 32-bit floats is from them.
"""

import argparse
import collections
import dataclasses
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    from torch import nn
except ImportError:
    print("skipped: PyTorch is not installed")
    sys.exit(0)

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "losses.json"
TOLERANCE = 1e-3
SEED = 28
STEPS, BATCH, TRAIN, TEST = 5, 8, 20, 12


# Images and weights ---------------------------------------------------------------


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


def starting_value(name, shape):
    """The middle and the half-width of the uniform distribution a tensor starts from."""
    if name.endswith(".alpha"):
        return 0.4, 0.4
    if name.endswith(".dirac_a"):
        return 1.0, 0.2
    if name.endswith(".dirac_b"):
        return 0.5, 0.2
    if len(shape) > 1:
        return 0.0, math.sqrt(6.0 * shape[0] / math.prod(shape))
    if name.endswith(".weight"):
        return 1.0, 0.3
    return (-2.0, 0.5) if name.endswith("gate.bias") else (0.0, 0.2)


def starting_weights(model):
    """Every tensor that starts from the formula; λ and running statistics do not."""
    weights = {}
    for name, tensor in model.state_dict().items():
        if name.endswith((".lambda", ".running_mean", ".running_var", ".num_batches_tracked")):
            continue
        middle, width = starting_value(name, tensor.shape)
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


# Layers ---------------------------------------------------------------------------


class Crelu(nn.Module):
    def forward(self, x):
        return torch.cat([torch.relu(x), torch.relu(-x)], 1)


class DiracWeight:
    """diag(a)·δ + diag(b)·W/‖W‖ in the place of W."""

    def add_dirac(self):
        w = self.weight
        self.dirac_a = nn.Parameter(torch.ones(w.shape[0]))
        self.dirac_b = nn.Parameter(torch.full((w.shape[0],), 0.1))
        delta = nn.init.dirac_(torch.empty_like(w)) if w.dim() == 4 else torch.eye(*w.shape)
        self.register_buffer("delta", delta.detach(), persistent=False)

    def effective(self):
        def by_filter(v):
            return v.view(-1, *[1] * (self.weight.dim() - 1))

        norm = self.weight.flatten(1).norm(dim=1)
        scaled = by_filter(self.dirac_b) * self.weight / by_filter(norm)
        return by_filter(self.dirac_a) * self.delta + scaled


class DiracConv2d(nn.Conv2d, DiracWeight):
    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.add_dirac()

    def forward(self, x):
        return self._conv_forward(x, self.effective(), self.bias)


class DiracLinear(nn.Linear, DiracWeight):
    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.add_dirac()

    def forward(self, x):
        return nn.functional.linear(x, self.effective(), self.bias)


class Concat(nn.Sequential):
    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


class Skip(nn.Sequential):
    """The children are the body, except for `project` and `gate`."""

    def join(self, case, before, after, kernel, stride, pad):
        """Adds what `case.policy` needs to take shape `before` to `after`."""
        self.policy, self.stride, self.after = case.policy, stride, after
        spatial = len(after) == 3
        if case.policy in ("plain", "dirac"):
            return self
        if before != after and not pad:
            self.project = (
                nn.Conv2d(before[0], after[0], 1, stride, bias=False)
                if spatial
                else nn.Linear(before[0], after[0], bias=False)
            )
        if case.policy.startswith("highway"):
            self.gate = (
                nn.Conv2d(before[0], after[0], kernel, stride, (kernel - 1) // 2)
                if spatial
                else nn.Linear(before[0], after[0])
            )
        if case.policy.startswith("variable"):
            shapes = {"channel": after[:1], "layer": (1,), "unit": after}
            shape = shapes[case.alpha_granularity]
            self.alpha = nn.Parameter(torch.zeros(shape))
            start = 0.0 if self.is_held() else case.lambda_
            self.register_buffer("lambda", torch.full(shape, start))
        return self

    def is_held(self):
        return "lambda: 0" in self.policy

    def shortcut(self, x):
        if hasattr(self, "project"):
            return self.project(x)
        if x.dim() == 4:
            x = x[:, :, :: self.stride, :: self.stride]
        zeros = x.new_zeros(x.shape[0], self.after[0] - x.shape[1], *x.shape[2:])
        return torch.cat([x, zeros], 1)

    def forward(self, x):
        f = x
        for name, child in self.named_children():
            if name not in ("project", "gate"):
                f = child(f)
        if self.policy in ("plain", "dirac"):
            return f
        s = self.shortcut(x)
        if self.policy == "resnet":
            return f + s
        if self.policy == "resnet(scale: 0.5)":
            return 0.5 * f + 0.5 * s
        if self.policy.startswith("highway"):
            t = torch.sigmoid(self.gate(x))
            return f * t + s * (1 - t)
        alpha = self.alpha
        if alpha.dim() == 1 and f.dim() == 4:
            alpha = alpha.view(-1, 1, 1)
        if "form: convex" in self.policy:
            f = alpha * f
        return f + (1 - alpha) * s


KINDS = {
    nn.Conv2d: "conv",
    DiracConv2d: "conv",
    nn.Linear: "linear",
    DiracLinear: "linear",
    nn.BatchNorm1d: "batch_norm",
    nn.BatchNorm2d: "batch_norm",
    Concat: "concat",
    Skip: "skip",
}


def scope(container, *layers):
    """A `container` of layers, each named by its label or by its kind and index."""
    counts, named = collections.Counter(), collections.OrderedDict()
    for layer in layers:
        label, layer = layer if isinstance(layer, tuple) else (None, layer)
        kind = KINDS.get(type(layer), type(layer).__name__)
        named[label or f"{kind}{counts[kind]}"] = layer
        counts[kind] += label is None
    return container(named)


# Networks -------------------------------------------------------------------------


def cnn(case):
    conv_in_skip = DiracConv2d if case.policy == "dirac" else nn.Conv2d

    def unit(before, after, stride=1):
        body = scope(
            Skip,
            conv_in_skip(before[0], after[0], 3, stride, 1, bias=False),
            nn.BatchNorm2d(after[0]),
            nn.ReLU(),
            conv_in_skip(after[0], after[0], 3, 1, 1, bias=False),
            nn.BatchNorm2d(after[0]),
            nn.ReLU(),
        )
        return body.join(case, before, after, kernel=3, stride=stride, pad=False)

    pad = scope(Skip, conv_in_skip(8, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), Crelu())
    return scope(
        nn.Sequential,
        nn.Conv2d(3, 4, 5, 2, 2, bias=False),
        nn.MaxPool2d(3, 2),
        unit((4, 7, 7), (4, 7, 7)),
        scope(
            Concat,
            nn.BatchNorm2d(4, momentum=0.3, eps=0.01),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4, 3, 1),
            nn.ELU(),
        ),
        nn.AvgPool2d(2, 1),
        ("units", nn.Sequential(
            scope(nn.Sequential, unit((7, 6, 6), (8, 3, 3), stride=2)),
            scope(nn.Sequential, unit((8, 3, 3), (8, 3, 3))),
        )),
        ("pad", pad.join(case, (8, 3, 3), (12, 2, 2), kernel=3, stride=2, pad=True)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 10),
    )


def mlp(case):
    linear_in_skip = DiracLinear if case.policy == "dirac" else nn.Linear

    def skip(before, after, *layers, pad=False):
        body = scope(Skip, *layers)
        return body.join(case, (before,), (after,), kernel=1, stride=1, pad=pad)

    def unit():
        return skip(12, 12, nn.BatchNorm1d(12), nn.ReLU(), linear_in_skip(12, 12))

    return scope(
        nn.Sequential,
        nn.Flatten(),
        nn.Linear(784, 12),
        ("units", nn.Sequential(scope(nn.Sequential, unit()), scope(nn.Sequential, unit()))),
        ("widen", skip(
            12, 16,
            linear_in_skip(12, 16, bias=False),
            nn.BatchNorm1d(16),
            nn.Tanh(),
        )),
        ("pad", skip(
            16, 20,
            linear_in_skip(16, 20),
            nn.Sigmoid(),
            linear_in_skip(20, 20),
            nn.ELU(0.5),
            pad=True,
        )),
        nn.Linear(20, 10),
    )


# Training -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """Training settings; `flags` is how vanc is told of them."""

    net: str
    policy: str
    rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    at: tuple = ()
    factor: float = 0.1
    lambda_: float = -1.0
    alpha_rate: float = 10.0
    lambda_rate: float = 3.0
    every: str = "step"
    alpha_granularity: str = "channel"

    def flags(self):
        nesterov = str(self.nesterov).lower()
        schedule = f"step(at: {list(self.at)}, factor: {self.factor})" if self.at else "constant"
        return {
            "policy": self.policy,
            "optimizer": f"sgd(rate: {self.rate}, momentum: {self.momentum}, "
            f"nesterov: {nesterov}, weight_decay: {self.weight_decay})",
            "schedule": schedule,
            "constraint": f"lagrange(alpha: 0.0, lambda: {self.lambda_}, "
            f"alpha_rate: {self.alpha_rate}, lambda_rate: {self.lambda_rate}, "
            f"every: {self.every}, alpha_granularity: {self.alpha_granularity})",
        }


POLICIES = (
    "plain",
    "resnet",
    "resnet(scale: 0.5)",
    "highway",
    "dirac",
    "variable",
    "variable(lambda: 0)",
    "variable(form: convex)",
)


def cases():
    for net in ("cnn", "mlp"):
        for policy in POLICIES:
            yield f"{net}, {policy}", Case(net, policy)
        variable = Case(net, "variable")
        if net == "cnn":
            unit = dataclasses.replace(variable, alpha_granularity="unit")
            yield "cnn, variable, one α a unit", unit
        variants = {
            "every epoch": {"every": "epoch", "alpha_rate": 30.0, "lambda_rate": 10.0},
            "one α a layer": {"alpha_granularity": "layer"},
            "α down to 0": {"lambda_": 1.0, "lambda_rate": 20.0},
            "weight decay and a rate step": {"weight_decay": 1.0, "at": (1,)},
            "an epoch's update at a rate step": {"every": "epoch", "at": (1,), "alpha_rate": 40.0},
            "Nesterov": {"nesterov": True, "momentum": 0.8},
            "no momentum": {"momentum": 0.0, "rate": 0.03},
        }
        for name, settings in variants.items():
            yield f"{net}, variable, {name}", dataclasses.replace(variable, **settings)
        decay = {"nesterov": True, "weight_decay": 1.0}
        yield f"{net}, dirac, Nesterov and weight decay", Case(net, "dirac", **decay)
        yield f"{net}, highway, weight decay", Case(net, "highway", weight_decay=1.0)


class Rule:
    """How α and λ move: outside of the optimizer, without momentum or decay."""

    def __init__(self, case, model):
        self.case = case
        self.skips = [m for m in model.modules() if isinstance(m, Skip) and hasattr(m, "alpha")]
        self.gradients = {skip: [] for skip in self.skips}

    def after_step(self, rate):
        for skip in self.skips:
            self.gradients[skip].append(skip.alpha.grad.clone())
        if self.case.every == "step":
            self.update(rate)

    def after_epoch(self, rate):
        if self.case.every == "epoch":
            self.update(rate)

    @torch.no_grad()
    def update(self, rate):
        for skip in self.skips:
            alpha, multiplier = skip.alpha, getattr(skip, "lambda")
            gradient = torch.stack(self.gradients[skip]).mean(0)
            self.gradients[skip] = []
            alpha -= self.case.alpha_rate * rate * (gradient + multiplier)
            alpha.clamp_(0, 1)
            if not skip.is_held():
                multiplier += self.case.lambda_rate * rate * (alpha - 1)


def build(case, dtype):
    model = {"cnn": cnn, "mlp": mlp}[case.net](case)
    model.load_state_dict(starting_weights(model), strict=False)
    return model.to(dtype)


def train(case, dtype):
    """The losses before each step, the test loss after them, and the final state."""
    model = build(case, dtype)
    (x, y), (test_x, test_y) = (split(case.net, part, dtype) for part in (0, 1))
    mean = x.mean((0, 2, 3), keepdim=True)
    std = x.std((0, 2, 3), correction=0, keepdim=True)
    x, test_x = (x - mean) / std, (test_x - mean) / std

    moved = [p for name, p in model.named_parameters() if not name.endswith(".alpha")]
    settings = {key: getattr(case, key) for key in ("momentum", "nesterov", "weight_decay")}
    optimizer = torch.optim.SGD(moved, lr=case.rate, **settings)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, case.at, case.factor)
    rule, losses = Rule(case, model), []
    while True:
        for start in range(0, TRAIN, BATCH):
            if len(losses) == STEPS:
                model.eval()
                test_loss = nn.functional.cross_entropy(model(test_x), test_y).item()
                return losses, test_loss, model.state_dict()
            batch = slice(start, start + BATCH)
            model.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
            rule.after_step(optimizer.param_groups[0]["lr"])
        rule.after_epoch(optimizer.param_groups[0]["lr"])
        schedule.step()


def far(found, wanted):
    """The largest difference, relative to what is wanted."""
    return max(abs(a - b) / abs(b) for a, b in zip(found, wanted, strict=True))


def first(state, ending):
    """The first three elements of every tensor of that name, by the path of its skip."""
    named = ((name, tensor) for name, tensor in state.items() if name.endswith(ending))
    return {
        name.removesuffix(ending): [rounded(v) for v in tensor.flatten()[:3].tolist()]
        for name, tensor in named
    }


def rounded(number):
    return float(f"{number:.9g}")


def figures(name, case):
    losses, test_loss, state = train(case, torch.float64)
    single, single_test, _ = train(case, torch.float32)
    return {
        "name": name,
        "file": f"{case.net}.van",
        "flags": case.flags(),
        "losses": [rounded(loss) for loss in losses],
        "test_loss": rounded(test_loss),
        "rounding": float(f"{far([*single, single_test], [*losses, test_loss]):.1e}"),
        "alpha": first(state, ".alpha"),
        "lambda": first(state, ".lambda"),
    }


def text(all_figures):
    """JSON with a line for each list of numbers."""

    def line(key, value, indent):
        if isinstance(value, dict) and value:
            inner = ",\n".join(line(k, v, indent + 2) for k, v in value.items())
            return f'{" " * indent}"{key}": {{\n{inner}\n{" " * indent}}}'
        return f'{" " * indent}"{key}": {json.dumps(value, ensure_ascii=False)}'

    blocks = (",\n".join(line(k, v, 2) for k, v in figure.items()) for figure in all_figures)
    return "[\n" + ",\n".join(f" {{\n{block}\n }}" for block in blocks) + "\n]\n"


# vanc -----------------------------------------------------------------------------


def run_vanc(vanc, case, folder):
    """What `train` gives, from vanc's run folder."""
    data, out, weights = folder / "data", folder / "run", folder / "weights.safetensors"
    data.mkdir()
    {"cnn": write_cifar10, "mlp": write_mnist}[case.net](data)
    write_safetensors(weights, starting_weights(build(case, torch.float32)))
    command = [vanc, "train", HERE / f"{case.net}.van", "--data-dir", data, "--out", out]
    command += ["--weights", weights, "--order", "sequential", "--augment", "off", "--quiet"]
    command += ["--max-steps", str(STEPS), "--log-every", "1"]
    command += [f"--{name}={value}" for name, value in case.flags().items()]
    subprocess.run([str(word) for word in command], check=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["split"] == "train"]
    test_loss = [line["loss"] for line in lines if line["split"] == "test"][-1]
    return losses, test_loss, read_safetensors(out / "checkpoints" / "last.safetensors")


def far_tensors(found, wanted):
    """The tensor that is farthest from the wanted one, relative to its largest element."""
    worst = (0.0, "")
    for name, tensor in wanted.items():
        if not name.endswith(".num_batches_tracked"):
            scale = tensor.abs().max().clamp(min=1e-6)
            distance = ((found[name] - tensor).abs().max() / scale).item()
            worst = max(worst, (distance, name))
    return worst


def check_vanc(vanc, known):
    """Runs every case, prints how far it is from PyTorch, and whether all are near."""
    print(f'{"case":50} {"losses":>8} {"test":>8} {"tensors":>8}  (PyTorch in 32 bits: losses)')
    near = True
    for name, case in cases():
        with tempfile.TemporaryDirectory() as folder:
            losses, test_loss, state = run_vanc(vanc, case, pathlib.Path(folder))
        wanted = known[name]
        tensors, farthest = far_tensors(state, train(case, torch.float64)[2])
        distances = far(losses, wanted["losses"]), far([test_loss], [wanted["test_loss"]]), tensors
        far_off = max(distances) > TOLERANCE
        note = f"  FAR: {losses}, {farthest}" if far_off else ""
        columns = " ".join(f"{distance:8.1e}" for distance in distances)
        print(f'{name:50} {columns}  ({wanted["rounding"]:.1e}){note}', flush=True)
        near &= not far_off
    return near


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write losses.json anew")
    parser.add_argument("--check", metavar="VANC", help="run this binary on every case, too")
    args = parser.parse_args()
    torch.set_num_threads(1)

    now = [figures(name, case) for name, case in cases()]
    if args.write:
        FIGURES.write_text(text(now))
    known = {figure["name"]: figure for figure in json.loads(FIGURES.read_text())}
    changed = [f["name"] for f in now if not same(f, known.get(f["name"]))]
    if changed or len(known) != len(now):
        sys.exit(f"{FIGURES} is not what PyTorch {torch.__version__} gives: {changed}")
    print(f"{len(now)} cases: {FIGURES.name} is what PyTorch {torch.__version__} gives")
    if args.check and not check_vanc(args.check, known):
        sys.exit(f"vanc is further than {TOLERANCE} from PyTorch")


def same(figure, known):
    if known is None or figure["flags"] != known["flags"] or figure["rounding"] > TOLERANCE / 10:
        return False
    numbers = [[*f["losses"], f["test_loss"]] for f in (figure, known)]
    return all(map(math.isfinite, numbers[0])) and far(*numbers) < 1e-7


if __name__ == "__main__":
    main()
