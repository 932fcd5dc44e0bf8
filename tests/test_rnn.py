"""Recurrent layers and cells against their equations, step by step in NumPy."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn.utils import rnn as packing

KINDS = ("RNN", "relu", "LSTM", "GRU")


def make(kind: str, *args: Any, **options: Any) -> Any:
    """Build a layer of float64; ``"relu"`` is the RNN with that nonlinearity."""
    if kind == "relu":
        options["nonlinearity"] = "relu"
        kind = "RNN"
    return getattr(nn, kind)(*args, dtype=options.pop("dtype", cr.float64), **options)


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def array(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.detach().numpy())


# ---------------------------------------------------------------- the equations


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell(kind: str, x: Any, h: Any, c: Any, w: dict[str, Any]) -> tuple[Any, Any]:
    """One step for one sample; ``w`` holds weight_ih, weight_hh and maybe biases, weight_hr."""
    from_x = w["weight_ih"] @ x + w.get("bias_ih", 0)
    from_h = w["weight_hh"] @ h + w.get("bias_hh", 0)
    if kind == "RNN":
        return np.tanh(from_x + from_h), None
    if kind == "relu":
        return np.maximum(from_x + from_h, 0), None
    if kind == "GRU":
        (xr, xz, xn), (hr, hz, hn) = np.split(from_x, 3), np.split(from_h, 3)
        r, z = logistic(xr + hr), logistic(xz + hz)
        n = np.tanh(xn + r * hn)
        return (1 - z) * n + z * h, None
    i, f, g, o = np.split(from_x + from_h, 4)
    c = logistic(f) * c + logistic(i) * np.tanh(g)
    h = logistic(o) * np.tanh(c)
    return (w["weight_hr"] @ h if "weight_hr" in w else h), c


def reference(
    kind: str, layer: Any, x: np.ndarray, h0: np.ndarray, c0: np.ndarray, lengths: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every sample of (T, N, features) for itself: output, h_n, c_n."""
    steps, batch = x.shape[:2]
    lengths = [steps] * batch if lengths is None else lengths
    h_n, c_n = h0.copy(), c0.copy()
    for k in range(layer.num_layers):
        outputs = []
        for d, suffix in enumerate(("", "_reverse")[: 2 if layer.bidirectional else 1]):
            end = f"_l{k}{suffix}"
            w = {n[: -len(end)]: array(p) for n, p in layer.named_parameters() if n.endswith(end)}
            w = {n: p for n, p in w.items() if n.startswith(("weight", "bias")) and "_l" not in n}
            out = np.zeros((steps, batch, h0.shape[-1]))
            place = len(("", "_reverse")[: 2 if layer.bidirectional else 1]) * k + d
            for b in range(batch):
                h, c = h0[place, b], c0[place, b]
                order = range(lengths[b])
                for t in reversed(order) if d else order:
                    h, c_next = cell(kind, x[t, b], h, c, w)
                    c = c if c_next is None else c_next
                    out[t, b] = h
                h_n[place, b], c_n[place, b] = h, c
            outputs.append(out)
        x = np.concatenate(outputs, -1)
    return x, h_n, c_n


def states(layer: Any, batch: int) -> tuple[np.ndarray, np.ndarray]:
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    size = layer.proj_size or layer.hidden_size
    return draw(count, batch, size, seed=1), draw(count, batch, layer.hidden_size, seed=2)


def given_state(layer: Any, h0: Any, c0: Any) -> Any:
    return (cr.tensor(h0), cr.tensor(c0)) if layer.mode == "LSTM" else cr.tensor(h0)


def check_against_reference(kind: str, layer: Any, x: np.ndarray, lengths: Any = None) -> None:
    h0, c0 = states(layer, x.shape[1])
    out, hx = layer(cr.tensor(x), given_state(layer, h0, c0), lengths=lengths)
    want, h_n, c_n = reference(kind, layer, x, h0, c0, lengths)
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(array(out), want, **close)
    h, c = hx if layer.mode == "LSTM" else (hx, None)
    np.testing.assert_allclose(array(h), h_n, **close)
    if c is not None:
        np.testing.assert_allclose(array(c), c_n, **close)


# ---------------------------------------------------------------- values

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
    {"proj_size": 2, "num_layers": 2, "bidirectional": True},
)
CASES = [
    (kind, options)
    for kind, options in itertools.product(KINDS, OPTIONS)
    if kind == "LSTM" or "proj_size" not in options
]


