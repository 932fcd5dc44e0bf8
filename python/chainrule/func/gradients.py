"""Derivatives of functions of tensors, or of trees (tuples, lists, dicts) of them.

Each transformation makes its arguments variables of its own: a new leaf, or, where an argument
already requires a gradient, an alias of it, through which the history goes on. So an inner
derivative never confuses its variable with that of an outer one. The leaves want a gradient only
while their transformation is at work: in what it returns to an outer one they are constants.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import _pytree
from .._core import Tensor, _reaches_other_leaf, is_grad_enabled, stack
from ..autograd.engine import grad as tape_grad
from ..autograd.functional import units
from ..autograd.mode import enable_grad

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]

Argnums = int | tuple[int, ...]


class _Variables:
    """The leaves of a tree as variables of one transformation, within a ``with`` block."""

    def __init__(self, tree: Any, op: str) -> None:
        self.op = op
        self.taped = is_grad_enabled()  # may the results have a history?
        leaves, self.structure = _pytree.flatten(tree)
        self.tensors: list[Tensor] = []
        self.own: list[Tensor] = []  # leaves that nobody outside knows
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise TypeError(
                    f"{op}: cannot differentiate with respect to a {type(leaf).__name__}; expected "
                    "tensors, or tuples, lists and dicts of them; choose them by argnums"
                )
            if not leaf.is_floating_point():
                raise TypeError(
                    f"{op}: cannot differentiate with respect to a tensor of dtype {leaf.dtype}; "
                    "expected a floating-point one; convert it with .float()"
                )
            if self.taped and leaf.requires_grad:
                self.tensors.append(leaf.view_as(leaf))
            else:
                self.own.append(leaf.detach())
                self.tensors.append(self.own[-1])
        self.tree = _pytree.unflatten(self.structure, self.tensors)

    def __enter__(self) -> None:
        for leaf in self.own:
            leaf.requires_grad_()

    def __exit__(self, *_: object) -> None:
        for leaf in self.own:
            leaf.requires_grad_(False)

    def release(self, tree: Any) -> Any:
        """Return results as the outside may see them: without a history that is ours alone."""
        return _pytree.map_leaves(self._release, tree)

    def _release(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.requires_grad:
            return leaf
        return leaf if self.taped and _reaches_other_leaf([leaf], self.own) else leaf.detach()

    def gradients(
        self, outputs: Sequence[Tensor], cotangents: Sequence[Tensor | None]
    ) -> list[Tensor]:
        """Return the products of the cotangents with the derivatives of the outputs."""
        pairs = [(y, v) for y, v in zip(outputs, cotangents, strict=True) if y.requires_grad]
        if not pairs or not self.tensors:
            return [x.new_zeros(x.shape) for x in self.tensors]
        given = [v for _, v in pairs if v is not None]
        roots = [y for y, _ in pairs]
        found = tape_grad(
            roots, self.tensors, [v for _, v in pairs], retain_graph=True,
            create_graph=is_grad_enabled() and _reaches_other_leaf([*roots, *given], self.own),
            materialize_grads=True,
        )  # fmt: skip
        return [self._release(g) for g in found]


def _outputs(result: Any, op: str) -> tuple[list[Tensor], _pytree.Structure]:
    leaves, structure = _pytree.flatten(result)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise TypeError(
                f"{op}: the function returned a {type(leaf).__name__}; expected a tensor, or a "
                "tuple, list or dict of them; with has_aux=True a second result is passed through"
            )
    return leaves, structure


def _aligned(
    tree: Any, structure: _pytree.Structure, like: Sequence[Tensor], op: str, noun: str
) -> list[Tensor]:
    """Leaves of cotangents or tangents, checked against what they belong to."""
    leaves = _pytree.align(tree, structure)
    if leaves is None:
        raise ValueError(
            f"{op}: the {noun} have the structure {_pytree.flatten(tree)[1]}; expected {structure}"
        )
    for leaf, other in zip(leaves, like, strict=True):
        if not isinstance(leaf, Tensor):
            raise TypeError(f"{op}: expected tensors as {noun} (got {type(leaf).__name__})")
        if leaf.shape != other.shape:
            raise ValueError(
                f"{op}: one of the {noun} has shape {leaf.shape}; expected {other.shape}"
            )
    return leaves


def _split_aux(result: Any, has_aux: bool, op: str) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"{op}: with has_aux=True the function returns a pair (output, aux) "
            f"(got {type(result).__name__})"
        )
    return result[0], result[1]


def _chosen(args: tuple[Any, ...], argnums: Argnums, op: str) -> Any:
    """The arguments to differentiate: one, or a tuple of them."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not numbers or not all(type(n) is int for n in numbers):
        raise TypeError(f"{op}: argnums is an int or a tuple of ints (got {argnums!r})")
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise ValueError(
                f"{op}: argnums {n} does not fit {len(args)} positional arguments; arguments "
                "given by name are constants"
            )
    if len({n % len(args) for n in numbers}) != len(numbers):
        raise ValueError(f"{op}: argnums names an argument twice (got {argnums!r})")
    return tuple(args[n] for n in numbers) if isinstance(argnums, tuple) else args[argnums]


