"""Recurrent layers."""

from __future__ import annotations

import math
import warnings
from typing import Any

import chainrule as cr
from chainrule import Tensor, _core

from .. import functional as F
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from .module import Module
from .rnn_cell import check_nonlinearity

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}

# h_n, or (h_n, c_n) for LSTM.
State = Any


def _is_probability(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


class RNNBase(Module[..., Any]):
    """What RNN, LSTM and GRU share: parameters, shapes and the stack of layers.

    Args:
        mode: ``"RNN_TANH"``, ``"RNN_RELU"``, ``"LSTM"`` or ``"GRU"``.
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
            device, dtype, recurrent_dropout, orthogonal: see :class:`LSTM`.

    Raises:
        ValueError: a size that is not positive, or a dropout outside [0, 1].

    Example:
        >>> isinstance(cr.nn.LSTM(3, 4), cr.nn.RNNBase)
        True
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        orthogonal: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if mode not in _GATES:
            raise ValueError(f"{name}: mode is one of {', '.join(_GATES)} (got {mode!r})")
        for argument, value in (("hidden_size", hidden_size), ("num_layers", num_layers)):
            if isinstance(value, bool) or not isinstance(value, int):
                kind = type(value).__name__
                raise TypeError(f"{name}: {argument} is an int (got {value!r} of type {kind})")
            if value <= 0:
                raise ValueError(f"{name}: {argument} is positive (got {value})")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError(
                f"{name}: proj_size is below hidden_size, 0 for none "
                f"(got proj_size={proj_size}, hidden_size={hidden_size})"
            )
        if proj_size and mode != "LSTM":
            raise ValueError(f"{name}: proj_size is for LSTM (got proj_size={proj_size})")
        for argument, p in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not _is_probability(p):
                raise ValueError(f"{name}: {argument} is a probability between 0 and 1 (got {p})")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{name}: dropout acts between layers and there is one "
                f"(got dropout={dropout}, num_layers=1)",
                stacklevel=3,
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.recurrent_dropout = float(recurrent_dropout)
        self.orthogonal = orthogonal

        directions = 2 if bidirectional else 1
        state_size = proj_size or hidden_size
        rows = _GATES[mode] * hidden_size
        # By layer and direction: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr.
        self._names: list[list[str]] = []
        for layer in range(num_layers):
            columns = input_size if layer == 0 else state_size * directions
            for suffix in ("", "_reverse")[:directions]:
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, columns),
                    "weight_hh": (rows, state_size),
                }
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = {kind: f"{kind}_l{layer}{suffix}" for kind in shapes}
                for kind, shape in shapes.items():
                    setattr(
                        self, names[kind], Parameter(cr.empty(*shape, device=device, dtype=dtype))
                    )
                self._names.append(list(names.values()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-k, k) with k = 1 / sqrt(hidden_size).

        With ``orthogonal``, each gate's square of ``weight_hh`` is an orthogonal matrix.
        """
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)
        if self.orthogonal:
            for name, parameter in self.named_parameters():
                if name.startswith("weight_hh"):
                    with cr.no_grad():
                        for gate in parameter.split(self.hidden_size):
                            init.orthogonal_(gate)

    def flatten_parameters(self) -> None:
        """Do nothing: weights need no special place in memory. For code written for torch."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters by layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    # ---------------------------------------------------------------- shapes

    def _state_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _check_input(self, input: Tensor) -> None:
        if input.shape[-1] != self.input_size:
            raise ValueError(
                f"input and weight_ih_l0 differ in features (got {tuple(input.shape)} and "
                f"{tuple(self.all_weights[0][0].shape)}); expected input.shape[-1] == "
                f"{self.input_size}"
            )

    def _check_state(self, name: str, state: Any, batch: int, size: int) -> None:
        if not isinstance(state, Tensor):
            raise TypeError(f"{name} is a Tensor (got {type(state).__name__})")
        expected = (self.num_layers * (2 if self.bidirectional else 1), batch, size)
        if tuple(state.shape) != expected:
            raise ValueError(
                f"{name} has shape {tuple(state.shape)}; expected {expected}: "
                "(num_layers * directions, batch, size)"
            )

    def _initial(self, hx: State, input: Tensor, batch: int) -> tuple[Tensor, Tensor | None]:
        """Return h0 and c0 (LSTM) of shape (layers * directions, batch, size)."""
        lstm = self.mode == "LSTM"
        count = self.num_layers * (2 if self.bidirectional else 1)
        if hx is None:
            h0 = cr.zeros(count, batch, self._state_size(), dtype=input.dtype)
            if not lstm:
                return h0, None
            if not self.proj_size:
                return h0, h0
            return h0, cr.zeros(count, batch, self.hidden_size, dtype=input.dtype)
        if not lstm:
            self._check_state("hx", hx, batch, self._state_size())
            return hx, None
        if not isinstance(hx, (tuple, list)) or len(hx) != 2:
            raise TypeError(f"hx is a pair (h_0, c_0) (got {type(hx).__name__})")
        self._check_state("h_0", hx[0], batch, self._state_size())
        self._check_state("c_0", hx[1], batch, self.hidden_size)
        return hx[0], hx[1]

    # ---------------------------------------------------------------- forward

    def forward(
        self, input: Tensor | PackedSequence, hx: State = None, *, lengths: Any = None
    ) -> tuple[Any, State]:
        """Return the outputs of the last layer and the final states.

        Args:
            input: ``(steps, batch, input_size)``, ``(batch, steps, input_size)`` with
                ``batch_first``, ``(steps, input_size)`` without a batch, or a PackedSequence.
            hx: the initial state ``(layers * directions, batch, size)``, a pair of them for LSTM;
                zeros when None.
            lengths: of each sample: steps beyond it are not looked at, and 0 in the output.

        Returns:
            ``output, h_n`` or, for LSTM, ``output, (h_n, c_n)``.

        Raises:
            ValueError: shapes that do not fit the layer, lengths beyond the steps or below 1.
            TypeError: a state of another kind.
        """
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError("a PackedSequence has its lengths; expected lengths=None")
            data, hx = self._forward_packed(input, hx)
            return input._with(data), hx
        if not isinstance(input, Tensor):
            raise TypeError(f"input is a Tensor or a PackedSequence (got {type(input).__name__})")
        if input.ndim not in (2, 3):
            raise ValueError(
                f"got input of shape {tuple(input.shape)}; expected 3 dimensions, or 2 without a "
                "batch"
            )
        self._check_input(input)
        if lengths is not None:
            if input.ndim != 3:
                raise ValueError("lengths need a batch (got an input without one)")
            packed = pack_padded_sequence(input, lengths, self.batch_first, enforce_sorted=False)
            data, hx = self._forward_packed(packed, hx)
            steps = input.shape[1 if self.batch_first else 0]
            padded = pad_packed_sequence(packed._with(data), self.batch_first, total_length=steps)
            return padded[0], hx
        if input.ndim == 2:
            output, hx = self._forward_batch(input.unsqueeze(1), _map(hx, _add_batch))
            return output.squeeze(1), _map(hx, lambda state: state.squeeze(1))
        if not self.batch_first:
            return self._forward_batch(input, hx)
        output, hx = self._forward_batch(input.transpose(0, 1), hx)
        return output.transpose(0, 1), hx

    def _forward_batch(self, input: Tensor, hx: State) -> tuple[Tensor, State]:
        return self._layers(input, None, *self._initial(hx, input, input.shape[1]))

    def _forward_packed(self, input: PackedSequence, hx: State) -> tuple[Tensor, State]:
        data, batch_sizes, order, inverse = input
        if data.ndim != 2:
            raise ValueError(
                f"got packed data of shape {tuple(data.shape)}; expected (rows, {self.input_size})"
            )
        self._check_input(data)
        batch = int(batch_sizes[0]) if len(batch_sizes) else 0
        h0, c0 = self._initial(hx, data, batch)
        if hx is not None and order is not None:
            h0, c0 = (_map(state, lambda s: s.index_select(1, order)) for state in (h0, c0))
        output, hx = self._layers(data, batch_sizes, h0, c0)
        if inverse is not None:
            hx = _map(hx, lambda state: state.index_select(1, inverse))
        return output, hx

    def _layers(
        self, input: Tensor, batch_sizes: Tensor | None, h0: Tensor, c0: Tensor | None
    ) -> tuple[Tensor, State]:
        """Run all layers over (steps, batch, features) or packed rows."""
        directions = 2 if self.bidirectional else 1
        mode = self.mode.lower()
        h_n, c_n = [], []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                input = F.dropout(input, self.dropout)
            outputs = []
            for direction in range(directions):
                k = layer * directions + direction
                weights = [getattr(self, name) for name in self._names[k]]
                h = h0[k]
                out, h, c, *_ = _core._recurrent(
                    input,
                    h,
                    None if c0 is None else c0[k],
                    weights[0],
                    weights[1],
                    weights[-1] if self.proj_size else None,
                    self._mask(h),
                    batch_sizes,
                    weights[2] if self.bias else None,
                    weights[3] if self.bias else None,
                    mode,
                    direction == 1,
                )
                outputs.append(out)
                h_n.append(h)
                c_n.append(c)
            input = outputs[0] if directions == 1 else cr.cat(outputs, -1)
        states = [
            many[0].unsqueeze(0) if len(many) == 1 else cr.stack(many)
            for many in ((h_n, c_n) if c0 is not None else (h_n,))
        ]
        return input, tuple(states) if c0 is not None else states[0]

    def _mask(self, h: Tensor) -> Tensor | None:
        """Return the factors of the state in the recurrent product, the same for all steps."""
        if not (self.recurrent_dropout and self.training):
            return None
        return F.dropout(cr.ones(*h.shape, dtype=h.dtype), self.recurrent_dropout)

    def _width(self) -> tuple[str, int]:
        return "input_size", -1

    def extra_repr(self) -> str:
        """Return the constructor's arguments that differ from their defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in _DEFAULTS.items():
            value = getattr(self, name, default)
            if value != default:
                text += f", {name}={value}"
        return text


