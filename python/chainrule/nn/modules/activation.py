"""Activation functions as modules."""

from __future__ import annotations

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class ReLU(Module[[Tensor], Tensor]):
    """Apply ``max(x, 0)`` elementwise.

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.ReLU()(cr.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return ``max(input, 0)``."""
        return F.relu(input, self.inplace)

    def extra_repr(self) -> str:
        """Return ``inplace`` when set."""
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module[[Tensor], Tensor]):
    """Apply ``x`` where positive, ``negative_slope * x`` elsewhere.

    Args:
        negative_slope: the slope for negative inputs.
        inplace: write the result into the input.

    Example:
        >>> cr.nn.LeakyReLU(0.1)(cr.tensor([-1.0, 2.0]))
        tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the leaky rectification."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module[[Tensor], Tensor]):
    """Apply ``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Args:
        alpha: minus the limit for large negative inputs.
        inplace: write the result into the input.

    Example:
        >>> cr.nn.ELU()(cr.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the exponential linear unit."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class GELU(Module[[Tensor], Tensor]):
    """Apply ``x * Phi(x)``, Phi being the standard normal distribution function.

    Args:
        approximate: ``"none"`` (by erf) or ``"tanh"``:
            ``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``.

    Example:
        >>> cr.nn.GELU()(cr.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Return the Gaussian error linear unit."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"approximate={self.approximate!r}"


class SiLU(Module[[Tensor], Tensor]):
    """Apply ``x * sigmoid(x)``, also called swish.

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.SiLU()(cr.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input * sigmoid(input)``."""
        return F.silu(input, self.inplace)

    def extra_repr(self) -> str:
        """Return ``inplace`` when set."""
        return "inplace=True" if self.inplace else ""


class Mish(Module[[Tensor], Tensor]):
    """Apply ``x * tanh(softplus(x))``.

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.Mish()(cr.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input * tanh(softplus(input))``."""
        return F.mish(input, self.inplace)

    def extra_repr(self) -> str:
        """Return ``inplace`` when set."""
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module[[Tensor], Tensor]):
    """Apply ``1 / (1 + exp(-x))``.

    Example:
        >>> cr.nn.Sigmoid()(cr.tensor([0.0, 2.0]))
        tensor([0.5000, 0.8808])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the logistic function of the input."""
        return cr.sigmoid(input)


class Tanh(Module[[Tensor], Tensor]):
    """Apply the hyperbolic tangent.

    Example:
        >>> cr.nn.Tanh()(cr.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the hyperbolic tangent of the input."""
        return cr.tanh(input)


class Softplus(Module[[Tensor], Tensor]):
    """Apply ``log(1 + exp(beta * x)) / beta``, a smooth version of ReLU.

    Args:
        beta: how sharp the bend is.
        threshold: where ``beta * x`` exceeds it, the output is ``x``.

    Example:
        >>> cr.nn.Softplus()(cr.tensor([0.0, 2.0]))
        tensor([0.6931, 2.1269])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """Return the softplus of the input."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module[[Tensor], Tensor]):
    """Apply ``log(sigmoid(x))``, without overflow or loss of digits.

    Example:
        >>> cr.nn.LogSigmoid()(cr.tensor([0.0, -200.0]))
        tensor([  -0.6931, -200.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the logarithm of the logistic function of the input."""
        return F.logsigmoid(input)


class Softmax(Module[[Tensor], Tensor]):
    """Turn scores into probabilities: ``exp(x_i) / sum_j exp(x_j)`` along a dimension.

    Args:
        dim: the dimension that sums to one.

    Raises:
        ValueError: ``dim`` is None when called.

    Example:
        >>> cr.nn.Softmax(dim=0)(cr.tensor([1.0, 1.0]))
        tensor([0.5000, 0.5000])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the softmax of the input."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}"


class LogSoftmax(Module[[Tensor], Tensor]):
    """Apply ``log(softmax(x))`` along a dimension, without overflow.

    Args:
        dim: the dimension along which the probabilities sum to one.

    Raises:
        ValueError: ``dim`` is None when called.

    Example:
        >>> cr.nn.LogSoftmax(dim=0)(cr.tensor([1.0, 1.0]))
        tensor([-0.6931, -0.6931])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the logarithm of the softmax of the input."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}"
