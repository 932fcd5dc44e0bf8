"""Rows of convolution over volumes, transposed convolution and windows."""

import itertools
from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case
from .conv import conv, conv_scale, spread

# ---------------------------------------------------------------- references


def conv_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Add the kernel times each element of x at its place in a larger output, then cut."""
    n = w.ndim - 2
    if x.ndim == n + 1:
        args = (w, bias, stride, padding, output_padding, groups, dilation)
        return conv_transpose(x[None], *args)[0]
    stride, dilation, padding, extra = (
        spread(v, n) for v in (stride, dilation, padding, output_padding)
    )
    sizes = list(zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True))
    full = [(size - 1) * s + d * (k - 1) + 1 + e for size, s, d, k, e in sizes]
    xg = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    wg = w.reshape(groups, -1, *w.shape[1:])
    out = np.zeros((x.shape[0], groups, w.shape[1], *full), np.result_type(x, w))
    for tap in itertools.product(*map(range, w.shape[2:])):
        at = tuple(
            slice(t * d, t * d + s * (size - 1) + 1, s)
            for t, (size, s, d, _, _) in zip(tap, sizes, strict=True)
        )
        out[(..., *at)] += np.einsum("ngc...,gco->ngo...", xg, wg[(..., *tap)])
    out = out.reshape(x.shape[0], groups * w.shape[1], *full)
    out = out[(..., *(slice(p, f - p) for p, f in zip(padding, full, strict=True)))]
    return out if bias is None else out + bias.reshape(-1, *[1] * n)


def windows(x: Any, dim: int, size: int, step: int) -> Any:
    dim %= x.ndim
    starts = range(0, x.shape[dim] - size + 1, step)
    parts = [np.take(x, range(i, i + size), axis=dim) for i in starts]
    return np.moveaxis(np.stack(parts, dim), dim + 1, -1)


# ---------------------------------------------------------------- rows


def _transposed(name: str, *cases: Case, **row: Any) -> Op:
    def scale(x: Any, w: Any, bias: Any = None, *args: Any) -> Any:
        bias = None if bias is None else np.abs(bias)
        return np.sqrt(w[:, 0].size + 1) * conv_transpose(np.abs(x), np.abs(w), bias, *args)

    names = "input weight bias stride padding output_padding groups dilation"
    return Op(
        name,
        conv_transpose,
        cases,
        path=f"nn.functional.{name}",
        names=tuple(names.split()),
        dtypes="f",
        ulp=2,
        scale=scale,
        **row,
    )


X1, X2, X3 = T((2, 4, 6)), T((2, 4, 4, 3)), T((2, 4, 3, 4, 3))
W1, W2, W3 = T((4, 5, 3)), T((4, 5, 3, 2)), T((4, 5, 2, 3, 2))
BIAS = T((5,))
VOLUME, KERNEL = T((2, 3, 4, 5, 4)), T((4, 3, 2, 3, 2))

ROWS: tuple[Op, ...] = (
    Op(
        "conv3d",
        conv,
        (
            case(VOLUME, KERNEL, T((4,))),
            case(VOLUME, KERNEL, None, 2, 1),
            case(VOLUME, KERNEL, T((4,)), (1, 2, 1), (1, 0, 2), (2, 1, 1)),
            case(VOLUME, KERNEL, None, 1, (0, 1, 2, 0, 1, 1)),
            case(T((2, 4, 3, 4, 3)), T((6, 2, 2, 2, 2)), None, 1, 1, 1, 2),
            case(VOLUME, T((4, 3, 1, 1, 1)), T((4,))),
            case(VOLUME, T((4, 3, 3, 1, 1)), None, 1, (1, 0, 0)),
            case(T((3, 4, 5, 4)), KERNEL, T((4,))),
        ),
        path="nn.functional.conv3d",
        names=("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
        dtypes="f",
        ulp=2,
        scale=conv_scale,
        big=case(T((2, 8, 12, 14, 14)), T((16, 8, 3, 3, 3)), T((16,)), 1, 1),
        bad=(
            Bad(case(X3, KERNEL), ValueError, r"conv3d.*4 channels.*\(4, 3, 2, 3, 2\)"),
            Bad(case(X1, KERNEL), ValueError, r"conv3d.*\(2, 4, 6\).*\(N, C, D, H, W\)"),
            Bad(case(VOLUME, KERNEL, None, 0), ValueError, "conv3d: stride"),
            Bad(case(VOLUME, KERNEL, None, 1, (1, 2)), ValueError, "conv3d: padding has 2 values"),
            Bad(case(VOLUME, KERNEL, T((3,))), ValueError, r"conv3d.*bias.*\(3,\).*\(4,\)"),
            Bad(case(VOLUME, T((4, 3, 5, 1, 1))), ValueError, "conv3d.*larger than the padded"),
        ),
    ),
    _transposed(
        "conv_transpose2d",
        case(X2, W2, BIAS),
        case(X2, W2, None, 2, 1),
        case(X2, W2, BIAS, (2, 3), (1, 0), (1, 2)),
        case(X2, W2, BIAS, 1, 0, 1, 1, 2),
        case(X2, W2, BIAS, (1, 2), 1, (2, 1), 1, (3, 2)),
        case(X2, T((4, 3, 2, 2)), T((6,)), 2, 0, 0, 2),
        case(X2, T((4, 1, 3, 3)), None, 2, 1, 1, 4),
        case(X2, T((4, 5, 1, 1)), BIAS, 3),
        case(T((4, 4, 3)), W2, BIAS),
        big=case(T((8, 16, 14, 14)), T((16, 32, 4, 4)), T((32,)), 2, 1),
        bad=(
            Bad(case(T((2, 3, 4, 3)), W2), ValueError, r"transpose2d.*3 channels.*\(4, 5, 3, 2\)"),
            Bad(case(X1, W2), ValueError, r"conv_transpose2d.*\(2, 4, 6\)"),
            Bad(case(X2, W2, None, 1, 0, 0, 3), ValueError, "conv_transpose2d: groups does not"),
            Bad(case(X2, W2, None, 1, 0, 0, 0), ValueError, "conv_transpose2d: groups must"),
            Bad(case(X2, W2, T((4,))), ValueError, r"conv_transpose2d.*bias.*\(4,\).*\(5,\)"),
            Bad(case(X2, W2, None, 0), ValueError, "conv_transpose2d: stride"),
            Bad(case(X2, W2, None, 1, -1), ValueError, "conv_transpose2d: padding"),
            Bad(case(X2, W2, None, 1, (0, 1, 2)), ValueError, "padding has 3 values"),
            Bad(case(X2, W2, None, 2, 0, 2), ValueError, "output_padding must be at least 0 and"),
            Bad(case(X2, W2, None, 2, 0, -1), ValueError, "output_padding must be at least 0 and"),
            Bad(case(X2, W2, None, 1, 3), ValueError, r"nothing is left .*\(2, 4, 4, 3\)"),
            Bad(case(X2, W2, None, 2**40), ValueError, "conv_transpose2d: stride"),
            Bad(case(T((2, 4, 0, 3)), W2), ValueError, "sizes of at least 1"),
        ),
    ),
    _transposed(
        "conv_transpose1d",
        case(X1, W1, BIAS),
        case(X1, W1, None, 2, 1, 1),
        case(X1, W1, BIAS, 1, 1, 1, 1, 3),
        case(T((4, 6)), T((4, 3, 3)), T((6,)), 2, 0, 0, 2),
        big=case(T((8, 16, 200)), T((16, 32, 4)), None, 2, 1),
        bad=(
            Bad(case(T((2, 3, 6)), W1), ValueError, r"conv_transpose1d.*3 channels"),
            Bad(case(X2, W1), ValueError, r"conv_transpose1d.*\(N, C, L\)"),
        ),
    ),
    _transposed(
        "conv_transpose3d",
        case(X3, W3, BIAS),
        case(X3, W3, None, 2, 1),
        case(X3, W3, BIAS, (2, 1, 3), (0, 1, 1), (1, 0, 2)),
        case(X3, T((4, 3, 2, 2, 1)), T((6,)), (3, 1, 1), 0, 0, 2, (2, 1, 1)),
        case(T((4, 3, 4, 3)), W3, BIAS),
        big=case(T((2, 8, 6, 8, 8)), T((8, 16, 2, 3, 3)), T((16,)), 2, 1),
        bad=(Bad(case(X1, W3), ValueError, r"conv_transpose3d.*\(N, C, D, H, W\)"),),
    ),
    Op(
        "unfold",
        windows,
        (
            case(T((3, 7)), 1, 3, 2),
            case(T((3, 7)), 0, 2, 1),
            case(T((2, 5, 3)), -2, 5, 1),
            case(T((4,)), 0, 1, 3),
        ),
        names=("input", "dimension", "size", "step"),
        view=True,
        bad=(
            Bad(case(T((3, 7)), 1, 8, 1), ValueError, r"unfold: .* 8 .*dimension 1 .*\(3, 7\)"),
            Bad(case(T((3, 7)), 1, 3, 0), ValueError, "unfold: .*step 0"),
            Bad(case(T((3, 7)), 1, -1, 1), ValueError, "unfold: .*size -1"),
            Bad(case(T((3, 7)), 2, 1, 1), IndexError, "unfold"),
            Bad(case(T(()), 0, 1, 1), IndexError, "unfold: a 0-d tensor"),
        ),
    ),
)
