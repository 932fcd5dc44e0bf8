"""Every project of examples/projects reaches its score, quickly and quietly."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECTS = Path(__file__).parents[1] / "examples" / "projects"

# What run(small=True) returns lies between these; beside them, what is no use at all.
SCORES = {
    "anomaly_autoencoder": (0.95, 1.0),  # area under the ROC curve; chance is 0.5
    "char_transformer": (0.85, 1.0),  # share of real words; untrained none
    "forecast_lstm": (0.0, 0.75),  # error beside the best simple rule; the rule itself is 1
    "gan_moons": (0.0, 0.05),  # energy distance beside that of the untrained generator
    "neural_style": (0.0, 0.05),  # distance in style beside that of the content
    "physics_informed": (0.0, 2e-3),  # largest error; the temperatures go up to 1
    "reinforce_cartpole": (150.0, 200.0),  # steps; pushing at random makes about 20
    "tabular_categories": (0.96, 0.99),  # R2; a perfect model leaves the noise, 0.99
}


def load(name):
    spec = importlib.util.spec_from_file_location(f"project_{name}", PROJECTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_project_has_a_score_and_is_short():
    assert {path.stem for path in PROJECTS.glob("*.py")} == set(SCORES)
    for path in PROJECTS.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(source))
        assert len(source.splitlines()) < 120


@pytest.mark.parametrize("name", SCORES)
def test_score(name, capsys):
    low, high = SCORES[name]
    assert low <= load(name).run(small=True) <= high
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) >= 3
    assert printed.err == ""


def test_as_a_program(tmp_path):
    """From the command line, with its picture."""
    done = subprocess.run(
        [sys.executable, "-W", "error", PROJECTS / "neural_style.py", "--small", "out.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pixels = np.asarray(Image.open(tmp_path / "out.png"))[..., :3] / 255
    assert pixels.shape == (48, 48, 3)
    ring = load("neural_style").ring()[0, 0].numpy() > 0.5
    brightness = pixels.mean(2)
    assert brightness[ring].mean() > brightness[~ring].mean() + 0.1
    # The stripes are orange where they are not blue: red and blue go against each other.
    assert np.corrcoef(pixels[..., 0].ravel(), pixels[..., 2].ravel())[0, 1] < -0.3


def test_carts_fall_as_the_equations_say():
    """One step from a small angle, where the equations of motion are linear."""
    project = load("reinforce_cartpole")
    state = np.array([[0.0, 0.0, 0.01, 0.0], [2.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.3, 0.0]])
    after, standing = project.step_carts(state, np.array([True, True, True]))
    assert standing.tolist() == [True, False, False]
    # Linear in small angles: turning = (9.8 angle - 10 / 1.1) / (0.5 (4/3 - 0.1 / 1.1)).
    turning = (9.8 * 0.01 - 10 / 1.1) / (0.5 * (4 / 3 - 0.1 / 1.1))
    assert after[0, 3] == pytest.approx(0.02 * turning, rel=1e-3)
    speeding = 10 / 1.1 - 0.05 * turning / 1.1
    assert after[0, 1] == pytest.approx(0.02 * speeding, rel=1e-3)
