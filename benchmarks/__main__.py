"""Command line of the benchmark driver."""

from __future__ import annotations

import argparse
import fnmatch
import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import machine, peak, problems, targets
from benchmarks.driver import Settings, WorkerDied, run
from benchmarks.figures import Run, summaries
from benchmarks.library import LIBRARIES, SUBJECT, installed
from benchmarks.problem import Problem
from benchmarks.report import to_json, to_line, to_markdown


def parser() -> argparse.ArgumentParser:
    """The options."""
    peers = [name for name in LIBRARIES if name != SUBJECT]
    options = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time chainrule beside its peers, each in its own process and in turn.",
    )
    options.add_argument("--quick", action="store_true", help="a minute's selection")
    options.add_argument(
        "--only",
        metavar="GROUP|PATTERN",
        help="groups or patterns of group/name, comma separated: matmul,conv*,*relu*",
    )
    options.add_argument(
        "--peers", default=",".join(peers), help="default: those installed of %(default)s"
    )
    options.add_argument(
        "--threads",
        default=str(machine.cpu_count()),
        metavar="N,...",
        help="thread counts, comma separated (default: %(default)s); some rows have their own",
    )
    options.add_argument("--rounds", type=int, metavar="R", help="turns per library")
    options.add_argument("--json", type=Path, metavar="FILE")
    options.add_argument("--markdown", type=Path, metavar="FILE")
    options.add_argument("--list", action="store_true", help="print the problems and stop")
    return options


def select(table: Sequence[Problem], only: str | None, quick: bool) -> list[Problem]:
    """The problems that the options ask for."""
    chosen = [problem for problem in table if problem.quick or not quick]
    if only is None:
        return chosen
    patterns = only.split(",")
    return [
        problem
        for problem in chosen
        if any(p == problem.group or fnmatch.fnmatchcase(problem.key, p) for p in patterns)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the driver; returns the exit code: 1 where chainrule failed a row."""
    options = parser().parse_args(arguments)
    table = select(list(problems.load().values()), options.only, options.quick)
    if not table:
        print(f"benchmarks: --only {options.only} selects no problem", file=sys.stderr)
        return 2
    if options.list:
        for problem in table:
            print(f"{problem.key}{'  (quick)' if problem.quick else ''}")
        return 0
    peers = options.peers.split(",")
    unknown = [name for name in peers if name and name not in LIBRARIES]
    threads = sorted({int(each) if each.isdecimal() else 0 for each in options.threads.split(",")})
    if unknown or threads[0] < 1 or (options.rounds is not None and options.rounds < 1):
        print(f"benchmarks: no such peer or count: {unknown}", file=sys.stderr)
        return 2
    names = [name for name in LIBRARIES if name in [SUBJECT, *peers] and installed(name)]
    settings = Settings(count=2, rounds=3, budget_seconds=0.5) if options.quick else Settings()
    if options.rounds is not None:
        settings = replace(settings, rounds=options.rounds)

    start = time.monotonic()
    if SUBJECT not in names:
        print(f"warning: {SUBJECT} is not installed, so there are no ratios", file=sys.stderr)
    if machine.load() > 0.5 * machine.cpu_count():
        print(
            f"warning: load {machine.load():.1f} on {machine.cpu_count()} CPUs; while others work,"
            " threaded rows say little",
            file=sys.stderr,
        )
    facts = machine.facts()
    peaks = {
        key: figure
        for key in dict.fromkeys(
            (problem.dtype, count)
            for problem in table
            if problem.flops
            for count in problem.counts(threads)
        )
        if (figure := peak.measure(*key)) is not None
    }
    try:
        rows, libraries = run(
            table, names, threads, settings, lambda row: print(to_line(row), flush=True)
        )
    except WorkerDied as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    command = shlex.join(["python", "-m", "benchmarks", *(arguments or sys.argv[1:])])
    finished = Run(facts, libraries, command, settings, peaks, rows)
    for peer, counts in summaries(rows).items():
        for count, each in counts.items():
            print(
                f"{peer} / {SUBJECT} @{count}: geometric mean {each.best:.2f}"
                f" over {each.rows} rows, worst {each.worst:.2f} ({each.worst_row})"
            )
    for line in targets.to_lines(rows):
        print(line)
    print(f"{len(rows)} rows in {time.monotonic() - start:.0f} s")
    for path, text in (
        (options.json, lambda: json.dumps(to_json(finished), indent=1) + "\n"),
        (options.markdown, lambda: to_markdown(finished)),
    ):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text())
    return int(any(row.results[SUBJECT].error for row in rows if SUBJECT in row.results))


if __name__ == "__main__":
    sys.exit(main())
