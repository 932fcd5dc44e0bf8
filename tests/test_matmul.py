"""Matrix products: every algorithm, size, layout and batch; the same bits for any threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core

FLOATS = ("float32", "float64")


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Give every product to one algorithm."""
    _core._force_gemm_algorithm(name)
    try:
        yield
    finally:
        _core._force_gemm_algorithm("")


def draw(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    return rng.standard_normal(shape).astype(dtype)


def transposed(x: np.ndarray) -> Any:
    """The values of `x` in a tensor whose columns are contiguous."""
    return cr.tensor(np.ascontiguousarray(np.swapaxes(x, -1, -2))).mT


def spread(x: np.ndarray) -> Any:
    """The values of `x` every second and third element apart, among NaN."""
    room = np.full((2 * x.shape[0] + 1, 3 * x.shape[1] + 2), np.nan, x.dtype)
    room[1::2, 2::3] = x
    return cr.tensor(room)[1::2, 2::3]


LAYOUTS = {"N": cr.tensor, "T": transposed, "S": spread}


def check(result: Any, a: np.ndarray, b: np.ndarray, bias: Any = 0.0) -> None:
    """|result - a b - bias| <= c eps (sqrt(K) |a| |b| + |bias|), elementwise.

    c = 2; twice that for float64, whose reference is as inexact as what it judges.
    """
    got = result.numpy()
    wide_a, wide_b = a.astype(float), b.astype(float)
    exact = wide_a @ wide_b + bias
    size = np.sqrt(a.shape[-1] + 1) * (np.abs(wide_a) @ np.abs(wide_b)) + np.abs(bias)
    c = 4 if got.dtype == np.float64 else 2
    assert got.shape == exact.shape
    assert (np.abs(got - exact) <= c * np.finfo(got.dtype).eps * size).all(), (a.shape, b.shape)


# ---------------------------------------------------------------- algorithms

# Who takes what when nothing is forced: (rows, cols, depth, layouts) -> name.
CHOICES = {
    (64, 64, 64, "NN"): "direct",
    (64, 64, 64, "TN"): "direct",
    (64, 64, 64, "NT"): "packed",
    (64, 64, 64, "TT"): "packed",
    (700, 600, 500, "NN"): "packed",
    (1, 300, 200, "NN"): "thin",
    (3, 300, 200, "NN"): "thin",
    (1, 300, 200, "NT"): "dots",
    (4, 300, 512, "NT"): "dots",
    (300, 1, 200, "NN"): "dots",
    (300, 1, 200, "TN"): "thin",
    (1, 1, 200, "NN"): "dots",
    (20, 30, 20000, "TN"): "deep",
    (64, 64, 3136, "NN"): "deep",
    (20, 30, 2100, "NN"): "direct",
    (100, 1024, 8, "TN"): "direct",
    (100, 1024, 9, "TN"): "packed",  # rows of B share a set of L1
    (1, 1, 20000, "NN"): "deep",
    (5, 6, 0, "NN"): "naive",
}


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_algorithm_is_chosen_by_the_problem(dtype: str) -> None:
    for (m, n, k, layout), name in CHOICES.items():
        a, b = draw((m, k), dtype), draw((k, n), dtype, 1)
        result = LAYOUTS[layout[0]](a) @ LAYOUTS[layout[1]](b)
        assert _core._last_gemm_algorithm() == name, (m, n, k, layout)
        check(result, a, b)


ACCEPTED = {
    "deep": [(3, 5, 9000, "NN"), (60, 100, 8192, "TN"), (1, 1, 20001, "NN")],
    "dots": [(1, 1, 2, "NT"), (2, 37, 41, "NT"), (4, 9, 160, "NT"), (300, 3, 70, "NT")],
    "thin": [(1, 1, 7, "NN"), (1, 131, 77, "NN"), (2, 65, 9, "TN"), (3, 1000, 400, "SN")],
    "direct": [
        (7, 13, 5, "NN"),
        (50, 70, 90, "TN"),
        (33, 16, 300, "SN"),
        (4, 2000, 900, "NN"),
        *[(512, 512, k, first + "N") for k in (1, 8) for first in "NT"],
    ],  # rows crowded
    "packed": [
        *[(50, 70, 90, first + second) for first, second in product("NTS", repeat=2)],
        (1, 1, 1, "NN"),
        (2, 3, 1, "NT"),
        (13, 2100, 17, "NT"),
        (300, 37, 1100, "TS"),
        *[(151, 801, 530, first + "N") for first in "NTS"],  # rows of A are packed too
        (512, 1024, 20, "TN"),  # transposed, its rows crowded
    ],
    "naive": [(1, 1, 1, "NN"), (20, 30, 40, "TS")],
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", list(ACCEPTED))
def test_every_algorithm(name: str, dtype: str) -> None:
    """Values, with and without bias, and the same bits on 1, 2 and 4 threads."""
    for m, n, k, layout in ACCEPTED[name]:
        a, b, bias = draw((m, k), dtype), draw((k, n), dtype, 1), draw((n,), dtype, 2)
        left, right = LAYOUTS[layout[0]](a), LAYOUTS[layout[1]](b)
        bits = set()
        for threads in (1, 2, 4):
            cr.set_num_threads(threads)
            with forced(name):
                result = left @ right
                assert _core._last_gemm_algorithm() == name
                check(result, a, b)
                bits.add(result.numpy().tobytes())
                if name != "deep":  # declines a bias
                    check(_core.linear(left, right.mT, cr.tensor(bias)), a, b, bias)
        assert len(bits) == 1, (m, n, k, layout)


def test_a_forced_algorithm_may_decline() -> None:
    a, b = cr.ones(40, 50), cr.ones(50, 60)
    for name in ("deep", "dots", "thin"):
        with forced(name), pytest.raises(ValueError, match=f"'{name}' declines 40 x 50 times"):
            a @ b
    with pytest.raises(ValueError, match="no algorithm 'fast'; expected deep, dots, thin"):
        _core._force_gemm_algorithm("fast")
    assert (a @ b)[0, 0] == 50


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_small_size(dtype: str, layout: str) -> None:
    """Whole and partial tiles in every combination, several depths."""
    for k, step in ((1, 3), (7, 1), (33, 5)):
        a, b = draw((27, k), dtype), draw((k, 70), dtype, 1)
        for m, n in product(range(1, 28, step), range(1, 71, step)):
            left, right = LAYOUTS[layout[0]](a[:m]), LAYOUTS[layout[1]](b[:, :n])
            check(left @ right, a[:m], b[:, :n])


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("shape", [(1024, 1024, 1024), (513, 2300, 777), (2000, 100, 3000)])
def test_large(shape: tuple[int, int, int], layout: str) -> None:
    """(A B) x against A (B x) for a random x of signs: any wrong block shows."""
    m, n, k = shape
    a, b = draw((m, k)), draw((k, n), seed=1)
    result = (LAYOUTS[layout[0]](a) @ LAYOUTS[layout[1]](b)).numpy()
    for axis, size in ((1, n), (0, m)):
        signs = np.sign(draw((size,), "float64", 2))
        if axis == 1:
            got, exact = result @ signs, a.astype(float) @ (b.astype(float) @ signs)
        else:
            got, exact = signs @ result, (signs @ a.astype(float)) @ b.astype(float)
        # Partial sums grow like sqrt(k) and each is rounded: an element is off by about eps k / 4,
        # and the signs add up such errors like a walk. A wrong element would be off by sqrt(k).
        bound = np.finfo(np.float32).eps * k * np.sqrt(size)
        assert np.abs(got - exact).max() < bound


def test_nothing_leaks_from_one_element_to_another() -> None:
    """A NaN reaches its row and column only, and infinity times zero is NaN."""
    for m, n, k in ((13, 37, 20), (1, 37, 20), (70, 300, 600), (2, 5, 9000)):
        a, b = np.ones((m, k), "float32"), np.ones((k, n), "float32")
        a[m // 2, k // 3] = np.nan
        b[k - 1, n - 1] = np.inf
        for left, right in product("NT", repeat=2):
            got = (LAYOUTS[left](a) @ LAYOUTS[right](b)).numpy()
            with np.errstate(invalid="ignore"):
                np.testing.assert_array_equal(got, a @ b)


def test_exact_on_small_integers() -> None:
    """Sums of integers below 2**24 are exact in every order: all algorithms agree in every bit."""
    rng = np.random.default_rng(0)
    for m, n, k in ((100, 200, 300), (1, 64, 10000), (3, 3, 3), (40, 40, 9000)):
        a = rng.integers(-4, 5, (m, k))
        b = rng.integers(-4, 5, (k, n))
        for dtype in (*FLOATS, "int16", "int32", "int64"):
            got = cr.tensor(a.astype(dtype)) @ cr.tensor(b.astype(dtype))
            np.testing.assert_array_equal(got.numpy(), (a @ b).astype(dtype))


def test_integers_wrap_around() -> None:
    rng = np.random.default_rng(0)
    for dtype in ("uint8", "int8", "int16", "int32", "int64"):
        info = np.iinfo(dtype)
        a = rng.integers(info.min, info.max, (9, 70), dtype, endpoint=True)
        b = rng.integers(info.min, info.max, (70, 11), dtype, endpoint=True)
        with np.errstate(over="ignore"):
            expected = a @ b
        for left, right in ((cr.tensor(a), cr.tensor(b)), (transposed(a), transposed(b))):
            result = left @ right
            assert result.dtype == left.dtype
            np.testing.assert_array_equal(result.numpy(), expected)


@pytest.mark.parametrize("dtype", [*FLOATS, "int32"])
def test_empty(dtype: str) -> None:
    """No terms give zeros (or the bias); no rows or columns give nothing."""
    wanted = getattr(cr, dtype)
    for m, n in ((3, 4), (1, 5), (5, 1), (1, 1)):
        result = cr.zeros(m, 0, dtype=wanted) @ cr.zeros(0, n, dtype=wanted)
        np.testing.assert_array_equal(result.numpy(), np.zeros((m, n), dtype))
        bias = cr.ones(n, dtype=wanted)
        result = _core.linear(cr.zeros(m, 0, dtype=wanted), cr.zeros(n, 0, dtype=wanted), bias)
        np.testing.assert_array_equal(result.numpy(), np.ones((m, n), dtype))
    for left, right, shape in (
        ((0, 3), (3, 4), (0, 4)),
        ((4, 3), (3, 0), (4, 0)),
        ((0,), (0,), ()),
        ((2, 0, 3), (3, 4), (2, 0, 4)),
        ((0, 2, 3), (0, 3, 4), (0, 2, 4)),
        ((0, 1, 2, 3), (5, 3, 4), (0, 5, 2, 4)),
    ):
        result = cr.ones(*left, dtype=wanted) @ cr.ones(*right, dtype=wanted)
        assert tuple(result.shape) == shape


def test_empty_gradients() -> None:
    for left, right in (((0, 3), (3, 4)), ((4, 0), (0, 3)), ((2, 0, 3), (3, 4))):
        a, b = cr.ones(*left, requires_grad=True), cr.ones(*right, requires_grad=True)
        (a @ b).sum().backward()
        np.testing.assert_array_equal(a.grad.numpy(), np.full(left, float(right[-1])))
        np.testing.assert_array_equal(
            b.grad.numpy(), np.full(right, a.numel() / left[-1] if left[-1] else 0.0)
        )


def test_a_result_too_large_to_count() -> None:
    long = cr.ones(1).expand(2**33)
    with pytest.raises(ValueError, match="more elements than fit in memory"):
        long.unsqueeze(1) @ long.unsqueeze(0)


# ---------------------------------------------------------------- batches and layouts

BATCHES = [
    ((6, 5, 4), (4, 3)),
    ((5, 4), (6, 4, 3)),
    ((6, 5, 4), (6, 4, 3)),
    ((6, 1, 4), (4, 3)),
    ((2, 1, 5, 4), (3, 4, 3)),
    ((2, 3, 1, 4), (1, 3, 4, 6)),
    ((1, 1, 5, 4), (2, 3, 4, 1)),
    ((2, 3, 5, 4), (4,)),
    ((4,), (2, 3, 4, 5)),
    ((70, 40, 30), (70, 30, 50)),
    ((3, 200, 210), (3, 210, 190)),
]


@pytest.mark.parametrize(("left", "right"), BATCHES)
def test_batches(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = draw(left), draw(right, seed=1)
    views = [cr.tensor(a)], [cr.tensor(b)]
    for x, view in ((a, views[0]), (b, views[1])):
        if x.ndim > 1:
            view.append(transposed(x))
        if x.ndim > 2:  # dimensions in another order in memory, every second matrix
            view.append(cr.tensor(np.ascontiguousarray(np.moveaxis(x, 0, 1))).transpose(0, 1))
            view.append(cr.tensor(np.repeat(x, 2, axis=0))[::2])
    bits = set()
    for x, y in product(*views):
        check(x @ y, a, b)
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        bits.add((views[0][0] @ views[1][0]).numpy().tobytes())
    assert len(bits) == 1


@pytest.mark.parametrize("dtype", FLOATS)
def test_batches_of_small_products(dtype: str) -> None:
    """One call of a kernel takes many: every small size, layout and step, vectors among them."""
    for m, k, n in (
        *product((1, 2, 3, 5, 8, 11), (1, 2, 4, 13, 33), (1, 2, 3, 7, 17)),
        (16, 16, 16),
    ):
        a, b = draw((3, 4, m, k), dtype), draw((3, 4, k, n), dtype, 1)
        shared = draw((4, k, n), dtype, 2)
        left, right = [cr.tensor(a), transposed(a)], [cr.tensor(b), transposed(b)]
        for x, y in product(left, right):
            check(x @ y, a, b)
        check(left[0] @ transposed(shared), a, shared)
        check(left[0][:, ::2] @ right[0][:, 1::2].flip(0), a[:, ::2], b[::-1, 1::2])
    a, b = draw((999, 3, 3), dtype), draw((999, 3, 2), dtype, 1)
    bits = set()
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        result = cr.tensor(a) @ cr.tensor(b)
        assert _core._last_gemm_algorithm() == "small"
        check(result, a, b)
        bits.add(result.numpy().tobytes())
    assert len(bits) == 1


@pytest.mark.parametrize("dtype", FLOATS)
def test_shapes_with_a_way_of_their_own(dtype: str) -> None:
    """Short sums along the rows of C, few columns, one dot product, large parts per thread."""
    shapes = (
        *product((40, 257), (1, 3, 16, 32), (63, 514)),
        *product((16, 300), (16, 70, 600), (1, 2, 3, 5, 8)),
        *((1, k, 1) for k in (2, 15, 16, 17, 127, 128, 200, 3000)),
        *((1, k, 40) for k in (2, 3, 4, 5, 10, 64, 65)),
    )
    for m, k, n in shapes:
        a, b = draw((m, k), dtype), draw((k, n), dtype, 1)
        for first, second in product("NT", repeat=2):
            left, right = LAYOUTS[first](a), LAYOUTS[second](b)
            check(left @ right, a, b)
            bias = cr.tensor(draw((n,), dtype, 2))
            result = _core.linear(left, right.mT, bias)
            check(result, a, b, bias.numpy())
            rectified = _core.linear(left, right.mT, bias, activation="relu").numpy()
            np.testing.assert_array_equal(rectified, np.maximum(result.numpy(), 0))
    for m, k, n in ((500, 520, 610), (1500, 600, 400), (100, 1500, 900)):
        a, b = draw((m, k), dtype), draw((k, n), dtype, 1)
        bits = set()
        for threads in (1, 2, 4):
            cr.set_num_threads(threads)
            result = cr.tensor(a) @ cr.tensor(b)
            assert _core._last_gemm_algorithm() == "packed"
            bits.add(result.numpy().tobytes())
        check(result, a, b)
        assert len(bits) == 1


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64"])
def test_integers_of_every_layout(dtype: str) -> None:
    rng = np.random.default_rng(0)
    info = np.iinfo(dtype)
    for m, k, n in ((1, 70, 1), (1, 5, 9), (9, 70, 1), (7, 65, 300), (3, 200, 33), (50, 1, 64)):
        a = rng.integers(info.min, info.max, (m, k), dtype, endpoint=True)
        b = rng.integers(info.min, info.max, (k, n), dtype, endpoint=True)
        bias = rng.integers(info.min, info.max, (n,), dtype, endpoint=True)
        with np.errstate(over="ignore"):
            expected = a @ b
        for first, second in product("NT", repeat=2):
            left, right = LAYOUTS[first](a), LAYOUTS[second](b)
            np.testing.assert_array_equal((left @ right).numpy(), expected)
            biased = _core.linear(left, right.mT, cr.tensor(bias)).numpy()
            np.testing.assert_array_equal(biased, expected + bias)


@pytest.mark.parametrize(("left", "right"), BATCHES)
def test_gradients_of_batches(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """grad b^T and a^T grad, summed to the shapes of the operands."""
    a, b = draw(left, "float64"), draw(right, "float64", 1)
    x, y = cr.tensor(a, requires_grad=True), cr.tensor(b, requires_grad=True)
    result = x @ y
    grad = draw(tuple(result.shape), "float64", 2)
    result.backward(cr.tensor(grad))
    rows = a[None] if a.ndim == 1 else a
    cols = b[:, None] if b.ndim == 1 else b
    full = grad[..., None, :] if a.ndim == 1 else grad
    full = full[..., None] if b.ndim == 1 else full

    def summed(value: Any, shape: tuple[int, ...]) -> Any:
        value = value.sum(tuple(range(value.ndim - len(shape))))
        axes = tuple(i for i, n in enumerate(shape) if n == 1)
        return value.sum(axes, keepdims=True)

    def swap(m: Any) -> Any:
        return np.swapaxes(m, -1, -2)

    for got, want, shape in (
        (x.grad, summed(full @ swap(cols), rows.shape), left),
        (y.grad, summed(swap(rows) @ full, cols.shape), right),
    ):
        np.testing.assert_allclose(got.numpy(), want.reshape(shape), rtol=1e-12, atol=1e-12)


def test_strided_operands() -> None:
    """Transposed, sliced, reversed, expanded and shared operands."""
    x = draw((40, 60))
    t = cr.tensor(x)
    cases = [
        (t, t.mT, x, x.T),
        (t.mT, t, x.T, x),
        (t[:, :30], t[:30], x[:, :30], x[:30]),
        (t[3:20, 5:45], t[:, 7:9], x[3:20, 5:45], x[:, 7:9]),
        (t[::2, ::3], t[1:21, ::5], x[::2, ::3], x[1:21, ::5]),
        (t[:1].expand(9, 60), t.mT, np.repeat(x[:1], 9, 0), x.T),
        (t[:, :1].expand(40, 40), t, np.repeat(x[:, :1], 40, 1), x),
        (t[0], t.mT, x[0], x.T),
        (t, t[0, :1].expand(60), x, np.repeat(x[0, :1], 60)),
        (t.flip(1), t.mT.flip(0), x[:, ::-1], x.T[::-1]),
    ]
    for left, right, a, b in cases:
        check(left @ right, a, b)


def test_no_copy_is_made_of_an_operand() -> None:
    """The peak of memory during a product of transposed operands is the result's."""
    big = cr.ones(2000, 1000)
    thin = cr.ones(1000, 3)
    for left, right in ((big, thin), (big.mT, cr.ones(2000, 3)), (thin.mT.contiguous(), big.mT)):
        before = _core.memory_stats()["allocated"]
        _core.reset_peak_memory()
        result = left @ right
        assert _core.memory_stats()["peak"] - before < 1_000_000
        assert float(result[0, 0]) == left.shape[-1]


# ---------------------------------------------------------------- linear


def test_linear_over_any_leading_dimensions() -> None:
    x, weight, bias = draw((3, 4, 5, 70)), draw((90, 70), seed=1), draw((90,), seed=2)
    result = _core.linear(cr.tensor(x), cr.tensor(weight), cr.tensor(bias))
    check(result, x, weight.T, bias)
    moved = cr.tensor(np.ascontiguousarray(x.transpose(1, 0, 2, 3))).transpose(0, 1)
    check(_core.linear(moved, cr.tensor(weight), cr.tensor(bias)), x, weight.T, bias)
    check(_core.linear(cr.tensor(x[0, 0, 0]), cr.tensor(weight)), x[0, 0, 0], weight.T)


def test_linear_adds_the_bias_once_per_element() -> None:
    """Also where the depth is cut into blocks and the output into items."""
    for m, n, k in ((600, 700, 1500), (5, 1000, 2000), (1, 9, 9000), (200, 3, 5000)):
        weight, bias = np.zeros((n, k), "float32"), draw((n,))
        result = _core.linear(cr.zeros(m, k), cr.tensor(weight), cr.tensor(bias))
        np.testing.assert_array_equal(result.numpy(), np.broadcast_to(bias, (m, n)))


def test_linear_gradients() -> None:
    x, weight, bias = draw((2, 3, 7), "float64"), draw((5, 7), "float64"), draw((5,), "float64")
    tensors = [cr.tensor(v, requires_grad=True) for v in (x, weight, bias)]
    grad = draw((2, 3, 5), "float64", 3)
    _core.linear(*tensors).backward(cr.tensor(grad))
    rows, flat = x.reshape(6, 7), grad.reshape(6, 5)
    for tensor, want in zip(tensors, (grad @ weight, flat.T @ rows, flat.sum(0)), strict=True):
        np.testing.assert_allclose(tensor.grad.numpy(), want, rtol=1e-13, atol=1e-13)


# ---------------------------------------------------------------- the named products


def test_addmm_without_its_input_ignores_nan() -> None:
    a, b = draw((3, 4)), draw((4, 5))
    for bad in (np.nan, np.inf):
        result = cr.addmm(cr.full((3, 5), bad), cr.tensor(a), cr.tensor(b), beta=0)
        check(result, a, b)


def test_addmm_of_integers_needs_whole_factors() -> None:
    ones = cr.ones(2, 2, dtype=cr.int32)
    result = cr.addmm(ones, ones, ones, beta=3, alpha=-2)
    assert result.dtype == cr.int32
    assert result.tolist() == [[-1, -1], [-1, -1]]
    with pytest.raises(ValueError, match=r"addmm: got a factor of 0\.5.*int32"):
        cr.addmm(ones, ones, ones, alpha=0.5)


def test_operators() -> None:
    a, b = draw((3, 4)), draw((4, 5))
    check(cr.tensor(a) @ cr.tensor(b), a, b)
    check(cr.tensor(a).__matmul__(cr.tensor(b)), a, b)
    with pytest.raises(ValueError, match="use \\* for scalars"):
        cr.tensor(a) @ 2.0
