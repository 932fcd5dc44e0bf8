"""Initial values of parameters; every function writes into its tensor and returns it."""

from __future__ import annotations

import math
from typing import Any

import chainrule as cr
from chainrule import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which weights before a nonlinearity are enlarged.

    1 for linear, convolutions and sigmoid, 5/3 for tanh, sqrt(2) for relu, 3/4 for selu and
    ``sqrt(2 / (1 + param^2))`` for leaky_relu.

    Args:
        nonlinearity: the name of the function in ``chainrule.nn.functional``.
        param: the negative slope of leaky_relu (0.01 when None).

    Raises:
        ValueError: an unknown name, or a slope that is no number.

    Example:
        >>> from chainrule.nn import init
        >>> round(init.calculate_gain("leaky_relu", 0.2), 4)
        1.3868
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: the negative slope is a number (got {param!r})")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(
            f"calculate_gain: unknown nonlinearity {nonlinearity!r}; expected one of {known}"
        )
    return _GAINS[nonlinearity]


def _fans(op: str, tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs feed an output, and how many outputs an input feeds."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ValueError(
            f"{op}: fan in and fan out need a tensor of 2 or more dimensions (got shape {shape})"
        )
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with draws from the uniform distribution U(a, b).

    Args:
        tensor: any shape, floating dtype.
        a: the lower bound.
        b: the upper bound.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Example:
        >>> w = cr.nn.init.uniform_(cr.empty(3, 5), -1, 1)
    """
    with cr.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with draws from the normal distribution N(mean, std^2).

    Args:
        tensor: any shape, floating dtype.
        mean: the mean.
        std: the standard deviation.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Example:
        >>> w = cr.nn.init.normal_(cr.empty(3, 5))
    """
    with cr.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Fill with draws from N(mean, std^2) restricted to [a, b], by the inverse of its distribution.

    Args:
        tensor: any shape, floating dtype.
        mean: the mean of the whole normal distribution.
        std: its standard deviation.
        a: the lower bound.
        b: the upper bound.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Raises:
        ValueError: ``a`` is not below ``b``, or ``std`` is not positive.

    Example:
        >>> w = cr.nn.init.trunc_normal_(cr.empty(3, 5))
    """
    if not a < b or not std > 0:
        raise ValueError(f"trunc_normal_: expected a < b and std > 0 (got a={a}, b={b}, std={std})")

    def cdf2(x: float) -> float:  # twice the distribution function, minus one
        return math.erf((x - mean) / std / math.sqrt(2.0))

    with cr.no_grad():
        tensor.uniform_(cdf2(a), cdf2(b), generator=generator)
        return tensor.erfinv_().mul_(std * math.sqrt(2.0)).add_(mean).clamp_(a, b)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    Args:
        tensor: any shape.
        val: the value.

    Returns:
        The tensor itself.

    Example:
        >>> cr.nn.init.constant_(cr.empty(2), 0.3)
        tensor([0.3000, 0.3000])
    """
    with cr.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    Args:
        tensor: any shape.

    Returns:
        The tensor itself.

    Example:
        >>> cr.nn.init.ones_(cr.empty(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    Args:
        tensor: any shape.

    Returns:
        The tensor itself.

    Example:
        >>> cr.nn.init.zeros_(cr.empty(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity: ones on the diagonal, zeros elsewhere.

    Args:
        tensor: ``(n, m)``.

    Returns:
        The tensor itself.

    Raises:
        ValueError: the tensor is not two-dimensional.

    Example:
        >>> cr.nn.init.eye_(cr.empty(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix (got shape {tuple(tensor.shape)})")
    with cr.no_grad():
        return tensor.copy_(cr.eye(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill from U(-k, k) with ``k = gain * sqrt(6 / (fan_in + fan_out))`` (Glorot, 2010).

    Args:
        tensor: ``(out, in, ...)``, at least two dimensions.
        gain: see :func:`calculate_gain`.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    Example:
        >>> w = cr.nn.init.xavier_uniform_(cr.empty(3, 5), gain=2**0.5)
    """
    bound = gain * math.sqrt(6.0 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill from N(0, s^2) with ``s = gain * sqrt(2 / (fan_in + fan_out))`` (Glorot, 2010).

    Args:
        tensor: ``(out, in, ...)``, at least two dimensions.
        gain: see :func:`calculate_gain`.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    Example:
        >>> w = cr.nn.init.xavier_normal_(cr.empty(3, 5))
    """
    std = gain * math.sqrt(2.0 / sum(_fans("xavier_normal_", tensor)))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    modes = ("fan_in", "fan_out")
    if mode not in modes:
        raise ValueError(f"{op}: mode is one of {modes} (got {mode!r})")
    return calculate_gain(nonlinearity, a) / math.sqrt(_fans(op, tensor)[modes.index(mode)])


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill from U(-k, k) with ``k = gain * sqrt(3 / fan)`` (He et al., 2015).

    Args:
        tensor: ``(out, in, ...)``, at least two dimensions.
        a: the negative slope, for ``nonlinearity="leaky_relu"``.
        mode: ``"fan_in"`` keeps the variance forward, ``"fan_out"`` backward.
        nonlinearity: see :func:`calculate_gain`.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Raises:
        ValueError: the tensor has fewer than two dimensions, an unknown mode or nonlinearity.

    Example:
        >>> w = cr.nn.init.kaiming_uniform_(cr.empty(3, 5), nonlinearity="relu")
    """
    if tensor.numel() == 0:
        return tensor  # a layer without inputs has nothing to fill, and no fan
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill from N(0, s^2) with ``s = gain / sqrt(fan)`` (He et al., 2015).

    Args:
        tensor: ``(out, in, ...)``, at least two dimensions.
        a: the negative slope, for ``nonlinearity="leaky_relu"``.
        mode: ``"fan_in"`` keeps the variance forward, ``"fan_out"`` backward.
        nonlinearity: see :func:`calculate_gain`.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Raises:
        ValueError: the tensor has fewer than two dimensions, an unknown mode or nonlinearity.

    Example:
        >>> w = cr.nn.init.kaiming_normal_(cr.empty(3, 5), mode="fan_out")
    """
    if tensor.numel() == 0:
        return tensor
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix, uniformly distributed (Saxe et al., 2013).

    The Q of the QR decomposition of a normal matrix, its columns' signs fixed by R's diagonal;
    dimensions beyond the first are flattened.

    Args:
        tensor: ``(n, m, ...)``, at least two dimensions.
        gain: the factor by which the matrix is multiplied.
        generator: the source of randomness; None for the default one.

    Returns:
        The tensor itself.

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    Example:
        >>> w = cr.nn.init.orthogonal_(cr.empty(3, 3))
        >>> cr.allclose(w @ w.T, cr.eye(3), atol=1e-6)
        True
    """
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ValueError(f"orthogonal_: expected 2 or more dimensions (got shape {shape})")
    if tensor.numel() == 0:
        return tensor
    import numpy as np

    rows, columns = shape[0], math.prod(shape[1:])
    tall = (max(rows, columns), min(rows, columns))
    normal = normal_(cr.empty(tall, dtype=cr.float64), generator=generator)
    q, r = np.linalg.qr(normal.numpy())
    q *= np.sign(np.diagonal(r))
    q = np.ascontiguousarray(gain * (q if rows >= columns else q.T)).reshape(shape)
    with cr.no_grad():
        return tensor.copy_(cr.from_numpy(q))
