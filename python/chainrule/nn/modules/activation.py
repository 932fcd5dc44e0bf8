"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from ..parameter import Parameter
from .module import Module

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Maxout",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
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


class ReLU6(Module[[Tensor], Tensor]):
    """Apply ``min(max(x, 0), 6)``.

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.ReLU6()(cr.tensor([-2.0, 3.0, 8.0]))
        tensor([0., 3., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.relu6(input, self.inplace)

    def extra_repr(self) -> str:
        """Return ``inplace`` when set."""
        return "inplace=True" if self.inplace else ""


class SELU(Module[[Tensor], Tensor]):
    """Apply ``scale * elu(x, alpha)`` with constants that normalise (Klambauer et al., 2017).

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.SELU()(cr.tensor([-1.0, 1.0]))
        tensor([-1.1113,  1.0507])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.selu(input, self.inplace)

    def extra_repr(self) -> str:
        """Return ``inplace`` when set."""
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(Module[[Tensor], Tensor]):
    """Apply ``min(max(x + 3, 0), 6) / 6``, a sigmoid of straight lines.

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.Hardsigmoid()(cr.tensor([-4.0, 0.0, 4.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.hardsigmoid(input, self.inplace)


class Hardswish(Module[[Tensor], Tensor]):
    """Apply ``x * hardsigmoid(x)`` (Howard et al., 2019).

    Args:
        inplace: write the result into the input.

    Example:
        >>> cr.nn.Hardswish()(cr.tensor([-1.0, 1.5, 4.0]))
        tensor([-0.3333,  1.1250,  4.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.hardswish(input, self.inplace)


class Softsign(Module[[Tensor], Tensor]):
    """Apply ``x / (1 + |x|)``.

    Example:
        >>> cr.nn.Softsign()(cr.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.softsign(input)


class Tanhshrink(Module[[Tensor], Tensor]):
    """Apply ``x - tanh(x)``.

    Example:
        >>> cr.nn.Tanhshrink()(cr.tensor([0.0, 1.0]))
        tensor([0.0000, 0.2384])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.tanhshrink(input)


class CELU(Module[[Tensor], Tensor]):
    """Apply ``max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))`` (Barron, 2017).

    Args:
        alpha: minus the limit for large negative inputs; not 0.
        inplace: write the result into the input.

    Raises:
        ValueError: ``alpha`` is 0, when called.

    Example:
        >>> cr.nn.CELU(2.0)(cr.tensor([-1.0, 1.0]))
        tensor([-0.7869,  1.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class Hardtanh(Module[[Tensor], Tensor]):
    """Limit the input to a range; the gradient at the limits is 0.

    Args:
        min_val: the lower limit.
        max_val: the upper limit.
        inplace: write the result into the input.

    Raises:
        ValueError: the limits are in the wrong order, when called.

    Example:
        >>> cr.nn.Hardtanh()(cr.tensor([-2.0, 0.5, 2.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"min_val={self.min_val}, max_val={self.max_val}" + (
            ", inplace=True" if self.inplace else ""
        )


class Threshold(Module[[Tensor], Tensor]):
    """Replace what is not above a limit.

    Args:
        threshold: the limit.
        value: what replaces the rest.
        inplace: write the result into the input.

    Example:
        >>> cr.nn.Threshold(0.1, 20.0)(cr.tensor([-1.0, 0.1, 2.0]))
        tensor([20., 20.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"threshold={self.threshold}, value={self.value}" + (
            ", inplace=True" if self.inplace else ""
        )


class Softshrink(Module[[Tensor], Tensor]):
    """Move the input towards 0 by ``lambd``; 0 where it is closer than that.

    Args:
        lambd: how far; at least 0.

    Raises:
        ValueError: ``lambd`` is negative, when called.

    Example:
        >>> cr.nn.Softshrink()(cr.tensor([-1.0, 0.3, 2.0]))
        tensor([-0.5000,  0.0000,  1.5000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return str(self.lambd)


class Hardshrink(Module[[Tensor], Tensor]):
    """Replace by 0 where ``|x| <= lambd``.

    Args:
        lambd: the limit.

    Example:
        >>> cr.nn.Hardshrink()(cr.tensor([-1.0, 0.3, 2.0]))
        tensor([-1.,  0.,  2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return str(self.lambd)


class GLU(Module[[Tensor], Tensor]):
    """Apply ``a * sigmoid(b)``, a and b being the halves of the input (Dauphin et al., 2016).

    Args:
        dim: the dimension that is halved.

    Raises:
        ValueError: the size is odd, when called.

    Example:
        >>> cr.nn.GLU()(cr.tensor([1.0, 2.0, 0.0, 0.0]))
        tensor([0.5000, 1.0000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}"


class Softmin(Module[[Tensor], Tensor]):
    """Apply ``softmax(-x)`` along a dimension.

    Args:
        dim: the dimension that sums to one.

    Raises:
        ValueError: ``dim`` is None, when called.

    Example:
        >>> cr.nn.Softmin(dim=0)(cr.tensor([1.0, 1.0]))
        tensor([0.5000, 0.5000])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}"


class PReLU(Module[[Tensor], Tensor]):
    """Apply ``x`` where positive, a trained slope times ``x`` elsewhere (He et al., 2015).

    Args:
        num_parameters: 1, or the number of channels (dimension 1 of the input).
        init: the slopes at the start.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the slopes; None for the default dtype.

    Attributes:
        weight: ``(num_parameters,)``, the slopes.

    Raises:
        ValueError: the input does not have ``num_parameters`` channels, when called.

    Example:
        >>> cr.nn.PReLU()(cr.tensor([-1.0, 2.0])).tolist()
        [-0.25, 2.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(cr.full((num_parameters,), init, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Set the slopes to their initial value."""
        with cr.no_grad():
            self.weight.fill_(self.init)

    def _width(self) -> tuple[str, int]:
        return "num_parameters", 1

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Module[[Tensor], Tensor]):
    """Apply ``x`` where positive, ``a x`` elsewhere, ``a`` being random in training.

    Each ``a`` is drawn from U(lower, upper); in evaluation it is their mean (Xu et al., 2015).

    Args:
        lower: the least slope for negative inputs.
        upper: the largest one.
        inplace: write the result into the input.

    Example:
        >>> cr.nn.RReLU(0.1, 0.3).eval()(cr.tensor([-1.0, 2.0]))
        tensor([-0.2000,  2.0000])
    """

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the leaky rectification."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"lower={self.lower}, upper={self.upper}" + (
            ", inplace=True" if self.inplace else ""
        )


class Softmax2d(Module[[Tensor], Tensor]):
    """Apply softmax over the channels, for every pixel apart.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``; output the same.

    Raises:
        ValueError: another number of dimensions.

    Example:
        >>> cr.nn.Softmax2d()(cr.zeros(2, 1, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the probabilities."""
        if input.ndim not in (3, 4):
            raise ValueError(
                f"the input has shape {tuple(input.shape)}; expected (N, C, H, W) or (C, H, W)"
            )
        return F.softmax(input, -3)


class Maxout(Module[[Tensor], Tensor]):
    """Take the maximum of every group of ``pieces`` neighbours (Goodfellow et al., 2013).

    Args:
        pieces: how many neighbours compete.
        dim: the dimension of the features; 1 for the channels of a convolution.

    Shape:
        the size at ``dim`` is divided by ``pieces``.

    Raises:
        ValueError: the size is no multiple of ``pieces``.

    Example:
        >>> layer = cr.nn.Sequential(cr.nn.Linear(3, 4 * 2), cr.nn.Maxout(2))
        >>> layer(cr.zeros(5, 3)).shape
        (5, 4)
    """

    def __init__(self, pieces: int, dim: int = -1) -> None:
        super().__init__()
        self.pieces = pieces
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the maxima."""
        return F.maxout(input, self.pieces, self.dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"pieces={self.pieces}, dim={self.dim}"
