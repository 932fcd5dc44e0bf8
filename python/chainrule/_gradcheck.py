"""Check gradients against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import Tensor, tensor
from chainrule.autograd import grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Array = NDArray[np.float64]


class GradcheckError(RuntimeError):
    """Raised by :func:`gradcheck` and :func:`gradgradcheck` when a gradient is wrong."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    r"""Compare the gradients of ``func`` with central differences.

    For every output :math:`y` and input :math:`x` that requires a gradient, checks

    .. math:: \left|J_{ji} - \frac{y_j(x + \epsilon e_i) - y_j(x - \epsilon e_i)}{2\epsilon}\right|
        \le \text{atol} + \text{rtol} \cdot |J_{ji}|

    entry by entry. With ``fast_mode`` one random direction of the inputs and one of the outputs
    are compared instead, :math:`\langle v, J^T u\rangle`: two evaluations whatever the sizes. When
    that fails, the full Jacobian is computed to name the wrong entry.

    Args:
        func: Takes ``inputs`` and returns a tensor or a sequence of tensors; must be
            deterministic.
        inputs: A tensor or a sequence of arguments. Tensors that require a gradient are checked;
            they should be ``float64``.
        eps: Step of the differences.
        atol: Allowed absolute error.
        rtol: Allowed relative error.
        raise_exception: Return ``False`` instead of raising when set to ``False``.
        fast_mode: Compare along random directions instead of entry by entry.

    Returns:
        ``True`` when all gradients agree.

    Raises:
        GradcheckError: If a gradient is wrong; the message names the entry.
        ValueError: If no input is a ``float64`` tensor that requires a gradient.

    Example:
        >>> import chainrule as cr
        >>> x = cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True)
        >>> cr.autograd.gradcheck(cr.exp, (x,))
        True
    """
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = _checked_inputs("gradcheck", arguments)
    try:
        _check(func, arguments, checked, eps, atol, rtol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Compare the gradients of the gradients of ``func`` with central differences.

    The checked function maps the inputs and the gradients of the outputs to the gradients of the
    inputs, so both the second derivative and the linearity of the backward pass are tested.

    Args:
        func: As for :func:`gradcheck`.
        inputs: As for :func:`gradcheck`.
        grad_outputs: Gradients to start from, one per output; random ones by default.
        eps: Step of the differences.
        atol: Allowed absolute error.
        rtol: Allowed relative error.
        raise_exception: Return ``False`` instead of raising when set to ``False``.
        fast_mode: Compare along random directions instead of entry by entry.

    Returns:
        ``True`` when all second gradients agree.

    Raises:
        GradcheckError: If a second gradient is wrong; the message names the entry.
        ValueError: If no input is a ``float64`` tensor that requires a gradient.

    Example:
        >>> import chainrule as cr
        >>> x = cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True)
        >>> cr.autograd.gradgradcheck(cr.exp, (x,))
        True
    """
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = _checked_inputs("gradgradcheck", arguments)
    starts = _starting_gradients(_outputs(func(*arguments)), grad_outputs)
    count = len(arguments)

    def gradients(*values: Any) -> tuple[Tensor, ...]:
        found = grad(
            _outputs(func(*values[:count])),
            [values[i] for i in checked],
            grad_outputs=list(values[count:]),
            create_graph=True,
            allow_unused=True,
        )
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        [*arguments, *starts],
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        fast_mode=fast_mode,
    )


def _checked_inputs(name: str, arguments: Sequence[Any]) -> list[int]:
    """Positions of the inputs to differentiate."""
    found = [i for i, a in enumerate(arguments) if isinstance(a, Tensor) and a.requires_grad]
    if not found:
        raise ValueError(
            f"{name}: no input requires a gradient; expected at least one float64 tensor with "
            "requires_grad=True"
        )
    for i in found:
        dtype = _array(arguments[i]).dtype
        if dtype != np.float64:
            raise ValueError(
                f"{name}: input {i} is {dtype}; expected float64, differences are too coarse in "
                "less"
            )
    return found


def _outputs(result: Any) -> list[Tensor]:
    """The outputs that have a gradient."""
    results = [result] if isinstance(result, Tensor) else list(result)
    return [r for r in results if isinstance(r, Tensor) and r.requires_grad]


def _starting_gradients(
    results: list[Tensor], given: Tensor | Sequence[Tensor] | None
) -> list[Tensor]:
    if given is not None:
        return [given] if isinstance(given, Tensor) else list(given)
    rng = np.random.default_rng(0)
    shapes = [tuple(r.shape) for r in results]
    return [tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]


def _array(value: Tensor) -> NDArray[Any]:
    return np.asarray(value.detach().numpy())


