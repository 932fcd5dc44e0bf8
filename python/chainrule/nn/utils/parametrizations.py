"""Ready-made parametrizations: weight normalization, spectral normalization, orthogonality."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule import Tensor, linalg

from .. import functional as F
from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..modules.module import Module
from .parametrize import register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


def _weight_of(op: str, module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{op}: {type(module).__name__} has no parameter or buffer {name!r}")
    return weight


# -------------------------------------------------------------------- weight normalization


def norm_except_dim(weight: Tensor, dim: int | None) -> Tensor:
    """Return the norms of the slices along a dimension, or of all elements, to divide by."""
    if dim is None or dim == -1:
        return weight.norm()
    others = [d for d in range(weight.ndim) if d != dim % weight.ndim]
    return weight.norm(2.0, others, keepdim=True) if others else weight.abs()


class _WeightNorm(Module[[Tensor, Tensor], Tensor]):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length and the direction of weight vectors apart: ``w = g v / |v|``.

    The state dict holds ``parametrizations.weight.original0`` (g) and ``original1`` (v); it also
    takes the older keys ``weight_g`` and ``weight_v`` (Salimans & Kingma, 2016).

    Args:
        module: the module.
        name: the name of its weight.
        dim: the dimension of the vectors' numbers, 0 for one vector per output; None for one
            norm of all.

    Returns:
        The module.

    Raises:
        ValueError: there is no such weight.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(20, 40))
        >>> layer.parametrizations.weight.original0.shape
        (40, 1)
    """
    _weight_of("weight_norm", module, name)
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module.register_load_state_dict_pre_hook(_OlderKeys(name))
    return module


class _OlderKeys:
    """Renames the keys of the older ``weight_norm`` when a state dict is loaded."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        for part, old in enumerate("gv"):
            key = f"{prefix}{self.name}_{old}"
            if key in state_dict:
                new = f"{prefix}parametrizations.{self.name}.original{part}"
                state_dict[new] = state_dict.pop(key)


# -------------------------------------------------------------------- spectral normalization


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """Return a weight as a matrix whose rows are the slices along a dimension."""
    return weight.movedim(dim, 0).reshape(weight.shape[dim], -1)


def random_direction(size: int, like: Tensor, eps: float) -> Tensor:
    """Return a random vector of length 1."""
    return F.normalize(cr.randn(size, dtype=like.dtype), dim=0, eps=eps)


def output_dim(module: Module) -> int:
    """Return the dimension of a weight that counts the outputs."""
    return 1 if isinstance(module, _TRANSPOSED) else 0


class _SpectralNorm(Module[[Tensor], Tensor]):
    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        self.eps = eps
        self.dim = dim % weight.ndim
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            self.register_buffer("_u", random_direction(matrix.shape[0], weight, eps))
            self.register_buffer("_v", random_direction(matrix.shape[1], weight, eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        """Bring u and v nearer to the first singular vectors."""
        with cr.no_grad():
            for _ in range(times):
                self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.T @ self._u, dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        # Copies: the next call changes the buffers, and backward still needs these.
        return weight / (self._u.clone() @ (matrix @ self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value, so that the layer stretches nothing.

    The value is estimated by power iteration, some steps at every call in training (Miyato et
    al., 2018).

    Args:
        module: the module.
        name: the name of its weight.
        n_power_iterations: steps per call.
        eps: the least norm to divide by.
        dim: the dimension that counts the outputs; None chooses by the module.

    Returns:
        The module.

    Raises:
        ValueError: there is no such weight, or ``n_power_iterations`` is not positive.

    Example:
        >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(20, 40), n_power_iterations=9)
        >>> largest = float(np.linalg.norm(layer.weight.detach().numpy(), 2))
        >>> 0.9 < largest < 1.1
        True
    """
    if n_power_iterations < 1:
        raise ValueError(
            f"spectral_norm: n_power_iterations is at least 1 (got {n_power_iterations})"
        )
    weight = _weight_of("spectral_norm", module, name)
    axis = output_dim(module) if dim is None else dim
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, axis, eps)
    )


# -------------------------------------------------------------------- orthogonality


def _cayley(a: Tensor) -> Tensor:
    one = cr.eye(a.shape[-1], dtype=a.dtype)
    return linalg.solve(one - a * 0.5, one + a * 0.5)