@pytest.mark.parametrize("lengths", [None, (5, 5, 5), (2, 5, 1), (3, 1, 4)])
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_equations(kind: str, options: dict[str, Any], lengths: Any) -> None:
    check_against_reference(kind, make(kind, 4, 6, **options), draw(5, 3, 4), lengths)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 6),
    st.integers(1, 35),
    st.integers(1, 70),
    st.booleans(),
    st.data(),
)
def test_any_size(
    kind: str, steps: int, batch: int, hidden: int, both: bool, data: st.DataObject
) -> None:
    """Every width of the product's tiles, every cut of the batch."""
    features = data.draw(st.integers(1, 9))
    lengths = data.draw(st.none() | st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    layer = make(kind, features, hidden, bidirectional=both)
    check_against_reference(kind, layer, draw(steps, batch, features), lengths)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "hidden"), [(1, 600), (3, 450), (2, 333)])
def test_large_weights(kind: str, batch: int, hidden: int) -> None:
    """The cut by hidden units."""
    check_against_reference(kind, make(kind, 3, hidden), draw(3, batch, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_float32(kind: str) -> None:
    layer = make(kind, 5, 40, 2, bidirectional=True)
    x = draw(20, 9, 5)
    want = layer(cr.tensor(x))[0]
    got = layer.float()(cr.tensor(x.astype("float32")))[0]
    assert got.dtype == cr.float32
    np.testing.assert_allclose(array(got), array(want), rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_layouts(kind: str) -> None:
    """The batch first, no batch, and inputs that are not contiguous."""
    layer, x = make(kind, 4, 6, bidirectional=True), draw(5, 3, 4)
    out, hx = layer(cr.tensor(x))
    first = make(kind, 4, 6, bidirectional=True, batch_first=True)
    first.load_state_dict(layer.state_dict())
    swapped, hx_first = first(cr.tensor(np.ascontiguousarray(x.swapaxes(0, 1))))
    np.testing.assert_array_equal(array(swapped).swapaxes(0, 1), array(out))
    strided = cr.tensor(np.repeat(x, 2, axis=2))[:, :, ::2]
    np.testing.assert_array_equal(array(layer(strided)[0]), array(out))
    alone, hx_alone = layer(cr.tensor(x[:, 0]))
    assert alone.shape == (5, 12)
    np.testing.assert_allclose(array(alone), array(out)[:, 0], rtol=1e-13)
    again, _ = first(cr.tensor(x[:, 0]), hx_alone)
    assert again.shape == (5, 12)
    for a, b, c in zip(_listed(hx), _listed(hx_first), _listed(hx_alone), strict=True):
        np.testing.assert_array_equal(array(a), array(b))
        np.testing.assert_allclose(array(c), array(a)[:, 0], rtol=1e-13)


def _listed(hx: Any) -> list[Any]:
    return list(hx) if isinstance(hx, tuple) else [hx]


@pytest.mark.parametrize("kind", ["RNN", "relu", "LSTM", "GRU"])
def test_cells(kind: str) -> None:
    options = {"nonlinearity": "relu"} if kind == "relu" else {}
    name = "RNN" if kind == "relu" else kind
    for bias in (True, False):
        one = getattr(nn, f"{name}Cell")(4, 6, bias=bias, dtype=cr.float64, **options)
        w = {n: array(p) for n, p in one.named_parameters()}
        x, h, c = draw(3, 4), draw(3, 6, seed=1), draw(3, 6, seed=2)
        want = [cell(kind, x[b], h[b], c[b], w) for b in range(3)]
        hx = (cr.tensor(h), cr.tensor(c)) if kind == "LSTM" else cr.tensor(h)
        got = _listed(one(cr.tensor(x), hx))
        for i, part in enumerate(got):
            expected = np.stack([pair[i] for pair in want])
            np.testing.assert_allclose(array(part), expected, rtol=1e-12, atol=1e-14)
        alone = _listed(one(cr.tensor(x[0])))
        zero = cell(kind, x[0], np.zeros(6), np.zeros(6), w)
        assert alone[0].shape == (6,)
        np.testing.assert_allclose(array(alone[0]), zero[0], rtol=1e-12, atol=1e-14)
        inputs = (cr.tensor(x, requires_grad=True), cr.tensor(h, requires_grad=True))
        if kind == "LSTM":
            inputs = (*inputs, cr.tensor(c, requires_grad=True))
            assert gradcheck(lambda x, h, c, one=one: one(x, (h, c)), inputs)
        else:
            assert gradcheck(one, inputs)


def test_lstm_saturates() -> None:
    """Sums far beyond the range of exp."""
    layer = make("LSTM", 1, 1, dtype=cr.float32)
    with cr.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0)
    out, (_, c) = layer(cr.tensor([[[1e4]], [[-1e4]], [[float("inf")]]]))
    assert array(out)[:, 0, 0] == pytest.approx([math.tanh(1), 0, math.tanh(1)], abs=1e-6)
    assert array(c).item() == pytest.approx(1)
    assert np.isnan(array(layer(cr.tensor([[[float("nan")]]]))[0])).all()


# ---------------------------------------------------------------- gradients


def gradient_problem(
    kind: str, options: dict[str, Any], lengths: Any, steps: int = 3, hidden: int = 3
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    layer = make(kind, 2, hidden, **options)
    h0, c0 = states(layer, 2)
    names = [name for name, _ in layer.named_parameters()]
    lstm = layer.mode == "LSTM"

    def f(x: Any, h: Any, c: Any, *parameters: Any) -> tuple[Any, ...]:
        # The weights' place in the layer is taken by tensors of the check.
        for name, parameter in zip(names, parameters, strict=True):
            object.__setattr__(layer, name, parameter)
        out, hx = layer(x, (h, c) if lstm else h, lengths=lengths)
        return (out, *_listed(hx))

    arrays = [draw(steps, 2, 2, seed=3), h0, c0, *(2 * array(p) for p in layer.parameters())]
    return f, tuple(cr.tensor(a, requires_grad=lstm or i != 2) for i, a in enumerate(arrays))


@pytest.mark.parametrize("lengths", [None, (3, 1), (2, 3)])
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_gradients(kind: str, options: dict[str, Any], lengths: Any) -> None:
    """By the fused loop."""
    f, inputs = gradient_problem(kind, options, lengths)
    assert gradcheck(f, inputs)


@pytest.mark.parametrize("lengths", [None, (3, 1), (2, 3)])
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_both_gradients_agree(kind: str, options: dict[str, Any], lengths: Any) -> None:
    """The fused loop, and the replay that can be differentiated again."""
    f, inputs = gradient_problem(kind, options, lengths)
    outputs = f(*inputs)
    seeds = [cr.tensor(draw(*out.shape, seed=7 + i)) for i, out in enumerate(outputs)]
    wanted = [x for x in inputs if x.requires_grad]
    fused = cr.autograd.grad(outputs, wanted, seeds, retain_graph=True)
    taped = cr.autograd.grad(outputs, wanted, seeds, create_graph=True)
    for a, b in zip(fused, taped, strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_second_gradients(kind: str, options: dict[str, Any]) -> None:
    small = {"steps": 2, "hidden": 2 if options == {} else 1}
    f, inputs = gradient_problem(kind, options, (2, 1), **small)
    assert gradgradcheck(f, inputs)


def test_second_gradients_of_projection() -> None:
    f, inputs = gradient_problem("LSTM", {"proj_size": 2}, (2, 3))
    assert gradgradcheck(f, inputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "batch", "hidden"), [(4, 37, 20), (3, 2, 400), (1, 5, 9)])
def test_gradients_of_any_cut(kind: str, steps: int, batch: int, hidden: int) -> None:
    """Rows in chunks, hidden units in chunks, one step: against the replay."""
    layer = make(kind, 3, hidden)
    x = cr.tensor(draw(steps, batch, 3), requires_grad=True)
    out, hx = layer(x)
    loss = (out * cr.tensor(draw(*out.shape, seed=5))).sum() + sum(h.sum() for h in _listed(hx))
    wanted = [x, *layer.parameters()]
    fused = cr.autograd.grad(loss, wanted, retain_graph=True)
    taped = cr.autograd.grad(loss, wanted, create_graph=True)
    for a, b in zip(fused, taped, strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_one_gradient_alone(kind: str) -> None:
    """Each input and parameter may be the only one that wants a gradient."""
    f, every = gradient_problem(kind, {}, None)
    wanted = [i for i, x in enumerate(every) if x.requires_grad]
    full = cr.autograd.grad(sum(out.sum() for out in f(*every)), [every[i] for i in wanted])
    for i, expected in zip(wanted, full, strict=True):
        inputs = [x.detach() for x in every]
        inputs[i].requires_grad_()
        (got,) = cr.autograd.grad(sum(out.sum() for out in f(*inputs)), [inputs[i]])
        np.testing.assert_array_equal(array(got), array(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_not_looked_at(kind: str) -> None:
    """NaN beyond a sample's end reaches neither results nor gradients."""
    layer = make(kind, 3, 5, bidirectional=True)
    x = draw(4, 2, 3)
    x[2:, 1] = np.nan
    given = cr.tensor(x, requires_grad=True)
    out, _ = layer(given, lengths=[4, 2])
    out.sum().backward()
    assert not np.isnan(array(out)).any()
    assert (array(out)[2:, 1] == 0).all()
    assert (array(given.grad)[2:, 1] == 0).all()
    assert not any(np.isnan(array(p.grad)).any() for p in layer.parameters())


# ---------------------------------------------------------------- packed sequences


@pytest.mark.parametrize("kind", KINDS)
def test_packed_and_lengths_agree(kind: str) -> None:
    layer, x, lengths = make(kind, 4, 6, 2, bidirectional=True), draw(6, 4, 4), [3, 6, 1, 3]
    hx = given_state(layer, *states(layer, 4))
    given = [cr.tensor(x, requires_grad=True) for _ in range(2)]
    packed = packing.pack_padded_sequence(given[0], lengths, enforce_sorted=False)
    out_packed, hx_packed = layer(packed, hx)
    assert isinstance(out_packed, packing.PackedSequence)
    assert out_packed.batch_sizes is packed.batch_sizes
    out, got = packing.pad_packed_sequence(out_packed)
    assert got.tolist() == lengths
    direct, hx_direct = layer(given[1], hx, lengths=cr.tensor(lengths))
    np.testing.assert_array_equal(array(out), array(direct))
    for a, b in zip(_listed(hx_packed), _listed(hx_direct), strict=True):
        np.testing.assert_array_equal(array(a), array(b))
    for result in (out, direct):
        (result * cr.tensor(draw(*result.shape, seed=4))).sum().backward()
    np.testing.assert_array_equal(array(given[0].grad), array(given[1].grad))


def test_batch_first_with_lengths() -> None:
    layer, x = make("GRU", 4, 6, batch_first=True), draw(3, 5, 4)
    out, h = layer(cr.tensor(x), lengths=np.array([2, 3, 1]))
    assert out.shape == (3, 5, 6)
    for b, n in enumerate([2, 3, 1]):
        alone, h_alone = layer(cr.tensor(x[b, :n]))
        np.testing.assert_allclose(array(out)[b, :n], array(alone), rtol=1e-13)
        np.testing.assert_allclose(array(h)[:, b], array(h_alone), rtol=1e-13)
        assert (array(out)[b, n:] == 0).all()


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=7),
    st.booleans(),
    st.sampled_from([(), (2,), (2, 3)]),
)
def test_pack_and_unpack(lengths: list[int], first: bool, rest: tuple[int, ...]) -> None:
    sequences = [cr.tensor(draw(n, *rest, seed=i)) for i, n in enumerate(lengths)]
    packed = packing.pack_sequence(sequences, enforce_sorted=False)
    order = sorted(range(len(lengths)), key=lambda b: -lengths[b])
    want = [array(sequences[b])[t] for t in range(max(lengths)) for b in order if t < lengths[b]]
    np.testing.assert_array_equal(array(packed.data), np.stack(want))
    assert packed.batch_sizes.tolist() == [sum(n > t for n in lengths) for t in range(max(lengths))]
    assert packed.sorted_indices.tolist() == order
    for a, b in zip(packing.unpack_sequence(packed), sequences, strict=True):
        np.testing.assert_array_equal(array(a), array(b))
    padded, got = packing.pad_packed_sequence(packed, first, -1.0, total_length=7)
    assert got.tolist() == lengths
    expected = packing.pad_sequence([*sequences, cr.zeros(7, *rest, dtype=cr.float64)], first, -1.0)
    np.testing.assert_array_equal(
        array(padded), array(expected[:-1] if first else expected[:, :-1])
    )
    for a, b in zip(packing.unpad_sequence(padded, lengths, first), sequences, strict=True):
        np.testing.assert_array_equal(array(a), array(b))


def test_gradients_of_packing() -> None:
    x = cr.tensor(draw(4, 3, 2), requires_grad=True)

    def f(x: Any) -> Any:
        packed = packing.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        return packed.data, packing.pad_packed_sequence(packed, True)[0]

    assert gradcheck(f, (x,))
    assert gradgradcheck(f, (x,))


def test_pad_on_the_left() -> None:
    sequences = [cr.tensor([1, 2]), cr.tensor([3])]
    padded = packing.pad_sequence(sequences, True, 9, padding_side="left")
    assert padded.tolist() == [[1, 2], [9, 3]]


def test_packed_sequence_fields() -> None:
    packed = packing.pack_sequence([cr.tensor([1.0]), cr.tensor([2.0, 3.0])], enforce_sorted=False)
    assert packed.unsorted_indices.tolist() == [1, 0]
    assert packed.double().data.dtype == cr.float64
    assert packed.float() is packed
    assert packed.cpu() is packed
    assert not packed.is_cuda
    assert packed.long().data.tolist() == [2, 1, 3]
    assert packed.int().data.dtype == cr.int32
    data, sizes, _, _ = packed
    assert packing.PackedSequence(data, sizes).sorted_indices is None
    assert repr(packed).startswith("PackedSequence(data=tensor([2., 1., 3.]), batch_sizes=")
    assert packing.invert_permutation(None) is None
    sorted_ = packing.pack_padded_sequence(cr.zeros(3, 2), [3, 1])
    assert sorted_.sorted_indices is None


# ---------------------------------------------------------------- training options


def test_dropout_between_layers() -> None:
    layer, x = make("LSTM", 4, 6, 2, dropout=1.0), cr.tensor(draw(5, 3, 4))
    dropped, _ = layer(x)
    assert layer.eval()(x)[0].allclose(dropped) is False
    # The second layer reads zeros.
    biases = make("LSTM", 6, 6)
    with cr.no_grad():
        for ours, theirs in zip(biases.parameters(), layer.all_weights[1], strict=True):
            ours.copy_(theirs)
    np.testing.assert_array_equal(
        array(biases(cr.zeros(5, 3, 6, dtype=cr.float64))[0]), array(dropped)
    )
    with pytest.warns(UserWarning, match="^GRU: dropout acts between layers"):
        nn.GRU(3, 4, dropout=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_dropout(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One mask for all steps, on the state before the recurrent product."""
    layer = make(kind, 4, 6, recurrent_dropout=0.5)
    x, batch = draw(5, 3, 4), 3
    mask = (draw(batch, 6, seed=9) > 0) * 2.0
    monkeypatch.setattr(layer, "_mask", lambda h: cr.tensor(mask))
    got, _ = layer(cr.tensor(x))
    h0, c0 = np.zeros((1, batch, 6)), np.zeros((1, batch, 6))
    want = np.zeros((5, batch, 6))
    w = {n[:-3]: array(p) for n, p in layer.named_parameters()}
    for b in range(batch):
        h, c = h0[0, b], c0[0, b]
        for t in range(5):
            masked = dict(w, weight_hh=w["weight_hh"] * mask[b])
            h, c = cell(kind, x[t, b], h, c, masked)
            want[t, b] = h
    np.testing.assert_allclose(array(got), want, rtol=1e-12, atol=1e-13)

    given = cr.tensor(x, requires_grad=True)
    loss = (layer(given, lengths=[5, 2, 3])[0] ** 2).sum()
    wanted = [given, *layer.parameters()]
    fused = cr.autograd.grad(loss, wanted, retain_graph=True)
    for a, b in zip(fused, cr.autograd.grad(loss, wanted, create_graph=True), strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-11, atol=1e-12)


def test_recurrent_dropout_rests_in_evaluation() -> None:
    layer = make("GRU", 4, 6, recurrent_dropout=0.9)
    plain = make("GRU", 4, 6)
    plain.load_state_dict(layer.state_dict())
    x = cr.tensor(draw(5, 3, 4))
    assert not layer(x)[0].allclose(plain(x)[0])
    np.testing.assert_array_equal(array(layer.eval()(x)[0]), array(plain(x)[0]))


def test_mask_may_want_a_gradient() -> None:
    mask = cr.tensor(draw(2, 3), requires_grad=True)
    x, h = cr.tensor(draw(3, 2, 4)), cr.tensor(draw(2, 3, seed=1))
    w, r = cr.tensor(draw(9, 4, seed=2)), cr.tensor(draw(9, 3, seed=3))

    def f(mask: Any) -> Any:
        return cr._core._recurrent(x, h, None, w, r, None, mask, None, None, None, "gru", False)[0]

    assert gradcheck(f, (mask,))


def test_initial_values() -> None:
    layer = nn.LSTM(10, 40, unit_forget_bias=True, orthogonal=True)
    forget = slice(40, 80)
    np.testing.assert_array_equal(array(layer.bias_ih_l0 + layer.bias_hh_l0)[forget], 1)
    for gate in np.split(array(layer.weight_hh_l0), 4):
        np.testing.assert_allclose(gate @ gate.T, np.eye(40), atol=1e-5)
    bound = 1 / math.sqrt(40)
    for parameter in nn.GRU(10, 40).parameters():
        values = np.abs(array(parameter))
        assert 0.9 * bound < values.max() <= bound


def test_names_and_text() -> None:
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ends = ("l0", "l0_reverse", "l1", "l1_reverse")
    assert list(layer.state_dict()) == [f"{kind}_{end}" for end in ends for kind in kinds]
    assert layer.weight_ih_l1.shape == (16, 4)
    assert layer.weight_hh_l0.shape == (16, 2)
    assert repr(layer) == "LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)"
    assert repr(nn.RNN(3, 4, nonlinearity="relu", bias=False)) == "RNN(3, 4, bias=False)"
    assert repr(nn.GRUCell(3, 4)) == "GRUCell(3, 4)"
    assert repr(nn.RNNCell(3, 4, False, "relu")) == "RNNCell(3, 4, bias=False, nonlinearity=relu)"
    assert layer.flatten_parameters() is None
    assert [len(weights) for weights in layer.all_weights] == [5] * 4
    assert layer.mode == "LSTM"
    assert nn.RNN(3, 4, 1, "relu").mode == "RNN_RELU"


@pytest.mark.smoke
def test_learns_to_echo() -> None:
    """The input of two steps before."""
    cr.manual_seed(0)
    net, head = nn.GRU(1, 12), nn.Linear(12, 1)
    optimizer = cr.optim.Adam([*net.parameters(), *head.parameters()], lr=0.02)
    x = cr.tensor(draw(12, 16, 1).astype("float32"))
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(head(net(x)[0])[2:], x[:-2])
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


# ---------------------------------------------------------------- threads


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "batch", "hidden"), [(9, 70, 48), (5, 33, 90), (4, 1, 700)])
def test_threads_give_the_same_bits(kind: str, steps: int, batch: int, hidden: int) -> None:
    layer = make(kind, 24, hidden, dtype=cr.float32, bidirectional=True)
    x = draw(steps, batch, 24).astype("float32")
    lengths = np.random.default_rng(0).integers(1, steps + 1, batch)
    before = cr.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            cr.set_num_threads(threads)
            for n in (None, lengths):
                layer.zero_grad()
                given = cr.tensor(x, requires_grad=True)
                out, hx = layer(given, lengths=n)
                ((out**2).sum() + _listed(hx)[-1].sum()).backward()
                results.append([array(out), array(given.grad)])
                results[-1] += [array(p.grad) for p in layer.parameters()]
    finally:
        cr.set_num_threads(before)
    for later in range(2, len(results)):
        for a, b in zip(results[later % 2], results[later], strict=True):
            np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- errors


def test_empty_batch() -> None:
    for kind in KINDS:
        x = cr.zeros(5, 0, 4, dtype=cr.float64, requires_grad=True)
        layer = make(kind, 4, 6, 2, bidirectional=True)
        out, hx = layer(x)
        assert out.shape == (5, 0, 12)
        assert _listed(hx)[0].shape == (4, 0, 6)
        out.sum().backward()
        assert x.grad.shape == (5, 0, 4)
        assert (array(layer.weight_hh_l0.grad) == 0).all()


X = cr.zeros(5, 3, 4)
ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.LSTM(4, 0), ValueError, r"^LSTM: hidden_size is positive \(got 0\)"),
    (lambda: nn.LSTM(4, 6.0), TypeError, r"^LSTM: hidden_size is an int \(got 6.0 of type float"),
    (lambda: nn.GRU(4, 6, 0), ValueError, r"^GRU: num_layers is positive \(got 0\)"),
    (lambda: nn.LSTM(4, 6, proj_size=6), ValueError, "^LSTM: proj_size is below hidden_size"),
    (lambda: nn.LSTM(4, 6, dropout=2), ValueError, r"^LSTM: dropout is a probability .*got 2"),
    (lambda: nn.RNN(4, 6, recurrent_dropout=-1), ValueError, "^RNN: recurrent_dropout .*got -1"),
    (lambda: nn.RNN(4, 6, nonlinearity="sin"), ValueError, "^RNN: nonlinearity .*'sin'"),
    (lambda: nn.RNNCell(4, 6, nonlinearity="sin"), ValueError, "^RNNCell: nonlinearity .*'sin'"),
    (lambda: nn.RNNBase("CNN", 4, 6), ValueError, "^RNNBase: mode .*'CNN'"),
    (lambda: nn.RNNBase("GRU", 4, 6, proj_size=2), ValueError, "^RNNBase: proj_size is for LSTM"),
    (lambda: nn.LSTM(4, 6, bias=False, unit_forget_bias=True), ValueError, "^LSTM: .*biases"),
    (lambda: nn.GRUCell(4, 0), ValueError, r"^GRUCell: hidden_size is positive \(got 0\)"),
    (
        lambda: nn.LSTM(3, 6)(X),
        ValueError,
        r"^LSTM: input and weight_ih_l0 .*\(5, 3, 4\) and \(24, 3\).*input_size=4",
    ),
    (
        lambda: nn.Sequential(nn.Identity(), nn.GRU(3, 6))(X),
        ValueError,
        r"^1 \(GRU\): input and weight_ih_l0",
    ),
    (lambda: nn.LSTM(4, 6)(cr.zeros(4)), ValueError, r"^LSTM: got input of shape \(4,\)"),
    (lambda: nn.LSTM(4, 6)(cr.zeros(0, 3, 4)), ValueError, "the sequence has no steps"),
    (lambda: nn.LSTM(4, 6)([1, 2]), TypeError, "^LSTM: input is a Tensor or a Packed.*list"),
    (lambda: nn.LSTM(4, 6)(X, X), TypeError, r"^LSTM: hx is a pair \(h_0, c_0\) \(got Tensor"),
    (lambda: nn.GRU(4, 6)(X, (X, X)), TypeError, r"^GRU: hx is a Tensor \(got tuple"),
    (
        lambda: nn.GRU(4, 6)(X, cr.zeros(1, 2, 6)),
        ValueError,
        r"^GRU: hx has shape \(1, 2, 6\); expected \(1, 3, 6\)",
    ),
    (
        lambda: nn.LSTM(4, 6, proj_size=2)(X, (cr.zeros(1, 3, 2), cr.zeros(1, 3, 2))),
        ValueError,
        r"^LSTM: c_0 has shape \(1, 3, 2\); expected \(1, 3, 6\)",
    ),
    (
        lambda: nn.GRU(4, 6)(X[:, 0], cr.zeros(1, 3, 6)),
        ValueError,
        r"^GRU: got a state of shape \(1, 3, 6\); expected 2 dimensions",
    ),
    (lambda: nn.GRU(4, 6)(X, lengths=[5, 6, 1]), ValueError, r"lengths\[1\] is 6; .*5 steps"),
    (lambda: nn.GRU(4, 6)(X, lengths=[5, 5, 0]), ValueError, r"lengths\[2\] is 0; .*1 or more"),
    (lambda: nn.GRU(4, 6)(X, lengths=[5, 5]), ValueError, r"lengths of shape \(2,\).*\(3,\)"),
    (lambda: nn.GRU(4, 6)(X, lengths=[5.0, 5.0, 1.0]), TypeError, "lengths are integers"),
    (lambda: nn.GRU(4, 6)(X[:, 0], lengths=[5]), ValueError, "lengths need a batch"),
    (lambda: nn.GRU(4, 6)(X.double()), TypeError, "differs in dtype"),
    (lambda: nn.GRU(4, 6)(X.long()), TypeError, "expected float32 or float64"),
    (
        lambda: nn.GRUCell(3, 6)(X[0]),
        ValueError,
        r"^GRUCell: input and weight_ih .*\(3, 4\) and \(18, 3\)",
    ),
    (lambda: nn.GRUCell(4, 6)(X), ValueError, r"^GRUCell: got input of shape \(5, 3, 4\)"),
    (
        lambda: nn.GRUCell(4, 6)(X[0], X[0]),
        ValueError,
        r"^GRUCell: h has shape \(3, 4\); expected \(3, 6\)",
    ),
    (lambda: nn.LSTMCell(4, 6)(X[0], X[0]), TypeError, r"^LSTMCell: hx is a pair \(h, c\)"),
    (lambda: packing.pack_padded_sequence(X, [1, 2, 3]), ValueError, "decreasing.*enforce_sorted"),
    (lambda: packing.pack_padded_sequence(X, [6, 2, 1]), ValueError, r"lengths\[0\] is 6"),
    (lambda: packing.pack_padded_sequence(X[0, 0], [1]), ValueError, r"shape \(4,\)"),
    (lambda: packing.pack_padded_sequence(X[:, :0], []), (TypeError, ValueError), "integers|empty"),
    (lambda: packing.pack_sequence([]), ValueError, "^pad_sequence: got no sequences"),
    (lambda: packing.pad_sequence([X, X[0]]), ValueError, r"^pad_sequence: sequence 1 .*\(3, 4\)"),
    (lambda: packing.pad_sequence([X], padding_side="up"), ValueError, "padding_side.*'up'"),
    (lambda: packing.PackedSequence(X), ValueError, "^PackedSequence: batch_sizes is missing"),
    (
        lambda: packing.pad_packed_sequence(packing.pack_sequence([X]), total_length=4),
        ValueError,
        "total_length is 4; expected at least the longest sequence's 5",
    ),
    (
        lambda: nn.GRU(4, 6)(packing.pack_sequence([X[:, 0]]), lengths=[5]),
        ValueError,
        "expected lengths=None",
    ),
    (
        lambda: nn.GRU(4, 6)(packing.PackedSequence(X[:, 0], cr.tensor([2, 3]))),
        ValueError,
        r"batch_sizes\[1\] is 3; expected between 1 and 2",
    ),
    (
        lambda: nn.GRU(4, 6)(packing.PackedSequence(X[:, 0], cr.tensor([2, 2]))),
        ValueError,
        "input has 5 rows; expected the sum of batch_sizes, 4",
    ),
    (
        lambda: nn.GRU(4, 6)(packing.PackedSequence(X[:, 0], cr.tensor([3, 2, 0]))),
        ValueError,
        r"batch_sizes\[2\] is 0; expected between 1 and 2",
    ),
    (
        lambda: nn.GRU(4, 6)(packing.PackedSequence(X, cr.tensor([5]))),
        ValueError,
        r"^GRU: got packed data of shape \(5, 3, 4\)",
    ),
]


@pytest.mark.parametrize("i", range(len(ERRORS)))
def test_errors(i: int) -> None:
    call, kind, message = ERRORS[i]
    with pytest.raises(kind, match=message):
        call()


def test_hidden_row_checks_everything() -> None:
    """Shapes that the modules never pass."""
    x, h, w, r = cr.zeros(5, 3, 4), cr.zeros(3, 6), cr.zeros(6, 4), cr.zeros(6, 6)
    good: dict[str, Any] = {
        "input": x, "h0": h, "c0": None, "weight_ih": w, "weight_hh": r, "weight_hr": None,
        "mask": None, "batch_sizes": None, "bias_ih": None, "bias_hh": None,
        "mode": "rnn_tanh", "reverse": False,
    }  # fmt: skip
    for change, message in (
        ({"h0": cr.zeros(2, 6)}, "differ in batch"),
        ({"h0": cr.zeros(3, 5)}, r"h0 has shape \(3, 5\)"),
        ({"h0": cr.zeros(6)}, "2 dimensions each"),
        ({"c0": h}, "c0 is for LSTM"),
        ({"mode": "lstm", "weight_ih": cr.zeros(4, 4), "weight_hh": cr.zeros(4, 1)}, "h0 has"),
        ({"weight_ih": cr.zeros(6, 3)}, r"weight_ih has shape \(6, 3\)"),
        ({"weight_hh": cr.zeros(6, 5), "h0": cr.zeros(3, 5)}, "or a weight_hr"),
        ({"mask": cr.zeros(3, 5)}, "mask has shape"),
        ({"bias_ih": cr.zeros(6)}, "one of two biases"),
        ({"bias_ih": cr.zeros(6), "bias_hh": cr.zeros(5)}, "bias_hh has shape"),
        ({"batch_sizes": cr.tensor([3, 2])}, r"expected \(rows, features\)"),
        ({"input": x[0], "batch_sizes": cr.tensor([2, 1])}, r"batch_sizes\[0\] is 2"),
        ({"input": x[0], "batch_sizes": cr.tensor([[3]])}, "one size a step"),
        ({"input": x[0]}, r"expected \(steps, batch, features\)"),
        ({"weight_hh": cr.zeros(0, 6)}, "expected hidden units"),
    ):
        with pytest.raises(ValueError, match=f"^recurrent: .*{message}"):
            cr._core._recurrent(**{**good, **change})
    with pytest.raises(TypeError, match="batch_sizes has dtype"):
        cr._core._recurrent(**{**good, "input": x[0], "batch_sizes": cr.tensor([3.0])})
