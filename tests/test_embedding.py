"""Bags of embeddings: gradients of all orders, options of the module, threads."""

import os
import subprocess
import sys

import numpy as np
import pytest
from opspec.embedding import embedding_bag as reference

import chainrule as cr
from chainrule import _core, nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
NUMBERS = cr.tensor([1, 0, 3, 3, 2, 0, 3])
OFFSETS = cr.tensor([0, 3, 3, 5])


def table(rows=4, width=3):
    return cr.tensor(RNG.standard_normal((rows, width)), requires_grad=True)


@pytest.mark.parametrize("padding_idx", [None, 3])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_gradients_of_both_orders(mode, padding_idx):
    def bags(weight):
        return F.embedding_bag(NUMBERS, weight, OFFSETS, mode=mode, padding_idx=padding_idx)

    weight = table()
    assert gradcheck(bags, (weight,))
    assert gradgradcheck(lambda weight: bags(weight) ** 2, (weight,))


def test_gradients_of_factors():
    """All of the family: sums, their transposes and the products of rows."""

    def bags(weight, factors, padding_idx=None):
        return F.embedding_bag(
            NUMBERS, weight, OFFSETS, mode="sum", per_sample_weights=factors,
            padding_idx=padding_idx,
        )  # fmt: skip

    weight = table()
    factors = cr.tensor(RNG.standard_normal(7), requires_grad=True)
    for padding_idx in (None, 0):
        assert gradcheck(lambda w, f, p=padding_idx: bags(w, f, p), (weight, factors))
        assert gradgradcheck(lambda w, f, p=padding_idx: bags(w, f, p), (weight, factors))
    ends = cr.tensor([0, 3, 3, 5, 7])
    grad = cr.tensor(RNG.standard_normal((4, 3)), requires_grad=True)

    def dots(grad, weight):
        return _core._embedding_bag_dot(grad, weight, NUMBERS, ends, 3, False, False)

    def means(grad, weight):
        return _core._embedding_bag_dot(grad, weight, NUMBERS, ends[:-1], 3, True, True)

    def added(grad, factors):
        return _core._embedding_bag_grad(grad, NUMBERS, ends, factors, 3, False, False, 4)

    for function in dots, means:
        assert gradcheck(function, (grad, weight))
        assert gradgradcheck(function, (grad, weight))
    assert gradcheck(added, (grad, factors))
    assert gradgradcheck(added, (grad, factors))


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_gradients_of_lookups(padding_idx):
    numbers = cr.tensor([[2, 0, 2], [1, 2, 2]], dtype=cr.int32)
    weight = cr.tensor(RNG.standard_normal((4, 3)), requires_grad=True)
    assert gradgradcheck(lambda w: F.embedding(numbers, w, padding_idx), (weight,))
    places = -1 if padding_idx is None else padding_idx
    grad = cr.tensor(RNG.standard_normal((2, 3, 3)), requires_grad=True)
    assert gradcheck(lambda g: _core._embedding_grad(g, numbers, places, 4), (grad,))
    with pytest.raises(ValueError, match=r"^embedding_grad: .*\(2, 2, 3\); expected \(2, 3, 3\)"):
        _core._embedding_grad(cr.zeros(2, 2, 3), numbers, places, 4)


@pytest.mark.parametrize("width", [1, 5, 16, 64, 100, 200])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_any_width(width, dtype, mode):
    """Every stretch of columns, with padding; rows of numbers and offsets give the same bits."""
    table = cr.tensor(RNG.standard_normal((30, width)).astype(dtype))
    numbers = RNG.integers(0, 30, (7, 9))
    numbers[3] = 4
    rows = [table.numpy()[[i for i in bag if i != 4]] for bag in numbers]
    empty = np.zeros(width)
    function = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    expected = np.stack([function(r.astype("f8"), 0) if len(r) else empty for r in rows])
    got = F.embedding_bag(cr.tensor(numbers), table, mode=mode, padding_idx=4)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-5)
    for ends in (False, True):
        offsets = cr.arange(0, 63 + ends, 9)
        again = F.embedding_bag(cr.tensor(numbers.reshape(-1)), table, offsets, mode=mode,
                                padding_idx=4, include_last_offset=ends)  # fmt: skip
        np.testing.assert_array_equal(again.numpy(), got.numpy())


def test_the_largest_may_be_nan():
    table = cr.tensor([[1.0, np.nan], [np.nan, 2.0], [3.0, -np.inf]])
    got = F.embedding_bag(cr.tensor([[0, 1, 2], [2, 2, 0]]), table, mode="max")
    np.testing.assert_array_equal(got.numpy(), [[np.nan, np.nan], [3.0, np.nan]])


