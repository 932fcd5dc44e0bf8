"""x[key] and x[key] = y for mixed keys, and their gradients; NumPy is the reference.

One difference is torch's rule: integers select first, and only then do arrays that stand next to
each other keep their place. The reference does the same in two steps of NumPy.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opspec import to_numpy, to_tensor

import chainrule as cr

A = np.arange(120.0).reshape(3, 4, 2, 5)
SHAPES = [(2,), (1,), (3, 1), (3, 2)]


@st.composite
def keys(draw: Any) -> tuple[Any, ...]:
    """A key of A: ints, slices, None, an ellipsis, index arrays and masks."""
    parts: list[Any] = []
    dim = 0
    empty = draw(st.integers(0, 9)) == 0
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    while dim < A.ndim:
        size = A.shape[dim]
        kind = draw(st.sampled_from(["int", "slice", "slice", "none", "array", "array", "mask"]))
        if kind == "none":
            parts.append(None)
            continue
        if kind == "int":
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 2, size + 2)
            step = draw(st.none() | st.integers(-3, 3).filter(bool))
            parts.append(slice(draw(bound), draw(bound), step))
        elif kind == "array":
            shape = (0,) if empty else draw(st.sampled_from(SHAPES))
            parts.append(rng.integers(-size, size, shape))
        else:
            span = 2 if dim + 1 < A.ndim and draw(st.booleans()) else 1
            mask = np.zeros(A.shape[dim : dim + span], bool)
            mask.flat[rng.permutation(mask.size)[: 0 if empty else 2]] = True
            parts.append(mask)
            dim += span - 1
        dim += 1
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(parts))] * 2)))
    if draw(st.booleans()):  # an ellipsis takes the place of some parts, or of none
        return (*parts[:first], ..., *parts[last:])
    return tuple(parts[:last])


def _width(part: Any) -> int:
    """How many dimensions a part of a key takes."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def in_two_steps(a: np.ndarray, key: tuple[Any, ...]) -> tuple[np.ndarray, tuple[Any, ...]]:
    """The view that the basic parts give, and the key of arrays that is left for it."""
    whole = slice(None)
    if Ellipsis not in [p if p is Ellipsis else 0 for p in key]:
        key = (*key, ...)
    rest = a.ndim - sum(map(_width, key))
    full = [q for p in key for q in ([whole] * rest if p is Ellipsis else [p])]
    basic: list[Any] = []
    arrays: list[Any] = []
    for part in full:
        if isinstance(part, np.ndarray):
            basic += [whole] * _width(part)
            arrays.append(part)
        else:
            basic.append(part)
            if not isinstance(part, int):
                arrays.append(whole)
    return a[tuple(basic)], tuple(arrays)


def as_key(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(to_tensor(p) if isinstance(p, np.ndarray) else p for p in key)


def positions(key: tuple[Any, ...]) -> np.ndarray | None:
    """Which elements of A the key takes; None where its arrays do not broadcast."""
    view, arrays = in_two_steps(np.arange(A.size).reshape(A.shape), key)
    try:
        return np.asarray(view[arrays])
    except IndexError:
        return None


@settings(max_examples=250, deadline=None, derandomize=True)
@given(keys())
def test_any_key(key: tuple[Any, ...]) -> None:
    taken = positions(key)
    x = to_tensor(A)
    if taken is None:
        with pytest.raises((IndexError, ValueError), match=r"broadcast|shape"):
            x[as_key(key)]
        return
    got = x[as_key(key)]
    assert tuple(got.shape) == taken.shape
    np.testing.assert_array_equal(to_numpy(got), A.ravel()[taken])

    expected = A.copy()
    expected.ravel()[taken] = -1.0
    x[as_key(key)] = -1.0
    np.testing.assert_array_equal(to_numpy(x), expected)

    if np.unique(taken).size == taken.size:  # of repeated places any value may win
        values = -np.arange(1.0, taken.size + 1).reshape(taken.shape)
        expected.ravel()[taken] = values
        x[as_key(key)] = to_tensor(values)
        np.testing.assert_array_equal(to_numpy(x), expected)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(keys())
def test_gradient_of_any_key(key: tuple[Any, ...]) -> None:
    taken = positions(key)
    if taken is None:
        return
    x = to_tensor(A).requires_grad_()
    weights = np.cos(np.arange(float(taken.size))).reshape(taken.shape)
    (x[as_key(key)] * to_tensor(weights)).sum().backward()
    expected = np.zeros(A.size)
    np.add.at(expected, taken.ravel(), weights.ravel())
    assert x.grad is not None
    np.testing.assert_allclose(to_numpy(x.grad), expected.reshape(A.shape), atol=1e-12)

    if np.unique(taken).size != taken.size:
        return
    y = to_tensor(A).requires_grad_()
    source = to_tensor(weights).requires_grad_()
    changed = y * 2
    changed[as_key(key)] = source * 3
    scale = to_tensor(np.sin(A))
    gy, gs = cr.autograd.grad((changed * scale).sum(), (y, source))
    expected = 2 * np.sin(A)
    expected.ravel()[taken] = 0
    np.testing.assert_allclose(to_numpy(gy), expected, atol=1e-12)
    np.testing.assert_allclose(to_numpy(gs), 3 * np.sin(A).ravel()[taken], atol=1e-12)
