"""Attention with several heads, and the transformer's layers, against their formulas in NumPy."""

import copy
import math

import numpy as np
import pytest
from opspec.attention import attention

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
N, L, S, E, H = 3, 5, 7, 8, 2


def normal(*shape):
    return RNG.standard_normal(shape)


def tensors(*arrays):
    return [cr.tensor(a) for a in arrays]


def numpy_of(module):
    return {key: value.numpy() for key, value in module.state_dict().items()}


def randomized(module):
    """A module in float64 all of whose parameters are random: zeros and ones hide errors."""
    module = module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.eval()


def heads_of(x, heads):
    """(N, L, E) to (N, H, L, E / H)."""
    return np.swapaxes(x.reshape(*x.shape[:2], heads, -1), 1, 2)


def multihead(p, query, key, value, mask=None, heads=H, zeros=False):
    """Result of attention with several heads, batch first; `mask` is added to (N, H, L, S)."""
    if "in_proj_weight" in p:
        weights = np.split(p["in_proj_weight"], 3)
    else:
        weights = [p[f"{name}_proj_weight"] for name in "qkv"]
    biases = np.split(p["in_proj_bias"], 3) if "in_proj_bias" in p else (0, 0, 0)
    parts = zip((query, key, value), weights, biases, strict=True)
    q, k, v = (x @ w.T + b for x, w, b in parts)
    batch = len(q)
    if "bias_k" in p:
        k = np.concatenate([k, np.repeat(p["bias_k"], batch, 0)], 1)
        v = np.concatenate([v, np.repeat(p["bias_v"], batch, 0)], 1)
    if zeros:
        k, v = (np.concatenate([x, np.zeros((batch, 1, x.shape[2]))], 1) for x in (k, v))
    q, k, v = (heads_of(x, heads) for x in (q, k, v))
    if mask is not None and mask.shape[-1] < k.shape[2]:
        mask = np.pad(mask, ((0, 0),) * 3 + ((0, k.shape[2] - mask.shape[-1]),))
    out = np.swapaxes(attention(q, k, v, mask), 1, 2).reshape(batch, q.shape[2], -1)
    return out @ p["out_proj.weight"].T + p.get("out_proj.bias", 0)


def near(tensor, array):
    np.testing.assert_allclose(tensor.detach().numpy(), array, rtol=0, atol=1e-11)


# ---------------------------------------------------------------- several heads


