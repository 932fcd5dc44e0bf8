"""A solver as Caffe has it: its text file says how to learn, its update is Caffe's.

Caffe keeps a history v per parameter, v = momentum v + rate (gradient + weight_decay w), w -= v.
The rate is inside, so that a falling rate meets what is already in motion; torch's SGD multiplies
by the rate outside. The two agree as long as the rate stays.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import chainrule as cr
from chainrule import Tensor, nn

LENET_SOLVER = """
# The solver of Caffe's LeNet example, with the step policy.
base_lr: 0.01
lr_policy: "step"
gamma: 0.1        # the rate falls to a tenth ...
stepsize: 100     # ... every 100 iterations
momentum: 0.9
weight_decay: 0.0005
max_iter: 200
display: 50
"""


@dataclass
class SolverParameter:
    """What a solver's text may set, with Caffe's names."""

    base_lr: float
    lr_policy: str = "fixed"
    gamma: float = 0.1
    power: float = 0.75
    stepsize: int = 1
    momentum: float = 0.0
    weight_decay: float = 0.0
    max_iter: int = 1
    display: int = 0

    @classmethod
    def parse(cls, text: str) -> "SolverParameter":
        """Read `name: value` lines; a mistake is named by its line."""
        kinds: dict[Any, Any] = {float: float, int: int, str: lambda word: word.strip('"')}
        types = {field.name: kinds[field.type] for field in fields(cls)}
        values: dict[str, Any] = {}
        for number, line in enumerate(text.splitlines(), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            match = re.fullmatch(r"(\w+)\s*:\s*(\S+)", line)
            if not match or match[1] not in types:
                raise ValueError(f"solver: line {number}: {line!r}; expected one of {list(types)}")
            try:
                values[match[1]] = types[match[1]](match[2])
            except ValueError:
                raise ValueError(f"solver: line {number}: {line!r}; expected a number") from None
        if "base_lr" not in values:
            raise ValueError("solver: no base_lr; expected a line `base_lr: 0.01`")
        if values.get("stepsize", 1) < 1:
            raise ValueError(f"solver: stepsize: {values['stepsize']}; expected 1 or more")
        return cls(**values)

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration by the policy."""
        if self.lr_policy == "fixed":
            return self.base_lr
        if self.lr_policy == "step":
            return self.base_lr * self.gamma ** (iteration // self.stepsize)
        if self.lr_policy == "exp":
            return self.base_lr * self.gamma**iteration
        if self.lr_policy == "inv":
            return self.base_lr * (1 + self.gamma * iteration) ** -self.power
        raise ValueError(f"solver: lr_policy {self.lr_policy!r}; expected fixed, step, exp or inv")


class Solver:
    """Trains a net as the text says."""

    def __init__(self, text: str, net: nn.Module) -> None:
        self.param = SolverParameter.parse(text)
        self.param.rate(0)  # an unknown policy is said now
        self.net = net
        self.iteration = 0
        self.history = [cr.zeros_like(p) for p in net.parameters()]
        self.losses: list[float] = []

    @cr.no_grad()
    def apply_update(self) -> None:
        """One step of Caffe's SGD on the gradients at hand."""
        rate = self.param.rate(self.iteration)
        for w, v in zip(self.net.parameters(), self.history, strict=True):
            v.mul_(self.param.momentum).add_(w.grad + self.param.weight_decay * w, alpha=rate)
            w -= v
        self.iteration += 1

    def solve(
        self,
        batches: Iterable[tuple[Tensor, Tensor]],
        loss: Callable[[Tensor, Tensor], Tensor],
        say: Callable[[str], object] = print,
    ) -> None:
        """Run max_iter iterations, or as many as there are batches."""
        for x, y in batches:
            if self.iteration >= self.param.max_iter:
                break
            self.net.zero_grad()
            value = loss(self.net(x), y)
            value.backward()
            self.losses.append(value.item())
            if self.param.display and self.iteration % self.param.display == 0:
                rate = self.param.rate(self.iteration)
                say(f"Iteration {self.iteration}, lr = {rate:g}, loss = {value.item():.4f}")
            self.apply_update()


def lenet() -> nn.Sequential:
    """Caffe's LeNet, for 28 x 28 images: two convolutions with pooling, two full layers."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )
