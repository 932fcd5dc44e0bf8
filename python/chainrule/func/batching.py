"""vmap: a function of examples becomes one of batches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _pytree
from .._core import Tensor, stack
from .._functions import allclose
from ..random import get_rng_state, set_rng_state
from .gradients import _check_chunk

__all__ = ["vmap"]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Make a function that maps ``func`` over a dimension of its arguments.

    The function is called once for each example, so whatever it does is right: control flow by
    value, ``.item()``, in-place writes. Write with whole tensors what must be fast.

    Args:
        func: a function of examples, tensors or trees of them, that returns a tensor or a tree.
        in_dims: the batch dimension of each positional argument: an int (negative counts from the
            end) or a tuple with an int, None (the same for every example) or a tree of these for
            each argument. Arguments given by name are the same for every example.
        out_dims: where the batch dimension goes in the results, an int or a tree of them; None
            for a result that is the same for every example.
        randomness: "error" refuses functions that draw random numbers, "different" draws anew
            for each example, "same" gives every example the same numbers.
        chunk_size: accepted as in torch; examples are computed one at a time.

    Returns:
        A function of batches. Results have a gradient history as those of ``func`` do.

    Raises:
        ValueError: a batch dimension does not fit, or sizes differ.
        TypeError: a result is no tensor.
        RuntimeError: random numbers were drawn under "error".

    Example:
        >>> x, w = cr.arange(6.0).view(3, 2), cr.tensor([1.0, 10.0])
        >>> cr.func.vmap(cr.dot, in_dims=(0, None))(x, w)
        tensor([10., 32., 54.])
    """
    if randomness not in ("error", "different", "same"):
        raise ValueError(f"vmap: randomness is 'error', 'different' or 'same' (got {randomness!r})")
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"vmap: in_dims is an int or a tuple with one entry per argument (got {in_dims!r})"
        )
    _check_chunk(chunk_size, "vmap")

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = _pytree.flatten(args)
        dims, size = _batch(leaves, structure, in_dims)
        rows = []
        start = get_rng_state() if randomness != "different" else None
        for k in range(max(size, 1)):
            if randomness == "same" and start is not None:
                set_rng_state(start)
            example = [
                leaf if dim is None else leaf.select(dim, k) if size else _blank(leaf, dim)
                for leaf, dim in zip(leaves, dims, strict=True)
            ]
            result = func(*_pytree.unflatten(structure, example), **kwargs)
            if randomness == "error" and start is not None and not start.equal(get_rng_state()):
                set_rng_state(start)
                raise RuntimeError(
                    "vmap: the function drew random numbers; say randomness='different' for new "
                    "ones for each example or 'same' for the same ones"
                )
            rows.append(_pytree.flatten(result))
        found, shape = [row for row, _ in rows], rows[0][1]
        if any(other != shape for _, other in rows):
            raise ValueError("vmap: the function returned results of different structures")
        targets = _pytree.align(out_dims, shape, broadcast=True)
        if targets is None:
            raise ValueError(
                f"vmap: out_dims {out_dims!r} do not fit results of the structure {shape}"
            )
        joined = [
            _join(list(column), dim, size)
            for column, dim in zip(zip(*found, strict=True), targets, strict=True)
        ]
        return _pytree.unflatten(shape, joined)

    return batched


def _batch(
    leaves: list[Any], structure: _pytree.Structure, in_dims: Any
) -> tuple[list[int | None], int]:
    """The batch dimension of each leaf, and the size they share."""
    dims = _pytree.align(in_dims, structure, broadcast=True)
    if not leaves:
        raise ValueError("vmap: got no inputs to map over")
    if dims is None:
        raise ValueError(
            f"vmap: in_dims {in_dims!r} do not fit arguments of the structure {structure}"
        )
    sizes: dict[int, int] = {}
    for i, (leaf, dim) in enumerate(zip(leaves, dims, strict=True)):
        if dim is None:
            continue
        if type(dim) is not int:
            raise ValueError(f"vmap: a batch dimension is an int or None (got {dim!r})")
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap: cannot map over a {type(leaf).__name__}; give None as its entry of in_dims"
            )
        if not -leaf.ndim <= dim < leaf.ndim:
            raise ValueError(
                f"vmap: in_dims {dim} does not fit an input of shape {leaf.shape}; expected "
                f"{-leaf.ndim} <= dim < {leaf.ndim}"
                if leaf.ndim
                else "vmap: cannot map over a 0-d tensor; give None as its entry of in_dims"
            )
        sizes[i] = leaf.shape[dim]
    if not sizes:
        raise ValueError("vmap: at least one input needs a batch dimension (all in_dims are None)")
    if len(set(sizes.values())) > 1:
        raise ValueError(f"vmap: batch sizes differ (got {list(sizes.values())} for the inputs)")
    return dims, next(iter(sizes.values()))


def _blank(leaf: Tensor, dim: int) -> Tensor:
    """An example of an empty batch, from which the shapes of the results are found."""
    shape = list(leaf.shape)
    del shape[dim]
    return leaf.new_zeros(shape)


def _join(column: list[Any], dim: Any, size: int) -> Tensor:
    for value in column:
        if not isinstance(value, Tensor):
            raise TypeError(
                f"vmap: the function returned a {type(value).__name__}; expected tensors"
            )
    first: Tensor = column[0]
    if dim is None:
        if not all(_same(value, first) for value in column[1:]):
            raise ValueError("vmap: out_dims is None for a result that differs between examples")
        return first
    if type(dim) is not int:
        raise ValueError(f"vmap: out_dims holds ints or None (got {dim!r})")
    if not -first.ndim - 1 <= dim <= first.ndim:
        raise ValueError(
            f"vmap: out_dims {dim} does not fit results of shape {first.shape}; expected "
            f"{-first.ndim - 1} <= dim <= {first.ndim}"
        )
    joined = stack(column, dim)
    return joined if size else joined.narrow(dim, 0, 0)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and allclose(a, b, rtol=0, atol=0, equal_nan=True)
