"""The text of tensors against torch's, over values, shapes and printing options."""

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")

OPTIONS: list[dict[str, Any]] = [
    {},
    {"precision": 2},
    {"precision": 8, "linewidth": 60},
    {"threshold": 5, "edgeitems": 1},
    {"linewidth": 40},
    {"sci_mode": True},
    {"sci_mode": False},
    {"profile": "short"},
    {"profile": "full", "linewidth": 120},
]
SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 4), (40,), (0,), (0, 3), (2, 1200), (1100,), (2, 2, 2, 2)]


def _values(shape: tuple[int, ...]) -> list[Any]:
    n = np.random.default_rng(0).standard_normal(shape)
    special = np.where(n > 0.5, np.nan, np.where(n < -1, np.inf, n))
    wide = [n, n * 1e5, n * 1e-6, np.round(n * 10), np.exp(n * 5), special]
    return [
        *(np.asarray(v, dtype) for v in wide for dtype in (np.float32, np.float64)),
        np.asarray(n * 100, np.int64),
        np.asarray(n * 10, np.int32),
        np.asarray(n > 0),
    ]


def _plain(text: str) -> str:
    """Without what is ours: the shape of a summary, the name in a dtype (which moves lines)."""
    text = re.sub(r",\s+shape=\([^)]*\)", "", text.replace("chainrule.", "torch."))
    return re.sub(r",\s+(dtype|size)=", r", \1=", text)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_repr(options: dict[str, Any]) -> None:
    try:
        for module in (torch, cr):
            module.set_printoptions(profile="default")
            module.set_printoptions(**options)
        for shape in SHAPES:
            for value in _values(shape):
                ours, theirs = repr(cr.tensor(value)), repr(torch.tensor(value))
                assert _plain(ours) == _plain(theirs)
    finally:
        for module in (torch, cr):
            module.set_printoptions(profile="default")
