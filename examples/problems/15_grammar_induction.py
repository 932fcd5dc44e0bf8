"""Grammar induction: an LSTM learns the Reber grammar from strings; the score is legal guesses.

After every prefix of a new string, the symbols held likely must be those the grammar allows.
"""

import random

from problem import main

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn.utils.rnn import pad_sequence

BOUND = 0.9
SYMBOLS = "BTSXPVE"
ARROWS = "0B1 1T2 1P3 2S2 2X4 3T3 3V5 4X3 4S6 5P4 5V6 6E7"  # state, symbol, next state


def string(rng):
    """Symbols, and for each which symbols were legal there."""
    state, symbols, legal = "0", [], []
    while state != "7":
        ways = [arrow for arrow in ARROWS.split() if arrow[0] == state]
        legal.append([symbol in {way[1] for way in ways} for symbol in SYMBOLS])
        _, symbol, state = rng.choice(ways)
        symbols.append(SYMBOLS.index(symbol))
    return cr.tensor(symbols), cr.tensor(legal)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbol = nn.Embedding(len(SYMBOLS), 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.next = nn.Linear(32, len(SYMBOLS))

    def forward(self, symbols):
        return self.next(self.lstm(self.symbol(symbols))[0])


def score(small):
    cr.manual_seed(0)
    rng = random.Random(0)
    model = Reader()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(80 if small else 250):
        batch = pad_sequence([string(rng)[0] for _ in range(32)], True, -1)
        logits = model(batch[:, :-1].clamp(min=0)).transpose(1, 2)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, batch[:, 1:], ignore_index=-1).backward()
        optimizer.step()
    right = []
    for symbols, legal in (string(rng) for _ in range(100)):
        likely = nn.functional.softmax(model(symbols[:-1].unsqueeze(0))[0], 1) > 0.1
        right += (likely == legal[1:]).all(1).tolist()
    return sum(right) / len(right)


if __name__ == "__main__":
    main(score, BOUND)