def _householder(x: Tensor) -> Tensor:
    """Multiply the reflections whose vectors stand below the diagonal, and the diagonal's signs."""
    rows, columns = x.shape
    below = x.tril(-1)
    q = cr.eye(rows, dtype=x.dtype)[:, :columns]
    for i in reversed(range(columns)):
        v = below[:, i] + cr.eye(rows, dtype=x.dtype)[:, i]
        q = q - (2.0 / v.square().sum()) * cr.outer(v, v @ q)
    return q * x.diagonal().detach().sign()


def _orthogonal_factor(a: np.ndarray) -> np.ndarray:
    q, r = np.linalg.qr(a)
    return np.asarray(q * np.sign(np.diagonal(r)))


_MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module[[Tensor], Tensor]):
    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = tuple(weight.shape)
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[0] < x.shape[1]
        x = x.mT if wide else x
        rows, columns = x.shape
        if self.orthogonal_map == "householder":
            q = _householder(x)
        else:
            lower = x.tril()
            if rows != columns:
                lower = cr.cat([lower, cr.zeros(rows, rows - columns, dtype=x.dtype)], 1)
            curve = linalg.matrix_exp if self.orthogonal_map == "matrix_exp" else _cayley
            q = curve(lower - lower.mT)[:, :columns]
        if self.use_trivialization:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, value: Tensor) -> Tensor:
        if tuple(value.shape) != self.shape:
            raise ValueError(
                f"orthogonal: expected a matrix of shape {self.shape} (got {tuple(value.shape)})"
            )
        wide = value.shape[0] < value.shape[1]
        given = np.array((value.mT if wide else value).detach().numpy())
        rows, columns = given.shape
        if self.use_trivialization:
            off = np.abs(given.T @ given - np.eye(columns)).max(initial=0.0)
            if rows != columns:  # completed to a basis
                rest = cr.randn(rows, rows - columns, dtype=value.dtype).numpy()
                given = _orthogonal_factor(np.concatenate([given, rest], 1))
            elif off > 10 * rows * np.finfo(given.dtype).eps:
                given = _orthogonal_factor(given)
            self.base = cr.tensor(given)
            # The point that all three maps send to the identity; householder reads its diagonal.
            return cr.eye(*value.shape, dtype=value.dtype) * -1.0
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "orthogonal: matrix_exp and cayley have no inverse without trivialization"
            )
        reflections, tau = np.linalg.qr(given, mode="raw")
        result = np.array(reflections.T)
        diagonal = np.arange(columns)
        signs = np.sign(result[diagonal, diagonal])
        result[diagonal, diagonal] = np.where(tau == 0, -signs, signs)
        return cr.tensor(result.T if wide else result)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a weight matrix orthogonal: ``Q.T @ Q = 1``, or ``Q @ Q.T = 1`` for a wide one.

    Args:
        module: the module.
        name: the name of its weight, a matrix.
        orthogonal_map: how the matrix is made: ``"matrix_exp"`` or ``"cayley"`` of a
            skew-symmetric matrix, or as a product of reflections, ``"householder"``; None takes
            the first for square weights and the last for others.
        use_trivialization: multiply by a fixed orthogonal matrix, the buffer
            ``parametrizations.weight.0.base``, so that training starts from the present weight
            (Lezcano-Casado, 2019).

    Returns:
        The module.

    Raises:
        ValueError: there is no such weight, it is no matrix, or the map is unknown.

    Example:
        >>> layer = nn.utils.parametrizations.orthogonal(nn.Linear(20, 40))
        >>> cr.allclose(layer.weight.T @ layer.weight, cr.eye(20), atol=1e-5)
        True
    """
    weight = _weight_of("orthogonal", module, name)
    if weight.ndim != 2:
        raise ValueError(
            f"orthogonal: {name!r} has {weight.ndim} dimensions (got shape "
            f"{tuple(weight.shape)}); expected a matrix"
        )
    chosen = orthogonal_map or (
        "matrix_exp" if weight.shape[0] == weight.shape[1] else "householder"
    )
    if chosen not in _MAPS:
        raise ValueError(f"orthogonal: orthogonal_map is one of {_MAPS} (got {chosen!r})")
    return register_parametrization(
        module, name, _Orthogonal(weight, chosen, use_trivialization), unsafe=True
    )
