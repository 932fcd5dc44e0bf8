"""Run the array API standard's own tests, data-apis/array-api-tests, on chainrule.array_api.

    git clone --recurse-submodules https://github.com/data-apis/array-api-tests DIR
    pip install -r DIR/requirements.txt
    python tools/array_api_suite.py DIR [--keep] [-k EXPRESSION] [--max-examples N]

Tests that cannot pass stand with their reasons in tests/array_api_skips.txt. --keep writes the
counts to tools/parity_results.json, from where tools/parity.py takes them to docs/parity.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SKIPS = ROOT / "tests/array_api_skips.txt"
RESULTS = ROOT / "tools/parity_results.json"

# Where the suite cannot be loaded without complex dtypes, and what helps.
WIDEST = "[(dt, dtype_nbits[dt]) for dt in complex_dtypes], key=lambda x: x[1]"
DEFAULT = ", default=(xp.float64, 64)"


def skips() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of test names, each with its reason: the comment above it."""
    found, reason, written = [], "", True
    for line in SKIPS.read_text().splitlines():
        if line.startswith("#"):
            reason, written = ("" if written else reason + " ") + line.strip("# "), False
        elif line:
            found.append((re.compile(line), reason))
            written = True
    return found


class Plugin:
    """Skips what is listed, and counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.unused: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        used = set()
        for item in items:
            for pattern, reason in skips():
                if pattern.search(item.nodeid):
                    item.add_marker(pytest.mark.skip(reason=f"listed: {reason}"))
                    used.add(pattern.pattern)
        self.unused = [p.pattern for p, _ in skips() if p.pattern not in used]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.counts["failed"] += 1
        elif report.skipped and "listed: " in str(report.longrepr):
            self.counts["skipped for a listed reason"] += 1
        elif report.skipped:
            self.counts["skipped by the suite"] += 1
        elif report.when == "call":
            self.counts["passed"] += 1


def prepare(suite: Path) -> str:
    """Make the suite loadable; returns its commit."""
    helpers = suite / "array_api_tests/dtype_helpers.py"
    text = helpers.read_text()
    if WIDEST in text and WIDEST + DEFAULT not in text:
        helpers.write_text(text.replace(WIDEST, WIDEST + DEFAULT))
    os.environ["ARRAY_API_TESTS_MODULE"] = "chainrule.array_api"
    os.environ["ARRAY_API_TESTS_SKIP_DTYPES"] = "complex64,complex128"
    sys.path.insert(0, str(suite))
    os.chdir(suite)
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--max-examples", type=int, default=100)
    parser.add_argument("-k", default="")
    args = parser.parse_args()
    commit = prepare(args.suite.resolve())
    plugin = Plugin()
    options = [
        "-q",
        "--disable-deadline",
        "--derandomize",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
    ]
    options += [f"--max-examples={args.max_examples}", "-k", args.k, "array_api_tests"]
    pytest.main(options, plugins=[plugin])
    print(dict(plugin.counts))
    if plugin.unused and not args.k:
        print("patterns that match no test:", *plugin.unused, sep="\n")
        return 1
    if args.keep:
        from chainrule.array_api import __array_api_version__

        kept = json.loads(RESULTS.read_text())
        kept["array_api"] = {
            "version": f"version {__array_api_version__} (array-api-tests at {commit})",
            "command": "python tools/array_api_suite.py DIR --keep",
            "counts": {"failed": 0, **plugin.counts},
        }
        RESULTS.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    return int(bool(plugin.counts["failed"]))


if __name__ == "__main__":
    sys.exit(main())
