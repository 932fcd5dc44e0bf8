"""The two tools beside the lectures: the dnn command line and Caffe's solver."""

import sys
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule import nn

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES / "lectures")]

import dnn_cli  # type: ignore[import-not-found]  # noqa: E402
from caffe_solver import Solver, SolverParameter  # type: ignore[import-not-found]  # noqa: E402
from rbm import RBM  # type: ignore[import-not-found]  # noqa: E402

# Two classes, labelled -1 and 3: which half has ink.
LINES = ["-1 1:1 2:1", "3 3:1 4:1", "-1 1:1", "3 4:1", "-1 2:1", "3 3:1"] * 8


def run(command: str) -> int:
    """The exit code of a command."""
    return int(dnn_cli.main(command.split()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: Any) -> Path:
    """A folder to run in, with data and a trained model."""
    monkeypatch.chdir(tmp_path)
    Path("data.svm").write_text("\n".join(LINES) + "\n")
    assert run("init data.svm --nodes 8-6 --output init.net --epochs 50 --lr 0.5") == 0
    assert run("train data.svm init.net --output m.net --lr 1 --epochs 100") == 0
    return tmp_path


def fails(command: str, capsys: Any) -> str:
    """The one line that a mistake is answered with."""
    capsys.readouterr()
    assert run(command) == 1
    said = capsys.readouterr().err
    assert said.startswith("dnn_cli: ")
    assert said.count("\n") == 1
    return str(said)


def test_labels_come_back_as_written(folder: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert run("predict data.svm m.net") == 0
    said = capsys.readouterr()
    assert said.out.split() == [line.split()[0] for line in LINES]
    assert said.err == "accuracy 1.0000 (48 of 48)\n"


def test_widths_are_those_asked_for(folder: Path) -> None:
    net, classes, low, _ = dnn_cli.load("init.net")
    assert [layer.out_features for layer in net if isinstance(layer, nn.Linear)] == [8, 6, 2]
    assert classes == [-1.0, 3.0]
    assert low.shape == (4,)


def test_the_same_seed_gives_the_same_file(folder: Path) -> None:
    for name in ("a", "b"):
        assert run(f"init data.svm --nodes 8-6 --output {name} --seed 5") == 0
    assert Path("a").read_bytes() == Path("b").read_bytes()


def test_a_mistake_in_a_file_is_named_by_its_line(folder: Path, capsys: Any) -> None:
    Path("bad.svm").write_text("1 1:1\n-1 2:x\n")
    assert "'bad.svm': line 2: '-1 2:x'" in fails("init bad.svm --output x", capsys)
    Path("wide.svm").write_text("-1 1:1\n3 9:1\n")
    assert "'wide.svm': line 2: index 9" in fails("predict wide.svm m.net", capsys)
    Path("label.svm").write_text("-1 1:1\n7 2:1\n")
    assert "label 7 was not" in fails("train label.svm init.net --output x", capsys)
    Path("one.svm").write_text("1 1:1\n1 2:1\n")
    assert "one class, 1;" in fails("init one.svm --output x", capsys)
    Path("empty.svm").write_text("\n# nothing\n")
    assert "no example" in fails("init empty.svm --output x", capsys)
    Path("nan.svm").write_text("1 1:nan\n2 1:1\n")
    assert "not finite" in fails("init nan.svm --output x", capsys)
    assert "none.svm" in fails("predict none.svm m.net", capsys)
    assert not Path("x").exists()


def test_a_foreign_model_is_refused(folder: Path, capsys: Any) -> None:
    Path("text").write_text("no network")
    fails("predict data.svm text", capsys)
    cr.save({"weight": cr.ones(2)}, "other")
    assert "was not written by this program" in fails("predict data.svm other", capsys)


@pytest.mark.parametrize("nodes", ["", "256-", "a-b", "0-2", "-3", "1e3", "99999999"])
def test_widths_must_be_numbers(nodes: str, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        dnn_cli.main(["init", "data.svm", f"--nodes={nodes}", "--output", "x"])
    assert "such as 256-256" in capsys.readouterr().err


def test_contrastive_divergence_lowers_the_reconstruction_error() -> None:
    cr.manual_seed(0)
    data = cr.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]] * 16)
    machine = RBM(4, 3)

    def error() -> float:
        return ((machine.reconstruct(data) - data) ** 2).mean().item()

    before = error()
    machine.learn(data, epochs=200)
    assert error() < before / 5


@pytest.mark.parametrize(
    ("policy", "rates"),
    [
        ("fixed", [0.1, 0.1, 0.1]),
        ("step", [0.1, 0.05, 0.025]),
        ("exp", [0.1, 0.1 * 0.5**10, 0.1 * 0.5**20]),
        ("inv", [0.1, 0.1 / 6**0.75, 0.1 / 11**0.75]),
    ],
)
def test_rate_policies(policy: str, rates: list[float]) -> None:
    text = f'base_lr: 0.1\nlr_policy: "{policy}"\ngamma: 0.5 # half\nstepsize: 10'
    param = SolverParameter.parse(text)
    assert [param.rate(i) for i in (0, 10, 20)] == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base_lr: fast", "line 1: 'base_lr: fast'; expected a number"),
        ("\nbase_rl: 0.1", "line 2: 'base_rl: 0.1'; expected one of"),
        ("base_lr 0.1", "line 1"),
        ("gamma: 0.1", "no base_lr"),
        ("base_lr: 0.1\nstepsize: 0", "stepsize: 0; expected 1 or more"),
        ('base_lr: 0.1\nlr_policy: "cosine"', "lr_policy 'cosine'; expected fixed, step"),
    ],
)
def test_a_mistake_in_the_solver_is_said(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Solver(text, nn.Linear(1, 1))
