"""Functions of integer inputs: rows of a table, and one-hot vectors."""

from __future__ import annotations

import chainrule as cr
from chainrule import Tensor

__all__ = ["embedding", "one_hot"]


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
    if weight.ndim != 2:
        raise ValueError(
            f"embedding: weight is not a matrix (got shape {tuple(weight.shape)}); expected (V, D)"
        )
    if sparse:
        raise ValueError("embedding: sparse=True is not offered; gradients are dense tensors")
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"embedding: padding_idx is a row of {rows} (got {padding_idx})")
    places = input.reshape(-1)
    if max_norm is not None:
        with cr.no_grad():
            _shorten(weight, places, max_norm, norm_type)
    try:
        picked = weight.index_select(0, places)
    except IndexError as error:
        raise IndexError(
            f"embedding: the input holds numbers from {int(input.min().item())} to "
            f"{int(input.max().item())}; expected at least 0 and below {rows}, the rows of weight"
        ) from error
    if picked.requires_grad and scale_grad_by_freq:
        counts = cr.zeros(rows, dtype=weight.dtype)
        counts = counts.index_add(0, places, cr.ones(places.numel(), dtype=weight.dtype))
        shares = counts.index_select(0, places).unsqueeze(1)
        picked.register_hook(lambda grad: grad / shares)
    if picked.requires_grad and padding_idx is not None:
        padding = (places == padding_idx % rows).unsqueeze(1)
        picked.register_hook(lambda grad: grad.masked_fill(padding, 0.0))
    return picked.reshape(*input.shape, weight.shape[1])


def _shorten(weight: Tensor, places: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the given rows down to ``max_norm``, in place."""
    picked = weight.index_select(0, places)
    norms = picked.norm(norm_type, 1, keepdim=True)
    scaled = picked * (max_norm / (norms + 1e-7))
    weight.index_put_([places], cr.where(norms > max_norm, scaled, picked))


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
