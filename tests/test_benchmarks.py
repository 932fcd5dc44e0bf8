"""The benchmark driver: its tables, checks, worker protocol and reports. No timing is asserted."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import __main__ as cli
from benchmarks import problems, reference
from benchmarks.driver import Result, Row, Settings, WorkerProcess, run_problem
from benchmarks.figures import Run, geometric_mean, ratios, summaries
from benchmarks.library import SUBJECT, Library, NumPy, Unsupported
from benchmarks.problem import Expression, Problem, Task
from benchmarks.report import to_json, to_markdown
from benchmarks.targets import TARGETS, Target, to_lines, verdict
from benchmarks.worker import Worker

TABLE = problems.load()
SHORT = Settings(rounds=2, count=2, sample_seconds=1e-5)


# --- the tables -------------------------------------------------------------------------------


def test_every_group_is_part_of_the_quick_run() -> None:
    groups = {problem.group for problem in TABLE.values()}
    assert {problem.group for problem in TABLE.values() if problem.quick} == groups


@pytest.mark.parametrize("key", [k for k, p in TABLE.items() if isinstance(p, Expression)])
def test_expression_rows_are_complete(key: str) -> None:
    problem = TABLE[key]
    assert isinstance(problem, Expression)
    assert problem.torch is not None
    assert problem.numpy or problem.exact, "nothing to check the answer against"
    assert set(problem.grads) <= set(problem.inputs)
    for line in (problem.torch, problem.numpy, problem.jax, problem.exact):
        if line is not None:
            compile(line, key, "eval")
    if problem.grads and problem.jax is not None:
        assert "value_and_" in problem.jax, "XLA would leave the forward pass out"


@pytest.mark.parametrize(
    "group", ["matmul", "conv", "conv-backward", "recurrent", "train", "infer"]
)
def test_compute_bound_rows_count_their_work(group: str) -> None:
    rows = [problem for problem in TABLE.values() if problem.group == group]
    assert rows
    assert all(problem.flops > 0 for problem in rows)


def test_flops_of_known_problems() -> None:
    assert TABLE["matmul/512x512x512 b transposed"].flops == 2 * 512**3
    assert TABLE["matmul/32x32x32 batch 64"].flops == 64 * 2 * 32**3
    assert TABLE["conv/LeNet-5 64x6x14x14 to 16 k5"].flops == 2 * 64 * 16 * 10 * 10 * 6 * 25
    assert TABLE["infer/MLP 8-64-64-4 batch 1"].flops == 2 * (8 * 64 + 64 * 64 + 64 * 4)
    first, second = 784 * 128, 128 * 10
    step = TABLE["train/MLP 784-128-10 batch 64 SGD"]
    assert step.flops == 64 * 2 * (2 * first + 3 * second)


def test_inputs_are_the_same_in_every_process() -> None:
    first, second = (problems.load()["matmul/32x32x32"] for _ in range(2))
    assert isinstance(first, Expression)
    assert isinstance(second, Expression)
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])


def test_selection_by_group_and_pattern() -> None:
    table = list(TABLE.values())
    assert {p.group for p in cli.select(table, "conv", False)} == {"conv"}
    assert {p.group for p in cli.select(table, "conv*,import", False)} == {
        "conv",
        "conv-backward",
        "import",
    }
    assert cli.select(table, "conv*", True) == [
        p for p in table if p.quick and p.group.startswith("conv")
    ]
    assert cli.select(table, "nothing", False) == []


# --- the reference ----------------------------------------------------------------------------


def directional(f: Any, x: np.ndarray, direction: np.ndarray) -> float:
    """Central difference of a scalar function."""
    step = 1e-6
    return float((f(x + step * direction) - f(x - step * direction)) / (2 * step))


@pytest.mark.parametrize(
    ("stride", "padding", "groups"), [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 1, 4)]
)
def test_reference_conv2d(stride: int, padding: int, groups: int) -> None:
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in ((2, 4, 7, 8), (8, 4 // groups, 3, 3), (8,)))
    y = reference.conv2d(x, w, b, stride, padding, groups)

    image = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    n, k, i, j = 1, 5, y.shape[2] - 1, 1
    start = (k // (8 // groups)) * (4 // groups)
    window = image[n, start : start + 4 // groups, i * stride : i * stride + 3,
                   j * stride : j * stride + 3]  # fmt: skip
    assert y[n, k, i, j] == pytest.approx((window * w[k]).sum() + b[k], rel=1e-12)

    g = rng.standard_normal(y.shape)
    values = [x, w, b]
    grads = reference.conv2d_grads(x, w, g, stride, padding, groups)
    for at, grad in enumerate(grads):

        def loss(value: np.ndarray, at: int = at) -> float:
            arrays = [*values[:at], value, *values[at + 1 :]]
            return float((reference.conv2d(*arrays, stride, padding, groups) * g).sum())

        direction = rng.standard_normal(values[at].shape)
        expected = directional(loss, values[at], direction)
        assert (grad * direction).sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("layers", "both"), [(1, False), (2, True)])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_reference_recurrent(kind: str, layers: int, both: bool) -> None:
    rng = np.random.default_rng(2)
    size = 4 * {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    weights = [
        rng.standard_normal(shape)
        for layer in range(layers)
        for _ in range(2 if both else 1)
        for shape in ((size, 8 if layer else 3), (size, 4), (size,), (size,))
    ]
    x = rng.standard_normal((5, 2, 3))
    out = reference.recurrent(kind, x, weights, layers, both)
    assert out.shape == (5, 2, 8 if both else 4)
    g = rng.standard_normal(out.shape)
    grads = reference.recurrent_grads(kind, x, weights, g, layers, both)
    for at, grad in enumerate(grads):

        def loss(value: np.ndarray, at: int = at) -> float:
            arrays = [*weights[:at], value, *weights[at + 1 :]]
            return float((reference.recurrent(kind, x, arrays, layers, both) * g).sum())

        direction = rng.standard_normal(weights[at].shape)
        expected = directional(loss, weights[at], direction)
        assert (grad * direction).sum() == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_reference_pooling(kind: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, 7, 7))
    forward = getattr(reference, f"{kind}_pool2d")
    backward = getattr(reference, f"{kind}_pool2d_grad")
    y = forward(x, 3, 2)
    assert y[1, 2, 0, 1] == pytest.approx(getattr(np, {"max": "max", "avg": "mean"}[kind])(
        x[1, 2, 0:3, 2:5]))  # fmt: skip
    g, direction = rng.standard_normal(y.shape), rng.standard_normal(x.shape)
    expected = directional(lambda value: (forward(value, 3, 2) * g).sum(), x, direction)
    assert (backward(x, g, 3, 2) * direction).sum() == pytest.approx(expected, rel=1e-6)


CHAIN = "Conv2d(1, 3, 3, padding=1), ReLU(), MaxPool2d(2), Flatten(), Linear(48, 5)"
BLOCK = (
    "Conv2d(1, 4, 3, 2, 1, bias=False), BatchNorm2d(4), ReLU(), "
    "Residual([Conv2d(4, 4, 3, 1, 1)], []), Residual([Conv2d(4, 2, 1, 2)], [Conv2d(4, 2, 1, 2)]),"
    "AvgPool2d(2), Flatten(), Linear(2, 5)"
)


@pytest.mark.parametrize("layers", [CHAIN, BLOCK], ids=["chain", "residual"])
@pytest.mark.parametrize("loss", ["mse_loss", "cross_entropy"])
def test_reference_network_gradients(loss: str, layers: str) -> None:
    rng = np.random.default_rng(2)
    shapes = reference.chain(layers).shapes
    params = [rng.standard_normal(shape) for shape in shapes]
    x = rng.standard_normal((4, 1, 8, 8))
    target = rng.standard_normal((4, 5)) if loss == "mse_loss" else np.array([0, 4, 2, 2])
    grads = reference.Network(layers, params).gradients(x, target, loss)
    for at, grad in enumerate(grads):

        def value(param: np.ndarray, at: int = at) -> float:
            network = reference.Network(layers, [*params[:at], param, *params[at + 1 :]])
            return float(reference.LOSSES[loss][0](network(x), target))

        direction = rng.standard_normal(shapes[at])
        expected = directional(value, params[at], direction)
        assert (grad * direction).sum() == pytest.approx(expected, rel=1e-5)


def test_reference_adam_takes_a_step_of_the_learning_rate_first() -> None:
    param = np.array([1.0, -2.0])
    reference.Adam([param], lr=0.1).step([np.array([3.0, -0.01])])
    np.testing.assert_allclose(param, [0.9, -1.9], rtol=1e-6)


# --- checks and the worker --------------------------------------------------------------------


def add(name: str = "add", **more: Any) -> Expression:
    """A small problem of the tests' own."""
    fields: dict[str, Any] = {"numpy": "a + b", "inputs": {"a": (5,), "b": (5,)}} | more
    return Expression(group="test", name=name, **fields)


