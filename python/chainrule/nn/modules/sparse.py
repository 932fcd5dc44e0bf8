"""Tables of vectors."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["Embedding"]


class Embedding(Module[[Tensor], Tensor]):
    """Look vectors up by number: the first layer of models of words.

    Args:
        num_embeddings: how many vectors there are, V.
        embedding_dim: their size, D.
        padding_idx: the vector with this number starts at zero and gets no gradient; negative
            numbers count from the end.
        max_norm: vectors that are looked up and longer are first shortened, in place, to this norm.
        norm_type: the exponent of that norm.
        scale_grad_by_freq: divide the gradient of a vector by how often it occurs in the input.
        sparse: accepted for ported scripts; only False.
        _weight: ``(V, D)``, the vectors instead of random ones.
        _freeze: whether they stay as they are.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the vectors; None for the default dtype.

    Shape:
        input ``(*)`` of integers, output ``(*, D)``.

    Attributes:
        weight: ``(V, D)``, drawn from N(0, 1).

    Raises:
        ValueError: ``padding_idx`` is not a vector's number, ``_weight`` has another shape, or
            ``sparse``.
        IndexError: when called with a number outside ``[0, V)``.

    Example:
        >>> words = cr.nn.Embedding(1000, 16, padding_idx=0)
        >>> words(cr.tensor([[5, 999, 0], [1, 0, 0]])).shape
        (2, 3, 16)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        if sparse:
            raise ValueError("Embedding: sparse=True is not offered; gradients are dense tensors")
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"Embedding: padding_idx is a number of {num_embeddings} vectors "
                f"(got {padding_idx})"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        size = (num_embeddings, embedding_dim)
        if _weight is None:
            empty = cr.empty(*size, device=device, dtype=dtype)
            self.weight = Parameter(empty, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != size:
                raise ValueError(
                    f"Embedding: _weight has shape {tuple(_weight.shape)}; expected {size}"
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw the vectors afresh; the one of ``padding_idx`` is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with cr.no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        """Return the vectors with the given numbers."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """Return the sizes, and the other arguments that differ from their defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2.0),
            ("scale_grad_by_freq", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Return an Embedding with the given vectors.

        Args:
            embeddings: ``(V, D)``; shared, not copied.
            freeze: whether they stay as they are.
            padding_idx: this vector gets no gradient.
            max_norm: see :class:`Embedding`.
            norm_type: see :class:`Embedding`.
            scale_grad_by_freq: see :class:`Embedding`.
            sparse: see :class:`Embedding`.

        Raises:
            ValueError: ``embeddings`` is not a matrix.

        Example:
            >>> table = cr.tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> cr.nn.Embedding.from_pretrained(table)(cr.tensor([1]))
            tensor([[3., 4.]])
        """
        if embeddings.ndim != 2:
            raise ValueError(
                f"Embedding.from_pretrained: the vectors are not a matrix "
                f"(got shape {tuple(embeddings.shape)}); expected (V, D)"
            )
        return cls(
            embeddings.shape[0],
            embeddings.shape[1],
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )
