"""Runs every lecture script and writes the index page: python examples/lectures/index.py"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from finding import ROWS, Finding, text

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "lectures.md"
TITLES = {
    0: "L0: understand the maths behind deep learning (a Torch7 talk, 2018)",
    1: 'L1: deep learning, an introduction (after "Deep Learning with Python")',
    2: "L2: handwritten notes on vanishing gradients, training tips, CNN and RNN",
    3: "L3: deep learning (an introductory tutorial by a university lecturer)",
    4: "L4: seminar slides, a two-layer network and matrix derivatives",
}
HEAD = """# The lectures

Written by `python examples/lectures/index.py`: what five introductory lectures state beside what
chainrule computes. Each row names its script, which prints the same. *Slip* says where a lecture is
wrong, and the number found is then the right one.
"""


def scripts() -> list[Path]:
    """The scripts, in order."""
    return sorted(HERE.glob("[0-9]*.py"))


def load(path: Path) -> ModuleType:
    """A script as a module, its main part not run."""
    spec = importlib.util.spec_from_file_location(f"lecture_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def place(row: str) -> tuple[int, int]:
    """The lecture and the number within it."""
    lecture, number = row.split(".")
    return int(lecture), int(number)


def page(found: list[tuple[str, Finding]]) -> str:
    """The index page for (script name, finding) pairs."""
    lines = [HEAD]
    for lecture in ROWS:
        lines += [f"## {TITLES[lecture]}", ""]
        lines += ["| row | script | what | taught | found | slip |", "|---|---|---|---|---|---|"]
        mine = [pair for pair in found if place(pair[1].row)[0] == lecture]
        for name, finding in sorted(mine, key=lambda pair: place(pair[1].row)):
            cells = [
                finding.row,
                f"[{name}](../examples/lectures/{name})",
                finding.what,
                text(finding.taught),
                finding.shown,
                finding.slip,
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run every script in its small mode and write the page."""
    found = [(path.name, f) for path in scripts() for f in load(path).findings(True)]
    PAGE.write_text(page(found), encoding="utf-8")
    print(f"{len(found)} findings, {sum(not f.holds for _, f in found)} wrong: {PAGE.name}")


if __name__ == "__main__":
    main()