OPTIONS = {
    "plain": {},
    "without bias": {"bias": False},
    "further key": {"add_bias_kv": True},
    "further zeros": {"add_zero_attn": True},
    "both": {"add_bias_kv": True, "add_zero_attn": True},
    "sizes": {"kdim": 3, "vdim": 6},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_heads(name):
    options = OPTIONS[name]
    module = randomized(nn.MultiheadAttention(E, H, batch_first=True, **options))
    p, zeros = numpy_of(module), options.get("add_zero_attn", False)
    q, k = normal(N, L, E), normal(N, S, options.get("kdim", E))
    v = normal(N, S, options["vdim"]) if "vdim" in options else k
    padding = np.zeros((N, S), bool)
    padding[0, 3:] = True
    hidden = normal(L, S) < -0.5
    additive = normal(N * H, L, S)
    for attn_mask, key_padding_mask in (
        (None, None),
        (hidden, None),
        (None, padding),
        (hidden, padding),
        (additive, np.where(padding, -np.inf, 0)),
    ):
        total = np.zeros((N, H, L, S))
        if attn_mask is not None:
            scores = np.where(hidden, -np.inf, 0) if attn_mask is hidden else attn_mask
            total += scores if attn_mask is hidden else scores.reshape(N, H, L, S)
        if key_padding_mask is not None:
            total += np.where(padding, -np.inf, 0)[:, None, None]
        expected = multihead(p, q, k, v, total, zeros=zeros)
        masks = {
            "attn_mask": None if attn_mask is None else cr.tensor(attn_mask),
            "key_padding_mask": None if key_padding_mask is None else cr.tensor(key_padding_mask),
        }
        x = tensors(q, k, v)
        x = [x[0], x[1], x[1] if v is k else x[2]]
        out, weights = module(*x, **masks)
        near(out, expected)
        assert weights.shape == (N, L, S + len(set(options) & {"add_bias_kv", "add_zero_attn"}))
        near(weights.sum(-1), np.ones((N, L)))
        out, nothing = module(*x, **masks, need_weights=False)
        near(out, expected)
        assert nothing is None
        per_head = module(*x, **masks, average_attn_weights=False)[1]
        assert per_head.shape[:2] == (N, H)
        near(per_head.mean(1), weights.detach().numpy())


def test_layouts_agree():
    first = randomized(nn.MultiheadAttention(E, H, batch_first=True))
    second = nn.MultiheadAttention(E, H).double()
    second.load_state_dict(first.state_dict())
    x, y = tensors(normal(N, L, E), normal(N, S, E))
    for need in (True, False):
        out, weights = first(x, y, y, need_weights=need)
        swapped, same = second(*(t.transpose(0, 1) for t in (x, y, y)), need_weights=need)
        near(swapped.transpose(0, 1), out.detach().numpy())
        alone, row = second(x[1], y[1], y[1], need_weights=need)
        assert alone.shape == (L, E)
        near(alone, out[1].detach().numpy())
        if need:
            near(same, weights.detach().numpy())
            near(row, weights[1].detach().numpy())


def test_self_attention_is_one_product():
    """The packed way gives what three different inputs give."""
    module = randomized(nn.MultiheadAttention(E, H))
    x = cr.tensor(normal(L, N, E))
    near(module(x, x, x)[0], module(x, x.clone(), x.clone())[0].detach().numpy())
    near(module(x, x, x)[0], module(x.clone(), x, x)[0].detach().numpy())


def test_the_causal_hint():
    module = randomized(nn.MultiheadAttention(E, H, batch_first=True))
    x = cr.tensor(normal(N, L, E))
    mask = nn.Transformer.generate_square_subsequent_mask(L)
    expected = module(x, x, x, attn_mask=mask)[0].detach().numpy()
    for need in (True, False):
        near(module(x, x, x, attn_mask=mask, is_causal=True, need_weights=need)[0], expected)
    with pytest.raises(ValueError, match="is_causal is a hint about attn_mask, which is None"):
        module(x, x, x, is_causal=True)


def test_static_keys_and_values():
    module = randomized(nn.MultiheadAttention(E, H))
    p = numpy_of(module)
    x = cr.tensor(normal(L, N, E))
    k, v = normal(N * H, S, E // H), normal(N * H, S, E // H)
    out, _ = F.multi_head_attention_forward(
        x, x, x, E, H, module.in_proj_weight, module.in_proj_bias, None, None, False, 0.0,
        module.out_proj.weight, module.out_proj.bias,
        static_k=cr.tensor(k), static_v=cr.tensor(v),
    )  # fmt: skip
    q = np.swapaxes(x.numpy(), 0, 1) @ p["in_proj_weight"][:E].T + p["in_proj_bias"][:E]
    heads = attention(heads_of(q, H), k.reshape(N, H, S, -1), v.reshape(N, H, S, -1))
    joined = np.transpose(heads, (2, 0, 1, 3)).reshape(L, N, E)
    near(out, joined @ p["out_proj.weight"].T + p["out_proj.bias"])


@pytest.mark.parametrize("need", [True, False])
def test_heads_have_gradients(need):
    shapes = ((3, 2, 4), (2, 2, 4), (12, 4), (12,), (1, 1, 4), (1, 1, 4), (4, 4), (4,))
    inputs = [cr.tensor(normal(*shape), requires_grad=True) for shape in shapes]

    def f(x, y, weight, bias, bias_k, bias_v, out, out_bias):
        return F.multi_head_attention_forward(
            x, y, y, 4, 2, weight, bias, bias_k, bias_v, True, 0.0, out, out_bias,
            need_weights=need,
        )[0]  # fmt: skip

    assert gradcheck(f, inputs)
    assert gradgradcheck(f, inputs)


def test_dropout_of_weights():
    module = nn.MultiheadAttention(E, H, dropout=0.5, batch_first=True)
    x = cr.randn(2, 40, E)
    weights = module(x, x, x, average_attn_weights=False)[1].detach().numpy()
    assert 0.4 < (weights == 0).mean() < 0.6
    cr.manual_seed(3)
    first = module(x, x, x)[0].detach().numpy()
    cr.manual_seed(3)
    second = module(x, x, x, need_weights=False)[0].detach().numpy()
    np.testing.assert_allclose(first, second, atol=1e-5)  # both ways drop the same weights
    assert (module.eval()(x, x, x)[1] != 0).all()


def test_initial_distribution():
    cr.manual_seed(0)
    module = nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = math.sqrt(6 / (64 + 192))
    weight = module.in_proj_weight.detach().numpy()
    assert 0.98 * bound < np.abs(weight).max() <= bound
    assert (module.in_proj_bias == 0).all()
    assert (module.out_proj.bias == 0).all()
    assert 0 < np.abs(module.out_proj.weight.detach().numpy()).max() <= 1 / 8
    assert 0.05 < float(module.bias_k.detach().numpy().std()) < 0.25
    separate = nn.MultiheadAttention(64, 4, kdim=32)
    bound = math.sqrt(6 / (64 + 32))
    assert 0.98 * bound < np.abs(separate.k_proj_weight.detach().numpy()).max() <= bound


BAD_CALLS = [
    (((5, 2, 6), (7, 2, 8), (7, 2, 8)), {}, r"query has 6 features .*embed_dim=8"),
    (((5, 2, 8), (7, 2, 8), (6, 2, 8)), {}, r"key has shape \(7, 2, 8\) and value \(6, 2, 8\)"),
    (((5, 2, 8), (7, 3, 8), (7, 3, 8)), {}, r"query has shape \(5, 2, 8\) and key \(7, 3, 8\)"),
    (((5, 2, 8), (7, 8), (7, 8)), {}, r"\(5, 2, 8\), \(7, 8\) and \(7, 8\); expected \(L, N, E\)"),
    (((5, 2, 8),) * 3, {"attn_mask": (5, 4)}, r"attn_mask has shape \(5, 4\); expected \(5, 5\)"),
    (((5, 2, 8),) * 3, {"key_padding_mask": (5, 2)}, r"key_padding_mask .*expected \(2, 5\)"),
]


@pytest.mark.parametrize(("shapes", "masks", "match"), BAD_CALLS)
def test_bad_calls_of_heads(shapes, masks, match):
    masks = {name: cr.zeros(*shape) for name, shape in masks.items()}
    with pytest.raises(ValueError, match=f"multi_head_attention_forward: .*{match}"):
        nn.MultiheadAttention(8, 2)(*(cr.zeros(*shape) for shape in shapes), **masks)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"^MultiheadAttention: embed_dim=8 .* num_heads=3"):
        nn.MultiheadAttention(8, 3)
    x = cr.zeros(2, 1, 8)
    with pytest.raises(TypeError, match=r"attn_mask is .*int64; expected cr.bool"):
        nn.MultiheadAttention(8, 2)(x, x, x, attn_mask=cr.zeros(2, 2, dtype=cr.int64))
    with pytest.raises(ValueError, match=r"^TransformerEncoderLayer: activation='tanh'"):
        nn.TransformerEncoderLayer(8, 2, activation="tanh")
    model = nn.Transformer(8, 2, 1, 1, 4)
    with pytest.raises(ValueError, match=r"^Transformer: src has shape \(5, 2, 8\) and tgt \(5, 3"):
        model(cr.zeros(5, 2, 8), cr.zeros(5, 3, 8))
    with pytest.raises(ValueError, match=r"^Transformer: .*expected both \(length, N, 8\)"):
        model(cr.zeros(5, 2, 6), cr.zeros(5, 2, 6))


# ---------------------------------------------------------------- layers


def layer_norm(x, p, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x * p[f"{name}.weight"] + p.get(f"{name}.bias", 0)


def part(p, name):
    return {key[len(name) + 1 :]: value for key, value in p.items() if key.startswith(f"{name}.")}


def transformer_layer(p, x, blocks, norm_first):
    """The residual paths of a layer around its attentions, then around its network."""

    def network(x):
        hidden = np.maximum(x @ p["linear1.weight"].T + p.get("linear1.bias", 0), 0)
        return hidden @ p["linear2.weight"].T + p.get("linear2.bias", 0)

    for i, block in enumerate((*blocks, network), 1):
        if norm_first:
            x = x + block(layer_norm(x, p, f"norm{i}"))
        else:
            x = layer_norm(x + block(x), p, f"norm{i}")
    return x


def encode(p, x, mask, norm_first):
    own = part(p, "self_attn")
    return transformer_layer(p, x, [lambda x: multihead(own, x, x, x, mask)], norm_first)


def decode(p, x, memory, mask, norm_first):
    own, other = part(p, "self_attn"), part(p, "multihead_attn")
    blocks = [
        lambda x: multihead(own, x, x, x, mask),
        lambda x: multihead(other, x, memory, memory),
    ]
    return transformer_layer(p, x, blocks, norm_first)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer(norm_first, bias):
    """The whole against its formula, with a padded source and a causal target."""
    model = nn.Transformer(
        E, H, 2, 3, 12, batch_first=True, norm_first=norm_first, bias=bias
    )  # fmt: skip
    p = numpy_of(randomized(model))
    src, tgt = normal(N, S, E), normal(N, L, E)
    padding = np.zeros((N, S), bool)
    padding[1, 4:] = True
    hidden = np.where(padding, -np.inf, 0)[:, None, None]
    causal = np.where(np.tri(L, dtype=bool), 0, -np.inf)[None, None]
    memory = src
    for i in range(2):
        memory = encode(part(p, f"encoder.layers.{i}"), memory, hidden, norm_first)
    memory = layer_norm(memory, p, "encoder.norm")
    expected = tgt
    for i in range(3):
        expected = decode(part(p, f"decoder.layers.{i}"), expected, memory, causal, norm_first)
    expected = layer_norm(expected, p, "decoder.norm")
    for mask in (causal[0, 0], causal[0, 0] < 0):
        for hint in (None, True, False):
            out = model(
                cr.tensor(src),
                cr.tensor(tgt),
                tgt_mask=cr.tensor(mask),
                src_key_padding_mask=cr.tensor(padding),
                tgt_is_causal=hint,
            )
            near(out, expected)


@pytest.mark.parametrize("norm_first", [True, False])
def test_layers_have_gradients(norm_first):
    options = {"dropout": 0.0, "activation": "gelu", "norm_first": norm_first}
    encoder = randomized(nn.TransformerEncoderLayer(4, 2, 5, **options))
    decoder = randomized(nn.TransformerDecoderLayer(4, 2, 5, **options))
    x, y = (cr.tensor(normal(n, 2, 4), requires_grad=True) for n in (3, 2))
    assert gradcheck(encoder, (x,))
    assert gradcheck(decoder, (x, y))
    assert gradgradcheck(encoder, (x,))


def test_dropout_and_evaluation():
    layer = nn.TransformerEncoderLayer(E, H, 16, dropout=0.3)
    x = cr.randn(L, N, E)
    assert not cr.equal(layer(x), layer(x))
    layer.eval()
    assert cr.equal(layer(x), layer(x))


def test_a_module_as_activation():
    layer = nn.TransformerEncoderLayer(E, H, 16, activation=nn.Tanh())
    assert "(activation): Tanh()" in repr(layer)
    assert layer(cr.randn(L, E)).shape == (L, E)


def test_copies_are_their_own():
    layer = nn.TransformerEncoderLayer(E, H, 16)
    encoder = nn.TransformerEncoder(layer, 2)
    assert encoder.layers[0].linear1.weight is not encoder.layers[1].linear1.weight
    assert cr.equal(encoder.layers[0].linear1.weight, layer.linear1.weight)
    again = copy.deepcopy(encoder)
    x = cr.randn(L, E)
    assert cr.equal(again.eval()(x), encoder.eval()(x))


def test_custom_parts():
    class Twice(nn.Module):
        def forward(self, src, **_):
            return 2 * src

    model = nn.Transformer(E, H, 1, 1, 16, custom_encoder=Twice()).eval()
    src, tgt = cr.randn(S, N, E), cr.randn(L, N, E)
    assert cr.equal(model(src, tgt), model.decoder(tgt, 2 * src))


def test_all_matrices_start_alike():
    cr.manual_seed(0)
    model = nn.Transformer(64, 4, 1, 1, 128)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert 0.95 * bound < np.abs(parameter.detach().numpy()).max() <= bound, name


def test_training_lowers_the_loss():
    """A small encoder learns which of two tokens comes first."""
    cr.manual_seed(0)
    x = cr.randn(64, 6, 8)
    labels = (x[:, 0, 0] > x[:, 3, 0]).to(cr.int64)
    layer = nn.TransformerEncoderLayer(8, 2, 32, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(48, 2))
    optimizer = cr.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
