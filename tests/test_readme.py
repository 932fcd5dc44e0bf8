"""The README keeps its word: its example runs, its errors are real, its links lead somewhere."""

import doctest
import re
from pathlib import Path

import pytest

import chainrule as cr

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.smoke
def test_the_first_block_holds_the_two_commands():
    first = re.search(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert first[1] == "bash"
    lines = first[2].splitlines()
    assert lines[0::2] == ["# run", "# test"]
    run, test = (command.split(" && ") for command in lines[1::2])
    for make, install, use in (run, test):
        environment = make.removeprefix("python3 -m venv ")
        assert re.fullmatch(r"\.venv[a-z-]*", environment)
        assert install.startswith(f'{environment}/bin/pip install ".[')
        assert use.startswith(f"{environment}/bin/")
    assert run[2].endswith("/chainrule digits")
    assert test[2].endswith("/python -m pytest")


@pytest.mark.smoke
def test_the_example_runs_as_printed(tmp_path, monkeypatch, capsys):
    example = blocks("python")[0]
    assert len(example.strip().splitlines()) <= 20
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith("accuracy 100%")
    assert cr.load_file(tmp_path / "spirals.safetensors")


def test_the_errors_are_what_the_readme_shows():
    [session] = blocks("pycon")
    test = doctest.DocTestParser().get_doctest(session, {}, "README.md", "README.md", 0)
    assert len(test.examples) >= 4
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("page", PAGES)
def test_local_links_exist(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_layout_names_what_is_there():
    [tree] = [block for block in blocks("text") if "csrc/" in block]
    for line in tree.splitlines():
        path = line.split()[0]
        assert (ROOT / path).exists(), path


def test_every_extra_named_exists():
    tomllib = pytest.importorskip("tomllib", reason="new in Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pages = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:\.|chainrule)\[(\w+)\]", pages))
    assert {"examples", "test"} <= named <= project["optional-dependencies"].keys()
