"""Multi-head attention and the transformer against torch's, with its checkpoints."""

from collections.abc import Iterator

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Thousands of tiny products: torch's threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


N, L, S, E, H = 3, 5, 7, 8, 2


def pair(build, dtype):
    """torch's module with random parameters, and ours loaded from its checkpoint."""
    torch.manual_seed(0)
    theirs = build(torch.nn).to(getattr(torch, dtype))
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.4)
    ours = build(nn).to(getattr(cr, dtype))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def agree(ours, theirs, inputs, dtype, **options):
    """Outputs and all gradients in training mode without dropout, outputs in evaluation."""
    close = {"rtol": 0, "atol": 3e-5 if dtype == "float32" else 1e-12}
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in inputs]
    results = []
    for library, module in ((cr, ours), (torch, theirs)):
        x = [library.tensor(a, requires_grad=True) for a in arrays]
        given = {
            k: library.tensor(v if v.dtype == bool else v.astype(dtype))
            if isinstance(v, np.ndarray)
            else v
            for k, v in options.items()
        }
        if len(x) == 1 and "MultiheadAttention" in type(module).__name__:
            x = x * 3
        out = module.train()(*x, **given)
        out = out if isinstance(out, tuple) else (out,)
        weights = np.random.default_rng(2).standard_normal(tuple(out[0].shape)).astype(dtype)
        (out[0] * library.tensor(weights)).sum().backward()
        with library.no_grad():
            evaluated = module.eval()(*x, **given)
        evaluated = evaluated if isinstance(evaluated, tuple) else (evaluated,)
        found = [t for t in (*out, *evaluated) if t is not None]
        found += [t.grad for t in (*x, *module.parameters())]
        results.append([t.detach().numpy() for t in found])
    assert len(results[0]) == len(results[1])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, **close)


def hidden(*shape, seed=0):
    mask = np.random.default_rng(seed).random(shape) < 0.3
    mask[..., 0] = False
    return mask


ATTENTION = {
    "plain": ({}, {}),
    "batch first": ({"batch_first": True}, {}),
    "without bias": ({"bias": False}, {}),
    "further key": ({"add_bias_kv": True, "add_zero_attn": True}, {"attn_mask": hidden(L, S)}),
    "sizes": ({"kdim": 3, "vdim": 6}, {"key_padding_mask": hidden(N, S)}),
    "without weights": ({"batch_first": True}, {"need_weights": False}),
    "masks": ({}, {"attn_mask": hidden(N * H, L, S), "key_padding_mask": hidden(N, S, seed=1)}),
    "per head": ({}, {"average_attn_weights": False, "attn_mask": np.ones((L, S))}),
    "masked, without weights": (
        {"batch_first": True},
        {"need_weights": False, "attn_mask": hidden(L, S), "key_padding_mask": hidden(N, S)},
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ATTENTION)
def test_multihead_attention_agrees(name, dtype):
    options, call = ATTENTION[name]
    ours, theirs = pair(lambda nn: nn.MultiheadAttention(E, H, **options), dtype)
    k, v = options.get("kdim", E), options.get("vdim", E)
    shapes = [(L, N, E), (S, N, k), (S, N, v)]
    if options.get("batch_first"):
        shapes = [(b, a, c) for a, b, c in shapes]
    agree(ours, theirs, shapes, dtype, **call)


@pytest.mark.parametrize("batch_first", [False, True])
def test_self_attention_agrees(batch_first):
    """One tensor for all three: torch in evaluation takes a way of its own."""
    ours, theirs = pair(lambda nn: nn.MultiheadAttention(E, H, batch_first=batch_first), "float32")
    shape = (N, L, E) if batch_first else (L, N, E)
    agree(ours, theirs, [shape], "float32")
    agree(ours, theirs, [shape], "float32", attn_mask=hidden(L, L), need_weights=False)
    agree(ours, theirs, [(L, E)], "float32")


LAYERS = {
    "plain": {},
    "gelu": {"activation": "gelu"},
    "norm first": {"norm_first": True},
    "batch first": {"batch_first": True},
    "batch first, norm first, gelu": {
        "batch_first": True,
        "norm_first": True,
        "activation": "gelu",
    },
    "without bias": {"bias": False},
    "eps": {"layer_norm_eps": 0.1},
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree(name):
    options = LAYERS[name] | {"dropout": 0.0, "dim_feedforward": 12}
    src, tgt = (S, N, E), (L, N, E)
    if options.get("batch_first"):
        src, tgt = (N, S, E), (N, L, E)
    for dtype in ("float32", "float64"):
        ours, theirs = pair(lambda nn: nn.TransformerEncoderLayer(E, H, **options), dtype)
        agree(ours, theirs, [src], dtype)
        agree(ours, theirs, [src], dtype, src_mask=hidden(S, S))
        ours, theirs = pair(lambda nn: nn.TransformerDecoderLayer(E, H, **options), dtype)
        causal = ~np.tri(L, dtype=bool)
        agree(ours, theirs, [tgt, src], dtype, tgt_mask=causal, tgt_is_causal=True)
        agree(ours, theirs, [tgt, src], dtype, memory_key_padding_mask=hidden(N, S))


@pytest.mark.parametrize("norm", [False, True])
def test_stacks_agree(norm):
    def encoder(nn):
        layer = nn.TransformerEncoderLayer(E, H, 12, 0.0)
        return nn.TransformerEncoder(layer, 2, nn.LayerNorm(E) if norm else None)

    def decoder(nn):
        layer = nn.TransformerDecoderLayer(E, H, 12, 0.0)
        return nn.TransformerDecoder(layer, 2, nn.LayerNorm(E) if norm else None)

    causal = np.where(np.tri(L, dtype=bool), 0.0, -np.inf)
    agree(*pair(encoder, "float64"), [(L, N, E)], "float64", mask=causal)
    agree(*pair(encoder, "float64"), [(S, N, E)], "float64", src_key_padding_mask=hidden(N, S))
    agree(*pair(decoder, "float64"), [(L, N, E), (S, N, E)], "float64", tgt_mask=causal)


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"norm_first": True}])
def test_transformer_agrees(options):
    def build(nn):
        return nn.Transformer(E, H, 2, 2, 12, 0.0, **options)

    shapes = [(N, S, E), (N, L, E)] if "batch_first" in options else [(S, N, E), (L, N, E)]
    mask = torch.nn.Transformer.generate_square_subsequent_mask(L)
    assert (nn.Transformer.generate_square_subsequent_mask(L).numpy() == mask.numpy()).all()
    agree(*pair(build, "float32"), shapes, "float32", tgt_mask=mask.numpy())
    agree(*pair(build, "float64"), shapes, "float64", tgt_mask=mask.numpy())


def test_defaults_agree():
    """The whole default model, by name and shape of its parameters, and its text."""
    ours, theirs = nn.Transformer(), torch.nn.Transformer()
    assert repr(ours) == repr(theirs)
    shapes = {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == shapes