class InProcess:
    """A worker without a process."""

    def __init__(self, *table: Problem) -> None:
        library = NumPy("numpy")
        library.load(1)
        self._worker = Worker(library, {problem.key: problem for problem in table})

    def ask(self, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(json.dumps(self._worker.answer(request)))
        return reply

    def settle(self) -> None:
        """Nothing runs between two requests."""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([np.array([1.0, 2.0])], None),
        ([np.array([1.0, 2.0 + 1e-6])], None),
        ([np.array([1.0, 2.001])], "array 0 is off by 0.001"),
        ([np.array([1.0, np.nan])], "array 0 is off by nan"),
        ([np.array([[1.0, 2.0]])], "array 0 has shape"),
        ([np.array([1.0, 2.0])] * 2, "2 arrays, expected 1"),
    ],
)
def test_check(answer: list[np.ndarray], message: str | None) -> None:
    found = add().check(answer, [np.array([1.0, 2.0])])
    assert found is None if message is None else found is not None and message in found


def test_check_of_training_steps_is_by_norm() -> None:
    problem = TABLE["train/MLP 2-16-1 batch 32 SGD"]
    expected = problem.reference()
    assert expected is not None
    assert problem.check(expected, expected) is None
    wrong = problem.check([array * 1.01 for array in expected], expected)
    assert wrong is not None
    assert "relative error 0.01" in wrong


