"""autograd.profiler: what ran, how long, and what it costs when off."""

import json
import threading
import time

import pytest

import chainrule as cr
from chainrule.autograd import profiler


def test_every_op_is_there_with_its_time() -> None:
    x = cr.randn(300, 300, requires_grad=True)
    start = time.perf_counter()
    with profiler.profile() as prof:
        (x @ x).relu().sum().backward()
    elapsed = (time.perf_counter() - start) * 1e6
    names = [event.name for event in prof.function_events]
    assert names[:3] == ["matmul", "relu", "sum"]
    assert "_relu_grad" in names
    assert names.count("matmul") >= 3  # the product and its two gradients
    assert all(event.cpu_time_total > 0 for event in prof.function_events)
    assert 0 < prof.self_cpu_time_total <= elapsed
    starts = [event.start_us for event in prof.function_events]
    assert starts == sorted(starts)


def test_inner_ops_count_for_themselves() -> None:
    with profiler.profile() as prof, profiler.record_function("outer"):
        cr.rand(1000).exp()
        time.sleep(0.002)
    outer, *inner = prof.function_events
    assert outer.name == "outer"
    inside = sum(event.self_cpu_time_total for event in inner)
    assert outer.cpu_time_total >= 2000
    assert outer.self_cpu_time_total == pytest.approx(outer.cpu_time_total - inside)


def test_sums_and_table() -> None:
    with profiler.profile() as prof:
        for _ in range(3):
            x = cr.ones(10)
            x.add_(1)
    sums = {row.key: row for row in prof.key_averages()}
    assert sums["add_"].count == 3
    assert sums["add_"].cpu_time == pytest.approx(sums["add_"].cpu_time_total / 3)
    lines = str(prof).splitlines()
    assert lines[0].split() == ["name", "self", "us", "share", "total", "us", "mean", "us", "calls"]
    assert len(prof.table(row_limit=1).splitlines()) == 3
    assert prof.table(sort_by="count", row_limit=1) != ""
    with pytest.raises(ValueError, match=r"sort_by must be one of .*got 'size'"):
        prof.table(sort_by="size")


def test_trace(tmp_path) -> None:
    with profiler.profile() as prof:
        cr.ones(3).exp()
    prof.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event["name"] for event in events] == [e.name for e in prof.function_events]
    assert all(event["ph"] == "X" and event["dur"] >= 0 for event in events)


def test_threads_have_their_numbers() -> None:
    with profiler.profile() as prof:
        cr.ones(3).exp()
        thread = threading.Thread(target=lambda: cr.ones(3).log())
        thread.start()
        thread.join()
    by_name = {event.name: event.thread for event in prof.function_events}
    assert by_name["exp"] != by_name["log"]


def test_off_and_one_at_a_time() -> None:
    with profiler.profile(enabled=False) as prof:
        cr.ones(3).exp()
    assert prof.function_events == []
    with profiler.profile(), pytest.raises(RuntimeError, match="another profile is running"):
        profiler.profile().__enter__()
    with profiler.profile() as prof:
        pass
    assert prof.function_events == []
    with profiler.record_function("nobody listens"):
        cr.ones(3).exp()
    watch = profiler.profile()
    with pytest.raises(ZeroDivisionError), watch as prof:
        _ = cr.ones(3).exp(), 1 / 0
    assert "exp" in [event.name for event in prof.function_events]
