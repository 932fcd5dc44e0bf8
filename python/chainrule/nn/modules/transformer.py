"""The transformer: layers of attention and of a small network, stacked."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Tensor], Tensor]


def _activation(layer: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise ValueError(
            f"{layer}: activation={activation!r}; expected 'relu', 'gelu' or a function"
        )
    return F.relu if activation == "relu" else F.gelu


def _square_subsequent_mask(size: int, dtype: cr.dtype | None = None) -> Tensor:
    return cr.full((size, size), -math.inf, dtype=dtype).triu(1)


def _is_causal(mask: Tensor | None, hint: bool | None) -> bool:
    """Whether a mask is the causal one: as the hint says, or by comparison where there is none."""
    if hint is not None or mask is None:
        return hint is True
    size = mask.shape[-1]
    if tuple(mask.shape) != (size, size):
        return False
    if mask.dtype == cr.bool:
        return cr.equal(mask, cr.ones(size, size, dtype=cr.bool).triu(1))
    return cr.equal(mask, _square_subsequent_mask(size, mask.dtype))


class _Layer(Module[..., Tensor]):
    """What encoder and decoder layers share: self-attention first and the small network last."""

    self_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Activation,
        layer_norm_eps: float,
        batch_first: bool,
        norm_first: bool,
        bias: bool,
        device: Any,
        dtype: cr.dtype | None,
        attentions: tuple[str, ...],
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        for name in attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout=dropout, batch_first=batch_first, **options
            )
            self.add_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        steps = range(1, len(attentions) + 2)
        for i in steps:
            self.add_module(f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, **options))
        for i in steps:
            self.add_module(f"dropout{i}", Dropout(dropout))
        self.activation = _activation(type(self).__name__, activation)

    def _step(self, number: int, x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        """Add a block's result to its input, normalized before or after."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        if self.norm_first:
            x = x + dropout(block(norm(x)))
        else:
            x = norm(x + dropout(block(x)))
        return x

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention and a network of two layers, each with a residual path and a normalization.

    Args:
        d_model: E, the size of the vectors.
        nhead: the number of heads, a divisor of E.
        dim_feedforward: the size between the two layers.
        dropout: the probability of all dropouts.
        activation: between the two layers: ``"relu"``, ``"gelu"``, or a function or module.
        layer_norm_eps: added to the variance by the normalizations.
        batch_first: whether inputs and output are ``(N, S, E)``.
        norm_first: whether each block's input is normalized rather than its sum.
        bias: whether projections, layers and normalizations have biases.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(S, N, E)``, ``(N, S, E)`` when ``batch_first``, or ``(S, E)``; output the same.

    Raises:
        ValueError: ``nhead`` does not divide ``d_model``, or an unknown activation.

    Source: Vaswani et al., 2017; ``norm_first``: Xiong et al., 2020.

    Example:
        >>> layer = cr.nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, batch_first=True)
        >>> layer(cr.randn(2, 5, 16)).shape
        (2, 5, 16)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype, ("self_attn",),
        )  # fmt: skip

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the layer's result.

        Args:
            src: ``(S, N, E)``; see the class for other layouts.
            src_mask: ``(S, S)`` or ``(N H, S, S)``: True where a key is hidden, or numbers added
                to the scores.
            src_key_padding_mask: ``(N, S)``, of the same kinds.
            is_causal: a hint that ``src_mask`` is the causal mask.
        """
        options: dict[str, Any] = {
            "key_padding_mask": src_key_padding_mask,
            "need_weights": False,
            "attn_mask": src_mask,
            "is_causal": is_causal,
        }
        x = self._step(1, src, lambda x: self.self_attn(x, x, x, **options)[0])
        return self._step(2, x, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """An encoder layer with attention to another sequence, the memory, between its two blocks.

    Args:
        d_model: E, the size of the vectors.
        nhead: the number of heads, a divisor of E.
        dim_feedforward: the size between the two layers.
        dropout: the probability of all dropouts.
        activation: between the two layers: ``"relu"``, ``"gelu"``, or a function or module.
        layer_norm_eps: added to the variance by the normalizations.
        batch_first: whether inputs and output are ``(N, T, E)``.
        norm_first: whether each block's input is normalized rather than its sum.
        bias: whether projections, layers and normalizations have biases.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        target ``(T, N, E)``, memory ``(S, N, E)``, with the batch first when ``batch_first``, or
        both without N; output as the target.

    Raises:
        ValueError: ``nhead`` does not divide ``d_model``, or an unknown activation.

    Source: Vaswani et al., 2017; ``norm_first``: Xiong et al., 2020.

    Example:
        >>> layer = cr.nn.TransformerDecoderLayer(16, 4, dim_feedforward=32, batch_first=True)
        >>> layer(cr.randn(2, 3, 16), cr.randn(2, 5, 16)).shape
        (2, 3, 16)
    """

    multihead_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype, ("self_attn", "multihead_attn"),
        )  # fmt: skip

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the layer's result.

        Args:
            tgt: ``(T, N, E)``; see the class for other layouts.
            memory: ``(S, N, E)``, what the encoder made.
            tgt_mask: ``(T, T)`` or ``(N H, T, T)``: True where a key is hidden, or numbers added
                to the scores.
            memory_mask: ``(T, S)`` or ``(N H, T, S)``, of the same kinds.
            tgt_key_padding_mask: ``(N, T)``, of the same kinds.
            memory_key_padding_mask: ``(N, S)``, of the same kinds.
            tgt_is_causal: a hint that ``tgt_mask`` is the causal mask.
            memory_is_causal: a hint that ``memory_mask`` is the causal mask.
        """
        own: dict[str, Any] = {
            "key_padding_mask": tgt_key_padding_mask,
            "need_weights": False,
            "attn_mask": tgt_mask,
            "is_causal": tgt_is_causal,
        }
        other: dict[str, Any] = {
            "key_padding_mask": memory_key_padding_mask,
            "need_weights": False,
            "attn_mask": memory_mask,
            "is_causal": memory_is_causal,
        }
        x = self._step(1, tgt, lambda x: self.self_attn(x, x, x, **own)[0])
        x = self._step(2, x, lambda x: self.multihead_attn(x, memory, memory, **other)[0])
        return self._step(3, x, self._feed_forward)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoder(Module[..., Tensor]):
    """A stack of encoder layers.

    Args:
        encoder_layer: the layer; every place gets a copy of it.
        num_layers: how many.
        norm: a last normalization, or None.
        enable_nested_tensor: accepted for ported scripts. There are no nested tensors: padded
            places are computed like all others, where torch in evaluation may leave zeros.
        mask_check: accepted for ported scripts.

    Shape:
        as the layer's.

    Example:
        >>> layer = cr.nn.TransformerEncoderLayer(16, 4, dim_feedforward=32)
        >>> encoder = cr.nn.TransformerEncoder(layer, num_layers=2)
        >>> encoder(cr.randn(5, 2, 16)).shape
        (5, 2, 16)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Pass ``src`` through the layers.

        Args:
            src: the sequence.
            mask: as the layer's ``src_mask``.
            src_key_padding_mask: as the layer's.
            is_causal: whether ``mask`` is the causal one; None to compare.
        """
        is_causal = _is_causal(mask, is_causal)
        for layer in self.layers:
            src = layer(
                src, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask
            )
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module[..., Tensor]):
    """A stack of decoder layers.

    Args:
        decoder_layer: the layer; every place gets a copy of it.
        num_layers: how many.
        norm: a last normalization, or None.

    Shape:
        as the layer's.

    Example:
        >>> layer = cr.nn.TransformerDecoderLayer(16, 4, dim_feedforward=32)
        >>> decoder = cr.nn.TransformerDecoder(layer, num_layers=2)
        >>> decoder(cr.randn(3, 2, 16), cr.randn(5, 2, 16)).shape
        (3, 2, 16)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Pass ``tgt`` through the layers, each of which sees ``memory``.

        Args:
            tgt: the sequence.
            memory: what the encoder made.
            tgt_mask: as the layer's.
            memory_mask: as the layer's.
            tgt_key_padding_mask: as the layer's.
            memory_key_padding_mask: as the layer's.
            tgt_is_causal: whether ``tgt_mask`` is the causal one; None to compare.
            memory_is_causal: whether ``memory_mask`` is the causal one.
        """
        tgt_is_causal = _is_causal(tgt_mask, tgt_is_causal)
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module[..., Tensor]):
    """An encoder, and a decoder that sees what it made.

    Args:
        d_model: E, the size of the vectors.
        nhead: the number of heads, a divisor of E.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dim_feedforward: the size within the layers' networks.
        dropout: the probability of all dropouts.
        activation: ``"relu"``, ``"gelu"``, or a function or module.
        custom_encoder: a module instead of the encoder.
        custom_decoder: a module instead of the decoder.
        layer_norm_eps: added to the variance by the normalizations.
        batch_first: whether inputs and output are ``(N, S, E)``.
        norm_first: whether each block's input is normalized rather than its sum.
        bias: whether projections, layers and normalizations have biases.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        source ``(S, N, E)``, target ``(T, N, E)``, with the batch first when ``batch_first``, or
        both without N; output as the target.

    Attributes:
        encoder: a :class:`TransformerEncoder` with a last LayerNorm.
        decoder: a :class:`TransformerDecoder` with one. All matrices start Xavier uniform.

    Raises:
        ValueError: ``nhead`` does not divide ``d_model``, or an unknown activation; when called,
            if the batches differ or the vectors are not of size ``d_model``.

    Source: Vaswani et al., Attention is all you need, 2017.

    Example:
        >>> model = cr.nn.Transformer(16, 4, 1, 1, dim_feedforward=32)
        >>> causal = model.generate_square_subsequent_mask(3)
        >>> model(cr.randn(5, 2, 16), cr.randn(3, 2, 16), tgt_mask=causal).shape
        (3, 2, 16)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        layer = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip
        norm: dict[str, Any] = {
            "eps": layer_norm_eps,
            "bias": bias,
            "device": device,
            "dtype": dtype,
        }
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*layer), num_encoder_layers, LayerNorm(d_model, **norm)
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*layer), num_decoder_layers, LayerNorm(d_model, **norm)
        )
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        """Draw all matrices afresh."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Encode ``src`` and decode ``tgt`` before it.

        Args:
            src: ``(S, N, E)``; see the class for other layouts.
            tgt: ``(T, N, E)``.
            src_mask: ``(S, S)`` or ``(N H, S, S)``: True where a key is hidden, or numbers added
                to the scores.
            tgt_mask: ``(T, T)`` or ``(N H, T, T)``, of the same kinds.
            memory_mask: ``(T, S)`` or ``(N H, T, S)``, of the same kinds.
            src_key_padding_mask: ``(N, S)``, of the same kinds.
            tgt_key_padding_mask: ``(N, T)``, of the same kinds.
            memory_key_padding_mask: ``(N, S)``, of the same kinds.
            src_is_causal: whether ``src_mask`` is the causal one; None to compare.
            tgt_is_causal: whether ``tgt_mask`` is; None to compare.
            memory_is_causal: whether ``memory_mask`` is.
        """
        shapes = tuple(src.shape), tuple(tgt.shape)
        batch = 0 if self.batch_first else 1
        if (
            any(shape[-1:] != (self.d_model,) for shape in shapes)
            or len(shapes[0]) != len(shapes[1])
            or (len(shapes[0]) == 3 and shapes[0][batch] != shapes[1][batch])
        ):
            layout = "(N, length, " if self.batch_first else "(length, N, "
            raise ValueError(
                f"src has shape {shapes[0]} and tgt {shapes[1]}; expected both "
                f"{layout}{self.d_model}) with one N, or without it"
            )
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        decoded: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return decoded

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Any = None, dtype: cr.dtype | None = None
    ) -> Tensor:
        """Return the causal mask: -inf above the diagonal, 0 elsewhere.

        Args:
            sz: its size.
            device: ``"cpu"`` or None.
            dtype: floating; None for the default dtype.

        Example:
            >>> cr.nn.Transformer.generate_square_subsequent_mask(2)
            tensor([[0., -inf],
                    [0., 0.]])
        """
        return _square_subsequent_mask(sz, dtype)
