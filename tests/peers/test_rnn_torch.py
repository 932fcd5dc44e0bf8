"""Recurrent layers and packed sequences against torch, where it is installed."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LENGTHS = [3, 6, 1, 4]
OPTIONS = [
    {},
    {"bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
    {"num_layers": 2, "proj_size": 3, "bidirectional": True},
    {"nonlinearity": "relu"},
]
LAYERS = [
    (kind, options)
    for kind, options in itertools.product(("RNN", "LSTM", "GRU"), OPTIONS)
    if ("proj_size" not in options or kind == "LSTM")
    and ("nonlinearity" not in options or kind == "RNN")
]


def _pair(kind, options, dtype):
    """Build both sides with the same weights, in evaluation mode."""
    theirs = getattr(torch.nn, kind)(5, 7, **options).to(getattr(torch, dtype)).eval()
    ours = getattr(nn, kind)(5, 7, **options).to(getattr(cr, dtype)).eval()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def _listed(hx):
    return list(hx) if isinstance(hx, tuple) else [hx]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "options"), LAYERS, ids=str)
def test_layers_agree(kind, options, dtype, packed):
    """Outputs, final states and all gradients."""
    torch.manual_seed(0)
    ours, theirs = _pair(kind, options, dtype)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-12}
    rng = np.random.default_rng(0)
    first = options.get("batch_first", False)
    x = rng.standard_normal((4, 6, 5) if first else (6, 4, 5)).astype(dtype)
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    sizes = [options.get("proj_size", 7), 7][: 2 if kind == "LSTM" else 1]
    start = [rng.standard_normal((count, 4, size)).astype(dtype) for size in sizes]
    results = []
    for lib, layer in ((cr, ours), (torch, theirs)):
        inputs = [lib.tensor(a, requires_grad=True) for a in (x, *start)]
        hx = tuple(inputs[1:]) if kind == "LSTM" else inputs[1]
        if packed:
            rnn = lib.nn.utils.rnn
            sequence = rnn.pack_padded_sequence(
                inputs[0], lib.tensor(LENGTHS), batch_first=first, enforce_sorted=False
            )
            sequence, hx = layer(sequence, hx)
            out, lengths = rnn.pad_packed_sequence(sequence, batch_first=first, total_length=6)
            assert lengths.tolist() == LENGTHS
        else:
            out, hx = layer(inputs[0], hx)
        outputs = [out, *_listed(hx)]
        loss = sum((o * (i + 1) * o).sum() for i, o in enumerate(outputs))
        loss.backward()
        results.append(
            [o.detach().numpy() for o in outputs]
            + [i.grad.numpy() for i in inputs]
            + [p.grad.numpy() for p in layer.parameters()]
        )
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, **close)


@pytest.mark.parametrize("enforce", [True, False])
def test_packing_agrees(enforce):
    lengths = sorted(LENGTHS, reverse=True) if enforce else LENGTHS
    x = np.random.default_rng(0).standard_normal((6, 4, 2, 3)).astype("float32")
    packs = [
        lib.nn.utils.rnn.pack_padded_sequence(lib.tensor(x), lengths, enforce_sorted=enforce)
        for lib in (cr, torch)
    ]
    for mine, other in zip(*packs, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            np.testing.assert_array_equal(mine.numpy(), other.numpy())
    assert repr(packs[0]) == repr(packs[1])
    sequences = [
        lib.nn.utils.rnn.unpack_sequence(p) for lib, p in zip((cr, torch), packs, strict=True)
    ]
    for mine, other in zip(*sequences, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    for side, first in itertools.product(("left", "right"), (True, False)):
        padded = [
            lib.nn.utils.rnn.pad_sequence(parts, first, 2.5, padding_side=side)
            for lib, parts in zip((cr, torch), sequences, strict=True)
        ]
        np.testing.assert_array_equal(padded[0].numpy(), padded[1].numpy())


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_agree(kind):
    theirs, ours = getattr(torch.nn, kind)(5, 7), getattr(nn, kind)(5, 7)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = np.random.default_rng(0).standard_normal((3, 5)).astype("float32")
    got, want = _listed(ours(cr.tensor(x))), _listed(theirs(torch.tensor(x)))
    got, want = (
        _listed(ours(cr.tensor(x), tuple(got) if len(got) > 1 else got[0])),
        _listed(theirs(torch.tensor(x), tuple(want) if len(want) > 1 else want[0])),
    )
    for mine, other in zip(got, want, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), atol=1e-6)