def test_wrong_answers_and_failures_cost_their_row_only() -> None:
    right = add()
    wrong = add(numpy="a - b", exact="a + b")
    broken = add(numpy="a + nothing", exact="a + b")
    absent = add(numpy=None, exact="a + b")
    row = run_problem(
        right,
        1,
        {name: InProcess(problem) for name, problem in
         {"right": right, "wrong": wrong, "broken": broken, "absent": absent}.items()},
        SHORT,
    )  # fmt: skip
    assert len(row.results["right"].values) == SHORT.rounds * SHORT.count
    assert "wrong answer: array 0 is off by" in str(row.results["wrong"].error)
    assert "NameError" in str(row.results["broken"].error)
    assert row.results["absent"].skip == "no line for numpy"
    assert [name for name, result in row.results.items() if result.usable] == ["right"]


def test_samples_last_as_long_as_asked() -> None:
    task = Task("sum(range(100))", {})
    number = task.calibrate(1e-3)
    assert number > 1
    assert task.answer() == 4950


def test_a_task_that_is_a_fresh_process_each_time_takes_one_sample_a_turn() -> None:
    class Fresh(Expression):
        def task(self, library: Library) -> Task:
            task = super().task(library)
            task.fresh = True
            return task

    problem = Fresh(group="test", name="fresh", numpy="a", inputs={"a": (5,)})
    row = run_problem(problem, 1, {"numpy": InProcess(problem)}, SHORT)
    assert len(row.results["numpy"].values) == SHORT.rounds


def test_compilers_get_networks_only() -> None:
    assert {problem.group for problem in TABLE.values() if problem.whole} == {"train", "infer"}


def test_numpy_records_no_gradient() -> None:
    with pytest.raises(Unsupported):
        NumPy("numpy").tensor(np.zeros(1), requires_grad=True)


def test_a_dead_worker_is_reported_and_started_again(tmp_path: Path) -> None:
    peer = WorkerProcess("numpy", 1)
    try:
        assert "ended with code 1" in peer.ask(do="nonsense")["error"]
        request = {"problem": "overhead/a + b", "answer": str(tmp_path / "answer.npz")}
        assert peer.ask(do="prepare", **request) == {"ok": True}
        assert peer.facts["version"] == np.__version__
    finally:
        peer.stop()


