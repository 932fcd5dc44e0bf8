"""Bad calls: the right exception, a message that helps, nothing changed, never a crash."""

import re
from typing import Any

import numpy as np
import pytest
from opspec import OPS, Bad, Op, draw, resolve, to_numpy
from opspec.base import Case

import chainrule as cr
from chainrule import _core
from chainrule.nn import functional as F

REGISTRY = {row["name"] for row in _core.ops()}
BAD = [pytest.param(op, bad, id=f"{op.name}-{k}") for op in OPS for k, bad in enumerate(op.bad)]


@pytest.mark.smoke
@pytest.mark.parametrize(("op", "bad"), BAD)
def test_bad_call(op: Op, bad: Bad) -> None:
    drawn = draw(op, bad.case, bad.dtype)
    args, kwargs = drawn.tensors()
    with pytest.raises(bad.error, match=bad.match):
        op.fn(*args, **kwargs)
    first = args[0] if args else None
    if isinstance(first, cr.Tensor):
        np.testing.assert_array_equal(to_numpy(first), drawn.args[0])


@pytest.mark.parametrize(("op", "bad"), [p for p in BAD if p.values[0].inplace])
def test_bad_call_in_place_changes_nothing(op: Op, bad: Bad) -> None:
    drawn = draw(op, bad.case, bad.dtype)
    args, kwargs = drawn.tensors()
    match = bad.match.replace(f"^{op.name}", f"^{op.name}_?")
    version = args[0]._version
    with pytest.raises(bad.error, match=match):
        resolve(f"Tensor.{op.name}_")(*args, **kwargs)
    np.testing.assert_array_equal(to_numpy(args[0]), drawn.args[0])
    assert args[0]._version == version


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in OPS])
def test_calls_that_no_signature_allows(op: Op) -> None:
    args, kwargs = draw(op, op.cases[0], op.supported[-1]).tensors()
    with pytest.raises(TypeError, match=rf"{op.name}.*nonsense"):
        op.fn(*args, **kwargs, nonsense=1)
    with pytest.raises(TypeError, match=op.name):
        op.fn()
    # What is written in Python fails at the first use of the argument.
    wrong_type = TypeError if op.name in REGISTRY else (TypeError, AttributeError)
    with pytest.raises(wrong_type):
        op.fn("text", *args[1:], **kwargs)
    with pytest.raises(wrong_type):
        op.fn(None, *args[1:], **kwargs)


WRONG = ["text", -1, 99, (9, 9, 9), cr.ones(1, 2, 3, 5, 7), cr.ones(0), cr.tensor([True])]


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in OPS])
def test_messages_name_one_op(op: Op) -> None:
    """Also when the failure happened in an op that this one is made of."""
    drawn = draw(op, op.cases[0], op.supported[-1])
    for at in range(len(drawn.args)):
        for wrong in WRONG:
            args, kwargs = drawn.tensors()
            args = [*args[:at], wrong, *args[at + 1 :]]
            try:
                op.fn(*args, **kwargs)
            except Exception as error:
                assert not re.match(r"_|[\w.]+: [\w.]+: ", str(error)), (at, wrong)  # noqa: PT017


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.max_pool2d(cr.ones(1, 1, 2, 2), 3), r"max_pool2d: the window is larger"),
        (lambda: F.max_pool1d(cr.ones(1, 1, 4), 2, padding=3), r"max_pool1d: padding is more"),
        (lambda: cr.mm(cr.ones(2, 3), cr.ones(2, 3)), r"mm: inner sizes differ"),
        (lambda: cr.ones(2).masked_fill_(cr.tensor([True] * 3), 1), r"masked_fill_: shapes do not"),
        (lambda: cr.max(cr.ones(2), 1), r"max: dimension out of range"),
        (lambda: cr.max(None, 1), r"max: argument 'input' must be a Tensor"),
        (lambda: cr.ones(3).view(cr.float64), r"view: float64 does not divide"),
        (
            lambda: F.adaptive_avg_pool2d(cr.ones(1, 1, 4, 4), (None,)),
            r"adaptive_avg_pool2d: output",
        ),
        (lambda: cr.stack([cr.ones(2)], 2), r"stack: dimension out of range .*expected -2 to 1"),
        (lambda: cr.ones(2).chunk(2, 1), r"chunk: dimension out of range"),
        (lambda: cr.ones(2).split(1, 1), r"split: dimension out of range"),
        (lambda: cr.tensor(1.0).unbind(), r"unbind: dimension out of range"),
    ],
)
def test_messages_name_the_op_that_was_called(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, IndexError), match=f"^{message}"):
        call()


def test_argument_given_twice() -> None:
    x = cr.ones(2, 3)
    with pytest.raises(TypeError, match=r"sum.*dim"):
        cr.sum(x, 1, dim=0)
    with pytest.raises(TypeError, match=r"add.*input"):
        cr.add(x, x, input=x)
    with pytest.raises(TypeError, match=r"exp"):
        cr.exp(x, x, x)