def _check(
    func: Callable[..., Any],
    arguments: list[Any],
    checked: list[int],
    eps: float,
    atol: float,
    rtol: float,
    fast: bool,
) -> None:
    results = _outputs(func(*arguments))
    if not results:
        _check_constant(func, arguments, checked, eps, atol)
        return
    rng = np.random.default_rng(0)
    for k, result in enumerate(results):
        if not fast:
            _check_jacobian(func, arguments, checked, k, eps, atol, rtol)
            continue
        u = _direction(rng, tuple(result.shape))
        analytic = grad(
            result,
            [arguments[i] for i in checked],
            grad_outputs=tensor(u),
            retain_graph=True,
            allow_unused=True,
        )
        for i, g in zip(checked, analytic, strict=True):
            v = _direction(rng, tuple(arguments[i].shape))
            expected = float(np.sum(u * _difference(func, arguments, i, v, k, eps)))
            found = 0.0 if g is None else float(np.sum(v * _array(g)))
            if not abs(found - expected) <= atol + rtol * abs(expected):
                _check_jacobian(func, arguments, checked, k, eps, atol, rtol)
                raise GradcheckError(
                    f"gradcheck: output {k} with respect to input {i}: along a random direction "
                    f"the derivative is {found:.9g} by backward and {expected:.9g} by central "
                    "differences, though every entry is within tolerance"
                )


def _check_constant(
    func: Callable[..., Any], arguments: list[Any], checked: list[int], eps: float, atol: float
) -> None:
    """Outputs without a gradient must not depend on the inputs."""
    result = func(*arguments)
    floats = [result] if isinstance(result, Tensor) else list(result)
    for k, value in enumerate(floats):
        if not isinstance(value, Tensor) or _array(value).dtype.kind != "f":
            continue
        for i in checked:
            ones = np.ones(tuple(arguments[i].shape))
            change = _difference(func, arguments, i, ones, k, eps, all_outputs=True)
            if np.any(np.abs(change) > atol):
                raise GradcheckError(
                    f"gradcheck: output {k} depends on input {i} but does not require a gradient"
                )


def _direction(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A random vector of length one."""
    v = rng.standard_normal(shape)
    return np.asarray(v / max(float(np.sqrt(np.sum(v * v))), 1e-30))


def _difference(
    func: Callable[..., Any],
    arguments: list[Any],
    i: int,
    v: Array,
    k: int,
    eps: float,
    *,
    all_outputs: bool = False,
) -> Array:
    """The derivative of output k along the direction v of input i, by central differences."""

    def evaluate(step: float) -> Array:
        moved = list(arguments)
        moved[i] = tensor(_array(arguments[i]) + step * v, requires_grad=True)
        result = func(*moved)
        if all_outputs:
            return np.array(_array(result if isinstance(result, Tensor) else result[k]))
        return np.array(_array(_outputs(result)[k]))

    return np.asarray((evaluate(eps) - evaluate(-eps)) / (2 * eps))


def _check_jacobian(
    func: Callable[..., Any],
    arguments: list[Any],
    checked: list[int],
    k: int,
    eps: float,
    atol: float,
    rtol: float,
) -> None:
    result = _outputs(func(*arguments))[k]
    shape = tuple(result.shape)
    analytic = [np.zeros((*shape, *arguments[i].shape)) for i in checked]
    for at in np.ndindex(shape):
        start = np.zeros(shape)
        start[at] = 1.0
        rows = grad(
            result,
            [arguments[i] for i in checked],
            grad_outputs=tensor(start),
            retain_graph=True,
            allow_unused=True,
        )
        for jacobian, row in zip(analytic, rows, strict=True):
            if row is not None:
                jacobian[at] = _array(row)
    for i, jacobian in zip(checked, analytic, strict=True):
        numeric = np.zeros_like(jacobian)
        for at in np.ndindex(tuple(arguments[i].shape)):
            step = np.zeros(tuple(arguments[i].shape))
            step[at] = 1.0
            entry = (Ellipsis, *at)
            numeric[entry] = _difference(func, arguments, i, step, k, eps)
        _compare(jacobian, numeric, k, i, len(shape), atol, rtol)


def _compare(
    analytic: Array, numeric: Array, k: int, i: int, rank: int, atol: float, rtol: float
) -> None:
    error = np.abs(analytic - numeric)
    excess = error - (atol + rtol * np.abs(numeric))
    wrong = ~(excess <= 0)
    if not np.any(wrong):
        return
    worst = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape)
    at = tuple(int(n) for n in worst)
    raise GradcheckError(
        f"gradcheck: output {k} with respect to input {i}: {int(np.sum(wrong))} of {wrong.size} "
        f"entries of the Jacobian are wrong; worst is d output{list(at[:rank])} / "
        f"d input{list(at[rank:])}, {analytic[at]:.9g} by backward and {numeric[at]:.9g} by "
        "central differences"
    )
