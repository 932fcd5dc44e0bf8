"""Every operator of torch's own operator database that chainrule has, on torch's samples.

Results, first and second gradients must agree in float32 and float64 (results in int64 too, for the
rules of dtypes). An operator has up to 1,400 samples; the test takes SAMPLES of them, evenly
spread, or all with CHAINRULE_OP_DB=all in the environment. `count` takes all and says how many
agree, for docs/parity.md (`python tests/peers/test_op_db.py` prints it, with the operators that are
not here).
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")  # which torch's database imports

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch, about its own samples

SAMPLES = None if os.environ.get("CHAINRULE_OP_DB") == "all" else 12
DTYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64}
# Distance that is allowed, as a part of the largest value; gradients may be 10 and 100 times that.
TOLERANCE = {"float32": 2e-5, "float64": 1e-10, "int64": 2e-5}

LOOSER = {
    "cov": 1e6,  # torch sums the weights in float32
    "corrcoef": 10,
    "logcumsumexp": 1e3,  # torch's float32 gradient is 0.003 off, ours 1e-7
    "nn.functional.hardsigmoid": 1e3,  # torch's slope in float64 is the float32 nearest to 1/6
}

# Calls that are refused here, by the words of the message, and why.
REFUSED = {
    **dict.fromkeys(
        ("addbmm", "addmv", "addr", "baddbmm"),
        r"expected (a )?whole number",  # torch rounds the factor 0.6 to 0 for integers
    ),
    **dict.fromkeys(
        (
            *(f"nn.functional.avg_pool{d}d" for d in (1, 2, 3)),
            *(f"nn.functional.conv{d}d" for d in (1, 2, 3)),
            *(f"nn.functional.conv_transpose{d}d" for d in (1, 2, 3)),
            *(f"nn.functional.{name}max_pool{d}d" for name in ("", "adaptive_") for d in (1, 2, 3)),
            "nn.functional.local_response_norm",
        ),
        r"got input of dtype int64|\(got int64\)",  # nobody convolves integers: it is a mistake
    ),
    **dict.fromkeys(
        ("nn.functional.group_norm", "nn.functional.layer_norm", "nn.functional.rms_norm"),
        "eps must not be negative",
    ),
    "nn.functional.batch_norm": r"\(got shape \(0,\)\)",  # no channels
    "nn.functional.feature_alpha_dropout": "has no channels",
    "nn.functional.gaussian_nll_loss": "differ in shape",  # a loss never broadcasts
    "nn.functional.multi_margin_loss": "has shape",  # of no classes, or several targets for one row
    "nn.functional.multilabel_margin_loss": r"has shape \(\)",
    "nn.functional.fractional_max_pool2d": r"lie in \[0, 1\)",  # a sample has 1
    "unfold": "0-d tensor has no windows",
}

# Operators whose gradient in torch 2.13 is not that of the function: as_strided_scatter gives the
# input the gradient of the part that was replaced, ctc_loss gives that of the scores before
# log_softmax.
RESULTS_ONLY = {"as_strided_scatter", "nn.functional.ctc_loss"}

# Operators whose second gradient is NaN in torch, where it is a number here.
FIRST_ONLY = {"linalg.norm.subgradients_at_zero"}

# Operators that read one triangle of an argument (the number says which), but whose gradient in
# torch has something in the other too: they get the triangle alone.
TRIANGULAR = {"cholesky_inverse": 0, "cholesky_solve": 1}

# Of equal elements any index is right: only the values are compared.
TIES = {"kthvalue", "mode", "topk"}

# Shapes and dtypes can be compared only.
RANDOM = {
    *("bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal"),
    *("rand_like", "randint", "randint_like", "randn", "randn_like", "uniform"),
    *("empty", "empty_like", "new_empty"),
    *(f"nn.functional.{name}dropout" for name in ("", "alpha_", "feature_alpha_")),
    *(f"nn.functional.dropout{d}d" for d in (1, 2, 3)),
    *(f"nn.functional.fractional_max_pool{d}d" for d in (2, 3)),
    *("nn.functional.multi_head_attention_forward", "nn.functional.rrelu"),
}


def _attribute(name: str) -> Callable[[Any], Any]:
    return lambda x: getattr(x, name)


def _in_place(name: str) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: getattr(x.clone(), name)(*args, **kwargs)


# Operators that the database calls in another way than users do.
CALLED = {
    "einsum": lambda tensors, equation: cr.einsum(equation, *tensors),
    "where": lambda x, condition, other: cr.where(condition, x, other),
    "nn.functional.embedding": lambda w, i, **kwargs: cr.nn.functional.embedding(i, w, **kwargs),
    "nn.functional.embedding_bag": lambda w, i, *args, **kwargs: cr.nn.functional.embedding_bag(
        i, w, *args, **kwargs
    ),
    **{name: _attribute(name) for name in ("T", "H", "mT", "mH")},
    **{
        name: _in_place(f"{name}_")
        for name in ("cauchy", "exponential", "geometric", "log_normal", "uniform")
    },
    "zero_": _in_place("zero_"),
    "linalg.lstsq.grad_oriented": lambda a, b, driver: cr.linalg.lstsq(a, b, driver=driver)[:2],
    "linalg.pinv.singular": lambda a, b: cr.linalg.pinv(a @ b.mT),
}


def find(op: Any) -> Callable[..., Any] | None:
    """The function of chainrule with the operator's name."""
    for name in (op.full_name, op.name):
        if name in CALLED:
            return CALLED[name]
    if op.variant_test_name == "in_place":
        return _in_place(f"{op.name}_")
    place: Any = cr
    for part in op.name.split("."):
        place = getattr(place, part, None)
    if isinstance(place, cr.dtype) or place is None:
        place = getattr(cr.Tensor, op.name, None)
    return place if callable(place) else None


