"""How elementwise calls walk memory: large operands of every layout against NumPy, bit for bit."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr

# Rows longer and shorter than a panel or a spread element, several panels high, odd remainders.
SHAPES = [(37, 300), (3, 35, 70), (2, 16, 1300), (5, 2, 130, 64), (1500, 3), (9, 70, 5)]
DTYPES = ["uint8", "int16", "float32", "float64"]


def _sides(shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    """Arrays that broadcast to the shape, each laid out in its own way."""
    rng = np.random.default_rng(len(shape))

    def numbers(*size: int) -> Any:
        return rng.integers(0, 100, size).astype(dtype)

    *outer, rows, columns = shape
    return {
        "rows": numbers(*shape),
        "transposed": numbers(*outer, columns, rows).swapaxes(-1, -2),
        "transposed matrix": numbers(columns, rows).T,
        "column": numbers(*outer, rows, 1),
        "shared column": numbers(rows, 1),
        "row": numbers(columns),
        "element": numbers(),
        "every other": numbers(*outer, rows, 2 * columns)[..., ::2],
        "reversed axes": numbers(*shape[::-1]).transpose(),
    }


def _tensor(array: Any) -> Any:
    """A tensor with the array's strides."""
    return cr.from_numpy(array) if array.ndim else cr.tensor(array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_layouts_of_two_operands(shape: tuple[int, ...], dtype: str) -> None:
    sides = _sides(shape, dtype)
    for first, a in sides.items():
        for second, b in sides.items():
            got = (_tensor(a) * _tensor(b)).numpy()
            np.testing.assert_array_equal(got, a * b, err_msg=f"{first} * {second}")


@pytest.mark.parametrize("shape", SHAPES)
def test_layouts_of_three_operands(shape: tuple[int, ...]) -> None:
    sides = _sides(shape, "float32")
    condition = _sides(shape, "uint8")
    for first, third in [("transposed", "column"), ("row", "reversed axes"), ("column", "rows")]:
        for layout, c in condition.items():
            a, b, mask = sides[first], sides[third], c > 50
            got = cr.where(_tensor(mask), _tensor(a), _tensor(b)).numpy()
            want = np.where(mask, a, b)
            np.testing.assert_array_equal(got, want, err_msg=f"{layout}, {first}, {third}")


@pytest.mark.parametrize("shape", SHAPES)
def test_layouts_of_the_target(shape: tuple[int, ...]) -> None:
    for target, array in _sides(shape, "float32").items():
        if array.shape != shape:
            continue
        for source, b in _sides(shape, "float32").items():
            want = array + b
            written = _tensor(array.copy(order="K"))
            written += _tensor(b)
            np.testing.assert_array_equal(written.numpy(), want, err_msg=f"{target} += {source}")


def _row_ops() -> dict[str, Any]:
    """Ops that take one element for a whole row as it is, and one (pow) that does not."""
    return {
        "sub": lambda a, b, c: a - b,
        "div": lambda a, b, c: b / a,
        "maximum": lambda a, b, c: cr.maximum(b, c),
        "clamp": lambda a, b, c: cr.clamp(a, b, c),
        "addcmul": lambda a, b, c: cr.addcmul(c, a, b, value=0.5),
        "lerp": lambda a, b, c: cr.lerp(a, b, c),
        "scalar": lambda a, b, c: 3.0 - a,
        "pow": lambda a, b, c: a.abs() ** b,
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 7, 9), (300, 8), (3, 4, 67), (2, 3, 2500)])
def test_repeated_elements_give_the_bits_of_copies(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)

    def numbers(*size: int) -> Any:
        values = rng.standard_normal(size).astype(dtype)
        values.flat[0] = np.nan
        return values

    *outer, rows, columns = shape
    wide = numbers(*outer, rows, columns + 5)
    full = [numbers(*shape), wide[..., 2:-3], numbers(columns)]
    repeated = [numbers(rows, 1), numbers(*outer, 1, 1), numbers(*outer, rows, 1)]
    for name, op in _row_ops().items():
        for a in full:
            for b, c in zip(repeated, repeated[1:] + full[:1], strict=True):
                spread = [np.ascontiguousarray(np.broadcast_to(x, shape)) for x in (a, b, c)]
                results = [op(*map(_tensor, operands)) for operands in ((a, b, c), spread)]
                got, want = (np.broadcast_to(y.numpy(), shape).tobytes() for y in results)
                assert got == want, f"{name} of {a.shape}, {b.shape}, {c.shape}"


def test_copies_of_transposed_memory() -> None:
    x = np.arange(3 * 130 * 70, dtype=np.float32).reshape(3, 130, 70)
    for axes in [(0, 2, 1), (2, 1, 0), (1, 2, 0)]:
        view = x.transpose(axes)
        np.testing.assert_array_equal(cr.from_numpy(x).permute(axes).contiguous().numpy(), view)
        np.testing.assert_array_equal(cr.from_numpy(view).to(cr.int32).numpy(), view.astype("i4"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5003,), (7, 1100), (400, 3)])
def test_flips(shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(3).integers(0, 100, shape).astype(dtype)
    t = cr.from_numpy(x)
    for dims in [(-1,), (0,), tuple(range(len(shape)))]:
        np.testing.assert_array_equal(t.flip(dims).numpy(), np.flip(x, dims))


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_short_rows_from_any_start(width: int) -> None:
    # Shares of threads begin anywhere in a row.
    x = np.random.default_rng(4).standard_normal((200_003 // width, width)).astype("float32")
    row, column = x[5], x[:, :1] * 2
    before = cr.get_num_threads()
    for threads in (1, 3):
        cr.set_num_threads(threads)
        try:
            t = cr.from_numpy(x)
            np.testing.assert_array_equal((t * cr.from_numpy(row)).numpy(), x * row)
            np.testing.assert_array_equal((t - cr.from_numpy(column)).numpy(), x - column)
        finally:
            cr.set_num_threads(before)


def test_same_bits_for_any_number_of_threads() -> None:
    threads = cr.get_num_threads()
    x, y = cr.randn(700, 900), cr.randn(900, 700)
    try:
        results = []
        for n in (1, 2, 4):
            cr.set_num_threads(n)
            results.append((x * y.T + y[:1, :].T[:700] - x[:, :1]).numpy().tobytes())
    finally:
        cr.set_num_threads(threads)
    assert results[0] == results[1] == results[2]
