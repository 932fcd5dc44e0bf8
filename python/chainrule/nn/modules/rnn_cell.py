"""One step of a recurrent layer."""

from __future__ import annotations

import math
from typing import Any

import chainrule as cr
from chainrule import Tensor, _core

from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


def check_nonlinearity(name: str, nonlinearity: Any) -> None:
    """Raise ValueError for another nonlinearity than those of a plain net."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{name}: nonlinearity is 'tanh' or 'relu' (got {nonlinearity!r})")


class RNNCellBase(Module[..., Any]):
    """What RNNCell, LSTMCell and GRUCell share: one step of one layer.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether to add the two biases.
        num_chunks: how many gates the rows of the weights hold.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Example:
        >>> isinstance(cr.nn.GRUCell(3, 4), cr.nn.RNNCellBase)
        True
    """

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        if hidden_size <= 0:
            raise ValueError(f"{type(self).__name__}: hidden_size is positive (got {hidden_size})")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        options = {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(cr.empty(rows, input_size, **options))
        self.weight_hh = Parameter(cr.empty(rows, hidden_size, **options))
        for name in ("bias_ih", "bias_hh"):
            if bias:
                setattr(self, name, Parameter(cr.empty(rows, **options)))
            else:
                self.register_parameter(name, None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-k, k) with k = 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, mode: str, input: Tensor, states: list[Any]) -> tuple[Tensor, ...]:
        """Return h (and c) after one step from ``states``, zeros where None."""
        if input.ndim not in (1, 2):
            raise ValueError(
                f"got input of shape {tuple(input.shape)}; expected (batch, input_size) or "
                "(input_size,)"
            )
        if input.shape[-1] != self.input_size:
            raise ValueError(
                f"input and weight_ih differ in features (got {tuple(input.shape)} and "
                f"{tuple(self.weight_ih.shape)}); expected input.shape[-1] == {self.input_size}"
            )
        expected = (*input.shape[:-1], self.hidden_size)
        for i, state in enumerate(states):
            if state is None:
                states[i] = cr.zeros(*expected, dtype=input.dtype)
            elif not isinstance(state, Tensor) or tuple(state.shape) != expected:
                got = tuple(state.shape) if isinstance(state, Tensor) else type(state).__name__
                raise ValueError(f"{'hc'[i]} has shape {got}; expected {expected}")
        rows = [state.reshape(-1, self.hidden_size) for state in states]
        _, *after = _core._recurrent(
            input.reshape(1, -1, self.input_size),
            rows[0],
            rows[1] if len(rows) == 2 else None,
            self.weight_ih,
            self.weight_hh,
            None,
            None,
            None,
            self.bias_ih,
            self.bias_hh,
            mode,
            False,
        )
        return tuple(state.reshape(expected) for state in after[: len(states)])

    def _width(self) -> tuple[str, int]:
        return "input_size", -1

    def extra_repr(self) -> str:
        """Return the constructor's arguments that differ from their defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    """Take one step of a plain recurrent net; the equation is :class:`RNN`'s.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether to add the two biases.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(batch, input_size)`` or ``(input_size,)``, state and output
        ``(batch, hidden_size)`` or ``(hidden_size,)``.

    Raises:
        ValueError: shapes that do not fit, or an unknown nonlinearity.

    Example:
        >>> cell = cr.nn.RNNCell(10, 20)
        >>> cell(cr.zeros(3, 10)).shape
        (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the state after ``input``, from ``hx`` (zeros when None)."""
        return self._step(f"rnn_{self.nonlinearity}", input, [hx])[0]


class LSTMCell(RNNCellBase):
    """Take one step of an LSTM; the equations are :class:`LSTM`'s.

    Args:
        input_size: features of the input.
        hidden_size: features of h and c.
        bias: whether to add the two biases.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(batch, input_size)`` or ``(input_size,)``, h and c ``(batch, hidden_size)`` or
        ``(hidden_size,)``.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> h, c = cr.nn.LSTMCell(10, 20)(cr.zeros(3, 10))
        >>> h.shape, c.shape
        ((3, 20), (3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return ``(h, c)`` after ``input``, from the pair ``hx`` (zeros when None)."""
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise TypeError(f"hx is a pair (h, c) (got {type(hx).__name__})")
        h, c = self._step("lstm", input, [None, None] if hx is None else list(hx))
        return h, c


class GRUCell(RNNCellBase):
    """Take one step of a GRU; the equations are :class:`GRU`'s.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether to add the two biases.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(batch, input_size)`` or ``(input_size,)``, state and output
        ``(batch, hidden_size)`` or ``(hidden_size,)``.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> cell = cr.nn.GRUCell(10, 20)
        >>> cell(cr.zeros(3, 10)).shape
        (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the state after ``input``, from ``hx`` (zeros when None)."""
        return self._step("gru", input, [hx])[0]
