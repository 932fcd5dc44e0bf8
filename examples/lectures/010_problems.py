"""The list of machine learning problems: a script for each, its score on new data and its bound.

The scripts are in examples/problems; every score is 1 at best.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from finding import Finding, main
from index import load

PROBLEMS = Path(__file__).resolve().parents[1] / "problems"
sys.path.insert(0, str(PROBLEMS))


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.2."""
    for path in sorted(PROBLEMS.glob("[0-9]*.py")):
        script = load(path)
        bound = script.BOUND
        yield Finding(
            "0.2",
            script.__doc__.splitlines()[0].rstrip("."),
            f"at least {bound}",
            script.score(small),
            at_least=bound,
        )


if __name__ == "__main__":
    main(findings)
