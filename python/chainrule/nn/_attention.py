"""Attention as functions: one product of attention, and several heads with their projections."""

from __future__ import annotations

import math

import chainrule as cr
from chainrule import Tensor, _core
from chainrule.random import _state_of

from ._dropout import dropout

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

_OP = "scaled_dot_product_attention"


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return ``softmax(scale * query @ key.T + mask) @ value``, in memory linear in L and S.

    The weights are made tile by tile, and again in the backward pass; the whole matrix of them
    exists only for a gradient of the mask and for gradients of gradients. A query that sees no
    key, because its whole row is masked or S is 0, gets zeros, and passes no gradient.

    Args:
        query: ``(..., Hq, L, E)``, floating dtype; any strides, at least two dimensions.
        key: ``(..., H, S, E)``, the same dtype.
        value: ``(..., H, S, Ev)``, the same dtype. Leading dimensions broadcast.
        attn_mask: expands to ``(..., Hq, L, S)``: bool, True where a query sees a key; or
            float32 or the query's dtype, added to the scores.
        dropout_p: the probability with which a weight is dropped; applied whenever it is
            above 0, so pass 0 in evaluation.
        is_causal: whether query i sees keys 0 to i only; with a mask, both hold.
        scale: 1 / sqrt(E) when None.
        enable_gqa: whether Hq may be a multiple of H, neighbouring heads of queries sharing a
            head of keys and values (Ainslie et al., GQA, 2023).

    Returns:
        ``(..., Hq, L, Ev)``. With a batch before the heads its memory is laid out
        ``(..., L, Hq, Ev)``, so that joining the heads copies nothing.

    Raises:
        TypeError: the dtypes differ or are not floating, or the mask's is another.
        ValueError: the shapes do not fit, or ``dropout_p`` is outside [0, 1].

    Source: Vaswani et al., Attention is all you need, 2017; Dao et al., FlashAttention, 2022.

    Example:
        >>> q = cr.zeros(1, 2, 3, 4)
        >>> k, v = cr.zeros(1, 2, 2, 4), cr.tensor([[1.0], [3.0]]).expand(1, 2, 2, 1)
        >>> F.scaled_dot_product_attention(q, k, v)[0, 0]
        tensor([[2.],
                [2.],
                [2.]])
    """
    for name, x in (("query", query), ("key", key), ("value", value)):
        if not isinstance(x, Tensor) or not x.is_floating_point() or x.dtype != query.dtype:
            got = [t.dtype if isinstance(t, Tensor) else type(t).__name__ for t in (query, x)]
            raise TypeError(
                f"{_OP}: {name} is {got[1]}, query is {got[0]}; expected floating-point tensors of "
                "one dtype; convert with .to()"
            )
        if x.ndim < 2:
            raise ValueError(
                f"{_OP}: {name} has shape {tuple(x.shape)}; expected at least two dimensions, "
                "(..., length, features)"
            )
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"{_OP}: dropout_p is a probability between 0 and 1 (got {dropout_p})")
    query, key, value = _fitted(query, key, value, enable_gqa)
    if attn_mask is not None:
        attn_mask = _additive(attn_mask, query, key.shape[-2])
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0
    state = _state_of(None) if dropout_p > 0 else None
    out: Tensor = _core._attention(
        query, key, value, attn_mask, state, dropout_p, is_causal, float(scale)
    )[0]
    return out.transpose(-3, -2) if query.ndim >= 4 else out


def _fitted(
    query: Tensor, key: Tensor, value: Tensor, enable_gqa: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Check the shapes and broadcast the leading dimensions."""
    shapes = [tuple(x.shape) for x in (query, key, value)]
    if shapes[0][-1] != shapes[1][-1] or shapes[1][-2] != shapes[2][-2]:
        raise ValueError(
            f"{_OP}: query {shapes[0]}, key {shapes[1]} and value {shapes[2]} do not fit; expected "
            "(..., L, E), (..., S, E) and (..., S, Ev)"
        )
    leads = [shape[:-2] for shape in shapes]
    if leads[0] == leads[1] == leads[2]:
        return query, key, value
    heads: list[tuple[int, ...]] = [()] * 3
    if enable_gqa:
        if min(map(len, leads)) == 0 or leads[1][-1] != leads[2][-1]:
            raise ValueError(
                f"{_OP}: with enable_gqa, key {shapes[1]} and value {shapes[2]} have one number "
                "of heads; expected (..., H, S, E)"
            )
        if leads[1][-1] == 0 or leads[0][-1] % leads[1][-1]:
            raise ValueError(
                f"{_OP}: with enable_gqa, the {leads[0][-1]} heads of query {shapes[0]} are a "
                f"multiple of the {leads[1][-1]} of key {shapes[1]}"
            )
        heads = [lead[-1:] for lead in leads]
        leads = [lead[:-1] for lead in leads]
    try:
        lead = cr.broadcast_shapes(*leads)
    except ValueError as error:
        hint = "" if enable_gqa else "; for shared heads pass enable_gqa=True"
        raise ValueError(
            f"{_OP}: the leading dimensions of query {shapes[0]}, key {shapes[1]} and value "
            f"{shapes[2]} do not broadcast{hint}"
        ) from error
    query, key, value = (
        x.expand(*lead, *head, *x.shape[-2:])
        for x, head in zip((query, key, value), heads, strict=True)
    )
    return query, key, value


