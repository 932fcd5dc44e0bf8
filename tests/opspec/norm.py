"""Rows of normalizations."""

from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case

EPS = 1e-5


def _normalize(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """Subtract the mean and divide by the deviation over some axes."""
    distance = x - x.mean(axes, keepdims=True)
    return distance / np.sqrt((distance**2).mean(axes, keepdims=True) + eps)


def _per_channel(value: Any, x: Any) -> Any:
    return value.reshape(-1, *[1] * (x.ndim - 2))


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * _per_channel(weight, x)
    return x if bias is None else x + _per_channel(bias, x)


def _by_running(x: Any, mean: Any, var: Any, eps: float) -> Any:
    return (x - _per_channel(mean, x)) / np.sqrt(_per_channel(var, x) + eps)


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = EPS,
) -> Any:
    if training:
        return _affine(_normalize(x, (0, *range(2, x.ndim)), eps), weight, bias)
    return _affine(_by_running(x, running_mean, running_var, eps), weight, bias)


def instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = EPS,
) -> Any:
    if use_input_stats:
        return _affine(_normalize(x, tuple(range(2, x.ndim)), eps), weight, bias)
    return _affine(_by_running(x, running_mean, running_var, eps), weight, bias)


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = EPS
) -> Any:
    groups = x.reshape(x.shape[0], num_groups, -1)
    return _affine(_normalize(groups, (2,), eps).reshape(x.shape), weight, bias)


def layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = EPS
) -> Any:
    out = _normalize(x, tuple(range(-len(normalized_shape), 0)), eps)
    return out * (1 if weight is None else weight) + (0 if bias is None else bias)


def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    if eps is None:  # x is wider than the tensor was
        eps = float(np.finfo(np.float32 if x.dtype == np.float64 else np.float64).eps)
    axes = tuple(range(-len(normalized_shape), 0))
    out = x / np.sqrt((x**2).mean(axes, keepdims=True) + eps)
    return out * (1 if weight is None else weight)


