"""Torch7's modules and criterions over chainrule tensors, for reading its code beside ours.

Torch7 records nothing while it computes. Each module has its own backward, written by hand, and
keeps what happened as attributes: output, gradInput, gradWeight, gradBias. The caller runs
``crit:forward``, ``crit:backward``, ``net:backward`` and ``updateParameters`` himself. Indices and
class labels count from 1. Names are Torch7's, with a dot for Lua's colon.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import chainrule as cr
from chainrule import Tensor

NAMES = {"float64": "Double", "float32": "Float", "int64": "Long", "int32": "Int", "uint8": "Byte"}


class Module:
    """What every module has: forward, backward, and its parameters beside their gradients."""

    train = True
    output: Tensor
    gradInput: Tensor

    def forward(self, input: Tensor) -> Tensor:
        self.output = self.updateOutput(input)
        return self.output

    def backward(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        self.gradInput = self.updateGradInput(input, gradOutput)
        self.accGradParameters(input, gradOutput)
        return self.gradInput

    def updateOutput(self, input: Tensor) -> Tensor:
        raise NotImplementedError

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        raise NotImplementedError

    def accGradParameters(self, input: Tensor, gradOutput: Tensor) -> None:
        """Add to the parameters' gradients; most modules have no parameters."""

    def parameters(self) -> list[tuple[Tensor, Tensor]]:
        return []

    def zeroGradParameters(self) -> None:
        for _, gradient in self.parameters():
            gradient.zero_()

    def updateParameters(self, learningRate: float) -> None:
        for parameter, gradient in self.parameters():
            parameter.sub_(learningRate * gradient)

    def training(self) -> None:
        self.train = True

    def evaluate(self) -> None:
        self.train = False


class Linear(Module):
    """output = weight input + bias, for one input (a vector) or a batch of rows."""

    def __init__(self, inputSize: int, outputSize: int, bias: bool = True) -> None:
        reach = 1 / math.sqrt(inputSize)
        self.weight = cr.empty(outputSize, inputSize, dtype=cr.float64).uniform_(-reach, reach)
        self.gradWeight = cr.zeros_like(self.weight)
        self.bias = cr.empty(outputSize, dtype=cr.float64).uniform_(-reach, reach) if bias else None
        self.gradBias = cr.zeros(outputSize, dtype=cr.float64)

    def updateOutput(self, input: Tensor) -> Tensor:
        output = input @ self.weight.T
        return output if self.bias is None else output + self.bias

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        return gradOutput @ self.weight

    def accGradParameters(self, input: Tensor, gradOutput: Tensor) -> None:
        rows = gradOutput.reshape(-1, len(self.weight))
        self.gradWeight += rows.T @ input.reshape(len(rows), -1)
        self.gradBias += rows.sum(0)

    def parameters(self) -> list[tuple[Tensor, Tensor]]:
        both = [(self.weight, self.gradWeight)]
        return both if self.bias is None else [*both, (self.bias, self.gradBias)]


class Sigmoid(Module):
    """1 / (1 + exp(-x)); its slope is y (1 - y)."""

    def updateOutput(self, input: Tensor) -> Tensor:
        return cr.sigmoid(input)

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        return gradOutput * self.output * (1 - self.output)


class Tanh(Module):
    """tanh(x); its slope is 1 - y^2."""

    def updateOutput(self, input: Tensor) -> Tensor:
        return cr.tanh(input)

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        return gradOutput * (1 - self.output**2)


class ReLU(Module):
    """max(x, 0)."""

    def updateOutput(self, input: Tensor) -> Tensor:
        return cr.where(input > 0, input, 0.0)

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        return cr.where(input > 0, gradOutput, 0.0)


class LogSoftMax(Module):
    """log(exp(x) / sum exp(x)), over the last dimension."""

    def updateOutput(self, input: Tensor) -> Tensor:
        return cr.log_softmax(input, -1)

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        return gradOutput - self.output.exp() * gradOutput.sum(-1, keepdim=True)


