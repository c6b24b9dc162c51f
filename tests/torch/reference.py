#!/usr/bin/env python3
"""The networks of `cnn.van` and `mlp.van` in PyTorch: what vanc's losses are held against.

    python3 tests/torch/reference.py                  check that losses.json still holds
    python3 tests/torch/reference.py --write          write losses.json anew
    python3 tests/torch/reference.py --check VANC     run that binary on every case, too

Each case trains five steps in the order of the files, then evaluates the test split.
Nothing here reads vanc's code or takes numbers from it: layers, gradients, momentum and
decay are PyTorch's.

The figures are those of 64-bit floats, where rounding does not show; `rounding` is how
far the same program in 32-bit floats is from them.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors.torch import load_file
    from torch import nn
except ImportError:
    print("skipped: PyTorch or safetensors is not installed")
    sys.exit(0)

from cases import cases
from inputs import (
    TRAIN,
    read_safetensors,
    split,
    starting_weights,
    write_cifar10,
    write_mnist,
    write_safetensors,
)
from networks import Skip, cnn, mlp

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "losses.json"
STEPS, BATCH = 5, 8
# Largest relative differences. vanc promises 1e-3 of the losses; it was within 2e-6 of
# them, and within 1e-5 of every tensor's largest element, where this was written.
LOSSES, TENSORS = 1e-5, 1e-4


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
    assert len(found) == len(wanted), f"{found} instead of {wanted}"
    return worst(abs(a - b) / abs(b) for a, b in zip(found, wanted))


def worst(distances):
    """The largest; infinite where one is no number, which `max` may pass over."""
    return max(d if math.isfinite(d) else math.inf for d in distances)


def rounded(number):
    return float(f"{number:.9g}")


def first(state, ending):
    """The first three elements of every tensor of that name, by the path of its skip."""
    named = ((name, tensor) for name, tensor in state.items() if name.endswith(ending))
    return {
        name.removesuffix(ending): [rounded(v) for v in tensor.flatten()[:3].tolist()]
        for name, tensor in named
    }


def figures(name, case):
    """What `losses.json` says of a case, and every tensor after the last step."""
    losses, test_loss, state = train(case, torch.float64)
    single, single_test, _ = train(case, torch.float32)
    rounding = far([*single, single_test], [*losses, test_loss])
    figure = {
        "name": name,
        "file": f"{case.net}.van",
        "flags": case.flags(),
        "losses": [rounded(loss) for loss in losses],
        "test_loss": rounded(test_loss),
        "rounding": float(f"{rounding:.1e}"),
        "alpha": first(state, ".alpha"),
        "lambda": first(state, ".lambda"),
    }
    return figure, state


def text(all_figures):
    """JSON with each list of numbers on a line."""

    def line(key, value, indent):
        margin = " " * indent
        if isinstance(value, dict) and value:
            inner = ",\n".join(line(k, v, indent + 2) for k, v in value.items())
            return f'{margin}"{key}": {{\n{inner}\n{margin}}}'
        return f'{margin}"{key}": {json.dumps(value, ensure_ascii=False)}'

    blocks = (",\n".join(line(k, v, 2) for k, v in figure.items()) for figure in all_figures)
    return "[\n" + ",\n".join(f" {{\n{block}\n }}" for block in blocks) + "\n]\n"


def is_same(figure, known):
    """Whether the figures are sound and those that are known, up to rounding."""
    if known is None or figure["rounding"] > LOSSES:
        return False
    words = [[f["file"], f["flags"]] for f in (figure, known)]
    numbers = [[*f["losses"], f["test_loss"], *constraint_values(f)] for f in (figure, known)]
    return words[0] == words[1] and far(*numbers) < 1e-7


def constraint_values(figure):
    """α + 1, which is never 0, and λ, where it moves."""
    alphas = [alpha + 1 for values in figure["alpha"].values() for alpha in values]
    return alphas + [v for values in figure["lambda"].values() for v in values if v]


def run_vanc(vanc, case, folder):
    """What `train` gives, from vanc's run folder."""
    data, out, weights = folder / "data", folder / "run", folder / "weights.safetensors"
    data.mkdir()
    {"cnn": write_cifar10, "mlp": write_mnist}[case.net](data)
    write_safetensors(weights, starting_weights(build(case, torch.float32)))
    command = [vanc, "train", HERE / f"{case.net}.van", "--data-dir", data, "--out", out]
    command += ["--weights", weights, "--order", "sequential", "--augment", "off", "--quiet"]
    command += ["--max-steps", STEPS, "--log-every", 1]
    command += [f"--{name}={value}" for name, value in case.flags().items()]
    subprocess.run([str(word) for word in command], check=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["split"] == "train"]
    test_loss = [line["loss"] for line in lines if line["split"] == "test"][-1]
    last = out / "checkpoints" / "last.safetensors"
    load_strictly(case, last)
    return losses, test_loss, read_safetensors(last) | read_safetensors(
        last.with_suffix(".state.safetensors")
    )


