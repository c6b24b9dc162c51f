"""`cnn.van` and `mlp.van` in PyTorch. Modules are named so that `state_dict` has the
names that vanc's files have."""

import collections

import torch
from torch import nn


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
