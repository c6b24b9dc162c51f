"""vanc beside PyTorch: the time of a training step and the memory it takes.

    cargo build --release && python3 benches/pytorch/compare.py

Runs both programs in turn on the same shapes and threads, several rounds, and prints
the best median of each and the ratio to the best way that PyTorch has: eager, with
channels_last (CNNs only), or compiled. A ratio below 1 is a shorter step.
"""

import argparse
import collections
import importlib.util
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
MODES = ["eager", "channels_last", "compiled"]

Work = collections.namedtuple("Work", "network size width batch")
WORKS = {
    "cifar n=1": Work("cnn", 1, 64, 32),
    "cifar n=4": Work("cnn", 4, 64, 32),
    "cifar n=1 batch 128": Work("cnn", 1, 64, 128),
    "cifar n=1 width 16 batch 128": Work("cnn", 1, 16, 128),
    "mlp depth 30": Work("mlp", 30, 50, 128),
}


def measured(command):
    """What the program printed as JSON, or why it did not."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout), None
    lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
    return None, lines[-1]


def vanc(args, work, policy):
    file, size = ("cifar_8n2.van", "--n") if work.network == "cnn" else ("mnist_mlp.van", "--depth")
    command = [args.vanc, "bench", ROOT / "examples" / file, size, work.size]
    command += ["--width", work.width, "--batch", work.batch, "--policy", policy]
    command += ["--threads", args.threads, "--format", "json"]
    return measured([str(word) for word in command])


def pytorch(args, work, policy, mode):
    command = [sys.executable, HERE / "peer.py", work.network, "--size", work.size]
    command += ["--width", work.width, "--batch", work.batch, "--policy", policy]
    command += ["--mode", mode, "--threads", args.threads, "--seconds", args.seconds]
    return measured([str(word) for word in command])


def compare(args, work, policy):
    """The best of each program's rounds: seconds and bytes, and PyTorch's by mode."""
    ours, theirs = [], collections.defaultdict(list)
    modes = [mode for mode in args.modes if work.network == "cnn" or mode != "channels_last"]
    for _ in range(args.rounds):
        found, why = vanc(args, work, policy)
        if why:
            sys.exit(f"{args.vanc}: {why}")
        ours.append(found)
        for mode in list(modes):
            found, why = pytorch(args, work, policy, mode)
            if why:
                print(f"  PyTorch, {mode}: {why}", file=sys.stderr)
                modes.remove(mode)
            else:
                theirs[mode].append(found)
    best = lambda rounds: min(rounds, key=lambda found: found["seconds_per_step"])
    return best(ours), {mode: best(rounds) for mode, rounds in theirs.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vanc", default=ROOT / "target" / "release" / "vanc")
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--policy", nargs="+", default=["variable"])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each of PyTorch's rounds")
    args = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        print("skipped: PyTorch is not installed (pip install torch)")
        return
    print(f"{'':<40}{'vanc':>10}", *(f"{mode:>14}" for mode in args.modes), f"{'ratio':>8}{'memory':>8}")
    for name in args.work:
        for policy in args.policy:
            ours, theirs = compare(args, WORKS[name], policy)
            cells = []
            for mode in args.modes:
                found = theirs.get(mode)
                cells.append(f"{found['seconds_per_step'] * 1e3:>11.1f} ms" if found else f"{'–':>14}")
            best = min(theirs.values(), key=lambda found: found["seconds_per_step"])
            ratio = ours["seconds_per_step"] / best["seconds_per_step"]
            memory = ours["peak_bytes"] / min(found["peak_bytes"] for found in theirs.values())
            label, time = f"{name}, {policy}", f"{ours['seconds_per_step'] * 1e3:>7.1f} ms"
            print(f"{label:<40}{time:>10}", *cells, f"{ratio:>8.2f}{memory:>8.2f}", flush=True)


main()
