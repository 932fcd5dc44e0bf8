"""Data that comes in order: windows of a time series, and words as numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor

from .dataset import Dataset

__all__ = ["Vocabulary", "WindowDataset"]


class WindowDataset(Dataset[tuple[Tensor, ...]]):
    """Windows that slide over a time series, each with the values that follow it.

    Sample i is ``series[s : s + window]`` and ``targets[s + window : s + window + horizon]`` with
    ``s = i * stride``. Whole batches are one gather.

    Args:
        series: ``(time,)`` or ``(time, features)``.
        window: steps of a window.
        horizon: steps to predict; 0 yields windows alone.
        stride: steps from a window to the next.
        targets: what is predicted, ``(time, ...)``; the series itself when None.

    Raises:
        ValueError: sizes are out of range, the series is shorter than a window with its horizon,
            or ``targets`` has another length.

    Example:
        >>> data = cr.data.WindowDataset(cr.arange(6), window=3)
        >>> len(data), data[1]
        (3, (tensor([1, 2, 3]), tensor([4])))
    """

    def __init__(
        self,
        series: Tensor,
        window: int,
        horizon: int = 1,
        stride: int = 1,
        targets: Tensor | None = None,
    ) -> None:
        if window < 1 or horizon < 0 or stride < 1:
            raise ValueError(
                "WindowDataset: window and stride are at least 1 and horizon at least 0 "
                f"(got window={window}, horizon={horizon}, stride={stride})"
            )
        if series.ndim == 0 or len(series) < window + horizon:
            raise ValueError(
                f"WindowDataset: the series has shape {tuple(series.shape)}; expected at least "
                f"{window + horizon} steps, a window and its horizon"
            )
        self.targets = series if targets is None else targets
        if len(self.targets) != len(series):
            raise ValueError(
                f"WindowDataset: targets has {len(self.targets)} steps; expected {len(series)}"
            )
        self.series = series
        self.window = window
        self.horizon = horizon
        self.stride = stride

    def __len__(self) -> int:
        return (len(self.series) - self.window - self.horizon) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"WindowDataset: index {index} is out of range for {len(self)}")
        start = place * self.stride
        end = start + self.window
        window = self.series[start:end]
        return (window, self.targets[end : end + self.horizon]) if self.horizon else (window,)

    def get_batch(self, indices: Tensor) -> list[Tensor]:
        """Return the windows at the indices, ``(B, window, ...)``, and what follows them.

        Args:
            indices: ``(B,)``, int64.
        """
        size = len(self)
        if bool(((indices < -size) | (indices >= size)).any()):
            raise IndexError(f"WindowDataset: an index is out of range for {size}")
        starts = (indices % size * self.stride).unsqueeze(1)
        batch = [self.series[starts + cr.arange(self.window)]]
        if self.horizon:
            batch.append(self.targets[starts + self.window + cr.arange(self.horizon)])
        return batch


class Vocabulary:
    """Words, or categories, as numbers: most frequent first, ties in alphabetical order.

    Args:
        texts: what the words are taken from: strings, which are split, or lists of words.
        min_count: words that are rarer are unknown.
        max_size: how many words are kept at most, ``specials`` not counted.
        specials: words that come first; the first two stand for padding and the unknown.

    Raises:
        ValueError: there are fewer than two ``specials``, or a size is below 1.

    Example:
        >>> words = cr.data.Vocabulary(["the cat", "the dog"])
        >>> words.encode("the dog barks", length=5)
        tensor([2, 4, 1, 0, 0])
        >>> words.decode([2, 3])
        ['the', 'cat']
    """

    def __init__(
        self,
        texts: Iterable[str | Sequence[str]],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = ("<pad>", "<unk>"),
    ) -> None:
        if len(specials) < 2 or min_count < 1 or (max_size is not None and max_size < 1):
            raise ValueError(
                "Vocabulary: expected two specials or more, and sizes of at least 1 (got "
                f"{list(specials)}, min_count={min_count}, max_size={max_size})"
            )
        counts = Counter(word for text in texts for word in self.split(text))
        kept = [word for word, n in counts.items() if n >= min_count and word not in specials]
        kept.sort(key=lambda word: (-counts[word], word))
        self.words: list[str] = [*specials, *kept[:max_size]]
        self._numbers = {word: number for number, word in enumerate(self.words)}

    @staticmethod
    def split(text: str | Sequence[str]) -> Sequence[str]:
        """Return a text's words in lower case, without punctuation; a list stays as it is.

        Args:
            text: the text.
        """
        return re.findall(r"\w+(?:'\w+)*", text.lower()) if isinstance(text, str) else text

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._numbers

    def __getitem__(self, word: str) -> int:
        return self._numbers.get(word, 1)

    def encode(self, text: str | Sequence[str], length: int | None = None) -> Tensor:
        """Return the words' numbers, int64; unknown words are 1.

        Args:
            text: a string or a list of words.
            length: cut off, or filled up with 0, to this many.
        """
        numbers = [self[word] for word in self.split(text)][:length]
        padding = [0] * (0 if length is None else length - len(numbers))
        return cr.tensor(numbers + padding, dtype=cr.int64)

    def decode(self, numbers: Any) -> list[str]:
        """Return the words that numbers stand for.

        Args:
            numbers: a tensor or a list of ints.
        """
        return [self.words[int(number)] for number in numbers]

    def counts(self, texts: Iterable[str | Sequence[str]]) -> Tensor:
        """Return how often each word occurs in each text, ``(texts, words)``, float32.

        Args:
            texts: strings or lists of words.
        """
        rows = [cr.bincount(self.encode(text), minlength=len(self)) for text in texts]
        return cr.stack(rows).to(cr.float32) if rows else cr.zeros(0, len(self))
