"""Which policies and training settings are compared."""

import dataclasses


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