class Dropout(Module):
    """Zeros of probability p while training, the rest divided by 1 - p; nothing in evaluate()."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def updateOutput(self, input: Tensor) -> Tensor:
        self.noise = cr.ones_like(input)
        if self.train:
            self.noise = (cr.rand_like(input) >= self.p) / (1 - self.p)
        return input * self.noise

    def updateGradInput(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        return gradOutput * self.noise


class Sequential(Module):
    """Modules one after the other."""

    def __init__(self) -> None:
        self.modules: list[Module] = []

    def add(self, module: Module) -> Sequential:
        self.modules.append(module)
        return self

    def get(self, index: int) -> Module:
        """The module at an index that counts from 1."""
        if not 1 <= index <= len(self.modules):
            raise IndexError(f"get: got {index}; expected 1 to {len(self.modules)}")
        return self.modules[index - 1]

    def updateOutput(self, input: Tensor) -> Tensor:
        for module in self.modules:
            input = module.forward(input)
        return input

    def backward(self, input: Tensor, gradOutput: Tensor) -> Tensor:
        inputs = [input, *(module.output for module in self.modules[:-1])]
        for module, seen in zip(reversed(self.modules), reversed(inputs), strict=True):
            gradOutput = module.backward(seen, gradOutput)
        self.gradInput = gradOutput
        return gradOutput

    def parameters(self) -> list[tuple[Tensor, Tensor]]:
        return [pair for module in self.modules for pair in module.parameters()]

    def training(self) -> None:
        for module in (super(), *self.modules):
            module.training()

    def evaluate(self) -> None:
        for module in (super(), *self.modules):
            module.evaluate()


class Criterion:
    """A loss: forward(input, target) is a number, backward its derivative by the input."""

    output: float
    gradInput: Tensor

    def forward(self, input: Tensor, target: Tensor) -> float:
        self.output = self.updateOutput(input, target).item()
        return self.output

    def backward(self, input: Tensor, target: Tensor) -> Tensor:
        self.gradInput = self.updateGradInput(input, target)
        return self.gradInput

    updateOutput: Callable[[Tensor, Tensor], Tensor]
    updateGradInput: Callable[[Tensor, Tensor], Tensor]


class MSECriterion(Criterion):
    """The mean of (input - target)^2."""

    def updateOutput(self, input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2).mean()

    def updateGradInput(self, input: Tensor, target: Tensor) -> Tensor:
        return 2 * (input - target) / input.numel()


class AbsCriterion(Criterion):
    """The mean of |input - target|."""

    def updateOutput(self, input: Tensor, target: Tensor) -> Tensor:
        return (input - target).abs().mean()

    def updateGradInput(self, input: Tensor, target: Tensor) -> Tensor:
        return (input - target).sign() / input.numel()


class ClassNLLCriterion(Criterion):
    """The mean of -input[target], for log probabilities (N, C) and classes counted from 1."""

    def updateOutput(self, input: Tensor, target: Tensor) -> Tensor:
        return -input.gather(1, target[:, None] - 1).mean()

    def updateGradInput(self, input: Tensor, target: Tensor) -> Tensor:
        return cr.zeros_like(input).scatter_(1, target[:, None] - 1, -1 / len(input))


def show(tensor: Tensor) -> str:
    """A vector or matrix as Torch7's print wrote it: numbers in columns, then type and size.

    Whole numbers stand without a point, others with four digits after it; one format serves all.
    """
    kind = f"torch.{NAMES[str(tensor.dtype).split('.')[-1]]}Tensor"
    if not tensor.numel():
        return f"[{kind} with no dimension]"
    numbers = tensor.double().reshape(len(tensor), -1).tolist()
    sizes = [abs(number) for row in numbers for number in row]
    finite = [size for size in sizes if math.isfinite(size)] or [0.0]
    most, least = (math.floor(math.log10(n)) + 1 if n else 0 for n in (max(finite), min(finite)))
    scale = 1.0
    if len(finite) < len(sizes):
        form = "{:f}"
    elif all(size.is_integer() for size in sizes):
        form = f"{{:{most + 1}.0f}}" if most <= 9 else "{:11.4e}"
    elif most - least > 4:
        form = "{:11.4e}"
    elif most > 5 or most < 0:
        form, scale = "{:7.4f}", 10.0 ** (most - 1)
    else:
        form = f"{{:{most + 6 if most else 7}.4f}}"
    lines = [] if scale == 1 else [f"{scale:g} *"]
    lines += [" ".join(form.format(number / scale) for number in row) for row in numbers]
    size = "x".join(map(str, tensor.shape))
    return "\n".join([*lines, f"[{kind} of size {size}]"])