def test_a_library_that_cannot_be_loaded_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{SUBJECT}.py").write_text("raise ImportError('a broken build')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert cli.main(["--only", "overhead/a + b", "--peers", ""]) == 1
    assert "chainrule: ImportError: a broken build" in capsys.readouterr().err


# --- reports ----------------------------------------------------------------------------------


def rows() -> list[Row]:
    """Two rows with ratios 2 and 8, and one in which the peer failed."""

    def row(name: str, subject: list[float], peer: Result, **more: Any) -> Row:
        return Row(add(name, **more), 2, {SUBJECT: Result(subject, 10), "numpy": peer})

    return [
        row("first", [2e-6, 1e-6, 3e-6], Result([2e-6, 6e-6, 8e-6]), flops=5e4),
        row("second", [1e-3], Result([8e-3])),
        row("third", [1e-3], Result(error="wrong answer: x")),
    ]


def finished(found: list[Row], peaks: Mapping[tuple[str, int], float]) -> Run:
    return Run(
        {"cpu": "a machine"},
        {SUBJECT: {"version": "1", "isa": "v3"}, "numpy": {"version": "2"}},
        "python -m benchmarks",
        Settings(),
        peaks,
        found,
    )


def test_ratios_and_summary() -> None:
    first, second, third = rows()
    assert ratios(first) == {"numpy": {"best": pytest.approx(2), "median": pytest.approx(3)}}
    assert ratios(third) == {}
    entry = summaries([first, second, third])["numpy"][2]
    assert entry.rows == 2
    assert entry.best == pytest.approx(4)
    assert entry.median == pytest.approx(24**0.5)
    assert entry.worst == pytest.approx(2)
    assert entry.worst_row == "first"
    assert geometric_mean([1, 100]) == pytest.approx(10)


def test_json_report() -> None:
    report = json.loads(json.dumps(to_json(finished(rows(), {("float32", 2): 1e11}))))
    first, _, third = report["rows"]
    assert first["results"][SUBJECT]["GFLOP/s"] == pytest.approx(50)
    assert first["results"][SUBJECT]["share of peak"] == pytest.approx(0.5)
    assert first["results"][SUBJECT]["values"] == [2e-6, 1e-6, 3e-6]
    assert third["results"]["numpy"] == {"error": "wrong answer: x"}
    assert report["summary"]["test"]["numpy"]["2"]["best"] == pytest.approx(4)


def test_markdown_report() -> None:
    page = to_markdown(finished(rows(), {("float32", 2): 1e11}))
    assert "| first | 2 | 1.00 us (2.00 us) | 50 GFLOP/s, 50% | 2.00 us (6.00 us) |" in page
    assert "**2.00** (3.00)" in page
    assert "- numpy, test/third @2: wrong answer: x" in page
    assert "| test | numpy | 2 | **4.00** (4.90) | 2.00 first |" in page
    assert "`python -m benchmarks --only test --threads 2`" in page
    header, ruler = page.split("## test\n\n")[1].splitlines()[2:4]
    assert header.count("|") == ruler.count("|")


def test_the_summary_has_columns_for_each_thread_count() -> None:
    found = rows()
    found += [
        Row(row.problem, 1, {SUBJECT: Result([1.0]), "numpy": Result([3.0])}) for row in found
    ]
    page = to_markdown(finished(found, {}))
    assert (
        "| group | peer | rows | 1 thread: mean | worst row | 2 threads: mean | worst row |" in page
    )
    assert (
        "| test | numpy | 3 | **3.00** (3.00) | 3.00 first | **4.00** (4.90) | 2.00 first |" in page
    )


# --- targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.name}-{target.peer}")
def test_targets_are_about_rows_of_the_tables(target: Target) -> None:
    selected = [p for p in TABLE.values() if target.selects(Row(p, 1, {}))]
    assert selected
    for pattern in filter(None, target.without.split(",")):
        assert any(fnmatch.fnmatchcase(key, pattern) for key in TABLE)
    assert target.mean >= target.worst


