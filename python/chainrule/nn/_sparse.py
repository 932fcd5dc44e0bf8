"""Functions of integer inputs: rows of a table, sums of them, and one-hot vectors."""

from __future__ import annotations

import chainrule as cr
from chainrule import Tensor, _core

__all__ = ["embedding", "embedding_bag", "one_hot"]


def _check_integers(op: str, input: Tensor) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(f"{op}: argument 'input' must be a Tensor (got {type(input).__name__})")
    if input.is_floating_point() or input.dtype == cr.bool:
        raise TypeError(f"{op}: the input holds integers (got {input.dtype}); expected cr.int64")


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of a table with the given numbers.

    Args:
        input: any shape, integers in ``[0, V)``.
        weight: ``(V, D)``, floating dtype.
        padding_idx: this row gets no gradient; negative numbers count from the end.
        max_norm: rows that are looked up and longer are first shortened, in place, to this norm.
        norm_type: the exponent of that norm.
        scale_grad_by_freq: divide the gradient of a row by how often it occurs in the input.
        sparse: accepted for ported scripts; only False.

    Returns:
        ``(*input.shape, D)``.

    Raises:
        IndexError: a number is outside ``[0, V)``.
        TypeError: the input does not hold integers.
        ValueError: ``weight`` is not a matrix, ``padding_idx`` is not one of its rows, or
            ``sparse``.

    Example:
        >>> table = cr.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
        >>> F.embedding(cr.tensor([2, 0]), table)
        tensor([[3., 4.],
                [0., 0.]])
    """
    _check_integers("embedding", input)
    padding_idx = _checked_table("embedding", weight, padding_idx, sparse)
    if max_norm is not None:
        with cr.no_grad():
            _shorten(weight, input.reshape(-1), max_norm, norm_type)
    try:
        picked = _core._embedding(weight, input, -1 if padding_idx is None else padding_idx)
    except IndexError as error:
        raise IndexError(
            f"embedding: the input holds numbers from {int(input.min().item())} to "
            f"{int(input.max().item())}; expected at least 0 and below {weight.shape[0]}, the rows "
            "of weight"
        ) from error
    if scale_grad_by_freq and picked.requires_grad:
        places = input.reshape(-1)
        shares = _frequencies(weight, places).index_select(0, places).reshape(*input.shape, 1)
        picked.register_hook(lambda grad: grad / shares)
    return picked


def _checked_table(op: str, weight: Tensor, padding_idx: int | None, sparse: bool) -> int | None:
    """Check the arguments that functions of a table share; return a padding_idx of at least 0."""
    if weight.ndim != 2:
        raise ValueError(
            f"{op}: weight is not a matrix (got shape {tuple(weight.shape)}); expected (V, D)"
        )
    if sparse:
        raise ValueError(f"{op}: sparse=True is not offered; gradients are dense tensors")
    rows = weight.shape[0]
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"{op}: padding_idx is a row of {rows} (got {padding_idx})")
    return padding_idx % rows


def _frequencies(weight: Tensor, places: Tensor) -> Tensor:
    """Return how often each row of the table is looked up."""
    ones = cr.ones(places.numel(), dtype=weight.dtype)
    return cr.zeros(weight.shape[0], dtype=weight.dtype).index_add(0, places, ones)


def _shorten(weight: Tensor, places: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the given rows down to ``max_norm``, in place."""
    picked = weight.index_select(0, places)
    norms = picked.norm(norm_type, 1, keepdim=True)
    scaled = picked * (max_norm / (norms + 1e-7))
    weight.index_put_([places], cr.where(norms > max_norm, scaled, picked))


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return sums, means or maxima of rows of a table, a bag of them at a time.

    As :func:`embedding` followed by ``sum``, ``mean`` or ``amax`` along each bag, in one pass
    without an array of all the rows. A bag of nothing gives zeros.

    Args:
        input: ``(B, N)``, B bags of N numbers, or ``(n,)``, cut by ``offsets``; integers in
            ``[0, V)``.
        weight: ``(V, D)``, floating dtype.
        offsets: ``(B,)``, where each bag of a vector begins; ascending from 0.
        max_norm: rows that are looked up and longer are first shortened, in place, to this norm.
        norm_type: the exponent of that norm.
        scale_grad_by_freq: divide the gradient of a row by how often it occurs in the input; not
            for ``"max"``.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        sparse: accepted for ported scripts; only False.
        per_sample_weights: a factor for every number, of the input's shape and the weight's dtype;
            for ``"sum"`` only.
        include_last_offset: whether ``offsets`` has one more entry, the end of the last bag.
        padding_idx: this row counts for nothing and gets no gradient; negative numbers count from
            the end.

    Returns:
        ``(B, D)``.

    Raises:
        IndexError: a number is outside ``[0, V)``.
        TypeError: the input or the offsets do not hold integers.
        ValueError: the shapes or offsets do not fit, an unknown mode, or one that an option is
            not for.

    Example:
        >>> table = cr.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
        >>> F.embedding_bag(cr.tensor([2, 1, 1]), table, cr.tensor([0, 2]), mode="sum")
        tensor([[4., 6.],
                [1., 2.]])
    """
    op = "embedding_bag"
    _check_integers(op, input)
    padding_idx = _checked_table(op, weight, padding_idx, sparse)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{op}: mode={mode!r}; expected 'sum', 'mean' or 'max'")
    if scale_grad_by_freq and mode == "max":
        raise ValueError(f"{op}: scale_grad_by_freq is for mode='sum' and 'mean' (got 'max')")
    if per_sample_weights is not None:
        if mode != "sum":
            raise ValueError(f"{op}: per_sample_weights are for mode='sum' (got {mode!r})")
        if per_sample_weights.shape != input.shape or per_sample_weights.dtype != weight.dtype:
            raise ValueError(
                f"{op}: per_sample_weights has shape {tuple(per_sample_weights.shape)} and dtype "
                f"{per_sample_weights.dtype}; expected the input's {tuple(input.shape)} and the "
                f"weight's {weight.dtype}"
            )
    _check_bags(input, offsets, include_last_offset)
    if max_norm is not None:
        with cr.no_grad():
            _shorten(weight, input.reshape(-1), max_norm, norm_type)
    if scale_grad_by_freq and weight.requires_grad and cr.is_grad_enabled():
        shares = _frequencies(weight, input.reshape(-1)).clamp_min(1).unsqueeze(1)
        weight = weight.view(*weight.shape)
        weight.register_hook(lambda grad: grad / shares)
    padding = -1 if padding_idx is None else padding_idx
    open_end = not include_last_offset
    if mode == "max":
        largest: Tensor = _core._embedding_bag_max(
            weight, input, offsets, padding, False, open_end
        )[0]
        return largest
    return _core._embedding_bag(
        weight, input, offsets, per_sample_weights, padding, mode == "mean", open_end
    )


def _check_bags(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> None:
    """Check that the input is rows, or a vector that offsets cut."""
    op = "embedding_bag"
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(f"{op}: offsets go with a vector (got input of shape {input.shape})")
        return
    if input.ndim != 1 or offsets is None or offsets.ndim != 1:
        got = None if offsets is None else tuple(offsets.shape)
        raise ValueError(
            f"{op}: got input of shape {tuple(input.shape)} and offsets {got}; expected (B, N), or "
            "a vector and a vector of offsets"
        )
    if offsets.is_floating_point() or offsets.dtype == cr.bool:
        raise TypeError(f"{op}: offsets hold integers (got {offsets.dtype}); expected cr.int64")
    if include_last_offset and offsets.shape[0] == 0:
        raise ValueError(f"{op}: with include_last_offset, offsets has at least one entry (got 0)")


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Return vectors of zeros with a one at the given class.

    Args:
        input: any shape, integers in ``[0, C)``.
        num_classes: C; -1 for the largest number plus one.

    Returns:
        ``(*input.shape, C)``, int64.

    Raises:
        IndexError: a number is outside ``[0, C)``.
        TypeError: the input does not hold integers.
        ValueError: ``num_classes`` is neither -1 nor positive, or -1 when the input is empty.

    Example:
        >>> F.one_hot(cr.tensor([2, 0]))
        tensor([[0, 0, 1],
                [1, 0, 0]])
    """
    _check_integers("one_hot", input)
    if num_classes < 1 and num_classes != -1:
        raise ValueError(f"one_hot: num_classes is positive, or -1 to infer (got {num_classes})")
    if input.numel() == 0:
        if num_classes == -1:
            raise ValueError(
                f"one_hot: an empty input (shape {tuple(input.shape)}) has no largest number; "
                "expected num_classes"
            )
        return cr.zeros(*input.shape, num_classes, dtype=cr.int64)
    low, high = int(input.min().item()), int(input.max().item())
    classes = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= classes:
        raise IndexError(
            f"one_hot: the input holds numbers from {low} to {high}; expected at least 0"
            + ("" if num_classes == -1 else f" and below num_classes={num_classes}")
        )
    zeros = cr.zeros(*input.shape, classes, dtype=cr.int64)
    return zeros.scatter_(-1, input.to(cr.int64).unsqueeze(-1), 1)