def _replaced(args: tuple[Any, ...], argnums: Argnums, chosen: Any) -> list[Any]:
    result = list(args)
    pairs = zip(argnums, chosen, strict=True) if isinstance(argnums, tuple) else [(argnums, chosen)]
    for n, value in pairs:
        result[n] = value
    return result


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Make a function that returns the gradient of ``func`` and its value.

    Args:
        func: a function whose result is a 0-d tensor.
        argnums: the positional arguments to differentiate, an int or a tuple of ints; each a
            tensor or a tree of tensors.
        has_aux: whether ``func`` returns a pair (value, aux), of which only the first counts.

    Returns:
        A function of the same arguments that returns ``(gradient, value)``, or
        ``(gradient, (value, aux))``; gradients have the structure of the arguments.

    Raises:
        ValueError: the value is not a 0-d tensor.

    Example:
        >>> cr.func.grad_and_value(lambda x: (x**2).sum())(cr.tensor([1.0, 2.0]))
        (tensor([2., 4.]), tensor(5.))
    """
    return _grad_and_value(func, argnums, has_aux, "grad_and_value")


def _grad_and_value(
    func: Callable[..., Any], argnums: Argnums, has_aux: bool, op: str
) -> Callable[..., Any]:
    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        inputs = _Variables(_chosen(args, argnums, op), op)
        with inputs:
            with enable_grad():
                result = func(*_replaced(args, argnums, inputs.tree), **kwargs)
            value, aux = _split_aux(result, has_aux, op)
            _check_scalar(value, op)
            found = inputs.gradients([value], [None])
            value, aux = inputs.release(value), inputs.release(aux)
        gradient = _pytree.unflatten(inputs.structure, found)
        return gradient, ((value, aux) if has_aux else value)

    return transformed


def _check_scalar(value: Any, op: str) -> None:
    if not isinstance(value, Tensor) or value.ndim != 0:
        got = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"{op}: the function must return a 0-d tensor (got {got}); reduce with .sum() or "
            ".mean(), or use jacrev"
        )


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Make a function that returns the gradient of ``func``.

    Args:
        func: a function whose result is a 0-d tensor.
        argnums: the positional arguments to differentiate, an int or a tuple of ints; each a
            tensor or a tree of tensors.
        has_aux: whether ``func`` returns a pair (value, aux), of which only the first counts.

    Returns:
        A function of the same arguments that returns the gradient, or ``(gradient, aux)``.

    Raises:
        ValueError: the value is not a 0-d tensor.

    Example:
        >>> cr.func.grad(cr.func.grad(lambda x: x**4))(cr.tensor(2.0))
        tensor(48.)
    """
    transformed = _grad_and_value(func, argnums, has_aux, "grad")

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = transformed(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate ``func`` and return the function that multiplies vectors with its Jacobian.

    Args:
        func: a function of tensors or trees of them.
        primals: where to evaluate it.
        has_aux: whether ``func`` returns a pair (output, aux).

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``. ``vjp_fn(v)``, with ``v`` like the
        output, gives a tuple with ``v^T J`` for each primal; it may be called any number of times.

    Example:
        >>> y, vjp_fn = cr.func.vjp(lambda x: x**3, cr.tensor([1.0, 2.0]))
        >>> vjp_fn(cr.tensor([1.0, 10.0]))
        (tensor([  3., 120.]),)
    """
    inputs = _Variables(primals, "vjp")
    with inputs:
        with enable_grad():
            result = func(*inputs.tree)
        value, aux = _split_aux(result, has_aux, "vjp")
        outputs, structure = _outputs(value, "vjp")
        released, aux = inputs.release(value), inputs.release(aux)

    def vjp_fn(cotangents: Any) -> Any:
        given = _aligned(cotangents, structure, outputs, "vjp", "cotangents")
        with inputs:
            found = inputs.gradients(outputs, given)
        return _pytree.unflatten(inputs.structure, found)

    return (released, vjp_fn, aux) if has_aux else (released, vjp_fn)


class _Linear:
    """The derivative of ``func`` at ``primals`` as a linear function of tangents.

    It is the transpose of the reverse derivative, ``u -> u^T J``, which is linear in ``u``: one
    reverse pass makes it, another transposes it back for each tangent.
    """

    def __init__(self, func: Callable[..., Any], primals: Any, has_aux: bool, op: str) -> None:
        self.inputs = _Variables(primals, op)
        with self.inputs, enable_grad():
            result = func(*self.inputs.tree)
            value, aux = _split_aux(result, has_aux, op)
            outputs, self.structure = _outputs(value, op)
            self.dual = [
                y.detach().new_zeros(y.shape, requires_grad=y.is_floating_point()) for y in outputs
            ]
            pairs = [(y, u) for y, u in zip(outputs, self.dual, strict=True) if y.requires_grad]
            self.transposed: Sequence[Tensor | None] = [None] * len(self.inputs.tensors)
            if pairs and self.inputs.tensors:
                self.transposed = tape_grad(
                    [y for y, _ in pairs], self.inputs.tensors, [u for _, u in pairs],
                    create_graph=True, allow_unused=True,
                )  # fmt: skip
            self.outputs = outputs
            self.all_depend = all(y.requires_grad for y in outputs)
            self.value, self.aux = self.inputs.release(value), self.inputs.release(aux)
            self.inputs.own += [u for u in self.dual if u.requires_grad]

    def __call__(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        with self.inputs:
            return self._push(tangents)

    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        pairs = [(g, t) for g, t in zip(self.transposed, tangents, strict=True) if g is not None]
        pairs = [(g, t) for g, t in pairs if g.requires_grad]
        wanted = [u for u in self.dual if u.requires_grad]
        if not pairs or not wanted:
            return [u.detach() for u in self.dual]
        roots, given = [g for g, _ in pairs], [t for _, t in pairs]
        found = iter(
            tape_grad(
                roots, wanted, given, retain_graph=True, materialize_grads=True,
                create_graph=is_grad_enabled()
                and _reaches_other_leaf([*roots, *given], self.inputs.own),
            )
        )  # fmt: skip
        return [self.inputs._release(next(found)) if u.requires_grad else u for u in self.dual]


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Evaluate ``func`` and return its derivative there as a function of tangents.

    Args:
        func: a function of tensors or trees of them.
        primals: where to evaluate it.

    Returns:
        ``(output, jvp_fn)``; ``jvp_fn(*tangents)`` gives ``J t`` and may be called any number of
        times without evaluating ``func`` again.

    Example:
        >>> y, jvp_fn = cr.func.linearize(lambda x: x**3, cr.tensor([1.0, 2.0]))
        >>> jvp_fn(cr.ones(2))
        tensor([ 3., 12.])
    """
    linear = _Linear(func, primals, False, "linearize")

    def jvp_fn(*tangents: Any) -> Any:
        inputs = linear.inputs
        given = _aligned(tangents, inputs.structure, inputs.tensors, "linearize", "tangents")
        return _pytree.unflatten(linear.structure, linear(given))

    return linear.value, jvp_fn


def jvp(
    func: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """Evaluate ``func`` and its derivative in a direction, ``J t``.

    Args:
        func: a function of tensors or trees of them.
        primals: a tuple of arguments, where to evaluate it.
        tangents: a tuple of the same structure and shapes, the direction.
        strict: raise when an output does not depend on the primals, instead of giving zeros.
        has_aux: whether ``func`` returns a pair (output, aux).

    Returns:
        ``(output, J t)``, or ``(output, J t, aux)``.

    Raises:
        ValueError: tangents do not fit the primals.

    Example:
        >>> cr.func.jvp(cr.sin, (cr.tensor(0.0),), (cr.tensor(2.0),))
        (tensor(0.), tensor(2.))
    """
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, (tuple, list)) or not value:
            raise TypeError(f"jvp: {name} is a non-empty tuple (got {type(value).__name__})")
    linear = _Linear(func, tuple(primals), has_aux, "jvp")
    if strict and not linear.all_depend:
        raise RuntimeError("jvp: an output does not depend on the primals (strict=True)")
    inputs = linear.inputs
    given = _aligned(tuple(tangents), inputs.structure, inputs.tensors, "jvp", "tangents")
    moved = _pytree.unflatten(linear.structure, linear(given))
    return (linear.value, moved, linear.aux) if has_aux else (linear.value, moved)


def _check_chunk(chunk_size: int | None, op: str) -> None:
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"{op}: chunk_size must be positive (got {chunk_size})")


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of ``func``, by one reverse pass per output.

    Args:
        func: a function of tensors or trees of them.
        argnums: the positional arguments to differentiate, an int or a tuple of ints.
        has_aux: whether ``func`` returns a pair (output, aux).
        chunk_size: accepted as in torch; rows are computed one at a time.

    Returns:
        A function that returns the output's tree, with each tensor replaced by a tree like the
        arguments' of Jacobians, which have the output's shape followed by the argument's.

    Example:
        >>> cr.func.jacrev(lambda x: x**2)(cr.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _check_chunk(chunk_size, "jacrev")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        inputs = _Variables(_chosen(args, argnums, "jacrev"), "jacrev")
        with inputs:
            with enable_grad():
                result = func(*_replaced(args, argnums, inputs.tree), **kwargs)
            value, aux = _split_aux(result, has_aux, "jacrev")
            outputs, structure = _outputs(value, "jacrev")
            rows_of = [[inputs.gradients([y], [unit]) for unit in units(y)] for y in outputs]
            aux = inputs.release(aux)
        blocks = []
        for y, rows in zip(outputs, rows_of, strict=True):
            parts = [
                stack([row[i] for row in rows]).reshape(*y.shape, *x.shape)
                if rows
                else x.new_zeros((*y.shape, *x.shape))
                for i, x in enumerate(inputs.tensors)
            ]
            blocks.append(_pytree.unflatten(inputs.structure, parts))
        found = _pytree.unflatten(structure, blocks)
        return (found, aux) if has_aux else found

    return jacobian


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of ``func``, by one pass per element of the input.

    Cheaper than :func:`jacrev` for functions with more outputs than inputs.

    Args:
        func: a function of tensors or trees of them.
        argnums: the positional arguments to differentiate, an int or a tuple of ints.
        has_aux: whether ``func`` returns a pair (output, aux).
        randomness: accepted as in torch; ``func`` is evaluated once, so there is nothing to choose.

    Returns:
        A function that returns what that of :func:`jacrev` does.

    Example:
        >>> cr.func.jacfwd(lambda x: x**2)(cr.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        def of_chosen(chosen: Any) -> Any:
            return func(*_replaced(args, argnums, chosen), **kwargs)

        linear = _Linear(of_chosen, (_chosen(args, argnums, "jacfwd"),), has_aux, "jacfwd")
        inputs = linear.inputs
        parts: list[list[Tensor]] = [[] for _ in linear.outputs]  # by output, then by input
        zeros = [x.detach().new_zeros(x.shape) for x in inputs.tensors]
        for i, x in enumerate(inputs.tensors):
            columns = [linear([*zeros[:i], unit, *zeros[i + 1 :]]) for unit in units(x)]
            for k, y in enumerate(linear.outputs):
                block = (
                    stack([column[k] for column in columns], -1)
                    if columns
                    else y.detach().new_zeros((*y.shape, 0))
                )
                parts[k].append(block.reshape(*y.shape, *x.shape))
        blocks = [_pytree.unflatten(inputs.structure, row)[0] for row in parts]
        found = _pytree.unflatten(linear.structure, blocks)
        return (found, linear.aux) if has_aux else found

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make a function that returns the second derivatives of ``func``.

    One reverse pass gives the gradient, and one more each of its rows.

    Args:
        func: a function of tensors or trees of them, usually with a 0-d result.
        argnums: the positional arguments to differentiate, an int or a tuple of ints.

    Returns:
        A function whose results are Jacobians of Jacobians, as of :func:`jacrev` applied twice.

    Example:
        >>> cr.func.hessian(lambda x: x.prod())(cr.tensor([2.0, 3.0]))
        tensor([[0., 1.],
                [1., 0.]])
    """
    return jacrev(jacrev(func, argnums), argnums)
