"""Rows of convolution and pooling. tests/test_conv.py and tests/test_pool.py have what is
particular to them, and use the references here."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case

# ---------------------------------------------------------------- references


def spread(value: Any, n: int) -> list[int]:
    """Give one value per dimension."""
    values = [int(v) for v in np.atleast_1d(value)]
    return values * n if len(values) == 1 else values


def _sides(padding: Any, n: int) -> list[tuple[int, int]]:
    values = spread(padding, n)
    if len(values) == n:
        return [(p, p) for p in values]
    return list(zip(values[::2], values[1::2], strict=True))


class _Taps:
    """The taps of a kernel and the pixels of the padded input under each."""

    def __init__(self, kernel: Any, padded: Any, stride: Any, dilation: Any) -> None:
        n = len(kernel)
        self.kernel, self.stride, self.dilation = kernel, spread(stride, n), spread(dilation, n)
        self.out = [
            (p - d * (k - 1) - 1) // s + 1
            for p, k, s, d in zip(padded, kernel, self.stride, self.dilation, strict=True)
        ]

    def __iter__(self) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        for tap in itertools.product(*map(range, self.kernel)):
            at = tuple(
                slice(t * d, t * d + s * (o - 1) + 1, s)
                for t, s, d, o in zip(tap, self.stride, self.dilation, self.out, strict=True)
            )
            yield (..., *tap), (..., *at)


def _padded(x: Any, padding: Any, n: int, value: float = 0.0) -> Any:
    sides = [(0, 0)] * (x.ndim - n) + _sides(padding, n)
    return np.pad(x, sides, constant_values=value)


def conv(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolve over as many dimensions as the weight has; tap by tap."""
    n = w.ndim - 2
    if x.ndim == n + 1:
        return conv(x[None], w, bias, stride, padding, dilation, groups)[0]
    xp = _padded(x, padding, n)
    taps = _Taps(w.shape[2:], xp.shape[2:], stride, dilation)
    xg = xp.reshape(x.shape[0], groups, -1, *xp.shape[2:])
    wg = w.reshape(groups, -1, *w.shape[1:])
    out = np.zeros((x.shape[0], groups, wg.shape[1], *taps.out), np.result_type(x, w))
    for tap, at in taps:
        out += np.einsum("ngc...,goc->ngo...", xg[at], wg[tap])
    out = out.reshape(x.shape[0], w.shape[0], *taps.out)
    return out if bias is None else out + bias.reshape(-1, *[1] * n)