def _additive(mask: Tensor, query: Tensor, keys: int) -> Tensor:
    """Return what the mask adds to the scores, expanded to their shape."""
    shape = (*query.shape[:-1], keys)
    if mask.dtype not in (cr.bool, cr.float32, query.dtype):
        raise TypeError(
            f"{_OP}: attn_mask is {mask.dtype}; expected cr.bool, cr.float32 or the query's "
            f"{query.dtype}"
        )
    if mask.dtype == cr.bool:
        mask = cr.where(mask, 0.0, -math.inf)
    if mask.dtype != query.dtype:
        mask = mask.to(query.dtype)
    try:
        return mask.expand(*shape)
    except ValueError as error:
        raise ValueError(
            f"{_OP}: attn_mask has shape {tuple(mask.shape)}; expected one that expands to {shape}"
        ) from error


# -------------------------------------------------------------------- several heads


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Project queries, keys and values, attend with every head, and project the joined result.

    The arguments are those of :class:`MultiheadAttention`, its parameters among them; sequences
    come first: ``(L, N, E)``, or ``(L, E)`` without a batch.

    Args:
        query: ``(L, N, E)``.
        key: ``(S, N, K)``.
        value: ``(S, N, V)``.
        embed_dim_to_check: E.
        num_heads: H, a divisor of E.
        in_proj_weight: ``(3 E, E)``: the projections of queries, keys and values, stacked.
        in_proj_bias: ``(3 E,)``.
        bias_k: ``(1, 1, E)``, a further key of every sequence.
        bias_v: ``(1, 1, E)``, its value.
        add_zero_attn: whether a further key and value of zeros follow.
        dropout_p: the probability with which an attention weight is dropped in training.
        out_proj_weight: ``(E, E)``.
        out_proj_bias: ``(E,)``.
        training: whether ``dropout_p`` counts.
        key_padding_mask: ``(N, S)``: True where a key is hidden, or numbers added to the scores.
        need_weights: whether to return the weights; without them nothing quadratic is stored.
        attn_mask: ``(L, S)`` or ``(N H, L, S)``, of the same kinds.
        use_separate_proj_weight: whether the three matrices below stand for ``in_proj_weight``.
        q_proj_weight: ``(E, E)``.
        k_proj_weight: ``(E, K)``.
        v_proj_weight: ``(E, V)``.
        static_k: ``(N H, S, E / H)`` instead of the projected keys.
        static_v: ``(N H, S, E / H)`` instead of the projected values.
        average_attn_weights: whether the weights are averaged over the heads.
        is_causal: a hint that ``attn_mask`` is the causal mask, which need not be read then.
        batch_first: whether inputs and output are ``(N, L, E)``; not in torch.

    Returns:
        ``(L, N, E)``, and the weights, ``(N, L, S)`` or ``(N, H, L, S)``, or None.

    Raises:
        TypeError: a mask holds integers.
        ValueError: the shapes do not fit, or ``is_causal`` without ``attn_mask``.

    Example:
        >>> x, w = cr.ones(3, 1, 2), cr.eye(2)
        >>> out, weights = F.multi_head_attention_forward(
        ...     x, x, x, 2, 1, cr.cat([w, w, w]), None, None, None, False, 0.0, w, None
        ... )
        >>> weights
        tensor([[[0.3333, 0.3333, 0.3333],
                 [0.3333, 0.3333, 0.3333],
                 [0.3333, 0.3333, 0.3333]]])
    """
    batched = query.ndim == 3
    at, along = (0, 1) if batch_first or not batched else (1, 0)  # of batch and sequence
    _check_heads(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight, at)
    if is_causal and attn_mask is None:
        raise ValueError(
            f"{_HEADS}: is_causal is a hint about attn_mask, which is None; expected the causal "
            "mask, as nn.Transformer.generate_square_subsequent_mask makes it"
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        is_causal = False

    if use_separate_proj_weight:
        if q_proj_weight is None or k_proj_weight is None or v_proj_weight is None:
            raise ValueError(f"{_HEADS}: with use_separate_proj_weight all three weights are given")
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q = _core.linear(query, q_proj_weight, biases[0])
        k = _core.linear(key, k_proj_weight, biases[1])
        v = _core.linear(value, v_proj_weight, biases[2])
    elif in_proj_weight is None:
        raise ValueError(f"{_HEADS}: in_proj_weight is None; expected (3 E, E)")
    else:
        q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias)
    if not batched:
        q, k, v = (x.unsqueeze(0) for x in (q, k, v))

    batch, width = q.shape[at], q.shape[2]
    size = width // num_heads
    extra = 0
    if (bias_k is None) != (bias_v is None):
        raise ValueError(f"{_HEADS}: bias_k and bias_v go together (got only one of them)")
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise ValueError(f"{_HEADS}: bias_k and bias_v do not go with static_k or static_v")
        one = (batch, 1, width) if at == 0 else (1, batch, width)
        k, v = cr.cat([k, bias_k.expand(*one)], along), cr.cat([v, bias_v.expand(*one)], along)
        extra += 1
    # To (N, H, L, E / H), by views.
    q, k, v = (x.unflatten(-1, (num_heads, size)).permute(at, 2, along, 3) for x in (q, k, v))
    k = _static("static_k", static_k, k)
    v = _static("static_v", static_v, v)
    if add_zero_attn:
        zeros = cr.zeros(batch, num_heads, 1, size, dtype=k.dtype)
        k, v = cr.cat([k, zeros], 2), cr.cat([v, zeros], 2)
        extra += 1
    mask = _merged_mask(attn_mask, key_padding_mask, q, k.shape[2], extra)

    dropout_p = dropout_p if training else 0.0
    seen: Tensor | None = None
    if need_weights:
        scores = (q * math.sqrt(1 / size)) @ k.transpose(-2, -1)
        seen = dropout(_core.softmax(scores if mask is None else scores + mask, -1), dropout_p)
        out = seen @ v
        if average_attn_weights:
            seen = seen.mean(1)
        if not batched:
            seen = seen.squeeze(0)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    order = (0, 2, 1, 3) if at == 0 else (2, 0, 1, 3)
    result: Tensor = _core.linear(out.permute(*order).flatten(2), out_proj_weight, out_proj_bias)
    return (result if batched else result.squeeze(0)), seen


_HEADS = "multi_head_attention_forward"


def _check_heads(
    query: Tensor, key: Tensor, value: Tensor, width: int, heads: int, separate: bool, at: int
) -> None:
    shapes = [tuple(x.shape) for x in (query, key, value)]
    if {len(shape) for shape in shapes} not in ({2}, {3}):
        raise ValueError(
            f"{_HEADS}: query, key and value have shapes {shapes[0]}, {shapes[1]} and {shapes[2]}; "
            "expected (L, N, E) for all of them, or (L, E) without a batch"
        )
    if shapes[0][-1] != width:
        raise ValueError(
            f"{_HEADS}: query has {shapes[0][-1]} features (shape {shapes[0]}); expected "
            f"embed_dim={width}"
        )
    if heads < 1 or width % heads:
        raise ValueError(f"{_HEADS}: embed_dim={width} is not divisible by num_heads={heads}")
    end = -1 if separate else None
    if shapes[1][:end] != shapes[2][:end]:
        raise ValueError(
            f"{_HEADS}: key has shape {shapes[1]} and value {shapes[2]}; expected the same length "
            "and batch" + ("" if separate else ", and the same features")
        )
    if len(shapes[0]) == 3 and shapes[0][at] != shapes[1][at]:
        raise ValueError(
            f"{_HEADS}: query has shape {shapes[0]} and key {shapes[1]}; expected one batch size"
        )


def _project(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Project with the stacked matrix, in as few products as there are different inputs."""
    width = query.shape[-1]
    if query is key and key is value:
        return _core.linear(query, weight, bias).chunk(3, -1)
    first, rest = weight.split([width, 2 * width])
    first_bias, rest_bias = (None, None) if bias is None else bias.split([width, 2 * width])
    q: Tensor = _core.linear(query, first, first_bias)
    if key is value:
        return q, *_core.linear(key, rest, rest_bias).chunk(2, -1)
    middle, last = rest.chunk(2)
    biases = (None, None) if rest_bias is None else rest_bias.chunk(2)
    return q, _core.linear(key, middle, biases[0]), _core.linear(value, last, biases[1])


