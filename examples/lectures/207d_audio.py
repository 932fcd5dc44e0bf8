"""Fourth application: audio in, transcript out. A bidirectional LSTM with CTC on synthetic tones.

A word is sung: each letter is a tone of unknown length. Nobody tells where a letter begins; CTC
sums the probability over all alignments.
"""

import math
from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.nn import functional as F

LETTERS = " ABCDE"  # class 0 is CTC's blank
RATE, FRAME = 4000, 80  # samples per second, and per frame of 20 ms
FRAMES, LONGEST = 28, 4


def sing(word: list[int]) -> Tensor:
    """A wave: a tone of 3 to 6 frames per letter, then a pause; B is 1.3 times as high as A."""
    pitches = []
    for letter in word:
        length = int(cr.randint(3, 7, ()))
        pitches += [300 * 1.3**letter] * length * FRAME + [0.0] * FRAME
    pitches += [0.0] * (FRAMES * FRAME - len(pitches))
    wave = cr.sin(2 * math.pi / RATE * cr.tensor(pitches).cumsum(0))
    return wave + 0.3 * cr.randn(len(pitches))


def spectrum(waves: Tensor) -> Tensor:
    """How much of each of 32 pitches a frame holds, standardised: (words, frames, pitches)."""
    frames = waves.reshape(len(waves), FRAMES, FRAME)
    turns = 2 * math.pi / RATE * cr.outer(cr.arange(FRAME), cr.linspace(250, 1500, 32))
    power = ((frames @ turns.cos()) ** 2 + (frames @ turns.sin()) ** 2).log1p()
    return (power - power.mean()) / power.std()


def words(count: int) -> tuple[Tensor, list[list[int]]]:
    """Spectra of words of 1 to 4 letters, and the words."""
    lengths = cr.randint(1, LONGEST + 1, (count,)).tolist()
    spelt = [cr.randint(1, len(LETTERS), (n,)).tolist() for n in lengths]
    return spectrum(cr.stack([sing(word) for word in spelt])), spelt


class Listener(nn.Module):
    """Spectra to log-probabilities of letters, frame by frame: (frames, words, letters)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(32, 24, bidirectional=True, batch_first=True)
        self.letters = nn.Linear(48, len(LETTERS))

    def forward(self, x: Tensor) -> Tensor:
        """Return what CTC takes."""
        return F.log_softmax(self.letters(self.lstm(x)[0]), 2).transpose(0, 1)


def distance(a: list[int], b: list[int]) -> int:
    """The least number of letters to insert, delete or replace (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return row[-1]


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.7, audio to transcript."""
    cr.manual_seed(0)
    (x, spelt), (x_test, spelt_test) = words(256), words(100)
    model = Listener()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40 if small else 80):
        for rows in cr.randperm(len(x)).split(32):
            batch = [spelt[k] for k in rows.tolist()]
            targets = cr.tensor([letter for word in batch for letter in word])
            lengths = [len(word) for word in batch]
            loss = F.ctc_loss(model(x[rows]), targets, [FRAMES] * len(batch), lengths)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with cr.no_grad():
        heard, _ = F.ctc_decode(model(x_test))
    letters = sum(map(len, spelt_test))
    wrong = sum(distance(a.tolist(), b) for a, b in zip(heard, spelt_test, strict=True)) / letters
    yield Finding("2.7", "audio to transcript: under 5% of letters wrong", True, wrong < 0.05)


if __name__ == "__main__":
    main(findings)