def _database() -> dict[str, tuple[Any, Callable[..., Any] | None]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {op.full_name: (op, find(op)) for op in op_db}


DATABASE = _database()
HERE = [name for name, (_, function) in DATABASE.items() if function]

# ---------------------------------------------------------------- translation


class Absent(Exception):
    """The sample uses something chainrule does not have: complex numbers, sparse layouts."""


def to_cr(value: Any, leaves: list[tuple[Any, Any]]) -> Any:
    """Translate an argument; tensors that want a gradient are appended to `leaves`."""
    if isinstance(value, torch.Tensor):
        name = str(value.dtype).removeprefix("torch.")
        if value.layout != torch.strided or value.is_complex() or not hasattr(cr, name):
            raise Absent(f"{value.layout} {name}")
        length = value.untyped_storage().nbytes() // value.itemsize
        memory = value.detach().as_strided((length,), (1,), 0).numpy(force=True).copy()
        geometry = value.shape, value.stride(), value.storage_offset()
        result = cr.tensor(memory, dtype=getattr(cr, name)).as_strided(*geometry).detach()
        if value.requires_grad:
            leaves.append((value, result.requires_grad_()))
        return result
    if isinstance(value, torch.dtype):
        name = str(value).removeprefix("torch.")
        if value.is_complex or not hasattr(cr, name):
            raise Absent(name)
        return getattr(cr, name)
    if isinstance(value, (complex, torch.layout, torch.memory_format)) or callable(value):
        raise Absent(str(value))
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, (list, tuple)):
        return type(value)(to_cr(v, leaves) for v in value)
    if isinstance(value, dict):
        return {key: to_cr(v, leaves) for key, v in value.items()}
    return value


def parts(value: Any) -> list[Any]:
    """Flatten a result into its tensors and numbers."""
    if isinstance(value, (list, tuple)):
        return [x for v in value for x in parts(v)]
    return [] if value is None else [value]


def array(value: Any) -> np.ndarray:
    if isinstance(value, (torch.Tensor, cr.Tensor)):
        value = value.detach()
        return (value.float() if "bfloat16" in str(value.dtype) else value).numpy(force=True)
    return np.asarray(value)


# ---------------------------------------------------------------- comparison