def test_arguments_of_the_wrong_kind() -> None:
    x = cr.ones(2, 3)
    with pytest.raises(TypeError, match=r"sum.*dim.*float"):
        cr.sum(x, 1.5)
    with pytest.raises(TypeError, match=r"sum.*dim.*str"):
        cr.sum(x, "rows")
    with pytest.raises(TypeError, match=r"permute"):
        x.permute(1.0, 0)
    with pytest.raises(TypeError, match=r"reshape"):
        x.reshape(2, 1.5)
    with pytest.raises(TypeError, match=r"leaky_relu.*negative_slope"):
        F.leaky_relu(x, "steep")
    with pytest.raises(TypeError, match=r"cat"):
        cr.cat(x)
    with pytest.raises(TypeError, match=r"cat.*int"):
        cr.cat([x, 1])
    with pytest.raises(TypeError, match=r"add.*list"):
        cr.add(x, [1, 2, 3])


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1 << 200])
def test_integers_beyond_64_bits(value: int) -> None:
    x = cr.ones(2, 3)
    for call in (
        lambda: cr.sum(x, value),
        lambda: x.reshape(value),
        lambda: x[value],
        lambda: cr.zeros(value),
        lambda: x.narrow(0, value, 1),
        lambda: cr.tensor([1]) + value,
    ):
        with pytest.raises((OverflowError, IndexError, ValueError, RuntimeError, TypeError)):
            call()


@pytest.mark.parametrize("size", [1 << 40, 1 << 62, (1 << 63) - 1])
def test_results_that_cannot_exist(size: int) -> None:
    """Sizes whose bytes overflow 64 bits, or that no machine has."""
    x = cr.ones(1)
    for call in (
        lambda: x.expand(size).expand(size, size).contiguous(),
        lambda: cr.zeros(size, size),
        lambda: F.pad(x, (size, size)),
        lambda: cr.cat([x.expand(size)] * 4).expand(1 << 20, -1).contiguous(),
        lambda: x.expand(size, 1 << 20) + x.expand(size, 1),
    ):
        with pytest.raises((MemoryError, ValueError, RuntimeError, OverflowError)):
            call()
    assert x.tolist() == [1.0], "the library goes on"


EXTREMES = [(1 << 63) - 1, -(1 << 63), 1 << 62, -(1 << 62)]


@pytest.mark.parametrize("n", EXTREMES)
def test_extreme_integers(n: int) -> None:
    """Sizes, steps and offsets at the ends of 64 bits: an answer or an exception."""
    x = cr.arange(24.0).reshape(2, 3, 4)
    for call in (
        lambda: x.narrow(0, n, 1),
        lambda: x.narrow(0, 1, n),
        lambda: x.narrow(0, n, n),
        lambda: cr.slice(x, 0, n, -n - 1, 1),
        lambda: cr.slice(x, 0, 0, 2, n),
        lambda: x[n:],
        lambda: x[:n],
        lambda: x[::n],
        lambda: x[n::n],
        lambda: x.select(0, n),
        lambda: x[n],
        lambda: x.diagonal(n),
        lambda: x.diagonal(0, n, 1),
        lambda: x.roll(n, 1),
        lambda: x.flip(n),
        lambda: x.sum(n),
        lambda: x.transpose(n, 0),
        lambda: x.permute(n, 0, 1),
        lambda: x.unsqueeze(n),
        lambda: x.squeeze(n),
        lambda: x.flatten(n),
        lambda: x.expand(n, 2, 3, 4),
        lambda: x.reshape(n, -1),
        lambda: x.reshape(n, n),
        lambda: x.view(-1, n),
        lambda: x.repeat(n, 1, 1),
        lambda: x.repeat(2, n, n),
        lambda: F.pad(x, (n, 0)),
        lambda: F.pad(x, (n, n)),
        lambda: F.pad(x, (n, 1), "reflect"),
        lambda: F.pad(x, (1, n), "circular"),
        lambda: x.as_strided((2, 2), (n, 1)),
        lambda: x.as_strided((n, 2), (1, 1)),
        lambda: x.as_strided((2, 2), (1, 1), n),
        lambda: cr.tril(x, n),
        lambda: cr.arange(0, n, n),
        lambda: cr.arange(n),
        lambda: cr.linspace(0, 1, n),
        lambda: cr.eye(n),
        lambda: cr.randperm(n),
        lambda: cr.randint(n, n + 1, (2,)),
        lambda: x.split(n),
        lambda: x.chunk(n),
        lambda: x.gather(0, cr.full((1, 1, 1), n)),
        lambda: x.index_select(1, cr.tensor([n])),
        lambda: x[cr.tensor([n])],
        lambda: x.round(decimals=n),
    ):
        try:
            call()
        except (
            TypeError,
            ValueError,
            IndexError,
            RuntimeError,
            OverflowError,
            MemoryError,
        ) as error:
            message = str(error)
        else:
            message = "an answer"
        assert message
    assert x.sum().item() == 276.0


