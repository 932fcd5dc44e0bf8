"""Write docs/parity.md: which of torch's names chainrule has, from the package itself.

    python tools/parity.py                      write the page
    python tools/parity.py --check              exit 1 if the page is not what would be written
    python tools/parity.py --verify             compare the lists of names with the installed torch
    python tools/parity.py --count op_db        run torch's databases and keep the counts
    python tools/parity.py --count module_db

torch's names and their priorities stand in tools/torch_names.json, the counts in
tools/parity_results.json; only --verify and --count need torch.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from chainrule import _absent

ROOT = Path(__file__).resolve().parent.parent
NAMES = ROOT / "tools/torch_names.json"
RESULTS = ROOT / "tools/parity_results.json"
PAGE = ROOT / "docs/parity.md"

PRIORITIES = {"M": "must", "S": "should", "L": "later", "N": "not planned", "-": ""}

# Where torch's namespaces are here.
PLACES = {
    "torch.Tensor": ("chainrule", "Tensor"),
    "torch": ("chainrule", ""),
    "torch.autograd": ("chainrule.autograd", ""),
    "torch.func": ("chainrule.func", ""),
    "torch.linalg": ("chainrule.linalg", ""),
    "torch.nn": ("chainrule.nn", ""),
    "torch.nn.functional": ("chainrule.nn.functional", ""),
    "torch.nn.init": ("chainrule.nn.init", ""),
    "torch.nn.utils": ("chainrule.nn.utils", ""),
    "torch.optim": ("chainrule.optim", ""),
    "torch.optim.lr_scheduler": ("chainrule.optim.lr_scheduler", ""),
    "torch.utils.data": ("chainrule.data", ""),
}

# Names with priority M or S that are left out for a reason.
EXCEPTIONS = {
    "torch.autograd.Variable": "torch's own alias of Tensor from before 0.4; use tensor",
    "torch.autograd.grad_mode": "no_grad and its kin are in chainrule.autograd and chainrule",
    "torch.autograd.anomaly_mode": "see detect_anomaly",
}

COUNTS = {
    "op_db": ("tests/peers/test_op_db.py", "torch's operator samples (`op_db`)"),
    "module_db": ("tests/peers/test_module_db.py", "torch's module samples (`module_db`)"),
    "array_api": ("", "the array API standard's own tests"),
}


def names() -> dict[str, dict[str, str]]:
    """Priority of each of torch's names, by namespace."""
    lists = json.loads(NAMES.read_text())
    return {
        space: {
            name: priority
            for priority, lines in by_priority.items()
            for name in " ".join(lines).split()
        }
        for space, by_priority in lists.items()
    }


def home(space: str) -> Any:
    """The module or class that stands for torch's namespace; None when there is none yet."""
    module, attribute = PLACES[space]
    try:
        place: Any = importlib.import_module(module)
    except ModuleNotFoundError:
        return None
    return getattr(place, attribute) if attribute else place


def status(space: str, name: str, priority: str) -> tuple[str, str]:
    """Whether a name is here (yes, no), and a note."""
    path = space.removeprefix("torch").removeprefix(".")
    if f"{space}.{name}" in EXCEPTIONS:
        return "no", EXCEPTIONS[f"{space}.{name}"]
    place = home(space)
    if place is not None and hasattr(place, name):
        return "yes", ""
    return "no", _absent.hint(path, name) or ""


def table() -> dict[str, list[tuple[str, str, str, str]]]:
    """Rows (name, priority, status, note) by namespace."""
    return {
        space: [
            (name, priority, *status(space, name, priority))
            for name, priority in sorted(found.items(), key=lambda item: item[0].lower())
        ]
        for space, found in names().items()
    }


def missing() -> list[str]:
    """Names with priority M or S that are neither here nor excepted."""
    return [
        f"{space}.{name}"
        for space, rows in table().items()
        for name, priority, state, _ in rows
        if priority in "MS" and state == "no" and f"{space}.{name}" not in EXCEPTIONS
    ]


def _counts() -> list[str]:
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    lines = ["## Counts", ""]
    for key, (_, what) in COUNTS.items():
        result = kept.get(key)
        if result is None:
            lines.append(f"- Against {what}: not counted yet.")
            continue
        figures = ", ".join(f"{value:,} {name}" for name, value in result["counts"].items())
        lines.append(f"- Against {what}, {result['version']}: {figures}. `{result['command']}`")
    return [*lines, ""]


def page() -> str:
    """The text of docs/parity.md."""
    rows = table()
    lines = [
        "# torch's names in chainrule",
        "",
        "Written by `python tools/parity.py` from the package itself; a test keeps it current. The",
        "priorities: M must, S should, L later, N not planned, none: not ranked.",
        "",
        "| namespace | M | S | L | N | not ranked |",
        "|---|---|---|---|---|---|",
    ]
    for space, found in rows.items():
        total = Counter(priority for _, priority, _, _ in found)
        here = Counter(priority for _, priority, state, _ in found if state == "yes")
        cells = [f"{here[p]} of {total[p]}" if total[p] else "" for p in PRIORITIES]
        lines.append(f"| {space} | " + " | ".join(cells) + " |")
    lines += ["", *_counts()]
    for space, found in rows.items():
        lines += [f"## {space}", "", "| name | priority | here | note |", "|---|---|---|---|"]
        for name, priority, state, note in found:
            lines.append(f"| `{name}` | {priority.strip('-')} | {state} | {note} |")
        lines.append("")
    return "\n".join(lines)


def verify() -> list[str]:
    """How the lists of names differ from the installed torch's."""
    import inspect

    import torch

    differences = []
    for space, found in names().items():
        place: Any = torch.Tensor if space == "torch.Tensor" else importlib.import_module(space)
        gone = sorted(name for name in found if not hasattr(place, name))
        differences += [f"{space}.{name} is not in torch {torch.__version__}" for name in gone]
        if space in ("torch.Tensor", "torch"):
            public = {
                name
                for name in dir(place)
                if not name.startswith("_")
                and (space == "torch.Tensor" or callable(getattr(place, name)))
                and not inspect.isclass(getattr(place, name, None))
                and not inspect.ismodule(getattr(place, name, None))
            }
            differences += [f"{space}.{name} is not listed" for name in sorted(public - set(found))]
    return differences


def count(key: str) -> None:
    """Run one of torch's databases and keep its counts."""
    import torch

    path = COUNTS[key][0]
    if not path:
        raise SystemExit(f"the counts of {key} come from tools/array_api_suite.py --keep")
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.count()
    if key == "module_db":  # samples that agree, of how many, by module
        agree, samples = (sum(pair[i] for pair in found.values()) for i in (0, 1))
        whole = sum(a == b > 0 for a, b in found.values())
        found = {
            "modules": len(found),
            "of them agree on every sample": whole,
            "samples": samples,
            "agree": agree,
        }
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[key] = {
        "version": f"torch {torch.__version__.split('+')[0]}",
        "command": f"python tools/parity.py --count {key}",
        "counts": found,
    }
    RESULTS.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--count", choices=sorted(COUNTS))
    args = parser.parse_args()
    if args.verify:
        differences = verify()
        print(*differences, sep="\n")
        return bool(differences)
    if args.count:
        count(args.count)
    text = page()
    if args.check:
        return PAGE.read_text() != text
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
