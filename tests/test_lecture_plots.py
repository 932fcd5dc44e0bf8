"""The pictures of examples/lectures draw what they say."""

import sys
from pathlib import Path
from typing import Any

import pytest

LECTURES = Path(__file__).parents[1] / "examples" / "lectures"
sys.path.insert(0, str(LECTURES))

import index  # type: ignore[import-not-found]  # noqa: E402
from finding import Finding, main  # type: ignore[import-not-found]  # noqa: E402

figure = pytest.importorskip("matplotlib.figure", reason="matplotlib draws the pictures")


def drawn(name: str) -> Any:
    """The axes a script drew into, and what it calls its lines."""
    axes = figure.Figure().subplots()
    index.load(LECTURES / f"{name}.py").plot(axes)
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    return axes, {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def test_main_writes_the_picture(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--plot", str(tmp_path / "line.png")])
    with pytest.raises(SystemExit, match="0"):
        main(lambda small: iter([Finding("0.1", "x", 1, 1)]), lambda axes: axes.plot([1, 2]))
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