@pytest.mark.parametrize(
    "region",
    [((2, 2), (1, 1), (1 << 63) - 1), ((2,) * 4, (1 << 62,) * 4, 0), ((2,), (-1,), 0)],
)
def test_strided_views_stay_inside_memory(region: tuple[Any, ...]) -> None:
    """Also where the extent wraps around 64 bits."""
    with pytest.raises(ValueError, match="reaches outside"):
        cr.arange(24.0).as_strided(*region)
    with pytest.raises(ValueError, match="reaches outside"):
        cr.as_strided_scatter(cr.arange(24.0), cr.ones(region[0]), *region)


def test_too_many_dimensions() -> None:
    x = cr.ones([1] * 16)
    with pytest.raises((ValueError, RuntimeError), match="16"):
        x.unsqueeze(0)
    with pytest.raises((ValueError, RuntimeError), match="16"):
        cr.ones([1] * 17)
    with pytest.raises((ValueError, RuntimeError), match="16"):
        x[None]
    with pytest.raises((ValueError, RuntimeError), match="16"):
        cr.tensor(np.ones([1] * 17))


def test_integer_division_by_zero_is_no_signal() -> None:
    lowest = -(1 << 63)
    x, y = cr.tensor([1, -1, 0, lowest]), cr.tensor([0, 0, 0, -1])
    for call in (cr.floor_divide, cr.remainder, cr.fmod):
        for dtype in ("int64", "int32", "int16", "int8", "uint8"):
            d = getattr(cr, dtype)
            assert call(x.to(d), y.to(d)).tolist()[:3] == [0, 0, 0]
    assert cr.tensor([1.0]).floor_divide(0.0).item() == float("inf")


def test_negative_integer_powers() -> None:
    with pytest.raises((ValueError, RuntimeError), match="negative"):
        cr.tensor([2]) ** -1
    assert (cr.tensor([2.0]) ** -1).item() == 0.5


def test_messages_print_shapes_as_tuples_and_name_no_internals() -> None:
    for op, bad in (p.values for p in BAD):
        args, kwargs = draw(op, bad.case, bad.dtype).tensors()
        with pytest.raises(bad.error) as info:
            op.fn(*args, **kwargs)
        text = str(info.value)
        assert not re.search(r"cr::|std::|0x[0-9a-f]{4}|\.cpp|kUndefined", text), text
        assert not re.search(r"\[\d+(, \d+)+\]", text.replace("[-", "")), f"shape as list: {text}"
        assert len(text) < 500, text


def test_an_error_leaves_no_gradient_state_behind() -> None:
    x = cr.ones(2, 3, requires_grad=True)
    y = x * 2
    for _ in range(3):
        with pytest.raises(ValueError, match="add"):
            y + cr.ones(2, 4)
        with pytest.raises(ValueError, match=r"^add"):
            y.add_(cr.ones(2, 4))
    y.sum().backward()
    assert x.grad.tolist() == [[2.0] * 3] * 2


def test_inplace_result_must_have_the_shape() -> None:
    x = cr.ones(3)
    with pytest.raises(ValueError, match=r"^add_: .*\(2, 3\).*\(3,\)"):
        x.add_(cr.ones(2, 3))
    assert tuple(x.shape) == (3,)


def test_nan_where_an_integer_is_due() -> None:
    with pytest.raises((TypeError, ValueError)):
        cr.ones(3).narrow(0, float("nan"), 1)
    with pytest.raises((TypeError, ValueError)):
        cr.full((2,), float("nan"), dtype=cr.int64)


def _fuzz_values() -> list[Any]:
    x = cr.ones(2, 3)
    return [
        x,
        x.long(),
        x.t(),
        cr.tensor(1.0),
        cr.zeros(0),
        None,
        1,
        -1,
        2.5,
        "a",
        (),
        (1, -1),
        [x],
    ]


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in OPS])
def test_any_arguments_give_a_result_or_an_exception(op: Op) -> None:
    """Two or three arbitrary arguments: never a crash, and nothing but ordinary exceptions."""
    allowed: tuple[type[Exception], ...] = (TypeError, ValueError, IndexError, RuntimeError)
    if op.name not in REGISTRY:
        allowed += (AttributeError,)
    values, messages = _fuzz_values(), []
    for a in values[:5]:
        for b in values:
            for c in values[5:10]:
                for args in ((a, b), (a, b, c)):
                    try:
                        op.fn(*args)
                    except allowed as error:
                        messages.append(str(error))
    assert messages
    assert all(messages), "an error without a message"


def test_cases_are_calls() -> None:
    assert all(isinstance(c, Case) for op in OPS for c in op.cases)
