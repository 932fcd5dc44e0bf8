"""Every lesson runs, quickly, without a warning, and checks itself."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LESSONS = sorted((Path(__file__).parents[1] / "examples").glob("[0-9]*.py"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", path, "--small"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) >= 3
    assert list(tmp_path.iterdir()) == []


def test_lessons_are_numbered_and_short():
    assert len(LESSONS) >= 6
    for number, path in enumerate(LESSONS, start=1):
        source = path.read_text(encoding="utf-8")
        assert re.fullmatch(rf"0{number}_[a-z0-9_]+\.py", path.name)
        assert ast.get_docstring(ast.parse(source)).startswith(f"Lesson {number}: ")
        assert len(source.splitlines()) <= 70


def test_lessons_are_typed():
    """A checker in its strictest mode finds nothing wrong with the lessons, nor with our stubs."""
    pytest.importorskip("mypy")
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *LESSONS],
        cwd=root,
        env=os.environ | {"MYPYPATH": str(root / "python")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
