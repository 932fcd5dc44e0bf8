"""Rows that move elements: views, joining, splitting, padding."""

from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case

X = T((3, 4, 5))
BIG = T((257, 1031))


def _row(name: str, ref: Any, *cases: Case, **row: Any) -> Op:
    row.setdefault("also", (f"Tensor.{name}",))
    row.setdefault("big", case(BIG, *cases[0].args[1:], **cases[0].kwargs))
    return Op(name, ref, cases, **row)


def _pick(x: Any, dim: int, start: int, stop: int, step: int = 1) -> Any:
    index = [slice(None)] * x.ndim
    index[dim] = slice(start, stop, step)
    return x[tuple(index)]


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start_dim % x.ndim, end_dim % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


def _split(x: Any, size: Any, dim: int = 0) -> Any:
    sizes = [size] * -(-x.shape[dim] // size) if isinstance(size, int) else size
    ends = np.cumsum(sizes)
    return [_pick(x, dim, end - n, end) for end, n in zip(ends, sizes, strict=True)]


def _chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    return _split(x, -(-x.shape[dim] // chunks), dim)


def _expand(x: Any, *sizes: Any) -> Any:
    sizes = sizes[0] if isinstance(sizes[0], (list, tuple)) else sizes
    lead = len(sizes) - x.ndim
    shape = [x.shape[i - lead] if n == -1 else n for i, n in enumerate(sizes)]
    return np.broadcast_to(x, shape)


def _reshape(x: Any, *shape: Any) -> Any:
    return x.reshape(*shape)


def _permute(x: Any, *dims: Any) -> Any:
    return np.transpose(x, dims[0] if isinstance(dims[0], (list, tuple)) else dims)


def _squeeze(x: Any, dim: Any = None) -> Any:
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    return np.squeeze(x, axis=tuple(d for d in dims if x.ndim and x.shape[d] == 1))


def _pad(x: Any, pad: Any, mode: str = "constant", value: float = 0.0) -> Any:
    """torch's order: last dimension first; negative widths crop."""
    widths = [(0, 0)] * x.ndim
    for k in range(len(pad) // 2):
        widths[-1 - k] = (pad[2 * k], pad[2 * k + 1])
    grow = [(max(a, 0), max(b, 0)) for a, b in widths]
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    extra = {"constant_values": value} if mode == "constant" else {}
    result = np.pad(x, grow, names[mode], **extra)
    crop = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(result.shape, widths, strict=True)
    )
    return result[crop]


def _select(x: Any, dim: int, index: int) -> Any:
    return np.take(x, index, axis=dim)


def _diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return np.diagonal(x, offset, dim1, dim2)


def _as_strided(x: Any, size: Any, stride: Any, storage_offset: int = 0) -> Any:
    flat = x.ravel()[storage_offset:]
    return np.lib.stride_tricks.as_strided(flat, size, [n * x.itemsize for n in stride])


def _as_strided_scatter(x: Any, src: Any, *region: Any) -> Any:
    result = x.copy()
    _as_strided(result, *region)[...] = src
    return result


_VIEW: dict[str, Any] = {"view": True}

VIEWS = (
    _row(
        "reshape",
        _reshape,
        case(X, (4, 15)),
        case(X, (-1,)),
        case(X, (2, -1, 5)),
        case(T(()), (1, 1)),
        case(T((1,)), ()),
        case(T((0, 3)), (3, 0)),
        names=("input", "shape"),
        big=case(BIG, (1031, 257)),
        **_VIEW,
        bad=(
            Bad(case(X, (7, -1)), ValueError, r"^reshape: .*\(7, -1\).*60 elements"),
            Bad(case(X, (2, 3)), ValueError, r"^reshape: .*\(2, 3\).*\(3, 4, 5\)"),
            Bad(case(X, (-1, -1)), ValueError, r"^reshape: .*-1"),
            Bad(case(T((0, 3)), (-1, 0)), ValueError, r"^reshape: .*\(-1, 0\).*0 elements"),
            Bad(case(X, (-2, 30)), ValueError, r"^reshape: .*-2"),
            Bad(case(X, (1 << 62, 1 << 62)), ValueError, r"^reshape: "),
        ),
    ),
    _row(
        "view",
        _reshape,
        case(X, (4, 15)),
        case(X, -1),
        case(X, 2, -1, 5),
        path="Tensor.view",
        also=(),
        names=("self",),
        layouts=False,
        big=case(BIG, (1031, 257)),
        **_VIEW,
        bad=(Bad(case(X, (2, 3)), ValueError, r"^view: .*\(2, 3\).*\(3, 4, 5\)"),),
    ),
    _row(
        "flatten",
        _flatten,
        case(X),
        case(X, 1),
        case(X, 0, 1),
        case(X, start_dim=1, end_dim=-1),
        case(T(())),
        case(T((0, 3))),
        names=("input", "start_dim", "end_dim"),
        **_VIEW,
        bad=(
            Bad(case(X, 2, 1), ValueError, r"^flatten: .*start_dim.*end_dim"),
            Bad(case(X, 3), IndexError, r"^flatten: .*\b3\b"),
        ),
    ),
    _row(
        "permute",
        _permute,
        case(X, (2, 0, 1)),
        case(X, (0, -1, 1)),
        case(T(()), ()),
        names=("input", "dims"),
        big=case(BIG, (1, 0)),
        **_VIEW,
        bad=(
            Bad(case(X, (0, 1)), ValueError, r"^permute: .*\(0, 1\)"),
            Bad(case(X, (0, 1, 1)), ValueError, r"^permute: .*\(0, 1, 1\)"),
            Bad(case(X, (0, 1, 3)), IndexError, r"^permute: .*\b3\b"),
        ),
    ),
    _row(
        "transpose",
        np.swapaxes,
        case(X, 0, 2),
        case(X, -1, -2),
        case(X, 1, 1),
        names=("input", "dim0", "dim1"),
        big=case(BIG, 0, 1),
        **_VIEW,
        bad=(Bad(case(X, 0, 3), IndexError, r"^transpose: .*\b3\b.*expected -3 to 2"),),
    ),
    _row(
        "t",
        np.transpose,
        case(T((3, 4))),
        case(T((4,))),
        case(T(())),
        **_VIEW,
        bad=(Bad(case(X), ValueError, r"^t: .*\(3, 4, 5\)"),),
    ),
    _row(
        "expand",
        _expand,
        case(T((3, 1)), (3, 4)),
        case(T((3, 1)), 2, -1, 4),
        case(T(()), (2, 3)),
        case(T((1, 3)), (0, 3)),
        path="Tensor.expand",
        also=(),
        names=("self",),
        big=case(T((100003, 1)), (100003, 3)),
        layouts=False,
        **_VIEW,
        bad=(
            Bad(case(T((3, 2)), (3, 4)), ValueError, r"^expand: .*\(3, 2\).*\(3, 4\)"),
            Bad(case(T((3, 2)), (2,)), ValueError, r"^expand: .*\(2,\).*\(3, 2\)"),
            Bad(case(T((3,)), (-1, 3)), ValueError, r"^expand: .*-1"),
        ),
    ),
    _row(
        "squeeze",
        _squeeze,
        case(T((1, 3, 1))),
        case(T((1, 3, 1)), 0),
        case(T((1, 3, 1)), 1),
        case(T((1, 3, 1)), (0, -1)),
        case(T(())),
        names=("input", "dim"),
        **_VIEW,
        bad=(Bad(case(X, 3), IndexError, r"^squeeze: .*\b3\b"),),
    ),
    _row(
        "unsqueeze",
        np.expand_dims,
        case(X, 0),
        case(X, -1),
        case(X, 3),
        case(T(()), 0),
        names=("input", "dim"),
        **_VIEW,
        bad=(Bad(case(X, 4), IndexError, r"^unsqueeze: .*\b4\b.*expected -4 to 3"),),
    ),
    _row(
        "narrow",
        lambda x, dim, start, length: _pick(x, dim, start % (x.shape[dim] + 1), None)[
            (slice(None),) * (dim % x.ndim) + (slice(length),)
        ],
        case(X, 1, 1, 2),
        case(X, -1, 0, 5),
        case(X, 0, 2, 0),
        names=("input", "dim", "start", "length"),
        **_VIEW,
        bad=(Bad(case(X, 1, 2, 3), (IndexError, ValueError), r"^narrow: "),),
    ),
    _row(
        "select",
        _select,
        case(X, 1, 2),
        case(X, 0, -1),
        case(T((4,)), 0, 1),
        names=("input", "dim", "index"),
        **_VIEW,
        bad=(Bad(case(X, 1, 4), IndexError, r"\b4\b.*dimension 1 .*\b4\b"),),
    ),
    _row(
        "slice",
        _pick,
        case(X, 1, 1, 3),
        case(X, -1, 0, 5, 2),
        case(X, 0, 2, 9),
        case(X, 2, 4, 1, -2),
        names=("input", "dim", "start", "end", "step"),
        **_VIEW,
        bad=(
            Bad(case(X, 3, 0, 1), IndexError, r"^slice: .*\b3\b"),
            Bad(case(X, 0, 0, 1, 0), ValueError, r"^slice: step"),
        ),
    ),
    _row(
        "as_strided",
        _as_strided,
        case(X, (3, 4), (5, 1)),
        case(X, (4, 3), (2, 3), 7),
        case(T((9,)), (3, 4), (2, 1)),
        names=("input", "size", "stride", "storage_offset"),
        layouts=False,
        big=case(BIG, (500, 400), (200, 3), 11),
        **_VIEW,
        bad=(
            Bad(case(X, (3, 4), (20, 20)), ValueError, r"^as_strided: .*60 elements"),
            Bad(case(X, (3,), (1,), -1), ValueError, r"^as_strided: .*-1"),
            Bad(case(X, (3, 4), (1,)), ValueError, r"^as_strided: .*\(3, 4\).*\(1,\)"),
            Bad(case(X, (1 << 40, 1 << 40), (0, 0)), ValueError, r"^as_strided: "),
        ),
    ),
    _row(
        "split",
        _split,
        case(X, 2),
        case(X, 3, 1),
        case(X, [1, 4], -1),
        case(X, 10),
        names=("tensor", "split_size_or_sections", "dim"),
        **_VIEW,
        bad=(
            Bad(case(X, [1, 2], -1), ValueError, r"^split: .*\b5\b"),
            Bad(case(X, 0), ValueError, r"^split: .*\b0\b"),
        ),
    ),
    _row(
        "chunk",
        _chunk,
        case(X, 2),
        case(X, 3, -1),
        case(X, 9, 1),
        names=("input", "chunks", "dim"),
        **_VIEW,
        bad=(Bad(case(X, 0), ValueError, r"^chunk: .*\b0\b"),),
    ),
    _row(
        "diagonal",
        _diagonal,
        case(T((4, 5))),
        case(X, 1, 0, 2),
        case(X, -1, dim1=-2, dim2=-1),
        case(T((2, 3)), 3),
        names=("input", "offset", "dim1", "dim2"),
        **_VIEW,
        bad=(Bad(case(X, 0, 1, 1), ValueError, r"^diagonal: .*\b1\b"),),
    ),
)

COPIES = (
    Op(
        "as_strided_scatter",
        _as_strided_scatter,
        (
            case(X, T((3, 4)), (3, 4), (5, 1)),
            case(X, T((2, 3)), (2, 3), (1, 10), 7),
        ),
        names=("input", "src", "size", "stride", "storage_offset"),
        big=case(BIG, T((500, 2)), (500, 2), (500, 1), 11),
        bad=(
            Bad(case(X, T((3, 4)), (3, 5), (5, 1)), ValueError, r"\(3, 4\).*\(3, 5\)"),
            Bad(case(X, T((3, 4)), (3, 4), (50, 1)), ValueError, r"60 elements"),
        ),
    ),
    Op(
        "cat",
        lambda xs, dim=0: np.concatenate(xs, axis=dim),
        (
            case([X, T((2, 4, 5)), X]),
            case([X, T((3, 1, 5))], 1),
            case([X, X], -1),
            case([X], dim=2),
            case([T((0, 3)), T((2, 3))]),
        ),
        names=("tensors", "dim"),
        result="promote",
        big=case([BIG, BIG], 1),
        bad=(
            Bad(case([]), ValueError, r"^cat: .*(empty|at least one|no tensors)"),
            Bad(case([X, T((3, 4))]), ValueError, r"^cat: .*\(3, 4\).*\(3, 4, 5\)"),
            Bad(case([X, T((3, 4, 6))]), ValueError, r"^cat: .*\(3, 4, 6\).*\(3, 4, 5\)"),
            Bad(case([X, X], 3), IndexError, r"^cat: .*\b3\b"),
            Bad(case([T(()), T(())]), ValueError, r"^cat: .*0-d|^cat: .*\(\)"),
        ),
    ),
    Op(
        "stack",
        lambda xs, dim=0: np.stack(xs, axis=dim),
        (case([X, X]), case([X, X, X], 1), case([X, X], -1), case([T(()), T(())])),
        names=("tensors", "dim"),
        result="promote",
        big=case([BIG, BIG], 1),
        bad=(
            Bad(case([]), ValueError, r"^stack: "),
            Bad(case([X, T((3, 4))]), ValueError, r"^stack: .*\(3, 4, 5\).*\(3, 4\)"),
        ),
    ),
    _row(
        "pad",
        _pad,
        case(X, (1, 2)),
        case(X, (1, 0, 0, 2, 3, 1)),
        case(X, (1, 2, 2, 1), value=1.0),
        case(X, (-1, 2, 1, -2)),
        case(X, (1, 2), "reflect"),
        case(X, (2, 1), "replicate"),
        case(X, (2, 2), "circular"),
        case(T((2, 3, 4, 5)), (1, 2, 2, 1), "reflect"),
        case(T((0, 3)), (0, 0, 1, 1)),
        path="nn.functional.pad",
        also=(),
        names=("input", "pad", "mode", "value"),
        bad=(
            Bad(case(X, (1,)), ValueError, r"^pad: "),
            Bad(case(X, (1,) * 8), ValueError, r"^pad: "),
            Bad(case(X, (5, 5), "reflect"), ValueError, r"^pad: .*\(5, 5\).*size 5"),
            Bad(case(X, (-3, -3)), ValueError, r"^pad: "),
            Bad(case(X, (1, 1), "mirror"), ValueError, r"^pad: .*mirror"),
        ),
    ),
    _row(
        "flip",
        lambda x, dims: np.flip(x, dims),
        case(X, (0,)),
        case(X, (0, 2)),
        case(X, (-1, 1)),
        case(T((0, 3)), (1,)),
        names=("input", "dims"),
        bad=(
            Bad(case(X, (0, 0)), RuntimeError, r"^flip: dimension 0 .*twice"),
            Bad(case(X, (3,)), IndexError, r"^flip: .*\b3\b"),
        ),
    ),
    _row(
        "roll",
        lambda x, shifts, dims=None: np.roll(x, shifts, dims),
        case(X, 2, 1),
        case(X, (1, -2), (0, 2)),
        case(X, 7),
        case(T((0, 3)), 1, 0),
        names=("input", "shifts", "dims"),
        bad=(Bad(case(X, (1, 2), 0), ValueError, r"^roll: "),),
    ),
    _row(
        "repeat",
        lambda x, *sizes: np.tile(x, sizes[0] if isinstance(sizes[0], tuple) else sizes),
        case(T((2, 3)), (2, 1)),
        case(T((2, 3)), 3, 1, 2),
        case(T((3,)), (0,)),
        case(T(()), (2,)),
        path="Tensor.repeat",
        also=(),
        names=("self",),
        big=case(BIG, (2, 3)),
        bad=(
            Bad(case(X, (2, 2)), ValueError, r"^repeat: got 2 repeats"),
            Bad(case(T((2, 3)), (1, -1)), ValueError, r"^repeat: .*-1"),
        ),
    ),
    _row(
        "tril",
        lambda x, diagonal=0: np.tril(x, diagonal),
        case(T((4, 5))),
        case(X, 1),
        case(T((5, 3)), -1),
        case(T((0, 3))),
        names=("input", "diagonal"),
        bad=(Bad(case(T((3,))), ValueError, r"^tril: .*\(3,\)"),),
    ),
    _row(
        "triu",
        lambda x, diagonal=0: np.triu(x, diagonal),
        case(T((4, 5))),
        case(X, 1),
        case(T((5, 3)), -1),
        case(T((0, 3))),
        names=("input", "diagonal"),
        bad=(Bad(case(T((3,))), ValueError, r"^triu: .*\(3,\)"),),
    ),
)

ROWS = VIEWS + COPIES
