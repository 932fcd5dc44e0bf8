"""Tables of vectors."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module[..., Tensor]):
    """What Embedding and EmbeddingBag share: their vectors."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Tensor | None,
        freeze: bool,
        device: Any,
        dtype: cr.dtype | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if sparse:
            raise ValueError(f"{name}: sparse=True is not offered; gradients are dense tensors")
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"{name}: padding_idx is a number of {num_embeddings} vectors (got {padding_idx})"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        size = (num_embeddings, embedding_dim)
        if weight is None:
            empty = cr.empty(*size, device=device, dtype=dtype)
            self.weight = Parameter(empty, requires_grad=not freeze)
            self.reset_parameters()
        else:
            if tuple(weight.shape) != size:
                raise ValueError(
                    f"{name}: _weight has shape {tuple(weight.shape)}; expected {size}"
                )
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw the vectors afresh; the one of ``padding_idx`` is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with cr.no_grad():
                self.weight[self.padding_idx] = 0.0

    def _text(self, *options: tuple[str, Any]) -> str:
        """Return the sizes, and the arguments that differ from the given defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in options:
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)!r}"
        return text


def _check_vectors(name: str, embeddings: Tensor) -> None:
    if embeddings.ndim != 2:
        raise ValueError(
            f"{name}.from_pretrained: the vectors are not a matrix "
            f"(got shape {tuple(embeddings.shape)}); expected (V, D)"
        )


class Embedding(_Table):
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
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, _weight, _freeze, device, dtype,
        )  # fmt: skip

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
        return self._text(
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2.0),
            ("scale_grad_by_freq", False),
        )

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
        _check_vectors("Embedding", embeddings)
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


class EmbeddingBag(_Table):
    """Look bags of vectors up by number and return each bag's sum, mean or maximum.

    Args:
        num_embeddings: how many vectors there are, V.
        embedding_dim: their size, D.
        max_norm: vectors that are looked up and longer are first shortened, in place, to this norm.
        norm_type: the exponent of that norm.
        scale_grad_by_freq: divide the gradient of a vector by how often it occurs in the input;
            not for ``"max"``.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        sparse: accepted for ported scripts; only False.
        _weight: ``(V, D)``, the vectors instead of random ones.
        include_last_offset: whether offsets have one more entry, the end of the last bag.
        padding_idx: the vector with this number starts at zero, counts for nothing and gets no
            gradient; negative numbers count from the end.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the vectors; None for the default dtype.

    Shape:
        input ``(B, N)``, or ``(n,)`` with offsets ``(B,)``, of integers; output ``(B, D)``.

    Attributes:
        weight: ``(V, D)``, drawn from N(0, 1).

    Raises:
        ValueError: ``padding_idx`` is not a vector's number, ``_weight`` has another shape, or
            ``sparse``; when called, see :func:`chainrule.nn.functional.embedding_bag`.
        IndexError: when called with a number outside ``[0, V)``.

    Example:
        >>> words = cr.nn.EmbeddingBag(1000, 16, mode="sum")
        >>> words(cr.tensor([5, 999, 1, 2, 3]), cr.tensor([0, 2])).shape
        (2, 16)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f"EmbeddingBag: mode={mode!r}; expected 'sum', 'mean' or 'max'")
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, _weight, False, device, dtype,
        )  # fmt: skip
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        """Return one vector for every bag.

        Args:
            input: ``(B, N)``, or ``(n,)`` with offsets.
            offsets: ``(B,)``, where each bag of a vector begins.
            per_sample_weights: a factor for every number, of the input's shape; for ``"sum"``.
        """
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return the sizes, the mode, and the other arguments that differ from their defaults."""
        return self._text(
            ("max_norm", None),
            ("norm_type", 2.0),
            ("scale_grad_by_freq", False),
            ("mode", None),
            ("padding_idx", None),
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Return an EmbeddingBag with the given vectors.

        Args:
            embeddings: ``(V, D)``; shared, not copied.
            freeze: whether they stay as they are.
            max_norm: see :class:`EmbeddingBag`.
            norm_type: see :class:`EmbeddingBag`.
            scale_grad_by_freq: see :class:`EmbeddingBag`.
            mode: see :class:`EmbeddingBag`.
            sparse: see :class:`EmbeddingBag`.
            include_last_offset: see :class:`EmbeddingBag`.
            padding_idx: this vector counts for nothing and gets no gradient.

        Raises:
            ValueError: ``embeddings`` is not a matrix.

        Example:
            >>> table = cr.tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> cr.nn.EmbeddingBag.from_pretrained(table)(cr.tensor([[0, 1]]))
            tensor([[2., 3.]])
        """
        _check_vectors("EmbeddingBag", embeddings)
        bag = cls(
            embeddings.shape[0],
            embeddings.shape[1],
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        bag.weight.requires_grad_(not freeze)
        return bag
