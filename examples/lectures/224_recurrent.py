"""Recurrent nets: why they are hard to train, and what LSTM and two directions are for.

The adding problem: of 100 numbers two are marked, and the answer is their sum. Always answering 1
has the mean squared error 1/6 = 0.167.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.datasets import adding_problem
from chainrule.nn import functional as F

HIDDEN, LENGTH = 16, 100
LESSONS = {10: 250, 20: 150, 40: 120, 70: 60, LENGTH: 60}  # short sequences first: steps by length


class Adder(nn.Module):
    """A recurrent net whose last state, of each direction, a Linear reads."""

    def __init__(self, kind: Any, bidirectional: bool = False) -> None:
        super().__init__()
        options = {"unit_forget_bias": True} if kind is nn.LSTM else {}  # begin with remembering
        self.rnn = kind(2, HIDDEN, batch_first=True, bidirectional=bidirectional, **options)
        self.read = nn.Linear(HIDDEN * (2 if bidirectional else 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a sum per sequence."""
        state = self.rnn(x)[1]
        h = state[0] if isinstance(state, tuple) else state
        return self.read(h.transpose(0, 1).flatten(1))


def error(kind: Any, clip: bool, bidirectional: bool = False, times: int = 1) -> float:
    """The mean squared error at length 100, after the lessons."""
    cr.manual_seed(0)
    net = Adder(kind, bidirectional)
    optimizer = optim.Adam(net.parameters(), lr=0.02)
    for length, steps in LESSONS.items():
        for _ in range(times * steps):
            x, y = adding_problem(32, length)
            loss = F.mse_loss(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    with cr.no_grad():
        x, y = adding_problem(500, LENGTH)
        return F.mse_loss(net(x), y).item()


def reach(rnn: nn.Module) -> list[float]:
    """How much the last output of a net at rest depends on each input: its gradient's norm."""
    x = cr.zeros(1, LENGTH, 2, dtype=cr.float64, requires_grad=True)
    rnn(x)[0][0, -1].sum().backward()
    return x.grad[0].norm(dim=1).tolist()


def reaches() -> dict[str, list[float]]:
    """Of an RNN as it begins, one with larger weights, and an LSTM that begins with remembering."""
    cr.manual_seed(0)
    sizes = {"input_size": 2, "hidden_size": HIDDEN, "batch_first": True, "dtype": cr.float64}
    rnn, large, lstm = nn.RNN(**sizes), nn.RNN(**sizes), nn.LSTM(**sizes)
    for net in (rnn, large, lstm):
        nn.init.zeros_(net.bias_ih_l0)
        nn.init.zeros_(net.bias_hh_l0)
    nn.init.orthogonal_(large.weight_hh_l0, gain=1.2)
    nn.init.constant_(lstm.bias_ih_l0[HIDDEN : 2 * HIDDEN], 5.0)
    return {"RNN": reach(rnn), "RNN, 1.2 x a rotation": reach(large), "LSTM": reach(lstm)}


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.24."""
    rnn, large, lstm = (norms[0] / norms[-1] for norms in reaches().values())
    yield Finding(
        "2.24",
        "the last output's gradient at the first of 100 inputs, over that at the last: "
        "RNN below 1e-15, with recurrent weights 1.2 x a rotation above 1e6, LSTM above 0.1",
        [True, True, True],
        [rnn < 1e-15, large > 1e6, lstm > 0.1],
    )

    times = 1 if small else 4
    for name, clip in [("RNN", False), ("RNN with clipped gradients", True)]:
        found = error(nn.RNN, clip, times=times)
        yield Finding("2.24", f"{name}: sums stay unlearnt, error above 0.1", True, found > 0.1)
    for name, bidirectional in [("LSTM", False), ("bidirectional LSTM", True)]:
        found = error(nn.LSTM, clip=True, bidirectional=bidirectional, times=times)
        yield Finding("2.24", f"{name}: sums are learnt, error below 0.05", True, found < 0.05)

    both = nn.RNN(2, 3, bidirectional=True, batch_first=True)
    x = cr.randn(1, 10, 2, requires_grad=True)
    out = both(x)[0]
    (ahead,) = cr.autograd.grad(out[0, 4, :3].sum(), x, retain_graph=True)
    (back,) = cr.autograd.grad(out[0, 4, 3:].sum(), x)
    seen = [[k for k in range(10) if g[0, k].abs().sum() > 0] for g in (ahead, back)]
    yield Finding(
        "2.24",
        "output 4 of 0..9: the forward half sees inputs 0 to 4, the backward half 4 to 9",
        [0, 4, 4, 9],
        [seen[0][0], seen[0][-1], seen[1][0], seen[1][-1]],
    )


def plot(axes: Any) -> None:
    """How far back the last output looks."""
    for name, norms in reaches().items():
        axes.semilogy(range(1, LENGTH + 1), norms, label=name)
    axes.set(xlabel="step", ylabel="norm of the last output's gradient")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)
