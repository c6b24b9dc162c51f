"""The networks of `examples/cifar_8n2.van` and `examples/mnist_mlp.van` in PyTorch, and
the time that a step of training them takes. One measurement a process."""

import argparse
import collections
import json
import pathlib
import resource
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "torch"))

import torch
from torch import nn

from networks import DiracConv2d, DiracLinear, Skip, scope

Case = collections.namedtuple("Case", "policy alpha_granularity lambda_")


def cnn(case, n, width):
    conv = DiracConv2d if case.policy == "dirac" else nn.Conv2d

    def unit(before, after, side, stride):
        body = scope(
            Skip,
            conv(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            conv(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        )
        shapes = (before, side * stride, side * stride), (after, side, side)
        return body.join(case, *shapes, kernel=3, stride=stride, pad=False)

    layers, channels = [nn.Conv2d(3, width, 3, 1, 1, bias=False)], width
    for stage in range(4):
        for index in range(n):
            after, stride = width << stage, 2 if stage and not index else 1
            layers.append(unit(channels, after, 32 >> stage, stride))
            channels = after
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers, *tail)


def mlp(case, depth, width):
    linear = DiracLinear if case.policy == "dirac" else nn.Linear

    def unit():
        body = scope(Skip, nn.BatchNorm1d(width), nn.ReLU(), linear(width, width))
        return body.join(case, (width,), (width,), kernel=1, stride=1, pad=False)

    units = [unit() for _ in range(depth)]
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), *units, nn.Linear(width, 10))


class Trainer:
    """A step of training: forward, backward, SGD, and the rule of α and λ."""

    def __init__(self, net, rate, lambda_rate, x, y, compiled):
        self.skips = [m for m in net.modules() if isinstance(m, Skip) and hasattr(m, "alpha")]
        alphas = {id(skip.alpha) for skip in self.skips}
        weights = [p for p in net.parameters() if id(p) not in alphas]
        self.sgd = torch.optim.SGD(weights, lr=rate, momentum=0.9)
        self.net = torch.compile(net) if compiled else net
        self.rate, self.lambda_rate, self.x, self.y = rate, lambda_rate, x, y

    def step(self):
        self.sgd.zero_grad(set_to_none=True)
        for skip in self.skips:
            skip.alpha.grad = None
        loss = nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.sgd.step()
        with torch.no_grad():
            for skip in self.skips:
                multiplier = getattr(skip, "lambda")
                skip.alpha.sub_(self.rate * (skip.alpha.grad + multiplier)).clamp_(0, 1)
                if not skip.is_held():
                    multiplier.add_(self.lambda_rate * (skip.alpha - 1))
        return loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=["cnn", "mlp"])
    parser.add_argument("--size", type=int, required=True, help="n of the CNN, depth of the MLP")
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--policy", default="variable")
    parser.add_argument("--mode", choices=["eager", "channels_last", "compiled"], default="eager")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    case = Case(args.policy, "channel" if args.network == "cnn" else "unit", -1.0)
    if args.network == "cnn":
        net, rate, lambda_rate = cnn(case, args.size, args.width), 0.1, 0.01
        x = torch.randn(args.batch, 3, 32, 32)
    else:
        net, rate, lambda_rate = mlp(case, args.size, args.width), 1e-3, 5e-4
        x = torch.randn(args.batch, 1, 28, 28)
    if args.mode == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (args.batch,))
    trainer = Trainer(net, rate, lambda_rate, x, y, args.mode == "compiled")
    for _ in range(3):
        trainer.step()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < args.seconds:
        before = time.perf_counter()
        trainer.step()
        times.append(time.perf_counter() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds_per_step": statistics.median(times), "peak_bytes": peak}))


main()
