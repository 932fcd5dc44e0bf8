"""Attention as functions."""

from __future__ import annotations

import math

import chainrule as cr
from chainrule import Tensor, _core
from chainrule.random import _state_of

__all__ = ["scaled_dot_product_attention"]

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
