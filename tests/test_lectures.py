"""Every number the lectures teach, as the scripts of examples/lectures find it."""

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr

LECTURES = Path(__file__).parents[1] / "examples" / "lectures"
sys.path.insert(0, str(LECTURES))

import index  # type: ignore[import-not-found]  # noqa: E402
from finding import ROWS, Finding  # type: ignore[import-not-found]  # noqa: E402

SCRIPTS = index.scripts()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_finding_holds(path: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    cr.manual_seed(0)
    found = list(index.load(path).findings(True))
    assert found, "a script checks something"
    assert [str(finding) for finding in found if not finding.holds] == []
    assert list(tmp_path.iterdir()) == []  # pictures only when asked for


def test_every_row_has_a_script() -> None:
    """The page names each row of each lecture; it is written by the index script."""
    page = index.PAGE.read_text(encoding="utf-8")
    rows = {f"{lecture}.{n}" for lecture, last in ROWS.items() for n in range(1, last + 1)}
    assert {row for row in rows if f"\n| {row} |" not in page} == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_short_and_say_what_they_do(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 250


def test_a_finding_judges() -> None:
    assert Finding("0.1", "x", 2.0, 2.0).holds
    assert not Finding("0.1", "x", 2.0, 2.1).holds
    assert Finding("0.1", "x", "17.6160", 17.61594, 17.61594, within=1e-5).holds
    assert not Finding("0.1", "x", [1.0, 2.0], 1.0).holds
    assert "WRONG" in str(Finding("0.1", "x", True, False))
    assert Finding("0.1", "x", 0.0, -3e-17, within=1e-15).shown == "0"
    assert Finding("0.1", "x", [0.5, 0.25], [0.50004, 0.2499], within=1e-3).shown == "(0.5, 0.25)"
    assert Finding("0.1", "x", 0.0, 2e-15, within=1e-15).shown == "2e-15"  # wrong: as it is
    assert "slip: none" in str(Finding("0.1", "x", True, True, slip="none"))


def test_a_score_is_judged_by_its_bound_and_never_shown_better() -> None:
    assert Finding("0.1", "x", "learns", 0.9547, at_least=0.8).shown == "0.95"
    assert Finding("0.1", "x", "learns", 0.9962, at_least=0.8).shown == "0.99"
    assert Finding("0.1", "x", "learns", 0.8, at_least=0.8).holds
    low = Finding("0.1", "x", "learns", 0.7999, at_least=0.8)
    assert not low.holds
    assert "found 0.7999  WRONG, expected at least 0.8" in str(low)
    assert not Finding("0.1", "x", "learns", float("nan"), at_least=0.8).holds