def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    channels = x.shape[1]
    squares = np.zeros((x.shape[0], channels + size - 1, *x.shape[2:]), x.dtype)
    squares[:, size // 2 : size // 2 + channels] = x**2
    near = sum(squares[:, i : i + channels] for i in range(size)) / size
    return x / (k + alpha * near) ** beta


def _norm(name: str, ref: Any, names: tuple[str, ...], *cases: Case, **row: Any) -> Op:
    """Results below 20: a few deviations times weights up to 3, and a bias up to 3."""
    return Op(
        name,
        ref,
        cases,
        path=f"nn.functional.{name}",
        names=names,
        dtypes="f",
        ulp=4,
        scale=lambda x, *_, **__: np.asarray(20.0),
        **row,
    )


C = 6
X = T((5, C, 3, 4))
W, B = T((C,)), T((C,))
RUNNING = (T((C,)), T((C,), 0.5, 2.0))
LAST = (3, 4)


def _channel_errors(name: str, *before: Any) -> tuple[Bad, ...]:
    return (
        Bad(case(X, *before, weight=T((4,))), ValueError, rf"^{name}: weight .*\(4,\).*\(6,\)"),
        Bad(case(X, *before, bias=T((C, 1))), ValueError, rf"^{name}: bias .*\(6, 1\).*\(6,\)"),
        Bad(case(X, *before, eps=-1.0), ValueError, rf"^{name}: eps .*-1"),
        Bad(case(T((3,)), *before), ValueError, rf"^{name}: .*batch and a channel.*\(3,\)"),
        Bad(
            case(X, *before, weight=T((C,), dtype="float64")),
            TypeError,
            rf"^{name}: got input of dtype .*float32 and weight of dtype .*float64",
        ),
    )


ROWS = (
    _norm(
        "batch_norm",
        batch_norm,
        ("input", "running_mean", "running_var", "weight", "bias"),
        case(X, None, None, W, B, training=True),
        case(X, None, None, training=True, eps=0.1),
        case(X, None, None, None, B, training=True),
        case(T((12, C)), None, None, W, training=True),
        case(T((4, C, 9)), None, None, W, B, training=True),
        case(T((3, C, 17)), None, None, W, B, training=True),
        case(X, *RUNNING, W, B),
        case(T((3, C, 17)), *RUNNING, W, B),
        case(T((3, C, 17)), *RUNNING),
        case(T((2, C)), *RUNNING),
        grad=(True, False, False, True, True, False),
        big=case(T((9, 40, 31, 33)), None, None, T((40,)), T((40,)), training=True),
        bad=(
            *_channel_errors("batch_norm", None, None),
            Bad(case(X, None, None), ValueError, "^batch_norm: .*running_mean.*None"),
            Bad(case(X, T((4,)), T((4,))), ValueError, r"^batch_norm: running_mean .*\(4,\)"),
            Bad(
                case(T((1, C)), None, None, training=True),
                ValueError,
                r"^batch_norm: one value per channel.*\(1, 6\)",
            ),
        ),
    ),
    _norm(
        "instance_norm",
        instance_norm,
        ("input", "running_mean", "running_var", "weight", "bias"),
        case(X, None, None, W, B),
        case(X),
        case(T((3, C, 21)), None, None, W, B, eps=0.1),
        case(X, *RUNNING, W, B, use_input_stats=False),
        grad=(True, False, False, True, True, False),
        big=case(T((9, 40, 31, 33)), None, None, T((40,)), T((40,))),
        bad=(
            *_channel_errors("instance_norm"),
            Bad(case(T((3, C, 1))), ValueError, r"^instance_norm: one value .*\(3, 6, 1\)"),
        ),
    ),
    _norm(
        "group_norm",
        group_norm,
        ("input", "num_groups", "weight", "bias", "eps"),
        case(X, 3, W, B),
        case(X, 1),
        case(X, C, None, B),
        case(T((4, 12)), 2, T((12,)), eps=0.1),
        grad=(True, False, True, True),
        big=case(T((3, 40, 31, 33)), 4, T((40,)), T((40,))),
        bad=(
            *_channel_errors("group_norm", 2),
            Bad(case(X, 4), ValueError, r"^group_norm: num_groups .*4 groups.*\(5, 6, 3, 4\)"),
            Bad(case(X, 0), ValueError, "^group_norm: num_groups .*0 groups"),
        ),
    ),
    _norm(
        "layer_norm",
        layer_norm,
        ("input", "normalized_shape", "weight", "bias", "eps"),
        case(X, LAST, T(LAST), T(LAST)),
        case(X, LAST),
        case(T((4, 7)), (7,), None, T((7,)), eps=0.1),
        case(T((9,)), (9,), T((9,))),
        case(T((2, 3, 70)), (70,), T((70,)), T((70,))),
        grad=(True, False, True, True),
        big=case(T((999, 131)), (131,), T((131,)), T((131,))),
        bad=(
            Bad(case(X, (4, 4)), ValueError, r"^layer_norm: .*\(5, 6, 3, 4\).*\(4, 4\)"),
            Bad(case(T((4,)), (3, 4)), ValueError, r"^layer_norm: .*\(4,\).*\(3, 4\)"),
            Bad(case(X, ()), ValueError, "^layer_norm: normalized_shape is empty"),
            Bad(case(X, (4,), T((3,))), ValueError, r"^layer_norm: weight .*\(3,\).*\(4,\)"),
            Bad(case(X, (4,), None, T((3,))), ValueError, r"^layer_norm: bias .*\(3,\).*\(4,\)"),
            Bad(case(X, (4,), eps=-1.0), ValueError, "^layer_norm: eps .*-1"),
        ),
    ),
    _norm(
        "rms_norm",
        rms_norm,
        ("input", "normalized_shape", "weight", "eps"),
        case(X, LAST, T(LAST)),
        case(X, LAST, None, 0.1),
        case(T((9,)), (9,), T((9,))),
        case(T((2, 3, 70)), (70,), T((70,))),
        grad=(True, False, True),
        big=case(T((999, 131)), (131,), T((131,))),
        bad=(
            Bad(case(X, (3,)), ValueError, r"^rms_norm: .*\(5, 6, 3, 4\).*\(3,\)"),
            Bad(case(X, (4,), T((3,))), ValueError, r"^rms_norm: weight .*\(3,\).*\(4,\)"),
        ),
    ),
    _norm(
        "local_response_norm",
        local_response_norm,
        ("input", "size", "alpha", "beta", "k"),
        case(X, 3),
        case(X, 2, 0.5, 0.6, 1.5),
        case(T((2, C, 5)), 5, 1.0),
        case(T((2, 3, 5)), 1, 1.0),
        grad=(True, False),
        big=case(T((3, 40, 31, 33)), 5, 0.1),
        bad=(
            Bad(case(T((3, 4)), 3), ValueError, r"^local_response_norm: .*\(3, 4\)"),
            Bad(case(X, 0), ValueError, "^local_response_norm: size .*0"),
        ),
    ),
)
