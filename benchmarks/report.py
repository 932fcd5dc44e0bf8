"""The report of a run, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.driver import Result, Row
from benchmarks.figures import Run, Summary, counted, rate, ratios, share, summaries
from benchmarks.library import SUBJECT
from benchmarks.targets import Verdict, short_text, verdicts


def to_json(run: Run) -> dict[str, Any]:
    """Everything, samples included."""

    def result(row: Row, one: Result) -> dict[str, Any]:
        if not one.usable:
            return {"error": one.error} if one.error else {"skip": one.skip}
        figures: dict[str, Any] = {"best": one.best, "median": one.median}
        work, part = rate(row, one), share(run, row, one)
        if work is not None:
            figures[work[1]] = work[0]
        if part is not None:
            figures["share of peak"] = part
        return figures | {"number": one.number, "values": one.values}

    return {
        "machine": dict(run.machine),
        "libraries": {name: dict(facts) for name, facts in run.libraries.items()},
        "command": run.command,
        "settings": asdict(run.settings),
        "peaks": [
            {"dtype": dtype, "threads": threads, "flops": peak}
            for (dtype, threads), peak in run.peaks.items()
        ],
        "rows": [
            {
                "group": row.problem.group,
                "name": row.problem.name,
                "threads": row.threads,
                "dtype": row.problem.dtype,
                "unit": row.problem.unit,
                "results": {name: result(row, one) for name, one in row.results.items()},
                "ratios": ratios(row),
            }
            for row in run.rows
        ],
        "summary": {
            group: {
                peer: {threads: asdict(each) for threads, each in counts.items()}
                for peer, counts in summaries(rows).items()
            }
            for group, rows in run.groups.items()
        },
        "targets": [
            {
                "name": one.target.name,
                "peer": one.target.peer,
                "threads": one.threads,
                "wanted": {"mean": one.target.mean, "worst": one.target.worst},
                "summary": one.summary and asdict(one.summary),
                "short": [row.problem.key for row, _, _ in one.short],
                "holds": one.holds,
            }
            for one in verdicts(run.rows)
        ],
    }


def figure(value: float, unit: str) -> str:
    """Three digits in a fitting unit, or a bare factor."""
    if unit == "x":
        return f"{value:.2f}"
    scales = {
        "s": ((1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s")),
        "B": ((1e3, "kB"), (1e6, "MB"), (1e9, "GB")),
    }[unit]
    scale, name = next((each for each in scales if value < 999.5 * each[0]), scales[-1])
    return f"{value / scale:.{3 - len(str(int(value / scale)))}f} {name}"


def cell(row: Row, result: Result | None) -> str:
    """Best and median, or why there is neither."""
    if result is None or (not result.usable and not result.error):
        return "-"
    if not result.usable:
        return "failed"
    unit = row.problem.unit
    return f"{figure(result.best, unit)} ({figure(result.median, unit)})"


def ratio_cell(ratio: Mapping[str, float] | None) -> str:
    """Ratio of the best times, with that of the medians."""
    return "-" if ratio is None else f"**{ratio['best']:.2f}** ({ratio['median']:.2f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table: first column to the left, figures to the right."""
    align = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(line) + " |" for line in (header, align, *rows)]


def work_cell(run: Run, row: Row, result: Result | None) -> str:
    """Rate and share of the peak."""
    work = rate(row, result) if result is not None and result.usable else None
    if result is None or work is None:
        return ""
    part = share(run, row, result)
    digits = 0 if work[0] >= 10 else 2
    return f"{work[0]:.{digits}f} {work[1]}" + (f", {part:.0%}" if part is not None else "")


def group_table(run: Run, rows: Sequence[Row]) -> list[str]:
    """The table of one group."""
    names = list(dict.fromkeys(name for row in rows for name in row.results))
    peers = [name for name in names if name != SUBJECT]
    measured = any(row.problem.flops or row.problem.bytes for row in rows)
    header = ["problem", "threads", SUBJECT]
    header += ["rate, share of peak"] if measured else []
    header += [text for peer in peers for text in (peer, f"{peer} / {SUBJECT}")]
    lines = []
    for row in rows:
        subject, own = row.results.get(SUBJECT), ratios(row)
        line = [row.problem.name, str(row.threads), cell(row, subject)]
        line += [work_cell(run, row, subject)] if measured else []
        for peer in peers:
            line += [cell(row, row.results.get(peer)), ratio_cell(own.get(peer))]
        lines.append(line)
    return table(header, lines)


