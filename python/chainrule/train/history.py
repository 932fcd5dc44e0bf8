"""History: the numbers of every epoch, as columns, a plot, a table or a file."""

from __future__ import annotations

import csv
import html
import io
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..io import atomic_write

__all__ = ["History"]

_SHOWN = 10  # rows of the HTML table: the last ones


class History(Mapping[str, "list[float]"]):
    """What a training went through, one number per epoch and column.

    A mapping from column names (``"loss"``, ``"val_loss"``, names of metrics) to lists with one
    entry per epoch; NaN stands where an epoch has no such number.

    Attributes:
        rows: one dict per completed epoch.
        stopped: why the training ended before its last epoch, or None.

    Example:
        >>> history = cr.train.History([{"loss": 0.9, "val_loss": 0.8}, {"loss": 0.5}])
        >>> history["loss"], history.best_epoch("loss")
        ([0.9, 0.5], 2)
    """

    rows: list[dict[str, float]]
    stopped: str | None

    def __init__(self, rows: list[dict[str, float]] | None = None) -> None:
        self.rows = [] if rows is None else rows
        self.stopped = None

    # ---------------------------------------------------------------- the mapping

    def __getitem__(self, column: str) -> list[float]:
        if column not in self._columns():
            raise KeyError(f"History: no column {column!r} (got {self._columns()})")
        return [row.get(column, math.nan) for row in self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns())

    def __len__(self) -> int:
        """Return the number of columns; ``epochs`` counts the epochs."""
        return len(self._columns())

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.rows)

    def best_epoch(self, column: str = "val_loss", mode: str = "min") -> int:
        """Return the epoch, counted from 1, in which a column was best; the first of equals.

        Args:
            column: the name.
            mode: ``"min"`` if less is better, or ``"max"``.

        Raises:
            KeyError: there is no such column.
            ValueError: an unknown mode, or the column holds nothing but NaN.
        """
        if mode not in ("min", "max"):
            raise ValueError(f"best_epoch: mode is 'min' or 'max' (got {mode!r})")
        known = [(v, -i) for i, v in enumerate(self[column]) if not math.isnan(v)]
        if not known:
            raise ValueError(f"best_epoch: {column!r} holds no number")
        if mode == "min":
            return 1 + min((value, -index) for value, index in known)[1]
        return 1 - max(known)[1]

    # ---------------------------------------------------------------- other forms

    def to_dict(self) -> dict[str, list[float]]:
        """Return the columns as a plain dict of lists."""
        return {name: self[name] for name in self}

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the table as CSV, with a column ``epoch`` counted from 1, and write it to a file.

        Args:
            path: the file to write or replace in one step; None writes none.

        Raises:
            OSError: the file cannot be written.

        Example:
            >>> print(cr.train.History([{"loss": 0.5}, {"loss": 0.25}]).to_csv())
            epoch,loss
            1,0.5
            2,0.25
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = self._columns()
        writer.writerow(["epoch", *columns])
        for epoch, row in enumerate(self.rows, start=1):
            writer.writerow([epoch, *(row.get(column, "") for column in columns)])
        if path is not None:
            with atomic_write(path) as file:
                file.write(text.getvalue().encode())
        return text.getvalue()

    def plot(self, axes: Any = None) -> Any:
        """Draw the columns over the epochs with matplotlib, ``val_`` columns beside their own.

        Args:
            axes: a matplotlib Axes for all columns; None makes a figure with one Axes per
                quantity.

        Returns:
            The figure.

        Raises:
            ImportError: matplotlib is not installed.
        """
        groups: dict[str, list[str]] = {}
        for name in self:
            groups.setdefault(name.removeprefix("val_"), []).append(name)
        if axes is not None:
            for name in self:
                self._draw(axes, name)
            axes.set(xlabel="epoch")
            axes.legend(frameon=False)
            return axes.figure
        try:
            from matplotlib import pyplot
        except ImportError:
            raise ImportError(
                "History.plot: needs matplotlib, which is not installed; "
                "run: pip install 'chainrule[train]'"
            ) from None
        count = max(1, len(groups))
        figure, grid = pyplot.subplots(
            1, count, figsize=(4.5 * count, 3.5), layout="constrained", squeeze=False
        )
        for cell, (quantity, names) in zip(grid.flat, groups.items(), strict=False):
            for name in names:
                self._draw(cell, name)
            cell.set(xlabel="epoch", title=quantity)
            if len(names) > 1:
                cell.legend(frameon=False)
        return figure

    def _draw(self, axes: Any, name: str) -> None:
        marker = "o" if self.epochs == 1 else None  # a line of one point cannot be seen
        axes.plot(range(1, self.epochs + 1), self[name], label=name, marker=marker)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={value:.4g}" for name, value in (self.rows or [{}])[-1].items())
        stopped = f", stopped: {self.stopped}" if self.stopped else ""
        return f"History({self.epochs} epochs{': ' if last else ''}{last}{stopped})"

    def _repr_html_(self) -> str:
        """Return curves of the losses (SVG) and a table of the last epochs."""
        columns = self._columns()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ["epoch", *columns])
        body = "".join(
            f"<tr><td>{epoch}</td>"
            + "".join(f"<td>{row[c]:.5g}</td>" if c in row else "<td></td>" for c in columns)
            + "</tr>"
            for epoch, row in list(enumerate(self.rows, start=1))[-_SHOWN:]
        )
        stopped = f"<p>stopped: {html.escape(self.stopped)}</p>" if self.stopped else ""
        return (
            f"<div>{_curves({n: self[n] for n in ('loss', 'val_loss') if n in self})}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{stopped}</div>"
        )


def _curves(lines: dict[str, list[float]], width: int = 360, height: int = 120) -> str:
    """Draw lines over the epochs as SVG; nothing where there are not two points."""
    finite = [v for values in lines.values() for v in values if math.isfinite(v)]
    if len(finite) < 2 or max(map(len, lines.values())) < 2:
        return ""
    low, high = min(finite), max(finite)
    drawn = []
    for colour, (name, values) in zip(("#1f77b4", "#ff7f0e"), lines.items(), strict=False):
        points = " ".join(
            f"{4 + i * (width - 8) / (len(values) - 1):.1f},"
            f"{4 + (high - v) / ((high - low) or 1) * (height - 8):.1f}"
            for i, v in enumerate(values)
            if math.isfinite(v)
        )
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5">'
            f"<title>{html.escape(name)}</title></polyline>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'role="img" aria-label="{", ".join(lines)}">{"".join(drawn)}</svg>'
    )