def compare(what: str, ours: Any, theirs: Any, tolerance: float) -> None:
    """Raise AssertionError unless two results agree in dtype, shape and value."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, cr.Tensor), f"{what}: {type(ours).__name__} for a tensor"
        wanted = str(theirs.dtype).removeprefix("torch.")
        assert ours.dtype.name == wanted, f"{what}: {ours.dtype.name}, torch has {wanted}"
    elif not isinstance(theirs, (bool, int, float)):
        return  # a dtype, a device
    a, b = array(ours), array(theirs)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, torch has {b.shape}"
    scale = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind == "f" else 0.0
    close = np.isclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True)
    if not close.all():
        at = tuple(np.argwhere(~close)[0].tolist())
        raise AssertionError(f"{what}: {a[at]} at {at}, torch has {b[at]} (shape {b.shape})")


def weighted(results: list[Any], which: list[int], seed: int, make: Callable[[Any], Any]) -> Any:
    """A number that depends on every element of some results."""
    total: Any = 0
    for i in which:
        like = array(results[i])
        weights = np.random.default_rng(seed + i).standard_normal(like.shape)
        total = total + (results[i] * make(weights.astype(like.dtype))).sum()
    return total


def wanting(values: list[Any]) -> list[int]:
    return [i for i, v in enumerate(values) if isinstance(v, torch.Tensor) and v.requires_grad]


def on_triangle(function: Callable[..., Any], which: int) -> Callable[..., Any]:
    """The function with one triangle of an argument, which `upper` chooses."""

    def call(*args: Any, upper: bool = False) -> Any:
        a = args[which]
        return function(
            *args[:which], a.triu() if upper else a.tril(), *args[which + 1 :], upper=upper
        )

    return call


def check(op: Any, function: Callable[..., Any], sample: Any, dtype: str) -> str:
    """Compare one sample; returns how far that went."""
    leaves: list[tuple[Any, Any]] = []
    try:
        input, args, kwargs = (
            to_cr(value, leaves) for value in (sample.input, sample.args, sample.kwargs)
        )
    except Absent:
        return "absent"
    torch.manual_seed(0)
    peer: Callable[..., Any] = op
    if op.name in TRIANGULAR:
        peer, function = (on_triangle(f, TRIANGULAR[op.name]) for f in (op, function))
    theirs = peer(sample.input, *sample.args, **sample.kwargs)
    theirs = parts(sample.output_process_fn_grad(theirs))
    if any(isinstance(t, torch.Tensor) and t.is_complex() for t in theirs):
        return "absent"
    try:
        ours = parts(sample.output_process_fn_grad(function(input, *args, **kwargs)))
    except (IndexError, TypeError, ValueError) as error:
        if op.name in REFUSED and re.search(REFUSED[op.name], str(error)):
            return "refused"
        raise
    assert len(ours) == len(theirs), f"{len(ours)} results, torch has {len(theirs)}"
    if op.name in RANDOM or kwargs.get("dropout_p"):
        for a, b in zip(ours, theirs, strict=True):
            compare("result", cr.zeros_like(a), torch.zeros_like(b), 0.0)
        return "result"
    if op.name in TIES and len(ours) == 2:
        ours, theirs = ours[:1], theirs[:1]
    tolerance = min(TOLERANCE[dtype] * LOOSER.get(op.name, 1), 5e-3)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        compare(f"result {i}", a, b, tolerance)

    which = wanting(theirs)
    if not leaves or not which or op.name in RESULTS_ONLY:
        return "result"
    lost = [i for i in which if not ours[i].requires_grad and ours[i].numel()]
    assert not lost, f"result {lost[0]} requires no gradient, torch's does"
    twice = dtype == "float64" and op.supports_gradgrad and op.full_name not in FIRST_ONLY
    options = {"create_graph": twice, "allow_unused": True}
    xs, ys = [x for x, _ in leaves], [y for _, y in leaves]
    b = torch.autograd.grad(weighted(theirs, which, 1, torch.from_numpy), xs, **options)
    a = cr.autograd.grad(weighted(ours, which, 1, cr.tensor), ys, **options)
    for i in range(len(leaves)):
        compare(f"gradient {i}", *_or_zero(a[i], b[i], leaves[i]), 10 * tolerance)

    which = wanting(list(b))
    if not twice or not which:
        return "gradient"
    try:
        total = weighted(list(b), which, 7, torch.from_numpy)
        d = torch.autograd.grad(total, xs, allow_unused=True)
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return "gradient"
    total = weighted(list(a), [i for i in which if a[i] is not None], 7, cr.tensor)
    flows = isinstance(total, cr.Tensor) and total.requires_grad
    c = cr.autograd.grad(total, ys, allow_unused=True) if flows else [None] * len(ys)
    for i in range(len(leaves)):
        compare(f"second gradient {i}", *_or_zero(c[i], d[i], leaves[i]), 100 * tolerance)
    return "second gradient"


def _or_zero(ours: Any, theirs: Any, leaf: tuple[Any, Any]) -> tuple[Any, Any]:
    """Two gradients, 0 in place of those that are None."""
    x, y = leaf
    return (
        cr.zeros_like(y.detach()) if ours is None else ours,
        torch.zeros_like(x) if theirs is None else theirs,
    )


def spread(samples: list[Any], limit: int | None) -> list[Any]:
    """At most `limit` of the samples, from the first to the last."""
    if limit is None or len(samples) <= limit:
        return samples
    return [samples[round(i * (len(samples) - 1) / (limit - 1))] for i in range(limit)]


def judge(name: str, limit: int | None) -> tuple[Counter[str], list[str]]:
    """How far the samples of one operator agree, and what does not."""
    op, function = DATABASE[name]
    assert function is not None
    tally: Counter[str] = Counter()
    wrong = []
    for dtype, kind in DTYPES.items():
        if kind not in op.dtypes:
            continue
        gradient = op.supports_autograd and dtype != "int64"
        samples = list(op.sample_inputs("cpu", kind, requires_grad=gradient))
        for i, sample in enumerate(spread(samples, limit)):
            try:
                tally[check(op, function, sample, dtype)] += 1
            except Exception as error:
                wrong.append(f"{dtype} sample {i}: {type(error).__name__}: {error}")
    return tally, wrong


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the samples are small
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", HERE)
def test_operator(name: str) -> None:
    _, wrong = judge(name, SAMPLES)
    assert wrong == []


def count() -> dict[str, int]:
    """How many operators and samples agree, and how far."""
    tally: Counter[str] = Counter()
    operators = disagreeing = 0
    for name in HERE:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, wrong = judge(name, None)
        tally += found
        operators += 1
        disagreeing += bool(wrong)
        tally["wrong"] += len(wrong)
    return {"operators": operators, "operators that disagree": disagreeing, **tally}


if __name__ == "__main__":
    print(count())
    print("not here:", *sorted({op.name for op, function in DATABASE.values() if not function}))
