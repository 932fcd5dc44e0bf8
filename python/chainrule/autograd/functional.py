"""Jacobians, Hessians and their products with vectors, of functions of tensors.

Inputs, and results of the function, are a tensor or a tuple of tensors. :mod:`chainrule.func` has
the same as functions that make functions, over trees of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .._core import Tensor, stack
from .engine import grad
from .mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]


def units(tensor: Tensor) -> Iterator[Tensor]:
    """Yield the basis of a tensor's space, each of its shape."""
    for k in range(tensor.numel()):
        unit = tensor.detach().new_zeros(tensor.numel())
        unit[k] = 1
        yield unit.view(tensor.shape)


def _as_tuple(value: Any, op: str, noun: str) -> Tensors:
    found = value if isinstance(value, tuple) else (value,)
    for item in found:
        if not isinstance(item, Tensor):
            raise TypeError(
                f"{op}: {noun} must be a tensor or a tuple of tensors (got {type(item).__name__})"
            )
    if not found:
        raise ValueError(f"{op}: {noun} must not be an empty tuple")
    return found


class _Call:
    """A function evaluated on variables made from its inputs."""

    def __init__(
        self, func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool, op: str
    ) -> None:
        self.op, self.create_graph, self.strict = op, create_graph, strict
        self.single_input = not isinstance(inputs, tuple)
        given = _as_tuple(inputs, op, "inputs")
        with enable_grad():
            self.inputs = tuple(
                x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
                for x in given
            )
            result = func(*self.inputs)
        self.single_output = not isinstance(result, tuple)
        self.outputs = _as_tuple(result, op, "the function's results")
        for i, y in enumerate(self.outputs):
            if strict and not y.requires_grad:
                raise RuntimeError(f"{op}: output {i} does not depend on the inputs (strict=True)")

    def scalar(self) -> None:
        """Check that there is one output of one element."""
        if not self.single_output or self.outputs[0].numel() != 1:
            shapes = [y.shape for y in self.outputs]
            raise RuntimeError(
                f"{self.op}: the function must return one tensor of one element (got {shapes})"
            )

    def vector(self, v: Any, like: Tensors, noun: str) -> Tensors:
        """The vector to multiply with: checked, or 1 when there is only one element."""
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise RuntimeError(f"{self.op}: v may be left out only for {noun} of one element")
            return (like[0].detach().new_ones(like[0].shape),)
        given = _as_tuple(v, self.op, "v")
        shapes, expected = [t.shape for t in given], [t.shape for t in like]
        if shapes != expected:
            raise RuntimeError(
                f"{self.op}: v has the shapes {shapes}; expected {expected}, as {noun}"
            )
        return given if self.create_graph else tuple(t.detach() for t in given)

    def derivative(
        self, of: Sequence[Tensor], by: Tensors, times: Sequence[Tensor], create_graph: bool,
        what: str,
    ) -> Tensors:  # fmt: skip
        """One reverse pass; what does not depend has zeros, or is an error under ``strict``."""
        pairs = [(y, v) for y, v in zip(of, times, strict=True) if y.requires_grad]
        found: Sequence[Tensor | None] = [None] * len(by)
        if pairs:
            found = grad(
                [y for y, _ in pairs], by, [v for _, v in pairs], retain_graph=True,
                create_graph=create_graph, allow_unused=True,
            )  # fmt: skip
        results = []
        for i, (g, x) in enumerate(zip(found, by, strict=True)):
            if self.strict and (g is None or (create_graph and not g.requires_grad)):
                raise RuntimeError(f"{self.op}: {what} {i} (strict=True)")
            results.append(x.detach().new_zeros(x.shape) if g is None else g)
        return tuple(results)

    def transposed(self) -> tuple[Tensors, Tensors]:
        """The reverse derivative as a linear function of cotangents, and these: all zero."""
        cotangents = tuple(
            y.detach().new_zeros(y.shape, requires_grad=y.is_floating_point()) for y in self.outputs
        )
        found = self.derivative(
            self.outputs, self.inputs, cotangents, True, "the outputs do not depend on input"
        )
        return found, cotangents

    def pushed(self, transposed: Tensors, cotangents: Tensors, v: Sequence[Tensor]) -> Tensors:
        """The forward derivative: the transpose of the reverse one."""
        return self.derivative(
            transposed, cotangents, v, self.create_graph, "no input moves output"
        )

    def like_outputs(self, found: Tensors) -> Any:
        """Results with the structure of the outputs."""
        done = self.detached(found)
        return done[0] if self.single_output else done

    def like_inputs(self, found: Tensors) -> Any:
        """Results with the structure of the inputs."""
        done = self.detached(found)
        return done[0] if self.single_input else done

    def detached(self, found: Tensors) -> Tensors:
        return found if self.create_graph else tuple(t.detach() for t in found)


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Multiply a vector with the Jacobian of a function, ``v^T J``.

    Args:
        func: a function of tensors.
        inputs: its arguments, a tensor or a tuple.
        v: the vector, of the shapes of the outputs; may be left out for one element.
        create_graph: make the results differentiable.
        strict: raise where an output does not depend on an input, instead of giving zeros.

    Returns:
        The outputs, and the product with the inputs' shapes.

    Raises:
        RuntimeError: ``v`` does not fit, or see ``strict``.

    Example:
        >>> cr.autograd.functional.vjp(lambda x: x**2, cr.tensor([1.0, 2.0]), cr.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    call = _Call(func, inputs, create_graph, strict, "vjp")
    v = call.vector(v, call.outputs, "outputs")
    found = call.derivative(
        call.outputs, call.inputs, v, create_graph, "the outputs do not depend on input"
    )
    return call.like_outputs(call.outputs), call.like_inputs(found)


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Multiply the Jacobian of a function with a vector, ``J v``, by two reverse passes.

    Args:
        func: a function of tensors.
        inputs: its arguments, a tensor or a tuple.
        v: the vector, of the shapes of the inputs; may be left out for one element.
        create_graph: make the results differentiable.
        strict: raise where an output does not depend on an input, instead of giving zeros.

    Returns:
        The outputs, and the product with the outputs' shapes.

    Raises:
        RuntimeError: ``v`` does not fit, or see ``strict``.

    Example:
        >>> cr.autograd.functional.jvp(lambda x: x**2, cr.tensor([1.0, 2.0]), cr.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    call = _Call(func, inputs, create_graph, strict, "jvp")
    v = call.vector(v, call.inputs, "inputs")
    found = call.pushed(*call.transposed(), v)
    return call.like_outputs(call.outputs), call.like_outputs(found)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Compute the Jacobian of a function.

    Args:
        func: a function of tensors.
        inputs: its arguments, a tensor or a tuple.
        create_graph: make the result differentiable.
        strict: raise where an output does not depend on an input, instead of giving zeros.
        vectorize: accepted as in torch; it changes nothing.
        strategy: "reverse-mode" (one pass per element of the outputs) or "forward-mode" (one per
            element of the inputs).

    Returns:
        For one output and one input a tensor of the output's shape followed by the input's;
        otherwise tuples of these, over outputs outside and inputs inside.

    Raises:
        RuntimeError: see ``strict``.

    Example:
        >>> cr.autograd.functional.jacobian(lambda x: x**2, cr.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _check_strategy("jacobian", strategy, strict)
    call = _Call(func, inputs, create_graph, strict, "jacobian")
    rows = (_reverse if strategy == "reverse-mode" else _forward)(call)
    blocks = tuple(call.like_inputs(row) for row in rows)
    return blocks[0] if call.single_output else blocks


def _check_strategy(op: str, strategy: str, strict: bool) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(
            f"{op}: the strategy is 'reverse-mode' or 'forward-mode' (got {strategy!r})"
        )
    if strict and strategy == "forward-mode":
        raise RuntimeError(f"{op}: strict=True needs the strategy 'reverse-mode'")


def _reverse(call: _Call) -> list[Tensors]:
    """Blocks by output, then by input: rows are reverse derivatives."""
    blocks = []
    for y in call.outputs:
        rows = [
            call.derivative(
                [y], call.inputs, [unit], call.create_graph, "an output does not depend on input"
            )
            for unit in units(y)
        ]
        blocks.append(
            tuple(
                stack([row[i] for row in rows]).reshape(*y.shape, *x.shape)
                if rows
                else x.detach().new_zeros((*y.shape, *x.shape))
                for i, x in enumerate(call.inputs)
            )
        )
    return blocks


def _forward(call: _Call) -> list[Tensors]:
    """Blocks by output, then by input: columns are forward derivatives."""
    linear = call.transposed()
    zeros = [x.detach().new_zeros(x.shape) for x in call.inputs]
    by_input = []
    for i, x in enumerate(call.inputs):
        columns = [call.pushed(*linear, [*zeros[:i], u, *zeros[i + 1 :]]) for u in units(x)]
        by_input.append(
            [
                stack([column[k] for column in columns], -1).reshape(*y.shape, *x.shape)
                if columns
                else y.detach().new_zeros((*y.shape, *x.shape))
                for k, y in enumerate(call.outputs)
            ]
        )
    return [tuple(blocks) for blocks in zip(*by_input, strict=True)]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Compute the second derivatives of a function with one output of one element.

    Args:
        func: a function of tensors.
        inputs: its arguments, a tensor or a tuple.
        create_graph: make the result differentiable.
        strict: raise where a derivative does not depend on an input, instead of giving zeros.
        vectorize: accepted as in torch; it changes nothing.
        outer_jacobian_strategy: how the gradient is differentiated; see :func:`jacobian`.

    Returns:
        For one input a tensor of its shape twice; otherwise tuples of tuples of blocks.

    Raises:
        RuntimeError: the function returns more than one element, or see ``strict``.

    Example:
        >>> cr.autograd.functional.hessian(lambda x: x.prod(), cr.tensor([2.0, 3.0]))
        tensor([[0., 1.],
                [1., 0.]])
    """
    _check_strategy("hessian", outer_jacobian_strategy, strict)

    def gradient(*variables: Tensor) -> Any:
        given = variables if isinstance(inputs, tuple) else variables[0]
        call = _Call(func, given, True, strict, "hessian")
        call.scalar()
        y = call.outputs[0]
        found = call.derivative(
            [y], call.inputs, [y.detach().new_ones(y.shape)], True,
            "the function does not depend, or depends only linearly, on input",
        )  # fmt: skip
        return call.like_inputs(found)

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Multiply a vector with the Hessian of a function with one output of one element, ``v^T H``.

    Args:
        func: a function of tensors.
        inputs: its arguments, a tensor or a tuple.
        v: the vector, of the shapes of the inputs; may be left out for one element.
        create_graph: make the results differentiable.
        strict: raise where a derivative does not depend on an input, instead of giving zeros.

    Returns:
        The output, and the product with the inputs' shapes.

    Raises:
        RuntimeError: the function returns more than one element, ``v`` does not fit, or see
            ``strict``.

    Example:
        >>> x, v = cr.tensor([1.0, 2.0]), cr.tensor([1.0, 1.0])
        >>> cr.autograd.functional.vhp(lambda x: (x**3).sum(), x, v)
        (tensor(9.), tensor([ 6., 12.]))
    """
    return _hessian_product(func, inputs, v, create_graph, strict, "vhp")


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Multiply the Hessian of a function with one output of one element with a vector, ``H v``.

    The Hessian is symmetric, so this is :func:`vhp`: one reverse pass over the gradient.

    Args:
        func: a function of tensors.
        inputs: its arguments, a tensor or a tuple.
        v: the vector, of the shapes of the inputs; may be left out for one element.
        create_graph: make the results differentiable.
        strict: raise where a derivative does not depend on an input, instead of giving zeros.

    Returns:
        The output, and the product with the inputs' shapes.

    Raises:
        RuntimeError: as :func:`vhp`.

    Example:
        >>> x, v = cr.tensor([1.0, 2.0]), cr.tensor([1.0, 0.0])
        >>> cr.autograd.functional.hvp(lambda x: x.prod() ** 2, x, v)
        (tensor(4.), tensor([8., 8.]))
    """
    return _hessian_product(func, inputs, v, create_graph, strict, "hvp")


def _hessian_product(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, op: str
) -> tuple[Any, Any]:
    call = _Call(func, inputs, create_graph, strict, op)
    call.scalar()
    v = call.vector(v, call.inputs, "inputs")
    one = call.outputs[0].detach().new_ones(call.outputs[0].shape)
    slope = call.derivative(
        call.outputs, call.inputs, [one], True,
        "the function does not depend, or depends only linearly, on input",
    )  # fmt: skip
    found = call.derivative(
        slope, call.inputs, v, create_graph, "the gradient does not depend on input"
    )
    return call.like_outputs(call.outputs), call.like_inputs(found)
