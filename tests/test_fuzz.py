"""Random shapes, layouts and programs, against NumPy and against differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opspec import to_numpy, to_tensor

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck

fuzz = settings(max_examples=150, deadline=None, derandomize=True, database=None)

sizes = st.lists(st.sampled_from([0, 1, 2, 3, 4, 7, 17]), max_size=4)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def strided(draw: Any, shape: list[int] | None = None) -> tuple[Any, np.ndarray]:
    """A tensor that is some view of some memory, and the same values as an array."""
    shape = draw(sizes) if shape is None else shape
    steps = [draw(st.sampled_from([1, 1, 2, -1, -3])) for _ in shape]
    starts = [draw(st.integers(0, 2)) for _ in shape]
    order = draw(st.permutations(range(len(shape))))
    rng = np.random.default_rng(draw(seeds))
    room = [abs(k) * n + s + 1 for n, k, s in zip(shape, steps, starts, strict=True)]
    memory = rng.standard_normal([room[d] for d in order]).astype(np.float32)
    back = tuple(int(i) for i in np.argsort(order))
    window = tuple(
        slice(s, s + k * n, k) if k > 0 else slice(s + -k * n, s, k)
        for n, k, s in zip(shape, steps, starts, strict=True)
    )
    array = memory.transpose(back)[window]
    assert list(array.shape) == shape
    tensor = to_tensor(memory).permute(back)[window]
    if shape and draw(st.booleans()):  # one dimension repeated without memory
        d = draw(st.integers(0, len(shape) - 1))
        if shape[d]:
            one = (slice(None),) * d + (slice(0, 1),)
            tensor = tensor[one].expand(shape)
            array = np.broadcast_to(array[one], shape)
    return tensor, array


@fuzz
@given(strided())
def test_layouts_read_as_arrays_do(pair: tuple[Any, np.ndarray]) -> None:
    x, a = pair
    np.testing.assert_array_equal(to_numpy(x), a)
    assert x.tolist() == a.tolist()
    np.testing.assert_array_equal(to_numpy(x.contiguous()), a)
    np.testing.assert_array_equal(to_numpy(x.clone()), a)
    np.testing.assert_array_equal(to_numpy(x.reshape(-1)), a.reshape(-1))
    np.testing.assert_array_equal(to_numpy(x.double()), a.astype(np.float64))


@st.composite
def broadcastable(draw: Any) -> list[tuple[Any, np.ndarray]]:
    """Two or three operands whose shapes broadcast."""
    full = draw(sizes)
    found = []
    for _ in range(draw(st.integers(2, 3))):
        drop = draw(st.integers(0, len(full)))
        shape = [n if draw(st.booleans()) else 1 for n in full[drop:]]
        found.append(draw(strided(shape)))
    return found


@fuzz
@given(broadcastable())
def test_broadcasting_over_layouts(pairs: list[tuple[Any, np.ndarray]]) -> None:
    (x, a), (y, b) = pairs[:2]
    np.testing.assert_array_equal(to_numpy(x + y), a + b)
    np.testing.assert_array_equal(to_numpy(x < y), a < b)
    np.testing.assert_array_equal(to_numpy(cr.maximum(x, y)), np.maximum(a, b))
    z, c = pairs[-1]
    np.testing.assert_array_equal(to_numpy(cr.where(z > 0, x, y)), np.where(c > 0, a, b))
    result = cr.zeros((a + b).shape)
    result += x
    np.testing.assert_array_equal(to_numpy(result), np.broadcast_to(a, (a + b).shape))


@fuzz
@given(strided(), st.data())
def test_reductions_over_layouts(pair: tuple[Any, np.ndarray], data: Any) -> None:
    x, a = pair
    rank = a.ndim
    dims = tuple(data.draw(st.lists(st.integers(0, rank - 1), unique=True))) if rank else ()
    keep = data.draw(st.booleans())
    exact = a.astype(np.float64)
    axis = dims or None  # torch reduces everything over no dimensions
    size = int(np.prod([a.shape[d] for d in dims])) if dims else a.size
    np.testing.assert_allclose(
        to_numpy(x.sum(dims, keep)), exact.sum(axis, keepdims=keep), rtol=1e-5, atol=1e-5
    )
    if size:
        np.testing.assert_array_equal(to_numpy(x.amax(dims, keep)), a.max(axis, keepdims=keep))
        np.testing.assert_allclose(
            to_numpy(x.mean(dims, keep)), exact.mean(axis, keepdims=keep), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            to_numpy(x.var(dims, correction=0, keepdim=keep)),
            exact.var(axis, keepdims=keep),
            rtol=1e-5,
            atol=1e-5,
        )
    if rank and a.size:
        d = data.draw(st.integers(-rank, rank - 1))
        values, indices = x.max(d)
        np.testing.assert_array_equal(to_numpy(values), a.max(d))
        np.testing.assert_array_equal(to_numpy(indices), a.argmax(d))
        np.testing.assert_allclose(to_numpy(x.cumsum(d)), exact.cumsum(d), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(to_numpy(x.softmax(d).sum(d)), 1.0, rtol=1e-5)


@fuzz
@given(st.lists(strided([3, 4]), min_size=1, max_size=4), st.integers(-2, 1))
def test_joining_over_layouts(pairs: list[tuple[Any, np.ndarray]], dim: int) -> None:
    tensors, arrays = [p[0] for p in pairs], [p[1] for p in pairs]
    np.testing.assert_array_equal(to_numpy(cr.cat(tensors, dim)), np.concatenate(arrays, dim))
    np.testing.assert_array_equal(to_numpy(cr.stack(tensors, dim)), np.stack(arrays, dim))


# ---------------------------------------------------------------- programs that write in place


def _program(seed: int) -> Callable[..., Any]:
    """A function that writes into random views of its first argument's copy."""

    def run(x: Any, w: Any) -> Any:
        rng = np.random.default_rng(seed)
        base = x * 1
        held = [base]
        for _ in range(rng.integers(1, 6)):
            view = held[rng.integers(len(held))]
            for _ in range(rng.integers(0, 3)):
                kind = rng.integers(4)
                if view.ndim == 0:
                    break
                if kind == 0:
                    view = view[rng.integers(view.shape[0]) if view.shape[0] else slice(0, 0)]
                elif kind == 1:
                    view = view[:: int(rng.choice([1, 2, -1]))]
                elif kind == 2:
                    view = view.permute(*rng.permutation(view.ndim).tolist())
                else:
                    view = view.unsqueeze(0)
            held.append(view)
            kind = rng.integers(7)
            if kind == 0:
                view.mul_(1.5)
            elif kind == 1:
                view.sin_()
            elif kind == 2:
                view.mul_(w[0])
            elif kind == 3:
                view.add_(held[rng.integers(len(held))].sum())
            elif kind == 4:
                view[...] = w[1] * 2
            elif kind == 5:
                view.copy_(w[0] * view.clone())
            else:
                view.pow_(2)
        total = sum((h * (k + 1)).sum() for k, h in enumerate(held))
        return total + (base * base).sum()

    return run


@pytest.mark.parametrize("seed", range(60))
def test_programs_that_write_in_place(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    x = to_tensor(rng.uniform(0.5, 1.5, (2, 3, 2))).requires_grad_()
    w = to_tensor(rng.uniform(0.5, 1.5, 2)).requires_grad_()
    program = _program(seed)
    gradcheck(program, (x, w), fast_mode=True)
    gradgradcheck(program, (x, w), fast_mode=True)
