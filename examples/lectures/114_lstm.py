"""LSTM, equation by equation, and what a recurrent net's memory is for.

f = sigma(x W_xf + h W_hf + b_f)      g = tanh(x W_xg + h W_hg + b_g)
i = sigma(x W_xi + h W_hi + b_i)      o = sigma(x W_xo + h W_ho + b_o)
c = f * c + i * g                     h = o * tanh(c)
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
INPUTS, HIDDEN, DELAY = 3, 4, 2


def lstm_step(x: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor) -> list[Tensor]:
    """One step in the lecture's row form; W, U and b hold those of i, f, g, o side by side."""
    i, f, g, o = (x @ W + h @ U + b).chunk(4, -1)
    f = cr.sigmoid(f)
    g = cr.tanh(g)
    i = cr.sigmoid(i)
    o = cr.sigmoid(o)
    c = f * c + i * g
    return [o * cr.tanh(c), c]


def echo_error(net: nn.Module, steps: int) -> float:
    """How well a net learns to repeat what it heard two steps ago: the mean squared error."""
    read = nn.Linear(8, 1)
    optimizer = optim.Adam([*net.parameters(), *read.parameters()], lr=0.02)
    for _ in range(steps):
        x = cr.randint(0, 2, (32, 20, 1)).float()
        y = net(x)
        y = y[0] if isinstance(y, tuple) else y
        loss = F.mse_loss(read(y)[:, DELAY:], x[:, :-DELAY])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def findings(small: bool) -> Iterator[Finding]:
    """Rows 1.14 and 1.15."""
    cr.manual_seed(0)
    cell = nn.LSTMCell(INPUTS, HIDDEN, **DOUBLE)
    x, h, c = cr.randn(2, INPUTS, **DOUBLE), *cr.randn(2, 2, HIDDEN, **DOUBLE)
    W, U, b = cell.weight_ih.T, cell.weight_hh.T, cell.bias_ih + cell.bias_hh
    slip = "f, g, i, o lack the index t; g is called gain parameter, c carrier"
    yield Finding(
        "1.14",
        "h and c by the six lines less nn.LSTMCell's",
        [0.0, 0.0],
        [
            (a - b).abs().max().item()
            for a, b in zip(lstm_step(x, h, c, W, U, b), cell(x, (h, c)), strict=True)
        ],
        within=1e-15,
        slip=slip,
    )
    lstm = nn.LSTM(INPUTS, HIDDEN, batch_first=True, **DOUBLE)
    W, U = lstm.weight_ih_l0.T, lstm.weight_hh_l0.T
    b = lstm.bias_ih_l0 + lstm.bias_hh_l0
    sequence = cr.randn(2, 50, INPUTS, **DOUBLE)
    h = c = cr.zeros(2, HIDDEN, **DOUBLE)
    outputs = []
    for t in range(sequence.shape[1]):
        h, c = lstm_step(sequence[:, t], h, c, W, U, b)
        outputs.append(h)
    yield Finding(
        "1.14",
        "fifty steps less nn.LSTM's: gates in the order i, f, g, o, weights transposed, the two "
        "biases summed",
        0.0,
        (cr.stack(outputs, 1) - lstm(sequence)[0]).abs().max().item(),
        within=1e-15,
    )

    steps = 200 if small else 600
    memory = echo_error(nn.RNN(1, 8, batch_first=True), steps)
    yield Finding(
        "1.15", "nn.RNN repeats the bit of two steps ago: error below 0.01", True, memory < 0.01
    )
    none = echo_error(nn.Sequential(nn.Linear(1, 8), nn.Tanh()), steps)
    yield Finding(
        "1.15",
        "a net without memory guesses: the error, 1/4 for a coin",
        0.25,
        none,
        within=0.02,
    )


if __name__ == "__main__":
    main(findings)
