"""Tables of numbers and categories from text: CSV files and svmlight (LIBSVM) files."""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Sequence
from typing import NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

_MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}


class Table(NamedTuple):
    """A table: the names of its columns, its cells, and what the numbers of categories stand for.

    Attributes:
        names: the columns' names, in order.
        values: `(rows, columns)`, float64; a category's cell is its place in `categories`.
        categories: per column of categories, its words in sorted order.
    """

    names: list[str]
    values: npt.NDArray[np.float64]
    categories: dict[str, list[str]]

    def columns(self, names: str | Sequence[str]) -> npt.NDArray[np.float64]:
        """Return one column `(rows,)`, or several `(rows, len(names))`.

        Args:
            names: a name, or a list of them.

        Raises:
            KeyError: there is no such column.
        """
        for name in [names] if isinstance(names, str) else names:
            if name not in self.names:
                raise KeyError(f"no column {name!r}; expected one of {self.names}")
        if isinstance(names, str):
            return self.values[:, self.names.index(names)]
        return self.values[:, [self.names.index(name) for name in names]]


def read_csv(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    categories: Sequence[str] = (),
    missing: float | None = None,
    header: bool = True,
    delimiter: str = ",",
) -> Table:
    """Read a table of numbers and categories from a CSV file.

    Args:
        path: the file, in UTF-8.
        columns: names of the columns to read; all when None.
        categories: names of the columns that hold words; they are numbered in sorted order.
        missing: what an empty cell (or `?`, `NA`, `nan`, `null`, `none`) of a column of numbers
            becomes; None makes it an error. In a column of categories it is a word like others.
        header: whether the first line holds the names; else they are `"0"`, `"1"`, ...
        delimiter: what separates cells.

    Returns:
        The table.

    Raises:
        ValueError: a cell is no number or missing, or a line has another number of cells; the
            message gives line and column.
        KeyError: a named column does not exist.
        OSError: the file cannot be opened.

    Example:
        >>> with open("flowers.csv", "w") as file:
        ...     size = file.write("width,kind\\n1.5,rose\\n2.5,aster\\n")
        >>> table = cr.io.read_csv("flowers.csv", categories=["kind"])
        >>> table.values.tolist(), table.categories
        ([[1.5, 1.0], [2.5, 0.0]], {'kind': ['aster', 'rose']})
    """
    where = f"read_csv: {os.fspath(path)!r}"
    with open(path, newline="", encoding="utf-8-sig") as file:
        if columns is None and not categories and file.seekable():
            table = _read_numbers(file, header, delimiter)
            if table is not None:
                return table
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            lines = [(reader.line_num, row) for row in reader if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{where}: line {reader.line_num + 1}: {error}") from None
    if not lines:
        raise ValueError(f"{where}: the file is empty")
    width = len(lines[0][1])
    for line, row in lines:
        if len(row) != width:
            raise ValueError(f"{where}: line {line} has {len(row)} cells; expected {width}")
    names = [name.strip() for name in lines.pop(0)[1]] if header else [*map(str, range(width))]
    if len(set(names)) != width:
        raise ValueError(f"{where}: two columns share a name (got {names})")
    chosen = names if columns is None else list(columns)
    for name in (*chosen, *categories):
        if name not in names:
            raise KeyError(f"{where}: no column {name!r}; expected one of {names}")

    values = np.empty((len(lines), len(chosen)))
    words: dict[str, list[str]] = {}
    for place, name in enumerate(chosen):
        source = names.index(name)
        cells = [(line, row[source].strip()) for line, row in lines]
        if name in categories:
            words[name] = sorted({cell for _, cell in cells})
            number = {word: k for k, word in enumerate(words[name])}
            values[:, place] = [number[cell] for _, cell in cells]
        else:
            values[:, place] = [
                _number(cell, missing, f"{where}: line {line}, column {name!r}")
                for line, cell in cells
            ]
    return Table(chosen, values, words)


def _read_numbers(file: TextIO, header: bool, delimiter: str) -> Table | None:
    """Read a table of nothing but numbers by NumPy's parser, six to ten times as fast as by cells.

    None where anything else occurs: the careful way then reads it, or says what is wrong.
    """
    try:
        first = next(csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True))
        if not header:
            file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # there are no rows
            values = np.loadtxt(file, delimiter=delimiter, comments=None, ndmin=2)
    except (csv.Error, StopIteration, UserWarning, ValueError):
        return None
    names = [name.strip() for name in first] if header else [*map(str, range(len(first)))]
    if len(set(names)) != values.shape[1] or np.isnan(values).any():
        return None
    return Table(names, values, {})


def _number(cell: str, missing: float | None, where: str) -> float:
    if cell.lower() in _MISSING:
        if missing is None:
            raise ValueError(
                f"{where} is missing (got {cell!r}); give `missing` a number to put there, "
                "for example float('nan')"
            )
        return missing
    try:
        return float(cell)
    except ValueError:
        raise ValueError(
            f"{where} holds {cell!r}, which is no number; name the column in `categories`, or "
            "leave it out of `columns`"
        ) from None


def read_svmlight(
    path: str | os.PathLike[str], *, features: int | None = None, zero_based: bool | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Read a file in the svmlight (LIBSVM) format into dense arrays.

    A line is `target index:value index:value ... # comment`; what is not mentioned is zero.

    Args:
        path: the file.
        features: number of columns; the largest index decides when None.
        zero_based: whether indices begin at 0; when None they do where a 0 occurs.

    Returns:
        Values `(rows, features)`, float32, and targets `(rows,)`, float64.

    Raises:
        ValueError: a line is not of this form, or an index is out of range; the message gives the
            line.
        OSError: the file cannot be opened.

    Example:
        >>> with open("small.svm", "w") as file:
        ...     size = file.write("1 1:0.5 3:2\\n-1 2:1\\n")
        >>> x, y = cr.io.read_svmlight("small.svm")
        >>> x.tolist(), y.tolist()
        ([[0.5, 0.0, 2.0], [0.0, 1.0, 0.0]], [1.0, -1.0])
    """
    where = f"read_svmlight: {os.fspath(path)!r}: line "
    targets: list[float] = []
    cells: list[tuple[int, int, int, float]] = []  # line, row, index, value
    with open(path, encoding="utf-8") as file:
        for line, text in enumerate(file, 1):
            words = text.split("#", 1)[0].split()
            if not words:
                continue
            try:
                target = float(words[0])
                for word in words[1:]:
                    name, value = word.split(":")
                    if name != "qid":
                        cells.append((line, len(targets), int(name), float(value)))
            except ValueError:
                raise ValueError(
                    f"{where}{line}: {text.strip()[:60]!r}; expected `target index:value ...`"
                ) from None
            if not math.isfinite(target):
                raise ValueError(f"{where}{line}: the target is {target}")
            targets.append(target)
    if zero_based is None:
        zero_based = any(index == 0 for _, _, index, _ in cells)
    first = 0 if zero_based else 1
    width = max((index + 1 - first for _, _, index, _ in cells), default=0)
    width = width if features is None else features
    for line, _, index, _ in cells:
        if not first <= index < first + width:
            raise ValueError(
                f"{where}{line}: index {index}; expected {first} to {first + width - 1}"
            )
    size = len(targets) * width
    if size > 1 << 31:
        raise ValueError(
            f"read_svmlight: {os.fspath(path)!r}: {len(targets)} rows of {width} features are too "
            "many for a dense array; read a part of them, or set features"
        )
    values = np.zeros((len(targets), width), np.float32)
    for _, row, index, number in cells:
        values[row, index - first] = number
    return values, np.array(targets)
