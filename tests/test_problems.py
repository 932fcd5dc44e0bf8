"""The list of problems: fifteen short scripts, each with a score that reaches its bound.

`test_lectures.py` runs them through the lectures' row 0.2; here they run as scripts do.
"""

import ast
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

PROBLEMS = Path(__file__).parents[1] / "examples" / "problems"
SCRIPTS = sorted(PROBLEMS.glob("[0-9]*.py"))
sys.path.insert(0, str(PROBLEMS))

import problem  # type: ignore[import-not-found]  # noqa: E402


def test_there_are_fifteen_and_they_are_short() -> None:
    assert [path.name[:3] for path in SCRIPTS] == [f"{n:02}_" for n in range(1, 16)]
    for path in SCRIPTS:
        source = path.read_text(encoding="utf-8")
        name = path.stem[3:].replace("_", " ")
        first = ast.get_docstring(ast.parse(source)).splitlines()[0]
        assert first.replace("-", " ").lower().startswith(name), first
        assert len(source.splitlines()) <= 60


@pytest.mark.parametrize("number", [3, 12, 15])
def test_a_script_prints_its_score(number: int, monkeypatch: Any, capsys: Any) -> None:
    path = SCRIPTS[number - 1]
    monkeypatch.setattr(sys, "argv", [str(path), "--small"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out
    bound = float(said.split("at least ")[1])
    assert bound <= float(said.split()[1].rstrip(",")) <= 1


def test_a_score_below_its_bound_fails(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["script"])

    def score(small: bool) -> float:
        return 0.4

    with pytest.raises(SystemExit, match="1"):
        problem.main(score, 0.5)
    assert capsys.readouterr().out == "score 0.400, at least 0.5\n"
