#!/usr/bin/env python3
"""Step times of vanc on a GPU beside PyTorch's, in one session: `benches/gpu.sh` runs it.

Both train on data that lies on the card, with momentum and the α/λ rule; times are
medians of steps between synchronisations, after a warm-up.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

try:
    import torch
    from torch import nn
except ImportError:
    torch = nn = None

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
WARM_UP, GROUPS, STEPS = 30, 9, 20

# name; file, its flags, precision; network and dtype of PyTorch; (eager, compiled) must and aim
ROWS = [
    ("cifar_8n2, TF32", "cifar_8n2.van", ["--n", "4", "--width", "64", "--batch", "128"], "tf32",
     "cnn", None, ((0.9, 0.6), (1.1, 0.9))),
    ("cifar_8n2, bf16", "cifar_8n2.van", ["--n", "4", "--width", "64", "--batch", "128"], "bf16",
     "cnn", "bf16", (None, (1.2, 0.9))),
    ("MLP of 30 blocks", "deep_mlp.van", ["--depth", "30", "--batch", "128"], "tf32",
     "mlp", None, ((0.1, 0.03), (0.3, 0.1))),
]


if nn:
    class Skip(nn.Module):
        """F(x) + (1 − α)·s(x)."""

        def __init__(self, body, channels, project=None):
            super().__init__()
            self.body, self.project = body, project
            self.alpha = nn.Parameter(torch.zeros(channels))
            self.register_buffer("multiplier", -torch.ones(channels))

        def forward(self, x):
            s = x if self.project is None else self.project(x)
            keep = 1 - self.alpha
            return self.body(x) + (keep.view(-1, 1, 1) if x.dim() == 4 else keep) * s


def conv(before, after, stride=1, kernel=3):
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)


def cnn():
    width, n, layers, before = 64, 4, [conv(3, 64)], 64
    for stage in range(4):
        after = width << stage
        for i in range(n):
            stride = 2 if stage > 0 and i == 0 else 1
            body = nn.Sequential(
                conv(before, after, stride), nn.BatchNorm2d(after), nn.ReLU(),
                conv(after, after), nn.BatchNorm2d(after), nn.ReLU(),
            )
            project = conv(before, after, stride, 1) if before != after else None
            layers.append(Skip(body, after, project))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def mlp():
    def block():
        return Skip(nn.Sequential(nn.BatchNorm1d(50), nn.ReLU(), nn.Linear(50, 50)), 50)

    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 50), *[block() for _ in range(30)], nn.Linear(50, 10))


def torch_step(network, dtype, compiled):
    """Milliseconds of a step."""
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    model = {"cnn": cnn, "mlp": mlp}[network]().cuda()
    shape = (128, 3, 32, 32) if network == "cnn" else (128, 1, 28, 28)
    x = torch.randn(shape, device="cuda")
    if network == "cnn":
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (128,), device="cuda")
    skips = [m for m in model.modules() if isinstance(m, Skip)]
    alphas = [s.alpha for s in skips]
    multipliers = [s.multiplier for s in skips]
    others = [p for p in model.parameters() if not any(p is a for a in alphas)]
    sgd = torch.optim.SGD(others, lr=1e-6, momentum=0.9, foreach=True)

    def loss_of(x, labels):
        with torch.autocast("cuda", torch.bfloat16, enabled=dtype == "bf16"):
            return nn.functional.cross_entropy(model(x), labels)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step():
        sgd.zero_grad(set_to_none=True)
        for alpha in alphas:
            alpha.grad = None
        forward(x, labels).backward()
        sgd.step()
        with torch.no_grad():
            slopes = torch._foreach_add([a.grad for a in alphas], multipliers)
            torch._foreach_add_(alphas, slopes, alpha=-1e-6)
            torch._foreach_clamp_min_(alphas, 0.0)
            torch._foreach_clamp_max_(alphas, 1.0)
            apart = torch._foreach_sub(alphas, 1.0)
            torch._foreach_add_(multipliers, apart, alpha=1e-7)

    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    times = []
    for _ in range(GROUPS):
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / STEPS)
    return statistics.median(times) * 1e3


def vanc_step(binary, file, flags, precision):
    """Milliseconds of a step, and the engine's name."""
    command = [binary, "bench", str(EXAMPLES / file), *flags, "--device", "cuda",
               "--precision", precision, "--format", "json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found["seconds_per_step"] * 1e3, found["engine"]


def verdict(ratio, bounds):
    if bounds is None:
        return f"{ratio:.2f}"
    must, aim = bounds
    word = "aim met" if ratio <= aim else "must met" if ratio <= must else "MISSED"
    return f"{ratio:.3f} ({word}: must {must}, aim {aim})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vanc", help="the binary")
    arguments = parser.parse_args()
    if torch:
        print(f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}\n", flush=True)
    else:
        print("PyTorch is not installed: vanc's times alone\n", flush=True)
    engine = ""
    print("| work | vanc | eager | compiled | to eager | to compiled |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for name, file, flags, precision, network, dtype, bounds in ROWS:
        try:
            ours, engine = vanc_step(arguments.vanc, file, flags, precision)
        except subprocess.CalledProcessError as error:
            print(f"| {name} | failed: {error.stderr.strip()} | | | | |", flush=True)
            continue
        cells = [f"{ours:.3f} ms"]
        if torch:
            eager = torch_step(network, dtype, compiled=False)
            try:
                compiled = torch_step(network, dtype, compiled=True)
            except Exception as error:  # whatever the compiler there lacks
                print(f"torch.compile failed: {error!r:.300}")
                compiled = float("nan")
            cells += [f"{eager:.3f} ms", f"{compiled:.3f} ms",
                      verdict(ours / eager, bounds[0]), verdict(ours / compiled, bounds[1])]
        else:
            cells += [""] * 4
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"\n{engine}")


if __name__ == "__main__":
    main()