def conv_grads(
    x: Any, w: Any, g: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> tuple[Any, Any]:
    """Gradients of a batched `conv` for x and w, given the output's gradient g."""
    n = w.ndim - 2
    xp = _padded(x, padding, n)
    taps = _Taps(w.shape[2:], xp.shape[2:], stride, dilation)
    xg = xp.reshape(x.shape[0], groups, -1, *xp.shape[2:])
    wg = w.reshape(groups, -1, *w.shape[1:])
    gg = g.reshape(x.shape[0], groups, -1, *g.shape[2:])
    dx, dw = np.zeros_like(xg), np.zeros_like(wg)
    pixels = tuple(range(3, 3 + n))
    for tap, at in taps:
        dx[at] += np.einsum("ngo...,goc->ngc...", gg, wg[tap])
        for c in range(wg.shape[2]):
            dw[(slice(None), slice(None), c, *tap[1:])] = np.sum(
                gg * xg[at][:, :, c : c + 1], axis=(0, *pixels)
            )
    inner = tuple(
        slice(before, before + size)
        for (before, _), size in zip(_sides(padding, n), x.shape[2:], strict=True)
    )
    return dx.reshape(xp.shape)[(..., *inner)], dw.reshape(w.shape)


def pool_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    """Count the windows as torch does."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (out - 1) * stride >= size + padding:
        out -= 1
    return out


def _windows(
    x: Any, n: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, fill: float
) -> Any:
    """Stack the taps of every window along a new last axis."""
    kernel = spread(kernel, n)
    stride = kernel if stride is None else spread(stride, n)
    padding, dilation = spread(padding, n), spread(dilation, n)
    sizes = [
        pool_size(*args, ceil)
        for args in zip(x.shape[-n:], kernel, stride, padding, dilation, strict=True)
    ]
    reach = [
        (o - 1) * s + d * (k - 1) + 1
        for o, s, d, k in zip(sizes, stride, dilation, kernel, strict=True)
    ]
    sides = []
    for size, p, r in zip(x.shape[-n:], padding, reach, strict=True):
        sides += [p, max(r - size - p, 0)]
    xp = _padded(x, sides, n, fill)[(..., *(slice(r) for r in reach))]
    return np.stack([xp[at] for _, at in _Taps(kernel, reach, stride, dilation)], -1)


def max_pool(
    x: Any,
    n: int,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> tuple[Any, Any]:
    """Maxima and where the first of them stand in the flattened last n dimensions."""
    args = (n, kernel, stride, padding, dilation, ceil)
    values = _windows(x, *args, -np.inf)
    place = np.arange(int(np.prod(x.shape[-n:])), dtype=float).reshape(x.shape[-n:])
    places = _windows(place, *args, -1.0)
    inside = places >= 0
    first = np.argmax(np.where(inside & (values == values.max(-1, keepdims=True)), 1, 0), -1)
    places = np.broadcast_to(places, values.shape)
    return values.max(-1), np.take_along_axis(places, first[..., None], -1)[..., 0].astype(int)


def avg_pool(
    x: Any,
    n: int,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil: bool = False,
    count_include_pad: bool = True,
    divisor: Any = None,
) -> Any:
    args = (n, kernel, stride, 0, 1, ceil)
    # What counts: the plane and, if asked, its padding, but never what lies behind that.
    counted = np.pad(np.ones(x.shape[-n:]), _sides(padding, n), constant_values=count_include_pad)
    padded = _padded(x, padding, n)
    out = [
        pool_size(size, k, s, p, 1, ceil)
        for size, k, s, p in zip(
            x.shape[-n:],
            spread(kernel, n),
            spread(kernel if stride is None else stride, n),
            spread(padding, n),
            strict=True,
        )
    ]
    some = (..., *(slice(o) for o in out))
    sums = _windows(padded, *args, 0.0)[(*some, slice(None))].sum(-1)
    return sums / (divisor or _windows(counted, *args, 0.0)[(*some, slice(None))].sum(-1))


def adaptive_cells(size: int, out: int) -> list[slice]:
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_pool(x: Any, n: int, size: Any, f: Any) -> Any:
    """Apply f(cell, its place) to each cell of a grid over the last n dimensions."""
    size = [s if o == -1 else o for o, s in zip(spread(size, n), x.shape[-n:], strict=True)]
    grids = [adaptive_cells(s, o) for s, o in zip(x.shape[-n:], size, strict=True)]
    cells = [f(x[(..., *at)], at) for at in itertools.product(*grids)]
    return np.stack(cells, -1).reshape(*x.shape[:-n], *size)


def adaptive_avg(x: Any, n: int, size: Any) -> Any:
    return adaptive_pool(x, n, size, lambda cell, _: cell.mean(tuple(range(-n, 0))))


def adaptive_max(x: Any, n: int, size: Any) -> tuple[Any, Any]:
    place = np.arange(int(np.prod(x.shape[-n:]))).reshape(x.shape[-n:])

    def where(cell: Any, at: Any) -> Any:
        first = cell.reshape(*cell.shape[:-n], -1).argmax(-1)
        return place[at].reshape(-1)[first]

    return (
        adaptive_pool(x, n, size, lambda cell, _: cell.max(tuple(range(-n, 0)))),
        adaptive_pool(x, n, size, where),
    )


# ---------------------------------------------------------------- rows


def conv_scale(x: Any, w: Any, bias: Any = None, *args: Any, **kwargs: Any) -> Any:
    bias = None if bias is None else np.abs(bias)
    return np.sqrt(w[0].size + 1) * conv(np.abs(x), np.abs(w), bias, *args, **kwargs)


def _conv(name: str, *cases: Case, **row: Any) -> Op:
    return Op(
        name,
        conv,
        cases,
        path=f"nn.functional.{name}",
        names=("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
        dtypes="f",
        ulp=2,
        scale=conv_scale,
        **row,
    )


def _pool(name: str, ref: Any, *cases: Case, **row: Any) -> Op:
    n = 1 if "1d" in name else 2

    def at(x: Any, *args: Any, **kwargs: Any) -> Any:
        return ref(x, n, *args, **kwargs)

    if "avg" in name:
        row |= {"ulp": 8, "scale": lambda x, *args: at(np.abs(x), *args)}
    row.setdefault("bad", _pool_errors(name, n) if "adaptive" not in name else ())
    return Op(name, at, cases, path=f"nn.functional.{name}", dtypes="f", **row)


def _pool_errors(name: str, n: int) -> tuple[Bad, ...]:
    x = T((2, 3, *[6] * n))
    return (
        Bad(case(T((6,)), 2), ValueError, rf"{name}.*\(6,\).*expected \(N, C"),
        Bad(case(x, 0), ValueError, f"{name}.*kernel_size.*at least 1"),
        Bad(case(x, 2, 0), ValueError, f"{name}.*stride.*at least 1"),
        Bad(case(x, 2, 2, -1), ValueError, f"{name}.*padding at least 0"),
        Bad(case(x, 2, 2, 2), ValueError, f"{name}.*more than half the window"),
        Bad(case(x, 7), ValueError, f"{name}.*larger than the padded input"),
    )


def _distinct(*shape: int) -> T:
    return T(shape, distinct=True)


X1, W1 = T((2, 4, 9)), T((6, 4, 3))
X2, W2 = T((2, 4, 6, 5)), T((6, 4, 3, 2))
GROUPED, DEEP = T((6, 2, 3, 2)), T((4, 1, 3, 3))
BIAS = T((6,))
D1, D2 = _distinct(2, 3, 11), _distinct(2, 3, 7, 8)
BIG = _distinct(16, 32, 28, 28)

ROWS: tuple[Op, ...] = (
    _conv(
        "conv2d",
        case(X2, W2, BIAS),
        case(X2, W2, None, 2, 1),
        case(X2, W2, BIAS, (1, 2), (1, 0), (2, 1)),
        case(X2, GROUPED, BIAS, 1, (0, 1, 2, 0), 1, 2),
        case(X2, DEEP, None, 2, 1, 1, 4),
        case(X2, T((5, 4, 1, 1))),
        case(T((4, 6, 5)), W2, BIAS),
        big=case(T((8, 16, 28, 28)), T((32, 16, 3, 3)), T((32,)), 1, 1),
        bad=(
            Bad(case(T((2, 3, 6, 5)), W2), ValueError, r"conv2d.*3 channels.*\(6, 4, 3, 2\)"),
            Bad(case(X2, W2, None, 1, 0, 1, 3), ValueError, "conv2d: groups does not divide"),
            Bad(case(X2, W2, T((5,))), ValueError, r"conv2d.*bias.*\(5,\).*\(6,\)"),
            Bad(case(X1, W2), ValueError, r"conv2d.*2, 4, 9\)"),
            Bad(case(X2, W2, None, 0), ValueError, "conv2d: stride"),
            Bad(case(X2, W2, None, 1, -1), ValueError, "conv2d: padding"),
            Bad(case(X2, W2, None, 1, 0, 0), ValueError, "conv2d: dilation"),
            Bad(case(X2, T((6, 4, 7, 2))), ValueError, "conv2d.*larger than the padded input"),
            Bad(case(X2, W2, None, 1, 2**62), ValueError, "conv2d: padding"),
        ),
    ),
    _conv(
        "conv1d",
        case(X1, W1, BIAS),
        case(X1, W1, None, 2, 1, 2),
        case(X1, W1, None, 1, (2, 0)),
        case(T((4, 9)), T((6, 2, 3)), BIAS, 1, 1, 1, 2),
        big=case(T((8, 16, 400)), T((32, 16, 3))),
        bad=(
            Bad(case(T((2, 3, 9)), W1), ValueError, r"conv1d.*3 channels.*\(6, 4, 3\)"),
            Bad(case(X2, W1), ValueError, r"conv1d.*\(2, 4, 6, 5\).*\(N, C, L\)"),
            Bad(case(X1, T((6, 4, 10))), ValueError, "conv1d.*larger than the padded input"),
        ),
    ),
    _pool(
        "max_pool2d",
        lambda *args: max_pool(*args)[0],
        case(D2, 2),
        case(D2, 3, 2, 1),
        case(D2, (3, 2), (1, 2), (1, 0), 2, True),
        case(_distinct(3, 7, 8), (2, 3)),
        case(D2, (7, 8)),
        big=case(BIG, 3, 2, 1),
    ),
    _pool(
        "max_pool1d",
        lambda *args: max_pool(*args)[0],
        case(D1, 2),
        case(D1, 3, 2, 1, 2, True),
        case(_distinct(3, 11), 4, 1),
        big=case(_distinct(16, 32, 700), 3),
    ),
    _pool(
        "max_pool2d_with_indices",
        max_pool,
        case(D2, 2),
        case(D2, 3, 1, 1, 2, True),
        result=("same", "int64"),
        big=case(BIG, 2),
    ),
    _pool(
        "max_pool1d_with_indices",
        max_pool,
        case(D1, 2),
        case(D1, 3, 2, 1),
        result=("same", "int64"),
        big=case(_distinct(16, 32, 700), 3),
    ),
    _pool(
        "avg_pool2d",
        avg_pool,
        case(D2, 2),
        case(D2, 3, 2, 1),
        case(D2, (3, 2), (2, 3), (1, 0), True, False),
        case(D2, 3, 2, 1, True, True),
        case(_distinct(3, 7, 8), 2, 1, 0, False, True, 3),
        case(D2, (7, 8)),
        big=case(BIG, 3, 1, 1),
    ),
    _pool(
        "avg_pool1d",
        avg_pool,
        case(D1, 2),
        case(D1, 3, 2, 1, True, False),
        case(D1, 3, 2, 1, True, True),
        big=case(_distinct(16, 32, 700), 3),
    ),
    _pool(
        "adaptive_avg_pool2d",
        adaptive_avg,
        case(D2, (3, 5)),
        case(D2, 1),
        case(D2, (7, 4)),
        case(_distinct(3, 7, 8), (9, -1)),
        big=case(BIG, 5),
    ),
    _pool("adaptive_avg_pool1d", adaptive_avg, case(D1, 4), case(D1, 1)),
    _pool(
        "adaptive_max_pool2d",
        lambda *args: adaptive_max(*args)[0],
        case(D2, (3, 5)),
        case(D2, (7, 4)),
        case(_distinct(3, 7, 8), (9, -1)),
        big=case(BIG, 5),
    ),
    _pool("adaptive_max_pool1d", lambda *args: adaptive_max(*args)[0], case(D1, 4), case(D1, 1)),
    _pool(
        "adaptive_max_pool2d_with_indices",
        adaptive_max,
        case(D2, (3, 5)),
        case(D2, (7, 4)),
        result=("same", "int64"),
    ),
    _pool(
        "adaptive_max_pool1d_with_indices",
        adaptive_max,
        case(D1, 4),
        result=("same", "int64"),
    ),
)