def compared(name: str, subject: float, **peers: float) -> Row:
    """A row of best times."""
    results = {SUBJECT: subject, **peers}
    return Row(add(name), 2, {name: Result([value]) for name, value in results.items()})


def test_a_target_counts_the_fastest_peer_unless_it_names_one() -> None:
    found = [compared("first", 1.0, torch=4.0, jax=1.0), compared("second", 1.0, torch=1.5)]
    fastest = verdict(Target("x", "test/*", 1.2, 1.1), found, 2)
    assert fastest is not None
    assert fastest.summary is not None
    assert fastest.summary.best == pytest.approx(1.5**0.5)
    assert [(row.problem.name, peer, ratio) for row, peer, ratio in fastest.short] == [
        ("first", "jax", 1.0)
    ]
    assert fastest.mean_holds
    assert not fastest.holds
    against_torch = verdict(Target("x", "test/*", 2.4, 1.5, "torch"), found, 2)
    assert against_torch is not None
    assert against_torch.holds
    without = verdict(Target("x", "test/*", 2.4, 1.5, "torch", "test/sec*"), found, 2)
    assert without is not None
    assert without.summary is not None
    assert without.summary.rows == 1
    assert verdict(Target("x", "test/*", 2, 1), found, 1) is None
    assert verdict(Target("x", "test/*", 2, 1, "numpy"), found, 2) is None


def test_a_failed_row_is_short_of_its_target() -> None:
    failed = Row(add("bad"), 2, {SUBJECT: Result(error="no"), "torch": Result([1.0])})
    found = verdict(Target("x", "test/*", 2, 1), [failed, compared("good", 1.0, torch=9.0)], 2)
    assert found is not None
    assert not found.holds
    assert [(row.problem.name, ratio) for row, _, ratio in found.short] == [("bad", None)]


def test_targets_in_the_report_and_on_the_terminal() -> None:
    problem = TABLE["dropout/dropout 64x256"]
    row = Row(problem, 2, {SUBJECT: Result([2.0]), "torch": Result([1.0])})
    page = to_markdown(finished([row], {}))
    assert "| dropout | torch | 1.5, 1.5 | **0.50**, 0.50: mean and 1 row short |" in page
    assert "- dropout, against torch, 2 threads: dropout 64x256 0.50 (torch)" in page
    assert to_lines([row]) == [
        "SHORT  dropout against torch @2: mean, worst 0.50, 0.50 (wanted 1.5, 1.5)",
        "       1 row: dropout 64x256 0.50 (torch)",
    ]
    assert to_json(finished([row], {}))["targets"][0]["short"] == [problem.key]


def test_command_line_runs_chainrule_beside_numpy(tmp_path: Path) -> None:
    files = {name: tmp_path / "out" / f"report.{name}" for name in ("json", "markdown")}
    code = cli.main(
        ["--only", "overhead/a + b,matmul/32x32x32,train/MLP 2-16-1*,import", "--peers", "numpy"]
        + ["--rounds", "1", "--threads", "2,1"]
        + [text for name, path in files.items() for text in (f"--{name}", str(path))]
    )
    assert code == 0
    report = json.loads(files["json"].read_text())
    names = ("a + b", "32x32x32", "MLP 2-16-1 batch 32 SGD")
    assert [(row["name"], row["threads"]) for row in report["rows"]] == [
        *((name, threads) for name in names for threads in (1, 2)),
        ("import beyond NumPy", 1),
    ]
    for row in report["rows"]:
        assert row["results"][SUBJECT]["best"] > 0
        assert row["ratios"]["numpy"]["best"] > 0
    page = files["markdown"].read_text()
    assert "## overhead" in page
    assert "Failures" not in page


@pytest.mark.parametrize(
    "arguments",
    [["--only", "nothing"], ["--peers", "tensorflow"], ["--threads", "0"], ["--threads", "1,x"]],
)
def test_command_line_refuses_nonsense(arguments: list[str]) -> None:
    assert cli.main(arguments) == 2


def test_command_line_lists_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list", "--quick", "--only", "import"]) == 0
    assert capsys.readouterr().out == "import/import beyond NumPy @1  (quick)\n"