def _static(name: str, given: Tensor | None, projected: Tensor) -> Tensor:
    """Return what was given for the projected heads, (N H, S, E / H), if anything."""
    if given is None:
        return projected
    batch, heads, _, size = projected.shape
    if given.ndim != 3 or given.shape[0] != batch * heads or given.shape[2] != size:
        raise ValueError(
            f"{_HEADS}: {name} has shape {tuple(given.shape)}; expected "
            f"({batch * heads}, S, {size})"
        )
    return given.unflatten(0, (batch, heads))


def _merged_mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor, keys: int, extra: int
) -> Tensor | None:
    """Return the sum of both masks, to be added to scores (N, H, L, S + extra)."""
    batch, heads, length, _ = query.shape
    given = keys - extra
    merged: Tensor | None = None
    shapes: tuple[tuple[int, ...], ...]
    if attn_mask is not None:
        shapes = ((length, given), (batch * heads, length, given))
        merged = _hidden_to_scores("attn_mask", attn_mask, shapes, query.dtype)
        merged = merged if merged.ndim == 2 else merged.unflatten(0, (batch, heads))
    if key_padding_mask is not None:
        shapes = ((batch, given), (given,)) if batch == 1 else ((batch, given),)
        padding = _hidden_to_scores("key_padding_mask", key_padding_mask, shapes, query.dtype)
        padding = padding.reshape(batch, 1, 1, given)
        merged = padding if merged is None else merged + padding
    if merged is not None and extra:
        merged = _core.pad(merged, (0, extra))
    return merged


def _hidden_to_scores(
    name: str, mask: Tensor, shapes: tuple[tuple[int, ...], ...], dtype: cr.dtype
) -> Tensor:
    """Return a mask as numbers to add: -inf where it is True, itself where it holds numbers."""
    if tuple(mask.shape) not in shapes:
        raise ValueError(
            f"{_HEADS}: {name} has shape {tuple(mask.shape)}; expected "
            + " or ".join(str(shape) for shape in shapes)
        )
    if mask.dtype == cr.bool:
        mask = cr.where(mask, -math.inf, 0.0)
    elif not mask.is_floating_point():
        raise TypeError(f"{_HEADS}: {name} is {mask.dtype}; expected cr.bool or a floating dtype")
    return mask.to(dtype)