def summary_table(run: Run) -> list[str]:
    """Geometric mean and worst row of each group, by peer and thread count."""

    def cells(summary: Summary | None) -> list[str]:
        if summary is None:
            return ["-", "-"]
        ratio = {"best": summary.best, "median": summary.median}
        return [ratio_cell(ratio), f"{summary.worst:.2f} {summary.worst_row}"]

    return table(
        ["group", "peer", "rows"]
        + [
            text
            for threads in run.threads
            for text in (f"{counted(threads, 'thread')}: mean", "worst row")
        ],
        [
            [group, peer, str(max(each.rows for each in counts.values()))]
            + [text for threads in run.threads for text in cells(counts.get(threads))]
            for group, rows in run.groups.items()
            for peer, counts in summaries(rows).items()
        ],
    )


def target_table(run: Run) -> list[str]:
    """What is wanted and what was reached, then the rows that are short."""
    found: dict[tuple[str, str], dict[int, Verdict]] = {}
    for one in verdicts(run.rows):
        against = one.target.peer or "the fastest"
        found.setdefault((one.target.name, against), {})[one.threads] = one

    def cell(one: Verdict | None) -> str:
        if one is None:
            return "-"
        reached = "-"
        if one.summary is not None:
            reached = f"**{one.summary.best:.2f}**, {one.summary.worst:.2f}"
        short = ["mean"] * (not one.mean_holds) + [counted(len(one.short), "row")] * bool(one.short)
        return f"{reached}: " + (f"{' and '.join(short)} short" if short else "holds")

    lines = table(
        ["target", "against", "wanted", *[counted(threads, "thread") for threads in run.threads]],
        [
            [name, against, f"{target.mean:g}, {target.worst:g}"]
            + [cell(counts.get(threads)) for threads in run.threads]
            for (name, against), counts in found.items()
            for target in [next(iter(counts.values())).target]
        ],
    )
    short = [
        f"- {name}, against {against}, {counted(threads, 'thread')}: {short_text(one)}"
        for (name, against), counts in found.items()
        for threads, one in counts.items()
        if one.short
    ]
    return [*lines, "", "Short of the worst row wanted:", "", *short] if short else lines


def to_markdown(run: Run) -> str:
    """The page: machine, targets, summary, a table per group, failures."""
    machine = ", ".join(f"{key}: {value}" for key, value in run.machine.items() if value)
    versions = ", ".join(f"{name} {facts['version']}" for name, facts in run.libraries.items())
    extra = [
        f"- {name}: " + ", ".join(f"{key} {value}" for key, value in facts.items())
        for name, facts in run.libraries.items()
        if len(facts) > 1
    ]
    peaks = ", ".join(
        f"{dtype} on {counted(threads, 'thread')}: {peak * 1e-9:.0f} GFLOP/s"
        for (dtype, threads), peak in run.peaks.items()
    )
    settings = run.settings
    lines = [
        "# Benchmarks",
        "",
        "Written by the driver; `benchmarks/README.md` tells how the figures come about.",
        "Every time is *best (median)*; every ratio is *peer / chainrule* of the best times and,",
        "in parentheses, of the medians: above one, chainrule is faster.",
        "",
        f"- command: `{run.command}`",
        f"- {machine}",
        f"- {versions}",
        *extra,
        f"- multiply-add peak, {peaks}" if peaks else "- multiply-add peak: not measured",
        f"- up to {settings.rounds} rounds of {settings.count} samples of at least"
        f" {settings.sample_seconds * 1e3:g} ms, {settings.budget_seconds:g} s a problem",
        "",
        "## Targets",
        "",
        "The geometric mean and the worst row of the ratios of best times.",
        "",
        *target_table(run),
        "",
        "## Summary",
        "",
        *summary_table(run),
    ]
    threads = ",".join(map(str, run.threads))
    for group, rows in run.groups.items():
        command = f"python -m benchmarks --only {group} --threads {threads}"
        lines += ["", f"## {group}", "", f"`{command}`", "", *group_table(run, rows)]
    failures = [
        f"- {name}, {row.key}: {one.error}"
        for row in run.rows
        for name, one in row.results.items()
        if one.error
    ]
    if failures:
        lines += ["", "## Failures", "", *failures]
    return "\n".join(lines) + "\n"


def to_line(row: Row) -> str:
    """One line for the terminal while the run goes on."""
    parts = []
    own = ratios(row)
    for name, one in row.results.items():
        if one.usable:
            text = f"{name} {figure(one.best, row.problem.unit)}"
            parts.append(text + (f" ({own[name]['best']:.2f}x)" if name in own else ""))
        elif one.error:
            parts.append(f"{name} FAILED: {one.error}")
    return f"{row.key:<65} " + "  ".join(parts)