def load_strictly(case, path):
    """Loads vanc's weights as a user would. The networks here keep λ, which weights lack."""
    model = build(case, torch.float32)
    multipliers = [name for name in model.state_dict() if name.endswith(".lambda")]
    if not multipliers:
        model.load_state_dict(load_file(path), strict=True)
        return
    missing, unexpected = model.load_state_dict(load_file(path), strict=False)
    assert (missing, unexpected) == (multipliers, []), f"{missing}, {unexpected}"


def is_near(vanc, case, figure, wanted):
    """Runs the binary on a case and prints a line on how far it is from PyTorch."""
    with tempfile.TemporaryDirectory() as folder:
        losses, test_loss, state = run_vanc(vanc, case, pathlib.Path(folder))
    of_losses = far(losses, figure["losses"])
    of_test = far([test_loss], [figure["test_loss"]])
    by_tensor = {
        name: ((state[name] - tensor).abs().max() / tensor.abs().max().clamp(min=1e-3)).item()
        for name, tensor in wanted.items()
        if not name.endswith(".num_batches_tracked")
    }
    of_tensors = worst(by_tensor.values())
    near = max(of_losses, of_test) <= LOSSES and of_tensors <= TENSORS
    columns = f"{of_losses:8.1e} {of_test:9.1e} {of_tensors:8.1e} {figure['rounding']:12.1e}"
    print(f"{figure['name']:48} {columns}{'' if near else '  FAR'}", flush=True)
    if not near:
        farthest = sorted(by_tensor, key=by_tensor.get)[-3:]
        print(f"    losses {losses} instead of {figure['losses']}; farthest: {farthest}")
    return near


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write losses.json anew")
    parser.add_argument("--check", metavar="VANC", help="run this binary on every case, too")
    args = parser.parse_args()
    torch.set_num_threads(1)

    results = [(case, *figures(name, case)) for name, case in cases()]
    if args.write:
        FIGURES.write_text(text(figure for _, figure, _ in results))
    known = {figure["name"]: figure for figure in json.loads(FIGURES.read_text())}
    changed = [f["name"] for _, f, _ in results if not is_same(f, known.pop(f["name"], None))]
    if changed or known:
        cases_named = ", ".join(changed or known)
        sys.exit(f"{FIGURES.name} is not what PyTorch {torch.__version__} gives: {cases_named}")
    print(f"{FIGURES.name} is what PyTorch {torch.__version__} gives, in {len(results)} cases")
    if args.check:
        columns = f"{'losses':>8} {'test loss':>9} {'tensors':>8} {'32-bit torch':>12}"
        print(f"\n{'largest relative difference':48} {columns}")
        if not all([is_near(args.check, *result) for result in results]):
            sys.exit(f"further than {LOSSES} from PyTorch's losses or {TENSORS} from its tensors")


if __name__ == "__main__":
    main()
