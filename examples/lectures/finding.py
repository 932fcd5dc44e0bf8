"""What a lecture states beside what was computed.

Every script here has one function, ``findings(small)``, that yields a `Finding` for each number or
claim it checks, and ends with ``main(findings)``: run it and it prints them. ``index.py`` runs them
all and writes ``docs/lectures.md``; ``tests/test_lectures.py`` asserts every one.

Rows are numbered as the index is: ``2.5`` is the fifth statement of lecture 2.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# How many rows each lecture has: 0.1 to 0.13, and so on.
ROWS = {0: 13, 1: 16, 2: 24, 3: 15, 4: 8}


@dataclass(frozen=True)
class Finding:
    """One line of a lecture's report.

    Attributes:
        row: its number in the index, such as ``"2.5"``.
        what: what is computed, in a few words.
        taught: what the lecture says, as it says it.
        found: what chainrule computes: a number, several, a text, or whether a claim holds.
        right: what `found` must be; by default what is taught.
        within: how far `found` may be from it, absolutely.
        slip: where the lecture slips, in one line.
        at_least: for a score, where more is better: the bound it must reach, instead of `right`.
    """

    row: str
    what: str
    taught: Any
    found: Any
    right: Any = None
    within: float = 0.0
    slip: str = ""
    at_least: float | None = None

    @property
    def expected(self) -> Any:
        """What `found` must be."""
        return self.taught if self.right is None else self.right

    @property
    def holds(self) -> bool:
        """Whether it is."""
        if self.at_least is not None:
            return bool(self.found >= self.at_least)
        right = self.expected
        if isinstance(right, str):
            return str(self.found) == right
        found = np.asarray(self.found, dtype=np.float64)
        right = np.asarray(right, dtype=np.float64)
        return found.shape == right.shape and bool(np.all(np.abs(found - right) <= self.within))

    @property
    def shown(self) -> str:
        """What was found, to the digits that count: the rest differs from machine to machine."""
        if self.at_least is not None and self.holds:
            return f"{math.floor(self.found * 100) / 100:g}"  # downwards: 0.996 is not yet 1
        return text(self.found, self.within if self.holds else 0.0)

    def __str__(self) -> str:
        line = f"{self.row:>5}  {self.what}: taught {text(self.taught)}, found {self.shown}"
        if not self.holds:
            right = f"{text(self.expected)} within {self.within:g}"
            if self.at_least is not None:
                right = f"at least {self.at_least:g}"
            line += f"  WRONG, expected {right}"
        return line + (f"\n       slip: {self.slip}" if self.slip else "")


def text(value: Any, within: float = 0.0) -> str:
    """A number to six digits or its tolerance, a list in parentheses, a claim as yes or no."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    array = np.asarray(value)
    if array.ndim:
        return "(" + ", ".join(text(part, within) for part in array.tolist()) + ")"
    number = array.item()
    if within:
        number = round(number, -math.floor(math.log10(within))) + 0.0  # which -0.0 is not
    return f"{number:.6g}"


def main(
    findings: Callable[[bool], Iterator[Finding]], plot: Callable[[Any], None] | None = None
) -> None:
    """Print a script's findings; the exit code is 1 where one does not hold.

    Args:
        findings: the script's.
        plot: draws the script's picture into the matplotlib axes it is given; asked for by
            ``--plot FILE``.
    """
    parser = argparse.ArgumentParser(description=findings.__globals__["__doc__"].splitlines()[0])
    parser.add_argument("--small", action="store_true", help="less training, the same checks")
    if plot:
        parser.add_argument("--plot", metavar="FILE", help="draw the script's picture into it")
    options = parser.parse_args()
    wrong = 0
    for finding in findings(options.small):
        print(finding, flush=True)
        wrong += not finding.holds
    if plot and options.plot:
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        plot(figure.subplots())
        figure.savefig(options.plot)
    raise SystemExit(1 if wrong else 0)
