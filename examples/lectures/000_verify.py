"""The talk's goal, "running some code to verify the theory": every number of lecture 0.

Run, it prints what each script of the lecture finds: what the slide says, what chainrule computes,
and where the slide slips.
"""

from collections.abc import Iterator

import index
from finding import Finding, main


def statements(pattern: str, small: bool) -> Iterator[Finding]:
    """What the scripts with such names find."""
    for path in sorted(index.HERE.glob(pattern)):
        yield from index.load(path).findings(small)


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.1, over the slides' own numbers, those of 003 to 009; the scripts after train."""
    found = list(statements("00[1-9]_*.py", small))
    yield Finding(
        "0.1",
        "statements of rows 0.3 to 0.10 that running code verifies, of so many",
        len(found),
        sum(finding.holds for finding in found),
    )
    yield Finding(
        "0.1",
        "the rows among them where the slide slips",
        "none",
        ", ".join(dict.fromkeys(finding.row for finding in found if finding.slip)),
        "0.4, 0.5, 0.8, 0.9, 0.10",
    )


def everything(small: bool) -> Iterator[Finding]:
    """All of the lecture's rows, the first last."""
    yield from statements("00[1-9]_*.py", small)
    yield from statements("01[0-9]_*.py", small)
    yield from findings(small)


if __name__ == "__main__":
    main(everything)