@pytest.mark.parametrize("index", [[2, 0, 2, 2], [], [4]])
def test_sums_of_rows(index):
    """The gradient of index_select, which is embedding's."""
    values = RNG.standard_normal((len(index), 2, 3))
    expected = np.zeros((5, 2, 3))
    np.add.at(expected, np.array(index, int), values)
    places = cr.tensor(np.array(index, np.int64))
    x = cr.tensor(values, requires_grad=True)
    np.testing.assert_allclose(_core._sum_rows(x, places, 5).detach().numpy(), expected)
    if index:
        assert gradcheck(lambda x: _core._sum_rows(x, places, 5), (x,))
        assert gradgradcheck(lambda x: _core._sum_rows(x, places, 5), (x,))
    with pytest.raises(IndexError, match=r"^sum_rows: index 4 .* size 4"):
        _core._sum_rows(cr.zeros(1, 2), cr.tensor([4]), 4)
    with pytest.raises(ValueError, match=r"^sum_rows: .*\(3, 2\) and 1 indices"):
        _core._sum_rows(cr.zeros(3, 2), cr.tensor([0]), 4)


def test_repeated_rows_add_up_in_order():
    """float32 sums of many entries are those of a loop, bit for bit."""
    numbers = RNG.integers(0, 3, 5000)
    values = RNG.standard_normal((5000, 20)).astype("float32")
    expected = np.zeros((3, 20), "float32")
    for number, value in zip(numbers, values, strict=True):
        expected[number] += value
    weight = cr.zeros(3, 20, requires_grad=True)
    F.embedding(cr.tensor(numbers), weight).backward(cr.tensor(values))
    assert (weight.grad.numpy() == expected).all()


def test_scale_grad_by_freq():
    weight = table()
    F.embedding_bag(NUMBERS, weight, OFFSETS, mode="sum", scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(weight.grad.numpy(), np.ones((4, 3)))
    few = table(6)
    F.embedding_bag(NUMBERS, few, OFFSETS, mode="sum", scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(few.grad.numpy(), np.repeat([1, 0], [4, 2])[:, None] * np.ones(3))


def test_max_norm_shortens_in_place():
    weight = cr.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    F.embedding_bag(cr.tensor([[0, 1]]), weight, max_norm=1.0)
    np.testing.assert_allclose(weight.numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-6)


def test_nan_is_the_largest():
    weight = cr.tensor([[1.0, 2.0], [np.nan, 3.0], [5.0, 1.0]])
    out = F.embedding_bag(cr.tensor([[0, 1, 2]]), weight, mode="max")
    assert np.isnan(out.numpy()[0, 0])
    assert out.numpy()[0, 1] == 3


def test_module():
    cr.manual_seed(0)
    bag = nn.EmbeddingBag(10, 3, max_norm=5.0, mode="sum", padding_idx=-1)
    assert repr(bag) == "EmbeddingBag(10, 3, max_norm=5.0, mode='sum', padding_idx=9)"
    assert (bag.weight[9] == 0).all()
    assert repr(nn.EmbeddingBag(10, 3)) == "EmbeddingBag(10, 3, mode='mean')"
    numbers, cuts = np.array([1, 2, 9, 9, 4]), np.array([0, 2, 3])
    out = bag(cr.tensor(numbers), cr.tensor(cuts))
    expected = reference(numbers, bag.weight.detach().numpy(), cuts, mode="sum")
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-6)
    last = nn.EmbeddingBag.from_pretrained(bag.weight.detach(), include_last_offset=True)
    assert not last.weight.requires_grad
    assert last(cr.tensor(numbers), cr.tensor([0, 2, 5])).shape == (2, 3)
    for arguments, match in (
        ({"mode": "min"}, "mode='min'"),
        ({"sparse": True}, "sparse=True is not offered"),
        ({"padding_idx": 10}, "padding_idx .*got 10"),
        ({"_weight": cr.zeros(3, 10)}, r"_weight .*\(3, 10\).*\(10, 3\)"),
    ):
        with pytest.raises(ValueError, match=f"^EmbeddingBag: {match}"):
            nn.EmbeddingBag(10, 3, **arguments)
    with pytest.raises(ValueError, match=r"^EmbeddingBag.from_pretrained: .*\(3,\)"):
        nn.EmbeddingBag.from_pretrained(cr.zeros(3))


_BITS = """
import hashlib, chainrule as cr
from chainrule.nn import functional as F
cr.manual_seed(0)
weight = cr.randn(3000, 300, requires_grad=True)
numbers = cr.randint(0, 3000, (70, 100))
for out in (
    F.embedding(numbers, weight),
    *(F.embedding_bag(numbers, weight, mode=mode) for mode in ("sum", "mean", "max")),
):
    grad = cr.autograd.grad(out, weight, cr.randn(*out.shape))[0]
    for t in (out.detach(), grad):
        print(hashlib.sha256(t.numpy().tobytes()).hexdigest())
"""


def test_the_same_bits_for_any_number_of_threads():
    runs = [
        subprocess.run(
            [sys.executable, "-c", _BITS],
            env=os.environ | {"CHAINRULE_NUM_THREADS": n},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in ("1", "2", "5")
    ]
    assert runs[0].count("\n") == 8
    assert runs[0] == runs[1] == runs[2]
