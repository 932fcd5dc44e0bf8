"""The pictures of examples/lectures draw what they say."""

import sys
from pathlib import Path
from typing import Any

import pytest

LECTURES = Path(__file__).parents[1] / "examples" / "lectures"
sys.path.insert(0, str(LECTURES))

import index  # type: ignore[import-not-found]  # noqa: E402
from finding import Finding, main  # type: ignore[import-not-found]  # noqa: E402

figure = pytest.importorskip("matplotlib.figure", reason="matplotlib draws the pictures")


def drawn(name: str) -> Any:
    """The axes a script drew into, and what it calls its lines."""
    axes = figure.Figure().subplots()
    index.load(LECTURES / f"{name}.py").plot(axes)
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    return axes, {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def test_main_writes_the_picture(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--plot", str(tmp_path / "line.png")])
    with pytest.raises(SystemExit, match="0"):
        main(lambda small: iter([Finding("0.1", "x", 1, 1)]), lambda axes: axes.plot([1, 2]))
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")


def test_ways_over_the_cost() -> None:
    _, lines = drawn("005_descent")
    cost = lines["2w² + 4w"]
    assert cost[cost[:, 1].argmin()] == pytest.approx([-1, -2], abs=0.01)
    assert lines["rate 1/4"][1].tolist() == [-1, -2]
    assert set(lines["rate 1/2"][:, 0]) == {0.5, -2.5}


def test_errors_by_capacity() -> None:
    _, lines = drawn("111_overfitting")
    training, validation = lines["training"][:, 1], lines["validation"][:, 1]
    assert training[-1] < training[0] / 3
    assert validation.min() < min(validation[0], validation[-1])


def test_representations_of_a_digit() -> None:
    axes, _ = drawn("116_representations")
    (image,) = axes.get_images()
    grid = image.get_array()
    assert grid.shape == (30, 50)
    tiles = grid.reshape(3, 10, 5, 10).transpose(0, 2, 1, 3).reshape(15, 10, 10)[:, 1:-1, 1:-1]
    assert tiles[0].max() == 1  # the digit's ink
    assert tiles[1:13].max() == pytest.approx(1)
    assert (tiles[13:] == 0).all()


def test_vanishing_gradients() -> None:
    axes, lines = drawn("201_chain")
    assert axes.get_yscale() == "log"
    assert set(lines) == {"sigmoid", "tanh", "ReLU"}
    assert all(len(line) == 10 for line in lines.values())
    assert lines["sigmoid"][0, 1] < lines["sigmoid"][-1, 1] / 100
    assert lines["ReLU"][0, 1] > lines["sigmoid"][0, 1]


def test_band() -> None:
    _, lines = drawn("204_band")
    right, taught, (best,) = lines.values()
    assert best[1] == pytest.approx(right[:, 1].max(), abs=1e-4)
    assert best == pytest.approx([6.894151, 0.447743], abs=1e-6)
    assert taught[:, 1].max() < 0


def test_cross_entropy_learns_faster() -> None:
    _, lines = drawn("208_cross_entropy")
    assert (
        lines["squared error"][0, 1]
        == lines["cross entropy"][0, 1]
        == pytest.approx(0.982, abs=5e-4)
    )
    assert lines["cross entropy"][-1, 1] < lines["squared error"][-1, 1]


def test_relu_and_its_relatives() -> None:
    _, lines = drawn("211_relu")
    x = lines["ReLU"][:, 0]
    assert (lines["ReLU"][:, 1] == x.clip(0)).all()
    assert lines["Maxout of -x - 2, x / 2 and 2 x - 2"][:, 1] == pytest.approx(
        [max(-t - 2, t / 2, 2 * t - 2) for t in x]
    )
    assert lines["sum of sigmoids"][:, 1] == pytest.approx(lines["ln(1 + e^x)"][:, 1], abs=0.02)


def test_ways_down_the_valley() -> None:
    _, lines = drawn("212_optimizers")
    assert set(lines) == {"SGD", "momentum", "Adagrad", "RMSprop", "Adam"}
    assert all((way[0] == [4, 1]).all() for way in lines.values())


def test_early_stopping() -> None:
    _, lines = drawn("214_early_stopping")
    (stop,) = lines["stop here"]
    validation = lines["validation"]
    assert stop[1] == validation[:, 1].min() == validation[int(stop[0]) - 1, 1]
    assert lines["training"][-1, 1] < lines["training"][0, 1]


def test_initial_weights() -> None:
    axes, _ = drawn("219_initial_weights")
    wide, narrow = (patch.get_xy()[:, 1].max() for patch in reversed(axes.patches))
    assert {patch.get_label() for patch in axes.patches} == {"w, b ~ N(0, 1)", "w ~ N(0, 1/n)"}
    assert max(wide, narrow) > 5 * min(wide, narrow)  # one is spread, the other narrow


def test_recurrent_reach() -> None:
    axes, lines = drawn("224_recurrent")
    assert axes.get_yscale() == "log"
    assert all(len(line) == 100 for line in lines.values())
    assert lines["RNN"][0, 1] < 1e-15 < 1e6 < lines["RNN, 1.2 x a rotation"][0, 1]


def test_staircases_approach_the_sine() -> None:
    _, lines = drawn("301_perceptron")
    sine = lines["sin 2πx"]
    errors = [abs(lines[f"{n} neurons"] - sine)[:, 1].max() for n in (5, 10, 40)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1