_DEFAULTS = {
    "proj_size": 0,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0,
    "bidirectional": False,
    "recurrent_dropout": 0,
    "unit_forget_bias": False,
    "orthogonal": False,
}


def _map(state: State, f: Any) -> State:
    """Apply f to a state, or to both of a pair."""
    if state is None:
        return None
    return tuple(map(f, state)) if isinstance(state, (tuple, list)) else f(state)


def _add_batch(state: Any) -> Any:
    if isinstance(state, Tensor) and state.ndim != 2:
        raise ValueError(
            f"got a state of shape {tuple(state.shape)}; expected 2 dimensions, "
            "(num_layers * directions, size), for an input without a batch"
        )
    return state.unsqueeze(1) if isinstance(state, Tensor) else state


class RNN(RNNBase):
    """Run a plain (Elman) recurrent net over a sequence.

    ``h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`` with f = tanh or relu (Elman, 1990).

    Args:
        input_size: features of each step.
        hidden_size: features of the state.
        num_layers: layers, each reading the outputs of the one below.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether to add the two biases.
        batch_first: whether input and output are ``(batch, steps, features)``.
        dropout: probability of zeroing the outputs of each layer but the last, in training.
        bidirectional: whether a second net reads the sequence backwards; outputs are joined.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.
        recurrent_dropout: probability of zeroing elements of the state before the recurrent
            product, the same elements at every step (Gal and Ghahramani, 2016).
        orthogonal: whether ``weight_hh`` starts as orthogonal matrices (Saxe et al., 2013).

    Shape:
        as :class:`LSTM`, without c.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]: of layer k, drawn from
            U(-1 / sqrt(hidden_size), 1 / sqrt(hidden_size)); with ``_reverse`` for the second
            direction.

    Raises:
        ValueError: sizes that are not positive, or an unknown nonlinearity.

    Example:
        >>> rnn = cr.nn.RNN(10, 20, num_layers=2)
        >>> output, h_n = rnn(cr.zeros(5, 3, 10))
        >>> output.shape, h_n.shape
        ((5, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        orthogonal: bool = False,
    ) -> None:
        check_nonlinearity("RNN", nonlinearity)
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            recurrent_dropout=recurrent_dropout,
            orthogonal=orthogonal,
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Run a long short-term memory net over a sequence (Hochreiter and Schmidhuber, 1997).

    With ``a = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh`` cut into four parts::

        i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)          (times W_hr with proj_size)

    The rows of the weights hold i, f, g, o, in this order.

    Args:
        input_size: features of each step.
        hidden_size: features of the cell state c, and of h but for ``proj_size``.
        num_layers: layers, each reading the outputs of the one below.
        bias: whether to add the two biases.
        batch_first: whether input and output are ``(batch, steps, features)``.
        dropout: probability of zeroing the outputs of each layer but the last, in training.
        bidirectional: whether a second net reads the sequence backwards; outputs are joined.
        proj_size: features that h is projected to (Sak et al., 2014); 0 for no projection.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.
        recurrent_dropout: probability of zeroing elements of h before the recurrent product, the
            same elements at every step (Gal and Ghahramani, 2016).
        unit_forget_bias: whether the forget gate's bias starts at 1, so that memories last from
            the beginning (Jozefowicz et al., 2015).
        orthogonal: whether ``weight_hh`` starts as orthogonal matrices (Saxe et al., 2013).

    Shape:
        input ``(steps, batch, input_size)``, output ``(steps, batch, directions * H)`` with H =
        ``proj_size`` or ``hidden_size``; h_0 and h_n ``(num_layers * directions, batch, H)``, c_0
        and c_n ``(num_layers * directions, batch, hidden_size)``. All without ``batch`` for an
        input without one.

    Attributes:
        weight_ih_l[k]: ``(4 * hidden_size, input_size)``, or ``directions * H`` columns for k > 0.
        weight_hh_l[k]: ``(4 * hidden_size, H)``.
        bias_ih_l[k], bias_hh_l[k]: ``(4 * hidden_size,)``.
        weight_hr_l[k]: ``(proj_size, hidden_size)``, with ``proj_size`` only. All are drawn from
            U(-1 / sqrt(hidden_size), 1 / sqrt(hidden_size)); with ``_reverse`` for the second
            direction.

    Raises:
        ValueError: sizes that are not positive, or a ``proj_size`` not below ``hidden_size``.

    Example:
        >>> lstm = cr.nn.LSTM(10, 20, batch_first=True)
        >>> output, (h_n, c_n) = lstm(cr.zeros(3, 5, 10), lengths=[5, 2, 4])
        >>> output.shape, c_n.shape
        ((3, 5, 20), (1, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        unit_forget_bias: bool = False,
        orthogonal: bool = False,
    ) -> None:
        if unit_forget_bias and not bias:
            raise ValueError("LSTM: unit_forget_bias needs biases (got bias=False)")
        # Before the parameters are drawn; a plain attribute needs no Module.__init__ before it.
        self.unit_forget_bias = unit_forget_bias
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
            recurrent_dropout=recurrent_dropout,
            orthogonal=orthogonal,
        )

    def reset_parameters(self) -> None:
        """Draw all parameters afresh from their initial distributions."""
        super().reset_parameters()
        if not self.unit_forget_bias:
            return
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        with cr.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("bias"):
                    parameter[forget] = 1.0 if name.startswith("bias_ih") else 0.0


class GRU(RNNBase):
    """Run a net of gated recurrent units over a sequence (Cho et al., 2014).

    With ``x`` and ``h`` cut into three parts of ``W_ih x_t + b_ih`` and ``W_hh h_{t-1} + b_hh``::

        r = sigmoid(x_r + h_r)
        z = sigmoid(x_z + h_z)
        n = tanh(x_n + r * h_n)
        h_t = (1 - z) * n + z * h_{t-1}

    The rows of the weights hold r, z, n, in this order.

    Args:
        input_size: features of each step.
        hidden_size: features of the state.
        num_layers: layers, each reading the outputs of the one below.
        bias: whether to add the two biases.
        batch_first: whether input and output are ``(batch, steps, features)``.
        dropout: probability of zeroing the outputs of each layer but the last, in training.
        bidirectional: whether a second net reads the sequence backwards; outputs are joined.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.
        recurrent_dropout: probability of zeroing elements of the state before the recurrent
            product, the same elements at every step (Gal and Ghahramani, 2016).
        orthogonal: whether ``weight_hh`` starts as orthogonal matrices (Saxe et al., 2013).

    Shape:
        as :class:`LSTM`, without c.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]: of layer k, with
            ``3 * hidden_size`` rows, drawn from U(-1 / sqrt(hidden_size), 1 / sqrt(hidden_size));
            with ``_reverse`` for the second direction.

    Raises:
        ValueError: sizes that are not positive.

    Example:
        >>> gru = cr.nn.GRU(10, 20, bidirectional=True)
        >>> output, h_n = gru(cr.zeros(5, 3, 10))
        >>> output.shape, h_n.shape
        ((5, 3, 40), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        orthogonal: bool = False,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            recurrent_dropout=recurrent_dropout,
            orthogonal=orthogonal,
        )
